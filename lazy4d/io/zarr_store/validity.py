"""Which frames of a shard are valid: one small file a shard, a Zarr array beside the data."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.zarr_store.codec import checksum
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.shards import write_whole


def validity_path(folder: str, layout: ShardLayout, shard: int) -> str:
    """Path of the file that holds the validity of a shard."""
    place = np.unravel_index(shard, layout.grid) if layout.grid else ()
    return os.path.join(folder, ".".join(["c", *(str(int(k)) for k in place)]))


def write_validity(folder: str, layout: ShardLayout, shard: int, valid: NDArray[np.bool_]) -> None:
    """Store ``valid``, of the shape of the shard's positions; padding counts as invalid."""
    whole = np.zeros(layout.nav_shard, np.uint8)
    whole[tuple(slice(0, n) for n in valid.shape)] = valid
    content = whole.tobytes()
    write_whole(validity_path(folder, layout, shard), content + checksum(content).to_bytes(4, "little"))


def read_validity(folder: str, layout: ShardLayout, shard: int) -> NDArray[np.bool_]:
    """Validity of the positions of a shard, padding included: bool of shape ``layout.nav_shard``.

    Raises
    ------
    FormatError, TruncatedFileError
        The file is missing or damaged.
    """
    path = validity_path(folder, layout, shard)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise FormatError(
            f"{path}: expected this file, which says which frames of shard {shard} are valid; it is not there. Save "
            "the data again"
        ) from error
    need = int(np.prod(layout.nav_shard, dtype=np.int64)) + 4
    if len(content) != need:
        raise TruncatedFileError(f"{path}: expected {need} bytes, found {len(content)}; save the data again")
    found, stored = checksum(content[:-4]), int.from_bytes(content[-4:], "little")
    if found != stored:
        raise FormatError(
            f"{path}: the file is damaged: its checksum is {found:#010x}, expected {stored:#010x}; save the data again"
        )
    return np.frombuffer(content[:-4], np.uint8).reshape(layout.nav_shard) != 0
