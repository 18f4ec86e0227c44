"""How well found positions agree with true ones: precision, recall, and how far the pairs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VectorScore:
    """How well found positions agree with true ones; made by `score_vectors`.

    Parameters
    ----------
    true, found, paired : int
        True positions that count, found ones that count, and pairs of these.
    errors : float64 array [paired, 2]
        Found less true, (y, x) in pixels.
    places : float64 array [paired, 2]
        The true positions of the pairs, (y, x) in pixels.
    frames : int64 array [paired]
        In which frame each pair is.
    """

    true: int
    found: int
    paired: int
    errors: Floats
    places: Floats
    frames: NDArray[np.int64]

    @property
    def precision(self) -> float:
        """The share of the found positions that is true; 1 where nothing was found."""
        return self.paired / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of the true positions that was found; 1 where there are none."""
        return self.paired / self.true if self.true else 1.0

    @property
    def rms(self) -> float:
        """Root mean square of the errors along one axis, pixels: over pairs and both axes; NaN without pairs."""
        return float(np.sqrt((self.errors**2).mean())) if self.paired else float("nan")

    @property
    def bias(self) -> tuple[float, float]:
        """Mean error (y, x), pixels; NaN without pairs."""
        if not self.paired:
            return float("nan"), float("nan")
        y, x = self.errors.mean(axis=0)
        return float(y), float(x)

    @property
    def largest(self) -> float:
        """Largest distance between the two of a pair, pixels; NaN without pairs."""
        return float(np.linalg.norm(self.errors, axis=1).max()) if self.paired else float("nan")


def score_vectors(
    found: Sequence[ArrayLike],
    true: Sequence[ArrayLike],
    *,
    within: float,
    counts: Sequence[ArrayLike] | None = None,
) -> VectorScore:
    """Precision, recall and errors of the positions found in some frames.

    Parameters
    ----------
    found : sequence of arrays [n, >= 2]
        Positions (y, x) found in each frame, pixels; further columns are ignored.
    true : sequence of arrays [m, >= 2]
        The true ones.
    within : float
        Farthest that a found position may be from a true one to be its pair, pixels.
    counts : sequence of bool arrays [m], optional
        Which true positions count. One that does not, a disk that is hardly visible, may be found or not: it is neither
        missing, nor is what is found there wrong, nor does its error enter. All count by default.

    Returns
    -------
    VectorScore
        Over all frames.

    Raises
    ------
    ValueError
        Different numbers of frames, or arrays of another shape.

    Notes
    -----
    Pairs are one to one and made frame by frame, the two nearest first (equal distances: the one listed first).

    Examples
    --------
    >>> score = score_vectors([[[4.0, 5.0], [9.0, 9.0]]], [[[4.0, 5.3], [20.0, 3.0]]], within=1)
    >>> score.precision, score.recall, score.errors.round(3).tolist()
    (0.5, 0.5, [[0.0, -0.3]])
    """
    if len(found) != len(true) or (counts is not None and len(counts) != len(true)):
        raise ValueError(
            f"expected one array a frame in found, true and counts, got {len(found)}, {len(true)} and "
            f"{'none' if counts is None else len(counts)}"
        )
    totals = np.zeros(3, np.int64)
    errors: list[Floats] = []
    places: list[Floats] = []
    numbers: list[NDArray[np.int64]] = []
    for number, (ours, theirs) in enumerate(zip(found, true, strict=True)):
        here, there = _positions(ours), _positions(theirs)
        counted = np.ones(len(there), bool) if counts is None else np.asarray(counts[number], bool)
        if counted.shape != (len(there),):
            raise ValueError(f"expected {len(there)} values in counts for frame {number}, got shape {counted.shape}")
        a, b = pair_positions(here, there, within)
        good = counted[b]
        totals += (counted.sum(), len(here) - (~good).sum(), good.sum())
        errors.append(here[a[good]] - there[b[good]])
        places.append(there[b[good]])
        numbers.append(np.full(int(good.sum()), number, np.int64))
    none = [np.zeros((0, 2))]
    return VectorScore(
        int(totals[0]),
        int(totals[1]),
        int(totals[2]),
        np.concatenate(none + errors),
        np.concatenate(none + places),
        np.concatenate([np.zeros(0, np.int64), *numbers]),
    )


def pair_positions(found: Floats, true: Floats, within: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the found and of the true positions that make pairs, one to one, the two nearest first.

    Parameters
    ----------
    found, true : ndarray of float64 [n, 2] and [m, 2]
        Positions (y, x) of one frame, pixels.
    within : float
        Farthest that two of a pair may be apart, pixels.

    Returns
    -------
    found, true : ndarrays of int64 [pairs]
        By distance.

    Examples
    --------
    >>> a, b = pair_positions(np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 1.2], [5.0, 5.0]]), 2)
    >>> a.tolist(), b.tolist()
    ([1], [0])
    """
    apart = np.linalg.norm(found[:, None] - true[None], axis=-1)
    i, j = np.nonzero(apart <= within)
    order = np.argsort(apart[i, j], kind="stable")
    free_i, free_j = np.ones(len(found), bool), np.ones(len(true), bool)
    pairs = []
    for a, b in zip(i[order].tolist(), j[order].tolist(), strict=True):
        if free_i[a] and free_j[b]:
            free_i[a] = free_j[b] = False
            pairs.append((a, b))
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _positions(given: Any) -> Floats:
    """The first two columns of an array [n, >= 2]; an empty one of any shape has none."""
    array = np.asarray(given, np.float64)
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"expected positions as an array [n, >= 2] = (y, x, ...), got one of shape {array.shape}")
    return np.ascontiguousarray(array[:, :2])
