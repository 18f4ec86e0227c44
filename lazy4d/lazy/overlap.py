"""Operations on neighbouring positions: each block is handed out with a halo of the frames around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, TaskRef
from dask.array.core import new_da_object
from dask.base import tokenize
from dask.blockwise import Blockwise
from dask.blockwise import blockwise as core_blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArrayBlockIdDep

from lazy4d.lazy.chunks import bounds, neighbour_chunks
from lazy4d.lazy.endings import Emit
from lazy4d.lazy.lift import RememberingLayer, Terminal, Walk
from lazy4d.lazy.stage import Kernel, function_token
from lazy4d.lazy.walk import Plan, Slot, unwrap, walk_box

if TYPE_CHECKING:
    from lazy4d.lazy.frames import Frames

PAD_MODES = {"nearest": "edge", "reflect": "symmetric"}

Missing = tuple[tuple[int, int], ...]
"""Positions that the halo lacks before and after each navigation axis, beyond the edge of the scan."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What a task needs to apply a function to a block and its halo."""

    function: Kernel
    params: tuple[Any, ...]
    depth: tuple[int, ...]
    nav_shape: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    boundary: str
    plan: Plan | None

    def apply(self, frames: np.ndarray, nav_shape: tuple[int, ...], missing: Missing) -> np.ndarray:
        """The function's result for the inner positions of `frames`, which carries its halo."""
        out = np.empty((*nav_shape, *self.shape), self.dtype)
        told = (missing,) if self.boundary == "none" else ()
        self.function(frames, *told, *self.params, out)
        return out

    def halo(self, box: tuple[slice, ...]) -> tuple[tuple[slice, ...], Missing]:
        """A box of positions with its halo as far as the scan reaches, and what it lacks of it on either side."""
        outer = tuple(
            slice(max(0, s.start - d), min(n, s.stop + d))
            for s, d, n in zip(box, self.depth, self.nav_shape, strict=True)
        )
        missing = tuple(
            (d - (s.start - o.start), d - (o.stop - s.stop)) for s, o, d in zip(box, outer, self.depth, strict=True)
        )
        return outer, missing

    def of_box(self, frames: np.ndarray, box: tuple[slice, ...], missing: Missing) -> np.ndarray:
        """The function's result for a box from the frames of it and its halo, continued beyond the edge of the scan."""
        if self.boundary != "none" and any(before or after for before, after in missing):
            still = [(0, 0)] * (frames.ndim - len(box))
            frames = np.pad(frames, [*missing, *still], mode=PAD_MODES[self.boundary])  # type: ignore[call-overload]
        return self.apply(frames, tuple(s.stop - s.start for s in box), missing)


class NeighbourLayer(RememberingLayer):
    """The symbolic layer of tasks that read their own halo; remembers what they read, to be explained."""

    def __init__(self, walk: Walk, task: Neighbourhood, layer: Blockwise) -> None:
        super().__init__(layer)
        self.walk, self.depth, self.function = walk, task.depth, task.function.name

    @property
    def frames_read(self) -> int:
        """Frames read in all, those of halos once for each block that needs them."""
        return math.prod(
            sum(min(stop + d, sum(sizes)) - max(start - d, 0) for start, stop in pairwise(bounds(sizes)))
            for sizes, d in zip(self.walk.chunks, self.depth, strict=True)
        )


