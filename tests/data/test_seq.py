"""The SEQ writers against the layout of the format, and against files of real cameras."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from lazy4d.data import simulated_scan
from lazy4d.data.seq import seq_header, write_celeritas, write_seq
from lazy4d.data.seq_sidecars import write_records, write_reference


def test_every_byte_of_a_small_file(tmp_path) -> None:
    frames = np.arange(2 * 3 * 4, dtype="u2").reshape(2, 3, 4)
    content = write_seq(tmp_path / "a.seq", frames, stride=40, first_time=5.001002, frame_rate=2.0).read_bytes()
    assert len(content) == 8192 + 2 * 40
    for k, seconds in enumerate((5, 5)):
        record = content[8192 + 40 * k : 8192 + 40 * (k + 1)]
        assert record[:24] == frames[k].astype("<u2").tobytes()
        assert struct.unpack("<IHH", record[24:32]) == (seconds, 1 + 500 * k, 2)
        assert record[32:] == bytes(8)


def test_older_versions_start_sooner_and_have_shorter_stamps(tmp_path) -> None:
    content = write_seq(
        tmp_path / "a.seq", np.ones((1, 3, 4), "u1"), version=4, stride=20, first_time=7.25
    ).read_bytes()
    assert len(content) == 1024 + 20
    assert content[1024 + 12 :] == struct.pack("<IH", 7, 250) + bytes(2)


def test_a_lazy_scan_is_written_as_its_array_is(tmp_path) -> None:
    scan = simulated_scan((3, 14), (8, 8))
    lazily = write_seq(tmp_path / "a.seq", scan).read_bytes()
    assert lazily == write_seq(tmp_path / "b.seq", np.asarray(scan.as_array())).read_bytes()


def test_wrong_input(tmp_path) -> None:
    with pytest.raises(ValueError, match="expected frames of uint8, uint16 or uint32, got float32"):
        write_seq(tmp_path / "a.seq", np.ones((1, 2, 2), "f4"))
    with pytest.raises(ValueError, match="expected a stride of at least 8 bytes, got 7"):
        write_seq(tmp_path / "a.seq", np.ones((1, 2, 2), "u2"), stride=7)
    with pytest.raises(ValueError, match="expected at least one frame"):
        write_seq(tmp_path / "a.seq", np.ones((0, 2, 2), "u2"))


def test_a_vendor_file_is_written_byte_for_byte(vendor_data, tmp_path) -> None:
    """Pixels and time stamps of a real file, from those read by hand; its header wherever fields are known."""
    real = vendor_data("seq/sample_norpix6.seq").read_bytes()
    records = np.frombuffer(real, "u1")[8192:].reshape(6, 8192)
    frames = records[:, :1152].reshape(6, 32, 36)
    ours = write_seq(tmp_path / "a.seq", frames, first_time=1435776075.775430, frame_rate=10.0).read_bytes()
    assert len(ours) == len(real)
    assert ours[8192 : 8192 + 1160] == real[8192 : 8192 + 1160]
    assert ours[:36] == real[:36]
    assert ours[548:592] == real[548:592]
    assert ours[620:644] == real[620:644]


def test_vendor_halves_are_written_as_the_camera_does(vendor_data, tmp_path) -> None:
    folder = vendor_data("seq/celeritas_64x64_prebuffer256")
    halves = []
    for name in ("test_Top_14-13-42.780.seq", "test_Bottom_14-13-42.822.seq"):
        content = np.frombuffer((folder / name).read_bytes(), "u1")[8192:].reshape(-1, 1056768)[:2, : 64 * 8192 * 2]
        halves.append(np.ascontiguousarray(content).view("<u2").reshape(512, 32, 64))
    frames = np.concatenate([halves[0][:, ::-1], halves[1]], axis=1)
    top, bottom = write_celeritas(tmp_path, frames, pre_buffer=256, counters=False)
    for path, half in zip((top, bottom), halves, strict=True):
        ours = path.read_bytes()
        assert len(ours) == 8192 + 2 * 1056768
        assert ours[8192 : 8192 + 2 * 64 * 8192] == half[:256].tobytes()
    real = (folder / "test_Top_14-13-42.780.seq").read_bytes()
    assert top.read_bytes()[548:584] == real[548:584]


def test_companions_have_the_sizes_of_real_ones(vendor_data, tmp_path) -> None:
    folder = vendor_data("seq/celeritas_64x64_prebuffer256")
    dark = write_reference(tmp_path / "test.seq", "dark", np.ones((64, 64))).read_bytes()
    real = (folder / "test.seq.dark.mrc").read_bytes()
    assert len(dark) == len(real)
    assert dark[:16] == real[:16]
    records = write_records(tmp_path / "a.seq", 2).read_bytes()
    real = (folder / "test_Top_14-13-42.780.seq.metadata").read_bytes()
    assert len(records) == len(real)
    assert records[:16] == real[:16]
    assert records[256 : 256 + 24] == real[256 : 256 + 24]


def test_header_of_a_colour_or_compressed_file() -> None:
    head = seq_header((4, 4), 24, 1, 8192, image_format=200, compression=1)
    assert struct.unpack_from("<I", head, 568)[0] == 200
    assert struct.unpack_from("<I", head, 620)[0] == 1
