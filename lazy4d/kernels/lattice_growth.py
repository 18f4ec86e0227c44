"""A lattice that is not quite right, led to all places of a frame by those near its origin, and then farther ones."""

from __future__ import annotations

import math

from lazy4d.kernels._jit import jit
from lazy4d.kernels.lattice_equations import solve
from lazy4d.kernels.lattice_index import nearest_point


@jit
def assign(y, x, start, farthest, near, radius, lattice, given, h, k, weights):
    """Index the places of a frame: fill `h`, `k` and `weights`, 0 where a place is no lattice point, or too far out.

    Within `farthest` of a lattice point, or, where `near` is above 0, within that part of the two vectors: where one is
    much longer, places may be off by more along it. Returns how many are indexed, and whether any index changed.
    """
    found, changed = 0, False
    area = lattice[1, 0] * lattice[2, 1] - lattice[1, 1] * lattice[2, 0]
    for i in range(h.size):
        py, px = y[start + i], x[start + i]
        a, b, square = nearest_point(py, px, lattice)
        dy, dx = py - lattice[0, 0], px - lattice[0, 1]
        inside = square <= farthest * farthest
        if near > 0:
            off_h = (dy * lattice[2, 1] - dx * lattice[2, 0]) / area - a
            off_k = (dx * lattice[1, 0] - dy * lattice[1, 1]) / area - b
            inside = off_h * off_h + off_k * off_k <= near * near
        w = 0.0
        if inside and dy * dy + dx * dx <= radius * radius and given[i] > 0:
            w = given[i]
            found += 1
        if w != weights[i] or a != h[i] or b != k[i]:
            changed = True
        h[i], k[i], weights[i] = a, b, w
    return found, changed


@jit
def turn_whole(y, x, start, first, lattice, h, k, weights):
    """Move, turn and scale `lattice` as a whole to the indexed places.

    The least squares of ``origin + z (h g1 + k g2)``, with places as complex numbers. Nothing is done where they are
    all one point, or would be turned by more than 30°.
    """
    total, py, px, cy, cx = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(h.size):
        w = weights[i]
        if w > 0:
            total += w
            if first == 0:
                py += w * (y[start + i] - lattice[0, 0])
                px += w * (x[start + i] - lattice[0, 1])
                cy += w * (h[i] * lattice[1, 0] + k[i] * lattice[2, 0])
                cx += w * (h[i] * lattice[1, 1] + k[i] * lattice[2, 1])
    if not total > 0:
        return
    py, px, cy, cx = py / total, px / total, cy / total, cx / total
    square, along, across = 0.0, 0.0, 0.0
    for i in range(h.size):
        w = weights[i]
        if w > 0:
            ay = y[start + i] - lattice[0, 0] - py
            ax = x[start + i] - lattice[0, 1] - px
            by = h[i] * lattice[1, 0] + k[i] * lattice[2, 0] - cy
            bx = h[i] * lattice[1, 1] + k[i] * lattice[2, 1] - cx
            square += w * (by * by + bx * bx)
            along += w * (ay * by + ax * bx)
            across += w * (ay * bx - ax * by)
    if not (square > 0 and along > 1.7 * abs(across)):
        return
    c, s = along / square, across / square
    for a in range(1, 3):
        gy, gx = lattice[a, 0], lattice[a, 1]
        lattice[a, 0], lattice[a, 1] = c * gy + s * gx, c * gx - s * gy
    if first == 0:
        lattice[0, 0] += py - (c * cy + s * cx)
        lattice[0, 1] += px - (c * cx - s * cy)


@jit
def grow(y, x, start, given, farthest, near, radius, whole, first, lattice, inverse, h, k, weights):
    """Fit `lattice` to places ever farther from its origin, so that one that is not quite right is led to all of them.

    From those within `radius` on, each within the part `near` of the vectors of its lattice point, at last within
    `farthest`; up to the radius `whole`, the lattice is turned and scaled as a whole. Returns whether a fit to all of
    the indexed places succeeded.
    """
    reach = 0.0
    for i in range(h.size):
        away = math.hypot(y[start + i] - lattice[0, 0], x[start + i] - lattice[0, 1])
        if away > reach and away < math.inf:
            reach = away
    while radius < reach:
        assign(y, x, start, farthest, near, radius, lattice, given, h, k, weights)
        if radius < whole:
            turn_whole(y, x, start, first, lattice, h, k, weights)
        else:
            solve(y, x, h, k, weights, start, first, 0.5, lattice, inverse)
        radius *= 1.5
    fitted = False
    for _ in range(10):
        found, changed = assign(y, x, start, farthest, 0.0, math.inf, lattice, given, h, k, weights)
        if found == 0 or (fitted and not changed):
            break
        fitted = solve(y, x, h, k, weights, start, first, 0.0, lattice, inverse)
        if not fitted:
            break
    return fitted
