"""Dark and gain references applied, and bad pixels replaced from good neighbours."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit


@jit
def apply_dark_and_gain(frames, dark, gain, out):
    """``(frame - dark) * gain`` of every pixel, computed in float32.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    dark, gain : ndarray of float32 [ky, kx]
        References.
    out : ndarray of float32 [n, ky, kx]
        Filled.

    Examples
    --------
    >>> out = np.empty((1, 1, 2), np.float32)
    >>> dark, gain = np.array([[1, 2]], np.float32), np.array([[2, 0.5]], np.float32)
    >>> apply_dark_and_gain(np.array([[[5, 1]]], np.uint16), dark, gain, out)
    >>> out.tolist()
    [[[8.0, -0.5]]]
    """
    n, rows, columns = out.shape
    for i in range(n):
        for y in range(rows):
            for x in range(columns):
                out[i, y, x] = (np.float32(frames[i, y, x]) - dark[y, x]) * gain[y, x]


@jit
def _insert(values, count, value):
    """Put `value` among the first `count` sorted `values`."""
    place = count
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        place -= 1
    values[place] = value


@jit
def replace_by_neighbours(frames, bad, starts, neighbours, median, whole, out):
    """Frames with each bad pixel replaced by the mean, or median, of its good neighbours; other pixels are copied.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    bad : ndarray of int64 [pixels, 2]
        ``(y, x)`` of every bad pixel.
    starts : ndarray of int64 [pixels + 1]
        The neighbours of bad pixel k are ``neighbours[starts[k]:starts[k + 1]]``, at least one.
    neighbours : ndarray of int64 [all, 2]
        ``(y, x)`` of good pixels.
    median : bool
        Median instead of mean; of an even number of values the mean of the middle two.
    whole : bool
        Round to the nearest whole number, halves up.
    out : ndarray [n, ky, kx]
        Filled. Computed in float64, so that integers up to 2**48 are exact.

    Examples
    --------
    >>> out, near = np.empty((1, 1, 3), np.uint8), np.array([[0, 0], [0, 2]])
    >>> frames = np.array([[[4, 0, 7]]], np.uint8)
    >>> replace_by_neighbours(frames, np.array([[0, 1]]), np.array([0, 2]), near, False, True, out)
    >>> out.tolist()
    [[[4, 6, 7]]]
    """
    n, rows, columns = out.shape
    most = 1
    for k in range(len(bad)):
        most = max(most, starts[k + 1] - starts[k])
    values = np.empty(most, np.float64)
    for i in range(n):
        for y in range(rows):
            for x in range(columns):
                out[i, y, x] = frames[i, y, x]
        for k in range(len(bad)):
            count = starts[k + 1] - starts[k]
            total = 0.0
            for j in range(count):
                value = np.float64(frames[i, neighbours[starts[k] + j, 0], neighbours[starts[k] + j, 1]])
                total += value
                if median:
                    _insert(values, j, value)
            if median:
                result = (values[(count - 1) // 2] + values[count // 2]) / 2
            else:
                result = total / count
            if whole:
                result = np.floor(result + 0.5)
            out[i, bad[k, 0], bad[k, 1]] = result
