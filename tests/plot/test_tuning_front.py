"""Pictures, sliders and widgets of a preview: what they show, and what using them does."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.tuning import widgets
from lazy4d.plot.tuning.controller import TuningController
from lazy4d.plot.tuning.figure_sliders import FigureSliders, _wrapped
from lazy4d.plot.tuning.picture_grid import PictureGrid
from lazy4d.plot.tuning.preview import Preview
from lazy4d.plot.tuning.views import REASONS, Curve, Picture, rows_of
from lazy4d.plot.viewer.canvas_loop import CanvasLoop

PATIENCE = 120.0


@pytest.fixture(scope="module")
def pixels() -> Any:
    scan = simulated_scan((4, 5), (48, 40), kind="crystal", disk_radius=4.0, descan=4.0, dose=50_000, background=0.2)
    return scan.as_array()


def calibrated(pixels: Any) -> l4.Diffraction2D:
    found = l4.Diffraction2D(pixels, title="scan")
    found.set_calibration(scale=0.05, units="1/Å", center=(20, 24), beam_energy="200 kV")
    return found


@pytest.fixture
def s(pixels: Any) -> l4.Diffraction2D:
    return calibrated(pixels)


def titles(preview: Preview) -> list[str]:
    return [view.ax.get_title(loc="left") for view in preview._grid.views]


def circles(view: Any) -> list[EllipseCollection]:
    return [one for one in view.ax.collections if isinstance(one, EllipseCollection)]


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_vectors_are_circles_on_the_frame_with_the_correlation_beside_it(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "get_diffraction_vectors", (3, 2), disk_r=4)
    found = preview.result.ragged
    number = f"{found.total} vector{'' if found.total == 1 else 's'}"
    assert titles(preview) == [f"frame (3, 2), {number}", "matched filter", "score", "candidates"]
    drawn = circles(preview._grid.views[0])[0]
    np.testing.assert_allclose(np.asarray(drawn.get_offsets()), np.column_stack([found["kx"], found["ky"]]))
    assert drawn.get_widths() == pytest.approx(8.0)
    key = [one.get_text() for one in preview._grid.views[1].ax.get_legend().get_texts()]
    assert key[0] == "accepted"
    preview.close()


def test_a_picture_for_every_reason_there_is() -> None:
    from lazy4d.kernels.peak_choice import REASONS as ALL

    assert set(REASONS) == set(ALL.values())


def test_pictures_are_changed_in_place(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "get_diffraction_vectors", (3, 2), disk_r=4)
    before = [view.ax for view in preview._grid.views]
    full = preview._loop.painter.full_draws
    preview.set(disk_r=5)
    preview._loop.flush()
    assert [view.ax for view in preview._grid.views] == before
    assert circles(preview._grid.views[0])[0].get_widths() == pytest.approx(10.0)
    assert len(circles(preview._grid.views[0])) == 1
    preview.set(disk_r=4.5 * 0.05)
    preview._loop.flush()
    assert preview._loop.painter.full_draws <= full + 1  # the first flush draws everything
    preview.close()


def test_other_pictures_where_another_method_has_others(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "get_diffraction_vectors", (3, 2), disk_r=4)
    preview.set(method="local_max", threshold_abs=5.0)
    assert [one.split(",")[0] for one in titles(preview)] == ["frame (3", "frame as it was searched", "candidates"]
    line = preview._grid.views[2]._threshold
    assert list(line.get_xdata()) == [5.0, 5.0]
    preview.set(method="template")
    assert titles(preview)[1:] == ["matched filter", "score", "candidates"]
    assert len(preview.figure.axes) == 4 + 1  # and the line below
    preview.close()


def test_a_centring_shows_the_place_and_the_sums(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "center_direct_beam", (3, 2), method="cross_correlate", radius=4)
    assert titles(preview) == ["frame (3, 2)", "centred", "sum of 20 frames, as they are", "sum of 20 frames, centred"]
    place = s.get_direct_beam_position("cross_correlate", radius=4).inav[3, 2].compute().data
    crosses = [line.get_xydata()[0] for line in preview._grid.views[0].ax.lines if line.get_marker() == "+"]
    np.testing.assert_allclose(crosses, [place[::-1]])
    middle = [line.get_xydata()[0] for line in preview._grid.views[1].ax.lines if line.get_marker() == "+"]
    np.testing.assert_array_equal(middle, [[20, 24]])
    assert re.search(rf"y {place[0]:.2f}, x {place[1]:.2f} px", preview.status)
    before, after = (view.ax.images[0] for view in preview._grid.views[2:])
    assert (before.norm.vmin, before.norm.vmax) == (after.norm.vmin, after.norm.vmax)  # to be compared
    preview.close()


def test_background_pictures_share_the_scale_of_the_frame(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "subtract_diffraction_background", (3, 2))
    assert titles(preview) == ["frame (3, 2)", "background", "frame less background", "what is left, above and below 0"]
    scales = [(view.ax.images[0].norm.vmin, view.ax.images[0].norm.vmax) for view in preview._grid.views[:3]]
    assert scales[1] == scales[2]
    assert scales[0][1] == scales[1][1]
    left = preview._grid.views[3].ax.images[0].norm
    assert left.vmin == -left.vmax
    preview.set(divide=True)
    assert titles(preview)[2] == "frame / background"
    preview.close()


def test_an_azimuthal_integral_outlines_what_counts(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "get_azimuthal_integral1d", (3, 2), mean=True, radial_range=(4, 12))
    assert titles(preview) == ["frame (3, 2)", "profile"]
    curve = preview._grid.views[1]
    np.testing.assert_allclose(curve.ax.lines[0].get_ydata(), preview.result.data)
    assert curve.ax.get_xlabel() == "k (Å⁻¹)"
    assert curve.ax.get_ylabel() == "counts, mean"
    assert len(preview._grid.views[0].ax.collections) == 1  # the outline
    preview.set(npt=5)
    assert len(curve.ax.lines[0].get_ydata()) == 5
    preview.set(radial_range=None)
    assert not preview._grid.views[0].ax.collections
    preview.close()


def test_a_polar_image_has_ticks_on_both_axes(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "get_azimuthal_integral2d", (3, 2), npt=12, npt_azim=24)
    ax = preview._grid.views[1].ax
    assert ax.get_xlabel().startswith("azimuth")
    assert len(ax.get_xticks()) > 2
    preview.set(npt=9)  # another shape, another panel
    assert preview._grid.views[1].ax.images[0].get_array().shape == (9, 24)
    preview.close()


def test_several_frames_side_by_side(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "template_match_disk", positions=[(0, 0), (3, 2), (4, 3)], disk_r=4)
    assert titles(preview) == ["frame (0, 0)", "frame (3, 2)", "frame (4, 3)", *["template_match_disk"] * 3]
    assert [one.data.shape for one in preview.result] == [(48, 40)] * 3
    top = [view.ax.get_position().y0 for view in preview._grid.views]
    assert top[0] == top[1] > top[3] == top[4]
    preview.close()


def test_an_error_is_shown_instead_of_the_result_and_goes_again(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "template_match_disk", (3, 2), disk_r=4)
    preview.set(power=0.5, normalize=True)
    assert "power" in preview.status
    assert "power" in preview._grid.views[1].panel.message
    with pytest.raises(ValueError, match="power"):
        preview.result  # noqa: B018 -- is computed when asked for
    preview.set(power=1.0)
    assert preview._grid.views[1].panel.message == ""
    assert "values from" in preview.status
    preview.close()


def test_an_error_at_once_leaves_a_message_until_it_is_mended(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "correct_ellipse", (3, 2), ellipse=(0.5, 30.0))
    assert "at least 1" in preview.status
    assert not preview._grid.views
    preview.set(ellipse=(1.1, 30.0))
    assert titles(preview) == ["frame (3, 2)", "correct_ellipse"]
    preview.close()


def test_what_was_shown_before_stays_until_the_sums_are_known(s: l4.Diffraction2D) -> None:
    preview = Preview(s, "center_of_mass", (3, 2))
    known = preview._sums["after"]
    preview.controller.parameters.set(half_width=6)
    tuned = preview.controller.latest
    preview._show(type(tuned)(tuned.outcomes, {}, 0.0, tuned.call))  # type: ignore[union-attr]
    assert preview._sums["after"] is known
    assert np.isfinite(preview._grid.views[3].ax.images[0].get_array()).all()
    preview.close()


@pytest.mark.parametrize(
    "values", [np.zeros(4), np.full(4, np.nan), np.array([-1.0, 0.0, 1.0, 2.0]), 10.0 ** np.arange(4)]
)
def test_curves_of_any_values(values: Any) -> None:
    figure = Figure((4, 4))
    FigureCanvasAgg(figure)
    loop = CanvasLoop(figure, lambda: False)
    grid = PictureGrid(loop)
    axis = l4.Axis(name="k", size=4, scale=0.5, units="1/Å")
    grid.show([[Curve("curve", values, axis)]])
    figure.canvas.draw()
    bottom, top = grid.views[0].ax.get_ylim()
    assert bottom < top
    grid.show([[Curve("curve", values + 1, axis)]])
    loop.close()


def test_pictures_of_any_values() -> None:
    axes = (l4.Axis(name="ky", size=3), l4.Axis(name="kx", size=4))
    loop = CanvasLoop(Figure((4, 4)), lambda: False)
    grid = PictureGrid(loop)
    for values in (np.ones((3, 4)), np.arange(12.0).reshape(3, 4), np.full((3, 4), 5.0)):
        grid.show([[Picture("picture", values, axes)]])
        np.testing.assert_array_equal(grid.views[0].ax.images[0].get_array(), values)
    loop.close()


def test_rows_of_one_frame_are_at_most_two_wide(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s, "subtract_diffraction_background", (3, 2))
    assert tuning.wait(PATIENCE)
    rows = rows_of(tuning.updates()[-1], tuning.method.look)
    assert [len(row) for row in rows] == [2, 2]
    tuning.close()


# -- widgets -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(pixels: Any) -> Any:
    """One preview with its widgets for all tests, as making them takes long."""
    pytest.importorskip("ipywidgets")
    preview = Preview(calibrated(pixels), "get_diffraction_vectors", (3, 2), disk_r="10 mrad")
    preview.widget  # noqa: B018 -- is made when asked for
    yield preview
    preview.close()


@pytest.fixture
def panel(opened: Preview) -> Preview:
    """A preview with widgets as it was at first."""
    opened.set(method="template", disk_r="10 mrad", threshold_abs=None, subpixel="parabola")
    opened.move(3, 2)
    opened.wait(PATIENCE)
    return opened


def row(preview: Preview, name: str) -> Any:
    return next(
        one for one in preview._panel.rows if one.control.name == name and one.widget.layout.display == "flex"
    )  # fmt: skip


def test_sliders_have_ranges_and_units(panel: Preview) -> None:
    slider = row(panel, "disk_r").sliders[0]
    assert (row(panel, "disk_r")._name.value, slider.value) == ("disk_r (mrad)", 10.0)
    assert slider.min < 10.0 < slider.max == pytest.approx(10 * 1.254, rel=0.02)  # 10 pixels
    assert row(panel, "method").choice.options[0] == ("template", 0)
    assert row(panel, "threshold_rel").sliders[0].__class__.__name__ == "FloatLogSlider"


def test_sliders_change_the_parameters_and_the_code(panel: Preview) -> None:
    row(panel, "disk_r").sliders[0].value = 12.0
    assert panel.parameters == {"disk_r": "12 mrad"}
    row(panel, "threshold_abs").tick.value = True
    row(panel, "threshold_abs").sliders[0].value = 0.35
    row(panel, "subpixel").choice.value = 1
    assert panel.code == (
        's.get_diffraction_vectors(disk_r="12 mrad", threshold_abs=0.35, subpixel="center_of_mass")'
    )  # fmt: skip
    assert "threshold_abs=0.35" in panel._panel.code.value  # type: ignore[union-attr]
    row(panel, "threshold_abs").tick.value = False
    assert "threshold_abs" not in panel.parameters


def test_only_what_counts_is_shown(panel: Preview) -> None:
    shown = [one.control.name for one in panel._panel.rows if one.widget.layout.display == "flex"]  # type: ignore[union-attr]
    assert "significance" in shown
    row(panel, "method").choice.value = 3
    shown = [one.control.name for one in panel._panel.rows if one.widget.layout.display == "flex"]  # type: ignore[union-attr]
    assert "significance" not in shown
    assert panel.parameters == {"method": "local_max"}


def test_set_moves_the_sliders_and_their_terms(panel: Preview) -> None:
    panel.set(disk_r=5)
    slider = row(panel, "disk_r").sliders[0]
    assert (row(panel, "disk_r")._name.value, slider.value, slider.max) == ("disk_r (px)", 5.0, 10.0)
    assert panel.parameters == {"disk_r": 5}


def test_positions_and_buttons(panel: Preview) -> None:
    controls: Any = panel._panel
    assert [one.description for one in controls.positions] == ["x", "y"]
    controls.positions[0].value = 1
    assert panel.position == (1, 2)
    controls.next.click()
    assert panel.position == (2, 2)
    assert [one.value for one in controls.positions] == [2, 2]
    controls.random.click()
    assert tuple(one.value for one in controls.positions) == panel.position


def test_the_picture_of_a_plain_notebook_is_redrawn(panel: Preview) -> None:
    image = panel._panel._image  # type: ignore[union-attr]
    before = image.value
    assert before[1:4] == b"PNG"
    row(panel, "disk_r").sliders[0].value = 12.0
    assert panel.controller.wait(PATIENCE)
    panel._panel._redraw()  # type: ignore[union-attr] # what the event loop of the kernel calls
    assert image.value != before


def test_errors_and_times_stand_below_the_controls(panel: Preview) -> None:
    panel.wait(PATIENCE)
    panel.set(threshold_abs=5.0)
    panel.wait(PATIENCE)
    assert "threshold_abs as a score" in panel._panel.status.value  # type: ignore[union-attr]
    panel.set(threshold_abs=0.5)
    panel.wait(PATIENCE)
    assert re.search(r"vectors?, \d+ candidates refused; \d+ ms", panel._panel.status.value)  # type: ignore[union-attr]


def test_pairs_have_two_sliders(s: l4.Diffraction2D) -> None:
    pytest.importorskip("ipywidgets")
    preview = Preview(s, "get_azimuthal_integral1d", (3, 2))
    preview.widget  # noqa: B018 -- is made when asked for
    row(preview, "radial_range").tick.value = True
    row(preview, "radial_range").sliders[0].value = 3
    row(preview, "mean").choice.value = True
    assert preview.parameters == {"radial_range": (3, 20), "mean": True}
    preview.set(center=s.get_direct_beam_position())
    assert row(preview, "center")._auto.value == "as given"
    preview.close()


def test_which_of_several_frames_moves(s: l4.Diffraction2D) -> None:
    pytest.importorskip("ipywidgets")
    preview = Preview(s, "center_of_mass", positions=[(0, 0), (3, 2)])
    preview.widget  # noqa: B018 -- is made when asked for
    controls: Any = preview._panel
    controls.slot.value = 1
    assert [one.value for one in controls.positions] == [3, 2]
    controls.positions[1].value = 3
    assert preview.controller.positions == ((0, 0), (3, 3))
    preview.close()


def test_without_ipywidgets_the_error_says_what_to_install(
    s: l4.Diffraction2D, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=re.escape('pip install "lazy4d[jupyter]"')):
        widgets.ipywidgets_module()


# -- sliders in the figure ---------------------------------------------------------------------------------------------


class Window:
    """A figure with sliders in it, as a window has, on a canvas without one."""

    def __init__(self, s: Any, name: str, **initial: Any) -> None:
        self.figure = Figure((10, 6), dpi=80)
        FigureCanvasAgg(self.figure)
        self.loop = CanvasLoop(self.figure, lambda: False)
        self.tuning = TuningController(s, name, (3, 2), **initial)
        self.sliders = FigureSliders(self.loop, self.tuning, lambda: self.sliders.refresh())
        self.sliders.refresh()

    def click(self, key: Any, across: float = 0.5, button: int = 1) -> None:
        box = self.sliders.widgets[key].ax.bbox
        x, y = box.x0 + across * box.width, (box.y0 + box.y1) / 2
        for name in ("button_press_event", "button_release_event"):
            canvas: Any = self.figure.canvas
            canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button))


@pytest.fixture
def window(s: l4.Diffraction2D, request: pytest.FixtureRequest) -> Any:
    name, initial = request.param
    found = Window(s, name, **initial)
    yield found
    found.tuning.close()
    found.loop.close()


@pytest.mark.parametrize("window", [("template_match_disk", {"disk_r": 4})], indirect=True)
def test_sliders_and_choices_in_the_figure(window: Window) -> None:
    window.click(("disk_r", ""), 0.5)
    control = window.tuning.method.controls[0]
    reach = window.tuning.parameters.range(control)
    number = window.tuning.parameters.numbers(control)[0]
    assert number == pytest.approx((reach.low + reach.high) / 2, abs=0.6)
    assert window.sliders.widgets["disk_r", ""].val == number
    assert window.sliders.widgets["disk_r", ""].valtext.get_text() == f"{number:g} px"
    window.tuning.set(disk_r=4)
    window.click(("normalize", ""))
    assert window.tuning.call == {"disk_r": 4, "normalize": True}
    window.click(("normalize", ""), button=3)  # the one before
    window.click(("normalize", ""), button=3)
    assert window.tuning.call == {"disk_r": 4, "normalize": False}
    window.click(("frame", "next"))
    assert window.tuning.positions == ((4, 2),)
    assert window.sliders.widgets["position", "x"].val == 4
    window.click(("position", "y"), 0.01)
    assert window.tuning.positions == ((4, 0),)
    window.click(("frame", "random"))
    assert window.tuning.positions != ((4, 0),)


@pytest.mark.parametrize("window", [("center_of_mass", {})], indirect=True)
def test_a_click_gives_a_parameter_a_value_or_takes_it_away(window: Window) -> None:
    window.click(("threshold", "auto"))
    start = window.tuning.call["threshold"]
    window.click(("threshold", ""), 0.5)  # a logarithmic slider
    reach = window.tuning.parameters.range(window.tuning.method.controls[1])
    assert reach.log
    assert window.tuning.call["threshold"] == pytest.approx((reach.low * reach.high) ** 0.5, rel=0.2) != start
    assert "counts" in window.sliders.widgets["threshold", ""].valtext.get_text()
    window.click(("threshold", "auto"))
    assert window.tuning.call == {}


def test_code_is_broken_after_commas() -> None:
    text = _wrapped('s.get_diffraction_vectors(disk_r=9, threshold_abs=0.4, subpixel="dft")', 30)
    assert text.splitlines() == ["s.get_diffraction_vectors(disk_r=9,", "    threshold_abs=0.4,", '    subpixel="dft")']
