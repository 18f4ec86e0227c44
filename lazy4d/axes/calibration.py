"""Calibration of several axes at once: one scale or one for each, and the pixel where they are zero."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lazy4d.axes.axis import Axis
from lazy4d.units import PIXEL, canonical, convert, parse


def calibrate(axes: Sequence[Axis], scale: Any, units: object, center: Any, middle: bool = True) -> None:
    """Set scale, units and zero of axes in place.

    Parameters
    ----------
    axes
        x-first.
    scale
        Units per pixel: one number or text with a unit for all axes, or a sequence with one for each; None keeps it.
    units
        Unit of the scale; None keeps it, or takes that of a scale given as text.
    center
        Pixel coordinate where each axis is 0, or None: the pixel that is 0 stays 0.
    middle
        On axes that were never calibrated, ``N // 2`` becomes 0 where no centre is given; otherwise pixel 0 is.

    Raises
    ------
    TypeError, ValueError
        No axis to calibrate, a number of scales or centres other than the number of axes, or values out of range.

    Examples
    --------
    >>> k = Axis(name="kx", size=8)
    >>> calibrate([k], "0.1 1/Å", None, None)
    >>> k
    <kx axis, size: 8, scale: 0.1, offset: -0.4, units: 1/Å>
    """
    if scale is None and units is None and center is None:
        return
    if not axes:
        raise ValueError(
            f"there is no axis to calibrate with scale {scale!r}, units {units!r}, centre {center!r}: signal axes take "
            "scale, units and center, navigation axes scan_scale and scan_units"
        )
    for axis, one_scale, zero in zip(axes, _spread(scale, axes, "scale"), _centers(center, axes), strict=True):
        if zero is None:
            zero = -axis.offset / axis.scale
            # In pixels from its first one, or cropped or rebinned then: nobody has said yet where zero is.
            if middle and axis.units == PIXEL and not 0 < zero < axis.size:
                zero = axis.size // 2
        if one_scale is None and center is None:  # only another label
            axis.units = units  # type: ignore[assignment]  # the trait accepts any spelling
            continue
        new_scale, new_units = axis.scale if one_scale is None else one_scale, units
        if isinstance(new_scale, str):
            value, own = parse(new_scale)
            new_units = own if units is None else canonical(units)
            new_scale = convert(value, own, new_units, axis.beam_energy)
        if new_units is not None:
            axis.units = new_units  # type: ignore[assignment]
        axis.scale = new_scale
        axis.offset = 0.0 - axis.scale * zero  # 0.0 and not -0.0 where zero is at pixel 0


def _spread(value: Any, axes: Sequence[Axis], what: str) -> list[Any]:
    """Return one value for each axis, from a single one or a sequence."""
    if not isinstance(value, (tuple, list, np.ndarray)):
        return [value] * len(axes)
    if len(value) != len(axes):
        raise ValueError(
            f"expected one {what} or {len(axes)}, for {[axis.name for axis in axes]}, found {len(value)}: {value!r}"
        )
    return list(value)


def _centers(center: Any, axes: Sequence[Axis]) -> list[float | None]:
    if center is None:
        return [None] * len(axes)
    if isinstance(center, str) or (not isinstance(center, (tuple, list, np.ndarray)) and len(axes) > 1):
        raise TypeError(
            f"expected the centre as pixels {tuple(axis.name for axis in axes)}, found {center!r}: give one number each"
        )
    return [float(one) for one in _spread(center, axes, "centre")]
