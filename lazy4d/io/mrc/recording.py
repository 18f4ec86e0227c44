"""The files of one MRC recording: headers checked, frames counted, companions found; no pixel is read."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.errors import FormatError
from lazy4d.io.files import FrameFiles
from lazy4d.io.mrc.companions import identify
from lazy4d.io.mrc.direct_electron import INFO, Info, find_info
from lazy4d.io.mrc.extended import READ_BYTES, parse_extended
from lazy4d.io.mrc.header import HEADER_BYTES, MrcHeader, parse_header
from lazy4d.io.mrc.pixels import byte_note, decoder_for
from lazy4d.io.mrc.sections import Sections, count_sections
from lazy4d.io.rawframes import RecordLayout


@dataclass(frozen=True)
class MrcFile:
    """One file, its headers read.

    Parameters
    ----------
    path : str
        Absolute path.
    size, mtime_ns : int
        Bytes, and modification time in ns.
    header : MrcHeader
        Its header.
    extended : dict
        Its extended header.
    """

    path: str
    size: int
    mtime_ns: int
    header: MrcHeader
    extended: dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """The frames of all files, and what their first file and its companions say.

    Parameters
    ----------
    first : MrcFile
        The first file.
    info : Info or None
        What the camera's server wrote beside it.
    kind : {"movie", "virtual", "external", "final"}
        What the file is to its acquisition; a movie where nothing says otherwise.
    frames : FrameFiles
        Which file and record holds a frame number.
    layout : RecordLayout
        Where frames stand in each file.
    expected : int or None
        Frames that headers or companions promise.
    warnings : tuple of str
        What a user should be told.
    """

    first: MrcFile
    info: Info | None
    kind: str
    frames: FrameFiles
    layout: RecordLayout
    expected: int | None
    warnings: tuple[str, ...]


def survey(paths: list[str], incomplete: str, mode0: str) -> Recording:
    """Headers, sizes and companions of the files of one recording.

    Parameters
    ----------
    paths : list of str
        Absolute paths, in order.
    incomplete : str
        What to do with a file that ends before its frames do.
    mode0 : str
        What bytes are; see `decoder_for`.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        A file cannot be read, or does not continue the first one.
    """
    info = find_info(paths[0])
    files = [_open(path) for path in paths]
    first, warnings = files[0], []
    kind = _kind(first.path, info)
    header = first.header
    if info is not None and kind == "movie" and not _describes(info, header):
        size = (info.text("Image Size X (pixels)"), info.text("Image Size Y (pixels)"))
        warnings.append(
            f"{info.path}: images of {size[0]} x {size[1]} pixels expected, {first.path} has {header.nx} x "
            f"{header.ny}: what is said there was left aside"
        )
        info = None
    decoder = decoder_for(header, first.path, mode0, electron_camera=info is not None)
    payload = math.prod(decoder.stored_shape) * decoder.stored_dtype.itemsize
    layout = RecordLayout(header.data_start, payload, 0, decoder)
    stated = info.count("Autosave Movie Frames Written") if info is not None and kind == "movie" else None
    sections = []
    for file in files:
        _check_part(file, first)
        alone = stated if len(files) == 1 else None
        sections.append(count_sections(file.path, file.size, file.header, layout, incomplete, alone))
        warnings += sections[-1].warnings
    if not header.stamped:
        warnings.append(f"{first.path}: no 'MAP ' at byte 208, as in old files: read by what the other fields say")
    note = byte_note(header, mode0, electron_camera=info is not None)
    if note:
        warnings.append(f"{first.path}: {note}")
    frames = _frame_files(files, sections)
    promises = [part.expected for part in sections]
    expected = sum(n for n in promises if n is not None) if None not in promises else None
    if info is not None and stated and stated != frames.found and not any(part.warnings for part in sections):
        warnings.append(f"{first.path}: {frames.found} frames found, {stated} written according to {info.path}")
    return Recording(first, info, kind, frames, layout, stated or expected, tuple(warnings))


def _open(path: str) -> MrcFile:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        head = file.read(HEADER_BYTES)
        if not head:
            raise FormatError(f"{path}: the file is empty, expected an MRC header of {HEADER_BYTES} bytes")
        header = parse_header(head, path, status.st_size)
        block = file.read(min(header.extended_bytes, READ_BYTES))
    extended = parse_extended(block, head, header, max(header.nz, 0))
    return MrcFile(path, status.st_size, status.st_mtime_ns, header, extended)


def _kind(path: str, info: Info | None) -> str:
    """What a file is to the acquisition that an ``_info.txt`` describes."""
    image = identify(path, info.path.removesuffix(INFO)) if info is not None else None
    return "movie" if image is None else image.kind


def _describes(info: Info, header: MrcHeader) -> bool:
    size = info.count("Image Size X (pixels)"), info.count("Image Size Y (pixels)")
    return None in size or size == (header.nx, header.ny)


def _check_part(file: MrcFile, first: MrcFile) -> None:
    one, other = first.header, file.header
    for name in ("nx", "ny", "mode", "order", "data_start"):
        expected, found = getattr(one, name), getattr(other, name)
        if expected != found:
            raise FormatError(
                f"{file.path}: does not continue {os.path.basename(first.path)}: expected {name} = {expected!r} as "
                f"there, found {found!r}; load it by itself"
            )


def _frame_files(files: list[MrcFile], sections: list[Sections]) -> FrameFiles:
    """Runs of frames, each file from where the one before should have ended."""
    counts = np.array([part.found for part in sections], np.int64)
    promised = np.array([max(part.found, part.expected or 0) for part in sections], np.int64)
    numbers = np.cumsum(promised) - promised
    owners = np.arange(len(files), dtype=np.int64)
    sizes, mtimes = (np.array(column, np.int64) for column in zip(*((f.size, f.mtime_ns) for f in files), strict=True))
    return FrameFiles.of_runs([f.path for f in files], sizes, mtimes, (numbers, counts, owners, np.zeros_like(owners)))
