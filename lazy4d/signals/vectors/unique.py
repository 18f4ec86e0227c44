"""The different vectors that occur in a scan, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import AxesManager
from lazy4d.kernels.gathering import gathering_places
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import plane_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

FRACTION = 4
"""Cells of a tolerance, along each axis, in which the vectors of a block are gathered."""
STEP = 2.0**-32
"""Places and intensities are added up in steps of this fraction of their unit, so that sums do not depend on order."""
CELL = ("row", "column", "count", "y", "x")
"""Columns of the cells: where, how many vectors, and the sums of their places within, in steps."""
Floats = NDArray[np.float64]


def get_unique_vectors(vectors: DiffractionVectors, tolerance: Any = 3, *, min_count: int = 1) -> DiffractionVectors:
    """The places at which vectors of the scan gather: computed vectors without navigation axes, most frequent first.

    Columns are ``ky`` and ``kx``, the mean place; ``count`` (int64), how many vectors it stands for; and, where the
    vectors have it, their mean ``intensity``.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors. Lazy ones are computed a block at a time, and only the cells they fall into are held.
    tolerance : int, float or str
        Vectors nearer than this count as one: an int counts pixels, a float is in axis units, text carries its unit.
    min_count : int
        Places where fewer vectors gather are left out.

    Raises
    ------
    ValueError
        A tolerance that is not positive.

    Notes
    -----
    Vectors are gathered in cells of a quarter of the tolerance. From the fullest cell down, a cell that is not taken
    yet starts a place, which moves to the mean of the cells within half of the tolerance until it rests (mean shift:
    K. Fukunaga, L. Hostetler, IEEE Trans. Inf. Theory 21 (1975) 32, doi 10.1109/TIT.1975.1055330) and takes the cells
    nearer than the tolerance. Finally every cell goes to the nearest place. Nothing chains, as it may in clustering,
    and places and counts do not depend on blocks, or on the order of the vectors.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [4, 12]], [[4, 12.5], [4, 4]], [[4, 4]]], frame_shape=(8, 16))
    >>> unique = v.get_unique_vectors(2)
    >>> unique.ragged["kx"], unique.ragged["count"]
    (array([ 4.  , 12.25]), array([3, 2]))
    """
    plane = plane_of(vectors)
    reach = plane.length(tolerance, "tolerance", zero=False)
    if int(min_count) < 1:
        raise ValueError(f"expected min_count of at least 1, found {min_count!r}")
    # In pixels along each axis: the tolerance is a circle on the calibrated axes.
    matrix = np.array(plane.matrix) / reach
    height, width = 1 / np.linalg.norm(matrix, axis=0) / FRACTION
    edges = (float(height), float(width))
    bright = "intensity" in vectors.columns
    counts, places, intensity = _merged(_gathered(vectors, edges, bright), edges)
    owner, number = _owners(places @ matrix.T, counts)
    total = np.bincount(owner, counts, number)
    means = [np.bincount(owner, counts * column, number) / total for column in places.T]
    columns: dict[str, Any] = {"ky": means[0], "kx": means[1], "count": total.astype(np.int64)}
    if bright:
        columns["intensity"] = np.bincount(owner, intensity, number) / total
    kept = np.flatnonzero(total >= min_count)
    order = kept[np.lexsort((columns["kx"][kept], columns["ky"][kept], -total[kept]))]
    content = RaggedFrames.from_counts([len(order)], {name: values[order] for name, values in columns.items()})
    return vectors._derive(
        content,
        "get_unique_vectors",
        {"tolerance": tolerance, **({} if min_count == 1 else {"min_count": min_count})},
        axes=AxesManager([axis.copy() for axis in vectors.frame_axes]),
        valid=None,
        title=f"unique vectors of {vectors.title}" if vectors.title else "unique vectors",
    )


def _gathered(vectors: DiffractionVectors, edges: tuple[float, float], bright: bool) -> RaggedFrames:
    """The cells that the vectors fall into, those of a block as entries of its first frame."""
    if not vectors.lazy:
        return gather(vectors.ragged, edges, bright)
    dtypes = {name: np.dtype(np.int64) for name in CELL} | ({"intensity": np.dtype(np.float64)} if bright else {})
    return vectors.blocks.map(gather, edges, bright, dtypes=dtypes).compute()


def gather(ragged: RaggedFrames, edges: tuple[float, float], bright: bool) -> RaggedFrames:
    """Vectors of a block gathered in cells of the frame: how many, and sums of where in the cell, in whole steps."""
    known = np.isfinite(ragged["ky"]) & np.isfinite(ragged["kx"])
    places = [ragged[name][known] / edge for name, edge in zip(("ky", "kx"), edges, strict=True)]
    cells = [np.floor(place).astype(np.int64) for place in places]
    within = [np.rint((p - c) / STEP).astype(np.int64) for p, c in zip(places, cells, strict=True)]
    keys = np.stack(cells, axis=1)
    found, order, starts = _groups(keys)
    columns: dict[str, Any] = {"row": found[:, 0], "column": found[:, 1]}
    for name, values in zip(CELL[2:], (np.ones(len(keys), np.int64), *within), strict=True):
        columns[name] = np.add.reduceat(values[order], starts) if len(starts) else values
    if bright:
        values = ragged["intensity"][known].astype(np.float64)
        columns["intensity"] = np.add.reduceat(values[order], starts) if len(starts) else values
    counts = np.zeros(ragged.n_frames, np.int64)
    counts[:1] = len(found)
    return RaggedFrames.from_counts(counts, columns)


def _groups(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The different rows of `keys` [n, 2], an order that brings equal ones together, and where each begins in it."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    first = np.ones(len(keys), bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    return ordered[starts], order, starts


def _merged(cells: RaggedFrames, edges: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """Number, mean place (ky, kx) [m, 2] and summed intensity of the vectors in each cell, of all blocks."""
    found, order, starts = _groups(np.stack([cells["row"], cells["column"]], axis=1))
    if not len(starts):
        return np.empty(0), np.empty((0, 2)), np.empty(0)
    counts, y, x = (np.add.reduceat(cells[name][order], starts) for name in CELL[2:])
    place = [(cell + s * STEP / counts) * e for cell, s, e in zip(found.T, (y, x), edges, strict=True)]
    bright = "intensity" in cells.names
    intensity = np.add.reduceat(cells["intensity"][order], starts) if bright else np.zeros(len(starts))
    return counts.astype(np.float64), np.stack(place, axis=1), intensity


def _owners(points: Floats, counts: Floats) -> tuple[NDArray[np.int64], int]:
    """The place that each cell goes to, and how many places there are; the tolerance is 1."""
    from scipy.spatial import cKDTree

    order = np.lexsort((points[:, 1], points[:, 0], -counts))
    places = gathering_places(points, counts, order)
    if not len(places):
        return np.empty(0, np.int64), 0
    owner = np.asarray(cKDTree(places).query(points)[1], np.int64)
    used, owner = np.unique(owner, return_inverse=True)
    return owner.reshape(-1), len(used)
