"""Where in a frame to look closely: correlation of groups of pixels, and pieces of frames as float64.

A template of radius r varies little over r / 3 pixels, so sums of cells of that size, correlated with an equally coarse
template, show every place worth a look at a small part of the cost. The closer look is then exact.

Pixels that do not count, and those outside of the window, have the validity 0: they enter no sum, rather than as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.templates import Template

LEAST = 0.1
"""Share of a template's variance that must lie on pixels that count, for a place to be compared at all."""
TAPS = 4
"""Neighbouring weights of the coarse template that one pass over a line of cells takes."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """The first look: a template on cells of ``cell × cell`` pixels, and what makes places comparable.

    Parameters
    ----------
    cell : int
        Pixels along the side of a cell; the first cell begins at the window's first pixel.
    taps : ndarray of float32 [k, TAPS * j]
        The template on cells; zeros fill up the lines.
    weight : ndarray of float32 [cells_y, cells_x]
        What a correlation is multiplied by: less where more of the template lies on pixels that count; 0 where too
        little does.
    count : ndarray of float32 [cells_y, cells_x]
        Pixels of each cell that count.
    flat : bool
        Whether the mean of the frame is subtracted first.
    worth : float
        The least share of its full correlation that a beam keeps, wherever in a cell it is: a place whose correlation
        is below this share of the best one cannot be the best.
    """

    cell: int
    taps: NDArray[np.float32]
    weight: NDArray[np.float32]
    count: NDArray[np.float32]
    flat: bool
    worth: float


def cell_size(radius: float) -> int:
    """Pixels along the side of a cell for a template of a radius: about a third of it.

    Examples
    --------
    >>> [cell_size(radius) for radius in (1.5, 3, 8, 40)]
    [1, 2, 3, 13]
    """
    return 1 if radius < 2.5 else max(2, round(radius / 3))


def coarse_plan(template: Template, cell: int, window: NDArray[np.int64], mask: NDArray[np.uint8]) -> Coarse:
    """How to look for a template in cells of a window of frames.

    Parameters
    ----------
    template : Template
        What to look for.
    cell : int
        Pixels along the side of a cell.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)`` inside the frame.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count.

    Examples
    --------
    >>> from lazy4d.kernels.templates import edge_template
    >>> plan = coarse_plan(edge_template(6), 2, np.array([0, 32, 0, 40]), np.empty((0, 0), np.uint8))
    >>> plan.taps.shape, plan.weight.shape
    ((9, 12), (16, 20))
    """
    y0, y1, x0, x1 = (int(edge) for edge in window)
    inside = np.ones((y1 - y0, x1 - x0)) if mask.size == 0 else mask[y0:y1, x0:x1].astype(np.float64)
    shape = -(-inside.shape[0] // cell), -(-inside.shape[1] // cell)
    padded = np.zeros((shape[0] * cell, shape[1] * cell))
    padded[: inside.shape[0], : inside.shape[1]] = inside
    count = padded.reshape(shape[0], cell, shape[1], cell).sum(axis=(1, 3))
    taps = _on_cells(template.values, cell)
    found = _correlated(_on_cells(template.values**2, cell), count)
    full = float((template.values**2).sum())
    if template.flat:
        number = _correlated(_on_cells(template.support.astype(np.float64), cell), count)
        found -= _correlated(taps, count) ** 2 / np.maximum(number, 1e-9)
    usable = found > LEAST * full
    weight = np.where(usable, 1 / np.sqrt(np.where(usable, found, 1.0)), 0.0)
    filled = np.zeros((len(taps), -(-len(taps) // TAPS) * TAPS), np.float32)
    filled[:, : len(taps)] = taps
    worth = _worth(template.values, taps, cell)
    return Coarse(cell, filled, weight.astype(np.float32), count.astype(np.float32), template.flat, worth)


def _worth(values: NDArray[np.float64], taps: NDArray[np.float64], cell: int) -> float:
    """What the nearest cell sees of a template that is as far from its middle as can be, as a share of all."""
    spread = np.pad(np.kron(taps, np.ones((cell, cell))), 2 * cell)
    least = 1.0
    for dy in (-(cell // 2), (cell - 1) // 2):
        for dx in (-(cell // 2), (cell - 1) // 2):
            room = np.zeros(spread.shape)
            top, left = (n // 2 - len(values) // 2 + d for n, d in zip(room.shape, (dy, dx), strict=True))
            room[top : top + len(values), left : left + len(values)] = values
            least = min(least, float((room * spread).sum() / (values**2).sum()))
    return max(least, 0.1)


def _on_cells(values: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
    """Means over cells, the middle pixel in the middle of the middle cell."""
    half = len(values) // 2
    reach = -(-(2 * half + 1 - cell) // (2 * cell)) if 2 * half + 1 > cell else 0
    # What share of pixel u lies in cell j: [u - 1/2, u + 1/2] and [(j - 1/2) cell, (j + 1/2) cell] in common.
    pixel, middle = np.arange(-half, half + 1), np.arange(-reach, reach + 1)[:, None] * cell
    common = np.minimum(pixel + 0.5, middle + cell / 2) - np.maximum(pixel - 0.5, middle - cell / 2)
    share = np.clip(common, 0.0, 1.0) / cell
    result: NDArray[np.float64] = share @ values @ share.T
    return result


def _correlated(taps: NDArray[np.float64], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Σ taps[j] image[p + j]`` for every p, nothing outside of the image."""
    reach = len(taps) // 2
    around = np.pad(image, reach)
    total = np.zeros(image.shape)
    for (j, i), tap in np.ndenumerate(taps):
        if tap != 0:
            total += tap * around[j : j + image.shape[0], i : i + image.shape[1]]
    return total


