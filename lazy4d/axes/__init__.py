"""Axes: one calibrated axis, all axes of a signal together, and the places on them that users give."""

from lazy4d.axes.axis import Axis
from lazy4d.axes.manager import AxesManager
from lazy4d.axes.slices import describe_range
from lazy4d.axes.traits import Coordinate
from lazy4d.units import Item, as_item, difference, parse

__all__ = ["AxesManager", "Axis", "Coordinate", "Item", "as_item", "describe_range", "difference", "parse"]
