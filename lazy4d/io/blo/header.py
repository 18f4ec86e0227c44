"""The header of a NanoMegas block file, its note and the virtual image that stands before the patterns."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError

MAGIC = b"IMGBLO"
FRAME_MARK = b"\xaa\x55"
FRAME_HEAD = 6
"""Bytes before the pixels of a pattern: the mark and the number of the frame."""

_FIXED = struct.Struct("<6sHIIIHHHHHddIHId")
_TABLES = struct.Struct("<8d14d")
_NOTE = 240  # byte at which the note begins
_MOST_NOTE = 1 << 16
_VERSIONS = (0x0102, 0x0103)
_BIT_DEPTH = re.compile(r"blo bit depth\s*:\s*(\d{1,3})\s*bits", re.IGNORECASE)
_DAY_ZERO = datetime(1899, 12, 30)  # of serial dates
_LAST_DAY = 2_000_000

HEADER_BYTES = _NOTE + _MOST_NOTE
"""Bytes to read of a file for its header and note."""

MOST_PIXELS = 1 << 24
"""Pixels up to which the virtual image of a scan is read into the metadata."""


@dataclass(frozen=True)
class BloHeader:
    """What the header says, as it says it.

    Parameters
    ----------
    version : int
        0x0102 or, with patterns of 16 bits possible, 0x0103.
    image_offset, data_offset : int
        Byte of the virtual image and of the first pattern.
    flags : int
        Meaning unknown.
    size : int
        Rows and columns of a pattern.
    pattern_rotation, scan_rotation : int
        Rotations; that of the scan in 0.01°.
    columns, rows : int
        Scan points a line, and lines.
    step_x, step_y : float
        Distance of scan points in nm.
    beam_energy : int
        In V.
    pixels_per_cm : int
        Detector pixels per cm, times 100; 0 where not calibrated.
    camera_length : int
        In 0.1 mm.
    date : float
        Days since 1899-12-30.
    centering, distortion : tuple of float
        Corrections that were not applied to the pixels.
    note : str
        Text behind the header.
    """

    version: int
    image_offset: int
    data_offset: int
    flags: int
    size: int
    pattern_rotation: int
    columns: int
    rows: int
    scan_rotation: int
    step_x: float
    step_y: float
    beam_energy: int
    pixels_per_cm: int
    camera_length: int
    date: float
    centering: tuple[float, ...]
    distortion: tuple[float, ...]
    note: str

    @property
    def stated_bits(self) -> int | None:
        """Bits of a pixel that the note of version 1.3 states; None where it does not."""
        found = _BIT_DEPTH.search(self.note)
        return int(found[1]) if found and self.version >= _VERSIONS[1] else None

    @property
    def when(self) -> datetime | None:
        """Date and time of the acquisition; None where there is none.

        Examples
        --------
        >>> from dataclasses import replace
        >>> parse_header(MAGIC + bytes([2, 1]) + bytes(12) + bytes([5, 0] * 4) + bytes(212), "a.blo").when
        """
        if not (math.isfinite(self.date) and 0 < self.date < _LAST_DAY):
            return None
        return _DAY_ZERO + timedelta(seconds=round(self.date * 86400))

    def as_dictionary(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def parse_header(head: bytes, path: str) -> BloHeader:
    """The header at the start of a file.

    Parameters
    ----------
    head : bytes
        The first `HEADER_BYTES`, or all of a shorter file.
    path : str
        Named in messages.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        It is no block file, of an unknown version, or its numbers make no sense: names the byte.
    """
    if not head.startswith(MAGIC):
        raise FormatError(f"{path}: not a NanoMegas block file: expected {MAGIC!r} at byte 0, found {head[:6]!r}")
    if len(head) < _NOTE:
        raise TruncatedFileError(f"{path}: the file ends inside its header: {_NOTE} bytes needed, {len(head)} found")
    _, version, *rest = _FIXED.unpack_from(head)
    tables = _TABLES.unpack_from(head, _FIXED.size)
    if version not in _VERSIONS:
        raise UnsupportedVariantError(
            f"{path}: block file version {version >> 8}.{version & 0xFF} (0x{version:04x} at byte 6) is not known: "
            "expected 1.2 or 1.3. Export the data as version 1.2, or read the patterns with reader='raw', "
            f"header={rest[1] + FRAME_HEAD}, gap={FRAME_HEAD}, frame_shape and dtype"
        )
    note = head[_NOTE : max(_NOTE, min(rest[0], HEADER_BYTES))].decode("latin-1").strip("\0 \r\n")
    fields: list[Any] = [*rest, tables[:8], tables[8:], note]
    header = BloHeader(version, *fields)
    for offset, name, value in ((20, "pattern size", header.size), (24, "NX", header.columns), (26, "NY", header.rows)):
        if value == 0:
            raise FormatError(f"{path}: {name} at byte {offset} is 0, expected at least 1; the header is damaged")
    return header


def first_pattern(header: BloHeader, path: str, size: int) -> None:
    """Nothing, when the patterns begin behind the header and inside a file of `size` bytes.

    Raises
    ------
    FormatError, TruncatedFileError
        They do not.
    """
    if header.data_offset < _FIXED.size:
        raise FormatError(
            f"{path}: the patterns are said to begin at byte {header.data_offset} (u4 at byte 12), which is inside the "
            f"header of {_FIXED.size} bytes; the header is damaged"
        )
    if header.data_offset + FRAME_HEAD > size:
        raise TruncatedFileError(
            f"{path}: the patterns are said to begin at byte {header.data_offset} (u4 at byte 12), but the file ends "
            f"at byte {size}: it was cut short, or its header is damaged"
        )


def read_virtual_image(file: Any, header: BloHeader) -> NDArray[np.uint8] | None:
    """The virtual image of the scan, uint8 of shape (rows, columns); None where it has no place or is huge.

    Parameters
    ----------
    file : binary file
        The block file, open for reading.
    header : BloHeader
        Its header.
    """
    count = header.rows * header.columns
    if count > MOST_PIXELS or header.image_offset < _FIXED.size or header.data_offset - header.image_offset < count:
        return None
    file.seek(header.image_offset)
    data = file.read(count)
    if len(data) < count:
        return None
    return np.frombuffer(data, np.uint8).reshape(header.rows, header.columns)
