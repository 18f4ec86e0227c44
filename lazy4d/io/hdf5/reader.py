"""The reader of HDF5 files: asks each dialect in turn whose file it is, then hands over its frames."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lazy4d.errors import FormatError
from lazy4d.io.hdf5.content import Content, Dialect
from lazy4d.io.hdf5.dataset import joined, survey, unwritten
from lazy4d.io.hdf5.opening import is_hdf5, open_file
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.scan import ScanPlan, ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, one_of

if TYPE_CHECKING:
    from lazy4d.lazy.source import FrameSource

DIALECTS = (
    "lazy4d.io.hdf5.emd1:DIALECT",
    "lazy4d.io.hdf5.emd0:DIALECT",
    "lazy4d.io.hdf5.hyperspy:DIALECT",
    "lazy4d.io.hdf5.arina:DIALECT",
    "lazy4d.io.hdf5.nexus:DIALECT",
    "lazy4d.io.hdf5.generic:DIALECT",
)
"""Where dialects are, in the order in which they are asked; imported when the first file is opened."""


@lru_cache(maxsize=1)
def dialects() -> tuple[Dialect, ...]:
    """The dialects in the order in which they are asked.

    Examples
    --------
    >>> [dialect.name for dialect in dialects()][-1]
    'generic'
    """
    found = []
    for place in DIALECTS:
        module, _, name = place.partition(":")
        found.append(getattr(import_module(module), name))
    return tuple(found)


class Hdf5Reader:
    """HDF5 files of many programs: contiguous datasets are mapped, chunked ones unpacked outside the HDF5 lock."""

    name = "hdf5"
    extensions: tuple[str, ...] = (".h5", ".hdf5", ".emd", ".hspy", ".nxs", ".nx", ".nexus", ".he5")
    signature = "starts with the bytes 89 48 44 46 0d 0a 1a 0a"
    audit_options = {"scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        r"""True when `head` holds the signature of HDF5 where it may stand.

        Examples
        --------
        >>> Hdf5Reader().sniff(b"\x89HDF\r\n\x1a\n"), Hdf5Reader().sniff(b"MQ1,")
        (True, False)
        """
        return is_hdf5(head)

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        dataset: str | None = None,
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a dataset, with what the file's dialect says of axes and microscope.

        Parameters
        ----------
        path : path
            The file; of Dectris detectors, the master.
        scan_shape : sequence of int, int, "square" or None
            ``(rows, columns)`` instead of what the file says; see `plan_scan`.
        sync_offset : int
            Frames to skip at the start; negative: blank positions to insert there.
        flyback : int
            Frames to leave out after each line.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with damaged or missing frames.
        io : {"mmap", "read"}
            How contiguous pixels are read.
        dataset : str, optional
            Path of the dataset in the file, where there are several.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError, TruncatedFileError, UnsupportedVariantError
            The file is damaged, or several datasets fit: lists them.
        MissingCompanionError
            A file that belongs to it is missing.
        MissingCodecError
            A filter or package is missing.
        ScanShapeError
            The frames do not fill the scan.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where = os.path.abspath(os.fspath(path))
        dialect, content = describe(where, dataset)
        parts, layouts = survey(content.parts)
        shape = (sum(layout.shape[0] for layout in layouts), *layouts[0].shape[1:])
        if sorted((*content.nav_axes, *content.signal_axes)) != list(range(len(shape))):
            raise FormatError(
                f"{where}: the dataset {parts[0][1]} has shape {shape}, expected {len(content.nav_axes)} axes of a "
                f"scan and {len(content.signal_axes)} of frames"
            )
        stored = tuple(shape[axis] for axis in content.nav_axes)
        plan = _plan(where, content, stored, scan_shape, sync_offset, flyback, incomplete, serpentine)
        as_stored = plan.navigation.identity == NavigationMap.raster(stored).identity
        frames: FrameSource = joined(
            parts,
            layouts,
            nav_axes=content.nav_axes,
            signal_axes=content.signal_axes,
            navigation=None if as_stored else plan.navigation,
            incomplete=incomplete,
            io=io,
        )
        if content.valid is not None:
            from lazy4d.io.hyperspy.marked import marked

            policy = incomplete if incomplete in ("nan", "zero") else content.marked
            frames = marked(frames, content.valid, plan.navigation, policy)
        states = [os.stat(name) for name in dict.fromkeys([where, *(name for name, _ in parts)])]
        missing = unwritten(parts, layouts)
        total = math.prod(stored)
        return Source(
            frames=frames,
            title=content.title or Path(where).stem,
            signal_axes=content.signal_axis_specs,
            navigation_axes=_axes(content, plan, len(frames.nav_shape)),
            metadata=content.metadata,
            original_metadata=content.original_metadata,
            identity={
                "path": where,
                "dataset": content.parts[0][1],
                "files": len(states),
                "size": sum(state.st_size for state in states),
                "mtime_ns": max(state.st_mtime_ns for state in states),
                "format": self.name,
                "dialect": dialect,
                "token": frames.token,
            },
            warnings=(*content.warnings, *((missing,) if missing else ()), *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=total,
            frames_expected=total if content.frames_expected is None else content.frames_expected,
        )


def describe(path: str, dataset: str | None = None) -> tuple[str, Content]:
    """The name of the dialect of a file, and what it says of the frames that are meant."""
    with open_file(path) as file:
        for dialect in dialects():
            if dialect.matches(file):
                return dialect.name, dialect.describe(file, path, dataset)
    raise FormatError(f"{path}: no dialect of HDF5 fits this file")


def _plan(
    path: str,
    content: Content,
    stored: tuple[int, ...],
    scan_shape: Sequence[int] | int | str | None,
    sync_offset: int,
    flyback: int,
    incomplete: str,
    serpentine: bool | None,
) -> ScanPlan:
    """The scan that is asked for, else that of a companion, else as the array is stored."""
    hint = content.shape_hint
    if hint is None and len(stored) != 1:
        if not stored and scan_shape is None and not sync_offset and not flyback:
            return ScanPlan(NavigationMap.raster(()), "single frame")
        hint = ShapeHint(stored, f"shape of the dataset {content.parts[0][1]}") if stored else None
    if content.prescan and scan_shape is None and not sync_offset and not flyback:
        sync_offset = flyback = content.prescan
    return plan_scan(
        path,
        math.prod(stored),
        scan_shape=scan_shape,
        sync_offset=sync_offset,
        flyback=flyback,
        incomplete=incomplete,
        hint=hint,
        serpentine=serpentine,
    )


def _axes(content: Content, plan: ScanPlan, ndim: int) -> tuple[AxisSpec, ...]:
    given = content.navigation_axes
    return given if len(given) == ndim else navigation_axes(ndim)


READER = Hdf5Reader()
