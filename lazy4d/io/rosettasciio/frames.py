"""Frames that a plug-in of RosettaSciIO reads, as a source that tasks open by themselves, piece by piece."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rosettasciio.opened import Recipe
from lazy4d.io.rosettasciio.plugins import translated

PIECE_BYTES = 16 << 20
"""Neighbouring chunks are read together up to so many bytes, as each reading of a dask array costs some time."""

_KEPT_BYTES = 256 << 20
"""Pieces that a block keeps, for scan rows that share pieces."""

Blocks = tuple[tuple[int, ...], ...]


def merge_blocks(blocks: Blocks, frame_nbytes: int, target: int) -> Blocks:
    """Neighbouring blocks of positions put together up to `target` bytes, along the fastest axis first.

    Parameters
    ----------
    blocks : tuple of tuple of int
        As dask writes chunks, one tuple a navigation axis.
    frame_nbytes : int
        Bytes of a frame.
    target : int
        Bytes of a block that are aimed at.

    Examples
    --------
    >>> merge_blocks(((1, 1, 1, 1), (5,)), 10, 100)
    ((2, 2), (5,))
    >>> merge_blocks(((2, 2), (1, 1, 1, 1, 1)), 10, 100)
    ((2, 2), (5,))
    """
    result = list(blocks)
    nbytes = frame_nbytes * math.prod(max(axis, default=1) for axis in blocks)
    for k in reversed(range(len(result))):
        axis = result[k]
        together = max(1, min(len(axis), target // max(1, nbytes)))
        result[k] = tuple(sum(axis[i : i + together]) for i in range(0, len(axis), together))
        nbytes *= together
        if len(result[k]) > 1:
            break
    return tuple(result)


@dataclass(frozen=True)
class Stored:
    """The frames of a data set as the plug-in gives them.

    Parameters
    ----------
    dataset : int
        Which data set of the file.
    shape : tuple of int
        Shape of its array, axes in the order of the file.
    order : tuple of int
        Axes of the file, navigation first.
    nav_ndim : int
        Number of navigation axes.
    dtype : numpy.dtype
        Native dtype.
    """

    dataset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]
    nav_ndim: int
    dtype: np.dtype[Any]

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis."""
        return tuple(self.shape[axis] for axis in self.order[: self.nav_ndim])

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(self.shape[axis] for axis in self.order[self.nav_ndim :])

    @property
    def frame_nbytes(self) -> int:
        """Bytes of a frame."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    def blocks_of(self, array: Any) -> Blocks:
        """Blocks of positions that the plug-in reads at once; all positions where it is not lazy."""
        chunks = getattr(array, "chunks", None)
        return tuple((n,) for n in self.nav_shape) if chunks is None else tuple(chunks[: self.nav_ndim])


class PluginFrames:
    """Frames of a data set that a plug-in reads: small, immutable, picklable; each process opens the file by itself.

    Parameters
    ----------
    recipe : Recipe
        How to open the file.
    stored : Stored
        The frames in it.
    blocks : tuple of tuple of int
        Positions that are read together, a tuple a navigation axis.
    navigation : NavigationMap or PositionTable
        Scan position to frame, counted in C order of the stored positions.
    incomplete : str
        What becomes of blanks.

    Attributes
    ----------
    nav_shape, frame_shape, dtype, token, incomplete, frame_nbytes
        As every `FrameSource` has them.
    """

    def __init__(
        self,
        recipe: Recipe,
        stored: Stored,
        blocks: Blocks,
        navigation: NavigationMap | PositionTable,
        incomplete: str = "raise",
    ) -> None:
        self.recipe, self.stored, self.blocks = recipe, stored, blocks
        self.navigation = navigation
        self.nav_shape: tuple[int, ...] = navigation.nav_shape
        self.frame_shape: tuple[int, ...] = stored.frame_shape
        self.dtype: np.dtype[Any] = stored.dtype
        self.frame_nbytes: int = stored.frame_nbytes
        self.tolerant: bool = incomplete in ("nan", "zero")
        lowest, highest = navigation.bounds
        blank = lowest < 0 or highest >= self.recorded
        self.incomplete: str = incomplete if self.tolerant else "nan" if blank else "raise"
        self._policy = incomplete
        described = repr((recipe, stored, navigation.identity, incomplete))
        self.token: str = hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def recorded(self) -> int:
        """Frames stored."""
        return math.prod(self.stored.nav_shape)

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return self.recipe.path

    @property
    def preferred_chunks(self) -> Blocks | None:
        """Unions of what the plug-in reads at once; None where positions were selected or arranged anew."""
        from lazy4d.lazy.options import options  # which brings dask

        whole = NavigationMap.raster(self.stored.nav_shape)
        if self.navigation.identity != whole.identity:
            return None
        return merge_blocks(self.blocks, self.frame_nbytes, options().block_bytes)

    def __repr__(self) -> str:
        """Shape, dtype and file in one line."""
        return f"<PluginFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its few parameters; no array, no handle, no pixel."""
        return PluginFrames, (self.recipe, self.stored, self.blocks, self.navigation, self._policy)

    def rearranged(self, navigation: NavigationMap | PositionTable, incomplete: str | None = None) -> PluginFrames:
        """The same frames at other positions, and with another answer to blanks where `incomplete` is given."""
        policy = self._policy if incomplete is None else incomplete
        return PluginFrames(self.recipe, self.stored, self.blocks, navigation, policy)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> PluginFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D)."""
        return self.rearranged(self.navigation.select(items))

    def drop_axes(self, axes: Sequence[int]) -> PluginFrames:
        """The frames without the given navigation axes of length 1."""
        return self.rearranged(self.navigation.drop_axes(axes))

    def pieces(self, box: Sequence[slice]) -> NDArray[np.int64] | None:
        """What the plug-in reads at once, by number, for each position of a box; -1 for blanks."""
        numbers = self.navigation.numbers(box)
        here = (numbers >= 0) & (numbers < self.recorded)
        if not self.blocks:
            return None
        places = np.unravel_index(np.where(here, numbers, 0), self.stored.nav_shape)
        grid = tuple(len(sizes) for sizes in self.blocks)
        along = [np.searchsorted(np.cumsum(sizes), at, "right") for sizes, at in zip(self.blocks, places, strict=True)]
        return np.where(here, np.ravel_multi_index(tuple(along), grid), -1)

    def open(self, box: Sequence[slice]) -> PluginBlock:
        """The frames of a box of positions, to be called inside the task that uses them.

        Raises
        ------
        FileNotFoundError, TruncatedFileError, FormatError
            The file changed since it was loaded, or the plug-in cannot read it.
        """
        self.recipe.check_unchanged()
        return PluginBlock(self, self.navigation.numbers(box))


class PluginBlock:
    """Frames of one block of `PluginFrames`, flattened in C order of the box.

    Parameters
    ----------
    source : PluginFrames
        Where the frames come from.
    numbers : ndarray of int64, shape (n,)
        Frame at every position; those that are not stored are blanks.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        False for blanks; None when there are none.
    """

    def __init__(self, source: PluginFrames, numbers: NDArray[np.int64]) -> None:
        stored = source.stored
        self._source = source
        self._array = source.recipe.array(stored.dataset, stored.shape, stored.order)
        here = (numbers >= 0) & (numbers < source.recorded)
        self.valid: NDArray[np.bool_] | None = None if here.all() else here
        edges = [np.concatenate([[0], np.cumsum(axis)]) for axis in source.blocks]
        grid = tuple(len(axis) for axis in source.blocks)
        places = np.unravel_index(np.where(here, numbers, 0), stored.nav_shape) if grid else ()
        pieces = [np.searchsorted(edge, at, side="right") - 1 for edge, at in zip(edges, places, strict=True)]
        # The piece of each frame, and where in it the frame stands, counted in C order.
        self._piece = np.zeros(numbers.shape, np.int64)
        self._inside = np.zeros(numbers.shape, np.int64)
        for edge, at, piece in zip(edges, places, pieces, strict=True):
            self._inside = self._inside * np.diff(edge)[piece] + at - edge[piece]
        if grid:
            self._piece = np.ravel_multi_index(tuple(pieces), grid).astype(np.int64)
        self._piece[~here] = -1
        self._edges, self._grid = edges, grid
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Fill ``out[: stop - start]`` with frames ``[start, stop)``, blanks with 0.

        Raises
        ------
        FormatError
            The plug-in could not read them: names file, plug-in and cause.
        """
        piece = self._piece[start:stop]
        edges = np.concatenate([[0], np.flatnonzero(np.diff(piece)) + 1, [stop - start]]).tolist()
        for a, b in pairwise(edges):
            target = out[a:b]
            if piece[a] < 0:
                target[...] = 0
                continue
            frames, inside = self._frames(int(piece[a])), self._inside[start + a : start + b]
            first = int(inside[0])
            run = bool((np.diff(inside) == 1).all())
            chosen: Any = slice(first, first + b - a) if run else inside
            cut = (slice(None), *window)
            np.copyto(target[cut], frames[chosen][cut])

    def _frames(self, piece: int) -> NDArray[Any]:
        """The frames of one piece, ``[frames, *frame_shape]``."""
        kept = self._kept.get(piece)
        if kept is not None:
            self._kept.move_to_end(piece)
            return kept
        index = np.unravel_index(piece, self._grid) if self._grid else ()
        box = tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(self._edges, index, strict=True))
        part = self._array[box]
        try:
            # One thread: the tasks around this one already keep every core busy.
            pixels = part.compute(scheduler="synchronous") if hasattr(part, "compute") else part
        except Exception as error:
            raise translated(error, self._source.recipe.plugin, self._source.recipe.path) from error
        frames = np.ascontiguousarray(pixels).reshape(-1, *self._source.frame_shape)
        held = sum(each.nbytes for each in self._kept.values()) + frames.nbytes
        while self._kept and held > _KEPT_BYTES:
            held -= self._kept.popitem(last=False)[1].nbytes
        self._kept[piece] = frames
        return frames

    def close(self) -> None:
        """Let go of what was read."""
        self._kept.clear()
