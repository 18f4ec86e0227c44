"""Strain of a particle
====================

Find the disks of a strained particle, fit a lattice at each position, and compare strain and rotation with the truth.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())

# A particle in vacuum, strained and turned by up to 2 % and 1.1°, whose beam wanders by 6 pixels during the scan.
scan = simulated_scan((29, 35), (128, 128), kind="strain", strain=0.02, dose=40_000, descan=6.0, scan_scale=3.0)
s = l4.Diffraction2D(scan.as_array())
s.set_calibration(**scan.signal_parameters)

vectors = s.get_diffraction_vectors(disk_r="4.5 px", threshold_rel=0.01).compute()
print(vectors)

basis = vectors.get_basis()  # from all positions; or give two vectors: ((0.52, 0.1), (-0.1, 0.52))
print(basis)

# Weighted by intensity; the origin is fitted too, so that the wandering beam need not be corrected first.
lattice = vectors.fit_lattice(basis, min_peaks=8)
strain = lattice.get_strain_maps(reference=l4.CircleROI(17, 14, 4))  # the middle of the particle

truth = {"eyy": scan.truth["strain"][..., 0, 0], "exx": scan.truth["strain"][..., 1, 1]}
truth |= {"exy": scan.truth["strain"][..., 0, 1], "rotation": scan.truth["rotation"]}
for name, measured in strain.maps.items():
    error = measured.as_numpy() - truth[name]
    expected = np.sqrt(np.nanmean(strain.uncertainty[name].as_numpy() ** 2))
    print(f"{name}: rms error {np.sqrt(np.nanmean(error**2)):.5f}, expected {expected:.5f}")

strain.plot(truth=truth, title="A strained particle").savefig(folder / "strain.png")
