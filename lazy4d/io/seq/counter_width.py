"""Where the frame numbers in the pixels of a Celeritas start again, told by a sample of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.seq.counter import LOOKED_AT, Half, counters, least_modulus

_SAMPLES = 16
_AT_END = 8
_GOLDEN = (5**0.5 - 1) / 2
_FALLS = 64  # a number so much lower than one before it started again
_WIDE = (1 << 16, 1 << 32)


def counter_modulus(halves: Sequence[Half]) -> int:
    """Where counters of both halves of a recording start again.

    That is 4096 unless a larger number is found whose neighbour continues it, so that one overwritten pixel does not
    decide. It is 65536 then, or the power of two at which they are seen to start again. (4096 or 65536 are what
    cameras are supposed to have; no file has shown it.)

    Parameters
    ----------
    halves : sequence of Half
        Halves whose pixels count frames.

    Returns
    -------
    int
        A power of two, 256 for pixels of 8 bits.
    """
    least = min(least_modulus(half.file.header.dtype) for half in halves)
    top, again = 0, False
    for half in halves:
        numbers, following = _pairs(half)
        seen = following[following == numbers + 1]
        # The last number before a start, 65535 and then 0, may be the only large one.
        ends = numbers[(following == 0) & (numbers >= least) & (numbers & (numbers + 1) == 0)]
        top = max(top, int(seen.max(initial=0)), int(ends.max(initial=0)))
        again = again or bool(ends.size) or bool((np.diff(seen) < -_FALLS).any())
    if top < least:
        return least
    return 1 << top.bit_length() if again else next(wide for wide in _WIDE if top < wide)


def _pairs(half: Half) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of half-frames, in the order of the file, and of the one behind each: the first, the last and others."""
    last = half.found - 1
    # Not evenly spread, which could fall on the same few numbers again and again.
    spread = (np.arange(1, _SAMPLES + 1) * _GOLDEN % 1 * max(last, 0)).astype(np.int64)
    chosen = np.concatenate([np.arange(LOOKED_AT), spread, np.arange(last - _AT_END, last)])
    records = np.unique(chosen[(chosen >= 0) & (chosen < last)]).astype(np.int64)
    values = counters(half.file, half.layout, np.concatenate([records, records + 1]))
    return values[: records.size], values[records.size :]
