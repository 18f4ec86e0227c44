"""The same script on a laptop and on a cluster
============================================

Only the line that makes the client differs: ``python cluster.py`` runs on threads, ``python cluster.py workers`` on two
processes, ``python cluster.py tcp://host:8786`` on a cluster that can see the file.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import lazy4d as l4
from lazy4d.data import simulated_scan, write_simulated_mib


def main(cluster: str) -> None:
    """Compute a virtual image and the centre of mass of a scan."""
    if cluster:
        from distributed import Client

        # This line is all that differs. Processes import this script, hence the guard at its end.
        client = (
            Client(cluster) if "://" in cluster else Client(n_workers=2, threads_per_worker=1, dashboard_address=":0")
        )
        print(client.cluster if client.cluster is not None else client)

    path = write_simulated_mib(Path(mkdtemp()) / "grains.mib", simulated_scan((16, 24), (128, 128)))
    s = l4.load(path)
    dark_field = s.get_virtual_image(l4.CircleROI(64, 64, 56, r_inner=10))
    com = s.get_direct_beam_position(method="center_of_mass")
    dark_field, com = l4.compute(dark_field, com)
    print("annular dark field:", dark_field.data.sum(), "counts")
    print("mean position (y, x):", com.data.mean(axis=(0, 1)).round(2))

    if cluster:
        client.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
