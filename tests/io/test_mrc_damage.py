"""MRC files that lie about themselves, end too early, or are noise."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.data.mrc import write_direct_electron, write_mrc
from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read

FRAMES = np.random.default_rng(5).integers(0, 999, (6, 4, 8)).astype("u2")


@pytest.fixture
def path(tmp_path) -> Path:
    return write_mrc(tmp_path / "a.mrc", FRAMES)


def patched(path: Path, at: int, code: str, *values: int) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, at, *values)
    path.write_bytes(data)
    return path


# ---- number of sections


@pytest.mark.parametrize("nz", [0, -1, -(2**31)])
def test_sections_that_make_no_sense_are_counted_by_the_bytes(path, read_all, nz) -> None:
    source = read(patched(path, 8, "<i", nz))
    assert f"NZ at byte 8 of the header is {nz}: the 6 frames that the file holds were taken" in source.warnings[0]
    np.testing.assert_array_equal(read_all(source.frames), FRAMES)


def test_the_placeholder_of_some_cameras_gives_way_to_whole_frames(tmp_path) -> None:
    path = write_mrc(tmp_path / "a.mrc", np.zeros((32770, 1, 2), "u2"), nz=32766)
    assert read(path).frames.nav_shape == (32770,)
    reference = read(write_mrc(path, FRAMES[:1], nz=32766))
    assert reference.frames.nav_shape == ()
    assert "NZ at byte 8 of the header is 32766: the 1 frames that the file holds were taken" in reference.warnings[0]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(TruncatedFileError, match="not one whole frame"):
        read(path)
    write_mrc(path, FRAMES, nz=32766)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(TruncatedFileError, match="promises 32766 frames"):
        read(path)


def test_more_frames_than_promised_are_not_used(path, read_all) -> None:
    source = read(patched(path, 8, "<i", 4))
    assert "6 frames found, 4 promised by NZ" in source.warnings[0]
    np.testing.assert_array_equal(read_all(source.frames), FRAMES[:4])


def test_a_companion_may_confirm_more_frames(tmp_path, read_all) -> None:
    path = patched(write_direct_electron(tmp_path, FRAMES, info={"Scan - Enable": "Disable"}), 8, "<i", 4)
    np.testing.assert_array_equal(read_all(read(path).frames), FRAMES)


def test_bytes_behind_the_last_frame_are_left_with_a_warning(path, read_all) -> None:
    path.write_bytes(path.read_bytes() + bytes(10))
    source = read(path)
    assert "10 bytes behind the last frame" in source.warnings[0]
    np.testing.assert_array_equal(read_all(source.frames), FRAMES)


def test_missing_frames_are_an_error_or_invalid(path, read_all) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TruncatedFileError, match=r"ends inside frame 4 .* at byte 1280: 64 bytes needed, 28 left"):
        read(path)
    out, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert valid.tolist() == [True] * 4 + [False] * 2
    np.testing.assert_array_equal(out[:4], FRAMES[:4])
    assert read(path, incomplete="crop").frames.nav_shape == (4,)
    assert audit(path).truncated == {str(path): 28}
    assert audit(path).frames == 4


def test_a_damaged_part_keeps_the_places_of_the_others(tmp_path, read_all) -> None:
    first, second = (write_mrc(tmp_path / f"{k}.mrc", FRAMES[3 * k : 3 * k + 3]) for k in range(2))
    first.write_bytes(first.read_bytes()[:-70])
    out, valid = read_all(read([first, second], incomplete="nan", scan_shape=(2, 3)).frames, with_valid=True)
    assert valid.ravel().tolist() == [True, False, False, True, True, True]
    np.testing.assert_array_equal(out[1], FRAMES[3:])
    assert read([first, second], incomplete="crop").frames.nav_shape == (1,)


@pytest.mark.parametrize("nz", [601, 2**31 - 1])
def test_unbelievable_promises_are_not_kept(path, nz) -> None:
    patched(path, 8, "<i", nz)
    with pytest.raises(TruncatedFileError, match=f"promises {nz} frames"):
        read(path)
    assert read(path, incomplete="nan").frames.nav_shape == (6,)


# ---- header


@pytest.mark.parametrize("size", [0, 1, 3, 100, 207, 212, 1000, 1023])
def test_files_that_end_inside_the_header(path, size) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(Lazy4DError, match=r"ends inside the MRC header|no reader recognises|empty"):
        read(path)
    with pytest.raises((FormatError, TruncatedFileError), match=r"1024 bytes"):
        read(path, reader="mrc")


def test_files_that_end_inside_the_extended_header_or_first_frame(tmp_path) -> None:
    path = write_mrc(tmp_path / "a.mrc", FRAMES, extended=bytes(500))
    data = path.read_bytes()
    for size, message in ((1400, "ends inside its extended header"), (1524, "not one whole frame"), (1530, "frame 0")):
        path.write_bytes(data[:size])
        for incomplete in ("raise", "nan", "zero", "crop"):
            with pytest.raises(TruncatedFileError, match=message):
                read(path, incomplete=incomplete)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 0, "expected NX, the number of columns, between 1 and"),
        (0, -5, "expected NX"),
        (4, 2**30, "expected NY, the number of rows"),
        (92, -1, "expected NSYMBT"),
        (92, 2**31 - 1, "ends inside its extended header"),
    ],
)
def test_fields_that_make_no_sense_are_named(path, at, value, message) -> None:
    patched(path, at, "<i", value)
    with pytest.raises(Lazy4DError, match=f"a.mrc: .*{message}"):
        read(path)


@pytest.mark.parametrize(("nx", "ny"), [(2**20, 2**20), (2**17, 4), (8, 2**20)])
def test_lying_sizes_allocate_nothing(path, nx, ny) -> None:
    patched(path, 0, "<2i", nx, ny)
    tracemalloc.start()
    with pytest.raises(TruncatedFileError, match="not one whole frame"):
        read(path, incomplete="nan")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


# ---- noise


def outcome(path: Path, read_all, **options) -> None:
    """A named error that says where, or frames that can be read."""
    told = ""
    try:
        frames = read(path, **options).frames
    except Lazy4DError as error:
        told = str(error)
    if told:
        assert str(path.parent) in told
        return
    total = int(np.prod(frames.nav_shape, dtype=object))
    assert total * frames.frame_nbytes <= 200 * 2**20
    read_all(frames, tile=64)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 300)), max_size=4),
    st.integers(0, 1500),
    st.sampled_from(["raise", "nan", "crop"]),
)
def test_words_of_the_header_may_be_anything(tmp_path, read_all, words, cut, incomplete) -> None:
    path = write_mrc(tmp_path / "a.mrc", FRAMES)
    data = bytearray(path.read_bytes())
    for word, value in words:
        struct.pack_into("<i", data, 4 * word, value)
    path.write_bytes(data[: max(0, len(data) - max(0, cut - 300))])
    outcome(path, read_all, incomplete=incomplete, reader="mrc")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(
            ["Scan - Size X", "Scan - Size Y", "Scan - Repeats", "Scan - Camera Frames Per Point", "Scan - Type",
             "Autosave Movie Sum Count", "Scan - Points", "Timestamp (seconds since Epoch)", "Scan - Enable",
             "Autosave Movie Frames Written", "Diffraction Pixel Size X", "Image Size X (pixels)"]
        ),
        st.none() | st.integers(-1, 8).map(str) | st.sampled_from(["1e308", "inf", "nan", "", "9" * 30, "XY", "²"]),
    ),
    st.none() | st.binary(max_size=40) | st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=7),
)  # fmt: skip
def test_companions_may_say_anything(tmp_path, read_all, info, table) -> None:
    path = write_direct_electron(tmp_path, FRAMES, info=info, images=False)
    beside = tmp_path / "20241021_00405_scan_coordinates.csv"
    beside.unlink(missing_ok=True)
    if isinstance(table, bytes):
        beside.write_bytes(table)
    elif table is not None:
        beside.write_text("".join(f"{x},{y}\n" for x, y in table))
    outcome(path, read_all)
