"""How pictures are put on a page: width in millimetres, size of the text, rows and columns without waste."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lazy4d.plot.contrast import is_plain
from lazy4d.plot.image import TITLE_SIZE, Image, draw, extend_of, pixel_aspect, set_ticks
from lazy4d.plot.scale_bars import FONT_SIZE

WIDTHS = {"single": 85.0, "double": 170.0}
"""Millimetres of one and of two columns of a journal."""

MM = 1 / 25.4
"""Inches."""

SMALLEST = 6.0
"""Points; what is smaller cannot be read in print."""

_FLATTEST, _NARROWEST = 0.15, 8.0
"""Height over width beyond which a picture is stretched, as a scan of one line would not be seen."""

_TALLEST = 2.0
"""Height of a picture over the width of its column; what is taller becomes narrower."""

_PAD = 0.04  # inches


def width_in_mm(width: float | str | None, otherwise: float) -> float:
    """The width of a figure in mm.

    Raises
    ------
    ValueError
        Neither a name nor a possible width.

    Examples
    --------
    >>> width_in_mm("double", 85.0), width_in_mm(None, 85.0), width_in_mm(120, 85.0)
    (170.0, 85.0, 120.0)
    """
    if width is None:
        return otherwise
    found = WIDTHS.get(width, 0.0) if isinstance(width, str) else float(width)
    if not 20 <= found <= 2000:
        raise ValueError(f"width={width!r}: expected 'single', 'double' or millimetres from 20 to 2000")
    return found


def font_for(width: float) -> float:
    """Points of the text of a picture of so many mm, its share of the colour bar included.

    Examples
    --------
    >>> font_for(85.0), font_for(28.0)
    (8.0, 6.0)
    """
    return max(SMALLEST, min(FONT_SIZE, round(FONT_SIZE * (width / 60) ** 0.5 * 2) / 2))


def new_figure(width: float, height: float, dpi: float) -> Figure:
    """A white figure of so many mm and inches that needs neither display nor pyplot.

    Examples
    --------
    >>> new_figure(85, 2.0, 100).get_size_inches().round(2).tolist()
    [3.35, 2.0]
    """
    figure = Figure(figsize=(width * MM, height), dpi=dpi, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=_PAD, h_pad=_PAD, wspace=0.015, hspace=0.015)  # type: ignore[union-attr, call-arg]
    return figure


def lettered(letters: bool | Sequence[str], count: int) -> list[str]:
    """What stands before titles: "a)", "b)" …; nothing, or what was given.

    Raises
    ------
    ValueError
        Not one for each.

    Examples
    --------
    >>> lettered(True, 3), lettered(False, 2)
    (['a)', 'b)', 'c)'], ['', ''])
    """
    if isinstance(letters, bool):
        names = [*string.ascii_lowercase, *(a + b for a in string.ascii_lowercase for b in string.ascii_lowercase)]
        return [f"{name})" for name in names[:count]] if letters else [""] * count
    if len(letters) != count:
        raise ValueError(f"letters={letters!r}: expected {count}, one for each picture, found {len(letters)}")
    return [str(one) for one in letters]


def wrapped(title: str, width: float, size: float, lines: int = 2) -> str:
    r"""A title in at most so many lines of `width` inches of text of `size` points, the rest left out.

    Examples
    --------
    >>> wrapped("a rather long title of a picture", 1.0, 10.0)
    'a rather long\ntitle of a…'
    """
    if "$" in title:  # mathematical text cannot be cut
        return title
    letters = max(6, int(width * 72 / (0.53 * size)))
    return "\n".join(textwrap.wrap(title, letters, max_lines=lines, placeholder="…"))


def short_name(name: str, width: float, font: float) -> str:
    """A name that takes at most a third of so many inches, in text of `font` points.

    Examples
    --------
    >>> short_name("what was measured on Monday", 3.0, 8.0)
    'what was measur…'
    """
    most = max(8, int(0.33 * width * 72 / (0.53 * font)))
    return name if len(name) <= most or "$" in name else f"{name[: most - 1]}…"


def page(
    images: Sequence[Image],
    *,
    columns: int,
    width: float,
    title: str = "",
    dpi: float = 150,
    letters: bool | Sequence[str] = False,
    shared: Sequence[Sequence[int]] = (),
) -> Figure:
    """A figure of pictures in rows and columns, exactly so wide and as tall as they need.

    Parameters
    ----------
    images : sequence of Image
        From left to right, then down.
    columns : int
        In a row.
    width : float
        Of the figure, mm.
    title : str
        Above all.
    dpi : float
        Dots an inch.
    letters : bool or sequence of str
        Before the titles.
    shared : sequence of sequence of int
        Numbers of pictures that have one colour bar, at the right of them.

    Examples
    --------
    >>> axes = (l4.Axis(name="y", size=3), l4.Axis(name="x", size=4))
    >>> page([Image("flat", np.ones((3, 4)), axes)] * 2, columns=2, width=170).get_size_inches()[0].round(2)
    np.float64(6.69)
    """
    rows = -(-len(images) // columns)
    cell = width * MM / columns
    font = images[0].font
    parts = [max(_tallness(image) for image in images[k : k + columns]) for k in range(0, len(images), columns)]
    figure = new_figure(width, 1.2 * sum(parts) * cell + rows * 8 * font / 72 + 1.0, dpi)
    grid = figure.add_gridspec(rows, columns, height_ratios=parts)
    before = lettered(letters, len(images))
    drawn = []
    for number, (image, letter) in enumerate(zip(images, before, strict=True)):
        ax = figure.add_subplot(grid[divmod(number, columns)])
        room = cell * (0.74 if image.color_bar else 0.92)
        heading = wrapped(f"{letter} {image.title}".strip(), room, TITLE_SIZE * font / FONT_SIZE)
        drawn.append((ax, draw(ax, replace(image, title=heading))))
        ax.set_anchor("NW")
        for side in ax.spines.values():
            side.set_linewidth(side.get_linewidth() * min(1.0, cell / 2))
        _unflatten(ax, image)
    for group in shared:
        _shared_bar(figure, [drawn[k] for k in group], [images[k] for k in group], font)
    if title:
        wide = wrapped(title, width * MM * 0.95, TITLE_SIZE * font / FONT_SIZE * 1.1, lines=3)
        figure.suptitle(wide, fontsize=TITLE_SIZE * font / FONT_SIZE * 1.1, x=0.01, ha="left")
    fit_height(figure, [[ax for ax, _ in drawn[k : k + columns]] for k in range(0, len(drawn), columns)])
    return figure


def fit_height(figure: Figure, rows: Sequence[Sequence[Any]]) -> None:
    """Make a figure as tall as its rows of pictures need, its width left as it is.

    The heights of the rows are to each other as those of the pictures already.

    Examples
    --------
    >>> figure = new_figure(85, 9.0, 100)
    >>> ax = figure.add_subplot()
    >>> shown = ax.imshow(np.ones((4, 8)))
    >>> fit_height(figure, [[ax]])
    >>> bool(figure.get_size_inches()[1] < 2.2)
    True
    """
    engine: Any = figure.get_layout_engine()
    for _ in range(2):
        engine.execute(figure)
        for ax in (ax for row in rows for ax in row):
            ax.apply_aspect()
        width, height = figure.get_size_inches()
        given = [max(ax.get_position(original=True).height for ax in row) * height for row in rows]
        used = [max(_needed(ax, width, height) for ax in row) for row in rows]
        figure.set_size_inches(width, max(0.3, height - sum(given) + sum(used)))


def _needed(ax: Any, width: float, height: float) -> float:
    """The height in inches at which a picture is as wide as its column, if it is not too tall for that."""
    shown, column = ax.get_position(), ax.get_position(original=True).width * width
    return float(column * min(_TALLEST, shown.height * height / (shown.width * width)))


def _tallness(image: Image) -> float:
    """Height over width of a picture."""
    aspect = pixel_aspect(*image.axes)
    return min(_TALLEST, max(_FLATTEST, image.values.shape[0] * aspect / image.values.shape[1]))


def _unflatten(ax: Any, image: Image) -> None:
    """Stretch what is so flat, or so narrow, that it would not be seen; the scale bar stays true."""
    rows, columns = image.values.shape[:2]
    y, x = image.axes
    if y.units != x.units:
        return
    real = rows * abs(y.scale / x.scale) / columns
    if not _FLATTEST <= real <= _NARROWEST:
        ax.set_aspect(min(max(real, _FLATTEST), _NARROWEST) * columns / rows)


def _shared_bar(figure: Figure, drawn: list[tuple[Any, Any]], images: list[Image], font: float) -> None:
    """One colour bar for several pictures, at their right."""
    members = [(ax, shown) for (ax, shown), image in zip(drawn, images, strict=True) if image.norm is not None]
    if not members:
        return
    ends = {extend_of(shown) for _, shown in members}
    low, high = bool(ends & {"min", "both"}), bool(ends & {"max", "both"})
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[low, high]
    shown = members[0][1]
    wide = 0.11 / max(figure.get_size_inches()[0], 1.0)
    bar = figure.colorbar(
        shown,
        ax=[ax for ax, _ in drawn],
        fraction=wide,
        pad=0.012,
        aspect=30,
        extend=extend,
        shrink=0.97,
        panchor=False,
    )
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=font - 0.5, width=0.5, length=2.5, pad=2)
    bar.ax.tick_params(which="minor", labelsize=font - 1.5, width=0.35, length=1.5)
    set_ticks(bar)
    if is_plain(shown.norm):
        bar.ax.yaxis.set_major_locator(MaxNLocator(6))
        bar.ax.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=True)
        bar.ax.yaxis.get_offset_text().set(fontsize=font - 0.5, ha="left")
    bar.set_label(images[0].label, fontsize=font, labelpad=3)
