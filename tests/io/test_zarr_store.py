"""What is saved to a Zarr store comes back, to lazy4d and to zarr itself, however it was cut into blocks."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import warnings
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.errors import ChunkError, Lazy4DError, Lazy4DWarning, UnsupportedVariantError
from lazy4d.io import registry
from lazy4d.io.zarr_store import READER, plan_save, run_saves, save_zarr
from lazy4d.io.zarr_store.block_writer import BlockWriter, Target
from lazy4d.io.zarr_store.codec import choose_codec
from lazy4d.io.zarr_store.layout import choose_layout
from lazy4d.lazy import Frames
from lazy4d.lazy.options import set_options

zarr = pytest.importorskip("zarr")


@pytest.fixture(autouse=True)
def quiet():
    with set_options(progress=False):
        yield


def axes_of(frames: Frames) -> list[dict]:
    sizes = [(n, True) for n in frames.nav_shape] + [(n, False) for n in frames.frame_shape]
    return [
        {"name": f"a{k}", "units": "px", "scale": 1.0, "offset": 0.0, "size": n, "navigate": navigate}
        for k, (n, navigate) in enumerate(sizes)
    ]


def save(path, frames: Frames, **options) -> None:
    settings = {"metadata": {}, "original_metadata": {}, "history": "[]", "signal_class": "BaseSignal", **options}
    save_zarr(path, frames, axes=axes_of(frames), **settings)


def load_frames(path, **options) -> Frames:
    return Frames.from_source(READER.read(path, **options).frames)


@st.composite
def arrays(draw):
    """Pixels, navigation axes, and blocks of any size in every navigation axis."""
    nav = draw(st.lists(st.integers(1, 7), max_size=3))
    frame = draw(st.lists(st.integers(1, 6), max_size=3))
    dtype = draw(st.sampled_from(["bool", "u1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16"]))
    bits = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (*nav, *frame, 16), np.uint8)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        pixels = bits[..., 0] > 127
    else:
        pixels = np.ascontiguousarray(bits[..., : dtype.itemsize]).view(dtype)[..., 0]  # NaN of every kind
    chunks = []
    for n in nav:
        blocks, left = [], n
        while left:
            blocks.append(draw(st.integers(1, left)))
            left -= blocks[-1]
        chunks.append(tuple(blocks))
    return pixels, len(nav), (*chunks, *((n,) for n in frame))


@settings(deadline=None, max_examples=60)
@given(arrays(), st.sampled_from(["zstd", "lz4", "none"]), st.sampled_from(["numpy", "dask"]), st.sampled_from([0, 64]))
def test_round_trip_of_any_array_in_any_blocks(case, codec, kind, chunk_bytes) -> None:
    """With inner chunks of 64 bytes, frames are cut and lines are padded as those of large scans are."""
    pixels, nav, chunks = case
    frames = Frames.from_array(da.from_array(pixels, chunks) if kind == "dask" else pixels, nav)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if chunk_bytes:
            patch.setattr("lazy4d.io.zarr_store.layout.CHUNK_BYTES", chunk_bytes)
        path = os.path.join(folder, "scan.zarr")
        save(path, frames, codec=codec)
        back = load_frames(path)
        assert back.nav_shape == frames.nav_shape
        assert back.frame_shape == frames.frame_shape
        assert back.dtype == frames.dtype
        with dask.config.set(scheduler="synchronous"):
            assert np.asarray(back.data.compute()).tobytes() == pixels.tobytes()
            flipped = back.inav([slice(None, None, -1)] * nav).data.compute()
        assert np.asarray(flipped).tobytes() == pixels[(slice(None, None, -1),) * nav].tobytes()
        there = zarr.open_group(path, mode="r")["data"][...]
        assert there.reshape(pixels.shape).tobytes() == pixels.tobytes()


@pytest.fixture
def scan() -> np.ndarray:
    return np.random.default_rng(5).poisson(3, (6, 10, 16, 12)).astype(np.uint16)


@pytest.fixture
def npy(tmp_path, scan) -> Path:
    np.save(tmp_path / "scan.npy", scan)
    return tmp_path / "scan.npy"


@pytest.fixture
def small_chunks(monkeypatch) -> None:
    """Inner chunks of four frames of `scan`."""
    monkeypatch.setattr("lazy4d.io.zarr_store.layout.CHUNK_BYTES", 4 * 384)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("blocks", [-1, 1, 4, (2, 3), ((1, 3, 2), (4, 1, 5)), ((5, 1), (3, 3, 3, 1))], ids=str)
@pytest.mark.parametrize("kind", ["file", "memory", "dask"])
def test_the_file_does_not_depend_on_the_blocks(tmp_path, npy, scan, kind, blocks) -> None:
    """Zarr's own writers damage shards that two blocks share; here none ever are, whatever the blocks."""
    if kind == "file":
        frames = Frames.from_source(registry.read(npy).frames, blocks)
    else:
        plain = Frames.from_array(scan, 2, chunks=blocks)
        frames = plain if kind == "memory" else Frames.from_array(plain.data + np.uint16(0), 2)
    path = tmp_path / "out.zarr"
    save(path, frames)
    assert np.array_equal(zarr.open_group(path, mode="r")["data"][...], scan)
    assert np.array_equal(load_frames(path).data.compute(), scan)


