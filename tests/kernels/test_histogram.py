from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazy4d.kernels.histogram import histogram

EDGES = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-2, 1e4)).map(lambda e: (e[0], e[0] + e[1]))


@settings(deadline=None)  # the first example compiles
@given(arrays("f8", (1, 4, 5), elements=st.floats(-1e3, 1e3)), EDGES, st.integers(1, 50))
def test_bins_are_those_of_numpy_for_any_edges(frames: np.ndarray, edges: tuple[float, float], bins: int) -> None:
    low, high = edges
    frames.ravel()[: bins + 1] = np.linspace(low, high, bins + 1)[: frames.size]  # on the edges themselves
    counts = np.zeros(bins, np.int64)
    histogram(frames, low, high, counts)
    np.testing.assert_array_equal(counts, np.histogram(frames, bins, (low, high))[0])


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "u4", "i4", "u8", "i8"])
@settings(deadline=None)  # the first example compiles
@given(st.data())
def test_integers_fall_into_the_bins_of_numpy(dtype: str, data: st.DataObject) -> None:
    frames = data.draw(arrays(dtype, (2, 3, 4)))
    low, high = data.draw(EDGES)
    bins = data.draw(st.integers(1, 40))
    counts = np.zeros(bins, np.int64)
    histogram(frames, low, high, counts)
    np.testing.assert_array_equal(counts, np.histogram(frames.astype(float), bins, (low, high))[0])


def test_the_last_bin_is_closed_and_the_others_are_half_open() -> None:
    counts = np.zeros(2, np.int64)
    histogram(np.array([[[-1, 0, 1, 2, 3]]], np.int16), 0.0, 2.0, counts)
    assert counts.tolist() == [1, 2]


def test_calls_add_up_and_nan_and_infinity_are_left_out() -> None:
    counts = np.zeros(4, np.int64)
    histogram(np.array([[[np.nan, np.inf, -np.inf, 0.5]]], "f4"), 0.0, 4.0, counts)
    histogram(np.array([[[0.5, 3.9]]], "f4"), 0.0, 4.0, counts)
    assert counts.tolist() == [2, 0, 0, 1]


def test_edges_beyond_64_bits_are_fine_for_integers() -> None:
    counts = np.zeros(2, np.int64)
    histogram(np.array([[[0, 2**32 - 1]]], np.uint32), -1e300, 1e300, counts)
    assert counts.tolist() == [0, 2]


def test_integers_beyond_int64() -> None:
    values = np.array([[[0, 5, 2**53 + 1, 2**63, 2**64 - 1]]], np.uint64)
    for high in (2.0**64, 2.0**63, 1e30):
        counts = np.zeros(4, np.int64)
        histogram(values, 0.0, high, counts)
        np.testing.assert_array_equal(counts, np.histogram(values.astype(float), 4, (0, high))[0])
