"""The frames of a dataset, or of several in a row: mapped where they are stored as they are, unpacked where not."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lazy4d.errors import (
    FormatError,
    Lazy4DError,
    MissingCodecError,
    TruncatedFileError,
    UnsupportedVariantError,
)
from lazy4d.io.chunked.codec import ChunkCodec, codec_from_hdf5
from lazy4d.io.chunked.frames import ChunkedFrames
from lazy4d.io.chunked.grid import ChunkGrid
from lazy4d.io.chunked.hdf5_filters import filter_name, is_known
from lazy4d.io.chunked.pipeline import Pipeline
from lazy4d.io.files import FrameFiles
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.hdf5.stores import Hdf5Store, MappedStore, ThroughH5py, part_of, register_filters
from lazy4d.io.hdf5.virtual import virtual_sources
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout

_BUILT_IN = (4, 5, 6)  # filters that HDF5 itself brings
_BOX_BYTES = 4 * 2**20
_MOST_FRAMES = 10**8
_SPARSEST = 1000
_COUNTED = 50_000  # chunks that are counted at load: a tenth of a microsecond each, more on a busy machine

Place = tuple[str, str]


@dataclass(frozen=True)
class DatasetLayout:
    """How a dataset is stored.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : numpy.dtype
        Of the stored pixels.
    chunk : tuple of int or None
        Shape of a chunk; None where there are none.
    offset : int or None
        Byte of the first pixel in the file; None where they are not stored in one piece.
    filters : tuple of (id, flags, values)
        The filter pipeline in the order of writing.
    fill_value : scalar
        Of pixels that were never written.
    kind : str
        ``"contiguous"``, ``"chunked"``, ``"virtual"``, ``"external"``, ``"compact"`` or ``"unwritten"``.
    written : int or None
        Chunks that were written; None where there are none or too many to count.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...] | None
    offset: int | None
    filters: tuple[tuple[int, int, tuple[int, ...]], ...]
    fill_value: Any
    kind: str
    written: int | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return tuple(-(-n // c) for n, c in zip(self.shape, self.chunk or self.shape, strict=True))


def dataset_layout(file: Any, dataset: str) -> DatasetLayout:
    """How a dataset of an open file is stored; nothing of it is read.

    Parameters
    ----------
    file : h5py.File
        The file.
    dataset : str
        Path of the dataset in it.

    Raises
    ------
    FormatError
        There is no such dataset, or it promises far more than is there.
    UnsupportedVariantError
        It does not hold numbers.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
    ...     _ = file.create_dataset("a", data=np.zeros((2, 8, 8), "u2"), chunks=(1, 8, 8), compression="lzf")
    ...     layout = dataset_layout(file, "a")
    >>> layout.kind, layout.chunk, layout.filters[0][0], layout.written
    ('chunked', (1, 8, 8), 32000, 2)
    """
    h5py, where = h5py_module(), str(file.filename)
    try:
        stored = file[dataset]
    except KeyError as error:
        told = error.args[0] if error.args else ""
        raise FormatError(f"{where}: there is no dataset {dataset!r} ({told})") from error
    if not isinstance(stored, h5py.Dataset) or stored.shape is None:
        raise FormatError(f"{where}: {dataset!r} is no dataset with pixels, found {type(stored).__name__}")
    dtype, shape = stored.dtype, tuple(int(n) for n in stored.shape)
    if dtype.kind not in "biufc" or h5py.check_string_dtype(dtype) is not None:
        raise UnsupportedVariantError(
            f"{where}: the dataset {dataset} holds {dtype}, expected numbers: records, text and lists are not read as "
            "frames"
        )
    settings = stored.id.get_create_plist()
    filters = tuple(
        (int(number), int(flags), tuple(int(v) for v in values))
        for number, flags, values, _ in (settings.get_filter(k) for k in range(settings.get_nfilters()))
    )
    chunk = None if stored.chunks is None else tuple(int(n) for n in stored.chunks)
    offset = stored.id.get_offset()
    written = None
    if stored.is_virtual:
        kind = "virtual"
    elif chunk is not None:
        kind = "chunked"
        total = math.prod(-(-n // c) for n, c in zip(shape, chunk, strict=True))
        if total <= _COUNTED or math.prod(shape[:-2]) > _MOST_FRAMES:
            written = int(stored.id.get_num_chunks())
            if total > max(_MOST_FRAMES, _SPARSEST * written):
                raise FormatError(
                    f"{where}: the dataset {dataset} of shape {shape} promises {total} chunks and holds {written}: its "
                    "shape is damaged"
                )
    elif settings.get_external_count():
        kind = "external"
    elif settings.get_layout() == h5py.h5d.COMPACT:
        kind = "compact"
    else:
        kind = "contiguous" if offset is not None else "unwritten"
    offset = int(offset) if kind == "contiguous" and offset is not None else None
    fill = np.zeros((), dtype)[()] if stored.fillvalue is None else stored.fillvalue
    if kind in ("virtual", "external", "compact", "unwritten") and math.prod(shape[:-2]) > _MOST_FRAMES:
        raise FormatError(f"{where}: the dataset {dataset} of shape {shape} promises more than any file holds")
    return DatasetLayout(shape, np.dtype(dtype), chunk, offset, filters, fill, kind, written)


def dataset_frames(
    path: str | Sequence[Place],
    dataset: str | None = None,
    *,
    nav_axes: tuple[int, ...],
    signal_axes: tuple[int, ...],
    navigation: NavigationMap | PositionTable | None = None,
    incomplete: str = "raise",
    io: str = "mmap",
    tolerant: bool = False,
) -> ChunkedFrames | RawFrames:
    """The frames of a dataset, or of several concatenated along their first axis.

    Parameters
    ----------
    path : str, or sequence of (path, dataset)
        The file; or several files and the dataset of each, in order.
    dataset : str, optional
        Path of the dataset, with one file.
    nav_axes, signal_axes : tuple of int
        Axes of the array, in the order of the signal's axes.
    navigation : NavigationMap or PositionTable, optional
        Position to frame number; by default as they are stored.
    incomplete : str
        What becomes of damaged frames.
    io : str
        ``"mmap"`` or ``"read"``.
    tolerant : bool
        Damaged chunks are invalid frames; also with ``incomplete="nan"`` and ``"zero"``.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        The file is damaged, or stored in a way that cannot be read.
    MissingCompanionError
        A file that this one refers to is missing.
    MissingCodecError
        Pixels are packed by a filter that is not here.
    """
    given = [(os.fspath(path), dataset or "/")] if isinstance(path, str | os.PathLike) else list(path)
    parts, layouts = survey(given)
    return joined(
        parts, layouts, nav_axes=nav_axes, signal_axes=signal_axes, navigation=navigation, incomplete=incomplete, io=io,
        tolerant=tolerant,
    )  # fmt: skip


def survey(parts: Sequence[Place]) -> tuple[list[Place], list[DatasetLayout]]:
    """Datasets with absolute paths and how each is stored; a simple virtual one is replaced by what it is made of.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError, MissingCompanionError
        As `dataset_frames`.
    """
    parts = [(os.path.abspath(where), name) for where, name in parts]
    layouts = []
    for where, name in parts:
        with open_file(where) as file:
            layouts.append(dataset_layout(file, name))
            if len(parts) == 1 and layouts[0].kind == "virtual":
                sources = virtual_sources(file, where, name)
                found = survey(sources) if sources else ([], [])
                simple = all(layout.kind in ("contiguous", "chunked") for layout in found[1])
                alike = {(layout.shape[1:], layout.dtype) for layout in (*found[1], layouts[0])}
                if simple and len(alike) == 1 and sum(layout.shape[0] for layout in found[1]) == layouts[0].shape[0]:
                    return found
    return parts, layouts


def unwritten(parts: Sequence[Place], layouts: Sequence[DatasetLayout]) -> str:
    """What to tell of chunks that were never written; empty where all were, or none were counted."""
    missing = total = 0
    for layout in layouts:
        if layout.written is not None and layout.kind == "chunked":
            total += math.prod(layout.grid)
            missing += max(0, math.prod(layout.grid) - layout.written)
    if not missing:
        return ""
    return (
        f"{parts[0][0]}: {missing} of {total} chunks of {parts[0][1]} were never written and read as "
        f"{layouts[0].fill_value}: was the recording interrupted? Load with incomplete='nan' to mark such frames "
        "invalid"
    )


def joined(
    parts: Sequence[Place],
    layouts: Sequence[DatasetLayout],
    *,
    nav_axes: tuple[int, ...],
    signal_axes: tuple[int, ...],
    navigation: NavigationMap | PositionTable | None = None,
    incomplete: str = "raise",
    io: str = "mmap",
    tolerant: bool = False,
) -> ChunkedFrames | RawFrames:
    """The frames of datasets that were surveyed; see `dataset_frames`."""
    first = layouts[0]
    for (where, name), layout in zip(parts, layouts, strict=True):
        if layout.shape[1:] != first.shape[1:] or layout.dtype != first.dtype:
            raise FormatError(
                f"{where}: the dataset {name} is {layout.shape} {layout.dtype}, expected frames as in {parts[0][0]}: "
                f"{first.shape} {first.dtype}"
            )
    if not first.shape:
        raise FormatError(f"{parts[0][0]}: the dataset {parts[0][1]} is a single number, expected frames")
    shape = (sum(layout.shape[0] for layout in layouts), *first.shape[1:])
    tolerant = tolerant or incomplete in ("nan", "zero")
    given = (navigation, incomplete if incomplete in ("nan", "zero") else "raise", tolerant)
    kinds = {layout.kind for layout in layouts}
    if kinds == {"contiguous"}:
        return _contiguous(parts, layouts, shape, nav_axes, signal_axes, io, *given)
    if kinds == {"chunked"} and _unpackable(layouts):
        chunk = first.chunk or ()
        store = Hdf5Store(
            tuple(part_of(where, name, layout.grid) for (where, name), layout in zip(parts, layouts, strict=True)),
            io == "read",
        )
        codec = _codec(parts[0], first)
        grid = ChunkGrid(shape, chunk, nav_axes, signal_axes)
        return ChunkedFrames(grid, first.dtype, store, codec, first.fill_value, *given)
    if len(parts) > 1:
        raise UnsupportedVariantError(
            f"{parts[0][0]} and {len(parts) - 1} more: datasets that are stored in different ways "
            f"({', '.join(sorted(kinds))}, or in other chunks) are not joined: load them one by one, or write them "
            "again alike"
        )
    return _through_h5py(parts[0], first, nav_axes, signal_axes, *given)


def _contiguous(
    parts: Sequence[Place],
    layouts: Sequence[DatasetLayout],
    shape: tuple[int, ...],
    nav_axes: tuple[int, ...],
    signal_axes: tuple[int, ...],
    io: str,
    navigation: NavigationMap | PositionTable | None,
    incomplete: str,
    tolerant: bool,
) -> ChunkedFrames | RawFrames:
    """Pixels as they are: records of a file, or boxes of it where the axes are in another order."""
    dtype = layouts[0].dtype
    owners = []
    for (where, name), layout in zip(parts, layouts, strict=True):
        part = part_of(where, name, start=layout.offset or 0)
        needed = part.start + math.prod(layout.shape) * dtype.itemsize
        if needed > part.size:
            raise TruncatedFileError(
                f"{where}: the dataset {name} of shape {layout.shape} needs {needed} bytes, found {part.size}: the "
                "copy or recording was interrupted"
            )
        owners.append(part)
    ndim, starts = len(shape), {part.start for part in owners}
    if nav_axes + signal_axes == tuple(range(ndim)) and nav_axes and len(starts) == 1 and 0 not in shape:
        frame = tuple(shape[axis] for axis in signal_axes)
        counts = np.array([math.prod(layout.shape[: len(nav_axes)]) for layout in layouts], np.int64)
        files = FrameFiles.of_runs(
            [part.path for part in owners],
            np.array([part.size for part in owners], np.int64),
            np.array([part.mtime_ns for part in owners], np.int64),
            (np.cumsum(counts) - counts, counts, np.arange(len(owners)), np.zeros(len(owners), np.int64)),
        )
        stride = math.prod(frame) * dtype.itemsize
        record = RecordLayout(owners[0].start, stride, 0, PlainDecoder(dtype, frame))
        scan = NavigationMap.raster(tuple(shape[axis] for axis in nav_axes)) if navigation is None else navigation
        return RawFrames(files, record, scan, incomplete=incomplete, io=io)
    chunk = list(shape)
    for axis in sorted(nav_axes):  # boxes of whole frames
        room = max(1, _BOX_BYTES // max(1, math.prod(chunk) // max(1, chunk[axis]) * dtype.itemsize))
        chunk[axis] = max(1, min(chunk[axis], room))
    box = tuple(max(1, n) for n in chunk)
    store = MappedStore(tuple(owners), tuple(layout.shape for layout in layouts), dtype.str, box)
    grid = ChunkGrid(shape, box, nav_axes, signal_axes)
    return ChunkedFrames(grid, dtype, store, Pipeline(()), 0, navigation, incomplete, tolerant)


def _unpackable(layouts: Sequence[DatasetLayout]) -> bool:
    """Whether the chunks of all parts can be read by their place in the files."""
    first = layouts[0]
    for layout in layouts:
        if layout.chunk != first.chunk or layout.filters != first.filters or layout.chunk is None:
            return False
        if layout is not layouts[-1] and layout.shape[0] % layout.chunk[0]:
            return False
    return all(is_known(number) for number, _, _ in first.filters)


def _codec(part: Place, layout: DatasetLayout) -> ChunkCodec:
    try:
        return codec_from_hdf5(layout.filters, layout.dtype, layout.chunk or ())
    except Lazy4DError as error:
        raise type(error)(f"{part[0]}, dataset {part[1]}: {error}") from error


def _through_h5py(
    part: Place,
    layout: DatasetLayout,
    nav_axes: tuple[int, ...],
    signal_axes: tuple[int, ...],
    navigation: NavigationMap | PositionTable | None,
    incomplete: str,
    tolerant: bool,
) -> ChunkedFrames:
    """What only HDF5 itself can read: through h5py, slower."""
    h5py = h5py_module()
    where, name = part
    for number, _, values in layout.filters:
        if is_known(number) or number in _BUILT_IN:
            continue
        register_filters()
        if not h5py.h5z.filter_avail(number):
            _codec(part, replace(layout, filters=((number, 0, values),)))
            raise MissingCodecError(f"{where}: the HDF5 filter {number} ({filter_name(number)}) is missing")
    chunk = list(layout.chunk or layout.shape)
    if layout.kind != "chunked":
        for axis in nav_axes:
            room = max(1, _BOX_BYTES // max(1, math.prod(chunk) // max(1, chunk[axis]) * layout.dtype.itemsize))
            chunk[axis] = max(1, min(chunk[axis], room))
    box = tuple(max(1, n) for n in chunk)
    store = ThroughH5py((part_of(where, name),), box)
    grid = ChunkGrid(layout.shape, box, nav_axes, signal_axes)
    fill = layout.fill_value
    return ChunkedFrames(grid, layout.dtype, store, Pipeline(()), fill, navigation, incomplete, tolerant)
