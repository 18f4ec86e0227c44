"""The mean frame of a region of the scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.roi import ROI
from lazy4d.signals.construction import known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def region_mask(signal: Any, region: Any) -> NDArray[np.bool_]:
    """Which positions a region of the scan holds: bool, of the scan's shape.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    region : ROI, str, or bool ndarray or VirtualImage [nav...]
        A region, its name in ``s.regions``, or a mask.

    Raises
    ------
    TypeError, ValueError
        Something else, a name that is not known, or a region without any position.

    Examples
    --------
    >>> int(region_mask(d, l4.RectangleROI(0, 0, 2, 3)).sum())
    6
    """
    if isinstance(region, str):
        region = signal.regions.navigation[region]
    axes = signal.nav_axes
    if isinstance(region, ROI):
        if len(axes) not in (1, 2):
            raise ValueError(
                f"expected a scan of one or two axes for {region!r}, found {len(axes)}: select the others with inav, "
                "or give a mask of the scan's shape"
            )
        return region.mask(tuple(axes[::-1]))
    if hasattr(region, "nav_shape") and region.lazy:
        raise TypeError(f"expected a region that is known, found the lazy {region!r}: compute it first")
    mask = region.data if hasattr(region, "nav_shape") else known_array(region, "a region")
    if mask.dtype != np.bool_ or mask.shape != tuple(signal.nav_shape):
        raise ValueError(
            f"expected a region that is a ROI, the name of one, or a mask of bool of the scan's shape "
            f"{tuple(signal.nav_shape)}, found shape {mask.shape} and dtype {mask.dtype}"
        )
    if not mask.any():
        raise ValueError(f"expected a region of at least one position, found a mask of shape {mask.shape} without any")
    return mask


def get_region_mean(signal: BaseSignal, region: Any) -> Any:
    """The mean frame over a region of the scan, such as the mean pattern of a grain: lazy, float64.

    Parameters
    ----------
    signal : BaseSignal
        A scan.
    region : ROI, str, bool mask [nav...], or list or dict of these
        A region of the scan, its name in `regions`, or a mask of positions. A list gives a list, a dict a dict.

    Returns
    -------
    BaseSignal, or list or dict of them
        Frames without navigation axes. Only the positions in the region are read; missing frames are left out.

    Raises
    ------
    TypeError, ValueError
        No such region, or one without any position.

    Examples
    --------
    >>> grain = d.get_region_mean(l4.CircleROI(1, 2, 1.5))
    >>> grain.data.shape, grain.data.dtype
    ((16, 16), dtype('float64'))
    """
    if isinstance(region, Mapping):
        return {key: _region_mean(signal, one, str(key)) for key, one in region.items()}
    if isinstance(region, list | tuple):
        return [_region_mean(signal, one, one if isinstance(one, str) else "") for one in region]
    return _region_mean(signal, region, region if isinstance(region, str) else "")


def _region_mean(signal: BaseSignal, region: Any, name: str) -> BaseSignal:
    if not signal.nav_shape:
        raise ValueError(f"expected a scan, found {signal!r} without navigation axes: it is one frame already")
    of = f" of {signal.title}" if signal.title else ""
    result = signal.inav[region_mask(signal, region)].mean()
    result.metadata.set_item("General.title", f"{name or 'region'}{of}")
    return result
