"""Numbers of a region moved to other pixels, in the kind that the user gave: pixels, axis units, or with a unit."""

import math

from lazy4d.axes import Axis, Item, parse

_PIXEL = "px"


def place_like(item: Item, axis: Axis, pixel: float, digits: int = 3) -> Item:
    """Return the place at a pixel coordinate, said as `item` says its own.

    Parameters
    ----------
    item
        What the user gave before: an int gives the nearest pixel, a float a value in axis units, a string a value with
        the same unit.
    axis
        The axis.
    pixel
        Where the place is to be; pixel centres are at whole numbers.
    digits
        Values are rounded to so many decimals of a pixel.

    Examples
    --------
    >>> k = Axis(name="kx", size=64, scale=0.1, offset=-3.2, units="1/Å")
    >>> place_like(32, k, 30.7), place_like(0.0, k, 30.7), place_like("0 1/nm", k, 30.7)
    (31, -0.13, '-1.3 1/nm')
    """
    if isinstance(item, int):
        return math.floor(pixel + 0.5)
    return _said_like(item, axis, pixel, digits)


def length_like(item: Item, axis: Axis, pixels: float, least: float = 0.0, digits: int = 3) -> Item:
    """Return a length that spans some pixels, said as `item` says its own; see `place_like`.

    Parameters
    ----------
    item, axis, digits
        As for `place_like`.
    pixels
        What it is to span; taken as `least` where it is less (as 1 for whole pixels, if `least` is above 0).

    Examples
    --------
    >>> k = Axis(name="kx", size=64, scale=0.1, offset=-3.2, units="1/Å")
    >>> length_like(3, k, 4.2), length_like(0.5, k, 4.2), length_like("1 px", k, 4.2), length_like(3, k, -1, least=0.5)
    (4, 0.42, '4.2 px', 1)
    """
    pixels = max(pixels, least)
    if isinstance(item, int):
        whole = math.floor(pixels + 0.5)
        return max(whole, 1) if least > 0 else whole
    if isinstance(item, str) and axis.units != _PIXEL and parse(item)[1] == _PIXEL:
        return f"{round(pixels, digits)!r} {_PIXEL}"
    return _said_like(item, axis.copy(offset=0.0, scale=abs(axis.scale)), pixels, digits)


def _said_like(item: float | str, axis: Axis, pixel: float, digits: int) -> Item:
    """The value at a pixel, as a float or as text with the unit that `item` has."""
    if not isinstance(item, str):
        return _rounded(axis.offset + axis.scale * pixel, axis.scale, digits)
    unit = parse(item)[1]
    if unit != axis.units:
        axis = axis.copy()
        axis.convert_units(unit)
    return f"{_rounded(axis.offset + axis.scale * pixel, axis.scale, digits)!r} {unit}"


def _rounded(value: float, step: float, digits: int) -> float:
    """A value without digits that are small against a step, so that it can be read; never minus zero."""
    return round(value, digits - math.floor(math.log10(abs(step)))) + 0.0
