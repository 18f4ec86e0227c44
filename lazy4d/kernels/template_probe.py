"""The beam of many frames averaged, where frames show it, and put on the middle pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def add_known(frames: NDArray[Any], total: NDArray[np.float64], count: NDArray[np.int64]) -> None:
    """Add the pixels of frames that are numbers to `total`, and how many there are to `count`, both [ky, kx].

    Examples
    --------
    >>> total, count = np.zeros((1, 2)), np.zeros((1, 2), int)
    >>> add_known(np.array([[[1, np.nan]], [[5, 2]]]), total, count)
    >>> total.tolist(), count.tolist()
    ([[6.0, 2.0]], [[2, 1]])
    """
    known = np.isfinite(frames)
    total += np.where(known, frames, 0).sum(axis=0, dtype=np.float64)
    count += known.sum(axis=0)


def merge_known(
    total: NDArray[np.float64],
    count: NDArray[np.int64],
    other_total: NDArray[np.float64],
    other_count: NDArray[np.int64],
) -> None:
    """Add the sums of another block.

    Examples
    --------
    >>> total, count = np.array([[6.0]]), np.array([[2]])
    >>> merge_known(total, count, np.array([[1.0]]), np.array([[3]]))
    >>> total.tolist(), count.tolist()
    ([[7.0]], [[5]])
    """
    total += other_total
    count += other_count


def known_mean(total: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of what was added; the median of the others in pixels that no frame showed, nan if none was shown.

    Examples
    --------
    >>> known_mean(np.array([6.0, 4, 0]), np.array([2, 4, 0]))
    array([3., 1., 2.])
    """
    shown = count > 0
    mean = total / np.maximum(count, 1)
    mean[~shown] = np.median(mean[shown]) if shown.any() else np.nan
    return mean


def center_bright(
    frames: NDArray[Any], move: Callable[..., None], center: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    """Fill `out` with each frame moved so that its bright part has its middle at `center`; around it is its median.

    Parameters
    ----------
    frames : ndarray of float32 [n, ky, kx]
        nan frames, or constant ones, stay as they are.
    move : callable
        ``move(frames, shifts, fill, out)``, one of the kernels of `lazy4d.kernels.shift`.
    center : ndarray of float64 [2]
        (y, x).
    out : ndarray of float32 [n, ky, kx]
        Filled.

    Examples
    --------
    >>> from lazy4d.kernels.shift import shift_integer
    >>> out = np.empty((1, 1, 5), np.float32)
    >>> frames = np.array([[[1, 1, 1, 7, 1]]], np.float32)
    >>> center_bright(frames, shift_integer, np.array([0.0, 2.0]), out)
    >>> out
    array([[[1., 1., 7., 1., 1.]]], dtype=float32)
    """
    for frame, moved in zip(frames, out, strict=True):
        found = bright_middle(frame)
        if found is None:
            moved[...] = frame
            continue
        level = np.median(frame)
        move((frame - level)[None], (center - found)[None], np.float32(0), moved[None])
        moved += level


def bright_middle(frame: NDArray[Any]) -> NDArray[np.float64] | None:
    """The centre of mass (y, x) of a frame above half of its range; None if it is not finite, or constant.

    Examples
    --------
    >>> frame = np.zeros((5, 6))
    >>> frame[1:4, 2:4] = 3
    >>> bright_middle(frame)
    array([2. , 2.5])
    """
    low, high = float(frame.min()), float(frame.max())
    if not (np.isfinite(low) and np.isfinite(high) and high > low):
        return None
    weight = np.where(frame >= (low + high) / 2, frame.astype(np.float64) - low, 0.0)
    total = weight.sum()
    y, x = (weight.sum(axis=1 - k) @ np.arange(n) / total for k, n in enumerate(frame.shape))
    return np.array([y, x])
