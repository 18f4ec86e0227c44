"""Files of py4DSTEM: EMD 1.0 with any number of roots and trees, and what older versions wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from lazy4d.errors import UnsupportedVariantError
from lazy4d.io.hdf5.attributes import attributes, text, tree, whole
from lazy4d.io.hdf5.candidates import Candidate, candidate, choose, named
from lazy4d.io.hdf5.content import Content
from lazy4d.io.hdf5.emd_calibration import (
    beam_energy,
    calibrated,
    calibration_of,
    legacy_calibration,
    records,
    rest_of,
    values,
)
from lazy4d.io.hdf5.links import attribute, child, dataset_of, group_of, groups, members, place, require
from lazy4d.io.hdf5.vectors import axis_from_dataset
from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes

_WHAT = "py4DSTEM"
_LEGACY = re.compile(r"4DSTEM(?!_simulation)")
_REAL_SPACE = ("RealSlice", "VirtualImage")
_DIFFRACTION_SPACE = ("DiffractionSlice", "VirtualDiffraction", "Probe", "BraggVectorMap")
_NO_ARRAYS = ("metadata", "metadatabundle", "pointlist", "pointlistarray")


class Emd1Dialect:
    """EMD 1.0 as emdfile and py4DSTEM write it, and ``4DSTEM_experiment`` files of py4DSTEM before 0.14."""

    name = "py4DSTEM"

    def matches(self, file: Any) -> bool:
        """Whether an open file says so at its root, or has a root of the older layout."""
        if text(attribute(file, "emd_group_type")) == "file":
            return True
        if whole(attribute(file, "version_major")) == 1 and attribute(file, "authoring_program") is not None:
            return True
        return bool(_legacy_tops(file)) or any(
            text(attribute(group_of(file, name), "emd_group_type")) == "root" for name in members(file)
        )

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The one data cube of the file, or what is named; rows are the axis that py4DSTEM calls R_x.

        Parameters
        ----------
        file : h5py.File
            The open file.
        path : str
            Its path.
        dataset : str or None
            Path of a data cube, the end of it, or the name of a root that holds one.
        **options
            Of other dialects.

        Raises
        ------
        FormatError
            There is none, or several: lists them.
        UnsupportedVariantError
            It holds no numbers, or only counted electrons.
        MissingCompanionError
            It is a link to a file that is missing.
        """
        found = arrays(file)
        if not found and dataset is None:
            counted = [name for top in _legacy_tops(file) for name in members(child(top, "data/counted_datacubes"))]
            if counted:
                raise UnsupportedVariantError(
                    f"{path}: holds counted electrons only ({', '.join(counted[:20])}), which are not read as frames; "
                    "write them as a data cube with the py4DSTEM that made them"
                )
        chosen = choose(path, found, _WHAT) if dataset is None else named(file, path, found, dataset, _WHAT)
        stored, group = require(file, path, chosen.dataset), child(file, chosen.group)
        top = next((t for t in _legacy_tops(file) if chosen.group.startswith(f"{t.name}/")), None)
        calibration = calibration_of(file, chosen.group) if top is None else legacy_calibration(top)
        specs, notes = axes_of(group, chosen, path)
        ndim = len(chosen.shape)
        nav_axes, signal_axes = tuple(range(ndim - 2)), (ndim - 2, ndim - 1)
        if ndim == 3 and _labelled(group):  # slices with names: the stack is the last axis
            nav_axes, signal_axes = (2,), (0, 1)
            specs = (AxisSpec("x"), *(replace(s, name=n) for s, n in zip(specs, ("ky", "kx"), strict=False)))
        navigation, more = calibrated(specs[:-2], calibration if ndim == 4 else {}, "R", path)
        space = "R" if chosen.kind in _REAL_SPACE else "Q"
        known = ndim == 4 or chosen.kind in (*_REAL_SPACE, *_DIFFRACTION_SPACE)
        signal, most = calibrated(specs[-2:], calibration if known else {}, space, path)
        title = chosen.group.strip("/").split("/")[-1] or Path(path).stem
        return Content(
            parts=(place(path, stored),),
            nav_axes=nav_axes,
            signal_axes=signal_axes,
            navigation_axes=navigation,
            signal_axis_specs=signal,
            title=title,
            metadata=_metadata(file, path, chosen, title, calibration, top),
            original_metadata={
                "file": attributes(file),
                "array": {"path": chosen.dataset, **attributes(group), "data": attributes(stored)},
                "axes": axes_attributes(group, ndim),
                "metadata": {where: tree(record) for where, record in records(file, chosen.group)},
                **({"legacy": tree(top["metadata"])} if top is not None and group_of(top, "metadata") else {}),
            },
            warnings=(*notes, *more, *most),
        )


