"""What all viewers are: a figure tied to background work, complete when it is saved, quiet when it is closed."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazy4d.plot.saving import png_of, save_figure
from lazy4d.plot.viewer.canvas_loop import CanvasLoop
from lazy4d.plot.viewer.figures import WIDGET, WINDOW, new_figure
from lazy4d.plot.viewer.footer import Footer
from lazy4d.plot.viewer.interaction import Interaction
from lazy4d.plot.viewer.keys import brief_help
from lazy4d.plot.viewer.layout import PanelShape, Places, arrange, usual_size
from lazy4d.plot.viewer.notebook import FIRST_PICTURE, STATIC_PICTURE, show_after_cell
from lazy4d.plot.viewer.sliders import AxisSlider, sliders_of


class Viewer:
    """A live figure of a signal; made by ``signal.plot()``.

    In a notebook with ipympl (``%matplotlib widget``) and in windows (Qt, Tk …) it reacts to mouse and keys, see
    `lazy4d.plot.viewer.keys.KEYS`. In scripts it is a picture for a file: `save` waits until it is complete.

    Attributes
    ----------
    figure : matplotlib Figure
        What is drawn.
    controller : ViewController or MapController
        Where it stands, and the work in the background; it knows nothing of matplotlib.
    signal : BaseSignal
        What is shown.
    closed : bool
        Whether the figure was closed.

    Examples
    --------
    >>> viewer = d.plot()
    >>> viewer.wait(30), viewer.position
    (True, (0, 0))
    >>> viewer.close()
    """

    def __init__(
        self,
        signal: Any,
        controller: Any,
        shapes: Sequence[PanelShape],
        further: Sequence[Any],
        *,
        size: tuple[float, float] | None,
        title: str,
    ) -> None:
        self.signal, self.controller, self.title = signal, controller, title
        self.closed = False
        self.times_shown = 0
        self.panels: list[Any] = []
        self.picture: Any = None
        self.navigator: Any = None
        self._is_recalibrated = False
        self._shapes, self._further = list(shapes), list(further)
        self.figure, self._kind = new_figure(size or usual_size(self._shapes, len(self._further)), title)
        take, ended = weakref.WeakMethod(self._take), weakref.WeakMethod(self._ended)
        self.loop = CanvasLoop(
            self.figure,
            lambda: (found := take()) is not None and found(),
            lambda: None if (found := ended()) is None else found(),
        )
        places = self._places()
        self.footer = Footer(self.loop, places.footer)
        owner = weakref.proxy(self)
        self.sliders: list[AxisSlider] = sliders_of(
            self.loop, places.sliders, self._further, lambda number, pixel: owner.slide(number, pixel)
        )
        self._interaction = Interaction(self)
        self._release = weakref.finalize(self, controller.close)

    def _begin(self) -> None:
        """Take what is known already, and have the rest brought as it comes; called once all panels are there."""
        for slider, pixel in zip(self.sliders, self.position[2:], strict=False):
            slider.show(pixel)
        self.controller.notify = self.loop.notify
        self.signal.axes_manager.observe(self._calibrated, "calibration_changed")
        self._take()
        self.loop.wake()
        if self._kind in (WIDGET, WINDOW):  # it lives as long as its figure
            self.figure._lazy4d_viewer = self  # type: ignore[attr-defined]
        show_after_cell(self, self._kind)

    # -- for users ---------------------------------------------------------------------------------------------------

    @property
    def signal_ax(self) -> Any:
        """The axes that show the signal."""
        return None if self.picture is None else self.picture.ax

    @property
    def navigator_ax(self) -> Any:
        """The axes in which positions are picked; None where there is nothing to pick."""
        return None if self.navigator is None else self.navigator.ax

    @property
    def position(self) -> tuple[int, ...]:
        """The indices shown, x-first, as ``signal.axes_manager.indices``; assign to go there."""
        return tuple(self.controller.position)

    @position.setter
    def position(self, indices: Any) -> None:
        self.controller.position = indices
        self._refresh()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything that is shown is final, the navigator included; False if it is not after `timeout` s.

        The navigator of a scan that nobody has looked at yet takes a pass over its file.
        """
        return self.loop.wait(timeout)

    def save(self, path: str | Path, *, timeout: float | None = None, **options: Any) -> Path:
        """The path of the figure, written to a file when it is complete.

        Parameters
        ----------
        path : str or Path
            Ends with .png, .pdf, .svg or another format of matplotlib.
        timeout : float, optional
            Seconds after which it is written as far as it is.
        **options
            Of `lazy4d.plot.saving.save_figure`, such as ``dpi=300``.
        """
        self.wait(timeout)
        return save_figure(self.figure, path, **options)

    def close(self) -> None:
        """Close the figure and stop everything that is done for it; may be called twice."""
        if self.closed:
            return
        self.loop.close()
        if self._kind == WINDOW:
            from matplotlib import pyplot

            pyplot.close(self.figure)
        elif self._kind == WIDGET:
            self.figure.canvas.close()  # type: ignore[attr-defined]

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"at {self.position}" if self.position else "open"
        return f"<{type(self).__name__} of {self.title or type(self.signal).__name__}, {state}>"

    # -- notebooks ---------------------------------------------------------------------------------------------------

    @property
    def _ipython_display_(self) -> Any:
        """Shows the live canvas in a notebook with ipympl; None elsewhere, where there is a PNG."""
        return self._show_canvas if self._kind == WIDGET and not self.closed else None

    def _show_canvas(self, **_: Any) -> None:
        from IPython.display import display

        self.times_shown += 1
        self.loop.wait(FIRST_PICTURE)
        display(self.figure.canvas)

    def _repr_png_(self) -> bytes | None:
        if self._kind == WINDOW:
            return None
        self.times_shown += 1
        self.loop.wait(STATIC_PICTURE)
        return png_of(self.figure)

    # -- for mouse and keys ------------------------------------------------------------------------------------------

    @property
    def navigation_axes(self) -> tuple[Any, ...]:
        """The axes that the position is of, x-first."""
        return tuple(self.signal.axes_manager.navigation_axes)

    def panel_of(self, ax: Any) -> Any:
        """The panel that has some axes, or None."""
        return next((panel for panel in self.panels if ax is not None and panel.ax is ax), None)

    def go_to(self, *first: int) -> None:
        """Go to a place in the first axes, x-first, wherever the others stand."""
        now = self.position
        wanted = (*first, *now[len(first) :])[: len(now)]
        if wanted != now:
            self.controller.position = wanted
            self._refresh()

    def move(self, *steps: int) -> None:
        """Go some steps on along each navigation axis, x-first, as far as the scan reaches."""
        axes = self.navigation_axes
        padded = (*steps, *(0,) * (len(axes) - len(steps)))
        self.go_to(*(min(max(p + s, 0), axis.size - 1) for p, s, axis in zip(self.position, padded, axes, strict=True)))

    def slide(self, number: int, pixel: int) -> None:
        """Go to a pixel of one of the axes that have sliders."""
        position = list(self.position)
        position[2 + number] = pixel
        self.go_to(*position)

    def pin(self, x: int, y: int) -> None:
        """Read a pixel of the picture out, in this frame and in those that follow."""

    def next_navigator(self, step: int) -> None:
        """Show another navigator."""

    def next_part(self) -> None:
        """Show another part of complex numbers."""

    def change_spacing(self, panel: Any) -> None:
        """Another spacing of the colours of a panel: linear, logarithmic, power."""
        name = panel.contrast.next_spacing()
        panel.refresh()
        self._tell(f"{name} scale")

    def step_contrast(self, panel: Any, upper: int = 0, lower: int = 0) -> None:
        """Move the percentiles at which the colours of a panel begin and end."""
        contrast = panel.contrast
        if upper:
            contrast.step_upper(upper)
        if lower:
            contrast.step_lower(lower)
        panel.refresh()
        low, high = contrast.percentile or (0.0, 100.0)
        self._tell(f"percentiles {low:g} to {high:g}")

    def hold_contrast(self, panel: Any) -> None:
        """Keep the colours of a panel whatever comes, or let them follow again."""
        panel.contrast.hold()
        self._tell("scale held" if panel.contrast.is_held else "scale follows the frames")

    def rescale(self, panel: Any) -> None:
        """Take the colours of a panel from what it shows now."""
        panel.contrast.forget()
        panel.refresh()
        self._tell("scale of this frame")

    def explain_keys(self) -> None:
        """Write below the pictures what the keys do."""
        self._tell(brief_help())

    def arrange(self) -> None:
        """Put everything where it belongs in a figure of the present size."""
        places = self._places()
        for panel, region, picture in zip(self.panels, places.regions, places.pictures, strict=True):
            panel.ax.set_position(picture.bounds)
            panel.part.region = region
            panel.fit_screen()
        for slider, place in zip(self.sliders, places.sliders, strict=True):
            slider.place(place)
        self.footer.ax.set_position(places.footer.bounds)
        self.footer.part.region = places.footer
        self.loop.redraw()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _places(self) -> Places:
        width, height = self.figure.get_size_inches()
        return arrange((width, height), self._shapes, len(self._further))

    def _take(self) -> bool:
        """Show what came; whether more is to come."""
        if self._is_recalibrated:
            self._is_recalibrated = False
            for panel in self.panels:
                getattr(panel, "recalibrate", panel.refresh)()
            self._place_regions()
            self.loop.redraw()
        for _ in range(2):  # the last news may come while it is asked whether there is more
            for update in self.controller.updates():
                self._show(update)
            if self.controller.busy:
                return True
        return False

    def _calibrated(self, event: Any) -> None:
        """Axes were calibrated, which may be told once for each number that changed: drawn when it is over."""
        if not self.closed:
            self._is_recalibrated = True
            self.loop.notify()

    def _place_regions(self) -> None:
        """Draw regions where they are now, those that are given in units of the axes."""

    def _show(self, update: Any) -> None:
        """Show one piece of news."""

    def _refresh(self) -> None:
        """Show at once what is known of where it stands now."""
        self._take()
        self.loop.wake()
        self.loop.flush()

    def _tell(self, text: str) -> None:
        """A message below the pictures."""
        self.footer.say(right=text)
        self.loop.flush()

    def _ended(self) -> None:
        """The figure was closed."""
        self.closed = True
        self._interaction.close()
        self._release()
