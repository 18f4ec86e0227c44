"""Clusters of vectors: disks that are one and the same in many patterns get one label."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DWarning
from lazy4d.signals.computing import compute_together
from lazy4d.signals.vectors.clustering_density import clustered
from lazy4d.signals.vectors.clustering_scale import automatic_eps, enough_vectors
from lazy4d.signals.vectors.diffraction_plane import plane_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

CLUSTERING = "DiffractionVectors.clustering"
"""Where the metadata keep by which settings the labels of each column were found."""
STEPS = 2.0
"""Scan steps that count as much as eps, where nothing else is said."""

Floats = NDArray[np.float64]


def cluster(
    vectors: DiffractionVectors,
    clusterer: Any = None,
    *,
    columns: Sequence[str] = ("ky", "kx"),
    eps: Any = None,
    min_samples: int | None = None,
    scaling: Mapping[str, Any] | None = None,
    max_vectors: int = 200_000,
    name: str = "label",
) -> DiffractionVectors:
    """The vectors, computed, with an int64 column of labels: vectors of one cluster have one number, noise has -1.

    All vectors of the scan are pooled. Clusters are numbered from 0 by their size, the largest first; of equally large
    ones that with the lower centroid, in the order of `columns`.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors; lazy ones are computed, and all of them held.
    clusterer : scikit-learn clusterer, optional
        Anything with ``fit_predict(points)``, such as ``sklearn.cluster.KMeans(5)`` or ``HDBSCAN()``; a copy is fitted,
        with ``random_state=0`` where it has none. By default its DBSCAN.
    columns : sequence of str
        What tells vectors apart: columns (``ky`` and ``kx`` are taken as offsets from the beam in axis units) and names
        of navigation axes (scan steps), ``("ky", "kx", "y", "x")`` for disks of one grain only.
    eps : int, float or str, optional
        Distance in the frame within which vectors are neighbours: an int counts pixels, a float is in axis units, text
        carries its unit. By default found from the vectors, see Notes.
    min_samples : int, optional
        How many vectors, itself included, within eps make a vector the core of a cluster. By default 5, or twice as
        many as an even spread of all vectors over frame and scan would put there, where that is more.
    scaling : mapping of str to number, optional
        The difference in a column that counts as much as eps. By default 2 steps for the scan; other columns than the
        places need theirs. (With a `clusterer`: what its points are divided by, 1 by default, and eps for ky and kx.)
    max_vectors : int
        A `clusterer` is fitted to at most so many vectors, picked evenly; others get what its ``predict`` says or,
        where it has none, the label of the nearest vector fitted. The default method always takes all of them.
    name : str
        Of the column of labels.

    Raises
    ------
    ValueError
        An unknown column, a column without scaling, no way to find eps, more neighbours than memory is meant to hold,
        or a name that a column of other numbers has.
    TypeError
        A clusterer without ``fit_predict``.
    ImportError
        scikit-learn is not installed, which the default needs.

    Warns
    -----
    Lazy4DWarning
        An eps or min_samples found by itself makes noise of all vectors.

    Notes
    -----
    DBSCAN (M. Ester et al., Proc. KDD 1996, 226): core vectors that are neighbours are one cluster, others join that of
    a core vector within eps. More than 20 000 vectors are first gathered in cells of eps / 16 along each column, each
    of which stands for its vectors at their mean place: distances are then right to that. Time and memory go with the
    number of cells and their neighbours; 10⁷ vectors of sharp disks take seconds. With scan steps among the columns
    hardly two vectors share a cell: 10⁶ then take some 10 to 20 s and, 8 bytes a pair of neighbours, up to 1.2 GB.
    Where there would be more pairs than that, cells are eps / 8 or eps / 4; beyond, it is an error.

    The default eps is looked for from half of the distance that disks of one frame keep (the first percentile of the
    distances to the nearest neighbour: two disks of a frame are never the same; a disk found twice does not count,
    where these stand out as being three times as near) down by steps of √2. At each step, of
    at most 20 000 vectors, the clusters are counted; eps is the middle of the longest run of three or more steps over
    which that number changes by less than 5 %, or of those three over which it changes least: there it depends on the
    vectors and not on eps. It is found from ky and kx alone.

    What was used stands in ``metadata.DiffractionVectors.clustering``, under the name of the column.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frames = [np.array([[4, 4], [4, 12]]) + rng.normal(0, 0.1, (2, 2)) for _ in range(50)]
    >>> v = l4.DiffractionVectors(frames, frame_shape=(8, 16)).cluster()
    >>> np.unique(v.ragged["label"], return_counts=True)
    (array([0, 1]), array([50, 50]))
    """
    check_label_name(vectors, name)
    if min_samples is not None and int(min_samples) < 1:
        raise ValueError(f"expected min_samples of at least 1, found {min_samples!r}")
    (known,) = compute_together(vectors)
    names = _checked_columns(known, columns)
    if clusterer is not None and not hasattr(clusterer, "fit_predict"):
        raise TypeError(f"expected a clusterer with fit_predict(points), as scikit-learn has them, found {clusterer!r}")
    places = [one for one in names if one in ("ky", "kx")]
    length, noted = _length_of_eps(known, names, places, eps, min_samples, default=clusterer is None)
    points, extents = _points(known, names, length, dict(scaling or {}), default=clusterer is None)
    finite = np.isfinite(points).all(axis=1)
    raw = np.full(len(points), -1, np.int64)
    if clusterer is None:
        enough = enough_vectors(int(finite.sum()), extents) if min_samples is None else int(min_samples)
        noted["min_samples"] = enough
        raw[finite] = clustered(points[finite], enough)
    elif finite.any():
        raw[finite] = _fitted(clusterer, points[finite], int(max_vectors))
        noted["clusterer"] = repr(clusterer)
    labels = ordered_labels(raw, points)
    if clusterer is None and labels.size and labels.max() < 0 and (eps is None or min_samples is None):
        near = f" of {length:.3g} {noted['units']}" if length else ""
        warnings.warn(
            f"no cluster was found, all {labels.size} vectors are noise: none has {enough} (min_samples) within "
            f"eps{near}; give a lower min_samples, or another eps",
            Lazy4DWarning,
            stacklevel=2,
        )
    noted |= {
        "columns": list(names),
        "clusters": int(labels.max(initial=-1)) + 1,
        "noise": float((labels < 0).mean()) if labels.size else 0.0,
    }
    options = {"clusterer": clusterer, "columns": list(names), "eps": eps, "min_samples": min_samples, "name": name}
    given = {key: value for key, value in {**options, "scaling": scaling}.items() if value is not None}
    result = known._derive(known.ragged.with_columns(**{name: labels}), "cluster", given)
    result.metadata.set_item(f"{CLUSTERING}.{name}", noted)
    return result


def ordered_labels(raw: NDArray[np.int64], points: Floats) -> NDArray[np.int64]:
    """Labels numbered by the size of their cluster, then by its centroid; negative ones are noise and become -1.

    Examples
    --------
    >>> ordered_labels(np.array([7, 3, 7, -1]), np.array([[0.0], [1], [0], [5]]))
    array([ 0,  1,  0, -1])
    """
    labels = np.full(len(raw), -1, np.int64)
    real = np.asarray(raw) >= 0
    if not real.any():
        return labels
    found, inverse, counts = np.unique(np.asarray(raw)[real], return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    centroids = [np.bincount(inverse, column, len(found)) / counts for column in points[real].T]
    order = np.lexsort((*centroids[::-1], -counts))
    rank = np.empty(len(found), np.int64)
    rank[order] = np.arange(len(found))
    labels[real] = rank[inverse]
    return labels


def _checked_columns(vectors: DiffractionVectors, columns: Sequence[str]) -> list[str]:
    names = [columns] if isinstance(columns, str) else list(columns)
    known = {*vectors.columns, *(axis.name for axis in vectors.nav_axes)}
    unknown = [one for one in names if one not in known]
    if unknown or not names:
        raise ValueError(
            f"expected columns and navigation axes, of {', '.join(vectors.columns)}, "
            f"{', '.join(axis.name for axis in vectors.nav_axes)}; found {names}"
        )
    return names


def _length_of_eps(
    vectors: DiffractionVectors,
    names: list[str],
    places: list[str],
    eps: Any,
    min_samples: int | None,
    *,
    default: bool,
) -> tuple[float | None, dict[str, Any]]:
    """Eps in axis units, None where points are not scaled by it, and what to note about it."""
    plane = plane_of(vectors)
    if eps is not None:
        length = plane.length(eps, "eps", zero=False)
        return length, {"eps": length, "units": plane.units}
    if not default or not places:
        return None, {}
    length = automatic_eps(vectors.ragged, plane, vectors.frame_shape, min_samples)
    return length, {"eps": length, "units": plane.units, "automatic": True}


def _points(
    vectors: DiffractionVectors, names: list[str], length: float | None, scaling: dict[str, Any], *, default: bool
) -> tuple[Floats, list[float]]:
    """What tells vectors apart, divided by what counts as one: [total, columns]; and how wide each column is."""
    wrong = [one for one in scaling if one not in names]
    if wrong:
        raise ValueError(f"scaling of {', '.join(wrong)}, which are not among the columns {', '.join(names)}")
    ragged = vectors.ragged
    plane = plane_of(vectors)
    offsets = dict(zip(("ky", "kx"), plane.offsets(ragged), strict=True))
    axes = {axis.name: k for k, axis in enumerate(vectors.nav_axes)}
    found, extents = [], []
    for one in names:
        given = scaling.get(one)
        if one in offsets:
            unit = (length or 1.0) if given is None else plane.length(given, f"scaling of {one}")
            values = offsets[one]
            extent = plane.pixel * math.sqrt(math.prod(vectors.frame_shape))
        elif one in vectors.columns:
            if default and given is None:
                raise ValueError(
                    f"expected the difference in column {one!r} that counts as much as eps: scaling={{{one!r}: …}}"
                )
            unit = 1.0 if given is None else float(given)
            values = ragged[one].astype(np.float64)
            extent = float(np.ptp(values[np.isfinite(values)])) if np.isfinite(values).any() else 0.0
        else:
            axis = vectors.nav_axes[axes[one]]
            unit = (STEPS if default else 1.0) if given is None else axis.length_to_pixels(given)
            values = np.unravel_index(ragged.frame_numbers(), vectors.nav_shape)[axes[one]].astype(np.float64)
            extent = float(axis.size)
        if not (math.isfinite(unit) and unit > 0):
            raise ValueError(f"expected scaling of {one} by a positive number or length, found {given!r}")
        found.append(values / unit)
        extents.append(extent / unit)
    return np.ascontiguousarray(np.stack(found, axis=1)), extents


def _fitted(clusterer: Any, points: Floats, most: int) -> NDArray[np.int64]:
    """Labels by a copy of the clusterer, fitted to at most so many points."""
    own = copy.deepcopy(clusterer)
    if getattr(own, "random_state", 0) is None:
        own.set_params(random_state=0)
    if len(points) <= most:
        return np.asarray(own.fit_predict(points), np.int64)
    picked = np.linspace(0, len(points) - 1, most).astype(np.int64)
    labels = np.empty(len(points), np.int64)
    labels[picked] = own.fit_predict(points[picked])
    others = np.ones(len(points), bool)
    others[picked] = False
    if hasattr(own, "predict"):
        labels[others] = own.predict(points[others])
    else:
        from scipy.spatial import cKDTree

        labels[others] = labels[picked][cKDTree(points[picked]).query(points[others])[1]]
    return labels


def check_label_name(vectors: DiffractionVectors, name: str) -> None:
    """Refuse to put labels in the place of the vectors' places, or of measured numbers; earlier labels may be replaced.

    Raises
    ------
    ValueError
        The name is "ky" or "kx", or that of a column which holds no whole numbers.
    """
    if name in ("ky", "kx"):
        raise ValueError(f"expected a name for a column of labels, found {name!r}, which is where the vectors are")
    if name in vectors.columns and vectors.dtypes[name].kind not in "iu":
        raise ValueError(
            f"expected a name for a column of labels, found {name!r}, which is a column of {vectors.dtypes[name]}: "
            "give another name"
        )


def labelled(vectors: DiffractionVectors, column: str) -> DiffractionVectors:
    """The vectors, computed, which have labels in a column.

    Raises
    ------
    ValueError
        There is no such column, or it holds no whole numbers.
    """
    if column not in vectors.columns or vectors.dtypes[column].kind not in "iu":
        raise ValueError(
            f"expected a column {column!r} of whole numbers, labels of clusters; the vectors have "
            f"{', '.join(vectors.columns)}: v.cluster() makes one"
        )
    (known,) = compute_together(vectors)
    return known
