"""A colour for every vector: the hue is its direction, the lightness its length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = "#7fa8a3"
"""Colour of NaN: in no colour map in use here, so that what is missing cannot be mistaken for a value."""

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
