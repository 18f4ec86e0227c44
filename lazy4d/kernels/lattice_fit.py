"""Two lattice vectors and an origin through the places of each frame: weighted least squares that outliers do not move.

Ragged columns: the places of frame i are the entries ``offsets[i]:offsets[i + 1]`` of `y` and `x`. The places are
``origin + h g1 + k g2``; y and x are fitted by the same three (or, with a given origin, two) terms ``1, h, k``, so that
one small matrix serves both.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit
from lazy4d.kernels.lattice_equations import distances, invert, keep, keep_lattice, middle_of, size_of, solve
from lazy4d.kernels.lattice_growth import grow
from lazy4d.kernels.lattice_index import move_origin

COLUMNS = 15
"""Numbers for each frame: origin, g1, g2 as (y, x); the covariances 00, 01, 02, 11, 12, 22 of their y's (or x's);
the residual, the number of places used, the share of the weight that they have."""

HEAVIEST = 10.0
"""No place weighs more than this many times the median of its frame: beyond, counts say nothing more of its error."""

_ATTEMPTS = 8
_EVEN, _TURN, _WIDE, _FAR = 1, 2, 4, 8
_ORDER = (0, _TURN, _EVEN, _WIDE, _EVEN | _TURN, _EVEN | _WIDE, _FAR, _FAR | _EVEN)
"""How a fit is begun, one way after the other until one explains the places: see `fit_frames`."""


@jit
def resist(y, x, start, first, tiny, lattice, inverse, h, k, weights, counted, slopes, off, sorted_off):
    """Fit `lattice` again so that places far from it lose their weight; `counted` gets the weights that are left.

    `counted` holds the weights to begin with. `slopes` gets how the weighted residuals change with the residuals, on
    average over directions: ``w (1 - u²)(1 - 3 u²)``, u the residual over ``4.685 s``. False if there is no such
    lattice.

    Notes
    -----
    From the least sum of distances (weights divided by the distance) to Tukey's biweight, ``(1 - (r / 4.685 s)²)²``.
    The scale s is that of a normal distribution along y and x, whose median distance is ``s √(2 ln 2)``, and larger by
    ``1 + 5 / (n - 3)`` as few places are fitted better than they are (P. J. Rousseeuw & A. M. Leroy, Robust Regression
    and Outlier Detection, 1987, doi 10.1002/0471725382).
    """
    count = 0
    for i in range(h.size):
        if weights[i] > 0:
            count += 1
    if count <= 4 - first:
        keep(weights, counted)
        keep(weights, slopes)
        return solve(y, x, h, k, counted, start, first, 0.0, lattice, inverse)
    keep(counted, slopes)
    for _ in range(8):
        distances(y, x, start, h, k, lattice, off)
        for i in range(h.size):
            counted[i] = slopes[i] / max(off[i], 1e4 * tiny) if weights[i] > 0 else 0.0
        if not solve(y, x, h, k, counted, start, first, 0.0, lattice, inverse):
            return False
    scale = 0.0
    for step in range(20):
        distances(y, x, start, h, k, lattice, off)
        if step < 10:  # then it stays, so that what follows converges
            number = 0
            for i in range(h.size):
                if weights[i] > 0:
                    sorted_off[number] = off[i]
                    number += 1
            scale = max(middle_of(sorted_off, number) * 0.8493 * (1 + 5 / (number - 3 + first)), tiny)
        moved = 0.0
        for i in range(h.size):
            part = 1 - (off[i] / (4.685 * scale)) ** 2
            if not (weights[i] > 0 and part > 0):
                part = 0.0
            new = weights[i] * part * part
            slopes[i] = weights[i] * part * (3 * part - 2)
            moved = max(moved, abs(new - counted[i]) / weights[i] if weights[i] > 0 else 0.0)
            counted[i] = new
        if not solve(y, x, h, k, counted, start, first, 0.0, lattice, inverse):
            return False
        if step and moved < 1e-6:
            break
    return True


@jit
def covariance(y, x, start, h, k, weights, slopes, first, error, lattice, inverse, out):
    """Fill `out` [3, 3] with the covariance of the fitted origin, g1 and g2, of one coordinate of them.

    Notes
    -----
    ``N⁻¹ (Σ w² s² a aᵀ) N⁻¹`` with the terms a of each place and ``N = Σ w a aᵀ``. Either s is the given error of a
    place along y or x; or, where that is 0, the residuals r tell: ``s² = |r|² / 2 (1 - l)`` with the place's leverage
    ``l = w aᵀ N⁻¹ a`` (J. G. MacKinnon & H. White, J. Econometrics 29, 305 (1985), doi 10.1016/0304-4076(85)90158-7,
    estimator HC2), which is right whether or not the weights tell the errors, and N has the slopes for w, as for any
    M-estimate (P. J. Huber, Ann. Statist. 1, 799 (1973), doi 10.1214/aos/1176342503).
    """
    matrix = np.zeros((3, 3))
    for i in range(h.size):
        if weights[i] > 0:
            w = weights[i] if error > 0 else slopes[i]
            matrix[0, 0] += w
            matrix[1, 0] += w * h[i]
            matrix[2, 0] += w * k[i]
            matrix[1, 1] += w * h[i] * h[i]
            matrix[2, 1] += w * h[i] * k[i]
            matrix[2, 2] += w * k[i] * k[i]
    if not invert(matrix, first, inverse):
        for a in range(3):
            for b in range(3):
                out[a, b] = np.nan
        return
    middle = np.zeros((3, 3))
    terms = np.empty(3)
    for i in range(h.size):
        w = weights[i]
        if not w > 0:
            continue
        terms[0], terms[1], terms[2] = 1.0, h[i], k[i]
        square = error * error
        if not error > 0:
            leverage = 0.0
            for a in range(first, 3):
                for b in range(first, 3):
                    leverage += w * terms[a] * inverse[a, b] * terms[b]
            off_y = y[start + i] - lattice[0, 0] - h[i] * lattice[1, 0] - k[i] * lattice[2, 0]
            off_x = x[start + i] - lattice[0, 1] - h[i] * lattice[1, 1] - k[i] * lattice[2, 1]
            square = (off_y * off_y + off_x * off_x) / (2 * (1 - leverage)) if leverage < 1 - 1e-9 else np.nan
        for a in range(first, 3):
            for b in range(first, 3):
                middle[a, b] += w * w * square * terms[a] * terms[b]
    for a in range(3):
        for b in range(3):
            total = 0.0
            for c in range(first, 3):
                for d in range(first, 3):
                    total += inverse[a, c] * middle[c, d] * inverse[d, b]
            out[a, b] = total


@jit
def bound_weights(given, start, weights, work):
    """Fill `weights` with those of a frame's places, none above `HEAVIEST` times their median; their sum and number."""
    number = 0
    for i in range(weights.size):
        if given[start + i] > 0:
            work[number] = given[start + i]
            number += 1
    heaviest = HEAVIEST * middle_of(work, number) if number else 0.0
    total = 0.0
    for i in range(weights.size):
        weights[i] = min(given[start + i], heaviest) if given[start + i] > 0 else 0.0
        total += weights[i]
    return total, number


