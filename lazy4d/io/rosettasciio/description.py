"""Axes and metadata as plug-ins of RosettaSciIO describe them, in the words of a `Source`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes
from lazy4d.units import canonical

_MOST_VALUES = 1 << 16
_MOST_DEPTH = 24
_UNIFORM = 1e-3  # of a step, by which the places of an axis may be off


def axes_in_order(dataset: Mapping[str, Any], ndim: int) -> list[dict[str, Any]]:
    """One description for each axis of the array, in its order; an axis that is not described is a signal axis.

    Parameters
    ----------
    dataset : mapping
        As a plug-in gives it.
    ndim : int
        Axes of its array.
    """
    found: list[dict[str, Any]] = [{} for _ in range(ndim)]
    for k, axis in enumerate(dataset.get("axes") or ()):
        index = axis.get("index_in_array")
        place = k if index is None else int(index)
        if -ndim <= place < ndim:
            found[place] = dict(axis)
    return found


def navigation_first(axes: list[dict[str, Any]]) -> tuple[tuple[int, ...], int]:
    """The axes with those of navigation first, and how many these are."""
    navigate = [bool(axis.get("navigate", False)) for axis in axes]
    first = [k for k, each in enumerate(navigate) if each]
    return (*first, *(k for k, each in enumerate(navigate) if not each)), len(first)


def axis_spec(axis: Mapping[str, Any], name: str) -> tuple[AxisSpec, str]:
    """One axis under a name, and what is lost of its description; empty when nothing is.

    Examples
    --------
    >>> axis_spec({"scale": 2.0, "offset": 1.0, "units": "um", "size": 4}, "x")
    (AxisSpec(name='x', units='µm', scale=2.0, offset=1.0), '')
    >>> axis_spec({"axis": [0.0, 1.0, 4.0], "units": "s"}, "t")[1]
    "the places of axis 't' are not evenly spaced: it counts pixels"
    """
    units = canonical(axis.get("units"))
    places = axis.get("axis")
    if places is not None:
        values = np.asarray(places, float).reshape(-1)
        steps = np.diff(values)
        if values.size > 1 and np.isfinite(values).all() and steps[0] != 0:
            if np.abs(steps - steps.mean()).max() <= _UNIFORM * abs(steps.mean()):
                return AxisSpec(name, units, float(steps.mean()), float(values[0])), ""
            return AxisSpec(name), f"the places of axis {name!r} are not evenly spaced: it counts pixels"
        return AxisSpec(name), ""
    if "expression" in axis:
        return AxisSpec(name), f"axis {name!r} is given by a formula, which is not used: it counts pixels"
    scale, offset = _number(axis.get("scale")), _number(axis.get("offset"))
    if not scale:
        return AxisSpec(name), ""
    return AxisSpec(name, units, scale, offset or 0.0), ""


def axis_names(axes: list[dict[str, Any]], nav_ndim: int) -> list[str]:
    """Names of the axes, navigation first: ``y, x, ky, kx`` where there are frames, else those of the plug-in.

    Examples
    --------
    >>> axis_names([{"name": "height"}, {"name": "width"}, {"name": "a"}, {"name": "b"}], 2)
    ['y', 'x', 'ky', 'kx']
    >>> axis_names([{"name": "time"}, {"name": "Energy"}], 1), axis_names([{}, {"name": "x"}], 0)
    (['time', 'Energy'], ['y', 'x'])
    """
    told = [str(axis.get("name") or "").strip() for axis in axes]
    told = [name if name.lower() not in ("none", "undefined", "<undefined>") else "" for name in told]
    signal = len(axes) - nav_ndim
    defaults = [axis.name for axis in navigation_axes(nav_ndim)]
    if signal == 2:
        defaults += [axis.name for axis in frame_axes()] if nav_ndim else ["y", "x"]
    else:
        defaults += [f"k{k}" for k in range(signal)]
    names: list[str] = []
    for k, (name, default) in enumerate(zip(told, defaults, strict=True)):
        frames = signal == 2 and nav_ndim
        kept = name and name not in told[:k] and not (frames and (k >= nav_ndim or nav_ndim == 2))
        names.append(name if kept and name not in names else default)
    return names if len(set(names)) == len(names) else defaults


def map_metadata(dataset: Mapping[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata tree and everything that the file says, as plain values.

    Parameters
    ----------
    dataset : mapping
        As a plug-in gives it, with the rules by which it translates.
    path : str
        The file.
    """
    original = plain(dataset.get("original_metadata") or {})
    original = original if isinstance(original, dict) else {"value": original}
    tree = plain(dataset.get("metadata") or {})
    tree = tree if isinstance(tree, dict) else {}
    for source, rule in (dataset.get("mapping") or {}).items():
        _translate(original, tree, str(source), rule)
    general = tree.get("General")
    general = general if isinstance(general, dict) else {}
    name = Path(path)
    tree["General"] = {**general, "title": str(general.get("title") or name.stem), "original_filename": name.name}
    tem = _node(tree, "Acquisition_instrument.TEM")
    if tem is not None and "beam_energy" in tem:
        energy = _number(tem["beam_energy"])
        if energy is None or energy <= 0:
            del tem["beam_energy"]
        else:
            tem["beam_energy"] = energy
    return tree, original


def _translate(original: dict[str, Any], tree: dict[str, Any], source: str, rule: Any) -> None:
    """Put one entry of `original` where a rule of the plug-in wants it; rules that fail give nothing."""
    target, convert = rule if isinstance(rule, tuple | list) and len(rule) == 2 else (rule, None)
    value: Any = original
    for part in source.split("."):
        if not isinstance(value, dict) or part not in value:
            return
        value = value[part]
    try:
        value = plain(convert(value) if callable(convert) else value)
    except Exception:
        return
    if value is None or not isinstance(target, str):
        return
    *above, last = target.split(".")
    node = tree
    for part in above:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            return
        node = child
    node[last] = value


def _node(tree: dict[str, Any], path: str) -> dict[str, Any] | None:
    node: Any = tree
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def plain(value: Any, depth: int = 0) -> Any:
    """A value in plain types: dictionaries, lists, text, numbers and arrays of a moderate size; others as text.

    Examples
    --------
    >>> plain({"a": np.float64(2.5), 3: (b"text", None), "c": 1j})
    {'a': 2.5, '3': ['text', None], 'c': 1j}
    """
    if depth > _MOST_DEPTH:
        return str(value)[:200]
    if hasattr(value, "to_dict") and not isinstance(value, np.ndarray):
        value = value.to_dict()
    elif hasattr(value, "as_dictionary"):
        value = value.as_dictionary()
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufc" and value.size <= _MOST_VALUES:
            return value.item() if value.ndim == 0 else np.array(value.astype(value.dtype.newbyteorder("=")))
        return f"array of shape {value.shape} and dtype {value.dtype}" if value.size > _MOST_VALUES else value.tolist()
    if isinstance(value, np.generic):
        return plain(value.item(), depth + 1)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, str | bool | int | float | complex):
        return value
    return str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
