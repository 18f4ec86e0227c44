"""`Calibration`: what a pixel was found to be worth, and how it is written into the axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lazy4d.signals.detector_geometry import geometry_that_was_set, keep_pixel_size
from lazy4d.signals.frame_center import pixel_steps
from lazy4d.units import ANGLES, canonical, convert, parse

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@dataclass(frozen=True)
class Calibration:
    """A scale found by measuring something of known size.

    Parameters
    ----------
    scale : (x, y)
        Units a pixel, along each signal axis.
    relative_error : float
        Standard deviation of the measurement, over the length measured.
    units : str
        Of the scale.
    known : float
        The size that was known, in `units`.
    pixels, pixels_error : float
        The size that was measured and its standard deviation, mean pixels.
    center_pixels : (x, y) or None
        The pixel that was found to be the centre.
    source : str
        What was measured.
    fit : object
        The result of the measurement: an `EllipseFit`, a `DiskFit`, or the lattice vector in pixels, (x, y).
    """

    scale: tuple[float, float]
    relative_error: float
    units: str
    known: float
    pixels: float
    pixels_error: float
    center_pixels: tuple[float, float] | None
    source: str
    fit: Any

    def __repr__(self) -> str:
        x, y = self.scale
        scale = f"{abs(x):.6g}" if abs(abs(x) - abs(y)) <= 1e-9 * abs(x) else f"({abs(x):.6g}, {abs(y):.6g})"
        return (
            f"<Calibration: {scale} {self.units} a pixel ± {100 * self.relative_error:.2g}%, from {self.source} of "
            f"{self.pixels:.3f} ± {self.pixels_error:.3f} pixels known to be {self.known:.5g} {self.units}>"
        )


def calibrated(
    signal: BaseSignal,
    op: str,
    params: dict[str, Any],
    *,
    known: float,
    units: str,
    pixels: float,
    pixels_error: float,
    center_pixels: tuple[float, float] | None,
    source: str,
    fit: Any,
    set_center: bool,
    apply: bool,
) -> Calibration:
    """The calibration that follows from a length in mean pixels, written into the axes if it is to be applied.

    Parameters
    ----------
    signal : BaseSignal
        What was measured.
    op, params
        For the history.
    known, units
        What the length is worth.
    pixels, pixels_error
        The length.
    center_pixels, set_center
        Where the axes become 0, if they are to be moved.
    source, fit
        As of `Calibration`.
    apply : bool
        Calibrate the signal in place.

    Raises
    ------
    ValueError
        The length has no size.
    """
    if not (pixels > 0 and known > 0):
        raise ValueError(f"expected lengths above 0, found {pixels:g} pixels measured, known to be {known:g} {units}")
    sy, sx = pixel_steps(signal) * (known / pixels)
    result = Calibration(
        (float(sx), float(sy)), pixels_error / pixels, units, known, pixels, pixels_error, center_pixels, source, fit
    )
    if apply:
        before = geometry_that_was_set(signal)
        signal.axes_manager.set_calibration(result.scale, units, center_pixels if set_center else None)
        keep_pixel_size(signal, before)
        signal._record(op, {**params, "scale": list(result.scale), "units": units})
    return result


def reciprocal(
    signal: BaseSignal, d_spacing: Any, radius: Any, units: str | None, order: int = 1
) -> tuple[float, str, dict[str, Any]]:
    """A radius in reciprocal space as a user knows it: its value, the units wanted, and what the history says.

    Parameters
    ----------
    signal : BaseSignal
        Whose beam energy is used where angles are.
    d_spacing : float or str
        Distance of lattice planes: a number in Å, or text with a unit of length.
    radius : str
        Instead: the radius, an inverse length or an angle with its unit.
    units : str, optional
        Wanted; by default those of `radius`, and 1/Å for a distance of planes.
    order : int
        How many times the distance.

    Raises
    ------
    ValueError
        Not exactly one of both, or units of another kind.

    Examples
    --------
    >>> reciprocal(d, "2.0 Å", None, None)[:2], reciprocal(d, None, "5 1/nm", "1/Å")[:2]
    ((0.5, '1/Å'), (0.5, '1/Å'))
    """
    if (d_spacing is None) == (radius is None):
        raise ValueError(
            "expected either d_spacing (the distance of lattice planes, such as '2.355 Å') or radius (in reciprocal "
            f"space, such as '0.4246 1/Å' or '10.6 mrad'), found d_spacing={d_spacing!r} and radius={radius!r}"
        )
    energy = signal.axes_manager.beam_energy
    if radius is not None:
        if not isinstance(radius, str):
            raise ValueError(f"expected radius as text with its unit, such as '0.4246 1/Å', found {radius!r}")
        value, own = parse(radius)
        if canonical(own) not in ANGLES:
            convert(1.0, own, "1/Å")
    else:
        length, unit = parse(d_spacing) if isinstance(d_spacing, str) else (float(d_spacing), "Å")
        distance = float(convert(length, unit, "Å"))
        if not distance > 0:
            raise ValueError(f"expected a distance of lattice planes above 0, found {d_spacing!r}")
        value, own = 1.0 / distance, "1/Å"
    wanted = own if units is None else canonical(units)
    params = {name: given for name, given in (("d_spacing", d_spacing), ("radius", radius)) if given is not None}
    return order * float(convert(value, own, wanted, energy)), wanted, params
