"""NeXus: the default plot of a file, its signal and the axes that go with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError, UnsupportedVariantError
from lazy4d.io.hdf5.attributes import attributes, number, small, text, tree
from lazy4d.io.hdf5.candidates import Candidate, candidate, choose, listed, named
from lazy4d.io.hdf5.content import Content
from lazy4d.io.hdf5.links import UNREADABLE, attribute, child, dataset_of, group_of, groups, members, place, require
from lazy4d.io.hdf5.nexus_axes import axes_of
from lazy4d.io.hdf5.opening import h5py_module
from lazy4d.io.hdf5.vectors import plain_unit

_WHAT = "NeXus"
_LONGEST_CHAIN = 16
_FEW_OBJECTS = 2000
_SMALL = 4096
_OTHER_FRAMES = re.compile(r"rgb|hsl|cmyk", re.IGNORECASE)


class NexusDialect:
    """Files with NXdata groups; a frame is always the last two axes of the signal, whatever the axes are called."""

    name = "NeXus"

    def matches(self, file: Any) -> bool:
        """Whether an open file has an entry, or a group of data, of NeXus."""
        if _class_of(file) == "NXroot" or any(_class_of(group_of(file, name)) == "NXentry" for name in members(file)):
            return True
        return any(_class_of(group) == "NXdata" for _, group in groups(file, _FEW_OBJECTS))

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The signal of the NXdata that the file marks as its default, of its only one, or of the one that is named.

        Parameters
        ----------
        file : h5py.File
            The open file.
        path : str
            Its path.
        dataset : str or None
            Path of an NXdata group or of a dataset, or the end of it.
        **options
            Of other dialects.

        Raises
        ------
        FormatError
            There is no signal, or several fit: lists them.
        MissingCompanionError
            The signal is a link to a file that is missing.
        UnsupportedVariantError
            The signal is no number, has fewer than two axes, or is an image in colours.
        """
        chosen = self._default(file, path) if dataset is None else None
        if chosen is None:
            found = signals(file)
            if dataset is not None:
                chosen = named(file, path, found, dataset, _WHAT)
            elif not found:
                raise _without_signal(file, path)
            else:
                chosen = choose(path, found, _WHAT)
        stored, group = require(file, path, chosen.dataset), group_of(file, chosen.group)
        if len(chosen.shape) < 2:
            raise UnsupportedVariantError(
                f"{path}: the signal {chosen.dataset} has shape {chosen.shape}, expected at least the two axes of a "
                f"frame; choose another with dataset=, of: {listed(signals(file))}"
            )
        notes = _interpreted(path, chosen, group, stored)
        specs, told, names = axes_of(group, stored, chosen, path)
        ndim = len(chosen.shape)
        title = _title(file, chosen, path)
        return Content(
            parts=(place(path, stored),),
            nav_axes=tuple(range(ndim - 2)),
            signal_axes=(ndim - 2, ndim - 1),
            navigation_axes=specs[:-2],
            signal_axis_specs=specs[-2:],
            title=title,
            metadata=_metadata(file, path, chosen, title),
            original_metadata={
                "file": attributes(file),
                "signal": chosen.dataset,
                "axes": names,
                "data": attributes(group) if group is not None else {},
                "entry": tree(_entry(file, chosen), _SMALL),
            },
            warnings=(*notes, *told),
        )

    def _default(self, file: Any, path: str) -> Candidate | None:
        """The signal at the end of the chain of attributes ``default``; None where the chain ends before data."""
        group, where = file, "/"
        for _ in range(_LONGEST_CHAIN):
            if _class_of(group) == "NXdata":
                return _signal(file, path, where, group)
            step = text(attribute(group, "default"))
            inner = group_of(group, step)
            if not step or inner is None:
                return None
            group, where = inner, step if step.startswith("/") else f"{where.rstrip('/')}/{step}"
        return None


def _class_of(group: Any) -> str:
    return text(attribute(group, "NX_class")) if group is not None else ""


def signals(file: Any) -> list[Candidate]:
    """The signals of all NXdata groups of a file, by path; those that lead nowhere are left out."""
    found = []
    for where, group in groups(file):
        if _class_of(group) == "NXdata":
            name = signal_name(group)
            item = dataset_of(group, name) if name else None
            if item is not None:
                found.append(candidate(where, item, name))
    return sorted(found, key=lambda item: item.group)


def signal_name(group: Any) -> str:
    """The name of the signal of an NXdata: by its attribute, by ``signal=1`` of a dataset, or because it stands alone.

    Files before 2014 mark the dataset, as text or number; programs that mark nothing call it ``data``.
    """
    name = text(attribute(group, "signal"))
    names = members(group)
    if name in names:
        return name
    marked = [item for item in names if text(attribute(dataset_of(group, item), "signal")) in ("1", "1.0")]
    if marked or name:
        return marked[0] if marked else name
    h5py = h5py_module()
    fields = []
    for item in names:
        found = dataset_of(group, item)
        if isinstance(found, h5py.Dataset) and len(found.shape) >= 2:
            fields.append(item)
    return "data" if "data" in fields else fields[0] if len(fields) == 1 else ""


