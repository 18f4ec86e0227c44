"""Orientations from vectors and polar patterns: against truth, for every cut of the scan, and as maps."""

from __future__ import annotations

import pickle
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.polycrystal import Polycrystal
from lazy4d.signals.orientation import (
    CrystalPhase,
    OrientationMap,
    TemplateLibrary,
    from_diffsims,
    phase_from_orix,
    phase_to_orix,
    simulate_spots,
    template_library,
)
from lazy4d.signals.orientation import quaternions as turns
from lazy4d.signals.orientation import symmetry as groups
from lazy4d.signals.orientation.matching import match_block
from lazy4d.signals.orientation.plan import MatchOptions, plan_of
from lazy4d.signals.vectors.diffraction_plane import plane_of

GOLD = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
TITANIUM = CrystalPhase(
    "titanium", (2.95, 2.95, 4.68, 90, 90, 120), 194, [("Ti", (1 / 3, 2 / 3, 0.25)), ("Ti", (2 / 3, 1 / 3, 0.75))]
)
TRICLINIC = CrystalPhase("odd", (3, 4, 5, 80, 95, 110), "-1", [("Cu", (0, 0, 0)), ("O", (0.2, 0.3, 0.4))])
MONOCLINIC = CrystalPhase("mono", (3.5, 4, 5, 90, 105, 90), "2/m", [("Cu", (0, 0, 0)), ("O", (0.5, 0, 0.5), 1.0, 0.3)])
SCALE = 0.026


def frame_axes(size: int = 128, scale: float = SCALE, units: str = "1/Å") -> list[dict[str, Any]]:
    one = {"size": size, "scale": scale, "offset": -scale * (size // 2), "units": units, "navigate": False}
    return [{**one, "name": "ky"}, {**one, "name": "kx"}]


def vectors_of(spots: Any, nav_shape: tuple[int, ...] | None = None) -> l4.DiffractionVectors:
    data = [np.column_stack([f["ky"], f["kx"], f["intensity"]]) for f in map(spots.frame, range(spots.n_frames))]
    nav = [{"size": n, "navigate": True} for n in nav_shape or (len(data),)]
    return l4.DiffractionVectors(data, [*nav, *frame_axes()], nav_shape=nav_shape, calibrated=True)


@pytest.fixture(scope="module")
def library() -> TemplateLibrary:
    return template_library(GOLD, k_max=1.5, step=3, excitation_error=0.008, precession=1.0)


@pytest.fixture(scope="module")
def grains() -> Polycrystal:
    return Polycrystal((4, 5), n_grains=12, seed=3)


def grain_vectors(grains: Polycrystal, **noise: float) -> l4.DiffractionVectors:
    nav = [{"size": n, "navigate": True} for n in grains.scan_shape]
    return l4.DiffractionVectors(grains.vectors(**noise), [*nav, *frame_axes()], nav_shape=grains.scan_shape)


# -- turns and groups --------------------------------------------------------------------------------------------------


def test_euler_angles_are_those_of_bunge() -> None:
    def about_z(a: float) -> Any:
        c, s = np.cos(np.radians(a)), np.sin(np.radians(a))
        return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])

    def about_x(a: float) -> Any:
        c, s = np.cos(np.radians(a)), np.sin(np.radians(a))
        return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])

    angles = np.array([20.0, 55.0, 310.0])
    passive = about_z(angles[2]) @ about_x(angles[1]) @ about_z(angles[0])
    np.testing.assert_allclose(turns.matrices(turns.from_euler(angles)), passive, atol=1e-12)
    for given_angles in ([20.0, 55, 310], [10, 0, 0], [10, 180, 0], [0, 90, 0], [359, 1, 2]):
        np.testing.assert_allclose(turns.to_euler(turns.from_euler(given_angles)), given_angles, atol=1e-6)


ORDERS = dict(zip(groups.LAUE_GROUPS, (1, 2, 4, 4, 8, 3, 6, 6, 6, 12, 12, 24), strict=True))


@pytest.mark.parametrize("laue", groups.LAUE_GROUPS)
def test_groups_are_closed_and_reduce_what_is_equivalent(laue: str) -> None:
    rotations = groups.proper_rotations(laue)
    assert len(rotations) == ORDERS[laue]
    for one in rotations:
        closed = np.abs(turns.multiply(one, rotations) @ rotations.T).max(axis=1)
        np.testing.assert_allclose(closed, 1, atol=1e-12)
    q = turns.random_orientations(30, 1)
    equivalent = turns.multiply(rotations[-1], q)
    np.testing.assert_allclose(groups.misorientation_angle(q, equivalent, laue), 0, atol=1e-5)
    same = np.abs((groups.reduce_orientations(q, laue) * groups.reduce_orientations(equivalent, laue)).sum(axis=1))
    np.testing.assert_allclose(same, 1, atol=1e-12)
    v = np.random.default_rng(2).normal(size=(30, 3))
    for inversion, other in ((True, -turns.rotate(rotations[-1], v)), (False, turns.rotate(rotations[-1], v))):
        reduced = groups.reduce_directions(v, laue, inversion)
        np.testing.assert_allclose(reduced, groups.reduce_directions(other, laue, inversion), atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), np.linalg.norm(v, axis=1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(groups.LAUE_GROUPS))
def test_misorientation_is_the_smallest_of_all(seed: int, laue: str) -> None:
    a, b = turns.random_orientations(2, seed)
    angles = []
    for s in groups.proper_rotations(laue):
        for t in groups.proper_rotations(laue):
            both = turns.multiply(turns.multiply(s, turns.multiply(a, turns.conjugate(b))), t)
            angles.append(np.degrees(2 * np.arccos(min(1.0, abs(both[0])))))
    assert float(groups.misorientation_angle(a, b, laue)) == pytest.approx(min(angles), abs=1e-5)
    assert float(groups.misorientation_angle(b, a, laue)) == pytest.approx(min(angles), abs=1e-5)


@pytest.mark.parametrize(
    ("given_symmetry", "laue"),
    [(1, "-1"), (14, "2/m"), (62, "mmm"), (88, "4/m"), (123, "4/mmm"), (148, "-3"), (162, "-31m"), (166, "-3m"),
     (176, "6/m"), (186, "6/mmm"), (205, "m-3"), (227, "m-3m"), ("312", "-31m"), ("-42m", "4/mmm"), ("432", "m-3m")],
)  # fmt: skip
def test_groups_by_name_and_number(given_symmetry: Any, laue: str) -> None:
    assert groups.laue_group(given_symmetry) == laue


