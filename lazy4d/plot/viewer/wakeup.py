"""How news from background threads reaches the thread that a canvas belongs to, one way for each kind of canvas."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore

_PAUSE = 0.05
"""Seconds after which `wait` looks again, also where nobody notifies, such as work that was cancelled."""

Run = Callable[[], bool]
"""Does what is to be done in the canvas' thread; whether more is to come."""

_INTERVAL = 12
"""Milliseconds between two looks for news, in windows, while anything is under way."""


class Wakeup:
    """News kept until `wait` asks for it: canvases without events, as in scripts.

    Parameters
    ----------
    run : function
        Called in the canvas' thread when there is news.

    Examples
    --------
    >>> calls = []
    >>> wakeup = Wakeup(lambda: calls.append(1) or len(calls) < 3)
    >>> wakeup.notify(); wakeup.wait(5)
    True
    >>> len(calls)
    3
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._news = threading.Event()
        self._is_closed = False

    def notify(self) -> None:
        """Say, from any thread, that there is news."""
        self._news.set()

    def wake(self) -> None:
        """Say, in the canvas' thread, that news is to be expected."""

    def wait(
        self, timeout: float | None = None, pause: float = 0.05, between: Callable[[], None] | None = None
    ) -> bool:
        """Run in this thread until nothing more is to come; whether that was so within `timeout` seconds."""
        end = None if timeout is None else monotonic() + timeout
        while not self._is_closed and self._run():
            left = _PAUSE if end is None else min(_PAUSE, end - monotonic())
            if left <= 0:
                return False
            self._news.wait(left)
            self._news.clear()
            if between is not None:
                between()
        return True

    def close(self) -> None:
        """Nothing runs any more."""
        self._is_closed = True
        self._news.set()


class TimerWakeup(Wakeup):
    """News looked for by a timer of the window, which ticks only while something is under way."""

    def __init__(self, run: Run, canvas: Any) -> None:
        super().__init__(run)
        self._timer = canvas.new_timer(interval=_INTERVAL)
        self._timer.add_callback(self._tick)
        self._thread = threading.get_ident()
        self._is_running = False
        self._quiet = 0

    def notify(self) -> None:
        """Say that there is news; in the window's own thread this starts the timer, if it does not run."""
        super().notify()
        if threading.get_ident() == self._thread:
            self.wake()

    def wake(self) -> None:
        """Start looking for news."""
        self._quiet = 0
        if not self._is_running and not self._is_closed:
            self._is_running = True
            self._timer.start()

    def close(self) -> None:
        """Stop the timer."""
        super().close()
        self._stop()

    def _tick(self) -> None:
        if self._is_closed:
            return
        has_news = self._news.is_set()
        self._news.clear()
        more = self._run()
        self._quiet = 0 if more or has_news else self._quiet + 1
        if self._quiet > 2:
            self._stop()

    def _stop(self) -> None:
        if self._is_running:
            self._is_running = False
            self._timer.stop()


class LoopWakeup(Wakeup):
    """News handed to the event loop of a Jupyter kernel (or of another server), which draws between two messages."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._loop: asyncio.AbstractEventLoop | None = _event_loop()
        self._is_due = False
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Note the event loop that is running, where none was when the figure was made."""
        if self._loop is None:
            self._loop = _event_loop()
            if self._loop is not None and self._news.is_set():
                self.notify()

    def notify(self) -> None:
        """Have the news fetched by the event loop, soon and once."""
        super().notify()
        loop = self._loop
        with self._lock:
            if self._is_due or self._is_closed or loop is None or loop.is_closed():
                return
            self._is_due = True
        try:
            loop.call_soon_threadsafe(self._fetch)
        except RuntimeError:  # the loop closed meanwhile
            self._is_due = False

    def _fetch(self) -> None:
        with self._lock:
            self._is_due = False
        self._news.clear()
        if not self._is_closed:
            self._run()


def wakeup_of(canvas: Any, run: Run) -> Wakeup:
    """The way that suits a canvas.

    Examples
    --------
    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> from matplotlib.figure import Figure
    >>> type(wakeup_of(FigureCanvasAgg(Figure()), lambda: False)).__name__
    'Wakeup'
    """
    if isinstance(canvas, FigureCanvasWebAggCore):
        return LoopWakeup(run)
    if getattr(canvas, "required_interactive_framework", None) not in (None, "headless"):
        return TimerWakeup(run, canvas)
    return Wakeup(run)


def _event_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of the Jupyter kernel's main thread, else the one running in this thread, else None."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    loop = getattr(getattr(getattr(shell, "kernel", None), "io_loop", None), "asyncio_loop", None)
    if loop is not None:
        return loop
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
