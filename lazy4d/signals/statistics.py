"""How values are distributed: histograms, and the summary that is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels import histogram as histogram_kernels
from lazy4d.kernels import patterns
from lazy4d.lazy import Reduction, StateArray, run
from lazy4d.signals.computing import compute_together
from lazy4d.signals.construction import compilable

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

SUMMARY_BINS = 65536


def get_histogram(signal: BaseSignal, bins: int | None = None, range: tuple[float, float] | None = None) -> BaseSignal:
    """The histogram of all values: a Signal1D of int64 counts, lazy, its axis at the centres of the bins.

    Parameters
    ----------
    signal : BaseSignal
        The signal, of real numbers.
    bins : int, optional
        Number of bins of equal width; 256 by default.
    range : (float, float), optional
        Lower edge of the first and upper edge of the last bin (which holds its upper edge); values outside, and NaN,
        are not counted. By default one bin a value for 8-bit data, and from the smallest to the largest value for
        data in memory; for other lazy data it has to be given, because finding it would read everything.

    Returns
    -------
    Signal1D
        Counts; ``axes_manager["value"]`` holds the bin centres, in the data's units.

    Raises
    ------
    ValueError
        No usable range or number of bins.

    Examples
    --------
    >>> counts = d.get_histogram(bins=8, range=(0, 65536))
    >>> int(counts.sum().compute().data) == d.data.size
    True
    """
    bins, low, high = _bins(signal, bins, range)
    reduction = Reduction(
        histogram_kernels.histogram, _add, _counts, (StateArray((bins,), np.int64),), (bins,), np.dtype(np.int64)
    )
    frames = signal.frames
    if len(signal.frame_shape) != 2 or not compilable(signal.dtype):
        size = int(np.prod(signal.frame_shape))
        dtype = signal.dtype if compilable(signal.dtype) else np.dtype(np.float32)
        frames = frames.map_frames(_as_row, shape=(1, size), dtype=dtype)
    counts = frames.reduce_frames(reduction, low, high)
    width = (high - low) / bins
    axis = Axis(name="value", size=bins, scale=width, offset=low + width / 2, navigate=False)
    return signal._derive(
        counts,
        [axis],
        "get_histogram",
        {"bins": bins, "range": [low, high]},
        kind=signal._class_of[1],
        title=f"histogram of {signal.title}".rstrip(),
    )


def _bins(signal: BaseSignal, bins: int | None, limits: tuple[float, float] | None) -> tuple[int, float, float]:
    if signal.dtype.kind == "c":
        raise ValueError(f"a histogram needs real numbers, found dtype {signal.dtype}: take abs(s), s.data.real first")
    if limits is None:
        if bins is None and signal.dtype in (np.dtype(np.uint8), np.dtype(bool), np.dtype(np.int8)):
            low = -128.5 if signal.dtype.kind == "i" else -0.5
            return 256, low, low + 256
        if signal.lazy:
            raise ValueError(
                f"range of the histogram is not known without reading all of {signal!r}: give range=(low, high), for "
                "example of lazy4d.compute(s.min(), s.max())"
            )
        low, high = (float(f(signal.data)) for f in (np.nanmin, np.nanmax))
        limits = (low, high) if high > low else (low - 0.5, low + 0.5)
    low, high = (float(value) for value in limits)
    bins = 256 if bins is None else int(bins)
    if bins < 1 or not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"expected at least one bin and finite low < high, found bins={bins}, range=({low}, {high})")
    return bins, low, high


def _as_row(frames: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy each frame as an image of one row, which is what the compiled histogram takes."""
    out[...] = frames.reshape(out.shape)


def _add(counts: NDArray[np.int64], other: NDArray[np.int64]) -> None:
    counts += other


def _counts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return counts


def print_summary_statistics(signal: BaseSignal, formatter: str = "%.4g") -> None:
    """Print mean, standard deviation, extremes and quartiles of all values; computes, in two passes over lazy data.

    Parameters
    ----------
    signal : BaseSignal
        The signal, of real numbers.
    formatter : str, optional
        How numbers are written, a ``%`` format.

    Examples
    --------
    >>> (d * 0 + 3).print_summary_statistics()
    Summary statistics
    ------------------
    mean:	3
    std:	0
    min:	3
    Q1:	3
    median:	3
    Q3:	3
    max:	3
    """
    lines = [f"{name}:\t{formatter % value}" for name, value in summary(signal).items()]
    print("Summary statistics", "-" * 18, *lines, sep="\n")  # noqa: T201 - it is what the method is asked to do


