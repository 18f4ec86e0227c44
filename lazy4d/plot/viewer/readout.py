"""Places and values as text, in the units of the axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.plot.scale_bars import unit_text

if TYPE_CHECKING:
    from lazy4d.axes import Axis


def place_text(axes: Sequence[Axis], pixels: Sequence[float]) -> str:
    """Where something lies: the value on each axis with its unit, x-first; of axes in pixels the number.

    Parameters
    ----------
    axes : sequence of Axis
        x-first.
    pixels : sequence of float
        Place in pixels on each.

    Examples
    --------
    >>> x, y = l4.Axis(name="x", size=9, scale=0.5, units="nm"), l4.Axis(name="y", size=9)
    >>> place_text((x, y), (3, 7))
    'x 1.5 nm, y 7'
    """
    return ", ".join(_one(axis, pixel) for axis, pixel in zip(axes, pixels, strict=True))


def _one(axis: Axis, pixel: float) -> str:
    name = axis.name or "axis"
    if axis.units == "px":
        return f"{name} {round(float(axis.index2value(pixel)), 3):g}"
    step = abs(axis.scale)
    digits = max(0, 1 - int(np.floor(np.log10(step)))) if step > 0 else 3  # a tenth of a pixel
    value = float(axis.index2value(pixel))
    text = f"{value:.{min(digits, 9)}f}" if 1e-4 <= max(abs(value), step) < 1e6 else f"{value:.5g}"
    shown = (text.rstrip("0").rstrip(".") if "." in text else text).replace("-0", "0", 1 if float(text) == 0 else 0)
    return f"{name} {shown.replace('-', '−')} {unit_text(axis.units)}"


def indices_text(position: Sequence[int]) -> str:
    """A position in pixels, x-first.

    Examples
    --------
    >>> indices_text((3, 7))
    '(3, 7)'
    """
    return f"({', '.join(str(int(i)) for i in position)})"


def value_text(value: Any, label: str = "") -> str:
    """A value with what it counts; whole numbers as they are, others with five digits.

    Examples
    --------
    >>> value_text(np.uint16(312), "counts"), value_text(0.123456789), value_text(float("nan"))
    ('312 counts', '0.12346', 'unknown')
    """
    found = np.asarray(value)
    if found.ndim == 1:
        return "(" + ", ".join(value_text(one) for one in found) + ")" + (f" {label}" if label else "")
    if found.dtype == bool:
        return "yes" if found else "no"
    if found.dtype.kind == "c":
        one = complex(found)
        text = f"{one.real:.4g} {'−' if one.imag < 0 else '+'} {abs(one.imag):.4g}i"
        return f"{text.replace('-', '−')} {label}".strip()
    if found.dtype.kind == "f" and not np.isfinite(found):
        return "unknown" if np.isnan(found) else str(float(found))
    number = found.item()
    whole = isinstance(number, int) or (float(number).is_integer() and abs(number) < 1e9)
    text = f"{int(number)}" if whole else f"{number:.5g}"
    return f"{text.replace('-', '−')} {label}".strip()


def unit_of(label: str) -> str:
    """What to write behind a value whose axis or colour bar has a label: the unit in brackets, or "counts".

    Examples
    --------
    >>> unit_of("phase (rad)"), unit_of("counts"), unit_of("correlation coefficient")
    ('rad', 'counts', '')
    """
    found = re.search(r"\(([^()]*)\)$", label)
    return found[1] if found else label if label in ("counts", "px") else ""


def share_text(share: float) -> str:
    """How much is known, as per cent; never 100 before all is.

    Examples
    --------
    >>> share_text(0.123), share_text(0.9999), share_text(0.0004), share_text(1.0)
    ('12 %', '99 %', '0 %', '')
    """
    return "" if share >= 1 else f"{min(99, int(share * 100))} %"
