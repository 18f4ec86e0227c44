"""Numbers with units: what an item means, and conversion (pint is imported when first needed).

Two conventions hold everywhere:

* an **int is a pixel, a float is a value in axis units, a string carries its unit** (`"5 mrad"`);
* a scattering angle and a spatial frequency belong together through ``k = θ / λ`` (small angles; no factor 2π), λ the
  relativistic wavelength of the beam, so that the conversion is linear and keeps zero at zero.
"""

import math
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lazy4d.units.names import ANGLES, PIXEL, canonical, parse

Item = int | float | str
"""A place or a length on an axis: int = pixels, float = axis units, string = number with its own unit."""

_Number = TypeVar("_Number", float, NDArray[np.float64])

# CODATA 2018; h, e and c are exact.
_PLANCK = 6.62607015e-34  # J s
_CHARGE = 1.602176634e-19  # C
_LIGHT = 299792458.0  # m/s
_ELECTRON = 9.1093837015e-31  # kg


class Calibrated(Protocol):
    """What `to_pixels` needs to know of an axis."""

    @property
    def name(self) -> str:
        """Name of the axis, for messages."""

    @property
    def units(self) -> str:
        """Unit of scale and offset."""

    @property
    def scale(self) -> float:
        """Axis units per pixel; may be negative."""

    @property
    def offset(self) -> float:
        """Value at the centre of pixel 0."""

    @property
    def beam_energy(self) -> float | None:
        """Beam energy in keV, None where unknown."""


@lru_cache(maxsize=1)
def ureg() -> Any:
    """Return the pint registry of this library, made on the first call (about 0.3 s).

    Examples
    --------
    >>> ureg().Quantity(2, "km").to("m").magnitude
    2000.0
    """
    import pint

    return pint.UnitRegistry()


def as_item(item: object) -> Item:
    """Return a place or length as plain `int` (pixels), finite `float` (axis units) or `str` (with a unit).

    Parameters
    ----------
    item
        int, float, str, or a numpy scalar or zero-dimensional array of these. Text is parsed, so that a typing error
        shows where it is made.

    Raises
    ------
    TypeError
        Anything else, and booleans, which are neither a pixel nor a value.
    ValueError
        Infinite or undefined numbers, and text that is no number with a unit.

    Examples
    --------
    >>> as_item(np.int64(3)), as_item(np.float32(0.5)), as_item("5 mrad")
    (3, 0.5, '5 mrad')
    """
    if isinstance(item, np.ndarray) and item.ndim == 0:
        item = item[()]
    if isinstance(item, str):
        parse(item)
        return str(item)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item)
    if isinstance(item, (float, np.floating)):
        if not math.isfinite(item):
            raise ValueError(f"expected a finite value, found {float(item)}: give a number on the axis")
        return float(item)
    raise TypeError(
        f"expected an int (pixel), a float (axis units) or a string with a unit, found {item!r} of type "
        f"{type(item).__name__}: give one of these"
    )


def beam_energy_keV(energy: object) -> float:
    """Return a beam energy, or the high voltage that makes it, in keV.

    Parameters
    ----------
    energy
        A number in keV, or text with a unit of energy or of voltage (one electron charge is implied).

    Raises
    ------
    ValueError
        Not a positive energy or voltage.
    TypeError
        Neither a number nor text.

    Examples
    --------
    >>> beam_energy_keV("200 kV"), beam_energy_keV(80), beam_energy_keV("0.3 MeV")
    (200.0, 80.0, 300.0)
    """
    item = as_item(energy)
    if isinstance(item, str):
        value, unit = parse(item)
        kilo = convert(value, unit, "kV" if unit.endswith("V") and not unit.endswith("eV") else "keV")
    else:
        kilo = float(item)
    if kilo <= 0:
        raise ValueError(f"expected a positive beam energy in keV, found {energy!r}: give for example '200 kV'")
    return kilo


