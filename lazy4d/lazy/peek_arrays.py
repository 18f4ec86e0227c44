"""Any lazy array read at a box of positions: by the walks below it where that gives the same, else block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.chunks import bounds
from lazy4d.lazy.endings import Accumulate
from lazy4d.lazy.peek_keys import KeyReader
from lazy4d.lazy.peek_walks import WalkReader, ended_walk

if TYPE_CHECKING:
    from lazy4d.lazy.peek_shared import SharedValues

Box = tuple[slice, ...]


class Reading:
    """One evaluation: what is shared by all positions, and what was read for this box already."""

    def __init__(self, shared: SharedValues) -> None:
        self.shared = shared
        self.known: dict[tuple[Any, ...], NDArray[Any]] = {}


class ArrayReader:
    """A lazy array ``[nav..., ...]`` read at boxes of positions.

    Parameters
    ----------
    array : dask array
        The array.
    """

    per_position = (True,)

    def __init__(self, array: da.Array) -> None:
        self.array = array
        self._edges = [bounds(sizes) for sizes in array.chunks]
        self._keys = KeyReader(array.dask, array.name)

    @classmethod
    def of(cls, array: da.Array) -> Any:
        """The reader that fits an array."""
        ended = ended_walk(array)
        if ended is not None and not isinstance(ended.terminal.ending, Accumulate):
            return Single(WalkReader([ended]), array.name)
        return cls(array)

    def below(self) -> Iterator[Any]:
        """Readers of everything that this one reads, and shared parameters."""
        return self._keys.below()

    def read_all(self, box: Box, reading: Reading) -> list[Any]:
        """The value at a box, as the only entry."""
        value = self.read(box, reading)
        return [value if value.base is None else value.copy()]  # never a view of what somebody else holds

    def read(self, box: Box, reading: Reading) -> NDArray[Any]:
        """The value at a box of leading axes; may be a view."""
        whole = (*box, *(slice(0, n) for n in self.array.shape[len(box) :]))
        known = reading.known.get(key := (self.array.name, *((s.start, s.stop) for s in whole)))
        if known is not None:
            return known
        ranges = [
            range(int(np.searchsorted(edges, s.start, "right")) - 1, int(np.searchsorted(edges, s.stop, "left")))
            for s, edges in zip(whole, self._edges, strict=True)
        ]
        out: NDArray[Any] | None = None
        if all(len(r) == 1 for r in ranges):
            out = self._block(tuple(r[0] for r in ranges), whole, reading)[1]
        else:
            for index in np.ndindex(*(len(r) for r in ranges)):
                block = tuple(r[i] for r, i in zip(ranges, index, strict=True))
                place, value = self._block(block, whole, reading)
                if out is None:
                    out = np.empty([s.stop - s.start for s in whole], value.dtype)
                out[place] = value
        result = np.asarray(out)
        if not result.dtype.isnative:
            result = result.astype(result.dtype.newbyteorder("="))
        reading.known[key] = result
        return result

    def _block(self, block: tuple[int, ...], whole: Box, reading: Reading) -> tuple[Box, NDArray[Any]]:
        """The part of a box that lies in one block: where in the box, and its values."""
        region, place = [], []
        for s, edges, b in zip(whole, self._edges, block, strict=True):
            low, high = int(edges[b]), int(edges[b + 1])
            start, stop = max(s.start, low), min(s.stop, high)
            region.append(slice(start - low, stop - low))
            place.append(slice(start - s.start, stop - s.start))
        return tuple(place), self._keys.read((self.array.name, *block), tuple(region), reading)


class Single:
    """One result of a walk as other readers are used; read once for a box, however many ask."""

    per_position = (True,)

    def __init__(self, reader: WalkReader, name: str) -> None:
        self._reader, self._name = reader, name

    def below(self) -> Iterator[Any]:
        """Readers of everything that this one reads, and shared parameters."""
        return self._reader.below()

    def read_all(self, box: Box, reading: Reading) -> list[Any]:
        """The value at a box, as the only entry."""
        return [self.read(box, reading)]

    def read(self, box: Box, reading: Reading) -> NDArray[Any]:
        """The value at a box of positions."""
        key = (self._name, *((s.start, s.stop) for s in box))
        if key not in reading.known:
            (reading.known[key],) = self._reader.read_all(box, reading)
        return reading.known[key]


class Held:
    """An array in memory as other readers are used."""

    per_position = (True,)

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def below(self) -> Iterator[Any]:
        """Nothing."""
        return iter(())

    def read_all(self, box: Box, reading: Reading) -> list[Any]:
        """The values at a box, copied, as the only entry."""
        return [np.array(self._array[box], self._array.dtype.newbyteorder("="))]
