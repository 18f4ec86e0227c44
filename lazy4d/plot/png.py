"""Pictures as PNG files in memory, without any library for images: a few kB, written in a millisecond."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # grey, red green blue, the same and opacity
_PALETTE = 3


def png_bytes(pixels: Any, palette: Any = None) -> bytes:
    """A picture as the bytes of a PNG file.

    Parameters
    ----------
    pixels : array_like of uint8 [rows, columns] or [rows, columns, 3 or 4]
        Greys, colours, or colours with opacity; with a `palette`, numbers of its colours.
    palette : array_like of uint8 [n, 3], optional
        At most 256 colours.

    Raises
    ------
    ValueError
        No pixels, another dtype or shape, or numbers of colours that there are not.

    Examples
    --------
    >>> png_bytes(np.zeros((2, 3), "uint8"))[1:4]
    b'PNG'
    """
    array = np.asarray(pixels)
    channels = array.shape[2] if array.ndim == 3 else 1
    indexed = palette is not None
    wrong = array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in _COLOR_TYPES or 0 in array.shape
    if wrong or (array.ndim == 3 and (channels == 1 or indexed)):
        raise ValueError(
            f"expected uint8 [rows, columns] or [rows, columns, 3 or 4], found {array.dtype} {array.shape}"
        )
    chunks = []
    if indexed:
        table = np.asarray(palette, np.uint8)
        if table.ndim != 2 or table.shape[1] != 3 or not int(array.max()) < len(table) <= 256:
            raise ValueError(f"expected a palette [n, 3] of more than {array.max()} colours, found {table.shape}")
        chunks.append((b"PLTE", table.tobytes()))
    rows, columns = array.shape[:2]
    header = struct.pack(">IIBBBBB", columns, rows, 8, _PALETTE if indexed else _COLOR_TYPES[channels], 0, 0, 0)
    lines = np.zeros((rows, 1 + columns * channels), np.uint8)  # each begins with 0: no filter
    lines[:, 1:] = _plain(array, rows)
    chunks = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _plain(array: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(rows, -1)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
