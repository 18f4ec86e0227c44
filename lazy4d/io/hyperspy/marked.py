"""Frames with a record of which of them are valid, stored beside them."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.lazy.source import Block, FrameSource
from lazy4d.lazy.stage import Window


@dataclass(frozen=True, eq=False)
class MarkedFrames:
    """The frames of another source, some of them recorded as invalid when they were saved.

    Parameters
    ----------
    frames : FrameSource
        The frames.
    navigation : NavigationMap
        Number of the stored frame of each position of `frames`.
    packed : bytes
        One bit for each stored frame, compressed; see `pack`.
    count : int
        Stored frames.
    incomplete : str
        What becomes of invalid frames.

    Examples
    --------
    >>> len(pack(np.ones(10_000, bool))) < 50
    True
    """

    frames: FrameSource
    navigation: NavigationMap
    packed: bytes
    count: int
    incomplete: str

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""
        return tuple(self.frames.nav_shape)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(self.frames.frame_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of a decoded frame."""
        return self.frames.dtype

    @property
    def frame_nbytes(self) -> int:
        """Stored bytes of a frame."""
        return int(self.frames.frame_nbytes)

    @property
    def token(self) -> str:
        """Identity of the pixels and of the record."""
        text = repr((self.frames.token, self.navigation.identity, self.incomplete)).encode()
        return hashlib.blake2b(text + self.packed, digest_size=16).hexdigest()

    def __getattr__(self, name: str) -> Any:
        """What else the source can tell: its label, the blocks it prefers, damage that it finds."""
        if name.startswith("_") or "frames" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.frames, name)

    def select(self, items: tuple[Any, ...]) -> MarkedFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them."""
        return MarkedFrames(
            self.frames.select(items), self.navigation.select(items), self.packed, self.count, self.incomplete
        )

    def drop_axes(self, axes: tuple[int, ...]) -> MarkedFrames:
        """Without navigation axes of length one."""
        return MarkedFrames(
            self.frames.drop_axes(axes), self.navigation.drop_axes(axes), self.packed, self.count, self.incomplete
        )

    def open(self, box: tuple[slice, ...]) -> Block:
        """The frames of a box of positions, inside the task."""
        numbers = self.navigation.numbers(box)
        stored = unpack(self.packed, self.count)
        inside = (numbers >= 0) & (numbers < self.count)
        valid = np.ones(len(numbers), bool)  # blanks are told by the source itself
        valid[inside] = stored[numbers[inside]]
        return _MarkedBlock(self.frames.open(box), valid)


class _MarkedBlock:
    """A block whose invalid frames read as zero."""

    def __init__(self, block: Block, valid: NDArray[np.bool_]) -> None:
        self._block = block
        self._valid = valid

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Which frames are undamaged: those that the source finds so, and that were recorded as valid."""
        found = self._block.valid
        return self._valid if found is None else self._valid & found

    def read(self, start: int, stop: int, out: NDArray[Any], window: Window) -> None:
        """Decode frames ``[start, stop)``, invalid ones as 0."""
        self._block.read(start, stop, out, window)
        lacking = np.flatnonzero(~self._valid[start:stop])
        if lacking.size:
            inside: Any = (lacking, *window)
            out[inside] = 0

    def close(self) -> None:
        """Release pages and buffers."""
        self._block.close()


def pack(valid: NDArray[np.bool_]) -> bytes:
    """A boolean array, one bit each and compressed."""
    return zlib.compress(np.packbits(np.ravel(valid)).tobytes(), 1)


@lru_cache(maxsize=8)
def unpack(packed: bytes, count: int) -> NDArray[np.bool_]:
    """The flattened boolean array that `pack` was given."""
    found = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=count).view(bool)
    found.flags.writeable = False
    return found


def marked(
    frames: FrameSource, valid: NDArray[np.bool_] | None, navigation: NavigationMap | None, incomplete: str
) -> FrameSource:
    """The frames with the record that was stored with them; the frames themselves where all are valid.

    Parameters
    ----------
    frames : FrameSource
        As read.
    valid : ndarray of bool, or None
        Of the stored frames, in stored order.
    navigation : NavigationMap, optional
        How the stored frames are arranged; by default as `valid`.
    incomplete : str
        What becomes of invalid frames.
    """
    if valid is None or valid.all():
        return frames
    arranged = NavigationMap.raster(valid.shape) if navigation is None else navigation
    return MarkedFrames(frames, arranged, pack(valid), int(valid.size), incomplete)
