"""Serpentine scans through every way of reading, against rows turned by hand."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data.mib import write_mib, write_mib_series
from lazy4d.data.mrc import write_mrc
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.errors import ScanShapeError
from lazy4d.io.registry import read
from lazy4d.io.scan import ShapeHint, plan_scan


def turned(frames: NDArray[Any], flyback: int = 0) -> NDArray[Any]:
    """Every second row backwards, the last `flyback` frames of each line left out."""
    kept = frames[:, : frames.shape[1] - flyback].copy()
    kept[1::2] = kept[1::2, ::-1]
    return kept


@pytest.fixture
def frames() -> NDArray[np.uint16]:
    return np.random.default_rng(3).integers(0, 4096, (4, 5, 16, 64), np.uint16)


def _halves(folder: Path, frames: NDArray[Any]) -> Path:
    flat = frames.reshape(-1, *frames.shape[-2:])
    flat[:, 7, 0] = flat[:, 8, 0] = np.arange(len(flat))
    return write_celeritas(folder, frames, pre_buffer=4, padding=False)[0]


def _raw(folder: Path, frames: NDArray[Any]) -> Path:
    frames.tofile(folder / "scan.raw")
    return folder / "scan.raw"


def _npy(folder: Path, frames: NDArray[Any]) -> Path:
    np.save(folder / "scan.npy", frames)
    return folder / "scan.npy"


WAYS: dict[str, Any] = {
    "mib": (lambda folder, frames: write_mib(folder / "scan.mib", frames), {}),
    "mib series": (lambda folder, frames: write_mib_series(folder, frames, frames_per_file=3), {}),
    "mrc": (lambda folder, frames: write_mrc(folder / "scan.mrc", frames), {"scan_shape": (4, 5)}),
    "npy": (_npy, {}),
    "raw": (_raw, {"frame_shape": (16, 64), "dtype": "u2", "scan_shape": (4, 5)}),
    "seq": (lambda folder, frames: write_seq(folder / "scan.seq", frames), {"scan_shape": (4, 5)}),
    "seq halves": (_halves, {"scan_shape": (4, 5)}),
}


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("name", WAYS)
def test_every_reader(tmp_path, read_all, frames, name, io) -> None:
    write, options = WAYS[name]
    path = write(tmp_path, frames)
    source = read(path, serpentine=True, io=io, **options).frames
    expected = turned(frames)
    for tile in (1, 3, 7, 20):
        np.testing.assert_array_equal(read_all(source, tile=tile), expected)
    np.testing.assert_array_equal(read_all(source.select((slice(3, 0, -1), slice(1, 5, 2)))), expected[3:0:-1, 1::2])
    mask = np.random.default_rng(1).random((4, 5)) < 0.5
    np.testing.assert_array_equal(read_all(source.select((mask,))), expected[mask])
    assert source.token != read(path, io=io, **options).frames.token
    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(source))), expected)
    np.testing.assert_array_equal(read_all(read(path, serpentine=False, io=io, **options).frames), frames)


def test_skipped_and_flyback_frames(tmp_path, read_all, frames) -> None:
    path = write_mib(tmp_path / "scan.mib", frames, hdr=False)
    flat = frames.reshape(-1, 16, 64)
    source = read(path, scan_shape=(3, 4), sync_offset=5, flyback=1, serpentine=True).frames
    np.testing.assert_array_equal(read_all(source), turned(flat[5:].reshape(3, 5, 16, 64), 1))
    out, valid = read_all(read(path, scan_shape=(4, 5), sync_offset=-2, serpentine=True).frames, with_valid=True)
    assert np.flatnonzero(~valid.reshape(-1)).tolist() == [0, 1]
    shifted = np.concatenate([np.zeros((2, 16, 64), "u2"), flat[:-2]]).reshape(4, 5, 16, 64)
    np.testing.assert_array_equal(out, turned(shifted))


def test_missing_frames_are_the_ones_scanned_last(tmp_path, read_all, frames) -> None:
    path = write_mib(tmp_path / "scan.mib", frames.reshape(-1, 16, 64)[:18], hdr=False)
    with pytest.raises(ScanShapeError, match="18 frames do not fill scan shape 4 x 5"):
        read(path, scan_shape=(4, 5), serpentine=True)
    out, valid = read_all(
        read(path, scan_shape=(4, 5), serpentine=True, incomplete="nan").frames, with_valid=True
    )
    assert np.argwhere(~valid).tolist() == [[3, 0], [3, 1]]
    np.testing.assert_array_equal(out[valid], turned(frames)[valid])
    assert read(path, scan_shape=(4, 5), serpentine=True, incomplete="crop").frames.nav_shape == (3, 5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_blocks_of_any_shape_are_those_of_numpy(tmp_path_factory, frames, data) -> None:
    path = tmp_path_factory.getbasetemp() / "serpentine.raw"
    if not path.exists():
        frames.tofile(path)
    flyback = data.draw(st.integers(0, 2))
    options = {"frame_shape": (16, 64), "dtype": "u2", "scan_shape": (4, 5 - flyback), "flyback": flyback}
    io = data.draw(st.sampled_from(["mmap", "read"]))
    source = read(path, serpentine=True, io=io, **options).frames
    expected = turned(frames, flyback)
    rows = sorted(data.draw(st.lists(st.integers(0, 4), min_size=2, max_size=2, unique=True)))
    columns = sorted(data.draw(st.lists(st.integers(0, 5 - flyback), min_size=2, max_size=2, unique=True)))
    box = slice(*rows), slice(*columns)
    wanted = expected[box].reshape(-1, 16, 64)
    block = source.open(box)
    out = np.empty_like(wanted)
    start = data.draw(st.integers(0, len(wanted) - 1))
    block.read(start, len(wanted), out[start:], (slice(2, 9), slice(0, 64)))
    block.close()
    np.testing.assert_array_equal(out[start:, 2:9], wanted[start:, 2:9])


def test_rows_are_read_as_runs(tmp_path, frames) -> None:
    source = read(_raw(tmp_path, frames), serpentine=True, **WAYS["raw"][1]).frames
    block = source.open((slice(0, 4), slice(0, 5)))
    assert block._starts.tolist() == [0, 5, 10, 15, 20]
    block.close()


def test_load_and_schedulers(tmp_path, frames, scheduler) -> None:
    s = l4.load(write_mib(tmp_path / "scan.mib", frames), serpentine=True, chunks=(1, 2))
    np.testing.assert_array_equal(s.as_numpy(), turned(frames))
    np.testing.assert_array_equal(s.inav[1:3, ::-1].as_numpy(), turned(frames)[::-1, 1:3])


def test_a_reader_without_the_option_gets_it(tmp_path, read_all, frames) -> None:
    l4.Diffraction2D(frames).save(tmp_path / "scan.zarr", progress=False)
    source = read(tmp_path / "scan.zarr", serpentine=True)
    np.testing.assert_array_equal(read_all(source.frames), turned(frames))
    plain = read(tmp_path / "scan.zarr", serpentine=False)
    np.testing.assert_array_equal(read_all(plain.frames), frames)


def test_a_line_cannot_turn(tmp_path, frames) -> None:
    path = write_mib(tmp_path / "scan.mib", frames, hdr=False)
    with pytest.raises(ValueError, match=r"serpentine=True needs lines to turn: give scan_shape=\(rows, columns\)"):
        read(path, serpentine=True)
    with pytest.raises(ValueError, match="serpentine='yes' must be True, False or None"):
        read(path, scan_shape=(4, 5), serpentine="yes")


def test_what_the_file_says_holds_unless_told_otherwise() -> None:
    hint = ShapeHint((2, 3), "the file", serpentine=True)
    box = (slice(0, 2), slice(0, 3))
    assert plan_scan("a", 6, hint=hint).navigation.numbers(box).tolist() == [0, 1, 2, 5, 4, 3]
    assert plan_scan("a", 6, hint=hint, serpentine=False).navigation.numbers(box).tolist() == [0, 1, 2, 3, 4, 5]
    assert plan_scan("a", 6, hint=hint, scan_shape=(6,)).navigation.nav_shape == (6,)
