"""Regions carried over to other axes of the same plane, as a crop, a rebinning or a shift of the zero makes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis, Item, difference, parse
from lazy4d.roi.kinds import length_like, place_like
from lazy4d.roi.line import LineROI, SpanROI
from lazy4d.roi.painted import PaintedROI
from lazy4d.roi.region import ROI
from lazy4d.roi.shapes import CircleROI, EllipseROI, PolygonROI, RectangleROI

_DIGITS = 9  # decimals of a pixel that are kept: as many as tell pixels apart


@dataclass(frozen=True)
class _Change:
    """One axis before and after."""

    before: Axis
    after: Axis
    by_value: bool

    @property
    def factor(self) -> float:
        """New pixels an old one spans; negative where the direction is turned."""
        return self.before.scale / self.after.scale if self.by_value else 1.0

    def pixel(self, pixel: Any) -> Any:
        """Where an old pixel coordinate lies among the new pixels."""
        if not self.by_value:
            return pixel
        return np.round((self.before.index2value(pixel) - self.after.offset) / self.after.scale, _DIGITS)

    def old_centres(self) -> NDArray[np.float64]:
        """Where the centres of the new pixels lie among the old ones."""
        centres = np.arange(self.after.size, dtype=np.float64)
        if self.by_value:
            centres = (self.after.index2value(centres) - self.before.offset) / self.before.scale
        return np.round(centres, _DIGITS - 2)  # that of an axis of 10 000 pixels is no better

    def old_pixels(self) -> NDArray[np.int64]:
        """The old pixel that holds the centre of each new one; outside the old axis where there was none."""
        return np.floor(self.old_centres() + 0.5).astype(np.int64)

    @property
    def on_pixels(self) -> bool:
        """Whether each new pixel is one of the old ones (a stride, a reversal), not a mixture of them."""
        centres = self.old_centres()
        return bool((centres == np.floor(centres)).all())

    def place(self, item: Item) -> Item:
        """A place on the new axis."""
        if self.by_value and not isinstance(item, int):
            return item
        return self._said(item, float(self.pixel(self.before.to_pixels(item))))

    def edges(self, low: Item, high: Item) -> tuple[Item, Item]:
        """Two edges on the new axis, the lower first: whole numbers stand for the boundary before that pixel."""
        first, last = self.place(low), self.place(high)
        if isinstance(low, int) and isinstance(high, int):
            bounds = sorted(float(self.pixel(item - 0.5)) for item in (low, high))
            whole = [round(bound + 0.5) for bound in bounds if (bound + 0.5).is_integer()]
            if len(whole) == 2:
                return whole[0], whole[1]
            first, last = (place_like(0.0, self.after, bound, _DIGITS) for bound in bounds)
        gap = difference(last, first)
        return (last, first) if gap is not None and gap < 0 else (first, last)

    def length(self, item: Item) -> Item:
        """A length along the new axis."""
        if self.by_value and not self.in_pixels(item):
            return item
        pixels = self.length_in_pixels(item)
        kind = item if pixels == round(pixels) else 0.0
        return length_like(kind if isinstance(item, int) else item, self.after, pixels, digits=_DIGITS)

    def length_in_pixels(self, item: Item) -> float:
        """New pixels that a length spans."""
        return self.before.length_to_pixels(item) * abs(self.factor)

    def in_pixels(self, item: Item) -> bool:
        """Whether a length counts pixels, as an int or as "3.5 px" on an axis that has another unit."""
        return isinstance(item, int) or (isinstance(item, str) and self.before.units != "px" and parse(item)[1] == "px")

    def _said(self, item: Item, pixel: float) -> Item:
        """A new place as the old one was said; pixels that are no whole ones in axis units."""
        kind = 0.0 if isinstance(item, int) and pixel != round(pixel) else item
        return place_like(kind, self.after, pixel, _DIGITS)


def regridded(roi: ROI, before: Sequence[Axis], after: Sequence[Axis], *, by_value: bool) -> ROI | None:
    """Return a region as it is on other axes of the same plane; None where nothing of it is left.

    Parameters
    ----------
    roi
        The region; it is not changed.
    before, after
        The axes, x-first (two; one for a `SpanROI`).
    by_value
        Whether places keep their values (a crop, a rebinning, a reversal), or their pixels (the zero moved, or units
        changed).

    Returns
    -------
    ROI or None
        Of the same shape where that is possible, its numbers in the kinds they had; whole pixels that become fractions
        are given in axis units. A shape that the new pixels cannot have (a circle in pixels after a rebinning along
        one axis) becomes a `PaintedROI` of the pixels that it covered.

    Examples
    --------
    >>> from lazy4d.roi import CircleROI
    >>> k = Axis(name="kx", size=16), Axis(name="ky", size=16)
    >>> regridded(CircleROI(8, 8, 3), k, [one.sliced(slice(4, 12)) for one in k], by_value=True)
    CircleROI(cx=4, cy=4, r=3, r_inner=0)
    >>> regridded(CircleROI(8, 8, 3), k, [one.rebinned(2) for one in k], by_value=True)
    CircleROI(cx=8.0, cy=8.0, r=3.0, r_inner=0)
    """
    changes = [_Change(old, new, by_value) for old, new in zip(before, after, strict=True)]
    try:
        moved = _moved(roi, changes)
    except ValueError:  # the numbers contradict each other on the new axes
        moved = None
    try:
        if moved is None or not _same_pixels(moved, roi, changes):
            moved = _sampled(roi, changes)
        if moved is not None:
            moved.mask(after)
    except ValueError:  # no pixel is left
        return None
    return moved


def exchanged(roi: ROI, axes: Sequence[Axis]) -> ROI:
    """Return a region as it is where both axes of its plane are exchanged.

    Parameters
    ----------
    roi
        The region; it is not changed.
    axes
        The two axes before, x-first.

    Raises
    ------
    ValueError
        No pixel belongs.

    Examples
    --------
    >>> from lazy4d.roi import RectangleROI
    >>> exchanged(RectangleROI(0, 1, 4, 3), (Axis(name="x", size=8), Axis(name="y", size=6)))
    RectangleROI(left=1, top=0, right=3, bottom=4)
    """
    mask = roi.mask(axes).T
    try:
        found = _with_axes_exchanged(roi)
        if found is not None and bool((found.mask(axes[::-1]) == mask).all()):
            return found
    except ValueError:  # a unit that the other axis does not have
        pass
    return PaintedROI.from_mask(mask)


def _with_axes_exchanged(roi: ROI) -> ROI | None:
    """The same shape, x for y; None for none that has one."""
    if isinstance(roi, RectangleROI):
        return RectangleROI(roi.top, roi.left, roi.bottom, roi.right)
    if isinstance(roi, PolygonROI):
        return PolygonROI([(y, x) for x, y in roi.vertices])
    if isinstance(roi, LineROI):
        return LineROI(roi.y1, roi.x1, roi.y2, roi.x2, roi.linewidth)
    if isinstance(roi, CircleROI):
        return CircleROI(roi.cy, roi.cx, roi.r, roi.r_inner)
    if isinstance(roi, EllipseROI):
        return EllipseROI(roi.cy, roi.cx, roi.rx, roi.ry, 90 - roi.angle)
    return None


def _same_pixels(moved: ROI, roi: ROI, changes: list[_Change]) -> bool:
    """Whether a shape on the new axes covers the pixels it did, where a stride or a reversal makes that a question."""
    if all(change.factor == 1 for change in changes) or not all(change.on_pixels for change in changes):
        return True
    covered, known = _carried_mask(roi, changes)
    try:
        now = moved.mask([change.after for change in changes])
    except ValueError:
        return not covered.any()
    return bool((now == covered)[known].all())


def _moved(roi: ROI, changes: list[_Change]) -> ROI | None:
    """The same shape on the new axes; None where they cannot have it."""
    if isinstance(roi, SpanROI):
        return SpanROI(*changes[0].edges(roi.left, roi.right))
    if isinstance(roi, PaintedROI):
        return roi.copy() if not changes[0].by_value else None
    x, y = changes
    if isinstance(roi, RectangleROI):
        (left, right), (top, bottom) = x.edges(roi.left, roi.right), y.edges(roi.top, roi.bottom)
        return RectangleROI(left, top, right, bottom)
    if isinstance(roi, PolygonROI):
        return PolygonROI([(x.place(u), y.place(v)) for u, v in roi.vertices])
    lengths = [roi.linewidth] if isinstance(roi, LineROI) else [getattr(roi, n) for n in roi._fields if n[0] == "r"]
    turned = isinstance(roi, EllipseROI) and roi.angle % 180 != 0 and x.factor * y.factor < 0
    if (any(isinstance(n, int) for n in lengths) and abs(x.factor) != abs(y.factor)) or turned:
        return None
    new = _same_kind([x.length(n) for n in lengths], [x.length_in_pixels(n) for n in lengths], x)
    fractions = any(isinstance(n, int) and not isinstance(said, int) for n, said in zip(lengths, new, strict=True))
    if fractions and not _square(x.after, y.after):
        return None  # in units the shape would be round in them, on the pixels it was round before
    if isinstance(roi, LineROI):
        return LineROI(x.place(roi.x1), y.place(roi.y1), x.place(roi.x2), y.place(roi.y2), new[0])
    if isinstance(roi, CircleROI):
        return CircleROI(x.place(roi.cx), y.place(roi.cy), new[0], new[1])
    if isinstance(roi, EllipseROI):
        return EllipseROI(x.place(roi.cx), y.place(roi.cy), new[0], new[1], roi.angle)
    return None


def _same_kind(lengths: list[Item], pixels: list[float], x: _Change) -> list[Item]:
    """Lengths all in pixels or all in units, as a shape takes them; 0 is both."""
    if any(isinstance(n, float) for n in lengths):
        return [
            length_like(0.0, x.after, p, digits=_DIGITS) if isinstance(n, int) and n else n
            for n, p in zip(lengths, pixels, strict=True)
        ]
    return lengths


def _square(x: Axis, y: Axis) -> bool:
    """Whether pixels are as wide as they are high."""
    return x.units == y.units and math.isclose(abs(x.scale), abs(y.scale), rel_tol=1e-9)


def _carried_mask(roi: ROI, changes: list[_Change]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The new pixels whose centres lie in pixels that the region covered; those that lie in any old pixel at all."""
    chosen = roi.mask([change.before for change in changes])
    known = np.ones([change.after.size for change in reversed(changes)], np.bool_)
    for axis, change in enumerate(reversed(changes)):
        old = change.old_pixels()
        inside = (old >= 0) & (old < change.before.size)
        shape = [1] * chosen.ndim
        shape[axis] = -1
        known &= inside.reshape(shape)
        chosen = np.take(chosen, np.where(inside, old, 0), axis=axis)
    return chosen & known, known


def _sampled(roi: ROI, changes: list[_Change]) -> ROI | None:
    """What `_carried_mask` finds, as a painted region; None for nothing."""
    chosen, _ = _carried_mask(roi, changes)
    return PaintedROI.from_mask(chosen) if chosen.any() else None
