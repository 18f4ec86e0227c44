"""The numbers of scan positions as a parameter of kernels, so that they can say which frame they speak of."""

from __future__ import annotations

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.chunks import bounds
from lazy4d.lazy.stage import PerPosition


def position_numbers(chunks: tuple[tuple[int, ...], ...]) -> PerPosition:
    """The number of every scan position in C order, symbolically: a kernel sees int64 ``[n]``.

    Parameters
    ----------
    chunks : tuple of tuple of int
        Positions a block, for each navigation axis.

    Examples
    --------
    >>> position_numbers(((2, 1), (2,))).array.compute().tolist()
    [[0, 1], [2, 3], [4, 5]]
    """
    if not chunks:
        return PerPosition(da.zeros((), dtype=np.int64))
    limits = tuple(bounds(blocks) for blocks in chunks)
    meta = np.empty((0,) * len(chunks), np.int64)
    return PerPosition(da.map_blocks(numbers_of_block, limits=limits, chunks=chunks, dtype=np.int64, meta=meta))


def numbers_of_block(
    limits: tuple[NDArray[np.int64], ...], block_id: tuple[int, ...] | None = None
) -> NDArray[np.int64]:
    """The numbers of the positions of one block; `limits` are where blocks start, with the end last, on each axis."""
    block = (0,) * len(limits) if block_id is None else block_id
    places = np.ix_(*(np.arange(one[i], one[i + 1]) for one, i in zip(limits, block, strict=True)))
    return np.asarray(np.ravel_multi_index(places, [int(one[-1]) for one in limits]), np.int64)
