"""The normal equations of a lattice through indexed places, and the small algebra that they need."""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit

_COLLINEAR = 1e-12
"""Of the squared size of the terms: below, the matrix of the normal equations counts as singular."""


@jit
def keep(values, out):
    """Copy numbers into the first of `out`: written out, as it compiles much faster than an assignment of slices."""
    for i in range(values.size):
        out[i] = values[i]


@jit
def keep_lattice(lattice, out):
    """Copy a lattice [3, 2]."""
    for i in range(3):
        out[i, 0], out[i, 1] = lattice[i, 0], lattice[i, 1]


@jit
def size_of(lattice):
    """The root of the area of the cell, or nan where origin or vectors are not finite."""
    area = abs(lattice[1, 0] * lattice[2, 1] - lattice[1, 1] * lattice[2, 0])
    return math.sqrt(area) + 0.0 * (lattice[0, 0] + lattice[0, 1])


@jit
def middle_of(values, number):
    """The median of the first `number` values, which are sorted in place."""
    for i in range(1, number):
        value, j = values[i], i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return (values[(number - 1) // 2] + values[number // 2]) / 2


@jit
def invert(matrix, first, out):
    """Fill `out` with the inverse of a symmetric matrix [3, 3] from row `first` on; say whether there is one.

    By Cholesky's way, after scaling to a diagonal of 1.
    """
    scale = np.empty(3)
    lower = np.zeros((3, 3))
    for i in range(first, 3):
        if not matrix[i, i] > 0:
            return False
        scale[i] = 1 / math.sqrt(matrix[i, i])
    for i in range(first, 3):
        for j in range(first, i + 1):
            total = matrix[i, j] * scale[i] * scale[j]
            for m in range(first, j):
                total -= lower[i, m] * lower[j, m]
            if i == j:
                if not total > _COLLINEAR:
                    return False
                lower[i, i] = math.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    back = np.zeros((3, 3))  # of the lower triangle
    for i in range(first, 3):
        back[i, i] = 1 / lower[i, i]
        for j in range(first, i):
            total = 0.0
            for m in range(j, i):
                total -= lower[i, m] * back[m, j]
            back[i, j] = total / lower[i, i]
    for i in range(3):
        for j in range(3):
            total = 0.0
            for m in range(max(i, j), 3):
                total += back[m, i] * back[m, j]
            out[i, j] = total * scale[i] * scale[j] if min(i, j) >= first else 0.0
    return True


@jit
def solve(y, x, h, k, weights, start, first, ridge, lattice, inverse):
    """Fit `lattice` in place to the places from `start` on that have weights; False, and nothing done, if singular.

    Parameters
    ----------
    y, x : float64 [total]
        Places; those of the frame begin at `start`.
    h, k, weights : float64 [count]
        Of the places of the frame.
    first : int
        0: all three rows are fitted; 1: the origin is given.
    ridge : float
        Pulls both vectors towards what they are, as that many places of mean weight next to the origin would.
    lattice : float64 [3, 2]
        Changed in place.
    inverse : float64 [3, 3]
        Filled with the inverse of the matrix of the normal equations.
    """
    matrix = np.zeros((3, 3))
    right = np.zeros((3, 2))
    terms = np.empty(3)
    total, number = 0.0, 0
    for i in range(h.size):
        w = weights[i]
        if not w > 0:
            continue
        total += w
        number += 1
        terms[0], terms[1], terms[2] = 1.0, h[i], k[i]
        off_y = y[start + i] - lattice[0, 0] - h[i] * lattice[1, 0] - k[i] * lattice[2, 0]
        off_x = x[start + i] - lattice[0, 1] - h[i] * lattice[1, 1] - k[i] * lattice[2, 1]
        for a in range(first, 3):
            right[a, 0] += w * terms[a] * off_y
            right[a, 1] += w * terms[a] * off_x
            for b in range(first, a + 1):
                matrix[a, b] += w * terms[a] * terms[b]
    if number == 0:
        return False
    for a in range(1, 3):
        matrix[a, a] += ridge * total / number
    for a in range(3):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
    if not invert(matrix, first, inverse):
        return False
    for a in range(first, 3):
        for b in range(first, 3):
            lattice[a, 0] += inverse[a, b] * right[b, 0]
            lattice[a, 1] += inverse[a, b] * right[b, 1]
    return True


@jit
def distances(y, x, start, h, k, lattice, out):
    """Fill `out` with how far each place of a frame is from the lattice point it is indexed as."""
    for i in range(h.size):
        off_y = y[start + i] - lattice[0, 0] - h[i] * lattice[1, 0] - k[i] * lattice[2, 0]
        off_x = x[start + i] - lattice[0, 1] - h[i] * lattice[1, 1] - k[i] * lattice[2, 1]
        out[i] = math.hypot(off_y, off_x)
