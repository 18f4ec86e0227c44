"""Radial profiles and polar patterns: what is kept, where rings come out, units, masks, centres and ellipses."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from tests.signals.conftest import make_scan

TURN = 2 * math.pi
SPLITTINGS = ["bilinear", "exact", None]


def pattern(values: Any, **calibration: Any) -> l4.Diffraction2D:
    signal = l4.Diffraction2D(np.asarray(values))
    if calibration:
        signal.set_calibration(**calibration)
    return signal


def ring(
    shape: tuple[int, int], center: tuple[float, float], radius: float, sigma: float, matrix: Any = ((1, 0), (0, 1))
) -> NDArray[np.float64]:
    """A Gaussian ring about `center`, round after `matrix` has acted on the offsets."""
    offsets = np.indices(shape).T.swapaxes(0, 1) - np.array(center)
    r = np.linalg.norm(offsets @ np.asarray(matrix).T, axis=-1)
    return np.asarray(1000 * np.exp(-((r - radius) ** 2) / (2 * sigma**2)))


def moments(profile: Any) -> tuple[float, float]:
    """Centroid of a computed profile, and its width (standard deviation), in units of its axis."""
    k, values = profile.axes_manager["k"].axis, np.nan_to_num(profile.data)
    middle = (k * values).sum() / values.sum()
    return float(middle), float(math.sqrt(((k - middle) ** 2 * values).sum() / values.sum()))


# -- what is conserved ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("splitting", SPLITTINGS)
@pytest.mark.parametrize("value", [1, 60000])
def test_a_constant_image_has_a_constant_mean(splitting: Any, value: int) -> None:
    mask = np.random.default_rng(0).random((40, 36)) > 0.2
    s = pattern(np.full((40, 36), value, "uint16"), scale=(0.02, 0.021), units="1/Å", center=(17.3, 19.8))
    profile = s.get_azimuthal_integral1d(30, mask=mask, splitting=splitting, mean=True).compute().data
    polar = s.get_azimuthal_integral2d(20, 40, mask=mask, splitting=splitting, mean=True).compute().data
    for found in (profile, polar):
        found = found[~np.isnan(found)]
        assert found.size > 20
        np.testing.assert_allclose(found, value, rtol=1e-12)
    variance = s.get_azimuthal_integral1d(20, mask=mask, splitting=splitting, statistic="variance").compute().data
    assert np.nanmax(variance) <= 1e-20 * value**2


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(-5, 25), y=st.floats(-5, 25), low=st.floats(0, 6), width=st.floats(3, 20), npt=st.integers(1, 30),
    start=st.floats(-3.1, 3.1), span=st.one_of(st.just(TURN), st.floats(0.1, 6.2)), azimuths=st.integers(1, 40),
    splitting=st.sampled_from(SPLITTINGS),
)  # fmt: skip
def test_nothing_is_lost_inside_the_range(
    x: float, y: float, low: float, width: float, npt: int, start: float, span: float, azimuths: int, splitting: Any
) -> None:
    """For any centre and range: sectors add up to the profile, and bins to the pixels inside."""
    values = np.random.default_rng(3).integers(0, 5000, (18, 20)).astype("uint16")
    options = {
        "radial_range": (low, low + width),
        "azimuth_range": None if span == TURN else (start, start + span),
        "center": (x, y),
        "splitting": splitting,
    }
    s = pattern(values)
    r = np.hypot(*(np.indices(values.shape) - np.array([y, x]).reshape(2, 1, 1)))
    if low >= r.max() - 1:
        return
    profile = s.get_azimuthal_integral1d(npt, **options).compute().data
    polar = s.get_azimuthal_integral2d(npt, azimuths, **options).compute().data
    np.testing.assert_allclose(polar.sum(axis=1), profile, rtol=1e-9, atol=1e-6)
    if span == TURN and splitting != "exact":
        edges = (np.abs(r - low) < 1e-6) | (np.abs(r - low - width) < 1e-6)
        if not edges.any():
            np.testing.assert_allclose(profile.sum(), values[(r >= low) & (r < low + width)].sum(), rtol=1e-9)


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_by_default_the_whole_frame_is_counted(splitting: Any) -> None:
    values = np.random.default_rng(3).integers(0, 5000, (18, 20)).astype("uint16")
    s = pattern(values, scale=(0.3, 0.4), units="1/nm", center=(8.2, 11.7))
    assert s.get_azimuthal_integral1d(splitting=splitting).compute().data.sum() == pytest.approx(values.sum(), rel=1e-9)
    polar = s.get_azimuthal_integral2d(7, 9, splitting=splitting).compute().data
    assert polar.sum() == pytest.approx(values.sum(), rel=1e-9)


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_empty_bins_are_zero_or_nan(splitting: Any) -> None:
    s = pattern(np.ones((8, 8), "uint8"))
    far = {"radial_range": (0.0, 20.0), "splitting": splitting, "center": (4, 4)}
    total, mean = l4.compute(s.get_azimuthal_integral1d(20, **far), s.get_azimuthal_integral1d(20, mean=True, **far))
    assert (total.data[8:] == 0).all()
    assert np.isnan(mean.data[8:]).all()
    assert total.data[0] > 0


# -- rings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("splitting", SPLITTINGS)
@pytest.mark.parametrize("radius", [14.0, 20.37])
def test_a_ring_comes_out_at_its_radius(splitting: Any, radius: float) -> None:
    center = (31.7, 33.2)
    s = pattern(ring((64, 66), center, radius, 2.0))
    profile = s.get_radial_profile(radial_range=(0.0, 30.0), center=center[::-1], splitting=splitting).compute()
    assert abs(moments(profile)[0] - radius) < 0.02


def test_an_elliptic_ring_is_as_narrow_as_a_round_one_after_correction() -> None:
    center, ratio, angle = (47.6, 48.3), 1.03, math.radians(35)
    long = np.array([math.sin(angle), math.cos(angle)])  # (y, x)
    stretch = math.sqrt(ratio)
    undo = np.eye(2) * stretch + (1 / stretch - stretch) * np.outer(long, long)
    assert np.linalg.det(undo) == pytest.approx(1)
    options = {"npt": 176, "radial_range": (0.0, 44.0), "center": center[::-1], "mean": True}
    round_, bent, righted = (
        moments(signal.get_azimuthal_integral1d(**options, **more).compute())
        for signal, more in [
            (pattern(ring((96, 98), center, 36.0, 0.9)), {}),
            (pattern(ring((96, 98), center, 36.0, 0.9, undo)), {}),
            (pattern(ring((96, 98), center, 36.0, 0.9, undo)), {"ellipse": (ratio, 35.0)}),
        ]
    )
    calibrated = pattern(ring((96, 98), center, 36.0, 0.9, undo))
    calibrated.metadata.set_item("Calibration.ellipse", {"ratio": ratio, "angle": 35.0})
    assert moments(calibrated.get_azimuthal_integral1d(**options).compute()) == righted
    assert bent[1] > 1.05 * round_[1]
    assert righted[1] == pytest.approx(round_[1], rel=0.02)
    assert righted[0] == pytest.approx(36.0, abs=0.02)


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_pixels_may_be_oblong(splitting: Any) -> None:
    """Half as fine along ky as along kx: a ring that is round in 1/Å is an ellipse of pixels."""
    s = pattern(ring((40, 80), (20, 40), 1.2, 0.08, np.diag([0.1, 0.05])))
    s.set_calibration(scale=(0.05, 0.1), units="1/Å", center=(40, 20))
    profile = s.get_azimuthal_integral1d(60, radial_range=(0.0, 1.8), splitting=splitting, mean=True).compute()
    assert moments(profile)[0] == pytest.approx(1.2, abs=0.003)
    assert moments(profile)[1] == pytest.approx(0.08, rel=0.1)
    pixels = s.get_azimuthal_integral1d(units="px", splitting=splitting, mean=True).compute()
    assert pixels.axes_manager["k"].scale == 1
    assert moments(pixels)[0] == pytest.approx(1.2 / math.sqrt(0.005), abs=0.1)


def test_azimuth_runs_from_kx_towards_ky() -> None:
    values = np.zeros((21, 21), "uint16")
    values[10, 16] = 1  # +kx
    values[15, 10] = 2  # +ky
    values[6, 6] = 4  # between -kx and -ky
    polar = pattern(values).get_azimuthal_integral2d(10, 8, azimuth_range=("-22.5 deg", "337.5 deg")).compute()
    np.testing.assert_allclose(polar.axes_manager["azimuth"].axis, np.arange(8) * math.pi / 4, atol=1e-12)
    np.testing.assert_allclose(polar.data.sum(axis=0), [1, 0, 2, 0, 0, 4, 0, 0], atol=1e-9)
    backwards = pattern(values).isig[:, ::-1].get_azimuthal_integral2d(10, 8, center=(10, 10)).compute()
    assert backwards.axes_manager["azimuth"].units == "rad"


def test_a_reversed_axis_keeps_its_azimuths() -> None:
    values = np.random.default_rng(0).poisson(9.0, (15, 17)).astype("uint16")
    s = pattern(values, scale=0.1, units="1/Å", center=(8, 7))
    for splitting in SPLITTINGS:
        options = {"npt": 6, "npt_azim": 7, "radial_range": (0.0, 0.73), "splitting": splitting}
        straight, reverse = l4.compute(
            s.get_azimuthal_integral2d(**options), s.isig[::-1, :].get_azimuthal_integral2d(**options)
        )
        np.testing.assert_allclose(reverse.data, straight.data, atol=1e-6)


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_a_sector_may_wrap_through_pi(splitting: Any) -> None:
    values = np.random.default_rng(0).poisson(9.0, (15, 17)).astype("uint16")
    s, options = pattern(values), {"npt": 5, "center": (8.2, 7.1), "splitting": splitting}
    whole = s.get_azimuthal_integral1d(**options).compute().data
    fan = s.get_azimuthal_integral1d(azimuth_range=(2.0, -1.0), **options).compute().data
    rest = s.get_azimuthal_integral1d(azimuth_range=(-1.0, 2.0), **options).compute().data
    np.testing.assert_allclose(fan + rest, whole, rtol=1e-9)
    assert (fan[1:] > 0).all()
    polar = s.get_azimuthal_integral2d(npt_azim=3, azimuth_range=(2.0, -1.0), **options)
    assert polar.axes_manager["azimuth"].offset == pytest.approx(2.0 + (TURN - 3) / 6)
    np.testing.assert_allclose(polar.compute().data.sum(axis=1), fan, rtol=1e-9)


# -- units and ranges --------------------------------------------------------------------------------------------------


def test_axes_hold_the_centres_of_the_bins_in_the_units_asked_for() -> None:
    s = pattern(np.ones((2, 32, 32), "uint8"), scale=0.02, units="1/Å", beam_energy="200 kV")
    k = s.get_azimuthal_integral1d().axes_manager["k"]
    assert (k.units, k.scale, k.offset, k.beam_energy) == ("1/Å", pytest.approx(0.02), pytest.approx(0.01), 200)
    assert k.size == math.ceil(16 * math.sqrt(2))
    assert s.get_azimuthal_integral1d(splitting="exact").axes_manager["k"].size == math.ceil(16.5 * math.sqrt(2))
    k = s.get_azimuthal_integral1d(10, radial_range=(0.1, 0.3)).axes_manager["k"]
    assert (k.size, k.scale, k.offset) == (10, pytest.approx(0.02), pytest.approx(0.11))
    k = s.get_azimuthal_integral2d(10, radial_range=(5, 15)).axes_manager["k"]
    assert (k.scale, k.offset) == (pytest.approx(0.02), pytest.approx(0.11))
    k = s.get_azimuthal_integral1d(10, radial_range=(1.0, 3.0), units="nm^-1").axes_manager["k"]
    assert (k.units, k.scale, k.offset) == ("1/nm", pytest.approx(0.2), pytest.approx(1.1))
    milli = 1e3 * l4.units.wavelength(200)
    k = s.get_azimuthal_integral1d(10, radial_range=("2 mrad", "4 mrad")).axes_manager["k"]
    assert (k.units, k.scale, k.offset) == ("1/Å", pytest.approx(0.2 / milli), pytest.approx(2.1 / milli))
    k = s.get_azimuthal_integral1d(units="mrad").axes_manager["k"]
    assert (k.units, k.scale) == ("mrad", pytest.approx(0.02 * milli))
    k = s.get_azimuthal_integral1d(units="px", radial_range=(0, "8 px")).axes_manager["k"]
    assert (k.units, k.scale, k.size) == ("px", 1, 8)


def test_units_change_the_axis_and_not_the_numbers() -> None:
    values = np.random.default_rng(0).poisson(9.0, (2, 20, 22)).astype("uint16")
    s = pattern(values, scale=0.02, units="1/Å", beam_energy="200 kV")
    results = l4.compute(*(s.get_azimuthal_integral1d(12, units=u) for u in (None, "px", "1/nm", "mrad")))
    for result in results[1:]:
        np.testing.assert_allclose(result.data, results[0].data, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"npt": 0}, "npt as a whole number"),
        ({"npt": 2.5}, "npt as a whole number"),
        ({"splitting": "pseudo"}, "splitting='pseudo' is not known"),
        ({"statistic": "median"}, "statistic='median' is not known"),
        ({"statistic": "sum", "mean": True}, "not both"),
        ({"radial_range": (3, 2)}, "0 <= low < high"),
        ({"radial_range": (-1, 2)}, "0 <= low < high"),
        ({"radial_range": 5}, "radial_range as two places"),
        ({"radial_range": (50, 60)}, "beyond the frame"),
        ({"azimuth_range": (-4.0, 4.0)}, "at most a turn"),
        ({"azimuth_range": (1.0, 1.0)}, "at most a turn"),
        ({"azimuth_range": ("5 nm", "7 nm")}, "same kind"),
        ({"units": "mrad"}, "cannot give radii in 'mrad'"),
        ({"units": "nm"}, "cannot give radii in 'nm'"),
        ({"mask": np.ones((3, 3), bool)}, "expected a mask that is a ROI or a bool array"),
        ({"mask": np.ones((12, 10), "uint8")}, "expected a mask that is a ROI or a bool array"),
        ({"mask": np.zeros((12, 10), bool)}, "False everywhere"),
        ({"center": 5}, r"expected center as \(x, y\)"),
        ({"center": "5 px"}, r"expected center as \(x, y\)"),
        ({"ellipse": 1.2}, "expected ellipse as"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], text: str, simple: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match=text):
        simple.get_azimuthal_integral1d(**options)


def test_frames_have_to_be_images_of_real_numbers() -> None:
    with pytest.raises(ValueError, match="an azimuthal integral needs frames of real numbers"):
        l4.Diffraction2D(np.ones((2, 4, 4), complex)).get_azimuthal_integral1d()


# -- masks, damage, nan -------------------------------------------------------------------------------------------


def test_masks_are_regions_or_arrays(simple: l4.Diffraction2D) -> None:
    roi = l4.CircleROI(5, 6, 4)
    inside = roi.mask((simple.frame_axes[1], simple.frame_axes[0]))
    options = {"npt": 5, "center": (4.6, 5.5)}
    by_roi, by_mask, cut = l4.compute(
        simple.get_azimuthal_integral1d(mask=roi, **options),
        simple.get_azimuthal_integral1d(mask=inside, **options),
        (simple * inside).get_azimuthal_integral1d(**options),
    )
    np.testing.assert_array_equal(by_roi.data, by_mask.data)
    np.testing.assert_allclose(by_roi.data, cut.data, rtol=1e-12)


def test_pixels_of_nan() -> None:
    values = np.random.default_rng(0).normal(10, 1, (3, 16, 16)).astype("float32")
    values[1, 4, 9] = np.nan
    s = pattern(values)
    plain, skipped = l4.compute(
        s.get_azimuthal_integral1d(mean=True), s.get_azimuthal_integral1d(mean=True, skip_nan=True)
    )
    radius = math.hypot(4 - 8, 9 - 8)
    np.testing.assert_array_equal(np.nonzero(np.isnan(plain.data[1]))[0], [int(radius - 0.5), int(radius + 0.5)])
    assert not np.isnan(skipped.data).any()
    np.testing.assert_array_equal(plain.data[[0, 2]], skipped.data[[0, 2]])


def test_damaged_frames_are_nan_or_left_out() -> None:
    values = np.random.default_rng(0).poisson(4.0, (3, 4, 12, 10)).astype("uint16")
    valid = np.ones((3, 4), bool)
    valid[1, 2] = False
    s = l4.Diffraction2D(values, valid=valid)
    profile, polar = s.get_azimuthal_integral1d(5), s.get_azimuthal_integral2d(5, 8)
    np.testing.assert_array_equal(np.isnan(profile.compute().data).all(axis=-1), ~valid)
    np.testing.assert_array_equal(polar.get_radial_profile().compute().data[1, 2], np.full(5, np.nan))
    good = l4.Diffraction2D(values[valid]).get_azimuthal_integral2d(5, 8).compute().data
    np.testing.assert_allclose(polar.sum().compute().data, good.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(polar.valid.as_numpy(), valid)


# -- centres -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("splitting", ["bilinear", None])
def test_one_centre_a_position(splitting: Any, simple: l4.Diffraction2D) -> None:
    rng = np.random.default_rng(2)
    places = rng.uniform(3, 7, (4, 5, 2))
    places[1, 2] = np.nan
    centers = l4.BeamPosition(places)
    options = {"npt": 6, "radial_range": (0, 6), "splitting": splitting, "mean": True}
    profile = simple.get_azimuthal_integral1d(center=centers, **options)
    polar = simple.get_azimuthal_integral2d(npt_azim=9, center=centers, **options)
    profile, polar = l4.compute(profile, polar)
    for place in np.ndindex(4, 5):
        if np.isnan(places[place]).any():
            assert np.isnan(profile.data[place]).all()
            assert np.isnan(polar.data[place]).all()
            continue
        y, x = places[place]
        one = simple.inav[place[1], place[0]]
        center = tuple(axis.offset + axis.scale * v for axis, v in zip(reversed(one.frame_axes), (x, y), strict=True))
        expected = l4.compute(
            one.get_azimuthal_integral1d(center=center, **options),
            one.get_azimuthal_integral2d(npt_azim=9, center=center, **options),
        )
        np.testing.assert_allclose(profile.data[place], expected[0].data, rtol=1e-9)
        np.testing.assert_allclose(polar.data[place], expected[1].data, rtol=1e-6, atol=1e-9)


def test_equal_centres_are_the_same_as_one_centre() -> None:
    values = np.random.default_rng(2).poisson(5.0, (3, 24, 26)).astype("uint16")
    s = pattern(values, scale=(0.02, 0.03), units="1/Å", center=(12.2, 11.6))
    centers = l4.BeamPosition(np.tile([11.6, 12.2], (3, 1)))
    for statistic in ("sum", "mean", "variance", "standard_error", "poisson_error"):
        for kind in ("get_azimuthal_integral1d", "get_azimuthal_integral2d"):
            options = {"npt": 11, "radial_range": (0.03, 0.3), "statistic": statistic}
            still, moving = l4.compute(getattr(s, kind)(**options), getattr(s, kind)(center=centers, **options))
            size = np.nanmax(np.abs(still.data))
            np.testing.assert_allclose(moving.data, still.data, rtol=1e-12, atol=1e-12 * size)


def test_centres_of_every_form() -> None:
    s = pattern(np.random.default_rng(2).poisson(5.0, (3, 24, 26)).astype("uint16"), scale=0.5, units="mrad")
    expected = s.get_azimuthal_integral1d(8, radial_range=(0, 8), center=(14, 11)).compute().data
    for center in ((0.5, -0.5), ("0.5 mrad", "-0.5 mrad"), l4.BeamPosition(np.array([11.0, 14.0]))):
        found = s.get_azimuthal_integral1d(8, radial_range=(0, 8), center=center).compute().data
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    unset = pattern(s.data)
    middle = unset.get_azimuthal_integral1d(8, radial_range=(0, 8)).compute().data
    given_ = unset.get_azimuthal_integral1d(8, radial_range=(0, 8), center=(13, 12)).compute().data
    np.testing.assert_array_equal(middle, given_)


def test_centring_the_patterns_first_is_the_same() -> None:
    values = np.random.default_rng(2).poisson(5.0, (4, 32, 34)).astype("uint16")
    s, places = pattern(values), l4.BeamPosition(np.array([[16.0, 17], [15, 18], [18, 14], [16, 13]]))
    options = {"npt": 8, "npt_azim": 12, "radial_range": (0, 10)}
    centred = s.center_direct_beam(position=places).get_azimuthal_integral2d(**options)
    found, expected = l4.compute(centred, s.get_azimuthal_integral2d(center=places, **options))
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-12, atol=1e-10)


def test_centres_have_to_fit(simple: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match=r"expected center as a signal of \(y, x\)"):
        simple.get_azimuthal_integral1d(center=l4.BeamPosition(np.zeros((3, 3, 2))))
    with pytest.raises(ValueError, match="bilinear' or None with one centre a position"):
        simple.get_azimuthal_integral1d(center=simple.center_of_mass(), splitting="exact")
    with pytest.raises(TypeError, match="has to be known first"):
        simple.get_azimuthal_integral1d(center=simple.center_of_mass().mean())


# -- errors and solid angle ------------------------------------------------------------------------------------


def test_errors_of_the_mean_are_what_repeated_counts_show() -> None:
    rng = np.random.default_rng(5)
    s = pattern(rng.poisson(20.0, (400, 21, 21)).astype("uint16"))
    names = ("mean", "standard_error", "poisson_error", "variance")
    mean, error, poisson, variance = (
        one.data[:, 2:10]
        for one in l4.compute(*(s.get_azimuthal_integral1d(10, center=(10, 10), statistic=n) for n in names))
    )
    spread = mean.std(axis=0, ddof=1)  # itself known to 1/sqrt(800) = 3.5 %
    np.testing.assert_allclose(np.sqrt((error**2).mean(axis=0)), spread, rtol=0.15)
    np.testing.assert_allclose(poisson.mean(axis=0), spread, rtol=0.15)
    np.testing.assert_allclose(variance.mean(axis=0)[2:], 20, rtol=0.05)


def test_solid_angle() -> None:
    s = pattern(np.ones((31, 31), "uint16"), scale=20.0, units="mrad", center=(15, 15))
    options = {"npt": 1, "radial_range": (199.5, 200.5), "splitting": None, "mean": True}
    found = s.get_azimuthal_integral1d(correct_solid_angle=True, **options).compute().data
    np.testing.assert_allclose(found, 1.04**1.5, rtol=1e-9)
    with pytest.raises(ValueError, match="a pixel has no size"):
        pattern(np.ones((8, 8))).get_azimuthal_integral1d(correct_solid_angle=True)


# -- classes, laziness, blocks -------------------------------------------------------------------------------------


def test_classes_and_profiles(simple: l4.Diffraction2D) -> None:
    profile, polar = simple.get_azimuthal_integral1d(6), simple.get_azimuthal_integral2d(6, 8, mean=True)
    assert type(profile) is l4.Diffraction1D
    assert type(polar) is l4.PolarDiffraction2D
    assert type(polar.inav[0]) is type(polar.mean()) is l4.PolarDiffraction2D
    assert type(polar.get_radial_profile()) is l4.Diffraction1D
    assert [axis.name for axis in polar.frame_axes] == ["k", "azimuth"]
    assert profile.title == "azimuthal integral of scan"
    assert simple.get_radial_profile().title == "radial profile of scan"
    assert simple.get_azimuthal_integral1d(center=simple.center_of_mass()).history[-1].parents
    np.testing.assert_allclose(polar.get_radial_profile().as_numpy(), np.nanmean(polar.as_numpy(), axis=-1), rtol=1e-12)


OPERATIONS = {
    "profile": lambda s: s.get_azimuthal_integral1d(5, mean=True),
    "exact": lambda s: s.get_azimuthal_integral2d(5, 6, splitting="exact"),
    "moving": lambda s: s.get_azimuthal_integral2d(5, 6, center=s.center_of_mass()),
    "polar profile": lambda s: s.get_azimuthal_integral2d(5, 6).get_radial_profile(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_same_for_every_cut_into_blocks(name: str, chunks: Any, no_compute: Any) -> None:
    values = np.random.default_rng(2).poisson(3.0, (4, 5, 12, 10)).astype("uint16")
    with no_compute:
        cut = OPERATIONS[name](make_scan(values, chunks))
        repr(cut)
    np.testing.assert_array_equal(cut.as_numpy(), OPERATIONS[name](make_scan(values)).as_numpy())


def test_every_scheduler(scheduler: str) -> None:
    values = np.random.default_rng(2).poisson(3.0, (4, 5, 12, 10)).astype("uint16")
    results = l4.compute(*(make(make_scan(values, ((1, 3), (2, 2, 1)))) for make in OPERATIONS.values()))
    for (name, make), result in zip(OPERATIONS.items(), results, strict=True):
        np.testing.assert_array_equal(result.data, make(make_scan(values)).as_numpy(), err_msg=name)


def test_the_same_integral_has_the_same_name(simple: l4.Diffraction2D) -> None:
    mask = np.arange(120).reshape(12, 10) % 7 > 0
    names = [
        simple.get_azimuthal_integral1d(5, mask=mask, splitting=split).data.name for split in (*SPLITTINGS, "exact")
    ]
    assert names[1] == names[3]
    assert len(set(names)) == 3


def test_the_graph_stays_small(no_compute: Any) -> None:
    """The grid travels, and not the operator of some megabytes."""
    s = l4.Diffraction2D(np.zeros((2, 512, 512), "uint8"))
    mask = np.random.default_rng(0).random((512, 512)) > 0.1
    with no_compute:
        polar = s.get_azimuthal_integral2d(200, 360, splitting="exact", mask=mask)
    assert len(pickle.dumps(polar.frames.stages)) < 512 * 512 / 8 + 2000
    assert "integrate" in str(polar.explain())


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_only_the_pixels_in_reach_are_asked_for(splitting: Any) -> None:
    from lazy4d.signals.azimuthal.grid import bins_of

    s = pattern(np.random.default_rng(0).poisson(5.0, (40, 50)).astype("uint16"))
    options = {
        "radial_range": (2.0, 7.5), "azimuth_range": None, "units": None, "mask": None, "center": (20.3, 15.6),
        "ellipse": None, "splitting": splitting,
    }  # fmt: skip
    window = bins_of(s, 5, 1, **options).window
    assert window == (slice(7, 26), slice(11, 31)) or window == (slice(7, 26), slice(11, 30))
    inside = np.zeros((40, 50), bool)
    inside[window] = True
    masked = s.get_azimuthal_integral1d(5, radial_range=(2.0, 7.5), center=(20.3, 15.6), mask=inside)
    plain = s.get_azimuthal_integral1d(5, radial_range=(2.0, 7.5), center=(20.3, 15.6))
    np.testing.assert_array_equal(masked.compute().data, plain.compute().data)


# -- another program -----------------------------------------------------------------------------------------------


def test_agreement_with_pyfai() -> None:
    """Whole pixels agree to rounding. Its "full" splitting takes edges of pixels as straight in (r, χ), ours areas.

    That differs by a few percent where pixels are not small against the radius, and below 1e-3 from some bins on. It
    also drops the azimuths across ±π and pixels whose centre lies beyond the last bin, so ends are left out here.
    """
    integrator = pytest.importorskip("pyFAI.integrator.azimuthal")
    values = np.random.default_rng(0).poisson(100, (48, 56)).astype(float)
    center, npt, far = (23.3, 27.8), 20, 22.0
    other = integrator.AzimuthalIntegrator(
        dist=100.0, poni1=(center[0] + 0.5) * 1e-3, poni2=(center[1] + 0.5) * 1e-3, pixel1=1e-3, pixel2=1e-3
    )
    s, options = pattern(values), {"radial_range": (0.0, far), "center": center[::-1]}

    def theirs(split: str) -> Any:
        return other.integrate1d(
            values, npt, unit="r_mm", method=(split, "csr", "cython"), correctSolidAngle=False, radial_range=(0, far)
        )

    whole = s.get_azimuthal_integral1d(npt, splitting=None, **options).compute()
    np.testing.assert_allclose(whole.data, theirs("no").sum_signal, rtol=1e-7)
    np.testing.assert_allclose(whole.axes_manager["k"].axis, theirs("no").radial, rtol=1e-4)
    exact = s.get_azimuthal_integral1d(npt, splitting="exact", mean=True, **options).compute()
    found = theirs("full").intensity
    np.testing.assert_allclose(exact.data[:-1], found[:-1], rtol=2e-3)
    np.testing.assert_allclose(exact.data[3:-1], found[3:-1], rtol=3e-4)
    polar = s.get_azimuthal_integral2d(10, 12, splitting="exact", **options).compute().data
    image = other.integrate2d(
        values, 10, 12, unit="r_mm", method=("full", "csr", "cython"), correctSolidAngle=False, radial_range=(0, far),
        azimuth_range=(-180, 180),
    ).sum_signal  # fmt: skip
    np.testing.assert_allclose(polar[2:-1, 1:-1], image.T[2:-1, 1:-1], rtol=5e-3)
