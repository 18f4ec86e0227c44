"""The same in JupyterLab in a headless Chromium: from the mouse event to changed pixels on the screen, and bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.browser.jupyter_server import JupyterServer
from tests.browser.needed import missing
from tests.browser.notebook_page import FigureOnPage, NotebookPage, chromium_window

Point = tuple[float, float]


@contextmanager
def notebooks(folder: Path) -> Iterator[Any]:
    """A function that opens a notebook of given cells in a new browser, at a server of its own."""
    import nbformat

    reason = missing()
    if reason:
        raise RuntimeError(reason)
    with tempfile.TemporaryDirectory(prefix="lazy4d-browser-", dir=folder) as temporary:
        here = Path(temporary)
        server = JupyterServer(here / "jupyter", {"LAZY4D_CACHE": str(here / "cache")})
        try:
            with chromium_window(here / "profile") as window:

                def opened(name: str, *cells: str) -> NotebookPage:
                    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
                    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
                    notebook = nbformat.v4.new_notebook(cells=code, metadata=kernel)
                    nbformat.write(notebook, server.notebooks / f"{name}.ipynb")
                    return NotebookPage(window, server, f"{name}.ipynb")

                yield opened
        finally:
            server.stop()


def timed_moves(figure: FigureOnPage, points: Iterable[Point], patience: float = 5.0) -> dict[str, Any]:
    """Move the mouse from point to point, each after the pixels watched have answered to the one before.

    Returns
    -------
    dict
        ``seconds`` of each answer, from the mouse event to the frame that shows it; ``unanswered``, how many moves
        changed nothing; ``bytes`` received for each answer, until nothing changed any more.
    """
    wire, seconds, unanswered = figure.notebook.wire, list[float](), 0
    figure.settle()
    wire.reset()
    for point in points:
        figure.arm()
        figure.move(point)
        change = figure.next_change(patience)
        if change is None:
            unanswered += 1
            if unanswered > 4 and unanswered > len(seconds):
                raise AssertionError(f"the pixels do not answer to the mouse: {unanswered} of {unanswered} moves")
        else:
            seconds.append(change.shown / 1e3)
    figure.settle()
    return {"seconds": seconds, "unanswered": unanswered, "bytes": wire.received / max(1, len(seconds))}


def check_screen(figure: FigureOnPage, viewer: str) -> None:
    """Raise where the screen shows anything else than what the kernel drew."""
    wrong = figure.wrong_pixels(viewer)
    if wrong:
        raise AssertionError(f"{wrong} pixels on the screen are not those that were drawn")


def percentiles(seconds: list[float]) -> tuple[float, float, float]:
    """Median, 95th percentile and the largest."""
    return float(np.percentile(seconds, 50)), float(np.percentile(seconds, 95)), max(seconds)


LOOK = """
%matplotlib widget
import numpy as np

