"""Filters across the scan, pixel by pixel: rows of pixels, one a position, combined with those of neighbours.

A kernel here sees a stripe of all frames of a block, ``rows[positions, pixels]``, short enough to stay in cache.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit_fast


@jit_fast
def weighted_rows(rows, starts, index, weights, out):
    """Weighted sums of rows: a sparse matrix times a dense one.

    Parameters
    ----------
    rows : ndarray [m, pixels]
        float32 or float64.
    starts : ndarray of int64 [n + 1]
        Sum i has the terms ``starts[i]:starts[i + 1]``.
    index : ndarray of int64 [terms]
        Row of each term.
    weights : ndarray [terms]
        Of the dtype of `rows`.
    out : ndarray [n, pixels]
        Filled; of the dtype of `rows`.

    Examples
    --------
    >>> out = np.empty((1, 2), np.float32)
    >>> rows, weights = np.array([[1, 2], [3, 4]], np.float32), np.array([1, 10], np.float32)
    >>> weighted_rows(rows, np.array([0, 2]), np.array([0, 1]), weights, out)
    >>> out.tolist()
    [[31.0, 42.0]]
    """
    size = out.shape[1]
    for i in range(out.shape[0]):
        target = out[i]
        for p in range(size):
            target[p] = 0
        k, stop = starts[i], starts[i + 1]
        # Four terms a turn: the sums are then loaded and stored once for four products.
        while k + 4 <= stop:
            a, b, c, d = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
            wa, wb, wc, wd = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            for p in range(size):
                target[p] += (wa * a[p] + wb * b[p]) + (wc * c[p] + wd * d[p])
            k += 4
        while k < stop:
            a, wa = rows[index[k]], weights[k]
            for p in range(size):
                target[p] += wa * a[p]
            k += 1


@jit_fast
def median_rows(rows, index, pairs, low, high, scratch, out):
    """Medians over rows: each list of neighbours is sorted, as far as its middle needs it, by a network.

    Parameters
    ----------
    rows : ndarray [m, pixels]
        Without NaN.
    index : ndarray of int64 [n, k]
        The rows of each median.
    pairs : ndarray of int64 [c, 2]
        The network: places to compare and exchange, in order; see `median_network`.
    low, high : int
        Places of the middle values once sorted.
    scratch : ndarray [k, pixels]
        Overwritten.
    out : ndarray [n, pixels]
        Filled with the mean of the values at the two places.

    Examples
    --------
    >>> rows, out = np.array([[3.0], [9.0], [1.0]]), np.empty((1, 1))
    >>> median_rows(rows, np.array([[0, 1, 2]]), *median_network(3), np.empty((3, 1)), out)
    >>> out.item()
    3.0
    """
    size = out.shape[1]
    for i in range(out.shape[0]):
        for j in range(index.shape[1]):
            source, target = rows[index[i, j]], scratch[j]
            for p in range(size):
                target[p] = source[p]
        for c in range(pairs.shape[0]):
            a, b = scratch[pairs[c, 0]], scratch[pairs[c, 1]]
            for p in range(size):
                u, v = a[p], b[p]
                a[p] = u if u < v else v
                b[p] = v if u < v else u
        a, b, target = scratch[low], scratch[high], out[i]
        for p in range(size):
            target[p] = a[p] if low == high else (a[p] + b[p]) / 2


@lru_cache(maxsize=256)
def median_network(size: int) -> tuple[NDArray[np.int64], int, int]:
    """Comparisons that bring the middle values of a list to their places, and these places.

    Batcher's odd-even merge sort (K. E. Batcher, AFIPS 1968, doi:10.1145/1468075.1468121), without the comparisons
    that cannot reach the middle.

    Parameters
    ----------
    size : int
        Length of the list, at least 1.

    Returns
    -------
    pairs : ndarray of int64 [c, 2]
        Places ``(i, j)``; the smaller value goes to i.
    low, high : int
        Places of the lower and the upper median; one place for an odd `size`.

    Examples
    --------
    >>> pairs, low, high = median_network(9)
    >>> len(pairs), low, high
    (24, 4, 4)
    """
    low, high = (size - 1) // 2, size // 2
    needed, kept = {low, high}, []
    for i, j in reversed(_odd_even_merge_sort(size)):
        if i in needed or j in needed:
            needed |= {i, j}
            kept.append((i, j))
    return np.array(kept[::-1], np.int64).reshape(-1, 2), low, high


def _odd_even_merge_sort(size: int) -> list[tuple[int, int]]:
    """Comparisons that sort `size` values; for sizes between powers of two as if the rest were infinite."""
    pairs = []
    p = 1
    while p < size:
        k = p
        while k >= 1:
            for j in range(k % p, size - k, 2 * k):
                for i in range(min(k, size - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return pairs


@jit_fast
def compare_rows(rows, centers, index, gain, statistics):
    """Add to the statistics of pairs of positions what a stripe of their pixels says.

    Parameters
    ----------
    rows : ndarray [m, pixels]
        Counts; NaN is left out.
    centers : ndarray of int64 [n]
        The row of each position.
    index : ndarray of int64 [n, k]
        The rows it is compared with; -1: none.
    gain : float
        Counts an electron.
    statistics : ndarray of float64 [n, k, 4]
        Added to, with ``d = a - b`` and ``s = a + b`` of two pixels: ``d² - gain s``, whose expectation for Poisson
        counts is the squared difference of the means; ``2 (s² - gain s)``, of expectation ``8 mean²``, which times
        ``gain²`` is the variance of the first where both means are equal; ``s``; and the number of pixels.

    Examples
    --------
    >>> found = np.zeros((1, 1, 4))
    >>> compare_rows(np.array([[5, 1], [3, 1]], np.float32), np.array([0]), np.array([[1]]), 1.0, found)
    >>> found.tolist()
    [[[-6.0, 116.0, 10.0, 2.0]]]
    """
    size = rows.shape[1]
    zero, one, g = rows.dtype.type(0), rows.dtype.type(1), rows.dtype.type(gain)
    for i in range(index.shape[0]):
        a = rows[centers[i]]
        for j in range(index.shape[1]):
            if index[i, j] < 0:
                continue
            b = rows[index[i, j]]
            squares, products, total, count = zero, zero, zero, zero
            for p in range(size):
                d, s = a[p] - b[p], a[p] + b[p]
                known = d == d
                squares += d * d - g * s if known else zero
                products += s * s - g * s if known else zero
                total += s if known else zero
                count += one if known else zero
            statistics[i, j, 0] += squares
            statistics[i, j, 1] += 2 * np.float64(products)
            statistics[i, j, 2] += total
            statistics[i, j, 3] += count


def similarity_weights(statistics: NDArray[np.float64], h: float | None, gain: float) -> NDArray[np.float64]:
    """Weights in [0, 1] from the statistics of `compare_rows`: ``exp(-max(d², 0) / h²)``, 0 where nothing compares.

    d² is the mean over pixels of the squared difference of two patterns less what counting noise makes it. Without
    `h`, ``h² = gain mean / k + 2 σ(d²)``: the variance of the counts left after averaging k patterns, below which a
    difference does no harm, and twice the uncertainty of d² itself, below which it is not seen.

    Parameters
    ----------
    statistics : ndarray of float64 [n, k, 4]
        As `compare_rows` leaves them.
    h : float, optional
        Counts a pixel.
    gain : float
        Counts an electron.

    Examples
    --------
    >>> similarity_weights(np.array([[[0.0, 0, 8, 4], [4.0, 0, 8, 4], [0, 0, 0, 0]]]), 1.0, 1.0).round(3).tolist()
    [[1.0, 0.368, 0.0]]
    """
    squares, variance, total, count = np.moveaxis(statistics, 2, 0)
    compared = count > 0
    pixels = np.where(compared, count, 1)
    distance = np.maximum(squares, 0) / pixels
    if h is None:
        neighbours = np.maximum(compared.sum(axis=1, keepdims=True), 1)
        scale = gain * np.maximum(total, 0) / (2 * pixels) / neighbours
        scale += 2 * np.sqrt(np.maximum(variance, 0)) * gain / pixels
    else:
        scale = np.full_like(distance, float(h) ** 2)
    ratio = np.divide(distance, scale, out=np.where(distance > 0, np.inf, 0.0), where=scale > 0)
    return np.where(compared, np.exp(-ratio), 0.0)


def bin_rows(rows: NDArray[Any], width: int, factor: int) -> NDArray[Any]:
    """Rows of pixels of frames `width` wide, summed in ``factor × factor`` groups; a remainder is left out.

    Examples
    --------
    >>> bin_rows(np.arange(10, dtype=np.float32).reshape(1, 10), 5, 2).tolist()
    [[12.0, 20.0]]
    """
    if factor == 1:
        return rows
    high, wide = rows.shape[1] // width // factor, width // factor
    frames = rows.reshape(len(rows), -1, width)[:, : high * factor, : wide * factor]
    groups = frames.reshape(len(rows), high, factor, wide, factor)
    sums = groups[:, :, 0].copy()
    for k in range(1, factor):
        sums += groups[:, :, k]
    total = sums[..., 0].copy()
    for k in range(1, factor):
        total += sums[..., k]
    return np.ascontiguousarray(total.reshape(len(rows), -1))
