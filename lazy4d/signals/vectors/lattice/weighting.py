"""How much each vector counts for a lattice, and what there is of each position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames, PerPosition
from lazy4d.ragged import RaggedFrames

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def checked_weights(vectors: DiffractionVectors, weights: str | None) -> str | None:
    """The column of weights, None where all vectors count alike: also for "intensity" where there is no such column.

    Raises
    ------
    ValueError
        There is no such column.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> checked_weights(v, "intensity") is None
    True
    """
    if weights is None or (weights == "intensity" and weights not in vectors.columns):
        return None
    if not isinstance(weights, str) or weights not in vectors.columns:
        raise ValueError(f"weights={weights!r}: expected None or one of the columns {', '.join(vectors.columns)}")
    return weights


def weights_of(ragged: RaggedFrames, column: str | None) -> NDArray[np.float64]:
    """The weight of each vector: float64 [total]; 0 or less, or nan, for one that does not count."""
    if column is None:
        return np.ones(ragged.total)
    return np.asarray(ragged[column], np.float64)


def rows_for(vectors: DiffractionVectors, array: Any) -> PerPosition:
    """An array [nav..., ...] as a parameter with a row for each position; lazy where the vectors are.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]], [[3, 5]]], frame_shape=(8, 8))
    >>> rows_for(v, np.ones(2)).array
    array([1., 1.])
    """
    if vectors.lazy and not hasattr(array, "dask"):
        array = Frames.from_array(np.ascontiguousarray(array), len(vectors.nav_shape)).data
    return PerPosition(array)
