"""Regions taken by the mouse: every handle of every shape, in every kind of number, and nothing ever raised."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.axes import Axis
from lazy4d.plot.detectors.dragging import apply_drag
from lazy4d.plot.detectors.editing import editor_of
from lazy4d.plot.detectors.pointer import takes_mouse, takes_wheel
from lazy4d.plot.detectors.roi_artist import RoiArtist
from lazy4d.roi import LineROI, PaintedROI, SpanROI

N = 40


def plane(sx=1.0, sy=1.0, units="px", offset=0.0):
    return (
        Axis(name="kx", size=N, scale=sx, offset=offset, units=units),
        Axis(name="ky", size=N, scale=sy, offset=offset, units=units),
    )


class Screen:
    """A picture of 40 x 40 pixels, and a mouse over it that speaks in pixels."""

    def __init__(self, axes=None, values=False):
        self.axes = plane() if axes is None else axes
        self.figure = Figure(figsize=(5, 5))
        FigureCanvasAgg(self.figure)
        self.ax = self.figure.add_axes((0.1, 0.1, 0.8, 0.8))
        self.ax.set(xlim=(-0.5, N - 0.5), ylim=(N - 0.5, -0.5))
        if values:
            self.ax.set(xlim=self.axes[0].index2value(np.array([-0.5, N - 0.5])), ylim=(0, 7))
        self.values = values
        self.redrawn = 0

    def artist(self, roi, **options):
        def redraw():
            self.redrawn += 1

        coordinates = "values" if self.values else "pixels"
        return RoiArtist(self.ax, roi, self.axes, redraw=redraw, coordinates=coordinates, **options)

    def mouse(self, what, at, button=MouseButton.LEFT, key=None, step=0, dblclick=False):
        x, y = at
        if self.values:
            x, y = self.axes[0].index2value(x), 3.5
        sx, sy = self.ax.transData.transform((x, y))
        canvas = self.figure.canvas
        event = MouseEvent(what, canvas, sx, sy, button, key, step, dblclick)
        canvas.callbacks.process(what, event)
        return event

    def drag(self, *path, **options):
        self.mouse("button_press_event", path[0], **options)
        for at in path[1:]:
            self.mouse("motion_notify_event", at, **options)
        self.mouse("button_release_event", path[-1], **options)


@pytest.fixture
def screen():
    return Screen()


def changes(roi):
    seen = []
    roi.observe(seen.append, "changed")
    return seen


# -- circles ---------------------------------------------------------------------------------------------------------


def test_a_circle_is_moved_by_its_middle_and_resized_by_its_rim(screen):
    circle = l4.CircleROI(20, 20, 6)
    screen.artist(circle)
    screen.drag((20, 20), (22.2, 20), (25.4, 17.3))
    assert (circle.cx, circle.cy, circle.r) == (25, 17, 6)
    screen.drag((25, 11), (25, 8.2))  # anywhere on the rim
    assert (circle.cx, circle.cy, circle.r) == (25, 17, 9)
    screen.drag((22, 14), (21, 14))  # inside
    assert (circle.cx, circle.cy) == (24, 17)
    assert all(isinstance(v, int) for v in circle._values().values())


def test_a_drag_is_one_change_for_each_motion(screen):
    circle = l4.CircleROI(20, 20, 6)
    artist = screen.artist(circle)
    seen = changes(circle)
    screen.drag((20, 20), (22, 21), (22.2, 21.1), (25, 22))
    assert len(seen) == 2  # the second motion stays within the pixel
    assert screen.redrawn == 2
    artist.close()


def test_a_ring_is_made_with_shift_and_has_two_rims(screen):
    circle = l4.CircleROI(20, 20, 10)
    artist = screen.artist(circle)
    assert set(artist.handles) == {"move", "r"}
    screen.drag((30, 20), (24, 20), key="shift")
    assert (circle.r, circle.r_inner) == (10, 4)
    assert set(artist.handles) == {"move", "r", "r_inner"}
    screen.drag((20, 16), (20, 13))
    assert (circle.r, circle.r_inner) == (10, 7)
    screen.drag((20, 13), (20, 2))  # never past the outer rim
    assert (circle.r, circle.r_inner) == (10, 9)
    screen.drag((30, 20), (21, 20))
    assert (circle.r, circle.r_inner) == (10, 9)


def test_a_drag_out_of_the_picture_stops_at_its_edge(screen):
    circle = l4.CircleROI(20, 20, 3)
    screen.artist(circle)
    screen.drag((20, 20), (35, 60), (90, 200))
    assert (circle.cx, circle.cy) == (40, 40)
    assert circle.mask(screen.axes).any()
    screen.drag((20, 20), (20, 20))  # nothing there: nothing moves
    assert (circle.cx, circle.cy) == (40, 40)


@pytest.mark.parametrize(
    ("roi", "kinds"),
    [
        (l4.CircleROI(0.0, 0.0, 0.12), (float, float, float)),
        (l4.CircleROI("0 1/nm", "0 1/nm", "1.2 1/nm"), (str, str, str)),
        (l4.CircleROI(20, 0.0, "1.2 1/nm"), (int, float, str)),
    ],
)
def test_numbers_keep_the_kind_that_they_have(roi, kinds):
    screen = Screen(plane(0.02, 0.02, "1/Å", offset=-0.4))
    artist = screen.artist(roi)
    screen.drag((20, 20), (24, 15))
    screen.drag((30, 15), (32, 15))
    assert tuple(type(v) for v in (roi.cx, roi.cy, roi.r)) == kinds
    x, y = screen.axes
    assert (x.to_pixels(roi.cx), y.to_pixels(roi.cy)) == pytest.approx((24, 15), abs=1e-3)
    assert x.length_to_pixels(roi.r) == pytest.approx(8, abs=1e-3)
    assert artist.handles["r"] == pytest.approx((32, 15), abs=2e-3)
    if str in kinds:
        assert str(roi.r).endswith("1/nm")


def test_circles_in_units_are_round_in_them_on_oblong_pixels():
    screen = Screen(plane(0.5, 1.0, "nm"))
    roi = l4.CircleROI(10.0, 20.0, 4.0)
    artist = screen.artist(roi)
    assert artist.handles["r"] == pytest.approx((28, 20))
    screen.drag((20, 24), (20, 26))  # the rim below the middle
    assert roi.r == pytest.approx(6.0)


# -- other shapes ----------------------------------------------------------------------------------------------------


def test_a_rectangle_by_edges_corners_and_inside(screen):
    box = l4.RectangleROI(10, 12, 20, 22)
    artist = screen.artist(box)
    assert artist.handles["left top"] == (9.5, 11.5)  # between the pixels
    screen.drag((9.5, 17), (6.4, 30))
    assert (box.left, box.top, box.right, box.bottom) == (7, 12, 20, 22)
    screen.drag((19.5, 21.5), (25.5, 27.5))
    assert (box.left, box.top, box.right, box.bottom) == (7, 12, 26, 28)
    screen.drag((15, 15), (17, 13))
    assert (box.left, box.top, box.right, box.bottom) == (9, 10, 28, 26)
    screen.drag((8.5, 18), (39, 18))  # one column is left
    assert (box.left, box.right) == (27, 28)


def test_a_rectangle_in_units_on_an_axis_that_runs_backwards():
    axes = (Axis(name="kx", size=N, scale=-0.5, offset=19.5, units="nm"), plane(0.5, 0.5, "nm")[1])
    screen = Screen(axes)
    box = l4.RectangleROI(5.0, 5.0, 10.0, 10.0)
    screen.artist(box)
    screen.drag((29, 15), (31, 15))  # its left edge lies at the right
    assert (box.left, box.right) == (4.0, 10.0)


def test_an_ellipse_is_stretched_and_turned(screen):
    ellipse = l4.EllipseROI(20, 20, 10, 5)
    artist = screen.artist(ellipse)
    screen.drag((30, 20), (33, 20))
    assert (ellipse.rx, ellipse.ry) == (13, 5)
    screen.drag((20, 25), (20, 28))
    assert (ellipse.rx, ellipse.ry) == (13, 8)
    screen.drag(artist.handles["angle"], (20, 7))  # the other end now points up: x turned towards y by a quarter
    assert ellipse.angle == 90
    assert artist.handles["rx"] == pytest.approx((20, 33))
    screen.drag((20, 20), (18, 21))
    assert (ellipse.cx, ellipse.cy) == (18, 21)


def test_a_polygon_by_its_corners(screen):
    polygon = l4.PolygonROI([(10, 10), (30, 10), (20.0, 30)])
    screen.artist(polygon)
    screen.drag((30, 10), (35, 5))
    assert polygon.vertices == ((10, 10), (35, 5), (20.0, 30))
    screen.drag((20, 15), (21, 17))
    assert polygon.vertices == ((11, 12), (36, 7), (21.0, 32))


def test_a_line_by_its_ends_its_width_and_its_middle(screen):
    line = LineROI(5, 20, 35, 20, 2)
    artist = screen.artist(line)
    screen.drag((5, 20), (8, 10))
    assert (line.x1, line.y1) == (8, 10)
    screen.drag((35, 20), (35, 10))
    assert (line.x2, line.y2) == (35, 10)
    assert artist.handles["linewidth"] == pytest.approx((21.5, 11))
    artist.ax.figure.dpi = 400  # so that the handles lie apart
    screen.drag((21.5, 11), (21.5, 14))
    assert line.linewidth == 8
    screen.drag((15, 10), (16, 14))
    assert (line.x1, line.y1, line.x2, line.y2) == (9, 14, 36, 14)


def test_a_span_over_a_curve():
    axis = Axis(name="x", size=N, scale=0.5, offset=2.0, units="nm")
    screen = Screen((axis,), values=True)
    span = SpanROI(10, 20)
    screen.artist(span)
    screen.drag((9.5, 0), (4.5, 0))
    assert (span.left, span.right) == (5, 20)
    screen.drag((12, 0), (14, 0))
    assert (span.left, span.right) == (7, 22)
    screen.drag((21.5, 0), (0, 0))
    assert (span.left, span.right) == (7, 8)


# -- painting --------------------------------------------------------------------------------------------------------


def test_painting_and_erasing(screen):
    painted = PaintedROI()
    artist = screen.artist(painted)
    artist.brush = 2.0
    seen = changes(painted)
    screen.drag((10, 10), (20, 10))
    assert len(seen) == 2
    mask = painted.mask(screen.axes)
    assert mask[8:13, 10:21].sum() > 50
    before = mask.sum()
    screen.drag((15, 10), (15.4, 10), button=MouseButton.RIGHT)
    assert not painted.mask(screen.axes)[10, 15]
    screen.drag((11, 10), (11.4, 10), key="shift")
    assert painted.mask(screen.axes).sum() < before - 20
    artist.brush = 100.0
    screen.drag((15, 10), (16, 10), button=MouseButton.RIGHT)
    assert painted.mask(screen.axes).any()  # the last pixels stay


def test_the_wheel_changes_the_brush_which_is_shown(screen):
    artist = screen.artist(PaintedROI([(3, 3, 5)]))
    brush = artist.brush
    screen.mouse("scroll_event", (20, 20), step=3)
    assert artist.brush > brush
    assert takes_wheel(screen.mouse("motion_notify_event", (20, 20)))
    assert np.nanmean(artist._tip.get_xdata()) == pytest.approx(20, abs=0.5)
    screen.figure.canvas.callbacks.process("figure_leave_event", None)
    assert np.isnan(artist._tip.get_xdata()).all()
    for _ in range(60):
        screen.mouse("scroll_event", (20, 20), step=-3)
    assert artist.brush == 0.5


# -- several, and everything around them -----------------------------------------------------------------------------


def test_of_several_regions_the_nearest_is_taken(screen):
    large, small = l4.CircleROI(20, 20, 15), l4.CircleROI(20, 26, 3)
    artists = [screen.artist(large), screen.artist(small)]
    screen.drag((20, 27), (22, 27))
    assert (large.cx, small.cx) == (20, 22)
    screen.drag((20, 20), (18, 20))
    assert (large.cx, small.cx) == (18, 22)
    artists[1].close()
    screen.drag((22, 26), (23, 26))
    assert (large.cx, small.cx) == (19, 22)


@pytest.mark.parametrize("first", ["small", "large"])
def test_of_regions_with_one_middle_the_smaller_is_taken(screen, first):
    rois = {"small": l4.CircleROI(20, 20, 4), "large": l4.CircleROI(20, 20, 15, r_inner=8)}
    for name in sorted(rois, reverse=first == "small"):
        screen.artist(rois[name])
    screen.drag((20, 20), (23, 20))
    assert (rois["small"].cx, rois["large"].cx) == (23, 20)


def test_one_region_over_two_pictures_moves_in_both(screen):
    other = Screen()
    circle = l4.CircleROI(20, 20, 6)
    here, there = screen.artist(circle), other.artist(circle)
    screen.drag((20, 20), (25, 20))
    assert here.handles == there.handles
    assert there.handles["move"] == (25, 20)
    there.close()
    circle.cx = 3
    assert here.handles["move"] == (3, 20)
    assert not other.ax.patches


def test_changes_in_code_move_the_picture(screen):
    circle = l4.CircleROI(20, 20, 6)
    artist = screen.artist(circle, label="bright field")
    circle.update(cx=10, r=3)
    (rim,) = artist._rims.get_segments()
    np.testing.assert_allclose(rim.min(axis=0), (7, 17), atol=1e-6)
    np.testing.assert_allclose(rim.max(axis=0), (13, 23), atol=1e-6)
    assert artist._name.get_text() == "bright field"
    circle.r_inner = 2
    assert len(artist._rims.get_segments()) == 2


def test_tools_of_the_toolbar_have_the_mouse_first(screen):
    circle = l4.CircleROI(20, 20, 6)
    screen.artist(circle)
    screen.figure.canvas.widgetlock("zoom")
    screen.drag((20, 20), (25, 20))
    assert circle.cx == 20
    screen.figure.canvas.widgetlock.release("zoom")
    screen.drag((20, 20), (25, 20), dblclick=True)
    screen.drag((20, 20), (25, 20), button=MouseButton.RIGHT)
    assert circle.cx == 20
    screen.drag((20, 20), (25, 20))
    assert circle.cx == 25
    assert not screen.figure.canvas.widgetlock.locked()


def test_others_can_ask_whether_the_mouse_is_taken(screen):
    screen.artist(l4.CircleROI(20, 20, 6))
    assert takes_mouse(screen.mouse("button_press_event", (20, 20)))
    screen.mouse("button_release_event", (20, 20))
    assert not takes_mouse(screen.mouse("motion_notify_event", (2, 2)))
    KeyEvent("key_press_event", screen.figure.canvas, "a")


def test_a_unit_that_no_longer_fits_hides_the_region():
    screen = Screen(plane(0.02, 0.02, "1/Å"))
    roi = l4.CircleROI("0.3 1/Å", "0.3 1/Å", "0.1 1/Å")
    artist = screen.artist(roi)
    assert artist.handles
    screen.axes[0].units = "nm"
    artist.refresh()
    assert artist.handles == {}
    screen.drag((15, 15), (16, 15))
    assert roi.cx == "0.3 1/Å"


def test_a_drag_never_leaves_a_region_without_a_pixel(screen):
    polygon = l4.PolygonROI([(10, 10), (12, 10), (11, 13)])
    screen.artist(polygon)
    screen.drag((11, 13), (11, 10))  # flat
    assert polygon.mask(screen.axes).any()
    assert not apply_drag(l4.CircleROI(3, 3, 2), screen.axes, {"r": -1})


def test_painted_regions_have_no_editor():
    assert editor_of(PaintedROI(), plane()) is None


@pytest.mark.parametrize("handles", [True, False])
def test_handles_are_drawn_where_they_are_wanted(screen, handles):
    artist = screen.artist(l4.RectangleROI(10, 10, 20, 20), handles=handles)
    screen.figure.canvas.draw()
    assert artist._marks.get_visible() == handles
    image = np.asarray(screen.figure.canvas.buffer_rgba())[..., :3].astype(int)
    assert (np.abs(image - (0x35, 0xC9, 0xFF)).max(-1) < 40).sum() > 100  # its outline is there
