"""Pairs of entries of a frame that lie opposite to each other about the centre."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit


@jit
def _partner(y, x, start, stop, i, limit, partner):
    """The entry without a partner that is nearest to where the partner of `i` should be, or -1."""
    best = -1
    nearest = limit
    for j in range(start, stop):
        if partner[j] >= 0 or j == i:
            continue
        dy = y[i] + y[j]
        dx = x[i] + x[j]
        distance = dy * dy + dx * dx
        if distance < nearest or (distance == nearest and best < 0):
            best = j
            nearest = distance
    return best, nearest


@jit
def opposite_pairs(offsets, y, x, tolerance, partner, distance):
    """The partner of each entry, at ``(-y, -x)``: the nearest pairs first, each entry in one pair.

    Parameters
    ----------
    offsets : ndarray of int64 [n + 1]
        Where the entries of each frame begin.
    y, x : ndarray of float64 [total]
        Offsets from the centre.
    tolerance : float
        How far a partner may be from where it should be.
    partner : ndarray of int64 [total]
        Filled with the index of the partner within the frame, -1 where there is none. An entry that lies within half
        of the tolerance from the centre is its own.
    distance : ndarray of float64 [total]
        Filled with how far the partner is from where it should be, NaN where there is none.

    Examples
    --------
    >>> partner, distance = np.empty(3, np.int64), np.empty(3)
    >>> opposite_pairs(np.array([0, 3]), np.array([1.0, 5, -1]), np.array([2.0, 0, -2.5]), 1.0, partner, distance)
    >>> partner, distance
    (array([ 2, -1,  0]), array([0.5, nan, 0.5]))
    """
    limit = tolerance * tolerance
    for n in range(offsets.size - 1):
        start = offsets[n]
        stop = offsets[n + 1]
        for i in range(start, stop):
            itself = 4.0 * (y[i] * y[i] + x[i] * x[i])
            partner[i] = i if itself <= limit else -1
            distance[i] = np.sqrt(itself) if itself <= limit else np.nan
        found = True
        while found:  # of all that are left the nearest two are each other's nearest, so every round finds a pair
            found = False
            for i in range(start, stop):
                if partner[i] >= 0:
                    continue
                j, apart = _partner(y, x, start, stop, i, limit, partner)
                if j > i:
                    back, _ = _partner(y, x, start, stop, j, limit, partner)
                    if back == i:
                        partner[i] = j
                        partner[j] = i
                        distance[i] = np.sqrt(apart)
                        distance[j] = distance[i]
                        found = True
        for i in range(start, stop):
            if partner[i] >= 0:
                partner[i] -= start
