"""Companions of a SEQ file: read into the metadata, never applied, and never a reason not to load."""

from __future__ import annotations

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.data.seq_sidecars import write_config, write_missing_frames, write_records, write_reference
from lazy4d.io.registry import read
from lazy4d.io.seq.config import BadPixelMap, CameraConfig, bad_pixel_mask


@pytest.fixture
def path(tmp_path):
    return write_seq(tmp_path / "scan.seq", np.ones((6, 8, 10), "u2"))


def detector(source) -> dict:
    return source.metadata["Acquisition_instrument"]["TEM"]["Detector"]


def test_references_go_into_the_metadata(path, read_all) -> None:
    rng = np.random.default_rng(2)
    dark, gain = rng.random((8, 10), np.float32), rng.random((8, 10), np.float32)
    write_reference(path, "dark", dark)
    write_reference(path, "gain", gain, sections=-1, padding=5000)
    source = read(path)
    reference = detector(source)["Reference"]
    assert source.warnings == ()
    assert np.array_equal(reference["dark"], dark)
    assert np.array_equal(reference["gain"], gain)
    assert reference["dark"].dtype == np.float32
    assert reference["applied"] is False
    assert (read_all(source.frames) == 1).all()
    s = l4.load(path)
    assert np.array_equal(s.metadata.Acquisition_instrument.TEM.Detector.Reference.gain, gain)


def test_large_references_stay_in_their_files_until_they_are_asked_for(tmp_path) -> None:
    path = write_seq(tmp_path / "a scan µ.seq", np.full((2, 1024, 1026), 7, "u2"))
    dark = write_reference(path, "dark", np.full((1024, 1026), 2.0))
    gain = write_reference(path, "gain", np.full((1024, 1026), 3.0))
    s = l4.load(path)
    place = {"path": str(dark), "offset": 1024, "shape": [1024, 1026], "dtype": "<f4"}
    assert detector(read(path))["Reference"]["dark"] == place
    corrected = s.apply_reference_correction()
    assert (corrected.inav[1].as_numpy() == 15).all()
    with pytest.raises(ValueError, match=r"dark reference of the frame shape \(1024, 3\)"):
        s.isig[:3].apply_reference_correction()
    dark.unlink()
    assert (corrected.inav[1].as_numpy() == 15).all()
    with pytest.raises(FileNotFoundError, match=r"dark\.mrc: the dark reference is no longer there; copy it back"):
        s.apply_reference_correction()
    gain.write_bytes(gain.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"gain\.mrc: the gain reference cannot be read where the metadata say"):
        s.apply_reference_correction(dark=False)
    assert "gain.mrc: expected 1024 x 1026 pixels, found 994; it is not used" in read(path).warnings[0]


def test_references_of_another_shape_or_cut_short_are_left_out_with_a_note(path) -> None:
    write_reference(path, "dark", np.ones((8, 12)))
    gain = write_reference(path, "gain", np.ones((8, 10)))
    gain.write_bytes(gain.read_bytes()[:1200])
    source = read(path)
    assert "Reference" not in detector(source)
    assert "scan.seq.dark.mrc: expected frames of (8, 10) pixels, found (8, 12); it is not used" in source.warnings[0]
    assert "scan.seq.gain.mrc: expected 8 x 10 pixels, found 44" in source.warnings[1]


def test_settings(path) -> None:
    write_config(
        path,
        {"FrameRate": 2000.0, "HT": 200, "Mag": 13, "ADUPerElectron": 300, "CameraType": "DE16", "ImageBinning": 2,
         "SWBinning": 0},
        tables={"DiffPixelSize": [{"CameraLength": 0.25, "Value": 0.00175}]},
    )  # fmt: skip
    source = read(path)
    instrument = source.metadata["Acquisition_instrument"]
    camera = detector(source)["StreamPix"]
    assert instrument["dwell_time"] == 0.0005
    assert instrument["TEM"]["beam_energy"] == 200
    assert instrument["TEM"]["magnification"] == 13000
    assert (camera["camera"], camera["adu_per_electron"], camera["binning"]) == ("DE16", 300, 2)
    assert "software_binning" not in camera
    assert "Reference" not in detector(source)  # no part for bad pixels
    assert source.original_metadata["config"]["DiffPixelSize"] == [{"CameraLength": "0.25", "Value": "0.00175"}]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not xml",
        b"<Configuration><FileInfo>",
        b"<Configuration/>",
        b"<Configuration><FileInfo><HT/><Mag Value='x'/></FileInfo></Configuration>",
        b"<Configuration><BadPixels/><PixelSize><Property/></PixelSize></Configuration>",
        b"<Configuration><BadPixels><BadPixelMap><Defect/><Defect Row='x'/></BadPixelMap></BadPixels></Configuration>",
        b"<Configuration><FileInfo><CameraType Value='\xb5'/></FileInfo></Configuration>\0\0\0",
    ],
)
def test_settings_with_missing_or_broken_parts_never_keep_a_file_from_loading(path, text) -> None:
    (path.parent / "scan.seq.Config.Metadata.xml").write_bytes(text)
    source = read(path)
    assert source.frames.nav_shape == (6,)
    broken = not text.endswith((b"</Configuration>", b"<Configuration/>", b"\0")) or b"Defect" in text
    assert bool(source.warnings) == broken


