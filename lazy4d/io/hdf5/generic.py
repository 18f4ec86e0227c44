"""Any other HDF5 file: the one dataset in it that can be frames, or the one that the user names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.hdf5.attributes import attributes
from lazy4d.io.hdf5.content import Content
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.source import frame_axes, navigation_axes

_MOST_NODES = 100_000
_MOST_LISTED = 20


@dataclass(frozen=True)
class Found:
    """A dataset of numbers in a file.

    Parameters
    ----------
    path : str
        Of the dataset.
    shape : tuple of int
        Of the array.
    dtype : str
        Of its pixels.

    Examples
    --------
    >>> str(Found("/scan/data", (4, 4, 8, 8), "uint16"))
    '/scan/data (4, 4, 8, 8) uint16'
    """

    path: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        """Path, shape and dtype."""
        return f"{self.path} {self.shape} {self.dtype}"


def contents(path: str | os.PathLike[str]) -> list[Found]:
    """The datasets of numbers in an HDF5 file, by path; links to other files are followed only where they lead.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileNotFoundError, FormatError
        There is no such file, or it is no HDF5.

    Examples
    --------
    >>> import h5py, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["scan/numbers"] = [1, 2, 3]
    >>> [str(found) for found in contents(path)]
    ['/scan/numbers (3,) int64']
    """
    with open_file(path) as file:
        return datasets(file)


def datasets(file: Any) -> list[Found]:
    """The datasets of numbers in an open file, by path."""
    h5py = h5py_module()
    found: list[Found] = []
    groups, seen, left = [(file, "")], set(), _MOST_NODES
    while groups and left > 0:
        group, where = groups.pop(0)
        try:
            names = list(group)
        except (OSError, RuntimeError, ValueError):
            continue
        for name in names:
            left -= 1
            try:
                child = group[name]
                known = (child.file.filename, h5py.h5o.get_info(child.id).addr)
            except (OSError, KeyError, RuntimeError, ValueError, TypeError):
                continue
            if isinstance(child, h5py.Group) and known not in seen:
                seen.add(known)
                groups.append((child, f"{where}/{name}"))
            elif isinstance(child, h5py.Dataset) and known not in seen:
                seen.add(known)
                try:
                    if child.shape is not None and child.dtype.kind in "biufc":
                        found.append(Found(f"{where}/{name}", tuple(child.shape), str(child.dtype)))
                except (OSError, RuntimeError, ValueError, TypeError):
                    continue
    return sorted(found, key=lambda item: item.path)


class GenericDialect:
    """A file without a layout that is known: arrays whose last two axes are those of a frame."""

    name = "generic"

    def matches(self, file: Any) -> bool:
        """True: this is the last one asked."""
        return True

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The array of four axes where there is one, else the one of three or more; or the one that is named.

        Parameters
        ----------
        file : h5py.File
            The open file.
        path : str
            Its path.
        dataset : str or None
            Path of a dataset in it.
        **options
            Of other dialects.

        Raises
        ------
        FormatError
            None fits, or several do: lists them.
        UnsupportedVariantError
            The named dataset has fewer than two axes.
        """
        name = self._choose(file, path) if dataset is None else self._named(file, path, dataset)
        stored = file[name]
        ndim = len(stored.shape)
        return Content(
            parts=((path, str(name)),),
            nav_axes=tuple(range(ndim - 2)),
            signal_axes=(ndim - 2, ndim - 1),
            navigation_axes=navigation_axes(ndim - 2),
            signal_axis_specs=frame_axes(),
            title=Path(path).stem,
            metadata={"General": {"title": Path(path).stem, "original_filename": Path(path).name}},
            original_metadata={"dataset": str(name), "file": attributes(file), "attributes": attributes(stored)},
        )

    def _choose(self, file: Any, path: str) -> str:
        found = datasets(file)
        fitting = [item for item in found if len(item.shape) >= 3 and 0 not in item.shape]
        of_four = [item for item in fitting if len(item.shape) == 4]
        chosen = of_four if len(of_four) == 1 else fitting
        if len(chosen) == 1:
            return chosen[0].path
        if not chosen:
            raise FormatError(
                f"{path}: no dataset of this HDF5 file has three or more axes, so none holds frames; it holds "
                f"{_listed(found)}{_master_beside(path)}"
            )
        raise FormatError(
            f"{path}: {len(chosen)} datasets of this HDF5 file can be frames: {_listed(chosen)}. Choose one with "
            f"dataset={chosen[0].path!r}"
        )

    def _named(self, file: Any, path: str, dataset: str) -> str:
        h5py = h5py_module()
        try:
            stored = file[dataset]
        except (KeyError, ValueError, TypeError):
            stored = None
        if isinstance(stored, h5py.Group) and isinstance(stored.get("data"), h5py.Dataset):
            stored = stored["data"]
            dataset = f"{dataset.rstrip('/')}/data"
        if not isinstance(stored, h5py.Dataset) or stored.shape is None:
            raise FormatError(
                f"{path}: there is no dataset {dataset!r} in this HDF5 file; it holds: {_listed(datasets(file))}"
            )
        if len(stored.shape) < 2:
            raise UnsupportedVariantError(
                f"{path}: the dataset {dataset!r} has shape {stored.shape}, expected at least the two axes of a frame"
            )
        return dataset


def _listed(found: list[Found]) -> str:
    shown = "; ".join(str(item) for item in found[:_MOST_LISTED])
    more = f"; … {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    return f"{shown}{more}" if found else "no dataset of numbers"


def _master_beside(path: str) -> str:
    master = os.path.splitext(path)[0] + "_master.h5"
    return f". The frames of this scan are in {master}: load that" if os.path.exists(master) else ""


DIALECT = GenericDialect()
