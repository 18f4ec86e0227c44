from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels.rebin import rebin_sum


@settings(deadline=None)  # the first example compiles
@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20))
def test_groups_keep_their_counts_and_a_remainder_is_left_out(fy: int, fx: int, ky: int, kx: int) -> None:
    rows, columns = ky // fy, kx // fx
    frames = np.random.default_rng(ky).integers(0, 2**16, (3, ky, kx), np.uint16)
    out = np.full((3, rows, columns), 9, np.uint64)
    rebin_sum(frames, fy, fx, out)
    inside = frames[:, : rows * fy, : columns * fx].astype(np.uint64)
    np.testing.assert_array_equal(out, inside.reshape(3, rows, fy, columns, fx).sum(axis=(2, 4)))


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("shape", [(512, 512), (2, 70000), (3000, 40)])
def test_a_saturated_frame_in_one_pixel_is_exact(dtype: str, shape: tuple[int, int]) -> None:
    top = np.iinfo(dtype).max
    out = np.empty((1, 1, 1), np.uint64)
    rebin_sum(np.full((1, *shape), top, dtype), *shape, out)
    assert int(out[0, 0, 0]) == top * shape[0] * shape[1]


@pytest.mark.parametrize("fx", [1, 2, 3, 4])
def test_a_narrower_result_holds_what_fits(fx: int) -> None:
    out = np.empty((2, 3, 12 // fx), np.uint32)
    rebin_sum(np.full((2, 6, 12), 200, np.uint8), 2, fx, out)
    assert (out == 400 * fx).all()


def test_float32_results_are_rounded_once() -> None:
    frames = np.full((1, 300, 2), 0.1, np.float32)
    out = np.empty((1, 1, 1), np.float32)
    rebin_sum(frames, 300, 2, out)
    assert out[0, 0, 0] == pytest.approx(frames.astype(float).sum(), rel=1e-7)
