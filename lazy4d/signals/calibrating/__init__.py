"""Calibration by measuring one pattern: elliptical distortion, the beam's disk, and the scale from known sizes."""

from lazy4d.signals.calibrating.disk_fit import DiskFit, fit_direct_beam_disk
from lazy4d.signals.calibrating.ellipse_fit import EllipseFit, calibrate_ellipse
from lazy4d.signals.calibrating.known_sizes import (
    calibrate_from_convergence,
    calibrate_from_lattice,
    calibrate_from_ring,
)
from lazy4d.signals.calibrating.scale import Calibration

__all__ = [
    "Calibration",
    "DiskFit",
    "EllipseFit",
    "calibrate_ellipse",
    "calibrate_from_convergence",
    "calibrate_from_lattice",
    "calibrate_from_ring",
    "fit_direct_beam_disk",
]
