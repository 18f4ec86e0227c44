"""The line of text below the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from matplotlib.transforms import Bbox

from lazy4d.plot.scale_bars import FONT_SIZE

if TYPE_CHECKING:
    from lazy4d.plot.viewer.canvas_loop import CanvasLoop


class Footer:
    """Two pieces of text below the pictures: where the crosshair stands at the left, messages at the right.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    place : Bbox
        Of the line, in parts of the figure.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lazy4d.plot.viewer.canvas_loop import CanvasLoop
    >>> footer = Footer(CanvasLoop(Figure(), lambda: False), Bbox.from_bounds(0, 0, 1, 0.1))
    >>> footer.say("x 3, y 7: 12 counts", "as recorded")
    >>> footer.left, footer.right
    ('x 3, y 7: 12 counts', 'as recorded')
    """

    def __init__(self, loop: CanvasLoop, place: Bbox) -> None:
        self.ax = cast(Any, loop.figure.add_axes(place.bounds, label="footer"))
        self.ax.set_axis_off()
        self.ax.set_navigate(False)
        self.ax.format_coord = _nothing
        style: dict[str, Any] = {
            "transform": self.ax.transAxes,
            "va": "center",
            "fontsize": FONT_SIZE,
            "parse_math": False,
        }
        self._left = self.ax.text(0.012, 0.5, "", ha="left", color="0.15", **style)
        self._right = self.ax.text(0.988, 0.5, "", ha="right", color="0.45", **style)
        self.part = loop.add_part(place, [self._left, self._right])

    def say(self, left: str | None = None, right: str | None = None) -> None:
        """Write something else; None leaves what is there."""
        for text, wanted in ((self._left, left), (self._right, right)):
            if wanted is not None and wanted != text.get_text():
                text.set_text(wanted)
                self.part.changed()

    @property
    def left(self) -> str:
        """What the left side says."""
        return str(self._left.get_text())

    @property
    def right(self) -> str:
        """What the right side says."""
        return str(self._right.get_text())


def _nothing(x: float, y: float) -> str:
    """What a toolbar says of a place in the line of text."""
    return ""
