"""Which reader a file belongs to: told by its content, the suffix only breaks ties."""

from __future__ import annotations

import inspect
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning, UnsupportedVariantError
from lazy4d.io.folder import series_in
from lazy4d.io.paths import PathLike, expand_paths, is_url, series_hint
from lazy4d.io.rearranged import folded
from lazy4d.io.source import Reader, Source

ENTRY_POINTS = "lazy4d.readers"
"""Entry-point group under which other packages offer readers: a name, and an object, class or factory of `Reader`."""

HEAD_BYTES = 8192

# What loading asks of every reader, also of one that has no such option; `io` is only ever a preference.
_NOTHING_SPECIAL = (("scan_shape", None), ("sync_offset", 0), ("flyback", 0), ("incomplete", "raise"),
                    ("serpentine", None), ("serpentine", False))  # fmt: skip

_BUILT_IN = {
    "blo": "lazy4d.io.blo.reader:READER",
    "empad": "lazy4d.io.empad.reader:READER",
    "hdf5": "lazy4d.io.hdf5.reader:READER",
    "mib": "lazy4d.io.mib.reader:READER",
    "mrc": "lazy4d.io.mrc.reader:READER",
    "npy": "lazy4d.io.npy:READER",
    "raw": "lazy4d.io.raw_binary:READER",
    "seq": "lazy4d.io.seq.reader:READER",
    "tvips": "lazy4d.io.tvips.reader:READER",
    "zarr": "lazy4d.io.zarr_arrays.reader:READER",
    "rosettasciio": "lazy4d.io.rosettasciio.reader:READER",
}


@lru_cache(maxsize=1)
def built_in_readers() -> dict[str, Reader]:
    """The readers of lazy4d itself, by name.

    Examples
    --------
    >>> {"mib", "npy", "raw"} <= set(built_in_readers())
    True
    """
    found: dict[str, Reader] = {}
    for name, place in _BUILT_IN.items():
        module, _, attribute = place.partition(":")
        found[name] = getattr(import_module(module), attribute)
    return found


@lru_cache(maxsize=1)
def readers() -> dict[str, Reader]:
    """All readers by name: the built-in ones, then those of other packages, which are imported here.

    A package whose reader cannot be imported is left out with a warning, so that it cannot keep others from loading
    files.

    Examples
    --------
    >>> {"mib", "npy", "raw"} <= set(readers())
    True
    """
    found = dict(built_in_readers())
    for point in entry_points(group=ENTRY_POINTS):
        try:
            offered = point.load()
            reader = offered() if isinstance(offered, type) else offered
        except Exception as error:
            _warn_broken(point.name, point.value, error)
            continue
        if not isinstance(reader, Reader):
            _warn_broken(point.name, point.value, TypeError("expected name, extensions, sniff and read"))
            continue
        found.setdefault(reader.name, reader)
    return found


def _warn_broken(name: str, value: str, error: Exception) -> None:
    import warnings

    warnings.warn(
        f"the reader {name!r} of the package that provides {value!r} cannot be used: {type(error).__name__}: {error}; "
        "update or uninstall that package",
        Lazy4DWarning,
        stacklevel=4,
    )


def get_reader(name: str) -> Reader:
    """The reader called `name`.

    Raises
    ------
    ValueError
        There is none: lists those there are.

    Examples
    --------
    >>> get_reader("npy").extensions
    ('.npy',)
    """
    if name in built_in_readers():
        return built_in_readers()[name]
    known = readers()
    if name not in known:
        raise ValueError(
            f"reader={name!r} is not known: expected one of {', '.join(sorted(known))}; other packages add readers "
            f"as entry points {ENTRY_POINTS!r}"
        )
    return known[name]


