"""Masks of the disks about the entries of each frame."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit


@jit
def disk_masks(offsets, y, x, ry, rx, out):
    """Pixels of each frame that lie within an ellipse about one of its entries: those nearer than its edge.

    Parameters
    ----------
    offsets : ndarray of int64 [n + 1]
        Where the entries of each frame begin.
    y, x : ndarray of float64 [total]
        Places in pixels; those that are not finite have no disk.
    ry, rx : float
        Semi-axes along y and x, in pixels.
    out : ndarray of bool or uint8 [n, ky, kx]
        Filled with 1 where a pixel's centre lies within an ellipse, 0 elsewhere.

    Examples
    --------
    >>> out = np.empty((1, 3, 4), np.uint8)
    >>> disk_masks(np.array([0, 1]), np.array([1.0]), np.array([1.0]), 1.1, 1.1, out)
    >>> out[0]
    array([[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]], dtype=uint8)
    """
    height = out.shape[1]
    width = out.shape[2]
    for n in range(offsets.size - 1):
        for row in range(height):
            for column in range(width):
                out[n, row, column] = 0
        for i in range(offsets[n], offsets[n + 1]):
            if not (np.isfinite(y[i]) and np.isfinite(x[i])):
                continue
            low = max(np.ceil(y[i] - ry), 0.0)
            high = min(np.floor(y[i] + ry), height - 1.0)
            for row in range(int(low), int(high) + 1):
                dy = (row - y[i]) / ry
                half = 1.0 - dy * dy
                if half <= 0.0:
                    continue
                half = rx * np.sqrt(half) + 1.0
                left = max(np.ceil(x[i] - half), 0.0)
                right = min(np.floor(x[i] + half), width - 1.0)
                for column in range(int(left), int(right) + 1):
                    dx = (column - x[i]) / rx
                    if dy * dy + dx * dx < 1.0:
                        out[n, row, column] = 1
