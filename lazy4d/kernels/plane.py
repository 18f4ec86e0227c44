"""Surfaces over a scan (constant, plane, parabola): evaluated, and fitted by normal equations that can be added up.

Coordinates run from -1 at the first to 1 at the last position of an axis. A surface is a sum of terms, each a product
of powers of the coordinates, and is given by `start[terms + 1, 2]`: a row of coefficients (y, x) for each term and, in
the last row, the scale of the residuals that a robust fit judges outliers by.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Powers = tuple[tuple[int, ...], ...]

TUKEY = 5.12
"""Scales beyond which a residual of two components counts nothing: 95 % efficiency for normal noise."""

SMALLEST_SCALE = 0.01
"""Pixels: what methods err by even without noise, from one fraction of a pixel to the next. With a smaller scale the
positions that happen to agree to less would make outliers of all others."""

_MORE = np.uint64(0xFFFFFFFFFFFFFFFF)


def coordinates(numbers: NDArray[np.int64], places: Floats | None, shape: tuple[int, ...]) -> Floats:
    """Coordinates [n, d] of positions: `places` where they are given, else from their numbers in C order.

    Examples
    --------
    >>> coordinates(np.array([0, 5]), None, (2, 3)).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    if places is not None:
        return places
    indices = np.unravel_index(numbers, shape) if shape else ()
    result = np.zeros((len(numbers), len(shape)))
    for k, (index, size) in enumerate(zip(indices, shape, strict=True)):
        if size > 1:
            result[:, k] = 2.0 * index / (size - 1) - 1.0
    return result


def terms_at(points: Floats, powers: Powers) -> Floats:
    """The terms at some coordinates: [terms, n].

    Examples
    --------
    >>> terms_at(np.array([[2.0, 3.0]]), ((0, 0), (1, 0), (1, 1)))[:, 0].tolist()
    [1.0, 2.0, 6.0]
    """
    result = np.ones((len(powers), len(points)))
    for term, exponents in zip(result, powers, strict=True):
        for k, exponent in enumerate(exponents):
            for _ in range(exponent):
                term *= points[:, k]
    return result


def surface(terms: Floats, start: Floats) -> Floats:
    """Values [n, 2] of a surface; a sum in a fixed order, so that a position has one value in every tile."""
    result = np.zeros((terms.shape[1], 2))
    for term, coefficients in zip(terms, start, strict=False):
        result += term[:, None] * coefficients
    return result


def evaluate_surface(
    frames: NDArray[Any],
    numbers: NDArray[np.int64],
    places: Floats | None,
    start: Floats,
    shape: tuple[int, ...],
    powers: Powers,
    out: Floats,
) -> None:
    """Fill `out` with a surface at some positions.

    Parameters
    ----------
    frames : ndarray [n, 2]
        Positions that were measured; not read.
    numbers : int64 ndarray [n]
        Which positions of the scan, in C order.
    places : float64 ndarray [n, d] or None
        Their coordinates, where these do not follow from the numbers.
    start : float64 ndarray [terms + 1, 2]
        The surface.
    shape : tuple of int
        Of the scan.
    powers : tuple of tuple of int
        Exponents of the coordinates in each term.
    out : float64 ndarray [n, 2]
        Filled.

    Examples
    --------
    >>> out = np.empty((2, 2))
    >>> evaluate_surface(out, np.array([0, 1]), None, np.array([[5.0, 6], [1, 0], [0, 0]]), (2,), ((0,), (1,)), out)
    >>> out.tolist()
    [[4.0, 6.0], [6.0, 6.0]]
    """
    out[...] = surface(terms_at(coordinates(numbers, places, shape), powers), start)


def add_equations(
    frames: NDArray[Any],
    numbers: NDArray[np.int64],
    places: Floats | None,
    weights: NDArray[Any] | None,
    given: Floats,
    shape: tuple[int, ...],
    powers: Powers,
    robust: bool,
    matrix: Floats,
    right: Floats,
    count: NDArray[np.int64],
    start: Floats,
) -> None:
    """Add positions to the normal equations of a least-squares fit of the difference from a given surface.

    Parameters
    ----------
    frames : float ndarray [n, 2]
        Measured positions; those that are not finite are left out.
    numbers, places, shape, powers
        As in `evaluate_surface`.
    weights : ndarray [n] or None
        Of the positions; 0 leaves one out.
    given : float64 ndarray [terms + 1, 2]
        The surface to improve.
    robust : bool
        Whether residuals far beyond the scale of `given` count less, by Tukey's biweight.
    matrix, right, count, start : ndarray
        The state: ``Σ w t tᵀ`` [terms, terms], ``Σ w t r`` [terms, 2], number of positions [1], and `given`.
    """
    start[...] = given
    usable, weight = usable_positions(frames, weights)
    terms = terms_at(coordinates(numbers, places, shape), powers)[:, usable]
    residual = frames[usable] - surface(terms, given)
    if robust:
        weight = weight * biweight(residual, given[-1])
    count += len(weight)
    for j, term in enumerate(terms):
        weighted = term * weight
        right[j] += (weighted[:, None] * residual).sum(axis=0)
        for k in range(j, len(terms)):
            matrix[j, k] += (weighted * terms[k]).sum()


def merge_equations(*states: NDArray[Any]) -> None:
    """Add the second state of `add_equations` to the first."""
    for own, other in zip(states[:3], states[4:7], strict=True):
        own += other
    states[3][...] = np.where(np.isnan(states[3]), states[7], states[3])