def find_reader(path: PathLike) -> Reader:
    """The reader for a file or directory, told by its first bytes; the suffix only breaks ties.

    Parameters
    ----------
    path : path or URL
        One file, directory or fsspec URL.

    Raises
    ------
    FileNotFoundError, PermissionError
        The file is absent or may not be read.
    FormatError
        No reader accepts it: tells what was found, the readers tried and what to do.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> file = os.path.join(tempfile.mkdtemp(), "frames.dat")
    >>> with open(file, "wb") as f:
    ...     np.save(f, np.zeros((2, 4, 4)))
    >>> find_reader(file).name
    'npy'
    """
    where = os.fspath(path)
    suffix = _suffix(where)
    if is_url(where):
        known = readers()
        accepting = [
            reader for reader in known.values() if getattr(reader, "urls", False) and suffix in reader.extensions
        ]
        if accepting:
            return accepting[0]
        offering = {e for r in known.values() if getattr(r, "urls", False) for e in r.extensions}
        raise FormatError(
            f"{where}: no reader takes a URL ending in {suffix!r} (those that do: "
            f"{', '.join(sorted(offering)) or 'none'}); "
            "copy the file to a local or mounted drive and load it from there"
        )
    if os.path.isdir(where):
        whole = _directory_reader(where, readers().values())
        return whole if whole is not None else find_reader(series_in(where, readers().values())[0])
    head = read_head(where)
    if not head:
        raise FormatError(
            f"{where}: the file is empty (0 bytes), expected data; was the recording or the copy interrupted?"
        )
    for collect in (built_in_readers, readers):  # packages are imported only for files that lazy4d does not know
        known = collect()
        accepting = [reader for reader in known.values() if reader.sniff(head)]
        if accepting:
            return next((reader for reader in accepting if suffix in reader.extensions), accepting[0])
    for candidate in known.values():
        if hasattr(candidate, "claims") and candidate.claims(where):
            return candidate
    for candidate in known.values():
        if getattr(candidate, "headerless", False) and suffix in candidate.extensions:
            return candidate
    raise FormatError(_not_recognised(where, suffix, head, known))


