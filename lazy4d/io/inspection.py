"""What the headers of many records say, as checks find it and an audit counts it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Inspection:
    """What many headers say.

    Parameters
    ----------
    readable : ndarray of bool, shape (n,)
        The header is there, and so is its frame number.
    same : ndarray of bool, shape (n,)
        It states the geometry of the first frame.
    numbers : ndarray of int64, shape (n,)
        Frame numbers as written, −1 where unreadable; 0 everywhere where a format has none.
    wraps : ndarray of int64, shape (n,)
        Where such a number starts again; 1 where a format has none.
    """

    readable: NDArray[np.bool_]
    same: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    wraps: NDArray[np.int64]
