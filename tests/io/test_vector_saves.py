"""Saves of vectors that are interrupted, taken up, refused; and what may be replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import FormatError
from lazy4d.io.vectors.parts import PartFile, is_whole, write_part
from tests.io import vector_files
from tests.io.vector_files import LOG, STOP_AT, ragged, same, save_logged, vectors


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    return tmp_path / "log"


def lines(log: Path) -> int:
    return len(log.read_text().splitlines())


@pytest.fixture(params=[".zarr", ".h5", ".parquet"])
def interrupted(request: pytest.FixtureRequest, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose save failed at the third of six blocks."""
    path = tmp_path / f"v{request.param}"
    with monkeypatch.context() as during:
        during.setenv(STOP_AT, "fail 3")
        with pytest.raises(RuntimeError, match="the power failed") as raised:
            save_logged(str(path))
    assert "resume=True" in raised.value.__notes__[0]
    return path


def test_an_interrupted_save_goes_on(interrupted: Path, log: Path) -> None:
    assert not interrupted.exists()
    save_logged(str(interrupted), resume=True)
    assert lines(log) == 3 + 4  # the block that failed, and those that were never begun
    assert same(l4.load(interrupted).compute().ragged, vectors((6, 3)).ragged)
    assert not Path(f"{interrupted}.partial").exists()


def test_an_interrupted_save_is_refused_by_name(interrupted: Path) -> None:
    for path in (interrupted, f"{interrupted}.partial"):
        with pytest.raises(FormatError, match=rf"{interrupted.name}: the save of this file was interrupted: 2 of 6 bl"):
            l4.load(path)


def test_an_interrupted_save_is_not_touched_without_being_asked(interrupted: Path) -> None:
    with pytest.raises(FileExistsError, match=r"an interrupted save is there\. Pass resume=True"):
        save_logged(str(interrupted))
    other = vectors((6, 3), chunks=(2, 3))
    with pytest.raises(FileExistsError, match="expected an interrupted save of the same vectors"):
        other.save(interrupted, resume=True)
    other.save(interrupted, overwrite=True)
    assert same(l4.load(interrupted).compute().ragged, other.compute().ragged)
    assert not Path(f"{interrupted}.partial").exists()


def test_a_part_that_was_damaged_is_computed_again(interrupted: Path, log: Path) -> None:
    parts = sorted(Path(f"{interrupted}.partial").glob("part-*"))
    assert len(parts) == 2
    content = bytearray(parts[0].read_bytes())
    content[-1] ^= 1
    parts[0].write_bytes(content)
    parts[1].write_bytes(parts[1].read_bytes()[:-8])
    save_logged(str(interrupted), resume=True)
    assert lines(log) == 3 + 6
    assert same(l4.load(interrupted).compute().ragged, vectors((6, 3)).ragged)


@pytest.mark.slow
def test_a_save_whose_process_was_killed_goes_on_in_another(tmp_path: Path, log: Path) -> None:
    path = tmp_path / "v.zarr"
    code = f"from tests.io.vector_files import save_logged; save_logged({str(path)!r})"
    environment = {**os.environ, STOP_AT: "kill 4"}
    root = Path(vector_files.__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True)
    assert ended.returncode == 9, ended.stderr
    with pytest.raises(FormatError, match="3 of 6 blocks"):
        l4.load(path)
    save_logged(str(path), resume=True)
    assert lines(log) == 4 + 3
    assert same(l4.load(path).compute().ragged, vectors((6, 3)).ragged)


