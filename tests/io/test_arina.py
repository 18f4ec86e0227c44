"""Masters of Dectris detectors: data files, scan shape, mask, flat field, missing companions."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from lazy4d.errors import FormatError, MissingCompanionError, ScanShapeError
from lazy4d.io.registry import read

FRAMES = np.random.default_rng(3).poisson(4, (12, 24, 20)).astype("u2")


def write_arina(folder: Path, frames=FRAMES, sizes=(5, 7), scan=(3, 4), stem="scan ü", prescan=0, **detector) -> Path:
    """A recording as the detector and the microscope write it; the path of the master."""
    master = folder / f"{stem}_master.h5"
    with h5py.File(master, "w") as file:
        file.attrs["default"] = np.bytes_(b"entry")
        entry = file.create_group("entry")
        entry["definition"] = np.bytes_(b"NXmx")
        data = entry.create_group("data")
        start = 0
        for k, count in enumerate(sizes, 1):
            name = f"{stem}_data_{k:06d}.h5"
            with h5py.File(folder / name, "w") as part:
                stored = part.create_dataset(
                    "entry/data/data", data=frames[start : start + count], chunks=(1, *frames.shape[1:]),
                    **hdf5plugin.Bitshuffle(cname="lz4"),
                )  # fmt: skip
                stored.attrs["image_nr_low"], stored.attrs["image_nr_high"] = start + 1, start + count
            data[f"data_{k:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
            start += count
        group = entry.create_group("instrument/detector")
        group["frame_time"] = 1e-4
        group["saturation_value"] = 800
        group["pixel_mask_applied"] = np.int8(detector.get("mask_applied", 1))
        group["flatfield_correction_applied"] = np.int8(0)
        special = group.create_group("detectorSpecific")
        special["ntrigger"], special["nimages"] = np.uint64(detector.get("ntrigger", 12)), np.uint64(1)
        special["photon_energy"] = 200e3
        special["data_collection_date"] = np.bytes_(b"2025-05-03T01:51:00.302+02:00")
        mask = np.zeros(frames.shape[1:], "u4")
        mask[3, 4] = 2
        special["pixel_mask"] = mask
        special["flatfield"] = np.full(frames.shape[1:], 1.1, "f4")
    if scan:
        with h5py.File(folder / f"{stem}.h5", "w") as file:
            told = file.create_group("STEM Metadata").attrs
            told["NumPixelsY"], told["NumPixelsX"] = scan
            told["NumPixelsPrescan"] = np.array([prescan], "u4")
            told["Pixel Size"], told["IsPixelSizeCalibrated"] = np.array([0.25]), np.array([1], "u1")
            told["Camera Length"] = np.array([0.115])
    return master


def test_frames_of_all_files(tmp_path, read_all) -> None:
    source = read(write_arina(tmp_path))
    np.testing.assert_array_equal(read_all(source.frames), FRAMES.reshape(3, 4, 24, 20))
    assert source.frames_expected == 12
    assert source.title == "scan ü"
    assert source.scan_shape_origin.startswith("NumPixelsY, NumPixelsX of ")
    assert [(axis.name, axis.units, axis.scale) for axis in source.navigation_axes] == [
        ("y", "nm", 0.25), ("x", "nm", 0.25)
    ]  # fmt: skip


def test_metadata(tmp_path) -> None:
    source = read(write_arina(tmp_path))
    microscope = source.metadata["Acquisition_instrument"]["TEM"]
    assert microscope["beam_energy"] == 200.0
    assert microscope["camera_length"] == 115.0
    reference = microscope["Detector"]["Reference"]
    assert np.argwhere(reference["bad_pixels"]).tolist() == [[3, 4]]
    assert reference["gain"].shape == (24, 20)
    assert reference["applied"] is False
    assert reference["masked_value"] == 65535
    assert reference["saturation_value"] == 800
    assert source.metadata["General"]["date"] == "2025-05-03"
    assert any("1 pixels are masked by the detector and hold 65535" in note for note in source.warnings)
    assert source.original_metadata["STEM Metadata"]["NumPixelsX"] == 4


def test_mask_that_was_not_applied(tmp_path) -> None:
    source = read(write_arina(tmp_path, mask_applied=0))
    reference = source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["Reference"]
    assert "masked_value" not in reference
    assert not any("masked" in note for note in source.warnings)


def test_without_the_file_of_the_microscope(tmp_path, read_all) -> None:
    path = write_arina(tmp_path, scan=None)
    assert read(path).frames.nav_shape == (12,)
    np.testing.assert_array_equal(read_all(read(path, scan_shape=(4, 3)).frames), FRAMES.reshape(4, 3, 24, 20))


def test_frames_before_each_line(tmp_path, read_all) -> None:
    source = read(write_arina(tmp_path, scan=(3, 3), prescan=1))
    np.testing.assert_array_equal(read_all(source.frames), FRAMES.reshape(3, 4, 24, 20)[:, 1:])


def test_frames_that_do_not_fill_the_scan(tmp_path, read_all) -> None:
    path = write_arina(tmp_path, scan=(4, 4), ntrigger=16)
    with pytest.raises(ScanShapeError, match="16 needed, 12 found"):
        read(path)
    source = read(path, incomplete="nan")
    assert "12 frames found, 16 expected by ntrigger and nimages" in source.warnings[0]
    _, valid = read_all(source.frames, with_valid=True)
    assert valid.sum() == 12


def test_missing_data_file(tmp_path) -> None:
    path = write_arina(tmp_path)
    os.remove(tmp_path / "scan ü_data_000002.h5")
    with pytest.raises(MissingCompanionError, match=r"scan ü_data_000002\.h5 .* is missing"):
        read(path)


def test_one_data_file_alone(tmp_path, read_all) -> None:
    path = write_arina(tmp_path)
    np.testing.assert_array_equal(read_all(read(path, dataset="data_000002").frames), FRAMES[5:])
    np.testing.assert_array_equal(read_all(read(tmp_path / "scan ü_data_000001.h5").frames), FRAMES[:5])
    with pytest.raises(FormatError, match="expected one of data_000001, data_000002"):
        read(path, dataset="data_000009")
    with pytest.raises(FormatError, match=r"The frames of this scan are in .*scan ü_master\.h5"):
        read(tmp_path / "scan ü.h5")


def test_data_file_with_other_frames(tmp_path) -> None:
    path = write_arina(tmp_path)
    with h5py.File(tmp_path / "scan ü_data_000002.h5", "w") as file:
        file["entry/data/data"] = FRAMES[:, :10]
    with pytest.raises(FormatError, match="expected frames as in"):
        read(path)
    with h5py.File(tmp_path / "scan ü_data_000002.h5", "w") as file:
        file["entry/data/other"] = 1
    with pytest.raises(FormatError, match="expected a dataset /entry/data/data of frames"):
        read(path)


def test_real_file(vendor_data, read_all) -> None:
    source = read(vendor_data("arina/test_00_master.h5"))
    assert source.frames.nav_shape == (4, 4)
    assert source.frames.frame_shape == (192, 192)
    assert source.frames.dtype == np.uint32
    assert read_all(source.frames).sum() == 0
    assert source.frames_expected == 16
    assert source.metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 300.0
    assert source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["Reference"]["saturation_value"] == 8352
