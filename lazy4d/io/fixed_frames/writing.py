"""Saving to one file of frames at fixed places: in one pass, in parallel, and under its name only when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from warnings import warn

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DWarning
from lazy4d.io.fixed_frames.companion import companion_path, write_companion
from lazy4d.io.fixed_frames.placing import FileTarget, PlaceFrames
from lazy4d.io.zarr_store.document import StoreContent, root_document
from lazy4d.io.zarr_store.place import local_path
from lazy4d.lazy import Frames, run
from lazy4d.lazy.fuse import walks_of
from lazy4d.lazy.lift import Terminal, Walk

PARTIAL = ".partial"
ABANDONED_AFTER = 24 * 3600.0
"""Seconds after which the unfinished file of an earlier save, which nobody has written to since, is removed."""


@dataclass(frozen=True)
class FramesFile:
    """What a format makes of the frames.

    Parameters
    ----------
    kind : str
        Name of the format, for messages.
    head : bytes
        Everything before the first frame.
    dtype : numpy.dtype
        Stored dtype of the pixels.
    """

    kind: str
    head: bytes
    dtype: np.dtype[Any]


def target_path(filename: str | os.PathLike[str], frames: Frames, kind: str, overwrite: bool, resume: bool) -> str:
    """The absolute path of a file that may be written.

    Parameters
    ----------
    filename : path
        As given by the user.
    frames : Frames
        What will be saved.
    kind : str
        Name of the format.
    overwrite, resume : bool
        As given by the user.

    Raises
    ------
    FileExistsError
        A file is there and may not be replaced, or a folder is.
    FileNotFoundError
        There is no such folder.
    ValueError
        `resume`, which no such file can do; or the frames are read from the file that would be replaced.
    """
    where = local_path(filename)
    if resume:
        raise ValueError(
            f"{where}: a save as {kind} is written in one go, so resume=True cannot take one up: leave it out, or save "
            "as .zarr, which can"
        )
    folder = os.path.dirname(where)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "the folder to save to does not exist, create it first", folder)
    if os.path.isdir(where):
        raise FileExistsError(
            f"{where}: a folder is there, expected nothing or a file: they are never deleted; save under another name"
        )
    if os.path.lexists(where):
        if not overwrite:
            raise FileExistsError(
                f"{where}: a file is there already, expected nothing. Pass overwrite=True to replace it, or save under "
                "another name"
            )
        if any(_same_file(source, where) for source in files_read(frames)):
            raise ValueError(
                f"{where}: the frames are read from this very file, so it cannot be replaced by them: save under "
                "another name, or compute() the signal first"
            )
    return where


def save_frames(where: str, frames: Frames, file: FramesFile, content: StoreContent, progress: Any = None) -> None:
    """Write frames in the order of the scan behind a head, with a companion that holds everything else.

    Parameters
    ----------
    where : str
        Absolute path, from `target_path`.
    frames : Frames
        What to save; blocks of any shape, each written by its own task.
    file : FramesFile
        Head and stored dtype.
    content : StoreContent
        Axes, metadata, history and class of the signal; goes to the companion.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    OSError
        The disk is too small for the file; told before anything is written.

    Warns
    -----
    Lazy4DWarning
        Frames are invalid: only the companion tells which.
    """
    root_document(content)  # what cannot be written is told before anything is
    folder, name = os.path.split(where)
    remove_abandoned(folder, name)
    partial = os.path.join(folder, f".{name}.{uuid4().hex}{PARTIAL}")
    target = FileTarget(partial, len(file.head), frames.nav_shape, frames.frame_shape, file.dtype)
    _check_space(where, target.nbytes)
    try:
        with open(partial, "xb") as begun:
            begun.write(file.head)
            begun.truncate(target.nbytes)
        valid = _write(frames, target, progress)
        with open(partial, "r+b") as written:
            os.fsync(written.fileno())
        invalid = np.flatnonzero(valid.reshape(-1) == 0) if frames.incomplete != "raise" else np.zeros(0, np.int64)
        # The companion is there first: the file never appears without it, and one without its file means nothing.
        write_companion(where, partial, target, content, invalid)
        os.replace(partial, where)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError):
            error.add_note(f"lazy4d: while {where} was written; what was there before is untouched")
        raise
    if len(invalid):
        warn(
            f"{where}: {len(invalid)} of {valid.size} frames are missing or damaged and stand as zeros in this file, "
            f"first frame {int(invalid[0])}; only {os.path.basename(companion_path(where))} beside it tells which, so "
            "keep the two together",
            Lazy4DWarning,
            stacklevel=4,
        )


def _write(frames: Frames, target: FileTarget, progress: Any) -> NDArray[np.uint8]:
    """One pass over the frames; which of them are valid, or all ones of another shape where none can be invalid."""
    marked = frames.incomplete != "raise"
    ending = PlaceFrames(0, target, marked, keep_invalid=not frames.stages)
    terminal = Terminal(f"save-{uuid4().hex}", frames.stages, ending, ())
    walk = Walk(frames.source, frames.chunks, (terminal,))
    chunks = frames.chunks if marked else tuple((1,) * len(blocks) for blocks in frames.chunks)
    written = da.Array(walk.graph(), terminal.name, chunks, meta=np.empty((0,) * len(chunks), np.uint8))
    (valid,) = run.compute(written, progress=progress)
    return valid


def _check_space(where: str, nbytes: int) -> None:
    free = shutil.disk_usage(os.path.dirname(where)).free
    if nbytes > free:  # beside an old file, which stays until the new one is whole
        raise OSError(
            errno.ENOSPC,
            f"the file needs {nbytes / 1e9:.2f} GB and {free / 1e9:.2f} GB are free on its disk: make room, save "
            "elsewhere, or as .zarr, which is compressed",
            where,
        )


def remove_abandoned(folder: str, name: str) -> None:
    """Remove what killed processes left of earlier saves under the same name, once it is old enough to be sure."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(f".{name}.") and entry.name.endswith(PARTIAL)):
                continue
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > ABANDONED_AFTER:
                    os.unlink(entry.path)


def files_read(frames: Frames) -> set[str]:
    """Paths of the files and stores that frames are read from, as far as their sources tell."""
    roots: list[Any] = [frames.source]
    arrays = [frames.source.array] if frames.is_array else []
    arrays += [param.array for stage in frames.stages for param in stage.lazy_params()]
    for array in arrays:
        roots += [walk.source for walk in walks_of(array.dask).values()]
    found: set[str] = set()
    for root in roots:
        source = getattr(root, "source", root)
        values = [getattr(source, name, None) for name in ("folder", "path", "label")]
        files: Any = getattr(source, "files", None)
        if hasattr(files, "names") and hasattr(files, "path"):
            values += [files.path(k) for k in range(len(files.names))]
        found.update(value for value in values if isinstance(value, str) and value)
    return found


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
