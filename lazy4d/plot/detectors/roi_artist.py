"""A region drawn on axes, dragged and resized with the mouse, and following when it is changed in code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from lazy4d.axes import Axis
from lazy4d.plot.colors import DETECTORS
from lazy4d.plot.detectors.dragging import apply_drag
from lazy4d.plot.detectors.editing import MOVE, Editor, Point, editor_of
from lazy4d.plot.detectors.pointer import pointer_of
from lazy4d.plot.outline import mask_outline
from lazy4d.roi import ROI, PaintedROI, SpanROI

REACH = 9.0
"""Points of the screen within which a handle, or a rim, is taken hold of."""

_HANDLE = 5.5
_RIMS = {"CircleROI": ("r", "r_inner"), "LineROI": (MOVE, MOVE)}
_FILL = 0.06


class RoiArtist:
    """A region on a picture: an outline that can be taken by its handles, its rim or its inside.

    Dragging changes the region, with one ``changed`` event for each motion; changing the region in code moves the
    picture. Numbers keep the kind that they have: pixels stay whole, values stay in axis units, text keeps its unit. A
    drag that would leave the region without a pixel, or outside the axes, stops there.

    A painted region is painted with the left button and erased with the right one (or with Shift); the wheel changes
    the size of the brush. On a circle, dragging its rim with Shift makes a ring.

    Parameters
    ----------
    ax : matplotlib Axes
        Shows the plane of the region.
    roi : ROI
        The region.
    axes : (Axis, Axis)
        x and y; one axis for a span.
    color : str, optional
        Of outline and handles.
    coordinates : {"pixels", "values"}, optional
        What the coordinates of `ax` are.
    handles : bool, optional
        Whether its handles are drawn.
    redraw : callable, optional
        Called after the picture of the region changed, instead of drawing the canvas again.
    label : str, optional
        Written beside it.

    Attributes
    ----------
    artists : list of Artist
        What is drawn, from below to above; for drawing a part of a figure alone.
    brush : float
        Radius in pixels of the brush for painted regions.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> shown = ax.imshow(np.zeros((16, 16)))
    >>> circle = l4.CircleROI(8, 8, 3)
    >>> artist = RoiArtist(ax, circle, (d.axes_manager["kx"], d.axes_manager["ky"]))
    >>> circle.cx = 4
    >>> artist.handles["r"]
    (7.0, 8.0)
    >>> artist.close()
    """

    def __init__(
        self,
        ax: Axes,
        roi: ROI,
        axes: Sequence[Axis],
        *,
        color: str = DETECTORS[0],
        coordinates: str = "pixels",
        handles: bool = True,
        redraw: Callable[[], None] | None = None,
        label: str = "",
    ) -> None:
        self.ax, self.roi, self.axes, self.color = ax, roi, tuple(axes), color
        self.brush = max(1.0, 0.02 * max(axis.size for axis in axes))
        self.redraw = redraw or self._draw_idle
        self._in_values = coordinates == "values"
        self._editor: Editor | None = None
        self._held: tuple[str, Point, Editor | None] | None = None
        self._last: Point | None = None
        self._erasing = False
        self._is_span = isinstance(roi, SpanROI)
        transform = ax.get_xaxis_transform() if self._is_span else ax.transData
        halo = withStroke(linewidth=2.8, foreground="black", alpha=0.55)
        self._area = PathPatch(
            Path(np.zeros((1, 2))), facecolor=to_rgba(color, _FILL), edgecolor="none", transform=transform, zorder=5
        )
        self._rims = LineCollection(
            [], colors=color, linewidths=1.3, path_effects=[halo], transform=transform, zorder=6, capstyle="projecting"
        )
        self._marks = Line2D(
            [], [], linestyle="", marker="s", markersize=_HANDLE, markerfacecolor="white", markeredgecolor=color,
            markeredgewidth=1.2, transform=transform, zorder=7, visible=handles,
        )  # fmt: skip
        self._tip = Line2D([], [], color=color, linewidth=0.8, linestyle=":", transform=transform, zorder=7)
        self._name = ax.text(
            0, 0, label, color=color, fontsize=7.5, transform=transform, zorder=7, clip_on=True, va="bottom",
            path_effects=[withStroke(linewidth=1.8, foreground="black", alpha=0.75)],
        )  # fmt: skip
        self.artists: list[Artist] = [self._area, self._rims, self._marks, self._tip, self._name]
        ax.add_patch(self._area)
        ax.add_collection(self._rims, autolim=False)
        for mark in (self._marks, self._tip):
            ax.add_artist(mark)
        self.refresh(redraw=False)
        roi.observe(self._changed, "changed", dispatch="same")
        pointer_of(ax.figure.canvas).add(self)

    # -- showing -----------------------------------------------------------------------------------------------------

    @property
    def handles(self) -> dict[str, Point]:
        """Where the region can be taken hold of, by name, in pixels."""
        return {} if self._editor is None else self._editor.handles

    def refresh(self, redraw: bool = True) -> None:
        """Draw the region as it is now; where that cannot be said on these axes, nothing."""
        try:
            self._editor = editor_of(self.roi, self.axes)
            lines = self._outline() if self._editor is None else self._editor.lines
        except ValueError:  # a unit that does not fit the axes any more
            self._editor, lines = None, []
        shown = [self._shown(line) for line in lines]
        self._rims.set_segments(shown)
        self._area.set_path(self._filled(shown))
        places = [self._shown(np.asarray([point]))[0] for point in self.handles.values()]
        self._marks.set_data(*(np.asarray(places).T if places else ([], [])))
        if shown:
            corner = np.concatenate(shown)
            self._name.set_position((corner[:, 0].min(), corner[:, 1].max() if self._goes_up else corner[:, 1].min()))
        if redraw:
            self.redraw()

    @property
    def _goes_up(self) -> bool:
        low, high = self.ax.get_ylim()
        return high > low

    def _outline(self) -> list[Any]:
        if isinstance(self.roi, PaintedROI):
            return list(mask_outline(self.roi._mask(*self.axes)))
        return []

    def _filled(self, lines: list[Any]) -> Path:
        """The inside of the outline, a ring without its hole."""
        if self._editor is None or not lines:
            return Path(np.zeros((1, 2)))
        parts = [Path(line, closed=True) for line in (lines if type(self.roi).__name__ == "CircleROI" else lines[:1])]
        if len(parts) > 1:
            parts[1] = Path(lines[1][::-1], closed=True)
        return Path.make_compound_path(*parts)

    def _shown(self, line: Any) -> Any:
        """Points in the coordinates of the axes."""
        points = np.array(line, np.float64)
        if self._in_values:
            points[:, 0] = self.axes[0].index2value(points[:, 0])
            if not self._is_span:
                points[:, 1] = self.axes[1].index2value(points[:, 1])
        return points

    def _changed(self, event: Any) -> None:
        self.refresh()

    def _draw_idle(self) -> None:
        self.ax.figure.canvas.draw_idle()

    # -- the mouse ---------------------------------------------------------------------------------------------------

    def pixel_at(self, event: Any) -> Point:
        """Where the mouse is in pixels of the plane, brought back to the edge if it is outside."""
        x, y = self.ax.transData.inverted().transform((event.x, event.y))
        first, last = self.axes[0], self.axes[-1]
        if self._in_values:
            x = (x - first.offset) / first.scale
            y = y if self._is_span else (y - last.offset) / last.scale
        x = min(max(float(x), -0.5), first.size - 0.5)
        return x, float(y) if self._is_span else min(max(float(y), -0.5), last.size - 0.5)

    def hit(self, event: Any) -> tuple[str, float] | None:
        """What the mouse would take hold of, and how far away it is, in points; None for nothing."""
        if event.inaxes is not self.ax:
            return None
        if isinstance(self.roi, PaintedROI):
            return "paint", 0.9 * REACH
        if self._editor is None:
            return None
        here, scale = np.array([event.x, event.y]), 72.0 / self.ax.figure.dpi
        found: list[tuple[float, str]] = []
        for name, place in self.handles.items():
            aside = self._on_screen(np.asarray([place]))[0] - here
            far = abs(aside[0]) if self._is_span else np.hypot(*aside)
            found.append((float(far) * scale, name))
        best = min(found)
        if best[0] <= REACH:
            return best[1], best[0]
        for line, name in zip(self._editor.lines, _RIMS.get(type(self.roi).__name__, ()), strict=False):
            far = _distance(self._on_screen(line), here) * scale
            if far <= 0.6 * REACH:
                return self._rim_name(name, event), far
        path = self._area.get_path()
        transform = self._area.get_transform()
        if path.transformed(transform).contains_point((event.x, event.y)):
            return MOVE, REACH
        return None

    def _rim_name(self, name: str, event: Any) -> str:
        if name == "r" and event.key == "shift":
            return "r_inner"
        return name

    def _on_screen(self, points: Any) -> Any:
        transform = self.ax.get_xaxis_transform() if self._is_span else self.ax.transData
        return transform.transform(self._shown(points))

    @property
    def extent(self) -> float:
        """Area of the rectangle around it, in pixels; a smaller region lies above a larger one for the mouse."""
        if self._editor is None:
            return np.inf
        corner = self._editor.lines[0]
        return float(np.prod(corner.max(axis=0) - corner.min(axis=0)))

    def press(self, event: Any, handle: str) -> None:
        """Take hold of a handle."""
        point = self.pixel_at(event)
        if handle == "r" and event.key == "shift":
            handle = "r_inner"
        self._held = handle, point, editor_of(self.roi, self.axes)
        self._erasing = event.button == 3 or event.key == "shift"
        self._last = point
        if handle == "paint":
            self._paint([point])

    def drag(self, event: Any) -> None:
        """Follow the mouse with what is held."""
        if self._held is None:
            return
        handle, start, editor = self._held
        point = self.pixel_at(event)
        if handle == "paint":
            self._paint([self._last or point, point])
        elif editor is not None:
            values = editor.dragged(handle, start, point)
            if not apply_drag(self.roi, self.axes, values) and handle == MOVE:
                return
        self._last = point

    def _paint(self, path: list[Point]) -> None:
        """Paint or erase; the last pixel stays."""
        if not isinstance(self.roi, PaintedROI):
            return
        if self._erasing:
            trial = self.roi.copy()
            trial.paint(path, self.brush, erase=True)
            if not trial._mask(*self.axes).any():
                return
        self.roi.paint(path, self.brush, erase=self._erasing)

    @property
    def is_painted(self) -> bool:
        """Whether it is painted with a brush rather than dragged."""
        return isinstance(self.roi, PaintedROI)

    @property
    def is_held(self) -> bool:
        """Whether the mouse holds it."""
        return self._held is not None

    def release(self) -> None:
        """Let go."""
        self._held = self._last = None

    def scroll(self, event: Any) -> None:
        """Make the brush larger or smaller."""
        self.brush = float(min(max(self.brush * 1.2**event.step, 0.5), max(axis.size for axis in self.axes)))
        self.hover(event)

    def hover(self, event: Any) -> None:
        """Show what the brush would cover."""
        if not isinstance(self.roi, PaintedROI):
            return
        t = np.linspace(0, 2 * np.pi, 49)
        inside = event is not None and event.inaxes is self.ax
        center = np.asarray(self.pixel_at(event) if inside else (np.nan, np.nan))
        self._tip.set_data(*self._shown(center + self.brush * np.column_stack([np.cos(t), np.sin(t)])).T)
        self.redraw()

    def close(self) -> None:
        """Take the picture of the region away and follow it no more."""
        self.roi.observe(self._changed, "changed", dispatch="same", remove=True)
        pointer_of(self.ax.figure.canvas).remove(self)
        for artist in self.artists:
            if artist.axes is not None:
                artist.remove()


def _distance(line: Any, point: Any) -> float:
    """Of a point from a line of straight pieces."""
    start, end = line[:-1], line[1:]
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((point - start) * along).sum(axis=1) / length, 0, 1)
    return float(np.hypot(*(start + share[:, None] * along - point).T).min())
