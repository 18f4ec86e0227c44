"""Memory of this process: its limit, and its peak while something runs."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any


def memory_limit() -> int:
    """Bytes this process may use: a dask worker's limit, else the machine's memory or the container's share of it."""
    worker = sys.modules.get("distributed.worker")
    if worker is not None:
        try:
            limit = worker.get_worker().memory_manager.memory_limit
        except (ValueError, AttributeError):
            limit = None
        if limit:
            return int(limit)
    import psutil

    total = int(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def memory_use() -> tuple[int, int] | None:
    """Resident bytes of this process, ``(total, anonymous)``; anonymous leaves out pages of mapped files.

    None where the operating system does not tell them apart.
    """
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Rss")}
    if "RssAnon" not in found:
        return None
    return sum(found.values()), found["RssAnon"]


class PeakMemory:
    """How far memory rises above its level at the start of a ``with`` block, sampled every 5 ms.

    Examples
    --------
    >>> with PeakMemory() as peak:
    ...     block = bytearray(2**20)
    """

    def __init__(self, interval: float = 0.005) -> None:
        self.interval = interval
        self.total: int | None = None
        self.anonymous: int | None = None
        self._stop = threading.Event()

    def __enter__(self) -> PeakMemory:
        self._start = memory_use()
        if self._start is not None:
            self.total = self.anonymous = 0
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def _look(self) -> None:
        now = memory_use()
        if now is None or self._start is None:
            return
        self.total = max(self.total or 0, now[0] - self._start[0])
        self.anonymous = max(self.anonymous or 0, now[1] - self._start[1])

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self._look()

    def __exit__(self, *_: Any) -> None:
        if self._start is not None:
            self._look()
            self._stop.set()
            self._thread.join()
