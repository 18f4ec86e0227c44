"""Where the chunks of an HDF5 dataset stand in its file: asked once a process, outside of the graph."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.hdf5.opening import open_file

_BEYOND = 2**62
MOST_KEPT = 8_000_000
"""Chunks whose places are kept in one process; about 24 bytes each."""


@dataclass(frozen=True, eq=False)
class ChunkTable:
    """Places of the chunks that were written, by their number in C order of the grid.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n,)
        Ascending.
    offsets : ndarray of int64, shape (n,)
        Byte in the file.
    sizes, masks : ndarray of uint32 or int64, shape (n,)
        Stored bytes; filters that were left out.

    Examples
    --------
    >>> places = np.array([1, 4])
    >>> ChunkTable(places, places * 100, places * 10, places * 0).find(4), ChunkTable(places, *[places] * 3).find(2)
    ((400, 40, 0), None)
    """

    numbers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    masks: NDArray[np.int64]

    def find(self, number: int) -> tuple[int, int, int] | None:
        """Byte in the file, stored bytes and left-out filters of a chunk; None where it was never written."""
        at = number if number < self.numbers.size else self.numbers.size - 1
        if at < 0 or self.numbers[at] != number:  # not all chunks before it were written
            at = int(np.searchsorted(self.numbers, number))
            if at == self.numbers.size or self.numbers[at] != number:
                return None
        return int(self.offsets[at]), int(self.sizes[at]), int(self.masks[at])

    def find_many(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Bytes in the file and stored bytes of chunks; None unless all were written, and through all filters."""
        at = np.minimum(np.searchsorted(self.numbers, numbers), self.numbers.size - 1)
        if not self.numbers.size or (self.numbers[at] != numbers).any() or self.masks[at].any():
            return None
        return self.offsets[at].astype(np.int64, copy=False), self.sizes[at].astype(np.int64, copy=False)


_kept: OrderedDict[tuple[str, str, int, int], ChunkTable] = OrderedDict()
_lock = threading.Lock()


def chunk_table(path: str, dataset: str, size: int, mtime_ns: int, counts: Sequence[int]) -> ChunkTable:
    """The table of a dataset, kept for the next block of this process.

    HDF5 finds a chunk by its place in milliseconds and all of them at a microsecond each, so they are listed together.

    Parameters
    ----------
    path, dataset : str
        The file and the dataset in it.
    size, mtime_ns : int
        Of the file: another file under the same name gets another table.
    counts : sequence of int
        Chunks along each axis.

    Raises
    ------
    FormatError
        The index of chunks is damaged.
    """
    key = (path, dataset, size, mtime_ns)
    with _lock:  # threads that want the same table wait for it
        kept = _kept.get(key)
        if kept is not None:
            _kept.move_to_end(key)
            return kept
        table = _kept[key] = _listed(path, dataset, counts)
        while len(_kept) > 1 and sum(t.numbers.size for t in _kept.values()) > MOST_KEPT:
            _kept.popitem(last=False)
        return table


def _integers(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Rows of numbers as an array; a damaged table may state up to 2**64, and what no file reaches is cut."""
    try:
        return np.array(rows, np.int64)
    except OverflowError:
        return np.array([[min(n, _BEYOND) for n in row] for row in rows], np.int64)


def _listed(path: str, dataset: str, counts: Sequence[int]) -> ChunkTable:
    found: list[object] = []
    with open_file(path) as file:
        stored = file[dataset]
        shape = np.array(stored.chunks, np.int64)
        stored.id.chunk_iter(found.append)
    if not found:
        none = np.zeros(0, np.int64)
        return ChunkTable(none, none, none, none)
    places = _integers([info.chunk_offset for info in found]) // shape  # type: ignore[attr-defined]
    outside = ((places < 0) | (places >= np.array(counts, np.int64))).any(axis=1)
    numbers = np.zeros(len(found), np.int64)
    for axis, count in enumerate(counts):
        numbers = numbers * count + places[:, axis]
    rest = _integers([(i.byte_offset or 0, i.size, i.filter_mask) for i in found])  # type: ignore[attr-defined]
    numbers[outside] = -1
    order = np.argsort(numbers, kind="stable")
    order = order[numbers[order] >= 0]
    if (rest[order, :2] < 0).any():
        raise FormatError(f"{path}: the index of the chunks of {dataset} is damaged; restore the file from a copy")
    return ChunkTable(numbers[order], *(np.ascontiguousarray(rest[order, k]) for k in range(3)))
