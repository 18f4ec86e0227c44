"""Which array of a store is meant, and what its axes are: as OME-Zarr, xarray, or nothing at all tells it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, Lazy4DError, UnsupportedVariantError
from lazy4d.io.source import AxisSpec, navigation_axes
from lazy4d.io.zarr_arrays.frames import array_frames
from lazy4d.io.zarr_arrays.node import ArrayNode, GroupNode, arrays_below, read_node
from lazy4d.io.zarr_arrays.place import Place
from lazy4d.units import canonical

_LISTED = 12
_MOST_COORDINATES = 10**6
_UNIFORM = 1e-4
_LONGEST_UNIT = 64
_FRAME_NAMES = ("ky", "kx")


@dataclass
class ArrayContent:
    """An array and what the store says of it.

    Parameters
    ----------
    node : ArrayNode
        The array; its last two axes are those of a frame.
    axes : tuple of AxisSpec
        One for each of its axes.
    title : str
        Name, may be empty.
    original_metadata : dict
        Attributes of the array and of its group.
    warnings : tuple of str
        What a user should be told.
    """

    node: ArrayNode
    axes: tuple[AxisSpec, ...]
    title: str = ""
    original_metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def find_array(place: Place, dataset: str | None = None) -> ArrayContent:
    """The array that is meant, with its axes; no pixel is read.

    Parameters
    ----------
    place : Place
        The store.
    dataset : str, optional
        Key of an array, or of a group that holds one. Without it: the array at the root, level 0 of an image of
        OME-Zarr, the only array of four axes, or the only one of three or more.

    Raises
    ------
    FormatError
        There is no such array, or there are several: lists them.
    UnsupportedVariantError
        The array is of a kind that is not read.
    """
    start = (dataset or "").strip("/")
    node = read_node(place, start)
    if node is None:
        if dataset is None:
            raise FormatError(
                f"{place.label}: expected a Zarr store, found none of zarr.json, .zgroup, .zarray at its root; was the "
                "copy interrupted, or is the store a folder further down?"
            )
        raise FormatError(f"{place.label}: no array or group {dataset!r} in this store. {_listed(place)}")
    if isinstance(node, ArrayNode):
        group = read_node(place, start.rpartition("/")[0]) if start else None
        return _content(place, node, group if isinstance(group, GroupNode) else None)
    scales = _multiscales(node)
    if scales:
        return _level0(place, node, scales)
    return _content(place, _only(place, start), node)


def _only(place: Place, start: str) -> ArrayNode:
    found = arrays_below(place, start)
    usable = [node for node in found if len(node.shape) >= 3] or [node for node in found if len(node.shape) == 2]
    scans = [node for node in usable if len(node.shape) == 4]
    for chosen in (usable, scans):
        if len(chosen) == 1:
            return chosen[0]
    if not usable:
        raise FormatError(f"{place.label}: expected an array of frames in this store. {_listed(place, found)}")
    raise FormatError(
        f"{place.label}: several arrays could be meant, say which with dataset='…'. {_listed(place, found)}"
    )


def _listed(place: Place, found: Sequence[ArrayNode] | None = None) -> str:
    nodes = arrays_below(place) if found is None else found
    if not nodes:
        return "There is no array in it that can be read"
    more = f" and {len(nodes) - _LISTED} more" if len(nodes) > _LISTED else ""
    return f"Arrays in it: {', '.join(map(str, nodes[:_LISTED]))}{more}"


def _content(place: Place, node: ArrayNode, group: GroupNode | None) -> ArrayContent:
    """An array whose axes have names at most, with coordinates beside it as xarray writes them."""
    original: dict[str, Any] = {}
    if group is not None and group.attributes:
        original["group"] = dict(group.attributes)
    if node.attributes:
        original["array"] = dict(node.attributes)
    axes, notes = [], []
    for spec, name, length in zip(_plain_axes(len(node.shape)), node.names or (None,) * len(node.shape), node.shape,
                                  strict=True):  # fmt: skip
        if name is None:
            axes.append(spec)
            continue
        known, note = _coordinates(place, group, name, length)
        axes.append(known or AxisSpec(name))
        notes += [note] if note else []
    title = node.path.rpartition("/")[2] if node.path else ""
    return ArrayContent(node, _distinct(tuple(axes)), title, original, tuple(notes))


def _plain_axes(ndim: int) -> tuple[AxisSpec, ...]:
    frame = tuple(AxisSpec(name) for name in _FRAME_NAMES[-ndim:]) if ndim else ()
    return navigation_axes(max(0, ndim - 2)) + frame


def _distinct(axes: tuple[AxisSpec, ...]) -> tuple[AxisSpec, ...]:
    """Axes with names of their own: numbered where a file gives one twice."""
    seen: dict[str, int] = {}
    result = []
    for axis in axes:
        seen[axis.name] = seen.get(axis.name, 0) + 1
        again = seen[axis.name]
        result.append(axis if again == 1 else AxisSpec(f"{axis.name}{again}", axis.units, axis.scale, axis.offset))
    return tuple(result)


def _coordinates(place: Place, group: GroupNode | None, name: str, length: int) -> tuple[AxisSpec | None, str]:
    """The axis that a one-dimensional array of its name describes, and a warning where it cannot be used."""
    if group is None or name not in group.children or length > _MOST_COORDINATES:
        return None, ""
    key = f"{group.path}/{name}".lstrip("/")
    try:
        node = read_node(place, key)
        if not isinstance(node, ArrayNode) or node.shape != (length,) or node.dtype.kind not in "iuf" or length == 0:
            return None, ""
        frames = array_frames(place, node, nav_axes=(), signal_axes=(0,))
        values = np.empty((1, length), frames.dtype)
        block = frames.open(())
        try:
            block.read(0, 1, values)
        finally:
            block.close()
    except Lazy4DError as error:
        return AxisSpec(name), f"the coordinates of axis {name!r} are left out: {error}"
    units = node.attributes.get("units")
    unit = _unit(units)
    numbers = values[0].astype(np.float64)
    steps = np.diff(numbers)
    step = float(steps.mean()) if steps.size else 1.0
    if not np.isfinite(numbers).all() or step == 0 or (np.abs(steps - step) > _UNIFORM * abs(step)).any():
        return AxisSpec(name), (
            f"{place.label}: the coordinates of axis {name!r} are not evenly spaced: it counts pixels instead"
        )
    return AxisSpec(name, unit, step, float(numbers[0])), ""


def _unit(found: Any) -> str:
    """A unit in its usual spelling; ``"px"`` where there is none."""
    return canonical(found) if isinstance(found, str) and len(found) <= _LONGEST_UNIT else "px"


# ---- OME-Zarr


def _multiscales(group: GroupNode) -> dict[str, Any] | None:
    """The first image of a group of OME-Zarr, of any version."""
    ome = group.attributes.get("ome")
    found = (ome if isinstance(ome, dict) else group.attributes).get("multiscales")
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return found[0]
    return None


def _level0(place: Place, group: GroupNode, scales: dict[str, Any]) -> ArrayContent:
    levels = scales.get("datasets")
    first = levels[0] if isinstance(levels, list) and levels and isinstance(levels[0], dict) else {}
    path = first.get("path")
    if not isinstance(path, str):
        raise FormatError(f"{place.label}: expected the path of level 0 in 'multiscales', found {str(levels)[:80]}")
    key = f"{group.path}/{path}".strip("/")
    node = read_node(place, key)
    if not isinstance(node, ArrayNode):
        raise FormatError(f"{place.label}: expected {key!r}, level 0 of an OME-Zarr image, to be an array, found none")
    given = scales.get("axes")
    axes = given if isinstance(given, list) and len(given) == len(node.shape) else [None] * len(node.shape)
    scale, shift = np.ones(len(node.shape)), np.zeros(len(node.shape))
    for owner in (first, scales):  # those of a level come first, then those of all levels
        for transformation in owner.get("coordinateTransformations") or ():
            factors, offsets = _transformation(transformation, len(node.shape))
            scale, shift = scale * factors, shift * factors + offsets
    specs = []
    plain_axes = _plain_axes(len(node.shape))
    for plain, axis, step, offset in zip(plain_axes, axes, scale.tolist(), shift.tolist(), strict=True):
        named = axis if isinstance(axis, dict) else {"name": axis}
        name, unit = named.get("name"), named.get("unit")
        specs.append(
            AxisSpec(
                name if isinstance(name, str) and name else plain.name,
                _unit(unit),
                step,
                offset,
            )
        )
    title = scales.get("name")
    return ArrayContent(
        node,
        _distinct(tuple(specs)),
        title if isinstance(title, str) else "",
        {"group": dict(group.attributes), **({"array": dict(node.attributes)} if node.attributes else {})},
    )


def _transformation(content: Any, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and offsets of one transformation; one that cannot be understood changes nothing."""
    factors, offsets = np.ones(ndim), np.zeros(ndim)
    if isinstance(content, dict):
        for kind, target in (("scale", factors), ("translation", offsets)):
            values = content.get(kind)
            numbers = isinstance(values, list) and all(type(v) in (int, float) and math.isfinite(v) for v in values)
            if content.get("type") == kind and values is not None and numbers and len(values) == ndim:
                if kind == "translation" or all(values):
                    target[:] = values
    return factors, offsets


def refuse_native(place: Place) -> None:
    """Refuse a store of lazy4d that is not in a folder of a local drive."""
    raise UnsupportedVariantError(
        f"{place.label}: a store of lazy4d is read from a folder on a local or mounted drive: unpack or copy it first"
    )
