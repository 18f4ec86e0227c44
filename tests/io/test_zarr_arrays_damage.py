"""Zarr stores that are damaged, or say what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr import codecs as v3

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.zarr_arrays.node import read_node
from lazy4d.io.zarr_arrays.place import FolderPlace
from tests.io.zarr_files import CODECS, SCAN, assert_holds, write


def test_a_damaged_chunk(tmp_path) -> None:
    write(tmp_path / "scan.zarr", chunks=(1, 8, 16, 20), compressors=CODECS["checked"])
    chunk = tmp_path / "scan.zarr" / "c" / "2" / "0" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 255
    chunk.write_bytes(data)
    with pytest.raises(FormatError, match=r"scan\.zarr/c/2/0/0/0: the chunk at \(2, 0, 0, 0\).*positions \[2:3, 0:8\]"):
        l4.load(tmp_path / "scan.zarr").compute()
    signal = l4.load(tmp_path / "scan.zarr", incomplete="nan")
    with pytest.warns(Lazy4DWarning, match="8 of the 48 frames"):
        image = signal.get_total_intensity().compute().data
    assert np.isnan(image[2]).all()
    np.testing.assert_array_equal(np.delete(image, 2, 0), np.delete(SCAN.sum(axis=(2, 3)), 2, 0))


def test_a_shard_cut_short(tmp_path) -> None:
    write(tmp_path / "scan.zarr", chunks=(1, 2, 16, 20), shards=(2, 8, 16, 20))
    shard = tmp_path / "scan.zarr" / "c" / "1" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(TruncatedFileError, match=r"c/1/0/0/0: expected at least the \d+ bytes of an index, found 100"):
        l4.load(tmp_path / "scan.zarr").compute()


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        ({"shape": [6, 8, -1, 20]}, FormatError, "expected 'shape' to be a list of whole numbers"),
        ({"shape": [2**40, 2**40, 16, 20]}, FormatError, "larger than any file"),
        ({"chunks": [0, 3, 16, 20]}, FormatError, "expected 'chunks' to be a list of whole numbers"),
        ({"chunks": [2, 3]}, FormatError, "as many axes of a chunk as of the array"),
        ({"chunks": [2**20, 2**20, 16, 20]}, UnsupportedVariantError, "too large against .* of memory"),
        ({"dtype": "spam"}, FormatError, "expected a dtype such as"),
        ({"dtype": [["a", "<u2"]]}, UnsupportedVariantError, "structured pixels"),
        ({"dtype": "|S4"}, UnsupportedVariantError, "expected numbers"),
        ({"compressor": 7}, FormatError, "expected a compressor"),
        ({"compressor": {"id": "spam"}}, Lazy4DError, "'spam' is not known"),
        ({"order": "K"}, FormatError, "expected order 'C' or 'F'"),
        ({"fill_value": {}}, FormatError, "expected a fill value"),
        ({"zarr_format": 4}, FormatError, "expected zarr_format 2, found 4"),
        ({"dimension_separator": "-"}, FormatError, "expected dimension_separator"),
    ],
    ids=str,
)
def test_documents_that_make_no_sense(tmp_path, change, kind, match) -> None:
    write(tmp_path / "scan.zarr", zarr_format=2)
    path = tmp_path / "scan.zarr" / ".zarray"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(kind, match=match):
        l4.load(tmp_path / "scan.zarr")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"chunk_grid": {"name": "rectilinear", "configuration": {}}}, "chunk grid 'rectilinear' is not read"),
        ({"data_type": "r16"}, "pixels of type 'r16' are not read"),
        ({"spam": {"must_understand": True}}, "the extension 'spam' of Zarr is not known"),
        ({"storage_transformers": [{"name": "x"}]}, "storage transformers are not read"),
        ({"chunk_key_encoding": {"name": "x"}}, "chunk key encoding 'x' is not known"),
    ],
    ids=str,
)
def test_variants_of_version_3_that_are_not_read(tmp_path, change, match) -> None:
    write(tmp_path / "scan.zarr")
    path = tmp_path / "scan.zarr" / "zarr.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UnsupportedVariantError, match=match):
        l4.load(tmp_path / "scan.zarr")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def small_arrays(tmp_path_factory):
    """One array of each version, and its document."""
    folder = tmp_path_factory.mktemp("fuzz")
    found = {}
    for version, name in ((2, ".zarray"), (3, "zarr.json")):
        write(folder / f"{version}.zarr", SCAN[:1, :2], chunks=(1, 2, 16, 20), zarr_format=version)
        path = folder / f"{version}.zarr" / name
        found[version] = path, json.loads(path.read_text())
    return found


def outcome(path):
    """The shape that is read, or the message of the error."""
    try:
        signal = l4.load(path)
        return signal.compute().data.shape if signal.nbytes < 2**20 else signal.data.shape
    except Lazy4DError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(version=st.sampled_from([2, 3]), key=st.integers(0, 20), value=JSON)
def test_any_document_is_an_error_or_an_array(small_arrays, version, key, value) -> None:
    path, document = small_arrays[version]
    names = sorted(document)
    path.write_text(json.dumps({**document, names[key % len(names)]: value}))
    found = outcome(path.parent)
    assert isinstance(found, tuple) or f"{version}.zarr" in found


def test_a_file_that_is_no_store(tmp_path) -> None:
    (tmp_path / "scan.zarr").write_text("text")
    with pytest.raises(FormatError, match=r"scan\.zarr: expected a folder or a zip file with a Zarr store"):
        l4.load(tmp_path / "scan.zarr", reader="zarr")


def test_loading_does_not_list_the_chunks(tmp_path, monkeypatch) -> None:
    write(tmp_path / "scan.zarr", zarr_format=2)
    asked = []
    get = FolderPlace.get
    monkeypatch.setattr(FolderPlace, "get", lambda self, key: asked.append(key) or get(self, key))
    monkeypatch.setattr(FolderPlace, "list", lambda self, prefix: pytest.fail(f"listed {prefix!r}"))
    l4.load(tmp_path / "scan.zarr")
    assert all(key.rpartition("/")[2] in ("zarr.json", ".zarray", ".zattrs", ".zgroup") for key in asked), asked


def test_nodes(tmp_path) -> None:
    write(tmp_path / "a", zarr_format=2)
    assert read_node(FolderPlace(str(tmp_path)), "a").shape == SCAN.shape
    assert read_node(FolderPlace(str(tmp_path)), "b") is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"attributes": ' + '{"a":' * 50_000, "\x00", ""], ids=range(4))
def test_text_that_is_no_document(tmp_path, text) -> None:
    write(tmp_path / "scan.zarr")
    (tmp_path / "scan.zarr" / "zarr.json").write_text(text)
    with pytest.raises(FormatError, match=r"scan\.zarr/zarr\.json: expected JSON"):
        l4.load(tmp_path / "scan.zarr")


@pytest.mark.parametrize("start", [2**63, 2**64 - 2, 10**6])
def test_an_index_of_a_shard_that_lies(tmp_path, monkeypatch, start) -> None:
    index = [v3.BytesCodec()]
    shards = v3.ShardingCodec(chunk_shape=(1, 2, 16, 20), codecs=[v3.BytesCodec(), v3.ZstdCodec()], index_codecs=index)
    write(tmp_path / "scan.zarr", chunks=(2, 8, 16, 20), serializer=shards, compressors=None)
    assert_holds(tmp_path / "scan.zarr")
    shard = tmp_path / "scan.zarr" / "c" / "1" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[-16:-8] = start.to_bytes(8, "little")
    shard.write_bytes(data)
    signal = l4.load(tmp_path / "scan.zarr")
    for whole_shards in (2**24, 0):
        monkeypatch.setattr("lazy4d.io.zarr_arrays.stores._WHOLE_SHARD", whole_shards)
        with pytest.raises(Lazy4DError, match=r"scan\.zarr/c/1/0/0/0"):
            signal.compute()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 8)])
@pytest.mark.parametrize("options", [{}, {"scan_shape": (-1,)}], ids=str)
def test_an_array_of_no_pixels_is_refused(
    tmp_path: Path, zarr_format: int, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    path = tmp_path / "empty.zarr"
    zarr.create_array(path, shape=shape, chunks=(1, 8, 8), dtype="u2", zarr_format=zarr_format)
    with pytest.raises(FormatError, match=r"found an array of shape .*: it is empty"):
        l4.load(path, **options)
