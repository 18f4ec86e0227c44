"""Calibration by what is known: a ring, the spacing of a lattice, the convergence of the beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.signals.calibrating.disk_fit import fit_direct_beam_disk
from lazy4d.signals.calibrating.ellipse_fit import fit_ellipse, radii_in_pixels
from lazy4d.signals.calibrating.lattice_fit import lattice_vector
from lazy4d.signals.calibrating.pattern import counted_pixels, measured_pattern
from lazy4d.signals.calibrating.scale import Calibration, calibrated, reciprocal
from lazy4d.signals.frame_center import pixel_steps
from lazy4d.units import ANGLES, canonical, convert, parse

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def calibrate_from_ring(
    signal: BaseSignal,
    d_spacing: float | str | None = None,
    radial_range: tuple[Any, Any] | None = None,
    *,
    radius: str | None = None,
    units: str | None = None,
    center: Any = None,
    mask: Any = None,
    pattern: Any = None,
    elliptic: bool = True,
    set_center: bool = True,
    apply: bool = True,
) -> Calibration:
    """The scale of the signal axes from a ring of known radius, a `Calibration`, set in place.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns with a ring.
    d_spacing : float or str
        Distance of the lattice planes behind the ring: a number in Å, or text such as ``"0.2355 nm"``.
    radial_range : (low, high)
        Radii between which there is this ring and no other: ints are pixels, floats axis units as they are now.
    radius : str, optional
        Instead of `d_spacing`: the radius with its unit, ``"0.4246 1/Å"`` or ``"10.6 mrad"``.
    units : str, optional
        Of the axes afterwards; by default those of `radius`, and 1/Å with a `d_spacing`. From angles to lengths and
        back the beam energy is needed.
    center, mask, pattern
        As for `calibrate_ellipse`. By default the mean over all positions is computed, one pass over the file.
    elliptic : bool
        Fit the shape of the ring too. False takes the ellipse the signal is calibrated with, or a circle. The ellipse
        is not written down; `calibrate_ellipse` does that. The radius is the geometric mean of the semi-axes.
    set_center : bool
        Make the centre of the ring the zero of the axes; otherwise the pixel that is 0 stays 0.
    apply : bool
        Calibrate the signal in place, with a note in its history; False only measures.

    Returns
    -------
    Calibration
        Scale with its relative error, and the `EllipseFit` of the ring as ``fit``.

    Raises
    ------
    ValueError
        Not exactly one of d_spacing and radius, no radial range, no ring in it, or units that need a beam energy.

    Examples
    --------
    >>> found = d.calibrate_from_ring("2.0 Å", (1, 5), apply=False)
    >>> found.units, round(found.known, 3)
    ('1/Å', 0.5)
    """
    if radial_range is None:
        raise ValueError("expected radial_range=(low, high), radii between which there is the ring, found none")
    known, wanted, given = reciprocal(signal, d_spacing, radius, units)
    ring = fit_ellipse(signal, radial_range, center, mask, pattern, elliptic)
    return calibrated(
        signal,
        "calibrate_from_ring",
        {**given, "radial_range": list(radial_range), "mask": mask},
        known=known,
        units=wanted,
        pixels=ring.radius_pixels,
        pixels_error=ring.radius_error / ring.radius * ring.radius_pixels,
        center_pixels=ring.center_pixels,
        source="a ring",
        fit=ring,
        set_center=set_center,
        apply=apply,
    )


def calibrate_from_convergence(
    signal: BaseSignal,
    angle: str,
    *,
    units: str | None = None,
    center: Any = None,
    radius: Any = None,
    mask: Any = None,
    pattern: Any = None,
    set_center: bool = True,
    apply: bool = True,
) -> Calibration:
    """The scale of the signal axes from the known convergence of the beam, a `Calibration`, set in place.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns of a convergent beam.
    angle : str
        The semi-angle of convergence with its unit, ``"20 mrad"``; an inverse length does as well.
    units : str, optional
        Of the axes afterwards, by default those of `angle`; for 1/Å the beam energy is needed.
    center, radius, mask, pattern
        As for `fit_direct_beam_disk`. By default the mean over all positions is computed, one pass over the file.
    set_center : bool
        Make the centre of the disk the zero of the axes; otherwise the pixel that is 0 stays 0.
    apply : bool
        Calibrate the signal in place, with a note in its history; False only measures.

    Returns
    -------
    Calibration
        Scale with its relative error, and the `DiskFit` as ``fit``.

    Raises
    ------
    ValueError
        An angle without a unit, no disk in the pattern, or units that need a beam energy.

    Notes
    -----
    Angles are taken as proportional to the distance on the detector: see `set_detector_geometry`.

    Examples
    --------
    >>> s = d.copy()
    >>> s.calibrate_from_convergence("15 mrad", pattern=d.inav[0, 0]).units, s.axes_manager["kx"].units
    ('mrad', 'mrad')
    """
    if not isinstance(angle, str):
        raise ValueError(f"expected the convergence as text with its unit, such as '20 mrad', found {angle!r}")
    value, own = parse(angle)
    if canonical(own) not in ANGLES:
        convert(1.0, own, "1/Å")
    wanted = own if units is None else canonical(units)
    known = float(convert(value, own, wanted, signal.axes_manager.beam_energy))
    disk = fit_direct_beam_disk(signal, center, radius, mask=mask, pattern=pattern)
    return calibrated(
        signal,
        "calibrate_from_convergence",
        {"angle": angle, "mask": mask},
        known=known,
        units=wanted,
        pixels=disk.radius_pixels,
        pixels_error=disk.radius_error_pixels,
        center_pixels=disk.center_pixels,
        source="a disk with a radius",
        fit=disk,
        set_center=set_center,
        apply=apply,
    )


def calibrate_from_lattice(
    signal: BaseSignal,
    d_spacing: float | str | None = None,
    radial_range: tuple[Any, Any] | None = None,
    *,
    distance: Any = None,
    order: int = 1,
    radius: str | None = None,
    units: str | None = None,
    mask: Any = None,
    pattern: Any = None,
    apply: bool = True,
) -> Calibration:
    """The scale of the signal axes from the known spacing of a crystal lattice, a `Calibration`, set in place.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns of a crystal.
    d_spacing : float or str
        Distance of the lattice planes: a number in Å, or text such as ``"0.204 nm"``.
    radial_range : (low, high), optional
        Measure the distance in the autocorrelation of the pattern: its strongest maximum between these two lengths
        (ints pixels, floats axis units as they are now), and the multiples of it, which sharpen it.
    distance : int, float or str, optional
        Instead: the distance of two spots as measured: ints are pixels, floats axis units, ``"52.3 px"`` pixels.
    order : int
        How many spacings the distance spans; with `radial_range`, the one looked for there.
    radius : str, optional
        Instead of `d_spacing`: the length of the reciprocal lattice vector with its unit, ``"0.49 1/Å"``.
    units : str, optional
        Of the axes afterwards; by default those of `radius`, and 1/Å with a `d_spacing`.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count in the autocorrelation.
    pattern : signal or array [ky, kx], optional
        What to measure. By default, if there is no `distance`, the mean over all positions is computed, one pass over
        the file; the scan should show one crystal only.
    apply : bool
        Calibrate the signal in place, with a note in its history; False only measures.

    Returns
    -------
    Calibration
        Scale with its relative error, and the vector (x, y) in pixels as ``fit``. The zero of the axes stays.

    Raises
    ------
    ValueError
        Not exactly one of d_spacing and radius, or of distance and radial_range; no maximum between the lengths.

    Notes
    -----
    The autocorrelation needs no centre and takes all pairs of spots. A calibrated ellipse is taken into account. Where
    the pattern shows several lattices, or the spots are disks that nearly touch, measure the distance otherwise.

    Examples
    --------
    >>> s = d.copy()
    >>> s.calibrate_from_lattice("2.0 Å", distance=25)
    <Calibration: 0.02 1/Å a pixel ± 0%, from a lattice vector of 25.000 ± 0.000 pixels known to be 0.5 1/Å>
    """
    if (distance is None) == (radial_range is None):
        raise ValueError(
            "expected either distance (as measured) or radial_range (where to look for it), found "
            f"distance={distance!r} and radial_range={radial_range!r}"
        )
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 1:
        raise ValueError(f"expected order as a whole number, at least 1, found {order!r}")
    known, wanted, given = reciprocal(signal, d_spacing, radius, units, int(order))
    vector: Any = None
    error = 0.0
    if distance is not None:
        pixels = _mean_pixels(signal, distance)
        given["distance"] = distance
    else:
        values = measured_pattern(signal, pattern, "the fit of a lattice")
        counted = counted_pixels(signal, mask, values, isolated=True)
        vector, pixels, error = lattice_vector(signal, values, counted, radii_in_pixels(signal, radial_range))
        given.update(radial_range=list(radial_range), mask=mask)  # type: ignore[arg-type]  # not None: checked
    return calibrated(
        signal,
        "calibrate_from_lattice",
        {**given, "order": int(order)},
        known=known,
        units=wanted,
        pixels=pixels,
        pixels_error=error,
        center_pixels=None,
        source="a lattice vector",
        fit=vector,
        set_center=False,
        apply=apply,
    )


def _mean_pixels(signal: BaseSignal, distance: Any) -> float:
    """A length as a user gives it in mean pixels."""
    x = signal.frame_axes[1]
    counted = isinstance(distance, int | np.integer) or (isinstance(distance, str) and parse(distance)[1] == "px")
    return float(x.length_to_pixels(distance) * (1.0 if counted else abs(float(pixel_steps(signal)[1]))))
