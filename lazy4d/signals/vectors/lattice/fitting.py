"""A lattice fitted to the vectors of each position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels.lattice_fit import COLUMNS, fit_frames
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_of
from lazy4d.signals.vectors.lattice.basis import as_basis, reduction
from lazy4d.signals.vectors.lattice.fitted import BASIS, FRAME, PLANE, LatticeFit
from lazy4d.signals.vectors.lattice.indexing import lattices_from
from lazy4d.signals.vectors.lattice.origin import described, starting_origin
from lazy4d.signals.vectors.lattice.search import get_basis
from lazy4d.signals.vectors.lattice.tolerance import farthest_of
from lazy4d.signals.vectors.lattice.weighting import checked_weights, weights_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def fit_lattice(
    vectors: DiffractionVectors,
    basis: Any = None,
    *,
    weights: str | None = "intensity",
    min_peaks: int = 5,
    min_matched: float = 0.4,
    max_distance: Any = None,
    robust: bool = True,
    origin: Any = None,
    fix_origin: bool = False,
    position_error: Any = None,
) -> LatticeFit:
    """Origin and two lattice vectors at each position, with their uncertainty: a `LatticeFit`.

    Computes only where `basis` is to be found; see `get_basis`.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    basis : LatticeBasis, ((x, y), (x, y)) or ndarray [2, 2], optional
        About what the lattice is everywhere, and which of its vectors are fitted: as `get_basis` gives it (which is
        done by default), or as a user does (ints pixels, floats axis units, text with its unit; rows of an array (y, x)
        in axis units). Lattices strained and turned by up to about a tenth are followed, each from vectors near the
        origin outwards; of a long thin cell only as far as g1 and g2 move by less than half of the shorter one, or
        turn together.
    weights : str or None
        The column of weights in the normal equations, to the power 1 (so the weighted sum of squares ``Σ w r²`` is
        smallest); None for equal ones, also where there is no column "intensity". The position of a disk varies as
        one over its intensity where counting noise decides, so that its intensity is the weight that loses least. No
        vector counts more than ten times the median of its position: beyond that other errors decide, and a direct
        beam, a thousand times as bright and of another shape, would draw the lattice to itself.
    min_peaks : int
        Positions with fewer vectors used are NaN, as are those whose vectors are in line.
    min_matched : float
        Positions where the vectors used are a smaller share of all, both by number and by weight, are NaN: from 0 to 1.
        Vectors anywhere match any lattice by about a third; of two crystals alike, one matches by more than a half.
    max_distance : int, float or str, optional
        From a lattice point, for a vector to be indexed as this: pixels, axis units or text with a unit. By default a
        quarter of the shortest lattice vector.
    robust : bool
        Whether vectors far from the lattice of the others lose their weight (Tukey's biweight), as strays do and the
        weaker one of two overlapping crystals.
    origin : (x, y) or BeamPosition, optional
        Where about the lattice's origin is, by default where the axes of the frame are 0. The origin is fitted to the
        nearest place to this at which the lattice has a point: descan up to half a lattice vector does no harm, no
        direct beam has to be seen, and the vectors g1 and g2 are right whichever point of the lattice is found.
    fix_origin : bool
        Whether the origin is exactly there, and only g1 and g2 are fitted.
    position_error : int, float or str, optional
        Standard deviation of a vector's place along y or x, for the uncertainties. By default the residuals tell.

    Returns
    -------
    LatticeFit
        float64 [nav..., 15], lazy if `vectors` are.

    Raises
    ------
    ValueError, TypeError
        No basis, weights, origin or length that fits.

    Notes
    -----
    The residuals of ``q0 + h g1 + k g2`` (distances in the plane, in axis units, after ellipses were made circles) are
    those of least squares, with one small matrix for y and x; see `lazy4d.kernels.lattice_fit`.

    Examples
    --------
    >>> points = np.array([[h, k] for h in (-1, 0, 1) for k in (-1, 0, 1)])
    >>> v = l4.DiffractionVectors([points @ [[0.2, 5.0], [6.0, 0.0]] + 12.5], frame_shape=(24, 24))
    >>> fit = fit_lattice(v, ((0, 6), (5, 0)))
    >>> fit.g2.as_numpy().round(9), fit.residual.as_numpy().round(9)
    (array([[0.2, 5. ]]), array([0.]))
    """
    if not isinstance(min_peaks, int | np.integer) or min_peaks < (2 if fix_origin else 3):
        raise ValueError(
            f"expected min_peaks as a whole number of at least {2 if fix_origin else 3}, which determine a lattice, "
            f"found {min_peaks!r}"
        )
    if not 0 <= min_matched <= 1:
        raise ValueError(f"expected min_matched as a share from 0 to 1, found {min_matched!r}")
    column = checked_weights(vectors, weights)
    plane = plane_of(vectors)
    known = get_basis(vectors) if basis is None else as_basis(vectors, basis)
    farthest = farthest_of(plane, known.vectors, max_distance)
    error = 0.0 if position_error is None else plane.length(position_error, "position_error", zero=False)
    start = starting_origin(vectors, plane, origin)
    options = {
        "basis": known.vectors.tolist(),
        "weights": column,
        "min_peaks": int(min_peaks),
        "min_matched": float(min_matched),
        "max_distance": farthest,
        "robust": bool(robust),
        "origin": described(origin),
        "fix_origin": bool(fix_origin),
        "position_error": error or None,
    }
    result: LatticeFit = vectors._per_position(
        fitted_block,
        plane,
        start,
        known.vectors,
        column,
        (bool(fix_origin), farthest, int(min_peaks), float(min_matched), bool(robust), error),
        shape=(COLUMNS,),
        op="fit_lattice",
        options=options,
        axes=[Axis(name="lattice", size=COLUMNS)],
        kind=LatticeFit,
        title=f"lattice of {vectors.title}".removesuffix(" of "),
    )
    result.metadata.set_item(BASIS, known.vectors.tolist())
    result.metadata.set_item(PLANE, plane.as_dict())
    y, x = vectors.frame_axes
    for name in ("size", "scale", "offset", "units"):
        result.metadata.set_item(f"{FRAME}.{name}", [getattr(y, name), getattr(x, name)])
    return result


def fitted_block(
    ragged: RaggedFrames, plane: DiffractionPlane, origin: Any, basis: Any, column: str | None, options: tuple[Any, ...]
) -> Any:
    """The numbers of a `LatticeFit` [n, 15] for the frames of a block."""
    fixed, farthest, fewest, least, robust, error = options
    short, numbers = reduction(np.asarray(basis))
    starts = lattices_from(np.asarray(origin, np.float64), short, ragged.n_frames)
    y, x = plane.offsets(ragged)
    out = np.empty((ragged.n_frames, COLUMNS))
    weight = weights_of(ragged, column)
    fit_frames(ragged.offsets, y, x, weight, starts, not fixed, fixed, farthest, fewest, least, robust, error, out)
    return in_basis(out, numbers)


def in_basis(rows: Any, numbers: Any) -> Any:
    """Fits [n, 15] of one basis as those of another one, whose vectors are these whole numbers [2, 2] of the first's.

    Examples
    --------
    >>> row = np.array([[0.0, 0, 0, 2, 3, 0, 9, 1, 2, 4, 0, 4, 0, 9, 1]])
    >>> in_basis(row, np.array([[1.0, 0.0], [5.0, 1.0]]))[0, 2:12].tolist()
    [0.0, 2.0, 3.0, 10.0, 9.0, 1.0, 7.0, 4.0, 20.0, 104.0]
    """
    if (numbers == np.eye(2)).all():
        return rows
    out = rows.copy()
    out[:, 2:6] = (numbers @ rows[:, 2:6].reshape(-1, 2, 2)).reshape(-1, 4)
    out[:, 7:9] = rows[:, 7:9] @ numbers.T
    spread = numbers @ rows[:, [9, 10, 10, 11]].reshape(-1, 2, 2) @ numbers.T
    out[:, 9:12] = spread.reshape(-1, 4)[:, [0, 1, 3]]
    return out
