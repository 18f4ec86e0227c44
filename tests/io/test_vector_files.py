"""Vectors saved and loaded: the same numbers, axes and metadata in every format, for any blocks, readable by others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask
import h5py
import numpy as np
import pandas
import pyarrow.parquet
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.io.vectors import flat_zarr, hdf5_file, rows
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames
from tests.io.vector_files import ragged, same, vectors

FORMATS = (".zarr", ".h5", ".parquet")


@pytest.fixture(params=FORMATS)
def suffix(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that small files have many chunks, shards, pieces and row groups."""
    for module, name, value in (
        (flat_zarr, "CHUNK", 8), (flat_zarr, "CHUNKS_PER_SHARD", 3), (hdf5_file, "CHUNK", 8), (rows, "PIECE", 11),
        (rows, "_MOST_OPEN", 2),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def blocks_of(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Any cut of an axis into blocks."""
    cuts = st.sets(st.integers(1, size - 1)) if size > 1 else st.just(set())
    return cuts.map(lambda found: tuple(np.diff([0, *sorted(found), size]).tolist()))


@st.composite
def scans(draw: st.DrawFn) -> dict[str, Any]:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    counts = draw(st.lists(st.integers(0, 12), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    dtypes = draw(st.lists(st.sampled_from(["f8", "f4", "i2", "u8", "i4", "?", "f2"]), max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    valid = draw(st.none() | st.just(np.asarray(rng.random(shape) < 0.7)))
    if valid is not None:
        counts = [count * int(there) for count, there in zip(counts, valid.flat, strict=True)]
    total = sum(counts)
    columns = {name: rng.normal(size=total) for name in ("ky", "kx")}
    columns |= {f"column {k}": (100 * rng.random(total)).astype(d) for k, d in enumerate(dtypes)}
    if total:
        columns["ky"][0] = np.nan
    return {
        "ragged": RaggedFrames.from_counts(counts, columns),
        "shape": shape,
        "chunks": draw(st.none() | st.tuples(*(blocks_of(n) for n in shape))),
        "load": draw(st.just("auto") | st.tuples(*(blocks_of(n) for n in shape))),
        "suffix": draw(st.sampled_from(FORMATS)),
        "valid": valid,
    }


@pytest.mark.usefixtures("small_pieces")
@settings(deadline=None, max_examples=60)
@given(scan=scans())
def test_whatever_is_saved_comes_back(tmp_path_factory: pytest.TempPathFactory, scan: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("vectors") / f"v{scan['suffix']}"
    data, shape = scan["ragged"], scan["shape"]
    content = data if scan["chunks"] is None else RaggedBlocks.from_ragged(data, shape, scan["chunks"])
    v = l4.DiffractionVectors(content, nav_shape=shape, frame_shape=(9, 7), valid=scan["valid"])
    with dask.config.set(scheduler="synchronous"):
        v.save(path)
        found = l4.load(path, chunks=scan["load"])
        assert found.lazy
        assert same(found.compute().ragged, data)
        valid = found.compute().valid.as_numpy()
    assert np.array_equal(valid, np.ones(shape, bool) if scan["valid"] is None else scan["valid"])
    assert os.listdir(path.parent) == [path.name]


def test_axes_metadata_history_and_units_come_back(suffix: str, tmp_path: Path) -> None:
    v = vectors(valid=np.arange(20).reshape(4, 5) != 7)
    path = tmp_path / f"disks{suffix}"
    v.save(path)
    found = l4.load(path)
    assert isinstance(found, l4.DiffractionVectors)
    assert all(a.equals(b) for a, b in zip(found.axes_manager.as_numpy_order(), v.axes_manager.as_numpy_order(),
                                           strict=True))  # fmt: skip
    assert found.axes_manager.beam_energy == v.axes_manager.beam_energy == 200
    assert found.metadata.General.notes == "two grains"
    assert found.column_units == v.column_units == {"intensity": "e", "ky": "1/Å", "kx": "1/Å"}
    assert np.array_equal(found.original_metadata.Header.gain, np.arange(3))
    assert [entry.op for entry in found.history] == [*(entry.op for entry in v.history), "load"]
    assert np.array_equal(np.flatnonzero(~found.valid.as_numpy()), [7])
    assert found.title == "disks"
    again = tmp_path / f"again{suffix}"
    found.save(again)
    assert same(l4.load(again).compute().ragged, v.ragged)


def test_the_file_does_not_depend_on_blocks(suffix: str, tmp_path: Path) -> None:
    def numbers(chunks: Any, name: str) -> dict[str, bytes]:
        path = tmp_path / f"{name}{suffix}"
        vectors((4, 5), chunks=chunks).save(path)
        if suffix == ".zarr":
            files = [p for p in path.rglob("*") if p.is_file() and p != path / "zarr.json"]
            return {str(p.relative_to(path)): p.read_bytes() for p in files}
        table = l4.load(path).compute().ragged
        return {name: column.tobytes() for name, column in {**table.columns, "offsets": table.offsets}.items()}

    whole = numbers((4, 5), "whole")
    assert numbers(((1, 3), (2, 2, 1)), "ragged") == whole
    assert numbers((4, 1), "columns") == whole
    assert numbers(None, "eager") == whole


def test_loading_computes_nothing(suffix: str, tmp_path: Path, no_compute: Any) -> None:
    path = tmp_path / f"v{suffix}"
    vectors(chunks=(2, 5)).save(path)
    with no_compute:
        found = l4.load(path, chunks=(1, -1))
        assert found.blocks.chunks == ((1, 1, 1, 1), (5,))
        part = found.inav[1, 2:4]
    assert same(part.compute().ragged, vectors().ragged.take([11, 16]))


def test_any_scheduler_writes_and_reads(suffix: str, tmp_path: Path, scheduler: str) -> None:
    path = tmp_path / f"{scheduler}{suffix}"
    vectors((6, 3), chunks=((2, 1, 3), (2, 1))).save(path, progress=False)
    assert same(l4.load(path, chunks=(2, 2)).compute().ragged, vectors((6, 3)).ragged)


def test_vectors_found_in_frames_are_saved_in_the_same_walk(d: l4.Diffraction2D, suffix: str, tmp_path: Path) -> None:
    from lazy4d.signals.vectors.diffraction_vectors import vectors_of

    found = vectors_of(
        d, brightest, (), capacity=1, columns={"ky": "f8", "kx": "f8"}, op="brightest", options={}
    )  # fmt: skip
    path, seen = tmp_path / f"v{suffix}", []
    found.save(path, progress=lambda done, total: seen.append((done, total)))
    flat = d.as_numpy().reshape(16, -1).argmax(axis=1)
    loaded = l4.load(path).compute().ragged
    assert np.array_equal(loaded["ky"] * 16 + loaded["kx"], flat)
    assert seen[-1][0] == seen[-1][1] > 0


def test_positions_picked_by_a_mask_keep_their_places(suffix: str, tmp_path: Path) -> None:
    v = vectors().inav[np.arange(20).reshape(4, 5) % 3 == 1]
    v.save(tmp_path / f"v{suffix}")
    found = l4.load(tmp_path / f"v{suffix}")
    assert found.nav_axes[0].equals(v.nav_axes[0])
    assert len(found.nav_axes[0].coordinates) == 2
    assert same(found.compute().ragged, v.ragged)


def test_no_vectors_at_all(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{suffix}"
    data = RaggedFrames.empty(6, {"ky": "f8", "kx": "f8", "label": "i2"})
    l4.DiffractionVectors(RaggedBlocks.from_ragged(data, (2, 3), (1, 3)), frame_shape=(4, 4)).save(path)
    assert same(l4.load(path, chunks=(1, 2)).compute().ragged, data)
    if suffix == ".zarr":
        assert zarr.open_group(path, mode="r")["columns/label"][:].shape == (0,)
    elif suffix == ".h5":
        with h5py.File(path) as file:
            assert file["columns/label"][:].shape == (0,)
    else:
        assert pandas.read_parquet(path).shape == (0, 7)


def test_frames_that_are_missing_stay_marked(d: l4.Diffraction2D, suffix: str, tmp_path: Path) -> None:
    from lazy4d.signals.vectors.diffraction_vectors import vectors_of

    mask = np.arange(16).reshape(4, 4) % 5 != 2
    damaged = l4.Diffraction2D(d.as_numpy(), valid=dask.array.from_array(mask, chunks=(3, 2)))
    found = vectors_of(damaged, brightest, (), capacity=1, columns={"ky": "f8", "kx": "f8"}, op="b", options={})
    found.save(tmp_path / f"v{suffix}")
    loaded = l4.load(f"{tmp_path}/v*{suffix}").compute()
    assert np.array_equal(loaded.valid.as_numpy(), mask)
    assert np.array_equal(loaded.ragged.counts, mask.reshape(-1))


def brightest(frames: Any, out: Any, count: Any) -> None:
    for i, frame in enumerate(frames):
        out[i, 0], count[i] = np.unravel_index(frame.argmax(), frame.shape), 1


# ---- other programs


def test_zarr_reads_a_store(tmp_path: Path) -> None:
    v = vectors(chunks=(1, 5), valid=np.arange(20).reshape(4, 5) != 7)
    v.save(tmp_path / "v.zarr")
    group = zarr.open_group(tmp_path / "v.zarr", mode="r")
    data = v.compute().ragged
    assert np.array_equal(group["offsets"][:], data.offsets)
    assert np.array_equal(group["valid"][:], np.arange(20) != 7)
    for name in data.names:
        assert np.array_equal(group["columns"][name][:], data[name])
    ky = group["columns/ky"]
    ky_axis = v.frame_axes[0]
    assert dict(ky.attrs) == {"units": "px", "scale": 0.02, "offset": ky_axis.offset, "calibrated_units": "1/Å"}
    assert dict(group["columns/intensity"].attrs) == {"units": "e"}


def test_h5py_reads_a_file(tmp_path: Path) -> None:
    v = vectors()
    v.save(tmp_path / "v.h5", codec="gzip")
    with h5py.File(tmp_path / "v.h5") as file:
        start, stop = file["offsets"][7:9]
        assert np.array_equal(file["columns/kx"][start:stop], v.ragged.frame(7)["kx"])
        assert file["columns/kx"].attrs["calibrated_units"] == "1/Å"
        assert file["columns/kx"].fletcher32
        assert "valid" not in file


def test_pandas_reads_a_table_with_calibrated_places(tmp_path: Path) -> None:
    v = vectors()
    v.save(tmp_path / "v.parquet")
    table = pandas.read_parquet(tmp_path / "v.parquet")
    ky, kx = v.calibrated()
    assert list(table) == ["y", "x", *v.columns, "ky_calibrated", "kx_calibrated"]
    assert np.array_equal(table["ky_calibrated"], ky)
    assert np.array_equal(table["kx_calibrated"], kx)
    assert np.array_equal(table["y"] * 5 + table["x"], v.ragged.frame_numbers())
    schema = pyarrow.parquet.read_schema(tmp_path / "v.parquet")
    assert schema.field("kx_calibrated").metadata[b"units"] == "1/Å".encode()
    assert schema.field("y").metadata[b"scale"] == b"1.5"
    again = l4.DiffractionVectors.from_table(table.drop(columns=["ky_calibrated", "kx_calibrated"]), (4, 5))
    assert same(again.ragged, v.ragged)


@pytest.mark.usefixtures("small_pieces")
def test_row_groups_are_whole_scan_rows_and_the_blocks_that_are_read(tmp_path: Path) -> None:
    v = vectors((6, 3), chunks=(4, 3))
    v.save(tmp_path / "v.parquet")
    found = l4.load(tmp_path / "v.parquet")
    assert found.blocks.chunks[1] == (3,)
    groups = pyarrow.parquet.ParquetFile(tmp_path / "v.parquet").metadata.num_row_groups
    assert len(found.blocks.chunks[0]) == groups > 1
    assert same(found.compute().ragged, v.compute().ragged)


def test_maps_have_the_same_dtype_after_saving_though_no_frame_is_missing(suffix: str, tmp_path: Path) -> None:
    for valid in (None, np.ones((4, 5), bool)):
        v = vectors(valid=valid)
        v.save(tmp_path / f"v{suffix}", overwrite=True)
        assert l4.load(tmp_path / f"v{suffix}").count_map().dtype == v.count_map().dtype


def test_a_list_of_one_file_is_that_file_and_several_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{suffix}"
    vectors().save(path)
    assert same(l4.load([path]).compute().ragged, vectors().ragged)
    for reader in (None, "vectors"):
        with pytest.raises(l4.errors.Lazy4DError, match="vectors are loaded one file at a time"):
            l4.load([path, path], reader=reader)


def test_names_that_no_file_system_likes(suffix: str, tmp_path: Path) -> None:
    names = ["a/b", "..", "zarr.json", "__init__", "größe", " ", "a" * 300, "a" * 299 + "é"]
    columns = {name: np.arange(3.0) + k for k, name in enumerate(["ky", "kx", *names])}
    data = RaggedFrames.from_counts([1, 2], columns)
    l4.DiffractionVectors(data, frame_shape=(4, 4)).save(tmp_path / f"v{suffix}")
    assert same(l4.load(tmp_path / f"v{suffix}").compute().ragged, data)
    if suffix == ".zarr":
        assert len(list(zarr.open_group(tmp_path / "v.zarr", mode="r")["columns"].arrays())) == 10


def test_scan_axes_called_as_columns_get_other_names_in_a_table(tmp_path: Path) -> None:
    v = vectors((2, 2))
    for axis, name in zip(v.nav_axes, ("ky", "label"), strict=True):
        axis.name = name
    v.save(tmp_path / "v.parquet")
    assert list(pandas.read_parquet(tmp_path / "v.parquet"))[:3] == ["scan_ky", "scan_label", "ky"]
    assert same(l4.load(tmp_path / "v.parquet").compute().ragged, v.ragged)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("v.zarr", "lz4"), ("v.zarr", "none"), ("v.zarr", {"cname": "zstd", "clevel": 3}), ("v.h5", "lzf"),
     ("v.h5", None), ("v.parquet", "zstd"), ("v.parquet", "none")],
)  # fmt: skip
def test_codecs(tmp_path: Path, name: str, codec: Any) -> None:
    vectors().save(tmp_path / name, codec=codec)
    assert same(l4.load(tmp_path / name).compute().ragged, vectors().ragged)


def test_pieces_hold_a_bounded_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PIECE", 10)
    data = ragged(200, most=8)
    pieces = list(rows.RowsInMemory(data).pieces())
    assert max(piece.total for piece in pieces) <= 10
    assert same(RaggedFrames.concatenate(pieces), data)
    edges = rows.group_edges(data.offsets, 7)
    assert edges[0] == 0
    assert edges[-1] == 200
    assert np.diff(data.offsets[edges]).max() <= 10
    assert same(RaggedFrames.concatenate(list(rows.regrouped(iter(pieces), edges))), data)
