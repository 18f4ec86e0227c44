"""Whether points lie in a shape: the same inequalities that `lazy4d.roi` uses for the centres of pixels.

A shape is a code and its numbers, in pixels; a grid of marks is a shape of its own, whose pixel (r, c) reaches from
r - 0.5 to r + 0.5 and from c - 0.5 to c + 0.5, the upper ends left out. A point that is nowhere (NaN) lies in none.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit

CIRCLE, ELLIPSE, RECTANGLE, POLYGON, GRID = range(5)
"""Codes of the shapes. Their numbers, all float64 and, but for `POLYGON` and `GRID`, eight of them:

* `CIRCLE`: x, y, outer radius, inner radius, width and height of a pixel (signed).
* `ELLIPSE`: x, y, semi-axes, cosine and sine of the turn, width and height of a pixel (signed).
* `RECTANGLE`: left, right, top, bottom, and for x and for y whether the lower (1) or the upper (0) end belongs.
* `POLYGON`: x1, y1, x2, y2 of each edge, ``y1 <= y2``; no edge without length.
* `GRID`: none; the marks are an array of their own, uint8 [rows, columns].
"""


@jit
def in_simple(kind, a, b, c, d, e, f, g, h, y, x):
    """Whether the point (y, x) lies in a circle, an ellipse or a rectangle of the numbers a to h; without branches.

    Examples
    --------
    >>> in_simple(CIRCLE, 4.0, 3.0, 1.5, 0.0, 1.0, 1.0, 0.0, 0.0, 3.0, 5.25)
    True
    """
    if kind == CIRCLE:
        u, v = (x - a) * e, (y - b) * f
        square = u * u + v * v
        return (square < c * c) & (square >= d * d)
    if kind == ELLIPSE:
        u, v = (x - a) * g, (y - b) * h
        along, across = u * e + v * f, v * e - u * f
        return along * along * (d * d) + across * across * (c * c) < (c * c) * (d * d)
    wide = ((x > a) | ((x == a) & (e > 0))) & ((x < b) | ((x == b) & (e == 0)))
    return wide & ((y > c) | ((y == c) & (f > 0))) & ((y < d) | ((y == d) & (f == 0)))


@jit
def in_polygon(edges, y, x):
    """Whether the point (y, x) lies in a polygon, by the even-odd rule.

    Examples
    --------
    >>> in_polygon(np.array([0.0, 0, 0, 3, 3, 0, 0, 3]), 1.0, 1.5)
    True
    """
    odd = False
    for k in range(0, edges.size, 4):
        if edges[k + 1] <= y < edges[k + 3] and x >= crossing(edges, k, y):
            odd = not odd
    return odd


@jit
def crossing(edges, k, y):
    """Where the edge at `k` meets row y; rounded, so that whole and half numbers give exact answers."""
    slope = (edges[k + 2] - edges[k]) / (edges[k + 3] - edges[k + 1])
    return np.rint((edges[k] + (y - edges[k + 1]) * slope) * 1e9) / 1e9


@jit
def in_grid(grid, y, x):
    """Whether the point (y, x) lies on a marked pixel.

    Examples
    --------
    >>> in_grid(np.eye(2, dtype=np.uint8), 0.4, 0.6), in_grid(np.eye(2, dtype=np.uint8), 0.5, 0.6)
    (False, True)
    """
    down, right = y + 0.5, x + 0.5
    if not (0 <= down < grid.shape[0] and 0 <= right < grid.shape[1]):
        return False
    return grid[np.uintp(down), np.uintp(right)] != 0
