"""The reduced intensity of radial profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.pair_distribution import reduced_intensity
from lazy4d.signals.pair_distribution.scattering import mean_factors
from lazy4d.signals.pair_distribution.transform import get_pdf
from lazy4d.signals.signal1d import Signal1D
from lazy4d.units import PIXEL, convert

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


class ReducedIntensity1D(Signal1D, signal_ndim=1):
    """The reduced intensity φ(k) at each position, 1/Å, made by `get_reduced_intensity`. See `BaseSignal`.

    Data are ``[nav..., k]`` with k = 1/d in 1/Å; φ itself is that of Q = 2π k.

    Examples
    --------
    >>> ReducedIntensity1D(np.zeros((4, 5, 100)), title="reduced")
    <ReducedIntensity1D, title: reduced, dimensions: (5, 4|100), float64, 16 kB>
    """

    # -- pair distribution -------------------------------------------------------------------------------------------
    get_pdf = get_pdf


def get_reduced_intensity(
    signal: BaseSignal,
    elements: Mapping[str, float],
    k_range: Any = None,
    *,
    fit_range: Any = None,
    polynomial_order: int | None = 0,
    scattering_factors: Mapping[str, Any] | None = None,
) -> ReducedIntensity1D:
    """What the order of the atoms adds to each radial profile: a `ReducedIntensity1D` [nav..., k], float64, lazily.

    Parameters
    ----------
    signal : Diffraction1D
        Radial profiles, means over azimuth, on an axis k = 1/d (or an angle, with the beam energy).
    elements : dict of str to float
        Shares of atoms, in any units: ``{"Zr": 65, "Cu": 35}``.
    k_range : (low, high), optional
        What to keep: ints are bins, floats axis units, text carries its unit. All but k = 0 by default; leave out the
        direct beam.
    fit_range : (low, high), optional
        Where the profile is fitted; should hold little but the tail. By default the upper half of `k_range`.
    polynomial_order : int or None
        Of the polynomial in k that is fitted as background: 0 a constant, None nothing.
    scattering_factors : dict of str to callable or ndarray, optional
        Instead of the tabulated ones: functions of k in 1/Å, or values at the bins of `k_range`, in Å.

    Returns
    -------
    ReducedIntensity1D
        Axis "k" in 1/Å, cut to `k_range`. nan where the profile is, and throughout where no atoms are found.

    Raises
    ------
    ValueError
        Elements that do not exist, an axis without a physical unit, or ranges without enough bins.

    Notes
    -----
    ``φ(Q) = Q (I - N <f²> - C) / (N <f>²) = Q (S(Q) - 1)``, Q = 2π k: **k is 1/d = 2 sin θ / λ, without 2π**, as on all
    axes here, and only φ and the transform use Q. N and the polynomial C come from a least-squares fit of
    ``I / <f²>`` to ``N + C / <f²>`` at each position; <…> are means over the atoms (D. J. H. Cockayne and D. R.
    McKenzie, Acta Cryst. A 44 (1988) 870). Scattering factors are those of free atoms, of I. Lobato and D. Van Dyck,
    doi 10.1107/S205327331401643X. Multiple and inelastic scattering are left in: a polynomial of order 2 to 4 takes
    much of it.

    Examples
    --------
    >>> d.set_calibration(scale=0.2, units="1/Å")
    >>> profile = d.get_radial_profile()
    >>> profile.get_reduced_intensity({"Cu": 1}, (0.3, 1.6)).axes_manager["k"].units
    '1/Å'
    """
    axis, kept = k_axis(signal, k_range)
    k = axis.axis
    if not (k > 0).all():
        raise ValueError(
            f"expected k above 0, found bins from {k.min():.4g} to {k.max():.4g} 1/Å: give k_range=(low, high)"
        )
    squared_mean, mean_square = mean_factors(elements, k, scattering_factors)
    shapes = [mean_square]
    if polynomial_order is not None:
        if isinstance(polynomial_order, bool) or polynomial_order != int(polynomial_order) or polynomial_order < 0:
            raise ValueError(f"expected polynomial_order of at least 0, or None, found {polynomial_order!r}")
        place = np.linspace(-1.0, 1.0, k.size)
        shapes += [place**j for j in range(int(polynomial_order) + 1)]
    fitted = _fitted(signal, kept, fit_range)
    if fitted.sum() < len(shapes) + 1:
        raise ValueError(
            f"a fit of {len(shapes)} shapes needs more bins than the {int(fitted.sum())} of fit_range={fit_range!r} "
            "that lie in k_range: widen it"
        )
    frames = signal.frames.isig((kept,)).map_frames(
        reduced_intensity,
        np.stack(shapes, axis=1),
        fitted,
        2 * np.pi * k / squared_mean,
        shape=(k.size,),
        dtype=np.float64,
    )
    params = {
        "elements": dict(elements),
        "k_range": [float(k[0]), float(k[-1])],
        "fit_range": fit_range,
        "polynomial_order": polynomial_order,
        "scattering_factors": None if scattering_factors is None else sorted(scattering_factors),
    }
    result = signal._derive(
        frames.emit(),
        [*signal.nav_axes, axis],
        "get_reduced_intensity",
        params,
        kind=ReducedIntensity1D,
        title=f"reduced intensity of {signal.title}" if signal.title else "reduced intensity",
    )
    return result  # type: ignore[return-value]


def k_axis(signal: BaseSignal, k_range: Any) -> tuple[Axis, slice]:
    """The part of the axis that is kept, in 1/Å, and its bins."""
    axis = signal.frame_axes[0]
    if len(signal.frame_axes) != 1 or signal.dtype.kind == "c":
        raise ValueError(f"expected radial profiles of real numbers, one axis k, found {signal!r}")
    if axis.units == PIXEL:
        raise ValueError(
            f"expected k in 1/Å, 1/nm or an angle, found {axis!r}: calibrate the patterns first, with set_calibration"
        )
    kept = slice(1 if axis.offset == 0 else 0, axis.size) if k_range is None else _bins(axis, k_range, "k_range")
    cut = axis.sliced(kept)
    scale, offset = (float(convert(v, axis.units, "1/Å", axis.beam_energy)) for v in (cut.scale, cut.offset))
    return cut.copy(name="k", scale=scale, offset=offset, units="1/Å"), kept


def _bins(axis: Axis, given: Any, name: str) -> slice:
    if isinstance(given, str) or np.ndim(given) != 1 or len(given) != 2:
        raise ValueError(f"expected {name} as (low, high), found {given!r}")
    return axis.slice_to_pixels(slice(given[0], given[1]))


def _fitted(signal: BaseSignal, kept: slice, fit_range: Any) -> NDArray[np.bool_]:
    size = kept.stop - kept.start
    fitted = np.zeros(size, bool)
    if fit_range is None:
        fitted[size // 2 :] = True
        return fitted
    chosen = _bins(signal.frame_axes[0], fit_range, "fit_range")
    fitted[max(chosen.start - kept.start, 0) : max(chosen.stop - kept.start, 0)] = True
    return fitted


def get_pdf_of_profile(
    signal: BaseSignal,
    elements: Mapping[str, float],
    k_range: Any = None,
    *,
    r_max: float | None = None,
    dr: float = 0.02,
    damping: str | float | None = "lorch",
    low_k: str = "linear",
    **options: Any,
) -> BaseSignal:
    """The reduced pair distribution function G(r) at each position: a Signal1D [nav..., r], 1/Å², float64, lazily.

    Parameters
    ----------
    signal : Diffraction1D
        Radial profiles.
    elements, k_range
        As for `get_reduced_intensity`.
    r_max, dr, damping, low_k
        As for `ReducedIntensity1D.get_pdf`.
    **options
        ``fit_range``, ``polynomial_order`` and ``scattering_factors`` as for `get_reduced_intensity`.

    Returns
    -------
    Signal1D
        Axis "r" in Å.

    Examples
    --------
    >>> d.set_calibration(scale=0.2, units="1/Å")
    >>> d.get_radial_profile().get_pdf({"Cu": 1}, (0.3, 1.6), r_max=2.5, dr=0.05).axes_manager["r"]
    <r axis, size: 51, scale: 0.05, offset: 0, units: Å>
    """
    reduced = get_reduced_intensity(signal, elements, k_range, **options)
    return get_pdf(reduced, r_max, dr, damping=damping, low_k=low_k)
