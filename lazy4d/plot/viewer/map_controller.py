"""Maps of a scan as a viewer shows them, computed row by row where they are still lazy; no drawing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.peek import Peek
from lazy4d.plot.detectors.portions import spread
from lazy4d.plot.outbox import Outbox
from lazy4d.plot.updates import NavigatorUpdate, PositionUpdate, Update
from lazy4d.plot.worker import FULL, Job, Worker

_PICTURE_SECONDS = 0.15
"""Between two pictures of a map that is being computed."""

_numbers = itertools.count()


class MapController:
    """The state of a viewer of numbers over a scan: of its first two axes, where the further ones stand.

    Parameters
    ----------
    signal : BaseSignal
        One number, or two or three (a displacement, a colour), at each position.
    worker : Worker, optional
        Where a lazy map is computed; otherwise the controller has its own, and closes it.
    notify : callable, optional
        Called, from any thread, whenever updates are waiting.

    Examples
    --------
    >>> with MapController(d.get_virtual_image(l4.CircleROI(8, 8, 3))) as view:
    ...     view.wait(30), view.updates()[-1].image.shape, view.share
    (True, (4, 4), 1.0)
    """

    def __init__(self, signal: Any, worker: Worker | None = None, notify: Callable[[], None] | None = None) -> None:
        self.signal = signal
        self._axes = signal.axes_manager
        self._owns_worker = worker is None
        self.worker = Worker() if worker is None else worker
        self._outbox = Outbox(notify)
        self._position = tuple(self._axes.indices)
        self._channel = f"map-{next(_numbers)}"
        self._error: Exception | None = None
        self._values = self._known = np.zeros(0)
        if signal.lazy:
            self._values = np.full(signal.shape, np.nan, np.result_type(signal.dtype, np.float32))
            self._known = np.zeros(max(1, int(np.prod(signal.nav_shape[:-1]))), bool)
            self.worker.submit(self._channel, self._compute, FULL)
        else:
            self._values, self._known = signal.data, np.ones(1, bool)
        self._axes.observe(self._moved, "indices")
        self._show()

    @property
    def position(self) -> tuple[int, ...]:
        """The indices, x-first; assign to go there."""
        return self._position

    @position.setter
    def position(self, indices: Iterable[int]) -> None:
        self._axes.indices = tuple(indices)

    @property
    def slider_axes(self) -> tuple[Any, ...]:
        """The further navigation axes, x-first, for which a viewer has sliders."""
        return tuple(self._axes.navigation_axes[2:])

    @property
    def share(self) -> float:
        """How much of the map is known, 0 to 1."""
        return float(self._known.mean())

    @property
    def values(self) -> NDArray[Any]:
        """The whole map as far as it is known, NaN elsewhere."""
        return self._values

    @property
    def notify(self) -> Callable[[], None] | None:
        """Called, from any thread, whenever updates are waiting."""
        return self._outbox.notify

    @notify.setter
    def notify(self, function: Callable[[], None] | None) -> None:
        if not self._outbox.closed:
            self._outbox.notify = function

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._outbox.closed

    def updates(self) -> list[Update]:
        """What changed since the last call."""
        return self._outbox.take()

    @property
    def busy(self) -> bool:
        """Whether the map is still to become complete."""
        return self.worker.busy_in(self._channel) or len(self._outbox) > 0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the map is complete; False if it is not after `timeout` seconds."""
        return self.worker.wait(timeout, self._channel)

    def close(self) -> None:
        """Stop everything; may be called twice."""
        if not self._outbox.close():
            return
        self._axes.observe(self._moved, "indices", remove=True)
        self.worker.cancel(self._channel)
        if self._owns_worker:
            self.worker.close()

    def __enter__(self) -> MapController:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _compute(self, job: Job) -> Iterator[None]:
        """Rows far apart first, then those between them, with a picture now and then."""
        outer = self.signal.nav_shape[:-1]
        rows = self._values.reshape(-1, *self._values.shape[len(outer) :])
        try:
            peek = Peek(self.signal.frames)
            if peek.needs_whole_scan:
                peek.prepare(job.check)
            told = monotonic()
            for row in spread(len(rows), 1 << (len(rows) - 1).bit_length()):
                place = [int(i) for i in np.unravel_index(row, outer)] if outer else []
                box = (*(slice(i, i + 1) for i in place), slice(0, self.signal.nav_shape[-1]))
                rows[row] = np.asarray(peek(box)[0]).reshape(rows.shape[1:])
                valid = peek.valid(box)
                if valid is not None:
                    rows[row][~np.asarray(valid).reshape(-1)] = np.nan
                self._known[row] = True
                if monotonic() - told > _PICTURE_SECONDS:
                    told = monotonic()
                    self._show()
                yield
                job.check()
        except Exception as error:
            if not job.cancelled:
                self._error = error
                self._show()
            return
        self._show()

    def _moved(self, event: Any) -> None:
        with self._outbox.lock:
            before, self._position = self._position, tuple(self._axes.indices)
            if before == self._position or self.closed:
                return
            self._outbox.put(PositionUpdate(self._position))
        self._outbox.tell()
        if before[2:] != self._position[2:]:
            self._show()

    def _show(self) -> None:
        further = tuple(reversed(self._position[2:]))
        image = self._filled()[further]
        done = bool(self._known.all())
        message = str(self._error or "")
        self._outbox.put(
            NavigatorUpdate(self.signal.title, image, self.share, done or self._error is not None, message, self._error)
        )
        self._outbox.tell()

    def _filled(self) -> NDArray[Any]:
        """The map, rows that are not known like the nearest one before them."""
        known = np.flatnonzero(self._known)
        if known.size == self._known.size or not known.size:
            return self._values
        nearest = known[np.clip(np.searchsorted(known, np.arange(self._known.size), "right") - 1, 0, None)]
        rows = self._values.reshape(self._known.size, -1)
        return rows[nearest].reshape(self._values.shape)
