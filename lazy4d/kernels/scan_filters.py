"""Filters across the scan as `overlap_frames` applies them: a block of frames with its halo in, inner positions out.

Each function has the signature ``function(block[nav..., *frame], missing, *params, out[inner..., *frame])``: `missing`
says how many positions the halo lacks before and after each axis, where the scan ends. The frames of the block stay as
they are; stripes of their pixels, as long as cache holds, are converted and filtered one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.neighbours import (
    bin_rows,
    compare_rows,
    median_network,
    median_rows,
    similarity_weights,
    weighted_rows,
)

Missing = tuple[tuple[int, int], ...]

STRIPE_BYTES = 2**21
"""What a stripe of all positions and the results made of it take: stays in the second level of cache."""

MIN_STRIPE = 128
"""Pixels of a stripe at least; shorter ones make a gather of single cache lines."""


LEAST_SHARE = 1e-6
"""Share of the weights that known pixels need to have for a mean of them; less is rounding."""


@dataclass(frozen=True)
class Geometry:
    """Where the inner positions of a block lie within it, and what stands for those outside of the scan."""

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    start: tuple[int, ...]
    boundary: str

    @classmethod
    def of(cls, block: NDArray[Any], missing: Missing, boundary: str, out: NDArray[Any]) -> Geometry:
        """The geometry that `overlap_frames` implies."""
        nav = len(missing)
        outer, inner = block.shape[:nav], out.shape[:nav]
        depth = [(n - k + sum(m)) // 2 for n, k, m in zip(outer, inner, missing, strict=True)]
        return cls(outer, inner, tuple(d - m[0] for d, m in zip(depth, missing, strict=True)), boundary)

    def along(self, axis: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places along an axis, [inner, offsets], of each inner position's neighbours; -1 outside of the scan."""
        n = self.outer[axis]
        places = self.start[axis] + np.arange(self.inner[axis])[:, None] + offsets
        if self.boundary == "nearest":
            return np.clip(places, 0, n - 1)
        if self.boundary == "reflect":
            places = places % (2 * n)
            return np.minimum(places, 2 * n - 1 - places)
        return np.where((places >= 0) & (places < n), places, -1)

    def rows(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the flattened block, [inner positions, neighbours], for offsets [neighbours, nav]; -1 outside."""
        nav = len(self.outer)
        flat = np.zeros((1,) * nav + (len(offsets),), np.int64)
        inside = np.ones_like(flat, dtype=bool)
        for axis in range(nav):
            shape = [1] * nav + [len(offsets)]
            shape[axis] = self.inner[axis]
            places = self.along(axis, offsets[:, axis]).reshape(shape)
            flat = flat * self.outer[axis] + places
            inside = inside & (places >= 0)
        return np.ascontiguousarray(np.where(inside, flat, -1).reshape(-1, len(offsets)))

    def flat(self, block: NDArray[Any], out: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Views of the block and of what is to be filled as rows of pixels, one a position."""
        return block.reshape(math.prod(self.outer), -1), out.reshape(math.prod(self.inner), -1)

    def centers(self) -> NDArray[np.int64]:
        """Rows of the inner positions themselves."""
        return self.rows(np.zeros((1, len(self.outer)), np.int64))[:, 0]


def smooth(block: Any, missing: Missing, taps: tuple[NDArray[np.float64], ...], boundary: str, out: Any) -> None:
    """Weighted means over neighbours, one axis after the other.

    Parameters
    ----------
    block : ndarray [nav..., *frame]
        Frames with their halo; NaN pixels have no weight.
    missing : tuple of (int, int)
        Positions that the halo lacks before and after each axis.
    taps : tuple of ndarray of float64 [2 r + 1]
        Weights along each navigation axis, of sum 1.
    boundary : {"reflect", "nearest", "renormalise"}
        Outside of the scan: it mirrored, its edge, or nothing, and the weights inside are made to add up to 1.
    out : ndarray [inner..., *frame]
        float32 or float64, filled.

    Examples
    --------
    >>> out = np.empty((1, 1), np.float32)
    >>> smooth(np.array([[2], [4]], np.uint8), ((1, 0),), (np.array([0.25, 0.5, 0.25]),), "reflect", out)
    >>> out.item()
    2.5
    """
    geometry = Geometry.of(block, missing, boundary, out)
    steps = [step for axis, t in enumerate(taps) for step in _axis_step(geometry, axis, t, out.dtype)]
    if not steps:  # a filter of one position along every axis
        steps = [_table(geometry.centers()[:, None], np.ones(1), out.dtype)]
    filtered(*geometry.flat(block, out), steps)


def _axis_step(geometry: Geometry, axis: int, taps: NDArray[np.float64], dtype: Any) -> list[tuple[NDArray[Any], ...]]:
    """The sparse matrix that filters one axis of a block, of which earlier axes are filtered already."""
    if len(taps) == 1 and geometry.inner[axis] == geometry.outer[axis]:
        return []
    reach = len(taps) // 2
    places = geometry.along(axis, np.arange(-reach, reach + 1))
    before = math.prod(geometry.inner[:axis])
    after = math.prod(geometry.outer[axis + 1 :])
    lead = np.arange(before)[:, None, None, None] * (geometry.outer[axis] * after)
    index = lead + places[None, :, None, :] * after + np.arange(after)[None, None, :, None]
    index = np.where(places[None, :, None, :] < 0, -1, index)
    return [_table(index.reshape(-1, len(taps)), taps, dtype)]


def _table(index: NDArray[np.int64], weights: NDArray[np.float64], dtype: Any) -> tuple[NDArray[Any], ...]:
    """Rows of neighbours (-1: none) as a sparse matrix whose rows add up to 1, or are empty."""
    inside = index >= 0
    full = np.where(inside, weights, 0.0)
    total = full.sum(axis=1, keepdims=True)
    full = np.divide(full, total, out=np.zeros_like(full), where=total > 0)
    used = inside & (full > 0)
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    return starts, index[used], full[used].astype(dtype)


def mean(block: Any, missing: Missing, offsets: NDArray[np.int64], boundary: str, out: Any) -> None:
    """Means over neighbours at `offsets` [k, nav]; otherwise as `smooth`.

    Examples
    --------
    >>> out = np.empty((2, 1), np.float32)
    >>> mean(np.array([[2], [4]], np.uint8), ((1, 1),), np.array([[-1], [0], [1]]), "renormalise", out)
    >>> out[:, 0].tolist()
    [3.0, 3.0]
    """
    geometry = Geometry.of(block, missing, boundary, out)
    filtered(*geometry.flat(block, out), [_table(geometry.rows(offsets), np.ones(len(offsets)), out.dtype)])


def total(block: Any, missing: Missing, offsets: NDArray[np.int64], boundary: str, out: Any) -> None:
    """Sums over neighbours at `offsets` [k, nav], exact in 64 bits for integers; NaN adds nothing.

    Examples
    --------
    >>> out = np.empty((2, 1), np.uint64)
    >>> total(np.array([[2], [4]], np.uint8), ((1, 1),), np.array([[-1], [0], [1]]), "renormalise", out)
    >>> out[:, 0].tolist()
    [6, 6]
    """
    geometry = Geometry.of(block, missing, boundary, out)
    index = geometry.rows(offsets)
    inside = index >= 0
    frames, result = geometry.flat(block, out)
    for stripe, pixels in stripes(frames, len(index), frames.dtype):
        rows = np.nan_to_num(stripe, nan=0.0, posinf=np.inf, neginf=-np.inf) if stripe.dtype.kind == "f" else stripe
        rows = rows.astype(out.dtype)
        sums = np.zeros((len(index), rows.shape[1]), out.dtype)
        for places, there in zip(index.T, inside.T, strict=True):
            if there.all():
                sums += rows[places]
            else:
                sums[there] += rows[places[there]]
        result[:, pixels] = sums


def median(block: Any, missing: Missing, offsets: NDArray[np.int64], boundary: str, out: Any) -> None:
    """Medians over neighbours at `offsets` [k, nav], of an even number of them the mean of the middle two.

    Examples
    --------
    >>> out = np.empty((3, 1), np.float32)
    >>> median(np.array([[2], [9], [4]], np.uint8), ((1, 1),), np.array([[-1], [0], [1]]), "nearest", out)
    >>> out[:, 0].tolist()
    [2.0, 4.0, 4.0]
    """
    geometry = Geometry.of(block, missing, boundary, out)
    index = geometry.rows(offsets)
    frames, result = geometry.flat(block, out)
    for stripe, pixels in stripes(frames, len(index), out.dtype):
        kept, unknown = index, np.isnan(stripe) if frames.dtype.kind == "f" else None
        if unknown is not None and unknown.any():
            lost = unknown.all(axis=1)
            if (unknown.any(axis=1) & ~lost).any():
                result[:, pixels] = _sorted_medians(stripe, index)
                continue
            kept = np.where(lost[index], -1, index)  # index -1 looks at the last row, and stays -1
        counts = (kept >= 0).sum(axis=1)
        result[counts == 0, pixels] = np.nan
        for count in np.unique(counts[counts > 0]):
            chosen = counts == count
            there = kept[chosen]
            places = there[there >= 0].reshape(-1, count)
            part = np.empty((len(places), stripe.shape[1]), out.dtype)
            median_rows(stripe, places, *median_network(int(count)), np.empty((count, part.shape[1]), out.dtype), part)
            result[chosen, pixels] = part


def _sorted_medians(rows: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """Medians where single pixels are NaN, and left out."""
    result = np.empty((len(index), rows.shape[1]), rows.dtype)
    for i, places in enumerate(index):
        values = np.sort(rows[places[places >= 0]], axis=0)  # NaN last
        count = (values == values).sum(axis=0)
        low = np.take_along_axis(values, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
        high = np.take_along_axis(values, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
        result[i] = np.where(count > 0, (low + high) / 2, np.nan)
    return result


def nonlocal_means(
    block: Any,
    missing: Missing,
    offsets: NDArray[np.int64],
    binning: int | None,
    h: float | None,
    gain: float,
    out: Any,
) -> None:
    """Means over neighbours at `offsets` [k, nav], weighted by how alike the patterns are.

    Parameters
    ----------
    block : ndarray [nav..., ky, kx]
        Counts with their halo.
    missing : tuple of (int, int)
        Positions that the halo lacks before and after each axis.
    offsets : ndarray of int64 [k, nav]
        Where neighbours are looked for; those outside of the scan do not count.
    binning : int, optional
        Patterns are compared after sums over so many pixels squared; by default to about 64 pixels.
    h, gain : float
        See `similarity_weights`; `h` None: from the counts.
    out : ndarray [inner..., ky, kx]
        float32 or float64, filled.

    Examples
    --------
    >>> block, out = np.array([[[4]], [[4]], [[90]]], np.uint8), np.empty((3, 1, 1), np.float32)
    >>> nonlocal_means(block, ((1, 1),), np.array([[-1], [0], [1]]), 1, 1.0, 1.0, out)
    >>> out.ravel().tolist()
    [4.0, 4.0, 90.0]
    """
    geometry = Geometry.of(block, missing, "renormalise", out)
    index, centers = geometry.rows(offsets), geometry.centers()
    statistics = np.zeros((*index.shape, 4))
    width = block.shape[-1]
    if binning is None:
        binning = max(1, min(block.shape[-2:]) // 64)
    frames, result = geometry.flat(block, out)
    # As short as they can be, so that sums come out the same to the last digit in blocks of any size.
    for stripe, _ in stripes(frames, STRIPE_BYTES, out.dtype, width * binning):
        binned = bin_rows(stripe, width, binning)
        if binned.shape[1]:
            compare_rows(binned, centers, index, gain, statistics)
    weights = similarity_weights(statistics, h, gain)
    itself = (index == centers[:, None]) & (statistics[..., 3] > 0)
    filtered(frames, result, [_table(index, np.where(itself, 1.0, weights), out.dtype)])


def filtered(frames: Any, result: Any, steps: list[tuple[NDArray[Any], ...]]) -> None:
    """Fill `result` with rows of pixels multiplied by sparse matrices one after the other, NaN pixels left out."""
    most = sum(len(starts) for starts, _, _ in steps)
    for stripe, pixels in stripes(frames, most, result.dtype):
        unknown = None
        if frames.dtype.kind == "f" and np.isnan(stripe.max(initial=-np.inf)):  # as fast as a look can be
            unknown = np.isnan(stripe)
            stripe[unknown] = 0
        values = _product(steps, stripe)
        if unknown is not None:
            share = _product(steps, (~unknown).astype(result.dtype))
            values = np.divide(values, share, out=np.full_like(values, np.nan), where=share > LEAST_SHARE)
        result[:, pixels] = values


def _product(steps: list[tuple[NDArray[Any], ...]], rows: NDArray[Any]) -> NDArray[Any]:
    for starts, index, weights in steps:
        result = np.empty((len(starts) - 1, rows.shape[1]), rows.dtype)
        weighted_rows(rows, starts, index, weights, result)
        rows = result
    return rows


def stripes(frames: Any, results: int, dtype: Any, unit: int = 1) -> Iterator[tuple[NDArray[Any], slice]]:
    """Stripes of the pixels of all frames, copies ``[positions, pixels]`` in `dtype`, and which pixels they are.

    Parameters
    ----------
    frames : ndarray [positions, pixels]
        C-contiguous.
    results : int
        Rows of the same length that cache has to hold beside the positions.
    dtype : dtype
        Of the stripes.
    unit : int
        Stripes are multiples of so many pixels.
    """
    size = frames.shape[1]
    fits = STRIPE_BYTES // (max(1, len(frames) + results) * np.dtype(dtype).itemsize)
    length = max(unit, max(fits, MIN_STRIPE) // unit * unit)
    for start in range(0, size, length):
        pixels = slice(start, min(start + length, size))
        yield frames[:, pixels].astype(dtype, order="C"), pixels
