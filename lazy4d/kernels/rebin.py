"""Sums of neighbouring pixels: smaller frames with the same counts."""

from __future__ import annotations

from lazy4d.kernels._jit import jit_fast
from lazy4d.kernels.accumulate import plus, wide_zeros


@jit_fast
def _fold(sums, factor, out):
    """Add up `factor` neighbours; the usual factors are spelled out, which lets the compiler use vectors."""
    if factor == 1:
        for k in range(out.size):
            out[k] = sums[k]
    elif factor == 2:
        for k in range(out.size):
            out[k] = plus(out.dtype.type(sums[2 * k]), sums[2 * k + 1])
    elif factor == 4:
        for k in range(out.size):
            left = plus(out.dtype.type(sums[4 * k]), sums[4 * k + 1])
            right = plus(out.dtype.type(sums[4 * k + 2]), sums[4 * k + 3])
            out[k] = plus(left, right)
    else:
        for k in range(out.size):
            total = out.dtype.type(0)
            for j in range(factor):
                total = plus(total, sums[k * factor + j])
            out[k] = total


@jit_fast
def rebin_sum(frames, fy, fx, out):
    """Sum of each ``fy × fx`` group of pixels; rows and columns that fill no group are left out.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    fy, fx : int
        Pixels a group; `fy` at most 65536.
    out : ndarray [n, ky // fy, kx // fx]
        Filled. Exact for integers where its dtype holds ``fy * fx`` times the largest pixel;
        `accumulate.sum_dtype` of the frames' always does.

    Examples
    --------
    >>> out = np.empty((1, 1, 2), np.uint64)
    >>> rebin_sum(np.ones((1, 3, 5), np.uint16), 3, 2, out)
    >>> out
    array([[[6, 6]]], dtype=uint64)
    """
    n, rows, columns = out.shape
    width = columns * fx
    sums = wide_zeros(frames, width)
    for i in range(n):
        for y in range(rows):
            row = frames[i, y * fy]
            for k in range(width):
                sums[k] = row[k]
            for j in range(1, fy):
                row = frames[i, y * fy + j]
                for k in range(width):
                    sums[k] = plus(sums[k], row[k])
            _fold(sums, fx, out[i, y])
