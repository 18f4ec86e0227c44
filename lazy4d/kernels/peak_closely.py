"""What a search for disks sees in one frame: every candidate, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit
from lazy4d.kernels.peak_choice import choose
from lazy4d.kernels.peak_frames import prepare_frames, runs_of_pictures, working_dtype
from lazy4d.kernels.peak_score import score_at
from lazy4d.kernels.peak_vectors import Search


@dataclass(frozen=True, eq=False)
class Closely:
    """What a search sees in one frame, to be looked at.

    Parameters
    ----------
    prepared, image : ndarray [ky, kx]
        The frame as it was searched, 0 where pixels do not count, and what has maxima at the disks.
    counts : ndarray of bool [ky, kx]
        The pixels that count.
    place : ndarray of int64 [m]
        Numbers ``y * kx + x`` of the candidates, the highest first.
    height, score : ndarray of float64 [m]
        Of the candidates; the score is nan where no template is looked for, or too little of it is seen.
    verdict : ndarray of uint8 [m]
        See `peak_choice.REASONS`.
    """

    prepared: NDArray[Any]
    image: NDArray[Any]
    counts: NDArray[np.bool_]
    place: NDArray[np.int64]
    height: NDArray[np.float64]
    score: NDArray[np.float64]
    verdict: NDArray[np.uint8]


def look_closely(frame: NDArray[Any], search: Search, capacity: int) -> Closely:
    """Every candidate of one frame and what became of it, by the same steps as `find_vectors`.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> frame = np.zeros((24, 32), np.uint16); frame[8:13, 10:15], frame[11:16, 14:19] = 9, 4
    >>> from lazy4d.kernels.peak_choice import Rules
    >>> rules = Rules(-np.inf, 0.5, 5.0, 0.0, 0.0, 1, 8.0, 0.0, 10, True)
    >>> search = Search(pixel_disk_template(2.5), (24, 32), np.empty((0, 0), np.uint8), rules, (0, 24, 0, 32))
    >>> closely = look_closely(frame, search, 10)
    >>> closely.place[:2], closely.verdict[:2]
    (array([332, 433]), array([0, 4], dtype=uint8))
    """
    raw = frame[None].view(np.uint8) if frame.dtype == np.bool_ else frame[None]
    dtype = working_dtype(raw.dtype, search.matched)
    room = search.room(capacity, dtype)
    part = np.empty(raw.shape, dtype)
    image = np.empty(part.shape, np.float32 if search.matched else dtype)
    plain = part if search.prepare is None else np.empty(part.shape, dtype)
    prepare_frames(raw, search, plain, part, image)
    _, _, picture = runs_of_pictures(raw, search)[0]
    _, number = choose(
        part[0], image[0], picture, room.cells, search.rules, np.array(search.window), room.peaks, room.verdict,
        room.scores, room.chosen,
    )  # fmt: skip
    place, height = room.peaks.place[:number].astype(np.int64), room.peaks.height[:number].copy()
    score, verdict = room.scores[:number].copy(), room.verdict[:number].copy()
    if search.matched:
        _fill_scores(part[0], picture, place, score)
    order = np.lexsort((place, -height))
    seen = picture.counts != 0
    shown = np.where(seen, raw[0], 0) if search.prepare is None else np.where(seen, part[0], 0)
    return Closely(shown, image[0], seen, place[order], height[order], score[order], verdict[order])


@jit
def _fill_scores(frame, picture, place, scores):
    """Score the candidates that were refused before."""
    for k in range(len(place)):
        if np.isnan(scores[k]):
            scores[k], _, _ = score_at(frame, picture, place[k] // frame.shape[1], place[k] % frame.shape[1])
