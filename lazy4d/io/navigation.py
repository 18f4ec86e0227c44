"""Scan positions to frame numbers: offset arithmetic that slices, steps and masks without a table of positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.position_mask import PackedMask
from lazy4d.io.turns import Turns

__all__ = ["NavigationMap", "PackedMask", "Turns", "as_range", "droppable_axes"]


@dataclass(frozen=True, eq=False)
class NavigationMap:
    r"""Frame number of every scan position, :math:`base + \sum_d index_d \, stride_d`, all or chosen by a mask.

    Numbers outside the frames that exist mean a blank: negative ones where blanks were inserted before the scan.
    With `turns`, every second row is run through backwards.

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
    turns : Turns or None
        Rows that run backwards.
    selected : bool
        Positions were left out, or taken in another order, since the map was made.

    Examples
    --------
    >>> scan = NavigationMap.raster((2, 3), first=10, flyback=1)
    >>> scan.numbers((slice(0, 2), slice(0, 3))).tolist()
    [10, 11, 12, 14, 15, 16]
    >>> NavigationMap.raster((2, 3), serpentine=True).numbers((slice(0, 2), slice(0, 3))).tolist()
    [0, 1, 2, 5, 4, 3]
    >>> scan.select((slice(0, 2), slice(2, -1, -1))).numbers((slice(0, 1), slice(0, 3))).tolist()
    [12, 11, 10]
    """

    shape: tuple[int, ...]
    base: int
    strides: tuple[int, ...]
    mask: PackedMask | None = None
    ranks: tuple[int, int, int] = (0, 1, 0)
    turns: Turns | None = None
    selected: bool = False

    @classmethod
    def raster(
        cls,
        shape: Sequence[int],
        *,
        first: int = 0,
        flyback: int = 0,
        serpentine: bool = False,
        line_axes: tuple[int, int] = (-2, -1),
    ) -> NavigationMap:
        """The map of a scan stored line by line.

        Parameters
        ----------
        shape : sequence of int
            Navigation shape, fastest axis last.
        first : int
            Frame number of the first position; negative: that many blanks come first.
        flyback : int
            Frames to leave out after each line.
        serpentine : bool
            Every second line, the second one first, was scanned backwards; its flyback frames are still its last ones.
        line_axes : (int, int)
            The axis of the lines and the one along them, where a scan has more than these two.

        Raises
        ------
        ValueError
            A serpentine scan without lines.
        """
        strides = []
        step = 1
        for axis in reversed(range(len(shape))):
            strides.append(step)
            step *= shape[axis] + (flyback if axis == len(shape) - 1 else 0)
        plain = cls(tuple(int(n) for n in shape), int(first), tuple(reversed(strides)))
        return plain.serpentine(line_axes) if serpentine else plain

    def serpentine(self, line_axes: tuple[int, int] = (-2, -1)) -> NavigationMap:
        """The map with every second line, the second one first, run through backwards.

        Parameters
        ----------
        line_axes : (int, int)
            The axis of the lines and the one along them.

        Raises
        ------
        ValueError
            There are no lines, or positions were selected.
        """
        if self.mask is not None or self.turns is not None or len(self.shape) < 2:
            raise ValueError(
                f"a serpentine scan has lines that are run through in turn: expected a whole scan of at least two "
                f"axes, found navigation shape {self.nav_shape}"
            )
        row, column = (axis % len(self.shape) for axis in line_axes)
        return replace(self, turns=Turns(row, column, (self.shape[column] - 1) * self.strides[column]))

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
        if self.turns is None:
            return self.base + sum(r for r in reach if r < 0), self.base + sum(r for r in reach if r > 0)
        # Rows of either direction are linear by themselves: the extremes are at the ends of each.
        rows, columns = self._line_numbers(self.turns)
        ends = (self.base + rows + columns).reshape(-1)
        rest = [r for axis, r in enumerate(reach) if axis not in (self.turns.row_axis, self.turns.column_axis)]
        return int(ends.min()) + sum(r for r in rest if r < 0), int(ends.max()) + sum(r for r in rest if r > 0)

    def _line_numbers(self, turns: Turns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the ends of the first and last rows of both directions, as two arrays to be added."""
        last = self.shape[turns.row_axis] - 1
        row = np.array(sorted({0, min(1, last), max(0, last - 1), last}), np.int64)[:, None]
        if turns.column_axis is None:
            return row * self.strides[turns.row_axis], turns.added(row, 0, 0)
        stride = self.strides[turns.column_axis]
        column = np.array([0, self.shape[turns.column_axis] - 1], np.int64)
        return row * self.strides[turns.row_axis], column * stride + turns.added(row, column, stride)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells this map from another, as plain values that hash alike in every process."""
        plain = (self.shape, self.base, self.strides, self.mask.digest if self.mask else None, self.ranks)
        return plain if self.turns is None else (*plain, astuple(self.turns))

    @property
    def ascending(self) -> bool:
        """Whether frame numbers grow from each position to the next: positions are in the order of recording."""
        if self.turns is not None or self.ranks[1] < 0:
            return False
        span = 0
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length > 1 and stride <= span:
                return False
            span += (length - 1) * stride
        return True

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
            return (total if self.turns is None else total + self._turned(self.turns, box)).reshape(-1)
        start, stop, _ = box[0].indices(self.ranks[2])
        flat = self._chosen(start, max(start, stop))
        result = np.full(flat.shape, self.base, np.int64)
        places = {}
        for axis in reversed(range(len(self.shape))):
            flat, places[axis] = np.divmod(flat, self.shape[axis])
            result += places[axis] * self.strides[axis]
        if self.turns is not None:
            column, row = self.turns.column_axis, places[self.turns.row_axis]
            at, stride = (0, 0) if column is None else (places[column], self.strides[column])
            result += self.turns.added(row, at, stride)
        return result

    def _turned(self, turns: Turns, box: Sequence[slice]) -> NDArray[np.int64]:
        """What is to be added in a box for rows that run backwards, broadcast over its axes."""
        ndim = len(self.shape)

        def along(axis: int) -> NDArray[np.int64]:
            start, stop, _ = box[axis].indices(self.shape[axis])
            return np.arange(start, max(start, stop), dtype=np.int64).reshape((-1,) + (1,) * (ndim - 1 - axis))

        column = turns.column_axis
        if column is None:
            return turns.added(along(turns.row_axis), 0, 0)
        return turns.added(along(turns.row_axis), along(column), self.strides[column])

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
            return replace(self, ranks=(first + step * only.start, step * only.step, len(only)), selected=True)
        whole = all(r == range(length) for r, length in zip(ranges, self.shape, strict=True))
        return NavigationMap(
            tuple(len(r) for r in ranges),
            self.base + sum(r.start * stride for r, stride in zip(ranges, self.strides, strict=True) if len(r)),
            # The step of a slice with one entry may be anything, also a number that no frame number can hold.
            tuple(r.step * stride if len(r) > 1 else stride for r, stride in zip(ranges, self.strides, strict=True)),
            turns=None if self.turns is None else self._select_turns(self.turns, ranges),
            selected=self.selected or not whole,
        )

    def _select_turns(self, turns: Turns, ranges: Sequence[range]) -> Turns:
        row, column, turn = ranges[turns.row_axis], turns.column_axis, turns.turn
        if column is not None and len(ranges[column]):
            turn -= 2 * ranges[column].start * self.strides[column]
        odd = (turns.odd + (row.start if len(row) else 0) * turns.every) & 1
        return replace(turns, turn=turn, odd=odd, every=turns.every & (row.step if len(row) > 1 else 0))

    def _choose(self, mask: NDArray[np.bool_]) -> NavigationMap:
        if mask.shape != self.nav_shape:
            raise ValueError(
                f"a boolean navigation mask must have the navigation shape {self.nav_shape}, found {mask.shape}"
            )
        if self.mask is None:
            packed = PackedMask.from_bool(mask)
            return replace(self, mask=packed, ranks=(0, 1, packed.count), selected=True)
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
            return NavigationMap((), int(self.numbers((slice(0, 1),))[0]), (), selected=True)
        kept = [axis for axis in range(len(shape)) if axis not in gone]
        base, strides, turns = self.base, list(self.strides), self.turns
        if turns is not None and turns.row_axis in gone:
            if turns.odd:
                base += turns.turn
                if turns.column_axis is not None:
                    strides[turns.column_axis] = -strides[turns.column_axis]
            turns = None
        if turns is not None:
            column = None if turns.column_axis in gone or turns.column_axis is None else kept.index(turns.column_axis)
            turns = replace(turns, row_axis=kept.index(turns.row_axis), column_axis=column)
        shape, steps = tuple(self.shape[a] for a in kept), tuple(strides[a] for a in kept)
        return NavigationMap(shape, base, steps, turns=turns, selected=self.selected)


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
