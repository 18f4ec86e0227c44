"""The navigator's pass over a file: its speed, and that of a plain sum of each frame over the same file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import Watcher
from benchmarks.viewing.scan_files import KnownScan, leave_page_cache


def navigator_pass(path: str, cold: bool) -> dict[str, Any]:
    """All steps of one pass, one after the other in one thread; what it found is checked."""
    import lazy4d as l4
    from lazy4d.signals.overview import OverviewPass, overview_of

    known = KnownScan(Path(path))
    left = leave_page_cache(Path(path)) if cold else float("nan")
    signal = l4.load(path)
    watcher = Watcher()
    overview = overview_of(signal)
    steps, first = [], float("nan")
    begin = start = time.perf_counter()
    for share in OverviewPass(signal, overview).steps():
        now = time.perf_counter()
        steps.append(now - start)
        if share > 0 and np.isnan(first):
            first = now - begin
        start = now
    seconds = time.perf_counter() - begin
    total, anonymous = watcher.end()
    if not np.array_equal(overview.navigator, known.image(np.ones(signal.frame_shape))):
        raise AssertionError("the navigator is not the sum of each frame")
    return {
        "seconds": seconds,
        "nbytes": _nbytes(known),
        "first": first,
        "step": [float(np.percentile(steps, 50)), float(np.percentile(steps, 95)), max(steps)],
        "left": left,
        "total": total,
        "anonymous": anonymous,
    }


def plain_sum(path: str, cold: bool, threads: int | None) -> dict[str, Any]:
    """The sum of each frame by the ordinary call; `threads` of dask, or as many as there are processors."""
    import dask

    import lazy4d as l4

    known = KnownScan(Path(path))
    left = leave_page_cache(Path(path)) if cold else float("nan")
    signal = l4.load(path)
    settings = {} if threads is None else {"num_workers": threads}
    start = time.perf_counter()
    with dask.config.set(**settings), l4.set_options(progress=False):
        image = signal.sum(axis=("kx", "ky")).as_numpy()
    seconds = time.perf_counter() - start
    if not np.array_equal(image, known.image(np.ones(signal.frame_shape))):
        raise AssertionError("the sums are wrong")
    return {"seconds": seconds, "nbytes": _nbytes(known), "left": left}


def second_opening(path: str) -> dict[str, Any]:
    """Seconds until the complete navigator is there when the file was seen before, in the process before this one."""
    import lazy4d as l4
    from lazy4d.signals.overview import overview_of

    known = KnownScan(Path(path))
    start = time.perf_counter()
    overview = overview_of(l4.load(path))
    image = overview.image()
    seconds = time.perf_counter() - start
    if not overview.complete or not np.array_equal(image, known.image(np.ones((256, 256)))):
        raise AssertionError(f"the overview of {path} was not kept: {overview!r}")
    return {"seconds": seconds}


def _nbytes(known: KnownScan) -> int:
    return int(np.prod(known.scan_shape)) * known.pool[0].nbytes
