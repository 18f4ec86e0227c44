"""What a user gives as a path: a name, a `Path`, a URL, a glob or a list of them."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Sequence
from urllib.parse import unquote

PathLike = str | os.PathLike[str]

_DRIVE = re.compile(r"^/([A-Za-z]:[/\\])")  # file:///C:/data means C:/data
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(//|:)")
_MOST_LISTED = 2000


def is_url(path: str) -> bool:
    r"""True for fsspec URLs such as ``s3://bucket/scan.zarr``; a drive letter is none.

    Examples
    --------
    >>> is_url("https://example.org/scan.zarr"), is_url(r"C:\data\scan.mib"), is_url("/data/scan.mib")
    (True, False, False)
    """
    return bool(_URL.match(path)) and not path.lower().startswith("file://")


def expand_paths(path: PathLike | Sequence[PathLike]) -> list[str]:
    """The files that were meant, absolute: a glob in the order of the numbers in the names, a list as given.

    A name that exists is taken literally even where it holds ``[``, ``*`` or ``?``.

    Parameters
    ----------
    path : path, URL, glob, or sequence of them

    Raises
    ------
    FileNotFoundError
        A glob matches nothing.
    ValueError
        The list is empty.
    TypeError
        Neither a path nor a sequence of paths.

    Examples
    --------
    >>> [os.path.basename(p) for p in expand_paths(["/data/b.mib", "/data/a.mib"])]
    ['b.mib', 'a.mib']
    """
    if isinstance(path, str | os.PathLike):
        return _expand(os.fspath(path))
    if isinstance(path, bytes) or not isinstance(path, Sequence):
        if hasattr(path, "__iter__") and not isinstance(path, bytes):
            path = list(path)
        else:
            raise TypeError(f"path must be a path, a glob or a list of paths, found {type(path).__name__}")
    found = [name for item in path for name in expand_paths(item)]
    if not found:
        raise ValueError("the list of paths is empty: give at least one file")
    return found


def _expand(path: str) -> list[str]:
    if is_url(path):
        return [path]
    if path.lower().startswith("file://"):
        path = _DRIVE.sub(r"\1", unquote(path[7:]))
    path = os.path.expanduser(path)
    if glob.has_magic(path) and not os.path.lexists(path):
        folder, pattern = os.path.split(os.path.join(os.getcwd(), path))
        # A folder that exists is meant literally, also where it is called "data [1]".
        start = glob.escape(folder) if os.path.isdir(folder) else folder
        matches = [os.path.normpath(match) for match in glob.glob(os.path.join(start, pattern), recursive=True)]
        if not matches:
            raise FileNotFoundError(f"no file matches {path!r}; check the folder and the pattern")
        return in_order(matches)
    return [os.path.abspath(path)]


def in_order(paths: list[str]) -> list[str]:
    """The paths by the numbers in their names; quickly where, as in a long series, one number is all that differs."""
    low, high = min(paths), max(paths)
    start = next((k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    end = len(os.path.splitext(low)[1])
    rests = [path[start : len(path) - end] for path in paths]
    if low[len(low) - end :] == high[len(high) - end :] and all(not r or (r.isdigit() and r.isascii()) for r in rests):
        return sorted(paths, key=lambda path: (len(path), path))
    return sorted(paths, key=_natural)


def _natural(path: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which ``scan_10`` follows ``scan_9``."""
    return tuple(
        (1, int(part), "") if part.isdigit() and part.isascii() else (0, 0, part)
        for part in re.split(r"([0-9]+)", path)
    )


def series_hint(path: str) -> str:
    """What else is in the folder of an absent file, for its error message; empty when nothing is called alike.

    Examples
    --------
    >>> series_hint("/no/such/folder/scan.mib")
    '; the folder /no/such/folder does not exist'
    """
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MOST_LISTED), strict=False)]
    except OSError:
        return f"; the folder {folder} does not exist" if folder and not os.path.isdir(folder) else ""
    alike = difflib.get_close_matches(name, names, n=3)
    return f"; did you mean {' or '.join(map(repr, alike))}?" if alike else ""
