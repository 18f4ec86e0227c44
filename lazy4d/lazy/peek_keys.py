"""Blocks of a graph read in part: what only moves or combines numbers is pushed down, the rest computed by block."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dask.array.core as dask_core
import numpy as np
from dask import sizeof
from dask.array import chunk as dask_chunk
from dask.base import get_scheduler
from dask.blockwise import Blockwise
from dask.local import get_sync
from numpy.typing import NDArray

from lazy4d.lazy.bounded_cache import BoundedCache
from lazy4d.lazy.chunks import bounds
from lazy4d.lazy.endings import Accumulate, BinNavigation
from lazy4d.lazy.lift import result_array
from lazy4d.lazy.overlap import NeighbourLayer
from lazy4d.lazy.peek_moves import Moves, is_future, known_value
from lazy4d.lazy.peek_walks import EndedWalk, NeighbourReader, WalkReader, walk_of
from lazy4d.lazy.ragged_ending import Ragged
from lazy4d.lazy.stage import SharedLazy

if TYPE_CHECKING:
    from lazy4d.lazy.peek_arrays import Reading

KEPT_BYTES = 128 * 2**20
"""Bytes of computed blocks that are kept, so that the next position in a block costs nothing."""

_blocks = BoundedCache(KEPT_BYTES)

Region = tuple[slice, ...]
Shape = tuple[int, ...]

POINTWISE = {
    *(getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos")),
    *(getattr(operator, name) for name in ("abs", "invert", "and_", "or_", "xor", "lshift", "rshift")),
    *(getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    *(np.where, np.clip, np.real, np.imag, np.angle, np.nan_to_num, np.round, np.isclose, dask_chunk.astype),
}
"""Functions besides ufuncs whose result at a place depends on the arguments at that place only."""


def is_pointwise(function: Any, keywords: dict[str, Any]) -> bool:
    """Whether a function of blocks gives at each place what it makes of the numbers there.

    Examples
    --------
    >>> is_pointwise(np.sqrt, {}), is_pointwise(np.sort, {})
    (True, False)
    """
    if function is dask_core._enforce_dtype:
        function = keywords.get("enforce_dtype_function")
    try:
        return isinstance(function, np.ufunc) or function in POINTWISE
    except TypeError:  # it cannot be hashed, so it is none of these
        return False


class KeyReader:
    """Parts of the blocks of one array of a graph.

    Parameters
    ----------
    graph : HighLevelGraph
        The graph of the array.
    name : str
        Name of the array.
    """

    def __init__(self, graph: Any, name: str) -> None:
        self._graph, self._name = graph, name
        self._shapes: dict[Any, Shape | None] = {}

    # ---- what is at the bottom

    @cached_property
    def _ends(self) -> dict[str, Any]:
        """What reads the layers at which pushing down ends, by name: walks, their neighbourhoods, and shared values."""
        found: dict[str, Any] = {}
        waiting, seen = [self._name], {self._name}
        while waiting:
            name = waiting.pop()
            end = self._end_of(name)
            if end is not None:
                found[name] = end
                continue
            for below in self._graph.dependencies.get(name, ()):
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
        return found

    def _end_of(self, name: str) -> Any:
        ended = walk_of(self._graph, name)
        if ended is not None:
            if isinstance(ended.terminal.ending, Ragged):
                return None
            if isinstance(ended.terminal.ending, Accumulate):
                return SharedLazy(result_array(ended.walk, ended.terminal))
            return _Blocks(WalkReader([ended]), _chunks_of(ended))
        layer = self._graph.layers.get(name)
        if isinstance(layer, NeighbourLayer):
            reader = NeighbourReader(self._graph, name)
            return _Blocks(reader, layer.walk.chunks + tuple((n,) for n in reader.frame_shape))
        return None

    def below(self) -> Iterator[Any]:
        """Readers of walks that are read, and shared parameters."""
        for end in self._ends.values():
            yield end.reader if isinstance(end, _Blocks) else end

    # ---- reading

    def read(self, key: Any, region: Region, reading: Reading, layer: Any = None) -> NDArray[Any]:
        """The part `region` of the block `key`, which may be an inner task of `layer`."""
        pushed = self._pushed(key, region, reading, layer)
        if pushed is None:
            pushed = self._whole(key)[region]
        return pushed

    def _pushed(self, key: Any, region: Region, reading: Reading, layer: Any) -> NDArray[Any] | None:
        """The part of a block, read without the rest of it; None where that cannot be."""
        task = _inner(layer, key)
        if task is None:
            end = self._ends.get(key[0])
            if isinstance(end, SharedLazy):
                return reading.shared.value(end.array)[region]
            if end is not None:
                return end.read(key[1:], region, reading)
            layer = self._graph.layers.get(key[0])
            if isinstance(layer, Blockwise):
                return self._combined(layer, key, region, reading)
            task = _inner(layer, key)
        return None if task is None else Moves(self, layer).read(task, region, reading)

    def shape(self, key: Any, layer: Any = None) -> Shape | None:
        """The shape of a block, where it is known without computing it."""
        if key not in self._shapes:
            self._shapes[key] = self._find_shape(key, layer)
        return self._shapes[key]

    def _find_shape(self, key: Any, layer: Any) -> Shape | None:
        task = _inner(layer, key)
        if task is None:
            end = self._ends.get(key[0])
            if isinstance(end, SharedLazy):
                return tuple(end.array.shape)
            if end is not None:
                return end.shape(key[1:])
            layer = self._graph.layers.get(key[0])
            if isinstance(layer, Blockwise):
                shapes = [self.shape(k) for k in self._inputs(layer, key) if k is not None]
                known = [shape for shape in shapes if shape is not None]
                same = len(known) == len(shapes) > 0 and self._is_pointwise(layer)
                return np.broadcast_shapes(*known) if same else None
            task = _inner(layer, key)
        return None if task is None else Moves(self, layer).shape(task)

    # ---- functions of blocks

    @staticmethod
    def _is_pointwise(layer: Blockwise) -> bool:
        inside = set(layer.output_indices)
        task = layer.task
        return (
            not layer.io_deps
            and not layer.new_axes
            and all(index is None or set(index) <= inside for _, index in layer.indices)
            and all(index is None or _in_order(index, layer.output_indices) for _, index in layer.indices)
            and is_pointwise(getattr(task, "func", None), getattr(task, "kwargs", None) or {})
        )

    @staticmethod
    def _inputs(layer: Blockwise, key: Any) -> list[Any]:
        """The block of each argument of a function of blocks; None for constants."""
        place = dict(zip(layer.output_indices, key[1:], strict=True))
        found: list[Any] = []
        for name, index in layer.indices:
            if index is None:
                found.append(None)
                continue
            counts = layer.numblocks.get(str(name), (1,) * len(index))
            found.append((name, *(0 if n == 1 else place.get(i, 0) for i, n in zip(index, counts, strict=True))))
        return found

    def _combined(self, layer: Blockwise, key: Any, region: Region, reading: Reading) -> NDArray[Any] | None:
        if not self._is_pointwise(layer):
            return None
        values: dict[str, Any] = {}
        for k, ((given, index), below) in enumerate(zip(layer.indices, self._inputs(layer, key), strict=True)):
            if index is None:
                value = known_value(given)
                if value is None:
                    return None
                values[f"__dask_blockwise__{k}"] = value[0]
                continue
            shape = self.shape(below)
            if shape is None:
                return None
            wanted = [region[layer.output_indices.index(i)] for i in index]
            part = tuple(slice(0, 1) if n == 1 else r for n, r in zip(shape, wanted, strict=True))
            values[f"__dask_blockwise__{k}"] = self.read(below, part, reading)
        return np.asarray(layer.task(values))

    def _whole(self, key: Any) -> NDArray[Any]:
        found: NDArray[Any] | None = _blocks.get(key)
        if found is None:
            culled = self._graph.cull({key})
            found = np.asarray(_scheduler_for(culled)(culled, key))
            _blocks.put(key, found, max(found.nbytes, sizeof.sizeof(found)))
        return found


def _scheduler_for(graph: Any) -> Any:
    """What computes a graph: this thread, unless blocks of it are kept by the workers of a cluster."""
    for name in graph.layers:
        for node in (getattr(graph.layers[name], "mapping", None) or {}).values():
            if is_future(getattr(node, "value", node)):
                return get_scheduler() or get_sync
    return get_sync


def _inner(layer: Any, key: Any) -> Any:
    """A task of a layer whose tasks are written down."""
    mapping = getattr(layer, "mapping", None) if not isinstance(layer, dict) else layer
    return None if mapping is None else mapping.get(key)


def _in_order(index: tuple[Any, ...], outside: tuple[Any, ...]) -> bool:
    """Whether axes come in the order of those of the result, as far as they are there, the last ones first."""
    return tuple(index) == tuple(outside[len(outside) - len(index) :])


def _chunks_of(ended: EndedWalk) -> tuple[tuple[int, ...], ...]:
    ending = ended.terminal.ending
    nav = ended.walk.chunks
    if isinstance(ending, BinNavigation):
        nav = tuple(tuple(c // f for c in blocks) for blocks, f in zip(nav, ending.factors, strict=True))
    return nav + tuple((n,) for n in ended.terminal.frame_shape)


class _Blocks:
    """The blocks of a walk's result, read in part by the walk itself."""

    def __init__(self, reader: Any, chunks: tuple[tuple[int, ...], ...]) -> None:
        self.reader, self._chunks = reader, chunks
        self._edges = [bounds(sizes) for sizes in chunks]
        self._nav_ndim = reader.nav_ndim

    def shape(self, block: Shape) -> Shape:
        """The shape of a block."""
        return tuple(int(e[b + 1] - e[b]) for e, b in zip(self._edges, block, strict=True))

    def read(self, block: Shape, region: Region, reading: Reading) -> NDArray[Any]:
        """A part of a block; positions are read alone, pixels are cut out of whole frames."""
        starts = [int(e[b]) for e, b in zip(self._edges, block, strict=True)]
        shape = self.shape(block)
        nav = tuple(
            slice(first + s.indices(n)[0], first + s.indices(n)[1])
            for s, first, n in zip(region, starts[: self._nav_ndim], shape, strict=False)
        )
        inside = tuple(region[self._nav_ndim :])
        key = (id(self.reader), *((s.start, s.stop) for s in nav))
        frames: NDArray[Any] | None = reading.known.get(key)
        if frames is None:
            (frames,) = self.reader.read_all(nav, reading)
            if frames.nbytes < KEPT_BYTES:
                reading.known[key] = frames
        index: Any = (..., *inside)
        part = frames[index] if inside else frames
        return part.copy() if part.nbytes < frames.nbytes // 2 else part
