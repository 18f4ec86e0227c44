"""Specimens: where, and how strongly, a beam that enters at a scan position is diffracted, with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SCATTERED = 0.6  # largest share of the beam that goes into Bragg disks


class Specimen(Protocol):
    """What a simulated scan asks of a specimen; positions are (y, x) in [0, 1] across the scan."""

    def disks(self, where: Floats) -> tuple[Floats, Floats]:
        """Bragg disks at positions (n, 2): offsets (y, x) from the beam (n, m, 2), pixels, and shares (n, m) of it."""
        ...

    def truth(self, where: Floats) -> dict[str, NDArray[Any]]:
        """Arrays whose first axis runs over positions (n, 2)."""
        ...

    def facts(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold for the whole scan."""
        ...


def rotation(angle: Floats | float) -> Floats:
    """Matrices [..., 2, 2] that turn (y, x) columns by `angle` radians, from x towards y.

    Examples
    --------
    >>> rotation(np.pi / 2).round(12) @ [0.0, 1.0]
    array([1., 0.])
    """
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)


def lattice_points(vectors: Floats, reach: float) -> tuple[NDArray[np.int64], Floats]:
    """Indices (m, 2) of all points h·a + k·b with 0 < length ≤ reach, and their weights (m,).

    Weights fall with length, are equal for opposite points and sum to 1.

    Examples
    --------
    >>> points, weights = lattice_points(np.eye(2), 1.0)
    >>> points.tolist()
    [[-1, 0], [0, -1], [0, 1], [1, 0]]
    >>> weights
    array([0.25, 0.25, 0.25, 0.25])
    """
    shortest = np.abs(np.linalg.det(vectors)) / np.linalg.norm(vectors, axis=1).max()
    n = int(reach / shortest) + 1
    grid = np.stack(np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1), indexing="ij"), -1).reshape(-1, 2)
    lengths = np.linalg.norm(grid @ vectors, axis=1)
    chosen = (lengths > 0) & (lengths <= reach * (1 + 1e-9))
    weights = np.exp(-2 * (lengths[chosen] / reach) ** 2)
    return grid[chosen], weights / max(weights.sum(), 1e-300)


