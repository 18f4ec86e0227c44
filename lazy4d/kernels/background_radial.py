"""Background that depends on the radius alone: the median or mean of each ring, taken off the pattern."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit

COUNTED = 4096
"""Whole numbers below this may be counted instead of sorted to find their median."""

FEW = 128
"""Pixels of a ring up to which its median radius is not its mean radius, as good as."""


@jit
def _kth(values, count, k):
    """The k-th smallest of the first `count` values, which are reordered: Hoare's selection, median of three."""
    low, high = 0, count - 1
    while low < high:
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@jit
def rings_of(y0, x0, matrix, width, mask, use_mean, rows, columns):
    """Which pixels lie in which ring about a centre, and between which rings each pixel lies.

    Parameters
    ----------
    y0, x0 : float
        The centre, pixels.
    matrix : ndarray of float64 [2, 2]
        Turns offsets (y, x) from the centre into those of which the length is the radius.
    width : float
        Width of a ring, pixels.
    mask : ndarray of uint8 [ky, kx]
        Pixels that count; size 0: all.
    use_mean : bool
        Whether rings stand for the mean of their pixels, or for the median.
    rows, columns : int
        Shape of a frame.

    Returns
    -------
    order : ndarray of int32
        The pixels that count, ring by ring.
    starts : ndarray of int64 [rings + 1]
        Ring k holds ``order[starts[k]:starts[k + 1]]``; no ring is empty.
    radii : ndarray of float64 [rings]
        Where each ring is, in widths: the mean radius of its pixels, or for a median of few pixels their median radius,
        as it is there that a pattern that falls with the radius has the median.
    left : ndarray of int32 [ky * kx]
        The ring on the inner side of each pixel.
    fraction : ndarray of float32 [ky * kx]
        Where each pixel lies between that ring, 0, and the next, 1.

    Examples
    --------
    >>> found = rings_of(0.0, 1.0, np.eye(2), 1.0, np.empty((0, 0), np.uint8), False, 1, 4)
    >>> [array.tolist() for array in found]
    [[1, 0, 2, 3], [0, 1, 3, 4], [0.0, 1.0, 2.0], [1, 0, 1, 2], [0.0, 0.0, 0.0, 0.0]]
    """
    size = rows * columns
    radius = np.empty(size, np.float64)
    highest = 0.0
    for y in range(rows):
        for x in range(columns):
            u = matrix[0, 0] * (y - y0) + matrix[0, 1] * (x - x0)
            v = matrix[1, 0] * (y - y0) + matrix[1, 1] * (x - x0)
            radius[y * columns + x] = np.sqrt(u * u + v * v) / width
            highest = max(highest, radius[y * columns + x])
    number = np.empty(size, np.int32)
    filled = np.zeros(int(highest) + 2, np.int64)
    for p in range(size):
        # A hair more than the radius, so that rounding does not tear rings of whole numbers apart.
        number[p] = int(radius[p] + 1e-9)
        if mask.size == 0 or mask[p // columns, p % columns]:
            filled[number[p]] += 1
    ring = np.empty(len(filled) + 1, np.int64)  # number of a ring among those that are not empty
    ring[0] = 0
    for k in range(len(filled)):
        ring[k + 1] = ring[k] + (filled[k] > 0)
    count = ring[len(filled)]
    starts, radii = np.zeros(count + 1, np.int64), np.zeros(count, np.float64)
    for k in range(len(filled)):
        if filled[k]:
            starts[ring[k] + 1] = starts[ring[k]] + filled[k]
    order, cursor = np.empty(starts[count], np.int32), starts[:-1].copy()
    for p in range(size):
        if mask.size == 0 or mask[p // columns, p % columns]:
            k = ring[number[p]]
            order[cursor[k]] = p
            cursor[k] += 1
            radii[k] += radius[p]
    few = np.empty(FEW, np.float64)
    for k in range(count):
        pixels = starts[k + 1] - starts[k]
        radii[k] /= pixels
        if pixels <= FEW and not use_mean:
            for j in range(pixels):
                few[j] = radius[order[starts[k] + j]]
            radii[k] = (_kth(few, pixels, (pixels - 1) // 2) + _kth(few, pixels, pixels // 2)) / 2
    left, fraction = np.zeros(size, np.int32), np.zeros(size, np.float32)
    for p in range(size):
        inner = ring[number[p] + 1] - 1
        if inner >= 0 and radius[p] < radii[inner]:
            inner -= 1
        left[p] = max(inner, 0)
        if inner >= 0 and inner + 1 < count:
            fraction[p] = (radius[p] - radii[inner]) / (radii[inner + 1] - radii[inner])
    return order, starts, radii, left, fraction


@jit
def _median(values, count, counts):
    """The median of the first `count` values; whole numbers are counted, others sorted as far as needed."""
    whole, highest = True, np.float32(0)
    for j in range(count):
        v = values[j]
        whole &= (v >= 0) & (v < COUNTED) & (v == np.floor(v))
        highest = max(highest, v)
    low, high = (count - 1) // 2, count // 2
    if whole and highest <= 4 * count:
        for j in range(count):
            counts[np.int64(values[j])] += 1
        level, below = 0, counts[0]
        while below <= low:
            level += 1
            below += counts[level]
        upper = level
        while below <= high:
            upper += 1
            below += counts[upper]
        for level_ in range(np.int64(highest) + 1):
            counts[level_] = 0
        return np.float32((level + upper) / 2)
    first = _kth(values, count, low)
    if low == high:
        return first
    second = values[high]
    for j in range(high + 1, count):  # the selection left larger values above
        second = min(second, values[j])
    return (first + second) / 2


@jit
def _fill_gaps(profile, radii):
    """Rings without a value get one between those of their neighbours."""
    known = -1
    for k in range(len(radii)):
        if profile[k] == profile[k]:
            for gap in range(known + 1, k):
                if known < 0:
                    profile[gap] = profile[k]
                else:
                    share = (radii[gap] - radii[known]) / (radii[k] - radii[known])
                    profile[gap] = profile[known] + np.float32(share) * (profile[k] - profile[known])
            known = k
    for gap in range(known + 1, len(radii)):
        profile[gap] = profile[known] if known >= 0 else np.float32(np.nan)


def subtract_rings(frames, centers, matrix, width, mask, use_mean, divide, clip, out):
    """Frames less the median, or mean, of the ring that each pixel lies in, between rings by linear interpolation.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous; NaN pixels do not count and stay NaN.
    centers : ndarray of float64 [n, 2] or [1, 2]
        Centres (y, x) in pixels, one a frame or one for all; the result of a frame of which it is NaN is NaN.
    matrix : ndarray of float64 [2, 2]
        See `rings_of`.
    width : float
        Width of a ring, pixels.
    mask : ndarray of uint8 [ky, kx]
        Pixels that count; size 0: all. Others get the background of their radius taken off too.
    use_mean, divide, clip : bool
        Mean instead of median; divide by the background instead; negative results become 0.
    out : ndarray of float32 [n, ky, kx]
        Filled.

    Examples
    --------
    >>> out, mask = np.empty((1, 1, 5), np.float32), np.empty((0, 0), np.uint8)
    >>> frames = np.array([[[1, 2, 9, 4, 1]]], np.uint8)
    >>> subtract_rings(frames, np.array([[0.0, 2.0]]), np.eye(2), 1.0, mask, False, False, False, out)
    >>> out.tolist()
    [[[0.0, -1.0, 0.0, 1.0, 0.0]]]
    """
    _subtract_rings(np.ascontiguousarray(frames, np.float32), centers, matrix, width, mask, use_mean, divide, clip, out)


@jit
def _subtract_rings(frames, centers, matrix, width, mask, use_mean, divide, clip, out):
    """Do it to float32 frames: one compiled function serves all dtypes, and a copy in cache costs little."""
    n, rows, columns = out.shape
    values, counts = np.empty(rows * columns, np.float32), np.zeros(COUNTED, np.int64)
    y0, x0 = np.nan, np.nan
    order, starts = np.empty(0, np.int32), np.zeros(1, np.int64)
    radii = np.empty(0, np.float64)
    left, fraction = np.empty(0, np.int32), np.empty(0, np.float32)
    profile = np.empty(1, np.float32)
    for i in range(n):
        center = centers[i if len(centers) > 1 else 0]
        if not (np.isfinite(center[0]) and np.isfinite(center[1])):
            out[i] = np.nan
            continue
        if center[0] != y0 or center[1] != x0:
            y0, x0 = center[0], center[1]
            order, starts, radii, left, fraction = rings_of(y0, x0, matrix, width, mask, use_mean, rows, columns)
            profile = np.empty(len(radii) + 1, np.float32)
        frame, result = frames[i].ravel(), out[i].ravel()
        for k in range(len(radii)):
            count, total = 0, 0.0
            for j in range(starts[k], starts[k + 1]):
                value = frame[order[j]]
                if value == value:
                    values[count] = value
                    total += value
                    count += 1
            if count == 0:
                profile[k] = np.nan
            else:
                profile[k] = np.float32(total / count) if use_mean else _median(values, count, counts)
        _fill_gaps(profile, radii)
        profile[len(radii)] = profile[len(radii) - 1]
        for p in range(rows * columns):
            inner = profile[left[p]]
            background = inner + fraction[p] * (profile[left[p] + 1] - inner)
            value = frame[p]
            value = value / background if divide else value - background
            result[p] = np.float32(0) if clip and value < 0 else value
