"""`DiffractionVectors` as a value: what they are built from, selected, computed, calibrated and shown."""

from __future__ import annotations

import pickle
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames, PerPosition
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_vectors import vectors_of
from tests.lazy.test_ragged_blocks import COLUMNS, LEVEL, SCAN, above, expected, number, with_level

CHUNKS = {"one block": (4, 5), "rows": (1, 5), "ragged": (3, 2)}


def scan(chunks: str = "rows", **options: Any) -> Any:
    s = l4.Diffraction2D(SCAN, title="scan", **options).rechunk(CHUNKS[chunks])
    s.set_calibration(scale=0.5, units="1/Å", center=(5, 6), scan_scale=2, scan_units="nm")
    return s


def found(chunks: str = "rows", **options: Any) -> l4.DiffractionVectors:
    return vectors_of(
        scan(chunks, **options), above, (90.0,), capacity=120, columns=COLUMNS, op="bright", options={"level": 90.0},
        column_units={"value": "counts"},
    )  # fmt: skip


def columns_of(v: l4.DiffractionVectors) -> list[np.ndarray]:
    return [np.column_stack([*v.ragged.frame(k).values()]) for k in range(v.ragged.n_frames)]


def assert_rows(v: l4.DiffractionVectors, rows: list[np.ndarray]) -> None:
    for mine, theirs in zip(columns_of(v), rows, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_lazy_until_computed_and_the_same_for_any_blocks(chunks: str) -> None:
    v = found(chunks)
    assert v.lazy
    assert v.columns == ("ky", "kx", "value")
    computed = v.compute()
    assert v.lazy
    assert not computed.lazy
    assert_rows(computed, expected(90))
    assert computed.history[-1].op == "bright"
    assert [axis.units for axis in computed.frame_axes] == ["1/Å", "1/Å"]
    assert computed.column_units == {"value": "counts", "ky": "1/Å", "kx": "1/Å"}


def test_computed_with_everything_else_and_persisted(scheduler: str) -> None:
    s = scan()
    v = vectors_of(s, above, (90.0,), capacity=120, columns=COLUMNS, op="bright", options={})
    computed, total = l4.compute(v, s.sum())
    assert_rows(computed, expected(90))
    np.testing.assert_array_equal(total.data, SCAN.sum(axis=(0, 1)))
    assert_rows(v.persist().compute(), expected(90))
    assert "above" in str(v.explain())


def test_positions_are_selected_x_first_lazily_and_in_memory() -> None:
    rows = np.empty((4, 5), object)
    rows[...] = np.array([*expected(90), None], object)[:-1].reshape(4, 5)
    for v in (found("ragged"), found().compute()):
        one_line = v.inav[1:4, 2]
        assert one_line.nav_shape == (3,)
        assert one_line.axes_manager["x"].offset == 2.0
        assert_rows(one_line.compute(), list(rows[2, 1:4]))
        assert_rows(v.inav["2 nm":"6 nm", 0].compute(), list(rows[0, 1:3]))
        assert_rows(v.inav[2, 3].compute(), [rows[3, 2]])
        assert_rows(v.inav[LEVEL > 95].compute(), list(rows[LEVEL > 95]))
        assert_rows(v.inav[l4.RectangleROI(1, 1, 3, 2)].compute(), list(rows[1:2, 1:3].reshape(-1)))
        assert v.inav[0].history[-1].op == "inav"


def test_missing_frames_stay_marked() -> None:
    valid = LEVEL > 85
    v = found("ragged", valid=valid)
    per_position = v._per_position(number, op="count", options={}, title="count")
    computed, image = l4.compute(v, per_position)
    np.testing.assert_array_equal(computed.valid.data, valid)
    np.testing.assert_array_equal(np.isnan(image.data), ~valid)
    assert not computed.ragged.counts.reshape(4, 5)[~valid].any()
    np.testing.assert_array_equal(computed._per_position(number, op="count", options={}).data, image.data)
    np.testing.assert_array_equal(computed.inav[1:3, 0].valid.data, valid[0, 1:3])


def test_frames_to_be_taken_as_zero_count_nothing() -> None:
    frames = Frames.from_array(SCAN, 2, valid=da.from_array(LEVEL > 85), incomplete="zero")
    v = vectors_of(l4.Diffraction2D(frames), above, (90.0,), capacity=120, columns=COLUMNS, op="bright", options={})
    for counts in (v.count_map().compute().data, v.compute().count_map().data, v.inav[...].count_map().compute().data):
        assert counts.dtype == np.int64
        assert not counts[LEVEL <= 85].any()
    np.testing.assert_array_equal(v.compute().valid.data, LEVEL > 85)


@pytest.mark.parametrize("lazy", [True, False])
def test_what_methods_make_of_them_is_eager_where_they_are_computed(lazy: bool) -> None:
    v = found("ragged") if lazy else found("ragged").compute()
    dtypes = {**v.dtypes, "level": "float64"}
    with_levels = v._map(with_level, PerPosition(LEVEL), op="levels", options={}, dtypes=dtypes)
    counts = v._per_position(number, dtype="int64", op="count", options={}, title="count")
    assert with_levels.lazy is counts.lazy is lazy
    true_counts = np.array([len(rows) for rows in expected(90)])
    np.testing.assert_array_equal(with_levels.compute().ragged["level"], np.repeat(LEVEL.flat, true_counts))
    np.testing.assert_array_equal(counts.compute().data, true_counts.reshape(4, 5))
    assert isinstance(counts, l4.VirtualImage)
    assert counts.axes_manager["x"].units == "nm"


def test_built_from_arrays_of_a_user() -> None:
    rows = np.empty((2, 2), object)
    for k, index in enumerate(np.ndindex(2, 2)):
        rows[index] = np.full((k, 3), k, "float32")
    v = l4.DiffractionVectors(rows, frame_shape=(8, 9), title="mine")
    assert v.nav_shape == (2, 2)
    assert v.frame_shape == (8, 9)
    assert v.ragged.counts.tolist() == [0, 1, 2, 3]
    assert v.ragged["ky"].dtype == np.float64
    assert l4.DiffractionVectors(np.array([[3.0, 4.5]])).nav_shape == ()
    assert l4.DiffractionVectors(np.array([[3.0, 4.5]])).frame_shape == (4, 6)
    assert l4.DiffractionVectors([[[1, 2]], [[3, 4]]], nav_shape=(1, 2)).nav_shape == (1, 2)


def test_columns_of_arrays_are_named_and_come_back() -> None:
    rows = [np.arange(8.0).reshape(2, 4), np.empty((0, 4))]
    v = l4.DiffractionVectors(rows, columns=("kx", "ky", "score", "label"), frame_shape=(8, 8), valid=[True, False])
    assert v.ragged["label"].tolist() == [3.0, 7.0]
    back = v.as_numpy()
    np.testing.assert_array_equal(back[0][:, list(v.columns).index("score")], [2.0, 6.0])
    assert back.shape == (2,)
    assert back[1].shape == (0, 4)


def test_vectors_of_missing_frames_are_left_out_everywhere() -> None:
    v = l4.DiffractionVectors([[[3, 4, 1.0]], [[3, 4, 1.0]]], frame_shape=(8, 8), valid=np.array([True, False]))
    assert v.ragged.counts.tolist() == [1, 0]
    assert v.to_bragg_vector_map(weights=None).as_numpy().sum() == 1


def test_places_that_are_no_numbers_do_not_make_the_frame() -> None:
    assert l4.DiffractionVectors([[[np.nan, np.inf]]]).frame_shape == (1, 1)
    assert l4.DiffractionVectors([[[np.nan, 2.0], [3.0, 2.5]]]).frame_shape == (4, 4)


def test_built_from_calibrated_places() -> None:
    frame = {"size": 8, "scale": 0.5, "offset": -2.0, "units": "1/Å"}
    axes = [{"size": 1, "name": "x"}, {"name": "ky", **frame}, {"name": "kx", **frame}]
    v = l4.DiffractionVectors([[[0.0, 1.0]]], axes, calibrated=True)
    assert v.ragged["ky"].tolist() == [4.0]
    assert v.ragged["kx"].tolist() == [6.0]
    ky, kx = v.calibrated()
    assert (ky.tolist(), kx.tolist()) == ([0.0], [1.0])
    v.axes_manager["kx"].scale = 1.0
    assert v.calibrated()[1].tolist() == [4.0]


def test_built_from_tables_of_any_kind() -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    rows = {"y": [1, 0, 1], "x": [2, 0, 2], "ky": [1.0, 2, 3], "kx": [4.0, 5, 6], "label": [7, 8, 9]}
    structured = np.array(list(zip(*rows.values(), strict=True)), [(name, "f8") for name in rows])
    for table in (rows, pandas.DataFrame(rows), pyarrow.table(rows), structured):
        v = l4.DiffractionVectors.from_table(table, (2, 3), frame_shape=(8, 8))
        assert v.ragged.counts.tolist() == [1, 0, 0, 0, 0, 2]
        assert v.ragged["label"].tolist() == [8, 7, 9]
        assert v.columns == ("ky", "kx", "label")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the columns ky and kx"):
        l4.DiffractionVectors(RaggedFrames.from_counts([1], {"a": [1.0]}))
    with pytest.raises(ValueError, match="expected vectors of 3 positions"):
        l4.DiffractionVectors([[[1, 2]]], nav_shape=(3,))
    with pytest.raises(TypeError, match="an array of vectors"):
        l4.DiffractionVectors(np.zeros((2, 2, 2)))
    with pytest.raises(TypeError, match="from_table takes tables"):
        l4.DiffractionVectors({"ky": [1.0]})
    for wrong in ((3,), 8, (8.5, 8), (0, 8), "88"):
        with pytest.raises(ValueError, match=r"frame_shape as 2 whole numbers"):
            l4.DiffractionVectors([[[1, 2]]], frame_shape=wrong)
    with pytest.raises(ValueError, match="nav_shape as a sequence of whole numbers"):
        l4.DiffractionVectors([[[1, 2]]], nav_shape=1)
    with pytest.raises(ValueError, match=r"columns of one length, a row a vector, found \{'x': 2, 'ky': 1"):
        l4.DiffractionVectors.from_table({"x": [0, 1], "ky": [0.0], "kx": [0.0]}, (2,))
    with pytest.raises(ValueError, match="expected scan indices in column 'x'"):
        l4.DiffractionVectors.from_table({"x": ["a"], "ky": [0.0], "kx": [0.0]}, (2,))
    with pytest.raises(ValueError, match="two for the frame"):
        l4.DiffractionVectors([[[1, 2]]], axes=[l4.Axis(size=3, name="ky")])
    with pytest.raises(ValueError, match="expected validity"):
        l4.DiffractionVectors([[[1, 2]]], valid=np.ones(2, bool))
    with pytest.raises(ValueError, match=r"call .compute\(\) first"):
        _ = found().ragged
    with pytest.raises(ValueError, match=r"expected whole numbers from 0 to 1 in column 'y'"):
        l4.DiffractionVectors.from_table({"y": [2], "x": [0], "ky": [0.0], "kx": [0.0]}, (2, 2))
    with pytest.raises(ValueError, match="expected the columns y, x, ky, kx"):
        l4.DiffractionVectors.from_table({"y": [0], "ky": [0.0], "kx": [0.0]}, (2, 2))
    with pytest.raises(TypeError, match="expected a table"):
        l4.DiffractionVectors.from_table([1, 2], (2, 2))


def test_building_and_showing_compute_nothing(no_compute: Any) -> None:
    with no_compute():
        v = found("ragged", valid=LEVEL > 85)
        dimensions = "(5, 4|10, 12), lazy, 6 blocks of vectors of ky, kx, value"
        assert repr(v) == f"<DiffractionVectors, title: scan, dimensions: {dimensions}>"
        assert "lazy" in v.inav[0:2]._repr_html_()
        assert v.copy().columns == v.columns


def test_copies_and_pickles_are_independent() -> None:
    v = found().compute()
    other = v.copy()
    other.axes_manager["kx"].scale = 7.0
    other.metadata.set_item("General.title", "other")
    assert v.axes_manager["kx"].scale == 0.5
    assert v.title != "other"
    v._caches["index"] = object()
    back = pickle.loads(pickle.dumps(v))
    assert_rows(back, expected(90))
    assert back._caches == {}