def summary(signal: BaseSignal) -> dict[str, float]:
    """Mean, std, min, Q1, median, Q3 and max of all values, NaN left out.

    Notes
    -----
    Quartiles of integers that span less than 65536 values are exact; of others they are those of a histogram of
    65536 bins between the extremes.
    """
    if signal.dtype.kind == "c":
        raise ValueError(f"a summary needs real numbers, found dtype {signal.dtype}: take abs(s) first")
    low, high, mean, variance = _moments(signal)
    spread = high - low
    if not np.isfinite(spread):
        return dict.fromkeys(("mean", "std", "min", "Q1", "median", "Q3", "max"), float("nan"))
    whole = signal.dtype.kind in "iub" and spread < SUMMARY_BINS
    bins, edges = SUMMARY_BINS, (low, high if high > low else low + 1.0)
    if whole:
        bins, edges = int(spread) + 1, (low - 0.5, high + 0.5)
    histogram = get_histogram(signal, bins, edges).compute()
    values = histogram.axes_manager["value"].axis
    found = np.interp(*_quantile_arguments(histogram.data, values)) if not whole else _exact(histogram.data, values)
    return {"mean": mean, "std": float(np.sqrt(variance)), "min": low, "Q1": float(found[0]), "median": float(found[1]),
            "Q3": float(found[2]), "max": high}  # fmt: skip


def _moments(signal: BaseSignal) -> tuple[float, float, float, float]:
    if signal.dtype.kind == "f" or not signal.nav_shape or len(signal.frame_shape) < 2:
        state = (*(StateArray((1,), dtype) for dtype in (np.int64, np.float64, np.float64)),
                 StateArray((1,), np.float64, np.inf), StateArray((1,), np.float64, -np.inf))  # fmt: skip
        reduction = Reduction(_add_values, _merge_values, _four_moments, state, (4,), np.dtype(np.float64))
        (found,) = run.compute(signal.frames.reduce_frames(reduction))
        return float(found[0]), float(found[1]), float(found[2]), float(found[3])
    parts = compute_together(signal.min(), signal.max(), signal.mean(), signal.var())
    low, high, mean, var = (np.asarray(part.data) for part in parts)
    # The spread of all values: within each pixel, and between the pixels' means.
    return float(low.min()), float(high.max()), float(mean.mean()), float(var.mean() + mean.var())


def _add_values(frames: NDArray[Any], *state: NDArray[Any]) -> None:
    """Add all values of a tile but NaN to number, mean, sum of squared deviations, minimum and maximum."""
    values = np.asarray(frames, np.float64)
    values = values[~np.isnan(values)]
    if values.size:
        mean = values.mean()
        parts = values.size, mean, np.square(values - mean).sum(), values.min(), values.max()
        _merge_values(*state, *(np.array([part]) for part in parts))


def _merge_values(*states: NDArray[Any]) -> None:
    """Merge the second five arrays into the first five."""
    patterns.combine_moments(*states[:3], *states[5:8])
    np.minimum(states[3], states[8], out=states[3])
    np.maximum(states[4], states[9], out=states[4])


def _four_moments(*state: NDArray[Any]) -> NDArray[np.float64]:
    count, mean, m2, low, high = (float(one[0]) for one in state)
    return np.array([low, high, mean, m2 / count]) if count else np.full(4, np.nan)


def _exact(counts: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quartiles as `numpy.quantile` gives them (linear between neighbours), from counts of each value."""
    ends = np.cumsum(counts)
    places = np.array([0.25, 0.5, 0.75]) * (ends[-1] - 1)
    below = values[np.searchsorted(ends, np.floor(places), side="right")]
    above = values[np.searchsorted(ends, np.ceil(places), side="right")]
    return np.asarray(below + (above - below) * (places % 1))


def _quantile_arguments(counts: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[Any, Any, Any]:
    ends = np.cumsum(counts)
    return np.array([0.25, 0.5, 0.75]) * ends[-1], ends - counts / 2, values
