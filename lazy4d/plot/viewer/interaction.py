"""Mouse and keys of a live figure: they move the position and change the contrast."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, cast

from matplotlib import rcParams
from matplotlib.backend_bases import MouseButton, key_press_handler
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore

from lazy4d.plot.detectors.pointer import takes_mouse, takes_wheel, was_released
from lazy4d.plot.viewer.keys import ARROWS, FURTHER, parted, step_of

_TOOLS = tuple(f"keymap.{tool}" for tool in "home pan zoom save fullscreen quit quit_all copy help".split())
"""What keys of matplotlib may still do: nothing that would draw grids over a picture or change its axes."""


def silence(canvas: Any) -> None:
    """Have matplotlib react to no key of a figure by itself: it would take l, arrows and others."""
    handler = getattr(canvas.manager, "key_press_handler_id", None)
    if handler is not None:
        canvas.mpl_disconnect(handler)


def pass_on(event: Any) -> None:
    """Have matplotlib react to a key where that is one of the tools of the toolbar or the window."""
    manager, settings = event.canvas.manager, cast(Any, rcParams)
    known = any(event.key in settings[tool] for tool in _TOOLS)
    if manager is not None and known and event.key != "backspace":
        key_press_handler(event, event.canvas, manager.toolbar)


class Interaction:
    """What a viewer does when the mouse is moved or a key is pressed over its figure.

    Keys that a viewer has no use for do what they do in every figure of matplotlib; while a tool of the toolbar is
    chosen (zoom, pan), the mouse belongs to that.

    Parameters
    ----------
    viewer : Viewer
        Has ``panels``, ``navigator``, ``go_to``, ``move``, and what the keys do.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.proxy(viewer)
        self._canvas = canvas = viewer.figure.canvas
        self._is_dragging = False
        self._connections = [
            canvas.mpl_connect("button_press_event", self._pressed),
            canvas.mpl_connect("motion_notify_event", self._dragged),
            canvas.mpl_connect("button_release_event", self._released),
            canvas.mpl_connect("key_press_event", self._typed),
            canvas.mpl_connect("scroll_event", self._scrolled),
            canvas.mpl_connect("resize_event", self._resized),
        ]
        silence(canvas)

    def close(self) -> None:
        """React no more."""
        for connection in self._connections:
            self._canvas.mpl_disconnect(connection)
        self._connections = []

    # -- mouse -------------------------------------------------------------------------------------------------------

    def _pressed(self, event: Any) -> None:
        if event.button != MouseButton.LEFT or self.is_taken or takes_mouse(event):
            return
        panel = self._viewer.panel_of(event.inaxes)
        if panel is not None and panel is self._viewer.navigator:
            self._is_dragging = True
            self._viewer.go_to(*panel.pixel_of(event.xdata, event.ydata))
        elif panel is not None:
            self._viewer.pin(*panel.pixel_of(event.xdata, event.ydata))

    def _dragged(self, event: Any) -> None:
        if not self._is_dragging or was_released(event):
            self._is_dragging = False
            return
        panel = self._viewer.navigator
        x, y = panel.ax.transData.inverted().transform((event.x, event.y))  # also beside the picture
        self._viewer.go_to(*panel.pixel_of(x, y))

    def _released(self, event: Any) -> None:
        self._is_dragging = False

    @property
    def is_taken(self) -> bool:
        """Whether a tool of the toolbar uses the mouse."""
        toolbar = getattr(self._canvas.manager, "toolbar", None)
        return bool(getattr(toolbar, "mode", "")) or self._canvas.widgetlock.locked()

    def _scrolled(self, event: Any) -> None:
        """Brighter or darker; in a notebook only with Alt, as the wheel moves the page there."""
        if takes_wheel(event):
            return
        panel = self._viewer.panel_of(event.inaxes)
        in_browser = isinstance(self._canvas, FigureCanvasWebAggCore)
        if panel is not None and (not in_browser or "alt" in getattr(event, "modifiers", ())):
            self._viewer.step_contrast(panel, upper=1 if event.step > 0 else -1)

    def _resized(self, event: Any) -> None:
        self._viewer.arrange()

    # -- keys --------------------------------------------------------------------------------------------------------

    def _typed(self, event: Any) -> None:
        key, shift = parted(event.key)
        if not self._moved(key, shift) and not self._adjusted(key, event.inaxes) and event.key is not None:
            pass_on(event)

    def _moved(self, key: str, shift: bool) -> bool:
        """Whether a key moved the position."""
        axes = self._viewer.navigation_axes
        if key in ARROWS:
            steps = [direction * step_of(axis, shift) for direction, axis in zip(ARROWS[key], axes[:2], strict=False)]
            if len(steps) > 1 and getattr(self._viewer.navigator, "rows_upwards", False):
                steps[1] = -steps[1]
        elif key in FURTHER and len(axes) > 2:
            number = 3 if shift and len(axes) > 3 else 2
            steps = [0] * number + [FURTHER[key]]
        else:
            return False
        if steps:
            self._viewer.move(*steps)
        return True

    def _adjusted(self, key: str, under: Any) -> bool:
        """Whether a key changed how something is shown."""
        viewer = self._viewer
        panel = viewer.panel_of(under) or viewer.picture or (viewer.panels[0] if viewer.panels else None)
        if panel is None:
            return False
        actions: dict[str, Callable[[], None]] = {
            "l": lambda: viewer.change_spacing(panel),
            "[": lambda: viewer.step_contrast(panel, upper=1),
            "]": lambda: viewer.step_contrast(panel, upper=-1),
            "{": lambda: viewer.step_contrast(panel, lower=-1),
            "}": lambda: viewer.step_contrast(panel, lower=1),
            "h": lambda: viewer.hold_contrast(panel),
            "a": lambda: viewer.rescale(panel),
            "n": lambda: viewer.next_navigator(1),
            "N": lambda: viewer.next_navigator(-1),
            "m": viewer.next_part,
            "?": viewer.explain_keys,
        }
        if key not in actions:
            return False
        actions[key]()
        return True
