"""Pair distribution: distances between atoms from rings
======================================================

From the radial profile at each position to G(r), whose peaks stand at the distances between atoms: gold particles.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.signals.pair_distribution import scattering_factor

# The truth: Debye's formula for a ball of gold, as rings of patterns with counting noise and background.
places = np.indices((13, 13, 13)).reshape(3, -1).T - 6
atoms = 4.078 / 2 * places[(places.sum(axis=1) % 2 == 0) & (np.linalg.norm(places, axis=1) < 4.1)]  # fcc
distances = np.linalg.norm(atoms[:, None] - atoms, axis=2)[~np.eye(len(atoms), dtype=bool)]
fine = np.linspace(0.005, 3, 1500)  # k = 1/d, 1/Å; Q = 2π k
structure = 1 + np.sinc(2 * np.outer(fine, distances)).sum(1) / len(atoms) * np.exp(-0.5 * (0.5 * fine) ** 2)
k = 0.016 * np.hypot(*(np.indices((256, 256)) - 128))
rings = np.interp(k, fine, scattering_factor("Au", fine) ** 2 * structure)
s = l4.Diffraction2D(np.random.default_rng(0).poisson(400 * rings + 30, (2, 3, 256, 256)).astype("uint32"))
s.set_calibration(scale=0.016, units="1/Å", center=(128, 128), scan_scale=1.0, scan_units="nm")
profile = s.get_radial_profile(radial_range=(0.1, 2.0))
reduced = profile.get_reduced_intensity({"Au": 1}, fit_range=(0.9, 2.0))
profile, reduced, pdf = l4.compute(profile, reduced, reduced.get_pdf(r_max=10.0))  # at each position
shells = 4.078 * np.sqrt(np.arange(1, 6) / 2)
r, g = pdf.axes_manager["r"].axis, pdf.data[0, 0]
print("between atoms:", *(f"{d:.2f} Å ({r[np.where(abs(r - d) < 0.3, g, -99).argmax()]:.2f})" for d in shells))
pictures = (fig := Figure(figsize=(11, 3.4), layout="constrained")).subplots(1, 3)
for ax, signal in zip(pictures, (profile, reduced, pdf), strict=True):
    ax.plot(signal.frame_axes[0].axis, signal.data[0, 0])
pictures[0].set(xlabel="k (1/Å)", ylabel="counts a pixel", title="radial profile", yscale="log")
pictures[1].set(xlabel="k (1/Å)", ylabel="φ (1/Å)", title="reduced intensity")
pictures[2].set(xlabel="r (Å)", ylabel="G (1/Å²)", title="G(r), shells of gold in grey", xlim=(0, 10))
pictures[2].vlines(shells, g.min(), g.max(), color="0.7", zorder=1)
fig.savefig(Path(*sys.argv[1:2] or [mkdtemp()]) / "pair_distribution.png", dpi=150)