@pytest.mark.usefixtures("small_chunks")
def test_every_scheduler_writes_the_same(tmp_path, npy, scan, scheduler) -> None:
    s = l4.load(npy, chunks=(2, 10))
    double = s.map_frames(twice, shape=(16, 12), dtype="uint16")
    double.save(tmp_path / "out.zarr")
    assert len(list((tmp_path / "out.zarr" / "data").glob("c.*"))) == 3
    assert np.array_equal(l4.load(tmp_path / "out.zarr").compute().data, scan * 2)


def twice(frames, out) -> None:
    np.multiply(frames, 2, out=out)


@pytest.mark.parametrize("scheduler", ["threads", "distributed"], indirect=True)
def test_progress_is_told(tmp_path, npy, scheduler) -> None:
    seen = []
    l4.load(npy, chunks=1).save(tmp_path / "out.zarr", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (23040, 23040)
    assert len(seen) == 6


def test_two_tasks_never_write_one_shard(scan) -> None:
    layout = choose_layout((6, 10), (16, 12), np.dtype("u2"), (4, 10), (False, False))
    target = Target("/nowhere", layout, choose_codec("none", np.dtype("u2")), np.zeros(2, bool), False)
    with pytest.raises(ChunkError, match=r"does not hold whole shards of \(4, 10\)"):
        BlockWriter(target, (slice(2, 6), slice(0, 10)), None)


def test_several_are_saved_in_one_pass(tmp_path, npy, scan, monkeypatch) -> None:
    from lazy4d.io.rawblock import RawBlock

    reads: list[int] = []
    read = RawBlock.read

    def counting(self, start, stop, *rest):
        reads.append(stop - start)
        read(self, start, stop, *rest)

    monkeypatch.setattr(RawBlock, "read", counting)
    frames = Frames.from_source(registry.read(npy).frames, 2)
    total = frames.map_frames(sum_of, shape=(), dtype="int64")
    said = {"metadata": {}, "original_metadata": {}, "history": "[]", "signal_class": "BaseSignal"}
    plans = [
        plan_save(tmp_path / f"{k}.zarr", f, axes=axes_of(f), **said)
        for k, f in enumerate([frames, total, total.emit()])
    ]
    assert not reads
    run_saves(plans)
    assert sum(reads) == 60
    assert np.array_equal(load_frames(tmp_path / "0.zarr").data.compute(), scan)
    assert np.array_equal(load_frames(tmp_path / "1.zarr").data.compute(), scan.sum((2, 3)))
    assert np.array_equal(load_frames(tmp_path / "2.zarr").data.compute(), scan.sum((2, 3)))


def sum_of(frames, out) -> None:
    out[...] = frames.sum(axis=(1, 2))


# ---- what is saved with the pixels


def test_a_signal_comes_back_whole(tmp_path, npy) -> None:
    s = l4.load(npy)
    s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
    s.metadata.set_item("Sample.thickness", np.float64(1.5))
    s.metadata.set_item("Sample.edges", (1, 2.5, None, "ü"))
    s.metadata.set_item("Sample.deep", {"a": {"b": [1, {"c": np.arange(3)}]}, "empty": {}})
    s.original_metadata.set_item("raw", b"\x00\xff")
    s.metadata.General.title = "Title with ü"
    s.save(tmp_path / "out.zarr")
    t = l4.load(tmp_path / "out.zarr")
    assert type(t) is l4.Diffraction2D
    assert t.title == "Title with ü"
    for mine, theirs in zip(s.axes_manager.as_numpy_order(), t.axes_manager.as_numpy_order(), strict=True):
        assert theirs.equals(mine)
    assert repr(t.metadata) == repr(s.metadata)
    assert t.metadata.as_dictionary()["Sample"]["edges"] == [1, 2.5, None, "ü"]
    assert np.array_equal(t.metadata.as_dictionary()["Sample"]["deep"]["a"]["b"][1]["c"], np.arange(3))
    assert t.original_metadata.as_dictionary() == s.original_metadata.as_dictionary()
    assert t.history[:-1] == s.history
    assert t.history[-1].op == "load"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda s: s, "Diffraction2D"),
        (lambda s: s.sum(), "Diffraction2D"),
        (lambda s: s.get_virtual_image(l4.CircleROI(6, 8, 4)), "VirtualImage"),
        (lambda s: s.inav[3], "Diffraction2D"),
        (lambda s: s.get_direct_beam_position(method="center_of_mass"), "BeamPosition"),
        (lambda s: l4.Signal2D(s.sum().compute()), "Signal2D"),
        (lambda s: s.compute() > 2, "Diffraction2D"),
    ],
    ids=["frames", "sum", "image", "column", "positions", "computed", "bool"],
)
def test_every_kind_of_signal(tmp_path, npy, make, kind) -> None:
    s = make(l4.load(npy))
    s.save(tmp_path / "out.zarr")
    t = l4.load(tmp_path / "out.zarr")
    assert type(t).__name__ == kind
    assert t.shape == s.shape
    assert t.dtype == s.dtype
    assert np.array_equal(t.as_numpy(), s.as_numpy(), equal_nan=t.dtype.kind == "f")


