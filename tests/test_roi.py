"""Regions: every mask against a slow per-pixel rule in exact arithmetic, events, and values that contradict."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from traits.api import TraitError

from lazy4d.axes import Axis
from lazy4d.roi import (
    ROI,
    CircleROI,
    EllipseROI,
    PolygonROI,
    RectangleROI,
    mask_spans,
    mask_window,
    roi_from_dictionary,
)

quarters = st.integers(-24, 60).map(lambda n: n / 4)
lengths = st.integers(1, 40).map(lambda n: n / 4)
sizes = st.integers(1, 10)
scales = st.sampled_from([1.0, 0.5, 2.0, -1.0, -0.5, 0.25])


def grid(x=9, y=7, sx=1.0, sy=1.0, ox=0.0, oy=0.0, units="mrad"):
    return (
        Axis(name="kx", size=x, scale=sx, offset=ox, units=units),
        Axis(name="ky", size=y, scale=sy, offset=oy, units=units),
    )


def by_pixel(axes, rule):
    """Mask from a rule on (column, row) pixel numbers as exact fractions."""
    x, y = axes
    return np.array([[rule(Fraction(i), Fraction(j)) for i in range(x.size)] for j in range(y.size)])


def by_value(axes, rule):
    """Mask from a rule on exact values of the axes."""
    x, y = ((Fraction(axis.offset), Fraction(axis.scale)) for axis in axes)
    return by_pixel(axes, lambda i, j: rule(x[0] + x[1] * i, y[0] + y[1] * j))


def check(roi, axes, expected):
    if not expected.any():
        with pytest.raises(ValueError, match="holds the centre of at least one pixel, found"):
            roi.mask(axes)
        return
    mask = roi.mask(axes)
    np.testing.assert_array_equal(mask, expected)
    spans = roi.spans(axes)
    again = np.zeros(mask.size, bool)
    for start, stop in spans:
        again[start:stop] = True
    np.testing.assert_array_equal(again.reshape(mask.shape), mask)
    assert (spans[1:, 0] > spans[:-1, 1]).all()  # runs that touch are one
    window = roi.window(axes)
    assert mask[window].sum() == mask.sum()
    for axis in (0, 1):
        edge = np.flatnonzero(mask[window].any(axis=1 - axis))
        assert edge[0] == 0
        assert edge[-1] == mask[window].shape[axis] - 1


@settings(deadline=None)
@given(quarters, quarters, lengths, st.integers(0, 39).map(lambda n: n / 4), sizes, sizes, scales, scales)
def test_circles_in_units(cx, cy, r, r_inner, x, y, sx, sy):
    assume(r_inner < r)
    axes = grid(x, y, sx, sy, ox=-1.5, oy=0.25)
    cx, cy, r, r_inner = (Fraction(v) for v in (cx, cy, r, r_inner))
    expected = by_value(axes, lambda u, v: r_inner**2 <= (u - cx) ** 2 + (v - cy) ** 2 < r**2)
    check(CircleROI(float(cx), float(cy), float(r), r_inner=float(r_inner)), axes, expected)
    check(CircleROI(f"{float(cx)} mrad", float(cy), f"{float(r)} mrad", f"{float(r_inner)} mrad"), axes, expected)


@settings(deadline=None)
@given(st.integers(-6, 15), st.integers(-6, 15), st.integers(1, 10), st.integers(0, 9), sizes, sizes, scales, scales)
def test_circles_in_pixels_do_not_care_for_calibration(cx, cy, r, r_inner, x, y, sx, sy):
    assume(r_inner < r)
    axes = grid(x, y, sx, sy)
    expected = by_pixel(axes, lambda i, j: r_inner**2 <= (i - cx) ** 2 + (j - cy) ** 2 < r**2)
    check(CircleROI(cx, cy, r, r_inner=r_inner), axes, expected)


@settings(deadline=None)
@given(st.data(), sizes, sizes, scales, scales)
def test_rectangles_are_half_open_in_values(data, x, y, sx, sy):
    axes = grid(x, y, sx, sy, ox=0.25)
    left, right = sorted(data.draw(st.lists(quarters, min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(data.draw(st.lists(quarters, min_size=2, max_size=2, unique=True)))
    expected = by_value(axes, lambda u, v: left <= u < right and top <= v < bottom)
    check(RectangleROI(left, top, right, bottom), axes, expected)


@settings(deadline=None)
@given(st.data(), sizes, sizes, scales)
def test_rectangles_are_half_open_in_pixels(data, x, y, scale):
    axes = grid(x, y, scale, scale)
    left, right = sorted(data.draw(st.lists(st.integers(-5, 14), min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(data.draw(st.lists(st.integers(-5, 14), min_size=2, max_size=2, unique=True)))
    expected = by_pixel(axes, lambda i, j: left <= i < right and top <= j < bottom)
    check(RectangleROI(left, top, right, bottom), axes, expected)


@settings(deadline=None)
@given(quarters, quarters, lengths, lengths, st.sampled_from([0, 90, 180, 270, -90, 450]), sizes, sizes, scales, scales)
def test_upright_ellipses(cx, cy, rx, ry, angle, x, y, sx, sy):
    axes = grid(x, y, sx, sy, ox=-1.0)
    a, b = (Fraction(ry), Fraction(rx)) if angle % 180 else (Fraction(rx), Fraction(ry))
    cx, cy = Fraction(cx), Fraction(cy)
    expected = by_value(axes, lambda u, v: ((u - cx) / a) ** 2 + ((v - cy) / b) ** 2 < 1)
    check(EllipseROI(float(cx), float(cy), rx, ry, angle=angle), axes, expected)


@settings(deadline=None)
@given(quarters, quarters, lengths, lengths, st.floats(-180, 180), scales, scales)
def test_turned_ellipses(cx, cy, rx, ry, angle, sx, sy):
    axes = x, y = grid(9, 8, sx, sy)
    u, v = np.meshgrid(x.axis - cx, y.axis - cy)
    turned = (u + 1j * v) * np.exp(-1j * np.deg2rad(angle))
    level = (turned.real / rx) ** 2 + (turned.imag / ry) ** 2
    assume((abs(level - 1) > 1e-9).all())
    check(EllipseROI(cx, cy, rx, ry, angle=angle), axes, level < 1)


def even_odd(vertices):
    """Exact rule: count the edges that a ray to the left meets; ties as the docstring says."""
    corners = [(Fraction(x), Fraction(y)) for x, y in vertices]
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))

    def rule(i, j):
        inside = False
        for (x1, y1), (x2, y2) in edges:
            if min(y1, y2) <= j < max(y1, y2):
                inside ^= x1 + (j - y1) * (x2 - x1) / (y2 - y1) <= i
        return inside

    return rule


@settings(deadline=None)
@given(st.lists(st.tuples(quarters, quarters), min_size=3, max_size=8), sizes, sizes)
def test_polygons_in_pixels(vertices, x, y):
    axes = grid(x, y)
    check(PolygonROI(vertices), axes, by_pixel(axes, even_odd(vertices)))


@settings(deadline=None)
@given(st.lists(st.tuples(quarters, quarters), min_size=3, max_size=6), scales, scales)
def test_polygons_in_units(vertices, sx, sy):
    axes = x, y = grid(8, 9, sx, sy, ox=1.0)
    pixels = [(Fraction(u - x.offset) / Fraction(sx), Fraction(v - y.offset) / Fraction(sy)) for u, v in vertices]
    check(PolygonROI(vertices), axes, by_pixel(axes, even_odd(pixels)))


@settings(deadline=None)
@given(st.tuples(quarters, quarters))
def test_triangles_around_a_point_share_no_pixel_and_leave_none_out(point):
    axes = grid(12, 11)
    corners = [(-7, -8), (16, -7), (17, 15), (-6, 16)]  # around the grid and every point drawn inside it
    point = (min(max(point[0], -5), 15), min(max(point[1], -6), 14))
    count = np.zeros((11, 12), int)
    for first, second in zip(corners, corners[1:] + corners[:1], strict=True):
        try:
            count += PolygonROI([point, first, second]).mask(axes)
        except ValueError as error:
            assert "holds the centre of at least one pixel" in str(error)  # noqa: PT017 - a thin triangle may hold none
    np.testing.assert_array_equal(count, 1)


@settings(deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(5, 9), st.integers(5, 9))
def test_a_polygon_in_the_form_of_a_rectangle_is_that_rectangle(left, top, right, bottom):
    polygon = PolygonROI([(left, top), (right, top), (right, bottom), (left, bottom)])
    np.testing.assert_array_equal(polygon.mask(grid()), RectangleROI(left, top, right, bottom).mask(grid()))


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
        lambda s: st.lists(st.booleans(), min_size=s[0] * s[1], max_size=s[0] * s[1]).map(
            lambda v: np.array(v, bool).reshape(s)
        )
    )
)
def test_spans_and_window_of_any_mask(mask):
    spans = mask_spans(mask)
    assert spans.dtype == np.int64
    assert spans.shape[1:] == (2,)
    again = np.zeros(mask.size, bool)
    for start, stop in spans:
        again[start:stop] = True
    np.testing.assert_array_equal(again.reshape(mask.shape), mask)
    assert len(spans) == np.count_nonzero(np.diff(np.r_[False, mask.ravel(), False].astype(int)) == 1)
    assert mask[mask_window(mask)].sum() == mask.sum()


def test_rows_of_full_width_are_one_run():
    axes = grid(4, 6)
    np.testing.assert_array_equal(RectangleROI(0, 1, 4, 5).spans(axes), [[4, 20]])
    np.testing.assert_array_equal(RectangleROI(-3, 4, 99, 99).spans(axes), [[16, 24]])


def test_rounding_does_not_move_the_rim():
    axes = grid(11, 11, 0.1, 0.1)
    np.testing.assert_array_equal(CircleROI(0.5, 0.5, 0.3).mask(axes), CircleROI(5, 5, 3).mask(axes))
    np.testing.assert_array_equal(RectangleROI(0.3, 0.6, 0.7, 0.9).mask(axes), RectangleROI(3, 6, 7, 9).mask(axes))


def test_other_units_and_pixels_mix():
    x, y = grid(33, 33, 0.1, 0.1, -1.6, -1.6, units="1/Å")
    expected = CircleROI(16, 16, 5).mask((x, y))
    np.testing.assert_array_equal(CircleROI(0.0, 16, "5 1/nm").mask((x, y)), expected)
    mixed = (x, y.copy(scale=1.0, offset=-16, units="1/nm"))
    np.testing.assert_array_equal(CircleROI(0.0, 0.0, "5 1/nm").mask(mixed), expected)
    with pytest.raises(ValueError, match=r"set_calibration\(beam_energy="):
        CircleROI(16, 16, "5 mrad").mask((x, y))


def test_lengths_of_two_kinds_need_square_pixels():
    roi = CircleROI(4, 4, 3.0, r_inner=1)
    assert roi.mask(grid()).sum() == CircleROI(4, 4, 3, r_inner=1).mask(grid()).sum()
    with pytest.raises(ValueError, match=r"all in pixels \(int\) or all in units, as pixels are not square"):
        roi.mask(grid(sy=0.5))
    assert CircleROI(4, 4, 3.0).mask(grid(sy=0.5)).sum() > CircleROI(4, 4, 3).mask(grid()).sum()


def test_an_ellipse_turns_from_x_towards_y():
    mask = EllipseROI(4, 3, 4, 0.9, angle=30.0).mask(grid())
    assert mask[4, 6]
    assert not mask[2, 6]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: CircleROI(4, 4, 0), ValueError, "expected r above 0, found 0"),
        (lambda: CircleROI(4, 4, "-2 mrad"), ValueError, "expected r above 0, found '-2 mrad'"),
        (lambda: CircleROI(4, 4, 2, r_inner=-1), ValueError, "expected r_inner 0 or more, found -1"),
        (lambda: CircleROI(4, 4, 2, r_inner=2), ValueError, "expected r_inner below r, found r_inner=2 and r=2"),
        (lambda: CircleROI(4, 4, "2 mrad", r_inner="3 mrad"), ValueError, "expected r_inner below r"),
        (lambda: CircleROI(True, 4, 2), TypeError, r"expected an int \(pixel\)"),
        (lambda: CircleROI(4, 4, math.nan), ValueError, "expected a finite value"),
        (lambda: CircleROI("4", 4, 2), ValueError, "without a unit"),
        (lambda: RectangleROI(4, 0, 4, 2), ValueError, "expected left below right"),
        (lambda: RectangleROI(0, 3.0, 4, 2.0), ValueError, "expected top below bottom"),
        (lambda: EllipseROI(4, 4, 2, 0), ValueError, "expected ry above 0"),
        (lambda: EllipseROI(4, 4, 2, 1, angle="30 deg"), TypeError, "expected a number for angle"),
        (lambda: PolygonROI([(0, 0), (1, 1)]), ValueError, "at least three corners"),
        (lambda: PolygonROI([(0, 0), (1, 1), (2, 2, 2)]), ValueError, r"corners as pairs \(x, y\)"),
        (lambda: PolygonROI([(0, 0), (1, 1), (2, None)]), TypeError, r"expected an int \(pixel\)"),
        (lambda: RectangleROI(1, 0, 0.5, 2).mask(grid()), ValueError, "expected edges in order, found 1 at pixel 1"),
        (lambda: CircleROI(4, 4, 2).mask(grid()[:1]), ValueError, "expected two axes"),
        (lambda: CircleROI(40, 4, 2).mask(grid()), ValueError, "axis 'kx' has pixels 0 to 8 and values 0 to 8 mrad"),
        (lambda: ROI(), TypeError, "the class ROI, which is no shape: use CircleROI"),
        (lambda: CircleROI(4, 4, 2).update(radius=3), ValueError, r"expected one of \['cx', 'cy', 'r', 'r_inner'\]"),
        (lambda: roi_from_dictionary({"roi": "Star"}), ValueError, "found 'Star'"),
    ],
)
def test_errors_name_what_is_wrong(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_a_change_fires_once_and_a_wrong_one_never():
    roi, changes, lefts = RectangleROI(0, 0, 4, 4), [], []
    roi.observe(changes.append, "changed")
    roi.observe(lambda event: lefts.append((event.old, event.new)), "left")
    roi.left = 2
    roi.left = 2
    assert (len(changes), lefts) == (1, [(0, 2)])
    roi.update(left=10, right=12)
    assert (len(changes), lefts[-1]) == (2, (2, 10))
    for wrong in ({"left": 13}, {"left": 20, "right": 19}, {"top": None}):
        before = roi.as_dictionary()
        with pytest.raises((ValueError, TypeError), match="expected"):
            roi.update(**wrong)
        assert roi.as_dictionary() == before
    with pytest.raises(ValueError, match=r"use update|with update\(\)"):
        roi.left = 12
    assert roi.left == 10
    roi.update(left=10)
    assert len(changes) == 2
    roi.update()
    assert len(changes) == 2


def test_each_number_of_each_shape_fires():
    for roi, name, value in [
        (CircleROI(4, 4, 2), "r_inner", 1),
        (EllipseROI(4, 4, 2, 1), "angle", 30),
        (PolygonROI([(0, 0), (3, 0), (0, 3)]), "vertices", np.array([(0, 0), (5, 0), (0, 5.5)])),
    ]:
        seen = []
        roi.observe(seen.append, "changed")
        setattr(roi, name, value)
        assert len(seen) == 1


@pytest.mark.parametrize(
    "roi",
    [
        CircleROI(4, np.int64(4), np.float32(2.5), r_inner="1 mrad"),
        RectangleROI(0, 0.5, 4, "2 mrad"),
        EllipseROI(4, 4, 2, 1, 30),
        PolygonROI(np.array([[0, 0], [3, 0], [0, 3]])),
    ],
    ids=lambda roi: type(roi).__name__,
)
def test_copies_are_independent(roi):
    twins = [roi.copy(), copy.copy(roi), copy.deepcopy(roi), pickle.loads(pickle.dumps(roi))]
    twins.append(roi_from_dictionary(roi.as_dictionary()))
    twins.append(eval(repr(roi)))
    for twin in twins:
        assert type(twin) is type(roi)
        assert twin.as_dictionary() == roi.as_dictionary()
        seen = []
        twin.observe(seen.append, "changed")
        name = roi._fields[0]
        setattr(twin, name, 1 if name != "vertices" else [(0, 0), (1, 0), (0, 1)])
        assert seen
        assert twin.as_dictionary() != roi.as_dictionary()


def test_a_misspelt_name_is_refused() -> None:
    with pytest.raises(TraitError, match="undefined 'radius' attribute"):
        CircleROI(3, 3, 2).radius = 4
