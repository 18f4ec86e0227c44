"""Frames stored uncompressed at a fixed stride, over one or many files, which a task reads by itself."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.files import FrameFiles
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rawblock import RawBlock

_Index = TypeVar("_Index", int, NDArray[np.int64])


class Decoder(Protocol):
    """Stored pixels to native frames; small, immutable, picklable, with a `repr` that tells it from others."""

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of a stored frame, of `stored_dtype`."""
        ...

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Dtype in the file."""
        ...

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of the decoded frame."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame."""
        ...

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Fill ``out[n, *frame_shape]`` from ``stored[n, *stored_shape]``, at least inside `window`.

        `stored` may be read-only, unaligned and strided in its first axis. Where a record holds several frames both
        come as ``[records, frames, …]``.
        """
        ...


class RecordCheck(Protocol):
    """What is verified of every record before its pixels are used; small, immutable, picklable."""

    @property
    def nbytes(self) -> int:
        """Bytes of a record that are looked at, from its start or where `RecordLayout.checked` says."""
        ...

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each record of ``heads[n, nbytes]`` that is the one expected for frame ``numbers[n]``."""
        ...

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found in one record that failed."""
        ...


@dataclass(frozen=True)
class PlainDecoder:
    """Pixels stored as plain numbers in any byte order: a copy that swaps bytes on the way.

    Parameters
    ----------
    stored_dtype : numpy.dtype
        Dtype in the file.
    frame_shape : tuple of int
        Shape of a frame, ``(ky, kx)``.

    Examples
    --------
    >>> decode = PlainDecoder(np.dtype(">u2"), (1, 2))
    >>> out = np.empty((1, 1, 2), decode.dtype)
    >>> decode(np.array([[[1, 2]]], ">u2"), out, ())
    >>> out.dtype.isnative, out.tolist()
    (True, [[[1, 2]]])
    """

    stored_dtype: np.dtype[Any]
    frame_shape: tuple[int, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape in the file, the same as that of a frame."""
        return self.frame_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame."""
        return self.stored_dtype.newbyteorder("=")

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Copy `stored` to `out`, inside `window` only where one is given."""
        if window:
            inside: Any = (..., *window)
            stored, out = stored[inside], out[inside]
        np.copyto(out, stored)


@dataclass(frozen=True)
class RecordLayout:
    """Where the pixels of a frame stand in a file.

    Parameters
    ----------
    start : int
        Bytes before the first record of a file.
    stride : int
        Bytes from one record to the next.
    offset : int
        Bytes from the start of a record to its pixels.
    decoder : Decoder
        Stored pixels to native frames; gives shapes and dtypes.
    frames : int
        Frames in a record, their pixels one after the other.
    tail : int
        Bytes behind the pixels without which a record is not complete.
    checked : int
        Bytes from the start of a frame to those that a `RecordCheck` looks at.
    """

    start: int
    stride: int
    offset: int
    decoder: Decoder
    frames: int = 1
    tail: int = 0
    checked: int = 0

    @property
    def payload(self) -> int:
        """Bytes of stored pixels of a frame."""
        return math.prod(self.decoder.stored_shape) * self.decoder.stored_dtype.itemsize

    @property
    def pitch(self) -> int:
        """Bytes from one frame to the next, within a record where that holds several."""
        return self.stride if self.frames == 1 else self.payload

    def position(self, frame: _Index) -> _Index:
        """Byte at which a frame of a file begins, its header included; of one or of an array of them.

        Examples
        --------
        >>> RecordLayout(10, 100, 0, PlainDecoder(np.dtype("u1"), (4, 5)), frames=4).position(6)
        150
        """
        if self.frames == 1:
            return self.start + frame * self.stride
        return self.start + frame // self.frames * self.stride + frame % self.frames * self.payload

    def records_in(self, size: int) -> tuple[int, int]:
        """Complete frames in a file of `size` bytes, and the bytes left over of a record that is not complete.

        Examples
        --------
        >>> layout = RecordLayout(10, 100, 20, PlainDecoder(np.dtype("u1"), (8, 10)))
        >>> layout.records_in(10 + 250), layout.records_in(10 + 2 * 100)
        ((2, 50), (2, 0))
        """
        records, left = divmod(max(0, size - self.start), self.stride)
        if left >= self.offset + self.frames * self.payload + self.tail:
            return (records + 1) * self.frames, 0  # the last record may lack the bytes between records
        within = max(0, left - self.offset) // self.payload if self.frames > 1 else 0
        return records * self.frames + within, left


