"""Long columns of numbers as Zarr version 3 arrays of one axis: written from the start, read anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.zarr_store.codec import COMPRESSORS, SHUFFLES, Codec
from lazy4d.io.zarr_store.document import NAME, Fields, read_document, write_document
from lazy4d.io.zarr_store.shards import ShardFile, ShardWriter

CHUNK = 2**16
"""Entries of an inner chunk: what is unpacked to read a single one."""

CHUNKS_PER_SHARD = 128
"""Inner chunks of a shard, one file; fewer in short arrays."""


def chunks_per_shard(size: int) -> int:
    """Inner chunks that a shard of an array of `size` entries has."""
    return max(1, min(CHUNKS_PER_SHARD, -(-size // CHUNK)))


def array_document(
    size: int, dtype: np.dtype[Any], codec: Codec, dimension: str, attributes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The ``zarr.json`` of an array of one axis.

    Parameters
    ----------
    size : int
        Entries.
    dtype : numpy.dtype
        Of the entries.
    codec : Codec
        How inner chunks are packed.
    dimension : str
        Name of the axis.
    attributes : mapping, optional
        What JSON can say of it.

    Examples
    --------
    >>> from lazy4d.io.zarr_store.codec import choose_codec
    >>> array_document(10, np.dtype("f8"), choose_codec("zstd", np.dtype("f8")), "vector")["shape"]
    [10]
    """
    sharding = {
        "chunk_shape": [CHUNK],
        "codecs": [_bytes(dtype), *codec.document()],
        "index_codecs": [_bytes(np.dtype("u8")), {"name": "crc32c"}],
        "index_location": "end",
    }
    shard = [CHUNK * chunks_per_shard(size)]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [size],
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": {"b": False, "f": "NaN"}.get(dtype.kind, 0),
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": dict(attributes or {}),
        "dimension_names": [dimension],
    }


def _bytes(dtype: np.dtype[Any]) -> dict[str, Any]:
    return {"name": "bytes"} if dtype.itemsize == 1 else {"name": "bytes", "configuration": {"endian": "little"}}


