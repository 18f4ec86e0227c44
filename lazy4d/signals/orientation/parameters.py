"""Numbers that users give, checked with words."""

from __future__ import annotations

import math
import operator
from typing import Any


def whole(name: str, given: Any) -> int:
    """A whole number.

    Raises
    ------
    ValueError
        Something else.

    Examples
    --------
    >>> whole("n_best", 2)
    2
    >>> whole("n_best", 2.7)
    Traceback (most recent call last):
    ValueError: expected n_best as a whole number, found 2.7
    """
    try:
        if isinstance(given, bool):
            raise TypeError
        return operator.index(given)
    except TypeError as error:
        raise ValueError(f"expected {name} as a whole number, found {given!r}") from error


def real_number(name: str, given: Any, units: str = "") -> float:
    """A finite number.

    Raises
    ------
    ValueError
        Something else.

    Examples
    --------
    >>> real_number("k_max", "1.2 1/Å", "1/Å")
    Traceback (most recent call last):
    ValueError: expected k_max as a number in 1/Å, found '1.2 1/Å'
    """
    try:
        found = math.nan if isinstance(given, str | bytes | bool) else float(given)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"expected {name} as a number{f' in {units}' if units else ''}, found {given!r}")
    return found


def above_zero(name: str, given: Any, units: str = "") -> float:
    """A finite number above 0.

    Raises
    ------
    ValueError
        Something else.

    Examples
    --------
    >>> above_zero("excitation_error", -1, "1/Å")
    Traceback (most recent call last):
    ValueError: expected excitation_error above 0, in 1/Å, found -1
    """
    found = real_number(name, given, units)
    if not found > 0:
        raise ValueError(f"expected {name} above 0{f', in {units}' if units else ''}, found {given!r}")
    return found
