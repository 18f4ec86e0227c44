"""How far from a lattice point a vector may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
from lazy4d.signals.vectors.lattice.basis import reduced


def farthest_of(plane: DiffractionPlane, basis: Any, max_distance: Any) -> float:
    """The largest distance between a vector and its lattice point, in units of the plane.

    By default a quarter of the shortest vector of the lattice, whichever basis of it is given.

    Raises
    ------
    ValueError
        Not above 0.

    Examples
    --------
    >>> farthest_of(DiffractionPlane(), np.array([[0.0, 4], [6, 0]]), None)
    1.0
    """
    if max_distance is not None:
        return plane.length(max_distance, "max_distance", zero=False)
    return float(np.linalg.norm(reduced(np.asarray(basis)), axis=1).min()) / 4
