"""How often each intensity occurs in a scan."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.accumulate import is_integer

TABLE = 65536
"""Different integers that are counted one by one before they are put into bins."""

EXACT = 2.0**53
"""Integers of at most this size are float64 exactly; larger ones, some beyond int64, go into bins one by one."""


@jit
def _edge(k, low, high, bins):
    """Left edge of bin `k`, as `numpy.linspace` rounds it."""
    return high if k == bins else low + k * ((high - low) / bins)


@jit
def _bin(value, low, high, bins):
    """Find the bin that holds `value`, which lies in ``[low, high]``; decided by the edges, as in numpy."""
    k = min(int((value - low) * (bins / (high - low))), bins - 1)
    if value < _edge(k, low, high, bins):
        return k - 1
    if k < bins - 1 and value >= _edge(k + 1, low, high, bins):
        return k + 1
    return k


@jit
def _count_table(pixels, first, last, low, high, counts):
    """Count integers in ``[first, last]`` one by one, then put the numbers into bins."""
    size = last - first + 1
    table = np.zeros(4 * size, np.int64)  # four in turn: equal neighbours do not wait for each other
    for p in range(pixels.size):
        value = np.int64(pixels[p])
        if first <= value <= last:
            table[np.uintp(4 * (value - first) + (p & 3))] += 1
    for k in range(size):
        count = table[4 * k] + table[4 * k + 1] + table[4 * k + 2] + table[4 * k + 3]
        if count > 0:
            counts[_bin(np.float64(first + k), low, high, counts.size)] += count


@jit
def histogram(frames, low, high, counts):
    """Add the pixels of frames to a histogram of equal bins. Merge blocks with `patterns.add`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    low, high : float
        Left edge of the first and right edge of the last bin, finite, ``low < high``.
    counts : ndarray of int64 [bins]
        State, from 0. Bins are half-open but for the last, which includes `high`, as `numpy.histogram` has it on
        float64; pixels outside and nan are not counted.

    Examples
    --------
    >>> counts = np.zeros(3, np.int64)
    >>> histogram(np.array([0, 1, 1, 2, 3, 9], np.uint8).reshape(1, 2, 3), 0.0, 3.0, counts)
    >>> counts
    array([1, 2, 2])
    """
    pixels = frames.reshape(frames.size)
    if pixels.size == 0:
        return
    if is_integer(frames):
        smallest, largest = pixels[0], pixels[0]
        for p in range(pixels.size):
            smallest, largest = min(smallest, pixels[p]), max(largest, pixels[p])
        first = max(np.float64(smallest), np.ceil(low))
        last = min(np.float64(largest), np.floor(high))
        if last < first:
            return
        if last - first < TABLE and first >= -EXACT and last <= EXACT:
            _count_table(pixels, np.int64(first), np.int64(last), low, high, counts)
            return
    for p in range(pixels.size):
        value = np.float64(pixels[p])
        if low <= value <= high:
            counts[_bin(value, low, high, counts.size)] += 1
