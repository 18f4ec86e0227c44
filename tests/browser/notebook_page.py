"""A notebook open in JupyterLab in a headless Chromium: run it, touch its figures, time what they do."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.browser.jupyter_server import JupyterServer
from tests.browser.needed import chromium
from tests.browser.running_kernel import RunningKernel
from tests.browser.wire import Wire

FLAGS = [
    "--no-sandbox",  # root, as in containers, has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]

ROUNDED = 3
"""Of 255: how far a colour on the screen may be from the one that was drawn, as pictures travel with a palette."""

KERNEL = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"

ALL_RUN = """() => {
  const cells = window.jupyterapp.shell.currentWidget.context.model.toJSON().cells;
  const code = cells.filter((cell) => cell.cell_type === "code" && cell.source.length);
  const ended = (cell) => cell.metadata.execution?.["shell.execute_reply"];
  const failed = code.some((cell) => cell.outputs.some((output) => output.output_type === "error"));
  return failed || code.every(ended);
}"""
"""Whether each cell of code has been answered by the kernel, or one has failed."""

CANVAS = ".jupyter-matplotlib-canvas-div canvas"
"""Two of each figure: the picture, and above it the one that takes the mouse."""


@contextmanager
def chromium_window(profile: Path, width: int = 1300, height: int = 1400) -> Iterator[Any]:
    """A headless Chromium with an empty profile; its pages note when pixels change."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        window = driver.chromium.launch_persistent_context(
            str(profile),
            executable_path=str(chromium()),
            headless=True,
            args=FLAGS,
            viewport={"width": width, "height": height},
        )
        window.add_init_script(path=str(Path(__file__).with_name("pixel_clock.js")))
        window.set_default_timeout(60_000)
        try:
            yield window
        finally:
            window.close()


@dataclass(frozen=True)
class Change:
    """Milliseconds from the last input to changed pixels: in the canvas, and on the screen with the next frame."""

    drawn: float
    shown: float


