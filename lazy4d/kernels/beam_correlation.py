"""The place where a template of the direct beam fits each frame best.

For a template T placed at p, over the pixels of its support that count (n of them), with I the frame::

    C = Σ T I - (Σ T)(Σ I) / n        V = Σ T² - (Σ T)² / n        W = Σ I² - (Σ I)² / n        score = C / √(V W)

Of all places the one with the largest C / √V is taken: there, a T + b with free a and b explains the most of the frame.
With a zero-sum template and all pixels counting that is the plain cross-correlation. A template that is not flat (a
plain disk) has no b: C = Σ T I and V = Σ T².

Where the frame's edge or a mask cuts the template, the sums run over what is left, rather than take the rest as 0. What
is left changes from place to place, which would pull: places nearby are then compared over the same pixels, all that
count in a piece of the frame, with the bright part of the template alone, which is 0 around the beam.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.beam_correlation_search import (
    LEAST,
    Coarse,
    cell_sums,
    correlate_cells,
    cut,
    highest,
    room_of,
)
from lazy4d.kernels.subpixel import upsampled_dft, upsampled_peaks, vertex
from lazy4d.kernels.templates import Template

CANDIDATES = 16
"""Places that are looked at closely, at most."""
RIM = 4
"""Pixels around the template that the upsampled transform sees."""


@jit_fast
def _sums(piece, valid, template, support, y, x):
    """``n, Σ T, Σ T², Σ I, Σ I², Σ T I`` over pixels that count, the template's corner at (y, x) of the piece."""
    n, t, tt, i, ii, ti = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    size = len(template)
    for j in range(size):
        values, keep = template[j], support[j]
        pixels, counts = piece[y + j][x : x + size], valid[y + j][x : x + size]
        for k in range(size):
            weight = keep[k] * counts[k]
            value = keep[k] * pixels[k]
            n += weight
            t += weight * values[k]
            tt += weight * values[k] * values[k]
            i += value
            ii += value * pixels[k]
            ti += value * values[k]
    return n, t, tt, i, ii, ti


@jit_fast
def _product(piece, template, y, x):
    """``Σ T I`` with the template's corner at (y, x) of the piece."""
    total = 0.0
    size = len(template)
    for j in range(size):
        values, pixels = template[j], piece[y + j][x : x + size]
        for k in range(size):
            total += values[k] * pixels[k]
    return total


@jit
def _score(piece, valid, template, support, power, y, x):
    """The correlation coefficient of the template, its corner at (y, x), and the pixels under it.

    nan where too little of the template counts, or all pixels are equal.
    """
    n, t, tt, i, ii, ti = _sums(piece, valid, template, support, y, x)
    if n == 0:
        return np.nan
    known, spread = tt - t * t / n, ii - i * i / n
    if not (known > LEAST * power and spread > 1e-13 * ii):
        return np.nan
    return (ti - t * i / n) / math.sqrt(known * spread)


@jit
def _strength(piece, valid, template, support, flat, y, x):
    """What the template explains of the pixels under it, as the root of a sum of squares."""
    n, t, tt, i, _, ti = _sums(piece, valid, template, support, y, x)
    return (ti - t * i / n) / math.sqrt(tt - t * t / n) if flat else ti / math.sqrt(tt)


@jit_fast
def _partial_sums(piece, valid, bright, y, x):
    """``Σ B, Σ B², Σ B I`` over pixels that count, the corner of the bright part B at (y, x) of the piece."""
    b, bb, bi = 0.0, 0.0, 0.0
    size = len(bright)
    for j in range(size):
        values, pixels, counts = bright[j], piece[y + j][x : x + size], valid[y + j][x : x + size]
        for k in range(size):
            b += counts[k] * values[k]
            bb += counts[k] * values[k] * values[k]
            bi += pixels[k] * values[k]
    return b, bb, bi


@jit
def _likeness(piece, valid, n, i, template, bright, y, x):
    """What is highest at the right place, given the number `n` of pixels of the piece that count, and their sum `i`.

    The plain correlation where nothing is missing. Else what the bright part explains of the whole piece; nan where too
    little of it counts.
    """
    if n == piece.size:
        return _product(piece, template, y, x)
    b, bb, bi = _partial_sums(piece, valid, bright, y, x)
    known = bb - b * b / n if n > 0 else 0.0
    return (bi - b * i / n) / math.sqrt(known) if known > LEAST * _product(bright, bright, 0, 0) else np.nan


