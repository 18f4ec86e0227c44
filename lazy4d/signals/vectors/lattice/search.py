"""A basis found in the differences between vectors of the same position: neither descan nor a lost beam matter."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DWarning
from lazy4d.kernels.lattice_pairs import UNIT, count_differences
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.computing import compute_together
from lazy4d.signals.strain.region import counted_positions
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_of
from lazy4d.signals.vectors.lattice.basis import LatticeBasis, reduced
from lazy4d.signals.vectors.lattice.weighting import rows_for

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Floats = NDArray[np.float64]

REACH = 400
"""Pixels, at most, of the differences that are looked at: a few lattice vectors suffice."""

MOST = 200
"""Vectors of a position that are paired, the first ones, which are the strongest where detection made them."""

POSITIONS = 16384
"""Of computed vectors, at most: evenly spread over the scan."""

_CANDIDATES, _PLACES = 24, 400
_CHANCE, _DOUBTFUL = 0.15, 0.3  # shares explained: what many tries find in anything, and what several crystals give
_NEAR, _STRAINED = 0.06, 0.03  # of the shortest vector, and of a difference's length: how far it may be from a point


def get_basis(vectors: DiffractionVectors, mask: Any = None, min_length: Any = None) -> LatticeBasis:
    """The basis of the lattice that most vectors lie on: a `LatticeBasis`, primitive for the spots that are seen.

    Computes: of lazy vectors all positions, once; it is best to compute them first. Where neighbouring parts of the
    specimen have different lattices, select one with `mask`.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    mask : ROI, bool ndarray [nav...] or VirtualImage of bool, optional
        Only positions inside, or True, count.
    min_length : int, float or str, optional
        Shorter differences do not count, such as those between two maxima of one disk: pixels, axis units or text with
        a unit. By default 3 pixels.

    Returns
    -------
    LatticeBasis
        In units of the frame's axes: the two shortest vectors that span the lattice. g1 is the one that points most
        nearly to +x, g2 less than half a turn from it, from +x towards +y.

    Raises
    ------
    ValueError
        No lattice was found: too few vectors, none in two directions, or anywhere; or it is finer than some 5 pixels.

    Warns
    -----
    Lazy4DWarning
        It explains less than three tenths of the differences: there may be several crystals.

    Notes
    -----
    Differences between all vectors of the same position are counted on a map of one pixel bins. Whatever the origin,
    they are points of the lattice that the spots span: systematic absences (centring) make it a finer or coarser one
    as the spots say, and missing single spots change nothing. Of all pairs of the map's maxima, that one is taken whose
    points explain most of the counts: the share f near a point less the share p that would be there by chance,
    ``(f - p) / (1 - p)``, which falls for cells too large (f) as for cells too small (p). It is then fitted to the
    maxima and reduced.

    Examples
    --------
    >>> spots = np.array([[h * 5.0 + k, k * 6.0] for h in (-1, 0, 1) for k in (-1, 0, 1)]) + 12
    >>> v = l4.DiffractionVectors([spots], frame_shape=(24, 24))
    >>> get_basis(v)
    <LatticeBasis: |g1| = 6.08276, |g2| = 5 px, 80.5° apart, g1 at 9.5°, 100% matched>
    """
    plane = plane_of(vectors)
    reach = min(REACH, math.ceil(math.hypot(*vectors.frame_shape)))
    positions = counted_positions(vectors, mask)
    shortest = 3.0
    if min_length is not None:
        shortest = plane.length(min_length, "min_length", zero=False) / plane.pixel
    counts = _differences(vectors, plane, reach, positions)
    found, matched = basis_of(counts, shortest)
    if matched < _DOUBTFUL:
        warnings.warn(
            f"the lattice found explains only {matched:.0%} of the differences between vectors: there may be several "
            "crystals (select one with mask=), or mostly stray vectors",
            Lazy4DWarning,
            stacklevel=2,
        )
    return LatticeBasis(found * plane.pixel, plane.units, matched)


def _differences(vectors: DiffractionVectors, plane: DiffractionPlane, reach: int, positions: Any) -> Floats:
    """The map of differences, in pixels of the plane."""
    if not vectors.lazy:
        ragged = vectors.ragged
        if positions is not None:
            (known,) = compute_together(positions)
            ragged = ragged.take(np.asarray(known, bool).reshape(-1))
        filled = np.flatnonzero(ragged.counts > 1)
        step = -(-filled.size // POSITIONS) or 1
        return difference_map(ragged.take(filled[::step]), plane, reach) / UNIT
    params = () if positions is None else (rows_for(vectors, positions),)
    shape = (2 * reach + 1, 2 * reach + 1)
    (known,) = compute_together(
        vectors.blocks.total(difference_map, plane, reach, *params, shape=shape, dtype=np.int64)
    )
    return np.asarray(known / UNIT, np.float64)


def difference_map(ragged: RaggedFrames, plane: DiffractionPlane, reach: int, counted: Any = None) -> NDArray[np.int64]:
    """How often each difference, in pixels, occurs between vectors of the same frame: int64 [2 reach + 1] * 2.

    In parts of `lazy4d.kernels.lattice_pairs.UNIT`, so that sums over blocks do not depend on their order.

    Examples
    --------
    >>> ragged = RaggedFrames.from_counts([2], {"ky": [1.0, 1.0], "kx": [1.0, 2.0]})
    >>> difference_map(ragged, DiffractionPlane(), 2)[2]
    array([    0, 65536,     0, 65536,     0])
    """
    if counted is not None:
        ragged = ragged.take(np.asarray(counted, bool).reshape(-1))
    y, x = plane.offsets(ragged)
    out = np.zeros((2 * reach + 1, 2 * reach + 1), np.int64)
    count_differences(ragged.offsets, y / plane.pixel, x / plane.pixel, np.ones(ragged.total), MOST, out)
    return out


def basis_of(counts: Floats, shortest: float = 3.0) -> tuple[Floats, float]:
    """The reduced basis [2, 2], rows (y, x) in bins, of a map of differences, and the share of the counts it explains.

    Raises
    ------
    ValueError
        None was found.
    """
    places, mass = _maxima(counts, shortest)
    if len(places) < 4:
        raise ValueError(
            "found no lattice: expected positions with at least three vectors that are not in line, found "
            f"{len(places)} different differences between vectors; detect more vectors, or give a basis"
        )
    lengths = np.linalg.norm(places, axis=1)
    strong = np.flatnonzero(mass >= 0.05 * mass.max())
    half = strong[_upper(places[strong])]
    near = half[np.argsort(lengths[half], kind="stable")[:_CANDIDATES]]
    heavy = half[np.argsort(-mass[half], kind="stable")[:_CANDIDATES]]
    tried = places[np.union1d(near, heavy)]
    best, score = None, 0.0
    first, second = np.triu_indices(len(tried), 1)
    for a, b in zip(tried[first], tried[second], strict=True):
        area = abs(a[0] * b[1] - a[1] * b[0])
        if area < 0.25 * max(float(a @ a), float(b @ b)) ** 0.5 * min(float(a @ a), float(b @ b)) ** 0.5:
            continue  # so skew that other candidates are a shorter basis of the same lattice
        value = _explained(np.stack([a, b]), places, mass, lengths)
        if value > score + 1e-9:
            best, score = np.stack([a, b]), value
    if best is None or score < _CHANCE or _resolved(best, places, mass, lengths) < 0.5:
        raise ValueError(
            "found no lattice: the differences between vectors of the same position point into one direction only, or "
            "anywhere; select positions of one crystal with mask=, or give a basis (of vectors shorter than some 5 "
            "pixels none can be found)"
        )
    for _ in range(3):
        best = _refined(best, places, mass, lengths)
    return reduced(best), score


def _maxima(counts: Floats, shortest: float) -> tuple[Floats, Floats]:
    """Places (y, x) from the middle of the map's maxima, heaviest first, and the counts about each."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    middle = (counts.shape[0] - 1) // 2
    smooth = gaussian_filter(counts, 1.0)
    y, x = np.nonzero((smooth == maximum_filter(smooth, 5)) & (smooth > 1e-3 * smooth.max()))
    far = np.hypot(y - middle, x - middle) >= shortest
    y, x = y[far], x[far]
    order = np.argsort(-smooth[y, x], kind="stable")[:_PLACES]
    padded = np.pad(counts, 3)
    offset = np.arange(-3, 4)
    rows = y[order, None, None] + 3 + offset[:, None]
    columns = x[order, None, None] + 3 + offset
    about = padded[rows, columns] * np.exp(-(offset[:, None] ** 2 + offset**2) / 8)
    mass = about.sum(axis=(1, 2))
    dy = (about * offset[:, None]).sum(axis=(1, 2)) / mass
    dx = (about * offset).sum(axis=(1, 2)) / mass
    places = np.stack([y[order] - middle + dy, x[order] - middle + dx], -1)
    return places, mass


