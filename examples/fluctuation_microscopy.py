"""Fluctuation microscopy: order of medium range from speckle
==========================================================

A glass scatters into a halo of speckle, coarser where atoms are ordered. Its normalised variance against k shows at
which spacings, once the noise of counting is taken off, which alone would give a variance of 1 / <I>.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from matplotlib.figure import Figure

import lazy4d as l4

# The truth: exponential speckle averaged over 30 modes (V = 1/30), but over 5 (V = 1/5) in the ring of 0.45 1/Å.
rng = np.random.default_rng(0)
y, x = np.indices((64, 64)) - 32
k = 0.02 * np.hypot(y, x)
truth = 1 / 30 + 1 / 6 * np.exp(-(((k - 0.45) / 0.04) ** 2))
halo = 3 * np.exp(-((k / 0.35) ** 2)) + 2 * np.exp(-(((k - 0.45) / 0.08) ** 2)) + 0.1
s = l4.Diffraction2D(rng.poisson(halo * rng.gamma(1 / truth, truth, (24, 24, 64, 64))).astype("uint16"), title="glass")
s.set_calibration(scale=0.02, units="1/Å", center=(32, 32), scan_scale=2.0, scan_units="nm")
raw, corrected = (s.get_variance(radial_range=(0.1, 0.62), poisson=taken_off) for taken_off in (False, True))
pattern, raw, corrected = l4.compute(s.inav[0, 0], raw, corrected)  # one pass over the data
places = corrected.axes_manager["k"].axis
peak = corrected.data.argmax()
print(f"largest at {places[peak]:.2f} 1/Å: {corrected.data[peak]:.3f}, {raw.data[peak]:.3f} with counting noise")
fig = Figure(figsize=(9, 3.6), layout="constrained")
left, right = fig.subplots(1, 2, width_ratios=[1, 1.6])
shown = left.imshow(pattern.data, extent=[-0.65, 0.63, 0.63, -0.65], cmap="magma")
left.set(xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5], xlabel="kx (1/Å)", ylabel="ky (1/Å)", title="one pattern")
fig.colorbar(shown, label="counts")
right.plot(places, raw.data, color="0.6", label="as counted")
right.plot(places, corrected.data, label="without Poisson noise")
right.plot(0.02 * np.arange(31), truth[32, 32:63], "k:", label="truth")
right.set(xlabel="k (1/Å)", ylabel="variance ⟨I²⟩ / ⟨I⟩² - 1", xlim=(0.1, 0.6), ylim=(0, 1), title="variance against k")
right.legend()
fig.savefig(Path(*sys.argv[1:2] or [mkdtemp()]) / "fluctuation_microscopy.png", dpi=150)
