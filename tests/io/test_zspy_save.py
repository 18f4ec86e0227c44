"""Saves to .zspy that are interrupted and taken up; what zarr-python 3 finds in the store."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
import zarr

import lazy4d as l4
from lazy4d.errors import Lazy4DWarning
from lazy4d.io.hyperspy import zspy_target
from lazy4d.io.rawblock import RawBlock
from lazy4d.lazy.options import set_options
from tests.io.hyperspy_files import chunks_of, described, pixels_of

FRAME = 16 * 12 * 2


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Chunks of four frames: rows of ten have three chunks, the last one half padding."""
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", 4 * FRAME)
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
    return tmp_path / "out.zspy"


class PowerCut(Exception):
    """What interrupts a save here."""


@pytest.fixture
def interrupt(monkeypatch):
    """Save a signal of 18 chunks, with the power cut while the ninth is written."""

    def interrupted(signal, path, **options) -> None:
        write, count = zspy_target._write, [0]

        def failing(path, content):
            if "valid" not in path.split(os.sep):
                count[0] += 1
            if count[0] == 9:
                raise PowerCut("while the ninth chunk is written")
            write(path, content)

        with monkeypatch.context() as patch:
            patch.setattr(zspy_target, "_write", failing)
            with pytest.raises(PowerCut, match="ninth chunk"):
                signal.save(path, **options)

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


def partial(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


def chunk_files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("data/**/*") if p.is_file()}


def test_an_interrupted_save_is_no_store(npy, out, interrupt):
    interrupt(l4.load(npy, chunks=2), out)
    assert not out.exists()
    assert len(chunk_files(partial(out))) == 8
    assert not list(partial(out).rglob(".z*"))  # no program takes it for a store
    with pytest.raises(FileExistsError, match=r"an interrupted save is there. Pass resume=True to go on"):
        l4.load(npy).save(out)


def test_a_save_goes_on_where_it_stopped(npy, out, scan, interrupt, reads):
    interrupt(l4.load(npy, chunks=2), out)
    before = chunk_files(partial(out))
    reads.clear()
    l4.load(npy, chunks=2).save(out, resume=True)
    assert sum(reads) == 40
    after = {name.partition("data")[2]: time for name, time in chunk_files(out).items()}
    kept = {name.partition("data")[2]: time for name, time in before.items()}
    assert sum(after.get(name) == time for name, time in kept.items()) == 8
    assert np.array_equal(pixels_of(out), scan)
    assert not partial(out).exists()


def test_other_blocks_and_another_codec_keep_the_chunks(npy, out, scan, interrupt, monkeypatch):
    interrupt(l4.load(npy, chunks=2), out)
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", 9 * FRAME)
    l4.load(npy, chunks=3).save(out, resume=True, codec="none")
    assert chunks_of(out) == (1, 4, 16, 12)
    assert np.array_equal(pixels_of(out), scan)


