"""A folder as one signal: what counts as its data, and what is said where it is not clear."""

from __future__ import annotations

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data.mib import write_mib_series
from lazy4d.data.mrc import write_direct_electron
from lazy4d.data.seq import write_celeritas
from lazy4d.errors import FormatError
from lazy4d.io.audit import audit
from lazy4d.io.folder import look_into
from lazy4d.io.registry import built_in_readers, find_reader, read


@pytest.fixture
def frames():
    return np.random.default_rng(3).integers(0, 200, (3, 4, 16, 64), np.uint16)


def test_a_series_and_its_companions(tmp_path, frames) -> None:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    write_mib_series(folder, frames, frames_per_file=1)
    (folder / "notes.txt").touch()
    (folder / ".hidden.mib").write_bytes(b"not data")
    (folder / "screenshots").mkdir()
    s = l4.load(folder)
    np.testing.assert_array_equal(s.as_numpy(), frames)
    assert find_reader(folder).name == "mib"
    assert audit(folder).frames == 12
    assert read(folder, reader="mib").frames.nav_shape == (3, 4)


def test_the_order_is_that_of_the_numbers(tmp_path, frames) -> None:
    write_mib_series(tmp_path, frames, frames_per_file=1, digits=1)
    np.testing.assert_array_equal(l4.load(tmp_path).as_numpy(), frames)


def test_one_file_alone(tmp_path, frames) -> None:
    np.save(tmp_path / "scan_7.npy", frames)
    assert read(tmp_path).frames.nav_shape == (3, 4)


def test_two_halves_of_a_detector(tmp_path, frames) -> None:
    write_celeritas(tmp_path, frames, pre_buffer=4, padding=False)
    assert l4.load(tmp_path, scan_shape=(3, 4)).frame_shape == (16, 64)


def test_a_real_recording_of_two_halves(vendor_data) -> None:
    with pytest.warns(l4.Lazy4DWarning, match="the 256 without another half are left out"):
        s = l4.load(vendor_data("seq/celeritas_64x64_prebuffer256"))
    assert s.shape == (512, 64, 64)


def test_a_movie_with_its_images(tmp_path, frames, vendor_data) -> None:
    write_direct_electron(tmp_path, frames)
    assert read(tmp_path).frames.nav_shape == (3, 4)
    real = vendor_data("mrc")
    with pytest.raises(FormatError, match="more than one data set"):
        read(real)  # another file of frames lies there too


def test_several_series(tmp_path, frames) -> None:
    write_mib_series(tmp_path, frames, stem="a_", hdr=False)
    write_mib_series(tmp_path, frames[:1], stem="b_", hdr=False)
    with pytest.raises(
        FormatError, match=r"more than one data set, it holds 12 x 'a_\*.mib', 4 x 'b_\*.mib'; .* such as .*a_\*.mib'"
    ):
        read(tmp_path)
    assert read(str(tmp_path / "b_*.mib")).frames.nav_shape == (4,)


def test_several_formats(tmp_path, frames) -> None:
    write_mib_series(tmp_path, frames)
    np.save(tmp_path / "mean.npy", frames[0])
    with pytest.raises(FormatError, match=r"it holds 12 x 'frame_\*.mib', 1 x 'mean.npy', 1 other files"):
        read(tmp_path)
    assert read(tmp_path, reader="mib").frames.nav_shape == (3, 4)
    assert read(tmp_path, reader="npy").frames.nav_shape == (4,)


def test_files_that_no_reader_puts_together(tmp_path, frames) -> None:
    for k in range(3):
        np.save(tmp_path / f"scan_{k}.npy", frames)
    with pytest.raises(FormatError, match=r"directory of 3 files that no reader takes as one series.*stack\("):
        read(tmp_path)


def test_a_series_that_does_not_belong_together_is_told_by_its_reader(tmp_path, frames) -> None:
    paths = write_mib_series(tmp_path, frames)
    paths[5].unlink()
    with pytest.raises(FormatError, match=r"frame numbers jump|frames are missing"):
        read(tmp_path)
    assert read(tmp_path, incomplete="nan").frames.incomplete == "nan"


def test_pictures_and_tables_beside_a_scan_are_not_data(tmp_path, frames) -> None:
    write_direct_electron(tmp_path, frames)
    for name in ("screen.png", "notes.csv", "settings.xml", "readme.map"):
        (tmp_path / name).write_bytes(b"something else")
    assert read(tmp_path).frames.nav_shape == (3, 4)


def test_an_empty_file_of_a_series_is_not_overlooked(tmp_path, frames) -> None:
    np.save(tmp_path / "scan.npy", frames)
    (tmp_path / "scan.mib").touch()
    with pytest.raises(FormatError, match="more than one data set"):
        read(tmp_path)


def test_companions_are_not_data(tmp_path) -> None:
    for name in ("x.seq", "x.seq.dark.mrc", "x.seq.gain.mrc", "x.seq.metadata"):
        (tmp_path / name).touch()
    found = look_into(str(tmp_path), built_in_readers().values())
    assert found.series == {"x.seq": ["x.seq"]}
    assert found.others == 3
