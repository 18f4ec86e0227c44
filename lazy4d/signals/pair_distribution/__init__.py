"""Pair distribution functions of radial profiles."""

from lazy4d.signals.pair_distribution.reduced_intensity import (
    ReducedIntensity1D,
    get_pdf_of_profile,
    get_reduced_intensity,
)
from lazy4d.signals.pair_distribution.scattering import scattering_factor
from lazy4d.signals.pair_distribution.transform import get_pdf

__all__ = ["ReducedIntensity1D", "get_pdf", "get_pdf_of_profile", "get_reduced_intensity", "scattering_factor"]
