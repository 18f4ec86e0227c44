"""The scan cut into blocks that a pass takes in a spread-out order, and blocks cut into steps of a few milliseconds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lazy4d.lazy import Frames
from lazy4d.lazy.chunks import bounds
from lazy4d.signals.overview.sampling import spread_out

Box = tuple[slice, ...]

BLOCK_BYTES = 64 * 2**20
"""Stored bytes of a block at most, where the file does not say better: read in one go, and soon shown."""


def granule(frames: Frames) -> tuple[int, ...]:
    """Positions along each navigation axis that are read at once: a chunk of a chunked file, else one.

    Examples
    --------
    >>> granule(d.frames)
    (1, 1)
    """
    nav_shape = frames.nav_shape
    source = frames.source
    if source.array is not None:
        plain = getattr(source, "plain", None) is not None
        return (1,) * len(nav_shape) if plain else tuple(max(sizes) for sizes in frames.chunks)
    layout = getattr(source.source, "layout", None)
    for name in ("nav_inner", "nav_chunk"):
        found = getattr(layout, name, None)
        if found is not None and len(found) == len(nav_shape):
            return tuple(min(int(f), n) for f, n in zip(found, nav_shape, strict=True))
    if getattr(source.source, "preferred_chunks", None) is not None:
        return tuple(max(sizes) for sizes in frames.chunks)
    return (1,) * len(nav_shape)


def blocks(frames: Frames) -> Iterator[Box]:
    """Boxes that cover the scan, each once, the first few spread over it.

    Boxes are runs of whole rows, or of positions of a row, and unions of what is read at once.

    Examples
    --------
    >>> [[(s.start, s.stop) for s in box] for box in blocks(d.frames)]
    [[(0, 4), (0, 4)]]
    """
    grain = granule(frames)
    if not grain:
        yield ()
        return
    nbytes = max(1, int(frames.source.frame_nbytes))
    if frames.is_array and getattr(frames.source, "plain", None) is None:
        edges = [bounds(sizes) for sizes in frames.chunks]  # blocks of any size, which are computed whole
    else:
        sides = _sides(frames.nav_shape, grain, BLOCK_BYTES // nbytes)
        edges = [np.append(np.arange(0, n, s), n) for n, s in zip(frames.nav_shape, sides, strict=True)]
    counts = [len(e) - 1 for e in edges]
    for number in spread_out(math.prod(counts)):
        index = np.unravel_index(number, counts)
        yield tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, index, strict=True))


def _sides(nav_shape: Sequence[int], grain: Sequence[int], most: int) -> list[int]:
    """Sides of a box of about `most` positions: multiples of the grain, long along the last axes first."""
    sides = [min(g, n) for g, n in zip(grain, nav_shape, strict=True)]
    for axis in reversed(range(len(sides))):
        room = max(1, most // max(1, math.prod(sides)))
        sides[axis] = min(nav_shape[axis], sides[axis] * room)
        if sides[axis] < nav_shape[axis]:
            break
    return sides


def cut(box: Box, grain: Sequence[int], most: int) -> tuple[Box, list[Box]]:
    """The first part of a box, of about `most` positions, and the boxes that are left of it, in order.

    Examples
    --------
    >>> first, rest = cut((slice(0, 4), slice(0, 4)), (1, 1), 8)
    >>> first, rest
    ((slice(0, 2, None), slice(0, 4, None)), [(slice(2, 4, None), slice(0, 4, None))])
    """
    first, rest = list(box), []
    sizes = [s.stop - s.start for s in box]
    for axis, g in enumerate(grain):
        inner = math.prod(sizes[axis + 1 :])
        along = max(1, most // max(1, inner) // g) * g
        if along < sizes[axis]:
            part = box[axis]
            split = part.start // g * g + along if part.start % g else part.start + along
            split = min(max(split, part.start + 1), part.stop)
            if split < part.stop:
                rest.append((*first[:axis], slice(split, part.stop), *box[axis + 1 :]))
                first[axis] = slice(part.start, split)
        sizes[axis] = first[axis].stop - first[axis].start
        if inner * sizes[axis] <= most:
            break
        most = max(1, most // sizes[axis])
    return tuple(first), rest[::-1]


def halves(box: Box) -> list[Box]:
    """A box cut in two along its first axis that has several positions."""
    for axis, part in enumerate(box):
        if part.stop - part.start > 1:
            middle = (part.start + part.stop) // 2
            ends = (slice(part.start, middle), slice(middle, part.stop))
            return [(*box[:axis], end, *box[axis + 1 :]) for end in ends]
    return [box]


def told(box: Box, error: Any) -> str:
    """A sentence for a box that could not be read."""
    where = ", ".join(str(s.start) if s.stop - s.start == 1 else f"{s.start}:{s.stop}" for s in box)
    return f"positions [{where}] (numpy order): {type(error).__name__}: {error}"
