"""The arrays of a file that can be the frames that are meant, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.hdf5.links import child, dtype_of, is_number, require, require_number
from lazy4d.io.hdf5.opening import h5py_module

_MOST_LISTED = 20


@dataclass(frozen=True)
class Candidate:
    """An array with what belongs to it.

    Parameters
    ----------
    group : str
        Path of the group that holds array and axes.
    dataset : str
        Path of the array.
    shape : tuple of int
        Of the array.
    dtype : str
        Of its pixels, in words.
    kind : str
        What the program calls such an object, such as ``"DataCube"``; empty where it has no name for it.
    numbers : bool
        The pixels are numbers.

    Examples
    --------
    >>> print(Candidate("/scan", "/scan/data", (4, 4, 8, 8), "uint16", "DataCube"))
    /scan (4, 4, 8, 8) uint16
    """

    group: str
    dataset: str
    shape: tuple[int, ...]
    dtype: str
    kind: str = ""
    numbers: bool = True

    def __str__(self) -> str:
        """Path, shape and dtype."""
        return f"{self.group} {self.shape} {self.dtype}"


def candidate(group: str, dataset: Any, name: str, kind: str = "") -> Candidate:
    """What a dataset of a group is, for the choice."""
    where = f"{group.rstrip('/')}/{name}"
    shape = tuple(int(n) for n in dataset.shape)
    return Candidate(group, where, shape, dtype_of(dataset), kind, is_number(dataset))


def listed(found: Sequence[object]) -> str:
    """Candidates in a line of text."""
    more = f"; … {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    return ("; ".join(str(item) for item in found[:_MOST_LISTED]) + more) if found else "none"


def choose(path: str, found: Sequence[Candidate], what: str) -> Candidate:
    """The one array of four axes, else the one of three or more, else the only one.

    Parameters
    ----------
    path : str
        The file, for messages.
    found : sequence of Candidate
        What there is.
    what : str
        What kind of file it is, for messages.

    Raises
    ------
    FormatError
        There is none, or several fit: lists them.
    UnsupportedVariantError
        There are only arrays of something else than numbers.

    Examples
    --------
    >>> image = Candidate("/image", "/image/data", (8, 8), "f4")
    >>> choose("a.h5", [image, Candidate("/scan", "/scan/data", (2, 3, 8, 8), "u2")], "EMD").group
    '/scan'
    """
    readable = [item for item in found if len(item.shape) >= 2 and 0 not in item.shape]
    fitting = [item for item in readable if item.numbers]
    if not fitting and readable:
        raise UnsupportedVariantError(
            f"{path}: the arrays of this {what} file do not hold numbers: {listed(readable)}; records, text and lists "
            "are not read as frames"
        )
    if not fitting:
        raise FormatError(f"{path}: no array of this {what} file holds frames; it holds: {listed(found)}")
    cubes = [item for item in fitting if item.kind == "DataCube"] or [i for i in fitting if len(i.shape) == 4]
    chosen = cubes or [item for item in fitting if len(item.shape) >= 3] or fitting
    if len(chosen) > 1:
        raise FormatError(
            f"{path}: {len(chosen)} arrays of this {what} file can be frames: {listed(chosen)}. Choose one with "
            f"dataset={chosen[0].group!r}"
        )
    return chosen[0]


def named(file: Any, path: str, found: Sequence[Candidate], dataset: str, what: str) -> Candidate:
    """The array that the user names: by its path, the end of it, or the name of a group that holds it alone.

    Raises
    ------
    FormatError
        There is none of that name, or there are several: lists them.
    UnsupportedVariantError
        It does not hold numbers, or has fewer than two axes.
    """
    wanted = dataset.strip("/")
    exact = [item for item in found if wanted in (item.group.strip("/"), item.dataset.strip("/"))]
    by_end = [
        item
        for item in found
        if f"/{item.group.strip('/')}".endswith(f"/{wanted}") or f"/{item.dataset.strip('/')}".endswith(f"/{wanted}")
    ]
    within = [item for item in found if f"/{item.group.strip('/')}/".startswith(f"/{wanted}/")]
    for fitting in (exact, by_end, within):
        if wanted and len(fitting) == 1:
            return _frames(file, path, fitting[0])
        if wanted and fitting:
            return choose(path, fitting, what)
    other = child(file, dataset) if wanted else None
    if isinstance(other, h5py_module().Dataset) and other.shape is not None:
        parent, _, name = f"/{wanted}".rpartition("/")
        return _frames(file, path, candidate(parent or "/", other, name))
    if wanted and other is None and _is_link(file, dataset):
        require(file, path, dataset)
    raise FormatError(f"{path}: there is no dataset {dataset!r} in this {what} file; it holds: {listed(found)}")


def _is_link(file: Any, name: str) -> bool:
    try:
        return file.get(name, getlink=True) is not None
    except (KeyError, OSError, RuntimeError, ValueError, TypeError):
        return False


def _frames(file: Any, path: str, chosen: Candidate) -> Candidate:
    require_number(path, require(file, path, chosen.dataset))
    if len(chosen.shape) < 2:
        raise UnsupportedVariantError(
            f"{path}: the dataset {chosen.dataset} has shape {chosen.shape}, expected at least the two axes of a frame"
        )
    return chosen
