"""Where an HDF5 file keeps text of any length: bytes that tests leave as they are.

HDF5 follows the sizes in these heaps without looking: a wrong one may keep it running for ever inside the library,
where no program that calls it can do anything about it.
"""

from __future__ import annotations

import struct

_HEAD = b"GCOL"


def heaps(content: bytes) -> list[tuple[int, int]]:
    """First byte and end of every global heap."""
    found, at = [], content.find(_HEAD)
    while at >= 0:
        (size,) = struct.unpack_from("<Q", content, at + 8)
        found.append((at, at + size))
        at = content.find(_HEAD, at + size)
    return found


def outside_heaps(content: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """The parts of bytes [start, stop) that are in no heap."""
    parts = []
    for first, end in heaps(content):
        if start < first < stop:
            parts.append((start, first))
        start = max(start, end) if first < stop and end > start else start
    return [*parts, (start, stop)] if start < stop else parts
