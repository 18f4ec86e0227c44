"""Lengths as a user gives them, and the numbers of a slider: pixels, axis units and text stay what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.units import PIXEL, as_item, parse


@dataclass(frozen=True)
class Terms:
    """In which terms a length is given.

    Parameters
    ----------
    form : {"pixels", "axis", "text"}
        An int (of fractions: text in pixels), a float in units of the axis, or text with a unit.
    units : str
        Of the numbers: "px", those of the axis, or those of the text.
    """

    form: str
    units: str

    def value(self, number: float) -> int | float | str:
        """A number in these terms, as a method takes it.

        Examples
        --------
        >>> Terms("pixels", "px").value(9.0), Terms("pixels", "px").value(4.5), Terms("text", "mrad").value(2.0)
        (9, '4.5 px', '2 mrad')
        """
        if self.form == "axis":
            return float(number)
        if self.form == "pixels" and float(number).is_integer():
            return int(number)
        return f"{number:.6g} {self.units}"

    def pixels_each(self, axis: Axis) -> float:
        """How many pixels of an axis 1 in these terms spans.

        Examples
        --------
        >>> Terms("text", "1/nm").pixels_each(l4.Axis(name="kx", size=8, scale=0.05, units="1/Å"))
        2.0
        """
        if self.form == "pixels":
            return 1.0
        if self.units == PIXEL and axis.units == PIXEL:
            return 1.0 / abs(axis.scale)
        return float(axis.length_to_pixels(f"1 {self.units}"))


PIXELS = Terms("pixels", PIXEL)


def terms_of(length: Any, float_units: str) -> Terms:
    """In which terms a user gave a length; `float_units` are those that a plain float has.

    Examples
    --------
    >>> terms_of(3, "1/Å"), terms_of(0.2, "1/Å").units, terms_of("2 mrad", "1/Å").units
    (Terms(form='pixels', units='px'), '1/Å', 'mrad')
    """
    item = as_item(length)
    if isinstance(item, int):
        return PIXELS
    if isinstance(item, float):
        return Terms("axis", float_units)
    return Terms("text", parse(item)[1])


def number_of(length: Any) -> float:
    """The number in a length, whatever its unit.

    Examples
    --------
    >>> number_of(3), number_of("2 mrad")
    (3.0, 2.0)
    """
    item = as_item(length)
    return parse(item)[0] if isinstance(item, str) else float(item)


def nice_step(step: float) -> float:
    """The largest of …, 0.1, 0.2, 0.5, 1, 2, 5, … that is at most `step`.

    Examples
    --------
    >>> nice_step(0.0123), nice_step(0.5)
    (0.01, 0.5)
    """
    exponent = int(np.floor(np.log10(step) + 1e-9))
    mantissa = step / 10.0**exponent
    return float(f"{next(m for m in (5, 2, 1) if m <= mantissa * (1 + 1e-6))}e{exponent}")


def to_step(number: float, step: float) -> float:
    """A number rounded to a multiple of a step that is one of `nice_step`, without digits that mean nothing.

    Examples
    --------
    >>> to_step(0.30000000000000004, 0.1)
    0.3
    """
    return float(f"{round(number / step) * step:.10g}")
