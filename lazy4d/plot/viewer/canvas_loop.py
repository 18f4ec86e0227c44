"""What ties background work to a figure: news is fetched in the canvas' own thread, and little is drawn and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from matplotlib import _pylab_helpers
from matplotlib.artist import Artist
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore
from matplotlib.figure import Figure

from lazy4d.plot.viewer.browser_pictures import BrowserPictures
from lazy4d.plot.viewer.painter import Painter, Part, Region
from lazy4d.plot.viewer.wakeup import wakeup_of

_PATIENCE = 2.0
"""Seconds after which a browser that was asked whether it is ready is taken for gone."""

_ROUND_TRIP = 0.02
"""Seconds to the browser and back, before any was measured."""


class CanvasLoop:
    """The traffic between background work and one figure, whatever its canvas: notebook, window or none.

    Results are fetched by `drain` in the thread of the canvas: in a notebook by the kernel's event loop, between two
    messages; in windows by a timer that ticks only while something is under way; without a screen when `wait` is
    called. Then the parts of the figure that changed are drawn, and no others. A browser gets the next picture when it
    has shown the last one, so that nothing piles up on a slow line.

    Parameters
    ----------
    figure : matplotlib Figure
        On its canvas already.
    drain : function
        Takes what is waiting, updates artists and says which parts changed; returns whether more is to come.
    on_close : function, optional
        Called once, when the figure is closed.

    Examples
    --------
    >>> figure = Figure()
    >>> ax = figure.add_subplot()
    >>> line = ax.axvline(0.0)
    >>> waiting = [3.0]
    >>> def drain():
    ...     if waiting:
    ...         line.set_xdata([waiting[0]] * 2)
    ...         waiting.clear()
    ...         part.changed()
    ...     return False
    >>> loop = CanvasLoop(figure, drain)
    >>> part = loop.add_part(ax, [line])
    >>> loop.notify(); loop.wait(5), line.get_xdata()
    (True, [3.0, 3.0])
    """

    def __init__(self, figure: Figure, drain: Callable[[], bool], on_close: Callable[[], None] | None = None) -> None:
        self.figure = figure
        self.painter = Painter(figure)
        self.is_closed = False
        self._drain = drain
        self._on_close = on_close
        canvas: Any = figure.canvas
        self._wakeup = wakeup_of(canvas, self._run)
        self._is_browser = isinstance(canvas, FigureCanvasWebAggCore)
        self._asked: float | None = None
        self._sent = -_PATIENCE
        self._round_trip = _ROUND_TRIP
        self._is_drawing = False
        self._is_waiting = False
        self._manager = canvas.manager
        self.is_live = canvas.manager is not None
        self._was_known = False
        self._connections = [
            canvas.mpl_connect("close_event", lambda event: self.close()),
            canvas.mpl_connect("draw_event", lambda event: self._wakeup.wake()),
        ]
        if self._is_browser:
            canvas.handle_draw = self._browser_is_ready
            self._pictures = BrowserPictures(canvas)

    # -- for background work -----------------------------------------------------------------------------------------

    def notify(self) -> None:
        """Say, from any thread, that there is something to fetch."""
        self._wakeup.notify()

    def wake(self) -> None:
        """Say, in the canvas' thread, that background work was begun."""
        self._wakeup.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Fetch and draw until nothing more is to come; whether that was so within `timeout` seconds."""
        if self.is_closed:
            return True
        self._is_waiting = True
        try:
            return self._wakeup.wait(timeout, between=self._let_window_live)
        finally:
            self._is_waiting = False

    # -- for drawing -------------------------------------------------------------------------------------------------

    def add_part(self, region: Region, *layers: Iterable[Artist]) -> Part:
        """A rectangle of the figure that is drawn alone, with the artists in it, in layers from below to above.

        Parameters
        ----------
        region : Axes, Bbox or function
            Axes with all around them, a rectangle in parts of the figure, or a function that gives one in pixels; no
            other part's artists reach into it.
        *layers : sequence of Artist
            What changes in it. What does not change is left to the figure.

        Returns
        -------
        Part
            ``part.changed(layer)`` has a layer, and those above it, drawn at the next `flush`.
        """
        return self.painter.add(region, *layers)

    def redraw(self) -> None:
        """Have the whole figure drawn at the next `flush`."""
        self.painter.forget()

    def flush(self) -> None:
        """Draw what changed, now, or as soon as the browser has shown what it was sent before."""
        if self._is_drawing or self.is_closed or not self.painter.is_changed:
            return
        if not self._is_browser:
            self._draw()
            return
        canvas: Any = self.figure.canvas
        if getattr(canvas, "syncing_data_url", False):  # no browser yet; it asks for a picture when it comes
            return
        now = monotonic()
        if self._asked is not None and now - self._asked < _PATIENCE:
            return
        if self._asked is not None:  # it may have lost what it was sent: the next picture shows everything
            self._asked = None
            canvas._force_full = True
        if now - self._sent > 3 * self._round_trip:
            self._draw()
        else:
            self._asked = now
            canvas.draw_idle()  # a question; the browser answers "draw" once it is ready

    def close(self) -> None:
        """Fetch and draw nothing more."""
        if self.is_closed:
            return
        self.is_closed = True
        self._wakeup.close()
        canvas: Any = self.figure.canvas
        for connection in self._connections:
            canvas.mpl_disconnect(connection)
        self.painter.close()
        if self._is_browser:
            canvas.__dict__.pop("handle_draw", None)
            self._pictures.close()
        if self._on_close is not None:
            self._on_close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(self) -> bool:
        if self._was_closed_elsewhere():
            self.close()
        if self.is_closed:
            return False
        more = self._drain()
        if not self._is_waiting or self._manager is not None:
            self.flush()
        return more

    def _draw(self) -> None:
        self._is_drawing = True
        try:
            self.painter.draw_changes()
        finally:
            self._is_drawing = False
            self._sent = monotonic()

    def _browser_is_ready(self, event: Any) -> None:
        """Answer a browser that asked for a picture: with what changed, or with everything."""
        self._wakeup.wake()
        if self._asked is not None:
            self._round_trip = 0.7 * self._round_trip + 0.3 * (monotonic() - self._asked)
            self._asked = None
        if self.painter.is_changed:
            self._draw()
        else:  # it waits for a picture, whatever is in it
            self.figure.canvas.draw()

    def _let_window_live(self) -> None:
        """Have a window react while `wait` waits."""
        if not self._is_browser and self._manager is not None:
            self.figure.canvas.flush_events()

    def _was_closed_elsewhere(self) -> bool:
        """Whether the figure was closed without an event: by ``plt.close`` of figures without a window."""
        canvas: Any = self.figure.canvas
        if self._is_browser and hasattr(canvas, "comm"):
            return canvas.comm is None
        manager = self._manager
        known = _pylab_helpers.Gcf.figs
        if manager is None:
            return False
        if known.get(manager.num) is manager:
            self._was_known = True
            return False
        return self._was_known
