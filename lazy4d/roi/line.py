"""Shapes along a line: a line with a width in a plane, a span of one axis."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis, Item, describe_range
from lazy4d.roi.geometry import line_mask, mask_spans
from lazy4d.roi.region import ROI, Length, Place, check_below
from lazy4d.roi.shapes import _any, _interval, _pixel_step


class LineROI(ROI):
    """A straight line with a width: the pixels between its ends that lie within half the width of it.

    Parameters
    ----------
    x1, y1, x2, y2
        Both ends, which belong. int = pixel, float = axis units, string = with its unit.
    linewidth
        Width across the line, above 0; in pixels (int), or in units (of the x axis, for a float) and then square to
        the line in those units, also where pixels are not square.

    Raises
    ------
    TypeError, ValueError
        Ends that are no places, or a width that is not above 0.

    Notes
    -----
    Where the line runs exactly between two rows of pixels, one of them belongs: a line of width 1 along an axis is one
    pixel wide, and at any slope it has no gaps.

    Examples
    --------
    >>> LineROI(0, 0, 4, 2).mask((Axis(name="x", size=5), Axis(name="y", size=3))).astype(int)
    array([[1, 1, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 1, 1]])
    """

    x1: Item = _any(Place())
    y1: Item = _any(Place())
    x2: Item = _any(Place())
    y2: Item = _any(Place())
    linewidth: Item = _any(Length())

    _fields = ("x1", "y1", "x2", "y2", "linewidth")

    def __init__(self, x1: Item, y1: Item, x2: Item, y2: Item, linewidth: Item = 1) -> None:
        super().__init__(x1=x1, y1=y1, x2=x2, y2=y2, linewidth=linewidth)

    def length(self, axes: Sequence[Axis]) -> float:
        """Return the distance between the ends, in units of the x axis (in pixels for a width in pixels).

        Examples
        --------
        >>> LineROI(0, 0, 4, 3).length((Axis(name="x", size=5), Axis(name="y", size=5)))
        5.0
        """
        x, y = axes
        step = _pixel_step(x, y, (self.linewidth,), self)
        along = (x.to_pixels(self.x2) - x.to_pixels(self.x1)) * step[0]
        down = (y.to_pixels(self.y2) - y.to_pixels(self.y1)) * step[1]
        return math.hypot(along, down) * (1.0 if isinstance(self.linewidth, int) else abs(x.scale))

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        return line_mask(
            (y.size, x.size),
            (x.to_pixels(self.x1), y.to_pixels(self.y1)),
            (x.to_pixels(self.x2), y.to_pixels(self.y2)),
            x.length_to_pixels(self.linewidth),
            step=_pixel_step(x, y, (self.linewidth,), self),
        )


class SpanROI(ROI):
    """A span of one axis: the pixels with ``left <= x < right``.

    Parameters
    ----------
    left, right
        Ends; left belongs, right does not. int = pixel, float = axis units, string = with its unit. On an axis that
        runs backwards, ends in units still have ``left < right``.

    Raises
    ------
    TypeError, ValueError
        Ends that are no places, or in the wrong order.

    Examples
    --------
    >>> SpanROI(1, 3).mask((Axis(name="x", size=5),))
    array([False,  True,  True, False, False])
    """

    left: Item = _any(Place())
    right: Item = _any(Place())

    _fields = ("left", "right")

    def __init__(self, left: Item, right: Item) -> None:
        super().__init__(left=left, right=right)

    def _check(self, values: dict[str, Any]) -> None:
        check_below(("left", values["left"]), ("right", values["right"]))

    def mask(self, axes: Sequence[Axis]) -> NDArray[np.bool_]:
        """Return which pixels of the only axis belong, bool [size].

        Raises
        ------
        ValueError
            Not one axis, a unit that does not fit it, or no pixel belongs.

        Examples
        --------
        >>> SpanROI(0, 2).mask((Axis(name="x", size=3),))
        array([ True,  True, False])
        """
        if len(axes) != 1:
            raise ValueError(f"expected one axis for {self!r}, found {len(axes)}: a span lies on one axis")
        mask = np.zeros(axes[0].size, np.bool_)
        mask[_interval(axes[0], self.left, self.right, self)] = True
        if not mask.any():
            raise ValueError(
                f"expected a span that holds the centre of at least one pixel, found {self!r} on an axis where "
                f"{describe_range(axes[0])}: move or enlarge it (int = pixel, float = axis units)"
            )
        return mask

    def spans(self, axes: Sequence[Axis]) -> NDArray[np.int64]:
        """Return the run of pixels that belong, int64[1, 2] of [start, stop).

        Examples
        --------
        >>> SpanROI(1, 3).spans((Axis(name="x", size=5),))
        array([[1, 3]])
        """
        return mask_spans(self.mask(axes))

    def window(self, axes: Sequence[Axis]) -> tuple[slice, ...]:  # type: ignore[override]  # one axis, one slice
        """Return the pixels that belong as one slice, in a tuple.

        Examples
        --------
        >>> SpanROI(1, 3).window((Axis(name="x", size=5),))
        (slice(1, 3, None),)
        """
        ((start, stop),) = self.spans(axes).tolist()
        return (slice(start, stop),)
