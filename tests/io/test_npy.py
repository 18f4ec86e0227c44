from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.errors import FormatError, Lazy4DError, ScanShapeError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.registry import read


def save(path, array, version=(1, 0)):
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version=version)
    return path


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["?", "u1", "<u2", ">u2", ">i4", "f2", ">f4", "f8", ">c16"])
@pytest.mark.parametrize("shape", [(6, 4), (3, 6, 4), (2, 3, 6, 4), (2, 1, 3, 6, 4)])
def test_arrays_come_back_native(tmp_path, read_all, version, dtype, shape) -> None:
    array = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    source = read(save(tmp_path / "a.npy", array, version))
    assert source.frames.nav_shape == shape[:-2]
    assert source.frames.frame_shape == (6, 4)
    assert source.frames.dtype.isnative
    assert len(source.navigation_axes) == len(shape) - 2
    assert np.array_equal(read_all(source.frames), array)


def test_the_scan_may_be_arranged_otherwise(tmp_path, read_all) -> None:
    array = np.arange(240).reshape(10, 6, 4)
    path = save(tmp_path / "a.npy", array)
    assert read(path, scan_shape=(2, 5)).frames.nav_shape == (2, 5)
    assert np.array_equal(read_all(read(path, scan_shape=(2, 4), flyback=1).frames), array.reshape(2, 5, 6, 4)[:, :4])
    assert read(path, sync_offset=2).frames.nav_shape == (8,)
    with pytest.raises(ScanShapeError, match="10 frames do not fill scan shape 3 x 4"):
        read(path, scan_shape=(3, 4))


def test_one_column_in_fortran_order_is_in_c_order_too(tmp_path, read_all) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(1, 6, 1))
    assert np.array_equal(read_all(read(save(tmp_path / "a.npy", array)).frames), array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.asfortranarray(np.zeros((2, 3, 4))), r"Fortran order.*numpy.ascontiguousarray.*a\.T"),
        (np.zeros((2, 3, 4), [("a", "f4"), ("b", "u2")]), r"structured, with fields \('a', 'b'\).*\['a'\]"),
        (np.zeros((2, 3, 4), "U3"), "does not hold numbers"),
        (np.zeros((2, 3, 4), "M8[s]"), "does not hold numbers"),
        (np.zeros(5), r"shape \(5,\) holds no frames"),
        (np.zeros((0, 3, 4)), "holds no frames"),
    ],
)
def test_what_holds_no_frames_is_refused_with_a_way_around(tmp_path, array, message) -> None:
    with pytest.raises(UnsupportedVariantError, match=message):
        read(save(tmp_path / "a.npy", array))


def test_objects_are_refused_and_never_unpickled(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}], [None]], object), allow_pickle=True)
    with pytest.raises(UnsupportedVariantError, match="does not hold numbers"):
        read(tmp_path / "a.npy")


def test_a_file_cut_short(tmp_path, read_all) -> None:
    array = np.arange(240.0).reshape(2, 5, 6, 4)
    path = save(tmp_path / "a.npy", array)
    path.write_bytes(path.read_bytes()[: 128 + 7 * 192 + 20])
    with pytest.raises(
        TruncatedFileError,
        match=r"ends inside frame 7 .*192 bytes needed, 20 left\): shape \(2, 5, 6, 4\) promises 10 frames, 7",
    ):
        read(path)
    out, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert valid.sum() == 7
    assert np.array_equal(out[valid], array.reshape(10, 6, 4)[:7])
    assert read(path, incomplete="crop").frames.nav_shape == (1, 5)
    path.write_bytes(path.read_bytes()[:140])
    for incomplete in ("raise", "nan"):
        with pytest.raises(TruncatedFileError, match="ends inside frame 0"):
            read(path, incomplete=incomplete)


def test_bytes_behind_the_array_are_mentioned(tmp_path, read_all) -> None:
    array = np.arange(240.0).reshape(2, 5, 6, 4)
    path = save(tmp_path / "a.npy", array)
    path.write_bytes(path.read_bytes() + bytes(1000))
    source = read(path)
    assert "1000 bytes behind the array" in source.warnings[0]
    assert np.array_equal(read_all(source.frames), array)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\x93NUMPY\x09\x00", "npy version b'\\\\t' is not known"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "ends inside the npy header"),
        (b"\x93NUMPY\x01\x00\x02\x00{}", "expected an npy header with descr"),
        (b"\x93NUMPY\x01\x00\x06\x00open()", "expected an npy header with descr"),
        (
            b"\x93NUMPY\x01\x00\x32\x00{'descr':'zzz','fortran_order':0,'shape':(2,3,4)}  ",
            "expected a dtype in the npy header, found 'zzz'",
        ),
    ],
)
def test_a_header_of_nonsense(tmp_path, head, message) -> None:
    (tmp_path / "a.npy").write_bytes(head)
    with pytest.raises(Lazy4DError, match=message):
        read(tmp_path / "a.npy")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(6, 127), st.integers(0, 255)), min_size=1, max_size=5), st.integers(8, 600))
def test_random_damage_to_the_header_is_never_a_foreign_error(tmp_path, read_all, changes, length) -> None:
    path = save(tmp_path / "a.npy", np.zeros((3, 4, 4)))
    raw = bytearray(path.read_bytes())
    for place, value in changes:
        raw[place] = value
    path.write_bytes(raw[:length])
    try:
        read_all(read(path).frames)
    except Lazy4DError as error:
        assert "a.npy" in str(error)  # noqa: PT017 -- the type is the point


def test_another_file_is_no_npy(tmp_path) -> None:
    (tmp_path / "a.npy").write_bytes(b"MZ" + bytes(100))
    with pytest.raises(FormatError, match=r"not an npy file: expected .*NUMPY.* found b'MZ"):
        read(tmp_path / "a.npy", reader="npy")
