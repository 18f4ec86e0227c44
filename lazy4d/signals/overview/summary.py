"""What one walk over a box of positions leaves for an overview: intensities, bins, and what is known of each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import overview as kernels
from lazy4d.kernels.accumulate import sum_dtype, widen
from lazy4d.lazy import Frames
from lazy4d.lazy.endings import Extent, Tile
from lazy4d.lazy.lift import Terminal, Walk
from lazy4d.lazy.peek import Peek
from lazy4d.lazy.peek_shared import SharedValues
from lazy4d.lazy.stage import PerPosition, SharedLazy
from lazy4d.lazy.walk import Plan, Step, walk_box
from lazy4d.signals.construction import cast, compilable
from lazy4d.signals.overview.layout import LINE, BinLayout

Box = tuple[slice, ...]


class PixelSums:
    """What is known of each pixel: sum, maximum and sum of squares over the positions seen.

    Parameters
    ----------
    detector : (int, int)
        Pixels, rows and columns.
    dtype : dtype
        Of the frames.
    lock : lock, optional
        Held while frames are added, where several threads add to the same sums.

    Examples
    --------
    >>> PixelSums((2, 2), np.uint16).total.dtype, PixelSums((2, 2), np.float32).largest[0, 0]
    (dtype('uint64'), np.float32(-inf))
    """

    def __init__(self, detector: tuple[int, int], dtype: Any, lock: Any = None) -> None:
        self.lock = nullcontext() if lock is None else lock
        native = np.dtype(np.uint8) if np.dtype(dtype).kind == "b" else np.dtype(dtype)
        exact = native.kind in "iu" and native.itemsize <= 2
        self.total = np.zeros(detector, sum_dtype(native))
        self.largest = np.full(detector, lowest(native), native)
        self.squares = np.zeros(detector, np.uint64 if exact else np.float64)
        self.count = 0
        self._scratch = np.empty(0, np.uint8)

    def scratch(self, nbytes: int) -> NDArray[np.uint8]:
        """Memory to be used over and over: fresh memory costs a wait for each of its pages."""
        if self._scratch.size < nbytes:
            self._scratch = np.empty(nbytes, np.uint8)
        return self._scratch[:nbytes]

    def merge(self, other: PixelSums) -> None:
        """Add what another one has seen."""
        np.add(self.total, other.total, out=self.total)
        np.add(self.squares, other.squares, out=self.squares)
        np.maximum(self.largest, other.largest, out=self.largest)
        self.count += other.count

    def clear(self) -> None:
        """Start again from nothing."""
        self.total[...] = 0
        self.squares[...] = 0
        self.largest[...] = lowest(self.largest.dtype)
        self.count = 0


@dataclass(frozen=True, eq=False)
class BoxSummary:
    """What a walk over one box found.

    `intensity` [n] is the sum of each frame, exact for integers, `largest` [n] its largest pixel and `squares` [n] the
    sum of its squares; `used` bool [n] marks the frames that were taken, not those that are damaged or were not asked
    for; `binned` [n, bins] holds the bins of those.
    """

    intensity: NDArray[Any]
    largest: NDArray[Any]
    squares: NDArray[Any]
    used: NDArray[np.bool_]
    binned: NDArray[Any]

    @classmethod
    def empty(cls, n: int, layout: BinLayout, pixels: PixelSums) -> BoxSummary:
        """Nothing known of `n` frames; what `binned` is of memory is that of `pixels`, until its next use."""
        partial = widen(np.zeros((), pixels.largest.dtype)[()]).dtype
        lines = -(-layout.shape[0] * partial.itemsize // LINE) | 1  # odd, or columns of bins would meet in cache
        binned = pixels.scratch(n * lines * LINE).view(partial).reshape((n, -1))[:, : layout.shape[0]]
        largest = np.full(n, lowest(pixels.largest.dtype), pixels.largest.dtype)
        squares = np.zeros(n, pixels.squares.dtype)
        return cls(np.zeros(n, pixels.total.dtype), largest, squares, np.zeros(n, bool), binned)


@dataclass(frozen=True, eq=False)
class Summarize:
    """The end of a walk that fills a `BoxSummary` and adds to `PixelSums`; frames of which `wanted` is 0 are left.

    The caller holds what is filled, so that nothing is lost where a later frame of the box cannot be read: `done[0]`
    counts the frames that were taken.
    """

    step: int
    detector: tuple[int, int]
    layout: BinLayout
    pixels: PixelSums
    wanted: NDArray[np.bool_]
    found: BoxSummary
    done: list[int]
    params: tuple[Any, ...] = ()

    def takes_buffer(self, step: Step) -> bool:
        """No: it looks at tiles."""
        return False

    def start(self, extent: Extent, step: Step) -> BoxSummary:
        """What the caller holds."""
        return self.found

    def take(self, state: BoxSummary, tile: Tile, params: list[Any]) -> None:
        """Add the wanted frames of a tile."""
        frames = tile.frames.reshape((-1, *self.detector))
        frames = frames.view(np.uint8) if frames.dtype == np.bool_ else frames
        span = slice(tile.start, tile.stop)
        wanted = self.wanted[span] if tile.keep is None else self.wanted[span] & tile.keep
        if frames.dtype.kind == "f":
            wanted = wanted & has_numbers(frames, wanted)
        chosen = np.flatnonzero(wanted)
        if chosen.size:
            pixels = self.pixels
            sizes = self.layout.bin_pixels
            kernels.bin_frames(frames, chosen, *sizes, state.binned[span], state.intensity[span])
            kernels.measure_frames(frames, chosen, state.largest[span], state.squares[span])
            with pixels.lock:
                kernels.summarize_pixels(frames, chosen, pixels.total, pixels.largest, pixels.squares)
                pixels.count += chosen.size
            state.used[span] = wanted
        self.done[0] = tile.stop

    def finish(self, state: BoxSummary, extent: Extent) -> BoxSummary:
        """What was found."""
        return state


@dataclass(frozen=True, eq=False)
class Glance:
    """The end of a walk that only sums each frame, in numpy: at once also where no kernel was compiled yet."""

    step: int
    detector: tuple[int, int]
    params: tuple[Any, ...] = ()

    def takes_buffer(self, step: Step) -> bool:
        """No: it looks at tiles."""
        return False

    def start(self, extent: Extent, step: Step) -> NDArray[np.float64]:
        """Nothing known of any frame."""
        return np.full(extent.n, np.nan)

    def take(self, state: NDArray[np.float64], tile: Tile, params: list[Any]) -> None:
        """Sum the valid frames of a tile."""
        frames = tile.frames.reshape((len(tile.frames), -1))
        sums: NDArray[np.float64]
        if frames.dtype.kind == "f":
            with np.errstate(all="ignore"):
                sums = np.asarray(np.nansum(frames, axis=1, dtype=np.float64))
            sums[~has_numbers(frames.reshape((-1, *self.detector)), np.ones(len(frames), bool))] = np.nan
        else:
            sums = np.asarray(frames.sum(axis=1, dtype=sum_dtype(frames.dtype)), np.float64)
        if tile.keep is not None:
            sums[~tile.keep] = np.nan
        state[tile.start : tile.stop] = sums

    def finish(self, state: NDArray[np.float64], extent: Extent) -> NDArray[np.float64]:
        """What was found."""
        return state


def lowest(dtype: np.dtype[Any]) -> Any:
    """The value from which a search for the largest one begins."""
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def has_numbers(frames: NDArray[Any], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the wanted frames hold a number at all: dead pixels are NaN in each frame, lost frames throughout."""
    found = wanted.copy()
    for i in np.flatnonzero(wanted):
        if np.isnan(frames[i, 0, 0]) and np.isnan(frames[i]).all():
            found[i] = False
    return found


