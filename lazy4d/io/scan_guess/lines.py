"""Marks that recur at every line of a scan, such as pauses and long exposures: their period and phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.scan_guess.candidate import ScanCandidate

JUMP = 1.5
"""What a pause or an exposure has to exceed the median by, as a factor, to be a mark."""

_LEAST_SHARE = 0.9  # of the marks that must be where the period puts them, and of the places that must have one

Window = tuple[int, int]


@dataclass(frozen=True)
class Lines:
    """Lines of equal length that marks tell.

    Parameters
    ----------
    length : int
        Frames from one line to the next.
    first : int
        First frame of the first whole line.
    marks : int
        Marks that tell it.
    complete : bool
        The marks begin in the first line and end in the last one.
    """

    length: int
    first: int
    marks: int
    complete: bool


def find_lines(starts: NDArray[np.int64], windows: list[Window]) -> Lines | None:
    """The lines that begin at marked frames; None where the marks are not periodic all over the recording.

    Parameters
    ----------
    starts : ndarray of int64
        Frames that begin a line, ascending.
    windows : list of (start, stop)
        The parts of the recording that were looked at.

    Examples
    --------
    >>> find_lines(np.array([10, 20, 30]), [(0, 40)])
    Lines(length=10, first=0, marks=3, complete=True)
    >>> find_lines(np.array([3, 4, 20]), [(0, 40)])
    """
    parts = [starts[(starts > start) & (starts <= stop)] for start, stop in windows]
    steps = np.concatenate([np.diff(part) for part in parts]) if parts else np.zeros(0, np.int64)
    if steps.size < 2:
        return None
    values, counts = np.unique(steps, return_counts=True)
    length = int(values[counts.argmax()])
    phases = starts % length
    phase = int(np.bincount(phases).argmax())
    fitting = phases == phase
    expected = found = 0
    first, last = int(starts[fitting][0]), int(starts[fitting][-1])
    for (start, stop), part in zip(windows, parts, strict=True):
        low, high = max(start + 1, first), min(stop, last) + 1
        expected += max(0, (high - 1 - phase) // length - (low - 1 - phase) // length)
        found += int(((part % length == phase) & (part >= low) & (part < high)).sum())
    if length < 2 or fitting.mean() < _LEAST_SHARE or found < _LEAST_SHARE * expected:
        return None
    complete = first <= length and windows[-1][1] - last <= length
    return Lines(length, first % length if first <= length else first - length, int(starts.size), complete)


def arranged(lines: Lines, total: int, flyback: int, score: float, evidence: tuple[str, ...]) -> ScanCandidate | None:
    """The candidate of a recording whose lines are known; None where not two of them are there."""
    columns = lines.length - flyback
    rows = (total - lines.first + flyback) // lines.length
    if rows < 2 or columns < 1:
        return None
    unused = max(0, total - lines.first - rows * lines.length)
    more = []
    if lines.first:
        more.append(f"the first whole line begins at frame {lines.first}")
    if unused:
        more.append(f"{unused} frames are left over at the end")
    if not lines.complete:
        more.append("but not all over the recording: frames before or behind the scan have none")
        score *= 0.6
    return ScanCandidate((rows, columns), lines.first, flyback, False, score, (*evidence, *more), unused)


def pauses(
    times: NDArray[np.int64], numbers: NDArray[np.int64], windows: list[Window], total: int
) -> list[ScanCandidate]:
    """Scans whose lines begin after a pause, from the time of every frame looked at.

    Parameters
    ----------
    times : ndarray of int64, shape (frames looked at,)
        Start of each frame in ns.
    numbers : ndarray of int64
        Which frames these are, ascending.
    windows : list of (start, stop)
        The parts of the recording that were looked at.
    total : int
        Frames of the recording.

    Examples
    --------
    >>> times = np.arange(20) * 1000 + np.arange(20) // 4 * 5000
    >>> pauses(times, np.arange(20), [(0, 20)], 20)[0].shape
    (5, 4)
    """
    inside = np.diff(numbers) == 1
    steps, behind = np.diff(times)[inside], numbers[1:][inside]
    if steps.size < 4:
        return []
    median = float(np.median(steps))
    if median <= 0:
        return []
    chosen = steps > JUMP * median
    lines = find_lines(behind[chosen], windows)
    if lines is None:
        return []
    longer = float(np.median(steps[chosen])) / median
    text = (
        f"time stamps: {lines.marks} pauses of {longer:.3g} x the median interval ({median / 1e6:.4g} ms), one every "
        f"{lines.length} frames"
    )
    found = arranged(lines, total, 0, 0.8, (text,))
    return [] if found is None else [found]


def long_exposures(
    exposures: NDArray[np.float64], numbers: NDArray[np.int64], windows: list[Window], total: int
) -> list[ScanCandidate]:
    """Scans whose lines end with flyback frames of a longer exposure.

    Parameters
    ----------
    exposures : ndarray of float64, shape (frames looked at,)
        Exposure of each frame in s.
    numbers, windows, total
        As in `pauses`.

    Examples
    --------
    >>> exposures = np.where(np.arange(15) % 5 == 4, 2e-3, 1e-3)
    >>> str(long_exposures(exposures, np.arange(15), [(0, 15)], 15)[0])
    '3 x 4 flyback=1'
    """
    median = float(np.median(exposures)) if exposures.size else 0.0
    long = exposures > JUMP * median
    if median <= 0 or not long.any() or long.mean() > 0.5:
        return []
    marked = numbers[long]
    apart = np.diff(marked) != 1
    begins, ends = marked[np.append(True, apart)], marked[np.append(apart, True)]
    lengths = ends - begins + 1
    flyback = int(np.bincount(lengths).argmax())
    lines = find_lines(ends + 1, windows)
    if lines is None or (lengths == flyback).mean() < _LEAST_SHARE:
        return []
    longer = float(np.median(exposures[long])) / median
    text = (
        f"exposures: {flyback} frame{'s' if flyback > 1 else ''} of {longer:.3g} x the median exposure "
        f"({median * 1e3:.4g} ms) every {lines.length} frames, {lines.marks} times: flyback"
    )
    found = arranged(lines, total, flyback, 0.85, (text,))
    return [] if found is None else [found]
