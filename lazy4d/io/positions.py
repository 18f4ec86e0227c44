"""Scan positions to frame numbers by a table: random, custom and serpentine scans, positions visited never or often."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import as_range, droppable_axes

_MOST_INT32 = 2**31 - 2  # differences with -1 must fit too


@dataclass(frozen=True, eq=False)
class PositionTable:
    """Frame number of every scan position, one by one; −1 where no frame was recorded.

    Takes the place of a `NavigationMap` where no arithmetic gives the numbers. It costs memory for every position, 4
    bytes for up to 2³¹ frames, and travels compressed.

    Parameters
    ----------
    table : ndarray of integers, shape nav_shape
        Frame numbers, −1 for blanks; kept as int32 or int64.
    selected : bool
        Positions were left out, or taken in another order, since the table was made.

    Examples
    --------
    >>> scan = PositionTable(np.array([[0, -1, 1], [4, 3, 2]]))
    >>> scan.numbers((slice(0, 2), slice(1, 3))).tolist()
    [-1, 1, 3, 2]
    >>> scan.select((slice(1, 2), slice(2, -1, -1))).drop_axes((0,)).numbers((slice(0, 3),)).tolist()
    [2, 3, 4]
    """

    table: NDArray[Any]
    selected: bool = False

    def __post_init__(self) -> None:
        """Keep the table small and unchangeable."""
        wide = self.table.size and int(self.table.max()) > _MOST_INT32
        kept = np.asarray(self.table, np.int64 if wide else np.int32, order="C")  # a single position stays without axes
        if kept is self.table and kept.flags.writeable:
            kept = kept.copy()
        kept.flags.writeable = False
        object.__setattr__(self, "table", kept)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Navigation shape in numpy order."""
        return self.table.shape

    @cached_property
    def step(self) -> int:
        """1 or −1, whichever is the commoner difference between neighbours along the scan."""
        steps = np.diff(self.table.reshape(-1))
        return -1 if np.count_nonzero(steps == -1) > np.count_nonzero(steps == 1) else 1

    @cached_property
    def ascending(self) -> bool:
        """Whether positions are in the order of recording; blanks are in no order."""
        numbers = self.table[self.table >= 0]
        return bool((np.diff(numbers) > 0).all())

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest frame number, −1 for blanks included; (0, -1) when there is no position."""
        return (int(self.table.min()), int(self.table.max())) if self.table.size else (0, -1)

    @cached_property
    def identity(self) -> tuple[Any, ...]:
        """What tells this table from another, as plain values that hash alike in every process."""
        little = self.table.astype(self.table.dtype.newbyteorder("<"), copy=False)
        digest = hashlib.blake2b(little.tobytes(), digest_size=16).hexdigest()
        return ("table", self.nav_shape, digest)

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
        return self.table[tuple(box)].astype(np.int64).reshape(-1)

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> PositionTable:
        """The table of a selection; see `lazy4d.io.navigation.NavigationMap.select`.

        Raises
        ------
        ValueError
            The number of slices or the shape of the mask does not fit.
        """
        if len(items) == 1 and isinstance(items[0], np.ndarray) and items[0].dtype == bool:
            mask = items[0]
            if mask.shape != self.nav_shape:
                raise ValueError(
                    f"a boolean navigation mask must have the navigation shape {self.nav_shape}, found {mask.shape}"
                )
            return PositionTable(self.table[mask], selected=True)
        if len(items) != self.table.ndim:
            raise ValueError(
                f"expected one slice for each of the {self.table.ndim} navigation axes, found {len(items)}"
            )
        ranges = [as_range(item, length) for item, length in zip(items, self.nav_shape, strict=True)]
        selected = self.selected or any(r != range(n) for r, n in zip(ranges, self.nav_shape, strict=True))
        return PositionTable(self.table[tuple(_as_slice(r) for r in ranges)], selected)

    def drop_axes(self, axes: Sequence[int]) -> PositionTable:
        """The table without the given navigation axes, which must have length 1.

        Raises
        ------
        ValueError
            An axis is longer than 1, or there is no such axis.
        """
        gone = droppable_axes(self.nav_shape, axes)
        return PositionTable(self.table.squeeze(tuple(gone)), self.selected) if gone else self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as differences, compressed: rows visited in order take next to nothing."""
        steps = np.diff(self.table.reshape(-1), prepend=self.table.dtype.type(0))
        return _unpack_table, (zlib.compress(steps.tobytes(), 1), self.table.dtype.str, self.nav_shape, self.selected)


def _as_slice(chosen: range) -> slice:
    if not len(chosen):
        return slice(0, 0)
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)


def _unpack_table(packed: bytes, dtype: str, shape: tuple[int, ...], selected: bool) -> PositionTable:
    steps = np.frombuffer(zlib.decompress(packed), dtype)
    return PositionTable(np.cumsum(steps, dtype=np.int64).reshape(shape), selected)
