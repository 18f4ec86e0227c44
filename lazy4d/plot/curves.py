"""From a signal or arrays to the curves that show it, with what is known of their spread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.plot.panels import quantity_of
from lazy4d.plot.picture import shown_place
from lazy4d.plot.scale_bars import unit_text
from lazy4d.signals import BaseSignal

LINES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of lines that everybody can tell apart, on white: those of M. Okabe and K. Ito."""

MOST_CURVES = 12
"""Positions of a scan that are drawn as curves of their own; of more, their mean and standard deviation."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line to be drawn.

    Parameters
    ----------
    name : str
        In the legend.
    x, y : ndarray of float64 [n]
        Places and values; NaN where there is nothing.
    spread : ndarray of float64 [n], optional
        Standard deviation of the values, a band about the line.
    axis : Axis, optional
        Where x comes from; says its name and units.
    quantity : str
        What the values count.
    """

    name: str
    x: Floats
    y: Floats
    spread: Floats | None = None
    axis: Axis | None = None
    quantity: str = ""

    @property
    def x_label(self) -> str:
        """Name and units of the axis.

        Examples
        --------
        >>> Curve("", np.zeros(2), np.zeros(2), axis=l4.Axis(name="k", size=2, units="1/Å")).x_label
        'k (Å⁻¹)'
        """
        if self.axis is None:
            return ""
        return f"{self.axis.name} ({unit_text(self.axis.units)})".strip()


def line_colors(count: int) -> list[Any]:
    """So many colours: `LINES`, or for more the colours of a scale.

    Examples
    --------
    >>> line_colors(2), len(line_colors(20))
    (['#000000', '#0072b2'], 20)
    """
    if count <= len(LINES):
        return list(LINES[:count])
    return [tuple(color) for color in colormaps["viridis"](np.linspace(0, 0.92, count))]


def curve_source(name: str, value: Any) -> Any:
    """What is to be computed to draw the curves of `value`.

    Raises
    ------
    ValueError
        Something that has no curves.

    Examples
    --------
    >>> sorted(curve_source("profiles", d.get_azimuthal_integral1d(8)))
    ['count', 'mean', 'std']
    """
    if isinstance(value, BaseSignal):
        nav, frame = len(value.nav_shape), len(value.frame_shape)
        if 0 in value.shape or not (frame == 1 or (nav, frame) == (1, 0)):
            raise ValueError(
                f"{name!r}: expected a signal of one signal axis, or a line of a scan, found {value!r}: reduce it "
                "first; plot_images draws images"
            )
        if value.dtype.kind == "c":
            raise ValueError(f"{name!r}: expected real numbers, found {value!r}: take abs(signal) first")
        count = math.prod(value.nav_shape)
        if frame == 1 and count > MOST_CURVES:
            return {"mean": value.mean(), "std": value.std(), "count": count}
        return value
    pair = value if isinstance(value, tuple) and len(value) == 2 and np.ndim(value[1]) == 1 else (None, value)
    x, y = (one if one is None or hasattr(one, "dask") else np.asarray(one) for one in pair)  # type: Any, Any
    if y.ndim != 1 or y.dtype.kind not in "biuf" or not y.size or (x is not None and x.shape != y.shape):
        found = f"{type(value).__name__} of shape {np.shape(y)}"
        raise ValueError(f"{name!r}: expected a signal, real numbers [n], or (x, y) of equal length, found {found}")
    return (x, y)


def curves_of(name: str, known: Any, label: str | None = None) -> list[Curve]:
    """The curves of what `curve_source` gave, computed.

    Parameters
    ----------
    name : str
        In the legend.
    known : signal, dict or (x, y)
        Computed.
    label : str, optional
        What the values count, if not what the metadata say.

    Examples
    --------
    >>> [curve.name for curve in curves_of("profile", d.get_azimuthal_integral1d(8).inav[:2, 0].compute())]
    ['profile, x 0', 'profile, x 1']
    """
    if isinstance(known, Mapping):
        mean, std = known["mean"], known["std"]
        what = f"{name}, mean of {known['count']} ± std".lstrip(", ")
        (curve,) = curves_of(what, mean, label)
        return [Curve(curve.name, curve.x, curve.y, np.asarray(std.data, np.float64), curve.axis, curve.quantity)]
    if not isinstance(known, BaseSignal):
        x, y = known
        places = np.arange(y.size, dtype=np.float64) if x is None else np.asarray(x, np.float64)
        return [Curve(name, places, np.asarray(y, np.float64), quantity=label or "")]
    quantity = quantity_of(known, "counts") if label is None else label
    axis = (known.frame_axes or known.nav_axes)[0]
    data = np.asarray(known.data, np.float64)
    if not known.nav_shape or not known.frame_shape:
        return [Curve(name, axis.axis, data, None, axis, quantity)]
    axes = known.nav_axes[::-1]
    found = []
    for place in np.ndindex(known.nav_shape):
        told = ", ".join(shown_place(one, n) for one, n in zip(axes, place[::-1], strict=True))
        found.append(Curve(f"{name}, {told}".lstrip(", "), axis.axis, data[place], None, axis, quantity))
    return found
