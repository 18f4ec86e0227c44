"""The counter before each frame of a TVIPS stream, where it counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.inspection import Inspection
from lazy4d.io.tvips.header import counters


@dataclass(frozen=True)
class CounterCheck:
    """A frame begins with its number.

    Parameters
    ----------
    first : int
        Number before the first frame of the stream.
    count : bool
        Verify; otherwise numbers are only read.

    Examples
    --------
    >>> heads = np.array([[9, 0, 0, 0], [11, 0, 0, 0]], np.uint8)
    >>> CounterCheck(9).verify(heads, np.arange(2)).tolist()
    [True, False]
    """

    first: int
    count: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes that are looked at, from the start of a record."""
        return 4

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of ``heads[n, 4]`` says."""
        every = np.ones(len(heads), bool)
        return Inspection(every, every, counters(heads), np.full(len(heads), 1 << 32, np.int64))

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each of ``heads[n, 4]`` that is the number of frame ``numbers[n]``."""
        if not self.count:
            return np.ones(len(heads), bool)
        return counters(heads) == (numbers + self.first) % (1 << 32)

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found before one frame that failed."""
        found = int.from_bytes(head[:4], "little")
        return f"frame counters jump, expected {(number + self.first) % (1 << 32)}, found {found}"
