"""EMD before version 1: files of Berkeley Lab and of Prismatic; those of Velox and stempy are named and refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lazy4d.errors import UnsupportedVariantError
from lazy4d.io.hdf5.attributes import attributes, number, text, tree, whole
from lazy4d.io.hdf5.candidates import Candidate, candidate, choose, named
from lazy4d.io.hdf5.content import Content
from lazy4d.io.hdf5.emd1 import axes_attributes, axes_of
from lazy4d.io.hdf5.emd_calibration import beam_energy
from lazy4d.io.hdf5.links import attribute, child, dataset_of, group_of, groups, place, require
from lazy4d.io.scan import ShapeHint
from lazy4d.io.source import AxisSpec, navigation_axes

_WHAT = "EMD"
_SIMULATION = "4DSTEM_simulation"
_DEPTH = re.compile(r"(.*/CBED_array)_depth(\d+)(.*)")
_FEW_OBJECTS = 2000
_RECORDS = ("microscope", "user", "sample", "comments")


class Emd0Dialect:
    """EMD 0.x: groups of type 1 with an array and a vector for each axis, in the order of the file."""

    name = "EMD 0"

    def matches(self, file: Any) -> bool:
        """Whether an open file has a version 0 of EMD, a group of that kind, or is of Velox or stempy."""
        if group_of(file, _SIMULATION) is not None or _is_velox(file) or _is_counted(file):
            return True
        if whole(attribute(file, "version_major")) == 0 and attribute(file, "version_minor") is not None:
            return True
        return any(_is_array(group) for _, group in groups(file, _FEW_OBJECTS))

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The one array of the file, all thicknesses of a simulation as one stack, or what is named.

        Parameters
        ----------
        file : h5py.File
            The open file.
        path : str
            Its path.
        dataset : str or None
            Path of a group or array, or the end of it, such as ``"CBED_array_depth0001"`` for one thickness.
        **options
            Of other dialects.

        Raises
        ------
        FormatError
            There is none, or several: lists them.
        UnsupportedVariantError
            A file of Velox or of counted electrons, or an array that holds no numbers.
        MissingCompanionError
            It is a link to a file that is missing.
        """
        if _is_velox(file):
            raise UnsupportedVariantError(
                f"{path}: an EMD file of Velox, which holds images and spectra with the frames last; load it with "
                "reader='rosettasciio'"
            )
        if _is_counted(file):
            raise UnsupportedVariantError(
                f"{path}: counted electrons of stempy (electron_events/frames), lists of hits and not frames; make "
                "frames of them with stempy (SparseArray.to_dense) and load what it saves"
            )
        found = arrays(file)
        if dataset is None:
            stack = thicknesses(found)
            if len(stack) > 1:
                return self._stack(file, path, stack)
        chosen = choose(path, found, _WHAT) if dataset is None else named(file, path, found, dataset, _WHAT)
        return self._one(file, path, chosen)

    def _one(self, file: Any, path: str, chosen: Candidate) -> Content:
        stored, group = require(file, path, chosen.dataset), child(file, chosen.group)
        specs, notes = axes_of(group, chosen, path)
        ndim = len(chosen.shape)
        title = chosen.group.strip("/").split("/")[-1] or Path(path).stem
        return Content(
            parts=(place(path, stored),),
            nav_axes=tuple(range(ndim - 2)),
            signal_axes=(ndim - 2, ndim - 1),
            navigation_axes=specs[:-2],
            signal_axis_specs=specs[-2:],
            title=title,
            metadata=_metadata(file, path, title, ndim),
            original_metadata=_original(file, group, chosen, stored),
            warnings=notes,
        )

    def _stack(self, file: Any, path: str, stack: list[Candidate]) -> Content:
        """Thicknesses of a simulation as the first axis of the scan."""
        first = stack[0]
        stored = [require(file, path, item.dataset) for item in stack]
        for item in stored:
            layout = (item.chunks, item.compression)
            if layout != (stored[0].chunks, stored[0].compression) or (item.chunks and item.shape[0] % item.chunks[0]):
                raise UnsupportedVariantError(
                    f"{path}: the {len(stack)} thicknesses of this simulation are stored in chunks that cannot be "
                    f"joined; load one with dataset={first.group!r}"
                )
        content = self._one(file, path, first)
        content.parts = tuple(place(path, item) for item in stored)
        content.navigation_axes = (AxisSpec(navigation_axes(3)[0].name), *content.navigation_axes)
        content.title = Path(path).stem
        content.metadata["General"]["title"] = Path(path).stem
        content.original_metadata["stacked"] = [item.group for item in stack]
        content.shape_hint = ShapeHint(
            (len(stack), *first.shape[:2]), f"{len(stack)} thicknesses of {first.group.rpartition('/')[0]}"
        )
        return content


