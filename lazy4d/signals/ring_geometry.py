"""About which place, and along which ellipses, the rings of a pattern run: what a user says, as kernels take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import PerPosition
from lazy4d.signals.beam.belonging import check_belongs
from lazy4d.signals.ellipse import as_ellipse, ellipse_of
from lazy4d.signals.frame_center import frame_center

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def ring_centers(signal: BaseSignal, center: Any) -> tuple[tuple[float, float], PerPosition | None]:
    """The pixel (y, x) of the beam, and one for each position where a signal gives them.

    Parameters
    ----------
    signal : BaseSignal
        Whose frames these are.
    center : (x, y), BeamPosition or other signal [nav..., 2], or None
        As for `frame_center`, or one place (y, x) a position, in pixels.

    Raises
    ------
    ValueError, TypeError
        A signal of another scan, or one place for all positions that is not known yet.

    Examples
    --------
    >>> ring_centers(d, None)
    ((8.0, 8.0), None)
    """
    if not hasattr(center, "nav_shape") or not (center.nav_shape or center.lazy):
        return frame_center(signal, center), None
    if center.frame_shape != (2,) or center.nav_shape not in (signal.nav_shape, ()):
        raise ValueError(
            f"expected center as a signal of (y, x) in pixels at each of the {signal.nav_shape} positions (numpy "
            f"order), found {center!r}"
        )
    check_belongs(center, signal)
    if center.nav_shape != signal.nav_shape:
        raise TypeError(f"a centre for all positions has to be known first, found {center!r}: compute it")
    return frame_center(signal, None), PerPosition(center.frames.data)


def undistorting_matrix(signal: BaseSignal, ellipse: Any) -> NDArray[np.float64]:
    """What turns calibrated offsets (y, x) from the beam into ones whose length is the radius: float64 [2, 2].

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    ellipse : Ellipse, (ratio, angle in degrees) or None
        None: the distortion the signal was calibrated with, if any.

    Raises
    ------
    ValueError
        No ellipse.

    Examples
    --------
    >>> undistorting_matrix(d, (4, 0)).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    known = ellipse_of(signal) if ellipse is None else as_ellipse(ellipse)
    return np.eye(2) if known is None else known.matrix()
