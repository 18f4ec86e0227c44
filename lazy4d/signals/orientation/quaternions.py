"""Unit quaternions [..., 4] = (w, x, y, z), and what they do to vectors.

A quaternion q turns a vector v into ``q v q*``. As an orientation it takes what is measured in the frame of the sample
to the frame of the crystal, ``v_crystal = q v_sample q*``, so that angles of Bunge (φ1, Φ, φ2) are those of texture
analysis and of orix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def multiply(a: Any, b: Any) -> Floats:
    """The products ``a b`` [..., 4]: first b turns, then a.

    Examples
    --------
    >>> half = axis_angle([0, 0, 1], 90.0)
    >>> multiply(half, half).round(6)
    array([0., 0., 0., 1.])
    """
    w, x, y, z = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    W, X, Y, Z = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        [
            w * W - x * X - y * Y - z * Z,
            w * X + x * W + y * Z - z * Y,
            w * Y - x * Z + y * W + z * X,
            w * Z + x * Y - y * X + z * W,
        ],
        axis=-1,
    )


def conjugate(q: Any) -> Floats:
    """The opposite turns.

    Examples
    --------
    >>> conjugate([1.0, 2, 3, 4])
    array([ 1., -2., -3., -4.])
    """
    return np.asarray(q, np.float64) * np.array([1.0, -1.0, -1.0, -1.0])


def matrices(q: Any) -> Floats:
    """The matrices [..., 3, 3] that turn vectors as the quaternions do: ``M @ v``.

    Examples
    --------
    >>> (matrices(axis_angle([0, 0, 1], 90.0)) @ [1, 0, 0]).round(6)
    array([0., 1., 0.])
    """
    w, x, y, z = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotate(q: Any, vectors: Any) -> Floats:
    """Vectors [..., 3] turned by quaternions [..., 4]; leading axes broadcast.

    Examples
    --------
    >>> rotate(axis_angle([0, 0, 1], 90.0), [1.0, 0, 0]).round(6)
    array([0., 1., 0.])
    """
    return np.einsum("...ij,...j->...i", matrices(q), np.asarray(vectors, np.float64))


def axis_angle(axis: Any, angle: Any) -> Floats:
    """The turns by `angle` [...], degrees, about `axis` [..., 3].

    Examples
    --------
    >>> axis_angle([0, 0, 2], 180.0).round(6)
    array([0., 0., 0., 1.])
    """
    about = np.asarray(axis, np.float64)
    about = about / np.linalg.norm(about, axis=-1, keepdims=True)
    half = np.radians(np.asarray(angle, np.float64)) / 2
    w, s = np.cos(half), np.sin(half)
    xyz = s[..., None] * about
    return np.concatenate([np.broadcast_to(w[..., None], (*xyz.shape[:-1], 1)), xyz], axis=-1)


def from_euler(angles: Any) -> Floats:
    """Orientations [..., 4] of angles of Bunge [..., 3] = (φ1, Φ, φ2) in degrees.

    The sample's frame is turned by φ1 about z, Φ about the new x and φ2 about the new z, and is the crystal's then.

    Examples
    --------
    >>> from_euler([30.0, 40.0, 50.0]).round(4)
    array([ 0.7198, -0.3368,  0.0594, -0.604 ])
    """
    first, middle, last = np.moveaxis(np.radians(np.asarray(angles, np.float64)) / 2, -1, 0)
    c, s = np.cos(middle), np.sin(middle)
    plus, minus = first + last, first - last
    return np.stack([c * np.cos(plus), -s * np.cos(minus), -s * np.sin(minus), -c * np.sin(plus)], axis=-1)


def to_euler(q: Any) -> Floats:
    """Angles of Bunge [..., 3] = (φ1, Φ, φ2) in degrees, φ1 and φ2 in [0, 360), Φ in [0, 180].

    Where Φ is 0 or 180, φ2 is 0.

    Examples
    --------
    >>> to_euler(from_euler([30.0, 40.0, 50.0])).round(6)
    array([30., 40., 50.])
    """
    w, x, y, z = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    middle = 2 * np.arctan2(np.hypot(x, y), np.hypot(w, z))
    plus, minus = np.arctan2(-z, w), np.arctan2(-y, -x)
    flat, upside = np.hypot(x, y) < 1e-9, np.hypot(w, z) < 1e-9
    first = np.where(flat, 2 * plus, np.where(upside, 2 * minus, plus + minus))
    last = np.where(flat | upside, 0.0, plus - minus)
    angles = np.degrees(np.stack([first, middle, last], axis=-1))
    angles[..., ::2] %= 360
    angles[..., ::2] = np.where(angles[..., ::2] > 360 - 1e-9, 0.0, angles[..., ::2])
    return angles


def random_orientations(n: int, seed: int = 0) -> Floats:
    """Orientations [n, 4] drawn evenly among all turns.

    Examples
    --------
    >>> random_orientations(5).shape
    (5, 4)
    """
    q = np.random.default_rng(seed).normal(size=(n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)
