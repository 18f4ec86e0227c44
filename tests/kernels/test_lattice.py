"""Lattice kernels against slow, obvious numpy: differences by brute force, fits by numpy.linalg.lstsq."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lazy4d.kernels.lattice_equations import invert
from lazy4d.kernels.lattice_fit import COLUMNS, fit_frames
from lazy4d.kernels.lattice_index import UNINDEXED, index_frames
from lazy4d.kernels.lattice_pairs import UNIT, count_differences

BASIS = np.array([[1.0, 9.0], [8.0, -2.0]])
START = np.array([[0.0, 0.0], *BASIS])
POINTS = np.array([[h, k] for h in range(-2, 3) for k in range(-2, 3)], float)


def ragged(frames: list[Any]) -> tuple[Any, Any, Any]:
    rows = np.concatenate([np.reshape(frame, (-1, 2)) for frame in frames] or [np.empty((0, 2))])
    offsets = np.cumsum([0, *(len(np.reshape(frame, (-1, 2))) for frame in frames)])
    return offsets, rows[:, 0].copy(), rows[:, 1].copy()


def fit(frames: list[Any], weights: Any = None, kernel: Any = fit_frames, **options: Any) -> Any:
    offsets, y, x = ragged(frames)
    out = np.zeros((len(frames), COLUMNS))
    starts = np.tile(START, (len(frames), 1, 1))
    given = np.ones(y.size) if weights is None else np.concatenate(weights)
    known = {
        "free": True,
        "fixed": False,
        "farthest": 2.0,
        "fewest": 5,
        "least": 0.0,
        "robust": False,
        "error": 0.0,
        **options,
    }
    kernel(offsets, y, x, given, starts, *known.values(), out)
    return out


def reference_fit(places: Any, weights: Any, error: float, first: int) -> Any:
    """Weighted least squares on the nearest indices, and White's covariance, written out with big matrices."""
    weights = np.minimum(weights, 10 * np.median(weights))
    indices = np.rint(places @ np.linalg.inv(BASIS))
    terms = np.column_stack([np.ones(len(places)), indices])[:, first:]
    root = np.sqrt(weights)[:, None]
    solution = np.linalg.lstsq(terms * root, places * root, rcond=None)[0]
    residual = places - terms @ solution
    inverse = np.linalg.inv(terms.T @ (terms * weights[:, None]))
    leverage = weights * np.einsum("ia,ab,ib->i", terms, inverse, terms)
    square = np.full(len(places), error**2) if error else (residual**2).sum(1) / (2 * (1 - leverage))
    spread = inverse @ (terms.T @ (terms * (weights**2 * square)[:, None])) @ inverse
    full, lattice = np.zeros((3, 3)), np.zeros((3, 2))
    full[first:, first:], lattice[first:] = spread, solution
    off = np.sqrt((residual**2).sum(1).mean())
    return np.concatenate([lattice.ravel(), full[np.triu_indices(3)], [off, len(places), 1.0]])


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize(("error", "fixed"), [(0.0, False), (0.3, False), (0.0, True)])
def test_a_fit_is_weighted_least_squares(python: bool, error: float, fixed: bool) -> None:
    rng = np.random.default_rng(0)
    frames = [POINTS[: 20 + n] @ BASIS + rng.normal(0, 0.2, (20 + n, 2)) for n in range(2 if python else 6)]
    weights = [rng.lognormal(0, 1, len(frame)) for frame in frames]
    kernel = fit_frames.py_func if python else fit_frames
    found = fit(frames, weights, kernel, free=False, fixed=fixed, error=error)
    expected = [reference_fit(f, w, error, int(fixed)) for f, w in zip(frames, weights, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_outliers_do_not_move_a_robust_fit() -> None:
    rng = np.random.default_rng(1)
    clean = [POINTS @ BASIS + rng.uniform(-3, 3, 2) for _ in range(50)]
    spoilt = [frame.copy() for frame in clean]
    weights = [rng.lognormal(0, 0.7, len(POINTS)) for _ in clean]
    for frame, weight in zip(spoilt, weights, strict=True):
        frame[rng.choice(25, 4, replace=False)] += rng.uniform(-4, 4, (4, 2))
        weight[:1] *= 3
    expected, found = fit(clean, weights), fit(spoilt, weights, robust=True)
    np.testing.assert_allclose(found[:, 2:6], expected[:, 2:6], rtol=0, atol=1e-9)
    assert (found[:, 14] < 0.999).all()
    assert np.abs(fit(spoilt, weights)[:, 2:6] - expected[:, 2:6]).max() > 0.05


def test_python_and_machine_code_agree_on_robust_fits() -> None:
    rng = np.random.default_rng(6)
    frames = [POINTS @ BASIS + rng.standard_t(3, POINTS.shape) * 0.1 + rng.uniform(-3, 3, 2), POINTS[:3] @ BASIS]
    weights = [rng.random(25), np.ones(3)]
    slow = fit(frames, weights, fit_frames.py_func, robust=True)
    np.testing.assert_allclose(slow, fit(frames, weights, robust=True), rtol=1e-9, atol=1e-12)


def test_a_robust_fit_solves_the_equations_of_tukeys_biweight() -> None:
    rng = np.random.default_rng(2)
    places = POINTS @ BASIS + rng.standard_t(2, POINTS.shape) * 0.05
    row = fit([places], robust=True)[0]
    terms = np.column_stack([np.ones(25), POINTS])
    residual = places - terms @ row[:6].reshape(3, 2)
    off = np.hypot(*residual.T)
    scale = np.median(off) / np.sqrt(2 * np.log(2)) * (1 + 5 / 22)
    weights = np.maximum(1 - (off / (4.685 * scale)) ** 2, 0) ** 2
    assert np.abs(terms.T @ (residual * weights[:, None])).max() < 1e-3 * np.abs(terms.T @ np.abs(residual)).max()
    assert row[13] == np.count_nonzero(weights)


@pytest.mark.parametrize(
    "places",
    [
        POINTS[:4] @ BASIS,  # too few
        POINTS[POINTS[:, 0] == 1] @ BASIS,  # in line
        np.repeat(BASIS, 4, axis=0),  # two places, and a line through them
        np.full((9, 2), np.nan),
        np.empty((0, 2)),
    ],
)
@pytest.mark.parametrize("robust", [False, True])
def test_what_is_not_determined_is_nan(places: Any, robust: bool) -> None:
    row = fit([places], robust=robust)[0]
    assert np.isnan(row[:13]).all()


def test_places_without_weight_or_number_do_not_count() -> None:
    places = np.concatenate([POINTS @ BASIS, [[np.nan, 3.0], [5.0, 5.0], [4.0, 4.0], [7.0, 7.0]]])
    weight = np.concatenate([np.ones(25), [1.0, 0.0, -1.0, np.nan]])
    found, expected = fit([places], [weight], robust=True), fit([POINTS @ BASIS])
    np.testing.assert_allclose(found[0, :6], expected[0, :6], atol=1e-12)
    assert found[0, 13] == 25


def test_no_frames() -> None:
    assert fit([]).shape == (0, COLUMNS)


def test_the_inverse_of_a_singular_matrix_is_refused() -> None:
    out, matrix = np.zeros((3, 3)), np.array([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    assert invert(matrix, 0, out)
    np.testing.assert_allclose(out, np.linalg.inv(matrix), rtol=1e-13)
    assert not invert(np.ones((3, 3)), 0, out)


@pytest.mark.parametrize("kernel", [index_frames, index_frames.py_func])
def test_indices_are_those_of_the_nearest_lattice_point(kernel: Any) -> None:
    rng = np.random.default_rng(3)
    frames = [rng.uniform(-20, 20, (n, 2)) for n in (7, 0, 12)]
    offsets, y, x = ragged(frames)
    h, k = np.zeros((2, y.size), np.int16)
    distance = np.zeros(y.size)
    kernel(offsets, y, x, np.ones(y.size), np.tile(START, (3, 1, 1)), np.eye(2), False, 3.0, h, k, distance)
    grid = np.array([[a, b] for a in range(-6, 7) for b in range(-6, 7)])
    away = np.linalg.norm(np.column_stack([y, x])[:, None] - grid @ BASIS, axis=-1)
    nearest, least = grid[away.argmin(1)], away.min(1)
    inside = least <= 3
    np.testing.assert_array_equal(np.column_stack([h, k]), np.where(inside[:, None], nearest, UNINDEXED))
    np.testing.assert_allclose(distance, np.where(inside, least, np.nan))


@pytest.mark.parametrize("kernel", [count_differences, count_differences.py_func])
def test_differences_by_brute_force(kernel: Any) -> None:
    rng = np.random.default_rng(4)
    frames = [rng.uniform(0, 9, (n, 2)) for n in (5, 0, 1, 8)]
    offsets, y, x = ragged(frames)
    weights = rng.uniform(-0.5, 2, y.size)
    y[3] = np.nan
    out, expected = np.zeros((13, 13), np.int64), np.zeros((13, 13))
    kernel(offsets, y, x, weights, 6, out)
    for start, stop in pairwise(offsets):
        chosen = range(start, min(stop, start + 6))
        for i in chosen:
            for j in chosen:
                w, dy, dx = min(weights[i], weights[j]), y[j] - y[i], x[j] - x[i]
                if i == j or not w > 0 or not max(abs(dy), abs(dx)) < 6:
                    continue
                for row in range(13):
                    for column in range(13):
                        share = max(0, 1 - abs(dy - row + 6)) * max(0, 1 - abs(dx - column + 6))
                        expected[row, column] += w * share
    np.testing.assert_allclose(out / UNIT, expected, atol=1e-3)


@pytest.mark.parametrize("kernel", [index_frames, index_frames.py_func])
def test_nearest_points_farther_than_half_a_cell_and_indices_of_another_basis(kernel: Any) -> None:
    rng = np.random.default_rng(8)
    basis = np.array([[0.0, 10.0], [8.7, 4.9]])  # 60 degrees, where the nearest in units of the vectors often is not
    change = np.array([[1.0, 0.0], [-3.0, 1.0]])  # indices in the basis g1, g2 + 3 g1
    offsets, y, x = ragged([rng.uniform(-20, 20, (200, 2))])
    h, k, distance = np.zeros(200, np.int16), np.zeros(200, np.int16), np.zeros(200)
    lattice = np.array([[[0.0, 0.0], *basis]])
    kernel(offsets, y, x, np.ones(200), lattice, change, False, 9.0, h, k, distance)
    grid = np.array([[a, b] for a in range(-8, 9) for b in range(-8, 9)])
    away = np.linalg.norm(np.column_stack([y, x])[:, None] - grid @ basis, axis=-1)
    np.testing.assert_allclose(distance, away.min(1))
    other = np.array([basis[0], basis[1] + 3 * basis[0]])
    np.testing.assert_allclose(np.column_stack([h, k]) @ other, grid[away.argmin(1)] @ basis, atol=1e-9)


def test_few_clean_places_are_all_used_and_a_stray_among_few_is_not() -> None:
    rng = np.random.default_rng(9)
    cross = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) @ BASIS
    found = fit([cross + rng.normal(0, 0.05, cross.shape) for _ in range(1000)], robust=True)
    assert (found[:, 13] == 5).all()
    spoilt = POINTS[6:12] @ BASIS
    spoilt[0] += 1.5
    assert fit([spoilt], robust=True, fewest=6)[0, 13] < 6


def test_one_heavy_place_does_not_draw_the_lattice() -> None:
    places = POINTS[POINTS[:, 0] >= 0] @ BASIS
    places[2] += 0.5
    light = np.ones(len(places))
    rows = [fit([places], [np.where(np.arange(len(places)) == 2, heavy, light)])[0] for heavy in (10.0, 1e6)]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_where_most_places_do_not_fit_is_nan() -> None:
    rng = np.random.default_rng(10)
    frames = [np.concatenate([POINTS[:10] @ BASIS, rng.uniform(-20, 20, (40, 2))]), POINTS @ BASIS]
    found, all_of_them = fit(frames, robust=True, least=0.6), fit(frames, robust=True)
    np.testing.assert_array_equal(np.isnan(found[:, 2]), [True, False])
    assert 0 < found[0, 14] < 0.6
    assert np.isfinite(all_of_them[:, 2]).all()
