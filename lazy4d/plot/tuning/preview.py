"""`Preview`: a method tried on a frame, with sliders beside it, and the call for the whole scan."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazy4d.plot.tuning.controller import Tuned, TuningController
from lazy4d.plot.tuning.figure_sliders import PANEL_WIDTH, FigureSliders, panel_height
from lazy4d.plot.tuning.picture_grid import PictureGrid, grid_size
from lazy4d.plot.tuning.views import rows_of
from lazy4d.plot.viewer.canvas_loop import CanvasLoop
from lazy4d.plot.viewer.figures import STATIC, WINDOW, kind_of_backend, new_figure
from lazy4d.plot.viewer.interaction import pass_on, silence

if TYPE_CHECKING:
    from lazy4d.plot.tuning.widgets import ControlPanel
    from lazy4d.signals import BaseSignal

WIDTH = 7.4
"""Inches of the pictures of one frame: what a notebook has room for beside the controls."""


class Preview:
    """A method of a signal on one of its frames while its parameters are tuned; made by ``signal.preview``.

    In a notebook sliders stand beside the picture, in a window they are part of it; elsewhere `set` does the same.

    Parameters
    ----------
    signal : BaseSignal
        A scan, or a single frame.
    name : str
        Of the method.
    position : tuple, optional
        (x, y) as between the brackets of ``inav``; by default the one that the axes show.
    positions : sequence of tuple, optional
        Instead: up to 4, side by side.
    **initial
        Parameters to begin with.

    Raises
    ------
    ValueError
        A method that cannot be tuned by eye, a position that is none, or a value that a parameter cannot have.
    TypeError
        A parameter that the method does not have, or one missing that has no slider.

    Examples
    --------
    >>> preview = Preview(d, "get_diffraction_vectors", (1, 2), disk_r=3)
    >>> preview.set(threshold_abs=0.4)
    >>> preview.code
    's.get_diffraction_vectors(disk_r=3, threshold_abs=0.4)'
    >>> preview.result.ragged.total, preview.apply().lazy
    (1, True)
    >>> preview.close()
    """

    def __init__(
        self,
        signal: BaseSignal,
        name: str,
        /,
        position: Any = None,
        *,
        positions: Sequence[Any] | None = None,
        **initial: Any,
    ) -> None:
        self.controller = TuningController(signal, name, position, positions=positions, **initial)
        self._closed = False
        self._panel: ControlPanel | None = None
        self._failed: Exception | None = None
        self._sums: dict[str, Any] = {}
        first = self._first()
        rows = rows_of(first, self.controller.method.look) if first else []
        size = grid_size(rows, WIDTH) if rows else (8.0, 4.0)
        title = f"{name} of {signal.title}" if signal.title else name
        if kind_of_backend() == WINDOW:  # the sliders are part of it
            size = (size[0] + PANEL_WIDTH, max(size[1], panel_height(self.controller)))
        self.figure, self._kind = new_figure(size, title)
        self._loop = CanvasLoop(self.figure, self._drain, on_close=self._figure_closed)
        silence(self.figure.canvas)
        self.figure.canvas.mpl_connect("key_press_event", pass_on)
        sliders = self._kind == WINDOW
        self._grid = PictureGrid(self._loop, PANEL_WIDTH if sliders else 0.0)
        self._sliders = FigureSliders(self._loop, self.controller, self._changed) if sliders else None
        if first:
            self._show(first)
        self.controller.worker.notify = self._loop.notify
        self._changed()
        if self._kind == STATIC:
            self.wait()

    # -- what is tuned -----------------------------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from the defaults of the method, as keyword arguments for it."""
        return self.controller.call

    @property
    def code(self) -> str:
        """The call on the whole scan as a line of Python, for a signal named ``s``.

        Arrays and signals among the parameters stand under the parameters' names.
        """
        return self.controller.code

    def set(self, **parameters: Any) -> None:
        """Take other parameters, as the method takes them, and show what comes of it.

        Raises
        ------
        TypeError
            The method has no such parameter.
        ValueError
            A value that the parameter cannot have.

        Examples
        --------
        >>> preview = d.preview("template_match_disk", (0, 0), disk_r=3)
        >>> preview.set(normalize=False)
        >>> preview.parameters
        {'disk_r': 3, 'normalize': False}
        >>> preview.close()
        """
        self.controller.set(**parameters)
        self._after_change()

    def move(self, *position: Any) -> None:
        """Look at the frame at another position, x-first; with several frames, in place of the first.

        Examples
        --------
        >>> preview = d.preview("template_match_disk", (0, 0), disk_r=3)
        >>> preview.move(3, 2); preview.position
        (3, 2)
        >>> preview.close()
        """
        self.controller.move(position[0] if len(position) == 1 else position)
        self._after_change()

    def next_frame(self) -> None:
        """Look at the frame that comes next in scan order."""
        self.controller.next_frame()
        self._after_change()

    def random_frame(self) -> None:
        """Look at a frame somewhere in the scan."""
        self.controller.random_frame()
        self._after_change()

    @property
    def position(self) -> tuple[int, ...]:
        """Of the frame that is shown, or of the first of several: indices, x-first."""
        return self.controller.positions[0]

    # -- what comes of it --------------------------------------------------------------------------------------------

    @property
    def result(self) -> Any:
        """What the method gives for the frame that is shown, computed; a list for several frames.

        Raises
        ------
        ValueError, TypeError
            What the method says of its parameters.
        """
        self.wait()
        if self.controller.error is not None:
            raise self.controller.error
        latest = self.controller.latest
        found = [] if latest is None else [one.result for one in latest.outcomes]
        return found[0] if len(self.controller.positions) == 1 else found

    def apply(self) -> Any:
        """The lazy result of the method for the whole scan, with the parameters as they are."""
        return self.controller.apply()

    @property
    def status(self) -> str:
        """What came out and how long it took, or what the method says of its parameters."""
        return self._grid.text

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the pictures are those of the present parameters; False if they are not in time."""
        return self._loop.wait(timeout)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the pictures to a file once they are complete, its format chosen by the suffix.

        Parameters
        ----------
        path : str or path
            Such as ``"preview.png"`` or ``"preview.pdf"``.
        **options
            Of `lazy4d.plot.saving.save_figure`, such as ``dpi``.
        """
        from lazy4d.plot.saving import save_figure

        self.wait()
        return save_figure(self.figure, path, **{"dpi": 150, **options})

    def close(self) -> None:
        """Stop computing, and let go of the figure."""
        if self._closed:
            return
        self._closed = True
        if self._panel is not None:
            self._panel.close()
        self._loop.close()
        self.controller.close()
        if self._kind == WINDOW:
            from matplotlib import pyplot

            pyplot.close(self.figure)

    @property
    def widget(self) -> Any:
        """The pictures with their controls as one widget of ipywidgets.

        Raises
        ------
        ImportError
            ipywidgets is not there.
        """
        if self._panel is None:
            from lazy4d.plot.tuning.widgets import ControlPanel

            self._panel = ControlPanel(self.controller, self.figure, self._kind, self._changed, self._drain)
            self._loop.wake()
            self._changed()
        return self._panel.widget

    def __repr__(self) -> str:
        return f"<Preview: {self.code}>"

    def _ipython_display_(self) -> None:
        """Show pictures and controls in a notebook; without ipywidgets, the pictures."""
        from IPython.display import display

        try:
            widget = self.widget
        except ImportError as error:
            self.wait()
            display(self.figure)
            print(f"{self.code}\nno sliders: {error}; use .set(...)")  # noqa: T201 -- for the reader of a notebook
            return
        display(widget)

    def _repr_png_(self) -> bytes:
        """The pictures as PNG, for front ends that show no widgets."""
        from lazy4d.plot.saving import png_of

        self.wait()
        return png_of(self.figure)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _first(self) -> Tuned | None:
        """The first result: it says how large the figure has to be; what takes longer comes later."""
        news = threading.Event()
        self.controller.worker.notify = news.set
        while True:
            busy = self.controller.busy
            found = self.controller.updates()
            if found and len(found[-1].outcomes) == len(self.controller.positions):
                return found[-1]
            if not busy:
                return None
            news.wait(0.05)
            news.clear()

    def _after_change(self) -> None:
        self._changed()
        self._loop.wake()
        if self._kind == STATIC and self._panel is None:
            self.wait()

    def _changed(self) -> None:
        """Say everywhere what the parameters are now."""
        if self._panel is not None:
            self._panel.refresh()
        if self._sliders is not None:
            self._sliders.refresh()
        self._loop.wake()

    def _drain(self) -> bool:
        busy = self.controller.busy
        for tuned in self.controller.updates():
            self._show(tuned)
        error = self.controller.error
        if error is not None and error is not self._failed:
            self._grid.fail(error)
            self._tell(str(error) or type(error).__name__, True)
        self._failed = error
        return busy

    def _show(self, tuned: Tuned) -> None:
        if not tuned.sums and self._sums:  # until those of the present parameters are known
            tuned = replace(tuned, sums=self._sums)
        self._sums = tuned.sums
        self._grid.show(rows_of(tuned, self.controller.method.look))
        texts = [one.text for one in tuned.outcomes if one.text]
        spread = tuned.sums.get("spread")
        if spread is not None:
            texts.append(f"over the scan it travels by y {spread[0]:.2f}, x {spread[1]:.2f} px (std)")
        self._tell("; ".join([*texts[:2], f"{1e3 * tuned.seconds:.0f} ms"]), False)

    def _tell(self, text: str, wrong: bool) -> None:
        self._grid.tell(text if len(text) < 130 else f"{text[:127]}…", wrong)
        if self._panel is not None:
            self._panel.tell(text, wrong)

    def _figure_closed(self) -> None:
        self.controller.close()
