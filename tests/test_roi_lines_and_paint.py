"""Lines, spans and painted regions; numbers kept in their kind; regions carried over to other axes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.axes import Axis
from lazy4d.roi import (
    CircleROI,
    EllipseROI,
    LineROI,
    PaintedROI,
    PolygonROI,
    RectangleROI,
    SpanROI,
    exchanged,
    regridded,
    roi_from_dictionary,
)
from lazy4d.roi.kinds import length_like, place_like


def grid(x=12, y=9, sx=1.0, sy=1.0, ox=0.0, oy=0.0, units="mrad"):
    return (
        Axis(name="kx", size=x, scale=sx, offset=ox, units=units),
        Axis(name="ky", size=y, scale=sy, offset=oy, units=units),
    )


# -- lines -----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(*(st.integers(0, 11),) * 2, *(st.integers(0, 8),) * 2, st.integers(1, 7))
def test_a_line_holds_the_pixels_of_its_band(x1, x2, y1, y2, width):
    mask = LineROI(x1, y1, x2, y2, width).mask(grid())
    length = math.hypot(x2 - x1, y2 - y1)
    ux, uy = ((x2 - x1) / length, (y2 - y1) / length) if length else (1.0, 0.0)
    for y, x in np.ndindex(mask.shape):
        along, across = (x - x1) * ux + (y - y1) * uy, (y - y1) * ux - (x - x1) * uy
        rim = min(abs(along), abs(along - length), abs(abs(across) - width / 2)) < 1e-6
        if not rim:
            assert mask[y, x] == (0 < along < length and abs(across) < width / 2)
    assert mask[y1, x1]  # both ends belong
    assert mask[y2, x2]


@pytest.mark.parametrize("end", [(11, 0), (11, 3), (11, 8), (4, 8), (0, 8)])
def test_a_line_of_one_pixel_has_no_gaps(end):
    mask = LineROI(0, 0, *end).mask(grid())
    assert mask.any(axis=0)[: end[0] + 1].all()
    assert mask.any(axis=1)[: end[1] + 1].all()
    if 0 in end:
        assert mask.sum() == max(end) + 1


def test_a_line_between_two_rows_is_one_pixel_wide():
    mask = LineROI(1.0, 2.5, 6.0, 2.5, 1).mask(grid())
    assert mask.sum() == 6


def test_a_line_in_units_is_square_to_itself_in_them():
    axes = grid(20, 10, sx=0.5, sy=1.0)
    mask = LineROI(0.0, 0.0, 6.0, 6.0, 2.0).mask(axes)
    x, y = np.meshgrid(0.5 * np.arange(20), np.arange(10.0))
    band = (np.abs(y - x) < math.sqrt(2)) & (x + y >= 0) & (x + y <= 12)
    np.testing.assert_array_equal(mask, band)
    assert LineROI(0.0, 0.0, 6.0, 8.0, 2.0).length(axes) == pytest.approx(10.0)


def test_a_width_in_pixels_counts_pixels_also_where_they_are_oblong():
    assert LineROI(0.0, 4, 4.0, 4, 2).mask(grid(sx=0.5, sy=1.0)).sum() == 2 * 9


def test_lines_refuse_a_width_of_nothing():
    with pytest.raises(ValueError, match="expected linewidth above 0"):
        LineROI(0, 0, 3, 3, 0)


# -- spans -----------------------------------------------------------------------------------------------------------


def test_spans_lie_on_one_axis():
    axis = Axis(name="x", size=8, scale=0.5, offset=1.0, units="nm")
    assert SpanROI(2, 5).mask((axis,)).nonzero()[0].tolist() == [2, 3, 4]
    assert SpanROI(1.5, "3 nm").mask((axis,)).nonzero()[0].tolist() == [1, 2, 3]
    assert SpanROI(2, 5).spans((axis,)).tolist() == [[2, 5]]
    assert SpanROI(2, 5).window((axis,)) == (slice(2, 5),)
    with pytest.raises(ValueError, match=r"expected one axis for SpanROI.*found 2"):
        SpanROI(2, 5).mask((axis, axis))
    with pytest.raises(ValueError, match="at least one pixel, found SpanROI"):
        SpanROI(20, 25).mask((axis,))
    with pytest.raises(ValueError, match="expected left below right"):
        SpanROI(5, 2)


# -- painted regions -------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(-3, 14), st.floats(-3, 11), st.floats(0, 4), st.booleans()), max_size=6))
def test_dots_of_a_brush_are_disks(dots):
    roi, expected = PaintedROI(), np.zeros((30, 30), bool)
    y, x = np.indices(expected.shape)
    for cx, cy, r, erase in dots:
        roi.paint([(cx, cy)], r, erase=erase)
        expected[(x - cx) ** 2 + (y - cy) ** 2 <= max(r, 0.5) ** 2 * (1 + 1e-9)] = not erase
    axes = grid(30, 30)
    np.testing.assert_array_equal(roi._mask(*axes), expected)
    assert roi.count == expected.sum()


def test_a_stroke_has_no_gaps_however_fast_the_mouse():
    roi = PaintedROI()
    roi.paint([(1, 1), (10, 7)], radius=1.5)
    mask = roi.mask(grid())
    assert mask[1:8].any(axis=1).all()
    assert mask[:, 1:11].any(axis=0).all()
    assert mask.sum() == pytest.approx(3 * math.hypot(9, 6) + math.pi * 1.5**2, rel=0.2)


def test_painting_tells_once_and_only_if_something_changed():
    roi, seen = PaintedROI([(2, 0, 4)]), []
    roi.observe(seen.append, "changed")
    roi.paint([(1, 2), (3, 2)], radius=0)
    assert not seen
    roi.paint([(1, 5), (3, 5)], radius=1)
    assert len(seen) == 1
    roi.paint([(-9, -9)], radius=2)
    assert len(seen) == 1
    with pytest.raises(ValueError, match=r"expected points .x, y. and a radius of 0 or more, found 0 points"):
        roi.paint([], 2)


def test_runs_are_joined_clipped_and_checked():
    roi = PaintedROI([(3, 4, 6), (1, 0, 2), (3, 5, 9), (3, 9, 10)])
    assert roi.runs == ((1, 0, 2), (3, 4, 10))
    assert roi.mask(grid(7, 5)).sum() == 2 + 3
    with pytest.raises(ValueError, match="found PaintedROI"):
        roi.mask(grid(3, 1))
    for wrong in ([(1, 4, 4)], [(-1, 0, 2)], [(0, 0.5, 2)], [(1, 2)]):
        with pytest.raises(ValueError, match=r"expected runs as whole numbers \(row, start, stop\)"):
            PaintedROI(wrong)
    with pytest.raises(ValueError, match="expected a mask of two axes"):
        PaintedROI.from_mask(np.ones(4, bool))


def test_runs_of_neighbouring_rows_stay_apart():
    mask = np.ones((3, 5), bool)
    assert PaintedROI.from_mask(mask).runs == ((0, 0, 5), (1, 0, 5), (2, 0, 5))
    random = np.random.default_rng(3).random((9, 12)) > 0.5
    np.testing.assert_array_equal(PaintedROI.from_mask(random).mask(grid()), random)


@pytest.mark.parametrize(
    "roi",
    [
        LineROI(0, 1.5, "3 mrad", 4, 2),
        SpanROI(2, 5),
        PaintedROI([(0, 1, 4), (2, 0, 3)]),
        PolygonROI([(0, 0.5), (3, "2 mrad"), (0, 3)]),
    ],
    ids=lambda roi: type(roi).__name__,
)
def test_regions_go_through_json(roi):
    again = roi_from_dictionary(json.loads(json.dumps(roi.as_dictionary())))
    assert repr(again) == repr(roi)
    assert repr(eval(repr(roi))) == repr(roi)
    assert again.copy().as_dictionary() == roi.as_dictionary()


# -- numbers in their kind -------------------------------------------------------------------------------------------


def test_places_and_lengths_keep_the_kind_they_have():
    axis = Axis(name="kx", size=64, scale=-0.1, offset=3.2, units="1/Å", beam_energy=200)
    assert place_like(3, axis, 7.5) == 8
    assert isinstance(place_like(3, axis, 7.2), int)
    assert place_like(0.0, axis, 10) == pytest.approx(2.2)
    text = place_like("1 mrad", axis, 10)
    assert text.endswith(" mrad")
    assert axis.to_pixels(text) == pytest.approx(10, abs=2e-3)
    assert length_like("1 1/nm", axis, 4) == "4.0 1/nm"
    assert length_like(2, axis, 0.2, least=0.5) == 1
    assert length_like(2.0, axis, 0.2, least=0.5) == pytest.approx(0.05)
    assert str(place_like(0.0, axis, 32)) == "0.0"  # not -0.0


# -- other axes ------------------------------------------------------------------------------------------------------

SHAPES = [
    CircleROI(5, 4, 3),
    CircleROI(5.0, 4.0, 3.2, r_inner="1 mrad"),
    RectangleROI(2, 2, 8, 6),
    RectangleROI(2.0, 1.5, "8 mrad", 6.0),
    EllipseROI(5, 4, 4, 2, 30),
    PolygonROI([(1, 1), (10, 2), (4, 8)]),
    LineROI(1, 1, 9, 6, 3),
    PaintedROI([(3, 2, 8), (4, 1, 9), (5, 2, 8)]),
]


@pytest.mark.parametrize("roi", SHAPES, ids=repr)
def test_a_crop_keeps_the_same_places(roi):
    axes = grid(12, 9)
    cut = [axes[0].sliced(slice(2, 11)), axes[1].sliced(slice(1, 8))]
    moved = regridded(roi, axes, cut, by_value=True)
    assert type(moved) is type(roi)
    np.testing.assert_array_equal(moved.mask(cut), roi.mask(axes)[1:8, 2:11])


@pytest.mark.parametrize("roi", SHAPES, ids=repr)
def test_a_new_zero_keeps_the_same_pixels(roi):
    axes = grid(12, 9)
    centred = grid(12, 9, ox=-6, oy=-4)
    moved = regridded(roi, axes, centred, by_value=False)
    assert type(moved) is type(roi)
    np.testing.assert_array_equal(moved.mask(centred), roi.mask(axes))


def test_a_rebinning_keeps_shapes_where_it_can():
    axes = grid(12, 8)
    half = [axis.rebinned(2) for axis in axes]
    assert regridded(RectangleROI(2, 2, 8, 6), axes, half, by_value=True).as_dictionary() == {
        "roi": "RectangleROI", "left": 1, "top": 1, "right": 4, "bottom": 3,
    }  # fmt: skip
    circle = regridded(CircleROI(5, 4, 3), axes, half, by_value=True)
    x, y = (axis.axis for axis in half)
    inside = (x[None, :] - 5) ** 2 + (y[:, None] - 4) ** 2 < 9
    np.testing.assert_array_equal(circle.mask(half), inside)
    oblong = [axes[0].rebinned(2), axes[1]]
    painted = regridded(CircleROI(5, 4, 3), axes, oblong, by_value=True)
    assert isinstance(painted, PaintedROI)
    assert painted.mask(oblong).sum() == pytest.approx(CircleROI(5, 4, 3).mask(axes).sum() / 2, abs=4)


@pytest.mark.parametrize("roi", [one for one in SHAPES if isinstance(one, RectangleROI | PaintedROI)], ids=repr)
def test_a_reversed_axis_shows_the_same_pixels(roi):
    axes = grid(12, 9)
    back = [axes[0].sliced(slice(None, None, -1)), axes[1]]
    moved = regridded(roi, axes, back, by_value=True)
    if all(isinstance(v, int) for v in roi._values().values()) or isinstance(roi, PaintedROI):
        np.testing.assert_array_equal(moved.mask(back), roi.mask(axes)[:, ::-1])
    else:
        assert moved.mask(back).sum() == pytest.approx(roi.mask(axes).sum(), abs=9)


STRIDES = [slice(None, None, 2), slice(1, None, 2), slice(None, None, -1), slice(8, 1, -2)]
IN_PIXELS = [
    RectangleROI(2, 3, 7, 6),
    CircleROI(5, 4, "3.5 px"),
    PolygonROI([(1, 1), (8, 2), (4, 7)]),
    CircleROI(5, 4, 3),
]


@pytest.mark.parametrize("axes", [grid(), grid(sx=0.5, sy=0.25), grid(sx=-0.5, sy=0.5, ox=5.0)], ids=repr)
@pytest.mark.parametrize("stride", STRIDES, ids=repr)
@pytest.mark.parametrize("roi", IN_PIXELS, ids=repr)
def test_a_stride_keeps_the_pixels_that_are_left(roi, stride, axes):
    for cut in ((stride, slice(None)), (stride, stride)):
        left = [axis.sliced(one) for axis, one in zip(axes, cut, strict=True)]
        moved = regridded(roi, axes, left, by_value=True)
        np.testing.assert_array_equal(moved.mask(left), roi.mask(axes)[cut[::-1]])


def test_a_stride_keeps_spans():
    (x, _) = grid()
    for stride in STRIDES:
        moved = regridded(SpanROI(2, 7), [x], [x.sliced(stride)], by_value=True)
        np.testing.assert_array_equal(moved.mask([x.sliced(stride)]), SpanROI(2, 7).mask([x])[stride])


@pytest.mark.parametrize("roi", [CircleROI(9, 8, 5), EllipseROI(9, 8, 5, 3, 20), LineROI(3, 3, 15, 12, 3)], ids=repr)
def test_what_is_round_on_oblong_pixels_stays_so_where_they_are_merged(roi):
    axes = grid(20, 16, sx=0.1, sy=0.2)
    half = [axis.rebinned(2) for axis in axes]
    now = regridded(roi, axes, half, by_value=True).mask(half)
    covered = roi.mask(axes).reshape(8, 2, 10, 2).mean((1, 3))
    assert not now[covered == 0].any()
    assert now[covered == 1].all()


@pytest.mark.parametrize("roi", [*SHAPES, RectangleROI(1, 2, 7, 5)], ids=repr)
@pytest.mark.parametrize("axes", [grid(), grid(sx=0.5, sy=0.25)], ids=repr)
def test_exchanged_axes_show_the_pixels_exchanged(roi, axes):
    try:
        mask = roi.mask(axes)
    except ValueError:  # no pixel on these axes
        return
    np.testing.assert_array_equal(exchanged(roi, axes).mask(axes[::-1]), mask.T)


def test_what_is_cut_away_is_gone():
    axes = grid(12, 9)
    cut = [axes[0].sliced(slice(8, 12)), axes[1]]
    assert regridded(CircleROI(2, 4, 2), axes, cut, by_value=True) is None
    assert regridded(SpanROI(1, 3), axes[:1], cut[:1], by_value=True) is None
    assert regridded(SpanROI(6, 10), axes[:1], cut[:1], by_value=True).as_dictionary()["right"] == 2
