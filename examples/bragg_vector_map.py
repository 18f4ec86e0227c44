"""Dark field from vectors
=======================

Find the disks of all frames, add them up to a Bragg vector map, pick a spot in it, and make its dark-field image from
the vectors, beside the one from the pixels under the same detector.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import panel

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())

simulated = simulated_scan((24, 36), (96, 96), dose=20_000, disk_radius=3, spacing=18, background=0.3, grains=5)
s = l4.Diffraction2D(simulated.as_array(), title="grains")  # with your own file: l4.load("scan.mib")
s.set_calibration(**simulated.signal_parameters)

vectors, mean = l4.compute(s.get_diffraction_vectors(disk_r=3), s.mean())
bragg = vectors.to_bragg_vector_map(upsample=2)

# The brightest spot that is not the direct beam; ROIs are x-first, a float is in units of the axes.
ky, kx = (axis.axis for axis in bragg.frame_axes)
outside = np.hypot(ky[:, None], kx) > 0.8
row, column = np.unravel_index(np.argmax(bragg.data * outside), bragg.shape)
spot = l4.CircleROI(float(kx[column]), float(ky[row]), "0.15 1/Å")

images = {"from vectors": vectors.get_virtual_image(spot), "from pixels": s.get_virtual_image(spot)}
x, y = 27, 11
pictures = {"Bragg vector map": bragg, "pattern": s.inav[x, y], **images}
figure = panel(pictures, detectors={"spot": spot}, vectors={"pattern": vectors.inav[x, y]}, columns=2)
figure.savefig(folder / "dark_field_from_vectors.png")
print(vectors, "in", (images["from vectors"].data > 0).sum(), "positions the spot is lit")
