"""Diffraction vectors: some places in each frame, as flat columns."""

from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors as DiffractionVectors
