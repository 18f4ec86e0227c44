"""Walks as dask graphs: one symbolic layer with one task a block, and small layers under the results' own names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, List, Task, TaskRef
from dask.array.core import new_da_object
from dask.base import tokenize
from dask.blockwise import Blockwise
from dask.blockwise import blockwise as core_blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArrayBlockIdDep

from lazy4d.lazy.chunks import NavChunks, bounds
from lazy4d.lazy.endings import Accumulate, BinNavigation, Emit, Ending, Valid
from lazy4d.lazy.ragged_ending import Ragged
from lazy4d.lazy.reduction import Reduction
from lazy4d.lazy.stage import PerPosition, SharedLazy, Stage, Window
from lazy4d.lazy.walk import Plan, Slot, Step, walk_block

SPLIT_EVERY = 16

Layers = dict[str, Any]
Dependencies = dict[str, set[str]]


@dataclass(frozen=True, eq=False)
class Terminal:
    """A chain of stages over a source, ended: the name of its result and what the ending makes."""

    name: str
    chain: tuple[Stage, ...]
    ending: Ending
    frame_shape: tuple[int, ...]

    def lazy_params(self) -> Iterable[PerPosition | SharedLazy]:
        """Every dask array that the chain or the ending needs."""
        for stage in self.chain:
            yield from stage.lazy_params()
        for param in self.ending.params:
            if isinstance(param, PerPosition | SharedLazy):
                yield param

    @property
    def multiplies_matrices(self) -> bool:
        """Whether a kernel of it may call a matrix product."""
        return any(s.multiplies_matrices for s in self.chain) or getattr(self.ending, "multiplies_matrices", False)

    def layers(self, walk: str, index: int, chunks: NavChunks) -> tuple[Layers, Dependencies]:
        """The layers that take this terminal's share, entry `index`, out of the results of the layer `walk`."""
        if isinstance(self.ending, Accumulate):
            return _tree(self.name, self.ending.reduction, walk, index, chunks)
        nav = tuple(range(len(chunks)))
        signal = tuple(range(len(nav), len(nav) + len(self.frame_shape)))
        layer = core_blockwise(
            itemgetter(index),
            self.name,
            nav + signal,
            walk,
            nav,
            numblocks={walk: tuple(len(c) for c in chunks)},
            new_axes=dict.fromkeys(signal, 1),
        )
        return {self.name: layer}, {self.name: {walk}}


class RememberingLayer(Blockwise):
    """A symbolic layer as another one, of a class that remembers what it stands for."""

    def __init__(self, layer: Blockwise) -> None:
        super().__init__(
            layer.output,
            layer.output_indices,
            layer.task,
            layer.indices,
            numblocks=layer.numblocks,
            concatenate=layer.concatenate,
            new_axes=layer.new_axes,
            io_deps=layer.io_deps,
        )


class WalkLayer(RememberingLayer):
    """The symbolic layer of a walk; remembers the walk, so that walks over one source can be merged."""

    def __init__(self, walk: Walk, layer: Blockwise) -> None:
        super().__init__(layer)
        self.walk = walk


