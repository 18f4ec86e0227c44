"""What runs in this process at the moment: tasks report their bytes here and learn here that they were cancelled."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

TOPIC = "lazy4d-progress"


class Cancelled(BaseException):
    """Raised inside a task whose run was interrupted; not an ``Exception``, so that no retry swallows it."""


class Job:
    """One run of `compute`: the walks it covers, who hears of progress, and how many blocks are in flight."""

    def __init__(self, walks: frozenset[str], report: Callable[[int], None]) -> None:
        self.walks = walks
        self.report = report
        self.cancelled = False
        self._running = 0
        self._idle = threading.Condition()

    def enter(self) -> None:
        """A block has started."""
        with self._idle:
            self._running += 1

    def leave(self) -> None:
        """A block has ended, whichever way."""
        with self._idle:
            self._running -= 1
            self._idle.notify_all()

    def cancel(self) -> None:
        """Ask every block in flight to stop at its next tile."""
        self.cancelled = True

    def wait_idle(self, timeout: float = 60.0) -> bool:
        """Wait until no block is in flight; False if one is still running after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, timeout)


_jobs: list[Job] = []
_cancelled_walks: set[str] = set()
_lock = threading.Lock()


@contextmanager
def listening(job: Job) -> Iterator[Job]:
    """Keep `job` known to the tasks of this process while the block runs."""
    with _lock:
        _jobs.append(job)
        _cancelled_walks.difference_update(job.walks)
    try:
        yield job
    finally:
        with _lock:
            _jobs.remove(job)


def cancel_walks(walks: frozenset[str]) -> None:
    """Stop the blocks of these walks in this process; run on every worker of a cluster by an interrupted client."""
    with _lock:
        _cancelled_walks.update(walks)


def allow_walks(walks: frozenset[str]) -> None:
    """Forget earlier cancellations of these walks; run on every worker before they are computed again."""
    with _lock:
        _cancelled_walks.difference_update(walks)


class BlockTicket:
    """What one running block holds: it asks whether to go on, and reports its bytes when done."""

    def __init__(self, walk: str) -> None:
        self.walk = walk
        with _lock:
            self._jobs = [job for job in _jobs if walk in job.walks]

    def __enter__(self) -> BlockTicket:
        for job in self._jobs:
            job.enter()
        return self

    def __exit__(self, *_: object) -> None:
        for job in self._jobs:
            job.leave()

    def check(self) -> None:
        """Raise `Cancelled` if the run this block belongs to was interrupted."""
        if self.walk in _cancelled_walks or (self._jobs and all(job.cancelled for job in self._jobs)):
            raise Cancelled(f"the run of {self.walk} was interrupted")

    def done(self, nbytes: int) -> None:
        """Report a finished block to the client, in this process or across a cluster."""
        for job in self._jobs:
            job.report(nbytes)
        if not self._jobs:
            worker = _current_worker()
            if worker is not None:
                with suppress(Exception):  # progress never breaks a computation
                    worker.log_event(TOPIC, {"walk": self.walk, "nbytes": nbytes})


def _current_worker() -> Any:
    module = sys.modules.get("distributed.worker")
    if module is None:
        return None
    try:
        return module.get_worker()
    except ValueError:
        return None
