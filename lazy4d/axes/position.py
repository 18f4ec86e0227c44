"""Where in the scan a viewer stands: index, indices and coordinates, which can be set and observed."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from traits.api import HasPrivateTraits, Property

from lazy4d.axes.axis import Axis
from lazy4d.axes.traits import check_index


class ScanPosition(HasPrivateTraits):
    """The scan position shown; each of its three forms fires once for a move, also where several axes change."""

    indices: tuple[int, ...] = Property()
    """Scan position shown, x-first; assign a tuple of ints to move there."""
    index: int = Property()
    """Scan position shown, as its number in scan order (x runs fastest)."""
    coordinates: tuple[float, ...] = Property()
    """Scan position shown in axis units, x-first; assign values or strings with units to move to the nearest."""

    def _follow(self, axes: tuple[Axis, ...]) -> None:
        """Take the navigation axes, x-first, whose indices make the position."""
        self._scan_axes = axes
        self._scan_shape = tuple(axis.size for axis in reversed(axes))
        self._position = self.indices
        self._moving = False
        for axis in axes:
            axis.observe(self._moved, "index")

    def iterate_positions(self) -> Iterator[tuple[int, ...]]:
        """Move through all scan positions in scan order, and yield `indices` at each.

        Examples
        --------
        >>> from lazy4d.axes import AxesManager
        >>> list(AxesManager.from_shapes((2, 2), (8, 8)).iterate_positions())
        [(0, 0), (1, 0), (0, 1), (1, 1)]
        """
        for position in np.ndindex(*self._scan_shape):
            self.indices = position[::-1]
            yield self.indices

    def _get_indices(self) -> tuple[int, ...]:
        return tuple(axis.index for axis in self._scan_axes)

    def _set_indices(self, indices: Sequence[int]) -> None:
        axes = self._scan_axes
        if isinstance(indices, (int, np.integer)) and len(axes) == 1:
            indices = (int(indices),)
        if not isinstance(indices, (tuple, list, np.ndarray)) or len(indices) != len(axes):
            raise ValueError(
                f"expected {len(axes)} indices, one for each of {[axis.name for axis in axes]}, found {indices!r}: "
                "give a tuple, x first"
            )
        checked = [check_index(axis, index) for axis, index in zip(axes, indices, strict=True)]  # all or nothing
        self._moving = True
        try:
            for axis, index in zip(axes, checked, strict=True):
                axis.index = index
        finally:
            self._moving = False
        self._announce()

    def _get_index(self) -> int:
        return self._number(self.indices)

    def _number(self, indices: tuple[int, ...]) -> int:
        number = 0
        for size, index in zip(self._scan_shape, indices[::-1], strict=True):
            number = number * size + index
        return number

    def _set_index(self, index: int) -> None:
        count = int(np.prod(self._scan_shape, dtype=np.int64))
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < count:
            raise ValueError(f"expected a scan position from 0 to {count - 1}, found {index!r}: positions count from 0")
        self.indices = tuple(int(i) for i in np.unravel_index(index, self._scan_shape))[::-1]

    def _get_coordinates(self) -> tuple[float, ...]:
        return tuple(axis.value for axis in self._scan_axes)

    def _set_coordinates(self, values: Sequence[float | str]) -> None:
        axes = self._scan_axes
        if not isinstance(values, (tuple, list, np.ndarray)) or len(values) != len(axes):
            raise ValueError(
                f"expected {len(axes)} values, one for each of {[axis.name for axis in axes]}, found {values!r}: "
                "give a tuple, x first"
            )
        self.indices = tuple(axis.value2index(value) for axis, value in zip(axes, values, strict=True))

    def _moved(self, event: Any) -> None:
        if not self._moving:
            self._announce()

    def _announce(self) -> None:
        before, self._position = self._position, self.indices
        if before == self._position:
            return
        places = tuple(axis.index2value(index) for axis, index in zip(self._scan_axes, before, strict=True))
        changed = getattr(self, "trait_property_changed")  # noqa: B009 - the type stubs of traits lack it
        changed("indices", before, self._position)
        changed("index", self._number(before), self.index)
        changed("coordinates", places, self.coordinates)
