"""The axes of a NeXus signal, in the three ways in which files have named them over the years."""

from __future__ import annotations

import re
from typing import Any

from lazy4d.io.hdf5.attributes import plain, text
from lazy4d.io.hdf5.candidates import Candidate
from lazy4d.io.hdf5.links import attribute, dataset_of, members
from lazy4d.io.hdf5.vectors import axis_from_dataset
from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes

_SEPARATOR = re.compile(r"[:,\s]+")
_MOST_DIMS = 32


def axes_of(
    group: Any, stored: Any, chosen: Candidate, path: str
) -> tuple[tuple[AxisSpec, ...], tuple[str, ...], list[str]]:
    """Axes of a signal, what to tell of them, and the names of their datasets ("" where there is none).

    Parameters
    ----------
    group : h5py.Group or None
        The NXdata.
    stored : h5py.Dataset
        The signal.
    chosen : Candidate
        The signal as it was found.
    path : str
        The file, for messages.
    """
    ndim = len(chosen.shape)
    names, notes = axis_names(group, stored, ndim, f"{path}: {chosen.group}")
    specs = []
    for spec, length, name in zip((*navigation_axes(ndim - 2), *frame_axes()), chosen.shape, names, strict=True):
        where = f"{path}: {chosen.group.rstrip('/')}/{name}"
        item = dataset_of(group, name) if group is not None and name else None
        if name and item is None:
            notes.append(f"{where}: the axis is named and is no dataset that can be opened: the axis counts pixels")
        found, told = axis_from_dataset(item, length, spec.name, where, edges=True)
        specs.append(found)
        notes.extend(told)
    return tuple(specs), tuple(notes), names


def axis_names(group: Any, stored: Any, ndim: int, where: str) -> tuple[list[str], list[str]]:
    """The name of the dataset of each axis, "" where there is none, and what to tell of them.

    ``axes`` of the group with ``<name>_indices`` comes first, then ``axes`` of the signal, such as ``"y:x"``, then
    datasets that number themselves by ``axis``.
    """
    if group is None:
        return [""] * ndim, []
    given = plain(attribute(group, "axes"))
    if given is None:
        given = plain(attribute(stored, "axes"))
    names = _split(given)
    if not names:
        return _numbered(group, ndim), []
    found, notes = [""] * ndim, []
    for position, name in enumerate(names[:_MOST_DIMS]):
        if name in (".", ""):
            continue
        indices = _indices(attribute(group, f"{name}_indices"))
        if indices is None:
            indices = [position]
        if len(indices) != 1:
            notes.append(f"{where}/{name}: belongs to the axes {indices} together: those axes count pixels")
        elif not 0 <= indices[0] < ndim:
            notes.append(f"{where}/{name}: belongs to axis {indices[0]}, expected 0 to {ndim - 1}: left out")
        elif not found[indices[0]]:
            found[indices[0]] = name
    return found, notes


def _split(given: Any) -> list[str]:
    if isinstance(given, list):
        return [text(item).strip() for item in given]
    return [part for part in _SEPARATOR.split(text(given).strip("[] ")) if part]


def _indices(value: Any) -> list[int] | None:
    """The axes that an attribute lists; None where it lists none."""
    found = plain(value)
    if found is None:
        return None
    try:
        return [int(item) for item in (found if isinstance(found, list) else [found])]
    except (TypeError, ValueError, OverflowError):
        return None


def _numbered(group: Any, ndim: int) -> list[str]:
    """Datasets that say of which axis they are, counted from 1; the one marked ``primary`` where there are several."""
    found, primary = [""] * ndim, [False] * ndim
    for name in members(group):
        item = dataset_of(group, name)
        given = _indices(attribute(item, "axis")) if item is not None else None
        if not given or len(given) != 1 or not 1 <= given[0] <= ndim:
            continue
        first = text(attribute(item, "primary")) in ("1", "1.0", "True")
        if not found[given[0] - 1] or (first and not primary[given[0] - 1]):
            found[given[0] - 1], primary[given[0] - 1] = name, first
    return found
