"""One picture of one signal: a map of the scan, a diffraction pattern, or displacements of the beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize, PowerNorm, SymLogNorm
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lazy4d.plot.colors import color_map, direction_colors, direction_wheel, robust_limits
from lazy4d.plot.contrast import DECADES, is_plain
from lazy4d.plot.marks import SCALE, Marks, draw_key, draw_marks
from lazy4d.plot.outline import outline
from lazy4d.plot.scale_bars import FONT_SIZE, scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lazy4d.axes import Axis

TITLE_SIZE = 9.5


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
    norm : matplotlib Normalize, optional
        The colour scale itself, see `lazy4d.plot.contrast.color_scale`; `limits` and `power` then do not count.
    cmap : str, optional
        Colour map of matplotlib; by default that of the kind.
    color_bar : bool
        Whether the meaning of the colours stands beside the picture.
    bar : bool
        Whether there is a scale bar.
    font : float
        Size of all text, in points of the smallest; the title is larger by a fifth.
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
    norm: Normalize | None = None
    cmap: Any = None
    color_bar: bool = True
    bar: bool = True
    font: float = FONT_SIZE


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
    aspect = pixel_aspect(*image.axes)
    if image.kind == "direction":
        dy, dx = np.moveaxis(image.values, -1, 0)
        longest = image.limits[1] if image.limits else robust_limits(np.hypot(dy, dx), share=0.01)[1]
        colors = direction_colors(dy, dx, longest)
        shown = ax.imshow(colors, interpolation="nearest", aspect=aspect)
        if image.color_bar:
            _wheel(ax, f"{longest:.2g} {image.label}".strip())
    elif image.kind == "colors":
        shown = ax.imshow(image.values, interpolation="nearest", aspect=aspect)
        if image.color_bar:
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
    else:
        ax.set(xticks=[], yticks=[])
        if image.bar:
            scale_bar(ax, image.axes[1], color="black" if is_bright_below(shown) else "white")
    if image.font != FONT_SIZE:
        _resize_text(ax, image.font)
    return shown


def _values(ax: Axes, image: Image, aspect: float) -> Any:
    """One number a pixel, and beside the picture what its colours mean, or those of its marks."""
    values, norm = _scaled(image) if image.norm is None else (image.values, image.norm)
    meaning = next((one for one in image.marks if one.key or one.scale), None)
    colors = color_map(image.cmap or ("gray" if meaning or image.kind == "empty" else _MAPS[image.kind]))
    shown = ax.imshow(values, cmap=colors, norm=norm, interpolation="auto", aspect=aspect)
    if meaning and meaning.key:
        draw_key(ax, meaning.key, meaning.title)
    elif meaning and meaning.scale:
        _color_bar(
            ax, ScalarMappable(meaning.scale, SCALE), meaning.title, plain=not isinstance(meaning.scale, LogNorm)
        )
    elif image.kind != "empty" and image.color_bar and image.norm is not None:
        _color_bar(ax, shown, image.label, plain=is_plain(image.norm), extend=extend_of(shown))
    elif image.kind != "empty" and image.color_bar:
        _color_bar(ax, shown, image.label, plain=image.kind != "pattern" or image.power is not None)
    return shown


def extend_of(shown: Any, norm: Normalize | None = None) -> str:
    """At which ends of a colour bar values lie beyond it: "neither", "min", "max" or "both".

    Of a logarithmic scale only the upper end counts: what is 0 or less is below any. The scale is that of the picture,
    or the one given.
    """
    values = shown.get_array()
    scale: Any = norm or shown.norm
    room = 1e-9 * (scale.vmax - scale.vmin)
    above = bool(np.ma.max(values, fill_value=-np.inf) > scale.vmax + room) if np.ma.count(values) else False
    below = bool(np.ma.min(values, fill_value=np.inf) < scale.vmin - room) if np.ma.count(values) else False
    below = below and not isinstance(scale, LogNorm)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _resize_text(ax: Axes, size: float) -> None:
    """All text of a picture and of what stands beside it in another size; all of it was made for `FONT_SIZE`."""
    factor = size / FONT_SIZE
    texts: list[Any] = ax.findobj(Text)
    for text in texts:
        text.set_fontsize(text.get_fontsize() * factor)
    for one in (ax, *ax.child_axes):
        one.tick_params(which="major", labelsize=(FONT_SIZE - 0.5) * factor)
        one.tick_params(which="minor", labelsize=(FONT_SIZE - 1.5) * factor)


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


def is_bright_below(shown: Any, least: float = 0.6) -> bool:
    """Whether the lower left corner of a picture, where its scale bar is, is bright.

    Parameters
    ----------
    shown : matplotlib AxesImage
        The picture.
    least : float
        From which luminance on, 0 to 1.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> is_bright_below(Figure().add_subplot().imshow(np.eye(8), cmap="gray"))
    False
    """
    pixels = shown.get_array()
    rows, columns = pixels.shape[:2]
    corner = pixels[rows * 3 // 4 :: max(1, rows // 256), : columns // 2 + 1 : max(1, columns // 128)]
    colors = shown.to_rgba(corner, norm=pixels.ndim == 2)
    return bool(np.mean(colors[..., :3] @ [0.2126, 0.7152, 0.0722]) > least)


def pixel_aspect(y: Axis, x: Axis) -> float:
    """Height over width of a pixel; 1 where the axes have different units.

    Examples
    --------
    >>> pixel_aspect(l4.Axis(name="y", size=3, scale=2.0), l4.Axis(name="x", size=4))
    2.0
    """
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
        floor = low if image.limits else max(float(positive.min()), high / 10**DECADES)
        floor = min(floor, high / 2)
        return np.maximum(values, floor), LogNorm(floor, high)  # zeros are dark, only NaN has the colour of NaN
    if image.kind == "empty":
        return values, Normalize(0.0, 1.0)
    if image.kind == "signed":
        reach = max(abs(low), abs(high))
        return values, Normalize(-reach, reach)
    return values, Normalize(low, high)


def _color_bar(ax: Axes, shown: Any, label: str, plain: bool = True, extend: str = "neither") -> None:
    side = ax.inset_axes((1.035, 0.0, 0.045, 1.0))
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    shown_values = shown.get_array()
    has_power = shown_values is not None and isinstance(shown.norm, PowerNorm)
    beyond = has_power and np.nanmax(shown_values) > shown.norm.vmax
    bar = figure.colorbar(shown, cax=side, extend="max" if beyond and extend == "neither" else extend)
    bar.outline.set_linewidth(0.5)
    side.tick_params(labelsize=FONT_SIZE - 0.5, width=0.5, length=2.5, pad=2)
    side.tick_params(which="minor", labelsize=FONT_SIZE - 1.5, width=0.35, length=1.5, pad=2)
    if shown.norm.clip:  # a scale of `color_scale`
        set_ticks(bar)
    if plain and not has_power and shown_values is not None and _are_few_whole(shown_values):
        side.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    elif plain:
        side.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=True)
        side.yaxis.get_offset_text().set(fontsize=FONT_SIZE - 0.5, ha="left")
    bar.set_label(label, fontsize=FONT_SIZE, labelpad=3)


def set_ticks(bar: Any) -> None:
    """Few round ticks, well apart, on the colour bar of a scale by powers or one that is logarithmic to both sides."""
    norm = bar.norm
    low, high = float(norm.vmin), float(norm.vmax)
    if isinstance(norm, PowerNorm):
        shares = np.array([0.0, 0.3, 0.55, 0.8, 1.0])
        values = np.asarray(norm.inverse(shares), np.float64)
        step = 10.0 ** np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
        rounded = np.fix(values / step + 1e-9) * step
        bar.set_ticks(np.unique(rounded[(rounded >= low) & (rounded <= high)]))
    elif isinstance(norm, SymLogNorm):
        power = int(np.floor(np.log10(high)))
        names = {s * 10.0**k: f"${'−' if s < 0 else ''}10^{{{k}}}$" for k in (power - 2, power) for s in (-1, 1)}
        bar.set_ticks([*names, 0.0], labels=[*names.values(), "0"])
        bar.minorticks_off()


def _are_few_whole(values: Any) -> bool:
    """Whether all are whole numbers, ten different ones at most, so that there is nothing between them."""
    known = np.asarray(values)[np.isfinite(values)]
    return bool(known.size and known.dtype != bool and np.ptp(known) < 10 and (known == np.rint(known)).all())


def _wheel(ax: Axes, text: str) -> None:
    """The colour of every direction beside the picture, where other pictures have their colour bar."""
    side = ax.inset_axes((1.035, 0.76, 0.24, 0.24))
    side.imshow(direction_wheel(), interpolation="bilinear")
    side.set_axis_off()
    ax.text(1.155, 0.735, text, transform=ax.transAxes, fontsize=FONT_SIZE, ha="center", va="top")