class NotebookPage:
    """One notebook of a server, with its kernel: a context manager.

    `console` collects what the page's console and the page itself report as errors; `port` is where to reach the
    server if not at its own, such as that of a slow line.
    """

    def __init__(self, window: Any, server: JupyterServer, notebook: str, port: int | None = None) -> None:
        self.server, self.notebook = server, notebook
        self.wire, self.console = Wire(), list[str]()
        self.page = window.new_page()
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("console", lambda line: self.console.append(line.text) if line.type == "error" else None)
        self.wire.listen(self.page)
        self.page.goto(f"http://127.0.0.1:{port or server.port}/doc/tree/{notebook}?token={server.token}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        self.page.wait_for_function(f"() => {KERNEL}?.status === 'idle'")
        self.number = str(self.page.evaluate(f"() => {KERNEL}.id"))
        self.kernel = RunningKernel(server.connection_file(self.number))

    def __enter__(self) -> NotebookPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.kernel.close()
        self.page.close()
        self.server.get(f"api/kernels/{self.number}", method="DELETE")

    def run_all(self, timeout: float = 180.0) -> None:
        """Run every cell and wait until the last has ended; an error in a cell is raised here."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        try:
            self.page.wait_for_function(ALL_RUN, timeout=timeout * 1000)
        except Exception as error:
            prompts = [cell.get("execution_count") for cell in self._cells() if cell["cell_type"] == "code"]
            raise TimeoutError(f"cells of {self.notebook} still run after {timeout:.0f} s: {prompts}") from error
        for output in self.outputs():
            if output["output_type"] == "error":
                raise RuntimeError(f"a cell of {self.notebook} failed:\n" + "\n".join(output["traceback"]))

    def outputs(self) -> list[dict[str, Any]]:
        """What the cells have put out so far, from the first to the last, as notebooks store it."""
        return [output for cell in self._cells() for output in cell.get("outputs", [])]

    def seconds(self) -> list[float]:
        """How long each cell of code that was run took in the kernel."""
        found = []
        for times in (cell["metadata"].get("execution") for cell in self._cells()):
            if times and "shell.execute_reply" in times:
                start, end = (
                    datetime.fromisoformat(times[name].replace("Z", "+00:00"))
                    for name in ("iopub.status.busy", "shell.execute_reply")
                )
                found.append((end - start).total_seconds())
        return found

    def _cells(self) -> list[dict[str, Any]]:
        model = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.toJSON()")
        return list(model["cells"])

    def figure(self, number: int = 0, timeout: float = 60.0) -> FigureOnPage:
        """Figure of that number, counted from the top of the page, once it is drawn."""
        picture = self.page.locator(CANVAS).nth(2 * number)
        picture.wait_for(state="attached", timeout=timeout * 1000)
        picture.scroll_into_view_if_needed()
        return FigureOnPage(self, number)

    def figures(self) -> int:
        return self.page.locator(CANVAS).count() // 2

    def screenshot(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))
        return path

    def wait_for(self, expression: str, timeout: float = 60.0) -> Any:
        """Wait until the kernel says that an expression is true; give its value."""
        end = time.monotonic() + timeout
        while True:
            value = self.kernel.value(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is still {value!r} after {timeout:.0f} s")
            self.page.wait_for_timeout(20)


class FigureOnPage:
    """A live figure: its pixels as the user sees them, and his mouse.

    Points are pixels of the figure from its upper left corner.
    """

    def __init__(self, notebook: NotebookPage, number: int) -> None:
        self.notebook, self.page, self.mouse = notebook, notebook.page, notebook.page.mouse
        self._picture = self.page.locator(CANVAS).nth(2 * number)
        self.handle = self._picture.element_handle()

    @property
    def corner(self) -> tuple[float, float]:
        box = self._picture.bounding_box()
        if box is None:
            raise LookupError("the figure is not on the page any more")
        return box["x"], box["y"]

    def pixels(self) -> np.ndarray:
        """Red, green, blue, alpha of the displayed figure: uint8 [rows, columns, 4]."""
        from PIL import Image

        url = self.handle.evaluate("(canvas) => canvas.toDataURL('image/png')")
        png = base64.b64decode(url.partition(",")[2])
        with Image.open(io.BytesIO(png)) as image:
            return np.asarray(image.convert("RGBA"))

    def box_of(self, axes: str, margin: float = 0.0) -> tuple[int, int, int, int]:
        """Left, top, width and height of axes, by the kernel's name of them, `margin` pixels smaller on each side."""
        left, bottom, width, height, figure = self.notebook.kernel.value(
            f"[*{axes}.get_window_extent().bounds, {axes}.figure.bbox.height]"
        )
        top = figure - bottom - height
        return (
            round(left + margin),
            round(top + margin),
            round(width - 2 * margin),
            round(height - 2 * margin),
        )

    def whole(self) -> tuple[int, int, int, int]:
        """The box of all of the figure."""
        width, height = self.handle.evaluate("(canvas) => [canvas.width, canvas.height]")
        return 0, 0, int(width), int(height)

    def point(self, axes: str, x: float, y: float) -> tuple[float, float]:
        """The point of the figure where data coordinates of axes lie."""
        right, up, figure = self.notebook.kernel.value(
            f"[*{axes}.transData.transform(({x!r}, {y!r})), {axes}.figure.bbox.height]"
        )
        return right, figure - up

    def move(self, point: tuple[float, float]) -> None:
        left, top = self.corner
        self.mouse.move(left + point[0], top + point[1])

    def click(self, point: tuple[float, float]) -> None:
        self.move(point)
        self.mouse.down()
        self.mouse.up()

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 5) -> None:
        """Press at `start`, travel in even steps, release at `end`."""
        self.move(start)
        self.mouse.down()
        for k in range(1, steps + 1):
            self.move(tuple(a + (b - a) * k / steps for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
        self.mouse.up()

    def wrong_pixels(self, viewer: str, patience: float = 5.0) -> int:
        """Pixels on the screen that are not those matplotlib drew in the kernel, once pictures had time to arrive.

        Colours may be rounded for the journey, by 3 of 255.
        """
        end = time.monotonic() + patience
        while True:
            drawn = self.notebook.kernel.value(f"np.asarray({viewer}.figure.canvas.get_renderer().buffer_rgba())")
            off = np.abs(self.pixels().astype(int) - drawn)
            wrong = int((off > ROUNDED).any(axis=-1).sum())
            if not wrong or time.monotonic() > end:
                return wrong
            self.page.wait_for_timeout(100)

    def watch(self, box: tuple[int, int, int, int]) -> None:
        """Note from now on when pixels of this box of the figure change."""
        self.handle.evaluate("(canvas, box) => window.pixelClock.watch(canvas, box)", list(box))

    def arm(self) -> None:
        """Forget the changes so far."""
        self.page.evaluate("() => window.pixelClock.arm()")

    def next_change(self, timeout: float = 10.0) -> Change | None:
        """The first change since `arm`, waited for; None where nothing changed."""
        change = self.page.evaluate("(ms) => window.pixelClock.next(ms)", timeout * 1000)
        return None if change is None else Change(change["drawn"], change["shown"])

    def settle(self, quiet: float = 0.5, timeout: float = 60.0) -> Change | None:
        """Wait until nothing has changed for `quiet` seconds; the last change since `arm`."""
        end, last, seen = time.monotonic() + timeout, None, -1
        while time.monotonic() < end:
            count = self.page.evaluate("() => window.pixelClock.changes.length")
            if count == seen:
                return last
            seen = count
            if count:
                change = self.page.evaluate("() => window.pixelClock.changes.at(-1)")
                last = Change(change["drawn"], change["shown"])
            self.page.wait_for_timeout(quiet * 1000)
        raise TimeoutError(f"the figure still changes after {timeout:.0f} s")
