"""A few rows put back where they belong among all positions of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scatter_rows(
    frames: NDArray[np.int64], rows: NDArray[Any], numbers: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """Fill `out` with the rows that belong to some positions, nan where there is none.

    Parameters
    ----------
    frames : int64 ndarray [n]
        Numbers of the positions in the scan.
    rows : ndarray [k, m]
        What is known at k positions of the scan.
    numbers : int64 ndarray [k]
        Which these are, ascending.
    out : float64 ndarray [n, m]
        Filled.

    Examples
    --------
    >>> out = np.empty((3, 1))
    >>> scatter_rows(np.array([4, 5, 6]), np.array([[0.5], [1.5]]), np.array([2, 6]), out)
    >>> out[:, 0]
    array([nan, nan, 1.5])
    """
    at = np.minimum(np.searchsorted(numbers, frames), len(numbers) - 1)
    out[...] = np.where((numbers[at] == frames)[:, None], rows[at], np.nan)
