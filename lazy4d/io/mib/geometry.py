"""Where the frames of a MIB file stand, proven by the headers that must follow at that stride."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.mapping import open_read_only
from lazy4d.io.mib.decode import candidate_depths, decoder_for
from lazy4d.io.mib.header import HEAD_BYTES, MAGIC, PREFIX, PREFIX_BYTES, MibHeader, parse_header
from lazy4d.io.rawframes import RecordLayout

_MOST_SEARCHED = 1 << 24  # bytes looked through for the next frame; a damaged header may promise frames of any size


@dataclass(frozen=True)
class Geometry:
    """How records of a file are laid out.

    Parameters
    ----------
    header : MibHeader
        Header of the first frame.
    layout : RecordLayout
        Where records and pixels stand.
    depth : int or None
        Counter depth in bits; None when nothing says.
    preamble : bytes
        Acquisition header (``HDR`` text) that a network capture may have before the first frame.
    """

    header: MibHeader
    layout: RecordLayout
    depth: int | None
    preamble: bytes = b""


def find_geometry(path: str, sidecar_depth: int | None) -> Geometry:
    """The layout of the records of a file, from its first header and the place of those that follow.

    Parameters
    ----------
    path : str
        The file.
    sidecar_depth : int or None
        Counter depth that the ``.hdr`` text gives.

    Raises
    ------
    FormatError
        Not a MIB file, or no header where the next frame must begin.
    TruncatedFileError
        Not one whole frame.
    UnsupportedVariantError
        See `decoder_for`.
    """
    fd = open_read_only(path)
    try:
        size = os.fstat(fd).st_size
        head = os.pread(fd, HEAD_BYTES, 0) if hasattr(os, "pread") else os.read(fd, HEAD_BYTES)
        if not head:
            raise FormatError(f"{path}: the file is empty, expected MIB frames beginning with {MAGIC!r}")
        start = _first_record(head)
        header = parse_header(head[start:], f"{path}, byte {start}")
        depths = candidate_depths(header, sidecar_depth)
        layouts = _layouts(header, depths, start, path)
        stated = not header.raw or (header.counter_depth or sidecar_depth) is not None
        depth, layout = _proven(fd, path, size, header, layouts, stated)
    finally:
        os.close(fd)
    return Geometry(header, layout, depth, head[PREFIX_BYTES:start] if start else b"")


def read_at(fd: int, length: int, offset: int) -> bytes:
    """Up to `length` bytes from `offset` of an open file; less only at its end."""
    if hasattr(os, "pread"):
        return os.pread(fd, length, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)


def _first_record(head: bytes) -> int:
    """Byte of the first frame: 0, or behind the acquisition header of a network capture."""
    if head.startswith(PREFIX) and head[PREFIX_BYTES:].lstrip(b",").startswith(b"HDR,"):
        found = head.find(PREFIX, PREFIX_BYTES)
        return max(found, 0)
    return 0


def _layouts(
    header: MibHeader, depths: Sequence[int | None], start: int, path: str
) -> list[tuple[int | None, RecordLayout]]:
    found: list[tuple[int | None, RecordLayout]] = []
    for depth in depths:
        # A 24-bit RAW frame counts its two halves as columns; should one be seen that does not, its stride tells.
        stated = [header, replace(header, width=2 * header.width)] if header.raw and depth == 24 else [header]
        for described in stated:
            try:
                decoder = decoder_for(described, depth, path)
            except UnsupportedVariantError:
                if not found and depth == depths[0]:
                    raise
                continue
            payload = RecordLayout(start, 1, header.start, decoder).payload
            found.append((depth, RecordLayout(start, header.start + payload, header.start, decoder)))
    return found


def _proven(
    fd: int, path: str, size: int, header: MibHeader, layouts: list[tuple[int | None, RecordLayout]], stated: bool
) -> tuple[int | None, RecordLayout]:
    """The first layout that the headers behind the first one prove; one frame alone proves only what it states."""
    magic = (PREFIX if header.prefix_bytes else MAGIC)[:4]
    for k, (depth, layout) in enumerate(layouts):
        count, left = layout.records_in(size)
        places = {1, 2, 3, count - 1} & set(range(1, count))
        if any(read_at(fd, 4, layout.start + place * layout.stride) == magic for place in places):
            return depth, layout
        if count != 1 or (k > 0 and stated):
            continue
        if left == 0 or read_at(fd, left, layout.start + layout.stride)[:4] == magic[:left]:
            return depth, layout
    depth, layout = layouts[0]
    count, left = layout.records_in(size)
    if count == 0:
        raise TruncatedFileError(
            f"{path}: the file ends inside frame 0: {layout.stride} bytes needed, {left} found; not one whole "
            f"frame can be read"
        )
    expected = layout.start + layout.stride
    window = read_at(fd, min(4 * layout.stride, _MOST_SEARCHED), layout.start + header.start)
    place = window.find(magic)
    told = f"the next one is at byte {place + layout.start + header.start}" if place >= 0 else "none follows"
    raise FormatError(
        f"{path}: expected the next frame to begin with {magic!r} at byte {expected} (header of "
        f"{header.header_bytes} bytes, "
        f"{header.width} x {header.height} pixels {header.pixel_code}), found {read_at(fd, 4, expected)!r}; {told}. "
        "The header length or the pixel format stated in the first header is wrong, or the file is damaged"
    )
