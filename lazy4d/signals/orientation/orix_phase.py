"""Crystals from and for orix, and libraries from diffsims. Both are optional: nothing here imports them by itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.orientation.crystal import CrystalPhase
from lazy4d.signals.orientation.library import TemplateLibrary
from lazy4d.signals.orientation.quaternions import multiply

_TURNS = {"2/m": "121", "-31m": "312"}
"""Laue groups whose axes in orix are others, and the group of orix that turns about the right ones."""


def orix_module(name: str) -> Any:
    """A module of orix, diffsims or what they need.

    Raises
    ------
    ImportError
        It is not installed: the error says how to.

    Examples
    --------
    >>> orix_module("no_such_module")
    Traceback (most recent call last):
    ImportError: this needs no_such_module, which is not installed: pip install 'lazy4d[orientation]'
    """
    try:
        return import_module(name)
    except ImportError as error:
        top = name.split(".")[0]
        raise ImportError(f"this needs {top}, which is not installed: pip install 'lazy4d[orientation]'") from error


def phase_from_orix(phase: Any, name: str | None = None) -> CrystalPhase:
    """A `CrystalPhase` of an ``orix.crystal_map.Phase`` with a structure.

    Parameters
    ----------
    phase : orix.crystal_map.Phase
        Anything that has its attributes `name`, `space_group` or `point_group`, and a `structure` with a lattice and
        all atoms of the cell.
    name : str, optional
        By default the phase's own.

    Raises
    ------
    ValueError
        No atoms, or no symmetry.
    """
    structure = phase.structure
    lattice = structure.lattice
    group = getattr(phase, "space_group", None)
    point = getattr(phase, "point_group", None)
    if group is None and point is None:
        raise ValueError(f"expected a phase with a space group or a point group, found {phase!r}: set one of them")
    symmetry: Any = int(group.number) if group is not None else str(point.name)  # type: ignore[union-attr]
    atoms = [
        (str(atom.element).rstrip("+-0123456789"), tuple(float(v) for v in atom.xyz), float(atom.occupancy),
         float(getattr(atom, "Bisoequiv", 0.0)))
        for atom in structure
    ]  # fmt: skip
    if not atoms:
        raise ValueError(f"expected a phase with atoms in its structure, found none in {phase!r}")
    cell = tuple(float(getattr(lattice, key)) for key in ("a", "b", "c", "alpha", "beta", "gamma"))
    return CrystalPhase(name or str(phase.name) or "phase", cell, symmetry, atoms)


def phase_to_orix(phase: CrystalPhase) -> Any:
    """An ``orix.crystal_map.Phase`` of a `CrystalPhase`, its structure with all atoms of the cell.

    Monoclinic crystals get the point group 121, and those of the Laue group -31m get 312, also where the number of
    their space group is known: orix would turn them about other axes (c, and a) than crystals in this setting have.

    Raises
    ------
    ImportError
        orix is not installed.
    """
    maps, structures = orix_module("orix.crystal_map"), orix_module("diffpy.structure")
    atoms = []
    for element, place, share, b in phase.cell_atoms:
        atoms.append(structures.Atom(element, list(place), occupancy=share))
        atoms[-1].Bisoequiv = b
    # In the axes that orix turns lattices to: it keeps atoms where they are in space, not in the cell.
    lattice = structures.Lattice(base=phase.base)
    structure = structures.Structure(lattice=lattice, atoms=atoms, title=phase.name)
    known: dict[str, Any] = {"point_group": _TURNS.get(phase.laue, phase.laue)}
    if not isinstance(phase.symmetry, str) and phase.laue not in _TURNS:
        known = {"space_group": int(phase.symmetry)}
    return maps.Phase(name=phase.name, structure=structure, **known)


def from_diffsims(simulation: Any, *, excitation_error: float = 0.02, precession: float = 0.0) -> TemplateLibrary:
    """A `TemplateLibrary` of a ``diffsims.simulations.Simulation2D``: all its phases and rotations.

    Simulate without the direct beam in all turns: ``calculate_diffraction2d(phase, rotations,
    with_direct_beam=False)``; one rotation a direction of the beam is enough.

    Parameters
    ----------
    simulation : diffsims.simulations.Simulation2D
        Anything that has its attributes `phases`, `rotations`, `coordinates`, `num_phases` and
        `simulation_generator.wavelength`.
    excitation_error, precession : float
        For refinement; see `TemplateLibrary`.

    Notes
    -----
    diffsims has y upwards in its patterns and electrons that fly along -z; here y is downwards and they fly along +z.
    Spots and orientations are turned by 180° about x, which is the same pattern, seen alike.
    """
    several = simulation.num_phases > 1
    phases = list(simulation.phases) if several else [simulation.phases]
    rotations = list(simulation.rotations) if several else [simulation.rotations]
    coordinates = list(simulation.coordinates) if several else [simulation.coordinates]
    quaternions, spots, numbers = [], [], []
    for number, (turns, patterns) in enumerate(zip(rotations, coordinates, strict=True)):
        data = np.asarray(turns.data, np.float64).reshape(-1, 4)
        quaternions.append(multiply(data, [0.0, 1, 0, 0]))
        numbers += [number] * len(data)
        for one in _patterns(patterns, len(data)):
            place = np.asarray(one.data, np.float64).reshape(-1, 3)
            rows = np.column_stack([-place[:, 1], place[:, 0], np.asarray(one.intensity, np.float64).reshape(-1)])
            # Extinct reflections are among them, with intensities of rounding errors.
            seen = (np.hypot(rows[:, 0], rows[:, 1]) > 1e-6) & (rows[:, 2] > 1e-6)
            spots.append(rows[seen])
    return TemplateLibrary(
        np.concatenate(quaternions),
        RaggedFrames.from_frames(spots),
        [phase_from_orix(one) for one in phases],
        numbers,
        beam_energy=_energy_of(float(simulation.simulation_generator.wavelength)),
        excitation_error=excitation_error,
        precession=precession,
    )


def _patterns(given: Any, n: int) -> list[Any]:
    """One set of spots a rotation; of a single rotation, it may come bare."""
    if hasattr(given, "intensity"):
        return [given] if n == 1 else [given[k] for k in range(n)]
    return list(given)


def _energy_of(wavelength_angstrom: float) -> float:
    """The beam energy, keV, of a wavelength, Å."""
    from lazy4d.units import wavelength

    low, high = 1.0, 5000.0
    for _ in range(80):  # the wavelength falls with the energy
        middle = (low + high) / 2
        low, high = (middle, high) if wavelength(middle) > wavelength_angstrom else (low, middle)
    return round((low + high) / 2, 3)
