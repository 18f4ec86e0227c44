"""The pair distribution function of reduced intensities."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.errors import Lazy4DWarning
from lazy4d.kernels.pair_distribution import sine_transform, transform_matrix
from lazy4d.units import convert

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

_LOW_K = ("linear", "zero")
Floats = NDArray[np.float64]


def get_pdf(
    signal: BaseSignal,
    r_max: float | None = None,
    dr: float = 0.02,
    *,
    damping: str | float | None = "lorch",
    low_k: str = "linear",
) -> BaseSignal:
    """The reduced pair distribution function G(r) at each position: a Signal1D [nav..., r], 1/Å², float64, lazily.

    Parameters
    ----------
    signal : ReducedIntensity1D
        Reduced intensities φ on an axis k = 1/d.
    r_max, dr : float
        Largest distance and step, Å; G is given from 0. By default 20 Å, or as far as the bins of k reach if that is
        less: distances beyond 1 / (2 dk), dk the width of a bin, repeat those below.
    damping : {"lorch"}, float or None
        Makes φ end softly, so that its end does not ripple through G. "lorch": ``sin(π Q / Qmax) / (π Q / Qmax)``, Qmax
        the end of the last bin. A number b in Å²: ``exp(-b Q²)``. None: as it is, with the sharpest peaks.
    low_k : {"linear", "zero"}
        Below the first bin φ is a straight line from 0 at k = 0, or 0.

    Returns
    -------
    Signal1D
        Axis "r" in Å, peaks at the distances between atoms. nan where all of φ is; single bins of nan are bridged.

    Raises
    ------
    ValueError
        Distances that are not positive, or damping and low_k that are not known.

    Warns
    -----
    Lazy4DWarning
        Distances beyond what the bins reach.

    Notes
    -----
    ``G(r) = (2/π) ∫ φ(Q) M(Q) sin(Q r) dQ = 4π r (ρ(r) - ρ0)``, Q = 2π k, summed over bins. "lorch" is that of
    E. Lorch, J. Phys. C 2 (1969) 229. A sharp distance becomes a peak 3.8 / Qmax wide (None) or 5.4 / Qmax ("lorch").

    Examples
    --------
    >>> phi = l4.signals.ReducedIntensity1D(np.zeros((3, 50)))
    >>> k = phi.frame_axes[0]
    >>> k.scale, k.offset, k.units = 0.04, 0.02, "1/Å"
    >>> phi.get_pdf(r_max=10.0, dr=0.1)
    <Signal1D, title: pair distribution function, dimensions: (3|101), float64, lazy 2.4 kB, 1 block>
    """
    farthest = 20.0 if r_max is None else r_max
    if not (np.isfinite(farthest) and np.isfinite(dr) and 0 < dr <= farthest):
        raise ValueError(f"expected distances with 0 < dr <= r_max in Å, found {r_max=} and {dr=}")
    if low_k not in _LOW_K:
        raise ValueError(f"low_k={low_k!r} is not known: expected one of {', '.join(map(repr, _LOW_K))}")
    axis = signal.frame_axes[0]
    if axis.size < 2:
        raise ValueError(f"a transform needs at least two bins, found {axis!r}")
    q = 2 * np.pi * np.asarray(convert(axis.axis, axis.units, "1/Å", axis.beam_energy), np.float64)
    if not (q > 0).all():
        raise ValueError(f"expected k above 0, found {axis!r}: select the bins above it with isig")
    reach = np.pi / abs(q[1] - q[0])
    r_max = min(20.0, reach) if r_max is None else r_max
    if r_max > reach * (1 + 1e-6):
        warn(
            f"distances beyond {reach:.3g} Å repeat those below, as mirror images, with bins of {axis.scale:g} "
            f"{axis.units}: give r_max={reach:.3g}, or finer bins of k",
            Lazy4DWarning,
            stacklevel=3,
        )
    end = float(q[-1] + (q[1] - q[0]) / 2)
    r = dr * np.arange(round(r_max / dr) + 1)
    matrix = transform_matrix(q, r, _damping(damping, end), low_k == "linear")
    frames = signal.frames.map_frames(sine_transform, matrix, shape=(r.size,), dtype=np.float64)
    result = signal._derive(
        frames.emit(),
        [*signal.nav_axes, Axis(name="r", size=r.size, scale=float(dr), units="Å")],
        "get_pdf",
        {"r_max": float(r_max), "dr": float(dr), "damping": damping, "low_k": low_k},
        kind=signal._class_of[1],
        title="pair distribution function",
    )
    result.metadata.set_item("Signal.quantity", "G (1/Å²)")
    return result


def _damping(given: Any, end: float) -> Any:
    """M(Q)."""
    if given is None:
        return np.ones_like
    if isinstance(given, str) and given == "lorch":
        return partial(_lorch, end=end)
    if isinstance(given, str) or isinstance(given, bool) or not (np.isfinite(given) and given >= 0):
        raise ValueError(f'expected damping as "lorch", a number of at least 0 in Å², or None, found {given!r}')
    return partial(_gaussian, strength=float(given))


def _lorch(q: Floats, end: float) -> Floats:
    return np.sinc(q / end)


def _gaussian(q: Floats, strength: float) -> Floats:
    return np.exp(-strength * q * q)
