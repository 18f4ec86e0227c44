"""Strain and rotation of a lattice against a reference, exactly: inverse and polar decomposition."""

from lazy4d.signals.strain.maps import get_strain_maps
from lazy4d.signals.strain.strain_maps import StrainMaps

__all__ = ["StrainMaps", "get_strain_maps"]
