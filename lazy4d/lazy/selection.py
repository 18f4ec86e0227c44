"""Frames that stand in an array, and selections of positions of arrays."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from lazy4d.lazy.chunks import NavChunks, auto_chunks, bounds


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Frames of a dask array whose blocks hold whole frames.

    `valid` says which positions are undamaged (None: all); `plain` is the array in memory, where there is one.
    """

    array: da.Array
    nav_ndim: int
    valid: da.Array | None
    incomplete: str
    token: str
    plain: NDArray[Any] | None = None

    @classmethod
    def from_dask(cls, array: da.Array, nav_ndim: int, valid: da.Array | None, incomplete: str) -> ArraySource:
        """A dask array as it is; the same array with another validity is another source."""
        token = array.name
        if valid is not None or incomplete != "raise":
            token = str(tokenize(array.name, None if valid is None else valid.name, incomplete))
        return cls(array, nav_ndim, valid, incomplete, token)

    @classmethod
    def from_numpy(
        cls,
        plain: NDArray[Any],
        nav_ndim: int,
        blocks: NavChunks,
        valid: da.Array | None,
        incomplete: str,
        token: str,
    ) -> ArraySource:
        """Views of an array in memory as blocks; `token` names it, because hashing its content would cost a pass."""
        return cls(_views(plain, nav_ndim, blocks, token), nav_ndim, valid, incomplete, token, plain)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis."""
        return tuple(self.array.shape[: self.nav_ndim])

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(self.array.shape[self.nav_ndim :])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of a frame."""
        return np.dtype(self.array.dtype).newbyteorder("=")

    @property
    def chunks(self) -> NavChunks:
        """Blocks of positions."""
        return tuple(self.array.chunks[: self.nav_ndim])

    @cached_property
    def frame_nbytes(self) -> int:
        """Bytes of one frame."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    def select(self, selection: tuple[Any, ...], dropped: tuple[int, ...]) -> ArraySource:
        """The frames at some positions; an array in memory stays a view where numpy can give one."""
        valid = None if self.valid is None else select_array(self.valid, selection, dropped)
        if self.plain is not None:
            chosen = select_array(self.plain, selection, dropped)
            nav_ndim = chosen.ndim - (self.plain.ndim - self.nav_ndim)
            blocks = auto_chunks(chosen.shape[:nav_ndim], self.frame_nbytes)
            token = f"{self.token}-{_selection_token(selection, dropped)}"
            aligned = None if valid is None else valid.rechunk(blocks)
            return ArraySource.from_numpy(chosen, nav_ndim, blocks, aligned, self.incomplete, token)
        array = select_array(self.array, selection, dropped)
        nav_ndim = array.ndim - len(self.frame_shape)
        return ArraySource.from_dask(array, nav_ndim, valid, self.incomplete)

    def rechunk(self, blocks: NavChunks) -> ArraySource:
        """The same frames in other blocks."""
        valid = None if self.valid is None else self.valid.rechunk(blocks)
        if self.plain is not None:
            return ArraySource.from_numpy(self.plain, self.nav_ndim, blocks, valid, self.incomplete, self.token)
        array = self.array.rechunk((*blocks, *((n,) for n in self.frame_shape)))
        return ArraySource.from_dask(array, self.nav_ndim, valid, self.incomplete)


def _views(plain: NDArray[Any], nav_ndim: int, blocks: NavChunks, token: str) -> da.Array:
    """A dask array whose blocks are views of `plain`, never copies."""
    name = f"array-{tokenize(token, blocks)}"
    signal = plain.ndim - nav_ndim
    edges = [bounds(b) for b in blocks]
    layer: dict[Any, Any] = {}
    for block in np.ndindex(*(len(b) for b in blocks)):
        box = tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, block, strict=True))
        layer[(name, *block, *(0,) * signal)] = plain[box]
    chunks = blocks + tuple((n,) for n in plain.shape[nav_ndim:])
    graph = HighLevelGraph.from_collections(name, layer, dependencies=())
    return da.Array(graph, name, chunks, meta=np.empty((0,) * plain.ndim, plain.dtype.newbyteorder("=")))


def _selection_token(selection: tuple[Any, ...], dropped: tuple[int, ...]) -> str:
    return str(tokenize(selection, dropped))


def select_array(array: Any, selection: tuple[Any, ...], dropped: tuple[int, ...]) -> Any:
    """``array[selection]`` over leading axes, without `dropped` ones; one boolean mask gives one axis in scan order."""
    if len(selection) == 1 and isinstance(selection[0], np.ndarray):
        mask = selection[0]
        flat = array.reshape((mask.size, *array.shape[mask.ndim :]))
        return flat[np.flatnonzero(mask)]
    index: list[Any] = [0 if k in dropped else item for k, item in enumerate(selection)]
    for k in dropped:
        index[k] = selection[k].start
    return array[tuple(index)]


def normalize_items(items: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[slice | int, ...]:
    """Each item as a non-negative int or a slice with explicit bounds; missing trailing items mean all.

    Raises
    ------
    IndexError
        An index outside its axis, naming the axis range.
    ValueError
        More items than axes.
    """
    if len(items) > len(shape):
        raise ValueError(f"{len(items)} items were given for {len(shape)} axes of shape {shape}")
    result: list[slice | int] = []
    for item, size in zip((*items, *(slice(None),) * (len(shape) - len(items))), shape, strict=True):
        if isinstance(item, slice):
            start, stop, step = item.indices(size)
            result.append(slice(start, None if stop < 0 else stop, step))
        else:
            index = operator.index(item)
            if not -size <= index < size:
                raise IndexError(f"index {index} is outside an axis of {size}: expected {-size} to {size - 1}")
            result.append(index % size)
    return tuple(result)
