"""Peaks between pixels: against surfaces of known maximum and plain sums of waves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.kernels.subpixel import (
    center_of_mass_about,
    parabola,
    parabolas,
    upsampled_dft,
    upsampled_peaks,
    vertex,
)

Half = st.floats(-0.5, 0.5)


@given(Half, Half, st.floats(0.01, 100), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_the_top_of_a_parabola_is_exact(y: float, x: float, bend_y: float, bend_x: float) -> None:
    line = np.arange(-1, 2)
    surface = 7 - bend_y * (line[:, None] - y) ** 2 - bend_x * (line - x) ** 2
    np.testing.assert_allclose(parabola(surface, 1, 1), (y, x), atol=1e-9)
    np.testing.assert_allclose(parabola.py_func(surface, 1, 1), (y, x), atol=1e-9)
    offset, height = parabolas(surface)
    np.testing.assert_allclose(offset, (y, x), atol=1e-9)
    np.testing.assert_allclose(height, 7, rtol=1e-9)


@pytest.mark.parametrize("function", [vertex, vertex.py_func])
def test_what_has_no_top_stays_on_its_pixel(function: object) -> None:
    three = function  # (low, middle, high) -> offset
    assert three(1.0, 1.0, 1.0) == 0  # type: ignore[operator]
    assert three(0.0, 1.0, 2.0) == 0  # type: ignore[operator]
    assert three(np.nan, 1.0, 0.0) == 0  # type: ignore[operator]
    assert three(0.0, 1.0, 1.0) == 0.5  # type: ignore[operator]
    assert three(1.0, 1.0, 0.0) == -0.5  # type: ignore[operator]


def test_many_peaks_at_once_and_at_the_rim() -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 3, 3))
    values[..., 1, 1] += 3
    offsets, heights = parabolas(values)
    assert offsets.shape == (4, 5, 2)
    for index in np.ndindex(4, 5):
        np.testing.assert_allclose(offsets[index], parabola(values[index], 1, 1), atol=1e-12)
    assert (heights >= values[..., 1, 1]).all()
    assert parabola(np.array([[3.0, 1.0], [2.0, 0.0]]), 0, 0) == (0.0, 0.0)


def test_centre_of_mass_about_a_peak() -> None:
    y, x = np.indices((15, 17))
    image = 5.0 + np.exp(-((y - 6.3) ** 2 + (x - 8.8) ** 2) / 4)
    for function in (center_of_mass_about, center_of_mass_about.py_func):
        np.testing.assert_allclose(function(image, 6, 9, 4.0), (0.3, -0.2), atol=0.03)
        np.testing.assert_allclose(function(np.ones((5, 5)), 2, 2, 1.5), (0, 0))
        assert np.isfinite(function(image, 0, 0, 3.0)).all()


def waves(spectrum: NDArray[np.complex128], y: float, x: float) -> float:
    """An image at any place as the plain sum of its waves; what is at the highest frequency is split between signs."""
    ky, kx = spectrum.shape
    total = 0.0
    for v, fy in enumerate(np.fft.fftfreq(ky)):
        for u, fx in enumerate(np.fft.fftfreq(kx)):
            for sign_y in (-1, 1) if fy == -0.5 else (1,):
                for sign_x in (-1, 1) if fx == -0.5 else (1,):
                    share = (0.5 if fy == -0.5 else 1) * (0.5 if fx == -0.5 else 1)
                    wave = np.exp(2j * np.pi * (sign_y * fy * y + sign_x * fx * x))
                    total += share * (spectrum[v, u] * wave).real
    return total / (ky * kx)


@pytest.mark.parametrize("shape", [(7, 9), (8, 9), (7, 10), (8, 6)])
def test_the_upsampled_transform_is_the_sum_of_waves(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.fft2(rng.normal(size=shape))
    image = np.fft.ifft2(spectrum).real
    places = np.array([[2.0, 3.0], [4.5, 1.25]])
    for spectra in (np.fft.rfft2(image), np.fft.rfft2(np.stack([image, image]))):
        fine, steps = upsampled_dft(spectra, shape[1], places, 4, 0.5)
        assert fine.shape == (2, 5, 5)
        for p, (y, x) in enumerate(places):
            expected = [[waves(spectrum, y + a, x + b) for b in steps] for a in steps]
            np.testing.assert_allclose(fine[p], expected, atol=1e-12)
    np.testing.assert_allclose(upsampled_dft(np.fft.rfft2(image), shape[1], places, 4)[0][0, 3, 3], image[2, 3])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_many_peaks_of_one_image(dtype: str) -> None:
    truth = np.array([[9.3, 11.8], [20.47, 31.0], [5.05, 40.4]])
    y, x = np.indices((32, 48))
    image = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) for a, b in truth)
    fine, steps = upsampled_dft(np.fft.rfft2(image).astype(dtype), 48, truth.round(), 16)
    offset, height = upsampled_peaks(fine, steps)
    np.testing.assert_allclose(truth.round() + offset, truth, atol=2e-3)
    np.testing.assert_allclose(height, 1, atol=2e-3)


def test_the_highest_point_on_the_rim_of_the_finer_grid_stays_there() -> None:
    steps = np.arange(-2, 3) / 2
    slope = np.add.outer(np.arange(5.0), np.arange(5.0))
    offset, height = upsampled_peaks(slope[None], steps)
    np.testing.assert_array_equal(offset, [[1.0, 1.0]])
    np.testing.assert_array_equal(height, [8.0])
