"""Kernels of filters across the scan: compiled, interpreted and written out; whole filters against scipy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.kernels import neighbours, scan_filters

WHOLE = ((0, 0), (0, 0))


def random_rows(n: int, size: int, dtype: Any, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).poisson(5.0, (n, size)).astype(dtype)


# ---- the compiled loops


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("terms", [(0, 1, 3, 4, 9), (), (5,)])
def test_weighted_rows(dtype: str, terms: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(7, 13)).astype(dtype)
    starts = np.concatenate([[0], np.cumsum(terms)]).astype(np.int64)
    index, weights = rng.integers(0, 7, starts[-1]), rng.normal(size=starts[-1]).astype(dtype)
    expected = np.zeros((len(terms), 13))
    for i, (a, b) in enumerate(itertools.pairwise(starts)):
        expected[i] = (rows[index[a:b]].astype(float) * weights[a:b, None].astype(float)).sum(axis=0)
    for function in (neighbours.weighted_rows, neighbours.weighted_rows.py_func):
        out = np.full((len(terms), 13), 99, dtype)
        function(rows, starts, index, weights, out)
        np.testing.assert_allclose(out, expected, rtol=1e-5 if dtype == "f4" else 1e-12, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_median_rows(count: int) -> None:
    rng = np.random.default_rng(count)
    rows = rng.normal(size=(9, 11)).astype("f4")
    index = np.stack([rng.permutation(9)[:count] for _ in range(4)])
    expected = np.median(rows[index], axis=1)
    for function in (neighbours.median_rows, neighbours.median_rows.py_func):
        out, scratch = np.empty((4, 11), "f4"), np.empty((count, 11), "f4")
        function(rows, index, *neighbours.median_network(count), scratch, out)
        np.testing.assert_array_equal(out, expected)
        function(rows, index[:0], *neighbours.median_network(count), scratch, out[:0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_networks_bring_the_middle_to_its_place(values: list[int]) -> None:
    pairs, low, high = neighbours.median_network(len(values))
    found = list(values)
    for i, j in pairs:
        assert i < j
        found[i], found[j] = min(found[i], found[j]), max(found[i], found[j])
    assert (found[low] + found[high]) / 2 == np.median(values)


def test_compare_rows() -> None:
    rows = random_rows(5, 12, "f4")
    rows[1, 3] = rows[4] = np.nan
    centers, index = np.array([0, 1, 4]), np.array([[0, 1, -1], [2, 1, 3], [4, 0, 1]])
    expected = np.ones((3, 3, 4))
    for i, j in np.ndindex(3, 3):
        if index[i, j] >= 0:
            a, b = rows[centers[i]].astype(float), rows[index[i, j]].astype(float)
            d, s = a - b, a + b
            terms = np.array([d * d - 1.5 * s, 2 * (s * s - 1.5 * s), s, np.ones(12)])
            expected[i, j] += np.where(np.isnan(d), 0, terms).sum(axis=1)
    for function in (neighbours.compare_rows, neighbours.compare_rows.py_func):
        statistics = np.ones((3, 3, 4))
        function(rows, centers, index, 1.5, statistics)
        np.testing.assert_allclose(statistics, expected, rtol=1e-5)


def test_distances_of_noise_have_the_expectation_and_the_variance_that_weights_rely_on() -> None:
    rng = np.random.default_rng(3)
    means, gain = rng.uniform(0.2, 6, 4000), 3.0
    rows = (gain * rng.poisson(means, (40, 4000))).astype("f4")
    pairs = np.array([[k + 20] for k in range(20)])
    statistics = np.zeros((20, 1, 4))
    neighbours.compare_rows(rows, np.arange(20), pairs, gain, statistics)
    distance, variance = statistics[:, 0, 0], statistics[:, 0, 1] * gain**2
    true = 8 * gain**4 * (means**2).sum()
    np.testing.assert_allclose(variance.mean(), true, rtol=0.02)
    assert abs(distance.mean()) < 4 * np.sqrt(true / 20)
    assert 0.5 < distance.std() / np.sqrt(true) < 1.6


def test_bin_rows() -> None:
    rows = random_rows(3, 7 * 9, "f4")
    expected = rows.reshape(3, 7, 9)[:, :6, :8].reshape(3, 3, 2, 4, 2).sum(axis=(2, 4)).reshape(3, -1)
    np.testing.assert_array_equal(neighbours.bin_rows(rows, 9, 2), expected)
    assert neighbours.bin_rows(rows, 9, 8).shape == (3, 0)
    assert neighbours.bin_rows(rows, 9, 1) is rows


# ---- whole blocks


def frames_of(dtype: str, nav: tuple[int, ...] = (5, 6)) -> NDArray[Any]:
    rng = np.random.default_rng(2)
    values = rng.poisson(4.0, (*nav, 3, 4)).astype(float)
    if dtype == "i2":
        values -= 4
    return values.astype(dtype)


def square(*reach: int) -> NDArray[np.int64]:
    return np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))


@pytest.mark.parametrize("boundary", ["reflect", "nearest"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f4", "f8"])
def test_whole_scans_as_scipy_filters_them(dtype: str, boundary: str) -> None:
    from scipy import ndimage

    block = frames_of(dtype)
    kind = "f8" if dtype == "f8" else "f4"
    rtol = 1e-12 if dtype == "f8" else 1e-5
    out = np.empty(block.shape, kind)
    # Reaches beyond the whole scan, so that it is mirrored more than once.
    taps = tuple(np.exp(-0.5 * (np.arange(-r, r + 1) / s) ** 2) for s, r in ((1.7, 7), (0.6, 2)))
    scan_filters.smooth(block, WHOLE, tuple(t / t.sum() for t in taps), boundary, out)
    expected = ndimage.gaussian_filter(block.astype(float), (1.7, 0.6, 0, 0), mode=boundary, radius=(7, 2, 0, 0))
    np.testing.assert_allclose(out, expected, rtol=rtol, atol=rtol)
    scan_filters.mean(block, WHOLE, square(1, 2), boundary, out)
    expected = ndimage.uniform_filter(block.astype(float), (3, 5, 1, 1), mode=boundary)
    np.testing.assert_allclose(out, expected, rtol=rtol, atol=rtol)
    middle = np.empty(block.shape, np.result_type(dtype, "f4"))
    scan_filters.median(block, WHOLE, square(1, 2), boundary, middle)
    np.testing.assert_array_equal(middle, ndimage.median_filter(block, (3, 5, 1, 1), mode=boundary))
    sums = np.empty(block.shape, {"u": "u8", "i": "i8", "f": "f8"}[dtype[0]])
    scan_filters.total(block, WHOLE, square(1, 2), boundary, sums)
    weights = np.ones((3, 5, 1, 1))
    np.testing.assert_allclose(sums, ndimage.correlate(block.astype(float), weights, mode=boundary), rtol=1e-12)


def test_only_positions_inside() -> None:
    block = frames_of("u2")
    out, sums, middle = (np.empty(block.shape, dtype) for dtype in ("f4", "u8", "f4"))
    scan_filters.mean(block, WHOLE, square(1, 1), "renormalise", out)
    scan_filters.total(block, WHOLE, square(1, 1), "renormalise", sums)
    scan_filters.median(block, WHOLE, square(1, 1), "renormalise", middle)
    for y, x in np.ndindex(5, 6):
        part = block[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        np.testing.assert_allclose(out[y, x], part.mean((0, 1)), rtol=1e-6)
        np.testing.assert_array_equal(sums[y, x], part.sum((0, 1)))
        np.testing.assert_array_equal(middle[y, x], np.median(part, axis=(0, 1)))


def test_exact_sums_of_large_integers() -> None:
    block = np.full((3, 3, 2, 2), 2**60 + 1, np.uint64)
    out = np.empty((3, 3, 2, 2), np.uint64)
    scan_filters.total(block, WHOLE, square(1, 1), "reflect", out)
    assert (out == 9 * (2**60 + 1)).all()


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN")
@pytest.mark.parametrize("kind", ["frames", "pixels"])
def test_what_is_missing_has_no_weight(kind: str) -> None:
    block = frames_of("f4")
    block[2, 3] = np.nan
    if kind == "pixels":
        block[1, 1, 2, 0] = block[4, 5, 0, 3] = np.nan
    block[:, :, 1, 1] = np.nan  # nothing known at all
    block[1:4, 2:5, 0, 0] = np.nan
    out, middle, sums = (np.empty(block.shape, dtype) for dtype in ("f4", "f4", "f8"))
    scan_filters.mean(block, WHOLE, square(1, 1), "renormalise", out)
    scan_filters.median(block, WHOLE, square(1, 1), "renormalise", middle)
    scan_filters.total(block, WHOLE, square(1, 1), "renormalise", sums)
    for y, x in np.ndindex(5, 6):
        part = block[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        np.testing.assert_allclose(out[y, x], np.nanmean(part, axis=(0, 1)), rtol=1e-6)
        np.testing.assert_allclose(middle[y, x], np.nanmedian(part, axis=(0, 1)), rtol=1e-6)
        np.testing.assert_allclose(sums[y, x], np.nansum(part, axis=(0, 1)), rtol=1e-6)
    assert np.isnan(out[2, 3, 0, 0])
    assert not np.isnan(out[2, 3, 2, 2])


def test_a_filter_of_one_position_changes_nothing() -> None:
    block = frames_of("u2")
    out = np.empty(block.shape, "f4")
    scan_filters.smooth(block, WHOLE, (np.ones(1), np.ones(1)), "reflect", out)
    np.testing.assert_array_equal(out, block)
    scan_filters.median(block, WHOLE, square(0, 0), "nearest", out)
    np.testing.assert_array_equal(out, block)
    scan_filters.nonlocal_means(block, WHOLE, square(0, 0), 1, None, 1.0, out)
    np.testing.assert_array_equal(out, block)


def nonlocal_twin(block: NDArray[Any], reach: int, h: float) -> NDArray[np.float64]:
    """Positions one by one, pairs one by one."""
    out = np.empty(block.shape)
    for y, x in np.ndindex(block.shape[:2]):
        total, weights = np.zeros(block.shape[2:]), 0.0
        for v in range(max(0, y - reach), min(block.shape[0], y + reach + 1)):
            for u in range(max(0, x - reach), min(block.shape[1], x + reach + 1)):
                a, b = block[y, x].astype(float), block[v, u].astype(float)
                distance = max(((a - b) ** 2 - (a + b)).mean(), 0.0) if (v, u) != (y, x) else 0.0
                weight = np.exp(-distance / h**2)
                total += weight * b
                weights += weight
        out[y, x] = total / weights
    return out


def test_nonlocal_means_written_out() -> None:
    block = frames_of("u2") + 20 * (np.arange(6) > 2).astype("u2")[:, None, None]
    out = np.empty(block.shape, "f4")
    scan_filters.nonlocal_means(block, WHOLE, square(2, 2), 1, 3.0, 1.0, out)
    np.testing.assert_allclose(out, nonlocal_twin(block, 2, 3.0), rtol=1e-5)


def test_nonlocal_means_of_damaged_frames() -> None:
    block = frames_of("f4")
    block[2, 3] = np.nan
    block[0, 0, 1, 1] = np.nan
    out = np.empty(block.shape, "f4")
    scan_filters.nonlocal_means(block, WHOLE, square(1, 1), 1, 1e6, 1.0, out)
    assert np.isnan(out[2, 3]).all()
    rest = np.ones((5, 6), bool)
    rest[2, 3] = False
    assert not np.isnan(out[rest]).any()
    # With a wide h every pattern that can be compared counts as much.
    np.testing.assert_allclose(out[2, 2, 0], np.nanmean(block[1:4, 1:4, 0], axis=(0, 1)), rtol=1e-5)
