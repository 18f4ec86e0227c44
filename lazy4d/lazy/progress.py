"""One progress adapter: blocks report their bytes from threads or from workers, a bar or a callable hears of them."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lazy4d.lazy import jobs

Report = Callable[[int], None]


@contextmanager
def progress_of(setting: Any, total: int, walks: frozenset[str], local: bool) -> Iterator[Report]:
    """A function that takes the bytes of each finished block, shown as `setting` asks.

    Parameters
    ----------
    setting : bool or callable
        A bar, nothing, or ``setting(bytes_done, bytes_total)``.
    total : int
        Bytes in all.
    walks : frozenset of str
        The walks whose reports from a cluster belong to this run.
    local : bool
        Whether tasks run in this process; otherwise reports come through the cluster's scheduler.
    """
    if setting is False or total == 0:
        yield _silent
        return
    lock = threading.Lock()
    with _shown(setting, total) as show:

        def report(nbytes: int) -> None:
            with lock:
                show(nbytes)

        if local:
            yield report
        else:
            with _from_cluster(walks, report):
                yield report


def _silent(nbytes: int) -> None:
    """Nobody listens."""


@contextmanager
def _shown(setting: Any, total: int) -> Iterator[Report]:
    if callable(setting):
        done = 0

        def call(nbytes: int) -> None:
            nonlocal done
            done += nbytes
            setting(min(done, total), total)

        yield call
        return
    bar = _bar(total)
    try:
        yield lambda nbytes: _advance(bar, nbytes, total)
    finally:
        bar.close()


def _advance(bar: Any, nbytes: int, total: int) -> None:
    bar.update(min(nbytes, total - bar.n))


def _bar(total: int) -> Any:
    """A bar for a notebook where the page can show one, else for the terminal; none into files and pipes."""
    settings: dict[str, Any] = {
        "total": total,
        "unit": "B",
        "unit_scale": True,
        "dynamic_ncols": True,
        "leave": True,
        "delay": 0.5,
    }
    if _in_notebook():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tqdm warns where ipywidgets is missing, and then draws a text bar
            from tqdm.autonotebook import tqdm

            return tqdm(**settings)
    from tqdm import tqdm

    return tqdm(**settings, disable=not sys.stderr.isatty())


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


@contextmanager
def _from_cluster(walks: frozenset[str], report: Report) -> Iterator[None]:
    """Hear the events that tasks log on their workers."""
    from distributed import get_client

    client = get_client()
    heard = threading.Event()

    def handler(event: Any) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("walk") in walks:
            report(int(message["nbytes"]))
        heard.set()

    client.subscribe_topic(jobs.TOPIC, handler)
    try:
        yield
        deadline = time.monotonic() + 0.2  # the last reports may still be on their way when the results are there
        while time.monotonic() < deadline and heard.wait(0.05):
            heard.clear()
    finally:
        client.unsubscribe_topic(jobs.TOPIC)
