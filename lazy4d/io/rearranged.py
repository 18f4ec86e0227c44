"""The frames of any source in another order of scan positions: what serves where a source cannot rearrange itself."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable

if TYPE_CHECKING:
    from lazy4d.lazy.source import Block, FrameSource


@runtime_checkable
class Rearrangeable(Protocol):
    """A `FrameSource` over recorded frames, which any map from positions to their numbers can put in order."""

    @property
    def navigation(self) -> NavigationMap | PositionTable:
        """Scan position to frame number."""
        ...

    @property
    def recorded(self) -> int:
        """Frame numbers in use, whatever positions are shown: those of missing frames included."""
        ...

    def rearranged(self, navigation: NavigationMap | PositionTable, incomplete: str | None = None) -> FrameSource:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        ...


class RearrangedFrames:
    """Frames of another source, counted in the C order of its positions, at the positions that a map gives them.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from.
    navigation : NavigationMap
        Position to number of a frame; numbers that `source` does not have are blanks.
    incomplete : str
        What becomes of blanks and of frames that `source` calls invalid: "nan" or "zero"; "raise" where there are none.

    Examples
    --------
    >>> from lazy4d.data import simulated_scan
    >>> scan = RearrangedFrames(simulated_scan((20,), (8, 8)), NavigationMap.raster((4, 4), flyback=1))
    >>> scan.nav_shape, scan.incomplete
    ((4, 4), 'raise')
    """

    def __init__(self, source: Any, navigation: NavigationMap, incomplete: str = "raise") -> None:
        self.source = source
        self.navigation = navigation
        self.nav_shape: tuple[int, ...] = navigation.nav_shape
        self.frame_shape: tuple[int, ...] = tuple(source.frame_shape)
        self.dtype: np.dtype[Any] = np.dtype(source.dtype)
        self.frame_nbytes: int = int(source.frame_nbytes)
        lowest, highest = navigation.bounds
        blank = lowest < 0 or highest >= self.recorded
        asked = incomplete if incomplete in ("nan", "zero") else str(source.incomplete)
        self.tolerant: bool = asked != "raise"
        self.incomplete: str = "nan" if asked == "raise" and blank else asked
        self._given = incomplete
        described = repr((source.token, navigation.identity, incomplete))
        self.token: str = hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def recorded(self) -> int:
        """Frames of the source."""
        return math.prod(self.source.nav_shape)

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return label_of(self.source)

    def __repr__(self) -> str:
        """Shape, dtype and source in one line."""
        return f"<RearrangedFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its few parameters."""
        return RearrangedFrames, (self.source, self.navigation, self._given)

    def rearranged(self, navigation: NavigationMap, incomplete: str | None = None) -> RearrangedFrames:
        """The same frames at other positions."""
        return RearrangedFrames(self.source, navigation, self._given if incomplete is None else incomplete)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> RearrangedFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D)."""
        return self.rearranged(self.navigation.select(items))

    def drop_axes(self, axes: Sequence[int]) -> RearrangedFrames:
        """The frames without the given navigation axes of length 1."""
        return self.rearranged(self.navigation.drop_axes(axes))

    def open(self, box: Sequence[slice]) -> RearrangedBlock:
        """The frames of a box of positions, to be called inside the task that uses them."""
        return RearrangedBlock(self, self.navigation.numbers(box))


class RearrangedBlock:
    """Frames of one block of `RearrangedFrames`, read run by run from one block of the source.

    Parameters
    ----------
    source : RearrangedFrames
        Where the frames come from.
    numbers : ndarray of int64, shape (n,)
        Number of the frame at every position of the block.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        False for blanks and for what the source calls invalid.
    """

    def __init__(self, source: RearrangedFrames, numbers: NDArray[np.int64]) -> None:
        self._stored = (numbers >= 0) & (numbers < source.recorded)
        shape = tuple(source.source.nav_shape)
        each = math.prod(shape[1:])
        self._inner: Block | None = None
        self._index = np.full(numbers.shape, -1, np.int64)
        self.valid: NDArray[np.bool_] | None = None if self._stored.all() else self._stored
        if self._stored.any():
            there = numbers[self._stored]
            first, last = int(there.min()) // each, int(there.max()) // each
            box = (slice(first, last + 1), *(slice(0, n) for n in shape[1:])) if shape else ()
            self._index[self._stored] = there - first * each
            inner: Block = source.source.open(box)
            self._inner = inner
            if inner.valid is not None:
                valid = self._stored & np.asarray(inner.valid)[self._index]
                self.valid = None if valid.all() else valid
        self._starts = run_starts(self._index)

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Fill ``out[: stop - start]`` with frames ``[start, stop)``, blanks with 0."""
        edges = self._starts[(self._starts > start) & (self._starts < stop)].tolist()
        for a, b in pairwise([start, *edges, stop]):
            target = out[a - start : b - start]
            low, high = sorted((int(self._index[a]), int(self._index[b - 1])))
            if low < 0 or self._inner is None:
                target[...] = 0
                continue
            self._inner.read(low, high + 1, target, window)
            if self._index[a] > low:
                target[...] = target[::-1].copy()

    def close(self) -> None:
        """Close the block of the source."""
        if self._inner is not None:
            self._inner.close()


def run_starts(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where runs begin of numbers that go up, or down, by 1, or are all −1.

    Examples
    --------
    >>> run_starts(np.array([4, 5, 6, 3, 2, -1, -1, 0])).tolist()
    [0, 3, 5, 7]
    """
    if not index.size:
        return np.zeros(0, np.int64)
    steps = np.diff(index)
    blank = (index[1:] < 0) & (index[:-1] < 0)
    jump = (np.abs(steps) != 1) & ~blank
    jump |= (index[1:] < 0) != (index[:-1] < 0)
    jump[1:] |= (steps[1:] != steps[:-1]) & ~jump[:-1]
    return np.concatenate([[0], np.flatnonzero(jump) + 1]).astype(np.int64)


def label_of(source: Any) -> str:
    """Where frames come from, for messages.

    Examples
    --------
    >>> label_of(object())
    'the signal'
    """
    return str(getattr(source, "label", "the signal"))


def folded(source: Any, line_axes: tuple[int, int] = (-2, -1)) -> Any:
    """The source with every second line of its scan run through backwards, as a serpentine scan was recorded.

    Parameters
    ----------
    source : FrameSource
        Frames arranged as if all lines ran the same way.
    line_axes : (int, int)
        The axis of the lines and the one along them.

    Raises
    ------
    ValueError
        There are no lines.

    Examples
    --------
    >>> from lazy4d.data import simulated_scan
    >>> folded(simulated_scan((4, 4), (8, 8))).nav_shape
    (4, 4)
    """
    navigation = getattr(source, "navigation", None)
    if isinstance(source, Rearrangeable) and isinstance(navigation, NavigationMap):
        return source.rearranged(navigation.serpentine(line_axes))
    return RearrangedFrames(source, NavigationMap.raster(tuple(source.nav_shape)).serpentine(line_axes))
