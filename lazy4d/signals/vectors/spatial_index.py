"""An index of computed vectors by their place on the detector, made when first needed and kept with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import vector_cells, vector_marks
from lazy4d.kernels.vector_shape import POLYGON

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors
    from lazy4d.signals.vectors.region import Region

MOST_CELLS = 1 << 18
"""Cells of an index: one a pixel up to frames of 512 × 512."""
LOOK = 24
"""What it costs to look at one vector on the rim of a simple shape, measured in looks at all of them in turn."""

_KEPT_AS = "spatial index"


@dataclass(frozen=True, eq=False)
class SpatialIndex:
    """The numbers of all vectors, sorted by the cell of the detector they lie in.

    Parameters
    ----------
    order : int32 or int64 ndarray [total]
        Numbers of the vectors, cell by cell; within a cell ascending.
    starts : int64 ndarray [cells + 2]
        Where each cell begins in `order`; the last one are vectors that are nowhere (NaN).
    shape : (int, int)
        Rows and columns of cells, with a rim around the frame for vectors beside it.
    size : int
        Pixels along the side of a cell.
    """

    order: NDArray[Any]
    starts: NDArray[np.int64]
    shape: tuple[int, int]
    size: int

    @classmethod
    def build(cls, ky: NDArray[np.float64], kx: NDArray[np.float64], frame_shape: tuple[int, int]) -> SpatialIndex:
        """The index of vectors at (ky, kx), float64 [total] in pixels, by a counting sort.

        Examples
        --------
        >>> index = SpatialIndex.build(np.array([1.0, 0.0]), np.array([0.0, 1.0]), (2, 2))
        >>> index.shape, index.order
        ((4, 4), array([1, 0], dtype=int32))
        """
        size, most = 1, min(MOST_CELLS, max(1024, ky.size))
        while np.prod([-(-n // size) for n in frame_shape]) > most:
            size *= 2
        rows, columns = (-(-n // size) + 2 for n in frame_shape)
        order = np.empty(ky.size, np.int32 if ky.size < 2**31 else np.int64)
        starts = np.empty(rows * columns + 2, np.int64)
        vector_cells.sort_into_cells(ky, kx, size, rows, columns, starts, order)
        return cls(order, starts, (rows, columns), size)

    @property
    def nbytes(self) -> int:
        """Bytes of the index: four for each vector and eight for each cell."""
        return self.order.nbytes + self.starts.nbytes

    def marks(self, ky: NDArray[np.float64], kx: NDArray[np.float64], region: Region) -> NDArray[np.uint64]:
        """A bit for each vector that says whether `region` holds it; only vectors of cells on its rim are looked at.

        Parameters
        ----------
        ky, kx : float64 ndarray [total]
            The places that the index was built of.
        region : Region
            Where to look.

        Returns
        -------
        ndarray of uint64 [total / 64, rounded up]
            As from `lazy4d.kernels.vector_marks.mark_all`.
        """
        cells, bits = np.empty(self.shape, np.uint8), np.empty(-(-ky.size // 64), np.uint64)
        vector_cells.classify_cells(*region.parts(), self.size, cells)
        classes, reached = cells.reshape(-1), np.empty(2, np.int64)
        vector_marks.count_reached(self.starts, classes, reached)
        whole, part = (int(number) for number in reached)
        others = ky.size - whole - part
        if region.kind < POLYGON and LOOK * part + min(whole, others) > ky.size:
            vector_marks.mark_all(ky, kx, *region.parts(), bits)
        else:
            place = (self.order, self.starts, classes)
            vector_marks.mark_cells(ky, kx, *place, *region.parts(), whole > others, bits)
        return bits


def index_of(vectors: DiffractionVectors) -> SpatialIndex:
    """The index of computed vectors, built when it is asked for the first time.

    It stays with these vectors as long as they live, and is neither pickled nor saved. Vectors that are changed are
    other vectors, and get an index of their own.

    Raises
    ------
    ValueError
        The vectors are still to be computed.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4], [6, 1]]], frame_shape=(8, 8))
    >>> index_of(v) is index_of(v)
    True
    """
    kept = vectors._caches.get(_KEPT_AS)
    if not isinstance(kept, SpatialIndex):
        ragged = vectors.ragged
        rows, columns = vectors.frame_shape
        kept = SpatialIndex.build(ragged["ky"], ragged["kx"], (rows, columns))
        vectors._caches[_KEPT_AS] = kept
    return kept
