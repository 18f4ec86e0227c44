"""Vectors with the indices of the lattice points they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels.lattice_index import UNINDEXED, index_frames
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_of
from lazy4d.signals.vectors.lattice.basis import as_basis, reduction
from lazy4d.signals.vectors.lattice.origin import described, starting_origin
from lazy4d.signals.vectors.lattice.tolerance import farthest_of
from lazy4d.signals.vectors.lattice.weighting import checked_weights, weights_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def index(
    vectors: DiffractionVectors, basis: Any, max_distance: Any = None, *, origin: Any = None, fix_origin: bool = False
) -> DiffractionVectors:
    """The vectors with the indices of the lattice points they are: more columns, ``h``, ``k`` and ``residual``.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    basis : LatticeBasis, ((x, y), (x, y)), ndarray [2, 2] or LatticeFit
        As `get_basis` gives it, or as a user does (ints pixels, floats axis units, text with its unit; rows of an array
        (y, x) in axis units); or a lattice for each position, with its origin.
    max_distance : int, float or str, optional
        From a lattice point, for a vector to be indexed: pixels, axis units or text with a unit. By default a quarter
        of the shortest lattice vector.
    origin : (x, y) or BeamPosition, optional
        Where about the lattice's origin is, by default where the axes of the frame are 0. The origin is the nearest
        place to this at which the vectors' lattice has a point, so that descan up to half a lattice vector does no
        harm, and no vector has to be there.
    fix_origin : bool
        Whether the origin is exactly there.

    Returns
    -------
    DiffractionVectors
        With ``h``, ``k`` (int16, `-32768` both where a vector is no lattice point) and ``residual`` (float64, the
        distance from the lattice point in units of the kx axis, NaN where there is none); lazy if `vectors` are.

    Raises
    ------
    ValueError, TypeError
        No basis, or an origin or distance that does not fit.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4], [3, 9.1], [7, 4], [5, 6]]], frame_shape=(8, 12))
    >>> indexed = index(v, ((5, 0), (0, 4)), origin=(4, 3))
    >>> indexed.ragged["h"], indexed.ragged["k"]
    (array([     0,      1,      0, -32768], dtype=int16), array([     0,      0,      1, -32768], dtype=int16))
    """
    plane = plane_of(vectors)
    column = checked_weights(vectors, "intensity")
    start: Any
    options: dict[str, Any]
    if is_signal(basis):
        reference, free, options = basis.basis, False, {"basis": "LatticeFit"}
        start = basis.lattices_for(vectors)
    else:
        known = as_basis(vectors, basis)
        reference, free = known, not fix_origin
        start = starting_origin(vectors, plane, origin)
        options = {"basis": known.vectors.tolist(), "origin": described(origin), "fix_origin": fix_origin}
    farthest = farthest_of(plane, reference.vectors, max_distance)
    return vectors._map(
        indexed_block,
        plane,
        start,
        reference.vectors,
        free,
        farthest,
        column,
        op="index",
        options={**options, "max_distance": farthest},
        dtypes={**vectors.dtypes, "h": np.int16, "k": np.int16, "residual": np.float64},
        column_units={"residual": plane.units},
    )


def indexed_block(
    ragged: RaggedFrames,
    plane: DiffractionPlane,
    start: Any,
    basis: Any,
    free: bool,
    farthest: float,
    weights: str | None,
) -> RaggedFrames:
    """The entries of a block with their indices; `start` are lattices [n, 3, 2], or origins [n, 2] or [2] for all."""
    lattices = np.asarray(start, np.float64)
    short, numbers = reduction(np.asarray(basis))
    change = np.rint(np.linalg.inv(numbers)) + 0.0  # of the basis that is given to the one whose points are sought
    if lattices.ndim < 3:
        lattices = lattices_from(lattices, short, ragged.n_frames)
    else:
        lattices = np.concatenate([lattices[:, :1], change @ lattices[:, 1:]], axis=1)
    y, x = plane.offsets(ragged)
    h, k = (np.full(ragged.total, UNINDEXED, np.int16) for _ in range(2))
    distance = np.full(ragged.total, np.nan)
    weight = weights_of(ragged, weights)
    index_frames(ragged.offsets, y, x, weight, lattices, change, free, farthest, h, k, distance)
    return ragged.with_columns(h=h, k=k, residual=distance)


def lattices_from(origins: Any, basis: Any, n: int) -> Any:
    """Lattices [n, 3, 2] of one basis at origins [n, 2], or at one for all."""
    out = np.empty((n, 3, 2))
    out[:, 0] = origins
    out[:, 1:] = basis
    return out