def _signal(file: Any, path: str, where: str, group: Any) -> Candidate | None:
    name = signal_name(group)
    if not name:
        return None
    inner = f"{where.rstrip('/')}/{name}"
    stored = require(file, path, inner)
    if not isinstance(stored, h5py_module().Dataset) or stored.shape is None:
        raise FormatError(
            f"{path}: expected a dataset as the signal {inner}, found {type(stored).__name__}; choose one with "
            f"dataset=, of: {listed(signals(file))}"
        )
    found = candidate(where, stored, name)
    if not found.numbers:
        raise UnsupportedVariantError(
            f"{path}: the signal {inner} holds {found.dtype}, expected numbers; choose another with dataset=, of: "
            f"{listed([item for item in signals(file) if item.numbers])}"
        )
    return found


def _without_signal(file: Any, path: str) -> Exception:
    """Why no signal was found: a link of an NXdata to a missing file, or nothing marked."""
    found = []
    for where, group in groups(file):
        if _class_of(group) != "NXdata":
            continue
        name = signal_name(group)
        if name and name in members(group):
            try:
                require(file, path, f"{where.rstrip('/')}/{name}")
            except Lazy4DError as error:
                return error
        found.append(f"{where}: {name!r}" if name else where)
    return FormatError(
        f"{path}: no NXdata group of this NeXus file leads to a signal ({listed(found)}); name a dataset with dataset="
    )


def _interpreted(path: str, chosen: Candidate, group: Any, stored: Any) -> tuple[str, ...]:
    """What the file says of the meaning of its last axes, where it is not that of frames.

    Raises
    ------
    UnsupportedVariantError
        They are colours.
    """
    meaning = text(attribute(stored, "interpretation"))
    meaning = meaning or (text(attribute(group, "interpretation")) if group is not None else "")
    if _OTHER_FRAMES.search(meaning):
        raise UnsupportedVariantError(
            f"{path}: the signal {chosen.dataset} holds images in colours (interpretation {meaning!r}), expected one "
            "number a pixel; write the channel that is meant as a dataset of its own"
        )
    notes = []
    if meaning in ("spectrum", "scalar", "vertex"):
        notes.append(
            f"{path}: the signal {chosen.dataset} is marked as {meaning}; its last two axes were taken as frames"
        )
    for name in ("scaling_factor", "offset"):
        value = attribute(stored, name)
        value = small(dataset_of(group, name)) if value is None and group is not None else value
        neutral = 1.0 if name == "scaling_factor" else 0.0
        found = number(value)
        if found is not None and found != neutral:
            notes.append(f"{path}: {name} = {found:g} of {chosen.dataset} was not applied: pixels are as stored")
    return tuple(notes)


def _entry(file: Any, chosen: Candidate) -> Any:
    """The entry that a signal is in, else the nearest group."""
    found = group_of(file, chosen.group.strip("/").split("/")[0])
    return file if found is None else found


def _title(file: Any, chosen: Candidate, path: str) -> str:
    for group in (group_of(file, chosen.group), _entry(file, chosen)):
        found = text(small(dataset_of(group, "title"))) if group is not None else ""
        if found:
            return found
    return chosen.group.strip("/").split("/")[-1] or Path(path).stem


def _metadata(file: Any, path: str, chosen: Candidate, title: str) -> dict[str, Any]:
    general: dict[str, Any] = {"title": title, "original_filename": Path(path).name}
    entry = _entry(file, chosen)
    when = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", text(small(dataset_of(entry, "start_time"))))
    if when:
        general |= {"date": when[1], "time": when[2]}
    energy = _beam_energy(entry)
    return {
        "General": general,
        **({"Acquisition_instrument": {"TEM": {"beam_energy": energy}}} if energy else {}),
    }


def _beam_energy(entry: Any) -> float | None:
    """Of the source or beam of an instrument, in keV where its unit is one of energy or voltage."""
    factor = {"eV": 1e-3, "V": 1e-3, "keV": 1.0, "kV": 1.0, "MeV": 1e3, "MV": 1e3}
    try:
        for _, group in groups(entry, _FEW_OBJECTS):
            if _class_of(group) in ("NXsource", "NXbeam", "NXebeam_column"):
                for name in ("energy", "incident_energy", "voltage"):
                    item = child(group, name)
                    value = number(small(item)) if item is not None and hasattr(item, "shape") else None
                    unit = plain_unit(attribute(item, "units")) if item is not None else ""
                    if value is not None and value > 0 and unit in factor:
                        return value * factor[unit]
    except UNREADABLE:
        return None
    return None


DIALECT = NexusDialect()
