"""Pictures of the direct beam to look for: disk, edge (zero-sum), radial gradient, or a given picture.

A `Template` is a small array with the beam on its middle pixel, and the pixels around it that belong to the comparison.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

RING = math.sqrt(2.0)
"""Outer over inner radius of the dark ring: it has the area of the disk."""
LINES = 64
"""Lines a pixel along which the share of a disk is measured, exactly along each."""
SOFT = 0.5
"""Standard deviation by which the disk's edge is blurred, pixels. The correlation is then smooth between pixels:
positions depend a quarter less on where in a pixel a beam is, at no cost in noise. Real beams are no sharper."""
TRACE = 0.01
"""Pixels of which the disk and its ring cover less are left out."""
FAINT = 0.1
"""Pixels of a given picture below this share of its range are left out at its rim."""


@dataclass(frozen=True, eq=False)
class Template:
    """What to look for.

    Parameters
    ----------
    values : ndarray of float64 [m, m]
        The picture, m odd, the beam on pixel ``m // 2``.
    bright : ndarray of float64 [m, m]
        The beam alone, even where `values` are not, 0 around it.
    support : ndarray of bool [m, m]
        The pixels that are compared.
    flat : bool
        Whether an even background is to be ignored: values then sum to 0 over the support.
    offset : tuple of float
        Where the beam is, (y, x), counted from the middle pixel: a fraction of a pixel for given pictures, else 0.
    radius : float
        Of the disk, pixels; of a given picture that of the disk of its width.
    pixels : ndarray of bool [m, m], optional
        Where `values` are this set of pixels, blurred by (1, 2, 1) / 4 along both axes, less a constant on the support:
        sums over sets are fast.
    """

    values: NDArray[np.float64]
    bright: NDArray[np.float64]
    support: NDArray[np.bool_]
    flat: bool
    offset: tuple[float, float]
    radius: float
    pixels: NDArray[np.bool_] | None = None

    @property
    def half(self) -> int:
        """Pixels on each side of the middle one."""
        return len(self.values) // 2


def disk(radius: float, half: int, center: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
    """The share of each pixel that a disk covers: float64 [2 half + 1, 2 half + 1] in [0, 1].

    Parameters
    ----------
    radius : float
        Pixels, any fraction.
    half : int
        Pixels on each side of the middle one.
    center : tuple of float
        Of the disk, (y, x), counted from the middle pixel.

    Notes
    -----
    Mean over lines along x and along y, 64 a pixel, of the exact length of line inside: better than 0.01.

    Examples
    --------
    >>> disk(1.0, 1).round(2)
    array([[0.08, 0.46, 0.08],
           [0.46, 1.  , 0.46],
           [0.08, 0.46, 0.08]])
    """
    result: NDArray[np.float64] = (_lines(radius, half, *center) + _lines(radius, half, *center[::-1]).T) / 2
    return result


def _lines(radius: float, half: int, y: float, x: float) -> NDArray[np.float64]:
    """Share of each pixel's lines along x that lies inside."""
    lines = (np.arange((2 * half + 1) * LINES) + 0.5) / LINES - half - 0.5 - y
    chord = np.sqrt(np.maximum(radius**2 - lines**2, 0.0))[:, None]
    pixels = np.arange(-half, half + 1) - x
    inside = np.minimum(pixels + 0.5, chord) - np.maximum(pixels - 0.5, -chord)
    return np.maximum(inside, 0.0).reshape(2 * half + 1, LINES, 2 * half + 1).mean(axis=1)


def disk_template(radius: float) -> Template:
    """A bright disk on nothing, compared over the disk and as much area around it; background counts.

    Examples
    --------
    >>> (disk_template(2.5).values.sum() / np.pi).round(1)
    np.float64(6.2)
    """
    inner, outer = _disk_and_surroundings(radius)
    support = outer > TRACE
    values = np.where(support, inner, 0.0)
    return Template(values, values, support, False, (0.0, 0.0), float(radius))


def edge_template(radius: float) -> Template:
    """A bright disk in a dark ring of the same area; the sum is 0, so that an even background does not matter.

    Examples
    --------
    >>> template = edge_template(4)
    >>> template.values.shape, abs(template.values.sum()) < 1e-12
    ((13, 13), np.True_)
    """
    inner, outer = _disk_and_surroundings(radius)
    return _zero_sum(inner, inner, outer, radius)


