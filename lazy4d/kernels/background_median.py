"""The median of the square around each pixel as background, by a running histogram."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit

BLOCK = 256
"""Levels that are counted together as well, so that sparse ones are passed in long steps."""


@jit
def _levels(frame, mask, level, table):
    """Replace pixels by the number of their value among all, in order; -1: does not count. The number of levels."""
    rows, columns = frame.shape
    whole, highest = True, np.float32(0)
    for y in range(rows):
        for x in range(columns):
            v = frame[y, x]
            if v == v:
                whole &= (v >= 0) & (v < 65536) & (v == np.floor(v))
                highest = max(highest, v)
    if whole:  # counts are their own numbers
        for y in range(rows):
            for x in range(columns):
                counts = frame[y, x] == frame[y, x] and (mask.size == 0 or mask[y, x] != 0)
                level[y, x] = np.int32(frame[y, x]) if counts else -1
        for k in range(np.int64(highest) + 1):
            table[k] = k
        return np.int64(highest) + 1
    flat, found = frame.ravel(), level.ravel()
    order = np.argsort(flat)
    used = -1
    for p in order:
        v = flat[p]
        if v != v or not (mask.size == 0 or mask[p // columns, p % columns] != 0):
            found[p] = -1
            continue
        if used < 0 or v != table[used]:
            used += 1
            table[used] = v
        found[p] = used
    return used + 1


def subtract_median(frames, size, mask, clip, out):
    """Frames less the median of the pixels that count in the square about each; beyond the edge they are mirrored.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous; NaN pixels do not count and stay NaN.
    size : int
        Side of the square, odd.
    mask : ndarray of uint8 [ky, kx]
        Pixels that count; size 0: all.
    clip : bool
        Negative results become 0.
    out : ndarray of float32 [n, ky, kx]
        Filled, NaN where no pixel of the square counts. The median of an even number is the mean of the middle two.

    Notes
    -----
    The square moves to and fro over the frame, and a histogram of what it covers with it (T. Huang, G. Yang,
    G. Tang, 1979, doi:10.1109/TASSP.1979.1163188); numbers that are no counts are replaced by their rank first.

    Examples
    --------
    >>> out, mask = np.empty((1, 1, 4), np.float32), np.empty((0, 0), np.uint8)
    >>> subtract_median(np.array([[[1, 9, 2, 3]]], np.uint8), 3, mask, False, out)
    >>> out.tolist()
    [[[0.0, 7.0, -1.0, 0.0]]]
    """
    _subtract_median(np.ascontiguousarray(frames, np.float32), size, mask, clip, out)


@jit
def _subtract_median(frames, size, mask, clip, out):
    """Do it to float32 frames: one compiled function serves all dtypes, and a copy in cache costs little."""
    n, rows, columns = out.shape
    reach = size // 2
    frame, level = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.int32)
    table = np.empty(max(65536, rows * columns), np.float32)
    histogram = np.zeros(len(table) + BLOCK, np.int32)
    blocks = np.zeros(len(histogram) // BLOCK + 1, np.int32)
    around_y, around_x = np.empty(rows + 2 * reach, np.int64), np.empty(columns + 2 * reach, np.int64)
    for k in range(len(around_y)):
        place = (k - reach) % (2 * rows)
        around_y[k] = place if place < rows else 2 * rows - 1 - place
    for k in range(len(around_x)):
        place = (k - reach) % (2 * columns)
        around_x[k] = place if place < columns else 2 * columns - 1 - place
    for i in range(n):
        for y in range(rows):
            for x in range(columns):
                frame[y, x] = frames[i, y, x]
        used = _levels(frame, mask, level, table)
        histogram[: used + 1] = 0
        blocks[: used // BLOCK + 1] = 0
        count, middle, below = 0, 0, 0  # `below`: pixels of the square of a level less than `middle`
        for k in range(size):
            for j in range(size):
                v = level[around_y[k], around_x[j]]
                if v >= 0:
                    histogram[v] += 1
                    blocks[v // BLOCK] += 1
                    count += 1
        x = 0
        for y in range(rows):
            step = 1 if y % 2 == 0 else -1
            for turn in range(columns):
                # 1. Where the median is: the level of the values number `low` and `high`, in order.
                low, high = (count - 1) // 2, count // 2
                if count:
                    while below > low:
                        if middle % BLOCK == 0:
                            while below - blocks[middle // BLOCK - 1] > low:
                                middle -= BLOCK
                                below -= blocks[middle // BLOCK]
                        middle -= 1
                        below -= histogram[middle]
                    while below + histogram[middle] <= low:
                        below += histogram[middle]
                        middle += 1
                        if middle % BLOCK == 0:
                            while below + blocks[middle // BLOCK] <= low:
                                below += blocks[middle // BLOCK]
                                middle += BLOCK
                    background = table[middle]
                    if below + histogram[middle] <= high:
                        above = middle + 1
                        while histogram[above] == 0:
                            above += 1
                        background = (background + table[above]) / 2
                    value = frame[y, x] - background
                    out[i, y, x] = np.float32(0) if clip and value < 0 else value
                else:
                    out[i, y, x] = np.nan
                # 2. One pixel on: along the row, at its end down.
                down = turn == columns - 1
                if down and y == rows - 1:
                    break
                for k in range(size):
                    if down:
                        gone = level[around_y[y], around_x[x + k]]
                        come = level[around_y[y + size], around_x[x + k]]
                    elif step > 0:
                        gone = level[around_y[y + k], around_x[x]]
                        come = level[around_y[y + k], around_x[x + size]]
                    else:
                        gone = level[around_y[y + k], around_x[x + size - 1]]
                        come = level[around_y[y + k], around_x[x - 1]]
                    if gone >= 0:
                        histogram[gone] -= 1
                        blocks[gone // BLOCK] -= 1
                        below -= gone < middle
                        count -= 1
                    if come >= 0:
                        histogram[come] += 1
                        blocks[come // BLOCK] += 1
                        below += come < middle
                        count += 1
                if not down:
                    x += step
