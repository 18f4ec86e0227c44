"""Which files hold vectors, and the vectors in them: those of lazy4d, of pyxem and of py4DSTEM."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import PurePath
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError
from lazy4d.io.hdf5.opening import is_hdf5, open_file
from lazy4d.io.paths import expand_paths, is_url
from lazy4d.io.vectors.place import PARTIAL, interrupted, is_workplace
from lazy4d.io.vectors.store import LoadedVectors

READER = "vectors"
"""What to pass as ``reader=`` where a file holds frames too."""

_PARQUET = b"PAR1"
_HERE = "lazy4d.io.vectors"


def find_vectors(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    reader: str | None = None,
    dataset: str | None = None,
) -> str | None:
    """The name of the module that reads the vectors of a file; None for what holds none, or frames as well.

    Parameters
    ----------
    path : path
        As a user gives it, also as a list of one; several paths and URLs hold no vectors.
    reader : str, optional
        Another reader than ``"vectors"`` is a decision for frames.
    dataset : str, optional
        Which one of a file that holds several.

    Raises
    ------
    FormatError
        A save of vectors under this name was interrupted; or `reader` asks for vectors, and there are none, or several
        files.

    Examples
    --------
    >>> find_vectors("/no/such/file.mib") is None
    True
    """
    if reader not in (None, READER):
        return None
    where = _meant(path)
    if reader == READER and not where:
        raise FormatError(f"expected one file of vectors, found {path!r}: vectors are loaded one file at a time")
    found = _module(where, dataset, forced=reader == READER)
    if found is None and reader == READER:
        if not os.path.lexists(where):
            raise FileNotFoundError(f"no such file: {where}")
        raise FormatError(
            f"{where}: expected vectors, as lazy4d saves them in .zarr, .h5 and .parquet, pyxem in .hspy and .zspy and "
            "py4DSTEM in .h5; found none"
        )
    return found


def load_vectors(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    dataset: str | None = None,
    chunks: Any = "auto",
    reader: str | None = READER,
) -> LoadedVectors | None:
    """The vectors of a file, lazily and checked in milliseconds; None for what holds none, or frames as well.

    Parameters
    ----------
    path : path
        A file, or the folder of a store.
    dataset : str, optional
        Which one of a file that holds several.
    chunks : "auto", int or sequence
        Positions a block, for each navigation axis in numpy order.
    reader : str, optional
        As for `find_vectors`; by default there must be vectors.

    Raises
    ------
    FileNotFoundError, FormatError, TruncatedFileError, UnsupportedVariantError, MissingCodecError
        There are no vectors, or the file is damaged, incomplete or of a newer version: says what was found.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "vectors.zarr")
    >>> l4.DiffractionVectors([[[3, 4]], [[5, 6]]], frame_shape=(8, 8)).save(path)
    >>> load_vectors(path).blocks.nav_shape
    (2,)
    """
    module = find_vectors(path, reader=reader, dataset=dataset)
    if module is None:
        return None
    where = _meant(path)
    options = {"dataset": dataset} if module.endswith(("py4dstem_file", "pyxem_file")) else {}
    found: LoadedVectors = import_module(module).load(where, chunks, **options)
    if dataset is not None and not options:
        raise FormatError(f"{where}: vectors of lazy4d are the only ones in their file, found dataset={dataset!r}")
    return found


def _meant(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> str:
    """The one file that a path, a glob or a list of one means, absolute; "" for several."""
    if not isinstance(path, str | os.PathLike) and not (isinstance(path, list | tuple) and len(path) == 1):
        return ""  # a generator would be used up
    found = expand_paths(path)
    return found[0] if len(found) == 1 else ""


def _module(where: str, dataset: str | None, forced: bool) -> str | None:
    if is_url(where) or not where:
        return None
    if not os.path.lexists(where):
        if is_workplace(where + PARTIAL):
            raise interrupted(where)
        return None
    if os.path.isdir(where):
        if is_workplace(where):
            raise interrupted(where.removesuffix(PARTIAL))
        from lazy4d.io.vectors import zarr_file

        if zarr_file.is_vector_store(where):
            return f"{_HERE}.zarr_file"
        if os.path.isdir(os.path.join(where, "Experiments")):
            from lazy4d.io.vectors import pyxem_file

            return f"{_HERE}.pyxem_file" if pyxem_file.find_zspy(where, dataset, forced) else None
        return None
    if not os.path.isfile(where):  # opening a pipe waits for whoever writes to it
        return None
    try:
        with open(where, "rb") as file:
            head = file.read(8192)
    except OSError:  # told by whoever reads it
        return None
    if head.startswith(_PARQUET):
        return f"{_HERE}.parquet_file"
    if PurePath(where).suffix.lower() == ".parquet":
        raise FormatError(
            f"{where}: expected a Parquet table, which starts with {_PARQUET!r}, found {head[:8]!r}: the file is "
            "damaged or misnamed"
        )
    return _hdf5(where, dataset, forced) if is_hdf5(head) else None


def _hdf5(where: str, dataset: str | None, forced: bool) -> str | None:
    try:
        return _in_hdf5(where, dataset, forced)
    except Lazy4DError:  # told by whoever reads it
        if forced:
            raise
        return None


def _in_hdf5(where: str, dataset: str | None, forced: bool) -> str | None:
    from lazy4d.io.vectors import hdf5_file

    with open_file(where) as file:
        if hdf5_file.is_vector_file(file):
            return f"{_HERE}.hdf5_file"
        if "Experiments" in file:
            from lazy4d.io.vectors import pyxem_file

            return f"{_HERE}.pyxem_file" if pyxem_file.find_hspy(file, dataset, forced) else None
        if "emd_group_type" in file.attrs:
            from lazy4d.io.vectors import py4dstem_file

            found = py4dstem_file.point_lists(file)
            if forced or (dataset is None and not py4dstem_file.holds_frames(file)):
                return f"{_HERE}.py4dstem_file" if found else None
            named = dataset is not None and py4dstem_file.fitting(list(found), dataset)
            return f"{_HERE}.py4dstem_file" if named else None
    return None
