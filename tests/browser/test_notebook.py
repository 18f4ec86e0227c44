"""The example notebook as a user has it: run in JupyterLab, and every figure of it touched with the mouse."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook_page import ROUNDED, FigureOnPage, NotebookPage

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "look_at_a_scan.ipynb"
VIEWER, IMAGES, COLORS, PATTERNS, PREVIEW, CHECKED = range(6)
FRAME = (128, 128)
SCAN = (48, 72)


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(os.environ.get("LAZY4D_BROWSER_ARTEFACTS", tmp_path_factory.mktemp("artefacts")))


@pytest.fixture(scope="module")
def notebook(server: JupyterServer, window: Any, artefacts: Path) -> Iterator[NotebookPage]:
    """The notebook, all of it run but the last cell, which closes the figures."""
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    closing = content["cells"].pop()
    assert ".close()" in "".join(closing["source"])
    (server.notebooks / NOTEBOOK.name).write_text(json.dumps(content), encoding="utf-8")
    with NotebookPage(window, server, NOTEBOOK.name) as page:
        page.run_all(timeout=300)
        page.kernel.run("import numpy as np")
        page.screenshot(artefacts / "notebook-end.png")
        yield page


@pytest.fixture(scope="module")
def recorded(notebook: NotebookPage) -> np.ndarray:
    """The frames as they are in the file, read without the library: uint16 [y, x, ky, kx]."""
    path = Path(notebook.kernel.value("str(path)"))
    record = np.dtype([("header", "V384"), ("frame", ">u2", FRAME)])
    return np.fromfile(path, record)["frame"].reshape(*SCAN, *FRAME).astype("u2")


def ax_titled(viewer: str, title: str) -> str:
    """An expression for the axes of the panel with a title, which may tell a share too."""
    return f"next(panel.ax for panel in {viewer}.panels if panel.title.startswith({title!r}))"


def colors_on_screen(figure: FigureOnPage, ax: str, shape: tuple[int, int]) -> np.ndarray:
    """Colours at the centres of the pixels of an image that fills axes: uint8 [rows, columns, 4]."""
    left, top, width, height = figure.notebook.kernel.value(
        f"[(lambda b, h: (b.x0, h - b.y1, b.width, b.height))({ax}.get_window_extent(), {ax}.figure.bbox.height)][0]"
    )
    rows, columns = shape
    y = (top + (np.arange(rows) + 0.5) * height / rows).astype(int)
    x = (left + (np.arange(columns) + 0.5) * width / columns).astype(int)
    return figure.pixels()[np.ix_(y, x)]


def test_a_click_in_the_navigator_shows_the_frame_of_that_position(
    notebook: NotebookPage, recorded: np.ndarray, artefacts: Path
) -> None:
    figure = notebook.figure(VIEWER)
    figure.watch(figure.box_of("viewer.signal_ax", margin=3))
    figure.settle()
    notebook.screenshot(artefacts / "navigator-before.png")
    figure.arm()
    figure.click(figure.point("viewer.navigator_ax", 12, 30))
    assert figure.next_change() is not None
    figure.settle()
    notebook.screenshot(artefacts / "navigator-after.png")
    assert notebook.kernel.value("s.axes_manager.indices") == [12, 30]
    shown = notebook.kernel.value("np.asarray(viewer.signal_ax.images[0].get_array())")
    np.testing.assert_array_equal(shown, recorded[30, 12])

    expected = notebook.kernel.value("viewer.signal_ax.images[0].to_rgba(s.inav[12, 30].as_numpy(), bytes=True)")
    on_screen = colors_on_screen(figure, "viewer.signal_ax", FRAME)
    free = np.s_[: FRAME[0] * 3 // 4]  # above the scale bar
    off = np.abs(on_screen[free].astype(int) - expected[free]).max(axis=-1)
    assert (off <= ROUNDED).mean() > 0.98
    assert figure.wrong_pixels("viewer") == 0


def test_arrow_keys_move_by_one_and_with_shift_by_more(notebook: NotebookPage, recorded: np.ndarray) -> None:
    figure = notebook.figure(VIEWER)
    figure.click(figure.point("viewer.navigator_ax", 20, 20))
    notebook.wait_for("s.axes_manager.indices == (20, 20)")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        figure.page.keyboard.press(key)
    notebook.wait_for("s.axes_manager.indices == (22, 21)")
    figure.page.keyboard.press("Shift+ArrowLeft")
    notebook.wait_for("s.axes_manager.indices[0] < 21")
    notebook.wait_for("not viewer.controller.busy")
    figure.settle()
    x, y = notebook.kernel.value("s.axes_manager.indices")
    shown = notebook.kernel.value("np.asarray(viewer.signal_ax.images[0].get_array())")
    np.testing.assert_array_equal(shown, recorded[y, x])


def test_after_a_quick_drag_the_screen_shows_the_last_position(notebook: NotebookPage, recorded: np.ndarray) -> None:
    figure = notebook.figure(VIEWER)
    figure.watch(figure.box_of("viewer.signal_ax", margin=3))
    start, end = (figure.point("viewer.navigator_ax", *place) for place in ((5, 5), (65, 40)))
    figure.drag(start, end, steps=60)
    notebook.wait_for("s.axes_manager.indices == (65, 40)", timeout=20)
    notebook.wait_for("not viewer.controller.busy")
    figure.settle()
    shown = notebook.kernel.value("np.asarray(viewer.signal_ax.images[0].get_array())")
    np.testing.assert_array_equal(shown, recorded[40, 65])
    assert figure.wrong_pixels("viewer") == 0
    assert notebook.kernel.value("checked.position") == [65, 40]  # another plot of the same signal follows


def test_dragging_a_detector_changes_its_image(notebook: NotebookPage, recorded: np.ndarray, artefacts: Path) -> None:
    figure = notebook.figure(IMAGES)
    image_ax = ax_titled("images", "bright field")
    figure.watch(figure.box_of(image_ax, margin=3))
    figure.settle()
    notebook.screenshot(artefacts / "detector-before.png")
    start = figure.point("images.panels[0].ax", 64, 64)
    end = figure.point("images.panels[0].ax", 80, 56)
    figure.move(start)
    figure.mouse.down()
    figure.arm()
    figure.move(tuple((a + b) / 2 for a, b in zip(start, end, strict=True)))
    assert figure.next_change() is not None  # while the mouse is down
    figure.move(end)
    figure.mouse.up()
    notebook.wait_for("not images.controller.busy")
    figure.settle()
    notebook.screenshot(artefacts / "detector-after.png")
    scale = 0.04
    x, y, r = notebook.kernel.value("[detectors['bright field'].cx, detectors['bright field'].cy, 0.3]")
    assert (x / scale, y / scale) == pytest.approx((16, -8), abs=1.5)
    rows, columns = np.indices(FRAME) - 64
    mask = np.hypot(columns * scale - x, rows * scale - y) < r
    expected = recorded[:, :, mask].sum(axis=-1, dtype="u8")
    np.testing.assert_array_equal(notebook.kernel.value("images.images['bright field'].as_numpy()"), expected)
    shown = notebook.kernel.value(f"np.asarray({image_ax}.images[0].get_array())")
    np.testing.assert_array_equal(shown, expected)
    assert figure.wrong_pixels("images") == 0


def test_dragging_a_region_changes_its_pattern(notebook: NotebookPage, recorded: np.ndarray, artefacts: Path) -> None:
    figure = notebook.figure(PATTERNS)
    pattern_ax = ax_titled("patterns", "left")
    figure.watch(figure.box_of(pattern_ax, margin=3))
    figure.settle()
    figure.arm()
    figure.drag(figure.point("patterns.panels[-1].ax", 12, 20), figure.point("patterns.panels[-1].ax", 30, 12))
    assert figure.next_change() is not None
    notebook.wait_for("not patterns.controller.busy")
    figure.settle()
    notebook.screenshot(artefacts / "region-after.png")
    left, top, right, bottom = notebook.kernel.value(
        "(lambda r: [r.left, r.top, r.right, r.bottom])(s.regions['left'])"
    )
    assert left > 25  # nm; the region that is kept with the signal has moved
    y, x = (1.5 * np.arange(n) for n in SCAN)
    inside = recorded[(top <= y) & (y < bottom)][:, (left <= x) & (x < right)]
    assert inside.size
    np.testing.assert_allclose(
        notebook.kernel.value("patterns.patterns['left'].as_numpy()"), inside.mean(axis=(0, 1)), rtol=1e-12
    )


def test_a_slider_of_the_preview_changes_the_result(notebook: NotebookPage, artefacts: Path) -> None:
    figure = notebook.figure(PREVIEW)
    figure.watch(figure.whole())
    figure.settle()
    notebook.screenshot(artefacts / "preview-before.png")
    before = notebook.kernel.value("[preview.parameters['threshold_abs'], preview.result.ragged.total]")
    label = figure.page.locator(".widget-label", has_text="threshold_abs")
    handle = label.locator("xpath=..").locator(".noUi-handle").first
    handle.focus()
    figure.arm()
    for _ in range(4):
        handle.press("PageUp")
    assert figure.next_change() is not None
    notebook.wait_for("preview.wait(30)")
    figure.settle()
    notebook.screenshot(artefacts / "preview-after.png")
    after = notebook.kernel.value("[preview.parameters['threshold_abs'], preview.result.ragged.total]")
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert f"threshold_abs={after[0]}" in notebook.kernel.value("preview.code")
    alone = notebook.kernel.value(
        "s.get_diffraction_vectors(**preview.parameters).inav[preview.position].compute().ragged.total"
    )
    assert alone == after[1]


def test_nothing_is_left_when_the_figures_are_closed(notebook: NotebookPage, artefacts: Path) -> None:
    assert not notebook.console
    closing = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"][-1]["source"]
    notebook.kernel.run("".join(closing))
    assert notebook.kernel.value("viewer.controller.closed")
    notebook.screenshot(artefacts / "closed.png")
