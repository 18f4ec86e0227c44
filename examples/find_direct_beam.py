"""Ways to find the direct beam, against the truth
===============================================

A simulated crystal with descan, background and dead pixels: each method beside the known positions, in one pass.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan

folder = Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp())
scan = simulated_scan((24, 24), (128, 128), kind="crystal", dose=3e4, descan=6, background=0.2, dead_pixels=150)
truth, good, radius = scan.truth["beam_position"], scan.truth["detector_mask"], scan.disk_radius * scan.scale
s = l4.Diffraction2D(scan.as_array(), title="crystal")
s.set_calibration(scale=scan.scale, units="1/Å", beam_energy="200 kV")

# A radius is in pixels as an int, in axis units as a float, or text as "9 mrad".
methods = {name: {"radius": radius} for name in ("blur", "cross_correlate", "phase_correlate")}
methods["cross_correlate, dft"] = {"radius": radius, "subpixel": "dft"}
methods["center_of_mass"] = {"half_width": 10, "background": 0.36}
found = {name: s.get_direct_beam_position(name.split(",")[0], mask=good, **o) for name, o in methods.items()}
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
fig.colorbar(left.imshow(s.inav[0, 0].as_numpy(), cmap="magma", vmax=30), label="electrons", extend="max")
left.plot(*truth[0, 0, ::-1], "c+", ms=14)
left.set(title="first frame, + where the beam is", xlabel="kx (px)", ylabel="ky (px)")
for name, position in l4.compute(found)[0].items():  # one pass over the frames for all
    error = np.sort(np.hypot(*np.moveaxis(position.data - truth, -1, 0)).ravel())
    print(f"{name:22s} rms {np.sqrt((error**2).mean()):.3f} px, worst {error[-1]:.3f} px")
    right.plot(error, np.linspace(0, 100, error.size), label=name)
right.set(xscale="log", xlabel="distance from the true position (px)", ylabel="frames that are closer (%)")
right.legend()
fig.savefig(folder / "find_direct_beam.png")
