"""Dead and hot pixels: found in the mean pattern, and replaced in every frame from good neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import repair
from lazy4d.lazy import Frames
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

_METHODS = ("mean", "median")


def correct_bad_pixels(signal: BaseSignal, bad_pixels: Any, method: str = "mean") -> BaseSignal:
    """The signal with bad pixels of every frame replaced by the mean, or median, of their good neighbours, lazily.

    The neighbours are the good ones of the 8 pixels around a bad pixel; where all of these are bad, those of the
    smallest square around it that has good ones.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    bad_pixels : bool array (ky, kx), computed signal of that shape, or sequence of (y, x)
        True where a pixel is bad; or the places of bad pixels, numpy order.
    method : {"mean", "median"}, optional
        Of the neighbours. Results of integers are rounded to the nearest whole number, halves up.

    Returns
    -------
    BaseSignal
        Same axes and dtype.

    Raises
    ------
    ValueError
        The mask has another shape than a frame, a place lies outside of it, or no pixel is good.

    Examples
    --------
    >>> d.correct_bad_pixels([(3, 5), (8, 8)]).data.shape
    (4, 4, 16, 16)
    """
    if method not in _METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, _METHODS))}")
    frames = image_frames(signal, "a correction of bad pixels")
    mask = bad_pixel_mask(bad_pixels, frames.frame_shape)
    params = {"bad_pixels": mask, "method": method}
    axes = [*signal.nav_axes, *signal.frame_axes]
    return signal._derive(repaired(frames, mask, method), axes, "correct_bad_pixels", params)


def repaired(frames: Frames, mask: NDArray[np.bool_], method: str = "mean") -> Frames:
    """The stream with the pixels of a mask replaced from their neighbours; see `correct_bad_pixels`."""
    if not mask.any():
        return frames
    dtype = np.dtype(np.uint8) if frames.dtype.kind == "b" else frames.dtype
    table = neighbour_table(mask)
    chosen = (method == "median", dtype.kind in "ui")
    return frames.map_frames(repair.replace_by_neighbours, *table, *chosen, shape=frames.frame_shape, dtype=dtype)


def bad_pixel_mask(bad_pixels: Any, frame_shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask of bad pixels, from a mask or from their places.

    Raises
    ------
    ValueError
        Another shape than a frame has, or places outside of it.

    Examples
    --------
    >>> bad_pixel_mask([(0, 1)], (2, 2)).tolist()
    [[False, True], [False, False]]
    """
    given = known_array(bad_pixels, "a mask of bad pixels")
    if given.shape == frame_shape and (given.dtype == bool or not isinstance(bad_pixels, Sequence)):
        return given.astype(bool)
    places = given.reshape(0, 2).astype(np.int64) if given.size == 0 else given
    if places.ndim != 2 or places.shape[1] != 2 or places.dtype.kind not in "iu":
        raise ValueError(
            f"expected bad pixels as a mask of the frame shape {frame_shape} (numpy order) or as places (y, x), found "
            f"an array of shape {given.shape} and dtype {given.dtype}"
        )
    outside = places[((places < 0) | (places >= frame_shape)).any(axis=1)].tolist()
    if outside:
        raise ValueError(f"bad pixels at {outside[:4]} lie outside of frames of shape {frame_shape} (numpy order)")
    mask = np.zeros(frame_shape, bool)
    mask[tuple(places.T)] = True
    return mask


def neighbour_table(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Bad pixels ``(k, 2)``, where the neighbours of each begin ``(k + 1,)``, and the neighbours ``(all, 2)``.

    Raises
    ------
    ValueError
        No pixel is good.

    Examples
    --------
    >>> bad, starts, neighbours = neighbour_table(np.array([[False, True, False]]))
    >>> bad.tolist(), starts.tolist(), neighbours.tolist()
    ([[0, 1]], [0, 2], [[0, 0], [0, 2]])
    """
    if mask.all():
        raise ValueError(f"all {mask.size} pixels are marked as bad: there is none to replace them from")
    bad = np.argwhere(mask)
    reach = _reach(mask, bad)
    found = []
    for (y, x), r in zip(bad.tolist(), reach.tolist(), strict=True):
        top, left = max(0, y - r), max(0, x - r)
        found.append(np.argwhere(~mask[top : y + r + 1, left : x + r + 1]) + np.array([top, left]))
    starts = np.cumsum([0, *(len(rows) for rows in found)])
    return bad.astype(np.int64), starts.astype(np.int64), np.concatenate(found).astype(np.int64)


def _reach(mask: NDArray[np.bool_], bad: NDArray[np.int64]) -> NDArray[np.int64]:
    """Half side of the smallest square around each bad pixel that holds a good one."""
    rows, columns = mask.shape
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = np.cumsum(np.cumsum(~mask, axis=0), axis=1)
    reach = np.zeros(len(bad), np.int64)
    open_ = np.arange(len(bad))
    r = 0
    while open_.size:
        r += 1
        y, x = bad[open_].T
        top, bottom = np.maximum(y - r, 0), np.minimum(y + r + 1, rows)
        left, right = np.maximum(x - r, 0), np.minimum(x + r + 1, columns)
        good = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left] > 0
        reach[open_[good]] = r
        open_ = open_[~good]
    return reach


def find_dead_pixels(signal: BaseSignal, dead_pixel_value: float = 0) -> BaseSignal:
    """The pixels that have the same value in the mean over all positions: a mask, True where dead, lazily.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    dead_pixel_value : float, optional
        Mean of a dead pixel.

    Returns
    -------
    Signal2D
        Without navigation axes, bool; computed, it can be given to `correct_bad_pixels`.

    Examples
    --------
    >>> d.find_dead_pixels().compute().data.dtype
    dtype('bool')
    """
    mean = signal.mean() if signal.nav_shape else signal
    return mean.map_frames(equals, float(dead_pixel_value), dtype=bool)


def find_hot_pixels(signal: BaseSignal, threshold_multiplier: float = 10.0) -> BaseSignal:
    """The pixels that stand out from their neighbours in the mean over all positions: a mask, True where hot, lazily.

    A pixel is hot where its mean exceeds the second highest of the 8 around it by more than `threshold_multiplier`
    times the square root of that (the noise of so many electrons), or of 1 where that is below 1. Edges of disks are
    not hot, as their pixels have neighbours alike; a beam focused into one pixel is.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    threshold_multiplier : float, optional
        Standard deviations of counting noise of one frame.

    Returns
    -------
    Signal2D
        Without navigation axes, bool; computed, it can be given to `correct_bad_pixels`.

    Examples
    --------
    >>> d.find_hot_pixels().compute().data.any()
    np.False_
    """
    mean = signal.mean() if signal.nav_shape else signal
    return mean.map_frames(stands_out, float(threshold_multiplier), dtype=bool)


def equals(frames: NDArray[Any], value: float, out: NDArray[np.bool_]) -> None:
    """Mark the pixels that have a value."""
    out[...] = frames == value


def stands_out(frames: NDArray[Any], multiplier: float, out: NDArray[np.bool_]) -> None:
    """Mark the pixels that exceed the second highest of their 8 neighbours by `multiplier` times its square root."""
    rows, columns = frames.shape[1:]
    for k, frame in enumerate(np.asarray(frames, np.float64)):
        padded = np.pad(frame, 1, constant_values=-np.inf)
        moved = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
        second = np.sort(np.stack(moved), axis=0)[-2]
        out[k] = np.isfinite(second) & (frame - second > multiplier * np.sqrt(np.maximum(second, 1)))
