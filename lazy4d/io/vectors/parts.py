"""The entries of one block while a save is under way: a small file of its own, there only when it is whole.

======================  ================================================================================
bytes                   what
======================  ================================================================================
16                      ``lazy4d part 1`` and zeros
8                       length of the header, little-endian
header                  JSON: the sections (name, dtype, count, place, CRC-32C), in the order of the file
4                       CRC-32C of the header
sections                ``counts`` (int64, a number for each frame), ``valid`` (uint8 a frame, where it is
                        known), the columns; each at a multiple of 64 bytes, little-endian
======================  ================================================================================
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError
from lazy4d.io.zarr_store.codec import checksum
from lazy4d.io.zarr_store.shards import PARTIAL
from lazy4d.ragged import RaggedFrames

MAGIC = b"lazy4d part 1".ljust(16, b"\0")
_ALIGN = 64
_COLUMN = "column/"
_LONGEST_HEADER = 2**24


def write_part(path: str, ragged: RaggedFrames, valid: NDArray[np.bool_] | None) -> None:
    """Put the entries of a block into a file, in one step.

    Parameters
    ----------
    path : str
        The file.
    ragged : RaggedFrames
        Entries of the frames of the block, in the order of its positions.
    valid : ndarray of bool [frames], or None
        Which frames are undamaged; None where nothing is said of that.
    """
    arrays: dict[str, NDArray[Any]] = {"counts": ragged.counts}
    if valid is not None:
        arrays["valid"] = np.asarray(valid).reshape(-1).astype(np.uint8)
    arrays |= {_COLUMN + name: values for name, values in ragged.columns.items()}
    stored = {name: np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for name, a in arrays.items()}
    sections, at = [], 0
    for name, array in stored.items():
        sections.append([name, array.dtype.str, array.size, at, checksum(array.view(np.uint8))])
        at += -(-array.nbytes // _ALIGN) * _ALIGN
    header = json.dumps({"sections": sections}).encode()
    folder, base = os.path.split(path)
    partial = os.path.join(folder, f".{base}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with open(partial, "wb") as file:
            file.write(MAGIC + len(header).to_bytes(8, "little"))
            file.write(header + checksum(header).to_bytes(4, "little"))
            for array in stored.values():
                file.write(b"\0" * (-file.tell() % _ALIGN))
                file.write(array.view(np.uint8).data)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


class PartFile:
    """A finished part: counts in memory, columns as views of a map of the file.

    Parameters
    ----------
    path : str
        The file.
    check : bool
        Read all of it and compare the checksums.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TruncatedFileError, FormatError
        It is not whole, or damaged.
    """

    def __init__(self, path: str, *, check: bool = True) -> None:
        self.path = path
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(len(MAGIC) + 8)
            length = int.from_bytes(head[len(MAGIC) :], "little")
            header = file.read(min(length, _LONGEST_HEADER))
            found = int.from_bytes(file.read(4), "little")
        if head[: len(MAGIC)] != MAGIC or len(header) < length or checksum(header) != found:
            raise self._damaged("its header is no header of a part")
        self._start = -(-(len(head) + length + 4) // _ALIGN) * _ALIGN
        self._sections = {
            s[0]: (np.dtype(s[1]), int(s[2]), int(s[3]), int(s[4])) for s in json.loads(header)["sections"]
        }
        need = max(
            (self._start + at + n * dtype.itemsize for dtype, n, at, _ in self._sections.values() if n), default=0
        )
        if size < need:
            raise TruncatedFileError(f"{path}: expected {need} bytes, found {size}: the part is cut short; save again")
        self._map = np.memmap(path, np.uint8, "r")
        if check:
            for name, (_, _, _, stored) in self._sections.items():
                if checksum(self._bytes(name)) != stored:
                    raise self._damaged(f"the checksum of {name} is wrong")
        self.counts: NDArray[np.int64] = np.array(self._section("counts"), np.int64)
        self.columns: Mapping[str, NDArray[Any]] = {
            name.removeprefix(_COLUMN): self._section(name) for name in self._sections if name.startswith(_COLUMN)
        }

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Which frames are undamaged; None where nothing is said of that."""
        return self._section("valid") != 0 if "valid" in self._sections else None

    @property
    def ragged(self) -> RaggedFrames:
        """The entries, as views where bytes are in the order of this machine."""
        return RaggedFrames.from_counts(self.counts, self.columns)

    def _bytes(self, name: str) -> NDArray[np.uint8]:
        dtype, n, at, _ = self._sections[name]
        return self._map[self._start + at : self._start + at + n * dtype.itemsize]

    def _section(self, name: str) -> NDArray[Any]:
        return self._bytes(name).view(self._sections[name][0])

    def _damaged(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}, the file is damaged: remove it and save again with resume=True")


def is_whole(path: str, n_frames: int, dtypes: Mapping[str, np.dtype[Any]], with_validity: bool) -> bool:
    """Whether a part is there, undamaged, and what a block is expected to give."""
    try:
        part = PartFile(path)
    except (OSError, ValueError, KeyError, IndexError, Lazy4DError):
        return False
    found = {name: values.dtype.newbyteorder("=") for name, values in part.columns.items()}
    fits = part.counts.size == n_frames and all(v.size == part.counts.sum() for v in part.columns.values())
    return fits and found == dict(dtypes) and (part.valid is not None) == with_validity
