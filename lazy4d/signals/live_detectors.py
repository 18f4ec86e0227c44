"""Showing virtual detectors and regions of a scan live: `plot_virtual_image` and `plot_region`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lazy4d.roi import ROI, CircleROI, RectangleROI, SpanROI
from lazy4d.signals.regions import Regions, plane_axes

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def plot_virtual_image(
    signal: BaseSignal,
    roi: Any = None,
    *,
    combine: str | None = None,
    regions: Any = None,
    norm: str = "auto",
    power: float = 0.5,
    percentile: tuple[float, float] | None = None,
    cmap: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
) -> Any:
    """A live figure of patterns with virtual detectors to drag over them, and the images that these make.

    While a detector moves, its image comes from a small copy of the scan, at once for a file of any size; when it
    rests, the exact image is computed in the background. A double click on the pattern makes a detector there.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns over a scan.
    roi : ROI, str, or list or dict of these, optional
        The detectors, or their names in ``s.regions``; by default a disk around the zero of the signal axes, or the
        middle of the frames. They are followed: changing one in code moves it, dragging one changes it.
    combine : {"rgb", "difference"}, optional
        One picture of all: red, green and blue, each of its own detector; or the first less the second.
    regions : ROI, str, or list or dict of these, optional
        Regions of the scan, whose mean patterns are shown too.
    norm : {"auto", "linear", "log", "power"}, optional
        Colour scale of patterns; logarithmic by default.
    power : float, optional
        Exponent of "power".
    percentile : (low, high), optional
        Per cent of the values of a pattern at which its colours begin and end.
    cmap : str, optional
        Colour map of patterns.
    title : str, optional
        Of the figure.
    size : (width, height), optional
        In inches.

    Returns
    -------
    DetectorViewer
        ``.rois``, ``.images`` (virtual images, exact), ``.regions``, ``.patterns``, ``.wait()``, ``.save(path)``,
        ``.close()``.

    Raises
    ------
    TypeError, ValueError
        No scan of patterns of real numbers, a detector without any pixel, one name for a detector and a region, or
        another number of detectors than `combine` takes.

    Examples
    --------
    >>> viewer = d.plot_virtual_image({"bright field": l4.CircleROI(8, 8, 3), "ring": l4.CircleROI(8, 8, 7, r_inner=4)})
    >>> viewer.wait(60), bool((viewer.images["ring"].data == d.get_virtual_image(viewer.rois["ring"]).as_numpy()).all())
    (True, True)
    >>> viewer.close()
    """
    from lazy4d.plot.detectors.viewer import DetectorViewer

    _check_scan(signal, "virtual detectors")
    detectors = _named(signal, roi, "signal", "detector") or {"detector": _central_disk(signal)}
    chosen = _named(signal, regions, "navigation", "region")
    both = sorted(set(detectors) & set(chosen))
    if both:
        raise ValueError(
            f"expected one name for each detector and region, found {both} for both: rename one, as results are known "
            "by it"
        )
    return DetectorViewer(
        signal, detectors, chosen, combine=combine, norm=norm, power=power, percentile=percentile, cmap=cmap,
        title=title, size=size,
    )  # fmt: skip


def plot_region(
    signal: BaseSignal,
    roi: Any = None,
    *,
    norm: str = "auto",
    power: float = 0.5,
    percentile: tuple[float, float] | None = None,
    cmap: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
) -> Any:
    """A live figure of the scan with regions to drag over it, and the mean pattern of each.

    A double click on a pattern makes a virtual detector there: the image of the scan becomes its dark-field image.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns over a scan of one or two axes.
    roi : ROI, str, or list or dict of these, optional
        Rectangles, circles, ellipses, polygons, lines with a width (``lazy4d.roi.LineROI``), painted regions
        (``lazy4d.roi.PaintedROI``), for a scan of one axis a ``lazy4d.roi.SpanROI``; or their names in ``s.regions``,
        which then follow. By default a rectangle in the middle.
    norm, power, percentile, cmap, title, size : optional
        As for `plot_virtual_image`.

    Returns
    -------
    DetectorViewer
        ``.regions``, ``.patterns`` (mean patterns, exact), ``.wait()``, ``.save(path)``, ``.close()``. To keep a
        region: ``s.regions["grain"] = viewer.regions["region"]``.

    Raises
    ------
    TypeError, ValueError
        No scan of patterns of real numbers, more than two navigation axes, or a region without any position.

    Examples
    --------
    >>> viewer = d.plot_region({"grain": l4.CircleROI(1, 1, 2)})
    >>> viewer.wait(60), viewer.patterns["grain"].data.shape
    (True, (16, 16))
    >>> viewer.close()
    """
    from lazy4d.plot.detectors.viewer import DetectorViewer

    _check_scan(signal, "regions of a scan", most=2)
    chosen = _named(signal, roi, "navigation", "region") or {"region": _central_part(signal)}
    return DetectorViewer(
        signal, {}, chosen, norm=norm, power=power, percentile=percentile, cmap=cmap, title=title, size=size
    )


def _check_scan(signal: BaseSignal, what: str, most: int = 99) -> None:
    """Raise unless a signal is one of patterns whose intensities can be added up."""
    if not signal.nav_shape or len(signal.nav_shape) > most or len(signal.frame_shape) != 2:
        axes = "one or two navigation axes" if most == 2 else "navigation axes"
        raise ValueError(
            f"{what} need patterns of two signal axes over a scan of {axes}, found {signal!r}: select with inav or "
            "transpose first"
        )
    if signal.dtype.kind == "c":
        raise TypeError(
            f"{what} need real numbers, found frames of {signal.dtype}: give the intensities, such as abs(signal) ** 2"
        )


def _named(signal: BaseSignal, rois: Any, plane: str, stem: str) -> dict[str, ROI]:
    """Regions by name, each checked to hold a pixel."""
    found: dict[str, ROI]
    known: Regions = signal.regions
    if rois is None:
        return {}
    if isinstance(rois, Mapping):
        given = {str(name): one for name, one in rois.items()}
    elif isinstance(rois, list | tuple):
        given = {one if isinstance(one, str) else f"{stem} {k}": one for k, one in enumerate(rois, start=1)}
    else:
        given = {rois if isinstance(rois, str) else stem: rois}
    home = known.signal if plane == "signal" else known.navigation
    found = {name: home[one] if isinstance(one, str) else one for name, one in given.items()}
    for name, one in found.items():
        if not isinstance(one, ROI):
            raise TypeError(
                f"expected a region such as CircleROI for {name!r}, found {type(one).__name__}: give a shape, as "
                "they are dragged; PaintedROI.from_mask(mask) makes one of a mask"
            )
        if one._values() != {"runs": ()}:
            one.mask(plane_axes(signal, plane))
    return found


def _central_disk(signal: BaseSignal) -> ROI:
    """A disk around the zero of the axes where that is inside the frames, else around their middle."""
    center = []
    axes = plane_axes(signal, "signal")
    for axis in axes:
        zero = -axis.offset / axis.scale
        calibrated = axis.offset != 0 and 0 < zero < axis.size - 1
        center.append(round(zero) if calibrated else axis.size // 2)
    return CircleROI(center[0], center[1], max(1, min(axis.size for axis in axes) // 8))


def _central_part(signal: BaseSignal) -> ROI:
    """The middle of the scan, a third of it along each axis."""
    spans = []
    for axis in plane_axes(signal, "navigation"):
        first = axis.size // 3
        spans.append((first, max(first + 1, axis.size - first)))
    if len(spans) == 1:
        return SpanROI(*spans[0])
    (left, right), (top, bottom) = spans
    return RectangleROI(left, top, right, bottom)
