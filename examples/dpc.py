"""Differential phase contrast: from patterns to the phase
=======================================================

Find the beam, take off the descan, turn the camera's axes into those of the scan, integrate what deflects the beam.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import panel

# The truth: hills of 1 to 4 rad, steps of 0.8 by 0.5 nm, and a camera that is turned by 140° against the scan.
rng, per_px = np.random.default_rng(3), 0.002  # 1/Å a pixel
y, x = np.indices((64, 96)) * np.array([0.8, 0.5])[:, None, None]
phase, slope = np.zeros(y.shape), np.zeros((*y.shape, 2))
for cy, cx, width, height in rng.uniform((11, 11, 1.5, 1), (40, 37, 3, 4), (20, 4)):
    hill = height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
    phase, slope = phase + hill, slope + hill[..., None] * np.stack([cy - y, cx - x], -1) / width**2
c, s = np.cos(np.radians(140)), np.sin(np.radians(140))
seen = slope @ np.array([[c, s], [-s, c]]) / (2 * np.pi * 10 * per_px)  # rad/nm to 1/Å to pixels
scan = simulated_scan(y.shape, (48, 48), kind="disk", descan=seen + np.stack([0.12 * y, -0.08 * x], -1))

s = l4.Diffraction2D(scan.as_array(), title="hills")
s.set_calibration(scale=per_px, units="1/Å", scan_scale=(0.5, 0.8), scan_units="nm", beam_energy="200 kV")
fit = s.get_direct_beam_position().get_linear_plane(mask=phase < 0.01).compute()  # one pass over the data
rotation = fit.residual.calibrate_rotation(reference=phase)  # as an ADF image: bright where electrons are drawn to
print(rotation)

beam = fit.residual.apply_rotation(rotation)
truth = l4.VirtualImage(phase - phase.mean(), s.axes_manager.navigation_only())
shown = {"beam, as measured": fit.measured.get_color_image(), "without descan, turned by 140°": beam.get_color_image()}
shown |= {"phase": beam.phase_retrieval("dpc").compute(), "true phase": truth}
print(f"error of the phase: {np.std(shown['phase'].data - phase):.3f} rad")
panel(shown, label="phase (rad)", columns=2).savefig(Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp()) / "dpc.png")
