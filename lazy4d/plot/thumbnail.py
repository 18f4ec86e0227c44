"""Small pictures of signals for notebooks: of what is in memory or known already, drawn in milliseconds.

No pixel of a file is read for them, and nothing is computed but a few thousand colours; matplotlib is not needed.
"""

from __future__ import annotations

import math
from base64 import b64encode
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DError
from lazy4d.plot.png import png_bytes
from lazy4d.signals import BaseSignal, BeamPosition, ColorImage, DiffractionVectors, OrientationMap, StrainMaps
from lazy4d.signals.dpc.colors import MISSING, direction_colors
from lazy4d.signals.orientation.colors import ipf_colors
from lazy4d.signals.orientation.orientation_map import PHASES
from lazy4d.signals.orientation.quaternions import rotate
from lazy4d.signals.overview import overview_of

LONGEST = 112
"""Pixels of the longer side of a picture."""

_HTML = 128
"""Pixels of that side on the screen; fewer ones are drawn larger."""

_DECADES = 4.5
_LEVELS = 255  # of a palette, whose last colour is that of NaN

_STOPS = {
    "gray": ["#000000", "#ffffff"],
    "pattern": ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d",
                "#fcffa4"],
    "signed": ["#053061", "#2f79b5", "#a2cde3", "#f7f7f7", "#f8bfa4", "#c13639", "#67001f"],
}  # fmt: skip

Picture = tuple[str, str]


def thumbnails(value: Any) -> list[Picture]:
    """Small pictures of a signal or of vectors: captions, and HTML with the picture inside it.

    Parameters
    ----------
    value : BaseSignal or DiffractionVectors
        What is lazy has no picture, unless an image of its scan is known from an earlier look at it.

    Returns
    -------
    list of (str, str)
        Empty where nothing can be shown without reading or computing.

    Examples
    --------
    >>> [caption for caption, html in thumbnails(d.mean().compute())]
    ['pattern']
    """
    try:
        if isinstance(value, DiffractionVectors):
            return _of_vectors(value)
        if isinstance(value, BaseSignal) and 0 not in value.shape:
            return _of_memory(value) if _in_memory(value) else _of_overview(value)
    except (OSError, Lazy4DError):  # a file that is gone is no reason not to describe the signal
        return []
    return []


def image_html(pixels: Any, *, palette: Any = None, aspect: float = 1.0) -> str:
    """An ``<img>`` with the picture inside.

    Parameters
    ----------
    pixels, palette
        See `lazy4d.plot.png.png_bytes`.
    aspect : float
        Height over width of a pixel.

    Examples
    --------
    >>> image_html(np.zeros((2, 4), "uint8"))[:38]
    "<img width='128' height='64' style='im"
    """
    array = np.asarray(pixels)
    rows, columns = array.shape[:2]
    height, width = rows * aspect, float(columns)
    scale = _HTML / max(height, width)
    height, width = max(6, round(height * scale)), max(6, round(width * scale))
    data = b64encode(png_bytes(array, palette)).decode()
    return (
        f"<img width='{width}' height='{height}' style='image-rendering:pixelated;border:1px solid #8895a7' "
        "alt='a picture of the data' "
        f"src='data:image/png;base64,{data}'/>"
    )


