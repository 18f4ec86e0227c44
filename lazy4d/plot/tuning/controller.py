"""`TuningController`: parameters and positions in, computed outcomes out; what a front end draws, without one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lazy4d.plot.tuning.control import Control
from lazy4d.plot.tuning.looking import Outcome, Task, look, sums_of
from lazy4d.plot.tuning.measures import measures_of
from lazy4d.plot.tuning.methods import method_of
from lazy4d.plot.tuning.parameters import Parameters
from lazy4d.plot.tuning.tuning_frames import Position, TuningFrames
from lazy4d.plot.worker import FRAME, Job, Worker

if TYPE_CHECKING:
    from lazy4d.signals import BaseSignal

MOST_FRAMES = 4
"""Frames that can be looked at side by side."""
CHANNEL = "tuning"


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of a request.

    Parameters
    ----------
    outcomes : tuple of Outcome
        One for each position that is done.
    sums : dict
        Of a centring: sums over some positions before and after; empty until they are known.
    seconds : float
        What the outcomes took, together.
    call : dict
        The parameters they belong to.
    """

    outcomes: tuple[Outcome, ...]
    sums: dict[str, Any]
    seconds: float
    call: dict[str, Any]


class TuningController:
    """The parameters of a method of a signal and the frames it is tried on; every change starts what is to be computed.

    Only the latest request counts: results of earlier ones are dropped. It has no front end; `updates` gives what is
    new, to be drawn.

    Parameters
    ----------
    signal : BaseSignal
        A scan, or a single frame.
    name : str
        Of the method.
    position : tuple, optional
        (x, y) as between the brackets of ``inav``; by default the one that the axes show.
    positions : sequence of tuple, optional
        Instead: several, at most 4, side by side.
    worker : Worker, optional
        Does the work; by default one of its own.
    **initial
        Parameters of the method to begin with.

    Raises
    ------
    ValueError
        A method that cannot be tuned by eye, a position that is none, or a value that a parameter cannot have.
    TypeError
        A parameter that the method does not have.

    Examples
    --------
    >>> tuning = TuningController(d, "get_diffraction_vectors", (1, 2), disk_r=3)
    >>> tuning.wait(60), [one.text for one in tuning.updates()[-1].outcomes]
    (True, ['1 vector, ... candidates refused'])
    >>> tuning.close()
    """

    def __init__(
        self,
        signal: BaseSignal,
        name: str,
        /,
        position: Any = None,
        *,
        positions: Sequence[Any] | None = None,
        worker: Worker | None = None,
        **initial: Any,
    ) -> None:
        self.signal = signal
        self.method = method_of(signal, name)
        self.positions = _places(signal, position, positions)
        self.frames = TuningFrames(signal)
        measures = measures_of(self.frames.at(self.positions[0]))
        self.parameters = Parameters(self.method, signal, measures, **initial)
        self.latest: Tuned | None = None
        self.error: Exception | None = None
        self._own = worker is None
        self.worker = Worker() if worker is None else worker
        self._random = random.Random(0)
        self.request()

    # -- what changes ------------------------------------------------------------------------------------------------

    def set(self, **changes: Any) -> None:
        """Take new values of parameters, as the method takes them."""
        self.parameters.set(**changes)
        self.request()

    def slide(self, control: Control, number: float, part: int = 0) -> None:
        """Take the number of a slider."""
        self.parameters.slide(control, number, part)
        self.request()

    def choose(self, control: Control, value: Any) -> None:
        """Take a choice, or what a switch stands at."""
        self.parameters.put(control, value)
        self.request()

    def switch(self, control: Control, on: bool) -> None:
        """Give a parameter a value, or leave it to the method."""
        self.parameters.switch(control, on)
        self.request()

    def move(self, position: Any, slot: int = 0) -> None:
        """Look at another frame, in place of one of those that are shown."""
        place = _place(self.signal, position)
        self.positions = tuple(place if k == slot else one for k, one in enumerate(self.positions))
        self.request()

    def next_frame(self, step: int = 1) -> None:
        """Look at the frames that come next in scan order, after the last one again at the first."""
        self.positions = tuple(_after(self.signal.nav_shape, one, step) for one in self.positions)
        self.request()

    def random_frame(self) -> None:
        """Look at frames somewhere in the scan, never twice the same at once."""
        shape = self.signal.nav_shape
        total = 1
        for n in shape:
            total *= n
        numbers = self._random.sample(range(total), min(total, len(self.positions)))
        found = [_after(shape, (0,) * len(shape), number) for number in numbers]
        self.positions = tuple(found[k % len(found)] for k in range(len(self.positions)))
        self.request()

    # -- what comes of it --------------------------------------------------------------------------------------------

    def request(self) -> None:
        """Compute the outcomes for the present parameters and positions, in the background."""
        call = self.parameters.call
        tasks = tuple(Task(self.method, call, self.frames, place) for place in self.positions)
        self.worker.submit(CHANNEL, lambda job: _steps(job, tasks, call), FRAME)

    def updates(self) -> list[Tuned]:
        """What is new since the last time, oldest first; errors of the method are in `error`."""
        found = []
        for result in self.worker.results():
            self.error = result.error
            if result.error is None:
                self.latest = result.value
                found.append(result.value)
        return found

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self.worker.busy

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything is computed; False if it is not after `timeout` seconds."""
        return self.worker.wait(timeout)

    @property
    def call(self) -> dict[str, Any]:
        """The parameters that differ from the defaults, as keyword arguments of the method."""
        return self.parameters.call

    @property
    def code(self) -> str:
        """The call on the whole scan as a line of Python, for a signal named `s`."""
        return self.parameters.code()

    def apply(self) -> Any:
        """The lazy result of the method on the whole scan, with the present parameters."""
        return getattr(self.signal, self.method.name)(**self.call)

    def close(self) -> None:
        """Stop what is being computed."""
        self.worker.cancel(CHANNEL)
        if self._own:
            self.worker.close()


def _steps(job: Job, tasks: tuple[Task, ...], call: dict[str, Any]) -> Iterator[None]:
    """The outcomes one after the other, then what several positions tell together."""
    outcomes: list[Outcome] = []
    for task in tasks:
        outcomes.append(look(task))
        seconds = job.seconds
        job.publish(Tuned(tuple(outcomes), {}, seconds, call))
        yield
    if tasks[0].method.look == "beam" and tasks[0].signal.nav_shape:
        for sums in sums_of(tasks[0]):
            if sums is not None:
                job.publish(Tuned(tuple(outcomes), sums, seconds, call))
            yield


def _places(signal: BaseSignal, position: Any, positions: Sequence[Any] | None) -> tuple[Position, ...]:
    if positions is None:
        return (_place(signal, position),)
    if position is not None:
        raise ValueError(f"expected position or positions, found both: {position!r} and {positions!r}")
    if not 1 <= len(positions) <= MOST_FRAMES:
        raise ValueError(f"expected 1 to {MOST_FRAMES} positions side by side, found {len(positions)}")
    return tuple(_place(signal, one) for one in positions)


def _place(signal: BaseSignal, position: Any) -> Position:
    """A position as indices, x-first, of what is typed between the brackets of `inav`."""
    axes = signal.nav_axes[::-1]
    if position is None:
        return tuple(int(axis.index) for axis in axes)
    items = tuple(position) if isinstance(position, tuple | list) else (position,)
    if len(items) != len(axes):
        raise ValueError(
            f"expected a position as one number for each of {len(axes)} navigation axes (x first), found {position!r}"
        )
    found = [axis.slice_to_pixels(item) for axis, item in zip(axes, items, strict=True)]
    if not all(isinstance(one, int) for one in found):
        raise ValueError(f"expected a position of one frame, found {position!r}")
    return tuple(int(one) for one in found)


def _after(shape: tuple[int, ...], position: Position, step: int) -> Position:
    """The position so many frames later in scan order; x-first, `shape` in numpy order."""
    number = 0
    for size, index in zip(shape, reversed(position), strict=True):
        number = number * size + index
    total = 1
    for size in shape:
        total *= size
    number = (number + step) % total
    found = []
    for size in reversed(shape):
        number, index = divmod(number, size)
        found.append(index)
    return tuple(found)
