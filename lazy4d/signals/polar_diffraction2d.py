"""`PolarDiffraction2D`: the diffraction pattern at each position of a scan in polar coordinates."""

from __future__ import annotations

from lazy4d.signals import polar_analysis, polar_profile
from lazy4d.signals.orientation import matching
from lazy4d.signals.signal2d import Signal2D


class PolarDiffraction2D(Signal2D, signal_ndim=2):
    """A diffraction pattern in polar coordinates at each position. See `BaseSignal`.

    Data are ``[nav..., k, azimuth]``: rows are radii, in units of the pattern or in those that were asked for, columns
    are azimuths in rad, counted from +kx towards +ky. Both axes hold the centres of the bins.

    Examples
    --------
    >>> PolarDiffraction2D(np.zeros((4, 5, 100, 360)), title="polar")
    <PolarDiffraction2D, title: polar, dimensions: (5, 4|360, 100), float64, 5.8 MB>
    """

    # -- radial profiles ---------------------------------------------------------------------------------------------
    get_radial_profile = polar_profile.get_radial_profile

    # -- symmetry ----------------------------------------------------------------------------------------------------
    get_angular_correlation = polar_analysis.get_angular_correlation
    get_angular_power = polar_analysis.get_angular_power
    get_symmetry_coefficient = polar_analysis.get_symmetry_coefficient
    get_full_pearson_correlation = polar_analysis.get_full_pearson_correlation

    # -- fluctuation microscopy --------------------------------------------------------------------------------------
    get_variance = polar_analysis.get_variance

    # -- orientation -------------------------------------------------------------------------------------------------
    get_orientation = matching.get_orientation_of_polar