def arrays(file: Any) -> list[Candidate]:
    """The arrays of all trees of a file, by path."""
    found = {}
    for where, group in groups(file, skip=_holds_no_arrays):
        kind = text(attribute(group, "emd_group_type"))
        if kind not in ("array", "1"):
            continue
        for name in ("data", "datacube"):
            item = dataset_of(group, name)
            if item is not None:
                found[where] = candidate(where, item, name, text(attribute(group, "python_class")))
                break
    for top in _legacy_tops(file):
        cubes = group_of(top, "data/datacubes")
        for name in members(cubes) if cubes is not None else ():
            where = f"{top.name}/data/datacubes/{name}"
            for inner in ("data", "datacube"):
                item = dataset_of(group_of(cubes, name), inner)
                if item is not None:
                    found[where] = candidate(where, item, inner, "DataCube")
                    break
    return [found[where] for where in sorted(found)]


def _holds_no_arrays(group: Any) -> bool:
    return text(attribute(group, "emd_group_type")) in _NO_ARRAYS


def _labelled(group: Any) -> bool:
    """Whether the last of three axes lists the names of slices, as emdfile stacks images."""
    return text(attribute(dataset_of(group, "dim2"), "name")) == "_labels_"


def _legacy_tops(file: Any) -> list[Any]:
    """Groups at the root of an older file of py4DSTEM, each a whole data set."""
    found = []
    for name in members(file):
        top = group_of(file, name)
        of_program = _LEGACY.match(name) or "py4dstem" in text(attribute(top, "authoring_program")).lower()
        data = group_of(top, "data") if of_program else None
        if data is not None and any(group_of(data, kind) for kind in ("datacubes", "counted_datacubes")):
            found.append(top)
    return found


def dim_names(group: Any, ndim: int) -> list[str]:
    """Names of the vectors of the axes: numbered from 0 where there is a ``dim0``, else from 1."""
    first = 0 if group is not None and "dim0" in members(group) else 1
    return [f"dim{first + k}" for k in range(ndim)]


def axes_of(group: Any, chosen: Candidate, path: str) -> tuple[tuple[AxisSpec, ...], tuple[str, ...]]:
    """The axes of an array from the vectors beside it, the last two those of a frame, and what to tell of them."""
    ndim = len(chosen.shape)
    plain = (*navigation_axes(ndim - 2), *frame_axes())
    specs: list[AxisSpec] = []
    notes: list[str] = []
    for spec, length, name in zip(plain, chosen.shape, dim_names(group, ndim), strict=True):
        where = f"{path}: {chosen.group.rstrip('/')}/{name}"
        found, told = axis_from_dataset(dataset_of(group, name), length, spec.name, where)
        specs.append(found)
        notes.extend(told)
    return tuple(specs), tuple(notes)


def axes_attributes(group: Any, ndim: int) -> dict[str, Any]:
    """Names and units of the axes as the file has them."""
    found = {name: attributes(dataset_of(group, name)) for name in dim_names(group, ndim)}
    return {name: value for name, value in found.items() if value}


def _metadata(
    file: Any, path: str, chosen: Candidate, title: str, calibration: dict[str, Any], top: Any
) -> dict[str, Any]:
    energies = [values(record) for _, record in records(file, chosen.group)]
    if top is not None:
        metadata = group_of(top, "metadata")
        inner = [metadata, *(group_of(metadata, name) for name in members(metadata))] if metadata is not None else []
        energies += [values(g) for g in (group_of(owner, "microscope") for owner in inner if owner) if g is not None]
    energy, rest = beam_energy([calibration, *energies]), rest_of(calibration)
    microscope: dict[str, Any] = {"beam_energy": energy} if energy else {}
    if rest:
        microscope["Calibration"] = rest
    return {
        "General": {"title": title, "original_filename": Path(path).name},
        **({"Signal": {"signal_type": "electron_diffraction"}} if len(chosen.shape) == 4 else {}),
        **({"Acquisition_instrument": {"TEM": microscope}} if microscope else {}),
    }


DIALECT = Emd1Dialect()
