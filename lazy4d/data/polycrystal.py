"""A simulated scan over grains of gold, each turned at random: known orientations, and what precession shows of them.

Written apart from the simulation that patterns are matched with: other scattering factors, other widths of reflections.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.spots import Spots, expected_counts

Floats = NDArray[np.float64]

_CELL = 4.0782  # Å, of gold
_SCREENING = 1.29  # 1/Å, of the potential of gold after Wentzel, Z^(1/3) / (2π a_H)
_DEBYE_WALLER = 0.6  # Å²
_WAVELENGTH = 0.0250793  # Å, at 200 kV
_CAMERA_POSITIONS = 48  # of the beam on its cone


@dataclass(frozen=True)
class Polycrystal:
    """Grains of gold under a precessing beam of 200 kV.

    Parameters
    ----------
    scan_shape : (rows, columns)
        Positions.
    frame_shape : (rows, columns)
        Pixels of a pattern; the direct beam is on ``N // 2``.
    scale : float
        Of a pixel, 1/Å.
    n_grains : int
        Grains, cells about random points.
    disk_radius : float
        Pixels.
    dose : float
        Electrons in a pattern.
    thickness : float
        Å.
    precession : float
        Half angle of the cone, degrees.
    background : float
        Share of the electrons that lie about the direct beam, as a Gaussian.
    seed : int
        Of grains, orientations and noise.

    Examples
    --------
    >>> from lazy4d.data.polycrystal import Polycrystal
    >>> grains = Polycrystal((6, 8), n_grains=4)
    >>> grains.orientations.shape, grains.frames().shape
    ((6, 8, 4), (6, 8, 128, 128))
    """

    scan_shape: tuple[int, int] = (32, 48)
    frame_shape: tuple[int, int] = (128, 128)
    scale: float = 0.026
    n_grains: int = 24
    disk_radius: float = 3.0
    dose: float = 2e5
    thickness: float = 120.0
    precession: float = 1.0
    background: float = 0.1
    seed: int = 0

    @cached_property
    def grains(self) -> NDArray[np.int64]:
        """The number of the grain at each position [*scan_shape]."""
        rng = np.random.default_rng([self.seed, 1])
        points = rng.random((self.n_grains, 2)) * self.scan_shape
        where = np.stack(np.meshgrid(*map(np.arange, self.scan_shape), indexing="ij"), axis=-1)
        apart: Floats = ((where[..., None, :] + 0.5 - points) ** 2).sum(axis=-1)
        return np.asarray(apart.argmin(axis=-1), np.int64)

    @cached_property
    def grain_orientations(self) -> Floats:
        """Unit quaternions [n_grains, 4] that take the sample's axes (+kx, +ky, along the beam) to the crystal's."""
        q = np.random.default_rng([self.seed, 2]).normal(size=(self.n_grains, 4))
        normed: Floats = q / np.linalg.norm(q, axis=1, keepdims=True)
        return normed

    @property
    def orientations(self) -> Floats:
        """The orientation at each position [*scan_shape, 4]."""
        return self.grain_orientations[self.grains]

    @cached_property
    def grain_vectors(self) -> list[Floats]:
        """The disks of each grain, the direct beam first: [number, 3], ky and kx in pixels, share of the electrons."""
        return [self._disks(q) for q in self.grain_orientations]

    def vectors(self, noise: float = 0.0, intensity_noise: float = 0.0) -> list[Floats]:
        """The disks at each position, in scan order: arrays [number, 3], ky and kx in pixels, and electrons.

        Parameters
        ----------
        noise : float
            Standard deviation of each coordinate, pixels.
        intensity_noise : float
            Standard deviation of the electrons' logarithm.
        """
        rng = np.random.default_rng([self.seed, 3])
        made = []
        for grain in self.grains.ravel():
            disks = self.grain_vectors[grain] * [1, 1, self.dose]
            disks[:, :2] += rng.normal(0, noise, (len(disks), 2))
            disks[:, 2] *= np.exp(rng.normal(0, intensity_noise, len(disks)))
            made.append(disks)
        return made

    def frames(self) -> NDArray[np.uint16]:
        """Patterns [*scan_shape, *frame_shape] with the noise of counting."""
        rng = np.random.default_rng([self.seed, 4])
        expected = [self._expected(disks) for disks in self.grain_vectors]
        result = np.empty((*self.scan_shape, *self.frame_shape), np.uint16)
        for index in np.ndindex(*self.scan_shape):
            result[index] = np.minimum(rng.poisson(expected[self.grains[index]]), 65535)
        return result

    def _expected(self, disks: Floats) -> Floats:
        electrons = self.dose * (1 - self.background) * disks[:, 2]
        halo = self.dose * self.background
        spots = Spots(disks[:, :2], electrons, self.disk_radius, halo, halo_sigma=min(self.frame_shape) / 6)
        return expected_counts(spots, self.frame_shape)

    def _disks(self, q: Floats) -> Floats:
        w, (x, y, z) = q[0], q[1:]
        turned = np.array(  # rows: the sample's axes in the crystal
            [
                [w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)],
                [2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x)],
                [2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z],
            ]
        )
        longest = max(self.frame_shape) / 2 * self.scale
        n = int(longest * _CELL) + 1
        hkl = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        face_centred = (hkl % 2 == hkl[:, :1] % 2).all(axis=1) & (hkl != 0).any(axis=1)
        g = hkl[face_centred] / _CELL @ turned.T
        square = (g**2).sum(axis=1)
        azimuth = np.arange(_CAMERA_POSITIONS) * 2 * np.pi / _CAMERA_POSITIONS
        tilt = np.radians(self.precession) * np.stack([np.cos(azimuth), np.sin(azimuth)])
        error = (-g[:, 2] - square * _WAVELENGTH / 2)[:, None] + g[:, :2] @ tilt
        shown = (np.sinc(error * self.thickness) ** 2).mean(axis=1)
        factor = np.exp(-_DEBYE_WALLER * square / 4) / (square + _SCREENING**2)
        strength = factor**2 * shown
        centre = np.array(self.frame_shape) // 2
        place = centre + g[:, 1::-1] / self.scale
        far = np.abs(place - centre).max(axis=1) < centre.min() - self.disk_radius - 1
        seen = far & (strength > 2e-3 * strength[far].max(initial=0))
        share = 0.4 * strength[seen] / strength[seen].sum() if seen.any() else strength[seen]
        beam = [[*centre.astype(float), 1 - share.sum()]]
        return np.concatenate([beam, np.column_stack([place[seen], share])])
