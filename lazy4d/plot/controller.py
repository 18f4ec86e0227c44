"""What a viewer does, without drawing: where it stands, which frame belongs there, the navigator as it sharpens."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from numpy.typing import NDArray

from lazy4d.plot.frame_cache import Position
from lazy4d.plot.frame_requests import FrameRequests
from lazy4d.plot.navigators import Navigator, navigators_of
from lazy4d.plot.outbox import Outbox
from lazy4d.plot.refining import Refining
from lazy4d.plot.updates import PositionUpdate, Update
from lazy4d.plot.worker import Worker

CACHE_BYTES = 32 * 2**20
"""Bytes of frames that a viewer keeps by default."""

PASSING_SECONDS = 0.1
"""A frame that the viewer has passed by is shown only where nothing was shown for so long."""

_numbers = itertools.count()


class ViewController:
    """The state of a viewer of a signal; front ends set the position, take the updates and draw.

    Parameters
    ----------
    signal : BaseSignal
        What is shown, of any number of navigation axes.
    navigator : "auto", signal, ndarray, dict of these, or None
        The image in which positions are picked: what is known of the scan already and is refined in the background;
        one of your own; several by name, to choose from; or none.
    worker : Worker, optional
        Where jobs run; otherwise the controller has its own, and closes it.
    cache_bytes : int, optional
        Bytes of frames that are kept.
    notify : callable, optional
        Called, from any thread, whenever updates are waiting.
    passing : float or None, optional
        While the position moves on faster than frames can be read, one that was passed is shown if nothing was shown
        for this many seconds; None: never.

    Attributes
    ----------
    signal : BaseSignal
        What is shown.
    worker : Worker
        Where jobs run.

    Notes
    -----
    The position is that of ``signal.axes_manager``, which is followed and driven. The latest request wins: a frame of
    another place than where the viewer stands is never handed out as final. Frames in the direction of travel are
    fetched ahead. Methods are for the front end's thread; the position may be set from any.

    Examples
    --------
    >>> with ViewController(d, navigator=d.sum("kx").sum("ky").compute()) as view:
    ...     view.position = (3, 1)
    ...     view.wait(30)
    ...     [update.position for update in view.updates() if update.what == "frame"]
    True
    [(3, 1)]
    """

    def __init__(
        self,
        signal: Any,
        navigator: Any = "auto",
        worker: Worker | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
        notify: Callable[[], None] | None = None,
        passing: float | None = PASSING_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.signal = signal
        self._axes = signal.axes_manager
        self._given = navigator
        navigators = navigators_of(signal, navigator)
        self._owns_worker = worker is None
        self.worker = Worker() if worker is None else worker
        self._outbox = Outbox(notify)
        self._position: Position = tuple(self._axes.indices)
        view = f"view-{next(_numbers)}-"
        self._frames = FrameRequests(signal, self.worker, self._outbox, view, cache_bytes, passing, clock)
        self._refining = Refining(
            navigators, self._frames, self.worker, self._outbox, f"{view}navigator", self._further, clock
        )
        self._axes.observe(self._moved, "indices")
        self._frames.ask()
        self._refining.start()

    # -- where it stands ---------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """The indices shown, x-first; assign to go there."""
        return self._position

    @position.setter
    def position(self, indices: Iterable[int]) -> None:
        self._axes.indices = tuple(indices)

    def move(self, *steps: int) -> None:
        """Go some steps on along each navigation axis, x-first, as far as the scan reaches."""
        shape = self._axes.navigation_shape
        if len(steps) > len(shape):
            raise ValueError(f"expected at most {len(shape)} steps, one for each navigation axis, found {steps}")
        all_steps = (*steps, *(0,) * (len(shape) - len(steps)))
        self.position = [
            min(max(p + int(s), 0), n - 1) for p, s, n in zip(self._position, all_steps, shape, strict=True)
        ]

    @property
    def navigator_axes(self) -> tuple[Any, ...]:
        """The navigation axes of the navigator, x-first: two, or one for a scan of one axis, or none."""
        return tuple(self._axes.navigation_axes[:2])

    @property
    def slider_axes(self) -> tuple[Any, ...]:
        """The further navigation axes, x-first, for which a viewer has sliders."""
        return tuple(self._axes.navigation_axes[2:])

    def _further(self) -> tuple[int, ...]:
        """Where the further navigation axes stand, numpy order."""
        return tuple(reversed(self._position[2:]))

    def _moved(self, event: Any) -> None:
        """The axes' indices were set, here or by anybody else."""
        with self._outbox.lock:
            before, position = self._position, tuple(self._axes.indices)
            if self._outbox.closed or position == before:
                return
            self._position = position
            self._frames.go(position)
            self._outbox.put(PositionUpdate(position))
        self._outbox.tell()
        if before[2:] != position[2:]:
            self._refining.show()
        self._frames.ask()

    def refresh(self) -> None:
        """Read the frame and make the navigator again, after data in memory were changed."""
        self._frames.refresh()
        self._refining.replace(navigators_of(self.signal, self._given))

    # -- navigator ---------------------------------------------------------------------------------------------------

    @property
    def navigators(self) -> Mapping[str, Navigator]:
        """The images to choose from, by name."""
        return self._refining.navigators

    @property
    def navigator_name(self) -> str | None:
        """Which navigator is shown."""
        return self._refining.name

    @property
    def navigator(self) -> Navigator | None:
        """The navigator that is shown."""
        return self._refining.chosen

    def choose(self, name: str) -> None:
        """Show another navigator."""
        self._refining.choose(name)

    @property
    def navigator_image(self) -> NDArray[Any] | None:
        """The navigator as far as it is known: real ``[rows, columns]``, or ``[positions]`` of a scan of one axis."""
        return self._refining.image()

    # -- to the front end --------------------------------------------------------------------------------------------

    @property
    def notify(self) -> Callable[[], None] | None:
        """Called, from any thread, whenever updates are waiting; at once where some are already."""
        return self._outbox.notify

    @notify.setter
    def notify(self, function: Callable[[], None] | None) -> None:
        if not self._outbox.closed:
            self._outbox.notify = function
            self._outbox.tell()

    def updates(self) -> list[Update]:
        """What changed since the last call, oldest first: of each kind only the last."""
        return self._outbox.take()

    @property
    def busy(self) -> bool:
        """Whether updates wait or are to come: the frame or the navigator is not yet what it should be."""
        # The worker first: asked the other way round, a job that ends in between would have left its update unseen.
        return self.worker.busy_in(*self._frames.channels, self._refining.channel) or len(self._outbox) > 0

    def wait(self, timeout: float | None = None, *, navigator: bool = True) -> bool:
        """Wait until the frame, and the navigator, are final; False if they are not after `timeout` seconds.

        Parameters
        ----------
        timeout : float, optional
            Seconds.
        navigator : bool, optional
            Whether to wait for the navigator too, which may take a pass over the file.
        """
        channels = self._frames.channels
        return self.worker.wait(timeout, (*channels, self._refining.channel) if navigator else channels)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._outbox.closed

    def close(self) -> None:
        """Stop everything and let go of all frames; may be called twice."""
        if not self._outbox.close():
            return
        self._axes.observe(self._moved, "indices", remove=True)
        self._frames.close()
        self._refining.close()
        if self._owns_worker:
            self.worker.close()

    def __enter__(self) -> ViewController:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
