"""Single frames of a scan as small signals in memory, so that a change of a parameter reads nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.peek import Peek
from lazy4d.signals import BaseSignal

KEPT_BYTES = 64 * 2**20
SAMPLE_BYTES = 48 * 2**20
SAMPLE_SIDE = 5
"""Positions along each axis of a scan that are summed to judge a centring."""

Position = tuple[int, ...]


class TuningFrames:
    """Frames of a signal by their position, read once each and kept within a bound of bytes.

    Parameters
    ----------
    signal : BaseSignal
        Of images; lazy or not.

    Examples
    --------
    >>> frames = TuningFrames(d)
    >>> frames.at((1, 2))
    <Diffraction2D, title: , dimensions: (|16, 16), uint16, 512 B>
    """

    def __init__(self, signal: BaseSignal) -> None:
        self.signal = signal
        self._peek: Peek | None = None
        self._kept: OrderedDict[Position, BaseSignal] = OrderedDict()
        self._sample: tuple[NDArray[np.int64], BaseSignal] | None = None
        self._once: tuple[dict[str, Any], Any] | None = None
        self._lock = threading.RLock()

    def at(self, position: Position) -> BaseSignal:
        """The frame at a position (x-first indices) as a computed signal without navigation axes.

        Raises
        ------
        ValueError
            The frame is missing, or damaged.
        """
        with self._lock:
            if position not in self._kept:
                self._kept[position] = self._read(position)
            self._kept.move_to_end(position)
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
            return self._kept[position]

    def _read(self, position: Position) -> BaseSignal:
        one = self.signal.inav[position] if position else self.signal
        box = tuple(slice(i, i + 1) for i in reversed(position))
        peek = self._reader()
        valid = peek.valid(box)
        if valid is not None and not valid.all():
            raise ValueError(f"the frame at {position} (x first) is missing or damaged: choose another one")
        return in_memory(one, np.ascontiguousarray(peek.at(tuple(reversed(position)))[0]))

    def _reader(self) -> Peek:
        if self._peek is None:
            self._peek = Peek(self.signal.frames)
        return self._peek

    def sample(self) -> Iterator[tuple[NDArray[np.int64], BaseSignal] | None]:
        """Positions [n, navigation axes] (numpy order), evenly spread, and their frames as one signal of n frames.

        Yields None while frames are read, one after the other, and once what was asked for.
        """
        if self._sample is None:
            yield from self._read_sample()
        yield self._sample

    def once(self, call: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """What is computed from the whole scan, kept until it is asked for with other parameters."""
        with self._lock:
            if self._once is None or not _equal(self._once[0], call):
                self._once = (dict(call), compute())
            return self._once[1]

    def _read_sample(self) -> Iterator[None]:
        shape = self.signal.nav_shape
        most = max(3, SAMPLE_BYTES // max(1, self.signal.nbytes // max(1, int(np.prod(shape)))))
        lines = [np.unique(np.linspace(0, n - 1, min(n, SAMPLE_SIDE)).round().astype(np.int64)) for n in shape[-2:]]
        middle = [np.array([n // 2]) for n in shape[:-2]]
        grid = np.stack(np.meshgrid(*middle, *lines, indexing="ij"), -1).reshape(-1, len(shape))
        grid = grid[np.linspace(0, len(grid) - 1, min(len(grid), most)).round().astype(np.int64)]
        places, pixels = [], []
        for place in grid:  # in scan order
            box = tuple(slice(int(i), int(i) + 1) for i in place)
            with self._lock:
                peek = self._reader()
                if _is_valid(peek, box):
                    places.append(place)
                    pixels.append(peek(box)[0].reshape(self.signal.frame_shape))
            yield
        chosen = np.zeros(shape, bool)
        chosen[tuple(np.stack(places).T)] = True
        self._sample = np.stack(places), in_memory(self.signal.inav[chosen], np.stack(pixels))


def _is_valid(peek: Peek, box: Any) -> bool:
    valid = peek.valid(box)
    return valid is None or bool(valid.all())


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two calls are the same; arrays and signals are, if they are the same object."""
    plain = str | bool | int | float
    return one.keys() == other.keys() and all(
        value is other[name] or (isinstance(value, plain) and type(value) is type(other[name]) and value == other[name])
        for name, value in one.items()
    )


def in_memory(signal: BaseSignal, pixels: NDArray[Any]) -> BaseSignal:
    """A signal with its axes, metadata and history, and pixels that are known.

    Examples
    --------
    >>> in_memory(d.inav[0, 0], np.zeros((16, 16), "uint16"))
    <Diffraction2D, title: , dimensions: (|16, 16), uint16, 512 B>
    """
    return type(signal)(
        pixels, signal.axes_manager.copy(), signal.metadata.copy(), signal.original_metadata.copy(), signal.history
    )
