"""Lines of a serpentine scan, every second one of which was scanned backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Turns:
    """Rows of a serpentine scan that run backwards: every second one.

    In such a row the position at column index j has the number ``turn - 2 * j * stride`` above the one that the strides
    give.

    Parameters
    ----------
    row_axis : int
        Axis along which every second entry runs backwards.
    column_axis : int or None
        Axis that is run through in turn; None where only one of its positions is left.
    turn : int
        Difference at index 0 of the column axis between a row that runs backwards and one that does not.
    odd : int
        1 when row 0 runs backwards, else 0.
    every : int
        0 when all rows run the same way, as after taking every second one, else 1.
    """

    row_axis: int
    column_axis: int | None
    turn: int
    odd: int = 0
    every: int = 1

    def added(self, row: NDArray[np.int64], column: NDArray[np.int64] | int, stride: int) -> NDArray[np.int64]:
        """What is to be added to the number of positions at `row` and `column` of a map with `stride` along columns."""
        return ((self.odd + row * self.every) & 1) * (self.turn - 2 * stride * column)
