"""Angular correlation and power, and the estimators of fluctuation microscopy, against sums written out and truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames

METHODS = ["annular_mean", "image", "ring", "mean_ring", "ring_ensemble"]


def polar(pixels: Any, chunks: Any = "auto") -> l4.PolarDiffraction2D:
    values = np.asarray(pixels)
    s = l4.PolarDiffraction2D(Frames.from_array(values, values.ndim - 2, chunks=chunks), title="polar")
    k, azimuth = s.frame_axes
    k.name, k.scale, k.offset, k.units = "k", 0.1, 0.05, "1/Å"
    azimuth.name, azimuth.scale, azimuth.units = "azimuth", 2 * math.pi / values.shape[-1], "rad"
    azimuth.offset = azimuth.scale / 2 - math.pi
    return s


def correlation_by_sums(frame: Any, counted: Any, *, normalize: bool = True) -> Any:
    """The definition: every pair of bins of a ring, one after the other."""
    rings, size = frame.shape
    out = np.full(frame.shape, np.nan)
    for k in range(rings):
        known = [frame[k, a] for a in range(size) if counted[k, a]]
        mean = sum(known) / len(known)
        for lag in range(size):
            products = []
            for a in range(size):
                b = (a + lag) % size
                if counted[k, a] and counted[k, b]:
                    away = mean if normalize else 0.0
                    products.append((frame[k, a] - away) * (frame[k, b] - away))
            if products:
                out[k, lag] = sum(products) / len(products) / (mean**2 if normalize else 1)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("normalize", [True, False])
def test_correlation_is_the_sum_over_pairs(dtype: str, size: int, normalize: bool) -> None:
    rng = np.random.default_rng(3)
    frames = rng.poisson(20.0, (3, 4, size)).astype(dtype)
    mask = rng.random((4, size)) < 0.8
    counted = np.broadcast_to(mask, frames.shape).copy()
    if dtype == "float32":
        frames[1, 2, 3] = np.nan
        counted[1, 2, 3] = False
    found = polar(frames).get_angular_correlation(mask, normalize).as_numpy()
    for k in range(3):
        expected = correlation_by_sums(frames[k].astype(float), counted[k], normalize=normalize)
        np.testing.assert_allclose(found[k], expected, rtol=1e-9, atol=1e-12)


def test_without_a_mask_it_is_the_usual_formula() -> None:
    frame = np.random.default_rng(0).random((5, 12)) + 1
    found = polar(frame).get_angular_correlation().as_numpy()
    lags = [(frame * np.roll(frame, -lag, axis=1)).mean(axis=1) / frame.mean(axis=1) ** 2 - 1 for lag in range(12)]
    np.testing.assert_allclose(found, np.stack(lags, axis=1), atol=1e-14)


@pytest.mark.parametrize("order", [1, 2, 5, 11])
def test_power_of_a_cosine_is_half_its_amplitude_squared(order: int) -> None:
    azimuth = np.arange(24) * 2 * np.pi / 24
    ring = 1 + 0.3 * np.cos(order * azimuth + 0.7)
    found = polar(np.stack([ring, 5 * ring])).get_angular_power().as_numpy()
    expected = np.zeros((2, 13))
    expected[:, order] = 0.3**2 / 2
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_powers_add_up_to_the_variance_and_the_last_order_is_counted_once() -> None:
    frame = np.random.default_rng(5).random((3, 10)) + 1
    power = polar(frame).get_angular_power().as_numpy()
    np.testing.assert_allclose(power.sum(axis=1), frame.var(axis=1) / frame.mean(axis=1) ** 2, rtol=1e-12)
    alternating = 1 + 0.2 * np.cos(np.pi * np.arange(10))
    assert polar(alternating[None]).get_angular_power().as_numpy()[0, 5] == pytest.approx(0.04)


def test_power_of_a_pattern_on_the_detector() -> None:
    """1 + a cos 6φ drawn on pixels: a² / 2 at order 6 after integration, but for the width of the bins."""
    y, x = np.indices((96, 100)) - np.array([47.3, 52.1])[:, None, None]
    pattern = 1 + 0.5 * np.cos(6 * np.arctan2(y, x) + 0.4)
    s = l4.Diffraction2D(np.stack([pattern, 3 * pattern]))
    s.set_calibration(scale=1.0, units="1/nm", center=(52.1, 47.3))
    polar_signal = s.get_azimuthal_integral2d(4, 60, radial_range=(20.0, 44.0), splitting="exact", mean=True)
    power = polar_signal.get_angular_power().as_numpy()
    np.testing.assert_allclose(power[..., 6], 0.125 * np.sinc(6 / 60) ** 2, rtol=0.01)
    assert np.abs(np.delete(power, 6, axis=-1)).max() < 2e-4
    six, four = polar_signal.get_symmetry_coefficient([6, 4])
    assert (six.as_numpy() > 500 * np.abs(four.as_numpy())).all()


def test_a_masked_ring_keeps_its_power() -> None:
    azimuth = np.arange(60) * 2 * np.pi / 60
    ring = 1 + 0.4 * np.cos(4 * azimuth)
    ring[:12] = np.nan  # a beam stop
    power = polar(ring[None]).get_angular_power().as_numpy()[0]
    assert power[4] == pytest.approx(0.08, rel=0.1)
    assert np.nanargmax(power) == 4


def test_symmetry_coefficient_is_the_mean_power_of_the_chosen_rings() -> None:
    rng = np.random.default_rng(1)
    s = polar(rng.random((2, 3, 6, 12)) + 1)
    power = s.get_angular_power().as_numpy()
    three = s.get_symmetry_coefficient(3, radial_range=(0.2, 0.5))
    assert type(three) is l4.VirtualImage
    np.testing.assert_allclose(three.as_numpy(), power[..., 2:5, 3].mean(axis=-1), rtol=1e-12)
    both = s.get_symmetry_coefficient([1, 6], radial_range=(1, 3))
    np.testing.assert_allclose(both[1].as_numpy(), power[..., 1:3, 6].mean(axis=-1), rtol=1e-12)
    assert both[1].title == "6-fold symmetry of polar"


def test_pearson_is_that_of_numpy() -> None:
    rng = np.random.default_rng(2)
    frame = rng.random((4, 9)) + 100.0
    frame[2, 3] = np.nan
    mask = rng.random((4, 9)) < 0.9
    found = polar(frame).get_full_pearson_correlation(mask).as_numpy()
    counted = mask & np.isfinite(frame)
    for lag in range(9):
        turned, also = np.roll(frame, -lag, axis=1), np.roll(counted, -lag, axis=1)
        pair = counted & also
        assert found[lag] == pytest.approx(np.corrcoef(frame[pair], turned[pair])[0, 1], abs=1e-9)
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(polar(np.full((4, 9), 3.0)).get_full_pearson_correlation().as_numpy()).all()


@pytest.mark.parametrize("mean", [0.5, 5.0])
def test_poisson_noise_is_taken_off_exactly(mean: float) -> None:
    frames = np.random.default_rng(7).poisson(mean, (1500, 4, 24)).astype("uint16")
    s = polar(frames)
    raw, corrected = s.get_angular_correlation(), s.get_angular_correlation(poisson=True)
    assert raw.as_numpy()[..., 0].mean() == pytest.approx(1 / mean, rel=0.1)
    left = corrected.as_numpy()
    error = left.std(axis=(0, 1)) / math.sqrt(1500 * 4)
    assert np.all(np.abs(left.mean(axis=(0, 1))) < 4 * error + 1e-15)
    power = s.get_angular_power(poisson=True).as_numpy()
    assert np.all(np.abs(power.mean(axis=(0, 1))) < 4 * power.std(axis=(0, 1)) / math.sqrt(6000) + 1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_variance_of_counts_is_one_over_their_mean(method: str) -> None:
    """Poisson data: V = 1 / <N> within three standard errors, and nothing once that is taken off."""
    runs, size, mean = 40, 24, 4.0
    n = 60
    raw, corrected = [], []
    for run in range(runs):
        s = polar(np.random.default_rng(run).poisson(mean, (n, 5, size)).astype("uint16"))
        raw.append(np.mean(s.get_variance(method).as_numpy()))
        corrected.append(np.mean(s.get_variance(method, poisson=True).as_numpy()))
    samples = {"annular_mean": n, "image": n, "ring_ensemble": n * size}.get(method, size)
    expected = (1 - 1 / samples) / (mean * (size if method == "annular_mean" else 1))
    assert abs(np.mean(raw) - expected) < 3 * np.std(raw) / math.sqrt(runs) + 2e-3 * expected
    assert abs(np.mean(corrected)) < 3 * np.std(corrected) / math.sqrt(runs) + 1e-12


@pytest.mark.parametrize("modes", [1, 4])
@pytest.mark.parametrize("method", ["image", "mean_ring", "ring_ensemble"])
def test_speckle_of_m_modes_has_the_variance_one_over_m(method: str, modes: int) -> None:
    rng = np.random.default_rng(0)
    speckle = rng.exponential(1.0, (modes, 400, 3, 120)).mean(axis=0) * 50.0
    counts = rng.poisson(speckle)
    assert polar(speckle).get_variance(method).as_numpy().mean() == pytest.approx(1 / modes, rel=0.03)
    assert polar(counts).get_variance(method, poisson=True).as_numpy().mean() == pytest.approx(1 / modes, rel=0.03)


def test_estimators_are_what_their_formulas_say() -> None:
    frames = np.random.default_rng(9).gamma(2.0, 3.0, (30, 4, 10))
    s = polar(frames.reshape(5, 6, 4, 10))
    rings, squares = frames.mean(axis=2), (frames**2).mean(axis=2)
    expected = {
        "annular_mean": (rings**2).mean(axis=0) / rings.mean(axis=0) ** 2 - 1,
        "image": ((frames**2).mean(axis=0) / frames.mean(axis=0) ** 2 - 1).mean(axis=1),
        "ring": (squares / rings**2 - 1).reshape(5, 6, 4),
        "mean_ring": (squares / rings**2 - 1).mean(axis=0),
        "ring_ensemble": squares.mean(axis=0) / rings.mean(axis=0) ** 2 - 1,
    }
    for method, value in expected.items():
        found = s.get_variance(method)
        assert type(found) is l4.Diffraction1D
        assert found.axes_manager["k"].units == "1/Å"
        np.testing.assert_allclose(found.as_numpy(), value, rtol=1e-10, err_msg=method)


@pytest.mark.parametrize("method", METHODS)
def test_variance_leaves_out_nan_and_masked_bins(method: str) -> None:
    rng = np.random.default_rng(4)
    frames = rng.gamma(2.0, 3.0, (12, 3, 8))
    holes = frames.copy()
    holes[:, :, :2] = np.nan
    mask = np.ones((3, 8), bool)
    mask[:, 6:] = False
    found = polar(holes).get_variance(method, mask, poisson=True, gain=0.5).as_numpy()
    plain = polar(frames[:, :, 2:6]).get_variance(method, poisson=True, gain=0.5).as_numpy()
    np.testing.assert_allclose(found, plain, rtol=1e-10)
    holes[:, 1] = np.nan
    empty = polar(holes).get_variance(method).as_numpy()
    assert np.isnan(empty[..., 1]).all()
    assert np.isfinite(empty[..., [0, 2]]).all()


@pytest.mark.parametrize("method", METHODS)
def test_order_and_size_of_blocks_do_not_matter(method: str, chunks: Any) -> None:
    frames = (np.random.default_rng(4).gamma(2.0, 1e4, (4, 5, 3, 8)) + 1e6).astype("float64")
    whole = polar(frames).get_variance(method, poisson=True).as_numpy()
    cut = polar(frames, chunks).get_variance(method, poisson=True).as_numpy()
    np.testing.assert_allclose(cut, whole, rtol=1e-10)
    turned = polar(frames[::-1, ::-1].copy(), chunks).get_variance(method, poisson=True).as_numpy()
    np.testing.assert_allclose(turned[::-1, ::-1] if method == "ring" else turned, whole, rtol=1e-10)


def test_every_scheduler(scheduler: str) -> None:
    frames = np.random.default_rng(4).poisson(9.0, (4, 5, 3, 8)).astype("uint16")
    s, plain = polar(frames, ((1, 3), (2, 2, 1))), polar(frames)

    def results(of: Any) -> list[Any]:
        several = [of.get_variance(method, poisson=True, gain=2.0) for method in METHODS]
        return [
            *several,
            of.get_angular_correlation(),
            of.get_symmetry_coefficient(2),
            of.get_full_pearson_correlation(),
        ]

    for found, expected in zip(l4.compute(*results(s)), results(plain), strict=True):
        np.testing.assert_allclose(found.data, expected.as_numpy(), rtol=1e-10, atol=1e-14, err_msg=scheduler)


def test_missing_frames_are_left_out() -> None:
    frames = np.random.default_rng(4).gamma(2.0, 3.0, (6, 3, 8))
    valid = np.array([True, True, False, True, True, False])
    s = l4.PolarDiffraction2D(frames, valid=valid)
    kept = polar(frames[valid])
    for method in set(METHODS) - {"ring"}:
        found, expected = s.get_variance(method).as_numpy(), kept.get_variance(method).as_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    rings = s.get_variance("ring").as_numpy()
    assert np.isnan(rings[~valid]).all()
    assert np.isfinite(rings[valid]).all()


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_variance_image_and_its_annular_mean(dtype: str) -> None:
    frames = np.random.default_rng(4).poisson(9.0, (4, 5, 12, 10)).astype(dtype)
    s = l4.Diffraction2D(frames)
    image = s.get_variance_image()
    expected = frames.var(axis=(0, 1), dtype=float) / frames.mean(axis=(0, 1), dtype=float) ** 2
    np.testing.assert_allclose(image.as_numpy(), expected, rtol=1e-5 if dtype == "float32" else 1e-12)
    corrected = s.get_variance_image(poisson=True, gain=2.0).as_numpy()
    away = 2.0 * (1 - 1 / 20) / frames.mean(axis=(0, 1), dtype=float)
    np.testing.assert_allclose(corrected, image.as_numpy() - away, rtol=1e-9, atol=1e-12)
    profile = s.get_variance(3, radial_range=(0.0, 4.5), center=(4, 6))
    mean = l4.Diffraction2D(expected).get_azimuthal_integral1d(3, radial_range=(0.0, 4.5), center=(4, 6), mean=True)
    np.testing.assert_allclose(profile.as_numpy(), mean.as_numpy(), rtol=1e-5)
    mask = np.ones((12, 10), bool)
    mask[:2] = False
    assert np.isnan(s.get_variance_image(mask).as_numpy()[:2]).all()


def test_gain_of_means_over_pixels_comes_from_a_pattern_of_ones() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (500, 24, 24)).astype("uint16")
    options: dict[str, Any] = {"npt": 4, "npt_azim": 8, "splitting": None, "radial_range": (3.0, 11.0)}
    means = l4.Diffraction2D(counts).get_azimuthal_integral2d(**options, mean=True)
    ones = l4.Diffraction2D(np.ones((24, 24))).get_azimuthal_integral2d(**options, statistic="poisson_error")
    gain = ones.as_numpy() ** 2
    assert means.get_variance("image").as_numpy().min() > 0.01
    left = means.get_variance("image", poisson=True, gain=gain).as_numpy()
    np.testing.assert_allclose(left, 0, atol=0.003)


def test_what_makes_no_sense_is_refused() -> None:
    s = polar(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="method='omega' is not known"):
        s.get_variance("omega")
    with pytest.raises(ValueError, match="only poisson=True takes off"):
        s.get_variance(gain=2.0)
    with pytest.raises(ValueError, match="expected gain as a number"):
        s.get_variance(poisson=True, gain=np.ones(3))
    with pytest.raises(ValueError, match="at least 0"):
        s.get_angular_power(poisson=True, gain=-1.0)
    with pytest.raises(ValueError, match="expected a mask"):
        s.get_angular_correlation(np.ones((8, 4), bool))
    with pytest.raises(ValueError, match="from 1 to 4"):
        s.get_symmetry_coefficient(5)
    with pytest.raises(ValueError, match="radial_range as"):
        s.get_symmetry_coefficient(2, radial_range=3)
    with pytest.raises(ValueError, match="selects none"):
        s.get_full_pearson_correlation(radial_range=(3, 2))
    s.frame_axes[1].scale = 0.1
    with pytest.raises(ValueError, match="once around"):
        s.get_angular_correlation()
    s.frame_axes[1].units = "px"
    with pytest.raises(ValueError, match="azimuth in rad"):
        s.get_angular_power()
    d = l4.Diffraction2D(np.ones((2, 3, 8, 8)))
    with pytest.raises(ValueError, match="one centre for all positions"):
        d.get_variance(center=d.get_direct_beam_position())


def test_what_has_no_gain_does_not_count() -> None:
    counts = np.random.default_rng(0).poisson(5.0, (50, 3, 24)).astype(float)
    bins = [l4.Axis(name="k", size=3), l4.Axis(name="azimuth", size=24, scale=np.pi / 12, units="rad")]
    polar = l4.PolarDiffraction2D(counts, [l4.Axis(name="x", size=50, navigate=True), *bins])
    gain = np.ones((3, 24))
    gain[1] = np.nan
    gain[2, :12] = np.nan
    found = polar.get_variance("ring", poisson=True, gain=gain).mean().as_numpy()
    assert np.isnan(found[1])
    assert (abs(found[[0, 2]]) < 0.03).all()
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="expected a finite gain"):
            polar.get_variance(poisson=True, gain=wrong)
    with pytest.raises(ValueError, match="expected an order of symmetry"):
        polar.get_symmetry_coefficient("12")
