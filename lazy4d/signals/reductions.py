"""Sums, means, extremes and spreads over any axes of a signal.

Over all navigation axes they are one streaming pass (`Frames.reduce_frames`), over signal axes a stage (frame in,
number or line out). Only a choice that mixes some navigation axes with others goes through the dask array.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels import patterns
from lazy4d.kernels.virtual_image import total_intensity
from lazy4d.lazy import Frames, Reduction, StateArray
from lazy4d.lazy.frames import sum_dtype
from lazy4d.signals.construction import axis_of, compilable, filled_array, is_split, lazy_array, may_be_damaged

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

AxisChoice = Axis | str | int | Iterable[Axis | str | int] | None


def sum(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The sum over axes; of integers exact, as (u)int64, of floats in float64.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    axis : str, int, Axis or several, optional
        Names or x-first numbers (navigation axes first). By default all navigation axes, or all signal axes where
        there is no navigation. Some navigation axes alone, or mixed with others, go through the dask array.

    Returns
    -------
    BaseSignal
        Without these axes, lazy. Frames marked as missing (``incomplete="nan"``) are left out of sums over positions.

    Raises
    ------
    ValueError
        No such axis.

    Examples
    --------
    >>> d.sum().data.shape, d.sum("kx").data.shape, d.sum(["kx", "ky"]).data.shape
    ((16, 16), (4, 4, 16), (4, 4))
    """
    return _reduce(signal, "sum", axis)


