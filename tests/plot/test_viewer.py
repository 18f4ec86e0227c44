"""What `signal.plot()` shows: data, places, units, colours and words, of every kind of signal."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.text import Text
from PIL import Image

import lazy4d as l4
from lazy4d.plot.viewer.fitting_pixels import fit_pixels
from lazy4d.plot.viewer.viewer import Viewer

PATIENCE = 60
NAVIGATOR = np.arange(20.0).reshape(4, 5)


def scan(nav: tuple[int, ...] = (4, 5), frame: tuple[int, ...] = (12, 10), **kwargs: Any) -> l4.Diffraction2D:
    """Frames that differ in every place: 100 times the position, and a spot."""
    numbers = np.arange(np.prod(nav)).reshape(*nav, *(1,) * len(frame))
    values = (100 * numbers + np.arange(np.prod(frame)).reshape(frame) + 1).astype("uint16")
    kind = kwargs.pop("kind", l4.Diffraction2D)
    signal = kind(values, title="test", **kwargs)
    signal.set_calibration(scale=0.02, units="1/Å", scan_scale=1.5, scan_units="nm")
    return signal


def shown(viewer: Viewer) -> np.ndarray:
    """Values of the picture of the signal."""
    (image,) = viewer.signal_ax.images
    return np.ma.filled(image.get_array().astype(float), np.nan)


def navigator(viewer: Viewer) -> np.ndarray:
    (image,) = viewer.navigator_ax.images
    return np.ma.filled(image.get_array().astype(float), np.nan)


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(ax: Any) -> str:
    return str(ax.get_title(loc="left"))


def complete(signal: Any, *args: Any, **kwargs: Any) -> Any:
    viewer = signal.plot(*args, **{"size": (5, 2.5), **kwargs})
    viewer.figure.set_dpi(50)
    assert viewer.wait(PATIENCE)
    return viewer


# -- frames --


def test_a_scan_is_shown_as_the_sum_of_its_frames_and_the_frame_at_the_position() -> None:
    signal = scan()
    viewer = complete(signal)
    np.testing.assert_array_equal(navigator(viewer), signal.data.sum((-1, -2)))
    np.testing.assert_array_equal(shown(viewer), signal.data[0, 0])
    viewer.position = (3, 1)
    assert viewer.wait(PATIENCE)
    np.testing.assert_array_equal(shown(viewer), signal.data[1, 3])
    assert signal.axes_manager.indices == (3, 1)
    assert title(viewer.signal_ax) == "x 4.5 nm, y 1.5 nm  (3, 1)"
    assert title(viewer.navigator_ax) == "sum"
    assert viewer.footer.left == f"x 4.5 nm, y 1.5 nm: {signal.data[1, 3].sum()} counts"
    assert viewer.crosshair.position == (3, 1)
    viewer.close()


def test_pictures_have_the_extent_scale_bar_and_colors_of_their_data() -> None:
    viewer = complete(scan())
    frame, image = viewer.signal_ax.images[0], viewer.navigator_ax.images[0]
    assert frame.get_extent() == [-0.5, 9.5, 11.5, -0.5]
    assert image.get_extent() == [-0.5, 4.5, 3.5, -0.5]
    assert isinstance(frame.norm, LogNorm)
    assert (frame.norm.vmin, frame.norm.vmax) == (1.0, 120.0)
    assert type(image.norm) is Normalize
    assert "0.05 Å⁻¹" in texts(viewer.signal_ax)
    assert "2 nm" in texts(viewer.navigator_ax)
    assert viewer.signal_ax.child_axes[0].get_ylabel() == "counts"
    viewer.close()


def test_the_position_follows_the_axes_whoever_moves_them() -> None:
    signal = scan()
    viewer = complete(signal)
    signal.axes_manager.indices = (2, 3)
    assert viewer.wait(PATIENCE)
    assert viewer.crosshair.position == (2, 3)
    np.testing.assert_array_equal(shown(viewer), signal.data[3, 2])
    viewer.close()
    signal.axes_manager.indices = (0, 0)
    assert viewer.crosshair.position == (2, 3), "a closed figure follows nothing"


def test_two_figures_of_one_signal_stand_at_the_same_place() -> None:
    signal = scan()
    one, other = complete(signal), complete(signal, navigator=None)
    one.position = (4, 2)
    assert one.wait(PATIENCE)
    assert other.wait(PATIENCE)
    np.testing.assert_array_equal(shown(one), shown(other))
    one.close(), other.close()


def test_a_scan_of_one_axis_has_a_curve_to_pick_positions_in() -> None:
    signal = scan().inav[:, 2]
    viewer = complete(signal)
    curve, mark = viewer.navigator_ax.lines
    np.testing.assert_allclose(curve.get_xdata(), signal.axes_manager[0].axis)
    np.testing.assert_array_equal(curve.get_ydata(), signal.compute().data.sum((-1, -2)))
    assert viewer.navigator_ax.get_xlabel() == "x (nm)"
    viewer.position = (3,)
    assert viewer.wait(PATIENCE)
    np.testing.assert_allclose(mark.get_xdata(), 4.5)
    np.testing.assert_array_equal(shown(viewer), scan().data[2, 3])
    viewer.close()


def test_a_single_pattern_has_no_navigator() -> None:
    signal = scan().inav[1, 1]
    viewer = complete(signal)
    assert viewer.navigator_ax is None
    assert viewer.position == ()
    assert title(viewer.signal_ax) == "test"
    np.testing.assert_array_equal(shown(viewer), scan().data[1, 1])
    viewer.close()


def test_profiles_are_curves_over_their_axis() -> None:
    signal = scan(frame=(30,), kind=l4.Signal1D)
    viewer = complete(signal, NAVIGATOR, norm="log")
    viewer.position = (1, 2)
    assert viewer.wait(PATIENCE)
    (curve,) = viewer.signal_ax.lines
    np.testing.assert_array_equal(curve.get_ydata(), signal.data[2, 1])
    np.testing.assert_allclose(curve.get_xdata(), signal.axes_manager["kx"].axis)
    assert viewer.signal_ax.get_yscale() == "log"
    assert viewer.signal_ax.get_xlabel() == "kx (Å⁻¹)"
    low, high = viewer.signal_ax.get_ylim()
    assert low < signal.data[2, 1].min()
    assert high > signal.data[2, 1].max()
    viewer.close()


def test_patterns_in_polar_coordinates_show_radius_over_azimuth() -> None:
    k = l4.Axis(name="k", size=6, scale=0.02, offset=0.01, units="1/Å")
    azimuth = l4.Axis(name="azimuth", size=8, scale=np.pi / 4, offset=np.pi / 8 - np.pi, units="rad")
    scan_axes = [l4.Axis(name="y", size=2, navigate=True), l4.Axis(name="x", size=3, navigate=True)]
    polar = l4.PolarDiffraction2D(np.arange(2.0 * 3 * 6 * 8).reshape(2, 3, 6, 8), [*scan_axes, k, azimuth])
    viewer = complete(polar, navigator=None)
    assert (viewer.signal_ax.get_xlabel(), viewer.signal_ax.get_ylabel()) == ("azimuth (rad)", "k (1/Å)")
    np.testing.assert_allclose(viewer.signal_ax.get_xlim(), (-np.pi, np.pi))
    np.testing.assert_allclose(viewer.signal_ax.get_ylim(), (0, 0.12), atol=1e-12)  # upwards
    assert viewer.picture.pixel_of(3.0, 0.01) == (7, 0)
    assert viewer.picture.text_at(7, 0) == "azimuth 2.75 rad, k 0.01 Å⁻¹: 7 counts"
    assert any(label.get_text() for label in viewer.signal_ax.get_xticklabels())
    viewer.close()


def test_further_axes_have_sliders() -> None:
    signal = scan((2, 3, 4, 5))
    viewer = complete(signal, signal.data.sum((-1, -2)))
    assert [slider.slider.label.get_text() for slider in viewer.sliders] == ["z", "t"]
    viewer.sliders[0].slider.set_val(2)
    assert viewer.position == (0, 0, 2, 0)
    viewer.position = (1, 2, 2, 1)
    assert viewer.wait(PATIENCE)
    assert [int(slider.slider.val) for slider in viewer.sliders] == [2, 1]
    np.testing.assert_array_equal(shown(viewer), signal.data[1, 2, 2, 1])
    np.testing.assert_array_equal(navigator(viewer), signal.data[1, 2].sum((-1, -2)))
    viewer.close()


def test_sliders_and_crosshair_begin_where_the_signal_stands() -> None:
    signal = scan((3, 4, 5))
    signal.axes_manager.indices = (1, 2, 2)
    viewer = complete(signal)
    assert viewer.sliders[0].slider.val == 2
    viewer.close()
    signal = scan((4, 5))
    x, y = signal.axes_manager.navigation_axes
    x.scale, x.units, y.scale, y.offset, y.units = 0.5, "nm", 2.0, 3.0, "s"
    signal.axes_manager.indices = (4, 3)
    viewer = complete(signal)
    box = viewer.crosshair._lines.get_segments()[0]
    np.testing.assert_allclose((box.min(0) + box.max(0)) / 2, (2.0, 9.0))
    np.testing.assert_allclose(viewer.navigator_ax.get_xlim(), (-0.25, 2.25))
    np.testing.assert_allclose(viewer.navigator_ax.get_ylim(), (2.0, 10.0))
    viewer.close()


def test_axes_of_one_pixel_are_shown_like_others() -> None:
    viewer = complete(l4.Diffraction2D(np.ones((1, 1, 3, 1, 6), "uint8")), np.arange(3.0).reshape(1, 1, 3))
    viewer.sliders[0].slider.set_val(0)
    viewer.position = (2, 0, 0)
    assert viewer.wait(PATIENCE)
    np.testing.assert_array_equal(shown(viewer), np.ones((1, 6)))
    viewer.figure.canvas.draw()
    viewer.close()


def test_frames_of_three_axes_are_stacks_of_images() -> None:
    values = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(float)
    axes = l4.AxesManager.from_shapes((2,), (3, 4, 5))
    viewer = complete(l4.BaseSignal(values, axes), navigator=None)
    viewer.position = (1,)
    viewer.sliders[0].slider.set_val(2)
    assert viewer.wait(PATIENCE)
    np.testing.assert_array_equal(shown(viewer), values[1, 2])
    viewer.close()


def test_lazy_signals_are_shown_as_they_will_be_computed() -> None:
    signal = scan()
    lazy = l4.Diffraction2D(da.from_array(signal.data, chunks=(2, 5, 12, 10)), signal.axes_manager.copy())
    part = lazy.inav[1:, :].isig[2:8, 1:9].rebin(scale=(1, 1, 2, 2))
    viewer = complete(part, navigator=None)
    viewer.position = (2, 1)
    assert viewer.wait(PATIENCE)
    expected = part.compute().data
    np.testing.assert_allclose(shown(viewer), expected[1, 2], rtol=1e-5)
    viewer.close()


def test_a_missing_frame_says_so_and_the_next_one_is_shown_again() -> None:
    valid = np.ones((4, 5), bool)
    valid[1, 2] = False
    signal = scan(valid=valid)
    viewer = complete(signal)
    viewer.position = (2, 1)
    assert viewer.wait(PATIENCE)
    assert "missing or damaged" in " ".join(viewer.picture.message.split())
    assert any("missing" in text for text in texts(viewer.signal_ax))
    assert not viewer.signal_ax.images[0].get_visible()
    assert np.isnan(navigator(viewer)[1, 2])
    viewer.position = (3, 1)
    assert viewer.wait(PATIENCE)
    assert viewer.picture.message == ""
    assert viewer.signal_ax.images[0].get_visible()
    np.testing.assert_array_equal(shown(viewer), signal.data[1, 3])
    viewer.close()


def test_an_error_while_reading_stands_where_the_frame_would_be() -> None:
    def broken(block: np.ndarray) -> np.ndarray:
        raise OSError("the disk is gone")

    data = da.zeros((2, 2, 6, 6), chunks=(1, 2, 6, 6), dtype="u2").map_blocks(
        broken, dtype="u2", meta=np.zeros((0,) * 4, "u2")
    )
    viewer = complete(l4.Diffraction2D(data), navigator=np.ones((2, 2)))
    assert "the disk is gone" in viewer.picture.message
    viewer.close()


# -- navigators --


def test_named_navigators_are_shown_one_after_the_other() -> None:
    signal = scan()
    first, second = np.arange(20.0).reshape(4, 5), signal.get_virtual_image(l4.CircleROI(5, 6, 3))
    viewer = complete(signal, navigator={"first": first, "bright": second})
    np.testing.assert_array_equal(navigator(viewer), first)
    viewer.next_navigator(1)
    assert viewer.wait(PATIENCE)
    assert title(viewer.navigator_ax) == "bright"
    np.testing.assert_array_equal(navigator(viewer), second.as_numpy())
    assert viewer.navigator_ax.images[0].norm.vmax == pytest.approx(second.as_numpy().max())
    viewer.next_navigator(1)
    assert viewer.wait(PATIENCE)
    assert title(viewer.navigator_ax) == "first"
    viewer.close()


def test_a_navigator_of_another_scan_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected an array of the shape \(4, 5\)"):
        scan().plot(navigator=np.zeros((5, 4)))


def test_the_share_of_a_navigator_stands_in_its_title() -> None:
    viewer = complete(scan())
    update = type("Update", (), {})()
    update.what, update.name, update.image, update.share = "navigator", "sum", np.ones((4, 5)), 0.123
    update.final, update.message, update.error = False, "", None
    viewer._show(update)
    assert title(viewer.navigator_ax) == "sum 12 %"
    update.share, update.final = 1.0, True
    viewer._show(update)
    assert title(viewer.navigator_ax) == "sum"
    viewer.close()


# -- numbers over a scan --


@pytest.mark.parametrize("is_lazy", [False, True])
def test_a_virtual_image_is_a_map_with_scale_bar_and_color_bar(is_lazy: bool) -> None:
    image = scan().get_virtual_image(l4.CircleROI(5, 6, 3))
    expected = image.as_numpy()
    viewer = complete(image if is_lazy else image.compute())
    np.testing.assert_array_equal(shown(viewer), expected)
    assert viewer.navigator_ax is None
    assert viewer.signal_ax.child_axes[0].get_ylabel() == "counts"
    assert "2 nm" in texts(viewer.signal_ax)
    viewer.position = (2, 1)
    assert viewer.footer.left == f"x 3 nm, y 1.5 nm: {expected[1, 2]} counts"
    assert viewer.crosshair.position == (2, 1)
    viewer.close()


def test_beam_positions_are_displacements_from_the_center_in_colors() -> None:
    com = scan().get_direct_beam_position()
    viewer = complete(com)
    (colors,) = (image for image in viewer.signal_ax.images)
    assert colors.get_array().shape == (4, 5, 3)
    assert viewer.signal_ax.child_axes, "the wheel of directions"
    viewer.position = (1, 2)
    y, x = com.as_numpy()[2, 1] - com.center
    assert viewer.footer.left == f"x 1.5 nm, y 3 nm: ({y:.5g}, {x:.5g}) px".replace("-", "−")
    viewer.close()


def test_beam_positions_along_a_line_are_two_curves() -> None:
    com = scan().get_direct_beam_position().inav[:, 1]
    viewer = complete(com)
    moved = com.as_numpy() - com.center
    y, x = (line for line in viewer.signal_ax.lines if line.get_label() in ("y", "x"))
    np.testing.assert_allclose(y.get_ydata(), moved[:, 0])
    np.testing.assert_allclose(x.get_ydata(), moved[:, 1])
    viewer.close()


def test_colors_are_shown_as_they_are() -> None:
    colors = scan().get_direct_beam_position().get_color_image()
    viewer = complete(colors)
    np.testing.assert_array_equal(viewer.signal_ax.images[0].get_array(), colors.as_numpy())
    viewer.close()


def test_a_row_of_numbers_is_a_curve() -> None:
    row = l4.VirtualImage(np.array([1.0, 4.0, 2.0]))
    viewer = complete(row)
    np.testing.assert_array_equal(viewer.signal_ax.lines[0].get_ydata(), [1, 4, 2])
    viewer.close()


def test_maps_of_more_axes_have_sliders() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    viewer = complete(l4.VirtualImage(values))
    viewer.sliders[0].slider.set_val(1)
    assert viewer.wait(PATIENCE)
    np.testing.assert_array_equal(shown(viewer), values[1])
    viewer.close()


def test_masks_are_black_and_white() -> None:
    mask = l4.VirtualImage(np.eye(3, 4) > 0)
    viewer = complete(mask)
    norm = viewer.signal_ax.images[0].norm
    assert (norm.vmin, norm.vmax) == (0, 1)
    viewer.position = (1, 1)
    assert viewer.footer.left == "x 1, y 1: yes"
    viewer.close()


def test_complex_numbers_are_shown_by_parts() -> None:
    values = np.exp(1j * np.linspace(-3, 3, 30)).reshape(5, 6) * np.arange(1, 6)[:, None]
    viewer = complete(l4.Signal2D(values))
    np.testing.assert_allclose(shown(viewer), np.abs(values))
    viewer.next_part()
    np.testing.assert_allclose(shown(viewer), np.angle(values))
    norm = viewer.signal_ax.images[0].norm
    assert (norm.vmin, norm.vmax) == pytest.approx((-np.pi, np.pi))
    assert viewer.signal_ax.images[0].get_cmap().name == "twilight"
    viewer.next_part(), viewer.next_part(), viewer.next_part()
    np.testing.assert_allclose(shown(viewer), np.abs(values))
    viewer.close()
    map_viewer = complete(l4.VirtualImage(values))
    map_viewer.next_part()
    np.testing.assert_allclose(shown(map_viewer), np.angle(values))
    map_viewer.close()


def test_a_single_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected data of at least one axis to plot.*float\(signal\)"):
        l4.VirtualImage(np.array(3.0)).plot()


# -- over the frames --


class Lazy:
    """Vectors still to be computed."""

    lazy = True

    def __init__(self, vectors: Any) -> None:
        self.vectors, self.inav = vectors, self
        self.nav_shape, self.frame_shape = vectors.nav_shape, vectors.frame_shape

    def __getitem__(self, position: tuple[int, ...]) -> Any:
        return Lazy(self.vectors.inav[position])

    def compute(self, progress: bool) -> Any:
        return self.vectors


@pytest.mark.parametrize("is_lazy", [False, True])
def test_vectors_are_drawn_on_the_frame_they_belong_to(is_lazy: bool) -> None:
    places = [[[y + 1, x + 2], [8, 3]][: 1 + (x > 2)] for y in range(4) for x in range(5)]
    vectors: Any = l4.DiffractionVectors(places, nav_shape=(4, 5), frame_shape=(12, 10))
    viewer = complete(scan(), NAVIGATOR, vectors=Lazy(vectors) if is_lazy else vectors)
    for position in ((4, 1), (0, 2)):
        viewer.position = position
        assert viewer.wait(PATIENCE)
        own = vectors.inav[position]
        drawn = [] if viewer._overlays.shown is None else viewer._overlays.shown.get_offsets()
        expected = np.column_stack([own.ragged["kx"], own.ragged["ky"]])
        np.testing.assert_allclose(np.reshape(drawn, (-1, 2)), expected)
    viewer.close()


def test_regions_are_outlined_on_the_frames() -> None:
    mask = np.zeros((12, 10), bool)
    mask[3:8, 2:5] = True
    rectangle = l4.RectangleROI(2, 3, 5, 8)
    viewer = complete(scan(), navigator=None, rois={"rectangle": rectangle, "mask": mask})
    for outline in viewer.signal_ax.collections:
        points = np.concatenate(outline.get_segments())
        np.testing.assert_array_equal(points.min(0), (1.5, 2.5))
        np.testing.assert_array_equal(points.max(0), (4.5, 7.5))
    assert len(viewer.signal_ax.collections) == 2
    rectangle.update(left=4, right=7)
    points = np.concatenate(viewer.signal_ax.collections[0].get_segments())
    np.testing.assert_array_equal(points.min(0), (3.5, 2.5))
    viewer.close()
    rectangle.update(left=1, right=3)  # a closed figure follows no more


@pytest.mark.parametrize(
    "options",
    [{"cmap": "nope"}, {"rois": l4.CircleROI(99, 99, 2)}, {"rois": np.ones((3, 3), bool)}],
    ids=["cmap", "region", "mask"],
)
def test_what_is_refused_leaves_no_figure(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("lazy4d.plot.viewer.viewer.new_figure", lambda *_: made.append(1))
    with pytest.raises(ValueError, match=r"expected (the name of a colour map|a region that holds|regions, or masks)"):
        scan().plot(**options)
    assert not made


@pytest.mark.parametrize("what", ["vectors", "rois"])
def test_what_does_not_fit_is_refused(what: str) -> None:
    other = l4.DiffractionVectors([[[1, 1]]], frame_shape=(8, 8)) if what == "vectors" else [l4.CircleROI(99, 99, 2)]
    with pytest.raises(ValueError, match=r"expected (vectors of the same scan|a region that holds)"):
        scan().plot(**{what: other})
    with pytest.raises(ValueError, match="expected a signal of frames"):
        l4.VirtualImage(np.ones((2, 2))).plot(**{what: other})


# -- contrast --


def test_the_scale_stays_while_frames_differ_little_and_follows_where_they_do() -> None:
    values = np.full((1, 4, 8, 8), 100.0)
    values[..., 0, 0] = 1
    values[0, 1] *= 0.8
    values[0, 2] *= 50
    viewer = complete(l4.Diffraction2D(values), navigator=None)
    first = viewer.signal_ax.images[0].norm.vmax
    viewer.position = (1, 0)
    assert viewer.wait(PATIENCE)
    assert viewer.signal_ax.images[0].norm.vmax == first
    viewer.position = (2, 0)
    assert viewer.wait(PATIENCE)
    assert viewer.signal_ax.images[0].norm.vmax == 5000
    viewer.hold_contrast(viewer.picture)
    viewer.position = (3, 0)
    assert viewer.wait(PATIENCE)
    assert viewer.signal_ax.images[0].norm.vmax == 5000
    viewer.rescale(viewer.picture)
    assert viewer.signal_ax.images[0].norm.vmax == 100
    viewer.close()


def test_the_scale_grows_where_differences_would_be_hidden() -> None:
    values = np.ones((1, 3, 32, 32), "float32") * np.linspace(0, 100, 1024).reshape(32, 32)
    values[0, 1] *= 1.3  # a quarter of the pixels beyond the scale
    values[0, 2, 0, 0] = 105  # one of them
    viewer = complete(l4.Signal2D(values), navigator=None, norm="linear", percentile=(0, 100))
    assert viewer.picture._shown.colorbar.extend == "neither"
    viewer.position = (2, 0)
    assert viewer.wait(PATIENCE)
    assert viewer.signal_ax.images[0].norm.vmax == 100
    assert viewer.picture._shown.colorbar.extend == "max"
    viewer.position = (1, 0)
    assert viewer.wait(PATIENCE)
    assert viewer.signal_ax.images[0].norm.vmax == pytest.approx(130)
    assert viewer.picture._shown.colorbar.extend == "neither"
    viewer.figure.canvas.draw()
    viewer.close()


def test_the_scale_bar_is_dark_on_bright_pictures() -> None:
    values = np.zeros((1, 2, 32, 32))
    values[0, 0, :4] = 1
    values[0, 1, 4:] = 1
    viewer = complete(l4.Signal2D(values), navigator=None, norm="linear")
    for position, color in (((0, 0), "white"), ((1, 0), "black"), ((0, 0), "white")):
        viewer.position = position
        assert viewer.wait(PATIENCE)
        assert [text.get_color() for text in viewer.signal_ax.texts] == [color]
    viewer.close()


def test_limits_percentiles_and_norms_are_taken_as_given() -> None:
    viewer = complete(scan(), None, norm="linear", limits=(5, 50))
    norm = viewer.signal_ax.images[0].norm
    assert (norm.vmin, norm.vmax) == (5, 50)
    viewer.close()
    viewer = complete(scan(), None, norm="power", power=0.3, cmap="viridis")
    assert isinstance(viewer.signal_ax.images[0].norm, PowerNorm)
    assert viewer.signal_ax.images[0].norm.gamma == 0.3
    assert viewer.signal_ax.images[0].get_cmap().name == "viridis"
    viewer.close()
    viewer = complete(scan(), None, norm="linear", percentile=(10, 90))
    norm = viewer.signal_ax.images[0].norm
    np.testing.assert_allclose((norm.vmin, norm.vmax), np.percentile(scan().data[0, 0], (10, 90)))
    viewer.close()
    with pytest.raises(ValueError, match="expected one of auto, linear"):
        scan().plot(norm="logarithmic")


def test_large_frames_are_averaged_for_the_screen_and_read_out_exactly() -> None:
    frame = np.zeros((3000, 2100), "uint16")
    frame[1500:1510, 200] = 7
    viewer = complete(l4.Signal2D(frame))
    (image,) = viewer.signal_ax.images
    assert image.get_array().shape == (1500, 1050)
    assert image.get_extent() == [-0.5, 2099.5, 2999.5, -0.5]
    assert viewer.picture.text_at(200, 1505).endswith(": 7 counts")
    viewer.close()


# -- files, memory, ends --


def test_a_saved_figure_is_complete(tmp_path: Path) -> None:
    viewer = scan((8, 9)).plot()
    path = viewer.save(tmp_path / "scan.png", dpi=80)
    assert not np.isnan(navigator(viewer)).any()
    with Image.open(path) as picture:
        assert picture.size[0] > 400
    assert viewer._repr_png_()[1:4] == b"PNG"
    assert viewer._ipython_display_ is None
    viewer.close()


def test_figures_of_scripts_are_not_known_to_pyplot() -> None:
    viewers = [l4.VirtualImage(np.ones(2)).plot() for _ in range(21)]  # pyplot would warn of more than 20
    assert pyplot.get_fignums() == []
    for viewer in viewers:
        viewer.close()


def test_closing_ends_the_work_and_may_be_done_twice() -> None:
    viewer = scan((16, 16)).plot()
    viewer.close()
    viewer.close()
    assert viewer.closed
    assert viewer.controller.closed
    assert viewer.controller.worker.closed
    assert "closed" in repr(viewer)
    assert viewer.wait(0.0)


def test_a_viewer_that_is_dropped_ends_its_work() -> None:
    viewer = scan((16, 16)).plot()
    controller = viewer.controller
    found = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert found() is None
    assert controller.closed


def test_nothing_is_computed_by_dask_to_show_a_file(no_compute: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.npy"
    np.save(path, scan().data)
    signal: Any = l4.load(path)
    with no_compute:
        viewer = complete(signal)
        viewer.position = (3, 2)
        assert viewer.wait(PATIENCE)
    np.testing.assert_array_equal(shown(viewer), scan().data[2, 3])
    viewer.close()


def test_strips_keep_the_rows_they_have() -> None:
    values = np.arange(5.0)[:, None] * np.ones(3001)
    values[:, -1] = 100
    viewer = complete(l4.VirtualImage(values))
    (image,) = viewer.signal_ax.images
    assert image.get_array().shape == (5, 1501)
    np.testing.assert_array_equal(image.get_array()[:, :-1], np.arange(5.0)[:, None] * np.ones(1500))
    np.testing.assert_array_equal(image.get_array()[:, -1], 100)
    assert image.get_extent() == [-0.5, 3001.5, 4.5, -0.5]
    assert viewer.signal_ax.get_xlim() == (-0.5, 3000.5)
    viewer.close()


def test_what_was_taken_off_large_integers_stands_beside_their_colors() -> None:
    viewer = complete(l4.VirtualImage(np.arange(20).reshape(4, 5) + 2**60))
    assert viewer.picture._shown.colorbar.ax.get_ylabel().endswith(f"− {2**60}")
    assert str(2**60 + 6) in viewer.picture.text_at(1, 1)
    viewer.close()


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_pixels_averaged_for_the_screen_leave_out_what_is_not_known(dtype: str) -> None:
    values = np.arange(64 * 64).reshape(64, 64).astype(dtype)
    expected = values.reshape(16, 4, 16, 4).mean((1, 3))
    small, factors = fit_pixels(values, 16)
    assert factors == (4, 4)
    np.testing.assert_allclose(small, expected)
    if dtype == "float32":
        values[0, 0], values[4:8, 4:8] = np.nan, np.inf
        small, _ = fit_pixels(values, 16)
        assert small[0, 0] == pytest.approx(values[:4, :4].ravel()[1:].mean())
        assert np.isnan(small[1, 1])
        np.testing.assert_allclose(small[2:], expected[2:])


def test_an_open_figure_follows_a_calibration() -> None:
    signal = l4.Diffraction2D(np.arange(5 * 6 * 32 * 32).reshape(5, 6, 32, 32).astype("u2"))
    with signal.plot(navigator=np.ones((5, 6))) as viewer:
        viewer.wait(30)
        before = [text.get_text() for text in viewer.signal_ax.findobj(Text)]
        assert "10 px" in before
        signal.set_calibration(scale=0.5, units="1/Å")
        viewer.wait(30)
        after = [text.get_text() for text in viewer.signal_ax.findobj(Text)]
        assert "10 px" not in after
        assert any(text.endswith("Å⁻¹") for text in after)
