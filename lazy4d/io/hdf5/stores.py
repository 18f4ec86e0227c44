"""The chunks of HDF5 datasets: packed bytes by their place in the file, or through h5py where only it knows them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DError, TruncatedFileError
from lazy4d.io import mapping
from lazy4d.io.chunked.store import Mapped, Packed, Places
from lazy4d.io.hdf5.opening import open_file, translated
from lazy4d.io.hdf5.table import ChunkTable, chunk_table

MOST_OPEN = 16
"""Files that a block keeps open."""


@dataclass(frozen=True)
class Part:
    """A dataset of a file, as it was at load.

    Parameters
    ----------
    path, dataset : str
        The file and the dataset in it.
    size, mtime_ns : int
        Of the file.
    counts : tuple of int
        Chunks along each axis.
    start : int
        Bytes of the file before the pixels, where they are stored as they are.
    """

    path: str
    dataset: str
    size: int
    mtime_ns: int
    counts: tuple[int, ...]
    start: int = 0

    def check(self, may_grow: bool = False) -> None:
        """Nothing where the file is as it was; see `mapping.check_unchanged`."""
        mapping.check_unchanged(self.path, self.size, self.mtime_ns, may_grow=may_grow)


def part_of(path: str, dataset: str, counts: Sequence[int] = (), start: int = 0) -> Part:
    """A dataset of a file as it is now."""
    state = os.stat(path)
    return Part(path, dataset, state.st_size, state.st_mtime_ns, tuple(counts), start)


def _described(parts: tuple[Part, ...]) -> str:
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return f"{parts[0].path}{more}"


@dataclass(frozen=True)
class Hdf5Store:
    """Packed chunks of datasets that follow one another along the first axis, a file each.

    Parameters
    ----------
    parts : tuple of Part
        In order.
    may_grow : bool
        Files may have become longer since they were loaded.

    Examples
    --------
    >>> Hdf5Store((Part("/data/a.h5", "/data", 10, 20, (1, 1)),)).label
    '/data/a.h5'
    """

    parts: tuple[Part, ...]
    may_grow: bool = False

    absent_is_damage = True

    @property
    def token(self) -> str:
        """Paths, datasets, sizes and times."""
        return repr(self.parts)

    @property
    def label(self) -> str:
        """Where the chunks come from, for reports."""
        return _described(self.parts)

    def open(self) -> OpenHdf5:
        """The chunks, to be fetched by one task."""
        return OpenHdf5(self)


class _Owners:
    """Which part holds a place along the first axis of the grid."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._ends = np.cumsum([part.counts[0] if part.counts else 1 for part in parts])
        self._single = len(parts) == 1

    def find(self, index: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """Part, and place within it."""
        if self._single:
            return 0, index
        owner = int(np.searchsorted(self._ends, index[0], side="right"))
        before = int(self._ends[owner - 1]) if owner else 0
        return owner, (index[0] - before, *index[1:])


class OpenHdf5:
    """Chunks read by their place in the file, without HDF5 and its lock."""

    def __init__(self, store: Hdf5Store) -> None:
        self._store = store
        self._owners = _Owners(store.parts)
        self._open: dict[int, tuple[int, int, ChunkTable]] = {}
        self._buffer = np.empty(0, np.uint8)

    def _part(self, owner: int) -> tuple[int, int, ChunkTable]:
        """Descriptor, size and table of a file."""
        known = self._open.get(owner)
        if known is not None:
            return known
        part = self._store.parts[owner]
        part.check(self._store.may_grow)
        if len(self._open) >= MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open)))[0])
        table = chunk_table(part.path, part.dataset, part.size, part.mtime_ns, part.counts)
        fd = mapping.open_read_only(part.path)
        self._open[owner] = (fd, os.fstat(fd).st_size, table)
        return self._open[owner]

    def _place(self, index: tuple[int, ...]) -> tuple[int, int, int, tuple[int, int, int] | None]:
        owner, within = self._owners.find(index)
        fd, held, table = self._open.get(owner) or self._part(owner)
        number = 0
        for k, count in zip(within, self._store.parts[owner].counts, strict=True):
            number = number * count + k
        return owner, fd, held, table.find(number)

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The packed chunk at a place of the grid; None where none was written.

        Raises
        ------
        TruncatedFileError
            The file ends before it does.
        """
        owner, fd, held, place = self._place(index)
        if place is None:
            return None
        offset, size, mask = place
        if offset + size <= held:
            if self._buffer.size < size:
                self._buffer = np.empty(max(size, min(2 * self._buffer.size, size + 2**20)), np.uint8)
            packed = self._buffer[:size]
            if mapping.read_into(fd, packed, offset) == size:
                return Packed(packed, mask)
        raise TruncatedFileError(
            f"{self._store.parts[owner].path}: expected {size} bytes of a chunk at byte {offset}, the file ends at "
            f"byte {held}: the copy or recording was interrupted. Restore it, or load with incomplete='nan' or 'zero' "
            "to mark such frames invalid"
        )

    def look(self, index: tuple[int, ...]) -> Mapped | None:
        """A chunk in the memory map of its file; None where it is not there as a whole, or the file may change."""
        owner, _, held, place = self._place(index)
        part = self._store.parts[owner]
        if place is None or place[2] or self._store.may_grow or place[0] + place[1] > held or held != part.size:
            return None
        return Mapped(mapping.mapped(part.path, part.size, part.mtime_ns), place[0], place[1])

    def places(self, numbers: NDArray[np.int64]) -> Places | None:
        """Where chunks of one file stand in its memory map, by their number in C order of the grid.

        None where they are in several files, one of them is not there as it was packed, or the file may change.
        """
        parts = self._store.parts
        if self._store.may_grow or len(parts) != 1 or not numbers.size:
            return None
        _, held, table = self._open.get(0) or self._part(0)
        found = table.find_many(numbers)
        if found is None or held != parts[0].size or int((found[0] + found[1]).max()) > held:
            return None
        return Places(mapping.mapped(parts[0].path, parts[0].size, parts[0].mtime_ns), *found)

    def where(self, index: tuple[int, ...]) -> str:
        """File and byte of a chunk, for messages."""
        owner, _, _, place = self._place(index)
        at = f", byte {place[0]} ({place[1]} bytes)" if place else ""
        return f"{self._store.parts[owner].path}, dataset {self._store.parts[owner].dataset}{at}"

    def close(self) -> None:
        """Close all files."""
        for fd, _, _ in self._open.values():
            os.close(fd)
        self._open.clear()


@dataclass(frozen=True)
class ThroughH5py:
    """Chunks read by h5py, one thread at a time: virtual datasets, external storage, filters only HDF5 has.

    Parameters
    ----------
    parts : tuple of Part
        One.
    chunk : tuple of int
        Shape in which the dataset is read.
    """

    parts: tuple[Part, ...]
    chunk: tuple[int, ...]

    @property
    def token(self) -> str:
        """Path, dataset, size and time."""
        return repr(("h5py", self.parts))

    @property
    def label(self) -> str:
        """Where the chunks come from, for reports."""
        return _described(self.parts)

    def open(self) -> OpenThroughH5py:
        """The chunks, to be fetched by one task."""
        return OpenThroughH5py(self)


class OpenThroughH5py:
    """An open file of h5py; slow, as HDF5 serves one thread at a time."""

    def __init__(self, store: ThroughH5py) -> None:
        self._store = store
        self._part = store.parts[0]
        self._part.check()
        register_filters()
        self._context = open_file(self._part.path)
        self._dataset = self._context.__enter__()[self._part.dataset]

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The pixels of a chunk; behind the edge of the array, zeros."""
        shape, chunk = self._dataset.shape, self._store.chunk
        box = tuple(slice(k * c, min((k + 1) * c, n)) for k, c, n in zip(index, chunk, shape, strict=True))
        try:
            pixels = self._dataset[box]
        except Lazy4DError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise translated(self._part.path, error) from error
        if pixels.shape != chunk:
            whole = np.zeros(chunk, pixels.dtype)
            whole[tuple(slice(0, n) for n in pixels.shape)] = pixels
            pixels = whole
        return Packed(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8))

    def close(self) -> None:
        """Close the file."""
        self._context.__exit__(None, None, None)


