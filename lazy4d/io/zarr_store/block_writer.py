"""What a task does to save its block: frames come in tiles, go into inner chunks, and these into shards."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import ChunkError
from lazy4d.io.save_ending import SaveEnding
from lazy4d.io.zarr_store.array_document import DATA, NAVIGATOR, VALID
from lazy4d.io.zarr_store.codec import Codec
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.navigator import frame_sums, has_navigator, write_navigator
from lazy4d.io.zarr_store.shards import ShardWriter
from lazy4d.io.zarr_store.validity import write_validity
from lazy4d.lazy.endings import Extent, Tile


@dataclass(frozen=True, eq=False)
class Target:
    """Where blocks go: small, immutable, picklable.

    Parameters
    ----------
    folder : str
        Absolute path of the store.
    layout : ShardLayout
        Shards and inner chunks.
    codec : Codec
        How chunks are packed.
    done : ndarray of bool, shape (shards,)
        Shards that are there already and are left alone.
    with_validity : bool
        Store which frames are valid.
    """

    folder: str
    layout: ShardLayout
    codec: Codec
    done: NDArray[np.bool_]
    with_validity: bool

    def shard_path(self, shard: int) -> str:
        """Path of a shard."""
        return os.path.join(self.folder, DATA, self.layout.shard_key(shard))

    @property
    def validity_folder(self) -> str:
        """Where validity is stored."""
        return os.path.join(self.folder, VALID)


class BlockWriter:
    """The shards of one block while they are written; holds at most one inner chunk of each in memory.

    Parameters
    ----------
    target : Target
        Where to.
    box : sequence of slice
        Positions of the block.
    valid : ndarray of bool, shape (n,), or None
        Which frames are valid.

    Raises
    ------
    ChunkError
        The block holds parts of shards: another task would write the same files.
    """

    def __init__(self, target: Target, box: Sequence[slice], valid: NDArray[np.bool_] | None) -> None:
        self._target = target
        self._box = tuple(box)
        layout = target.layout
        if not layout.is_aligned(box):
            raise ChunkError(
                f"the block of positions {[(b.start, b.stop) for b in box]} does not hold whole shards of "
                f"{layout.nav_shard} positions, so that two tasks would write the same file: call .rechunk(chunks="
                f"{layout.nav_shard}) before .save()"
            )
        self._todo = [int(s) for s in layout.shards_in(box) if not target.done[s]]
        self._open: dict[int, ShardWriter] = {}
        self._filling: dict[tuple[int, int], tuple[NDArray[Any], list[int]]] = {}
        self._valid = valid
        self._sums = np.full(math.prod(self._shape), np.nan) if has_navigator(layout) else None
        if target.with_validity:
            self._write_validity(np.ones(self._shape, bool) if valid is None else valid.reshape(self._shape))

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(b.stop - b.start for b in self._box)

    @property
    def unfinished(self) -> int:
        """Shards of the block that are still to be written."""
        return len(self._todo)

    def _write_validity(self, valid: NDArray[np.bool_]) -> None:
        layout = self._target.layout
        for shard in self._todo:
            write_validity(self._target.validity_folder, layout, shard, valid[self._inside(shard)])

    def _inside(self, shard: int) -> tuple[slice, ...]:
        """The positions of a shard, within the block."""
        places = zip(self._target.layout.shard_box(shard), self._box, strict=True)
        return tuple(slice(s.start - b.start, s.stop - b.start) for s, b in places)

    def write(self, start: int, frames: NDArray[Any]) -> None:
        """Take frames ``[start, start + n)`` of the block, in the C order of its positions."""
        layout = self._target.layout
        place = np.arange(start, start + len(frames), dtype=np.int64)
        index = np.unravel_index(place, self._shape) if self._shape else ()
        inside = tuple(k + b.start for k, b in zip(index, self._box, strict=True))
        numbers = np.ravel_multi_index(inside, layout.nav_shape) if inside else np.zeros(len(frames), np.int64)
        shard, chunk, slot = layout.locate(np.asarray(numbers, np.int64))
        stored = np.ascontiguousarray(frames, layout.dtype).reshape(len(frames), *layout.frame_shape)
        if self._sums is not None:
            sums = frame_sums(frames)
            if self._valid is not None:
                sums[~self._valid[start : start + len(frames)]] = np.nan
            self._sums[start : start + len(frames)] = sums
        breaks = np.flatnonzero((np.diff(shard) != 0) | (np.diff(chunk) != 0) | (np.diff(slot) != 1)) + 1
        edges = [0, *breaks.tolist(), len(frames)]
        for a, b in pairwise(edges):
            if b > a and not self._target.done[shard[a]]:
                self._put(int(shard[a]), int(chunk[a]), int(slot[a]), stored[a:b])

    def abandon(self) -> None:
        """Remove what is half written, at once: the disk may be full."""
        for writer in self._open.values():
            writer.abandon()
        self._open.clear()
        self._filling.clear()

    def _put(self, shard: int, chunk: int, slot: int, run: NDArray[Any]) -> None:
        """Frames of one inner chunk, from `slot` on."""
        layout = self._target.layout
        if len(layout.parts) > 1:
            for k, part in enumerate(layout.parts):
                self._pack(shard, chunk + k, run.reshape(-1)[part.start : part.stop])
            return
        if len(run) == layout.frames_per_chunk:
            self._pack(shard, chunk, run)
            return
        if (shard, chunk) not in self._filling:
            buffer = np.zeros((layout.frames_per_chunk, *layout.frame_shape), layout.dtype)
            self._filling[shard, chunk] = buffer, [layout.frames_in_chunk(shard, chunk)]
        buffer, missing = self._filling[shard, chunk]
        buffer[slot : slot + len(run)] = run
        missing[0] -= len(run)
        if missing[0] == 0:
            del self._filling[shard, chunk]
            self._pack(shard, chunk, buffer)

    def _pack(self, shard: int, chunk: int, pixels: NDArray[Any]) -> None:
        layout, target = self._target.layout, self._target
        if pixels.size < layout.chunk_pixels:
            pixels = np.concatenate([pixels.reshape(-1), np.zeros(layout.chunk_pixels - pixels.size, layout.dtype)])
        writer = self._open.get(shard)
        if writer is None:
            path = target.shard_path(shard)
            writer = ShardWriter(path, layout.chunks_per_shard, layout.chunks_in_shard(shard))
            self._open[shard] = writer
        if writer.write(chunk, target.codec.encode(pixels)):
            del self._open[shard]
            self._todo.remove(shard)
            if self._sums is not None:
                sums = self._sums.reshape(self._shape)[self._inside(shard)]
                write_navigator(os.path.join(target.folder, NAVIGATOR), layout, shard, sums)


@dataclass(frozen=True, eq=False)
class WriteShards(SaveEnding):
    """The end of a chain of steps that saves its frames: nothing but a zero is handed to dask.

    `keep_invalid`: invalid frames are stored as they come; otherwise as zeros, whatever the steps made of them.
    """

    step: int
    target: Target
    keep_invalid: bool
    params: tuple[Any, ...] = ()

    def start(self, extent: Extent, step: Any) -> BlockWriter:
        """The shards of a block, not yet opened."""
        return BlockWriter(self.target, extent.box, extent.valid)

    def take(self, state: BlockWriter, tile: Tile, params: list[Any]) -> None:
        """Pack one tile."""
        try:
            super().take(state, tile, params)
        except BaseException:
            state.abandon()
            raise

    def finish(self, state: BlockWriter, extent: Extent) -> NDArray[np.uint8]:
        """A zero for the block, once all its shards are in place."""
        if state.unfinished:
            raise ChunkError(
                f"{state.unfinished} shards of the block of {math.prod(extent.nav_shape)} frames lack frames: "
                "expected the walk to deliver all; save again"
            )
        return np.zeros((1,) * len(extent.box), np.uint8)
