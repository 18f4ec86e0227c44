"""Azimuthal integration about a centre that is another one in each frame: shares found and used pixel by pixel."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.azimuthal import MEAN, POISSON_ERROR, SUM, statistic_of
from lazy4d.kernels.polar_place import place_row, shares_of


@jit
def moving_bins(frames, centers, matrix, rings, sectors, keep, bilinear, statistic, skip_nan, out):
    """One number of each bin of each frame, about the frame's own centre.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    centers : ndarray of float64 [n, 2]
        Pixel (y, x) of the beam in each frame; nan gives a frame of nan.
    matrix, rings, sectors, keep, bilinear
        As in `polar_place.shares_by_place`.
    statistic, skip_nan
        As in `azimuthal.azimuthal_bins`.
    out : ndarray of float64 [n, bins]
        Filled, with what `azimuthal.azimuthal_bins` gives for a fixed centre, but for rounding.

    Examples
    --------
    >>> out = np.empty((2, 2))
    >>> rings, sectors = np.array([0.0, 1.5, 2]), np.array([-np.pi, 2 * np.pi, 1])
    >>> frames = np.ones((2, 5, 5), np.uint8)
    >>> centers = np.array([[2.0, 2.0], [np.nan, 2.0]])
    >>> moving_bins(frames, centers, np.eye(2), rings, sectors, np.empty(0, np.uint8), False, SUM, False, out)
    >>> out
    array([[ 9., 16.],
           [nan, nan]])
    """
    n, ky, kx = frames.shape
    n_bins, n_sectors = out.shape[1], int(sectors[2])
    mask = keep.reshape(ky, kx) if keep.size > 0 else np.empty((0, 0), np.uint8)
    bins, weights, boxes = np.empty(n_bins, np.int32), np.empty(n_bins), np.empty((5, kx))
    sums = np.empty((3, n_bins))
    for i in range(n):
        totals, cy, cx = out[i], centers[i, 0], centers[i, 1]
        if not (abs(cy) < np.inf and abs(cx) < np.inf):
            totals[:] = np.nan
            continue
        totals[:] = 0
        sums[:] = 0
        for second in range(2 if statistic > MEAN else 1):
            for y in range(ky):
                row = frames[i, y]
                place_row(y - cy, cx, matrix, rings, sectors, bilinear, boxes)
                for x in range(kx):
                    value = np.float64(row[x])
                    if (mask.size > 0 and mask[y, x] == 0) or (skip_nan and value != value):
                        continue
                    for k in range(shares_of(boxes, x, n_sectors, bins, weights)):
                        b, w = bins[k], weights[k]
                        if second:
                            off = value - totals[b] / sums[0, b]
                            sums[1, b] += w * w
                            sums[2, b] += w * w * value if statistic == POISSON_ERROR else w * off * off
                        else:
                            totals[b] += w * value
                            sums[0, b] += w
        if statistic != SUM:
            for b in range(n_bins):
                totals[b] = statistic_of(statistic, totals[b], sums[0, b], sums[1, b], sums[2, b])
