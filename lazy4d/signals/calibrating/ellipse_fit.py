"""`calibrate_ellipse`: the elliptical distortion of a pattern of rings, measured and noted for all later steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.calibrating.pattern import counted_pixels, measured_pattern
from lazy4d.signals.calibrating.ring_fit import Ring, RingModel, gaussian, measure, strain_of
from lazy4d.signals.ellipse import Ellipse, ellipse_of, write_ellipse
from lazy4d.signals.frame_center import frame_center, pixel_steps

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@dataclass(frozen=True)
class EllipseFit(Ellipse):
    """The ellipse that a ring appears as, with what else was fitted; an `Ellipse` wherever one is expected.

    Parameters
    ----------
    ratio, angle : float
        As of `Ellipse`.
    ratio_error, angle_error : float
        Their standard deviations; the angle of a ring that is round within its error is any, and its error is 90°.
    center : (x, y)
        Of the ring, axis units.
    center_pixels : (x, y)
        The same in pixels, as `set_calibration` takes it.
    center_error : float
        Standard deviation of one coordinate, pixels.
    radius, radius_error : float
        Geometric mean of the semi-axes and its standard deviation, axis units.
    radius_pixels : float
        The same radius in mean pixels.
    width : float
        Standard deviation of the profile of the ring, axis units.
    units : str
        Of the axes.
    residual : float
        What the model leaves of the pixels, over the ring, both root mean square.
    converged : bool
        False where the fit came to no end: look at the pattern, and at the radial range.
    """

    ratio_error: float
    angle_error: float
    center: tuple[float, float]
    center_pixels: tuple[float, float]
    center_error: float
    radius: float
    radius_error: float
    radius_pixels: float
    width: float
    units: str
    residual: float
    converged: bool

    def __repr__(self) -> str:
        return (
            f"<EllipseFit: ratio {self.ratio:.5f} ± {self.ratio_error:.5f}, angle {self.angle:.2f}° ± "
            f"{self.angle_error:.2f}°, radius {self.radius:.5g} ± {self.radius_error:.2g} {self.units}, width "
            f"{self.width:.3g} {self.units}, centre (x, y) = ({self.center[0]:.4g}, {self.center[1]:.4g}) "
            f"{self.units}, residual {self.residual:.1%}{'' if self.converged else ', not converged'}>"
        )

    def outline(self, points: int = 361) -> NDArray[np.float64]:
        """The ellipse as a closed line, to draw over the pattern: float64 [points, 2], (x, y) in axis units.

        Examples
        --------
        >>> fit = d.calibrate_ellipse((1, 5), apply=False)
        >>> fit.outline(5).shape
        (5, 2)
        """
        turn = np.linspace(0, 2 * math.pi, points)
        circle = np.stack([np.sin(turn), np.cos(turn)])
        y, x = self.radius * np.linalg.solve(self.matrix(), circle)
        return np.stack([x + self.center[0], y + self.center[1]], axis=-1)


def calibrate_ellipse(
    signal: BaseSignal,
    radial_range: tuple[Any, Any],
    center: Any = None,
    *,
    mask: Any = None,
    pattern: Any = None,
    apply: bool = True,
) -> EllipseFit:
    """The elliptical distortion measured on one ring, an `EllipseFit`, and noted in the metadata of this signal.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns with a ring, of an amorphous or a fine-grained sample.
    radial_range : (low, high)
        Radii between which there is this ring and no other, all of it: ints are pixels, floats axis units, text carries
        its unit.
    center : (x, y), optional
        Where the fit starts to look for the centre: ints are pixels, floats axis units; by default where the axes are
        0, or the middle pixel on axes that were never calibrated. A few pixels off do not matter.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count.
    pattern : signal or array [ky, kx], optional
        What to measure, such as ``s.inav[:20, :20].mean()``. By default the mean over all positions is computed: this
        method gives numbers, and so it reads all of the file once.
    apply : bool
        Write the ellipse into ``metadata.Calibration.ellipse`` and the history, in place. Azimuthal integration and
        `correct_ellipse` use it from there. The zero of the axes is left where it is.

    Returns
    -------
    EllipseFit
        With standard deviations, centre, radius and width.

    Raises
    ------
    ValueError
        No range of radii inside the frame, too few pixels in it, or a pattern without a ring.

    Notes
    -----
    Least squares over pixels: a Gaussian ring on a smooth background, whose height is free along the ring, so that a
    spotty ring does no harm and each part counts by its intensity; pixels are weighted by the variance of counts, and
    those that stand alone (hot and dead ones) are left out. See `lazy4d.signals.calibrating.ring_fit`. The errors say
    what the noise does; a ring of a few spots only holds its shape less well than they say.

    Examples
    --------
    >>> fit = d.calibrate_ellipse((1, 5), apply=False)
    >>> fit.ratio >= 1, fit.units
    (True, 'px')
    """
    found = fit_ellipse(signal, radial_range, center, mask, pattern, True)
    if apply:
        write_ellipse(signal, found)
        signal._record(
            "calibrate_ellipse",
            {"ratio": found.ratio, "angle": found.angle, "radial_range": list(radial_range), "mask": mask},
        )
    return found


def fit_ellipse(
    signal: BaseSignal, radial_range: Any, center: Any, mask: Any, pattern: Any, elliptic: bool
) -> EllipseFit:
    """The ring between two radii; with the shape it is calibrated with (or round) where it is not `elliptic`."""
    values = measured_pattern(signal, pattern, "the fit of a ring")
    steps = pixel_steps(signal)
    known = ellipse_of(signal)
    strain = strain_of(known.ratio, known.angle) if known is not None else np.zeros(2)
    model = RingModel(values, counted_pixels(signal, mask, values), steps, gaussian)
    middle = np.array(frame_center(signal, center))
    ring = measure(model, middle, strain, *radii_in_pixels(signal, radial_range), elliptic)
    if not ring.heights.mean() > 0:
        raise ValueError(
            f"expected a ring with radii within {radial_range!r}, found none brighter than its surroundings: check the "
            "radial range and the centre"
        )
    return described(signal, ring)


def radii_in_pixels(signal: BaseSignal, radial_range: Any) -> tuple[float, float]:
    """A range of radii as a user gives it, in mean pixels.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> radii_in_pixels(d, (2, 5))
    (2.0, 5.0)
    """
    if isinstance(radial_range, str) or np.ndim(radial_range) != 1 or len(radial_range) != 2:
        raise ValueError(f"expected radial_range as (low, high), found {radial_range!r}")
    x, step = signal.frame_axes[1], abs(pixel_steps(signal)[1])
    found = [
        x.length_to_pixels(one) * (1.0 if isinstance(one, int | np.integer) else float(step)) for one in radial_range
    ]
    if not 0 <= found[0] < found[1]:
        raise ValueError(f"expected radial_range as (low, high) with 0 <= low < high, found {radial_range!r}")
    return found[0], found[1]


def pixel_value(signal: BaseSignal) -> float:
    """What a mean pixel of the frames is worth, in units of the x axis."""
    return float(abs(signal.frame_axes[1].scale / pixel_steps(signal)[1]))


def described(signal: BaseSignal, ring: Ring) -> EllipseFit:
    """A ring in the terms of the signal's axes."""
    size = math.hypot(*ring.strain)
    error = np.sqrt(np.diag(ring.covariance).clip(0))
    ratio = math.exp(2 * size)
    strain_error = float(error[2:4].mean())
    y, x = signal.frame_axes
    pixel = pixel_value(signal)
    place = (float(ring.center[1]), float(ring.center[0]))
    return EllipseFit(
        ratio,
        math.degrees(0.5 * math.atan2(-ring.strain[1], ring.strain[0])),
        2 * ratio * strain_error,
        min(90.0, math.degrees(0.5 * strain_error / size)) if size > 0 else 90.0,
        (x.index2value(place[0]), y.index2value(place[1])),
        place,
        float(error[:2].mean()),
        ring.radius * pixel,
        float(error[4]) * pixel,
        ring.radius,
        ring.width * pixel,
        x.units,
        ring.residual,
        ring.converged,
    )
