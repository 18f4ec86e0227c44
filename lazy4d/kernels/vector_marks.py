"""One number a frame from the vectors that lie in a shape, by a bit for each vector.

However the bits were found, by looking at all vectors or only in the cells a shape reaches, the sums run over the
vectors of a frame in their own order: the same bits give the same result, to the last digit.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.vector_cells import ACROSS, INSIDE, OUTSIDE
from lazy4d.kernels.vector_shape import POLYGON, in_grid, in_polygon, in_simple

_ONE, _ALL, _NONE = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
_WORD, _LAST = np.uint64(6), np.uint64(63)
_ODD, _PAIRS, _NIBBLES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_GATHER = np.uint64(0x0102040810204080)
_BYTES, _TWO, _FOUR, _TOP = np.uint64(0x0101010101010101), np.uint64(2), np.uint64(4), np.uint64(56)


@jit
def mark_all(ky, kx, kind, numbers, grid, bits):
    """Set the bits of the points that lie in a shape.

    Parameters
    ----------
    ky, kx : float64 ndarray [n]
        Pixels.
    kind, numbers, grid
        The shape; see `lazy4d.kernels.vector_shape`.
    bits : uint64 ndarray [at least n / 64]
        Filled: bit i % 64 of word i // 64 says whether point i lies inside.

    Examples
    --------
    >>> bits = np.empty(1, np.uint64)
    >>> mark_all(np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), 4, np.zeros(8), np.eye(2, dtype=np.uint8), bits)
    >>> bits
    array([1], dtype=uint64)
    """
    a, b, c, d = numbers[0], numbers[1], numbers[2], numbers[3]
    e, f, g, h = numbers[4], numbers[5], numbers[6], numbers[7]
    hits = np.zeros(64, np.uint8)
    eights = hits.view(np.uint64)
    for word in range(bits.size):
        first = word << 6
        y, x = ky[first : first + 64], kx[first : first + 64]
        if y.size < 64:
            hits[:] = 0
        if (
            kind < POLYGON
        ):  # no branch in the loop, which runs in vector registers: whether a point lies inside is chance
            for j in range(y.size):
                hits[j] = in_simple(kind, a, b, c, d, e, f, g, h, y[j], x[j])
        elif kind == POLYGON:
            for j in range(y.size):
                hits[j] = in_polygon(numbers, y[j], x[j])
        else:
            for j in range(y.size):
                hits[j] = in_grid(grid, y[j], x[j])
        marks = _NONE
        for k in range(8):  # eight bytes to eight bits, the lowest first
            marks |= ((eights[k] * _GATHER) >> _TOP) << np.uint64(8 * k)
        bits[word] = marks


@jit
def count_reached(starts, classes, out):
    """How many points lie in cells that a shape holds whole, and how many in cells that it may hold in part.

    Parameters
    ----------
    starts, classes
        As for `mark_cells`.
    out : int64 ndarray [2]
        Filled.

    Examples
    --------
    >>> out = np.empty(2, np.int64)
    >>> count_reached(np.array([0, 5, 7, 8, 8]), np.array([1, 0, 2], np.uint8), out)
    >>> out
    array([5, 1])
    """
    out[:] = 0
    for cell in range(classes.size):
        if classes[cell] != OUTSIDE:
            out[classes[cell] - 1] += starts[cell + 1] - starts[cell]


@jit
def mark_cells(ky, kx, order, starts, classes, kind, numbers, grid, most, bits):
    """Set the bits of the points that lie in a shape, looking only at the cells that it reaches, or does not.

    Parameters
    ----------
    ky, kx, kind, numbers, grid, bits
        As for `mark_all`.
    order, starts
        The points by their cell, from `sort_into_cells`.
    classes : uint8 ndarray [cells]
        What the shape is to each cell, from `classify_cells`.
    most : bool
        Whether to begin with all points and take away those outside, which is less work where these are fewer.
    """
    bits[:] = _ALL if most else _NONE
    a, b, c, d = numbers[0], numbers[1], numbers[2], numbers[3]
    e, f, g, h = numbers[4], numbers[5], numbers[6], numbers[7]
    for cell in range(starts.size - 1):
        found = classes[cell] if cell < classes.size else OUTSIDE  # the last: points that are nowhere
        if found == ACROSS:
            for k in range(starts[cell], starts[cell + 1]):
                i = order[k]
                y, x = ky[i], kx[i]
                if kind < POLYGON:
                    hit = in_simple(kind, a, b, c, d, e, f, g, h, y, x)
                elif kind == POLYGON:
                    hit = in_polygon(numbers, y, x)
                else:
                    hit = in_grid(grid, y, x)
                bits[i >> 6] ^= np.uint64(hit != most) << (np.uint64(i) & _LAST)
        elif (found == INSIDE) != most:
            for k in range(starts[cell], starts[cell + 1]):
                i = order[k]
                bits[i >> 6] ^= _ONE << (np.uint64(i) & _LAST)


@jit
def _count(word):
    """How many bits of a word are set; compiled to one instruction."""
    word = word - ((word >> _ONE) & _ODD)
    word = (word & _PAIRS) + ((word >> _TWO) & _PAIRS)
    return (((word + (word >> _FOUR)) & _NIBBLES) * _BYTES) >> _TOP


@jit
def _part(bits, word, start, stop):
    """The bits of one word that belong to the points from `start` to `stop`."""
    part = bits[word]
    if word == start >> 6:
        part &= _ALL << (np.uint64(start) & _LAST)
    if word == (stop - 1) >> 6:
        part &= _ALL >> (_LAST - (np.uint64(stop - 1) & _LAST))
    return part


@jit
def count_marked(offsets, bits, out):
    """How many points of each frame are marked.

    Parameters
    ----------
    offsets : int64 ndarray [n + 1]
        Where the points of each frame begin.
    bits : uint64 ndarray
        Marks.
    out : int64 ndarray [n]
        Filled.

    Examples
    --------
    >>> out = np.empty(3, np.int64)
    >>> count_marked(np.array([0, 2, 2, 4]), np.array([0b1101], np.uint64), out)
    >>> out
    array([1, 0, 2])
    """
    for i in range(out.size):
        start, stop = offsets[i], offsets[i + 1]
        total = np.int64(0)
        if stop > start:
            for word in range(start >> 6, ((stop - 1) >> 6) + 1):
                total += np.int64(_count(_part(bits, word, start, stop)))
        out[i] = total


@jit
def sum_marked(offsets, bits, values, out):
    """The sum of the values of each frame's marked points, in float64 and in the order of the points.

    Parameters
    ----------
    offsets, bits
        As for `count_marked`.
    values : ndarray [total]
        Of each point.
    out : float64 ndarray [n]
        Filled; 0 where no point is marked.

    Examples
    --------
    >>> out = np.empty(2)
    >>> sum_marked(np.array([0, 2, 4]), np.array([0b1101], np.uint64), np.array([1.0, 2, 3, 4]), out)
    >>> out
    array([1., 7.])
    """
    for i in range(out.size):
        start, stop = offsets[i], offsets[i + 1]
        total = 0.0
        if stop > start:
            for word in range(start >> 6, ((stop - 1) >> 6) + 1):
                part = _part(bits, word, start, stop)
                while part != _NONE:
                    lowest = part & (~part + _ONE)
                    total += np.float64(values[(word << 6) + np.int64(_count(lowest - _ONE))])
                    part ^= lowest
        out[i] = total


@jit
def sum_weighted(offsets, bits, values, ky, kx, weights, out):
    """The sum of the values of each frame's marked points times the weight of the pixel they lie on.

    Parameters
    ----------
    offsets, bits, out
        As for `sum_marked`.
    values : ndarray [total], or of no entries
        Of each point; 1 where there are none.
    ky, kx : float64 ndarray [total]
        Pixels; a marked point lies on the frame.
    weights : float64 ndarray [rows, columns]
        Of each pixel.

    Examples
    --------
    >>> out = np.empty(1)
    >>> points = np.array([3], np.uint64), np.empty(0), np.array([0.0, 1.0]), np.array([0.4, 0.6])
    >>> sum_weighted(np.array([0, 2]), *points, np.array([[1.0, 2], [3, 4]]), out)
    >>> out
    array([5.])
    """
    for i in range(out.size):
        start, stop = offsets[i], offsets[i + 1]
        total = 0.0
        if stop > start:
            for word in range(start >> 6, ((stop - 1) >> 6) + 1):
                part = _part(bits, word, start, stop)
                while part != _NONE:
                    lowest = part & (~part + _ONE)
                    k = (word << 6) + np.int64(_count(lowest - _ONE))
                    weight = weights[np.uintp(ky[k] + 0.5), np.uintp(kx[k] + 0.5)]
                    total += weight * np.float64(values[k]) if values.size else weight
                    part ^= lowest
        out[i] = total
