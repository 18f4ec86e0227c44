"""Disks found: parameters chosen by eye, then the whole scan
==========================================================

Preview the search on one frame, with every image on the way, then run it over the scan in one pass.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())
scan = simulated_scan((12, 16), (192, 192), dose=60_000, background=0.1, halo=0.1)
s = l4.Diffraction2D(scan.as_array())  # with your own file: l4.load("scan.mib")
s.set_calibration(scale=0.025, units="1/Å", scan_scale=1.5, scan_units="nm", beam_energy="200 kV")

search = {"disk_r": "6.75 px", "subpixel": "dft"}  # the radius of the disks is all that has to be known
preview = s.preview_vectors((9, 5), **search)
print(preview)
preview.plot().savefig(folder / "preview.png")

vectors = s.get_diffraction_vectors(**search).compute()
counts = vectors.ragged.counts
print(vectors)
weakest = np.min(vectors.ragged["intensity"])
print(f"{counts.min()} to {counts.max()} disks a frame, the weakest of {weakest:.0f} counts")
