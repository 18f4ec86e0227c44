"""Where the disks of one frame are: scattered with a smallest distance between them, or on a lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.spots import Floats

DARTS = (50, 500, 5000)
"""Places tried for each disk, at once, before the others are laid anew."""
ATTEMPTS = 30


@dataclass(frozen=True, eq=False)
class Disks:
    """Centres [m, 2] = (y, x) in pixels, and indices (h, k) [m, 2] on a lattice, 0 where there is none."""

    centers: Floats
    indices: NDArray[np.int64]


def scattered_disks(
    shape: tuple[int, int],
    number: int,
    separation: float,
    margin: float,
    first: Floats | None,
    rng: np.random.Generator,
) -> Disks:
    """Centres at random, no two nearer than `separation`.

    Parameters
    ----------
    shape : tuple of int
        Frame (ky, kx).
    number : int
        How many disks.
    separation : float
        Smallest distance between centres, pixels.
    margin : float
        Smallest distance of a centre from the outer edge of the frame, pixels.
    first : ndarray of float64 [2], optional
        Where the first of them is.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Disks
        The disks, in the order in which they were laid.

    Raises
    ------
    ValueError
        They do not fit.

    Examples
    --------
    >>> disks = scattered_disks((64, 64), 8, 12.0, 5.0, None, np.random.default_rng(0))
    >>> apart = np.linalg.norm(disks.centers[:, None] - disks.centers, axis=-1)
    >>> bool((apart[~np.eye(8, dtype=bool)] >= 12).all())
    True
    """
    low, high = margin - 0.5, np.asarray(shape) - 0.5 - margin
    if (high < low).any() and number > (first is not None):
        raise ValueError(f"a margin of {margin} pixels leaves no place for disks in frames of shape {shape}")
    start = np.zeros((0, 2)) if first is None else np.asarray(first, np.float64)[None]
    for _ in range(ATTEMPTS):
        placed = start[:number]
        while len(placed) < number:
            for darts in (rng.uniform(low, high, (count, 2)) for count in DARTS):
                apart = ((darts[:, None] - placed) ** 2).sum(axis=2)
                free = np.flatnonzero((apart >= separation**2).all(axis=1))
                if len(free):
                    break
            if not len(free):
                break
            placed = np.concatenate([placed, darts[free[:1]]])
        if len(placed) == number:
            return Disks(placed, np.zeros((number, 2), np.int64))
    raise ValueError(
        f"{number} disks with {separation} pixels between their centres do not fit into frames of shape {shape} with a "
        f"margin of {margin}: use fewer, a smaller separation or larger frames"
    )


def lattice_disks(origin: Floats, vectors: Floats, shape: tuple[int, int], margin: float, number: int | None) -> Disks:
    """The points ``origin + h a + k b`` on the frame, nearest to the origin first.

    Parameters
    ----------
    origin : ndarray of float64 [2]
        The point (0, 0) of the lattice, (y, x) in pixels.
    vectors : ndarray of float64 [2, 2]
        Lattice vectors as rows (y, x), pixels.
    shape : tuple of int
        Frame (ky, kx).
    margin : float
        Smallest distance of a centre from the outer edge of the frame, pixels.
    number : int, optional
        How many points at most; all by default.

    Returns
    -------
    Disks
        By their distance; equal ones by their indices.

    Examples
    --------
    >>> disks = lattice_disks(np.array([16.0, 16.0]), 10 * np.eye(2), (32, 32), 2.0, None)
    >>> disks.indices[:3].tolist(), disks.centers[:3].tolist()
    ([[0, 0], [-1, 0], [0, -1]], [[16.0, 16.0], [6.0, 16.0], [16.0, 6.0]])
    """
    size = np.asarray(shape, float)
    corners = np.array([[0, 0], [0, size[1]], [size[0], 0], size]) - origin
    reach = int(np.abs(corners @ np.linalg.inv(vectors)).max()) + 2
    grid = np.stack(np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1), indexing="ij"), -1)
    indices = grid.reshape(-1, 2)
    offsets = indices @ vectors
    centers = origin + offsets
    inside = ((centers >= margin - 0.5) & (centers <= size - 0.5 - margin)).all(axis=1)
    indices, centers, distance = indices[inside], centers[inside], np.linalg.norm(offsets[inside], axis=1)
    order = np.lexsort((indices[:, 1], indices[:, 0], distance.round(9)))[:number]
    return Disks(centers[order], indices[order])
