"""How much the pixels about a place look like what is looked for, and how much brighter than those around they are.

The score is the correlation coefficient r of template and pixels, over the n pixels that count; where some are missing,
that of what a plane leaves of both, if that is less. How unlikely it is that noise made it follows without knowing the
noise::

    z = √(-(n - 2) ln(1 - r²))

the root of the likelihood ratio of "a template and a background" to "a background", is normally distributed where there
is nothing (Wilks, doi 10.1214/aoms/1177732360): z is a number of standard errors, whatever the gain and the dose.

Noise also keeps the score of a true disk below 1, at ``√(1 - n s² / W)``, W the sum of squares about the mean and s²
the variance of the noise, which half the mean square of the differences of neighbouring pixels tells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.templates import Template

ROUNDING = 1e-13
"""Share of the sum of squares below which a variance is rounding."""
LEAST = 0.25
"""Share of a template's variance that must lie on pixels that count, for a place to be compared at all."""


class Picture(NamedTuple):
    """A template, and the pixels of a frame that count, as kernels take them.

    Parameters
    ----------
    values, support : ndarray of float64 [m, m]
        The picture, and 1 where it is compared.
    spans : ndarray of int64 [m, 2]
        First and behind the last column of each line in which anything is compared.
    counts : ndarray of uint8 [ky, kx]
        0 for pixels that do not count.
    clear : ndarray of uint8 [ky, kx]
        2 where the template, with its middle there, lies on pixels that count alone, 1 where it does but for what is
        beyond the frame's edge, else 0.
    total, squares, number : float
        Sum of the values, of their squares, and of the support.
    radius : float
        Of the disk, pixels.
    offset_y, offset_x : float
        Where the disk is, counted from the middle pixel.
    """

    values: NDArray[np.float64]
    support: NDArray[np.float64]
    spans: NDArray[np.int64]
    counts: NDArray[np.uint8]
    clear: NDArray[np.uint8]
    total: float
    squares: float
    number: float
    radius: float
    offset_y: float
    offset_x: float


def picture_of(template: Template, mask: NDArray[np.uint8], shape: tuple[int, int]) -> Picture:
    """What kernels need of a template, for frames of a shape of which the pixels count where `mask` is not 0.

    A mask of size 0 leaves nothing out.

    Examples
    --------
    >>> from lazy4d.kernels.templates import edge_template
    >>> picture = picture_of(edge_template(2.0), np.empty((0, 0), np.uint8), (9, 12))
    >>> picture.number, picture.spans[:2], int(picture.clear.sum())
    (37.0, array([[2, 5],
           [1, 6]]), 126)
    """
    support = np.ascontiguousarray(template.support, dtype=np.float64)
    values = np.ascontiguousarray(template.values * support)
    spans = np.zeros((len(values), 2), np.int64)
    for row, line in enumerate(template.support):
        seen = np.flatnonzero(line)
        if seen.size:
            spans[row] = seen[0], seen[-1] + 1
    counts = np.ones(shape, np.uint8) if mask.size == 0 else (mask != 0).astype(np.uint8)
    beyond = np.ones((shape[0] + 2 * template.half, shape[1] + 2 * template.half), bool)
    inside = tuple(slice(template.half, template.half + n) for n in shape)
    beyond[inside] = False
    holes = np.zeros(beyond.shape, bool)
    holes[inside] = counts == 0
    clear = ~_any_around(holes, shape) * (2 - _any_around(beyond, shape).astype(np.uint8))
    sums = float(values.sum()), float((values**2).sum()), float(support.sum())
    offset = (float(template.offset[0]), float(template.offset[1]))
    return Picture(values, support, spans, counts, clear, *sums, float(template.radius), *offset)


