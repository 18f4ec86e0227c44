"""Curves: radial profiles, spectra and line scans, with models, residuals, rings and what is not certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lazy4d.plot.curves import Curve, curve_source, curves_of, line_colors
from lazy4d.plot.images import titled
from lazy4d.plot.page import MM, new_figure, short_name, width_in_mm, wrapped
from lazy4d.plot.rings import Ring, draw_rings, rings_on
from lazy4d.plot.scale_bars import FONT_SIZE
from lazy4d.signals.computing import compute_together


def plot_profiles(
    profiles: Any,
    *,
    std: Any = None,
    models: Any = None,
    residuals: bool = True,
    offset: float | str = 0.0,
    log: bool = False,
    normalize: bool = False,
    rings: Any = None,
    x_range: tuple[float | None, float | None] | None = None,
    label: str | None = None,
    x_label: str | None = None,
    width: float | str | None = None,
    height: float | None = None,
    font_size: float = FONT_SIZE,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of one or many curves over a common axis: radial profiles, spectra, rows of a scan.

    Parameters
    ----------
    profiles : dict, list, signal, ndarray or (x, y)
        Curves, by their names (of signals in a list, their titles): signals of one signal axis, arrays [n], or pairs of
        arrays. Of a scan of at most 12 positions each is a curve; of more, the mean is, with the standard deviation as
        a band. What is lazy is computed, all that comes from one file in one pass.
    std : array, signal or dict of them, optional
        Standard deviations, drawn as a band: of the only curve, or by name.
    models : callable, array, signal, (x, y) or dict of them, optional
        What was fitted: of the only curve, or by name. A callable takes x.
    residuals : bool
        Whether curve less model is drawn in a panel below.
    offset : float or "auto"
        How much higher each curve is drawn than the one before (of a logarithmic axis: how many decades), so that they
        do not lie on each other.
    log : bool
        Logarithmic values; what is not above 0 is left out.
    normalize : bool
        Every curve (with its model and its spread) over its own maximum.
    rings : dict, sequence or CrystalPhase, optional
        Lines to mark: places by name or by Miller indices, ``{"111": 0.4246}``, ``{(2, 0, 0): "4.90 1/nm"}``, or a
        crystal, whose reflections are marked.
    x_range : (low, high), optional
        What is shown of the axis, in its units.
    label, x_label : str, optional
        Of the axes; by default what the signals say.
    width : float or {"single", "double"}, optional
        Of the figure in mm: 85 for one column of a journal, 170 for two; by default 120.
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
        Not known to pyplot; `save_figure` writes it. Its axes are the curves and, with models, the residuals.

    Raises
    ------
    ValueError
        Nothing to draw, axes of different units, or std and models of curves that there are not.

    Examples
    --------
    >>> profile = d.mean().get_azimuthal_integral1d(8, mean=True)
    >>> figure = plot_profiles({"mean": profile}, models=lambda k: 70.0 * (k < 3.5), rings={"rim": 3.0})
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['counts', 'residual']
    """
    given = {"": profiles} if _is_pair(profiles) else titled(profiles)
    sources = {name.strip(): curve_source(name.strip(), value) for name, value in given.items()}
    others = {"std": _by_name("std", std, sources), "models": _by_name("models", models, sources)}
    asked = {kind: {name: _source(kind, name, value) for name, value in own.items()} for kind, own in others.items()}
    known, more = compute_together(sources, asked)
    curves, of_model = [], []
    for name, value in known.items():
        own = curves_of(name, value, label)
        spread, model = more["std"].get(name), more["models"].get(name)
        if (spread is not None or model is not None) and len(own) > 1:
            raise ValueError(f"{name!r}: expected one curve with std or models, found {len(own)}: select with inav")
        curves += [one if spread is None else replace(one, spread=_on(one, spread)) for one in own]
        of_model += [None if model is None else _on(one, model) for one in own]
    _check_axes(curves)
    fitted = list(zip(curves, of_model, strict=True))
    if normalize:
        fitted = [_normalized(*one) for one in fitted]
    below = residuals and any(model is not None for model in of_model)
    shape = (0.62, 0.84)[below]
    wide = width_in_mm(width, 120.0)
    figure = new_figure(wide, (wide * shape if height is None else height) * MM, dpi)
    grid = figure.add_gridspec(1 + below, 1, height_ratios=[3, 1][: 1 + below])
    ax = figure.add_subplot(grid[0])
    limits = _x_limits(curves, x_range)
    ax.set(xlim=limits, yscale="log" if log else "linear", autoscale_on=False)
    quantity = _quantity(curves)
    if normalize:
        quantity = f"{quantity} / maximum" if quantity else "share of the maximum"
    _draw(ax, fitted, offset, log, limits, font_size, quantity)
    _fit_heights(ax, limits, log, font_size)
    bottom = ax
    if below:
        bottom = figure.add_subplot(grid[1], sharex=ax, autoscale_on=False)
        _draw_residuals(bottom, fitted, font_size, set(more["std"]))
        _fit_heights(bottom, limits, False, font_size)
        ax.tick_params(labelbottom=False)
    bottom.set_xlabel(x_label if x_label is not None else curves[0].x_label, fontsize=font_size)
    marked: list[Ring] = [] if rings is None else rings_on(rings, curves[0].axis, limits)
    draw_rings(figure.axes, marked, font_size)
    if title:
        figure.suptitle(
            wrapped(title, wide * MM * 0.95, font_size * 1.2, 3), fontsize=font_size * 1.2, x=0.01, ha="left"
        )
    return figure


