"""The reader of everything Zarr: stores of lazy4d, of HyperSpy, of OME-Zarr, of xarray, and plain arrays."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.paths import is_url
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, one_of
from lazy4d.io.zarr_arrays.contents import find_array, refuse_native
from lazy4d.io.zarr_arrays.frames import array_frames
from lazy4d.io.zarr_arrays.node import ArrayNode, GroupNode, read_document, read_node
from lazy4d.io.zarr_arrays.place import FolderPlace, Place, open_place
from lazy4d.io.zarr_store import reader as native
from lazy4d.io.zarr_store.document import KEY, is_store

_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
_ZIP_MARKS = (*(mark.encode() for mark in _MARKS), b".zattrs")


@dataclass
class _Described:
    """An array of a store, its axes in the order of the signal."""

    node: ArrayNode
    nav_axes: tuple[int, ...]
    signal_axes: tuple[int, ...]
    navigation_axes: tuple[AxisSpec, ...]
    signal_axis_specs: tuple[AxisSpec, ...]
    title: str
    metadata: dict[str, Any] = field(default_factory=dict)
    original_metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    valid: NDArray[np.bool_] | None = None
    incomplete: str = "nan"


class ZarrReader:
    """Zarr stores of versions 2 and 3, in folders, zip files and behind URLs."""

    name = "zarr"
    extensions: tuple[str, ...] = (".zarr", ".zspy", ".zip")
    signature = "is a folder or zip file with a zarr.json, .zgroup or .zarray"
    urls = True

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins a zip file whose first entry belongs to a store.

        Examples
        --------
        >>> ZarrReader().sniff(b"{}")
        False
        """
        return head[:4] == b"PK\x03\x04" and any(mark in head for mark in _ZIP_MARKS)

    def sniff_directory(self, path: Path) -> bool:
        """True for a folder that is a Zarr store of any kind, or is called one."""
        return path.suffix.lower() in (".zarr", ".zspy") or any((path / mark).exists() for mark in _MARKS)

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        dataset: str | None = None,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of an array in a store: what lazy4d or HyperSpy saved, level 0 of OME-Zarr, or any other array.

        Without other knowledge the last two axes of an array are those of a frame, and all before them navigation.
        Calibration comes from the axes of HyperSpy, the transformations of OME-Zarr, or evenly spaced coordinates as
        xarray writes them. A chunk that was never written holds the fill value, as Zarr means it.

        Parameters
        ----------
        path : path or URL
            A folder, a zip file, or a URL that fsspec opens.
        dataset : str, optional
            Name of a signal in a file of HyperSpy; otherwise key of an array, or of a group that holds one.
        scan_shape, sync_offset, flyback, serpentine : optional
            Another arrangement of the same frames; see `plan_scan`. Calibrations of the scan are then left out.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with damaged chunks, which are found while reading.
        io : {"mmap", "read"}
            Both mean plain reads here.

        Raises
        ------
        FormatError, TruncatedFileError
            The store is damaged, or several arrays could be meant: lists them.
        UnsupportedVariantError, MissingCodecError
            A variant that is not read, or a package that is missing: names it.
        ScanShapeError
            The frames do not fill `scan_shape`.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where = os.fspath(path)
        arrangement: dict[str, Any] = {"scan_shape": scan_shape, "sync_offset": sync_offset, "flyback": flyback}
        place = open_place(where)
        root = read_node(place)
        if isinstance(root, GroupNode) and KEY in root.attributes and dataset is None:
            if not isinstance(place, FolderPlace):
                refuse_native(place)
            return native.READER.read(where, incomplete=incomplete, io=io, serpentine=serpentine, **arrangement)
        if isinstance(place, FolderPlace) and is_store(os.path.dirname(place.label)):
            raise UnsupportedVariantError(
                f"{place.label}: pixels without their axes. Its parent {os.path.dirname(place.label)} is a store of "
                "lazy4d: load that"
            )
        described = _describe(place, dataset)
        return _source(place, described, incomplete, serpentine, arrangement)