@pytest.mark.parametrize("laue", groups.LAUE_GROUPS)
def test_directions_are_even_and_cover_all(laue: str) -> None:
    from lazy4d.signals.orientation.zones import neighbours_of, orientations_along, sample_directions

    directions = sample_directions(laue, 8.0)
    whole = 4 * np.pi / (np.radians(8) ** 2 * np.sqrt(3) / 2)
    assert len(directions) == pytest.approx(whole / ORDERS[laue], rel=0.2)
    anywhere = np.random.default_rng(3).normal(size=(300, 3))
    anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)
    images = turns.rotate(groups.proper_rotations(laue)[:, None], directions[None]).reshape(-1, 3)
    assert np.degrees(np.arccos((anywhere @ images.T).max(axis=1).clip(-1, 1))).max() < 8.0
    np.testing.assert_allclose(turns.rotate(orientations_along(directions), [0.0, 0, 1]), directions, atol=1e-12)
    near = neighbours_of(directions, laue)
    assert near.shape == (len(directions), 8)
    assert (near >= 0).all()
    assert (near < len(directions)).all()


def test_the_beam_along_minus_z_of_a_crystal() -> None:
    from lazy4d.signals.orientation.zones import orientations_along

    q = orientations_along(np.array([[0.0, 0.0, -1.0]]))
    np.testing.assert_allclose(turns.rotate(q, [0.0, 0, 1]), [[0, 0, -1]], atol=1e-12)


# -- crystals and simulation -------------------------------------------------------------------------------------------


def test_cell_in_its_axes() -> None:
    a, b, c, *angles = TRICLINIC.lattice
    alpha, beta, gamma = np.cos(np.radians(angles))
    metric = [
        [a * a, a * b * gamma, a * c * beta],
        [a * b * gamma, b * b, b * c * alpha],
        [a * c * beta, b * c * alpha, c * c],
    ]
    np.testing.assert_allclose(TRICLINIC.base @ TRICLINIC.base.T, metric, atol=1e-9)
    np.testing.assert_allclose(TRICLINIC.base @ TRICLINIC.reciprocal.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(TRICLINIC.base[0], [a, 0, 0], atol=1e-9)
    np.testing.assert_allclose(TRICLINIC.reciprocal[2, :2], 0, atol=1e-9)
    np.testing.assert_allclose(MONOCLINIC.base[1], [0, 4, 0], atol=1e-9)


def test_extinctions() -> None:
    silicon = CrystalPhase("Si", 5.431, 227, [("Si", (0, 0, 0)), ("Si", (0.25, 0.25, 0.25))], centering="F")
    table = silicon.reflections(0.8)
    found = {tuple(sorted(map(abs, h))) for h in table.hkl.tolist()}
    assert found == {(1, 1, 1), (0, 2, 2), (1, 1, 3), (0, 0, 4)}
    assert (np.diff(table.k) > -1e-9).all()
    iron = CrystalPhase("Fe", 2.87, "m-3m", [("Fe", (0, 0, 0))], centering="I")
    assert (iron.reflections(1.5).hkl.sum(axis=1) % 2 == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lattice": (3, 4, 5)}, "expected lattice as a"),
        ({"lattice": (3, 4, 5, 10, 10, 170)}, "with a volume"),
        ({"symmetry": "5/m"}, "expected a point group"),
        ({"symmetry": 231}, "from 1 to 230"),
        ({"lattice": "abc"}, "expected lattice as a"),
        ({"atoms": []}, "at least one atom"),
        ({"atoms": None}, "expected atoms as a list"),
        ({"atoms": [("Au", (np.nan, 0, 0))]}, "expected an atom at"),
        ({"atoms": [("Xx", (0, 0, 0))]}, "symbol of an element"),
        ({"atoms": [("Au", (0, 0))]}, "expected an atom"),
        ({"atoms": ["Au"]}, "expected an atom"),
        ({"centering": "Q"}, "expected centering"),
    ],
)
def test_crystals_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrystalPhase(**{"name": "x", "lattice": 4.0, "symmetry": "m-3m", "atoms": [("Au", (0, 0, 0))], **options})


def test_atoms_have_to_be_as_symmetric_as_it_says() -> None:
    wrong = CrystalPhase("x", 4.0, "m-3m", [("Au", (0, 0, 0)), ("Cu", (0.1, 0.2, 0.3))])
    with pytest.raises(ValueError, match="is not as symmetric as m-3m"):
        wrong.reflections(1.0)
    with pytest.raises(ValueError, match=r"has no reflection up to 0\.1"):
        GOLD.reflections(0.1)
    with pytest.raises(ValueError, match="k_max above 0"):
        GOLD.reflections(0.0)
    with pytest.raises(TypeError, match="expected a CrystalPhase"):
        template_library("gold", k_max=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("precession", [0.0, 0.8])
def test_simulation_meets_the_ewald_sphere(precession: float) -> None:
    """Spot by spot: the point of the sphere above each reflection is found by its radius alone."""
    q = turns.random_orientations(3, 4)
    spots = simulate_spots(TRICLINIC, q, k_max=0.9, beam_energy_keV=80, excitation_error=0.015, precession=precession)
    radius = 1 / 0.04175717  # 1/Å, at 80 kV
    table = TRICLINIC.reflections(0.9)
    for n in range(3):
        expected = []
        for hkl, intensity in zip(table.hkl, table.intensity, strict=True):
            x, y, z = turns.rotate(turns.conjugate(q[n]), hkl @ TRICLINIC.reciprocal)
            # The sphere about (0, 0, -K), electrons flying along +z: x² + y² + (z + s + K)² = K².
            error = np.sqrt(radius**2 - x * x - y * y) - radius - z
            cone = np.radians(precession) * np.hypot(x, y)
            if abs(error) <= 3 * 0.015 + cone:
                seen = np.exp(-0.5 * ((error + np.linspace(-cone, cone, 401)) / 0.015) ** 2).mean()
                expected.append([y, x, intensity * seen])
        frame = spots.frame(n)
        found = np.column_stack([frame["ky"], frame["kx"], frame["intensity"]])
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=1e-6)


# -- libraries ---------------------------------------------------------------------------------------------------------


