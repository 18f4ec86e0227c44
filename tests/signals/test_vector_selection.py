"""Selections, maps, histograms, tables and masks of vectors, against numpy a frame at a time, lazy and computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames

FRAME = (24, 20)
CHUNKS = {"one block": "auto", "rows": (1, 5), "ragged": ((1, 3), (2, 2, 1))}


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Any:
    with l4.set_options(progress=False):
        yield


def entries(nav_shape: tuple[int, ...] = (4, 5), seed: int = 0) -> RaggedFrames:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, math.prod(nav_shape))
    counts[:1], total = 3, int(counts.sum()) + 3 - int(counts[0])
    columns = {
        "ky": rng.uniform(0, FRAME[0] - 1, total),
        "kx": rng.uniform(0, FRAME[1] - 1, total),
        "intensity": rng.poisson(20, total).astype(float),
        "label": rng.integers(-1, 4, total),
    }
    return RaggedFrames.from_counts(counts, columns)


def vectors(
    nav_shape: tuple[int, ...] = (4, 5), chunks: Any = None, scale: Any = (0.5, 0.25), valid: Any = None
) -> l4.DiffractionVectors:
    """Computed, or lazy in blocks; pixels of (x, y) `scale`, the beam at x = 9, y = 11."""
    ragged = entries(nav_shape)
    if valid is not None:
        ragged = ragged.where(np.repeat(valid.reshape(-1), ragged.counts))
    content: Any = ragged if chunks is None else RaggedBlocks.from_ragged(ragged, nav_shape, chunks)
    v = l4.DiffractionVectors(
        content, [*({"size": n, "navigate": True} for n in nav_shape), *({"size": n} for n in FRAME)],
        nav_shape=nav_shape, valid=valid, title="v",
    )  # fmt: skip
    for axis, name in zip(
        v.axes_manager.as_numpy_order(), ["z", "y", "x", "ky", "kx"][3 - len(nav_shape) :], strict=True
    ):
        axis.name = name
    v.set_calibration(scale=scale, units="1/Å", center=(9, 11))
    if nav_shape:
        v.set_calibration(scan_scale=2.0, scan_units="nm")
    v.metadata.set_item("Sample.name", "gold")
    return v


def frame_rows(v: l4.DiffractionVectors) -> list[dict[str, Any]]:
    ragged = (v.compute() if v.lazy else v).ragged
    return [ragged.frame(k) for k in range(ragged.n_frames)]


Q = {"y": lambda f: 0.25 * (f["ky"] - 11), "x": lambda f: 0.5 * (f["kx"] - 9)}


def magnitude(f: dict[str, Any]) -> Any:
    return np.hypot(Q["y"](f), Q["x"](f))


OPERATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[dict[str, Any]], Any]]] = {
    "condition": (lambda v: v.ivec[v.ivec["intensity"] > 20], lambda f: f["intensity"] > 20),
    "conditions": (
        lambda v: v.ivec[(v.ivec["kx"] < 9) & ~(v.ivec["label"] == -1) | (v.ivec["intensity"] >= 25)],
        lambda f: (f["kx"] < 9) & ~(f["label"] == -1) | (f["intensity"] >= 25),
    ),
    "text in a condition": (lambda v: v.ivec[v.ivec["kx"] > "10 1/nm"], lambda f: f["kx"] > 11),
    "derived column": (lambda v: v.ivec[v.ivec["magnitude"].between(1, "3 1/Å")], lambda f: _in(magnitude(f), 1, 3)),
    "azimuth": (
        lambda v: v.ivec[abs(v.ivec["azimuth"]) < np.deg2rad(60)],
        lambda f: abs(np.arctan2(Q["y"](f), Q["x"](f))) < np.pi / 3,
    ),
    "isin": (lambda v: v.ivec[v.ivec["label"].isin([0, 3])], lambda f: (f["label"] == 0) | (f["label"] == 3)),
    "map of the scan": (
        lambda v: v.ivec[v.ivec["intensity"] > 4 * v.count_map()],
        lambda f: f["intensity"] > 4 * len(f["ky"]),
    ),
    "first two": (lambda v: v.ivec[:2], lambda f: np.arange(len(f["ky"])) < 2),
    "last but one": (lambda v: v.ivec[-2], lambda f: np.arange(len(f["ky"])) == len(f["ky"]) - 2),
    "every second from the end": (
        lambda v: v.ivec[-3::2],
        lambda f: np.isin(np.arange(len(f["ky"])), np.arange(len(f["ky"]))[-3::2]),
    ),
    "magnitude": (lambda v: v.filter_by_magnitude(1.0, "30 1/nm"), lambda f: _in(magnitude(f), 1, 3)),
    "magnitude in pixels": (lambda v: v.filter_by_magnitude(5), lambda f: magnitude(f) >= 5 * np.sqrt(0.125)),
    "edge": (
        lambda v: v.filter_detector_edge(3),
        lambda f: (abs(f["ky"] - 11.5) <= 9) & (abs(f["kx"] - 9.5) <= 7),
    ),
    "edge in units": (
        lambda v: v.filter_detector_edge(1.0),
        lambda f: (abs(f["ky"] - 11.5) <= 8) & (abs(f["kx"] - 9.5) <= 8),
    ),
    "intensity": (lambda v: v.filter_by_intensity(15, 22), lambda f: (f["intensity"] >= 15) & (f["intensity"] <= 22)),
    "relative intensity": (
        lambda v: v.filter_by_intensity(0.8, relative=True),
        lambda f: f["intensity"] >= 0.8 * f["intensity"].max(initial=0),
    ),
    "strongest": (lambda v: v.filter_by_intensity(strongest=2), lambda f: _strongest(f["intensity"], 2)),
    "basis": (
        lambda v: v.filter_by_basis([(4, 1), ("2 px", 5)], 0.4),
        lambda f: _on_lattice(f, [(1, 4), (5, 2)], 0.4),
    ),
    "oblique basis": (
        lambda v: v.filter_by_basis(np.array([[1, 4], [5 + 3 * 1, 2 + 3 * 4]]) * [0.25, 0.5], 0.4, invert=True),
        lambda f: ~_on_lattice(f, [(1, 4), (5, 2)], 0.4),
    ),
}


def _in(values: Any, low: float, high: float) -> Any:
    return (values >= low) & (values < high)


def _strongest(values: Any, number: int) -> Any:
    best = sorted(range(len(values)), key=lambda k: (-values[k], k))[:number]
    return np.isin(np.arange(len(values)), best)


def _on_lattice(f: dict[str, Any], basis: Any, tolerance: float) -> Any:
    """Nearest of all nodes that can matter, in calibrated lengths."""
    h, k = np.mgrid[-12:13, -12:13].reshape(2, -1)
    nodes = h[:, None] * np.array(basis[0]) + k[:, None] * np.array(basis[1])
    away = np.stack([f["ky"] - 11, f["kx"] - 9], axis=1)[:, None] - nodes
    return np.hypot(0.25 * away[..., 0], 0.5 * away[..., 1]).min(axis=1, initial=np.inf) <= tolerance


@pytest.mark.parametrize("name", OPERATIONS)
def test_selections_keep_what_they_say(name: str, no_compute: Any) -> None:
    operation, keep = OPERATIONS[name]
    plain = vectors()
    expected = [{c: values[keep(f)] for c, values in f.items()} for f in frame_rows(plain)]
    known = operation(plain)
    assert 0 < known.count_map().as_numpy().sum() < plain.ragged.total
    for chunks in (None, CHUNKS["ragged"]):
        before = vectors(chunks=chunks)
        with no_compute:
            result = operation(before)
            repr(result)
        assert result.columns == before.columns
        assert result.metadata.get_item("Sample.name") == "gold"
        assert len(result.history) == len(before.history) + 1
        assert result.axes_manager.equals(before.axes_manager)
        for mine, theirs in zip(frame_rows(result), expected, strict=True):
            for column in theirs:
                np.testing.assert_array_equal(mine[column], theirs[column])


def summary(v: l4.DiffractionVectors) -> list[Any]:
    return [
        v.to_polar(),
        v.count_map(),
        v.count_map(v.ivec["intensity"] > 20),
        v.get_magnitude_histogram(7, weights="intensity", per_position=True),
        v.get_magnitude_histogram(),
        v.get_friedel_pairs("3 1/Å"),
        v.get_friedel_score(5, weights="intensity"),
        v.to_mask(2),
        v.with_columns(root=np.sqrt(v.ivec["intensity"]), two=2, share=v.ivec["intensity"] / v.count_map()),
        *(OPERATIONS[name][0](v) for name in ("map of the scan", "magnitude", "strongest", "basis")),
    ]


def assert_same(results: Any, expected: Any) -> None:
    for mine, theirs in zip(results, expected, strict=True):
        if isinstance(mine, l4.DiffractionVectors):
            assert mine.dtypes == theirs.dtypes
            np.testing.assert_array_equal(mine.ragged.offsets, theirs.ragged.offsets)
            for name in mine.columns:
                np.testing.assert_array_equal(mine.ragged[name], theirs.ragged[name])
        else:
            assert mine.data.dtype == theirs.data.dtype
            np.testing.assert_array_equal(mine.data, theirs.data)


@pytest.mark.parametrize("nav_shape", [(), (6,), (4, 5), (2, 3, 2)], ids=lambda s: f"{len(s)}-nav")
def test_any_navigation_and_any_blocks(nav_shape: tuple[int, ...], no_compute: Any) -> None:
    expected = l4.compute(*summary(vectors(nav_shape)))
    with no_compute:
        lazy = summary(vectors(nav_shape, chunks=(2,) * len(nav_shape)))
        declared = [(r.dtypes if isinstance(r, l4.DiffractionVectors) else r.dtype, repr(r)) for r in lazy]
    results = l4.compute(*lazy)
    assert_same(results, expected)
    for (dtype, _), result in zip(declared, results, strict=True):
        assert dtype == (result.dtypes if isinstance(result, l4.DiffractionVectors) else result.data.dtype)


def test_every_scheduler(scheduler: str) -> None:
    assert_same(l4.compute(*summary(vectors(chunks=(2, 3)))), l4.compute(*summary(vectors())))


def test_missing_frames_are_nan_in_maps() -> None:
    valid = np.ones((4, 5), bool)
    valid[2, 3] = False
    for v in (vectors(valid=valid), vectors(chunks=(1, 5), valid=valid)):
        for image in (v.count_map(), v.get_friedel_score(), v.get_magnitude_histogram(3, per_position=True).isig[0]):
            data = image.as_numpy()
            assert data.dtype == np.float64
            assert np.isnan(data[2, 3])
        assert v.filter_by_magnitude(1.0).valid.as_numpy().sum() == 19


def test_polar_columns_and_their_units() -> None:
    v = vectors()
    v.axes_manager.beam_energy = 200
    polar = v.to_polar(units="mrad")
    for mine, f in zip(frame_rows(polar), frame_rows(v), strict=True):
        # λ = 0.025079 Å: sin(2 asin(k λ / 2)) is k λ to a part in a thousand here
        np.testing.assert_allclose(mine["magnitude"], magnitude(f) * 25.079, rtol=2e-3)
        np.testing.assert_allclose(mine["azimuth"], np.arctan2(Q["y"](f), Q["x"](f)), atol=1e-12)
    assert polar.column_units["magnitude"] == "mrad"
    assert v.to_polar(ellipse=(1.2, 0)).ragged["magnitude"].max() != v.to_polar().ragged["magnitude"].max()


def test_a_beam_for_each_position_is_where_vectors_count_from() -> None:
    places = np.random.default_rng(1).uniform(8, 12, (4, 5, 2))
    beam = l4.Signal1D(places)
    rows = [np.hypot(0.25 * (f["ky"] - c[0]), 0.5 * (f["kx"] - c[1])) for f, c in
            zip(frame_rows(vectors()), places.reshape(-1, 2), strict=True)]  # fmt: skip
    for v in (vectors(), vectors(chunks=(3, 2))):
        for mine, theirs in zip(frame_rows(v.to_polar(center=beam)), rows, strict=True):
            np.testing.assert_allclose(mine["magnitude"], theirs)
        kept = v.filter_by_magnitude(2.0, center=beam).count_map().as_numpy().reshape(-1)
        np.testing.assert_array_equal(kept, [(row >= 2).sum() for row in rows])


def test_histogram_is_that_of_numpy() -> None:
    v = vectors()
    lengths = np.concatenate([magnitude(f) for f in frame_rows(v)])
    whole = v.get_magnitude_histogram()
    assert whole.data.sum() == len(lengths)
    assert whole.axes_manager["k"].units == "1/Å"
    part = v.get_magnitude_histogram(6, ("5 1/nm", 3.5))
    np.testing.assert_array_equal(part.data, np.histogram(lengths, 6, (0.5, 3.5))[0])
    np.testing.assert_allclose(part.axes_manager["k"].axis, np.arange(0.75, 3.5, 0.5))
    weighted = v.get_magnitude_histogram(6, (0.5, 3.5), weights="intensity", per_position=True)
    assert isinstance(weighted, l4.Diffraction1D)
    np.testing.assert_allclose(
        weighted.data.sum((0, 1)), np.histogram(lengths, 6, (0.5, 3.5), weights=v.ragged["intensity"])[0]
    )


def test_friedel_pairs_of_a_shifted_lattice() -> None:
    h, k = np.mgrid[-2:3, -2:3].reshape(2, -1)
    rng = np.random.default_rng(0)
    centers = rng.uniform(10, 13, (3, 2))
    frames = [c + np.stack([3 * h, 3.5 * k], axis=1) + rng.normal(0, 0.05, (25, 2)) for c in centers]
    v = l4.DiffractionVectors(frames, frame_shape=(24, 24))
    pairs = v.get_friedel_pairs(1, center=l4.Signal1D(centers)).ragged["pair"].reshape(3, 25)
    np.testing.assert_array_equal(pairs, np.tile(np.arange(25)[::-1], (3, 1)))
    np.testing.assert_array_equal(v.get_friedel_score(1, center=l4.Signal1D(centers)).data, 1.0)
    lost = v.ivec[v.ivec["ky"] > 12].get_friedel_score(0.3, center=l4.Signal1D(centers)).data
    assert (lost < 0.5).all()


def test_masks_select_pixels_of_frames() -> None:
    v = vectors(scale=0.5)
    s = l4.Diffraction2D(np.ones((4, 5, *FRAME), "uint8"))
    mask = v.to_mask(1.25)  # in axis units: 2.5 pixels
    assert isinstance(mask, l4.Diffraction2D)
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    expected = np.zeros((20, *FRAME), bool)
    for n, f in enumerate(frame_rows(v)):
        for y, x in zip(f["ky"], f["kx"], strict=True):
            expected[n] |= np.hypot(rows - y, columns - x) < 2.5
    np.testing.assert_array_equal(mask.as_numpy().reshape(expected.shape), expected)
    np.testing.assert_array_equal((s * mask).get_total_intensity().as_numpy(), expected.sum((1, 2)).reshape(4, 5))
    np.testing.assert_array_equal(v.to_mask(1.25, invert=True).as_numpy(), ~mask.as_numpy())
    one = v.inav[0, 0].to_mask(1.25)
    assert not one.lazy
    np.testing.assert_array_equal(s.get_virtual_image(one).as_numpy(), int(expected[0].sum()))


def test_masks_are_made_of_few_positions_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from lazy4d.signals.vectors import masks

    monkeypatch.setattr(masks.small_blocks, "__defaults__", (5 * FRAME[0] * FRAME[1],))
    for chunks in (None, "auto", (3, 5)):
        assert max(vectors(chunks=chunks).to_mask(2).data.chunks[0]) == 1
    np.testing.assert_array_equal(vectors(chunks=(3, 5)).to_mask(2).as_numpy(), vectors().inav[:].to_mask(2).as_numpy())
    expected = vectors().to_mask(2).as_numpy()
    monkeypatch.setattr(masks.small_blocks, "__defaults__", (2 * FRAME[0] * FRAME[1],))
    mask = vectors(chunks=(3, 5)).to_mask(2)
    assert mask.data.chunks[:2] == ((1,) * 4, (2, 2, 1))
    np.testing.assert_array_equal(mask.as_numpy(), expected)


def test_columns_and_arrays_as_columns() -> None:
    v = vectors()
    kept = v.ivec[["label"]]
    assert kept.columns == ("ky", "kx", "label")
    assert v.ivec["label", "ky"].columns == ("ky", "kx", "label")
    number = np.arange(v.ragged.total)
    np.testing.assert_array_equal(v.with_columns(number=number).ivec["number"].compute(), number)
    np.testing.assert_array_equal(v.ivec[number % 2 == 0].ragged["ky"], v.ragged["ky"][::2])
    column = np.hypot(v.ivec["ky"], v.ivec["kx"]) - v.ivec["ky"]
    assert repr(column) == "<Column: (hypot(ky, kx) - ky), float64>"
    np.testing.assert_array_equal(column, np.hypot(v.ragged["ky"], v.ragged["kx"]) - v.ragged["ky"])
    assert v.with_columns(ky=v.ivec["label"]).dtypes["ky"] == np.float64
    lazily = vectors(chunks="auto").with_columns(ky=v.ivec["label"])
    assert lazily.dtypes["ky"] == lazily.compute().ragged["ky"].dtype == np.float64


def test_what_a_column_was_made_with_is_in_the_history() -> None:
    for chunks in (None, "auto"):
        v = vectors(chunks=chunks)
        number = v.count_map()
        beam = l4.Signal1D(np.full((4, 5, 2), 10.0))
        made = {
            "condition": v.ivec[v.ivec["intensity"] > number],
            "column": v.with_columns(part=v.ivec["intensity"] / number),
            "map": v.with_columns(number=number),
            "count": v.count_map(v.ivec["intensity"] > number),
        }
        assert {name: one.history[-1].parents for name, one in made.items()} == dict.fromkeys(
            made, (number.history.id,)
        )
        for one in (v.to_polar(center=beam), v.get_friedel_score(center=beam)):
            assert one.history[-1].parents == (beam.history.id,)
        assert v.ivec[v.ivec["intensity"] > 3].history[-1].parents == ()


def test_numpy_sums_of_a_column_and_columns_of_any_name() -> None:
    v = vectors()
    assert np.sum(v.ivec["kx"]) == np.add.reduce(v.ragged["kx"])
    assert np.max(v.ivec["kx"] + 1) == v.ragged["kx"].max() + 1
    np.testing.assert_array_equal(np.cumsum(v.ivec["label"]), np.cumsum(v.ragged["label"]))
    assert v.with_columns(vectors=1, self=2.0).columns[-2:] == ("vectors", "self")


def test_table_goes_out_and_comes_back(tmp_path: Path) -> None:
    v = vectors()
    table = v.flatten()
    assert list(table) == ["y", "x", *v.columns]
    assert table.n_rows == v.ragged.total
    back = l4.DiffractionVectors.from_table(table, (4, 5), frame_shape=FRAME)
    for name in v.columns:
        np.testing.assert_array_equal(back.ragged[name], v.ragged[name])
    calibrated = v.flatten(calibrated=True)
    np.testing.assert_allclose(calibrated["x"], 2.0 * table["x"])
    np.testing.assert_allclose(calibrated["kx"], 0.5 * (table["kx"] - 9))
    assert calibrated.units == {"y": "nm", "x": "nm", "ky": "1/Å", "kx": "1/Å"}
    assert "vectors</p>" in table._repr_html_()
    texts = {v.to_csv(tmp_path / "v.csv").read_text()}
    texts |= {vectors(chunks=c).to_csv(tmp_path / "v.csv").read_text() for c in CHUNKS.values()}
    assert len(texts) == 1, "the same lines for any blocks"
    read = np.loadtxt(tmp_path / "v.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(read, np.stack(list(table.values()), axis=1))
    head = v.to_csv(tmp_path / "u.csv", calibrated=True, units=True).read_text().split("\n")[0]
    assert head == "y (nm),x (nm),ky (1/Å),kx (1/Å),intensity,label"
    assert not list(tmp_path.glob("*.part"))


def test_picked_positions_keep_their_coordinates_in_a_table() -> None:
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = mask[3, 0] = True
    v = vectors().inav[mask]
    table = v.flatten(calibrated=True)
    places = {(float(y), float(x)) for y, x in zip(table["y"], table["x"], strict=True)}
    assert places <= {(2.0, 4.0), (6.0, 0.0)}
    assert next(iter(v.flatten())) == "position"
    crowded = vectors().with_columns(y=1.0)
    assert list(crowded.flatten())[:2] == ["scan_y", "x"]
    crowded = crowded.with_columns(scan_y=v.ivec["label"])
    table = crowded.flatten()
    assert list(table)[:2] == ["scan_scan_y", "x"]
    back = l4.DiffractionVectors.from_table(table, (4, 5), frame_shape=FRAME)
    assert back.columns == crowded.columns
    for name in crowded.columns:
        np.testing.assert_array_equal(back.ragged[name], crowded.ragged[name])


def test_tables_of_other_libraries(tmp_path: Path) -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    v = vectors(chunks="auto")
    frame, table = v.to_pandas(), v.to_arrow()
    assert isinstance(frame, pandas.DataFrame)
    assert isinstance(table, pyarrow.Table)
    assert frame.attrs["units"]["kx"] == "px"
    assert table.schema.field("kx").metadata == {b"units": b"px"}
    read = pandas.read_parquet(v.flatten().to_parquet(tmp_path / "v.parquet"))
    for back in (frame, table, read):
        again = l4.DiffractionVectors.from_table(back, (4, 5), frame_shape=FRAME)
        np.testing.assert_array_equal(again.ragged["label"], vectors().ragged["label"])


WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "column": (lambda v: v.ivec["score"], ValueError, "there is no column 'score': the vectors have ky, kx"),
    "columns": (lambda v: v.ivec[["ky", "score"]], ValueError, "there is no column score"),
    "no condition": (lambda v: v.ivec[v.ivec["ky"] + 1], TypeError, "expected a condition"),
    "other item": (lambda v: v.ivec[1.5], TypeError, "expected the name of a column"),
    "backwards": (lambda v: v.ivec[::-1], ValueError, "positive step"),
    "text in a slice": (lambda v: v.ivec["a":"b"], TypeError, r"a slice of whole numbers.*between\(low, high\)"),
    "python and": (lambda v: v.ivec["ky"] > 1 and v.ivec["kx"] > 1, TypeError, "join conditions by &"),
    "unit of none": (lambda v: v.ivec["label"] > "3 nm", ValueError, "has no units"),
    "unit of an expression": (lambda v: v.ivec["kx"] * 2 > "3 nm", TypeError, "not with what was made of columns"),
    "map of another scan": (
        lambda v: v.ivec["ky"] > l4.VirtualImage(np.ones((3, 3))),
        ValueError,
        "one number for each of the",
    ),
    "array": (lambda v: v.ivec["ky"] > np.ones(3), TypeError, "becomes a column by"),
    "condition of other columns": (
        lambda v: v.ivec[v.with_columns(a=1).ivec["a"] > 0],
        ValueError,
        "the vectors have no column a",
    ),
    "text to look for": (lambda v: v.ivec["label"].isin("a"), TypeError, "expected numbers to look for"),
    "text column": (lambda v: v.with_columns(a="ky"), TypeError, r"v.ivec\['ky'\] is a column"),
    "short column": (lambda v: v.with_columns(a=np.ones(3)), ValueError, "a number for each of"),
    "no bound": (lambda v: v.filter_by_magnitude(), ValueError, "min_magnitude below max_magnitude"),
    "bounds": (lambda v: v.filter_by_magnitude(3.0, 2.0), ValueError, "min_magnitude below max_magnitude"),
    "negative": (lambda v: v.filter_by_magnitude(-1), ValueError, "min_magnitude as a length of at least 0"),
    "wide edge": (lambda v: v.filter_detector_edge(10), ValueError, "from 0 to half of the 20 pixels"),
    "no intensity": (lambda v: v.filter_by_intensity(), ValueError, "expected min_intensity"),
    "strongest of none": (lambda v: v.filter_by_intensity(1, strongest=-3), ValueError, "a whole number, at least 1"),
    "strongest part": (lambda v: v.filter_by_intensity(strongest=1.7), ValueError, "a whole number, at least 1"),
    "intensity of none": (lambda v: v.filter_by_intensity(1, column="score"), ValueError, "no column 'score'"),
    "parallel basis": (
        lambda v: v.filter_by_basis([(1, 2), (2, 4)]),
        ValueError,
        "two vectors in different directions",
    ),
    "one vector": (lambda v: v.filter_by_basis([(1, 2)]), TypeError, "expected a basis as get_basis gives it"),
    "basis array": (lambda v: v.filter_by_basis(np.ones(3)), ValueError, r"expected two vectors as rows \(y, x\)"),
    "count of numbers": (lambda v: v.count_map(v.ivec["ky"]), TypeError, "expected a condition"),
    "weights": (lambda v: v.get_magnitude_histogram(weights="score"), ValueError, "no column 'score'"),
    "score weights": (lambda v: v.get_friedel_score(weights="score"), ValueError, "no column 'score'"),
    "radius": (lambda v: v.to_mask(0), ValueError, "a radius above 0"),
    "beams of another scan": (
        lambda v: v.to_polar(center=l4.Signal1D(np.ones((3, 2)))),
        ValueError,
        r"a signal of \(y, x\) in pixels at each of the",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_to_do(name: str) -> None:
    operation, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        operation(vectors())


def test_no_vectors_at_all() -> None:
    v = l4.DiffractionVectors(RaggedFrames.empty(3, {"ky": "f8", "kx": "f8", "intensity": "f8"}), frame_shape=FRAME)
    assert_same(l4.compute(*[v.to_polar(), v.filter_by_intensity(1, relative=True)]), [v.to_polar(), v])
    assert v.count_map().data.tolist() == [0, 0, 0]
    assert np.isnan(v.get_friedel_score().data).all()
    assert v.get_magnitude_histogram().data.sum() == 0
    assert not v.to_mask(3).as_numpy().any()
    assert v.flatten().n_rows == v.get_unique_vectors(1).ragged.total == 0
