"""Friedel pairs: vectors of a frame that lie opposite to each other about the direct beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.opposite_pairs import opposite_pairs
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_about

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def get_friedel_pairs(
    vectors: DiffractionVectors, tolerance: Any = 2, *, center: Any = None, ellipse: Any = None
) -> DiffractionVectors:
    """The vectors with the column ``pair``, int64: the index, within the frame, of the vector opposite to each, or -1.

    A second column, ``pair_distance``, says how far (in units of the kx axis) the partner is from where it should be,
    NaN without a partner. The direct beam, anything within half of the tolerance from the centre, is its own partner.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    tolerance : int, float or str
        How far a partner may be from the opposite place: an int counts pixels, a float is in axis units, text carries
        its unit.
    center, ellipse : optional
        Where the beam is, also one place a position, and the elliptical distortion; see `to_polar`. A centre that is
        off by e moves opposite vectors apart by 2 e.

    Raises
    ------
    ValueError
        No length, or a centre of other frames.

    Notes
    -----
    The nearest pairs are made first, of equally near ones that with the lowest indices, and every vector is in one pair
    at most. Selecting vectors afterwards leaves the numbers in ``pair`` as they were: select first.
    ``v.ivec[v.ivec["pair"] >= 0]`` keeps what has a partner.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [2, 6], [6, 2.5], [0, 0]]], frame_shape=(8, 8))
    >>> v.get_friedel_pairs(1).ragged["pair"]
    array([ 0,  2,  1, -1])
    """
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse)
    given = {"tolerance": tolerance, "center": center, "ellipse": ellipse}
    return vectors._map(
        pair_columns,
        plane,
        plane.length(tolerance, "tolerance"),
        centers,
        op="get_friedel_pairs",
        options={name: value for name, value in given.items() if value is not None},
        dtypes={**vectors.dtypes, "pair": np.dtype(np.int64), "pair_distance": np.dtype(np.float64)},
        column_units={"pair_distance": plane.units},
    )


def get_friedel_score(
    vectors: DiffractionVectors,
    tolerance: Any = 2,
    *,
    weights: str | None = None,
    center: Any = None,
    ellipse: Any = None,
) -> BaseSignal:
    """The fraction of the vectors of each position that have a Friedel partner: a `VirtualImage`, float64 in [0, 1].

    The direct beam does not count. NaN where there is no other vector, and in missing frames.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    tolerance, center, ellipse : optional
        As for `get_friedel_pairs`.
    weights : str, optional
        A column to weight the vectors by, such as "intensity"; by default all count alike.

    Raises
    ------
    ValueError
        No length, or no such column.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [2, 6], [6, 2], [0, 0]], [[4, 4]]], frame_shape=(8, 8))
    >>> v.get_friedel_score(1).data.round(3)
    array([0.667,   nan])
    """
    if weights is not None and weights not in vectors.columns:
        raise ValueError(f"there is no column {weights!r}: the vectors have {', '.join(vectors.columns)}")
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse)
    given = {"tolerance": tolerance, "weights": weights, "center": center, "ellipse": ellipse}
    result: BaseSignal = vectors._per_position(
        paired_fraction,
        plane,
        plane.length(tolerance, "tolerance"),
        weights,
        centers,
        op="get_friedel_score",
        options={name: value for name, value in given.items() if value is not None},
        kind=BaseSignal._class_of[0],
        title=f"Friedel score of {vectors.title}" if vectors.title else "Friedel score",
    )
    return result


def pair_columns(ragged: RaggedFrames, plane: DiffractionPlane, tolerance: float, centers: Any) -> RaggedFrames:
    """The vectors of a block with the partner of each."""
    partner, distance = _pairs(ragged, plane, tolerance, centers)
    return ragged.with_columns(pair=partner, pair_distance=distance)


def paired_fraction(
    ragged: RaggedFrames, plane: DiffractionPlane, tolerance: float, weights: str | None, centers: Any
) -> NDArray[np.float64]:
    """The fraction of the vectors of each frame of a block, but for the direct beam, that have a partner."""
    partner, _ = _pairs(ragged, plane, tolerance, centers)
    frames = ragged.frame_numbers()
    rank = np.arange(ragged.total) - np.repeat(ragged.offsets[:-1], ragged.counts)
    counts = (partner != rank) * (1.0 if weights is None else ragged[weights])
    paired = np.bincount(frames, counts * (partner >= 0), ragged.n_frames)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction: NDArray[np.float64] = paired / np.bincount(frames, counts, ragged.n_frames)
    return fraction


def _pairs(
    ragged: RaggedFrames, plane: DiffractionPlane, tolerance: float, centers: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    y, x = plane.offsets(ragged, centers)
    partner, distance = np.empty(ragged.total, np.int64), np.empty(ragged.total)
    opposite_pairs(ragged.offsets, np.ascontiguousarray(y), np.ascontiguousarray(x), tolerance, partner, distance)
    return partner, distance
