"""The shapes: circle (or ring), rectangle, ellipse, polygon."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis, Item, as_item, describe_range
from lazy4d.roi.geometry import ellipse_mask, interval, polygon_mask
from lazy4d.roi.region import ROI, Length, Number, Place, check_below


def _any(trait: Any) -> Any:
    """Return a trait as Any, so that a class body can state the type of what it holds."""
    return trait


def _pixel_step(x: Axis, y: Axis, lengths: Sequence[Item], roi: ROI) -> tuple[float, float]:
    """Return width and height of a pixel for a shape with these lengths, in widths of a pixel along x.

    Lengths in pixels make a shape on the pixel grid. Lengths in units make one in those units, which on pixels that are
    not square is another.
    """
    if all(isinstance(length, int) for length in lengths):
        return 1.0, 1.0
    if x.units == y.units:
        ratio = abs(y.scale / x.scale)
    else:
        ratio = x.length_to_pixels(f"{abs(y.scale)!r} {y.units}")
    if math.isclose(ratio, 1.0, rel_tol=1e-9):
        ratio = 1.0
    if ratio != 1 and any(isinstance(length, int) and length != 0 for length in lengths):
        raise ValueError(
            f"expected lengths that are all in pixels (int) or all in units, as pixels are not square where "
            f"{describe_range(x)}, {describe_range(y)}; found {roi!r}: give all of them in one way"
        )
    return math.copysign(1.0, x.scale), math.copysign(ratio, y.scale)


class CircleROI(ROI):
    """A disk, or with an inner radius a ring: the pixels with ``r_inner <= d < r``.

    Parameters
    ----------
    cx, cy
        Centre. int = pixel, float = axis units, string = with its unit, as everywhere.
    r
        Outer radius; above 0. In units (of the x axis, for a float) the circle is round in those units, also where
        pixels are not square.
    r_inner
        Inner radius, below `r`.

    Raises
    ------
    TypeError, ValueError
        A radius that is negative, or an inner radius that is not below the outer.

    Examples
    --------
    >>> bright = CircleROI(cx=4, cy=4, r=2)
    >>> ring = CircleROI(0.0, 0.0, "10 mrad", r_inner="5 mrad")
    >>> bright.mask((Axis(name="kx", size=9), Axis(name="ky", size=9))).sum()
    np.int64(9)
    """

    cx: Item = _any(Place())
    cy: Item = _any(Place())
    r: Item = _any(Length())
    r_inner: Item = _any(Length(zero=True))

    _fields = ("cx", "cy", "r", "r_inner")

    def __init__(self, cx: Item, cy: Item, r: Item, r_inner: Item = 0) -> None:
        super().__init__(cx=cx, cy=cy, r=r, r_inner=r_inner)

    def _check(self, values: dict[str, Any]) -> None:
        check_below(("r_inner", values["r_inner"]), ("r", values["r"]))

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        step = _pixel_step(x, y, (self.r, self.r_inner), self)
        shape, center = (y.size, x.size), (x.to_pixels(self.cx), y.to_pixels(self.cy))
        outer, inner = x.length_to_pixels(self.r), x.length_to_pixels(self.r_inner)
        mask = ellipse_mask(shape, center, (outer, outer), step=step)
        return mask & ~ellipse_mask(shape, center, (inner, inner), step=step) if inner else mask


class RectangleROI(ROI):
    """An upright rectangle: the pixels with ``left <= x < right`` and ``top <= y < bottom``.

    Parameters
    ----------
    left, top, right, bottom
        Edges; left and top belong, right and bottom do not. int = pixel, float = axis units, string = with its unit. On
        an axis that runs backwards, edges in units still have ``left < right``.

    Raises
    ------
    TypeError, ValueError
        Edges that are no places, or in the wrong order.

    Examples
    --------
    >>> RectangleROI(1, 0, 4, 2).mask((Axis(name="x", size=5), Axis(name="y", size=3))).astype(int)
    array([[0, 1, 1, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """

    left: Item = _any(Place())
    top: Item = _any(Place())
    right: Item = _any(Place())
    bottom: Item = _any(Place())

    _fields = ("left", "top", "right", "bottom")

    def __init__(self, left: Item, top: Item, right: Item, bottom: Item) -> None:
        super().__init__(left=left, top=top, right=right, bottom=bottom)

    def _check(self, values: dict[str, Any]) -> None:
        check_below(("left", values["left"]), ("right", values["right"]))
        check_below(("top", values["top"]), ("bottom", values["bottom"]))

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        mask = np.zeros((y.size, x.size), dtype=np.bool_)
        mask[_interval(y, self.top, self.bottom, self), _interval(x, self.left, self.right, self)] = True
        return mask


def _interval(axis: Axis, low: Item, high: Item, roi: ROI) -> slice:
    """Return the pixels of an axis from one edge to another."""
    first, last = axis.to_pixels(low), axis.to_pixels(high)
    backwards = axis.scale < 0 and not isinstance(low, int) and not isinstance(high, int)
    if first > last and not backwards:
        raise ValueError(
            f"expected edges in order, found {low!r} at pixel {first:g} and {high!r} at pixel {last:g} where "
            f"{describe_range(axis)}: correct {roi!r}"
        )
    return interval(first, last, axis.size)


class EllipseROI(ROI):
    """An ellipse, its rim left out.

    Parameters
    ----------
    cx, cy
        Centre. int = pixel, float = axis units, string = with its unit.
    rx, ry
        Semi-axes, above 0: `rx` along x and `ry` along y at angle 0. Both in pixels, or both in units where pixels are
        not square; a float is in units of the x axis.
    angle
        Turn in degrees from the direction of growing x towards that of growing y (on a screen with y downwards:
        clockwise). Directions of the pixel grid for radii in pixels, of the axis values for radii in units.

    Raises
    ------
    TypeError, ValueError
        A semi-axis that is not above 0, or an angle that is no number.

    Examples
    --------
    >>> EllipseROI(2, 1, 3, 1.5, angle=0).mask((Axis(name="x", size=5), Axis(name="y", size=3))).astype(int)
    array([[1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1]])
    """

    cx: Item = _any(Place())
    cy: Item = _any(Place())
    rx: Item = _any(Length())
    ry: Item = _any(Length())
    angle: float = _any(Number())

    _fields = ("cx", "cy", "rx", "ry", "angle")

    def __init__(self, cx: Item, cy: Item, rx: Item, ry: Item, angle: float = 0.0) -> None:
        super().__init__(cx=cx, cy=cy, rx=rx, ry=ry, angle=angle)

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        return ellipse_mask(
            (y.size, x.size),
            (x.to_pixels(self.cx), y.to_pixels(self.cy)),
            (x.length_to_pixels(self.rx), x.length_to_pixels(self.ry)),
            angle=self.angle,
            step=_pixel_step(x, y, (self.rx, self.ry), self),
        )


class _Vertices(Place):
    """Corners of a polygon, as a tuple of pairs."""

    def convert(self, name: str, value: object) -> tuple[tuple[Item, Item], ...]:
        """Return the value in the form that is kept, or raise."""
        if isinstance(value, np.ndarray):
            value = list(value)
        if not isinstance(value, (list, tuple)) or len(value) < 3:
            raise ValueError(f"expected at least three corners [(x, y), ...], found {value!r}: a polygon has an inside")
        if not all(isinstance(pair, (list, tuple, np.ndarray)) and len(pair) == 2 for pair in value):
            raise ValueError(f"expected corners as pairs (x, y), found {value!r}: give two places for each")
        return tuple((as_item(x), as_item(y)) for x, y in value)


class PolygonROI(ROI):
    """A polygon, inside by the even-odd rule; a centre on a left or top edge belongs, on a right or bottom edge not.

    Parameters
    ----------
    vertices
        At least three corners (x, y); the last is joined to the first. int = pixel, float = axis units, string = with
        its unit. The outline may cross itself.

    Raises
    ------
    TypeError, ValueError
        Fewer corners, or corners that are no places.

    Examples
    --------
    >>> PolygonROI([(0, 0), (3, 0), (0, 3)]).mask((Axis(name="x", size=4), Axis(name="y", size=3))).astype(int)
    array([[1, 1, 1, 0],
           [1, 1, 0, 0],
           [1, 0, 0, 0]])
    """

    vertices: tuple[tuple[Item, Item], ...] = _any(_Vertices())

    _fields = ("vertices",)

    def __init__(self, vertices: Sequence[Sequence[Item]]) -> None:
        super().__init__(vertices=vertices)

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        return polygon_mask((y.size, x.size), [(x.to_pixels(cx), y.to_pixels(cy)) for cx, cy in self.vertices])
