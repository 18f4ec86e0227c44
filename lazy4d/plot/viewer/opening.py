"""Which viewer suits a signal."""

from __future__ import annotations

from typing import Any

from lazy4d.plot.colors import color_map
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.frame_viewer import FrameViewer
from lazy4d.plot.viewer.map_viewer import MapViewer
from lazy4d.plot.viewer.viewer import Viewer
from lazy4d.signals import BeamPosition, ColorImage, Diffraction2D, PolarDiffraction2D


def open_viewer(
    signal: Any,
    navigator: Any = "auto",
    *,
    norm: str = "auto",
    power: float = 0.5,
    percentile: tuple[float, float] | None = None,
    limits: tuple[float | None, float | None] | None = None,
    cmap: str | None = None,
    vectors: Any = None,
    rois: Any = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
) -> Viewer:
    """The viewer of a signal, open; see `lazy4d.signals.showing.plot`.

    Examples
    --------
    >>> open_viewer(d.get_virtual_image(l4.CircleROI(8, 8, 3)))
    <MapViewer of virtual image, at (0, 0)>
    """
    if not signal.shape:
        raise ValueError(f"expected data of at least one axis to plot, found {signal!r}: float(signal) is its value")
    axes = len(signal.nav_shape)
    is_map = (
        not signal.frame_shape
        or (isinstance(signal, BeamPosition) and axes > 0)
        or (isinstance(signal, ColorImage) and axes > 1)
    )
    contrast = ContrastChoice(norm, kind_of(signal), power=power, percentile=percentile, limits=limits)
    if cmap is not None:
        color_map(cmap)  # refuses what is none
    name = title if title is not None else signal.title or type(signal).__name__
    if not is_map:
        return FrameViewer(signal, navigator, contrast, cmap=cmap, vectors=vectors, rois=rois, title=name, size=size)
    if vectors is not None or rois is not None:
        raise ValueError(f"expected a signal of frames to draw vectors or regions on, found {signal!r}")
    return MapViewer(signal, contrast, cmap=cmap, title=name, size=size)


def kind_of(signal: Any) -> str:
    """What the pictures of a signal are: "pattern" for diffraction, whose scale is logarithmic, or "map".

    Examples
    --------
    >>> kind_of(d), kind_of(d.get_virtual_image(l4.CircleROI(8, 8, 3)))
    ('pattern', 'map')
    """
    is_pattern = isinstance(signal, Diffraction2D | PolarDiffraction2D) or any(
        axis.units.startswith("1/") or axis.units.endswith("rad") for axis in signal.frame_axes[-2:]
    )
    return "pattern" if is_pattern and signal.dtype != bool and len(signal.frame_shape) > 1 else "map"
