"""HDF5 files opened read-only, with what can go wrong said in terms of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError, MissingCodecError, TruncatedFileError, UnsupportedVariantError

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(head: bytes) -> bool:
    r"""Whether the first bytes of a file are those of HDF5, whose signature may stand behind a block of the user's.

    Examples
    --------
    >>> is_hdf5(b"\x89HDF\r\n\x1a\n"), is_hdf5(bytes(512) + SIGNATURE), is_hdf5(b"PK")
    (True, True, False)
    """
    return any(head[start : start + 8] == SIGNATURE for start in (0, 512, 1024, 2048, 4096))


def h5py_module() -> Any:
    """The package h5py.

    Raises
    ------
    MissingCodecError
        It is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingCodecError("HDF5 files are opened with h5py, which is not installed: pip install h5py") from error
    return h5py


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[Any]:
    """An open `h5py.File`, read-only, closed at the end; what h5py raises within is translated too.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileNotFoundError, PermissionError
        It is absent or may not be read.
    TruncatedFileError
        It is shorter than it says.
    FormatError
        It is damaged, not HDF5, or still open for writing elsewhere.
    UnsupportedVariantError
        It was written by a newer version of HDF5.
    MissingCodecError
        h5py or a filter is not installed.

    Examples
    --------
    >>> import h5py, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["numbers"] = [1, 2, 3]
    >>> with open_file(path) as file:
    ...     file["numbers"].shape
    (3,)
    """
    where = os.fspath(path)
    h5py = h5py_module()
    try:
        try:
            file = h5py.File(where, "r")
        except BlockingIOError:
            file = h5py.File(where, "r", locking=False)  # a lock that this file system or another reader holds
        with file:
            yield file
    except Lazy4DError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no such file: {where}") from error
    except PermissionError as error:
        raise PermissionError(
            f"{where}: this file may not be read by the current user; change its permissions or copy it"
        ) from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError, MemoryError) as error:
        raise translated(where, error) from error


def translated(path: str, error: Exception) -> Exception:
    """What an error of h5py means for a file; a `ValueError` that is not from HDF5 stays what it is.

    Examples
    --------
    >>> translated("a.h5", OSError("unable to open file (truncated file: eof = 10)")).args[0][:36]
    'a.h5: the file is shorter than it sa'
    """
    text = " ".join(str(error).split())
    lower = text.lower()
    if "truncated" in lower or "addr overflow" in lower:
        return TruncatedFileError(
            f"{path}: the file is shorter than it says ({os.path.getsize(path) if os.path.exists(path) else 0} bytes "
            f"found); the copy or recording was interrupted: {text}"
        )
    if "filter" in lower and ("not registered" in lower or "required" in lower or "can't open directory" in lower):
        return MissingCodecError(f"{path}: a filter of HDF5 is missing: pip install hdf5plugin ({text})")
    if "unable to lock" in lower or "file locking" in lower or "swmr" in lower or "already open for write" in lower:
        return FormatError(
            f"{path}: the file is open for writing in another program; wait until it is closed, copy it, or set the "
            f"environment variable HDF5_USE_FILE_LOCKING=FALSE before starting Python ({text})"
        )
    if "bad version number" in lower or "unsupported version" in lower or "bad superblock version" in lower:
        return UnsupportedVariantError(
            f"{path}: written by a version of HDF5 that the installed one does not read, or damaged: "
            f"pip install --upgrade h5py, or write it again by h5repack ({text})"
        )
    if "file signature not found" in lower:
        return FormatError(f"{path}: expected an HDF5 file, found no signature of one at byte 0, 512, 1024, … ({text})")
    return FormatError(f"{path}: the HDF5 file cannot be read, it is damaged: {text}; restore it from a copy")
