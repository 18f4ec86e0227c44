"""Updates that wait until a front end takes them, of each kind only the last."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lazy4d.plot.updates import Update


class Outbox:
    """Waiting updates; several threads may put them, one takes them.

    Parameters
    ----------
    notify : callable, optional
        Called, from any thread, whenever updates wait.

    Attributes
    ----------
    lock : RLock
        Held while updates are put and taken; whoever decides whether one is still wanted holds it meanwhile.
    closed : bool
        Whether nobody takes updates any more.

    Examples
    --------
    >>> from lazy4d.plot.updates import PositionUpdate
    >>> outbox = Outbox()
    >>> outbox.put(PositionUpdate((1, 2))), outbox.put(PositionUpdate((3, 4)))
    (None, None)
    >>> outbox.take(), outbox.take()
    ([PositionUpdate(position=(3, 4), what='position')], [])
    """

    def __init__(self, notify: Callable[[], None] | None = None) -> None:
        self.lock = threading.RLock()
        self.notify = notify
        self.closed = False
        self._waiting: dict[str, Update] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, update: Update) -> None:
        """Have an update wait, after those that wait already and in place of another of its kind."""
        with self.lock:
            self.withdraw(update.what)
            if not self.closed:
                self._waiting[update.what] = update

    def withdraw(self, what: str) -> Update | None:
        """Take back the update of a kind that nobody has taken yet."""
        with self.lock:
            return self._waiting.pop(what, None)

    def tell(self) -> None:
        """Say that updates wait; not to be called with the lock held, since nobody knows what is done then."""
        notify = self.notify
        if notify is not None and self._waiting:
            notify()

    def take(self) -> list[Update]:
        """The waiting updates, oldest first."""
        with self.lock:
            found = list(self._waiting.values())
            self._waiting.clear()
            return found

    def close(self) -> bool:
        """Drop everything, now and later; False where it was closed before."""
        with self.lock:
            was_open, self.closed = not self.closed, True
            self.notify = None
            self._waiting.clear()
            return was_open
