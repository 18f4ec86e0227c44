"""Where a pixel lies in a polar grid: the rings and sectors that it has a share in.

An offset (y, x) from the beam is taken by a matrix into the undistorted, calibrated frame; there it has a radius and an
azimuth, counted from +x towards +y. Rings and sectors are ``(start, width, number)``.

With bilinear shares a pixel is spread evenly over a box about its place. Along rings and sectors no smaller than pixels
the box is as wide as a bin: that gives ``1 - d`` and ``d`` to the two nearest bins, d the distance from the first one's
centre in bins. Where bins are smaller it widens, to ``1 + (p - 1) (|cos φ| + |sin φ|)`` bins for a pixel of p bins, so
that bins between pixels are not empty. A pixel that the beam hits lies at every azimuth alike.

At an end of the range the box is cut off and what is left of it takes the whole pixel, so that whatever lies inside the
range is counted once, and nothing outside of it is. Around the circle boxes wrap.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit

TURN = 2 * math.pi
SMALLEST = 1e-12
"""Shares of a pixel below this are rounding."""

# arctan(t) / t as a polynomial in t², interpolated at Chebyshev points of 0 <= t <= tan(π/8): good to 1e-15.
_SERIES = (
    0.9999999999999982,
    -0.33333333333216586,
    0.19999999981890626,
    -0.14285713086843477,
    0.11111068447104555,
    -0.09090001366550815,
    0.0768014305450768,
    -0.06561938196325401,
    0.05306892159235823,
    -0.033114600955740925,
    0.009096718710762525,
)
_STEEP = math.tan(math.pi / 8)


@jit
def azimuth_of(y, x):
    """Give the angle of (y, x) in [-π, π], to 1e-15; 0 for (0, 0). Several times as fast as the library's arctan2."""
    high, low = max(abs(x), abs(y)), min(abs(x), abs(y))
    steep = low > _STEEP * high
    top = low - high if steep else low
    bottom = low + high if steep else high
    t = top / bottom if bottom > 0 else 0.0
    u = t * t
    total = _SERIES[10]
    total = total * u + _SERIES[9]
    total = total * u + _SERIES[8]
    total = total * u + _SERIES[7]
    total = total * u + _SERIES[6]
    total = total * u + _SERIES[5]
    total = total * u + _SERIES[4]
    total = total * u + _SERIES[3]
    total = total * u + _SERIES[2]
    total = total * u + _SERIES[1]
    total = total * u + _SERIES[0]
    angle = total * t + (0.25 * math.pi if steep else 0.0)
    angle = 0.5 * math.pi - angle if abs(y) > abs(x) else angle
    angle = math.pi - angle if x < 0 else angle
    return -angle if y < 0 else angle


@jit
def _place_rings(v0, h0, center_x, dv, dh, rings, pixel, boxes):
    """Fill the places along the rings of one row; a `pixel` of size 0 is only in the bin of its centre."""
    start, width, number = rings[0], rings[1], rings[2]
    more, least = max(pixel / width - 1, 0.0), 1e-9 * pixel + 1e-300
    for x in range(boxes.shape[1]):
        v, h = v0 + dv * (x - center_x), h0 + dh * (x - center_x)
        r = math.sqrt(v * v + h * h)
        t = (r - start) / width
        own = min(np.floor(t + 1e-9), number - 1)
        reach = 0.5 + 0.5 * more * (abs(v) + abs(h)) / max(r, least)
        low = max(t - reach, 0.0) if pixel > 0 else own
        high = min(t + reach, number) if pixel > 0 else own + 1
        boxes[0, x], boxes[1, x], boxes[2, x], boxes[3, x] = low, high, 0.0, 1.0
        boxes[4, x] = 1 / (high - low) if (t >= 0) & (t < number) else 0.0


@jit
def _place_sectors(v0, h0, center_x, dv, dh, sectors, whole, pixel, boxes):
    """Fill the places along the sectors of one row, spread over a bin or a pixel of the given size."""
    start, width, number = sectors[0], sectors[1], sectors[2]
    fullest = min(TURN / width, number - 1 if whole else np.inf)  # wider boxes meet themselves around the circle
    share, least = width * number / TURN, 1e-9 * pixel
    for x in range(boxes.shape[1]):
        v, h = v0 + dv * (x - center_x), h0 + dh * (x - center_x)
        a = azimuth_of(v, h) - start
        a = a + TURN if a < 0 else a
        s = (a - TURN if a >= TURN else a) / width
        r = max(math.sqrt(v * v + h * h), least)
        diagonal = (abs(v) + abs(h)) / r
        wide = 1 + max(pixel / (r * width) - 1, 0.0) * diagonal
        full = (wide > fullest) | (r <= 0.5 * pixel * diagonal) | (r == least)
        low, high = s - 0.5 * wide, s + 0.5 * wide
        low = low if whole else max(low, 0.0)
        high = high if whole else min(high, number)
        turn = number if low < 0 else 0.0
        low = 0.0 if full else low + turn
        high = number if full else high + turn
        factor = boxes[4, x] / (high - low)
        factor = factor * share if full else factor
        boxes[2, x], boxes[3, x] = low, high
        boxes[4, x] = factor if whole | full | (s < number) else 0.0