def _is_pair(value: Any) -> bool:
    """Whether something is one curve as (x, y), rather than a sequence of curves."""
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(one, np.ndarray) for one in value)


def _source(kind: str, name: str, value: Any) -> Any:
    return value if callable(value) else curve_source(f"{kind}: {name}", value)


def _by_name(kind: str, given: Any, curves: Mapping[str, Any]) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if len(curves) > 1:
            raise ValueError(f"{kind}: expected a dict by name, as there are the curves {', '.join(curves)}")
        return {next(iter(curves)): given}
    unknown = [name for name in given if name not in curves]
    if unknown:
        raise ValueError(f"{kind}: expected names of curves ({', '.join(map(repr, curves))}), found {unknown[0]!r}")
    return dict(given)


def _on(curve: Curve, other: Any) -> Any:
    """Values of a model or a spread at the places of a curve."""
    if callable(other) and not hasattr(other, "data"):
        values = np.asarray(other(curve.x), np.float64)
        return np.broadcast_to(values, curve.x.shape)
    found = curves_of("", other)
    if len(found) != 1:
        raise ValueError(f"{curve.name!r}: expected one curve for it, found {len(found)}")
    (one,) = found
    if one.y.shape == curve.y.shape:
        return one.y
    if one.axis is None and not (isinstance(other, tuple) and other[0] is not None):
        raise ValueError(f"{curve.name!r}: expected {curve.y.size} values for it, found {one.y.size}")
    return np.interp(curve.x, one.x, one.y, left=np.nan, right=np.nan)


def _check_axes(curves: Sequence[Curve]) -> None:
    units = {curve.axis.units for curve in curves if curve.axis is not None}
    if len(units) > 1:
        raise ValueError(f"expected curves on axes of one unit, found {', '.join(sorted(units))}: convert them first")


def _quantity(curves: Sequence[Curve]) -> str:
    names = list(dict.fromkeys(curve.quantity for curve in curves if curve.quantity))
    return names[0] if len(names) == 1 else ", ".join(names) if len(names) <= 3 else "value"


