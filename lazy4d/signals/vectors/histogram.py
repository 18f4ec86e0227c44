"""How many vectors there are at each distance from the direct beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.azimuthal.grid import _axis, _farthest, _rings
from lazy4d.signals.diffraction1d import Diffraction1D
from lazy4d.signals.vectors.deriving import marks_missing
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_about
from lazy4d.signals.vectors.filters import check_column

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Rings = tuple[float, float, int]  # start, width and number of the bins


def get_magnitude_histogram(
    vectors: DiffractionVectors,
    npt: int | None = None,
    radial_range: tuple[Any, Any] | None = None,
    *,
    weights: str | None = None,
    per_position: bool = False,
    units: str | None = None,
    center: Any = None,
    ellipse: Any = None,
) -> Diffraction1D:
    """How many vectors lie at each distance from the direct beam, as a `Diffraction1D` with the axis "k".

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    npt : int, optional
        Number of bins; by default about one a pixel. A finer histogram tells spacings apart that differ by less.
    radial_range : (low, high), optional
        Edges of the first and last bin: ints are pixels, floats axis units, text carries its unit. By default from 0
        to the farthest corner of the frame. Bins are half-open, vectors outside are not counted.
    weights : str, optional
        A column to add up instead of counting, such as "intensity".
    per_position : bool
        One histogram for each position instead of one of all.
    units, center, ellipse : optional
        See `to_polar`.

    Returns
    -------
    Diffraction1D
        int64 counts, or float64 where there are weights (or, per position, missing frames, which are NaN); the axis
        holds the middles of the bins.

    Raises
    ------
    ValueError
        No such column, or a range beyond the frame.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [4, 7]], [[4, 7]]], frame_shape=(8, 8))
    >>> histogram = v.get_magnitude_histogram(4, (0, 4))
    >>> histogram.data, histogram.axes_manager["k"].axis
    (array([1, 0, 0, 2]), array([0.5, 1.5, 2.5, 3.5]))
    """
    if weights is not None:
        check_column(vectors, weights)
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse, units=units)
    edge, far = (_farthest(plane.zero, np.array(plane.matrix), vectors.frame_shape, beyond) for beyond in (0.0, 0.5))
    last = int(edge / plane.pixel + 1e-6) + 1
    x = vectors.frame_axes[1]
    rings = _rings(npt, radial_range, x, plane.units, plane.pixel, far, last)
    given = {
        "npt": npt,
        "radial_range": radial_range,
        "weights": weights,
        "per_position": per_position or None,
        "units": units,
        "center": center,
        "ellipse": ellipse,
    }
    counted = weights is None and not (per_position and marks_missing(vectors))
    call: dict[str, Any] = {
        "shape": rings[2:],
        "dtype": np.int64 if counted else np.float64,
        "op": "get_magnitude_histogram",
        "options": {name: value for name, value in given.items() if value is not None},
        "axes": [_axis("k", rings, plane.units, x.beam_energy)],
        "kind": Diffraction1D,
        "title": f"magnitudes of {vectors.title}" if vectors.title else "magnitudes of vectors",
    }
    params = (plane, rings, weights, centers)
    if per_position:
        return vectors._per_position(histograms, *params, **call)
    return vectors._total(histogram_of_all, *params, **call)


def histograms(
    ragged: RaggedFrames, plane: DiffractionPlane, rings: Rings, weights: str | None, centers: Any
) -> NDArray[Any]:
    """A histogram for each frame of a block: [n, number]."""
    bins, inside = _bins(plane.magnitude(ragged, centers), *rings)
    values = None if weights is None else ragged[weights][inside]
    flat = ragged.frame_numbers()[inside] * rings[2] + bins
    found: NDArray[Any] = np.bincount(flat, values, ragged.n_frames * rings[2]).reshape(-1, rings[2])
    return found


def histogram_of_all(
    ragged: RaggedFrames, plane: DiffractionPlane, rings: Rings, weights: str | None, centers: Any
) -> NDArray[Any]:
    """One histogram of all frames of a block: [number]."""
    bins, inside = _bins(plane.magnitude(ragged, centers), *rings)
    found: NDArray[Any] = np.bincount(bins, None if weights is None else ragged[weights][inside], rings[2])
    return found


def _bins(
    magnitude: NDArray[np.float64], start: float, width: float, number: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The bin of each vector inside of the range, and which ones are inside."""
    # 3 px of 0.1 are bin 3 of bins of 0.1, whatever the division leaves of it.
    places = np.floor(np.round((magnitude - start) / width, 9))
    inside = (places >= 0) & (places < number)
    return places[inside].astype(np.int64), inside
