"""Surfaces through the positions of the beam: what the scan system adds to them (descan), fitted."""

from lazy4d.signals.beam_fit.surface import MODEL, coefficients, get_linear_plane

__all__ = ["MODEL", "coefficients", "get_linear_plane"]
