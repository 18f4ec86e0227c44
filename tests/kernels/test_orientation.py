"""Kernels of orientation matching against slow, obvious twins."""

from __future__ import annotations

import numpy as np
import pytest

from lazy4d.kernels import orientation, orientation_candidates, orientation_polar, orientation_vectors
from lazy4d.kernels.orientation import Beam, Crystals, Pattern, Search
from lazy4d.kernels.orientation_candidates import Templates
from lazy4d.signals.orientation import CrystalPhase, simulate_spots
from lazy4d.signals.orientation import quaternions as turns
from lazy4d.signals.orientation.symmetry import misorientation_angle

GOLD = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
TOLERANCE = 0.05


def spots(seed, n):
    rng = np.random.default_rng(seed)
    k, angle = np.sort(rng.uniform(0.2, 1.2, n)), rng.uniform(-np.pi, np.pi, n)
    return k.astype("f4"), angle.astype("f4"), rng.uniform(0.1, 1, n).astype("f4")


def templates_of(*many):
    counts = [len(one[0]) for one in many]
    joined = [np.concatenate(columns).astype("f4") for columns in zip(*many, strict=True)]
    n = len(many)
    return Templates(
        np.cumsum([0, *counts]), *joined, np.tile([1.0, 0, 0, 0], (n, 1)), np.zeros(n, np.int64),
        np.tile(np.arange(n, dtype="i4")[:, None], (1, 8)),
    )  # fmt: skip


@pytest.mark.parametrize("compiled", [True, False])
def test_votes_are_the_sum_over_all_pairs(compiled):
    vote = orientation_vectors.vote if compiled else orientation_vectors.vote.py_func
    k, angle, weight = spots(1, 12)
    empty = tuple(np.empty(0, "f4") for _ in range(3))
    rho, psi, v = spots(2, 9)
    templates = templates_of(empty, (rho, psi, v))
    n = 90
    row, padded = np.full(n, 7, "f4"), np.empty(2 * n + 2, "f4")
    vote(1, templates, k, angle, weight, 12, TOLERANCE, row, padded)
    expected = np.zeros(n)
    for b in range(n):
        for i in range(12):
            for j in range(9):
                apart = angle[i] - psi[j] - b * 2 * np.pi / n
                apart -= 2 * np.pi * np.round(apart / (2 * np.pi))
                square = (k[i] - rho[j]) ** 2 + k[i] * rho[j] * apart**2
                expected[b] += weight[i] * v[j] * max(0, 1 - square / TOLERANCE**2)
    np.testing.assert_allclose(row, expected, atol=2e-4)
    vote(0, templates, k, angle, weight, 12, TOLERANCE, row, padded)
    assert not row.any()


@pytest.mark.parametrize("compiled", [True, False])
def test_turned_is_a_sum_of_rolled_rows(compiled):
    turned = orientation_polar.turned if compiled else orientation_polar.turned.py_func
    image = np.random.default_rng(3).random((5, 12)).astype("f4")
    twice = np.concatenate([image, image], axis=1)
    row_of, column_of = np.array([0, 3, -1, 4], "i4"), np.array([5, 0, 2, 11], "i4")
    weight, row = np.array([1, 0.5, 9, 2], "f4"), np.empty(12, "f4")
    turned(0, 4, row_of, column_of, weight, twice, row)
    expected = sum(w * np.roll(image[r], -c) for r, c, w in zip(row_of, column_of, weight, strict=True) if r >= 0)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("contrast", [True, False])
