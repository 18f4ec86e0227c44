"""Between background work and the canvas: what is drawn again, what a browser is sent, and in which thread."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore, FigureManagerWebAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from lazy4d.plot.viewer.browser_pictures import difference_png
from lazy4d.plot.viewer.canvas_loop import CanvasLoop
from lazy4d.plot.viewer.wakeup import TimerWakeup


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(figure.canvas.buffer_rgba()).copy()


def two_panels() -> tuple[Figure, CanvasLoop, list[Any], list[Any]]:
    """Two axes, each a part with an image below and a line above."""
    figure = Figure(figsize=(4, 2), dpi=50)
    FigureCanvasAgg(figure)
    loop = CanvasLoop(figure, lambda: False)
    parts, artists = [], []
    for left in (0.0, 0.5):
        ax = figure.add_axes((left + 0.05, 0.1, 0.4, 0.8))
        image = ax.imshow(np.arange(12.0).reshape(3, 4))
        ax.set(xticks=[], yticks=[])
        line = ax.axvline(1.0, color="red", linewidth=2, zorder=6)
        region = Bbox.from_bounds(left, 0, 0.5, 1)
        parts.append(loop.add_part(region, [image, *ax.spines.values()], [line]))
        artists.append((image, line))
    return figure, loop, parts, artists


@pytest.mark.parametrize("layer", [0, 1])
def test_a_part_drawn_alone_looks_as_if_everything_had_been_drawn(layer: int) -> None:
    figure, loop, parts, artists = two_panels()
    loop.flush()
    before = pixels(figure)
    image, line = artists[1]
    if layer == 0:
        image.set_data(np.arange(12.0)[::-1].reshape(3, 4))
    else:
        line.set_xdata([2.5, 2.5])
    parts[1].changed(layer)
    loop.flush()
    alone = pixels(figure)
    assert loop.painter.full_draws == 1
    assert (alone != before).any()
    loop.redraw()
    loop.flush()
    assert loop.painter.full_draws == 2
    np.testing.assert_array_equal(alone, pixels(figure))


def test_only_the_part_that_changed_is_drawn() -> None:
    figure, loop, parts, artists = two_panels()
    loop.flush()
    before = pixels(figure)
    for image, line in artists:
        image.set_data(np.zeros((3, 4)))
        line.set_xdata([0, 0])
    parts[0].changed(1)  # of the left one its upper layer alone
    loop.flush()
    now = pixels(figure)
    np.testing.assert_array_equal(now[:, 100:], before[:, 100:])
    assert (now[:, :100] != before[:, :100]).any()
    colors = now[:, :100].reshape(-1, 4)
    assert np.unique(colors, axis=0).shape[0] > 10, "the image below the line is the one that was drawn before"


def test_what_changes_outside_the_parts_has_everything_drawn() -> None:
    figure, loop, _, _ = two_panels()
    loop.flush()
    loop.flush()
    assert loop.painter.full_draws == 1
    figure.axes[0].set_title("another")
    loop.flush()
    assert loop.painter.full_draws == 2


def test_a_saved_figure_holds_the_parts_and_the_screen_stays_right() -> None:
    figure, loop, parts, artists = two_panels()
    loop.flush()
    shown = pixels(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi="figure")
    saved = np.asarray(Image.open(buffer))
    assert np.abs(saved.astype(int) - shown).max() <= 1
    artists[0][1].set_xdata([2.5, 2.5])
    parts[0].changed(1)
    loop.flush()
    red = (pixels(figure)[:, :100, :3] == (255, 0, 0)).all(-1)
    assert np.flatnonzero(red.any(0)).size <= 3, "one line, not two"


def test_artists_come_to_parts_and_go() -> None:
    figure, loop, parts, _ = two_panels()
    loop.flush()
    before = pixels(figure)
    text = figure.axes[0].text(0.5, 0.5, "here", transform=figure.axes[0].transAxes)
    parts[0].add(text)
    loop.flush()
    assert (pixels(figure) != before).any()
    parts[0].remove(text)
    loop.flush()
    np.testing.assert_array_equal(pixels(figure), before)
    assert text not in figure.axes[0].texts


# -- news from other threads --


def test_wait_fetches_in_its_own_thread_until_nothing_is_to_come() -> None:
    figure = FigureCanvasAgg(Figure()).figure
    threads, left = [], [3]

    def drain() -> bool:
        threads.append(threading.current_thread())
        left[0] -= 1
        threading.Thread(target=loop.notify).start()
        return left[0] > 0

    loop = CanvasLoop(figure, drain)
    assert loop.wait(30)
    assert threads == [threading.current_thread()] * 3
    left[0] = 10**9
    assert not loop.wait(0.05), "there is always more"


def test_a_closed_loop_does_nothing() -> None:
    closed = []
    figure = FigureCanvasAgg(Figure()).figure
    loop = CanvasLoop(figure, lambda: True, lambda: closed.append(1))
    loop.close()
    loop.close()
    assert closed == [1]
    assert loop.wait(30)
    loop.flush()
    assert loop.is_closed


class Timer:
    """A timer of a window, which ticks when the test says so."""

    def __init__(self) -> None:
        self.running, self.callbacks = False, []

    def add_callback(self, function: Any) -> None:
        self.callbacks.append(function)

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def tick(self) -> None:
        assert self.running
        for function in self.callbacks:
            function()


class Window:
    def __init__(self) -> None:
        self.timer = Timer()

    def new_timer(self, interval: int) -> Timer:
        return self.timer


def test_the_timer_of_a_window_runs_only_while_something_is_under_way() -> None:
    window, more, runs = Window(), [True], []
    wakeup = TimerWakeup(lambda: runs.append(1) or more[0], window)
    timer = window.timer
    assert not timer.running
    wakeup.wake()
    for _ in range(5):
        timer.tick()
    assert timer.running
    assert len(runs) == 5
    more[0] = False
    for _ in range(3):
        timer.tick()
    assert not timer.running
    wakeup.notify()  # by code that runs in the window's thread, such as a change of the axes' indices
    assert timer.running
    timer.tick()
    wakeup.close()
    assert not timer.running
    wakeup.wake()
    assert not timer.running


# -- browsers --


class Browser:
    """A browser that shows what it is sent, as matplotlib's own script does."""

    def __init__(self, canvas: Any) -> None:
        self.canvas, self.pictures, self.asked = canvas, [], 0
        self.shown: np.ndarray | None = None
        self.mode = "full"

    def send_json(self, message: dict[str, Any]) -> None:
        if message["type"] == "draw":
            self.asked += 1
        elif message["type"] == "image_mode":
            self.mode = message["mode"]

    def send_binary(self, data: bytes) -> None:
        self.pictures.append(len(data))
        picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
        if self.mode == "full" or self.shown is None:
            self.shown = picture.copy()
        else:
            rows, columns = picture.shape[:2]
            seen = picture[..., 3] > 0
            self.shown[:rows, :columns][seen] = picture[seen]

    def answer(self) -> None:
        """Say that it is ready for the next picture."""
        self.asked -= 1
        self.canvas.handle_event({"type": "draw"})


