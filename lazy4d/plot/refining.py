"""The navigator of a viewer: chosen by name, shown as it is known, refined in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from lazy4d.plot.frame_requests import FrameRequests, told
from lazy4d.plot.navigators import Navigator
from lazy4d.plot.outbox import Outbox
from lazy4d.plot.updates import NavigatorUpdate
from lazy4d.plot.worker import NAVIGATOR, Cancelled, Job, Worker

OTHERS_SECONDS = 0.2
"""How often it is looked whether a navigator that somebody else works on is complete."""

MOST_IDLE = 50
"""How often in a row nothing new may be found then, before the navigator is taken for what it will be."""

PICTURE_SECONDS = 0.1
"""Between two pictures of a navigator, at least; and ten times what it takes to make one."""


class Refining:
    """The navigators of a viewer and the work on the one that is shown.

    Parameters
    ----------
    navigators : dict of Navigator
        By name; the first one is shown.
    frames : FrameRequests
        The frames that navigators are made of.
    worker : Worker
        Where jobs run.
    outbox : Outbox
        Where pictures go.
    channel : str
        Where the work is done.
    place : callable
        Gives the numpy indices of the axes before the last two, where these stand.
    clock : callable
        Seconds.

    Attributes
    ----------
    navigators : dict of Navigator
        By name.
    name : str or None
        Of the one shown.
    """

    def __init__(
        self,
        navigators: dict[str, Navigator],
        frames: FrameRequests,
        worker: Worker,
        outbox: Outbox,
        channel: str,
        place: Callable[[], tuple[int, ...]],
        clock: Callable[[], float],
    ) -> None:
        self.navigators = navigators
        self.name = next(iter(navigators), None)
        self._frames, self._worker, self._outbox = frames, worker, outbox
        self.channel = channel
        self._place, self._clock = place, clock

    @property
    def chosen(self) -> Navigator | None:
        """The navigator that is shown."""
        return None if self.name is None else self.navigators.get(self.name)

    def choose(self, name: str) -> None:
        """Show another navigator."""
        if name not in self.navigators:
            raise ValueError(f"expected one of the navigators {list(self.navigators)}, found {name!r}")
        self.name = name
        self.start()

    def replace(self, navigators: dict[str, Navigator]) -> None:
        """Show others, the one of the same name if there is one."""
        self._worker.cancel(self.channel)
        self.navigators = navigators
        if self.name not in navigators:
            self.name = next(iter(navigators), None)
        self.start()

    def image(self) -> NDArray[Any] | None:
        """The navigator as far as it is known, where the further axes stand."""
        chosen = self.chosen
        whole = None if chosen is None else chosen.image()
        return None if whole is None else whole[self._place()]

    def start(self) -> None:
        """Show the navigator as it is, and go on with the work on it."""
        name, chosen = self.name, self.chosen
        if name is None or chosen is None:
            return
        self.show()
        if chosen.complete:
            self._worker.cancel(self.channel)
        else:
            self._submit(name, chosen)

    def show(self, name: str | None = None, ended: bool = False, error: Exception | None = None) -> None:
        """Have a picture of the navigator wait, unless another one than `name` is shown by now."""
        chosen = self.chosen
        if chosen is None or name not in (None, self.name):
            return
        final, share = ended or chosen.complete, chosen.share
        whole = None
        try:
            whole = chosen.image()  # may take a while, so without the lock
        except Exception as reason:
            error, final = error or reason, True
        message = chosen.message if error is None else told(error)
        with self._outbox.lock:
            if self.name is None or self.chosen is not chosen or self._outbox.closed:
                return
            shown = None if whole is None else whole[self._place()]
            self._outbox.put(NavigatorUpdate(self.name, shown, share, final, message, error))
        self._outbox.tell()

    def close(self) -> None:
        """Cancel the work, and let go of the images; the outbox is closed before."""
        self._worker.cancel(self.channel)
        self.navigators, self.name = {}, None

    def _submit(self, name: str, chosen: Navigator, idle: int = 0) -> None:
        delay = OTHERS_SECONDS if idle else 0.0
        with self._outbox.lock:
            if not self._outbox.closed and self.name == name:
                self._worker.submit(
                    self.channel, lambda job: self._work(job, name, chosen, idle), NAVIGATOR, delay=delay
                )

    def _work(self, job: Job, name: str, chosen: Navigator, idle: int) -> Iterator[None]:
        """Steps of the work on a navigator, with a picture of it now and then."""
        if chosen.follows_frames and self._frames.preparing and self._frames.reader.waits:
            self._submit(name, chosen, 1)
            return
        before = version = chosen.version
        shown, cost = self._clock(), 0.0
        error: Exception | None = None
        try:
            for _ in chosen.steps(job.check):
                now = self._clock()
                if chosen.version != version and (not version or now - shown >= max(PICTURE_SECONDS, 10 * cost)):
                    version = chosen.version
                    self.show(name)
                    shown = self._clock()
                    cost = shown - now
                yield
                job.check()
        except Cancelled:
            raise
        except Exception as reason:
            error = reason
        if error is not None or chosen.complete or idle >= MOST_IDLE:
            self.show(name, ended=True, error=error)
            return
        # The rest is being done for somebody else: go on from where that ends.
        self.show(name)
        if not job.cancelled:
            self._submit(name, chosen, 1 if chosen.version != before else idle + 1)
