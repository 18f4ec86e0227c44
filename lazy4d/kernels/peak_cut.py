"""Where disks are that the frame's edge or a mask cuts.

What is left of a template there changes from place to place, which pulls on the maximum of the correlation. Places near
by are instead compared over the same pixels, all that count in a circle about the disk, with the share B of each pixel
that a disk covers, which is 0 around it::

    L = (Σ B I - (Σ B)(Σ I) / n) / √(Σ B² - (Σ B)² / n)

is highest where ``a B + b`` explains the most of these n pixels.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.subpixel import vertex

FARTHEST = 2
"""Pixels that a cut disk may lie from where the correlation is highest, along each axis."""
MARGIN = 2
"""Pixels around the template that count too."""
LEAST = 0.1
"""Share of the bright part's sum of squares that must be left."""


@jit
def is_cut(picture, y, x):
    """Whether part of the template does not count, with its middle at (y, x) or at one of the 4 pixels beside it."""
    ky, kx = picture.clear.shape
    whole = picture.clear[y, x] == 2 and 0 < y < ky - 1 and 0 < x < kx - 1
    if whole:
        whole = picture.clear[y - 1, x] == 2 and picture.clear[y + 1, x] == 2
        whole = whole and picture.clear[y, x - 1] == 2 and picture.clear[y, x + 1] == 2
    return not whole


@jit
def _likeness(frame, counts, radius, y, x, n, total):
    """How well a disk at (y, x), any fraction of a pixel, explains what counts; nan if too little of it does."""
    ky, kx = frame.shape
    b, bb, bi, full = 0.0, 0.0, 0.0, 0.0
    reach = radius + 0.5
    for v in range(math.ceil(y - reach), math.floor(y + reach) + 1):
        width = math.sqrt(max(reach * reach - (v - y) * (v - y), 0.0))
        for u in range(math.ceil(x - width), math.floor(x + width) + 1):
            weight = min(1.0, max(0.0, reach - math.sqrt((v - y) * (v - y) + (u - x) * (u - x))))
            full += weight * weight
            if 0 <= v < ky and 0 <= u < kx and counts[v, u] != 0:
                b += weight
                bb += weight * weight
                bi += weight * frame[v, u]
    known = bb - b * b / n
    return (bi - b * total / n) / math.sqrt(known) if known > LEAST * full else np.nan


@jit
def place_of_cut(frame, picture, y, x):
    """The place of a cut disk as (dy, dx) from the pixel (y, x) where the correlation is highest.

    Examples
    --------
    >>> from lazy4d.kernels.peak_score import picture_of
    >>> from lazy4d.kernels.templates import disk, pixel_disk_template
    >>> frame = disk(3.5, 9)[8:].astype("f4")
    >>> picture = picture_of(pixel_disk_template(3.5), np.empty((0, 0), np.uint8), frame.shape)
    >>> bool(np.abs(np.array(place_of_cut(frame, picture, 2, 9)) - [-1, 0]).max() < 0.05)
    True
    """
    ky, kx = frame.shape
    counts, radius = picture.counts, picture.radius
    reach = len(picture.values) // 2 + MARGIN
    n, total = 0.0, 0.0
    for v in range(max(y - reach, 0), min(y + reach + 1, ky)):
        for u in range(max(x - reach, 0), min(x + reach + 1, kx)):
            if (v - y) ** 2 + (u - x) ** 2 <= reach * reach and counts[v, u] != 0:
                n += 1
                total += frame[v, u]
    if n < 2:
        return 0.0, 0.0
    cy, cx = y + picture.offset_y, x + picture.offset_x
    dy, dx = 0.0, 0.0
    best = _likeness(frame, counts, radius, cy, cx, n, total)
    step = 1.0
    while step > 0.2:  # climb in steps of a pixel, of a half, of a quarter
        to_y, to_x = dy, dx
        for j in range(-1, 2):
            for i in range(-1, 2):
                near_y, near_x = dy + j * step, dx + i * step
                if (j == 0 and i == 0) or abs(near_y) > FARTHEST or abs(near_x) > FARTHEST:
                    continue
                found = _likeness(frame, counts, radius, cy + near_y, cx + near_x, n, total)
                if found > best:
                    best, to_y, to_x = found, near_y, near_x
        if to_y == dy and to_x == dx:
            step /= 2
        dy, dx = to_y, to_x
    step *= 2
    up = _likeness(frame, counts, radius, cy + dy - step, cx + dx, n, total)
    down = _likeness(frame, counts, radius, cy + dy + step, cx + dx, n, total)
    left = _likeness(frame, counts, radius, cy + dy, cx + dx - step, n, total)
    right = _likeness(frame, counts, radius, cy + dy, cx + dx + step, n, total)
    return dy + step * vertex(up, best, down), dx + step * vertex(left, best, right)