def _any_around(pixels: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether any pixel is True in a square around each pixel of a frame, as large as `pixels` surpass it."""
    rows, columns = pixels.shape[0] - shape[0] + 1, pixels.shape[1] - shape[1] + 1
    sums = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1), np.int64)
    sums[1:, 1:] = pixels.cumsum(axis=0).cumsum(axis=1)
    found: NDArray[np.bool_] = (sums[rows:, columns:] + sums[:-rows, :-columns]) != (
        sums[:-rows, columns:] + sums[rows:, :-columns]
    )
    return found


@jit_fast
def _line_sums(values, support, pixels):
    """``Σ I, Σ I², Σ T I`` of a line, and the sum of squared differences of neighbours."""
    i, ii, ti, dd = 0.0, 0.0, 0.0, 0.0
    for k in range(len(pixels)):
        value = np.float64(pixels[k])
        kept = support[k] * value
        i += kept
        ii += kept * value
        ti += values[k] * value
    following = pixels[1:]
    for k in range(len(following)):
        step = np.float64(following[k]) - np.float64(pixels[k])
        dd += step * step
    return i, ii, ti, dd


@jit
def _whole_sums(frame, picture, top, left):
    """``n, C, V, W`` and the mean square of differences of neighbours, where all of the template counts."""
    i, ii, ti, dd, pairs = 0.0, 0.0, 0.0, 0.0, 0
    for j in range(len(picture.values)):
        start, stop = picture.spans[j, 0], picture.spans[j, 1]
        pixels = frame[top + j][left + start : left + stop]
        a, b, c, d = _line_sums(picture.values[j][start:stop], picture.support[j][start:stop], pixels)
        i, ii, ti, dd = i + a, ii + b, ti + c, dd + d
        pairs += max(stop - start - 1, 0)
    n, t = picture.number, picture.total
    spread = ii - i * i / n
    return n, ti - t * i / n, picture.squares - t * t / n, spread if spread > ROUNDING * ii else 0.0, dd / max(pairs, 1)


@jit
def _cut_sums(frame, picture, top, left):
    """The same of the part that counts, or of what the best plane leaves of template and pixels: what is less alike.

    A slope of the background is no part of a whole template, as that is symmetric, but of one that is cut; and what a
    plane leaves of a step may look like a disk.
    """
    ky, kx = frame.shape
    size = len(picture.values)
    normal, right = np.zeros((3, 3)), np.zeros((3, 2))
    squares, dd, pairs = np.zeros(3), 0.0, 0
    place = np.empty(3)
    for j in range(max(0, -top), min(size, ky - top)):
        before = -2
        for k in range(max(picture.spans[j, 0], -left), min(picture.spans[j, 1], kx - left)):
            if picture.support[j, k] == 0 or picture.counts[top + j, left + k] == 0:
                continue
            value, shape = np.float64(frame[top + j, left + k]), picture.values[j, k]
            place[0], place[1], place[2] = 1.0, j - size // 2, k - size // 2
            for a in range(3):
                for b in range(3):
                    normal[a, b] += place[a] * place[b]
                right[a, 0] += place[a] * shape
                right[a, 1] += place[a] * value
            squares[0] += shape * shape
            squares[1] += shape * value
            squares[2] += value * value
            if before == k - 1:
                step = value - np.float64(frame[top + j, left + k - 1])
                dd += step * step
                pairs += 1
            before = k
    n = normal[0, 0]
    whole = squares[2]
    product, known, spread, worst = 0.0, 0.0, 0.0, np.inf
    for a in range(3):  # Gauss: what the constant and both slopes explain is taken off one by one
        if normal[a, a] > 1e-9 * n:
            squares[0] -= right[a, 0] * right[a, 0] / normal[a, a]
            squares[1] -= right[a, 0] * right[a, 1] / normal[a, a]
            squares[2] -= right[a, 1] * right[a, 1] / normal[a, a]
            for b in range(a + 1, 3):
                share = normal[b, a] / normal[a, a]
                for c in range(a, 3):
                    normal[b, c] -= share * normal[a, c]
                right[b, 0] -= share * right[a, 0]
                right[b, 1] -= share * right[a, 1]
        if a == 1:
            continue
        left = squares[2] if squares[2] > ROUNDING * whole else 0.0
        score = squares[1] / math.sqrt(squares[0] * left) if squares[0] > 0 and left > 0 else -1.0
        if score < worst:
            product, known, spread, worst = squares[1], squares[0], left, score
    return n, product, known, spread, dd / max(pairs, 1)


@jit
def score_at(frame, picture, y, x):
    """The score of a place, its significance z, and the score that the noise there would leave a perfect match.

    Parameters
    ----------
    frame : ndarray [ky, kx]
        Pixels.
    picture : Picture
        What is looked for, and which pixels count.
    y, x : int
        The pixel on which its middle lies.

    Returns
    -------
    tuple of float
        nan, 0 and 0 where too little of the template counts, or all pixels are equal.

    Examples
    --------
    >>> from lazy4d.kernels.templates import edge_template
    >>> frame = np.zeros((11, 11), np.float32); frame[3:8, 3:8] = 4
    >>> score, z, best = score_at(frame, picture_of(edge_template(2.8), np.empty((0, 0), np.uint8), (11, 11)), 5, 5)
    >>> bool(0.8 < score < 1), bool(z > 8)
    (True, True)
    """
    half = len(picture.values) // 2
    if picture.clear[y, x] == 2:
        n, product, known, spread, steps = _whole_sums(frame, picture, y - half, x - half)
    else:
        n, product, known, spread, steps = _cut_sums(frame, picture, y - half, x - half)
    all_known = picture.squares - picture.total * picture.total / picture.number
    if not (n > 4 and known > LEAST * all_known and spread > 0):
        return np.nan, 0.0, 0.0
    score = min(1.0, max(-1.0, product / math.sqrt(known * spread)))
    significance = math.copysign(math.sqrt(-(n - 2) * math.log(max(1 - score * score, 1e-12))), score)
    noise = 0.5 * steps
    return score, significance, math.sqrt(max(0.0, 1 - n * noise / spread))


@jit
def brightness_at(frame, counts, radius, y, x):
    """The intensity of a disk at (y, x), any fraction of a pixel, above the mean of the ring around it.

    The sum goes one pixel beyond the radius, to hold all of soft edges; the ring has the same area. A pixel on the rim
    counts by its share inside, about. Where the frame's edge or pixels whose `counts` is 0 leave out part of the disk
    or the ring, the rest stands for all of it; nan where nothing of the disk is left.

    Examples
    --------
    >>> frame = np.ones((12, 12), "f4"); frame[3:8, 3:8] = 4
    >>> round(brightness_at(frame, np.ones((12, 12), np.uint8), 3.0, 5.0, 5.0), 6)
    75.0
    """
    ky, kx = frame.shape
    inner = radius + 1
    outer = math.sqrt(2.0) * inner
    disk, ring, disk_area, ring_area, area = 0.0, 0.0, 0.0, 0.0, 0.0
    reach = outer + 0.5
    for v in range(math.ceil(y - reach), math.floor(y + reach) + 1):
        width = math.sqrt(max(reach * reach - (v - y) * (v - y), 0.0))
        for u in range(math.ceil(x - width), math.floor(x + width) + 1):
            far = math.sqrt((v - y) * (v - y) + (u - x) * (u - x))
            inside = min(1.0, max(0.0, inner + 0.5 - far))
            around = min(1.0, max(0.0, outer + 0.5 - far)) - inside
            area += inside
            if v < 0 or u < 0 or v >= ky or u >= kx or counts[v, u] == 0:
                continue
            value = np.float64(frame[v, u])
            disk += inside * value
            ring += around * value
            disk_area += inside
            ring_area += around
    if disk_area <= 0:
        return np.nan
    level = ring / ring_area if ring_area > 0 else 0.0
    return (disk / disk_area - level) * area
