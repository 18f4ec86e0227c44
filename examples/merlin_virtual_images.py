"""Virtual images of a Merlin scan
===============================

Load a file lazily, calibrate it, compute three images and the mean pattern in one pass, draw and save them.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import lazy4d as l4
from lazy4d.data import simulated_scan, write_simulated_mib
from lazy4d.plot import panel

# A file of your own as the first argument, or else a small simulated one. Results go to the second argument.
if len(sys.argv) > 1:
    path = Path(sys.argv[1])
else:
    path = write_simulated_mib(Path(mkdtemp()) / "grains.mib", simulated_scan((24, 32), descan=4.0))
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else path.parent

s = l4.load(path)  # milliseconds, whatever the size
s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
print(s)

detectors = {
    "bright field": l4.CircleROI(0.0, 0.0, "7 mrad"),
    "annular dark field": l4.CircleROI(0.0, 0.0, "50 mrad", r_inner="9 mrad"),
}
results = {
    "mean pattern": s.mean(),
    **s.get_virtual_image(detectors),
    "beam position": s.get_direct_beam_position(method="center_of_mass"),
}
results = l4.compute(results)[0]  # one pass over the file

print("brightest position:", results["annular dark field"].as_numpy().max(), "counts")
panel(results, detectors=detectors).savefig(folder / "virtual_images.png")
