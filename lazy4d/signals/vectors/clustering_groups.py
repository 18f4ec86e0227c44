"""Lattices: clusters of vectors that occur at the same positions of the scan get one label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.vectors.clustering import check_label_name, labelled, ordered_labels

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

MOST = 5000
"""Clusters that can be compared with one another."""
FEW = 800
"""Clusters up to which products of matrices are faster than lists of pairs."""
POSITIONS = 4096
"""Positions in one of these matrices."""

Numbers = NDArray[np.int64]


def group_clusters(
    vectors: DiffractionVectors,
    similarity: float = 0.5,
    *,
    min_clusters: int = 3,
    column: str = "label",
    name: str = "lattice",
) -> DiffractionVectors:
    """The vectors, computed, with an int64 column that tells their lattices apart: clusters found together are one.

    Disks of one crystal show at the same scan positions. Lattices are numbered from 0 by how many vectors they
    have, the largest first (of equally large ones that with the lower mean ky, then kx); -1 is noise, and what belongs
    to no lattice.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors with labels of clusters, see `cluster`; lazy ones are computed.
    similarity : float
        Clusters are joined down to this mean similarity, in (0, 1].
    min_clusters : int
        A lattice has at least so many clusters.
    column : str
        The labels of the clusters.
    name : str
        Of the column of lattices.

    Raises
    ------
    ValueError
        No labels, a similarity out of range, or more than 5000 clusters.

    Notes
    -----
    The similarity of two clusters is the number of positions that show both over that of the positions that show the
    rarer one (the overlap coefficient of D. Szymkiewicz and G. G. Simpson), so that a disk that is often missed still
    finds its lattice. Clusters are joined by average linkage (R. Sokal, C. Michener, Univ. Kansas Sci. Bull. 38 (1958)
    1409). A disk that several lattices share, such as the direct beam, belongs at each position to that one of them of
    which the larger part of the disks is there.

    Examples
    --------
    >>> rows = [[[2, 2], [2, 9], [9, 2]]] * 6 + [[[5, 5], [5, 12], [12, 5]]] * 5
    >>> v = l4.DiffractionVectors(rows, frame_shape=(16, 16)).cluster(eps=1, min_samples=3).group_clusters()
    >>> np.unique(v.ragged["lattice"], return_counts=True)
    (array([0, 1]), array([18, 15]))
    """
    if not 0 < similarity <= 1:
        raise ValueError(f"expected a similarity above 0, at most 1, found {similarity!r}")
    check_label_name(vectors, name)
    known = labelled(vectors, column)
    ragged = known.ragged
    labels = ragged[column].astype(np.int64)
    real = labels >= 0
    names, clusters = np.unique(labels[real], return_inverse=True)
    if len(names) > MOST:
        raise ValueError(
            f"expected at most {MOST} clusters to compare, found {len(names)}: cluster with a larger eps or "
            "min_samples, or leave out what is rare"
        )
    groups = np.full(ragged.total, -1, np.int64)
    if len(names):
        positions = ragged.frame_numbers()[real]
        groups[real] = _groups(clusters.reshape(-1), positions, ragged.n_frames, float(similarity), int(min_clusters))
    found = ordered_labels(groups, np.stack([ragged["ky"], ragged["kx"]], axis=1))
    options = {"similarity": similarity, "min_clusters": min_clusters, "column": column, "name": name}
    return known._derive(ragged.with_columns(**{name: found}), "group_clusters", options)


def _groups(clusters: Numbers, positions: Numbers, n_frames: int, similarity: float, min_clusters: int) -> Numbers:
    """The group of each vector, given its cluster and its position."""
    from scipy import sparse

    number = int(clusters.max()) + 1
    alike = similarities(clusters, positions)
    group_of = joined(alike, similarity)
    sizes = np.bincount(group_of)
    members = np.zeros((len(sizes), number))
    members[group_of, np.arange(number)] = 1.0
    # Mean similarity of each cluster with the members of each group: [groups, clusters].
    allowed = (members @ alike) / sizes[:, None] >= similarity
    allowed[sizes < min_clusters] = False
    large = sizes[group_of] >= min_clusters
    allowed[group_of, np.arange(number)] = large
    result = np.where(large, group_of, -1)[clusters]
    shared = (allowed.sum(axis=0) > large)[clusters]  # others may have it too
    if shared.any():
        keys = _different(positions * number + clusters)  # a cluster may have two vectors at one position
        cells = (group_of[keys % number], keys // number)
        presence = sparse.coo_array((np.ones(len(keys)), cells), (len(sizes), n_frames)).tocsr()
        result[shared] = _most_present(presence, sizes, allowed, clusters[shared], positions[shared], result[shared])
    return result


def similarities(clusters: Numbers, positions: Numbers) -> NDArray[np.float64]:
    """Overlap coefficient of each two clusters of vectors at some positions: float64 [clusters, clusters].

    Examples
    --------
    >>> similarities(np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 0, 3])).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    number = int(clusters.max()) + 1
    keys = _different(positions * number + clusters)  # by position, then by cluster
    position, cluster = keys // number, keys % number
    counts = np.bincount(cluster, minlength=number)
    both = (_together_in_matrices if number <= FEW else _together_in_lists)(position, cluster, number)
    found: NDArray[np.float64] = both / np.minimum(counts[:, None], counts[None, :])
    return found


