"""Background work for viewers, where the latest request of a channel wins and stale results are never seen."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from inspect import isgenerator
from types import TracebackType
from typing import Any

from lazy4d.plot.thread_pool import ThreadPool, shared_pool

FRAME, DRAG, FULL, NAVIGATOR, PREFETCH = range(5)
"""Priorities, the most urgent first."""

JOIN_SECONDS = 5.0
"""How long closing waits for a job that does not look whether it was cancelled."""


class Cancelled(Exception):
    """Raised inside a job that a newer one replaced, or whose viewer was closed."""


@dataclass(frozen=True)
class Result:
    """What a job published.

    Parameters
    ----------
    channel : str
        What the job is for, such as ``"frame"``.
    serial : int
        Number of the job; later jobs have larger ones.
    value : object
        What was published, None with an `error`.
    final : bool
        Whether the job is done; more results of it follow otherwise.
    error : Exception or None
        What ended the job.
    seconds : float
        Time from the start of the job to this result.
    """

    channel: str
    serial: int
    value: Any
    final: bool
    error: Exception | None = None
    seconds: float = 0.0


class Job:
    """One piece of work; the function that does it is given this, to publish results and to learn that it is stale.

    Attributes
    ----------
    channel : str
        What it is for: the latest job of a channel wins.
    serial : int
        Its number; later jobs have larger ones.
    priority : int
        `FRAME`, `DRAG`, `FULL`, `NAVIGATOR` or `PREFETCH`.
    """

    def __init__(self, desk: _Desk, channel: str, serial: int, function: Callable[[Job], Any], priority: int) -> None:
        self.channel, self.serial, self.priority = channel, serial, priority
        self._desk, self._function = desk, function
        self._steps: Generator[Any, None, Any] | None = None
        self._started: float | None = None
        self._spoken = False
        self._last: Any = None
        self._cancelled = False
        self.done = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._cancelled

    def check(self) -> None:
        """Stop here if nobody waits for the result any more.

        Raises
        ------
        Cancelled
            A newer job of the channel was submitted, or the channel cancelled.
        """
        if self._cancelled:
            raise Cancelled(f"job {self.serial} of the channel {self.channel!r} is not wanted any more")

    def publish(self, value: Any, final: bool = False) -> None:
        """Hand out a result; raises `Cancelled` if nobody waits for it.

        Parameters
        ----------
        value : object
            What front ends get; an array must not be changed afterwards.
        final : bool, optional
            Whether this is the last one.
        """
        self.check()
        self._spoken, self._last = True, value
        self._desk.put(self, value, final, None)

    def step(self) -> bool:
        """Do the next piece of the work, in a thread of the pool; whether there is more to do."""
        if self._started is None:
            self._started = self._desk.clock()
        try:
            self.check()
            if self._steps is None:
                value: Any = self._function(self)
                if isgenerator(value):
                    steps: Any = value
                    self._steps = steps
                    return True
            else:
                try:
                    next(self._steps)
                    return True
                except StopIteration as stop:
                    value = stop.value
            if value is not None or self._spoken:
                self.check()
                self._desk.put(self, self._last if value is None else value, True, None)
        except Cancelled:
            pass
        except Exception as error:
            self._desk.put(self, None, True, error)
        return False

    def end(self) -> None:
        """Close what the job holds and let those who wait for it go on; called once."""
        try:
            if self._steps is not None:
                self._steps.close()
        except Exception as error:  # of a clean-up, which nobody else would hear of
            self._desk.put(self, None, True, error)
        finally:
            self._steps = None
            self._function = _nothing
            self._last = None
            self._desk.finished(self)

    @property
    def seconds(self) -> float:
        """Time since the job was started."""
        return 0.0 if self._started is None else self._desk.clock() - self._started


def _nothing(_: Job) -> None:
    """Stands for the function of a job that is over, so that what it held can be freed."""


class Worker:
    """Background jobs of one viewer: the latest job of a channel wins, results wait until the front end takes them.

    Parameters
    ----------
    threads : int, optional
        Threads for jobs that may take long; more urgent ones have another thread of their own. All workers of the
        process share them.
    notify : callable, optional
        Called without arguments from a thread of the pool whenever results are waiting; may be set later.
    pool : ThreadPool, optional
        Other threads than the shared ones, such as none at all in tests.

    Examples
    --------
    >>> with Worker() as worker:
    ...     job = worker.submit("frame", lambda job: 6 * 7)
    ...     worker.wait(10), [(r.channel, r.value, r.final) for r in worker.results()]
    (True, [('frame', 42, True)])
    """

    def __init__(
        self, threads: int = 2, notify: Callable[[], None] | None = None, *, pool: ThreadPool | None = None
    ) -> None:
        if not isinstance(threads, int) or threads < 1:
            raise ValueError(f"expected a number of threads from 1, found {threads!r}")
        self._pool = shared_pool() if pool is None else pool
        self._desk = _Desk(self._pool.clock, notify)
        self._pool.open(threads)
        self._close = weakref.finalize(self, _release, self._pool, self._desk)

    @property
    def notify(self) -> Callable[[], None] | None:
        """Called from a thread of the pool whenever results are waiting; called at once where they are already."""
        return self._desk.notify

    @notify.setter
    def notify(self, function: Callable[[], None] | None) -> None:
        self._desk.notify = function
        if function is not None and self._desk.pending:
            function()

    def submit(self, channel: str, function: Callable[[Job], Any], priority: int = FRAME, *, delay: float = 0.0) -> Job:
        """The job that will call ``function(job)`` in the background; an earlier one of the channel is cancelled.

        Parameters
        ----------
        channel : str
            What the job is for.
        function : callable
            What it returns is published as final. A generator function does a small step (20 ms at most) between one
            ``yield`` and the next: more urgent jobs run in between. It publishes through ``job.publish``; what it
            returns, or else what it published last, is its final result.
        priority : int, optional
            `FRAME`, `DRAG`, `FULL`, `NAVIGATOR` or `PREFETCH`.
        delay : float, optional
            Seconds to wait before it starts, for work that is worth it only once nothing replaces it.

        Notes
        -----
        Of a closed worker the job is cancelled at once, so that late events of a front end do no harm.
        """
        job = self._desk.new(channel, function, priority)
        if not job.cancelled:
            self._pool.add(job, delay)
        return job

    def cancel(self, channel: str | None = None) -> None:
        """Cancel the jobs of a channel, or of all, and drop their results."""
        self._desk.cancel(channel)
        self._pool.wake()

    def results(self) -> list[Result]:
        """The results that wait, oldest first, none of them stale; of several of one job only the last."""
        return self._desk.take()

    @property
    def busy(self) -> bool:
        """Whether jobs run or wait to run."""
        return self._desk.busy(None)

    def busy_in(self, *channels: str) -> bool:
        """Whether jobs of these channels run or wait to run."""
        return self._desk.busy(channels)

    def wait(self, timeout: float | None = None, channels: str | Iterable[str] | None = None) -> bool:
        """Wait until no job is left to do; False if some are after `timeout` seconds.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without it there is no end to the patience.
        channels : str or iterable of str, optional
            Only jobs of these channels.
        """
        names = None if channels is None else (channels,) if isinstance(channels, str) else tuple(channels)
        return self._desk.wait(timeout, names)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._desk.closed

    def close(self) -> None:
        """Cancel everything and wait until no job of this worker runs; may be called twice."""
        self._close()
        if self._pool.alive:
            self._desk.wait(JOIN_SECONDS, None, joining=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _release(pool: ThreadPool, desk: _Desk) -> None:
    desk.close()
    pool.close()


class _Desk:
    """The jobs and results of a worker; jobs know the desk and not the worker, so that this one can be forgotten."""

    def __init__(self, clock: Callable[[], float], notify: Callable[[], None] | None) -> None:
        self.clock, self.notify = clock, notify
        self.pending: dict[str, Result] = {}
        self.closed = False
        self._latest: dict[str, Job] = {}
        self._open: set[Job] = set()
        self._serial = 0
        self._change = threading.Condition()

    def new(self, channel: str, function: Callable[[Job], Any], priority: int) -> Job:
        """A job that has the channel from now on."""
        with self._change:
            self._drop(channel)
            self._serial += 1
            job = Job(self, channel, self._serial, function, priority)
            if self.closed:
                job._cancelled = job.done = True
            else:
                self._latest[channel] = job
                self._open.add(job)
            return job

    def _drop(self, channel: str) -> None:
        self.pending.pop(channel, None)
        earlier = self._latest.pop(channel, None)
        if earlier is not None:
            earlier._cancelled = True

    def cancel(self, channel: str | None) -> None:
        """Forget the job of a channel, or of all."""
        with self._change:
            for name in list(self._latest) if channel is None else [channel]:
                self._drop(name)

    def close(self) -> None:
        """Forget all, and take nothing any more."""
        with self._change:
            self.closed = True
            self.notify = None
        self.cancel(None)

    def put(self, job: Job, value: Any, final: bool, error: Exception | None) -> None:
        """A result of a job, unless the channel has another by now."""
        with self._change:
            if self._latest.get(job.channel) is not job:
                return
            self.pending.pop(job.channel, None)  # so that results come in the order of their last change
            self.pending[job.channel] = Result(job.channel, job.serial, value, final, error, job.seconds)
            notify = self.notify
        if notify is not None:
            try:
                notify()
            except Exception:  # a front end that is gone must not stop what others wait for
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def take(self) -> list[Result]:
        """The waiting results."""
        with self._change:
            found = list(self.pending.values())
            self.pending.clear()
            return found

    def finished(self, job: Job) -> None:
        """A job is over."""
        with self._change:
            job.done = True
            self._open.discard(job)
            self._change.notify_all()

    def busy(self, channels: tuple[str, ...] | None) -> bool:
        """Whether jobs of the channels are not over; cancelled ones that still run do not count."""
        with self._change:
            return self._waits(channels, False)

    def _waits(self, channels: tuple[str, ...] | None, joining: bool) -> bool:
        wanted = (job for job in self._open if channels is None or job.channel in channels)
        return any(joining or not job._cancelled for job in wanted)

    def wait(self, timeout: float | None, channels: tuple[str, ...] | None, *, joining: bool = False) -> bool:
        """Wait for jobs; with `joining` also for cancelled ones that still run, but never for the calling thread's."""
        end = None if timeout is None else time.monotonic() + timeout
        if joining and hasattr(threading.current_thread(), "pool"):
            return True  # a job that waited for itself would wait for ever
        with self._change:
            while self._waits(channels, joining):
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                # A cancelled job says nothing until it is over, so look now and then.
                self._change.wait(0.1 if left is None else min(left, 0.1))
            return True
