"""`fit_direct_beam_disk`: radius, centre and sharpness of the direct beam, by its edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.calibrating.ellipse_fit import pixel_value
from lazy4d.signals.calibrating.pattern import counted_pixels, measured_pattern
from lazy4d.signals.calibrating.ring_fit import RingModel, edge, measure, strain_of
from lazy4d.signals.ellipse import ellipse_of
from lazy4d.signals.frame_center import frame_center, pixel_steps

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@dataclass(frozen=True)
class DiskFit:
    """The disk of the direct beam.

    Parameters
    ----------
    radius, radius_error : float
        Where the edge has half its height, and the standard deviation of this, axis units.
    radius_pixels, radius_error_pixels : float
        The same in mean pixels.
    center : (x, y)
        Axis units.
    center_pixels : (x, y)
        The same in pixels, as `set_calibration` takes it.
    center_error : float
        Standard deviation of one coordinate, pixels.
    edge_width : float
        Standard deviation of what blurs the edge, axis units: at least about 0.3 pixels, the share of the pixel itself.
    units : str
        Of the axes.
    residual : float
        What the model leaves of the pixels near the edge, over the disk, both root mean square.
    converged : bool
        False where the fit came to no end: look at the pattern.
    """

    radius: float
    radius_error: float
    radius_pixels: float
    radius_error_pixels: float
    center: tuple[float, float]
    center_pixels: tuple[float, float]
    center_error: float
    edge_width: float
    units: str
    residual: float
    converged: bool

    def __repr__(self) -> str:
        return (
            f"<DiskFit: radius {self.radius:.5g} ± {self.radius_error:.2g} {self.units} ({self.radius_pixels:.3f} ± "
            f"{self.radius_error_pixels:.3f} pixels), centre (x, y) = ({self.center[0]:.5g}, {self.center[1]:.5g}) "
            f"{self.units}, edge width {self.edge_width:.2g} {self.units}, residual {self.residual:.1%}"
            f"{'' if self.converged else ', not converged'}>"
        )


def fit_direct_beam_disk(
    signal: BaseSignal,
    center: Any = None,
    radius: Any = None,
    *,
    mask: Any = None,
    pattern: Any = None,
) -> DiskFit:
    """Radius, centre and edge width of the direct beam's disk, measured to hundredths of a pixel: a `DiskFit`.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns of a convergent beam.
    center : (x, y), optional
        Roughly: ints are pixels, floats axis units. By default the middle of the brightest disk of the right size.
    radius : int, float or str, optional
        Roughly: ints are pixels, floats axis units, text carries its unit. By default from the area brighter than half.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count.
    pattern : signal or array [ky, kx], optional
        What to measure, such as ``s.inav[:20, :20].mean()`` over vacuum. By default the mean over all positions is
        computed: this method gives numbers, and so it reads all of the file once.

    Returns
    -------
    DiskFit
        Its radius may be given on to `get_direct_beam_position` and `calibrate_from_convergence`.

    Raises
    ------
    ValueError
        No disk is found, or too little of it lies inside the frame.

    Notes
    -----
    Least squares over the pixels near the edge: ``A(φ) erfc((r - R + σ²/2R) / (√2 σ)) / 2`` on an even background, with
    a height A free along the edge. The term ``σ²/2R`` is the way a blurred round edge moves inwards. A disk that fades
    towards its edge is found smaller, by hundredths of a pixel where the edge is sharp and by a fifth where it is
    blurred by more than a pixel. Where the beam wanders over the scan, the mean shows it blurred; centre the frames
    first, or measure one pattern. Other disks that overlap the edge bias it: mask them.

    Examples
    --------
    >>> disk = d.fit_direct_beam_disk(pattern=d.inav[0, 0])
    >>> abs(disk.radius - 3.0) < 0.1
    True
    """
    values = measured_pattern(signal, pattern, "the fit of the direct beam")
    counted = counted_pixels(signal, mask, values)
    steps, pixel = pixel_steps(signal), pixel_value(signal)
    place = np.array(frame_center(signal, center)) if center is not None else None
    size = None
    if radius is not None:
        x = signal.frame_axes[1]
        whole = isinstance(radius, int | np.integer)
        size = float(x.length_to_pixels(radius) * (1.0 if whole else abs(float(steps[1]))))
        if not size > 0:
            raise ValueError(f"expected a radius above 0, found {radius!r}")
    place, size = _roughly(values, counted, steps, place, size)
    known = ellipse_of(signal)
    strain = strain_of(known.ratio, known.angle) if known is not None else np.zeros(2)
    model = RingModel(values, counted, steps, edge)
    disk = measure(model, place, strain, *_about(size, 0.5 * size), False)
    for _ in range(2):  # the closer to the edge, the less the inside of the disk matters
        disk = measure(model, disk.center, strain, *_about(disk.radius, min(4 * disk.width, 0.4 * size)), False)
    if not disk.heights.mean() > 0:
        raise ValueError(f"expected the disk of a direct beam near (y, x) = {place.tolist()}, found none in {signal!r}")
    error = np.sqrt(np.diag(disk.covariance).clip(0))
    y, x = signal.frame_axes
    cx, cy = float(disk.center[1]), float(disk.center[0])
    return DiskFit(
        disk.radius * pixel,
        float(error[4]) * pixel,
        disk.radius,
        float(error[4]),
        (x.index2value(cx), y.index2value(cy)),
        (cx, cy),
        float(error[:2].mean()),
        disk.width * pixel,
        x.units,
        disk.residual,
        disk.converged,
    )


def _about(radius: float, reach: float) -> tuple[float, float]:
    """The first and the last radius of pixels at an edge."""
    far = max(reach, 2.0)
    return max(radius - far, 0.0), radius + far


def _roughly(
    values: NDArray[np.float64],
    counted: NDArray[np.bool_],
    steps: NDArray[np.float64],
    place: NDArray[np.float64] | None,
    size: float | None,
) -> tuple[NDArray[np.float64], float]:
    """Centre (y, x) in pixels and radius in mean pixels to start from: of the brighter half of the brightest part."""
    from scipy import ndimage

    smooth = ndimage.uniform_filter(np.where(counted, values, 0.0), 3)
    low = float(np.median(values[counted]))
    if place is None:
        top = divmod(int(np.argmax(smooth)), smooth.shape[1])
    else:
        row, column = (int(np.clip(round(p), 0, n - 1)) for p, n in zip(place, values.shape, strict=True))
        top = row, column
    # a bright line inside the disk is no reason to leave the rest of it out
    near = smooth[max(top[0] - 2, 0) : top[0] + 3, max(top[1] - 2, 0) : top[1] + 3]
    bright = counted & (smooth > low + 0.4 * (float(np.median(near)) - low))
    parts, _ = ndimage.label(bright)
    inside = parts == parts[top] if parts[top] else bright
    if not inside.any():
        raise ValueError(
            "expected the disk of a direct beam, found a pattern in which no pixel is brighter than others"
        )
    if place is None:
        place = np.array(ndimage.center_of_mass(ndimage.binary_fill_holes(inside)))
    if size is None:
        size = float(np.sqrt(ndimage.binary_fill_holes(inside).sum() / np.pi))
    return np.asarray(place, np.float64), size
