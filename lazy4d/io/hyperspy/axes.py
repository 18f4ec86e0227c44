"""Axes as HyperSpy describes them and as a reader hands them over: which are navigation, and what a step is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.hyperspy.nodes import Group
from lazy4d.io.hyperspy.values import NONE, decode, plain
from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes
from lazy4d.units import PIXEL, canonical

_EVEN = 1e-6
"""Steps that differ by less than this part of a step are one scale."""


@dataclass(frozen=True)
class StoredAxes:
    """The axes of a stored array.

    Parameters
    ----------
    navigation, signal : tuple of int
        Axes of the array that are navigation and signal, in order.
    navigation_specs, signal_specs : tuple of AxisSpec
        What they are, in the same order.
    values : dict
        Values of axes without a constant step, by the number of the axis.
    warnings : tuple of str
        What a user should be told.
    """

    navigation: tuple[int, ...]
    signal: tuple[int, ...]
    navigation_specs: tuple[AxisSpec, ...]
    signal_specs: tuple[AxisSpec, ...]
    values: dict[int, NDArray[np.float64]]
    warnings: tuple[str, ...]


def axes_of(where: str, experiment: Group, shape: Sequence[int], record_by: str = "") -> StoredAxes:
    """The axes of an experiment, whatever their order.

    Parameters
    ----------
    where : str
        File and experiment, for messages.
    experiment : Group
        With a child ``axis-0`` and so on for each axis of the array.
    shape : sequence of int
        Shape of the array.
    record_by : {"image", "spectrum", ""}
        Of old files, which do not say of each axis whether it is navigation.

    Raises
    ------
    FormatError
        There are more or fewer axes than the array has.

    Examples
    --------
    >>> k = Group({"navigate": False, "scale": 0.02, "offset": -0.16, "size": 16, "units": "A^-1", "name": "kx"})
    >>> axes_of("a.hspy", Group({}, {"axis-0": k, "axis-1": Group({"navigate": True, "size": 4})}), (16, 4))
    StoredAxes(navigation=(1,), signal=(0,), navigation_specs=(AxisSpec(name='x', units='px', scale=1.0, offset=0.0),),
     signal_specs=(AxisSpec(name='kx', units='1/Å', scale=0.02, offset=-0.16),), values={}, warnings=())
    """
    found = _in_order(experiment)
    if not found and tuple(shape) == (1,):  # a single number
        found = [Group({"navigate": False, "size": 1})]
    if len(found) != len(shape):
        raise FormatError(
            f"{where}: expected an axis for each of the {len(shape)} dimensions of data of shape {tuple(shape)}, found "
            f"{len(found)} (axis-0, axis-1 …); the file is damaged or incomplete"
        )
    flags = [_navigates(axis, k, len(found), record_by) for k, axis in enumerate(found)]
    navigation = tuple(k for k, flag in enumerate(flags) if flag)
    signal = tuple(k for k, flag in enumerate(flags) if not flag)
    usual = _usual_names(len(navigation), len(signal))
    given = {plain(axis.attributes.get("name")) for axis in found}
    usual = [f"axis{k}" if name in given else name for k, name in zip(navigation + signal, usual, strict=True)]
    warnings: list[str] = []
    values: dict[int, NDArray[np.float64]] = {}
    specs = {}
    for number, name in zip(navigation + signal, usual, strict=True):
        specs[number] = _spec(where, number, found[number], int(shape[number]), name, warnings, values)
    return StoredAxes(
        navigation,
        signal,
        tuple(specs[k] for k in navigation),
        tuple(specs[k] for k in signal),
        values,
        tuple(warnings),
    )


def _in_order(experiment: Group) -> list[Group]:
    """The axes in the order of the array; very old files number them by an attribute."""
    named = {
        int(name[5:]): child
        for name, child in experiment.children.items()
        if name.startswith("axis-") and name[5:].isdecimal() and len(name) < 10 and isinstance(child, Group)
    }
    axes = [named[number] for number in sorted(named)]
    places = [_number(axis.attributes.get("index_in_array")) for axis in axes]
    if axes and all(place is not None for place in places) and len(set(places)) == len(places):
        axes = [axis for _, axis in sorted(zip(places, axes, strict=True), key=lambda pair: float(pair[0] or 0))]
    return axes


def _navigates(axis: Group, number: int, ndim: int, record_by: str) -> bool:
    flag = plain(axis.attributes.get("navigate"))
    if isinstance(flag, bool | int):
        return bool(flag)
    of_signal = {"image": 2, "spectrum": 1}.get(record_by, ndim)
    return number < ndim - of_signal


def _usual_names(navigation: int, signal: int) -> list[str]:
    detector = {2: [axis.name for axis in frame_axes()], 1: ["k"]}
    return [axis.name for axis in navigation_axes(navigation)] + detector.get(signal, [f"k{n}" for n in range(signal)])


def _spec(
    where: str,
    number: int,
    axis: Group,
    size: int,
    usual: str,
    warnings: list[str],
    values: dict[int, NDArray[np.float64]],
) -> AxisSpec:
    said = axis.attributes
    name = plain(said.get("name"))
    name = name if isinstance(name, str) and name not in ("", "<undefined>") else usual
    units = plain(said.get("units"))
    units = canonical(units) if isinstance(units, str) else PIXEL
    what = f"{where}: axis {number} ({name!r})"
    stored = _number(said.get("size"))
    if stored is not None and stored != size:
        warnings.append(f"{what} is said to have {stored:g} pixels, found {size} in the data; check its calibration")
    kind = plain(said.get("_type"))
    if kind == "FunctionalDataAxis":
        warnings.append(
            f"{what} is not uniform, it follows {plain(said.get('expression'))!r}: it counts pixels here, the function "
            "is in original_metadata.stored_axes"
        )
        return AxisSpec(name)
    places = axis.children.get("axis")
    if kind == "DataAxis" or (kind is None and "scale" not in said and places is not None):
        return _from_values(what, name, units, places, size, number, warnings, values)
    scale, offset = _number(said.get("scale", 1.0)), _number(said.get("offset", 0.0))
    if scale is None or offset is None or scale == 0:
        warnings.append(
            f"{what}: expected a finite offset and a scale that is not 0, found {plain(said.get('offset'))!r} and "
            f"{plain(said.get('scale'))!r}: it counts pixels here"
        )
        return AxisSpec(name)
    return AxisSpec(name, units, scale, offset)


def _from_values(
    what: str,
    name: str,
    units: str,
    places: Any,
    size: int,
    number: int,
    warnings: list[str],
    values: dict[int, NDArray[np.float64]],
) -> AxisSpec:
    """An axis that lists its values: uniform after all, or counting pixels."""
    usable = isinstance(places, np.ndarray) and places.dtype.kind in "iuf" and places.shape == (size,)
    if not usable or not np.isfinite(places).all():
        warnings.append(f"{what}: expected {size} finite values, found {_described(places)}: it counts pixels here")
        return AxisSpec(name)
    numbers = places.astype(np.float64)
    scale = float(numbers[-1] - numbers[0]) / (size - 1) if size > 1 else 1.0
    even = numbers[0] + scale * np.arange(size)
    if scale != 0 and math.isfinite(scale) and np.abs(even - numbers).max() <= _EVEN * abs(scale):
        return AxisSpec(name, units, scale, float(numbers[0]))
    warnings.append(
        f"{what} is not uniform, it goes from {numbers[0]:g} to {numbers[-1]:g} {units} in uneven steps: it counts "
        "pixels here, the values are in original_metadata.stored_axes"
    )
    values[number] = numbers
    return AxisSpec(name)


def _described(places: Any) -> str:
    if isinstance(places, np.ndarray):
        return f"values of shape {places.shape} and dtype {places.dtype}"
    return "none" if places is None else str(places)


def _number(value: Any) -> float | None:
    """A finite float; None for anything else."""
    value = plain(value)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0].item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def stored_axes(experiment: Group) -> dict[str, dict[str, Any]]:
    """What the file says of the axes that have no constant step, as metadata: name of the axis and its attributes."""
    result = {}
    for name, child in experiment.children.items():
        if isinstance(child, Group) and name.startswith("axis-"):
            kind = plain(child.attributes.get("_type"))
            if kind in ("DataAxis", "FunctionalDataAxis"):
                inner = {key: decode(g) for key, g in child.children.items() if isinstance(g, Group)}
                arrays = {key: a for key, a in child.children.items() if isinstance(a, np.ndarray)}
                said = {**child.attributes, **arrays, **inner}
                result[name] = {key: plain(value) for key, value in said.items()}
    return result


def axis_group(axis: Mapping[str, Any]) -> Group:
    """An axis of a signal as HyperSpy stores it.

    Parameters
    ----------
    axis : dict
        ``name, units, scale, offset, size, navigate``.

    Examples
    --------
    >>> axis = {"name": "x", "units": "px", "scale": 1.0, "offset": 0.0, "size": 4, "navigate": True}
    >>> axis_group(axis).attributes["units"], axis_group(axis).attributes["_type"]
    ('_None_', 'UniformDataAxis')
    """
    units = str(axis["units"])
    return Group(
        {
            "_type": "UniformDataAxis",
            "name": str(axis["name"]) or NONE,
            "units": NONE if units == PIXEL else units,
            "navigate": bool(axis["navigate"]),
            "is_binned": False,
            "size": int(axis["size"]),
            "scale": float(axis["scale"]),
            "offset": float(axis["offset"]),
        }
    )
