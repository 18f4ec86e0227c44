"""Where the chunks of a ``.zspy`` store go: one file each, in nested folders, in place only when it is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.zarr_store.codec import BLOCK_SIZE, SHUFFLES, Codec
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.shards import write_whole


@dataclass(frozen=True, eq=False)
class ZspyTarget:
    """Folders of the chunks, on a drive that all workers of a cluster see.

    Parameters
    ----------
    data, valid : str
        Folder of the pixels, and of the validity.
    layout : ShardLayout
        Where each frame stands.
    codec : Codec
        How chunks are packed.
    done : ndarray of bool, shape (chunks,)
        Chunks that are there already and are left alone.
    marked : bool
        Whether it is stored which frames are valid.
    """

    data: str
    valid: str
    layout: ShardLayout
    codec: Codec
    done: NDArray[np.bool_]
    marked: bool

    def chunk_path(self, chunk: int) -> str:
        """Path of the file of a chunk."""
        return _file(self.data, (*self._place(chunk), *(0 for _ in self.layout.frame_shape)))

    def valid_path(self, chunk: int) -> str:
        """Path of the file that tells which frames of a chunk are valid."""
        return _file(self.valid, self._place(chunk))

    def _place(self, chunk: int) -> tuple[int, ...]:
        grid = self.layout.grid
        return tuple(int(k) for k in np.unravel_index(chunk, grid)) if grid else ()

    def put_validity(self, chunk: int, valid: NDArray[np.bool_]) -> None:
        """Store the validity of a chunk; padding counts as invalid."""
        whole = np.zeros(self.layout.nav_shard, bool)
        whole[tuple(slice(0, n) for n in valid.shape)] = valid
        _write(self.valid_path(chunk), whole.tobytes())

    def put(self, chunk: int, pixels: NDArray[Any]) -> None:
        """Pack and store a chunk."""
        _write(self.chunk_path(chunk), self.codec.encode(pixels))

    def is_there(self, chunk: int) -> bool:
        """Whether a chunk is stored whole, as far as the sizes tell."""
        if self.marked and _size(self.valid_path(chunk)) != self.layout.frames_per_chunk:
            return False
        path = self.chunk_path(chunk)
        size = _size(path)
        if not self.codec.cname:
            return size == self.layout.chunk_nbytes
        if size < 16:
            return False
        with open(path, "rb") as file:
            head = file.read(16)
        packed, unpacked = int.from_bytes(head[12:16], "little"), int.from_bytes(head[4:8], "little")
        return (packed, unpacked) == (size, self.layout.chunk_nbytes)

    def all_valid(self) -> bool:
        """Whether every stored frame is valid."""
        for chunk in range(self.layout.n_shards):
            with open(self.valid_path(chunk), "rb") as file:
                content = np.frombuffer(file.read(), bool).reshape(self.layout.nav_shard)
            box = self.layout.shard_box(chunk)
            if not content[tuple(slice(0, b.stop - b.start) for b in box)].all():
                return False
        return True


def _file(folder: str, place: tuple[int, ...]) -> str:
    return os.path.join(folder, *(str(k) for k in place or (0,)))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _write(path: str, content: Any) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_whole(path, content)


def compressor_document(codec: Codec) -> dict[str, Any] | None:
    """The compressor as ``.zarray`` names it.

    Examples
    --------
    >>> compressor_document(Codec("zstd", 1, "bitshuffle", 2))
    {'id': 'blosc', 'cname': 'zstd', 'clevel': 1, 'shuffle': 2, 'blocksize': 262144}
    """
    if not codec.cname:
        return None
    return {
        "id": "blosc",
        "cname": codec.cname,
        "clevel": codec.clevel,
        "shuffle": SHUFFLES[codec.shuffle],
        "blocksize": BLOCK_SIZE,
    }
