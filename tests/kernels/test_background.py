"""Kernels that take the background off patterns: against scipy, and written out; compiled and interpreted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.kernels import background_blur, background_median, background_opening, background_radial
from lazy4d.signals.background import footprint_rows

KY, KX = 9, 13
DTYPES = ("u1", "u2", "u4", "i2", "f4", "f8")
KINDS = ("random", "saturated", "empty", "no frames")
NO_MASK = np.empty((0, 0), np.uint8)
MASK = (np.arange(KY * KX).reshape(KY, KX) % 4 > 0).astype(np.uint8)


def make_frames(kind: str, dtype: str) -> NDArray[Any]:
    values = np.random.default_rng(5).poisson(6.0, (0 if kind == "no frames" else 3, KY, KX)).astype(float)
    if kind == "saturated":
        values[:] = np.iinfo(dtype).max if dtype[0] in "ui" else 1e30
    if kind == "empty":
        values[:] = 0
    if dtype == "i2" and kind == "random":
        values -= 6
    if dtype[0] == "f" and kind == "random":
        values += np.random.default_rng(6).normal(size=values.shape)
    return values.astype(dtype)


def run(kernel: Any, inner: Any, frames: NDArray[Any], *params: Any) -> NDArray[np.float32]:
    """The result of a kernel, which has to be that of its compiled loop uncompiled."""
    out = np.full(frames.shape, 99, np.float32)
    kernel(frames, *params, out)
    again = np.full(frames.shape, 99, np.float32)
    with np.errstate(all="ignore"):
        inner.py_func(frames.astype("f4"), *params, again)
    np.testing.assert_allclose(again, out, rtol=1e-6, atol=1e-6 * max(1.0, float(np.abs(frames).max(initial=0))))
    return out


# ---- rings


def ring_twin(
    frame: NDArray[Any], center: Any, matrix: Any, width: float, mask: NDArray[Any], statistic: Any
) -> NDArray[np.float64]:
    """The background of one frame."""
    offsets = np.moveaxis(np.indices(frame.shape), 0, -1) - center
    radius = np.hypot(*np.moveaxis(offsets @ np.asarray(matrix).T, -1, 0)) / width
    counts = np.ones(frame.shape, bool) if mask.size == 0 else mask.astype(bool)
    number = np.floor(radius + 1e-9).astype(int)
    places, values = [], []
    for k in range(number.max() + 1):
        inside = (number == k) & counts
        if inside.any():
            known = frame[inside & ~np.isnan(frame)]
            few = statistic is np.median and inside.sum() <= 128
            places.append(np.median(radius[inside]) if few else radius[inside].mean())
            values.append(statistic(known) if known.size else np.nan)
    places, values = np.array(places), np.array(values)
    good = ~np.isnan(values)
    return np.interp(radius, places[good], values[good])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rings(dtype: str, kind: str) -> None:
    frames = make_frames(kind, dtype)
    center = np.array([[4.3, 5.8]])
    for use_mean, mask in ((False, NO_MASK), (True, MASK)):
        params = (center, np.eye(2), 1.0, mask, use_mean, False, False)
        out = run(background_radial.subtract_rings, background_radial._subtract_rings, frames, *params)
        for found, frame in zip(out, frames.astype("f4"), strict=True):
            statistic = np.mean if use_mean else np.median
            expected = frame - ring_twin(frame.astype(float), center[0], np.eye(2), 1.0, mask, statistic)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * max(1.0, float(frame.max())))


def test_rings_of_an_ellipse_wide_ones_and_those_about_a_corner_outside() -> None:
    frames = make_frames("random", "f4")
    matrix = np.array([[0.8, 0.1], [0.1, 1.25]])
    for center, width in (((-2.0, 15.5), 1.0), ((4.0, 6.0), 2.5), ((4.0, 6.0), 0.4), ((4.0, 6.0), 100.0)):
        params = (np.array([center]), matrix, width, MASK, False, False, False)
        out = run(background_radial.subtract_rings, background_radial._subtract_rings, frames, *params)
        for found, frame in zip(out, frames, strict=True):
            expected = frame - ring_twin(frame, np.array(center), matrix, width, MASK, np.median)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_rings_about_a_centre_for_each_frame() -> None:
    frames = make_frames("random", "u2")
    centers = np.array([[4.0, 6.0], [np.nan, 6.0], [3.5, 7.25]])
    params = (np.eye(2), 1.0, NO_MASK, False, False, True)
    out = run(background_radial.subtract_rings, background_radial._subtract_rings, frames, centers, *params)
    assert np.isnan(out[1]).all()
    for k in (0, 2):
        alone = np.empty((1, KY, KX), np.float32)
        background_radial.subtract_rings(frames[k : k + 1], centers[k : k + 1], *params, alone)
        np.testing.assert_array_equal(out[k], alone[0])
        assert out[k].min() == 0


def test_rings_with_missing_pixels() -> None:
    frames = make_frames("random", "f4")
    frames[0, 4, 6] = frames[0, 0, 0] = np.nan  # the first ring of the first frame is that pixel
    frames[1] = np.nan
    params = (np.array([[4.0, 6.0]]), np.eye(2), 1.0, NO_MASK, False, False, False)
    out = run(background_radial.subtract_rings, background_radial._subtract_rings, frames, *params)
    assert np.isnan(out[1]).all()
    assert np.isnan(out[0]).sum() == 2
    expected = frames[0] - ring_twin(frames[0], np.array([4.0, 6.0]), np.eye(2), 1.0, NO_MASK, np.median)
    np.testing.assert_allclose(out[0], expected, rtol=1e-5, atol=1e-5)


def test_division() -> None:
    y, x = np.indices((KY, KX))
    frames = (100 / (1 + np.hypot(y - 4, x - 6)))[None].astype("f4")
    out = np.empty(frames.shape, np.float32)
    background_radial.subtract_rings(frames, np.array([[4.0, 6.0]]), np.eye(2), 0.01, NO_MASK, False, True, False, out)
    np.testing.assert_allclose(out, 1, rtol=1e-5)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-50, 5000, width=32), min_size=1, max_size=40), st.booleans())
def test_medians_of_rings(values: list[float], whole: bool) -> None:
    line = np.array(values, np.float32)
    line = np.abs(np.rint(line)) if whole else line
    found = background_radial._median(line.copy(), len(line), np.zeros(background_radial.COUNTED, np.int64))
    assert found == np.median(line)


# ---- Gaussians


def taps(sigma: float, truncate: float = 4.0) -> NDArray[np.float32]:
    reach = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return (weights / weights.sum()).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_difference_of_gaussians(dtype: str, kind: str) -> None:
    from scipy import ndimage

    frames = make_frames(kind, dtype)
    params = (taps(0.7), taps(0), taps(6), taps(2.2), NO_MASK, False)
    out = run(background_blur.gaussian_difference, background_blur._gaussian_difference, frames, *params)
    values = frames.astype(float)
    expected = ndimage.gaussian_filter(values, (0, 0.7, 0)) - ndimage.gaussian_filter(values, (0, 6, 2.2))
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=2e-6 * max(1.0, float(values.max(initial=0))))


def test_gaussians_of_the_pixels_that_count() -> None:
    from scipy import ndimage

    frames = make_frames("random", "f4")
    frames[1, 2, 3] = np.nan
    out = run(
        background_blur.gaussian_difference,
        background_blur._gaussian_difference,
        frames,
        *(taps(1),) * 2,
        *(taps(3),) * 2,
        MASK,
        True,
    )
    counts = MASK.astype(bool) & ~np.isnan(frames)
    expected = np.empty(frames.shape)
    for k, (frame, known) in enumerate(zip(frames.astype(float), counts, strict=True)):
        filled = np.where(known, frame, 0)
        blurred = [
            ndimage.gaussian_filter(filled, s) / ndimage.gaussian_filter(known.astype(float), s) for s in (1.0, 3.0)
        ]
        expected[k] = np.maximum(blurred[0] - blurred[1], 0)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_gaussians_of_nothing() -> None:
    mask = np.zeros((KY, KX), np.uint8)
    mask[0, 0] = 1
    params = (taps(0.5), taps(0.5), taps(1), taps(1), mask, False)
    frames = make_frames("random", "u2")
    out = run(background_blur.gaussian_difference, background_blur._gaussian_difference, frames, *params)
    assert np.isnan(out[:, -1, -1]).all()
    np.testing.assert_allclose(out[:, 0, 0], 0, atol=1e-5)


# ---- top hat


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_top_hat(dtype: str, kind: str) -> None:
    from scipy import ndimage

    frames = make_frames(kind, dtype)
    for rows, columns, footprint in ((2, 2, "disk"), (1, 3, "square"), (7, 6, "disk"), (5, 15, "disk")):
        half = footprint_rows(rows, columns, footprint)
        out = run(background_opening.top_hat, background_opening._top_hat, frames, half, NO_MASK, False)
        y, x = np.mgrid[-rows : rows + 1, -columns : columns + 1]
        inside = (y / rows) ** 2 + (x / columns) ** 2 <= 1 + 1e-9
        shape = inside if footprint == "disk" else np.ones_like(inside)
        for found, frame in zip(out, frames.astype("f4"), strict=True):
            np.testing.assert_array_equal(found, ndimage.white_tophat(frame, footprint=shape, mode="reflect"))


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_top_hat_of_the_pixels_that_count() -> None:
    frames = make_frames("random", "f4")
    frames[0, 3, 3] = np.nan
    frames[1] = np.nan
    mask = MASK.copy()
    mask[5:, 8:] = 0
    half = footprint_rows(1, 1, "square")
    out = run(background_opening.top_hat, background_opening._top_hat, frames, half, mask, False)
    for found, frame in zip(out, frames, strict=True):
        known = np.pad(np.where(mask.astype(bool), frame, np.nan), 1, mode="symmetric")
        eroded = np.array([[np.nanmin(known[y : y + 3, x : x + 3]) for x in range(KX)] for y in range(KY)])
        around = np.pad(eroded, 1, mode="symmetric")
        opened = np.array([[np.nanmax(around[y : y + 3, x : x + 3]) for x in range(KX)] for y in range(KY)])
        np.testing.assert_allclose(found, frame - opened, rtol=1e-6)
    clipped = run(background_opening.top_hat, background_opening._top_hat, frames, half, mask, True)
    np.testing.assert_array_equal(clipped, np.where(out < 0, 0, out))
    assert (out[0] < 0).any()


# ---- running median


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_running_median(dtype: str, kind: str) -> None:
    from scipy import ndimage

    frames = make_frames(kind, dtype)
    for size in (1, 3, 19):
        out = run(background_median.subtract_median, background_median._subtract_median, frames, size, NO_MASK, False)
        for found, frame in zip(out, frames.astype("f4"), strict=True):
            np.testing.assert_array_equal(found, frame - ndimage.median_filter(frame, size, mode="reflect"))


@pytest.mark.parametrize("scale", [1, 701, 0.37])
def test_running_median_of_the_pixels_that_count(scale: float) -> None:
    frames = make_frames("random", "u2").astype("f4") * np.float32(scale)  # few levels, far ones, and ranks
    frames[0, 3, 3] = np.nan
    frames[1] = np.nan
    out = run(background_median.subtract_median, background_median._subtract_median, frames, 3, MASK, True)
    for found, frame in zip(out, frames, strict=True):
        known = np.pad(np.where(MASK.astype(bool), frame, np.nan), 1, mode="symmetric")
        for y, x in np.ndindex(KY, KX):
            part = known[y : y + 3, x : x + 3]
            part = part[~np.isnan(part)]
            expected = max(frame[y, x] - np.median(part), 0) if part.size and frame[y, x] == frame[y, x] else math.nan
            np.testing.assert_allclose(found[y, x], expected, rtol=1e-5, atol=1e-5)
