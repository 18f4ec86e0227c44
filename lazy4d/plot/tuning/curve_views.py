"""Curves and points on a live figure, over axes that may change, and messages instead of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from lazy4d.plot.image import TITLE_SIZE
from lazy4d.plot.scale_bars import FONT_SIZE, unit_text
from lazy4d.plot.tuning.views import Curve, Scatter
from lazy4d.plot.viewer.canvas_loop import CanvasLoop

_LINE_COLOR = "#1f5f99"
_ROOM = 0.06
"""Of the height, left free above and below."""

_SPARE = 0.4
"""Of an axis that may be unused before it changes."""


class PlotView:
    """Axes with ticks, names and a title, all of which may change."""

    _spare_across = _SPARE

    def __init__(self, loop: CanvasLoop, region: Bbox, place: Bbox, names: tuple[str, str]) -> None:
        self.ax: Any = loop.figure.add_axes(place.bounds)
        self.ax.set_xlabel(names[0], fontsize=FONT_SIZE)
        self.ax.set_ylabel(names[1], fontsize=FONT_SIZE)
        self.ax.tick_params(labelsize=FONT_SIZE - 0.5, width=0.5, length=2.5, pad=2)
        self.ax.yaxis.get_offset_text().set_fontsize(FONT_SIZE - 0.5)
        for side, spine in self.ax.spines.items():
            spine.set(color="0.2", linewidth=0.6, visible=side in ("left", "bottom"))
        self._title = self.ax.set_title("", fontsize=TITLE_SIZE, loc="left", pad=7)
        self._message: Any = None
        self._ends = [np.zeros(2), np.zeros(2)]
        spines = list(self.ax.spines.values())
        self.part = loop.add_part(region, [self.ax.xaxis, self.ax.yaxis], spines, [self._title])

    def fail(self, message: str) -> None:
        """Show why there is nothing instead."""
        self._clear()
        if self._message is None:
            self._message = message_on(self.ax, message)
            self.part.add(self._message, 1)
        self._message.set_text(message)
        self.part.changed(0)

    def remove(self, loop: CanvasLoop) -> None:
        """Make room for another."""
        loop.painter.parts.remove(self.part)
        self.ax.remove()

    def _clear(self) -> None:
        """Draw nothing but the axes."""

    def _begin(self, title: str) -> None:
        if self._message is not None:
            self.part.remove(self._message)
            self._message = None
        if title != self._title.get_text():
            self._title.set_text(title)
            self.part.changed(2)
        self.part.changed(1)

    def _reach(self, x: tuple[float, float], values: Any, logarithmic: bool) -> None:
        """Let the axes reach from the least to the largest; they stay as they are where that suits, as ticks cost."""
        scale = "log" if logarithmic else "linear"
        known = values[np.isfinite(values)]
        if logarithmic:
            known = np.log10(known[known > known.max() / 1e8])
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        low = 0.0 if not logarithmic and 0 <= low < 0.5 * high else low
        room = _ROOM * (high - low) or 0.5 * (abs(high) or 1.0)
        ends = np.array([low if low == 0 and not logarithmic else low - room, high + room])
        if scale != self.ax.get_yscale() or not _suits(self._ends[1], ends, _SPARE):
            self.ax.set_yscale(scale)
            self.ax.set_ylim(*(10**ends if logarithmic else ends))
            self._ends[1] = ends
            self.part.changed(0)
        across = np.array(x)
        if not _suits(self._ends[0], across, self._spare_across):
            self.ax.set_xlim(*across)
            self._ends[0] = across
            self.part.changed(0)


def _suits(present: NDArray[np.float64], wanted: NDArray[np.float64], spare: float) -> bool:
    """Whether an axis may stay: it holds what it has to, and leaves at most so much of itself unused."""
    inside = bool(present[0] <= wanted[0] and wanted[1] <= present[1])
    return inside and bool(np.ptp(wanted) >= (1 - spare) * np.ptp(present))


class CurveView(PlotView):
    """A curve over an axis that may change; logarithmic where values are positive and of very different size."""

    _spare_across = 1e-9

    def __init__(self, loop: CanvasLoop, region: Bbox, place: Bbox, curve: Curve) -> None:
        axis = curve.axis
        super().__init__(loop, region, place, (f"{axis.name} ({unit_text(axis.units)})", curve.label))
        (self._line,) = self.ax.plot([], [], color=_LINE_COLOR, linewidth=1.2)
        self.part.add(self._line, 1)

    def show(self, curve: Curve) -> None:
        """Show another curve."""
        self._begin(curve.title)
        x, values = curve.axis.axis, np.asarray(curve.values, np.float64)
        self._line.set_data(x, values)
        known = values[np.isfinite(values)]
        above = known[known > 0]
        half = abs(curve.axis.scale) / 2
        wide = bool(above.size > 0.9 * known.size and above.size and above.max() > 300 * np.quantile(above, 0.05))
        self._reach((float(x.min()) - half, float(x.max()) + half), values, wide)

    def _clear(self) -> None:
        self._line.set_data([], [])


class ScatterView(PlotView):
    """Points of several colours, and a line where a threshold is."""

    def __init__(self, loop: CanvasLoop, region: Bbox, place: Bbox, points: Scatter) -> None:
        super().__init__(loop, region, place, points.names)
        self._points = self.ax.scatter([], [], s=9, linewidths=0.4, edgecolors="0.25")
        self._threshold = self.ax.axvline(0, color="#c0392b", linewidth=1.0, linestyle="--", visible=False)
        self.part.add(self._points, 1)
        self.part.add(self._threshold, 1)

    def show(self, points: Scatter) -> None:
        """Show other points."""
        self._begin(points.title)
        self._points.set_offsets(np.column_stack([points.x, points.y]).reshape(-1, 2))
        self._points.set_facecolors(points.colors)
        known = points.x[np.isfinite(points.x)]
        ends = [float(known.min()), float(known.max())] if known.size else [0.0, 1.0]
        if points.line is not None:
            ends = [min(ends[0], points.line), max(ends[1], points.line)]
            self._threshold.set_xdata([points.line] * 2)
        self._threshold.set_visible(points.line is not None)
        room = _ROOM * (ends[1] - ends[0]) or 0.5
        wide = bool((points.y > 0).any() and points.y.max(initial=0.0) > 20)
        self._reach((ends[0] - room, ends[1] + room), points.y, wide)

    def _clear(self) -> None:
        self._points.set_offsets(np.empty((0, 2)))
        self._threshold.set_visible(False)


def draw_legend(ax: Any, key: Sequence[tuple[str, str]]) -> Any:
    """Names of colours in a corner of the picture."""
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=4.5, color=color, markeredgewidth=0, label=name)
        for name, color in key
    ]
    legend = ax.legend(
        handles=handles, loc="upper right", frameon=True, framealpha=0.6, facecolor="black", edgecolor="none",
        labelcolor="white", fontsize=FONT_SIZE - 0.5, handletextpad=0.1, borderpad=0.3, labelspacing=0.2,
        borderaxespad=0.3,
    )  # fmt: skip
    legend.set_zorder(6)
    return legend


def message_on(ax: Any, text: str) -> Any:
    """A message in the middle of axes."""
    return ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=FONT_SIZE, color="0.15",
        bbox={"facecolor": "white", "edgecolor": "#c0392b", "linewidth": 0.8, "boxstyle": "round,pad=0.4"},
    )  # fmt: skip
