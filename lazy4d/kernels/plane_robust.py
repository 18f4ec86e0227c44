"""A surface through the majority of a sample of positions, however far off the others are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import plane
from lazy4d.kernels.plane import Floats, Powers

SUBSETS = 400
"""Surfaces tried, each through as few positions as determine one: with 40 % outliers, one of 20 is free of them."""

JUDGES = 1000
"""Positions by which the tried ones are compared."""

BEST, STEPS, ITERATIONS = 6, 10, 60


def fit_sample(keys: NDArray[np.uint64], rows: Floats, powers: Powers, model: str) -> Floats:
    """The robust surface [terms + 1, 2] through a sample drawn by `plane.draw_sample`, with the scale of its residuals.

    Parameters
    ----------
    keys, rows
        The sample.
    powers : tuple of tuple of int
        Exponents of the coordinates in each term.
    model : str
        Name of the surface, for messages.

    Raises
    ------
    ValueError
        Too few positions, or positions that do not determine the surface.

    Notes
    -----
    An MM-estimate (V. J. Yohai, Ann. Statist. 15, 642 (1987), doi 10.1214/aos/1176350366): least trimmed squares from
    random subsets (P. J. Rousseeuw & K. Van Driessen, Data Min. Knowl. Disc. 12, 29 (2006),
    doi 10.1007/s10618-005-0024-4) find the majority and the scale of its residuals; Tukey's biweight then takes all
    positions that fit to it. Up to nearly half the positions may be anything.
    """
    found = plane.sampled_rows(keys, rows)
    plane.enough_positions(len(found), len(powers), model)
    positions, weight, points = found[:, :2], found[:, 2], found[:, 3:]
    terms = plane.terms_at(points, powers)
    start = _least_squares(terms, positions, weight, model)  # also the check that the positions determine it
    tried = np.concatenate([start[None, :-1], _through_subsets(terms, positions)])
    best = min((_trimmed(one, terms, positions) for one in _most_central(tried, terms, positions)), key=lambda f: f[0])
    start[:-1] = best[1]
    for _ in range(2):
        start[-1] = plane.spread_of(positions - plane.surface(terms, start))
        start = _biweight_fit(start, terms, positions, weight, model)
    return start


def _least_squares(terms: Floats, positions: Floats, weight: Floats, model: str, start: Floats | None = None) -> Floats:
    given = np.zeros((len(terms) + 1, 2)) if start is None else start
    residual = positions - plane.surface(terms, given)
    weighted = terms * weight
    matrix, right = (weighted[:, None] * terms).sum(axis=2), (weighted[:, :, None] * residual).sum(axis=1)
    return plane.solve_equations(matrix, right, np.array([len(positions)]), given, model)


def _biweight_fit(start: Floats, terms: Floats, positions: Floats, weight: Floats, model: str) -> Floats:
    for _ in range(ITERATIONS):
        inside = weight * plane.biweight(positions - plane.surface(terms, start), start[-1])
        if np.count_nonzero(inside) < len(terms):
            return start
        after = _least_squares(terms, positions, inside, model, start)
        moved = float(np.abs(after - start).max())
        start = after
        if moved < 1e-9 * float(start[-1].min()):
            break
    return start


def _through_subsets(terms: Floats, positions: Floats) -> Floats:
    """Surfaces [subsets, terms, 2] through random positions, the same ones in every run."""
    count = terms.shape[1]
    chosen = np.random.default_rng(0).integers(0, count, (SUBSETS, len(terms)))
    return np.linalg.pinv(terms.T[chosen], rcond=1e-6) @ positions[chosen]


def _most_central(tried: Floats, terms: Floats, positions: Floats) -> Floats:
    """The surfaces with the smallest median residual."""
    judges = slice(None, JUDGES)  # a sample is in random order
    values = np.stack([plane.surface(terms[:, judges], one) for one in tried])
    off = np.square(values - positions[judges]).sum(axis=2)
    middle = np.partition(off, off.shape[1] // 2, axis=1)[:, off.shape[1] // 2]
    return tried[np.argsort(middle, kind="stable")[:BEST]]


def _trimmed(one: Floats, terms: Floats, positions: Floats) -> tuple[float, Floats]:
    """A surface improved by fits to the half that is nearest to it, after the sum of squares of that half."""
    half = max(plane.half_of(len(positions)), len(terms))
    off: Any = np.square(positions - plane.surface(terms, one)).sum(axis=1)
    for _ in range(STEPS):
        near = np.argpartition(off, half - 1)[:half]
        after: Floats = np.linalg.lstsq(terms[:, near].T, positions[near], rcond=None)[0].astype(np.float64)
        new = np.square(positions - plane.surface(terms, after)).sum(axis=1)
        if np.partition(new, half - 1)[:half].sum() >= np.partition(off, half - 1)[:half].sum():
            break
        one, off = after, new
    return float(np.partition(off, half - 1)[:half].sum()), one