@dataclass(frozen=True, eq=False)
class Walk:
    """All terminals that share one source and one cut into blocks."""

    source: Any  # FrameSource, or ArraySource of frames.py
    chunks: NavChunks
    terminals: tuple[Terminal, ...]

    @cached_property
    def group(self) -> str:
        """Walks of one group can be merged."""
        return str(tokenize(self.source.token, self.chunks))

    @cached_property
    def name(self) -> str:
        """Name of the layer, the same for the same terminals."""
        return f"walk-{tokenize(self.group, [t.name for t in self.terminals], [id_of_sink(t) for t in self.terminals])}"

    @cached_property
    def lazy(self) -> tuple[PerPosition | SharedLazy, ...]:
        """The distinct dask arrays delivered with each block."""
        found = {(type(p), p.array.name): p for terminal in self.terminals for p in terminal.lazy_params()}
        return tuple(found.values())

    def plan(self) -> Plan:
        """The walk as a task understands it: chains with a common beginning share their steps."""
        slots = {(type(p), p.array.name): k for k, p in enumerate(self.lazy)}

        def slotted(params: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(
                Slot(slots[type(p), p.array.name], isinstance(p, PerPosition))
                if isinstance(p, PerPosition | SharedLazy)
                else p
                for p in params
            )

        frame_shape = tuple(self.source.frame_shape)
        steps = [Step(-1, None, (), frame_shape, np.dtype(self.source.dtype))]
        known: dict[tuple[int, str], int] = {}
        windows: list[Window | None] = []
        endings = []
        for terminal in self.terminals:
            at = 0
            for stage in terminal.chain:
                if at == 0:
                    windows.append(stage.window)
                key = (at, stage.token)
                if key not in known:
                    known[key] = len(steps)
                    steps.append(Step(at, stage.kernel, slotted(stage.params), stage.shape, stage.dtype))
                at = known[key]
            if at == 0 and not isinstance(terminal.ending, Valid):
                windows.append(getattr(terminal.ending, "window", None))
            endings.append(replace(terminal.ending, step=at, params=slotted(terminal.ending.params)))  # type: ignore[type-var]
        array = self.source.array
        return Plan(
            token=self.name,
            source=None if array is not None else self.source,
            bounds=tuple(bounds(c) for c in self.chunks),
            nav_ndim=len(self.chunks),
            steps=tuple(steps),
            endings=tuple(endings),
            window=_union(windows, frame_shape) if windows else None,
            has_valid=array is not None and self.source.valid is not None,
            frame_nbytes=int(self.source.frame_nbytes),
        )

    def layers(self) -> tuple[Layers, Dependencies]:
        """The walk's own layer, its plan, and the layers of all its terminals."""
        nav = tuple(range(len(self.chunks)))
        inputs: list[da.Array] = []
        pairs: list[Any] = []
        if self.source.array is not None:
            inputs.append(self.source.array)
        inputs += [p.array for p in self.lazy]
        shared = {p.array.name for p in self.lazy if isinstance(p, SharedLazy)}
        if self.source.array is not None and self.source.valid is not None:
            inputs.append(self.source.valid)
        fresh = len(nav)
        for array in inputs:
            if array.name in shared:
                index: tuple[int, ...] = tuple(range(fresh, fresh + array.ndim))
            else:
                index = nav + tuple(range(fresh, fresh + array.ndim - len(nav)))
            fresh += array.ndim
            pairs += [array.name, index]
        plan = f"plan-{self.name}"
        layer = core_blockwise(
            walk_block,
            self.name,
            nav,
            TaskRef(plan),
            None,
            ArrayBlockIdDep(self.chunks),
            nav,
            *pairs,
            numblocks={a.name: a.numblocks for a in inputs},
            concatenate=False,
        )
        layers: Layers = {plan: {plan: DataNode(plan, self.plan())}, self.name: WalkLayer(self, layer)}
        dependencies: Dependencies = {plan: set(), self.name: {plan, *(a.name for a in inputs)}}
        for index_, terminal in enumerate(self.terminals):
            more, needs = terminal.layers(self.name, index_, self.chunks)
            layers.update(more)
            dependencies.update(needs)
        return layers, dependencies

    def graph(self) -> HighLevelGraph:
        """The complete graph, with those of the lazy parameters and of the source."""
        inputs = [p.array.dask for p in self.lazy]
        if self.source.array is not None:
            inputs.append(self.source.array.dask)
            if self.source.valid is not None:
                inputs.append(self.source.valid.dask)
        below = HighLevelGraph.merge(*inputs) if inputs else HighLevelGraph({}, {})
        layers, dependencies = self.layers()
        return HighLevelGraph({**below.layers, **layers}, {**below.dependencies, **dependencies})


def id_of_sink(terminal: Terminal) -> int:
    """Tells walks that fill an array in place from those that hand their blocks to dask."""
    sink = getattr(terminal.ending, "sink", None)
    return 0 if sink is None else id(sink)


def _union(windows: list[Window | None], frame_shape: tuple[int, ...]) -> Window:
    """The smallest box that holds all windows; None stands for the whole frame."""
    whole = tuple(slice(0, n) for n in frame_shape)
    known = [w if w is not None else whole for w in windows]
    return tuple(slice(min(w[k].start for w in known), max(w[k].stop for w in known)) for k in range(len(frame_shape)))


def merge_states(reduction: Reduction, index: int | None, parts: list[Any]) -> tuple[Any, ...]:
    """Merge the states of several blocks; `index` picks the entry where the parts are results of a walk."""
    return reduction.merge(parts if index is None else [part[index] for part in parts])


def finish_reduction(reduction: Reduction, index: int | None, parts: list[Any]) -> np.ndarray:
    """Merge the last states and finalize."""
    return reduction.result(merge_states(reduction, index, parts))


def _tree(name: str, reduction: Reduction, walk: str, index: int, chunks: NavChunks) -> tuple[Layers, Dependencies]:
    """A tree that merges neighbouring blocks first: wide, because merging is cheap against a task."""
    level = [(walk, *block) for block in np.ndindex(*(len(c) for c in chunks))]
    pick: int | None = index
    tasks: dict[Any, Any] = {}
    merge, finish = partial(merge_states, reduction), partial(finish_reduction, reduction)
    depth = 0
    while len(level) > SPLIT_EVERY:
        groups = [level[i : i + SPLIT_EVERY] for i in range(0, len(level), SPLIT_EVERY)]
        level = [(f"{name}-merge", depth, k) for k in range(len(groups))]
        for key, group in zip(level, groups, strict=True):
            tasks[key] = Task(key, merge, pick, List(*map(TaskRef, group)))
        pick, depth = None, depth + 1
    key = (name, *(0,) * len(reduction.shape))
    tasks[key] = Task(key, finish, pick, List(*map(TaskRef, level)))
    return {name: tasks}, {name: {walk}}


def result_array(walk: Walk, terminal: Terminal) -> da.Array:
    """The lazy array of one terminal."""
    ending = terminal.ending
    if isinstance(ending, Accumulate):
        dtype = np.dtype(ending.reduction.dtype)
        chunks: NavChunks = tuple((n,) for n in ending.reduction.shape)
    elif isinstance(ending, Ragged):
        dtype, chunks = np.dtype(object), tuple((1,) * len(c) for c in walk.chunks)
    else:
        nav = walk.chunks
        if isinstance(ending, BinNavigation):
            nav = tuple(tuple(c // f for c in blocks) for blocks, f in zip(nav, ending.factors, strict=True))
        dtype = np.dtype(bool) if isinstance(ending, Valid) else ending.dtype  # type: ignore[attr-defined]
        chunks = nav + tuple((n,) for n in terminal.frame_shape)
    meta = np.empty((0,) * len(chunks), dtype)
    return new_da_object(walk.graph(), terminal.name, chunks, meta=meta, dtype=dtype)


def with_sinks(walk: Walk, sinks: Mapping[str, np.ndarray]) -> Walk:
    """The walk with the named results computed in place into arrays of this process."""
    terminals = tuple(
        replace(t, ending=replace(t.ending, sink=sinks[t.name]))
        if t.name in sinks and isinstance(t.ending, Emit)
        else t
        for t in walk.terminals
    )
    return Walk(walk.source, walk.chunks, terminals)


def positions(chunks: NavChunks) -> int:
    """How many positions the blocks cover."""
    return math.prod(sum(c) for c in chunks)
