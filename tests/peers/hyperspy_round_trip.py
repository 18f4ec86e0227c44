"""Files exchanged with HyperSpy 2, which runs in an environment of its own.

By hand: ``python tests/peers/hyperspy_round_trip.py --peer /path/to/python/with/hyperspy``. The same file is both
sides: called with ``--check`` or ``--write`` it is the peer, and imports HyperSpy but nothing of lazy4d.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

SHAPES = {2: ((), (12, 10)), 3: ((7,), (12, 10)), 4: ((3, 5), (12, 10)), 5: ((2, 3, 4), (12, 10))}
DTYPES = ("u1", "u2", "f4")
CODECS = {"hspy": ("gzip", "lzf", "none"), "zspy": ("zstd", "lz4", "none")}
AXES = [
    {"name": "t", "units": "s", "scale": 2.0, "offset": 1.0, "navigate": True},
    {"name": "y", "units": "nm", "scale": 1.5, "offset": -3.0, "navigate": True},
    {"name": "x", "units": "nm", "scale": 1.25, "offset": 4.0, "navigate": True},
    {"name": "ky", "units": "1/Å", "scale": 0.02, "offset": -0.12, "navigate": False},
    {"name": "kx", "units": "1/Å", "scale": 0.03, "offset": -0.15, "navigate": False},
]
METADATA = {
    "General": {"title": "MoS2 / 80 kV", "author": "Å. Ångström"},
    "Acquisition_instrument": {"TEM": {"beam_energy": 80.0, "Detector": {"exposures": [0.1, 0.2]}}},
    "Sample": {"notes": ["thin", None, 3, [1.5, 2.5]], "thickness": 12.5, "known": True, "layers": [1, 2]},
}
ORIGINAL = {"Header": {"mode": "fast", "counts": [1, 2, 3], "nothing": None, "list": [{"a": 1}, "b"], "empty": []}}


def pixels(ndim: int, dtype: str) -> np.ndarray:
    nav, frame = SHAPES[ndim]
    return np.random.default_rng(ndim).poisson(5, nav + frame).astype(dtype)


def axes(ndim: int) -> list[dict]:
    shape = sum(SHAPES[ndim], ())
    return [{**axis, "size": size} for axis, size in zip(AXES[-ndim:], shape, strict=True)]


def contains(found, expected) -> bool:
    """Whether a tree has everything of another one, with equal values."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(k in found and contains(found[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        same = isinstance(found, list | tuple) and len(found) == len(expected)
        return same and all(contains(f, e) for f, e in zip(found, expected, strict=True))
    return found == expected


def expect(what: str, found, expected) -> None:
    if found != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {found!r}")


# ---- the peer


def peer_checks(folder: Path) -> None:
    """What HyperSpy makes of our files."""
    import hyperspy.api as hs

    for case in json.loads((folder / "cases.json").read_text()):
        for lazy in (False, True):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                s = hs.load(folder / case["file"], lazy=lazy)
            name, ndim = f"{case['file']}, lazy={lazy}", case["ndim"]
            expect(f"{name}: class", type(s).__name__, "LazySignal2D" if lazy else "Signal2D")
            data = np.asarray(s.data)
            expect(f"{name}: dtype", str(data.dtype), str(np.dtype(case["dtype"])))
            expect(f"{name}: pixels", bool(np.array_equal(data, pixels(ndim, case["dtype"]))), True)
            found = [
                {k: getattr(a, k) for k in ("name", "units", "scale", "offset", "navigate", "size")}
                for a in s.axes_manager._axes
            ]
            expect(f"{name}: axes", found, axes(ndim))
            expect(f"{name}: metadata", contains(s.metadata.as_dictionary(), METADATA), True)
            expect(f"{name}: original metadata", contains(s.original_metadata.as_dictionary(), ORIGINAL), True)
            expect(f"{name}: history", json.loads(s.metadata.lazy4d.history[0])["op"], "peer")
            if lazy and ndim > 2:
                chunks = s.data.chunks[-2:]
                expect(f"{name}: whole frames", chunks, ((12,), (10,)))
                expect(f"{name}: sum", int(s.sum().data.compute().sum()), int(pixels(ndim, case["dtype"]).sum()))
        s.save(folder / ("again_" + case["file"]), overwrite=True)


