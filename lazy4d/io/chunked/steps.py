"""Steps of unpacking that several containers have: Deflate, Blosc, Zstandard, LZ4, shuffled bytes, checksums."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.errors import MissingCodecError
from lazy4d.io.chunked.pipeline import Bytes, Check, copy_bytes, elements


class Compression:
    """A step whose packed size differs from chunk to chunk."""

    def packed_size(self, size: int) -> int | None:
        """Unknown."""
        return None


@dataclass(frozen=True)
class Inflate(Compression):
    """Deflate in the wrapper of zlib or gzip.

    Parameters
    ----------
    wrapper : int
        As zlib calls it: 15 for zlib, 31 for gzip.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Inflate(15).unpack(np.frombuffer(zlib.compress(b"abc"), "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    wrapper: int

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`; never more memory than that, whatever the bytes claim."""
        machine = zlib.decompressobj(self.wrapper)
        try:
            found = machine.decompress(packed.data, out.nbytes + 1)
        except zlib.error as error:
            raise ValueError(f"Deflate: {error}") from error
        if len(found) != out.nbytes or not machine.eof:
            what = "more" if len(found) > out.nbytes else f"{len(found)}, then they end"
            raise ValueError(f"Deflate: expected {out.nbytes} bytes, found {what}")
        out[:] = np.frombuffer(found, np.uint8)


@dataclass(frozen=True)
class Burrows(Compression):
    """bzip2.

    Examples
    --------
    >>> import bz2
    >>> out = np.empty(3, "u1")
    >>> Burrows().unpack(np.frombuffer(bz2.compress(b"abc"), "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        import bz2

        try:
            copy_bytes(np.frombuffer(bz2.BZ2Decompressor().decompress(packed.tobytes(), out.nbytes + 1), np.uint8), out)
        except (OSError, EOFError) as error:
            raise ValueError(f"bzip2: {error}") from error


@dataclass(frozen=True)
class Lzma(Compression):
    """LZMA in a container of xz or of its own.

    Parameters
    ----------
    format : int
        As the module `lzma` calls it.
    filters : tuple of tuple
        Items of each filter of a raw stream.

    Examples
    --------
    >>> import lzma
    >>> out = np.empty(3, "u1")
    >>> Lzma(1).unpack(np.frombuffer(lzma.compress(b"abc"), "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    format: int
    filters: tuple[tuple[tuple[str, int], ...], ...] = ()

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        import lzma

        try:
            raw = self.format == lzma.FORMAT_RAW
            machine = lzma.LZMADecompressor(self.format, filters=[dict(f) for f in self.filters] if raw else None)
            copy_bytes(np.frombuffer(machine.decompress(packed.tobytes(), out.nbytes + 1), np.uint8), out)
        except (lzma.LZMAError, EOFError) as error:
            raise ValueError(f"LZMA: {error}") from error


@dataclass(frozen=True)
class Blosc(Compression):
    """Blosc 1, whatever compressor and shuffle is within: its header tells.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Blosc().unpack(np.zeros(7, "u1"), out)
    Traceback (most recent call last):
        ...
    ValueError: Blosc: expected a buffer of 7 bytes for 3 bytes, found no header
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`; sizes are compared before the library sees the bytes."""
        told = f"Blosc: expected a buffer of {packed.nbytes} bytes for {out.nbytes} bytes, found"
        if packed.nbytes < 16:
            raise ValueError(f"{told} no header")
        nbytes, blocksize, stored = struct.unpack("<III", packed[4:16].tobytes())
        if nbytes != out.nbytes or stored > packed.nbytes or stored < 16:
            raise ValueError(f"{told} one of {stored} for {nbytes}")
        if nbytes and not 0 < blocksize <= max(nbytes, 128):
            raise ValueError(f"{told} one in blocks of {blocksize}")
        try:
            _library("blosc").Blosc().decode(packed, out)
        except RuntimeError as error:
            raise ValueError(f"Blosc: {error}") from error


@dataclass(frozen=True)
class Zstd(Compression):
    """Zstandard.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Zstd().unpack(np.zeros(7, "u1"), out)
    Traceback (most recent call last):
        ...
    ValueError: Zstandard: expected a frame, found bytes 00 00 00 00
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`; the size that the frame promises is compared first."""
        head = bytes(packed[:18])
        if len(head) < 6 or head[:4] != b"\x28\xb5\x2f\xfd":
            raise ValueError(f"Zstandard: expected a frame, found bytes {head[:4].hex(' ')}")
        size = zstd_content_size(head)
        if size is not None and size != out.nbytes:
            raise ValueError(f"Zstandard: expected {out.nbytes} bytes, found a frame of {size}")
        try:
            found = _library("zstd").Zstd().decode(packed, out)
        except RuntimeError as error:
            raise ValueError(f"Zstandard: {error}") from error
        if size is None and isinstance(found, bytes | bytearray):
            copy_bytes(np.frombuffer(found, np.uint8), out)


def zstd_content_size(head: bytes) -> int | None:
    r"""Bytes that a frame of Zstandard promises, from its first bytes; None where it does not.

    Examples
    --------
    >>> zstd_content_size(b"\x28\xb5\x2f\xfd\x20\x05" + bytes(12))
    5
    """
    descriptor = head[4]
    single = descriptor >> 5 & 1
    field = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    if not field:
        return None
    value = int.from_bytes(head[start : start + field], "little")
    return value + 256 if field == 2 else value


@dataclass(frozen=True)
class Lz4Prefixed(Compression):
    r"""LZ4 behind four bytes that give the unpacked size, as numcodecs writes it.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Lz4Prefixed().unpack(np.frombuffer(b"\x03\0\0\0\x30abc", "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        size = int.from_bytes(packed[:4].tobytes(), "little") if packed.nbytes >= 4 else -1
        if size != out.nbytes:
            raise ValueError(f"LZ4: expected {out.nbytes} bytes, found {size}")
        if not size:
            return
        try:
            _library("lz4").decompress(packed, out)
        except RuntimeError as error:
            raise ValueError(f"LZ4: the bytes are damaged: {error}") from error


@dataclass(frozen=True)
class Unshuffle:
    """Bytes that were sorted by their place in the element, sorted back.

    Parameters
    ----------
    itemsize : int
        Bytes of an element.

    Examples
    --------
    >>> out = np.empty(4, "u1")
    >>> Unshuffle(2).unpack(np.array([1, 2, 3, 4], "u1"), out)
    >>> out.tolist()
    [1, 3, 2, 4]
    """

    itemsize: int

    def packed_size(self, size: int) -> int | None:
        """The same."""
        return size

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`; bytes behind the last whole element stay where they are."""
        from lazy4d.kernels.shuffle import unshuffle

        if packed.nbytes != out.nbytes:
            raise ValueError(f"shuffle: expected {out.nbytes} bytes, found {packed.nbytes}")
        unshuffle(packed, self.itemsize, out)


@dataclass(frozen=True)
class Undelta:
    """Differences between neighbours, summed up again.

    Parameters
    ----------
    stored, dtype : str
        Dtype of the differences and of the values.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Undelta("u1", "u1").unpack(np.array([1, 1, 2], "u1"), out)
    >>> out.tolist()
    [1, 2, 4]
    """

    stored: str
    dtype: str

    def packed_size(self, size: int) -> int | None:
        """Elements of another size."""
        return elements(size, np.dtype(self.dtype).itemsize) * np.dtype(self.stored).itemsize

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        differences = np.ascontiguousarray(packed).view(self.stored)
        values = out.view(self.dtype)
        np.cumsum(differences, dtype=values.dtype, out=values)


@dataclass(frozen=True)
class Crc32c(Check):
    """A CRC-32C behind the bytes."""

    def verified(self, packed: Bytes) -> Bytes:
        """The bytes without the checksum."""
        from lazy4d.io.zarr_store.codec import checksum

        return _compared(packed, checksum, "CRC-32C")


@dataclass(frozen=True)
class Crc32(Check):
    """A CRC-32 or Adler-32 before the bytes, as numcodecs writes it.

    Parameters
    ----------
    name : str
        ``"crc32"`` or ``"adler32"``.
    behind : bool
        The checksum follows the bytes.
    """

    name: str
    behind: bool = False

    def verified(self, packed: Bytes) -> Bytes:
        """The bytes without the checksum."""
        compute = zlib.crc32 if self.name == "crc32" else zlib.adler32
        return _compared(packed, compute, self.name, behind=self.behind)


@dataclass(frozen=True)
class Fletcher32(Check):
    """A Fletcher-32 behind the bytes, as HDF5 computes it."""

    def verified(self, packed: Bytes) -> Bytes:
        """The bytes without the checksum."""
        from lazy4d.kernels.shuffle import fletcher32

        data, stored = packed[:-4], int.from_bytes(packed[-4:].tobytes(), "little")
        if packed.nbytes < 4:
            raise ValueError(f"Fletcher-32: expected a checksum, found {packed.nbytes} bytes")
        found = int(fletcher32(data))
        swapped = (found >> 8 & 0x00FF00FF) | (found << 8 & 0xFF00FF00)  # HDF5 before 1.6.3, on some machines
        if stored not in (found, swapped):
            raise ValueError(f"the checksum Fletcher-32 does not fit: stored {stored:#010x}, computed {found:#010x}")
        return data


def _compared(packed: Bytes, compute: Any, name: str, *, behind: bool = True) -> Bytes:
    if packed.nbytes < 4:
        raise ValueError(f"{name}: expected a checksum, found {packed.nbytes} bytes")
    data, last = (packed[:-4], packed[-4:]) if behind else (packed[4:], packed[:4])
    stored, found = int.from_bytes(last.tobytes(), "little"), int(compute(data))
    if stored != found:
        raise ValueError(f"the checksum {name} does not fit: stored {stored:#010x}, computed {found:#010x}")
    return data


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"numcodecs.{name}")
    except ImportError as error:
        raise MissingCodecError(
            f"chunks are compressed with {name}, which comes with numcodecs and is not there: pip install numcodecs"
        ) from error
