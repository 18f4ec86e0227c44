"""The area that a pixel has in common with the bins of a polar grid, exactly.

A pixel, a square, becomes a parallelogram in the undistorted, calibrated frame. Its part inside a disk of radius R
about the beam follows from Green's theorem, edge by edge: where an edge runs inside the disk it adds the triangle that
it spans with the beam, where it runs outside the circular sector, both signed. Rings are differences of disks. Sectors
are cut out first: their two rays pass through the beam, so that the formula holds for what is left.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.polar_place import SMALLEST, TURN, grown


@jit
def _sector_area(ay, ax, by, bx, radius):
    """Signed area of the circular sector from the direction of a to that of b."""
    return 0.5 * radius * radius * math.atan2(ax * by - ay * bx, ax * bx + ay * by)


@jit
def _edge_area(ay, ax, by, bx, radius):
    """Signed area that the triangle of an edge and the origin has in common with a disk."""
    dy, dx = by - ay, bx - ax
    square = dy * dy + dx * dx
    along = ay * dy + ax * dx
    root = along * along - square * (ay * ay + ax * ax - radius * radius)
    if root <= 0 or square == 0:
        return _sector_area(ay, ax, by, bx, radius)
    root = math.sqrt(root)
    enter, leave = (-along - root) / square, (-along + root) / square
    if enter >= 1 or leave <= 0:
        return _sector_area(ay, ax, by, bx, radius)
    area = 0.0
    uy, ux, wy, wx = ay, ax, by, bx
    if enter > 0:
        uy, ux = ay + enter * dy, ax + enter * dx
        area += _sector_area(ay, ax, uy, ux, radius)
    if leave < 1:
        wy, wx = ay + leave * dy, ax + leave * dx
        area += _sector_area(wy, wx, by, bx, radius)
    return area + 0.5 * (ux * wy - uy * wx)


@jit
def _area(polygon, n):
    """Area of a polygon whose vertices run from +x to +y."""
    total = 0.0
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        total += polygon[k, 1] * polygon[m, 0] - polygon[k, 0] * polygon[m, 1]
    return 0.5 * total


@jit
def _reach(polygon, n):
    """Smallest and largest distance of a polygon from the origin."""
    least, most, inside = np.inf, 0.0, True
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        ay, ax, dy, dx = polygon[k, 0], polygon[k, 1], polygon[m, 0] - polygon[k, 0], polygon[m, 1] - polygon[k, 1]
        most = max(most, ay * ay + ax * ax)
        inside &= ax * dy - ay * dx >= 0
        square = dy * dy + dx * dx
        t = min(max(-(ay * dy + ax * dx) / square, 0.0), 1.0) if square > 0 else 0.0
        y, x = ay + t * dy, ax + t * dx
        least = min(least, y * y + x * x)
    return 0.0 if inside else math.sqrt(least), math.sqrt(most)


@jit
def _cut(polygon, n, y, x, kept):
    """The part of a polygon on the left of the ray from the origin towards (y, x), written to `kept`; its vertices."""
    count = 0
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        here = x * polygon[k, 0] - y * polygon[k, 1]
        there = x * polygon[m, 0] - y * polygon[m, 1]
        if here >= 0:
            kept[count, 0], kept[count, 1] = polygon[k, 0], polygon[k, 1]
            count += 1
        if (here > 0 and there < 0) or (here < 0 and there > 0):
            t = here / (here - there)
            kept[count, 0] = polygon[k, 0] + t * (polygon[m, 0] - polygon[k, 0])
            kept[count, 1] = polygon[k, 1] + t * (polygon[m, 1] - polygon[k, 1])
            count += 1
    return count


@jit
def _ring_areas(polygon, n, rings, sign, areas):
    """Add to `areas` what a polygon has in common with each ring, times `sign`; the first and last ring it meets."""
    start, width, number = rings[0], rings[1], int(rings[2])
    whole = _area(polygon, n)
    least, most = _reach(polygon, n)
    first = max(math.floor((least - start) / width), 0)
    last = min(math.floor((most - start) / width), number - 1)
    before = -1.0
    for ring in range(first, last + 1):
        for edge in range(0 if before < 0 else 1, 2):
            radius = start + (ring + edge) * width
            if radius >= most:
                inside = whole
            elif radius <= least:
                inside = 0.0
            else:
                inside = 0.0
                for k in range(n):
                    m = k + 1 if k + 1 < n else 0
                    inside += _edge_area(polygon[k, 0], polygon[k, 1], polygon[m, 0], polygon[m, 1], radius)
            if edge == 1:
                areas[ring] += sign * (inside - before)
            before = inside
    return first, last


@jit
def _wedge(polygon, n, alpha, beta, rooms):
    """The part of a polygon between two azimuths at most π apart, written to ``rooms[1]``; its vertices."""
    n = _cut(polygon, n, math.sin(alpha), math.cos(alpha), rooms[0])
    return _cut(rooms[0], n, -math.sin(beta), -math.cos(beta), rooms[1])


@jit
def _span(polygon, n, y, x):
    """How far the azimuths of a polygon reach to both sides of that of (y, x), and whether it holds the origin."""
    low, high, inside = 0.0, 0.0, True
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        inside &= polygon[k, 1] * polygon[m, 0] - polygon[k, 0] * polygon[m, 1] >= 0
        turn = math.atan2(x * polygon[k, 0] - y * polygon[k, 1], x * polygon[k, 1] + y * polygon[k, 0])
        low, high = min(low, turn), max(high, turn)
    return low, high, inside


@jit
def _bin_areas(polygon, n, alpha, width, rings, rooms, areas):
    """Fill `areas` with what a polygon has in common with each ring of a sector; the first and last ring it meets."""
    if width > TURN - 1e-9:
        return _ring_areas(polygon, n, rings, 1.0, areas)
    if width > math.pi:  # all but the wedge between the two ends
        first, last = _ring_areas(polygon, n, rings, 1.0, areas)
        m = _wedge(polygon, n, alpha + width, alpha + TURN, rooms)
        if m > 2:
            _ring_areas(rooms[1], m, rings, -1.0, areas)
        return first, last
    m = _wedge(polygon, n, alpha, alpha + width, rooms)
    return _ring_areas(rooms[1], m, rings, 1.0, areas) if m > 2 else (0, -1)


@jit
def _corners(dy, dx, matrix, turns_back, polygon):
    """Fill `polygon` with the corners of a pixel in the undistorted frame, from +x to +y whatever the matrix does."""
    for k in range(4):
        c = 3 - k if turns_back else k
        oy, ox = dy + (-0.5 if c < 2 else 0.5), dx + (0.5 if c == 1 or c == 2 else -0.5)
        polygon[k, 0] = matrix[0, 0] * oy + matrix[0, 1] * ox
        polygon[k, 1] = matrix[1, 0] * oy + matrix[1, 1] * ox


@jit
def shares_by_area(shape, center, matrix, rings, sectors, keep):
    """Bins, pixels and weights of a frame whose pixels are shared by the areas that they have in common with the bins.

    Parameters and results are those of `polar_place.shares_by_place`; a weight is a fraction of the pixel's area.
    """
    ky, kx = shape
    n_sectors, start, width = int(sectors[2]), sectors[0], sectors[1]
    det = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    size = 8 * ky * kx + 8
    bins, pixels, weights = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size)
    areas, polygon, rooms = np.zeros(int(rings[2])), np.empty((4, 2)), np.empty((2, 12, 2))
    count = 0
    for p in range(ky * kx):
        if keep.size > 0 and keep[p] == 0:
            continue
        dy, dx = p // kx - center[0], p % kx - center[1]
        _corners(dy, dx, matrix, det < 0, polygon)
        low, high, base, turns = 0.0, 0.0, 0.0, 1
        if width <= math.pi:
            y, x = matrix[0, 0] * dy + matrix[0, 1] * dx, matrix[1, 0] * dy + matrix[1, 1] * dx
            low, high, inside = _span(polygon, 4, y, x)
            base = (math.atan2(y, x) - start) % TURN
            if inside:
                low, high, base = 0.0, TURN, 0.0
            else:  # azimuths are known up to a turn, and a range may end just before it begins
                turns, base = 3, base - TURN
        for _turn in range(turns):
            first_sector = max(math.floor((base + low) / width), 0)
            last_sector = min(math.floor((base + high) / width), n_sectors - 1)
            for sector in range(first_sector, last_sector + 1):
                first, last = _bin_areas(polygon, 4, start + sector * width, width, rings, rooms, areas)
                for ring in range(first, last + 1):
                    weight = areas[ring] / abs(det)
                    areas[ring] = 0
                    if weight > SMALLEST:
                        if count == bins.size:
                            bins, pixels, weights = grown(bins), grown(pixels), grown(weights)
                        bins[count], pixels[count], weights[count] = ring * n_sectors + sector, p, weight
                        count += 1
            base += TURN
    return bins[:count], pixels[:count], weights[:count]