def test_progress_starts_where_the_save_stopped(npy, out, interrupt):
    interrupt(l4.load(npy, chunks=2), out)
    seen = []
    l4.load(npy, chunks=2).save(out, resume=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (20 * FRAME, 60 * FRAME)
    assert seen[-1] == (60 * FRAME, 60 * FRAME)


@pytest.mark.parametrize("left", [0, 5, 40])
@pytest.mark.parametrize("codec", ["zstd", "none"])
def test_chunks_cut_short_are_written_again(npy, out, scan, interrupt, left, codec):
    interrupt(l4.load(npy, chunks=2), out, codec=codec)
    first = next(p for p in sorted(partial(out).rglob("data/**/*")) if p.is_file())
    os.truncate(first, left)
    l4.load(npy, chunks=2).save(out, resume=True)
    assert np.array_equal(pixels_of(out), scan)


def test_a_whole_store_is_not_written_again(npy, out, scan, reads):
    l4.load(npy).save(out)
    before = chunk_files(out)
    reads.clear()
    s = l4.load(npy)
    s.metadata.General.title = "edited"
    s.save(out, resume=True)
    assert not reads
    assert described(out).title == "edited"
    assert sorted(p.name for p in (out / "Experiments").iterdir()) == [".zgroup", "edited"]
    assert sorted(chunk_files(out).values())[:18] == sorted(before.values())[:18]
    assert np.array_equal(pixels_of(out), scan)


def test_a_save_that_stopped_while_it_was_finished(npy, out, scan, monkeypatch, reads):
    def failing(*_):
        raise PowerCut("at the end")

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", failing)
        with pytest.raises(PowerCut, match="end"):
            l4.load(npy).save(out)
    reads.clear()
    l4.load(npy).save(out, resume=True)
    assert not reads
    assert np.array_equal(pixels_of(out), scan)


def test_a_save_of_other_frames_is_not_taken_up(npy, out, scan, interrupt):
    interrupt(l4.load(npy, chunks=2), out)
    other = l4.load(npy).isig[:, ::-1]
    with pytest.raises(FileExistsError, match=r"found one of other frames .* Pass overwrite=True to start anew"):
        other.save(out, resume=True)
    other.save(out, resume=True, overwrite=True)
    assert np.array_equal(pixels_of(out), scan[:, :, ::-1])


def test_starting_anew(npy, out, scan, interrupt, reads):
    interrupt(l4.load(npy, chunks=2), out)
    reads.clear()
    l4.load(npy).save(out, overwrite=True)
    assert sum(reads) == 60
    assert np.array_equal(pixels_of(out), scan)


def test_a_damaged_note_of_the_save(npy, out, scan, interrupt):
    interrupt(l4.load(npy, chunks=2), out)
    note = partial(out) / "lazy4d.json"
    content = json.loads(note.read_text())
    for chunk in (None, [1, 4], [0, 4, 16, 12], [1, 4, 16, 11], ["a"] * 4):
        note.write_text(json.dumps({**content, "chunk": chunk}))
        l4.load(npy).save(out, resume=True, overwrite=True)
        assert np.array_equal(pixels_of(out), scan)
        interrupt(l4.load(npy, chunks=2), out, overwrite=True)
    note.write_text("{")
    with pytest.raises(FileExistsError, match=r"expected an interrupted save or nothing, found something else"):
        l4.load(npy).save(out, resume=True, overwrite=True)


def test_validity_is_kept_when_a_save_goes_on(npy, out, interrupt):
    os.truncate(npy, npy.stat().st_size - 3 * FRAME)
    interrupt(load_quietly(npy, incomplete="nan", chunks=2), out)
    load_quietly(npy, incomplete="nan", chunks=2).save(out, resume=True)
    found = described(out)
    assert np.flatnonzero(~found.valid.ravel()).tolist() == [57, 58, 59]
    load_quietly(npy, incomplete="nan").save(out, resume=True)  # of a whole store
    assert np.flatnonzero(~described(out).valid.ravel()).tolist() == [57, 58, 59]


def test_other_stores_and_files_are_replaced_when_asked(npy, out, scan):
    l4.load(npy).save(out.with_suffix(".zarr"))
    out.with_suffix(".zarr").rename(out)
    with pytest.raises(FileExistsError, match="is there already"):
        l4.load(npy).save(out)
    l4.load(npy).save(out, overwrite=True)
    assert np.array_equal(pixels_of(out), scan)
    out.rename(out.with_name("old.zspy"))
    out.write_text("a file")
    l4.load(npy).save(out, overwrite=True)
    assert np.array_equal(pixels_of(out), scan)


def test_an_empty_folder_is_no_obstacle(npy, out, scan):
    out.mkdir()
    l4.load(npy).save(out)
    assert np.array_equal(pixels_of(out), scan)


def test_another_folder_of_that_name_is_not_touched(npy, out):
    partial(out).mkdir()
    (partial(out) / "thesis.tex").write_text("years of work")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(FileExistsError, match="found something else, which is not deleted"):
            l4.load(npy).save(out, **options)
    assert (partial(out) / "thesis.tex").exists()


@pytest.mark.parametrize("codec", ["zstd", "lz4", "none", {"cname": "zlib", "clevel": 3, "shuffle": "shuffle"}])
def test_zarr_reads_every_codec(npy, out, scan, codec, scheduler):
    l4.load(npy, chunks=2).save(out, codec=codec)
    assert np.array_equal(pixels_of(out), scan)


def test_the_tree_is_one_of_groups_for_zarr(npy, out):
    s = l4.load(npy)
    s.original_metadata.set_item("list", [{"a": np.arange(3)}, "b"])
    s.save(out)
    root = zarr.open_group(str(out), mode="r", zarr_format=2)
    assert dict(root.attrs) == {"file_format": "ZSpy", "file_format_version": "3.3"}
    group = root["Experiments/scan"]
    assert sorted(group) == [
        *("attributes", "axis-0", "axis-1", "axis-2", "axis-3"),
        *("data", "learning_results", "metadata", "original_metadata"),
    ]
    assert group["original_metadata/_list_2_list/0/a"][:].tolist() == [0, 1, 2]
    assert group["original_metadata/_list_2_list"].attrs["1"] == "b"


def test_missing_chunks_after_a_save_are_noticed(npy, out, monkeypatch):
    """As where the workers of a cluster write to disks of their own."""
    monkeypatch.setattr(zspy_target.ZspyTarget, "put", lambda *_: None)
    with pytest.raises(FileNotFoundError, match=r"18 of 18 chunks are not there .* Do all workers of the cluster see"):
        l4.load(npy).save(out)
    assert not out.exists()