def solve_equations(matrix: Floats, right: Floats, count: NDArray[np.int64], start: Floats, model: str) -> Floats:
    """The improved surface [terms + 1, 2].

    Raises
    ------
    ValueError
        Too few positions count, or they lie so that they do not determine the surface.
    """
    full = np.triu(matrix) + np.triu(matrix, 1).T
    enough_positions(int(count[0]), len(full), model)
    scale = np.sqrt(np.diag(full))
    with np.errstate(all="ignore"):
        values, vectors = np.linalg.eigh(np.nan_to_num(full / np.outer(scale, scale)))
    if not scale.all() or values[0] < 1e-11 * values[-1]:
        raise ValueError(
            f"the {int(count[0])} positions that count do not determine a {model}, as those of a single row or column "
            "would not: let more of the scan count (mask=, weights=), or fit model='constant'"
        )
    change = vectors @ ((vectors.T @ (right / scale[:, None])) / values[:, None]) / scale[:, None]
    result = start.copy()
    result[:-1] += change
    return result


def enough_positions(count: int, terms: int, model: str) -> None:
    """Refuse a fit to fewer positions than unknowns."""
    if count < terms:
        raise ValueError(
            f"expected at least {terms} finite positions that count, to fit a {model}, found {count}: let more of the "
            "scan count (mask=, weights=), find the beam in more frames, or fit model='constant'"
        )


def usable_positions(frames: NDArray[Any], weights: NDArray[Any] | None) -> tuple[NDArray[np.bool_], Floats]:
    """Which positions are finite and have weight, and the weights of these."""
    usable = np.isfinite(frames).all(axis=1)
    if weights is None:
        return usable, np.ones(np.count_nonzero(usable))
    usable &= weights > 0
    return usable, weights[usable].astype(np.float64)


def biweight(residual: Floats, scale: Floats) -> Floats:
    """Tukey's weights [n] of residuals [n, 2] with the scales [2] of their components."""
    far = ((residual / (TUKEY * scale)) ** 2).sum(axis=1)
    return np.square(np.maximum(1.0 - far, 0.0))


# -- a sample of positions that does not depend on how the scan is cut: those with the smallest keys -----------------


def draw_sample(
    frames: NDArray[Any],
    numbers: NDArray[np.int64],
    places: Floats | None,
    weights: NDArray[Any] | None,
    shape: tuple[int, ...],
    keys: NDArray[np.uint64],
    rows: Floats,
) -> None:
    """Keep the positions whose numbers have the smallest keys: `rows` holds y, x, weight and coordinates of each.

    Keys are scrambled numbers, so that the sample is spread evenly over the positions that count, whatever their
    arrangement; all are kept where they fit.
    """
    usable, weight = usable_positions(frames, weights)
    found = scrambled(numbers[usable])
    points = coordinates(numbers, places, shape)[usable]
    keep_smallest(keys, rows, found, np.column_stack([frames[usable], weight, points]))


def merge_samples(*states: NDArray[Any]) -> None:
    """Merge the second sample into the first."""
    keys, rows, other, more = states
    keep_smallest(keys, rows, other, more)


def keep_smallest(keys: NDArray[np.uint64], rows: Floats, other: NDArray[np.uint64], more: Floats) -> None:
    """Keep, in place, the rows with the smallest keys of both."""
    better = other < keys.max()
    if better.any():
        joint, all_rows = np.concatenate([keys, other[better]]), np.concatenate([rows, more[better]])
        kept = np.argpartition(joint, len(keys) - 1)[: len(keys)]
        keys[...], rows[...] = joint[kept], all_rows[kept]


def scrambled(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A different key for every number, as if drawn at random: G. L. Steele et al., splitmix64 (OOPSLA 2014).

    Examples
    --------
    >>> len(np.unique(scrambled(np.arange(1000))))
    1000
    """
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.minimum(x ^ (x >> np.uint64(31)), _MORE - np.uint64(1))


def sampled_rows(keys: NDArray[np.uint64], rows: Floats) -> Floats:
    """The rows of the sample in the order of their keys, without empty ones."""
    order = np.argsort(keys)
    return rows[order[: np.count_nonzero(keys != _MORE)]]


def sample_size(positions: int, most: int = 10_000) -> int:
    """Rows of a sample: all positions, or the most that a fit in memory takes."""
    return max(1, min(positions, most))


def term_powers(model: str, sizes: tuple[float, ...]) -> Powers:
    """Exponents of the terms of a model over axes that hold so many different coordinates.

    An axis of one position has no slope, and one of two no curvature.

    Examples
    --------
    >>> term_powers("plane", (5, 1, 7)), len(term_powers("parabola", (5, 7)))
    (((0, 0, 0), (1, 0, 0), (0, 0, 1)), 6)
    """
    d = len(sizes)
    unit = [tuple(int(j == k) for j in range(d)) for k in range(d)]
    powers = [(0,) * d]
    varied = [k for k in range(d) if sizes[k] > 1]
    if model != "constant":
        powers += [unit[k] for k in varied]
    if model == "parabola":
        for i, k in enumerate(varied):
            powers += [
                tuple(map(sum, zip(unit[k], unit[j], strict=True))) for j in varied[i:] if j != k or sizes[k] > 2
            ]
    return tuple(powers)


def spread_of(residual: Floats) -> Floats:
    """Robust scales of both components: the median of absolute residuals, as a standard deviation."""
    return np.maximum(np.median(np.abs(residual), axis=0) / 0.6744897501960817, SMALLEST_SCALE)


def half_of(count: int) -> int:
    """The majority of `count`."""
    return math.floor(count / 2) + 1
