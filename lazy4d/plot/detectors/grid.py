"""Where the pictures of a viewer stand that has more of them than fit side by side: in rows, flat ones alone."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.transforms import Bbox

from lazy4d.plot.viewer.layout import FOOTER, SLIDER, TOP, PanelShape, Places, arrange, usual_size

COLUMNS = 3
"""Pictures in a row at most; four stand two by two."""

FLAT = 0.3
"""Height over width of a picture up to which it has a row for itself."""

_WIDEST = 9.0
_LEAST = 1.0
"""Inches of the longest flat picture, and of the least height that it gets, as its colour bar needs that."""


def grid_rows(shapes: Sequence[PanelShape]) -> list[list[int]]:
    """The numbers of the panels in each row.

    Examples
    --------
    >>> square, strip = PanelShape(1.0), PanelShape(0.1)
    >>> grid_rows([square] * 2), grid_rows([square] * 4), grid_rows([square, strip, square])
    ([[0, 1]], [[0, 1], [2, 3]], [[0, 2], [1]])
    """
    usual = [k for k, shape in enumerate(shapes) if shape.tallness > FLAT]
    flat = [[k] for k, shape in enumerate(shapes) if shape.tallness <= FLAT]
    columns = 2 if len(usual) == 4 else COLUMNS
    return [usual[start : start + columns] for start in range(0, len(usual), columns)] + flat


def _filled_rows(shapes: Sequence[PanelShape]) -> list[tuple[list[int], list[PanelShape]]]:
    """The numbers and shapes of each row; a short one has empty places at its end, so that columns stand in line."""
    rows = grid_rows(shapes)
    found = []
    for row in rows:
        inside = [shapes[k] for k in row]
        if inside[0].tallness > FLAT:
            inside += inside[-1:] * (len(rows[0]) - len(row))
        found.append((row, inside))
    return found


def _row_size(shapes: Sequence[PanelShape], widest: float) -> tuple[float, float]:
    """Width and height in inches of a row, without the line of text below."""
    first = shapes[0]
    if first.tallness <= FLAT:
        beside = first.left + first.right
        return widest, TOP + max((widest - beside) * first.tallness, _LEAST) + first.below
    width, height = usual_size(shapes)
    return width, height - FOOTER


def _sizes(shapes: Sequence[PanelShape]) -> list[tuple[float, float]]:
    rows = [inside for _, inside in _filled_rows(shapes)]
    usual = [_row_size(row, _WIDEST)[0] for row in rows if row[0].tallness > FLAT]
    return [_row_size(row, max([_WIDEST, *usual])) for row in rows]


def grid_size(shapes: Sequence[PanelShape], sliders: int = 0) -> tuple[float, float]:
    """Width and height in inches of a figure in which all pictures have their usual size.

    Examples
    --------
    >>> grid_size([PanelShape(1.0)] * 2) == usual_size([PanelShape(1.0)] * 2)
    True
    """
    sizes = _sizes(shapes)
    below = FOOTER + SLIDER * sliders
    return max(width for width, _ in sizes), round(sum(height for _, height in sizes) + below, 2)


def grid_places(size: tuple[float, float], shapes: Sequence[PanelShape], sliders: int = 0) -> Places:
    """The places of panels in rows in a figure of a size in inches, with sliders and a line of text below.

    Examples
    --------
    >>> places = grid_places((8.0, 7.0), [PanelShape(1.0)] * 4)
    >>> bool(places.pictures[0].y0 > places.pictures[2].y1), len(places.regions)
    (True, 4)
    """
    rows = _filled_rows(shapes)
    width, height = max(size[0], 1.0), max(size[1], 1.0)
    foot = arrange((width, height), shapes[:1], sliders)
    below = FOOTER + SLIDER * sliders
    usual = [high for _, high in _sizes(shapes)]
    regions: dict[int, Bbox] = {}
    pictures: dict[int, Bbox] = {}
    top = height
    for (row, inside), wanted in zip(rows, usual, strict=True):
        high = (height - below) * wanted / sum(usual)
        found = arrange((width, high + FOOTER), inside, 0)
        top -= high
        for k, region, picture in zip(row, found.regions, found.pictures, strict=False):
            regions[k], pictures[k] = (_within(box, top, high + FOOTER, height) for box in (region, picture))
    order = range(len(shapes))
    return Places([regions[k] for k in order], [pictures[k] for k in order], foot.sliders, foot.footer)


def _within(box: Bbox, top: float, high: float, height: float) -> Bbox:
    """A rectangle in parts of a row, whose line of text is left out, in parts of the figure."""
    scale = high / height
    return Bbox.from_bounds(box.x0, (top - FOOTER) / height + box.y0 * scale, box.width, box.height * scale)
