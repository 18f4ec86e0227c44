"""In which order positions and blocks are looked at, so that what is known is spread over the scan at any time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

FIRST = 8
"""Positions along the two last axes in the first, coarsest grid."""


def spread_out(count: int) -> list[int]:
    """0 to ``count - 1`` in an order in which any first few are spread over all: bits reversed.

    Examples
    --------
    >>> spread_out(6)
    [0, 4, 2, 1, 5, 3]
    """
    bits = max(1, (count - 1).bit_length())
    numbers = np.arange(1 << bits)
    reversed_ = np.zeros_like(numbers)
    for k in range(bits):
        reversed_ |= ((numbers >> k) & 1) << (bits - 1 - k)
    return [int(n) for n in reversed_ if n < count]


def sample_positions(nav_shape: Sequence[int], most: int = 4096) -> Iterator[tuple[int, ...]]:
    """Positions of finer and finer grids over the scan, each once, at most about `most`.

    Parameters
    ----------
    nav_shape : sequence of int
        Positions along each navigation axis.
    most : int
        No grid of more positions is begun.

    Examples
    --------
    >>> list(sample_positions((1, 4)))
    [(0, 0), (0, 2), (0, 1), (0, 3)]
    """
    shape = tuple(nav_shape)
    seen: set[tuple[int, ...]] = set()
    along = FIRST if len(shape) < 3 else max(2, FIRST // 2)
    while True:
        counts = [min(n, along) for n in shape]
        if math.prod(counts) > most and seen:
            return
        lines = [[(2 * k + 1) * n // (2 * c) for k in spread_out(c)] for n, c in zip(shape, counts, strict=True)]
        for index in sorted(np.ndindex(*counts), key=lambda index: (max(index, default=0), sum(index))):
            position = tuple(line[k] for line, k in zip(lines, index, strict=True))
            if position not in seen:
                seen.add(position)
                yield position
        if counts == list(shape):
            return
        along *= 2
