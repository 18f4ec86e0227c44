"""Rotations, flips, affine transformations and the correction of an ellipse, on signals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import lazy4d as l4
from lazy4d.signals.ellipse import Ellipse, ellipse_of, transformed
from tests.signals.conftest import make_scan


def blob(shape: tuple[int, int], x: float, y: float, width: float = 1.5) -> np.ndarray:
    yy, xx = np.indices(shape)
    return 100 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * width**2))


def place(signal: Any) -> tuple[float, float]:
    """Centre of mass (x, y), pixels."""
    y, x = ndimage.center_of_mass(signal.as_numpy())
    return x, y


@pytest.fixture
def square() -> l4.Diffraction2D:
    values = np.random.default_rng(5).poisson(3.0, (2, 3, 8, 8)).astype("uint16")
    s = l4.Diffraction2D(values)
    s.set_calibration(scale=0.1, units="1/Å")
    return s


def test_a_rotation_goes_from_x_to_y() -> None:
    s = l4.Diffraction2D(blob((40, 44), 22 + 12, 20))
    s.set_calibration(scale=0.02, units="1/Å")
    for interpolation in ("bilinear", "cubic", "nearest"):
        x, y = place(s.rotate_diffraction(30, interpolation=interpolation))
        assert x == pytest.approx(22 + 12 * math.cos(math.pi / 6), abs=0.05)
        assert y == pytest.approx(20 + 12 * math.sin(math.pi / 6), abs=0.05)
    assert s.rotate_diffraction(30).axes_manager.equals(s.axes_manager)


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 5])
def test_quarter_turns_are_exact_and_keep_the_dtype(square: l4.Diffraction2D, turns: int) -> None:
    turned = square.rotate_diffraction(90 * turns, center=(-0.05, -0.05))
    assert turned.dtype == np.uint16
    np.testing.assert_array_equal(turned.as_numpy(), np.rot90(square.as_numpy(), -turns, axes=(2, 3)))
    about_zero = square.rotate_diffraction(90 * turns, fill=9)
    assert about_zero.dtype == np.uint16
    inner = np.rot90(square.as_numpy()[..., 1:, 1:], -turns, axes=(2, 3))
    np.testing.assert_array_equal(about_zero.as_numpy()[..., 1:, 1:], inner)
    if turns % 4 == 2:
        assert (about_zero.as_numpy()[..., 0, :] == 9).all()


def test_a_fill_value_that_integers_do_not_hold_makes_floats(square: l4.Diffraction2D) -> None:
    turned = square.rotate_diffraction(180, fill=np.nan)
    assert turned.dtype == np.float32
    assert np.isnan(turned.as_numpy()[..., 0]).all()
    assert square.rotate_diffraction(7, fill=np.nan).dtype == np.float32
    with pytest.raises(ValueError, match="fill as one real number"):
        square.rotate_diffraction(7, fill=(1, 2))


def test_angles_are_those_on_the_axes_where_pixels_are_not_square() -> None:
    s = l4.Diffraction2D(blob((60, 40), 20 + 10, 30))
    s.set_calibration(scale=(0.02, 0.01), units="1/Å")
    turned = s.rotate_diffraction(90)
    assert turned.dtype == np.float64
    assert place(turned) == pytest.approx((20, 50), abs=0.05)
    x, y = place(s.rotate_diffraction(45))
    assert x == pytest.approx(20 + 10 / math.sqrt(2), abs=0.05)
    assert y == pytest.approx(30 + 20 / math.sqrt(2), abs=0.05)


def test_a_matrix_is_x_first_and_forward() -> None:
    s = l4.Diffraction2D(blob((40, 48), 24 + 8, 20 + 4))
    assert place(s.apply_affine_transformation([[1.5, 0], [0, 1]])) == pytest.approx((36, 24), abs=0.02)
    assert place(s.apply_affine_transformation([[1, 0.5], [0, 1]])) == pytest.approx((34, 24), abs=0.02)
    moved = s.apply_affine_transformation([[1, 0, 3], [0, 1, -2.5], [0, 0, 1]])
    assert place(moved) == pytest.approx((35, 21.5), abs=0.02)
    about = s.apply_affine_transformation([[0.5, 0], [0, 1]], center=(12, 20))
    assert place(about) == pytest.approx((22, 24), abs=0.02)


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic", "nearest"])
def test_preserved_intensity(interpolation: str) -> None:
    s = l4.Diffraction2D(blob((64, 64), 34, 30, width=4))
    matrix = [[1.3, 0.1], [-0.2, 0.9]]
    kept = s.apply_affine_transformation(matrix, interpolation=interpolation, preserve_intensity=True)
    assert kept.as_numpy().sum() == pytest.approx(s.as_numpy().sum(), rel=2e-3)
    plain = s.apply_affine_transformation(matrix, interpolation=interpolation)
    assert plain.as_numpy().max() == pytest.approx(100, rel=0.02)
    assert s.astype("uint16").apply_affine_transformation([[2, 0], [0, 2]], interpolation="nearest").dtype == np.uint16


def test_dtypes(square: l4.Diffraction2D) -> None:
    for dtype, expected in {"uint8": "f4", "uint32": "f8", "float32": "f4", "float64": "f8", "float16": "f4"}.items():
        result = square.astype(dtype).rotate_diffraction(11, interpolation="cubic")
        assert result.dtype == result.as_numpy().dtype == np.dtype(expected)
        assert square.astype(dtype).rotate_diffraction(11, interpolation="nearest").as_numpy().dtype == dtype


def test_wrong_arguments(square: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match="finite number of degrees"):
        square.rotate_diffraction(np.nan)
    with pytest.raises(ValueError, match="'linear' is not known"):
        square.rotate_diffraction(3, interpolation="linear")
    with pytest.raises(ValueError, match="matrix \\(2, 2\\) or \\(3, 3\\)"):
        square.apply_affine_transformation([1, 2, 3])
    with pytest.raises(ValueError, match="last row"):
        square.apply_affine_transformation([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]])
    with pytest.raises(ValueError, match="determinant 0"):
        square.apply_affine_transformation([[1, 1], [2, 2]])
    with pytest.raises(ValueError, match="one centre for all frames"):
        square.rotate_diffraction(3, center=square.get_direct_beam_position())
    with pytest.raises(ValueError, match="calibrate_ellipse"):
        square.correct_ellipse()
    with pytest.raises(ValueError, match="as \\(x, y\\)"):
        square.rotate_diffraction(3, center=4)
    with pytest.raises(ValueError, match="at least 1"):
        square.correct_ellipse((0.9, 3))


def test_missing_frames_stay_missing() -> None:
    valid = np.ones((4, 3), bool)
    valid[1, 2] = False
    s = l4.Diffraction2D(np.ones((4, 3, 8, 9), "uint16"), valid=valid)
    result = s.rotate_diffraction(20).get_total_intensity().as_numpy()
    np.testing.assert_array_equal(np.isnan(result), ~valid)
    flipped = s.flip(["x", "kx"])
    np.testing.assert_array_equal(flipped.valid.as_numpy(), valid[:, ::-1])


def test_one_pattern_in_a_chain_of_stages(square: l4.Diffraction2D, no_compute: Any) -> None:
    with no_compute:
        chain = square.flip_diffraction_x().rotate_diffraction(12).isig[2:6, 1:7].get_total_intensity()
    expected = square.flip_diffraction_x().rotate_diffraction(12).as_numpy()[..., 1:7, 2:6].sum((2, 3))
    np.testing.assert_allclose(chain.as_numpy(), expected, rtol=1e-6)


def test_flips_mirror_at_the_zero_and_lose_nothing() -> None:
    values = np.random.default_rng(5).poisson(3.0, (2, 3, 7, 8)).astype("uint16")
    s = l4.Diffraction2D(values)
    s.set_calibration(scale=0.1, units="1/Å", center=(5.0, 3.25))
    both = s.flip()
    np.testing.assert_array_equal(both.as_numpy(), values[..., ::-1, ::-1])
    for before, after in zip(s.frame_axes, both.frame_axes, strict=True):
        assert after.scale == before.scale
        np.testing.assert_allclose(after.axis, -before.axis[::-1], atol=1e-12)
    again = both.flip_diffraction_x().flip_diffraction_y()
    np.testing.assert_array_equal(again.as_numpy(), values)
    assert [axis.offset for axis in again.frame_axes] == pytest.approx([axis.offset for axis in s.frame_axes])
    np.testing.assert_array_equal(s.flip("y").as_numpy(), values[::-1])
    assert s.flip("y").axes_manager.equals(s.axes_manager)
    np.testing.assert_array_equal(s.flip([0, "ky"]).as_numpy(), values[:, ::-1, ::-1])
    plain = l4.Diffraction2D(values)
    assert plain.flip().axes_manager.equals(plain.axes_manager)
    with pytest.raises(ValueError, match="q"):
        s.flip("q")


def test_a_calibrated_ellipse_goes_along() -> None:
    s = l4.Diffraction2D(np.ones((32, 32), "f4"))
    s.set_ellipse((1.05, 20))
    assert ellipse_of(s.rotate_diffraction(25)).angle == pytest.approx(45)
    assert ellipse_of(s.rotate_diffraction(25)).ratio == pytest.approx(1.05)
    assert ellipse_of(s.flip_diffraction_x()).angle == pytest.approx(160)
    assert ellipse_of(s.flip_diffraction_y()).angle == pytest.approx(160)
    assert ellipse_of(s.flip()).angle == pytest.approx(20)
    assert ellipse_of(s.correct_ellipse()) is None
    assert ellipse_of(s) == Ellipse(1.05, 20)
    s.set_ellipse(None)
    assert ellipse_of(s) is None
    assert transformed(Ellipse(1.02, 0), np.diag([1.0, 1.02])).ratio == pytest.approx(1.02**2)


def test_the_matrix_of_an_ellipse() -> None:
    ellipse = Ellipse(1.2, 30)
    matrix = ellipse.matrix()
    assert np.linalg.det(matrix) == pytest.approx(1)
    along = np.array([math.sin(math.radians(30)), math.cos(math.radians(30))])
    np.testing.assert_allclose(matrix @ along, along / math.sqrt(1.2))
    np.testing.assert_allclose(matrix, matrix.T)


def test_every_cut_into_blocks_and_scheduler(scheduler: str) -> None:
    values = np.random.default_rng(2).poisson(3.0, (4, 5, 6, 5)).astype("uint16")
    scan, plain = make_scan(values, ((1, 3), (2, 2, 1))), make_scan(values)
    for act in (
        lambda s: s.rotate_diffraction(31, (2.0, 3.0), interpolation="cubic"),
        lambda s: s.apply_affine_transformation([[1.1, 0.2], [0, 1]], (2, 3)),
        lambda s: s.flip(["x", "ky"]),
    ):
        np.testing.assert_array_equal(act(scan).as_numpy(), act(plain).as_numpy())
