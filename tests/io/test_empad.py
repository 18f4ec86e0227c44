"""EMPAD: frames without their readings, the XML beside them, and other raw files left alone."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.empad import empad_xml, write_empad
from lazy4d.data.raw import write_raw
from lazy4d.errors import (
    FormatError,
    Lazy4DError,
    MissingCompanionError,
    ScanShapeError,
    TruncatedFileError,
    UnsupportedVariantError,
)
from lazy4d.io.registry import find_reader, read

NAV = (2, 3)
RECORD = 130 * 128 * 4


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    values = np.random.default_rng(8).normal(size=(*NAV, 128, 128)).astype("f4")
    values[1, 1, 5, 7] = np.nan
    return values


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return folder


# ---- what is read


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_raw_and_xml_give_the_same_frames(folder, frames, read_all, io) -> None:
    raw = write_empad(folder, frames)
    for path in (raw, folder / "scan.xml"):
        source = read(path, io=io)
        assert find_reader(path).name == "empad"
        assert source.frames.dtype == np.float32
        assert source.frames.nav_shape == NAV
        assert source.frames_found == source.frames_expected == 6
        assert source.warnings == ()
        assert source.identity["path"] == str(raw)
        assert source.scan_shape_origin == "the name scan_x3_y2.raw"
        assert np.array_equal(read_all(source.frames), frames, equal_nan=True)


def test_what_the_xml_says(folder, frames) -> None:
    write_empad(folder, frames, xml="a scan.xml", field_of_view=2.16e-9)
    source = read(folder / "a scan.xml")
    assert source.title == source.metadata["General"]["title"] == "a scan"
    assert source.metadata["General"]["original_filename"] == "scan_x3_y2.raw"
    assert source.metadata["General"]["date"] == "2026-03-25"
    tem = source.metadata["Acquisition_instrument"]["TEM"]
    assert tem["beam_energy"] == 300.0
    assert tem["camera_length"] == 369.0
    assert source.metadata["Acquisition_instrument"]["dwell_time"] == 0.001
    assert [(a.name, a.units) for a in source.navigation_axes] == [("y", "nm"), ("x", "nm")]
    assert [a.scale for a in source.navigation_axes] == pytest.approx([1.0, 1.0])  # 2.16 nm / 0.72 over 3 points
    assert [(a.name, a.units) for a in source.signal_axes] == [("ky", "px"), ("kx", "px")]
    assert source.original_metadata["xml"]["scan_parameters"][0]["mode"] == "search"


def test_calibration_of_the_first_versions(folder, frames) -> None:
    write_empad(folder, frames, version="0.51", field_of_view=6e-9)
    source = read(folder / "scan.xml")
    assert [a.scale for a in source.navigation_axes] == pytest.approx([3.0, 2.0])
    assert [a.units for a in source.signal_axes] == ["1/nm", "1/nm"]
    assert source.signal_axes[0].scale == pytest.approx(0.1826537060227288)
    assert source.metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 300.0
    assert source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["EMPAD"]["scan_size"] == 0.6
    for shape, incomplete in (((3, 2), "raise"), ((6, 1), "raise"), ((3, 3), "crop")):
        axes = read(folder / "scan.xml", scan_shape=shape, incomplete=incomplete).navigation_axes
        assert [a.scale for a in axes] == pytest.approx([6.0 / n for n in shape])


def test_a_series(folder, frames, read_all) -> None:
    flat = frames.reshape(6, 128, 128)
    source = read(write_empad(folder, flat))
    assert source.frames.nav_shape == (6,)
    assert np.array_equal(read_all(source.frames), flat, equal_nan=True)
    write_empad(folder, flat, name="renamed.raw")
    assert "count of" in read(folder / "scan.xml").scan_shape_origin


# ---- scan shapes


@pytest.mark.parametrize(
    ("fields", "shape", "origin"),
    [
        ({"pix": (2, 3), "acquire": (9, 9)}, (2, 3), "pix_x, pix_y"),
        ({"acquire": (3, 2), "search": (9, 9)}, (3, 2), "'acquire'"),
        ({"acquire": (9, 9), "search": (2, 3)}, (2, 3), "'search'"),
    ],
)
def test_the_shape_comes_from_what_fits(folder, frames, fields, shape, origin) -> None:
    write_empad(folder, frames, name="renamed.raw", **fields)
    source = read(folder / "scan.xml")
    assert source.frames.nav_shape == shape
    assert origin in source.scan_shape_origin


def test_a_shape_is_never_guessed(folder, frames) -> None:
    raw = write_empad(folder, frames, name="renamed.raw", xml=None)
    assert read(raw, reader="empad").frames.nav_shape == (6,)
    assert read(raw, reader="empad", scan_shape=NAV).frames.nav_shape == NAV
    write_empad(folder, frames, name="renamed.raw", acquire=(9, 9), search=(8, 8))
    with pytest.raises(ScanShapeError, match="6 frames do not fill scan shape 9 x 9"):
        read(raw)


def test_flyback_and_offset(folder, frames, read_all) -> None:
    raw = write_empad(folder, frames)
    assert np.array_equal(read_all(read(raw, scan_shape=(2, 2), flyback=1).frames), frames[:, :2], equal_nan=True)
    flat = frames.reshape(6, 128, 128)
    assert np.array_equal(read_all(read(raw, scan_shape=(4,), sync_offset=2).frames), flat[2:], equal_nan=True)


# ---- whose file it is


def test_other_raw_files_are_left_to_the_plain_reader(folder, frames) -> None:
    same_size = write_raw(folder / "other.raw", frames.reshape(6, -1)[:, : 130 * 128 // 2].reshape(6, 65, 128))
    write_empad(folder, frames)
    assert find_reader(same_size).name == "raw"
    odd = write_raw(folder / "scan_x4_y4.raw", np.zeros((4, 4, 16, 16), "u2"))
    assert find_reader(odd).name == "raw"
    assert find_reader(folder / "scan_x3_y2.raw").name == "empad"


def test_a_raw_file_is_told_by_its_name_or_by_the_xml_that_names_it(folder, frames) -> None:
    raw = write_empad(folder, frames, xml=None)
    assert find_reader(raw).name == "empad"
    assert read(raw).frames.nav_shape == NAV
    other = raw.rename(folder / "frames.raw")
    assert find_reader(other).name == "raw"
    (folder / "any.xml").write_text(empad_xml("FRAMES.raw", NAV), encoding="utf-8")
    assert find_reader(other).name == "empad"
    os.truncate(other, 5 * RECORD + 3)
    assert find_reader(other).name == "empad"


def test_an_xml_of_the_same_stem_describes_a_renamed_file(folder, frames) -> None:
    raw = write_empad(folder, frames)
    raw.rename(folder / "scan.raw")
    assert read(folder / "scan.xml").frames.nav_shape == NAV
    assert read(folder / "scan.raw").frames.nav_shape == NAV


def test_xml_of_something_else_is_not_touched(folder, frames) -> None:
    raw = write_empad(folder, frames, name="frames.raw", xml=None)
    (folder / "b.xml").write_text("<root><spectrum/></root>")
    (folder / "c.xml").write_text('<root><raw_file filename="frames.raw"/>')  # cut short
    (folder / "d.xml").write_bytes(bytes(100))
    assert find_reader(raw).name == "raw"


# ---- damage


def test_a_raw_file_that_is_not_there(folder, frames) -> None:
    raw = write_empad(folder, frames)
    raw.unlink()
    with pytest.raises(MissingCompanionError, match=r"scan_x3_y2\.raw, which is not there"):
        read(folder / "scan.xml")


def test_a_name_in_the_xml_cannot_lead_out_of_the_folder(folder, frames) -> None:
    raw = write_empad(folder, frames)
    inner = folder / "inner"
    inner.mkdir()
    (inner / "scan.xml").write_text(empad_xml(f"../{raw.name}", NAV))
    with pytest.raises(MissingCompanionError, match="inner"):
        read(inner / "scan.xml")


@pytest.mark.parametrize("left", [20, 128 * 128 * 4, RECORD - 1])
def test_a_file_cut_short(folder, frames, read_all, left) -> None:
    raw = write_empad(folder, frames)
    os.truncate(raw, 4 * RECORD + left)
    with pytest.raises(TruncatedFileError, match=rf"inside frame 4 .* at byte {4 * RECORD}: {RECORD} bytes needed"):
        read(folder / "scan.xml")
    source = read(raw, incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [4, 5]
    assert np.array_equal(out[valid], frames[valid], equal_nan=True)
    assert not out[~valid].any()
    assert read(raw, incomplete="crop").frames.nav_shape == (1, 3)


def test_not_one_frame(folder, frames) -> None:
    raw = write_empad(folder, frames)
    os.truncate(raw, 20)
    with pytest.raises(TruncatedFileError, match="not one whole frame"):
        read(raw, incomplete="nan")


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("<root><raw_file filename='a.raw'>", FormatError, "found a mistake"),
        ("<root><raw_file/></root>", FormatError, "expected <raw_file filename"),
        ("<root><sensor><type>EMPAD2</type></sensor></root>", UnsupportedVariantError, "EMPAD-G2"),
    ],
)
def test_xml_that_does_not_help(folder, text, error, told) -> None:
    path = folder / "scan.xml"
    path.write_text(text)
    with pytest.raises(error, match=told):
        read(path)


def test_numbers_that_make_no_sense_are_left_out(folder, frames) -> None:
    write_empad(folder, frames)
    path = folder / "scan.xml"
    text = path.read_text().replace("1.272e-06", "nan").replace("300000.0", "-").replace("0.369", "many")
    path.write_text(text)
    source = read(path)
    assert {axis.units for axis in source.navigation_axes} == {"px"}
    assert "beam_energy" not in source.metadata["Acquisition_instrument"]["TEM"]
    assert "camera_length" not in source.metadata["Acquisition_instrument"]["TEM"]


def test_a_file_that_changes_is_noticed(folder, frames) -> None:
    raw = write_empad(folder, frames)
    source = read(raw).frames
    os.truncate(raw, 10)
    with pytest.raises(TruncatedFileError, match="shrank since it was loaded"):
        source.open((slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("option", ["incomplete", "io"])
def test_unknown_choices_are_refused(folder, frames, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        read(write_empad(folder, frames), **{option: "maybe"})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 1200), data=st.binary(min_size=1, max_size=12), cut=st.integers(0, 900))
def test_fuzzed_xml_never_crashes(tmp_path, at, data, cut) -> None:
    raw = tmp_path / "frames.raw"
    if not raw.exists():
        raw.write_bytes(bytes(6 * RECORD))
    text = bytearray(empad_xml("frames.raw", NAV, version="0.51").encode())
    text[at : at + len(data)] = data
    (tmp_path / "scan.xml").write_bytes(text[: len(text) - cut])
    for path in ("scan.xml", "frames.raw"):
        try:
            l4.load(tmp_path / path, reader="empad")
        except Lazy4DError as error:
            told = str(error)
        else:
            told = path
        assert "scan.xml" in told or "frames.raw" in told


# ---- laziness


def test_loading_reads_no_pixels_and_travels(folder, frames, no_compute, monkeypatch) -> None:
    raw = write_empad(folder, frames)
    source = read(raw).frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token

    def refuse(*_: Any) -> None:
        raise AssertionError("a block was opened")

    monkeypatch.setattr("lazy4d.io.rawblock.RawBlock.__init__", refuse)
    with no_compute:
        l4.load(raw).inav[1:, 0]


@pytest.mark.parametrize("chunks", [1, -1])
def test_results_do_not_depend_on_chunks_and_scheduler(folder, frames, scheduler, chunks) -> None:
    s = l4.load(write_empad(folder, frames), chunks=(chunks, -1))
    assert np.array_equal(s.data.compute(), frames, equal_nan=True)
    assert np.allclose(s.sum().compute().data, frames.astype(float).sum(axis=(0, 1)), equal_nan=True)