@jit
def enough(weights, fewest):
    """Whether as many places have a weight."""
    number = 0
    for i in range(weights.size):
        if weights[i] > 0:
            number += 1
    return number >= fewest


@jit
def farthest_of(weights, off):
    """The largest distance of the places that have a weight."""
    largest = 0.0
    for i in range(weights.size):
        if weights[i] > 0:
            largest = max(largest, off[i])
    return largest


@jit
def fit_frames(offsets, y, x, given, starts, free, fixed, farthest, fewest, least, robust, error, out):
    """Fill `out` with a lattice for each frame, NaN where its places do not determine one.

    Parameters
    ----------
    offsets, y, x : ndarray
        Ragged places; those that are not finite do not count.
    given : float64 [total]
        Weights in the normal equations; places with 0 or less, or nan, do not count, and none more than `HEAVIEST`
        times the median of its frame.
    starts : float64 [n, 3, 2]
        A lattice for each frame to start from: origin, g1, g2 as rows (y, x); reduced.
    free : bool
        Whether the origin may be anywhere: it is first moved to where the places say it is.
    fixed : bool
        Whether the origin is the one given.
    farthest : float
        From a lattice point, for a place to be indexed as that.
    fewest : int
        Places that must be used.
    least : float
        Share of the places, by number or by weight, that must be used.
    robust : bool
        Whether places far from the others' lattice lose their weight; where fewer than `fewest` would be left, none
        does, if all are within a quarter of `farthest`.
    error : float
        Standard deviation of a place along y or x, for the covariance; 0: from the residuals.
    out : float64 [n, 15]
        See `COLUMNS`; the residual is the root of the mean square distance between the places used and their lattice
        points, the share the weight of the places used over that of all.

    Notes
    -----
    A fit is begun in several ways, until one puts most places within a sixteenth of a cell of its points, or else the
    one that explains most is taken: with all weights alike, so that one heavy stray cannot lead all of them; turning
    and scaling as a whole until places along both vectors are seen, as a thin cell that is turned needs; following
    places that are almost half a cell off, as one that is sheared needs; beginning with many places.
    """
    most = 0
    for n in range(offsets.size - 1):
        most = max(most, offsets[n + 1] - offsets[n])
    all_h, all_k, all_weights, all_counted = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    all_off, all_slopes, all_bounded, sorted_off = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    best_h, best_k, best_counted, best_slopes = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    even = np.ones(most)
    lattice, begun, tried = np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2))
    inverse, spread = np.empty((3, 3)), np.empty((3, 3))
    first = 1 if fixed else 0
    for n in range(offsets.size - 1):
        for a in range(COLUMNS):
            out[n, a] = np.nan
        out[n, 13] = 0.0
        start, count = offsets[n], offsets[n + 1] - offsets[n]
        keep_lattice(starts[n], lattice)
        if count < fewest or not math.isfinite(size_of(lattice)):
            continue
        h, k, weights, counted = all_h[:count], all_k[:count], all_weights[:count], all_counted[:count]
        off, slopes, bounded = all_off[:count], all_slopes[:count], all_bounded[:count]
        size = size_of(lattice)
        longest = max(math.hypot(lattice[1, 0], lattice[1, 1]), math.hypot(lattice[2, 0], lattice[2, 1]))
        shortest = min(math.hypot(lattice[1, 0], lattice[1, 1]), math.hypot(lattice[2, 0], lattice[2, 1]))
        keep_lattice(lattice, begun)  # its origin still where it was given
        total, present = bound_weights(given, start, bounded, sorted_off)
        for i in range(count):
            even[i] = 1.0 if bounded[i] > 0 else 0.0
        most_fits = -1.0
        for attempt in range(_ATTEMPTS):
            way = _ORDER[attempt]
            if way & (_TURN | _WIDE) and longest < 1.5 * shortest:
                continue
            keep_lattice(begun, tried)
            for i in range(count):
                weights[i] = -1.0
            begin = even[:count] if way & _EVEN else bounded
            if free:
                move_origin(y, x, begin, start, start + count, not way & _FAR, tried)
            radius = 4.0 * longest if way & _FAR else 1.6 * shortest
            near = 0.45 if way & _WIDE else min(farthest / shortest, 0.45)
            whole = 1.2 * longest if way & _TURN else 0.0
            if not grow(y, x, start, begin, farthest, near, radius, whole, first, tried, inverse, h, k, weights):
                continue
            for i in range(count):
                counted[i] = weights[i]
                weights[i] = bounded[i] if weights[i] > 0 else 0.0
                slopes[i] = weights[i]
            if not robust:
                keep(weights, counted)
                if not solve(y, x, h, k, counted, start, first, 0.0, tried, inverse):
                    continue
            else:
                if not resist(
                    y, x, start, first, 1e-7 * size, tried, inverse, h, k, weights, counted, slopes, off, sorted_off
                ):
                    for i in range(count):
                        counted[i] = 0.0
                if not enough(counted, fewest):  # of so few, chance sets one aside now and then
                    solve(y, x, h, k, weights, start, first, 0.0, tried, inverse)
                    distances(y, x, start, h, k, tried, off)
                    if enough(weights, fewest) and farthest_of(weights, off) <= 0.25 * farthest:
                        keep(weights, counted)
                        keep(weights, slopes)
                if not enough(counted, 1):
                    continue
            distances(y, x, start, h, k, tried, off)
            fits, number = 0.0, 0.0
            for i in range(count):
                part = 1 - (off[i] / (0.25 * farthest)) ** 2
                if weights[i] > 0 and part > 0:
                    fits += weights[i] * part * part
                    number += part * part
            fits *= number  # neither one heavy stray nor many light ones are to decide alone
            if fits > most_fits * (1.001 if attempt else 1):
                most_fits = fits
                keep_lattice(tried, lattice)
                keep(h, best_h)
                keep(k, best_k)
                keep(counted, best_counted)
                keep(slopes, best_slopes)
            if fits > 0.7 * total * present:
                break
        if most_fits < 0:
            continue
        h, k = best_h[:count], best_k[:count]
        counted, slopes = best_counted[:count], best_slopes[:count]
        distances(y, x, start, h, k, lattice, off)
        used, kept, square = 0, 0.0, 0.0
        for i in range(count):
            if counted[i] > 0:
                used += 1
                kept += bounded[i]
                square += off[i] * off[i]
        out[n, 13] = used
        out[n, 14] = kept / total
        if used < fewest or used < 3 - first or max(kept / total, used / present) < least:
            continue
        covariance(y, x, start, h, k, counted, slopes, first, error, lattice, inverse, spread)
        for a in range(3):
            out[n, 2 * a], out[n, 2 * a + 1] = lattice[a, 0], lattice[a, 1]
        out[n, 6], out[n, 7], out[n, 8] = spread[0, 0], spread[0, 1], spread[0, 2]
        out[n, 9], out[n, 10], out[n, 11] = spread[1, 1], spread[1, 2], spread[2, 2]
        out[n, 12] = math.sqrt(square / used)
