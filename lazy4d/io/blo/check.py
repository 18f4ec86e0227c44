"""The six bytes before every pattern of a block file: a mark and the number of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.blo.header import FRAME_HEAD, FRAME_MARK
from lazy4d.io.inspection import Inspection


@dataclass(frozen=True)
class FrameHeadCheck:
    """A pattern begins with the mark and, where numbers are trusted, the number of its frame.

    Parameters
    ----------
    first : int
        Number before the first pattern of the file.
    count : bool
        Compare numbers; otherwise only the mark.

    Examples
    --------
    >>> heads = np.frombuffer(bytes.fromhex("aa5500000000 aa5502000000 ff5502000000"), np.uint8).reshape(3, 6)
    >>> FrameHeadCheck(0).verify(heads, np.arange(3)).tolist()
    [True, False, False]
    """

    first: int
    count: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes that are looked at, from the start of a record."""
        return FRAME_HEAD

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of ``heads[n, 6]`` says."""
        plain = np.ascontiguousarray(heads)
        marked = (plain[:, 0] == FRAME_MARK[0]) & (plain[:, 1] == FRAME_MARK[1])
        numbers = plain[:, 2:].copy().view("<u4")[:, 0].astype(np.int64)
        wraps = np.full(len(plain), 1 << 32, np.int64)
        return Inspection(marked, marked, np.where(marked, numbers, -1), wraps)

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each of ``heads[n, 6]`` that stands before frame ``numbers[n]``."""
        found = self.inspect(heads)
        return found.same & (found.numbers == numbers + self.first) if self.count else found.same

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found before one pattern that failed."""
        if not head.startswith(FRAME_MARK):
            return f"expected the mark {FRAME_MARK.hex(' ')} before its pixels, found {head[:2].hex(' ')}"
        found = int.from_bytes(head[2:FRAME_HEAD], "little")
        return f"frame numbers jump, expected number {number + self.first}, found {found}"