def test_prepare_averages_over_the_disk(compiled, contrast):
    prepare = orientation_polar.prepare if compiled else orientation_polar.prepare.py_func
    rng = np.random.default_rng(4)
    rows, columns, radius, power = 9, 24, 0.11, 0.5
    frame = rng.uniform(0, 4, (rows, columns))
    frame[2, 3], frame[5, 7] = np.nan, -1
    geometry = np.array([0.1, 0.05, -np.pi, 2 * np.pi / columns])
    image, sums = np.empty((rows, 2 * columns), "f4"), np.empty((rows, columns + 1))
    assert prepare(frame, geometry, radius, power, 1.0, 0.0, 2.0, contrast, sums, image)
    k = 0.1 + 0.05 * np.arange(rows)
    value = np.clip(np.nan_to_num(frame), 0, None) ** power
    if contrast:
        value = value - (value.sum(axis=1) / np.isfinite(frame).sum(axis=1))[:, None]
    value[np.isnan(frame)] = 0
    value *= k[:, None]
    fine = 200  # parts of a bin
    expected = np.zeros((rows, columns))
    for i in range(rows):
        total, area = np.zeros(columns), 0.0
        for other in range(rows):
            if abs(other - i) * 0.05 > radius:
                continue
            half = max(np.sqrt(radius**2 - (0.05 * (other - i)) ** 2) / k[i] / geometry[3], 0.5)
            offsets = (np.arange(-int(20 * fine), int(20 * fine)) + 0.5) / fine
            offsets = offsets[np.abs(offsets) < min(half, columns / 2 - 1)]
            for j in range(columns):
                bins = np.floor(j + 0.5 + offsets).astype(int) % columns
                total[j] += value[other, bins].sum() / fine
            area += 2 * min(half, columns / 2 - 1)
        expected[i] = total / area
    norm = (k[:, None] * expected * value).sum() * 0.05 * geometry[3] / (np.pi * radius**2)
    np.testing.assert_allclose(image[:, :columns], expected / np.sqrt(norm), atol=0.01 * np.abs(image).max())
    np.testing.assert_array_equal(image[:, columns:], image[:, :columns])
    assert not prepare(np.zeros_like(frame), geometry, radius, power, 1.0, 0.0, 2.0, contrast, sums, image)
    assert not prepare(np.full_like(frame, np.nan), geometry, radius, power, 1.0, 0.0, 2.0, contrast, sums, image)


def crystals(power=0.5):
    table = GOLD.reflections(1.25)
    return Crystals(
        np.array([0, len(table.g)]), table.g, table.intensity**power * table.k, np.array([0, 1]), np.eye(1, 4)
    )


BEAM = Beam(39.87, 0.02, 0.0, 0.06, 0.2, 1.2, 0.5)
NO_IMAGE = np.empty((0, 0), "f4")


@pytest.mark.parametrize("precession", [0.0, 0.02])
@pytest.mark.parametrize("compiled", [True, False])
def test_fit_is_the_cosine_with_a_simulation(compiled, precession):
    fit = orientation.fit if compiled else orientation.fit.py_func
    q = turns.random_orientations(2, 5)
    options = {"k_max": 1.2, "k_min": 0.2, "beam_energy_keV": 200.0, "precession": np.degrees(precession)}
    there, expected = (simulate_spots(GOLD, q[None, k], **options) for k in range(2))
    weigh = [one["intensity"] ** 0.5 * np.hypot(one["ky"], one["kx"]) for one in (there, expected)]
    w, v = (one / np.linalg.norm(one) for one in weigh)
    square = (there["kx"][:, None] - expected["kx"]) ** 2 + (there["ky"][:, None] - expected["ky"]) ** 2
    wide = 0.3  # so that these two have something in common
    by_hand = (w[:, None] * v * np.clip(1 - square / wide**2, 0, None)).sum()
    beam = BEAM._replace(precession=precession, wave_number=1 / 0.025079340436272274)
    table = crystals()
    chosen = np.arange(len(table.g))
    pattern = Pattern(there["kx"], there["ky"], w, NO_IMAGE, np.empty(4))
    assert fit(q[1], table, chosen, len(chosen), beam, wide, pattern) == pytest.approx(by_hand, rel=2e-3)
    near = np.empty(len(chosen), np.int64)
    n = orientation.near_sphere(q[1], table, 0, beam, 0.0, near)
    assert n < len(chosen)
    assert fit(q[1], table, near, n, beam, wide, pattern) == pytest.approx(by_hand, rel=2e-3)


def test_visibility_is_an_average_over_the_cone():
    for error, length, precession in [(0.0, 1.0, 0.0), (0.01, 0.8, 0.02), (0.03, 1.1, 0.01)]:
        tilt = np.linspace(-precession * length, precession * length, 2001)
        expected = np.exp(-0.5 * ((error + tilt) / 0.008) ** 2).mean()
        for function in (orientation.visibility, orientation.visibility.py_func):
            assert function(error, length, 0.008, precession) == pytest.approx(expected, rel=1e-2, abs=1e-6)


