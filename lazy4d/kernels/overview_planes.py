"""A scan in bins, a plane of all positions for each bin of the detector, filled and asked for detectors and regions."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit_fast
from lazy4d.kernels.accumulate import plus, wide_zeros, widen

STRIP = 4096
"""Places whose sums stay in the nearest cache while planes are added."""


@jit_fast
def put_into_planes(binned, first, planes):
    """Write the bins of adjacent places to planes, one a bin.

    Parameters
    ----------
    binned : ndarray [n, bins]
        Sums of each place; rows best begin at odd multiples of 64 bytes, as a column would else meet itself in cache.
    first : int
        The first place; the others follow.
    planes : ndarray [bins, places]
        Changed; the caller makes sure that the sums fit its dtype.

    Examples
    --------
    >>> planes = np.zeros((2, 3), np.uint16)
    >>> put_into_planes(np.array([[1, 2], [3, 4]], np.uint32), 1, planes)
    >>> planes
    array([[0, 1, 3],
           [0, 2, 4]], dtype=uint16)
    """
    n, bins = binned.shape
    for b in range(bins):
        plane = planes[b][first : first + n]
        for i in range(n):
            plane[i] = planes.dtype.type(binned[i, b])


@jit_fast
def gather_places(binned, chosen, groups, out):
    """Sum the bins of the chosen frames by group.

    Parameters
    ----------
    binned : ndarray [n, bins]
        Sums of each frame.
    chosen : ndarray of int64 [k]
        Which frames.
    groups : ndarray of int64 [k]
        The group of each of them.
    out : ndarray [groups, bins]
        State, from 0: the sums.

    Examples
    --------
    >>> out = np.zeros((1, 2), np.uint32)
    >>> gather_places(np.array([[1, 2], [3, 4]], np.uint32), np.array([0, 1]), np.array([0, 0]), out)
    >>> out
    array([[4, 6]], dtype=uint32)
    """
    for k in range(chosen.size):
        row, total = binned[chosen[k]], out[groups[k]]
        for b in range(total.size):
            total[b] = plus(total[b], row[b])


@jit_fast
def add_to_planes(binned, places, planes):
    """Add bins to planes, one a bin, at some places, each of which comes once.

    Parameters
    ----------
    binned : ndarray [k, bins]
        Sums of each place.
    places : ndarray of int64 [k]
        Where in a plane they belong, ascending.
    planes : ndarray [bins, places]
        Changed; the caller makes sure that the sums fit its dtype.

    Examples
    --------
    >>> planes = np.ones((2, 3), np.uint16)
    >>> add_to_planes(np.array([[1, 2]], np.uint32), np.array([2]), planes)
    >>> planes
    array([[1, 1, 2],
           [1, 1, 3]], dtype=uint16)
    """
    n = places.size
    together = n > 0 and places[n - 1] - places[0] == n - 1
    for b in range(planes.shape[0]):
        if together:
            plane = planes[b][places[0] : places[0] + n]
            for k in range(n):
                plane[k] = plus(plane[k], binned[k, b])
        else:
            plane = planes[b]
            for k in range(n):
                plane[places[k]] = plus(plane[places[k]], binned[k, b])


@jit_fast
def add_planes(planes, chosen, start, stop, out):
    """Add some planes of integers up, at the places from `start` to `stop`.

    Parameters
    ----------
    planes : ndarray [bins, places]
        Of uint16, uint32, int16, int32 or float32.
    chosen : ndarray of int64 [k]
        Which planes.
    start, stop : int
        Places to add up.
    out : ndarray of float64 [stop - start]
        Changed: the sums are added to it, exactly for integers.

    Examples
    --------
    >>> out = np.zeros(2)
    >>> add_planes(np.arange(6, dtype=np.uint16).reshape(3, 2), np.array([0, 2]), 0, 2, out)
    >>> out
    array([4., 6.])
    """
    n = chosen.size
    for left in range(start, stop, STRIP):
        right = min(left + STRIP, stop)
        part = wide_zeros(planes, right - left)
        for k in range(0, n - n % 4, 4):
            a, b = planes[chosen[k], left:right], planes[chosen[k + 1], left:right]
            c, d = planes[chosen[k + 2], left:right], planes[chosen[k + 3], left:right]
            for p in range(part.size):
                part[p] = plus(part[p], plus(plus(widen(a[p]), widen(b[p])), plus(widen(c[p]), widen(d[p]))))
        for k in range(n - n % 4, n):
            a = planes[chosen[k], left:right]
            for p in range(part.size):
                part[p] = plus(part[p], widen(a[p]))
        for p in range(part.size):
            out[left - start + p] += np.float64(part[p])


@jit_fast
def weigh_planes(planes, chosen, weights, start, stop, out):
    """Add some planes up, each times its weight, at the places from `start` to `stop`.

    Parameters
    ----------
    planes : ndarray [bins, places]
        Of any real dtype.
    chosen : ndarray of int64 [k]
        Which planes.
    weights : ndarray of float64 [k]
        Their weights.
    start, stop : int
        Places to add up.
    out : ndarray of float64 [stop - start]
        Changed: the weighted sums are added to it.

    Examples
    --------
    >>> out = np.zeros(2)
    >>> weigh_planes(np.ones((3, 2), np.uint16), np.array([0, 2]), np.array([0.5, 2.0]), 0, 2, out)
    >>> out
    array([2.5, 2.5])
    """
    n = chosen.size
    for left in range(start, stop, STRIP):
        right = min(left + STRIP, stop)
        part = out[left - start : right - start]
        for k in range(0, n - n % 4, 4):
            a, b = planes[chosen[k], left:right], planes[chosen[k + 1], left:right]
            c, d = planes[chosen[k + 2], left:right], planes[chosen[k + 3], left:right]
            u, v, w, x = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            for p in range(part.size):
                part[p] += (u * a[p] + v * b[p]) + (w * c[p] + x * d[p])
        for k in range(n - n % 4, n):
            a, u = planes[chosen[k], left:right], weights[k]
            for p in range(part.size):
                part[p] += u * a[p]


@jit_fast
def weigh_places(planes, chosen, weights, out):
    """Sum each plane over some places, each times its weight: the bins of a mean pattern.

    Parameters
    ----------
    planes : ndarray [bins, places]
        Of any real dtype.
    chosen : ndarray of int64 [k]
        Which places, ascending.
    weights : ndarray of float64 [k]
        Their weights.
    out : ndarray of float64 [bins]
        Filled.

    Examples
    --------
    >>> out = np.empty(2)
    >>> weigh_places(np.array([[1, 2, 3], [4, 5, 6]], np.uint16), np.array([0, 2]), np.array([1.0, 0.5]), out)
    >>> out
    array([2.5, 7. ])
    """
    if chosen.size == planes.shape[1]:
        for b in range(planes.shape[0]):
            plane, value = planes[b], 0.0
            for p in range(weights.size):
                value += weights[p] * plane[p]
            out[b] = value
        return
    for b in range(planes.shape[0]):
        plane, value = planes[b], 0.0
        for k in range(chosen.size):
            value += weights[k] * plane[chosen[k]]
        out[b] = value


@jit_fast
def detector_cover(detector, pattern, rows, columns, out):
    """How much of each bin a detector covers, counted in the intensity of a mean pattern rather than in pixels.

    Parameters
    ----------
    detector : ndarray of uint8 or float64 [ky, kx]
        Weight of each pixel.
    pattern : ndarray of float32 or float64 [ky, kx]
        The mean pattern: where in a bin its intensity is likely to be.
    rows, columns : ndarray of int64 [bins + 1]
        Where the bins begin.
    out : ndarray of float64 [y bins, x bins]
        Filled; where all pixels of a bin have one weight it is that weight, to the last bit.

    Examples
    --------
    >>> out = np.empty((1, 1))
    >>> edges = np.array([0, 2])
    >>> detector_cover(np.array([[1.0, 0], [0, 0]]), np.array([[3.0, 1], [0, 0]]), edges, edges, out)
    >>> out
    array([[0.75]])
    """
    for b in range(rows.size - 1):
        for c in range(columns.size - 1):
            first = detector[rows[b], columns[c]]
            same = True
            for y in range(rows[b], rows[b + 1]):
                for x in range(columns[c], columns[c + 1]):
                    same &= detector[y, x] == first
            if same:  # nearly all bins; the pattern is not even looked at
                out[b, c] = np.float64(first)
                continue
            usable = True
            plain, weighted, intensity = 0.0, 0.0, 0.0
            for y in range(rows[b], rows[b + 1]):
                for x in range(columns[c], columns[c + 1]):
                    w, v = np.float64(detector[y, x]), np.float64(pattern[y, x])
                    usable &= v >= 0  # type: ignore[assignment]
                    plain += w
                    weighted += w * v
                    intensity += v
            if usable and intensity > 0:
                out[b, c] = weighted / intensity
            else:
                out[b, c] = plain / ((rows[b + 1] - rows[b]) * (columns[c + 1] - columns[c]))