def test_building_reads_nothing(tmp_path, npy, no_compute) -> None:
    l4.load(npy).save(tmp_path / "out.zarr")
    with no_compute:
        t = l4.load(tmp_path / "out.zarr")
        assert repr(t.isig[2:5].inav[1:3].sum())


def test_other_programs_find_names_and_metadata(tmp_path, npy) -> None:
    l4.load(npy).save(tmp_path / "out.zarr")
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    assert group["data"].metadata.dimension_names == ("y", "x", "ky", "kx")
    assert group.attrs["lazy4d"]["metadata"]["General"]["title"] == "scan"
    document = json.loads((tmp_path / "out.zarr" / "data" / "zarr.json").read_text())
    ours = zarr.create_array(
        {}, shape=(6, 10, 16, 12), dtype="uint16", shards=(3, 10, 16, 12), chunks=(3, 10, 16, 12),
        chunk_key_encoding={"name": "default", "separator": "."}, compressors=[
            zarr.codecs.BloscCodec(typesize=2, cname="zstd", clevel=1, shuffle="bitshuffle", blocksize=2**18),
            zarr.codecs.Crc32cCodec()],
        dimension_names=["y", "x", "ky", "kx"],
    )  # fmt: skip
    theirs = json.loads(json.dumps(ours.metadata.to_dict(), default=str))
    for key in ("zarr_format", "node_type", "shape", "data_type", "chunk_key_encoding", "fill_value", "codecs"):
        mine = document[key]
        if key == "codecs":  # the shape of a chunk depends on the machine
            mine[0]["configuration"]["chunk_shape"] = theirs[key][0]["configuration"]["chunk_shape"]
        assert mine == theirs[key]


# ---- invalid frames


@pytest.fixture
def damaged(tmp_path, npy) -> Path:
    """A file that lacks its last three frames."""
    os.truncate(npy, npy.stat().st_size - 3 * 384 + 10)
    return npy


def load_quietly(path, **options) -> l4.BaseSignal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Lazy4DWarning)
        return l4.load(path, **options)


@pytest.mark.parametrize("policy", ["nan", "zero"])
def test_validity_is_saved(tmp_path, damaged, scan, policy) -> None:
    s = load_quietly(damaged, incomplete=policy, chunks=2)
    s.save(tmp_path / "out.zarr")
    with pytest.warns(Lazy4DWarning, match="3 of 60 frames were missing or damaged when this was saved"):
        t = l4.load(tmp_path / "out.zarr")
    assert t.frames.incomplete == policy
    valid = t.valid.compute().data
    assert np.flatnonzero(~valid.ravel()).tolist() == [57, 58, 59]
    assert np.array_equal(valid, s.valid.compute().data)
    assert np.array_equal(t.data.compute(), s.data.compute())
    mean = t.mean().compute().data
    assert np.array_equal(mean, s.mean().compute().data)
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    assert np.array_equal(group["valid"][...], valid)


