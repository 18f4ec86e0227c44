"""Sums of a frame over a set of pixels around every pixel, by few lookups in running sums.

A set such as a disk is cut into one rectangle and straight runs of pixels. The sum over a run is the difference of two
numbers of an image of running sums (along columns, or along rows), that over the rectangle one of four numbers of an
image summed both ways (Crow, SIGGRAPH 1984, doi 10.1145/800031.808600). A disk of radius r takes about 2.4 r + 4 such
differences instead of π r² products, and whole numbers are summed exactly: overflow on the way cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit_fast

COLUMNS, ROWS, BOTH = 0, 1, 2
"""Running sums along columns, along rows, along both: the places in a stack of images."""
AT_ONCE = 4
"""Differences that one pass over a line takes."""


def differences(pixels: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How to sum over a set of pixels around a middle one: few differences of two running sums.

    Parameters
    ----------
    pixels : ndarray of bool [m, m]
        The set, m odd, about pixel ``m // 2``.

    Returns
    -------
    ndarray of int64 [k, 5]
        Which image, then row and column of what is added, then of what is taken away, counted from the middle pixel.
        Lines of zeros make k a multiple of `AT_ONCE`.

    Examples
    --------
    >>> differences(np.ones((1, 3), bool).repeat(3, axis=0))[:2].tolist()
    [[2, 2, 2, 2, -1], [2, -1, -1, -1, 2]]
    """
    found = _cut(pixels, _best_box(pixels))
    filled = np.zeros((max(1, -(-len(found) // AT_ONCE)) * AT_ONCE, 5), np.int64)
    if found:
        filled[: len(found)] = found
        filled[: len(found), 1:] -= len(pixels) // 2
    return filled


def _best_box(pixels: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """First and last row and column of the rectangle inside the set that leaves the least to do; None is best too."""
    rows, columns = np.nonzero(pixels.any(axis=1))[0], np.nonzero(pixels.any(axis=0))[0]
    if not len(rows):
        return None
    both = np.zeros((len(pixels) + 1, len(pixels) + 1), np.int64)
    both[1:, 1:] = pixels.cumsum(axis=0).cumsum(axis=1)
    starts = np.diff(pixels, axis=0, prepend=False) & pixels
    in_columns = starts.sum(axis=0)  # runs of each column
    best, least = None, int(in_columns.sum())
    for shrunk_y in range((rows[-1] - rows[0]) // 2 + 1):
        top, bottom = int(rows[0]) + shrunk_y, int(rows[-1]) - shrunk_y + 1
        for shrunk_x in range((columns[-1] - columns[0]) // 2 + 1):
            left, right = int(columns[0]) + shrunk_x, int(columns[-1]) - shrunk_x + 1
            inside = both[bottom, right] - both[top, right] - both[bottom, left] + both[top, left]
            if inside < (bottom - top) * (right - left):
                continue
            others = np.delete(pixels[:, left:right], np.s_[top:bottom], axis=0)
            in_rows = (np.diff(others, axis=1, prepend=False) & others).sum()
            number = 2 + int(in_rows) + int(in_columns[:left].sum() + in_columns[right:].sum())
            if number < least:
                best, least = (top, bottom - 1, left, right - 1), number
            break  # a narrower rectangle of this height leaves more to the runs
    return best


def _cut(pixels: NDArray[np.bool_], box: tuple[int, int, int, int] | None) -> list[tuple[int, int, int, int, int]]:
    """Differences for a rectangle of the set, runs of rows above and below it, and runs of columns for the rest."""
    rest, found = pixels.copy(), []
    if box is not None:
        top, bottom, left, right = box
        found.append((BOTH, bottom + 1, right + 1, bottom + 1, left))
        found.append((BOTH, top, left, top, right + 1))
        rest[top : bottom + 1, left : right + 1] = False
        for y in (*range(top), *range(bottom + 1, len(pixels))):
            for start, stop in _runs(rest[y, left : right + 1]):
                found.append((ROWS, y + 1, left + stop, y + 1, left + start))
        rest[:, left : right + 1] = False
    for x in range(len(pixels)):
        for start, stop in _runs(rest[:, x]):
            found.append((COLUMNS, stop, x, start, x))
    return found


def _runs(line: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last of each unbroken run of True."""
    steps = np.diff(line.astype(np.int8), prepend=0, append=0)
    return [(int(a), int(b)) for a, b in zip(np.nonzero(steps == 1)[0], np.nonzero(steps == -1)[0], strict=True)]


def room_for_sums(frame_shape: tuple[int, int], half: int, dtype: Any) -> NDArray[Any]:
    """Zeros for the running sums of a frame: [3, ky + 2, kx + margins], for sets that reach `half` pixels.

    Examples
    --------
    >>> room_for_sums((4, 6), 2, np.int32).shape
    (3, 6, 14)
    """
    return np.zeros((3, frame_shape[0] + 2, frame_shape[1] + 2 * half + 4), dtype)


@jit_fast
def running_sums(frame, mask, square, left, sums):
    """Fill `sums` [3, ky + 2, kx + margins] with the running sums of a frame, or of its squares.

    Row k holds what is above row k of the frame (columns, both) or row k - 1 itself (rows); the first and the last row,
    and the margins, are what they would be if the frame went on as zeros. Pixels of mask 0 count as 0; a mask of size 0
    is none.

    Examples
    --------
    >>> sums = room_for_sums((1, 3), 0, np.int32)
    >>> running_sums(np.array([[1, 2, 3]], np.uint16), np.empty((0, 0), np.uint8), False, 1, sums)
    >>> sums[0, 1, 1:4], sums[1, 1, 1:5], sums[2, 2, 1:5]
    (array([1, 2, 3], dtype=int32), array([0, 1, 3, 6], dtype=int32), array([0, 1, 3, 6], dtype=int32))
    """
    ky, kx = frame.shape
    for y in range(ky):
        pixels = frame[y]
        above, below = sums[0, y][left : left + kx], sums[0, y + 1][left : left + kx]
        line = sums[1, y + 1]
        values = line[left + 1 : left + 1 + kx]
        for x in range(kx):
            values[x] = pixels[x]
        if square:
            for x in range(kx):
                values[x] *= values[x]
        if mask.size:
            keep = mask[y]
            for x in range(kx):
                values[x] = values[x] if keep[x] != 0 else 0
        for x in range(kx):
            below[x] = above[x] + values[x]
        total = line[left]
        for x in range(kx):
            total += values[x]
            values[x] = total
        line[left + kx + 1 :] = total
        both_above, both_below = sums[2, y], sums[2, y + 1]
        for x in range(sums.shape[2]):
            both_below[x] = both_above[x] + line[x]
    sums[0, ky + 1] = sums[0, ky]
    sums[2, ky + 1] = sums[2, ky]


@jit_fast
def sum_line(sums, pairs, y, start, line):
    """Sums over a set around pixels ``(y, x), (y, x + 1), …`` of the frame: fills `line`.

    `x` may be -1 and `y` anything: what is outside of the frame is 0.

    Examples
    --------
    >>> sums, line = room_for_sums((1, 3), 1, np.int32), np.empty(3, np.int32)
    >>> running_sums(np.array([[1, 2, 3]], np.uint16), np.empty((0, 0), np.uint8), False, 2, sums)
    >>> sum_line(sums, differences(np.ones((3, 3), bool)), 0, 2, line)
    >>> line
    array([3, 6, 5], dtype=int32)
    """
    n, last = len(line), sums.shape[1] - 1
    line[:] = 0
    for k in range(0, len(pairs), AT_ONCE):
        c, d, e, f = pairs[k], pairs[k + 1], pairs[k + 2], pairs[k + 3]
        c0, c1 = start + c[2], start + c[4]
        d0, d1 = start + d[2], start + d[4]
        e0, e1 = start + e[2], start + e[4]
        f0, f1 = start + f[2], start + f[4]
        ca, cb = sums[c[0], min(max(y + c[1], 0), last)], sums[c[0], min(max(y + c[3], 0), last)]
        da, db = sums[d[0], min(max(y + d[1], 0), last)], sums[d[0], min(max(y + d[3], 0), last)]
        ea, eb = sums[e[0], min(max(y + e[1], 0), last)], sums[e[0], min(max(y + e[3], 0), last)]
        fa, fb = sums[f[0], min(max(y + f[1], 0), last)], sums[f[0], min(max(y + f[3], 0), last)]
        ca, cb, da, db = ca[c0 : c0 + n], cb[c1 : c1 + n], da[d0 : d0 + n], db[d1 : d1 + n]
        ea, eb, fa, fb = ea[e0 : e0 + n], eb[e1 : e1 + n], fa[f0 : f0 + n], fb[f1 : f1 + n]
        for x in range(n):
            line[x] += ((ca[x] - cb[x]) + (da[x] - db[x])) + ((ea[x] - eb[x]) + (fa[x] - fb[x]))
