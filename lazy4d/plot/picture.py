"""From a signal or an array to the pictures that show it, whatever kind it is of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.plot.contrast import color_scale, plain_numbers
from lazy4d.plot.image import Image
from lazy4d.plot.panels import quantity_of
from lazy4d.plot.scale_bars import unit_text
from lazy4d.plot.strain import NAMES, reach_of, strain_picture
from lazy4d.signals import BaseSignal, BeamPosition, ColorImage, DiffractionVectors, OrientationMap, StrainMaps
from lazy4d.signals.dpc.color_image import LONGEST

MOST_FRAMES = 36
"""Frames of one signal that are shown side by side; more have to be selected first."""

NUMERIC = ("map", "pattern", "signed")
"""Kinds of pictures that have a colour scale of numbers."""


@dataclass(frozen=True)
class Look:
    """How numbers become colours; see `lazy4d.plot.images.plot_images`, whose options these are."""

    norm: str | None = None
    power: float | None = None
    percentile: tuple[float, float] | None = None
    limits: tuple[float | None, float | None] | None = None
    cmap: Any = None
    label: str | None = None


def drawable(name: str, value: Any) -> Any:
    """What is to be computed to draw `value`: a signal, an ndarray or a dask array of a shape that can be drawn.

    Parameters
    ----------
    name : str
        Of the picture, for the error.
    value : signal, vectors, ndarray, dask array or nested list
        Vectors become the number of vectors at each position, orientations their colours along z.

    Raises
    ------
    ValueError
        Something that is no picture.

    Examples
    --------
    >>> drawable("all", l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8)))
    <VirtualImage, title: number of vectors, dimensions: (2|), int64, 16 B>
    """
    if isinstance(value, DiffractionVectors):
        value = value.count_map()
    if isinstance(value, OrientationMap):
        value = value.get_ipf_color_image("z")
    if isinstance(value, BaseSignal):
        _check_signal(name, value)
        return value
    array = value if hasattr(value, "dask") else np.asarray(value)
    in_color = array.ndim == 3 and array.shape[-1] in (3, 4)
    if array.dtype.kind not in "biufc" or not (array.ndim == 2 or in_color) or 0 in array.shape:
        raise ValueError(
            f"{name!r}: expected a signal, or an array of numbers [rows, columns] or of colours [rows, columns, 3 or "
            f"4], found {_told(value)}"
        )
    return array


def pictures_of(name: str, value: Any, look: Look) -> list[Image]:
    """The pictures of something computed, each with its colour scale.

    Parameters
    ----------
    name : str
        Title.
    value : BaseSignal or ndarray
        A result of `drawable`, computed.
    look : Look
        Colours.

    Returns
    -------
    list of Image
        One, but four for `StrainMaps`, and one a position for a few frames.

    Examples
    --------
    >>> [one.title for one in pictures_of("frames", d.inav[:2, 0].compute(), Look())]
    ['frames, x 0', 'frames, x 1']
    """
    if not isinstance(value, BaseSignal):
        return [_array(name, np.asarray(value), look)]
    if len(value.nav_shape) in (1, 2) and len(value.frame_shape) == 2:
        axes = value.nav_axes[::-1]
        places = [
            (", ".join(shown_place(axis, n) for axis, n in zip(axes, place[::-1], strict=True)), value.data[place])
            for place in np.ndindex(value.nav_shape)
        ]
        return [
            _numbers(f"{name}, {place}".lstrip(", "), frame, _pair(value.frame_axes), look, "pattern", _label(value))
            for place, frame in places
        ]
    data, axes = np.asarray(value.data), value.nav_axes
    if len(axes) == 1 and not isinstance(value, BeamPosition | ColorImage | StrainMaps) and value.frame_shape:
        return [_numbers(name, data, (axes[0], value.frame_axes[0]), look, "map", _label(value))]
    data = data[None] if len(axes) == 1 else data
    if not axes:
        return [_numbers(name, data, _pair(value.frame_axes), look, "pattern", _label(value))]
    pair = _pair(axes)
    if isinstance(value, StrainMaps):
        return _strain(name, data, pair)
    if isinstance(value, ColorImage):
        full = str(value.metadata.get_item(LONGEST, ""))
        return [Image(name, data, pair, full, "colors", color_bar=bool(full))]
    if isinstance(value, BeamPosition):
        moved = data - np.asarray(value.center)
        limits = (0.0, float(look.limits[1])) if look.limits and look.limits[1] is not None else None
        return [Image(name, moved, pair, "px", "direction", limits)]
    return [_numbers(name, data, pair, look, "map", _label(value))]


def shown_numbers(image: Image) -> NDArray[Any]:
    """The finite numbers of a picture, flat.

    Examples
    --------
    >>> shown_numbers(Image("", np.array([[1.0, np.nan]]), (l4.Axis(size=1), l4.Axis(size=2))))
    array([1.])
    """
    flat = np.asarray(image.values).reshape(-1)
    return flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat


def _array(name: str, values: NDArray[Any], look: Look) -> Image:
    axes = (Axis(name="y", size=values.shape[0]), Axis(name="x", size=values.shape[1]))
    if values.ndim == 2:
        return _numbers(name, values, axes, look, "map", "", bar=False)
    whole = values.dtype.kind in "iu"
    low, high = (0, 0) if values.dtype == bool else (values.min(), values.max())
    if (
        (whole and values.dtype != np.uint8)
        or values.dtype.kind == "c"
        or not 0 <= low <= high <= (255 if whole else 1)
    ):
        raise ValueError(
            f"{name!r}: expected colours as uint8, or as floats from 0 to 1, found {values.dtype} from {low} to {high}"
        )
    return Image(name, values if whole else values.astype(np.float64), axes, "", "colors", color_bar=False, bar=False)


def _numbers(
    name: str, values: NDArray[Any], axes: tuple[Axis, Axis], look: Look, kind: str, label: str, bar: bool = True
) -> Image:
    """A picture of one number a pixel; complex ones as hue (phase) and lightness (amount)."""
    label = label if look.label is None else look.label
    if values.dtype.kind == "c":
        parts = np.stack([values.imag, values.real], -1).astype(np.float64)
        return Image(name, parts, axes, f"{label}\nphase", "direction", bar=bar)
    numbers, taken = plain_numbers(values)
    if taken:
        label = f"{label or 'value'} \N{MINUS SIGN} {taken}"
    norm = look.norm or ("power" if look.power is not None else "auto")
    power = 0.5 if look.power is None else look.power
    scale = color_scale(
        values if values.dtype == bool else numbers,
        norm,
        kind=kind,
        power=power,
        percentile=look.percentile,
        limits=look.limits,
    )
    signed = norm in ("symmetric", "symlog")
    kind = "signed" if signed else kind
    known = numbers.dtype.kind != "f" or bool(np.isfinite(numbers).any())
    return Image(name, numbers, axes, label, kind, norm=scale, cmap=look.cmap, bar=bar, color_bar=known)


def _strain(name: str, data: NDArray[Any], axes: tuple[Axis, Axis]) -> list[Image]:
    values = {key: np.asarray(data[..., k], np.float64) for k, key in enumerate(NAMES)}
    reach = dict.fromkeys(NAMES[:3], reach_of([values[key] for key in NAMES[:3]]))
    reach["rotation"] = reach_of([values["rotation"]])
    what = f"{name}, " if name else ""
    return [strain_picture(key, values[key], axes, reach[key], what) for key in NAMES]


def _check_signal(name: str, signal: BaseSignal) -> None:
    nav, frame = len(signal.nav_shape), len(signal.frame_shape)
    of_columns = isinstance(signal, BeamPosition | ColorImage | StrainMaps)
    good = nav in (1, 2) if of_columns else (nav, frame) in ((2, 0), (1, 0), (0, 2), (1, 1))
    if not good and frame == 2 and nav in (1, 2) and math.prod(signal.nav_shape) <= MOST_FRAMES:
        good = True
    if not good or 0 in signal.shape:
        raise ValueError(
            f"{name!r}: expected a map of a scan of one or two axes, an image, or at most {MOST_FRAMES} of them, found "
            f"{signal!r}: select with inav or reduce it first, such as .mean(); plot_profiles draws curves"
        )


def shown_place(axis: Axis, index: int) -> str:
    """A position: in units where there are some, as the index in a part of a scan is not that in the whole of it.

    Examples
    --------
    >>> shown_place(l4.Axis(name="x", size=9, scale=0.5, offset=2.0, units="nm"), 3)
    'x 3.5 nm'
    """
    if axis.coordinates:
        return f"{axis.name} {index}"
    value = axis.offset + axis.scale * index
    return f"{axis.name} {value:.4g}" + ("" if axis.units == "px" else f" {unit_text(axis.units)}")


def _label(signal: BaseSignal) -> str:
    if signal.dtype == bool:
        return quantity_of(signal, "")
    return quantity_of(signal, "counts" if "counts" in _quantity(signal) or signal.frame_shape else "")


def _quantity(signal: BaseSignal) -> str:
    return str(signal.metadata.get_item("Signal.quantity", "")).lower()


def _pair(axes: list[Axis]) -> tuple[Axis, Axis]:
    """Rows and columns; of a scan of one axis, one row."""
    if len(axes) == 1:
        return Axis(name="", size=1, scale=axes[0].scale, units=axes[0].units, navigate=True), axes[0]
    return axes[0], axes[1]


def _told(value: Any) -> str:
    shape = f" of the shape {value.shape} and dtype {value.dtype}" if hasattr(value, "shape") else ""
    return f"{type(value).__name__}{shape or f' {value!r}'[:80]}"
