"""The solid angle that each pixel of a flat detector sees, and frames divided by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames
from lazy4d.units import convert

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def relative_solid_angle(signal: BaseSignal, center: tuple[float, float]) -> NDArray[np.float64]:
    """The solid angle of each pixel [ky, kx] relative to one under the beam, ``cos³ θ = (1 + tan² θ)^(-3/2)``.

    Parameters
    ----------
    signal : BaseSignal
        Patterns on a flat detector perpendicular to the beam, in units of angle, or of inverse length with a beam
        energy. The scale near the beam gives ``tan θ`` everywhere, as distances on the detector do.
    center : (y, x)
        Pixel of the beam.

    Raises
    ------
    ValueError
        The axes are in pixels, or the beam energy that turns them into angles is missing.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_calibration(scale=100.0, units="mrad", center=(8, 8))
    >>> relative_solid_angle(s, (8, 8))[8, [8, 13]].round(3)
    array([1.   , 0.716])
    """
    squares = []
    for axis, middle in zip(signal.frame_axes, center, strict=True):
        tangent = float(convert(axis.scale, axis.units, "rad", axis.beam_energy))
        squares.append((tangent * (np.arange(axis.size) - middle)) ** 2)
    return np.asarray((1 + squares[0][:, None] + squares[1]) ** -1.5)


def divided_by_solid_angle(frames: Frames, signal: BaseSignal, center: tuple[float, float]) -> Frames:
    """The stream of frames divided by their pixels' relative solid angles, float64."""
    factor = 1 / relative_solid_angle(signal, center)
    return frames.map_frames(multiply, factor, shape=frames.frame_shape, dtype=np.float64)


def multiply(frames: NDArray[Any], factor: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Multiply each frame of a tile by the same factors."""
    np.multiply(frames, factor, out=out)
