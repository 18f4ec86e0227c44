"""From `load` to the first frame and the first navigator: seconds, and bytes read for them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import Watcher
from benchmarks.viewing.scan_files import KnownScan, bytes_read, leave_page_cache

PATIENCE = 120.0


def first_picture(path: str, load: dict[str, Any], cold: bool, warm_up: str = "") -> dict[str, Any]:
    """Load, look, and stop; in a new process, which may have loaded and looked at another file before."""
    import lazy4d as l4
    from lazy4d.plot.controller import ViewController

    if warm_up:  # what is imported late is imported then, and its bytes do not count
        with ViewController(l4.load(warm_up)) as view:
            view.wait(PATIENCE)
    known = KnownScan(Path(path)) if path.endswith(".mib") else None
    left = leave_page_cache(Path(path)) if cold else float("nan")
    watcher = Watcher()
    news = threading.Event()
    found: dict[str, Any] = {}
    asked, fetched = bytes_read()
    start = time.perf_counter()
    signal = l4.load(path, **load)
    seconds = {"load": time.perf_counter() - start}
    view = ViewController(signal, notify=news.set)
    bytes_at = {}
    while not {"frame", "navigator"} <= set(found):
        if not news.wait(PATIENCE):
            raise TimeoutError(f"no picture of {path} after {PATIENCE:.0f} s, only {list(found)}")
        news.clear()
        for update in view.updates():
            if update.what not in ("frame", "navigator") or update.what in found:
                continue
            if update.error is not None:
                raise update.error
            image = update.data if update.what == "frame" else update.image
            if image is not None:
                found[update.what] = update
                seconds[update.what] = time.perf_counter() - start
                bytes_at[update.what] = bytes_read()
    anonymous = watcher.end()[1]
    overview = view.navigator.overview
    view.close()
    _check(known, found["frame"].data, overview)
    return {
        "seconds": seconds,
        "asked": {name: count[0] - asked for name, count in bytes_at.items()},
        "fetched": {name: count[1] - fetched for name, count in bytes_at.items()},
        "share": found["navigator"].share,
        "left": left,
        "anonymous": anonymous,
    }


def _check(known: KnownScan | None, frame: np.ndarray, overview: Any) -> None:
    """The frame is that of position 0; what is known of the navigator is the sum of each frame."""
    expected = np.zeros(frame.shape) if known is None else known.frame(0, 0)
    if not np.array_equal(frame, expected):
        raise AssertionError("the frame shown is not that of the first position")
    seen = np.argwhere(overview.known)[:1000]
    for place in seen:
        total = 0 if known is None else known.frame(*place).sum(dtype="f8")
        if overview.navigator[tuple(place)] != total:
            raise AssertionError(f"the navigator at {place} is not the sum of the frame there")
    if not len(seen):
        raise AssertionError("the navigator shows something before it knows anything")


def plot_returns(path: str, load: dict[str, Any]) -> dict[str, Any]:
    """Seconds until ``s.plot()`` returns, imports of matplotlib included, and of a second one."""
    import lazy4d as l4

    start = time.perf_counter()
    signal = l4.load(path, **load)
    viewer = signal.plot()
    first = time.perf_counter() - start
    viewer.close()
    start = time.perf_counter()
    viewer = signal.plot()
    second = time.perf_counter() - start
    viewer.close()
    return {"first": first, "second": second}
