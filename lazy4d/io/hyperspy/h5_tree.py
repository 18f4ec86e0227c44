"""Groups of metadata in an HDF5 file, read with limits and written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.hdf5.heaps import check_dataset
from lazy4d.io.hdf5.links import attribute
from lazy4d.io.hyperspy.nodes import Budget, Group, LeftOut

_DEEPEST = 100
_UNREADABLE = (OSError, KeyError, ValueError, TypeError, RuntimeError, UnicodeDecodeError)
"""What h5py raises for attributes and data sets that are damaged, or of types that numpy does not have."""


def read_group(group: Any, skip: tuple[str, ...] = (), budget: Budget | None = None) -> Group:
    """A group of an open HDF5 file with all that is below, in memory.

    Parameters
    ----------
    group : h5py.Group
        The group.
    skip : tuple of str
        Children that are not looked at: the pixels.
    budget : Budget, optional
        How much may be read.

    Returns
    -------
    Group
        What cannot be read, or is too large, is `LeftOut`; links to other files are not followed.
    """
    return _read(group, skip, budget or Budget(), ())


def _read(group: Any, skip: tuple[str, ...], budget: Budget, above: tuple[int, ...]) -> Group:
    import h5py

    result = Group()
    for name in _names(group.attrs):
        value = read_attribute(group, name)
        if value is not None:
            result.attributes[name] = value
    for name in _names(group):
        if name in skip or not budget.node() or len(above) > _DEEPEST:
            continue
        try:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                continue
            child = group[name]
            place = int(h5py.h5o.get_info(child.id).addr)
        except _UNREADABLE:
            continue
        if isinstance(child, h5py.Group):
            if place not in above:  # a group may hold itself
                result.children[name] = _read(child, (), budget, (*above, place))
        elif isinstance(child, h5py.Dataset):
            result.children[name] = _array(child, budget)
    return result


def read_attribute(group: Any, name: str) -> Any:
    """The value of an attribute; None where there is none, it is damaged, or a sequence of other than characters."""
    from h5py import h5t

    try:
        if name not in group.attrs or group.attrs.get_id(name).get_type().get_class() == h5t.VLEN:
            return None  # HyperSpy writes none of these
        return attribute(group, name)
    except _UNREADABLE:
        return None


def _names(members: Any) -> list[str]:
    try:
        return [name for name in members if isinstance(name, str)]
    except _UNREADABLE:
        return []


def _array(dataset: Any, budget: Budget) -> NDArray[Any] | LeftOut:
    import h5py

    try:
        if dataset.shape is None:  # HDF5's "null": no value
            return np.zeros(0)
        kind = dataset.dtype
        text = kind.kind != "O" or h5py.check_string_dtype(kind) is not None
        if text and budget.take(dataset.shape, kind):
            check_dataset(dataset)
            return np.asarray(dataset[()])
        return LeftOut(str(dataset.name), tuple(dataset.shape), str(kind))
    except (*_UNREADABLE, MemoryError):
        return LeftOut(str(dataset.name), (), "unreadable")


def write_group(parent: Any, name: str, content: Group) -> Any:
    """Write a group with all that is below into an open HDF5 file; the new `h5py.Group`."""
    group = parent.create_group(name)
    write_attributes(group, content)
    for child_name, child in content.children.items():
        if isinstance(child, Group):
            write_group(group, child_name, child)
        elif isinstance(child, np.ndarray):
            write_array(group, child_name, child)
    return group


def write_attributes(group: Any, content: Group) -> None:
    """Write the attributes of a group; text of any length, as variable-length UTF-8."""
    for name, value in content.attributes.items():
        group.attrs[name] = value


def write_array(group: Any, name: str, array: NDArray[Any]) -> None:
    """Write a small array; text of an array of objects as variable-length UTF-8.

    As one chunk, for HyperSpy asks the arrays of lazily loaded files for their chunks.
    """
    import h5py

    kind = h5py.string_dtype() if array.dtype.kind == "O" else array.dtype
    if not array.size:
        group.create_dataset(name, array.shape, kind, maxshape=(None,) * array.ndim, chunks=(1,) * array.ndim)
    elif array.nbytes > 2**14 and array.dtype.kind != "O":
        group.create_dataset(name, data=array, chunks=array.shape, compression="gzip", compression_opts=1, shuffle=True)
    else:
        group.create_dataset(name, data=array, dtype=kind, chunks=array.shape)
