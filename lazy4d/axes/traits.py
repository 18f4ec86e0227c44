"""What the attributes of an axis accept: trait types whose errors name the axis and the way out."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from traits.api import TraitType

from lazy4d.units import beam_energy_keV, canonical


class Coordinate(NamedTuple):
    """Where along a former axis each position of a list of scan positions lies."""

    name: str
    """Name of the former axis."""
    units: str
    """Its unit."""
    values: NDArray[np.float64]
    """One value for each position, float64[size]."""


class Unit(TraitType):
    """A unit in its canonical spelling."""

    def validate(self, owner: Any, name: str, value: object) -> str:
        """Return the value to keep, or raise."""
        return canonical(value)


class Real(TraitType):
    """A finite float."""

    def validate(self, owner: Any, name: str, value: object) -> float:
        """Return the value to keep, or raise."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(
                f"expected a number for {name} of axis {owner.name!r}, found {value!r}: give it in axis units"
            )
        number = float(value)
        if not math.isfinite(number) or (name == "scale" and number == 0):
            raise ValueError(
                f"expected a finite{' and non-zero' if name == 'scale' else ''} {name} of axis {owner.name!r}, "
                f"found {number}: for an axis without calibration use scale 1, offset 0 and units 'px'"
            )
        return number


class Energy(TraitType):
    """A beam energy in keV, or None where it is unknown."""

    def validate(self, owner: Any, name: str, value: object) -> float | None:
        """Return the value to keep, or raise."""
        return None if value is None else beam_energy_keV(value)


class Size(TraitType):
    """A number of pixels, given once."""

    def validate(self, owner: Any, name: str, value: object) -> int:
        """Return the value to keep, or raise."""
        if "size" in owner.__dict__:
            raise ValueError(
                f"the size of axis {owner.name!r} follows its data ({owner.size} pixels) and cannot become {value!r}: "
                "crop with inav or isig, or rebin, for a signal of another size"
            )
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"expected a whole number of pixels from 1 as the size of an axis, found {value!r}")
        return int(value)


class PixelIndex(TraitType):
    """A pixel of the axis."""

    def validate(self, owner: Any, name: str, value: object) -> int:
        """Return the value to keep, or raise."""
        return check_index(owner, value)


def check_index(axis: Any, value: object) -> int:
    """Return an index as an int, after checking that it is a pixel of the axis.

    Raises
    ------
    TypeError, ValueError
        No int, or not a pixel of the axis.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> check_index(Axis(name="x", size=4), np.uint8(3))
    3
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(
            f"expected an int as the index of axis {axis.name!r}, found {value!r}: "
            "use value2index() for a value in axis units"
        )
    if not 0 <= value < axis.size:
        raise ValueError(
            f"expected an index from 0 to {axis.size - 1} on axis {axis.name!r}, found {value}: "
            "the index is the pixel shown"
        )
    return int(value)