def test_bad_pixels(path) -> None:
    defects = [
        {"Row": 101, "Column": 203},
        {"Rows": "103-104", "Column": 200},
        {"Row": 106, "Columns": "204-300"},
        {"Column": 209},
        {"Rows": "0-9999", "Column": 201, "pattern": "0001"},
        {"Row": 400},
    ]
    write_config(path, {"ImageOffsetX": 200, "ImageOffsetY": 100}, defects=defects)
    mask = detector(read(path))["Reference"]["bad_pixels"]
    expected = np.zeros((8, 10), bool)
    expected[1, 3] = expected[3:5, 0] = True
    expected[6, 4:] = expected[:, 9] = True
    expected[[3, 7], 1] = True  # rows 103 and 107
    assert np.array_equal(mask, expected)


def test_bad_pixels_of_a_binned_image() -> None:
    full = BadPixelMap({}, ({"Row": "7", "Column": "5"},))
    info = {"ImageBinning": "2", "ImageOffsetX": "4", "ImageOffsetY": "2"}
    mask, _ = bad_pixel_mask(CameraConfig(info=info, bad_pixels=(full,)), (4, 4))
    assert np.argwhere(mask).tolist() == [[2, 0]]
    own = BadPixelMap({"Binning": "2"}, ({"Row": "3", "Column": "5"},))
    mask, _ = bad_pixel_mask(CameraConfig(info=info, bad_pixels=(full, own)), (4, 4))
    assert np.argwhere(mask).tolist() == [[1, 1]]
    assert bad_pixel_mask(CameraConfig(bad_pixels=(own,)), (4, 4)) == (None, [])


def test_missing_frames_that_the_camera_reports(path) -> None:
    write_missing_frames(path)
    assert read(path).warnings == ()
    assert read(path).original_metadata["missing_frames"] == []
    write_missing_frames(path, [3, 17])
    source = read(path)
    assert "the camera reports 2 missing frames: 3, 17" in source.warnings[0]
    assert detector(source)["StreamPix"]["missing_frames"] == [3, 17]


def test_records_of_a_de16(path) -> None:
    write_records(path, 6, first_image=None, frame_rate=400.0, magnification=0, pixel_size=0.5, local_time="noon")
    source = read(path)
    record = source.original_metadata["camera_records"][0]
    assert record["frame_rate"] == 400.0
    assert record["unbinned_width"] == 4096
    assert (record["pixel_size"], record["local_time"], record["flip"]) == (0.5, "noon", 2)
    assert record["global_shutter"] is True
    assert record["firmware_version"] == 1.12
    assert "magnification" not in record
    assert source.metadata["Acquisition_instrument"]["dwell_time"] == 0.0025


@pytest.mark.parametrize("content", [b"", b"\1" * 300, bytes(256)])
def test_records_of_another_kind_are_left_out(path, content) -> None:
    (path.parent / "scan.seq.metadata").write_bytes(content)
    source = read(path)
    assert "scan.seq.metadata: expected" in source.warnings[0]
    assert "camera_records" not in source.original_metadata


def test_companions_of_a_doubled_suffix(tmp_path) -> None:
    path = write_seq(tmp_path / "scan.seq.seq", np.ones((2, 4, 4), "u2"))
    write_config(tmp_path / "scan.seq", {"HT": 300})
    assert read(path).metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 300


def test_companions_of_two_halves(tmp_path) -> None:
    frames = np.ones((8, 8, 10), "u2")
    top, bottom = write_celeritas(tmp_path, frames, pre_buffer=2)
    write_config(tmp_path / "scan.seq", {"SegmentPreBuffer": 2, "FrameRate": 80000}, defects=[{"Row": 4, "Column": 1}])
    write_reference(tmp_path / "scan.seq", "dark", np.arange(80.0).reshape(8, 10))
    write_records(top, 4)
    write_records(bottom, 4, first_image=2)
    source = read(top)
    reference = detector(source)["Reference"]
    assert source.warnings == ()
    assert reference["dark"][1, 0] == 10
    assert np.argwhere(reference["bad_pixels"]).tolist() == [[4, 1]]
    assert detector(source)["StreamPix"]["pre_buffer"] == 2
    assert [r["first_image"] for r in source.original_metadata["camera_records"]] == [1, 2]
    write_records(top, 4, first_image=3)
    content = bytearray((tmp_path / f"{top.name}.metadata").read_bytes())
    content[256 + 3 * 224 + 16] = 9
    (tmp_path / f"{top.name}.metadata").write_bytes(content)
    assert "counted images 3 to 9, but recorded 4: some were dropped" in read(top).warnings[0]
