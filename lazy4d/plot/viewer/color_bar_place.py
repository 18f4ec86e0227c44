"""Where the colour bar of a live picture stands: beside it, of a fixed width, and never too short to be read."""

from __future__ import annotations

from typing import Any

from matplotlib.transforms import Bbox

_GAP, _WIDTH, _SHORTEST = 0.1, 0.13, 1.15
"""Inches between picture and bar, of the bar's width, and of its height at least."""


class ColorBarPlace:
    """The rectangle of a colour bar, to be given to ``set_axes_locator``: that of its picture decides, as it is drawn.

    Parameters
    ----------
    ax : matplotlib Axes
        Of the picture.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure(figsize=(5, 5))
    >>> place = ColorBarPlace(figure.add_axes((0.1, 0.1, 0.5, 0.1)))(None, None)
    >>> round(float(place.width) * 5, 2), round(float(place.height) * 5, 2)
    (0.13, 1.15)
    """

    def __init__(self, ax: Any) -> None:
        self._ax = ax

    def __call__(self, ax: Any, renderer: Any) -> Bbox:
        """The rectangle, in parts of the figure."""
        picture, figure = self._ax.get_position(), self._ax.get_figure(root=True)
        width, height = figure.get_size_inches()
        high = max(picture.height, _SHORTEST / height)
        middle = (picture.y0 + picture.y1) / 2
        return Bbox.from_bounds(picture.x1 + _GAP / width, middle - high / 2, _WIDTH / width, high)
