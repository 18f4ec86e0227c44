"""Saves that are interrupted, taken up, in the way of other data or damaged afterwards: nothing is lost quietly."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning, TruncatedFileError
from lazy4d.io.rawblock import RawBlock
from lazy4d.io.zarr_store import READER
from lazy4d.io.zarr_store.shards import ShardWriter
from lazy4d.lazy.options import set_options

FRAME = 16 * 12 * 2


@pytest.fixture(autouse=True)
def quiet():
    with set_options(progress=False), dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def scan() -> np.ndarray:
    return np.random.default_rng(5).poisson(3, (6, 10, 16, 12)).astype(np.uint16)


@pytest.fixture
def npy(tmp_path, scan) -> Path:
    np.save(tmp_path / "scan.npy", scan)
    return tmp_path / "scan.npy"


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out.zarr"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch) -> None:
    """Inner chunks of four frames: shards of two rows have six, the last of each row half padding."""
    monkeypatch.setattr("lazy4d.io.zarr_store.layout.CHUNK_BYTES", 4 * FRAME)


class PowerCut(Exception):
    """What interrupts a save here."""


@pytest.fixture
def interrupt(monkeypatch):
    """Save a signal in three shards, with the power cut while the second one is written; gives the rows that are done.

    Which shard comes first is the scheduler's choice.
    """

    def interrupted(signal, path, **options) -> slice:
        write, count = ShardWriter.write, [0]

        def failing(self, chunk, packed):
            count[0] += 1
            if count[0] == 9:
                raise PowerCut("while the ninth chunk is written")
            return write(self, chunk, packed)

        with monkeypatch.context() as patch:
            patch.setattr(ShardWriter, "write", failing)
            with pytest.raises(PowerCut, match="ninth chunk"):
                signal.save(path, **options)
        first = 2 * int(shards(path)[0].split(".")[1])
        return slice(first, first + 2)

    return interrupted


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """Numbers of frames read from the raw file, tile by tile."""
    seen: list[int] = []
    read = RawBlock.read

    def counting(self, start, stop, *rest):
        seen.append(stop - start)
        read(self, start, stop, *rest)

    monkeypatch.setattr(RawBlock, "read", counting)
    return seen


def load_quietly(path, **options) -> l4.BaseSignal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Lazy4DWarning)
        return l4.load(path, **options)


def shards(path) -> list[str]:
    return sorted(p.name for p in (path / "data").iterdir() if p.name != "zarr.json")


# ---- interrupted


def test_an_interrupted_save_is_refused_by_name(npy, out, interrupt) -> None:
    rows = interrupt(l4.load(npy, chunks=2), out)
    assert shards(out) == [f"c.{rows.start // 2}.0.0.0"]  # nothing half written stays
    a, b = (k for k in (0, 1, 2) if k != rows.start // 2)
    with pytest.raises(
        FormatError,
        match=rf"interrupted: 2 of 3 shards are missing: c\.{a}\.0\.0\.0 of positions \[{2 * a}:{2 * a + 2}, 0:10\], "
        rf"c\.{b}\.0\.0\.0 .* resume=True",
    ):
        l4.load(out)


@pytest.mark.parametrize("policy", ["nan", "zero"])
def test_what_is_there_can_be_loaded(npy, out, scan, interrupt, policy) -> None:
    rows = interrupt(l4.load(npy, chunks=2), out)
    with pytest.warns(Lazy4DWarning, match="2 of 3 shards are missing"):
        s = l4.load(out, incomplete=policy)
    expected = np.zeros((6, 10), bool)
    expected[rows] = True
    assert np.array_equal(s.valid.compute().data, expected)
    assert np.array_equal(s.data.compute(), np.where(expected[..., None, None], scan, 0))
    total = s.get_virtual_image(l4.CircleROI(6, 8, 4)).compute().data
    assert np.isnan(total[~expected]).all() if policy == "nan" else not total[~expected].any()


def test_a_save_goes_on_where_it_stopped(npy, out, scan, interrupt, reads) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    before = (out / "data" / shards(out)[0]).stat()
    reads.clear()
    l4.load(npy, chunks=3).save(out, resume=True)  # other blocks: the shards of the first save count
    assert sum(reads) == 40
    assert before.st_mtime_ns in [(out / "data" / name).stat().st_mtime_ns for name in shards(out)]
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_progress_starts_where_the_save_stopped(npy, out, interrupt) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    seen = []
    l4.load(npy).save(out, resume=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (20 * FRAME, 60 * FRAME)
    assert seen[-1] == (60 * FRAME, 60 * FRAME)


def test_a_whole_store_is_not_written_again(npy, out, scan, reads) -> None:
    l4.load(npy).save(out, resume=True)
    reads.clear()
    s = l4.load(npy)
    s.metadata.General.title = "edited"
    s.save(out, resume=True)
    assert not reads
    assert l4.load(out).title == "edited"
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_results_in_memory_can_be_taken_up(scan, out, interrupt) -> None:
    interrupt(l4.Diffraction2D(scan).rechunk((2, 10)), out)
    l4.Diffraction2D(scan.copy()).save(out, resume=True)
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_a_shard_cut_short_is_written_again(npy, out, scan, interrupt) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    first = out / "data" / shards(out)[0]
    os.truncate(first, first.stat().st_size - 9)
    l4.load(npy, chunks=2).save(out, resume=True)
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_a_save_of_other_frames_is_not_taken_up(npy, out, scan, interrupt) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    other = l4.load(npy).isig[:, ::-1]
    with pytest.raises(FileExistsError, match=r"found one of other frames .* Pass overwrite=True to start anew"):
        other.save(out, resume=True)
    other.save(out, resume=True, overwrite=True)
    assert np.array_equal(l4.load(out).compute().data, scan[:, :, ::-1])


def test_validity_is_kept_when_a_save_goes_on(npy, out, interrupt) -> None:
    os.truncate(npy, npy.stat().st_size - 3 * FRAME)
    interrupt(load_quietly(npy, incomplete="nan", chunks=2), out)
    load_quietly(npy, incomplete="nan", chunks=2).save(out, resume=True)
    valid = load_quietly(out).valid.compute().data
    assert np.flatnonzero(~valid.ravel()).tolist() == [57, 58, 59]


def test_several_shards_a_block(scan, out, interrupt) -> None:
    """Irregular blocks of a dask array stay as they are; each holds several shards, some of which may be there."""
    array = dask.array.from_array(scan, ((1, 5), 10, 16, 12), name="scan")
    s = l4.Diffraction2D(array)
    interrupt(s, out)
    assert 0 < len(shards(out)) < 6
    s.save(out, resume=True)
    assert len(shards(out)) == 6
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_what_a_killed_process_leaves_is_cleared(npy, out, interrupt) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    left = out / "data" / ".c.1.0.0.0.0123.partial"
    left.write_bytes(b"half a shard")
    l4.load(npy, chunks=2).save(out, resume=True)
    assert not left.exists()
    assert sorted(p.name for p in out.iterdir()) == ["data", "navigator", "zarr.json"]


def test_a_save_that_stopped_before_its_array_was_laid_out(npy, out, scan, interrupt) -> None:
    interrupt(l4.load(npy, chunks=2), out)
    shutil.rmtree(out / "data")
    l4.load(npy).save(out, resume=True)
    assert np.array_equal(l4.load(out).compute().data, scan)


# ---- what is in the way


def test_nothing_is_replaced_unasked(npy, out) -> None:
    l4.load(npy).save(out)
    with pytest.raises(FileExistsError, match=r"a store of lazy4d is there already.*overwrite=True.*resume=True"):
        l4.load(npy).save(out)


def test_a_store_is_replaced_when_asked(npy, out, scan) -> None:
    l4.load(npy, chunks=1).save(out)
    l4.load(npy).inav[:4, :3].save(out, overwrite=True)
    assert np.array_equal(l4.load(out).compute().data, scan[:3, :4])
    assert len(shards(out)) <= 3


def test_the_store_that_is_read_is_never_replaced(npy, out, scan) -> None:
    l4.load(npy).save(out)
    s = l4.load(out)
    for result in (s, s.rebin(scale=(1, 1, 2, 2)), s.sum(), s + s):
        with pytest.raises(ValueError, match="the frames are read from this very store"):
            result.save(out, overwrite=True)
    assert np.array_equal(s.compute().data, scan)


@pytest.mark.parametrize("resume", [False, True])
def test_folders_that_are_no_stores_are_never_deleted(npy, out, resume) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="a folder that is no Zarr store is there"):
            l4.load(npy).save(out, overwrite=overwrite, resume=resume)
    assert (out / "thesis.tex").read_text() == "years of work"


def test_files_and_other_stores_are_replaced_when_asked(npy, out, scan) -> None:
    out.write_text("a file")
    with pytest.raises(FileExistsError, match="a file is there already"):
        l4.load(npy).save(out)
    l4.load(npy).save(out, overwrite=True)
    (out / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    with pytest.raises(FileExistsError, match="a Zarr store is there already"):
        l4.load(npy).save(out, resume=True)
    l4.load(npy).save(out, overwrite=True)
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_an_empty_folder_is_no_obstacle(npy, out, scan) -> None:
    out.mkdir()
    l4.load(npy).save(out)
    assert np.array_equal(l4.load(out).compute().data, scan)


def test_wrong_arguments_leave_the_old_store(npy, out, scan) -> None:
    l4.load(npy).save(out)
    s = l4.load(npy)
    with pytest.raises(ValueError, match="codec='gzip' is not known"):
        s.save(out, overwrite=True, codec="gzip")
    with pytest.raises(ValueError, match=r"cannot save to the URL 's3://bucket/a\.zarr'"):
        s.save("s3://bucket/a.zarr")
    assert np.array_equal(l4.load(out).compute().data, scan)


# ---- damage


@pytest.fixture
def store(npy, out) -> Path:
    l4.load(npy, chunks=2).save(out)
    return out


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 0x10
    path.write_bytes(content)


def test_a_flipped_bit_is_noticed(store, scan) -> None:
    flip(store / "data" / "c.1.0.0.0", 700)
    s = l4.load(store)
    with pytest.raises(
        FormatError,
        match=r"c\.1\.0\.0\.0: chunk \d, \d+ bytes at byte \d+, is damaged: its checksum .* at position \(2, \d\) "
        r"\(numpy order\) of the shard of positions \[2:4, 0:10\]",
    ):
        s.sum().compute()
    assert np.array_equal(s.inav[:, :2].compute().data, scan[:2])
    t = l4.load(store, incomplete="nan")
    with pytest.warns(Lazy4DWarning, match="frames read are damaged or missing"):
        valid = t.valid.compute().data
    assert 1 <= np.count_nonzero(~valid) <= 4
    assert not valid[2].all()
    assert np.array_equal(t.data.compute()[valid], scan[valid])
    assert not t.data.compute()[~valid].any()


@pytest.mark.parametrize("codec", ["zstd", "lz4", "none"])
def test_no_flipped_bit_is_read_quietly(npy, out, scan, codec) -> None:
    l4.load(npy, chunks=6).save(out, codec=codec)
    path = out / "data" / "c.0.0.0.0"
    whole = path.read_bytes()
    for byte in np.random.default_rng(1).integers(0, len(whole), 40).tolist():
        path.write_bytes(whole)
        flip(path, byte)
        with pytest.raises((FormatError, TruncatedFileError), match=r"checksum|cut short"):
            l4.load(out).compute()
    path.write_bytes(whole)
    assert np.array_equal(l4.load(out).compute().data, scan)


@pytest.mark.parametrize("left", [0, 3, 50, 500])
@pytest.mark.parametrize("shard", ["c.0.0.0.0", "c.1.0.0.0"])
def test_a_shard_that_is_cut_short(store, scan, shard, left) -> None:
    os.truncate(store / "data" / shard, left)
    with pytest.raises((FormatError, TruncatedFileError), match=rf"{shard}: .*(cut short|damaged)"):
        l4.load(store).compute()
    t = l4.load(store, incomplete="zero")
    first = 2 * int(shard[2])
    with pytest.warns(Lazy4DWarning, match="20 of the 60 frames read are damaged or missing"):
        valid = t.valid.compute().data
    assert not valid[first : first + 2].any()
    assert np.array_equal(t.compute().data[valid], scan[valid])


def test_a_shard_that_is_gone(store, scan) -> None:
    s = l4.load(store)
    (store / "data" / "c.1.0.0.0").unlink()
    with pytest.raises(FormatError, match=r"c\.1\.0\.0\.0: this shard was there when the store was loaded and is gone"):
        s.compute()
    with pytest.raises(TruncatedFileError, match=r"1 of 3 shards are missing: c\.1\.0\.0\.0 .* removed since, or not"):
        l4.load(store)
    assert load_quietly(store, incomplete="crop").nav_shape == (2, 10)


def test_a_store_that_is_written_anew_is_noticed(store, npy) -> None:
    s = l4.load(store)
    os.utime(store / "zarr.json", ns=(0, 0))
    with pytest.raises(FormatError, match="was written to since it was loaded"):
        s.sum().compute()


def test_damaged_validity(npy, out) -> None:
    os.truncate(npy, npy.stat().st_size - 3 * FRAME)
    load_quietly(npy, incomplete="nan", chunks=2).save(out)
    flip(out / "valid" / "c.2.0", 0)
    with pytest.raises(FormatError, match=r"c\.2\.0: the file is damaged: its checksum"):
        load_quietly(out).compute()
    (out / "valid" / "c.2.0").unlink()
    with pytest.raises(FormatError, match=r"c\.2\.0: expected this file, which says which frames"):
        load_quietly(out).compute()
    assert np.count_nonzero(load_quietly(out, incomplete="nan").valid.compute().data) == 40


# ---- documents


def edit(path: Path, *keys, value) -> None:
    document = json.loads(path.read_text())
    node = document
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    path.write_text(json.dumps(document))


OWN = ("attributes", "lazy4d")
SHARDS = ("codecs", 0, "configuration")
EDITS = [
    ("zarr.json", (*OWN, "format_version"), 2, "a store of format version 2, this lazy4d reads version 1"),
    ("zarr.json", (*OWN, "complete"), "yes", "expected 'complete' of lazy4d to be of type bool, found 'yes'"),
    ("zarr.json", (*OWN, "axes", 0, "scale"), 0, "expected a finite scale of axis 'y', found 0"),
    ("zarr.json", (*OWN, "axes", 0, "size"), 7, r"expected the shape of the axes, \(7, 10, 16, 12\), found"),
    ("zarr.json", (*OWN, "axes", 0, "navigate"), False, "expected navigation axes before signal axes"),
    ("zarr.json", (*OWN, "history"), [{"op": "x"}], "expected a history of objects with"),
    ("zarr.json", (*OWN, "metadata"), {"a": {"__lazy4d__": "spam"}}, "'metadata' of lazy4d cannot be read"),
    ("zarr.json", (*OWN, "incomplete"), "maybe", "expected incomplete to be one of"),
    ("data/zarr.json", ("data_type",), "uint128", "pixels of type 'uint128', expected one of bool"),
    ("data/zarr.json", ("shape",), [6, 10, -16, 12], "expected 'shape' of the array to be some positive numbers"),
    ("data/zarr.json", (*SHARDS, "chunk_shape"), [1, 4, 8, 12], "inner chunks of .* expected chunks that are runs"),
    ("data/zarr.json", (*SHARDS, "chunk_shape"), [1, 5, 16, 12], "inner chunks of .* expected chunks that are runs"),
    ("data/zarr.json", (*SHARDS, "index_location"), "start", "encoded otherwise than lazy4d does it"),
    ("data/zarr.json", (*SHARDS, "codecs"), [{"name": "gzip"}], "encoded otherwise than lazy4d does it"),
    ("data/zarr.json", ("codecs",), [{"name": "bytes"}], "expected 'sharding_indexed', found"),
    ("data/zarr.json", ("chunk_grid", "name"), "rectilinear", "expected 'regular', found"),
]


@pytest.mark.parametrize(("file", "keys", "value", "match"), EDITS, ids=lambda v: str(v)[:30])
def test_edited_documents(store, file, keys, value, match) -> None:
    edit(store / file, *keys, value=value)
    with pytest.raises(Lazy4DError, match=match):
        l4.load(store)


def test_half_a_document(store) -> None:
    for name in ("data/zarr.json", "zarr.json"):
        text = (store / name).read_bytes()
        (store / name).write_bytes(text[: len(text) // 2])
        with pytest.raises(FormatError, match=r"zarr\.json: expected JSON, found text that is cut short or damaged"):
            l4.load(store)


def test_a_missing_document(store) -> None:
    (store / "data" / "zarr.json").unlink()
    with pytest.raises(FormatError, match="expected this file of a Zarr store, it is not there"):
        l4.load(store)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(node, at=()):
    yield at
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _places(value, (*at, key))


@settings(deadline=None, max_examples=150)
@given(data=st.data(), name=st.sampled_from(["zarr.json", "data/zarr.json"]))
def test_documents_of_any_content_load_or_are_lazy4d_errors(tmp_path_factory, data, name) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed.zarr"
    if not folder.exists():
        frames = np.arange(6 * 4 * 4, dtype="u2").reshape(2, 3, 4, 4)
        l4.Diffraction2D(frames, title="fuzz").save(folder)
    path = folder / name
    original = path.read_bytes()
    document = json.loads(original)
    place = data.draw(st.sampled_from([p for p in _places(document) if p]))
    node = document
    for key in place[:-1]:
        node = node[key]
    if data.draw(st.booleans()):
        del node[place[-1]]
    else:
        node[place[-1]] = data.draw(json_values)
    try:
        path.write_text(json.dumps(document))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                READER.read(folder, incomplete=data.draw(st.sampled_from(["raise", "nan"])))
        except Lazy4DError as error:
            assert str(folder) in str(error)  # noqa: PT017
    finally:
        path.write_bytes(original)


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=60), name=st.sampled_from(["zarr.json", "data/zarr.json"]))
def test_documents_of_any_bytes(tmp_path_factory, content, name) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes.zarr"
    if not folder.exists():
        l4.Diffraction2D(np.ones((2, 3, 4, 4)), title="fuzz").save(folder)
    original = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(content)
        with pytest.raises(Lazy4DError, match=r"zarr\.json|bytes\.zarr"):
            READER.read(folder)
    finally:
        (folder / name).write_bytes(original)


def test_audit_checks_every_shard(tmp_path):
    import lazy4d as l4

    data = np.random.default_rng(0).poisson(3, (6, 4, 8, 8)).astype("u2")
    signal = l4.Diffraction2D(data).rechunk((2, 4))
    signal.save(tmp_path / "scan.zarr")
    assert l4.load(tmp_path / "scan.zarr").audit().ok
    shards = sorted((tmp_path / "scan.zarr" / "data").glob("c.*"))
    broken = bytearray(shards[1].read_bytes())
    broken[5] ^= 0xFF
    shards[1].write_bytes(broken)
    report = l4.load(tmp_path / "scan.zarr").audit()
    assert report.corrupt == tuple(range(8, 16))
    assert "corrupt chunks: 8" in str(report)
