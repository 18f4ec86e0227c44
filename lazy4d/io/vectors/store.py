"""What is asked of an opened file of vectors, and its entries as lazy blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from dask.array.core import new_da_object
from dask.base import tokenize
from dask.blockwise import blockwise as core_blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArrayBlockIdDep
from numpy.typing import NDArray

from lazy4d.io.vectors.content import VectorContent
from lazy4d.lazy.chunks import NavChunks, normalize_chunks
from lazy4d.lazy.lift import RememberingLayer
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.lazy.ragged_ending import boxed
from lazy4d.ragged import RaggedFrames

OFFSET_BYTES = 8
"""Bytes of a frame beside its entries."""


class VectorStore(Protocol):
    """A file whose entries can be read a run of frames at a time: small, immutable, picklable."""

    @property
    def path(self) -> str:
        """The file, absolute."""
        ...

    @property
    def token(self) -> str:
        """Identity of the file as it was when it was opened."""
        ...

    @property
    def preferred_chunks(self) -> NavChunks | None:
        """Blocks in which it is read best; None where it does not matter."""
        ...

    def read(self, runs: Sequence[tuple[int, int]]) -> RaggedFrames:
        """The entries of runs of frames ``[start, stop)``, numbers in scan order, one after the other."""
        ...


@dataclass(frozen=True)
class LoadedVectors:
    """What a file gives: vectors that are still in it, and everything said of them.

    Parameters
    ----------
    blocks : RaggedBlocks
        The entries, lazy.
    content : VectorContent
        Axes, metadata, history, columns.
    valid : ndarray of bool [nav...], or None
        Which frames were undamaged, where the file says so.
    identity : dict
        ``path``, ``size``, ``mtime_ns``, ``format``: what tells this file from another.
    warnings : tuple of str
        What a user should be told once.
    title : str
        Short name for people.
    calibrated : bool
        Whether ky and kx are in units of the axes, rather than pixels.
    """

    blocks: RaggedBlocks
    content: VectorContent
    valid: NDArray[np.bool_] | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    title: str = ""
    calibrated: bool = False


class StoreLayer(RememberingLayer):
    """The layer that reads a file of vectors; remembers the path, so that a save does not replace what it reads."""

    def __init__(self, path: str, layer: Any) -> None:
        super().__init__(layer)
        self.path = path


def lazy_blocks(
    store: VectorStore, nav_shape: Sequence[int], dtypes: Mapping[str, np.dtype[Any]], total: int, chunks: Any = "auto"
) -> RaggedBlocks:
    """The entries of a file as one task a block of positions; nothing is read.

    Parameters
    ----------
    store : VectorStore
        The file.
    nav_shape : sequence of int
        Positions along each navigation axis.
    dtypes : mapping of str to dtype
        The columns.
    total : int
        Entries of all frames.
    chunks : "auto", int or sequence
        Positions a block, for each navigation axis in numpy order.
    """
    shape = tuple(int(n) for n in nav_shape)
    if isinstance(chunks, str) and chunks == "auto" and store.preferred_chunks is not None:
        cut = store.preferred_chunks
    else:
        each = sum(dtype.itemsize for dtype in dtypes.values())
        mean = -(-total * each // max(1, math.prod(shape))) + OFFSET_BYTES
        cut = normalize_chunks(chunks, shape, int(mean))
    name = f"vectors-{tokenize(store.token, cut)}"
    nav = tuple(range(len(cut)))
    layer = core_blockwise(
        partial(read_block, store, cut), name, nav, ArrayBlockIdDep(cut), nav, numblocks={}, concatenate=False
    )
    graph = HighLevelGraph({name: StoreLayer(store.path, layer)}, {name: set()})
    ones = tuple((1,) * len(sizes) for sizes in cut)
    meta = np.empty((0,) * len(cut), object)
    return RaggedBlocks(new_da_object(graph, name, ones, meta=meta, dtype=np.dtype(object)), cut, dict(dtypes))


def read_block(store: VectorStore, chunks: NavChunks, block_id: tuple[int, ...]) -> NDArray[Any]:
    """The entries of one block of positions, inside its task."""
    starts = [sum(sizes[:i]) for sizes, i in zip(chunks, block_id, strict=True)]
    box = tuple(slice(a, a + sizes[i]) for a, sizes, i in zip(starts, chunks, block_id, strict=True))
    return boxed(store.read(runs_of_box(box, tuple(sum(sizes) for sizes in chunks))), len(chunks))


def runs_of_box(box: tuple[slice, ...], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """The positions of a box as runs of numbers in scan order.

    Examples
    --------
    >>> runs_of_box((slice(1, 3), slice(0, 2)), (4, 2)), runs_of_box((slice(1, 3), slice(0, 2)), (4, 3))
    ([(2, 6)], [(3, 5), (6, 8)])
    """
    if not shape:
        return [(0, 1)]
    whole = len(shape)  # axes from here on are taken whole
    while whole > 1 and box[whole - 1] == slice(0, shape[whole - 1]):
        whole -= 1
    inner = math.prod(shape[whole:])
    length = (box[whole - 1].stop - box[whole - 1].start) * inner
    leading = np.ix_(*(np.arange(s.start, s.stop) for s in box[: whole - 1]))
    rows = np.ravel_multi_index(leading, shape[: whole - 1]).reshape(-1) if whole > 1 else np.zeros(1, np.int64)
    starts = (rows * shape[whole - 1] + box[whole - 1].start) * inner
    return [(int(start), int(start) + length) for start in starts]


def joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans with those that follow one another made one, empty ones left out.

    Examples
    --------
    >>> joined([(0, 2), (2, 5), (7, 7), (8, 9)])
    [(0, 5), (8, 9)]
    """
    result: list[tuple[int, int]] = []
    for start, stop in spans:
        if stop > start:
            if result and result[-1][1] == start:
                result[-1] = result[-1][0], stop
            else:
                result.append((start, stop))
    return result