def _upper(places: Floats) -> NDArray[np.bool_]:
    """One of every two opposite places."""
    return (places[:, 0] > 1e-6) | ((np.abs(places[:, 0]) <= 1e-6) & (places[:, 1] > 0))


def _indices(basis: Floats, places: Floats) -> tuple[Floats, Floats]:
    indices = np.rint(places @ np.linalg.inv(basis))
    return indices, np.linalg.norm(places - indices @ basis, axis=1)


def _explained(basis: Floats, places: Floats, mass: Floats, lengths: Floats) -> float:
    """The share of the counts near a lattice point, less what chance puts there."""
    near, chance = _chance(basis, lengths)
    hit = _indices(basis, places)[1] <= near
    useful = chance < 0.5
    by_chance = float((mass * chance)[useful].sum())
    left = float(mass[useful].sum()) - by_chance
    return (float(mass[useful & hit].sum()) - by_chance) / left if left > 0 else 0.0


def _chance(basis: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """How far from a lattice point differences of some lengths may be, and the chance that any place is as near."""
    near = _NEAR * lengths.min() + 1.0 + _STRAINED * lengths
    return near, np.minimum(math.pi * near**2 / abs(float(np.linalg.det(basis))), 1.0)


def _resolved(basis: Floats, places: Floats, mass: Floats, lengths: Floats) -> float:
    """The share of the counts within four lattice vectors whose being near a point says something."""
    about = lengths <= 4 * np.linalg.norm(basis, axis=1).max()
    useful = _chance(basis, lengths)[1] < 0.5
    return float(mass[about & useful].sum() / mass[about].sum())


def _refined(basis: Floats, places: Floats, mass: Floats, lengths: Floats) -> Floats:
    """The basis fitted to the maxima near its points."""
    indices, off = _indices(basis, places)
    weight = mass * (off <= _NEAR * lengths.min() + 1.0 + _STRAINED * lengths)
    matrix = indices.T @ (indices * weight[:, None])
    if np.linalg.cond(matrix) > 1e10:
        return basis
    found: Floats = np.linalg.solve(matrix, indices.T @ (places * weight[:, None]))
    return found
