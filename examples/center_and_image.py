"""Centre patterns that travel with the scan, and image with them
===============================================================

Twenty pixels of descan carry the direct beam out of any detector. Fit a plane to where it is, move each pattern back
and take the image, as one lazy chain: two passes over the file, and no centred pattern is ever kept.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

import lazy4d as l4
from lazy4d.data import simulated_scan, write_simulated_mib
from lazy4d.plot import panel

# A file of your own as the first argument, or else a small simulated one. Results go to the second argument.
scan = simulated_scan((32, 40), (128, 128), descan=20.0)
path = Path(sys.argv[1]) if len(sys.argv) > 1 else write_simulated_mib(Path(mkdtemp()) / "descan.mib", scan)
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else path.parent

s = l4.load(path)
s.set_calibration(scale=0.04, units="1/Å", center=(64, 64), scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
ring = l4.CircleROI(0.0, 0.0, "25 mrad", r_inner="7 mrad")

position = s.get_direct_beam_position("cross_correlate", radius=4, half_width=20)
plane = position.get_linear_plane()
centred = s.center_direct_beam(position=plane)  # by whole pixels: no count is changed
results = {
    "mean pattern, as recorded": s.mean(),
    "dark field, as recorded": s.get_virtual_image(ring),
    "beam position": position,
    "mean pattern, centred": centred.mean(),
    "dark field, centred": centred.get_virtual_image(ring),
    "off the plane": plane.residual,
}
results = l4.compute(results)[0]  # two passes over the file: print(s.explain(*results.values())) says so

off = results["off the plane"].as_numpy()
print(f"the beam is off the plane by {off.std():.3f} px (standard deviation), at most {abs(off).max():.2f} px")
panel(results, detectors={"ring": ring}, beam=["direction"]).savefig(folder / "center_and_image.png")