def test_a_failure_while_parts_are_brought_together_keeps_them(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lazy4d.io.vectors import zarr_file

    path = tmp_path / "v.zarr"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(zarr_file, "write", full)
        with pytest.raises(OSError, match="No space left"):
            save_logged(str(path))
    assert not path.exists()
    save_logged(str(path), resume=True)
    assert lines(log) == 6
    assert same(l4.load(path).compute().ragged, vectors((6, 3)).ragged)


def test_progress_of_a_resumed_save_counts_what_is_there(
    d: l4.Diffraction2D, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lazy4d.signals.vectors.diffraction_vectors import vectors_of
    from tests.io.test_vector_files import brightest

    options: dict[str, Any] = {"capacity": 1, "columns": {"ky": "f8", "kx": "f8"}, "op": "b", "options": {}}
    found = vectors_of(d.rechunk((1, -1)), brightest, (), **options)._map(vector_files.logged, op="log", options={})
    monkeypatch.setenv(STOP_AT, "fail 3")
    # One block after the other: of two at a time, both may see the lines of both and none the third.
    with dask.config.set(scheduler="synchronous"), pytest.raises(RuntimeError, match="the power failed"):
        found.save(tmp_path / "v.h5", progress=False)
    monkeypatch.setenv(STOP_AT, "")
    seen: list[tuple[int, int]] = []
    found.save(tmp_path / "v.h5", resume=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[0][0] > 0
    assert seen[-1][0] == seen[-1][1] == d.nbytes


def test_what_is_complete_is_not_written_again(tmp_path: Path, log: Path) -> None:
    path = tmp_path / "v.zarr"
    save_logged(str(path), resume=True)
    save_logged(str(path), resume=True)
    assert lines(log) == 6


def test_vectors_in_memory_leave_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lazy4d.io.vectors import hdf5_file

    monkeypatch.setattr(hdf5_file, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        vectors().save(tmp_path / "v.h5")
    assert os.listdir(tmp_path) == []


# ---- what is in the way


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".parquet"])
def test_what_is_there_is_replaced_only_when_asked_and_only_in_the_end(
    tmp_path: Path, log: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"v{suffix}"
    first = vectors(seed=1)
    first.save(path)
    with pytest.raises(FileExistsError, match=r"is there already, expected nothing\. Pass overwrite=True"):
        vectors().save(path)
    monkeypatch.setenv(STOP_AT, "fail 3")
    with pytest.raises(RuntimeError, match="the power failed"):
        save_logged(str(path), overwrite=True)
    assert same(l4.load(path).compute().ragged, first.ragged)  # untouched until the new one is whole
    monkeypatch.setenv(STOP_AT, "")
    save_logged(str(path), overwrite=True, resume=True)
    assert same(l4.load(path).compute().ragged, vectors((6, 3)).ragged)
    assert lines(log) == 3 + 4


def test_folders_of_others_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "v.zarr").mkdir()
    (tmp_path / "v.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="such folders are never replaced"):
        vectors().save(tmp_path / "v.zarr", overwrite=True)
    (tmp_path / "v.h5.partial").mkdir()
    (tmp_path / "v.h5.partial" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="expected nothing where the parts of"):
        vectors().save(tmp_path / "v.h5", overwrite=True)


def test_vectors_do_not_replace_the_file_they_are_computed_from(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    vectors().save(path)
    found = l4.load(path)
    with pytest.raises(ValueError, match="computed from this very file"):
        found.save(path, overwrite=True)
    found.compute().save(path, overwrite=True)
    with pytest.raises(FormatError, match=r"was written to|grew"):
        found.compute()
    array = np.ones((2, 2, 4, 4), "u2")
    l4.Diffraction2D(array).save(tmp_path / "scan.zarr", progress=False)
    assert isinstance(l4.load(tmp_path / "scan.zarr"), l4.Diffraction2D)


@pytest.mark.parametrize(
    ("name", "options", "error", "told"),
    [
        ("v.txt", {}, ValueError, "no writer for the suffix '.txt'; use one of .zarr, .h5"),
        ("v.csv", {}, ValueError, "a table as text is written by"),
        ("v.h5", {"codec": "zstd"}, ValueError, "packed by 'none', 'gzip' or 'lzf'"),
        ("v.zarr", {"codec": "rar"}, ValueError, "codec='rar' is not known"),
        ("v.parquet", {"codec": 3}, ValueError, "packed by one of snappy"),
        ("v.zarr", {"compression": 1}, TypeError, "takes the options overwrite, resume, codec, progress, found"),
        ("s3://bucket/v.zarr", {}, ValueError, "cannot save to the URL"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_written(
    tmp_path: Path, name: str, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        vectors(chunks=(1, 5)).save(name if "//" in name else tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


def test_a_column_that_a_table_adds_is_refused(tmp_path: Path) -> None:
    v = vectors()._map(with_clash, op="clash", options={})
    with pytest.raises(ValueError, match=r"columns \['ky_calibrated'\] of its own"):
        v.save(tmp_path / "v.parquet")


def with_clash(entries: Any) -> Any:
    return entries.with_columns(ky_calibrated=entries["ky"])


# ---- parts


def test_a_part_is_whole_or_not_there(tmp_path: Path) -> None:
    data, path = ragged(7), str(tmp_path / "part")
    valid = np.arange(7) != 2
    write_part(path, data, valid)
    part = PartFile(path)
    assert same(part.ragged, data)
    assert np.array_equal(part.valid, valid)
    assert is_whole(path, 7, data.dtypes, True)
    assert not is_whole(path, 6, data.dtypes, True)
    assert not is_whole(path, 7, data.dtypes, False)
    assert not is_whole(path, 7, {**data.dtypes, "ky": np.dtype("f4")}, True)
    whole = Path(path).read_bytes()
    for k in range(0, len(whole), 11):
        Path(path).write_bytes(whole[:k])
        assert not is_whole(path, 7, data.dtypes, True)
    assert os.listdir(tmp_path) == ["part"]
