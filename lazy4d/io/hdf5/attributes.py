"""Attributes and small datasets of HDF5 files as plain Python values, whatever their types in the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.io.hdf5.heaps import check_attribute, check_dataset

_UNREADABLE = (OSError, KeyError, ValueError, TypeError, RuntimeError, UnicodeError, AttributeError, MemoryError)
"""What h5py raises for attributes and datasets that are damaged, or of types that numpy does not have."""

LARGEST = 65536
_DEEPEST = 64
_MOST_NODES = 20000


def plain(value: Any) -> Any:
    """A plain value: text for bytes, numbers for arrays of one element, lists for small arrays.

    Examples
    --------
    >>> plain(np.bytes_(b"nm")), plain(np.array([2.5])), plain(np.array([1, 2]))
    ('nm', 2.5, [1, 2])
    """
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    if isinstance(value, str):
        return str(value).rstrip("\0")
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return plain(value.reshape(-1)[0])
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item()) if not isinstance(value, np.void) else str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | complex):
        return value
    return str(value)


def text(value: Any) -> str:
    """Text of an attribute, whether stored as fixed or variable length, scalar or array of one; "" for None.

    Examples
    --------
    >>> text(np.array([b"1/nm"])), text(None)
    ('1/nm', '')
    """
    found = plain(value)
    return "" if found is None else found if isinstance(found, str) else str(found)


def number(value: Any) -> float | None:
    """A finite number of an attribute, also where it is stored as text or an array of one; None where it is none.

    Examples
    --------
    >>> number(np.array([0.5])), number(b"2.5"), number("nm"), number(float("nan"))
    (0.5, 2.5, None, None)
    """
    found = plain(value)
    if isinstance(found, bool | list) or found is None:
        return None
    try:
        result = float(found)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if np.isfinite(result) else None


def whole(value: Any) -> int | None:
    """A whole number of an attribute; None where it is none.

    Examples
    --------
    >>> whole(np.uint32(7)), whole(2.5)
    (7, None)
    """
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a file, group or dataset as plain values; those that cannot be read are left out."""
    result = {}
    try:
        names = list(item.attrs)
    except _UNREADABLE:
        return {}
    for name in names:
        try:
            check_attribute(item, name)
            result[str(name)] = plain(item.attrs[name])
        except _UNREADABLE:
            continue
    return result


def small(item: Any, limit: int = LARGEST) -> Any:
    """The value of a dataset of at most `limit` bytes, plain; None where it is larger, absent or unreadable.

    Parameters
    ----------
    item : h5py.Dataset or None
        The dataset.
    limit : int
        Most bytes that are read.
    """
    try:
        if item is None or item.shape is None or int(item.size) * max(1, int(item.dtype.itemsize)) > limit:
            return None
        check_dataset(item)
        return plain(item[()])
    except _UNREADABLE:
        return None


def tree(group: Any, limit: int = LARGEST) -> dict[str, Any]:
    """A group as nested dictionaries: attributes below ``"attributes"``, small datasets as values, the rest left out.

    Links to other files are not followed.

    Parameters
    ----------
    group : h5py.Group
        The group.
    limit : int
        Most bytes of a dataset that is read; larger ones are told by shape and dtype.
    """
    return _tree(group, limit, 0, [_MOST_NODES])


def _tree(group: Any, limit: int, depth: int, left: list[int]) -> dict[str, Any]:
    import h5py

    result: dict[str, Any] = {}
    own = attributes(group)
    if own:
        result["attributes"] = own
    try:
        names = list(group)
    except _UNREADABLE:
        return result
    for name in names:
        left[0] -= 1
        if left[0] < 0 or depth > _DEEPEST:
            break
        try:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                continue
            child = group[name]
            if isinstance(child, h5py.Group):
                result[name] = _tree(child, limit, depth + 1, left)
            elif isinstance(child, h5py.Dataset):
                result[name] = _leaf(child, limit)
        except _UNREADABLE:
            continue
    return result


def _leaf(item: Any, limit: int) -> Any:
    value = small(item, limit)
    if value is None:
        value = f"dataset {tuple(item.shape or ())} {item.dtype}"
    own = attributes(item)
    return {"value": value, "attributes": own} if own else value
