"""`filter_navigation`: patterns averaged with those of neighbouring positions; frames stay whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels import scan_filters
from lazy4d.lazy.frames import sum_dtype
from lazy4d.signals.construction import axis_of, image_frames
from lazy4d.signals.method_options import method_options

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

BOUNDARIES = ("reflect", "nearest", "renormalise")
FOOTPRINTS = ("square", "circle")


FARTHEST = 32
"""Lengths of the scan that a filter may reach beyond a position; more is a unit mistaken for another."""


@dataclass(frozen=True, eq=False)
class ScanFilter:
    """How one method combines neighbours: a function of `scan_filters`, its parameters after `missing`, its reach."""

    function: Callable[..., None]
    params: tuple[Any, ...]
    depth: tuple[int, ...]
    dtype: np.dtype[Any]
    options: dict[str, Any]


def filter_navigation(
    signal: BaseSignal, method: str = "gaussian", *, axes: Any = None, boundary: str = "reflect", **options: Any
) -> Any:
    """The signal with every pattern combined, pixel by pixel, with those of neighbouring positions; lazily.

    Noise falls and the scan is blurred, the patterns are not. With weights w of sum 1 the variance of uncorrelated
    noise falls to Σ w² of what it was.

    Parameters
    ----------
    signal : BaseSignal
        Patterns at positions of a scan.
    method : {"gaussian", "mean", "sum", "median", "non-local means"}
        See the notes.
    axes : str, int, Axis or sequence of these, optional
        Navigation axes to filter along, x-first; the fastest two, x and y, by default.
    boundary : {"reflect", "nearest", "renormalise"}
        What stands for positions outside of the scan: the scan mirrored with its edge, its edge, or nothing: only
        positions inside count, and their weights add up to 1 (a ``"sum"`` is then of those inside).
    **options
        - ``"gaussian"``: ``sigma=1``, the standard deviation: one for all axes or one an axis, x-first; an int counts
          positions, a float is in axis units, text carries its unit; ``truncate=4.0``, its reach in `sigma`.
        - ``"mean"``, ``"sum"``, ``"median"``: ``size=3``, an odd number of positions (or a length, which becomes the
          nearest odd number), one or one an axis, x-first; ``footprint="square"`` or ``"circle"``.
        - ``"non-local means"``: ``size=7``, where similar patterns are looked for; ``h=None``, ``gain=1.0`` and
          ``bin=None``, see the notes; positions outside of the scan never count.

    Returns
    -------
    BaseSignal
        Same class and axes. float32, float64 for float64 data; medians are float64 where float32 does not hold every
        value; sums are as in `sum`, exact 64-bit integers of integers.

    Raises
    ------
    ValueError
        An unknown method, boundary or axis, a size that is even, or a sigma below 0.
    TypeError
        An option that the method does not have.

    Notes
    -----
    Missing frames and NaN pixels are left out of what neighbours get. A NaN pixel takes the value of its neighbours;
    a missing frame stays missing (`valid`, and NaN in results for each position).

    Non-local means (A. Buades, B. Coll, J.-M. Morel, 2005, doi:10.1137/040616024) weights a neighbour by
    ``exp(-max(d², 0) / h²)``, where d² is the mean over pixels of the squared difference of the two patterns, less
    what Poisson noise alone makes it: ``gain`` times the sum of the two (`gain`: counts an electron). ``h=None`` is
    chosen from the counts: ``h²`` is the variance left after averaging the whole neighbourhood plus twice the
    uncertainty of d². Patterns are compared after binning by `bin`, which brings out differences larger than a pixel:
    None, to about 64 pixels.

    Each task reads the positions of its block and those around it, nothing is stored in between; `explain` says how
    much is read more than once.

    Examples
    --------
    >>> d.filter_navigation("gaussian", sigma=1).data.dtype
    dtype('float32')
    >>> d.filter_navigation("mean", size=(3, 1)).inav[1, 0].data.shape
    (16, 16)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary={boundary!r} is not known: expected one of {', '.join(map(repr, BOUNDARIES))}")
    frames = image_frames(signal, "a filter across the scan")
    chosen = _chosen_axes(signal, axes)
    made = METHODS[method](signal.nav_axes, chosen, frames.dtype, boundary, dict(options))
    depth = tuple(min(d, n) for d, n in zip(made.depth, frames.nav_shape, strict=True))
    result = frames.overlap_frames(made.function, *made.params, depth=depth, dtype=made.dtype, boundary="none")
    names = [signal.nav_axes[k].name for k in reversed(chosen)]
    params = {"method": method, "axes": names, "boundary": boundary, **made.options}
    return signal._derive(result, [*signal.nav_axes, *signal.frame_axes], "filter_navigation", params)


