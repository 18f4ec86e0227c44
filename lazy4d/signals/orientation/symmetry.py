"""The 11 Laue groups: their rotations, and the parts of orientations and directions that are all different.

Diffraction does not tell a structure from its inversion, so that only the Laue group counts. Axes of the crystal: x
along a, z along c*, as in orix; y is then along b of a monoclinic crystal, whose two-fold axis is b. (The group that
orix calls 2/m turns about z; that about y is its 121.)
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.orientation.quaternions import axis_angle, conjugate, multiply, rotate

Floats = NDArray[np.float64]

_X, _Y, _Z, _DIAGONAL = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)
_GENERATORS: dict[str, list[tuple[int, tuple[int, int, int]]]] = {
    "-1": [],
    "2/m": [(2, _Y)],
    "mmm": [(2, _Z), (2, _X)],
    "4/m": [(4, _Z)],
    "4/mmm": [(4, _Z), (2, _X)],
    "-3": [(3, _Z)],
    "-3m": [(3, _Z), (2, _X)],
    "-31m": [(3, _Z), (2, _Y)],  # the other setting of -3m: two-fold axes between the axes a
    "6/m": [(6, _Z)],
    "6/mmm": [(6, _Z), (2, _X)],
    "m-3": [(2, _Z), (2, _X), (3, _DIAGONAL)],
    "m-3m": [(4, _Z), (3, _DIAGONAL)],
}
LAUE_GROUPS = tuple(_GENERATORS)
"""Names of the Laue groups; -3m has two settings."""

_POINT_GROUPS = {
    "-1": "1 -1",
    "2/m": "2 m 2/m 121 1m1 12/m1",
    "mmm": "222 mm2 mmm",
    "4/m": "4 -4 4/m",
    "4/mmm": "422 4mm -42m -4m2 4/mmm",
    "-3": "3 -3",
    "-3m": "32 321 3m 3m1 -3m -3m1",
    "-31m": "312 31m -31m",
    "6/m": "6 -6 6/m",
    "6/mmm": "622 6mm -6m2 -62m 6/mmm",
    "m-3": "23 m-3 m3",
    "m-3m": "432 -43m m-3m m3m",
}
_LAUE_OF = {name: laue for laue, names in _POINT_GROUPS.items() for name in names.split()}
_FIRST_SPACE_GROUP = [
    (195, "m-3"), (207, "m-3m"), (177, "6/mmm"), (168, "6/m"), (149, "-3m"), (143, "-3"), (89, "4/mmm"), (75, "4/m"),
    (16, "mmm"), (3, "2/m"), (1, "-1"),
]  # fmt: skip
_OTHER_SETTING = {149, 151, 153, 157, 159, 162, 163}  # P312, P31m and their relatives

# A direction inside the part of the sphere that stands for all: where equivalent ones are told apart, the one nearest
# to it is taken. Where the group has no mirrors this also says where the cut runs.
_INSIDE: dict[str, tuple[float, float, float]] = {
    "-1": (1e-4, 2e-4, 1.0),
    "2/m": (1e-4, 1.0, 1e-2),
    "mmm": (1.0, 1.1, 1.2),
    "4/m": (1e-3, 1e-3, 1.0),
    "4/mmm": (1.0, 0.4, 1.0),
    "-3": (1e-3, 1.732e-3, 1.0),
    "-3m": (1e-3, 0.0, 1.0),
    "-31m": (1e-3 * 0.866, 1e-3 * 0.5, 1.0),
    "6/m": (1e-3 * 0.866, 1e-3 * 0.5, 1.0),
    "6/mmm": (1.0, 0.27, 1.0),
    "m-3": (0.5, 0.5, 1.2),
    "m-3m": (0.8, 0.4, 1.2),
}


def laue_group(symmetry: str | int) -> str:
    """The Laue group of a point group (any of the 32, such as "-43m") or of the number of a space group.

    Raises
    ------
    ValueError
        No such group.

    Examples
    --------
    >>> laue_group("-43m"), laue_group(194), laue_group("mmm")
    ('m-3m', '6/mmm', 'mmm')
    """
    if isinstance(symmetry, int | np.integer) and not isinstance(symmetry, bool):
        if not 1 <= symmetry <= 230:
            raise ValueError(f"expected the number of a space group from 1 to 230, found {symmetry}")
        if symmetry in _OTHER_SETTING:
            return "-31m"
        return max((first, name) for first, name in _FIRST_SPACE_GROUP if first <= symmetry)[1]
    found = _LAUE_OF.get(str(symmetry).replace(" ", ""))
    if found is None:
        raise ValueError(
            f"expected a point group such as 'm-3m', or the number of a space group, found {symmetry!r}; Laue groups "
            f"are {', '.join(LAUE_GROUPS)}"
        )
    return found


@cache
def proper_rotations(laue: str) -> Floats:
    """The rotations of a Laue group, quaternions [m, 4], the identity first; read-only.

    Examples
    --------
    >>> [len(proper_rotations(name)) for name in ("-1", "mmm", "6/mmm", "m-3m")]
    [1, 4, 12, 24]
    """
    found = np.array([[1.0, 0, 0, 0]])
    turns = [axis_angle(axis, 360.0 / fold) for fold, axis in _GENERATORS[laue]]
    grown = True
    while grown:
        grown = False
        for turn in turns:
            for one in multiply(turn, found):
                if np.abs(found @ one).max() < 1 - 1e-9:  # q and -q turn alike
                    found, grown = np.concatenate([found, one[None]]), True
    found[found[:, 0] < -1e-9] *= -1
    found.flags.writeable = False
    return found


def misorientation_angle(a: Floats, b: Floats, laue: str) -> Floats:
    """The smallest angle, degrees, between orientations [..., 4] and their equivalents; they broadcast.

    Examples
    --------
    >>> turned = axis_angle([0, 0, 1], 93.0)
    >>> misorientation_angle(np.array([1.0, 0, 0, 0]), turned, "m-3m").round(6)
    np.float64(3.0)
    """
    between = multiply(a, conjugate(b))
    # Only the real part of S m is needed; the vector part gives small angles their digits.
    rotations = proper_rotations(laue)
    reals = np.abs(between @ (rotations * np.array([1.0, -1.0, -1.0, -1.0])).T)
    best = rotations[np.argmax(reals, axis=-1)]
    product = multiply(best, between)
    return np.degrees(2 * np.arctan2(np.linalg.norm(product[..., 1:], axis=-1), np.abs(product[..., 0])))


def reduce_orientations(q: Floats, laue: str) -> Floats:
    """Equivalent orientations [..., 4] of the smallest rotation angle, with w not negative.

    Examples
    --------
    >>> reduce_orientations(axis_angle([0, 0, 1], 93.0), "m-3m").round(4) + 0.0
    array([0.9997, 0.    , 0.    , 0.0262])
    """
    orientations = np.asarray(q, np.float64)
    rotations = proper_rotations(laue)
    reals = np.abs(orientations @ (rotations * np.array([1.0, -1.0, -1.0, -1.0])).T)
    chosen = multiply(rotations[np.argmax(np.round(reals, 12), axis=-1)], orientations)
    reduced: Floats = np.where(chosen[..., :1] < 0, -chosen, chosen)
    return reduced


def reduce_directions(directions: Floats, laue: str, inversion: bool = True) -> Floats:
    """Equivalent directions [..., 3] in the part of the sphere that stands for all, the standard triangle if there is.

    Parameters
    ----------
    directions : float64 ndarray [..., 3]
        In the crystal's axes.
    laue : str
        Laue group.
    inversion : bool
        Whether a direction and its opposite count as the same.

    Examples
    --------
    >>> reduce_directions(np.array([0.0, -1.0, 0.0]), "m-3m").round(6) + 0.0
    array([0., 0., 1.])
    """
    given = np.asarray(directions, np.float64)
    all_of_them = rotate(proper_rotations(laue), given[..., None, :])
    if inversion:
        all_of_them = np.concatenate([all_of_them, -all_of_them], axis=-2)
    inside = np.array(_INSIDE[laue])
    chosen = np.argmax(np.round(all_of_them @ (inside / np.linalg.norm(inside)), 10), axis=-1)
    found: Floats = np.take_along_axis(all_of_them, chosen[..., None, None], axis=-2)[..., 0, :]
    return found