@jit
def value_of(pixel, background, low):
    """`pixel` above background, 0 where that is not above `low`; nan stays nan.

    Examples
    --------
    >>> value_of(5, 1.0, 3.0), value_of(5, 1.0, 4.0)
    (4.0, 0.0)
    """
    value = np.float64(pixel) - background
    return 0.0 if value <= low else value


@jit_fast
def cell_sums(frame, window, mask, low, background, cell, line, sums):
    """Sums over cells of the pixels that count: fills `sums` [cells_y, cells_x], float32; `line` is room for a row.

    Examples
    --------
    >>> sums = np.empty((1, 2), np.float32)
    >>> frame, all_count = np.ones((2, 3), np.uint8), np.empty((0, 0), np.uint8)
    >>> cell_sums(frame, np.array([0, 2, 0, 3]), all_count, -np.inf, 0.0, 2, np.empty(4, np.float32), sums)
    >>> sums
    array([[4., 2.]], dtype=float32)
    """
    y0, y1, x0, x1 = window[0], window[1], window[2], window[3]
    width = x1 - x0
    plain = mask.size == 0 and low == -np.inf
    for c in range(sums.shape[0]):
        line[:] = 0
        for y in range(y0 + c * cell, min(y0 + (c + 1) * cell, y1)):
            pixels = frame[y][x0 : x0 + width]
            if plain:
                for k in range(width):
                    line[k] += np.float32(pixels[k])
            elif mask.size == 0:
                for k in range(width):
                    line[k] += np.float32(value_of(pixels[k], background, low))
            else:
                keep = mask[y][x0 : x0 + width]
                for k in range(width):
                    value = np.float32(value_of(pixels[k], background, low))
                    line[k] += value if keep[k] != 0 else np.float32(0)
        for d in range(sums.shape[1]):
            total = np.float32(0)
            for k in range(d * cell, (d + 1) * cell):
                total += line[k]
            sums[c, d] = total
    if plain and background != 0:
        for c in range(sums.shape[0]):
            rows = min(cell, y1 - y0 - c * cell)
            for d in range(sums.shape[1]):
                sums[c, d] -= np.float32(background * rows * min(cell, width - d * cell))


