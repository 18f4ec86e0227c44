"""The header of a SEQ file: fixed fields, little-endian; every file of a recording has one, and trusts it."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.mapping import open_read_only

MAGIC = b"\xed\xfe\x00\x00"
NAME = "Norpix seq".encode("utf-16-le")
HEADER_BYTES = 1024

_MONO = 100
_VERSIONS = (3, 5)
_DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("<u2"), 32: np.dtype("<u4")}
_GEOMETRY = struct.Struct("<9I")  # from byte 548: width to stride
_TIMING = struct.Struct("<diIIIiiiIiHH")  # from byte 584: frame rate to reference time
_SAY_EXPORT = "export it from StreamPix as uncompressed monochrome of 8 or 16 bits"


@dataclass(frozen=True)
class SeqHeader:
    """The fields of a SEQ header, under the names of the format.

    Parameters
    ----------
    version : int
        3, 4, or 5 (StreamPix 6 and later).
    description : str
        Free text, often the program that wrote the file.
    width, height : int
        Of a stored image, which may hold several frames.
    bit_depth, real_bit_depth : int
        Bits stored for a pixel, and those that the camera fills.
    image_bytes, stride : int
        Bytes of the pixels of an image, and from one image to the next.
    stated_images : int
        Images that the recording program counted; 0 or out of date when it was interrupted.
    frame_rate : float or None
        Stored images a second, as suggested for playing.
    origin, flags, bayer, time_offset_us, reference_seconds, description_format, image_format, compression : int
        As written.
    """

    version: int
    description: str
    width: int
    height: int
    bit_depth: int
    real_bit_depth: int
    image_bytes: int
    image_format: int
    stated_images: int
    origin: int
    stride: int
    frame_rate: float | None
    description_format: int
    flags: int
    bayer: int
    time_offset_us: int
    compression: int
    reference_seconds: int

    @property
    def start(self) -> int:
        """Byte of the first image."""
        return 8192 if self.version >= 5 else HEADER_BYTES

    @property
    def stamp_bytes(self) -> int:
        """Bytes of the time stamp behind the pixels of an image."""
        return 8 if self.version >= 5 else 6

    @property
    def stamped(self) -> bool:
        """Whether there is room for a time stamp behind an image."""
        return self.stride >= self.image_bytes + self.stamp_bytes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of a stored pixel."""
        return _DTYPES[self.bit_depth]

    def as_dictionary(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class SeqFile:
    """A SEQ file as it is at load.

    Parameters
    ----------
    path : str
        Absolute.
    size, mtime_ns : int
        In bytes, and modification time in ns.
    header : SeqHeader
        What it says.
    """

    path: str
    size: int
    mtime_ns: int
    header: SeqHeader


def open_seq(path: str) -> SeqFile:
    """The file at `path` with its header, verified.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        See `parse_header`.
    """
    fd = open_read_only(path)
    try:
        status = os.fstat(fd)
        head = os.read(fd, HEADER_BYTES)
    finally:
        os.close(fd)
    return SeqFile(path, status.st_size, status.st_mtime_ns, parse_header(head, path))


def parse_header(head: bytes, path: str) -> SeqHeader:
    """The fields of a header, verified against each other.

    Parameters
    ----------
    head : bytes
        First 1024 bytes of the file.
    path : str
        Named in messages.

    Raises
    ------
    FormatError
        Not a SEQ file, or fields that contradict each other: names byte, expected and found.
    TruncatedFileError
        The file ends inside its header.
    UnsupportedVariantError
        Compressed, colour or packed images, or a version that no file has shown.
    """
    if head[:4] != MAGIC:
        raise FormatError(f"{path}: expected a SEQ file to begin with {MAGIC!r}, found {head[:4]!r} at byte 0")
    if len(head) < HEADER_BYTES:
        raise TruncatedFileError(
            f"{path}: the file ends inside its header: {HEADER_BYTES} bytes needed, {len(head)} found; copy it again"
        )
    (version,) = struct.unpack_from("<i", head, 28)
    geometry = _GEOMETRY.unpack_from(head, 548)
    timing = _TIMING.unpack_from(head, 584)
    width, height, bit_depth, real_depth, image_bytes, image_format, images, origin, stride = geometry
    header = SeqHeader(
        version=version,
        description=_text(head[36:548]),
        width=width,
        height=height,
        bit_depth=bit_depth,
        real_bit_depth=real_depth,
        image_bytes=image_bytes,
        image_format=image_format,
        stated_images=images,
        origin=origin,
        stride=stride,
        frame_rate=timing[0] if math.isfinite(timing[0]) and timing[0] > 0 else None,
        description_format=timing[1],
        flags=timing[4],
        bayer=timing[5],
        time_offset_us=timing[6],
        compression=timing[8],
        reference_seconds=timing[9],
    )
    _refuse(header, path)
    _verify(header, path)
    return header


def _refuse(header: SeqHeader, path: str) -> None:
    """Raise for variants whose pixels would come out wrong."""
    low, high = _VERSIONS
    if not low <= header.version <= high:
        raise UnsupportedVariantError(
            f"{path}: expected SEQ version {low} to {high} at byte 28, found {header.version}; "
            "save it again with StreamPix 6 or later, or report the file"
        )
    if header.compression:
        known = " (JPEG)" if header.compression == 1 else ""
        raise UnsupportedVariantError(
            f"{path}: its images are compressed, code {header.compression}{known} at byte 620, expected 0; "
            f"{_SAY_EXPORT}"
        )
    if header.image_format != _MONO or header.bit_depth not in _DTYPES:
        raise UnsupportedVariantError(
            f"{path}: image format {header.image_format} at byte 568 with {header.bit_depth} bits a pixel at byte 556 "
            f"is colour, Bayer or packed; expected format {_MONO} (monochrome) of 8, 16 or 32 bits; {_SAY_EXPORT}"
        )


def _verify(header: SeqHeader, path: str) -> None:
    """Raise for a header that contradicts itself."""
    if not header.width or not header.height:
        raise FormatError(
            f"{path}: an image of {header.width} x {header.height} pixels at byte 548 has none; the header is damaged"
        )
    expected = header.width * header.height * header.bit_depth // 8
    if header.image_bytes != expected:
        raise FormatError(
            f"{path}: expected {expected} bytes an image at byte 564, for {header.width} x {header.height} pixels of "
            f"{header.bit_depth} bits, found {header.image_bytes}; the header is damaged"
        )
    if header.stride < header.image_bytes:
        raise FormatError(
            f"{path}: expected at least {header.image_bytes} bytes from one image to the next at byte 580, found "
            f"{header.stride}; the header is damaged"
        )


def _text(field: bytes) -> str:
    return field.decode("utf-16-le", errors="replace").split("\0", 1)[0].strip()
