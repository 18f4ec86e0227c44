"""The mark on the navigator that says which position is shown."""

from __future__ import annotations

from typing import Any

from matplotlib.collections import LineCollection

from lazy4d.plot.viewer.image_panel import ABOVE

COLOR = "#ffb000"


_GAP = 0.015
"""Of the picture, left free around the position, so that it can be seen."""


class Crosshair:
    """A line across a curve, or two across an image that leave the position itself free.

    Parameters
    ----------
    panel : ImagePanel or CurvePanel
        The navigator.
    """

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._is_image = len(panel.axes) == 2
        if self._is_image:
            self._lines: Any = LineCollection([], colors=COLOR, linewidths=1.0, zorder=6)
            panel.ax.add_collection(self._lines, autolim=False)
        else:
            self._lines = panel.ax.axvline(0, color=COLOR, linewidth=1.0, zorder=6)
        panel.part.add(self._lines, ABOVE)
        self.position = (0, 0)

    def move(self, x: int, y: int = 0) -> None:
        """Go to a pixel of the navigator."""
        self.position = (x, y)
        panel = self._panel
        if self._is_image:
            rows, columns = (axis.size for axis in panel.axes)
            gap = max(0.5, _GAP * max(rows, columns))
            ends = [
                ((-0.5, y), (x - gap, y)), ((x + gap, y), (columns - 0.5, y)),
                ((x, -0.5), (x, y - gap)), ((x, y + gap), (x, rows - 0.5)),
            ]  # fmt: skip
            box = [(x - gap, y - gap), (x + gap, y - gap), (x + gap, y + gap), (x - gap, y + gap), (x - gap, y - gap)]
            inside = [box] + [one for one in ends if one[0][0] <= one[1][0] and one[0][1] <= one[1][1]]
            self._lines.set_segments([[panel.place_of(*end) for end in one] for one in inside])
        else:
            self._lines.set_xdata([panel.place_of(x, y)[0]] * 2)
        panel.part.changed(ABOVE)
