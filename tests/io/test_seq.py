"""SEQ single files: pixels, time stamps and metadata of every variant, and a refusal for what would come out wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.seq import write_seq
from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read
from lazy4d.io.seq.header import HEADER_BYTES, parse_header
from lazy4d.io.seq.stamps import time_stamps

STRIDE = 8192
FIELDS = [28, 548, 552, 556, 560, 564, 568, 572, 580, 584, 620]


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(6).integers(1, 4096, (12, 10, 6), np.uint16)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


# ---- what is read


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("stride", [None, 300, 10 * 6 * 4 + 1])
def test_pixels_of_every_variant(tmp_path, read_all, version, dtype, stride) -> None:
    frames = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (7, 10, 6), dtype, endpoint=True)
    path = write_seq(tmp_path / "scan.seq", frames, version=version, stride=stride)
    source = read(path)
    assert source.frames.dtype == np.dtype(dtype)
    assert source.frames.dtype.isnative
    assert source.warnings == ()
    assert source.frames_expected == 7
    assert np.array_equal(read_all(source.frames), frames)
    assert np.array_equal(read_all(read(path, io="read").frames), frames)


def test_what_the_file_says(tmp_path, frames) -> None:
    path = write_seq(
        tmp_path / "a scan.seq", frames, first_time=1435776075.775430, frame_rate=8.0, real_bit_depth=12
    )  # fmt: skip
    source = read(path, scan_shape=(3, 4))
    instrument = source.metadata["Acquisition_instrument"]
    camera = instrument["TEM"]["Detector"]["StreamPix"]
    assert source.title == "a scan"
    assert source.metadata["General"]["date"] == "2015-07-01"
    assert source.metadata["General"]["time"] == "18:41:15.775430"
    assert f"{camera['time_stamp_first']:.6f}" == "1435776075.775430"
    assert camera["time_stamp_last"] - camera["time_stamp_first"] == pytest.approx(11 / 8)
    assert (camera["bit_depth"], camera["bit_depth_used"]) == (16, 12)
    assert instrument["dwell_time"] == 0.125
    assert "Reference" not in instrument["TEM"]["Detector"]
    assert source.original_metadata["header"]["description"] == "written by lazy4d"
    assert source.scan_shape_origin == "scan_shape argument"


def test_time_stamps_of_all_images(tmp_path, frames) -> None:
    path = write_seq(tmp_path / "scan.seq", frames, first_time=10.5, frame_rate=1000.0, empty_slots=2)
    times = time_stamps(path)
    assert times[0] == np.datetime64("1970-01-01T00:00:10.500000")
    assert (np.diff(times[:12]) == np.timedelta64(1000, "us")).all()
    assert np.isnat(times[12:]).tolist() == [True, True]
    old = write_seq(tmp_path / "old.seq", frames, first_time=10.5, frame_rate=1000.0, version=4)
    assert (time_stamps(old) == times[:12]).all()


def test_a_file_without_room_for_time_stamps(tmp_path, frames, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", frames, stride=120)
    source = read(path)
    assert np.array_equal(read_all(source.frames), frames)
    assert "date" not in source.metadata["General"]
    assert time_stamps(path).size == 0


def test_a_file_without_time_stamps(tmp_path, frames, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", frames, first_time=None)
    assert np.array_equal(read_all(read(path).frames), frames)
    assert np.array_equal(read_all(read(path, frame_count="file").frames), frames)


def test_pre_buffer_of_a_single_file(tmp_path, frames, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    for io in ("mmap", "read"):
        assert np.array_equal(read_all(read(path, pre_buffer=5, io=io).frames), frames.reshape(60, 2, 6))
    for wrong in (0, 3, -1, 2.0, True):
        with pytest.raises(ValueError, match="whole number that divides the 10 rows"):
            read(path, pre_buffer=wrong)


def test_a_doubled_suffix_is_no_part_of_the_name(tmp_path, frames) -> None:
    assert read(write_seq(tmp_path / "scan.seq.seq", frames)).title == "scan"


def test_it_loads_as_a_signal(tmp_path, frames) -> None:
    s = l4.load(write_seq(tmp_path / "scan.seq", frames), scan_shape=(3, 4))
    assert np.array_equal(s.inav[1:, :].isig[2:5, 1:].compute().data, frames.reshape(3, 4, 10, 6)[:, 1:, 1:, 2:5])
    assert np.array_equal(s.sum().compute().data, frames.sum(axis=0))


def test_vendor_file(vendor_data, read_all) -> None:
    source = read(vendor_data("seq/sample_norpix6.seq"))
    assert source.warnings == ()
    assert source.frames.dtype == np.uint8
    out = read_all(source.frames)
    assert out.shape == (6, 32, 36)
    assert int(out.sum(dtype=np.int64)) == 868955
    camera = source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["StreamPix"]
    assert f"{camera['time_stamp_first']:.6f}" == "1435776075.775430"
    assert audit(vendor_data("seq/sample_norpix6.seq")).ok


# ---- numbers of frames


def test_empty_slots_behind_the_stated_frames_are_no_frames(tmp_path, frames, read_all) -> None:
    source = read(write_seq(tmp_path / "scan.seq", frames, empty_slots=5))
    assert source.frames.nav_shape == (12,)
    assert source.warnings == ()
    assert source.frames_found == source.frames_expected == 12


@pytest.mark.parametrize("empty", [0, 5])
def test_a_header_that_counts_no_frames(tmp_path, frames, read_all, empty) -> None:
    source = read(write_seq(tmp_path / "scan.seq", frames, stated_images=0, empty_slots=empty))
    assert np.array_equal(read_all(source.frames), frames)
    assert "its header counts no frames (an interrupted recording?), found 12" in source.warnings[0]


def test_a_header_that_counts_fewer_frames_than_there_are(tmp_path, frames, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", frames, stated_images=9, empty_slots=2)
    source = read(path)
    assert source.frames.nav_shape == (9,)
    assert "counts 9 frames, but 3 more with time stamps follow; load with frame_count='file'" in source.warnings[0]
    assert np.array_equal(read_all(read(path, frame_count="file").frames), frames)


def test_a_header_that_promises_more_frames(tmp_path, frames, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", frames, stated_images=2**32 - 1)
    with pytest.raises(TruncatedFileError, match=r"ends before frame 12 .*: 12 complete frames of the 4294967295"):
        read(path)
    assert np.array_equal(read_all(read(path, incomplete="nan").frames), frames)


@pytest.mark.parametrize(("kept", "inside"), [(8192 + 5 * STRIDE + 100, 5), (8192 + 5 * STRIDE + 122, 5)])
def test_a_file_that_ends_inside_a_frame(tmp_path, frames, read_all, kept, inside) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    path.write_bytes(path.read_bytes()[:kept])
    told = (
        rf"ends inside frame {inside} \(counted from 0, at byte {8192 + inside * STRIDE}\).*5 complete frames of the 12"
    )
    with pytest.raises(TruncatedFileError, match=told):
        read(path)
    source = read(path, scan_shape=(3, 4), incomplete="zero")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == list(range(5, 12))
    assert np.array_equal(out.reshape(frames.shape)[:5], frames[:5])
    assert read(path, scan_shape=(3, 4), incomplete="crop").frames.nav_shape == (1, 4)


@pytest.mark.parametrize("kept", [0, 3, 600, 1023, 1024, 8192, 8192 + 119])
def test_a_file_without_one_whole_frame(tmp_path, frames, kept) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    path.write_bytes(path.read_bytes()[:kept])
    for incomplete in ("raise", "nan", "crop"):
        with pytest.raises(Lazy4DError, match=r"scan\.seq"):
            read(path, incomplete=incomplete)


# ---- damage


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_an_image_that_was_never_written(tmp_path, read_all, io) -> None:
    frames = np.ones((100, 4, 6), "u2")
    path = write_seq(tmp_path / "scan.seq", frames, stride=64)
    overwrite(path, 8192 + 42 * 64, bytes(64))
    source = read(path, io=io)  # between sampled images: found by the block
    with pytest.raises(FormatError, match=rf"frame 42 .* at byte {8192 + 42 * 64} is damaged: .*was never written"):
        read_all(source.frames)
    out, valid = read_all(read(path, io=io, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [42]
    assert not out[42].any()
    assert np.array_equal(out[valid], frames[valid])
    assert audit(path).corrupt == (42,)
    assert read_all(read(path, frame_numbers="ignore").frames)[41:44, 0, 0].tolist() == [1, 0, 1]


def test_a_tail_that_was_never_written_is_found_at_load(tmp_path, read_all) -> None:
    path = write_seq(tmp_path / "scan.seq", np.ones((100, 4, 6), "u2"), stride=64)
    overwrite(path, 8192 + 57 * 64, bytes(43 * 64))
    with pytest.raises(FormatError, match=r"frame 57 .*never written"):
        read(path)
    assert read(path, scan_shape=(10, 10), incomplete="crop").frames.nav_shape == (5, 10)


@pytest.mark.parametrize("damage", [bytes(8), b"\0\0\0\0\xff\xff\xff\xff"])
def test_a_damaged_first_time_stamp_does_not_switch_off_the_check(tmp_path, read_all, damage) -> None:
    frames = np.ones((100, 4, 6), "u2")
    path = write_seq(tmp_path / "scan.seq", frames, stride=64)
    overwrite(path, 8192 + 48, damage)
    overwrite(path, 8192 + 42 * 64, bytes(64))
    with pytest.raises(FormatError, match=r"frame 0 \(counted from 0\) at byte 8192 is damaged: expected a time stamp"):
        read(path)
    _, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [0, 42]


def test_a_first_time_stamp_is_missed_also_where_most_slots_are_empty(tmp_path) -> None:
    path = write_seq(tmp_path / "scan.seq", np.ones((30, 4, 6), "u2"), stride=64, empty_slots=70, stated_images=100)
    overwrite(path, 8192 + 48, bytes(8))
    with pytest.raises(FormatError, match=r"frame 0 .* is damaged"):
        read(path)


def test_time_stamps_that_only_some_images_have_are_told_not_to_be_checked(tmp_path) -> None:
    path = write_seq(tmp_path / "scan.seq", np.ones((100, 4, 6), "u2"), stride=64)
    for image in range(99):
        overwrite(path, 8192 + 48 + image * 64, b"\xff" * 8)
    assert "only some of its images seem to have a time stamp: time stamps are not checked" in read(path).warnings[0]


def test_an_origin_is_told(tmp_path, frames) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    overwrite(path, 576, struct.pack("<I", 5))
    assert "states origin 5 at byte 576" in read(path).warnings[0]
    assert len(read(path).warnings) == 1


# ---- refusals


@pytest.mark.parametrize(
    ("offset", "value", "error", "told"),
    [
        (28, 2, UnsupportedVariantError, "expected SEQ version 3 to 5 at byte 28, found 2"),
        (620, 1, UnsupportedVariantError, r"compressed, code 1 \(JPEG\) at byte 620"),
        (568, 200, UnsupportedVariantError, "image format 200 at byte 568 with 16 bits"),
        (556, 24, UnsupportedVariantError, "with 24 bits a pixel at byte 556 is colour, Bayer or packed"),
        (556, 10, UnsupportedVariantError, "with 10 bits a pixel"),
        (548, 0, FormatError, "0 x 10 pixels at byte 548"),
        (552, 11, FormatError, "expected 132 bytes an image at byte 564, .* found 120"),
        (580, 119, FormatError, "expected at least 120 bytes from one image to the next at byte 580, found 119"),
    ],
)
def test_variants_and_contradictions_are_refused(tmp_path, frames, offset, value, error, told) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    overwrite(path, offset, struct.pack("<I", value))
    with pytest.raises(error, match=rf"scan\.seq: .*{told}"):
        read(path, incomplete="nan")


def test_flipped_magic(tmp_path, frames) -> None:
    path = write_seq(tmp_path / "scan.seq", frames)
    overwrite(path, 0, b"\x00\x00\xfe\xed")
    with pytest.raises(FormatError, match=r"no reader recognises this file.*Its suffix says seq.*Norpix seq"):
        read(path)
    with pytest.raises(FormatError, match=r"to begin with .*at byte 0"):
        read(path, reader="seq")


@pytest.mark.parametrize("option", ["counter_pixels", "frame_numbers", "frame_count"])
def test_unknown_choices(tmp_path, frames, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        read(write_seq(tmp_path / "scan.seq", frames), **{option: "maybe"})


def test_several_files_are_not_one_recording(tmp_path, frames) -> None:
    for name in "abc":
        write_seq(tmp_path / f"{name}.seq", frames)
    with pytest.raises(FormatError, match=r"expected one SEQ file, or <stem>_Top_<time>.seq and"):
        read(str(tmp_path / "*.seq"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(FIELDS), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4
    ),
    kept=st.integers(1, 8192 + 3 * STRIDE),
    incomplete=st.sampled_from(["raise", "nan", "crop"]),
)  # fmt: skip
def test_a_lying_header_gives_an_error_or_frames_that_are_there(tmp_path, read_all, changes, kept, incomplete) -> None:
    path = write_seq(tmp_path / "scan.seq", np.ones((3, 10, 6), "u2"))
    content = bytearray(path.read_bytes())
    for offset, data in changes:
        content[offset : offset + len(data)] = data
    path.write_bytes(content[:kept])
    told = ""
    try:
        source = read(path, incomplete=incomplete, reader="seq")
        assert np.prod(source.frames.nav_shape) * source.frames.frame_nbytes <= kept
        read_all(source.frames)
    except Lazy4DError as error:
        told = str(error)
    assert not told or str(path) in told


@settings(max_examples=100, deadline=None)
@given(head=st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_random_bytes_behind_the_magic(head) -> None:
    with pytest.raises(Lazy4DError, match=r"scan\.seq"):
        parse_header(b"\xed\xfe\0\0" + head[4:], "scan.seq")
