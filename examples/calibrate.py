"""Calibration on a ring: elliptical distortion and scale
======================================================

Fit the distorted ring of a polycrystal, set the scale from its known spacing, make it round, compare the profiles.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4

# Grains of gold, (111), seen by lenses that stretch the patterns by 3 % along 30°.
rng, (ky, kx) = np.random.default_rng(1), np.mgrid[:192, :192] - 96.0
y, x = np.einsum("ij,jyx->iyx", l4.signals.Ellipse(1.03, 30).matrix(), np.stack([ky, kx]))
grains = 0.3 + sum(s * np.exp(200 * (np.cos(np.arctan2(y, x) - a) - 1)) for s, a in rng.uniform(0, (1, 6.3), (60, 2)))
expected = 0.5 * grains * np.exp(-((np.hypot(y, x) - 80) ** 2) / 2) + 0.6 * np.exp(-np.hypot(y, x) / 30)
s = l4.Diffraction2D(rng.poisson(expected, (10, 12, 192, 192)).astype("uint16"), title="gold")
print(s.calibrate_from_ring("2.355 Å", (70, 90)))  # d(111): sets scale, units and zero of the axes
print(ring := s.calibrate_ellipse((0.38, 0.47)))  # notes the distortion, for all that follows
bins = {"npt": 80, "npt_azim": 180, "radial_range": (0.39, 0.46), "mean": True}
polar = (s.get_azimuthal_integral2d(ellipse=(1, 0), **bins), s.correct_ellipse().get_azimuthal_integral2d(**bins))
pattern, before, after = l4.compute(s.mean(), polar[0].mean(), polar[1].mean())
figure = Figure(figsize=(14, 3.9), layout="constrained")
axes = figure.subplots(1, 4, width_ratios=(1.15, 1, 1, 1.2))
half = 96 * pattern.axes_manager["kx"].scale
axes[0].imshow(np.log10(pattern.data + 0.01), cmap="magma", extent=(-half, half, half, -half), vmax=0.3)
axes[0].plot(*ring.outline().T, "c--", lw=0.8)
axes[0].set(title=f"mean pattern, ellipse {ring.ratio:.4f} at {ring.angle:.1f}°", xlabel="kx (1/Å)", ylabel="ky (1/Å)")
for ax, polar, title in ((axes[1], before, "as measured"), (axes[2], after, "corrected")):
    ax.imshow(polar.data, cmap="magma", extent=(-180, 180, 0.39, 0.46), origin="lower", aspect="auto", vmax=0.8)
    ax.set(title=title, xlabel="azimuth from kx to ky (°)", ylabel="k (1/Å)")
    axes[3].plot(polar.axes_manager["k"].axis, polar.data.mean(axis=1), label=title)
axes[3].axvline(1 / 2.355, color="0.6", lw=0.8, label="1 / 2.355 Å")
axes[3].set(title="radial profiles", xlabel="k (1/Å)", ylabel="counts per pixel", ylim=(0, None), xlim=(0.39, 0.46))
axes[3].legend(fontsize=8)
figure.savefig(Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp()) / "calibrate.png", dpi=120)
