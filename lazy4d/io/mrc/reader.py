"""The MRC reader: files in, a `Source` out, without reading a frame."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazy4d.io.fixed_frames.companion import Companion, find_companion
from lazy4d.io.mrc.companions import describe_images, find_images
from lazy4d.io.mrc.direct_electron import INFO, find_info
from lazy4d.io.mrc.header import looks_like_mrc
from lazy4d.io.mrc.metadata import map_metadata, scan_axes, signal_axes
from lazy4d.io.mrc.pixels import MODE0
from lazy4d.io.mrc.placement import Coordinates, Placement, ScanShape, place
from lazy4d.io.mrc.recording import Recording, survey
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, one_of


class MrcReader:
    """MRC files of 2014 and before, in both byte orders, modes 0, 1, 2, 4, 6, 12 and 101.

    One section is one frame. Movies of Direct Electron's server come with the shape, calibration and images that it
    wrote beside them. Modes 0 (see `mode0`), 1, 2, 4 and 6 keep their dtype; 4-bit pixels (101) become uint8 and
    float16 (12) float32, tile by tile as they are read: compiled kernels know neither.
    """

    name = "mrc"
    extensions: tuple[str, ...] = (".mrc", ".mrcs", ".st", ".ali", ".rec", ".map", ".ccp4")
    signature = "has 'MAP ' at byte 208, or columns, rows, mode and axes that make sense"
    series = True
    audit_options = {"scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        """True when `head` can be an MRC header.

        Examples
        --------
        >>> MrcReader().sniff(bytes(208) + b"MAP DD"), MrcReader().sniff(b"PK")
        (True, False)
        """
        return looks_like_mrc(head)

    def principal(self, paths: Sequence[str]) -> list[str]:
        """The movie among the files of one acquisition of Direct Electron's server; empty where that is not clear."""
        movies = [path for path in paths if os.path.splitext(path)[0].endswith("_movie")]
        if len(movies) != 1 or (info := find_info(movies[0])) is None:
            return []
        stem = info.path.removesuffix(INFO)
        return movies if all(os.path.normcase(path).startswith(os.path.normcase(stem)) for path in paths) else []

    def read(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        scan_shape: ScanShape = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        mode0: str = "auto",
        coordinates: Coordinates = None,
        serpentine: bool | None = None,
    ) -> Source:
        """The sections of an MRC file, or of several that continue each other, as frames without flips.

        The scan shape is the argument, else the table of scan coordinates beside a Direct Electron movie, else the scan
        size in its ``_info.txt``, else one-dimensional: MRC itself has none, and it is never guessed. Positions
        that a random scan never visited are invalid frames; positions visited again make a leading axis ``repeat``.

        Parameters
        ----------
        path : path or sequence of paths
            One file, or the parts of one movie in order.
        scan_shape : sequence of int, int, "square" or None
            ``(rows, columns)``, see `plan_scan`; with `coordinates`, the grid that they lie on.
        sync_offset : int
            Frames to skip at the start; negative: blank positions, which are invalid, to insert there.
        flyback : int
            Frames to leave out after each line.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with a file that ends before its frames do.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.
        mode0 : {"auto", "uint8", "int8"}
            What bytes (mode 0) are. ``"auto"``: uint8 for Direct Electron, else by IMOD's flags or the minimum and
            maximum in the header, else int8.
        coordinates : path, bool or None
            Table of scan coordinates, ``x,y`` a line; None looks for ``*_scan_coordinates.csv`` unless `scan_shape` is
            given, True insists on it, False leaves it aside.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards; by default as Direct Electron's
            ``_info.txt`` says.

        Raises
        ------
        FormatError, TruncatedFileError
            The file is damaged, or no MRC: names the file, the byte, what was expected and found.
        ScanShapeError
            The frames do not fill the scan.
        UnsupportedVariantError
            A mode or an order of axes that is not read: names a way around.
        MissingCompanionError
            There is no such table of coordinates.
        ValueError
            An option has a value that is not known.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        one_of("mode0", mode0, MODE0)
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        if not given:
            raise ValueError("the list of MRC files is empty: give at least one path")
        found = survey([os.path.abspath(os.fspath(item)) for item in given], incomplete, mode0)
        saved, told = _companion(found) if len(given) == 1 else (None, ())
        as_saved = saved is not None and scan_shape is None and not (sync_offset or flyback or coordinates)
        placed = place(
            found,
            saved.nav_shape or None if saved is not None and as_saved else scan_shape,
            coordinates,
            sync_offset=sync_offset,
            flyback=flyback,
            incomplete=incomplete,
            serpentine=serpentine,
        )
        navigation = saved.mark(placed.navigation) if saved else placed.navigation
        frames = RawFrames(found.frames, found.layout, navigation, incomplete=incomplete, io=io)
        source = _source(found, frames, placed)
        source.warnings += told
        return saved.complete(source, not as_saved) if saved else source


def _companion(found: Recording) -> tuple[Companion | None, tuple[str, ...]]:
    """What lazy4d wrote beside the file, for frames that are as they were written."""
    first, decoder = found.first, found.layout.decoder
    pixels = found.frames.total * math.prod(decoder.frame_shape)
    return find_companion(
        first.path,
        size=first.size,
        mtime_ns=first.mtime_ns,
        start=first.header.data_start,
        dtype=decoder.stored_dtype,
        pixels=pixels,
    )


def _source(found: Recording, frames: RawFrames, placed: Placement) -> Source:
    first, info = found.first, found.info
    images: dict[str, Any] = {}
    warnings = found.warnings + placed.warnings
    if info is not None and found.kind == "movie":
        images, damaged = describe_images(find_images(info), info)
        warnings += damaged
    original: dict[str, Any] = {"header": first.header.as_dictionary()}
    if first.extended:
        original["extended_header"] = first.extended
    if info is not None:
        original["info"] = dict(info.entries)
    single = frames.nav_shape == ()
    return Source(
        frames=frames,
        title=Path(first.path).stem,
        signal_axes=signal_axes(first.header, first.extended, info, kind=found.kind, single=single),
        navigation_axes=scan_axes(placed.names, frames.nav_shape, first.header, info),
        metadata=map_metadata(first.path, first.extended, info, images),
        original_metadata=original,
        identity={
            "path": first.path,
            "files": len(found.frames.names),
            "size": int(found.frames.sizes.sum()),
            "mtime_ns": int(found.frames.mtimes.max()),
            "format": MrcReader.name,
            "token": found.frames.digest,
        },
        warnings=warnings,
        scan_shape_origin=placed.origin,
        frames_found=found.frames.found,
        frames_expected=found.expected,
    )


READER = MrcReader()
"""What the registry uses."""
