"""Navigation steps: from the position being set to its frame being there for the front end."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import Watcher
from benchmarks.viewing.chains import chained, expected_frame, same
from benchmarks.viewing.scan_files import KnownScan, leave_page_cache

PATIENCE = 120.0
THINKING = 0.02
"""Seconds between two steps: nobody clicks faster, and a pass in the background gets on meanwhile."""


def positions(shape: tuple[int, int], order: str, steps: int) -> list[tuple[int, int]]:
    """Positions (x, y): "walk", back and forth along the rows from the middle; "jump", anywhere."""
    rows, columns = shape
    if order == "jump":
        random = np.random.default_rng(5)
        return [(int(random.integers(columns)), int(random.integers(rows))) for _ in range(steps)]
    found = []
    width = min(columns // 2, 25)
    for k in range(steps):
        row, column = divmod(k, width)
        found.append((columns // 3 + (column if row % 2 == 0 else width - 1 - column), (rows // 2 + row) % rows))
    return found


def navigate(path: str, chain: str, order: str, steps: int, during_pass: bool, cold: bool) -> dict[str, Any]:
    """Latencies of steps, each of whose frames is checked; the navigator's pass runs meanwhile or there is none."""
    import lazy4d as l4
    from lazy4d.plot.controller import ViewController

    known = KnownScan(Path(path))
    left = leave_page_cache(Path(path)) if cold else float("nan")
    signal = chained(l4.load(path), chain)
    watcher = Watcher()
    news = threading.Event()
    view = ViewController(signal, "auto" if during_pass else None, notify=news.set)

    def wait_for_frame(place: tuple[int, int]) -> Any:
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            news.wait(1.0)
            news.clear()
            for update in view.updates():
                if update.what != "position" and update.error is not None:
                    raise update.error
                if update.what == "frame" and update.final and update.position == place:
                    return update.data
        raise TimeoutError(f"no frame of {place} after {PATIENCE:.0f} s")

    wait_for_frame(tuple(view.position))
    begun = time.perf_counter()
    while during_pass and not view.navigator.share and time.perf_counter() < begun + PATIENCE:
        time.sleep(0.01)
    before, seconds, wrong = view.navigator.share if during_pass else 0.0, [], 0
    for place in positions(known.scan_shape, order, steps):
        if place == tuple(view.position):
            continue
        start = time.perf_counter()
        view.position = place
        frame = wait_for_frame(place)
        seconds.append(time.perf_counter() - start)
        wrong += not same(frame, expected_frame(known.frame(place[1], place[0]), chain))
        time.sleep(THINKING)
    if wrong:
        raise AssertionError(f"{wrong} of {len(seconds)} frames shown are not those of their position ({chain})")
    share = view.navigator.share if during_pass else 0.0
    total, anonymous = watcher.end()
    view.close()
    return {
        "p50": float(np.percentile(seconds, 50)),
        "p95": float(np.percentile(seconds, 95)),
        "worst": max(seconds),
        "shares": [before, share],
        "left": left,
        "total": total,
        "anonymous": anonymous,
    }
