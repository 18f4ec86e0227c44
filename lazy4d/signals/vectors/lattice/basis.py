"""`LatticeBasis`: two vectors that span a lattice in the plane of diffraction, given by a user or found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_of
from lazy4d.units import convert

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LatticeBasis:
    """Two vectors that span a lattice, the same for all positions; see `lazy4d.DiffractionVectors.get_basis`.

    Parameters
    ----------
    vectors : float64 [2, 2]
        g1 and g2 as rows (y, x), in units of the frame's axes, ellipses of a calibrated distortion made circles.
    units : str
        Of the vectors.
    matched : float
        Of a found one: the share of all differences between vectors of the same position that lie at its points, less
        what chance would put there; from 0 to 1. NaN for a given one.

    Raises
    ------
    ValueError
        Not two vectors, or two along one line.

    Examples
    --------
    >>> LatticeBasis(np.array([[0.0, 2.0], [2.0, 0.0]]), "1/nm")
    <LatticeBasis: |g1| = 2, |g2| = 2 1/nm, 90.0° apart, g1 at 0.0°>
    """

    vectors: Floats
    units: str = "px"
    matched: float = math.nan

    def __post_init__(self) -> None:
        """Check that the vectors span a plane."""
        vectors = np.array(self.vectors, np.float64)
        if vectors.shape != (2, 2) or not np.isfinite(vectors).all():
            raise ValueError(f"expected two vectors as rows (y, x), found {np.shape(self.vectors)}: {self.vectors!r}")
        if abs(np.linalg.det(vectors)) <= 1e-6 * math.prod(np.linalg.norm(vectors, axis=1)):
            raise ValueError(f"expected two vectors in different directions, found {vectors.tolist()}")
        vectors.flags.writeable = False
        object.__setattr__(self, "vectors", vectors)

    @property
    def lengths(self) -> tuple[float, float]:
        """Lengths of g1 and g2."""
        a, b = np.linalg.norm(self.vectors, axis=1)
        return float(a), float(b)

    @property
    def angle(self) -> float:
        """From g1 to g2 in degrees, from +x towards +y, in (-180, 180].

        Examples
        --------
        >>> LatticeBasis([[0, 2], [2, 0]]).angle
        90.0
        """
        (ay, ax), (by, bx) = self.vectors
        return math.degrees(math.atan2(ax * by - ay * bx, ax * bx + ay * by))

    @property
    def direction(self) -> float:
        """Of g1 in degrees, from +x towards +y."""
        return math.degrees(math.atan2(self.vectors[0, 0], self.vectors[0, 1]))

    @property
    def real_space(self) -> Floats:
        """Vectors a1, a2 as rows (y, x) with ``a_i · g_j = δ_ij`` (no 2π): the lattice that diffracts.

        Examples
        --------
        >>> LatticeBasis([[0, 2], [4, 0]]).real_space
        array([[0.  , 0.5 ],
               [0.25, 0.  ]])
        """
        found: Floats = np.asarray(np.linalg.inv(self.vectors).T + 0.0, np.float64)
        return found

    def __repr__(self) -> str:
        """Say lengths and angles."""
        (a, b), found = self.lengths, "" if math.isnan(self.matched) else f", {self.matched:.0%} matched"
        return (
            f"<LatticeBasis: |g1| = {a:.6g}, |g2| = {b:.6g} {self.units}, {self.angle:.1f}° apart, g1 at "
            f"{self.direction:.1f}°{found}>"
        )


def as_basis(vectors: DiffractionVectors, given: Any) -> LatticeBasis:
    """A basis as a user gives it.

    Parameters
    ----------
    vectors : DiffractionVectors
        Whose axes the numbers belong to.
    given : LatticeBasis, ((x, y), (x, y)) or ndarray [2, 2]
        Of a tuple or list, ints are pixels of the frame, distorted as it is; floats are axis units, and text carries
        its unit; the rows of an array are (y, x) in axis units. What has units is true, of the undistorted plane.

    Raises
    ------
    ValueError, TypeError
        Something else, or a basis in other units.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å")
    >>> as_basis(v, ((2, 0), (0.0, 1.5))).vectors.tolist()
    [[0.0, 1.0], [1.5, 0.0]]
    """
    y, x = vectors.frame_axes
    return basis_from(given, plane_of(vectors), (y, x))


def basis_from(given: Any, plane: DiffractionPlane, axes: tuple[Axis, Axis]) -> LatticeBasis:
    """A basis in units of a plane from what a user gives, with the axes (ky, kx) of the frames; see `as_basis`."""
    if isinstance(given, LatticeBasis):
        if given.units != plane.units:
            raise ValueError(f"expected a basis in {plane.units}, the units of the vectors, found {given!r}")
        return given
    if isinstance(given, np.ndarray):
        return LatticeBasis(given, plane.units)
    if not isinstance(given, tuple | list) or [len(row) if _is_pair(row) else 0 for row in given] != [2, 2]:
        raise TypeError(
            f"expected a basis as get_basis gives it, as two tuples (x, y) or an array of two rows (y, x), found "
            f"{given!r}"
        )
    # Pixels are of the frame, and pass the plane's matrix, ellipses and all; what has units is in the plane already.
    pixels, known = np.zeros((2, 2)), np.zeros((2, 2))
    for n, row in enumerate(given):
        for m, (axis, value) in enumerate(zip(axes, reversed(row), strict=True)):
            if isinstance(value, int | np.integer):
                pixels[n, m] = value
            else:
                known[n, m] = _component(axis, value, plane)
    return LatticeBasis(pixels @ np.array(plane.matrix).T + known, plane.units)


def _is_pair(row: Any) -> bool:
    return isinstance(row, tuple | list | np.ndarray)


def _component(axis: Axis, value: Any, plane: DiffractionPlane) -> float:
    """A component of a vector in units of the plane, with its sign."""
    known, sign = value, 1.0
    if isinstance(value, str):
        text = value.strip()
        sign = -1.0 if text.startswith("-") else 1.0
        known = float(axis.length_to_pixels(text.lstrip("+-"))) * abs(axis.scale)
    return sign * float(convert(float(known), axis.units, plane.units, axis.beam_energy or plane.beam_energy))


def reduced(vectors: Floats) -> Floats:
    """Another basis of the same lattice: of its shortest vectors, and always the same one for the same lattice.

    Of the two shortest vectors that span it (and a third one, where that is at most 2 % longer, as in a hexagonal
    lattice), g1 is the one that points most nearly to +x, which neither noise nor strain turn into another easily; g2
    is the shortest other one, less than half a turn from g1 from +x towards +y.

    Notes
    -----
    Gauss's reduction: the longer vector less that multiple of the shorter one which leaves it shortest, until nothing
    changes. Where three vectors are as short, the second one is the nearest in angle.

    Examples
    --------
    >>> reduced(np.array([[3.0, 1.0], [1.0, 0.0]])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    a, b = (np.array(row, np.float64) for row in vectors)
    for _ in range(100):
        if a @ a > b @ b:
            a, b = b, a
        steps = np.rint(a @ b / (a @ a))
        if steps == 0:
            break
        b = b - steps * a
    if a @ b < 0:
        b = -b
    candidates = [sign * one for one in (a, b, a - b) for sign in (1.0, -1.0)]
    short = 1.02 * max(np.linalg.norm(a), np.linalg.norm(b))
    first = min(
        (one for one in candidates if np.linalg.norm(one) <= short),
        key=lambda one: (round(abs(math.atan2(one[0], one[1])), 9), -one[0]),
    )
    turned = {k: _turn(first, one) for k, one in enumerate(candidates)}
    spanning = [k for k, angle in turned.items() if 1e-6 < angle < math.pi - 1e-6]
    shortest = min(np.linalg.norm(candidates[k]) for k in spanning)
    second = min(
        (k for k in spanning if np.linalg.norm(candidates[k]) <= 1.02 * shortest), key=lambda k: (turned[k], k)
    )
    return np.stack([first, candidates[second]]) + 0.0


def reduction(vectors: Floats) -> tuple[Floats, Floats]:
    """The reduced basis of a lattice, and the whole numbers [2, 2] with ``vectors = numbers @ reduced``.

    Examples
    --------
    >>> short, numbers = reduction(np.array([[0.0, 12.0], [13.0, 60.0]]))
    >>> short.tolist(), numbers.tolist()
    ([[0.0, 12.0], [13.0, 0.0]], [[1.0, 0.0], [5.0, 1.0]])
    """
    short = reduced(vectors)
    return short, np.rint(vectors @ np.linalg.inv(short)) + 0.0


def _turn(first: Floats, second: Floats) -> float:
    cross = first[1] * second[0] - first[0] * second[1]
    return math.atan2(cross, float(first @ second))


def same_lattice(basis: Floats, other: Floats, tolerance: float = 0.2) -> Floats | None:
    """The vectors of `other` combined so that they are those nearest to `basis`; None if they span another lattice.

    Examples
    --------
    >>> same_lattice(np.eye(2), np.array([[1.01, 1.0], [0.0, 1.0]])).tolist()
    [[1.01, 0.0], [0.0, 1.0]]
    """
    multiples = np.rint(basis @ np.linalg.inv(other))
    if abs(abs(np.linalg.det(multiples)) - 1) > 1e-6:
        return None
    found: Floats = multiples @ other
    off = np.linalg.norm(found - basis, axis=1) / np.linalg.norm(basis, axis=1)
    return found if (off < tolerance).all() else None
