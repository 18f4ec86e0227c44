"""Drift of repeated scans
=======================

Eight quick scans of one area, each noisy, the specimen drifting: find the drift in virtual images, and put the patterns
of all scans where they belong. The mean over time is then sharp.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from scipy.ndimage import gaussian_filter, shift

import lazy4d as l4
from lazy4d.plot import panel

# The truth: particles on a film that moves by (y, x) positions from scan to scan.
rng = np.random.default_rng(3)
y, x = np.indices((120, 120))
area = sum(np.hypot(y - a, x - b) < r for a, b, r in rng.uniform((20, 20, 2), (100, 100, 7), (40, 3)))
area = gaussian_filter(area.astype(float), 0.7)
drift = np.cumsum(np.insert(rng.normal((1.0, -1.4), 0.4, (7, 2)), 0, 0.0, axis=0), axis=0)
seen = np.stack([shift(area, d, order=3, mode="nearest")[30:90, 25:95] for d in drift])
detector = np.hypot(*(np.indices((16, 16)) - 8)) > 4  # scattered to high angles
patterns = rng.poisson(0.02 + 0.06 * seen[..., None, None] * detector).astype("uint8")
s = l4.Diffraction2D(patterns, title="particles")
s.set_calibration(scan_scale=0.8, scan_units="nm")
s.nav_axes[0].name = "time"
adf = l4.CircleROI(8, 8, 12, r_inner=5)
shifts = s.estimate_drift(adf).compute()  # numbers, from one pass over the data
print(f"drift of {np.abs(drift).max():.1f} positions found to {np.abs(shifts.data + drift).max():.2f}")
registered = s.correct_drift(shifts)  # lazy: the frames of the file in another order
image = s.get_virtual_image(adf)
results = {
    "one scan": image.inav[:, :, 0],
    "mean of all, as scanned": image.mean("time"),
    "mean of all, registered": registered.get_virtual_image(adf).mean("time"),
}
panel(results, label="electrons").savefig(Path(*sys.argv[1:2] or [mkdtemp()]) / "drift_of_repeated_scans.png")
