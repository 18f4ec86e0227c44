"""The values that histograms are made of: in memory, or counted where they are too many to be held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.contrast import plain_numbers
from lazy4d.plot.panels import quantity_of
from lazy4d.signals import BaseSignal, DiffractionVectors
from lazy4d.signals.computing import compute_together
from lazy4d.signals.vectors.tables import VectorTable

MOST_HELD = 64 * 2**20
"""Bytes of lazy values that are computed to be held; of more, only histograms are."""

FINE = 65536
"""Bins of those."""

_EVERYTHING = (-1e300, 1e300)
"""A range that holds every finite number of the data that there are."""

_ASIDE = 0.001
"""Share of the values at either end that may be left out."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Values, each so many times.

    Parameters
    ----------
    values : ndarray of float64 [n]
        Finite.
    weights : ndarray of int64 [n], optional
        How often each is there; once by default.
    missing : int
        Values that are not finite.
    beyond : int
        Finite values outside the range that was counted.
    whole : bool
        Whether all are whole numbers.
    edges : ndarray of float64, optional
        Of the bins, where the values are their middles.
    """

    values: Numbers
    weights: NDArray[np.int64] | None = None
    missing: int = 0
    beyond: int = 0
    whole: bool = False
    edges: Numbers | None = None

    @property
    def number(self) -> int:
        """Finite values.

        Examples
        --------
        >>> Sample(np.ones(3), np.array([1, 0, 5])).number
        6
        """
        return self.beyond + (self.values.size if self.weights is None else int(self.weights.sum()))

    def counts(self, edges: Numbers) -> NDArray[np.int64]:
        """How many there are in each bin; the last one holds its upper edge.

        Examples
        --------
        >>> Sample(np.array([0.0, 1.0, 1.0])).counts(np.array([0.0, 0.5, 1.0]))
        array([1, 2])
        """
        if self.edges is not None and np.array_equal(self.edges, edges) and self.weights is not None:
            return self.weights
        return np.asarray(np.histogram(self.values, edges, weights=self.weights)[0])

    def quantiles(self, shares: Sequence[float]) -> Numbers:
        """Values below which there are these shares of all.

        Examples
        --------
        >>> Sample(np.array([0.0, 1.0, 2.0])).quantiles([0, 0.5])
        array([0., 1.])
        """
        if self.weights is None:
            return np.asarray(np.quantile(self.values, shares, method="nearest"))
        ends = np.cumsum(self.weights)
        places = np.searchsorted(ends, np.asarray(shares) * ends[-1], side="left")
        first = int(np.flatnonzero(self.weights)[0])
        return np.asarray(self.values[np.clip(places, first, self.values.size - 1)])


def sample_of(values: Any) -> Sample:
    """The values of an array in memory.

    Raises
    ------
    ValueError
        Complex numbers, or no numbers.

    Examples
    --------
    >>> sample_of([1.0, np.nan, 3.0]).missing
    1
    """
    flat = np.asarray(values).reshape(-1)
    if flat.dtype.kind not in "biuf":
        raise ValueError(f"a histogram needs real numbers, found dtype {flat.dtype}: take abs or the angle first")
    if flat.dtype.kind in "biu":
        return Sample(flat.astype(np.float64), whole=True)
    finite = flat[np.isfinite(flat)].astype(np.float64)
    few = finite[:10_000]
    whole = bool((few == np.rint(few)).all() and (finite == np.rint(finite)).all())
    return Sample(finite, missing=flat.size - finite.size, whole=whole)


def samples_of(
    named: Mapping[str, Any], column: str | Sequence[str] | None, limits: Any
) -> list[tuple[str, dict[str, Sample]]]:
    """What is to be drawn in each panel: the quantity with its unit, and the values by their names.

    Parameters
    ----------
    named : mapping of str to signal, vectors or array
        What to draw.
    column : str or sequence of str, optional
        Of vectors; one panel each.
    limits : (low, high), optional
        Of what is counted, where values are too many to be held.

    Raises
    ------
    ValueError
        See `lazy4d.plot.histogram.plot_histograms`.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10.0], [5, 5, 2.5]]], frame_shape=(8, 8))
    >>> [(quantity, list(samples)) for quantity, samples in samples_of({"v": v}, ("kx", "intensity"), None)]
    [('kx (px)', ['v']), ('intensity', ['v'])]
    """
    of_vectors = {name: is_columns(value) for name, value in named.items()}
    if any(of_vectors.values()):
        if not all(of_vectors.values()):
            raise ValueError("expected vectors alone, or none: they are drawn by columns")
        return _of_columns(named, column)
    if column is not None:
        raise ValueError(f"column={column!r}: expected vectors, found {', '.join(map(repr, named))}")
    samples, taken = _of_signals({name: _checked(name, value) for name, value in named.items()}, limits)
    quantities = list(dict.fromkeys(_quantity(value) for value in named.values()))
    quantity = quantities[0] if len(quantities) == 1 else "value"
    return [(f"{quantity or 'value'} − {taken}" if taken else quantity, samples)]


def is_columns(value: Any) -> bool:
    """Whether something is drawn by columns: vectors, or a table of them.

    Examples
    --------
    >>> is_columns(d), is_columns(l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8)).flatten())
    (False, True)
    """
    return isinstance(value, DiffractionVectors | VectorTable)


def _columns(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, VectorTable) else value.columns


def common_edges(samples: Sequence[Sample], bins: Any, limits: Any) -> Numbers:
    """Edges of bins for all samples.

    Parameters
    ----------
    samples : sequence of Sample
        What is to be counted.
    bins : int or sequence of float, optional
        Number or edges.
    limits : (low, high) or "full", optional
        Of the bins.

    Raises
    ------
    ValueError
        Not ascending, or no bins.

    Examples
    --------
    >>> common_edges([sample_of([0, 1, 3])], None, None)
    array([-0.5,  0.5,  1.5,  2.5,  3.5])
    """
    if bins is not None and not isinstance(bins, int | np.integer):
        edges = np.asarray(bins, np.float64)
        if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
            raise ValueError(f"bins={bins!r}: expected a number of bins, or at least two ascending edges")
        return edges
    if bins is not None and bins < 1:
        raise ValueError(f"bins={bins!r}: expected at least one bin")
    known = [one for one in samples if one.number]
    binned = [one.edges for one in known if one.edges is not None]
    if bins is None and limits is None and known and len(binned) == len(known):
        if all(np.array_equal(binned[0], one) for one in binned):
            return binned[0]
    whole = bool(known) and all(one.whole for one in known)
    low, high = _limits(known, limits)
    if bins is None and whole and limits in (None, "full") and high - low < 2**53:
        step = max(1, math.ceil((high - low + 1) / 200))
        return np.asarray(low - 0.5 + step * np.arange(math.ceil((high - low + 1) / step) + 1.0))
    most = max((one.number for one in known), default=1)
    count = int(np.clip(round(2 * most ** (1 / 3)), 8, 200)) if bins is None else int(bins)
    if not low < high:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return np.linspace(low, high, count + 1)


def _limits(known: Sequence[Sample], limits: Any) -> tuple[float, float]:
    if limits is not None and limits != "full":
        good = isinstance(limits, tuple | list) and len(limits) == 2 and all(math.isfinite(one) for one in limits)
        if not good or not limits[0] < limits[1]:
            raise ValueError(f"range={limits!r}: expected finite (low, high) with low below high, or 'full'")
        return float(limits[0]), float(limits[1])
    if not known:
        return 0.0, 1.0
    ends = np.array([one.quantiles([0, _ASIDE, 1 - _ASIDE, 1]) for one in known])
    lowest, low, high, highest = ends[:, 0].min(), ends[:, 1].min(), ends[:, 2].max(), ends[:, 3].max()
    if limits is None and high > low:
        room = 0.5 * (high - low)
        lowest = lowest if low - lowest <= room else low
        highest = highest if highest - high <= room else high
    return float(lowest), float(highest)


def _of_columns(named: Mapping[str, Any], column: Any) -> list[tuple[str, dict[str, Sample]]]:
    first = next(iter(named.values()))
    wanted = [column] if isinstance(column, str) else list(column or ())
    if not wanted:
        wanted = ["intensity"] if "intensity" in _columns(first) else list(_columns(first))[:2]
    for name, vectors in named.items():
        missing = [one for one in wanted if one not in _columns(vectors)]
        if missing:
            raise ValueError(f"{name!r}: expected columns out of {', '.join(_columns(vectors))}, found {missing[0]!r}")
    (known,) = compute_together(dict(named))
    found = []
    for one in wanted:
        unit = (first.units if isinstance(first, VectorTable) else first.column_units).get(one, "")
        samples = {name: sample_of(_values(vectors, one)) for name, vectors in known.items()}
        found.append((f"{one} ({unit})" if unit else one, samples))
    return found


def _values(vectors: Any, column: str) -> NDArray[Any]:
    """A column, places in units of their axes."""
    if not isinstance(vectors, DiffractionVectors):
        return np.asarray(vectors[column])
    values = vectors.ragged[column]
    if column not in ("ky", "kx"):
        return values
    axis = vectors.frame_axes[("ky", "kx").index(column)]
    return np.asarray(axis.offset + axis.scale * values)


def _checked(name: str, value: Any) -> Any:
    array = value if isinstance(value, BaseSignal) or hasattr(value, "dask") else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name!r}: a histogram needs real numbers, found dtype {array.dtype}: take abs(...) first")
    return array


def _quantity(value: Any) -> str:
    if not isinstance(value, BaseSignal):
        return ""
    if not _is_histogram(value):
        return quantity_of(value, "counts")
    unit = value.frame_axes[0].units
    return "value" if unit == "px" else f"value ({unit})"


def _is_histogram(value: Any) -> bool:
    """Whether a signal is a result of `get_histogram`."""
    if not isinstance(value, BaseSignal) or value.nav_shape or len(value.frame_shape) != 1:
        return False
    return value.frame_axes[0].name == "value" and value.dtype.kind in "iu"


def _of_signals(values: Mapping[str, Any], limits: Any) -> tuple[dict[str, Sample], int]:
    """Samples of all, those that are too large from histograms that are computed together.

    Whole numbers that float64 cannot tell apart come as what they exceed the smallest by, which is the second result.
    """
    large = {
        name: one
        for name, one in values.items()
        if isinstance(one, BaseSignal) and one.lazy and one.nbytes > MOST_HELD and not _is_histogram(one)
    }
    small = {name: one for name, one in values.items() if name not in large}
    ends = {name: (one.min(), one.max()) for name, one in large.items()} if limits is None else {}
    known, ends = compute_together(small, ends)
    offsets = [] if large else [_offset(one) for one in known.values()]
    taken = min(offsets) if offsets and all(offsets) else 0
    found = {name: _in_memory(one, taken) for name, one in known.items()}
    fine, spans, finite = {}, {}, {}
    for name, one in large.items():
        low, high = limits if limits is not None else (_end(ends[name][0], np.nanmin), _end(ends[name][1], np.nanmax))
        whole = one.dtype.kind in "iub" and high - low < FINE
        bins, spans[name] = FINE, (float(low), float(high) if high > low else float(low) + 1.0)
        if whole:
            bins, spans[name] = int(high - low) + 1, (math.floor(low) - 0.5, math.floor(low) + int(high - low) + 0.5)
        fine[name] = one.get_histogram(bins, spans[name])
        finite[name] = one.get_histogram(1, _EVERYTHING)
    counted, finite = compute_together(fine, finite)
    for name, one in counted.items():
        counts = np.asarray(one.data)
        edges = np.linspace(*spans[name], counts.size + 1)
        number = int(np.asarray(finite[name].data).sum())
        missing, beyond = math.prod(large[name].shape) - number, number - int(counts.sum())
        whole = large[name].dtype.kind in "iub" and counts.size < FINE
        found[name] = Sample((edges[1:] + edges[:-1]) / 2, counts, missing, beyond, whole)
    return {name: found[name] for name in values}, taken


def _end(signal: BaseSignal, which: Any) -> float:
    values = np.asarray(signal.data, np.float64)
    values = values[np.isfinite(values)]
    return float(which(values)) if values.size else 0.0


def _offset(value: Any) -> int:
    return plain_numbers(value.data if isinstance(value, BaseSignal) else value)[1]


def _in_memory(value: Any, taken: int) -> Sample:
    if _is_histogram(value):
        axis = value.frame_axes[0]
        edges = axis.offset + axis.scale * (np.arange(axis.size + 1) - 0.5)
        return Sample(axis.axis, np.asarray(value.data), edges=edges)
    array = np.asarray(value.data if isinstance(value, BaseSignal) else value)
    return sample_of(array - array.dtype.type(taken) if taken else array)
