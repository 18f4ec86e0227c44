"""The figure a viewer draws on: a live one where matplotlib has a notebook widget or windows, else one for files."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.backends import backend_registry
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore
from matplotlib.figure import Figure

STATIC, WIDGET, WINDOW = "static", "widget", "window"

_numbers = iter(range(10_000, 10**9))
"""Of figures that pyplot does not know, so that they never take the number of one that it does."""


def new_figure(size: tuple[float, float], title: str, dpi: float | None = None) -> tuple[Figure, str]:
    """An empty figure, and what it is: "widget" in a notebook with ipympl, "window", or "static".

    Only windows are known to pyplot, so that ``plt.show()`` shows them; of the others nothing has to be closed.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches.
    title : str
        Of the window.
    dpi : float, optional
        Dots an inch; by default 100 where it is live, else 150.

    Examples
    --------
    >>> figure, kind = new_figure((4, 3), "scan")
    >>> kind, float(figure.dpi)
    ('static', 150.0)
    """
    kind = kind_of_backend()
    options: dict[str, Any] = {"figsize": size, "facecolor": "white"}
    if kind == STATIC:
        figure = Figure(dpi=dpi or 150, **options)
        FigureCanvasAgg(figure)
        return figure, kind
    from matplotlib import pyplot

    if kind == WINDOW:
        figure = pyplot.figure(dpi=dpi or 100, **options)
        manager: Any = figure.canvas.manager
    else:
        with matplotlib.rc_context({"interactive": False}):  # shown by the viewer, not by pyplot
            manager = pyplot.new_figure_manager(next(_numbers), dpi=dpi or 100, **options)
        figure = manager.canvas.figure
        _set_up_widget(manager.canvas)
    if title:
        manager.set_window_title(title)
    return figure, kind


def kind_of_backend() -> str:
    """What figures are with the backend that matplotlib uses: "static", "widget" or "window".

    Examples
    --------
    >>> kind_of_backend()
    'static'
    """
    canvas: Any = backend_registry.load_backend_module(matplotlib.get_backend()).FigureCanvas
    if issubclass(canvas, FigureCanvasWebAggCore) and hasattr(canvas, "_repr_mimebundle_"):
        return WIDGET
    if getattr(canvas, "required_interactive_framework", None) not in (None, "headless"):
        return WINDOW
    return WINDOW if issubclass(canvas, FigureCanvasWebAggCore) else STATIC


def _set_up_widget(canvas: Any) -> None:
    """A plain canvas: no header, tools out of the way of the picture, and every move of the mouse soon."""
    canvas.header_visible = False
    canvas.toolbar_position = "right"
    canvas.pan_zoom_throttle = 16.0