def test_validity_of_results(tmp_path, damaged, read_all) -> None:
    s = load_quietly(damaged, incomplete="nan")
    image = s.get_virtual_image(l4.CircleROI(6, 8, 4))
    for k, one in enumerate([image, image.compute()]):
        one.save(tmp_path / f"{k}.zarr")
        source = READER.read(tmp_path / f"{k}.zarr")
        out, valid = read_all(source.frames, with_valid=True)
        assert np.flatnonzero(~valid.ravel()).tolist() == [57, 58, 59]
        assert np.array_equal(out, one.as_numpy(), equal_nan=True)
        assert np.isnan(out[~valid]).all()


# ---- reading parts


@pytest.fixture
def store(tmp_path, npy, monkeypatch) -> Path:
    """`scan` in shards of two rows and chunks of four frames, the last of a line half padding."""
    monkeypatch.setattr("lazy4d.io.zarr_store.layout.CHUNK_BYTES", 4 * 384)
    l4.load(npy, chunks=2).save(tmp_path / "store.zarr")
    return tmp_path / "store.zarr"


def test_the_source_is_complete(store, npy) -> None:
    source = registry.read(store)
    assert source.frames.frame_nbytes == 384
    assert source.frames_found == source.frames_expected == 60
    assert source.identity["format"] == "zarr"
    assert source.identity["path"] == str(store)
    assert source.warnings == ()
    assert source.frames.preferred_chunks == ((2, 2, 2), (10,))
    assert source.frames.select((slice(0, 3, 1), slice(0, 10, 1))).preferred_chunks is None


@pytest.mark.parametrize("tile", [1, 3, 8, 60])
def test_tiles_of_any_size(store, scan, read_all, tile) -> None:
    assert np.array_equal(read_all(READER.read(store).frames, tile=tile), scan)


selections = st.tuples(st.integers(-7, 7), st.integers(-7, 7), st.sampled_from([-3, -1, 1, 2]))


def test_selections(store, scan, read_all) -> None:
    source = READER.read(store).frames

    @settings(deadline=None, max_examples=40)
    @given(rows=selections, columns=selections, seed=st.integers(0, 99))
    def check(rows, columns, seed) -> None:
        y, x = slice(*rows), slice(*columns)
        items = tuple(slice(*k.indices(n)) for k, n in zip((y, x), (6, 10), strict=True))
        part = source.select(items)
        assert np.array_equal(read_all(part), scan[y, x])
        mask = np.random.default_rng(seed).random((6, 10)) < 0.3
        assert np.array_equal(read_all(source.select((mask,))), scan[mask])

    check()
    row = source.select((slice(1, 2, 1), slice(0, 10, 1))).drop_axes((0,))
    assert np.array_equal(read_all(row), scan[1])


def test_windows_and_cut_frames(tmp_path, npy, scan, monkeypatch) -> None:
    monkeypatch.setattr("lazy4d.io.zarr_store.layout.CHUNK_BYTES", 100)
    l4.load(npy).save(tmp_path / "cut.zarr")
    document = json.loads((tmp_path / "cut.zarr" / "data" / "zarr.json").read_text())
    assert document["codecs"][0]["configuration"]["chunk_shape"] == [1, 1, 4, 12]
    source = READER.read(tmp_path / "cut.zarr").frames
    decoded = []
    monkeypatch.setattr(
        "lazy4d.io.zarr_store.shards.ShardFile.decode",
        lambda self, chunk, codec, out: (decoded.append(chunk), codec.decode(self.packed(chunk), out)),
    )
    block = source.open((slice(1, 3), slice(2, 4)))
    out = np.empty((4, 16, 12), np.uint16)
    block.read(0, 4, out, (slice(5, 9), slice(3, 30)))
    block.close()
    assert np.array_equal(out[:, 5:9, 3:], scan[1:3, 2:4, 5:9, 3:].reshape(4, 4, 9))
    assert len(decoded) == 8
    assert np.array_equal(l4.load(tmp_path / "cut.zarr").isig[3:, 5:9].compute().data, scan[:, :, 5:9, 3:])


