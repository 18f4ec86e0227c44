"""The filters of HDF5 by their numbers, as steps of unpacking."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, MissingCodecError
from lazy4d.io.chunked.pipeline import Bytes, Pipeline, Step, copy_bytes, scratch
from lazy4d.io.chunked.steps import Blosc, Compression, Fletcher32, Inflate, Unshuffle, Zstd

Filter = tuple[int, int, tuple[int, ...]]

_NAMES = {
    1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 305: "lzo", 307: "bzip2",
    32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32017: "sz",
    32018: "fcidecomp", 32019: "jpeg", 32024: "sz3", 32026: "blosc2", 32028: "sperr", 32030: "htj2k",
}  # fmt: skip

_FALLBACK_BLOCK = 8192
_LARGEST_BLOCK = 2**26
_ROOM = 2**17  # for two blocks of chunks unpacked together; larger ones are unpacked one by one


def filter_name(number: int) -> str:
    """What a filter is called; its number where it is not known.

    Examples
    --------
    >>> filter_name(32008), filter_name(40000)
    ('bitshuffle', 'filter 40000')
    """
    return _NAMES.get(number, f"filter {number}")


def is_known(number: int) -> bool:
    """Whether a filter is unpacked here, outside of HDF5.

    Examples
    --------
    >>> is_known(32008), is_known(32026)
    (True, False)
    """
    return number in (1, 2, 3, 32000, 32001, 32004, 32008, 32015)


def hdf5_pipeline(filters: Sequence[Filter], dtype: np.dtype[Any]) -> Pipeline:
    """The steps of unpacking a chunk; see `lazy4d.io.chunked.codec.codec_from_hdf5`."""
    steps = [_step(number, values, dtype) for number, _, values in filters]
    places = range(len(steps))
    return Pipeline(tuple(reversed(steps)), (), tuple(reversed(places)))


def _step(number: int, values: tuple[int, ...], dtype: np.dtype[Any]) -> Step:
    if number == 1:
        return Inflate(15)
    if number == 2:
        return Unshuffle(_itemsize(values[0] if values else dtype.itemsize, "shuffle"))
    if number == 3:
        return Fletcher32()
    if number == 32000:
        return Lzf()
    if number == 32001:
        return Blosc()
    if number == 32004:
        return Lz4Blocks()
    if number == 32008:
        itemsize = _itemsize(values[2] if len(values) > 2 and values[2] else dtype.itemsize, "bitshuffle")
        compressor = values[4] if len(values) > 4 else 0
        if compressor not in (0, 2, 3):
            raise MissingCodecError(
                f"bitshuffle (HDF5 filter 32008) over compressor {compressor}: expected none (0), lz4 (2) or zstd (3); "
                "write the file again with one of these, for example by h5repack"
            )
        return Bitshuffle(itemsize, values[3] if len(values) > 3 else 0, compressor)
    if number == 32015:
        return Zstd()
    raise MissingCodecError(
        f"the HDF5 filter {number} ({_NAMES.get(number, 'of unknown name')}) is needed to unpack the pixels and is not "
        "here: pip install hdf5plugin (and blosc2 for blosc2), or write the file again with another compression, for "
        f"example by h5repack --filter=SHUF --filter=GZIP=1. https://github.com/HDFGroup/hdf5_plugins lists filters"
    )


def _itemsize(value: int, name: str) -> int:
    if not 0 < value <= 4096:
        raise FormatError(f"the HDF5 filter {name} is set to elements of {value} bytes, expected 1 to 4096")
    return int(value)


@dataclass(frozen=True)
class Lzf(Compression):
    r"""LZF, as h5py writes it.

    Examples
    --------
    >>> out = np.empty(3, "u1")
    >>> Lzf().unpack(np.frombuffer(b"\x02abc", "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        from lazy4d.kernels.lzf import unpack_lzf

        found = unpack_lzf(packed, out)
        if found != out.nbytes:
            raise ValueError(f"LZF: expected {out.nbytes} bytes, found {found if found >= 0 else 'damage'}")


@dataclass(frozen=True)
class Lz4Blocks(Compression):
    """LZ4 in blocks behind a header, as the HDF5 filter 32004 writes it.

    Examples
    --------
    >>> packed = bytes([0] * 7 + [3, 0, 0, 0, 3, 0, 0, 0, 3]) + b"abc"
    >>> out = np.empty(3, "u1")
    >>> Lz4Blocks().unpack(np.frombuffer(packed, "u1"), out)
    >>> bytes(out)
    b'abc'
    """

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        from lazy4d.kernels.lz4 import unpack_blocks

        total, block = _header(packed, "LZ4")
        if total != out.nbytes or block < 1:
            raise ValueError(f"LZ4: expected {out.nbytes} bytes, found {total} in blocks of {block}")
        if unpack_blocks(packed[12:], min(block, total), out) < 0:
            raise ValueError("LZ4: the bytes are damaged")


@dataclass(frozen=True)
class Bitshuffle(Compression):
    """Bits sorted by their place in the element, over LZ4, Zstandard or nothing: HDF5 filter 32008.

    Parameters
    ----------
    itemsize : int
        Bytes of an element.
    block : int
        Elements of a block without compression; 0: as the filter chooses. Compressed chunks say it themselves.
    compressor : int
        0: none, 2: LZ4, 3: Zstandard.

    Examples
    --------
    >>> out = np.empty(8, "u1")
    >>> Bitshuffle(1, 0, 0).unpack(np.array([255, 1, 0, 0, 0, 0, 0, 128], "u1"), out)
    >>> out.tolist()
    [3, 1, 1, 1, 1, 1, 1, 129]
    """

    itemsize: int
    block: int
    compressor: int

    def packed_size(self, size: int) -> int | None:
        """The same without compression."""
        return None if self.compressor else size

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out`."""
        from lazy4d.kernels import bitshuffle

        if out.nbytes % self.itemsize:
            raise ValueError(f"bitshuffle: {out.nbytes} bytes are not whole elements of {self.itemsize}")
        if not self.compressor:
            if packed.nbytes != out.nbytes:
                raise ValueError(f"bitshuffle: expected {out.nbytes} bytes, found {packed.nbytes}")
            block = self._block(self.block * self.itemsize or self._usual())
            bitshuffle.unpack_bitshuffled(packed, self.itemsize, block, scratch(2, block), out)
            return
        total, block = _header(packed, "bitshuffle")
        if total != out.nbytes:
            raise ValueError(f"bitshuffle: expected {out.nbytes} bytes, found {total}")
        block = self._block(block or self._usual())
        if self.compressor == 2:
            if bitshuffle.unpack_bitshuffle_lz4(packed[12:], self.itemsize, block, scratch(2, 2 * block), out) < 0:
                raise ValueError("bitshuffle over LZ4: the bytes are damaged")
            return
        self._unpack_zstd(packed[12:], block, out)

    @property
    def many(self) -> bool:
        """Whether `unpack_many` can be used."""
        return self.compressor == 2

    def unpack_many(
        self, memory: Bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64], out: NDArray[np.uint8]
    ) -> int:
        """Fill each row of `out` from a chunk of its own in `memory`; the rows filled before one that needs a look."""
        from lazy4d.kernels import bitshuffle

        if out.shape[1] % self.itemsize:
            return 0
        usual = self._block(self._usual())
        return int(
            bitshuffle.unpack_bitshuffle_lz4_chunks(
                memory, starts, sizes, self.itemsize, usual, scratch(2, max(2 * usual, _ROOM)), out
            )
        )

    def _unpack_zstd(self, packed: Bytes, block: int, out: Bytes) -> None:
        from lazy4d.kernels import bitshuffle

        bits, done, i, step = scratch(1, out.nbytes), 0, 0, 8 * self.itemsize
        while out.nbytes - done >= step:
            length = min(block, (out.nbytes - done) // step * step)
            stored = int.from_bytes(packed[i : i + 4].tobytes(), "big")
            i += 4
            if stored > packed.nbytes - i:
                raise ValueError("bitshuffle over Zstandard: the bytes end within a block")
            Zstd().unpack(packed[i : i + stored], bits[done : done + length])
            i += stored
            done += length
        copy_bytes(packed[i : i + out.nbytes - done], bits[done:])
        view = bits.view()
        view.flags.writeable = False
        bitshuffle.unpack_bitshuffled(view, self.itemsize, block, scratch(2, block), out)

    def _usual(self) -> int:
        """Bytes of a block where nothing gives them: about 8 KiB, a multiple of 8 elements and at least 128."""
        return max(_FALLBACK_BLOCK // self.itemsize // 8 * 8, 128) * self.itemsize

    def _block(self, nbytes: int) -> int:
        if nbytes % (8 * self.itemsize) or not 0 < nbytes <= _LARGEST_BLOCK:
            raise ValueError(f"bitshuffle: blocks of {nbytes} bytes are no multiple of 8 elements of {self.itemsize}")
        return nbytes


def _header(packed: Bytes, name: str) -> tuple[int, int]:
    """Unpacked bytes of a chunk and of a block, from its first twelve bytes."""
    if packed.nbytes < 12:
        raise ValueError(f"{name}: expected a header of 12 bytes, found {packed.nbytes}")
    total, block = struct.unpack(">QI", packed[:12].tobytes())
    return total, block
