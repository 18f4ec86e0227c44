"""Whether data in memory are still what they were when they were looked at; users change them in place."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 32 * 2**20
"""Arrays of up to so many bytes are looked at throughout, of larger ones as many are sampled: some of each frame."""

PIECE = 4096
"""Bytes of a sample."""

MAPPED_PIECES = 64
"""Samples of a file that is mapped and may be written to: each may cost a wait for the disk."""


def fingerprint(signal: Any) -> tuple[int, ...] | None:
    """What tells the values of a signal in memory from others of a moment ago; None where no array is in memory.

    Signals that are made from one array without a copy, such as crops of it, have one fingerprint.

    Examples
    --------
    >>> signal = type(d)(np.zeros((2, 2, 4, 4)))
    >>> before = fingerprint(signal)
    >>> signal.data[1, 1] = 5
    >>> fingerprint(signal) == before, fingerprint(signal.isig[1:3, 1:3]) == before
    (False, False)
    """
    content = signal._content
    array = content if isinstance(content, np.ndarray) else getattr(getattr(content, "source", None), "plain", None)
    if array is None:
        return None
    mapped = isinstance(array, np.memmap)
    while isinstance(array.base, np.ndarray):
        array = array.base
        mapped |= isinstance(array, np.memmap)
    place = array.__array_interface__["data"][0], array.nbytes
    if mapped and not array.flags.writeable:
        return place
    return *place, _checksum(array, MAPPED_PIECES if mapped else MOST_BYTES // PIECE)


def _checksum(array: NDArray[Any], pieces: int) -> int:
    """Of all bytes, or of as many samples spread over them."""
    if array.dtype.hasobject:
        return 0
    flat = array.ravel(order="K").view(np.uint8)  # no copy of what owns its memory
    if flat.size <= pieces * PIECE:
        return zlib.crc32(flat.data)
    found = 0
    for start in np.linspace(0, flat.size - PIECE, pieces).astype(np.int64):
        found = zlib.crc32(flat[start : start + PIECE].data, found)
    return found
