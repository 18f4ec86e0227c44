"""Where about the origin of the lattice is, as a user says it, in units of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.lazy import Frames
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.beam.belonging import check_belongs
from lazy4d.signals.frame_center import frame_center
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
from lazy4d.signals.vectors.lattice.weighting import rows_for

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def starting_origin(vectors: DiffractionVectors, plane: DiffractionPlane, origin: Any) -> Any:
    """A place (y, x) in the plane for all positions, float64 [2], or one for each: `PerPosition` [nav..., 2].

    Parameters
    ----------
    vectors : DiffractionVectors
        Whose frames these are.
    plane : DiffractionPlane
        Of the vectors.
    origin : (x, y), BeamPosition or other signal [nav..., 2] of (y, x) in pixels, or None
        None is where the axes are 0.

    Raises
    ------
    ValueError, TypeError
        A signal of another scan, or no place.

    Examples
    --------
    >>> from lazy4d.signals.vectors.diffraction_plane import plane_of
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> starting_origin(v, plane_of(v), (5, 4))
    array([0., 1.])
    """
    if not (is_signal(origin) and origin.nav_shape):
        return np.array(plane.from_pixels(*frame_center(vectors, origin)))  # type: ignore[arg-type]
    if origin.frame_shape != (2,) or origin.nav_shape != vectors.nav_shape:
        raise ValueError(
            f"expected origin as a signal of (y, x) in pixels at each of the {vectors.nav_shape} positions (numpy "
            f"order), found {origin!r}"
        )
    check_belongs(origin, vectors)  # type: ignore[arg-type]
    if not origin.lazy:
        pixels = np.asarray(origin.data, np.float64)
        return rows_for(vectors, np.stack(plane.from_pixels(pixels[..., 0], pixels[..., 1]), -1))
    frames: Frames = origin.frames.map_frames(_in_plane, plane, shape=(2,), dtype=np.float64)
    return rows_for(vectors, frames.emit().data)


def described(origin: Any) -> Any:
    """An origin as the history keeps it."""
    return type(origin).__name__ if is_signal(origin) else origin


def _in_plane(frames: Any, plane: DiffractionPlane, out: Any) -> None:
    out[:, 0], out[:, 1] = plane.from_pixels(frames[:, 0], frames[:, 1])
