"""Orientation map of a polycrystal
================================

Simulated patterns of gold grains, each turned at random, from pixels to a map of orientations beside the truth.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import Polycrystal
from lazy4d.plot import orientation_maps
from lazy4d.signals.orientation import CrystalPhase, template_library

folder = Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp())

grains = Polycrystal((24, 32), n_grains=20, precession=1.0)  # what is not known of a specimen
s = l4.Diffraction2D(grains.frames(), title="gold grains")
s.set_calibration(scale=grains.scale, units="1/Å", scan_scale=5.0, scan_units="nm", beam_energy="200 kV")

gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
library = template_library(gold, k_max=1.5, step=2.5, excitation_error=0.008, precession=1.0)
print(library)

vectors = s.get_diffraction_vectors(disk_r=3, threshold_abs=0.5)  # lazy, and so is what follows
found = vectors.get_orientation(library).compute()

apart, nearest = (found.get_misorientation(grains.orientations, answers=n).as_numpy() for n in (1, 2))
ambiguous = found.get_reliability().as_numpy() < 0.005  # two orientations fit alike, half a turn apart
print(f"misorientation: median {np.median(apart):.2f} deg, at most 1 deg in {np.mean(apart <= 1):.1%} of positions")
print(f"of the nearer of two answers: at most 1 deg in {np.mean(nearest <= 1):.1%}; {ambiguous.mean():.1%} ambiguous")
orientation_maps(found, truth=grains.orientations, limit=1.0).savefig(folder / "orientation_map.png")
