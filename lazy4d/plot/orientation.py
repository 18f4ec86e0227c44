"""Orientation maps as pictures: crystal directions as colours with their key, and how far and how surely."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray

from lazy4d.plot.image import TITLE_SIZE, Image, draw, pixel_aspect
from lazy4d.plot.scale_bars import FONT_SIZE, scale_bar
from lazy4d.signals.computing import compute_together
from lazy4d.signals.orientation import OrientationMap
from lazy4d.signals.orientation.colors import ipf_colors, sector
from lazy4d.signals.orientation.symmetry import reduce_directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 2.75  # inches, of a picture

_CORNER_NAMES = {
    "-1": ["x", "y", "-x", "-y"],
    "2/m": ["100", "010", "-100", "c*"],
    "mmm": ["001", "100", "010"],
    "4/m": ["001", "100", "010"],
    "4/mmm": ["001", "100", "110"],
    "-3": ["0001", "2-1-10", "-12-10"],
    "-3m": ["0001", "1-100", "10-10"],
    "-31m": ["0001", "2-1-10", "11-20"],
    "6/m": ["0001", "2-1-10", "11-20"],
    "6/mmm": ["0001", "2-1-10", "10-10"],
    "m-3": ["001", "101", "111", "011"],
    "m-3m": ["001", "101", "111"],
}


def orientation_maps(
    found: OrientationMap,
    *,
    truth: Any = None,
    direction: Any = "z",
    limit: float | None = None,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of an orientation map: colours and their key, score, reliability; beside the truth, where it is known.

    Parameters
    ----------
    found : OrientationMap
        Over a scan of two axes; computed if it is lazy.
    truth : OrientationMap or array_like [rows, columns, 4], optional
        What it should be: drawn in the same colours, with the misorientation between the two, of the best answer and
        of the nearest one.
    direction : "x", "y", "z" or (x, y, z)
        Of the sample, whose direction in the crystal is coloured.
    limit : float, optional
        Degrees, the end of the colour scale of the misorientation; by default from the values.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so nothing has to be closed.

    Raises
    ------
    ValueError
        A map over another number of axes.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> rows = np.tile([1.0, 0, 0, 0, 1, 0], (4, 5, 1, 1))
    >>> found = OrientationMap(rows, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    >>> [ax.get_title(loc="left") for ax in orientation_maps(found).axes]
    ['found, crystal direction along z', 'score', 'm-3m']
    """
    if len(found.nav_shape) != 2:
        raise ValueError(f"expected an orientation map over two axes, found the navigation shape {found.nav_shape}")
    wanted: dict[str, Any] = {"colors": found.get_ipf_color_image(direction), "score": found.score}
    if found.n_best > 1:
        wanted["reliability"] = found.get_reliability()
    if truth is not None:
        known = truth if isinstance(truth, OrientationMap) else _as_map(found, np.asarray(truth, np.float64))
        wanted["truth"] = known.get_ipf_color_image(direction)
        wanted["apart"] = found.get_misorientation(known)
        if found.n_best > 1:
            wanted["nearest"] = found.get_misorientation(known, answers=found.n_best)
    made = {name: np.asarray(one.data) for name, one in compute_together(wanted)[0].items()}
    axes = found.nav_axes[0], found.nav_axes[1]
    groups = list(dict.fromkeys(found._laue_groups()))
    tall = min(1.6, max(0.4, abs(axes[0].scale * axes[0].size) / abs(axes[1].scale * axes[1].size)))
    along = direction if isinstance(direction, str) else "(" + " ".join(f"{v:g}" for v in direction) + ")"
    pictures: list[Any] = [("colors", f"found, crystal direction along {along}")]
    if truth is not None:
        pictures += [("truth", "truth"), Image("misorientation", made["apart"], axes, "deg", limits=_up_to(limit))]
    if "nearest" in made:
        told = f"misorientation, nearest of {found.n_best} answers"
        pictures += [Image(told, made["nearest"], axes, "deg", limits=_up_to(limit))]
    else:
        pictures += [Image("score", made["score"], axes, "cosine with the template")]
    if "reliability" in made:
        pictures += [Image("reliability", made["reliability"], axes, "1 − second / first score", limits=(0.0, 0.2))]
    pictures += groups
    columns = 3
    rows = -(-len(pictures) // columns)
    size = (3.3 * columns, (_SIZE * tall + 0.45) * rows + (0.3 if title else 0))
    figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for number, picture in enumerate(pictures):
        ax = figure.add_subplot(rows, columns, number + 1)
        if isinstance(picture, Image):
            _measured(ax, picture)
        elif isinstance(picture, tuple):
            _colored(ax, made[picture[0]], axes, picture[1])
        else:
            ipf_key(ax, picture)
    if title:
        figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return figure


def ipf_key(ax: Axes, laue: str, pixels: int = 240) -> None:
    """Draw what the colours of crystal directions mean: the standard triangle in stereographic projection along z.

    Parameters
    ----------
    ax : matplotlib Axes
        Empty axes.
    laue : str
        Laue group.
    pixels : int
        Along the longer side.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> ipf_key(ax, "m-3m")
    >>> ax.get_title(loc="left")
    'm-3m'
    """
    corners, _, _ = sector(laue)
    edge = np.concatenate([_arc(a, b) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    border = edge[:, :2] / (1 + edge[:, 2:])
    low, high = border.min(axis=0), border.max(axis=0)
    step = (high - low).max() / pixels
    y, x = np.meshgrid(np.arange(low[1], high[1] + step, step), np.arange(low[0], high[0] + step, step), indexing="ij")
    square = x * x + y * y
    directions = np.stack([2 * x, 2 * y, 1 - square], axis=-1) / (1 + square)[..., None]
    inside = np.abs(reduce_directions(directions, laue) - directions).max(axis=-1) < 1e-6
    colors = np.ones((*x.shape, 4))
    colors[..., :3] = ipf_colors(directions, laue)
    colors[~inside] = 0
    ax.imshow(colors, extent=(low[0], low[0] + step * x.shape[1], low[1], low[1] + step * x.shape[0]), origin="lower")
    ax.plot(*border.T, color="0.2", linewidth=0.9, clip_on=False)
    middle = border.mean(axis=0)
    for corner, name in zip(corners, _CORNER_NAMES[laue], strict=True):
        place = corner[:2] / (1 + corner[2])
        away = (place - middle) / max(np.linalg.norm(place - middle), 1e-9)
        ax.annotate(
            _with_bars(name), place, xytext=(9 + 1.2 * len(name)) * away, textcoords="offset points", ha="center",
            va="center", fontsize=FONT_SIZE, annotation_clip=False,
        )  # fmt: skip
    ax.set_title(laue, fontsize=TITLE_SIZE, loc="left", pad=8)
    room = 0.16 * (high - low).max()
    ax.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room), aspect="equal")
    ax.set_axis_off()


def _as_map(found: OrientationMap, quaternions: NDArray[np.float64]) -> OrientationMap:
    """Known orientations as a map of the same scan, of the phase that was found."""
    if quaternions.shape != (*found.nav_shape, 4):
        raise ValueError(f"expected truth of the shape {(*found.nav_shape, 4)}, found {quaternions.shape}")
    rows = np.ones((*found.nav_shape, 1, 6))
    rows[..., 0, :4] = quaternions
    rows[..., 0, 5] = np.nan_to_num(found.phase.as_numpy())
    return OrientationMap(rows, metadata=found.metadata.copy())


def _measured(ax: Axes, picture: Image) -> None:
    """A picture whose colour bar has an arrow where values go beyond it, and whose scale bar can be read anywhere."""
    shown = draw(ax, picture)
    low, high = shown.get_clim()
    known = picture.values[np.isfinite(picture.values)]
    if shown.colorbar is not None:
        side = shown.colorbar.ax
        for beyond, end, tip in (((known > high).any(), 1.0, 1.06), ((known < low).any(), 0.0, -0.06)):
            if beyond:
                side.add_patch(
                    Polygon([(0, end), (1, end), (0.5, tip)], transform=side.transAxes, clip_on=False, linewidth=0.5,
                            facecolor=shown.cmap(end), edgecolor="black", zorder=5)
                )  # fmt: skip
    rows, columns = picture.values.shape
    light = shown.to_rgba(picture.values[rows * 3 // 4 :, : columns // 2 + 1])[..., 0]
    if np.ptp(light) > 0.5 and ax.texts:  # bright and dark places behind the bar
        bar, label = cast(Rectangle, ax.patches[-1]), ax.texts[-1]
        x, wide = bar.get_bbox().x0, max(bar.get_bbox().width, 0.3 * columns)  # the label may be the wider one
        box = Rectangle(
            (x - 0.015 * columns, 0.02), wide + 0.03 * columns, 0.17, transform=ax.get_xaxis_transform(), zorder=4,
            facecolor="white" if label.get_color() == "black" else "black", edgecolor="none", alpha=0.7,
        )  # fmt: skip
        ax.add_patch(box)


def _colored(ax: Axes, colors: NDArray[np.uint8], axes: tuple[Any, Any], title: str) -> None:
    ax.imshow(colors, interpolation="nearest", aspect=pixel_aspect(*axes))
    ax.set_title(title, fontsize=TITLE_SIZE, loc="left", pad=5)
    ax.set(xticks=[], yticks=[])
    corner = colors[colors.shape[0] * 3 // 4 :, : colors.shape[1] // 2 + 1] @ np.array([0.2126, 0.7152, 0.0722])
    scale_bar(ax, axes[1], color="black" if corner.mean() > 130 else "white")


def _with_bars(name: str) -> str:
    """Negative indices with bars over them, other signs as they are printed."""
    return re.sub(r"-(\d)", r"$\\bar{\1}$", name).replace("-", "\u2212")


def _arc(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors from a to b on the sphere."""
    share = np.linspace(0, 1, 40)[:, None]
    line = (1 - share) * a + share * b
    return np.asarray(line / np.linalg.norm(line, axis=1, keepdims=True))


def _up_to(limit: float | None) -> tuple[float, float] | None:
    return None if limit is None else (0.0, float(limit))
