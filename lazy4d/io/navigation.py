"""Scan positions to frame numbers: offset arithmetic that slices, steps and masks without a table of positions."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES_PER_COUNT = 1024  # one running count per 8192 positions: small to send, quick to scan
_BITS_IN_BYTE = np.array([bin(value).count("1") for value in range(256)], np.int64)


@dataclass(frozen=True, eq=False)
class PackedMask:
    """Chosen positions of a flattened scan, one bit each, with running counts to find the n-th quickly.

    Parameters
    ----------
    bits : ndarray of uint8
        Positions in scan order, packed eight a byte, first position in the highest bit (`numpy.packbits`).
    before : ndarray of int64
        Chosen positions before each group of 8192; the last entry is their total.

    Examples
    --------
    >>> mask = PackedMask.from_bool(np.array([False, True, True, False, True]))
    >>> mask.count, mask.positions(1, 3).tolist()
    (3, [2, 4])
    """

    bits: NDArray[np.uint8]
    before: NDArray[np.int64]

    @classmethod
    def from_bool(cls, mask: NDArray[np.bool_]) -> PackedMask:
        """The packed form of a boolean array of any shape, flattened in C order."""
        bits = np.packbits(np.ravel(mask))
        starts = np.arange(0, bits.size, _BYTES_PER_COUNT)
        sums = np.add.reduceat(_BITS_IN_BYTE[bits], starts) if bits.size else np.zeros(0, np.int64)
        return cls(bits, np.concatenate([np.zeros(1, np.int64), np.cumsum(sums)]))

    @property
    def count(self) -> int:
        """Number of chosen positions."""
        return int(self.before[-1])

    @property
    def digest(self) -> str:
        """Hash of the chosen positions, the same in every process."""
        return hashlib.blake2b(self.bits.tobytes(), digest_size=16).hexdigest()

    def positions(self, start: int, stop: int) -> NDArray[np.int64]:
        """Flat positions of the chosen ones numbered ``[start, stop)``, ascending, int64."""
        if stop <= start:
            return np.zeros(0, np.int64)
        first = int(np.searchsorted(self.before, start, side="right")) - 1
        last = int(np.searchsorted(self.before, stop, side="left"))
        group = self.bits[first * _BYTES_PER_COUNT : last * _BYTES_PER_COUNT]
        found = np.flatnonzero(np.unpackbits(group)) + first * _BYTES_PER_COUNT * 8
        skipped = start - int(self.before[first])
        return found[skipped : skipped + stop - start].astype(np.int64, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled compressed: the mask of a region is a few hundred bytes."""
        return _unpack_mask, (zlib.compress(self.bits.tobytes(), 1), self.before)


def _unpack_mask(packed: bytes, before: NDArray[np.int64]) -> PackedMask:
    return PackedMask(np.frombuffer(zlib.decompress(packed), np.uint8), before)


