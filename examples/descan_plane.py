"""Descan: a plane through the beam's positions
============================================

The beam travels with the scan. Fit a plane through where it is in vacuum, deaf to outliers, and look at what is left.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import linear_plane

# The truth: descan, and a particle whose magnetic flux turns around its middle, so that it acts as a lens.
y, x = np.indices((40, 56)) - np.array([20, 30])[:, None, None]
inside = np.hypot(y, x) < 13
field = np.stack([y, x], -1) / 13.0 * inside[..., None]  # pixels
descan = np.stack([y * 0.08 + x * 0.02, x * 0.05 - y * 0.01], -1)
outliers = (np.random.default_rng(0).random(y.shape) < 0.05)[..., None] * np.array([8.0, 6.0])  # thrown off the beam
scan = simulated_scan((40, 56), (64, 64), kind="disk", disk_radius=8.0, descan=descan + field + outliers, dose=3000)

s = l4.Diffraction2D(scan.as_array(), title="particle")
s.set_calibration(scale=20.0, units="µrad", scan_scale=5.0, scan_units="nm", beam_energy="200 kV")

com = s.get_direct_beam_position(method="center_of_mass")
fit = com.get_linear_plane(mask=~inside)  # robust; nothing is computed yet
fit, numbers = l4.compute(fit, fit.coefficients)  # one pass over the data

print(fit.residual)
print(numbers.title, numbers.frame_axes[1].name, np.round(numbers.data, 3).tolist())
induction = fit.residual.get_magnetic_induction(thickness="30 nm").as_numpy()
print(f"induction in the particle (median): {np.median(np.hypot(*induction[inside].T)):.2f} T")

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())
linear_plane(fit, units="µrad", mask=~inside, title="descan of a particle").savefig(folder / "descan_plane.png")
