"""lazy4d: 4D-STEM data larger than memory, from the first look at a file to maps of a sample.

>>> import lazy4d as l4
>>> s = l4.Diffraction2D(np.ones((3, 4, 16, 16), "uint16"))
>>> s.get_virtual_image(l4.CircleROI(8, 8, 4))
<VirtualImage, title: virtual image, dimensions: (4, 3|), uint64, lazy 96 B, 1 block>
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.api import compute, explain, load, persist, save, set_options, stack
    from lazy4d.axes import AxesManager, Axis
    from lazy4d.errors import Lazy4DError, Lazy4DWarning
    from lazy4d.io.scan_guess import guess_scan_shape
    from lazy4d.lazy import Reduction, StateArray
    from lazy4d.roi import CircleROI, EllipseROI, PolygonROI, RectangleROI
    from lazy4d.signals import (
        BaseSignal,
        BeamPosition,
        Diffraction1D,
        Diffraction2D,
        DiffractionVectors,
        PolarDiffraction2D,
        Signal1D,
        Signal2D,
        VirtualImage,
    )

__version__ = "0.1.0"

_HOME = {
    "api": ("compute", "explain", "load", "persist", "save", "set_options", "stack"),
    "axes": ("AxesManager", "Axis"),
    "errors": ("Lazy4DError", "Lazy4DWarning"),
    "io.scan_guess": ("guess_scan_shape",),
    "lazy": ("Reduction", "StateArray"),
    "roi": ("CircleROI", "EllipseROI", "PolygonROI", "RectangleROI"),
    "signals": (
        "BaseSignal",
        "BeamPosition",
        "Diffraction1D",
        "Diffraction2D",
        "DiffractionVectors",
        "PolarDiffraction2D",
        "Signal1D",
        "Signal2D",
        "VirtualImage",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
_PARTS = {
    *("api", "axes", "data", "errors", "io", "kernels", "lazy", "metadata", "plot", "ragged", "roi", "signals", "units")
}

__all__ = [
    "AxesManager",
    "Axis",
    "BaseSignal",
    "BeamPosition",
    "CircleROI",
    "Diffraction1D",
    "Diffraction2D",
    "DiffractionVectors",
    "EllipseROI",
    "Lazy4DError",
    "Lazy4DWarning",
    "PolarDiffraction2D",
    "PolygonROI",
    "RectangleROI",
    "Reduction",
    "Signal1D",
    "Signal2D",
    "StateArray",
    "VirtualImage",
    "compute",
    "explain",
    "guess_scan_shape",
    "load",
    "persist",
    "save",
    "set_options",
    "stack",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or a part of the package, when it is first asked for."""
    if name in _MODULE_OF:
        value = getattr(import_module(f"lazy4d.{_MODULE_OF[name]}"), name)
    elif name in _PARTS:
        value = import_module(f"lazy4d.{name}")
    else:
        raise AttributeError(f"lazy4d has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_PARTS, "__version__"})
