"""Files cut, corrupt or lacking frames: an error that names the place, or invalid frames on request; never silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.data.mib import write_mib
from lazy4d.errors import FormatError, Lazy4DError, ScanShapeError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read
from lazy4d.io.sequence import probe_sequence, sample_records

STRIDE = 384 + 4 * 8 * 2


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(5).integers(1, 4096, (100, 4, 8), np.uint16)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def drop(frames: np.ndarray, missing: list[int]) -> dict:
    """Frames without some, and the numbers that the others keep."""
    kept = np.setdiff1d(np.arange(len(frames)), missing)
    return {"frames": frames[kept], "numbers": kept + 1}


# ---- cut short


def test_a_file_that_ends_inside_a_frame(tmp_path, frames, read_all) -> None:
    path = write_mib(tmp_path / "scan.mib", frames, scan_shape=(10, 10))
    path.write_bytes(path.read_bytes()[: 83 * STRIDE + 100])
    with pytest.raises(
        TruncatedFileError,
        match=rf"ends inside frame 83 \(counted from 0; {STRIDE} bytes needed, 100 left\): 83 complete",
    ):
        read(path)
    cropped = read(path, incomplete="crop")
    assert cropped.frames.nav_shape == (8, 10)
    assert np.array_equal(read_all(cropped.frames).reshape(80, 4, 8), frames[:80])
    filled = read(path, incomplete="nan")
    out, valid = read_all(filled.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == list(range(83, 100))
    assert np.array_equal(out.reshape(100, 4, 8)[:83], frames[:83])
    assert not out.reshape(100, 4, 8)[83:].any()
    assert "ends inside frame 83" in filled.warnings[0]


@pytest.mark.parametrize("left", [1, 100, 383, 400])
def test_a_file_without_one_whole_frame(tmp_path, frames, left) -> None:
    path = write_mib(tmp_path / "scan.mib", frames)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(Lazy4DError, match=r"scan.mib"):
        read(path)
    with pytest.raises(Lazy4DError, match=r"scan.mib"):
        read(path, incomplete="nan")


# ---- damaged headers


def test_damage_in_a_sampled_header_is_found_at_load(tmp_path, frames, read_all) -> None:
    path = write_mib(tmp_path / "scan.mib", frames)
    overwrite(path, 99 * STRIDE, b"\0" * 40)
    with pytest.raises(
        FormatError, match=rf"frame 99 .*byte {99 * STRIDE} is damaged: no MIB header there, expected 'MQ1"
    ):
        read(path)
    source = read(path, incomplete="zero")
    assert "frame 99" in source.warnings[0]
    _, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [99]
    assert source.frames.incomplete == "zero"


def test_a_tail_of_zeros_is_found_and_cropped(tmp_path, frames, read_all) -> None:
    path = write_mib(tmp_path / "scan.mib", frames, scan_shape=(10, 10))
    overwrite(path, 57 * STRIDE, bytes(43 * STRIDE))
    with pytest.raises(FormatError, match=r"frame 57 .*is damaged"):
        read(path)
    cropped = read(path, incomplete="crop")
    assert np.array_equal(read_all(cropped.frames).reshape(50, 4, 8), frames[:50])


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize(
    ("offset", "data", "told"),
    [
        (0, b"XX", "no MIB header there"),
        (6, b"x", "no MIB header there"),
        (4, b"000077", "expected number 43, found 77"),
        (11, b"00768", "header length, chips, width, height, pixel code, layout or chip mask changed"),
        (20, b"0004", "changed, expected .*0008,0004,U16.*found"),
    ],
)
def test_damage_between_sampled_headers_is_found_by_the_block(
    tmp_path, frames, read_all, io, offset, data, told
) -> None:
    path = write_mib(tmp_path / "scan.mib", frames)
    overwrite(path, 42 * STRIDE + offset, data)
    source = read(path, io=io).frames
    part = source.open((slice(0, 40),))
    part.read(0, 40, np.empty((40, 4, 8), "u2"), ())
    part.close()
    with pytest.raises(
        FormatError, match=rf"scan.mib: frame 42 \(record 42 .* at byte {42 * STRIDE} is damaged: .*{told}"
    ):
        read_all(source)
    tolerant = read(path, incomplete="nan", io=io)
    out, valid = read_all(tolerant.frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [42]
    assert not out[42].any()
    assert np.array_equal(out[valid], frames[valid])


def test_a_block_that_holds_no_damage_is_read_even_under_a_mask(tmp_path, frames, read_all) -> None:
    path = write_mib(tmp_path / "scan.mib", frames)
    overwrite(path, 42 * STRIDE, b"XX")
    mask = np.ones(100, bool)
    mask[42] = False
    assert np.array_equal(read_all(read(path).frames.select((mask,))), frames[mask])


def test_a_wrong_header_length_in_the_first_header_is_not_believed(tmp_path, frames) -> None:
    path = write_mib(tmp_path / "scan.mib", frames)
    overwrite(path, 11, b"00380")
    with pytest.raises(FormatError, match=f"at byte {STRIDE - 4} .*the next one is at byte {STRIDE}.*header length"):
        read(path, incomplete="nan")


# ---- dropped frames


@pytest.mark.parametrize("missing", [[50], [7, 8, 9], [7, 50, 51, 93]])
def test_dropped_frames_are_named_and_their_places_kept(tmp_path, frames, read_all, missing) -> None:
    path = write_mib(
        tmp_path / "scan.mib",
        **drop(frames, missing),
        scan_shape=(10, 10),
        hdr={"Frames in Acquisition (Number)": "100"},
    )
    first = missing[0]
    with pytest.raises(
        FormatError,
        match=rf"frame numbers jump at record {first}, expected number {first + 1}.*frame {first} \(counted",
    ):
        read(path)
    source = read(path, incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == missing
    kept = np.setdiff1d(np.arange(100), missing)
    assert np.array_equal(out.reshape(100, 4, 8)[kept], frames[kept])
    assert any("frame numbers jump" in text for text in source.warnings)
    if first < 10:
        with pytest.raises(ScanShapeError, match=f"damage begins at frame {first} .*Not one whole line"):
            read(path, incomplete="crop")
    else:
        assert read(path, incomplete="crop").frames.nav_shape == (first // 10, 10)
    ignored = read(path, frame_numbers="ignore", scan_shape=(-1,))
    assert np.array_equal(read_all(ignored.frames), frames[kept])


def test_a_drop_and_a_repeat_that_cancel_are_found_by_the_block(tmp_path, frames, read_all) -> None:
    numbers = np.arange(1, 101)
    numbers[42] = 42
    path = write_mib(tmp_path / "scan.mib", frames, numbers=numbers)
    with pytest.raises(FormatError, match="frame numbers jump, expected number 43, found 42"):
        read_all(read(path).frames)


@pytest.mark.parametrize("number", [3, 800_000])
def test_one_wrong_number_in_a_sampled_header_is_damage_to_that_frame_only(tmp_path, frames, read_all, number) -> None:
    record = sample_records(100)[5]
    numbers = np.arange(1, 101)
    numbers[record] = number
    path = write_mib(tmp_path / "scan.mib", frames, numbers=numbers)
    with pytest.raises(FormatError, match=f"frame {record} .*expected number {record + 1}, found {number}"):
        read(path)
    out, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [record]
    assert np.array_equal(out[valid], frames[valid])


def test_numbers_that_go_back_cannot_place_frames(tmp_path, frames, read_all) -> None:
    numbers = np.r_[1:61, 1:41]
    path = write_mib(tmp_path / "scan.mib", frames, numbers=numbers)
    for incomplete in ("raise", "nan"):
        with pytest.raises(FormatError, match=r"go back at record 60.*frame_numbers='ignore'"):
            read(path, incomplete=incomplete)
    assert np.array_equal(read_all(read(path, frame_numbers="ignore").frames), frames)


@settings(max_examples=80)
@given(st.integers(2, 3000), st.sets(st.integers(1, 2999), max_size=6), st.data())
def test_probing_finds_every_gap(count, gaps, data) -> None:
    breaks = sorted(g for g in gaps if g < count)
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=len(breaks), max_size=len(breaks)))
    shift = np.zeros(count, int)
    for start, size in zip(breaks, sizes, strict=True):
        shift[start:] += size
    found = probe_sequence(lambda record: int(shift[record]), count)
    assert found.unreadable is None
    assert found.breaks == ((0, 0), *((start, int(shift[start])) for start in breaks))


@given(st.integers(2, 3000), st.data())
def test_probing_finds_where_a_damaged_tail_begins(count, data) -> None:
    bad = data.draw(st.integers(1, count - 1))
    assert probe_sequence(lambda record: 0 if record < bad else None, count).unreadable == bad


@given(st.integers(1, 10**7))
def test_samples_hold_both_ends(count) -> None:
    records = sample_records(count)
    assert records[0] == 0
    assert records[-1] == count - 1
    assert len(records) <= 18
    assert records == sorted(set(records))


# ---- anything at all


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_damage_is_never_a_foreign_error_nor_wrong_pixels(tmp_path, read_all, data) -> None:
    """Bytes of headers replaced, the file cut or extended: lazy4d's own error, or frames that are right where valid."""
    values = np.arange(1, 6 * 32 + 1, dtype="u2").reshape(6, 4, 8)
    path = write_mib(tmp_path / "scan.mib", values, hdr=False)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 5)) * STRIDE + data.draw(st.integers(0, 60))
        raw[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw) + 50))
    path.write_bytes(bytes(raw[:cut]).ljust(cut, b"\0") if data.draw(st.booleans()) else bytes(raw))
    incomplete = data.draw(st.sampled_from(["raise", "nan", "zero", "crop"]))
    try:
        source = read(path, reader="mib", incomplete=incomplete).frames
        out, valid = read_all(source, with_valid=True)
    except Lazy4DError as error:
        assert "scan.mib" in str(error)  # noqa: PT017 -- the type is the point
        return
    if source.frame_shape == (4, 8):
        out, valid = out.reshape(-1, 4, 8), valid.ravel()
        numbers = source.navigation.numbers([slice(0, n) for n in source.nav_shape])
        for frame, number in zip(out[valid], numbers[valid], strict=True):
            assert number >= 0
            assert any(np.array_equal(frame, value) for value in values)
        assert not out[~valid].any()


