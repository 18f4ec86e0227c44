"""Azimuthal integration by an operator: sums of pixels, each with its share, over the bins of a polar grid.

The operator is a sparse matrix [bins, pixels] in rows: bin b holds the pixels ``pixels[starts[b]:starts[b + 1]]`` with
the shares ``weights[...]`` of them. With W = Σ w, V = Σ w² and S = Σ w I over the pixels of a bin:

==============  ==========================================================================
sum             S
mean            m = S / W
variance        s² = Σ w (I - m)² / W
standard error  sqrt(V / W² · Σ w (I - m)² / (W - V / W)), from the spread within the bin
Poisson error   sqrt(Σ w² I) / W, of the mean of counts of independent electrons
==============  ==========================================================================

All are added up in float64 in the order of the pixels. A bin without pixels has the sum 0 and is nan otherwise.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit

SUM, MEAN, VARIANCE, STANDARD_ERROR, POISSON_ERROR = range(5)


@jit
def statistic_of(statistic, total, weight, square, spread):
    """One number of a bin from S, W, V and, where it has one, its second sum."""
    if statistic == SUM:
        return total
    if weight == 0:
        return np.nan
    if statistic == MEAN:
        return total / weight
    if statistic == VARIANCE:
        return spread / weight
    if statistic == STANDARD_ERROR:
        free = weight - square / weight
        return math.sqrt(spread * square / free) / weight if free > 1e-9 * weight else np.nan
    return math.sqrt(spread) / weight


@jit
def _bin_statistic(frame, pixels, weights, start, stop, statistic, skip_nan):
    """One number of a bin, in two passes so that a small variance does not drown in rounding."""
    total, weight, square = 0.0, 0.0, 0.0
    for e in range(start, stop):
        value = np.float64(frame[np.uintp(pixels[np.uintp(e)])])
        w = weights[np.uintp(e)] if not skip_nan or value == value else 0.0
        total += w * value if w != 0 else 0.0
        weight += w
        square += w * w
    if statistic <= MEAN or weight == 0:
        return statistic_of(statistic, total, weight, square, 0.0)
    mean, spread = total / weight, 0.0
    for e in range(start, stop):
        value = np.float64(frame[np.uintp(pixels[np.uintp(e)])])
        if skip_nan and value != value:
            continue
        w = weights[np.uintp(e)]
        spread += w * w * value if statistic == POISSON_ERROR else w * (value - mean) * (value - mean)
    return statistic_of(statistic, total, weight, square, spread)


@jit
def azimuthal_bins(frames, starts, pixels, weights, statistic, skip_nan, out):
    """One number of each bin of each frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    starts : ndarray of int64 [bins + 1]
        Where the entries of each bin begin.
    pixels : ndarray of int32 [entries]
        Indices into the flattened frame.
    weights : ndarray of float64 [entries]
        Shares of these pixels, not 0.
    statistic : int
        `SUM`, `MEAN`, `VARIANCE`, `STANDARD_ERROR` or `POISSON_ERROR`.
    skip_nan : bool
        Leave pixels of nan out; otherwise the bins they have a share in are nan.
    out : ndarray of float64 [n, bins]
        Filled.

    Examples
    --------
    >>> out = np.empty((1, 3))
    >>> starts, pixels = np.array([0, 2, 2, 3]), np.array([0, 1, 1], np.int32)
    >>> frames = np.array([[[4, 8]]], np.uint16)
    >>> azimuthal_bins(frames, starts, pixels, np.array([1.0, 0.5, 0.5]), MEAN, False, out)
    >>> out
    array([[5.33333333,        nan, 8.        ]])
    """
    n, ky, kx = frames.shape
    flat = frames.reshape(n, ky * kx)
    if statistic > MEAN or skip_nan:
        for i in range(n):
            for b in range(out.shape[1]):
                out[i, b] = _bin_statistic(flat[i], pixels, weights, starts[b], starts[b + 1], statistic, skip_nan)
        return
    # Four frames at a time read the operator once. The last group takes the last frame several times rather than run
    # another loop, so that rounding does not depend on a frame's place in its tile.
    for i in range(0, n, 4):
        i1, i2, i3 = min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
        f, g, h, k = flat[i], flat[i1], flat[i2], flat[i3]
        for b in range(out.shape[1]):
            sum_f, sum_g, sum_h, sum_k, weight = 0.0, 0.0, 0.0, 0.0, 0.0
            for e in range(starts[b], starts[b + 1]):
                p, w = np.uintp(pixels[np.uintp(e)]), weights[np.uintp(e)]
                sum_f += w * f[p]
                sum_g += w * g[p]
                sum_h += w * h[p]
                sum_k += w * k[p]
                weight += w
            if statistic == MEAN:
                if weight == 0:
                    weight = np.nan
                sum_f, sum_g, sum_h, sum_k = sum_f / weight, sum_g / weight, sum_h / weight, sum_k / weight
            out[i, b] = sum_f
            out[i1, b] = sum_g
            out[i2, b] = sum_h
            out[i3, b] = sum_k


@jit
def mean_over_azimuth(frames, out):
    """Mean over the columns of each row of each frame, without those that are nan; nan where all are.

    Parameters
    ----------
    frames : ndarray [n, k, azimuth]
        Native, C-contiguous.
    out : ndarray of float64 [n, k]
        Filled.

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> mean_over_azimuth(np.array([[[1, 2, np.nan], [np.nan, np.nan, np.nan]]]), out)
    >>> out
    array([[1.5, nan]])
    """
    for i in range(frames.shape[0]):
        for k in range(frames.shape[1]):
            total, count = 0.0, 0
            for a in range(frames.shape[2]):
                value = np.float64(frames[i, k, a])
                if value == value:
                    total += value
                    count += 1
            out[i, k] = total / count if count > 0 else np.nan
