"""Disks on a detector: their exact expected counts, pixel by pixel, and electrons drawn from them one at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spots:
    """What one frame is made of, in expected electrons: disks of one radius, a Gaussian halo and a uniform background.

    Parameters
    ----------
    centers : float64 array (m, 2)
        Disk centres (y, x), pixels; a pixel's centre is at its integer index.
    electrons : float64 array (m,)
        Expected electrons in each disk.
    radius : float
        Radius of all disks, pixels.
    halo : float
        Expected electrons in the halo about the first disk.
    halo_sigma : float
        Standard deviation of the halo, pixels.
    background : float
        Expected electrons spread evenly over the frame.
    """

    centers: Floats
    electrons: Floats
    radius: float
    halo: float = 0.0
    halo_sigma: float = 1.0
    background: float = 0.0


def disk_coverage(center: Floats, radius: float, shape: tuple[int, int]) -> tuple[tuple[slice, slice], Floats]:
    """Exact share of a disk's area that falls on each pixel of the window around it.

    Parameters
    ----------
    center : float64 array (2,)
        Disk centre (y, x), pixels.
    radius : float
        Disk radius, pixels, > 0.
    shape : tuple of int
        Frame (ky, kx); the window is clipped to it.

    Returns
    -------
    window : tuple of slice
        Rows and columns of the frame that the disk touches; empty where it misses the frame.
    share : float64 array (rows, columns)
        Area of disk and pixel in common over the area of the disk: sums to 1 for a disk inside the frame.

    Notes
    -----
    With A(t) = (t √(1-t²) + asin t + π/2) / 2, the area of the unit disk left of x = t is 2A(t). The area left of x
    *and* below y follows by splitting at the chord x = ±√(1-y²); a pixel is a difference of four such areas.

    Examples
    --------
    >>> window, share = disk_coverage(np.array([4.0, 5.0]), 0.5, (8, 8))
    >>> window
    (slice(4, 5, None), slice(5, 6, None))
    >>> share
    array([[1.]])
    """
    window = tuple(
        slice(min(max(int(np.floor(c - radius - 0.5)) + 1, 0), n), min(max(int(np.ceil(c + radius + 0.5)), 0), n))
        for c, n in zip(center, shape, strict=True)
    )
    edges = [
        np.clip((np.arange(s.start, s.stop + 1) - 0.5 - c) / radius, -1, 1) for s, c in zip(window, center, strict=True)
    ]
    corner = _area_below(edges[0][:, None], edges[1][None, :])
    share = (corner[1:, 1:] - corner[:-1, 1:] - corner[1:, :-1] + corner[:-1, :-1]) / np.pi
    return (window[0], window[1]), np.maximum(share, 0)


def _area_below(y: Floats, x: Floats) -> Floats:
    """Area of the unit disk within X ≤ x and Y ≤ y, for x and y in [-1, 1]."""

    def half(t: Floats) -> Floats:
        area: Floats = (t * np.sqrt(np.maximum(1 - t * t, 0)) + np.arcsin(t) + np.pi / 2) / 2
        return area

    chord = np.sqrt(np.maximum(1 - y * y, 0))
    inner = np.clip(x, -chord, chord)
    area = y * (inner + chord) + half(inner) - half(-chord)
    caps = 2 * (half(np.minimum(x, -chord)) + half(np.maximum(x, chord)) - half(chord))
    total: Floats = area + np.where(y >= 0, caps, 0)
    return total


def expected_counts(spots: Spots, shape: tuple[int, int]) -> Floats:
    """Expected electrons on each pixel, exact to rounding.

    Parameters
    ----------
    spots : Spots
        What the frame is made of.
    shape : tuple of int
        Frame (ky, kx).

    Returns
    -------
    float64 array (ky, kx)
        Electrons per pixel; what falls beside the frame is lost.

    Examples
    --------
    >>> spots = Spots(np.array([[8.0, 7.5]]), np.array([100.0]), radius=3.0)
    >>> round(float(expected_counts(spots, (16, 16)).sum()), 9)
    100.0
    """
    counts = np.full(shape, spots.background / (shape[0] * shape[1]))
    for center, electrons in zip(spots.centers, spots.electrons, strict=True):
        if electrons > 0:
            window, share = disk_coverage(center, spots.radius, shape)
            counts[window] += electrons * share
    if spots.halo > 0:
        profiles = [_gaussian_shares(c, spots.halo_sigma, n) for c, n in zip(spots.centers[0], shape, strict=True)]
        counts += spots.halo * profiles[0][:, None] * profiles[1]
    return counts


def _gaussian_shares(center: float, sigma: float, size: int) -> Floats:
    """Integral of a unit Gaussian over each pixel of a line, by Gauss-Legendre quadrature (exact to 1e-9 for σ ≥ 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    t = (np.arange(size)[:, None] + nodes / 2 - center) / sigma
    shares: Floats = np.exp(-t * t / 2) @ weights / (2 * sigma * np.sqrt(2 * np.pi))
    return shares


def draw_electrons(spots: Spots, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Counts of one frame drawn electron by electron: exactly Poisson, at a cost that follows the dose.

    Parameters
    ----------
    spots : Spots
        What the frame is made of.
    shape : tuple of int
        Frame (ky, kx).
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    int64 array (ky, kx)
        Electrons per pixel; what falls beside the frame is lost.

    Notes
    -----
    The number of electrons in each part is Poisson, each electron's place is drawn from the part's density; then
    the counts of all pixels are independent and Poisson with `expected_counts` as their mean. For a disk, points of its
    bounding square at 4/π times the rate are drawn and those outside the circle dropped: a thinned Poisson process is
    a Poisson process.

    Examples
    --------
    >>> spots = Spots(np.array([[8.0, 8.0]]), np.array([1000.0]), radius=3.0)
    >>> counts = draw_electrons(spots, (16, 16), np.random.default_rng(0))
    >>> counts.shape, bool(abs(counts.sum() - 1000) < 200)
    ((16, 16), True)
    """
    height, width = shape
    counts = rng.poisson(spots.electrons * (4 / np.pi))
    points = rng.random((2, int(counts.sum())), dtype=np.float32)
    points -= np.float32(0.5)
    keep = points[0] * points[0] + points[1] * points[1] < np.float32(0.25)
    points *= np.float32(2 * spots.radius)
    corners = (spots.centers + 0.5).astype(np.float32)  # from here on a pixel is the interval [index, index + 1)
    points += np.repeat(corners.T, counts, axis=1)
    if spots.halo > 0:
        halo = rng.standard_normal((2, int(rng.poisson(spots.halo))), dtype=np.float32) * np.float32(spots.halo_sigma)
        points = np.concatenate([points, halo + corners[0][:, None]], axis=1)
        keep = np.concatenate([keep, np.ones(halo.shape[1], bool)])
    reach = spots.radius if spots.halo == 0 else np.inf
    if corners.size and ((corners < reach).any() or (corners > np.array([height, width]) - reach).any()):
        keep &= (points[0] >= 0) & (points[0] < height) & (points[1] >= 0) & (points[1] < width)
    kept = np.flatnonzero(keep)
    pixels = points[0].take(kept).astype(np.intp)
    pixels *= width
    pixels += points[1].take(kept).astype(np.intp)
    if spots.background > 0:
        spread = rng.integers(0, height * width, int(rng.poisson(spots.background)), dtype=np.uint32)
        pixels = np.concatenate([pixels, spread.astype(np.intp)])
    return np.bincount(pixels, minlength=height * width).reshape(shape)
