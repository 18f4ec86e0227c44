"""How a scan is cut into blocks: whole frames, runs of whole scan rows, of about the size that streams best."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from lazy4d.errors import ChunkError
from lazy4d.lazy.options import options

BLOCKS_PER_CORE = 2

NavChunks = tuple[tuple[int, ...], ...]


def auto_chunks(nav_shape: Sequence[int], frame_nbytes: int, block_bytes: int | None = None) -> NavChunks:
    """Block sizes along each navigation axis, so that a block is a run of whole scan rows of about `block_bytes`.

    Where one row exceeds the limit a block is a run of positions within a row; a scan of one axis is cut into runs of
    frames. Small scans are cut further, so that every core finds at least two blocks.

    Parameters
    ----------
    nav_shape : sequence of int
        Positions along each navigation axis, numpy order.
    frame_nbytes : int
        Stored bytes of one frame.
    block_bytes : int, optional
        Stored bytes aimed at per block, by default the option of `set_options`: 128 MiB, large against dask's cost per
        task and small against memory.

    Returns
    -------
    tuple of tuple of int
        As dask writes chunks, one tuple a navigation axis.

    Examples
    --------
    >>> auto_chunks((256, 512), 131072)[0][:3], auto_chunks((256, 512), 131072)[1]
    ((2, 2, 2), (512,))
    """
    if not nav_shape:
        return ()
    positions = math.prod(nav_shape)
    limit = (block_bytes or options().block_bytes) // max(1, frame_nbytes)
    spread = -(-positions // (BLOCKS_PER_CORE * (os.cpu_count() or 1)))
    # Cutting for the cores' sake is worth a task only while the blocks stay above about a megabyte.
    frames = max(1, min(limit, max(spread, 2**20 // max(1, frame_nbytes))))
    sizes = []
    for size in reversed(nav_shape):
        take = max(1, min(size, frames))
        sizes.append(take)
        frames = frames // size if take == size else 1
    return tuple(regular(n, c) for n, c in zip(nav_shape, reversed(sizes), strict=True))


def neighbour_chunks(
    nav_shape: Sequence[int],
    depth: Sequence[int],
    frame_nbytes: int,
    result_nbytes: int,
    block_bytes: int | None = None,
) -> NavChunks:
    """Blocks for filters that need `depth` neighbours on either side: small in memory, with little read twice.

    Whole scan rows would do badly: a block of one row with a neighbour on either side reads everything three times. So
    blocks grow along the axis where the halo weighs most, which makes them about square: up to half of `block_bytes`,
    and up to twice of it while more than half of what is read is halo.

    Parameters
    ----------
    nav_shape : sequence of int
        Positions along each navigation axis, numpy order.
    depth : sequence of int
        Neighbours needed on either side along each axis.
    frame_nbytes, result_nbytes : int
        Bytes of a frame that is read, and of one that the filter gives: a block holds both, the first with its halo.
    block_bytes : int, optional
        By default the option of `set_options`: 128 MiB.

    Examples
    --------
    >>> neighbour_chunks((64, 512, 512), (0, 1, 1), 131072, 262144)[1][:2]
    (12, 12)
    """
    cores = BLOCKS_PER_CORE * (os.cpu_count() or 1)
    share = max(math.prod(nav_shape) * (frame_nbytes + result_nbytes) // cores, 2**20)
    target = block_bytes or options().block_bytes
    sizes = [1] * len(nav_shape)

    def grown(k: int) -> int:
        return min(sizes[k] + max(1, sizes[k] // 8), nav_shape[k])

    def fits(number: int) -> bool:
        sides = [grown(k) if k == number else size for k, size in enumerate(sizes)]
        inner, outer = math.prod(sides), math.prod(size + 2 * d for size, d in zip(sides, depth, strict=True))
        now = math.prod(size + 2 * d for size, d in zip(sizes, depth, strict=True)) / math.prod(sizes)
        limit = 2 * target if now > 2 else target // 2
        return outer * frame_nbytes + inner * result_nbytes <= min(limit, share)

    while True:
        # The axis whose halo is largest against what it surrounds; later, hence contiguous, axes first among equals.
        order = sorted(range(len(sizes)), key=lambda k: (depth[k] / sizes[k], k), reverse=True)
        growing = [k for k in order if sizes[k] < nav_shape[k] and fits(k)]
        if not growing:
            return tuple(regular(n, size) for n, size in zip(nav_shape, sizes, strict=True))
        sizes[growing[0]] = grown(growing[0])


def regular(size: int, step: int) -> tuple[int, ...]:
    """Blocks of `step` along an axis of `size`, as even as whole numbers allow, so that no small block trails.

    Examples
    --------
    >>> regular(10, 4)
    (4, 3, 3)
    """
    blocks = -(-size // max(1, step))
    short, longer = divmod(size, blocks) if blocks else (0, 0)
    return (short + 1,) * longer + (short,) * (blocks - longer)


def normalize_chunks(
    chunks: str | int | Sequence[int | Sequence[int]], nav_shape: Sequence[int], frame_nbytes: int
) -> NavChunks:
    """`chunks` as a user may write them, as one tuple of block sizes a navigation axis.

    Parameters
    ----------
    chunks : "auto", int or sequence
        ``"auto"``; positions per block along the first axis (the others whole); or, per navigation axis in numpy
        order, a block size (-1: the whole axis) or the tuple of all block sizes.
    nav_shape : sequence of int
        Positions along each navigation axis.
    frame_nbytes : int
        Stored bytes of one frame.

    Raises
    ------
    ChunkError
        The chunks do not fit the navigation shape.
    """
    shape = tuple(int(n) for n in nav_shape)
    if isinstance(chunks, str):
        if chunks != "auto":
            raise ValueError(f"chunks={chunks!r} is not known: expected 'auto', an int, or one entry a navigation axis")
        return auto_chunks(shape, frame_nbytes)
    entries: list[int | Sequence[int]]
    if isinstance(chunks, int | np.integer):
        entries = [int(chunks), *(-1 for _ in shape[1:])] if shape else []
    else:
        entries = list(chunks)
    if len(entries) != len(shape):
        raise ChunkError(
            f"chunks={chunks!r} has {len(entries)} entries, expected {len(shape)}: one for each navigation axis of "
            f"shape {shape}, in numpy order (rows first). Frames are never split, so signal axes have no entry."
        )
    result = []
    for size, entry in zip(shape, entries, strict=True):
        if isinstance(entry, int | np.integer):
            result.append(regular(size, size if entry == -1 else _positive(int(entry), chunks)))
        else:
            blocks = tuple(_positive(int(b), chunks) for b in entry)
            if sum(blocks) != size:
                raise ChunkError(f"chunks {blocks} add up to {sum(blocks)}, expected the {size} positions of the axis")
            result.append(blocks)
    return tuple(result)


def _positive(value: int, chunks: object) -> int:
    if value < 1:
        raise ChunkError(f"a block of {value} positions in chunks={chunks!r}: expected at least 1 (or -1 for all)")
    return value


def bounds(blocks: Sequence[int]) -> np.ndarray:
    """Where each block starts, with the end last: int64[len(blocks) + 1]."""
    return np.concatenate([[0], np.cumsum(np.asarray(blocks, np.int64))]).astype(np.int64)


def align_to(chunks: NavChunks, factors: Sequence[int]) -> NavChunks:
    """The nearest blocks whose sizes are multiples of `factors`; each axis must itself be a multiple."""
    result = []
    for blocks, factor in zip(chunks, factors, strict=True):
        size = sum(blocks)
        step = max(factor, max(blocks) // factor * factor)
        whole, rest = divmod(size, step)
        result.append((step,) * whole + ((rest,) if rest else ()))
    return tuple(result)
