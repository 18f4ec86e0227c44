from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.kernels import patterns
from lazy4d.kernels.accumulate import sum_dtype

CUTS = st.lists(st.integers(0, 40), max_size=6).map(lambda cuts: [0, *sorted(cuts), 40])


def moments() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    return np.zeros(1, np.int64), np.zeros((3, 5)), np.zeros((3, 5))


def scan(dtype: str) -> np.ndarray:
    values = np.random.default_rng(2).normal(50, 12, (40, 3, 5))
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@settings(deadline=None)  # the first example compiles
@given(CUTS)
def test_tiles_add_up_to_the_whole_to_the_last_bit(dtype: str, cuts: list[int]) -> None:
    frames = scan(dtype)
    whole, parts = np.zeros((2, 3, 5), sum_dtype(dtype))
    patterns.sum_pattern(frames, whole)
    for start, stop in pairwise(cuts):
        patterns.sum_pattern(frames[start:stop], parts)
    np.testing.assert_array_equal(parts, whole)


@settings(deadline=None)  # the first example compiles
@given(CUTS)
def test_moments_of_tiles_and_of_blocks_are_those_of_the_whole(cuts: list[int]) -> None:
    frames = scan("f8")
    tiles, blocks = moments(), moments()
    for start, stop in pairwise(cuts):
        patterns.moments_pattern(frames[start:stop], *tiles)
        block = moments()
        patterns.moments_pattern(frames[start:stop], *block)
        patterns.combine_moments(*blocks, *block)
    for count, mean, m2 in (tiles, blocks):
        assert count.tolist() == [40]
        np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(m2 / count, frames.var(axis=0), rtol=1e-12)


def test_blocks_may_be_merged_in_any_order() -> None:
    frames = scan("f4")
    blocks = []
    for start, stop in [(0, 1), (1, 9), (9, 9), (9, 30), (30, 40)]:
        blocks.append(moments())
        patterns.moments_pattern(frames[start:stop], *blocks[-1])
    results = []
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [2, 3, 1, 4, 0]):
        total = moments()
        for k in order:
            patterns.combine_moments(*total, *blocks[k])
        results.append(total[2] / total[0])
    np.testing.assert_allclose(results, np.broadcast_to(frames.astype(float).var(axis=0), (3, 3, 5)), rtol=1e-10)


def test_a_small_variance_on_a_large_mean_survives() -> None:
    """Sums of squares would lose all digits of it: 1e9² + 1 is not a float64 of its own."""
    frames = np.array([1e9, 1e9 + 1, 1e9 + 2] * 300).reshape(900, 1, 1)
    count, mean, m2 = np.zeros(1, np.int64), np.zeros((1, 1)), np.zeros((1, 1))
    for k in range(0, 900, 7):
        patterns.moments_pattern(frames[k : k + 7], count, mean, m2)
    assert mean[0, 0] == pytest.approx(1e9 + 1, rel=1e-15)
    assert m2[0, 0] / 900 == pytest.approx(2 / 3, rel=1e-6)


def test_saturated_uint32_frames_sum_exactly() -> None:
    frames = np.full((17, 64, 32), 2**32 - 1, np.uint32)
    total = np.full((64, 32), 2**63, np.uint64)
    patterns.sum_pattern(frames, total)
    assert {int(v) for v in total.ravel()} == {2**63 + 17 * (2**32 - 1)}


def test_signed_sums_keep_their_sign() -> None:
    total = np.zeros((2, 2), np.int64)
    patterns.sum_pattern(np.full((11, 2, 2), -(2**31), np.int32), total)
    assert (total == -11 * 2**31).all()


@pytest.mark.parametrize("n", range(1, 14))
def test_every_frame_counts_once_whatever_their_number(n: int) -> None:
    frames = (1 << np.arange(n, dtype=np.uint32)).reshape(n, 1, 1)
    total, count = np.zeros((1, 1), np.uint64), np.zeros(1, np.int64)
    patterns.sum_and_count(frames, total, count)
    assert (int(total[0, 0]), int(count[0])) == (2**n - 1, n)
    largest, smallest = np.zeros((1, 1), np.uint32), np.full((1, 1), 2**32 - 1, np.uint32)
    patterns.max_pattern(frames, largest)
    patterns.min_pattern(frames, smallest)
    assert (int(largest[0, 0]), int(smallest[0, 0])) == (2 ** (n - 1), 1)


@pytest.mark.parametrize("place", range(6))
def test_nan_stays_in_maximum_and_minimum_as_in_numpy(place: int) -> None:
    frames = np.random.default_rng(1).normal(size=(6, 2, 17)).astype("f4")
    frames[place, 1, 3] = np.nan
    largest, smallest = np.full((2, 17), -np.inf, "f4"), np.full((2, 17), np.inf, "f4")
    for start in range(0, 6, 2):  # so that what follows the nan is another call
        patterns.max_pattern(frames[start : start + 2], largest)
        patterns.min_pattern(frames[start : start + 2], smallest)
    np.testing.assert_array_equal(largest, frames.max(axis=0))
    np.testing.assert_array_equal(smallest, frames.min(axis=0))
    merged = np.full((2, 17), np.inf, "f4")
    patterns.maximum(merged, largest)
    assert np.isnan(merged[1, 3])
    patterns.minimum(merged, smallest)
    np.testing.assert_array_equal(merged, smallest)


def test_nan_and_inf_come_through_sums_and_moments() -> None:
    frames = np.ones((9, 1, 3), "f4")
    frames[4, 0, 0], frames[8, 0, 1] = np.nan, np.inf
    total = np.zeros((1, 3))
    patterns.sum_pattern(frames, total)
    np.testing.assert_array_equal(total, [[np.nan, np.inf, 9]])
    count, mean, m2 = np.zeros(1, np.int64), np.zeros((1, 3)), np.zeros((1, 3))
    patterns.moments_pattern(frames, count, mean, m2)
    np.testing.assert_array_equal(mean, [[np.nan, np.inf, 1]])
    np.testing.assert_array_equal(m2, [[np.nan, np.nan, 0]])


def test_merging_blocks_merges_each_kind_of_state() -> None:
    total, count = np.array([[1, 2]], np.uint64), np.array([3])
    patterns.add_sum_and_count(total, count, np.array([[10, 20]], np.uint64), np.array([4]))
    patterns.add(total, np.array([[100, 2**63]], np.uint64))
    assert total.tolist() == [[111, 2**63 + 22]]
    assert count.tolist() == [7]
    nothing, other = moments(), moments()
    patterns.combine_moments(*nothing, *other)
    assert nothing[0].tolist() == [0]
    assert not nothing[1].any()
