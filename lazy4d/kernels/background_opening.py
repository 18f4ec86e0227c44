"""White top-hat: a pattern less its morphological opening, which keeps what is narrower than a footprint."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit_fast


@jit_fast
def _least_around(frame, sign, half_widths, levels, out):
    """The least of ``sign * frame`` under a footprint about each pixel; beyond the edge the frame is mirrored.

    Row minima over 1, 2, 4, … pixels are made of each other; one of any length is the lesser of two of these
    (M. van Herk, 1992, does it in three comparisons a pixel, but not in vector registers).
    """
    rows, columns = frame.shape
    reach = len(half_widths) // 2
    width = columns + 2 * reach
    for y in range(rows):
        for x in range(columns):
            out[y, x] = np.inf
    for place in range(-reach, rows + reach):
        line = place % (2 * rows)
        source = frame[line if line < rows else 2 * rows - 1 - line]
        for x in range(columns):
            levels[0, reach + x] = sign * source[x]
        for x in range(reach):
            before, after = (x - reach) % (2 * columns), (columns + x) % (2 * columns)
            levels[0, x] = sign * source[before if before < columns else 2 * columns - 1 - before]
            levels[0, reach + columns + x] = sign * source[after if after < columns else 2 * columns - 1 - after]
        for j in range(1, len(levels)):
            step = 1 << (j - 1)
            shorter, longer = levels[j - 1], levels[j]
            for x in range(width - 2 * step + 1):
                a, b = shorter[x], shorter[x + step]
                longer[x] = a if a < b else b
        for k in range(len(half_widths)):
            target_row = place + reach - k
            half = half_widths[k]
            if target_row < 0 or target_row >= rows or half < 0:
                continue
            j = 0
            while (2 << j) <= 2 * half + 1:
                j += 1
            first, second = levels[j, reach - half :], levels[j, reach + half + 1 - (1 << j) :]
            target = out[target_row]
            for x in range(columns):
                a, b = first[x], second[x]
                least = a if a < b else b
                target[x] = least if least < target[x] else target[x]


def top_hat(frames, half_widths, mask, clip, out):
    """Frames less their opening, the highest of the least values under a footprint that each pixel lies in.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous; NaN pixels do not count and stay NaN.
    half_widths : ndarray of int64 [2 r + 1]
        The footprint, row by row: columns on either side of its middle, at most r; -1 for none. Point-symmetric.
    mask : ndarray of uint8 [ky, kx]
        Pixels that count; size 0: all.
    clip : bool
        Negative results, which only pixels that do not count have, become 0.
    out : ndarray of float32 [n, ky, kx]
        Filled, NaN where no pixel under the footprint counts.

    Examples
    --------
    >>> out, mask = np.empty((1, 1, 7), np.float32), np.empty((0, 0), np.uint8)
    >>> top_hat(np.array([[[2, 2, 9, 2, 5, 5, 5]]], np.uint8), np.array([-1, 1, -1]), mask, False, out)
    >>> out.tolist()
    [[[0.0, 0.0, 7.0, 0.0, 0.0, 0.0, 0.0]]]
    """
    _top_hat(np.ascontiguousarray(frames, np.float32), half_widths, mask, clip, out)


@jit_fast
def _top_hat(frames, half_widths, mask, clip, out):
    """Do it to float32 frames: one compiled function serves all dtypes, and a copy in cache costs little."""
    n, rows, columns = out.shape
    reach, depth = len(half_widths) // 2, 1
    while (2 << (depth - 1)) <= 2 * reach + 1:
        depth += 1
    levels = np.empty((depth, columns + 2 * reach), np.float32)
    frame, eroded = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    infinite = np.float32(np.inf)
    for i in range(n):
        for y in range(rows):
            for x in range(columns):
                value = frames[i, y, x]
                counts = value == value and (mask.size == 0 or mask[y, x] != 0)
                frame[y, x] = value if counts else infinite
        _least_around(frame, np.float32(1), half_widths, levels, eroded)
        for y in range(rows):
            for x in range(columns):
                if eroded[y, x] == infinite:
                    eroded[y, x] = -infinite  # nothing counts near by: no part in the highest
        _least_around(eroded, np.float32(-1), half_widths, levels, out[i])
        for y in range(rows):
            for x in range(columns):
                opened = -out[i, y, x]
                value = frames[i, y, x] - opened
                value = np.float32(0) if clip and value < 0 else value
                out[i, y, x] = value if opened > -infinite else np.float32(np.nan)
