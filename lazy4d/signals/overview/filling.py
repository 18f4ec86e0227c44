"""An image of which a part is known, shown whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BAND = 1024
"""Rows that are summed at once; squares of a larger image begin with sides of 4, which no screen shows."""

SPARSE = 16
"""Of so many positions fewer than one is known: then it is the known ones that are gone through."""


def filled(image: NDArray[Any], known: NDArray[np.bool_], dtype: Any = np.float64) -> NDArray[Any]:
    """The image with what is not known filled in from what is known around it.

    A position takes the mean of the known ones in the smallest square around it, of sides 2, 4, 8 …, that has any: in
    plain numpy, because nobody wants to wait for a compiler before the first picture.

    Parameters
    ----------
    image : ndarray of float64 [..., ny, nx]
        Values; of known positions some may be NaN, which stay so and fill nothing.
    known : ndarray of bool [..., ny, nx]
        Where the value is known.
    dtype : dtype, optional
        Of the result; float32 takes half of the memory, which counts where there are millions of positions.

    Returns
    -------
    ndarray of floats
        Of the same shape. An image of a series of which nothing is known takes the mean of all; NaN throughout where
        there is nothing at all.

    Examples
    --------
    >>> filled(np.array([[1.0, 0, 0, 4]]), np.array([[True, False, False, True]]))
    array([[1., 1., 4., 4.]])
    """
    out: NDArray[Any] = image.astype(dtype, order="C")
    fill(out, known)
    return out


def fill(image: NDArray[Any], known: NDArray[np.bool_]) -> None:
    """Do what `filled` does in the image itself, C-contiguous floats; what is not known may hold anything.

    Examples
    --------
    >>> image = np.array([[1.0, 0, 0, 4]])
    >>> fill(image, image > 0)
    >>> image
    array([[1., 1., 4., 4.]])
    """
    if not image.size or known.all():
        return
    shape = image.shape
    plane = (1, shape[0]) if len(shape) == 1 else shape[-2:] or (1, 1)
    usable = np.isnan(image)
    np.logical_not(usable, out=usable)
    usable &= known
    some = np.count_nonzero(usable)
    everything = float(image.sum(where=usable, dtype=np.float64)) / some if some else math.nan
    planes = (math.prod(shape) // math.prod(plane), *plane)
    each = zip(image.reshape(planes), usable.reshape(planes), known.reshape(planes), strict=True)
    for values, marks, kept in each:
        _fill_plane(values, marks, kept, everything)


def _fill_plane(values: NDArray[Any], marks: NDArray[np.bool_], kept: NDArray[np.bool_], otherwise: float) -> None:
    """One image: sums over larger and larger squares, and back from the largest to the smallest.

    Where little is known the smallest squares are larger: nothing of the size of the image is held beside it.
    """
    ny, nx = values.shape
    some = int(np.count_nonzero(marks))
    if SPARSE * some < marks.size:
        side = 2 ** max(1, int(math.log2(math.sqrt(marks.size / max(1, some)))))
        shape = -(-ny // side), -(-nx // side)
        y, x = np.nonzero(marks)
        cells = y // side * shape[1] + x // side
        total = np.bincount(cells, values[y, x], math.prod(shape)).astype(np.float64).reshape(shape)
        count = np.bincount(cells, minlength=math.prod(shape)).astype(np.float64).reshape(shape)
    else:
        side = 2
        bands = [slice(row, row + BAND) for row in range(0, ny, BAND)]
        total = np.concatenate([_fours(values[rows], marks[rows], values.dtype) for rows in bands])
        count = np.concatenate([_fours(marks[rows], marks[rows], values.dtype) for rows in bands])
        if marks.size > BAND**2:
            side, total, count = 4, _fours(total, None, values.dtype), _fours(count, None, values.dtype)
    levels = [(total, count)]
    while levels[-1][0].size > 1:
        levels.append((_fours(levels[-1][0]), _fours(levels[-1][1])))
    found = np.full((1, 1), otherwise)
    for total, count in reversed(levels):
        found = _spread(found, 2, np.empty(total.shape, total.dtype)) if found.shape != total.shape else found
        np.divide(total, count, out=found, where=count > 0)
    _spread(found, side, values, kept)


def _fours(values: NDArray[Any], where: NDArray[np.bool_] | None = None, dtype: Any = np.float64) -> NDArray[Any]:
    """Sums of squares of four; at the far edges of what there is."""
    ny, nx = values.shape
    sums = np.zeros((-(-ny // 2), -(-nx // 2)), dtype)
    for y in range(2):
        for x in range(2):
            part = values[y::2, x::2]
            target = sums[: part.shape[0], : part.shape[1]]
            add = True if where is None else where[y::2, x::2]
            np.add(target, part, out=target, where=add, casting="same_kind")
    return sums


def _spread(values: NDArray[Any], side: int, out: NDArray[Any], kept: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Each value given to the square of pixels that it stands for, but for those that are kept as they are."""
    for row, line in enumerate(values):
        rows = slice(row * side, (row + 1) * side)
        wanted: Any = True if kept is None else ~kept[rows]
        np.copyto(out[rows], np.repeat(line, side)[: out.shape[1]], where=wanted, casting="same_kind")
    return out
