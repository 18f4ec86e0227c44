"""How long a graph over 1.6 TB takes to build, and how large it is when pickled."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np

import lazy4d as l4
from benchmarks.measure import table

ROWS, COLUMNS = 2048, 3072


def sparse_file(folder: Path, rows: int, columns: int) -> Path:
    """A file that claims to hold float32 frames of 256 x 256 and takes no room on disk."""
    path = folder / f"sparse-{rows}x{columns}.raw"
    with open(path, "wb") as file:
        file.truncate(rows * columns * 256 * 256 * 4)
    return path


def report(folder: Path, rounds: int) -> str:
    """Milliseconds and kilobytes, against the targets."""
    path = sparse_file(folder, ROWS, COLUMNS)

    def load() -> l4.Diffraction2D:
        return l4.load(path, scan_shape=(ROWS, COLUMNS), frame_shape=(256, 256), dtype="<f4")

    signal = load()
    mask = np.random.default_rng(0).random((ROWS, COLUMNS)) < 0.5
    roi = l4.CircleROI(128, 128, 90, r_inner=40)
    work = {
        "map (virtual image)": (lambda: signal.get_virtual_image(roi), "50 ms"),
        "select (inav, isig)": (lambda: signal.inav[100:, ::2].isig[10:200, :], "50 ms"),
        "select by mask": (lambda: signal.inav[mask], "50 ms"),
        "arithmetic (s * 2 - 1)": (lambda: signal * 2 - 1, "50 ms"),
        "tree reduction (sum)": (lambda: signal.sum(), "150 ms"),
    }
    rows = [["load 1.6 TB", f"{_median(load, rounds):.1f} ms", "<= 50 ms", "", ""]]
    for name, (job, target) in work.items():
        milliseconds = _median(lambda job=job: job().data.dask, rounds)
        size = len(pickle.dumps(job().data.dask))
        rows.append([name, f"{milliseconds:.1f} ms", f"<= {target}", f"{size / 1e3:.0f} kB", "<= 1000 kB"])
    path.unlink()
    return table(["graph of 1.6 TB", "median", "target", "pickled", "target"], rows)


def _median(job, rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)) * 1e3
