"""Frames of an array stored in chunks, as a source that tasks read by themselves."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io import mapping
from lazy4d.io.chunked.block import KEPT_BYTES, ChunkedBlock
from lazy4d.io.chunked.codec import ChunkCodec
from lazy4d.io.chunked.grid import ChunkGrid
from lazy4d.io.chunked.store import ChunkStore
from lazy4d.io.navigation import NavigationMap

if TYPE_CHECKING:
    from lazy4d.io.positions import PositionTable

LARGEST_SHARE = 0.25
"""A chunk of more than this share of the memory is refused: it can only be unpacked as a whole."""

BLOCK_BYTES = 64 * 2**20
"""Unpacked bytes of a block: large against the cost of a task, which unpacking dwarfs, and small against memory."""

LEAST_NARROW = 4 * 2**20
"""Unpacked bytes from which on a block is one chunk wide: smaller tasks cost more than they save."""

_AT_ONCE = 2**12


class ChunkedFrames:
    """Frames of an array in chunks: a small, immutable, picklable `FrameSource`.

    Parameters
    ----------
    grid : ChunkGrid
        Where frames stand.
    dtype : numpy.dtype
        Of the stored pixels, in any byte order.
    store : ChunkStore
        Where the chunks are.
    codec : ChunkCodec
        How they are unpacked.
    fill_value : scalar
        Pixels of chunks that were never written.
    navigation : NavigationMap or PositionTable, optional
        Scan position to frame number, counted in C order of the navigation axes; by default as they are stored.
    incomplete : str
        What becomes of invalid frames: ``"raise"``, ``"nan"`` or ``"zero"``.
    tolerant : bool
        Whether damaged chunks are invalid frames rather than errors; so they are with ``incomplete="nan"`` or
        ``"zero"``, unless `incomplete` only tells of frames known to be invalid otherwise.

    Attributes
    ----------
    nav_shape, frame_shape : tuple of int
        Navigation and frame shape, numpy order.
    dtype : numpy.dtype
        Native dtype of the frames.
    token : str
        Equal for equal pixels.
    frame_nbytes : int
        Bytes of an unpacked frame.

    Raises
    ------
    UnsupportedVariantError
        A single chunk is so large against the memory that it cannot be unpacked.
    """

    def __init__(
        self,
        grid: ChunkGrid,
        dtype: np.dtype[Any],
        store: ChunkStore,
        codec: ChunkCodec,
        fill_value: Any,
        navigation: NavigationMap | PositionTable | None = None,
        incomplete: str = "raise",
        tolerant: bool = False,
    ) -> None:
        self.grid, self.store, self.codec = grid, store, codec
        self.stored_dtype = np.dtype(dtype)
        self.dtype: np.dtype[Any] = self.stored_dtype.newbyteorder("=")
        self.fill_value = np.zeros((), self.dtype)[()] if fill_value is None else np.asarray(fill_value, self.dtype)[()]
        self.navigation = NavigationMap.raster(grid.nav_shape) if navigation is None else navigation
        self.nav_shape: tuple[int, ...] = self.navigation.nav_shape
        self.frame_shape: tuple[int, ...] = grid.frame_shape
        self.frame_nbytes: int = math.prod(self.frame_shape) * self.dtype.itemsize
        self.tolerant: bool = tolerant
        lowest, highest = self.navigation.bounds
        self.has_blanks: bool = lowest < 0 or highest >= grid.frames
        self.incomplete: str = "nan" if incomplete not in ("nan", "zero") and self.has_blanks else incomplete
        self._given = incomplete
        if self.chunk_nbytes > LARGEST_SHARE * mapping.memory_limit():
            raise UnsupportedVariantError(
                f"{store.label}: its chunks of {grid.chunk} pixels are {self.chunk_nbytes / 2**30:.1f} GiB each, too "
                f"large against {mapping.memory_limit() / 2**30:.1f} GiB of memory: a chunk is unpacked as a whole; "
                "write the file again in chunks of a few frames (h5repack -l CHUNK=… for HDF5)"
            )
        described = repr(
            (store.token, grid, self.stored_dtype.str, codec, repr(self.fill_value), self.navigation.identity,
             incomplete, tolerant)
        )  # fmt: skip
        self.token: str = hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        """Shape, dtype and place in one line."""
        return f"<ChunkedFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its few parameters; no handle, no pixel."""
        return ChunkedFrames, self._parameters(self.navigation)

    def _parameters(self, navigation: NavigationMap | PositionTable) -> tuple[Any, ...]:
        given = (self.grid, self.stored_dtype, self.store, self.codec, self.fill_value)
        return (*given, navigation, self._given, self.tolerant)

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return self.store.label

    @property
    def layout(self) -> ChunkGrid:
        """Where frames stand."""
        return self.grid

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of an unpacked chunk."""
        return self.grid.pixels * self.dtype.itemsize

    @property
    def preferred_chunks(self) -> tuple[tuple[int, ...], ...] | None:
        """Blocks that are unions of whole chunks; None where positions were selected or are in another order.

        Chunks larger than what a block keeps are shared by blocks, each of which unpacks them once.
        """
        if self.navigation.identity != NavigationMap.raster(self.grid.nav_shape).identity:
            return None
        return block_chunks(self.grid, self.frame_nbytes)

    @property
    def recorded(self) -> int:
        """Frames of the array, whatever positions are shown."""
        return self.grid.frames

    def rearranged(
        self, navigation: NavigationMap | PositionTable, incomplete: str | None = None
    ) -> ChunkedFrames:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        given = list(self._parameters(navigation))
        if incomplete in ("nan", "zero"):
            given[-2:] = [incomplete, True]
        return ChunkedFrames(*given)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> ChunkedFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D, scan order).

        See `NavigationMap.select`.
        """
        return ChunkedFrames(*self._parameters(self.navigation.select(items)))

    def drop_axes(self, axes: Sequence[int]) -> ChunkedFrames:
        """The frames without the given navigation axes of length 1."""
        return ChunkedFrames(*self._parameters(self.navigation.drop_axes(axes)))

    def damaged_frames(self) -> list[int]:
        """Frames that cannot be unpacked whole, by number in C order of the navigation axes; every chunk is read."""
        given = list(self._parameters(NavigationMap.raster(self.grid.nav_shape)))
        given[-2:] = ["zero", True]
        lenient = ChunkedFrames(*given)
        found: list[int] = []
        for start in range(0, self.grid.frames, _AT_ONCE):
            block = ChunkedBlock(lenient, np.arange(start, min(start + _AT_ONCE, self.grid.frames)))
            if block.valid is not None:
                found += (start + np.flatnonzero(~block.valid)).tolist()
            block.close()
        return found

    def pieces(self, box: Sequence[slice]) -> NDArray[np.int64] | None:
        """The chunk that holds the frame of each position of a box, -1 for blanks; None where none holds several."""
        if self.grid.frames_per_chunk == 1 or getattr(self.codec, "plain", False):
            return None
        numbers = self.navigation.numbers(box)
        here = (numbers >= 0) & (numbers < self.grid.frames)
        return np.where(here, self.grid.locate(np.where(here, numbers, 0))[0], -1)

    def open(self, box: Sequence[slice]) -> ChunkedBlock:
        """The frames of a box of positions, to be called inside the task that uses them.

        Raises
        ------
        FileNotFoundError, FormatError, TruncatedFileError
            The container changed since it was loaded.
        """
        return ChunkedBlock(self, self.navigation.numbers(box))