def _different(keys: Numbers) -> Numbers:
    """The different ones of some numbers from 0, sorted (np.unique hashes them first: ten times as long)."""
    ordered = np.sort(keys)
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _together_in_matrices(position: Numbers, cluster: Numbers, number: int) -> NDArray[np.float64]:
    """At how many positions each two clusters are, by products of matrices of 0 and 1 for some positions at a time."""
    both = np.zeros((number, number))
    starts = np.flatnonzero(np.diff(position, prepend=-1))  # of each position in the sorted list
    for first in range(0, len(starts), POSITIONS):
        low = starts[first]
        high = starts[first + POSITIONS] if first + POSITIONS < len(starts) else len(position)
        rows = np.cumsum(np.diff(position[low:high], prepend=position[low]) > 0)
        there = np.zeros((POSITIONS, number), np.float32)
        there[rows, cluster[low:high]] = 1
        both += there.T @ there
    return both


def _together_in_lists(position: Numbers, cluster: Numbers, number: int) -> NDArray[np.float64]:
    """The same by counting the pairs in the sorted lists of clusters at each position, for many clusters."""
    both = np.zeros(number * number)
    for step in range(1, len(position)):
        pairs = np.flatnonzero(position[step:] == position[:-step])  # so many places apart and still at one position
        if not len(pairs):
            break
        both += np.bincount(cluster[pairs] * number + cluster[pairs + step], minlength=number * number)
    square = both.reshape(number, number)
    result: NDArray[np.float64] = square + square.T + np.diag(np.bincount(cluster, minlength=number))
    return result


def joined(alike: NDArray[np.float64], similarity: float) -> Numbers:
    """Group of each of n things that are joined down to a mean similarity: int64 [n], from 0.

    Examples
    --------
    >>> joined(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]), 0.5).tolist()
    [0, 0, 1]
    """
    if len(alike) == 1:
        return np.zeros(1, np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(np.clip(1 - alike, 0, 1), checks=False), "average")
    found = fcluster(tree, 1 - similarity, "distance")
    return np.unique(found, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _most_present(
    presence: Any, sizes: Numbers, allowed: NDArray[np.bool_], clusters: Numbers, positions: Numbers, own: Numbers
) -> Numbers:
    """The allowed group of each vector of which the larger part is at its position; its own one if none is more."""
    best = own.copy()
    there = np.zeros(len(own))
    has_own = own >= 0
    if has_own.any():
        there[has_own] = np.asarray(presence[own[has_own], positions[has_own]]).reshape(-1) / sizes[own[has_own]]
    for group in np.flatnonzero(allowed[:, clusters].any(axis=1)):
        part = np.asarray(presence[[group]].todense()).reshape(-1)[positions] / sizes[group]
        better = allowed[group, clusters] & (part > there)
        best[better], there[better] = group, part[better]
    return best
