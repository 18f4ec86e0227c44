"""Signals of one signal axis: spectra, profiles, histograms, rows of numbers."""

from __future__ import annotations

from lazy4d.signals.base import BaseSignal


class Signal1D(BaseSignal, signal_ndim=1, default=True):
    """One line of values at each position: a spectrum, a radial profile, a row of numbers. See `BaseSignal`.

    Examples
    --------
    >>> Signal1D(np.zeros((4, 5, 100)), title="profiles")
    <Signal1D, title: profiles, dimensions: (5, 4|100), float64, 16 kB>
    """
