"""From lattice vectors to strain: the exact deformation gradient, its polar decomposition, and how errors travel.

Lattice vectors are rows (y, x) of matrices [..., 2, 2]; matrices act on columns (y, x).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUMBERS = 4
"""exx, eyy, exy, rotation."""

_STEPS = 100


def deformation_gradient(lattices: Floats, reference: Floats) -> Floats:
    """F [..., 2, 2] with ``r' = F r`` in real space: ``F = G'⁻¹ G`` of reciprocal vectors as rows, ``G' = G F⁻¹``.

    Examples
    --------
    >>> deformation_gradient(np.diag([0.5, 1.0]), np.eye(2)).tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """
    return inverse(np.asarray(lattices, np.float64)) @ reference


def inverse(matrices: Floats) -> Floats:
    """The inverses of matrices [..., 2, 2]; not finite where there is none.

    Examples
    --------
    >>> inverse(np.array([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, -0.0], [-0.0, 0.25]]
    """
    (a, b), (c, d) = np.moveaxis(np.asarray(matrices, np.float64), (-2, -1), (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _matrix(d, -b, -c, a) / (a * d - b * c)[..., None, None]


def polar(gradient: Floats) -> tuple[Floats, Floats]:
    """Rotations [...] in radians, from +x towards +y, and stretches U [..., 2, 2] of ``F = R U``.

    NaN where F turns the plane over.

    Notes
    -----
    In two dimensions R is the direction of ``(F00 + F11, F01 - F10)``, exactly.

    Examples
    --------
    >>> angle, stretch = polar(np.array([[0.0, 1.1], [-1.0, 0.0]]))
    >>> float(angle), np.abs(stretch).round(12).tolist()
    (1.5707963267948966, [[1.0, 0.0], [0.0, 1.1]])
    """
    (a, b), (c, d) = np.moveaxis(gradient, (-2, -1), (0, 1))
    angle = np.arctan2(b - c, a + d)
    angle = np.where(a * d - b * c > 0, angle, np.nan)
    return angle, np.swapaxes(turn(angle), -1, -2) @ gradient


def turn(angle: Any) -> Floats:
    """What turns (y, x) by angles [...] in radians, from +x towards +y.

    Examples
    --------
    >>> turn(0.5 * np.pi).round(12) @ [0.0, 1.0]
    array([1., 0.])
    """
    c, s = np.cos(angle), np.sin(angle)
    return _matrix(c, s, -s, c)


def strain_of(lattices: Floats, reference: Floats, to_axes: Floats) -> Floats:
    """Strain ``U - 1`` and rotation [..., 4]: exx, eyy, exy, rotation in radians from +x towards +y.

    Parameters
    ----------
    lattices, reference : float64 [..., 2, 2] and [2, 2]
        Rows (y, x).
    to_axes : float64 [2, 2]
        What turns vectors (y, x) of the lattices into the axes of the results; a rotation, maybe with a reflection.

    Examples
    --------
    >>> strain_of(np.diag([0.5, 1.0]), np.eye(2), np.eye(2)).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    angle, stretch = polar(deformation_gradient(lattices @ to_axes.T, reference @ to_axes.T))
    shear = (stretch[..., 0, 1] + stretch[..., 1, 0]) / 2  # they differ by rounding
    return np.stack([stretch[..., 1, 1] - 1, stretch[..., 0, 0] - 1, shear, angle], -1)


def errors_of(lattices: Floats, reference: Floats, to_axes: Floats, covariance: Floats) -> Floats:
    """Standard deviations [..., 4] of what `strain_of` gives.

    Parameters
    ----------
    lattices, reference, to_axes
        As for `strain_of`; the reference counts as known.
    covariance : float64 [..., 3]
        Of one component of g1 and g2: variance of g1, covariance, variance of g2. Both components vary alike and
        independently, so that turned axes change nothing.

    Notes
    -----
    With P the inverse of the lattice, an error dg of vector i along b changes F by ``-P[:, i] F[b, :] dg``; from
    F = R U follow ``dθ = (a db - b da) / (a² + b²)``, a = F00 + F11, b = F01 - F10, and ``dU = Rᵀ dF - dθ K U``, K the
    turn by a quarter. These are exact derivatives, at any strain and rotation.

    Examples
    --------
    >>> errors_of(np.eye(2), np.eye(2), np.eye(2), np.array([0.04, 0.0, 0.04])).round(3)
    array([0.2  , 0.2  , 0.141, 0.141])
    """
    there = lattices @ to_axes.T
    places = inverse(there)
    gradient = places @ (reference @ to_axes.T)
    angle, stretch = polar(gradient)
    back = np.swapaxes(turn(angle), -1, -2)
    (f00, f01), (f10, f11) = np.moveaxis(gradient, (-2, -1), (0, 1))
    a, b = f00 + f11, f01 - f10
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    slopes = np.empty((2, 2, *angle.shape, NUMBERS))
    for i in range(2):
        for k in range(2):
            change = -places[..., :, i, None] * gradient[..., k, None, :]
            d_angle = (a * (change[..., 0, 1] - change[..., 1, 0]) - b * (change[..., 0, 0] + change[..., 1, 1])) / (
                a * a + b * b
            )
            d_stretch = back @ change - d_angle[..., None, None] * (quarter @ stretch)
            slopes[i, k] = np.stack([d_stretch[..., 1, 1], d_stretch[..., 0, 0], d_stretch[..., 0, 1], d_angle], -1)
    first, both, second = (covariance[..., None, k] for k in range(3))
    variance = first * (slopes[0] ** 2).sum(0) + second * (slopes[1] ** 2).sum(0)
    variance = variance + 2 * both * (slopes[0] * slopes[1]).sum(0)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.maximum(variance, 0))


def unstrained(lattices: Floats, average: str) -> Floats:
    """The lattice [2, 2] against which strain and rotation of lattices [n, 2, 2] are 0 on average.

    Their averages over these lattices are then 0 but for rounding (some 1e-16): each of exx, eyy, exy and rotation, not
    just the average of the lattice vectors, from which they would differ by the square of the strains.

    Parameters
    ----------
    lattices : float64 [n, 2, 2]
        Those not finite are left out.
    average : {"mean", "median"}
        Of each of the four.

    Notes
    -----
    From the average of the vectors on, the lattice is divided by the average deformation, until that is 1.

    Examples
    --------
    >>> lattices = np.array([np.diag([1.0, 1.1]), np.diag([1.0, 0.9])])
    >>> reference = unstrained(lattices, "mean")
    >>> bool(np.abs(strain_of(lattices, reference, np.eye(2)).mean(0)).max() < 1e-15)
    True
    """
    function: Callable[..., Any] = np.mean if average == "mean" else np.median
    known = lattices[np.isfinite(lattices).all(axis=(1, 2))]
    if len(known) == 0:
        return np.full((2, 2), np.nan)
    reference = np.asarray(function(known, axis=0), np.float64)
    best, least = reference, np.inf
    for _ in range(_STEPS):
        found = strain_of(known, reference, np.eye(2))
        exx, eyy, exy, angle = function(found[np.isfinite(found).all(axis=1)], axis=0)
        off = float(np.abs([exx, eyy, exy, angle]).max())
        if not off < least:
            break
        best, least = reference, off
        mean = turn(angle) @ np.array([[1 + eyy, exy], [exy, 1 + exx]])
        reference = reference @ inverse(mean)
    return best


def _matrix(a: Any, b: Any, c: Any, d: Any) -> Floats:
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)
