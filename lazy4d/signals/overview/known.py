"""The arrays over a scan in which an overview keeps what it knows of each position."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.overview.summary import BoxSummary, PixelSums

KNOWN, CLAIMED, ADDED = 1, 2, 4
"""What is said of a position: its intensity is known; a pass has taken it; a pass has been through it."""


class BlockMoments(NamedTuple):
    """What is known of all pixels of a block: frames seen, their sum, their largest value, the sum of their squares."""

    frames: int
    total: float
    largest: float
    squares: float


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a complete overview beside its proxy."""

    navigator: NDArray[np.float64]
    maxima: NDArray[Any]
    spreads: NDArray[np.float32]
    pixels: PixelSums


class KnownArrays:
    """The arrays over the scan, of a few bytes a position: memory is taken only where something is written.

    Parameters
    ----------
    shape : tuple of int
        Of the scan.
    frame_shape : tuple of int
        Of a frame.
    dtype : dtype
        Of the pixels.

    Attributes
    ----------
    navigator : float64 ndarray
        The sum of each frame; NaN where it is damaged, of no meaning where it is not known.
    largest : ndarray of the dtype of the pixels, or float64
        The largest pixel of each frame.
    spread : float32 ndarray
        The standard deviation of the pixels of each frame.
    n_known, n_added : int
        Positions that are known, and those that passes have been through.
    """

    def __init__(self, shape: tuple[int, ...], frame_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.navigator: NDArray[np.float64] = np.zeros(shape)
        self.largest: NDArray[Any] = np.zeros(shape, largest_dtype(dtype))
        self.spread: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._state = np.zeros(shape, np.uint8)
        self._frame_size = max(1, math.prod(frame_shape))
        self.n_known = self.n_added = 0

    @property
    def size(self) -> int:
        """Positions of the scan."""
        return self.navigator.size

    def are(self, flag: int, box: Any = ...) -> NDArray[np.bool_]:
        """Of which positions something is said."""
        return (self._state[box] & flag) != 0

    @property
    def begun(self) -> bool:
        """Whether a pass has taken any position."""
        return bool((self._state & CLAIMED).any())

    def claim(self, box: Any) -> NDArray[np.bool_]:
        """Take those positions of a box that no pass has taken, and say which these are."""
        mine = ~self.are(CLAIMED, box)
        self._state[box] |= CLAIMED
        return mine

    def give_up(self, box: Any, mine: NDArray[np.bool_]) -> None:
        """Give claimed positions back."""
        self._state[box] &= np.where(mine, 255 - CLAIMED, 255).astype(np.uint8)

    def set(self, box: Any, intensity: NDArray[np.float64], which: NDArray[np.bool_], *, added: bool) -> None:
        """Take over intensities of some positions of a box."""
        np.copyto(self.navigator[box], intensity, where=which)
        self.n_known += int(np.count_nonzero(which & ~self.are(KNOWN, box)))
        if added:
            self.n_added += int(np.count_nonzero(which & ~self.are(ADDED, box)))
        self._state[box] |= which * np.uint8(KNOWN | ADDED if added else KNOWN)

    def measure(self, box: Any, found: BoxSummary, taken: NDArray[np.bool_]) -> None:
        """Take over maxima and spreads of some positions of a box."""
        np.copyto(self.largest[box], found.largest.reshape(taken.shape), where=taken, casting="unsafe")
        with np.errstate(all="ignore"):
            mean = found.intensity / self._frame_size
            variance = found.squares / self._frame_size - mean * mean
            spread = np.sqrt(np.maximum(variance, 0.0)).astype(np.float32)
        np.copyto(self.spread[box], spread.reshape(taken.shape), where=taken)

    def know_all(self, navigator: NDArray[Any]) -> None:
        """Take over the intensities of all positions."""
        self.navigator[...] = navigator.reshape(self.navigator.shape)
        self._state |= KNOWN
        self.n_known = self.size

    def restore(self, kept: Kept) -> None:
        """Take over all that was kept."""
        self.know_all(kept.navigator)
        self.largest[...], self.spread[...] = kept.maxima, kept.spreads
        self._state[...] = KNOWN | CLAIMED | ADDED
        self.n_added = self.size

    def picture(self, name: str, dtype: Any = np.float64) -> NDArray[Any]:
        """``"largest"`` or ``"spread"`` of each frame, as floats; NaN where it is not known or damaged."""
        out = np.array(getattr(self, name), dtype)
        np.copyto(out, np.nan, where=~self.are(ADDED))
        np.copyto(out, np.nan, where=np.isnan(self.navigator))
        return out

    def of_block(self, box: Any) -> BlockMoments:
        """What is known of all pixels of a block of positions."""
        seen = self.are(ADDED, box) & ~np.isnan(self.navigator[box])
        total, largest = self.navigator[box][seen], self.largest[box][seen]
        squares = self._frame_size * (self.spread[box][seen].astype(np.float64) ** 2 + (total / self._frame_size) ** 2)
        top = float(largest.max()) if largest.size else math.nan
        return BlockMoments(int(np.count_nonzero(seen)), float(total.sum()), top, float(squares.sum()))


def largest_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """In which dtype the largest pixel of each frame is kept.

    Examples
    --------
    >>> [largest_dtype(np.dtype(t)).name for t in ("bool", "uint16", "float32", "float16", "complex64")]
    ['uint8', 'uint16', 'float32', 'float32', 'float64']
    """
    if dtype.kind in "iu":
        return dtype.newbyteorder("=")
    return np.dtype({"b": "u1", "f": "f4" if dtype.itemsize <= 4 else "f8"}.get(dtype.kind, "f8"))