def read_head(path: str) -> bytes:
    """The first bytes of a file, at most 8192.

    Raises
    ------
    FileNotFoundError
        Absent: names files that are called alike.
    PermissionError
        It may not be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise FormatError(
                f"{path}: expected a file or directory, found a pipe, socket or device; copy it to a file"
            )
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no such file: {path}{series_hint(path)}") from error
    except PermissionError as error:
        raise PermissionError(
            f"{path}: this file may not be read by the current user; change its permissions or copy it"
        ) from error


def _directory_reader(path: str, known: Iterable[Reader]) -> Reader | None:
    """The reader whose format this directory is; None for a folder of files."""
    accepting = [
        reader for reader in known if hasattr(reader, "sniff_directory") and reader.sniff_directory(Path(path))
    ]
    return next((reader for reader in accepting if _suffix(path) in reader.extensions), next(iter(accepting), None))


def _not_recognised(path: str, suffix: str, head: bytes, known: dict[str, Reader]) -> str:
    tried = ", ".join(f"{name} ({' '.join(reader.extensions)})" for name, reader in known.items())
    told = f"{path}: no reader recognises this file: its first bytes are {head[:12]!r}. Readers tried: {tried}."
    for reader in known.values():
        signature = getattr(reader, "signature", "")
        if suffix in reader.extensions and signature:
            told += f" Its suffix says {reader.name}, but such a file {signature}: it may be damaged or misnamed."
    return told + (
        " Force a reader with reader='name'; read plain frames with reader='raw', frame_shape=(ky, kx), dtype='<u2', "
        f"header=bytes; or install a package that offers a reader as entry point {ENTRY_POINTS!r}"
    )


def files_meant(path: PathLike | Sequence[PathLike], reader: Reader | None = None) -> list[str]:
    """The files that a path, glob, folder or list means; a name without a file may stand for several.

    Parameters
    ----------
    path : path, URL, glob, folder, or sequence of paths
        A folder means the one series of files in it, unless a reader takes it as a whole.
    reader : Reader, optional
        The only one that is to be asked what a folder holds.

    Raises
    ------
    FileNotFoundError
        A glob matches nothing.
    FormatError
        A folder that holds no data set, or several: lists what is there.

    Examples
    --------
    >>> [os.path.basename(name) for name in files_meant("/data/scan.mib")]
    ['scan.mib']
    """
    found = expand_paths(path)
    if len(found) == 1 and not is_url(found[0]) and not os.path.lexists(found[0]):
        for one in built_in_readers().values():
            others: list[str] = one.stands_for(found[0]) if hasattr(one, "stands_for") else []
            if others:
                return others
    if len(found) == 1 and not is_url(found[0]) and os.path.isdir(found[0]):
        known = readers().values() if reader is None else [reader]
        if _directory_reader(found[0], known) is None and not (reader and hasattr(reader, "sniff_directory")):
            return series_in(found[0], known)
    return found


def read(path: PathLike | Sequence[PathLike], reader: str | Reader | None = None, **options: Any) -> Source:
    """The data set at `path`, described but not read.

    Parameters
    ----------
    path : path, URL, glob, folder, or sequence of paths
        One file or directory, or the files of a series; a folder that holds nothing else means that series.
    reader : str, Reader or None
        Name of a reader to force, or a reader; by default the content of the (first) file decides.
    **options
        Passed to the reader: ``scan_shape``, ``sync_offset``, ``flyback``, ``incomplete``, ``io`` and what else it
        takes. ``serpentine=True`` (every second line of the scan was recorded backwards) is seen to here for readers
        that have no such option.

    Returns
    -------
    Source
        Its `warnings` are not shown here: whoever presents the data does so, once.

    Raises
    ------
    FileNotFoundError, PermissionError
        A file is absent or may not be read.
    FormatError
        No reader accepts the file, or it is damaged.
    TypeError
        The reader does not take one of the options: lists those it takes.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> file = os.path.join(tempfile.mkdtemp(), "frames.npy")
    >>> np.save(file, np.zeros((3, 2, 4, 4), "u2"))
    >>> read(file).frames.nav_shape
    (3, 2)
    """
    try:
        return _read(path, reader, options)
    except Lazy4DError as error:
        _tell_of_vectors(path, reader, error)
        raise


def _tell_of_vectors(path: PathLike | Sequence[PathLike], reader: str | Reader | None, error: Exception) -> None:
    """Say so where a file holds no frames but vectors, rather than that frames are missing in it."""
    from lazy4d.io.vectors.opening import find_vectors

    if reader is None and find_vectors(path) is not None:
        raise UnsupportedVariantError(
            f"{path}: holds diffraction vectors, expected frames: lazy4d.load({str(path)!r}) gives the vectors"
        ) from error
    names = expand_paths(path) if isinstance(path, str | os.PathLike | list | tuple) else []
    if reader is None and len(names) > 1 and find_vectors(names[0]) is not None:
        raise UnsupportedVariantError(
            f"{names[0]}: holds diffraction vectors, found {len(names)} paths: vectors are loaded one file at a time"
        ) from error


def _read(path: PathLike | Sequence[PathLike], reader: str | Reader | None, options: dict[str, Any]) -> Source:
    forced = get_reader(reader) if isinstance(reader, str) else reader
    found = files_meant(path, forced)
    first = found[0]
    if isinstance(reader, str) and not is_url(first) and not os.path.isdir(first):
        read_head(first)
    chosen = forced if forced is not None else find_reader(first)
    backwards = options.pop("serpentine", None) if "serpentine" not in _keywords(chosen) else None
    options = _accepted(chosen, options)
    if len(found) == 1:
        source = chosen.read(first, **options)
    elif getattr(chosen, "series", False):
        source = chosen.read(found, **options)
    else:
        raise FormatError(
            f"{len(found)} files given, but the reader {chosen.name!r} takes one; load each and combine them with "
            f"stack([...])"
        )
    if backwards:
        source = replace(source, frames=folded(source.frames))
    return source if source.title else replace(source, title=Path(first).stem)


def _keywords(reader: Reader) -> list[str]:
    """Names of the options that a reader declares."""
    parameters = inspect.signature(reader.read).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def _accepted(reader: Reader, options: dict[str, Any]) -> dict[str, Any]:
    """The options that the reader takes; those that ask for nothing special may be left out."""
    parameters = inspect.signature(reader.read).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return options
    known = _keywords(reader)
    for name, value in options.items():
        if name not in known and (name, value) not in _NOTHING_SPECIAL and name != "io":
            raise TypeError(
                f"the reader {reader.name!r} takes no option {name!r}; it takes {', '.join(known) or 'none'}"
            )
    return {name: value for name, value in options.items() if name in known}


def _suffix(path: str) -> str:
    return os.path.splitext(path.rstrip("/\\"))[1].lower()