def _chosen_axes(signal: BaseSignal, axes: Any) -> list[int]:
    """Places of the axes to filter along, numpy order."""
    own = signal.nav_axes
    if axes is None:
        return list(range(len(own)))[-2:]
    keys = [axes] if isinstance(axes, str | int | Axis) else list(axes)
    found = [axis_of(signal.axes_manager, key) for key in keys]
    places = [next((k for k, axis in enumerate(own) if axis is one), -1) for one in found]
    if -1 in places or len(set(places)) < len(places) or not places:
        raise ValueError(
            f"expected different navigation axes in axes={axes!r}, one of {[a.name for a in reversed(own)]} each: a "
            "filter across the scan leaves signal axes alone"
        )
    if places != sorted(places, reverse=True):
        raise ValueError(f"expected axes={axes!r} x-first, as {[own[k].name for k in sorted(places, reverse=True)]}")
    return places[::-1]


def _one_an_axis(name: str, value: Any, chosen: list[int]) -> list[Any]:
    """An option for each chosen axis, numpy order, from one value or values x-first."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        return [value] * len(chosen)
    if len(value) != len(chosen):
        raise ValueError(f"expected one {name} or {len(chosen)}, one an axis and x-first, found {name}={value!r}")
    return list(value)[::-1]


def _sizes(given: dict[str, Any], axes: list[Axis], chosen: list[int]) -> list[int]:
    """Odd numbers of positions along every navigation axis."""
    sizes = [1] * len(axes)
    for k, size in zip(chosen, _one_an_axis("size", given["size"], chosen), strict=True):
        if isinstance(size, int | np.integer) and not isinstance(size, bool):
            if size < 1 or size % 2 == 0:
                raise ValueError(f"expected an odd number of positions in size={given['size']!r}, found {size}")
            sizes[k] = int(size)
        else:
            pixels = axes[k].length_to_pixels(size)
            if not 0 < pixels < math.inf:
                raise ValueError(f"expected a size above 0, found size={given['size']!r}")
            sizes[k] = 2 * round((pixels - 1) / 2) + 1 if pixels > 1 else 1
        _within(axes[k], sizes[k] / 2, f"size={size!r}")
    return sizes


def _within(axis: Axis, reach: float, said: str) -> int:
    """The reach of a filter in whole positions, refused where it is so far beyond the scan that it is a mistake."""
    if not reach <= FARTHEST * axis.size + 100:
        raise ValueError(
            f"{said} reaches {reach:g} positions along {axis.name!r}, which has {axis.size}: an int counts positions, "
            "a float is in axis units, text carries its unit"
        )
    return int(reach)


def _offsets(sizes: list[int], footprint: str) -> NDArray[np.int64]:
    """Neighbours as offsets [k, nav] from the position."""
    if footprint not in FOOTPRINTS:
        raise ValueError(f"footprint={footprint!r} is not known: expected one of {', '.join(map(repr, FOOTPRINTS))}")
    reach = np.array([size // 2 for size in sizes], np.int64)
    offsets = np.indices(sizes, np.int64).reshape(len(sizes), math.prod(sizes)).T - reach
    if footprint == "circle":
        offsets = offsets[((offsets / np.maximum(reach, 1)) ** 2).sum(axis=1) <= 1 + 1e-9]
    return np.ascontiguousarray(offsets)


def _mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def _gaussian(axes: list[Axis], chosen: list[int], dtype: Any, boundary: str, options: dict[str, Any]) -> ScanFilter:
    given = method_options(options, "gaussian", sigma=1, truncate=4.0)
    if not float(given["truncate"]) > 0:
        raise ValueError(f"expected truncate above 0, found {given['truncate']!r}")
    taps = [np.ones(1)] * len(axes)
    for k, sigma in zip(chosen, _one_an_axis("sigma", given["sigma"], chosen), strict=True):
        pixels = axes[k].length_to_pixels(sigma)
        if not 0 <= pixels < math.inf:
            raise ValueError(f"expected a sigma of at least 0, found sigma={given['sigma']!r}")
        reach = _within(axes[k], float(given["truncate"]) * pixels + 0.5, f"sigma={sigma!r}")
        taps[k] = gaussian_taps(pixels, reach)
    return _separable(taps, dtype, boundary, given)


def gaussian_taps(sigma: float, reach: int) -> NDArray[np.float64]:
    """Weights ``exp(-x² / 2 sigma²)`` at whole x from ``-reach`` to ``reach``, of sum 1.

    Examples
    --------
    >>> gaussian_taps(1.0, 1).round(3).tolist()
    [0.274, 0.452, 0.274]
    """
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (x / sigma) ** 2) if sigma > 0 and reach else (x == 0).astype(np.float64)
    return weights / weights.sum()


def _separable(taps: list[NDArray[np.float64]], dtype: Any, boundary: str, given: dict[str, Any]) -> ScanFilter:
    depth = tuple(len(t) // 2 for t in taps)
    return ScanFilter(scan_filters.smooth, (tuple(taps), boundary), depth, _mean_dtype(dtype), given)


def _mean(axes: list[Axis], chosen: list[int], dtype: Any, boundary: str, options: dict[str, Any]) -> ScanFilter:
    given = method_options(options, "mean", size=3, footprint="square")
    sizes = _sizes(given, axes, chosen)
    offsets = _offsets(sizes, given["footprint"])
    if len(offsets) == math.prod(sizes):
        return _separable([np.full(size, 1 / size) for size in sizes], dtype, boundary, given)
    return ScanFilter(scan_filters.mean, (offsets, boundary), _reach(sizes), _mean_dtype(dtype), given)


def _sum(axes: list[Axis], chosen: list[int], dtype: Any, boundary: str, options: dict[str, Any]) -> ScanFilter:
    given = method_options(options, "sum", size=3, footprint="square")
    sizes = _sizes(given, axes, chosen)
    params = (_offsets(sizes, given["footprint"]), boundary)
    return ScanFilter(scan_filters.total, params, _reach(sizes), sum_dtype(dtype), given)


def _median(axes: list[Axis], chosen: list[int], dtype: Any, boundary: str, options: dict[str, Any]) -> ScanFilter:
    given = method_options(options, "median", size=3, footprint="square")
    sizes = _sizes(given, axes, chosen)
    params = (_offsets(sizes, given["footprint"]), boundary)
    return ScanFilter(scan_filters.median, params, _reach(sizes), np.result_type(dtype, np.float32), given)


def _nonlocal(axes: list[Axis], chosen: list[int], dtype: Any, boundary: str, options: dict[str, Any]) -> ScanFilter:
    given = method_options(options, "non-local means", size=7, h=None, gain=1.0, bin=None)
    sizes = _sizes(given, axes, chosen)
    h, gain = given["h"], float(given["gain"])
    if (h is not None and not 0 <= float(h) < math.inf) or not 0 < gain < math.inf:
        raise ValueError(f"expected h of at least 0 counts, or None, and gain above 0, found h={h!r}, gain={gain!r}")
    binning = given["bin"]
    if binning is not None and (not isinstance(binning, int | np.integer) or binning < 1):
        raise ValueError(f"expected bin as a whole number of pixels, at least 1, or None, found {binning!r}")
    params = (_offsets(sizes, "square"), binning, None if h is None else float(h), gain)
    return ScanFilter(scan_filters.nonlocal_means, params, _reach(sizes), _mean_dtype(dtype), given)


def _reach(sizes: list[int]) -> tuple[int, ...]:
    return tuple(size // 2 for size in sizes)


METHODS: dict[str, Callable[..., ScanFilter]] = {
    "gaussian": _gaussian,
    "mean": _mean,
    "sum": _sum,
    "median": _median,
    "non-local means": _nonlocal,
}
