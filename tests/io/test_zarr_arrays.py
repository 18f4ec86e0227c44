"""Arrays that other programs wrote to Zarr: written by zarr-python, compared with what went in."""

from __future__ import annotations

import json
import pickle
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zarr
from zarr import codecs as v3

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning
from lazy4d.io.zarr_arrays.place import open_place
from tests.io.zarr_files import CHUNKS, CODECS, COMPRESSORS, SCAN, assert_holds, write, zipped

# ---- layouts and codecs


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_any_chunks(tmp_path, zarr_format, chunks) -> None:
    write(tmp_path / "scan.zarr", chunks=chunks, zarr_format=zarr_format)
    signal = assert_holds(tmp_path / "scan.zarr")
    assert isinstance(signal, l4.Diffraction2D)
    roi = l4.CircleROI(9, 7, 4)
    image = signal.isig[2:18, 1:15].inav[1:7, ::2].get_virtual_image(roi).compute().data
    y, x = np.indices((14, 16))
    inside = np.hypot(y - 7, x - 9) < 4
    np.testing.assert_array_equal(image, SCAN[::2, 1:7, 1:15, 2:18][..., inside].sum(axis=-1))


@pytest.mark.parametrize("name", COMPRESSORS)
def test_compressors_of_version_2(tmp_path, name) -> None:
    write(tmp_path / "scan.zarr", zarr_format=2, compressors=COMPRESSORS[name])
    assert_holds(tmp_path / "scan.zarr")


@pytest.mark.parametrize("name", CODECS)
def test_codecs_of_version_3(tmp_path, name) -> None:
    write(tmp_path / "scan.zarr", compressors=CODECS[name])
    assert_holds(tmp_path / "scan.zarr")