def mean(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The mean over axes, float64; parameters as for `sum`.

    Examples
    --------
    >>> d.mean().data.dtype
    dtype('float64')
    """
    return _reduce(signal, "mean", axis)


def max(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The largest value over axes, of the data's dtype, NaN where any is; parameters as for `sum`.

    Examples
    --------
    >>> d.max().data.dtype == d.data.dtype
    True
    """
    return _reduce(signal, "max", axis)


def min(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The smallest value over axes, of the data's dtype, NaN where any is; parameters as for `sum`.

    Examples
    --------
    >>> d.min(axis=["kx", "ky"]).data.shape
    (4, 4)
    """
    return _reduce(signal, "min", axis)


def std(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The standard deviation over axes, float64, with divisor n (``ddof=0``); parameters as for `sum`.

    Examples
    --------
    >>> d.std().data.dtype
    dtype('float64')
    """
    return _reduce(signal, "std", axis)


def var(signal: BaseSignal, axis: AxisChoice = None) -> BaseSignal:
    """The variance over axes, float64, with divisor n (``ddof=0``); parameters as for `sum`.

    Notes
    -----
    Over positions by Welford's update within a block and Chan's merge between blocks (T. F. Chan, G. H. Golub,
    R. J. LeVeque, *The American Statistician* 37, 242, 1983): one pass, without the cancellation of a sum of squares.

    Examples
    --------
    >>> bool(np.allclose(d.var().compute().data, d.std().compute().data ** 2))
    True
    """
    return _reduce(signal, "var", axis)


def chosen_axes(signal: BaseSignal, axis: AxisChoice) -> tuple[int, ...]:
    """Numbers in numpy order of the axes that `axis` names, in order; by default navigation, or else signal axes.

    Raises
    ------
    ValueError
        No such axis.
    """
    rows = [*signal.nav_axes, *signal.frame_axes]
    if axis is None:
        count = len(signal.nav_shape)
        return tuple(range(count)) if count else tuple(range(len(rows)))
    given = list(axis) if isinstance(axis, Iterable) and not isinstance(axis, str) else [axis]
    found = [axis_of(signal.axes_manager, entry) for entry in given]
    return tuple(k for k, row in enumerate(rows) if any(row is one for one in found))


def _reduce(signal: BaseSignal, name: str, axis: AxisChoice) -> BaseSignal:
    numbers = chosen_axes(signal, axis)
    nav_ndim = len(signal.nav_shape)
    nav = [k for k in numbers if k < nav_ndim]
    inner = tuple(k - nav_ndim for k in numbers if k >= nav_ndim)
    rows = [*signal.nav_axes, *signal.frame_axes]
    kept = [row for k, row in enumerate(rows) if k not in numbers]
    result: Any
    if is_split(signal):
        result = _over_array(signal, name, numbers)
    elif not numbers:
        result = signal.frames.map_frames(
            partial(frame_statistic, name=name, axes=()),
            shape=signal.frame_shape,
            dtype=result_dtype(name, signal.dtype),
        )
    elif not nav:
        result = _over_signal(signal, name, inner)
    elif len(nav) == nav_ndim and not inner and len(signal.frame_shape) == 2 and compilable(signal.dtype):
        result = signal.frames.reduce_frames(pattern_reduction(name, signal.frame_shape, signal.dtype))
    else:
        result = _over_array(signal, name, numbers)
    return signal._derive(result, kept, name, {"axis": [rows[k].name for k in reversed(numbers)]})


def result_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Dtype of a reduction of data of `dtype`.

    Examples
    --------
    >>> result_dtype("sum", np.dtype("uint8")), result_dtype("mean", np.dtype("uint8"))
    (dtype('uint64'), dtype('float64'))
    """
    if name in ("max", "min"):
        return dtype
    if name == "sum":
        return sum_dtype(dtype)
    return np.dtype(np.complex128 if dtype.kind == "c" and name == "mean" else np.float64)


def frame_statistic(frames: NDArray[Any], out: NDArray[Any], *, name: str, axes: tuple[int, ...]) -> None:
    """Fill `out` with a statistic of each frame over its signal `axes`, numpy order."""
    over = tuple(k + 1 for k in axes)
    if name in ("max", "min"):
        getattr(np, name)(frames, axis=over, out=out)
    else:
        # A spread of complex numbers is real: asked for in float64 it would lose the imaginary parts first.
        wide = frames.astype(np.complex128) if frames.dtype.kind == "c" else frames
        with np.errstate(all="ignore"):
            out[...] = getattr(np, name)(wide, axis=over, dtype=None if wide.dtype.kind == "c" else out.dtype)


def divide(totals: NDArray[Any], count: int, out: NDArray[np.float64]) -> None:
    """Fill `out` with ``totals / count``."""
    np.divide(totals, count, out=out)


def _over_signal(signal: BaseSignal, name: str, axes: tuple[int, ...]) -> Frames:
    shape = tuple(n for k, n in enumerate(signal.frame_shape) if k not in axes)
    dtype = result_dtype(name, signal.dtype)
    exact = signal.dtype.itemsize < 8 or signal.dtype.kind == "f"  # sums of 64-bit integers could overflow
    whole = len(axes) == len(signal.frame_shape) == 2 and compilable(signal.dtype)
    if whole and (name == "sum" or (name == "mean" and exact)):
        frames = signal.frames.map_frames(total_intensity, shape=(), dtype=sum_dtype(signal.dtype))
        if name == "mean":
            frames = frames.map_frames(divide, math.prod(signal.frame_shape), shape=(), dtype=dtype)
    else:
        frames = signal.frames.map_frames(partial(frame_statistic, name=name, axes=axes), shape=shape, dtype=dtype)
    return frames if len(shape) > 1 else frames.emit()


def pattern_reduction(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Reduction:
    """A statistic of each pixel over positions, as a chunk / combine / finalize triple.

    Parameters
    ----------
    name : {"sum", "mean", "max", "min", "std", "var"}
        The statistic.
    shape : tuple of int
        Frame shape ``(ky, kx)``.
    dtype : numpy.dtype
        Dtype of the frames.

    Examples
    --------
    >>> pattern_reduction("sum", (4, 4), np.dtype("uint8")).dtype
    dtype('uint64')
    """
    out = result_dtype(name, dtype)
    if name in ("max", "min"):
        kernel = patterns.max_pattern if name == "max" else patterns.min_pattern
        combine = patterns.maximum if name == "max" else patterns.minimum
        carried = np.dtype(np.uint8) if dtype.kind == "b" else dtype  # compiled kernels see truth values as bytes
        state = (StateArray(shape, carried, extreme(carried, lowest=name == "max")),)
        return Reduction(kernel, combine, _only, state, shape, out)
    if name == "sum":
        return Reduction(patterns.sum_pattern, patterns.add, _only, (StateArray(shape, out),), shape, out)
    if name == "mean" and not (dtype.kind in "iu" and dtype.itemsize == 8):  # sums of 64-bit integers could overflow
        total_and_count = (StateArray(shape, sum_dtype(dtype)), StateArray((1,), np.int64))
        return Reduction(sum_and_count, patterns.add_sum_and_count, _mean, total_and_count, shape, out)
    parts = (StateArray((1,), np.int64), StateArray(shape, np.float64), StateArray(shape, np.float64))
    finalize = {"mean": _average, "var": _variance, "std": _deviation}[name]
    return Reduction(patterns.moments_pattern, patterns.combine_moments, finalize, parts, shape, out)


def extreme(dtype: np.dtype[Any], *, lowest: bool) -> Any:
    """The value from which a search for the largest (`lowest`) or smallest value starts.

    Examples
    --------
    >>> extreme(np.dtype("int16"), lowest=True), extreme(np.dtype("float32"), lowest=False)
    (-32768, inf)
    """
    if dtype.kind == "b":
        return not lowest
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return int(limits.min if lowest else limits.max)
    return -np.inf if lowest else np.inf


def sum_and_count(frames: NDArray[Any], total: NDArray[Any], count: NDArray[np.int64]) -> None:
    """Add each frame to `total` and their number to `count`; truth values count as 0 and 1."""
    patterns.sum_and_count(frames.view(np.uint8) if frames.dtype == np.bool_ else frames, total, count)


def _only(state: NDArray[Any]) -> NDArray[Any]:
    return state


def _mean(total: NDArray[Any], count: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return total / count[0]


def _average(count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]) -> NDArray[np.float64]:
    return mean if count[0] else np.full_like(mean, np.nan)


def _variance(count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return m2 / count[0]


def _deviation(count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(_variance(count, mean, m2))


def _over_array(signal: BaseSignal, name: str, numbers: tuple[int, ...]) -> Any:
    """A statistic through the dask array, where positions and pixels are mixed; missing frames are left out."""
    dtype = result_dtype(name, signal.dtype)
    computed = None if signal.dtype.kind == "c" and name in ("std", "var") else dtype
    nav_ndim = len(signal.nav_shape)
    marked = (
        may_be_damaged(signal) and signal.frames.incomplete == "nan" and builtins.any(k < nav_ndim for k in numbers)
    )
    if marked and name in ("mean", "std", "var"):
        by_name: dict[str, Callable[..., Any]] = {"mean": np.nanmean, "std": np.nanstd, "var": np.nanvar}
        result = by_name[name](filled_array(signal, np.nan), axis=numbers, dtype=computed)
    else:
        neutral = 0 if name == "sum" else extreme(signal.dtype, lowest=name == "max")
        array = filled_array(signal, np.asarray(neutral, signal.dtype)) if marked else lazy_array(signal)
        array = array.astype(np.complex128) if computed is None else array
        result = getattr(array, name)(axis=numbers, **({} if name in ("max", "min") else {"dtype": computed}))
        if marked and builtins.any(k not in numbers for k in range(nav_ndim)):
            # A line of which every frame is missing has no sum and no extreme; 0 would pass for one.
            some = signal.frames.valid.any(axis=tuple(k for k in numbers if k < nav_ndim))
            some = some.reshape(some.shape + (1,) * (result.ndim - some.ndim))
            result, dtype = np.where(some, result, np.nan), np.result_type(dtype, np.float64)
    # What is left of a frame is small next to the scan: put together again where it was cut.
    whole = {k: -1 for k in range(nav_ndim - builtins.sum(n < nav_ndim for n in numbers), result.ndim)}
    return result.rechunk(whole).astype(dtype)
