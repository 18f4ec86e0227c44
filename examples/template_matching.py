"""Template matching
=================

Where in a pattern are disks? The beam in vacuum, averaged, is the template; images of how well it fits at every pixel.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import panel

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())
options = {"kind": "strain", "disk_radius": 4.5, "background": 0.3, "descan": 3.0, "seed": 1}
scan = simulated_scan((16, 16), (128, 128), dose=30_000, **options)
s = l4.Diffraction2D(scan.as_array(), title="particle")  # with your own file: l4.load("scan.mib")
s.set_calibration(**scan.signal_parameters)

vacuum = s.get_virtual_image(l4.CircleROI(64, 64, 50, r_inner=12)).compute()  # scattered: where there is a particle
vacuum = vacuum.data < 1.2 * vacuum.data.min()
probe = s.get_probe_template(vacuum, threshold=20).compute()
print(f"{vacuum.sum()} positions in vacuum, radius {np.sqrt((probe.data > probe.data.max() / 2).sum() / np.pi):.1f} px")

at = s.inav[8, 8]
images = {
    "pattern": at,
    "probe": probe,
    "correlation with a disk": at.template_match_disk("4.5 px"),
    "correlation with the probe": at.template_match(probe),
}
images = l4.compute(images)[0]
for name in list(images)[2:]:
    print(f"{name}: {images[name].data.max():.2f} at most")
panel(images, power=0.5, columns=2).savefig(folder / "template_matching.png")
