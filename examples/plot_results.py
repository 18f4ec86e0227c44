"""Figures for a paper
===================

Maps, patterns, profiles and histograms of gold grains, 170 mm wide, with letters, scale bars and fonts embedded.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import Polycrystal
from lazy4d.plot import plot_histograms, plot_images, plot_profiles, save_figure
from lazy4d.signals.orientation import CrystalPhase

folder = Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp())
grains = Polycrystal((24, 32), n_grains=20, precession=1.0)  # what is not known of a specimen
s = l4.Diffraction2D(grains.frames(), title="gold grains")
s.set_calibration(scale=grains.scale, units="1/Å", scan_scale=5.0, scan_units="nm", beam_energy="200 kV")
gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")

ring = {"ring 111": l4.CircleROI(0.0, 0.0, 0.46, r_inner=0.39), "ring 220": l4.CircleROI(0.0, 0.0, 0.73, r_inner=0.66)}
vectors = s.get_diffraction_vectors(disk_r=3, threshold_abs=0.5)
mean, maps, vectors, profile, count, one = l4.compute(  # one pass over the data
    s.mean(), s.get_virtual_image(ring), vectors, s.get_azimuthal_integral1d(120, mean=True), vectors.count_map(),
    s.inav[12, 8],
)  # fmt: skip
shown = {"mean pattern": mean, **maps, "one pattern": one, "spots found": count, "beam": s.get_direct_beam_position()}
figure = plot_images(
    shown, rois={"mean pattern": ring}, vectors={"one pattern": vectors.inav[12, 8]}, width="double", letters=True
)
path = save_figure(figure, folder / "plot_results.pdf", title="Gold grains")
save_figure(figure, folder / "plot_results.png", dpi=200)
rings = plot_profiles({"gold": profile}, rings=gold, x_range=(0.2, 1.3), width="single")
save_figure(rings, folder / "plot_results_profile.svg")
spots = plot_histograms(vectors, column=("intensity", "score"), width="double")
save_figure(spots, folder / "plot_results_spots.svg")
print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {np.mean(count.data):.1f} spots a position")
