"""Where the frames of a scan stand in an array that is stored in chunks, whatever the order of its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError


@dataclass(frozen=True)
class ChunkGrid:
    """An array cut into chunks of one shape, and which of its axes are those of the scan and of a frame.

    Frames are numbered in C order of the navigation axes as the signal has them, whatever their order in the array.

    Parameters
    ----------
    shape : tuple of int
        Of the stored array, in the order of its axes.
    chunk : tuple of int
        Of every chunk; those at the far edges reach beyond the array.
    nav_axes : tuple of int
        Axes of the array that are navigation, in the order of the signal's navigation axes.
    signal_axes : tuple of int
        Axes of the array that are the axes of a frame, in order.

    Raises
    ------
    FormatError
        The numbers do not describe an array.

    Examples
    --------
    >>> grid = ChunkGrid((6, 8, 64, 64), (2, 4, 64, 32), (0, 1), (2, 3))
    >>> grid.nav_shape, grid.frame_shape, grid.counts, grid.frames_per_chunk, grid.frame_in_parts
    ((6, 8), (64, 64), (3, 2, 1, 2), 8, True)
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    nav_axes: tuple[int, ...]
    signal_axes: tuple[int, ...]

    def __post_init__(self) -> None:
        ndim = len(self.shape)
        if sorted((*self.nav_axes, *self.signal_axes)) != list(range(ndim)):
            raise FormatError(
                f"an array of shape {self.shape}: expected each of its {ndim} axes once as navigation or signal axis, "
                f"found navigation axes {self.nav_axes} and signal axes {self.signal_axes}"
            )
        if len(self.chunk) != ndim or any(c < 1 for c in self.chunk) or any(n < 0 for n in self.shape):
            raise FormatError(
                f"an array of shape {self.shape} stored in chunks of {self.chunk}: expected one positive length for "
                f"each of its {ndim} axes"
            )

    @cached_property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""
        return tuple(self.shape[axis] for axis in self.nav_axes)

    @cached_property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(self.shape[axis] for axis in self.signal_axes)

    @cached_property
    def nav_chunk(self) -> tuple[int, ...]:
        """Positions of a chunk along each navigation axis."""
        return tuple(self.chunk[axis] for axis in self.nav_axes)

    @cached_property
    def frame_chunk(self) -> tuple[int, ...]:
        """Pixels of a chunk along each axis of a frame."""
        return tuple(self.chunk[axis] for axis in self.signal_axes)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Chunks along each axis of the array."""
        return tuple(-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))

    @cached_property
    def nav_counts(self) -> tuple[int, ...]:
        """Chunks along each navigation axis."""
        return tuple(self.counts[axis] for axis in self.nav_axes)

    @cached_property
    def frame_counts(self) -> tuple[int, ...]:
        """Chunks along each axis of a frame."""
        return tuple(self.counts[axis] for axis in self.signal_axes)

    @property
    def frames(self) -> int:
        """Frames of the array."""
        return math.prod(self.nav_shape)

    @property
    def frames_per_chunk(self) -> int:
        """Frames that a chunk holds, or holds parts of."""
        return math.prod(self.nav_chunk)

    @property
    def frame_in_parts(self) -> bool:
        """Whether a frame is cut into several chunks."""
        return math.prod(self.frame_counts) > 1

    @property
    def pixels(self) -> int:
        """Pixels of a chunk."""
        return math.prod(self.chunk)

    @cached_property
    def in_order(self) -> bool:
        """Whether a chunk is an array of whole frames, one after the other in C order."""
        axes = self.nav_axes + self.signal_axes
        return axes == tuple(range(len(self.shape))) and self.frame_chunk == self.frame_shape

    @cached_property
    def run(self) -> bool:
        """Whether the frames of a chunk follow one another in the scan too, so that a chunk unpacks into a tile."""
        if not self.in_order:
            return False
        several = [axis for axis, n in enumerate(self.nav_chunk) if n > 1]
        if not several:
            return True
        first = several[0]
        return self.nav_chunk[first + 1 :] == self.nav_shape[first + 1 :]

    def locate(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Chunk and place within it of frames, both counted in C order of the navigation axes.

        Parameters
        ----------
        numbers : ndarray of int64, shape (n,)
            Frames of the array, in range.

        Returns
        -------
        chunk, place : ndarray of int64, shape (n,)

        Examples
        --------
        >>> ChunkGrid((4, 4, 8, 8), (2, 2, 8, 8), (0, 1), (2, 3)).locate(np.array([0, 3, 5]))
        (array([0, 1, 0]), array([0, 1, 3]))
        """
        if self.frames_per_chunk == 1:
            return numbers, np.zeros_like(numbers)
        rest, chunk, place = numbers, np.zeros_like(numbers), np.zeros_like(numbers)
        chunks, places = 1, 1
        for n, c, count in zip(
            reversed(self.nav_shape), reversed(self.nav_chunk), reversed(self.nav_counts), strict=True
        ):
            rest, index = np.divmod(rest, n)
            chunk = chunk + index // c * chunks
            place = place + index % c * places
            chunks, places = chunks * count, places * c
        return chunk, place

    def index(self, nav_chunk: int, part: tuple[int, ...]) -> tuple[int, ...]:
        """Place in the grid, in the order of the stored axes, of a chunk of positions and a part of the frame.

        Parameters
        ----------
        nav_chunk : int
            Counted in C order of the navigation axes, as `locate` gives it.
        part : tuple of int
            Along each axis of the frame.

        Examples
        --------
        >>> ChunkGrid((8, 8, 4, 4), (8, 4, 2, 2), (3, 2), (0, 1)).index(1, (0, 1))
        (0, 1, 1, 0)
        """
        place = [0] * len(self.shape)
        for axis, count in zip(reversed(self.nav_axes), reversed(self.nav_counts), strict=True):
            nav_chunk, place[axis] = divmod(nav_chunk, count)
        for axis, k in zip(self.signal_axes, part, strict=True):
            place[axis] = k
        return tuple(place)

    def frames_in(self, nav_chunk: int) -> int:
        """Frames of a chunk of positions that are inside the array; fewer than `frames_per_chunk` at its far edges."""
        inside = 1
        for n, c, count in zip(
            reversed(self.nav_shape), reversed(self.nav_chunk), reversed(self.nav_counts), strict=True
        ):
            nav_chunk, k = divmod(nav_chunk, count)
            inside *= min(c, n - k * c)
        return inside
