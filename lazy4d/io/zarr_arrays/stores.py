"""Chunks of a Zarr array: each under its own key, or several in a shard with an index."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io import mapping
from lazy4d.io.chunked.store import Mapped, Packed
from lazy4d.io.zarr_arrays.node import ArrayNode
from lazy4d.io.zarr_arrays.place import FolderPlace, Place, whole

_ABSENT = 2**64 - 1
_LARGE_CHUNK = 2**20
"""A file from which on a memory map of its own costs less than a copy."""

_WHOLE_SHARD = 16 * 2**20
"""A shard up to this size is fetched at once when its first chunk is asked for: blocks take whole shards."""

_MOST_INDEX = 2**22


@dataclass(frozen=True)
class ChunkKeys:
    """Chunks under keys of their own.

    Parameters
    ----------
    place : Place
        The store.
    node : ArrayNode
        The array.
    """

    place: Place
    node: ArrayNode

    @property
    def token(self) -> str:
        """Identity of the array as it was at load."""
        return f"{self.place.token}:{self.node.path}:{self.node.digest}"

    @property
    def label(self) -> str:
        """Where the chunks come from."""
        return f"{self.place.label}/{self.node.path}".rstrip("/")

    def __repr__(self) -> str:
        """The label."""
        return f"<chunks of {self.label}>"

    def open(self) -> OpenKeys:
        """Nothing is opened yet; the array must be the one that was loaded."""
        self.place.verify(self.node.document, self.node.state)
        return OpenKeys(self.place, self.node)


class OpenKeys:
    """Chunks fetched by key."""

    def __init__(self, place: Place, node: ArrayNode) -> None:
        self._place, self._node = place, node

    def where(self, index: tuple[int, ...]) -> str:
        """The file of a chunk."""
        return f"{self._place.label}/{self._node.key(index)}"

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The packed chunk; None where none was written."""
        data = self._place.get(self._node.key(index))
        return None if data is None else Packed(data)

    def look(self, index: tuple[int, ...]) -> Mapped | None:
        """A large chunk in a memory map of its file; None where there is none."""
        if not isinstance(self._place, FolderPlace):
            return None
        path = self._place.path(self._node.key(index))
        try:
            status = os.stat(path)
        except OSError:
            return None
        if status.st_size < _LARGE_CHUNK:
            return None
        return Mapped(mapping.mapped(path, status.st_size, status.st_mtime_ns), 0, status.st_size)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Sharding:
    """How shards are cut: shape of an inner chunk, inner codecs, and the index.

    Parameters
    ----------
    inner : tuple of int
        Shape of an inner chunk; it divides that of a shard.
    codecs : tuple
        Of the inner chunks.
    per_shard : tuple of int
        Inner chunks along each axis of a shard.
    checked : bool
        Whether the index has a checksum.
    at_start : bool
        Whether the index comes before the chunks.
    big_endian : bool
        Byte order of the index.
    """

    inner: tuple[int, ...]
    codecs: tuple[Any, ...]
    per_shard: tuple[int, ...]
    checked: bool
    at_start: bool
    big_endian: bool

    @property
    def index_nbytes(self) -> int:
        """Bytes of the index."""
        return 16 * math.prod(self.per_shard) + (4 if self.checked else 0)


