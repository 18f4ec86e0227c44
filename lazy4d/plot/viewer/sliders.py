"""Sliders in the figure for the axes that the navigator has no room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.transforms import Bbox
from matplotlib.widgets import Slider

from lazy4d.plot.scale_bars import FONT_SIZE
from lazy4d.plot.viewer.readout import place_text

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.plot.viewer.canvas_loop import CanvasLoop


_NOWHERE = 1e-9
"""End of a slider over one pixel, which has nowhere to go."""


class AxisSlider:
    """A slider over the pixels of one axis, labelled with its value.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    place : Bbox
        Of the slider, in parts of the figure.
    axis : Axis
        What it runs over.
    moved : function
        Called with the pixel, when it is moved by hand.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lazy4d.plot.viewer.canvas_loop import CanvasLoop
    >>> where, loop = [], CanvasLoop(Figure(), lambda: False)
    >>> slider = AxisSlider(loop, Bbox.from_bounds(0.2, 0, 0.5, 0.1), l4.Axis(name="t", size=5), where.append)
    >>> slider.slider.set_val(3); slider.show(4); where, slider.slider.val
    ([3], 4)
    """

    def __init__(self, loop: CanvasLoop, place: Bbox, axis: Axis, moved: Callable[[int], None]) -> None:
        self._axis, self._moved = axis, moved
        self.ax: Any = loop.figure.add_axes(place.bounds, label=f"slider {axis.name}")
        self.slider = Slider(
            self.ax, axis.name, 0, max(axis.size - 1, _NOWHERE), valinit=0, valstep=1, valfmt="%d", color="#1f5f99",
            handle_style={"size": 8, "facecolor": "white", "edgecolor": "#1f5f99"},
        )  # fmt: skip
        self.slider.drawon = False
        self.slider.vline.set_visible(False)
        for text in (self.slider.label, self.slider.valtext):
            text.set_fontsize(FONT_SIZE)
        self.part = loop.add_part(self._around(place), self.ax.get_children())
        self.slider.on_changed(self._changed)
        self._write(0)

    def show(self, pixel: int) -> None:
        """Stand at a pixel, without telling anybody."""
        if int(self.slider.val) != pixel:
            self.slider.eventson = False
            try:
                self.slider.set_val(pixel)
            finally:
                self.slider.eventson = True
        self._write(pixel)

    def place(self, place: Bbox) -> None:
        """Move to another place in the figure."""
        self.ax.set_position(place.bounds)
        self.part.region = self._around(place)

    def _changed(self, value: float) -> None:
        self._write(int(value))
        self._moved(int(value))

    def _write(self, pixel: int) -> None:
        text = place_text((self._axis,), (pixel,)).removeprefix(f"{self._axis.name or 'axis'} ")
        shown = text if self._axis.units == "px" and self._axis.scale == 1 else f"{text} ({pixel})"
        self.slider.valtext.set_text(shown)
        self.part.changed()

    def _around(self, place: Bbox) -> Bbox:
        """The whole width of the figure: the label and the value stand beside the slider."""
        return Bbox.from_extents(0.0, place.y0 - 0.2 * place.height, 1.0, place.y1 + 0.2 * place.height)


def sliders_of(
    loop: CanvasLoop, places: Sequence[Bbox], axes: Sequence[Axis], moved: Callable[[int, int], None]
) -> list[AxisSlider]:
    """A slider for each axis, which calls ``moved(number of the axis, pixel)``."""

    def told(number: int) -> Callable[[int], None]:
        return lambda pixel: moved(number, pixel)

    return [AxisSlider(loop, place, axis, told(k)) for k, (place, axis) in enumerate(zip(places, axes, strict=True))]
