"""The threads that viewers share: urgent work first, long work in small steps, one thread always free for urgent."""

from __future__ import annotations

import atexit
import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

URGENT = 1
"""Priorities up to this one may use the thread that long work leaves free."""


class Steps(Protocol):
    """Work that is done in steps."""

    priority: int

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""

    def step(self) -> bool:
        """Do the next step; whether there is more to do."""

    def end(self) -> None:
        """Called once when it is over or cancelled."""


class ThreadPool:
    """Threads that take the most urgent step; they exist while somebody has opened the pool.

    Parameters
    ----------
    threads : bool, optional
        False: none at all; whoever opened the pool calls `run_next`, as tests do.
    clock : callable, optional
        Seconds, for work that is to start later.

    Examples
    --------
    >>> pool = ThreadPool(threads=False)
    >>> pool.run_next()
    False
    """

    def __init__(self, threads: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._with_threads = threads
        self._ready: list[tuple[int, int, Steps]] = []
        self._later: list[tuple[float, int, Steps]] = []
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._users: int = 0
        self._size = 0
        self._long_threads = 1
        self._long_running = 0
        self._stopped = False
        self._process = os.getpid()

    def open(self, threads: int = 2) -> None:
        """Count one more user, who wants this many threads for long work."""
        with self._change:
            self._users += 1
            self._long_threads = max(self._long_threads, threads)
            self._start()

    def close(self) -> None:
        """Count one user less; without any the threads end once nothing is left to do."""
        with self._change:
            self._users -= 1
            self._change.notify_all()

    @property
    def alive(self) -> bool:
        """Whether somebody does the work: not once the pool was stopped, nor in a child of the process that made it."""
        return not self._stopped and self._process == os.getpid()

    def add(self, work: Steps, delay: float = 0.0) -> None:
        """Have `work` done, `delay` seconds from now at the earliest; it is ended at once where nobody does it."""
        if not self.alive:
            work.end()
            return
        with self._change:
            if delay > 0:
                heapq.heappush(self._later, (self.clock() + delay, next(self._numbers), work))
            else:
                heapq.heappush(self._ready, (work.priority, next(self._numbers), work))
            self._start()
            self._change.notify()

    def wake(self) -> None:
        """Have cancelled work looked at."""
        with self._change:
            self._change.notify_all()

    def run_next(self) -> bool:
        """Do the most urgent step in the calling thread; False where there is none to do yet."""
        while True:
            with self._change:
                found = self._next()
            if found is None:
                return False
            wanted = not found[0].cancelled
            self._do(*found)
            if wanted:
                return True

    @property
    def threads(self) -> int:
        """Threads that exist now."""
        return self._size

    def stop(self, seconds: float = 1.0) -> None:
        """End the threads after the step they are at, and wait for them so long; what was to be done is ended."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
            self._change.wait_for(lambda: self._size == 0, seconds)
            left = [work for _, _, work in (*self._ready, *self._later)]
            self._ready, self._later = [], []
        for work in left:
            work.end()

    def _start(self) -> None:
        """Start the threads that are lacking."""
        while self._with_threads and not self._stopped and self._users and self._size <= self._long_threads:
            self._size += 1
            _PoolThread(self, self._run).start()

    def _run(self) -> None:
        while True:
            with self._change:
                found = None
                while not self._stopped:
                    found = self._next()
                    if found is not None:
                        break
                    if not self._users and not self._ready and not self._later:
                        break
                    self._change.wait(self._until_next())
                if found is None:
                    self._size -= 1
                    self._change.notify_all()
                    return
            self._do(*found)

    def _until_next(self) -> float | None:
        return max(0.0, self._later[0][0] - self.clock()) if self._later else None

    def _next(self) -> tuple[Steps, bool] | None:
        """Take the most urgent work that may run now, and whether it counts as long; cancelled work never does."""
        while self._later and (self._later[0][0] <= self.clock() or self._later[0][2].cancelled):
            _, number, work = heapq.heappop(self._later)
            heapq.heappush(self._ready, (work.priority, number, work))
        if not self._ready:
            return None
        priority, _, work = self._ready[0]
        long = priority > URGENT and not work.cancelled
        if long:
            if self._long_running >= self._long_threads:
                return None
            self._long_running += 1
        heapq.heappop(self._ready)
        return work, long

    def _do(self, work: Steps, long: bool) -> None:
        """One step of `work`, which is queued again if there is more of it."""
        more = False
        try:
            more = not work.cancelled and work.step()
        finally:
            if not more:
                work.end()
            with self._change:
                if long:
                    self._long_running -= 1
                left = more and self._stopped
                if more and not left:
                    heapq.heappush(self._ready, (work.priority, next(self._numbers), work))
                self._change.notify()
            if left:
                work.end()


class _PoolThread(threading.Thread):
    def __init__(self, pool: ThreadPool, run: Callable[[], None]) -> None:
        super().__init__(target=run, name="lazy4d-view", daemon=True)
        self.pool = pool


_shared: ThreadPool | None = None
_lock = threading.Lock()


def shared_pool() -> ThreadPool:
    """The pool of this process.

    Examples
    --------
    >>> shared_pool() is shared_pool()
    True
    """
    global _shared
    with _lock:
        if _shared is None:
            _shared = ThreadPool()
            atexit.register(_shared.stop)
        return _shared


def _forget() -> None:
    """A child process has no threads: it makes its own pool."""
    global _shared, _lock
    _shared, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
