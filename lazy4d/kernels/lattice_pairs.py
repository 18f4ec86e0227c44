"""How often each difference occurs between places of the same frame: what a lattice shows whatever its origin."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit

UNIT = 65536
"""What one difference counts: parts of it are whole numbers, so that sums do not depend on their order."""


@jit
def count_differences(offsets, y, x, weights, most, out):
    """Add to `out` the differences between all pairs of places of each frame, each spread over four bins.

    Parameters
    ----------
    offsets, y, x : ndarray
        Ragged places, in bins; those that are not finite do not count.
    weights : float64 [total]
        A pair counts as the smaller of its two weights; 0 or less, or nan, does not count.
    most : int
        Places of a frame that are taken, the first ones: the work goes as their square.
    out : int64 [2 r + 1, 2 r + 1]
        Added to, in parts of `UNIT`; difference (0, 0) is at the middle. A place's difference from itself is left out.
    """
    reach = (out.shape[0] - 1) // 2
    for n in range(offsets.size - 1):
        start = offsets[n]
        stop = min(offsets[n + 1], start + most)
        for i in range(start, stop):
            for j in range(start, stop):
                w = min(weights[i], weights[j]) * UNIT
                dy, dx = y[j] - y[i], x[j] - x[i]
                if i == j or not (w > 0 and abs(dy) < reach and abs(dx) < reach):
                    continue
                row, column = int(np.floor(dy)), int(np.floor(dx))
                fy, fx = dy - row, dx - column
                row, column = row + reach, column + reach
                out[row, column] += np.int64(np.rint(w * (1 - fy) * (1 - fx)))
                out[row + 1, column] += np.int64(np.rint(w * fy * (1 - fx)))
                out[row, column + 1] += np.int64(np.rint(w * (1 - fy) * fx))
                out[row + 1, column + 1] += np.int64(np.rint(w * fy * fx))
