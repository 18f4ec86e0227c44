"""HDF5 files of any layout: pixels, axes, choice of the dataset, laziness, other processes, speed of loading."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DWarning, MissingCompanionError, UnsupportedVariantError
from lazy4d.io.chunked.frames import ChunkedFrames
from lazy4d.io.hdf5.attributes import attributes, number, text, tree, whole
from lazy4d.io.hdf5.dataset import dataset_frames
from lazy4d.io.hdf5.generic import contents
from lazy4d.io.hdf5.opening import open_file
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.registry import find_reader, read

PACKED = {
    "gzip": {"compression": "gzip", "shuffle": True},
    "lzf": {"compression": "lzf"},
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc": dict(hdf5plugin.Blosc(cname="zstd")),
    "zstd": dict(hdf5plugin.Zstd()),
    "none": {},
}


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "ein Ordner ü"
    folder.mkdir()
    return folder


def write(path: Path, array, name="scan/data", **settings) -> Path:
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=array, **settings)
    return path


# ---- pixels


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("chunk", [(1, 1, 64, 64), (2, 3, 64, 64), (2, 5, 20, 64)])
def test_chunked(folder, scan, read_all, packed, chunk) -> None:
    path = write(folder / "a b.h5", scan, chunks=chunk, **PACKED[packed])
    source = read(path)
    assert find_reader(path).name == "hdf5"
    assert isinstance(source.frames, ChunkedFrames)
    assert source.frames.dtype == np.uint16
    assert source.frames_found == 20
    assert source.identity["dataset"] == "/scan/data"
    np.testing.assert_array_equal(read_all(source.frames), scan)


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "f4", "?"])
def test_contiguous_is_mapped(folder, scan, read_all, io, dtype) -> None:
    path = write(folder / "a.h5", scan.astype(dtype))
    source = read(path, io=io)
    assert isinstance(source.frames, RawFrames)
    assert source.frames.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(read_all(source.frames), scan.astype(dtype))


def test_behind_a_block_of_the_user(folder, scan, read_all) -> None:
    path = folder / "a.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["plain"] = scan
        file.create_dataset("packed", data=scan, chunks=(1, 5, 64, 64), **PACKED["bitshuffle"])
    assert find_reader(path).name == "hdf5"
    for name in ("plain", "packed"):
        np.testing.assert_array_equal(read_all(read(path, dataset=name).frames), scan)


@pytest.mark.parametrize("settings", [{"chunks": (8, 64, 1, 5), "compression": "gzip"}, {}])
def test_any_order_of_axes(folder, scan, read_all, settings) -> None:
    path = write(folder / "a.h5", scan.transpose(2, 3, 0, 1), **settings)
    frames = dataset_frames(str(path), "/scan/data", nav_axes=(2, 3), signal_axes=(0, 1))
    np.testing.assert_array_equal(read_all(frames), scan)


def test_filters_that_only_hdf5_has(folder, scan, read_all) -> None:
    path = write(folder / "a.h5", scan, chunks=(1, 5, 64, 64), scaleoffset=0)
    np.testing.assert_array_equal(read_all(read(path).frames), scan)


@pytest.mark.parametrize("layout", [None, (1, 5, 64, 64)])
def test_virtual_dataset(folder, scan, read_all, layout) -> None:
    whole = h5py.VirtualLayout((4, 5, 64, 64), "u2")
    for k in range(2):
        write(folder / f"part{k}.h5", scan[2 * k : 2 * k + 2], "d", chunks=layout)
        whole[2 * k : 2 * k + 2] = h5py.VirtualSource(f"part{k}.h5", "d", (2, 5, 64, 64))
    columns = h5py.VirtualLayout((4, 3, 64, 64), "u2")
    for k in range(2):
        columns[2 * k : 2 * k + 2] = h5py.VirtualSource(f"part{k}.h5", "d", (2, 5, 64, 64))[:, 1:4]
    path = folder / "all.h5"
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("whole", whole)
        file.create_virtual_dataset("columns", columns)
    source = read(path, dataset="whole")
    assert isinstance(source.frames, RawFrames if layout is None else ChunkedFrames)
    np.testing.assert_array_equal(read_all(source.frames), scan)
    np.testing.assert_array_equal(read_all(read(path, dataset="columns").frames), scan[:, 1:4])
    os.remove(folder / "part1.h5")
    for name in ("whole", "columns"):
        with pytest.raises(MissingCompanionError, match=r"part1\.h5, which is missing"):
            read(path, dataset=name)


def test_external_storage_and_compact(folder, scan, read_all) -> None:
    (folder / "pixels.bin").write_bytes(scan.tobytes())
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("d", scan.shape, "u2", external=[(str(folder / "pixels.bin"), 0, scan.nbytes)])
    np.testing.assert_array_equal(read_all(read(path).frames), scan)


def test_parts_in_a_row(folder, scan, read_all) -> None:
    names = []
    for k, settings in enumerate(({"chunks": (1, 5, 64, 64), "compression": "gzip"}, {})):
        names = [(str(write(folder / f"{k}{j}.h5", scan[2 * j : 2 * j + 2], **settings)), "/scan/data") for j in (0, 1)]
        frames = dataset_frames(names, nav_axes=(0, 1), signal_axes=(2, 3))
        np.testing.assert_array_equal(read_all(frames), scan)
    mixed = [(str(folder / "00.h5"), "/scan/data"), names[1]]
    with pytest.raises(UnsupportedVariantError, match="stored in different ways"):
        dataset_frames(mixed, nav_axes=(0, 1), signal_axes=(2, 3))
    write(folder / "other.h5", scan[..., :32])
    with pytest.raises(FormatError, match=r"expected frames as in"):
        dataset_frames([names[0], (str(folder / "other.h5"), "/scan/data")], nav_axes=(0, 1), signal_axes=(2, 3))


@pytest.mark.parametrize("chunk", [(1, 1, 64, 64), (2, 2, 64, 64), (2, 5, 30, 64)])
def test_results_do_not_depend_on_blocks_or_scheduler(folder, scan, scheduler, chunk) -> None:
    path = write(folder / "a.h5", scan, chunks=chunk, **PACKED["bitshuffle"])
    mask = np.zeros((64, 64), bool)
    mask[20:40, 10:50] = True
    for blocks in ("auto", 1, (2, 3)):
        s = l4.load(path, chunks=blocks)
        assert len(pickle.dumps(s.frames.source)) < 20_000
        image = s.get_virtual_image(mask).compute().data
        np.testing.assert_array_equal(image, scan[:, :, mask].sum(axis=-1, dtype="u8"))


# ---- the scan


def test_scan_shape_of_the_dataset_and_of_the_user(folder, scan, read_all) -> None:
    path = write(folder / "a.h5", scan.reshape(20, 64, 64), chunks=(2, 64, 64), compression="lzf")
    assert read(path).frames.nav_shape == (20,)
    np.testing.assert_array_equal(read_all(read(path, scan_shape=(4, 5)).frames), scan)
    np.testing.assert_array_equal(read_all(read(path, scan_shape=(4, 4), flyback=1).frames), scan[:, :4])
    turned = read_all(read(path, scan_shape=(4, 5), serpentine=True).frames)
    np.testing.assert_array_equal(turned[1], scan[1, ::-1])
    four = write(folder / "b.h5", scan)
    np.testing.assert_array_equal(read_all(read(four, scan_shape=(2, 10)).frames), scan.reshape(2, 10, 64, 64))


def test_a_single_image(folder, scan) -> None:
    path = write(folder / "a.h5", scan[0, 0])
    s = l4.load(path, dataset="scan/data")
    np.testing.assert_array_equal(s.compute().data, scan[0, 0])


# ---- which dataset


def test_choice_of_the_dataset(folder, scan, read_all) -> None:
    path = write(folder / "a.h5", scan)
    write(path, scan[0], "other/stack")
    write(path, [1, 2, 3], "numbers")
    np.testing.assert_array_equal(read_all(read(path).frames), scan)  # the only one of four axes
    np.testing.assert_array_equal(read_all(read(path, dataset="/other/stack").frames), scan[0])
    assert [str(found) for found in contents(path)] == [
        "/numbers (3,) int64", "/other/stack (5, 64, 64) uint16", "/scan/data (4, 5, 64, 64) uint16"
    ]  # fmt: skip
    write(path, scan, "second")
    with pytest.raises(FormatError, match=r"3 datasets .* /other/stack \(5, 64, 64\) uint16; /scan/data .*dataset="):
        read(path)
    with pytest.raises(FormatError, match=r"no dataset 'missing' in this HDF5 file; it holds: /numbers"):
        read(path, dataset="missing")
    with pytest.raises(UnsupportedVariantError, match=r"has shape \(3,\), expected at least the two axes"):
        read(path, dataset="numbers")


def test_a_group_with_data_and_nothing_at_all(folder, scan, read_all) -> None:
    path = write(folder / "a.h5", scan)
    np.testing.assert_array_equal(read_all(read(path, dataset="scan").frames), scan)
    empty = folder / "b.h5"
    with h5py.File(empty, "w") as file:
        file["text"] = "abc"
        file["loop"] = h5py.SoftLink("/")
        file["gone"] = h5py.ExternalLink("nowhere.h5", "/")
    with pytest.raises(FormatError, match=r"none holds frames; it holds no dataset of numbers"):
        read(empty)
    with h5py.File(empty, "a") as file:
        file.create_dataset("records", shape=(3, 3, 3), dtype=[("a", "i4")])
    with pytest.raises(UnsupportedVariantError, match="expected numbers"):
        read(empty, dataset="records")


# ---- attributes


def test_attributes(folder) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file.attrs["fixed"] = np.bytes_(b"nm")
        file.attrs["one"] = np.array([0.5])
        file["group/small"] = np.arange(3)
        file["group/large"] = np.zeros(10**5)
        file["group/small"].attrs["units"] = "px"
        file["again"] = h5py.SoftLink("/group")
        assert attributes(file) == {"fixed": "nm", "one": 0.5}
        told = tree(file)
    assert told["group"]["small"] == {"value": [0, 1, 2], "attributes": {"units": "px"}}
    assert told["group"]["large"] == "dataset (100000,) float64"
    assert text(np.array([b"a"])) == "a"
    assert (number("x"), number(np.array([2])), whole(2.5), whole(b"3")) == (None, 2.0, None, 3)


# ---- opening


def test_absent_and_other_files(folder) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file: .*none\.h5"), open_file(folder / "none.h5"):
        pass
    (folder / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FormatError, match=r"a\.h5: "):
        read(folder / "a.h5")
    (folder / "b.h5").write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError, match=r"b\.h5"):
        read(folder / "b.h5")


def test_loading_reads_no_pixels_and_is_quick(folder) -> None:
    path = folder / "many.h5"
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("d", (300, 100, 8, 8), "u2", chunks=(1, 1, 8, 8))
        stored[...] = 1
    read(path)
    best = min(_timed(path) for _ in range(3))
    assert best < 0.05
    s = l4.load(path)
    assert int(s.sum().compute().data.sum()) == 300 * 100 * 64


def _timed(path) -> float:
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def bitshuffled(path, frames):
    """A chunk for each frame, bits shuffled over LZ4; the bytes of each chunk in the file."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=frames, chunks=(1, 1, *frames.shape[2:]), **hdf5plugin.Bitshuffle())
        file.flush()
        chunks = [data.id.get_chunk_info(k) for k in range(data.id.get_num_chunks())]
        return [(chunk.byte_offset, chunk.size) for chunk in chunks]


