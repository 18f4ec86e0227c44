"""Where the pictures of a live figure stand: fixed distances for text, the rest for the pictures, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.transforms import Bbox

from lazy4d.axes import Axis

TOP, FOOTER, SLIDER = 0.36, 0.27, 0.27
"""Inches above the pictures, of the line of text below them, and of each slider between."""

_HEIGHT = 3.2
"""Inches of a picture in a figure of the usual size."""

_WIDEST = 10.4
"""Inches of a whole figure of the usual size: what the cell of a notebook has room for."""

_FLATTEST, _TALLEST = 0.62, 1.6
"""Height over width of the place that a picture gets, whatever its own shape."""


@dataclass(frozen=True)
class PanelShape:
    """What a panel needs.

    Parameters
    ----------
    tallness : float
        Height over width of its picture.
    left, right, below : float
        Inches for what is written beside and below it.
    """

    tallness: float
    left: float = 0.14
    right: float = 0.8
    below: float = 0.1

    @property
    def held(self) -> float:
        """Height over width of the place that it gets."""
        return min(max(self.tallness, _FLATTEST), _TALLEST)


def image_shape(tallness: float, has_ticks: bool = False) -> PanelShape:
    """What an image needs beside itself: its colour bar, and ticks where it has them."""
    return PanelShape(1.0, 0.6, 0.8, 0.42) if has_ticks else PanelShape(tallness)


def curve_shape() -> PanelShape:
    """What a curve needs beside itself."""
    return PanelShape(0.8, 0.66, 0.2, 0.42)


def shape_of(axes: Sequence[Axis]) -> PanelShape:
    """What the panel of a picture over one or two axes, x-first, needs.

    Examples
    --------
    >>> shape_of((l4.Axis(name="x", size=8), l4.Axis(name="y", size=4))).tallness
    0.5
    """
    if len(axes) == 1:
        return curve_shape()
    x, y = axes[:2]
    if x.units != y.units:
        return image_shape(1.0, True)
    return image_shape(y.size * abs(y.scale) / (x.size * abs(x.scale)))


def usual_size(panels: Sequence[PanelShape], sliders: int = 0) -> tuple[float, float]:
    """Width and height in inches of a figure in which all pictures have their usual size.

    Examples
    --------
    >>> usual_size([image_shape(1.0), image_shape(1.0)])
    (8.28, 3.93)
    >>> usual_size([image_shape(0.1), image_shape(0.1)])[0]
    10.4
    """
    below = max(panel.below for panel in panels)
    beside, wide = sum(panel.left + panel.right for panel in panels), sum(_HEIGHT / panel.held for panel in panels)
    shrunk = min(1.0, (_WIDEST - beside) / wide)
    return round(beside + wide * shrunk, 2), round(TOP + _HEIGHT * shrunk + below + SLIDER * sliders + FOOTER, 2)


@dataclass(frozen=True)
class Places:
    """Rectangles in parts of the figure.

    Parameters
    ----------
    regions : list of Bbox
        Of each panel, with all that is written around its picture.
    pictures : list of Bbox
        Of each picture itself.
    sliders : list of Bbox
        Of each slider, from above.
    footer : Bbox
        Of the line of text below.
    """

    regions: list[Bbox]
    pictures: list[Bbox]
    sliders: list[Bbox]
    footer: Bbox


def arrange(size: tuple[float, float], panels: Sequence[PanelShape], sliders: int = 0) -> Places:
    """The places of panels side by side in a figure of a size in inches, with sliders and a line of text below.

    Examples
    --------
    >>> places = arrange((8.28, 3.93), [image_shape(1.0), image_shape(1.0)])
    >>> [round(float(one.width) * 8.28, 2) for one in places.pictures]
    [3.2, 3.2]
    """
    width, height = max(size[0], 1.0), max(size[1], 1.0)
    foot = FOOTER + SLIDER * sliders
    beside = sum(panel.left + panel.right for panel in panels)
    high = [max(0.2, height - TOP - foot - panel.below) for panel in panels]
    wide = [h / panel.held for h, panel in zip(high, panels, strict=True)]
    room = max(0.2 * len(panels), width - beside)
    wide = [one * room / sum(wide) for one in wide]
    regions, pictures, at = [], [], 0.0
    for panel, w, h in zip(panels, wide, high, strict=True):
        regions.append(_part(at, foot, panel.left + w + panel.right, height - foot, width, height))
        pictures.append(_part(at + panel.left, foot + panel.below, w, h, width, height))
        at += panel.left + w + panel.right
    rows = [
        _part(1.1, foot - SLIDER * (k + 1) + 0.06, max(0.5, width - 2.9), SLIDER - 0.1, width, height)
        for k in range(sliders)
    ]
    return Places(regions, pictures, rows, _part(0.0, 0.0, width, FOOTER, width, height))


def _part(left: float, bottom: float, wide: float, high: float, width: float, height: float) -> Bbox:
    return Bbox.from_bounds(left / width, bottom / height, wide / width, high / height)