class RawFrames:
    """Frames of fixed-stride records as a source that tasks read by themselves: small, immutable, picklable.

    Selections are arithmetic on frame numbers; no pixel and no table of positions is touched before `open`.

    Parameters
    ----------
    files : FrameFiles
        Which file and record holds a frame number.
    layout : RecordLayout
        Where its pixels stand there, and how they are decoded.
    navigation : NavigationMap or PositionTable
        Scan position to frame number.
    incomplete : str
        ``"raise"``: damage found while reading is an error; ``"nan"`` or ``"zero"``: such frames are invalid and read
        as 0.
    io : str
        ``"mmap"`` or ``"read"``.
    check : RecordCheck or None
        What to verify of every record that is read.

    Attributes
    ----------
    nav_shape, frame_shape : tuple of int
        Navigation and frame shape, numpy order.
    dtype : numpy.dtype
        Native dtype of the frames.
    token : str
        Equal for equal pixels: made of paths, sizes, times, layout and selection.
    incomplete : str
        As given, but ``"nan"`` where the selection holds blanks that the user asked for: blanks are never valid frames.
    frame_nbytes : int
        Bytes of one decoded frame.

    Examples
    --------
    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.raw")
    >>> np.arange(24, dtype=">u2").tofile(path)
    >>> files = FrameFiles.single(path, size=48, mtime_ns=os.stat(path).st_mtime_ns, count=6)
    >>> layout = RecordLayout(0, 8, 0, PlainDecoder(np.dtype(">u2"), (2, 2)))
    >>> frames = RawFrames(files, layout, NavigationMap.raster((2, 3)))
    >>> block = frames.open((slice(1, 2), slice(0, 2)))
    >>> out = np.empty((2, 2, 2), frames.dtype)
    >>> block.read(0, 2, out, ())
    >>> block.close()
    >>> out.tolist()
    [[[12, 13], [14, 15]], [[16, 17], [18, 19]]]
    """

    def __init__(
        self,
        files: FrameFiles,
        layout: RecordLayout,
        navigation: NavigationMap | PositionTable,
        *,
        incomplete: str = "raise",
        io: str = "mmap",
        check: RecordCheck | None = None,
    ) -> None:
        self.files = files
        self.layout = layout
        self.navigation = navigation
        self.tolerant = incomplete in ("nan", "zero")
        self.io = io
        self.check = check
        self.nav_shape: tuple[int, ...] = navigation.nav_shape
        self.frame_shape: tuple[int, ...] = tuple(layout.decoder.frame_shape)
        self.dtype: np.dtype[Any] = layout.decoder.dtype
        self.frame_nbytes: int = math.prod(self.frame_shape) * self.dtype.itemsize
        lowest, highest = navigation.bounds
        blank = lowest < 0 or highest >= files.total
        self.incomplete: str = incomplete if self.tolerant else "nan" if blank else "raise"
        self._policy = incomplete
        described = repr((files.digest, layout, navigation.identity, incomplete, check))
        self.token: str = hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        more = f" and {len(self.files.names) - 1} more" if len(self.files.names) > 1 else ""
        return f"{self.files.path(0)}{more}"

    def __repr__(self) -> str:
        """Shape, dtype and files in one line."""
        return f"<RawFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its few parameters; no handle, no map, no pixel."""
        return _rebuild, (self.files, self.layout, self.navigation, self._policy, self.io, self.check)

    def _with(self, navigation: NavigationMap | PositionTable) -> RawFrames:
        return _rebuild(self.files, self.layout, navigation, self._policy, self.io, self.check)

    @property
    def recorded(self) -> int:
        """Frame numbers in use, whatever positions are shown: those of missing frames included."""
        return self.files.total

    def rearranged(self, navigation: NavigationMap | PositionTable, incomplete: str | None = None) -> RawFrames:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        policy = self._policy if incomplete is None else incomplete
        return _rebuild(self.files, self.layout, navigation, policy, self.io, self.check)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> RawFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D, scan order).

        See `NavigationMap.select`.
        """
        return self._with(self.navigation.select(items))

    def drop_axes(self, axes: Sequence[int]) -> RawFrames:
        """The frames without the given navigation axes of length 1.

        Raises
        ------
        ValueError
            An axis is longer than 1.
        """
        return self._with(self.navigation.drop_axes(axes))

    def open(self, box: Sequence[slice]) -> RawBlock:
        """The frames of a box of positions, to be called inside the task that uses them.

        Parameters
        ----------
        box : sequence of slice
            Plain ``slice(start, stop)`` per navigation axis.

        Raises
        ------
        FileNotFoundError, TruncatedFileError, FormatError
            A file changed since it was loaded; with ``incomplete="raise"`` reading also raises on damaged records.
        """
        return RawBlock(self, self.navigation.numbers(box))


def _rebuild(
    files: FrameFiles,
    layout: RecordLayout,
    navigation: NavigationMap | PositionTable,
    incomplete: str,
    io: str,
    check: RecordCheck | None,
) -> RawFrames:
    return RawFrames(files, layout, navigation, incomplete=incomplete, io=io, check=check)
