"""Objects of an HDF5 file by name, whatever links, cycles and damage lie on the way to them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from lazy4d.errors import FormatError, MissingCompanionError, UnsupportedVariantError
from lazy4d.io.hdf5.heaps import check_attribute
from lazy4d.io.hdf5.opening import h5py_module

UNREADABLE = (OSError, KeyError, ValueError, TypeError, RuntimeError, UnicodeError, AttributeError, MemoryError)
"""What h5py raises for damaged objects, links that lead nowhere or in a circle, and types that numpy does not have."""

_MOST_GROUPS = 20_000
_MOST_MEMBERS = 20_000
_MOST_LINKS = 16


def attribute(item: Any, name: str) -> Any:
    """An attribute as h5py gives it; None where it is absent, damaged or unreadable."""
    try:
        if name not in item.attrs:
            return None
        check_attribute(item, name)
        return item.attrs[name]
    except UNREADABLE:
        return None


def child(group: Any, name: str) -> Any:
    """A member of a group, links followed; None where there is none or it cannot be opened."""
    try:
        return group[name] if name and group is not None else None
    except UNREADABLE:
        return None


def dataset_of(group: Any, name: str) -> Any:
    """A dataset with values in a group; None where there is none."""
    found = child(group, name)
    try:
        return found if isinstance(found, h5py_module().Dataset) and found.shape is not None else None
    except UNREADABLE:
        return None


def group_of(group: Any, name: str) -> Any:
    """A group in a group; None where there is none."""
    found = child(group, name)
    return found if isinstance(found, h5py_module().Group) else None


def members(group: Any) -> list[str]:
    """Names in a group; none where it cannot be listed or holds one object a scan position."""
    try:
        return [str(name) for name in group] if len(group) <= _MOST_MEMBERS else []
    except UNREADABLE:
        return []


def groups(
    file: Any, most: int = _MOST_GROUPS, *, skip: Callable[[Any], bool] | None = None
) -> Iterator[tuple[str, Any]]:
    """Path and group of everything below `file`, itself first, nearest first; each once, only by hard links.

    Parameters
    ----------
    file : h5py.Group
        Where to start.
    most : int
        Objects that are looked at.
    skip : callable, optional
        True for a group that is not looked into.
    """
    h5py = h5py_module()
    waiting, seen, left = [("", file)], set(), most
    for where, group in waiting:
        yield where or "/", group
        if skip is not None and skip(group):
            continue
        for name in members(group):
            left -= 1
            if left < 0:
                return
            try:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    continue
                if group.get(name, getclass=True) is not h5py.Group:
                    continue
                found = group[name]
                address = h5py.h5o.get_info(found.id).addr
            except UNREADABLE:
                continue
            if address not in seen:
                seen.add(address)
                waiting.append((f"{where}/{name}", found))


def dtype_of(dataset: Any) -> str:
    """The dtype of a dataset in words, also where numpy has none like it."""
    try:
        return str(dataset.dtype)
    except UNREADABLE:
        return "unknown type"


def is_number(dataset: Any) -> bool:
    """Whether a dataset holds numbers or booleans."""
    try:
        return dataset.dtype.kind in "biufc"
    except UNREADABLE:
        return False


def require_number(path: str, dataset: Any) -> None:
    """Nothing, where a dataset holds numbers.

    Raises
    ------
    UnsupportedVariantError
        It holds records, text, lists or references.
    """
    if not is_number(dataset):
        raise UnsupportedVariantError(
            f"{path}: the dataset {dataset.name} holds {dtype_of(dataset)}, expected numbers: records, text and lists "
            "are not read as frames; write the field that is meant as a dataset of its own"
        )


def place(path: str, dataset: Any) -> tuple[str, str]:
    """The file that a dataset is really in, and its path there: an external link leads elsewhere."""
    where = os.fspath(dataset.file.filename)
    where = where.decode("utf-8", "surrogateescape") if isinstance(where, bytes) else where
    return (path if _same(where, path) else os.path.abspath(where)), str(dataset.name)


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def require(file: Any, path: str, name: str) -> Any:
    """The object of that path in a file.

    Raises
    ------
    MissingCompanionError
        It is a link to a file that is not there.
    FormatError
        There is no such object, or it is damaged.
    """
    try:
        return file[name]
    except UNREADABLE as error:
        told = " ".join(str(error).split())
        missing = _missing_file(file, path, name)
        if missing:
            raise MissingCompanionError(
                f"{path}: {name} is a link to the file {missing}, which is missing: put it there"
            ) from error
        raise FormatError(f"{path}: {name!r} cannot be opened in this HDF5 file ({told})") from error


def _missing_file(file: Any, path: str, name: str) -> str:
    """The file that an external link on the way to an object leads to, where it is absent; else nothing."""
    h5py = h5py_module()
    at, left = "/", [part for part in str(name).split("/") if part]
    for _ in range(_MOST_LINKS * 16):
        if not left:
            return ""
        at = posixpath.join(at, left.pop(0))
        try:
            link = file.get(at, getlink=True)
        except UNREADABLE:
            return ""
        if isinstance(link, h5py.ExternalLink):
            where = os.path.join(os.path.dirname(path), os.fspath(link.filename))
            return "" if os.path.exists(where) else where
        if isinstance(link, h5py.SoftLink):
            goal = posixpath.join(posixpath.dirname(at), os.fspath(link.path))
            left = [part for part in goal.split("/") if part] + left
            at = "/"
    return ""