def test_a_simulated_library_travels_as_its_recipe(library: TemplateLibrary) -> None:
    sent = pickle.dumps(library)
    assert len(sent) < 1000
    assert pickle.loads(sent).token == library.token
    plan = plan_of(library, MatchOptions(2, 0.05, 0.5, 1.0, True, 8, 180))
    assert len(pickle.dumps(plan)) < 1500
    assert pickle.loads(pickle.dumps(plan)) is plan
    other = template_library(GOLD, k_max=1.5, step=3, excitation_error=0.009, precession=1.0)
    assert other.token != library.token


def test_a_library_of_plain_arrays(library: TemplateLibrary) -> None:
    plain = TemplateLibrary(
        library.orientations, library.spots, GOLD, k_min=library.k_min, k_max=library.k_max, excitation_error=0.008,
        precession=1.0,
    )  # fmt: skip
    assert plain.step == pytest.approx(3, rel=0.15)
    copy = pickle.loads(pickle.dumps(plain))
    assert copy.token == plain.token != library.token
    grains = Polycrystal((2, 3), n_grains=5, seed=8)
    expected = grain_vectors(grains).get_orientation(library)
    found = grain_vectors(grains).get_orientation(plain)
    np.testing.assert_allclose(found.score.data, expected.score.data, atol=0.01)
    # Which of two twins comes first is a matter of rounding.
    either = [groups.misorientation_angle(found.data[..., k, :4], expected.data[..., 0, :4], "m-3m") for k in range(2)]
    assert np.nanmin(either, axis=0).max() < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orientations": [[1, 0, 0]]}, r"quaternions \[n, 4\]"),
        ({"orientations": np.zeros((0, 4)), "spots": []}, "at least one template"),
        ({"orientations": [[0, 0, 0, 0]]}, "other than 0"),
        ({"orientations": [[2, 0, 0, 0]]}, "unit quaternions"),
        ({"spots": [[[0.4, 0, 1]], [[0.4, 0, 1]]]}, "a phase for each of 1 orientations"),
        ({"spots": [[[0.4, 0]]]}, "a phase for each of 1 orientations"),
        ({"spots": [[[0.0, 0, 1]]]}, "leave the direct beam out"),
        ({"phase": [1]}, "as a number below 1"),
        ({"excitation_error": 0}, "excitation_error above 0"),
        ({"precession": -1}, "precession as degrees"),
    ],
)
def test_libraries_that_cannot_be(change: dict[str, Any], message: str) -> None:
    made: dict[str, Any] = {"orientations": [[1, 0, 0, 0]], "spots": [[[0.4, 0, 1]]], "phases": GOLD, **change}
    with pytest.raises(ValueError, match=message):
        TemplateLibrary(**made)
    with pytest.raises(ValueError, match="k_min of at least 0"):
        template_library(GOLD, k_max=1.0, k_min=1.0)
    with pytest.raises(ValueError, match="step between directions"):
        template_library(GOLD, k_max=1.0, step=0)
    for options, message in [
        ({"excitation_error": -1}, "excitation_error above 0, in 1/Å, found -1"),
        ({"excitation_error": 0}, "excitation_error above 0"), ({"k_max": "1.2 1/Å"}, "k_max as a number in 1/Å"),
        ({"precession": "a"}, "precession as a number in degrees"), ({"step": "a"}, "step as a number in degrees"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            template_library(GOLD, **{"k_max": 1.0, **options})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="excitation_error above 0"):
        simulate_spots(GOLD, [[1, 0, 0, 0]], k_max=1, excitation_error=0)


# -- matching vectors --------------------------------------------------------------------------------------------------


def test_a_thousand_orientations_without_noise() -> None:
    step = 2.0
    library = template_library(GOLD, k_max=1.4, step=step, excitation_error=0.02)
    q = turns.random_orientations(1000, 11)
    v = vectors_of(simulate_spots(GOLD, q, k_max=1.4, excitation_error=0.02))
    coarse = v.get_orientation(library, refine=False, n_best=4).data
    fine = v.get_orientation(library).data
    either = [
        np.nanmin([groups.misorientation_angle(m[:, k, :4], q, "m-3m") for k in range(2)], axis=0)
        for m in (coarse, fine)
    ]
    assert np.median(either[0]) < step / 2
    assert np.median(groups.misorientation_angle(coarse[:, 0, :4], q, "m-3m")) < step / 2
    assert np.median(groups.misorientation_angle(fine[:, 0, :4], q, "m-3m")) < 0.05
    # The others are twins: as good, and told as such. Less than 1 in 50 is missed.
    best = groups.misorientation_angle(fine[:, 0, :4], q, "m-3m")
    wrong = best > 1
    assert wrong.mean() < 0.12
    assert np.median(1 - fine[wrong, 1, 4] / fine[wrong, 0, 4]) < 0.002
    assert (either[1] > 1).mean() < 0.02
    np.testing.assert_allclose(np.linalg.norm(fine[:, 0, :4], axis=1), 1, atol=1e-12)
    assert fine[:, 0, 4].min() > 0.98
    assert fine[..., 4].max() < 1 + 1e-6


@pytest.mark.parametrize("phase", [TITANIUM, MONOCLINIC, TRICLINIC], ids=lambda one: one.laue)
def test_other_lattices(phase: CrystalPhase) -> None:
    library = template_library(phase, k_max=1.1, step=5, excitation_error=0.02)
    q = turns.random_orientations(30, 5)
    v = vectors_of(simulate_spots(phase, q, k_max=1.1, excitation_error=0.02))
    found = v.get_orientation(library).data
    either = np.nanmin([groups.misorientation_angle(found[:, k, :4], q, phase.laue) for k in range(2)], axis=0)
    assert np.median(either) < 0.1
    assert (either < 1).mean() > 0.9


def test_two_phases_are_told_apart() -> None:
    library = template_library([GOLD, TITANIUM], k_max=1.2, step=5, excitation_error=0.02)
    q = turns.random_orientations(20, 6)
    for number, phase in enumerate(library.phases):
        v = vectors_of(simulate_spots(phase, q, k_max=1.2, excitation_error=0.02))
        found = v.get_orientation(library)
        assert found.phases[number].name == phase.name
        assert (found.phase.data == number).mean() > 0.9


def test_grains_with_noise(grains: Polycrystal, library: TemplateLibrary) -> None:
    found = grain_vectors(grains, noise=0.05, intensity_noise=0.1).get_orientation(library)
    either = np.nanmin(
        [groups.misorientation_angle(found.data[..., k, :4], grains.orientations, "m-3m") for k in range(2)], axis=0
    )
    assert np.median(either) < 0.5
    assert (either < 1).mean() > 0.9


def test_detected_disks_to_orientations(grains: Polycrystal, library: TemplateLibrary) -> None:
    """From pixels to angles: disks in noisy frames, found, and matched."""
    s = l4.Diffraction2D(grains.frames())
    s.set_calibration(scale=SCALE, units="1/Å", beam_energy="200 kV")
    found = s.get_diffraction_vectors(disk_r=3, threshold_abs=0.5).get_orientation(library).compute()
    either = np.nanmin(
        [groups.misorientation_angle(found.data[..., k, :4], grains.orientations, "m-3m") for k in range(2)], axis=0
    )
    assert np.median(either) < 0.5
    assert (either < 1).mean() > 0.85


def test_polar_patterns_to_orientations(grains: Polycrystal, library: TemplateLibrary) -> None:
    s = l4.Diffraction2D(grains.frames())
    s.set_calibration(scale=SCALE, units="1/Å", beam_energy="200 kV")
    polar = s.get_azimuthal_integral2d(npt=50, npt_azim=240, mean=True, radial_range=(0.0, 1.6))
    found = polar.get_orientation(library, disk_r=3 * SCALE)
    assert found.lazy
    data = found.compute().data
    either = np.nanmin(
        [groups.misorientation_angle(data[..., k, :4], grains.orientations, "m-3m") for k in range(2)], axis=0
    )
    assert np.median(either) < 0.5
    assert (either < 1).mean() > 0.85
    assert 0.7 < np.median(data[..., 0, 4]) < 1.1
    coarse = polar.get_orientation(library, disk_r=3 * SCALE, refine=False).compute().data
    assert np.median(groups.misorientation_angle(coarse[..., 0, :4], grains.orientations, "m-3m")) < 3


@pytest.mark.parametrize("nav_shape", [(), (3,), (1, 3), (1, 1, 3)])
def test_polar_patterns_of_any_scan(nav_shape: tuple[int, ...], library: TemplateLibrary, no_compute: Any) -> None:
    frames = Polycrystal((1, 3), n_grains=2, seed=4).frames()
    pixels = frames[0, 0] if not nav_shape else frames.reshape(*nav_shape, *frames.shape[2:])
    made = l4.Diffraction2D(pixels)
    made.set_calibration(scale=SCALE, units="1/Å")
    polar = made.get_azimuthal_integral2d(npt=30, npt_azim=90, mean=True, radial_range=(0.0, 1.6)).compute()
    whole = polar.get_orientation(library).compute()
    assert whole.data.shape == (*nav_shape, 2, 6)
    assert whole.history[-1].op == "get_orientation"
    assert [axis.name for axis in whole.nav_axes] == [axis.name for axis in made.nav_axes]
    if nav_shape:
        with no_compute:
            cut = type(polar)(polar.frames.rechunk(1), polar.axes_manager).get_orientation(library)
        np.testing.assert_allclose(cut.compute().data, whole.data, rtol=1e-9)


def test_missing_polar_patterns_have_no_orientation(library: TemplateLibrary) -> None:
    frames = Polycrystal((1, 3), n_grains=2, seed=4).frames()[0]
    made = l4.Diffraction2D(frames, valid=np.array([True, False, True]))
    made.set_calibration(scale=SCALE, units="1/Å")
    polar = made.get_azimuthal_integral2d(npt=30, npt_azim=90, mean=True, radial_range=(0.0, 1.6))
    found = polar.get_orientation(library).compute()
    assert np.isnan(found.data[1]).all()
    assert np.isfinite(found.data[[0, 2], 0]).all()
    assert np.isnan(found.get_reliability().compute().data).tolist() == [False, True, False]


def test_turning_the_pattern_turns_the_orientation(library: TemplateLibrary) -> None:
    """The convention: x of the sample is +kx, y is +ky; what a quarter turn of the frame does is known."""
    rows = Polycrystal((1, 1), n_grains=1, seed=6).grain_vectors[0]
    from_middle = rows[:, :2] - 64
    quarter = np.column_stack([64 + np.column_stack([from_middle[:, 1], -from_middle[:, 0]]), rows[:, 2]])  # x to y
    v = l4.DiffractionVectors([rows, quarter], [{"size": 2, "navigate": True}, *frame_axes()])
    first, second = v.get_orientation(library).data[:, 0, :4]
    expected = turns.multiply(first, turns.axis_angle([0, 0, 1], -90.0))
    assert groups.misorientation_angle(second, expected, "m-3m") < 0.05


def lazy_vectors(v: l4.DiffractionVectors, chunks: Any = "auto") -> l4.DiffractionVectors:
    from lazy4d.lazy.ragged_blocks import RaggedBlocks

    blocks = RaggedBlocks.from_ragged(v.ragged, v.nav_shape, chunks)
    return l4.DiffractionVectors(blocks, v.axes_manager.copy(), nav_shape=v.nav_shape)


def test_every_cut_and_scheduler(
    grains: Polycrystal, library: TemplateLibrary, scheduler: str, no_compute: Any
) -> None:
    v = grain_vectors(grains)
    whole = v.get_orientation(library)
    for chunks in (((4,), (5,)), ((1, 3), (2, 2, 1))):
        with no_compute:
            lazy = lazy_vectors(v, chunks).get_orientation(library)
        assert lazy.lazy
        np.testing.assert_allclose(lazy.compute().data, whole.data, rtol=1e-9)
    assert whole.history[-1].op == "get_orientation"
    assert whole.axes_manager.navigation_shape == (5, 4)


def test_many_patterns_are_matched_by_all_cores(library: TemplateLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    from lazy4d.signals.orientation import matching

    v = grain_vectors(Polycrystal((4, 5), n_grains=6, seed=3))
    whole = v.get_orientation(library)
    monkeypatch.setattr(matching, "AT_ONCE", 4)
    cut = v.get_orientation(library)
    assert not cut.lazy
    assert cut.history[-1].params == whole.history[-1].params
    np.testing.assert_allclose(cut.data, whole.data, rtol=1e-9)
    axes = [
        *(l4.Axis(name=n, size=s) for n, s in zip("yx", (4, 5), strict=True)),
        l4.Axis(name="c", size=2, navigate=False),
    ]
    beam = l4.BeamPosition(np.full((4, 5, 2), 64.0), axes)
    np.testing.assert_allclose(v.get_orientation(library, center=beam).data, whole.data, rtol=1e-9)


@pytest.mark.parametrize("nav_shape", [(), (6,), (2, 3), (1, 2, 3)])
def test_any_navigation(nav_shape: tuple[int, ...], library: TemplateLibrary) -> None:
    grains = Polycrystal((1, 6), n_grains=3, seed=2)
    data = grains.vectors()[: int(np.prod(nav_shape))]
    nav = [{"size": n, "navigate": True} for n in nav_shape]
    v = l4.DiffractionVectors(data if nav_shape else data[0], [*nav, *frame_axes()], nav_shape=nav_shape)
    found = v.get_orientation(library)
    assert found.data.shape == (*nav_shape, 2, 6)
    assert found.score.shape == nav_shape


def test_no_orientation_without_vectors(library: TemplateLibrary) -> None:
    good = Polycrystal((1, 1), n_grains=1, seed=6).grain_vectors[0]
    bad = good.copy()
    bad[:, 2] = np.nan
    data = [good, np.empty((0, 3)), good[:3], bad, good]
    v = l4.DiffractionVectors(
        data, [{"size": 5, "navigate": True}, *frame_axes()], valid=np.array([1, 1, 1, 1, 0], bool)
    )
    found = v.get_orientation(library)
    assert np.isfinite(found.score.as_numpy()).tolist() == [True, False, False, False, False]
    assert np.isnan(found.as_numpy()[1:]).all()
    assert np.isnan(found.get_misorientation().compute().data[1:]).all()
    assert found.get_ipf_color_image().compute().data[1].tolist() == [0x7F, 0xA8, 0xA3]
    assert found.inav[:1].to_crystal_map_arrays()["phase_id"].tolist() == [0]
    assert found.to_crystal_map_arrays()["phase_id"].tolist() == [0, -1, -1, -1, -1]


def test_units_and_weights(library: TemplateLibrary) -> None:
    grains = Polycrystal((1, 4), n_grains=4, seed=9)
    data = grains.vectors()
    nav = [{"size": 4, "navigate": True}]
    expected = l4.DiffractionVectors(data, [*nav, *frame_axes()]).get_orientation(library).data
    milliradian = 0.0250793404 * 1000  # of 1/Å at 200 kV
    for scale, units in ((SCALE * 10, "1/nm"), (SCALE * milliradian, "mrad")):
        v = l4.DiffractionVectors(data, [*nav, *frame_axes(scale=scale, units=units)])
        v.set_calibration(beam_energy="200 kV")
        np.testing.assert_allclose(v.get_orientation(library).data, expected, atol=1e-4)
    alike = l4.DiffractionVectors([one[:, :2] for one in data], [*nav, *frame_axes()])
    assert np.isfinite(alike.get_orientation(library, intensity=None).score.data).all()


def test_uncentred_and_distorted_patterns(library: TemplateLibrary) -> None:
    grains = Polycrystal((1, 4), n_grains=4, seed=9)
    data = grains.vectors()
    nav = [{"size": 4, "navigate": True}]
    expected = l4.DiffractionVectors(data, [*nav, *frame_axes()]).get_orientation(library).data
    beam = np.array([[64.0, 64], [66, 61], [60.5, 64], [63, 70.25]])
    moved = [one + np.append(place - 64, 0) for one, place in zip(data, beam, strict=True)]
    v = l4.DiffractionVectors(moved, [*nav, *frame_axes()])
    position = l4.BeamPosition(beam, [l4.Axis(name="x", size=4), l4.Axis(name="c", size=2, navigate=False)])
    np.testing.assert_allclose(v.get_orientation(library, center=position).data, expected, atol=1e-6)
    one = l4.DiffractionVectors(moved[1:2], [{"size": 1, "navigate": True}, *frame_axes()])
    np.testing.assert_allclose(one.get_orientation(library, center=(61, 66)).data, expected[1:2], atol=1e-6)
    # An ellipse: x and y stretched apart by 4 %, which the option takes out again.
    stretched = [np.column_stack([64 + (one[:, :2] - 64) * [0.98, 1.02], one[:, 2]]) for one in data]
    v = l4.DiffractionVectors(stretched, [*nav, *frame_axes()])
    score = v.get_orientation(library, ellipse=(1.02 / 0.98, 0)).score.data
    assert (score > v.get_orientation(library).score.data).all()
    np.testing.assert_allclose(score, expected[:, 0, 4], atol=0.02)


def test_templates_end_where_the_frame_does() -> None:
    """Of spots within 0.6 1/Å, a library up to 1.4 tells what one up to 0.6 does; it says so, with both numbers."""
    far, near = (template_library(TITANIUM, k_max=k, step=5, excitation_error=0.02) for k in (1.4, 0.6))
    q = turns.random_orientations(60, 6)
    spots = simulate_spots(TITANIUM, q, k_max=0.6, excitation_error=0.02)
    data = [
        np.column_stack([f["ky"] / 0.012 + 50, f["kx"] / 0.012 + 50, f["intensity"]])
        for f in map(spots.frame, range(spots.n_frames))
    ]
    v = l4.DiffractionVectors(data, [{"size": 60, "navigate": True}, *frame_axes(100, 0.012)])
    expected = v.get_orientation(near, tolerance=0.05)
    told = r"templates go to 1\.4 1/Å, but patterns reach 0\.594 .* with k_max=0\.594"
    with pytest.warns(l4.Lazy4DWarning, match=told):
        found = v.get_orientation(far, tolerance=0.05)

    def wrong_and_sure(m: OrientationMap) -> float:
        apart = groups.misorientation_angle(m.data[:, 0, :4], q, TITANIUM.laue)
        return float(((apart > 2) & (m.get_reliability().as_numpy() > 0.02)).mean())

    assert wrong_and_sure(found) <= wrong_and_sure(expected) + 0.02
    assert np.nanmedian(found.score.as_numpy()) > 0.97
    with pytest.warns(l4.Lazy4DWarning, match="too little to leave out"):
        v.get_orientation(near, center=(1, 50))
    s = l4.Diffraction2D(np.ones((2, 16, 16), "u1"))
    s.set_calibration(scale=0.1, units="1/Å")
    with pytest.warns(l4.Lazy4DWarning, match=r"patterns reach 1\.2 1/Å"):
        s.get_azimuthal_integral2d(8, 36, mean=True).get_orientation(far)


def test_axes_that_were_calibrated_without_a_centre(grains: Polycrystal, library: TemplateLibrary) -> None:
    for offset, where in ((0.0, "at a corner of"), (1.0, "outside of")):
        v = grain_vectors(grains)
        for axis in v.frame_axes:
            axis.offset = offset
        with pytest.warns(l4.Lazy4DWarning, match=rf"{where} frames of 128 x 128 pixels.*set_calibration\(center="):
            v.get_orientation(library)
        found = v.get_orientation(library, center=(64, 64)).score.data  # says where, and nothing is warned of
        np.testing.assert_allclose(found, grain_vectors(grains).get_orientation(library).score.data)


def test_missing_patterns_have_no_orientation(library: TemplateLibrary) -> None:
    import dask.array as da

    from lazy4d.lazy import Frames

    pixels = Polycrystal((2, 3), n_grains=2, seed=5).frames()
    valid = np.ones((2, 3), bool)
    valid[1, 2] = False
    for incomplete in ("nan", "zero"):
        frames = Frames.from_array(np.asarray(pixels), 2, valid=da.from_array(valid), incomplete=incomplete)
        s = l4.Diffraction2D(frames)
        s.set_calibration(scale=SCALE, units="1/Å")
        found = s.get_azimuthal_integral2d(npt=40, npt_azim=90, mean=True).get_orientation(library)
        colors = found.get_ipf_color_image().compute().data
        unknown = found.get_euler_angles().compute().data
        rows = found.compute().data
        np.testing.assert_array_equal(np.isnan(rows[..., 0, :]).all(axis=-1), ~valid)
        np.testing.assert_array_equal(np.isnan(unknown[..., 0]), ~valid)
        grey = OrientationMap(np.full((1, 1, 1, 6), np.nan), metadata=found.metadata.copy()).get_ipf_color_image()
        assert colors[1, 2].tolist() == grey.compute().data[0, 0].tolist()
        np.testing.assert_allclose(np.linalg.norm(rows[valid][:, 0, :4], axis=1), 1)


def test_what_cannot_be_matched(grains: Polycrystal, library: TemplateLibrary) -> None:
    v = grain_vectors(grains)
    with pytest.raises(ValueError, match="as one of the columns ky, kx, intensity"):
        v.get_orientation(library, intensity="brightness")
    with pytest.raises(TypeError, match="expected a TemplateLibrary"):
        v.get_orientation(GOLD)
    for options, message in [
        ({"n_best": 2.7}, "n_best as a whole number, found 2.7"), ({"candidates": "a"}, "candidates as a whole number"),
        ({"radial_power": "a"}, "radial_power as a number"),
        ({"n_best": 0}, "n_best from 1"), ({"n_best": 9}, "at least as many candidates"),
        ({"tolerance": 0}, "tolerance as a length"), ({"intensity_power": 0}, "intensity_power in"),
        ({"n_angles": 3}, "n_angles from 36"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            v.get_orientation(library, **options)
    with pytest.raises(ValueError, match="calibrated in inverse lengths"):
        l4.DiffractionVectors(grains.vectors(), nav_shape=(4, 5), frame_shape=(128, 128)).get_orientation(library)
    v.set_calibration(beam_energy=80)
    with pytest.raises(ValueError, match="simulated for 200 keV, the data say 80 keV"):
        v.get_orientation(library)
    s = l4.Diffraction2D(np.ones((2, 16, 16), "u1"))
    s.set_calibration(scale=0.1, units="1/Å")
    with pytest.raises(ValueError, match="found sums over bins"):
        s.get_azimuthal_integral2d(8, 36).get_orientation(library)
    with pytest.raises(ValueError, match="once around"):
        s.get_azimuthal_integral2d(8, 36, azimuth_range=(0.0, 1.0), mean=True).get_orientation(library)


def test_brute_force_finds_the_same_template(library: TemplateLibrary) -> None:
    """Each template turned by each angle, compared pair by pair: the best is the one that voting finds."""
    grains = Polycrystal((1, 1), n_grains=1, seed=12)
    rows = grains.grain_vectors[0]
    ky, kx = ((rows[:, :2] - 64) * SCALE).T
    k = np.hypot(ky, kx)
    far = (k > library.k_min) & (k < library.k_max + 0.05)
    ky, kx, k, weight = ky[far], kx[far], k[far], np.sqrt(rows[far, 2]) * k[far]
    weight /= np.linalg.norm(weight)
    angles = np.arange(180) * np.radians(2)
    best, at = -1.0, (0, 0.0)
    for t in range(library.size):
        frame = library.spots.frame(t)
        rho = np.hypot(frame["ky"], frame["kx"])
        v = np.sqrt(frame["intensity"]) * rho
        v /= np.linalg.norm(v)
        turned = (frame["kx"] + 1j * frame["ky"])[None] * np.exp(1j * angles)[:, None]
        square = np.abs(turned[:, None, :] - (kx + 1j * ky)[None, :, None]) ** 2
        score = np.einsum("i,aij,j->a", weight, np.clip(1 - square / 0.05**2, 0, None), v)
        if score.max() > best:
            best, at = score.max(), (t, angles[score.argmax()])
    plan = plan_of(library, MatchOptions(1, 0.05, 0.5, 1.0, False, 8, 180))
    v = l4.DiffractionVectors([rows], [{"size": 1, "navigate": True}, *frame_axes()])
    found = match_block(v.ragged, plan, plane_of(v), "intensity")[0, 0]
    expected = turns.multiply(library.orientations[at[0]], turns.axis_angle([0, 0, 1], -np.degrees(at[1])))
    assert groups.misorientation_angle(found[:4], expected, "m-3m") < 1.5
    assert found[4] == pytest.approx(best, abs=0.03)
    # The score is that of the kernel's small-angle distance; brute force takes the chord.


# -- maps --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def orientation_map() -> OrientationMap:
    rows = np.empty((3, 4, 2, 6))
    rows[..., :4] = groups.reduce_orientations(turns.random_orientations(24, 9), "m-3m").reshape(3, 4, 2, 4)
    rows[..., 4], rows[..., 5] = [0.9, 0.6], 0
    rows[1, :, :, 5] = 1
    rows[0, 0] = np.nan
    rows[2, 3, 1] = np.nan
    axes = [
        l4.Axis(name="y", size=3, scale=2.0, offset=1.0, units="nm"), l4.Axis(name="x", size=4, scale=2.0, units="nm"),
        l4.Axis(name="answer", size=2, navigate=False), l4.Axis(name="column", size=6, navigate=False),
    ]  # fmt: skip
    known = {"OrientationMap": {"phases": [GOLD.as_dict(), TITANIUM.as_dict()]}}
    return OrientationMap(rows, axes, known, title="grains")


def test_readings_of_a_map(orientation_map: OrientationMap, no_compute: Any) -> None:
    data = orientation_map.data
    with no_compute:
        angle = orientation_map.get_misorientation(turns.random_orientations(1, 1)[0])
        maps = [
            orientation_map.get_ipf_color_image("x"), orientation_map.get_euler_angles(),
            orientation_map.get_reliability(), orientation_map.rotate_sample(30), angle,
            orientation_map.get_misorientation(orientation_map.rotate_sample(3)),
            orientation_map.get_misorientation(data[..., 0, :4]),
        ]  # fmt: skip
        assert all(one.lazy for one in maps)
    colors, euler, reliability, turned, angle, by_map, by_array = (one.compute() for one in maps)
    assert [phase.name for phase in orientation_map.phases] == ["gold", "titanium"]
    for number, laue in enumerate(["m-3m", "6/mmm"]):
        here = data[..., 0, 5] == number
        q = data[here][:, 0, :4]
        expected = groups.misorientation_angle(q, turns.random_orientations(1, 1), laue)
        np.testing.assert_allclose(angle.data[here], expected)
        back = turns.multiply(q, turns.axis_angle([0, 0, 1], 30.0))
        np.testing.assert_allclose(groups.misorientation_angle(turned.data[here][:, 0, :4], back, laue), 0, atol=1e-5)
    np.testing.assert_allclose(by_map.data[~np.isnan(by_map.data)], 3, atol=1e-6)
    np.testing.assert_allclose(by_array.data[~np.isnan(by_array.data)], 0, atol=1e-5)
    either = orientation_map.get_misorientation(data[..., 1, :4], answers=2).compute().data
    np.testing.assert_allclose(either[~np.isnan(either)], 0, atol=1e-5)
    assert np.isnan(either).sum() == 2
    np.testing.assert_allclose(euler.data[1, 1], turns.to_euler(data[1, 1, 0, :4]))
    assert reliability.data[1, 1] == pytest.approx(1 / 3)
    assert (np.isnan(reliability.data[0, 0]), reliability.data[2, 3]) == (True, 1)
    assert colors.data.dtype == np.uint8
    assert angle.metadata.Signal.quantity == "misorientation (deg)"
    assert orientation_map.quaternions.shape == (3, 4, 2, 4)
    assert orientation_map.n_best == 2
    assert type(orientation_map.inav[1:, 1:]) is OrientationMap
    assert type(orientation_map.mean()) is not OrientationMap
    assert type(orientation_map * 2) is not OrientationMap


def test_a_map_is_saved_with_its_phases(orientation_map: OrientationMap, tmp_path: Any) -> None:
    orientation_map.save(tmp_path / "map.zarr")
    back = l4.load(tmp_path / "map.zarr", signal_class=OrientationMap)
    np.testing.assert_array_equal(back.compute().data, orientation_map.data)
    assert [phase.as_dict() for phase in back.phases] == [phase.as_dict() for phase in orientation_map.phases]


def test_what_maps_cannot_do(orientation_map: OrientationMap) -> None:
    with pytest.raises(ValueError, match="expected direction as"):
        orientation_map.get_ipf_color_image("w")
    with pytest.raises(ValueError, match="reference quaternion"):
        orientation_map.get_misorientation(np.ones(3))
    with pytest.raises(ValueError, match="expected an OrientationMap over the scan"):
        orientation_map.get_misorientation(orientation_map.inav[1:])
    with pytest.raises(ValueError, match="answers from 1 to the 2 that are kept"):
        orientation_map.get_misorientation(answers=3)
    with pytest.raises(ValueError, match="answers as a whole number"):
        orientation_map.get_misorientation(answers="a")
    with pytest.raises(ValueError, match="unit quaternions"):
        orientation_map.get_misorientation([0, 0, 0, 0])
    with pytest.raises(ValueError, match="rotation as a number in degrees"):
        orientation_map.rotate_sample("a")
    with pytest.raises(ValueError, match="match with n_best=2"):
        OrientationMap(orientation_map.data[:, :, :1]).get_reliability()
    with pytest.raises(ValueError, match="which crystals its phases are"):
        OrientationMap(orientation_map.data).phases  # noqa: B018
    with pytest.raises(ValueError, match="rows of 6 numbers"):
        OrientationMap(np.zeros((3, 4, 2, 5)))
    with pytest.raises(ValueError, match="one or two axes"):
        OrientationMap(np.zeros((1, 1, 1, 2, 6))).to_crystal_map_arrays()


@pytest.mark.parametrize("laue", groups.LAUE_GROUPS)
def test_colors_are_bright_and_even(laue: str) -> None:
    from lazy4d.signals.orientation.colors import ipf_colors, sector

    v = np.random.default_rng(5).normal(size=(500, 3))
    found = ipf_colors(v, laue)
    assert found.min() >= 0
    np.testing.assert_allclose(found.max(axis=1), 1)
    np.testing.assert_allclose(ipf_colors(-turns.rotate(groups.proper_rotations(laue)[-1], v), laue), found, atol=1e-6)
    corners, middle, _ = sector(laue)
    np.testing.assert_allclose(ipf_colors(middle, laue), 1, atol=1e-6)
    if laue != "-1":
        np.testing.assert_allclose(ipf_colors(corners[0], laue), [1, 0, 0], atol=1e-3)
    # Nearby directions of the inside have nearby colours.
    inside = middle + 0.2 * (corners - middle)
    apart = np.abs(ipf_colors(inside, laue) - ipf_colors(inside + 1e-6, laue)).max()
    assert apart < 1e-3
    assert np.isnan(ipf_colors([[np.nan, 0, 1], [0, 0, 0]], laue)).all()


# -- other programs ----------------------------------------------------------------------------------------------------


def test_ang_files(orientation_map: OrientationMap, tmp_path: Any) -> None:
    path = orientation_map.to_ang(tmp_path / "grains.ang")
    table = np.loadtxt(path)
    assert table.shape == (12, 10)
    expected = orientation_map.data.reshape(12, 2, 6)
    q = turns.from_euler(np.degrees(table[1:, :3]))
    np.testing.assert_allclose(np.abs((q * expected[1:, 0, :4]).sum(axis=1)), 1, atol=1e-8)
    np.testing.assert_allclose(table[:, 3], np.tile([0, 2e-3, 4e-3, 6e-3], 3))  # µm
    np.testing.assert_allclose(table[:, 4], np.repeat([0, 2e-3, 4e-3], 4))
    np.testing.assert_allclose(table[0, [0, 1, 2, 5, 6]], [*[4 * np.pi] * 3, 0, -1], atol=1e-5)
    assert (table[1:, 6] > 0).all()
    head = path.read_text(encoding="utf-8")
    assert "# XSTEP: 0.0020000" in head
    assert "# Symmetry              43" in head
    assert table[:, 7].tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1]
    np.testing.assert_allclose(table[5, 5:7], [0.9, 1 / 3], atol=1e-4)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        orientation_map.to_ang(path)
    assert orientation_map.to_ang(path, overwrite=True) == path
    orientation_map.nav_axes[0].units = "s"
    with pytest.raises(ValueError, match="expected a scan in lengths"):
        orientation_map.to_ang(tmp_path / "other.ang")


def fake_orix() -> dict[str, types.ModuleType]:
    """As much of orix and diffpy as takes what is handed over."""

    def module(name: str, **content: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        made.__dict__.update(content)
        return made

    class Kept:
        def __init__(self, *args: Any, **options: Any) -> None:
            self.args, self.__dict__ = args, {"args": args, **options}

    return {
        "orix": module("orix"),
        "orix.crystal_map": module("orix.crystal_map", CrystalMap=Kept, PhaseList=Kept, Phase=Kept),
        "orix.quaternion": module("orix.quaternion", Rotation=Kept),
        "diffpy": module("diffpy"),
        "diffpy.structure": module("diffpy.structure", Atom=Kept, Lattice=Kept, Structure=Kept),
    }


def test_to_orix(orientation_map: OrientationMap, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "orix", None)
        patch.setitem(__import__("sys").modules, "orix.crystal_map", None)
        with pytest.raises(ImportError, match=r"this needs orix, .* pip install 'lazy4d\[orientation\]'"):
            orientation_map.to_orix()
    for name, module in fake_orix().items():
        monkeypatch.setitem(__import__("sys").modules, name, module)
    made = orientation_map.to_orix()
    assert made.rotations.args[0].shape == (12, 2, 4)
    assert made.phase_id.tolist() == [-1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert made.prop["scores"].shape == (12, 2)
    assert (made.scan_unit, made.y[-1]) == ("nm", 4)
    phases = made.phase_list.args[0]
    assert [phases[k].name for k in (0, 1)] == ["gold", "titanium"]
    assert (phases[0].point_group, phases[1].space_group) == ("m-3m", 194)
    assert len(phases[0].structure.atoms) == 4
    np.testing.assert_allclose(phases[1].structure.lattice.base, TITANIUM.base)


def test_axes_of_monoclinic_crystals_in_other_programs(
    orientation_map: OrientationMap, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Two-fold about b, which is y: neither 2/m of orix nor 2 of .ang files, which are about z."""
    for name, module in fake_orix().items():
        monkeypatch.setitem(__import__("sys").modules, name, module)
    options = MONOCLINIC.as_dict() | {"symmetry": 14}
    for phase in (MONOCLINIC, CrystalPhase(**options)):
        made = phase_to_orix(phase)
        assert made.point_group == "121"
        assert not hasattr(made, "space_group")
    other = CrystalPhase("x", (3, 3, 5, 90, 90, 120), 162, [("Cu", (0, 0, 0))])
    assert phase_to_orix(other).point_group == "312"
    assert groups.laue_group("121") == "2/m"
    orientation_map.metadata.set_item("OrientationMap.phases", [MONOCLINIC.as_dict(), other.as_dict()])
    head = orientation_map.to_ang(tmp_path / "m.ang").read_text(encoding="utf-8").splitlines()
    assert [line.split()[-1] for line in head if "# Symmetry" in line] == ["20", "312"]


def orix_like(phase: CrystalPhase) -> Any:
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    lattice = types.SimpleNamespace(**dict(zip(names, phase.lattice, strict=True)))

    class Structure(list):
        pass

    atoms = Structure(
        types.SimpleNamespace(element=e, xyz=p, occupancy=o, Bisoequiv=b) for e, p, o, b in phase.cell_atoms
    )
    atoms.lattice = lattice  # type: ignore[attr-defined]
    group = types.SimpleNamespace(number=phase.symmetry) if isinstance(phase.symmetry, int) else None
    point = types.SimpleNamespace(name=str(phase.symmetry))
    return types.SimpleNamespace(name=phase.name, space_group=group, point_group=point, structure=atoms)


def test_phases_of_orix() -> None:
    for phase in (GOLD, TITANIUM, TRICLINIC):
        back = phase_from_orix(orix_like(phase))
        assert back.laue == phase.laue
        hkl = [[1, 1, 1], [2, 0, 0]]
        np.testing.assert_allclose(np.abs(back.structure_factors(hkl)), np.abs(phase.structure_factors(hkl)), atol=1e-9)
    nothing = orix_like(GOLD)
    nothing.structure.clear()
    with pytest.raises(ValueError, match="with atoms in its structure"):
        phase_from_orix(nothing)
    nothing.space_group = nothing.point_group = None
    with pytest.raises(ValueError, match="space group or a point group"):
        phase_from_orix(nothing)


def test_libraries_of_diffsims(library: TemplateLibrary) -> None:
    """A simulation as diffsims has it, y upwards and electrons along -z: the same physics, so the same orientations."""
    flip = np.array([0.0, 1, 0, 0])

    class Spots:
        def __init__(self, data: Any, intensity: Any) -> None:
            self.data, self.intensity = data, intensity

    theirs = []
    for n in range(library.size):
        frame = library.spots.frame(n)
        place = np.column_stack([frame["kx"], -frame["ky"], np.zeros(len(frame["kx"]))])
        theirs.append(Spots(np.vstack([place, [0, 0, 0]]), np.append(frame["intensity"], 99.0)))
    generator = types.SimpleNamespace(wavelength=0.025079340436)
    turned = types.SimpleNamespace(data=turns.multiply(library.orientations, -flip))
    simulation = types.SimpleNamespace(
        num_phases=1, phases=orix_like(GOLD), rotations=turned, coordinates=np.array(theirs),
        simulation_generator=generator,
    )  # fmt: skip
    made = from_diffsims(simulation, excitation_error=0.008, precession=1.0)
    assert made.beam_energy == pytest.approx(200, abs=0.01)
    np.testing.assert_allclose(np.abs((made.orientations * library.orientations).sum(axis=1)), 1, atol=1e-9)
    for name in ("ky", "kx", "intensity"):
        np.testing.assert_allclose(made.spots[name], library.spots[name])
