"""The few settings that hold for a whole session; also a context manager. There is no other global state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Options:
    """What `set_options` can set.

    `progress`: a bar on everything that computes (True, False or a callable). `block_bytes`: stored bytes aimed at per
    block. `io`: "mmap", or "read" for files that are still being written and for file systems where maps are slow.
    `overviews`: where what viewers learn of a file is kept for the next time: "cache" (the user's cache folder),
    "beside" the data where that can be written, or "off".
    """

    progress: bool | Callable[[int, int], None] = True
    block_bytes: int = 128 * 2**20
    io: str = "mmap"
    overviews: str = "cache"

    def __post_init__(self) -> None:
        if self.io not in ("mmap", "read"):
            raise ValueError(f"io={self.io!r}: expected 'mmap' or 'read'")
        if self.overviews not in ("cache", "beside", "off"):
            raise ValueError(f"overviews={self.overviews!r}: expected 'cache', 'beside' or 'off'")
        if not isinstance(self.block_bytes, int) or self.block_bytes < 1:
            raise ValueError(f"block_bytes={self.block_bytes!r}: expected a positive number of bytes")
        if not (isinstance(self.progress, bool) or callable(self.progress)):
            raise TypeError(f"progress={self.progress!r}: expected True, False or a callable (bytes_done, bytes_total)")


_default = Options()


def options() -> Options:
    """The options in force here."""
    return _default


class set_options:
    """Set options for the session, or for the length of a ``with`` block.

    Parameters
    ----------
    progress : bool or callable
        A progress bar on everything that computes; a callable gets ``(bytes_done, bytes_total)``.
    block_bytes : int
        Stored bytes aimed at per block of data loaded from now on.
    io : {"mmap", "read"}
        How raw files are read.
    overviews : {"cache", "beside", "off"}
        Where the overview of a file that viewers make (an image of the scan, patterns, a small copy in bins) is kept,
        so that the file shows at once the next time: in the user's cache folder, or the one that the environment
        variable ``LAZY4D_CACHE`` names, of 2 GiB at most; beside the data, as ``<name>.l4view``, where that folder can
        be written to; or nowhere. A file is known by its path, size and time: replace one by another of the same size
        and time (``cp -p``), and its old overview is shown.

    Examples
    --------
    >>> with set_options(progress=False):
    ...     options().progress
    False
    """

    def __init__(self, **changes: Any) -> None:
        global _default
        known = {f.name for f in fields(Options)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise TypeError(f"unknown option {unknown[0]!r}: expected one of {sorted(known)}")
        self._before = _default
        _default = replace(_default, **changes)

    def __enter__(self) -> Options:
        return _default

    def __exit__(self, *_: object) -> None:
        global _default
        _default = self._before
