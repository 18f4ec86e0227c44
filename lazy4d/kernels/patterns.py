"""One pattern of all frames: sum, maximum, minimum, mean and variance of each pixel over positions.

These are reductions: each call updates the state arrays with a tile of frames, and the state of one block is merged
into that of another by the function named with it. Sums of integers are exact; mean and variance are combined by the
formula of Chan, Golub and LeVeque (1983), stable whatever the order of the blocks.

Frames are taken in groups of up to eight, so that the state, which is larger than a frame, is read and
written once a group.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.accumulate import plus


@jit
def _add_group(total, group):
    for p in range(total.size):
        value = total[p]
        for frame in group:
            value = plus(value, frame[p])
        total[p] = value


@jit
def sum_pattern(frames, total):
    """Add each frame to `total`: the sum of every pixel over positions. Merge blocks with `add`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    total : ndarray [ky, kx]
        State, from 0; of dtype `accumulate.sum_dtype` of the frames'. Integers are exact; floats are added in the order
        of the frames, so that it makes no difference how a block is cut into tiles.

    Examples
    --------
    >>> total = np.zeros((1, 2), np.uint64)
    >>> sum_pattern(np.full((3, 1, 2), 2**32 - 1, np.uint32), total)
    >>> total
    array([[12884901885, 12884901885]], dtype=uint64)
    """
    n = frames.shape[0]
    f, t = frames.reshape(n, total.size), total.reshape(total.size)
    i = 0
    while n - i >= 8:
        _add_group(t, (f[i], f[i + 1], f[i + 2], f[i + 3], f[i + 4], f[i + 5], f[i + 6], f[i + 7]))
        i += 8
    if n - i >= 4:
        _add_group(t, (f[i], f[i + 1], f[i + 2], f[i + 3]))
        i += 4
    if n - i >= 2:
        _add_group(t, (f[i], f[i + 1]))
        i += 2
    if n - i >= 1:
        _add_group(t, (f[i],))


def sum_and_count(frames: NDArray[Any], total: NDArray[Any], count: NDArray[np.int64]) -> None:
    """Add each frame to `total` and their number to `count`: what a mean needs. Merge with `add_sum_and_count`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    total : ndarray [ky, kx]
        State, from 0; see `sum_pattern`.
    count : ndarray of int64 [1]
        State, from 0: frames so far.

    Examples
    --------
    >>> total, count = np.zeros((1, 2), np.uint64), np.zeros(1, np.int64)
    >>> sum_and_count(np.full((4, 1, 2), 3, np.uint8), total, count)
    >>> total / count
    array([[3., 3.]])
    """
    sum_pattern(frames, total)
    count += len(frames)


@jit
def _larger(a, b):
    return b if (b > a) | (b != b) else a  # nan differs from itself, and stays once it is `a`


@jit
def _smaller(a, b):
    return b if (b < a) | (b != b) else a


@jit
def max_pattern(frames, state):
    """Raise `state` to each frame: the maximum of every pixel over positions. Merge blocks with `maximum`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    state : ndarray [ky, kx]
        State, of the frames' dtype, from the lowest value there is (``-inf`` for floats). nan stays, as in numpy.

    Examples
    --------
    >>> state = np.zeros((1, 2), np.uint8)
    >>> max_pattern(np.array([[[1, 5]], [[4, 2]]], np.uint8), state)
    >>> state
    array([[4, 5]], dtype=uint8)
    """
    n = frames.shape[0]
    f, s = frames.reshape(n, state.size), state.reshape(state.size)
    for i in range(0, n, 4):  # a frame taken twice changes nothing
        a, b = f[i], f[min(i + 1, n - 1)]
        c, d = f[min(i + 2, n - 1)], f[min(i + 3, n - 1)]
        for p in range(s.size):
            s[p] = _larger(_larger(_larger(_larger(s[p], a[p]), b[p]), c[p]), d[p])


@jit
def min_pattern(frames, state):
    """Lower `state` to each frame: the minimum of every pixel over positions. Merge blocks with `minimum`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    state : ndarray [ky, kx]
        State, of the frames' dtype, from the highest value there is (``inf`` for floats). nan stays, as in numpy.

    Examples
    --------
    >>> state = np.full((1, 2), 255, np.uint8)
    >>> min_pattern(np.array([[[1, 5]], [[4, 2]]], np.uint8), state)
    >>> state
    array([[1, 2]], dtype=uint8)
    """
    n = frames.shape[0]
    f, s = frames.reshape(n, state.size), state.reshape(state.size)
    for i in range(0, n, 4):
        a, b = f[i], f[min(i + 1, n - 1)]
        c, d = f[min(i + 2, n - 1)], f[min(i + 3, n - 1)]
        for p in range(s.size):
            s[p] = _smaller(_smaller(_smaller(_smaller(s[p], a[p]), b[p]), c[p]), d[p])


@jit_fast
def _merge_group(count, mean, m2, group):
    n = len(group)
    before = np.float64(count[0])
    count[0] += n
    share = n / (before + n)
    for p in range(mean.size):
        middle = 0.0
        for frame in group:
            middle += np.float64(frame[p])
        middle /= n
        spread = 0.0
        for frame in group:
            difference = np.float64(frame[p]) - middle
            spread += difference * difference
        difference = middle - mean[p]
        mean[p] += difference * share
        m2[p] += spread + difference * difference * (before * share)


@jit
def moments_pattern(frames, count, mean, m2):
    """Update mean and sum of squared deviations of every pixel over positions. Merge blocks with `combine_moments`.

    The variance is ``m2 / count``.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    count : ndarray of int64 [1]
        State, from 0: frames so far.
    mean : ndarray of float64 [ky, kx]
        State, from 0: mean so far.
    m2 : ndarray of float64 [ky, kx]
        State, from 0: ``Σ (frame - mean)²`` so far.

    Notes
    -----
    Each group of up to eight frames is reduced in two passes about its own mean and merged as a small block,
    so that no large sums of squares are ever subtracted.

    Examples
    --------
    >>> count, mean, m2 = np.zeros(1, np.int64), np.zeros((1, 1)), np.zeros((1, 1))
    >>> moments_pattern(np.array([1, 3, 5], np.uint16).reshape(3, 1, 1), count, mean, m2)
    >>> int(count[0]), float(mean[0, 0]), round(float(m2[0, 0]), 9)
    (3, 3.0, 8.0)
    """
    n = frames.shape[0]
    f, m, s = frames.reshape(n, mean.size), mean.reshape(mean.size), m2.reshape(m2.size)
    i = 0
    while n - i >= 8:
        _merge_group(count, m, s, (f[i], f[i + 1], f[i + 2], f[i + 3], f[i + 4], f[i + 5], f[i + 6], f[i + 7]))
        i += 8
    while n - i >= 2:
        _merge_group(count, m, s, (f[i], f[i + 1]))
        i += 2
    if n - i >= 1:
        _merge_group(count, m, s, (f[i],))


def add(total: NDArray[Any], other: NDArray[Any]) -> None:
    """Add `other`, the sum of another block, to `total`.

    Examples
    --------
    >>> total = np.array([1, 2])
    >>> add(total, np.array([10, 20]))
    >>> total
    array([11, 22])
    """
    np.add(total, other, out=total)


def add_sum_and_count(
    total: NDArray[Any], count: NDArray[np.int64], other_total: NDArray[Any], other_count: NDArray[np.int64]
) -> None:
    """Add sum and number of frames of another block to `total` and `count`.

    Examples
    --------
    >>> total, count = np.array([4]), np.array([1])
    >>> add_sum_and_count(total, count, np.array([8]), np.array([2]))
    >>> total, count
    (array([12]), array([3]))
    """
    np.add(total, other_total, out=total)
    np.add(count, other_count, out=count)


def maximum(state: NDArray[Any], other: NDArray[Any]) -> None:
    """Raise `state` to `other`, the maximum of another block; nan stays.

    Examples
    --------
    >>> state = np.array([1, 5])
    >>> maximum(state, np.array([3, 3]))
    >>> state
    array([3, 5])
    """
    np.maximum(state, other, out=state)


def minimum(state: NDArray[Any], other: NDArray[Any]) -> None:
    """Lower `state` to `other`, the minimum of another block; nan stays.

    Examples
    --------
    >>> state = np.array([1, 5])
    >>> minimum(state, np.array([3, 3]))
    >>> state
    array([1, 3])
    """
    np.minimum(state, other, out=state)


def combine_moments(
    count: NDArray[np.int64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
    other_count: NDArray[np.int64],
    other_mean: NDArray[np.float64],
    other_m2: NDArray[np.float64],
) -> None:
    """Merge number, mean and sum of squared deviations of another block into `count`, `mean` and `m2`.

    With δ = mean_b - mean_a: mean = mean_a + δ n_b / n and m2 = m2_a + m2_b + δ² n_a n_b / n
    (Chan, Golub and LeVeque 1983).

    Examples
    --------
    >>> a = np.array([2]), np.array([1.0]), np.array([2.0])  # of 0 and 2
    >>> combine_moments(*a, np.array([1]), np.array([4.0]), np.array([0.0]))  # and 4
    >>> a
    (array([3]), array([2.]), array([8.]))
    """
    before, more = int(count[0]), int(other_count[0])
    if more == 0:
        return
    share = more / (before + more)
    difference = other_mean - mean
    mean += difference * share
    m2 += other_m2 + difference * difference * (before * share)
    count += more
