"""The distance within which vectors of many frames are one disk, found from the vectors themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.clustering_density import binned, dbscan
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane

SAMPLE = 20_000
"""Vectors from which eps is found."""
HALVINGS = 13
"""Steps of √2 down from half of the distance between disks."""
TOLERATED = 1.05
"""Change in the number of clusters over which it counts as the same."""
CELLS = 8
DOUBLED = 3.0
"""Jump, from one percentile of the distances between vectors of a frame to the next, that sets doubled ones apart."""

Floats = NDArray[np.float64]


def automatic_eps(
    ragged: RaggedFrames, plane: DiffractionPlane, frame_shape: tuple[int, ...], min_samples: int | None
) -> float:
    """The distance in units of `plane` at which the number of clusters depends least on it.

    Raises
    ------
    ValueError
        There are no vectors, or the number of clusters tells nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [np.array([[4, 4], [4, 12]]) + rng.normal(0, 0.1, (2, 2)) for _ in range(50)]
    >>> 0.3 < automatic_eps(RaggedFrames.from_frames(rows), DiffractionPlane(), (8, 16), None) < 4
    True
    """
    places = np.stack(plane.offsets(ragged), axis=1)
    finite = np.isfinite(places).all(axis=1)
    points = places[finite]
    if len(points) < 2:
        raise ValueError(f"expected vectors to find eps from, found {len(points)}: give eps")
    farthest = disk_spacing(places[:, 0], places[:, 1], ragged) / 2
    if not farthest > 0:
        farthest = float(np.hypot(*np.ptp(points, axis=0))) / 8
    if not farthest > 0:
        return plane.pixel
    sample = points[np.linspace(0, len(points) - 1, min(len(points), SAMPLE)).astype(np.int64)]
    width = plane.pixel * math.sqrt(math.prod(frame_shape))
    lengths = farthest * 2.0 ** (-np.arange(HALVINGS) / 2)
    numbers = np.array([_clusters(sample / length, width / length, min_samples) for length in lengths])
    found = steadiest(numbers)
    if found is None:
        raise ValueError(
            f"no distance from {lengths[-1]:g} to {lengths[0]:g} {plane.units} makes clusters of these {len(points)} "
            "vectors: give eps, or a lower min_samples"
        )
    return float(math.sqrt(lengths[found[0]] * lengths[found[1]]))


def disk_spacing(y: Floats, x: Floats, ragged: RaggedFrames) -> float:
    """The first percentile of the distance from each vector to the nearest other one of its frame; NaN without any.

    Where the percentiles up to the median jump threefold, what is nearer are disks that were found twice: then that is
    it from where they jump.

    Examples
    --------
    >>> ragged = RaggedFrames.from_counts([2, 1], {"ky": [0.0, 3, 9]})
    >>> disk_spacing(ragged["ky"], np.zeros(3), ragged)
    3.0
    """
    from scipy.spatial import cKDTree

    # Frames are set apart along a third axis, so that one tree serves all; enough of them say what there is to say.
    known = np.isfinite(y) & np.isfinite(x)
    picked = np.flatnonzero(known)
    if len(picked) > 10 * SAMPLE:
        frames = np.linspace(0, ragged.n_frames - 1, max(1, ragged.n_frames * 10 * SAMPLE // len(picked)))
        chosen = np.zeros(ragged.n_frames, bool)
        chosen[frames.astype(np.int64)] = True
        picked = picked[np.repeat(chosen, ragged.counts)[picked]]
    if len(picked) < 2:
        return math.nan
    apart = 4 * (np.ptp(y[picked]) + np.ptp(x[picked]) + 1)
    points = np.stack([y[picked], x[picked], apart * ragged.frame_numbers()[picked]], axis=1)
    distance = cKDTree(points).query(points, k=2)[0][:, 1]
    distance = distance[distance < apart / 2]
    if not distance.size:
        return math.nan
    found = np.percentile(distance, np.arange(1, 51))
    jumps = np.flatnonzero(found[1:] > DOUBLED * found[:-1])
    return float(found[jumps[-1] + 1 if jumps.size else 0])


def enough_vectors(number: int, extents: Sequence[float]) -> int:
    """Vectors within 1 that make a core: 5, or twice what an even spread over a box of `extents` would put there.

    Examples
    --------
    >>> enough_vectors(1000, (10.0, 10.0)), enough_vectors(10, (10.0, 10.0))
    (63, 5)
    """
    dimensions = len(extents)
    ball = math.pi ** (dimensions / 2) / math.gamma(dimensions / 2 + 1)
    volume = math.prod(max(extent, 2.0) for extent in extents)
    return max(5, math.ceil(2 * number * ball / volume))


def steadiest(numbers: NDArray[np.int64]) -> tuple[int, int] | None:
    """First and last of the run of numbers, none 0, that change least.

    That is the longest run of at least three that differ by less than 5 %, of several the first; or, where there is
    none, those three in a row that differ by the smallest factor.

    Examples
    --------
    >>> steadiest(np.array([1, 2, 25, 25, 25, 40, 0])), steadiest(np.array([5, 9, 14, 17, 19, 30]))
    ((2, 4), (2, 4))
    """
    best: tuple[int, int] | None = None
    for first in range(len(numbers)):
        for last in range(first, len(numbers)):
            part = numbers[first : last + 1]
            if part.min() < 1 or part.max() > TOLERATED * part.min():
                break
            if best is None or last - first > best[1] - best[0]:
                best = first, last
    if best is None or best[1] - best[0] >= 2:
        return best
    windows = [numbers[k : k + 3] for k in range(len(numbers) - 2)]
    changes = [part.max() / part.min() if part.min() > 0 else np.inf for part in windows]
    least = int(np.argmin(changes))
    return (least, least + 2) if np.isfinite(changes[least]) else best


def _clusters(points: Floats, width: float, min_samples: int | None) -> int:
    """Number of clusters of vectors of a square frame of `width`, of which neighbours are at most 1 apart."""
    _, places, weights = binned(points, 1.0 / CELLS)
    enough = enough_vectors(len(points), (width, width)) if min_samples is None else min_samples
    labels = dbscan(places, weights, enough)
    return len(np.unique(labels[labels >= 0]))
