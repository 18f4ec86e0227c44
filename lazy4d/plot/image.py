"""One picture of one signal: a map of the scan, a diffraction pattern, or displacements of the beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lazy4d.plot.colors import color_map, direction_colors, direction_wheel, robust_limits
from lazy4d.plot.marks import SCALE, Marks, draw_key, draw_marks
from lazy4d.plot.outline import outline
from lazy4d.plot.scale_bar import FONT_SIZE, scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lazy4d.axes import Axis

TITLE_SIZE = 9.5
_DECADES = 4.5
"""Of intensity that a pattern shows; what is weaker is as dark as nothing."""


@dataclass(frozen=True)
class Image:
    """A picture to be drawn: values on two axes, and how they become colours.

    Parameters
    ----------
    title : str
        Above the picture.
    values : ndarray [rows, columns], [rows, columns, 2] for displacements (y, x), or [rows, columns, 3] for colours
        What is shown; NaN where there is nothing.
    axes : (Axis, Axis)
        Along rows and columns, numpy order.
    label : str
        Of the colour bar: what the values count.
    kind : {"map", "pattern", "signed", "direction", "colors", "empty"}
        Linear and grey; logarithmic; linear about 0, in two colours; direction and length of displacements; the same,
        as colours already (`label` is then what the full ones stand for); black, for marks alone.
    limits : (float, float), optional
        Of the colour scale; by default from the values, without the most extreme 0.2 % at either end.
    frame : str, optional
        Colour of the picture's frame.
    outlines : sequence of (bool ndarray, str)
        Detectors to outline, and their colours.
    marks : sequence of Marks
        Vectors or positions to mark. Where their colours mean something, the picture is grey, and says that instead of
        what its own colours mean.
    power : float, optional
        Exponent of a colour scale from 0, instead of the logarithmic one of a pattern.
    """

    title: str
    values: NDArray[Any]
    axes: tuple[Axis, Axis]
    label: str = ""
    kind: str = "map"
    limits: tuple[float, float] | None = None
    frame: str | None = None
    outlines: Sequence[tuple[NDArray[np.bool_], str]] = ()
    marks: Sequence[Marks] = ()
    power: float | None = None


_MAPS = {"map": "gray", "pattern": "inferno", "signed": "RdBu_r"}


def draw(ax: Axes, image: Image) -> Any:
    """The picture drawn on axes, with a title, a scale bar, and a colour bar or a wheel of directions.

    Parameters
    ----------
    ax : matplotlib Axes
        Empty axes.
    image : Image
        What to draw.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = (l4.Axis(name="y", size=3), l4.Axis(name="x", size=4))
    >>> drawn = draw(Figure().add_subplot(), Image("thickness", np.ones((3, 4)), axes, "nm"))
    >>> drawn.get_array().shape
    (3, 4)
    """
    aspect = _aspect(*image.axes)
    if image.kind == "direction":
        dy, dx = np.moveaxis(image.values, -1, 0)
        longest = image.limits[1] if image.limits else robust_limits(np.hypot(dy, dx), share=0.01)[1]
        colors = direction_colors(dy, dx, longest)
        shown = ax.imshow(colors, interpolation="nearest", aspect=aspect)
        _wheel(ax, f"{longest:.2g} {image.label}".strip())
    elif image.kind == "colors":
        shown = ax.imshow(image.values, interpolation="nearest", aspect=aspect)
        _wheel(ax, image.label)
    else:
        shown = _values(ax, image, aspect)
    ax.set_title(image.title, fontsize=TITLE_SIZE, loc="left", pad=5)
    for side in ax.spines.values():
        side.set(color=image.frame or "0.2", linewidth=2.2 if image.frame else 0.6)
    for mask, color in image.outlines:
        ax.add_collection(outline(mask, color), autolim=False)
    for marks in image.marks:
        draw_marks(ax, marks)
    if image.axes[0].units != image.axes[1].units:  # such as azimuth and radius: lengths cannot be compared
        _ticks(ax, shown, *image.axes)
        return shown
    ax.set(xticks=[], yticks=[])
    scale_bar(ax, image.axes[1], color="black" if _is_bright_below(shown) else "white")
    return shown


def _values(ax: Axes, image: Image, aspect: float) -> Any:
    """One number a pixel, and beside the picture what its colours mean, or those of its marks."""
    values, norm = _scaled(image)
    meaning = next((one for one in image.marks if one.key or one.scale), None)
    colors = color_map("gray" if meaning or image.kind == "empty" else _MAPS[image.kind])
    shown = ax.imshow(values, cmap=colors, norm=norm, interpolation="auto", aspect=aspect)
    if meaning and meaning.key:
        draw_key(ax, meaning.key, meaning.title)
    elif meaning and meaning.scale:
        _color_bar(
            ax, ScalarMappable(meaning.scale, SCALE), meaning.title, plain=not isinstance(meaning.scale, LogNorm)
        )
    elif image.kind != "empty":
        _color_bar(ax, shown, image.label, plain=image.kind != "pattern" or image.power is not None)
    return shown


def _ticks(ax: Axes, shown: Any, y: Axis, x: Axis) -> None:
    """Both axes with their values and units, y upwards, in the shape of the picture."""
    (left, right), (top, bottom) = (
        (axis.offset - axis.scale / 2, axis.offset + axis.scale * (axis.size - 0.5)) for axis in (x, y)
    )
    shape = ax.get_data_ratio()
    shown.set_extent((left, right, bottom, top))
    ax.invert_yaxis()
    ax.set_aspect(shape / ax.get_data_ratio())
    ax.set_xlabel(f"{x.name} ({x.units})", fontsize=FONT_SIZE, labelpad=2)
    ax.set_ylabel(f"{y.name} ({y.units})", fontsize=FONT_SIZE, labelpad=2)
    ax.tick_params(labelsize=FONT_SIZE - 0.5, width=0.5, length=2.5, pad=2)


def _is_bright_below(shown: Any) -> bool:
    """Whether the lower left corner of a picture, where its scale bar is, is bright."""
    pixels = shown.get_array()
    rows, columns = pixels.shape[:2]
    colors = shown.to_rgba(pixels[rows * 3 // 4 :, : columns // 2 + 1], norm=pixels.ndim == 2)
    return bool(np.mean(colors[..., :3] @ [0.2126, 0.7152, 0.0722]) > 0.6)


def _aspect(y: Axis, x: Axis) -> float:
    """Height over width of a pixel; 1 where the axes have different units."""
    return abs(y.scale / x.scale) if y.units == x.units else 1.0


def _scaled(image: Image) -> tuple[NDArray[np.float64], Normalize]:
    """Values to show and their colour scale."""
    values = np.asarray(image.values, np.float64)
    low, high = image.limits or robust_limits(values)
    if image.kind == "pattern":
        high = float(np.nanmax(values, initial=0.0)) if image.limits is None else high
        if image.power is not None and high > 0:
            most = high if image.limits else robust_limits(values[values > 0], 0.005)[1]  # less than the direct beam
            return np.maximum(values, 0), PowerNorm(image.power, 0.0, most)
        positive = values[values > 0]
        if high <= 0 or not positive.size:
            return values, Normalize(0.0, 1.0)
        floor = low if image.limits else max(float(positive.min()), high / 10**_DECADES)
        floor = min(floor, high / 2)
        return np.maximum(values, floor), LogNorm(floor, high)  # zeros are dark, only NaN has the colour of NaN
    if image.kind == "empty":
        return values, Normalize(0.0, 1.0)
    if image.kind == "signed":
        reach = max(abs(low), abs(high))
        return values, Normalize(-reach, reach)
    return values, Normalize(low, high)


def _color_bar(ax: Axes, shown: Any, label: str, plain: bool = True) -> None:
    side = ax.inset_axes((1.035, 0.0, 0.045, 1.0))
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    shown_values = shown.get_array()
    has_power = shown_values is not None and isinstance(shown.norm, PowerNorm)
    beyond = has_power and np.nanmax(shown_values) > shown.norm.vmax
    bar = figure.colorbar(shown, cax=side, extend="max" if beyond else "neither")
    bar.outline.set_linewidth(0.5)
    side.tick_params(labelsize=FONT_SIZE - 0.5, width=0.5, length=2.5, pad=2)
    side.tick_params(which="minor", labelsize=FONT_SIZE - 1.5, width=0.35, length=1.5, pad=2)
    if plain and not has_power and shown_values is not None and _are_few_whole(shown_values):
        side.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    elif plain:
        side.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=True)
        side.yaxis.get_offset_text().set(fontsize=FONT_SIZE - 0.5, ha="left")
    bar.set_label(label, fontsize=FONT_SIZE, labelpad=3)


def _are_few_whole(values: Any) -> bool:
    """Whether all are whole numbers, ten different ones at most, so that there is nothing between them."""
    known = np.asarray(values)[np.isfinite(values)]
    return bool(known.size and np.ptp(known) < 10 and (known == np.rint(known)).all())


def _wheel(ax: Axes, text: str) -> None:
    """The colour of every direction beside the picture, where other pictures have their colour bar."""
    side = ax.inset_axes((1.035, 0.76, 0.24, 0.24))
    side.imshow(direction_wheel(), interpolation="bilinear")
    side.set_axis_off()
    ax.text(1.155, 0.735, text, transform=ax.transAxes, fontsize=FONT_SIZE, ha="center", va="top")
