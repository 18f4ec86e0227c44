"""Points of all frames sorted by the cell of the detector they lie in, so that a shape looks only where it reaches.

A cell is a square of pixels, counted row by row; around the frame is a rim of cells that reach to infinity. Points that
are nowhere (NaN) come last, in a cell that no shape has.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.vector_shape import CIRCLE, ELLIPSE, GRID, POLYGON, crossing, in_simple

OUTSIDE, INSIDE, ACROSS = range(3)
"""What a shape may be to a cell: it has none of it, all of it, or perhaps a part."""

MARGIN = 1e-6
"""Pixels by which a cell has to be clear of a rim; far more than rounding, far less than a cell."""


@jit
def _cell(y, x, size, rows, columns):
    """The number of the cell of a point, also of one that is beyond all integers."""
    if math.isnan(y) or math.isnan(x):
        return rows * columns
    r = min(max(np.floor((y + 0.5) / size) + 1.0, 0.0), rows - 1.0)
    c = min(max(np.floor((x + 0.5) / size) + 1.0, 0.0), columns - 1.0)
    return int(r) * columns + int(c)


@jit
def sort_into_cells(ky, kx, size, rows, columns, starts, order):
    """Points by their cell, those of one cell in the order they came: a counting sort.

    Parameters
    ----------
    ky, kx : float64 ndarray [n]
        Pixels.
    size : int
        Pixels along the side of a cell.
    rows, columns : int
        Cells, with the rim of one around the frame.
    starts : int64 ndarray [rows * columns + 2]
        Filled: where the points of each cell begin in `order`; the last cell is that of points that are nowhere.
    order : int32 or int64 ndarray [n]
        Filled with the numbers of the points.

    Examples
    --------
    >>> starts, order = np.empty(18, np.int64), np.empty(3, np.int32)
    >>> sort_into_cells(np.array([1.0, 0, 0]), np.array([0.0, 1, 0.2]), 1, 4, 4, starts, order)
    >>> order, starts[[5, 6, 9]]
    (array([2, 1, 0], dtype=int32), array([0, 1, 2]))
    """
    starts[:] = 0
    for i in range(ky.size):
        starts[_cell(ky[i], kx[i], size, rows, columns) + 1] += 1
    for k in range(1, starts.size):
        starts[k] += starts[k - 1]
    place = starts.copy()
    for i in range(ky.size):
        cell = _cell(ky[i], kx[i], size, rows, columns)
        order[place[cell]] = i
        place[cell] += 1


@jit
def classify_cells(kind, numbers, grid, size, out):
    """What a shape is to each cell: `OUTSIDE`, `INSIDE` or `ACROSS`, the latter also where it is not sure.

    Parameters
    ----------
    kind, numbers, grid
        The shape; see `lazy4d.kernels.vector_shape`.
    size : int
        Pixels along the side of a cell.
    out : uint8 ndarray [rows, columns]
        Filled; with the rim around the frame.

    Examples
    --------
    >>> out = np.empty((4, 4), np.uint8)
    >>> classify_cells(GRID, np.empty(0), np.eye(2, dtype=np.uint8), 1, out)
    >>> out[1:3, 1:3]
    array([[1, 0],
           [0, 1]], dtype=uint8)
    """
    out[:] = OUTSIDE
    if kind == GRID:
        _classify_for_grid(grid, size, out)
        return
    if kind == POLYGON:
        _classify_for_polygon(numbers, size, out)
    else:
        _classify_for_simple(kind, numbers, size, out)
    out[0], out[-1] = ACROSS, ACROSS
    out[:, 0], out[:, -1] = ACROSS, ACROSS


@jit
def _classify_for_grid(grid, size, out):
    for r in range(1, out.shape[0] - 1):
        for c in range(1, out.shape[1] - 1):
            marked, pixels = 0, 0
            for i in range((r - 1) * size, min(r * size, grid.shape[0])):
                for j in range((c - 1) * size, min(c * size, grid.shape[1])):
                    pixels += 1
                    marked += grid[i, j] != 0
            if marked:
                whole = marked == pixels and pixels == size * size
                out[r, c] = INSIDE if whole else ACROSS


@jit
def _classify_for_simple(kind, numbers, size, out):
    a, b, c, d = numbers[0], numbers[1], numbers[2], numbers[3]
    e, f, g, h = numbers[4], numbers[5], numbers[6], numbers[7]
    reach = size * math.sqrt(0.5) + MARGIN
    for row in range(1, out.shape[0] - 1):
        y = (row - 0.5) * size - 0.5
        for column in range(1, out.shape[1] - 1):
            x = (column - 0.5) * size - 0.5
            if _rim_distance(kind, a, b, c, d, e, f, g, h, y, x) <= reach:
                out[row, column] = ACROSS
            elif in_simple(kind, a, b, c, d, e, f, g, h, y, x):
                out[row, column] = INSIDE


@jit
def _rim_distance(kind, a, b, c, d, e, f, g, h, y, x):
    """At most the distance in pixels, in any direction, from (y, x) to where a shape ends."""
    if kind == CIRCLE:
        u, v = (x - a) * e, (y - b) * f
        far = math.sqrt(u * u + v * v)
        away = abs(far - c)
        if d > 0:
            away = min(away, abs(far - d))
        return away / max(abs(e), abs(f))
    if kind == ELLIPSE:
        u, v = (x - a) * g, (y - b) * h
        along, across = u * e + v * f, v * e - u * f
        times = math.sqrt((along / c) ** 2 + (across / d) ** 2)
        return abs(times - 1) * min(c, d) / max(abs(g), abs(h))
    return abs(max(a - x, x - b, c - y, y - d))


@jit
def _classify_for_polygon(edges, size, out):
    rows, columns = out.shape
    reach = size * math.sqrt(0.5) + MARGIN
    for row in range(1, rows - 1):
        y = (row - 0.5) * size - 0.5
        for k in range(0, edges.size, 4):  # a crossing turns all cells to its right, of which only the first is noted
            if edges[k + 1] <= y < edges[k + 3]:
                first = np.ceil((crossing(edges, k, y) + 0.5) / size + 0.5)
                if first < columns:
                    out[row, int(max(first, 0.0))] ^= INSIDE
        for column in range(1, columns):
            out[row, column] ^= out[row, column - 1]
    for k in range(0, edges.size, 4):
        x1, y1, x2, y2 = edges[k], edges[k + 1], edges[k + 2], edges[k + 3]
        dx, dy = x2 - x1, y2 - y1
        square = dx * dx + dy * dy
        top, bottom = _cells_between(y1 - reach, y2 + reach, size, rows)
        left, right = _cells_between(min(x1, x2) - reach, max(x1, x2) + reach, size, columns)
        for row in range(top, bottom):
            y = (row - 0.5) * size - 0.5
            for column in range(left, right):
                x = (column - 0.5) * size - 0.5
                part = min(max(((x - x1) * dx + (y - y1) * dy) / square, 0.0), 1.0)
                ex, ey = x1 + part * dx - x, y1 + part * dy - y
                if ex * ex + ey * ey <= reach * reach:
                    out[row, column] = ACROSS


@jit
def _cells_between(low, high, size, count):
    """The cells within the rim that may have their centre between two pixels."""
    first = min(max(np.floor((low + 0.5) / size), 1.0), count - 1.0)
    last = min(max(np.ceil((high + 0.5) / size) + 1.0, 1.0), count - 1.0)
    return int(first), int(last)
