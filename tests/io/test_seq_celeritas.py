"""The two halves of a Celeritas recording: found, put together, kept in step by the counters in their pixels."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.data.seq_sidecars import write_config
from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning, MissingCompanionError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read

TOP, BOTTOM = "scan_Top_14-13-42.780.seq", "scan_Bottom_14-13-42.822.seq"


@pytest.fixture
def frames() -> np.ndarray:
    """48 frames (8, 6), whose counter pixels hold 0."""
    return counted(np.random.default_rng(7).integers(1, 4096, (48, 8, 6), np.uint16))


def counted(frames: np.ndarray, first: int = 0) -> np.ndarray:
    """The frames with their numbers where a camera writes them."""
    frames[:, 3, 0] = frames[:, 4, 0] = (np.arange(len(frames)) + first) % 4096
    return frames


def uncounted(frames: np.ndarray) -> np.ndarray:
    """A copy of the frames with intensities where a camera may write numbers."""
    plain = frames.copy()
    plain[:, 3:5, 0] = frames[:, 3:5, 1]
    return plain


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


# ---- put together


@pytest.mark.parametrize("pre_buffer", [1, 2, 6, 24, 48])
@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("padding", [True, False])
def test_halves_are_put_together(tmp_path, frames, read_all, pre_buffer, io, padding) -> None:
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=pre_buffer, padding=padding)
    source = read(top, io=io, pre_buffer=pre_buffer, scan_shape=(6, 8))
    assert source.warnings == ()
    assert source.frames_found == source.frames_expected == 48
    whole = frames.reshape(6, 8, 8, 6)
    for tile in (1, 5, 48):
        assert np.array_equal(read_all(source.frames, tile=tile), whole)
    picked = source.frames.select((slice(5, -1, -2), slice(1, 8, 3)))
    assert np.array_equal(read_all(picked), whole[::-2, 1::3])
    backwards = source.frames.select((slice(0, 6, 1), slice(7, -1, -1)))
    assert np.array_equal(read_all(backwards, tile=11), whole[:, ::-1])
    mask = np.random.default_rng(0).random((6, 8)) < 0.4
    assert np.array_equal(read_all(source.frames.select((mask,)), tile=20), whole[mask])


@pytest.mark.parametrize("name", [TOP, BOTTOM, "scan.seq", "scan", "scan_*.seq", "*.seq"])
def test_any_of_its_names_means_the_recording(tmp_path, frames, read_all, name) -> None:
    write_celeritas(tmp_path, frames)
    source = read(str(tmp_path / name))
    assert source.title == "scan"
    assert source.identity["path"] == str(tmp_path / TOP)
    assert source.identity["files"] == 2
    assert source.identity["size"] == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert np.array_equal(read_all(source.frames), frames)
    assert audit(str(tmp_path / name)).ok


def test_both_halves_in_any_order(tmp_path, frames, read_all) -> None:
    top, bottom = write_celeritas(tmp_path, frames)
    assert np.array_equal(read_all(read([bottom, top]).frames), frames)


def test_the_window_of_a_task_is_honoured(tmp_path, frames) -> None:
    source = read(write_celeritas(tmp_path, frames)[0]).frames
    for rows in (slice(0, 3), slice(2, 6), slice(5, 8), slice(4, 4)):
        block = source.open((slice(10, 20),))
        out = np.full((10, 8, 6), 9999, np.uint16)
        block.read(0, 10, out, (rows, slice(1, 4)))
        block.close()
        assert np.array_equal(out[:, rows, 1:4], frames[10:20, rows, 1:4])
        out[:, rows, 1:4] = 9999
        assert (out == 9999).all()


def test_the_nearest_other_half_is_taken(tmp_path, frames, read_all) -> None:
    for times in (("14-13-42.780", "14-13-42.822"), ("14-15-00.000", "14-15-00.040"), ("23-59-59.990", "00-00-00.030")):
        write_celeritas(tmp_path, counted(frames + 1), times=times)
    other = read(tmp_path / "scan_Top_14-15-00.000.seq").frames
    assert os.path.basename(other.bottom.files.path(0)) == "scan_Bottom_14-15-00.040.seq"
    midnight = read(tmp_path / "scan_Top_23-59-59.990.seq").frames
    assert os.path.basename(midnight.bottom.files.path(0)) == "scan_Bottom_00-00-00.030.seq"
    with pytest.raises(FormatError, match=r"3 recordings are called so, give one of scan_Top_14-13-42.780.seq"):
        read(tmp_path / "scan.seq")


def test_names_without_times(tmp_path, frames, read_all) -> None:
    top, bottom = write_celeritas(tmp_path, frames, times=("", ""))
    assert top.name == "scan_Top.seq"
    assert np.array_equal(read_all(read(bottom).frames), frames)
    bottom.unlink()
    assert read(top).frames.frame_shape == (16, 6)  # alone, such a name says nothing


def test_it_loads_as_a_signal_and_computes_in_another_process(tmp_path, frames, distributed_client) -> None:
    s = l4.load(write_celeritas(tmp_path, frames)[0], scan_shape=(6, 8))
    assert len(pickle.dumps(s.frames.source)) < 4000
    assert np.array_equal(s.data.compute(), frames.reshape(6, 8, 8, 6))
    with distributed_client.as_current():
        assert np.array_equal(s.sum().compute().data, frames.sum(axis=0))
    low = s.isig[:, :3].get_virtual_image(l4.RectangleROI(0, 0, 6, 3))
    assert np.array_equal(low.compute().data.ravel(), frames[:, :3].sum(axis=(1, 2)))


# ---- pre-buffer


def test_the_pre_buffer_is_told_by_the_settings_then_by_the_counters(tmp_path, frames, read_all) -> None:
    top, bottom = write_celeritas(tmp_path, uncounted(frames), pre_buffer=6, counters=False)
    with pytest.raises(MissingCompanionError, match=r"scan\.seq\.Config\.Metadata\.xml, which is missing.*pre_buffer="):
        read(top)
    config = write_config(tmp_path / "scan.seq", {"SegmentPreBuffer": 6})
    source = read(top)
    assert source.frames.nav_shape == (48,)
    assert "no frame counters in the pixels: that both halves belong together is not verified" in source.warnings[0]
    config.unlink()
    for pre_buffer in (1, 2, 6, 24):
        top, bottom = write_celeritas(tmp_path, frames, pre_buffer=pre_buffer)
        assert np.array_equal(read_all(read(bottom).frames), frames), pre_buffer
    with pytest.raises(ValueError, match="pre_buffer=7 must be a whole number that divides the 96 rows"):
        read(top, pre_buffer=7)


@pytest.mark.parametrize(("stated", "told"), [(3, "say 6"), (5, "say 6")])
def test_settings_that_contradict_the_counters(tmp_path, frames, stated, told) -> None:
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=6)
    write_config(tmp_path / "scan.seq", {"SegmentPreBuffer": stated})
    with pytest.raises(FormatError, match=rf"SegmentPreBuffer says {stated} half-frames .* {told}; give the right"):
        read(top)
    assert read(top, pre_buffer=6).frames.nav_shape == (48,)


# ---- counters


@pytest.mark.parametrize(("first", "wrap"), [(4090, 4096), (65530, 65536), (0, 16384), (4090, 65536)])
def test_counters_of_any_width(tmp_path, frames, read_all, first, wrap) -> None:
    top, _ = write_celeritas(tmp_path, frames, first_counter=first, counter_wrap=wrap)
    out = read_all(read(top).frames)
    assert out[:, 3, 0].tolist() == [(k + first) % wrap for k in range(48)]
    assert audit(top).ok


def test_repaired_counter_pixels(tmp_path, frames, read_all) -> None:
    top, _ = write_celeritas(tmp_path, frames)
    kept, repaired = read(top), read(top, counter_pixels="repair")
    out = read_all(repaired.frames)
    assert kept.frames.token != repaired.frames.token
    wide = frames.astype(int)
    assert np.array_equal(out[:, 3, 0], (wide[:, 3, 1] + wide[:, 2, 0]) // 2)
    assert np.array_equal(out[:, 4, 0], (wide[:, 4, 1] + wide[:, 5, 0]) // 2)
    out[:, 3:5, 0] = frames[:, 3:5, 0]
    assert np.array_equal(out, frames)
    detector = kept.metadata["Acquisition_instrument"]["TEM"]["Detector"]
    assert detector["Reference"]["counter_pixels"] == [[3, 0], [4, 0]]
    assert "Reference" not in repaired.metadata["Acquisition_instrument"]["TEM"]["Detector"]


@pytest.mark.parametrize(
    ("top", "bottom", "missing"), [([20], [20], [20]), ([20], [30], [20, 30]), ([9, 10, 11], [], [9, 10, 11])]
)
def test_dropped_frames_are_named_and_their_places_kept(tmp_path, frames, read_all, top, bottom, missing) -> None:
    path, _ = write_celeritas(tmp_path, frames, pre_buffer=1, drop_top=top, drop_bottom=bottom)
    told = rf"_Top_.*frame counters jump at half-frame {missing[0]} .*expected {missing[0]}, found .*frames are missing"
    with pytest.raises(FormatError, match=told):
        read(path, pre_buffer=1)
    source = read(path, pre_buffer=1, incomplete="nan", scan_shape=(6, 8))
    assert source.warnings
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == missing
    assert np.array_equal(out[valid], frames[valid.ravel()])
    assert not out[~valid].any()
    assert read(path, pre_buffer=1, incomplete="crop", scan_shape=(6, 8)).frames.nav_shape == (missing[0] // 8, 8)
    report = audit(path, pre_buffer=1)
    assert sorted({gap.frame for gap in report.gaps}) == sorted({lost[0] for lost in (top, bottom) if lost})
    ignored = read(path, pre_buffer=1, frame_numbers="ignore")
    assert ignored.frames.nav_shape == (48 - max(len(top), len(bottom)),)


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_halves_out_of_step_between_sampled_frames_are_found_by_the_block(tmp_path, read_all, io) -> None:
    frames = counted(np.ones((400, 8, 6), np.uint16))
    top, bottom = write_celeritas(tmp_path, frames, pre_buffer=4)
    image, within = divmod(123, 4)
    place = 8192 + image * 8192 + within * 4 * 6 * 2
    overwrite(bottom, place, b"\x01\x02")
    source = read(top, io=io)
    with pytest.raises(FormatError, match=rf"_Bottom_.*frame 123 .*at byte {place} .*jumps, expected 123, found 513"):
        read_all(source.frames)
    out, valid = read_all(read(top, io=io, incomplete="zero").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [123]
    assert not out[123].any()
    assert np.array_equal(out[valid], frames[valid])
    with pytest.warns(Lazy4DWarning, match="1 of the 400 frames read are damaged"):
        l4.load(top, incomplete="nan").sum().compute()


@pytest.mark.parametrize("frame", [0, 1, 20, 47])
def test_a_damaged_counter_found_at_load(tmp_path, frames, read_all, frame) -> None:
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=4)
    place = 8192 + frame // 4 * 8192 + frame % 4 * 48
    overwrite(top, place, b"\xd0\x07")
    with pytest.raises(FormatError, match=r"_Top_.*(does not fit the others|go back|are missing|jumps, expected)"):
        read_all(read(top, pre_buffer=4).frames)
    if frame == 47:
        return  # nothing follows that could tell a damaged number from frames that were dropped
    out, valid = read_all(read(top, pre_buffer=4, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [frame]
    assert np.array_equal(out[valid], frames[valid])


def test_a_half_that_starts_later(tmp_path, frames, read_all) -> None:
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=1, drop_bottom=[0, 1, 2])
    source = read(top, pre_buffer=1)
    assert "begins 3 frames later than scan_Top_14-13-42.780.seq" in source.warnings[0]
    assert np.array_equal(read_all(source.frames), frames[3:])
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=1, drop_top=[0])
    assert np.array_equal(read_all(read(top, pre_buffer=1).frames), frames[1:])


def test_halves_of_different_length(tmp_path, frames, read_all) -> None:
    top, _ = write_celeritas(tmp_path, frames, pre_buffer=8, drop_bottom=range(40, 48))
    source = read(top)
    assert source.frames.nav_shape == (40,)
    assert "has 40 frames, scan_Top_14-13-42.780.seq has 48: the 8 without another half are left" in source.warnings[0]
    assert np.array_equal(read_all(source.frames), frames[:40])


def test_halves_of_two_recordings(tmp_path, frames) -> None:
    first, other = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    other.mkdir()
    top, bottom = write_celeritas(first, frames)
    for pixels, change, told in (
        (frames, {"first_counter": 2000}, "not of one recording"),
        (
            uncounted(frames),
            {"counters": False},
            "expected its first pixels to count frames as those of the other half",
        ),
    ):
        bottom.write_bytes(write_celeritas(other, pixels, **change)[1].read_bytes())
        with pytest.raises(FormatError, match=told):
            read(top, pre_buffer=4)
        assert read(top, pre_buffer=4, frame_numbers="ignore").frames.nav_shape == (48,)
    bottom.write_bytes(write_celeritas(other, frames[:, :, :4])[1].read_bytes())
    with pytest.raises(FormatError, match="expected images of 6 x 16 pixels of 16 bits as in"):
        read(top)


# ---- missing, short


def test_a_missing_half_is_named(tmp_path, frames) -> None:
    top, bottom = write_celeritas(tmp_path, frames)
    content = top.read_bytes()
    top.unlink()
    for path in (bottom, tmp_path / "scan.seq"):
        with pytest.raises(MissingCompanionError, match=r"found the Bottom half, but no scan_Top_\*\.seq in "):
            read(path)
    bottom.unlink()
    top.write_bytes(content)
    with pytest.raises(MissingCompanionError, match=r"found the Top half, but no scan_Bottom_\*\.seq in "):
        read(top)
    top.unlink()
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "scan.seq")


@pytest.mark.parametrize("lost", [1, 8, 9, 60, 100, 300])
def test_a_half_cut_short_anywhere(tmp_path, frames, read_all, lost) -> None:
    """The frames of an image that is not complete are used as far as they are there."""
    top, bottom = write_celeritas(tmp_path, frames, pre_buffer=8, padding=False)
    os.truncate(bottom, bottom.stat().st_size - lost)
    left = 48 - max(0, -(-(lost - 8) // 48))  # 8 bytes of time stamp behind the pixels, 48 bytes a half-frame
    if left == 48:
        assert np.array_equal(read_all(read(top).frames), frames)
        return
    with pytest.raises(TruncatedFileError, match=rf"_Bottom_.*ends (inside|before) frame {left} .*of the 48"):
        read(top)
    out, valid = read_all(read(top, incomplete="nan", scan_shape=(6, 8)).frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == list(range(left, 48))
    assert np.array_equal(out.reshape(frames.shape)[:left], frames[:left])


def test_a_file_that_shrinks_after_load(tmp_path, frames) -> None:
    top, bottom = write_celeritas(tmp_path, frames)
    source = read(top).frames
    os.truncate(bottom, 9000)
    with pytest.raises(TruncatedFileError, match=r"_Bottom_.*shrank since it was loaded"):
        source.open((slice(0, 4),))


def test_a_file_that_is_only_called_like_a_half(tmp_path, frames) -> None:
    path = write_seq(tmp_path / "scan_Top_view.seq", frames)
    assert read(path).frames.nav_shape == (48,)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(28, 9000), st.binary(min_size=1, max_size=6)), max_size=4),
    fields=st.lists(st.tuples(st.sampled_from([548, 552, 564, 580]), st.binary(min_size=1, max_size=4)), max_size=2),
    kept=st.integers(20, 40000),
    half=st.sampled_from([0, 1]),
    pre_buffer=st.sampled_from([None, 1, 4]),
    incomplete=st.sampled_from(["raise", "nan", "crop"]),
)
def test_a_lying_half_gives_an_error_or_frames_that_are_there(
    tmp_path, read_all, changes, fields, kept, half, pre_buffer, incomplete
) -> None:
    files = write_celeritas(tmp_path, counted(np.ones((12, 8, 6), np.uint16)))
    content = bytearray(files[half].read_bytes())
    for offset, data in changes + fields:
        content[offset : offset + len(data)] = data
    files[half].write_bytes(content[:kept])
    told = ""
    try:
        source = read(files[0], incomplete=incomplete, reader="seq", pre_buffer=pre_buffer)
        assert np.prod(source.frames.nav_shape) * source.frames.frame_nbytes < 10 * sum(f.stat().st_size for f in files)
        read_all(source.frames)
    except Lazy4DError as error:
        told = str(error)
    except ValueError as error:
        assert pre_buffer is not None
        told = f"scan_Top {error}"
    assert not told or "scan_Top" in told or "scan_Bottom" in told


# ---- a real one


def test_vendor_halves(vendor_data, read_all) -> None:
    folder = vendor_data("seq/celeritas_64x64_prebuffer256")
    source = read(folder / "test.seq")
    assert source.frames.nav_shape == (512,)
    assert source.frames.dtype == np.uint16
    assert len(source.warnings) == 1
    assert "has 512 frames, test_Bottom_14-13-42.822.seq has 768" in source.warnings[0]
    out = read_all(source.frames, tile=100)
    assert out.shape == (512, 64, 64)
    assert int(out.sum(dtype=np.int64)) == 697178096
    assert out[:, 31, 0].tolist() == out[:, 32, 0].tolist() == list(range(512))
    instrument = source.metadata["Acquisition_instrument"]
    dark = instrument["TEM"]["Detector"]["Reference"]["dark"]
    assert np.corrcoef(dark.ravel(), out.mean(axis=0).ravel())[0, 1] > 0.99
    assert instrument["dwell_time"] == pytest.approx(1 / 86956.52)
    assert source.original_metadata["camera_records"][0]["last_image"] == 2
    assert audit(folder / "test.seq").ok