def test_turn_turns_the_crystal_about_the_axes_of_the_sample():
    q, out = turns.random_orientations(1, 6)[0], np.empty(4)
    about = np.array([0.1, -0.2, 0.3])
    orientation.turn(q, *about, out)
    vector = np.array([1.0, 2, 3])  # of the crystal; in the sample it is turned by `about`
    before, after = turns.rotate(turns.conjugate(q), vector), turns.rotate(turns.conjugate(out), vector)
    angle = np.degrees(np.linalg.norm(about))
    np.testing.assert_allclose(after, turns.rotate(turns.axis_angle(about, angle), before), atol=1e-12)
    again = np.empty(4)
    orientation.turn.py_func(q, 0.0, 0.0, 0.0, again)
    np.testing.assert_allclose(again, q)


def test_refinement_finds_the_top_from_a_degree_away():
    table, q = crystals(), turns.random_orientations(8, 7)
    beam = BEAM._replace(wave_number=1 / 0.025079340436272274)
    search = Search(TOLERANCE, np.radians(2), 0.03, 5, 8, 0.4, 0.017)
    apart = []
    for one in q:
        there = simulate_spots(GOLD, one[None], k_max=1.2, k_min=0.2)
        weight = there["intensity"] ** 0.5 * np.hypot(there["ky"], there["kx"])
        pattern = Pattern(there["kx"], there["ky"], weight / np.linalg.norm(weight), NO_IMAGE, np.empty(4))
        start = np.empty(4)
        orientation.turn(one, 0.012, -0.01, 0.008, start)
        score = orientation.refine(start, 0, table, beam, search, 0.017, pattern, np.empty(1000, np.int64))
        assert score > 0.98
        apart.append(misorientation_angle(start, one, "-1"))
    assert np.median(apart) < 0.05


def test_candidates_are_the_tops_among_neighbours():
    scores = np.array([1, 3, 2, 5, 5, 0, 4], "f4")
    neighbours = np.array([[k - 1, k + 1] for k in range(7)], "i4").clip(0, 6)
    for function in (orientation_candidates.best_templates, orientation_candidates.best_templates.py_func):
        found = np.full(2, -1)
        assert function(scores, neighbours, found) == 2
        assert found.tolist() == [3, 6]
        assert function(scores, neighbours, np.empty(9, np.int64)) == 3


def test_row_maxima_and_the_second_one():
    angle = np.arange(90) * 4.0
    row = np.exp(-(((angle - 101.3 + 180) % 360 - 180) ** 2) / 200).astype("f4")
    score, place = orientation_candidates.row_maximum(row)
    assert place * 4 == pytest.approx(101.3, abs=0.3)
    row += (0.8 * np.exp(-(((angle - 281.3 + 180) % 360 - 180) ** 2) / 200)).astype("f4")
    found, places, numbers = np.empty(4), np.empty(4), np.empty(4, np.int64)
    assert orientation_candidates.add_candidates(row, 7, found, places, numbers, 0) == 2
    assert places[1] * 4 == pytest.approx(281.3, abs=4)
    assert (score, found[1]) == (pytest.approx(1, abs=0.03), pytest.approx(0.8, abs=0.03))
    assert numbers[:2].tolist() == [7, 7]


def test_no_patterns_at_all():
    templates, nothing = templates_of(spots(2, 9)), np.empty(0)
    found = np.empty((0, 4)), np.empty((0, 4)), np.empty((0, 4), np.int64), np.empty(0, np.int64)
    orientation_vectors.candidates_of_vectors(
        np.zeros(1, np.int64), nothing, nothing, nothing, templates, TOLERANCE, 90, *found
    )
    search, out = Search(TOLERANCE, 0.03, 0.03, 5, 0, 0.4, 0.017), np.empty((0, 2, 6))
    images = np.empty((1, 0, 0), "f4")
    orientation_candidates.choose(
        *found,
        np.zeros(1, np.int64),
        nothing,
        nothing,
        nothing,
        images,
        np.zeros(4),
        templates,
        crystals(),
        BEAM,
        search,
        out,
    )
    assert out.shape == (0, 2, 6)


def test_the_top_of_a_surface():
    y, x = np.meshgrid([-1.0, 0, 1], [-1.0, 0, 1])
    for function in (orientation.surface_top, orientation.surface_top.py_func):
        fits = (5 - (x - 0.3) ** 2 - 2 * (y + 0.2) ** 2 - 0.5 * (x - 0.3) * (y + 0.2)).ravel()
        np.testing.assert_allclose(function(fits, 1.0), [0.3, -0.2], atol=1e-12)
        assert function(-fits, 1.0) == (0.0, 0.0)
        far = function((-((x - 9) ** 2) - y**2).ravel(), 1.0)
        np.testing.assert_allclose(far, [1.4, 0], atol=1e-12)
