"""The direct beam as the centre of mass of the brightest blurred place, in a circle that follows it.

The brightest place is found on cells of pixels, which is exact enough to start from. The circle has soft edges and is
moved onto its own centre of mass until it stays: neither the pixels of its edge nor an even background then pull.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.beam_correlation_search import Coarse, cell_sums, correlate_cells, highest, room_of, value_of
from lazy4d.kernels.templates import Template

CIRCLE = 1.2
"""Radius of the circle over that of the beam: as far as the beam's own soft edge reaches."""
STEPS = 100
"""Moves of the circle, at most; an even background as strong as the beam takes 20."""
STILL = 1e-5
"""Pixels; a move smaller than this is the last."""


def blur_template(radius: float) -> Template:
    """A Gaussian whose standard deviation is `radius`, out to three of it.

    Examples
    --------
    >>> blur_template(2.0).values.shape
    (13, 13)
    """
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"expected a radius of more than 0 pixels, found {radius}")
    half = max(1, math.ceil(3 * radius))
    line = np.exp(-0.5 * (np.arange(-half, half + 1) / radius) ** 2)
    values = np.outer(line, line)
    return Template(values, values, np.ones((2 * half + 1,) * 2, bool), False, (0.0, 0.0), float(radius))


def blur_cell_size(radius: float) -> int:
    """Pixels along the side of a cell for a Gaussian of a standard deviation: three quarters of it.

    Examples
    --------
    >>> [blur_cell_size(radius) for radius in (1, 3, 40)]
    [1, 2, 30]
    """
    return max(1, round(0.75 * radius))


@jit
def _counts(window, mask, y, x):
    """Whether a pixel lies in the window and counts."""
    if not (window[0] <= y < window[1] and window[2] <= x < window[3]):
        return False
    return mask.size == 0 or mask[y, x] != 0


@jit_fast
def _span(pixels, background, low, first):
    """Sum of a run of pixels, and of their distance from the first times their value, plus `first` times the sum."""
    total, torque = 0.0, 0.0
    for k in range(len(pixels)):
        value = value_of(pixels[k], background, low)
        total += value
        torque += k * value
    return total, torque + first * total


@jit
def _circle(frame, window, mask, low, background, radius, cy, cx):
    """Centre of mass of a circle about (cy, cx), and its intensity that counts.

    For a pixel that does not count stands the one opposite to it, so that a hole does not pull.
    """
    total, torque_y, torque_x, counted = 0.0, 0.0, 0.0, 0.0
    reach, core = radius + 0.5, max(radius - 0.5, 0.0)
    for y in range(math.ceil(cy - reach), math.floor(cy + reach) + 1):
        dy = y - cy
        width = math.sqrt(max(reach * reach - dy * dy, 0.0))
        left, right = math.ceil(cx - width), math.floor(cx + width)
        # The run of pixels that are wholly inside, where nothing has to be asked of each.
        start, stop = left, left
        if mask.size == 0 and window[0] <= y < window[1] and abs(dy) < core:
            width = math.sqrt(core * core - dy * dy)
            start = max(math.ceil(cx - width), window[2])
            stop = max(min(math.floor(cx + width) + 1, window[3]), start)
            value, torque = _span(frame[y][start:stop], background, low, start - cx)
            counted += value
            total += value
            torque_y += dy * value
            torque_x += torque
        for k in range(left, right + 1 - (stop - start)):
            x = k if k < start else k + stop - start
            square = (y - cy) * (y - cy) + (x - cx) * (x - cx)
            weight = 1.0
            if square > (radius - 0.5) * (radius - 0.5):
                weight = min(1.0, max(0.0, radius + 0.5 - math.sqrt(square)))
            if _counts(window, mask, y, x):
                value = weight * value_of(frame[y, x], background, low)
                counted += value
            else:
                v, u = round(2 * cy - y), round(2 * cx - x)
                if not _counts(window, mask, v, u):
                    continue
                value = weight * value_of(frame[v, u], background, low)
            total += value
            torque_y += (y - cy) * value
            torque_x += (x - cx) * value
    if not total > 0:
        return np.nan, np.nan, np.nan
    return cy + torque_y / total, cx + torque_x / total, counted


@jit
def _even(sums, count):
    """Whether all cells hold the same intensity a pixel, but for rounding."""
    low, high = np.inf, -np.inf
    for c in range(sums.shape[0]):
        for d in range(sums.shape[1]):
            if count[c, d] > 0:
                low, high = min(low, sums[c, d] / count[c, d]), max(high, sums[c, d] / count[c, d])
    return not high - low > 1e-6 * max(abs(high), abs(low))


@jit
def _follow(
    frames, window, mask, low, background, radius, cell, taps, weight, count, line, sums, around, found, out
):  # fmt: skip
    """Fill `out` [n, 3] with the place at which the circle stays, and its share of the intensity that counts."""
    for f in range(len(frames)):
        frame = frames[f]
        out[f] = np.nan
        cell_sums(frame, window, mask, low, background, cell, line, sums)
        total = correlate_cells(sums, count, weight, taps, True, around, found)
        if not np.isfinite(total) or total <= 0 or _even(sums, count):
            continue
        c, d = highest(found)
        y, x, counted = window[0] + (c + 0.5) * cell - 0.5, window[2] + (d + 0.5) * cell - 0.5, np.nan
        for _ in range(STEPS):
            to_y, to_x, counted = _circle(frame, window, mask, low, background, radius, y, x)
            moved = abs(to_y - y) + abs(to_x - x)
            y, x = to_y, to_x
            if not moved > STILL or not (window[0] - 0.5 <= y < window[1] and window[2] - 0.5 <= x < window[3]):
                break
        if window[0] - 0.5 <= y < window[1] - 0.5 and window[2] - 0.5 <= x < window[3] - 0.5:
            out[f, 0], out[f, 1], out[f, 2] = y, x, counted / total


def blurred_maximum(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[np.uint8],
    low: float,
    background: float,
    radius: float,
    coarse: Coarse,
    out: NDArray[np.float64],
) -> None:
    """The centre of mass near the maximum of the blurred frame: (y, x, share of intensity), pixels of the whole frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: only rows ``[y0, y1)`` and columns ``[x0, x1)`` count.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count, not even if they are nan; of size 0: all do.
    low : float
        Pixels at or below it (after subtraction of the background) are 0; ``-inf``: none.
    background : float
        Subtracted from every pixel.
    radius : float
        Of the beam, pixels; that of the circle is 1.2 times as large.
    coarse : Coarse
        The plan of `blur_template` for the same window and mask.
    out : ndarray of float64 [n, 3]
        Filled; nan where there is nothing: frames that are empty, constant or not finite.

    Examples
    --------
    >>> from lazy4d.kernels.beam_correlation_search import coarse_plan
    >>> frames = np.zeros((1, 20, 24)); frames[0, 7:12, 9:15] = 5
    >>> window, all_count = np.array([0, 20, 0, 24]), np.empty((0, 0), np.uint8)
    >>> out, plan = np.empty((1, 3)), coarse_plan(blur_template(4.0), 1, window, all_count)
    >>> blurred_maximum(frames, window, all_count, -np.inf, 0.0, 4.0, plan, out)
    >>> out
    array([[ 9. , 11.5,  1. ]])
    """
    if frames.dtype == np.bool_:
        frames = frames.view(np.uint8)
    _follow(
        frames, window, mask, low, background, CIRCLE * radius, coarse.cell, coarse.taps, coarse.weight, coarse.count,
        *room_of(coarse), out,
    )  # fmt: skip
