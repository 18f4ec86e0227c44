"""Frame numbers of Celeritas halves: their width told, long losses named, halves of other recordings refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from lazy4d.data.seq import write_celeritas
from lazy4d.errors import FormatError, MissingCompanionError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read

TIMES = (("14-13-42.780", "14-13-42.822"), ("15-00-00.000", "15-00-00.040"))


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """20000 frames (4, 4), each of which tells which one it is; the counter pixels hold 0."""
    frames = np.zeros((20000, 4, 4), np.uint16)
    frames[:] = np.arange(20000)[:, None, None]
    frames[:, 1:3, 0] = 0
    return frames


def write_compact(folder: Path, frames: np.ndarray, **options) -> tuple[Path, Path]:
    """Two halves without padding: images of 4 half-frames of 16 bytes and a time stamp."""
    return write_celeritas(folder, frames, padding=False, **options)


def told_apart(out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which frame the upper and the lower half of each frame are of."""
    return out[..., 0, 1], out[..., 3, 1]


# ---- width


@pytest.mark.parametrize("half", ["drop_top", "drop_bottom"])
def test_a_late_half_with_wide_counters_is_put_in_step(tmp_path, many, read_all, half) -> None:
    path, _ = write_compact(tmp_path, many[:6000], counter_wrap=65536, **{half: range(3000)})
    source = read(path, pre_buffer=4)
    assert "begins 3000 frames later" in source.warnings[0]
    for found in told_apart(read_all(source.frames)):
        assert np.array_equal(found, np.arange(3000, 6000))


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("lost", [range(1000, 5096), range(5000, 5000 + 8192)])
def test_a_loss_of_4096_frames_is_seen_in_wide_counters(tmp_path, many, read_all, lost, both) -> None:
    frames = many[: lost.stop + 1000]
    path, _ = write_compact(
        tmp_path, frames, counter_wrap=65536, drop_top=lost, drop_bottom=lost if both else ()
    )  # fmt: skip
    told = rf"expected {lost.start}, found {lost.stop}: {len(lost)} frames are missing"
    with pytest.raises(FormatError, match=told):
        read(path, pre_buffer=4)
    out, valid = read_all(read(path, pre_buffer=4, incomplete="nan").frames, with_valid=True)
    assert np.array_equal(np.flatnonzero(~valid), np.array(lost))
    for found in told_apart(out[valid]):
        assert np.array_equal(found, np.setdiff1d(np.arange(len(frames)), lost))
    assert not audit(path, pre_buffer=4).ok


@pytest.mark.parametrize(("first", "wrap"), [(0, 4096), (65000, 65536), (65535, 65536), (8000, 8192), (0, 16384)])
def test_counters_start_again_where_they_do(tmp_path, many, read_all, first, wrap) -> None:
    path, _ = write_compact(tmp_path, many, first_counter=first, counter_wrap=wrap)
    source = read(path, pre_buffer=4)
    assert source.warnings == ()
    out = read_all(source.frames)
    assert np.array_equal(out[:, 1, 0], (np.arange(20000) + first) % wrap)
    assert audit(path, pre_buffer=4).ok