def test_a_chunk_is_unpacked_once(store, scan, monkeypatch) -> None:
    """Rows of a box share chunks where a chunk holds several rows; tiles share those at their borders."""
    decoded = []
    monkeypatch.setattr(
        "lazy4d.io.zarr_store.shards.ShardFile.decode",
        lambda self, chunk, codec, out: (decoded.append((self.path, chunk)), codec.decode(self.packed(chunk), out)),
    )
    block = READER.read(store).frames.open((slice(0, 6), slice(0, 10)))
    out = np.empty((60, 16, 12), np.uint16)
    for start in range(0, 60, 3):
        block.read(start, start + 3, out[start : start + 3])
    block.close()
    assert np.array_equal(out, scan.reshape(60, 16, 12))
    assert len(decoded) == len(set(decoded)) == 18


def test_a_block_of_more_shards_than_are_kept_open(tmp_path, read_all) -> None:
    pixels = np.arange(100 * 6, dtype=np.int32).reshape(50, 2, 6)
    save(tmp_path / "out.zarr", Frames.from_array(pixels, 2, chunks=1))
    assert len(list((tmp_path / "out.zarr" / "data").glob("c.*"))) == 50
    assert np.array_equal(read_all(READER.read(tmp_path / "out.zarr").frames, tile=100), pixels)


def test_other_scan_shapes(store, scan, read_all) -> None:
    flat = scan.reshape(60, 16, 12)
    assert np.array_equal(
        read_all(READER.read(store, scan_shape=(4, 14), sync_offset=4).frames), flat[4:].reshape(4, 14, 16, 12)
    )
    assert np.array_equal(read_all(READER.read(store, scan_shape=(6, 8), flyback=2).frames), scan[:, :8])
    source = READER.read(store, scan_shape=(6, 10), sync_offset=-2)
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [0, 1]
    assert np.array_equal(out.reshape(60, 16, 12)[2:], flat[:58])
    assert [axis.scale for axis in source.navigation_axes] == [1.0, 1.0]
    with pytest.raises(Lazy4DError, match="60 frames do not fill scan shape 5 x 5"):
        READER.read(store, scan_shape=(5, 5))


def test_sources_travel(store, scan, read_all) -> None:
    source = READER.read(store).frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token == READER.read(store).frames.token
    assert len(pickle.dumps(source)) < 4000
    assert np.array_equal(read_all(there), scan)
    assert source.select((slice(0, 2, 1), slice(0, 10, 1))).token != source.token
    assert READER.read(store, incomplete="nan").frames.token != source.token


def test_stores_are_only_read(store, scan) -> None:
    files = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    l4.load(store).sum().compute()
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == files


def test_options_are_checked(store) -> None:
    for option in ("incomplete", "io"):
        with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
            READER.read(store, **{option: "maybe"})
    with pytest.raises(TypeError, match="the reader 'zarr' takes no option 'frame_shape'"):
        l4.load(store, frame_shape=(3, 3))


def test_reading_needs_neither_zarr_nor_dask() -> None:
    import subprocess
    import sys

    code = "from lazy4d.io.zarr_store import READER; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"zarr", "numcodecs", "dask"} & set(loaded)


# ---- stores of other programs


def test_an_inner_array_tells_its_store(store) -> None:
    with pytest.raises(UnsupportedVariantError, match=rf"Its parent {store} is a store of lazy4d: load that"):
        l4.load(store / "data")


def test_an_empty_folder(tmp_path) -> None:
    (tmp_path / "none.zarr").mkdir()
    with pytest.raises(Lazy4DError, match=r"expected a Zarr store, found none of zarr\.json"):
        l4.load(tmp_path / "none.zarr")


def test_dtypes_that_zarr_lacks(tmp_path) -> None:
    if np.dtype(np.longdouble) == np.float64:
        pytest.skip("longdouble is float64 here")
    with pytest.raises(TypeError, match=r"cannot be stored, expected one of bool, .* convert them with .astype"):
        save(tmp_path / "out.zarr", Frames.from_array(np.zeros((2, 3), np.longdouble), 1))
    assert not (tmp_path / "out.zarr").exists()
