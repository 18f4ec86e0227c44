"""Complex and true-or-false data as numbers that have a colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("magnitude", "phase (rad)", "real part", "imaginary part")
"""What can be shown of complex numbers."""

CYCLIC = "twilight"
"""Colour map of phases."""


def usual_label(signal: Any) -> str:
    """What the values of a signal count where its metadata do not say: electrons in whole numbers, or in a pattern.

    Examples
    --------
    >>> usual_label(d), usual_label(l4.VirtualImage(np.ones((3, 4))))
    ('counts', '')
    """
    is_pattern = len(signal.frame_shape) == 2 and any(axis.name.startswith("k") for axis in signal.frame_axes)
    return "counts" if signal.dtype.kind in "iu" or (is_pattern and signal.dtype.kind == "f") else ""


def part_of(values: NDArray[Any], part: str) -> NDArray[Any]:
    """Real numbers of complex ones; others as they are.

    Parameters
    ----------
    values : ndarray
        Any numbers.
    part : str
        One of `PARTS`.

    Examples
    --------
    >>> part_of(np.array([3 + 4j]), "magnitude"), part_of(np.array([1, 2]), "magnitude")
    (array([5.]), array([1, 2]))
    """
    if values.dtype.kind != "c":
        return values
    if part == PARTS[0]:
        return np.abs(values)
    if part == PARTS[1]:
        return np.angle(values)
    return values.real if part == PARTS[2] else values.imag


def next_part(part: str) -> str:
    """What is shown of complex numbers after `part`.

    Examples
    --------
    >>> next_part("magnitude")
    'phase (rad)'
    """
    return PARTS[(PARTS.index(part) + 1) % len(PARTS)]