def peer_writes(folder: Path) -> None:
    """Files of HyperSpy for us."""
    import hyperspy.api as hs
    import zarr

    warnings.simplefilter("ignore")
    cases = []
    for ndim in SHAPES:
        for dtype in DTYPES:
            s = hs.signals.Signal2D(pixels(ndim, dtype), axes=axes(ndim))
            s.metadata.add_dictionary(METADATA)
            s.original_metadata.add_dictionary(ORIGINAL)
            for kind in ("hspy", "zspy", "zip.zspy"):
                name = f"theirs_{ndim}_{dtype}.{kind}"
                if kind == "zip.zspy":
                    store = zarr.ZipStore(folder / name)
                    s.save(store)
                    store.close()
                else:
                    s.save(folder / name, overwrite=True)
                cases.append({"file": name, "ndim": ndim, "dtype": dtype})
    (folder / "theirs.json").write_text(json.dumps(cases))


# ---- we


def we_write(folder: Path) -> int:
    """Our files for HyperSpy."""
    import lazy4d as l4
    from lazy4d.metadata import History

    cases = []
    for ndim in SHAPES:
        for dtype in DTYPES:
            for suffix, codecs in CODECS.items():
                for codec in codecs:
                    s = l4.BaseSignal(
                        pixels(ndim, dtype), axes(ndim), METADATA, ORIGINAL, History().append("peer", {"n": ndim})
                    )
                    name = f"ours_{ndim}_{dtype}_{codec}.{suffix}"
                    s.save(folder / name, codec=codec, progress=False)
                    cases.append({"file": name, "ndim": ndim, "dtype": dtype})
    (folder / "cases.json").write_text(json.dumps(cases))
    return len(cases)


def we_check(folder: Path, names: list[dict], history: bool) -> int:
    """What we make of files that HyperSpy wrote, of its own or of ours again."""
    import lazy4d as l4

    for case in names:
        s, ndim = l4.load(folder / case["file"]), case["ndim"]
        expect(f"{case['file']}: class", type(s).__name__, "Diffraction2D" if ndim > 2 else "Signal2D")
        expect(f"{case['file']}: dtype", str(s.dtype), str(np.dtype(case["dtype"])))
        same = np.array_equal(s.compute().data, pixels(ndim, case["dtype"]))
        expect(f"{case['file']}: pixels", bool(same), True)
        keys = ("name", "units", "scale", "offset", "navigate", "size")
        found = [{k: a.as_dictionary()[k] for k in keys} for a in s.axes_manager.as_numpy_order()]
        expect(f"{case['file']}: axes", found, axes(ndim))
        expect(f"{case['file']}: metadata", contains(s.metadata.as_dictionary(), METADATA), True)
        expect(f"{case['file']}: original", contains(s.original_metadata.as_dictionary(), ORIGINAL), True)
        expect(f"{case['file']}: history", s.history[0].op, "peer" if history else "load")
    return len(names)


def round_trip(peer: str, folder: Path) -> str:
    """Exchange the files; a line that says how many were. Ends the program where one differs."""

    def run(side: str) -> None:
        done = subprocess.run([peer, __file__, side, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"HyperSpy, {side}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")

    ours = we_write(folder)
    run("--check")
    again = json.loads((folder / "cases.json").read_text())
    back = we_check(folder, [{**case, "file": "again_" + case["file"]} for case in again], history=True)
    run("--write")
    theirs = we_check(folder, json.loads((folder / "theirs.json").read_text()), history=False)
    told = f"{ours} files of lazy4d read by HyperSpy, {back} of them saved again"
    return f"{told} and {theirs} of HyperSpy read by lazy4d"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that has HyperSpy 2")
    parser.add_argument("--check", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.check:
        peer_checks(given.check)
    elif given.write:
        peer_writes(given.write)
    elif given.peer:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(round_trip(given.peer, Path(folder)) + "\n")
    else:
        parser.error("expected --peer /path/to/python")


if __name__ == "__main__":
    main()
