"""From numbers to a scale of colours: which are dark, which are bright, and how those between are spaced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize, PowerNorm, SymLogNorm
from numpy.typing import NDArray

from lazy4d.plot.colors import robust_limits

NORMS = ("auto", "linear", "log", "power", "symmetric", "symlog")

DECADES = 4.5
"""Of intensity that a logarithmic scale shows; what is weaker is as dark as nothing."""

_MOST_SAMPLED = 400_000
"""Values that percentiles are taken of, at even distances; more would cost time and change nothing that is seen."""

_LARGEST_EXACT = 2**53
_HUGE = 1e300


def plain_numbers(values: Any) -> tuple[NDArray[Any], int]:
    """Numbers as matplotlib can draw them, and a whole number that was taken off them.

    Integers beyond 2^53, whose differences float64 would lose, come as what they exceed the smallest of them by. All
    others come as they are, with 0; only bool as uint8, and numbers whose differences would overflow as large ones.

    Examples
    --------
    >>> plain_numbers(np.array([2**60, 2**60 + 3]))
    (array([0., 3.]), 1152921504606846976)
    """
    array = np.asarray(values)
    if array.dtype == bool:
        return array.view(np.uint8), 0
    if array.dtype.kind == "f" and array.dtype.itemsize >= 8 and (np.abs(array) > _HUGE).any():
        return np.where(np.isfinite(array), np.clip(array, -_HUGE, _HUGE), array), 0
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or not array.size:
        return array, 0
    low, high = int(array.min()), int(array.max())
    if max(abs(low), abs(high)) <= _LARGEST_EXACT or high - low > _LARGEST_EXACT:
        return array, 0
    return (array - array.dtype.type(low)).astype(np.float64), low


def color_scale(
    values: Any,
    norm: str = "auto",
    *,
    kind: str = "map",
    power: float = 0.5,
    percentile: tuple[float, float] | None = None,
    limits: tuple[float | None, float | None] | None = None,
) -> Normalize:
    """The scale of colours of some values, a matplotlib Normalize: its limits are finite and differ, always.

    Parameters
    ----------
    values : array_like of real numbers or bool
        What is to be shown; what is not finite does not count.
    norm : {"auto", "linear", "log", "power", "symmetric", "symlog"}
        How values between the limits are spaced. "symmetric" is linear about 0, "symlog" logarithmic to both sides of
        0. By default logarithmic for a pattern without negative values, symmetric for what is signed, else linear.
    kind : {"map", "pattern", "signed"}
        What the values are.
    power : float
        Exponent of "power".
    percentile : (low, high), optional
        Per cent of the values at which the scale begins and ends, such as ``(1, 99)``. By default all but the most
        extreme 0.2 % at either end, and patterns up to their maximum. Of "log", the lower one is of values above 0.
    limits : (low, high), optional
        The ends themselves; None leaves one of them to the values.

    Returns
    -------
    matplotlib.colors.Normalize
        `Normalize`, `LogNorm`, `PowerNorm` or `SymLogNorm`. Values beyond the ends have the colours of the ends.

    Raises
    ------
    ValueError
        An unknown norm, percentiles or limits that are not ascending, complex values, or a power that is not above 0.

    Examples
    --------
    >>> scale = color_scale([1, 10, 1000, np.nan], "log")
    >>> scale.vmin, scale.vmax, type(scale).__name__
    (1.0, 1000.0, 'LogNorm')
    >>> color_scale(np.full(3, np.nan)).vmax
    1.0
    """
    _check(norm, power, percentile, limits)
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise ValueError(f"expected real numbers, found dtype {array.dtype}: take abs or the angle first")
    low, high = limits or (None, None)
    if array.dtype == bool and norm in ("auto", "linear"):
        return Normalize(0.0 if low is None else low, 1.0 if high is None else high)
    numbers = _finite(array)
    name = _chosen(norm, kind, numbers)
    if name == "log":
        return _logarithmic(numbers, percentile, low, high)
    lowest, highest = _ends(numbers, percentile)
    if name in ("symmetric", "symlog"):
        return _about_zero(name, max(abs(lowest), abs(highest)), low, high)
    if name == "power":
        if percentile is None and kind == "pattern":
            highest = robust_limits(_sample(numbers[numbers > 0]), 0.005)[1]  # less than the direct beam
        lowest = min(lowest, 0.0) if numbers.size and lowest < 0 else 0.0
    start, stop = _ascending(lowest if low is None else low, highest if high is None else high)
    return PowerNorm(power, start, stop, clip=True) if name == "power" else Normalize(start, stop)


def is_plain(norm: Normalize) -> bool:
    """Whether the ticks of a colour bar are evenly spaced numbers."""
    return not isinstance(norm, LogNorm | SymLogNorm | PowerNorm)


def _check(norm: str, power: float, percentile: Any, limits: Any) -> None:
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r}: expected one of {', '.join(NORMS)}")
    if not 0 < power < math.inf:
        raise ValueError(f"power={power!r}: expected a number above 0, such as 0.5")
    for name, pair, ends in (("percentile", percentile, (0.0, 100.0)), ("limits", limits, (-math.inf, math.inf))):
        if pair is None:
            continue
        known = [one for one in pair if one is not None] if isinstance(pair, tuple | list) else []
        inside = all(ends[0] <= one <= ends[1] and math.isfinite(one) for one in known)
        complete = name == "limits" or len(known) == 2
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not inside or not complete:
            raise ValueError(f"{name}={pair!r}: expected (low, high){' from 0 to 100' if name == 'percentile' else ''}")
        if len(known) == 2 and not known[0] < known[1]:
            raise ValueError(f"{name}={pair!r}: expected low below high")


def _finite(array: NDArray[Any]) -> NDArray[np.float64]:
    """Finite values as float64, none so large that differences would overflow."""
    flat = array.reshape(-1)
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    return np.clip(flat.astype(np.float64), -_HUGE, _HUGE)


def _sample(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return numbers[:: max(1, numbers.size // _MOST_SAMPLED)]


def _chosen(norm: str, kind: str, numbers: NDArray[np.float64]) -> str:
    if norm != "auto":
        return norm
    if kind == "signed":
        return "symmetric"
    if kind != "pattern" or not numbers.size:
        return "linear"
    few = _sample(numbers)
    return "log" if np.count_nonzero(few < 0) <= 0.02 * few.size else "linear"


def _ends(numbers: NDArray[np.float64], percentile: tuple[float, float] | None) -> tuple[float, float]:
    """Where a scale begins and ends, by percentiles."""
    if not numbers.size:
        return 0.0, 1.0
    if percentile is None:
        low, high = robust_limits(_sample(numbers))
        return (low, high) if numbers.min() < numbers.max() else (low, low)
    if tuple(percentile) == (0, 100):
        return float(numbers.min()), float(numbers.max())
    low, high = np.percentile(_sample(numbers), percentile)
    return float(low), float(high)


def _ascending(low: float, high: float) -> tuple[float, float]:
    """Limits that differ: of what is the same everywhere, one of them is 0."""
    if high > low:
        return low, high
    return (min(low, 0.0), max(low, 0.0)) if low else (0.0, 1.0)


def _logarithmic(
    numbers: NDArray[np.float64], percentile: tuple[float, float] | None, low: float | None, high: float | None
) -> Normalize:
    """A logarithmic scale of what is above 0; a linear one where nothing is."""
    positive = numbers[numbers > 0]
    if high is None and not positive.size:
        return Normalize(0.0, 1.0)
    if percentile is None or not positive.size:
        stop = float(positive.max()) if high is None else high
        start = max(float(positive.min(initial=stop)), stop / 10**DECADES)
    else:
        start, stop = (float(end) for end in np.percentile(_sample(positive), percentile))
        stop = stop if high is None else high
    start = start if low is None else low
    if stop <= 0:
        return Normalize(*_ascending(start, stop))
    if not 0 < start < stop:
        start = stop / (10**DECADES if start <= 0 else 2.0)
    return LogNorm(start, stop, clip=True)


def _about_zero(name: str, reach: float, low: float | None, high: float | None) -> Normalize:
    given = [abs(one) for one in (low, high) if one is not None]
    reach = max(given) if given else reach
    reach = reach if reach > 0 else 1.0
    if name == "symlog":
        return SymLogNorm(reach / 1000, vmin=-reach, vmax=reach, clip=True)
    return Normalize(-reach, reach)
