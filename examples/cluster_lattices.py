"""Which grain is where: the lattices of a scan told apart
=======================================================

Find the disks of a simulated scan of five overlapping grains, give disks that recur one label, join labels that occur
together to lattices, and compare with the truth.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

from sklearn.metrics import adjusted_rand_score

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import panel

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp())
scan = simulated_scan((28, 36), (128, 128), grains=5, dose=30_000, seed=1)
s = l4.Diffraction2D(scan.as_array())
s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.6, scan_units="nm")

v = s.get_diffraction_vectors(disk_r=4).compute().filter_by_magnitude(10)  # without the direct beam, which all share
v = v.cluster().group_clusters()
print(v, v.metadata.get_item("DiffractionVectors.clustering.label").as_dictionary(), sep="\n")

# The truth: which grains each position has; where there is one, its vectors belong to it.
there = scan.truth["grain_thickness"].reshape(-1, 5)[v.ragged.frame_numbers()] > 0
alone = there.sum(axis=1) == 1
score = adjusted_rand_score(there[alone].argmax(axis=1), v.ragged["lattice"][alone])
print(f"adjusted Rand index of the lattices: {score:.4f}")

maps = {f"disks of lattice {k}": v.count_map(v.ivec["lattice"] == k) for k in range(5)}
first = v.ivec[v.ivec["lattice"] == 0].get_unique_vectors(2, min_count=15)  # rarer ones are strays
pictures = {**maps, "mean pattern of lattice 0": s.inav[(maps["disks of lattice 0"] > 30).compute()].mean()}
panel(pictures, vectors={"mean pattern of lattice 0": first}).savefig(folder / "lattices.png")
