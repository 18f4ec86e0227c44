"""`CrystalPhase`: a crystal as diffraction sees it: its lattice, its symmetry and the atoms in its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.orientation.parameters import above_zero
from lazy4d.signals.orientation.symmetry import laue_group, proper_rotations
from lazy4d.signals.pair_distribution.scattering import scattering_factor

Floats = NDArray[np.float64]

_CENTERINGS: dict[str, list[tuple[float, float, float]]] = {
    "P": [(0, 0, 0)],
    "I": [(0, 0, 0), (0.5, 0.5, 0.5)],
    "F": [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)],
    "A": [(0, 0, 0), (0, 0.5, 0.5)],
    "B": [(0, 0, 0), (0.5, 0, 0.5)],
    "C": [(0, 0, 0), (0.5, 0.5, 0)],
    "R": [(0, 0, 0), (2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)],
}


@dataclass(frozen=True, eq=False)
class CrystalPhase:
    """A crystal: name, lattice, symmetry, atoms.

    Parameters
    ----------
    name : str
        For tables and maps.
    lattice : float or sequence of float
        Å and degrees: ``a`` of a cubic cell, or ``(a, b, c, alpha, beta, gamma)``.
    symmetry : str or int
        A point group such as "m-3m" or "6mm", or the number of a space group; what counts is the Laue group it
        belongs to.
    atoms : sequence of (element, (x, y, z)), optionally with occupancy and B
        All atoms of the cell, but for those that `centering` adds: the symbol, fractions of a, b and c, the share of
        cells that have it (1), and the factor of Debye and Waller B (0), Å².
    centering : str
        "P", "I", "F", "A", "B", "C" or "R" (on hexagonal axes): every atom is repeated accordingly.

    Raises
    ------
    ValueError
        A cell, a symmetry or atoms that cannot be; or atoms that are not as symmetric as `symmetry` says (found when
        reflections are asked for).

    Notes
    -----
    Vectors are given in axes x along a, z along c*, in Å or 1/Å.

    Examples
    --------
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> gold
    <CrystalPhase gold: m-3m, 4.078 4.078 4.078 Å, 90 90 90°, 4 atoms>
    >>> gold.reflections(0.5).hkl.shape, gold.reflections(0.5).k.round(4).max()
    ((14, 3), np.float64(0.4904))
    """

    name: str
    lattice: Any
    symmetry: str | int
    atoms: Any
    centering: str = "P"

    def __post_init__(self) -> None:
        """Check and complete what was given."""
        try:
            cell = np.asarray(self.lattice, np.float64).reshape(-1)
        except (TypeError, ValueError):
            cell = np.empty(0)
        if cell.size == 1:
            cell = np.array([cell[0]] * 3 + [90.0] * 3)
        if cell.size != 6 or not (np.isfinite(cell).all() and (cell[:3] > 0).all() and _closes(cell[3:])):
            raise ValueError(
                "expected lattice as a (cubic) or (a, b, c, alpha, beta, gamma) in Å and degrees, of a cell with a "
                f"volume; found {self.lattice!r}"
            )
        if self.centering not in _CENTERINGS:
            raise ValueError(f"expected centering as one of {', '.join(_CENTERINGS)}, found {self.centering!r}")
        object.__setattr__(self, "lattice", tuple(cell.tolist()))
        if isinstance(self.atoms, str) or not hasattr(self.atoms, "__iter__"):
            raise ValueError(f"expected atoms as a list of (element, (x, y, z)), found {self.atoms!r}")
        object.__setattr__(self, "atoms", tuple(_atom(one) for one in self.atoms))
        if not self.atoms:
            raise ValueError(f"expected at least one atom in the cell of {self.name!r}, found none")
        laue_group(self.symmetry)

    @property
    def laue(self) -> str:
        """The Laue group."""
        return laue_group(self.symmetry)

    @cached_property
    def base(self) -> Floats:
        """The vectors a, b and c, rows [3, 3], Å."""
        (a, b, c), (alpha, beta, gamma) = self.lattice[:3], np.radians(self.lattice[3:])
        cosine = (np.cos(alpha) * np.cos(beta) - np.cos(gamma)) / (np.sin(alpha) * np.sin(beta))  # of gamma*
        reciprocal = np.arccos(np.clip(cosine, -1, 1))
        rows = np.array(
            [
                [a * np.sin(beta), 0, a * np.cos(beta)],
                [-b * np.sin(alpha) * np.cos(reciprocal), b * np.sin(alpha) * np.sin(reciprocal), b * np.cos(alpha)],
                [0, 0, c],
            ]
        )
        x, z = rows[0] / a, np.cross(rows[0], rows[1])
        z /= np.linalg.norm(z)
        found: Floats = rows @ np.stack([x, np.cross(z, x), z]).T
        found[np.abs(found) < 1e-12 * max(a, b, c)] = 0
        return found

    @cached_property
    def reciprocal(self) -> Floats:
        """The vectors a*, b* and c*, rows [3, 3], 1/Å, without 2π."""
        return np.asarray(np.linalg.inv(self.base).T, np.float64)

    @property
    def cell_atoms(self) -> list[tuple[str, tuple[float, float, float], float, float]]:
        """All atoms of the cell: element, place in fractions, occupancy, B."""
        shifts = _CENTERINGS[self.centering]
        return [
            (element, (x + dx, y + dy, z + dz), share, b)
            for element, (x, y, z), share, b in self.atoms
            for dx, dy, dz in shifts
        ]

    def structure_factors(self, hkl: Any) -> NDArray[np.complex128]:
        """The structure factors [...] of reflections [..., 3], Å: ``Σ f exp(-B k²/4) exp(2πi h·r)``.

        The f are those of Lobato and Van Dyck (`scattering_factor`), without relativistic correction.

        Examples
        --------
        >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
        >>> np.abs(gold.structure_factors([[1, 0, 0], [1, 1, 1]])).round(2) + 0.0
        array([ 0.  , 27.03])
        """
        indices = np.asarray(hkl, np.float64)
        k = np.linalg.norm(indices @ self.reciprocal, axis=-1)
        factors = np.zeros(k.shape, np.complex128)
        strength = {atom[0]: scattering_factor(atom[0], k) for atom in self.atoms}
        for element, place, share, b in self.cell_atoms:
            phase = np.exp(2j * np.pi * (indices @ np.asarray(place)))
            factors += share * strength[element] * np.exp(-b * k**2 / 4) * phase
        return factors

    def reflections(self, k_max: float) -> Reflections:
        """All reflections up to `k_max`, 1/Å, that the structure does not extinguish.

        Raises
        ------
        ValueError
            No reflections, or intensities that do not have the symmetry.
        """
        above_zero("k_max", k_max, "1/Å")
        longest = np.floor(k_max * np.linalg.norm(self.base, axis=1)).astype(int)  # |h| = |g·a| <= k |a|
        hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in longest), indexing="ij"), -1).reshape(-1, 3)
        g = hkl @ self.reciprocal
        k = np.linalg.norm(g, axis=1)
        inside = (k <= k_max) & (k > 0)
        hkl, g, k = hkl[inside], g[inside], k[inside]
        intensity = np.abs(self.structure_factors(hkl)) ** 2
        seen = intensity > 1e-6 * intensity.max(initial=0)
        if not seen.any():
            raise ValueError(f"{self!r} has no reflection up to {k_max:g} 1/Å: give a larger k_max")
        order = np.lexsort((*hkl[seen].T, np.round(k[seen], 9)))
        hkl, g, intensity = hkl[seen][order], g[seen][order], intensity[seen][order]
        self._check_symmetry(hkl, g, intensity)
        return Reflections(hkl, g, intensity)

    def _check_symmetry(self, hkl: NDArray[np.int64], g: Floats, intensity: Floats) -> None:
        from lazy4d.signals.orientation.quaternions import rotate

        table = {tuple(h): value for h, value in zip(hkl.tolist(), intensity.tolist(), strict=True)}
        for rotation in proper_rotations(self.laue):
            turned = rotate(rotation, g) @ self.base.T
            nearest = np.round(turned).astype(int)
            partner = np.array([table.get(tuple(h), 0.0) for h in nearest.tolist()])
            apart = np.abs(turned - nearest).max(axis=1) > 0.02  # of an index: cells are not measured better than that
            wrong = apart | (np.abs(partner - intensity) > 0.02 * intensity.max())
            if wrong.any():
                one = int(np.flatnonzero(wrong)[0])
                raise ValueError(
                    f"{self!r} is not as symmetric as {self.laue}: the equivalent of the reflection "
                    f"{tuple(hkl[one].tolist())} has another intensity or is none; check the lattice, and give all "
                    "atoms of the cell, or a lower symmetry"
                )

    def as_dict(self) -> dict[str, Any]:
        """What it was made of, as plain numbers and words; ``CrystalPhase(**phase.as_dict())`` is the same phase.

        Examples
        --------
        >>> CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], "F").as_dict()["atoms"]
        [['Au', [0.0, 0.0, 0.0], 1.0, 0.0]]
        """
        atoms = [[element, list(place), share, b] for element, place, share, b in self.atoms]
        symmetry = self.symmetry if isinstance(self.symmetry, str) else int(self.symmetry)
        return {
            "name": self.name,
            "lattice": list(self.lattice),
            "symmetry": symmetry,
            "atoms": atoms,
            "centering": self.centering,
        }

    def __repr__(self) -> str:
        a, b, c, *angles = self.lattice
        degrees = " ".join(f"{angle:.4g}" for angle in angles)
        cell = f"{a:.4g} {b:.4g} {c:.4g} Å, {degrees}°"
        return f"<CrystalPhase {self.name}: {self.laue}, {cell}, {len(self.cell_atoms)} atoms>"


@dataclass(frozen=True, eq=False)
class Reflections:
    """Reflections of a crystal: indices `hkl` int64 [m, 3], vectors `g` [m, 3] in 1/Å, `intensity` |F|² [m] in Å²."""

    hkl: NDArray[np.int64]
    g: Floats
    intensity: Floats

    @property
    def k(self) -> Floats:
        """Lengths of the vectors, 1/Å."""
        return np.asarray(np.linalg.norm(self.g, axis=1))


def phases_of(given: Any) -> tuple[CrystalPhase, ...]:
    """One phase or several, also as dictionaries of `CrystalPhase.as_dict`.

    Raises
    ------
    TypeError
        Something that is no phase.

    Examples
    --------
    >>> phases_of({"name": "iron", "lattice": 2.87, "symmetry": "m-3m", "atoms": [("Fe", (0, 0, 0))]})
    (<CrystalPhase iron: m-3m, 2.87 2.87 2.87 Å, 90 90 90°, 1 atoms>,)
    """
    several: Sequence[Any] = [given] if isinstance(given, CrystalPhase | Mapping) else list(given)
    made = tuple(CrystalPhase(**one) if isinstance(one, Mapping) else one for one in several)
    wrong = [one for one in made if not isinstance(one, CrystalPhase)]
    if wrong or not made:
        raise TypeError(f"expected a CrystalPhase, or several, found {wrong[0] if wrong else given!r}")
    return made


def _closes(angles: Floats) -> bool:
    """Whether three angles between edges, degrees, span a volume."""
    cosines = np.cos(np.radians(angles))
    return bool((angles > 0).all() and 1 + 2 * cosines.prod() - (cosines**2).sum() > 1e-9)


def _atom(given: Any) -> tuple[str, tuple[float, ...], float, float]:
    try:
        element, place, *rest = given
        share, b = (*[float(value) for value in rest], *(1.0, 0.0)[len(rest) :])
        made = str(element), tuple(float(value) for value in place), share, b
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected an atom as (element, (x, y, z)), (…, occupancy) or (…, occupancy, B), found {given!r}"
        ) from error
    if len(made[1]) != 3 or not np.isfinite([*made[1], b]).all() or not 0 < share <= 1 or b < 0:
        raise ValueError(f"expected an atom at (x, y, z), of occupancy in (0, 1] and B of at least 0, found {given!r}")
    scattering_factor(made[0], 0.0)
    return made
