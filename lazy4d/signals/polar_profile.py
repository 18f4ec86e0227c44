"""The radial profile of a pattern in polar coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazy4d.kernels import azimuthal as kernels
from lazy4d.signals.construction import image_frames
from lazy4d.signals.diffraction1d import Diffraction1D

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_radial_profile(signal: BaseSignal) -> Diffraction1D:
    """The mean over all azimuths of each pattern in polar coordinates, as a `Diffraction1D`, float64.

    Bins of nan, which hold no pixel, are left out; a radius that has no other is nan. Every azimuth counts alike,
    whereas ``get_azimuthal_integral1d(mean=True)`` of the pattern itself lets every pixel count alike.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]``.

    Examples
    --------
    >>> d.get_azimuthal_integral2d(npt=4, npt_azim=8, mean=True).get_radial_profile().data.shape
    (4, 4, 4)
    """
    frames = image_frames(signal, "a radial profile")
    profile = frames.map_frames(kernels.mean_over_azimuth, shape=frames.frame_shape[:1], dtype=np.float64)
    result = signal._derive(
        profile.emit(),
        [*signal.nav_axes, signal.frame_axes[0]],
        "get_radial_profile",
        {},
        kind=Diffraction1D,
        title=f"radial profile of {signal.title}" if signal.title else "radial profile",
    )
    return result  # type: ignore[return-value]
