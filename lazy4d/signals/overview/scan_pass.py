"""The pass that fills an overview: a sparse sample first, then every block, in steps of a few milliseconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DError
from lazy4d.lazy.peek import positions_of
from lazy4d.signals.overview.boxes import Box, blocks, cut, granule, halves, told
from lazy4d.signals.overview.keeping import saving
from lazy4d.signals.overview.memory import fingerprint
from lazy4d.signals.overview.overview import Overview
from lazy4d.signals.overview.proxy import Proxy
from lazy4d.signals.overview.sampling import sample_positions
from lazy4d.signals.overview.summary import BoxSummary, BoxWalker, PixelSums

STEP_SECONDS = 0.015
"""What a step aims at."""

SAMPLE_SECONDS = 0.4
"""How long positions are sampled before blocks are read: on a slow disk, that is dozens of frames."""

GLANCE_SECONDS = 0.1
GLANCES = 64
"""The first positions are only summed, without any compiled kernel, so that there is an image at once."""

FLUSH_SECONDS = 0.25
MOST_FRAMES = 4096
MOST_STEP_BYTES = 4 * 2**20
"""Bytes of the bins that a step holds."""

LARGE_FRAME = 2**19
"""Pixels from which passes share their sums: those of each would take too much memory, and too long to add up."""

AUDITED_FRAMES = 65536
AUDITED_BYTES = 2**32
"""A pass ends with a look at all headers where that is a matter of milliseconds: they were just read."""

RETRIES = 32
"""Walks spent on finding out which frames of a box cannot be read, before all that is left of it counts as damaged."""


class OverviewPass:
    """One pass over a signal's frames that fills its overview, in steps that leave room for others in between.

    Several passes, in several threads, may share an overview: each takes blocks that no other has taken.

    Parameters
    ----------
    signal : BaseSignal
        The signal; stages such as a crop or a shift are applied.
    overview : Overview
        What is filled, as `overview_of` gives it.
    clock : callable, optional
        Seconds, as `time.perf_counter`.
    sample_seconds : float, optional
        How long positions are sampled before blocks are read.
    check : callable, optional
        Called while something is computed that all positions need, such as a plane fitted to the scan, which may take
        a pass of its own: an exception of it ends the pass.

    Attributes
    ----------
    problems : list of str
        What could not be read; such positions are NaN. A pass never ends by an exception for damage.
    bytes_read : int
        Stored bytes of the frames that were walked over.

    Examples
    --------
    >>> from lazy4d.signals.overview import overview_of
    >>> overview = overview_of(d)
    >>> list(OverviewPass(d, overview).steps())[-1], overview.sum_pattern.sum() == d.sum().as_numpy().sum()
    (1.0, np.True_)
    """

    def __init__(
        self,
        signal: Any,
        overview: Overview,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sample_seconds: float = SAMPLE_SECONDS,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._walker = BoxWalker(signal.frames)
        self.frames = self._walker.frames
        self.overview = overview
        self.problems = overview.problems
        self.bytes_read = 0
        self._signal, self._check = signal, check
        self._clock = clock
        self._sample_seconds = sample_seconds
        self._grain = granule(self.frames)
        self._pixels: PixelSums | None = None
        self._next_flush = -np.inf
        self._pace = 0.0  # seconds a frame

    def steps(self) -> Iterator[float]:
        """Do the pass, a step of about 20 ms an iteration where the format allows; yields the share that is known.

        Closing the generator ends the pass; what was found stays, and another pass goes on from there.
        """
        overview = self.overview
        for _ in overview.checking():
            yield overview.share
        if overview.complete:
            yield from self._kept()
            yield 1.0
            return
        if overview.stamp is None:
            overview.stamp = fingerprint(self._signal)
        try:
            if self._walker.needs_whole_scan:
                yield overview.share
            self._walker.prepare(self._check)
            yield from self._glance()
            with overview.lock:
                if overview.proxy is None:
                    overview.proxy = Proxy.empty(self.frames.nav_shape, self._walker.detector, self.frames.dtype)
            dtype = self.frames.dtype
            large = math.prod(self._walker.detector) >= LARGE_FRAME
            self._pixels = overview.own_pixels(dtype) if large else PixelSums(self._walker.detector, dtype)
            yield from self._sample()
            for block in blocks(self.frames):
                yield from self._block(block)
        finally:
            self._flush()
            overview.finish()  # also where this pass was closed: another one may have seen the rest
        yield from self._kept()
        yield overview.share

    # ---- the three parts of a pass

    def _glance(self) -> Iterator[float]:
        """Intensities of the first sampled positions, by numpy."""
        started = shown = self._clock()
        for count, box in enumerate(self._sampled()):
            if count >= GLANCES or self._clock() - started > GLANCE_SECONDS:
                return
            if self.overview.known_in(box):
                continue
            try:
                self.overview.glanced(box, self._walker.glance(box))
            except Exception:
                continue  # the pass finds out what is wrong with it
            self.bytes_read += self.frames.source.frame_nbytes
            if self._clock() - shown > STEP_SECONDS:
                yield self.overview.share
                shown = self._clock()

    def _sample(self) -> Iterator[float]:
        """Single positions of finer and finer grids, for as long as that is given time."""
        started = shown = self._clock()
        if positions_of(tuple(slice(0, g) for g in self._grain)) > 1:
            return  # to sample single frames would unpack whole chunks for each
        for box in self._sampled():
            now = self._clock()
            if now - started > self._sample_seconds:
                break
            self._summarize(box, retries=0)
            if self._clock() - shown > STEP_SECONDS:
                if self._clock() > self._next_flush:
                    self._flush()
                yield self.overview.share
                shown = self._clock()

    def _sampled(self) -> Iterator[Box]:
        for position in sample_positions(self.frames.nav_shape):
            yield tuple(slice(i, i + 1) for i in position)

    def _block(self, block: Box) -> Iterator[float]:
        """One block, in steps."""
        waiting = [block]
        layout = self.overview.proxy.layout if self.overview.proxy is not None else None
        bins = 4 * (layout.shape[0] if layout is not None else 1)
        while waiting:
            room = STEP_SECONDS / self._pace if self._pace else 16
            most = int(max(1, min(room, MOST_FRAMES, MOST_STEP_BYTES // bins)))
            box, rest = cut(waiting.pop(0), self._grain, most)
            waiting[:0] = rest
            started = self._clock()
            if not self._summarize(box, RETRIES):
                continue
            took = (self._clock() - started) / positions_of(box)
            self._pace = took if not self._pace else 0.7 * self._pace + 0.3 * took
            if self._clock() > self._next_flush:
                self._flush()
            yield self.overview.share

    # ---- one box

    def _summarize(self, box: Box, retries: int) -> bool:
        """Add the frames of a box that no pass has taken; False if there are none."""
        overview, proxy, pixels = self.overview, self.overview.proxy, self._pixels
        if proxy is None or pixels is None:
            return False
        mine = overview.claim(box)
        if not mine.any():
            return False
        left = [(box, mine)]
        while left:
            part, wanted = left.pop()
            done, layout = [0], proxy.layout
            found = BoxSummary.empty(wanted.size, layout, pixels)
            error: Exception | None = None
            try:
                self._walker.summarize(part, wanted, layout, pixels, found, done)
                done[0] = wanted.size
            except Exception as raised:
                error = raised
            finally:  # frames that were taken count, whatever became of those after them
                taken = wanted & (np.arange(wanted.size) < done[0])
                overview.add(part, taken, found, layout)
                self.bytes_read += done[0] * self.frames.source.frame_nbytes
                wanted = wanted & ~taken
                if error is None and wanted.any():
                    overview.give_up(part, wanted)
            if error is None:
                continue
            if retries > 0 and wanted.size > 1:
                both = zip(halves(part), _split(part, wanted), strict=True)
                left.extend((half, marks) for half, marks in both if marks.any())
                retries -= 1
            else:
                overview.failed(part, wanted, told(part, error))
        return True

    def _flush(self) -> None:
        """Hand what is known of the pixels over."""
        pixels, started = self._pixels, self._clock()
        if pixels is not None and pixels.count:
            self.overview.add_pixels(pixels)
            if pixels is not self.overview.own_pixels(self.frames.dtype):
                pixels.clear()
        now = self._clock()
        self._next_flush = now + max(FLUSH_SECONDS, 20 * (now - started))

    def _kept(self) -> Iterator[float]:
        """Keep what was found for the next session, once all is known."""
        overview, audit = self.overview, self._signal._audit
        with overview.lock:
            if not overview.complete or overview.stored:
                return
            overview.stored = True
        cheap = self.frames.stored_nbytes <= AUDITED_BYTES and math.prod(self.frames.nav_shape) <= AUDITED_FRAMES
        if audit is not None and overview.audit is None and cheap:
            with suppress(Lazy4DError, OSError, ValueError):
                overview.audit = audit()
            yield overview.share
        for _ in saving(self._signal, overview):
            yield overview.share


def _split(box: Box, marks: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Marks of the positions of a box, for each of its `halves`."""
    whole = marks.reshape([s.stop - s.start for s in box])
    return [
        np.ascontiguousarray(
            whole[tuple(slice(h.start - s.start, h.stop - s.start) for h, s in zip(half, box, strict=True))]
        ).reshape(-1)
        for half in halves(box)
    ]