def overlap_frames(
    frames: Frames,
    function: Callable[..., Any],
    params: tuple[Any, ...],
    depth: tuple[int, ...],
    dtype: np.dtype[Any],
    shape: Sequence[int] | None,
    boundary: str,
) -> Frames:
    """The stream of results of a function of each position's neighbourhood.

    Parameters
    ----------
    frames : Frames
        The stream.
    function : callable
        ``function(block[nav + 2 * depth, *frame_shape], *params, out[nav, *shape])`` fills `out` for the inner
        positions of a block that carries `depth` positions more on either side of each navigation axis.
    params : tuple
        Constants, handed on.
    depth : tuple of int
        Neighbours on either side along each navigation axis, numpy order.
    dtype : numpy.dtype
        Dtype of the result.
    shape : sequence of int, optional
        Shape of a frame of the result; that of the input by default.
    boundary : {"nearest", "reflect", "none"}
        What stands for positions outside the scan: the edge repeated, the scan mirrored with its edge, or nothing: the
        halo ends with the scan, and the function is told how many positions it lacks before and after each axis,
        ``function(block, missing, *params, out)`` with ``missing = ((before, after), ...)``.

    Notes
    -----
    Frames of a file are read with their halo by each task, so nothing travels between tasks, in blocks of their own
    (`chunks.neighbour_chunks`). Damaged frames arrive as NaN where the data were loaded with ``incomplete="nan"``.
    """
    from lazy4d.lazy.frames import Frames

    if boundary not in PAD_MODES and boundary != "none":
        raise ValueError(f"boundary={boundary!r}: expected one of {sorted([*PAD_MODES, 'none'])}")
    if len(depth) != len(frames.nav_shape) or any(d < 0 for d in depth):
        raise ValueError(f"depth {depth}: expected one number >= 0 for each navigation axis of {frames.nav_shape}")
    if any(d > n for d, n in zip(depth, frames.nav_shape, strict=True)):
        raise ValueError(f"depth {depth} exceeds the navigation shape {frames.nav_shape}")
    out_shape = frames.frame_shape if shape is None else tuple(shape)
    spec = Neighbourhood(Kernel(function), params, depth, frames.nav_shape, out_shape, dtype, boundary, None)
    label = tokenize(function_token(function), params, depth, dtype.str, out_shape, boundary)
    array = _overlap_array(frames, spec, label) if frames.is_array else _overlap_source(frames, spec, label)
    # The blocks are others now: chosen for their halo, or joined where they were smaller than it.
    valid = None if frames.incomplete == "raise" else frames.valid.rechunk(array.chunks[: len(depth)])
    return Frames.from_array(array, len(depth), valid=valid, incomplete=frames.incomplete)


def _overlap_source(frames: Frames, spec: Neighbourhood, label: str) -> da.Array:
    """Each task opens its own positions and the halo around them, in blocks about as high as wide.

    What is known of each position is small, so each task gets it whole and takes the part it needs, halo included.
    """
    nan = frames.incomplete == "nan"
    # Half the memory of float64, where that holds every value: up to 16 bits.
    kept = np.result_type(frames.dtype, np.float32) if nan else frames.dtype
    stages = tuple(stage.with_params(lambda array: array.rechunk(-1)) for stage in frames.stages)
    terminal = Terminal("", stages, Emit(0, kept, nan), frames.frame_shape)
    read = max(int(frames.source.frame_nbytes), frame_nbytes(frames.frame_shape, kept))
    chunks = neighbour_chunks(spec.nav_shape, spec.depth, read, frame_nbytes(spec.shape, spec.dtype))
    walk = Walk(frames.source, chunks, (terminal,))
    task = Neighbourhood(**{**spec.__dict__, "plan": walk.plan()})
    name = f"overlap-{tokenize(frames.token, chunks, label)}"
    key = f"spec-{name}"
    nav = tuple(range(len(chunks)))
    signal = tuple(range(len(nav), len(nav) + len(spec.shape)))
    known = [TaskRef((p.array.name, *(0,) * p.array.ndim)) for p in walk.lazy]
    layer = core_blockwise(
        _overlap_block,
        name,
        nav + signal,
        TaskRef(key),
        None,
        ArrayBlockIdDep(chunks),
        nav,
        *(part for reference in known for part in (reference, None)),
        numblocks={},
        new_axes=dict.fromkeys(signal, 1),
    )
    below = HighLevelGraph.merge(*(p.array.dask for p in walk.lazy)) if walk.lazy else HighLevelGraph({}, {})
    graph = HighLevelGraph(
        {**below.layers, key: {key: DataNode(key, task)}, name: NeighbourLayer(walk, task, layer)},
        {**below.dependencies, key: set(), name: {key, *(p.array.name for p in walk.lazy)}},
    )
    shape = chunks + tuple((n,) for n in spec.shape)
    return new_da_object(graph, name, shape, meta=np.empty((0,) * len(shape), spec.dtype), dtype=spec.dtype)


