"""Pictures of signals, for reports and papers: the only part that imports matplotlib. Nothing needs a display."""

from lazy4d.plot.beam_position import linear_plane
from lazy4d.plot.orientation import ipf_key, orientation_maps
from lazy4d.plot.panel import panel
from lazy4d.plot.scale_bar import scale_bar
from lazy4d.plot.strain import strain_maps
from lazy4d.plot.vectors import plot_vectors

__all__ = ["ipf_key", "linear_plane", "orientation_maps", "panel", "plot_vectors", "scale_bar", "strain_maps"]
