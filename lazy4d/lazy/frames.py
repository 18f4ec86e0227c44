"""A stream of frames: where they come from, how the scan is cut, and what is done to each frame before it is used."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from lazy4d.errors import ChunkError
from lazy4d.lazy import chunks as chunking
from lazy4d.lazy.chunks import NavChunks
from lazy4d.lazy.endings import Accumulate, BinNavigation, Emit, Ending, Valid
from lazy4d.lazy.lift import Terminal, Walk, result_array
from lazy4d.lazy.reduction import Reduction
from lazy4d.lazy.selection import ArraySource, normalize_items, select_array
from lazy4d.lazy.source import Block, FileRoot, FrameSource
from lazy4d.lazy.stage import PerPosition, SharedLazy, Stage, Window, aligned_param, function_name, take_window

if TYPE_CHECKING:
    from lazy4d.lazy.ragged_blocks import RaggedBlocks

__all__ = ["Block", "FrameSource", "Frames", "PerPosition", "SharedLazy"]


@dataclass(frozen=True, eq=False)
class Frames:
    """A source, the blocks it is cut into, and an ordered list of stages.

    Immutable: every method returns a new stream. Nothing is read until a result is computed.

    Examples
    --------
    >>> import numpy as np
    >>> frames = Frames.from_array(np.ones((4, 4, 8, 8), "uint16"), nav_ndim=2)
    >>> def total(frames, out):
    ...     out[...] = frames.sum(axis=(1, 2))
    >>> frames.map_frames(total, shape=(), dtype="uint64").data.compute()[0, 0]
    np.uint64(64)
    """

    source: Any
    chunks: NavChunks
    stages: tuple[Stage, ...] = field(default=())

    @classmethod
    def from_source(cls, source: FrameSource, chunks: str | int | Sequence[int | Sequence[int]] = "auto") -> Frames:
        """The frames of a file, cut into blocks of whole scan rows; see `chunks.normalize_chunks`.

        A source that is stored in blocks of its own says so by `preferred_chunks`, which ``"auto"`` then means.
        """
        if 0 in source.nav_shape:
            raise ValueError(f"a scan of shape {source.nav_shape} has no frames")
        own = getattr(source, "preferred_chunks", None)
        if own is not None and isinstance(chunks, str) and chunks == "auto":
            chunks = own
        return cls(FileRoot(source), chunking.normalize_chunks(chunks, source.nav_shape, source.frame_nbytes))

    @classmethod
    def from_array(
        cls,
        array: da.Array | NDArray[Any],
        nav_ndim: int,
        chunks: str | int | Sequence[int | Sequence[int]] = "auto",
        valid: da.Array | None = None,
        incomplete: str = "raise",
    ) -> Frames:
        """The frames of an array ``[nav..., *frame]``; a dask array keeps its blocks.

        Raises
        ------
        ChunkError
            A signal axis of the dask array is split between blocks.
        """
        if valid is not None and tuple(valid.shape) != tuple(np.shape(array)[:nav_ndim]):
            raise ValueError(
                f"expected validity of the navigation shape {np.shape(array)[:nav_ndim]}, found {tuple(valid.shape)}"
            )
        if isinstance(array, da.Array):
            split = [k for k in range(nav_ndim, array.ndim) if len(array.chunks[k]) > 1]
            if split:
                wanted = dict.fromkeys(range(nav_ndim, array.ndim), -1)
                raise ChunkError(
                    f"frames must be whole within a block, but axes {split} of the array are cut into "
                    f"{[array.numblocks[k] for k in split]} blocks; pass array.rechunk({wanted})"
                )
            aligned = None if valid is None else valid.rechunk(array.chunks[:nav_ndim])
            return cls(ArraySource.from_dask(array, nav_ndim, aligned, incomplete), array.chunks[:nav_ndim])
        plain = np.asanyarray(array)
        shape = plain.shape
        nbytes = math.prod(shape[nav_ndim:]) * plain.dtype.itemsize
        blocks = chunking.normalize_chunks(chunks, shape[:nav_ndim], nbytes)
        aligned = None if valid is None else valid.rechunk(blocks)
        source = ArraySource.from_numpy(plain, nav_ndim, blocks, aligned, incomplete, uuid.uuid4().hex)
        return cls(source, blocks)

    # ---- what the stream is

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""
        return tuple(self.source.nav_shape)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame after all stages."""
        return self.stages[-1].shape if self.stages else tuple(self.source.frame_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of a frame after all stages, native."""
        return self.stages[-1].dtype if self.stages else np.dtype(self.source.dtype).newbyteorder("=")

    @property
    def incomplete(self) -> str:
        """What becomes of damaged frames: "raise", "nan" or "zero"."""
        return str(self.source.incomplete)

    @property
    def is_array(self) -> bool:
        """Whether the frames stand in an array, rather than in a file that each task reads."""
        return self.source.array is not None

    @property
    def in_memory(self) -> NDArray[Any] | None:
        """The array in memory that this stream is, unchanged by any stage; None otherwise."""
        return None if self.stages else getattr(self.source, "plain", None)

    @property
    def stored_nbytes(self) -> int:
        """Bytes that one pass over all frames reads."""
        return math.prod(self.nav_shape) * int(self.source.frame_nbytes)

    @property
    def n_blocks(self) -> int:
        """Tasks in one pass."""
        return math.prod(len(c) for c in self.chunks)

    @cached_property
    def token(self) -> str:
        """Identity: equal tokens, equal frames in equal blocks."""
        return str(tokenize(self.source.token, self.chunks, [s.token for s in self.stages]))

    # ---- stages

    def map_frames(
        self,
        kernel: Callable[..., Any],
        *params: Any,
        shape: Sequence[int],
        dtype: Any,
        window: Window | None = None,
    ) -> Frames:
        """The stream with `kernel` applied to every frame.

        Parameters
        ----------
        kernel : callable
            ``kernel(frames[n, *frame_shape], *params, out[n, *shape])`` fills `out`.
        *params
            `PerPosition` for one row a position, `SharedLazy` for a lazy array shared by all, else constants.
        shape : sequence of int
            Shape of one output frame.
        dtype : dtype
            Dtype of the output.
        window : tuple of slice, optional
            The part of a frame that the kernel reads, ``[start, stop)`` a signal axis.

        Raises
        ------
        TypeError
            A bare dask array as parameter: whether it is per position cannot be told from its shape.
        """
        checked = tuple(aligned_param(p, function_name(kernel), self.chunks) for p in params)
        stage = Stage.make(kernel, checked, tuple(shape), dtype, window)
        return replace(self, stages=(*self.stages, stage))

    def isig(self, items: Sequence[slice | int]) -> Frames:
        """The stream with every frame cut: a slice or index a signal axis, numpy order, not yet normalised."""
        shape = self.frame_shape
        cut = normalize_items(tuple(items), shape)
        last = self.stages[-1] if self.stages else None
        if last is not None and last.kernel.function is take_window and len(last.params[0]) == len(shape):
            before = self.stages[-2].shape if len(self.stages) > 1 else tuple(self.source.frame_shape)
            inner = last.params[0]
            if not any(isinstance(i, int) for i in inner):
                cut = tuple(_compose(a, b, n) for a, b, n in zip(inner, cut, before, strict=True))
                return replace(self, stages=self.stages[:-1])._cut(cut)
        return self._cut(cut)

    def _cut(self, cut: tuple[slice | int, ...]) -> Frames:
        sizes = self.frame_shape
        kept = [len(range(*i.indices(n))) for i, n in zip(cut, sizes, strict=True) if isinstance(i, slice)]
        if 0 in kept:
            raise ValueError(f"the selection {cut} leaves nothing of frames of shape {sizes}")
        window = tuple(_extent(i, n) for i, n in zip(cut, sizes, strict=True))
        return self.map_frames(take_window, cut, shape=kept, dtype=self.dtype, window=window)

    # ---- navigation

    def inav(self, items: Sequence[slice | int] | NDArray[np.bool_]) -> Frames:
        """The stream at some positions: an index or slice a navigation axis, numpy order, or one boolean array."""
        if isinstance(items, np.ndarray):
            if items.shape != self.nav_shape or items.dtype != np.bool_:
                raise ValueError(
                    f"a navigation mask of shape {items.shape} and dtype {items.dtype}; expected bool of shape "
                    f"{self.nav_shape}"
                )
            if not items.any():
                raise ValueError("the navigation mask selects no position")
            selection: tuple[Any, ...] = (items,)
            dropped: tuple[int, ...] = ()
        else:
            cut = normalize_items(tuple(items), self.nav_shape)
            selection = tuple(i if isinstance(i, slice) else slice(i, i + 1, 1) for i in cut)
            dropped = tuple(k for k, i in enumerate(cut) if isinstance(i, int))
            sizes = [len(range(*i.indices(n))) for i, n in zip(selection, self.nav_shape, strict=True)]
            if 0 in sizes:
                raise ValueError(f"the selection {tuple(items)} leaves no position of a scan of shape {self.nav_shape}")
        stages = tuple(s.with_params(lambda a: select_array(a, selection, dropped)) for s in self.stages)
        if self.is_array:
            source = self.source.select(selection, dropped)
            return Frames(source, source.chunks, ())._with_stages(stages)
        chosen = self.source.source.select(selection)
        if dropped:
            chosen = chosen.drop_axes(dropped)
        blocks = chunking.auto_chunks(chosen.nav_shape, chosen.frame_nbytes)
        return Frames(FileRoot(chosen), blocks, ())._with_stages(stages)

    def _with_stages(self, stages: tuple[Stage, ...]) -> Frames:
        nav = len(self.chunks)
        aligned = tuple(
            s.with_params(lambda a: a.rechunk((*self.chunks, *((n,) for n in a.shape[nav:])))) for s in stages
        )
        return replace(self, stages=aligned)

    def rechunk(self, chunks: str | int | Sequence[int | Sequence[int]]) -> Frames:
        """The stream cut into other blocks of positions."""
        blocks = chunking.normalize_chunks(chunks, self.nav_shape, int(self.source.frame_nbytes))
        source = self.source.rechunk(blocks) if self.is_array else self.source
        return Frames(source, blocks, ())._with_stages(self.stages)

    def bin_navigation(self, factors: Sequence[int]) -> Frames:
        """Frames of neighbouring positions summed, `factors` each along the navigation axes, numpy order.

        Sums of integers are 64-bit integers. The navigation shape has to be a multiple of `factors`.
        """
        groups = tuple(int(f) for f in factors)
        if any(f < 1 or n % f for n, f in zip(self.nav_shape, groups, strict=True)):
            raise ValueError(f"factors {groups} do not divide the navigation shape {self.nav_shape}")
        frames = self.rechunk(chunking.align_to(self.chunks, groups))
        ending = BinNavigation(0, groups, sum_dtype(self.dtype), skip_invalid=self.incomplete != "zero")
        return Frames.from_array(frames._end(ending, "bin", repr(groups), self.frame_shape), len(groups))

    def overlap_frames(
        self,
        function: Callable[..., Any],
        *params: Any,
        depth: Sequence[int],
        dtype: Any,
        shape: Sequence[int] | None = None,
        boundary: str = "nearest",
    ) -> Frames:
        """The stream with `function` applied to neighbourhoods of positions; see `overlap.overlap_frames`."""
        from lazy4d.lazy.overlap import overlap_frames

        return overlap_frames(self, function, params, tuple(depth), np.dtype(dtype), shape, boundary)

    # ---- terminals

    def ragged_frames(
        self,
        kernel: Callable[..., Any],
        *params: Any,
        capacity: int,
        columns: Mapping[str, Any],
        overflow: str = "raise",
        window: Window | None = None,
    ) -> RaggedBlocks:
        """Some entries for each frame, lazily, as one `RaggedFrames` a block; see `ragged_blocks.ragged_frames`."""
        from lazy4d.lazy.ragged_blocks import ragged_frames

        return ragged_frames(self, kernel, params, capacity, columns, overflow, window)

    def _end(
        self, ending: Ending, kind: str, label: str, frame_shape: tuple[int, ...], *, by_frames: bool = True
    ) -> da.Array:
        name = f"{kind}-{tokenize(self.token if by_frames else self.source.token, self.chunks, kind, label)}"
        terminal = Terminal(name, self.stages if by_frames else (), ending, frame_shape)
        return result_array(Walk(self.source, self.chunks, (terminal,)), terminal)

    @cached_property
    def data(self) -> da.Array:
        """The frames as an ordinary dask array ``[nav..., *frame]``, symbolic until used.

        Invalid frames of a file, and what stages made of them, are 0; an array is handed out as it was given, but in
        native byte order.
        """
        if self.is_array and not self.stages and self.source.array.dtype.isnative:
            return self.source.array
        return self._end(Emit(0, self.dtype), "frames", "keep", self.frame_shape)

    @cached_property
    def valid(self) -> da.Array:
        """Which positions hold an undamaged frame: a lazy bool array over the navigation axes."""
        if self.is_array:
            given = self.source.valid
            return da.ones(self.nav_shape, chunks=self.chunks or -1, dtype=bool) if given is None else given
        return self._end(Valid(), "valid", "", (), by_frames=False)

    def emit(self) -> Frames:
        """A new stream on the computed frames, for small results that several steps will use.

        Where damage was asked to be marked (``incomplete="nan"``) the result is float64, or complex, with NaN there.
        """
        if self.is_array and not self.stages:
            return self
        nan = self.incomplete == "nan"
        dtype = np.result_type(self.dtype, np.float64) if nan else self.dtype
        array = self._end(Emit(0, dtype, nan), "result", f"emit{nan}", self.frame_shape)
        valid = None if self.incomplete == "raise" else self.valid
        return Frames.from_array(array, len(self.chunks), valid=valid, incomplete=self.incomplete)

    def reduce_frames(self, reduction: Reduction, *params: Any) -> da.Array:
        """A lazy array of ``reduction.shape`` from all frames; see `Reduction`.

        `params` go to ``reduction.chunk`` between the frames and the state, as in `map_frames`.
        """
        checked = tuple(aligned_param(p, function_name(reduction.chunk), self.chunks) for p in params)
        stage = Stage.make(reduction.chunk, checked, reduction.shape, reduction.dtype)
        states = [(s.shape, str(np.dtype(s.dtype)), repr(s.initial)) for s in reduction.state]
        parts = [Stage.make(f, (), (), "u1").token for f in (reduction.combine, reduction.finalize)]
        ending = Accumulate(0, reduction, checked, skip_invalid=self.incomplete != "zero")
        return self._end(ending, "reduce", str((stage.token, states, parts)), reduction.shape)


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which sums are exact: 64-bit integers for integers, float64 (or complex128) otherwise."""
    if dtype.kind == "b" or dtype.kind == "i":
        return np.dtype(np.int64)
    if dtype.kind == "u":
        return np.dtype(np.uint64)
    return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)


def _extent(item: slice | int, size: int) -> slice:
    """The smallest ``[start, stop)`` that holds the pixels of a normalised slice or index."""
    if isinstance(item, int):
        return slice(item, item + 1)
    found = range(*item.indices(size))
    return slice(min(found), max(found) + 1) if found else slice(0, 0)


def _compose(outer: slice | int, inner: slice | int, size: int) -> slice | int:
    """One slice for `inner` taken of `outer` of an axis of `size`; both normalised."""
    if isinstance(outer, int):
        return outer
    picked = range(*outer.indices(size))
    if isinstance(inner, int):
        return picked[inner]
    result = picked[inner]
    stop: int | None = result.stop
    return slice(result.start, None if stop is not None and stop < 0 else stop, result.step)
