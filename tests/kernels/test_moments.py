from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels.moments import center_of_mass, second_moments
from tests import reference

NO_MASK = np.empty((0, 0), np.uint8)


def centre(
    frames: np.ndarray, window: list[int] | None = None, mask: np.ndarray = NO_MASK, threshold: float = -np.inf,
    background: float = 0.0,
) -> np.ndarray:  # fmt: skip
    out = np.full((len(frames), 3), 77.0)
    center_of_mass(
        frames, np.array(window or [0, frames.shape[1], 0, frames.shape[2]]), mask, threshold, background, out
    )
    return out[:, :2]


def spread(frames: np.ndarray, mask: np.ndarray = NO_MASK, threshold: float = -np.inf) -> np.ndarray:
    out = np.full((len(frames), 3), 77.0)
    second_moments(frames, np.array([0, frames.shape[1], 0, frames.shape[2]]), mask, threshold, 0.0, out)
    return out


def disk(y0: float, x0: float, radius: float, shape: tuple[int, int], fine: int = 25) -> np.ndarray:
    """Share of each pixel that a disk covers, by sampling it `fine` times along each axis."""
    step = (np.arange(fine) + 0.5) / fine - 0.5
    y = (np.arange(shape[0])[:, None] + step).ravel()[:, None] - y0
    x = (np.arange(shape[1])[:, None] + step).ravel()[None] - x0
    inside = y * y + x * x < radius * radius
    return inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 30), st.integers(0, 41), st.sampled_from(["u1", "u2", "u4", "i2", "f4"]), st.data())
def test_a_single_pixel_is_its_own_centre_exactly(y: int, x: int, dtype: str, data: st.DataObject) -> None:
    top = 2**24 if dtype == "f4" else np.iinfo(dtype).max
    frames = np.zeros((2, 31, 42), dtype)
    frames[1, y, x] = data.draw(st.integers(1, int(top)))
    found = centre(frames)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [y, x]
    assert centre(frames, threshold=0.0)[1].tolist() == [y, x]


@pytest.mark.parametrize("dtype", ["u2", "u4", "f4"])
def test_a_disk_is_found_to_a_thousandth_of_a_pixel(dtype: str) -> None:
    scale = 60000 if dtype[0] == "u" else 1.0
    for y0, x0 in [(20.0, 31.0), (19.3, 30.71), (21.5, 29.04)]:
        frame = (disk(y0, x0, 9.0, (41, 60)) * scale).astype(dtype)
        np.testing.assert_allclose(centre(frame[None])[0], (y0, x0), atol=1e-3)


def test_moments_of_a_disk_are_a_quarter_of_its_radius_squared() -> None:
    found = spread(disk(30.25, 40.5, 20.0, (64, 90))[None].astype("f4"))[0]
    np.testing.assert_allclose(found, [100, 100, 0], atol=0.2)  # 1/12 of the pixels' own size


def test_the_covariance_has_the_sign_of_the_slope() -> None:
    found = spread(np.stack([np.eye(8, 11, dtype="f4"), np.eye(8, 11, dtype="f4")[::-1]]))
    np.testing.assert_allclose(found, [[5.25, 5.25, 5.25], [5.25, 5.25, -5.25]])


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("shape", [(512, 512), (3, 70000), (70000, 3)])
def test_saturated_frames_have_their_centre_in_the_middle(dtype: str, shape: tuple[int, int]) -> None:
    """Sums along a row or column, or coordinates times counts, would overflow 32 and, for uint32, 53 bits."""
    frames = np.full((1, *shape), np.iinfo(dtype).max, dtype)
    middle = [(n - 1) / 2 for n in shape]
    np.testing.assert_allclose(centre(frames)[0], middle, rtol=1e-14)
    np.testing.assert_allclose(spread(frames)[0, :2], [(n * n - 1) / 12 for n in shape], rtol=1e-9)


def test_an_empty_frame_has_no_centre_whatever_its_place() -> None:
    frames = np.zeros((3, 6, 5), np.uint16)
    frames[1, 2, 3] = 1
    for found in (centre(frames), centre(frames, threshold=0.5), spread(frames)):
        assert np.isnan(found[[0, 2]]).all()
        assert np.isfinite(found[1]).all()


def test_coordinates_are_those_of_the_whole_frame_inside_a_window() -> None:
    frames = np.ones((1, 20, 30), np.uint8)
    assert centre(frames, [4, 7, 10, 21])[0].tolist() == [5, 15]
    assert centre(frames, [-5, 3, 28, 99])[0].tolist() == [1, 28.5]  # clipped
    assert np.isnan(centre(frames, [7, 4, 0, 30])).all()
    assert np.isnan(centre(frames, [40, 50, 0, 30])).all()


def test_a_background_that_is_subtracted_does_not_pull() -> None:
    frames = np.full((1, 21, 31), 7, np.uint16)
    frames[0, 3:6, 20:23] = 107
    assert centre(frames)[0].tolist() != [4, 21]
    np.testing.assert_allclose(centre(frames, background=7.0)[0], [4, 21], rtol=1e-14)
    np.testing.assert_allclose(centre(frames, threshold=7.0)[0], [4, 21], rtol=1e-14)


@pytest.mark.parametrize("function", [centre, spread])
def test_nan_counts_unless_it_is_masked(function) -> None:
    frames = np.random.default_rng(0).random((2, 12, 19)).astype("f4")
    frames[1, 5, 6] = np.nan
    mask = np.ones((12, 19), np.uint8)
    for kwargs in ({}, {"threshold": 0.2}, {"mask": mask}):
        found = function(frames, **kwargs)
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()
    mask[5, 6] = 0
    assert np.isfinite(function(frames, mask=mask)).all()


@pytest.mark.parametrize("threshold", [-np.inf, -3.0, 0.0])
def test_a_threshold_below_all_pixels_changes_no_bit(threshold: float) -> None:
    frames = np.random.default_rng(3).poisson(2, (4, 33, 17)).astype("u2")
    np.testing.assert_array_equal(centre(frames, threshold=threshold), centre(frames))


@pytest.mark.parametrize("threshold", [-(2.0**70), -4.0, -3.5, 0.0, 2.9, 254.5, 2.0**31, 2.0**32, 1e30, np.inf])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f4"])
def test_any_threshold_means_the_same_for_integers_and_floats(threshold: float, dtype: str) -> None:
    values = np.random.default_rng(3).integers(0 if dtype[0] == "u" else -6, 7, (4, 33, 17)).astype(dtype)
    values[:, 4, 5:7] = [np.iinfo(dtype).min, np.iinfo(dtype).max] if dtype[0] in "iu" else [-1e9, 1e9]
    expected = np.empty((4, 3))
    reference.center_of_mass(values, np.array([0, 33, 0, 17]), NO_MASK, threshold, 0.0, expected)
    np.testing.assert_allclose(centre(values, threshold=threshold), expected[:, :2], rtol=1e-12)


def test_a_threshold_on_signed_pixels_drops_the_negative_ones() -> None:
    frames = np.array([[[-5, 3], [0, 1]]], np.int16)
    assert centre(frames, threshold=0.0)[0].tolist() == [0.25, 1.0]
    assert np.isnan(centre(frames)).all()  # a total of -1 puts it at (-1, -4), where no beam can be
