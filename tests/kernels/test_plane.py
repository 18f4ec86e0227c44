"""The parts of a streaming fit: terms, samples, normal equations; against numpy on all positions at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels import plane, plane_robust


@pytest.mark.parametrize(
    ("model", "sizes", "count"),
    [("constant", (4, 5), 1), ("plane", (4, 5), 3), ("parabola", (4, 5), 6), ("parabola", (3, 4, 5), 10),
     ("parabola", (2, 5), 5), ("plane", (1, 1), 1), ("parabola", (), 1), ("parabola", (1, 9), 3)],
)  # fmt: skip
def test_terms_that_positions_can_determine(model: str, sizes: tuple[int, ...], count: int) -> None:
    powers = plane.term_powers(model, sizes)
    assert len(powers) == count
    points = plane.coordinates(np.arange(int(np.prod(sizes))), None, sizes)
    terms = plane.terms_at(points, powers)
    assert np.linalg.matrix_rank(terms) == count
    expected = [
        np.prod([points[:, k] ** e for k, e in enumerate(one)] or [np.ones(len(points))], axis=0) for one in powers
    ]
    np.testing.assert_allclose(terms, np.array(expected).reshape(terms.shape))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 999), st.lists(st.integers(1, 299), max_size=4))
def test_a_sample_does_not_know_how_it_was_cut(count: int, rows: int, seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(count, 2)), rng.integers(0, 2, count)
    values[rng.random(count) < 0.1] = np.nan
    numbers = np.arange(count)

    def drawn(parts: list[np.ndarray]) -> np.ndarray:
        states = []
        for part in parts:
            state = np.full(rows, np.iinfo(np.uint64).max), np.full((rows, 4), np.nan)
            plane.draw_sample(values[part], part, None, weights[part], (count,), *state)
            states.append(state)
        for other in states[1:]:
            plane.merge_samples(*states[0], *other)
        return plane.sampled_rows(*states[0])

    whole = drawn([numbers])
    parts = [part for part in np.split(numbers, sorted({c for c in cuts if c < count})) if len(part)]
    np.testing.assert_array_equal(drawn(parts[::-1]), whole)
    usable = np.isfinite(values).all(axis=1) & (weights > 0)
    assert len(whole) == min(rows, usable.sum())
    kept = numbers[usable][np.argsort(plane.scrambled(numbers[usable]))][:rows]
    np.testing.assert_array_equal(whole[:, :2], values[kept])


def test_samples_are_spread_evenly() -> None:
    keys = plane.scrambled(np.arange(100_000))
    chosen = np.argsort(keys)[:10_000]
    counts = np.histogram(chosen, 100, (0, 100_000))[0]
    assert abs(counts - 100).max() < 5 * np.sqrt(100)
    assert abs(np.histogram(chosen % 256, 16)[0] - 625).max() < 5 * np.sqrt(625)


def test_weights_fall_to_nothing_and_no_further() -> None:
    scale = np.array([0.5, 2.0])
    residual = np.array([[0.0, 0.0], [0.25, 1.0], [0.5 * plane.TUKEY, 0.0], [100.0, 0.0]])
    np.testing.assert_allclose(plane.biweight(residual, scale), [1, (1 - 0.5 / plane.TUKEY**2) ** 2, 0, 0])


def test_scales_are_those_of_normal_noise() -> None:
    noise = np.random.default_rng(0).normal(0, [0.2, 3.0], (20_000, 2))
    np.testing.assert_allclose(plane.spread_of(noise), [0.2, 3.0], rtol=0.03)
    np.testing.assert_array_equal(plane.spread_of(np.zeros((5, 2))), plane.SMALLEST_SCALE)


def test_the_robust_fit_is_as_good_as_least_squares_on_clean_data() -> None:
    """95 % efficiency: 2.5 % more scatter than least squares, over many draws."""
    powers, numbers = plane.term_powers("plane", (20, 20)), np.arange(400)
    points = plane.coordinates(numbers, None, (20, 20))
    terms = plane.terms_at(points, powers)
    found = []
    for seed in range(25):
        values = np.random.default_rng(seed).normal(0, 0.3, (400, 2))
        rows = np.column_stack([values, np.ones(400), points])
        robust = plane_robust.fit_sample(plane.scrambled(numbers), rows, powers, "plane")[:-1]
        found.append([robust, np.linalg.lstsq(terms.T, values, rcond=None)[0]])
    robust, plain = np.std(np.array(found), axis=(0, 2, 3))
    assert robust < 1.1 * plain
