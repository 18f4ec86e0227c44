"""Saving as ``.zspy``: a Zarr version 2 store that HyperSpy 2 opens, written chunk by chunk, and taken up again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from lazy4d.io.hyperspy.chunks import plan_chunks, sources_of
from lazy4d.io.hyperspy.saving import PARTIAL, free_to_write, plan_work, storable, told_when_full, write_in_tasks
from lazy4d.io.hyperspy.tree import experiment_group, own_node, title_of
from lazy4d.io.hyperspy.zspy_folder import (
    DATA,
    VALID,
    finish,
    layout_of,
    open_again,
    read_marker,
    reopen,
    stream_of,
    write_marker,
)
from lazy4d.io.hyperspy.zspy_target import ZspyTarget
from lazy4d.io.zarr_store.codec import Codec, choose_codec
from lazy4d.io.zarr_store.layout import ShardLayout, regular_chunks
from lazy4d.io.zarr_store.place import Existing, find_existing, local_path
from lazy4d.io.zarr_store.write import identity
from lazy4d.lazy import Frames

_LARGEST_CHUNK = 2**31 - 17


def save_zspy(
    filename: str | os.PathLike[str],
    *,
    frames: Frames,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    codec: str | dict[str, Any] | None = "zstd",
    resume: bool = False,
    progress: Any = None,
) -> None:
    """Write frames, in one pass over their source, to a Zarr version 2 store that HyperSpy 2 opens.

    Parameters
    ----------
    filename : path
        Folder of the store; HyperSpy wants its name to end in ``.zspy``. On a drive that all workers of a cluster see.
    frames : Frames
        What to save. Chunks hold whole frames, about a megabyte of them; each is a file.
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order, navigation first.
    metadata, original_metadata : dict
        Nested; HyperSpy finds them under the same names.
    history : str
        JSON text; kept in ``metadata.lazy4d.history``, one text for each step.
    signal_class : str
        Name of the class of the signal.
    overwrite : bool
        Replace what is there, if it is a Zarr store, a file or an empty folder, once the new store is whole; also
        start anew where an interrupted save was left. Other folders are never deleted.
    codec : {"zstd", "lz4", "none"}, dict or None
        Compression, as for ``.zarr``: Blosc, which Zarr reads without further packages.
    resume : bool
        Go on with an interrupted save of the same frames: chunks that are whole are kept.
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
    The store has its name only when it is whole; until then ``.partial`` follows it, and no program takes it for a
    store. Which frames are valid, where damage was tolerated, is kept in ``metadata.lazy4d.valid``: `lazy4d.load` marks
    these frames again, HyperSpy shows the array and reads zeros.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.zspy")
    >>> save_zspy(path, frames=d.frames, axes=[a.as_dictionary() for a in d.axes_manager.as_numpy_order()],
    ...           metadata={}, original_metadata={}, history="[]", signal_class="Diffraction2D", progress=False)
    >>> sorted(os.listdir(os.path.join(path, "Experiments", "__unnamed__")))[-3:]
    ['learning_results', 'metadata', 'original_metadata']
    """
    where = local_path(filename)
    storable(where, frames)
    packing = choose_codec(codec, np.dtype(frames.dtype))
    layout, blocks = plan_chunks(frames)
    if layout.chunk_nbytes > _LARGEST_CHUNK and packing.cname:
        raise ValueError(
            f"{where}: a frame of {layout.chunk_nbytes} bytes, a compressed chunk has at most 2 GiB: pass "
            "codec='none', save as .zarr, or rebin the frames"
        )
    stream = identity(frames)
    own = own_node(axes, history, signal_class, stream, frames.incomplete)
    tree = experiment_group(axes, metadata, original_metadata, own, json_attributes=True)
    partial = where + PARTIAL
    _make_room(where, partial, frames, stream, overwrite, resume)
    begun = read_marker(partial) if resume else {}
    known = layout_of(begun, layout) if begun else None
    if known is None:
        _clear(partial)
        write_marker(partial, stream, layout, packing)
    else:
        layout, packing = known
        blocks = _in_chunks(frames, layout)
        open_again(partial)
    target = _target(partial, layout, packing, frames.incomplete != "raise")
    if known is not None:
        target.done[:] = [target.is_there(chunk) for chunk in range(layout.n_shards)]
    with told_when_full(partial):
        write_in_tasks(plan_work(blocks, target), progress)
        finish(partial, where, title_of(metadata), tree, target)


def _target(partial: str, layout: ShardLayout, codec: Codec, marked: bool) -> ZspyTarget:
    data, valid = os.path.join(partial, DATA), os.path.join(partial, VALID)
    for folder in (data, *([valid] if marked else [])):
        os.makedirs(folder, exist_ok=True)
    return ZspyTarget(data, valid, layout, codec, np.zeros(layout.n_shards, bool), marked)


def _in_chunks(frames: Frames, layout: ShardLayout) -> Frames:
    """Blocks of whole chunks of an earlier save: as they are where they fit, else about as large."""
    steps = []
    for blocks, chunk in zip(frames.chunks, layout.nav_shard, strict=True):
        if all(border % chunk == 0 for border in np.cumsum(blocks[:-1], dtype=np.int64)):
            steps.append(tuple(blocks))
        else:
            steps.append(regular_chunks(sum(blocks), -(-max(blocks) // chunk) * chunk))
    return frames.rechunk(steps)


def _make_room(where: str, partial: str, frames: Frames, stream: str, overwrite: bool, resume: bool) -> None:
    """See to it that the store may be written; nothing is removed here that a new store does not replace.

    Raises
    ------
    FileExistsError, ValueError
        It may not.
    """
    marker, existing = read_marker(partial), find_existing(where)
    if existing is Existing.FOLDER:
        raise FileExistsError(
            f"{where}: a folder that is no Zarr store is there, expected a store, a file or nothing: such folders are "
            "never deleted, overwrite=True or not. Move it away, or save under another name"
        )
    if existing not in (Existing.NOTHING, Existing.EMPTY):
        again = ", resume=True to go on with a save of the same frames"
        if resume and not os.path.lexists(partial) and stream_of(where) == stream:
            free_to_write(where, sources_of(frames), True, existing.value)
            reopen(where, partial, stream)
            return
        free_to_write(where, sources_of(frames), overwrite, existing.value, again)
    if marker and resume and not overwrite and marker.get("stream") != stream:
        raise FileExistsError(
            f"{partial}: expected an interrupted save of the same frames (identity {stream}), found one of other "
            f"frames (identity {marker.get('stream')}): the file, a step or a parameter changed since. Pass "
            "overwrite=True to start anew, or save under another name"
        )
    if marker and not resume and not overwrite:
        raise FileExistsError(
            f"{partial}: an interrupted save is there. Pass resume=True to go on with it, overwrite=True to start "
            "anew, or save under another name"
        )
    if marker and marker.get("stream") != stream:
        _clear(partial)
    if not marker and os.path.lexists(partial) and os.listdir(partial):
        raise FileExistsError(
            f"{partial}: expected an interrupted save or nothing, found something else, which is not deleted: move it "
            "away, or save under another name"
        )


def _clear(partial: str) -> None:
    if read_marker(partial):
        shutil.rmtree(partial)
