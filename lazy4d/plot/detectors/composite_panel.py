"""A picture whose red, green and blue come from detectors of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.detectors.combine import PRIMARIES
from lazy4d.plot.scale_bars import FONT_SIZE
from lazy4d.plot.viewer.image_panel import COLORS, PICTURE, ImagePanel


class CompositePanel(ImagePanel):
    """An image of colours, with the names of the detectors that make them beside it.

    Parameters are those of `ImagePanel`; `names` are those of the detectors of red, green and blue.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from matplotlib.transforms import Bbox
    >>> from lazy4d.plot.viewer.canvas_loop import CanvasLoop
    >>> from lazy4d.plot.viewer.contrast_choice import ContrastChoice
    >>> axes = (l4.Axis(name="y", size=3), l4.Axis(name="x", size=4))
    >>> whole = Bbox.from_bounds(0, 0, 1, 1)
    >>> panel = CompositePanel(
    ...     CanvasLoop(Figure(), lambda: False), whole, whole.shrunk(0.7, 0.7), axes, "", "colors", ContrastChoice()
    ... )
    >>> panel.names = ["left", "right"]
    >>> panel.show(np.zeros((3, 4, 3)))
    >>> panel.text_at(1, 2)
    'x 1, y 2'
    """

    names: Sequence[str] = ()

    def show(self, values: NDArray[Any]) -> None:
        """Show other colours."""
        self.values = values
        if self._message is not None:
            self._clear_message()
        if self._shown is None:
            self._draw(values, None)
        else:
            self._shown.set_data(values)
        self.part.changed(PICTURE)

    def text_at(self, x: int, y: int) -> str:
        """The place of a pixel; colours are not numbers of anything."""
        return super().text_at(x, y).partition(": ")[0]

    def _draw(self, values: NDArray[Any], norm: Any) -> None:
        y, x = self.axes
        aspect = self.ax.get_aspect()
        self._shown = self.ax.imshow(values, interpolation="nearest", vmin=0, vmax=1)
        self._shown.set_extent((-0.5, x.size - 0.5, y.size - 0.5, -0.5))
        self.ax.set_aspect(aspect)
        self.ax.set_autoscale_on(False)
        texts = []
        for k, (name, color) in enumerate(zip(self.names, PRIMARIES, strict=False)):
            for text, shade, right in (("■", color, 5), (name, "0.15", 16)):
                texts.append(
                    self.ax.annotate(
                        text, (1, 1), (right, -1 - 13 * k), xycoords="axes fraction", textcoords="offset points",
                        color=shade, fontsize=FONT_SIZE, ha="left", va="top", annotation_clip=False,
                    )
                )  # fmt: skip
        self.part.replace(COLORS, texts)
        self.part.replace(PICTURE, [self._shown, *self.ax.spines.values()])
        self._add_bar()

    @staticmethod
    def empty(shape: tuple[int, ...]) -> NDArray[np.float64]:
        """The picture of nothing."""
        return np.full((*shape, 3), 0.5)
