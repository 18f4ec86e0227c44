"""How the pixels of an inner chunk are packed: Blosc with bits or bytes shuffled, or as they are; always checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import MissingCodecError

COMPRESSORS = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
BLOCK_SIZE = 2**18
"""Bytes that Blosc compresses at a time; larger than its own choice, which costs a third of the speed of zstd."""


@dataclass(frozen=True)
class Codec:
    """Compression of inner chunks.

    Parameters
    ----------
    cname : str
        Compressor within Blosc: ``"zstd"``, ``"lz4"`` …; empty: none.
    clevel : int
        Effort, 0 to 9.
    shuffle : str
        ``"bitshuffle"`` (best for counts), ``"shuffle"`` (bytes; best for floats) or ``"noshuffle"``.
    typesize : int
        Bytes of a pixel.

    Examples
    --------
    >>> codec = choose_codec("zstd", np.dtype("u2"))
    >>> counts = np.random.default_rng(0).poisson(1.0, 4096).astype("u2")
    >>> packed, back = codec.encode(counts), np.empty(4096, "u2")
    >>> codec.decode(np.frombuffer(packed, "u1"), back)
    >>> len(packed) < 2000, np.array_equal(back, counts)
    (True, True)
    """

    cname: str
    clevel: int = 1
    shuffle: str = "bitshuffle"
    typesize: int = 1

    def encode(self, pixels: NDArray[Any]) -> Any:
        """The packed bytes of a C-contiguous array; without compression, a view of it."""
        if not self.cname:
            return pixels.reshape(-1).view(np.uint8)
        # Blosc takes the type size from the buffer; complex numbers are shuffled as what they are made of.
        return _blosc(self.cname, self.clevel, self.shuffle).encode(pixels.reshape(-1).view(f"u{self.typesize}"))

    def decode(self, packed: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Fill a C-contiguous array from packed bytes.

        Raises
        ------
        ValueError
            The bytes are not those of an array of this size: says what was found.
        """
        if not self.cname:
            if packed.nbytes != out.nbytes:
                raise ValueError(f"expected {out.nbytes} bytes, found {packed.nbytes}")
            out.reshape(-1).view(np.uint8)[:] = packed
            return
        found = int.from_bytes(packed[4:8].tobytes(), "little") if packed.nbytes >= 16 else -1
        stored = int.from_bytes(packed[12:16].tobytes(), "little") if packed.nbytes >= 16 else -1
        if found != out.nbytes or stored != packed.nbytes:
            raise ValueError(
                f"expected a Blosc buffer of {packed.nbytes} bytes for {out.nbytes} bytes of pixels, found one of "
                f"{stored} for {found}"
            )
        try:
            _blosc(self.cname, self.clevel, self.shuffle).decode(packed, out.reshape(-1).view(np.uint8))
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    def document(self) -> list[dict[str, Any]]:
        """The compressor and the checksum as ``zarr.json`` lists them."""
        check: list[dict[str, Any]] = [{"name": "crc32c"}]
        if not self.cname:
            return check
        settings = {
            "typesize": self.typesize,
            "cname": self.cname,
            "clevel": self.clevel,
            "shuffle": self.shuffle,
            "blocksize": BLOCK_SIZE,
        }
        return [{"name": "blosc", "configuration": settings}, *check]


def choose_codec(codec: str | dict[str, Any] | None, dtype: np.dtype[Any]) -> Codec:
    """The compression a user asks for, fitted to the pixels.

    Parameters
    ----------
    codec : {"zstd", "lz4", "none"}, dict or None
        ``"zstd"``: small. ``"lz4"``: about 1.6 times faster to read and write, and a tenth to a half larger, sparse
        counts twice as large. ``"none"`` or None: as in memory. A dict may have ``cname``, ``clevel`` and
        ``shuffle``, as Blosc calls them.
    dtype : numpy.dtype
        Dtype of the pixels: bits are shuffled in integers, bytes in floats.

    Raises
    ------
    ValueError
        There is no such codec.

    Examples
    --------
    >>> choose_codec({"cname": "lz4", "clevel": 9}, np.dtype("f4")).shuffle
    'shuffle'
    >>> choose_codec("none", np.dtype("f4")).cname
    ''
    """
    typesize = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    # Bits: counts of 1, 10 and 1000 electrons a pixel become 16, 6.2 and 2.2 times smaller; bytes: 12, 5.3 and 2.2, no
    # faster. zstd level 1: levels 3 and 5 gain 2 % at most (12 % of sparse events) and write at 0.6 and 0.3 of its
    # speed; lz4 makes 10, 4.9 and 2.0. (python -m benchmarks storage)
    usual = "shuffle" if dtype.kind in "fc" else "bitshuffle"
    if codec is None or codec == "none":
        return Codec("", 0, "noshuffle", typesize)
    given: dict[str, Any] = {"cname": codec} if isinstance(codec, str) else dict(codec)
    cname = given.pop("cname", "zstd")
    clevel = given.pop("clevel", 5 if cname == "lz4" else 1)
    shuffle = given.pop("shuffle", usual)
    level = type(clevel) is int and 0 <= clevel <= 9
    if given or cname not in COMPRESSORS or shuffle not in SHUFFLES or not level:
        raise ValueError(
            f"codec={codec!r} is not known: expected 'zstd', 'lz4', 'none', or a dict with cname (one of "
            f"{', '.join(COMPRESSORS)}), clevel (0 to 9) and shuffle (one of {', '.join(SHUFFLES)})"
        )
    return Codec(cname, clevel, shuffle, typesize)


def checksum(data: Any) -> int:
    """The CRC-32C of bytes or of a contiguous array.

    Raises
    ------
    MissingCodecError
        No library computes it here.

    Examples
    --------
    >>> hex(checksum(b"123456789"))
    '0xe3069283'
    """
    try:
        from numcodecs.checksum32 import CRC32C
    except ImportError as error:
        raise MissingCodecError(
            "the checksum CRC-32C of Zarr stores is not available: pip install --upgrade numcodecs google-crc32c"
        ) from error
    return int(CRC32C.checksum(data))


_made: dict[tuple[str, int, str], Any] = {}


def _blosc(cname: str, clevel: int, shuffle: str) -> Any:
    key = (cname, clevel, shuffle)
    if key not in _made:
        try:
            from numcodecs.blosc import Blosc
        except ImportError as error:
            raise MissingCodecError(
                "Zarr stores are compressed with Blosc, which is not installed: pip install numcodecs"
            ) from error
        _made[key] = Blosc(cname=cname, clevel=clevel, shuffle=SHUFFLES[shuffle], blocksize=BLOCK_SIZE)
    return _made[key]
