"""Orientations from spots: every pair of a measured and an expected spot of one radius votes for a turn.

After C. Ophus et al., Microscopy and Microanalysis 28 (2022) 390, doi 10.1017/S1431927622000101, where patterns are
compared ring by ring; a ring with few spots needs no Fourier transform.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.orientation_candidates import add_candidates, ascending, best_templates

MIN_SPOTS = 3
"""With fewer, no orientation is told."""


@jit_fast
def vote(template, templates, radius, angle, weight, n, tolerance, row, padded):
    """Fill `row` [angles] with the likeness of n spots to a template turned by each angle, ``k * 2π / angles``.

    Spots and template are sorted by radius. A pair ``(r, φ), (ρ, ψ)`` adds ``w v (1 - d²/tolerance²)`` at φ - ψ and
    about it, as far as ``d² = (r - ρ)² + r ρ Δ²`` is less than ``tolerance²``. `padded` is scratch, twice as long.
    """
    size = row.size
    reach = size // 2
    padded[:] = 0
    per_bin = 2 * np.pi / size
    square = tolerance * tolerance
    first = 0
    for j in range(templates.offsets[template], templates.offsets[template + 1]):
        rho, psi, v = templates.radius[j], templates.angle[j], templates.weight[j]
        while first < n and radius[first] < rho - tolerance:
            first += 1
        i = first
        while i < n and radius[i] <= rho + tolerance:
            apart = radius[i] - rho
            left = 1 - apart * apart / square
            per_square = radius[i] * rho * per_bin * per_bin / square
            if left > 0:
                centre = (angle[i] - psi) / per_bin
                centre -= size * np.floor(centre / size)
                wide = min(np.sqrt(left / per_square), reach - 1.0)
                strength = weight[i] * v
                start = int(np.ceil(centre - wide)) + reach
                stop = int(np.floor(centre + wide)) + reach
                for k in range(start, stop + 1):
                    offset = k - reach - centre
                    padded[k] += strength * (left - per_square * offset * offset)
            i += 1
    for k in range(size):
        row[k] = padded[k + reach]
    for k in range(reach):
        row[size - reach + k] += padded[k]
        row[k] += padded[k + reach + size]


@jit
def candidates_of_vectors(offsets, x, y, weight, templates, tolerance, n_angles, scores, angles, numbers, counts):
    """Fill `scores`, `angles` and `numbers` [n, m] with the templates that fit best to n patterns; `counts` [n] them.

    Spots of pattern i are ``offsets[i]:offsets[i + 1]`` at `x`, `y` in 1/Å, with weights whose squares sum to 1. Those
    of fewer than `MIN_SPOTS` have no candidates. Angles are rad.
    """
    longest = 0
    for i in range(counts.size):
        longest = max(longest, offsets[i + 1] - offsets[i])
    radius, angle = np.empty(longest, np.float32), np.empty(longest, np.float32)
    strength, squares = np.empty(longest, np.float32), np.empty(longest)
    order = np.empty(longest, np.int64)
    n_templates = templates.phase.size
    best = np.empty(n_templates, np.float32)
    row, padded = np.empty(n_angles, np.float32), np.empty(2 * n_angles + 2, np.float32)
    tops = np.empty(scores.shape[1] // 2, np.int64)
    for frame in range(counts.size):
        first = offsets[frame]
        n = offsets[frame + 1] - first
        counts[frame] = 0
        if n < MIN_SPOTS:
            continue
        for k in range(n):
            squares[k] = x[first + k] * x[first + k] + y[first + k] * y[first + k]
        ascending(squares, n, order)
        for k in range(n):
            one = first + order[k]
            radius[k] = np.sqrt(squares[order[k]])
            angle[k] = np.arctan2(y[one], x[one])
            strength[k] = weight[one]
        n_tops = n_templates
        # All templates, and then those at the top again: one place that calls `vote`, which is long.
        for t in range(n_templates + tops.size):
            template = t
            if t >= n_templates:
                if t == n_templates:
                    n_tops = best_templates(best, templates.neighbours, tops)
                if t - n_templates >= n_tops:
                    break
                template = tops[t - n_templates]
            vote(template, templates, radius, angle, strength, n, tolerance, row, padded)
            if t < n_templates:
                top = row[0]
                for k in range(1, n_angles):
                    top = max(top, row[k])
                best[t] = top
            else:
                counts[frame] = add_candidates(
                    row, template, scores[frame], angles[frame], numbers[frame], counts[frame]
                )
        for k in range(counts[frame]):
            angles[frame, k] *= 2 * np.pi / n_angles
