"""Saving as .hspy and .zspy: what other programs find there, whatever the blocks, scheduler and interruption."""

from __future__ import annotations

import json
import math
import os
import warnings
from pathlib import Path

import dask
import dask.array as da
import h5py
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import ChunkError, Lazy4DWarning
from lazy4d.io.hyperspy import saving, write_hspy
from lazy4d.io.hyperspy.blocks import BlockChunks
from lazy4d.lazy.options import set_options
from tests.io.hyperspy_files import chunks_of, described, pixels_of, plain_tree

FRAME = 16 * 12 * 2
BOTH = pytest.mark.parametrize("suffix", ["hspy", "zspy"])


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Chunks of four frames, and no progress bars."""
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", 4 * FRAME)
    with set_options(progress=False):
        yield


@pytest.fixture
def scan() -> np.ndarray:
    return np.random.default_rng(5).poisson(3, (6, 10, 16, 12)).astype(np.uint16)


@pytest.fixture
def npy(tmp_path, scan) -> Path:
    np.save(tmp_path / "scan.npy", scan)
    return tmp_path / "scan.npy"


@pytest.fixture
def signal(scan) -> l4.Diffraction2D:
    s = l4.Diffraction2D(scan, title="MoS2 / 80 kV")
    s.set_calibration(scale=0.1, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="80 kV")
    s.metadata.set_item("Sample.notes", ["thin", None, 3, [1.5, 2.5]])
    s.metadata.set_item("General.author", "Å. Ångström")
    return s


def load_quietly(path, **options) -> l4.BaseSignal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Lazy4DWarning)
        return l4.load(path, **options)


# ---- pixels


@BOTH
@pytest.mark.parametrize("dtype", ["bool", "u1", ">u2", "i4", "f2", "f4", "f8", "c8", "c16", "u8"])
def test_every_dtype(tmp_path, suffix, dtype):
    data = np.random.default_rng(0).integers(0, 2, (3, 5, 6, 7)).astype(dtype)
    out = tmp_path / f"a.{suffix}"
    l4.Diffraction2D(data).save(out)
    found = pixels_of(out)
    assert found.dtype == np.dtype(dtype).newbyteorder("<")
    assert np.array_equal(found, data)


@BOTH
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (l4.Signal2D, (8, 9)),
        (l4.Diffraction2D, (5, 8, 9)),
        (l4.Diffraction2D, (3, 2, 4, 8, 9)),
        (l4.VirtualImage, (5, 7)),
        (l4.Signal1D, (4, 5, 30)),
        (l4.Signal1D, (30,)),
    ],
)
def test_any_number_of_axes(tmp_path, suffix, kind, shape):
    data = np.arange(math.prod(shape), dtype="f4").reshape(shape)
    out = tmp_path / f"a.{suffix}"
    kind(data).save(out)
    assert np.array_equal(pixels_of(out), data)
    found = described(out)
    assert found.metadata["lazy4d"]["signal_class"] == kind.__name__
    assert len(found.nav_axes) + len(found.signal_axes) == len(shape)
    assert len(found.nav_axes) == len(kind(data).nav_shape)


@BOTH
@pytest.mark.parametrize("chunks", [1, 2, (4, 3), ((1, 5), (2, 2, 6)), -1])
def test_blocks_do_not_matter(tmp_path, npy, scan, suffix, chunks):
    out = tmp_path / f"a.{suffix}"
    l4.load(npy, chunks=chunks).save(out)
    assert np.array_equal(pixels_of(out), scan)


@BOTH
@pytest.mark.parametrize("chunks", [((2, 2, 2), (10,)), ((1, 5), (3, 7)), ((6,), (5, 5)), ((3, 3), (1,) * 10)])
def test_blocks_of_a_dask_array(tmp_path, scan, suffix, chunks):
    out = tmp_path / f"a.{suffix}"
    l4.Diffraction2D(da.from_array(scan, chunks=(*chunks, 16, 12), name="scan")).save(out)
    assert np.array_equal(pixels_of(out), scan)


@BOTH
def test_the_scheduler_does_not_matter(tmp_path, npy, scan, suffix, scheduler):
    out = tmp_path / f"a.{suffix}"
    s = l4.load(npy, chunks=2)
    s.save(out)
    assert np.array_equal(pixels_of(out), scan)
    s.rebin(scale=(1, 1, 2, 2)).save(out, overwrite=True)
    assert np.array_equal(pixels_of(out), scan.reshape(6, 10, 8, 2, 6, 2).sum(axis=(3, 5)))


@pytest.mark.slow
@BOTH
def test_a_cluster_holds_few_blocks_at_a_time(tmp_path, npy, scan, distributed_client, monkeypatch, suffix):
    monkeypatch.setattr(saving, "IN_FLIGHT_BYTES", 20 * FRAME)
    seen = []
    with distributed_client.as_current():
        out = tmp_path / f"a.{suffix}"
        l4.load(npy, chunks=1).save(out, progress=lambda done, total: seen.append((done, total)))
    assert np.array_equal(pixels_of(out), scan)
    assert seen[-1] == (60 * FRAME, 60 * FRAME)


@pytest.mark.slow
def test_other_schedulers_of_processes(tmp_path, npy, scan):
    with dask.config.set(scheduler="processes", num_workers=1):
        l4.load(npy, chunks=3).save(tmp_path / "a.hspy")
    assert np.array_equal(pixels_of(tmp_path / "a.hspy"), scan)


@BOTH
def test_every_frame_is_read_once(tmp_path, npy, suffix, monkeypatch):
    from lazy4d.io.rawblock import RawBlock

    seen, read = [], RawBlock.read

    def counting(self, start, stop, *rest):
        seen.append(stop - start)
        read(self, start, stop, *rest)

    monkeypatch.setattr(RawBlock, "read", counting)
    l4.load(npy, chunks=2).save(tmp_path / f"a.{suffix}")
    assert sum(seen) == 60


@BOTH
def test_chunks_hold_whole_frames(tmp_path, npy, scan, suffix, monkeypatch):
    out = tmp_path / f"a.{suffix}"
    l4.load(npy).save(out)
    assert chunks_of(out) == (1, 4, 16, 12)  # ten frames a row in three chunks
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", FRAME // 3)
    l4.load(npy).save(out, overwrite=True)
    assert chunks_of(out) == (1, 1, 16, 12)  # a large frame is a chunk
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", 2**20)
    l4.load(npy).save(out, overwrite=True)
    assert chunks_of(out) == (6, 10, 16, 12)
    assert np.array_equal(pixels_of(out), scan)


@pytest.mark.parametrize(
    ("codec", "filters"),
    [
        ("gzip", ("gzip", 1, True)),
        ("lzf", ("lzf", None, True)),
        ("none", (None, None, False)),
        (None, (None, None, False)),
        ({"name": "gzip", "level": 9}, ("gzip", 9, True)),
    ],
)
def test_codecs_that_h5py_has(tmp_path, npy, scan, codec, filters, scheduler):
    out = tmp_path / "a.hspy"
    l4.load(npy, chunks=2).save(out, codec=codec)
    assert np.array_equal(pixels_of(out), scan)
    with h5py.File(out) as file:
        array = file["Experiments/scan/data"]
        assert (array.compression, array.compression_opts, array.shuffle) == filters
        assert array.fillvalue == 0


@pytest.mark.parametrize("codec", ["zstd", "lz4", {"cname": "lz4hc", "clevel": 9}])
def test_codecs_that_need_a_plugin(tmp_path, npy, scan, codec):
    pytest.importorskip("hdf5plugin")
    l4.load(npy).save(tmp_path / "a.hspy", codec=codec)
    assert np.array_equal(pixels_of(tmp_path / "a.hspy"), scan)


def test_counts_become_small(tmp_path, scan):
    l4.Diffraction2D(scan).save(tmp_path / "a.hspy")
    l4.Diffraction2D(scan).save(tmp_path / "b.hspy", codec="none")
    assert os.path.getsize(tmp_path / "a.hspy") < 0.6 * os.path.getsize(tmp_path / "b.hspy")


# ---- what is said of them


@BOTH
def test_axes_and_metadata_and_history_come_back(tmp_path, signal, suffix):
    s = signal.inav[2:, 1:].rebin(scale=(1, 1, 2, 2))
    out = tmp_path / f"a.{suffix}"
    s.save(out)
    found = described(out)
    assert found.title == "MoS2 / 80 kV"
    axes = [*found.navigation_axes, *found.signal_axis_specs]
    assert [(a.name, a.units, a.scale, a.offset) for a in axes] == [
        (a.name, a.units, a.scale, a.offset) for a in s.axes_manager.as_numpy_order()
    ]
    kept = found.metadata.pop("lazy4d")
    assert found.metadata == s.metadata.as_dictionary()
    assert found.original_metadata == s.original_metadata.as_dictionary()
    assert json.loads(kept["history"]) == s.history.as_list()
    assert kept["signal_class"] == "Diffraction2D"
    assert found.warnings == ()


@BOTH
def test_the_tree_is_that_of_hyperspy(tmp_path, signal, suffix):
    out = tmp_path / f"a.{suffix}"
    signal.save(out)
    if suffix == "hspy":
        with h5py.File(out) as file:
            assert dict(file.attrs) == {"file_format": "HyperSpy", "file_format_version": "3.3"}
            group = file["Experiments/MoS2 - 80 kV"]
            axis = dict(group["axis-2"].attrs)
            general = dict(group["metadata/General"].attrs)
            energy = group["metadata/Acquisition_instrument/TEM"].attrs["beam_energy"]
            assert "package" not in group.attrs
    else:

        def attributes(*names):
            return json.loads(out.joinpath(*names, ".zattrs").read_text())

        assert attributes() == {"file_format": "ZSpy", "file_format_version": "3.3"}
        where = ("Experiments", "MoS2 - 80 kV")
        axis, general = attributes(*where, "axis-2"), attributes(*where, "metadata", "General")
        energy = attributes(*where, "metadata", "Acquisition_instrument", "TEM")["beam_energy"]
        assert "package" not in attributes(*where)
        array = json.loads(out.joinpath(*where, "data", ".zarray").read_text())
        assert array["dimension_separator"] == "/"
        assert array["compressor"]["cname"] == "zstd"
    assert axis == {
        "_type": "UniformDataAxis",
        "name": "ky",
        "units": "1/Å",
        "navigate": False,
        "is_binned": False,
        "size": 16,
        "scale": 0.1,
        "offset": pytest.approx(-0.8),
    }
    assert general == {"title": "MoS2 / 80 kV", "author": "Å. Ångström"}
    assert energy == 80.0


@BOTH
def test_metadata_of_every_kind_come_back(tmp_path, suffix):
    content = {
        "none": None,
        "flags": [True, False],
        "whole": [1, 2, 2**40],
        "broken": [0.5, math.inf],
        "names": ["a", "é", ""],
        "mixed": [1, "a", None, [2.5, []], {"b": 1}],
        "nothing": [],
        "node": {"inner": {}},
        "array": np.arange(6.0).reshape(2, 3),
        "empty array": np.zeros((0, 3)),
        "large": np.arange(10_000),
        "text array": np.array(["x", "éé"]),
        "complex": 1 - 2j,
        "raw": b"a\x00b",
        "counts/s": {"per/second": 3, "a.b": 1, "trailing ": {"c": 1}, ".hidden": {"d": 2}},
        "_list_of_names": {"_tuple_x": [1]},
        "100%": {"%2F": 1},
        "": 4,
        "long": "y" * 200_000,
        "big": 2**62,
        "nan": [math.inf, -math.inf],
    }
    s = l4.Signal2D(np.zeros((4, 4)), original_metadata=content)
    s.save(tmp_path / f"a.{suffix}")
    found = described(tmp_path / f"a.{suffix}").original_metadata
    assert plain_tree(found) == plain_tree(content)
    assert found["array"].dtype == np.float64
    assert found["text array"].dtype.kind == "U"


@BOTH
def test_places_of_chosen_positions_come_back(tmp_path, signal, suffix):
    chosen = signal.inav[np.eye(6, 10, dtype=bool)]
    chosen.save(tmp_path / f"a.{suffix}")
    axes = described(tmp_path / f"a.{suffix}").metadata["lazy4d"]["axes"]
    names = [place[0] for place in axes[0]["coordinates"]]
    assert sorted(names) == ["x", "y"]
    for name, _, values in axes[0]["coordinates"]:
        assert np.allclose(values, 1.2 * np.arange(6)), name


@BOTH
def test_the_beam_energy_of_the_axes_is_told(tmp_path, scan, suffix):
    s = l4.Diffraction2D(scan)
    s.axes_manager.beam_energy = 200
    s.save(tmp_path / f"a.{suffix}")
    assert described(tmp_path / f"a.{suffix}").metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 200.0


# ---- frames that are missing


@BOTH
@pytest.mark.parametrize("policy", ["nan", "zero"])
def test_validity_is_kept(tmp_path, npy, scan, suffix, policy, scheduler):
    os.truncate(npy, npy.stat().st_size - 3 * FRAME - 5)
    out = tmp_path / f"a.{suffix}"
    load_quietly(npy, incomplete=policy, chunks=2).save(out)
    found = described(out)
    assert found.incomplete == policy
    assert np.flatnonzero(~found.valid.ravel()).tolist() == [56, 57, 58, 59]
    assert "valid" not in found.metadata["lazy4d"]
    expected = scan.copy()
    expected[5, 6:] = 0
    assert np.array_equal(pixels_of(out), expected)


@BOTH
def test_steps_do_not_make_something_of_missing_frames(tmp_path, npy, scan, suffix):
    os.truncate(npy, npy.stat().st_size - 3 * FRAME)
    s = load_quietly(npy, incomplete="zero").map_frames(_plus_one, shape=(16, 12), dtype="u2")
    s.save(tmp_path / f"a.{suffix}")
    found = pixels_of(tmp_path / f"a.{suffix}")
    assert not found[5, 7:].any()
    assert np.array_equal(found[:5], scan[:5] + 1)


def _plus_one(frames, out):
    out[...] = frames + 1


@BOTH
def test_whole_data_leave_no_record_of_validity(tmp_path, npy, suffix):
    l4.load(npy, incomplete="nan").save(tmp_path / f"a.{suffix}")
    found = described(tmp_path / f"a.{suffix}")
    assert found.valid is None
    assert not list((tmp_path / "a.zspy").rglob("valid"))


# ---- in the way, interrupted


@BOTH
def test_nothing_is_replaced_unasked(tmp_path, npy, suffix):
    out = tmp_path / f"a.{suffix}"
    l4.load(npy).save(out)
    with pytest.raises(FileExistsError, match=r"is there already, expected nothing. Pass overwrite=True to replace it"):
        l4.load(npy).save(out)
    l4.load(npy).inav[:3, :2].save(out, overwrite=True)
    assert pixels_of(out).shape == (2, 3, 16, 12)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a.{suffix}", "scan.npy"]


class PowerCut(Exception):
    """What interrupts a save here."""


@pytest.fixture
def cut(monkeypatch):
    """Let a save fail when the ninth chunk is full."""
    finish, count = BlockChunks._finish, [0]

    def failing(self, chunk, pixels):
        count[0] += 1
        if count[0] == 9:
            raise PowerCut("while the ninth chunk is written")
        finish(self, chunk, pixels)

    monkeypatch.setattr(BlockChunks, "_finish", failing)


@BOTH
def test_an_interrupted_save_leaves_the_old_file(tmp_path, npy, scan, suffix, cut):
    out = tmp_path / f"a.{suffix}"
    l4.load(npy).inav[:4, :2].save(out)  # two chunks
    with pytest.raises(PowerCut, match="ninth"):
        l4.load(npy, chunks=1).save(out, overwrite=True)
    assert np.array_equal(pixels_of(out), scan[:2, :4])


def test_an_interrupted_hspy_leaves_nothing(tmp_path, npy, cut):
    with pytest.raises(PowerCut, match="ninth"):
        l4.load(npy, chunks=1).save(tmp_path / "a.hspy")
    assert [p.name for p in tmp_path.iterdir()] == ["scan.npy"]
    assert not write_hspy._open


def test_an_interrupted_save_on_a_cluster_leaves_nothing(tmp_path, npy, scheduler, monkeypatch):
    def failing(self, *_):
        raise PowerCut("at once")

    monkeypatch.setattr(write_hspy.HspyFile, "put_packed", failing)
    with pytest.raises(PowerCut, match="at once"):
        l4.load(npy, chunks=1).save(tmp_path / "a.hspy")
    assert [p.name for p in tmp_path.iterdir()] == ["scan.npy"]


def test_what_a_killed_process_left_is_replaced(tmp_path, npy, scan):
    (tmp_path / "a.hspy.partial").write_bytes(b"half a file")
    l4.load(npy).save(tmp_path / "a.hspy")
    assert np.array_equal(pixels_of(tmp_path / "a.hspy"), scan)
    assert not (tmp_path / "a.hspy.partial").exists()


def test_hspy_cannot_be_taken_up(tmp_path, npy):
    with pytest.raises(ValueError, match=r"save as \.zarr or \.zspy, which can go on with resume=True"):
        l4.load(npy).save(tmp_path / "a.hspy", resume=True)


@BOTH
def test_folders_are_never_deleted(tmp_path, npy, suffix):
    out = tmp_path / f"a.{suffix}"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"a folder .*is there"):
            l4.load(npy).save(out, overwrite=overwrite)
    assert (out / "thesis.tex").read_text() == "years of work"


@BOTH
def test_wrong_arguments_leave_the_old_file(tmp_path, npy, scan, suffix):
    out = tmp_path / f"a.{suffix}"
    l4.load(npy).save(out)
    with pytest.raises(ValueError, match="codec='bzip2' is not known"):
        l4.load(npy).save(out, overwrite=True, codec="bzip2")
    with pytest.raises(ValueError, match=r"cannot save to the URL 's3://bucket/a"):
        l4.load(npy).save(f"s3://bucket/a.{suffix}")
    with pytest.raises(ValueError, match=r"a single number has no axes.*save it as \.zarr"):
        l4.Signal2D(np.ones((4, 4))).sum().save(tmp_path / f"b.{suffix}")
    deep: dict = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises((ValueError, RecursionError), match=r"nested deeper|recursion"):
        l4.Signal2D(np.ones((4, 4)), original_metadata=deep).save(out, overwrite=True)
    assert np.array_equal(pixels_of(out), scan)
    assert len(list(tmp_path.iterdir())) == 2


@BOTH
def test_blocks_with_parts_of_chunks_are_refused(tmp_path, npy, suffix):
    frames = l4.load(npy, chunks=2).frames
    layout, _ = saving_layout(frames)
    target = write_hspy.HspyTarget("x", layout, None, np.zeros(layout.n_shards, bool), False, True)
    with pytest.raises(ChunkError, match="does not hold whole chunks"):
        BlockChunks(target, (slice(0, 1), slice(0, 3)), None)


def saving_layout(frames):
    from lazy4d.io.hyperspy.chunks import plan_chunks

    return plan_chunks(frames)


@BOTH
def test_paths_with_spaces_and_letters(tmp_path, npy, scan, suffix):
    folder = tmp_path / "mein Ordner ü 漢"
    folder.mkdir()
    l4.load(npy).save(folder / f"größe 1.{suffix}")
    assert np.array_equal(pixels_of(folder / f"größe 1.{suffix}"), scan)


@BOTH
def test_titles_that_are_no_file_names(tmp_path, scan, suffix):
    for number, title in enumerate(["..", "a/b\\c:d*?", "", " x. ", "\0", "é" * 300]):
        s = l4.Diffraction2D(scan, title=title)
        s.save(tmp_path / f"{number}.{suffix}")
        assert described(tmp_path / f"{number}.{suffix}").title == title.replace("\0", "␀")
