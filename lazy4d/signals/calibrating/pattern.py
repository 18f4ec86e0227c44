"""The one pattern that a calibration measures: the mean over the scan, or another that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.frame_center import frame_axes_of

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def measured_pattern(signal: BaseSignal, pattern: Any, what: str) -> NDArray[np.float64]:
    """The pattern to measure, computed: float64 [ky, kx].

    Parameters
    ----------
    signal : BaseSignal
        Whose mean over all positions is taken, in one pass over the file, where no pattern is given.
    pattern : signal or array [ky, kx], optional
        Another one; computed if it is lazy.
    what : str
        What measures it, for errors.

    Raises
    ------
    ValueError
        Frames or a pattern of another shape or of complex numbers.

    Examples
    --------
    >>> measured_pattern(d, None, "a fit").shape, measured_pattern(d, d.inav[:2].mean(), "a fit").dtype
    ((16, 16), dtype('float64'))
    """
    frame_axes_of(signal, what)
    if pattern is None:
        pattern = signal.mean() if signal.nav_shape else signal
    if hasattr(pattern, "nav_shape"):
        if pattern.nav_shape:
            raise ValueError(
                f"{what} measures one pattern, found {pattern!r} with navigation axes: give its mean, or one position"
            )
        pattern = pattern.as_numpy()
    elif hasattr(pattern, "dask"):
        pattern = pattern.compute()
    values = np.asarray(pattern)
    if values.shape != signal.frame_shape or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} needs a pattern of real numbers of the shape of the frames, {signal.frame_shape}, found "
            f"{values.dtype} of shape {values.shape}"
        )
    return values.astype(np.float64)


def counted_pixels(
    signal: BaseSignal, mask: Any, values: NDArray[np.float64], isolated: bool = False
) -> NDArray[np.bool_]:
    """The pixels that a mask (an ROI, or True where pixels count) and the values leave: bool [ky, kx].

    Parameters
    ----------
    signal : BaseSignal
        Whose frames these are.
    mask : ROI, bool ndarray or None
        As a user gives it.
    values : ndarray [ky, kx]
        The pattern; nan does not count.
    isolated : bool
        Let pixels count that stand alone: more than three times as bright as all their neighbours, or as dark, and
        beyond what noise does. Such are hot and dead pixels of the detector.

    Examples
    --------
    >>> int(counted_pixels(d, l4.CircleROI(8, 8, 4), np.zeros((16, 16))).sum())
    45
    """
    y, x = frame_axes_of(signal, "a mask")
    inside = mask_of(mask, (x, y))
    counted = np.isfinite(values) & (inside > 0) if inside.size else np.isfinite(values)
    if isolated or min(values.shape) < 3:
        return counted
    from scipy import ndimage

    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    known = np.where(np.isfinite(values), values, 0.0)
    highest, lowest = (f(known, footprint=ring) for f in (ndimage.maximum_filter, ndimage.minimum_filter))
    noise = 3 * float(np.percentile(np.abs(known - ndimage.median_filter(known, 3)), 99))
    return counted & (known <= 3 * highest.clip(0) + noise) & (3 * known >= lowest - 3 * noise)
