"""Gathering places, opposite pairs and disks of flat entries, against slow and obvious twins."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.kernels.disk_masks import disk_masks
from lazy4d.kernels.gathering import cell_strides, gathering_places
from lazy4d.kernels.opposite_pairs import opposite_pairs


def test_cells_too_many_to_number() -> None:
    with pytest.raises(ValueError, match=r"fewer than 2\*\*62 cells"):
        gathering_places(np.array([[0.0, 0.0], [1e15, 1e15]]), np.ones(2), np.arange(2))
    with pytest.raises(ValueError, match="give larger distances"):
        cell_strides(np.array([2**40, 2**40]))


def slow_pairs(y: NDArray[Any], x: NDArray[Any], tolerance: float) -> tuple[list[int], list[float]]:
    """All pairs sorted by how far they are from opposite; each taken where both are free."""
    n = len(y)
    partner, distance = [-1] * n, [np.nan] * n
    for i in range(n):
        if 2 * np.hypot(y[i], x[i]) <= tolerance:
            partner[i], distance[i] = i, 2 * np.hypot(y[i], x[i])
    pairs = sorted((np.hypot(y[i] + y[j], x[i] + x[j]), i, j) for i in range(n) for j in range(i + 1, n))
    for apart, i, j in pairs:
        if apart <= tolerance and partner[i] < 0 and partner[j] < 0:
            partner[i], partner[j] = j, i
            distance[i] = distance[j] = apart
    return partner, distance


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), counts=st.lists(st.integers(0, 14), max_size=4))
def test_opposite_pairs_take_the_nearest_first(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    y, x = rng.uniform(-3, 3, (2, offsets[-1])).round(int(rng.integers(0, 3)))  # also many that are equally far
    for kernel in (opposite_pairs, opposite_pairs.py_func):
        partner, distance = np.full(len(y), 99), np.full(len(y), 99.0)
        kernel(offsets, y, x, 1.5, partner, distance)
        for low, high in pairwise(offsets):
            expected = slow_pairs(y[low:high], x[low:high], 1.5)
            np.testing.assert_array_equal(partner[low:high], expected[0])
            np.testing.assert_allclose(distance[low:high], expected[1], atol=1e-12)


@pytest.mark.parametrize("kernel", [disk_masks, disk_masks.py_func])
def test_disks_cover_the_pixels_whose_centres_they_hold(kernel: Any) -> None:
    rng = np.random.default_rng(5)
    counts = [0, 3, 1, 6]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    y, x = rng.uniform(-4, 14, (2, 10))
    y[2], x[4], y[5] = np.nan, np.inf, 3.0
    x[5] = 4.0
    rows, columns = np.mgrid[:9, :12]
    for ry, rx in ((2.0, 2.0), (0.3, 4.5), (3.7, 1.0)):
        out = np.full((4, 9, 12), 7, np.uint8)
        kernel(offsets, y, x, ry, rx, out)
        for n in range(4):
            expected = np.zeros((9, 12), bool)
            for i in range(offsets[n], offsets[n + 1]):
                expected |= ((rows - y[i]) / ry) ** 2 + ((columns - x[i]) / rx) ** 2 < 1
            np.testing.assert_array_equal(out[n], expected)


def slow_gathering(points: NDArray[Any], weights: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    taken, places = np.zeros(len(points), bool), []
    for start in order:
        if taken[start]:
            continue
        place = points[start].copy()
        for _ in range(30):
            near = ~taken & (((points - place) ** 2).sum(axis=1) <= 0.25)
            if not near.any():
                break
            step = np.average(points[near] - place, axis=0, weights=weights[near])
            if step @ step < 1e-18:
                break
            place += step
        taken |= ((points - place) ** 2).sum(axis=1) < 1
        taken[start] = True
        places.append(place)
    return np.array(places).reshape(-1, 2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 120))
def test_places_gather_what_is_near_them(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.uniform(-2, 3, (n, 2)), rng.integers(1, 5, n).astype(float)
    order = np.argsort(-weights, kind="stable")
    found = gathering_places(points, weights, order)
    np.testing.assert_allclose(found, slow_gathering(points, weights, order), atol=1e-9)
