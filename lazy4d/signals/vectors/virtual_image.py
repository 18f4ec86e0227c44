"""Virtual images from vectors: what the disks that a detector holds carry, at each position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import vector_marks
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.dpc.vectors import QUANTITY
from lazy4d.signals.vectors.deriving import marks_missing
from lazy4d.signals.vectors.region import Region, region_of
from lazy4d.signals.vectors.spatial_index import SpatialIndex, index_of
from lazy4d.signals.virtual_image import VirtualImage

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

NO_VALUES = np.empty(0)


def get_virtual_image(vectors: DiffractionVectors, roi: Any, weights: str | None = "intensity") -> Any:
    """The sum of a column over the vectors that a detector holds, at each position: a `VirtualImage`, or several.

    Parameters
    ----------
    vectors : DiffractionVectors
        Computed or lazy.
    roi : ROI, ndarray, BaseSignal, or list or dict of these
        The detector. A ROI holds the vectors that lie in its **exact shape**, as vectors are points between the pixels:
        of a circle those with ``r_inner <= d < r``, whether or not it reaches the centre of their pixel. A bool array
        [ky, kx] holds the vectors whose nearest pixel is True, an array of numbers [ky, kx] weights them by that
        pixel's number, and [m, ky, kx] is a stack of m such detectors.
    weights : str, optional
        The column to add up; None counts the vectors.

    Returns
    -------
    VirtualImage, or list or dict of VirtualImage
        With the navigation axes, computed if the vectors are: one for one detector, a list for a list or a stack, a
        dict for a dict (its keys are the titles). Sums are float64, numbers of vectors int64; where frames may be
        missing, both are float64, with NaN there.

    Raises
    ------
    ValueError
        There is no such column, the region lies beside the frame, or an array has another shape than the frame.

    Notes
    -----
    The first image of computed vectors builds an index of them by the pixel they lie on (some 40 ms for 6.5 million
    vectors, four bytes each), which stays with them. Later images only touch vectors of pixels that the detector
    reaches, or of those it does not reach where these are fewer, and compare places only on its rim: a few
    milliseconds. Lazy vectors are looked at block by block, all of them. Both add up vectors in the order they have in
    their frame, and give the same bits.

    Vectors beside the frame belong to a ROI whose shape holds them, and to no array; vectors at NaN to nothing.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11], [6, 1, 2]]], frame_shape=(8, 8))
    >>> v.get_virtual_image(l4.CircleROI(4, 3, 1.5)).data
    array([10., 11.])
    >>> v.get_virtual_image({"spots": l4.RectangleROI(0, 0, 8, 8)}, weights=None)["spots"].data
    array([1, 2])
    """
    if weights is not None and weights not in vectors.columns:
        raise ValueError(
            f"weights={weights!r}: expected one of the columns {', '.join(vectors.columns)}, or None to count vectors"
        )
    if isinstance(roi, Mapping):
        return {key: _image(vectors, one, weights, str(key)) for key, one in roi.items()}
    if isinstance(roi, list | tuple) or (isinstance(roi, np.ndarray) and roi.ndim == 3):
        return [_image(vectors, one, weights, None) for one in roi]
    return _image(vectors, roi, weights, None)


def _image(vectors: DiffractionVectors, roi: Any, weights: str | None, title: str | None) -> Any:
    region = region_of(roi, vectors.frame_axes)
    index = None if vectors.lazy else index_of(vectors)
    counted = weights is None and not region.weights.size
    named = f"virtual image of {vectors.title}" if vectors.title else "virtual image"
    image = vectors._per_position(
        sums_in_region,
        region.kind,
        region.numbers,
        region.grid,
        region.weights,
        weights,
        index,
        dtype=np.int64 if counted and not marks_missing(vectors) else np.float64,
        op="get_virtual_image",
        options={"roi": roi, "weights": weights},
        kind=VirtualImage,
        title=title or named,
    )
    image.metadata.set_item(QUANTITY, carried(vectors, weights))
    return image


def carried(vectors: DiffractionVectors, column: str | None) -> str:
    """What a sum over vectors is, as colour bars say it.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]]], frame_shape=(8, 8))
    >>> carried(v, None), carried(v, "intensity")
    ('vectors', 'summed intensity')
    """
    if column is None:
        return "vectors"
    units = vectors.column_units.get(column, "")
    return f"summed {column} ({units})" if units else f"summed {column}"


def sums_in_region(
    ragged: RaggedFrames,
    kind: int,
    numbers: NDArray[np.float64],
    grid: NDArray[np.uint8],
    pixels: NDArray[np.float64],
    column: str | None,
    index: SpatialIndex | None = None,
) -> NDArray[Any]:
    """What the vectors in a region carry, for each frame: float64 [n], or int64 [n] where they are counted.

    Parameters
    ----------
    ragged : RaggedFrames
        Vectors, ky and kx in pixels.
    kind, numbers, grid
        The region; see `lazy4d.kernels.vector_shape`.
    pixels : float64 ndarray [ky, kx] or of no entries
        Weights of the pixels.
    column : str or None
        What to add up; None counts.
    index : SpatialIndex, optional
        Of these vectors; without it all of them are looked at.

    Examples
    --------
    >>> ragged = RaggedFrames.from_counts([1, 1], {"ky": [3.0, 6.0], "kx": [4.0, 4.0], "intensity": [10.0, 7.0]})
    >>> disk = np.array([4.0, 3, 1.5, 0, 1, 1, 0, 0])
    >>> sums_in_region(ragged, 0, disk, np.empty((0, 0), "u1"), np.empty((0, 0)), "intensity")
    array([10.,  0.])
    """
    ky, kx = ragged["ky"], ragged["kx"]
    if index is None:
        bits = np.empty(-(-ky.size // 64), np.uint64)
        vector_marks.mark_all(ky, kx, kind, numbers, grid, bits)
    else:
        bits = index.marks(ky, kx, Region(kind, numbers, grid))
    if column is None and not pixels.size:
        counts = np.empty(ragged.n_frames, np.int64)
        vector_marks.count_marked(ragged.offsets, bits, counts)
        return counts
    values = NO_VALUES if column is None else ragged[column]
    sums = np.empty(ragged.n_frames)
    if pixels.size:
        vector_marks.sum_weighted(ragged.offsets, bits, values, ky, kx, pixels, sums)
    else:
        vector_marks.sum_marked(ragged.offsets, bits, values, sums)
    return sums
