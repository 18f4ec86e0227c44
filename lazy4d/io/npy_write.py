"""Saving as ``.npy``: a plain array that numpy maps into memory, and a companion with axes, metadata and history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from lazy4d.io.fixed_frames.writing import FramesFile, save_frames, target_path
from lazy4d.io.zarr_store.document import StoreContent
from lazy4d.lazy import Frames

ALIGNMENT = 4096
"""Bytes that the header is padded to, so that frames start where pages of memory do."""


def save_npy(
    filename: str | os.PathLike[str],
    *,
    frames: Frames,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    resume: bool = False,
    progress: Any = None,
) -> None:
    """Write frames to a ``.npy`` file, in one parallel pass over their source.

    The array has the shape of the signal, numpy order. Everything else goes to ``<filename>.lazy4d.json``, from which
    ``load`` gives the same axes, metadata, history and class back.

    Parameters
    ----------
    filename : path
        The file; on a drive that all workers of a cluster see.
    frames : Frames
        What to save, of any numeric dtype.
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order, navigation first.
    metadata, original_metadata : dict
        Nested.
    history : str
        JSON text.
    signal_class : str
        Name of the class of the signal.
    overwrite : bool
        Replace a file that is there.
    resume : bool
        Not possible: refused.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    FileExistsError
        Something is there.
    FileNotFoundError
        There is no such folder.
    ValueError
        The frames are read from the file that would be overwritten; `resume`.
    OSError
        The disk is too small.

    Notes
    -----
    The file appears under its name only when it is whole. Missing and damaged frames stand as zeros in it, with a
    warning; the companion tells which they are.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.npy")
    >>> d.save(path, progress=False)
    >>> np.load(path, mmap_mode="r").shape
    (4, 4, 16, 16)
    """
    where = target_path(filename, frames, ".npy", overwrite, resume)
    dtype = np.dtype(frames.dtype)
    if dtype.kind not in "biufc":
        raise TypeError(f"{where}: pixels of dtype {dtype} cannot be stored: convert them with .astype()")
    content = StoreContent(
        axes=[dict(axis) for axis in axes],
        metadata=metadata,
        original_metadata=original_metadata,
        history=history,
        signal_class=signal_class,
        stream="",
        incomplete=frames.incomplete,
        complete=True,
    )
    head = npy_head((*frames.nav_shape, *frames.frame_shape), dtype)
    save_frames(where, frames, FramesFile(".npy", head, dtype), content, progress)


def npy_head(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The bytes before the first pixel: the header that numpy writes, padded with blanks to whole pages.

    Examples
    --------
    >>> len(npy_head((4, 4, 16, 16), np.dtype("u2")))
    4096
    """
    head = BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)
    text = head.getvalue()[10:].rstrip()
    padded = text.ljust(ALIGNMENT - 10 - 1) + b"\n"
    return head.getvalue()[:8] + len(padded).to_bytes(2, "little") + padded
