"""Peaks and disks in images: found, refined and measured, in each frame of a scan."""

from lazy4d.signals.peaks.finding import find_peaks, get_diffraction_vectors
from lazy4d.signals.peaks.preview import VectorPreview, preview_vectors

__all__ = ["VectorPreview", "find_peaks", "get_diffraction_vectors", "preview_vectors"]
