"""Signals: data with axes, metadata and history, lazy until computed."""

from lazy4d.signals.base import BaseSignal
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.color_image import ColorImage
from lazy4d.signals.diffraction1d import Diffraction1D
from lazy4d.signals.diffraction2d import Diffraction2D
from lazy4d.signals.dpc.rotation import ScanRotation
from lazy4d.signals.drift import ScanShifts
from lazy4d.signals.ellipse import Ellipse
from lazy4d.signals.orientation import OrientationMap
from lazy4d.signals.pair_distribution import ReducedIntensity1D
from lazy4d.signals.polar_diffraction2d import PolarDiffraction2D
from lazy4d.signals.signal1d import Signal1D
from lazy4d.signals.signal2d import Signal2D
from lazy4d.signals.strain import StrainMaps
from lazy4d.signals.vectors import DiffractionVectors
from lazy4d.signals.vectors.lattice import LatticeBasis, LatticeFit
from lazy4d.signals.virtual_image import VirtualImage

__all__ = [
    "BaseSignal",
    "BeamPosition",
    "ColorImage",
    "Diffraction1D",
    "Diffraction2D",
    "DiffractionVectors",
    "Ellipse",
    "LatticeBasis",
    "LatticeFit",
    "OrientationMap",
    "PolarDiffraction2D",
    "ReducedIntensity1D",
    "ScanRotation",
    "ScanShifts",
    "Signal1D",
    "Signal2D",
    "StrainMaps",
    "VirtualImage",
]
