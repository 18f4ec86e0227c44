"""The variance of fluctuation electron microscopy, of patterns in polar coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels import fluctuation as kernels
from lazy4d.lazy import Reduction, StateArray
from lazy4d.signals.diffraction1d import Diffraction1D
from lazy4d.signals.polar_analysis.counting import counted, titled

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

METHODS = {
    "annular_mean": "variance of annular means",
    "image": "annular mean of the variance image",
    "ring": "variance of rings",
    "mean_ring": "mean variance of rings",
    "ring_ensemble": "variance of the ring ensemble",
}


def get_variance(
    signal: BaseSignal, method: str = "image", mask: Any = None, *, poisson: bool = False, gain: Any = 1.0
) -> Diffraction1D:
    """The normalised variance of the intensity against k, for fluctuation microscopy: a `Diffraction1D`, lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]``; any range of azimuths.
    method : {"image", "annular_mean", "ring", "mean_ring", "ring_ensemble"}
        What is averaged before the variance is taken, and what after; see the notes.
    mask : ROI or bool ndarray [k, azimuth], optional
        Only bins inside, or True, count; bins of nan never do. Bins that hold no pixel, close to the beam, are nan in
        integrals with ``mean=True``, but 0 in sums.
    poisson : bool
        Take off what the noise of counts adds.
    gain : float or ndarray [k] or [k, azimuth], optional
        Variance over mean of the noise of a bin, for `poisson`: 1 for bins that hold counts of electrons, more for a
        detector that gives several units an electron. See `get_angular_correlation` for bins that hold means.

    Returns
    -------
    Diffraction1D
        float64; without navigation axes, but for the method "ring" with one profile at each position. nan in rings
        without a bin that counts.

    Raises
    ------
    ValueError
        No such method, a mask or a gain of another shape.

    Notes
    -----
    r runs over positions, φ over azimuths; all are ``<x²> / <x>² - 1``:

    ===============  =====================================================  =========================================
    method           formula                                                sees
    ===============  =====================================================  =========================================
    "annular_mean"   ``<<I>_φ²>_r / <<I>_φ>_r² - 1``                        thickness and dose, more than speckle
    "image"          ``<<I²>_r / <I>_r² - 1>_φ``                            speckle and thickness, each pixel alone
    "ring"           ``<I²>_φ / <I>_φ² - 1`` at each position               speckle; deaf to thickness and dose
    "mean_ring"      ``<<I²>_φ / <I>_φ² - 1>_r``                            the same, averaged
    "ring_ensemble"  ``<I²>_φr / <I>_φr² - 1``                              speckle and thickness
    ===============  =====================================================  =========================================

    T. L. Daulton, K. S. Bondi, K. F. Kelton, Ultramicroscopy 110 (2010) 1279, doi 10.1016/j.ultramic.2010.05.010,
    compare them. Counts of electrons add 1 / <I> per bin to a variance, 1 / (N <I>) to that of means of N bins;
    ``poisson=True`` takes exactly this off, with the factor 1 - 1/n for n samples about their own mean: what is left
    of pure noise is 0 on average, whatever the dose. All but "ring" are reductions over positions, one pass, float64,
    the same for any cut into blocks; missing frames are left out.

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=4, npt_azim=12, splitting=None)
    >>> variance = polar.get_variance("annular_mean", poisson=True)
    >>> variance.title, variance.data.shape
    ('variance of annular means of azimuthal integral', (4,))
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    frames, inside, noise = counted(signal, mask, poisson, gain, "a variance")
    rings = frames.frame_shape[:1]
    axes = signal.frame_axes[:1]
    data: Any
    if method == "ring":
        data = frames.map_frames(kernels.ring_variance, inside, noise, shape=rings, dtype=np.float64).emit()
        axes = [*signal.nav_axes, *axes]
    elif method == "image":
        state = tuple(StateArray(frames.frame_shape, np.float64) for _ in range(3))
        finish = partial(kernels.pixel_variance_of_rings, gain=noise, inside=inside)
        data = frames.reduce_frames(
            Reduction(kernels.add_pixels, kernels.merge_moments, finish, state, rings, np.dtype(np.float64))
        )
    else:
        add, merge, finalize, arrays = _PARTS[method]
        state = tuple(StateArray(rings, np.float64) for _ in range(arrays))
        reduction = Reduction(add, merge, finalize, state, rings, np.dtype(np.float64))
        data = frames.reduce_frames(reduction, inside, noise)
    result = signal._derive(
        data,
        axes,
        "get_variance",
        {"method": method, "mask": mask, "poisson": bool(poisson), "gain": gain},
        kind=Diffraction1D,
        title=titled(signal, METHODS[method]),
    )
    return result  # type: ignore[return-value]


_PARTS: dict[str, tuple[Callable[..., None], Callable[..., None], Callable[..., Any], int]] = {
    "annular_mean": (kernels.add_annular_means, kernels.merge_with_noise, kernels.variance_with_noise, 4),
    "ring_ensemble": (kernels.add_ring_ensembles, kernels.merge_with_noise, kernels.variance_with_noise, 4),
    "mean_ring": (kernels.add_ring_variances, kernels.merge_means, kernels.known_means, 2),
}
