"""Mouse and keys over a viewer's figure, as matplotlib reports them from any canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore, FigureManagerWebAgg
from matplotlib.colors import LogNorm, Normalize, PowerNorm

import lazy4d as l4
from lazy4d.plot.viewer import figures, interaction
from lazy4d.plot.viewer.keys import KEYS

PATIENCE = 60


def opened() -> Any:
    numbers = np.arange(30 * 40).reshape(30, 40, 1, 1)
    signal = l4.Diffraction2D((numbers * 10 + np.arange(64).reshape(8, 8) + 1).astype("uint16"))
    made = signal.plot(navigator=numbers[..., 0, 0].astype(float), size=(5, 2.5))
    made.figure.set_dpi(50)
    assert made.wait(PATIENCE)
    made.figure.canvas.draw()
    return made


@pytest.fixture(scope="module")
def shared() -> Any:
    made = opened()
    yield made
    made.close()


@pytest.fixture
def viewer(shared: Any) -> Any:
    """At the first position; only the position may be changed."""
    shared.position = (0, 0)
    return shared


@pytest.fixture
def fresh() -> Any:
    made = opened()
    yield made
    made.close()


def mouse(viewer: Any, name: str, ax: Any, x: float, y: float, **more: Any) -> None:
    """What a canvas says when something happens at a place in the coordinates of some axes."""
    px, py = ax.transData.transform((x, y))
    MouseEvent(name, viewer.figure.canvas, px, py, **more)._process()


def click(viewer: Any, ax: Any, x: float, y: float) -> None:
    mouse(viewer, "button_press_event", ax, x, y, button=MouseButton.LEFT)
    mouse(viewer, "button_release_event", ax, x, y, button=MouseButton.LEFT)


def press(viewer: Any, key: str, ax: Any = None) -> None:
    x, y = (0, 0) if ax is None else ax.transAxes.transform((0.5, 0.5))
    KeyEvent("key_press_event", viewer.figure.canvas, key, x, y)._process()


def frame(viewer: Any) -> np.ndarray:
    assert viewer.wait(PATIENCE)
    return np.ma.filled(viewer.signal_ax.images[0].get_array().astype(float), np.nan)


def test_a_click_in_the_navigator_goes_there(viewer: Any) -> None:
    click(viewer, viewer.navigator_ax, 17.3, 8.6)
    assert viewer.position == (17, 9)
    assert viewer.crosshair.position == (17, 9), "at once, whatever the frame takes"
    np.testing.assert_array_equal(frame(viewer), viewer.signal.data[9, 17])


def test_dragging_goes_along_and_stays_in_the_scan(viewer: Any) -> None:
    ax = viewer.navigator_ax
    mouse(viewer, "motion_notify_event", ax, 30, 20)
    assert viewer.position == (0, 0), "nothing is held"
    mouse(viewer, "button_press_event", ax, 5, 5, button=MouseButton.LEFT)
    for x in range(6, 20):
        mouse(viewer, "motion_notify_event", ax, x, 7, buttons={MouseButton.LEFT})
        assert viewer.position == (x, 7)
    mouse(viewer, "motion_notify_event", ax, 500, -70)
    assert viewer.position == (39, 0)
    mouse(viewer, "button_release_event", ax, 500, -70, button=MouseButton.LEFT)
    mouse(viewer, "motion_notify_event", ax, 3, 3)
    assert viewer.position == (39, 0)
    np.testing.assert_array_equal(frame(viewer), viewer.signal.data[0, 39])


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (["right"], (21, 15)), (["left", "left"], (18, 15)), (["up"], (20, 14)), (["down"], (20, 16)),
        (["shift+right"], (24, 15)), (["shift+up"], (20, 12)), (["left"] * 30, (0, 15)), (["down"] * 30, (20, 29)),
        (["pageup"], (20, 15)),
    ],
)  # fmt: skip
def test_arrows_move_and_stop_at_the_rim(viewer: Any, keys: list[str], place: tuple[int, int]) -> None:
    viewer.position = (20, 15)
    for key in keys:
        press(viewer, key)
    assert viewer.position == place
    np.testing.assert_array_equal(frame(viewer), viewer.signal.data[place[1], place[0]])


def test_up_is_up_where_rows_are_counted_from_the_bottom() -> None:
    signal = l4.Diffraction2D(np.ones((4, 5, 6, 6), "uint16"))
    x, y = signal.axes_manager.navigation_axes
    x.units, y.units = "nm", "s"
    viewer = signal.plot(navigator=np.arange(20.0).reshape(4, 5))
    press(viewer, "up")
    assert viewer.position == (0, 1)
    below = viewer.navigator_ax.transData.transform(viewer.navigator.place_of(0, 0))[1]
    assert viewer.navigator_ax.transData.transform(viewer.navigator.place_of(0, 1))[1] > below
    viewer.close()


def test_a_button_released_outside_the_window_ends_dragging(viewer: Any) -> None:
    ax = viewer.navigator_ax
    mouse(viewer, "button_press_event", ax, 5, 5, button=MouseButton.LEFT)
    mouse(viewer, "motion_notify_event", ax, 8, 7, buttons={MouseButton.LEFT}, guiEvent="of a window")
    assert viewer.position == (8, 7)
    for x in (9, 10):
        mouse(viewer, "motion_notify_event", ax, x, 7, buttons=(), guiEvent="of a window")
    assert viewer.position == (8, 7)


@pytest.mark.parametrize(("key", "is_known"), [("k", False), ("g", False), ("backspace", False), ("p", True)])
def test_matplotlib_keeps_the_keys_of_its_tools_only(key: str, is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(interaction, "key_press_handler", lambda event, *_: seen.append(event.key))
    figure = figures.Figure()
    manager = FigureManagerWebAgg(FigureCanvasWebAggCore(figure), 1)
    interaction.pass_on(KeyEvent("key_press_event", manager.canvas, key))
    assert seen == [key] * is_known


def test_page_keys_move_along_further_axes() -> None:
    signal = l4.Diffraction2D(np.zeros((3, 12, 4, 5, 6, 6), "uint8"))
    viewer = signal.plot(navigator=None)
    for key in ("pageup", "pageup", "pagedown", "shift+pageup"):
        press(viewer, key)
    assert viewer.position == (0, 0, 1, 1)
    viewer.close()


def test_the_spacing_of_colors_changes_in_the_panel_below_the_mouse(fresh: Any) -> None:
    viewer = fresh
    kinds = []
    for _ in range(3):
        press(viewer, "l", viewer.navigator_ax)
        kinds.append(type(viewer.navigator_ax.images[0].norm))
    assert kinds == [LogNorm, PowerNorm, Normalize]
    assert isinstance(viewer.signal_ax.images[0].norm, LogNorm), "that of the other one stays"
    press(viewer, "l")
    assert isinstance(viewer.signal_ax.images[0].norm, PowerNorm), "elsewhere it is the frame's"
    assert len(viewer.signal_ax.images) == 1
    assert len(viewer.signal_ax.child_axes) == 1, "one colour bar, not one for each change"
    assert viewer.footer.right == "power scale"


def test_brackets_and_the_wheel_move_the_percentiles(fresh: Any) -> None:
    viewer = fresh
    image, ax = viewer.navigator_ax.images[0], viewer.navigator_ax
    values = np.arange(1200.0)
    press(viewer, "[", ax)
    press(viewer, "[", ax)
    assert image.norm.vmax == pytest.approx(np.percentile(values, 99.9))
    mouse(viewer, "scroll_event", ax, 5, 5, step=-1)
    assert image.norm.vmax == pytest.approx(np.percentile(values, 99.99))
    press(viewer, "}", ax)
    assert image.norm.vmin == pytest.approx(np.percentile(values, 0.1))
    press(viewer, "{", ax)
    press(viewer, "]", ax)
    assert (image.norm.vmin, image.norm.vmax) == (0, 1199)
    assert viewer.footer.right == "percentiles 0 to 100"


def test_a_click_on_the_frame_reads_that_pixel_out_from_then_on(fresh: Any) -> None:
    viewer = fresh
    click(viewer, viewer.signal_ax, 3.2, 5.1)
    assert viewer.footer.right == "kx 3, ky 5: 44 counts"
    viewer.position = (1, 0)
    frame(viewer)
    assert viewer.footer.right == "kx 3, ky 5: 54 counts"


def test_the_toolbar_tells_place_and_value_below_the_mouse(viewer: Any) -> None:
    assert viewer.navigator_ax.format_coord(3.2, 2.1) == "x 3, y 2: 83"
    assert viewer.signal_ax.format_coord(1.0, 0.0) == "kx 1, ky 0: 2 counts"
    assert viewer.signal_ax.format_coord(-3.0, 0.0) == ""


def test_a_region_is_dragged_and_nothing_else_takes_the_mouse(fresh: Any) -> None:
    roi = l4.CircleROI(3, 3, 2)
    viewer = fresh.signal.plot(navigator=None, rois=roi, size=(3, 3))
    assert viewer.wait(PATIENCE)
    viewer.figure.canvas.draw()
    ax = viewer.signal_ax
    mouse(viewer, "button_press_event", ax, 3, 3, button=MouseButton.LEFT)
    mouse(viewer, "motion_notify_event", ax, 4, 5, buttons={MouseButton.LEFT})
    mouse(viewer, "button_release_event", ax, 4, 5, button=MouseButton.LEFT)
    assert (roi.cx, roi.cy) == (4, 5)
    assert viewer.footer.right == "", "no pixel is read out where a region is taken"
    viewer.close()


def test_all_keys_are_explained(viewer: Any) -> None:
    press(viewer, "?")
    assert "Shift+arrows" in viewer.footer.right
    known = "".join(KEYS)
    assert all(key in known for key in ("l", "[", "]", "{", "}", "h", "a", "n", "m", "?"))


def test_a_chosen_tool_has_the_mouse_for_itself(fresh: Any) -> None:
    viewer = fresh

    class Toolbar:
        mode = "zoom rect"

    class Manager:
        toolbar = Toolbar()

    viewer.figure.canvas.manager = Manager()
    click(viewer, viewer.navigator_ax, 17, 8)
    assert viewer.position == (0, 0)
    Manager.toolbar.mode = ""
    click(viewer, viewer.navigator_ax, 17, 8)
    assert viewer.position == (17, 8)


def test_zooming_gives_a_scale_bar_that_fits(fresh: Any) -> None:
    viewer = fresh
    ax = viewer.navigator_ax
    assert [text.get_text() for text in ax.texts] == ["10 px"]
    ax.set_xlim(9.5, 15.5)
    assert [text.get_text() for text in ax.texts] == ["2 px"]
    viewer.position = (3, 3)
    frame(viewer)
    assert ax.get_xlim() == (9.5, 15.5), "what is shown next does not undo it"


def test_another_size_moves_the_panels_and_keeps_the_margins_for_text(fresh: Any) -> None:
    viewer = fresh
    figure = viewer.figure
    gap = viewer.navigator_ax.get_position(original=True).x0 * figure.get_figwidth()
    figure.set_size_inches(12, 6)
    viewer.arrange()
    assert viewer.navigator_ax.get_position(original=True).x0 * 12 == pytest.approx(gap)
    figure.canvas.draw()
    click(viewer, viewer.navigator_ax, 30, 20)
    assert viewer.position == (30, 20)


# -- a browser --


class Page:
    """The other end of a canvas in a browser."""

    def __init__(self) -> None:
        self.bytes: list[int] = []
        self.asked = False

    def send_json(self, message: dict[str, Any]) -> None:
        self.asked |= message["type"] == "draw"

    def send_binary(self, data: bytes) -> None:
        self.bytes.append(len(data))


def test_a_step_in_a_browser_takes_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_browser(size: Any, title: str) -> Any:
        figure = figures.Figure(figsize=size, dpi=100)
        FigureManagerWebAgg(FigureCanvasWebAggCore(figure), 1)
        return figure, "static"

    monkeypatch.setattr("lazy4d.plot.viewer.viewer.new_figure", in_browser)
    y, x = np.mgrid[-64:64, -64:64]
    pattern = 300 * np.exp(-(np.hypot(y, x) ** 2) / 300)
    values = np.random.default_rng(1).poisson(pattern, (8, 8, 128, 128)).astype("uint16")
    values[..., 64, 64] = 400  # one scale suits all
    viewer = l4.Diffraction2D(values).plot(navigator=np.arange(64.0).reshape(8, 8))
    page, canvas = Page(), viewer.figure.canvas
    canvas.manager.web_sockets.add(page)
    assert viewer.wait(PATIENCE)
    canvas.handle_event({"type": "refresh"})
    canvas.handle_event({"type": "draw"})
    whole = page.bytes[-1]
    page.bytes.clear()
    draws = viewer.loop.painter.full_draws
    for step in range(8):
        viewer.position = (step, 3)
        assert viewer.wait(PATIENCE)
        if page.asked:
            page.asked = False
            canvas.handle_event({"type": "draw"})
    assert page.bytes
    assert max(page.bytes) < 20_000 < whole
    assert viewer.loop.painter.full_draws == draws, "only what changed is drawn"
    viewer.close()
