"""Patterns in polar coordinates: angular correlation and power, and the variance of fluctuation electron microscopy."""

from lazy4d.signals.polar_analysis.angular import (
    get_angular_correlation,
    get_angular_power,
    get_full_pearson_correlation,
    get_symmetry_coefficient,
)
from lazy4d.signals.polar_analysis.variance import get_variance

__all__ = [
    "get_angular_correlation",
    "get_angular_power",
    "get_full_pearson_correlation",
    "get_symmetry_coefficient",
    "get_variance",
]