def _describe(place: Place, dataset: str | None) -> _Described:
    from lazy4d.io.hyperspy import zspy

    if zspy.is_zspy(place):
        content = zspy.describe(place, dataset)
        group = content.array.rpartition("/")[0]
        for axis in place.list(group):  # without the document of an axis, axes would come in a wrong order
            key = f"{group}/{axis}/.zattrs"
            if axis.startswith("axis-") and read_document(place, key) is None:
                raise FormatError(f"{place.label}/{key}: expected what describes an axis, found nothing")
        node = read_node(place, content.array)
        if not isinstance(node, ArrayNode):
            raise FormatError(f"{place.label}: expected the array {content.array!r}, it is not there")
        e = content.experiment
        return _Described(
            node, e.nav_axes, e.signal_axes, e.navigation_axes, e.signal_axis_specs, e.title, e.metadata,
            e.original_metadata, e.warnings, e.valid, e.incomplete,
        )  # fmt: skip
    found = find_array(place, dataset)
    ndim = len(found.node.shape)
    if ndim == 0:
        raise FormatError(f"{place.label}: the array {found.node} is a single number, expected frames")
    nav = max(0, ndim - 2)
    axes = tuple(range(ndim))
    name = Path(place.label.rstrip("/"))
    general = {"General": {"title": found.title or name.stem, "original_filename": name.name}}
    return _Described(
        found.node, axes[:nav], axes[nav:], found.axes[:nav], found.axes[nav:], found.title, general,
        {**_layout(found.node), **found.original_metadata}, found.warnings,
    )  # fmt: skip


def _layout(node: ArrayNode) -> dict[str, Any]:
    """What the documents of an array say of its pixels."""
    packed: dict[str, Any] = {"codecs": list(node.codecs)}
    if node.zarr_format == 2:
        packed = {"compressor": node.compressor, "filters": list(node.filters), "order": node.order}
    return {
        "zarr_format": node.zarr_format,
        "shape": list(node.shape),
        "chunks": list(node.chunk),
        "dtype": node.dtype.str,
        **packed,
    }


def _source(
    place: Place, found: _Described, incomplete: str, serpentine: bool | None, arrangement: dict[str, Any]
) -> Source:
    if 0 in found.node.shape:
        raise FormatError(f"{place.label}: expected frames, found an array of shape {found.node.shape}: it is empty")
    shape = tuple(found.node.shape[axis] for axis in found.nav_axes)
    total = math.prod(shape)
    navigation, origin, notes = NavigationMap.raster(shape), "axes of the array", list(found.warnings)
    cut = bool(arrangement["sync_offset"] or arrangement["flyback"])
    rearranged = arrangement["scan_shape"] is not None or cut or bool(serpentine)
    if rearranged:
        hint = None if cut else ShapeHint(shape, origin)
        plan = plan_scan(
            place.label, total, incomplete=incomplete, serpentine=serpentine, hint=hint, **arrangement
        )  # fmt: skip
        navigation, origin = plan.navigation, plan.origin
        notes += plan.warnings
    tolerant = incomplete in ("nan", "zero")
    frames: Any = array_frames(
        place, found.node, nav_axes=found.nav_axes, signal_axes=found.signal_axes, navigation=navigation,
        incomplete=incomplete if tolerant else "raise", tolerant=tolerant,
    )  # fmt: skip
    if found.valid is not None:
        from lazy4d.io.hyperspy.marked import marked

        frames = marked(frames, found.valid, navigation, incomplete if tolerant else found.incomplete)
    stem = Path(place.label.rstrip("/")).stem
    state = _state(place)
    return Source(
        frames=frames,
        title=found.title or stem,
        signal_axes=found.signal_axis_specs,
        navigation_axes=navigation_axes(len(frames.nav_shape)) if rearranged else found.navigation_axes,
        metadata=found.metadata,
        original_metadata=found.original_metadata,
        identity={
            "path": place.label, "format": ZarrReader.name, "array": found.node.path, "token": place.token, **state,
        },
        warnings=tuple(notes),
        scan_shape_origin=origin,
        frames_found=total,
        frames_expected=total,
    )  # fmt: skip


def _state(place: Place) -> dict[str, int]:
    if is_url(place.label):
        return {}
    status = os.stat(place.label)
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


READER = ZarrReader()
