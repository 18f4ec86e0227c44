"""Specimens: their truth is consistent with the disks they give."""

import numpy as np
import pytest

from lazy4d.data.specimens import SCATTERED, Crystal, Grains, StrainedParticle, Vacuum, lattice_points, rotation

WHERE = np.random.default_rng(5).random((40, 2))


@pytest.mark.parametrize(
    "specimen",
    [Vacuum(), Crystal(20.0, 80.0), Grains(Crystal(20.0, 80.0), 4, 7), StrainedParticle(Crystal(20.0, 80.0))],
)
def test_shares_are_physical_and_balanced(specimen):
    offsets, shares = specimen.disks(WHERE)
    assert offsets.shape == (*shares.shape, 2)
    assert shares.min(initial=0) >= 0
    assert shares.sum(1).max() <= SCATTERED + 1e-12
    # Friedel pairs are equal: without background the centre of mass stays on the direct beam.
    np.testing.assert_allclose(np.einsum("nm,nmc->nc", shares, offsets), 0, atol=1e-9)


def test_rotation_turns_x_towards_y():
    np.testing.assert_allclose(rotation(np.deg2rad(30)) @ [0, 1], [0.5, np.sqrt(3) / 2])
    stack = rotation(np.array([0.1, -0.2]))
    np.testing.assert_allclose(stack @ np.swapaxes(stack, 1, 2), np.broadcast_to(np.eye(2), (2, 2, 2)), atol=1e-15)


def test_lattice_points_fill_the_reach():
    vectors = Crystal(10.0, 0.0, angle=0.3, opening=np.deg2rad(60)).vectors
    points, weights = lattice_points(vectors, 17.4)
    assert len(points) == 12  # six at 10, six at 17.32
    assert weights.sum() == pytest.approx(1)
    lengths = np.linalg.norm(points @ vectors, axis=1)
    np.testing.assert_allclose(np.sort(lengths), [10] * 6 + [10 * np.sqrt(3)] * 6)
    assert len(lattice_points(vectors, 1.0)[0]) == 0


def test_strained_vectors_give_back_the_deformation():
    particle = StrainedParticle(Crystal(20.0, 80.0), strain=0.03, turn=0.05)
    truth, reference = particle.truth(WHERE), particle.facts()["reference_lattice"]
    inside = truth["inside"]
    assert inside.any()
    assert not inside.all()
    assert np.isnan(truth["strain"][~inside]).all()
    deformation = np.linalg.inv(truth["lattice_vectors"][inside]) @ reference  # F = G'⁻¹ G
    u, s, vt = np.linalg.svd(deformation)
    turn = u @ vt
    np.testing.assert_allclose(np.swapaxes(vt, 1, 2) * s[:, None] @ vt - np.eye(2), truth["strain"][inside], atol=1e-12)
    np.testing.assert_allclose(turn, rotation(truth["rotation"][inside]), atol=1e-12)


def test_particle_shows_no_disks_in_vacuum():
    particle = StrainedParticle(Crystal(20.0, 80.0))
    shares = particle.disks(WHERE)[1]
    np.testing.assert_array_equal(shares.sum(1) > 0, particle.truth(WHERE)["inside"])


def test_grains_overlap_and_differ():
    grains = Grains(Crystal(20.0, 80.0), 6, 1)
    y, x = np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 40), indexing="ij")
    thickness = grains.truth(np.stack([y, x], -1).reshape(-1, 2))["grain_thickness"]
    assert (thickness.max(0) > 0.9).all()  # every grain is in the scan
    assert ((thickness > 0).sum(1) >= 2).any()  # somewhere two overlap
    assert ((thickness > 0).sum(1) == 0).any()  # somewhere there is vacuum
    assert len(np.unique(grains.facts()["grain_angles"])) == 6
    turned = grains.disks(WHERE)[0][0].reshape(6, -1, 2)
    flat = grains.lattice._points[0] @ grains.lattice.vectors
    np.testing.assert_allclose(turned[2], flat @ rotation(grains.facts()["grain_angles"][2]).T)
