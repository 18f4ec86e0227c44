"""Where disks are between the pixels: from the image they were found in, or from the frame itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit
from lazy4d.kernels.subpixel import upsampled_dft, upsampled_peaks

SIDES = (16, 24, 32)
"""Pixels along the side of the piece of a correlation that is interpolated: for disks of radius up to 6, to 12, above.
Its middle third stays as it is, from there it fades to its rim."""
REACH = 0.375
"""Pixels on each side of the top of a parabola in which the top is looked for."""
AT_ONCE = 512
"""Disks that are transformed together: as many pieces as stay in cache."""
CIRCLE = 1.2
"""Radius of the circle over that of the disk: as far as its own soft edge reaches."""
MOVES = 30
"""Moves of the circle, at most."""
STILL = 1e-4
"""Pixels; a move smaller than this is the last."""


@jit
def mass_about(frame, counts, radius, y, x):
    """The centre of mass (y, x) of what is brighter than the surroundings, in a circle that follows it.

    The circle is 1.2 times the disk's `radius`, with soft edges; the background is the mean of a ring of the disk's
    area around it. (nan, nan) where it leaves the pixel it started from by more than the radius, or nothing is
    brighter than the surroundings. For a pixel that does not count stands the one opposite to it.

    Examples
    --------
    >>> frame = np.ones((12, 12), "f4"); frame[3:8, 4:9] = 4
    >>> [round(v, 3) for v in mass_about(frame, np.ones((12, 12), np.uint8), 3.0, 5, 5)]
    [5.0, 6.0]
    """
    ky, kx = frame.shape
    inner = CIRCLE * radius
    outer = math.sqrt(inner * inner + radius * radius)
    cy, cx = float(y), float(x)
    reach = math.ceil(outer + 1)
    for _ in range(MOVES):
        total, area, torque_y, torque_x = 0.0, 0.0, 0.0, 0.0
        area_y, area_x, ring, ring_area = 0.0, 0.0, 0.0, 0.0
        near_y, near_x = round(cy), round(cx)
        for v in range(near_y - reach, near_y + reach + 1):
            for u in range(near_x - reach, near_x + reach + 1):
                far = math.sqrt((v - cy) * (v - cy) + (u - cx) * (u - cx))
                inside = min(1.0, max(0.0, inner + 0.5 - far))
                around = min(1.0, max(0.0, outer + 0.5 - far)) - inside
                if inside + around <= 0:
                    continue
                if 0 <= v < ky and 0 <= u < kx and counts[v, u] != 0:
                    value = np.float64(frame[v, u])
                    ring += around * value
                    ring_area += around
                else:
                    w, t = round(2 * cy - v), round(2 * cx - u)
                    if inside <= 0 or not (0 <= w < ky and 0 <= t < kx and counts[w, t] != 0):
                        continue
                    value = np.float64(frame[w, t])
                total += inside * value
                area += inside
                torque_y += inside * value * (v - cy)
                torque_x += inside * value * (u - cx)
                area_y += inside * (v - cy)
                area_x += inside * (u - cx)
        level = ring / ring_area if ring_area > 0 else 0.0
        mass = total - level * area
        if not mass > 0:
            return np.nan, np.nan
        step_y, step_x = (torque_y - level * area_y) / mass, (torque_x - level * area_x) / mass
        cy += step_y
        cx += step_x
        if not (abs(cy - y) <= radius and abs(cx - x) <= radius):
            return np.nan, np.nan
        if abs(step_y) + abs(step_x) < STILL:
            break
    return cy, cx


@jit
def _cut_pieces(images, which, places, pieces):
    """Copy the square about each place: `pieces` [p, k, k]; at the edge the image goes on as its last pixels."""
    ky, kx = images.shape[1:]
    half = pieces.shape[1] // 2
    for p in range(len(which)):
        for j in range(pieces.shape[1]):
            y = min(max(places[p, 0] + j - half, 0), ky - 1)
            for i in range(pieces.shape[2]):
                x = min(max(places[p, 1] + i - half, 0), kx - 1)
                pieces[p, j, i] = images[which[p], y, x]


def refine_by_dft(
    images: NDArray[Any],
    radius: float,
    upsample: int,
    which: NDArray[np.int64],
    places: NDArray[np.int64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The offsets (y, x) [p, 2] from `places` of the maxima of images, interpolated by Fourier series.

    Parameters
    ----------
    images : ndarray [n, ky, kx]
        With maxima at `places`.
    radius : float
        Of the disks that these stand for, pixels.
    upsample : int
        Points a pixel.
    which : ndarray of int64 [p]
        The image of each maximum.
    places : ndarray of int64 [p, 2]
        Its pixel.
    start : ndarray of float64 [p, 2]
        About where it is, counted from there.

    Notes
    -----
    The upsampled transform of Guizar-Sicairos et al., doi 10.1364/OL.33.000156, of a square about each maximum that
    fades to its rim: what stands beside it, be it a hundred times as high, does not ring into it.

    Examples
    --------
    >>> line = np.arange(20.0)
    >>> image = np.exp(-0.1 * ((line[:, None] - 9.3) ** 2 + (line - 11.1) ** 2))[None].astype("f4")
    >>> refine_by_dft(image, 5.0, 16, np.array([0]), np.array([[9, 11]]), np.array([[0.2, 0.0]])).round(3)
    array([[0.301, 0.101]])
    """
    from scipy.fft import rfft2

    result = np.array(start, np.float64)
    side = SIDES[0 if radius <= 6 else 1 if radius <= 12 else 2]
    far = (np.abs(np.arange(side) - side // 2) - side / 6) / (side / 3)
    line = 0.5 + 0.5 * np.cos(np.pi * np.clip(far, 0.0, 1.0))
    fading = line[:, None] * line
    for i in range(0, len(which), AT_ONCE):
        part = slice(i, min(i + AT_ONCE, len(which)))
        pieces = np.empty((part.stop - i, side, side))
        _cut_pieces(images, which[part], places[part], pieces)
        pieces -= pieces[:, side // 2, side // 2, None, None] / 2
        pieces *= fading
        middle = side // 2 + result[part]
        curves, steps = upsampled_dft(rfft2(pieces, workers=1), side, middle, upsample, REACH)
        result[part] += upsampled_peaks(curves, steps)[0]
    return result
