"""Live virtual detectors: regions dragged over patterns and maps, and what they measure, at once and then exactly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.plot.detectors.controller import DetectorController, LiveController, RegionController
    from lazy4d.plot.detectors.roi_artist import RoiArtist
    from lazy4d.plot.detectors.viewer import DetectorViewer

_MODULE_OF = {
    "DetectorController": "controller",
    "DetectorViewer": "viewer",
    "LiveController": "controller",
    "RegionController": "controller",
    "RoiArtist": "roi_artist",
}

__all__ = ["DetectorController", "DetectorViewer", "LiveController", "RegionController", "RoiArtist"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"lazy4d.plot.detectors has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"lazy4d.plot.detectors.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
