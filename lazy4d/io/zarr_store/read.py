"""Frames of a store as a source that tasks read by themselves: inner chunks are unpacked straight into tiles."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io import mapping
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.zarr_store.array_document import DATA, VALID
from lazy4d.io.zarr_store.codec import Codec
from lazy4d.io.zarr_store.document import NAME
from lazy4d.io.zarr_store.layout import ShardLayout, regular_chunks
from lazy4d.io.zarr_store.shards import ShardFile
from lazy4d.io.zarr_store.validity import read_validity

KEPT_BYTES = 16 * 2**20
"""Unpacked inner chunks that a block keeps, for boxes whose rows share chunks."""

MOST_OPEN = 32
"""Shards that a block keeps open."""


class ZarrFrames:
    """Frames of a store that lazy4d wrote: small, immutable, picklable.

    Parameters
    ----------
    folder : str
        Absolute path of the store.
    state : tuple of int
        Size and modification time of its ``zarr.json`` at load: a store that is saved anew is noticed.
    layout : ShardLayout
        Where frames stand.
    codec : Codec
        How inner chunks are packed.
    frame_shape : tuple of int
        Shape of a frame; empty for a map of numbers.
    navigation : NavigationMap
        Scan position to position in the array.
    incomplete : str
        What becomes of invalid frames.
    tolerant : bool
        Whether missing and damaged shards are invalid frames; otherwise they are errors.
    with_validity : bool
        Whether the store records invalid frames.

    Attributes
    ----------
    nav_shape, dtype, token, frame_nbytes
        As every `FrameSource` has them.
    """

    def __init__(
        self,
        folder: str,
        state: tuple[int, int],
        layout: ShardLayout,
        codec: Codec,
        frame_shape: tuple[int, ...],
        navigation: NavigationMap,
        incomplete: str,
        tolerant: bool,
        with_validity: bool,
    ) -> None:
        self.folder, self.state = folder, state
        self.layout, self.codec = layout, codec
        self.frame_shape = frame_shape
        self.navigation = navigation
        self.tolerant, self.with_validity = tolerant, with_validity
        self.nav_shape: tuple[int, ...] = navigation.nav_shape
        self.dtype: np.dtype[Any] = layout.dtype.newbyteorder("=")
        self.frame_nbytes: int = int(np.prod(frame_shape, dtype=np.int64)) * self.dtype.itemsize
        lowest, highest = navigation.bounds
        self.has_blanks = lowest < 0 or highest >= layout.frames
        self.incomplete = "nan" if incomplete == "raise" and self.has_blanks else incomplete
        self._given = incomplete
        described = repr((folder, state, navigation.identity, incomplete, tolerant))
        self.token: str = hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        """Shape, dtype and folder in one line."""
        return f"<ZarrFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.folder}>"

    def _parameters(self, navigation: NavigationMap) -> tuple[Any, ...]:
        return (
            self.folder, self.state, self.layout, self.codec, self.frame_shape, navigation, self._given, self.tolerant,
            self.with_validity,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its few parameters; no handle, no pixel."""
        return ZarrFrames, self._parameters(self.navigation)

    @property
    def preferred_chunks(self) -> tuple[tuple[int, ...], ...] | None:
        """Blocks that are shards, a tuple a navigation axis; None where positions were selected or shifted."""
        whole = NavigationMap.raster(self.layout.nav_shape)
        if self.navigation.identity != whole.identity:
            return None
        return tuple(regular_chunks(n, s) for n, s in zip(self.nav_shape, self.layout.nav_shard, strict=True))

    @property
    def recorded(self) -> int:
        """Frames of the store, whatever positions are shown."""
        return self.layout.frames

    def rearranged(self, navigation: NavigationMap, incomplete: str | None = None) -> ZarrFrames:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        given = list(self._parameters(navigation))
        if incomplete in ("nan", "zero"):
            given[6:8] = [incomplete, True]
        return ZarrFrames(*given)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> ZarrFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D, scan order).

        See `NavigationMap.select`.
        """
        return ZarrFrames(*self._parameters(self.navigation.select(items)))

    def drop_axes(self, axes: Sequence[int]) -> ZarrFrames:
        """The frames without the given navigation axes of length 1."""
        return ZarrFrames(*self._parameters(self.navigation.drop_axes(axes)))

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return self.folder

    def damaged_frames(self) -> list[int]:
        """Frames that are missing or fail their checksum, by number in the flattened scan; every shard is read once."""
        state = (self.folder, self.state, self.layout, self.codec, self.frame_shape)
        lenient = ZarrFrames(*state, NavigationMap.raster(self.layout.nav_shape), "zero", True, False)
        found: list[int] = []
        for start in range(0, self.layout.frames, 2**14):
            block = ZarrBlock(lenient, np.arange(start, min(start + 2**14, self.layout.frames)))
            if block.valid is not None:
                found += (start + np.flatnonzero(~block.valid)).tolist()
            block.close()
        return found

    def pieces(self, box: Sequence[slice]) -> NDArray[np.int64] | None:
        """The chunk that holds the frame of each position of a box, -1 for blanks; None where none holds several."""
        if self.layout.frames_per_chunk == 1:
            return None
        numbers = self.navigation.numbers(box)
        here = (numbers >= 0) & (numbers < self.layout.frames)
        shard, chunk, _ = self.layout.locate(np.where(here, numbers, 0))
        return np.where(here, shard * self.layout.chunks_per_shard + chunk, -1)

    def open(self, box: Sequence[slice]) -> ZarrBlock:
        """The frames of a box of positions, to be called inside the task that uses them.

        Raises
        ------
        FileNotFoundError, FormatError, TruncatedFileError
            The store changed since it was loaded, or a file of it is damaged.
        """
        return ZarrBlock(self, self.navigation.numbers(box))


class ZarrBlock:
    """Frames of one block of `ZarrFrames`, flattened in C order of the box.

    Parameters
    ----------
    source : ZarrFrames
        Where the frames come from.
    numbers : ndarray of int64, shape (n,)
        Position in the flattened array of every frame; those outside it are blanks.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        False for blanks, for frames recorded as invalid and, where that is tolerated, for missing or damaged ones;
        None when all are valid.
    """

    def __init__(self, source: ZarrFrames, numbers: NDArray[np.int64]) -> None:
        self._source, self._layout = source, source.layout
        self._numbers = numbers
        self._open: OrderedDict[int, ShardFile] = OrderedDict()
        self._kept: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._most_kept = max(2, KEPT_BYTES // max(1, self._layout.chunk_nbytes))
        size, mtime = source.state
        mapping.check_unchanged(os.path.join(source.folder, NAME), size, mtime)
        self.valid: NDArray[np.bool_] | None = None
        self._readable: NDArray[np.bool_] | None = None  # frames that are there; invalid ones among them are as saved
        try:
            if source.has_blanks:
                self._readable = (numbers >= 0) & (numbers < self._layout.frames)
                if self._readable.all():
                    self._readable = None
            if source.tolerant:
                self._mark_damaged()
            if source.with_validity:
                self._mark_invalid()
            elif self._readable is not None:
                self.valid = self._readable
        except BaseException:
            self.close()
            raise

    def _pieces(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Index in the block, shard and first chunk of the frames that are there, a piece of the block at a time."""
        found = []
        for start in range(0, len(self._numbers), 2**16):
            numbers = self._numbers[start : start + 2**16]
            index = np.arange(start, start + len(numbers))
            if self._readable is not None:
                there = self._readable[start : start + 2**16]
                numbers, index = numbers[there], index[there]
            shard, chunk, _ = self._layout.locate(numbers)
            found.append((index, shard, chunk))
        return found

    def _mark_damaged(self) -> None:
        """Frames of missing or damaged shards and chunks become unreadable."""
        readable = np.ones(len(self._numbers), bool) if self._readable is None else self._readable
        parts = len(self._layout.parts)
        for index, shard, chunk in self._pieces():
            for owner in np.unique(shard).tolist():
                mine = shard == owner
                try:
                    opened = self._shard(owner)
                except (FileNotFoundError, FormatError, TruncatedFileError):
                    readable[index[mine]] = False
                    continue
                for first in np.unique(chunk[mine]).tolist():
                    if not all(opened.is_sound(k) for k in range(first, first + parts)):
                        readable[index[mine & (chunk == first)]] = False
        self._readable = None if readable.all() else readable

    def _mark_invalid(self) -> None:
        """Frames that the store records as invalid."""
        valid = np.ones(len(self._numbers), bool) if self._readable is None else self._readable.copy()
        folder = os.path.join(self._source.folder, VALID)
        for index, shard, _ in self._pieces():
            for owner in np.unique(shard).tolist():
                mine = index[shard == owner]
                place = self._layout.place_in_shard(self._numbers[mine])
                try:
                    valid[mine] &= read_validity(folder, self._layout, owner).reshape(-1)[place]
                except (FormatError, TruncatedFileError):
                    if not self._source.tolerant:
                        raise
                    valid[mine] = False
        self.valid = None if valid.all() else valid

    # ---- reading

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Unpack frames ``[start, stop)`` of the block.

        Parameters
        ----------
        start, stop : int
            Frames of the block, flattened.
        out : ndarray, shape (>= stop - start, *frame_shape), C-contiguous, native
            Filled; with 0 where a frame is not there, and with what was saved where it was saved as invalid.
        window : tuple of slice, optional
            The pixels that are needed; the others may be left as they are.

        Raises
        ------
        FormatError, TruncatedFileError
            A shard is missing or damaged: names the file, the byte and the positions.
        """
        layout = self._layout
        frames = out[: stop - start].reshape(stop - start, *layout.frame_shape)
        readable = None if self._readable is None else self._readable[start:stop]
        numbers = self._numbers[start:stop]
        if readable is not None and not readable.all():
            frames[~readable] = 0
            numbers = np.where(readable, numbers, 0)
        shard, chunk, slot = layout.locate(numbers)
        if readable is not None:
            shard[~readable] = -1
        breaks = np.flatnonzero((np.diff(shard) != 0) | (np.diff(chunk) != 0)) + 1
        edges = [0, *breaks.tolist(), len(numbers)]
        pixels = window or tuple(slice(None) for _ in layout.frame_shape)
        for a, b in pairwise(edges):
            if b == a or shard[a] < 0:
                continue
            try:
                if len(layout.parts) > 1:
                    for k in range(a, b):
                        self._read_parts(int(shard[k]), int(chunk[k]), frames[k], pixels)
                else:
                    self._read_run(int(shard[a]), int(chunk[a]), slot[a:b], frames[a:b], pixels)
            except (FormatError, TruncatedFileError, FileNotFoundError) as error:
                raise self._placed(error, int(numbers[a]), int(shard[a])) from error

    def _read_run(
        self, shard: int, chunk: int, slot: NDArray[np.int64], out: NDArray[Any], window: tuple[slice, ...]
    ) -> None:
        """Frames of one inner chunk, in any order."""
        layout = self._layout
        ascending = len(slot) == 1 or bool((np.diff(slot) == 1).all())
        direct = ascending and len(slot) == layout.frames_per_chunk and layout.dtype.isnative
        if direct and (shard, chunk) not in self._kept:
            self._shard(shard).decode(chunk, self._source.codec, out)
            return
        unpacked = self._unpacked(shard, chunk).reshape(-1, *layout.frame_shape)
        first = int(slot[0])
        picked = unpacked[first : first + len(slot)] if ascending else unpacked[slot]
        inside = (slice(None), *window)
        np.copyto(out[inside], picked[inside])

    def _read_parts(self, shard: int, chunk: int, out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """One frame that is stored in several chunks; those outside the window are left out."""
        layout, flat = self._layout, out.reshape(-1)
        for k, part in enumerate(layout.parts):
            if not all(_meet(box, cut, n) for box, cut, n in zip(part.box, window, layout.frame_shape, strict=True)):
                continue
            target = flat[part.start : part.stop]
            if target.size == layout.chunk_pixels and layout.dtype.isnative and (shard, chunk + k) not in self._kept:
                self._shard(shard).decode(chunk + k, self._source.codec, target)
            else:
                np.copyto(target, self._unpacked(shard, chunk + k)[: target.size])

    def _unpacked(self, shard: int, chunk: int) -> NDArray[Any]:
        """All pixels of a chunk, kept for a while, since the next tile or row may need it again."""
        key = (shard, chunk)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if len(self._kept) >= self._most_kept:
            _, buffer = self._kept.popitem(last=False)
        else:
            buffer = np.empty(self._layout.chunk_pixels, self._layout.dtype)
        self._shard(shard).decode(chunk, self._source.codec, buffer)
        self._kept[key] = buffer
        return buffer

    def _shard(self, shard: int) -> ShardFile:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        path = os.path.join(self._source.folder, DATA, self._layout.shard_key(shard))
        opened = ShardFile(path, self._layout.chunks_per_shard)
        self._open[shard] = opened
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return opened

    def _placed(self, error: Exception, number: int, shard: int) -> Exception:
        """The error with the positions that it concerns."""
        layout = self._layout
        at = tuple(int(k) for k in np.unravel_index(number, layout.nav_shape)) if layout.nav_shape else ()
        box = ", ".join(f"{s.start}:{s.stop}" for s in layout.shard_box(shard))
        where = f"position {at} (numpy order) of the shard of positions [{box}]"
        if isinstance(error, FileNotFoundError):
            return FormatError(
                f"{error.filename}: this shard was there when the store was loaded and is gone, expected {where}. "
                "Restore it from a copy, save again, or load with incomplete='nan' or 'zero'"
            )
        return type(error)(f"{error}; at {where}")

    def close(self) -> None:
        """Close all files and drop what was unpacked."""
        for opened in self._open.values():
            with suppress(OSError):
                opened.close()
        self._open.clear()
        self._kept.clear()


def _meet(box: slice, window: slice, size: int) -> bool:
    start, stop, _ = window.indices(size)
    return start < box.stop and box.start < stop
