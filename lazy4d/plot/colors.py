"""Colours that tell the truth: colour maps even to the eye, and a colour for every direction of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap
from numpy.typing import NDArray

MISSING = "#7fa8a3"
"""Colour of NaN: in none of the colour maps below, so that what is missing cannot be mistaken for a value."""

DETECTORS = ("#35c9ff", "#ffb000", "#8dff6b", "#ff7bd5", "#ffffff", "#c9a0ff")
"""Outlines of detectors, one after the other; bright, as patterns are dark."""

_LIGHTEST, _CHROMA = 0.76, 0.125  # of the longest vector, in OKLab; nearly all hues of this chroma exist in sRGB

_GAMMA = 0.75
"""Of lightness over length: short vectors still have a colour that can be told."""

_LMS_FROM_LAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_RGB_FROM_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def color_map(name: str) -> Colormap:
    """The colour map of matplotlib called `name`, in which NaN has the colour `MISSING`.

    Examples
    --------
    >>> color_map("inferno")(np.nan)[:3] == color_map("RdBu_r")(np.nan)[:3]
    True
    """
    return colormaps[name].with_extremes(bad=MISSING)


def direction_colors(dy: Any, dx: Any, longest: float) -> NDArray[np.float64]:
    """The colours of vectors: the hue is their direction, the lightness their length; NaN has the colour `MISSING`.

    Parameters
    ----------
    dy, dx : array_like [...]
        Components.
    longest : float
        Length of a vector of full colour; longer ones look the same, and one of length 0 is black.

    Returns
    -------
    ndarray of float64 [..., 3]
        sRGB in [0, 1].

    Notes
    -----
    Hues lie on a circle of the OKLab colour space (B. Ottosson, "A perceptual color space for image processing", 2020),
    so equal angles look equally far apart and no direction looks brighter than another.

    Examples
    --------
    >>> direction_colors(0.0, 0.0, 1.0)
    array([0., 0., 0.])
    """
    y, x = np.broadcast_arrays(np.asarray(dy, np.float64), np.asarray(dx, np.float64))
    part = np.minimum(np.hypot(y, x) / (longest or 1.0), 1.0) ** _GAMMA
    angle = np.arctan2(y, x)
    lab = np.stack([_LIGHTEST * part, _CHROMA * part * np.cos(angle), _CHROMA * part * np.sin(angle)], -1)
    linear = np.clip((lab @ _LMS_FROM_LAB.T) ** 3 @ _RGB_FROM_LMS.T, 0.0, 1.0)
    colors = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    missing = [int(MISSING[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return np.where(np.isfinite(part)[..., None], colors, missing)


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
