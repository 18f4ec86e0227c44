"""A curve in a live figure, or a few on the same axis, changed in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from lazy4d.plot.image import TITLE_SIZE
from lazy4d.plot.scale_bars import FONT_SIZE, unit_text
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.image_panel import ABOVE, COLORS, PICTURE
from lazy4d.plot.viewer.readout import place_text, unit_of, value_text

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.plot.viewer.canvas_loop import CanvasLoop

_ROOM = 0.06
"""Of the height, left free above and below a curve."""

_SPARE = 0.5
"""Of the height that a curve may leave unused before the axis changes."""

_COLORS = ("#1f5f99", "#c2571a", "#3f8f4f")


class CurvePanel:
    """One line of values over an axis, or a few named ones, with title, ticks and units, updated in place.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    region, place : Bbox
        Of the panel with all that is written around it, and of the curve; in parts of the figure.
    axis : Axis
        Along x.
    label : str
        What the values count.
    contrast : ContrastChoice
        Of which the norm decides whether the values are on a logarithmic axis.
    names : sequence of str
        Of the curves where there are several; values are then ``[n, curves]``.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lazy4d.plot.viewer.canvas_loop import CanvasLoop
    >>> whole = Bbox.from_bounds(0, 0, 1, 1)
    >>> loop = CanvasLoop(Figure(), lambda: False)
    >>> panel = CurvePanel(loop, whole, whole.shrunk(0.7, 0.7), l4.Axis(name="k", size=3), "counts", ContrastChoice())
    >>> panel.show(np.array([1.0, 5.0, 2.0]))
    >>> panel.text_at(1), panel.pixel_of(9.7, 0)
    ('k 1: 5 counts', (2, 0))
    """

    def __init__(
        self,
        loop: CanvasLoop,
        region: Bbox,
        place: Bbox,
        axis: Axis,
        label: str,
        contrast: ContrastChoice,
        names: Sequence[str] = (),
    ) -> None:
        self.ax = cast(Any, loop.figure.add_axes(place.bounds))
        self.axes, self.label, self.contrast = (axis,), label, contrast
        self.values: NDArray[Any] | None = None
        self._message: Any = None
        unknown = np.full(axis.size, np.nan)
        self._lines = [
            self.ax.plot(axis.axis, unknown, color=_COLORS[k % len(_COLORS)], linewidth=1.2, label=name)[0]
            for k, name in enumerate(names or ("",))
        ]
        half = abs(axis.scale) / 2
        self.ax.set_xlim(axis.low_value - half, axis.high_value + half)
        self.ax.set_xlabel(
            axis.name if axis.units == "px" else f"{axis.name} ({unit_text(axis.units)})", fontsize=FONT_SIZE
        )
        self.ax.set_ylabel(label, fontsize=FONT_SIZE)
        self.ax.tick_params(labelsize=FONT_SIZE - 0.5, width=0.5, length=2.5, pad=2)
        self._format_values()
        self.ax.yaxis.get_offset_text().set_fontsize(FONT_SIZE - 0.5)
        for name, side in self.ax.spines.items():
            side.set(color="0.2", linewidth=0.6, visible=name in ("left", "bottom"))
        self._title = self.ax.set_title("", fontsize=TITLE_SIZE, loc="left", pad=11, y=1.0)
        key = [self.ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper right")] if names else []
        pictures = [*self._lines, *self.ax.spines.values(), *key]
        self.part = loop.add_part(region, [self.ax.xaxis, self.ax.yaxis], pictures, [self._title])
        self.ax.format_coord = lambda x, y: self.text_at(self.pixel_of(x, y)[0])

    def show(self, values: NDArray[Any]) -> None:
        """Show other values; the axis of the values changes only where it has to."""
        self.values = values
        if self._message is not None:
            self.part.remove(self._message)
            self._message = None
        numbers = np.asarray(values, np.float64)
        for line, one in zip(self._lines, numbers.reshape(len(numbers), -1).T, strict=True):
            line.set_ydata(one)
            line.set_marker("o" if np.isfinite(one).sum() < 3 else "")
        spacing = "log" if self.contrast.norm == "log" and bool((numbers > 0).any()) else "linear"
        changed = self.contrast.current is None or spacing != self.ax.get_yscale()
        if spacing != self.ax.get_yscale():
            self.ax.set_yscale(spacing)
            self._format_values()
        if self.contrast.is_held and not changed:
            self.part.changed(PICTURE)
            return
        low, high = self._span(numbers, spacing)
        bottom, top = (low, high) if changed else self.ax.get_ylim()
        if spacing == "log":
            low, high, bottom, top = np.log10([low, high, bottom, top])
        height = top - bottom
        if changed or low < bottom or high > top or (high - low) < (1 - _SPARE) * height:
            room = _ROOM * (high - low)
            ends = np.array([low - room, high + room])
            bottom, top = (float(end) for end in (10**ends if spacing == "log" else ends))
            self.ax.set_ylim(bottom, top)
            self.contrast.current = LogNorm(bottom, top) if spacing == "log" else Normalize(bottom, top)
            self.part.changed(COLORS)
        else:
            self.part.changed(PICTURE)

    def refresh(self) -> None:
        """Show the same values with the axis as it is wanted now."""
        if self.values is not None:
            self.show(self.values)

    def fit_screen(self) -> None:
        """A curve fits every screen."""

    def set_title(self, text: str) -> None:
        """Write something else above the curve."""
        if text != self._title.get_text():
            self._title.set_text(text)
            self.part.changed(ABOVE)

    @property
    def title(self) -> str:
        """What stands above the curve."""
        return str(self._title.get_text())

    def set_label(self, label: str) -> None:
        """Say that the values count something else."""
        self.restyle(self.contrast, label)

    def restyle(self, contrast: ContrastChoice, label: str, cmap: str | None = None) -> None:
        """Have the next values drawn with another contrast and label; a curve has no colour map."""
        self.contrast = contrast
        if label != self.label:
            self.label = label
            self.ax.set_ylabel(label, fontsize=FONT_SIZE)
            self.part.changed(COLORS)

    def fail(self, message: str) -> None:
        """Show why there is no curve instead of one."""
        self.values = None
        for line in self._lines:
            line.set_ydata(np.full(self.axes[0].size, np.nan))
        if self._message is None:
            self._message = self.ax.text(
                0.5, 0.5, "", transform=self.ax.transAxes, ha="center", va="center", fontsize=FONT_SIZE, color="0.15",
                bbox={"facecolor": "white", "edgecolor": "#c0392b", "linewidth": 0.8, "boxstyle": "round,pad=0.4"},
            )  # fmt: skip
            self.part.add(self._message, PICTURE)
        self._message.set_text(message)
        self.part.changed(PICTURE)

    @property
    def message(self) -> str:
        """Why there is no curve, where there is none."""
        return "" if self._message is None else str(self._message.get_text())

    def pixel_of(self, x: float, y: float) -> tuple[int, int]:
        """The pixel at, or nearest to, a place in the coordinates of the panel, and 0."""
        axis = self.axes[0]
        return int(min(max(round((x - axis.offset) / axis.scale), 0), axis.size - 1)), 0

    def place_of(self, x: float, y: float) -> tuple[float, float]:
        """A place in pixels, in the coordinates of the panel."""
        return float(self.axes[0].index2value(x)), 0.0

    def text_at(self, x: int, y: int = 0) -> str:
        """Place and value of a pixel."""
        place = place_text(self.axes, (x,))
        return place if self.values is None else f"{place}: {value_text(self.values[x], unit_of(self.label))}"

    def _format_values(self) -> None:
        """Numbers on a linear axis as they are: large ones with a power of ten, never less what they have in common."""
        if self.ax.get_yscale() == "linear":
            self.ax.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 5), useMathText=True)

    def _span(self, numbers: NDArray[np.float64], spacing: str) -> tuple[float, float]:
        """From where to where the axis of the values has to reach."""
        known = numbers[np.isfinite(numbers)]
        known = known[known > 0] if spacing == "log" else known
        if not known.size:
            return 0.0, 1.0
        ends = self.contrast.percentile or (0.0, 100.0)
        low, high = (float(end) for end in np.percentile(known, ends))
        if spacing == "log":
            low = max(low, high / 1e8)
            return (low, high) if high > low else (low / 2, high * 2)
        if self.contrast.limits is not None:
            given = self.contrast.limits
            low, high = (one if end is None else end for one, end in zip((low, high), given, strict=True))
        elif 0 <= low < 0.5 * high:
            low = 0.0
        return (low, high) if high > low else (low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1))
