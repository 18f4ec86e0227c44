"""All entries of a scan in scan order, a few at a time: from memory, or from the parts of a save."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.vectors.parts import PartFile
from lazy4d.lazy.chunks import NavChunks
from lazy4d.lazy.ragged_selection import block_boxes
from lazy4d.ragged import RaggedFrames

PIECE = 2**19
"""Entries that a piece has about: small against memory, large against the cost of handling it."""

_MOST_OPEN = 64


class Rows(Protocol):
    """What a writer needs: how many entries each frame has, and the entries, in scan order."""

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """The columns."""
        ...

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each frame's entries begin, the end last: int64 [frames + 1]."""
        ...

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Which frames are undamaged, [frames]; None where nothing is said of that."""
        ...

    def pieces(self) -> Iterator[RaggedFrames]:
        """Runs of frames that follow one another, all of them in turn."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class RowsInMemory:
    """Entries that are in memory.

    Parameters
    ----------
    ragged : RaggedFrames
        All frames, in scan order.
    valid : ndarray of bool, or None
        Which frames are undamaged.

    Examples
    --------
    >>> rows = RowsInMemory(RaggedFrames.from_counts([2, 0, 1], {"ky": [1.0, 2, 3]}))
    >>> [piece["ky"].tolist() for piece in rows.pieces()]
    [[1.0, 2.0, 3.0]]
    """

    def __init__(self, ragged: RaggedFrames, valid: NDArray[np.bool_] | None = None) -> None:
        self._ragged = ragged
        self.valid = None if valid is None else np.asarray(valid, bool).reshape(-1)
        self.dtypes = ragged.dtypes
        self.offsets = ragged.offsets

    def pieces(self) -> Iterator[RaggedFrames]:
        """Runs of frames of about `PIECE` entries, as views."""
        for start, stop in pairwise(group_edges(self.offsets, 1)):
            yield self._ragged.take(slice(start, stop))

    def close(self) -> None:
        """Nothing: there are no files."""


def regrouped(pieces: Iterator[RaggedFrames], edges: Sequence[int]) -> Iterator[RaggedFrames]:
    """The same frames cut at other places.

    Parameters
    ----------
    pieces : iterator of RaggedFrames
        Runs of frames that follow one another.
    edges : sequence of int
        Frames at which to cut, rising from 0 to the number of frames.

    Examples
    --------
    >>> one = RaggedFrames.from_counts([1, 1], {"ky": [1.0, 2]})
    >>> [piece.n_frames for piece in regrouped(iter([one, one]), [0, 1, 4])]
    [1, 3]
    """
    waiting: list[RaggedFrames] = []
    have = 0
    for start, stop in pairwise(edges):
        while have < stop - start:
            piece = next(pieces)
            waiting.append(piece)
            have += piece.n_frames
        extra = have - (stop - start)
        last = waiting.pop() if extra else None
        if last is not None:
            keep = last.n_frames - extra
            waiting.append(last.take(slice(0, keep)))
            last = last.take(slice(keep, last.n_frames))
        yield RaggedFrames.concatenate(waiting)
        waiting = [] if last is None else [last]
        have = extra


def group_edges(offsets: NDArray[np.int64], slab: int, limit: int | None = None) -> list[int]:
    """Frames at which to cut into groups of at most `limit` entries (by default `PIECE`), whole slabs if these fit.

    Examples
    --------
    >>> group_edges(np.array([0, 3, 6, 9, 12, 15, 18]), 2, limit=12)
    [0, 4, 6]
    """
    edges, n, most = [0], len(offsets) - 1, PIECE if limit is None else limit
    while edges[-1] < n:
        fits = int(np.searchsorted(offsets, offsets[edges[-1]] + most, side="right")) - 1
        stop = fits // slab * slab
        if stop <= edges[-1]:
            stop = max(fits, edges[-1] + 1)
            stop = min(stop, (edges[-1] // slab + 1) * slab)
        edges.append(min(stop, n))
    return edges


class RowsOfParts:
    """The parts of a save, brought into scan order; columns stay in their files.

    Parameters
    ----------
    paths : sequence of str
        A part for each block, in the order of the blocks.
    chunks : tuple of tuple of int
        Positions of the blocks along each navigation axis.
    dtypes : mapping of str to dtype
        The columns.

    Raises
    ------
    FileNotFoundError, FormatError, TruncatedFileError
        A part is missing or damaged.
    """

    def __init__(self, paths: Sequence[str], chunks: NavChunks, dtypes: Mapping[str, np.dtype[Any]]) -> None:
        self._paths, self.dtypes = list(paths), dict(dtypes)
        self._open: OrderedDict[int, RaggedFrames] = OrderedDict()
        shape = tuple(sum(sizes) for sizes in chunks)
        n = math.prod(shape)
        counts, valid, known = np.zeros(n, np.int64), np.ones(n, bool), False
        self._owner, self._inside = np.zeros(n, np.int32), np.zeros(n, np.int64)  # part of a frame, and place in that
        for part, (_, box) in enumerate(block_boxes(chunks)):
            file = PartFile(self._paths[part])
            numbers = _numbers(box, shape)
            counts[numbers], self._owner[numbers] = file.counts, part
            self._inside[numbers] = np.arange(len(numbers))
            if file.valid is not None:
                valid[numbers], known = file.valid, True
        self.offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.valid = valid if known else None

    def pieces(self) -> Iterator[RaggedFrames]:
        """Runs of frames of about `PIECE` entries: views where one part holds them, else put together."""
        for start, stop in pairwise(group_edges(self.offsets, 1)):
            owner, inside = self._owner[start:stop], self._inside[start:stop]
            order = np.argsort(owner, kind="stable")
            edges = [0, *(np.flatnonzero(np.diff(owner[order])) + 1).tolist(), stop - start]
            found = [self._part(int(owner[order[a]])).take(_run(inside[order[a:b]])) for a, b in pairwise(edges)]
            together = RaggedFrames.concatenate(found)
            in_order = (np.diff(order) > 0).all()
            yield together if in_order else together.take(np.argsort(order))

    def close(self) -> None:
        """Let go of the parts."""
        self._open.clear()

    def _part(self, number: int) -> RaggedFrames:
        if number not in self._open:
            self._open[number] = PartFile(self._paths[number], check=False).ragged  # checked when it was counted
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


def _run(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """A slice where the numbers follow one another, so that nothing is copied."""
    if numbers.size and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _numbers(box: tuple[slice, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Numbers, in scan order, of the positions of a box, in its order."""
    if not shape:
        return np.zeros(1, np.int64)
    grid = np.ix_(*(np.arange(s.start, s.stop) for s in box))
    return np.asarray(np.ravel_multi_index(grid, shape), np.int64).reshape(-1)
