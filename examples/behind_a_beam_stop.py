"""The beam behind a beam stop
===========================

Find the direct beam by the symmetry of the pattern about it where a beam stop hides it, and check against the truth.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import beam_frames

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())
crystal = {"spots": 0.5, "spacing": 38, "disk_radius": 11, "dose": 5}
made = beam_frames((20, 24), (128, 128), stop="bar", descan=(7, 5), gap=2, **crystal)
s = l4.Diffraction2D(made.frames, title="crystal behind a stop")
found = s.get_direct_beam_position("friedel", mask=made.mask)  # the mask: False behind the stop and in the gap
found, score = l4.compute(found, found.score)
off = (found.data - made.beam_position).reshape(-1, 2)
rms = np.sqrt((off**2).mean())
print(f"{len(off)} frames: {rms:.3f} px rms, at most {np.abs(off).max():.2f} px; score {score.data.mean():.2f}")

figure = Figure(figsize=(9.5, 4.2), layout="constrained")
left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
shown = np.ma.masked_where(~made.mask, made.frames[0, 0])
colors = left.imshow(shown, cmap="gray_r", vmax=np.percentile(shown.compressed(), 99.8))
left.set_facecolor("#9db7d5")
for place, marker, name in ((made.beam_position, "o", "true"), (found.data, "+", "found")):
    left.plot(*place[0, 0, ::-1], marker, color="#c1121f", mfc="none", ms=13, mew=1.5, ls="", label=name)
left.set(title="first frame, masked pixels in blue", xlabel="kx (px)", ylabel="ky (px)")
left.legend(loc="lower right")
figure.colorbar(colors, ax=left, label="counts")
right.hist(off, bins=np.linspace(-0.4, 0.4, 41), histtype="step", lw=1.6, label=["along y", "along x"])
right.set(title=f"found − true, {len(off)} frames: {rms:.3f} px rms", xlabel="error (px)", ylabel="frames")
right.legend()
figure.savefig(folder / "behind_a_beam_stop.png", dpi=110)