class FlatWriter:
    """An array that is written from its first entry to its last; holds one inner chunk in memory.

    Parameters
    ----------
    folder : str
        Of the array; made here.
    size, dtype, codec, dimension, attributes
        As for `array_document`.
    """

    def __init__(
        self,
        folder: str,
        size: int,
        dtype: np.dtype[Any],
        codec: Codec,
        dimension: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        os.makedirs(folder)
        write_document(folder, array_document(size, dtype, codec, dimension, attributes))
        self._folder, self._size, self._codec = folder, size, codec
        self._per_shard = chunks_per_shard(size)
        self._buffer = np.zeros(CHUNK, dtype.newbyteorder("<"))
        self._filled = self._done = 0  # entries in the buffer, inner chunks written
        self._shard: ShardWriter | None = None

    def append(self, values: NDArray[Any]) -> None:
        """Add entries."""
        at = 0
        while at < len(values):
            take = min(CHUNK - self._filled, len(values) - at)
            self._buffer[self._filled : self._filled + take] = values[at : at + take]
            self._filled, at = self._filled + take, at + take
            if self._filled == CHUNK:
                self._flush()

    def _flush(self) -> None:
        number, inside = divmod(self._done, self._per_shard)
        if self._shard is None:
            left = -(-self._size // CHUNK) - self._done
            path = os.path.join(self._folder, f"c.{number}")
            self._shard = ShardWriter(path, self._per_shard, min(left, self._per_shard))
        if self._shard.write(inside, self._codec.encode(self._buffer)):
            self._shard = None
        self._done, self._filled = self._done + 1, 0

    def close(self) -> None:
        """Write what is left; the rest of the last inner chunk is zeros."""
        if self._filled:
            self._buffer[self._filled :] = 0
            self._flush()


class FlatArray:
    """Where the entries of an array are: small, immutable, picklable.

    Parameters
    ----------
    folder : str
        Of the array.
    size : int
        Entries.
    dtype : numpy.dtype
        Native.
    chunk, per_shard : int
        Entries of an inner chunk, and inner chunks of a shard.
    codec : Codec
        How inner chunks are packed.
    """

    def __init__(self, folder: str, size: int, dtype: np.dtype[Any], chunk: int, per_shard: int, codec: Codec) -> None:
        self.folder, self.size, self.dtype = folder, size, dtype
        self.chunk, self.per_shard, self.codec = chunk, per_shard, codec

    @property
    def n_shards(self) -> int:
        """Files."""
        return -(-self.size // (self.chunk * self.per_shard))

    def shard_path(self, number: int) -> str:
        """Path of a shard."""
        return os.path.join(self.folder, f"c.{number}")

    def missing(self) -> list[str]:
        """Names of the shards that are not there."""
        try:
            with os.scandir(self.folder) as entries:
                there = {entry.name for entry in entries}
        except OSError:
            there = set()
        return [f"c.{k}" for k in range(self.n_shards) if f"c.{k}" not in there]

    def read(self, spans: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """The entries of spans ``[start, stop)``, one after the other: an array of its own.

        Raises
        ------
        FormatError, TruncatedFileError
            A shard is missing or damaged.
        """
        out = np.empty(sum(stop - start for start, stop in spans), self.dtype)
        scratch = np.empty(self.chunk, self.dtype.newbyteorder("<"))
        shard: ShardFile | None = None
        opened = unpacked = -1
        at = 0
        try:
            for start, stop in spans:
                for number in range(start // self.chunk, -(-stop // self.chunk) if stop > start else 0):
                    if number != unpacked:
                        if shard is None or opened != number // self.per_shard:
                            if shard is not None:
                                shard.close()
                            opened = number // self.per_shard
                            shard = self._open(opened)
                        shard.decode(number % self.per_shard, self.codec, scratch)
                        unpacked = number
                    first = number * self.chunk
                    a, b = max(start, first), min(stop, first + self.chunk)
                    out[at : at + b - a] = scratch[a - first : b - first]
                    at += b - a
        finally:
            if shard is not None:
                shard.close()
        return out

    def _open(self, shard: int) -> ShardFile:
        try:
            return ShardFile(self.shard_path(shard), self.per_shard)
        except FileNotFoundError as error:
            raise TruncatedFileError(
                f"{self.shard_path(shard)}: expected this file with entries of {os.path.basename(self.folder)!r}, it "
                "is not there; was it removed, or not copied? Copy the store again"
            ) from error

    def probe(self) -> None:
        """Check the index of the first and of the last shard; the others are checked as they are read."""
        for shard in {0, self.n_shards - 1} if self.n_shards else ():
            self._open(shard).close()


def open_flat(folder: str, size: int, dtype: np.dtype[Any]) -> FlatArray:
    """The array in a folder, its document checked.

    Raises
    ------
    FormatError
        The document is damaged, or of another array.
    """
    path = os.path.join(folder, NAME)
    document = read_document(path)
    array = Fields(path, "the array", document)
    sharding = Fields(path, "sharding_indexed", _only(path, document.get("codecs"), "sharding_indexed"))
    (chunk,) = sharding.shape("chunk_shape", 1)
    codec = _codec(path, sharding.take("codecs", list), dtype)
    grid = Fields(path, "the chunk grid", (document.get("chunk_grid") or {}).get("configuration"))
    (shard,) = grid.shape("chunk_shape", 1)
    if array.content.get("shape") != [size] or array.content.get("data_type") != dtype.name or shard % chunk:
        raise FormatError(
            f"{path}: expected {size} entries of {dtype.name}, found shape {array.content.get('shape')} of "
            f"{array.content.get('data_type')}; the file was changed or damaged"
        )
    expected = array_document(size, dtype, codec, "")
    expected["codecs"][0]["configuration"]["chunk_shape"] = [chunk]
    keys = ("codecs", "chunk_key_encoding")
    if any(array.content.get(key) != expected[key] for key in keys) or chunk > 2**28 or shard // chunk > 2**20:
        raise FormatError(
            f"{path}: the array is encoded otherwise than lazy4d does it; open it with zarr and pass the columns to "
            "lazy4d.DiffractionVectors"
        )
    return FlatArray(folder, size, dtype, chunk, shard // chunk, codec)


def _only(path: str, found: Any, name: str) -> Any:
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict) or found[0].get("name") != name:
        raise FormatError(f"{path}: expected the codec {name!r} alone, found {str(found)[:80]}")
    return found[0].get("configuration")


def _codec(path: str, found: list[Any], dtype: np.dtype[Any]) -> Codec:
    blosc = found[1] if len(found) == 3 and isinstance(found[1], dict) else None
    if blosc is None:
        return Codec("", 0, "noshuffle", dtype.itemsize)
    settings = Fields(path, "blosc", blosc.get("configuration"))
    cname, clevel, shuffle = settings.take("cname", str), settings.take("clevel", int), settings.take("shuffle", str)
    if cname not in COMPRESSORS or shuffle not in SHUFFLES or not 0 <= clevel <= 9:
        raise FormatError(f"{path}: expected a codec of Blosc, found {settings.content}")
    return Codec(cname, clevel, shuffle, dtype.itemsize)
