"""What becomes of the frames of a step: kept, added up, binned across the scan, or only asked for their validity.

Frames that give some entries each, rather than one result, end in `ragged_ending.Ragged`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.reduction import Reduction

if TYPE_CHECKING:
    from lazy4d.lazy.walk import Step


@dataclass(frozen=True)
class Extent:
    """The positions of a block and which of its frames are valid (None: all)."""

    box: tuple[slice, ...]
    valid: NDArray[np.bool_] | None

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions of the block along each navigation axis."""
        return tuple(s.stop - s.start for s in self.box)

    @property
    def n(self) -> int:
        """Frames in the block."""
        return math.prod(self.nav_shape)


@dataclass(frozen=True)
class Tile:
    """Frames ``[start, stop)`` of a block at one step; `keep` marks the valid ones, None where all are."""

    start: int
    stop: int
    frames: NDArray[Any]
    keep: NDArray[np.bool_] | None


class Ending(Protocol):
    """The end of a chain of steps within a block."""

    @property
    def step(self) -> int:
        """The step whose frames it takes."""

    @property
    def params(self) -> tuple[Any, ...]:
        """Parameters of its own, as those of a stage."""

    def start(self, extent: Extent, step: Step) -> Any:
        """What is carried from tile to tile."""

    def takes_buffer(self, step: Step) -> bool:
        """Whether the step may be computed straight into this ending's state, an array with a row a frame."""

    def take(self, state: Any, tile: Tile, params: list[Any]) -> None:
        """Use one tile."""

    def finish(self, state: Any, extent: Extent) -> Any:
        """The result for the block."""


class _OwnBuffers:
    """An ending that looks at tiles and leaves their buffers to the walk."""

    def takes_buffer(self, step: Step) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Emit:
    """Keep the frames of a step: the block of the result.

    Invalid frames become NaN if `nan`, else zero. With a `sink`, the whole result in this process, the block is
    computed in place there and nothing is handed to dask.
    """

    step: int
    dtype: np.dtype[Any]
    nan: bool = False
    sink: NDArray[Any] | None = field(default=None, repr=False)
    params: tuple[Any, ...] = ()

    def start(self, extent: Extent, step: Step) -> NDArray[Any]:
        """The block of the result, ``[n, *frame]``."""
        if self.sink is not None:
            part = self.sink[extent.box] if extent.box else self.sink
            if part.flags.c_contiguous:
                return part.reshape((extent.n, *step.shape))
        return np.empty((extent.n, *step.shape), self.dtype)

    def takes_buffer(self, step: Step) -> bool:
        """Yes, unless the result is of another dtype than the step."""
        return self.dtype == step.dtype

    def take(self, state: NDArray[Any], tile: Tile, params: list[Any]) -> None:
        """Copy the tile if it was not computed in place, and mark invalid frames."""
        rows = state[tile.start : tile.stop]
        if rows.ctypes.data != tile.frames.ctypes.data:
            np.copyto(rows, tile.frames, casting="unsafe" if self.nan else "same_kind")
        if tile.keep is not None and (self.nan or self.step):  # step 0 holds what the source gives for them
            rows[~tile.keep] = np.nan if self.nan else 0

    def finish(self, state: NDArray[Any], extent: Extent) -> NDArray[Any] | None:
        """The block in the shape of the scan, or None where it already stands in the sink."""
        block = state.reshape((*extent.nav_shape, *state.shape[1:]))
        if self.sink is None:
            return block
        if not np.may_share_memory(block, self.sink):
            self.sink[extent.box] = block
        return None


@dataclass(frozen=True, eq=False)
class Accumulate(_OwnBuffers):
    """Add the tiles of a step up to the state of a `Reduction`; invalid frames are left out if `skip_invalid`."""

    step: int
    reduction: Reduction
    params: tuple[Any, ...] = ()
    skip_invalid: bool = True

    def start(self, extent: Extent, step: Step) -> tuple[NDArray[Any], ...]:
        """The state before any frame."""
        return self.reduction.start()

    def take(self, state: tuple[NDArray[Any], ...], tile: Tile, params: list[Any]) -> None:
        """Add one tile."""
        frames = tile.frames
        if frames.dtype == np.bool_ and hasattr(self.reduction.chunk, "py_func"):
            frames = frames.view(np.uint8)
        if tile.keep is not None and self.skip_invalid:
            per_frame = [p[tile.keep] if flag else p for p, flag in zip(params, self._per_position(), strict=True)]
            self.reduction.chunk(np.ascontiguousarray(frames[tile.keep]), *per_frame, *state)
        else:
            self.reduction.chunk(frames, *params, *state)

    def _per_position(self) -> list[bool]:
        return [getattr(p, "per_position", False) for p in self.params]

    def finish(self, state: tuple[NDArray[Any], ...], extent: Extent) -> tuple[NDArray[Any], ...]:
        """The state of the block, to be merged with the others'."""
        return state


@dataclass(frozen=True, eq=False)
class BinNavigation(_OwnBuffers):
    """Sum the frames of ``factors`` neighbouring positions; blocks hold whole groups."""

    step: int
    factors: tuple[int, ...]
    dtype: np.dtype[Any]
    params: tuple[Any, ...] = ()
    skip_invalid: bool = True

    def start(self, extent: Extent, step: Step) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Sums of the groups, and the group of each frame."""
        groups = tuple(size // f for size, f in zip(extent.nav_shape, self.factors, strict=True))
        where = np.indices(extent.nav_shape).reshape(len(groups), -1) // np.array(self.factors)[:, None]
        return np.zeros((math.prod(groups), *step.shape), self.dtype), np.ravel_multi_index(tuple(where), groups)

    def take(self, state: tuple[NDArray[Any], NDArray[np.int64]], tile: Tile, params: list[Any]) -> None:
        """Add each frame to its group."""
        total, group = state
        for k, target in enumerate(group[tile.start : tile.stop]):
            if tile.keep is None or tile.keep[k] or not self.skip_invalid:
                np.add(total[target], tile.frames[k], out=total[target, ...], casting="same_kind")

    def finish(self, state: tuple[NDArray[Any], NDArray[np.int64]], extent: Extent) -> NDArray[Any]:
        """The sums, in the shape of the binned scan."""
        total = state[0]
        groups = tuple(size // f for size, f in zip(extent.nav_shape, self.factors, strict=True))
        return total.reshape((*groups, *total.shape[1:]))


@dataclass(frozen=True, eq=False)
class Valid(_OwnBuffers):
    """Which frames of the block are valid: bool over its positions."""

    step: int = 0
    params: tuple[Any, ...] = ()

    def start(self, extent: Extent, step: Step) -> None:
        """Nothing is carried."""

    def take(self, state: None, tile: Tile, params: list[Any]) -> None:
        """Nothing is computed."""

    def finish(self, state: None, extent: Extent) -> NDArray[np.bool_]:
        """The validity of the block."""
        valid = np.ones(extent.n, bool) if extent.valid is None else np.array(extent.valid, bool)
        return valid.reshape(extent.nav_shape)