def gradient_template(radius: float) -> Template:
    """A disk that brightens from its centre to its rim, in a dark ring, sum 0: the rim counts more than the inside.

    Examples
    --------
    >>> template = gradient_template(4)
    >>> template.values[6, 6] < template.values[6, 9]
    np.True_
    """
    inner, outer = _disk_and_surroundings(radius)
    line = np.arange(len(inner)) - len(inner) // 2
    return _zero_sum(inner * (np.hypot(line[:, None], line) + 0.5) / (radius + 0.5), inner, outer, radius)


def given_template(picture: NDArray[np.float64], center: tuple[float, float] | None = None) -> Template:
    """A picture of the beam, such as the probe in vacuum, cut to where the beam is; even background does not matter.

    Parameters
    ----------
    picture : ndarray [ky, kx]
        Finite numbers.
    center : tuple of float, optional
        Where the beam is in it, (y, x); by default its centre of mass above half of its range.

    Raises
    ------
    ValueError
        A picture that is not two-dimensional, not finite, or constant; a centre outside.

    Examples
    --------
    >>> probe = np.zeros((9, 12)); probe[2:5, 4:8] = 7
    >>> template = given_template(probe)
    >>> template.half, template.offset, template.radius
    (4, (0.0, -0.5), 1.9544100476116797)
    """
    found = np.asarray(picture, np.float64)
    if found.ndim != 2 or not np.isfinite(found).all() or np.ptp(found) == 0:
        raise ValueError(
            f"expected a template as a 2-D array of finite numbers that are not all equal, found shape {found.shape}"
        )
    low, high = found.min(), found.max()
    bright = np.where(found >= (low + high) / 2, found - low, 0.0)
    y, x = np.arange(found.shape[0])[:, None], np.arange(found.shape[1])
    if center is None:
        center = (float((y * bright).sum() / bright.sum()), float((x * bright).sum() / bright.sum()))
    if not (-0.5 <= center[0] < found.shape[0] - 0.5 and -0.5 <= center[1] < found.shape[1] - 0.5):
        raise ValueError(f"expected the centre (y, x) inside the template of shape {found.shape}, found {center}")
    radius = math.sqrt(np.count_nonzero(bright) / math.pi)
    middle = round(center[0]), round(center[1])
    # The rim of a frame far from the beam says nothing of it: keep the beam and a margin of the width of the dark ring.
    around = np.median(np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]]))
    seen = np.abs(found - around) > FAINT * (high - low)
    rows_seen, columns_seen = np.nonzero(seen)
    reach = max(np.abs(rows_seen - middle[0]).max(), np.abs(columns_seen - middle[1]).max())
    half = int(min(reach + 1 + math.ceil((RING - 1) * radius), max(found.shape)))
    values = np.zeros((2 * half + 1, 2 * half + 1))
    support = np.zeros(values.shape, bool)
    top, left = middle[0] - half, middle[1] - half
    rows = slice(max(top, 0), min(top + 2 * half + 1, found.shape[0]))
    columns = slice(max(left, 0), min(left + 2 * half + 1, found.shape[1]))
    inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    values[inside], support[inside] = found[rows, columns], True
    beam = np.where(support, values - around, 0.0)
    values[support] -= values[support].mean()
    return Template(values, beam, support, True, (center[0] - middle[0], center[1] - middle[1]), radius)


def pixel_disk_template(radius: float) -> Template:
    """A bright disk of whole pixels, slightly blurred, in a dark ring of the same area; the sum is 0.

    Nearly that of `edge_template`, but made of sets of pixels, over which sums are fast. The blur, of standard
    deviation 0.7 pixels, makes the correlation smooth enough for a parabola to find its top within 0.015 pixels.

    Examples
    --------
    >>> template = pixel_disk_template(4)
    >>> template.pixels.sum(), template.support.sum(), abs(template.values.sum()) < 1e-12
    (np.int64(49), np.int64(101), np.True_)
    """
    outer = _outer_radius(radius)
    return _of_pixels(_pixel_disk(radius, outer), _pixel_disk(outer, outer), radius)


def ring_template(r_inner: float, r_outer: float) -> Template:
    """A bright ring of whole pixels, slightly blurred, with dark surroundings inside and outside; the sum is 0.

    Parameters
    ----------
    r_inner, r_outer : float
        Radii of the ring, pixels.

    Raises
    ------
    ValueError
        Radii that are not ``0 < r_inner < r_outer``, or a ring without pixels.

    Examples
    --------
    >>> template = ring_template(3, 5)
    >>> template.values[6, 6] < 0 < template.values[6, 10], abs(template.values.sum()) < 1e-12
    (np.True_, np.True_)
    """
    if not 0 < r_inner < r_outer:
        raise ValueError(f"expected 0 < r_inner < r_outer, found {r_inner} and {r_outer} pixels")
    outer = _outer_radius(r_outer)
    ring = _pixel_disk(r_outer, outer) & ~_pixel_disk(r_inner, outer)
    if not ring.any():
        raise ValueError(f"no pixel lies between the radii {r_inner} and {r_outer} pixels: expected a wider ring")
    return _of_pixels(ring, _pixel_disk(outer, outer), r_outer)


