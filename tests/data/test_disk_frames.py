"""Frames with many disks and the score of what is found in them: what both claim is so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.data import disk_frames, score_vectors
from lazy4d.data.vector_score import pair_positions


def centre(frame: Any, place: Any, reach: float) -> Any:
    y, x = np.indices(frame.shape)
    near = np.hypot(y - place[0], x - place[1]) < reach
    weight = frame * near
    return np.array([(y * weight).sum(), (x * weight).sum()]) / weight.sum()


# ---- frames


@pytest.mark.parametrize("structure", ["even", "soft", "rim"])
def test_disks_are_where_and_as_bright_as_the_truth_says(structure: str) -> None:
    options: dict[str, Any] = {"noise": False, "structure": structure, "separation": 14}
    made = disk_frames((2, 3), (64, 80), number=7, disk_radius=4.3, dose=30, margin=6, **options)
    for frame, places in zip(made.frames.reshape(-1, 64, 80), made.positions(), strict=True):
        assert places.shape == (7, 2)
        np.testing.assert_allclose(
            frame.sum(dtype=float), 7 * 30 * np.pi * (4.3**2 + 0.25 * (structure == "soft")), rtol=1e-5
        )
        for place in places:
            np.testing.assert_allclose(centre(frame.astype(float), place, 6.9), place, atol=0.01)
    np.testing.assert_array_equal(made.columns["dose"], 30)
    np.testing.assert_allclose(made.columns["visible"], 1)


def test_scattered_disks_keep_their_distance_and_margin() -> None:
    for separation, margin in ((None, None), (6.0, -3.0), (14.0, 9.0)):
        made = disk_frames((3,), (96, 70), number=9, disk_radius=5, separation=separation, margin=margin)
        edge = 5 if margin is None else margin
        for places in made.positions():
            apart = np.linalg.norm(places[:, None] - places, axis=-1)[~np.eye(9, dtype=bool)]
            assert apart.min() >= (12 if separation is None else separation)
            assert (places >= edge - 0.5).all()
            assert (places <= np.array([96, 70]) - 0.5 - edge).all()
    fractions = disk_frames((40,), number=20).columns["ky"] % 1
    assert np.histogram(fractions, 4, (0, 1))[0].min() > 150  # everywhere between the pixels


def test_too_many_disks_are_named() -> None:
    with pytest.raises(ValueError, match=r"60 disks with 22 pixels .* do not fit into frames of shape"):
        disk_frames((1,), (64, 64), number=60, disk_radius=10)
    with pytest.raises(ValueError, match="leaves no place for disks"):
        disk_frames((1,), (16, 64), number=1, disk_radius=10)
    assert disk_frames((3,), (16, 16), number=0).offsets.tolist() == [0, 0, 0, 0]


def test_a_deformation_moves_the_lattice_as_its_inverse() -> None:
    """A plane wave of the crystal, exp(2πi g·r), belongs to g' with ``g'·(F r) = g·r`` for every r."""
    rng = np.random.default_rng(2)
    deformation = np.eye(2) + rng.uniform(-0.05, 0.05, (2, 2, 2, 2))
    lattice = np.array([[1.0, 19.0], [17.0, -4.0]])
    made = disk_frames(
        (2, 2), (96, 96), arrangement="lattice", lattice=lattice, deformation=deformation, number=None, disk_radius=3
    )
    r = rng.normal(size=2)
    for index in np.ndindex(2, 2):
        np.testing.assert_allclose(made.lattice[index] @ (deformation[index] @ r), lattice @ r, rtol=1e-12)
    rows = zip(made.positions(), made.column("h"), made.column("k"), strict=True)
    for (places, h, k), g, origin in zip(rows, made.lattice.reshape(-1, 2, 2), made.center.reshape(-1, 2), strict=True):
        np.testing.assert_allclose(places, origin + np.stack([h, k], -1) @ g, atol=1e-9)
        assert (h[0], k[0]) == (0, 0)
        assert np.all(np.diff(np.linalg.norm(places - origin, axis=1)) >= -1e-9)
        assert np.hypot(*(origin - 48)) <= np.hypot(0.5, 0.5)
        # No point of the lattice inside the margin is missing: density times area.
        assert len(places) == pytest.approx(90**2 / abs(np.linalg.det(g)), rel=0.2)
    fewer = disk_frames((1,), (96, 96), arrangement="lattice", lattice=lattice, number=5, disk_radius=3)
    assert fewer.offsets.tolist() == [0, 5]
    with pytest.raises(
        ValueError, match=r"expected a deformation of shape \(2, 2\) or \(2, 3, 2, 2\), got \(3, 2, 2\)"
    ):
        disk_frames((2, 3), arrangement="lattice", deformation=np.ones((3, 2, 2)))


@pytest.mark.parametrize("arrangement", ["scattered", "lattice"])
def test_doses_spread_and_the_beam_has_its_own(arrangement: str) -> None:
    made = disk_frames((4,), (96, 96), number=9, dose=100, faintest=0.01, beam=20, arrangement=arrangement)
    for places, doses, middle in zip(made.positions(), made.column("dose"), made.center, strict=True):
        np.testing.assert_allclose(places[0], middle)
        assert doses[0] == 2000
        assert doses[1:].min() >= 1
        assert doses[1:].max() <= 100
        assert len(np.unique(doses)) == 9
    spread = np.sort(disk_frames((1,), number=5, dose=100, faintest=0.01).columns["dose"])
    np.testing.assert_allclose(spread, 10 ** np.linspace(0, 2, 5))


def test_background_halo_stop_and_bad_pixels() -> None:
    made = disk_frames((2,), (64, 64), number=0, background=3, halo=40, halo_width=6, noise=False, jitter=0)
    frame = made.frames[0].astype(float)
    assert frame[32, 32] == 43
    assert frame[32, 38] == pytest.approx(3 + 40 * np.exp(-0.5), rel=1e-6)
    assert frame[0, 0] == pytest.approx(3, rel=1e-3)
    made = disk_frames((2,), (96, 96), number=9, arrangement="lattice", stop="bar", dead_pixels=50, hot_pixels=4)
    assert (made.frames[:, ~made.mask].max(axis=0) % 4095 == 0).all()  # dead, hot, or behind the bar
    assert (made.frames[:, 20, 48] == 0).all()
    visible = made.columns["visible"]
    assert visible.min() < 0.3
    assert visible.max() > 0.98
    cut = disk_frames((4,), (64, 64), number=5, margin=-4, separation=5, seed=3)
    for places, visible in zip(cut.positions(), cut.column("visible"), strict=True):
        whole = ((places >= 4.5) & (places <= 64 - 5.5)).all(axis=1)
        np.testing.assert_allclose(visible[whole], 1)
        assert (visible[~whole] < 1).all()


def test_noise_is_that_of_counts_and_follows_the_seed() -> None:
    made = disk_frames((20,), (48, 48), number=4, dose=40, background=5, seed=3)
    pull = (made.frames - made.expected) / np.sqrt(made.expected)
    assert abs(pull.mean()) < 0.02
    assert abs(pull.std() - 1) < 0.02
    options: dict[str, Any] = {"frame_shape": (48, 48), "number": 4, "structure": "lines"}
    first, second, other = (disk_frames((2, 2), seed=seed, **options) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.frames, second.frames)
    assert not np.array_equal(first.frames, other.frames)
    for scan in ((), (3,), (2, 1, 2)):
        assert disk_frames(scan, **options).frames.shape == (*scan, 48, 48)
        assert disk_frames(scan, **options).center.shape == (*scan, 2)


def test_what_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'hexagons', 'even' and None"):
        disk_frames((1,), arrangement="hexagons")
    with pytest.raises(ValueError, match=r"faintest in \(0, 1\]"):
        disk_frames((1,), faintest=0)
    with pytest.raises(ValueError, match=r"expected one of the columns .*'dose'.*, got 'score'"):
        disk_frames((1,), (32, 32), number=1).column("score")


# ---- scores


def test_a_score_of_known_pairs() -> None:
    true: list[Any] = [np.array([[10.0, 10], [30, 30], [50, 50]]), np.array([[5.0, 5]]), np.zeros((0, 2))]
    found: list[Any] = [np.array([[10.3, 9.6, 7], [31, 30, 7], [70, 70, 7]]), np.zeros((0, 3)), [[1.0, 1.0]]]
    score = score_vectors(found, true, within=0.9)
    assert (score.true, score.found, score.paired) == (4, 4, 1)
    assert score.precision == score.recall == 0.25
    np.testing.assert_allclose(score.errors, [[0.3, -0.4]])
    assert score.rms == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    assert score.largest == pytest.approx(0.5)
    np.testing.assert_allclose(score.bias, (0.3, -0.4))
    np.testing.assert_array_equal(score.places, [[10, 10]])
    assert score.frames.tolist() == [0]
    # What does not count is neither missed, nor wrong, nor measured.
    counts: list[Any] = [np.array([False, True, True]), [True], np.zeros(0, bool)]
    score = score_vectors(found, true, within=1.0, counts=counts)
    assert (score.true, score.found, score.paired) == (3, 3, 1)
    np.testing.assert_allclose(score.errors, [[1, 0]])
    nothing = score_vectors([[]], [[]], within=1)
    assert (nothing.precision, nothing.recall) == (1, 1)
    assert np.isnan([nothing.rms, nothing.largest, *nothing.bias]).all()


def test_scores_need_the_same_frames() -> None:
    with pytest.raises(ValueError, match="one array a frame in found, true and counts, got 1, 2 and none"):
        score_vectors([[]], [[], []], within=1)
    with pytest.raises(ValueError, match=r"\[n, >= 2\] = \(y, x, ...\), got one of shape \(3,\)"):
        score_vectors([[1, 2, 3]], [[]], within=1)
    with pytest.raises(ValueError, match=r"expected 1 values in counts for frame 0, got shape \(2,\)"):
        score_vectors([[[1, 2]]], [[[1, 2]]], within=1, counts=[[True, False]])


PLACES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8, unique=True)


@settings(max_examples=40, deadline=None)
@given(PLACES, PLACES, st.floats(0.1, 12))
def test_pairs_are_one_to_one_and_stable(first: Any, second: Any, within: float) -> None:
    a, b = (np.array(p, float).reshape(-1, 2) for p in (first, second))
    i, j = pair_positions(a, b, within)
    assert len(set(i.tolist())) == len(i)
    assert len(set(j.tolist())) == len(j)
    apart = np.linalg.norm(a[:, None] - b[None], axis=-1)
    assert (apart[i, j] <= within).all()
    assert (np.diff(apart[i, j]) >= 0).all()
    # Nobody who is left over is near to somebody who would have been nearer than the partner it has.
    mine = np.full(len(a), np.inf)
    theirs = np.full(len(b), np.inf)
    mine[i], theirs[j] = apart[i, j], apart[i, j]
    assert not ((apart <= within) & (apart < mine[:, None]) & (apart < theirs)).any()


def test_far_apart_positions_pair_as_the_best_assignment() -> None:
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(0)
    true = np.stack(np.meshgrid(np.arange(0, 60, 10.0), np.arange(0, 50, 10.0)), -1).reshape(-1, 2)
    found = rng.permutation(true + rng.uniform(-2, 2, true.shape))
    i, j = pair_positions(found, true, 4)
    best = linear_sum_assignment(np.linalg.norm(found[:, None] - true, axis=-1))
    assert dict(zip(i.tolist(), j.tolist(), strict=True)) == dict(zip(*(one.tolist() for one in best), strict=True))
