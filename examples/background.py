"""Background subtraction
======================

Take the background off diffraction patterns in four ways, and see what each leaves of background and disks.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.image import Image, draw

folder = Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp())
scan = simulated_scan((4, 4), (128, 128), kind="crystal", disk_radius=4, spacing=22, dose=4e5, background=0.2, halo=0.3)
s = l4.Diffraction2D(scan.as_array())
s.set_calibration(scale=0.02, units="1/Å")
methods = {
    "radial median": {"mask": l4.CircleROI(0.0, 0.0, 90, r_inner=8)},  # the beam fills its rings
    "top hat": {"radius": 7},
    "median kernel": {"size": 25},
    "difference of gaussians": {"max_sigma": 8},
}
one = s.inav[1, 2]
results = l4.compute({name: one.subtract_diffraction_background(name, **how) for name, how in methods.items()})[0]
pictures = {"pattern": one, "background (radial median)": one - results["radial median"], **results}
figure = Figure((10.5, 9), layout="constrained", dpi=150)
above, below = figure.subfigures(2, 1, height_ratios=(2, 1))
for ax, (name, picture) in zip(above.subplots(2, 3).flat, pictures.items(), strict=True):
    draw(ax, Image(name, picture.as_numpy(), tuple(one.frame_axes), "counts", "pattern", (1, 2000)))
profile = below.subplots()
for name, picture in {"pattern": one, **results}.items():
    profile.plot(one.axes_manager["kx"].axis, picture.isig[:, 74:77].mean("ky").as_numpy(), label=name, lw=1.2)
    print(f"{name}: {float(picture.isig[108:, 108:].mean(['kx', 'ky'])):.2f} counts a pixel in a corner without disks")
profile.set(xlabel="kx (Å⁻¹)", ylabel="counts", title="across, three rows below the beam", xlim=(-1.28, 1.28))
profile.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
figure.savefig(folder / "background.png")
