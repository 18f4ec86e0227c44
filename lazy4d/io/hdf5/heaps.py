"""Text of any length in an HDF5 file, looked at before HDF5 follows it: it trusts what it finds there.

Such text lies in global heaps: the attribute or dataset holds a length, the address of a heap and a number within it.
An entry that says it is no byte long keeps HDF5 running for ever, and a type of neither text nor sequence crashes it.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from lazy4d.io.hdf5.opening import h5py_module

_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("entry", "<u4")])
_ENTRY = struct.Struct("<HHIQ")  # number, uses, reserved, size
_MOST_BYTES = 256 << 20
_MOST_CHUNKS = 256
_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_TEXT, _SEQUENCE = 1, 0


def check_attribute(item: Any, name: str) -> None:
    """Nothing, where HDF5 can read an attribute without harm; attributes kept in fractal heaps: only their type.

    Parameters
    ----------
    item : h5py.Group or h5py.Dataset
        What has the attribute.
    name : str
        Its name.

    Raises
    ------
    ValueError
        The attribute is damaged, or of a type that holds sequences within records or sequences.
    """
    h5py = h5py_module()
    stored = h5py.h5a.open(item.id, name.encode("utf-8", "surrogateescape"))
    if not check_type(stored.get_type()) or stored.shape is None:
        return
    raw = _Raw(item)
    body = raw.attribute(name.encode("utf-8", "surrogateescape"), item.id)
    if body is not None:
        raw.check(body, math.prod(int(n) for n in stored.shape))


def check_dataset(dataset: Any) -> None:
    """Nothing, where HDF5 can read a dataset without harm; values in packed chunks: only their type.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset; of numbers it is not looked at further.

    Raises
    ------
    ValueError
        It is damaged, or of a type that holds sequences within records or sequences.
    """
    if not check_type(dataset.id.get_type()):
        return
    raw, count = _Raw(dataset), int(dataset.size)
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if offset is not None and count:
            raw.check(raw.read(offset - raw.base, _REFERENCE.itemsize * count), count)
    elif dataset.id.get_create_plist().get_nfilters() == 0:
        for k in range(dataset.id.get_num_chunks()):
            chunk = dataset.id.get_chunk_info(k)
            raw.check(raw.read(chunk.byte_offset - raw.base, chunk.size), chunk.size // _REFERENCE.itemsize)


def check_type(kind: Any, within: bool = False) -> bool:
    """Whether values of a type lie in global heaps.

    Raises
    ------
    ValueError
        The type is damaged, or such values are within others.
    """
    h5t = h5py_module().h5t
    found = kind.get_class()
    if found == h5t.VLEN or (found == h5t.STRING and kind.is_variable_str()):
        flags = kind.encode()[3] & 0x0F  # behind the two bytes of the code and the byte of the class
        if within or flags != (_TEXT if found == h5t.STRING else _SEQUENCE):
            raise ValueError("a type of values of any length that is neither text nor a plain sequence")
        if found == h5t.VLEN:
            check_type(kind.get_super(), within=True)
        return True
    if found == h5t.ARRAY:
        return check_type(kind.get_super(), within=True)
    if found == h5t.COMPOUND:
        for k in range(kind.get_nmembers()):
            check_type(kind.get_member_type(k), within=True)
    return False


class _Raw:
    """The bytes of the file that an object is in."""

    def __init__(self, item: Any) -> None:
        file = item.file
        self.base = int(file.userblock_size)
        plain = file.driver == "sec2" and file.id.get_create_plist().get_sizes() == (8, 8)
        # What is being written is not all on disk yet, and not from elsewhere.
        self.handle = int(file.id.get_vfd_handle()) if plain and file.mode == "r" else -1
        self.size = os.fstat(self.handle).st_size if self.handle >= 0 else 0

    def read(self, offset: int, nbytes: int) -> bytes:
        """Bytes from an address on; all of them or an error."""
        if self.handle < 0:
            return b""
        if not 0 <= nbytes <= _MOST_BYTES or not 0 <= offset <= self.size - self.base - nbytes:
            raise ValueError(f"{nbytes} bytes at {offset}, expected them inside the file")
        return os.pread(self.handle, nbytes, self.base + offset)

    def attribute(self, name: bytes, item: Any) -> bytes | None:
        """The stored value of an attribute; None where it is not in the header of its object."""
        if self.handle < 0:
            return None
        for body in self._messages(int(h5py_module().h5o.get_info(item).addr)):
            version, _, *sizes = struct.unpack_from("<BBHHH", body)
            at = 9 if version == 3 else 8
            if body[at : at + sizes[0]].split(b"\0")[0] == name:
                return body[at + sum(-(-n // 8) * 8 if version == 1 else n for n in sizes) :]
        return None

    def _messages(self, address: int) -> Iterator[bytes]:
        """The attribute messages of an object header of either version."""
        head = self.read(address, 6)
        if head[:4] == b"OHDR":
            flags = head[5]
            at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            chunks = [(at + width, int.from_bytes(self.read(at, width), "little"))]
            layout = struct.Struct("<BHBH" if flags & 4 else "<BHB")
        else:
            chunks = [(address + 16, int.from_bytes(self.read(address + 8, 4), "little"))]
            layout = struct.Struct("<HHB3x")
        for k, (start, nbytes) in enumerate(chunks):
            if k >= _MOST_CHUNKS:
                raise ValueError("an object header in too many pieces")
            block, at = self.read(start, nbytes), 0
            while at + layout.size <= nbytes:
                kind, size = layout.unpack_from(block, at)[:2]
                body = block[at + layout.size : at + layout.size + size]
                at += layout.size + size
                if kind == _ATTRIBUTE and len(body) >= 9:
                    yield body
                elif kind == _CONTINUATION and len(body) >= 16:
                    there, length = struct.unpack_from("<QQ", body)
                    chunks.append((there + 4, length - 8) if head[:4] == b"OHDR" else (there, length))

    def check(self, values: bytes, count: int) -> None:
        """Every heap and entry that values refer to."""
        if self.handle < 0:
            return
        if count * _REFERENCE.itemsize > len(values):
            raise ValueError(f"{count} values in {len(values)} bytes")
        found = np.frombuffer(values, _REFERENCE, count)
        found = np.sort(found[found["heap"] > 0], order="heap")  # 0 where there is no value
        for part in np.split(found, np.flatnonzero(np.diff(found["heap"])) + 1) if found.size else ():
            address = int(part["heap"][0])
            missing = set(part["entry"].tolist()) - self._entries(address)
            if missing:
                raise ValueError(f"the heap at byte {address} has no entry {min(missing)}")

    def _entries(self, address: int) -> set[int]:
        """Numbers of the entries of a heap, walked as HDF5 does."""
        signature, version, size = struct.unpack("<4sB3xQ", self.read(address, 16))
        if signature != b"GCOL" or version != 1:
            raise ValueError(f"no heap at byte {address}")
        block, at, found = self.read(address, size), 16, set()
        while at + _ENTRY.size <= size:
            number, _, _, nbytes = _ENTRY.unpack_from(block, at)
            step = -(-nbytes // 8) * 8 + _ENTRY.size if number else nbytes
            if not _ENTRY.size <= step <= size - at:
                raise ValueError(f"entry {number} of the heap at byte {address} has {nbytes} bytes")
            if number:
                found.add(number)
            at += step
        return found