def wavelength(beam_energy_keV: float) -> float:
    """Return the relativistic wavelength of an electron beam, in Å.

    Parameters
    ----------
    beam_energy_keV
        Kinetic energy of the electrons in keV.

    Raises
    ------
    ValueError
        The energy is not positive.

    Notes
    -----
    ``λ = h / sqrt(2 m e V (1 + e V / (2 m c²)))``: L. Reimer & H. Kohl, *Transmission Electron Microscopy*, 5th ed.,
    eq. 2.12.

    Examples
    --------
    >>> round(wavelength(200), 6)
    0.025079
    """
    energy = float(beam_energy_keV) * 1e3 * _CHARGE
    if not energy > 0 or math.isinf(energy):
        raise ValueError(f"expected a positive beam energy in keV, found {beam_energy_keV}: give for example 200")
    relativity = 1 + energy / (2 * _ELECTRON * _LIGHT**2)
    return 1e10 * _PLANCK / math.sqrt(2 * _ELECTRON * energy * relativity)


@lru_cache(maxsize=1024)
def _ratio(unit: str, to: str) -> tuple[float, float]:
    """Return multiplier and divisor from one unit to another; one of them is 1."""
    import pint

    try:
        zero, one = (ureg().Quantity(value, unit).to(to).magnitude for value in (0.0, 1.0))
    except pint.UndefinedUnitError as error:
        raise ValueError(f"expected units that can be converted, found {unit!r} and {to!r}: {error}") from error
    except pint.DimensionalityError as error:
        raise ValueError(
            f"expected two units of the same kind, found {unit!r} and {to!r}: give the value in units of the axis, "
            "or correct the units of the axis"
        ) from error
    except Exception as error:  # pint's parser lets errors of Python's tokenizer through
        raise ValueError(f"expected units that can be read, found {unit!r} and {to!r}: {error}") from error
    if zero != 0 or one == 0:
        raise ValueError(f"expected units with a common zero, found {unit!r} and {to!r}: give the value in {to!r}")
    # 15 digits and a divisor where the unit grows: 3 1/nm is 0.3 1/Å then, and not 0.29999999999999993.
    return (float(f"{one:.15g}"), 1.0) if one >= 1 else (1.0, float(f"{1 / one:.15g}"))


def _rescale(value: _Number, unit: str, to: str) -> _Number:
    multiplier, divisor = _ratio(unit, to)
    return value * multiplier / divisor


def convert(value: _Number, unit: object, to: object, beam_energy_keV: float | None = None) -> _Number:
    """Return a value in other units.

    Parameters
    ----------
    value
        Number or float64 array, in `unit`.
    unit, to
        Units in any spelling.
    beam_energy_keV
        Beam energy in keV; needed between angles and inverse lengths only.

    Returns
    -------
    float or ndarray of float64
        In `to`.

    Raises
    ------
    ValueError
        Units of different kinds, unknown units, pixels on one side only, or a beam energy that is needed and missing.

    Notes
    -----
    Angles θ and inverse lengths k are related by ``k = θ / λ``, the small-angle form of ``k = 2 sin(θ/2) / λ``; at
    50 mrad the two differ by 1 part in 10⁴.

    Examples
    --------
    >>> convert(5.0, "1/nm", "A^-1")
    0.5
    >>> round(convert(10.0, "mrad", "1/Å", beam_energy_keV=200), 4)
    0.3987
    """
    source, target = canonical(unit), canonical(to)
    if source == target:
        return value
    if PIXEL in (source.removeprefix("1/"), target.removeprefix("1/")):
        raise ValueError(
            f"expected units that can be converted, found {source!r} and {target!r}: a pixel has no size before "
            "set_calibration(scale=..., units=...); give an int for pixels"
        )
    if (source in ANGLES) == (target in ANGLES):
        return _rescale(value, source, target)
    angle, other = (source, target) if source in ANGLES else (target, source)
    per_angstrom = _rescale(1.0, other, "1/Å")  # also the check that the other unit is an inverse length
    if beam_energy_keV is None:
        raise ValueError(
            f"converting {source!r} to {target!r} needs the beam energy, which is not set: "
            "call set_calibration(beam_energy='200 kV') with the value of your microscope"
        )
    factor = _rescale(1.0, angle, "rad") / wavelength(beam_energy_keV) / per_angstrom
    return value * factor if source == angle else value / factor


