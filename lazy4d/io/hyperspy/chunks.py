"""How frames are cut into chunks of about a megabyte, each of whole frames, and into blocks of whole chunks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lazy4d.io.zarr_store.layout import ShardLayout, choose_layout, common_step, regular_chunks
from lazy4d.lazy import Frames

CHUNK_BYTES = 2**20
"""Pixels of a chunk: what HyperSpy aims at, and a good size for one call of a codec."""

SMALLEST_CHUNK = 2**18
MOST_SMALL_CHUNKS = 256


def plan_chunks(frames: Frames) -> tuple[ShardLayout, Frames]:
    """Where each frame goes, and the same frames in blocks of whole chunks.

    Chunks hold whole frames, also those larger than `CHUNK_BYTES`. Frames in a file or in memory are cut to fit; a dask
    array keeps its blocks unless they would give chunks that are too small.

    Parameters
    ----------
    frames : Frames
        To be stored.

    Returns
    -------
    layout : ShardLayout
        Its shards, and the one inner chunk of each, are the chunks.
    frames : Frames
        In blocks that hold whole chunks.

    Examples
    --------
    >>> frames = Frames.from_array(np.zeros((4, 257, 64, 64), "u2"), 2)
    >>> plan_chunks(frames)[0].shard
    (1, 86, 64, 64)
    """
    nav, shape, dtype = frames.nav_shape, frames.frame_shape, np.dtype(frames.dtype)
    largest = tuple(max(blocks) for blocks in frames.chunks)
    wanted = max(CHUNK_BYTES, math.prod(shape) * dtype.itemsize)
    free = choose_layout(nav, shape, dtype, largest, [True] * len(nav), wanted)
    chosen = free
    if not is_free(frames):
        step = tuple(common_step(blocks) for blocks in frames.chunks)
        own = choose_layout(nav, shape, dtype, step, [len(blocks) == 1 for blocks in frames.chunks], wanted)
        small = own.chunk_nbytes < min(SMALLEST_CHUNK, free.chunk_nbytes)
        chosen = free if small and _chunks(own) > MOST_SMALL_CHUNKS else own
    layout = ShardLayout(nav, chosen.frame_shape, chosen.dtype, chosen.inner, chosen.inner)
    if _aligned(frames, layout):
        return layout, frames
    # Blocks of a dask array that is cut anew are as small as chunks allow: few neighbours wait for each other.
    blocks = chosen.nav_shard if is_free(frames) else _enough(layout, largest)
    return layout, frames.rechunk([regular_chunks(n, s) for n, s in zip(nav, blocks, strict=True)])


def is_free(frames: Frames) -> bool:
    """Whether the frames can be cut into other blocks at no cost: in a file or in memory."""
    return not frames.is_array or getattr(frames.source, "plain", None) is not None


def _chunks(layout: ShardLayout) -> int:
    return math.prod(-(-n // i) for n, i in zip(layout.nav_shape, layout.nav_inner, strict=True))


def _aligned(frames: Frames, layout: ShardLayout) -> bool:
    return all(
        all(border % s == 0 for border in np.cumsum(blocks[:-1], dtype=np.int64))
        for blocks, s in zip(frames.chunks, layout.nav_shard, strict=True)
    )


def _enough(layout: ShardLayout, largest: tuple[int, ...]) -> tuple[int, ...]:
    """Whole chunks that cover a block of the size the array had."""
    return tuple(-(-most // s) * s for most, s in zip(largest, layout.nav_shard, strict=True))


def sources_of(frames: Frames) -> set[str]:
    """Paths of the files and stores that frames are read from, as far as their sources tell."""
    from lazy4d.lazy.fuse import walks_of

    roots: list[Any] = [frames.source]
    arrays = [frames.source.array] if frames.is_array else []
    arrays += [param.array for stage in frames.stages for param in stage.lazy_params()]
    for array in arrays:
        roots += [walk.source for walk in walks_of(array.dask).values()]
    found = set()
    for root in roots:
        source = getattr(root, "source", root)
        for name in ("folder", "path", "label"):
            value = getattr(source, name, None)
            if isinstance(value, str) and value:
                found.add(value)
    return found
