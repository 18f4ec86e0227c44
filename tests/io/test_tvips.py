"""TVIPS streams: both versions, several files, counters that count or do not, and scans told by their positions."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.tvips import write_tvips
from lazy4d.errors import (
    FormatError,
    Lazy4DError,
    MissingCompanionError,
    ScanShapeError,
    TruncatedFileError,
    UnsupportedVariantError,
)
from lazy4d.io.audit import audit
from lazy4d.io.registry import find_reader, read

NAV = (3, 4)
STRIDE = 108 + 10 * 6 * 2


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(7).integers(1, 60000, (*NAV, 10, 6), np.uint16)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return folder


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


# ---- what is read


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize(("version", "frame_header"), [(1, 0), (2, 12), (2, 60), (2, 108), (2, 4096)])
def test_pixels_of_every_variant(folder, read_all, version, frame_header, dtype, io) -> None:
    frames = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (*NAV, 10, 6), dtype, endpoint=True)
    [path] = write_tvips(folder / "scan_000.tvips", frames, version=version, frame_header=frame_header)
    source = read(path, scan_shape=NAV, io=io)
    assert find_reader(path).name == "tvips"
    assert source.frames.dtype == np.dtype(dtype)
    assert source.frames.dtype.isnative
    assert source.warnings == ()
    assert source.frames_found == 12
    assert np.array_equal(read_all(source.frames), frames)


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("each", [1, 5, 6, 11])
def test_several_files_are_one_stream(folder, frames, read_all, each, io) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=each)
    (folder / "scan_other_000.tvips").write_bytes(b"another stream")
    (folder / "scan_00.tvips").write_bytes(b"no part")
    for given_path in (paths[0], paths[-1], paths, list(reversed(paths)), str(folder / "scan_0[0-9][0-9].tvips")):
        source = read(given_path, scan_shape=NAV, io=io)
        assert source.title == "scan"
        assert source.identity["path"] == str(paths[0])
        assert source.frames_found == 12
        for tile in (1, 5, 12):
            assert np.array_equal(read_all(source.frames, tile=tile), frames)


def test_selections_over_several_files(folder, frames, read_all) -> None:
    source = read(write_tvips(folder / "scan_000.tvips", frames, frames_per_file=5), scan_shape=NAV).frames
    mask = np.random.default_rng(3).random(NAV) < 0.5
    assert np.array_equal(read_all(source.select((slice(2, -1, -1), slice(1, 4, 2)))), frames[::-1, 1::2])
    assert np.array_equal(read_all(source.select((mask,))), frames[mask])
    row = source.select((slice(1, 2, 1), slice(0, 4, 1))).drop_axes((0,))
    assert np.array_equal(read_all(row), frames[1])
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token != row.token
    assert len(pickle.dumps(source)) < 4000
    assert "1 more" not in source.label
    out = np.empty((4, 10, 6), np.uint16)
    block = there.open((slice(1, 3), slice(1, 3)))
    block.read(0, 4, out, (slice(2, 9), slice(3, 5)))
    block.close()
    assert np.array_equal(out[:, 2:9, 3:5], frames[1:3, 1:3, 2:9, 3:5].reshape(4, 7, 2))


def test_what_the_file_says(folder, frames) -> None:
    [path] = write_tvips(folder / "a scan.tvips", frames, binning=2, offset=(3, 4))
    source = read(path)
    assert source.title == source.metadata["General"]["title"] == "a scan"
    assert source.metadata["General"]["date"] == "2022-08-11"
    tem = source.metadata["Acquisition_instrument"]["TEM"]
    assert tem["beam_energy"] == 200.0
    assert tem["camera_length"] == 1500
    assert tem["Stage"] == {"x": 10.0, "y": -20.0, "z": 5.0, "tilt_alpha": 1.5, "tilt_beta": -0.5}
    assert tem["Detector"]["TVIPS"]["pixel_size"] == 15600
    assert tem["Detector"]["TVIPS"]["binning"] == [2, 2]
    assert tem["Detector"]["TVIPS"]["offset"] == [4, 3]
    assert tem["Detector"]["TVIPS"]["time_stamp_last"] == pytest.approx(1660245227.601)
    assert source.metadata["Signal"]["signal_type"] == "electron_diffraction"
    assert {axis.units for axis in source.signal_axes + source.navigation_axes} == {"px"}
    assert source.original_metadata["header"]["stated_frame_header"] == 108
    assert source.original_metadata["last_frame"]["counter"] == 11
    [image] = write_tvips(folder / "image.tvips", frames, mode=1, high_tension=80_000)
    tem = read(image).metadata["Acquisition_instrument"]["TEM"]
    assert tem["magnification"] == 1500
    assert tem["beam_energy"] == 80.0


# ---- scan shapes


@pytest.mark.parametrize("each", [None, 5])
def test_positions_in_the_headers_tell_the_scan(folder, frames, read_all, each) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, scan=NAV, frames_per_file=each)
    source = read(paths[0])
    assert source.frames.nav_shape == NAV
    assert source.scan_shape_origin == "scan positions in the frame headers"
    assert source.warnings == ()
    assert np.array_equal(read_all(source.frames), frames)


def test_frames_outside_a_scan_are_told_and_not_cut_off(folder, frames) -> None:
    flat = np.concatenate([frames.reshape(12, 10, 6), frames.reshape(12, 10, 6)])
    [path] = write_tvips(folder / "scan_000.tvips", flat[:17], scan=NAV, lead_in=5)
    source = read(path)
    assert source.frames.nav_shape == (17,)
    assert "scan_shape=(3, 4), sync_offset=5" in source.warnings[0]
    assert read(path, scan_shape=(3, 4), sync_offset=5).warnings == ()


@pytest.mark.parametrize("frame_header", [12, 60, 72])
def test_nothing_is_guessed_where_positions_are_not_there(folder, frames, frame_header) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames, scan=NAV, frame_header=frame_header)
    assert read(path).frames.nav_shape == (12,)
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    assert read(path).frames.nav_shape == (12,)


def test_positions_that_draw_no_raster(folder, frames) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames, scan=NAV)
    overwrite(path, 256 + 7 * STRIDE + 68, struct.pack("<ff", 9.0, 9.0))
    assert read(path).frames.nav_shape == (12,)


def test_other_shapes(folder, frames, read_all) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=7)
    flat = frames.reshape(12, 10, 6)
    assert np.array_equal(read_all(read(paths, scan_shape=(2, 5), sync_offset=2).frames), flat[2:].reshape(2, 5, 10, 6))
    assert np.array_equal(read_all(read(paths, scan_shape=(3, 3), flyback=1).frames), frames[:, :3])
    out, valid = read_all(read(paths, scan_shape=NAV, sync_offset=-1).frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [0]
    assert np.array_equal(out.reshape(12, 10, 6)[1:], flat[:11])
    assert not out[0, 0].any()
    with pytest.raises(ScanShapeError, match="12 frames do not fill scan shape 5 x 5"):
        read(paths, scan_shape=(5, 5))


# ---- counters


@pytest.mark.parametrize("settings", [{"counting": False}, {"first_counter": 4096}, {"first_counter": (1 << 32) - 5}])
def test_counters_may_begin_anywhere_or_count_nothing(folder, frames, read_all, settings) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames, **settings)
    source = read(path, scan_shape=NAV)
    assert source.warnings == ()
    assert np.array_equal(read_all(source.frames), frames)


def test_counters_that_cycle_are_not_checked(folder, frames, read_all) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    for k in range(12):
        overwrite(path, 256 + k * STRIDE, struct.pack("<I", k % 3))
    source = read(path, scan_shape=NAV)
    assert source.original_metadata["frame_counters"] == "not used"
    assert np.array_equal(read_all(source.frames), frames)


@pytest.mark.parametrize("each", [None, 4])
def test_frames_left_out_keep_their_places(folder, frames, read_all, each) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, drop=[5, 6], frames_per_file=each)
    with pytest.raises(FormatError, match=r"2 frames are missing before byte .* counters jump to 7, expected 5"):
        read(paths[0], scan_shape=NAV)
    out, valid = read_all(read(paths[0], scan_shape=NAV, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [5, 6]
    assert np.array_equal(out[valid], frames[valid])
    assert read(paths[0], scan_shape=NAV, incomplete="crop").frames.nav_shape == (1, 4)
    assert read(paths[0], frame_numbers="ignore").frames.nav_shape == (10,)


def test_every_counter_is_verified_when_its_frame_is_read(folder, read_all) -> None:
    frames = np.ones((100, 4, 4), "u1")
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    overwrite(path, 256 + 8 * (108 + 16), struct.pack("<I", 77))  # not among those that loading looks at
    with pytest.raises(FormatError, match="frame counters jump, expected 8, found 77"):
        read_all(read(path).frames)
    _, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [8]
    for what in (path, read(path)):
        assert [gap.frame for gap in audit(what).gaps] == [8, 9]


def test_an_audit_of_several_files(folder, frames) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=5)
    assert audit(paths[0]).ok
    assert audit(paths[0]).frames == 12
    paths = write_tvips(folder / "other_000.tvips", frames, frames_per_file=5, drop=[7, 8])
    report = audit(paths[0])
    assert [(gap.expected, gap.found) for gap in report.gaps] == [(7, 9)]
    assert report.missing == 2


# ---- damage


@pytest.mark.parametrize("left", [20, 108, STRIDE - 1])
def test_a_file_cut_short(folder, frames, read_all, left) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    os.truncate(path, 256 + 11 * STRIDE + left)
    with pytest.raises(TruncatedFileError, match=f"inside frame 11 .* at byte {256 + 11 * STRIDE}: {STRIDE} bytes"):
        read(path)
    out, valid = read_all(read(path, scan_shape=NAV, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [11]
    assert np.array_equal(out[valid], frames[valid])
    assert read(path, scan_shape=NAV, incomplete="crop").frames.nav_shape == (2, 4)


def test_a_part_cut_short_in_the_middle(folder, frames, read_all) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=4)
    os.truncate(paths[1], 3 * STRIDE + 5)
    with pytest.raises(TruncatedFileError, match=r"scan_001\.tvips: the file ends inside frame 7 "):
        read(paths[0], scan_shape=NAV)
    source = read(paths[0], scan_shape=NAV, incomplete="nan")
    assert len(source.warnings) == 1
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [7]
    assert np.array_equal(out[valid], frames[valid])
    assert read(paths[0], scan_shape=NAV, incomplete="crop").frames.nav_shape == (1, 4)


@pytest.mark.parametrize("counting", [True, False])
def test_frames_whose_places_nothing_tells(folder, frames, read_all, counting) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=4, counting=counting)
    cut, left = (paths[0], 256 + 50) if counting else (paths[1], STRIDE + 50)
    os.truncate(cut, left)
    with pytest.raises(TruncatedFileError, match="nothing tells how many frames are missing before the next part"):
        read(paths[0], scan_shape=NAV, incomplete="nan")
    source = read(paths[0], incomplete="nan", frame_numbers="ignore")
    assert source.frames.nav_shape == (8,) if counting else (9,)
    assert np.array_equal(read_all(source.frames)[-4:], frames.reshape(12, 10, 6)[-4:])
    if not counting:
        assert read(paths[0], scan_shape=NAV, incomplete="crop").frames.nav_shape == (1, 4)


def test_a_part_that_is_not_there(folder, frames) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=4)
    paths[1].unlink()
    with pytest.raises(MissingCompanionError, match=r"scan_001\.tvips, a part of the same stream"):
        read(paths[0])
    paths[0].unlink()
    with pytest.raises(MissingCompanionError, match=r"scan_000\.tvips, which begins the stream"):
        read(paths[2], reader="tvips")


def test_a_part_left_over_from_an_earlier_stream(folder, frames) -> None:
    [old] = write_tvips(folder / "scan_000.tvips", frames, first_time=1660240000.0)
    left_over = folder / "scan_001.tvips"
    left_over.write_bytes(old.read_bytes()[256:])
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    with pytest.raises(FormatError, match=r"scan_001\.tvips: its first frame was recorded 5228 s before the last one"):
        read(path)
    assert read([path, left_over], frame_numbers="ignore").frames.nav_shape == (24,)


def test_files_of_two_streams(folder, frames) -> None:
    [a] = write_tvips(folder / "a_000.tvips", frames)
    [b] = write_tvips(folder / "b_001.tvips", frames)
    with pytest.raises(FormatError, match="are not one TVIPS stream"):
        read([a, b])


@pytest.mark.parametrize("size", [1, 51, 255, 256, 257, 256 + STRIDE - 1])
def test_truncation_in_every_region_is_named(folder, frames, size) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    os.truncate(path, size)
    with pytest.raises(TruncatedFileError, match=r"scan_000\.tvips: "):
        read(path, reader="tvips", incomplete="nan")


@pytest.mark.parametrize(
    ("offset", "value", "error", "told"),
    [
        (0, 255, FormatError, "expected the header size 256 at byte 0"),
        (4, 3, UnsupportedVariantError, "version 3 at byte 4"),
        (8, 0, FormatError, "width at byte 8 is 0"),
        (12, 0, FormatError, "height at byte 12 is 0"),
        (8, 1 << 31, FormatError, "width at byte 8 is 2147483648"),
        (8, 1 << 16, TruncatedFileError, "not one whole frame of 65536 x 10"),
        (16, 32, UnsupportedVariantError, "32 bits a pixel"),
        (48, 3, FormatError, "frame headers of 3 bytes"),
        (48, 1 << 31, FormatError, "frame headers of 2147483648 bytes"),
    ],
)
def test_headers_that_lie(folder, frames, offset, value, error, told) -> None:
    [path] = write_tvips(folder / "scan_000.tvips", frames)
    overwrite(path, offset, struct.pack("<I", value))
    with pytest.raises(error, match=told):
        read(path, reader="tvips")


def test_a_file_that_changes_is_noticed(folder, frames) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=5)
    source = read(paths, scan_shape=NAV).frames
    os.truncate(paths[1], 10)
    with pytest.raises(TruncatedFileError, match="shrank since it was loaded"):
        source.open((slice(0, 3), slice(0, 4)))
    source.open((slice(0, 1), slice(0, 4))).close()  # nothing of that file is needed


@pytest.mark.parametrize("option", ["incomplete", "io", "frame_numbers"])
def test_unknown_choices_are_refused(folder, frames, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        read(write_tvips(folder / "scan_000.tvips", frames)[0], **{option: "maybe"})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 700), st.binary(min_size=1, max_size=8), st.integers(0, 3000), st.integers(0, 1))
def test_fuzzed_headers_never_crash(tmp_path, read_all, offset, data, cut, part) -> None:
    paths = write_tvips(tmp_path / "fuzzed_000.tvips", np.ones((12, 10, 6), "u2"), scan=NAV, frames_per_file=7)
    overwrite(paths[part], offset, data)
    os.truncate(paths[part], max(0, paths[part].stat().st_size - cut))
    for incomplete in ("raise", "nan", "crop"):
        try:
            source = read(paths[0], reader="tvips", incomplete=incomplete)
            if np.prod(source.frames.nav_shape, dtype=float) < 1e4:
                read_all(source.frames)
        except Lazy4DError as error:
            told = str(error)
        else:
            told = "fuzzed"
        assert "fuzzed" in told


# ---- laziness


def test_loading_reads_no_pixels(folder, frames, no_compute, monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a block was opened")

    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=5)
    monkeypatch.setattr("lazy4d.io.rawblock.RawBlock.__init__", refuse)
    with no_compute:
        l4.load(paths[0], scan_shape=NAV).inav[1:, 0]


@pytest.mark.parametrize("chunks", [1, 2, -1])
def test_results_do_not_depend_on_chunks_and_scheduler(folder, frames, scheduler, chunks) -> None:
    paths = write_tvips(folder / "scan_000.tvips", frames, frames_per_file=5)
    s = l4.load(paths[0], scan_shape=NAV, chunks=(chunks, -1))
    assert np.array_equal(s.data.compute(), frames)
    assert np.array_equal(s.sum().compute().data, frames.sum(axis=(0, 1)))
