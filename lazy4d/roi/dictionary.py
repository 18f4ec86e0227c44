"""Regions read back from the dictionaries that describe them."""

from collections.abc import Mapping
from typing import Any

from lazy4d.roi.line import LineROI, SpanROI
from lazy4d.roi.painted import PaintedROI
from lazy4d.roi.region import ROI
from lazy4d.roi.shapes import CircleROI, EllipseROI, PolygonROI, RectangleROI

_SHAPES: dict[str, type[ROI]] = {
    kind.__name__: kind for kind in (CircleROI, RectangleROI, EllipseROI, PolygonROI, LineROI, SpanROI, PaintedROI)
}


def roi_from_dictionary(content: Mapping[str, Any]) -> ROI:
    """Return the region that `ROI.as_dictionary` described.

    Raises
    ------
    ValueError
        No such shape.

    Examples
    --------
    >>> roi_from_dictionary({"roi": "CircleROI", "cx": 4, "cy": 4, "r": 2.5})
    CircleROI(cx=4, cy=4, r=2.5, r_inner=0)
    """
    values = dict(content)
    kind = values.pop("roi", None)
    if kind not in _SHAPES:
        raise ValueError(f"expected 'roi' to be one of {sorted(_SHAPES)}, found {kind!r} in {dict(content)!r}")
    return _SHAPES[kind](**values)
