"""What a stream of frames starts from: a source that every task reads by itself, and the block it opens there."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.stage import Window


class Block(Protocol):
    """The frames of one block, opened inside a task and flattened in C order of its positions.

    A block may have ``together``, the number of frames that it unpacks at once: tiles are then multiples of it.
    """

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Which frames are undamaged; None: all."""

    def read(self, start: int, stop: int, out: NDArray[Any], window: Window) -> None:
        """Decode frames ``[start, stop)`` into ``out[: stop - start]``, invalid ones as 0.

        Only pixels inside `window` are needed; an empty window asks for all.
        """

    def close(self) -> None:
        """Release pages and buffers."""


class FrameSource(Protocol):
    """Frames that a task reads by itself: a small, immutable, picklable description."""

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of a decoded frame."""

    @property
    def token(self) -> str:
        """Identity of the pixels: equal tokens, equal frames."""

    @property
    def incomplete(self) -> str:
        """What becomes of damaged frames: "raise", "nan" or "zero"."""

    @property
    def frame_nbytes(self) -> int:
        """Stored bytes of a frame."""

    def select(self, items: tuple[Any, ...]) -> FrameSource:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D)."""

    def drop_axes(self, axes: tuple[int, ...]) -> FrameSource:
        """Without navigation axes of length one."""

    def open(self, box: tuple[slice, ...]) -> Block:
        """The frames of a box of positions, inside the task."""


class FileRoot:
    """A `FrameSource` as the root of walks; it has no dask array, where an `ArraySource` has one."""

    array = None
    valid = None

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.nav_shape = source.nav_shape
        self.frame_shape = source.frame_shape
        self.dtype = source.dtype
        self.token = source.token
        self.incomplete = source.incomplete
        self.frame_nbytes = source.frame_nbytes

    def open(self, box: tuple[slice, ...]) -> Block:
        """The frames of a box of positions, inside the task."""
        return self.source.open(box)
