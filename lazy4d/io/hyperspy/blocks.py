"""What a task does to save its block: frames come in tiles, are gathered into chunks, and these are handed on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import ChunkError
from lazy4d.io.save_ending import SaveEnding
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.lazy.endings import Extent


class ChunkTarget(Protocol):
    """Where chunks go: small and picklable."""

    @property
    def layout(self) -> ShardLayout:
        """Where each frame stands; shards are chunks."""

    @property
    def done(self) -> NDArray[np.bool_]:
        """Chunks that are there already, bool[chunks]."""

    @property
    def marked(self) -> bool:
        """Whether it is stored which frames are valid."""

    def put_validity(self, chunk: int, valid: NDArray[np.bool_]) -> Any:
        """Store the validity of a chunk, of its shape without padding; what has to travel back, or None."""

    def put(self, chunk: int, pixels: NDArray[Any]) -> Any:
        """Store a whole chunk, padding included; what has to travel back, or None."""


class BlockChunks:
    """The chunks of one block while they fill up.

    Parameters
    ----------
    target : ChunkTarget
        Where they go.
    box : sequence of slice
        Positions of the block.
    valid : ndarray of bool, shape (n,), or None
        Which frames are valid.

    Raises
    ------
    ChunkError
        The block holds parts of chunks: another task would write the same ones.
    """

    def __init__(self, target: ChunkTarget, box: Sequence[slice], valid: NDArray[np.bool_] | None) -> None:
        layout = target.layout
        self._target, self._box = target, tuple(box)
        if not layout.is_aligned(box):
            raise ChunkError(
                f"the block of positions {[(b.start, b.stop) for b in box]} does not hold whole chunks of "
                f"{layout.nav_shard} positions, so that two tasks would write the same chunk: call .rechunk(chunks="
                f"{layout.nav_shard}) before .save()"
            )
        self._shape = tuple(b.stop - b.start for b in box)
        self._todo = {int(c) for c in layout.shards_in(box) if not target.done[c]}
        self._filling: dict[int, tuple[NDArray[Any], list[int]]] = {}
        self.returned: list[Any] = []
        if target.marked:
            every = np.ones(self._shape, bool) if valid is None else valid.reshape(self._shape)
            for chunk in sorted(self._todo):
                places = layout.shard_box(chunk)
                inside = tuple(
                    slice(p.start - b.start, p.stop - b.start) for p, b in zip(places, self._box, strict=True)
                )
                self._keep(target.put_validity(chunk, every[inside]))

    @property
    def unfinished(self) -> int:
        """Chunks of the block that are still to be stored."""
        return len(self._todo)

    def write(self, start: int, frames: NDArray[Any]) -> None:
        """Take frames ``[start, start + n)`` of the block, in the C order of its positions."""
        layout = self._target.layout
        place = np.arange(start, start + len(frames), dtype=np.int64)
        index = np.unravel_index(place, self._shape) if self._shape else ()
        inside = tuple(k + b.start for k, b in zip(index, self._box, strict=True))
        numbers = np.ravel_multi_index(inside, layout.nav_shape) if inside else np.zeros(len(frames), np.int64)
        chunk, _, slot = layout.locate(np.asarray(numbers, np.int64))
        stored = np.ascontiguousarray(frames, layout.dtype).reshape(len(frames), *layout.frame_shape)
        breaks = np.flatnonzero((np.diff(chunk) != 0) | (np.diff(slot) != 1)) + 1
        for a, b in pairwise([0, *breaks.tolist(), len(frames)]):
            if b > a and int(chunk[a]) in self._todo:
                self._put(int(chunk[a]), int(slot[a]), stored[a:b])

    def _put(self, chunk: int, slot: int, run: NDArray[Any]) -> None:
        layout = self._target.layout
        if len(run) == layout.frames_per_chunk:
            self._finish(chunk, run)
            return
        if chunk not in self._filling:
            buffer = np.zeros((layout.frames_per_chunk, *layout.frame_shape), layout.dtype)
            self._filling[chunk] = buffer, [layout.frames_in_chunk(chunk, 0)]
        buffer, missing = self._filling[chunk]
        buffer[slot : slot + len(run)] = run
        missing[0] -= len(run)
        if missing[0] == 0:
            del self._filling[chunk]
            self._finish(chunk, buffer)

    def _finish(self, chunk: int, pixels: NDArray[Any]) -> None:
        self._keep(self._target.put(chunk, pixels.reshape(self._target.layout.shard)))
        self._todo.remove(chunk)

    def _keep(self, returned: Any) -> None:
        if returned is not None:
            self.returned.append(returned)


@dataclass(frozen=True, eq=False)
class WriteChunks(SaveEnding):
    """The end of a chain of steps that saves its frames.

    `keep_invalid`: invalid frames are stored as they come; otherwise as zeros, whatever the steps made of them.
    """

    step: int
    target: ChunkTarget
    keep_invalid: bool
    params: tuple[Any, ...] = ()

    def start(self, extent: Extent, step: Any) -> BlockChunks:
        """The chunks of a block, all empty."""
        return BlockChunks(self.target, extent.box, extent.valid)

    def finish(self, state: BlockChunks, extent: Extent) -> Any:
        """What has to travel back to the client; a zero where nothing has.

        Raises
        ------
        ChunkError
            Frames did not come.
        """
        if state.unfinished:
            raise ChunkError(
                f"{state.unfinished} chunks of the block of {math.prod(extent.nav_shape)} frames lack frames: "
                "expected the walk to deliver all; save again"
            )
        return state.returned or np.zeros((1,) * len(extent.box), np.uint8)
