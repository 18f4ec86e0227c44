"""Vectors that lie on a lattice about the direct beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_about
from lazy4d.signals.vectors.lattice.basis import basis_from

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Floats = NDArray[np.float64]


def filter_by_basis(
    vectors: DiffractionVectors,
    basis: Any,
    tolerance: Any = 3,
    *,
    center: Any = None,
    ellipse: Any = None,
    invert: bool = False,
) -> DiffractionVectors:
    """The vectors that lie within `tolerance` of a node of the lattice that two vectors span about the direct beam.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    basis : LatticeBasis, ((x, y), (x, y)) or ndarray [2, 2]
        The vectors of the lattice, as `get_basis` gives them, or counted from the beam by a user: tuples and lists are
        x-first, ints are pixels, floats axis units, text carries its unit; the rows of an array are (y, x) in axis
        units.
    tolerance : int, float or str
        An int counts pixels, a float is in axis units, text carries its unit.
    center, ellipse : optional
        The origin of the lattice, also one a position, and the elliptical distortion; see `to_polar`. (The distortion
        bends the lattice as it does the vectors; it plays a part for lengths alone.)
    invert : bool
        Keep what lies away from all nodes instead.

    Raises
    ------
    ValueError, TypeError
        Not two vectors, two that are parallel, or a basis in other units.

    Notes
    -----
    The basis is reduced first (Lagrange and Gauss), so that the node found is the nearest one however long and oblique
    the given vectors are.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[8, 8], [8, 12], [3, 8], [12.4, 4]]], frame_shape=(16, 16))
    >>> v.filter_by_basis([(4, 0), (0, 4)], 1).ragged["ky"]
    array([ 8. ,  8. ,  3. , 12.4])
    >>> v.filter_by_basis([(4, 0), (0, 4)], 0.5).ragged["ky"]
    array([ 8. ,  8. , 12.4])
    """
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse)
    reach = plane.length(tolerance, "tolerance")
    y, x = vectors.frame_axes
    rows = reduced(basis_from(basis, plane, (y, x)).vectors)
    params = (plane, tuple(map(tuple, rows.tolist())), reach, bool(invert), centers)
    given = {"tolerance": tolerance, "center": center, "ellipse": ellipse, "invert": invert or None}
    options = {"basis": basis, **{name: value for name, value in given.items() if value is not None}}
    return vectors._map(near_nodes, *params, op="filter_by_basis", options=options)


def reduced(rows: Floats) -> Floats:
    """The shortest two vectors that span the same lattice as two that are not parallel: float64 [2, 2].

    Examples
    --------
    >>> reduced(np.array([[0.0, 4.0], [3.0, 8.0]])).tolist()
    [[3.0, 0.0], [0.0, 4.0]]
    """
    a, b = (np.array(row, np.float64) for row in rows)
    while True:
        if b @ b < a @ a:
            a, b = b, a
        steps = np.round((a @ b) / (a @ a))
        if steps == 0:
            return np.stack([a, b])
        b = b - steps * a


def near_nodes(
    ragged: RaggedFrames, plane: DiffractionPlane, rows: Any, reach: float, invert: bool, centers: Any
) -> RaggedFrames:
    """The vectors of a block that are within reach of a node of a reduced lattice."""
    offsets = np.stack(plane.offsets(ragged, centers), axis=1)
    basis = np.array(rows)
    corner = np.floor(offsets @ np.linalg.inv(basis))
    # The nearest node of a reduced lattice is a corner of the cell that holds the vector.
    nearest = np.full(ragged.total, np.inf)
    for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        away = offsets - (corner + step) @ basis
        np.fmin(nearest, np.hypot(away[:, 0], away[:, 1]), out=nearest)
    return ragged.where((nearest <= reach) != invert)
