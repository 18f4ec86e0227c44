"""The mouse over a figure with regions: which of them it takes hold of."""

from __future__ import annotations

from typing import Any

from matplotlib.backend_tools import Cursors

from lazy4d.plot.detectors.editing import MOVE


class Pointer:
    """The mouse over one canvas: of several regions the one nearest to it is taken."""

    def __init__(self, canvas: Any) -> None:
        self.artists: list[Any] = []
        self.canvas = canvas
        self._held: Any = None
        self._cursor: Any = None
        for name, function in (
            ("button_press_event", self._press), ("motion_notify_event", self._motion),
            ("button_release_event", self._release), ("scroll_event", self._scroll),
            ("figure_leave_event", self._leave),
        ):  # fmt: skip
            canvas.mpl_connect(name, function)

    def add(self, artist: Any) -> None:
        """Offer the mouse to one region more."""
        self.artists.append(artist)

    def remove(self, artist: Any) -> None:
        """Offer the mouse to a region no more."""
        if artist in self.artists:
            self.artists.remove(artist)
        if self._held is artist:
            self._held = None
            self.canvas.widgetlock.release(self)

    def nearest(self, event: Any) -> tuple[Any, str] | None:
        """The region to take hold of, and by what: by the nearest handle, of the smallest region, of the latest."""
        hits = [(artist, hit) for artist in reversed(self.artists) if (hit := artist.hit(event)) is not None]
        if not hits:
            return None
        artist, hit = min(hits, key=lambda one: (round(one[1][1]), one[0].extent))
        return artist, hit[0]

    def _press(self, event: Any) -> None:
        if event.button not in (1, 3) or event.dblclick or not self.canvas.widgetlock.available(self):
            return
        found = self.nearest(event)
        if found is None or (event.button == 3 and found[1] != "paint"):
            return
        self.canvas.widgetlock(self)
        self._held = found[0]
        found[0].press(event, found[1])

    def _motion(self, event: Any) -> None:
        if self._held is not None and was_released(event):
            self._release(event)
        if self._held is not None:
            self._held.drag(event)
        elif self.canvas.widgetlock.available(self):
            found = self.nearest(event)
            self._point(None if found is None else found[1])
            painting = None if found is None or found[1] != "paint" else found[0]
            for artist in self.artists:
                if artist.is_painted:
                    artist.hover(event if artist is painting else None)

    def _point(self, handle: str | None) -> None:
        cursor = Cursors.POINTER if handle is None else Cursors.MOVE if handle == MOVE else Cursors.HAND
        if cursor != self._cursor:
            self._cursor = cursor
            self.canvas.set_cursor(cursor)

    def _release(self, event: Any) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None
            if self.canvas.widgetlock.isowner(self):
                self.canvas.widgetlock.release(self)

    def _scroll(self, event: Any) -> None:
        found = self.nearest(event)
        if found is not None and found[1] == "paint":
            found[0].scroll(event)

    def _leave(self, event: Any) -> None:
        for artist in self.artists:
            if artist.is_painted:
                artist.hover(None)


def pointer_of(canvas: Any) -> Any:
    """The pointer of a canvas, made when it is first asked for."""
    found = canvas.figure.__dict__.get("_lazy4d_pointer")
    if found is None:
        found = canvas.figure.__dict__["_lazy4d_pointer"] = Pointer(canvas)
    return found


def was_released(event: Any) -> bool:
    """Whether the mouse moves without any button, also where nobody was told of its release outside the window.

    Examples
    --------
    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> from matplotlib.backend_bases import MouseEvent
    >>> from matplotlib.figure import Figure
    >>> was_released(MouseEvent("motion_notify_event", FigureCanvasAgg(Figure()), 3, 4, guiEvent="of a window"))
    True
    """
    return event.guiEvent is not None and not getattr(event, "buttons", True)  # matplotlib knows them since 3.10


def takes_mouse(event: Any) -> bool:
    """Whether a region on this figure holds the mouse, or would take it; what else listens should leave it then.

    Examples
    --------
    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> from matplotlib.backend_bases import MouseEvent
    >>> from matplotlib.figure import Figure
    >>> takes_mouse(MouseEvent("button_press_event", FigureCanvasAgg(Figure()), 3, 4, 1))
    False
    """
    pointer = event.canvas.figure.__dict__.get("_lazy4d_pointer")
    return pointer is not None and (pointer._held is not None or pointer.nearest(event) is not None)


def takes_wheel(event: Any) -> bool:
    """Whether the wheel would change the brush of a painted region, and should change nothing else.

    Examples
    --------
    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> from matplotlib.backend_bases import MouseEvent
    >>> from matplotlib.figure import Figure
    >>> takes_wheel(MouseEvent("scroll_event", FigureCanvasAgg(Figure()), 3, 4, step=1))
    False
    """
    pointer = event.canvas.figure.__dict__.get("_lazy4d_pointer")
    found = None if pointer is None else pointer.nearest(event)
    return found is not None and found[1] == "paint"
