"""Orientations of crystals from diffraction vectors and polar patterns, by comparison with simulated ones.

`CrystalPhase` describes a crystal, `template_library` simulates its patterns, ``get_orientation`` of vectors and of
polar patterns compares, `OrientationMap` is what comes out.
"""

from lazy4d.signals.orientation.crystal import CrystalPhase, Reflections
from lazy4d.signals.orientation.library import TemplateLibrary, template_library
from lazy4d.signals.orientation.orientation_map import OrientationMap
from lazy4d.signals.orientation.orix_phase import from_diffsims, phase_from_orix, phase_to_orix
from lazy4d.signals.orientation.simulation import simulate_spots

__all__ = [
    "CrystalPhase",
    "OrientationMap",
    "Reflections",
    "TemplateLibrary",
    "from_diffsims",
    "phase_from_orix",
    "phase_to_orix",
    "simulate_spots",
    "template_library",
]