@jit
def _climb(frame, window, mask, low, background, template, bright, y, x, piece, valid):
    """The place near (y, x) where the likeness is higher than on all 8 sides, and that there and on the 4 sides.

    Returns ``(y, x, likeness, up, down, left, right, row, column)``: the last two say where in `piece` the template's
    corner is.
    """
    reach = (len(piece) - len(template)) // 2
    half = len(template) // 2
    first = max(1, reach // 2)
    row, column, best, n, total = reach, reach, -np.inf, 0.0, 0.0
    for _ in range(64):
        cut(frame, window, mask, low, background, y - half - reach, x - half - reach, piece, valid)
        n, total = valid.sum(), piece.sum()
        row, column = reach, reach
        best = _likeness(piece, valid, n, total, template, bright, row, column)
        best = -np.inf if np.isnan(best) else best
        step = first
        while step > 0:
            to_row, to_column = row, column
            for j in range(-1, 2):
                for i in range(-1, 2):
                    v, u = row + j * step, column + i * step
                    if (j == 0 and i == 0) or not (0 <= v <= 2 * reach and 0 <= u <= 2 * reach):
                        continue
                    if not (window[0] <= y + v - reach < window[1] and window[2] <= x + u - reach < window[3]):
                        continue
                    found = _likeness(piece, valid, n, total, template, bright, v, u)
                    if found > best:
                        best, to_row, to_column = found, v, u
            if to_row == row and to_column == column:
                step //= 2
            row, column = to_row, to_column
        y, x = y + row - reach, x + column - reach
        if 0 < row < 2 * reach and 0 < column < 2 * reach:
            break
        first = 1
    row, column = min(max(row, 1), 2 * reach - 1), min(max(column, 1), 2 * reach - 1)
    up = _likeness(piece, valid, n, total, template, bright, row - 1, column)
    down = _likeness(piece, valid, n, total, template, bright, row + 1, column)
    left = _likeness(piece, valid, n, total, template, bright, row, column - 1)
    right = _likeness(piece, valid, n, total, template, bright, row, column + 1)
    return y, x, best, up, down, left, right, row, column


@jit
def _find(
    frames, window, mask, low, background, template, bright, support, flat, radius, cell, taps, weight, count, worth,
    line, sums, around, found, piece, valid, refine, out,
):  # fmt: skip
    """Fill `out` with the best place of each frame and its score, `out[:, 3:]` with the offset of the parabola."""
    power = _product(template, template, 0, 0)
    apart = int(radius / cell) + 1
    for f in range(len(frames)):
        frame = frames[f]
        out[f] = np.nan
        cell_sums(frame, window, mask, low, background, cell, line, sums)
        total = correlate_cells(sums, count, weight, taps, flat, around, found)
        if not np.isfinite(total):
            continue
        best, enough = 0.0, 0.0
        for k in range(CANDIDATES):
            c, d = highest(found)
            coarse = found[c, d]
            if not coarse > enough:
                break
            if k == 0:
                enough = worth * coarse
            for j in range(max(c - apart, 0), min(c + apart + 1, found.shape[0])):
                for i in range(max(d - apart, 0), min(d + apart + 1, found.shape[1])):
                    found[j, i] = -np.inf
            y = min(window[0] + c * cell + cell // 2, window[1] - 1)
            x = min(window[2] + d * cell + cell // 2, window[3] - 1)
            y, x, height, up, down, left, right, row, column = _climb(
                frame, window, mask, low, background, template, bright, y, x, piece, valid
            )
            score = _score(piece, valid, template, support, power, row, column)
            if not score > 0:
                continue
            strength = _strength(piece, valid, template, support, flat, row, column)
            if strength > best:
                best = strength
                out[f, 0], out[f, 1], out[f, 2] = y, x, score
                out[f, 3], out[f, 4] = 0.0, 0.0
                if refine:
                    out[f, 3], out[f, 4] = vertex(up, height, down), vertex(left, height, right)


@jit
def _cut_all(frames, window, mask, low, background, found, pieces, valid):
    """Cut a piece around the place found in each frame; frames without one give zeros."""
    half = pieces.shape[1] // 2
    for f in range(len(frames)):
        if np.isnan(found[f, 0]):
            pieces[f], valid[f] = 0.0, 0.0
        else:
            y, x = int(found[f, 0]), int(found[f, 1])
            cut(frames[f], window, mask, low, background, y - half, x - half, pieces[f], valid[f])


def cross_correlation(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[np.uint8],
    low: float,
    background: float,
    template: Template,
    coarse: Coarse,
    upsample: int,
    out: NDArray[np.float64],
) -> None:
    """Where a template fits each frame best: (y, x, correlation coefficient), pixels of the whole frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: only rows ``[y0, y1)`` and columns ``[x0, x1)`` count; the beam's pixel is among them.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count, not even if they are nan; of size 0: all do.
    low : float
        Pixels at or below it (after subtraction of the background) are 0; ``-inf``: none.
    background : float
        Subtracted from every pixel.
    template : Template
        What to look for.
    coarse : Coarse
        Its plan of the same template, window and mask.
    upsample : int
        0: whole pixels; 1: parabola; from 2: points a pixel of the upsampled transform, then a parabola.
    out : ndarray of float64 [n, 3]
        Filled; nan where nothing resembles the template: frames that are empty, constant or not finite.

    Examples
    --------
    >>> from lazy4d.kernels.beam_correlation_search import coarse_plan
    >>> from lazy4d.kernels.templates import edge_template
    >>> frames = np.zeros((2, 20, 24)); frames[0, 7:12, 9:14] = 5
    >>> window, all_count, template = np.array([0, 20, 0, 24]), np.empty((0, 0), np.uint8), edge_template(2.8)
    >>> out, plan = np.empty((2, 3)), coarse_plan(template, 1, window, all_count)
    >>> cross_correlation(frames, window, all_count, -np.inf, 0.0, template, plan, 1, out)
    >>> out.round(2)
    array([[ 9.  , 11.  ,  0.87],
           [  nan,   nan,   nan]])
    """
    if frames.dtype == np.bool_:
        frames = frames.view(np.uint8)
    support = template.support.astype(np.float64)
    values, bright = template.values * support, np.ascontiguousarray(template.bright)
    size = len(values) + 2 * max(coarse.cell + 1, 2)
    found = np.empty((len(frames), 5))
    _find(
        frames, window, mask, low, background, values, bright, support, template.flat, template.radius, coarse.cell,
        coarse.taps, coarse.weight, coarse.count, coarse.worth, *room_of(coarse), np.empty((size, size)),
        np.empty((size, size)), upsample > 0, found,
    )  # fmt: skip
    if upsample > 1 and len(frames):
        found[:, 3:] = _upsampled(frames, window, mask, low, background, template, upsample, found)
    out[:, :2] = found[:, :2] + found[:, 3:] + np.array(template.offset)
    out[:, 2] = found[:, 2]


cross_correlation.multiplies_matrices = True  # type: ignore[attr-defined]  # so that each product gets one thread


def _upsampled(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[np.uint8],
    low: float,
    background: float,
    template: Template,
    upsample: int,
    found: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The offsets (y, x) [n, 2] from the pixels found of the highest likeness, interpolated by Fourier series."""
    from scipy.fft import next_fast_len, rfft2

    size = next_fast_len(len(template.values) + 2 * RIM, real=True)
    pieces, valid = np.empty((len(frames), size, size)), np.empty((len(frames), size, size))
    _cut_all(frames, window, mask, low, background, found, pieces, valid)
    corner = size // 2 - template.half
    inside = slice(corner, corner + len(template.values))
    values, bright = np.zeros((size, size)), np.zeros((size, size))
    values[inside, inside], bright[inside, inside] = template.values * template.support, template.bright
    number = valid.sum(axis=(1, 2))
    holed = number < size * size
    level = np.where(holed | template.flat, pieces.sum(axis=(1, 2)) / np.maximum(number, 1.0), 0.0)
    images = rfft2((pieces - level[:, None, None]) * valid, workers=1)
    start = np.nan_to_num(found[:, 3:])

    def fine(spectra: NDArray[Any], picture: NDArray[np.float64], rows: Any) -> NDArray[np.float64]:
        return upsampled_dft(spectra * rfft2(picture, workers=1).conj(), size, start[rows], upsample)[0]

    curves, steps = upsampled_dft(images * rfft2(values, workers=1).conj(), size, start, upsample)
    holes = np.flatnonzero(holed & np.isfinite(found[:, 0]))
    if holes.size:  # the likeness, as above, each sum in it interpolated
        seen = rfft2(valid[holes], workers=1)
        known = fine(seen, bright**2, holes) - fine(seen, bright, holes) ** 2 / number[holes, None, None]
        with np.errstate(invalid="ignore"):
            curves[holes] = fine(images[holes], bright, holes) / np.sqrt(known)
    return start + upsampled_peaks(curves, steps)[0]