@pytest.mark.parametrize("dtype", ["u1", ">u2", "<i4", ">f4", "f8", "bool", "c8"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_dtypes(tmp_path, dtype, zarr_format) -> None:
    pixels = (SCAN % 2).astype(dtype)
    write(tmp_path / "scan.zarr", pixels, zarr_format=zarr_format)
    assert_holds(tmp_path / "scan.zarr", pixels)


def test_fortran_order(tmp_path) -> None:
    write(tmp_path / "scan.zarr", zarr_format=2, order="F")
    assert json.loads((tmp_path / "scan.zarr" / ".zarray").read_text())["order"] == "F"
    assert_holds(tmp_path / "scan.zarr")


def test_transposed_chunks(tmp_path) -> None:
    write(tmp_path / "scan.zarr", filters=[v3.TransposeCodec(order=(2, 3, 0, 1))])
    assert_holds(tmp_path / "scan.zarr")


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("compressor", ["none", "blosc", "checked"])
def test_shards(tmp_path, location, compressor) -> None:
    shards = {"shape": (2, 8, 16, 20), "index_location": location}
    write(tmp_path / "scan.zarr", chunks=(1, 2, 16, 20), shards=shards, compressors=CODECS[compressor])
    assert_holds(tmp_path / "scan.zarr")


def test_large_shards_are_read_by_ranges(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lazy4d.io.zarr_arrays.stores._WHOLE_SHARD", 0)
    write(tmp_path / "scan.zarr", chunks=(1, 2, 8, 20), shards=(3, 8, 16, 20))
    assert_holds(tmp_path / "scan.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_never_written_holds_the_fill_value(tmp_path, zarr_format) -> None:
    array = zarr.create_array(
        tmp_path / "s.zarr", shape=SCAN.shape, chunks=(2, 3, 16, 20), dtype="f4", fill_value=np.nan,
        zarr_format=zarr_format,
    )  # fmt: skip
    array[:2] = SCAN[:2]
    expected = np.full(SCAN.shape, np.nan, "f4")
    expected[:2] = SCAN[:2]
    signal = assert_holds(tmp_path / "s.zarr", expected)
    assert signal.valid.compute().data.all()


@pytest.mark.parametrize("dtype", ["u2", ">u2"])
@pytest.mark.parametrize("chunks", [(2, 8, 16, 20), (2, 3, 16, 20), (1, 8, 16, 7)])
def test_chunks_that_are_not_packed_are_looked_at_in_place(tmp_path, monkeypatch, chunks, dtype) -> None:
    monkeypatch.setattr("lazy4d.io.zarr_arrays.stores._LARGE_CHUNK", 0)
    pixels = SCAN.astype(dtype)
    write(tmp_path / "scan.zarr", pixels, chunks=chunks, compressors=None, zarr_format=2)
    signal = assert_holds(tmp_path / "scan.zarr", pixels)
    part = signal.inav[1:7:2, ::-1].isig[3:9, 2:11]
    np.testing.assert_array_equal(part.sum().compute().data, SCAN[::-1, 1:7:2, 2:11, 3:9].sum(axis=(0, 1)))


def test_a_chunk_that_is_not_packed_and_cut_short(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lazy4d.io.zarr_arrays.stores._LARGE_CHUNK", 0)
    write(tmp_path / "scan.zarr", chunks=(2, 8, 16, 20), compressors=None)
    chunk = tmp_path / "scan.zarr" / "c" / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"c/1/0/0/0: .*expected 10240 packed bytes, found 10239"):
        l4.load(tmp_path / "scan.zarr").compute()
    with pytest.warns(Lazy4DWarning, match="16 of the 48 frames"):
        valid = l4.load(tmp_path / "scan.zarr", incomplete="nan").valid.compute().data
    assert valid[[0, 1, 4, 5]].all()
    assert not valid[2:4].any()


# ---- what is found where


def test_groups(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("x/data", shape=SCAN.shape, chunks=(2, 3, 16, 20), dtype="u2")[...] = SCAN
    group.create_array("x/haadf", shape=(6, 8), chunks=(6, 8), dtype="f4")[...] = 1
    for options in ({}, {"dataset": "x"}, {"dataset": "/x/data/"}):
        assert_holds(tmp_path / "g.zarr", **options)
    assert l4.load(tmp_path / "g.zarr", dataset="x/haadf").data.shape == (6, 8)
    with pytest.raises(FormatError, match=r"no array or group 'y' in this store. Arrays in it: 'x/data' \(6, 8"):
        l4.load(tmp_path / "g.zarr", dataset="y")


def test_several_arrays_are_listed(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=2)
    for name in "ab":
        group.create_array(name, shape=SCAN.shape, chunks=SCAN.shape, dtype="u2")
    with pytest.raises(FormatError, match=r"several arrays could be meant, say which with dataset=.*'a' .*'b' "):
        l4.load(tmp_path / "g.zarr")


def test_names_and_coordinates_as_xarray_writes_them(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2)
    names = ["scan_y", "scan_x", "qy", "qx"]
    array = group.create_array("counts", shape=SCAN.shape, chunks=(2, 3, 16, 20), dtype="u2")
    array[...] = SCAN
    array.attrs["_ARRAY_DIMENSIONS"] = names
    values = {
        "scan_y": 10 + 0.5 * np.arange(6),
        "scan_x": np.arange(8) ** 2.0,
        "qy": -1 + 0.1 * np.arange(16),
    }
    for name, numbers in values.items():
        coordinate = group.create_array(name, shape=numbers.shape, chunks=numbers.shape, dtype="f8")
        coordinate[...] = numbers
        coordinate.attrs.update({"_ARRAY_DIMENSIONS": [name], "units": "nm"})
    with pytest.warns(Lazy4DWarning, match="coordinates of axis 'scan_x' are not evenly spaced"):
        signal = l4.load(tmp_path / "x.zarr")
    axes = signal.axes_manager
    assert (axes["scan_y"].scale, axes["scan_y"].offset, axes["scan_y"].units) == (0.5, 10, "nm")
    assert (axes["scan_x"].scale, axes["scan_x"].units) == (1, "px")
    assert axes["qy"].scale == pytest.approx(0.1)
    assert axes["qx"].units == "px"


def test_names_of_version_3(tmp_path) -> None:
    write(tmp_path / "a.zarr", dimension_names=["y", "x", "ky", None])
    assert [axis.name for axis in l4.load(tmp_path / "a.zarr").axes_manager.as_numpy_order()] == ["y", "x", "ky", "kx"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_level_0_of_ome_zarr(tmp_path, version) -> None:
    stack = SCAN[0]
    group = zarr.open_group(tmp_path / "o.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
    for level in range(2):
        small = stack[:, :: 2**level, :: 2**level]
        group.create_array(str(level), shape=small.shape, chunks=small.shape, dtype="u2")[...] = small
    image = {
        "version": version,
        "name": "movie",
        "axes": [
            {"name": "t", "type": "time", "unit": "second"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "nanometer"},
        ],
        "datasets": [
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5 * f, 0.25 * f]},
                                                               {"type": "translation", "translation": [0, 3, 0]}]}
            for level, f in enumerate((1, 2))
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 1]}],
    }  # fmt: skip
    told = {"multiscales": [image]}
    group.attrs.update(told if version == "0.4" else {"ome": {"version": "0.5", **told}})
    signal = assert_holds(tmp_path / "o.zarr", stack)
    assert signal.metadata.General.title == "movie"
    axes = signal.axes_manager
    assert (axes["t"].scale, axes["y"].scale, axes["y"].offset, axes["x"].scale) == (2, 0.5, 3, 0.25)
    assert axes["x"].units in ("nm", "nanometer")


def test_another_scan_shape(tmp_path) -> None:
    write(tmp_path / "a.zarr")
    flat = SCAN.reshape(-1, 16, 20)
    signal = l4.load(tmp_path / "a.zarr", scan_shape=(4, 11), flyback=1)
    np.testing.assert_array_equal(signal.compute().data, flat.reshape(4, 12, 16, 20)[:, :11])


# ---- zip files and URLs


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["scan.zip", "scan.zarr.zip", "scan.zspy", "no suffix"])
def test_zip_files(tmp_path, method, name) -> None:
    zipped(tmp_path / name, method, zarr_format=2)
    assert_holds(tmp_path / name)


