"""How many vectors each position has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.vectors.deriving import marks_missing
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
from lazy4d.signals.vectors.ivec_expression import Column, Node, values_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def count_map(vectors: DiffractionVectors, condition: Column | None = None) -> BaseSignal:
    """The number of vectors at each position: a `VirtualImage`, int64.

    Where frames are missing (``incomplete="nan"``) it is float64 with NaN there.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    condition : Column, optional
        Only those that meet it count: ``v.count_map(v.ivec["intensity"] > 10)``.

    Raises
    ------
    TypeError
        No condition, but another column.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]], [[3, 3, 5]]], frame_shape=(8, 8))
    >>> v.count_map().data, v.count_map(v.ivec["intensity"] < 4).data
    (array([2, 1]), array([1, 0]))
    """
    if condition is not None and (not isinstance(condition, Column) or condition.dtype != np.bool_):
        raise TypeError(f"expected a condition such as v.ivec['intensity'] > 10, found {condition!r}")
    dtype = np.float64 if marks_missing(vectors) else np.int64
    title = f"number of vectors of {vectors.title}" if vectors.title else "number of vectors"
    function: Any = count_all if condition is None else count_where
    params = () if condition is None else condition._params(vectors)
    options = {} if condition is None else {"condition": repr(condition)}
    parents = () if condition is None else condition._signals
    result: BaseSignal = vectors._per_position(
        function, *params, dtype=dtype, op="count_map", options=options, kind=BaseSignal._class_of[0], title=title,
        parents=parents,
    )  # fmt: skip
    return result


def count_all(ragged: RaggedFrames) -> NDArray[np.int64]:
    """Number of vectors of each frame of a block."""
    return ragged.counts


def count_where(ragged: RaggedFrames, node: Node, plane: DiffractionPlane, *rows: Any) -> NDArray[np.int64]:
    """Number of vectors of each frame of a block that meet a condition."""
    return ragged.where(values_of(ragged, node, plane, *rows)).counts
