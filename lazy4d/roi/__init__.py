"""Regions of interest: shapes in pixels or units that say which pixels belong, and tell when they change."""

from lazy4d.roi.dictionary import roi_from_dictionary
from lazy4d.roi.geometry import mask_spans, mask_window
from lazy4d.roi.line import LineROI, SpanROI
from lazy4d.roi.painted import PaintedROI
from lazy4d.roi.region import ROI
from lazy4d.roi.regridding import exchanged, regridded
from lazy4d.roi.shapes import CircleROI, EllipseROI, PolygonROI, RectangleROI

__all__ = [
    "ROI",
    "CircleROI",
    "EllipseROI",
    "LineROI",
    "PaintedROI",
    "PolygonROI",
    "RectangleROI",
    "SpanROI",
    "exchanged",
    "mask_spans",
    "mask_window",
    "regridded",
    "roi_from_dictionary",
]
