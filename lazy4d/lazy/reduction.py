"""A reduction over positions, declared: what a block adds up, how two blocks merge, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StateArray:
    """One array of the running state of a `Reduction`: its shape, dtype and the value it starts from."""

    shape: tuple[int, ...]
    dtype: Any
    initial: Any = 0

    def new(self) -> NDArray[Any]:
        """A fresh array of this shape, filled with the initial value."""
        return np.full(self.shape, self.initial, self.dtype)


@dataclass(frozen=True)
class Reduction:
    """A chunk / combine / finalize triple over the positions of a scan.

    Parameters
    ----------
    chunk : callable
        ``chunk(frames, *params, *state)`` updates the state arrays in place with a tile of frames
        ``[n, *frame_shape]``; called once a tile.
    combine : callable
        ``combine(*state, *other)`` merges the state of another block into `state`, in place.
    finalize : callable
        ``finalize(*state)`` gives the result, an array of `shape` and `dtype`.
    state : tuple of StateArray
        The running state of a block.
    shape : tuple of int
        Shape of the result.
    dtype : dtype
        Dtype of the result.

    Notes
    -----
    Blocks are merged in a tree, so `combine` has to be associative. Frames that are known to be damaged are left out
    where the data were loaded with ``incomplete="nan"``.

    Examples
    --------
    >>> import numpy as np
    >>> def add(frames, total):
    ...     total += frames.sum(axis=0)
    >>> def merge(total, other):
    ...     total += other
    >>> r = Reduction(add, merge, lambda total: total, (StateArray((4, 4), "int64"),), (4, 4), np.dtype("int64"))
    >>> r.start()[0].shape
    (4, 4)
    """

    chunk: Callable[..., None]
    combine: Callable[..., None]
    finalize: Callable[..., Any]
    state: tuple[StateArray, ...]
    shape: tuple[int, ...]
    dtype: Any

    def start(self) -> tuple[NDArray[Any], ...]:
        """The state before any frame."""
        return tuple(array.new() for array in self.state)

    def merge(self, states: list[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
        """One state out of several; none of them is changed."""
        total = tuple(array.copy() for array in states[0])
        for state in states[1:]:
            self.combine(*total, *state)
        return total

    def result(self, state: tuple[NDArray[Any], ...]) -> NDArray[Any]:
        """The final array, checked against what was declared."""
        value = np.asarray(self.finalize(*state))
        if value.shape != tuple(self.shape):
            raise ValueError(f"the reduction declared a result of shape {self.shape}, but finalize gave {value.shape}")
        return value.astype(self.dtype, copy=False)
