"""Single frames of a signal: as processed, or as recorded while something that all frames need is still computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import ChunkError
from lazy4d.lazy import Frames
from lazy4d.lazy.peek import Peek


class Frame(NamedTuple):
    """A frame, and whether it is undamaged."""

    data: NDArray[Any]
    valid: bool


class FrameReader:
    """The frames of a signal, one at a time.

    Parameters
    ----------
    signal : BaseSignal
        Of any number of navigation and signal axes.

    Examples
    --------
    >>> reader = FrameReader(d)
    >>> frame = reader.read((1, 2))
    >>> frame.data.shape, frame.valid, bool((frame.data == d.data[2, 1]).all())
    ((16, 16), True, True)
    """

    def __init__(self, signal: Any) -> None:
        ndim = len(signal.nav_shape)
        self._recorded: Peek | None = None
        try:
            frames: Frames = signal.frames
        except ChunkError:  # frames are cut between blocks, as after a transpose
            self._peek = Peek(signal.data, nav_ndim=ndim)
            return
        self._peek = Peek(frames)
        if frames.stages and tuple(frames.source.frame_shape) == frames.frame_shape:
            self._recorded = Peek(Frames(frames.source, frames.chunks))

    @property
    def has_recorded(self) -> bool:
        """Whether frames are made of recorded ones of the same shape."""
        return self._recorded is not None

    @property
    def waits(self) -> bool:
        """Whether something that all frames need is still to be computed, which may take a pass over the file."""
        return self._peek.needs_whole_scan

    def prepare(self, check: Callable[[], None]) -> None:
        """Compute what all frames need; `check` is called now and then and ends it by an exception."""
        self._peek.prepare(check)

    def read(self, position: tuple[int, ...]) -> Frame:
        """The frame at a position, x-first."""
        return _read(self._peek, position)

    def recorded(self, position: tuple[int, ...]) -> Frame | None:
        """The frame as it is in the file, where it has the shape of the processed one."""
        if self._recorded is None or self._recorded.needs_whole_scan:
            return None
        return _read(self._recorded, position)


def _read(peek: Peek, position: tuple[int, ...]) -> Frame:
    place = position[::-1]
    (data,) = peek.at(place)
    frame = np.ascontiguousarray(data)
    frame.flags.writeable = False
    valid = peek.valid(tuple(slice(i, i + 1) for i in place))
    return Frame(frame, valid is None or bool(valid.all()))
