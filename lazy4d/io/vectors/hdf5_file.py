"""Vectors as an HDF5 file: a flat dataset for each column, and where each frame's entries begin.

=======================  =========================================================================================
object                   what
=======================  =========================================================================================
``/``                    group; its attribute ``format`` is ``lazy4d vectors``
``/lazy4d``              text (UTF-8), JSON: what the columns are, axes, units, metadata, history
``/offsets``             int64 [positions + 1]: the entries of the position with number i in scan order (C order
                         of the navigation axes) are ``offsets[i]:offsets[i + 1]`` of every column
``/columns/ky`` …        one dataset [entries] for each column, its unit in the attribute ``units``; ``ky`` and
                         ``kx`` count pixels of a frame from the centre of its first one, and their attributes
                         calibrate them: ``offset + scale * ky`` is in ``calibrated_units``
``/valid``               bool [positions], where frames were missing or damaged: False for these
=======================  =========================================================================================

The layout is that of HDF5 1.10 (2016), whose tables have checksums. Chunks hold 65536 entries, with a checksum too (the
filter Fletcher-32 of HDF5 itself), and are packed only where that is asked for: the places of disks fill the bits of
their numbers, so that packing gains little and costs much.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.hdf5.attributes import text
from lazy4d.io.hdf5.heaps import check_dataset
from lazy4d.io.hdf5.links import attribute
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.mapping import check_unchanged
from lazy4d.io.vectors.content import VectorContent, parse_text
from lazy4d.io.vectors.rows import Rows
from lazy4d.io.vectors.store import LoadedVectors, joined, lazy_blocks
from lazy4d.io.vectors.zarr_file import COLUMNS, OFFSETS, VALID, folder_of
from lazy4d.io.zarr_store.document import KEY
from lazy4d.ragged import RaggedFrames

SUFFIXES = (".h5", ".hdf5")
FORMAT = "lazy4d vectors"
CHUNK = 2**16

_CODECS: dict[str, dict[str, Any]] = {
    "auto": {},
    "none": {},
    "gzip": {"shuffle": True, "compression": "gzip", "compression_opts": 1},
    "lzf": {"shuffle": True, "compression": "lzf"},
}


def check_codec(codec: Any, content: VectorContent) -> None:
    """Refuse a codec that is not known, before anything is written."""
    h5py_module()
    _filters(codec)


def _filters(codec: Any) -> dict[str, Any]:
    name = "none" if codec is None else codec
    if not isinstance(name, str) or name not in _CODECS:
        raise ValueError(f"codec={codec!r} is not known: vectors in HDF5 are packed by 'none', 'gzip' or 'lzf'")
    return _CODECS[name]


def write(path: str, rows: Rows, content: VectorContent, codec: Any = "auto") -> None:
    """Write a file; see the table above.

    Parameters
    ----------
    path : str
        The file; replaced, if there is one.
    rows : Rows
        The entries.
    content : VectorContent
        What is said of them.
    codec : {"auto", "none", "gzip", "lzf"} or None
        Compression; ``"auto"`` is none.
    """
    h5py = h5py_module()
    filters = _filters(codec)
    # The layout of HDF5 1.10 has checksums in its own tables too.
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        # Text of fixed length: HDF5 keeps other text in heaps, and damage there can crash the library itself.
        file.attrs["format"] = np.bytes_(FORMAT)
        described = content.text().encode()
        file.create_dataset(KEY, data=np.bytes_(described), dtype=h5py.string_dtype("utf-8", len(described)))
        _dataset(file, OFFSETS, len(rows.offsets), np.dtype(np.int64), filters)[:] = rows.offsets
        if rows.valid is not None:
            _dataset(file, VALID, len(rows.valid), np.dtype(bool), filters)[:] = rows.valid
        columns = file.create_group(COLUMNS)
        arrays = {}
        for name, dtype in content.dtypes.items():
            arrays[name] = _dataset(columns, folder_of(name), content.total, dtype, filters)
            for key, value in content.attributes(name).items():
                arrays[name].attrs[key] = value
        at = 0
        for piece in rows.pieces():
            for name, array in arrays.items() if piece.total else ():
                array[at : at + piece.total] = piece[name]
            at += piece.total


def _dataset(group: Any, name: str, size: int, dtype: np.dtype[Any], filters: dict[str, Any]) -> Any:
    stored = dtype.newbyteorder("<")
    if not size:  # HDF5 has no chunks of nothing
        return group.create_dataset(name, (0,), stored)
    return group.create_dataset(name, (size,), stored, chunks=(min(size, CHUNK),), fletcher32=True, **filters)


def is_vector_file(file: Any) -> bool:
    """Whether an open HDF5 file has vectors in the layout of lazy4d."""
    return text(attribute(file, "format")) == FORMAT


@dataclass(frozen=True)
class Hdf5Vectors:
    """The entries of a file."""

    path: str
    state: tuple[int, int]
    names: tuple[str, ...]
    preferred_chunks: None = None

    @property
    def token(self) -> str:
        """Identity of the file as it was when it was opened."""
        return f"{self.path} {self.state}"

    def read(self, runs: Sequence[tuple[int, int]]) -> RaggedFrames:
        """The entries of runs of frames, one after the other."""
        check_unchanged(self.path, *self.state)
        with open_file(self.path) as file:
            first = runs[0][0]
            found = file[OFFSETS][first : runs[-1][1] + 1]
            arrays = {name: file[COLUMNS][folder_of(name)] for name in self.names}
            size = min(array.shape[0] for array in arrays.values())
            if (np.diff(found) < 0).any() or found[0] < 0 or found[-1] > size:
                raise FormatError(
                    f"{self.path}: expected offsets that never decrease, up to {size}, found {found.min()} to "
                    f"{found.max()}: the file was changed or damaged"
                )
            counts = [np.diff(found[start - first : stop - first + 1]) for start, stop in runs]
            spans = joined([(int(found[start - first]), int(found[stop - first])) for start, stop in runs])
            columns = {name: _spans(array, spans) for name, array in arrays.items()}
        return RaggedFrames.from_counts(np.concatenate(counts), columns)


def _spans(array: Any, spans: Sequence[tuple[int, int]]) -> NDArray[Any]:
    if len(spans) == 1:
        return array[slice(*spans[0])]
    return np.concatenate([array[start:stop] for start, stop in spans] or [np.empty(0, array.dtype)])


def load(path: str, chunks: Any = "auto") -> LoadedVectors:
    """The vectors of a file, lazily; the shapes of its datasets are checked.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        The file is damaged, cut short, or of a newer version.
    """
    status = os.stat(path)
    valid = None
    with open_file(path) as file:
        found = file.get(KEY)
        if found is None or not is_vector_file(file):
            raise FormatError(f"{path}: expected vectors that lazy4d wrote, found no text {KEY!r} that describes them")
        check_dataset(found)
        content = parse_text(path, found[()])
        expected: dict[str, tuple[int, np.dtype[Any]]] = {OFFSETS: (content.n_frames + 1, np.dtype(np.int64))}
        expected |= {f"{COLUMNS}/{folder_of(name)}": (content.total, d) for name, d in content.dtypes.items()}
        if content.signal.invalid_frames or VALID in file:
            expected[VALID] = content.n_frames, np.dtype(bool)
        for name, (size, dtype) in expected.items():
            array = file.get(name)
            if array is None or array.shape != (size,) or array.dtype != dtype.newbyteorder("<"):
                raise FormatError(
                    f"{path}: expected a dataset {name!r} of {size} numbers of {dtype}, found "
                    f"{'nothing' if array is None else f'shape {array.shape} of {array.dtype}'}: the file was changed "
                    "or damaged"
                )
        if VALID in expected:
            valid = np.asarray(file[VALID][:], bool).reshape(content.nav_shape)
    state = (status.st_size, status.st_mtime_ns)
    store = Hdf5Vectors(path, state, tuple(content.dtypes))
    return LoadedVectors(
        lazy_blocks(store, content.nav_shape, content.dtypes, content.total, chunks),
        content,
        valid,
        {"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": "hdf5"},
        title=content.title,
    )
