"""Frames whose upper and lower half stand in two files: read apart, put together in the tile they are wanted in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rawblock import RawBlock
from lazy4d.io.rawframes import RawFrames


@dataclass(frozen=True)
class HalfDecoder:
    """Stored half-frames to rows of a frame; the upper half is stored upside down.

    Parameters
    ----------
    stored_dtype : numpy.dtype
        Dtype in the file.
    frame_shape : tuple of int
        Shape of a half-frame, ``(ky // 2, kx)``.
    flip : bool
        Turn rows upside down.
    repair : bool
        Replace the first stored pixel, which holds a frame number, by the mean of its two neighbours.

    Examples
    --------
    >>> out = np.empty((1, 2, 2), "u2")
    >>> HalfDecoder(np.dtype("<u2"), (2, 2), True)(np.array([[[1, 2], [3, 4]]], "<u2"), out, ())
    >>> out[0].tolist()
    [[3, 4], [1, 2]]
    """

    stored_dtype: np.dtype[Any]
    frame_shape: tuple[int, ...]
    flip: bool
    repair: bool = False

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape in the file, the same as that of the half-frame."""
        return self.frame_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame."""
        return self.stored_dtype.newbyteorder("=")

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Copy `stored` to `out`, inside `window` only where one is given."""
        inside: Any = (..., *window)
        upright = stored[..., ::-1, :] if self.flip else stored
        np.copyto(out[inside], upright[inside])
        if self.repair:
            row, (rows, columns) = (-1 if self.flip else 0), self.frame_shape
            beside = stored[..., 0, min(1, columns - 1)].astype(np.uint64)
            below = stored[..., min(1, rows - 1), 0].astype(np.uint64)
            if rows == 1 or columns == 1:  # only one neighbour
                beside = below = beside if rows == 1 else below
            out[..., row, 0] = (beside + below) // 2


class SplitFrames:
    """Frames put together of an upper and a lower half, a source like any other: small, immutable, picklable.

    Parameters
    ----------
    top, bottom : RawFrames
        The halves, with the same navigation; each keeps its own file, check and decoder.

    Attributes
    ----------
    nav_shape, frame_shape : tuple of int
        Navigation and frame shape, numpy order.
    dtype : numpy.dtype
        Native dtype of the frames.
    token : str
        Equal for equal pixels.
    incomplete : str
        As of the halves.
    frame_nbytes : int
        Bytes of one decoded frame.
    tolerant : bool
        Damage found while reading makes frames invalid instead of raising.
    """

    def __init__(self, top: RawFrames, bottom: RawFrames) -> None:
        self.top = top
        self.bottom = bottom
        self.nav_shape: tuple[int, ...] = top.nav_shape
        rows, columns = top.frame_shape
        self.frame_shape: tuple[int, ...] = (rows + bottom.frame_shape[0], columns)
        self.dtype: np.dtype[Any] = top.dtype
        self.incomplete: str = top.incomplete if top.incomplete != "raise" else bottom.incomplete
        self.tolerant: bool = top.tolerant
        self.frame_nbytes: int = top.frame_nbytes + bottom.frame_nbytes
        self.token: str = hashlib.blake2b(f"{top.token}{bottom.token}".encode(), digest_size=16).hexdigest()

    @property
    def parts(self) -> tuple[RawFrames, ...]:
        """The halves, for an audit of each."""
        return self.top, self.bottom

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return f"{self.top.label} and {self.bottom.files.names[0]}"

    def __repr__(self) -> str:
        """Shape, dtype and files in one line."""
        return f"<SplitFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its two halves."""
        return SplitFrames, (self.top, self.bottom)

    @property
    def navigation(self) -> NavigationMap | PositionTable:
        """Scan position to frame number."""
        return self.top.navigation

    @property
    def recorded(self) -> int:
        """Frame numbers in use, whatever positions are shown."""
        return min(self.top.recorded, self.bottom.recorded)

    def rearranged(self, navigation: NavigationMap | PositionTable, incomplete: str | None = None) -> SplitFrames:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        return SplitFrames(self.top.rearranged(navigation, incomplete), self.bottom.rearranged(navigation, incomplete))

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> SplitFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them.

        See `NavigationMap.select`.
        """
        return SplitFrames(self.top.select(items), self.bottom.select(items))

    def drop_axes(self, axes: Sequence[int]) -> SplitFrames:
        """The frames without the given navigation axes of length 1."""
        return SplitFrames(self.top.drop_axes(axes), self.bottom.drop_axes(axes))

    def open(self, box: Sequence[slice]) -> SplitBlock:
        """The frames of a box of positions, to be called inside the task that uses them; see `RawFrames.open`."""
        top = self.top.open(box)
        try:
            return SplitBlock(top, self.bottom.open(box), self.frame_shape)
        except BaseException:
            top.close()
            raise


class SplitBlock:
    """Frames of one block of `SplitFrames`, flattened in C order of the box.

    Parameters
    ----------
    top, bottom : RawBlock
        The same frames of each half.
    frame_shape : tuple of int
        Shape of a whole frame.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        True where both halves are; None when all are.
    """

    def __init__(self, top: RawBlock, bottom: RawBlock, frame_shape: tuple[int, ...]) -> None:
        self._halves = (top, bottom)
        self._rows, self._columns = frame_shape
        both = [block.valid for block in self._halves if block.valid is not None]
        self.valid: NDArray[np.bool_] | None = np.logical_and.reduce(both) if both else None

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Decode frames ``[start, stop)`` of the block; see `RawBlock.read`."""
        out = out[: stop - start]
        middle = self._rows // 2
        for block, first in zip(self._halves, (0, middle), strict=True):
            part: tuple[slice, ...] = ()
            if window:
                low, high, _ = window[0].indices(self._rows)
                low, high = (min(max(row - first, 0), middle) for row in (low, high))
                part = (slice(low, high), window[1])  # empty where none of its rows is wanted: still verified
            block.read(start, stop, out[:, first : first + middle], part)
        if self.valid is not None:
            out[~self.valid[start:stop]] = 0

    def close(self) -> None:
        """Close both halves."""
        for block in self._halves:
            block.close()
