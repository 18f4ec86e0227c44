"""Where a save works until it is whole: a folder beside the file, with the parts that are done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError
from lazy4d.io.zarr_store.place import Existing, find_existing
from lazy4d.io.zarr_store.shards import remove_partial, write_whole

PARTIAL = ".partial"
"""What follows the name of a file while it is being saved: that of a folder with its parts."""

_PLAN, _RESULT, _OLD = "save.json", "result", "replaced"
_PARTS = "part-"


@dataclass(frozen=True)
class Workplace:
    """The folder in which a save works.

    Parameters
    ----------
    target : str
        What the file will be called, absolute.
    n_parts : int
        Blocks, each a part.
    stream : str
        Identity of what is saved; part of the names, so that saves of different vectors never share a part.
    """

    target: str
    n_parts: int
    stream: str

    @property
    def folder(self) -> str:
        """The folder, beside the file."""
        return self.target + PARTIAL

    @property
    def result(self) -> str:
        """Where the file is put together."""
        return os.path.join(self.folder, _RESULT)

    def part(self, number: int) -> str:
        """Path of the part of a block."""
        return os.path.join(self.folder, f"{_PARTS}{self.stream[:8]}-{number:07d}")

    def parts_there(self) -> int:
        """Parts that are there."""
        return parts_in(self.folder)

    def make(self) -> None:
        """The folder, empty but for what an interrupted save of the same vectors left."""
        os.makedirs(self.folder, exist_ok=True)
        remove_partial(self.folder)
        _remove(self.result)
        document = {"saving": os.path.basename(self.target), "stream": self.stream, "parts": self.n_parts}
        write_whole(os.path.join(self.folder, _PLAN), json.dumps(document).encode(), durable=True)

    def finish(self) -> None:
        """Give the finished file its name, replacing what is there, and remove the folder."""
        if os.path.isfile(self.result):
            descriptor = os.open(self.result, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if os.path.isdir(self.target) and not os.path.islink(self.target):
            os.replace(self.target, os.path.join(self.folder, _OLD))
        elif os.path.isdir(self.result) and os.path.lexists(self.target):
            os.unlink(self.target)
        os.replace(self.result, self.target)
        self.abandon()

    def abandon(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def parts_in(folder: str) -> int:
    """Parts in the folder of a save.

    Examples
    --------
    >>> parts_in("/no/such/folder")
    0
    """
    try:
        with os.scandir(folder) as entries:
            return sum(entry.name.startswith(_PARTS) for entry in entries)
    except OSError:
        return 0


def is_workplace(folder: str) -> bool:
    """Whether a folder is that of an interrupted save of vectors.

    Examples
    --------
    >>> is_workplace("/no/such/folder.partial")
    False
    """
    return folder.endswith(PARTIAL) and os.path.isfile(os.path.join(folder, _PLAN))


def interrupted(target: str) -> FormatError:
    """What to say of a file whose save was interrupted."""
    folder = target + PARTIAL
    plan = _plan(folder)
    return FormatError(
        f"{target}: the save of this file was interrupted: {parts_in(folder)} of {plan.get('parts', '?')} blocks are "
        f"in {folder}. Save the same vectors again with resume=True, which keeps these"
    )


def open_workplace(target: str, n_parts: int, stream: str, *, overwrite: bool, resume: bool) -> bool:
    """Whether the parts of an interrupted save can be used; raises where they may not be touched.

    Parameters
    ----------
    target : str
        What the file will be called, absolute.
    n_parts : int
        Blocks.
    stream : str
        Identity of what is saved.
    overwrite, resume : bool
        As a user says.

    Raises
    ------
    FileExistsError
        There is an interrupted save, and neither `overwrite` nor `resume` says what to do with it; or it was one of
        other vectors; or a folder that is none of ours.
    """
    folder = target + PARTIAL
    if not os.path.lexists(folder):
        return False
    if not is_workplace(folder):
        if os.path.isdir(folder) and not os.listdir(folder):
            return False
        raise FileExistsError(
            f"{folder}: expected nothing where the parts of {target} are kept while it is saved: move it away, or save "
            "under another name"
        )
    found = _plan(folder)
    same = found.get("stream") == stream and found.get("parts") == n_parts
    if (resume and same) or not parts_in(folder):
        return same
    if overwrite:
        shutil.rmtree(folder)
        return False
    if resume:
        raise FileExistsError(
            f"{folder}: expected an interrupted save of the same vectors (identity {stream}), found one of others "
            f"(identity {found.get('stream')}): the file, a step, a parameter or the blocks changed since. Pass "
            "overwrite=True to start anew, or save under another name"
        )
    raise FileExistsError(
        f"{folder}: an interrupted save is there. Pass resume=True to go on with it, overwrite=True to start anew, or "
        "save under another name"
    )


def may_replace(target: str, sources: Iterable[str], *, overwrite: bool, folder: bool, stream_there: Any) -> bool:
    """Whether the file still has to be written; raises where something else is in its place.

    Parameters
    ----------
    target : str
        What the file will be called, absolute.
    sources : iterable of str
        Files that the vectors are computed from.
    overwrite : bool
        Whether what is there may be replaced.
    folder : bool
        Whether the file will be a folder.
    stream_there : callable
        Whether, on ``stream_there()``, the very same vectors are there already; None where nobody asked to resume.

    Raises
    ------
    FileExistsError
        Something is there that may not be replaced.
    ValueError
        It is one of the sources.
    """
    existing = find_existing(target)
    if existing in (Existing.NOTHING, Existing.EMPTY):
        return True
    if stream_there is not None:
        with suppress(Lazy4DError, OSError):
            if stream_there():
                return False
    expected = "a Zarr store, a file or nothing" if folder else "a file or nothing"
    if existing is Existing.FOLDER or (not folder and existing is not Existing.FILE):
        raise FileExistsError(
            f"{target}: {existing.value} is there, expected {expected}: such folders are never replaced here, "
            "overwrite=True or not. Move it away, or save under another name"
        )
    if not overwrite:
        raise FileExistsError(
            f"{target}: {existing.value} is there already, expected nothing. Pass overwrite=True to replace it, or "
            "save under another name"
        )
    if any(os.path.realpath(source) == os.path.realpath(target) for source in sources):
        raise ValueError(
            f"{target}: the vectors are computed from this very file, so it cannot be replaced by them: save under "
            "another name, or compute() them first"
        )
    return True


def _plan(folder: str) -> dict[str, Any]:
    try:
        with open(os.path.join(folder, _PLAN), "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
