"""From the likeness of a pattern to every template to the few orientations that are worth telling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit
from lazy4d.kernels.orientation import Pattern, refine, same, take

WORTH = 0.75
"""Templates that fit less than this share of the best are not refined, once there are answers enough."""


class Templates(NamedTuple):
    """Spots of simulated patterns, one a direction of the beam; those of template t are ``offsets[t]:offsets[t + 1]``.

    Parameters
    ----------
    offsets : int64 [templates + 1]
        Where each template begins.
    radius, angle, weight : float32 [spots]
        1/Å, ascending within a template; rad; weights, the sum of whose squares is 1 in each template.
    orientation : float64 [templates, 4]
        Quaternions.
    phase : int64 [templates]
        Number of the crystal.
    neighbours : int32 [templates, k]
        Numbers of the templates of nearest directions; itself where there are fewer.
    """

    offsets: NDArray[np.int64]
    radius: NDArray[np.float32]
    angle: NDArray[np.float32]
    weight: NDArray[np.float32]
    orientation: NDArray[np.float64]
    phase: NDArray[np.int64]
    neighbours: NDArray[np.int32]


@jit
def ascending(values, n, order):
    """Fill `order` [n] with the numbers of the first n values from the smallest to the largest, equal ones in order."""
    for k in range(n):
        place = k
        while place > 0 and values[order[place - 1]] > values[k]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = k


@jit
def best_templates(scores, neighbours, found):
    """Those that score at least as much as all their neighbours, best first: their number; `found` [m] them."""
    n = 0
    for t in range(scores.size):
        score = scores[t]
        if not score > 0 or (n == found.size and score <= scores[found[n - 1]]):
            continue
        is_top = True
        for k in range(neighbours.shape[1]):
            other = neighbours[t, k]
            if scores[other] > score or (scores[other] == score and other < t):
                is_top = False
                break
        if not is_top:
            continue
        if n < found.size:
            n += 1
        k = n - 1
        while k > 0 and scores[found[k - 1]] < score:
            found[k] = found[k - 1]
            k -= 1
        found[k] = t
    return n


@jit
def row_maximum(row):
    """The largest value of a row that goes around, and where it is: by a parabola, in bins."""
    n = row.size
    at = 0
    for k in range(1, n):
        if row[k] > row[at]:
            at = k
    before, here, after = row[at - 1], row[at], row[(at + 1) % n]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return here, at + min(max(shift, -0.5), 0.5)


@jit
def add_candidates(row, template, scores, places, templates, n):
    """Note the two highest maxima of a row, if they are more than a twelfth of a turn apart: the number of candidates.

    Patterns often look the same after half a turn.
    """
    score, place = row_maximum(row)
    if not score > 0 or n >= scores.size:
        return n
    scores[n], places[n], templates[n] = score, place, template
    n += 1
    size = row.size
    centre, away = int(place + 0.5), size // 12
    second = -1
    for k in range(centre + away, centre + size - away):
        here = row[k % size]
        if here >= row[(k - 1) % size] and here > row[(k + 1) % size] and (second < 0 or here > row[second]):
            second = k % size
    if second >= 0 and n < scores.size and row[second] > 0:
        scores[n], places[n], templates[n] = row[second], second, template
        n += 1
    return n


@jit
def choose(
    scores, angles, numbers, counts, offsets, x, y, weight, images, geometry, templates, crystals, beam, search, out
):
    """Fill `out` [n, n_best, 6], (w, x, y, z, score, phase), with the best of each pattern's candidates, refined.

    The candidates of pattern i are ``counts[i]`` templates, ``numbers[i]``, turned by ``angles[i]``, rad, with
    ``scores[i]``; all are [n, m], `scores` is overwritten. The pattern is spots ``offsets[i]:offsets[i + 1]`` of `x`,
    `y`, `weight`, or ``images[i]`` where these are not empty; see `Pattern`. Of candidates that are one orientation,
    but for the separation, the better is kept. NaN behind the last.
    """
    order = np.empty(scores.shape[1], np.int64)
    found = np.empty((scores.shape[1], 6))
    chosen = np.empty(crystals.weight.size, np.int64)
    q = np.empty(4)
    closest = np.cos(search.separation / 2)
    for frame in range(out.shape[0]):
        n = counts[frame]
        start, stop = offsets[frame], offsets[frame + 1]
        pattern = Pattern(x[start:stop], y[start:stop], weight[start:stop], images[frame % images.shape[0]], geometry)
        for k in range(n):
            scores[frame, k] = -scores[frame, k]
        ascending(scores[frame], n, order)
        kept = 0
        for k in range(min(n, search.candidates)):
            one = order[k]
            if kept >= out.shape[1] and scores[frame, one] > WORTH * scores[frame, order[0]]:  # they are negative
                break
            template = numbers[frame, one]
            phase = templates.phase[template]
            half = angles[frame, one] / 2
            w, z = np.cos(half), -np.sin(half)  # the crystal turns with its pattern
            a, b, c, d = templates.orientation[template]
            q[0], q[1], q[2], q[3] = a * w - d * z, b * w + c * z, c * w - b * z, a * z + d * w
            score = -scores[frame, one]
            if search.rounds and crystals.offsets[phase + 1] > crystals.offsets[phase]:
                score = refine(q, phase, crystals, beam, search, search.turn, pattern, chosen)
            place = kept
            for other in range(kept):
                if int(found[other, 5]) == phase and same(q, found[other], phase, crystals, closest):
                    place = other
                    break
            if place < kept and found[place, 4] >= score:
                continue
            if place == kept:
                kept += 1
            while place > 0 and found[place - 1, 4] < score:
                take(found[place - 1], found[place])
                place -= 1
            length = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
            for i in range(4):
                found[place, i] = q[i] / length
            found[place, 4], found[place, 5] = score, phase
        for k in range(out.shape[1]):
            for i in range(6):
                out[frame, k, i] = found[k, i] if k < kept else np.nan