import lazy4d as l4
"""


def measure(folder: Path, path: Path, steps: int) -> dict[str, Any]:
    """First picture, navigation steps, drags of a detector and moves of a slider, as a user sees them."""
    found: dict[str, Any] = {}
    with notebooks(folder) as opened:
        with opened("plot", LOOK, f"s = l4.load({str(path)!r})\nviewer = s.plot()") as notebook:
            notebook.run_all()
            figure = notebook.figure()
            found["cells"] = notebook.seconds()
            found["first kB"] = notebook.wire.largest / 1e3
            notebook.wait_for("viewer.controller.navigator.share > 0")
            found["navigate"] = _navigated(figure, steps)
            found["memory"] = notebook.kernel.value("__import__('lazy4d.lazy.memory').lazy.memory.memory_use()")
        cell = f"s = l4.load({str(path)!r})\nroi = l4.CircleROI(128.0, 128.0, 20.0)\nviewer = s.plot_virtual_image(roi)"
        with opened("detector", LOOK, cell) as notebook:
            notebook.run_all()
            found["drag"] = _dragged(notebook.figure(), steps)
        call = "s.preview('get_diffraction_vectors', (3, 2), disk_r=9, threshold_abs=0.4)"
        cell = f"s = l4.load({str(path)!r})\npreview = {call}\npreview"
        with opened("preview", LOOK, cell) as notebook:
            notebook.run_all()
            found["slide"] = _slid(notebook.figure(), steps)
    return found


def _navigated(figure: FigureOnPage, steps: int) -> dict[str, Any]:
    columns, rows = figure.notebook.kernel.value("s.axes_manager.navigation_shape")
    corner, opposite = (figure.point("viewer.navigator_ax", *place) for place in ((0, 0), (columns - 1, rows - 1)))
    random = np.random.default_rng(6)
    places = [(int(random.integers(columns)), int(random.integers(rows))) for _ in range(steps)]
    points = [
        (
            corner[0] + (opposite[0] - corner[0]) * x / (columns - 1),
            corner[1] + (opposite[1] - corner[1]) * y / (rows - 1),
        )
        for x, y in places
    ]
    figure.watch(figure.box_of("viewer.signal_ax", margin=3))
    figure.move(points[-1])
    figure.mouse.down()
    found = timed_moves(figure, points)
    figure.mouse.up()
    figure.settle()
    if tuple(figure.notebook.kernel.value("viewer.controller.position")) != places[-1]:
        raise AssertionError("the viewer does not stand where the mouse went")
    right = "np.array_equal(viewer.signal_ax.images[0].get_array(), s.inav[viewer.controller.position].as_numpy())"
    if not figure.notebook.kernel.value(right):
        raise AssertionError("the frame that is shown is not that of its position")
    check_screen(figure, "viewer")
    return found


def _dragged(figure: FigureOnPage, steps: int) -> dict[str, Any]:
    notebook = figure.notebook
    notebook.wait_for("viewer.controller.detectors.measured('detector') is not None")
    figure.watch(figure.box_of("viewer.panels[1].ax", margin=3))
    middle = figure.point("viewer.panels[0].ax", 128, 128)
    edge = figure.point("viewer.panels[0].ax", 168, 128)
    reach = edge[0] - middle[0]
    turns = 2 * np.pi * np.arange(1, steps + 1) / 40
    points = [(middle[0] + reach * np.sin(t), middle[1] + 0.6 * reach * np.sin(2 * t + 0.3)) for t in turns]
    figure.move(middle)
    figure.mouse.down()
    found = timed_moves(figure, points)
    figure.mouse.up()
    if notebook.kernel.value("(roi.cx - 128) ** 2 + (roi.cy - 128) ** 2") == 0:
        raise AssertionError("the detector has not moved")
    notebook.wait_for("not viewer.controller.busy", timeout=600)
    figure.settle()
    if not notebook.kernel.value(
        "np.array_equal(viewer.images['detector'].as_numpy(), s.get_virtual_image(roi).as_numpy())", timeout=600
    ):
        raise AssertionError("the image at rest is not that of the detector")
    check_screen(figure, "viewer")
    return found


def _slid(figure: FigureOnPage, steps: int) -> dict[str, Any]:
    """Keys pressed on the slider of a threshold: the line at the threshold moves with each."""
    label = figure.page.locator(".widget-label", has_text="threshold_abs")
    handle = label.locator("xpath=..").locator(".noUi-handle").first
    handle.focus()
    figure.watch(figure.whole())
    figure.settle()
    wire = figure.notebook.wire
    wire.reset()
    seconds = []
    for k in range(min(steps, 60)):
        figure.arm()
        figure.page.keyboard.press("ArrowRight" if k % 20 < 10 else "ArrowLeft")
        change = figure.next_change(5.0)
        if change is not None:
            seconds.append(change.shown / 1e3)
        elif k > 4 and not seconds:
            raise AssertionError("the pixels do not answer to the slider")
    figure.settle()
    same = (
        "preview.wait(60) and preview.result.ragged.total == "
        "s.get_diffraction_vectors(**preview.parameters).inav[preview.position].compute().ragged.total"
    )
    if not figure.notebook.kernel.value(same):
        raise AssertionError("the preview shows another result than the method gives")
    return {
        "seconds": seconds,
        "unanswered": min(steps, 60) - len(seconds),
        "bytes": wire.received / max(1, len(seconds)),
    }
