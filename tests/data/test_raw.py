"""Flat binary files, read back with numpy alone."""

import numpy as np
import pytest

from lazy4d.data import simulated_scan, write_raw


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_frames_follow_each_other(tmp_path, dtype, byteorder):
    frames = (np.arange(2 * 3 * 4 * 5) % 100).reshape(2, 3, 4, 5).astype(dtype)
    path = write_raw(tmp_path / "scan.raw", frames, byteorder=byteorder)
    np.testing.assert_array_equal(
        np.fromfile(path, np.dtype(dtype).newbyteorder(byteorder)).reshape(frames.shape), frames
    )


def test_header_and_gaps_are_marked(tmp_path):
    frames = np.random.default_rng(0).integers(0, 100, (70, 4, 5), dtype="u2")
    path = write_raw(tmp_path / "scan.raw", frames, header_bytes=7, gap_before=3, gap_after=11)
    data = path.read_bytes()
    assert data[:7] == b"\xaa" * 7
    record = np.dtype([("before", "u1", 3), ("frame", "<u2", (4, 5)), ("after", "u1", 11)])
    found = np.frombuffer(data, record, offset=7)
    np.testing.assert_array_equal(found["frame"], frames)
    assert (found["before"] == 0xAA).all()
    assert (found["after"] == 0xAA).all()


def test_lazy_sources_stream(tmp_path):
    scan = simulated_scan((5, 8), (6, 7))
    path = write_raw(tmp_path / "scan.raw", scan)
    np.testing.assert_array_equal(np.fromfile(path, "<u2").reshape(5, 8, 6, 7), scan.as_array())


def test_unknown_byte_order(tmp_path):
    with pytest.raises(ValueError, match="expected byteorder '<' or '>', got '='"):
        write_raw(tmp_path / "scan.raw", np.zeros((2, 4, 5)), byteorder="=")
