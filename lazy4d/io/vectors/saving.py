"""Saving vectors: blocks computed in one pass, each put into a part, and the parts brought together in scan order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import PurePath
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask._task_spec import Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from lazy4d.io.vectors import parts
from lazy4d.io.vectors.content import PLACE, VectorContent, stored_dtypes
from lazy4d.io.vectors.place import Workplace, may_replace, open_workplace
from lazy4d.io.vectors.rows import Rows, RowsInMemory, RowsOfParts
from lazy4d.io.vectors.store import StoreLayer
from lazy4d.io.zarr_store.codec import checksum
from lazy4d.io.zarr_store.document import StoreContent
from lazy4d.io.zarr_store.place import local_path
from lazy4d.lazy import run
from lazy4d.lazy.fuse import walks_of
from lazy4d.lazy.lift import positions
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.lazy.ragged_ending import unboxed
from lazy4d.lazy.ragged_selection import block_boxes
from lazy4d.ragged import RaggedFrames

FORMATS = {
    ".zarr": "lazy4d.io.vectors.zarr_file",
    ".h5": "lazy4d.io.vectors.hdf5_file",
    ".hdf5": "lazy4d.io.vectors.hdf5_file",
    ".parquet": "lazy4d.io.vectors.parquet_file",
}
"""Module that writes vectors, by the suffix of the file."""


def save_vectors(
    filename: str | os.PathLike[str],
    *,
    data: RaggedFrames | RaggedBlocks,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str = "DiffractionVectors",
    column_units: Mapping[str, str] | None = None,
    valid: Any = None,
    overwrite: bool = False,
    resume: bool = False,
    codec: Any = "auto",
    progress: Any = None,
) -> None:
    """Write vectors to a file, in the format that its suffix names; lazy ones are computed as they are written.

    ============= ========================================================== ======================================
    suffix        what it is                                                 codec
    ============= ========================================================== ======================================
    ``.zarr``     Zarr version 3; see `lazy4d.io.vectors.zarr_file`          zstd (the default), lz4, none, dict
    ``.h5``       HDF5; see `lazy4d.io.vectors.hdf5_file`                    none (the default), gzip, lzf
    ``.hdf5``
    ``.parquet``  a table, a row a vector, with its scan position and its    snappy (the default), zstd, lz4, gzip,
                  calibrated place; see `lazy4d.io.vectors.parquet_file`     none
    ============= ========================================================== ======================================

    Parameters
    ----------
    filename : path
        Where to; on a drive that all workers of a cluster see.
    data : RaggedFrames or RaggedBlocks
        The vectors, in scan order.
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order: navigation, then those of a frame.
    metadata, original_metadata : dict
        Nested.
    history : str
        JSON text.
    signal_class : str
        Name of the class of the signal.
    column_units : mapping of str to str, optional
        Units of columns other than ky and kx, which are pixels.
    valid : bool ndarray or dask array [nav...], optional
        False where a frame is missing or damaged.
    overwrite : bool
        Replace what is there, once the new file is whole.
    resume : bool
        Go on with an interrupted save of the same vectors: blocks that are done are kept.
    codec : str, dict or None
        Compression; see the table.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    ValueError
        No writer for the suffix, or the vectors are computed from the file that would be replaced.
    FileExistsError
        Something is there, and neither `overwrite` nor `resume` says what to do with it.
    TypeError
        A column of a dtype that cannot be stored.

    Notes
    -----
    The number of vectors is known only when all are found. So each block goes into a part of its own, in the folder
    ``<filename>.partial``, written by the task that computed it; then one pass brings the parts into scan order, a few
    at a time, and the file gets its name. At no time are there more vectors in memory than those of the blocks at work.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "vectors.zarr")
    >>> ragged = RaggedFrames.from_counts([1, 0, 2, 0], {"ky": [1.0, 2, 3], "kx": [4.0, 5, 6]})
    >>> axes = [dict(name=n, units="px", scale=1.0, offset=0.0, size=s, navigate=s == 2)
    ...         for n, s in [("y", 2), ("x", 2), ("ky", 16), ("kx", 16)]]
    >>> save_vectors(path, data=ragged, axes=axes, metadata={}, original_metadata={}, history="[]")
    >>> from lazy4d.io.vectors.opening import load_vectors
    >>> load_vectors(path).blocks.compute()["kx"]
    array([4., 5., 6.])
    """
    where = local_path(filename)
    writer = _writer(where)
    lazy = isinstance(data, RaggedBlocks)
    dtypes = stored_dtypes(where, data.dtypes)
    stream = identity(data, valid)
    total = 0 if isinstance(data, RaggedBlocks) else data.total
    rows_of_axes = [dict(axis) for axis in axes]
    signal = StoreContent(rows_of_axes, metadata, original_metadata, history, signal_class, stream, "raise")
    content = VectorContent(signal, dtypes, {**(column_units or {}), **dict.fromkeys(PLACE, "px")}, total)
    _check_positions(where, content, data)
    content.text()  # what cannot be written is told before anything is removed
    writer.check_codec(codec, content)
    folder = where.lower().endswith(".zarr")
    same = (lambda: writer.load(where).content.signal.stream == stream) if resume else None
    if not may_replace(where, _sources(data), overwrite=overwrite, folder=folder, stream_there=same):
        return
    n_parts = data.blocks.size if isinstance(data, RaggedBlocks) else 0
    going_on = open_workplace(where, n_parts, stream, overwrite=overwrite, resume=resume)
    place = Workplace(where, n_parts, stream)
    with _working(place, keep_parts=lazy):
        place.make()
        if isinstance(data, RaggedBlocks):
            rows: Rows = _write_parts(place, data, dtypes, valid, going_on, progress)
        else:
            rows = RowsInMemory(data, None if valid is None else _computed(valid))
        _bring_together(place, writer, rows, content, codec)


def _bring_together(place: Workplace, writer: Any, rows: Rows, content: VectorContent, codec: Any) -> None:
    invalid = 0 if rows.valid is None else int(rows.valid.size - np.count_nonzero(rows.valid))
    signal = replace(content.signal, complete=True, invalid_frames=invalid)
    writer.write(place.result, rows, replace(content, signal=signal, total=int(rows.offsets[-1])), codec)
    rows.close()
    place.finish()


@contextmanager
def _working(place: Workplace, keep_parts: bool) -> Iterator[None]:
    """Leave behind, when something goes wrong, only parts with which a later save can go on."""
    try:
        yield
    except BaseException as error:
        if not keep_parts or not place.parts_there():
            place.abandon()
        elif isinstance(error, Exception):
            error.add_note(f"lazy4d: what is done is kept in {place.folder}; save again with resume=True to go on")
        raise


def _writer(where: str) -> Any:
    suffix = PurePath(where).suffix.lower()
    if suffix not in FORMATS:
        hint = "; a table as text is written by .to_csv()" if suffix == ".csv" else ""
        raise ValueError(
            f"cannot write vectors to {where!r}: no writer for the suffix {suffix!r}; use one of "
            f"{', '.join(FORMATS)}{hint}"
        )
    return import_module(FORMATS[suffix])


def _check_positions(where: str, content: VectorContent, data: RaggedFrames | RaggedBlocks) -> None:
    n = data.n_frames if isinstance(data, RaggedFrames) else int(np.prod(data.nav_shape, dtype=np.int64))
    shape = content.nav_shape
    if n != content.n_frames or (isinstance(data, RaggedBlocks) and data.nav_shape != shape):
        raise ValueError(f"{where}: expected vectors of the positions of the axes, {shape}, found {n} frames")


# ---- parts


def _write_parts(
    place: Workplace,
    data: RaggedBlocks,
    dtypes: Mapping[str, np.dtype[Any]],
    valid: Any,
    going_on: bool,
    progress: Any,
) -> Rows:
    boxes = list(block_boxes(data.chunks))
    sizes = [int(np.prod([s.stop - s.start for s in box], dtype=np.int64)) for _, box in boxes]
    marked = valid is not None
    done = [
        going_on and parts.is_whole(place.part(k), size, dtypes, marked) for k, size in enumerate(sizes)
    ]  # fmt: skip
    if not all(done):
        flags = None if valid is None else _aligned(valid, data)
        written = _written(place, data, flags, [(k, block) for k, (block, _) in enumerate(boxes) if not done[k]])
        _run(written, data, sum(n for n, d in zip(sizes, done, strict=True) if d) / max(1, sum(sizes)), progress)
    missing = [k for k in range(len(boxes)) if not os.path.exists(place.part(k))]
    if missing:
        raise FileNotFoundError(
            f"{place.folder}: {len(missing)} of {len(boxes)} parts are not there after the save, first "
            f"{os.path.basename(place.part(missing[0]))}: expected all. Do all workers of the cluster see this folder?"
        )
    return RowsOfParts([place.part(k) for k in range(len(boxes))], data.chunks, dtypes)


def _written(
    place: Workplace, data: RaggedBlocks, valid: da.Array | None, blocks: Sequence[tuple[int, tuple[int, ...]]]
) -> da.Array:
    """A lazy array with one byte for each block to be written; blocks that are not asked for are not computed."""
    name = f"saved-{uuid4().hex}"
    tasks: dict[Any, Any] = {}
    for at, (number, block) in enumerate(blocks):
        key = (name, at)
        flags = [] if valid is None else [TaskRef((valid.name, *block))]
        tasks[key] = Task(key, _write_block, place.part(number), TaskRef((data.blocks.name, *block)), *flags)
    inputs: list[Any] = [data.blocks, *([] if valid is None else [valid])]
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=inputs)
    return da.Array(graph, name, ((1,) * len(blocks),), meta=np.empty((0,), np.uint8))


def _write_block(path: str, block: Any, valid: Any = None) -> NDArray[np.uint8]:
    parts.write_part(path, unboxed(np.asarray(block, object)), None if valid is None else np.asarray(valid))
    return np.zeros(1, np.uint8)


def _run(written: da.Array, data: RaggedBlocks, share_done: float, progress: Any) -> None:
    total = sum(positions(w.chunks) * int(w.source.frame_nbytes) for w in walks_of(data.blocks.dask).values())
    run.compute_rest(written, done=int(share_done * total), total=total, progress=progress)


def _aligned(valid: Any, data: RaggedBlocks) -> da.Array:
    """Validity in the blocks of the vectors."""
    if not isinstance(valid, da.Array):
        return da.from_array(np.asarray(valid, bool).reshape(data.nav_shape), chunks=data.chunks or -1)
    return valid if valid.chunks == data.chunks else valid.rechunk(data.chunks)


def _computed(valid: Any) -> NDArray[np.bool_]:
    if isinstance(valid, da.Array):
        (valid,) = run.compute(valid, progress=False)
    return np.asarray(valid, bool)


# ---- identity


def identity(data: RaggedFrames | RaggedBlocks, valid: Any = None) -> str:
    """What tells these vectors from others, the same in another session.

    Examples
    --------
    >>> one = RaggedFrames.from_counts([1], {"ky": [1.0]})
    >>> identity(one) == identity(RaggedFrames.from_counts([1], {"ky": [1.0]}))
    True
    """
    flags = valid.name if isinstance(valid, da.Array) else None if valid is None else _content(np.asarray(valid))
    dtypes = [(name, dtype.str) for name, dtype in data.dtypes.items()]
    if isinstance(data, RaggedBlocks):
        return str(tokenize(data.blocks.name, data.chunks, dtypes, flags))
    return str(tokenize(_content(data.offsets), [_content(c) for c in data.columns.values()], dtypes, flags))


def _content(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, checksum(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _sources(data: RaggedFrames | RaggedBlocks) -> set[str]:
    """Files that the vectors are computed from."""
    if isinstance(data, RaggedFrames):
        return set()
    found = {layer.path for layer in data.blocks.dask.layers.values() if isinstance(layer, StoreLayer)}
    for walk in walks_of(data.blocks.dask).values():
        source = getattr(walk.source, "folder", None) or getattr(walk.source, "label", None)
        found |= {str(source)} if source else set()
    return found
