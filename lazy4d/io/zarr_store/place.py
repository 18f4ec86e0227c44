"""What stands where a store is to be written, and what may be removed there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from enum import Enum

from lazy4d.io.paths import is_url
from lazy4d.io.zarr_store.document import is_store
from lazy4d.io.zarr_store.shards import PARTIAL, remove_partial

_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")


class Existing(Enum):
    """What stands at a path."""

    NOTHING = "nothing"
    OWN = "a store of lazy4d"
    ZARR = "a Zarr store"
    EMPTY = "an empty folder"
    FILE = "a file"
    FOLDER = "a folder that is no Zarr store"


def local_path(path: str | os.PathLike[str]) -> str:
    """The absolute path of a folder on a drive.

    Raises
    ------
    ValueError
        A URL.

    Examples
    --------
    >>> os.path.isabs(local_path("scan.zarr"))
    True
    """
    where = os.fspath(path)
    if is_url(where):
        raise ValueError(f"cannot save to the URL {where!r}: expected a path on a local or mounted drive")
    if where.lower().startswith("file://"):
        where = where[7:]
    return os.path.abspath(os.path.expanduser(where))


def find_existing(where: str) -> Existing:
    """What stands at an absolute path.

    Examples
    --------
    >>> find_existing("/no/such/folder")
    <Existing.NOTHING: 'nothing'>
    """
    if not os.path.lexists(where):
        return Existing.NOTHING
    if not os.path.isdir(where):
        return Existing.FILE
    if is_store(where):
        return Existing.OWN
    if any(os.path.exists(os.path.join(where, mark)) for mark in _MARKS):
        return Existing.ZARR
    with os.scandir(where) as entries:
        return Existing.EMPTY if all(entry.name.endswith(PARTIAL) for entry in entries) else Existing.FOLDER


def clear(where: str, existing: Existing, overwrite: bool, sources: Iterable[str]) -> None:
    """Make room for a store at an absolute path.

    Parameters
    ----------
    where : str
        The path.
    existing : Existing
        What stands there.
    overwrite : bool
        Whether it may be removed.
    sources : iterable of str
        Stores that the new one is computed from.

    Raises
    ------
    FileExistsError
        It may not be removed.
    ValueError
        It is one of the sources.
    """
    if existing in (Existing.NOTHING, Existing.EMPTY):
        return
    if not overwrite:
        again = ", resume=True to go on with an interrupted save of the same frames" if existing is Existing.OWN else ""
        raise FileExistsError(
            f"{where}: {existing.value} is there already, expected nothing. Pass overwrite=True to replace it{again}, "
            "or save under another name"
        )
    if existing is Existing.FOLDER:
        raise FileExistsError(
            f"{where}: a folder that is no Zarr store is there, expected a store, a file or nothing: such folders are "
            "never deleted, overwrite=True or not. Move it away, or save under another name"
        )
    if any(os.path.realpath(source) == os.path.realpath(where) for source in sources):
        raise ValueError(
            f"{where}: the frames are read from this very store, so it cannot be replaced by them: save under another "
            "name, or compute() the signal first"
        )
    if existing is Existing.FILE or os.path.islink(where):
        os.unlink(where)
    else:
        shutil.rmtree(where)


def make_folders(where: str, *names: str) -> None:
    """The folders of a store; what interrupted tasks left in them is removed."""
    for folder in (where, *(os.path.join(where, name) for name in names)):
        os.makedirs(folder, exist_ok=True)
        remove_partial(folder)
