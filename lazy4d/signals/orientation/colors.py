"""Colours of directions in a crystal: each direction of the part that symmetry leaves has one of its own.

The border of that part has all hues, red, green and blue at the corners of a triangle, and its middle is white, after
G. Nolze & R. Hielscher, J. Appl. Cryst. 49 (2016) 1786, doi 10.1107/S1600576716012942.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.orientation.symmetry import reduce_directions

Floats = NDArray[np.float64]

_HALF, _HIGH = 0.5, 3**0.5 / 2
_CORNERS: dict[str, list[tuple[float, float, float]]] = {
    "-1": [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)],
    "2/m": [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, 0, 1)],
    "mmm": [(0, 0, 1), (1, 0, 0), (0, 1, 0)],
    "4/m": [(0, 0, 1), (1, 0, 0), (0, 1, 0)],
    "4/mmm": [(0, 0, 1), (1, 0, 0), (1, 1, 0)],
    "-3": [(0, 0, 1), (1, 0, 0), (-_HALF, _HIGH, 0)],
    "-3m": [(0, 0, 1), (_HIGH, -_HALF, 0), (_HIGH, _HALF, 0)],
    "-31m": [(0, 0, 1), (1, 0, 0), (_HALF, _HIGH, 0)],
    "6/m": [(0, 0, 1), (1, 0, 0), (_HALF, _HIGH, 0)],
    "6/mmm": [(0, 0, 1), (1, 0, 0), (_HIGH, _HALF, 0)],
    "m-3": [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
    "m-3m": [(0, 0, 1), (1, 0, 1), (1, 1, 1)],
}


@cache
def sector(laue: str) -> tuple[Floats, Floats, Floats]:
    """The part of the sphere that stands for all directions: its corners [c, 3], middle [3] and sides [c, 3].

    A side is the unit vector at right angles to a great circle, towards the inside; the first one joins the first two
    corners.

    Examples
    --------
    >>> sector("m-3m")[0].round(3).tolist()[0]
    [0.0, 0.0, 1.0]
    """
    corners = np.array(_CORNERS[laue], np.float64)
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    middle = np.array([0.0, 0, 1]) if laue == "-1" else corners.mean(axis=0)
    middle = middle / np.linalg.norm(middle)
    sides = np.cross(corners, np.roll(corners, -1, axis=0))
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    sides *= np.sign(sides @ middle)[:, None]
    return corners, middle, sides


def ipf_colors(directions: Any, laue: str) -> Floats:
    """Colours [..., 3], red, green and blue from 0 to 1, of directions [..., 3] in the crystal's axes.

    Parameters
    ----------
    directions : array_like [..., 3]
        Of any length; those of nan have the colour nan.
    laue : str
        Laue group.

    Examples
    --------
    >>> ipf_colors([[0, 0, 1], [1, 0, 1], [1, 1, 1], [-1, -1, 1]], "m-3m").round(3) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.],
           [0., 0., 1.]])
    """
    given = np.asarray(directions, np.float64)
    length = np.linalg.norm(given, axis=-1, keepdims=True)
    unknown = ~np.isfinite(length[..., 0]) | (length[..., 0] == 0)
    unit = np.where(unknown[..., None], [0.0, 0, 1], given / np.where(unknown[..., None], 1, length))
    corners, middle, sides = sector(laue)
    reduced = reduce_directions(unit, laue)
    first = corners[0] - (corners[0] @ middle) * middle
    first /= np.linalg.norm(first)
    frame = np.stack([first, np.cross(middle, first)])
    around = _azimuth(corners @ frame.T)
    if around[1] > around[-1]:  # clockwise
        frame[1] *= -1
        around = _azimuth(corners @ frame.T)
    plane = reduced @ frame.T
    azimuth = _azimuth(plane)
    ends = np.concatenate([around, [2 * np.pi]])
    ends[0] = 0
    hue = np.interp(azimuth, ends, np.arange(ends.size) / (ends.size - 1))
    # How far along the great circle from the middle, and how far the border is there: at p cos t + m sin t, the side n
    # is met where tan t = -(n·m) / (n·p), m the middle and p the direction at right angles to it.
    towards = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1) @ frame
    along = towards @ sides.T
    angles = np.arctan2(sides @ middle, -along)
    border = np.where(angles > 1e-9, angles, np.pi).min(axis=-1)
    share = np.arctan2(np.linalg.norm(plane, axis=-1), reduced @ middle) / border
    found = _saturated(hue, np.clip(share, 0, 1))
    found[unknown] = np.nan
    return found


def _azimuth(plane: Floats) -> Floats:
    return np.asarray(np.arctan2(plane[..., 1], plane[..., 0]) % (2 * np.pi))


def _saturated(hue: Floats, saturation: Floats) -> Floats:
    """Colours of a hue, 0 to 1, brightest, from white to saturated."""
    wheel = np.clip(np.abs((hue[..., None] * 6 + np.array([0.0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return np.asarray(1 - saturation[..., None] * (1 - wheel))
