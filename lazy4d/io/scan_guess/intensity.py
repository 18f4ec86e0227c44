"""A few numbers a frame, read from a strip of the detector: enough to see where the beam was, at bounded cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.rawframes import RawFrames

MOST_FRAMES = 131_072
"""Frames looked at in a recording."""

MOST_BYTES = 1 << 30
"""Bytes of pixels read."""

_GRID = (4, 8)  # groups of pixels summed, rows and columns of the strip
_TILE_BYTES = 2 << 20

Report = Callable[[int], None]


def affordable(source: Any, total: int) -> int:
    """Frames of a recording that may be looked at.

    Parameters
    ----------
    source : FrameSource
        The recording.
    total : int
        Frames in it.
    """
    if reads_strips(source):
        return min(total, MOST_FRAMES)
    return min(total, MOST_FRAMES, max(64, MOST_BYTES // max(1, int(source.frame_nbytes))))


def reads_strips(source: Any) -> bool:
    """Whether some rows of a frame can be had without reading it all."""
    return all(isinstance(part, RawFrames) for part in getattr(source, "parts", (source,)))


def strip(source: Any, frames: int) -> tuple[slice, slice]:
    """The pixels to read of each of so many frames: rows about the middle of the detector, all columns.

    Parameters
    ----------
    source : FrameSource
        The recording.
    frames : int
        Frames to look at.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> strip(SimpleNamespace(frame_shape=(256, 256), dtype=np.dtype("u2")), 131072)
    (slice(120, 136, 1), slice(0, 256, 1))
    """
    rows, columns = source.frame_shape
    row_bytes = columns * np.dtype(source.dtype).itemsize
    count = min(rows, max(1, MOST_BYTES // max(1, frames * row_bytes)))
    first = (rows - count) // 2
    return slice(first, first + count, 1), slice(0, columns, 1)


def read_features(source: Any, windows: list[tuple[int, int]], report: Report) -> list[NDArray[np.float32]]:
    """Sums of groups of pixels of each frame, ``[frames, groups]`` for every window; NaN for invalid frames.

    Parameters
    ----------
    source : FrameSource
        The recording, one-dimensional.
    windows : list of (start, stop)
        Frames.
    report : callable
        Told of the frames looked at.
    """
    window = strip(source, sum(stop - start for start, stop in windows))
    rows, columns = (part.stop - part.start for part in window)
    edges = [np.unique(np.arange(n) * size // n) for n, size in zip(_GRID, (rows, columns), strict=True)]
    nbytes = int(np.prod(source.frame_shape)) * np.dtype(source.dtype).itemsize
    tile = max(1, _TILE_BYTES // max(1, nbytes))
    out = np.empty((tile, *source.frame_shape), source.dtype)
    found = []
    for start, stop in windows:
        features = np.empty((stop - start, len(edges[0]) * len(edges[1])), np.float32)
        for low in range(start, stop, 4096):  # blocks that a compressed source can hold
            block = source.open((slice(low, min(low + 4096, stop)),))
            count = min(low + 4096, stop) - low
            try:
                for first in range(0, count, tile):
                    last = min(first + tile, count)
                    block.read(first, last, out, window)
                    part = out[(slice(0, last - first), *window)]
                    part = np.abs(part) if part.dtype.kind == "c" else part
                    sums = np.add.reduceat(part, edges[0], axis=1, dtype=np.float64)
                    groups = np.add.reduceat(sums, edges[1], axis=2)
                    features[low - start + first : low - start + last] = groups.reshape(last - first, -1)
                if block.valid is not None:
                    features[low - start : low - start + count][~np.asarray(block.valid)] = np.nan
            finally:
                block.close()
            report(count)
        found.append(features)
    return found
