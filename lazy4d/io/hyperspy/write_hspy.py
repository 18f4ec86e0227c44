"""Saving as ``.hspy``: one HDF5 file, its chunks packed by many and written by one."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import ChunkError, MissingCodecError
from lazy4d.io.hyperspy.chunks import plan_chunks, sources_of
from lazy4d.io.hyperspy.h5_codec import HdfCodec, choose_hdf_codec
from lazy4d.io.hyperspy.names import experiment_name
from lazy4d.io.hyperspy.nodes import Group
from lazy4d.io.hyperspy.saving import (
    PARTIAL,
    free_to_write,
    is_local,
    plan_work,
    storable,
    told_when_full,
    write_here,
    write_in_tasks,
)
from lazy4d.io.hyperspy.tree import EXPERIMENTS, KEY, VERSION, experiment_group, own_node, title_of
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.place import local_path
from lazy4d.lazy import Frames

_LARGEST_CHUNK = 2**32 - 1

_open: dict[str, HspyFile] = {}
"""Files being written by this process, for the tasks that run in it."""


@dataclass(frozen=True, eq=False)
class HspyTarget:
    """Where chunks go: the file that this process has open, or back to the process that has.

    Parameters
    ----------
    key : str
        Of the open file.
    layout : ShardLayout
        Where each frame stands.
    codec : HdfCodec
        How chunks are packed.
    done : ndarray of bool
        None: a file is written in one go.
    marked : bool
        Whether it is stored which frames are valid.
    remote : bool
        Tasks run in other processes.
    """

    key: str
    layout: ShardLayout
    codec: HdfCodec
    done: NDArray[np.bool_]
    marked: bool
    remote: bool

    def put_validity(self, chunk: int, valid: NDArray[np.bool_]) -> Any:
        """Keep the validity of a chunk until the end."""
        return self._send("put_validity", chunk, np.array(valid))

    def put(self, chunk: int, pixels: NDArray[Any]) -> Any:
        """Pack a chunk and have it written."""
        if not self.codec.in_tasks:
            return self._send("put_pixels", chunk, pixels.copy() if self.remote else pixels)
        return self._send("put_packed", chunk, self.codec.encode(pixels))

    def _send(self, method: str, chunk: int, content: Any) -> Any:
        if self.remote:
            return method, chunk, content
        if self.key not in _open:
            raise ChunkError(
                f"chunk {chunk} of a file that this process does not write: a save to .hspy runs on threads, or on a "
                "cluster whose client was active when it began; save again"
            )
        getattr(_open[self.key], method)(chunk, content)
        return None


class HspyFile:
    """An HDF5 file that is being written, under another name until it is whole.

    Parameters
    ----------
    where : str
        What it will be called.
    layout : ShardLayout
        Where each frame stands.
    codec : HdfCodec
        How chunks are packed.
    title : str
        Of the signal.
    group : Group
        Everything but the pixels.
    marked : bool
        Whether it is stored which frames are valid.
    """

    def __init__(
        self, where: str, layout: ShardLayout, codec: HdfCodec, title: str, group: Group, marked: bool
    ) -> None:
        import h5py

        from lazy4d.io.hyperspy.h5_tree import write_attributes, write_group

        self._where, self._partial, self._layout = where, where + PARTIAL, layout
        self._lock = threading.Lock()
        self._valid = np.ones(layout.nav_shape, bool) if marked else None
        try:
            self._file = h5py.File(self._partial, "w")
        except BlockingIOError as error:
            raise FileExistsError(
                f"{self._partial}: another process is writing this file; wait until it is saved, or use another name"
            ) from error
        try:
            write_attributes(self._file, Group({"file_format": "HyperSpy", "file_format_version": VERSION}))
            self._group = write_group(self._file.create_group(EXPERIMENTS), experiment_name(title), group)
            self._array = self._make_array(codec)
        except BaseException:
            self.abandon()
            raise

    def _make_array(self, codec: HdfCodec) -> Any:
        from h5py import Dataset, h5d, h5p, h5s, h5t

        properties = h5p.create(h5p.DATASET_CREATE)
        properties.set_chunk(self._layout.shard)
        properties.set_fill_time(h5d.FILL_TIME_NEVER)  # every chunk will be written
        codec.set_filters(properties, self._layout.chunk_nbytes)
        kind = h5t.py_create(self._layout.dtype, logical=True)
        return Dataset(h5d.create(self._group.id, b"data", kind, h5s.create_simple(self._layout.shape), properties))

    def _corner(self, chunk: int) -> tuple[int, ...]:
        return tuple(box.start for box in self._layout.shard_box(chunk)) + (0,) * len(self._layout.frame_shape)

    def put_packed(self, chunk: int, packed: Any) -> None:
        """Write a packed chunk."""
        with self._lock:
            self._array.id.write_direct_chunk(self._corner(chunk), packed, 0)

    def put_pixels(self, chunk: int, pixels: NDArray[Any]) -> None:
        """Write a chunk that HDF5 packs."""
        box = self._layout.shard_box(chunk)
        inside = tuple(slice(0, b.stop - b.start) for b in box)
        with self._lock:
            self._array[box] = pixels[inside]

    def put_validity(self, chunk: int, valid: NDArray[np.bool_]) -> None:
        """Keep the validity of a chunk."""
        if self._valid is not None:
            with self._lock:
                self._valid[self._layout.shard_box(chunk)] = valid

    def finish(self) -> None:
        """Check that all chunks are there, and give the file its name.

        Raises
        ------
        ChunkError
            Chunks are missing.
        """
        from lazy4d.io.hyperspy.h5_tree import write_array

        if self._valid is not None and not self._valid.all():
            write_array(self._group["metadata"][KEY], "valid", self._valid)
        written, expected = self._array.id.get_num_chunks(), self._layout.n_shards
        if written != expected:
            raise ChunkError(f"{self._where}: {written} of {expected} chunks were written, expected all; save again")
        self._file.close()
        descriptor = os.open(self._partial, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(self._partial, self._where)

    def abandon(self) -> None:
        """Close the file and remove what is written of it."""
        with suppress(Exception):  # what went wrong before is told
            self._file.close()
        with suppress(OSError):
            os.unlink(self._partial)


def save_hspy(
    filename: str | os.PathLike[str],
    *,
    frames: Frames,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    codec: str | dict[str, Any] | None = "gzip",
    resume: bool = False,
    progress: Any = None,
) -> None:
    """Write frames, in one pass over their source, to an HDF5 file that HyperSpy 2 opens.

    Parameters
    ----------
    filename : path
        The file, usually named ``.hspy``.
    frames : Frames
        What to save. Chunks hold whole frames, about a megabyte of them.
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order, navigation first.
    metadata, original_metadata : dict
        Nested; HyperSpy finds them under the same names.
    history : str
        JSON text; kept in ``metadata.lazy4d.history``, one text for each step.
    signal_class : str
        Name of the class of the signal.
    overwrite : bool
        Replace the file that is there, once the new one is whole.
    codec : {"gzip", "lzf", "none", "zstd", "lz4"}, dict or None
        Compression; see `h5_codec.choose_hdf_codec`. HyperSpy needs hdf5plugin for ``"zstd"`` and ``"lz4"``.
    resume : bool
        Not possible here; formats that can go on with an interrupted save are named.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    FileExistsError
        Something is there and `overwrite` is False, or it is a folder.
    ValueError
        ``resume=True``; the frames are read from the file that would be overwritten; the codec is not known.
    TypeError
        The pixels are of a dtype that cannot be stored.
    MissingCodecError
        h5py is not installed.

    Notes
    -----
    The file has its name only when it is whole; until then ``.partial`` follows it. Chunks are packed in the tasks and
    written by one: on a cluster they are sent to this process, of at most 1 GiB of pixels at a time.

    Which frames are valid, where damage was tolerated, is kept in ``metadata.lazy4d.valid``: `lazy4d.load` marks these
    frames again, HyperSpy shows the array and reads zeros.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.hspy")
    >>> save_hspy(path, frames=d.frames, axes=[a.as_dictionary() for a in d.axes_manager.as_numpy_order()],
    ...           metadata={}, original_metadata={}, history="[]", signal_class="Diffraction2D", progress=False)
    >>> import h5py
    >>> with h5py.File(path) as file:
    ...     file["Experiments/__unnamed__/data"].shape
    (4, 4, 16, 16)
    """
    where = local_path(filename)
    if resume:
        raise ValueError(
            f"{where}: an interrupted save to .hspy cannot be taken up, an HDF5 file is whole or nothing: save as "
            ".zarr or .zspy, which can go on with resume=True, or leave resume out"
        )
    storable(where, frames)
    packing = choose_hdf_codec(codec, np.dtype(frames.dtype))
    layout, blocks = plan_chunks(frames)
    if layout.chunk_nbytes > _LARGEST_CHUNK:
        raise ValueError(
            f"{where}: a frame of {math.prod(layout.frame_shape)} pixels has {layout.chunk_nbytes} bytes, a chunk of "
            "HDF5 at most 4 GiB: save as .zarr, or rebin the frames"
        )
    if os.path.isdir(where):
        raise FileExistsError(f"{where}: a folder is there, expected a file or nothing: move it away")
    free_to_write(where, sources_of(frames), overwrite, "a file")
    marked = frames.incomplete != "raise"
    own = own_node(axes, history, signal_class, "", frames.incomplete)
    group = experiment_group(axes, metadata, original_metadata, own, json_attributes=False)
    _need_h5py(where)
    remote = not is_local()
    key = uuid4().hex
    target = HspyTarget(key, layout, packing, np.zeros(layout.n_shards, bool), marked, remote)
    with told_when_full(where):
        file = HspyFile(where, layout, packing, title_of(metadata), group, marked)
        _open[key] = file
        try:
            work = plan_work(blocks, target)
            if remote:
                write_here(work, lambda returned: _store(file, returned), progress)
            else:
                write_in_tasks(work, progress)
            file.finish()
        except BaseException:
            file.abandon()
            raise
        finally:
            del _open[key]


def _store(file: HspyFile, returned: list[Any]) -> None:
    for method, chunk, content in returned:
        getattr(file, method)(chunk, content)


def _need_h5py(where: str) -> None:
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise MissingCodecError(f"{where}: .hspy files need h5py, which is not installed: pip install h5py") from error
