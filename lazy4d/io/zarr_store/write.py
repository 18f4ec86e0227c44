"""Saving: lay out a store, write whole shards in one pass over the frames, a block a task, and mark it complete."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask._task_spec import Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from lazy4d.errors import Lazy4DError
from lazy4d.io.zarr_store.array_document import (
    DATA,
    DTYPES,
    NAVIGATOR,
    VALID,
    read_array,
    write_array,
    write_navigator_array,
    write_validity_array,
)
from lazy4d.io.zarr_store.block_writer import Target, WriteShards
from lazy4d.io.zarr_store.codec import checksum, choose_codec
from lazy4d.io.zarr_store.document import NAME, StoreContent, read_root, root_document, write_root
from lazy4d.io.zarr_store.layout import ShardLayout, choose_layout, common_step, regular_chunks
from lazy4d.io.zarr_store.navigator import has_navigator
from lazy4d.io.zarr_store.place import Existing, clear, find_existing, local_path, make_folders
from lazy4d.io.zarr_store.shards import is_whole
from lazy4d.io.zarr_store.validity import read_validity
from lazy4d.lazy import Frames, run
from lazy4d.lazy.chunks import bounds
from lazy4d.lazy.fuse import walks_of
from lazy4d.lazy.lift import Terminal, Walk

SMALLEST_SHARD = 2**20
MOST_SMALL_SHARDS = 64


@dataclass(frozen=True, eq=False)
class PendingSave:
    """A store that is laid out and waits for its frames.

    Parameters
    ----------
    target : Target
        Where the frames go.
    content : StoreContent
        What the store will say of them.
    written : dask array, or None
        Computing it writes the shards that are missing; None where all are there.
    nbytes_done, nbytes_total : int
        Stored bytes of the frames that are there already, and of all.
    """

    target: Target
    content: StoreContent
    written: da.Array | None
    nbytes_done: int
    nbytes_total: int

    def finish(self) -> None:
        """Check that all shards are there and mark the store complete.

        Raises
        ------
        FileNotFoundError
            Shards are missing: the workers of a cluster wrote to other disks.
        """
        layout, invalid = self.target.layout, 0
        with os.scandir(os.path.join(self.target.folder, DATA)) as entries:
            there = {entry.name for entry in entries}
        missing = [s for s in range(layout.n_shards) if layout.shard_key(s) not in there]
        if missing:
            raise FileNotFoundError(
                f"{self.target.folder}: {len(missing)} of {layout.n_shards} shards are not there after the save, first "
                f"{layout.shard_key(missing[0])}: expected all. Do all workers of the cluster see this folder?"
            )
        if self.target.with_validity:
            for shard in range(layout.n_shards):
                valid = read_validity(self.target.validity_folder, layout, shard)
                inside = tuple(slice(0, s.stop - s.start) for s in layout.shard_box(shard))
                invalid += int(np.count_nonzero(~valid[inside]))
        write_root(self.target.folder, replace(self.content, complete=True, invalid_frames=invalid))


def plan_save(
    path: str | os.PathLike[str],
    frames: Frames,
    *,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    resume: bool = False,
    codec: str | dict[str, Any] | None = "zstd",
) -> PendingSave:
    """A store with everything but its frames, and the lazy array that writes these; see `save_zarr`.

    Several are written in one pass by `lazy4d.lazy.run.compute` of their `written` arrays, and `finish` of each.
    """
    where = local_path(path)
    dtype = np.dtype(frames.dtype)
    if dtype.name not in DTYPES:
        raise TypeError(
            f"{where}: pixels of dtype {dtype} cannot be stored, expected one of {', '.join(DTYPES)}: convert "
            "them with .astype()"
        )
    packing = choose_codec(codec, dtype)
    content = StoreContent(
        axes=[dict(axis) for axis in axes],
        metadata=metadata,
        original_metadata=original_metadata,
        history=history,
        signal_class=signal_class,
        stream=identity(frames),
        incomplete=frames.incomplete,
    )
    root_document(content)  # what cannot be written is told before anything is removed
    existing = find_existing(where)
    begun = existing is Existing.OWN and resume and _same_stream(where, content, overwrite)
    going_on = begun and os.path.exists(os.path.join(where, DATA, NAME))
    if going_on:
        layout, packing = read_array(where, read_root(where))
    else:
        layout = _new_layout(frames)
    frames = _aligned(frames, layout, a_shard_each=bool(going_on) and _is_free(frames))
    marked = frames.incomplete != "raise"
    if not going_on:
        clear(where, existing, overwrite or begun, reads_from(frames))
    done = np.zeros(layout.n_shards, bool)
    target = Target(where, layout, packing, done, marked)
    _lay_out(target, content, documents=not going_on)
    if going_on:
        done[:] = [_is_done(target, shard) for shard in range(layout.n_shards)]
    return _pending(frames, target, content)


def _lay_out(target: Target, content: StoreContent, documents: bool) -> None:
    """Folders and ``zarr.json`` of a store; those of its arrays only if `documents`. The root is there first."""
    where, layout = target.folder, target.layout
    make_folders(where)
    write_root(where, content)
    beside = [VALID] if target.with_validity else []
    make_folders(where, DATA, *beside, *([NAVIGATOR] if has_navigator(layout) else []))
    if documents:
        names = [str(axis["name"]) for axis in content.axes]
        if target.with_validity:
            write_validity_array(target.validity_folder, layout, names[: layout.nav_ndim])
        if has_navigator(layout):
            write_navigator_array(os.path.join(where, NAVIGATOR), layout, names[: layout.nav_ndim])
        write_array(os.path.join(where, DATA), layout, target.codec, names)


def _pending(frames: Frames, target: Target, content: StoreContent) -> PendingSave:
    """The walk over the blocks that hold shards still to be written."""
    layout, done = target.layout, target.done
    ending = WriteShards(0, target, keep_invalid=not frames.stages)
    terminal = Terminal(f"save-{uuid4().hex}", frames.stages, ending, ())
    walk = Walk(frames.source, frames.chunks, (terminal,))
    borders = [bounds(blocks) for blocks in frames.chunks]
    boxes = [
        (block, tuple(slice(int(b[k]), int(b[k + 1])) for b, k in zip(borders, block, strict=True)))
        for block in np.ndindex(*(len(c) for c in frames.chunks))
    ]
    open_blocks = [block for block, box in boxes if not done[layout.shards_in(box)].all()]
    left = sum(math.prod(c[k] for c, k in zip(frames.chunks, block, strict=True)) for block in open_blocks)
    nbytes = int(frames.source.frame_nbytes)
    written = _written(walk, terminal, open_blocks) if open_blocks else None
    return PendingSave(target, content, written, (layout.frames - left) * nbytes, layout.frames * nbytes)


def save_zarr(
    path: str | os.PathLike[str],
    frames: Frames,
    *,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    resume: bool = False,
    codec: str | dict[str, Any] | None = "zstd",
    progress: Any = None,
) -> None:
    """Write frames, in one pass over their source, to a Zarr version 3 store that other programs can read too.

    Parameters
    ----------
    path : path
        Folder of the store, usually named ``.zarr``; on a drive that all workers of a cluster see.
    frames : Frames
        What to save. Each block becomes one shard, or several; frames in a file or in memory are cut to fit, a dask
        array is rechunked only where its own blocks would give files that are too small.
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order, navigation first.
    metadata, original_metadata : dict
        Nested; see `attributes.to_json` for the types that come back exactly.
    history : str
        JSON text.
    signal_class : str
        Name of the class of the signal.
    overwrite : bool
        Replace what is there, if it is a Zarr store, a file or an empty folder; other folders are never deleted.
    resume : bool
        Go on with an interrupted save of the same frames: shards that are whole are kept.
    codec : {"zstd", "lz4", "none"}, dict or None
        Compression; see `codec.choose_codec`.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    FileExistsError
        Something is there, and neither `overwrite` nor `resume` says what to do with it; or the interrupted save was
        one of other frames.
    ValueError
        The frames are read from the store that would be overwritten; the codec is not known.
    TypeError
        The pixels are of a dtype that cannot be stored.

    Notes
    -----
    A shard appears under its name only when it is whole, and the store is marked complete when all are there: a save
    may be interrupted at any time.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.zarr")
    >>> d.save(path, progress=False)
    >>> bool((l4.load(path).data == d.data).all().compute())
    True
    """
    save = plan_save(
        path,
        frames,
        axes=axes,
        metadata=metadata,
        original_metadata=original_metadata,
        history=history,
        signal_class=signal_class,
        overwrite=overwrite,
        resume=resume,
        codec=codec,
    )
    run_saves([save], progress=progress)


def run_saves(saves: Sequence[PendingSave], progress: Any = None) -> None:
    """Write the frames of several planned stores, with one pass over each source, and mark them complete."""
    written = [save.written for save in saves if save.written is not None]
    before = sum(save.nbytes_done for save in saves if save.written is not None)
    if written:
        total = sum(save.nbytes_total for save in saves if save.written is not None)
        run.compute_rest(*written, done=before, total=total, progress=progress)
    for save in saves:
        save.finish()


def _written(walk: Walk, terminal: Terminal, blocks: Sequence[tuple[int, ...]]) -> da.Array:
    """A lazy array with one byte for each block to be written; blocks that are not asked for are not walked."""
    name = f"saved-{terminal.name}"
    tasks = {(name, k): Task((name, k), _one_byte, TaskRef((terminal.name, *block))) for k, block in enumerate(blocks)}
    below = walk.graph()
    graph = HighLevelGraph({**below.layers, name: tasks}, {**below.dependencies, name: {terminal.name}})  # type: ignore[dict-item]
    return da.Array(graph, name, ((1,) * len(blocks),), meta=np.empty((0,), np.uint8))


def _one_byte(_: Any) -> np.ndarray:
    return np.zeros(1, np.uint8)


# ---- which shards


def _new_layout(frames: Frames) -> ShardLayout:
    shape, dtype = frames.frame_shape, np.dtype(frames.dtype)
    if _is_free(frames):
        largest = tuple(max(blocks) for blocks in frames.chunks)
        return choose_layout(frames.nav_shape, shape, dtype, largest, [True] * len(largest))
    step = tuple(common_step(blocks) for blocks in frames.chunks)
    nbytes = math.prod(step) * math.prod(shape) * dtype.itemsize
    shards = math.prod(-(-n // s) for n, s in zip(frames.nav_shape, step, strict=True))
    if nbytes < SMALLEST_SHARD and shards > max(MOST_SMALL_SHARDS, frames.n_blocks):
        largest = tuple(max(blocks) for blocks in frames.chunks)
        return choose_layout(frames.nav_shape, shape, dtype, largest, [True] * len(largest))
    return choose_layout(frames.nav_shape, shape, dtype, step, [len(blocks) == 1 for blocks in frames.chunks])


def _is_free(frames: Frames) -> bool:
    """Whether the frames can be cut into other blocks at no cost: in a file or in memory."""
    return not frames.is_array or getattr(frames.source, "plain", None) is not None


def _aligned(frames: Frames, layout: ShardLayout, a_shard_each: bool) -> Frames:
    """The frames in blocks of whole shards; of one shard each where only some are left to be written."""
    fits = not a_shard_each and all(
        all(border % s == 0 for border in np.cumsum(blocks[:-1], dtype=np.int64))
        for blocks, s in zip(frames.chunks, layout.nav_shard, strict=True)
    )
    if fits:
        return frames
    return frames.rechunk([regular_chunks(n, s) for n, s in zip(layout.nav_shape, layout.nav_shard, strict=True)])


def _is_done(target: Target, shard: int) -> bool:
    layout = target.layout
    if not is_whole(target.shard_path(shard), layout.chunks_per_shard, layout.chunks_in_shard(shard)):
        return False
    if target.with_validity:
        try:
            read_validity(target.validity_folder, layout, shard)
        except Lazy4DError:
            return False
    return True


# ---- identity


def identity(frames: Frames) -> str:
    """What tells these frames from others, the same in another session for frames of a file or in memory."""
    plain = getattr(frames.source, "plain", None)
    source = frames.source.token if plain is None else _content_token(plain)
    if plain is not None and frames.source.valid is not None:
        (valid,) = run.compute(frames.source.valid, progress=False)
        source += _content_token(valid)
    shape = (frames.nav_shape, frames.frame_shape, str(frames.dtype))
    return str(tokenize(source, shape, frames.incomplete, [stage.token for stage in frames.stages]))


def _content_token(array: np.ndarray) -> str:
    """A name for the content of an array: a hash of the checksums of its pieces, faster than memory is written."""
    state = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=16)
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, 2**20 // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        piece = np.ascontiguousarray(rows[start : start + step])
        state.update(checksum(piece.reshape(-1).view(np.uint8)).to_bytes(4, "little"))
    return state.hexdigest()


def _same_stream(where: str, content: StoreContent, overwrite: bool) -> bool:
    """Whether the store at `where` was begun with the same frames; raises where it was not and may not be replaced."""
    try:
        found = read_root(where).stream
    except Lazy4DError:
        if overwrite:
            return False
        raise
    if found == content.stream:
        return True
    if overwrite:
        return False
    raise FileExistsError(
        f"{where}: expected an interrupted save of the same frames (identity {content.stream}), found one of other "
        f"frames (identity {found}): the file, a step or a parameter changed since. Pass overwrite=True to start anew, "
        "or save under another name"
    )


def reads_from(frames: Frames) -> set[str]:
    """Folders of the Zarr stores that the frames are read from."""
    roots = [frames.source]
    arrays = [frames.source.array] if frames.is_array else []
    arrays += [param.array for stage in frames.stages for param in stage.lazy_params()]
    for array in arrays:
        roots += [walk.source for walk in walks_of(array.dask).values()]
    return {str(root.source.folder) for root in roots if hasattr(getattr(root, "source", None), "folder")}
