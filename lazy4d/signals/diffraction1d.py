"""`Diffraction1D`: a radial profile of the diffraction pattern at each position of a scan."""

from __future__ import annotations

from lazy4d.signals import pair_distribution
from lazy4d.signals.signal1d import Signal1D


class Diffraction1D(Signal1D, signal_ndim=1):
    """A radial profile at each position: intensity against the distance from the direct beam. See `BaseSignal`.

    Data are ``[nav..., k]``; the axis "k" is in the units of the pattern, or in those that were asked for, and holds
    the radii at the centres of the bins.

    Examples
    --------
    >>> Diffraction1D(np.zeros((4, 5, 100)), title="profiles")
    <Diffraction1D, title: profiles, dimensions: (5, 4|100), float64, 16 kB>
    """

    # -- pair distribution -------------------------------------------------------------------------------------------
    get_reduced_intensity = pair_distribution.get_reduced_intensity
    get_pdf = pair_distribution.get_pdf_of_profile
