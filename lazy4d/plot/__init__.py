"""Pictures of signals and viewers of scans: the only part that imports matplotlib, and only for what is asked for.

Nothing needs a display. Workers and controllers of viewers can be imported without matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.plot.beam_position import linear_plane
    from lazy4d.plot.detectors.viewer import DetectorViewer
    from lazy4d.plot.histogram import plot_histograms
    from lazy4d.plot.images import plot_images
    from lazy4d.plot.orientation import ipf_key, orientation_maps
    from lazy4d.plot.panels import panel
    from lazy4d.plot.profiles import plot_profiles
    from lazy4d.plot.saving import save_figure
    from lazy4d.plot.scale_bars import scale_bar
    from lazy4d.plot.strain import strain_maps
    from lazy4d.plot.tuning.preview import Preview
    from lazy4d.plot.vectors import plot_vectors
    from lazy4d.plot.viewer.viewer import Viewer

_HOME = {
    "beam_position": ("linear_plane",),
    "detectors.viewer": ("DetectorViewer",),
    "histogram": ("plot_histograms",),
    "images": ("plot_images",),
    "orientation": ("ipf_key", "orientation_maps"),
    "panels": ("panel",),
    "profiles": ("plot_profiles",),
    "saving": ("save_figure",),
    "scale_bars": ("scale_bar",),
    "strain": ("strain_maps",),
    "tuning.preview": ("Preview",),
    "vectors": ("plot_vectors",),
    "viewer.viewer": ("Viewer",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "DetectorViewer",
    "Preview",
    "Viewer",
    "ipf_key",
    "linear_plane",
    "orientation_maps",
    "panel",
    "plot_histograms",
    "plot_images",
    "plot_profiles",
    "plot_vectors",
    "save_figure",
    "scale_bar",
    "strain_maps",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"lazy4d.plot has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"lazy4d.plot.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
