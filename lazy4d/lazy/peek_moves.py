"""Tasks that only move numbers about, read in part: slices, merged and split blocks, flattened axes, picked rows."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from dask._task_spec import Alias, DataNode, List, Task, TaskRef
from dask.array import _shuffle
from dask.array import chunk as dask_chunk
from dask.array import core as dask_core
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lazy4d.lazy.peek_arrays import Reading
    from lazy4d.lazy.peek_keys import KeyReader

Region = tuple[slice, ...]
Shape = tuple[int, ...]

GETTERS = {operator.getitem, dask_chunk.getitem, dask_core.getter, dask_core.getter_nofancy}


def known_value(node: Any) -> tuple[Any] | None:
    """The value of a node that is no task, in a tuple; None for tasks and references."""
    if isinstance(node, DataNode):
        return (node.value,)
    if isinstance(node, Task | TaskRef | Alias):
        return None
    return (node,)


class Moves:
    """Reads parts of what tasks of one layer give.

    Parameters
    ----------
    keys : KeyReader
        Reads the blocks that tasks refer to.
    layer : mapping
        The layer of the tasks, which may refer to one another.
    """

    def __init__(self, keys: KeyReader, layer: Any) -> None:
        self._keys, self._layer = keys, layer

    def read(self, node: Any, region: Region, reading: Reading) -> NDArray[Any] | None:
        """The part `region` of what a task gives; None where it cannot be read without the rest."""
        if isinstance(node, np.ndarray):
            return node[region]
        if isinstance(node, DataNode):
            return node.value[region] if isinstance(node.value, np.ndarray) else None
        target = _target(node)
        if target is not None:
            return self._keys.read(target, region, reading, self._layer)
        function, args = _called(node)
        if function in GETTERS and len(args) >= 2:
            return self._slice(args[0], args[1], region, reading)
        if function is dask_core.concatenate_shaped:
            return self._merged(args[0], args[1], region, reading)
        if function is _shuffle.concatenate_arrays:
            return self._picked(args, region, reading)
        if getattr(function, "method", None) == "reshape" and len(args) == 2:
            return self._flattened(args[0], args[1], region, reading)
        return None

    def shape(self, node: Any) -> Shape | None:
        """The shape of what a task gives, where it is known."""
        if isinstance(node, np.ndarray):
            return node.shape
        if isinstance(node, DataNode):
            return node.value.shape if isinstance(node.value, np.ndarray) else None
        target = _target(node)
        if target is not None:
            return self._keys.shape(target, self._layer)
        function, args = _called(node)
        if function in GETTERS and len(args) >= 2:
            below = self.shape(args[0])
            items = self._items(args[1])
            return None if below is None or items is None else _sliced_shape(below, items)
        if function is dask_core.concatenate_shaped:
            grid = self._grid(args[0], args[1])
            return None if grid is None else tuple(int(sum(sizes)) for sizes in grid[1])
        if function is _shuffle.concatenate_arrays:
            rows = self._rows(args)
            below = None if rows is None or not rows else self.shape(rows[0][0])
            axis = args[2]
            return None if below is None or rows is None else (*below[:axis], len(rows), *below[axis + 1 :])
        if getattr(function, "method", None) == "reshape" and len(args) == 2:
            return tuple(int(n) for n in args[1])
        return None

    # ---- slices

    def _items(self, items: Any) -> tuple[Any, ...] | None:
        """What stands between the brackets; None where it holds arrays."""
        value = _literal(items, self._layer)
        value = value if isinstance(value, tuple) else (value,)
        fits = all(item is None or isinstance(item, slice | int | np.integer) for item in value)
        return value if fits else None

    def _slice(self, node: Any, items: Any, region: Region, reading: Reading) -> NDArray[Any] | None:
        below, checked = self.shape(node), self._items(items)
        if below is None or checked is None:
            return None
        whole: list[slice] = []
        back: list[Any] = []
        wanted = iter(region)
        axes = iter(below)
        for item in checked:
            if item is None:
                next(wanted)
                back.append(None)
                continue
            n = next(axes)
            if not isinstance(item, slice):
                place = int(item) % n
                whole.append(slice(place, place + 1))
                back.append(0)
                continue
            hull, order = _composed(item, next(wanted), n)
            whole.append(hull)
            back.append(order)
        for n in axes:
            whole.append(slice(*next(wanted, slice(None)).indices(n)))
            back.append(slice(None))
        found = self.read(node, tuple(whole), reading)
        return None if found is None else found[tuple(back)]

    # ---- blocks merged

    def _grid(self, nodes: Any, counts: Any) -> tuple[NDArray[Any], list[list[int]]] | None:
        """The nodes of the blocks in their places, and the sizes of blocks along each axis."""
        members = list(_members(nodes))
        places = np.empty(len(members), object)
        places[:] = members
        places = places.reshape(tuple(counts))
        sizes: list[list[int]] = []
        for axis, n in enumerate(counts):
            along = []
            for k in range(n):
                shape = self.shape(places[tuple(k if a == axis else 0 for a in range(places.ndim))])
                if shape is None:
                    return None
                along.append(shape[axis])
            sizes.append(along)
        return places, sizes

    def _merged(self, nodes: Any, counts: Any, region: Region, reading: Reading) -> NDArray[Any] | None:
        grid = self._grid(nodes, counts)
        if grid is None:
            return None
        places, sizes = grid
        edges = [np.concatenate([[0], np.cumsum(s)]) for s in sizes]
        full = [s.indices(int(e[-1])) for s, e in zip(region, edges, strict=True)]
        out: NDArray[Any] | None = None
        for block in np.ndindex(*places.shape):
            part, where = [], []
            for b, e, (start, stop, _) in zip(block, edges, full, strict=True):
                low, high = max(start, int(e[b])), min(stop, int(e[b + 1]))
                part.append(slice(low - int(e[b]), high - int(e[b])))
                where.append(slice(low - start, high - start))
            if any(p.stop <= p.start for p in part):
                continue
            value = self.read(places[block], tuple(part), reading)
            if value is None:
                return None
            if out is None:
                out = np.empty([stop - start for start, stop, _ in full], value.dtype)
            out[tuple(where)] = value
        return out

    # ---- leading axes made one

    def _flattened(self, node: Any, shape: Any, region: Region, reading: Reading) -> NDArray[Any] | None:
        below = self.shape(node)
        wanted = tuple(int(n) for n in _literal(shape, self._layer))
        if below is None or not wanted:
            return None
        joined = len(below) - len(wanted) + 1
        if joined < 1 or below[joined:] != wanted[1:] or math.prod(below[:joined]) != wanted[0]:
            return None
        start, stop, step = region[0].indices(wanted[0])
        if step != 1 or stop <= start:
            return None
        lowest = [int(i) for i in np.unravel_index(start, below[:joined])]
        highest = [int(i) for i in np.unravel_index(stop - 1, below[:joined])]
        box, same = [], True
        for low, high, n in zip(lowest, highest, below, strict=False):
            box.append(slice(low, high + 1) if same else slice(0, n))
            same = same and low == high
        found = self.read(node, (*box, *region[1:]), reading)
        if found is None:
            return None
        first = [s.start for s in box]
        sizes = tuple(s.stop - s.start for s in box)
        offset = int(np.ravel_multi_index(tuple(a - b for a, b in zip(lowest, first, strict=True)), sizes))
        flat = found.reshape(-1, *found.shape[joined:])
        return flat[offset : offset + stop - start]

    # ---- rows picked one by one

    def _rows(self, args: tuple[Any, ...]) -> list[tuple[Any, int]] | None:
        """For each row of the result the node it comes from and its place there."""
        nodes, sorter, axis = args
        order = _literal(sorter, self._layer)
        rows: list[tuple[Any, int]] = []
        for member in _members(nodes):
            target = _target(member)
            task = self._layer.get(target) if target is not None else member
            if task is None:
                return None
            function, inner = _called(task)
            if function not in GETTERS or len(inner) < 2:
                return None
            taken = _literal(inner[1], self._layer)
            taken = taken[1] if isinstance(taken, tuple) and len(taken) == 2 and isinstance(taken[1], tuple) else taken
            if not isinstance(taken, tuple) or len(taken) <= axis:
                return None
            if any(k != axis and item != slice(None) for k, item in enumerate(taken)):
                return None
            places = taken[axis]
            if not isinstance(places, np.ndarray | list):
                return None
            rows += [(inner[0], int(place)) for place in places]
        if not isinstance(order, tuple) or len(order) != 2:
            return None
        back = np.argsort(np.asarray(order[1]))
        return [rows[int(k)] for k in back] if len(back) == len(rows) else None

    def _picked(self, args: tuple[Any, ...], region: Region, reading: Reading) -> NDArray[Any] | None:
        rows, axis = self._rows(args), args[2]
        if rows is None:
            return None
        start, stop, _ = region[axis].indices(len(rows))
        parts = []
        for node, place in rows[start:stop]:
            one = (*region[:axis], slice(place, place + 1), *region[axis + 1 :])
            part = self.read(node, one, reading)
            if part is None:
                return None
            parts.append(part)
        return np.concatenate(parts, axis=axis) if parts else None


def is_future(value: Any) -> bool:
    """Whether a value is kept elsewhere, by a worker of a cluster.

    Examples
    --------
    >>> is_future(np.zeros(3))
    False
    """
    return type(value).__module__.startswith("distributed") and hasattr(value, "result")


def _target(node: Any) -> Any:
    """The key that a node only refers to; None for others."""
    if isinstance(node, Alias):
        return node.target
    return node.key if isinstance(node, TaskRef) and not is_future(node) else None


def _called(node: Any) -> tuple[Any, tuple[Any, ...]]:
    """Function and arguments of a task, also of one written as a tuple."""
    if isinstance(node, Task) and not isinstance(node, List):
        return (None, ()) if node.kwargs and set(node.kwargs) else (node.func, node.args)
    if isinstance(node, tuple) and node and callable(node[0]):
        return node[0], tuple(TaskRef(a) if _is_key(a) else a for a in node[1:])
    return None, ()


def _is_key(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and isinstance(value[0], str)


def _members(nodes: Any) -> Any:
    return nodes.args if isinstance(nodes, List) else nodes


def _literal(node: Any, layer: Any) -> Any:
    """The value of an argument that is written down."""
    if isinstance(node, TaskRef | Alias):
        node = layer.get(_target(node))
    if isinstance(node, DataNode):
        return node.value
    if isinstance(node, Task):
        return [_literal(a, layer) for a in node.args] if isinstance(node, List) else None
    return node


def _composed(item: slice, region: slice, n: int) -> tuple[slice, slice]:
    """The run of places that hold ``[item][region]`` of an axis of `n`, and how to take them out of it."""
    picked = range(*item.indices(n))[region]
    if not len(picked):
        return slice(0, 0), slice(None)
    low, high = min(picked[0], picked[-1]), max(picked[0], picked[-1])
    return slice(low, high + 1), slice(None, None, picked.step)


def _sliced_shape(below: Shape, items: tuple[Any, ...]) -> Shape:
    found: list[int] = []
    axes = iter(below)
    for item in items:
        if item is None:
            found.append(1)
            continue
        n = next(axes)
        if isinstance(item, slice):
            found.append(len(range(*item.indices(n))))
    return (*found, *axes)
