"""Some entries for each frame, lazily: one `RaggedFrames` a block of positions, under one dask key each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.array.core import new_da_object
from dask.base import tokenize
from dask.blockwise import blockwise as core_blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArrayBlockIdDep
from numpy.typing import DTypeLike, NDArray

from lazy4d.lazy.chunks import NavChunks, auto_chunks, normalize_chunks
from lazy4d.lazy.frames import Frames
from lazy4d.lazy.ragged_ending import Ragged, boxed, unboxed
from lazy4d.lazy.ragged_selection import block_boxes, merged_runs, order_of_blocks, runs_of_slices
from lazy4d.lazy.stage import Kernel, PerPosition, SharedLazy, Stage, Window, aligned_param, function_name
from lazy4d.lazy.walk import unwrap
from lazy4d.ragged import RaggedFrames

ENTRIES_A_FRAME = 1024
"""Bytes that are guessed for the entries of a frame where blocks have to be chosen before anything is known."""


@dataclass(frozen=True, eq=False)
class RaggedBlocks:
    """Entries of the frames of a scan, a `RaggedFrames` for each block of positions.

    Parameters
    ----------
    blocks : dask.array.Array of object
        One entry a block, as many along each axis as there are blocks.
    chunks : tuple of tuple of int
        Positions of the blocks along each navigation axis, numpy order.
    dtypes : mapping of str to dtype
        The columns.

    Examples
    --------
    >>> from lazy4d.ragged import RaggedFrames
    >>> ragged = RaggedFrames.from_counts([2, 0, 1, 1], {"ky": [1.0, 2, 3, 4]})
    >>> blocks = RaggedBlocks.from_ragged(ragged, (2, 2), chunks=(1, 2))
    >>> blocks.nav_shape, blocks.compute()["ky"]
    ((2, 2), array([1., 2., 3., 4.]))
    """

    blocks: da.Array
    chunks: NavChunks
    dtypes: Mapping[str, np.dtype[Any]]

    @classmethod
    def from_ragged(cls, ragged: RaggedFrames, nav_shape: Sequence[int], chunks: Any = "auto") -> RaggedBlocks:
        """The entries of frames in memory, in scan order, cut into blocks of positions."""
        shape = tuple(int(n) for n in nav_shape)
        if math.prod(shape) != ragged.n_frames:
            raise ValueError(f"expected a navigation shape of {ragged.n_frames} positions, found {shape}")
        cut = auto_chunks(shape, ENTRIES_A_FRAME) if chunks == "auto" else normalize_chunks(chunks, shape, 1)
        numbers = np.arange(ragged.n_frames).reshape(shape)
        name = f"ragged-{tokenize(ragged.offsets, *ragged.columns.items(), cut)}"
        layer: dict[Any, Any] = {
            (name, *block): boxed(ragged.take(_run(numbers[box].reshape(-1))), len(shape))
            for block, box in block_boxes(cut)
        }
        graph = HighLevelGraph.from_collections(name, layer, dependencies=())
        return cls(_object_array(graph, name, cut), cut, ragged.dtypes)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""
        return tuple(sum(sizes) for sizes in self.chunks)

    def map(
        self, function: Callable[..., Any], *params: Any, dtypes: Mapping[str, DTypeLike] | None = None
    ) -> RaggedBlocks:
        """What `function` makes of the entries of each block: a `RaggedFrames` of as many frames.

        Parameters
        ----------
        function : callable
            ``function(ragged, *params) -> RaggedFrames``.
        *params
            `PerPosition` (arrives with a row for each frame), `SharedLazy`, or constants.
        dtypes : mapping of str to dtype, optional
            Columns of the result, where they change.
        """
        declared = self.dtypes if dtypes is None else {name: np.dtype(dtype) for name, dtype in dtypes.items()}
        wanted = tuple((name, dtype.str) for name, dtype in declared.items())
        graph, name = self._apply(partial(_map_block, wanted), function, params, ())
        return RaggedBlocks(_object_array(graph, name, self.chunks), self.chunks, declared)

    def per_position(
        self, function: Callable[..., Any], *params: Any, shape: Sequence[int], dtype: DTypeLike
    ) -> da.Array:
        """A lazy array ``[nav..., *shape]`` of what ``function(ragged, *params) -> ndarray [n, *shape]`` makes."""
        declared, wanted = tuple(int(n) for n in shape), np.dtype(dtype)
        graph, name = self._apply(partial(_per_position_block, declared, wanted.str), function, params, declared)
        chunks = self.chunks + tuple((n,) for n in declared)
        return new_da_object(graph, name, chunks, meta=np.empty((0,) * len(chunks), wanted), dtype=wanted)

    def total(self, function: Callable[..., Any], *params: Any, shape: Sequence[int], dtype: DTypeLike) -> da.Array:
        """A lazy array of `shape`: ``function(ragged, *params) -> ndarray`` of every block, added up."""
        declared, wanted = tuple(int(n) for n in shape), np.dtype(dtype)
        graph, name = self._apply(partial(_total_block, declared, wanted.str), function, params, declared)
        blocks = tuple((1,) * len(sizes) for sizes in self.chunks)
        chunks = blocks + tuple((n,) for n in declared)
        parts = new_da_object(graph, name, chunks, meta=np.empty((0,) * len(chunks), wanted), dtype=wanted)
        return parts.sum(axis=tuple(range(len(blocks))), dtype=wanted, split_every=16) if blocks else parts

    def inav(self, items: Sequence[slice | int] | NDArray[np.bool_]) -> RaggedBlocks:
        """The entries at some positions: an index or slice a navigation axis, numpy order, or one boolean array.

        A boolean array gives one navigation axis, in scan order.
        """
        if isinstance(items, np.ndarray):
            plan, token = merged_runs(self.chunks, items), tokenize(items)
        else:
            plan, token = runs_of_slices(self.chunks, items), str(tuple(items))
        name = f"ragged-inav-{tokenize(self.blocks.name, token)}"
        below: Any = [self.blocks]
        graph = HighLevelGraph.from_collections(name, plan.layer(name, self.blocks.name), dependencies=below)
        return RaggedBlocks(_object_array(graph, name, plan.chunks), plan.chunks, self.dtypes)

    def assemble(self, values: NDArray[Any]) -> RaggedFrames:
        """One `RaggedFrames` in scan order from the computed blocks."""
        parts = list(values.reshape(-1))
        merged = RaggedFrames.concatenate(parts)
        if all(len(sizes) == 1 for sizes in self.chunks[1:]):
            return merged
        return merged.take(np.argsort(order_of_blocks(self.chunks), kind="stable"))

    def compute(self, progress: Any = False) -> RaggedFrames:
        """The entries of all frames, in scan order."""
        from lazy4d.lazy.run import compute

        return self.assemble(compute(self.blocks, progress=progress)[0])

    def _apply(
        self, wrapper: Callable[..., Any], function: Callable[..., Any], params: tuple[Any, ...], extra: tuple[int, ...]
    ) -> tuple[HighLevelGraph, str]:
        """A layer of ``wrapper(function, params, nav_shape, ragged)``, one task a block, and its name."""
        checked = tuple(aligned_param(param, function_name(function), self.chunks) for param in params)
        token = Stage.make(function, checked, extra, "u1").token
        name = f"ragged-{function_name(wrapper).strip('_')}-{tokenize(self.blocks.name, token, wrapper)}"
        nav = tuple(range(len(self.chunks)))
        arrays = [param.array for param in checked if isinstance(param, PerPosition | SharedLazy)]
        kinds = tuple(
            "rows" if isinstance(param, PerPosition) else "whole" if isinstance(param, SharedLazy) else None
            for param in checked
        )
        constants = tuple(None if kind else param for kind, param in zip(kinds, checked, strict=True))
        pairs: list[Any] = []
        fresh = len(nav) + len(extra)
        for array, kind in zip(arrays, [k for k in kinds if k], strict=True):
            own = nav if kind == "rows" else ()
            pairs += [array.name, own + tuple(range(fresh, fresh + array.ndim - len(own)))]
            fresh += array.ndim
        signal = tuple(range(len(nav), len(nav) + len(extra)))
        layer = core_blockwise(
            partial(_call, wrapper, Kernel(function), kinds, constants, self.chunks),
            name,
            nav + signal,
            ArrayBlockIdDep(self.chunks),
            nav,
            self.blocks.name,
            nav,
            *pairs,
            numblocks={a.name: a.numblocks for a in (self.blocks, *arrays)},
            concatenate=False,
            new_axes=dict.fromkeys(signal, 1),
        )
        below = HighLevelGraph.merge(self.blocks.dask, *(a.dask for a in arrays))
        needs = {self.blocks.name, *(a.name for a in arrays)}
        return HighLevelGraph({**below.layers, name: layer}, {**below.dependencies, name: needs}), name


def ragged_frames(
    frames: Frames,
    kernel: Callable[..., Any],
    params: tuple[Any, ...],
    capacity: int,
    columns: Mapping[str, DTypeLike],
    overflow: str = "raise",
    window: Window | None = None,
) -> RaggedBlocks:
    """Some entries for each frame of a stream, lazily, in the same walk as everything else over its source.

    Parameters
    ----------
    frames : Frames
        The stream.
    kernel : callable
        ``kernel(frames[n, ...], *params, out[n, capacity, columns], count[n])``: fills float64 rows of `out`, the ones
        to keep first, and in `count`, int64, how many entries each frame has, also where that is more than `capacity`.
    params : tuple
        `PerPosition` for one row a position, `SharedLazy` for a lazy array shared by all, else constants.
    capacity : int
        Rows for each frame.
    columns : mapping of str to dtype
        Names and dtypes of the columns.
    overflow : {"raise", "strongest"}
        What a frame with more entries than `capacity` gives: an error that names it, or its first rows.
    window : tuple of slice, optional
        The part of a frame that the kernel reads.

    Examples
    --------
    >>> def bright(frames, level, out, count):
    ...     for i, frame in enumerate(frames):
    ...         places = np.argwhere(frame > level)
    ...         count[i], out[i, : len(places)] = len(places), places
    >>> frames = Frames.from_array(np.eye(4).reshape(2, 2, 2, 2), nav_ndim=2)
    >>> found = frames.ragged_frames(bright, 0.5, capacity=4, columns={"ky": "f8", "kx": "f8"}).compute()
    >>> found.counts, found["kx"]
    (array([1, 1, 1, 1]), array([0., 1., 0., 1.]))
    """
    if overflow not in ("raise", "strongest"):
        raise ValueError(f"expected overflow='raise' or 'strongest', found {overflow!r}")
    if int(capacity) < 1:
        raise ValueError(f"expected room for at least one entry a frame, found capacity={capacity!r}")
    checked = tuple(aligned_param(p, function_name(kernel), frames.chunks) for p in params)
    dtypes = {name: np.dtype(dtype).newbyteorder("=") for name, dtype in columns.items()}
    stage = Stage.make(kernel, checked, (int(capacity), len(dtypes)), np.float64, window)
    ending = Ragged(0, stage.kernel, checked, int(capacity), tuple(dtypes.items()), overflow == "strongest", window)
    label = str((stage.token, [(name, dtype.str) for name, dtype in dtypes.items()], overflow))
    return RaggedBlocks(frames._end(ending, "ragged", label, ()), frames.chunks, dtypes)


def _object_array(graph: HighLevelGraph, name: str, chunks: NavChunks) -> da.Array:
    ones = tuple((1,) * len(sizes) for sizes in chunks)
    return new_da_object(graph, name, ones, meta=np.empty((0,) * len(ones), object), dtype=np.dtype(object))


def _run(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """A slice where the numbers follow one another, so that nothing is copied."""
    if numbers.size and numbers[-1] - numbers[0] == numbers.size - 1:
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _call(
    wrapper: Callable[..., Any],
    kernel: Kernel,
    kinds: tuple[str | None, ...],
    constants: tuple[Any, ...],
    chunks: NavChunks,
    block_id: tuple[int, ...],
    block: Any,
    *arrays: Any,
) -> Any:
    """What a task does: unpack the block and its parameters, call, pack."""
    nav_shape = tuple(sizes[i] for sizes, i in zip(chunks, block_id, strict=True))
    delivered = iter(arrays)
    params = []
    for kind, constant in zip(kinds, constants, strict=True):
        if kind is None:
            params.append(constant)
            continue
        value = np.asarray(unwrap(next(delivered)))
        params.append(value.reshape((-1, *value.shape[len(chunks) :])) if kind == "rows" else value)
    return wrapper(kernel, params, nav_shape, unboxed(unwrap(block)))


def _map_block(
    wanted: tuple[tuple[str, str], ...], kernel: Kernel, params: list[Any], nav_shape: tuple[int, ...], ragged: Any
) -> NDArray[Any]:
    result = kernel(ragged, *params)
    found = tuple((name, dtype.str) for name, dtype in result.dtypes.items())
    if result.n_frames != ragged.n_frames or found != wanted:
        raise ValueError(
            f"expected {kernel.name} to give {ragged.n_frames} frames with the columns {dict(wanted)}, found "
            f"{result.n_frames} with {dict(found)}"
        )
    return boxed(result, len(nav_shape))


def _per_position_block(
    shape: tuple[int, ...], dtype: str, kernel: Kernel, params: list[Any], nav_shape: tuple[int, ...], ragged: Any
) -> NDArray[Any]:
    result = np.asarray(kernel(ragged, *params), dtype)
    if result.shape != (ragged.n_frames, *shape):
        raise ValueError(
            f"expected {kernel.name} to give an array {(ragged.n_frames, *shape)}, found shape {result.shape}"
        )
    return result.reshape((*nav_shape, *shape))


def _total_block(
    shape: tuple[int, ...], dtype: str, kernel: Kernel, params: list[Any], nav_shape: tuple[int, ...], ragged: Any
) -> NDArray[Any]:
    result = np.asarray(kernel(ragged, *params), dtype)
    if result.shape != shape:
        raise ValueError(f"expected {kernel.name} to give an array {shape}, found shape {result.shape}")
    return result.reshape((1,) * len(nav_shape) + shape)
