from __future__ import annotations

import numpy as np
import pytest

from lazy4d.errors import ScanShapeError
from lazy4d.io.scan import ShapeHint, factor_pairs, plan_scan


def numbers(plan) -> np.ndarray:
    navigation = plan.navigation
    return navigation.numbers([slice(0, n) for n in navigation.nav_shape]).reshape(navigation.nav_shape)


def test_without_any_shape_a_scan_is_one_dimensional_never_square() -> None:
    plan = plan_scan("f", 16)
    assert plan.navigation.nav_shape == (16,)
    assert "one-dimensional" in plan.origin


def test_a_single_frame_has_no_navigation() -> None:
    assert plan_scan("f", 1).navigation.nav_shape == ()
    assert plan_scan("f", 1, scan_shape=(1,)).navigation.nav_shape == (1,)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((3, 4), (3, 4)),
        (np.array([3, 4]), (3, 4)),
        (12, (12,)),
        (np.int64(12), (12,)),
        ((-1, 4), (3, 4)),
        ((2, 3, -1), (2, 3, 2)),
    ],
)
def test_explicit_shapes(given, expected) -> None:
    plan = plan_scan("f", 12, scan_shape=given)
    assert np.array_equal(numbers(plan), np.arange(12).reshape(expected))


@pytest.mark.parametrize("stored", [15, 14])
def test_flyback_frames_are_left_out_and_need_not_follow_the_last_line(stored) -> None:
    plan = plan_scan("f", stored, scan_shape=(3, 4), flyback=1)
    assert numbers(plan).tolist() == [[0, 1, 2, 3], [5, 6, 7, 8], [10, 11, 12, 13]]
    assert not plan.warnings
    assert plan_scan("f", stored, scan_shape=(-1, 4), flyback=1).navigation.nav_shape == (3, 4)


def test_skipped_frames_come_before_flyback() -> None:
    plan = plan_scan("f", 17, scan_shape=(3, 4), flyback=1, sync_offset=2)
    assert numbers(plan)[:, 0].tolist() == [2, 7, 12]


def test_a_negative_offset_inserts_blanks_and_the_frames_pushed_out_are_not_counted() -> None:
    plan = plan_scan("f", 12, scan_shape=(3, 4), sync_offset=-2)
    assert numbers(plan).tolist() == [[-2, -1, 0, 1], [2, 3, 4, 5], [6, 7, 8, 9]]
    assert not plan.warnings
    exact = plan_scan("f", 10, scan_shape=(3, 4), sync_offset=-2)
    assert numbers(exact).max() == 9


def test_too_few_frames_are_an_error_that_gives_shapes_that_fit() -> None:
    with pytest.raises(ScanShapeError, match=r"8100 frames do not fill scan shape 91 x 90 .*8190 needed.*\(90, 90\)"):
        plan_scan("f", 8100, scan_shape=(91, 90))
    with pytest.raises(ValueError, match="incomplete='nan'"):
        plan_scan("f", 8100, scan_shape=(91, 90))


def test_too_many_frames_are_an_error_that_tells_how_to_leave_some_out() -> None:
    with pytest.raises(ScanShapeError, match=r"12 needed, 13 found.*sync_offset=1 or say incomplete='crop'"):
        plan_scan("f", 13, scan_shape=(3, 4))
    cropped = plan_scan("f", 13, scan_shape=(3, 4), incomplete="crop")
    assert cropped.navigation.nav_shape == (3, 4)
    assert "last 1 frames are not used" in cropped.warnings[0]
    assert numbers(plan_scan("f", 13, scan_shape=(3, 4), sync_offset=1)).max() == 12


def test_a_flyback_that_would_fit_is_named() -> None:
    with pytest.raises(ScanShapeError, match="1 frames more a line fit with flyback=1"):
        plan_scan("f", 256 * 257, scan_shape=(256, 256))


@pytest.mark.parametrize("incomplete", ["nan", "zero"])
def test_missing_frames_may_be_tolerated(incomplete) -> None:
    plan = plan_scan("f", 10, scan_shape=(3, 4), incomplete=incomplete)
    assert plan.navigation.nav_shape == (3, 4)
    assert "2 frames missing at the end are invalid" in plan.warnings[0]


def test_crop_keeps_whole_lines_before_the_damage() -> None:
    assert plan_scan("f", 10, scan_shape=(3, 4), incomplete="crop").navigation.nav_shape == (2, 4)
    assert plan_scan("f", 12, scan_shape=(3, 4), incomplete="crop", usable=7).navigation.nav_shape == (1, 4)
    assert plan_scan("f", 12, incomplete="crop", usable=7).navigation.nav_shape == (7,)
    with pytest.raises(ScanShapeError, match="Not one whole line"):
        plan_scan("f", 3, scan_shape=(3, 4), incomplete="crop")


def test_square_is_only_on_request_and_warns() -> None:
    plan = plan_scan("f", 16, scan_shape="square")
    assert plan.navigation.nav_shape == (4, 4)
    assert "nothing in the file says so" in plan.warnings[0]
    assert plan_scan("f", 20, scan_shape="square", flyback=1).navigation.nav_shape == (4, 4)
    with pytest.raises(ScanShapeError, match=r"15 frames do not make a square scan.*\(3, 5\)"):
        plan_scan("f", 15, scan_shape="square")


def test_the_file_shape_is_used_unless_one_is_given() -> None:
    hint = ShapeHint((3, 4), "the header")
    assert plan_scan("f", 12, hint=hint).origin == "the header"
    assert plan_scan("f", 12, hint=hint, scan_shape=(4, 3)).navigation.nav_shape == (4, 3)
    assert plan_scan("f", 12, hint=hint, scan_shape=(-1,)).navigation.nav_shape == (12,)
    lines = ShapeHint((3, 5), "frames per trigger", per_line=True)
    assert plan_scan("f", 15, hint=lines, flyback=1).navigation.nav_shape == (3, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scan_shape": "cube"}, "'cube' is not known"),
        ({"scan_shape": (0, 4)}, r"\(0, 4\) must be positive integers"),
        ({"scan_shape": (-1, -1)}, "at most one of them -1"),
        ({"scan_shape": ("a", 4)}, "must be integers"),
        ({"scan_shape": (-1, 5)}, "do not fill scan_shape"),
        ({"scan_shape": 12.0}, "must be integers"),
        ({"scan_shape": (3, 4.5)}, "must be integers"),
        ({"sync_offset": 1.5}, "sync_offset=1.5 and flyback=0 must be whole numbers"),
        ({"flyback": -1}, "flyback=-1 must not be negative"),
        ({"flyback": 1}, "needs lines to cut"),
        ({"sync_offset": 12}, "skips all of the 12 frames"),
    ],
)
def test_arguments_that_make_no_sense(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        plan_scan("f", 12, **options)


@pytest.mark.parametrize("frames", [1, 2, 7, 12, 36, 997, 65536])
def test_factor_pairs_multiply_to_the_frames(frames) -> None:
    assert all(rows * columns == frames and rows > 1 and columns > 1 for rows, columns in factor_pairs(frames))
