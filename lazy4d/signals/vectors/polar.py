"""Vectors in polar coordinates about the direct beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_about

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

POLAR = ("magnitude", "azimuth")


def to_polar(
    vectors: DiffractionVectors, *, units: str | None = None, center: Any = None, ellipse: Any = None
) -> DiffractionVectors:
    """The vectors with two more columns: ``magnitude``, the distance from the direct beam, and ``azimuth`` in rad.

    Azimuths turn from +x (kx) towards +y (ky) and lie in [-π, π], as those of ``get_azimuthal_integral2d`` do.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed; the result is alike.
    units : str, optional
        Of the magnitude, such as "1/Å", "mrad" or "px"; by default those of the kx axis.
    center : (x, y), BeamPosition or other signal [nav..., 2], optional
        Where the beam is: ints are pixels, floats axis units, text carries its unit; a signal gives (y, x) in pixels
        for each position. By default where the axes are 0, the middle pixel ``N // 2`` if they were never calibrated.
    ellipse : Ellipse or (ratio, angle in degrees), optional
        Elliptical distortion to take out; by default the one that the frames were calibrated with, if any.

    Raises
    ------
    ValueError
        A centre in other frames, or units that do not fit.

    Notes
    -----
    ``ky`` and ``kx`` stay as they are. Scales that differ between the axes are taken into account.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4], [4, 7]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å", center=(4, 4))
    >>> v.to_polar().ragged["magnitude"], v.to_polar().column_units["azimuth"]
    (array([0. , 1.5]), 'rad')
    """
    plane, centers = plane_about(vectors, center=center, ellipse=ellipse, units=units)
    given = {"units": units, "center": center, "ellipse": ellipse}
    return vectors._map(
        polar_columns,
        plane,
        centers,
        op="to_polar",
        options={name: value for name, value in given.items() if value is not None},
        dtypes={**vectors.dtypes, **dict.fromkeys(POLAR, np.dtype(np.float64))},
        column_units={"magnitude": plane.units, "azimuth": "rad"},
    )


def polar_columns(ragged: RaggedFrames, plane: DiffractionPlane, centers: Any) -> RaggedFrames:
    """The vectors of a block with their magnitudes and azimuths."""
    y, x = plane.offsets(ragged, centers)
    return ragged.with_columns(magnitude=np.hypot(y, x), azimuth=np.arctan2(y, x))
