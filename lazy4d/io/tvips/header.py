"""The general header of a TVIPS stream and the header before each of its frames."""

from __future__ import annotations

import math
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError

HEADER_BYTES = 256
_FIELDS = struct.Struct("<13I")
_MOST_SIDE = 1 << 16
_MOST_FRAME_HEADER = 1 << 16
_SHORT = 12
"""Bytes of a frame header of version 1: counter, seconds and milliseconds."""

SCAN_X = 68
"""Byte of a frame header at which the scan position stands, x then y as float32, where it is long enough."""

FRAME_FIELDS = (
    ("counter", "u4"), ("seconds", "u4"), ("milliseconds", "u4"), ("lut_index", "u4"), ("faraday_cup", "f4"),
    ("magnification", "u4"), ("mode", "u4"), ("stage_x", "f4"), ("stage_y", "f4"), ("stage_z", "f4"),
    ("stage_alpha", "f4"), ("stage_beta", "f4"), ("rotator_index", "u4"),
)  # fmt: skip
"""What a frame header holds, in order; a short one ends earlier."""


@dataclass(frozen=True)
class TvipsHeader:
    """What the general header says, as it says it.

    Parameters
    ----------
    size : int
        Bytes of this header: frames follow it.
    version : int
        1 or 2.
    columns, rows : int
        Pixels of a frame.
    bits : int
        Bits of a pixel, 8 or 16.
    offset_x, offset_y, binning_x, binning_y : int
        Place on the camera, and binning.
    pixel_size : int
        Of the camera, in nm.
    high_tension, magnification : int
        Of the microscope; `magnification` is the camera length in diffraction.
    stated_frame_header : int
        Bytes before each frame, as version 2 states them.
    """

    size: int
    version: int
    columns: int
    rows: int
    bits: int
    offset_x: int
    offset_y: int
    binning_x: int
    binning_y: int
    pixel_size: int
    high_tension: int
    magnification: int
    stated_frame_header: int

    @property
    def frame_header(self) -> int:
        """Bytes before the pixels of each frame."""
        return _SHORT if self.version == 1 else self.stated_frame_header

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a stored pixel."""
        return np.dtype("u1" if self.bits == 8 else "<u2")

    @property
    def stride(self) -> int:
        """Bytes from one frame to the next."""
        return self.frame_header + self.rows * self.columns * self.bits // 8

    @property
    def beam_energy(self) -> float | None:
        """In keV; None where it is not set. Files state it in V or in kV.

        Examples
        --------
        >>> from dataclasses import replace
        >>> header = TvipsHeader(256, 2, 4, 4, 16, 0, 0, 1, 1, 15600, 200, 0, 60)
        >>> header.beam_energy, replace(header, high_tension=80_000).beam_energy
        (200.0, 80.0)
        """
        value = float(self.high_tension)
        return (value if value < 10_000 else value / 1000) or None

    def as_dictionary(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def looks_like_tvips(head: bytes) -> bool:
    """True when `head` can be a general header: size, version, depth and sides make sense.

    Examples
    --------
    >>> looks_like_tvips(_FIELDS.pack(256, 2, 64, 32, 16, 0, 0, 1, 1, 0, 0, 0, 60)), looks_like_tvips(bytes(256))
    (True, False)
    """
    if len(head) < _FIELDS.size:
        return False
    header = TvipsHeader(*_FIELDS.unpack_from(head))
    return (
        header.size == HEADER_BYTES
        and header.version in (1, 2)
        and header.bits in (8, 16)
        and 0 < header.columns <= _MOST_SIDE
        and 0 < header.rows <= _MOST_SIDE
        and (header.version == 1 or header.stated_frame_header <= _MOST_FRAME_HEADER)
    )


def parse_header(head: bytes, path: str) -> TvipsHeader:
    """The general header at the start of the first file.

    Parameters
    ----------
    head : bytes
        The first 256 bytes.
    path : str
        Named in messages.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        It is none, or of a kind that is not known: names the byte.
    """
    if len(head) < HEADER_BYTES:
        raise TruncatedFileError(
            f"{path}: the file ends inside its header: {HEADER_BYTES} bytes needed, {len(head)} found"
        )
    header = TvipsHeader(*_FIELDS.unpack_from(head))
    if header.size != HEADER_BYTES:
        raise FormatError(
            f"{path}: not the start of a TVIPS stream: expected the header size {HEADER_BYTES} at byte 0, found "
            f"{header.size}; of a stream in several files only '_000.tvips' begins with it"
        )
    if header.version not in (1, 2):
        raise UnsupportedVariantError(
            f"{path}: TVIPS version {header.version} at byte 4 is not known: expected 1 or 2; export the stream again "
            "as version 2, or read its frames with reader='raw', header=, gap=, frame_shape and dtype"
        )
    if header.bits not in (8, 16):
        raise UnsupportedVariantError(
            f"{path}: {header.bits} bits a pixel at byte 16 are not known: expected 8 or 16; export the stream again "
            "with 16 bits"
        )
    for offset, name, value in ((8, "width", header.columns), (12, "height", header.rows)):
        if not 0 < value <= _MOST_SIDE:
            raise FormatError(f"{path}: the {name} at byte {offset} is {value}, expected 1 to {_MOST_SIDE}")
    if header.version == 2 and not _SHORT <= header.stated_frame_header <= _MOST_FRAME_HEADER:
        raise FormatError(
            f"{path}: frame headers of {header.stated_frame_header} bytes (u4 at byte 48) make no sense, expected "
            f"{_SHORT} to {_MOST_FRAME_HEADER}"
        )
    return header


def parse_frame_header(head: bytes) -> dict[str, Any]:
    """What one frame header says; fields that it is too short for are left out.

    Examples
    --------
    >>> parse_frame_header(struct.pack("<3I", 7, 1660245227, 491))
    {'counter': 7, 'seconds': 1660245227, 'milliseconds': 491}
    """
    found: dict[str, Any] = {}
    for k, (name, kind) in enumerate(FRAME_FIELDS):
        piece = head[4 * k : 4 * k + 4]
        if len(piece) == 4:
            value = struct.unpack("<I" if kind == "u4" else "<f", piece)[0]
            found[name] = value if kind == "u4" or math.isfinite(value) else None
    return found


def counters(heads: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The counter at the start of each of ``heads[n, >=4]``, int64.

    Examples
    --------
    >>> counters(np.array([[7, 0, 0, 0], [0, 1, 0, 0]], np.uint8)).tolist()
    [7, 256]
    """
    return np.ascontiguousarray(heads[:, :4]).view("<u4")[:, 0].astype(np.int64)
