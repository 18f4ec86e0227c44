"""A region given the numbers that a drag makes, unless nothing would be left of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.plot.detectors.editing import editor_of
from lazy4d.roi import ROI

_LARGE = 512 * 512
"""Pixels of a frame up to which a region is looked at pixel by pixel."""


def apply_drag(roi: ROI, axes: Sequence[Axis], values: dict[str, Any]) -> bool:
    """Give a region other numbers, if it holds a pixel then; whether it changed. Nothing is raised.

    Examples
    --------
    >>> roi, axes = l4.CircleROI(8, 8, 3), (l4.Axis(name="kx", size=16), l4.Axis(name="ky", size=16))
    >>> apply_drag(roi, axes, {"cx": 9}), apply_drag(roi, axes, {"cx": 90}), roi.cx
    (True, False, 9)
    """
    if all(getattr(roi, name) == value for name, value in values.items()):
        return False
    trial = roi.copy()
    try:
        trial.update(**values)
        if not _surely_covers(trial, axes):
            trial.mask(axes)
    except (ValueError, TypeError):
        return False
    roi.update(**values)
    return True


def _surely_covers(roi: ROI, axes: Sequence[Axis]) -> bool:
    """Whether a region is so large on large frames that its pixels need not be counted for each motion."""
    if math.prod(axis.size for axis in axes) <= _LARGE:
        return False
    editor = editor_of(roi, axes)
    if editor is None:
        return False
    points = editor.lines[0]
    last = np.array([axis.size - 0.5 for axis in (axes[0], axes[-1])])
    inside = np.minimum(points.max(axis=0), last) - np.maximum(points.min(axis=0), -0.5)
    return bool((inside > 4).all())
