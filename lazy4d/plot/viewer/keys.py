"""What the keys of a live figure do."""

from __future__ import annotations

from typing import Any

KEYS = {
    "arrows": "one position on; with Shift ten, or a tenth of a small scan",
    "pageup, pagedown": "one step on along the third axis; with Shift along the fourth",
    "l": "linear, logarithmic or power scale of colours, of the picture under the mouse",
    "[ and ]": "brighter and darker, by the upper percentile",
    "{ and }": "less and more of the weak parts, by the lower percentile",
    "h": "hold the colour scale, whatever frame comes; again to let go",
    "a": "colour scale of the present frame",
    "n": "the next navigator, where there are several; N the one before",
    "m": "magnitude, phase, real or imaginary part, of complex numbers",
    "?": "these keys",
}
"""Keys of a viewer and what they do."""

ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
FURTHER = {"pageup": 1, "pagedown": -1}

_BRIEF = "arrows, Shift+arrows: move  ·  l: log  ·  [ ]: contrast  ·  a, h: rescale, hold  ·  n: navigator  ·  ?: keys"


def brief_help() -> str:
    """All keys in a line.

    Examples
    --------
    >>> "arrows" in brief_help()
    True
    """
    return _BRIEF


def parted(key: str | None) -> tuple[str, bool]:
    """A key of a matplotlib event without Shift, and whether that was held.

    Examples
    --------
    >>> parted("shift+left"), parted("l"), parted(None)
    (('left', True), ('l', False), ('', False))
    """
    names = (key or "").split("+") if key != "+" else ["+"]
    return names[-1], "shift" in names[:-1]


def step_of(axis: Any, large: bool) -> int:
    """How many positions a key moves: 1, or 10 with Shift (a tenth of a scan of fewer than 100, at least 2).

    Examples
    --------
    >>> step_of(l4.Axis(size=256), True), step_of(l4.Axis(size=50), True), step_of(l4.Axis(size=256), False)
    (10, 5, 1)
    """
    return min(10, max(2, axis.size // 10)) if large else 1
