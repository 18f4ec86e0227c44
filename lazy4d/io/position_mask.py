"""Positions of a scan chosen one by one: a bit each, and counts that find the n-th of them quickly."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES_PER_COUNT = 1024  # one running count per 8192 positions: small to send, quick to scan
_BITS_IN_BYTE = np.array([bin(value).count("1") for value in range(256)], np.int64)


@dataclass(frozen=True, eq=False)
class PackedMask:
    """Chosen positions of a flattened scan, one bit each, with running counts to find the n-th quickly.

    Parameters
    ----------
    bits : ndarray of uint8
        Positions in scan order, packed eight a byte, first position in the highest bit (`numpy.packbits`).
    before : ndarray of int64
        Chosen positions before each group of 8192; the last entry is their total.

    Examples
    --------
    >>> mask = PackedMask.from_bool(np.array([False, True, True, False, True]))
    >>> mask.count, mask.positions(1, 3).tolist()
    (3, [2, 4])
    """

    bits: NDArray[np.uint8]
    before: NDArray[np.int64]

    @classmethod
    def from_bool(cls, mask: NDArray[np.bool_]) -> PackedMask:
        """The packed form of a boolean array of any shape, flattened in C order."""
        bits = np.packbits(np.ravel(mask))
        starts = np.arange(0, bits.size, _BYTES_PER_COUNT)
        sums = np.add.reduceat(_BITS_IN_BYTE[bits], starts) if bits.size else np.zeros(0, np.int64)
        return cls(bits, np.concatenate([np.zeros(1, np.int64), np.cumsum(sums)]))

    @property
    def count(self) -> int:
        """Number of chosen positions."""
        return int(self.before[-1])

    @property
    def digest(self) -> str:
        """Hash of the chosen positions, the same in every process."""
        return hashlib.blake2b(self.bits.tobytes(), digest_size=16).hexdigest()

    def positions(self, start: int, stop: int) -> NDArray[np.int64]:
        """Flat positions of the chosen ones numbered ``[start, stop)``, ascending, int64."""
        if stop <= start:
            return np.zeros(0, np.int64)
        first = int(np.searchsorted(self.before, start, side="right")) - 1
        last = int(np.searchsorted(self.before, stop, side="left"))
        group = self.bits[first * _BYTES_PER_COUNT : last * _BYTES_PER_COUNT]
        found = np.flatnonzero(np.unpackbits(group)) + first * _BYTES_PER_COUNT * 8
        skipped = start - int(self.before[first])
        return found[skipped : skipped + stop - start].astype(np.int64, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled compressed: the mask of a region is a few hundred bytes."""
        return _unpack_mask, (zlib.compress(self.bits.tobytes(), 1), self.before)


def _unpack_mask(packed: bytes, before: NDArray[np.int64]) -> PackedMask:
    return PackedMask(np.frombuffer(zlib.decompress(packed), np.uint8), before)
