"""Units: their spellings, numbers that carry one, conversion, and places on an axis in pixels."""

from lazy4d.units.conversion import (
    Calibrated,
    Item,
    as_item,
    axis_value,
    beam_energy_keV,
    convert,
    difference,
    length_to_pixels,
    to_pixels,
    ureg,
    wavelength,
)
from lazy4d.units.names import ANGLES, PIXEL, canonical, parse

__all__ = [
    "ANGLES",
    "PIXEL",
    "Calibrated",
    "Item",
    "as_item",
    "axis_value",
    "beam_energy_keV",
    "canonical",
    "convert",
    "difference",
    "length_to_pixels",
    "parse",
    "to_pixels",
    "ureg",
    "wavelength",
]