def frame_nbytes(shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Bytes of one frame."""
    return math.prod(shape) * dtype.itemsize


def _overlap_block(spec: Neighbourhood, block_id: tuple[int, ...], *known: np.ndarray) -> np.ndarray:
    plan = spec.plan
    if plan is None:
        raise ValueError(f"{spec.function.name} was lifted without a plan to read its frames")
    inner = plan.box(block_id)
    outer, missing = spec.halo(inner)
    own = {p.index for step in plan.steps for p in step.params if isinstance(p, Slot) and p.per_position}
    (frames,) = walk_box(plan, outer, *(array[outer] if k in own else array for k, array in enumerate(known)))
    return spec.of_box(frames, inner, missing)


def _overlap_array(frames: Frames, spec: Neighbourhood, label: str) -> da.Array:
    """Frames that stand in dask blocks: dask hands neighbours over."""
    nav = len(spec.depth)
    depth = {k: spec.depth[k] if k < nav else 0 for k in range(nav + len(frames.frame_shape))}
    source = frames.data
    if frames.incomplete == "nan":
        valid = frames.valid.reshape(frames.nav_shape + (1,) * len(frames.frame_shape))
        source = da.where(valid, source, np.float32(np.nan))
    halo = da.overlap.overlap(source, depth=depth, boundary={k: spec.boundary for k in range(nav)})
    counts = halo.numblocks[:nav]
    blocks = tuple(
        tuple(c - 2 * d + sum(_lacking(spec, k, d, n)) for k, c in enumerate(sizes))
        for sizes, d, n in zip(halo.chunks[:nav], spec.depth, counts, strict=True)
    )
    places = [da.from_array(np.arange(n), chunks=1) for n in counts]
    positions = tuple(range(nav))
    inside = tuple(range(nav, halo.ndim))
    outside = tuple(range(halo.ndim, halo.ndim + len(spec.shape)))
    return da.blockwise(
        partial(_overlap_delivered, spec=spec, counts=counts),
        positions + outside,
        halo,
        positions + inside,
        *(item for k, place in enumerate(places) for item in (place, (k,))),
        name=f"overlap-{tokenize(frames.token, label)}",
        dtype=spec.dtype,
        new_axes={k: n for k, n in zip(outside, spec.shape, strict=True)},
        adjust_chunks={k: blocks[k] for k in positions},
        align_arrays=False,
        concatenate=False,
        meta=np.empty((0,) * (nav + len(spec.shape)), spec.dtype),
    )


def _overlap_delivered(frames: Any, *places: Any, spec: Neighbourhood, counts: tuple[int, ...]) -> np.ndarray:
    frames = unwrap(frames)
    missing = tuple(
        _lacking(spec, int(unwrap(place)[0]), d, n) for place, d, n in zip(places, spec.depth, counts, strict=True)
    )
    nav = tuple(n - 2 * d + sum(m) for n, d, m in zip(frames.shape, spec.depth, missing, strict=False))
    return spec.apply(np.ascontiguousarray(frames), nav, missing)


def _lacking(spec: Neighbourhood, place: int, depth: int, count: int) -> tuple[int, int]:
    """Positions that the halo of block `place` of `count` lacks: dask fills them in unless there is no boundary."""
    if spec.boundary != "none":
        return 0, 0
    return (depth if place == 0 else 0), (depth if place == count - 1 else 0)
