"""Where in a frame the direct beam is, when one place counts for all positions, and what a pixel is along y and x."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.units import PIXEL, convert

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def frame_axes_of(signal: BaseSignal, what: str) -> tuple[Axis, Axis]:
    """The axes (y, x) of frames that are images.

    Raises
    ------
    ValueError
        Frames with another number of axes.

    Examples
    --------
    >>> [axis.name for axis in frame_axes_of(d, "a rotation")]
    ['ky', 'kx']
    """
    if len(signal.frame_shape) != 2:
        raise ValueError(
            f"{what} needs frames with two signal axes, found frames of shape {signal.frame_shape} in {signal!r}"
        )
    y, x = signal.frame_axes
    return y, x


def has_zero(axis: Axis) -> bool:
    """Whether an axis was given its zero: in pixels from the first one, or cropped or binned then, it was not.

    Examples
    --------
    >>> has_zero(d.axes_manager["kx"])
    False
    """
    place = -axis.offset / axis.scale
    if axis.scale < 0:  # reversed: as far from the other end
        place = axis.size - 1 - place
    return axis.units != PIXEL or 0 < place < axis.size


def frame_center(signal: BaseSignal, center: Any) -> tuple[float, float]:
    """The pixel (y, x) of the beam, one for all positions, a fraction in general.

    Parameters
    ----------
    signal : BaseSignal
        Whose frames these are.
    center : (x, y), signal without navigation axes, or None
        Ints are pixels, floats axis units, text carries its unit; a computed signal or array of a signal [2] is (y, x)
        in pixels. None is where the axes are 0, the middle pixel ``N // 2`` on those that were never calibrated.

    Raises
    ------
    ValueError, TypeError
        One centre for each position, or no place at all.

    Examples
    --------
    >>> frame_center(d, None), frame_center(d, (3, 4.5))
    ((8.0, 8.0), (4.5, 3.0))
    """
    y, x = frame_axes_of(signal, "a centre")
    if center is None:
        return _zero(y), _zero(x)
    if hasattr(center, "nav_shape"):
        if center.nav_shape or center.frame_shape != (2,):
            raise ValueError(
                f"expected one centre for all frames, found {center!r}: move each frame to its own by "
                "center_direct_beam(position=...) first, or take the mean position"
            )
        if center.lazy:
            raise TypeError(f"expected a centre that is known, found {center!r}: compute it first")
        return float(center.data[0]), float(center.data[1])
    if isinstance(center, str) or np.shape(center) != (2,):
        raise ValueError(f"expected center as (x, y), found {center!r}")
    return y.to_pixels(center[1]), x.to_pixels(center[0])


def pixel_steps(signal: BaseSignal) -> NDArray[np.float64]:
    """What one pixel along y and x is worth, (y, x), in mean pixels: all shapes are those on the calibrated axes.

    Two numbers whose product is 1 or -1: both 1 where pixels are square; negative along an axis that counts down.

    Raises
    ------
    ValueError
        The units of the two axes are of different kinds.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_calibration(scale=(0.02, 0.08), units="1/Å")
    >>> pixel_steps(s)
    array([2. , 0.5])
    """
    y, x = frame_axes_of(signal, "a shape in the frame")
    steps = (float(convert(y.scale, y.units, x.units, x.beam_energy or y.beam_energy)), x.scale)
    return np.array(steps) / math.sqrt(abs(steps[0] * steps[1]))


def _zero(axis: Axis) -> float:
    return axis.to_pixels(0.0) if has_zero(axis) else float(axis.size // 2)
