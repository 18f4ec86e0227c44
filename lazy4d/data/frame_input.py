"""Frames to be written, however they are given: an array, a lazy source, or an iterator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

TILE = 32  # frames held at once: 4 MB of 256 × 256 uint16


class Block(Protocol):
    """The frames of one box of positions."""

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Fill ``out[: stop - start]``."""

    def close(self) -> None:
        """Let go of what is held."""


@runtime_checkable
class LazyFrames(Protocol):
    """Frames that are read, or drawn, a box of positions at a time."""

    nav_shape: tuple[int, ...]
    frame_shape: tuple[int, int]
    dtype: np.dtype[Any]

    def open(self, box: tuple[slice, ...]) -> Block:
        """Return the frames of a box."""


FrameInput = NDArray[Any] | LazyFrames | Iterable[NDArray[Any]]


def read_tile(frames: LazyFrames, start: int, stop: int) -> NDArray[Any]:
    """Frames [stop - start, ky, kx] with numbers [start, stop) in scan order.

    Examples
    --------
    >>> from lazy4d.data import simulated_scan
    >>> read_tile(simulated_scan((4, 4), (8, 8)), 3, 6).shape
    (3, 8, 8)
    """
    out = np.empty((stop - start, *frames.frame_shape), frames.dtype)
    block = frames.open(tuple(slice(0, n) for n in frames.nav_shape))
    try:
        block.read(start, stop, out, tuple(slice(0, n) for n in frames.frame_shape))
    finally:
        block.close()
    return out


def scan_shape_of(frames: FrameInput) -> tuple[int, int] | None:
    """Scan (rows, columns) of frames with two navigation axes, else None.

    Examples
    --------
    >>> scan_shape_of(np.zeros((3, 5, 8, 8)))
    (3, 5)
    """
    shape = frames.nav_shape if isinstance(frames, LazyFrames) else getattr(frames, "shape", ())[:-2]
    return (int(shape[0]), int(shape[1])) if len(shape) == 2 else None


def stacks(frames: FrameInput) -> Iterator[NDArray[Any]]:
    """Stacks [n, ky, kx] of at most a few dozen frames, in scan order; nothing else is held.

    Parameters
    ----------
    frames : array (..., ky, kx), lazy source, or iterable of frames (ky, kx) or stacks (..., ky, kx)
        Frames to be written.

    Raises
    ------
    ValueError
        An item that is not a frame or a stack of frames.

    Examples
    --------
    >>> [len(stack) for stack in stacks(np.zeros((5, 10, 8, 8)))]
    [32, 18]
    """
    if isinstance(frames, LazyFrames):
        total = math.prod(frames.nav_shape)
        for start in range(0, total, TILE):
            yield read_tile(frames, start, min(start + TILE, total))
        return
    for item in [frames] if isinstance(frames, np.ndarray) else frames:
        part = np.asarray(item)
        if part.ndim < 2:
            raise ValueError(f"expected frames (ky, kx) or stacks (..., ky, kx), got an item of shape {part.shape}")
        part = part.reshape(-1, *part.shape[-2:])
        for start in range(0, len(part), TILE):
            yield part[start : start + TILE]
