"""Selections over several axes: what stands between the brackets of `inav` and `isig`, and masks of scan positions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes.axis import Axis
from lazy4d.axes.traits import Coordinate


def select_axes(axes: Sequence[Axis], items: Any, where: str) -> tuple[tuple[int | slice, ...], list[Axis]]:
    """Return a selection in pixels and the axes that are left, both in numpy order.

    Parameters
    ----------
    axes
        The axes selected from, x-first.
    items
        One item or a tuple of items, x-first, with at most one `...`; axes not named are kept whole.
    where
        What the user typed before the brackets, for messages.

    Raises
    ------
    TypeError, ValueError
        More items than axes, two ellipses, or an item that does not fit its axis.

    Examples
    --------
    >>> select_axes([Axis(name="x", size=4), Axis(name="y", size=3)], (..., -1), "inav")
    ((2, slice(0, 4, 1)), [<x axis, size: 4, scale: 1, offset: 0, units: px>])
    """
    listed = list(items) if isinstance(items, tuple) else [items]
    ellipses = [number for number, item in enumerate(listed) if item is Ellipsis]
    if len(ellipses) > 1 or len(listed) - len(ellipses) > len(axes):
        raise ValueError(
            f"expected at most {len(axes)} items between the brackets of {where}, x first, for axes "
            f"{[axis.name for axis in axes]}, and one '...', found {len(listed)}: {items!r}"
        )
    at = ellipses[0] if ellipses else len(listed)
    missing = len(axes) - (len(listed) - len(ellipses))
    full = listed[:at] + [slice(None)] * missing + listed[at + 1 :]
    pixels = [axis.slice_to_pixels(item) for axis, item in zip(axes, full, strict=True)]
    left = [axis.sliced(item) for axis, item in zip(axes, pixels, strict=True) if isinstance(item, slice)]
    return tuple(pixels[::-1]), left[::-1]


def masked_axis(axes: Sequence[Axis], mask: NDArray[Any]) -> tuple[Axis, NDArray[np.bool_]]:
    """Return the one navigation axis of the scan positions that a mask picks, in scan order, and the mask.

    Parameters
    ----------
    axes
        The navigation axes, x-first.
    mask
        bool[nav_shape], in numpy order.

    Returns
    -------
    Axis
        Named `"position"`, with the values of each position on the former axes as `Axis.coordinates`, x-first.
    ndarray of bool
        The mask.

    Raises
    ------
    TypeError, ValueError
        Not boolean, not of the shape of the scan, or picking nothing.

    Examples
    --------
    >>> x = Axis(name="x", size=3, scale=0.5, units="nm", navigate=True)
    >>> axis, _ = masked_axis([x], np.array([True, False, True]))
    >>> axis.size, axis.coordinates[0].name, axis.coordinates[0].values
    (2, 'x', array([0., 1.]))
    """
    shape = tuple(axis.size for axis in axes)[::-1]
    if mask.dtype != np.bool_:
        raise TypeError(
            f"expected a boolean array of shape {shape} to pick scan positions, found dtype {mask.dtype}: "
            "compare it with something, such as 'image > 10'"
        )
    if mask.shape != shape:
        raise ValueError(
            f"expected a boolean array of shape {shape} (rows, columns) to pick scan positions, found {mask.shape}: "
            "make it in numpy order, one entry for each position"
        )
    where = _positions(mask)
    count = len(where[0])
    if count == 0:
        raise ValueError(f"expected at least one True in the mask of shape {shape}, found none: loosen the condition")
    coordinates: list[Coordinate] = []
    for axis, indices in zip(axes, where[::-1], strict=True):
        if axis.coordinates:  # already a list of positions: their own places matter, not their numbers
            coordinates += [one._replace(values=one.values[indices]) for one in axis.coordinates]
        else:
            coordinates.append(Coordinate(axis.name, axis.units, axis.index2value(indices)))
    energy = axes[0].beam_energy
    return Axis(name="position", size=count, navigate=True, beam_energy=energy, coordinates=tuple(coordinates)), mask


def _positions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Indices of the True entries, an array for each axis: those of `numpy.nonzero`, in a third of its time."""
    if mask.ndim == 1:
        return (np.flatnonzero(mask),)
    rows = mask.reshape(-1, mask.shape[-1])
    row = np.repeat(np.arange(len(rows)), np.count_nonzero(rows, axis=1))
    column = np.flatnonzero(mask) - row * mask.shape[-1]
    return (*np.unravel_index(row, mask.shape[:-1]), column)