def real_frames(frames: Frames) -> Frames:
    """The frames as numbers that compiled kernels take: complex ones by their magnitude."""
    if frames.dtype.kind == "c":
        return frames.map_frames(magnitude, shape=frames.frame_shape, dtype=np.float64)
    return frames if compilable(frames.dtype) else frames.map_frames(cast, shape=frames.frame_shape, dtype=np.float32)


def magnitude(frames: NDArray[Any], out: NDArray[np.float64]) -> None:
    """Fill `out` with the magnitude of complex frames."""
    np.abs(frames, out=out)


def detector_shape(frame_shape: Sequence[int]) -> tuple[int, int]:
    """Frames of any number of axes as rows and columns.

    Examples
    --------
    >>> detector_shape((16, 8)), detector_shape((100,)), detector_shape(()), detector_shape((2, 3, 4))
    ((16, 8), (1, 100), (1, 1), (6, 4))
    """
    if not frame_shape:
        return 1, 1
    return math.prod(frame_shape[:-1]), int(frame_shape[-1])


class BoxWalker:
    """The walks of one signal's frames over boxes of positions, each in the calling thread.

    Parameters
    ----------
    frames : Frames
        The frames of the signal.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = real_frames(frames)
        self.detector = detector_shape(self.frames.frame_shape)

    @cached_property
    def _walk(self) -> Walk:
        terminal = Terminal("overview", self.frames.stages, Glance(0, self.detector), ())
        return Walk(self.frames.source, self.frames.chunks, (terminal,))

    @cached_property
    def _plan(self) -> Plan:
        return self._walk.plan()

    @cached_property
    def _shared(self) -> SharedValues:
        return SharedValues(p.array for p in self._walk.lazy if isinstance(p, SharedLazy))

    @cached_property
    def _varying(self) -> Peek | None:
        """The parameters that have a value for each position, evaluated together."""
        arrays = [p.array for p in self._walk.lazy if isinstance(p, PerPosition)]
        return Peek(*arrays, nav_ndim=len(self.frames.nav_shape)) if arrays else None

    @cached_property
    def _given(self) -> tuple[Any, Any]:
        """How to come by the frames of an array and their validity, box by box."""
        source, nav_ndim = self.frames.source, len(self.frames.nav_shape)
        if source.array is None:
            return None, None
        plain = getattr(source, "plain", None)
        block: Callable[[Box], Any] = (
            (lambda box: plain[box]) if plain is not None else _first(Peek(source.array, nav_ndim=nav_ndim))
        )
        return block, None if source.valid is None else _first(Peek(source.valid, nav_ndim=nav_ndim))

    @property
    def needs_whole_scan(self) -> bool:
        """Whether something is to be computed from the whole scan before any frame is known."""
        return self._shared.costly or (self._varying is not None and self._varying.needs_whole_scan)

    def prepare(self, check: Callable[[], None] | None = None) -> None:
        """Compute what all positions need in common."""
        self._shared.prepare(check)
        if self._varying is not None:
            self._varying.prepare(check)

    def glance(self, box: Box) -> NDArray[np.float64]:
        """The sum of each frame of a box, flat."""
        return self._run(box, None)

    def summarize(
        self,
        box: Box,
        wanted: NDArray[np.bool_],
        layout: BinLayout,
        pixels: PixelSums,
        found: BoxSummary,
        done: list[int],
    ) -> None:
        """Fill `found` from the wanted frames of a box and add them to `pixels`; see `Summarize`."""
        step = self._plan.endings[0].step
        self._run(box, Summarize(step, self.detector, layout, pixels, wanted, found, done))

    def _run(self, box: Box, ending: Any) -> Any:
        plan = self._plan if ending is None else replace(self._plan, endings=(ending,))
        inputs: list[Any] = []
        block, valid = self._given
        if block is not None:
            inputs.append(block(box))
        rows = iter(self._varying(box) if self._varying is not None else ())
        for param in self._walk.lazy:
            inputs.append(next(rows) if isinstance(param, PerPosition) else self._shared.value(param.array))
        if valid is not None:
            inputs.append(valid(box))
        return walk_box(plan, box, *inputs)[0]


def _first(peek: Peek) -> Callable[[Box], Any]:
    return lambda box: peek(box)[0]
