"""The walks of lazy results, merged for one source and taken over a box of positions instead of dask's blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.endings import Accumulate, BinNavigation
from lazy4d.lazy.lift import Terminal, Walk, WalkLayer
from lazy4d.lazy.stage import SharedLazy
from lazy4d.lazy.unpacked import keeping
from lazy4d.lazy.walk import walk_box

if TYPE_CHECKING:
    from lazy4d.lazy.peek_arrays import ArrayReader, Reading

Box = tuple[slice, ...]


@dataclass(frozen=True)
class EndedWalk:
    """A result of a walk: the walk, and which of its terminals."""

    walk: Walk
    terminal: Terminal

    @property
    def factors(self) -> tuple[int, ...]:
        """How many positions of the source make one of the result, along each navigation axis."""
        ending = self.terminal.ending
        return ending.factors if isinstance(ending, BinNavigation) else (1,) * len(self.walk.chunks)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions of the result; those of the scan for a reduction over it."""
        return tuple(n // f for n, f in zip(self.walk.source.nav_shape, self.factors, strict=True))


def ended_walk(array: da.Array) -> EndedWalk | None:
    """The walk that a lazy array is a result of; None for other arrays."""
    return walk_of(array.dask, array.name)


def walk_of(graph: Any, name: str) -> EndedWalk | None:
    """The walk behind a layer of a graph, if it takes its blocks out of a walk."""
    for below in graph.dependencies.get(name, ()):
        layer = graph.layers.get(below)
        if isinstance(layer, WalkLayer):
            for terminal in layer.walk.terminals:
                if terminal.name == name:
                    return EndedWalk(layer.walk, terminal)
    return None


class WalkReader:
    """Results over one source at a box of positions: one walk for all of them.

    Parameters
    ----------
    results : sequence of EndedWalk
        Of one source, all with the same number of source positions for one of theirs.
    """

    def __init__(self, results: Sequence[EndedWalk]) -> None:
        first = results[0]
        self._factors = first.factors
        self.source = first.walk.source
        terminals = {one.terminal.name: one.terminal for one in results}
        self._order = [list(terminals).index(one.terminal.name) for one in results]
        self.walk = Walk(self.source, first.walk.chunks, tuple(terminals.values()))
        self.per_position = [not isinstance(one.terminal.ending, Accumulate) for one in results]

    @property
    def nav_ndim(self) -> int:
        """Number of navigation axes."""
        return len(self.walk.chunks)

    @cached_property
    def _plan(self) -> Any:
        plan = self.walk.plan()
        # Another name than that of a run, whose progress and cancellation are not of our reading.
        return replace(plan, token=f"peek-{plan.token}", source=keeping(plan.source))

    @cached_property
    def params(self) -> list[ArrayReader | SharedLazy]:
        """What reads the lazy parameters of the walk, in the order of its slots."""
        from lazy4d.lazy.peek_arrays import ArrayReader

        return [p if isinstance(p, SharedLazy) else ArrayReader.of(p.array) for p in self.walk.lazy]

    @cached_property
    def _root(self) -> tuple[Any, Any]:
        """What reads frames and validity where the source is an array."""
        from lazy4d.lazy.peek_arrays import ArrayReader

        if self.source.array is None:
            return None, None
        plain = getattr(self.source, "plain", None)
        frames = None if plain is not None else ArrayReader.of(self.source.array)
        valid = None if self.source.valid is None else ArrayReader.of(self.source.valid)
        return frames, valid

    def below(self) -> Iterator[Any]:
        """Readers of everything that this one reads itself, and shared parameters."""
        yield from self.params
        yield from (reader for reader in self._root if reader is not None)

    def read_all(self, box: Box, reading: Reading) -> list[Any]:
        """The results for a box of their positions."""
        wide = tuple(slice(s.start * f, s.stop * f) for s, f in zip(box, self._factors, strict=True))
        values = walk_box(self._plan, wide, *self._arrays(wide, reading))
        made = []
        for terminal, value in zip(self.walk.terminals, values, strict=True):
            ending = terminal.ending
            made.append(ending.reduction.result(value) if isinstance(ending, Accumulate) else value)
        return [made[k] for k in self._order]

    def _arrays(self, box: Box, reading: Reading) -> list[NDArray[Any]]:
        found: list[Any] = []
        if self.source.array is not None:
            frames, valid = self._root
            found.append(self.source.plain[box] if frames is None else frames.read(box, reading))
        for param in self.params:
            shared = isinstance(param, SharedLazy)
            found.append(reading.shared.value(param.array) if shared else param.read(box, reading))  # type: ignore[union-attr]
        if self.source.array is not None and self.source.valid is not None:
            found.append(np.asarray(valid.read(box, reading)))
        return found


class NeighbourReader:
    """Results of neighbourhoods of positions at a box of positions: frames are read with their halo.

    Parameters
    ----------
    graph : HighLevelGraph
        Where the layer is.
    name : str
        Name of a `NeighbourLayer`.
    """

    per_position = (True,)

    def __init__(self, graph: Any, name: str) -> None:
        key = f"spec-{name}"
        self._spec: Any = graph.layers[key][key].value
        walk = graph.layers[name].walk
        self._reader = WalkReader([EndedWalk(walk, walk.terminals[0])])
        self.nav_ndim = len(walk.chunks)
        self.frame_shape = tuple(self._spec.shape)

    def below(self) -> Iterator[Any]:
        """Readers of everything that this one reads, and shared parameters."""
        return self._reader.below()

    def read_all(self, box: Box, reading: Reading) -> list[Any]:
        """The result for a box of positions, as the only entry."""
        spec = self._spec
        outer, missing = spec.halo(box)
        (frames,) = self._reader.read_all(outer, reading)
        return [spec.of_box(frames, box, missing)]
