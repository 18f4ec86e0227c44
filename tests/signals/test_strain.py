"""Strain and rotation: exact without noise, unbiased with it, 0 in the reference, along the axes that are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import polar as scipy_polar

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.signals import LatticeBasis, LatticeFit, ScanRotation, StrainMaps
from lazy4d.signals.strain.deformation import deformation_gradient, inverse, polar, strain_of, turn

Floats = Any

BASIS = np.array([[3.0, 25.0], [24.0, -4.0]])  # rows (y, x), pixels
POINTS = np.array([[h, k] for h in range(-3, 4) for k in range(-3, 4)])
SIGMA = 0.02


def random_deformations(n: int, seed: int = 0, largest: float = 0.05) -> tuple[Floats, Floats]:
    """Numbers [n, 4] as maps have them (exx, eyy, exy, rotation), and the deformation gradients [n, 2, 2]."""
    rng = np.random.default_rng(seed)
    exx, eyy, exy, angle = rng.uniform(-largest, largest, (4, n))
    stretch = np.stack([np.stack([1 + eyy, exy], -1), np.stack([exy, 1 + exx], -1)], -2)
    return np.stack([exx, eyy, exy, angle], -1), turn(angle) @ stretch


def places_of(gradients: Floats, seed: int = 0) -> Floats:
    """Vectors (ky, kx) [n, points, 2] of a deformed lattice about (100, 100), with descan."""
    origins = 100 + np.random.default_rng(seed).uniform(-5, 5, (len(gradients), 1, 2))
    return POINTS @ (BASIS @ np.linalg.inv(gradients)) + origins


def vectors(places: Floats, intensity: Floats | None = None, nav_shape: Any = None) -> l4.DiffractionVectors:
    rows = [*places] if intensity is None else [np.c_[p, i] for p, i in zip(places, intensity, strict=True)]
    return l4.DiffractionVectors(rows, nav_shape=nav_shape, frame_shape=(200, 200))


def test_any_deformation_is_recovered() -> None:
    true, gradients = random_deformations(300)
    strain = vectors(places_of(gradients)).get_strain_maps(BASIS)
    assert isinstance(strain, StrainMaps)
    np.testing.assert_allclose(strain.data[:, :4], true, rtol=0, atol=1e-10)
    for name, column in zip(("exx", "eyy", "exy", "rotation"), true.T, strict=True):
        image = getattr(strain, name)
        np.testing.assert_allclose(image.as_numpy(), column, atol=1e-10)
        assert type(image) is l4.VirtualImage
        assert image.title == name
    np.testing.assert_allclose(strain.reference, BASIS[[0, 1]], atol=1e-9)


def test_gradients_and_their_polar_decomposition_are_those_of_linear_algebra() -> None:
    _, gradients = random_deformations(20, largest=0.3)
    np.testing.assert_allclose(deformation_gradient(BASIS @ np.linalg.inv(gradients), BASIS), gradients, atol=1e-12)
    np.testing.assert_allclose(inverse(gradients), np.linalg.inv(gradients), rtol=1e-12)
    for gradient in gradients:
        angle, stretch = polar(gradient)
        expected, expected_stretch = scipy_polar(gradient)
        np.testing.assert_allclose(turn(angle), expected, atol=1e-12)
        np.testing.assert_allclose(stretch, expected_stretch, atol=1e-12)
    assert np.isnan(polar(np.diag([1.0, -1.0]))[0])
    assert not np.isfinite(inverse(np.ones((2, 2)))).any()


@pytest.mark.parametrize("weights", [None, "intensity"])
def test_noise_makes_no_bias_and_is_as_large_as_it_says(weights: str | None) -> None:
    n = 1500
    true, gradients = random_deformations(n)
    rng = np.random.default_rng(5)
    intensity = rng.uniform(0.5, 2, (n, len(POINTS)))
    error = SIGMA / (np.sqrt(intensity) if weights else np.ones_like(intensity))
    places = places_of(gradients) + rng.normal(0, 1, (n, len(POINTS), 2)) * error[..., None]
    basis = ((25.0, 3.0), (-4.0, 24.0))
    strain = vectors(places, intensity).get_strain_maps(BASIS, basis=basis, weights=weights)
    off = strain.data[:, :4] - true
    spread = off.std(axis=0)
    assert (np.abs(off.mean(axis=0)) < 4 * spread / np.sqrt(n)).all()
    assert (spread < 2 * SIGMA / np.linalg.norm(BASIS, axis=1).min() / np.sqrt(len(POINTS))).all()
    assert (spread > 0.1 * SIGMA / np.linalg.norm(BASIS, axis=1).min() / np.sqrt(len(POINTS))).all()
    said = {name: np.sqrt(np.mean(image.as_numpy() ** 2)) for name, image in strain.uncertainty.items()}
    np.testing.assert_allclose(list(said.values()), spread, rtol=0.1)
    if weights is None:
        stated = vectors(places).get_strain_maps(BASIS, basis=basis, robust=False, position_error=SIGMA)
        off = (stated.data[:, :4] - true) / stated.data[:, 4:8]
        np.testing.assert_allclose(off.std(axis=0), 1, rtol=0.08)


@pytest.mark.parametrize("average", ["mean", "median"])
def test_the_reference_region_has_no_strain_and_no_rotation(average: str) -> None:
    _, gradients = random_deformations(30)
    v = vectors(places_of(gradients), nav_shape=(5, 6))
    fit = v.fit_lattice()
    function = np.mean if average == "mean" else np.median
    region = np.zeros((5, 6), bool)
    region[1:4, 2:5] = True
    for reference in (None, region, l4.RectangleROI(2, 1, 5, 4), l4.VirtualImage(region)):
        strain = fit.get_strain_maps(reference, average=average, rotation=33, transpose=True, x_axis=20)
        inside = strain.data[..., :4][np.ones((5, 6), bool) if reference is None else region]
        assert np.abs(function(inside, axis=0)).max() < 5e-16
        assert strain.data.std() > 0.01


def test_a_reference_may_be_given_in_any_basis_of_it() -> None:
    true, gradients = random_deformations(5)
    fit = vectors(places_of(gradients)).fit_lattice()
    others = [LatticeBasis(np.array([[1, 1], [0, -1]]) @ BASIS), ((25.0, 3.0), (-4.0, 24.0))]
    for reference in others:
        np.testing.assert_allclose(fit.get_strain_maps(reference).data[:, :4], true, atol=1e-10)
    for other in (BASIS * [[2], [1]], BASIS * 1.4):
        with pytest.raises(ValueError, match="the fitted lattice"):
            fit.get_strain_maps(other)


@pytest.mark.parametrize(("angle", "transpose"), [(0.0, True), (25.0, False), (-70.0, True), (180.0, False)])
def test_strain_is_along_the_axes_of_the_scan(angle: float, transpose: bool) -> None:
    """The camera sees vectors that `BeamPosition.rotate` turns into those of the scan: here is what it sees."""
    true, gradients = random_deformations(20)
    in_scan = np.einsum("hi,nij->nhj", POINTS, BASIS @ np.linalg.inv(gradients))
    seen = in_scan @ turn(np.radians(angle))  # the inverse rotation, on rows
    reference = BASIS @ turn(np.radians(angle))
    if transpose:
        seen, reference = seen[..., ::-1], reference[..., ::-1]
    back = l4.BeamPosition(seen)
    back.metadata.set_item("BeamPosition.center", [0, 0])
    np.testing.assert_allclose(back.rotate(angle, transpose).as_numpy(), in_scan, atol=1e-9)
    v = vectors(seen + 100)
    strain = v.get_strain_maps(np.ascontiguousarray(reference), rotation=angle, transpose=transpose)
    np.testing.assert_allclose(strain.data[:, :4], true, atol=1e-10)
    found = ScanRotation(angle, transpose, 5.0, 0.5, 0.1)
    np.testing.assert_array_equal(v.get_strain_maps(reference, rotation=found).data, strain.data)


def test_components_along_other_axes() -> None:
    true, gradients = random_deformations(10)
    fit = vectors(places_of(gradients)).fit_lattice()
    tensor = np.stack([np.stack([true[:, 1], true[:, 2]], -1), np.stack([true[:, 2], true[:, 0]], -1)], -2)
    for x_axis, degrees in ((30.0, 30.0), ("g1", np.degrees(np.arctan2(3, 25)))):
        strain = fit.get_strain_maps(BASIS, x_axis=x_axis)
        x, y = (turn(np.radians(degrees + more)) @ [0.0, 1.0] for more in (0, 90))
        expected = [np.einsum("i,nij,j->n", a, tensor, b) for a, b in ((x, x), (y, y), (x, y))]
        np.testing.assert_allclose(strain.data[:, :3], np.stack(expected, -1), atol=1e-10)
        np.testing.assert_allclose(strain.rotation.as_numpy(), true[:, 3], atol=1e-10)


def test_strain_is_that_of_the_undistorted_calibrated_plane() -> None:
    """Without the scales of both axes and the ellipse, strains would be wrong by their cross terms."""
    true, gradients = random_deformations(20)
    plane = np.einsum("hi,nij->nhj", POINTS, BASIS @ np.linalg.inv(gradients)) * 0.01
    distort = np.linalg.inv(l4.signals.Ellipse(1.05, 30.0).matrix())
    v = vectors(plane @ distort.T / [0.01, -0.013] + 100)
    for axis, scale in zip(v.frame_axes, (0.01, -0.013), strict=True):
        axis.scale, axis.offset, axis.units = scale, -100 * scale, "1/Å"
    v.metadata.set_item("Calibration.ellipse", {"ratio": 1.05, "angle": 30.0})
    np.testing.assert_allclose(v.get_strain_maps(BASIS * 0.01).data[:, :4], true, atol=1e-10)


def test_uncertainties_are_the_derivatives() -> None:
    """Of strain with respect to both vectors, by finite differences at large strain and rotation."""
    from lazy4d.signals.strain.deformation import errors_of

    _, gradients = random_deformations(4, largest=0.2)
    lattices = BASIS @ np.linalg.inv(gradients)
    to_axes = turn(0.4) @ np.eye(2)[::-1]
    covariance = np.array([[0.01, 0.004], [0.004, 0.03]]) * 1e-4
    variance = np.zeros((4, 4))
    step = 1e-5
    for component in range(2):
        slopes = []
        for row in range(2):
            moved = lattices.copy()
            moved[:, row, component] += step
            back = lattices.copy()
            back[:, row, component] -= step
            slopes.append((strain_of(moved, BASIS, to_axes) - strain_of(back, BASIS, to_axes)) / (2 * step))
        variance += np.einsum("ink,ij,jnk->nk", np.array(slopes), covariance, np.array(slopes))
    given = np.tile([covariance[0, 0], covariance[0, 1], covariance[1, 1]], (4, 1))
    np.testing.assert_allclose(errors_of(lattices, BASIS, to_axes, given), np.sqrt(variance), rtol=1e-6)


def test_what_is_outside_of_the_mask_is_missing_and_does_not_count() -> None:
    true, gradients = random_deformations(6)
    fit = vectors(places_of(gradients), nav_shape=(2, 3)).fit_lattice()
    mask = np.array([[True, True, False], [False, True, True]])
    for one in (mask, l4.VirtualImage(mask)):
        strain = fit.get_strain_maps(mask=one)
        np.testing.assert_array_equal(np.isnan(strain.data[..., :8]).all(-1), ~mask)
        assert np.abs(strain.data[mask][:, :4].mean(0)).max() < 1e-16
    assert strain.history[-1].params["mask"] == "VirtualImage"
    relative = np.diff(strain.exx.as_numpy()[mask]) - np.diff(true[mask.ravel(), 0])
    assert np.abs(relative).max() < 0.01


def test_masks_that_are_not_known_yet_give_the_same_maps(no_compute: Any, tmp_path: Any) -> None:
    _, gradients = random_deformations(12)
    fit = vectors(places_of(gradients), nav_shape=(3, 4)).fit_lattice()
    values = np.arange(12.0).reshape(3, 4)
    options: dict[str, Any] = {"x_axis": "g1", "rotation": 20, "average": "median"}
    expected = fit.get_strain_maps(values > 3, mask=values < 10, **options)
    image = l4.VirtualImage(values).rechunk(2)
    with no_compute:
        found = [
            one.get_strain_maps(image > 3, mask=mask, **options)
            for one, mask in ((fit, image < 10), (fit, values < 10), (LatticeFit(fit).rechunk(1), values < 10))
        ]
    for strain in l4.compute(*found):
        np.testing.assert_array_equal(strain.data, expected.data)
    expected.save(tmp_path / "strain.zarr")
    back = l4.load(tmp_path / "strain.zarr")
    assert isinstance(back, StrainMaps)
    np.testing.assert_array_equal(back.exx.as_numpy(), expected.exx.as_numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"average": "mode"}, "expected 'mean' or 'median'"),
        ({"rotation": np.nan}, "expected rotation in degrees"),
        ({"x_axis": "a1"}, "expected x_axis in degrees"),
        ({"reference": np.ones((2, 2), bool)}, "mask of positions"),
        ({"mask": np.ones(6)}, "mask of positions"),
        ({"mask": np.zeros(6, bool)}, "False everywhere"),
        ({"mask": l4.CircleROI(0, 0, 3)}, "two navigation axes"),
    ],
)
def test_what_does_not_fit(options: dict[str, Any], message: str) -> None:
    fit = vectors(places_of(random_deformations(6)[1])).fit_lattice()
    with pytest.raises(ValueError, match=message):
        fit.get_strain_maps(**options)


def test_a_simulated_particle_and_its_picture(tmp_path: Any) -> None:
    scan = simulated_scan((9, 10), (64, 64), kind="strain", strain=0.03, descan=3.0)
    truth = scan.truth
    inside = truth["inside"].astype(bool)
    places = POINTS @ np.nan_to_num(truth["lattice_vectors"]) + truth["beam_position"][..., None, :]
    frames = [p if known else p[:0] for p, known in zip(places.reshape(90, -1, 2), inside.ravel(), strict=True)]
    v = l4.DiffractionVectors(frames, nav_shape=(9, 10), frame_shape=(64, 64))
    strain = v.get_strain_maps(truth["reference_lattice"])
    expected = {
        "exx": truth["strain"][..., 1, 1],
        "eyy": truth["strain"][..., 0, 0],
        "exy": truth["strain"][..., 0, 1],
        "rotation": truth["rotation"],
    }
    for name, image in strain.maps.items():
        np.testing.assert_allclose(image.as_numpy(), expected[name], atol=1e-10)
    truth_maps = StrainMaps(np.concatenate([np.stack([*expected.values()], -1), np.zeros((9, 10, 8))], -1))
    figure = strain.plot(truth=truth_maps, uncertainty=True)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert len(titles) == 16
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high
    assert figure.axes[1].images[0].get_clim() == (low, high)
    assert len({figure.axes[k].images[0].get_clim() for k in (12, 13, 14)}) == 1
    for limit in (-1.0, 0.0, np.nan):
        with pytest.raises(ValueError, match="limit above 0"):
            strain.plot(limit=limit)
    with pytest.raises(TypeError, match="truth as StrainMaps"):
        strain.plot(truth=5)
    with pytest.raises(ValueError, match="expected truth with a map 'exx'"):
        strain.plot(truth={})
    with pytest.raises(ValueError, match="two axes"):
        strain.inav[0].plot()
    with pytest.raises(ValueError, match="has to be computed"):
        _ = strain.inav[0].reference


@pytest.mark.parametrize("cell", [(30.0, 10.0), (36.0, 9.0)])
@pytest.mark.parametrize("kind", ["rotation", "shear", "stretch", "any"])
@pytest.mark.parametrize("robust", [True, False])
def test_long_thin_cells_are_followed(cell: tuple[float, float], kind: str, robust: bool) -> None:
    rng = np.random.default_rng(14)
    basis = np.array([[0.0, cell[0]], [cell[1], 0.0]])
    points = np.array([[h, k] for h in range(-3, 4) for k in range(-11, 12)])
    points = points[np.linalg.norm(points @ basis, axis=1) < 110]
    signs = rng.choice([-1, 1], (20, 2))
    gradients = {
        "rotation": turn(np.radians(5.0 * signs[:, 0])),
        "shear": np.array([np.array([[1, 0.05 * a], [0.05 * a, 1]]) for a, _ in signs]),
        "stretch": np.array([np.diag(1 + 0.09 * row) for row in signs]),
        "any": np.eye(2) + rng.uniform(-0.05, 0.05, (20, 2, 2)),
    }[kind]
    places = np.einsum("hi,nij->nhj", points, basis @ np.linalg.inv(gradients)) + 128
    strain = l4.DiffractionVectors(list(places), frame_shape=(256, 256)).get_strain_maps(
        basis, basis=basis, robust=robust
    )
    for row, gradient in zip(strain.data, gradients, strict=True):
        rotation, stretch = scipy_polar(gradient)
        expected = [stretch[1, 1] - 1, stretch[0, 0] - 1, stretch[0, 1], np.arctan2(rotation[0, 1], rotation[0, 0])]
        np.testing.assert_allclose(row[:4], expected, atol=1e-9)


def test_a_reference_without_any_lattice_is_refused() -> None:
    places = places_of(random_deformations(6)[1])
    fit = vectors([*places[:5], places[5, :2]]).fit_lattice(BASIS)
    region = np.arange(6) == 5
    with pytest.raises(ValueError, match="no position of the reference has a lattice"):
        fit.get_strain_maps(region)
    with pytest.raises(ValueError, match="no position of the reference has a lattice"):
        fit.get_strain_maps(~region & (np.arange(6) < 2), mask=np.arange(6) > 2)


def test_missing_first_positions_have_no_reference_and_others_tell_it() -> None:
    places = places_of(random_deformations(6)[1])
    fit = vectors([places[0, :2], *places[1:]]).fit_lattice(BASIS)
    strain = fit.get_strain_maps(BASIS)
    np.testing.assert_allclose(strain.reference, BASIS)
    np.testing.assert_array_equal(np.isnan(strain.data).all(-1), np.arange(6) == 0)
    assert not isinstance(strain * 2, StrainMaps)
    assert not isinstance(fit + 1, LatticeFit)


@pytest.mark.parametrize("given", [None, "30", [1, 2], np.nan])
def test_angles_are_numbers(given: Any) -> None:
    fit = vectors(places_of(random_deformations(3)[1])).fit_lattice(BASIS)
    for name in ("rotation", "x_axis"):
        with pytest.raises(ValueError, match=f"expected {name} in degrees"):
            fit.get_strain_maps(**{name: given})
    with pytest.raises(ValueError, match="beside a ScanRotation"):
        fit.get_strain_maps(rotation=ScanRotation(3.0, False, 5.0, 0.5, 0.1), transpose=True)
