"""Expected counts of disks that are not evenly filled: a bright rim, lines across, fringes where two disks overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.spots import Floats, disk_coverage

STEPS = 12
"""Rings that a radial profile is made of."""


def even_disk(center: Floats, radius: float, shape: tuple[int, int]) -> Floats:
    """Share of each pixel (ky, kx) that a disk covers, exact.

    Examples
    --------
    >>> round(float(even_disk(np.array([8.2, 7.7]), 3.0, (16, 16)).sum() / np.pi), 9)
    9.0
    """
    covered = np.zeros(shape)
    window, share = disk_coverage(center, radius, shape)
    covered[window] = share * (np.pi * radius * radius)
    return covered


def rimmed_disk(center: Floats, radius: float, shape: tuple[int, int], rim: float = 3.0) -> Floats:
    """A disk whose brightness rises from its centre outwards, 1 on average, exact: rings of even brightness.

    Parameters
    ----------
    center : float64 array (2,)
        Centre (y, x), pixels.
    radius : float
        Radius, pixels.
    shape : tuple of int
        Frame (ky, kx).
    rim : float
        Brightness at the rim over that at the centre, between which it rises with the square of the radius; below 1 it
        falls.

    Returns
    -------
    float64 array (ky, kx)
        Brightness times the area of the pixel that is covered.

    Examples
    --------
    >>> frame = rimmed_disk(np.array([8.0, 8.0]), 6.0, (17, 17))
    >>> bool(frame[8, 8] < 1 < frame[8, 13]), round(float(frame.sum() / np.pi), 9)
    (True, 36.0)
    """
    outer = radius * np.sqrt(np.arange(1, STEPS + 1) / STEPS)  # rings of equal area
    heights = np.linspace(1, rim, STEPS)
    heights /= heights.mean()
    steps = heights - np.append(heights[1:], 0)  # the outermost disk lies under all others
    total = np.zeros(shape)
    for size, height in zip(outer, steps, strict=True):
        total += height * even_disk(center, float(size), shape)
    return total


def lined_disk(
    center: Floats, radius: float, shape: tuple[int, int], angle: float, offset: float, depth: float = 0.8
) -> Floats:
    """A disk crossed by a dark line and, parallel to it, a bright one, such as Kikuchi lines.

    Parameters
    ----------
    center : float64 array (2,)
        Centre (y, x), pixels.
    radius : float
        Radius, pixels.
    shape : tuple of int
        Frame (ky, kx).
    angle : float
        Direction across the lines from x towards y, radians.
    offset : float
        Place of the dark line from the centre, in radii; the bright one is a radius farther along.
    depth : float
        Depth of the dark line, and height of the bright one, in [0, 1].

    Returns
    -------
    float64 array (ky, kx)
        Covered area times a brightness taken at the pixel's centre; lines are Gaussians of a sixth of the radius.

    Examples
    --------
    >>> frame = lined_disk(np.array([8.0, 8.0]), 6.0, (17, 17), angle=0.0, offset=0.0)
    >>> frame[8, 8].round(2), frame[8, 4].round(2)
    (np.float64(0.2), np.float64(1.0))
    """
    y, x = np.arange(shape[0])[:, None] - center[0], np.arange(shape[1]) - center[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    width = max(radius / 6, 0.8)

    def line(place: float) -> Floats:
        profile: Floats = np.exp(-((along - place * radius) ** 2) / (2 * width * width))
        return profile

    return even_disk(center, radius, shape) * (1 - depth * line(offset) + depth * line(offset + 1))


def fringed_pair(
    centers: Floats, radius: float, shape: tuple[int, int], amplitudes: NDArray[np.float64], phase: float
) -> Floats:
    """Two disks that interfere where they overlap, as neighbouring disks of a coherent probe do.

    Parameters
    ----------
    centers : float64 array (2, 2)
        Centres (y, x), pixels.
    radius : float
        Radius of both, pixels.
    shape : tuple of int
        Frame (ky, kx).
    amplitudes : float64 array (2,)
        Square roots of the brightness of each disk.
    phase : float
        Phase between them in the middle of the overlap, radians; it changes by 2π over a third of the radius along the
        line between the centres, as for a defocused probe.

    Returns
    -------
    float64 array (ky, kx)
        ``a² + b² + 2ab cos(phase)`` of the covered areas, the cosine taken at the pixel's centre.

    Examples
    --------
    >>> centers = np.array([[8.0, 5.0], [8.0, 11.0]])
    >>> frame = fringed_pair(centers, 5.0, (17, 17), np.array([1.0, 1.0]), 0.0)
    >>> frame[8, 8].round(6), frame[8, 3].round(6)
    (np.float64(4.0), np.float64(1.0))
    """
    first, second = (even_disk(center, radius, shape) for center in centers)
    between = centers[1] - centers[0]
    middle = centers.mean(axis=0)
    y, x = np.arange(shape[0])[:, None] - middle[0], np.arange(shape[1]) - middle[1]
    along = (y * between[0] + x * between[1]) / np.hypot(*between)
    a, b = amplitudes
    total: Floats = a * a * first + b * b * second
    return total + 2 * a * b * np.minimum(first, second) * np.cos(phase + 6 * np.pi * along / radius)
