"""What every reader must do; a new one adds a row to `CASES`, and fails here until it has one."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazy4d.data.mib import write_mib, write_mib_series
from lazy4d.data.mrc import write_direct_electron, write_mrc
from lazy4d.data.raw import write_raw
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.errors import Lazy4DError
from lazy4d.io import registry
from lazy4d.io.registry import find_reader, read
from lazy4d.io.source import AxisSpec, Source

NAV = (3, 4)


@dataclass(frozen=True)
class Case:
    """One way to store the frames (3, 4 | 16, 64) in the folder given; `write` returns what to load."""

    reader: str
    write: Callable[[Path, NDArray[Any]], Any]
    options: dict[str, Any] = field(default_factory=dict)
    fixed_size: bool = True  # a file cut short has too few bytes, which loading must notice


def _npy(folder: Path, frames: NDArray[Any]) -> Path:
    np.save(folder / "scan.npy", frames.astype(">u2"))
    return folder / "scan.npy"


def _series(folder: Path, frames: NDArray[Any]) -> str:
    write_mib_series(folder, frames, frames_per_file=5)
    return str(folder / "*.mib")


def _halves(folder: Path, frames: NDArray[Any]) -> Path:
    """Counters overwrite two pixels of each frame: made part of `frames`, so that exact pixels can be asked."""
    flat = frames.reshape(-1, *frames.shape[-2:])
    flat[:, 7, 0] = flat[:, 8, 0] = np.arange(len(flat))
    return write_celeritas(folder, frames, pre_buffer=4, padding=False)[0]


RAW = {"frame_shape": (16, 64), "dtype": ">u2", "scan_shape": NAV}
SHAPED = {"scan_shape": NAV}
CASES = {
    "mib": Case("mib", lambda folder, frames: write_mib(folder / "scan.mib", frames)),
    "mib quad": Case("mib", lambda folder, frames: write_mib(folder / "scan.mib", frames, chips="2x2")),
    "mib raw": Case("mib", lambda folder, frames: write_mib(folder / "scan.mib", frames, mode="R12")),
    "mib series": Case("mib", _series),
    "mrc": Case("mrc", lambda folder, frames: write_mrc(folder / "scan.mrc", frames, byteorder=">"), SHAPED),
    "mrc movie": Case("mrc", lambda folder, frames: write_direct_electron(folder, frames, prefix="slow scan")),
    "npy": Case("npy", _npy),
    "raw": Case("raw", lambda folder, frames: write_raw(folder / "scan.raw", frames, byteorder=">"), RAW),
    "seq": Case("seq", lambda folder, frames: write_seq(folder / "scan.seq", frames, stride=2056), {"scan_shape": NAV}),
    "seq halves": Case("seq", _halves, {"scan_shape": NAV}),
}


@dataclass(frozen=True)
class Stored:
    case: Case
    path: Any
    frames: NDArray[np.uint16]

    def read(self, **options: Any) -> Source:
        return read(self.path, **{**self.case.options, **options})

    @property
    def files(self) -> list[Path]:
        """The files of frames."""
        return [Path(p) for p in registry.expand_paths(self.path)]


@pytest.fixture(params=list(CASES), ids=lambda name: name.replace(" ", "-"))
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    case = CASES[request.param]
    frames = np.random.default_rng(9).integers(0, 4096, (*NAV, 16, 64), np.uint16)
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return Stored(case, case.write(folder, frames), frames)


def test_every_built_in_reader_has_a_case() -> None:
    assert {case.reader for case in CASES.values()} >= set(registry.built_in_readers()) - {"zarr"}


def test_the_content_finds_the_reader(stored) -> None:
    assert find_reader(stored.files[0]).name == stored.case.reader


def test_the_source_is_complete(stored) -> None:
    source = stored.read()
    assert source.frames.nav_shape == NAV
    assert source.frames.frame_shape == (16, 64)
    assert source.frames.dtype == np.uint16
    assert source.frames.dtype.isnative
    assert source.frames.incomplete == "raise"
    assert source.frames.frame_nbytes == 2048
    assert source.frames_found == 12
    assert [axis.name for axis in source.navigation_axes] == ["y", "x"]
    assert [axis.name for axis in source.signal_axes] == ["ky", "kx"]
    assert all(isinstance(axis, AxisSpec) for axis in source.signal_axes + source.navigation_axes)
    assert source.title == source.metadata["General"]["title"]
    assert source.metadata["General"]["original_filename"] == stored.files[0].name
    assert source.original_metadata
    assert source.identity["path"] == str(stored.files[0])
    assert source.identity["format"] == stored.case.reader
    assert source.identity["size"] > 0
    assert source.identity["mtime_ns"] > 0
    assert source.scan_shape_origin
    assert source.warnings == ()


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("tile", [1, 5, 12])
def test_pixels(stored, read_all, io, tile) -> None:
    assert np.array_equal(read_all(stored.read(io=io).frames, tile=tile), stored.frames)


def test_selections(stored, read_all) -> None:
    source = stored.read().frames
    mask = np.random.default_rng(3).random(NAV) < 0.5
    assert np.array_equal(read_all(source.select((slice(2, -1, -1), slice(1, 4, 2)))), stored.frames[::-1, 1::2])
    assert np.array_equal(read_all(source.select((mask,))), stored.frames[mask])
    row = source.select((slice(1, 2, 1), slice(0, 4, 1))).drop_axes((0,))
    assert np.array_equal(read_all(row), stored.frames[1])


def test_boxes(stored) -> None:
    block = stored.read().frames.open((slice(1, 3), slice(1, 3)))
    out = np.empty((4, 16, 64), np.uint16)
    block.read(0, 4, out, (slice(2, 9), slice(3, 30)))
    assert block.valid is None
    block.close()
    assert np.array_equal(out[:, 2:9, 3:30], stored.frames[1:3, 1:3, 2:9, 3:30].reshape(4, 7, 27))


def test_skipping_inserting_and_flyback(stored, read_all) -> None:
    flat = stored.frames.reshape(12, 16, 64)
    assert np.array_equal(
        read_all(stored.read(scan_shape=(2, 5), sync_offset=2).frames), flat[2:].reshape(2, 5, 16, 64)
    )
    assert np.array_equal(read_all(stored.read(scan_shape=(3, 3), flyback=1).frames), stored.frames[:, :3])
    out, valid = read_all(stored.read(scan_shape=(3, 4), sync_offset=-1).frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [0]
    assert np.array_equal(out.reshape(12, 16, 64)[1:], flat[:11])
    with pytest.raises(Lazy4DError, match="12 frames do not fill scan shape 5 x 5"):
        stored.read(scan_shape=(5, 5))


def test_sources_travel_and_tokens_tell_them_apart(stored, read_all) -> None:
    source = stored.read().frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token == stored.read().frames.token
    assert len(pickle.dumps(source)) < 4000
    assert np.array_equal(read_all(there), stored.frames)
    part = source.select((slice(0, 2, 1), slice(0, 4, 1)))
    assert part.token != source.token
    assert pickle.loads(pickle.dumps(part)).nav_shape == (2, 4)
    os.utime(stored.files[0], ns=(0, 0))
    assert stored.read().frames.token != source.token


def test_files_are_only_read(stored, read_all) -> None:
    before = [path.read_bytes() for path in stored.files]
    for path in stored.files:
        path.chmod(0o444)
    read_all(stored.read().frames)
    assert [path.read_bytes() for path in stored.files] == before


def test_loading_reads_no_pixels(stored, monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a block was opened")

    monkeypatch.setattr("lazy4d.io.rawblock.RawBlock.__init__", refuse)
    source = stored.read().frames
    source.select((slice(0, 2, 1), slice(0, 4, 2)))


def test_a_file_cut_short_is_an_error_or_invalid_frames(stored, read_all) -> None:
    if not stored.case.fixed_size:
        pytest.skip("the bytes of this format do not tell the number of frames")
    last = stored.files[-1]
    os.truncate(last, last.stat().st_size - 700)
    with pytest.raises(Lazy4DError, match=r"end|left over"):
        stored.read()
    source = stored.read(incomplete="nan")
    assert source.warnings
    assert source.frames.incomplete == "nan"
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [11]
    assert np.array_equal(out[valid], stored.frames[valid])
    assert not out[~valid].any()
    assert stored.read(incomplete="crop").frames.nav_shape == (2, 4)


def test_a_file_that_changes_is_noticed_before_it_is_read(stored) -> None:
    source = stored.read().frames
    os.truncate(stored.files[0], 10)
    with pytest.raises(Lazy4DError, match="shrank since it was loaded"):
        source.open((slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("option", ["incomplete", "io"])
def test_unknown_choices_are_refused(stored, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        stored.read(**{option: "maybe"})
