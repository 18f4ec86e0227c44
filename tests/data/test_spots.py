"""Disks on a detector: areas against fine sampling, draws against the Poisson law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.data.spots import Spots, disk_coverage, draw_electrons, expected_counts


def sampled_coverage(center, radius, shape, n=64):
    """Share of the disk on each pixel, by counting points of a fine grid."""
    t = (np.arange(n) + 0.5) / n - 0.5
    y = (np.arange(shape[0])[:, None] + t).ravel()
    x = (np.arange(shape[1])[:, None] + t).ravel()
    inside = (y[:, None] - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
    return inside.reshape(shape[0], n, shape[1], n).mean(axis=(1, 3)) / (np.pi * radius**2)


@pytest.mark.parametrize("center", [(6.0, 7.0), (6.3, 7.9), (0.2, 13.4), (-1.5, 5.0)])
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.7, 5.5])
def test_coverage_is_the_area_in_common(center, radius):
    shape = (12, 15)
    full = np.zeros(shape)
    window, share = disk_coverage(np.array(center), radius, shape)
    full[window] = share
    np.testing.assert_allclose(full, sampled_coverage(center, radius, shape), atol=3e-3 / radius**2 / np.pi)


@settings(max_examples=50, deadline=None)
@given(st.floats(8, 23), st.floats(8, 23), st.floats(0.05, 8))
def test_a_disk_inside_keeps_its_sum_and_centre(y, x, radius):
    window, share = disk_coverage(np.array([y, x]), radius, (33, 32))
    rows, columns = np.arange(33)[window[0]], np.arange(32)[window[1]]
    assert share.sum() == pytest.approx(1, abs=1e-12)
    if radius > 1:  # for smaller disks the pixel grid itself moves the centre of mass
        assert share.sum(1) @ rows == pytest.approx(y, abs=0.25 / radius)
        assert share.sum(0) @ columns == pytest.approx(x, abs=0.25 / radius)


def test_a_disk_beside_the_frame_touches_nothing():
    window, share = disk_coverage(np.array([-20.0, 3.0]), 4.0, (8, 8))
    assert share.size == 0
    assert np.zeros((8, 8))[window].size == 0


SPOTS = Spots(
    centers=np.array([[10.2, 11.7], [1.0, 4.0], [15.0, 24.5]]),
    electrons=np.array([300.0, 80.0, 40.0]),
    radius=3.3,
    halo=120.0,
    halo_sigma=4.0,
    background=200.0,
)


def test_draws_are_poisson_with_the_expected_mean():
    rng = np.random.default_rng(3)
    n = 1500
    drawn = np.array([draw_electrons(SPOTS, (20, 26), rng) for _ in range(n)])
    expected = expected_counts(SPOTS, (20, 26))
    z = (drawn.mean(0) - expected) / np.sqrt(expected / n)
    assert np.abs(z).max() < 5
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    fano = drawn.var(0) / expected
    assert fano.mean() == pytest.approx(1, abs=0.02)
    neighbours = (drawn[:, 10, 11] - expected[10, 11]) * (drawn[:, 10, 12] - expected[10, 12])
    assert abs(neighbours.mean()) < 5 * np.sqrt(expected[10, 11] * expected[10, 12] / n)  # independent


def test_halo_is_a_gaussian_about_the_first_disk():
    spots = Spots(np.array([[30.0, 34.3]]), np.array([0.0]), 1.0, halo=1.0, halo_sigma=3.0)
    counts = expected_counts(spots, (61, 71))
    y, x = np.mgrid[:61, :71]
    assert counts.sum() == pytest.approx(1, abs=1e-9)
    assert (counts * y).sum() == pytest.approx(30.0, abs=1e-9)
    assert (counts * x).sum() == pytest.approx(34.3, abs=1e-9)
    assert (counts * (x - 34.3) ** 2).sum() == pytest.approx(9 + 1 / 12, abs=1e-6)


def test_nothing_is_drawn_from_nothing():
    nothing = Spots(np.zeros((0, 2)), np.zeros(0), 2.0)
    assert draw_electrons(nothing, (4, 5), np.random.default_rng(0)).sum() == 0
    assert expected_counts(nothing, (4, 5)).sum() == 0
