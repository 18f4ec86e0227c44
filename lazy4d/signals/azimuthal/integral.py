"""`get_azimuthal_integral1d` and `get_azimuthal_integral2d`: patterns as radial profiles and in polar coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels import azimuthal as kernels
from lazy4d.kernels.azimuthal_operator import integrate, integrate_moving
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.azimuthal.grid import Bins, bins_of
from lazy4d.signals.azimuthal.solid_angle import divided_by_solid_angle
from lazy4d.signals.construction import image_frames
from lazy4d.signals.diffraction1d import Diffraction1D
from lazy4d.signals.polar_diffraction2d import PolarDiffraction2D

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

STATISTICS = {
    "sum": kernels.SUM,
    "mean": kernels.MEAN,
    "variance": kernels.VARIANCE,
    "standard_error": kernels.STANDARD_ERROR,
    "poisson_error": kernels.POISSON_ERROR,
}


def get_azimuthal_integral1d(
    signal: BaseSignal,
    npt: int | None = None,
    *,
    radial_range: Any = None,
    azimuth_range: Any = None,
    units: str | None = None,
    mask: Any = None,
    center: Any = None,
    ellipse: Any = None,
    splitting: str | None = "bilinear",
    mean: bool = False,
    statistic: str | None = None,
    skip_nan: bool = False,
    correct_solid_angle: bool = False,
) -> Diffraction1D:
    """The intensity of each pattern against the distance from the direct beam, as a `Diffraction1D`, float64, lazily.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    npt : int, optional
        Number of radial bins; by default one bin a pixel (the geometric mean of the two scales).
    radial_range : (low, high), optional
        Ints are pixels, floats are in `units`, text carries its unit (``"5 mrad"``). By default from the beam to the
        farthest corner of the frame; with one centre a position, to the corner farthest from where the axes are 0.
    azimuth_range : (from, to), optional
        Only this sector: rad, or text such as ``"30 deg"``, counted from +kx towards +ky. It may wrap: (3.0, -3.0) is
        the sector through ±π. All azimuths by default.
    units : str, optional
        Of the radius: "px", or what the units of the pattern can be converted to (1/Å, 1/nm, and mrad with the beam
        energy); by default the units of the pattern.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count.
    center : (x, y), BeamPosition or signal [nav..., 2], optional
        The direct beam: ints are pixels, floats axis units, text carries its unit; a signal holds (y, x) in pixels,
        one centre a position. By default where both axes are 0 (the middle pixel ``N // 2`` of axes that were never
        calibrated).
    ellipse : Ellipse or (ratio, angle), optional
        Makes elliptic rings round; by default the ellipse the signal was calibrated with, if any.
    splitting : {"bilinear", "exact", None}
        How a pixel is shared between bins: spread evenly over the width of a bin about its centre, which gives
        ``1 - d`` and ``d`` to the two nearest bins, and over more where bins are smaller than pixels; by the area in
        common with each bin; or not at all, the whole pixel for the bin of its centre.
    mean : bool
        Give the mean of each bin: the same as ``statistic="mean"``.
    statistic : {"sum", "mean", "variance", "standard_error", "poisson_error"}, optional
        The number given for a bin, a sum by default. See the notes.
    skip_nan : bool
        Leave pixels of nan out; otherwise every bin they have a share in is nan.
    correct_solid_angle : bool
        Divide each pixel by its solid angle relative to one under the beam, ``cos³ θ``. Negligible below 50 mrad.

    Returns
    -------
    Diffraction1D
        Axis "k" with the radii at the centres of the bins. A bin without pixels has the sum 0 and is nan otherwise, and
        so is the whole profile where the centre is nan.

    Raises
    ------
    ValueError
        Ranges, masks, units or centres that do not fit the frames, or options that exclude each other.

    Notes
    -----
    With the shares w of the pixels I in a bin, W = Σ w and the mean m = Σ w I / W: the variance is
    ``Σ w (I - m)² / W``; the standard error of the mean, from the spread of the pixels,
    ``sqrt(Σ w² / W² · Σ w (I - m)² / (W - Σ w² / W))``; and the Poisson error of the mean, for counts of electrons,
    ``sqrt(Σ w² I) / W``. Neighbouring bins share pixels unless ``splitting=None``, so their errors are not independent.

    Whatever lies inside the range is counted once: the sum over all bins is that of the pixels. A ring of variance σ²
    (as a function of the radius) comes out with ``σ² + width²/12`` without sharing, ``σ² + width²/6`` with bilinear
    sharing and ``σ² + width²/12 + pixel²/12`` with "exact". Without sharing, bins smaller than a pixel may be empty.

    The bins are found once and kept (as a sparse matrix, a few ms), with one centre a position in every frame.

    Examples
    --------
    >>> profile = d.get_azimuthal_integral1d(npt=6, radial_range=(0, 6), mean=True)
    >>> profile
    <Diffraction1D, title: azimuthal integral, dimensions: (4, 4|6), float64, lazy 768 B, 1 block>
    >>> profile.axes_manager["k"]
    <k axis, size: 6, scale: 1, offset: 0.5, units: px>
    """
    what = _statistic(mean, statistic)
    bins = bins_of(
        signal, npt, 1,
        radial_range=radial_range, azimuth_range=azimuth_range, units=units, mask=mask, center=center, ellipse=ellipse,
        splitting=splitting,
    )  # fmt: skip
    options = {"azimuth_range": azimuth_range, "mask": mask, "ellipse": ellipse, "splitting": splitting}
    options |= {"statistic": what, "skip_nan": skip_nan, "correct_solid_angle": correct_solid_angle}
    return _integral(signal, bins, [bins.radius], "get_azimuthal_integral1d", options, center, Diffraction1D)


def get_azimuthal_integral2d(
    signal: BaseSignal,
    npt: int | None = None,
    npt_azim: int = 360,
    *,
    radial_range: Any = None,
    azimuth_range: Any = None,
    units: str | None = None,
    mask: Any = None,
    center: Any = None,
    ellipse: Any = None,
    splitting: str | None = "bilinear",
    mean: bool = False,
    statistic: str | None = None,
    skip_nan: bool = False,
    correct_solid_angle: bool = False,
) -> PolarDiffraction2D:
    """Each pattern in polar coordinates, as a `PolarDiffraction2D` ``[nav..., k, azimuth]``, float64, lazily.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    npt : int, optional
        Number of radial bins; by default one bin a pixel.
    npt_azim : int
        Number of azimuthal bins.
    azimuth_range : (from, to), optional
        Rad, or text such as ``"30 deg"``; it may wrap through ±π. By default a whole turn, from -π to π.
    radial_range, units, mask, center, ellipse, splitting, mean, statistic, skip_nan, correct_solid_angle
        As in `get_azimuthal_integral1d`.

    Returns
    -------
    PolarDiffraction2D
        Axes "k", and "azimuth" in rad from +kx towards +ky, with the values at the centres of the bins. A bin without
        pixels has the sum 0 and is nan otherwise.

    Raises
    ------
    ValueError
        Ranges, masks, units or centres that do not fit the frames, or options that exclude each other.

    Notes
    -----
    The sum over all azimuths is that of `get_azimuthal_integral1d`. Near the beam bins are smaller than pixels, and
    neighbouring azimuths show the same pixel; with ``splitting=None`` most of them hold none.

    Examples
    --------
    >>> polar = d.get_azimuthal_integral2d(npt=6, npt_azim=12, splitting="exact", mean=True)
    >>> polar
    <PolarDiffraction2D, title: azimuthal integral, dimensions: (4, 4|12, 6), float64, lazy 9.2 kB, 1 block>
    >>> polar.axes_manager["azimuth"].units
    'rad'
    """
    what = _statistic(mean, statistic)
    bins = bins_of(
        signal, npt, npt_azim,
        radial_range=radial_range, azimuth_range=azimuth_range, units=units, mask=mask, center=center, ellipse=ellipse,
        splitting=splitting,
    )  # fmt: skip
    options = {"azimuth_range": azimuth_range, "mask": mask, "ellipse": ellipse, "splitting": splitting}
    options |= {"statistic": what, "skip_nan": skip_nan, "correct_solid_angle": correct_solid_angle}
    axes = [bins.radius, bins.azimuth]
    return _integral(signal, bins, axes, "get_azimuthal_integral2d", options, center, PolarDiffraction2D)


def get_radial_profile(signal: BaseSignal, npt: int | None = None, **options: Any) -> Diffraction1D:
    """The mean intensity of each pattern against the distance from the direct beam, as a `Diffraction1D`, float64.

    The same as ``get_azimuthal_integral1d(npt, mean=True, **options)``; see there.

    Examples
    --------
    >>> d.get_radial_profile(radial_range=(0, 5), center=(7, 7)).compute().data[0, 0].round().tolist()
    [71.0, 74.0, 52.0, 11.0, 0.0]
    """
    profile = get_azimuthal_integral1d(signal, npt, mean=True, **options)
    profile.metadata.set_item(
        "General.title", f"radial profile of {signal.title}" if signal.title else "radial profile"
    )
    return profile


def _statistic(mean: bool, statistic: str | None) -> str:
    if statistic is None:
        return "mean" if mean else "sum"
    if statistic not in STATISTICS:
        raise ValueError(f"statistic={statistic!r} is not known: expected one of {', '.join(map(repr, STATISTICS))}")
    if mean and statistic != "mean":
        raise ValueError(f"give mean=True or statistic={statistic!r}, not both: they ask for different numbers")
    return statistic


def _integral(
    signal: BaseSignal, bins: Bins, axes: list[Axis], op: str, options: dict[str, Any], center: Any, kind: Any
) -> Any:
    """The signal of one number of each bin, of class `kind`."""
    frames = image_frames(signal, "an azimuthal integral")
    if options["correct_solid_angle"]:
        if bins.centers is not None:
            raise ValueError(
                "expected correct_solid_angle=False with one centre a position: solid angles are those about one axis. "
                "Centre the patterns first (center_direct_beam), or give one centre for all"
            )
        frames = divided_by_solid_angle(frames, signal, bins.grid.center)
    chosen = STATISTICS[options["statistic"]], bool(options["skip_nan"])
    shape = tuple(axis.size for axis in axes)
    if bins.centers is None:
        frames = frames.map_frames(integrate, bins.grid, *chosen, shape=shape, dtype=np.float64, window=bins.window)
    else:
        frames = frames.map_frames(integrate_moving, bins.centers, bins.grid, *chosen, shape=shape, dtype=np.float64)
    radius = bins.radius
    record = {
        "npt": radius.size,
        **({"npt_azim": axes[1].size} if len(axes) > 1 else {}),
        "radial_range": [radius.offset - radius.scale / 2, radius.offset + radius.scale * (radius.size - 0.5)],
        "units": radius.units,
        "center": "one a position" if bins.centers is not None else list(reversed(bins.grid.center)),
        **options,
    }
    return signal._derive(
        frames.emit() if len(shape) == 1 else frames,
        [*signal.nav_axes, *axes],
        op,
        record,
        kind=kind,
        title=f"azimuthal integral of {signal.title}" if signal.title else "azimuthal integral",
        parents=[center] if is_signal(center) else (),
    )
