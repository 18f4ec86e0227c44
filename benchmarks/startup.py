"""What a user waits for before any work: import, load, one frame, the first kernel of a new process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import lazy4d as l4
from benchmarks.measure import table

FIRST_KERNEL = """
import time
start = time.perf_counter()
import lazy4d as l4
imported = time.perf_counter() - start
signal = l4.load({path!r})
start = time.perf_counter()
signal.inav[:, :1].get_virtual_image(l4.CircleROI(128, 128, 90, r_inner=40)).compute()
print(imported, time.perf_counter() - start)
"""


def report(path: Path, rounds: int) -> str:
    """Medians, against the targets."""
    rows = []
    import_seconds, kernel_seconds = [], []
    for number in range(rounds + 1):
        code = FIRST_KERNEL.format(path=str(path))
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        if number:  # the first process may still fill the cache of compiled kernels
            imported, first = map(float, out.split())
            import_seconds.append(imported)
            kernel_seconds.append(first)
    rows.append(_row("import lazy4d", import_seconds, "600 ms"))
    rows.append(_row("first kernel of a second process", kernel_seconds, "1000 ms"))
    rows.append(_row("load a Merlin file", _times(lambda: l4.load(path), rounds), "20 ms"))
    signal = l4.load(path)
    nx, ny = signal.axes_manager.navigation_shape
    rng = np.random.default_rng(0)
    frames = [(int(rng.integers(nx)), int(rng.integers(ny))) for _ in range(rounds * 2 + 1)]
    rows.append(_row("one frame", _times(lambda: signal.inav[frames.pop()].compute(), rounds * 2), "2 ms"))
    return table(["what", "median", "target"], rows)


def _times(job, rounds: int) -> list[float]:
    seconds = []
    job()  # imports
    for _ in range(rounds):
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
    return seconds


def _row(name: str, seconds: list[float], target: str) -> list[str]:
    return [name, f"{np.median(seconds) * 1e3:.1f} ms", f"<= {target}"]
