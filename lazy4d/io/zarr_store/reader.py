"""The reader of stores that lazy4d wrote: axes, metadata and history back, and shards that are missing told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.paths import is_url
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, no_damage, one_of
from lazy4d.io.zarr_store.array_document import DATA, read_array
from lazy4d.io.zarr_store.document import KEY, NAME, StoreContent, read_root
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.read import ZarrFrames
from lazy4d.io.zarr_store.shards import ShardFile

_MARKS = (NAME, ".zgroup", ".zarray", ".zmetadata")
_LISTED = 5


class ZarrReader:
    """Stores that lazy4d wrote; `lazy4d.io.zarr_arrays` finds out which those are."""

    name = "zarr"
    extensions: tuple[str, ...] = (".zarr",)
    signature = "is a folder with a zarr.json"

    def sniff(self, head: bytes) -> bool:
        """False: a store is a folder, not a file.

        Examples
        --------
        >>> ZarrReader().sniff(b"{}")
        False
        """
        return False

    def sniff_directory(self, path: Path) -> bool:
        """True for a folder that is a Zarr store of any kind, or is called one."""
        return path.suffix.lower() == ".zarr" or any((path / mark).exists() for mark in _MARKS)

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a store, with everything that was saved with them.

        Parameters
        ----------
        path : path
            Folder of the store.
        scan_shape, sync_offset, flyback, serpentine : optional
            Another arrangement of the same frames; see `plan_scan`. Calibrations of the scan are then left out.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do when the save was interrupted, or shards are missing or damaged. Frames that were recorded as
            invalid when they were saved stay so, marked as they were, or as asked here.
        io : {"mmap", "read"}
            Both mean plain reads here.

        Raises
        ------
        FormatError
            The store is damaged, or its save was interrupted: names the shards that are missing.
        UnsupportedVariantError
            Another program wrote it: lists its arrays.
        ScanShapeError
            The frames do not fill `scan_shape`.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        if is_url(os.fspath(path)):
            raise FormatError(f"{path}: a store is read from a local or mounted drive, not from a URL: copy it first")
        where = os.path.abspath(os.fspath(path))
        content = read_root(where)
        status = os.stat(os.path.join(where, NAME))
        layout, codec = read_array(where, content)
        missing = missing_shards(where, layout)
        notes: list[str] = []
        if not content.complete or missing.any():
            notes.append(no_damage(incomplete, _interrupted(where, content, layout, missing)))
        elif incomplete == "raise":
            _probe(where, layout)
        navigation, origin = NavigationMap.raster(layout.nav_shape), "axes of the store"
        rearranged = scan_shape is not None or sync_offset or flyback or serpentine
        if rearranged or incomplete == "crop":
            plan = plan_scan(
                where,
                layout.frames,
                scan_shape=scan_shape,
                sync_offset=sync_offset,
                flyback=flyback,
                incomplete=incomplete,
                hint=None if sync_offset or flyback else ShapeHint(layout.nav_shape, origin),
                usable=_usable(layout, missing),
                serpentine=serpentine,
            )
            navigation, origin = plan.navigation, plan.origin
            notes.extend(plan.warnings)
        invalid = content.incomplete != "raise" and (content.invalid_frames > 0 or not content.complete)
        if invalid and content.complete:
            notes.append(
                f"{where}: {content.invalid_frames} of {layout.frames} frames were missing or damaged when this was "
                "saved; s.valid tells which"
            )
        tolerant = incomplete in ("nan", "zero")
        frames = ZarrFrames(
            where,
            (status.st_size, status.st_mtime_ns),
            layout,
            codec,
            tuple(axis["size"] for axis in content.axes if not axis["navigate"]),
            navigation,
            incomplete if tolerant else content.incomplete if invalid else "raise",
            tolerant,
            invalid,
        )
        general = content.metadata.get("General")
        title = general.get("title") if isinstance(general, dict) else None
        specs = [AxisSpec(a["name"], a["units"], float(a["scale"]), float(a["offset"])) for a in content.axes]
        nav = tuple(specs[: layout.nav_ndim])
        saved: dict[str, Any] = {"signal_class": content.signal_class, "history": content.history}
        if not rearranged:
            saved["axes"] = content.axes
        return Source(
            frames=frames,
            title=title if isinstance(title, str) else "",
            signal_axes=tuple(specs[layout.nav_ndim :]),
            navigation_axes=navigation_axes(len(frames.nav_shape)) if rearranged else nav,
            metadata={**content.metadata, KEY: saved},
            original_metadata=content.original_metadata,
            identity={
                "path": where,
                "size": status.st_size,
                "mtime_ns": status.st_mtime_ns,
                "format": self.name,
                "stream": content.stream,
            },
            warnings=tuple(notes),
            scan_shape_origin=origin,
            frames_found=layout.frames - _frames_of(layout, np.flatnonzero(missing)),
            frames_expected=layout.frames,
        )


def missing_shards(folder: str, layout: ShardLayout) -> NDArray[np.bool_]:
    """True for each shard whose file is not there, bool[shards]; nothing is opened."""
    try:
        with os.scandir(os.path.join(folder, DATA)) as entries:
            names = {entry.name for entry in entries}
    except OSError:
        names = set()
    missing = np.ones(layout.n_shards, bool)
    for name in names:
        place = name.split(".")[1 : 1 + layout.nav_ndim]
        if len(place) == layout.nav_ndim and all(part.isdecimal() and len(part) < 9 for part in place):
            index = tuple(int(part) for part in place)
            if all(k < n for k, n in zip(index, layout.grid, strict=True)):
                shard = int(np.ravel_multi_index(index, layout.grid)) if index else 0
                missing[shard] &= layout.shard_key(shard) != name
    return missing


def _probe(folder: str, layout: ShardLayout) -> None:
    """Check the index of the first and of the last shard; the others are checked as they are read."""
    for shard in {0, layout.n_shards - 1}:
        ShardFile(os.path.join(folder, DATA, layout.shard_key(shard)), layout.chunks_per_shard).close()


def _usable(layout: ShardLayout, missing: NDArray[np.bool_]) -> int | None:
    """Frames before the first one that is missing; None where none is."""
    starts = []
    for shard in np.flatnonzero(missing)[: 2**16].tolist():
        corner = tuple(s.start for s in layout.shard_box(shard))
        starts.append(int(np.ravel_multi_index(corner, layout.nav_shape)) if corner else 0)
    return min(starts) if starts else None


def _frames_of(layout: ShardLayout, shards: NDArray[np.int64]) -> int:
    if len(shards) == layout.n_shards:
        return layout.frames
    return sum(int(np.prod([s.stop - s.start for s in layout.shard_box(int(k))], dtype=np.int64)) for k in shards)


def _interrupted(folder: str, content: StoreContent, layout: ShardLayout, missing: NDArray[np.bool_]) -> Lazy4DError:
    """What is wrong with a store that is not complete."""
    lacking = np.flatnonzero(missing)
    shards = [
        f"{layout.shard_key(k)} of positions [{', '.join(f'{s.start}:{s.stop}' for s in layout.shard_box(k))}]"
        for k in lacking[:_LISTED].tolist()
    ]
    more = f" and {len(lacking) - _LISTED} more" if len(lacking) > _LISTED else ""
    what = f"{len(lacking)} of {layout.n_shards} shards are missing: {', '.join(shards)}{more}"
    if not lacking.size:
        what = f"all {layout.n_shards} shards are there, but it was never marked complete"
    if content.complete:
        return TruncatedFileError(
            f"{folder}: {what}; the save was complete, so they were removed since, or not copied. Copy them again, or "
            "load with incomplete='nan', 'zero' or 'crop'"
        )
    return FormatError(
        f"{folder}: the save of this store was interrupted: {what}. Save it again with resume=True, which keeps the "
        "shards that are there, or load with incomplete='nan', 'zero' or 'crop'"
    )


READER = ZarrReader()
