"""Vectors as a Zarr version 3 store: a flat array for each column, and where each frame's entries begin.

=======================  =========================================================================================
node                     what
=======================  =========================================================================================
``/``                    group; its attribute ``lazy4d`` says what the columns are: axes, units, metadata, history
``/offsets``             int64 [positions + 1]: the entries of the position with number i in scan order (C order
                         of the navigation axes) are ``offsets[i]:offsets[i + 1]`` of every column
``/columns/ky`` …        one array [entries] for each column, its unit in the attribute ``units``; ``ky`` and
                         ``kx`` count pixels of a frame from the centre of its first one, and their attributes
                         calibrate them: ``offset + scale * ky`` is in ``calibrated_units``
``/valid``               bool [positions], where frames were missing or damaged: False for these
=======================  =========================================================================================

Inner chunks of 65536 entries, packed by Blosc and with a checksum, in shards of up to 128.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.mapping import check_unchanged
from lazy4d.io.vectors.content import KIND, VectorContent, parse
from lazy4d.io.vectors.flat_zarr import FlatArray, FlatWriter, open_flat
from lazy4d.io.vectors.rows import Rows
from lazy4d.io.vectors.store import LoadedVectors, joined, lazy_blocks
from lazy4d.io.zarr_store.codec import choose_codec
from lazy4d.io.zarr_store.document import KEY, NAME, read_document, write_document
from lazy4d.ragged import RaggedFrames

SUFFIXES = (".zarr",)
OFFSETS, COLUMNS, VALID = "offsets", "columns", "valid"
LONGEST = 200
"""Bytes of the name of a folder; file systems take 255."""
_GROUP = {"zarr_format": 3, "node_type": "group"}


def check_codec(codec: Any, content: VectorContent) -> None:
    """Refuse a codec that is not known, before anything is written."""
    for dtype in content.dtypes.values():
        choose_codec(_named(codec), dtype)


def write(path: str, rows: Rows, content: VectorContent, codec: Any = "auto") -> None:
    """Write a store into a folder that is not there yet; see the table above.

    Parameters
    ----------
    path : str
        The folder.
    rows : Rows
        The entries.
    content : VectorContent
        What is said of them.
    codec : {"auto", "zstd", "lz4", "none"}, dict or None
        As for `lazy4d.io.zarr_store.codec.choose_codec`; ``"auto"`` is ``"zstd"``.
    """
    os.makedirs(path)
    columns = os.path.join(path, COLUMNS)
    os.makedirs(columns)
    write_document(columns, {**_GROUP, "attributes": {}})
    chosen = _named(codec)
    offsets = FlatWriter(
        os.path.join(path, OFFSETS), len(rows.offsets), np.dtype(np.int64), choose_codec(chosen, np.dtype(np.int64)),
        "position",
    )  # fmt: skip
    offsets.append(rows.offsets)
    offsets.close()
    if rows.valid is not None:
        kind = np.dtype(bool)
        valid = FlatWriter(os.path.join(path, VALID), len(rows.valid), kind, choose_codec(chosen, kind), "position")
        valid.append(rows.valid)
        valid.close()
    writers = {
        name: FlatWriter(
            os.path.join(columns, folder_of(name)), content.total, dtype, choose_codec(chosen, dtype), "vector",
            content.attributes(name),
        )
        for name, dtype in content.dtypes.items()
    }  # fmt: skip
    with ThreadPoolExecutor(
        min(len(writers), os.cpu_count() or 1)
    ) as pool:  # Blosc packs outside the interpreter's lock
        for piece in rows.pieces():
            list(pool.map(lambda name, piece=piece: writers[name].append(piece[name]), writers))
    for writer in writers.values():
        writer.close()
    write_document(path, {**_GROUP, "attributes": {KEY: content.document()}})


def _named(codec: Any) -> Any:
    return "zstd" if codec == "auto" else codec


def folder_of(name: str) -> str:
    """The name of a column as that of a folder, on any system and in any key of Zarr.

    Examples
    --------
    >>> folder_of("ky"), folder_of("I/I0"), folder_of("..")
    ('ky', 'I%2FI0', '%2E%2E')
    """
    plain = name if name.isidentifier() else quote(name, safe=" ").replace(".", "%2E")
    if len(plain.encode()) > LONGEST:
        plain = f"{plain[: LONGEST // 4]}%{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"%5F{plain[1:]}" if plain.startswith("__") else plain  # which Zarr keeps for itself


def is_vector_store(folder: str) -> bool:
    """Whether a folder is a store of vectors, whatever its state; a glance at its document, without an error.

    Examples
    --------
    >>> is_vector_store("/no/such/folder")
    False
    """
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            attributes = json.loads(file.read()).get("attributes")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
    own = attributes.get(KEY) if isinstance(attributes, dict) else None
    return isinstance(own, dict) and own.get("kind") == KIND


@dataclass(frozen=True)
class ZarrVectors:
    """The entries of a store."""

    path: str
    state: tuple[int, int]
    offsets: FlatArray
    columns: tuple[tuple[str, FlatArray], ...]
    preferred_chunks: None = None

    @property
    def token(self) -> str:
        """Identity of the store as it was when it was opened."""
        return f"{self.path} {self.state}"

    def read(self, runs: Sequence[tuple[int, int]]) -> RaggedFrames:
        """The entries of runs of frames, one after the other."""
        check_unchanged(os.path.join(self.path, NAME), *self.state)
        first = runs[0][0]
        found = self.offsets.read([(first, runs[-1][1] + 1)])
        if (np.diff(found) < 0).any() or found[0] < 0 or found[-1] > self.columns[0][1].size:
            raise FormatError(
                f"{self.offsets.folder}: expected numbers that never decrease, up to {self.columns[0][1].size}, found "
                f"{found.min()} to {found.max()}: the file was changed or damaged"
            )
        counts = [np.diff(found[start - first : stop - first + 1]) for start, stop in runs]
        spans = joined([(int(found[start - first]), int(found[stop - first])) for start, stop in runs])
        return RaggedFrames.from_counts(
            np.concatenate(counts), {name: array.read(spans) for name, array in self.columns}
        )


def load(path: str, chunks: Any = "auto") -> LoadedVectors:
    """The vectors of a store, lazily; its documents and the ends of its arrays are checked.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        The store is damaged, incomplete, or of a newer version: names what is missing.
    """
    root = os.path.join(path, NAME)
    attributes = read_document(root).get("attributes")
    content = parse(root, attributes.get(KEY) if isinstance(attributes, dict) else None)
    status = os.stat(root)
    if not content.signal.complete:
        raise FormatError(f"{path}: the save of this store was interrupted; save it again")
    read_document(os.path.join(path, COLUMNS, NAME))
    offsets = open_flat(os.path.join(path, OFFSETS), content.n_frames + 1, np.dtype(np.int64))
    columns = tuple(
        (name, open_flat(os.path.join(path, COLUMNS, folder_of(name)), content.total, dtype))
        for name, dtype in content.dtypes.items()
    )
    for array in (offsets, *(array for _, array in columns)):
        missing = array.missing()
        if missing:
            raise TruncatedFileError(
                f"{array.folder}: {len(missing)} of {array.n_shards} files are missing, first {missing[0]}; the save "
                "was complete, so they were removed since, or not copied. Copy the store again"
            )
        array.probe()
    valid = None
    if content.signal.invalid_frames or os.path.isdir(os.path.join(path, VALID)):
        flags = open_flat(os.path.join(path, VALID), content.n_frames, np.dtype(bool))
        valid = flags.read([(0, content.n_frames)]).reshape(content.nav_shape)
    state = (status.st_size, status.st_mtime_ns)
    store = ZarrVectors(path, state, offsets, columns)
    return LoadedVectors(
        lazy_blocks(store, content.nav_shape, content.dtypes, content.total, chunks),
        content,
        valid,
        {"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": "zarr"},
        title=content.title,
    )
