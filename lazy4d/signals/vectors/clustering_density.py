"""DBSCAN of few or of very many points: scikit-learn's, of points or of cells of a fine grid that stand for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.gathering import cell_strides

EXACT = 20_000
"""Points up to which every one of them is taken; more are first gathered in cells."""
CELLS = (16, 8, 4)
"""Cells of a radius, along each column, in which points are gathered: the finest that has few enough pairs."""
MOST_PAIRS = 150_000_000
"""Pairs of neighbours that may be held at a time, 8 bytes each."""
ASKED = 1000
"""Points whose neighbours are counted to say how many pairs there are."""

Floats = NDArray[np.float64]


def clustered(points: Floats, min_samples: int) -> NDArray[np.int64]:
    """Cluster of each of few or of very many points, -1 for noise: int64 [n]. Neighbours are at most 1 apart.

    More than `EXACT` points, or such as have more than `MOST_PAIRS` pairs of neighbours, are gathered in cells.

    Raises
    ------
    ValueError
        Even the largest cells have too many neighbours.

    Examples
    --------
    >>> clustered(np.array([[0.0, 0], [0.5, 0], [1.2, 0], [9, 9]]), 2).tolist()
    [0, 0, 0, -1]
    """
    if len(points) <= EXACT and neighbour_pairs(points) <= MOST_PAIRS:
        return dbscan(points, np.ones(len(points)), min_samples)
    for number in CELLS:
        cells, places, weights = binned(points, 1.0 / number)
        pairs = neighbour_pairs(places)
        if pairs <= MOST_PAIRS:
            return dbscan(places, weights, min_samples)[cells]
    raise ValueError(
        f"{len(points)} vectors, gathered in {len(places)} cells of eps / {CELLS[-1]}, have about {pairs:.2g} pairs of "
        f"neighbours within eps, {8e-9 * pairs:.0f} GB; expected at most {MOST_PAIRS:.2g}: give a smaller eps (and "
        "scaling), fewer columns or fewer vectors (v.inav, v.ivec)"
    )


def neighbour_pairs(points: Floats) -> float:
    """About how many pairs of points are at most 1 apart, each counted twice, and each point with itself once.

    Examples
    --------
    >>> neighbour_pairs(np.array([[0.0, 0], [0.5, 0], [9, 9]])) <= 9
    True
    """
    if len(points) ** 2 <= MOST_PAIRS:
        return float(len(points) ** 2)
    from scipy.spatial import cKDTree

    asked = points[np.linspace(0, len(points) - 1, ASKED).astype(np.int64)]
    counts = cKDTree(points).query_ball_point(asked, 1.0, return_length=True)
    return float(np.mean(counts)) * len(points)


def dbscan(points: Floats, weights: Floats, min_weight: int) -> NDArray[np.int64]:
    """Cluster of each point, -1 for noise: int64 [n]. Neighbours are at most 1 apart, but for rounding.

    Parameters
    ----------
    points : ndarray of float64 [n, d]
        Coordinates, scaled so that the radius of the neighbourhood is 1.
    weights : ndarray of float64 [n]
        How many points each stands for.
    min_weight : int
        What the points of a neighbourhood, the middle one included, weigh together where that is a core point.

    Raises
    ------
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> dbscan(np.array([[0.0, 0], [0.5, 0], [1.2, 0], [9, 9]]), np.ones(4), 2).tolist()
    [0, 0, 0, -1]
    """
    try:
        from sklearn.cluster import DBSCAN
    except ImportError as error:
        raise ImportError("DBSCAN needs scikit-learn: pip install 'lazy4d[vectors]'") from error
    if len(points) == 0:
        return np.empty(0, np.int64)
    found = DBSCAN(eps=1 + 1e-9, min_samples=int(min_weight)).fit(points, sample_weight=weights)
    return np.asarray(found.labels_, np.int64)


def binned(points: Floats, edge: float) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Points gathered in cells: the cell of each point, and mean place [m, d] and number of points of the cells.

    Examples
    --------
    >>> cells, places, numbers = binned(np.array([[0.0, 0], [0.1, 0], [2, 2]]), 0.5)
    >>> cells.tolist(), places.tolist(), numbers.tolist()
    ([0, 0, 1], [[0.05, 0.0], [2.0, 2.0]], [2.0, 1.0])
    """
    if len(points) == 0:
        return np.empty(0, np.int64), points.copy(), np.empty(0)
    cells = np.floor((points - points.min(axis=0)) / edge).astype(np.int64)
    keys = cells @ cell_strides(cells.max(axis=0))
    found: Any = np.unique(keys, return_inverse=True)
    inverse = found[1].reshape(-1)
    numbers = np.bincount(inverse).astype(np.float64)
    places = np.stack([np.bincount(inverse, column) / numbers for column in points.T], axis=1)
    return inverse, places, numbers
