"""Frames kept for a viewer, and which ones it is likely to be asked for next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from lazy4d.lazy.bounded_cache import BoundedCache

Position = tuple[int, ...]

AHEAD = 4
"""Frames fetched ahead in the direction of travel."""


class FrameCache:
    """Frames by their position, of at most so many bytes: those looked at longest ago make room.

    Parameters
    ----------
    nbytes : int
        Bytes of all frames together.

    Examples
    --------
    >>> cache = FrameCache(1000)
    >>> cache.put((0, 1), (np.zeros((4, 4)), True))
    True
    >>> (0, 1) in cache, cache.nbytes
    (True, 128)
    """

    def __init__(self, nbytes: int) -> None:
        self._kept = BoundedCache(nbytes)

    @property
    def limit(self) -> int:
        """Bytes of frames that are kept at most."""
        return self._kept.limit

    @property
    def nbytes(self) -> int:
        """Bytes of all frames that are kept."""
        return self._kept.nbytes

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, position: Position) -> bool:
        return position in self._kept

    def get(self, position: Position) -> tuple[NDArray[Any], bool] | None:
        """The frame of a position and whether it is undamaged; None where it is not kept."""
        found: tuple[NDArray[Any], bool] | None = self._kept.get(position)
        return found

    def put(self, position: Position, frame: tuple[NDArray[Any], bool]) -> bool:
        """Keep a frame; False where it alone is more than the cache holds."""
        return self._kept.put(position, frame, frame[0].nbytes)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


def likely_next(position: Position, travel: Sequence[int], shape: Sequence[int], count: int = AHEAD) -> list[Position]:
    """The positions that a viewer is likely to be asked for next, the likeliest first.

    Parameters
    ----------
    position : tuple of int
        Where it stands.
    travel : sequence of int
        The last step, along each axis.
    shape : sequence of int
        Positions along each axis, in the same order.
    count : int, optional
        How many steps of the same kind to look ahead.

    Returns
    -------
    list of tuple of int
        On along the way; then, after a step of one along one axis, the same way back and the neighbours aside. Nothing
        before the first step.

    Examples
    --------
    >>> likely_next((5, 2), (1, 0), (8, 8), count=2)
    [(6, 2), (7, 2), (4, 2), (5, 3), (5, 1)]
    """
    if not any(travel):
        return []
    found: list[Position] = []

    def add(step: Sequence[int]) -> None:
        there = tuple(p + s for p, s in zip(position, step, strict=True))
        if all(0 <= t < n for t, n in zip(there, shape, strict=True)) and there not in found:
            found.append(there)

    for ahead in range(1, count + 1):
        add([ahead * t for t in travel])
    if sum(abs(t) for t in travel) == 1:
        add([-t for t in travel])
        for axis in range(len(travel)):
            if not travel[axis] and axis < 2:
                add([int(k == axis) for k in range(len(travel))])
                add([-int(k == axis) for k in range(len(travel))])
    return found
