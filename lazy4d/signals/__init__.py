"""Signals: data with axes, metadata and history, lazy until computed."""

from lazy4d.signals.base import BaseSignal
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.diffraction2d import Diffraction2D
from lazy4d.signals.signal1d import Signal1D
from lazy4d.signals.signal2d import Signal2D
from lazy4d.signals.virtual_image import VirtualImage

__all__ = ["BaseSignal", "BeamPosition", "Diffraction2D", "Signal1D", "Signal2D", "VirtualImage"]
