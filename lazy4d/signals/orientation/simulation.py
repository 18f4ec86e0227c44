"""Which spots a crystal shows in an orientation, and how strong they are, kinematically."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.orientation.crystal import CrystalPhase, Reflections
from lazy4d.signals.orientation.parameters import above_zero
from lazy4d.signals.orientation.quaternions import matrices
from lazy4d.units import wavelength

Floats = NDArray[np.float64]

CUT = 3.0
"""Reflections up to this many times `excitation_error` from the Ewald sphere are simulated."""


def simulate_spots(
    phase: CrystalPhase,
    orientations: Any,
    *,
    k_max: float,
    k_min: float = 0.0,
    beam_energy_keV: float = 200.0,
    excitation_error: float = 0.02,
    precession: float = 0.0,
    reflections: Reflections | None = None,
) -> RaggedFrames:
    """The spots of a crystal in each orientation: columns `ky`, `kx` in 1/Å, `intensity`, `h`, `k`, `l`.

    Parameters
    ----------
    phase : CrystalPhase
        The crystal.
    orientations : array_like [n, 4]
        Unit quaternions that take the sample's axes to the crystal's: x of the sample is +kx, y is +ky, and electrons
        fly along z.
    k_max, k_min : float
        Spots between these distances from the direct beam, 1/Å; the direct beam is none.
    beam_energy_keV : float
        Of the electrons.
    excitation_error : float
        Standard deviation s₀, 1/Å, of the distance to the Ewald sphere over which reflections are seen.
    precession : float
        Half angle α of the cone on which the beam turns, degrees.
    reflections : Reflections, optional
        Of the phase, at least up to `k_max`.

    Raises
    ------
    ValueError
        k_max or excitation_error of 0 or less.

    Notes
    -----
    ``I = |F|² exp(-s² / (2 s₀²))`` up to ``s = 3 s₀`` along the beam: an intensity without dynamical scattering, of
    use to tell which spots are strong and where they begin and end. A thickness t corresponds to s₀ of about
    0.37 / t (`sigma_of_thickness`); bending and convergence add to it. Precession averages over s from s - αk to
    s + αk.

    Examples
    --------
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> spots = simulate_spots(gold, [[1, 0, 0, 0]], k_max=0.6)
    >>> spots.counts, np.round(spots["kx"], 3).tolist()
    (array([4]), [0.0, -0.49, 0.49, 0.0])
    """
    above_zero("k_max", k_max, "1/Å")
    above_zero("excitation_error", excitation_error, "1/Å")
    given = np.atleast_2d(np.asarray(orientations, np.float64))
    table = phase.reflections(k_max) if reflections is None else reflections
    wave_number = 1 / wavelength(beam_energy_keV)
    at_once = max(1, 2_000_000 // max(len(table.g), 1))
    parts = [
        _spots(table, given[k : k + at_once], k_min, k_max, wave_number, excitation_error, precession)
        for k in range(0, len(given), at_once)
    ]
    names = ("ky", "kx", "intensity", "h", "k", "l")
    return RaggedFrames.concatenate(parts) if parts else RaggedFrames.empty(0, dict.fromkeys(names, "f8"))


def excitation_errors(sample_vectors: Floats, wave_number: float) -> Floats:
    """Distances [...] along the beam, 1/Å, from vectors [..., 3] of the sample's axes to the Ewald sphere.

    ``s = sqrt(K² - x² - y²) - K - z``, the beam along +z.

    Examples
    --------
    >>> excitation_errors(np.array([1.0, 0, 0]), 40.0).round(5)
    np.float64(-0.0125)
    """
    x, y, z = np.moveaxis(sample_vectors, -1, 0)
    across = np.minimum(x * x + y * y, wave_number**2)
    return np.asarray(-across / (wave_number + np.sqrt(wave_number**2 - across)) - z)[()]


def visibility(error: Floats, wide: Floats, sigma: float) -> Floats:
    """The mean of ``exp(-s²/2σ²)`` over excitation errors from `error` - `wide` to `error` + `wide`.

    Examples
    --------
    >>> visibility(np.array([0.0, 0.01]), np.array([0.0, 0.02]), 0.01).round(3)
    array([1.   , 0.526])
    """
    from scipy.special import erf

    cone = np.where(wide < 0.01 * sigma, np.inf, wide)  # narrower ones change nothing
    scale = 1 / (np.sqrt(2.0) * sigma)
    share = (erf((error + wide) * scale) - erf((error - wide) * scale)) * np.sqrt(np.pi / 8) * sigma / cone
    return np.asarray(np.where(np.isinf(cone), np.exp(-0.5 * (error / sigma) ** 2), share))


def _spots(
    table: Reflections,
    orientations: Floats,
    k_min: float,
    k_max: float,
    wave_number: float,
    sigma: float,
    precession: float,
) -> RaggedFrames:
    vectors = np.einsum("nij,mi->nmj", matrices(orientations), table.g)  # the transposed matrix: crystal to sample
    error = excitation_errors(vectors, wave_number)
    across = np.hypot(vectors[..., 0], vectors[..., 1])
    cone = np.radians(precession) * across
    frame, which = np.nonzero((np.abs(error) <= CUT * sigma + cone) & (across >= k_min) & (across <= k_max))
    seen = vectors[frame, which]
    intensity = table.intensity[which] * visibility(error[frame, which], cone[frame, which], sigma)
    indices = table.hkl[which].astype(np.int32).T
    columns = {"ky": seen[:, 1], "kx": seen[:, 0], "intensity": intensity}
    columns.update(dict(zip("hkl", indices, strict=True)))
    return RaggedFrames.from_counts(np.bincount(frame, minlength=len(orientations)), columns)


def sigma_of_thickness(thickness: float) -> float:
    """The standard deviation, 1/Å, of a Gaussian as wide at half height as ``sinc²(s t)`` of a thickness t in Å.

    Examples
    --------
    >>> round(sigma_of_thickness(100.0), 5)
    0.00376
    """
    if not thickness > 0:
        raise ValueError(f"expected a thickness above 0, in Å, found {thickness!r}")
    return 0.8859 / thickness / math.sqrt(8 * math.log(2))
