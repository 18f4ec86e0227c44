"""Elliptical distortion: measured on rings of known shape, and corrected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.signals.calibrating.ring_fit import RingModel, edge, gaussian, straightening, strain_of
from lazy4d.signals.ellipse import Ellipse, ellipse_of
from tests.signals.ring_patterns import ring_pattern

SHAPE = (192, 200)
CENTER = (97.3, 101.6)  # (y, x)


def calibrated(image: np.ndarray, scale: Any = 0.01) -> l4.Diffraction2D:
    s = l4.Diffraction2D(image)
    s.set_calibration(scale=scale, units="1/Å")
    return s


def turned_by(angle: float, truth: float) -> float:
    return abs((angle - truth + 90) % 180 - 90)


@pytest.mark.parametrize("spots", [None, 30])
@pytest.mark.parametrize(("ratio", "angle"), [(1.01, 75.0), (1.03, 30.0), (1.05, 170.0)])
def test_ratio_and_angle_at_poisson_noise(ratio: float, angle: float, spots: int | None) -> None:
    image = ring_pattern(SHAPE, CENTER, 60, 2.2, Ellipse(ratio, angle), height=300, spots=spots)
    fit = calibrated(image).calibrate_ellipse((46, 74))
    assert fit.converged
    assert abs(fit.ratio - ratio) < 1e-3
    assert turned_by(fit.angle, angle) < 1
    assert fit.ratio_error < 4e-4
    assert abs(fit.ratio - ratio) < 5 * fit.ratio_error + 2e-4
    np.testing.assert_allclose(fit.center_pixels, CENTER[::-1], atol=0.03)
    np.testing.assert_allclose(fit.center, (0.01 * (CENTER[1] - 100), 0.01 * (CENTER[0] - 96)), atol=3e-4)
    assert fit.radius == pytest.approx(0.6, abs=3e-4)
    assert fit.width == pytest.approx(0.022, rel=0.03)


def test_errors_are_what_noise_does() -> None:
    found = []
    for seed in range(16):
        image = ring_pattern((96, 96), (47.8, 48.5), 30, 2.0, Ellipse(1.04, 20), height=60, seed=seed)
        fit = calibrated(image).calibrate_ellipse((22, 38))
        found.append(((fit.ratio - 1.04) / fit.ratio_error, (fit.angle - 20) / fit.angle_error))
    assert 0.5 < np.std(found) < 1.6
    assert abs(np.mean(found)) < 0.8


def test_a_scan_a_mask_and_the_note() -> None:
    image = ring_pattern((96, 104), (48, 52), 30, 2.0, Ellipse(1.03, 60), height=400)
    image[:, 50:56] = 0  # a beam stop
    mask = np.ones(image.shape, bool)
    mask[:, 48:58] = False
    frames = np.random.default_rng(1).poisson(image / 4, (2, 3, *image.shape)).astype("uint16")
    s = calibrated(frames)
    fit = s.calibrate_ellipse((22, 38), mask=mask, center=(51, 47))
    assert abs(fit.ratio - 1.03) < 3e-3
    assert turned_by(fit.angle, 60) < 3
    assert ellipse_of(s) == Ellipse(fit.ratio, fit.angle)
    assert s.metadata.Calibration.ellipse.ratio == fit.ratio
    assert s.history[-1].op == "calibrate_ellipse"
    assert isinstance(fit, Ellipse)
    assert f"ratio {fit.ratio:.5f} ± " in repr(fit)
    assert "1/Å" in repr(fit)
    before = s.history
    other = s.calibrate_ellipse((22, 38), mask=mask, pattern=s.inav[0, 1], apply=False)
    assert s.history is before
    assert abs(other.ratio - 1.03) < 0.01
    assert ellipse_of(s.rebin(scale=(1, 1, 2, 2))).ratio == fit.ratio
    assert s.calibrate_ellipse((0.22, "0.38 1/Å"), mask=mask).ratio == pytest.approx(fit.ratio, abs=1e-4)


def test_shapes_are_those_on_the_axes_where_pixels_are_not_square() -> None:
    truth = Ellipse(1.04, 25)
    image = ring_pattern((120, 200), (60, 100), 40, 2.0, truth, height=400, steps=(1.0, 0.6))
    fit = calibrated(image, scale=(0.006, 0.01)).calibrate_ellipse((0.30, 0.50))
    assert abs(fit.ratio - 1.04) < 1e-3
    assert turned_by(fit.angle, 25) < 1
    assert fit.radius == pytest.approx(0.4, abs=5e-4)


def test_the_outline_lies_on_the_ring() -> None:
    truth = Ellipse(1.05, 35)
    s = calibrated(ring_pattern((96, 96), (48, 48), 30, 1.5, truth, height=400, noise=False))
    x, y = s.calibrate_ellipse((22, 38), apply=False).outline().T
    ring = truth.matrix() @ np.stack([y, x])
    np.testing.assert_allclose(np.hypot(*ring), 0.30, atol=2e-4)


def width_of(image: np.ndarray, center: tuple[float, float]) -> float:
    """Standard deviation of the ring in the radial profile."""
    y, x = np.indices(image.shape)
    r = np.hypot(y - center[0], x - center[1])
    edges = np.linspace(44, 76, 97)
    counts, sums = (np.histogram(r, edges, weights=w)[0] for w in (None, image))
    profile, radii = sums / counts, 0.5 * (edges[1:] + edges[:-1])
    weight = np.clip(profile - np.interp(radii, radii[[3, -4]], profile[[3, -4]]), 0, None)
    weight[weight < 0.05 * weight.max()] = 0
    mean = np.average(radii, weights=weight)
    return math.sqrt(np.average((radii - mean) ** 2, weights=weight))


def test_a_corrected_ring_is_as_narrow_as_a_round_one() -> None:
    center, truth = (96, 100), Ellipse(1.03, 40)
    elliptic = l4.Diffraction2D(ring_pattern(SHAPE, center, 60, 2.2, truth, height=2000))
    round_one = l4.Diffraction2D(ring_pattern(SHAPE, center, 60, 2.2, Ellipse(1, 0), height=2000))
    fit = elliptic.calibrate_ellipse((46, 74))
    corrected = elliptic.correct_ellipse(interpolation="cubic")
    narrow = width_of(round_one.as_numpy(), center)
    assert width_of(elliptic.as_numpy(), center) > 1.02 * narrow
    assert width_of(corrected.as_numpy(), center) == pytest.approx(narrow, rel=0.02)
    assert width_of(elliptic.correct_ellipse().as_numpy(), center) == pytest.approx(narrow, rel=0.02)
    again = corrected.calibrate_ellipse((46, 74), apply=False)
    assert again.ratio < 1 + 1e-3
    assert again.radius == pytest.approx(fit.radius, rel=1e-4)
    inside = (slice(10, -10), slice(10, -10))
    assert corrected.as_numpy()[inside].sum() == pytest.approx(elliptic.as_numpy()[inside].sum(), rel=3e-3)


@pytest.mark.parametrize("profile", [gaussian, edge])
def test_derivatives_of_the_model(profile: Any) -> None:
    model = RingModel(np.ones((40, 44)), np.ones((40, 44), bool), np.array([0.8, 1.25]), profile)
    model.choose(np.array([20.0, 22.0]), np.zeros(2), 6.0, 16.0)
    params = np.array([20.3, 21.6, 0.02, -0.03, 11.0, 1.7, 3.0, 0.4, -0.2])
    heights = np.random.default_rng(0).uniform(1, 5, model.nodes)
    _, jacobian, _ = model.evaluate(params, heights)
    for k in range(9):
        h = np.zeros(9)
        h[k] = 1e-5
        numeric = (model.evaluate(params + h, heights)[0] - model.evaluate(params - h, heights)[0]) / 2e-5
        np.testing.assert_allclose(jacobian[:, k], numeric, atol=2e-6)


def test_strain_and_ellipse_are_the_same_matrix() -> None:
    for ratio, angle in ((1.0, 0.0), (1.03, 30.0), (1.4, 140.0)):
        np.testing.assert_allclose(straightening(strain_of(ratio, angle)), Ellipse(ratio, angle).matrix(), atol=1e-12)


def test_what_cannot_be_measured() -> None:
    s = calibrated(np.ones((3, 32, 32), "uint16"))
    with pytest.raises(ValueError, match="at least 30 pixels"):
        s.calibrate_ellipse((100, 120))
    with pytest.raises(ValueError, match="0 <= low < high"):
        s.calibrate_ellipse((12, 8))
    with pytest.raises(ValueError, match="radial_range as \\(low, high\\)"):
        s.calibrate_ellipse(12)
    with pytest.raises(ValueError, match="none brighter"):
        s.calibrate_ellipse((5, 12))
    with pytest.raises(ValueError, match="measures one pattern"):
        s.calibrate_ellipse((5, 12), pattern=s)
    with pytest.raises(ValueError, match="shape of the frames"):
        s.calibrate_ellipse((5, 12), pattern=np.ones((5, 5)))
    with pytest.raises(ValueError, match="ellipse as an Ellipse"):
        s.set_ellipse(1.03)


@pytest.mark.parametrize(("height", "spots"), [(0.5, None), (5.0, 20), (300.0, 12)])
def test_a_start_off_centre_and_hot_pixels(height: float, spots: int | None) -> None:
    truth = Ellipse(1.05, 170)
    image = ring_pattern(SHAPE, (96, 100), 60, 2.2, truth, height=height, spots=spots, seed=3)
    y, x = np.random.default_rng(0).integers(0, 190, (2, 40))
    image[y, x] = 20_000
    fit = l4.Diffraction2D(image).calibrate_ellipse((46, 74), center=(105, 91))
    assert fit.converged
    assert abs(fit.ratio - 1.05) < 4 * fit.ratio_error
    assert turned_by(fit.angle, 170) < 4 * fit.angle_error
    np.testing.assert_allclose(fit.center_pixels, (100, 96), atol=max(0.05, 4 * fit.center_error))