def test_one_overwritten_large_number_does_not_widen_counters(tmp_path, many, read_all) -> None:
    path, _ = write_compact(tmp_path, many[:10000])
    with open(path, "r+b") as file:
        file.seek(8192 + 30 // 4 * 72 + 30 % 4 * 16)
        file.write(struct.pack("<H", 60000))
    with pytest.raises(FormatError, match=r"frame 30 .*jumps, expected 30, found 60000"):
        read_all(read(path, pre_buffer=4).frames)
    _, valid = read_all(read(path, pre_buffer=4, incomplete="nan").frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [30]


def test_a_half_shorter_by_more_than_its_counters_can_tell(tmp_path, many) -> None:
    path, _ = write_compact(tmp_path, many[:6000], drop_top=range(1000, 5096))
    assert "would not show so many frames lost at once: verify that both halves" in read(path, pre_buffer=4).warnings[0]


# ---- losses of more than half of the numbers


def test_a_long_loss_in_both_halves(tmp_path, many, read_all) -> None:
    lost = range(1000, 4000)
    path, _ = write_compact(tmp_path, many[:6000], drop_top=lost, drop_bottom=lost)
    with pytest.raises(FormatError, match="expected 1000, found 4000: 3000 frames are missing, frame 1000 "):
        read(path, pre_buffer=4)
    for incomplete in ("nan", "zero"):
        source = read(path, pre_buffer=4, incomplete=incomplete, scan_shape=(60, 100))
        out, valid = read_all(source.frames, with_valid=True)
        assert np.array_equal(np.flatnonzero(~valid.ravel()), np.array(lost))
        for found in told_apart(out[valid]):
            assert np.array_equal(found, np.setdiff1d(np.arange(6000), lost))
    assert read(path, pre_buffer=4, incomplete="crop", scan_shape=(60, 100)).frames.nav_shape == (10, 100)


def test_several_long_losses_add_up(tmp_path, many, read_all) -> None:
    lost = [*range(1000, 4000), *range(5000, 9000), *range(9500, 9504)]
    path, _ = write_compact(tmp_path, many[:12000], drop_top=lost, drop_bottom=lost)
    with pytest.raises(FormatError, match="7004 frames are missing in 3 gaps"):
        read(path, pre_buffer=4)
    out, valid = read_all(read(path, pre_buffer=4, incomplete="nan").frames, with_valid=True)
    assert np.array_equal(np.flatnonzero(~valid), lost)
    assert np.array_equal(told_apart(out[valid])[1], np.setdiff1d(np.arange(12000), lost))


def test_numbers_that_go_back_a_little(tmp_path, many) -> None:
    path, _ = write_compact(tmp_path, many[:400])
    with open(path, "r+b") as file:
        for frame in range(200, 400):
            file.seek(8192 + frame // 4 * 72 + frame % 4 * 16)
            file.write(struct.pack("<H", frame - 10))
    with pytest.raises(FormatError, match=r"go back at half-frame 200 .*expected 200, found 190"):
        read(path, pre_buffer=4, incomplete="nan")


def test_a_half_of_which_either_may_have_begun_first(tmp_path, many, read_all) -> None:
    path, _ = write_compact(tmp_path, many[:6000], drop_bottom=range(3000))
    with pytest.raises(FormatError, match=r"1096 frames later than .*, or 3000 frames earlier: .* at 4096 cannot tell"):
        read(path, pre_buffer=4)
    path, _ = write_compact(tmp_path, many[:4000], drop_bottom=range(3000))
    out = read_all(read(path, pre_buffer=4).frames)  # here only one way leaves frames of both
    assert np.array_equal(*told_apart(out))
    assert out[0, 0, 1] == 3000


# ---- whose halves


def two_recordings(folder: Path, many: np.ndarray, times=TIMES) -> list[Path]:
    return [path for pair in times for path in write_compact(folder, many[:8], times=pair)]


def test_the_half_of_another_recording_is_refused(tmp_path, many) -> None:
    _, bottom, top, second = two_recordings(tmp_path, many)
    second.unlink()
    told = r"found the Top half, but no scan_Bottom_\*\.seq in .*: the nearest, scan_Bottom_14-13-42\.822\.seq, is 2777"
    with pytest.raises(MissingCompanionError, match=told):
        read(top)
    with pytest.raises(FormatError, match=r"at most 10 s apart, found scan_Bottom_14-13-42\.822\.seq, 2777\.178 s"):
        read([top, bottom])
    assert read(bottom).frames.nav_shape == (8,)
    (tmp_path / "scan_Top_14-13-42.780.seq").unlink()
    with pytest.raises(MissingCompanionError, match=r"scan_Bottom_14-13-42\.822\.seq, is 2777"):
        read(tmp_path / "scan.seq")


@pytest.mark.parametrize("lost", [1, 3])
def test_the_half_of_a_recording_seconds_away_is_refused(tmp_path, many, lost) -> None:
    files = two_recordings(tmp_path, many, (TIMES[0], ("14-13-44.780", "14-13-44.822")))
    files[lost].unlink()
    with pytest.raises(MissingCompanionError, match=r"s apart by the times in the names, and belongs to scan_Top_"):
        read(files[lost - 1])
    assert read(files[3 - lost]).frames.nav_shape == (8,)


def test_times_across_midnight(tmp_path, many) -> None:
    files = two_recordings(tmp_path, many, (("23-59-59.990", "00-00-00.030"),))
    assert read(files[1]).frames.nav_shape == (8,)
    files[1].rename(tmp_path / "scan_Bottom_00-00-15.000.seq")
    with pytest.raises(MissingCompanionError, match=r"is 15\.010 s apart"):
        read(files[0])


def test_halves_of_which_only_some_have_a_time(tmp_path, many) -> None:
    top, bottom = write_compact(tmp_path, many[:8], times=("", "14-13-42.822"))
    assert read(top).frames.nav_shape == read(bottom).frames.nav_shape == (8,)  # there are no others
    write_compact(tmp_path, many[:8], times=TIMES[1])
    for path in (top, bottom):
        with pytest.raises(MissingCompanionError, match=r"belong|is 2777"):
            read(path)
    _, plain = write_compact(tmp_path, many[:8], times=("", ""))
    assert read(top).frames.bottom.files.path(0) == str(plain)