def curve_html(values: Any) -> str:
    """An ``<svg>`` with a line through the values; what is not finite leaves a gap.

    Examples
    --------
    >>> curve_html([0.0, 2.0, np.nan, 1.0]).count("M")
    2
    """
    y = np.asarray(values, np.float64).reshape(-1)
    if y.size > 2 * _HTML:
        y = _means(y[None], 1, -(-y.size // (2 * _HTML)))[0]
    height = _HTML * 0.6
    y, known = _scaled(y)
    finite = y[known]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    heights = np.where(known, (high - y) / (high - low) if high > low else 0.5, np.nan)
    places = np.linspace(3, _HTML - 3, y.size) if y.size > 1 else np.full(y.size, _HTML / 2)
    path, pen = [], "M"
    for x, share in zip(places, heights, strict=True):
        if math.isnan(share):
            pen = "M"
            continue
        path.append(f"{pen}{x:.1f} {3 + share * (height - 6):.1f}")
        if pen == "M":
            path.append("h2")  # a single point can be seen too
        pen = "L"
    return (
        f"<svg width='{_HTML}' height='{height:.0f}' xmlns='http://www.w3.org/2000/svg'>"
        f"<rect x='0.5' y='0.5' width='{_HTML - 1}' height='{height - 1:.0f}' fill='#ffffff' stroke='#8895a7'/>"
        f"<path d='{''.join(path)}' fill='none' stroke='#0b5fa5' stroke-width='1.2'/></svg>"
    )


def small(values: Any, most: int = LONGEST) -> NDArray[Any]:
    """An array [rows, columns, ...] with at most about so many rows and columns: means of pixels, NaN left out.

    Of very large ones every n-th row and column counts.

    Examples
    --------
    >>> small(np.arange(12.0).reshape(2, 6), 3)
    array([[ 0.5,  2.5,  4.5],
           [ 6.5,  8.5, 10.5]])
    """
    array = np.asarray(values)
    steps = [max(1, size // (4 * most)) for size in array.shape[:2]]
    array = array[:: steps[0], :: steps[1]]
    by = [-(-size // most) for size in array.shape[:2]]
    numbers = array if array.dtype.kind == "c" else array.astype(np.float64)
    return _means(numbers, *by)


def colored(values: Any, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Numbers of colours, uint8 [rows, columns], and the colours, uint8 [256, 3].

    Parameters
    ----------
    values : array_like of real numbers [rows, columns]
        NaN is shown in a colour of its own.
    kind : {"gray", "pattern", "signed"}
        Linear; logarithmic; linear about 0.

    Examples
    --------
    >>> colored([[0.0, np.nan, 1.0]], "gray")[0]
    array([[  0, 255, 254]], dtype=uint8)
    """
    numbers, known = _scaled(values)
    finite = numbers[known]
    low, high = 0.0, 1.0
    if kind == "pattern" and finite.size and finite.max() > 0 and np.count_nonzero(finite < 0) <= 0.02 * finite.size:
        high = float(finite.max())
        low = min(max(float(finite[finite > 0].min()), high / 10**_DECADES), high / 2)
        numbers, low, high = np.log(np.maximum(numbers, low)), math.log(low), math.log(high)
    elif finite.size:
        low, high = (float(end) for end in np.quantile(finite, [0.005, 0.995]))
        if not low < high:
            low, high = float(finite.min()), float(finite.max())
        if kind == "signed":
            high = max(abs(low), abs(high))
            low = -high
    if not low < high:
        low, high = (min(low, 0.0), max(low, 0.0)) if low else (0.0, 1.0)
    share = np.clip((numbers - low) / (high - low), 0, 1)
    return np.where(known, np.rint(share * (_LEVELS - 1)), _LEVELS).astype(np.uint8), _palette(kind)


def _scaled(values: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values over the largest, so that no difference can overflow or vanish, 0 for what is not finite; and what is."""
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    numbers = np.where(known, numbers, 0.0)
    return numbers / (float(np.abs(numbers).max(initial=0.0)) or 1.0), known


def _palette(kind: str) -> NDArray[np.uint8]:
    stops = np.array([_rgb(one) for one in _STOPS[kind]], np.float64)
    places = np.linspace(0, len(stops) - 1, _LEVELS)
    table = np.stack([np.interp(places, np.arange(len(stops)), stops[:, k]) for k in range(3)], -1)
    return np.vstack([np.rint(table), [_rgb(MISSING)]]).astype(np.uint8)


def _rgb(color: str) -> list[int]:
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def _means(values: NDArray[Any], by_rows: int, by_columns: int) -> NDArray[Any]:
    """Means of blocks, NaN left out; the last ones may be smaller."""
    if by_rows == by_columns == 1:
        return values
    rows, columns = (-(-size // by) * by for size, by in zip(values.shape, (by_rows, by_columns), strict=False))
    padded = np.full((rows, columns, *values.shape[2:]), np.nan, values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows // by_rows, by_rows, columns // by_columns, by_columns, *values.shape[2:])
    known = np.isfinite(blocks)
    count = known.sum((1, 3))
    total = np.where(known, blocks, 0).sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _in_memory(signal: BaseSignal) -> bool:
    """Whether the pixels are in memory, and not in a file that was mapped into it."""
    array: Any = signal._content
    if not isinstance(array, np.ndarray):
        return False
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return False
        array = array.base
    return True


def _of_vectors(vectors: DiffractionVectors) -> list[Picture]:
    """The number of vectors at each position."""
    if vectors.lazy or len(vectors.nav_shape) not in (1, 2) or 0 in vectors.nav_shape:
        return []
    counts = vectors.ragged.counts.reshape(vectors.nav_shape)
    return [("number of vectors", _numbers(counts, vectors.nav_axes, "gray"))]


def _of_overview(signal: BaseSignal) -> list[Picture]:
    """What an earlier look at the scan left: its image, and the mean pattern."""
    if not signal.nav_shape or not signal.frame_shape:
        return []
    overview = overview_of(signal)
    found = []
    if overview.share > 0:
        known = "" if overview.share == 1 else f" ({100 * overview.share:.0f} % known)"
        found.append((f"navigator{known}", _numbers(_plane(overview.image()), signal.nav_axes[-2:], "gray")))
    mean = overview.mean_pattern
    if mean is not None and len(signal.frame_shape) in (1, 2):
        found.append(("mean frame", _numbers(mean, signal.frame_axes, "pattern")))
    return found


def _of_memory(signal: BaseSignal) -> list[Picture]:
    """Pixels that are there."""
    data, nav = np.asarray(signal._content), len(signal.nav_shape)
    frame = len(signal.frame_shape)
    data = data[_position(signal)[: max(0, nav - 2)]] if nav > 2 else data
    axes = signal.nav_axes[-2:]
    special = isinstance(signal, ColorImage | BeamPosition | StrainMaps | OrientationMap)
    if special and nav:
        return _special(signal, data if nav > 1 else data[None], axes)
    if frame == 0:
        return [("map", _numbers(data, axes, "gray"))]
    if nav == 0:
        return [("pattern" if frame == 2 else "curve", _numbers(data, signal.frame_axes, "pattern"))][: frame in (1, 2)]
    found = _of_overview(signal)
    if frame in (1, 2):
        place = _position(signal)[-2:] if nav > 1 else _position(signal)
        shown = ", ".join(f"{axis.name} {n}" for axis, n in zip(reversed(axes), reversed(place), strict=True))
        found = [one for one in found if one[0] != "mean frame"]
        found.append((f"at {shown}", _numbers(data[place], signal.frame_axes, "pattern")))
    return found


def _position(signal: BaseSignal) -> tuple[int, ...]:
    """Where the signal's axes stand, numpy order."""
    return tuple(axis.index for axis in signal.nav_axes)


def _plane(image: NDArray[Any]) -> NDArray[Any]:
    return image[(0,) * (image.ndim - 2)] if image.ndim > 2 else image


def _special(signal: BaseSignal, data: NDArray[Any], axes: list[Any]) -> list[Picture]:
    """Colours, displacements, strain, orientations."""
    steps = [max(1, -(-size // LONGEST)) for size in data.shape[:2]]
    few = data[:: steps[0], :: steps[1]]
    aspect = _aspect(axes, data.shape, few.shape)
    if isinstance(signal, ColorImage):
        return [("colours", image_html(few, aspect=aspect))]
    if isinstance(signal, OrientationMap):
        return [("crystal direction along z", image_html(_directions(signal, few), aspect=aspect))]
    if isinstance(signal, BeamPosition):
        moved = small(data)
        middle = np.nanmedian(moved.reshape(-1, 2), 0) if np.isfinite(moved).any() else 0.0
        moved = moved - middle
        length = np.hypot(moved[..., 0], moved[..., 1])
        known = length[np.isfinite(length)]
        longest = float(np.quantile(known, 0.99)) if known.size else 1.0
        colors = np.rint(255 * direction_colors(moved[..., 0], moved[..., 1], longest)).astype(np.uint8)
        return [("displacement", image_html(colors, aspect=aspect))]
    names = ("εxx", "εyy", "εxy", "rotation")
    return [(name, _numbers(data[..., k], axes, "signed")) for k, name in enumerate(names)]


def _numbers(values: NDArray[Any], axes: list[Any], kind: str) -> str:
    """A picture or a curve of real numbers; of complex ones their amount."""
    array = np.abs(values) if values.dtype.kind == "c" else values
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and int(array.max()) > 2**53:
        array = array - array.min()  # float64 could not tell them apart
    if array.ndim == 1 or 1 in array.shape[:2]:
        return curve_html(array)
    pixels, palette = colored(small(array), kind)
    return image_html(pixels, palette=palette, aspect=_aspect(axes, array.shape, pixels.shape))


def _aspect(axes: list[Any], shape: tuple[int, ...], shown: tuple[int, ...]) -> float:
    """Height over width of a pixel of what is shown of an array of `shape`."""
    squeezed = (shape[0] / shown[0]) / (shape[1] / shown[1])
    if len(axes) != 2 or axes[0].units != axes[1].units:
        return squeezed
    return squeezed * float(np.clip(abs(axes[0].scale / axes[1].scale), 0.1, 10))


def _directions(signal: OrientationMap, rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of the crystal's direction along z, of the best answers."""
    best = rows[..., 0, :]
    colors = np.empty((*best.shape[:-1], 3), np.uint8)
    colors[...] = _rgb(MISSING)
    if signal.metadata.get_item(PHASES, None):
        for number, laue in enumerate(signal._laue_groups()):
            here = best[..., 5] == number
            colors[here] = np.rint(255 * ipf_colors(rotate(best[here][:, :4], np.array([0.0, 0.0, 1.0])), laue))
    return colors


def cells(value: Any) -> str:
    """The pictures of `thumbnails` as cells of a table in HTML; nothing where there are none.

    Examples
    --------
    >>> cells(d.mean().compute())[:31]
    "<td style='vertical-align:top;p"
    """
    return "".join(
        f"<td style='vertical-align:top;padding-left:1em'>{escape(caption)}<br/>{html}</td>"
        for caption, html in thumbnails(value)
    )
