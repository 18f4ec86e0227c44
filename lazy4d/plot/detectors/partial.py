"""Results that are known in part: exact values where they were computed, and what to show where they were not."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.overview.filling import filled


@dataclass
class PartialImage:
    """A virtual image while it is computed; each position is written once, `known` after `values`.

    Parameters
    ----------
    values : ndarray [nav...]
        Exact where known.
    known : bool ndarray [nav...]
        Which are.

    Examples
    --------
    >>> image = PartialImage.empty((2, 2), np.dtype("uint64"))
    >>> image.put((slice(0, 1), slice(0, 2)), np.array([[3, 4]], "uint64"))
    >>> image.shown()
    array([[3. , 4. ],
           [3.5, 3.5]])
    >>> image.share, image.complete
    (0.5, False)
    """

    values: NDArray[Any]
    known: NDArray[np.bool_]
    _count: int = field(default=0)
    _lock: Any = field(default_factory=Lock, repr=False)

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: np.dtype[Any]) -> PartialImage:
        """Nothing is known yet."""
        return cls(np.zeros(shape, dtype), np.zeros(shape, np.bool_))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.values.nbytes + self.known.nbytes

    @property
    def share(self) -> float:
        """Share of the positions that is known, 0 to 1."""
        return self._count / max(1, self.known.size)

    @property
    def complete(self) -> bool:
        """Whether all is known."""
        return self._count == self.known.size

    def put(self, box: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write the exact values of a box of positions; from any thread, also twice."""
        with self._lock:
            self.values[box] = values
            self._count += int(np.count_nonzero(~self.known[box]))
            self.known[box] = True

    def shown(self, rough: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """A picture of what is known: rough values where exact ones are not, and those around where none are.

        Parameters
        ----------
        rough : float64 ndarray [nav...], optional
            Approximate values of all positions.

        Returns
        -------
        ndarray of float64 [nav...]
            NaN where nothing at all is known.
        """
        if self.complete:
            return self.values.astype(np.float64)
        if rough is not None:
            return np.where(self.known, self.values, rough) if self._count else rough
        if not self._count:
            return np.full(self.values.shape, np.nan)
        return filled(np.where(self.known, self.values, np.nan), self.known)


class RecentResults:
    """The results asked for last, by what they are results of, within a number of bytes.

    Parameters
    ----------
    most_bytes : int
        The oldest are forgotten beyond that; the latest one is always kept.

    Examples
    --------
    >>> recent = RecentResults(100)
    >>> recent["a"] = PartialImage.empty((8,), np.dtype("u8"))
    >>> recent["b"] = PartialImage.empty((8,), np.dtype("u8"))
    >>> recent.get("a") is None, recent.get("b") is None
    (True, False)
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Any:
        """The result, or None."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def __setitem__(self, key: str, result: Any) -> None:
        with self._lock:
            self._kept[key] = result
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self._most:
                self._kept.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            return sum(one.nbytes for one in self._kept.values())
