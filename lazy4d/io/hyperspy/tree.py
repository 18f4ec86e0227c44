"""What an experiment of HyperSpy says, beside its pixels: axes, metadata, and what lazy4d kept there for itself."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.hyperspy.axes import axes_of, axis_group, stored_axes
from lazy4d.io.hyperspy.nodes import Group
from lazy4d.io.hyperspy.values import decode, encode, plain
from lazy4d.io.source import AxisSpec

EXPERIMENTS = "Experiments"
KEY = "lazy4d"
"""Node of the metadata where our own files keep history, class and validity."""

WRITER = "written_by"
"""Attribute of signals that our own files have. HyperSpy ignores it, and leaves it out when it saves them again; its
own attribute, ``package``, names the package whose classes a signal needs."""

VERSION = "3.3"
"""Version of the layout, as HyperSpy 2 counts."""

_ENERGY = ("Acquisition_instrument", "TEM", "beam_energy")
_HISTORY_KEYS = {"op", "params", "versions", "source", "parents"}


@dataclass
class Experiment:
    """One signal of a file, its pixels still in the file.

    Parameters
    ----------
    nav_axes, signal_axes : tuple of int
        Axes of the stored array, in the order of the signal.
    navigation_axes, signal_axis_specs : tuple of AxisSpec
        What they are.
    title : str
        Its title, may be empty.
    metadata, original_metadata : dict
        Nested. In a file that lazy4d wrote, ``metadata["lazy4d"]`` has ``history``, ``signal_class`` and ``axes`` as
        `lazy4d.load` takes them.
    warnings : tuple of str
        What a user should be told.
    valid : ndarray of bool, or None
        Which frames are valid, in the order of the signal's navigation; None: all.
    incomplete : str
        What becomes of the others.
    """

    nav_axes: tuple[int, ...]
    signal_axes: tuple[int, ...]
    navigation_axes: tuple[AxisSpec, ...]
    signal_axis_specs: tuple[AxisSpec, ...]
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    original_metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    valid: NDArray[np.bool_] | None = None
    incomplete: str = "raise"


def metadata_from(group: Group) -> dict[str, Any]:
    """The metadata of an experiment, without what HyperSpy keeps there for its own working.

    Examples
    --------
    >>> metadata_from(Group({}, {"_HyperSpy": Group(), "Signal": Group({"signal_type": ""})}))
    {'Signal': {'signal_type': ''}}
    """
    found = decode(group)
    return {key: value for key, value in found.items() if key != "_HyperSpy"}


def read_experiment(
    where: str, experiment: Group, shape: Sequence[int], dtype: np.dtype[Any], name: str = ""
) -> Experiment:
    """What a group below ``Experiments`` says of its array.

    Parameters
    ----------
    where : str
        File and experiment, for messages.
    experiment : Group
        The group, its array left out.
    shape, dtype
        Of the array, as stored.
    name : str
        Name of the group: the title where the metadata have none.

    Raises
    ------
    UnsupportedVariantError
        Ragged signals and colours.
    FormatError
        The axes do not fit the array.
    """
    _refuse(where, experiment, dtype)
    if any(int(n) < 1 for n in shape):
        raise FormatError(f"{where}: the data of shape {tuple(shape)} are empty; was the save interrupted?")
    old = "metadata" not in experiment.children and "mapped_parameters" in experiment.children
    metadata = metadata_from(experiment.group("mapped_parameters" if old else "metadata"))
    original = decode(experiment.group("original_parameters" if old else "original_metadata"))
    if old:
        metadata = _renewed(metadata)
    signal = metadata.get("Signal")
    record_by = signal.get("record_by") if isinstance(signal, dict) else ""
    axes = axes_of(where, experiment, shape, record_by if isinstance(record_by, str) else "")
    warnings = [*axes.warnings]
    uneven = stored_axes(experiment)
    if uneven and len(axes.warnings):
        original = {**original, "stored_axes": uneven}
    left = [item for part in ("metadata", "original_metadata") for item in experiment.group(part).left_out()]
    if left:
        warnings.append(
            f"{where}: {len(left)} arrays of the metadata are too large to be read with every load and were left out: "
            f"{', '.join(map(str, left[:5]))}"
        )
    result = Experiment(
        axes.navigation, axes.signal, axes.navigation_specs, axes.signal_specs, title_of(metadata, name)
    )
    result.original_metadata = original
    nav_shape = tuple(int(shape[k]) for k in axes.navigation)
    frame_shape = tuple(int(shape[k]) for k in axes.signal)
    _check_energy(where, metadata, warnings)
    _take_own(result, metadata, is_own(experiment.attributes), nav_shape, frame_shape)
    if result.valid is not None:
        invalid = int(result.valid.size - np.count_nonzero(result.valid))
        warnings.append(
            f"{where}: {invalid} of {result.valid.size} frames were missing or damaged when this was saved; s.valid "
            "tells which"
        )
    result.metadata, result.warnings = metadata, tuple(warnings)
    return result


def is_own(attributes: Mapping[str, Any]) -> bool:
    """Whether lazy4d wrote a signal, by the attributes of its group.

    Examples
    --------
    >>> is_own({"written_by": "lazy4d 1.0"}), is_own({"package": "hyperspy"})
    (True, False)
    """
    return str(plain(attributes.get(WRITER, ""))).startswith(f"{KEY} ")


def _refuse(where: str, experiment: Group, dtype: np.dtype[Any]) -> None:
    ragged = plain(experiment.group("attributes").attributes.get("ragged", False))
    if ragged is True or dtype.kind == "O" or "_ragged_shapes_data" in experiment.children:
        raise UnsupportedVariantError(
            f"{where}: a ragged signal, whose positions hold arrays of different sizes, is not read here; expected "
            "frames of one shape. Open it with HyperSpy"
        )
    if dtype.names is not None:
        raise UnsupportedVariantError(
            f"{where}: pixels with the channels {', '.join(dtype.names)} are not read here, expected numbers. In "
            "HyperSpy, change_dtype('uint8') makes the colours a signal axis; save that"
        )
    if dtype.kind not in "biufc":
        raise UnsupportedVariantError(f"{where}: pixels of dtype {dtype} are not read here, expected numbers")


def title_of(metadata: Mapping[str, Any], name: str = "") -> str:
    """The title that metadata give a signal, or else the name of its group.

    Examples
    --------
    >>> title_of({"General": {"title": "scan"}}), title_of({}, "__unnamed__")
    ('scan', '')
    """
    general = metadata.get("General")
    title = general.get("title") if isinstance(general, Mapping) else None
    if isinstance(title, str) and title != "__unnamed__":
        return title
    return "" if name == "__unnamed__" else name


def _renewed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata of HyperSpy before version 0.7, under today's names."""
    result = {key: value for key, value in metadata.items() if key != "_internal_parameters"}
    for old, node, new in (
        ("name", "General", "title"),
        ("title", "General", "title"),
        ("original_filename", "General", "original_filename"),
        ("record_by", "Signal", "record_by"),
        ("signal_type", "Signal", "signal_type"),
        ("signal", "Signal", "signal_type"),
    ):
        if old in result and not isinstance(result[old], dict):
            inside = result.setdefault(node, {})
            if isinstance(inside, dict):
                inside.setdefault(new, result.pop(old))
    for instrument in ("TEM", "SEM"):
        if isinstance(result.get(instrument), dict):
            result.setdefault("Acquisition_instrument", {})[instrument] = result.pop(instrument)
    return result