# ---- audit


def test_a_report_on_a_whole_file(tmp_path, frames) -> None:
    report = audit(write_mib(tmp_path / "scan.mib", frames))
    assert report.ok
    assert (report.frames, report.frames_expected, report.missing) == (100, 100, 0)
    assert str(report) == "scan.mib: 100 frames, no damage found"


def test_a_report_counts_and_lists_all_damage(tmp_path, frames) -> None:
    path = write_mib(tmp_path / "scan.mib", **drop(frames, [20, 21, 70]), hdr={"Frames in Acquisition (Number)": "100"})
    overwrite(path, 40 * STRIDE, b"XX")
    overwrite(path, 41 * STRIDE + 20, b"0128")
    with open(path, "ab") as file:
        file.write(b"MQ1,")
    report = audit(path)
    assert not report.ok
    assert report.frames == 97
    assert report.frames_expected == 100
    assert report.corrupt == (40,)
    assert report.changed == (41,)
    assert [(gap.frame, gap.missing) for gap in report.gaps] == [(20, 2), (68, 1)]
    assert report.truncated == {str(path): 4}
    text = repr(report)
    for told in (
        "100 frames expected, 97 found",
        "corrupt headers: 1: frames 40",
        "changed geometry: 1: frames 41",
        "2 jumps, 3 frames missing: frame 20 (expected number 21, found 23)",
        "ends inside a frame: 4 bytes",
    ):
        assert told in text


def test_a_report_from_a_source_and_from_its_frames(tmp_path, frames) -> None:
    source = read(write_mib(tmp_path / "scan.mib", frames, scan_shape=(10, 10)))
    assert audit(source).ok
    assert (
        audit(source.frames.select((slice(0, 2, 1), slice(0, 10, 3)))).frames == 100
    )  # all headers, whatever is selected


def test_wrapping_numbers_are_no_gap(tmp_path, frames) -> None:
    assert audit(write_mib(tmp_path / "scan.mib", frames, numbers=np.arange(999_950, 1_000_050) % 10**6)).ok


def test_a_file_without_frame_headers_is_only_measured(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 4)))
    report = audit(tmp_path / "a.npy")
    assert report.ok
    assert not report.checked
    assert "no frame headers" in str(report)
    with pytest.raises(TypeError, match="only files of records of fixed length can be audited, found int"):
        audit(3)
