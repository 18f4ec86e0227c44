"""Arrays kept beside data that may be larger than memory: one file, checked before it is believed, read by mapping it.

========================  ==========================================================================================
bytes                     what
========================  ==========================================================================================
0-7                       ``LAZY4DOV``
8-11                      version, uint32 little-endian
12-15                     length of the header, uint32 little-endian
16-47                     BLAKE2b digest of the header
48-                       header: JSON with ``identity``, ``meta``, ``size`` of the file and ``arrays``
from multiples of 4096    the arrays, C-contiguous, little-endian, each with its CRC-32 in the header
========================  ==========================================================================================

There is nothing in it that could run: numbers, and JSON. A file that is cut short, damaged, of another version or of
other data is as good as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import mmap
import os
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"LAZY4DOV"
VERSION = 1
SUFFIX = ".l4view"
PARTIAL = ".partial"
PAGE = 4096
MOST_HEADER = 2**20
MOST_AXES = 16
PIECE = 8 * 2**20
"""Bytes that are written, or checked, at once."""

DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"))
"""Kind and bytes of the numbers that a file may hold."""

_START = struct.Struct("<8sII32s")


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array of a file, a read-only view of its map, and the checksum that it should have."""

    values: NDArray[Any]
    checksum: int

    def checks(self) -> Iterator[bool | None]:
        """Compare with the checksum a piece at a time: None while it goes on, at last whether it is right."""
        flat = memoryview(np.ascontiguousarray(self.values).reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        found = 0
        for start in range(0, len(flat), PIECE):
            found = zlib.crc32(flat[start : start + PIECE], found)
            if start + PIECE < len(flat):
                yield None
        yield found == self.checksum

    def sound(self) -> bool:
        """Whether the values have the checksum."""
        *_, right = self.checks()
        return bool(right)


@dataclass(frozen=True, eq=False)
class StoredOverview:
    """What a file holds; `arrays` are checked by whoever uses them."""

    identity: dict[str, Any]
    meta: dict[str, Any]
    arrays: dict[str, StoredArray]


def write_overview_file(
    path: str, identity: Mapping[str, Any], meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> Iterator[None]:
    """Write arrays to a file, which appears under its name when it is whole; a piece at each iteration.

    Parameters
    ----------
    path : str
        Where to.
    identity : mapping
        What tells the data from others, JSON.
    meta : mapping
        What else is to be known of the arrays, JSON.
    arrays : mapping of str to ndarray
        Of numbers of at most 64 bits.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full; nothing is left behind.
    ValueError
        An array of another dtype.
    """
    ordered = {name: _plain(name, array) for name, array in arrays.items()}
    described: list[dict[str, Any]] = []
    offset = 0
    for name, array in ordered.items():
        checksum = 0
        for piece in _pieces(array):
            checksum = zlib.crc32(piece, checksum)
            yield
        described.append({"name": name, "dtype": array.dtype.str[1:], "shape": list(array.shape), "crc32": checksum})
    header = b""
    for _ in range(3):  # offsets depend on the length of the header, which holds them
        offset = _aligned(_START.size + len(header) + 64)
        for entry, array in zip(described, ordered.values(), strict=True):
            entry["offset"] = offset
            offset = _aligned(offset + array.nbytes)
        content = {"identity": identity, "meta": meta, "size": offset, "arrays": described}
        header = json.dumps(content, allow_nan=False).encode()
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with open(partial, "wb") as file:
            file.write(_START.pack(MAGIC, VERSION, len(header), _digest(header)) + header)
            for entry, array in zip(described, ordered.values(), strict=True):
                file.seek(entry["offset"])
                for piece in _pieces(array):
                    file.write(piece)
                    yield
            file.truncate(offset)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def read_overview_file(path: str, identity: Mapping[str, Any]) -> StoredOverview | None:
    """What a file holds, its arrays mapped; None where it is not a whole file of these data.

    Parameters
    ----------
    path : str
        The file.
    identity : mapping
        As it was written.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = _header(file.read(_START.size), file.read(MOST_HEADER))
            if content is None or content.get("identity") != dict(identity) or content.get("size") != size:
                return None
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        arrays = {str(entry["name"]): _array(held, entry, size) for entry in content["arrays"]}
        meta = content["meta"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return StoredOverview(dict(identity), meta, arrays) if isinstance(meta, dict) else None


def _header(start: bytes, rest: bytes) -> dict[str, Any] | None:
    if len(start) < _START.size:
        return None
    magic, version, length, digest = _START.unpack(start)
    header = rest[:length]
    if magic != MAGIC or version != VERSION or len(header) != length or _digest(header) != digest:
        return None
    content = json.loads(header)
    return content if isinstance(content, dict) else None


def _array(held: mmap.mmap, entry: dict[str, Any], size: int) -> StoredArray:
    """An array as the header describes it.

    Raises
    ------
    ValueError
        It describes none that the file could hold.
    """
    shape, offset, kind, checksum = entry["shape"], entry["offset"], entry["dtype"], entry["crc32"]
    whole = all(type(n) is int for n in (offset, checksum, *shape))
    if kind not in DTYPES or len(shape) > MOST_AXES or not whole or min((offset, *shape)) < 0:
        raise ValueError(f"expected an array of numbers, found {entry}")
    dtype = np.dtype(kind).newbyteorder("<")
    count = math.prod(shape)
    if offset + count * dtype.itemsize > size:
        raise ValueError(f"expected an array within {size} bytes, found {entry}")
    return StoredArray(np.frombuffer(held, dtype, count, offset).reshape(shape), checksum)


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.str[1:] not in DTYPES:
        raise ValueError(f"expected numbers of at most 64 bits as {name!r}, found dtype {array.dtype}")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _pieces(array: NDArray[Any]) -> Iterator[memoryview]:
    flat = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    for start in range(0, len(flat), PIECE):
        yield flat[start : start + PIECE]


def _aligned(offset: int) -> int:
    return -(-offset // PAGE) * PAGE


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()
