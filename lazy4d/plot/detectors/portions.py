"""A scan in portions of a few milliseconds, in an order in which a picture sharpens or in the order of the file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, ...]

STEP_SECONDS = 0.012
"""How long a portion should take: short, so that what is more urgent comes in between."""

_FIRST_BYTES = 2 * 2**20
_COARSE = 16


class Pace:
    """How many positions to take at a time, learnt from how long the last ones took.

    Parameters
    ----------
    frame_bytes : int
        Bytes of a frame as it is stored.

    Examples
    --------
    >>> pace = Pace(2**17)
    >>> pace.positions
    16
    >>> pace.took(16, 0.003)
    >>> pace.positions
    32
    """

    def __init__(self, frame_bytes: int) -> None:
        self.positions = max(1, _FIRST_BYTES // max(1, frame_bytes))

    def took(self, positions: int, seconds: float) -> None:
        """Note how long some positions took; at most a factor of two at a time."""
        wanted = positions * STEP_SECONDS / max(seconds, 1e-6)
        self.positions = max(1, round(min(max(wanted, self.positions / 2), self.positions * 2)))


def stored_blocks(frames: Any) -> tuple[tuple[int, ...], ...] | None:
    """The blocks in which a source can be read at all, sizes along each navigation axis; None for single frames.

    Examples
    --------
    >>> stored_blocks(d.frames) is None
    True
    """
    if frames.is_array:
        return None if getattr(frames.source, "plain", None) is not None else frames.chunks
    preferred = getattr(getattr(frames.source, "source", None), "preferred_chunks", None)
    if preferred is None:
        return None
    fits = tuple(sum(sizes) for sizes in preferred) == tuple(frames.nav_shape)
    return tuple(preferred) if fits else frames.chunks


def spread(count: int, coarse: int = _COARSE) -> list[int]:
    """The numbers below `count`: every sixteenth first, then those halfway between, and so on.

    Examples
    --------
    >>> spread(6, coarse=4)
    [0, 4, 2, 1, 3, 5]
    """
    order = list(range(0, count, coarse))
    while coarse > 1:
        order += range(coarse // 2, count, coarse)
        coarse //= 2
    return order


def block_boxes(blocks: Sequence[Sequence[int]], spread_out: bool) -> Iterator[Box]:
    """The boxes of a grid of blocks, whose sizes are given along each axis.

    Examples
    --------
    >>> list(block_boxes([(2, 1), (4,)], spread_out=False))
    [(slice(0, 2, None), slice(0, 4, None)), (slice(2, 3, None), slice(0, 4, None))]
    """
    edges = [np.cumsum([0, *sizes]) for sizes in blocks]
    grid = list(np.ndindex(*(len(sizes) for sizes in blocks)))
    for number in spread(len(grid)) if spread_out else range(len(grid)):
        yield tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, grid[number], strict=True))


def line_boxes(known: NDArray[np.bool_], pace: Pace, spread_out: bool) -> Iterator[Box]:
    """Boxes of the positions that are not known yet: whole lines of the scan, or parts of one where lines are long.

    Parameters
    ----------
    known : bool ndarray [nav...]
        Positions that need not be visited again; read anew for each line.
    pace : Pace
        Says how many positions make a box.
    spread_out : bool
        Lines far from each other first, rather than one after the other.

    Examples
    --------
    >>> [box[0] for box in line_boxes(np.zeros((3, 4), bool), Pace(2**19), spread_out=False)]
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    *outer, n = known.shape
    lines = math.prod(outer)
    rows = outer[-1] if outer else 1
    flat = known.reshape(lines, n)
    done = np.zeros(lines, np.bool_)
    for line in spread(lines) if spread_out else range(lines):
        if done[line] or flat[line].all():
            continue
        if pace.positions < n:
            start = 0
            while start < n:
                stop = min(n, start + pace.positions)
                if not flat[line, start:stop].all():
                    yield _box(outer, line, 1, slice(start, stop))
                start = stop
        else:
            most = 1 if spread_out else min(pace.positions // n, rows - line % rows)
            yield _box(outer, line, most, slice(0, n))
            done[line : line + most] = True


def _box(outer: Sequence[int], line: int, lines: int, along: slice) -> Box:
    """The box of some lines, one after the other along the last but one axis."""
    if not outer:
        return (along,)
    first = [int(i) for i in np.unravel_index(line, tuple(outer))]
    box = [slice(i, i + 1) for i in first]
    box[-1] = slice(first[-1], first[-1] + lines)
    return (*box, along)
