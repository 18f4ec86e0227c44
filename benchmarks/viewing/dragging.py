"""Drags of a virtual detector: from the change of the ROI to an image of it, and to the exact one once it rests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import Watcher
from benchmarks.viewing.chains import chained
from benchmarks.viewing.scan_files import KnownScan, leave_page_cache

PATIENCE = 600.0
ALLOWED = 0.35
"""Of the mean of the exact image: how far the quick one may be from it, root mean square; most where the disk is as
small as a bin and lies on the rim of the beam."""


def drag_path(steps: int, middle: float = 128.0) -> Iterator[tuple[float, float, float]]:
    """Centre (x, y) and radius of a disk: moved about the middle, and resized."""
    for k in range(steps):
        turn = 2 * np.pi * k / 50
        yield middle + 30 * np.cos(turn), middle + 20 * np.sin(turn), 18 + 10 * np.sin(0.7 * turn)


def drag(path: str, chain: str, steps: int, during_pass: bool, cold: bool) -> dict[str, Any]:
    """Latencies of drags, quick images compared with the truth; the last one is waited for until it is exact."""
    import lazy4d as l4
    from lazy4d.plot.detectors.controller import DetectorController
    from lazy4d.plot.worker import NAVIGATOR, Job, Worker
    from lazy4d.signals.overview import OverviewPass, overview_of

    known = KnownScan(Path(path))
    left = leave_page_cache(Path(path)) if cold else float("nan")
    signal = chained(l4.load(path), chain)
    overview = overview_of(signal)
    begun = threading.Event()

    def work(job: Job) -> Iterator[None]:
        for _ in OverviewPass(signal, overview).steps():
            job.check()
            if overview.proxy is not None:
                begun.set()
            yield

    passing = Worker()
    passing.submit("pass", work, NAVIGATOR)
    if during_pass:
        begun.wait(PATIENCE)
    elif not passing.wait(PATIENCE):
        raise TimeoutError(f"the pass over {path} takes longer than {PATIENCE:.0f} s")
    middle = 0.0 if chain == "centred" else 128.0  # of the frame, in the values of the axes
    roi = l4.CircleROI(middle, middle, 20.0)
    detectors = DetectorController(signal, {"detector": roi}, overview=overview)
    watcher = Watcher()
    news = threading.Event()
    detectors.notify = news.set
    state = ""

    def next_state() -> Any:
        nonlocal state
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            news.wait(0.05)
            news.clear()
            for found in detectors.updates():
                if found.problem:
                    raise AssertionError(f"the detector says: {found.problem}")
                if found.state != state:
                    state = found.state
                    return found
        raise TimeoutError(f"no image of the detector after {PATIENCE:.0f} s")

    next_state()
    seconds, errors, share = [], [], float(overview.share)
    for k, (x, y, r) in enumerate(drag_path(steps, middle)):
        start = time.perf_counter()
        roi.trait_set(cx=x, cy=y, r=r)
        found = next_state()
        seconds.append(time.perf_counter() - start)
        if chain == "raw" and k % 10 == 0 and not during_pass:
            exact = known.image(_mask(signal.frame_shape, x, y, r))
            errors.append(float(np.sqrt(np.nanmean((found.values - _binned(exact, overview)) ** 2)) / exact.mean()))
        time.sleep(0.01)
    if errors and max(errors) > ALLOWED:
        raise AssertionError(f"the quick images are up to {100 * max(errors):.1f} % off")
    last = float(overview.share)
    passing.cancel()  # so that the exact image has the machine for itself
    start = time.perf_counter()
    if not detectors.wait(PATIENCE):
        raise TimeoutError(f"no exact image after {PATIENCE:.0f} s")
    resting = time.perf_counter() - start
    if chain == "raw":
        exact = known.image(_mask(signal.frame_shape, x, y, r))
        if not np.array_equal(detectors.measured("detector").values, exact):
            raise AssertionError("the image at rest is not the exact one")
    total, anonymous = watcher.end()
    detectors.close()
    passing.close()
    proxy = overview.proxy
    return {
        "p50": float(np.percentile(seconds, 50)),
        "p95": float(np.percentile(seconds, 95)),
        "worst": max(seconds),
        "error": max(errors, default=float("nan")),
        "shares": [share, last],
        "rest": resting,
        "proxy": None if proxy is None else int(proxy.nbytes),
        "left": left,
        "total": total,
        "anonymous": anonymous,
    }


def _binned(exact: np.ndarray, overview: Any) -> np.ndarray:
    """The exact image as a copy in bins can show it: neighbours in this file have nothing to do with each other."""
    layout = overview.proxy.layout
    return layout.spread(layout.gathered(exact) / layout.gathered(np.ones_like(exact)))


def _mask(shape: tuple[int, int], x: float, y: float, r: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.hypot(columns - x, rows - y) < r


def proxy_worst_case(path: str, steps: int) -> dict[str, Any]:
    """Seconds of single detectors on the small copy of a whole scan: any disk, without one near it asked before."""
    import lazy4d as l4
    from lazy4d.signals.overview import OverviewPass, overview_of

    signal = l4.load(path)
    overview = overview_of(signal)
    for _ in OverviewPass(signal, overview).steps():
        pass
    random = np.random.default_rng(7)
    rows, columns = np.indices(signal.frame_shape)
    seconds = []
    for _ in range(steps):
        x, y, r = random.uniform(40, 216), random.uniform(40, 216), random.uniform(10, 120)
        mask = np.hypot(columns - x, rows - y) < r
        start = time.perf_counter()
        overview.proxy.image(mask)
        seconds.append(time.perf_counter() - start)
    return {
        "p50": float(np.percentile(seconds, 50)),
        "p95": float(np.percentile(seconds, 95)),
        "worst": max(seconds),
        "proxy": int(overview.proxy.nbytes),
        "scan": list(signal.nav_shape),
    }