def in_browser() -> tuple[Any, Browser, Any, Any]:
    figure = Figure(figsize=(4, 2), dpi=50)
    canvas = FigureCanvasWebAggCore(figure)
    manager = FigureManagerWebAgg(canvas, 1)
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    line = ax.axvline(0.2, color="red", linewidth=2)
    image = ax.imshow(np.arange(12.0).reshape(3, 4))
    loop = CanvasLoop(figure, lambda: False)
    part = loop.add_part(ax, [image], [line])
    browser = Browser(canvas)
    manager.web_sockets.add(browser)
    return loop, browser, part, line


def test_a_browser_sees_exactly_what_was_drawn() -> None:
    loop, browser, part, line = in_browser()
    loop.flush()
    for place in (1.0, 2.0, 3.3):
        line.set_xdata([place, place])
        part.changed(1)
        loop.flush()
        while browser.asked:
            browser.answer()
        difference = np.abs(browser.shown.astype(int) - pixels(loop.figure))
        assert difference.max() <= 3
    assert len(browser.pictures) >= 3
    assert max(browser.pictures[1:]) < 2500, "a line that moved is a few hundred bytes"


def test_nothing_is_sent_to_a_browser_that_has_not_shown_the_last_picture() -> None:
    loop, browser, part, line = in_browser()
    loop.flush()
    sent = len(browser.pictures)
    for place in np.linspace(0, 3, 20):  # faster than any line
        line.set_xdata([place, place])
        part.changed(1)
        loop.flush()
    assert len(browser.pictures) <= sent + 1
    assert browser.asked == 1, "asked once whether it is ready"
    browser.answer()
    np.testing.assert_allclose(browser.shown.astype(int), pixels(loop.figure), atol=3)
    assert not loop.painter.is_changed


