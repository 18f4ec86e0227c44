"""What a first look at a scan adds up in one go: each frame's bins, and the sum, maximum and squares of each pixel.

Pixels are taken a strip at a time of all frames of a tile, in groups of four frames, and bins in groups of four rows,
so that what is added up stays in the nearest cache and is read and written once a group; every loop does one thing, so
that it runs in vector registers. NaN counts as 0, so that a dead pixel does not hide a frame.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit_fast
from lazy4d.kernels.accumulate import plus, wide_zeros

STRIP = 1024
"""Pixels of all frames that are added up before the next ones: they and their sums fit into the nearest cache."""


@jit_fast
def _strip(flat, chosen, k, left, right, otherwise):
    """Pixels of the k-th chosen frame, or of `otherwise` beyond the last one."""
    return flat[chosen[k], left:right] if k < chosen.size else otherwise[: right - left]


@jit_fast
def summarize_pixels(frames, chosen, total, largest, squares):
    """Add the chosen frames of a tile to what is known of each pixel.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    chosen : ndarray of int64 [k]
        Which frames.
    total : ndarray [ky, kx]
        State, from 0: the sum of each pixel; of dtype `accumulate.sum_dtype`.
    largest : ndarray [ky, kx]
        State, from the lowest value: the maximum of each pixel, of the frames' dtype; NaN is passed over.
    squares : ndarray of uint64 or float64 [ky, kx]
        State, from 0: the sum of each pixel's squares. uint64 for pixels of at most 16 bits, which it holds exactly.

    Examples
    --------
    >>> total, largest, squares = np.zeros((1, 2), np.uint64), np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint64)
    >>> summarize_pixels(np.array([[[1, 5]], [[4, 2]]], np.uint8), np.array([0, 1]), total, largest, squares)
    >>> total, largest, squares
    (array([[5, 7]], dtype=uint64), array([[4, 5]], dtype=uint8), array([[17, 29]], dtype=uint64))
    """
    size = total.size
    flat = frames.reshape(frames.shape[0], size)
    t, m, q = total.reshape(size), largest.reshape(size), squares.reshape(size)
    nothing = np.zeros(STRIP, frames.dtype)
    for left in range(0, size, STRIP):
        right = min(left + STRIP, size)
        sums, tops, powers = t[left:right], m[left:right], q[left:right]
        for k in range(0, chosen.size, 4):
            a = _strip(flat, chosen, k, left, right, nothing)
            b = _strip(flat, chosen, k + 1, left, right, nothing)
            c = _strip(flat, chosen, k + 2, left, right, nothing)
            d = _strip(flat, chosen, k + 3, left, right, nothing)
            for p in range(sums.size):
                sums[p] = plus(sums[p], _four(a[p], b[p], c[p], d[p], sums))
            for p in range(sums.size):
                powers[p] = plus(powers[p], _four_squares(a[p], b[p], c[p], d[p], powers))
            b, c = (b if k + 1 < chosen.size else a), (c if k + 2 < chosen.size else a)
            d = d if k + 3 < chosen.size else a
            for p in range(sums.size):
                top = tops[p]
                top = a[p] if a[p] > top else top
                top = b[p] if b[p] > top else top
                top = c[p] if c[p] > top else top
                tops[p] = d[p] if d[p] > top else top


@jit_fast
def _number(pixel, like):
    """A pixel in the dtype of `like`; 0 where it is not a number."""
    value = like.dtype.type(pixel)
    return value if value == value else like.dtype.type(0)


@jit_fast
def _four(a, b, c, d, like):
    return plus(plus(_number(a, like), _number(b, like)), plus(_number(c, like), _number(d, like)))


@jit_fast
def _four_squares(a, b, c, d, like):
    a, b, c, d = _number(a, like), _number(b, like), _number(c, like), _number(d, like)
    return plus(plus(a * a, b * b), plus(c * c, d * d))


@jit_fast
def _column_sums(pixels, at, lines, values):
    """Fill `values` with the sums of `lines` lines of pixels as long as it, one after the other from `at`."""
    n = values.size
    values[:] = values.dtype.type(0)
    while lines >= 4:
        a, b, c, d = pixels[at : at + n], pixels[at + n :], pixels[at + 2 * n :], pixels[at + 3 * n :]
        for x in range(n):
            values[x] = plus(values[x], _four(a[x], b[x], c[x], d[x], values))
        at += 4 * n
        lines -= 4
    while lines >= 1:
        a = pixels[at : at + n]
        for x in range(n):
            values[x] = plus(values[x], _number(a[x], values))
        at += n
        lines -= 1


@jit_fast
def _add_pairs(values, count, out):
    for c in range(count):
        out[c] = plus(values[2 * c], values[2 * c + 1])


@jit_fast
def bin_frames(frames, chosen, height, width, out, intensity):
    """Sum the pixels of each of the chosen frames, in bins and altogether.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    chosen : ndarray of int64 [k]
        Which frames.
    height, width : int
        Pixels of a bin; the last ones hold what is left. Together at most 65536 for pixels of 16 bits and less.
    out : ndarray [n, bins]
        Filled for the chosen frames, bins in rows; of the dtype of `accumulate.widen`. NaN counts as 0.
    intensity : ndarray [n]
        Filled for the chosen frames: the sum of all bins; of dtype `accumulate.sum_dtype`.

    Examples
    --------
    >>> out, intensity = np.zeros((1, 2), np.uint32), np.zeros(1, np.uint64)
    >>> bin_frames(np.arange(8, dtype=np.uint8).reshape(1, 2, 4), np.array([0]), 2, 3, out, intensity)
    >>> out, intensity
    (array([[18, 10]], dtype=uint32), array([28], dtype=uint64))
    """
    n, ky, kx = frames.shape
    across, down = -(-kx // width), -(-ky // height)
    padded = across * width
    group = max(1, min(down, 2048 // padded))  # rows of bins that are long enough together to run in registers
    pixels = frames.reshape(n * ky * kx)
    values, spare = wide_zeros(frames, group * padded), wide_zeros(frames, group * padded)
    zero = values[0]
    for i in chosen:
        total = intensity.dtype.type(0)
        for first in range(0, down, group):
            rows = min(group, down - first)
            for b in range(rows):
                y = (first + b) * height
                for p in range(b * padded + kx, (b + 1) * padded):
                    values[p] = zero
                _column_sums(pixels, (i * ky + y) * kx, min(height, ky - y), values[b * padded : b * padded + kx])
            count, left = rows * across, width
            while left % 2 == 0:
                left //= 2
                _add_pairs(values, count * left, spare)
                values, spare = spare, values
            line = out[i][first * across : first * across + count]
            if left == 1:
                for c in range(count):
                    line[c] = values[c]
                    total = plus(total, values[c])
            else:
                for c in range(count):
                    value = zero
                    for p in range(c * left, (c + 1) * left):
                        value = plus(value, values[p])
                    line[c] = value
                    total = plus(total, value)
        intensity[i] = total


@jit_fast
def measure_frames(frames, chosen, largest, squares):
    """Find the largest pixel and sum the squared pixels of each of the chosen frames.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    chosen : ndarray of int64 [k]
        Which frames.
    largest : ndarray [n]
        Raised to the largest pixel, from the lowest value there is; of the frames' dtype. NaN is passed over.
    squares : ndarray of uint64 or float64 [n]
        Filled; as for `summarize_pixels`.

    Examples
    --------
    >>> largest, squares = np.zeros(1, np.uint16), np.zeros(1, np.uint64)
    >>> measure_frames(np.array([[[1, 3]]], np.uint16), np.array([0]), largest, squares)
    >>> largest, squares
    (array([3], dtype=uint16), array([10], dtype=uint64))
    """
    size = frames.shape[1] * frames.shape[2]
    flat = frames.reshape(frames.shape[0], size)
    zero = squares.dtype.type(0)
    for i in chosen:
        pixels = flat[i]
        top = largest[i]
        for p in range(size):
            top = pixels[p] if pixels[p] > top else top
        total = zero
        for p in range(size):
            value = _number(pixels[p], squares)
            total = plus(total, value * value)
        largest[i] = top
        squares[i] = total
