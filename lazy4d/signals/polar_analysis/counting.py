"""Which bins count and how noisy they are, from what a user gives to what kernels take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames
from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def counted(
    signal: BaseSignal, mask: Any, poisson: bool, gain: Any, what: str
) -> tuple[Frames, NDArray[np.uint8], NDArray[np.float64]]:
    """The frames, the bins or pixels that count (uint8, of size 0 for all) and the gain (of size 0 for no correction).

    Parameters
    ----------
    signal : BaseSignal
        Images.
    mask : ROI, bool ndarray of a frame's shape, or None
        True where something counts.
    poisson : bool
        Whether noise is taken off.
    gain : number, ndarray or computed signal
        Variance over mean of the noise: one number, one a row, or one a pixel.
    what : str
        What it is for, for errors.

    Raises
    ------
    ValueError
        Masks or gains of another shape, or a gain that is not positive.

    Examples
    --------
    >>> counted(d, None, True, 2.0, "a variance")[2].shape
    (16, 16)
    """
    frames = image_frames(signal, what)
    y, x = signal.frame_axes
    inside = mask_of(mask, (x, y))
    if not poisson:
        if not (np.ndim(gain) == 0 and not hasattr(gain, "nav_shape") and gain == 1):
            raise ValueError("a gain says how noisy the counts are, which only poisson=True takes off: give both")
        return frames, inside, np.empty((0, 0))
    values = known_array(gain, "a gain")
    shape = signal.frame_shape
    if values.shape == shape[:1]:
        values = values[:, None]
    if values.shape not in ((), (shape[0], 1), shape) or values.dtype.kind not in "biuf":
        raise ValueError(
            f"expected gain as a number, one for each of the {shape[0]} rows of a frame or an array of the frame's "
            f"shape {shape} (numpy order), found shape {np.shape(gain)} and dtype {values.dtype}"
        )
    if np.isinf(values).any() or (values.ndim == 0 and np.isnan(values)):
        raise ValueError(f"expected a finite gain (variance over mean of the noise), found {gain!r}")
    if np.any(values < 0):
        raise ValueError(f"expected gain (variance over mean of the noise) of at least 0, found {values.min()}")
    everywhere = np.broadcast_to(np.nan_to_num(values.astype(np.float64), nan=0.0), shape)
    unknown = np.broadcast_to(np.isnan(values), shape)
    if unknown.any():  # such as in bins that hold no pixel: of what has no gain, the noise is not known
        inside = np.ascontiguousarray((inside if inside.size else np.ones(shape, np.uint8)) * ~unknown).astype(np.uint8)
    return frames, inside, np.ascontiguousarray(everywhere)


def check_whole_turn(signal: BaseSignal, what: str) -> None:
    """Refuse azimuths that do not go once around.

    Raises
    ------
    ValueError
        The azimuth covers more or less than 2π rad.
    """
    azimuth = signal.frame_axes[1]
    if azimuth.units != "rad":
        raise ValueError(f"{what} needs an azimuth in rad, found {azimuth!r}")
    covered = abs(azimuth.scale) * azimuth.size
    if not math.isclose(covered, 2 * math.pi, rel_tol=1e-6):
        raise ValueError(
            f"{what} needs azimuths that go once around, 2π, found {covered:.4g} rad: integrate without azimuth_range, "
            "and give a mask instead"
        )


def titled(signal: BaseSignal, what: str) -> str:
    """The title of a result."""
    return f"{what} of {signal.title}" if signal.title else what
