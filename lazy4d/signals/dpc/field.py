"""Deflections of the beam, and the electric and magnetic fields along its path that make them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.lazy import PerPosition
from lazy4d.signals.beam_fit.counting import position_array
from lazy4d.signals.dpc.vectors import known_energy, moved_frames, unit_scales, vector_signal
from lazy4d.units import ANGLES, canonical, convert, parse

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.beam_position import BeamPosition

REST_ENERGY = 510.99895  # of an electron, keV (CODATA 2018)
LIGHT = 299792458.0  # m/s


def get_deflection(signal: BeamPosition, units: str = "mrad", beam_energy: float | str | None = None) -> BaseSignal:
    """The angle by which the beam is deflected, at each position: a Signal1D [..., 2] of (y, x).

    Parameters
    ----------
    signal : BeamPosition
        Positions; deflections count from where the axes of the frames are 0.
    units : {"mrad", "rad", "µrad", "deg"}, optional
        Of the angle.
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``; needed where the frames are calibrated in inverse lengths. By default that of the scan.

    Returns
    -------
    Signal1D
        Lazy, float64.

    Raises
    ------
    ValueError
        The frames were never calibrated, the beam energy is not known, or the units are none of an angle.

    Notes
    -----
    ``θ = λ k`` with the relativistic wavelength λ, for small angles.

    Examples
    --------
    >>> d.set_calibration(scale=0.02, units="1/Å", beam_energy="200 kV")
    >>> d.get_direct_beam_position().get_deflection().data.shape
    (4, 4, 2)
    """
    to = canonical(units)
    if to not in ANGLES:
        raise ValueError(f"expected units of an angle, {sorted(ANGLES)}, found {units!r}: for others use to_units()")
    frames = moved_frames(signal, np.diag(unit_scales(signal, to, beam_energy)))
    return vector_signal(
        signal, frames, "get_deflection", {"units": to, "beam_energy": beam_energy}, f"deflection ({to})"
    )


def get_electric_field(
    signal: BeamPosition, thickness: Any = None, beam_energy: float | str | None = None
) -> BaseSignal:
    """The electric field across the beam, summed along it, at each position: a Signal1D [..., 2] of (y, x) in V.

    Parameters
    ----------
    signal : BeamPosition
        Positions in the frame of the scan (see `calibrate_rotation`); deflections count from where the axes are 0.
    thickness : float, str, VirtualImage or ndarray [nav...], optional
        Of the specimen, in nm or text with a unit, or a map of it in nm. With it the result is the mean field, in V/nm.
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``; by default that of the scan.

    Returns
    -------
    Signal1D
        Lazy, float64: ``∫ E dz`` in V (the same as V/nm × nm), or its mean over the thickness in V/nm.

    Raises
    ------
    ValueError
        The frames were never calibrated, or the beam energy is not known.

    Notes
    -----
    An electron of momentum p and velocity v takes up the momentum ``-e ∫ E dz / v`` across its path, so
    ``∫ E dz = -θ p v / e`` with ``p v = W (W + 2 m c²) / (W + m c²)`` for the kinetic energy W (343.7 keV at 200 kV):
    electrons are deflected against the field. See I. Lazić, E. G. T. Bosch, S. Lazar, Ultramicroscopy 160, 265 (2016),
    doi 10.1016/j.ultramic.2015.10.011, for what a focused probe averages over.

    Examples
    --------
    >>> d.set_calibration(scale=0.1, units="mrad", beam_energy="200 kV")
    >>> d.get_direct_beam_position().get_electric_field(thickness="20 nm").metadata.Signal.quantity
    'electric field (V/nm)'
    """
    energy = known_energy(signal, beam_energy, "an electric field")
    scales = unit_scales(signal, "rad", beam_energy)
    return _field(
        signal,
        np.diag(-volts_per_radian(energy) * scales),
        thickness,
        "get_electric_field",
        beam_energy,
        ("projected electric field (V)", "electric field (V/nm)"),
    )


def get_magnetic_induction(
    signal: BeamPosition, thickness: Any = None, beam_energy: float | str | None = None
) -> BaseSignal:
    """The magnetic induction across the beam, summed along it, at each position: a Signal1D [..., 2] of (y, x) in T nm.

    Parameters
    ----------
    signal : BeamPosition
        Positions in the frame of the scan (see `calibrate_rotation`); deflections count from where the axes are 0.
    thickness : float, str, VirtualImage or ndarray [nav...], optional
        Of the specimen, in nm or text with a unit, or a map of it in nm. With it the result is the mean induction, in
        T.
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``; by default that of the scan.

    Returns
    -------
    Signal1D
        Lazy, float64: ``∫ B dz`` in T nm, or its mean over the thickness in T.

    Raises
    ------
    ValueError
        The frames were never calibrated, or the beam energy is not known.

    Notes
    -----
    The force ``-e v × B`` on an electron flying along +z gives ``θ_x = (e/p) ∫ B_y dz``, ``θ_y = -(e/p) ∫ B_x dz`` in
    right-handed axes x, y, z: with x to the right and y down, the scan as seen along the beam, from the source. Seen
    from the other side both components change sign. ``e/p = e λ / h`` is 1 / (1649 T nm/mrad) at 200 kV: M. Krajnak
    et al., Ultramicroscopy 165, 42 (2016), doi 10.1016/j.ultramic.2016.03.006, eq. 1.

    Examples
    --------
    >>> d.set_calibration(scale=0.1, units="mrad", beam_energy="200 kV")
    >>> d.get_direct_beam_position().get_magnetic_induction().metadata.Signal.quantity
    'projected magnetic induction (T nm)'
    """
    energy = known_energy(signal, beam_energy, "a magnetic induction")
    y, x = tesla_nm_per_radian(energy) * unit_scales(signal, "rad", beam_energy)
    return _field(
        signal,
        np.array([[0.0, x], [-y, 0.0]]),
        thickness,
        "get_magnetic_induction",
        beam_energy,
        ("projected magnetic induction (T nm)", "magnetic induction (T)"),
    )


def volts_per_radian(energy: float) -> float:
    """``p v / e`` in V, for a kinetic energy in keV.

    Examples
    --------
    >>> round(volts_per_radian(200.0))
    343741
    """
    return 1e3 * energy * (energy + 2 * REST_ENERGY) / (energy + REST_ENERGY)


def tesla_nm_per_radian(energy: float) -> float:
    """``p / e`` in T nm, for a kinetic energy in keV.

    Examples
    --------
    >>> round(tesla_nm_per_radian(200.0))
    1649034
    """
    return 1e9 * 1e3 * math.sqrt(energy * (energy + 2 * REST_ENERGY)) / LIGHT


def _field(
    signal: BeamPosition,
    matrix: Any,
    thickness: Any,
    op: str,
    beam_energy: float | str | None,
    quantities: tuple[str, str],
) -> BaseSignal:
    params = {"thickness": thickness, "beam_energy": beam_energy}
    if thickness is None:
        return vector_signal(signal, moved_frames(signal, matrix), op, params, quantities[0])
    if hasattr(thickness, "nav_shape") or np.ndim(thickness):
        divisor = PerPosition(position_array(signal, thickness, "a thickness map"))
        frames = moved_frames(signal, matrix).map_frames(divide_rows, divisor, shape=(2,), dtype=np.float64)
        parents = [thickness] if hasattr(thickness, "nav_shape") else []
        return vector_signal(signal, frames, op, params, quantities[1], parents=parents)
    length = convert(*parse(thickness), "nm") if isinstance(thickness, str) else float(thickness)
    if not (math.isfinite(length) and length > 0):
        raise ValueError(f"expected a positive thickness in nm, or text such as '50 nm', found {thickness!r}")
    return vector_signal(signal, moved_frames(signal, matrix / length), op, params, quantities[1])


def divide_rows(frames: Any, divisor: Any, out: Any) -> None:
    """Fill `out` with vectors [n, 2] over numbers [n]; NaN where these are not above 0."""
    with np.errstate(all="ignore"):
        out[...] = frames / np.where(divisor > 0, divisor, np.nan)[:, None]