def arrays(file: Any) -> list[Candidate]:
    """The arrays of a file by path: those of groups of type 1, and those of a simulation."""
    found = []
    for where, group in groups(file):
        if not _is_array(group) and not _DEPTH.match(where):
            continue
        for name in ("data", "datacube"):
            item = dataset_of(group, name)
            if item is not None:
                found.append(candidate(where, item, name, "DataCube" if name == "datacube" else ""))
                break
    return sorted(found, key=lambda item: item.group)


def thicknesses(found: list[Candidate]) -> list[Candidate]:
    """The frames of one simulation at all its thicknesses, in their order; empty where they do not fit together.

    Examples
    --------
    >>> cubes = [Candidate(f"/CBED_array_depth000{k}", "", (2, 2, 8, 8), "f4") for k in (1, 0)]
    >>> [item.group for item in thicknesses(cubes)]
    ['/CBED_array_depth0000', '/CBED_array_depth0001']
    """
    stacks: dict[tuple[str, str], list[tuple[int, Candidate]]] = {}
    for item in found:
        match = _DEPTH.match(item.group)
        if match and len(item.shape) == 4 and item.numbers and 0 not in item.shape:
            stacks.setdefault((match[1], match[3]), []).append((int(match[2]), item))
    if len(stacks) != 1:
        return []
    (stack,) = stacks.values()
    alike = {(item.shape, item.dtype) for _, item in stack}
    return [item for _, item in sorted(stack, key=lambda entry: entry[0])] if len(alike) == 1 else []


def _is_array(group: Any) -> bool:
    """Whether a group is an array by its type, a number before version 1."""
    kind = attribute(group, "emd_group_type")
    return kind is not None and not isinstance(kind, str | bytes) and whole(kind) == 1


def _is_velox(file: Any) -> bool:
    return group_of(file, "Data/Image") is not None and child(file, "Version") is not None


def _is_counted(file: Any) -> bool:
    return dataset_of(file, "electron_events/frames") is not None


def _simulated_energy(file: Any) -> float | None:
    """Of a file of Prismatic, in keV."""
    parameters = group_of(file, f"{_SIMULATION}/metadata/metadata_0/original/simulation_parameters")
    energy = number(attribute(parameters, "E")) if parameters is not None else None
    return energy if energy and energy > 0 else None


def _metadata(file: Any, path: str, title: str, ndim: int) -> dict[str, Any]:
    microscope = group_of(file, "microscope")
    energy = _simulated_energy(file) or (beam_energy([attributes(microscope)]) if microscope is not None else None)
    sample = group_of(file, "sample")
    about = text(attribute(sample, "description")) if sample is not None else ""
    return {
        "General": {"title": title, "original_filename": Path(path).name},
        **({"Signal": {"signal_type": "electron_diffraction"}} if ndim >= 4 else {}),
        **({"Sample": {"description": about}} if about else {}),
        **({"Acquisition_instrument": {"TEM": {"beam_energy": energy}}} if energy else {}),
    }


def _original(file: Any, group: Any, chosen: Candidate, stored: Any) -> dict[str, Any]:
    found = {
        "file": attributes(file),
        "array": {"path": chosen.dataset, **attributes(group), "data": attributes(stored)},
        "axes": axes_attributes(group, len(chosen.shape)),
    }
    for name in (*_RECORDS, f"{_SIMULATION}/metadata"):
        record = group_of(file, name)
        if record is not None:
            found[name.rsplit("/", 1)[-1]] = tree(record)
    return found


DIALECT = Emd0Dialect()