def _check_energy(where: str, metadata: dict[str, Any], warnings: list[str]) -> None:
    """Leave out a beam energy that is none, with a warning."""
    node: Any = metadata
    for key in _ENERGY[:-1]:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or _ENERGY[-1] not in node:
        return
    energy = node[_ENERGY[-1]]
    number = isinstance(energy, int | float) and not isinstance(energy, bool)
    if number and 0 < energy < math.inf:
        return
    del node[_ENERGY[-1]]
    if energy is not None:
        warnings.append(f"{where}: expected a positive beam energy in keV, found {energy!r}: it is left out")


# ---- what lazy4d keeps for itself


def own_node(
    axes: Sequence[Mapping[str, Any]], history: str, signal_class: str, stream: str, incomplete: str
) -> dict[str, Any]:
    """What goes into ``metadata.lazy4d``: one JSON text for each step of the history, and the class.

    Raises
    ------
    ValueError
        The history is no JSON list.
    """
    entries = json.loads(history)
    if not isinstance(entries, list):
        raise ValueError(f"expected the JSON text of a history, found {history[:60]!r}")
    node: dict[str, Any] = {
        "history": [json.dumps(entry, ensure_ascii=False) for entry in entries],
        "signal_class": signal_class,
    }
    if stream:
        node["stream"] = stream
    if incomplete != "raise":
        node["incomplete"] = incomplete
    chosen = {str(k): [list(c) for c in axis["coordinates"]] for k, axis in enumerate(axes) if axis.get("coordinates")}
    return {**node, "coordinates": chosen} if chosen else node


