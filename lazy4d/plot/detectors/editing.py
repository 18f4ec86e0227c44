"""How regions are taken hold of and changed by a mouse: handles, outlines and what a drag makes of their numbers.

Everything is in pixels of the plane, x first; nothing here draws. An editor is made of a region as it is when the
button goes down, so that a drag starts from there however many motions it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis, Item
from lazy4d.roi import ROI, CircleROI, EllipseROI, LineROI, PolygonROI, RectangleROI, SpanROI
from lazy4d.roi.kinds import length_like, place_like
from lazy4d.roi.shapes import _pixel_step

Point = tuple[float, float]
Line = NDArray[np.float64]
"""Points (x, y) of a line, float64 [n, 2]."""

MOVE = "move"
_LEAST = 0.5
"""Pixels of the smallest radius, of a ring and of a width."""


class Editor:
    """A region on two axes, ready to be changed by dragging one of its handles.

    Parameters
    ----------
    roi : ROI
        The region; it is not changed.
    axes : (Axis, Axis)
        x and y; one axis for a span.

    Examples
    --------
    >>> axes = l4.Axis(name="kx", size=16), l4.Axis(name="ky", size=16)
    >>> editor = editor_of(l4.CircleROI(8, 8, 3), axes)
    >>> editor.handles
    {'move': (8.0, 8.0), 'r': (11.0, 8.0)}
    >>> editor.dragged("r", (11, 8), (13.2, 8))
    {'r': 5}
    >>> editor.dragged("move", (8, 8), (9.7, 6.2))
    {'cx': 10, 'cy': 6}
    """

    def __init__(self, roi: Any, axes: Sequence[Axis]) -> None:
        self.roi = roi
        self.x, self.y = axes[0], axes[-1]

    @property
    def handles(self) -> dict[str, Point]:
        """Where the region can be taken hold of, by name."""
        return {}

    @property
    def lines(self) -> list[Line]:
        """Its outline: closed lines, the outer one first."""
        return []

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """The numbers that change when a handle is dragged from one point to another, in the kinds they have.

        Parameters
        ----------
        handle : str
            One of `handles`, or "move".
        start, now : (x, y)
            Where the button went down, and where the mouse is.
        """
        return {}

    def _px(self, item: Item) -> float:
        return self.x.to_pixels(item)

    def _py(self, item: Item) -> float:
        return self.y.to_pixels(item)

    def _moved(self, name_x: str, name_y: str, by: Point) -> dict[str, Any]:
        """One point of the region moved."""
        x, y = getattr(self.roi, name_x), getattr(self.roi, name_y)
        return {
            name_x: place_like(x, self.x, self._px(x) + by[0]),
            name_y: place_like(y, self.y, self._py(y) + by[1]),
        }

    def _steps(self, *lengths: Item) -> tuple[float, float]:
        """Width and height of a pixel in the terms in which lengths are given."""
        return _pixel_step(self.x, self.y, lengths, self.roi)


class CircleEditor(Editor):
    """A disk or a ring: centre, rim and inner rim."""

    def __init__(self, roi: CircleROI, axes: Sequence[Axis]) -> None:
        super().__init__(roi, axes)
        self._center = self._px(roi.cx), self._py(roi.cy)
        self._step = self._steps(roi.r, roi.r_inner)
        self._r, self._inner = self.x.length_to_pixels(roi.r), self.x.length_to_pixels(roi.r_inner)

    @property
    def handles(self) -> dict[str, Point]:
        """Centre, a point of the rim, and of the inner rim where there is one."""
        (cx, cy), wide = self._center, abs(self._step[0])
        found = {MOVE: (cx, cy), "r": (cx + self._r / wide, cy)}
        return found | ({"r_inner": (cx - self._inner / wide, cy)} if self._inner else {})

    @property
    def lines(self) -> list[Line]:
        """The rims."""
        wide, high = (abs(one) for one in self._step)
        return [_ellipse(self._center, (r / wide, r / high)) for r in (self._r, self._inner) if r]

    def distance(self, point: Point) -> float:
        """Of a point from the centre, as radii count."""
        (cx, cy), (wide, high) = self._center, self._step
        return math.hypot((point[0] - cx) * wide, (point[1] - cy) * high)

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """A centre elsewhere, or another radius; a rim never passes the other."""
        roi = self.roi
        if handle == MOVE:
            return self._moved("cx", "cy", _between(start, now))
        change = self.distance(now) - self.distance(start)
        whole = isinstance(roi.r, int) or isinstance(roi.r_inner, int)
        gap = 1.0 if whole else _LEAST
        if handle == "r":
            least = self._inner + gap if self._inner else _LEAST
            return {"r": length_like(roi.r, self.x, max(self._r + change, least), _LEAST)}
        kind = roi.r_inner if self._inner else roi.r
        begin = self._inner or self._r  # a hole begins at the outer rim
        inner = min(max(begin + change, 0.0), self._r - gap)
        return {"r_inner": length_like(kind, self.x, max(inner, 0.0))}


class RectangleEditor(Editor):
    """An upright rectangle: edges and corners. Edges in whole pixels are drawn between the pixels."""

    sides: tuple[str, ...] = ("left", "top", "right", "bottom")

    def __init__(self, roi: RectangleROI | SpanROI, axes: Sequence[Axis]) -> None:
        super().__init__(roi, axes)
        self._at = {side: self._edge(side) for side in self.sides}

    def _axis(self, side: str) -> Axis:
        return self.y if side in ("top", "bottom") else self.x

    def _edge(self, side: str) -> float:
        item = getattr(self.roi, side)
        return self._axis(side).to_pixels(item) - (0.5 if isinstance(item, int) else 0.0)

    @property
    def handles(self) -> dict[str, Point]:
        """Middles of edges, and corners."""
        left, top, right, bottom = (self._at[side] for side in self.sides)
        x, y = (left + right) / 2, (top + bottom) / 2
        return {
            "left top": (left, top), "right top": (right, top), "left bottom": (left, bottom),
            "right bottom": (right, bottom), "left": (left, y), "right": (right, y), "top": (x, top),
            "bottom": (x, bottom),
        }  # fmt: skip

    @property
    def lines(self) -> list[Line]:
        """The four edges."""
        left, top, right, bottom = (self._at[side] for side in self.sides)
        return [_closed([(left, top), (right, top), (right, bottom), (left, bottom)])]

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """Other edges; one pixel is left at least."""
        by = dict(zip("xy", _between(start, now), strict=True))
        if handle == MOVE:
            return {side: self._said(side, self._at[side] + by[self._letter(side)]) for side in self.sides}
        found = {}
        for side in handle.split():
            other = self._at[_OPPOSITE[side]]
            sense = math.copysign(1.0, self._at[side] - other)
            place = self._at[side] + by[self._letter(side)]
            found[side] = self._said(side, other + sense * max(sense * (place - other), 1.0))
        return found

    @staticmethod
    def _letter(side: str) -> str:
        return "y" if side in ("top", "bottom") else "x"

    def _said(self, side: str, pixel: float) -> Item:
        item = getattr(self.roi, side)
        return place_like(item, self._axis(side), pixel + (0.5 if isinstance(item, int) else 0.0))


_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


class SpanEditor(RectangleEditor):
    """A span of one axis: both ends."""

    sides = ("left", "right")

    @property
    def handles(self) -> dict[str, Point]:
        """Both ends; their y means nothing."""
        return {side: (self._at[side], 0.5) for side in self.sides}

    @property
    def lines(self) -> list[Line]:
        """From 0 to 1 across the axis."""
        left, right = (self._at[side] for side in self.sides)
        return [_closed([(left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0)])]


class EllipseEditor(Editor):
    """An ellipse: centre, ends of both axes, and one to turn it by."""

    def __init__(self, roi: EllipseROI, axes: Sequence[Axis]) -> None:
        super().__init__(roi, axes)
        self._center = self._px(roi.cx), self._py(roi.cy)
        self._step = self._steps(roi.rx, roi.ry)
        self._radii = self.x.length_to_pixels(roi.rx), self.x.length_to_pixels(roi.ry)
        turn = math.radians(roi.angle)
        self._along = np.array([math.cos(turn), math.sin(turn)])
        self._across = np.array([-math.sin(turn), math.cos(turn)])

    def _at(self, vector: NDArray[np.float64]) -> Point:
        """A point from its distance from the centre, in the terms of the radii."""
        return float(self._center[0] + vector[0] / self._step[0]), float(self._center[1] + vector[1] / self._step[1])

    @property
    def handles(self) -> dict[str, Point]:
        """Centre, the ends of the axes, and the end by which it is turned."""
        a, b = self._radii
        return {
            MOVE: self._center,
            "rx": self._at(a * self._along),
            "ry": self._at(b * self._across),
            "angle": self._at(-a * self._along),
        }

    @property
    def lines(self) -> list[Line]:
        """The rim."""
        t = np.linspace(0, 2 * np.pi, 97)[:, None]
        rim = np.cos(t) * self._radii[0] * self._along + np.sin(t) * self._radii[1] * self._across
        return [np.asarray(self._center) + rim / np.asarray(self._step)]

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """A centre elsewhere, another axis, or another direction."""
        if handle == MOVE:
            return self._moved("cx", "cy", _between(start, now))
        vector = (np.asarray(now, np.float64) - self._center) * self._step
        if handle == "angle":
            if not vector.any():
                return {}
            return {"angle": round(math.degrees(math.atan2(-vector[1], -vector[0])), 1)}
        axis, before = (self._along, self._radii[0]) if handle == "rx" else (self._across, self._radii[1])
        first = (np.asarray(start, np.float64) - self._center) * self._step
        radius = before + float(vector @ axis) - float(first @ axis)
        return {handle: length_like(getattr(self.roi, handle), self.x, max(radius, _LEAST), _LEAST)}


class PolygonEditor(Editor):
    """A polygon: its corners."""

    def __init__(self, roi: PolygonROI, axes: Sequence[Axis]) -> None:
        super().__init__(roi, axes)
        self._points = [(self._px(x), self._py(y)) for x, y in roi.vertices]

    @property
    def handles(self) -> dict[str, Point]:
        """Every corner."""
        return {str(k): point for k, point in enumerate(self._points)}

    @property
    def lines(self) -> list[Line]:
        """The edges."""
        return [_closed(self._points)]

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """One corner elsewhere, or all."""
        dx, dy = _between(start, now)
        vertices = list(self.roi.vertices)
        for k in range(len(vertices)) if handle == MOVE else [int(handle)]:
            (x, y), (px, py) = vertices[k], self._points[k]
            vertices[k] = place_like(x, self.x, px + dx), place_like(y, self.y, py + dy)
        return {"vertices": tuple(vertices)}


class LineEditor(Editor):
    """A line with a width: both ends, and an edge."""

    def __init__(self, roi: LineROI, axes: Sequence[Axis]) -> None:
        super().__init__(roi, axes)
        self._ends = np.array([[self._px(roi.x1), self._py(roi.y1)], [self._px(roi.x2), self._py(roi.y2)]])
        self._step = np.asarray(self._steps(roi.linewidth))
        self._half = self.x.length_to_pixels(roi.linewidth) / 2
        along = (self._ends[1] - self._ends[0]) * self._step
        length = math.hypot(*along)
        along = along / length if length else np.array([1.0, 0.0])
        self._across = np.array([-along[1], along[0]])

    @property
    def handles(self) -> dict[str, Point]:
        """Both ends, the middle, and the middle of an edge."""
        middle = self._ends.mean(axis=0)
        edge = middle + self._half * self._across / self._step
        return {
            "start": _point(self._ends[0]),
            "end": _point(self._ends[1]),
            MOVE: _point(middle),
            "linewidth": _point(edge),
        }

    @property
    def lines(self) -> list[Line]:
        """The band, and the line in its middle."""
        aside = self._half * self._across / self._step
        band = [self._ends[0] - aside, self._ends[1] - aside, self._ends[1] + aside, self._ends[0] + aside]
        return [_closed(band), self._ends]

    def dragged(self, handle: str, start: Point, now: Point) -> dict[str, Any]:
        """Other ends, or another width."""
        by = _between(start, now)
        if handle == "linewidth":
            width = 2 * (self._half + float(np.asarray(by) * self._step @ self._across))
            return {handle: length_like(self.roi.linewidth, self.x, max(width, 1.0), _LEAST)}
        found: dict[str, Any] = {}
        if handle in (MOVE, "start"):
            found |= self._moved("x1", "y1", by)
        if handle in (MOVE, "end"):
            found |= self._moved("x2", "y2", by)
        return found


_EDITORS: dict[type[ROI], type[Editor]] = {
    CircleROI: CircleEditor,
    EllipseROI: EllipseEditor,
    LineROI: LineEditor,
    PolygonROI: PolygonEditor,
    RectangleROI: RectangleEditor,
    SpanROI: SpanEditor,
}


def editor_of(roi: ROI, axes: Sequence[Axis]) -> Editor | None:
    """The editor for a region; None for one without handles, which is painted.

    Examples
    --------
    >>> axes = l4.Axis(name="x", size=9), l4.Axis(name="y", size=9)
    >>> sorted(editor_of(l4.RectangleROI(1, 1, 4, 4), axes).handles)[:3]
    ['bottom', 'left', 'left bottom']
    """
    kind = next((kind for kind in _EDITORS if isinstance(roi, kind)), None)
    return None if kind is None else _EDITORS[kind](roi.copy(), axes)


def _between(start: Point, now: Point) -> Point:
    return now[0] - start[0], now[1] - start[1]


def _point(place: NDArray[np.float64]) -> Point:
    return float(place[0]), float(place[1])


def _closed(points: Sequence[Any]) -> Line:
    return np.asarray([*points, points[0]], np.float64)


def _ellipse(center: Point, radii: Point) -> Line:
    t = np.linspace(0, 2 * np.pi, 97)
    return np.column_stack([center[0] + radii[0] * np.cos(t), center[1] + radii[1] * np.sin(t)])
