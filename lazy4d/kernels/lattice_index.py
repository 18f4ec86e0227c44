"""Which point of a lattice each of many places is, and where the origin of the lattice lies.

Ragged columns: the places of frame i are the entries ``offsets[i]:offsets[i + 1]`` of `y` and `x`. A lattice is three
rows (y, x): its origin and two vectors.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit

UNINDEXED = -32768
"""Both indices of a place that is no point of the lattice."""


@jit
def nearest_point(y, x, lattice):
    """Indices (h, k) of the lattice point nearest to a place, and the square of its distance; nan for no place.

    The vectors are to be reduced (the angle between them from 60° to 120°): then it is one of the four corners of the
    cell that the place is in, and the one nearest in units of the vectors wherever that is nearer than half the width
    of the cell.

    Examples
    --------
    >>> nearest_point(2.1, 4.0, np.array([[0.0, 0], [0, 2], [1, 0]]))
    (2.0, 2.0, 0.010000000000000018)
    """
    dy, dx = y - lattice[0, 0], x - lattice[0, 1]
    area = lattice[1, 0] * lattice[2, 1] - lattice[1, 1] * lattice[2, 0]
    h = np.rint((dy * lattice[2, 1] - dx * lattice[2, 0]) / area)
    k = np.rint((dx * lattice[1, 0] - dy * lattice[1, 1]) / area)
    off_y = dy - h * lattice[1, 0] - k * lattice[2, 0]
    off_x = dx - h * lattice[1, 1] - k * lattice[2, 1]
    square = off_y * off_y + off_x * off_x
    longer = max(lattice[1, 0] ** 2 + lattice[1, 1] ** 2, lattice[2, 0] ** 2 + lattice[2, 1] ** 2)
    if 4 * square * longer > area * area:
        first = math.copysign(1.0, (off_y * lattice[2, 1] - off_x * lattice[2, 0]) / area)
        second = math.copysign(1.0, (off_x * lattice[1, 0] - off_y * lattice[1, 1]) / area)
        a, b = h, k
        for corner in range(1, 4):
            to_h, to_k = a + first * (corner & 1), b + second * (corner >> 1)
            other_y = dy - to_h * lattice[1, 0] - to_k * lattice[2, 0]
            other_x = dx - to_h * lattice[1, 1] - to_k * lattice[2, 1]
            other = other_y * other_y + other_x * other_x
            if other < square:
                h, k, square = to_h, to_k, other
    return h, k, square


@jit
def move_origin(y, x, weights, start, stop, close, lattice):
    """Move the origin of `lattice` to where the places of one frame say it is, by at most half a vector each way.

    `weights` are those of the places from `start` to `stop`; `close` says how fast they fall outwards.

    Notes
    -----
    The places, in units of the vectors, are whole numbers and one common fraction: the direction of
    ``sum w exp(2πi h)``, which no place has to be the origin for. Places far out count less, as a lattice that is not
    quite the right one misses them by more: w is divided by ``1 + (h² + k²) / 4``, or, if `close`, by the square of
    that and with the distance in units of the shorter vector: along the longer one, places are off by as much.
    """
    shorter = min(lattice[1, 0] ** 2 + lattice[1, 1] ** 2, lattice[2, 0] ** 2 + lattice[2, 1] ** 2)
    area = lattice[1, 0] * lattice[2, 1] - lattice[1, 1] * lattice[2, 0]
    sin_h, cos_h, sin_k, cos_k = 0.0, 0.0, 0.0, 0.0
    for i in range(start, stop):
        dy, dx = y[i] - lattice[0, 0], x[i] - lattice[0, 1]
        h = (dy * lattice[2, 1] - dx * lattice[2, 0]) / area
        k = (dx * lattice[1, 0] - dy * lattice[1, 1]) / area
        w = weights[i - start] / (1 + (h * h + k * k) / 4)
        if close:
            w = weights[i - start] / (1 + (dy * dy + dx * dx) / (4 * shorter)) ** 2
        if not (w > 0 and math.isfinite(h) and math.isfinite(k)):
            continue
        sin_h += w * math.sin(2 * math.pi * h)
        cos_h += w * math.cos(2 * math.pi * h)
        sin_k += w * math.sin(2 * math.pi * k)
        cos_k += w * math.cos(2 * math.pi * k)
    h = math.atan2(sin_h, cos_h) / (2 * math.pi)
    k = math.atan2(sin_k, cos_k) / (2 * math.pi)
    lattice[0, 0] += h * lattice[1, 0] + k * lattice[2, 0]
    lattice[0, 1] += h * lattice[1, 1] + k * lattice[2, 1]


@jit
def index_frames(offsets, y, x, weights, lattices, change, free, farthest, h, k, distance):
    """Fill `h`, `k` and `distance` with the lattice points nearest to all places.

    Parameters
    ----------
    offsets, y, x : ndarray
        Ragged places.
    weights : float64 [total]
        How much each counts for the origin, where that is free.
    lattices : float64 [n, 3, 2]
        Of each frame: origin, two vectors, as rows (y, x); reduced. NaN: nothing is indexed.
    change : float64 [2, 2]
        Whole numbers: indices as rows, times this, are those that are asked for.
    free : bool
        Whether the origin is moved to where the places say it is.
    farthest : float
        From a lattice point, for a place to be indexed.
    h, k : int16 [total]
        Filled; `UNINDEXED` for places that are no lattice points, or whose indices int16 cannot hold.
    distance : float64 [total]
        Filled: from the lattice point; nan where not indexed.
    """
    lattice = np.empty((3, 2))
    for n in range(offsets.size - 1):
        for a in range(3):
            lattice[a, 0], lattice[a, 1] = lattices[n, a, 0], lattices[n, a, 1]
        start, stop = offsets[n], offsets[n + 1]
        if free:
            move_origin(y, x, weights[start:stop], start, stop, False, lattice)
        for i in range(start, stop):
            at_h, at_k, square = nearest_point(y[i], x[i], lattice)
            a = at_h * change[0, 0] + at_k * change[1, 0]
            b = at_h * change[0, 1] + at_k * change[1, 1]
            if square <= farthest * farthest and max(abs(a), abs(b)) < -UNINDEXED:
                h[i], k[i], distance[i] = np.int16(a), np.int16(b), math.sqrt(square)
            else:
                h[i], k[i], distance[i] = UNINDEXED, UNINDEXED, np.nan
