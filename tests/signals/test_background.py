"""Background subtraction: on patterns whose background is known, per position, in any blocks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.signals.background import METHODS
from lazy4d.signals.ellipse import Ellipse
from tests.signals.conftest import make_scan

OPTIONS: dict[str, dict[str, Any]] = {
    "radial median": {"center": (5, 6)},
    "radial mean": {"center": (5, 6), "width": 2},
    "difference of gaussians": {"max_sigma": 3},
    "top hat": {"radius": 2},
    "median kernel": {"size": 5},
}
SIZE = 128


@cache
def patterns(noise: bool) -> tuple[l4.Diffraction2D, NDArray[np.float64]]:
    """Disks on a flat and a Gaussian background of half of all electrons, and the disks alone."""
    settings: dict[str, Any] = {"kind": "crystal", "disk_radius": 4, "spacing": 22, "seed": 1}
    scan = simulated_scan((1, 2), (SIZE, SIZE), dose=4e5, background=0.2, halo=0.3, noise=noise, **settings)
    disks = simulated_scan((1, 2), (SIZE, SIZE), dose=2e5, noise=False, **settings)
    return l4.Diffraction2D(scan.as_array()), disks.as_array().astype(float)


def parts(disks: NDArray[np.float64]) -> tuple[list[NDArray[np.bool_]], NDArray[np.bool_]]:
    """Each disk with the pixels around it, and what is far from all."""
    from scipy import ndimage

    inside = disks > 0.02 * disks.max()
    labels, number = ndimage.label(inside)
    each = [ndimage.binary_dilation(labels == k) for k in range(1, number + 1)]
    return each, ~ndimage.binary_dilation(inside, iterations=3)


def beam_left_out() -> NDArray[np.bool_]:
    y, x = np.indices((SIZE, SIZE)) - SIZE // 2
    return np.asarray(np.hypot(y, x) > 8)


@pytest.mark.parametrize(
    ("method", "options", "kept", "left"),
    [
        ("radial median", {}, 0.03, 0.5),
        ("radial median", {"width": 2.0}, 0.03, 0.7),
        ("top hat", {"radius": 7}, 0.02, 0.5),
        ("median kernel", {"size": 25}, 0.04, 2.5),
    ],
)
def test_background_goes_and_disks_stay(method, options, kept, left) -> None:
    s, disks = patterns(noise=False)
    if method == "radial median":
        options = {**options, "mask": beam_left_out()}
    result = s.subtract_diffraction_background(method, **options).as_numpy()[0, 1]
    each, far = parts(disks[0, 1])
    assert s.as_numpy()[0, 1][far].mean() > 10
    assert abs(result[far].mean()) < 0.15
    assert result[far].std() < left
    shares = [result[mask].sum() / disks[0, 1][mask].sum() for mask in each]
    np.testing.assert_allclose(shares, 1, atol=kept)


@pytest.mark.parametrize("method", ["radial median", "radial mean", "median kernel"])
def test_of_noisy_patterns_noise_is_left(method) -> None:
    s, disks = patterns(noise=True)
    each, far = parts(disks[0, 1])
    nothing = disks[0, 1] < 1e-3 * disks.max()
    options = {
        "radial median": {"mask": beam_left_out()},
        "radial mean": {"mask": nothing},
        "median kernel": {"size": 25},
    }[method]
    result = s.subtract_diffraction_background(method, **options).as_numpy()[0, 1]
    noise = np.sqrt((s.as_numpy()[0, 1] - disks[0, 1])[far].mean())
    assert abs(result[far].mean()) < 0.1 * noise
    assert result[far].std() < 1.3 * noise
    for mask in each:
        truth = disks[0, 1][mask].sum()
        assert abs(result[mask].sum() - truth) < 0.04 * truth + 4 * np.sqrt(truth + mask.sum() * noise**2)


def test_difference_of_gaussians_brings_out_disks() -> None:
    s, disks = patterns(noise=True)
    result = s.subtract_diffraction_background("difference of gaussians", max_sigma=8, clip=True).as_numpy()[0, 1]
    each, far = parts(disks[0, 1])
    raw = s.as_numpy()[0, 1].astype(float)
    weakest = min(each, key=lambda mask: disks[0, 1][mask].sum())
    contrast = raw[weakest].mean() / raw[far].mean(), result[weakest].mean() / result[far].mean()
    assert contrast[1] > 3 * contrast[0]


@pytest.mark.parametrize("method", OPTIONS)
@pytest.mark.parametrize("value", [0, 7, 3.5])
def test_a_flat_frame_becomes_nothing(method, value) -> None:
    s = l4.Diffraction2D(np.full((2, 12, 10), value, np.float32))
    result = s.subtract_diffraction_background(method, **OPTIONS[method]).as_numpy()
    np.testing.assert_allclose(result, 0, atol=2e-6)


@pytest.mark.parametrize("method", OPTIONS)
def test_any_dtype_and_blocks(scan, pixels, method, no_compute) -> None:
    with no_compute:
        result = scan.subtract_diffraction_background(method, **OPTIONS[method])
    assert result.dtype == np.float32
    assert type(result) is l4.Diffraction2D
    assert result.axes_manager.equals(scan.axes_manager)
    assert len(result.history) == len(scan.history) + 1
    whole = make_scan(pixels.astype("f4")).subtract_diffraction_background(method, **OPTIONS[method]).as_numpy()
    np.testing.assert_array_equal(result.as_numpy(), whole)


@pytest.mark.parametrize("method", OPTIONS)
def test_any_scheduler(simple, method, scheduler) -> None:
    result = simple.subtract_diffraction_background(method, **OPTIONS[method])
    whole = make_scan(simple.as_numpy()).subtract_diffraction_background(method, **OPTIONS[method])
    np.testing.assert_array_equal(result.as_numpy(), whole.as_numpy())


def test_missing_frames_are_left_out_of_results(simple) -> None:
    valid = np.ones((4, 5), bool)
    valid[1, 2] = False
    s = l4.Diffraction2D(simple.as_numpy(), valid=valid)
    image = s.subtract_diffraction_background("median kernel", size=3).get_total_intensity()
    np.testing.assert_array_equal(np.isnan(image.as_numpy()), ~valid)


# ---- rings: centres, ellipses, units


def rings(center: Any, matrix: Any = None, shape: tuple[int, int] = (40, 50)) -> NDArray[np.float32]:
    offsets = np.moveaxis(np.indices(shape), 0, -1) - np.asarray(center)
    radius = np.hypot(*np.moveaxis(offsets @ np.asarray(np.eye(2) if matrix is None else matrix).T, -1, 0))
    return (1000 / (1 + (radius / 8) ** 2)).astype("f4")


def test_a_centre_for_each_position() -> None:
    centers = np.array([[[20.0, 25.0], [21.5, 24.25]], [[18.75, 27.0], [20.0, 22.0]]])
    frames = np.array([[rings(center) for center in row] for row in centers])
    s = l4.Diffraction2D(frames)
    position = l4.BeamPosition(centers)
    right = s.subtract_diffraction_background("radial median", center=position, width="0.5 px").as_numpy()
    fixed = s.subtract_diffraction_background("radial median", center=(25, 20), width="0.5 px").as_numpy()
    assert abs(right).max() < 25
    assert abs(right).mean() < 0.3
    np.testing.assert_array_equal(right[0, 0], fixed[0, 0])
    assert abs(fixed[1, 0]).max() > 100
    entry = s.subtract_diffraction_background("radial median", center=position).history[-1]
    assert entry.parents == (position.history.id,)
    lazy = s.get_direct_beam_position()
    result = s.subtract_diffraction_background("radial median", center=lazy)
    assert result.lazy
    assert result.inav[1, 1].as_numpy().shape == (40, 50)


def test_the_centre_is_where_the_axes_are_0() -> None:
    frames = rings((20.0, 25.0))[None]
    s = l4.Diffraction2D(frames)
    expected = s.subtract_diffraction_background("radial median", center=(25, 20)).as_numpy()
    middle = s.subtract_diffraction_background("radial median").as_numpy()  # pixels N // 2
    s.set_calibration(scale=0.1, units="1/Å")
    calibrated = s.subtract_diffraction_background("radial median").as_numpy()
    typed = s.subtract_diffraction_background("radial median", center=(0.0, "0 1/nm"), width=0.1).as_numpy()
    for found in (middle, calibrated, typed):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_pixels_that_are_not_square_and_division() -> None:
    frames = rings((20.0, 25.0), np.diag([2.0, 0.5]))[None]
    s = l4.Diffraction2D(frames)
    s.axes_manager["kx"].scale, s.axes_manager["ky"].scale = 0.05, 0.2
    s.axes_manager["kx"].offset, s.axes_manager["ky"].offset = -1.25, -4.0
    s.axes_manager["kx"].units = s.axes_manager["ky"].units = "1/Å"
    quotient = s.subtract_diffraction_background("radial median", width="0.2 px", divide=True).as_numpy()
    np.testing.assert_allclose(quotient, 1, rtol=0.03)


def test_an_elliptical_distortion() -> None:
    ellipse = Ellipse(1.2, 30.0)
    s = l4.Diffraction2D(rings((20.0, 25.0), ellipse.matrix())[None])
    for given in (ellipse, (1.2, 30.0)):
        result = s.subtract_diffraction_background("radial median", center=(25, 20), width="0.5 px", ellipse=given)
        assert abs(result.as_numpy()).mean() < 0.3
    wrong = s.subtract_diffraction_background("radial median", center=(25, 20), width="0.5 px").as_numpy()
    assert abs(wrong).mean() > 5


def test_clipping_and_masks(simple) -> None:
    mask = np.ones((12, 10), bool)
    mask[3:6] = False
    for method, options in OPTIONS.items():
        plain = simple.subtract_diffraction_background(method, mask=mask, **options).as_numpy()
        clipped = simple.subtract_diffraction_background(method, mask=mask, clip=True, **options).as_numpy()
        np.testing.assert_array_equal(clipped, np.where(plain < 0, 0, plain))
    roi = l4.RectangleROI(0, 0, 10, 12)
    whole = simple.subtract_diffraction_background("median kernel", size=3).as_numpy()
    assert simple.subtract_diffraction_background("median kernel", size=3, mask=roi).shape == whole.shape


# ---- what makes no sense


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        ("h", {}, ValueError, "method='h' is not known: expected one of 'radial median', 'radial mean'"),
        ("top hat", {}, TypeError, "'top hat' needs radius=, a length larger than the disks"),
        ("median kernel", {"footprint": 3}, TypeError, "has no option 'footprint': expected size"),
        ("median kernel", {"size": 4}, ValueError, "size as an odd number of pixels"),
        ("median kernel", {"size": "-3 px"}, ValueError, "size of at least a pixel"),
        ("top hat", {"radius": "0.4 px"}, ValueError, "radius of at least a pixel"),
        ("top hat", {"radius": 2, "footprint": "star"}, ValueError, "footprint='star' is not known"),
        ("difference of gaussians", {"max_sigma": 1}, ValueError, "0 <= min_sigma < max_sigma"),
        ("difference of gaussians", {"max_sigma": 3, "truncate": 0}, ValueError, "truncate above 0"),
        ("radial median", {"width": 0}, ValueError, "rings of a width above 0"),
        ("radial median", {"center": 3}, ValueError, r"center as \(x, y\), found 3"),
        ("radial median", {"mask": np.ones((2, 2), bool)}, ValueError, "expected a mask that is a ROI or a bool array"),
    ],
)
def test_mistakes_are_explained(simple, method, options, error, message) -> None:
    with pytest.raises(error, match=message):
        simple.subtract_diffraction_background(method, **options)


def test_centres_of_other_scans_are_refused(simple) -> None:
    other = l4.BeamPosition(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"\(y, x\) in pixels at each of the \(4, 5\) positions"):
        simple.subtract_diffraction_background("radial median", center=other)
    assert set(METHODS) == set(OPTIONS)


# ---- what needs no method


def test_patterns_of_equal_intensity(simple) -> None:
    """Division by a map normalises: there is no method for it."""
    pixels = simple.as_numpy().astype(float)
    share = (simple / simple.get_total_intensity()).as_numpy()
    np.testing.assert_allclose(share.sum((2, 3)), 1)
    np.testing.assert_allclose(share, pixels / pixels.sum((2, 3), keepdims=True))
