"""Orientations from patterns in polar coordinates: templates turn by moving along the azimuth.

After N. Cautaerts et al., Ultramicroscopy 237 (2022) 113517, doi 10.1016/j.ultramic.2022.113517: a template is a few
spots, so that its likeness to a pattern at all angles is a sum of a few rows of the pattern, moved.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.orientation_candidates import add_candidates, best_templates


@jit_fast
def prepare(frame, geometry, radius, power, radial_power, k_min, k_max, contrast, sums, image):
    """Fill `image` [rows, 2 * columns] with what a disk of `radius` would find at each place, twice around.

    The frame [rows, columns] to a `power`, less the mean of each ring where `contrast` says so, times
    ``k ** radial_power``, averaged over the disk. The whole is divided by what makes a pattern of nothing but such
    disks one of norm 1. Bins of nan count nothing. `sums` [rows, columns + 1] is scratch. False where there is nothing.
    """
    rows, columns = frame.shape
    first, step, _, turn = geometry[0], geometry[1], geometry[2], geometry[3]
    for i in range(rows):
        k = first + i * step
        total = 0.0
        known = 0
        for j in range(columns):
            value = frame[i, j]
            if np.isfinite(value):
                known += 1
                if value > 0:
                    total += value**power
        mean = total / known if known and contrast else 0.0
        scale = k**radial_power if k_min - radius <= k <= k_max + radius and k > 0 else 0.0
        sums[i, 0] = 0
        for j in range(columns):
            value = frame[i, j]
            there = 0.0
            if np.isfinite(value):
                there = scale * ((value**power if value > 0 else 0.0) - mean)
            sums[i, j + 1] = sums[i, j] + there
    norm = 0.0
    near = int(radius / abs(step))
    for i in range(rows):
        k = first + i * step
        for j in range(2 * columns):
            image[i, j] = 0
        if k <= 0:
            continue
        area = 0.0
        for other in range(max(i - near, 0), min(i + near + 1, rows)):
            apart = (other - i) * step
            half = min(np.sqrt(max(radius * radius - apart * apart, 0.0)) / (k * abs(turn)), 0.5 * columns - 1)
            half = max(half, 0.5)
            area += 2 * half
            whole = sums[other, columns]
            # The ends of the chord, counted from the edge of bin 0: bin j covers j to j + 1 and its centre is j + 1/2.
            for j in range(columns):
                low, high = j + 0.5 - half, j + 0.5 + half
                below, above = int(np.floor(low)), int(np.floor(high))
                t, u = low - below, high - above
                extra = 0.0
                if below < 0:
                    below += columns
                    extra += whole
                if above >= columns:
                    above -= columns
                    extra += whole
                start = (1 - t) * sums[other, below] + t * sums[other, below + 1]
                stop = (1 - u) * sums[other, above] + u * sums[other, above + 1]
                image[i, j] += stop - start + extra
        for j in range(columns):
            image[i, j] /= area
            norm += k * image[i, j] * (sums[i, j + 1] - sums[i, j])
    norm *= abs(step * turn) / (np.pi * radius * radius)
    if not norm > 0:
        return False
    scale = 1 / np.sqrt(norm)
    for i in range(rows):
        for j in range(columns):
            image[i, j] *= scale
            image[i, j + columns] = image[i, j]
    return True


@jit_fast
def turned(begin, end, spot_row, spot_column, weight, image, row):
    """Fill `row` [columns] with the likeness of an image to the spots ``begin:end``, turned by 0, 1, … columns."""
    n = row.size
    row[:] = 0
    for spot in range(begin, end):
        if spot_row[spot] >= 0:
            line = image[spot_row[spot], spot_column[spot] : spot_column[spot] + n]
            v = weight[spot]
            for k in range(n):
                row[k] += v * line[k]


@jit
def candidates_of_polar(
    frames, geometry, radius, radial_power, contrast, templates, beam, images, scores, angles, numbers, counts
):
    """Fill `scores`, `angles` and `numbers` [n, m] with the templates that fit best to n patterns; `counts` [n] them.

    Fills also ``images`` [n, rows, 2 * columns], see `prepare`. `geometry` is that of `Pattern`: k of the first row in
    1/Å and from row to row, azimuth of the first column in rad and from column to column, once around. Disks have
    `radius`, 1/Å. Frames of nothing have no candidates. Angles are rad.
    """
    rows, columns = frames.shape[1], frames.shape[2]
    sums = np.empty((rows, columns + 1))
    spot_row = np.empty(templates.radius.size, np.int32)
    spot_column = np.empty(templates.radius.size, np.int32)
    for spot in range(spot_row.size):
        row_number = int(np.round((templates.radius[spot] - geometry[0]) / geometry[1]))
        spot_row[spot] = row_number if 0 <= row_number < rows else -1
        spot_column[spot] = int(np.round((templates.angle[spot] - geometry[2]) / geometry[3])) % columns
    offsets = templates.offsets
    n_templates = templates.phase.size
    best, row = np.empty(n_templates, np.float32), np.empty(columns, np.float32)
    tops = np.empty(scores.shape[1] // 2, np.int64)
    for frame in range(counts.size):
        counts[frame] = 0
        image = images[frame]
        if not prepare(
            frames[frame], geometry, radius, beam.power, radial_power, beam.k_min, beam.k_max, contrast, sums, image
        ):
            continue
        for t in range(n_templates):
            turned(offsets[t], offsets[t + 1], spot_row, spot_column, templates.weight, image, row)
            top = row[0]
            for k in range(1, columns):
                top = max(top, row[k])
            best[t] = top
        n_tops = best_templates(best, templates.neighbours, tops)
        for k in range(n_tops):
            t = tops[k]
            turned(offsets[t], offsets[t + 1], spot_row, spot_column, templates.weight, image, row)
            counts[frame] = add_candidates(row, t, scores[frame], angles[frame], numbers[frame], counts[frame])
        for k in range(counts[frame]):
            angles[frame, k] *= geometry[3]