def _take_own(
    result: Experiment,
    metadata: dict[str, Any],
    own: bool,
    nav_shape: tuple[int, ...],
    frame_shape: tuple[int, ...],
) -> None:
    """Take ``metadata.lazy4d`` apart. What HyperSpy has saved again keeps its history; the rest was of other pixels."""
    node = metadata.pop(KEY, None)
    if not isinstance(node, dict):
        return
    saved: dict[str, Any] = {}
    history = _history(node.get("history"))
    if history is not None:
        saved["history"] = history
    if own:
        if isinstance(node.get("signal_class"), str):
            saved["signal_class"] = node["signal_class"]
        chosen = node.get("coordinates")
        if isinstance(chosen, dict):
            axes = _with_coordinates(result, chosen, nav_shape, frame_shape)
            if axes:
                saved["axes"] = axes
        valid = node.get("valid")
        if isinstance(valid, np.ndarray) and valid.shape == nav_shape and valid.dtype.kind in "biu":
            result.valid = None if valid.all() else valid.astype(bool)
            given = node.get("incomplete")
            result.incomplete = given if given in ("nan", "zero") else "nan"
    if saved:
        metadata[KEY] = saved


def _history(entries: Any) -> str | None:
    """The JSON text of the history; None where it is not one."""
    if not isinstance(entries, list):
        return None
    try:
        found = [json.loads(entry) for entry in entries if isinstance(entry, str)]
    except (ValueError, RecursionError):
        return None
    fits = len(found) == len(entries) and all(isinstance(e, dict) and set(e) == _HISTORY_KEYS for e in found)
    return json.dumps(found, ensure_ascii=False) if fits else None


def _with_coordinates(
    result: Experiment, chosen: dict[str, Any], nav_shape: tuple[int, ...], frame_shape: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Axes as keyword arguments, with the places of positions that were picked out by a mask."""
    specs = [*result.navigation_axes, *result.signal_axis_specs]
    axes: list[dict[str, Any]] = []
    for k, (spec, size) in enumerate(zip(specs, nav_shape + frame_shape, strict=True)):
        axis: dict[str, Any] = {"name": spec.name, "units": spec.units, "scale": spec.scale, "offset": spec.offset}
        axis |= {"size": size, "navigate": k < len(nav_shape)}
        places = chosen.get(str(k), [])
        for place in places if isinstance(places, list) else []:
            if not (isinstance(place, list) and len(place) == 3 and np.shape(place[2]) == (size,)):
                return []
            axis.setdefault("coordinates", []).append([str(place[0]), str(place[1]), np.asarray(place[2], float)])
        axes.append(axis)
    return axes


# ---- writing


def experiment_group(
    axes: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, Any],
    original_metadata: Mapping[str, Any],
    own: Mapping[str, Any],
    json_attributes: bool,
) -> Group:
    """The group of a signal with everything but its pixels.

    Parameters
    ----------
    axes : sequence of dict
        Numpy order, navigation first.
    metadata, original_metadata : dict
        Nested.
    own : dict
        From `own_node`.
    json_attributes : bool
        As for `values.encode`.
    """
    full = {**metadata, KEY: dict(own)}
    energy = next((axis["beam_energy"] for axis in axes if axis.get("beam_energy") is not None), None)
    if energy is not None:
        _set_energy(full, float(energy))
    content = encode(full, json_attributes)
    return Group(
        {WRITER: f"{KEY} {_own_version()}"},
        {
            **{f"axis-{k}": axis_group(axis) for k, axis in enumerate(axes)},
            "attributes": Group({"_lazy": False, "ragged": False}),
            "learning_results": Group(),
            "metadata": content,
            "original_metadata": encode(original_metadata, json_attributes),
        },
    )


def _set_energy(metadata: dict[str, Any], energy: float) -> None:
    node: dict[str, Any] = metadata
    for key in _ENERGY[:-1]:
        inner = node.get(key, {})
        if not isinstance(inner, Mapping):
            return
        node[key] = node = dict(inner)
    if node.get(_ENERGY[-1]) is None:
        node[_ENERGY[-1]] = energy


def _own_version() -> str:
    from importlib import metadata

    try:
        return metadata.version(KEY)
    except metadata.PackageNotFoundError:
        return "unknown"
