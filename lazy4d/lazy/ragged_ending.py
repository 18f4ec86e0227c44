"""The end of a stream whose frames give some entries each, as many as there are: peaks, counted events."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.endings import Extent, Tile
from lazy4d.lazy.stage import Kernel, Window
from lazy4d.ragged import RaggedFrames

if TYPE_CHECKING:
    from lazy4d.lazy.walk import Step

BUFFER_BYTES = 2**21
"""Bytes of the buffer that a kernel fills before its entries are packed."""


@dataclass
class Found:
    """What is carried from tile to tile: packed entries, their numbers, and the fullest frame that had no room."""

    counts: NDArray[np.int64]
    parts: list[NDArray[np.float64]]
    out: NDArray[np.float64] | None = None
    fullest: tuple[int, int] | None = None  # frame of the block, and how many entries it has


@dataclass(frozen=True, eq=False)
class Ragged:
    """Collect what ``kernel(frames[n, ...], *params, out[n, capacity, columns], count[n])`` finds in each frame.

    `count` is how many entries a frame has; the first ``min(count, capacity)`` rows of `out`, float64, hold them, the
    ones to keep first. A frame with more is an error unless `keep_first`. Invalid frames have none.
    """

    step: int
    kernel: Kernel
    params: tuple[Any, ...]
    capacity: int
    dtypes: tuple[tuple[str, np.dtype[Any]], ...]
    keep_first: bool
    window: Window | None = None
    frame_nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        """Note the bytes of a frame's entries in the buffer."""
        object.__setattr__(self, "frame_nbytes", 8 * self.capacity * len(self.dtypes))

    @property
    def multiplies_matrices(self) -> bool:
        """Whether the kernel, or a function that it is given, may call a matrix product."""
        return any(k.multiplies_matrices for k in (self.kernel, *self.params) if isinstance(k, Kernel))

    def start(self, extent: Extent, step: Step) -> Found:
        """Nothing found yet."""
        return Found(np.zeros(extent.n, np.int64), [])

    def takes_buffer(self, step: Step) -> bool:
        """No: it looks at tiles and leaves their buffers to the walk."""
        return False

    def take(self, state: Found, tile: Tile, params: list[Any]) -> None:
        """Find the entries of one tile and pack them, a few frames at a time where many entries are allowed for."""
        frames = tile.frames
        if frames.dtype == np.bool_ and self.kernel.compiled:
            frames = frames.view(np.uint8)
        n = len(frames)
        m = max(1, min(n, BUFFER_BYTES // max(self.frame_nbytes, 1)))
        if state.out is None or len(state.out) < m:
            state.out = np.empty((m, self.capacity, len(self.dtypes)))
        per_frame = [getattr(p, "per_position", False) for p in self.params]
        for i in range(0, n, m):
            j = min(i + m, n)
            out, count = state.out[: j - i], np.zeros(j - i, np.int64)
            rows = [p[i:j] if varies else p for p, varies in zip(params, per_frame, strict=True)]
            self.kernel(frames[i:j], *rows, out, count)
            if tile.keep is not None:
                count[~tile.keep[i:j]] = 0
            fullest = int(count.argmax()) if count.size else 0
            if count.size and count[fullest] > max(self.capacity, state.fullest[1] if state.fullest else 0):
                state.fullest = tile.start + i + fullest, int(count[fullest])
            np.minimum(count, self.capacity, out=count)
            state.counts[tile.start + i : tile.start + j] = count
            state.parts.append(out[np.arange(self.capacity) < count[:, None]])

    def finish(self, state: Found, extent: Extent) -> NDArray[Any]:
        """The entries of the block: an array of one object, a `RaggedFrames`.

        Raises
        ------
        ValueError
            A frame has more entries than there is room for.
        """
        if state.fullest is not None and not self.keep_first:
            number, count = state.fullest
            index = np.unravel_index(number, extent.nav_shape) if extent.nav_shape else ()
            place = tuple(int(s.start + i) for s, i in zip(extent.box, index, strict=True))
            raise ValueError(
                f"{self.kernel.name} found {count} entries in the frame at position {place} (numpy order), where at "
                f"most {self.capacity} were expected: ask for fewer by a higher threshold, or allow for more"
            )
        rows = np.concatenate(state.parts) if state.parts else np.empty((0, len(self.dtypes)))
        columns = {name: rows[:, k].astype(dtype) for k, (name, dtype) in enumerate(self.dtypes)}
        return boxed(RaggedFrames.from_counts(state.counts, columns), len(extent.box))


def boxed(value: Any, ndim: int) -> NDArray[Any]:
    """An array of `ndim` axes that holds one object, as a block of a dask array of objects.

    Examples
    --------
    >>> boxed({"ky": 1}, 2).shape
    (1, 1)
    """
    box = np.empty((1,) * ndim, object)
    box[(0,) * ndim] = value
    return box


def unboxed(box: Any) -> Any:
    """The one object of an array made by `boxed`."""
    if math.prod(box.shape) != 1:
        raise ValueError(f"expected an array of one object, found shape {box.shape}")
    return box[(0,) * box.ndim]
