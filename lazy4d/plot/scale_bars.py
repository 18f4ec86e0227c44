"""A scale bar of a round length, in the units of an axis, that can be read on dark and on bright images."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lazy4d.axes import Axis

FONT_SIZE = 8.0
"""Points; also of colour bars."""

_MARGIN, _THICKNESS = 0.05, 0.018
"""Of the bar, in heights and widths of the image."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LARGER = {"pm": "nm", "nm": "µm", "µm": "mm", "mm": "m", "µrad": "mrad", "mrad": "rad"}
_SMALLER = {large: small for small, large in _LARGER.items()}


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5, 10, 20 … (or 0.5, 0.2, 0.1 …) that is at most `longest`.

    Raises
    ------
    ValueError
        `longest` is not a positive number.

    Examples
    --------
    >>> nice_length(76.8), nice_length(1.5), nice_length(0.0499)
    (50.0, 1.0, 0.02)
    """
    if not (math.isfinite(longest) and longest > 0):
        raise ValueError(f"expected the longest scale bar as a positive number, found {longest!r}")
    exponent = math.floor(math.log10(longest))
    mantissa = longest / 10.0**exponent
    step = next((s for s in (5, 2, 1) if s <= mantissa * (1 + 1e-9)), 1)
    return float(f"{step}e{exponent}")


def unit_text(units: str) -> str:
    """A unit as papers print it, with superscripts instead of slashes.

    Examples
    --------
    >>> unit_text("1/Å"), unit_text("1/nm^2"), unit_text("mrad")
    ('Å⁻¹', 'nm⁻²', 'mrad')
    """
    match = re.fullmatch(r"(1/)?([^\W\d]+)(?:\^(\d+))?", units)
    if match is None:
        return units
    inverse, name, power = match.groups()
    exponent = f"{'-' if inverse else ''}{power or ('1' if inverse else '')}"
    return name + exponent.translate(_SUPERSCRIPTS)


def length_text(length: float, units: str) -> str:
    """A length and its unit, in the next larger or smaller unit where that spares zeros.

    Examples
    --------
    >>> length_text(20.0, "nm"), length_text(2000.0, "nm"), length_text(0.5, "1/Å"), length_text(0.05, "µm")
    ('20 nm', '2 µm', '0.5 Å⁻¹', '50 nm')
    """
    while length >= 1000 and units in _LARGER:
        length, units = length / 1000, _LARGER[units]
    while length < 0.1 and units in _SMALLER:
        length, units = length * 1000, _SMALLER[units]
    return f"{length:g} {unit_text(units)}"


def scale_bar(ax: Axes, axis: Axis, *, color: str = "white", longest: float = 0.36) -> tuple[Any, Any]:
    """A bar and its label, drawn into the lower left corner of an image whose x coordinates are pixels.

    Parameters
    ----------
    ax : matplotlib Axes
        Shows the image; its limits are those of the image.
    axis : Axis
        The axis along x, which says what a pixel is worth.
    color : str
        Of bar and label; both have a dark outline (a bright one, for "black").
    longest : float
        Largest part of the width that the bar may take.

    Returns
    -------
    tuple
        The bar (a matplotlib Rectangle, in pixels along x and parts of the height along y) and its label (a Text).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> image = ax.imshow(np.zeros((4, 100)))
    >>> bar, label = scale_bar(ax, l4.Axis(name="x", size=100, scale=1.2, units="nm"))
    >>> round(bar.get_width(), 2), label.get_text()
    (16.67, '20 nm')
    """
    left, right = sorted(ax.get_xlim())
    worth = abs(axis.scale)
    length = nice_length((right - left) * worth * longest)
    if axis.units == "px" and axis.scale == 1:
        length = max(1.0, length)
    width, start = length / worth, left + (right - left) * _MARGIN
    outline = withStroke(linewidth=1.8, foreground="white" if color == "black" else "black", alpha=0.75)
    place = ax.get_xaxis_transform()  # x in pixels, y in parts of the height
    bar = Rectangle(
        (start, _MARGIN), width, _THICKNESS, transform=place, facecolor=color, edgecolor="none", zorder=5,
        path_effects=[outline],
    )  # fmt: skip
    ax.add_patch(bar)
    label = ax.text(
        start, _MARGIN + 1.8 * _THICKNESS, length_text(length, axis.units), transform=place, color=color, ha="left",
        va="bottom", fontsize=FONT_SIZE, zorder=5, path_effects=[outline],
    )  # fmt: skip
    return bar, label
