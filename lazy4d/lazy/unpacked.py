"""Frames that are stored packed together: once unpacked they are kept, so that the next position costs a copy."""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.bounded_cache import BoundedCache
from lazy4d.lazy.walk import ArrayBlock

Box = tuple[slice, ...]

KEPT_BYTES = 64 * 2**20
"""Bytes of unpacked frames that are kept for all sources together."""

FEW = 64
"""Positions up to which a box counts as a look, rather than as a pass over the scan."""

_kept = BoundedCache(KEPT_BYTES)
_unpacking = [threading.Lock() for _ in range(16)]


class _Run(NamedTuple):
    """Frames of one piece at the positions of a box, and which are undamaged; a mask may leave several of a piece."""

    box: Box
    frames: NDArray[Any]
    valid: NDArray[np.bool_] | None


class Unpacked:
    """A source of frames of which those around the ones that were asked for are kept.

    Parameters
    ----------
    source : FrameSource
        With a method ``pieces(box)``: the number of the stored piece that holds the frame of each position, int64
        ``[n]`` in C order, negative where there is none; or None where frames are stored each by itself.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    def open(self, box: Box) -> Any:
        """The frames of a box of positions."""
        shape = tuple(s.stop - s.start for s in box)
        found = self._kept_block(box, shape) if shape and 0 < math.prod(shape) <= FEW else None
        return self._source.open(box) if found is None else found

    def _kept_block(self, box: Box, shape: tuple[int, ...]) -> ArrayBlock | None:
        source = self._source
        pieces = source.pieces(box)
        if pieces is None or (pieces < 0).any():
            return None
        frames: NDArray[Any] = np.empty((len(pieces), *source.frame_shape), source.dtype)
        valid: NDArray[np.bool_] | None = None
        for piece in np.unique(pieces).tolist():
            rows = np.flatnonzero(pieces == piece)
            places = np.stack(np.unravel_index(rows, shape), -1) + [s.start for s in box]
            while rows.size:
                run = self._run(piece, tuple(int(i) for i in places[0]))
                if run is None:
                    return None
                low, high = (np.array([getattr(s, end) for s in run.box]) for end in ("start", "stop"))
                inside = ((places >= low) & (places < high)).all(axis=1)
                index = np.ravel_multi_index(tuple((places[inside] - low).T), tuple((high - low).tolist()))
                frames[rows[inside]] = run.frames[index]
                if run.valid is not None:
                    valid = np.ones(len(pieces), bool) if valid is None else valid
                    valid[rows[inside]] = run.valid[index]
                rows, places = rows[~inside], places[~inside]
        return ArrayBlock(frames, tuple(source.frame_shape), valid)

    def _run(self, piece: int, place: tuple[int, ...]) -> _Run | None:
        """The frames around a position that are in one piece; None: too much to keep."""
        key = (self._source.token, piece)
        found = _holding(_kept.get(key), place)
        if found is not None:
            return found
        with _unpacking[hash(key) % len(_unpacking)]:
            known = _kept.get(key) or ()
            found = _holding(known, place)  # somebody else may have unpacked it meanwhile
            if found is None:
                box = self._around(piece, place)
                count = math.prod(s.stop - s.start for s in box)
                nbytes = count * math.prod(self._source.frame_shape) * np.dtype(self._source.dtype).itemsize
                if nbytes > KEPT_BYTES // 2:
                    return None
                opened = self._source.open(box)
                try:
                    frames = np.empty((count, *self._source.frame_shape), self._source.dtype)
                    opened.read(0, count, frames, ())
                    found = _Run(box, frames, opened.valid)
                finally:
                    opened.close()
                runs = (*known, found)
                _kept.put(key, runs, sum(one.frames.nbytes for one in runs))
        return found

    def _around(self, piece: int, place: tuple[int, ...]) -> Box:
        """The largest box around a position whose frames are all in one piece, grown along one axis after the other."""
        box = [slice(i, i + 1) for i in place]
        for axis, n in enumerate(self._source.nav_shape):
            reach = 8
            while True:
                start, stop = max(0, place[axis] - reach), min(n, place[axis] + reach + 1)
                line = list(box)
                line[axis] = slice(start, stop)
                pieces = self._source.pieces(tuple(line))
                same = (pieces == piece).reshape([s.stop - s.start for s in line])
                along = same.all(axis=tuple(k for k in range(len(line)) if k != axis))
                at = place[axis] - start
                other = np.flatnonzero(~along)
                low = int(other[other < at].max(initial=-1)) + 1
                high = int(other[other > at].min(initial=len(along)))
                if (low > 0 or start == 0) and (high < len(along) or stop == n):
                    break
                reach *= 2
            box[axis] = slice(start + low, start + high)
        return tuple(box)


def _holding(runs: tuple[_Run, ...] | None, place: tuple[int, ...]) -> _Run | None:
    """The run that holds the frame of a position."""
    for run in runs or ():
        if all(s.start <= i < s.stop for s, i in zip(run.box, place, strict=True)):
            return run
    return None


def keeping(source: Any) -> Any:
    """The source, keeping what it unpacks if it says how frames are packed together."""
    inner = getattr(source, "source", source)
    return Unpacked(inner) if hasattr(inner, "pieces") else source
