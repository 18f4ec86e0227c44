"""The variance image of a scan of patterns, and its annular mean."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels import fluctuation, patterns
from lazy4d.lazy import Reduction, StateArray
from lazy4d.signals.azimuthal import get_azimuthal_integral1d
from lazy4d.signals.diffraction1d import Diffraction1D
from lazy4d.signals.polar_analysis.counting import counted, titled

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_variance_image(signal: BaseSignal, mask: Any = None, *, poisson: bool = False, gain: Any = 1.0) -> BaseSignal:
    """The normalised variance of every pixel over positions, ``<I²> / <I>² - 1``: a `Diffraction2D` without navigation.

    Parameters
    ----------
    signal : Diffraction2D
        Patterns.
    mask : ROI or bool ndarray [ky, kx], optional
        Pixels outside, or False, are nan.
    poisson : bool
        Take off what the noise of counts adds, ``(1 - 1/n) gain / <I>`` for n positions.
    gain : float or ndarray [ky, kx], optional
        Variance over mean of the noise of a pixel, for `poisson`: 1 for counted electrons.

    Returns
    -------
    Diffraction2D
        float64, lazy; nan where the mean is 0. Missing frames are left out, and so are single pixels of nan.

    Raises
    ------
    ValueError
        A mask or a gain of another shape.

    Examples
    --------
    >>> d.get_variance_image(poisson=True).data.shape
    (16, 16)
    """
    frames, inside, noise = counted(signal, mask, poisson, gain, "a variance image")
    shape = frames.frame_shape
    moments = StateArray(shape, np.float64), StateArray(shape, np.float64)
    finish = partial(fluctuation.pixel_variance, gain=noise, inside=inside)
    if frames.dtype.kind == "f":
        state = (StateArray(shape, np.float64), *moments)
        reduction = Reduction(
            fluctuation.add_pixels, fluctuation.merge_moments, finish, state, shape, np.dtype(np.float64)
        )
    else:
        state = (StateArray((1,), np.int64), *moments)
        reduction = Reduction(
            patterns.moments_pattern, patterns.combine_moments, finish, state, shape, np.dtype(np.float64)
        )
    return signal._derive(
        frames.reduce_frames(reduction),
        signal.frame_axes,
        "get_variance_image",
        {"mask": mask, "poisson": bool(poisson), "gain": gain},
        title=titled(signal, "variance image"),
    )


def get_variance(
    signal: BaseSignal,
    npt: int | None = None,
    *,
    mask: Any = None,
    poisson: bool = False,
    gain: Any = 1.0,
    **options: Any,
) -> Diffraction1D:
    """The annular mean of the variance image against k, for fluctuation microscopy: a `Diffraction1D`, float64, lazily.

    Parameters
    ----------
    signal : Diffraction2D
        Patterns, centred.
    npt : int, optional
        Number of radial bins; by default one a pixel.
    mask, poisson, gain
        As for `get_variance_image`.
    **options
        ``radial_range``, ``azimuth_range``, ``units``, ``center``, ``ellipse`` and ``splitting`` as for
        `get_azimuthal_integral1d`; one centre for all positions.

    Returns
    -------
    Diffraction1D
        Without navigation axes.

    Notes
    -----
    The estimator "image" of `PolarDiffraction2D.get_variance`, where the others are found, from the pixels themselves,
    whose noise is independent. Pixels in which nothing was counted are left out.

    Examples
    --------
    >>> d.get_variance(npt=4, poisson=True).data.shape
    (4,)
    """
    center: Any = options.get("center")
    if getattr(center, "nav_shape", ()):
        raise ValueError(
            f"expected one centre for all positions, found {center!r}: pixels are compared over positions, so centre "
            "the patterns first, with center_direct_beam"
        )
    image = get_variance_image(signal, mask, poisson=poisson, gain=gain)
    result = get_azimuthal_integral1d(image, npt, mean=True, skip_nan=True, **options)
    result.metadata.set_item("General.title", titled(signal, "annular mean of the variance image"))
    return result
