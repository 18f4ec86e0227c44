"""Marks on a picture: vectors on a pattern, positions on a map, in one colour, by class, or by a scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import EllipseCollection
from matplotlib.colors import ListedColormap, LogNorm, Normalize, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from lazy4d.plot.colors import MISSING, robust_limits
from lazy4d.plot.scale_bars import FONT_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSES = (
    "#35c9ff", "#ffb000", "#8dff6b", "#ff5fa2", "#b58cff", "#fff35c", "#00d1a0", "#ff7a45", "#8fb4ff", "#e8e8e8",
)  # fmt: skip
"""Colours of classes, to be told apart on black and on grey; after the last they begin again."""

UNCLASSED = "#8a8a8a"
"""Of what belongs to no class: a negative label."""

MOST_CLASSES = 24
"""Different whole numbers that are taken for classes; more are a scale."""

MOST_NAMED = 10
"""Classes that a legend names."""

SCALE = ListedColormap(colormaps["viridis"](np.linspace(0.3, 1, 256)), "marks")
"""Colours of numbers that are no classes; without the darkest, which could not be seen on black."""

WIDE = 50.0
"""Largest over smallest number from which their scale is logarithmic, if all are above 0."""

_RGBA = NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """Circles on a picture whose coordinates are pixels.

    Parameters
    ----------
    y, x : ndarray of float64 [n]
        Places in pixels; the centre of the first one is 0.
    colors : str or float64 ndarray [n, 4]
        One for all, or one for each.
    radius : float, optional
        Of the circles, in pixels; without it they have the same size on every picture.
    size : float
        Diameter in points of circles without a radius.
    filled : bool
        Disks rather than rings.
    texts : sequence of str
        Written beside the marks.
    key : sequence of (str, str)
        Names and colours of classes, for a legend.
    scale : matplotlib Normalize, optional
        What the colours of `SCALE` mean, for a colour bar.
    title : str
        Of legend or colour bar: what the colours mean.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    colors: Any = CLASSES[0]
    radius: float | None = None
    size: float = 7.0
    filled: bool = False
    texts: Sequence[str] = ()
    key: Sequence[tuple[str, str]] = field(default_factory=tuple)
    scale: Normalize | None = None
    title: str = ""


def class_colors(values: NDArray[Any]) -> tuple[_RGBA, list[tuple[str, str]]]:
    """A colour for each whole number, the same for the same number in every picture, and what to write in a legend.

    Parameters
    ----------
    values : ndarray of integers [n]
        Classes; negative ones are `UNCLASSED`.

    Returns
    -------
    colors : ndarray of float64 [n, 4]
    key : list of (str, str)
        Each class and its colour, ascending; "none" for negative ones, first.

    Examples
    --------
    >>> class_colors(np.array([0, 2, -1, 0]))[1]
    [('none', '#8a8a8a'), ('0', '#35c9ff'), ('2', '#8dff6b')]
    """
    found, inverse = np.unique(values, return_inverse=True)
    names = [UNCLASSED if one < 0 else CLASSES[int(one) % len(CLASSES)] for one in found]
    table = np.array([to_rgba(name) for name in names]).reshape(-1, 4)
    key = [("none", UNCLASSED)] if any(one < 0 for one in found) else []
    key += [(str(one), name) for one, name in zip(found, names, strict=True) if one >= 0]
    return table[inverse.reshape(-1)], key


def scale_of(values: NDArray[Any]) -> Normalize:
    """The scale of colours for some numbers: logarithmic where they are all above 0 and of very different sizes.

    Examples
    --------
    >>> scale_of(np.array([1.0, 3.0])).vmax, type(scale_of(np.array([1.0, 300.0]))).__name__
    (3.0, 'LogNorm')
    """
    low, high = robust_limits(values)
    smallest = np.min(values, initial=np.inf, where=np.isfinite(values))
    return LogNorm(low, high) if smallest > 0 and high > WIDE * low else Normalize(low, high)


def scale_colors(values: NDArray[Any], scale: Normalize) -> _RGBA:
    """A colour for each number, [n, 4]; NaN has the colour of what is missing.

    Examples
    --------
    >>> scale_colors(np.array([0.0, 1.0]), Normalize(0, 1)).round(2).tolist()
    [[0.21, 0.37, 0.55, 1.0], [0.99, 0.91, 0.14, 1.0]]
    """
    numbers = np.asarray(values, np.float64)
    colors = np.asarray(SCALE(scale(np.where(np.isfinite(numbers), numbers, scale.vmin or 0.0))))
    return np.where(np.isfinite(numbers)[:, None], colors, to_rgba(MISSING))


def draw_marks(ax: Axes, marks: Marks) -> EllipseCollection:
    """The marks drawn on axes whose coordinates are pixels, limits left as they are.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> np.asarray(draw_marks(ax, Marks(np.array([1.0]), np.array([2.0]), radius=3)).get_offsets())
    array([[2., 1.]])
    """
    diameter = marks.size if marks.radius is None else 2 * marks.radius
    sizes = np.full(marks.y.size, float(diameter))
    colors: Any = {"facecolors": marks.colors, "edgecolors": "none"}
    if not marks.filled:
        colors = {"facecolors": "none", "edgecolors": marks.colors, "linewidths": 1.0}
        if marks.y.size <= 2000:  # a dark line below each, so that rings can be read on what is bright
            colors["path_effects"] = [withStroke(linewidth=2.0, foreground="black", alpha=0.6)]
    circles = EllipseCollection(
        sizes, sizes, np.zeros_like(sizes), units="points" if marks.radius is None else "xy",
        offsets=np.column_stack([marks.x, marks.y]), offset_transform=ax.transData, zorder=4, **colors,
    )  # fmt: skip
    ax.add_collection(circles, autolim=False)
    aside, shift = (0.0, marks.size / 2 + 2) if marks.radius is None else (0.75 * marks.radius, 1.0)
    for text, y, x, color in zip(marks.texts, marks.y, marks.x, _each(marks), strict=False):
        ax.annotate(
            text, (x + aside, y - aside), (shift, shift - 1), textcoords="offset points", fontsize=FONT_SIZE - 1,
            color=color, annotation_clip=True, clip_on=True, zorder=5,
            path_effects=[withStroke(linewidth=1.6, foreground="black", alpha=0.8)],
        )  # fmt: skip
    return circles


def _each(marks: Marks) -> Sequence[Any]:
    return [marks.colors] * marks.y.size if isinstance(marks.colors, str) else list(marks.colors)


def draw_key(ax: Axes, key: Sequence[tuple[str, str]], title: str) -> None:
    """A legend beside the picture, where other pictures have their colour bar; at most `MOST_NAMED` classes."""
    shown = list(key[:MOST_NAMED])
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=4.5, color=color, markeredgewidth=0, label=name)
        for name, color in shown
    ]
    if len(key) > len(shown):
        handles.append(Line2D([], [], linestyle="", label=f"+ {len(key) - len(shown)}"))
    legend = ax.legend(
        handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.02, 1.02), frameon=False,
        fontsize=FONT_SIZE - 0.5, title_fontsize=FONT_SIZE - 0.5, handletextpad=0.2, borderpad=0.1, labelspacing=0.35,
        alignment="left",
    )  # fmt: skip
    legend.set_zorder(6)
