"""Pixel sizes and orientation of a py4DSTEM data set: which record of them applies, and what it says of the axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lazy4d.io.hdf5.attributes import attributes, number, plain, small, text
from lazy4d.io.hdf5.links import attribute, child, group_of, members
from lazy4d.io.hdf5.opening import h5py_module
from lazy4d.io.hdf5.vectors import plain_unit
from lazy4d.io.source import AxisSpec
from lazy4d.units import PIXEL

_BUNDLE = "metadatabundle"
_AGREE = 1e-3
_OF_AXES = ("R_pixel_size", "R_pixel_units", "Q_pixel_size", "Q_pixel_units")
_LARGEST_VALUE = 4096
_VOLTAGES = ("accelerating_voltage", "accelerating voltage", "beam_energy", "high_tension", "voltage")


def values(group: Any) -> dict[str, Any]:
    """A record of metadata as plain values: attributes, small datasets, and lists stored as groups."""
    found = {name: value for name, value in attributes(group).items() if name not in ("emd_group_type", "python_class")}
    h5py = h5py_module()
    for name in members(group):
        item = child(group, name)
        if isinstance(item, h5py.Dataset):
            value = small(item, _LARGEST_VALUE)
            found[name] = None if value == "_None" or text(attribute(item, "type")) == "None" else value
        elif isinstance(item, h5py.Group) and text(attribute(item, "type")).startswith(("list", "tuple")):
            found[name] = _items(item)
    return found


def _items(group: Any) -> list[Any]:
    names = sorted((name for name in members(group) if name.isdecimal()), key=int)
    return [small(child(group, name), _LARGEST_VALUE) for name in names]


def records(file: Any, array: str) -> list[tuple[str, Any]]:
    """The metadata groups that may apply to an array, nearest first: its own, and those of its parents."""
    found = []
    parts = [part for part in array.split("/") if part]
    for depth in range(len(parts), 0, -1):
        here = "/" + "/".join(parts[:depth])
        owner = group_of(file, here)
        bundle = group_of(owner, _BUNDLE)
        for name in members(bundle) if bundle is not None else ():
            record = group_of(bundle, name)
            if record is not None:
                found.append((f"{here}/{_BUNDLE}/{name}", record))
        if text(attribute(owner, "emd_group_type")) == "root":
            break
    return found


def calibration_of(file: Any, array: str) -> dict[str, Any]:
    """The calibration that applies to an array of an EMD 1.0 file; empty where there is none.

    A calibration names the objects that it applies to; one that names others only is not taken.
    """
    fallback: dict[str, Any] = {}
    for where, record in records(file, array):
        if text(attribute(record, "python_class")) != "Calibration" and not where.endswith("/calibration"):
            continue
        found = values(record)
        targets = found.get("_target_paths")
        named = [text(item).strip("/") for item in targets] if isinstance(targets, list) else []
        root = where.split(f"/{_BUNDLE}/")[0]
        own = array[len(root) :].strip("/")
        if own in named or not own:
            return found
        if not named and not fallback:
            fallback = found
    return fallback


def legacy_calibration(top: Any) -> dict[str, Any]:
    """The calibration of an older file of py4DSTEM, below ``metadata`` or beside it; empty where there is none."""
    found: dict[str, Any] = {}
    metadata = group_of(top, "metadata")
    places = [top, metadata, *(group_of(metadata, name) for name in members(metadata))] if metadata else [top]
    for owner in places:
        record = group_of(owner, "calibration") if owner is not None else None
        if record is not None:
            found = values(record) | found
    return found


def calibrated(
    specs: tuple[AxisSpec, ...], found: Mapping[str, Any], space: str, where: str
) -> tuple[tuple[AxisSpec, ...], tuple[str, ...]]:
    """Axes with the pixel size of a calibration, and a note where the axes themselves say something else.

    Parameters
    ----------
    specs : tuple of AxisSpec
        As the vectors of the array have them.
    found : mapping
        Values of a calibration.
    space : {"R", "Q"}
        Real space for the scan, diffraction space for frames.
    where : str
        File, for messages.

    Examples
    --------
    >>> record = {"Q_pixel_size": 0.5, "Q_pixel_units": "A^-1"}
    >>> calibrated((AxisSpec("ky", offset=-2.0),), record, "Q", "a.h5")
    ((AxisSpec(name='ky', units='1/Å', scale=0.5, offset=-1.0),), ())
    """
    sizes = found.get(f"{space}_pixel_size")
    sizes = sizes if isinstance(sizes, list) else [sizes] * len(specs)
    units = plain_unit(found.get(f"{space}_pixel_units"))
    result: list[AxisSpec] = []
    notes: list[str] = []
    for spec, given in zip(specs, [*sizes, *[None] * len(specs)], strict=False):
        size = number(given)
        if size is None or size <= 0 or units == PIXEL:
            result.append(spec)
        elif spec.units == PIXEL:
            result.append(replace(spec, units=units, scale=size, offset=spec.offset / abs(spec.scale) * size))
        else:
            if spec.units != units or abs(abs(spec.scale) - size) > _AGREE * size:
                notes.append(
                    f"{where}: the axis {spec.name} has a step of {spec.scale:g} {spec.units} in its own vector and "
                    f"{size:g} {units} by the calibration {space}_pixel_size; the vector was taken. Correct it with "
                    "set_calibration if that is wrong"
                )
            result.append(spec)
    return tuple(result), tuple(notes)


def rest_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a calibration says beside pixel sizes, such as ``QR_flip`` and ``QR_rotation``."""
    return {
        name: plain(value)
        for name, value in found.items()
        if not name.startswith("_") and name not in _OF_AXES and value is not None
    }


def beam_energy(places: Iterable[Mapping[str, Any]]) -> float | None:
    """The energy of the beam in keV where a record of a microscope has one; volts are told by their size.

    Examples
    --------
    >>> beam_energy([{"accelerating_voltage": 300000}]), beam_energy([{"beam_energy": 80.0}]), beam_energy([{}])
    (300.0, 80.0, None)
    """
    for place in places:
        for name in _VOLTAGES:
            found = number(place.get(name))
            if found is not None and found > 0:
                return found / 1000 if found >= 10_000 else found
    return None
