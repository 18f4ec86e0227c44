"""Merge the walks of a graph that share a source, so that each block is read once for all results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from dask.highlevelgraph import HighLevelGraph

from lazy4d.lazy.lift import Terminal, Walk, WalkLayer, with_sinks


def walks_of(graph: HighLevelGraph) -> dict[str, Walk]:
    """The walks of a graph by the name of their layer."""
    return {name: layer.walk for name, layer in graph.layers.items() if isinstance(layer, WalkLayer)}


def fuse_walks(graph: HighLevelGraph, sinks: Mapping[str, np.ndarray] | None = None) -> HighLevelGraph:
    """The graph with one walk for all results over the same source, as far as none needs another's result.

    Parameters
    ----------
    graph : HighLevelGraph
        The merged graph of all wanted results.
    sinks : mapping of str to ndarray, optional
        Results, by name, to be computed in place into arrays of this process.

    Notes
    -----
    Walks are ordered by level, the number of walks on the longest path below them. Merging only within a level cannot
    close a cycle: a path between two walks always goes up.
    """
    walks = walks_of(graph)
    if not walks:
        return graph
    level = _levels(graph, walks)
    groups: dict[tuple[str, int], list[str]] = {}
    for name, walk in walks.items():
        groups.setdefault((walk.group, level[name]), []).append(name)
    layers, dependencies = dict(graph.layers), dict(graph.dependencies)
    for names in groups.values():
        wanted = [t for name in names for t in walks[name].terminals]
        if len(names) == 1 and not any(t.name in (sinks or {}) for t in wanted):
            continue
        terminals: dict[str, Terminal] = {t.name: t for t in wanted}
        first = walks[names[0]]
        merged = with_sinks(Walk(first.source, first.chunks, tuple(terminals.values())), sinks or {})
        for name in names:
            for gone in (name, f"plan-{name}"):
                del layers[gone], dependencies[gone]
        more, needs = merged.layers()
        layers.update(more)
        dependencies.update(needs)
    return HighLevelGraph(layers, dependencies)


def _levels(graph: HighLevelGraph, walks: Mapping[str, Walk]) -> dict[str, int]:
    level: dict[str, int] = {}
    for name in graph._toposort_layers():
        below = graph.dependencies.get(name, ())
        level[name] = max((level[b] + (b in walks) for b in below), default=0)
    return level
