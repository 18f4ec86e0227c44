"""Colours that tell the truth: colour maps even to the eye, and a colour for every direction of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap
from numpy.typing import NDArray

from lazy4d.signals.dpc.colors import MISSING, direction_colors

__all__ = ["DETECTORS", "MISSING", "color_map", "direction_colors", "direction_wheel", "robust_limits"]

DETECTORS = ("#35c9ff", "#ffb000", "#8dff6b", "#ff7bd5", "#ffffff", "#c9a0ff")
"""Outlines of detectors, one after the other; bright, as patterns are dark."""


def color_map(name: str) -> Colormap:
    """The colour map of matplotlib called `name`, in which NaN has the colour `MISSING`.

    Raises
    ------
    ValueError
        There is none of that name.

    Examples
    --------
    >>> color_map("inferno")(np.nan)[:3] == color_map("RdBu_r")(np.nan)[:3]
    True
    """
    if name not in colormaps:
        raise ValueError(f"expected the name of a colour map of matplotlib such as 'viridis', found {name!r}")
    return colormaps[name].with_extremes(bad=MISSING)


def direction_wheel(size: int = 129) -> NDArray[np.float64]:
    """A disk with the colour of every direction, as an image (rows down, columns right) of sRGB and opacity.

    Parameters
    ----------
    size : int
        Rows and columns.

    Returns
    -------
    ndarray of float64 [size, size, 4]

    Examples
    --------
    >>> direction_wheel(65)[0, 0, 3], direction_wheel(65)[32, 60, 3]
    (np.float64(0.0), np.float64(1.0))
    """
    y, x = (np.indices((size, size)) - (size - 1) / 2) / ((size - 1) / 2)
    opacity = np.clip((1 - np.hypot(y, x)) * size / 2, 0, 1)  # a soft rim of one pixel
    return np.concatenate([direction_colors(y, x, 1.0), opacity[..., None]], -1)


def robust_limits(values: NDArray[Any], share: float = 0.002) -> tuple[float, float]:
    """Limits of a colour scale: all finite values but the `share` at either end, and never empty.

    Examples
    --------
    >>> robust_limits(np.array([1.0, 2.0, np.nan])), robust_limits(np.zeros(3))
    ((1.0, 2.0), (0.0, 1.0))
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    few = finite.size < 1 / share
    low, high = (float(q) for q in np.quantile(finite, [0, 1] if few else [share, 1 - share]))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))