@pytest.mark.parametrize("shape", [(24, 20), (7, 5)])  # whole blocks, and elements behind the last one
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4", ">u2"])
def test_chunks_of_a_frame_are_unpacked_together(tmp_path, shape, dtype):
    frames = np.random.default_rng(0).poisson(3, (5, 6, *shape)).astype(dtype)
    bitshuffled(tmp_path / "a.h5", frames)
    signal = l4.load(tmp_path / "a.h5", chunks=(2, 6))
    np.testing.assert_array_equal(signal.compute().data, frames)
    np.testing.assert_array_equal(signal.inav[1:6:2, ::-1].sum().compute().data, frames[::-1, 1:6:2].sum(axis=(0, 1)))


def test_one_damaged_chunk_of_many(tmp_path):
    frames = np.random.default_rng(0).poisson(3, (5, 6, 24, 20)).astype("u2")
    offset, _ = bitshuffled(tmp_path / "a.h5", frames)[13]
    with open(tmp_path / "a.h5", "r+b") as file:
        file.seek(offset + 12)
        file.write(b"\xff" * 8)
    with pytest.raises(FormatError, match=r"chunk at \(2, 1, 0, 0\) of the grid"):
        l4.load(tmp_path / "a.h5").compute()
    with pytest.warns(Lazy4DWarning, match="1 of the 30 frames"):
        image = l4.load(tmp_path / "a.h5", incomplete="nan").get_total_intensity().compute().data
    assert np.flatnonzero(np.isnan(image)).tolist() == [13]
    expected = frames.sum(axis=(2, 3)).astype(float)
    expected[2, 1] = np.nan
    np.testing.assert_array_equal(image, expected)


def test_a_chunk_never_written_among_many(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset(
            "data", (5, 6, 24, 20), "u2", chunks=(1, 1, 24, 20), fillvalue=7, **hdf5plugin.Bitshuffle()
        )
        data[1:3] = 5
    with pytest.warns(Lazy4DWarning, match="never written"):
        signal = l4.load(tmp_path / "a.h5")
    found = signal.compute().data
    assert (found[1:3] == 5).all()
    assert (found[[0, 3, 4]] == 7).all()
