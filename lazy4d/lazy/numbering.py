"""The numbers of scan positions as a parameter of kernels, so that they can say which frame they speak of."""

from __future__ import annotations

import math

import dask.array as da
import numpy as np

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
    shape = [sum(blocks) for blocks in chunks]
    total: da.Array = da.zeros((), dtype=np.int64)
    for axis, blocks in enumerate(chunks):
        steps = da.arange(shape[axis], chunks=(blocks,), dtype=np.int64) * math.prod(shape[axis + 1 :])
        total = total[..., None] + steps
    return PerPosition(total)
