"""The folder in which a ``.zspy`` store is made: chunks first, the tree around them only when all are there."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np

from lazy4d.errors import FormatError
from lazy4d.io.hyperspy.names import experiment_name
from lazy4d.io.hyperspy.nodes import Group
from lazy4d.io.hyperspy.tree import EXPERIMENTS, KEY, VERSION, is_own
from lazy4d.io.hyperspy.zarr_tree import (
    array_document,
    children,
    join,
    read_json,
    write_group,
    write_json,
)
from lazy4d.io.hyperspy.zspy_target import ZspyTarget, compressor_document
from lazy4d.io.zarr_arrays.place import FolderPlace
from lazy4d.io.zarr_store.codec import COMPRESSORS, SHUFFLES, Codec
from lazy4d.io.zarr_store.document import read_document
from lazy4d.io.zarr_store.layout import ShardLayout

DATA, VALID = "data", "valid"
MARKER = "lazy4d.json"
"""File that tells an interrupted save from other folders, and what was being saved."""

_VERSION = 1


def write_marker(folder: str, stream: str, layout: ShardLayout, codec: Codec) -> None:
    """Note in a new folder what is being saved into it."""
    os.makedirs(folder, exist_ok=True)
    _write_marker(folder, stream, list(layout.shard), [codec.cname, codec.clevel, codec.shuffle])


def _write_marker(folder: str, stream: str, chunk: Any, codec: list[Any]) -> None:
    document = {"interrupted_save": _VERSION, "stream": stream, "chunk": chunk, "codec": codec}
    write_json(os.path.join(folder, MARKER), document)


def read_marker(folder: str) -> dict[str, Any]:
    """What an interrupted save notes of itself; empty where there is none."""
    try:
        found = read_document(os.path.join(folder, MARKER))
    except (FormatError, OSError):
        return {}
    return found if found.get("interrupted_save") == _VERSION else {}


def layout_of(marker: dict[str, Any], layout: ShardLayout) -> tuple[ShardLayout, Codec] | None:
    """Chunks and compression of an interrupted save of the same frames; None where the note of them is damaged."""
    chunk, packing = marker.get("chunk"), marker.get("codec")
    if not isinstance(chunk, list) or not all(type(n) is int and n > 0 for n in chunk):
        return None
    fits = len(chunk) == len(layout.shape) and tuple(chunk[layout.nav_ndim :]) == layout.frame_shape
    if not fits or not all(c <= n for c, n in zip(chunk, layout.shape, strict=True)):
        return None
    if not isinstance(packing, list) or len(packing) != 3:
        return None
    cname, clevel, shuffle = packing
    if cname not in ("", *COMPRESSORS) or shuffle not in SHUFFLES or type(clevel) is not int:
        return None
    shape, dtype = tuple(chunk), layout.dtype
    typesize = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    return ShardLayout(layout.nav_shape, layout.frame_shape, dtype, shape, shape), Codec(
        cname, clevel, shuffle, typesize
    )


def stream_of(where: str) -> str:
    """Identity of the frames of a finished store that lazy4d wrote; empty for others."""
    experiments = FolderPlace(os.path.join(where, EXPERIMENTS))
    for name in children(experiments, ""):
        signal = read_json(experiments, join(name, ".zattrs"))
        node = read_json(experiments, join(name, "metadata", KEY, ".zattrs"))
        if is_own(signal) and isinstance(node.get("stream"), str):
            return str(node["stream"])
    return ""


def reopen(where: str, folder: str, stream: str) -> None:
    """Make an interrupted save of a finished store, all its chunks there."""
    os.rename(where, folder)
    open_again(folder)
    document = read_json(FolderPlace(folder), join(DATA, ".zarray"))
    compressor = document.get("compressor") or {}
    names = {number: name for name, number in SHUFFLES.items()}
    shuffle = names.get(compressor.get("shuffle", 0), "noshuffle")
    packing = [compressor.get("cname", ""), compressor.get("clevel", 0), shuffle]
    _write_marker(folder, stream, document.get("chunks"), packing)


def open_again(folder: str) -> None:
    """Take the tree away from the chunks, of a finished store or of one that was about to be."""
    experiments = os.path.join(folder, EXPERIMENTS)
    if os.path.isdir(experiments):
        for name in sorted(os.listdir(experiments)):
            signal = os.path.join(experiments, name)
            for old, new in (
                (os.path.join(signal, DATA), os.path.join(folder, DATA)),
                (os.path.join(signal, "metadata", KEY, VALID), os.path.join(folder, VALID)),
            ):
                if os.path.isdir(old) and not os.path.exists(new):
                    os.rename(old, new)
        shutil.rmtree(experiments)


def finish(folder: str, where: str, title: str, tree: Group, target: ZspyTarget) -> None:
    """Check that all chunks are there, put the tree around them, and give the store its name.

    Raises
    ------
    FileNotFoundError
        Chunks are missing: the workers of a cluster wrote to other disks.
    """
    layout = target.layout
    missing = [chunk for chunk in range(layout.n_shards) if not os.path.exists(target.chunk_path(chunk))]
    if missing:
        raise FileNotFoundError(
            f"{folder}: {len(missing)} of {layout.n_shards} chunks are not there after the save, first "
            f"{target.chunk_path(missing[0])}: expected all. Do all workers of the cluster see this folder?"
        )
    keep_valid = target.marked and not target.all_valid()
    write_group(folder, Group({"file_format": "ZSpy", "file_format_version": VERSION}))
    write_group(os.path.join(folder, EXPERIMENTS), Group())
    signal = os.path.join(folder, EXPERIMENTS, experiment_name(title))
    write_group(signal, tree)
    if keep_valid:
        document = array_document(layout.nav_shape, layout.nav_shard, np.dtype(bool), None)
        write_json(os.path.join(target.valid, ".zarray"), document)
        os.rename(target.valid, os.path.join(signal, "metadata", KEY, VALID))
    elif os.path.isdir(target.valid):
        shutil.rmtree(target.valid)
    compressor = compressor_document(target.codec)
    write_json(
        os.path.join(target.data, ".zarray"), array_document(layout.shape, layout.shard, layout.dtype, compressor)
    )
    os.rename(target.data, os.path.join(signal, DATA))
    os.unlink(os.path.join(folder, MARKER))
    if os.path.isdir(where) and not os.path.islink(where):
        shutil.rmtree(where)
    elif os.path.lexists(where):
        os.unlink(where)
    os.rename(folder, where)