def test_shards_in_a_zip_file(tmp_path) -> None:
    zipped(tmp_path / "scan.zip", chunks=(1, 2, 16, 20), shards=(2, 8, 16, 20))
    assert_holds(tmp_path / "scan.zip")


def test_of_entries_with_one_name_the_last_counts(tmp_path) -> None:
    zipped(tmp_path / "scan.zip")
    with zipfile.ZipFile(tmp_path / "scan.zip") as file:
        document = json.loads(file.read("zarr.json"))
    document["attributes"] = {"again": 1}
    with zipfile.ZipFile(tmp_path / "scan.zip", "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("zarr.json", json.dumps(document))
    signal = assert_holds(tmp_path / "scan.zip")
    assert signal.original_metadata.array.again == 1


def test_names_that_lead_out_of_a_zip_file(tmp_path) -> None:
    zipped(tmp_path / "scan.zip")
    with zipfile.ZipFile(tmp_path / "scan.zip", "a") as file:
        file.writestr("../evil", "x")
    with pytest.raises(FormatError, match=r"the entry '../evil' leads out of the zip file"):
        l4.load(tmp_path / "scan.zip")


def test_a_zip_file_cut_short(tmp_path) -> None:
    zipped(tmp_path / "scan.zip")
    data = (tmp_path / "scan.zip").read_bytes()
    for size in (10, len(data) // 2, len(data) - 10):
        (tmp_path / "scan.zip").write_bytes(data[:size])
        with pytest.raises(Lazy4DError, match=r"scan\.zip"):
            l4.load(tmp_path / "scan.zip", reader="zarr")


def test_memory_urls(tmp_path) -> None:
    write("memory://test-zarr-arrays/scan.zarr", zarr_format=2)
    assert_holds("memory://test-zarr-arrays/scan.zarr")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


def test_http(tmp_path) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http through aiohttp")
    write(tmp_path / "scan.zarr", chunks=(3, 8, 16, 20))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert_holds(f"http://127.0.0.1:{server.server_port}/scan.zarr")
        server.shutdown()
        thread.join()


class Silent(Quiet):
    """A server that tells neither sizes nor times, and knows no ranges."""

    def send_header(self, keyword, value) -> None:
        if keyword.lower() not in ("content-length", "last-modified"):
            super().send_header(keyword, value)


@pytest.mark.parametrize("whole_shards", [True, False])
def test_shards_from_a_server_that_tells_no_sizes(tmp_path, monkeypatch, whole_shards) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http through aiohttp")
    if not whole_shards:
        monkeypatch.setattr("lazy4d.io.zarr_arrays.stores._WHOLE_SHARD", 0)
    write(tmp_path / "scan.zarr", chunks=(1, 4, 16, 20), shards=(3, 8, 16, 20))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert_holds(f"http://127.0.0.1:{server.server_port}/scan.zarr")
        with pytest.raises(FormatError, match=r"absent\.zarr: expected a Zarr store, found none"):
            l4.load(f"http://127.0.0.1:{server.server_port}/absent.zarr", reader="zarr")
        server.shutdown()
        thread.join()


def test_a_store_that_is_gone_is_no_fill_value(tmp_path) -> None:
    write(tmp_path / "scan.zarr")
    signal = l4.load(tmp_path / "scan.zarr")
    (tmp_path / "scan.zarr").rename(tmp_path / "other.zarr")
    with pytest.raises(FileNotFoundError, match=r"scan\.zarr"):
        signal.compute()


@pytest.mark.parametrize("name", ["../other", "a/../../other"])
def test_keys_stay_in_the_store(tmp_path, name) -> None:
    write(tmp_path / "other")
    zarr.open_group(tmp_path / "scan.zarr", mode="w").create_array("a", shape=SCAN.shape, dtype="u2")
    with pytest.raises(FormatError, match="leads out of the store"):
        l4.load(tmp_path / "scan.zarr", dataset=name)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_names_with_spaces_and_other_letters(tmp_path, kind) -> None:
    path = tmp_path / "scan 1 % é.zarr"
    store = zarr.storage.ZipStore(path, mode="w") if kind == "zip" else zarr.storage.LocalStore(path)
    group = zarr.create_group(store)
    group.create_array("größe 1/データ", shape=SCAN.shape, chunks=(2, 3, 16, 20), dtype="u2")[...] = SCAN
    store.close()
    for options in ({}, {"dataset": "größe 1/データ"}):
        assert_holds(path, **options)


def test_places_are_pickled_without_what_they_opened(tmp_path) -> None:
    zipped(tmp_path / "scan.zip")
    write("memory://test-zarr-arrays/scan.zarr", overwrite=True)
    for path in (tmp_path, tmp_path / "scan.zip", "memory://test-zarr-arrays/scan.zarr"):
        place = open_place(path)
        assert len(pickle.dumps(place)) < 300
        assert pickle.loads(pickle.dumps(place)).get("zarr.json") == place.get("zarr.json")


# ---- clusters


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_any_scheduler(tmp_path, scheduler, kind) -> None:
    if kind == "zip":
        zipped(tmp_path / "scan.zip")
    else:
        write(tmp_path / "scan.zip")
    signal = l4.load(tmp_path / "scan.zip", chunks=(2, 3))
    np.testing.assert_array_equal(signal.sum().compute().data, SCAN.sum(axis=(0, 1)))