def _normalized(curve: Curve, model: Any) -> tuple[Curve, Any]:
    most = float(np.max(curve.y, where=np.isfinite(curve.y), initial=-np.inf))
    over = most if np.isfinite(most) and most > 0 else 1.0
    spread = None if curve.spread is None else curve.spread / over
    return replace(curve, y=curve.y / over, spread=spread), None if model is None else model / over


def _x_limits(curves: Sequence[Curve], x_range: Any) -> tuple[float, float]:
    places = np.concatenate([curve.x[np.isfinite(curve.x)] for curve in curves])
    low, high = (float(places.min()), float(places.max())) if places.size else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    elif min(curve.x.size for curve in curves) < 20:
        room = 0.03 * (high - low)
        low, high = low - room, high + room
    first, last = x_range or (None, None)
    low, high = low if first is None else float(first), high if last is None else float(last)
    if not low < high:
        raise ValueError(f"x_range={x_range!r}: expected (low, high) with low below high")
    return low, high


def _draw(
    ax: Any, fitted: Sequence[tuple[Curve, Any]], offset: Any, log: bool, limits: tuple[float, float], font: float,
    quantity: str,
) -> None:  # fmt: skip
    """Curves, their bands and models, one above the other."""
    step = _step([curve for curve, _ in fitted], offset, log, limits)
    count = len(fitted)
    colors = line_colors(count)
    for number, ((curve, model), color) in enumerate(zip(fitted, colors, strict=True)):

        def moved(values: Any, by: float = number * step) -> Any:
            return _positive(values * 10.0**by) if log else values + by

        few = np.count_nonzero(np.isfinite(curve.y)) <= 40
        name = short_name(curve.name, ax.figure.get_size_inches()[0], font)
        if curve.spread is not None:
            low = np.maximum(curve.y - curve.spread, _least(curve.y)) if log else curve.y - curve.spread
            ax.fill_between(curve.x, moved(low), moved(curve.y + curve.spread), color=color, alpha=0.2, linewidth=0)
        style = {"marker": "o", "markersize": 2.6 if few else 1.3} if few or model is not None else {}
        solid = "none" if model is not None else "-"
        thin = 0.5 if model is not None else 1.0
        ax.plot(curve.x, moved(curve.y), color=color, linewidth=thin, linestyle=solid, label=name, **style)
        if model is not None:
            told = "model" if count == 1 else None
            shade = "#d55e00" if count == 1 else color
            ax.plot(curve.x, moved(model), color=shade, linewidth=1.2, label=told, zorder=3)
        if step:
            _name_at_end(ax, curve, moved(curve.y), name, color, font, limits)
    more = (f" (× {10.0**step:.3g} each)" if log else f" (+ {step:.3g} each)") if step and count > 1 else ""
    ax.set_ylabel(quantity + more, fontsize=font)
    ax.tick_params(labelsize=font - 0.5, width=0.5, length=2.5)
    if not log:
        ax.ticklabel_format(axis="y", scilimits=(-3, 5), useMathText=True)
        ax.yaxis.get_offset_text().set_fontsize(font - 0.5)
    for side in ax.spines.values():
        side.set_linewidth(0.6)
    if not any(np.isfinite(curve.y).any() for curve, _ in fitted):
        ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", va="center", fontsize=font, color="0.4")
    named = [text for text in ax.get_legend_handles_labels()[1] if text]
    uncertain = any(curve.spread is not None and curve.name for curve, _ in fitted)
    if (len(named) > 1 or uncertain) and not step:
        many = len(named) > 8
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if many else {"loc": "best"}
        ax.legend(fontsize=font - 0.5, frameon=False, handlelength=1.4, borderpad=0.2, labelspacing=0.3, **place)


