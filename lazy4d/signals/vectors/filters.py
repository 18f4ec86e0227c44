"""Vectors that meet a condition: how far from the beam, how far from the detector's edge, how bright, on a lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_about

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def filter_by_magnitude(
    vectors: DiffractionVectors,
    min_magnitude: Any = None,
    max_magnitude: Any = None,
    *,
    center: Any = None,
    ellipse: Any = None,
) -> DiffractionVectors:
    """The vectors whose distance from the direct beam is at least `min_magnitude` and below `max_magnitude`.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    min_magnitude, max_magnitude : int, float or str, optional
        An int counts pixels, a float is in axis units, text carries its unit. None: no bound.
    center, ellipse : optional
        The beam (x, y), or one place for each position, and the elliptical distortion; see `to_polar`.

    Raises
    ------
    ValueError
        No bound, or bounds that nothing lies between.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [4, 7]]], frame_shape=(8, 8))
    >>> v.filter_by_magnitude(1).ragged["kx"]
    array([7.])
    """
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse)
    low = 0.0 if min_magnitude is None else plane.length(min_magnitude, "min_magnitude")
    high = np.inf if max_magnitude is None else plane.length(max_magnitude, "max_magnitude")
    if (min_magnitude is None and max_magnitude is None) or not low < high:
        raise ValueError(
            f"expected min_magnitude below max_magnitude, or one of them, found {min_magnitude!r} and {max_magnitude!r}"
        )
    options = _given(min_magnitude=min_magnitude, max_magnitude=max_magnitude, center=center, ellipse=ellipse)
    return vectors._map(_between_magnitudes, plane, low, high, centers, op="filter_by_magnitude", options=options)


def _between_magnitudes(
    ragged: RaggedFrames, plane: DiffractionPlane, low: float, high: float, centers: Any
) -> RaggedFrames:
    distance = plane.magnitude(ragged, centers)
    return ragged.where((distance >= low) & (distance < high))


def filter_detector_edge(vectors: DiffractionVectors, exclude_width: Any) -> DiffractionVectors:
    """The vectors that lie at least `exclude_width` inside the edge of the frame.

    The edge is the outer one of the outermost pixels: of a frame of N pixels, ``exclude_width=1`` keeps what lies from
    the first edge of pixel 1, at 0.5, to the last edge of pixel N - 2, at N - 1.5.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    exclude_width : int, float or str
        An int counts pixels, a float is in axis units (of either axis), text carries its unit.

    Raises
    ------
    ValueError
        A negative width, or one that leaves nothing of the frame.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[0.2, 4], [0.6, 7], [3, 3]]], frame_shape=(8, 8))
    >>> v.filter_detector_edge(1).ragged["ky"]
    array([3.])
    """
    bounds = []
    for axis in vectors.frame_axes:
        width = axis.length_to_pixels(exclude_width)
        if not 0 <= width < axis.size / 2:
            raise ValueError(
                f"expected a width from 0 to half of the {axis.size} pixels of axis {axis.name!r}, found "
                f"{exclude_width!r}, {width:g} px"
            )
        bounds.append((width - 0.5, axis.size - 0.5 - width))
    options = {"exclude_width": exclude_width}
    return vectors._map(_inside_window, tuple(bounds), op="filter_detector_edge", options=options)


def _inside_window(ragged: RaggedFrames, bounds: tuple[tuple[float, float], ...]) -> RaggedFrames:
    keep = np.ones(ragged.total, bool)
    for name, (low, high) in zip(("ky", "kx"), bounds, strict=True):
        keep &= (ragged[name] >= low) & (ragged[name] <= high)
    return ragged.where(keep)


def filter_by_intensity(
    vectors: DiffractionVectors,
    min_intensity: float | None = None,
    max_intensity: float | None = None,
    *,
    relative: bool = False,
    strongest: int | None = None,
    column: str = "intensity",
) -> DiffractionVectors:
    """The vectors of an intensity in ``[min_intensity, max_intensity]``, and of these the strongest of each position.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    min_intensity, max_intensity : float, optional
        Bounds, both included. None: no bound.
    relative : bool
        Whether the bounds are fractions of the highest intensity of the same position.
    strongest : int, optional
        At most so many a position; of equal ones the first. Their order stays.
    column : str
        The column to judge by.

    Raises
    ------
    ValueError
        No such column, or nothing asked for.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1], [2, 4, 6]], [[3, 3, 1]]], frame_shape=(8, 8))
    >>> v.filter_by_intensity(0.5, relative=True).ragged.counts, v.filter_by_intensity(strongest=1).ragged["ky"]
    (array([2, 1]), array([4., 3.]))
    """
    check_column(vectors, column)
    bounded = min_intensity is not None or max_intensity is not None
    if not bounded and strongest is None:
        raise ValueError("expected min_intensity, max_intensity or strongest, found none of them")
    if strongest is not None and not (isinstance(strongest, int | np.integer) and strongest >= 1):
        raise ValueError(f"expected strongest as a whole number, at least 1, found {strongest!r}")
    count = -1 if strongest is None else int(strongest)
    bounds = (
        -np.inf if min_intensity is None else float(min_intensity),
        np.inf if max_intensity is None else float(max_intensity),
    )
    options = _given(
        min_intensity=min_intensity,
        max_intensity=max_intensity,
        relative=relative or None,
        strongest=strongest,
        column=column,
    )
    params = (column, bounds if bounded else None, bool(relative), count)
    return vectors._map(_bright, *params, op="filter_by_intensity", options=options)


def _bright(
    ragged: RaggedFrames, column: str, bounds: tuple[float, float] | None, relative: bool, strongest: int
) -> RaggedFrames:
    if bounds is not None:
        values: NDArray[Any] = ragged[column]
        if relative:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = values / np.repeat(highest(ragged, column), ragged.counts)
        ragged = ragged.where((values >= bounds[0]) & (values <= bounds[1]))
    if strongest < 0:
        return ragged
    # By position, then from the highest down; equal ones as they stand. NaN comes last.
    order = np.lexsort((-ragged[column].astype(np.float64), ragged.frame_numbers()))
    rank = np.empty(ragged.total, np.int64)
    rank[order] = np.arange(ragged.total) - np.repeat(ragged.offsets[:-1], ragged.counts)
    return ragged.where(rank < strongest)


def highest(ragged: RaggedFrames, column: str) -> NDArray[np.float64]:
    """The highest value of a column in each frame, NaN where there is none: float64 [n].

    Examples
    --------
    >>> highest(RaggedFrames.from_counts([2, 0], {"intensity": [1, 3]}), "intensity")
    array([ 3., nan])
    """
    found = np.full(ragged.n_frames, np.nan)
    filled = ragged.counts > 0
    if filled.any():
        found[filled] = np.fmax.reduceat(ragged[column].astype(np.float64), ragged.offsets[:-1][filled])
    return found


def check_column(vectors: DiffractionVectors, name: str) -> None:
    """Refuse the name of a column that the vectors do not have.

    Raises
    ------
    ValueError
        There is no such column.
    """
    if name not in vectors.columns:
        raise ValueError(f"there is no column {name!r}: the vectors have {', '.join(vectors.columns)}")


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
