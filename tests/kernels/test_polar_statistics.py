"""Kernels on patterns in polar coordinates, on profiles and on maps: any dtype, any shape, no frames at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lazy4d.kernels import angular, fluctuation, pair_distribution, registration, scan_rows

NONE = np.empty((0, 0), np.uint8)
NO_GAIN = np.empty((0, 0))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_every_dtype_and_no_frames(dtype: str, n: int) -> None:
    frames = np.random.default_rng(0).poisson(9.0, (n, 3, 10)).astype(dtype)
    plain = frames.astype(float)
    correlation, power = np.full((n, 3, 10), 7.0), np.full((n, 3, 6), 7.0)
    angular.angular_correlation(frames, NONE, NO_GAIN, True, correlation)
    angular.angular_power(frames, NONE, NO_GAIN, power)
    variance, pearson, symmetry = np.full((n, 3), 7.0), np.full((n, 10), 7.0), np.full(n, 7.0)
    fluctuation.ring_variance(frames, NONE, NO_GAIN, variance)
    angular.pearson_correlation(frames, NONE, pearson)
    angular.symmetry_coefficient(frames, NONE, NO_GAIN, 3, symmetry)
    expected = plain.var(axis=2) / plain.mean(axis=2) ** 2
    np.testing.assert_allclose(variance, expected, rtol=1e-12)
    np.testing.assert_allclose(correlation[..., 0], expected, rtol=1e-9)
    np.testing.assert_allclose(symmetry, power[..., 3].mean(axis=1) if n else [], rtol=1e-9)
    np.testing.assert_allclose(pearson[:, 0], np.ones(n), rtol=1e-12)


def test_saturated_and_empty_rings() -> None:
    frames = np.stack([np.full((2, 8), 2**32 - 1, np.uint32), np.zeros((2, 8), np.uint32)])
    out = np.empty((2, 2, 8))
    angular.angular_correlation(frames, NONE, NO_GAIN, True, out)
    np.testing.assert_allclose(out[0], 0, atol=1e-12)
    assert np.isnan(out[1]).all()
    variance = np.empty((2, 2))
    fluctuation.ring_variance(frames, NONE, NO_GAIN, variance)
    np.testing.assert_allclose(variance[0], 0, atol=1e-12)
    assert np.isnan(variance[1]).all()


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 7, 7), (0, 12)])
def test_moments_merge_in_any_order(cuts: tuple[int, ...]) -> None:
    frames = np.random.default_rng(1).gamma(2.0, 1.0, (12, 3, 10)) + 1e3
    frames[4, 1] = np.nan
    gain = np.full((3, 10), 2.0)

    def state() -> list[Any]:
        return [np.zeros(3) for _ in range(4)]

    whole, merged = state(), state()
    fluctuation.add_annular_means(frames, NONE, gain, *whole)
    for part in reversed(np.split(frames, list(cuts))):
        other = state()
        fluctuation.add_annular_means(part, NONE, gain, *other)
        fluctuation.merge_with_noise(*merged, *other)
    for one, other in zip(whole, merged, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10)
    pixels, parts = [np.zeros((3, 10)) for _ in range(3)], [np.zeros((3, 10)) for _ in range(3)]
    fluctuation.add_pixels(frames, *pixels)
    for part in np.split(frames, list(cuts)):
        fluctuation.add_pixels(part, *parts)
    np.testing.assert_allclose(pixels[0], np.isfinite(frames).sum(axis=0))
    np.testing.assert_allclose(pixels[1], np.nanmean(frames, axis=0), rtol=1e-14)
    for one, other in zip(pixels, parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10)


def test_no_profiles_and_no_maps() -> None:
    out = np.empty((0, 4))
    pair_distribution.reduced_intensity(np.empty((0, 4)), np.ones((4, 1)), np.ones(4, bool), np.ones(4), out)
    pair_distribution.sine_transform(np.empty((0, 5)), np.ones((5, 4)), out)
    registration.register(np.empty((0, 3, 8, 8)), "mean", False, (2, 2), 0.0, np.empty((0, 3, 3)))
    scan_rows.row_shifts(np.empty((0, 8, 8)), 2, 3, 4.0, np.empty((0, 8)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_maps_too_small_to_tell_give_no_number_or_no_shift(shape: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((1, 2, *shape))
    found = np.empty((1, 2, 3))
    registration.register(maps, "first", False, (1, 1), 0.0, found)
    np.testing.assert_array_equal(found[0, 0], [0, 0, 1])
    assert not np.isfinite(found[0, 1, 2])
    rows = np.empty((1, shape[0]))
    scan_rows.row_shifts(maps[:, 0], 2, 2, 4.0, rows)
    assert np.isfinite(rows).all()


def test_flat_maps_do_not_move() -> None:
    rows = np.empty((1, 12))
    scan_rows.row_shifts(np.full((1, 12, 20), 3.0), 2, 4, 4.0, rows)
    np.testing.assert_allclose(rows, 0, atol=1e-9)
    found = np.empty((1, 2, 3))
    registration.register(np.full((1, 2, 12, 20), 3.0), "first", False, (4, 4), 0.0, found)
    assert np.isnan(found[0, 1]).all()


def test_masked_correlation_is_that_of_numpy() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.random((7, 9)), rng.random((7, 9)) + 50
    one[2, 3] = other[4, 4] = np.nan
    found = registration.masked_correlation(one, other)
    for dy, dx in [(0, 0), (2, -3), (-1, 4), (-3, -2)]:
        a = one[max(dy, 0) : 7 + min(dy, 0), max(dx, 0) : 9 + min(dx, 0)]
        b = other[max(-dy, 0) : 7 - max(dy, 0), max(-dx, 0) : 9 - max(dx, 0)]
        pair = np.isfinite(a) & np.isfinite(b)
        assert found[dy, dx] == pytest.approx(np.corrcoef(a[pair], b[pair])[0, 1], abs=1e-9)
