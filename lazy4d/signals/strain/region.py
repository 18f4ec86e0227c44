"""The part of a scan that counts: a ROI, an array or an image of bool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def counted_positions(vectors: DiffractionVectors | BaseSignal, mask: Any) -> Any:
    """Which positions count: None for all, else bool [nav...], an ndarray or, where it is not known yet, lazy.

    Raises
    ------
    ValueError
        Not bool, of another shape, or False everywhere.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]], [[3, 5]]], frame_shape=(8, 8))
    >>> counted_positions(v, np.array([True, False]))
    array([ True, False])
    """
    if mask is None:
        return None
    if hasattr(mask, "spans"):
        if len(vectors.nav_shape) < 2:
            raise ValueError(
                f"{mask!r} selects from two navigation axes, found {len(vectors.nav_shape)}: give a bool array of "
                f"shape {vectors.nav_shape}"
            )
        return np.broadcast_to(mask.mask((vectors.nav_axes[-1], vectors.nav_axes[-2])), vectors.nav_shape)
    array = mask.data if hasattr(mask, "nav_shape") else mask if hasattr(mask, "dask") else np.asarray(mask)
    if np.dtype(array.dtype) != np.bool_ or tuple(array.shape) != vectors.nav_shape:
        raise ValueError(
            f"expected a mask of positions that is a ROI, a bool array or a VirtualImage of bool, of the navigation "
            f"shape {vectors.nav_shape} (numpy order); found {array.dtype} of shape {tuple(array.shape)}"
        )
    if isinstance(array, np.ndarray) and not array.any():
        raise ValueError(f"the mask of positions of shape {array.shape} is False everywhere: no position would count")
    return array
