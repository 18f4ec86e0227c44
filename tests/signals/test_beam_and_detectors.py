"""Virtual images, centres of mass and second moments against plain numpy."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from tests.signals.conftest import make_scan

Y, X = np.mgrid[:12, :10]


@pytest.fixture
def uncalibrated(scan: Any) -> Any:
    """The scan with axes in pixels, so that detectors are placed in pixels."""
    return l4.Diffraction2D(scan.frames, title="scan")


def circle(cx: float, cy: float, r: float, inner: float = 0) -> Any:
    d = np.hypot(X - cx, Y - cy)
    return (d < r) & (d >= inner)


def test_one_list_dict_mask(uncalibrated: Any, pixels: Any, no_compute: Any) -> None:
    inside, ring = l4.CircleROI(5, 6, 3), l4.CircleROI(5, 6, 5, r_inner=3)
    with no_compute:
        one = uncalibrated.get_virtual_image(inside)
        both = uncalibrated.get_virtual_image([inside, ring])
        named = uncalibrated.get_virtual_image({"bf": inside, "adf": ring})
        masked = uncalibrated.get_virtual_image(circle(5, 6, 3))
        square = uncalibrated.get_virtual_image(l4.RectangleROI(2, 3, 6, 8))
    kind = np.float64 if pixels.dtype.kind == "f" else np.uint64
    expected = pixels[..., circle(5, 6, 3)].sum(-1, dtype=kind)
    for image in (one, both[0], named["bf"], masked):
        assert type(image) is l4.VirtualImage
        assert image.dtype == kind
        np.testing.assert_array_equal(image.as_numpy(), expected)
        assert image.axes_manager.equals(uncalibrated.axes_manager.navigation_only())
    np.testing.assert_array_equal(both[1].as_numpy(), pixels[..., circle(5, 6, 5, 3)].sum(-1, dtype=kind))
    np.testing.assert_array_equal(square.as_numpy(), pixels[..., 3:8, 2:6].sum((2, 3), dtype=kind))
    assert (one.title, named["adf"].title) == ("virtual image of scan", "adf")
    assert one.history[-1].op == "get_virtual_image"


def test_weights_and_stacks(uncalibrated: Any, pixels: Any, no_compute: Any) -> None:
    rng = np.random.default_rng(0)
    for count in (3, 9):
        stack = rng.normal(size=(count, 12, 10))
        with no_compute:
            images = uncalibrated.get_virtual_image(stack)
        assert len(images) == count
        for image, weights in zip(l4.compute(*images), stack, strict=True):
            assert image.dtype == np.float64
            np.testing.assert_allclose(image.data, (pixels * weights).sum((2, 3)), rtol=1e-10, atol=1e-10)
    integers = uncalibrated.get_virtual_image(circle(4, 4, 2).astype("int32"))
    assert integers.dtype == np.float64
    kx = uncalibrated.get_virtual_image(l4.Signal2D(X.astype("float32")))
    np.testing.assert_allclose(kx.as_numpy(), (pixels * X).sum((2, 3)), rtol=1e-6)


def test_detectors_that_cannot_be(simple: Any) -> None:
    with pytest.raises(ValueError, match=r"an array of the frame's shape \(12, 10\)"):
        simple.get_virtual_image(np.ones((10, 12)))
    with pytest.raises(ValueError, match="covers no pixel"):
        simple.get_virtual_image(np.zeros((12, 10), bool))
    with pytest.raises(ValueError, match="pixel"):
        simple.get_virtual_image(l4.CircleROI(100, 100, 2))
    with pytest.raises(TypeError, match="has to be one computed frame"):
        simple.get_virtual_image(simple.mean())
    with pytest.raises(ValueError, match="needs frames of real numbers"):
        (simple * 1j).get_virtual_image(circle(5, 6, 3))


def test_partition_of_unity(uncalibrated: Any, pixels: Any) -> None:
    parts = [circle(5, 6, 3), circle(5, 6, 5, 3), ~circle(5, 6, 5)]
    images = uncalibrated.get_virtual_image(parts)
    total = uncalibrated.get_total_intensity()
    np.testing.assert_allclose((images[0] + images[1] + images[2]).as_numpy(), total.as_numpy(), rtol=1e-12)
    np.testing.assert_allclose(total.as_numpy(), pixels.sum((2, 3), dtype=float), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "float16", "int16", "float64"])
def test_other_dtypes(dtype: str) -> None:
    pixels = np.random.default_rng(0).poisson(1.0, (3, 12, 10)).astype(dtype)
    image, com = l4.compute(
        make_scan(pixels).get_virtual_image(circle(5, 6, 3)), make_scan(pixels).get_direct_beam_position()
    )
    np.testing.assert_allclose(image.data, pixels[:, circle(5, 6, 3)].sum(-1, dtype=float))
    np.testing.assert_allclose(com.data, numpy_com(pixels), rtol=1e-9)


def numpy_com(pixels: Any, weight: Any = 1.0) -> Any:
    values = pixels.astype(float) * weight
    total = values.sum((-2, -1))
    with np.errstate(all="ignore"):
        return np.stack([(values * Y).sum((-2, -1)) / total, (values * X).sum((-2, -1)) / total], axis=-1)


def test_center_of_mass(uncalibrated: Any, pixels: Any, no_compute: Any) -> None:
    with no_compute:
        com = uncalibrated.get_direct_beam_position(method="center_of_mass")
    assert type(com) is l4.BeamPosition
    assert com.dtype == np.float64
    np.testing.assert_allclose(com.as_numpy(), numpy_com(pixels), rtol=1e-9)
    np.testing.assert_allclose(com.shifts.as_numpy(), np.array([6, 5]) - numpy_com(pixels), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(com.y.as_numpy(), numpy_com(pixels)[..., 0], rtol=1e-9)
    np.testing.assert_allclose(com.x.as_numpy(), numpy_com(pixels)[..., 1], rtol=1e-9)
    assert com.inav[1:, 2].center == (6.0, 5.0)
    assert type(com.isig[:1]) is l4.Signal1D


@pytest.mark.parametrize(
    ("options", "weight"),
    [
        ({"half_width": 3}, (abs(Y - 6) <= 3) & (abs(X - 5) <= 3)),
        ({"half_width": 2.0}, (abs(Y - 6) <= 2) & (abs(X - 5) <= 2)),
        ({"half_width": "4 px"}, (abs(Y - 6) <= 4) & (abs(X - 5) <= 4)),
        ({"half_width": 99}, np.ones((12, 10))),
        ({"signal_slice": (slice(2, 7), slice(3, 9))}, (X >= 2) & (X < 7) & (Y >= 3) & (Y < 9)),
        ({"signal_slice": l4.RectangleROI(2, 3, 7, 9)}, (X >= 2) & (X < 7) & (Y >= 3) & (Y < 9)),
        ({"mask": l4.CircleROI(5, 6, 4)}, circle(5, 6, 4)),
        ({"mask": circle(5, 6, 4), "half_width": 2}, circle(5, 6, 4) & (abs(Y - 6) <= 2) & (abs(X - 5) <= 2)),
        ({"mask": l4.Signal2D(circle(4, 4, 3))}, circle(4, 4, 3)),
    ],
)
def test_pixels_that_count(options: Any, weight: Any) -> None:
    pixels = np.random.default_rng(0).poisson(3.0, (3, 12, 10)).astype("uint16")
    signal = l4.Diffraction2D(pixels)
    np.testing.assert_allclose(signal.center_of_mass(**options).as_numpy(), numpy_com(pixels, weight), rtol=1e-9)


def test_threshold_and_background() -> None:
    pixels = np.random.default_rng(0).poisson(3.0, (3, 12, 10)).astype("uint16")
    signal = l4.Diffraction2D(pixels)
    np.testing.assert_allclose(
        signal.center_of_mass(threshold=4).as_numpy(), numpy_com(np.where(pixels > 4, pixels, 0)), rtol=1e-9
    )
    less = pixels - 1.5
    np.testing.assert_allclose(
        signal.center_of_mass(threshold=0.5, background=1.5).as_numpy(), numpy_com(np.where(less > 0.5, less, 0))
    )


def test_empty_frames_have_no_centre() -> None:
    assert np.isnan(l4.Diffraction2D(np.zeros((2, 8, 8), "uint8")).center_of_mass().as_numpy()).all()


def test_second_moments(uncalibrated: Any, pixels: Any) -> None:
    result = uncalibrated.get_second_moments()
    assert type(result) is l4.Signal1D
    values, com = pixels.astype(float), numpy_com(pixels)
    dy, dx = Y - com[..., 0, None, None], X - com[..., 1, None, None]
    total = values.sum((2, 3))
    expected = [(values * a * b).sum((2, 3)) / total for a, b in ((dy, dy), (dx, dx), (dy, dx))]
    np.testing.assert_allclose(result.as_numpy(), np.stack(expected, axis=-1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "expected one of 'center_of_mass'"),
        ({"half_width": 2, "signal_slice": (slice(2), slice(2))}, "not both"),
        ({"half_width": -1}, "at least 0"),
        ({"signal_slice": (slice(0, 8, 2), slice(2))}, "without steps"),
        ({"signal_slice": (1, 2)}, "without steps"),
        ({"mask": np.ones((3, 3), bool)}, r"the frame's shape \(12, 10\)"),
        ({"mask": np.zeros((12, 10), bool)}, "False everywhere"),
    ],
)
def test_positions_that_cannot_be(simple: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simple.get_direct_beam_position(**options)


def test_positions_without_frames() -> None:
    with pytest.raises(ValueError, match="does not say which frames it belongs to"):
        _ = l4.BeamPosition(np.zeros((3, 2))).shifts


def test_detectors_have_to_be_known(simple: Any) -> None:
    lazy = da.ones((12, 10), chunks=-1, dtype=bool)
    with pytest.raises(TypeError, match=r"a detector has to be known .* dask array"):
        simple.get_virtual_image(lazy)
    with pytest.raises(TypeError, match=r"a mask has to be known .* dask array"):
        simple.center_of_mass(mask=lazy)
    with pytest.raises(TypeError, match="one computed frame"):
        simple.get_virtual_image(simple.sum() > 3)