def block_chunks(grid: ChunkGrid, frame_nbytes: int) -> tuple[tuple[int, ...], ...]:
    """Sizes of blocks along each navigation axis, so that a block holds whole chunks and few of them at a time.

    Parameters
    ----------
    grid : ChunkGrid
        Where frames stand.
    frame_nbytes : int
        Bytes of an unpacked frame.

    Examples
    --------
    >>> blocks = block_chunks(ChunkGrid((64, 256, 256, 256), (4, 4, 256, 256), (0, 1), (2, 3)), 2**17)
    >>> blocks[0], blocks[1][:3]
    ((64,), (4, 4, 4))
    """
    if 0 in grid.nav_shape:
        raise FormatError(f"an array of shape {grid.shape} has no frames")
    from lazy4d.lazy.options import options

    each = max(1, frame_nbytes)
    limit = max(1, min(options().block_bytes, BLOCK_BYTES) // each)
    limit = min(limit, max(1, -(-grid.frames // (2 * (os.cpu_count() or 1))), 2**20 // each))
    kept = max(1, KEPT_BYTES // each)
    sizes = [min(c, n) for c, n in zip(grid.nav_chunk, grid.nav_shape, strict=True)]
    narrow = _one_chunk_wide(grid, sizes, limit)
    if narrow is not None and math.prod(narrow) * each >= LEAST_NARROW:
        return tuple(_cut(n, size, c) for n, size, c in zip(grid.nav_shape, narrow, grid.nav_chunk, strict=True))
    # A row of the block needs all chunks it runs through, until the last row of these chunks.
    first = next((axis for axis, c in enumerate(sizes) if c > 1), len(sizes))
    for axis in reversed(range(len(sizes))):
        most = min(limit, kept) if axis > first else limit
        room = most // math.prod(sizes)
        if room > 1:
            sizes[axis] = min(grid.nav_shape[axis], sizes[axis] * room)
        if sizes[axis] < grid.nav_shape[axis]:
            break
    if not grid.in_order or grid.frame_in_parts:
        for axis in range(len(sizes)):  # a block of part of a chunk, where all of its frames are too much to keep
            excess = -(-math.prod(sizes) // kept)
            if excess > 1:
                sizes[axis] = max(1, sizes[axis] // excess)
    return tuple(_cut(n, size, c) for n, size, c in zip(grid.nav_shape, sizes, grid.nav_chunk, strict=True))


def _one_chunk_wide(grid: ChunkGrid, sizes: list[int], limit: int) -> list[int] | None:
    """Sizes of blocks in which the frames of a chunk follow one another; None where a chunk is no such run anyhow.

    A row across many chunks would need all of them at hand; a column of chunks is unpacked one after the other,
    straight into tiles.
    """
    several = [axis for axis, n in enumerate(sizes) if n > 1]
    if not grid.in_order or len(several) < 2:
        return None
    narrow = list(sizes)
    for axis in reversed(range(several[0] + 1)):
        room = limit // math.prod(narrow)
        if room > 1:
            narrow[axis] = min(grid.nav_shape[axis], narrow[axis] * room)
        if narrow[axis] < grid.nav_shape[axis]:
            break
    return narrow


def _cut(length: int, size: int, chunk: int) -> tuple[int, ...]:
    """Blocks of about `size` along an axis, which begin where chunks do if they are not smaller than these."""
    if size >= chunk:
        chunks = -(-length // chunk)
        blocks = -(-chunks // max(1, size // chunk))
        edges = [min(length, round(k * chunks / blocks) * chunk) for k in range(blocks + 1)]
    else:
        pieces = -(-chunk // size)
        inner = [-(-k * chunk // pieces) for k in range(pieces)]
        edges = [start + k for start in range(0, length, chunk) for k in inner if start + k < length]
        edges.append(length)
    return tuple(b - a for a, b in pairwise(edges) if b > a)
