"""Clusters, lattices and unique vectors of simulated scans, judged by the truth they were made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import lazy4d as l4
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors import clustering_density, clustering_groups
from lazy4d.signals.vectors.clustering_density import binned, neighbour_pairs
from lazy4d.signals.vectors.clustering_scale import disk_spacing

pytest.importorskip("sklearn")

SIZE = 256


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Any:
    with l4.set_options(progress=False):
        yield


def adjusted_rand(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Adjusted Rand index: L. Hubert, P. Arabie, J. Classif. 2 (1985) 193."""
    table = np.zeros((a.max() - a.min() + 1, b.max() - b.min() + 1))
    np.add.at(table, (a - a.min(), b - b.min()), 1)
    pairs, rows, columns = ((n * (n - 1) / 2).sum() for n in (table, table.sum(1), table.sum(0)))
    chance = rows * columns / (a.size * (a.size - 1) / 2)
    return float((pairs - chance) / ((rows + columns) / 2 - chance))


def grains(
    lattices: int = 5, positions: int = 120, sigma: float = 0.1, seen: float = 0.8, stray: float = 0.0, seed: int = 0
) -> tuple[l4.DiffractionVectors, NDArray[np.int64], NDArray[np.int64]]:
    """Grains side by side, each its own rotated lattice; the lattice and the disk of each vector, stray ones -1."""
    rng = np.random.default_rng(seed)
    h, k = np.mgrid[-5:6, -5:6].reshape(2, -1)
    frames, lattice, disk = [], [], []
    for position in range(positions):
        grain = position * lattices // positions
        angle, length = np.deg2rad(3 + 19 * grain), 22 + 1.5 * grain
        a = length * np.array([np.sin(angle), np.cos(angle)])
        b = 1.3 * length * np.array([np.cos(angle), -np.sin(angle)])
        places = SIZE / 2 + h[:, None] * a + k[:, None] * b
        shown = ((places > 5) & (places < SIZE - 6)).all(1) & ((h != 0) | (k != 0)) & (rng.random(h.size) < seen)
        number = rng.poisson(stray)
        found = places[shown] + rng.normal(0, sigma, (shown.sum(), 2))
        frames.append(np.concatenate([found, rng.uniform(5, SIZE - 6, (number, 2))]))
        lattice += [grain] * len(found) + [-1] * number
        disk += list(1000 * grain + np.flatnonzero(shown)) + [-1] * number
    v = l4.DiffractionVectors(frames, nav_shape=(4, positions // 4), frame_shape=(SIZE, SIZE))
    return v, np.array(lattice), np.array(disk)


@pytest.mark.parametrize("stray", [0.0, 3.0])
def test_five_lattices_are_told_apart(stray: float) -> None:
    v, lattice, disk = grains(stray=stray)
    found = v.cluster().group_clusters()
    assert adjusted_rand(disk, found.ragged["label"]) > 0.98
    assert adjusted_rand(lattice, found.ragged["lattice"]) > 0.99
    assert set(found.ragged["lattice"][lattice >= 0].tolist()) >= {0, 1, 2, 3, 4}
    noted = found.metadata.get_item("DiffractionVectors.clustering.label").as_dictionary()
    assert noted["automatic"]
    assert 0.2 < noted["eps"] < 5
    assert [entry.op for entry in found.history] == ["cluster", "group_clusters"]


def test_the_automatic_distance_follows_the_scatter_of_the_disks() -> None:
    found = []
    for sigma in (0.02, 0.5):
        v, _, disk = grains(1, 60, sigma)
        labelled = v.cluster()
        found.append(labelled.metadata.get_item("DiffractionVectors.clustering.label.eps"))
        assert adjusted_rand(disk, labelled.ragged["label"]) > 0.98
    assert found[0] < found[1]


def test_a_shared_disk_belongs_to_the_lattice_that_is_there() -> None:
    v, lattice, _ = grains(3, 60)
    beams = np.full((1, 2), SIZE / 2)
    frames = [np.concatenate([np.stack([f["ky"], f["kx"]], axis=1), beams]) for f in map(v.ragged.frame, range(60))]
    found = l4.DiffractionVectors(frames, frame_shape=(SIZE, SIZE)).cluster().group_clusters().ragged
    beam = np.cumsum(found.counts) - 1
    others = found["lattice"][beam - 1]
    assert (found["lattice"][beam] == others).mean() > 0.99
    assert adjusted_rand(lattice, np.delete(found["lattice"], beam)) > 0.99


def test_similarity_is_counted_alike_for_few_and_for_many_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    clusters, positions = rng.integers(0, 6, 300), rng.integers(0, 80, 300)
    there = [set(positions[clusters == one].tolist()) for one in range(6)]
    expected = [[len(a & b) / min(len(a), len(b)) for b in there] for a in there]
    monkeypatch.setattr(clustering_groups, "POSITIONS", 7)
    np.testing.assert_allclose(clustering_groups.similarities(clusters, positions), expected)
    monkeypatch.setattr(clustering_groups, "FEW", 0)
    np.testing.assert_allclose(clustering_groups.similarities(clusters, positions), expected)


def test_labels_are_numbered_by_size_and_do_not_depend_on_blocks() -> None:
    v, _, _ = grains(2, 40, stray=1)
    label = v.cluster(eps=1).ragged["label"]
    sizes = np.bincount(label[label >= 0])
    assert label.dtype == np.int64
    assert (np.diff(sizes) <= 0).all()
    for size in np.unique(sizes):
        rows = [v.ragged["ky"][label == one].mean() for one in np.flatnonzero(sizes == size)]
        assert rows == sorted(rows)
    lazy = l4.DiffractionVectors(
        RaggedBlocks.from_ragged(v.ragged, (4, 10), ((1, 3), (4, 6))), frame_shape=(SIZE, SIZE)
    )
    np.testing.assert_array_equal(lazy.cluster(eps=1).ragged["label"], label)
    np.testing.assert_array_equal(lazy.get_unique_vectors(2).ragged["ky"], v.get_unique_vectors(2).ragged["ky"])


def test_gathered_in_cells_gives_what_all_vectors_give(monkeypatch: pytest.MonkeyPatch) -> None:
    v, _, _ = grains(3, 60, stray=2)
    whole = v.cluster(eps=1.2, min_samples=6).ragged["label"]
    monkeypatch.setattr(clustering_density, "EXACT", 0)
    assert adjusted_rand(whole, v.cluster(eps=1.2, min_samples=6).ragged["label"]) > 0.999


def test_pairs_of_neighbours_stay_below_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    v, _, disk = grains(1, 40)
    points = np.stack([v.ragged["ky"], v.ragged["kx"]], axis=1)
    tree = cKDTree(points)
    pairs = int(tree.count_neighbors(tree, 1.0))
    held: list[int] = []

    def counted(places: Any, weights: Any, enough: int) -> Any:
        held.append(len(places))
        return dbscan(places, weights, enough)

    dbscan = clustering_density.dbscan
    monkeypatch.setattr(clustering_density, "dbscan", counted)
    monkeypatch.setattr(clustering_density, "MOST_PAIRS", pairs // 2)
    assert neighbour_pairs(points) == pytest.approx(pairs, rel=0.1)
    assert adjusted_rand(disk, v.cluster(eps=1.0, min_samples=6).ragged["label"]) > 0.98
    assert held[-1] < len(points)
    monkeypatch.setattr(clustering_density, "MOST_PAIRS", 100)
    with pytest.raises(ValueError, match=r"pairs of neighbours within eps.*give a smaller eps"):
        v.cluster(eps=1.0, min_samples=6)


def test_disks_that_were_found_twice_do_not_set_the_automatic_distance() -> None:
    v, _, disk = grains(1, 60, sigma=0.3)
    twice = np.random.default_rng(0).random(len(disk)) < 0.1
    frames = v.ragged.frame_numbers()
    order = np.argsort(np.concatenate([frames, frames[twice]]), kind="stable")
    number = np.concatenate([np.arange(len(disk)), np.flatnonzero(twice)])[order]
    shift = np.concatenate([np.zeros(len(disk)), np.full(twice.sum(), 0.4)])[order]
    columns = {"ky": v.ragged["ky"][number], "kx": v.ragged["kx"][number] + shift}
    doubled = l4.DiffractionVectors(
        RaggedFrames.from_counts(np.bincount(frames[number]), columns), frame_shape=(SIZE, SIZE)
    )
    assert disk_spacing(columns["ky"], columns["kx"], doubled.ragged) > 15
    assert adjusted_rand(disk[number], doubled.cluster().ragged["label"]) > 0.98


def test_noise_alone_is_told() -> None:
    v, _, _ = grains(1, 60)
    with pytest.warns(l4.errors.Lazy4DWarning, match=r"min_samples.*within eps of 15 px.*give a lower min_samples"):
        assert (v.cluster(eps=15.0).ragged["label"] == -1).all()
    assert (v.cluster(eps=0.001, min_samples=3).ragged["label"] == -1).all()  # as both were given


def test_scan_steps_and_other_columns_tell_vectors_apart() -> None:
    rows = [[[10.0, 10.0]]] * 12 + [[[10.0, 20.0]]] * 6 + [[[10.0, 10.0]]] * 12
    v = l4.DiffractionVectors(rows, frame_shape=(32, 32)).with_columns(phase=np.arange(30) % 2 * 1.0)
    assert v.cluster(eps=1, min_samples=3).ragged["label"].tolist() == [0] * 12 + [1] * 6 + [0] * 12
    apart = v.cluster(columns=("ky", "kx", "x"), eps=1, min_samples=3).ragged["label"]
    assert apart.tolist() == [0] * 12 + [2] * 6 + [1] * 12
    far = v.cluster(columns=("ky", "kx", "x"), eps=1, min_samples=3, scaling={"x": 7}).ragged["label"]
    assert far.tolist() == [0] * 12 + [1] * 6 + [0] * 12
    phases = v.cluster(columns=("kx", "phase"), eps=1, min_samples=3, scaling={"phase": 0.5}).ragged["label"]
    assert len(set(phases.tolist())) == 4


def test_lengths_are_those_of_the_axes() -> None:
    v = l4.DiffractionVectors([[[10.0, 10.0], [10.0, 13.0]]] * 8, frame_shape=(32, 32))
    v.set_calibration(scale=(0.1, 0.5), units="1/Å", center=(16, 16))
    assert v.cluster(eps="4 1/nm", min_samples=3).ragged["label"].max() == 0  # 3 px of kx are 0.3 1/Å
    assert v.cluster(eps=0.2, min_samples=3).ragged["label"].max() == 1
    assert v.get_unique_vectors(0.2).ragged.total == 2
    assert v.get_unique_vectors("4 1/nm").ragged["kx"].tolist() == [11.5]


def test_binned_points_are_means_of_cells() -> None:
    points = np.random.default_rng(0).uniform(0, 3, (200, 2))
    cells, places, numbers = binned(points, 0.5)
    for cell in range(len(numbers)):
        np.testing.assert_allclose(places[cell], points[cells == cell].mean(axis=0))
        assert numbers[cell] == (cells == cell).sum()
        assert np.ptp(points[cells == cell], axis=0).max(initial=0) <= 0.5
    assert binned(np.empty((0, 2)), 0.5)[2].size == 0


class Sorter:
    """A clusterer like those of scikit-learn: points right of the mean are 7, the others 3, none right of 1000."""

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state

    def set_params(self, random_state: Any) -> None:
        self.random_state = random_state

    def fit_predict(self, points: NDArray[Any]) -> NDArray[Any]:
        if self.random_state != 0:
            raise RuntimeError("expected a fixed random_state")
        self.middle_ = points[:, 1].mean()
        return np.where(points[:, 1] > self.middle_, 7, 3)


class Predictor(Sorter):
    def predict(self, points: NDArray[Any]) -> NDArray[Any]:
        return np.where(points[:, 1] > self.middle_, 7, 3)


@pytest.mark.parametrize("kind", [Sorter, Predictor])
@pytest.mark.parametrize("most", [30, 1000])
def test_any_clusterer_labels_all_vectors(kind: Any, most: int) -> None:
    rng = np.random.default_rng(0)
    frames = [np.array([[5, 5], [5, 25], [6, 25]]) + rng.normal(0, 0.2, (3, 2)) for _ in range(40)]
    given = kind()
    found = l4.DiffractionVectors(frames, frame_shape=(32, 32)).cluster(given, max_vectors=most, name="side")
    assert found.ragged["side"].reshape(-1, 3).tolist() == [[1, 0, 0]] * 40
    assert given.random_state is None, "a copy was fitted"
    assert not hasattr(given, "middle_")


def test_clusterers_of_scikit_learn() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    v, _, disk = grains(1, 40)
    number = len(np.unique(disk))
    for clusterer in (cluster.KMeans(number, n_init=1), cluster.DBSCAN(eps=2.0)):
        assert adjusted_rand(disk, v.cluster(clusterer).ragged["label"]) > 0.95


def test_unique_vectors_are_the_places_of_the_disks() -> None:
    v, _, disk = grains(2, 60, sigma=0.1)
    v = v.with_columns(intensity=np.ones(v.ragged.total) * (disk + 1))
    unique = v.get_unique_vectors(1.5, min_count=3)
    assert unique.nav_shape == ()
    assert unique.columns == ("ky", "kx", "count", "intensity")
    assert unique.ragged["count"].dtype == np.int64
    assert (np.diff(unique.ragged["count"]) <= 0).all()
    names, counts = np.unique(disk, return_counts=True)
    assert unique.ragged.total == len(names)
    order = np.argsort(unique.ragged["intensity"])
    np.testing.assert_allclose(unique.ragged["intensity"][order], names + 1)
    np.testing.assert_array_equal(unique.ragged["count"][order], counts)
    for column in ("ky", "kx"):
        means = np.bincount(np.searchsorted(names, disk), v.ragged[column]) / counts
        np.testing.assert_allclose(unique.ragged[column][order], means, atol=1e-8)
    mask = unique.to_mask(3)
    assert not mask.lazy
    assert mask.data.shape == (SIZE, SIZE)


def test_unique_vectors_are_a_tolerance_apart_and_do_not_chain() -> None:
    line = np.stack([np.full(400, 50.0), np.linspace(10, 90, 400)], axis=1)
    v = l4.DiffractionVectors([line], frame_shape=(100, 100))
    places = np.sort(v.get_unique_vectors(8).ragged["kx"])
    assert 6 <= len(places) <= 11
    assert v.cluster(eps=8, min_samples=3).ragged["label"].max() == 0


def test_disks_of_a_frame_keep_their_distance() -> None:
    v, _, _ = grains(1, 20, sigma=0.0, seen=1.0)
    assert disk_spacing(v.ragged["ky"], v.ragged["kx"], v.ragged) == pytest.approx(22.0)
    assert np.isnan(disk_spacing(np.zeros(2), np.zeros(2), l4.DiffractionVectors([[[0, 0]], [[0, 0]]]).ragged))


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "column": (lambda v: v.cluster(columns=("ky", "q")), ValueError, "expected columns and navigation axes, of ky, kx"),
    "scaling of none": (lambda v: v.cluster(scaling={"q": 1}, eps=1), ValueError, "not among the columns"),
    "no scaling": (
        lambda v: v.with_columns(q=1.0).cluster(columns=("ky", "q"), eps=1),
        ValueError,
        "the difference in column 'q' that counts as much as eps",
    ),
    "scaling": (lambda v: v.cluster(columns=("ky", "x"), eps=1, scaling={"x": 0}), ValueError, "a positive number"),
    "eps": (lambda v: v.cluster(eps=0), ValueError, "eps as a length above 0"),
    "no samples": (lambda v: v.cluster(eps=1, min_samples=0), ValueError, "min_samples of at least 1"),
    "place of labels": (lambda v: v.cluster(eps=1, name="ky"), ValueError, "a name for a column of labels"),
    "measured numbers": (
        lambda v: v.with_columns(intensity=1.0).cluster(eps=1, min_samples=3, name="intensity"),
        ValueError,
        "'intensity', which is a column of float64",
    ),
    "clusterer": (lambda v: v.cluster("kmeans"), TypeError, "a clusterer with fit_predict"),
    "too few": (lambda v: v.inav[:1].cluster(min_samples=100), ValueError, "give eps, or a lower min_samples"),
    "no vectors": (lambda v: v.ivec[:0].cluster(), ValueError, "expected vectors to find eps from, found 0"),
    "labels": (lambda v: v.group_clusters(), ValueError, r"v.cluster\(\) makes one"),
    "similarity": (lambda v: v.cluster(eps=1).group_clusters(0), ValueError, "a similarity above 0"),
    "tolerance": (lambda v: v.get_unique_vectors(0), ValueError, "tolerance as a length above 0"),
    "count": (lambda v: v.get_unique_vectors(1, min_count=0), ValueError, "min_count of at least 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_to_do(name: str) -> None:
    operation, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        operation(l4.DiffractionVectors([[[10.0, 10.0], [10.0, 13.0]]] * 8, frame_shape=(32, 32)))


def test_undefined_places_are_noise() -> None:
    v = l4.DiffractionVectors([[[10.0, 10.0], [np.nan, 13.0]]] * 8, frame_shape=(32, 32))
    assert v.cluster(eps=1, min_samples=3).ragged["label"].tolist() == [0, -1] * 8
    assert v.get_unique_vectors(1).ragged["count"].tolist() == [8]
