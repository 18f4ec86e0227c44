"""Which scan positions count, and how much: ROIs, arrays and images of the scan as one weight a position."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.lazy import Frames, PerPosition
from lazy4d.signals.construction import may_be_damaged

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def position_weights(signal: BaseSignal, mask: Any = None, weights: Any = None) -> PerPosition | None:
    """The weight of each position as a lazy parameter of kernels, or None where all count alike.

    Positions whose frames are missing do not count, also where they hold zeros (``incomplete="zero"``).

    Parameters
    ----------
    signal : BaseSignal
        The positions.
    mask : ROI, bool ndarray [nav...] or VirtualImage of bool, optional
        Positions outside, or False, have the weight 0.
    weights : ndarray [nav...] or VirtualImage, optional
        Their weights otherwise; what is not above 0, or not finite, counts as 0.

    Raises
    ------
    ValueError
        Another shape than that of the scan, a mask that is not bool, or one that is known to be False everywhere.

    Examples
    --------
    >>> com = d.get_direct_beam_position()
    >>> position_weights(com, l4.CircleROI(1, 1, 2)).array.sum().compute()
    np.int64(9)
    """
    parts = []
    if mask is not None:
        inside = navigation_mask(signal, mask)
        parts.append(position_array(signal, inside, "a mask of positions"))
    if weights is not None:
        array = position_array(signal, weights, "weights of positions")
        if array.dtype.kind not in "biuf":
            raise ValueError(f"expected weights of positions as real numbers, found dtype {array.dtype}")
        parts.append(np.where(np.isfinite(array), array, 0))
    if may_be_damaged(signal) and signal.frames.incomplete == "zero":  # zeros there are no positions
        parts.append(signal.frames.valid)
    return PerPosition(reduce(mul, parts)) if parts else None


def navigation_mask(signal: BaseSignal, mask: Any) -> Any:
    """A mask of scan positions as a bool ndarray or a lazy signal, checked as far as it is known."""
    if hasattr(mask, "spans"):
        if len(signal.nav_shape) < 2:
            raise ValueError(
                f"{mask!r} selects from two navigation axes, found {len(signal.nav_shape)}: give a bool array of shape "
                f"{signal.nav_shape}"
            )
        plane = mask.mask((signal.nav_axes[-1], signal.nav_axes[-2]))
        return np.broadcast_to(plane, signal.nav_shape)
    inside = mask if hasattr(mask, "nav_shape") or hasattr(mask, "dask") else np.asarray(mask)
    if np.dtype(inside.dtype) != np.bool_:
        raise ValueError(
            f"expected a mask of positions that is a ROI, a bool array or a VirtualImage of bool, found dtype "
            f"{inside.dtype}: compare it with something, such as 'image > 10', or give it as weights="
        )
    known = inside if isinstance(inside, np.ndarray) else getattr(inside, "data", None)
    if isinstance(known, np.ndarray) and not known.any():
        raise ValueError(f"the mask of positions of shape {known.shape} is False everywhere: no position would count")
    return inside


def position_array(signal: BaseSignal, value: Any, what: str) -> Any:
    """A value for each position, of an array or a VirtualImage, as a dask array of the navigation shape.

    Parameters
    ----------
    signal : BaseSignal
        Whose positions these are.
    value : ndarray, dask array or VirtualImage [nav...]
        The values.
    what : str
        What they are, for messages.

    Raises
    ------
    ValueError
        Another shape.

    Examples
    --------
    >>> position_array(d, np.ones((4, 4)), "weights").shape
    (4, 4)
    """
    if hasattr(value, "nav_shape"):
        if value.nav_shape != signal.nav_shape or value.frame_shape:
            raise ValueError(
                f"expected {what} of the navigation shape {signal.nav_shape} (numpy order), found {value!r}: give one "
                "number for each position"
            )
        return value.frames.data
    if tuple(np.shape(value)) != signal.nav_shape:
        raise ValueError(
            f"expected {what} of the navigation shape {signal.nav_shape} (numpy order), found shape {np.shape(value)}"
        )
    if hasattr(value, "dask"):
        return value
    frames: Frames = signal.frames
    array = np.ascontiguousarray(value)
    return Frames.from_array(array, len(signal.nav_shape), chunks=frames.chunks).data
