"""Frames of repeated scans at other positions: each scan moved by whole positions, no pixel copied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames, damage

Box = tuple[slice, slice]


def common_box(shifts: NDArray[np.int64], shape: tuple[int, int]) -> Box:
    """The positions (rows, columns) at which every scan moved by whole positions [t, 2] has a frame; may be empty.

    Examples
    --------
    >>> common_box(np.array([[0, 0], [2, -3]]), (8, 8))
    (slice(2, 8, None), slice(0, 5, None))
    """
    low, high = np.maximum(shifts.max(axis=0), 0), np.minimum(shifts.min(axis=0), 0)
    return tuple(  # type: ignore[return-value]  # two of them
        slice(int(a), max(int(a), n + int(b))) for a, b, n in zip(low, high, shape, strict=True)
    )


def frame_numbers(shifts: NDArray[np.int64], shape: tuple[int, int], box: Box) -> NDArray[np.int64]:
    """Which frame stands at each position of `box` once scan t is moved by ``shifts[t]``; -1 for none.

    Frames count in C order over ``[t, y, x]``.

    Examples
    --------
    >>> frame_numbers(np.array([[0, 0], [0, 1]]), (1, 3), (slice(0, 1), slice(0, 3))).tolist()
    [[[0, 1, 2]], [[-1, 3, 4]]]
    """
    rows, columns = shape
    y = np.arange(box[0].start, box[0].stop) - shifts[:, 0, None]
    x = np.arange(box[1].start, box[1].stop) - shifts[:, 1, None]
    inside = ((y >= 0) & (y < rows))[:, :, None] & ((x >= 0) & (x < columns))[:, None, :]
    first = np.arange(len(shifts))[:, None, None] * (rows * columns)
    return np.where(inside, first + y[:, :, None] * columns + x[:, None, :], -1)


def moved_frames(frames: Frames, shifts: NDArray[np.int64], box: Box) -> Frames:
    """The stream ``[t, y, x]`` with scan t moved by whole positions, cut to `box`; where nothing was scanned, invalid.

    Parameters
    ----------
    frames : Frames
        With three navigation axes.
    shifts : ndarray of int64 [t, 2]
        (dy, dx) of each scan.
    box : tuple of slice
        Rows and columns of the result, in positions of the reference.

    Notes
    -----
    Frames of a file are found by their numbers: nothing but a table of these is added. Those of an array are put
    together from slices of it.

    Examples
    --------
    >>> stream = Frames.from_array(np.arange(12).reshape(2, 2, 3, 1, 1), 3)
    >>> moved_frames(stream, np.array([[0, 0], [0, 1]]), (slice(0, 2), slice(1, 3))).data[1, :, :, 0, 0].compute()
    array([[ 6,  7],
           [ 9, 10]])
    """
    rows, columns = frames.nav_shape[1:]
    numbers = frame_numbers(shifts, (rows, columns), box)
    blank = bool((numbers < 0).any())
    policy = "nan" if blank and frames.incomplete == "raise" else frames.incomplete

    def moved(array: Any) -> Any:
        return moved_array(array, shifts, box)

    if frames.is_array:
        source = frames.source
        valid = source.valid
        if blank and valid is None:
            valid = frames.valid
        array = moved(source.array)
        made = Frames.from_array(array, 3)
        if valid is not None:
            made = Frames.from_array(array, 3, valid=moved(valid).rechunk(made.chunks), incomplete=policy)
        made = made.rechunk("auto")
    else:
        made = _of_file(frames, numbers, policy if blank else None)
    stages = tuple(
        stage.with_params(lambda a: moved(a).rechunk((*made.chunks, *((n,) for n in a.shape[3:]))))
        for stage in frames.stages
    )
    return replace(made, stages=stages)


def _of_file(frames: Frames, numbers: NDArray[np.int64], policy: str | None) -> Frames:
    """Frames of a file by their numbers."""
    from lazy4d.io.positions import PositionTable
    from lazy4d.io.rearranged import Rearrangeable, RearrangedFrames

    inner = frames.source.source
    made: Any
    if isinstance(inner, Rearrangeable):
        recorded = inner.navigation.numbers(tuple(slice(0, n) for n in frames.nav_shape))
        table = PositionTable(np.where(numbers < 0, -1, recorded[numbers]), selected=True)
        made = inner.rearranged(table, policy)
    else:
        table = PositionTable(numbers, selected=True)
        made = RearrangedFrames(inner, table, policy or "raise")  # type: ignore[arg-type]  # a table serves as a map
    if policy is not None and frames.incomplete == "raise":
        damage.loaded(made, told=True)  # nothing is damaged: some places were not scanned
    return Frames.from_source(made)


def moved_array(array: Any, shifts: NDArray[np.int64], box: Box) -> Any:
    """A dask array ``[t, y, x, ...]`` with each ``array[t]`` moved by whole positions and cut to `box`; 0 outside.

    Examples
    --------
    >>> stream = Frames.from_array(np.ones((1, 2, 3)), 3)
    >>> moved_array(stream.data, np.array([[0, 1]]), (slice(0, 2), slice(0, 3))).compute().tolist()
    [[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]
    """
    parts = []
    for t, shift in enumerate(shifts.tolist()):
        cut, pads = [], []
        for item, by, size in zip(box, shift, array.shape[1:3], strict=True):
            start, stop = item.start - by, item.stop - by
            low, high = min(max(start, 0), size), max(min(stop, size), 0)
            high = max(low, high)
            before = min(max(low - start, 0), item.stop - item.start)
            cut.append(slice(low, high))
            pads.append((before, item.stop - item.start - before - (high - low)))
        if any(one.stop == one.start for one in cut):
            nothing: Any = np.zeros_like(array, shape=(1, *(one.stop - one.start for one in box), *array.shape[3:]))
            parts.append(nothing.rechunk(dict.fromkeys(range(3, array.ndim), -1)))
            continue
        part = array[(slice(t, t + 1), *cut)]
        if any(a or b for a, b in pads):
            part = np.pad(part, [(0, 0), *pads, *[(0, 0)] * (array.ndim - 3)])
        parts.append(part)
    return np.concatenate(parts, axis=0)
