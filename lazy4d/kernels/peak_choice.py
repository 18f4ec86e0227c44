"""Which maxima of a correlation image are disks: from the highest down, with a reason for each one that is refused."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.peak_score import Picture, score_at
from lazy4d.kernels.peaks import heap_up, local_maxima, stands_out, take_highest

ACCEPTED, NOISE, UNLIKE, WEAK, CLOSE, BEYOND, FLAT, HIDDEN = range(8)
REASONS = {
    ACCEPTED: "accepted",
    NOISE: "no more significant than noise",
    UNLIKE: "score below the threshold",
    WEAK: "height below the threshold",
    CLOSE: "too close to a higher one",
    BEYOND: "beyond max_peaks",
    FLAT: "prominence below the threshold",
    HIDDEN: "too little of it is seen",
}
"""What a verdict means, by its number."""


class Rules(NamedTuple):
    """What a maximum has to be to be accepted.

    Parameters
    ----------
    score : float
        Least score; -inf where it does not matter.
    likeness : float
        Least score as a share of what the noise about the place would leave a perfect match.
    significance : float
        Least number of standard errors above the surroundings.
    floor : float
        Heights at or below it are no maxima at all.
    relative : float
        Least height as a share of that of the accepted maximum number `reference`.
    reference : int
        Counted from 1, the highest.
    distance : float
        Least distance from any accepted one, pixels.
    prominence : float
        Least prominence; 0 where it does not matter.
    most : int
        How many are accepted, at most.
    scored : bool
        Whether scores are computed at all.
    """

    score: float
    likeness: float
    significance: float
    floor: float
    relative: float
    reference: int
    distance: float
    prominence: float
    most: int
    scored: bool


class Cells(NamedTuple):
    """Sums of pixels over cells, which tell cheaply that a place is too uneven for what stands there to be significant.

    Parameters
    ----------
    size : int
        Pixels along the side of a cell; 0 where every place is looked at closely.
    runs : ndarray of int64 [size * size, m, 3]
        Cells that a template compares whole, counted from the cell of its middle, for each place of that in the cell:
        row, first column, column behind the last one. Empty runs make m the same for all.
    sums, squares : ndarray of float64 [rows, columns + 1]
        Room for running sums, along rows, of the sums over cells of pixels and of their squares.
    lines : ndarray of float64 [2, kx]
        Room for a row of each.
    """

    size: int
    runs: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    lines: NDArray[np.float64]


def cells_for(picture: Picture, useful: bool = True) -> Cells:
    """Room for the cells of frames in which a picture is looked for.

    Examples
    --------
    >>> from lazy4d.kernels.peak_score import picture_of
    >>> from lazy4d.kernels.templates import edge_template
    >>> cells = cells_for(picture_of(edge_template(6.0), np.empty((0, 0), np.uint8), (64, 48)))
    >>> cells.size, cells.sums.shape, cells.runs[0].tolist()[:2]
    (2, (32, 25), [[-4, -2, 2], [-3, -3, 3]])
    """
    ky, kx = picture.counts.shape
    cell = max(2, round(math.sqrt(picture.number / math.pi) / 4)) if useful and picture.number > 20 else 0
    if cell == 0:
        return Cells(0, np.empty((1, 1, 3), np.int64), np.empty((0, 1)), np.empty((0, 1)), np.empty((2, kx)))
    found = [_whole_cells(picture.support, cell, at // cell, at % cell) for at in range(cell * cell)]
    runs = np.zeros((len(found), max(map(len, found)), 3), np.int64)
    for at, one in enumerate(found):
        runs[at, : len(one)] = np.reshape(one, (-1, 3))
    shape = ky // cell, kx // cell + 1
    return Cells(cell, runs, np.zeros(shape), np.zeros(shape), np.empty((2, kx)))


def _whole_cells(support: NDArray[np.float64], cell: int, y: int, x: int) -> list[list[int]]:
    """Runs of cells that lie in the support, whose middle is at (y, x) of cell (0, 0)."""
    half, reach = len(support) // 2, len(support) // (2 * cell) + 1
    room = np.zeros(((2 * reach + 1) * cell,) * 2)
    top, left = reach * cell + y - half, reach * cell + x - half
    inside = slice(max(top, 0), top + len(support)), slice(max(left, 0), left + len(support))
    part = room[inside]
    part[:] = support[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    whole = room.reshape(2 * reach + 1, cell, 2 * reach + 1, cell).min(axis=(1, 3)) > 0
    runs = []
    for row, line in enumerate(whole):
        steps = np.diff(np.concatenate([[0], line.astype(np.int8), [0]]))
        for start, stop in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
            runs.append([row - reach, int(start) - reach, int(stop) - reach])
    return runs


@jit_fast
def _add_row(pixels, sums, squares):
    """Add a row of pixels and of their squares to lines of such sums."""
    for k in range(len(pixels)):
        value = np.float64(pixels[k])
        sums[k] += value
        squares[k] += value * value


@jit
def _fold(line, size, sums):
    """Running sums of `size` neighbours of a line each."""
    total = 0.0
    for d in range(len(sums) - 1):
        for k in range(d * size, (d + 1) * size):
            total += line[k]
        sums[d + 1] = total


@jit
def _fill_cells(frame, cells):
    """Sum pixels and their squares over all cells."""
    for c in range(len(cells.sums)):
        cells.lines[:] = 0
        for y in range(c * cells.size, (c + 1) * cells.size):
            _add_row(frame[y], cells.lines[0], cells.lines[1])
        _fold(cells.lines[0], cells.size, cells.sums[c])
        _fold(cells.lines[1], cells.size, cells.squares[c])


@jit
def _least_spread(cells, y, x):
    """A sum of squares about the mean that the pixels compared at (y, x) at least have: that of whole cells of them."""
    size = cells.size
    total, squares, number = 0.0, 0.0, 0
    row, column = y // size, x // size
    runs = cells.runs[(y - row * size) * size + x - column * size]
    most_c, most_d = len(cells.sums) - 1, cells.sums.shape[1] - 1
    for k in range(len(runs)):
        c = row + runs[k, 0]
        first, behind = max(column + runs[k, 1], 0), min(column + runs[k, 2], most_d)
        if 0 <= c <= most_c and behind > first:
            total += cells.sums[c, behind] - cells.sums[c, first]
            squares += cells.squares[c, behind] - cells.squares[c, first]
            number += behind - first
    return squares - total * total / (number * size * size) if number else 0.0


@jit
def _swap(room, verdict, a, b):
    """Exchange two entries."""
    room.place[a], room.place[b] = room.place[b], room.place[a]
    room.height[a], room.height[b] = room.height[b], room.height[a]
    verdict[a], verdict[b] = verdict[b], verdict[a]


@jit
def _put_noise_last(frame, picture, cells, rules, room, verdict, count):
    """Move entries that cannot be significant behind the others, and return how many of these there are.

    The heights have to be those of `template_correlation`: ``score = height √(V₀ / W)``, V₀ the variance of the
    template and W that of the pixels it is compared with, as sums of squares.
    """
    enough = 1 - math.exp(-rules.significance * rules.significance / max(picture.number - 2, 1.0))
    least = max(math.sqrt(max(enough, 0.0)), rules.score)
    if cells.size == 0 or not least > 0:
        return count
    _fill_cells(frame, cells)
    known = picture.squares - picture.total * picture.total / picture.number
    kx = frame.shape[1]
    k = 0
    while k < count:
        y, x = room.place[k] // kx, room.place[k] % kx
        if picture.clear[y, x] != 0:
            if room.height[k] * room.height[k] * known < 0.999 * least * least * _least_spread(cells, y, x):
                verdict[k] = NOISE
                count -= 1
                _swap(room, verdict, k, count)
                continue
        k += 1
    return count


@jit
def choose(frame, image, picture, cells, rules, window, room, verdict, scores, chosen):
    """Choose the disks of a frame among the maxima of an image made of it.

    Parameters
    ----------
    frame : ndarray [ky, kx]
        Pixels, finite.
    image : ndarray [ky, kx]
        What has maxima at the disks, such as the correlation of the frame with a template.
    picture : Picture
        The template, and which pixels count.
    cells : Cells
        Of size 0 unless `image` is what `template_correlation` makes of the frame with the template.
    rules : Rules
        What a maximum has to be.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: only maxima in rows ``[y0, y1)`` and columns ``[x0, x1)`` are candidates.
    room : PeakRoom
        Afterwards its `place` and `height` hold the candidates, those accepted last in no order.
    verdict : ndarray of uint8 [room]
        Filled for each candidate: ACCEPTED, or why it was refused.
    scores : ndarray of float64 [room]
        Filled likewise with its score; nan where it was refused before.
    chosen : ndarray of int32 [capacity]
        Filled with the entries accepted, the highest first.

    Returns
    -------
    found, candidates : int
        How many were accepted, which may be more than there is room for in `chosen`, and of how many.

    Examples
    --------
    >>> from lazy4d.kernels.peaks import peak_room
    >>> from lazy4d.kernels.peak_score import picture_of
    >>> from lazy4d.kernels.templates import edge_template
    >>> frame = np.zeros((16, 18), "f4"); frame[4, 5], frame[10, 12], frame[10, 14] = 3, 9, 8
    >>> picture = picture_of(edge_template(2.0), np.empty((0, 0), np.uint8), frame.shape)
    >>> room, number = peak_room(frame.shape, frame.dtype), 72
    >>> rules = Rules(-np.inf, 0.0, 0.0, 0.0, 0.0, 1, 3.0, 0.0, 10, False)
    >>> verdict, scores, chosen = np.empty(number, np.uint8), np.empty(number), np.empty(5, np.int32)
    >>> window = np.array([0, 16, 0, 18])
    >>> choose(frame, frame, picture, cells_for(picture, False), rules, window, room, verdict, scores, chosen)
    (2, 3)
    >>> room.place[chosen[:2]], [REASONS[k] for k in verdict[:3]]
    (array([192,  77], dtype=int32), ['accepted', 'too close to a higher one', 'accepted'])
    """
    kx = image.shape[1]
    count = local_maxima(image, rules.floor, window, room)
    scores[:count] = np.nan
    left = count
    if rules.scored:
        left = _put_noise_last(frame, picture, cells, rules, room, verdict, count)
    heap_up(room.place, room.height, left)
    found, limit = 0, -np.inf
    near = rules.distance * rules.distance
    while left > 0:
        take_highest(room.place, room.height, left)
        left -= 1
        place, height = room.place[left], room.height[left]
        y, x = place // kx, place % kx
        if found >= rules.most:
            verdict[left] = BEYOND
            continue
        if height < limit:
            verdict[left] = WEAK
            continue
        verdict[left] = ACCEPTED
        for k in range(min(found, len(chosen))):
            other = room.place[chosen[k]]
            dy, dx = other // kx - y, other % kx - x
            if dy * dy + dx * dx < near:
                verdict[left] = CLOSE
                break
        if verdict[left] == ACCEPTED and rules.scored:
            score, significance, best = score_at(frame, picture, y, x)
            scores[left] = score
            if np.isnan(score):
                verdict[left] = HIDDEN
            elif not significance >= rules.significance:
                verdict[left] = NOISE
            elif not (score >= rules.score and score >= rules.likeness * best):
                verdict[left] = UNLIKE
        if verdict[left] == ACCEPTED and rules.prominence > 0:
            if not stands_out(image, place, rules.prominence, room.seen, room.queue):
                verdict[left] = FLAT
        if verdict[left] != ACCEPTED:
            continue
        if found < len(chosen):
            chosen[found] = left
        found += 1
        if found == rules.reference:
            limit = rules.relative * height
    return found, count
