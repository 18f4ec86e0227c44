"""From what a user types between brackets to pixels of one axis: ints, floats, strings and slices of them."""

import math
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lazy4d.units import Calibrated, as_item, length_to_pixels, to_pixels


class Sized(Calibrated, Protocol):
    """What is needed of an axis here."""

    @property
    def size(self) -> int:
        """Number of pixels."""


def describe_range(axis: Sized) -> str:
    """Return the range of an axis in words, for messages.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> describe_range(Axis(name="kx", size=8, scale=0.5, units="mrad"))
    "axis 'kx' has pixels 0 to 7 and values 0 to 3.5 mrad"
    """
    last = axis.offset + axis.scale * (axis.size - 1)
    return f"axis {axis.name!r} has pixels 0 to {axis.size - 1} and values {axis.offset:g} to {last:g} {axis.units}"


def value_to_pixel(axis: Sized, value: ArrayLike) -> int | NDArray[np.int64]:
    """Return the pixel nearest to a value, or the pixels of an array of values; see `Axis.value2index`.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> value_to_pixel(Axis(name="kx", size=8, scale=0.5), [0.0, 1.25, 3.5])
    array([0, 3, 7])
    """
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value):
        values = np.asarray(value, dtype=np.float64)
        pixels = np.floor(np.round((values - axis.offset) / axis.scale, 9) + 0.5)
        outside = ~((pixels >= 0) & (pixels < axis.size))  # also true for NaN
        if outside.any():
            _raise_outside(axis, float(values[outside][0]))
        return pixels.astype(np.int64)
    place = as_item(value)
    index = _nearest(axis, place if isinstance(place, str) else float(place))
    if not 0 <= index < axis.size:
        _raise_outside(axis, value)
    return index


def slice_to_pixels(axis: Sized, item: slice | float | str) -> Any:
    """Return a selection along an axis in pixels, int or slice, in numpy's terms; see `Axis.slice_to_pixels`.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> slice_to_pixels(Axis(name="kx", size=8, scale=0.5), slice(1.0, None, 2))
    slice(2, 8, 2)
    """
    if isinstance(item, slice):
        return _slice(axis, item)
    place = as_item(item)
    if not isinstance(place, int):
        return value_to_pixel(axis, place)
    if not -axis.size <= place < axis.size:
        raise ValueError(
            f"expected a pixel from {-axis.size} to {axis.size - 1}, found {place}: {describe_range(axis)}"
        )
    return place % axis.size


def _slice(axis: Sized, item: slice) -> slice:
    step = _step(axis, item.step)
    # A stop may be one pixel beyond the end it runs to, so that a value can select up to and with that end.
    start = _bound(axis, item.start, 0, axis.size - 1)
    stop = _bound(axis, item.stop, 0, axis.size) if step > 0 else _bound(axis, item.stop, -1, axis.size - 1)
    first, last, step = slice(start, stop, step).indices(axis.size)
    if len(range(first, last, step)) == 0:
        raise ValueError(
            f"expected a slice that selects pixels, found {item.start!r} to {item.stop!r} by {item.step!r}, which "
            f"selects none: {describe_range(axis)}"
        )
    return slice(first, None if last < 0 else last, step)


def _bound(axis: Sized, item: object, low: int, high: int) -> int | None:
    """Return one end of a slice: ints as they are, values as their nearest pixel from `low` to `high`."""
    if item is None:
        return None
    place = as_item(item)
    if isinstance(place, int):
        return place
    index = _nearest(axis, place)
    if not low <= index <= high:
        _raise_outside(axis, item)
    return None if index == -1 else index  # -1 is "before pixel 0" here, where a slice would read "the last pixel"


def _step(axis: Sized, item: object) -> int:
    if item is None:
        return 1
    place = as_item(item)
    if isinstance(place, int):
        step = place
    else:
        step = math.floor(length_to_pixels(place, axis) + 0.5) * (1 if axis.scale > 0 else -1)
    if step == 0:
        raise ValueError(
            f"expected a step of at least one pixel ({abs(axis.scale):g} {axis.units}) on axis {axis.name!r}, "
            f"found {item!r}: give an int to count pixels"
        )
    return step


def _nearest(axis: Sized, value: float | str) -> int:
    return math.floor(to_pixels(value, axis) + 0.5)


def _raise_outside(axis: Sized, item: object) -> NoReturn:
    raise ValueError(
        f"{item!r} lies outside the axis: {describe_range(axis)}; give a float or a string within that range, "
        "or an int to count pixels"
    )
