"""One number a frame: sums of its pixels, all of them, inside a detector, or weighted.

Sums of integers without weights are exact; see `lazy4d.kernels.accumulate` for the dtypes. Weighted sums
are float64. A frame's result does not depend on the frames it shares a tile with, to the last bit.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit_fast
from lazy4d.kernels.accumulate import RUN, plus, widen

BLOCK = 4096
"""Pixels of all frames of a tile that meet all sets of weights before the next pixels do, to stay in cache."""


@jit_fast
def _sum_run(pixels, start, stop, total):
    """``total + sum(pixels[start:stop])`` in the type of `total`."""
    for left in range(start, stop, RUN):
        right = min(left + RUN, stop)
        part = widen(pixels.dtype.type(0))
        for p in range(left, right):
            part = plus(part, widen(pixels[np.uintp(p)]))  # unsigned: no test for negative indices in the loop
        total = plus(total, part)
    return total


@jit_fast
def total_intensity(frames, out):
    """Sum of all pixels of each frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    out : ndarray [n]
        Filled; of dtype `accumulate.sum_dtype` of the frames'.

    Examples
    --------
    >>> out = np.empty(2, np.uint64)
    >>> total_intensity(np.full((2, 3, 4), 65535, np.uint16), out)
    >>> out
    array([786420, 786420], dtype=uint64)
    """
    n = frames.shape[0]
    size = frames.shape[1] * frames.shape[2]
    pixels = frames.reshape(n * size)
    for i in range(n):
        out[i] = _sum_run(pixels, i * size, (i + 1) * size, out.dtype.type(0))


@jit_fast
def sum_spans(frames, spans, out):
    """Sum of each frame's pixels inside a binary detector that is kept as runs of pixels.

    Only pixels of the detector are read, so that a small detector costs little. Runs are clipped to the frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    spans : ndarray of int64 [k, 2]
        Runs ``[start, stop)`` of indices into the flattened frame, as `lazy4d.roi` makes them.
    out : ndarray [n]
        Filled; of dtype `accumulate.sum_dtype` of the frames'.

    Examples
    --------
    >>> frames = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    >>> out = np.empty(1, np.uint64)
    >>> sum_spans(frames, np.array([[1, 3], [5, 7]]), out)
    >>> int(out[0]) == 1 + 2 + 5 + 6
    True
    """
    n = frames.shape[0]
    size = frames.shape[1] * frames.shape[2]
    pixels = frames.reshape(n * size)
    for i in range(n):
        first = i * size
        total = out.dtype.type(0)
        for k in range(spans.shape[0]):
            total = _sum_run(pixels, first + max(spans[k, 0], 0), first + min(spans[k, 1], size), total)
        out[i] = total


@jit_fast
def weighted_sum(frames, weights, out):
    """Sum of ``weights * frame`` for each frame, in float64.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    weights : ndarray of float64 or float32 [ky, kx]
        Factor of each pixel, the same for all frames; float32 halves what is read of it, products and sums
        are float64 all the same.
    out : ndarray of float64 [n]
        Filled. As in numpy, a pixel of nan or inf gives nan even where its weight is 0.

    Examples
    --------
    >>> out = np.empty(1)
    >>> weighted_sum(np.ones((1, 2, 2), np.uint8), np.array([[0.5, 0.25], [0, 1]]), out)
    >>> float(out[0])
    1.75
    """
    n = frames.shape[0]
    size = weights.size
    flat = frames.reshape(n, size)
    factor = weights.reshape(size)
    # Four frames at a time read the weights once. The last group takes the last frame several times rather than run
    # another loop, so that rounding does not depend on a frame's place in its tile.
    for i in range(0, n, 4):
        i1, i2, i3 = min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
        a, b, c, d = flat[i], flat[i1], flat[i2], flat[i3]
        sum_a, sum_b, sum_c, sum_d = 0.0, 0.0, 0.0, 0.0
        for p in range(size):
            w = np.float64(factor[p])
            sum_a += w * a[p]
            sum_b += w * b[p]
            sum_c += w * c[p]
            sum_d += w * d[p]
        out[i] = sum_a
        out[i1] = sum_b
        out[i2] = sum_c
        out[i3] = sum_d


@jit_fast
def _sixteen_sums(a, b, c, d, p, q, r, s):
    """Sum the products of each of four runs of pixels with each of four runs of weights, kept in registers."""
    ap, aq, ar, as_ = 0.0, 0.0, 0.0, 0.0
    bp, bq, br, bs = 0.0, 0.0, 0.0, 0.0
    cp, cq, cr, cs = 0.0, 0.0, 0.0, 0.0
    dp, dq, dr, ds = 0.0, 0.0, 0.0, 0.0
    for k in range(a.size):
        va, vb, vc, vd = np.float64(a[k]), np.float64(b[k]), np.float64(c[k]), np.float64(d[k])
        wp, wq, wr, ws = np.float64(p[k]), np.float64(q[k]), np.float64(r[k]), np.float64(s[k])
        ap, aq, ar, as_ = ap + va * wp, aq + va * wq, ar + va * wr, as_ + va * ws
        bp, bq, br, bs = bp + vb * wp, bq + vb * wq, br + vb * wr, bs + vb * ws
        cp, cq, cr, cs = cp + vc * wp, cq + vc * wq, cr + vc * wr, cs + vc * ws
        dp, dq, dr, ds = dp + vd * wp, dq + vd * wq, dr + vd * wr, ds + vd * ws
    return ap, aq, ar, as_, bp, bq, br, bs, cp, cq, cr, cs, dp, dq, dr, ds


@jit_fast
def weighted_sums(frames, weights, out):
    """Sums of ``weights[j] * frame`` for each frame and each of several sets of weights, in float64.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    weights : ndarray of float64 or float32 [m, ky * kx]
        Sets of weights over the flattened frame. Many sets are larger than the cache, and then their bytes set the
        speed: float32 is faster, and products and sums are float64 all the same.
    out : ndarray of float64 [n, m]
        Filled. As in numpy, a pixel of nan or inf gives nan even where its weight is 0.

    Notes
    -----
    A matrix product, but with integer pixels widened in registers; for the few frames of a tile that is two to four
    times as fast as BLAS, and starts no threads.

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> weighted_sums(np.ones((1, 2, 2), np.uint8), np.array([[1.0, 1, 1, 1], [0, 0, 0, 2]]), out)
    >>> out
    array([[4., 2.]])
    """
    n = frames.shape[0]
    m, size = weights.shape
    flat = frames.reshape(n, size)
    out[:] = 0
    for left in range(0, size, BLOCK):
        right = min(left + BLOCK, size)
        for j in range(0, m, 4):
            j1, j2, j3 = min(j + 1, m - 1), min(j + 2, m - 1), min(j + 3, m - 1)
            p, q = weights[j][left:right], weights[j1][left:right]
            r, s = weights[j2][left:right], weights[j3][left:right]
            for i in range(0, n, 4):
                i1, i2, i3 = min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
                a, b = flat[i][left:right], flat[i1][left:right]
                c, d = flat[i2][left:right], flat[i3][left:right]
                sums = _sixteen_sums(a, b, c, d, p, q, r, s)
                for row in range(min(4, n - i)):
                    for column in range(min(4, m - j)):
                        out[i + row, j + column] += sums[4 * row + column]