@jit
def _place_in_sectors(v0, h0, center_x, dv, dh, sectors, whole, boxes):
    """Fill the places along the sectors of one row, each pixel in the one bin that its centre lies in."""
    start, width, number = sectors[0], sectors[1], sectors[2]
    for x in range(boxes.shape[1]):
        v, h = v0 + dv * (x - center_x), h0 + dh * (x - center_x)
        a = azimuth_of(v, h) - start
        a = a + TURN if a < 0 else a
        s = (a - TURN if a >= TURN else a) / width
        own = np.floor(s + 1e-9)
        own = own if own < number else (0.0 if whole else number - 1)
        boxes[2, x], boxes[3, x] = own, own + 1
        boxes[4, x] = boxes[4, x] if whole | (s < number) else 0.0


@jit
def place_row(y, center_x, matrix, rings, sectors, bilinear, boxes):
    """Fill the boxes of the pixels of one row of a frame, `y` rows from the beam.

    Parameters
    ----------
    y, center_x : float
        Offset of the row, and column of the beam.
    matrix, rings, sectors, bilinear
        As in `shares_by_place`.
    boxes : ndarray of float64 [5, kx]
        Filled with first and last place along the rings, the same along the sectors, both counted in bins, and what the
        overlap of box and bin is multiplied by; 0 for pixels outside the range.
    """
    whole = sectors[1] * sectors[2] > TURN - 1e-9
    pixel = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    v0, h0, dv, dh = matrix[0, 0] * y, matrix[1, 0] * y, matrix[0, 1], matrix[1, 1]
    _place_rings(v0, h0, center_x, dv, dh, rings, pixel if bilinear else 0.0, boxes)
    if whole and sectors[2] == 1:
        return
    if bilinear:
        _place_sectors(v0, h0, center_x, dv, dh, sectors, whole, pixel, boxes)
    else:
        _place_in_sectors(v0, h0, center_x, dv, dh, sectors, whole, boxes)


@jit
def shares_of(boxes, x, n_sectors, bins, weights):
    """Fill the bins and weights of one pixel of a row of boxes, and give their number."""
    factor = boxes[4, x]
    if factor == 0:
        return 0
    ring_low, ring_high, low, high = boxes[0, x], boxes[1, x], boxes[2, x], boxes[3, x]
    ring, count = int(ring_low), 0
    while ring < ring_high:
        across = factor * (min(ring_high, ring + 1.0) - max(ring_low, float(ring)))
        sector = int(low)
        while sector < high:
            weight = across * (min(high, sector + 1.0) - max(low, float(sector)))
            if weight > SMALLEST:
                bins[count] = ring * n_sectors + (sector if sector < n_sectors else sector - n_sectors)
                weights[count] = weight
                count += 1
            sector += 1
        ring += 1
    return count


@jit
def grown(values):
    """Give the values with as much room again behind them."""
    larger = np.empty(2 * values.size, values.dtype)
    larger[: values.size] = values
    return larger


@jit
def shares_by_place(shape, center, matrix, rings, sectors, keep, bilinear):
    """Bins, pixels and weights of a frame whose pixels are shared by where their centres lie.

    Parameters
    ----------
    shape : tuple of int
        Frame (ky, kx).
    center : ndarray of float64 [2]
        Pixel (y, x) of the beam.
    matrix : ndarray of float64 [2, 2]
        From offsets (y, x) in pixels to offsets in units of `rings`.
    rings, sectors : ndarray of float64 [3]
        ``(start, width, number)``; azimuths in rad, the start in [-π, π].
    keep : ndarray of uint8 [ky * kx] or [0]
        Pixels of value 0 are left out; of size 0: none is.
    bilinear : bool
        Share between neighbours, or give all to the bin of the centre.

    Returns
    -------
    bins, pixels : ndarray of int32
        One entry for each bin a pixel has a share in, pixels in ascending order; bin ``ring * sectors + sector``.
    weights : ndarray of float64
        The shares.
    """
    ky, kx = shape
    n_sectors = int(sectors[2])
    most = int(rings[2]) * n_sectors
    size = 4 * ky * kx + most
    bins, pixels, weights = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size)
    own_bins, own_weights, boxes = np.empty(most, np.int32), np.empty(most), np.empty((5, kx))
    count = 0
    for y in range(ky):
        place_row(y - center[0], center[1], matrix, rings, sectors, bilinear, boxes)
        for x in range(kx):
            if keep.size > 0 and keep[y * kx + x] == 0:
                continue
            found = shares_of(boxes, x, n_sectors, own_bins, own_weights)
            while count + found > bins.size:
                bins, pixels, weights = grown(bins), grown(pixels), grown(weights)
            for k in range(found):
                bins[count], pixels[count], weights[count] = own_bins[k], y * kx + x, own_weights[k]
                count += 1
    return bins[:count], pixels[:count], weights[:count]
