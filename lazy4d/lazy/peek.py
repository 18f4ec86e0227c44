"""Lazy results at a few positions, at once and in the calling thread: what viewers show while they are moved about."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.frames import Frames
from lazy4d.lazy.lift import Walk
from lazy4d.lazy.peek_arrays import ArrayReader, Held, Reading
from lazy4d.lazy.peek_shared import SharedValues
from lazy4d.lazy.peek_walks import EndedWalk, WalkReader, ended_walk
from lazy4d.lazy.ragged_ending import unboxed

Box = tuple[slice, ...]


class Peek:
    """Lazy results evaluated at any box of positions, in the calling thread: only the bytes of that box are read.

    Parameters
    ----------
    *results : dask array, Frames or ndarray
        Results over one scan: frames, virtual images, positions of the beam, reductions over the scan, arithmetic on
        any of these, arrays of your own. Those that come from one source are evaluated in one walk.
    nav_ndim : int, optional
        Number of navigation axes, where no result tells: by default all axes but the last two.

    Attributes
    ----------
    nav_shape : tuple of int
        Positions along each navigation axis, numpy order.

    Raises
    ------
    ValueError
        The results are of different scans.

    Notes
    -----
    The values are those of ``array[box].compute()``. What all positions need in common, such as a plane fitted to the
    whole scan, is computed once, kept for all peeks of the process, and may take a pass over the file: see
    `needs_whole_scan`. Damaged frames are zero as in ``.data``; `valid` tells which they are. Several threads may use
    one at a time.

    Examples
    --------
    >>> peek = Peek(d.frames, d.sum().data)
    >>> frames, total = peek((slice(0, 1), slice(2, 4)))
    >>> frames.shape, bool((frames.sum(axis=(0, 1)) == total).all())
    ((1, 2, 16, 16), True)
    >>> peek.at((3, 0))[0].shape
    (16, 16)
    """

    def __init__(self, *results: da.Array | Frames | NDArray[Any], nav_ndim: int | None = None) -> None:
        if not results:
            raise ValueError("expected at least one lazy array to look at, found none")
        arrays: list[Any] = []
        self._frames: Frames | None = None
        for result in results:
            if isinstance(result, Frames):
                self._frames = self._frames or result
                arrays.append(result.data)
            elif isinstance(result, da.Array | np.ndarray):
                arrays.append(result)
            else:
                raise TypeError(f"expected lazy arrays or Frames, found {type(result).__name__}: give signal.frames")
        ndim = len(self._frames.nav_shape) if self._frames is not None else nav_ndim
        ended = [_ended(array, ndim) for array in arrays]
        self.nav_shape: tuple[int, ...] = _nav_shape(arrays, ended, self._frames, nav_ndim)
        self._readers: list[tuple[list[int], WalkReader | ArrayReader | Held]] = []
        grouped: dict[tuple[Any, ...], list[int]] = {}
        for k, found in enumerate(ended):
            key = ("array", k) if found is None else ("walk", found.walk.source.token, found.factors)
            grouped.setdefault(key, []).append(k)
        for key, members in grouped.items():
            if key[0] == "walk":
                together = [one for one in (ended[k] for k in members) if one is not None]
                self._readers.append((members, WalkReader(together)))
            else:
                array = arrays[members[0]]
                self._readers.append((members, ArrayReader(array) if isinstance(array, da.Array) else Held(array)))
        self._valid = self._validity([one.walk for one in ended if one is not None])
        self._shared = SharedValues.of([reader for _, reader in self._readers])

    def _validity(self, walks: list[Walk]) -> list[Any]:
        """What tells which positions are valid: readers of bool arrays."""
        if self._frames is not None:
            if self._frames.incomplete == "raise":
                return []
            return [ArrayReader.of(self._frames.valid)]
        found: dict[str, Any] = {}
        for walk in walks:
            source = walk.source
            if tuple(source.nav_shape) != self.nav_shape or source.token in found:
                continue
            if source.array is None and source.incomplete != "raise":
                found[source.token] = ArrayReader.of(Frames(source, walk.chunks).valid)
            elif source.array is not None and source.valid is not None:
                found[source.token] = ArrayReader.of(source.valid)
        return list(found.values())

    @property
    def needs_whole_scan(self) -> bool:
        """Whether the next call computes something from the whole scan first, which may take a pass over the file."""
        return self._shared.costly

    def prepare(self, check: Callable[[], None] | None = None) -> None:
        """Compute now what all positions need in common.

        Parameters
        ----------
        check : callable, optional
            Called after each block; an exception of it ends the computation.
        """
        self._shared.prepare(check)

    def __call__(self, box: Sequence[slice]) -> tuple[Any, ...]:
        """The results for the positions of a box, one slice for each navigation axis, numpy order.

        Returns
        -------
        tuple of ndarray
            One for each result: ``[box..., *frame]`` where there is one for each position; of the positions of the
            box only for reductions. Of results that give some entries for each frame, a `RaggedFrames`.

        Raises
        ------
        ValueError
            The box is not one of this scan.
        """
        whole = self._checked(box)
        reading = Reading(self._shared)
        found: dict[int, Any] = {}
        for members, reader in self._readers:
            values = reader.read_all(whole, reading)
            found.update(zip(members, values, strict=True))
        return tuple(unboxed(v) if v.dtype == object else v for v in (found[k] for k in range(len(found))))

    def at(self, position: Sequence[int]) -> tuple[Any, ...]:
        """The results for one position, numpy order, without navigation axes."""
        if len(position) != len(self.nav_shape):
            raise ValueError(
                f"expected {len(self.nav_shape)} indices for a scan of shape {self.nav_shape} (numpy order), found "
                f"{tuple(position)!r}"
            )
        box = tuple(slice(int(i), int(i) + 1) for i in position)
        values = self(box)
        results = []
        for value, per_position in zip(values, self._per_position(), strict=True):
            results.append(value[(0,) * len(box)] if per_position else value)
        return tuple(results)

    def _per_position(self) -> list[bool]:
        flags: dict[int, bool] = {}
        for members, reader in self._readers:
            flags.update(zip(members, reader.per_position, strict=True))
        return [flags[k] for k in range(len(flags))]

    def valid(self, box: Sequence[slice]) -> NDArray[np.bool_] | None:
        """Which positions of a box hold an undamaged frame, bool ``[box...]``; None where no damage is tolerated."""
        whole = self._checked(box)
        if not self._valid:
            return None
        reading = Reading(self._shared)
        parts = [np.asarray(reader.read_all(whole, reading)[0], bool) for reader in self._valid]
        return np.logical_and.reduce(parts)

    def _checked(self, box: Sequence[slice]) -> Box:
        if len(box) != len(self.nav_shape):
            raise ValueError(
                f"expected {len(self.nav_shape)} slices for a scan of shape {self.nav_shape} (numpy order), found "
                f"{tuple(box)!r}"
            )
        found = []
        for item, n in zip(box, self.nav_shape, strict=True):
            start = 0 if item.start is None else int(item.start)
            stop = n if item.stop is None else int(item.stop)
            if not 0 <= start < stop <= n or item.step not in (None, 1):
                raise ValueError(
                    f"expected slices of step 1 within a scan of shape {self.nav_shape} (numpy order), found "
                    f"{tuple(box)!r}"
                )
            found.append(slice(start, stop))
        return tuple(found)


def _ended(array: Any, nav_ndim: int | None) -> EndedWalk | None:
    """The walk that an array is a result of, if that is over the same axes."""
    found = ended_walk(array) if isinstance(array, da.Array) else None
    return None if found is None or nav_ndim not in (None, len(found.nav_shape)) else found


def _nav_shape(arrays: list[Any], ended: list[Any], frames: Frames | None, nav_ndim: int | None) -> tuple[int, ...]:
    """The scan that all results share."""
    shapes = {one.nav_shape for one in ended if one is not None}
    if frames is not None:
        shapes.add(frames.nav_shape)
    if len(shapes) > 1:
        raise ValueError(f"expected results over one scan, found scans of shapes {sorted(shapes)} (numpy order)")
    if shapes:
        (shape,) = shapes
    else:
        ndim = max(0, arrays[0].ndim - 2) if nav_ndim is None else nav_ndim
        shape = tuple(arrays[0].shape[:ndim])
    for array, one in zip(arrays, ended, strict=True):
        if one is None and tuple(array.shape[: len(shape)]) != shape:
            raise ValueError(
                f"expected results over one scan of shape {shape} (numpy order), found an array of shape {array.shape}"
            )
    return shape


def positions_of(box: Sequence[slice]) -> int:
    """How many positions a box holds.

    Examples
    --------
    >>> positions_of((slice(0, 2), slice(3, 6)))
    6
    """
    return math.prod(item.stop - item.start for item in box)