@dataclass(frozen=True, eq=False)
class NavigationMap:
    r"""Frame number of every scan position, :math:`base + \sum_d index_d \, stride_d`, all or chosen by a mask.

    Numbers outside the frames that exist mean a blank: negative ones where blanks were inserted before the scan.

    Parameters
    ----------
    shape : tuple of int
        Navigation shape in numpy order, before the mask.
    base : int
        Frame number at index 0 of every axis.
    strides : tuple of int
        Frame numbers per step along each axis; flyback frames make the row stride longer than the row.
    mask : PackedMask or None
        Chosen positions of the flattened `shape`; navigation is then one-dimensional.
    ranks : tuple of int
        With a mask: (first, step, count) among the chosen positions.

    Examples
    --------
    >>> scan = NavigationMap.raster((2, 3), first=10, flyback=1)
    >>> scan.numbers((slice(0, 2), slice(0, 3))).tolist()
    [10, 11, 12, 14, 15, 16]
    >>> scan.select((slice(0, 2), slice(2, -1, -1))).numbers((slice(0, 1), slice(0, 3))).tolist()
    [12, 11, 10]
    """

    shape: tuple[int, ...]
    base: int
    strides: tuple[int, ...]
    mask: PackedMask | None = None
    ranks: tuple[int, int, int] = (0, 1, 0)

    @classmethod
    def raster(cls, shape: Sequence[int], *, first: int = 0, flyback: int = 0) -> NavigationMap:
        """The map of a scan stored line by line.

        Parameters
        ----------
        shape : sequence of int
            Navigation shape, fastest axis last.
        first : int
            Frame number of the first position; negative: that many blanks come first.
        flyback : int
            Frames to leave out after each line.
        """
        strides = []
        step = 1
        for axis in reversed(range(len(shape))):
            strides.append(step)
            step *= shape[axis] + (flyback if axis == len(shape) - 1 else 0)
        return cls(tuple(int(n) for n in shape), int(first), tuple(reversed(strides)))

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Navigation shape in numpy order; one-dimensional once positions were chosen by a mask."""
        return self.shape if self.mask is None else (self.ranks[2],)

    @property
    def step(self) -> int:
        """Frame numbers between neighbours along the fastest axis that has neighbours; never 0."""
        if self.mask is None:
            for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
                if length > 1 and stride:
                    return stride
        return 1 if self.mask is None or self.ranks[1] > 0 else -1

    @property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest frame number, of `shape` before a mask; (0, -1) when there is none."""
        if 0 in self.nav_shape:
            return 0, -1
        reach = [(length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True)]
        return self.base + sum(r for r in reach if r < 0), self.base + sum(r for r in reach if r > 0)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells this map from another, as plain values that hash alike in every process."""
        return (self.shape, self.base, self.strides, self.mask.digest if self.mask else None, self.ranks)

    def numbers(self, box: Sequence[slice]) -> NDArray[np.int64]:
        """Frame numbers of the positions in a box, flattened in C order.

        Parameters
        ----------
        box : sequence of slice
            Plain ``slice(start, stop)`` per navigation axis.

        Returns
        -------
        ndarray of int64, shape (positions,)
        """
        if self.mask is None:
            total = np.array(self.base, np.int64)
            for length, stride, part in zip(self.shape, self.strides, box, strict=True):
                start, stop, _ = part.indices(length)
                total = np.asarray(np.add.outer(total, np.arange(start, max(start, stop), dtype=np.int64) * stride))
            return total.reshape(-1)
        start, stop, _ = box[0].indices(self.ranks[2])
        flat = self._chosen(start, max(start, stop))
        result = np.full(flat.shape, self.base, np.int64)
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            flat, index = np.divmod(flat, length)
            result += index * stride
        return result

    def _chosen(self, start: int, stop: int) -> NDArray[np.int64]:
        """Flat positions in `shape` of the entries [start, stop) of the masked navigation, in their order."""
        if self.mask is None or stop <= start:
            return np.zeros(0, np.int64)
        first, step, _ = self.ranks
        ends = (first + step * start, first + step * (stop - 1))
        run = self.mask.positions(min(ends), max(ends) + 1)
        return run[::step] if step > 0 else run[::-1][::-step]

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> NavigationMap:
        """The map of a selection, without touching positions one by one.

        Parameters
        ----------
        items : sequence of slice, or one boolean array of `nav_shape`
            One slice per navigation axis with ``start, stop, step`` already in range (a negative step may end at −1, as
            `slice.indices` gives it; None is filled in), or a single mask: navigation becomes one-dimensional, in
            scan order.

        Raises
        ------
        ValueError
            The number of slices or the shape of the mask does not fit.
        """
        if len(items) == 1 and isinstance(items[0], np.ndarray) and items[0].dtype == bool:
            return self._choose(items[0])
        if len(items) != len(self.nav_shape):
            raise ValueError(
                f"expected one slice for each of the {len(self.nav_shape)} navigation axes, found {len(items)}"
            )
        ranges = [as_range(item, length) for item, length in zip(items, self.nav_shape, strict=True)]
        if self.mask is not None:
            first, step, _ = self.ranks
            only = ranges[0]
            return replace(self, ranks=(first + step * only.start, step * only.step, len(only)))
        return NavigationMap(
            tuple(len(r) for r in ranges),
            self.base + sum(r.start * stride for r, stride in zip(ranges, self.strides, strict=True) if len(r)),
            # The step of a slice with one entry may be anything, also a number that no frame number can hold.
            tuple(r.step * stride if len(r) > 1 else stride for r, stride in zip(ranges, self.strides, strict=True)),
        )

    def _choose(self, mask: NDArray[np.bool_]) -> NavigationMap:
        if mask.shape != self.nav_shape:
            raise ValueError(
                f"a boolean navigation mask must have the navigation shape {self.nav_shape}, found {mask.shape}"
            )
        if self.mask is None:
            packed = PackedMask.from_bool(mask)
            return replace(self, mask=packed, ranks=(0, 1, packed.count))
        chosen = np.zeros(math.prod(self.shape), bool)
        chosen[self._chosen(0, self.ranks[2])[mask]] = True
        packed = PackedMask.from_bool(chosen)
        ranks = (0, 1, packed.count) if self.ranks[1] > 0 else (packed.count - 1, -1, packed.count)
        return replace(self, mask=packed, ranks=ranks)

    def drop_axes(self, axes: Sequence[int]) -> NavigationMap:
        """The map without the given navigation axes, which must have length 1.

        Raises
        ------
        ValueError
            An axis is longer than 1, or there is no such axis.
        """
        shape = self.nav_shape
        gone = droppable_axes(shape, axes)
        if not gone:
            return self
        if self.mask is not None:
            return NavigationMap((), int(self.numbers((slice(0, 1),))[0]), ())
        kept = [axis for axis in range(len(shape)) if axis not in gone]
        return NavigationMap(tuple(self.shape[a] for a in kept), self.base, tuple(self.strides[a] for a in kept))


def droppable_axes(shape: tuple[int, ...], axes: Sequence[int]) -> set[int]:
    """The axes, counted from 0, that are to be dropped from a navigation shape.

    Raises
    ------
    ValueError
        An axis is longer than 1, or there is no such axis.

    Examples
    --------
    >>> droppable_axes((1, 4, 1), (-1, 0))
    {0, 2}
    """
    gone = {axis + len(shape) if axis < 0 else axis for axis in axes}
    for axis in gone:
        if not 0 <= axis < len(shape) or shape[axis] != 1:
            raise ValueError(
                f"only navigation axes of length 1 can be dropped: axis {axis} of navigation shape {shape}"
            )
    return gone


def as_range(item: slice | NDArray[np.bool_], length: int) -> range:
    """The indices that a slice with bounds already in range takes of an axis; None is filled in.

    Raises
    ------
    ValueError
        A mask, or a slice that leaves the axis.

    Examples
    --------
    >>> as_range(slice(3, -1, -2), 4)
    range(3, -1, -2)
    """
    if not isinstance(item, slice):
        raise ValueError(
            f"a boolean mask must be the only item of a selection, found it with others (axis length {length})"
        )
    step = 1 if item.step is None else int(item.step)
    if item.start is None or item.stop is None:
        return range(*item.indices(length))
    chosen = range(int(item.start), int(item.stop), step)
    if len(chosen) and not (0 <= chosen[0] < length and 0 <= chosen[-1] < length):
        raise ValueError(f"slice {item} leaves an axis of length {length}; slices must be in range here")
    return chosen
