from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels.virtual_image import sum_spans, total_intensity, weighted_sum, weighted_sums


def spans_of(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(), [0]]).astype(np.int8))).reshape(-1, 2)


def exact_sum(frames: np.ndarray, spans: np.ndarray) -> list[int]:
    out = np.empty(len(frames), np.uint64)
    sum_spans(frames, spans, out)
    return [int(v) for v in out]


@pytest.mark.parametrize(("dtype", "side"), [("u1", 512), ("u2", 512), ("u4", 512), ("u2", 1100)])
def test_saturated_frames_sum_exactly(dtype: str, side: int) -> None:
    """Far more than 2³²: partial sums of 32 bits would overflow."""
    top = np.iinfo(dtype).max
    frames = np.full((2, side, side), top, dtype)
    out = np.empty(2, np.uint64)
    total_intensity(frames, out)
    assert [int(v) for v in out] == [top * side * side] * 2
    assert exact_sum(frames, np.array([[1, side * side]])) == [top * (side * side - 1)] * 2


def test_the_most_negative_pixels_sum_exactly() -> None:
    frames = np.full((1, 512, 512), -(2**15), np.int16)
    out = np.empty(1, np.int64)
    total_intensity(frames, out)
    assert int(out[0]) == -(2**15) * 512 * 512


def test_constant_frames_give_the_area_of_the_detector() -> None:
    y, x = np.indices((40, 60))
    mask = np.hypot(y - 20, x - 33) < 11
    assert exact_sum(np.full((3, 40, 60), 5, np.uint8), spans_of(mask)) == [5 * int(mask.sum())] * 3


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.integers(0, 2), min_size=12, max_size=12), st.integers(0, 2**32 - 1))
def test_detectors_that_share_the_frame_share_its_counts(owners: list[int], value: int) -> None:
    frames = (np.arange(24, dtype=np.uint64).reshape(2, 3, 4) * 7919 + value).astype(np.uint32)
    parts = [exact_sum(frames, spans_of(np.array(owners) == k)) for k in range(3)]
    assert np.sum(parts, axis=0, dtype=object).tolist() == [int(f.sum(dtype=np.uint64)) for f in frames]


@pytest.mark.parametrize("spans", [[[-10, 0]], [[12, 40]], [[5, 2]], [[-(2**40), -1], [2**40, 2**41]]])
def test_runs_outside_the_frame_count_nothing(spans: list[list[int]]) -> None:
    assert exact_sum(np.ones((2, 3, 4), np.uint16), np.array(spans)) == [0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_comes_through(value: float) -> None:
    frames = np.ones((6, 8, 33), np.float32)
    frames[4, 3, 31] = value
    outs = np.empty((3, 6))
    total_intensity(frames, outs[0])
    sum_spans(frames, np.array([[0, 8 * 33]]), outs[1])
    weighted_sum(frames, np.ones((8, 33)), outs[2])
    expected = np.full(6, 264.0)
    expected[4] = value
    np.testing.assert_array_equal(outs, [expected] * 3)


def test_pixels_outside_the_runs_may_be_nan() -> None:
    frames = np.full((1, 2, 3), np.nan, np.float32)
    frames[0, 1] = 2
    out = np.empty(1)
    sum_spans(frames, np.array([[3, 6]]), out)
    assert out[0] == 6


@pytest.mark.parametrize("n", range(10))
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 9])
def test_many_weights_equal_one_at_a_time_for_any_number_of_frames_and_weights(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    frames = rng.integers(0, 50, (n, 70, 90), np.uint16)  # more pixels than one block of them
    weights = rng.integers(-4, 5, (m, 70, 90)).astype(float)
    out = np.full((n, m), 7.0)
    weighted_sums(frames, weights.reshape(m, -1), out)
    for j in range(m):
        one = np.empty(n)
        weighted_sum(frames, weights[j], one)
        np.testing.assert_array_equal(out[:, j], one)  # whole numbers: no rounding
        np.testing.assert_array_equal(one, np.einsum("nyx,yx->n", frames.astype(float), weights[j]))


def test_float32_weights_keep_float64_sums() -> None:
    frames = np.full((1, 300, 300), 65535, np.uint16)
    out = np.empty((1, 1))
    weighted_sums(frames, np.ones((1, 90000), np.float32), out)
    assert out[0, 0] == 65535 * 90000
