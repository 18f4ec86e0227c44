"""How methods of vectors make their results: of each block of vectors, eagerly where the vectors are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from lazy4d.axes import AxesManager, Axis
from lazy4d.lazy import PerPosition, SharedLazy
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.base import BaseSignal

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def map_vectors(
    vectors: DiffractionVectors,
    function: Callable[..., RaggedFrames],
    *params: Any,
    op: str,
    options: Mapping[str, Any],
    dtypes: Mapping[str, DTypeLike] | None = None,
    column_units: Mapping[str, str] | None = None,
    parents: Sequence[Any] = (),
) -> DiffractionVectors:
    """The vectors that `function` makes of those of each block, in the same frames.

    Signals among the `options`, and `parents`, are named in the history.
    """
    if _known(vectors, params):
        content: Any = function(vectors.ragged, *_rows(params, vectors))
    else:
        content = vectors.blocks.map(function, *params, dtypes=dtypes)
    return vectors._derive(content, op, options, column_units=column_units, parents=_all_parents(options, parents))


def per_position(
    vectors: DiffractionVectors,
    function: Callable[..., Any],
    *params: Any,
    shape: Sequence[int] = (),
    dtype: DTypeLike = "float64",
    op: str,
    options: Mapping[str, Any],
    axes: Sequence[Axis] = (),
    kind: type[BaseSignal] | None = None,
    title: str | None = None,
    parents: Sequence[Any] = (),
) -> Any:
    """A signal [nav..., *shape] of what `function` makes of the vectors of each block, NaN (or 0) in missing frames."""
    wanted, valid = np.dtype(dtype), vectors._valid
    if _known(vectors, params):
        content: Any = np.asarray(function(vectors.ragged, *_rows(params, vectors)), wanted)
        content = content.reshape((*vectors.nav_shape, *shape))
    else:
        content = vectors.blocks.per_position(function, *params, shape=shape, dtype=wanted)
    if marks_missing(vectors):
        there = valid.reshape(valid.shape + (1,) * len(tuple(shape)))
        missing = np.array(np.nan if wanted.kind in "fc" else 0, wanted)
        content = np.where(there, content, missing)  # lazy if one of them is
    return _signal(vectors, content, [*vectors.nav_axes, *axes], op, options, kind, title, valid, parents)


def marks_missing(vectors: DiffractionVectors) -> bool:
    """Whether maps of the vectors may hold NaN, for missing frames."""
    return vectors._valid is not None and vectors._incomplete == "nan"


def total(
    vectors: DiffractionVectors,
    function: Callable[..., Any],
    *params: Any,
    shape: Sequence[int],
    dtype: DTypeLike = "float64",
    op: str,
    options: Mapping[str, Any],
    axes: Sequence[Axis],
    kind: type[BaseSignal] | None = None,
    title: str | None = None,
) -> Any:
    """A signal of `axes` that adds up what `function` makes of the vectors of each block: an array of `shape`."""
    if _known(vectors, params):
        content: Any = np.asarray(function(vectors.ragged, *_rows(params, vectors)), dtype)
    else:
        content = vectors.blocks.total(function, *params, shape=shape, dtype=dtype)
    return _signal(vectors, content, axes, op, options, kind, title, None)


def row_for_each_position(signal: Any, vectors: DiffractionVectors) -> PerPosition:
    """A signal of the same scan as a parameter per position: in memory where both are, else lazy.

    Raises
    ------
    ValueError
        A signal of another scan.
    """
    if tuple(signal.nav_shape) != vectors.nav_shape:
        raise ValueError(f"expected a signal of the {vectors.nav_shape} positions of the vectors, found {signal!r}")
    return PerPosition(signal.frames.data if signal.lazy or vectors.lazy else signal.data)


def _known(vectors: DiffractionVectors, params: Sequence[Any]) -> bool:
    return not vectors.lazy and not any(
        isinstance(p, PerPosition | SharedLazy) and hasattr(p.array, "dask") for p in params
    )


def _rows(params: Sequence[Any], vectors: DiffractionVectors) -> list[Any]:
    """Parameters as a function gets them: per position, a row for each frame."""
    nav = len(vectors.nav_shape)
    found = []
    for param in params:
        if isinstance(param, PerPosition):
            array: Any = np.asarray(param.array)
            if array.shape[:nav] != vectors.nav_shape:
                raise ValueError(
                    f"expected a per-position parameter of navigation shape {vectors.nav_shape}, found {array.shape}"
                )
            found.append(array.reshape((-1, *array.shape[nav:])))
        else:
            found.append(param.array if isinstance(param, SharedLazy) else param)
    return found


def _all_parents(options: Mapping[str, Any], parents: Sequence[Any]) -> list[Any]:
    """The signals that take part, each once."""
    found = [*parents, *(one for one in options.values() if is_signal(one))]
    return list({id(one): one for one in found}.values())


def _signal(
    vectors: DiffractionVectors,
    content: Any,
    axes: Sequence[Axis],
    op: str,
    options: Mapping[str, Any],
    kind: type[BaseSignal] | None,
    title: str | None,
    valid: Any,
    parents: Sequence[Any] = (),
) -> Any:
    manager = AxesManager([axis.copy() for axis in axes])
    chosen = kind or BaseSignal._class_of.get(len(manager.frame_shape), BaseSignal)
    return chosen(
        content,
        manager,
        vectors.metadata.copy(),
        vectors.original_metadata.copy(),
        vectors.history.append(op, dict(options), parents=[one.history for one in _all_parents(options, parents)]),
        title=title,
        valid=valid,
    )
