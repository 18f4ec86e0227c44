"""Azimuthal integration: patterns as radial profiles and in polar coordinates."""

from lazy4d.signals.azimuthal.integral import get_azimuthal_integral1d, get_azimuthal_integral2d, get_radial_profile

__all__ = ["get_azimuthal_integral1d", "get_azimuthal_integral2d", "get_radial_profile"]
