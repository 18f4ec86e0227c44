"""Which file, and which record of it, holds a frame: one file, a series of 10⁵, or a recording with frames missing."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FrameFiles:
    """Files of one data set, and runs of records in them, each run starting at a known frame number.

    Frame numbers count from 0 in the order of acquisition. Numbers between two runs belong to frames that were never
    stored.

    Parameters
    ----------
    folder : str
        Absolute folder of all files, or ``""`` when `names` are whole paths.
    names : tuple of str
        File names.
    sizes, mtimes : ndarray of int64, shape (files,)
        Size in bytes and modification time in ns at load.
    numbers : ndarray of int64, shape (runs,)
        Frame number of the first record of each run, ascending.
    counts : ndarray of int64, shape (runs,)
        Records in each run.
    owners : ndarray of int64, shape (runs,)
        Index of the file of each run.
    records : ndarray of int64, shape (runs,)
        Index in its file of the first record of each run.

    Examples
    --------
    >>> files = FrameFiles.single("/data/scan.raw", size=4096, mtime_ns=0, count=4)
    >>> files.locate(np.array([3, 4, -1]))[0].tolist()
    [0, -1, -1]
    """

    folder: str
    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    owners: NDArray[np.int64]
    records: NDArray[np.int64]

    @classmethod
    def single(cls, path: str, *, size: int, mtime_ns: int, count: int) -> FrameFiles:
        """All `count` records of one file, numbered from 0."""
        folder, name = os.path.split(os.path.abspath(path))
        one = [np.array([value], np.int64) for value in (size, mtime_ns, 0, count, 0, 0)]
        return cls(folder, (name,), *one)

    @classmethod
    def of_runs(
        cls,
        paths: Sequence[str],
        sizes: NDArray[np.int64],
        mtimes: NDArray[np.int64],
        runs: Sequence[NDArray[np.int64]],
    ) -> FrameFiles:
        """Files at absolute `paths`, with `runs` = (numbers, counts, owners, records) as in the class."""
        folder, names = split_folder(paths)
        return cls(folder, tuple(names), sizes, mtimes, *runs)

    @property
    def found(self) -> int:
        """Frames stored."""
        return int(self.counts.sum())

    @property
    def total(self) -> int:
        """Frame numbers in use: frames stored plus those missing between runs."""
        return int(self.numbers[-1] + self.counts[-1]) if self.numbers.size else 0

    def path(self, owner: int) -> str:
        """Absolute path of the file with index `owner`."""
        return os.path.join(self.folder, self.names[owner])

    @cached_property
    def digest(self) -> str:
        """Hash of the paths, sizes, times and runs; the same in every process."""
        state = hashlib.blake2b(digest_size=16)
        state.update(os.fsencode("\0".join((self.folder, *self.names))))
        for column in self._columns():
            state.update(np.ascontiguousarray(column, "<i8").tobytes())
        return state.hexdigest()

    def locate(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The file and the record of each frame number.

        Parameters
        ----------
        numbers : ndarray of int64, shape (n,)
            Frame numbers; any value.

        Returns
        -------
        owners : ndarray of int64, shape (n,)
            Index of the file, −1 where no frame is stored.
        records : ndarray of int64, shape (n,)
            Record in that file, −1 where no frame is stored.
        """
        if self.numbers.size == 1:
            inside = numbers - self.numbers[0]
            stored = (inside >= 0) & (inside < self.counts[0])
            return np.where(stored, self.owners[0], -1), np.where(stored, inside + self.records[0], -1)
        run = np.clip(np.searchsorted(self.numbers, numbers, side="right") - 1, 0, None)
        inside = numbers - self.numbers[run]
        stored = (inside >= 0) & (inside < self.counts[run])
        return np.where(stored, self.owners[run], -1), np.where(stored, inside + self.records[run], -1)

    def _columns(self) -> tuple[NDArray[np.int64], ...]:
        return self.sizes, self.mtimes, self.numbers, self.counts, self.owners, self.records

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as differences, compressed: 10⁵ files take well under 1 MB."""
        names = zlib.compress(os.fsencode("\0".join(self.names)), 1)
        columns = tuple(_pack(column) for column in self._columns())
        return _unpack_files, (self.folder, names, columns)


def split_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all `paths` are in and their names there; ``""`` and the paths where they are in several.

    Examples
    --------
    >>> split_folder([os.path.join("data", "a"), os.path.join("data", "b")])
    ('data', ['a', 'b'])
    """
    folder = os.path.dirname(paths[0])
    start = os.path.join(folder, "")
    names = [path[len(start) :] for path in paths]
    inside = all(path.startswith(start) for path in paths) and not any(os.sep in name for name in names)
    return (folder, names) if folder and inside else ("", list(paths))


def _pack(column: NDArray[np.int64]) -> bytes:
    steps = np.diff(column, prepend=np.int64(0))
    return zlib.compress(np.ascontiguousarray(steps).view(np.uint8).reshape(-1, 8).T.tobytes(), 1)


def _unpack(packed: bytes) -> NDArray[np.int64]:
    planes = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(8, -1)
    return np.cumsum(np.ascontiguousarray(planes.T).view(np.int64).reshape(-1), dtype=np.int64)


def _unpack_files(folder: str, names: bytes, columns: tuple[bytes, ...]) -> FrameFiles:
    text = os.fsdecode(zlib.decompress(names))
    return FrameFiles(folder, tuple(text.split("\0")), *(_unpack(column) for column in columns))