def picture_template(picture: NDArray[np.float64], center: tuple[float, float] | None = None) -> Template:
    """As `given_template`, but compared over a circle that leaves only a narrow dark ring around the beam.

    For images in which there are many beams, which would reach into the corners of a square.

    Examples
    --------
    >>> picture = np.zeros((9, 9)); picture[3:6, 3:6] = 7
    >>> template = picture_template(picture)
    >>> template.support.shape, template.support.sum(), abs(template.values.sum()) < 1e-12
    ((5, 5), np.int64(21), np.True_)
    """
    square = given_template(picture, center)
    line = np.arange(-square.half, square.half + 1)
    away = np.hypot(line[:, None], line)
    reach = away[np.abs(square.bright) > FAINT * np.ptp(square.bright)].max()
    support = square.support & (away <= max(RING * square.radius, reach + 1.0))
    rim = square.half - int(np.abs(line[support.any(axis=0) | support.any(axis=1)]).max())
    inside = (slice(rim, len(line) - rim),) * 2
    support = support[inside]
    values = np.where(support, square.values[inside], 0.0)
    values[support] -= values[support].mean()
    return replace(square, values=values, bright=np.where(support, square.bright[inside], 0.0), support=support)


TEMPLATES = {"disk": disk_template, "edge": edge_template, "gradient": gradient_template}
"""Templates that a radius is enough for, by name."""


def _outer_radius(radius: float) -> float:
    """Where the dark ring around a disk ends."""
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"expected a radius of more than 0 pixels, found {radius}")
    return max(RING * radius, radius + 1.0)


def _pixel_disk(radius: float, outer: float) -> NDArray[np.bool_]:
    """Whole pixels as near to the area of a disk as circles about the middle pixel give, on an array for `outer`."""
    line = np.arange(-math.ceil(outer) - 1, math.ceil(outer) + 2)
    square = line[:, None] ** 2 + line**2
    steps, count = np.unique(square, return_counts=True)
    nearest = np.abs(np.cumsum(count) - math.pi * radius**2).argmin()
    found: NDArray[np.bool_] = square <= steps[nearest]
    return found


def _of_pixels(bright: NDArray[np.bool_], surroundings: NDArray[np.bool_], radius: float) -> Template:
    """A set of pixels, blurred, on a set of surroundings."""
    blurred = bright.astype(np.float64)
    for axis in (0, 1):
        blurred = (np.roll(blurred, 1, axis) + 2 * blurred + np.roll(blurred, -1, axis)) / 4
    support = surroundings | (blurred > 0)
    rows = np.nonzero(support.any(axis=1))[0]
    inside = (slice(rows[0], rows[-1] + 1),) * 2
    bright, blurred, support = bright[inside], blurred[inside], support[inside]
    values = np.where(support, blurred - blurred.sum() / np.count_nonzero(support), 0.0)
    return Template(values, blurred, support, True, (0.0, 0.0), float(radius), bright)


def _disk_and_surroundings(radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A disk, and that of the outer radius of the ring, on a common array."""
    outer = _outer_radius(radius)
    half = math.ceil(outer - 0.5)
    apart = np.subtract.outer(np.arange(2 * half + 1), np.arange(2 * half + 1))
    blur = np.exp(-0.5 * (apart / SOFT) ** 2) / np.exp(-0.5 * (np.arange(-9, 10) / SOFT) ** 2).sum()
    surroundings = disk(outer, half)
    return np.minimum(blur @ disk(radius, half) @ blur, surroundings), surroundings


def _zero_sum(
    values: NDArray[np.float64], inner: NDArray[np.float64], outer: NDArray[np.float64], radius: float
) -> Template:
    """`values` in the disk `inner`, and a ring from there to `outer` that makes the sum 0."""
    ring, support = outer - inner, outer > TRACE
    found = np.where(support, values - ring * (values.sum() / ring.sum()), 0.0)
    found[support] -= found[support].mean()  # what rounding left
    return Template(found, np.where(support, inner, 0.0), support, True, (0.0, 0.0), float(radius))
