from __future__ import annotations

import os
import time

import numpy as np
import pytest

from lazy4d.data.mib import write_mib, write_mib_series
from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(5).integers(1, 4096, (24, 4, 8), np.uint16)


@pytest.mark.parametrize("per_file", [1, 5, 24])
@pytest.mark.parametrize("io", ["mmap", "read"])
def test_a_series_is_one_scan(tmp_path, frames, read_all, per_file, io) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=per_file, scan_shape=(4, 6))
    for given in (str(tmp_path / "*.mib"), tmp_path / "frame_*.mib", paths, [str(p) for p in paths], tuple(paths)):
        source = read(given, io=io)
        assert source.frames.nav_shape == (4, 6)
        assert source.frames_found == 24
        assert np.array_equal(read_all(source.frames).reshape(frames.shape), frames)
    mask = np.random.default_rng(0).random((4, 6)) < 0.4
    assert np.array_equal(read_all(source.frames.select((mask,))), frames[mask.ravel()])


def test_the_order_is_that_of_the_header_numbers(tmp_path, frames, read_all) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=3, hdr=False)
    for k, path in enumerate(paths):
        path.rename(tmp_path / f"x{8 - k}.mib")
    assert np.array_equal(read_all(read(tmp_path / "x*.mib").frames), frames)
    ignored = read(tmp_path / "x*.mib", frame_numbers="ignore").frames  # then the names decide
    assert np.array_equal(read_all(ignored), frames.reshape(8, 3, 4, 8)[::-1].reshape(24, 4, 8))


def test_numbers_wrap_within_a_series(tmp_path, frames, read_all) -> None:
    numbers = np.arange(999_990, 1_000_014) % 10**6
    write_mib_series(tmp_path, frames, frames_per_file=4, numbers=numbers, hdr=False)
    with pytest.raises(FormatError, match="frame numbers jump"):
        read(tmp_path / "*.mib")  # a few files do not tell a wrap from a gap of nearly a million
    assert np.array_equal(read_all(read(tmp_path / "*.mib", frame_numbers="ignore").frames), frames)


def test_names_must_share_a_stem_and_end_in_digits(tmp_path, frames) -> None:
    write_mib_series(tmp_path, frames, hdr=False)
    for name, message in (
        ("other_1.mib", "other_1.mib: does not belong to the series|frame_.*does not belong"),
        ("frame.mib", "has no number"),
    ):
        write_mib(tmp_path / name, frames[:1], hdr=False)
        with pytest.raises(FormatError, match=message):
            read(tmp_path / "*.mib")
        (tmp_path / name).unlink()


def test_a_file_of_another_geometry_is_named(tmp_path, frames) -> None:
    write_mib_series(tmp_path, frames, hdr=False)
    write_mib(tmp_path / "frame_000025.mib", np.zeros((1, 4, 16), "u2"), numbers=[25], hdr=False)
    with pytest.raises(
        FormatError,
        match=r"frame_000025.mib: does not belong to the series .*expected '00384,01,0008.*found '00384,01,0016",
    ):
        read(tmp_path / "*.mib")


def test_a_missing_file_is_an_error_or_invalid_frames(tmp_path, frames, read_all) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=3, scan_shape=(4, 6))
    paths[2].unlink()
    with pytest.raises(
        FormatError,
        match=r"frame_000004.mib: frame numbers jump after frame_000002.mib, expected number 7, found 10: 3 frames",
    ):
        read(tmp_path / "*.mib")
    source = read(tmp_path / "*.mib", incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [6, 7, 8]
    assert np.array_equal(out.reshape(24, 4, 8)[9:], frames[9:])
    assert read(tmp_path / "*.mib", incomplete="crop").frames.nav_shape == (1, 6)
    assert audit(tmp_path / "*.mib").missing == 3


def test_repeated_numbers_are_refused(tmp_path, frames) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=3, hdr=False)
    paths[2].write_bytes(paths[1].read_bytes())
    with pytest.raises(FormatError, match="frame numbers must follow those of"):
        read(tmp_path / "*.mib", incomplete="nan")


@pytest.mark.parametrize("content", [b"", b"MQ1,00", b"\0" * 2000])
def test_a_damaged_file_of_a_series(tmp_path, frames, read_all, content) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=3, scan_shape=(4, 6))
    paths[4].write_bytes(content)
    with pytest.raises((FormatError, TruncatedFileError), match=r"frame_000005.mib"):
        read(tmp_path / "*.mib")
    source = read(tmp_path / "*.mib", incomplete="zero")
    _, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [12, 13, 14]


def test_a_cut_file_within_a_series(tmp_path, frames, read_all) -> None:
    paths = write_mib_series(tmp_path, frames, frames_per_file=3, scan_shape=(4, 6))
    os.truncate(paths[4], 900)
    with pytest.raises(TruncatedFileError, match=r"frame_000005.mib: the file ends inside frame 2"):
        read(tmp_path / "*.mib")
    _, valid = read_all(read(tmp_path / "*.mib", incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [14]


def test_dropped_frames_inside_a_file_of_a_series(tmp_path, frames, read_all) -> None:
    kept = np.setdiff1d(np.arange(24), [10])
    write_mib_series(tmp_path, frames[kept], frames_per_file=6, numbers=kept + 1, scan_shape=(4, 6))
    with pytest.raises(
        FormatError, match=r"frame_000002.mib: frame numbers jump at record 4, expected number 11, found 12"
    ):
        read(tmp_path / "*.mib")
    out, valid = read_all(read(tmp_path / "*.mib", incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [10]
    assert np.array_equal(out.reshape(24, 4, 8)[kept], frames[kept])


def test_files_in_several_folders(tmp_path, frames, read_all) -> None:
    paths = []
    for k in range(3):
        (tmp_path / f"day {k}").mkdir()
        path = tmp_path / f"day {k}" / f"scan_{k}.mib"
        paths.append(write_mib(path, frames[8 * k : 8 * k + 8], numbers=np.arange(8 * k + 1, 8 * k + 9), hdr=False))
    assert np.array_equal(read_all(read(paths[::-1]).frames), frames)


def test_one_file_given_as_a_list_is_one_file(tmp_path, frames, read_all) -> None:
    path = write_mib(tmp_path / "any name.mib", frames, hdr=False)
    assert np.array_equal(read_all(read([path]).frames), frames)


@pytest.mark.slow
@pytest.mark.parametrize("slow_open", [0.0, 1.0], ids=["threads", "plain"])
def test_a_series_of_many_files_loads_in_one_go(tmp_path, frames, monkeypatch, slow_open) -> None:
    """More files than are mapped or opened at once; its time is only checked to be far from a full read."""
    monkeypatch.setattr("lazy4d.io.mib.series._SLOW_OPEN", slow_open)
    n = 3000
    record = write_mib(tmp_path / "one.mib", frames[:1], hdr=False).read_bytes()
    (tmp_path / "many").mkdir()
    for k in range(n):
        (tmp_path / "many" / f"s{k}.mib").write_bytes(b"MQ1,%06d," % (k + 1) + record[11:])
    start = time.perf_counter()
    source = read(tmp_path / "many" / "*.mib", scan_shape=(50, 60))
    assert time.perf_counter() - start < 10
    assert source.frames.files.path(999).endswith("s999.mib")
    block = source.frames.open((slice(10, 12), slice(0, 60)))
    out = np.empty((120, 4, 8), "u2")
    block.read(0, 120, out, ())
    block.close()
    assert np.array_equal(out, np.broadcast_to(frames[0], out.shape))
