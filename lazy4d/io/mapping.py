"""Bytes of files inside a task: memory maps kept open per process, page release, and plain reads."""

from __future__ import annotations

import mmap
import os
import sys
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lazy4d.errors import FormatError, TruncatedFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAPPINGS_KEPT = 64
"""Memory maps kept open in one process; a fresh map per block would cost its page faults again."""

RELEASE_SHARE = 0.25
"""Pages are released after use when a file exceeds this share of the memory limit."""

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_kept: OrderedDict[tuple[str, int, int], mmap.mmap] = OrderedDict()
_lock = threading.Lock()


def open_read_only(path: str) -> int:
    """A file descriptor that can only read; the caller closes it.

    Examples
    --------
    >>> fd = open_read_only(os.devnull)
    >>> os.close(fd)
    """
    return os.open(path, _OPEN_FLAGS)


def check_unchanged(path: str, size: int, mtime_ns: int, *, may_grow: bool = False) -> None:
    """Nothing, when the file still has the size and modification time it had at load.

    Touching a page of a memory map beyond the end of a shortened file would kill the process, so every block asks
    first.

    Parameters
    ----------
    path : str
        The file.
    size, mtime_ns : int
        Size in bytes and modification time in ns at load.
    may_grow : bool
        Accept a file that has become longer, as one still being written does; only safe with plain reads.

    Raises
    ------
    FileNotFoundError
        The file is gone.
    TruncatedFileError
        It is shorter now.
    FormatError
        It is longer, or was written to.
    """
    try:
        now = os.stat(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path}: the file was there when it was loaded and is gone now; put it back or load it again"
        ) from error
    if now.st_size == size and now.st_mtime_ns == mtime_ns:
        return
    if now.st_size < size:
        raise TruncatedFileError(
            f"{path}: the file shrank since it was loaded, expected {size} bytes, found {now.st_size}; load it again"
        )
    if now.st_size > size:
        if may_grow:
            return
        raise FormatError(
            f"{path}: the file grew since it was loaded, expected {size} bytes, found {now.st_size}; "
            "load it again, or load a file that is still being written with io='read'"
        )
    raise FormatError(
        f"{path}: the file was written to since it was loaded (modification time {mtime_ns} ns, now "
        f"{now.st_mtime_ns} ns); load it again"
    )


def mapped(path: str, size: int, mtime_ns: int) -> mmap.mmap:
    """A read-only memory map of the whole file, kept for the next block of this process.

    Parameters
    ----------
    path : str
        The file, already compared by `check_unchanged`.
    size, mtime_ns : int
        Size in bytes and modification time in ns: another file under the same name gets another map.

    Returns
    -------
    mmap.mmap
        At most `MAPPINGS_KEPT` stay open; an older one is dropped here and closes when its last view goes.

    Raises
    ------
    TruncatedFileError
        The file is shorter than `size`.
    """
    key = (path, size, mtime_ns)
    with _lock:
        kept = _kept.get(key)
        if kept is not None:
            _kept.move_to_end(key)
            return kept
    fd = open_read_only(path)
    try:
        fresh = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise TruncatedFileError(
            f"{path}: expected at least {size} bytes, found {os.fstat(fd).st_size}; load it again"
        ) from error
    finally:
        os.close(fd)
    with _lock:
        kept = _kept.setdefault(key, fresh)
        _kept.move_to_end(key)
        while len(_kept) > MAPPINGS_KEPT:
            _kept.popitem(last=False)
    return kept


def forget_mappings(path: str | None = None) -> int:
    """The number of kept memory maps dropped: those of `path`, or all; they close when no block uses them.

    Needed where an open map stands in the way of replacing a file, as on Windows.

    Examples
    --------
    >>> forget_mappings("/no/such/file")
    0
    """
    with _lock:
        chosen = [key for key in _kept if path is None or key[0] == path]
        for key in chosen:
            del _kept[key]
    return len(chosen)


def read_into(fd: int, buffer: NDArray[np.uint8], offset: int) -> int:
    """The number of bytes read from `offset` into `buffer`; less than its length only at the end of the file.

    Parameters
    ----------
    fd : int
        File descriptor.
    buffer : ndarray of uint8, C-contiguous
        Where the bytes go.
    offset : int
        Byte in the file.
    """
    view = memoryview(cast("Any", buffer))
    done = 0
    while done < len(view):
        if hasattr(os, "preadv"):
            got = os.preadv(fd, [view[done:]], offset + done)
        else:  # Windows: the descriptor belongs to one block, so seeking is safe
            os.lseek(fd, offset + done, os.SEEK_SET)
            chunk = os.read(fd, len(view) - done)
            got = len(chunk)
            view[done : done + got] = chunk
        if got == 0:
            break
        done += got
    return done


def release_pages(mapping: mmap.mmap, start: int, stop: int) -> None:
    """Nothing; pages wholly inside bytes ``[start, stop)`` of the map leave this process, not the page cache.

    Does nothing where the operating system cannot be told so.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    page = mmap.PAGESIZE
    first, last = -(-start // page) * page, stop // page * page
    if last > first:
        mapping.madvise(mmap.MADV_DONTNEED, first, last - first)


def should_release(size: int) -> bool:
    """True when pages of a file of `size` bytes should be released after use.

    That is inside a dask worker, whose memory is watched and includes mapped pages, and for files above
    `RELEASE_SHARE` of `memory_limit`.

    Examples
    --------
    >>> should_release(1 << 60)
    True
    """
    return size > RELEASE_SHARE * memory_limit() or _inside_dask_worker()


def _inside_dask_worker() -> bool:
    """True when this process runs a dask.distributed worker; never imports distributed."""
    module = sys.modules.get("distributed.worker")
    return bool(getattr(getattr(module, "Worker", None), "_instances", None))


@lru_cache(maxsize=1)
def memory_limit() -> int:
    """Bytes of memory that this process may use: physical memory, or the limit of its control group if lower.

    Examples
    --------
    >>> memory_limit() > 0
    True
    """
    limits = []
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        limits.append(8 << 30)  # no way to ask (Windows): a common laptop
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return min(limit for limit in limits if limit > 0)
