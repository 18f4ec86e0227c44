"""Lines of a map that jump sideways: by how much each has to be moved along x onto its neighbours.

Neighbouring lines show nearly the same. Line r + j is compared with line r for j = 1 … h by their correlation along x,
which gives ``s_{r+j} - s_r`` for the shifts s that are looked for. All these differences, weighted by how well the
lines agree, are solved by least squares, robustly (Tukey's weights), and what varies slowly from line to line is taken
off: that is how the specimen leans. Lines are moved by what is known and compared again, until nothing is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 4
_REWEIGHTED = 6

Floats = NDArray[np.float64]


def row_shifts(maps: NDArray[Any], reach: int, max_shift: int, high_pass: float, out: Floats) -> None:
    """The shift along x of each line.

    Parameters
    ----------
    maps : ndarray [n, y, x]
        nan where unknown.
    reach : int
        How many lines ahead each is compared with.
    max_shift : int
        Largest difference of two lines, pixels.
    high_pass : float
        Standard deviation, in lines, of the Gaussian that tells what varies slowly; 0: only a straight line does.
    out : ndarray of float64 [n, y]
        Filled: ``line[x - s]`` stands where it should. nan for lines that are nan throughout.

    Examples
    --------
    >>> x = np.arange(64)
    >>> lines = np.stack([np.exp(-((x - 30 - s) ** 2) / 40.0) for s in (0, 0, 2.5, 0, 0, 0)])
    >>> out = np.empty((1, 6))
    >>> row_shifts(lines[None], 2, 8, 0.0, out)
    >>> bool(abs(out[0, 2] - out[0, 1] + 2.5) < 0.1)
    True
    """
    for image, result in zip(np.asarray(maps, np.float64), out, strict=True):
        known = np.isfinite(image).any(axis=1)
        result[...] = np.nan
        if known.any():
            result[known] = _shifts_of(image[known], reach, max_shift, high_pass)


def _shifts_of(image: Floats, reach: int, max_shift: int, high_pass: float) -> Floats:
    lines = image.shape[0]
    shifts = np.zeros(lines)
    reach = min(reach, lines - 1)
    if reach < 1:
        return shifts
    for _ in range(_ROUNDS):
        moved = move_rows(image, shifts, np.nan)
        differences, weights = _differences(moved, reach, max_shift)
        for j in range(1, reach + 1):
            differences[j - 1, : lines - j] += shifts[j:] - shifts[:-j]
        shifts = _solve(differences, weights, lines)
        shifts = shifts - _slow(shifts, high_pass)
    return shifts


def _slow(shifts: Floats, high_pass: float) -> Floats:
    """What varies slowly from line to line."""
    index = np.arange(shifts.size, dtype=np.float64)
    line = np.polynomial.Polynomial.fit(index, shifts, 1)(index) if shifts.size > 2 else np.full(2, shifts.mean())
    line = line[: shifts.size]
    if high_pass <= 0:
        return line
    from scipy import ndimage

    slow: Floats = line + ndimage.gaussian_filter1d(shifts - line, high_pass, mode="reflect")
    return slow


def move_rows(image: Floats, shifts: Floats, fill: float) -> Floats:
    """Each line moved along x by its shift, by cubic splines, `fill` where it does not reach or would need a nan.

    Examples
    --------
    >>> move_rows(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([1.0, 0.0]), 0.0).round(9)
    array([[0., 1., 2.],
           [4., 5., 6.]])
    """
    from scipy import ndimage

    columns = image.shape[1]
    known = np.isfinite(image)
    number = known.sum(axis=1, keepdims=True)
    mean = np.where(known, image, 0.0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
    source: Floats = np.arange(columns, dtype=np.float64) - np.where(np.isfinite(shifts), shifts, 0.0)[:, None]
    curve = ndimage.spline_filter1d(np.where(known, image, mean), 3, axis=1, mode="mirror") if columns > 1 else image
    moved = _on_curve(curve, source)
    inside = (source >= -1e-9) & (source <= columns - 1 + 1e-9) & np.isfinite(shifts)[:, None]
    if not known.all():
        share = _linear(known.astype(np.float64), source)
        inside &= share > 1 - 1e-9
    return np.where(inside, moved, fill)


def _on_curve(curve: Floats, source: Floats) -> Floats:
    """Values of cubic B-splines along x, of each line at its own places; mirrored beyond the ends."""
    columns = curve.shape[1]
    whole = np.floor(source).astype(np.int64)
    f = source - whole
    weights = ((1 - f) ** 3, 4 - 6 * f**2 + 3 * f**3, 1 + 3 * f + 3 * f**2 - 3 * f**3, f**3)
    total = np.zeros(source.shape)
    for k, weight in zip(range(-1, 3), weights, strict=True):
        total += weight / 6 * np.take_along_axis(curve, _mirrored(whole + k, columns), axis=1)
    return total


def _linear(values: Floats, source: Floats) -> Floats:
    columns = values.shape[1]
    whole = np.floor(source).astype(np.int64)
    f = source - whole
    here, there = (np.take_along_axis(values, _mirrored(whole + k, columns), axis=1) for k in (0, 1))
    return (1 - f) * here + f * there


def _mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices reflected about the first and last pixel into the line."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    turned = np.abs(index) % period
    return np.minimum(turned, period - turned)


def _differences(moved: Floats, reach: int, max_shift: int) -> tuple[Floats, Floats]:
    """Shifts of line r + j against line r, and their weights, both float64 [reach, lines]."""
    from scipy import fft

    lines, columns = moved.shape
    size = fft.next_fast_len(2 * columns, real=True)
    known = np.isfinite(moved)
    window = np.sin(np.pi * (np.arange(columns) + 0.5) / columns) ** 2 * known
    filled = np.where(known, moved, 0.0)
    mean = (filled * window).sum(axis=1, keepdims=True) / np.maximum(window.sum(axis=1, keepdims=True), 1e-300)
    centred = (filled - mean) * window
    norm = np.sqrt((centred * centred).sum(axis=1))
    waves = fft.rfft(centred, size, axis=1, workers=1)
    most = int(min(max_shift, columns - 2))
    differences, weights = np.zeros((reach, lines)), np.zeros((reach, lines))
    for j in range(1, reach + 1):
        correlation = fft.irfft(waves[:-j] * waves[j:].conj(), size, axis=1, workers=1)
        near = np.concatenate([correlation[:, -most - 1 :], correlation[:, : most + 2]], axis=1)  # -most-1 … most+1
        at = near[:, 1:-1].argmax(axis=1) + 1
        rows = np.arange(lines - j)
        low, top, high = near[rows, at - 1], near[rows, at], near[rows, at + 1]
        bend = 2 * top - low - high
        between = np.where(bend > 0, 0.5 * (high - low) / np.where(bend > 0, bend, 1.0), 0.0)
        differences[j - 1, : lines - j] = at - most - 1 + np.clip(between, -0.5, 0.5)
        scale = norm[:-j] * norm[j:]
        alike = np.where(scale > 0, top / np.where(scale > 0, scale, 1.0), 0.0)
        weights[j - 1, : lines - j] = np.clip(alike, 0.0, 1.0) ** 2
    return differences, weights


def _solve(differences: Floats, weights: Floats, lines: int) -> Floats:
    """The shifts whose differences fit best, robustly; their mean is 0."""
    from scipy.linalg import solveh_banded

    reach = len(differences)
    shifts = np.zeros(lines)
    robust = weights
    for turn in range(_REWEIGHTED):
        bands, right = np.zeros((reach + 1, lines)), np.zeros(lines)
        bands[0] = 1e-6 * max(float(weights.max()), 1e-12)
        for j in range(1, reach + 1):
            w = robust[j - 1, : lines - j]
            wd = w * differences[j - 1, : lines - j]
            bands[0, : lines - j] += w
            bands[0, j:] += w
            bands[j, : lines - j] -= w
            right[j:] += wd
            right[: lines - j] -= wd
        shifts = solveh_banded(bands, right, lower=True)
        rest = np.stack(
            [
                np.pad(np.abs(shifts[j:] - shifts[:-j] - differences[j - 1, : lines - j]), (0, j))
                for j in range(1, reach + 1)
            ]
        )
        counted = weights > 0
        if turn == _REWEIGHTED - 1 or not counted.any():
            break
        scale = max(4.7 * 1.4826 * float(np.median(rest[counted])), 0.05)
        robust = weights * np.clip(1 - (rest / scale) ** 2, 0.0, None) ** 2
        robust = np.maximum(robust, 1e-6 * weights)
    return shifts - shifts.mean()
