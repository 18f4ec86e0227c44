"""Radial profiles and polar patterns
===================================

Integrate patterns with a shadow around their own beam centres: a profile and a polar image at each position.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import simulated_scan

scan = simulated_scan((16, 20), (192, 192), descan=3, disk_radius=4, halo=0.3, background=0.1, grains=60, dose=5e4)
mask = np.ones((192, 192), bool)
mask[86:98, 115:] = False  # the shadow of an arm, where nothing is counted
s = l4.Diffraction2D(scan.as_array()) * mask
s.set_calibration(scale=0.02, units="1/Å", beam_energy="200 kV")
centers = s.get_direct_beam_position(half_width=12)  # the beam travels across the scan by 3 pixels
options = {"radial_range": (0.0, 1.8), "mask": mask, "center": centers, "mean": True}
profiles, polar = s.get_azimuthal_integral1d(90, **options), s.get_azimuthal_integral2d(90, 360, **options)
profiles, polar, mean = l4.compute(profiles, polar.mean(), s.mean())
k, average, spread = profiles.axes_manager["k"].axis, profiles.data.mean((0, 1)), profiles.data.std((0, 1))
print(f"strongest ring at {k[30 + average[30:].argmax()]:.2f} 1/Å")
figure = Figure(figsize=(13, 3.8), layout="constrained")
left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.3, 1.5))
look = {"cmap": "magma", "norm": "log", "vmin": 0.1, "vmax": 30}
left.imshow(np.where(mask, mean.data, np.nan), extent=(-1.93, 1.91, 1.91, -1.93), **look)
left.set(title="mean pattern, shadow left out", xlabel="kx (1/Å)", ylabel="ky (1/Å)", facecolor="0.6")
shown = middle.imshow(polar.data, aspect="auto", origin="lower", extent=(-180, 180, 0, 1.8), **look)
middle.set(title="mean of the polar patterns", xlabel="azimuth, kx to ky (°)", ylabel="k (1/Å)", facecolor="0.6")
figure.colorbar(shown, ax=middle, label="electrons per pixel", extend="both")
right.fill_between(k, average - spread, average + spread, color="0.8", label="mean ± standard deviation")
right.plot(k, average, "k", *[part for y, x in ((2, 3), (8, 10), (13, 17)) for part in (k, profiles.data[y, x])], lw=1)
right.legend(title="all profiles, and three of them")
right.set(title="radial profiles", yscale="log", xlabel="k (1/Å)", ylabel="electrons per pixel")
figure.savefig(Path(*sys.argv[1:2] or [mkdtemp()]) / "azimuthal_integration.png", dpi=120)
