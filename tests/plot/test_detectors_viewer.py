"""The viewer of detectors: what it shows, what mouse and keys do, and its results."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.plot.detectors.combine import combined
from lazy4d.plot.detectors.grid import grid_places, grid_rows, grid_size
from lazy4d.plot.viewer.layout import image_shape
from lazy4d.roi import LineROI, PaintedROI, SpanROI

LONG = 60.0


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setenv("LAZY4D_CACHE", str(tmp_path))
    with l4.set_options(progress=False):
        yield


@pytest.fixture
def s():
    pixels = np.random.default_rng(8).poisson(3.0, (12, 10, 16, 14)).astype("uint16")
    signal = l4.Diffraction2D(Frames.from_array(pixels, 2, chunks=((5, 5, 2), (10,))), title="scan")
    signal.set_calibration(scale=0.02, units="1/Å", scan_scale=1.5, scan_units="nm")
    return signal


@pytest.fixture
def show(s):
    """Viewers that are closed after the test."""
    made = []

    def opened(method="plot_virtual_image", *args, signal=s, **options):
        made.append(getattr(signal, method)(*args, **options))
        return made[-1]

    yield opened
    for viewer in made:
        viewer.close()


def panel(viewer, kind, name):
    return viewer.results.panels[kind, name]


def mouse(viewer, ax, what, at, button=MouseButton.LEFT, dblclick=False):
    x, y = ax.transData.transform(at)
    canvas = viewer.figure.canvas
    canvas.callbacks.process(what, MouseEvent(what, canvas, x, y, button, None, 0, dblclick))


def drag(viewer, ax, *path):
    mouse(viewer, ax, "button_press_event", path[0])
    for at in path[1:]:
        mouse(viewer, ax, "motion_notify_event", at)
    mouse(viewer, ax, "button_release_event", path[-1])


def key(viewer, name):
    canvas = viewer.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, name))


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_patterns_and_images_are_complete_when_saved(show, s, tmp_path):
    rois = {"disk": l4.CircleROI(7, 8, 3), "ring": l4.CircleROI(7, 8, 7, r_inner=4)}
    viewer = show("plot_virtual_image", rois)
    path = viewer.save(tmp_path / "detectors.png")
    assert path.stat().st_size > 10_000
    np.testing.assert_allclose(panel(viewer, "pattern", "").values, s.mean().as_numpy())
    assert panel(viewer, "pattern", "").title == "mean pattern"
    for name, roi in rois.items():
        expected = s.get_virtual_image(roi).as_numpy()
        np.testing.assert_array_equal(panel(viewer, "image", name).values, expected)
        np.testing.assert_array_equal(viewer.images[name].data, expected)
        assert panel(viewer, "image", name).title == name
    assert viewer.rois == rois
    assert viewer.regions == {}


def test_without_a_detector_there_is_a_disk_around_the_direct_beam(show, s):
    assert repr(show().rois) == "{'detector': CircleROI(cx=7, cy=8, r=1, r_inner=0)}"
    s.set_calibration(center=(5, 6), scale=0.02)
    assert repr(show().rois["detector"]) == "CircleROI(cx=5, cy=6, r=1, r_inner=0)"


def test_a_difference_and_colours(show, s):
    a, b, c = l4.CircleROI(4, 8, 3), l4.CircleROI(10, 8, 3), l4.RectangleROI(0, 0, 14, 4)
    images = [s.get_virtual_image(roi).as_numpy().astype(float) for roi in (a, b, c)]
    viewer = show("plot_virtual_image", {"left": a, "right": b}, combine="difference")
    assert viewer.wait(LONG)
    shown = panel(viewer, "image", "combined")
    np.testing.assert_array_equal(shown.values, images[0] - images[1])
    assert shown.title == "left − right"
    low, high = shown.contrast.current.vmin, shown.contrast.current.vmax
    assert low == -high
    colors = show("plot_virtual_image", [a, b, c], combine="rgb")
    assert colors.wait(LONG)
    values = panel(colors, "image", "combined").values
    assert values.shape == (12, 10, 3)
    for channel, image in zip(np.moveaxis(values, -1, 0), images, strict=True):
        assert np.corrcoef(channel.ravel(), image.ravel())[0, 1] > 0.999


def test_missing_values_are_grey_in_colours():
    one = np.array([[1.0, np.nan], [3.0, 2.0]])
    found = combined({"a": one, "b": one.T.copy()}, "rgb")
    np.testing.assert_array_equal(found[0, 1], [0.5, 0.5, 0.5])
    assert (found[..., 2][np.isfinite(one) & np.isfinite(one.T)] == 0).all()
    assert (combined({"a": np.ones((2, 2)), "b": np.ones((2, 2))}, "rgb") == 0).all()
    assert np.isnan(combined({"a": one, "b": one}, "difference")[0, 1])


@pytest.mark.parametrize(
    ("rois", "combine", "message"),
    [
        ([l4.CircleROI(7, 8, 3)], "difference", "expected 2 detectors for combine='difference', found 1"),
        ([l4.CircleROI(7, 8, 3)] * 4, "rgb", "expected 2 or 3 detectors for combine='rgb', found 4"),
        (l4.CircleROI(7, 8, 3), "cmyk", "expected combine to be one of"),
        (l4.CircleROI(70, 8, 3), None, "at least one pixel"),
        ("nobody", None, "expected the name of a signal region, found 'nobody'"),
    ],
)
def test_what_cannot_be_shown_is_refused(s, rois, combine, message):
    with pytest.raises(ValueError, match=message):
        s.plot_virtual_image(rois, combine=combine)


def test_arrays_and_single_frames_are_refused(s):
    with pytest.raises(TypeError, match="expected a region such as CircleROI for 'detector', found ndarray"):
        s.plot_virtual_image(np.ones((16, 14), bool))
    with pytest.raises(ValueError, match="virtual detectors need patterns of two signal axes over a scan"):
        s.inav[0, 0].plot_virtual_image()
    volume = l4.Diffraction2D(np.ones((2, 3, 4, 5, 6), "u1"))
    with pytest.raises(ValueError, match=r"regions of a scan need patterns .* over a scan of one or two"):
        volume.plot_region()


# -- regions ---------------------------------------------------------------------------------------------------------


def test_regions_and_their_mean_patterns(show, s):
    rois = {
        "grain": l4.PolygonROI([(1, 1), (8, 2), (3, 9)]),
        "line": LineROI(0, 0, 9, 11, 2),
        "painted": PaintedROI([(3, 2, 9), (4, 2, 9)]),
    }
    viewer = show("plot_region", rois)
    assert viewer.wait(LONG)
    for name, roi in rois.items():
        expected = s.get_region_mean(roi).as_numpy()
        np.testing.assert_array_equal(panel(viewer, "pattern", name).values, expected)
        np.testing.assert_array_equal(viewer.patterns[name].data, expected)
    np.testing.assert_array_equal(panel(viewer, "image", "").values, s.get_total_intensity().as_numpy())
    assert panel(viewer, "image", "").title == "intensity"


def test_no_two_regions_have_one_colour(show):
    rois = {name: l4.CircleROI(7, 8, r) for r, name in enumerate("abcd", start=1)}
    viewer = show("plot_virtual_image", rois, regions=l4.RectangleROI(1, 1, 5, 6))
    colors = {artists[0].color for artists in viewer.results.artists.values()}
    assert len(colors) == 5


def test_regions_of_the_signal_by_name_follow_the_mouse(show, s):
    s.regions["grain"] = l4.RectangleROI(1, 1, 5, 6)
    s.regions.signal["disk"] = l4.CircleROI(7, 8, 3)
    viewer = show("plot_region", "grain")
    drag(viewer, panel(viewer, "image", "").ax, (3, 3), (5, 3))
    assert s.copy().regions["grain"].left == 3
    assert list(show("plot_virtual_image", ["disk"], regions="grain").rois) == ["disk"]


def test_without_a_region_there_is_one_in_the_middle(show):
    assert repr(show("plot_region").regions) == "{'region': RectangleROI(left=3, top=4, right=7, bottom=8)}"


# -- mouse and keys --------------------------------------------------------------------------------------------------


def test_dragging_a_detector_changes_its_image(show, s):
    disk = l4.CircleROI(7, 8, 3)
    viewer = show("plot_virtual_image", disk)
    assert viewer.wait(LONG)
    drag(viewer, panel(viewer, "pattern", "").ax, (7, 8), (8, 8), (10, 6))
    assert (disk.cx, disk.cy) == (10, 6)
    assert viewer.wait(LONG)
    np.testing.assert_array_equal(viewer.images["detector"].data, s.get_virtual_image(disk).as_numpy())
    np.testing.assert_array_equal(panel(viewer, "image", "detector").values, viewer.images["detector"].data)


def test_a_double_click_on_a_pattern_gives_the_dark_field_image_of_the_spot(show, s):
    viewer = show("plot_region", {"grain": l4.RectangleROI(1, 1, 5, 6)})
    assert viewer.wait(LONG)
    mouse(viewer, panel(viewer, "pattern", "grain").ax, "button_press_event", (10, 5), dblclick=True)
    assert repr(viewer.rois) == "{'detector 1': CircleROI(cx=10, cy=5, r=1, r_inner=0)}"
    assert viewer.wait(LONG)
    image = panel(viewer, "image", "detector 1")
    np.testing.assert_array_equal(image.values, s.get_virtual_image(l4.CircleROI(10, 5, 1)).as_numpy())
    mouse(viewer, panel(viewer, "pattern", "grain").ax, "button_press_event", (3, 5), dblclick=True)
    assert len(viewer.rois) == 2
    assert len(viewer.panels) == 3
    assert viewer.wait(LONG)


def test_a_double_click_on_an_image_gives_the_mean_pattern_there(show, s):
    viewer = show("plot_virtual_image", l4.CircleROI(7, 8, 3))
    assert viewer.wait(LONG)
    mouse(viewer, panel(viewer, "image", "detector").ax, "button_press_event", (4, 5), dblclick=True)
    assert viewer.wait(LONG)
    np.testing.assert_array_equal(panel(viewer, "pattern", "region 1").values, s.inav[4, 5].as_numpy())


def test_keys_nudge_and_remove(show):
    viewer = show("plot_virtual_image", {"a": l4.CircleROI(7, 8, 3), "b": l4.CircleROI(4, 4, 2)})
    key(viewer, "right")  # of two, none was taken hold of yet
    drag(viewer, panel(viewer, "pattern", "").ax, (4, 4), (4, 4))
    key(viewer, "right")
    key(viewer, "up")
    assert (viewer.rois["a"].cx, viewer.rois["b"].cx, viewer.rois["b"].cy) == (7, 5, 3)
    key(viewer, "delete")
    assert list(viewer.rois) == ["a"]
    assert len(viewer.panels) == 2
    key(viewer, "delete")  # nothing is held any more
    viewer.remove("a")
    assert viewer.rois == {}
    assert viewer.wait(LONG)
    assert panel(viewer, "image", "").title == "intensity"
    with pytest.raises(ValueError, match="expected the name of a detector or a region that can be removed, found 'a'"):
        viewer.remove("a")


def test_keys_beside_the_pictures_change_the_first(show):
    viewer = show("plot_virtual_image", l4.CircleROI(7, 8, 3))
    assert viewer.wait(LONG)
    told = []
    for name in "l[]{}ha":
        key(viewer, name)
        told.append(viewer.footer.right)
    assert told == [
        "power scale", "percentiles 0 to 99.99", "percentiles 0 to 100", "percentiles 0 to 100",
        "percentiles 0.1 to 100", "scale held", "scale of this frame",
    ]  # fmt: skip
    assert viewer.panels[0].contrast.norm == "power"


def test_a_double_click_is_the_toolbars_while_one_of_its_tools_is_chosen(show):
    viewer = show("plot_virtual_image", l4.CircleROI(7, 8, 3))
    assert viewer.wait(LONG)
    tool = object()
    viewer.figure.canvas.widgetlock(tool)
    mouse(viewer, viewer.panels[0].ax, "button_press_event", (3, 3), dblclick=True)
    assert list(viewer.rois) == ["detector"]
    viewer.figure.canvas.widgetlock.release(tool)
    mouse(viewer, viewer.panels[0].ax, "button_press_event", (3, 3), dblclick=True)
    assert len(viewer.rois) == 2


def test_a_region_without_any_value_shows_none(show, s):
    pixels = s.as_numpy().astype("float32")
    pixels[8, 8] = np.nan
    region = l4.CircleROI(2, 2, 1)
    viewer = show("plot_region", region, signal=l4.Diffraction2D(pixels))
    assert viewer.wait(LONG)
    assert np.isfinite(viewer.panels[0].values).all()
    region.update(cx=8, cy=8)
    assert viewer.wait(LONG)
    assert viewer.panels[0].values is None
    assert viewer.panels[0].message == "no pixel here has a value"
    region.update(cx=2, cy=2)
    assert viewer.wait(LONG)
    assert np.isfinite(viewer.panels[0].values).all()


def test_one_name_stands_for_one_region(s):
    with pytest.raises(ValueError, match="expected one name for each detector and region"):
        s.plot_virtual_image({"a": l4.CircleROI(7, 8, 3)}, regions={"a": l4.CircleROI(3, 3, 2)})


def test_complex_frames_are_refused(s):
    waves = l4.Diffraction2D(s.as_numpy() * np.complex64(1j))
    for method in ("plot_virtual_image", "plot_region"):
        with pytest.raises(TypeError, match="need real numbers"):
            getattr(waves, method)()


def test_combined_images_have_no_place_for_more(show):
    viewer = show("plot_virtual_image", [l4.CircleROI(4, 8, 3), l4.CircleROI(10, 8, 3)], combine="difference")
    assert viewer.wait(LONG)
    mouse(viewer, panel(viewer, "pattern", "").ax, "button_press_event", (10, 5), dblclick=True)
    assert len(viewer.rois) == 2
    assert "expected fewer than" in viewer.footer.right
    with pytest.raises(ValueError, match="detectors that are not combined"):
        viewer.add_detector(l4.CircleROI(3, 3, 1))


def test_a_detector_dragged_in_code_beyond_the_frames_is_told(show):
    disk = l4.CircleROI(7, 8, 3)
    viewer = show("plot_virtual_image", disk)
    assert viewer.wait(LONG)
    before = panel(viewer, "image", "detector").values
    disk.cx = 500
    assert viewer.wait(LONG)
    assert panel(viewer, "image", "detector").title == "detector (no pixel)"
    np.testing.assert_array_equal(panel(viewer, "image", "detector").values, before)
    assert "holds the centre of at least one pixel" in viewer.footer.right


# -- other signals ---------------------------------------------------------------------------------------------------


def test_a_line_scan_has_curves(show, s):
    line = s.inav[:, 3]
    viewer = show("plot_virtual_image", l4.CircleROI(7, 8, 3), regions=SpanROI(2, 6), signal=line)
    assert viewer.wait(LONG)
    np.testing.assert_array_equal(panel(viewer, "image", "detector").values, viewer.images["detector"].data)
    ax = panel(viewer, "image", "detector").ax
    middle = line.axes_manager["x"].index2value(4.0)
    height = float(np.mean(ax.get_ylim()))
    step = line.axes_manager["x"].scale
    drag(viewer, ax, (middle, height), (middle + 2 * step, height))
    assert viewer.regions["region"].left == 4
    assert viewer.wait(LONG)
    np.testing.assert_array_equal(viewer.patterns["region"].data, line.inav[4:8].mean().as_numpy())
    assert repr(show("plot_region", signal=line).regions["region"]).startswith("SpanROI")


def test_a_series_of_scans_shows_the_one_of_the_slider(show):
    pixels = np.random.default_rng(8).poisson(3.0, (3, 5, 4, 8, 8)).astype("uint16")
    series = l4.Diffraction2D(pixels)
    viewer = show("plot_virtual_image", l4.CircleROI(4, 4, 3), signal=series)
    assert viewer.wait(LONG)
    expected = series.get_virtual_image(l4.CircleROI(4, 4, 3)).as_numpy()
    np.testing.assert_array_equal(panel(viewer, "image", "detector").values, expected[0])
    series.axes_manager.indices = (0, 0, 2)
    assert viewer.wait(LONG)
    np.testing.assert_array_equal(panel(viewer, "image", "detector").values, expected[2])
    assert viewer.images["detector"].data.shape == (3, 5, 4)


# -- its life --------------------------------------------------------------------------------------------------------


def test_a_closed_viewer_follows_nothing(s):
    disk = l4.CircleROI(7, 8, 3)
    viewer = s.plot_virtual_image(disk)
    assert viewer.wait(LONG)
    image = viewer.images["detector"]
    viewer.close()
    viewer.close()
    assert viewer.closed
    disk.r = 5
    assert image.data.shape == (12, 10)


def test_a_forgotten_viewer_is_collected(s):
    viewer = s.plot_virtual_image(l4.CircleROI(7, 8, 3))
    found = weakref.ref(viewer)
    viewer.wait(LONG)
    del viewer
    gc.collect()
    assert found() is None


def test_many_panels_stand_in_rows():
    assert [len(row) for row in grid_rows([image_shape(1.0)] * 7)] == [3, 3, 1]
    shapes = [image_shape(1.0)] * 5
    width, height = grid_size(shapes, 1)
    places = grid_places((width, height), shapes, 1)
    for k, box in enumerate(places.pictures):
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 < box.y0 < box.y1 < 1
        assert (box.width * width) == pytest.approx(box.height * height, rel=0.02)
        for other in places.regions[k + 1 :]:
            across = min(other.x1, places.regions[k].x1) - max(other.x0, places.regions[k].x0)
            down = min(other.y1, places.regions[k].y1) - max(other.y0, places.regions[k].y0)
            assert min(across, down) < 1e-6
    assert places.sliders[0].y1 <= min(box.y0 for box in places.pictures)


def test_a_flat_scan_has_a_row_for_itself():
    shapes = [image_shape(1.0), image_shape(31 / 512)]
    width, height = grid_size(shapes)
    assert 5 < width < 12
    pattern, strip = grid_places((width, height), shapes).pictures
    assert strip.y1 < pattern.y0
    assert strip.width * width > 7
    assert strip.height * height == pytest.approx(1.0, rel=0.1)
