"""The direct beam in each frame: where it is, by several methods, how wide, and frames centred on it."""

from lazy4d.signals.beam.centering import center_direct_beam
from lazy4d.signals.beam.moments import get_second_moments
from lazy4d.signals.beam.position import center_of_mass, get_direct_beam_position

__all__ = ["center_direct_beam", "center_of_mass", "get_direct_beam_position", "get_second_moments"]
