"""NanoMegas block files: pixels, calibration and the virtual image, and damage named instead of read as patterns."""

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
from lazy4d.data.blo import write_blo
from lazy4d.errors import FormatError, Lazy4DError, ScanShapeError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.audit import audit
from lazy4d.io.registry import find_reader, read

NAV = (3, 4)
RECORD = 6 + 12 * 12
START = 4096 + 12 + 10


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(5).integers(1, 255, (*NAV, 12, 12), np.uint8)


@pytest.fixture
def path(tmp_path, frames) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return write_blo(folder / "a scan.blo", frames, virtual_image=np.arange(12, dtype="u1").reshape(NAV))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


# ---- what is read


@pytest.mark.parametrize(
    ("name", "shape", "total"), [("test1", (3, 2, 144, 144), 5164570), ("test2", (2, 3, 5, 5), 2952)]
)  # fmt: skip
def test_real_files(vendor_data, name, shape, total) -> None:
    s = l4.load(vendor_data(f"blo/{name}.blo"))
    assert s.data.shape == shape
    assert s.data.dtype == np.uint8
    assert int(s.data.sum().compute()) == total
    assert s.axes_manager["x"].units == "nm"
    assert s.axes_manager["x"].scale == {"test1": 12.8, "test2": 64.0}[name]
    assert s.axes_manager["kx"].scale == pytest.approx(100 / 6226)
    assert s.metadata.Acquisition_instrument.TEM.beam_energy == 200.0
    assert s.metadata.Acquisition_instrument.TEM.camera_length == 200.0
    assert s.metadata.General.date == "2015-12-01"
    image = s.metadata.General.virtual_images.virtual_0.data
    assert image.shape == shape[:2]
    centre = [slice(n // 2 - max(n // 8, 2), n // 2 + max(n // 8, 2) + 1) for n in shape[2:]]
    bright = s.data.compute()[:, :, centre[0], centre[1]].sum(axis=(2, 3))
    assert np.corrcoef(image.ravel(), bright.ravel())[0, 1] > 0.9  # line by line, as the patterns
    assert audit(read(vendor_data(f"blo/{name}.blo"))).ok


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_pixels(tmp_path, read_all, dtype, io) -> None:
    frames = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (*NAV, 9, 9), dtype, endpoint=True)
    source = read(write_blo(tmp_path / "scan.blo", frames), io=io)
    assert source.warnings == ()
    assert source.frames.dtype == np.dtype(dtype)
    assert source.frames.dtype.isnative
    assert source.frames.nav_shape == NAV
    assert np.array_equal(read_all(source.frames), frames)


def test_what_the_file_says(path, frames) -> None:
    source = read(path)
    assert find_reader(path).name == "blo"
    assert source.title == source.metadata["General"]["title"] == "a scan"
    assert source.metadata["General"]["original_filename"] == "a scan.blo"
    assert [(a.name, a.units, a.scale) for a in source.navigation_axes] == [("y", "nm", 6.4), ("x", "nm", 12.8)]
    assert [(a.name, a.units) for a in source.signal_axes] == [("ky", "cm"), ("kx", "cm")]
    assert source.metadata["General"]["date"] == "2015-12-01"
    assert source.metadata["General"]["time"] == "12:00:00"
    assert source.metadata["Acquisition_instrument"]["TEM"]["rotation"] == 25.0
    image = source.metadata["General"]["virtual_images"]["virtual_0"]
    assert image["data"].tolist() == np.arange(12).reshape(NAV).tolist()
    assert source.original_metadata["blockfile_header"]["distortion"][1] == 0.98
    assert source.identity["format"] == "blo"
    assert source.identity["size"] == path.stat().st_size
    assert (source.frames_found, source.frames_expected) == (12, 12)
    assert "NX, NY" in source.scan_shape_origin


def test_what_is_not_calibrated_is_in_pixels(tmp_path, frames) -> None:
    source = read(write_blo(tmp_path / "scan.blo", frames, pixels_per_cm=0, step=(0.0, float("nan")), date=0.0))
    assert {axis.units for axis in source.signal_axes + source.navigation_axes} == {"px"}
    assert "date" not in source.metadata["General"]


def test_depth_is_proved_by_what_stands_before_the_second_pattern(tmp_path, read_all) -> None:
    frames = np.random.default_rng(2).integers(0, 4096, (*NAV, 9, 9), np.uint16)
    source = read(write_blo(tmp_path / "scan.blo", frames, note="", version=0x0102))
    assert "16 bits a pixel apart" in source.warnings[0]
    assert np.array_equal(read_all(source.frames), frames)
    single = read(write_blo(tmp_path / "one.blo", frames[:1, :1]))
    assert single.frames.dtype == np.uint16
    assert np.array_equal(read_all(single.frames), frames[:1, :1])


def test_numbers_may_begin_anywhere_or_count_nothing(tmp_path, frames, read_all) -> None:
    assert np.array_equal(read_all(read(write_blo(tmp_path / "a.blo", frames, first_number=1)).frames), frames)
    other = write_blo(tmp_path / "b.blo", frames, numbered=False)
    with pytest.raises(FormatError, match="frame_numbers='ignore'"):
        read(other)
    assert np.array_equal(read_all(read(other, frame_numbers="ignore").frames), frames)


def test_other_shapes(path, frames, read_all) -> None:
    flat = frames.reshape(12, 12, 12)
    assert np.array_equal(read_all(read(path, scan_shape=(2, 5), sync_offset=2).frames), flat[2:].reshape(2, 5, 12, 12))
    assert np.array_equal(read_all(read(path, scan_shape=(3, 3), flyback=1).frames), frames[:, :3])
    _, valid = read_all(read(path, sync_offset=-1, scan_shape=NAV).frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [0]
    assert [axis.units for axis in read(path, scan_shape=(-1,)).navigation_axes] == ["nm"]
    with pytest.raises(ScanShapeError, match="12 frames do not fill scan shape 5 x 5"):
        read(path, scan_shape=(5, 5))


def test_sources_travel(path, frames, read_all) -> None:
    source = read(path).frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token == read(path).frames.token
    assert len(pickle.dumps(source)) < 4000
    assert np.array_equal(read_all(there), frames)
    os.utime(path, ns=(0, 0))
    assert read(path).frames.token != source.token


@pytest.mark.parametrize("chunks", [1, 2, -1])
def test_results_do_not_depend_on_chunks_and_scheduler(path, frames, scheduler, chunks) -> None:
    s = l4.load(path, chunks=(chunks, -1))
    assert np.array_equal(s.data.compute(), frames)
    assert np.array_equal(s.sum().compute().data, frames.sum(axis=(0, 1)))


def test_loading_reads_no_pattern(path, no_compute, monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a block was opened")

    monkeypatch.setattr("lazy4d.io.rawblock.RawBlock.__init__", refuse)
    with no_compute:
        l4.load(path).inav[1:, 0]


# ---- damage


def test_a_file_cut_short(path, frames, read_all) -> None:
    os.truncate(path, START + 7 * RECORD + 20)
    with pytest.raises(TruncatedFileError, match=rf"ends inside frame 7 .*at byte {START + 7 * RECORD}: "):
        read(path)
    source = read(path, incomplete="nan")
    assert len(source.warnings) == 2
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(valid.ravel()).tolist() == list(range(7))
    assert np.array_equal(out[valid], frames[valid])
    assert not out[~valid].any()
    assert read(path, incomplete="crop").frames.nav_shape == (1, 4)
    os.truncate(path, START + 20)
    with pytest.raises(TruncatedFileError, match="not one whole frame"):
        read(path, incomplete="nan")


@pytest.mark.parametrize("size", [1, 5, 6, 100, 239, 240, 4000, 4100, START - 1, START + 3, START + RECORD - 1])
def test_truncation_in_every_region_is_named(path, size) -> None:
    os.truncate(path, size)
    with pytest.raises(Lazy4DError, match=r"a scan\.blo"):
        read(path, reader="blo")


def test_frames_left_out_keep_their_places(tmp_path, frames, read_all) -> None:
    path = write_blo(tmp_path / "scan.blo", frames, drop=[4, 5, 9])
    with pytest.raises(FormatError, match=r"2 frames are missing before record 4 .* numbers jump to 6, expected 4"):
        read(path)
    source = read(path, incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [4, 5, 9]
    assert np.array_equal(out[valid], frames[valid])
    assert read(path, incomplete="crop").frames.nav_shape == (1, 4)
    report = audit(read(path, incomplete="nan"))
    assert report.missing == 3
    assert not report.ok


@pytest.mark.parametrize("head", [b"\x00\x00\x05\x00\x00\x00", b"\xaa\x55\x09\x00\x00\x00"])
def test_every_head_is_verified_when_its_pattern_is_read(tmp_path, read_all, head) -> None:
    frames = np.random.default_rng(3).integers(1, 255, (10, 10, 3, 3), np.uint8)
    path = write_blo(tmp_path / "scan.blo", frames)
    overwrite(path, 4096 + 100 + 10 + 8 * 15, head)  # not among the frames that loading looks at
    source = read(path)
    with pytest.raises(FormatError, match=r"frame 8 .* is damaged"):
        read_all(source.frames)
    out, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [8]
    assert np.array_equal(out[valid], frames[valid])


@pytest.mark.parametrize(
    ("offset", "data", "error", "told"),
    [
        (0, b"IMGBLX", FormatError, "expected b'IMGBLO' at byte 0"),
        (6, b"\x04\x01", UnsupportedVariantError, "version 1.4"),
        (12, struct.pack("<I", 10), FormatError, "inside the header"),
        (12, struct.pack("<I", 1 << 31), TruncatedFileError, "cut short, or its header is damaged"),
        (12, struct.pack("<I", START - 1), FormatError, "expected the mark aa 55"),
        (20, b"\0\0", FormatError, "pattern size at byte 20 is 0"),
        (24, b"\0\0", FormatError, "NX at byte 24 is 0"),
        (20, b"\xff\xff", TruncatedFileError, "ends inside frame 0"),
        (24, b"\xff\xff\xff\xff", TruncatedFileError, "promises 4294836225"),
    ],
)  # fmt: skip
def test_headers_that_lie(path, offset, data, error, told) -> None:
    overwrite(path, offset, data)
    with pytest.raises(error, match=told):
        read(path, reader="blo")


def test_a_depth_that_is_not_known(tmp_path, frames) -> None:
    path = write_blo(tmp_path / "scan.blo", frames, version=0x0103, note="Blo Bit Depth: 32 bits")
    with pytest.raises(UnsupportedVariantError, match="32 bits"):
        read(path)


def test_what_stands_behind_the_patterns_is_told(path, frames, read_all) -> None:
    with open(path, "ab") as file:
        file.write(bytes(200))
    source = read(path)
    assert "200 bytes behind the 12 frames" in source.warnings[0]
    assert np.array_equal(read_all(source.frames), frames)


def test_a_file_that_changes_is_noticed(path) -> None:
    source = read(path).frames
    os.truncate(path, 10)
    with pytest.raises(TruncatedFileError, match="shrank since it was loaded"):
        source.open((slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("option", ["incomplete", "io", "frame_numbers"])
def test_unknown_choices_are_refused(path, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        read(path, **{option: "maybe"})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, 260), data=st.binary(min_size=1, max_size=8), cut=st.integers(0, 2500))
def test_fuzzed_headers_never_crash(tmp_path, read_all, offset, data, cut) -> None:
    path = tmp_path / "fuzzed.blo"
    write_blo(path, np.ones((*NAV, 12, 12), "u1"))
    overwrite(path, offset, data)
    os.truncate(path, max(0, path.stat().st_size - cut))
    for incomplete in ("raise", "nan", "crop"):
        try:
            source = read(path, reader="blo", incomplete=incomplete)
            if np.prod(source.frames.nav_shape, dtype=float) < 1e4:
                read_all(source.frames)
        except Lazy4DError as error:
            told = str(error)
        else:
            told = "fuzzed.blo"
        assert "fuzzed.blo" in told
