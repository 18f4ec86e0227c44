"""Which blocks of a scan, and which of their positions, a selection takes: slices and indices, or a mask."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dask._task_spec import List, Task, TaskRef
from numpy.typing import NDArray

from lazy4d.lazy.chunks import NavChunks, bounds
from lazy4d.lazy.ragged_ending import boxed, unboxed
from lazy4d.lazy.selection import normalize_items
from lazy4d.ragged import RaggedFrames


@dataclass(frozen=True)
class Picked:
    """One block of the result: the blocks it takes from, and which frames of all of them, in their order."""

    index: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]
    frames: NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """The blocks of a result and the positions that each holds."""

    chunks: NavChunks
    picked: tuple[Picked, ...]

    def layer(self, name: str, source: str) -> dict[Any, Any]:
        """Tasks named `name` that take from the blocks of `source`."""
        tasks = {}
        for one in self.picked:
            key = (name, *one.index)
            refs = List(*(TaskRef((source, *block)) for block in one.blocks))
            tasks[key] = Task(key, take_frames, refs, one.frames, len(self.chunks))
        return tasks


def take_frames(boxes: list[Any], frames: NDArray[np.int64], ndim: int) -> NDArray[Any]:
    """Some frames of several blocks together, as one block of `ndim` axes."""
    return boxed(RaggedFrames.concatenate([unboxed(box) for box in boxes]).take(frames), ndim)


def runs_of_slices(chunks: NavChunks, items: Sequence[slice | int]) -> Selection:
    """The selection of a slice or index for each axis, numpy order; an index drops its axis.

    Raises
    ------
    ValueError
        Nothing is left.

    Examples
    --------
    >>> selection = runs_of_slices(((2, 2), (3,)), (slice(None, None, -1), 1))
    >>> selection.chunks, [(one.blocks, one.frames.tolist()) for one in selection.picked]
    (((2, 2),), [(((1, 0),), [4, 1]), (((0, 0),), [4, 1])])
    """
    shape = tuple(sum(sizes) for sizes in chunks)
    cut = normalize_items(tuple(items), shape)
    axes = [_runs(item, sizes) for item, sizes in zip(cut, chunks, strict=True)]
    if any(not runs for runs in axes):
        raise ValueError(f"the selection {tuple(items)} leaves no position of a scan of shape {shape}")
    kept = [k for k, item in enumerate(cut) if isinstance(item, slice)]
    picked = []
    for index in np.ndindex(*(len(runs) for runs in axes)):
        chosen = [runs[i] for runs, i in zip(axes, index, strict=True)]
        block = tuple(number for number, _ in chosen)
        inside = tuple(sizes[b] for sizes, b in zip(chunks, block, strict=True))
        local = np.ix_(*(positions for _, positions in chosen)) if chosen else ()
        frames = np.ravel_multi_index(local, inside).reshape(-1) if chosen else np.zeros(1, np.int64)
        picked.append(Picked(tuple(index[k] for k in kept), (block,), frames))
    return Selection(tuple(tuple(len(p) for _, p in axes[k]) for k in kept), tuple(picked))


def _runs(item: slice | int, sizes: tuple[int, ...]) -> list[tuple[int, NDArray[np.int64]]]:
    """The blocks along one axis that a selection meets, in its order, and the positions inside each."""
    numbers = np.arange(sum(sizes))[item if isinstance(item, slice) else slice(item, item + 1)]
    edges = bounds(sizes)
    owner = np.searchsorted(edges, numbers, side="right") - 1
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    if not starts.size:
        return []
    return [
        (int(owner[start]), part - int(edges[owner[start]]))
        for start, part in zip(starts, np.split(numbers, starts[1:]), strict=True)
    ]


def merged_runs(chunks: NavChunks, mask: NDArray[np.bool_]) -> Selection:
    """The selection of a boolean mask, one navigation axis in scan order; a block for each run of blocks of whole rows.

    Raises
    ------
    ValueError
        A mask of another shape, or that selects nothing.

    Examples
    --------
    >>> selection = merged_runs(((1, 1), (2, 1)), np.array([[False, True, True], [True, False, False]]))
    >>> selection.chunks, [(one.blocks, one.frames.tolist()) for one in selection.picked]
    (((2, 1),), [(((0, 0), (0, 1)), [1, 2]), (((1, 0), (1, 1)), [0])])
    """
    shape = tuple(sum(sizes) for sizes in chunks)
    if mask.shape != shape or mask.dtype != np.bool_:
        raise ValueError(
            f"a navigation mask of shape {mask.shape} and dtype {mask.dtype}; expected bool of shape {shape}"
        )
    if not mask.any():
        raise ValueError("the navigation mask selects no position")
    picked: list[Picked] = []
    sizes: list[int] = []
    edges = bounds(chunks[0])
    for band in range(len(chunks[0])):
        chosen = mask[edges[band] : edges[band + 1]]
        if not chosen.any():
            continue
        cut = (chunks[0][band : band + 1], *chunks[1:])
        blocks = tuple((band, *block[1:]) for block, _ in block_boxes(cut))
        place = np.argsort(order_of_blocks(cut), kind="stable")  # where the blocks hold each position of the band
        frames = place[np.flatnonzero(chosen)]
        picked.append(Picked((len(picked),), blocks, frames))
        sizes.append(len(frames))
    return Selection((tuple(sizes),), tuple(picked))


def block_boxes(chunks: NavChunks) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Index and positions of every block, in the order of the blocks.

    Examples
    --------
    >>> list(block_boxes(((2, 1),)))
    [((0,), (slice(0, 2, None),)), ((1,), (slice(2, 3, None),))]
    """
    edges = [bounds(sizes) for sizes in chunks]
    for block in np.ndindex(*(len(sizes) for sizes in chunks)):
        yield block, tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, block, strict=True))


def order_of_blocks(chunks: NavChunks) -> NDArray[np.int64]:
    """The number, in scan order, of each position as the blocks one after the other hold them.

    Examples
    --------
    >>> order_of_blocks(((2,), (1, 2)))
    array([0, 3, 1, 2, 4, 5])
    """
    shape = tuple(sum(sizes) for sizes in chunks)
    numbers = np.arange(math.prod(shape)).reshape(shape)
    return np.concatenate([numbers[box].reshape(-1) for _, box in block_boxes(chunks)])
