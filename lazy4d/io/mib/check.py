"""Many MIB headers at once: magic, frame number and geometry of each, without a Python loop over frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.inspection import Inspection
from lazy4d.io.mib.header import MAGIC, PREFIX, PREFIX_BYTES, MibHeader

_MOST_DIGITS = 12
_COMMA = ord(",")


@dataclass(frozen=True)
class HeaderCheck:
    """What every header of a file must say, compared for a whole tile of frames at once.

    Parameters
    ----------
    prefix_bytes : int
        15 when every header has an ``MPX`` prefix, else 0.
    fixed : bytes
        Items 2 to 8 of the first header.
    first : int
        Number written in the header of frame 0.
    count : bool
        Compare frame numbers; a six-digit number starts again at 000000 after 999999 or grows a digit: both are
        accepted.
    """

    prefix_bytes: int
    fixed: bytes
    first: int
    count: bool = True

    @classmethod
    def like(cls, header: MibHeader, *, count: bool = True) -> HeaderCheck:
        """The check that frames after one with this header pass."""
        return cls(header.prefix_bytes, header.fixed_part, header.frame_number, count)

    @property
    def nbytes(self) -> int:
        """Bytes of a record that are looked at."""
        return self.prefix_bytes + len(MAGIC) + _MOST_DIGITS + 1 + len(self.fixed)

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of the headers ``heads[n, nbytes]`` says."""
        n = len(heads)
        numbers = np.full(n, -1, np.int64)
        wraps = np.ones(n, np.int64)
        same = np.zeros(n, bool)
        readable = (heads[:, self.prefix_bytes : self.prefix_bytes + 4] == np.frombuffer(MAGIC, np.uint8)).all(axis=1)
        if self.prefix_bytes:
            readable &= (heads[:, :4] == np.frombuffer(PREFIX, np.uint8)).all(axis=1)
            readable &= heads[:, PREFIX_BYTES - 1] == _COMMA
        begin = self.prefix_bytes + len(MAGIC)
        commas = heads[:, begin : begin + _MOST_DIGITS + 1] == _COMMA
        width = np.where(commas.any(axis=1), commas.argmax(axis=1), 0)
        readable &= width > 0
        fixed = np.frombuffer(self.fixed, np.uint8)
        for digits in np.unique(width[readable]).tolist():
            rows = np.flatnonzero(readable & (width == digits))
            text = heads[rows, begin : begin + digits].astype(np.int64) - ord("0")
            good = ((text >= 0) & (text <= 9)).all(axis=1)
            value = text @ (10 ** np.arange(digits - 1, -1, -1, dtype=np.int64))
            numbers[rows] = np.where(good, value, -1)
            wraps[rows] = 10**digits
            readable[rows] = good
            after = begin + digits + 1
            same[rows] = (heads[rows, after : after + fixed.size] == fixed).all(axis=1)
        return Inspection(readable, same & readable, numbers, wraps)

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each header of ``heads[n, nbytes]`` that is whole, alike and numbered as frame ``numbers[n]``."""
        found = self.inspect(heads)
        if not self.count:
            return found.same
        difference = found.numbers - (numbers + self.first)
        return found.same & ((difference == 0) | ((difference < 0) & (difference % found.wraps == 0)))

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found in one header that failed."""
        found = self.inspect(np.frombuffer(head.ljust(self.nbytes, b"\0"), np.uint8)[None, : self.nbytes])
        begin = self.prefix_bytes
        if not found.readable[0]:
            expected = (MAGIC + b"%06d," % (number + self.first)).decode()
            return f"no MIB header there, expected {expected!r}, found {head[begin : begin + 11]!r}"
        if not found.same[0]:
            after = head[begin:].split(b",", 2)[-1][: len(self.fixed)]
            return (
                "its header length, chips, width, height, pixel code, layout or chip mask changed, expected "
                f"{self.fixed.decode('latin-1')!r}, found {after.decode('latin-1')!r}"
            )
        return f"frame numbers jump, expected number {number + self.first}, found {int(found.numbers[0])}"