@dataclass(frozen=True)
class Vacuum:
    """No specimen: the direct beam alone."""

    def disks(self, where: Floats) -> tuple[Floats, Floats]:
        """Nothing: arrays (n, 0, 2) and (n, 0)."""
        return np.zeros((len(where), 0, 2)), np.zeros((len(where), 0))

    def truth(self, where: Floats) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def facts(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Crystal:
    """One perfect crystal everywhere.

    Parameters
    ----------
    spacing : float
        Length of both reciprocal lattice vectors, pixels.
    reach : float
        Length of the longest diffraction vector, pixels.
    angle : float
        Direction of the first vector from x towards y, radians.
    opening : float
        Angle between the two vectors, radians.
    """

    spacing: float
    reach: float
    angle: float = 0.2
    opening: float = np.pi / 2

    @cached_property
    def vectors(self) -> Floats:
        """Reciprocal lattice vectors as rows, (y, x) in pixels."""
        angles = np.array([self.angle, self.angle + self.opening])
        return self.spacing * np.stack([np.sin(angles), np.cos(angles)], -1)

    @cached_property
    def _points(self) -> tuple[NDArray[np.int64], Floats]:
        return lattice_points(self.vectors, self.reach)

    def disks(self, where: Floats) -> tuple[Floats, Floats]:
        """Return the same disks at every position."""
        points, weights = self._points
        offsets = np.broadcast_to(points @ self.vectors, (len(where), len(points), 2))
        return offsets, np.broadcast_to(SCATTERED * weights, (len(where), len(points)))

    def truth(self, where: Floats) -> dict[str, NDArray[Any]]:
        """`lattice_vectors` (n, 2, 2): rows are vectors, (y, x) in pixels."""
        return {"lattice_vectors": np.broadcast_to(self.vectors, (len(where), 2, 2)).copy()}

    def facts(self) -> dict[str, NDArray[Any]]:
        """`reference_lattice` (2, 2)."""
        return {"reference_lattice": self.vectors.copy()}


@dataclass(frozen=True)
class Grains:
    """Round grains of one lattice, each turned by its own angle, that overlap where their circles do.

    Parameters
    ----------
    lattice : Crystal
        The lattice at angle 0 of a grain.
    count : int
        Number of grains.
    seed : int
        Places, sizes and angles follow from it.
    """

    lattice: Crystal
    count: int = 6
    seed: int = 0

    @cached_property
    def placement(self) -> tuple[Floats, Floats, Floats]:
        """Centres (count, 2) and radii (count,) in [0, 1] across the scan, and angles (count,) in radians."""
        rng = np.random.default_rng([self.seed, 1])
        # A sunflower arrangement spreads the grains; jitter hides its regularity.
        turn = np.pi * (3 - np.sqrt(5)) * np.arange(self.count) + rng.uniform(0, 2 * np.pi)
        distance = 0.42 * np.sqrt((np.arange(self.count) + 0.5) / self.count)
        centers = 0.5 + np.stack([np.sin(turn), np.cos(turn)], -1) * distance[:, None]
        centers += rng.uniform(-0.05, 0.05, centers.shape)
        radii = rng.uniform(0.45, 0.65, self.count) / np.sqrt(self.count)
        return centers, radii, rng.uniform(0, np.pi / 2, self.count)

    def thickness(self, where: Floats) -> Floats:
        """Thickness (n, count) of every grain at positions (n, 2): a sphere seen from above, 1 at its centre."""
        centers, radii, _ = self.placement
        distance = np.linalg.norm(where[:, None] - centers, axis=-1) / radii
        return np.sqrt(np.maximum(1 - distance**2, 0))

    def disks(self, where: Floats) -> tuple[Floats, Floats]:
        """Return the disks of all grains; those of a grain that is not there have share 0."""
        points, weights = self.lattice._points
        turned = (points @ self.lattice.vectors) @ np.swapaxes(rotation(self.placement[2]), -1, -2)
        thickness = self.thickness(where)
        total = thickness.sum(1, keepdims=True)
        # Thicker specimens scatter more, but never more than SCATTERED; grains share it by their thickness.
        share = SCATTERED * -np.expm1(-1.5 * total) * thickness / np.where(total > 0, total, 1)
        m = self.count * len(points)
        offsets = np.broadcast_to(turned.reshape(m, 2), (len(where), m, 2))
        return offsets, (share[:, :, None] * weights).reshape(len(where), m)

    def truth(self, where: Floats) -> dict[str, NDArray[Any]]:
        """`grain_thickness` (n, count) and `thickness` (n,), 1 at the centre of a single grain."""
        thickness = self.thickness(where)
        return {"grain_thickness": thickness, "thickness": thickness.sum(1)}

    def facts(self) -> dict[str, NDArray[Any]]:
        """`grain_angles` (count,) in radians, `reference_lattice` (2, 2)."""
        return {"grain_angles": self.placement[2].copy(), **self.lattice.facts()}


@dataclass(frozen=True)
class StrainedParticle:
    """A round particle in vacuum whose lattice is strained and turned smoothly across it.

    Parameters
    ----------
    lattice : Crystal
        The lattice where strain and rotation are 0: at the centre of the particle.
    strain : float
        Largest strain inside the particle, dimensionless.
    turn : float
        Largest rotation inside the particle, radians, from x towards y.
    radius : float
        Radius in [0, 1] across the scan.

    Notes
    -----
    In real space r' = F r with F = R U (polar decomposition), strain U - 1 and rotation R; reciprocal vectors as rows
    follow G' = G F⁻¹. The strain components vary linearly with position and are exact, not small-strain, values.
    """

    lattice: Crystal
    strain: float = 0.02
    turn: float = 0.02
    radius: float = 0.45

    def fields(self, where: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Return inside (n,), strain tensors U - 1 (n, 2, 2) in (y, x) order, rotations (n,) at positions (n, 2)."""
        y, x = np.moveaxis((where - 0.5) / self.radius, -1, 0)
        strain = self.strain * np.stack([np.stack([-0.5 * x, 0.3 * y], -1), np.stack([0.3 * y, x], -1)], -2)
        return y * y + x * x < 1, strain, self.turn * y

    def vectors(self, where: Floats) -> Floats:
        """Return the lattice vectors (n, 2, 2) as rows, (y, x) in pixels."""
        _, strain, angle = self.fields(where)
        return self.lattice.vectors @ np.linalg.inv(rotation(angle) @ (np.eye(2) + strain))

    def disks(self, where: Floats) -> tuple[Floats, Floats]:
        """Return the disks of the strained lattice; outside the particle their share is 0."""
        points, weights = self.lattice._points
        inside, _, _ = self.fields(where)
        return points @ self.vectors(where), SCATTERED * inside[:, None] * weights

    def truth(self, where: Floats) -> dict[str, NDArray[Any]]:
        """`inside` (n,), and NaN outside: `strain` (n, 2, 2) in (y, x) order, `rotation` (n,), `lattice_vectors`."""
        inside, strain, angle = self.fields(where)
        fields = {"strain": strain, "rotation": angle, "lattice_vectors": self.vectors(where)}
        for field in fields.values():
            field[~inside] = np.nan
        return {"inside": inside, **fields}

    def facts(self) -> dict[str, NDArray[Any]]:
        """`reference_lattice` (2, 2)."""
        return self.lattice.facts()
