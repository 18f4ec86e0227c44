"""Directions of the beam in a crystal, evenly spread over those that symmetry does not make equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.orientation.quaternions import rotate
from lazy4d.signals.orientation.symmetry import proper_rotations, reduce_directions

Floats = NDArray[np.float64]


def sample_directions(laue: str, step: float) -> Floats:
    """Unit vectors [n, 3] about `step` degrees apart, none equivalent to another by a rotation of the Laue group.

    A direction and its opposite are both there, as patterns along them are mirror images of each other.

    Parameters
    ----------
    laue : str
        Laue group.
    step : float
        Distance between neighbours, degrees.

    Raises
    ------
    ValueError
        A step that is not between 0.1 and 30.

    Notes
    -----
    Points of a spiral along which equal steps in height are golden sections of a turn apart (Á. González, Mathematical
    Geosciences 42 (2010) 49, doi 10.1007/s11004-009-9257-x), so that all groups are covered alike.

    Examples
    --------
    >>> directions = sample_directions("m-3m", 5.0)
    >>> directions.shape
    (81, 3)
    """
    if not 0.1 <= step <= 30:
        raise ValueError(f"expected a step between directions from 0.1 to 30 degrees, found {step!r}")
    n = int(np.ceil(4 * np.pi / (np.radians(step) ** 2 * np.sqrt(3) / 2)))  # as many as a hexagonal net has
    z = 1 - (2 * np.arange(n) + 1) / n
    azimuth = np.arange(n) * np.pi * (3 - np.sqrt(5))
    across = np.sqrt(1 - z * z)
    sphere = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], axis=1)
    inside = np.abs(reduce_directions(sphere, laue, inversion=False) - sphere).max(axis=1) < 1e-9
    return sphere[inside]


def orientations_along(directions: Floats) -> Floats:
    """Orientations [n, 4] with the beam along directions [n, 3] of the crystal: the shortest turns that do it.

    Examples
    --------
    >>> rotate(orientations_along(np.array([[0.0, 0.6, 0.8]])), [0, 0, 1]).round(6)
    array([[0. , 0.6, 0.8]])
    """
    x, y, z = directions.T
    q = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    q[z < -1 + 1e-12] = [0, 1, 0, 0]
    found: Floats = q / np.linalg.norm(q, axis=1, keepdims=True)
    return found


def neighbours_of(directions: Floats, laue: str, number: int = 8) -> NDArray[np.int32]:
    """The `number` nearest directions of each, also across the borders of what is sampled: int32 [n, number].

    Where there are fewer, a direction is its own neighbour.

    Examples
    --------
    >>> neighbours_of(sample_directions("m-3m", 5.0), "m-3m").shape
    (81, 8)
    """
    from scipy.spatial import cKDTree

    n = len(directions)
    images = rotate(proper_rotations(laue)[:, None, :], directions[None]).reshape(-1, 3)
    count = min(number + 4, len(images))
    _, found = cKDTree(images).query(directions, k=count)
    numbers = np.asarray(found).reshape(n, -1) % n
    own = np.arange(n)
    result = np.tile(own[:, None], (1, number)).astype(np.int32)
    for k in range(n):
        others = list(dict.fromkeys(int(one) for one in numbers[k] if one != k))[:number]
        result[k, : len(others)] = others
    return result
