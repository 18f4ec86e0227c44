"""Disks of frames found, refined and measured in one go: what fills the columns of vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit
from lazy4d.kernels.peak_choice import Cells, Rules, cells_for, choose
from lazy4d.kernels.peak_cut import is_cut, place_of_cut
from lazy4d.kernels.peak_frames import prepare_frames, runs_of_pictures, working_dtype
from lazy4d.kernels.peak_refine import mass_about, refine_by_dft
from lazy4d.kernels.peak_score import Picture, brightness_at, picture_of
from lazy4d.kernels.peaks import PeakRoom, peak_room
from lazy4d.kernels.subpixel import parabola
from lazy4d.kernels.template_match import MatchPlan, match_plan, template_correlation
from lazy4d.kernels.templates import Template

KY, KX, INTENSITY, SCORE = range(4)
COLUMNS = ("ky", "kx", "intensity", "score")
"""What the kernels give of each disk."""
BATCH_BYTES = 2**20
"""Bytes of frames that are worked on together: as many as stay in cache."""
MADE = ("picture", "cells", "plan", "fine_plan")
"""What a search makes of its parameters."""
PIXEL, PARABOLA, MASS, DFT = range(4)
SUBPIXEL = {None: PIXEL, "parabola": PARABOLA, "center_of_mass": MASS, "dft": DFT}
"""How disks are placed between pixels, by name."""


class Room(NamedTuple):
    """Scratch space for one call of a kernel.

    Parameters
    ----------
    peaks : PeakRoom
        For the maxima.
    cells : Cells
        For a first look.
    verdict, scores : ndarray [room]
        Of each candidate.
    chosen : ndarray of int32 [capacity]
        The entries that were accepted.
    """

    peaks: PeakRoom
    cells: Cells
    verdict: NDArray[np.uint8]
    scores: NDArray[np.float64]
    chosen: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for in frames of a shape, and how; small, as what follows from it is made once a process.

    Parameters
    ----------
    template : Template
        The picture of a disk, or of a pixel and those around it where it is not used.
    frame_shape : tuple of int
        Of the frames.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count; of size 0: all do.
    rules : Rules
        What a maximum has to be.
    window : tuple of int
        ``(y0, y1, x0, x1)``: where the middle of a template may be.
    matched : bool
        Whether maxima of the correlation with the template are taken, rather than of the frames.
    power : float
        p in [0, 1] of the correlation; see `match_plan`.
    subpixel, upsample : int
        One of PIXEL, PARABOLA, MASS, DFT, and points a pixel of the latter.
    prepare : callable, optional
        ``prepare(frames, out)``: what is done to the frames first, float32 or float64.
    fine : Template, optional
        The picture whose correlation is interpolated by DFT, where it is not that which disks are found by.
    """

    template: Template
    frame_shape: tuple[int, int]
    mask: NDArray[np.uint8]
    rules: Rules
    window: tuple[int, int, int, int]
    matched: bool = True
    power: float = 1.0
    subpixel: int = PARABOLA
    upsample: int = 16
    prepare: Callable[..., None] | None = None
    fine: Template | None = None

    @cached_property
    def picture(self) -> Picture:
        """The template as kernels take it."""
        return picture_of(self.template, self.mask, self.frame_shape)

    @cached_property
    def cells(self) -> Cells:
        """The cells of a first look; each call takes a copy of the room in them."""
        return cells_for(self.picture, self.matched and self.power == 1 and self.rules.scored)

    @cached_property
    def plan(self) -> MatchPlan:
        """How frames are correlated with the template."""
        return match_plan(self.template, self.frame_shape, self.mask, self.power, False)

    @cached_property
    def fine_plan(self) -> MatchPlan:
        """How frames are correlated once more where disks were found."""
        return match_plan(self.fine or self.template, self.frame_shape, self.mask, 1.0, False)

    def room(self, capacity: int, dtype: Any) -> Room:
        """Scratch space for one call."""
        cells = self.cells._replace(
            sums=np.zeros_like(self.cells.sums),
            squares=np.zeros_like(self.cells.squares),
            lines=np.empty_like(self.cells.lines),
        )
        peaks = peak_room(self.frame_shape, np.float32 if self.matched else dtype)
        n = len(peaks.place)
        return Room(peaks, cells, np.empty(n, np.uint8), np.empty(n), np.empty(capacity, np.int32))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made again."""
        return {name: value for name, value in self.__dict__.items() if name not in MADE}


def find_vectors(frames: NDArray[Any], search: Search, out: NDArray[np.float64], count: NDArray[np.int64]) -> None:
    """The disks in each frame: ky, kx, intensity and score of each, the highest first.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous. Pixels that are not finite do not count.
    search : Search
        What is looked for.
    out : ndarray of float64 [n, capacity, 4] or [n, capacity, 3], without score
        The first ``min(count, capacity)`` rows are filled: y and x in pixels, intensity of the disk above that of the
        ring around it (the height of the maximum where no template is looked for), and score.
    count : ndarray of int64 [n]
        Filled: how many there are, which may be more than there is room for.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> frames = np.zeros((1, 24, 32), np.uint16); frames[0, 8:13, 10:15], frames[0, 14:19, 22:27] = 9, 7
    >>> rules = Rules(-np.inf, 0.5, 5.0, 0.0, 0.0, 1, 2.5, 0.0, 10, True)
    >>> search = Search(pixel_disk_template(2.5), (24, 32), np.empty((0, 0), np.uint8), rules, (0, 24, 0, 32))
    >>> out, count = np.empty((1, 5, 4)), np.empty(1, np.int64)
    >>> find_vectors(frames, search, out, count)
    >>> count, out[0, :2, :3].round(2)
    (array([2]), array([[ 10.,  12., 225.],
           [ 16.,  24., 175.]]))
    """
    if frames.dtype == np.bool_:
        frames = frames.view(np.uint8)
    dtype = working_dtype(frames.dtype, search.matched)
    room = search.room(out.shape[1], dtype)
    step = max(1, BATCH_BYTES // max(1, frames[0].size * dtype.itemsize)) if len(frames) else 1
    searched: NDArray[Any] = np.empty((min(step, len(frames)), *search.frame_shape), dtype)
    images: NDArray[Any] = np.empty(searched.shape, np.float32 if search.matched else dtype)
    plain = searched if search.prepare is None else np.empty(searched.shape, dtype)
    cut = np.zeros((len(searched), out.shape[1]), np.bool_)
    window, offset = np.array(search.window), np.array(search.template.offset)
    for i in range(0, len(frames), step):
        raw = frames[i : i + step]
        prepare_frames(raw, search, plain[: len(raw)], searched[: len(raw)], images[: len(raw)])
        for first, behind, picture in runs_of_pictures(raw, search):
            part, image, cuts = searched[first:behind], images[first:behind], cut[first:behind]
            rows, number = out[i + first : i + behind], count[i + first : i + behind]
            _find(part, image, picture, search.rules, window, room, search.matched, search.subpixel, cuts, rows, number)
            if not search.matched:
                continue
            if search.subpixel == DFT and number.any():
                if search.fine is not None:
                    given = raw[first:behind] if search.prepare is None else part
                    template_correlation(given, search.fine_plan, image)
                _refine(image, picture.radius, search.upsample, cuts, rows, number)
            _measure(plain[first:behind], picture, offset, rows, number)


@jit
def _find(frames, images, picture, rules, window, room, matched, subpixel, cut, out, count):
    """Fill y, x and score of the disks of each frame, but for the refinement by Fourier series."""
    capacity = out.shape[1]
    for f in range(len(frames)):
        image = images[f]
        kx = image.shape[1]
        count[f], _ = choose(
            frames[f], image, picture, room.cells, rules, window, room.peaks, room.verdict, room.scores, room.chosen
        )
        for k in range(min(count[f], capacity)):
            entry = room.chosen[k]
            y, x = room.peaks.place[entry] // kx, room.peaks.place[entry] % kx
            dy, dx = 0.0, 0.0
            cut[f, k] = matched and is_cut(picture, y, x)
            if subpixel != PIXEL and cut[f, k]:
                dy, dx = place_of_cut(frames[f], picture, y, x)
            elif subpixel == PARABOLA or subpixel == DFT:
                dy, dx = parabola(image, y, x)
            elif subpixel == MASS:
                cy, cx = mass_about(frames[f], picture.counts, picture.radius, y, x)
                if not np.isnan(cy):
                    dy, dx = cy - y, cx - x
            out[f, k, KY], out[f, k, KX] = y + dy, x + dx
            out[f, k, INTENSITY] = image[y, x]
            if out.shape[2] > SCORE:
                out[f, k, SCORE] = room.scores[entry]


def _refine(
    images: NDArray[Any],
    radius: float,
    upsample: int,
    cut: NDArray[np.bool_],
    out: NDArray[np.float64],
    count: NDArray[np.int64],
) -> None:
    """Refine the disks of some frames by Fourier series, but for those that something cuts."""
    kept = np.minimum(count, out.shape[1])
    which = np.repeat(np.arange(len(images)), kept)
    entry = np.arange(len(which)) - np.repeat(np.cumsum(kept) - kept, kept)
    whole = ~cut[which, entry]
    which, entry = which[whole], entry[whole]
    places = np.rint(out[which, entry, :INTENSITY]).astype(np.int64)
    start = out[which, entry, :INTENSITY] - places
    out[which, entry, :INTENSITY] = places + refine_by_dft(images, radius, upsample, which, places, start)


@jit
def _measure(frames, picture, offset, out, count):
    """Fill the intensities of disks, and count their places from where the template says the disk is."""
    for f in range(len(frames)):
        for k in range(min(count[f], out.shape[1])):
            out[f, k, KY] += offset[0]
            out[f, k, KX] += offset[1]
            out[f, k, INTENSITY] = brightness_at(
                frames[f], picture.counts, picture.radius, out[f, k, KY], out[f, k, KX]
            )


find_vectors.multiplies_matrices = True  # type: ignore[attr-defined]  # the upsampled transform: one thread each
