"""The calibration of an axis from the vector of its coordinates, as EMD and NeXus store it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.hdf5.attributes import text
from lazy4d.io.hdf5.links import UNREADABLE, attribute
from lazy4d.io.source import AxisSpec
from lazy4d.units import canonical

_MOST_VALUES = 2**20
_MOST_BYTES = 64 * 2**20
_UNEVEN = 1e-3  # of a step: more than rounding in a text or float32, less than anybody's distortion
_LONGEST_UNIT = 64


def unit_of(item: Any) -> str:
    """The unit of a vector or pixel size in the one spelling of this library; ``"px"`` where there is none."""
    return plain_unit(attribute(item, "units"))


def plain_unit(value: Any) -> str:
    """A unit of a file in the one spelling of this library.

    Examples
    --------
    >>> [plain_unit(value) for value in (b"[n_m^-1]", np.array(["A^-1"]), "pixels", "mrad", None)]
    ['1/nm', '1/Å', 'px', 'mrad', 'px']
    """
    found = text(value)
    return canonical(found) if len(found) <= _LONGEST_UNIT else canonical("")


def axis_from_dataset(
    item: Any, length: int, name: str, where: str, *, edges: bool = False
) -> tuple[AxisSpec, tuple[str, ...]]:
    """An axis of `length` pixels from the dataset of its coordinates, and what the user should be told.

    Parameters
    ----------
    item : h5py.Dataset or None
        All coordinates, or the first two.
    length : int
        Pixels along the axis.
    name : str
        What the axis is called.
    where : str
        File and dataset, for messages.
    edges : bool
        One coordinate more than pixels means the edges of the pixels.
    """
    if item is None:
        return AxisSpec(name), ()
    try:
        if item.shape is None or item.dtype.kind in "SOUV":  # labels
            return AxisSpec(name), ()
        if item.dtype.kind not in "iuf":
            return AxisSpec(name), (f"{where}: expected numbers as coordinates, found {item.dtype}: left out",)
        if item.ndim > 1 and max(item.shape) != item.size:
            return AxisSpec(name), (
                f"{where}: coordinates of shape {item.shape} are not those of one axis: the axis counts pixels",
            )
        wanted = min(int(item.size), length + 1, _MOST_VALUES)
        if int(np.prod([int(n) for n in item.chunks or ()], dtype=object)) * item.dtype.itemsize > _MOST_BYTES:
            return AxisSpec(name), (f"{where}: chunks of {item.chunks} are no coordinates of an axis: left out",)
        values = _first(item, wanted)
        resolution = float(np.finfo(item.dtype).eps) if item.dtype.kind == "f" else 0.0
        size = int(item.size)
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:200]
        return AxisSpec(name), (f"{where}: the coordinates cannot be read: the axis counts pixels ({told})",)
    return axis_from_values(values, size, length, name, unit_of(item), where, resolution, edges=edges)


def _first(item: Any, count: int) -> NDArray[np.float64]:
    if item.ndim == 0:
        return np.asarray(item[()], np.float64).reshape(-1)
    if item.ndim == 1:
        return np.asarray(item[:count], np.float64)
    index = tuple(slice(0, count) if n == item.size else slice(None) for n in item.shape)
    return np.asarray(item[index], np.float64).reshape(-1)[:count]


def axis_from_values(
    values: NDArray[np.float64],
    size: int,
    length: int,
    name: str,
    units: str,
    where: str,
    resolution: float = 0.0,
    *,
    edges: bool = False,
) -> tuple[AxisSpec, tuple[str, ...]]:
    """As `axis_from_dataset`, from the coordinates themselves.

    Parameters
    ----------
    values : ndarray of float64
        The first coordinates.
    size : int
        Coordinates that there are.
    length, name, where, edges
        As there.
    units : str
        Of the coordinates.
    resolution : float
        Relative, of the stored numbers.

    Examples
    --------
    >>> axis_from_values(np.array([-0.5, -0.25]), 2, 128, "ky", "1/nm", "a.h5")
    (AxisSpec(name='ky', units='1/nm', scale=0.25, offset=-0.5), ())
    >>> axis_from_values(np.array([0.0, 1.0, 4.0]), 3, 3, "x", "nm", "a.h5")[1]
    ('a.h5: coordinates from 0 to 4 nm are not evenly spaced: the axis counts pixels',)
    """
    whole = values[: length + (edges and size == length + 1)] if size >= length else values
    if not values.size:
        return AxisSpec(name), ()
    if not np.isfinite(whole).all():
        return AxisSpec(name), (f"{where}: the coordinates are not all finite: the axis counts pixels",)
    if size == 1:
        if length == 1:
            return AxisSpec(name, units, 1.0, float(values[0])), ()
        return AxisSpec(name), (f"{where}: one coordinate for {length} pixels: the axis counts pixels",)
    if length == 1 and size == 2 and not edges:  # origin and step, of an axis of one pixel
        whole = values[:2]
    notes: tuple[str, ...] = ()
    of_all = size == length or (edges and size == length + 1)
    if size == 2 or not of_all:
        scale = float(values[1] - values[0])
        if size != 2 and not of_all:
            notes = (f"{where}: {size} coordinates for {length} pixels: the step is that of the first two",)
        rounding = 0.0
    else:
        scale = float((whole[-1] - whole[0]) / (whole.size - 1))
        fit = whole[0] + scale * np.arange(whole.size)
        rounding = 4 * resolution * float(np.abs(whole).max())
        if float(np.abs(whole - fit).max()) > _UNEVEN * abs(scale) + rounding:
            return AxisSpec(name), (
                f"{where}: coordinates from {whole[0]:g} to {whole[-1]:g} {units} are not evenly spaced: the axis "
                "counts pixels",
            )
    if not np.isfinite(scale) or abs(scale) <= rounding or scale == 0:
        return AxisSpec(name), (f"{where}: the coordinates do not differ: the axis counts pixels",)
    offset = float(values[0]) + (scale / 2 if edges and size == length + 1 else 0.0)
    return AxisSpec(name, units, scale, offset), notes
