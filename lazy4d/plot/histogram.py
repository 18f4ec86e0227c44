"""How values are distributed: histograms of signals, arrays and columns of vectors, one over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lazy4d.plot.curves import line_colors
from lazy4d.plot.images import titled
from lazy4d.plot.page import MM, new_figure, short_name, width_in_mm, wrapped
from lazy4d.plot.samples import Sample, common_edges, is_columns, samples_of
from lazy4d.plot.scale_bars import FONT_SIZE, unit_text


def plot_histograms(
    data: Any,
    *,
    column: str | Sequence[str] | None = None,
    bins: int | Sequence[float] | None = None,
    range: tuple[float, float] | str | None = None,  # as numpy calls it
    log: bool = False,
    density: bool = False,
    label: str | None = None,
    width: float | str | None = None,
    height: float | None = None,
    font_size: float = FONT_SIZE,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of histograms, all over the same bins, with the number of values that are missing or beyond.

    Parameters
    ----------
    data : dict, list, signal, vectors or array
        Values, by their names (of signals in a list, their titles): signals of real numbers, results of
        `get_histogram`, `DiffractionVectors` or their tables with a `column`, arrays of any shape. What is lazy is
        computed, all that comes from one file together: in one pass, or two where it is too large to be held (first
        the extremes).
    column : str or sequence of str, optional
        Of vectors; several are drawn side by side. By default "intensity", if there is such a column. Places and other
        columns with units are in these.
    bins : int or sequence of float, optional
        Number of bins, or their edges. By default from the number of values; whole numbers get bins of whole width.
    range : (low, high) or "full", optional
        By default all values, but without far outliers: where the most extreme 0.1 % would take a third of the axis or
        more, they are left out, and counted in the legend.
    log : bool
        Logarithmic counts.
    density : bool
        Share of the values a unit, so that sets of different size can be compared.
    label : str, optional
        Of the values; by default what ``metadata.Signal.quantity`` says.
    width : float or {"single", "double"}, optional
        Of the figure in mm; by default 120, or 85 a column.
    height : float, optional
        In mm.
    font_size : float
        Points.
    title : str
        Above.
    dpi : float
        Dots an inch on the screen.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; `save_figure` writes it.

    Raises
    ------
    ValueError
        Nothing to show, complex values, a column there is not, or bins and range that are none.

    Examples
    --------
    >>> figure = plot_histograms({"scan": d, "first row": d.inav[:, 0]}, log=True)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['scan: n = 4096', 'first row: n = 1024']
    """
    given = {"": data} if is_columns(data) else titled(data)
    named = {name.strip(): value for name, value in given.items()}
    panels = samples_of(named, column, None if range == "full" else range)
    wide = width_in_mm(width, 120.0 if len(panels) == 1 else 85.0 * min(3, len(panels)))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    tall = wide / columns * 0.66 * rows if height is None else height
    figure = new_figure(wide, tall * MM, dpi)
    grid = figure.add_gridspec(rows, columns)
    for number, (quantity, samples) in enumerate(panels):
        ax = figure.add_subplot(grid[divmod(number, columns)])
        edges = common_edges(list(samples.values()), bins, range)
        _draw(ax, samples, edges, log, density, font_size)
        ax.set_xlabel(label if label is not None else _with_unit(quantity), fontsize=font_size)
        ax.set_ylabel(_counted(quantity if label is None else label, density), fontsize=font_size)
    if title:
        told = wrapped(title, wide * MM * 0.95, font_size * 1.2, 3)
        figure.suptitle(told, fontsize=font_size * 1.2, x=0.01, ha="left")
    return figure


def _draw(ax: Any, samples: Mapping[str, Sample], edges: Any, log: bool, density: bool, font: float) -> None:
    """Steps over common bins, and in the legend how many values there are."""
    widths = np.diff(edges)
    colors = ["#0072b2"] if len(samples) == 1 else line_colors(len(samples))
    top = 0.0
    for (name, sample), color in zip(samples.items(), colors, strict=True):
        counts = sample.counts(edges)
        beyond = sample.number - int(counts.sum())
        heights = counts / (max(sample.number, 1) * widths) if density else counts
        top = max(top, float(heights.max(initial=0.0)))
        short = short_name(name, ax.figure.get_size_inches()[0], font)
        told = f"{short}: " if name and len(samples) > 1 else ""
        ax.stairs(heights, edges, color=color, linewidth=1.0, label=told + _told(sample, beyond))
        if len(samples) <= 2:
            ax.stairs(heights, edges, color=color, fill=True, alpha=0.25, linewidth=0)
    ax.set_xlim(edges[0], edges[-1])
    if log:
        smallest = min((float(s.counts(edges).sum()) for s in samples.values()), default=1.0)
        floor = 0.5 / (max(smallest, 1.0) * float(widths.max())) if density else 0.5
        ax.set_ylim(floor, max(top, 2 * floor) * 2)
        ax.set_yscale("log")
    else:
        ax.set_ylim(0, (top or 1.0) * 1.08)
        ax.yaxis.set_major_locator(MaxNLocator(6, integer=not density))
        ax.ticklabel_format(axis="y", scilimits=(-3, 5), useMathText=True)
    if all(sample.whole for sample in samples.values()) and edges[-1] - edges[0] < 12:
        ax.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    elif not ax.xaxis.get_scale() == "log":
        ax.ticklabel_format(axis="x", scilimits=(-3, 5), useMathText=True)
        ax.xaxis.get_offset_text().set_fontsize(font - 0.5)
    ax.yaxis.get_offset_text().set_fontsize(font - 0.5)
    ax.tick_params(labelsize=font - 0.5, width=0.5, length=2.5)
    ax.tick_params(which="minor", width=0.35, length=1.5)
    for side in ax.spines.values():
        side.set_linewidth(0.6)
    many = len(samples) > 6  # beside, else above: never on the steps
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)} if many else {"bbox_to_anchor": (-0.01, 1.0)}
    ax.legend(
        fontsize=font - 1,
        frameon=False,
        handlelength=1.2,
        borderpad=0.2,
        labelspacing=0.3,
        **{"loc": "lower left"} | place,
    )


def _told(sample: Sample, beyond: int) -> str:
    """How many values there are, and how many are not drawn."""
    parts = [f"n = {sample.number}"]
    if sample.missing:
        parts.append(f"{sample.missing} not finite")
    if beyond:
        parts.append(f"{beyond} beyond")
    return ", ".join(parts)


def _with_unit(quantity: str) -> str:
    """A quantity with its unit as papers print it."""
    name, _, unit = quantity.partition(" (")
    return f"{name} ({unit_text(unit[:-1])})" if unit.endswith(")") else quantity


def _counted(quantity: str, density: bool) -> str:
    if not density:
        return "number of values"
    unit = quantity.partition(" (")[2]
    return f"share per {unit_text(unit[:-1])}" if unit.endswith(")") and unit != "px)" else "density"
