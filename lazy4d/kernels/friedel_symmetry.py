"""How symmetric a prepared frame is about one place, and the way uphill from there to the most symmetric one."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit, jit_fast

ENOUGH = 4.0
"""Evidence for symmetry, in standard deviations of chance, that a centre needs; see `strongest`."""

LEAST_EVIDENCE = 0.5
"""Share of the strongest evidence that is enough where there is little."""

PREFERENCE = 0.1
"""How much more evidence weighs against a better score: by this share at the most; nearly equal ones are told apart."""

LEAST_SPREAD = 1e-5
"""Share of the squared sum that the variance in an overlap needs; sums of a row in 32 bits hold less."""

PATCH = 4
"""Steps that the maximum may be away from where the coarser level put it."""


@jit
def _value(pixel, threshold, background, root):
    """A pixel above background, 0 where it is not above the threshold, or the square root of that."""
    value = np.float64(pixel) - background
    if value <= threshold:
        value = 0.0
    if root:
        value = np.sqrt(max(value, 0.0))
    return value


@jit_fast
def standardised(frame, y0, x0, weights, threshold, background, root, f):
    """Fill `f` with the window's pixels less their mean over their deviation, 0 where they do not count.

    Gives False, and zeros, where there is nothing to correlate: an empty or constant window, or nan in it.
    """
    h, w = weights.shape
    total, count = 0.0, 0.0
    for y in range(h):
        pixels, keep = frame[y0 + y][x0 : x0 + w], weights[y]
        for k in range(w):
            value = _value(pixels[k], threshold, background, root)
            total += value if keep[k] != 0 else 0.0
            count += keep[k]
    mean = total / count
    spread = 0.0
    for y in range(h):
        pixels, keep = frame[y0 + y][x0 : x0 + w], weights[y]
        for k in range(w):
            value = _value(pixels[k], threshold, background, root) - mean
            spread += value * value if keep[k] != 0 else 0.0
    deviation = np.sqrt(spread / count)
    good = deviation > 1e-12 * abs(mean) and deviation < np.inf
    scale = 1 / deviation if good else 0.0
    for y in range(h):
        pixels, keep, row = frame[y0 + y][x0 : x0 + w], weights[y], f[y]
        for k in range(w):
            value = (_value(pixels[k], threshold, background, root) - mean) * scale
            row[k] = value if good and keep[k] != 0 else 0.0
    return good


@jit_fast
def smoothed(f, shares, out):
    """Fill `out` with `f` averaged by 1 2 1 along y and x, times `shares`, which make up for pixels not there."""
    h, w = f.shape
    lines = np.zeros(w + 2, np.float32)
    inner = lines[1 : w + 1]
    two = np.float32(2)
    for y in range(h):
        middle, above, below = f[y], f[max(y - 1, 0)], f[min(y + 1, h - 1)]
        up = np.float32(1 if y > 0 else 0)
        down = np.float32(1 if y + 1 < h else 0)
        for k in range(w):
            inner[k] = up * above[k] + two * middle[k] + down * below[k]
        row, share, left, right = out[y], shares[y], lines[:w], lines[2:]
        for k in range(w):
            row[k] = (left[k] + two * inner[k] + right[k]) * share[k]


@jit_fast
def binned(f, weights, coarse, coarse_weights):
    """Fill `coarse` with means of 2 × 2 pixels of `f`, each weighted; 0 where none counts."""
    h, w = f.shape
    line = np.zeros(w + w % 2, np.float32)
    inner = line[:w]
    for i in range(coarse.shape[0]):
        below = min(2 * i + 1, h - 1)
        p, q, u, v = f[2 * i], f[below], weights[2 * i], weights[below]
        both = np.float32(1 if below > 2 * i else 0)
        for k in range(w):
            inner[k] = p[k] * u[k] + both * (q[k] * v[k])
        row, total = coarse[i], coarse_weights[i]
        for k in range(row.size):
            row[k] = (line[2 * k] + line[2 * k + 1]) / max(total[k], np.float32(1))


@jit
def strongest(c, a, q, s, pairs):
    """The most symmetric centre (row, column) of the tables that has evidence enough, or (-1, -1).

    Evidence is the covariance over what it would be, in the root mean square, if signs were random: √Σ f² f'². A few
    pixels that happen to agree, or a single hot one, are perfectly symmetric but prove nothing.
    """
    most, variation = 0.0, 0.0
    h, w = pairs.shape
    for y in range(h):
        for x in range(w):
            if pairs[y, x] > 0:
                level = a[y, x] * a[y, x] / pairs[y, x]
                variation = max(variation, q[y, x] - level)
                covariance = c[y, x] - level
                if covariance > 0 and s[y, x] > 0:
                    most = max(most, covariance * covariance / s[y, x])
    needed = min(ENOUGH * ENOUGH, LEAST_EVIDENCE * LEAST_EVIDENCE * most)
    best, row, column = 0.0, -1, -1
    for y in range(h):
        for x in range(w):
            if pairs[y, x] > 0:
                level = a[y, x] * a[y, x] / pairs[y, x]
                own = q[y, x] - level
                covariance = c[y, x] - level
                evidence = covariance * covariance / s[y, x] if covariance > 0 and s[y, x] > 0 else 0.0
                if evidence >= needed and evidence > 0 and own > 1e-9 * variation:
                    score = covariance / own * evidence / (evidence + PREFERENCE * most)
                    if score > best:
                        best, row, column = score, y, x
    return row, column


@jit_fast
def _weighted_sums(f, weights, turned, turned_weights, sy, sx):
    """Give N, A, Q and C at one s; `turned` are f and its weights turned by 180°."""
    h, w = f.shape
    x0, x1 = max(0, sx - w + 1), min(w, sx + 1)
    dy, dx = h - 1 - sy, w - 1 - sx
    n = a = q = c = np.float64(0)
    y = max(0, sy - h + 1)
    while 2 * y <= sy:  # the other half of the overlap is the image of this one
        p, r = f[y][x0:x1], turned[y + dy][x0 + dx : x1 + dx]
        u, v = weights[y][x0:x1], turned_weights[y + dy][x0 + dx : x1 + dx]
        nn = aa = qq = cc = np.float32(0)
        for k in range(p.size):
            both = u[k] * v[k]
            nn += both
            aa += both * (p[k] + r[k])
            qq += both * (p[k] * p[k] + r[k] * r[k])
            cc += both * (p[k] * r[k])
        share = 0.5 if 2 * y == sy else 1.0
        n, a, q, c = n + 2 * share * nn, a + share * aa, q + share * qq, c + 2 * share * cc
        y += 1
    return n, a, q, c


@jit_fast
def _plain_sums(f, turned, sy, sx):
    """Give N, A, Q and C at one s where all pixels count."""
    h, w = f.shape
    x0, x1 = max(0, sx - w + 1), min(w, sx + 1)
    dy, dx = h - 1 - sy, w - 1 - sx
    n = a = q = c = np.float64(0)
    y = max(0, sy - h + 1)
    while 2 * y <= sy:
        p, r = f[y][x0:x1], turned[y + dy][x0 + dx : x1 + dx]
        aa = qq = cc = np.float32(0)
        for k in range(p.size):
            aa += p[k] + r[k]
            qq += p[k] * p[k] + r[k] * r[k]
            cc += p[k] * r[k]
        share = 0.5 if 2 * y == sy else 1.0
        n, a, q, c = n + 2 * share * p.size, a + share * aa, q + share * qq, c + 2 * share * cc
        y += 1
    return n, a, q, c


@jit
def _symmetry(f, weights, turned, turned_weights, plain, sy, sx):
    """The normalised correlation of f with its inversion p -> s - p; -inf where there is none."""
    if sy < 0 or sx < 0 or sy > 2 * f.shape[0] - 2 or sx > 2 * f.shape[1] - 2:
        return -np.inf
    if plain:
        n, a, q, c = _plain_sums(f, turned, sy, sx)
    else:
        n, a, q, c = _weighted_sums(f, weights, turned, turned_weights, sy, sx)
    if n <= 0:
        return -np.inf
    own = q - a * a / n
    return (c - a * a / n) / own if own > LEAST_SPREAD * q else -np.inf


@jit
def climb(f, weights, turned_weights, plain, turned, middle, reach, s, known):
    """Follow the symmetry uphill from s, which becomes the maximum, at most `reach` away from `middle`.

    `known` [2 PATCH + 3, 2 PATCH + 3] is filled with the values about the first s, nan where none was needed; gives the
    row and column of the maximum in it.
    """
    h, w = f.shape
    for y in range(h):
        for x in range(w):
            turned[h - 1 - y, w - 1 - x] = f[y, x]
    last = 2 * PATCH + 2
    for j in range(last + 1):
        for i in range(last + 1):
            known[j, i] = np.nan
    row = column = PATCH + 1
    top, left = s[0] - row, s[1] - column
    while True:
        for j in range(row - 1, row + 2):
            for i in range(column - 1, column + 2):
                if np.isnan(known[j, i]):
                    known[j, i] = _symmetry(f, weights, turned, turned_weights, plain, top + j, left + i)
        best_row, best_column = row, column
        for j in range(row - 1, row + 2):
            for i in range(column - 1, column + 2):
                y, x = top + j - middle[0], left + i - middle[1]
                if known[j, i] > known[best_row, best_column] and y * y + x * x <= reach * reach:
                    best_row, best_column = j, i
        still = best_row == row and best_column == column
        if still or min(best_row, best_column) == 0 or max(best_row, best_column) == last:
            break
        row, column = best_row, best_column
    s[0], s[1] = top + row, left + column
    return row, column
