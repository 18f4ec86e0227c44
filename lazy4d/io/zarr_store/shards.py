"""One shard file: written piece by piece under another name and renamed when whole, read by its index."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.mapping import open_read_only, read_into
from lazy4d.io.zarr_store.codec import Codec, checksum

ABSENT = np.uint64(2**64 - 1)
PARTIAL = ".partial"
"""Suffix of a file that is being written."""

_CHECK_BYTES = 4


def index_nbytes(chunks: int) -> int:
    """Bytes of the index of a shard: offset and length of every chunk, and the checksum."""
    return 16 * chunks + _CHECK_BYTES


class ShardWriter:
    """A shard that is being written; it appears under its own name only when all its chunks are there.

    Parameters
    ----------
    path : str
        Where the shard will be.
    chunks : int
        Entries of its index.
    expected : int
        Chunks that will be written; the others are padding.
    """

    def __init__(self, path: str, chunks: int, expected: int) -> None:
        self.path = path
        self._index = np.full((chunks, 2), ABSENT, "<u8")
        self._missing = expected
        self._offset = 0
        folder, name = os.path.split(path)
        self._partial = os.path.join(folder, f".{name}.{uuid.uuid4().hex}{PARTIAL}")
        self._file = open(self._partial, "wb")

    def write(self, chunk: int, packed: Any) -> bool:
        """Append a packed chunk; True when it was the last one, and the shard is in place."""
        check = checksum(packed).to_bytes(_CHECK_BYTES, "little")
        size = len(packed) + _CHECK_BYTES
        self._file.write(packed)
        self._file.write(check)
        self._index[chunk] = self._offset, size
        self._offset += size
        self._missing -= 1
        if self._missing:
            return False
        index = self._index.tobytes()
        self._file.write(index + checksum(index).to_bytes(_CHECK_BYTES, "little"))
        self._file.close()
        os.replace(self._partial, self.path)
        self._partial = ""
        return True

    def abandon(self) -> None:
        """Remove what is written so far, unless the shard is in place."""
        if self._partial:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                os.unlink(self._partial)
            self._partial = ""

    def __del__(self) -> None:
        """Remove what an interrupted task leaves."""
        if hasattr(self, "_file"):
            self.abandon()


class ShardFile:
    """A finished shard, opened to be read.

    Parameters
    ----------
    path : str
        The file.
    chunks : int
        Entries of its index.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TruncatedFileError, FormatError
        The index is not whole, or its checksum is wrong.
    """

    def __init__(self, path: str, chunks: int) -> None:
        self.path = path
        self._fd = open_read_only(path)
        try:
            self.size = os.fstat(self._fd).st_size
            self._index = self._read_index(chunks)
        except BaseException:
            self.close()
            raise
        self._scratch = np.empty(0, np.uint8)

    def _read_index(self, chunks: int) -> NDArray[np.uint64]:
        need = index_nbytes(chunks)
        start = self.size - need
        if start < 0:
            raise TruncatedFileError(
                f"{self.path}: expected at least the {need} bytes of the index of {chunks} chunks, found "
                f"{self.size} bytes: the shard is cut short. Save the data again, or load with incomplete='nan' to "
                "mark its frames invalid"
            )
        raw = np.empty(need, np.uint8)
        got = read_into(self._fd, raw, start)
        found, stored = checksum(raw[:-_CHECK_BYTES]), int.from_bytes(raw[-_CHECK_BYTES:].tobytes(), "little")
        if got < need or found != stored:
            raise FormatError(
                f"{self.path}: the index at byte {start} is damaged or cut short: its checksum is {found:#010x}, "
                f"expected {stored:#010x}. Save the data again, or load with incomplete='nan' to mark its frames "
                "invalid"
            )
        index = raw[:-_CHECK_BYTES].view("<u8").reshape(chunks, 2).astype(np.uint64)
        there = index[:, 0] != ABSENT
        bad = there & ((index[:, 1] < _CHECK_BYTES) | (index[:, 0] > start) | (index[:, 1] > start - index[:, 0]))
        if bad.any():
            chunk = int(np.flatnonzero(bad)[0])
            raise FormatError(
                f"{self.path}: chunk {chunk} is said to be {index[chunk, 1]} bytes at byte {index[chunk, 0]}, outside "
                f"the {start} bytes of chunks. Save the data again, or load with incomplete='nan'"
            )
        return index

    def packed(self, chunk: int) -> NDArray[np.uint8]:
        """The packed bytes of a chunk, checked, in a buffer that the next call uses again.

        Raises
        ------
        FormatError
            The chunk is not in the file, or its checksum is wrong.
        """
        offset, size = (int(v) for v in self._index[chunk])
        if offset == ABSENT:
            raise FormatError(
                f"{self.path}: chunk {chunk} is not in this shard, expected {len(self._index)} chunks at most; it was "
                "changed by another program. Save the data again, or load with incomplete='nan'"
            )
        if self._scratch.size < size:
            self._scratch = np.empty(size + size // 4, np.uint8)
        raw = self._scratch[:size]
        got = read_into(self._fd, raw, offset)
        packed = raw[:-_CHECK_BYTES]
        found, stored = checksum(packed), int.from_bytes(raw[-_CHECK_BYTES:].tobytes(), "little")
        if got < size or found != stored:
            raise FormatError(
                f"{self.path}: chunk {chunk}, {size} bytes at byte {offset}, is damaged: its checksum is {found:#010x},"
                f" expected {stored:#010x}. Restore the file from a copy, or load with incomplete='nan' or 'zero' to "
                "mark its frames invalid"
            )
        return packed

    def decode(self, chunk: int, codec: Codec, out: NDArray[Any]) -> None:
        """Fill `out`, C-contiguous and of the size of a chunk, with its pixels.

        Raises
        ------
        FormatError
            The chunk is damaged.
        """
        try:
            codec.decode(self.packed(chunk), out)
        except ValueError as error:
            raise FormatError(
                f"{self.path}: chunk {chunk} at byte {int(self._index[chunk, 0])} cannot be unpacked: {error}. Save "
                "the data again, or load with incomplete='nan'"
            ) from error

    def is_sound(self, chunk: int) -> bool:
        """Whether a chunk is there and its checksum right."""
        try:
            self.packed(chunk)
        except FormatError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_whole(path: str, chunks: int, expected: int) -> bool:
    """Whether a shard is there with all its chunks, as far as its index tells."""
    try:
        shard = ShardFile(path, chunks)
    except (OSError, FormatError, TruncatedFileError):
        return False
    with suppress(OSError):
        shard.close()
    used = shard._index[shard._index[:, 0] != ABSENT]
    return len(used) == expected and int(used[:, 1].sum()) + index_nbytes(chunks) == shard.size


def write_whole(path: str, content: bytes, *, durable: bool = False) -> None:
    """Put a small file in place in one step; `durable`: on the disk before this returns."""
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def remove_partial(folder: str) -> None:
    """Remove files that interrupted tasks left in a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(PARTIAL):
                with suppress(OSError):
                    os.unlink(entry.path)
