"""Where overviews of files are kept: in the user's cache folder, of a bounded size, or beside the data."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lazy4d.io.overview_file import PARTIAL, SUFFIX, StoredOverview, read_overview_file, write_overview_file

VARIABLE = "LAZY4D_CACHE"
"""Environment variable that names the cache folder."""

MOST_BYTES = 2 * 2**30
"""Bytes that the cache folder holds; what was not used for longest makes room."""

MOST_FILES = 1000

LEAST_FREE = 4
"""A file is written only where that many times its size is free."""

FORGOTTEN_SECONDS = 3600.0
"""Age from which what an interrupted process left is removed."""


def cache_folder() -> str:
    """The folder of the user's caches that is ours: ``LAZY4D_CACHE``, or what the platform says.

    Examples
    --------
    >>> os.path.isabs(cache_folder())
    True
    """
    given = os.environ.get(VARIABLE)
    if given:
        return os.path.abspath(os.path.expanduser(given))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return os.path.join(base, "lazy4d", "Cache")
    if sys.platform == "darwin":
        return str(Path.home() / "Library" / "Caches" / "lazy4d")
    base = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else str(Path.home() / ".cache"), "lazy4d")


def places(identity: Mapping[str, Any], where: str) -> list[str]:
    """Files that may hold the overview of some data, the one that is to be written first.

    Parameters
    ----------
    identity : mapping
        Of the data; its ``path`` is the file.
    where : {"cache", "beside", "off"}
        The option ``overviews``.

    Examples
    --------
    >>> [os.path.basename(p) for p in places({"path": "/data/scan.mib"}, "beside")][0]
    'scan.mib.l4view'
    """
    if where == "off":
        return []
    text = json.dumps(dict(identity), sort_keys=True, allow_nan=False)
    name = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
    cached = os.path.join(cache_folder(), "overviews", name + SUFFIX)
    beside = str(identity.get("path", "")) + SUFFIX
    return [beside, cached] if where == "beside" else [cached, beside]


def find_overview(identity: Mapping[str, Any], where: str) -> StoredOverview | None:
    """The overview kept of some data, in the cache or beside them; None where there is none to be trusted."""
    for path in places(identity, where):
        found = read_overview_file(path, identity)
        if found is not None:
            with contextlib.suppress(OSError):
                os.utime(path)  # what is used stays
            return found
    return None


def keep_overview(
    identity: Mapping[str, Any], where: str, meta: Mapping[str, Any], arrays: Mapping[str, Any]
) -> Iterator[None]:
    """Keep the overview of some data where the option says, or in the cache where that cannot be written.

    A piece is written at each iteration. Where nothing can be written nothing is, and nobody is told: an overview can
    always be made again.
    """
    for path in places(identity, where)[: 2 if where == "beside" else 1]:
        folder = os.path.dirname(path)
        try:
            if folder == os.path.join(cache_folder(), "overviews"):
                os.makedirs(folder, mode=0o700, exist_ok=True)
                needed = sum(int(array.nbytes) for array in arrays.values())
                make_room(folder, needed)
            if shutil.disk_usage(folder).free < LEAST_FREE * sum(int(array.nbytes) for array in arrays.values()):
                continue
            yield from write_overview_file(path, identity, meta, arrays)
        except OSError:
            continue
        return


def make_room(folder: str, needed: int, most: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
    """Remove what was not used for longest, until `needed` bytes more stay within the bound of the folder.

    Raises
    ------
    OSError
        So many bytes are not to be had.
    """
    if needed > most:
        raise OSError(f"expected at most {most} bytes for the overviews in {folder}, found {needed}")
    kept: list[tuple[float, int, str]] = []
    now = time.time()
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                state = entry.stat(follow_symlinks=False)
                if entry.name.endswith(PARTIAL) and now - state.st_mtime > FORGOTTEN_SECONDS:
                    os.unlink(entry.path)
                elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    kept.append((state.st_mtime, state.st_size, entry.path))
    kept.sort()
    total = sum(size for _, size, _ in kept)
    for count, (_, size, path) in enumerate(kept):
        if total + needed <= most and len(kept) - count < most_files:
            break
        with contextlib.suppress(OSError):  # another process may have removed it, or be mapping it
            os.unlink(path)
        total -= size