def _draw_residuals(ax: Any, fitted: Sequence[tuple[Curve, Any]], font: float, uncertain: set[str]) -> None:
    """What the models leave, about 0; with the standard deviation of those that it was given for."""
    colors = line_colors(len(fitted))
    ax.axhline(0.0, color="0.5", linewidth=0.6)
    for (curve, model), color in zip(fitted, colors, strict=True):
        if model is None:
            continue
        left = curve.y - model
        if curve.spread is not None and curve.name in uncertain:
            ax.fill_between(curve.x, -curve.spread, curve.spread, color=color, alpha=0.15, linewidth=0)
        ax.plot(curve.x, left, color=color, linewidth=0.7, marker="o", markersize=1.6)
    ax.set_ylabel("residual", fontsize=font)
    ax.tick_params(labelsize=font - 0.5, width=0.5, length=2.5)
    ax.ticklabel_format(axis="y", scilimits=(-3, 5), useMathText=True)
    ax.yaxis.get_offset_text().set_fontsize(font - 0.5)
    for side in ax.spines.values():
        side.set_linewidth(0.6)


def _step(curves: Sequence[Curve], offset: Any, log: bool, limits: tuple[float, float]) -> float:
    """How much higher each curve is drawn than the one before; of logarithmic ones in decades."""
    if not isinstance(offset, str):
        return float(offset)
    if offset != "auto":
        raise ValueError(f"offset={offset!r}: expected a number or 'auto'")
    if log:
        return 1.0
    heights = []
    for curve in curves:
        seen = curve.y[(curve.x >= limits[0]) & (curve.x <= limits[1]) & np.isfinite(curve.y)]
        heights.append(float(np.ptp(seen)) if seen.size else 0.0)
    return float(f"{0.6 * max(heights):.1g}") if max(heights, default=0.0) > 0 else 0.0


def _name_at_end(ax: Any, curve: Curve, y: Any, name: str, color: Any, font: float, limits: Any) -> None:
    seen = np.flatnonzero(np.isfinite(y) & (curve.x >= limits[0]) & (curve.x <= limits[1]))
    if seen.size:
        place = (1.01, float(y[seen[-1]]))
        ax.text(*place, name, transform=ax.get_yaxis_transform(), color=color, fontsize=font - 0.5, va="center")


def _positive(values: Any) -> Any:
    return np.where(np.asarray(values) > 0, values, np.nan)


def _least(values: Any) -> float:
    return float(np.min(values, where=np.isfinite(values) & (values > 0), initial=np.inf)) / 10


def _logarithmic_ticks(ax: Any, font: float) -> None:
    """Plain numbers where there are few decades, powers of ten where there are many."""
    low, high = ax.get_ylim()
    ax.tick_params(axis="y", which="minor", labelsize=font - 1, width=0.35, length=1.5)
    if high > 300 * low:
        ax.yaxis.set_minor_formatter(NullFormatter())
    elif 1e-4 < low and high < 1e6:
        ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        for put in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            put(FuncFormatter(lambda value, _: f"{value:g}"))


def _fit_heights(ax: Any, limits: tuple[float, float], log: bool, font: float) -> None:
    """Limits of the values from what is seen of them, not from what lies beyond the limits of the axis."""
    seen = [np.zeros(0)]
    for line in ax.lines:
        x, y = (np.asarray(one, np.float64) for one in line.get_data())
        if x.size == y.size and line.get_transform() == ax.transData:
            seen.append(y[(x >= limits[0]) & (x <= limits[1]) & np.isfinite(y) & ((y > 0) | (not log))])
    values = np.concatenate(seen)
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if not low < high:
        low, high = (low / 3, low * 3) if log else (low - 0.1 * (abs(low) or 5), low + 0.1 * (abs(low) or 5))
    if log:
        ends = np.log10([low, high])
        room = 0.05 * np.ptp(ends)
        ax.set_ylim(10.0 ** max(ends[0] - room, -200.0), 10.0 ** min(ends[1] + room, 200.0))
        _logarithmic_ticks(ax, font)
    else:
        room = 0.06 * (high / 2 - low / 2) * 2
        ax.set_ylim(low - room, high + room)
