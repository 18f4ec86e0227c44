"""Scan positions in the headers of a TVIPS stream: the raster they draw, found in a few dozen reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lazy4d.io.sequence import sample_records

Position = Callable[[int], tuple[float, float]]
"""Stored frame to its scan position (x, y)."""


@dataclass(frozen=True)
class Raster:
    """A scan line by line.

    Parameters
    ----------
    rows, columns : int
        Whole lines, and positions a line.
    first : int
        Frame at its first position; those before belong to no scan.
    """

    rows: int
    columns: int
    first: int


def find_raster(position: Position, frames: int) -> Raster | None:
    """The raster that scan positions draw; None where a sample of them does not, without exception.

    Parameters
    ----------
    position : callable
        Frame to (x, y).
    frames : int
        Frames stored.

    Examples
    --------
    >>> find_raster(lambda k: (float((k - 5) % 4), float((k - 5) // 4)) if k > 4 else (0.0, 0.0), 17)
    Raster(rows=3, columns=4, first=5)
    """
    if frames < 4:
        return None
    moved = next((k for k in sample_records(frames) if any(position(k))), None)
    if moved is None:
        return None
    # Before a scan all positions are (0, 0); its second one is the first that is not.
    second = _first(lambda k: any(position(k)), 0, moved)
    first = second - 1
    if first < 0 or position(second) != (1.0, 0.0):
        return None
    # x counts up to the end of the first line.
    step = 2
    while first + step < frames and position(first + step)[0] == step:
        step *= 2
    high = min(step, frames - first)
    columns = _first(lambda k: k + first >= frames or position(first + k)[0] != k, step // 2, high)
    if columns < 2 or first + columns >= frames:
        return None
    rows = (frames - first) // columns

    def expected(k: int) -> tuple[float, float]:
        return float(k % columns), float(k // columns)

    sample = sample_records(rows * columns, 48)
    return Raster(rows, columns, first) if all(position(first + k) == expected(k) for k in sample) else None


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first index in [low, high] for which something holds, when it holds from there on and at `high`."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