def register_filters() -> bool:
    """Whether the package hdf5plugin is there; importing it makes its filters known to HDF5."""
    try:
        import hdf5plugin  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class MappedStore:
    """Boxes of a contiguous dataset whose axes are in an unusual order, or of several, copied from memory maps.

    Parameters
    ----------
    parts : tuple of Part
        In order along the first axis; `start` tells where pixels begin.
    shapes : tuple of tuple of int
        Of each part.
    dtype : str
        Of the stored pixels.
    chunk : tuple of int
        Shape of a box.
    """

    parts: tuple[Part, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtype: str
    chunk: tuple[int, ...]

    @property
    def token(self) -> str:
        """Paths, places, sizes and times."""
        return repr((self.parts, self.shapes))

    @property
    def label(self) -> str:
        """Where the boxes come from, for reports."""
        return _described(self.parts)

    def open(self) -> OpenMapped:
        """The boxes, to be fetched by one task."""
        return OpenMapped(self)


class OpenMapped:
    """Memory maps of contiguous datasets, kept by the process."""

    def __init__(self, store: MappedStore) -> None:
        self._store = store
        self._views: dict[int, NDArray[Any]] = {}
        self._ends = np.cumsum([shape[0] for shape in store.shapes])

    def _view(self, owner: int) -> NDArray[Any]:
        if owner not in self._views:
            part, shape = self._store.parts[owner], self._store.shapes[owner]
            part.check()
            held = mapping.mapped(part.path, part.size, part.mtime_ns)
            pixels = np.frombuffer(held, np.dtype(self._store.dtype), math.prod(shape), part.start)
            self._views[owner] = pixels.reshape(shape)
        return self._views[owner]

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The pixels of a box, copied; behind the edge of the array, zeros."""
        chunk = self._store.chunk
        result = np.zeros(chunk, np.dtype(self._store.dtype))
        first = index[0] * chunk[0]
        stop = min(first + chunk[0], int(self._ends[-1]))
        while first < stop:
            owner = int(np.searchsorted(self._ends, first, side="right"))
            before = int(self._ends[owner - 1]) if owner else 0
            view = self._view(owner)
            last = min(stop, int(self._ends[owner]))
            rest = tuple(
                slice(k * c, min((k + 1) * c, n)) for k, c, n in zip(index[1:], chunk[1:], view.shape[1:], strict=True)
            )
            at = first - index[0] * chunk[0]
            inside = (slice(at, at + last - first), *(slice(0, s.stop - s.start) for s in rest))
            result[inside] = view[(slice(first - before, last - before), *rest)]
            first = last
        return Packed(result.reshape(-1).view(np.uint8))

    def close(self) -> None:
        """Drop the views."""
        self._views.clear()
