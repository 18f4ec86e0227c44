"""Regions of interest: shapes in pixels or units that say which pixels belong, and tell when they change."""

from lazy4d.roi.geometry import mask_spans, mask_window
from lazy4d.roi.region import ROI
from lazy4d.roi.shapes import CircleROI, EllipseROI, PolygonROI, RectangleROI, roi_from_dictionary

__all__ = [
    "ROI",
    "CircleROI",
    "EllipseROI",
    "PolygonROI",
    "RectangleROI",
    "mask_spans",
    "mask_window",
    "roi_from_dictionary",
]
