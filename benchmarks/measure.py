"""Timing: competitors take turns, medians are reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Job = Callable[[], object]


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
