"""Timing: competitors take turns, medians are reported, and the speed of memory is measured in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numba
import numpy as np

Job = Callable[[], object]


@numba.njit(nogil=True, cache=True)
def _total(values):
    total = np.uint64(0)
    for i in range(values.size):
        total += values[i]
    return total


class MemoryLimit:
    """The sum of all native uint16 of a mapped file by as many threads as there are cores: nothing reads faster."""

    def __init__(self, path: str) -> None:
        self.values = np.memmap(path, "u2", mode="r")
        self.pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def __call__(self) -> int:
        edges = np.linspace(0, self.values.size, (os.cpu_count() or 1) + 1).astype(np.int64)
        parts = [self.values[a:b] for a, b in pairwise(edges)]
        return sum(int(x) for x in self.pool.map(_total, parts))


@dataclass
class Timings:
    """Seconds of each run of each job."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return float(np.median(self.seconds[name]))

    def spread(self, name: str) -> float:
        """Half the interquartile range over the median."""
        low, high = np.percentile(self.seconds[name], [25, 75])
        return float((high - low) / 2 / self.median(name))


def interleave(jobs: Mapping[str, Job], rounds: int, warm_up: int = 1) -> Timings:
    """Run every job in turn, `rounds` times after `warm_up` untimed ones; a job may return its own seconds."""
    timings = Timings({name: [] for name in jobs})
    for number in range(rounds + warm_up):
        for name, job in jobs.items():
            start = time.perf_counter()
            own = job()
            seconds = own if isinstance(own, float) else time.perf_counter() - start
            if number >= warm_up:
                timings.seconds[name].append(seconds)
    return timings


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned for a terminal."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]))
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
