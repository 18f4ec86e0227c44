"""What one task does: open a block, walk its frames in tiles that stay in cache, feed every ending, close it.

Nothing here knows dask. A `Plan` is a small tree of steps: step 0 holds decoded frames, every other step is filled by
a kernel from its parent. Endings take tiles of one step each. Frames between two steps exist only as tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.endings import Ending, Extent, Tile
from lazy4d.lazy.jobs import BlockTicket
from lazy4d.lazy.stage import Kernel, Window

TILE_BYTES = 2 * 2**20
"""Bytes of the largest buffer of a tile: of 0.5 to 4 MiB, less pays for Python between kernels, more for cache."""

MAX_TILE_FRAMES = 4096

MOST_STRETCH = 4
"""How many times larger a tile may be, so that it holds what is unpacked together: that costs less than a copy."""
MAX_SCRATCH_BYTES = 2**24


@dataclass(frozen=True)
class Slot:
    """Stands in a plan for a parameter that dask delivers with each block."""

    index: int
    per_position: bool


@dataclass(frozen=True, eq=False)
class Step:
    """One buffer of the walk: which step it is filled from, by what, and its frames' shape and dtype."""

    parent: int
    kernel: Kernel | None
    params: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def frame_nbytes(self) -> int:
        """Bytes of one frame of this buffer."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a task needs beside its block; one graph key, sent once to each worker.

    `source` reads frames by itself, or is None where dask delivers the block as an array. `window` is the part of a
    frame that any step or ending reads, or None where none reads pixels at all.
    """

    token: str
    source: Any
    bounds: tuple[NDArray[np.int64], ...]
    nav_ndim: int
    steps: tuple[Step, ...]
    endings: tuple[Ending, ...]
    window: Window | None
    has_valid: bool
    frame_nbytes: int

    def box(self, block_id: Sequence[int]) -> tuple[slice, ...]:
        """The positions of a block."""
        return tuple(slice(int(b[i]), int(b[i + 1])) for b, i in zip(self.bounds, block_id, strict=True))

    def decoded_window(self) -> Window:
        """The part of a frame to decode; empty for all of it, which sources copy in one go.

        Lines of which most is needed are decoded whole: a frame is then one run of pixels, not one a line.
        """
        if self.window is None:
            return ()
        shape = self.steps[0].shape
        window = self.window
        if len(shape) == 2 and 2 * (window[1].stop - window[1].start) >= shape[1]:
            window = (window[0], slice(0, shape[1]))
        return () if window == tuple(slice(0, n) for n in shape) else window

    def frames_per_tile(self) -> int:
        """Frames whose largest buffer stays in cache, counting of step 0 only what is decoded of it."""
        decoded = math.prod(s.stop - s.start for s in self.window or ()) * self.steps[0].dtype.itemsize
        largest = max([decoded, *(step.frame_nbytes for step in self.steps[1:]), 1])
        scratch = max(1, MAX_SCRATCH_BYTES // max(1, self.steps[0].frame_nbytes))
        return max(1, min(TILE_BYTES // largest, MAX_TILE_FRAMES, max(scratch, 1)))


class ArrayBlock:
    """A block that dask delivered as an array ``[nav..., *frame]``."""

    def __init__(self, array: NDArray[Any], frame_shape: tuple[int, ...], valid: NDArray[np.bool_] | None) -> None:
        frames = np.asarray(array).reshape((-1, *frame_shape))
        usable = frames.flags.c_contiguous and frames.flags.writeable and frames.flags.aligned
        self._direct = usable and frames.dtype.isnative
        self._frames = frames
        self.valid = None if valid is None else np.asarray(valid, bool).reshape(-1)

    def view(self, start: int, stop: int) -> NDArray[Any] | None:
        """The frames themselves where a kernel can take them as they are."""
        return self._frames[start:stop] if self._direct else None

    def read(self, start: int, stop: int, out: NDArray[Any], window: Window) -> None:
        """Copy frames ``[start, stop)`` into `out`, native and contiguous, inside `window`."""
        np.copyto(out[(slice(0, stop - start), *window)], self._frames[(slice(start, stop), *window)])

    def close(self) -> None:
        """Nothing to release."""


def walk_block(plan: Plan, block_id: tuple[int, ...], *arrays: Any) -> tuple[Any, ...]:
    """What each ending of the plan makes of one block.

    Parameters
    ----------
    plan : Plan
        The walk.
    block_id : tuple of int
        The block's position in the grid of blocks.
    *arrays : ndarray
        The frames of the block, if the plan has no source of its own; then the lazily delivered parameters in the
        order of the plan's slots; last, the validity if the plan has one.

    Returns
    -------
    tuple
        One result per ending.
    """
    return walk_box(plan, plan.box(block_id), *arrays)


def walk_box(plan: Plan, box: Window, *arrays: Any) -> tuple[Any, ...]:
    """What each ending of the plan makes of the frames at the positions of `box`; see `walk_block`."""
    lazy = [unwrap(p) for p in arrays]
    valid = lazy.pop() if plan.has_valid else None
    with BlockTicket(plan.token) as ticket:
        ticket.check()
        try:
            if plan.source is None:
                opened: Any = ArrayBlock(lazy.pop(0), plan.steps[0].shape, valid)
            else:
                opened = plan.source.open(box)
            try:
                results = _walk(plan, opened, box, lazy, ticket)
            finally:
                opened.close()
        except Exception as error:
            error.add_note(f"lazy4d: in the block of positions {_describe(box)} (numpy order)")
            raise
        ticket.done(math.prod(s.stop - s.start for s in box) * plan.frame_nbytes)
    return results


def _walk(plan: Plan, opened: Any, box: Window, lazy: list[Any], ticket: BlockTicket) -> tuple[Any, ...]:
    extent = Extent(box, opened.valid)
    n, valid, window = extent.n, opened.valid, plan.decoded_window()
    m = min(_whole_runs(plan.frames_per_tile(), getattr(opened, "together", 1)), max(n, 1))
    states = [ending.start(extent, plan.steps[ending.step]) for ending in plan.endings]
    # A step whose frames are a result of the block is computed straight into that result; others use scratch tiles.
    results = {e.step: states[k] for k, e in enumerate(plan.endings) if e.takes_buffer(plan.steps[e.step])}
    view = getattr(opened, "view", None) if 0 not in results else None
    calls = [_Call(k, plan.steps[k], results.get(k), lazy, len(box)) for k in range(1, len(plan.steps))]
    endings = [
        (ending, state, ending.step, _rows(ending.params, lazy, len(box)))
        for ending, state in zip(plan.endings, states, strict=True)
        if valid is not None or results.get(ending.step) is not state  # else nothing is left to do
    ]
    tiles: list[NDArray[Any]] = [
        np.empty((0 if k in results else m, *step.shape), step.dtype) for k, step in enumerate(plan.steps)
    ]
    current = list(tiles)
    for i in range(0, n if plan.window is not None else 0, m):
        ticket.check()
        j = min(i + m, n)
        root = view(i, j) if view is not None else None
        if root is None:
            root = results[0][i:j] if 0 in results else tiles[0][: j - i]
            opened.read(i, j, root, window)
        current[0] = root
        for call in calls:
            out = tiles[call.index][: j - i] if call.result is None else call.result[i:j]
            call.run(current[call.parent], i, j, out)
            current[call.index] = out
        keep = None if valid is None or valid[i:j].all() else valid[i:j]
        for ending, state, step, params in endings:
            rows = [p[i:j] if per_frame else p for p, per_frame in params]
            ending.take(state, Tile(i, j, current[step], keep), rows)
    return tuple(ending.finish(state, extent) for ending, state in zip(plan.endings, states, strict=True))


def _whole_runs(frames: int, together: int) -> int:
    """Frames of a tile, made a multiple of those that a block unpacks together unless tiles would be much larger."""
    if together < 2 or together > MOST_STRETCH * frames:
        return frames
    return max(together, frames // together * together)


class _Call:
    """One step of the plan bound to the parameters of this block; as little Python as can be stands around a kernel."""

    __slots__ = ("as_bytes", "function", "index", "params", "parent", "result", "varying")

    def __init__(self, index: int, step: Step, result: NDArray[Any] | None, lazy: list[Any], nav_ndim: int) -> None:
        if step.kernel is None:
            raise ValueError(f"step {index} of a plan has no kernel; only step 0 is decoded")
        self.index, self.parent, self.result = index, step.parent, result
        self.function = step.kernel.function
        self.as_bytes = step.kernel.compiled  # kernels are compiled for numbers, not for bool
        self.varying = _rows(step.params, lazy, nav_ndim)
        self.params = None if any(rows for _, rows in self.varying) else tuple(p for p, _ in self.varying)

    def run(self, frames: NDArray[Any], i: int, j: int, out: NDArray[Any]) -> None:
        """Fill `out` from frames ``[i, j)`` of the block."""
        if self.as_bytes and frames.dtype.char == "?":
            frames = frames.view(np.uint8)
        params = self.params
        if params is None:
            params = tuple(p[i:j] if rows else p for p, rows in self.varying)
        self.function(frames, *params, out)


def _rows(params: tuple[Any, ...], lazy: list[Any], nav_ndim: int) -> list[tuple[Any, bool]]:
    """Parameters for this block, and whether they have a row for each frame."""
    found = []
    for param in params:
        if not isinstance(param, Slot):
            found.append((param, False))
        elif param.per_position:
            values = np.asarray(lazy[param.index])
            found.append((np.ascontiguousarray(values.reshape((-1, *values.shape[nav_ndim:]))), True))
        else:
            found.append((lazy[param.index], False))
    return found


def unwrap(block: Any) -> Any:
    """A block out of the nested one-element lists in which contracted axes arrive; concatenating would copy it."""
    while isinstance(block, list):
        if len(block) != 1:
            raise ValueError(f"expected frames whole in one block, found {len(block)} blocks along a signal axis")
        block = block[0]
    return block


def _describe(box: tuple[slice, ...]) -> str:
    return "[" + ", ".join(f"{s.start}:{s.stop}" for s in box) + "]"
