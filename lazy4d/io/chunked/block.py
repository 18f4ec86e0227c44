"""The frames of one block of an array in chunks: each chunk unpacked once, straight into the tile where it fits."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import cached_property
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, Lazy4DError, MissingCodecError
from lazy4d.io import mapping
from lazy4d.io.chunked.store import Mapped, OpenChunks

if TYPE_CHECKING:
    from lazy4d.io.chunked.frames import ChunkedFrames
    from lazy4d.io.chunked.grid import ChunkGrid

KEPT_BYTES = 64 * 2**20
"""Unpacked frames that a block keeps, for tiles that begin or end within a chunk and rows that share chunks."""

_Part = tuple[int, ...]


class KeptFrames:
    """Frames of one chunk of positions, as far as a block needs them.

    Parameters
    ----------
    pixels : ndarray, shape (frames, *frame_shape)
        Native.
    rows : ndarray of int64 or None
        Row of `pixels` for every place in the chunk; None: they are the same.
    """

    def __init__(self, pixels: NDArray[Any], rows: NDArray[np.int64] | None) -> None:
        self.pixels, self.rows = pixels, rows
        self.parts: set[_Part] = set()


class ChunkedBlock:
    """Frames of one block of `ChunkedFrames`, flattened in C order of the box.

    Parameters
    ----------
    source : ChunkedFrames
        Where the frames come from.
    numbers : ndarray of int64, shape (n,)
        Number of the frame at every position of the block; those outside the array are blanks.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        False for blanks and, where that is tolerated, for frames of damaged chunks; None when all are valid.
    """

    def __init__(self, source: ChunkedFrames, numbers: NDArray[np.int64]) -> None:
        self._source = source
        self._grid: ChunkGrid = source.grid
        self._kept: OrderedDict[int, KeptFrames] = OrderedDict()
        self._kept_nbytes = 0
        self._scratch: NDArray[Any] | None = None
        self._whole_frames = self._grid.in_order
        self._first: _Part = (0,) * len(self._grid.signal_axes)
        readable = None
        if source.has_blanks:
            inside = (numbers >= 0) & (numbers < self._grid.frames)
            if not inside.all():
                readable, numbers = inside, np.where(inside, numbers, 0)
        self._numbers = numbers
        self._chunk, self._place = self._grid.locate(numbers)
        if readable is not None:
            self._chunk = np.where(readable, self._chunk, -1)
        self._used: tuple[Any, int, int] = (None, 2**63 - 1, 0)  # memory map, and the bytes of it that were unpacked
        self._opened: OpenChunks = source.store.open()
        plain = self._whole_frames and getattr(source.codec, "plain", False)
        self._look = getattr(self._opened, "look", None) if plain else None
        alone = self._whole_frames and self._grid.frames_per_chunk == 1 and source.stored_dtype.isnative
        self._unpack_many = getattr(source.codec, "unpack_many", None) if alone else None
        self._places = getattr(self._opened, "places", None) if self._unpack_many is not None else None
        self._looked: dict[int, tuple[NDArray[Any], Mapped] | None] = {}
        try:
            if source.tolerant:
                self._mark_damaged()
        except BaseException:
            self.close()
            raise
        readable = self._chunk >= 0
        self.valid: NDArray[np.bool_] | None = None if readable.all() else readable

    def _mark_damaged(self) -> None:
        """Frames of chunks that cannot be unpacked become blanks."""
        for chunk in np.unique(self._chunk[self._chunk >= 0]).tolist():
            try:
                damaged = not self._sound(chunk)
            except MissingCodecError:
                raise
            except (Lazy4DError, OSError):
                damaged = True
            if damaged:
                self._drop(chunk)
                self._chunk = np.where(self._chunk == chunk, -1, self._chunk)

    def _sound(self, chunk: int) -> bool:
        """Whether all parts of a chunk of positions are there and unpack."""
        if getattr(self._source.store, "absent_is_damage", False):
            for part in self._parts(()):
                if self._opened.fetch(self._grid.index(chunk, part)) is None:
                    return False
        if self._look is None or self._seen(chunk) is None:
            self._keep(chunk, ())
        return True

    @cached_property
    def together(self) -> int:
        """Frames that are unpacked at once where all chunks are runs of so many, else 1: tiles are best multiples."""
        count = self._grid.frames_per_chunk
        ends = np.flatnonzero(self._chunk[1:] != self._chunk[:-1]) + 1
        runs = np.diff(np.concatenate([[0], ends, [self._chunk.size]]))
        return count if self._grid.in_order and self._chunk.size and bool((runs == count).all()) else 1

    # ---- reading

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Unpack frames ``[start, stop)`` of the block.

        Parameters
        ----------
        start, stop : int
            Frames of the block, flattened.
        out : ndarray, shape (>= stop - start, *frame_shape), C-contiguous, native
            Filled; invalid frames with 0.
        window : tuple of slice, optional
            The pixels that are needed; the others may be left as they are.

        Raises
        ------
        FormatError, TruncatedFileError
            A chunk is damaged: names the file, the chunk and its positions.
        """
        frames = out[: stop - start]
        chunk, place = self._chunk[start:stop], self._place[start:stop]
        done = self._read_many(chunk, frames) if self._places is not None else 0
        if done:
            chunk, place, frames = chunk[done:], place[done:], frames[done:]
        edges = [0, *(np.flatnonzero(chunk[1:] != chunk[:-1]) + 1).tolist(), len(chunk)]
        for a, b in pairwise(edges):
            if a == b:
                continue
            owner = int(chunk[a])
            if owner < 0:
                frames[a:b] = 0
            elif self._look is not None and (seen := self._seen(owner)) is not None:
                _pick(seen, place[a:b], frames[a:b], window)
            elif owner not in self._kept and self._direct(owner, place[a:b]):
                self._fill(owner, frames[a:b], window)
            else:
                self._copy(owner, place[a:b], frames[a:b], window)

    def _read_many(self, chunk: NDArray[np.int64], frames: NDArray[Any]) -> int:
        """Frames at the start that were unpacked in one call, each a chunk; what stopped it is told by another try."""
        if self._places is None or self._unpack_many is None or not chunk.size or int(chunk.min()) < 0:
            return 0
        found = self._places(chunk)
        if found is None:
            return 0
        memory = np.frombuffer(found.memory, np.uint8)
        pixels = frames.reshape(len(frames), -1).view(np.uint8)
        done: int = self._unpack_many(memory, found.starts, found.sizes, pixels)
        last = found.starts + found.sizes
        self._used = found.memory, min(self._used[1], int(found.starts.min())), max(self._used[2], int(last.max()))
        return done

    def _direct(self, chunk: int, place: NDArray[np.int64]) -> bool:
        """Whether these are all frames of a chunk in their order, so that they need no copy."""
        grid = self._grid
        if place.size != grid.frames_per_chunk:
            return False
        if place.size == 1:
            return True
        return grid.in_order and place[0] == 0 and bool((np.diff(place) == 1).all())

    def _fill(self, chunk: int, frames: NDArray[Any], window: tuple[slice, ...]) -> None:
        """All frames of a chunk, into where they are wanted."""
        if self._whole_frames:
            self._unpack(chunk, self._first, frames.reshape(-1))
            return
        for part in self._parts(window):
            self._unpack_part(chunk, part, frames, None)

    def _copy(self, chunk: int, place: NDArray[np.int64], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Some frames of a chunk, from those that are kept."""
        kept = self._keep(chunk, window)
        _pick(kept.pixels, place if kept.rows is None else kept.rows[place], out, window)

    def _seen(self, chunk: int) -> NDArray[Any] | None:
        """The frames of a chunk where they are stored; None where that cannot be: then it is read, or told why not."""
        if chunk not in self._looked:
            mapped = self._look(self._grid.index(chunk, self._first)) if self._look is not None else None
            self._looked[chunk] = None
            if mapped is not None and mapped.nbytes == self._source.chunk_nbytes:
                shape = (self._grid.frames_per_chunk, *self._grid.frame_shape)
                view = np.ndarray(shape, self._source.stored_dtype, mapped.memory, mapped.start)
                self._looked[chunk] = view, mapped
        known = self._looked[chunk]
        return None if known is None else known[0]

    # ---- unpacking

    def _keep(self, chunk: int, window: tuple[slice, ...]) -> KeptFrames:
        """The frames of a chunk that this block needs, unpacked now where they are not yet."""
        grid = self._grid
        kept = self._kept.get(chunk)
        if kept is not None:
            self._kept.move_to_end(chunk)
            if grid.in_order:
                return kept
        else:
            kept = self._new(chunk)
        missing = [part for part in self._parts(window) if part not in kept.parts]
        for part in missing:
            if grid.in_order:
                self._unpack(chunk, part, kept.pixels.reshape(-1))
            else:
                self._unpack_part(chunk, part, kept.pixels, kept.rows)
            kept.parts.add(part)
        return kept

    def _new(self, chunk: int) -> KeptFrames:
        """Room for the frames of a chunk; the chunks that were used longest ago make it."""
        grid = self._grid
        rows = None
        count = grid.frames_per_chunk
        if not grid.in_order:
            needed = np.unique(self._place[self._chunk == chunk])
            count = needed.size
            rows = np.full(grid.frames_per_chunk, -1, np.int64)
            rows[needed] = np.arange(count)
        nbytes = count * self._source.frame_nbytes
        shape = (count, *grid.frame_shape)
        pixels = None
        while self._kept and self._kept_nbytes + nbytes > KEPT_BYTES:
            oldest, dropped = next(iter(self._kept.items()))
            self._drop(oldest)
            if dropped.pixels.shape == shape:
                pixels = dropped.pixels
        self._kept[chunk] = KeptFrames(np.empty(shape, self._source.dtype) if pixels is None else pixels, rows)
        self._kept_nbytes += nbytes
        return self._kept[chunk]

    def _drop(self, chunk: int) -> None:
        dropped = self._kept.pop(chunk, None)
        if dropped is not None:
            self._kept_nbytes -= dropped.pixels.nbytes

    def _parts(self, window: tuple[slice, ...]) -> list[_Part]:
        """The parts of a frame, as it is cut into chunks, that meet a window; an empty one meets all."""
        grid = self._grid
        ranges = []
        for axis, (n, c, count) in enumerate(zip(grid.frame_shape, grid.frame_chunk, grid.frame_counts, strict=True)):
            if not window:
                ranges.append(range(count))
                continue
            start, stop, _ = window[axis].indices(n)
            ranges.append(range(start // c, -(-stop // c)) if stop > start else range(0))
        return list(product(*ranges))

    def _unpack_part(self, chunk: int, part: _Part, frames: NDArray[Any], rows: NDArray[np.int64] | None) -> None:
        """A part of frames of a chunk, where the array is stored in another order or a frame in several chunks."""
        grid = self._grid
        box = [slice(k * c, min((k + 1) * c, n)) for k, c, n in
               zip(part, grid.frame_chunk, grid.frame_shape, strict=True)]  # fmt: skip
        target = frames[(slice(None), *box)]
        if len(frames) == 1 and target.size == grid.pixels and target.flags.c_contiguous and _ascending(grid):
            self._unpack(chunk, part, target.reshape(-1))
            return
        if self._scratch is None:
            self._scratch = np.empty(grid.chunk, self._source.dtype)
        self._unpack(chunk, part, self._scratch.reshape(-1))
        ordered = self._scratch.transpose(*grid.nav_axes, *grid.signal_axes)
        size = tuple(slice(0, s.stop - s.start) for s in box)
        if rows is None:
            places = np.arange(len(frames))
        else:
            places = np.flatnonzero(rows >= 0)
        nav_ndim = len(grid.nav_axes)
        if nav_ndim == 0:
            target[0] = ordered[size]
            return
        if places.size == grid.frames_per_chunk and grid.nav_axes == tuple(range(nav_ndim)):
            np.copyto(target, ordered.reshape(-1, *ordered.shape[nav_ndim:])[(slice(None), *size)])
            return
        index = np.unravel_index(places, grid.nav_chunk)
        for row, at in enumerate(zip(*(k.tolist() for k in index), strict=True)):
            target[row] = ordered[at][size]

    def _unpack(self, chunk: int, part: _Part, out: NDArray[Any]) -> None:
        """One chunk as it is stored, all of it, into a flat native array."""
        source, index = self._source, self._grid.index(chunk, part)
        packed = self._opened.fetch(index)
        if packed is None:
            out[...] = source.fill_value
            return
        stored = out.view(source.stored_dtype).reshape(self._grid.chunk)
        try:
            source.codec.decode(packed, stored)
        except (ValueError, RuntimeError) as error:
            if isinstance(error, Lazy4DError):
                raise
            raise FormatError(self._told(index, chunk, error)) from error
        if not source.stored_dtype.isnative:
            stored.byteswap(inplace=True)

    def _told(self, index: tuple[int, ...], chunk: int, error: Exception) -> str:
        where = getattr(self._opened, "where", None)
        place = where(index) if where is not None else self._source.label
        grid = self._grid
        first = [k * c for k, c in zip(np.unravel_index(chunk, grid.nav_counts), grid.nav_chunk, strict=True)] if (
            grid.nav_counts
        ) else []
        at = ", ".join(f"{int(f)}:{min(int(f) + c, n)}" for f, c, n in
                       zip(first, grid.nav_chunk, grid.nav_shape, strict=True))  # fmt: skip
        return (
            f"{place}: the chunk at {index} of the grid {grid.counts}, with {math.prod(grid.nav_chunk)} frames of "
            f"positions [{at}] (numpy order), cannot be unpacked: {error}. Restore the file from a copy, or load with "
            "incomplete='nan' or 'zero' to mark such frames invalid; audit() finds all of them"
        )

    def close(self) -> None:
        """Close the container, drop what was unpacked and, of large arrays, release pages that were looked at."""
        source = self._source
        if self._used[0] is not None and mapping.should_release(len(self._used[0])):
            mapping.release_pages(*self._used)
        self._used = (None, 0, 0)
        if self._looked and mapping.should_release(source.grid.frames * source.frame_nbytes):
            for known in self._looked.values():
                if known is not None:
                    mapping.release_pages(known[1].memory, known[1].start, known[1].start + known[1].nbytes)
        self._looked = {}
        self._kept.clear()
        self._kept_nbytes = 0
        self._scratch = None
        self._opened.close()


def _ascending(grid: ChunkGrid) -> bool:
    """Whether the axes of a frame are stored in their order, so that a chunk of one frame is an array of its part."""
    return tuple(sorted(grid.signal_axes)) == grid.signal_axes


def _pick(frames: NDArray[Any], rows: NDArray[np.int64], out: NDArray[Any], window: tuple[slice, ...]) -> None:
    """Copy some frames, in one piece where they follow one another."""
    first = int(rows[0])
    in_order = rows.size == 1 or bool((np.diff(rows) == 1).all())
    picked = frames[first : first + rows.size] if in_order else frames[rows]
    inside = (slice(None), *window)
    np.copyto(out[inside], picked[inside])
