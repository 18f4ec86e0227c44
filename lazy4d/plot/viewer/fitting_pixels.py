"""Pictures with more pixels than a screen shows, made smaller before they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 1024
"""Along a side of a picture that is drawn; of more, groups are averaged."""


def fit_pixels(values: NDArray[Any], most: int = MOST_PIXELS) -> tuple[NDArray[Any], tuple[int, int]]:
    """An image of at most twice `most` rows and columns, and how many rows and columns became one.

    Pixels are averaged in groups, as high and as wide as either side needs; those at the far ends may be smaller. What
    is not a number does not count.

    Parameters
    ----------
    values : ndarray [rows, columns] or [rows, columns, n]
        Not changed.
    most : int
        Rows or columns that are enough.

    Examples
    --------
    >>> small, factors = fit_pixels(np.ones((4096, 4096), "uint16"))
    >>> small.shape, small.dtype, factors
    ((1024, 1024), dtype('float32'), (4, 4))
    >>> fit_pixels(np.ones((5, 3001)))[0].shape
    (5, 1501)
    """
    factors = max(1, values.shape[0] // most), max(1, values.shape[1] // most)
    if factors == (1, 1):
        return values, factors
    rows, columns = (_parts(n, factor) for n, factor in zip(values.shape, factors, strict=False))
    parts = [np.concatenate([_averages(values[y, x], high, wide) for x, wide in columns], 1) for y, high in rows]
    return np.concatenate(parts), factors


def _parts(n: int, factor: int) -> list[tuple[slice, int]]:
    """The pixels that make whole groups, and those that are left, each with the size of its groups."""
    whole = n // factor * factor
    return [(slice(0, whole), factor)] + ([(slice(whole, n), n - whole)] if whole < n else [])


def _averages(values: NDArray[Any], high: int, wide: int) -> NDArray[Any]:
    """The mean of each group of so many rows and columns."""
    rows, columns = values.shape[:2]
    groups = values.reshape(rows // high, high, columns // wide, wide, *values.shape[2:])
    if values.dtype.kind != "f":
        return np.asarray(groups.mean((1, 3), dtype=np.float32))
    with np.errstate(invalid="ignore"):  # of infinities of both signs
        small = np.asarray(groups.mean((1, 3)))
    if np.isfinite(small).all():
        return small
    known = np.isfinite(groups)
    count = known.sum((1, 3))
    total = np.where(known, groups, 0).sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
