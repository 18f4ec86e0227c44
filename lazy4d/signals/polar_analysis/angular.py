"""Angular correlation, power and symmetry of each pattern in polar coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels import angular as kernels
from lazy4d.signals.polar_analysis.counting import check_whole_turn, counted, titled

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_angular_correlation(
    signal: BaseSignal, mask: Any = None, normalize: bool = True, *, poisson: bool = False, gain: Any = 1.0
) -> BaseSignal:
    """How alike each ring is to itself turned by an angle: a Signal2D [nav..., k, angle], float64, lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]`` whose azimuths go once around.
    mask : ROI or bool ndarray [k, azimuth], optional
        Only bins inside, or True, count; bins of nan never do. Bins that hold no pixel, close to the beam, are nan in
        integrals with ``mean=True``, but 0 in sums.
    normalize : bool
        Give the correlation of the deviations from the mean of the ring in units of that mean squared; else
        ``<I(φ) I(φ + Δ)>_φ`` itself.
    poisson : bool
        Take off what the noise of counts adds.
    gain : float or ndarray [k] or [k, azimuth], optional
        Variance over mean of the noise of a bin, for `poisson`: 1 for bins of counted electrons. See the notes.

    Returns
    -------
    Signal2D
        Axis "angle" from 0 to 2π, rad. nan where no two bins that count stand so far apart, and in rings of mean 0.

    Raises
    ------
    ValueError
        Azimuths that do not go once around, a mask or a gain of another shape.

    Notes
    -----
    With d = I - <I> over the bins that count of a ring,
    ``C(k, Δ) = <d(φ) d(φ + Δ)> / <I>²``, the mean over the pairs of bins that both count. Without a mask that is
    ``<I(φ) I(φ + Δ)> / <I>² - 1`` (P. Wochner et al., PNAS 106 (2009) 11511, doi 10.1073/pnas.0905337106).
    ``C(k, 0)`` is the normalised variance of the ring.

    Noise that is independent from bin to bin adds ``<g I> / <I>²`` at angle 0 and, because the mean is found from the
    same counts, -1/N of this everywhere. Where bins share pixels (``splitting="bilinear"``) noise also reaches the
    neighbouring angles; ``splitting=None`` keeps it at 0. Of means over bins instead of sums the gain is one over the
    number of pixels in a bin: ``ones.get_azimuthal_integral2d(..., statistic="poisson_error").as_numpy() ** 2`` of a
    pattern of ones gives it.

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=4, npt_azim=12, splitting="exact", mean=True)
    >>> correlation = polar.get_angular_correlation()
    >>> correlation.data.shape, correlation.axes_manager["angle"].units
    ((4, 4, 4, 12), 'rad')
    """
    check_whole_turn(signal, "an angular correlation")
    frames, inside, noise = counted(signal, mask, poisson, gain, "an angular correlation")
    result = frames.map_frames(
        kernels.angular_correlation, inside, noise, bool(normalize), shape=frames.frame_shape, dtype=np.float64
    )
    k, azimuth = signal.frame_axes
    angle = Axis(name="angle", size=azimuth.size, scale=abs(azimuth.scale), units="rad")
    params = {"mask": mask, "normalize": bool(normalize), "poisson": bool(poisson), "gain": gain}
    return signal._derive(
        result,
        [*signal.nav_axes, k, angle],
        "get_angular_correlation",
        params,
        kind=signal._class_of[2],
        title=titled(signal, "angular correlation"),
    )


def get_angular_power(signal: BaseSignal, mask: Any = None, *, poisson: bool = False, gain: Any = 1.0) -> BaseSignal:
    """The power of each order of rotational symmetry of each ring: a Signal2D [nav..., k, order], float64, lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]`` whose azimuths go once around.
    mask, poisson, gain
        As for `get_angular_correlation`.

    Returns
    -------
    Signal2D
        Axis "order" from 0 to half the number of azimuths; an order is its own pixel, ``isig[6]`` is 6-fold.

    Raises
    ------
    ValueError
        Azimuths that do not go once around, a mask or a gain of another shape.

    Notes
    -----
    The coefficients of ``C(k, Δ) = Σ_n P_n(k) cos(n Δ)``, see `get_angular_correlation`: ``1 + a cos(n φ + φ0)`` has
    ``P_n = a² / 2``, whatever φ0, and no other power; all orders from 1 add up to the normalised variance of the ring.
    (At the very last order, half an even number of azimuths, the phase counts: a² if the bins lie on the crests.)
    The order 0 is 0 without a mask. Independent noise adds 2/N of ``<g I> / <I>²`` to every order, N the number of
    azimuths. Intensity averaged over bins of 2π/N lowers P_n by sinc²(n / N).

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=4, npt_azim=12, splitting="exact", mean=True)
    >>> polar.get_angular_power().isig[6].data.shape
    (4, 4, 4)
    """
    check_whole_turn(signal, "an angular power")
    frames, inside, noise = counted(signal, mask, poisson, gain, "an angular power")
    k, azimuth = signal.frame_axes
    orders = azimuth.size // 2 + 1
    result = frames.map_frames(kernels.angular_power, inside, noise, shape=(k.size, orders), dtype=np.float64)
    return signal._derive(
        result,
        [*signal.nav_axes, k, Axis(name="order", size=orders)],
        "get_angular_power",
        {"mask": mask, "poisson": bool(poisson), "gain": gain},
        kind=signal._class_of[2],
        title=titled(signal, "angular power"),
    )


def get_symmetry_coefficient(
    signal: BaseSignal,
    order: int | Sequence[int],
    radial_range: Any = None,
    mask: Any = None,
    *,
    poisson: bool = False,
    gain: Any = 1.0,
) -> Any:
    """How strong one order of rotational symmetry is at each position: a `VirtualImage`, float64, lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]`` whose azimuths go once around.
    order : int or sequence of int
        2 for twofold symmetry, 6 for sixfold, up to half the number of azimuths.
    radial_range : (low, high), optional
        Only these rings: ints are pixels, floats axis units, text carries its unit. All by default.
    mask, poisson, gain
        As for `get_angular_correlation`, over all rings.

    Returns
    -------
    VirtualImage, or list of VirtualImage
        The mean over rings of their `get_angular_power`, rings of nan left out; a list for several orders.

    Raises
    ------
    ValueError
        An order that the azimuths do not hold, or what `get_angular_correlation` raises.

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=4, npt_azim=12, splitting="exact", mean=True)
    >>> two, three = polar.get_symmetry_coefficient([2, 3], radial_range=(1, 4))
    >>> two.data.shape
    (4, 4)
    """
    if isinstance(order, Sequence | np.ndarray) and not isinstance(order, str):
        return [get_symmetry_coefficient(signal, one, radial_range, mask, poisson=poisson, gain=gain) for one in order]
    check_whole_turn(signal, "a symmetry coefficient")
    most = signal.frame_axes[1].size // 2
    if isinstance(order, bool | str) or not np.isfinite(order) or order != int(order) or not 1 <= order <= most:
        raise ValueError(f"expected an order of symmetry from 1 to {most}, half the azimuths, found {order!r}")
    frames, inside, noise = counted(signal, mask, poisson, gain, "a symmetry coefficient")
    rings = _rings(signal, radial_range)
    frames = frames.isig((rings, slice(None)))
    result = frames.map_frames(
        kernels.symmetry_coefficient,
        inside[rings] if inside.size else inside,
        noise[rings] if noise.size else noise,
        int(order),
        shape=(),
        dtype=np.float64,
    )
    params = {"order": int(order), "radial_range": radial_range, "mask": mask, "poisson": bool(poisson), "gain": gain}
    return signal._derive(
        result.emit(),
        signal.nav_axes,
        "get_symmetry_coefficient",
        params,
        kind=signal._class_of[0],
        title=titled(signal, f"{int(order)}-fold symmetry"),
    )


def get_full_pearson_correlation(signal: BaseSignal, mask: Any = None, radial_range: Any = None) -> BaseSignal:
    """Pearson's correlation of each pattern and itself turned, over all bins: a Signal1D [nav..., angle], lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns ``[nav..., k, azimuth]`` whose azimuths go once around.
    mask : ROI or bool ndarray [k, azimuth], optional
        Only bins inside, or True, count; bins of nan never do.
    radial_range : (low, high), optional
        Only these rings: ints are pixels, floats axis units, text carries its unit. All by default.

    Returns
    -------
    Signal1D
        float64 in [-1, 1], 1 at angle 0; axis "angle" from 0 to 2π, rad.

    Raises
    ------
    ValueError
        Azimuths that do not go once around, or a mask of another shape.

    Notes
    -----
    Unlike `get_angular_correlation` one number for the whole pattern: bright rings count more, and as they stay bright
    whatever the angle, rings alone already correlate.

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=4, npt_azim=12, splitting="exact", mean=True)
    >>> polar.get_full_pearson_correlation().data.shape
    (4, 4, 12)
    """
    check_whole_turn(signal, "a Pearson correlation")
    frames, inside, _ = counted(signal, mask, False, 1.0, "a Pearson correlation")
    rings = _rings(signal, radial_range)
    azimuth = signal.frame_axes[1]
    result = frames.isig((rings, slice(None))).map_frames(
        kernels.pearson_correlation,
        inside[rings] if inside.size else inside,
        shape=(azimuth.size,),
        dtype=np.float64,
    )
    angle = Axis(name="angle", size=azimuth.size, scale=abs(azimuth.scale), units="rad")
    return signal._derive(
        result.emit(),
        [*signal.nav_axes, angle],
        "get_full_pearson_correlation",
        {"mask": mask, "radial_range": radial_range},
        kind=signal._class_of[1],
        title=titled(signal, "Pearson correlation"),
    )


def _rings(signal: BaseSignal, radial_range: Any) -> slice:
    """The rows of a radial range, as a slice of step 1."""
    k = signal.frame_axes[0]
    if radial_range is None:
        return slice(0, k.size)
    if isinstance(radial_range, str) or np.ndim(radial_range) != 1 or len(radial_range) != 2:
        raise ValueError(f"expected radial_range as (low, high), found {radial_range!r}")
    return k.slice_to_pixels(slice(radial_range[0], radial_range[1]))
