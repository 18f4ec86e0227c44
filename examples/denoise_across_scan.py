"""Denoising across the scan
=========================

Combine each pattern with its neighbours', blindly by a Gaussian or by similarity, which keeps the edges of grains.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.image import Image, draw

folder = Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp())
grains = {"kind": "grains", "grains": 4, "dose": 1.0, "dose_per": "pixel", "seed": 1, "halo": 0.2}
s = l4.Diffraction2D(simulated_scan((24, 24), (64, 64), **grains).as_array())
truth = simulated_scan((24, 24), (64, 64), noise=False, **grains).as_array()
s.set_calibration(scale=0.04, units="1/Å", scan_scale=2, scan_units="nm")
gaussian = s.filter_navigation("gaussian", sigma=1)
results = {"raw, 1 e/px": s, "Gaussian, sigma 1": gaussian, "non-local": s.filter_navigation("non-local means", size=7)}
error = {name: np.sqrt(((result - truth) ** 2).mean(["kx", "ky"])) for name, result in results.items()}
results, error, dark = l4.compute(results, error, s.get_virtual_image(l4.CircleROI(0.0, 0.0, 30, r_inner=6)))

print({name: f"{e.data.mean():.2f} e/px from the truth" for name, e in error.items()})
y, x = np.unravel_index(np.argmax(error["Gaussian, sigma 1"].data), s.nav_shape)  # at the edge of a grain
figure = Figure((13, 6), layout="constrained", dpi=150)
axes = figure.subplots(2, 4)
patterns = {**{name: result.data[y, x] for name, result in results.items()}, "truth": truth[y, x]}
for ax, (name, pattern) in zip(axes[0], patterns.items(), strict=True):
    draw(ax, Image(name, pattern, tuple(s.frame_axes), "e/px", "pattern", (0.1, 100)))
for ax, (name, e) in zip(axes[1], error.items(), strict=False):
    draw(ax, Image(f"error: {name}", e.data, tuple(s.nav_axes), "e/px rms", "map", (0, 1.5)))
draw(axes[1, 3], Image("dark field, and the position above", dark.data, tuple(s.nav_axes), "e"))
axes[1, 3].plot(x, y, "o", ms=9, mfc="none", mec="tab:orange", mew=2)
figure.savefig(folder / "denoise_across_scan.png")
