"""The lattice that vectors lie on: its basis found, vectors indexed, fitted at each position."""

from lazy4d.signals.vectors.lattice.basis import LatticeBasis, as_basis
from lazy4d.signals.vectors.lattice.fitted import LatticeFit
from lazy4d.signals.vectors.lattice.fitting import fit_lattice
from lazy4d.signals.vectors.lattice.indexing import index
from lazy4d.signals.vectors.lattice.search import get_basis
from lazy4d.signals.vectors.lattice.shortcut import strain_maps_of_vectors

__all__ = [
    "LatticeBasis",
    "LatticeFit",
    "as_basis",
    "fit_lattice",
    "get_basis",
    "index",
    "strain_maps_of_vectors",
]
