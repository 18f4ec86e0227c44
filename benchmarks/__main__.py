"""Print the tables of speed and memory.

python -m benchmarks                                  # everything, on 2.1 GB: about 15 minutes
python -m benchmarks speed variants --rounds 9
python -m benchmarks speed --peer /path/to/libertem-environment/bin/python
python -m benchmarks viewing --browser --big /disk/big.mib  # a file larger than memory; written if it is not there
python -m benchmarks --quick                          # smaller data, to see that everything runs
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

from benchmarks import diffraction, formats, graphs, memory, speed, startup, vectors
from benchmarks.dataset import Dataset
from benchmarks.peers import Peer

SECTIONS = (
    "startup",
    "speed",
    "variants",
    "formats",
    "compressed",
    "diffraction",
    "vectors",
    "graphs",
    "memory",
    "storage",
    "viewing",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"any of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=128, help="scan rows of 128 positions: 128 make 2.1 GB")
    parser.add_argument("--folder", type=Path, help="keep the data here; a temporary folder by default")
    parser.add_argument("--stream", type=float, default=34.4, help="gigabytes really streamed of the 256 GiB file")
    parser.add_argument("--peer", help="python of an environment that has LiberTEM")
    parser.add_argument("--executor", default="pipelined", help="LiberTEM's executor")
    parser.add_argument("--vectors-peer", help="python of an environment that has scikit-image, pyxem or both")
    parser.add_argument("--browser", action="store_true", help="view in JupyterLab in a headless Chromium too")
    parser.add_argument("--big", type=Path, help="view this file, written larger than memory where there is none")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {sorted(unknown)[0]!r}: choose from {', '.join(SECTIONS)}")
    wanted = options.sections or SECTIONS
    if options.quick:
        options.rounds, options.rows, options.stream = 2, 16, 1.0
    with tempfile.TemporaryDirectory(prefix="lazy4d-benchmarks-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(
            f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {options.rounds} rounds"
        )
        if {"startup", "speed", "variants", "formats", "compressed"} & set(wanted):
            data = Dataset(folder, options.rows)
        for section in wanted:
            print(f"\n== {section}", flush=True)
            if section == "startup":
                print(startup.report(data.path, options.rounds))
            elif section == "speed":
                peer = None
                if options.peer:
                    header = data.path.with_suffix(".hdr")
                    peer = Peer(options.peer, "libertem_worker.py", header, options.executor)
                print(speed.report(data, options.rounds, peer))
                if peer is not None:
                    peer.close()
            elif section == "variants":
                print(speed.report_variants(data, folder, options.rounds))
            elif section == "formats":
                print(formats.report(data, folder, options.rounds))
            elif section == "compressed":
                from benchmarks import compressed  # needs hdf5plugin and zarr: pip install -e ".[test]"

                print(compressed.report(data, folder, options.rounds))
            elif section == "diffraction":
                print(diffraction.report(folder, options.rounds, 0.1 if options.quick else 1.0))
            elif section == "vectors":
                print(vectors.report(folder, options.rounds, options.vectors_peer, 0.1 if options.quick else 1.0))
            elif section == "graphs":
                print(graphs.report(folder, options.rounds))
            elif section == "storage":
                from benchmarks import storage

                print(storage.report(folder, min(options.rounds, 3), rows=4 if options.quick else 24))
            elif section == "viewing":
                from benchmarks.viewing import report as viewing

                rounds = min(options.rounds, 5)
                for text in viewing.tables(
                    folder, rounds, quick=options.quick, browser=options.browser, big=options.big
                ):
                    print(text, end="\n\n", flush=True)
            else:
                print(memory.report(folder, options.stream))


if __name__ == "__main__":
    main()