@jit_fast
def correlate_cells(sums, count, weight, taps, flat, around, found):
    """Weighted correlation of cells with a coarse template: fills `found` [cells_y, cells_x], float32.

    `around` is room for the cells with a rim of zeros, as wide as the template reaches. Returns the sum of all cells.

    Examples
    --------
    >>> sums = np.arange(3, dtype=np.float32).reshape(1, 3)
    >>> ones, found = np.ones((1, 3), np.float32), np.empty((1, 3), np.float32)
    >>> correlate_cells(sums, ones, ones, np.ones((1, 4), np.float32), False, np.zeros((1, 6), np.float32), found)
    3.0
    """
    rows, columns = sums.shape
    reach = len(taps) // 2
    total, number = 0.0, 0.0
    for c in range(rows):
        for d in range(columns):
            total += sums[c, d]
            number += count[c, d]
    level = np.float32(total / number) if flat and number > 0 else np.float32(0)
    for c in range(rows):
        for d in range(columns):
            around[c + reach, d + reach] = sums[c, d] - level * count[c, d]
    for c in range(rows):
        line = found[c]
        line[:] = 0
        for j in range(taps.shape[0]):
            cells = around[c + j]
            for i in range(0, taps.shape[1], TAPS):
                t0, t1, t2, t3 = taps[j, i], taps[j, i + 1], taps[j, i + 2], taps[j, i + 3]
                if t0 == 0 and t1 == 0 and t2 == 0 and t3 == 0:
                    continue
                a, b, e, f = cells[i:], cells[i + 1 :], cells[i + 2 :], cells[i + 3 :]
                for d in range(columns):
                    line[d] += t0 * a[d] + t1 * b[d] + t2 * e[d] + t3 * f[d]
        for d in range(columns):
            line[d] *= weight[c, d]
    return total


@jit
def highest(image):
    """The place of the highest number of an image, the first of several; nan is never highest.

    Examples
    --------
    >>> highest(np.array([[1.0, 5], [5, np.nan]]))
    (0, 1)
    """
    best, row, column = -np.inf, 0, 0
    for y in range(image.shape[0]):
        top = image[y, 0]
        for x in range(1, image.shape[1]):
            top = max(top, image[y, x])
        if top > best:
            best = top
            row = y
            for x in range(image.shape[1]):
                if image[y, x] == top:
                    column = x
                    break
    return row, column


@jit
def cut(frame, window, mask, low, background, top, left, piece, valid):
    """Copy a piece of a frame that begins at (top, left): fills `piece` and `valid`, float64, 0 where none counts.

    Returns whether all pixels of the piece count.

    Examples
    --------
    >>> piece, valid = np.empty((1, 2)), np.empty((1, 2))
    >>> frame, all_count = np.arange(4).reshape(2, 2), np.empty((0, 0), np.uint8)
    >>> cut(frame, np.array([0, 2, 0, 2]), all_count, -np.inf, 0.0, 1, 1, piece, valid)
    False
    >>> piece, valid
    (array([[3., 0.]]), array([[1., 0.]]))
    """
    whole = True
    for j in range(piece.shape[0]):
        y = top + j
        inside = window[0] <= y < window[1]
        for i in range(piece.shape[1]):
            x = left + i
            if inside and window[2] <= x < window[3] and (mask.size == 0 or mask[y, x] != 0):
                piece[j, i] = value_of(frame[y, x], background, low)
                valid[j, i] = 1.0
            else:
                piece[j, i] = 0.0
                valid[j, i] = 0.0
                whole = False
    return whole


def room_of(coarse: Coarse) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Buffers of the first look: a row of pixels, sums of cells, the same with a rim, correlations.

    Examples
    --------
    >>> ones = np.ones((3, 4), np.float32)
    >>> [room.shape for room in room_of(Coarse(2, ones[:, :4], ones, ones, True, 0.5))]
    [(8,), (3, 4), (5, 8), (3, 4)]
    """
    rows, columns = coarse.weight.shape
    line = np.empty(columns * coarse.cell, np.float32)
    around = np.zeros((rows + len(coarse.taps) - 1, columns + coarse.taps.shape[1]), np.float32)
    return line, np.empty((rows, columns), np.float32), around, np.empty((rows, columns), np.float32)
