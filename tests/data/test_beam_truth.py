"""The frames with truth: what they claim is so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lazy4d.data import beam_frames
from lazy4d.data.disk_structure import even_disk, fringed_pair, lined_disk, rimmed_disk


def centre(frame: Any) -> Any:
    y, x = np.indices(frame.shape)
    return np.array([(y * frame).sum(), (x * frame).sum()]) / frame.sum()


def sampled(inside: Any, shape: tuple[int, int], fine: int = 40) -> Any:
    """Areas by counting points."""
    step = (np.arange(fine) + 0.5) / fine - 0.5
    y = (np.arange(shape[0])[:, None] + step).ravel()[:, None]
    x = (np.arange(shape[1])[:, None] + step).ravel()[None]
    return inside(y, x).reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


PLACE = np.array([11.3, 9.6])


def test_an_even_disk_covers_its_area() -> None:
    expected = sampled(lambda y, x: (y - PLACE[0]) ** 2 + (x - PLACE[1]) ** 2 < 25, (24, 21))
    np.testing.assert_allclose(even_disk(PLACE, 5.0, (24, 21)), expected, atol=2e-3)
    assert even_disk(PLACE, 5.0, (24, 21)).sum() == pytest.approx(25 * np.pi, rel=1e-12)


def test_a_rim_is_bright_and_symmetric() -> None:
    frame = rimmed_disk(PLACE, 6.0, (24, 21), rim=4.0)
    assert frame.sum() == pytest.approx(36 * np.pi, rel=1e-12)
    np.testing.assert_allclose(centre(frame), PLACE, atol=5e-3)
    assert frame[11, 5] / frame[11, 10] > 2.5


def test_lines_move_the_centre_of_mass() -> None:
    frame = lined_disk(PLACE, 6.0, (24, 21), angle=0.0, offset=-0.5)
    assert centre(frame)[1] > PLACE[1] + 0.5  # dark at the left, bright at the right
    np.testing.assert_allclose(centre(frame)[0], PLACE[0], atol=1e-2)
    assert np.all(frame >= 0)


def test_fringes_are_where_both_disks_are() -> None:
    centers = np.array([[12.0, 8.0], [12.0, 13.0]])
    frame = fringed_pair(centers, 5.0, (24, 21), np.array([1.0, 0.5]), 1.0)
    first, second = (even_disk(c, 5.0, (24, 21)) for c in centers)
    np.testing.assert_allclose(frame[second == 0], first[second == 0])
    both = np.minimum(first, second) > 1 - 1e-9
    assert np.ptp(frame[both]) > 0.8
    assert frame[both].min() >= 0.25 - 1e-9
    assert frame[both].max() <= 2.25 + 1e-9


def test_the_direct_beam_is_where_the_truth_says() -> None:
    made = beam_frames((3, 4), (40, 52), descan=(6, -4), jitter=0.5, noise=False)
    assert made.frames.dtype == np.float32
    for index in np.ndindex(3, 4):
        np.testing.assert_allclose(centre(made.frames[index].astype(float)), made.beam_position[index], atol=5e-3)
        assert made.frames[index].sum() == pytest.approx(10 * np.pi * 36, rel=1e-6)
    ramp = beam_frames((3, 5), (40, 52), descan=(6, -4), jitter=0.0, dose=0).beam_position
    assert np.isnan(ramp).all()  # no dose, no beam
    ramp = beam_frames((3, 5), (40, 52), descan=(6, -4), jitter=0.0).beam_position
    np.testing.assert_allclose(ramp[[0, -1], 0, 0], (17, 23))
    np.testing.assert_allclose(ramp[0, [0, -1], 1], (28, 24))


def test_any_number_of_scan_axes() -> None:
    for scan_shape in ((), (7,), (2, 3, 2)):
        made = beam_frames(scan_shape, (24, 24), disk_radius=3.0, background=0.1)
        assert made.frames.shape == (*scan_shape, 24, 24)
        assert made.beam_position.shape == (*scan_shape, 2)
        assert made.present.shape == scan_shape


def test_the_same_seed_gives_the_same_frames() -> None:
    first, second, other = (beam_frames((2, 3), structure="lines", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.frames, second.frames)
    assert not np.array_equal(first.frames, other.frames)


def test_noise_is_that_of_counts() -> None:
    made = beam_frames((6, 6), (32, 32), dose=20, background=5, spots=0.4, disk_radius=4)
    pull = (made.frames - made.expected) / np.sqrt(made.expected)
    assert abs(pull.mean()) < 0.02
    assert abs(pull.std() - 1) < 0.02


def test_holes_and_faint_frames() -> None:
    made = beam_frames((20, 20), (24, 24), disk_radius=4, holes=0.3, faint=0.2, background=0.5)
    assert made.present.mean() == pytest.approx(0.7, abs=0.08)
    assert np.isnan(made.beam_position[~made.present]).all()
    assert np.isfinite(made.beam_position[made.present]).all()
    np.testing.assert_array_equal(made.expected[~made.present], 0.5)
    faint = made.expected.sum(axis=(2, 3)) < 0.5 * 24 * 24 + 50
    assert (faint & made.present).mean() == pytest.approx(0.2, abs=0.08)


def test_beam_stops_and_bad_pixels_are_dark_and_masked() -> None:
    bar = beam_frames((2, 2), (40, 36), stop="bar", background=3, dead_pixels=5, gap=2)
    assert not bar.frames[..., ~bar.mask].any()
    assert not bar.mask[:20, 18].any()
    assert bar.mask[30, 10]
    assert 0.5 < bar.mask.mean() < 0.9
    disk = beam_frames((2, 2), (40, 36), stop="disk", stop_size=8)
    assert (~disk.mask).sum() == pytest.approx(np.pi * 64, rel=0.05)
    hot = beam_frames((2, 2), (40, 36), hot_pixels=4, saturation=12, dose=100)
    assert hot.frames.max() == 12
    assert (hot.frames[..., ~hot.mask] == 12).all()


def test_friedel_pairs_are_equal_unless_asked_otherwise() -> None:
    for asymmetry in (0.0, 0.8):
        made = beam_frames((1,), (65, 65), descan=0, jitter=0, spots=0.5, asymmetry=asymmetry, noise=False)
        np.testing.assert_array_equal(made.beam_position, [[32, 32]])
        difference = np.abs(made.expected[0] - made.expected[0, ::-1, ::-1]).max()
        assert difference > 0.5 if asymmetry else difference < 1e-9


def test_choices_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"expected structure in .*'rim'.* and stop in"):
        beam_frames(structure="striped")
    with pytest.raises(ValueError, match=r"expected shares in \[0, 1\]"):
        beam_frames(holes=1.5)