def sharding_of(node: ArrayNode, where: str) -> Sharding | None:
    """How an array is sharded; None where it is not.

    Raises
    ------
    FormatError, UnsupportedVariantError
        The codec makes no sense, or is in a place that is not read.
    """
    names = [codec.get("name") if isinstance(codec, dict) else codec for codec in node.codecs]
    if "sharding_indexed" not in names:
        return None
    if len(names) > 1:
        raise UnsupportedVariantError(f"{where}: codecs around shards are not read, found {names}")
    settings = node.codecs[0].get("configuration")
    settings = settings if isinstance(settings, dict) else {}
    inner: Any = settings.get("chunk_shape")
    good = isinstance(inner, list) and len(inner) == len(node.chunk) and all(type(n) is int and n > 0 for n in inner)
    if not good or not all(s % c == 0 for s, c in zip(node.chunk, inner, strict=True)):
        raise FormatError(f"{where}: expected inner chunks that divide shards of {node.chunk}, found {str(inner)[:80]}")
    codecs, index = settings.get("codecs"), settings.get("index_codecs")
    location = settings.get("index_location", "end")
    if not isinstance(codecs, list) or not isinstance(index, list) or location not in ("start", "end"):
        raise FormatError(f"{where}: expected codecs and an index at start or end, found {str(settings)[:80]}")
    kinds = [codec.get("name") if isinstance(codec, dict) else codec for codec in index]
    if kinds not in (["bytes"], ["bytes", "crc32c"]):
        raise UnsupportedVariantError(f"{where}: an index of shards packed by {kinds} is not read")
    order = (index[0].get("configuration") or {}) if isinstance(index[0], dict) else {}
    per_shard = tuple(s // c for s, c in zip(node.chunk, inner, strict=True))
    if math.prod(per_shard) > _MOST_INDEX:
        raise FormatError(f"{where}: {math.prod(per_shard)} chunks in a shard are too many to be true")
    return Sharding(
        tuple(inner), tuple(codecs), per_shard, len(kinds) > 1, location == "start", order.get("endian") == "big"
    )


@dataclass(frozen=True)
class ShardedChunks:
    """Inner chunks of shards."""

    place: Place
    node: ArrayNode
    sharding: Sharding

    @property
    def token(self) -> str:
        """Identity of the array as it was at load."""
        return ChunkKeys(self.place, self.node).token

    @property
    def label(self) -> str:
        """Where the chunks come from."""
        return ChunkKeys(self.place, self.node).label

    def __repr__(self) -> str:
        """The label."""
        return f"<shards of {self.label}>"

    def open(self) -> OpenShards:
        """No shard is opened yet; the array must be the one that was loaded."""
        self.place.verify(self.node.document, self.node.state)
        return OpenShards(self)


class OpenShards:
    """Inner chunks, the last few shards at hand: small ones whole, of large ones the index."""

    def __init__(self, store: ShardedChunks) -> None:
        self._store = store
        self._shards: dict[str, tuple[NDArray[np.uint64], bytes | None] | None] = {}

    def where(self, index: tuple[int, ...]) -> str:
        """The file of an inner chunk."""
        return f"{self._store.place.label}/{self._key(index)}"

    def _key(self, index: tuple[int, ...]) -> str:
        cells = self._store.sharding.per_shard
        return self._store.node.key(tuple(k // n for k, n in zip(index, cells, strict=True)))

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The packed inner chunk; None where it, or its shard, was never written."""
        key, cells = self._key(index), self._store.sharding.per_shard
        if key not in self._shards:
            if len(self._shards) >= 8:
                self._shards.pop(next(iter(self._shards)))
            self._shards[key] = self._open(key)
        opened = self._shards[key]
        if opened is None:
            return None
        table, data = opened
        cell = int(np.ravel_multi_index(tuple(k % n for k, n in zip(index, cells, strict=True)), cells)) if cells else 0
        start, length = (int(n) for n in table[cell])
        if start == _ABSENT and length == _ABSENT:
            return None
        if data is not None:
            if start + length > len(data):
                raise TruncatedFileError(
                    f"{self.where(index)}: expected {length} bytes at byte {start}, the shard has {len(data)}: it is "
                    "cut short or its index damaged"
                )
            return Packed(np.frombuffer(data, np.uint8)[start : start + length])
        most = self._most_packed()
        if length > most:
            raise FormatError(f"{self.where(index)}: a chunk claims {length} bytes, expected at most {most}")
        place = self._store.place
        return Packed(whole(place, key, place.get_range(key, start, length), start, length))

    def _most_packed(self) -> int:
        node, sharding = self._store.node, self._store.sharding
        return 2 * math.prod(sharding.inner) * node.dtype.itemsize + 2**16

    def _open(self, key: str) -> tuple[NDArray[np.uint64], bytes | None] | None:
        place, sharding = self._store.place, self._store.sharding
        size = place.size(key)
        if size is None:
            return None
        need = sharding.index_nbytes
        if size < need:
            raise TruncatedFileError(
                f"{place.label}/{key}: expected at least the {need} bytes of an index, found {size}: the shard is cut "
                "short; copy it again, or load with incomplete='nan' to mark its frames invalid"
            )
        data = whole(place, key, place.get(key), 0, size) if size <= _WHOLE_SHARD else None
        start = 0 if sharding.at_start else size - need
        raw = data[start : start + need] if data is not None else place.get_range(key, start, need)
        raw = whole(place, key, raw, start, need)
        if sharding.checked:
            from lazy4d.io.zarr_store.codec import checksum

            raw, stated = raw[:-4], int.from_bytes(raw[-4:], "little")
            if checksum(raw) != stated:
                raise FormatError(
                    f"{place.label}/{key}: the checksum of its index at byte {start} does not fit: the shard is damaged"
                )
        return np.frombuffer(raw, ">u8" if sharding.big_endian else "<u8").reshape(-1, 2), data

    def close(self) -> None:
        """Forget the shards."""
        self._shards = {}
