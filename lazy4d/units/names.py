"""Spellings of units: one canonical name for what users, vendors and other libraries write, and numbers with a unit."""

import re
import unicodedata
from functools import lru_cache

PIXEL = "px"
"""The unit of an axis that was never calibrated."""

# canonical spelling: what users, vendors and other libraries write for it. `A` is an ångström and `u` a micrometre,
# as nobody calibrates an axis in ampere or atomic mass units, which is what pint makes of them.
_SPELLINGS = {
    PIXEL: "px pix pixel pixels",
    "Å": "Å A AA ang angs angstrom angstroms ångström ångstrom",
    "pm": "pm picometer picometers picometre picometres",
    "nm": "nm nanometer nanometers nanometre nanometres",
    "µm": "µm um u µ micron microns micrometer micrometers micrometre micrometres",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "rad": "rad rads radian radians",
    "mrad": "mrad mrads mRad milliradian milliradians",
    "µrad": "µrad urad microradian microradians",
    "deg": "deg degs ° degree degrees",
    "s": "s sec secs second seconds",
    "ms": "ms msec millisecond milliseconds",
    "µs": "µs us microsecond microseconds",
    "ns": "ns nanosecond nanoseconds",
    "eV": "eV electronvolt electronvolts",
    "keV": "keV kiloelectronvolt",
    "MeV": "MeV",
    "V": "V volt volts",
    "kV": "kV kilovolt kilovolts",
    "MV": "MV megavolt",
}
_ALIASES = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_UNSET = {"", "none", "_none_", "undefined", "<undefined>", "unknown", "n/a"}
ANGLES = frozenset({"rad", "mrad", "µrad", "deg"})
"""Canonical units of angles."""
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LATEX = {"\\AA": "Å", "\\mu": "µ", "\\mathrm": "", "\\text": "", "\\rm": "", "\\,": "", "\\": ""}

_TERM = re.compile(r"(1?/)?\(?([^\W\d]+|°)\)?(?:(?:\^|\*\*)\(?([+-]?\d+)\)?|(-\d+))?")
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)


@lru_cache(maxsize=1024)
def _canonical(unit: str) -> str:
    text = unicodedata.normalize("NFC", unit).strip()
    if text.lower() in _UNSET:
        return PIXEL
    key = text.replace("\N{GREEK SMALL LETTER MU}", "µ")
    for command, meaning in _LATEX.items():
        key = key.replace(command, meaning)
    key = re.sub(r"[\s_${}\[\]]", "", key)  # EMD writes [n_m^-1], where the underscore parts prefix and unit
    if key.lower() in _UNSET:  # "[]" and "$$" are as empty as ""
        return PIXEL
    key = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda found: "^" + found.group().translate(_SUPERSCRIPTS), key)
    term = _TERM.fullmatch(key)
    if term is None:
        return text
    inverse, word, power, bare_power = term.groups()
    base = _ALIASES.get(word) or (_ALIASES.get(word.lower()) if len(word) > 2 else None)
    exponent = int(power or bare_power or 1) * (-1 if inverse else 1)
    if base is None or exponent == 0:
        return text
    tail = "" if abs(exponent) == 1 else f"^{abs(exponent)}"
    return f"1/{base}{tail}" if exponent < 0 else f"{base}{tail}"


def canonical(unit: object) -> str:
    """Return the one spelling this library uses for a unit.

    Parameters
    ----------
    unit
        Any spelling; None, `traits.api.Undefined` and empty text mean "not calibrated". A pint unit is taken by
        its name.

    Returns
    -------
    str
        `"px"` where no unit is set. A unit that is not in the alias table comes back as it is, without blanks at its
        ends (whether pint knows it shows when something is converted).

    Examples
    --------
    >>> [canonical(unit) for unit in ("A^-1", "$A^{-1}$", "[n_m^-1]", "um", "", None, "counts")]
    ['1/Å', '1/Å', '1/nm', 'µm', 'px', 'px', 'counts']
    """
    return PIXEL if unit is None else _canonical(str(unit))


def parse(text: str) -> tuple[float, str]:
    """Return the number and the canonical unit of a string such as `"5 mrad"`.

    Parameters
    ----------
    text
        A number followed by a unit, with or without a blank between them.

    Returns
    -------
    tuple of float and str
        Value and `canonical` unit.

    Raises
    ------
    ValueError
        The text is not a number followed by a unit.

    Examples
    --------
    >>> parse("-5 mrad"), parse("0.5 A^-1"), parse("1e-3/nm")
    ((-5.0, 'mrad'), (0.5, '1/Å'), (0.001, '1/nm'))
    """
    match = _QUANTITY.fullmatch(text.strip().replace("−", "-"))
    if match is None:
        raise ValueError(f"expected a number with its unit, such as '5 mrad', found {text!r}: write the number first")
    number, unit = match.groups()
    if not unit:
        raise ValueError(
            f"expected a number with its unit, such as '5 mrad', found {text!r} without a unit: add the unit, "
            "or give an int for pixels or a float for axis units instead of text"
        )
    return float(number), canonical(unit)
