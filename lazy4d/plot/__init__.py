"""Pictures of signals, for reports and papers: the only part that imports matplotlib. Nothing needs a display."""

from lazy4d.plot.beam_position import linear_plane
from lazy4d.plot.panel import panel
from lazy4d.plot.scale_bar import scale_bar

__all__ = ["linear_plane", "panel", "scale_bar"]
