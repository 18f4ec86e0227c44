"""Where shifted frames hold data: how many cover each pixel, and the window that all of them cover.

Each frame covers a rectangle. One is added at its first corner, and taken away behind the others, in an array with one
row and one column more than a frame; its sums along both axes are the number of frames at each pixel.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels.shift import covered

NOWHERE = np.iinfo(np.int64).min + 1
"""Before any window is known."""


def add_covered(shifts, shape, interpolation, corners):
    """Note the rectangles that shifted frames cover.

    Parameters
    ----------
    shifts : ndarray of float64 [n, 2]
        (dy, dx) of each frame; frames whose shift is not finite cover nothing.
    shape : tuple of int
        Rows and columns of a frame.
    interpolation : {"integer", "bilinear", "cubic", "fourier"}
        How frames are shifted.
    corners : ndarray of int64 [ky + 1, kx + 1]
        Updated in place; `coverage` makes numbers of frames of it.

    Examples
    --------
    >>> corners = np.zeros((3, 4), np.int64)
    >>> add_covered(np.array([[0.0, 1.0], [0.0, 0.0]]), (2, 3), "integer", corners)
    >>> coverage(corners)
    array([[1, 2, 2],
           [1, 2, 2]])
    """
    window = covered(shifts, shape, interpolation)
    (y0, y1), (x0, x1) = window[:, 0].T, window[:, 1].T
    for y, x, sign in ((y0, x0, 1), (y0, x1, -1), (y1, x0, -1), (y1, x1, 1)):
        np.add.at(corners, (y, x), sign)


def merge_covered(corners, other):
    """Add the rectangles noted in `other` to `corners`."""
    corners += other


def coverage(corners):
    """The number of frames at each pixel, int64 [ky, kx]."""
    return corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


def narrow_window(shifts, shape, interpolation, edges):
    """Narrow a window to what all frames cover whose shift is finite.

    Parameters
    ----------
    shifts : ndarray of float64 [n, 2]
        (dy, dx) of each frame.
    shape : tuple of int
        Rows and columns of a frame.
    interpolation : {"integer", "bilinear", "cubic", "fourier"}
        How frames are shifted.
    edges : ndarray of int64 [4]
        Highest first row, -(lowest row behind the last), and the same of columns; updated in place, to be begun with
        `NOWHERE`. `common_window` makes a window of it.

    Examples
    --------
    >>> edges = np.full(4, NOWHERE)
    >>> narrow_window(np.array([[1.0, -2.0], [0.0, 2.0], [np.nan, 0.0]]), (8, 8), "integer", edges)
    >>> common_window(edges)
    array([2, 6, 1, 8])
    """
    known = np.isfinite(shifts).all(axis=1)
    window = covered(shifts[known], shape, interpolation)
    np.maximum(edges, (window * np.array([1, -1])).reshape(-1, 4).max(axis=0, initial=NOWHERE), out=edges)


def merge_windows(edges, other):
    """Narrow a window to what it has in common with another."""
    np.maximum(edges, other, out=edges)


def common_window(edges):
    """The window (x0, x1, y0, y1), int64; 0 where nothing is left."""
    y0, y1, x0, x1 = edges * np.array([1, -1, 1, -1])
    left = edges[0] > NOWHERE and y0 < y1 and x0 < x1
    return np.array([x0, x1, y0, y1]) * int(left)
