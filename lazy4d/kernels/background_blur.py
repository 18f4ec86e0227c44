"""Patterns blurred by Gaussians: what is smoother than a disk is background."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit_fast


@jit_fast
def _mirrored(place, size):
    """The pixel that stands for one outside of the frame, which is mirrored with its edge."""
    place %= 2 * size
    return place if place < size else 2 * size - 1 - place


@jit_fast
def blur(frame, taps_y, taps_x, padded, rows_done, out):
    """One frame blurred along both axes; beyond its edge it is mirrored, edge pixels included.

    Parameters
    ----------
    frame : ndarray of float32 [ky, kx]
        The frame.
    taps_y, taps_x : ndarray of float32 [2 r + 1]
        Weights along the axes.
    padded : ndarray of float32, at least kx + 2 r
        Overwritten.
    rows_done : ndarray of float32 [ky, kx]
        Overwritten.
    out : ndarray of float32 [ky, kx]
        Filled.

    Examples
    --------
    >>> frame, out = np.array([[0, 0, 4]], np.float32), np.empty((1, 3), np.float32)
    >>> taps = np.array([0.25, 0.5, 0.25], np.float32)
    >>> blur(frame, taps[:1] * 4, taps, np.empty(5, np.float32), np.empty_like(out), out)
    >>> out.tolist()
    [[0.0, 1.0, 3.0]]
    """
    rows, columns = frame.shape
    reach, taps = len(taps_x) // 2, len(taps_x)
    for y in range(rows):
        source, target = frame[y], rows_done[y]
        for x in range(columns):
            padded[reach + x] = source[x]
            target[x] = 0
        for x in range(reach):
            padded[x] = source[_mirrored(x - reach, columns)]
            padded[reach + columns + x] = source[_mirrored(columns + x, columns)]
        k = 0
        # Four taps a turn: the sums are then loaded and stored once for four products.
        while k + 4 <= taps:
            wa, wb, wc, wd = taps_x[k], taps_x[k + 1], taps_x[k + 2], taps_x[k + 3]
            a = padded[k:]
            for x in range(columns):
                target[x] += (wa * a[x] + wb * a[x + 1]) + (wc * a[x + 2] + wd * a[x + 3])
            k += 4
        while k < taps:
            wa, a = taps_x[k], padded[k:]
            for x in range(columns):
                target[x] += wa * a[x]
            k += 1
    reach, taps = len(taps_y) // 2, len(taps_y)
    for y in range(rows):
        target = out[y]
        for x in range(columns):
            target[x] = 0
        k = 0
        while k + 4 <= taps:
            wa, wb, wc, wd = taps_y[k], taps_y[k + 1], taps_y[k + 2], taps_y[k + 3]
            first, second = rows_done[_mirrored(y + k - reach, rows)], rows_done[_mirrored(y + k + 1 - reach, rows)]
            third, fourth = rows_done[_mirrored(y + k + 2 - reach, rows)], rows_done[_mirrored(y + k + 3 - reach, rows)]
            for x in range(columns):
                target[x] += (wa * first[x] + wb * second[x]) + (wc * third[x] + wd * fourth[x])
            k += 4
        while k < taps:
            wa, first = taps_y[k], rows_done[_mirrored(y + k - reach, rows)]
            for x in range(columns):
                target[x] += wa * first[x]
            k += 1


def gaussian_difference(frames, narrow_y, narrow_x, wide_y, wide_x, mask, clip, out):
    """Frames blurred a little less frames blurred much.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous. NaN pixels do not count: blurred frames are means of the pixels that do.
    narrow_y, narrow_x, wide_y, wide_x : ndarray of float32 [2 r + 1]
        Weights of sum 1 along the axes.
    mask : ndarray of uint8 [ky, kx]
        Pixels that count; size 0: all.
    clip : bool
        Negative results become 0.
    out : ndarray of float32 [n, ky, kx]
        Filled, NaN where no pixel within reach counts.

    Examples
    --------
    >>> out, one = np.empty((1, 1, 3), np.float32), np.ones(1, np.float32)
    >>> wide, mask = np.array([0.25, 0.5, 0.25], np.float32), np.empty((0, 0), np.uint8)
    >>> gaussian_difference(np.array([[[0, 0, 4]]], np.uint8), one, one, one, wide, mask, False, out)
    >>> out.tolist()
    [[[0.0, -1.0, 1.0]]]
    """
    _gaussian_difference(np.ascontiguousarray(frames, np.float32), narrow_y, narrow_x, wide_y, wide_x, mask, clip, out)


@jit_fast
def _gaussian_difference(frames, narrow_y, narrow_x, wide_y, wide_x, mask, clip, out):
    """Do it to float32 frames: one compiled function serves all dtypes, and a copy in cache costs little."""
    n, rows, columns = out.shape
    frame, known = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    rows_done, blurred = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    narrow_share, wide_share = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    padded = np.empty(columns + max(len(narrow_x), len(wide_x)), np.float32)
    shares_of_mask = False
    for i in range(n):
        complete, unknown = mask.size == 0, 0
        for y in range(rows):
            for x in range(columns):
                value = frames[i, y, x]
                unknown += value != value
                frame[y, x] = value
        if unknown or not complete:
            for y in range(rows):
                for x in range(columns):
                    counts = frame[y, x] == frame[y, x] and (complete or mask[y, x] != 0)
                    known[y, x] = np.float32(counts)
                    if not counts:
                        frame[y, x] = 0
            if unknown or not shares_of_mask:
                blur(known, narrow_y, narrow_x, padded, rows_done, narrow_share)
                blur(known, wide_y, wide_x, padded, rows_done, wide_share)
                shares_of_mask = not unknown
        blur(frame, narrow_y, narrow_x, padded, rows_done, out[i])
        blur(frame, wide_y, wide_x, padded, rows_done, blurred)
        for y in range(rows):
            for x in range(columns):
                value = out[i, y, x] - blurred[y, x]
                if unknown or not complete:
                    a, b = narrow_share[y, x], wide_share[y, x]
                    # Less than a millionth is rounding of the sums.
                    value = out[i, y, x] / a - blurred[y, x] / b if a > 1e-6 and b > 1e-6 else np.float32(np.nan)
                out[i, y, x] = np.float32(0) if clip and value < 0 else value
