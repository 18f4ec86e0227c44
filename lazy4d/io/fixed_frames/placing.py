"""What a task does to save its block in a file of frames at fixed places: every tile goes where it belongs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import ChunkError
from lazy4d.io.save_ending import SaveEnding

if TYPE_CHECKING:
    from lazy4d.lazy.endings import Extent


@dataclass(frozen=True, eq=False)
class FileTarget:
    """A file of known size that tasks fill: small, immutable, picklable.

    Parameters
    ----------
    path : str
        Absolute path of the file, which has its full size already.
    start : int
        Byte of the first frame.
    nav_shape, frame_shape : tuple of int
        Of the whole scan; frame number ``n`` in C order starts at ``start + n * frame_nbytes``.
    dtype : numpy.dtype
        Stored dtype.

    Examples
    --------
    >>> FileTarget("/data/scan.npy", 128, (4, 5), (8, 8), np.dtype("<u2")).nbytes
    2688
    """

    path: str
    start: int
    nav_shape: tuple[int, ...]
    frame_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def frame_nbytes(self) -> int:
        """Bytes of a stored frame."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the whole file."""
        return self.start + math.prod(self.nav_shape) * self.frame_nbytes


class PlacedBlock:
    """The file, open for one block.

    Parameters
    ----------
    target : FileTarget
        Where to.
    box : sequence of slice
        Positions of the block.

    Raises
    ------
    ChunkError
        The file is not there: this process sees another disk, or the save was given up.
    """

    def __init__(self, target: FileTarget, box: Sequence[slice]) -> None:
        self._target, self._box = target, tuple(box)
        self._shape = tuple(b.stop - b.start for b in box)
        self._file = -1
        try:
            self._file = os.open(target.path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
            size = os.fstat(self._file).st_size
        except FileNotFoundError:
            size = -1
        if size != target.nbytes:
            self.close()
            found = "no file" if size < 0 else f"a file of {size} bytes"
            raise ChunkError(
                f"{target.path}: expected the file that this save began, of {target.nbytes} bytes, found {found}: do "
                "all workers of the cluster see this folder? Was the save given up, or the file removed?"
            )

    def write(self, first: int, frames: NDArray[Any]) -> None:
        """Put frames ``[first, first + n)`` of the block, in the C order of its positions, in their places."""
        target = self._target
        place = np.arange(first, first + len(frames), dtype=np.int64)
        inside = np.unravel_index(place, self._shape) if self._shape else ()
        index = tuple(k + b.start for k, b in zip(inside, self._box, strict=True))
        numbers = np.ravel_multi_index(index, target.nav_shape) if index else np.zeros(len(frames), np.int64)
        stored = np.ascontiguousarray(frames, target.dtype)
        breaks = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
        for a, b in pairwise([0, *breaks, len(frames)]):
            if b > a:
                self._put(target.start + int(numbers[a]) * target.frame_nbytes, stored[a:b])

    def _put(self, offset: int, pixels: NDArray[Any]) -> None:
        left = pixels.reshape(-1).view(np.uint8).data
        os.lseek(self._file, offset, os.SEEK_SET)
        while left:
            left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """Close the file; errors of a network drive come up here."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def __del__(self) -> None:
        with suppress(OSError):  # a task that failed elsewhere has let go of the block
            self.close()


@dataclass(frozen=True, eq=False)
class PlaceFrames(SaveEnding):
    """The end of a chain of steps that saves its frames: what is handed to dask is which of them are valid.

    Parameters
    ----------
    step : int
        The step whose frames it takes.
    target : FileTarget
        Where they go.
    marked : bool
        Frames may be invalid: hand over a byte for each position, else one for the block. Invalid frames are stored as
        zeros, unless they come straight from the source.
    """

    step: int
    target: FileTarget
    marked: bool
    keep_invalid: bool
    params: tuple[Any, ...] = ()

    def start(self, extent: Extent, step: Any) -> PlacedBlock:
        """The file, opened."""
        return PlacedBlock(self.target, extent.box)

    def finish(self, state: PlacedBlock, extent: Extent) -> NDArray[np.uint8]:
        """One where a frame is valid; a single one for the block where all are sure to be."""
        state.close()
        if not self.marked:
            return np.ones((1,) * len(extent.box), np.uint8)
        valid = np.ones(extent.n, np.uint8) if extent.valid is None else extent.valid.astype(np.uint8)
        return valid.reshape(extent.nav_shape)
