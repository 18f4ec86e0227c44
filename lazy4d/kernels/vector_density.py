"""How many vectors, or how much of what they carry, fall on each pixel of a grid: a Bragg vector map."""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit


@jit
def add_nearest(offsets, ky, kx, values, moves, upsample, start, out):
    """Add what each vector carries to the pixel of a finer grid that it lies on.

    Parameters
    ----------
    offsets : int64 ndarray [n + 1]
        Where the vectors of each frame begin.
    ky, kx : float64 ndarray [total]
        Pixels of the frame; vectors that are nowhere (NaN) are left out.
    values : ndarray [total], or of no entries
        What each vector carries; 1 where there are no entries, nothing where it is NaN.
    moves : float64 ndarray [n, 2] or [0, 2]
        Pixels (y, x) to add to the vectors of each frame.
    upsample : int
        Pixels of the grid along a pixel of the frame.
    start : float64 ndarray [2]
        The pixel (y, x) of the frame where the first pixel of the grid begins.
    out : float64 ndarray [rows, columns]
        Added to; what lies beside it is left out.

    Examples
    --------
    >>> out = np.zeros((2, 4))
    >>> one = np.array([0, 1]), np.array([0.4]), np.array([1.2]), np.array([7.0]), np.empty((0, 2))
    >>> add_nearest(*one, 2, np.array([-0.5, -0.5]), out)
    >>> np.argwhere(out), out.max()
    (array([[1, 3]]), np.float64(7.0))
    """
    rows, columns = out.shape
    for i in range(offsets.size - 1):
        top, left = start[0], start[1]
        if moves.shape[0]:
            top, left = top - moves[i, 0], left - moves[i, 1]
        for k in range(offsets[i], offsets[i + 1]):
            value = np.float64(values[k]) if values.size else 1.0
            y, x = (ky[k] - top) * upsample, (kx[k] - left) * upsample
            if 0 <= y < rows and 0 <= x < columns and value == value:
                out[int(y), int(x)] += value


@jit
def add_bilinear(offsets, ky, kx, values, moves, upsample, start, out):
    """Add what each vector carries to the four pixels of a finer grid whose centres surround it, by nearness.

    Parameters
    ----------
    offsets, ky, kx, values, moves, upsample, start, out
        As for `add_nearest`; the parts that fall beside the grid are left out.

    Notes
    -----
    The part of a pixel is (1 - |dy|) (1 - |dx|), distances in pixels of the grid. Parts add up to what was carried, and
    their centre of mass is where the vector is.

    Examples
    --------
    >>> out = np.zeros((2, 3))
    >>> one = np.array([0, 1]), np.array([0.0]), np.array([1.25]), np.empty(0), np.empty((0, 2))
    >>> add_bilinear(*one, 1, np.array([-0.5, -0.5]), out)
    >>> out
    array([[0.  , 0.75, 0.25],
           [0.  , 0.  , 0.  ]])
    """
    rows, columns = out.shape
    for i in range(offsets.size - 1):
        top, left = start[0], start[1]
        if moves.shape[0]:
            top, left = top - moves[i, 0], left - moves[i, 1]
        for k in range(offsets[i], offsets[i + 1]):
            value = np.float64(values[k]) if values.size else 1.0
            y, x = (ky[k] - top) * upsample - 0.5, (kx[k] - left) * upsample - 0.5
            if not (-1 < y < rows and -1 < x < columns and value == value):
                continue
            row, column = math.floor(y), math.floor(x)
            down, right = y - row, x - column
            if row >= 0:
                if column >= 0:
                    out[row, column] += value * (1 - down) * (1 - right)
                if column + 1 < columns:
                    out[row, column + 1] += value * (1 - down) * right
            if row + 1 < rows:
                if column >= 0:
                    out[row + 1, column] += value * down * (1 - right)
                if column + 1 < columns:
                    out[row + 1, column + 1] += value * down * right
