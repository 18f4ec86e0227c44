"""How far patterns reach from the direct beam: templates that go on beyond it would be compared with what is not seen.

Spots that a detector cannot show count in the norm of a template nevertheless, so that directions with few spots win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from lazy4d.errors import Lazy4DWarning
from lazy4d.signals.orientation.library import TemplateLibrary

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

SLACK = 1.02
"""Templates that go this much further than the patterns are left as they are."""

CORNER = 0.05
"""A direct beam closer to a corner than this share of the frame, along both axes, is not where it is meant to be."""


def frame_reach(vectors: DiffractionVectors, plane: DiffractionPlane, centers: Any = None) -> float:
    """The radius, in units of the plane, up to which whole circles about the direct beam are in the frame; 0: none.

    Where there is a beam at each position and the axes are not 0 within the frame, its middle stands for all.

    Examples
    --------
    >>> from lazy4d.signals.vectors.diffraction_plane import plane_of
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å")
    >>> frame_reach(v, plane_of(v))
    1.75
    """
    shape = vectors.frame_shape
    zero = plane.zero
    if not _is_inside(zero, shape):
        if centers is None:
            return 0.0
        zero = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    along = [np.linspace(-0.5, n - 0.5, 129) for n in shape]
    ky = np.concatenate([along[0], along[0], np.full(129, -0.5), np.full(129, shape[0] - 0.5)])
    kx = np.concatenate([np.full(129, -0.5), np.full(129, shape[1] - 0.5), along[1], along[1]])
    return float(np.hypot(*plane.from_pixels(ky, kx, zero)).min())


def has_beam(vectors: DiffractionVectors, plane: DiffractionPlane, center: Any) -> bool:
    """Whether the direct beam is known to be in the frame; warns where the axes alone say so, and hardly can be right.

    Warns
    -----
    Lazy4DWarning
        No `center`, and axes that are 0 outside or at a corner of the frame.
    """
    if center is not None:
        return True
    shape = vectors.frame_shape
    at_edge = [min(z + 0.5, n - 0.5 - z) < CORNER * n for z, n in zip(plane.zero, shape, strict=True)]
    if _is_inside(plane.zero, shape) and not all(at_edge):
        return True
    y, x = plane.zero
    where = "at a corner of" if _is_inside(plane.zero, shape) else "outside of"
    warn(
        f"the direct beam is taken to be at pixel (x, y) = ({x:.5g}, {y:.5g}), {where} frames of {shape[1]} x "
        f"{shape[0]} pixels, as the axes are 0 there: give center=(x, y), or set_calibration(center=...)",
        Lazy4DWarning,
        stacklevel=3,
    )
    return False


def seen_k_max(library: TemplateLibrary, reach: float) -> float:
    """Up to which distance, 1/Å, templates are compared with patterns of a `reach`, 1/Å: the smaller of both.

    Warns
    -----
    Lazy4DWarning
        The library reaches further.
    """
    if library.k_max <= SLACK * reach:
        return library.k_max
    few = reach <= 2 * library.k_min
    what = (
        "too little to leave out what is beyond, so that wrong orientations may fit: check center= and the calibration"
        if few
        else f"spots beyond are left out; make the library with k_max={np.floor(1000 * reach) / 1000:g}"
    )
    warn(
        f"templates go to {library.k_max:.3g} 1/Å, but patterns reach {reach:.3g} 1/Å from the direct beam on all "
        f"sides: {what}",
        Lazy4DWarning,
        stacklevel=3,
    )
    return library.k_max if few else reach


def _is_inside(place: tuple[float, float], shape: tuple[int, ...]) -> bool:
    return all(-0.5 <= z <= n - 0.5 for z, n in zip(place, shape, strict=True))
