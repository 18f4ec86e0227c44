from __future__ import annotations

import os
import pickle
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.data.raw import write_raw
from lazy4d.errors import FormatError, ScanShapeError, TruncatedFileError
from lazy4d.io.registry import read

DTYPES = ["u1", "i2", "u2", "u4", "i4", "f4", "f8", "u8", "c8"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(DTYPES), st.sampled_from("<>"), st.integers(0, 50), st.integers(0, 30), st.integers(0, 30),
    st.sampled_from(["mmap", "read"]),
)  # fmt: skip
def test_any_dtype_order_header_and_gap(tmp_path, read_all, dtype, order, header, before, after, io) -> None:
    frames = np.random.default_rng(2).integers(0, 100, (2, 3, 5, 7)).astype(dtype)
    path = write_raw(
        tmp_path / "a.raw", frames, byteorder=order, header_bytes=header, gap_before=before, gap_after=after
    )
    source = read(
        path,
        frame_shape=(5, 7),
        dtype=order + dtype,
        scan_shape=(2, 3),
        header=header + before,
        gap=before + after,
        io=io,
    )
    assert source.frames.dtype == np.dtype(dtype)
    assert np.array_equal(read_all(source.frames), frames)


def test_the_whole_shape_may_be_given_instead(tmp_path, read_all) -> None:
    frames = np.arange(96, dtype="f4").reshape(2, 3, 4, 4)
    path = write_raw(tmp_path / "a.raw", frames)
    source = read(path, shape=(2, 3, 4, 4), dtype="f4")
    assert source.scan_shape_origin == "shape argument"
    assert np.array_equal(read_all(source.frames), frames)
    assert read(path, shape=(6, 4, 4), dtype="f4").frames.nav_shape == (6,)
    assert read(path, shape=(24, 4), dtype="f4").frames.nav_shape == ()
    with pytest.raises(ScanShapeError, match=r"expected one frame of shape \(4, 4\), found 6"):
        read(path, shape=(4, 4), dtype="f4")
    with pytest.raises(ValueError, match="already holds the scan and the frame"):
        read(path, shape=(2, 3, 4, 4), frame_shape=(4, 4), dtype="f4")


@pytest.mark.parametrize(
    ("options", "missing"),
    [({}, "frame_shape and dtype"), ({"dtype": "u2"}, "frame_shape"), ({"frame_shape": (4, 4)}, "dtype")],
)
def test_without_geometry_the_error_is_the_call_to_type(tmp_path, options, missing) -> None:
    path = write_raw(tmp_path / "scan 1.raw", np.zeros((9, 256, 256), "u2"))
    with pytest.raises(
        FormatError,
        match=rf"{missing} missing. Type load\('scan 1.raw', frame_shape=\(256, 256\), dtype='<u2', scan_shape=",
    ) as info:
        read(path, **options)
    assert "frame_shape=(256, 256) with dtype='<u2'" in str(info.value)


def test_bytes_left_over_are_an_error_or_cut_on_request(tmp_path, read_all) -> None:
    frames = np.arange(96, dtype="u2").reshape(6, 4, 4)
    path = write_raw(tmp_path / "a.raw", frames)
    os.truncate(path, 5 * 32 + 10)
    with pytest.raises(
        TruncatedFileError,
        match=r"170 bytes are not a header of 0 bytes .* of 32 bytes: 5 complete frames, then 10 bytes",
    ):
        read(path, frame_shape=(4, 4), dtype="u2")
    source = read(path, frame_shape=(4, 4), dtype="u2", scan_shape=(2, 3), incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert valid.tolist() == [[True] * 3, [True, True, False]]
    assert np.array_equal(out[valid], frames[:5])
    assert read(path, frame_shape=(4, 4), dtype="u2", scan_shape=(2, 3), incomplete="crop").frames.nav_shape == (1, 3)
    with pytest.raises(TruncatedFileError, match="not one whole frame"):
        read(path, frame_shape=(40, 40), dtype="u2")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"frame_shape": (4,)}, ValueError, "two positive integers"),
        ({"frame_shape": (0, 4)}, ValueError, "two positive integers"),
        ({"dtype": "O"}, TypeError, "is no number"),
        ({"dtype": [("a", "u1")]}, TypeError, "is no number"),
        ({"header": -1}, ValueError, "must not be negative"),
        ({"gap": -1}, ValueError, "must not be negative"),
        ({"shape": (4,), "frame_shape": None}, ValueError, "two axes of a frame"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, options, error, message) -> None:
    path = write_raw(tmp_path / "a.raw", np.zeros((6, 4, 4), "u2"))
    with pytest.raises(error, match=message):
        read(path, **{"frame_shape": (4, 4), "dtype": "u2"} | options)


def test_a_sparse_file_of_a_terabyte_and_a_half(tmp_path) -> None:
    path = tmp_path / "big.raw"
    rows, columns = 4096, 2980
    with open(path, "wb") as file:
        file.truncate(rows * columns * 131_072)
    start = time.perf_counter()
    source = read(path, frame_shape=(256, 256), dtype=">u2", scan_shape=(rows, columns))
    assert time.perf_counter() - start < 2  # milliseconds, with room for a busy machine
    assert len(pickle.dumps(source.frames)) < 2000
    block = source.frames.open((slice(4095, 4096), slice(2979, 2980)))
    out = np.ones((1, 256, 256), "u2")
    block.read(0, 1, out, ())
    block.close()
    assert not out.any()