def test_a_browser_that_asks_gets_a_picture_even_if_nothing_changed() -> None:
    loop, browser, _, _ = in_browser()
    loop.flush()
    sent = len(browser.pictures)
    browser.answer()
    assert len(browser.pictures) == sent + 1


def test_a_closed_loop_leaves_the_canvas_as_matplotlib_made_it() -> None:
    loop, browser, _, _ = in_browser()
    canvas = loop.figure.canvas
    assert "handle_draw" in canvas.__dict__
    loop.close()
    assert not {"handle_draw", "get_diff_image"} & set(canvas.__dict__)
    browser.answer()
    assert browser.pictures


def test_news_reach_the_event_loop_of_a_server() -> None:
    """As in the kernel of a notebook: fetched in the loop's thread, once for many notes."""

    async def serve() -> list[Any]:
        figure = Figure()
        canvas = FigureCanvasWebAggCore(figure)
        FigureManagerWebAgg(canvas, 1)
        calls: list[Any] = []
        done = asyncio.Event()

        def drain() -> bool:
            calls.append(threading.current_thread())
            done.set()
            return False

        loop = CanvasLoop(figure, drain)
        loop.wake()

        def report() -> None:
            for _ in range(50):
                loop.notify()

        thread = threading.Thread(target=report)
        thread.start()
        thread.join()
        await asyncio.wait_for(done.wait(), 30)
        loop.close()
        return calls

    calls = asyncio.run(serve())
    assert set(calls) == {threading.current_thread()}
    assert len(calls) <= 3


# -- pictures of differences --


def packed(rgb: np.ndarray) -> np.ndarray:
    """Pixels as a canvas holds them."""
    opaque = np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], -1)
    return np.ascontiguousarray(opaque).view(np.uint32)[..., 0]


@pytest.mark.parametrize(("colors", "most"), [(200, 0), (4000, 3)])
def test_a_difference_makes_the_new_picture_of_the_old(colors: int, most: int) -> None:
    rng = np.random.default_rng(1)
    table = rng.integers(0, 256, (colors, 3)).astype(np.uint8)
    if most:  # many colours that lie close together, as on the rims of letters
        table = (table // 64 * 64) + rng.integers(0, 4, (colors, 3)).astype(np.uint8)
    before = table[rng.integers(0, colors, (60, 80))]
    now = before.copy()
    now[10:40, 20:50] = table[rng.integers(0, colors, (30, 30))]
    png = Image.open(io.BytesIO(difference_png(packed(now), packed(before))))
    assert png.size == (50, 40), "it ends where the changes end"
    assert png.mode == "P"
    picture = np.asarray(png.convert("RGBA"))
    seen = picture[..., 3] > 0
    np.testing.assert_array_equal(seen, (now != before).any(-1)[:40, :50])
    result = before.copy()
    result[:40, :50][seen] = picture[seen][:, :3]
    assert np.abs(result.astype(int) - now).max() <= most


def test_black_and_white_stay_what_they_are_among_many_colors() -> None:
    rng = np.random.default_rng(2)
    before = np.full((40, 40, 3), 128, np.uint8)
    now = (rng.integers(0, 4, before.shape) * 64 + rng.integers(0, 4, before.shape)).astype(np.uint8)
    now[0], now[1] = 255, 0
    picture = np.asarray(Image.open(io.BytesIO(difference_png(packed(now), packed(before)))).convert("RGB"))
    assert (picture[0] == 255).all()
    assert (picture[1] == 0).all()


def test_more_colors_than_a_palette_holds_are_sent_as_they_are() -> None:
    rng = np.random.default_rng(3)
    before = np.zeros((40, 40, 3), np.uint8)
    now = rng.integers(1, 256, before.shape).astype(np.uint8)
    png = Image.open(io.BytesIO(difference_png(packed(now), packed(before))))
    np.testing.assert_array_equal(np.asarray(png.convert("RGB")), now)


def test_no_difference_is_a_picture_of_nothing() -> None:
    same = np.zeros((4, 4), np.uint32)
    assert np.asarray(Image.open(io.BytesIO(difference_png(same, same))))[..., 3].max() == 0
