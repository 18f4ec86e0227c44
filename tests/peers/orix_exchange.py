"""Orientations, colours, crystal maps and libraries compared with orix and diffsims, in an environment that has them.

By hand: ``python tests/peers/orix_exchange.py`` with a Python that has orix, diffsims and what lazy4d needs.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np


def expect(what: str, found, expected, atol: float = 1e-9) -> None:
    worst = float(np.abs(np.asarray(found, float) - np.asarray(expected, float)).max())
    if not worst <= atol:
        raise SystemExit(f"{what}: differs by {worst:g}, at most {atol:g} expected")


def turns_alike(what: str, found, expected, atol: float = 1e-9) -> None:
    """Quaternions, but for their sign."""
    a, b = np.asarray(found, float), np.asarray(expected, float)
    expect(what, np.abs((a * b).sum(axis=-1)), 1.0, atol)


def check_rotations() -> None:
    from orix.quaternion import Rotation
    from orix.vector import Vector3d

    from lazy4d.signals.orientation import quaternions as ours

    q, p = ours.random_orientations(50, 1), ours.random_orientations(50, 2)
    vectors = np.random.default_rng(3).normal(size=(50, 3))
    theirs = Rotation(q)
    expect("turned vectors", ours.rotate(q, vectors), (theirs * Vector3d(vectors)).data)
    turns_alike("products", ours.multiply(q, p), (theirs * Rotation(p)).data)
    expect("matrices", ours.matrices(q), theirs.to_matrix())
    angles = np.random.default_rng(4).uniform([0, 1, 0], [360, 179, 360], (50, 3))
    turns_alike("from Euler", ours.from_euler(angles), Rotation.from_euler(angles, degrees=True).data)
    expect("to Euler", ours.to_euler(q), np.degrees(theirs.to_euler()) % 360, 1e-6)


def check_symmetry() -> None:
    from orix.quaternion import Misorientation, Orientation, symmetry

    from lazy4d.signals.orientation import quaternions as ours
    from lazy4d.signals.orientation import symmetry as groups

    names = {
        "-1": symmetry.C1, "mmm": symmetry.D2, "4/m": symmetry.C4, "4/mmm": symmetry.D4, "-3": symmetry.C3,
        "-3m": symmetry.D3, "6/m": symmetry.C6, "6/mmm": symmetry.D6, "m-3": symmetry.T, "m-3m": symmetry.O,
    }  # fmt: skip
    a, b = ours.random_orientations(40, 5), ours.random_orientations(40, 6)
    for laue, theirs in names.items():
        mine = groups.proper_rotations(laue)
        if len(mine) != theirs.size:
            raise SystemExit(f"{laue}: {len(mine)} rotations, orix has {theirs.size}")
        expect(f"rotations of {laue}", np.abs(mine @ theirs.data.reshape(-1, 4).T).max(axis=1), 1.0)
        angle = Orientation(a, symmetry=theirs).angle_with(Orientation(b, symmetry=theirs), degrees=True)
        expect(f"misorientation in {laue}", groups.misorientation_angle(a, b, laue), angle, 1e-6)
        reduced = Orientation(a, symmetry=theirs).reduce()
        smallest = np.degrees(Misorientation(reduced.data).angle)
        ours_reduced = np.degrees(2 * np.arccos(np.clip(groups.reduce_orientations(a, laue)[:, 0], -1, 1)))
        expect(f"smallest angle in {laue}", ours_reduced, smallest, 1e-5)


def check_colors() -> None:
    from orix.plot import IPFColorKeyTSL
    from orix.quaternion import Orientation, symmetry
    from orix.vector import Vector3d

    from lazy4d.signals.orientation import colors
    from lazy4d.signals.orientation import quaternions as ours

    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [-1, 1, 1], [0, -1, 1], [0, 1, 0]], float)
    q = ours.random_orientations(300, 7)
    for laue, group in {"m-3m": symmetry.Oh, "6/mmm": symmetry.D6h, "4/mmm": symmetry.D4h, "mmm": symmetry.D2h}.items():
        key = IPFColorKeyTSL(group, direction=Vector3d.zvector())
        theirs = key.orientation2color(Orientation(q, symmetry=group))
        mine = colors.ipf_colors(ours.rotate(q, [0.0, 0, 1]), laue)
        told = np.abs(theirs - mine).max(axis=1)
        sys.stdout.write(f"colours of {laue}: differ by {np.median(told):.3f} (median), {told.max():.3f} at most\n")
        if np.median(told) > 0.15:
            raise SystemExit(f"colours of {laue} are not those of orix")
    theirs = IPFColorKeyTSL(symmetry.Oh).direction_color_key.direction2color(Vector3d(corners))
    expect("colours of the corners", colors.ipf_colors(corners, "m-3m"), theirs, 0.02)


def phases():
    from lazy4d.signals.orientation import CrystalPhase

    return [
        CrystalPhase("gold", 4.0782, 225, [("Au", (0, 0, 0))], centering="F"),
        CrystalPhase("triclinic", (3, 4, 5, 80, 95, 110), "-1", [("Au", (0, 0, 0)), ("Cu", (0.2, 0.3, 0.4), 0.7, 0.5)]),
        CrystalPhase("hcp", (2.95, 2.95, 4.68, 90, 90, 120), 194,
                     [("Ti", (1 / 3, 2 / 3, 0.25)), ("Ti", (2 / 3, 1 / 3, 0.75))]),
        CrystalPhase("monoclinic", (3.5, 4, 5, 90, 105, 90), 14, [("Cu", (0, 0, 0)), ("O", (0.5, 0, 0.5))]),
        CrystalPhase("trigonal", (3, 3, 5, 90, 90, 120), 162, [("Cu", (0, 0, 0))]),
    ]  # fmt: skip


def check_phases() -> None:
    from orix.quaternion import Orientation

    from lazy4d.signals.orientation import phase_from_orix, phase_to_orix
    from lazy4d.signals.orientation import quaternions as ours
    from lazy4d.signals.orientation.symmetry import misorientation_angle

    a, b = ours.random_orientations(40, 11), ours.random_orientations(40, 12)

    for phase in phases():
        theirs = phase_to_orix(phase)
        expect(f"axes of {phase.name}", phase.base, theirs.structure.lattice.base, 1e-9)
        back = phase_from_orix(theirs)
        hkl = np.array([[1, 1, 1], [2, 0, 0], [1, 0, -2]])
        expect(f"{phase.name} back", np.abs(back.structure_factors(hkl)), np.abs(phase.structure_factors(hkl)), 1e-9)
        if back.laue != phase.laue:
            raise SystemExit(f"{phase.name}: {back.laue}, expected {phase.laue}")
        turns = theirs.point_group.proper_subgroup
        angle = Orientation(a, symmetry=turns).angle_with(Orientation(b, symmetry=turns), degrees=True)
        expect(f"misorientation of {phase.name}", misorientation_angle(a, b, phase.laue), angle, 1e-6)


def check_diffsims() -> None:
    from diffsims.generators.simulation_generator import SimulationGenerator
    from orix.quaternion import Rotation

    from lazy4d.signals.orientation import CrystalPhase, from_diffsims, phase_to_orix, simulate_spots
    from lazy4d.signals.orientation import quaternions as ours

    generator = SimulationGenerator(200)
    q = ours.random_orientations(12, 8)
    for phase in phases():
        # Of the bare lattice: diffsims and we do not agree on everything that is extinct.
        lattice = CrystalPhase("lattice", phase.lattice, "-1", [("Au", (0, 0, 0))])
        simulation = generator.calculate_diffraction2d(
            phase_to_orix(lattice),
            Rotation(q),
            reciprocal_radius=1.2,
            max_excitation_error=0.02,
            with_direct_beam=False,
        )
        library = from_diffsims(simulation)
        expect(f"energy of {phase.name}", library.beam_energy, 200.0, 0.01)
        # The same spots, no more and no less: the sphere is bent to the same side.
        spots = simulate_spots(lattice, library.orientations, k_max=1.2, excitation_error=0.02 / 3)
        for n in range(len(q)):
            sets = []
            for one in (library.spots.frame(n), spots.frame(n)):
                places = np.round(np.column_stack([one["ky"], one["kx"]]), 5) + 0.0
                sets.append(sorted(map(tuple, places.tolist())))
            if sets[0] != sets[1]:
                raise SystemExit(f"{phase.name}: diffsims has {len(sets[0])} spots, we have {len(sets[1])} others")


def check_map(folder: Path) -> None:
    from orix import io

    import lazy4d as l4
    from lazy4d.signals.orientation import OrientationMap
    from lazy4d.signals.orientation import quaternions as ours

    known = phases()
    rows = np.empty((3, 4, 2, 6))
    rows[..., :4] = ours.random_orientations(24, 9).reshape(3, 4, 2, 4)
    rows[..., 4], rows[..., 5] = [0.9, 0.6], 0
    rows[1, :, :, 5], rows[2, :, :, 5] = 2, 3
    rows[0, 0] = np.nan
    axes = [
        l4.Axis(name="y", size=3, scale=2.0, offset=1.0, units="nm"), l4.Axis(name="x", size=4, scale=2.0, units="nm"),
        l4.Axis(name="answer", size=2, navigate=False), l4.Axis(name="column", size=6, navigate=False),
    ]  # fmt: skip
    ours_map = OrientationMap(rows, axes, {"OrientationMap": {"phases": [one.as_dict() for one in known]}})
    theirs = ours_map.to_orix()
    if (
        theirs.shape != (3, 4)
        or theirs.scan_unit != "nm"
        or list(theirs.phase_id) != [-1, *[0] * 3, *[2] * 4, *[3] * 4]
    ):
        raise SystemExit(f"crystal map: {theirs!r} {theirs.shape} {list(theirs.phase_id)}")
    turns_alike("crystal map", theirs.rotations.data.reshape(12, 2, 4)[1:], rows.reshape(12, 2, 6)[1:, :, :4])
    expect("answers of the crystal map", theirs.rotations_per_point, 2)
    read = io.load(ours_map.to_ang(folder / "map.ang"))
    if read.shape != (3, 4):
        raise SystemExit(f".ang: shape {read.shape}")
    turns_alike(".ang", read.rotations.data.reshape(12, 4)[1:], rows.reshape(12, 2, 6)[1:, 0, :4], 1e-7)
    expect(".ang x in µm", read.x, np.tile(np.arange(4) * 2e-3, 3), 1e-9)
    if read.scan_unit != "um" or list(read.prop) != ["iq", "ci", "detector_signal", "fit"]:
        raise SystemExit(f".ang: {read.scan_unit}, {list(read.prop)}")
    if list(read.phase_id) != [-1, *[1] * 3, *[3] * 4, *[4] * 4] or list(read.is_indexed) != [False] + [True] * 11:
        raise SystemExit(f".ang: phase numbers {list(read.phase_id)}")
    groups = {phase.name: phase.point_group.proper_subgroup.name for _, phase in read.phases if phase.point_group}
    if groups != {"gold": "432", "hcp": "622", "monoclinic": "121"}:
        raise SystemExit(f".ang: phases {groups}")


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_rotations, check_symmetry, check_colors, check_phases, check_diffsims):
            check()
        check_map(Path(folder))
    sys.stdout.write("orix and diffsims agree\n")


if __name__ == "__main__":
    main()