def axis_value(item: float | str, axis: Calibrated) -> float:
    """Return a float or a string with a unit as a value in units of the axis.

    Raises
    ------
    ValueError
        The unit of the string cannot be converted to that of the axis.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> axis_value("5 1/nm", Axis(name="kx", size=8, scale=0.1, units="1/Å"))
    0.5
    """
    if not isinstance(item, str):
        return item
    value, unit = parse(item)
    try:
        return convert(value, unit, axis.units, axis.beam_energy)
    except ValueError as error:
        raise ValueError(f"cannot place {item!r} on axis {axis.name!r} in {axis.units!r}: {error}") from error


def to_pixels(item: object, axis: Calibrated) -> float:
    """Return where on the pixel grid of an axis a place is; pixel centres are at whole numbers.

    Parameters
    ----------
    item
        int = that pixel (negative numbers lie before the first pixel, they do not count from the end), float = value
        in axis units, string = value with its unit.
    axis
        The axis; it needs `name`, `units`, `scale`, `offset` and `beam_energy`.

    Returns
    -------
    float
        Pixel coordinate, rounded to 1e-9 so that `0.3` on a scale of `0.1` is pixel 3 and not 2.9999999999999996.

    Raises
    ------
    TypeError, ValueError
        The item is not a place, or its unit does not fit the axis.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> k = Axis(name="kx", size=64, scale=0.1, offset=-3.2, units="1/Å")
    >>> to_pixels(32, k), to_pixels(0.05, k), to_pixels("5 1/nm", k)
    (32.0, 32.5, 37.0)
    """
    place = as_item(item)
    if isinstance(place, int):
        return float(place)
    return round((axis_value(place, axis) - axis.offset) / axis.scale, 9)


def length_to_pixels(length: object, axis: Calibrated) -> float:
    """Return how many pixels of an axis a length spans.

    Parameters
    ----------
    length
        int = pixels, float = axis units, string = number with its unit (`"5 px"` is 5 pixels of any calibrated
        axis).
    axis
        The axis; its offset plays no part and the sign of its scale neither.

    Returns
    -------
    float
        Pixels, with the sign of `length`, rounded to 1e-9.

    Raises
    ------
    TypeError, ValueError
        The item is not a length, or its unit does not fit the axis.

    Examples
    --------
    >>> from lazy4d.axes import Axis
    >>> k = Axis(name="kx", size=64, scale=0.1, offset=-3.2, units="1/Å")
    >>> length_to_pixels(3, k), length_to_pixels(0.25, k), length_to_pixels("5 1/nm", k)
    (3.0, 2.5, 5.0)
    """
    item = as_item(length)
    if isinstance(item, int):
        return float(item)
    if isinstance(item, str) and axis.units != PIXEL:
        value, unit = parse(item)
        if unit == PIXEL:
            return value
    return round(axis_value(item, axis) / abs(axis.scale), 9)


def difference(a: Item, b: Item) -> float | None:
    """Return ``a - b`` where both count in the same terms: pixels, axis units, or one unit; None where they do not.

    Examples
    --------
    >>> difference(5, 3), difference("5 mrad", "3 mrad"), difference(5, 3.0)
    (2.0, 2.0, None)
    """
    if isinstance(a, str) and isinstance(b, str):
        (value, unit), (other, other_unit) = parse(a), parse(b)
        return value - other if unit == other_unit else None
    if isinstance(a, str) or isinstance(b, str) or type(a) is not type(b):
        return None
    return float(a - b)
