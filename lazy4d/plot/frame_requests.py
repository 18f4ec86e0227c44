"""Frames for a viewer: the latest request wins, what is likely to be asked for next is fetched ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from lazy4d.plot.frame_cache import AHEAD, FrameCache, Position, likely_next
from lazy4d.plot.frame_reader import Frame, FrameReader
from lazy4d.plot.outbox import Outbox
from lazy4d.plot.updates import FrameUpdate
from lazy4d.plot.worker import FRAME, FULL, PREFETCH, Cancelled, Job, Worker

DAMAGED = "this frame is missing or damaged"
AS_RECORDED = "as recorded: what is made of it is still being computed"
COMPUTING = "what all frames need is being computed"


FIRST_SECONDS = 0.1
"""How long the first frame of all may take before it is shown as recorded: kernels may have to be compiled."""


class FrameRequests:
    """The frame of the position where a viewer stands, read in the background.

    Parameters
    ----------
    signal : BaseSignal
        Whose frames.
    worker : Worker
        Where jobs run.
    outbox : Outbox
        Where frames go.
    channel : str
        Begins the names of this viewer's channels.
    cache_bytes : int
        Bytes of frames that are kept.
    passing : float or None
        Seconds without a frame after which one that was passed is shown; None: never.
    clock : callable
        Seconds.

    Attributes
    ----------
    reader : FrameReader
        Reads a frame.
    cache : FrameCache
        The frames that are kept.
    """

    def __init__(
        self,
        signal: Any,
        worker: Worker,
        outbox: Outbox,
        channel: str,
        cache_bytes: int,
        passing: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.reader = FrameReader(signal)
        self.cache = FrameCache(cache_bytes)
        self._worker, self._outbox = worker, outbox
        self._frame, self._ahead = f"{channel}frame", f"{channel}ahead"
        self._first, self._prepare = f"{channel}first", f"{channel}prepare"
        self._shape = tuple(signal.axes_manager.navigation_shape)
        self._passing, self._clock = passing, clock
        self._position: Position = tuple(signal.axes_manager.indices)
        self._travel: Position = (0,) * len(self._position)
        self._request = self._delivered = 0
        self._shown_at = clock()
        self._failure: Exception | None = None
        self._generation = 0

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that work on what is to be shown."""
        return self._frame, self._prepare

    @property
    def preparing(self) -> bool:
        """Whether something that all frames need is being computed."""
        return self._worker.busy_in(self._prepare)

    def go(self, position: Position) -> None:
        """Note where the viewer stands now; `ask` for the frame follows."""
        with self._outbox.lock:
            self._travel = tuple(b - a for a, b in zip(self._position, position, strict=True))
            self._position = position
            waiting = self._outbox.withdraw("frame")
            if isinstance(waiting, FrameUpdate) and self._passing is not None and waiting.data is not None:
                self._outbox.put(replace(waiting, final=False))  # nobody saw it, and it is newer than what is seen

    def ask(self) -> None:
        """Ask for the frame of the position."""
        with self._outbox.lock:
            if self._outbox.closed:
                return
            self._request += 1
            request, position = self._request, self._position
            known = self.cache.get(position)
            if known is None:
                self._worker.submit(self._frame, lambda job: self._read(job, request, position), FRAME)
                if request == 1 and self.reader.has_recorded:
                    look = partial(self._look_at_first, request=request, position=position)
                    self._worker.submit(self._first, look, FRAME, delay=FIRST_SECONDS)
                return
            self._worker.cancel(self._frame)
        self._deliver(request, _update(position, Frame(*known), 0.0))
        self._fetch_ahead(position)

    def refresh(self) -> None:
        """Forget all frames, and ask again."""
        with self._outbox.lock:
            self._generation += 1  # frames that are being read now are not kept
            self.cache.clear()
            self._failure = None
        self.ask()

    def close(self) -> None:
        """Cancel all, and let go of all frames; the outbox is closed before."""
        for channel in (self._frame, self._first, self._prepare, self._ahead):
            self._worker.cancel(channel)
        self.cache.clear()

    # ---- in threads of the pool

    def _look_at_first(self, job: Job, request: int, position: Position) -> None:
        """Show the first frame as recorded, if it is not there yet."""
        if not self._delivered:
            try:
                frame = self.reader.recorded(position)
            except Exception:  # told when the frame itself is read
                return
            if frame is not None and not self._delivered:
                update = FrameUpdate(position, frame.data, False, frame.valid, AS_RECORDED, seconds=job.seconds)
                self._deliver(request, update)

    def _read(self, job: Job, request: int, position: Position) -> None:
        """Read a frame; it is kept even if nobody waits for it by now."""
        try:
            if self.reader.waits:
                self._show_as_recorded(job, request, position)
                return
            generation = self._generation
            self.reader.prepare(self._go_on)
            frame = self.reader.read(position)
            self._keep(position, frame, generation)
            update = _update(position, frame, job.seconds)
        except Cancelled:
            raise
        except Exception as error:
            update = failed(position, error, job.seconds)
        self._deliver(request, update)
        if not job.cancelled:
            self._fetch_ahead(position)

    def _keep(self, position: Position, frame: Frame, generation: int) -> bool:
        """Keep a frame, unless all were forgotten since it was asked for."""
        with self._outbox.lock:
            current = not self._outbox.closed and generation == self._generation
            return current and self.cache.put(position, frame)

    def _go_on(self) -> None:
        """End what takes long once the viewer is closed; only then, since every frame needs it."""
        if self._outbox.closed:
            raise Cancelled("the viewer is closed")

    def _show_as_recorded(self, job: Job, request: int, position: Position) -> None:
        """Show what the file holds, and have computed what is lacking."""
        if self._failure is not None:
            self._deliver(request, failed(position, self._failure, job.seconds))
            return
        frame = self.reader.recorded(position)
        if frame is None:
            update = FrameUpdate(position, None, False, True, COMPUTING, seconds=job.seconds)
        else:
            update = FrameUpdate(position, frame.data, False, frame.valid, AS_RECORDED, seconds=job.seconds)
        self._deliver(request, update)
        with self._outbox.lock:
            if not self._outbox.closed and not self.preparing:
                self._worker.submit(self._prepare, self._compute_shared, FULL)

    def _compute_shared(self, job: Job) -> None:
        try:
            self.reader.prepare(job.check)
        except Cancelled:
            raise
        except Exception as error:
            self._failure = error
        self.ask()

    def _deliver(self, request: int, update: FrameUpdate) -> None:
        """Hand a frame out if it is the one wanted, or newer than the one shown and there was none for a while."""
        with self._outbox.lock:
            if self._outbox.closed or request < self._delivered:
                return
            if request != self._request:
                late = self._passing is not None and self._clock() - self._shown_at >= self._passing
                if not late or update.error is not None:
                    return
                update = replace(update, final=False)
            self._delivered, self._shown_at = request, self._clock()
            self._outbox.put(update)
        self._outbox.tell()

    def _fetch_ahead(self, position: Position) -> None:
        with self._outbox.lock:
            if self._outbox.closed or position != self._position:
                return
            shown = self.cache.get(position)
            room = 0 if shown is None else self.cache.limit // max(1, 2 * shown[0].nbytes)
            wanted = likely_next(position, self._travel, self._shape, min(AHEAD, room))
            wanted = [one for one in wanted[:room] if one not in self.cache]
            if wanted:
                self._worker.submit(self._ahead, lambda job: self._fetch(job, wanted), PREFETCH)

    def _fetch(self, job: Job, wanted: list[Position]) -> Iterator[None]:
        for position in wanted:
            job.check()
            if position not in self.cache:
                generation = self._generation
                try:
                    frame = self.reader.read(position)
                except Exception:  # it is told when somebody looks at that frame
                    return
                if not self._keep(position, frame, generation):
                    return
            yield


def failed(position: Position, error: Exception, seconds: float = 0.0) -> FrameUpdate:
    """The update that tells why there is no frame.

    Examples
    --------
    >>> failed((1, 2), OSError("no such disk")).message
    'no such disk'
    """
    return FrameUpdate(position, None, True, False, told(error), error, seconds)


def told(error: Exception) -> str:
    """What a user is told of an error.

    Examples
    --------
    >>> told(ValueError("too large")), told(MemoryError())
    ('too large', 'MemoryError')
    """
    return str(error) or type(error).__name__


def _update(position: Position, frame: Frame, seconds: float) -> FrameUpdate:
    message = "" if frame.valid else DAMAGED
    return FrameUpdate(position, frame.data, True, frame.valid, message, seconds=seconds)
