"""The frames of one block inside a task: file and record headers checked, pixels decoded tile by tile."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io import mapping

if TYPE_CHECKING:
    from lazy4d.io.rawframes import RawFrames, RecordLayout

_VERIFIED_AHEAD = 1024  # records whose headers are verified at once while frames are read in order
_SCATTERED = 8  # runs in one tile from which a gather is quicker than a copy a run
_LARGE_FILE = 64 << 20  # files of a long series are mapped only from this size on


class RawBlock:
    """Frames of one block of `RawFrames`, flattened in C order of the box.

    Parameters
    ----------
    source : RawFrames
        Where the frames come from.
    numbers : ndarray of int64, shape (n,)
        Frame number of every position of the block; numbers of frames that are not stored are blanks.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        False for blanks and, where damage is tolerated, for frames whose record failed its check; None when all are
        valid.

    Raises
    ------
    FileNotFoundError, TruncatedFileError, FormatError
        A file of this block changed since it was loaded.
    """

    def __init__(self, source: RawFrames, numbers: NDArray[np.int64]) -> None:
        self._source = source
        self._numbers = numbers
        self._owners, self._records = source.files.locate(numbers)
        self._fd: tuple[int, int] | None = None
        self._scratch = np.empty(0, np.uint8)
        self._views: dict[int, tuple[mmap.mmap, NDArray[Any]]] = {}
        self._maps = source.io == "mmap"
        self._verified = (0, 0)
        used = np.unique(self._owners)
        self._used = used[used >= 0]
        for owner in self._used.tolist():
            size, mtime = int(source.files.sizes[owner]), int(source.files.mtimes[owner])
            mapping.check_unchanged(source.files.path(owner), size, mtime, may_grow=not self._maps)
        self.valid: NDArray[np.bool_] | None = None
        try:
            if source.tolerant and source.check is not None:
                self._mark_damaged()
        except BaseException:
            self.close()
            raise
        if (self._owners < 0).any():
            self.valid = self._owners >= 0
        self._starts = self._find_runs()
        # Most blocks are one run of one mapped file: then a tile is a slice, and a tile's overhead counts.
        single = self._starts.size == 2 and self._owners[0] >= 0 and self._mapped(int(self._owners[0]))
        single = single and not self._crosses_records(0, self._numbers.size)
        self._whole = self._stored(0, self._numbers.size) if single else None

    def _mark_damaged(self) -> None:
        """Records that fail their check become blanks."""
        for first in range(0, self._numbers.size, 4096):
            chosen = slice(first, first + 4096)
            bad = self._damaged(first, min(first + 4096, self._numbers.size))
            self._owners[chosen][bad] = -1
            self._records[chosen][bad] = -1

    def _find_runs(self) -> NDArray[np.int64]:
        """Index of the first frame of every run of evenly spaced records of one file, and the number of frames."""
        if not self._numbers.size:
            return np.zeros(1, np.int64)
        jump, steps = np.diff(self._owners) != 0, np.diff(self._records)
        # Rows of a serpentine scan are runs in both directions.
        jump |= (np.abs(steps) != abs(self._source.navigation.step)) & (self._owners[1:] >= 0)
        jump[1:] |= (steps[1:] != steps[:-1]) & ~jump[:-1]
        several = self._source.layout.frames
        if several > 1:
            together = abs(self._source.navigation.step) == 1 and all(map(self._mapped, self._used.tolist()))
            jump |= (np.diff(self._records // several) != 0) & ((steps < 0) | (not together))
        return np.concatenate([[0], np.flatnonzero(jump) + 1, [self._numbers.size]]).astype(np.int64)

    # ---- reading

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Decode frames ``[start, stop)`` of the block.

        Parameters
        ----------
        start, stop : int
            Frames of the block, flattened.
        out : ndarray, shape (>= stop - start, ky, kx), C-contiguous, native
            Filled; invalid frames with 0.
        window : tuple of slice, optional
            The pixels that are needed; the others may be left as they are.

        Raises
        ------
        FormatError, TruncatedFileError
            A record is damaged and ``incomplete="raise"``: names file, byte, frame, what was expected and found.
        """
        source = self._source
        if source.check is not None and not source.tolerant:
            self._verify(start, stop)
        if self._whole is not None:
            source.layout.decoder(self._whole[start:stop], out[: stop - start], window)
            return
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, stop, side="left"))
        if last - first > _SCATTERED and self._gather(start, stop, out, window):
            return
        for run in range(first, last):
            a, b = max(start, int(self._starts[run])), min(stop, int(self._starts[run + 1]))
            target = out[a - start : b - start]
            if self._owners[a] < 0:
                target[...] = 0
            elif self._crosses_records(a, b):
                self._decode_records(a, b, target, window)
            else:
                source.layout.decoder(self._stored(a, b), target, window)

    def _crosses_records(self, a: int, b: int) -> bool:
        several = self._source.layout.frames
        return several > 1 and int(self._records[a]) // several < int(self._records[b - 1]) // several

    def _decode_records(self, a: int, b: int, out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Adjacent frames of a mapped file whose records hold several: whole records in one call, the ends apart."""
        layout, owner, first = self._source.layout, int(self._owners[a]), int(self._records[a])
        head = -first % layout.frames
        middle = (b - a - head) // layout.frames * layout.frames
        if middle:
            record = (first + head) // layout.frames
            whole = self._pixels(owner)[record : record + middle // layout.frames]
            together = out[head : head + middle].reshape(whole.shape[:2] + out.shape[1:])
            layout.decoder(whole, together, window)
        for start, stop in ((0, head), (head + middle, b - a)):
            if start < stop:
                layout.decoder(self._stored(a + start, a + stop), out[start:stop], window)

    def _gather(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...]) -> bool:
        """Frames scattered over one mapped file, in one indexed copy; False when they are not in one such file."""
        owner = int(self._owners[start:stop].max())
        owners = self._owners[start:stop]
        if owner < 0 or not self._mapped(owner) or not ((owners == owner) | (owners < 0)).all():
            return False
        stored = owners >= 0
        records, pixels, several = self._records[start:stop][stored], self._pixels(owner), self._source.layout.frames
        if several > 1 and int(records.max()) // several >= len(pixels):
            return False  # some are in a record that the file ends within
        frames = pixels[records] if several == 1 else pixels[records // several, records % several]
        if stored.all():
            self._source.layout.decoder(frames, out[: stop - start], window)
            return True
        decoded = np.empty((len(frames), *self._source.frame_shape), self._source.dtype)
        self._source.layout.decoder(frames, decoded, window)
        out[: stop - start] = 0
        out[: stop - start][stored] = decoded
        return True

    def _stored(self, a: int, b: int) -> NDArray[Any]:
        """Stored pixels of frames [a, b), which are one run of one file."""
        owner, first, last = int(self._owners[a]), int(self._records[a]), int(self._records[b - 1])
        step = int(self._records[a + 1]) - first if b > a + 1 else 1
        if self._mapped(owner) and self._source.layout.frames > 1:
            layout, low = self._source.layout, min(first, last)
            shape, dtype, count = layout.decoder.stored_shape, layout.decoder.stored_dtype, abs(last - first) + 1
            offset = layout.position(low) + layout.offset
            between = _strided(self._view(owner)[0], offset, layout.pitch, count, shape, dtype)
            return between[::step] if b > a + 1 else between
        if self._mapped(owner):
            end = last + (1 if step > 0 else -1)
            return self._pixels(owner)[first : end if end >= 0 else None : step]
        if abs(step) == 1 or a + 1 == b:
            lowest, count = min(first, last), b - a
            frames = self._read_records(owner, lowest, count)
            return frames if step > 0 else frames[::-1]
        layout = self._source.layout
        frames = np.empty((b - a, *layout.decoder.stored_shape), layout.decoder.stored_dtype)
        for k, record in enumerate(self._records[a:b].tolist()):
            frames[k] = self._read_records(owner, record, 1)[0]
        return frames

    def _read_records(self, owner: int, first: int, count: int) -> NDArray[Any]:
        """Stored pixels of adjacent records by a plain read, in a buffer that the next call uses again."""
        layout = self._source.layout
        needed = (count - 1) * layout.pitch + layout.offset + layout.payload
        if self._scratch.size < needed:
            self._scratch = np.empty(needed, np.uint8)
        offset = layout.position(first)
        got = mapping.read_into(self._descriptor(owner), self._scratch[:needed], offset)
        if got < needed:
            raise TruncatedFileError(
                f"{self._source.files.path(owner)}: expected {needed} bytes at byte {offset}, found {got}: "
                "the file shrank while it was read; load it again"
            )
        shape, dtype = layout.decoder.stored_shape, layout.decoder.stored_dtype
        return _strided(self._scratch, layout.offset, layout.pitch, count, shape, dtype)

    def _mapped(self, owner: int) -> bool:
        """Whether this file is read through a memory map: small files of a long series are not, maps would not last."""
        files = self._source.files
        return self._maps and (len(files.names) <= mapping.MAPPINGS_KEPT or int(files.sizes[owner]) >= _LARGE_FILE)

    def _view(self, owner: int) -> tuple[mmap.mmap, NDArray[Any]]:
        known = self._views.get(owner)
        if known is not None:
            return known
        files, layout = self._source.files, self._source.layout
        size = int(files.sizes[owner])
        held = mapping.mapped(files.path(owner), size, int(files.mtimes[owner]))
        records = layout.records_in(size)[0] // layout.frames
        shape, dtype = layout.decoder.stored_shape, layout.decoder.stored_dtype
        several = (layout.frames, *shape) if layout.frames > 1 else shape
        pixels = _strided(held, layout.start + layout.offset, layout.stride, records, several, dtype)
        self._views[owner] = (held, pixels)
        return self._views[owner]

    def _pixels(self, owner: int) -> NDArray[Any]:
        """Stored pixels of all complete records of a mapped file, ``[records, (frames,) *stored_shape]``: a view."""
        return self._view(owner)[1]

    def _descriptor(self, owner: int) -> int:
        if self._fd is not None and self._fd[0] == owner:
            return self._fd[1]
        self._close_descriptor()
        fd = mapping.open_read_only(self._source.files.path(owner))
        self._fd = (owner, fd)
        return fd

    # ---- checking

    def _verify(self, start: int, stop: int) -> None:
        """Raise when a record of frames [start, stop) is damaged; looks ahead, as many cost little more than one."""
        known_from, known_to = self._verified
        if known_from <= start and stop <= known_to:
            return
        end = min(max(stop, start + _VERIFIED_AHEAD), self._numbers.size)
        bad = self._damaged(start, end)
        if bad.any():
            self._raise_damaged(start, bad)
        self._verified = (known_from if known_from <= start <= known_to else start, end)

    def _damaged(self, start: int, stop: int) -> NDArray[np.bool_]:
        """True for each stored frame of [start, stop) whose record is not the one expected."""
        check = self._source.check
        bad = np.zeros(stop - start, bool)
        if check is None:
            return bad
        owners, records, numbers = self._owners[start:stop], self._records[start:stop], self._numbers[start:stop]
        for owner in np.unique(owners[owners >= 0]).tolist():
            chosen = owners == owner
            heads = self._heads(owner, records[chosen])
            bad[chosen] = ~check.verify(heads, numbers[chosen])
        return bad

    def _heads(self, owner: int, records: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Bytes of records of one file that are checked, ``[n, check.nbytes]``, copied."""
        layout, check = self._source.layout, self._source.check
        nbytes = 0 if check is None else check.nbytes
        if self._mapped(owner):
            return record_heads(self._view(owner)[0], layout, records, nbytes)
        found = np.zeros((records.size, nbytes), np.uint8)
        fd = self._descriptor(owner)
        for row, record in zip(found, records.tolist(), strict=True):
            mapping.read_into(fd, row, layout.position(record) + layout.checked)
        return found

    def _raise_damaged(self, start: int, bad: NDArray[np.bool_]) -> None:
        source, layout, check = self._source, self._source.layout, self._source.check
        index = start + int(np.flatnonzero(bad)[0])
        owner, record, number = int(self._owners[index]), int(self._records[index]), int(self._numbers[index])
        head = bytes(self._heads(owner, self._records[index : index + 1])[0])
        told = check.explain(head, number) if check is not None else ""
        more = f"; {int(bad.sum())} frames near it fail" if bad.sum() > 1 else ""
        raise FormatError(
            f"{source.files.path(owner)}: frame {number} (record {record} of this file, counted from 0) at byte "
            f"{layout.position(record)} is damaged: {told}{more}. "
            "Load with incomplete='nan' or 'zero' to mark such frames invalid, and see audit() for all of them"
        )

    # ---- closing

    def close(self) -> None:
        """Close what this block opened and, for files large against memory or inside a worker, release its pages."""
        self._close_descriptor()
        layout = self._source.layout
        for owner, (held, _) in self._views.items():
            if mapping.should_release(int(self._source.files.sizes[owner])):
                records = self._records[self._owners == owner]
                if records.size:
                    start = layout.position(int(records.min()))
                    stop = layout.position(int(records.max())) + layout.offset + layout.payload
                    mapping.release_pages(held, start, stop)
        self._views = {}
        self._whole = None
        self._scratch = np.empty(0, np.uint8)

    def _close_descriptor(self) -> None:
        if self._fd is not None:
            os.close(self._fd[1])
            self._fd = None


def record_heads(
    held: mmap.mmap, layout: RecordLayout, records: NDArray[np.int64], nbytes: int
) -> NDArray[np.uint8]:
    """Bytes of records of a mapped file that are checked, ``[n, nbytes]``, copied.

    Parameters
    ----------
    held : mmap.mmap
        The whole file.
    layout : RecordLayout
        Where its records stand.
    records : ndarray of int64, shape (n,)
        Frames of the file, counted from 0, that it holds whole.
    nbytes : int
        Bytes of each.
    """
    if layout.frames > 1 or not records.size:
        starts = layout.position(records) + layout.checked
        found: NDArray[np.uint8] = np.frombuffer(held, np.uint8)[starts[:, None] + np.arange(nbytes)]
        return found
    first, last = int(records.min()), int(records.max())
    count, start = last - first + 1, layout.position(first) + layout.checked
    return _strided(held, start, layout.stride, count, (nbytes,), np.dtype(np.uint8))[records - first]


def _strided(
    buffer: Any, offset: int, stride: int, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """`count` records of `shape` every `stride` bytes from byte `offset` of a buffer, as a view."""
    inner = [dtype.itemsize] if shape else []
    for length in reversed(shape[1:]):
        inner.insert(0, inner[0] * length)
    return np.ndarray((count, *shape), dtype, buffer, offset, (stride, *inner))
