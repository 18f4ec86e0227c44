"""Operations on neighbouring positions: each block is handed out with a halo of the frames around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, TaskRef
from dask.array.core import new_da_object
from dask.base import tokenize
from dask.blockwise import blockwise as core_blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArrayBlockIdDep

from lazy4d.lazy.endings import Emit
from lazy4d.lazy.lift import Terminal, Walk
from lazy4d.lazy.stage import Kernel, PerPosition, function_token
from lazy4d.lazy.walk import Plan, unwrap, walk_box

if TYPE_CHECKING:
    from lazy4d.lazy.frames import Frames

PAD_MODES = {"nearest": "edge", "reflect": "symmetric"}


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

    def apply(self, frames: np.ndarray, nav_shape: tuple[int, ...]) -> np.ndarray:
        """The function's result for the inner positions of `frames`, which carries its halo."""
        out = np.empty((*nav_shape, *self.shape), self.dtype)
        self.function(frames, *self.params, out)
        return out


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
    boundary : {"nearest", "reflect"}
        What stands for positions outside the scan: the edge repeated, or the scan mirrored with its edge.

    Notes
    -----
    Frames of a file are read with their halo by each task, so nothing travels between tasks; halos should be small
    against the block. Damaged frames arrive as NaN where the data were loaded with ``incomplete="nan"``.
    """
    from lazy4d.lazy.frames import Frames

    if boundary not in PAD_MODES:
        raise ValueError(f"boundary={boundary!r}: expected one of {sorted(PAD_MODES)}")
    if len(depth) != len(frames.nav_shape) or any(d < 0 for d in depth):
        raise ValueError(f"depth {depth}: expected one number >= 0 for each navigation axis of {frames.nav_shape}")
    if any(d > n for d, n in zip(depth, frames.nav_shape, strict=True)):
        raise ValueError(f"depth {depth} exceeds the navigation shape {frames.nav_shape}")
    out_shape = frames.frame_shape if shape is None else tuple(shape)
    spec = Neighbourhood(Kernel(function), params, depth, frames.nav_shape, out_shape, dtype, boundary, None)
    label = tokenize(function_token(function), params, depth, dtype.str, out_shape, boundary)
    local = any(isinstance(p, PerPosition) for stage in frames.stages for p in stage.params)
    if frames.is_array or local or any(stage.lazy_params() for stage in frames.stages):
        array = _overlap_array(frames, spec, label)
    else:
        array = _overlap_source(frames, spec, label)
    valid = None if frames.incomplete == "raise" else frames.valid
    return Frames.from_array(array, len(depth), valid=valid, incomplete=frames.incomplete)


def _overlap_source(frames: Frames, spec: Neighbourhood, label: str) -> da.Array:
    """Each task opens its own positions and the halo around them."""
    nan = frames.incomplete == "nan"
    kept = np.result_type(frames.dtype, np.float64) if nan else frames.dtype
    terminal = Terminal("", frames.stages, Emit(0, kept, nan), frames.frame_shape)
    plan = Walk(frames.source, frames.chunks, (terminal,)).plan()
    task = Neighbourhood(**{**spec.__dict__, "plan": plan})
    name = f"overlap-{tokenize(frames.token, label)}"
    key = f"spec-{name}"
    nav = tuple(range(len(frames.chunks)))
    signal = tuple(range(len(nav), len(nav) + len(spec.shape)))
    layer = core_blockwise(
        _overlap_block,
        name,
        nav + signal,
        TaskRef(key),
        None,
        ArrayBlockIdDep(frames.chunks),
        nav,
        numblocks={},
        new_axes=dict.fromkeys(signal, 1),
    )
    graph = HighLevelGraph({key: {key: DataNode(key, task)}, name: layer}, {key: set(), name: {key}})
    chunks = frames.chunks + tuple((n,) for n in spec.shape)
    return new_da_object(graph, name, chunks, meta=np.empty((0,) * len(chunks), spec.dtype), dtype=spec.dtype)


def _overlap_block(spec: Neighbourhood, block_id: tuple[int, ...]) -> np.ndarray:
    plan = spec.plan
    if plan is None:
        raise ValueError(f"{spec.function.name} was lifted without a plan to read its frames")
    inner = plan.box(block_id)
    outer = tuple(
        slice(max(0, s.start - d), min(n, s.stop + d))
        for s, d, n in zip(inner, spec.depth, spec.nav_shape, strict=True)
    )
    (frames,) = walk_box(plan, outer)
    missing = [
        (d - (s.start - o.start), d - (o.stop - s.stop)) for s, o, d in zip(inner, outer, spec.depth, strict=True)
    ]
    if any(before or after for before, after in missing):
        still = [(0, 0)] * len(plan.steps[plan.endings[0].step].shape)
        frames = np.pad(frames, [*missing, *still], mode=PAD_MODES[spec.boundary])  # type: ignore[call-overload]
    return spec.apply(frames, tuple(s.stop - s.start for s in inner))


def _overlap_array(frames: Frames, spec: Neighbourhood, label: str) -> da.Array:
    """Frames that stand in dask blocks: dask hands neighbours over."""
    nav = len(spec.depth)
    depth = {k: spec.depth[k] if k < nav else 0 for k in range(nav + len(frames.frame_shape))}
    source = frames.data
    if frames.incomplete == "nan":
        valid = frames.valid.reshape(frames.nav_shape + (1,) * len(frames.frame_shape))
        source = da.where(valid, source, np.nan)
    halo = da.overlap.overlap(source, depth=depth, boundary={k: spec.boundary for k in range(nav)})
    blocks = tuple(tuple(c - 2 * d for c in sizes) for sizes, d in zip(halo.chunks[:nav], spec.depth, strict=True))
    positions = tuple(range(nav))
    inside = tuple(range(nav, halo.ndim))
    outside = tuple(range(halo.ndim, halo.ndim + len(spec.shape)))
    return da.blockwise(
        partial(_overlap_delivered, spec=spec),
        positions + outside,
        halo,
        positions + inside,
        name=f"overlap-{tokenize(frames.token, label)}",
        dtype=spec.dtype,
        new_axes={k: n for k, n in zip(outside, spec.shape, strict=True)},
        adjust_chunks={k: blocks[k] for k in positions},
        concatenate=False,
        meta=np.empty((0,) * (nav + len(spec.shape)), spec.dtype),
    )


def _overlap_delivered(frames: Any, spec: Neighbourhood) -> np.ndarray:
    frames = unwrap(frames)
    nav = tuple(n - 2 * d for n, d in zip(frames.shape, spec.depth, strict=False))
    return spec.apply(np.ascontiguousarray(frames), nav)
