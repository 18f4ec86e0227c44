"""Places at which weighted points gather: from the heaviest point down, each moved to the mean of what is near it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit

Points = NDArray[np.float64]
MOST_STEPS = 30


def gathering_places(points: Points, weights: NDArray[np.float64], order: NDArray[np.int64]) -> Points:
    """Where points gather, each place taking all points nearer than 1 that no earlier place took: float64 [k, 2].

    Parameters
    ----------
    points : ndarray of float64 [n, 2]
        Coordinates, scaled so that points nearer than 1 count as one.
    weights : ndarray of float64 [n]
        How many points each stands for.
    order : ndarray of int64 [n]
        The points in the order in which they may start a place.

    Raises
    ------
    ValueError
        The points are too far apart to be numbered in a grid.

    Notes
    -----
    A place starts at a point that is not taken and moves to the mean of those not taken within 1/2 until it rests.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [0.5, 0.0], [5.0, 5.0]])
    >>> gathering_places(points, np.array([1.0, 3.0, 1.0]), np.array([1, 0, 2])).tolist()
    [[0.375, 0.0], [5.0, 5.0]]
    """
    if len(points) == 0:
        return np.empty((0, 2))
    corner = points.min(axis=0)
    cells = np.floor(points - corner).astype(np.int64)
    strides = cell_strides(cells.max(axis=0))
    keys = (cells + 1) @ strides
    by_cell = np.argsort(keys, kind="stable")
    places = np.empty((len(points), 2))
    rank = np.empty(len(points), np.int64)
    rank[by_cell] = np.arange(len(points))
    number = _gather(
        np.ascontiguousarray(points[by_cell]), np.ascontiguousarray(weights[by_cell], np.float64), keys[by_cell],
        rank[order], corner, strides[0], places,
    )  # fmt: skip
    return places[:number].copy()


def cell_strides(largest: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the number of a cell counts along each dimension, with one empty cell on either side.

    Parameters
    ----------
    largest : ndarray of int64 [d]
        Largest coordinate of a cell; the smallest is 0.

    Raises
    ------
    ValueError
        There are more cells than 64-bit numbers.

    Examples
    --------
    >>> cell_strides(np.array([4, 8]))
    array([11,  1])
    """
    extents = [int(size) + 3 for size in largest]
    strides = [1]
    for extent in reversed(extents[1:]):
        strides.append(strides[-1] * extent)
    if strides[-1] * extents[0] >= 2**62:
        raise ValueError(
            f"expected points within fewer than 2**62 cells, found {extents} along the columns: give larger distances, "
            "or fewer columns"
        )
    return np.array(strides[::-1], np.int64)


@jit
def _first_at_least(keys, key):
    """Index of the first of the sorted keys that is at least `key`."""
    low = 0
    high = keys.size
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _gather(points, weights, keys, order, corner, stride, places):
    taken = np.zeros(keys.size, np.bool_)
    number = 0
    for start in order:
        if taken[start]:
            continue
        y = points[start, 0]
        x = points[start, 1]
        for _ in range(MOST_STEPS):
            key = (np.int64(np.floor(y - corner[0])) + 1) * stride + np.int64(np.floor(x - corner[1])) + 1
            weight = 0.0
            sum_y = 0.0
            sum_x = 0.0
            for row in range(-1, 2):
                low = _first_at_least(keys, key + row * stride - 1)
                for i in range(low, _first_at_least(keys, key + row * stride + 2)):
                    dy = points[i, 0] - y
                    dx = points[i, 1] - x
                    if not taken[i] and dy * dy + dx * dx <= 0.25:
                        weight += weights[i]
                        sum_y += weights[i] * dy
                        sum_x += weights[i] * dx
            if weight == 0.0 or (sum_y * sum_y + sum_x * sum_x) < 1e-18 * weight * weight:
                break
            y += sum_y / weight
            x += sum_x / weight
        key = (np.int64(np.floor(y - corner[0])) + 1) * stride + np.int64(np.floor(x - corner[1])) + 1
        for row in range(-1, 2):
            low = _first_at_least(keys, key + row * stride - 1)
            for i in range(low, _first_at_least(keys, key + row * stride + 2)):
                dy = points[i, 0] - y
                dx = points[i, 1] - x
                if dy * dy + dx * dx < 1.0:
                    taken[i] = True
        taken[start] = True
        places[number, 0] = y
        places[number, 1] = x
        number += 1
    return number
