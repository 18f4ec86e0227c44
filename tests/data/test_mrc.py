"""MRC files, byte by byte, against plain Python numbers and against what a real server writes."""

import struct

import numpy as np
import pytest

from lazy4d.data.mrc import encode_frames, fei_header, write_direct_electron, write_mrc


def words(path, code, at, order="<"):
    return struct.unpack_from(f"{order}{code}", path.read_bytes(), at)


@pytest.mark.parametrize("order", "<>")
def test_the_header_is_where_the_specification_has_it(tmp_path, order):
    frames = np.arange(2 * 3 * 4 * 5, dtype="u2").reshape(2, 3, 4, 5)
    path = write_mrc(
        tmp_path / "a.mrc", frames, byteorder=order, extended=b"x" * 10, exttyp=b"SERI", cell=(1.0, 2.0, 3.0),
        labels=("made", "here"), imod_flags=1, ispg=401,
    )  # fmt: skip
    data = path.read_bytes()
    assert words(path, "4i", 0, order) == (5, 4, 6, 6)
    assert words(path, "3i", 28, order) == (5, 4, 6)
    assert words(path, "6f", 40, order) == (1, 2, 3, 90, 90, 90)
    assert words(path, "3i", 64, order) == (1, 2, 3)
    assert words(path, "3f", 76, order) == (0, 119, 59.5)
    assert words(path, "2i", 88, order) == (401, 10)
    assert data[104:108] == b"SERI"
    assert words(path, "i", 108, order) == (20140,)
    assert words(path, "2i", 152, order) == (1146047817, 1)
    assert data[208:214] == b"MAP " + (b"\x44\x44" if order == "<" else b"\x11\x11")
    assert words(path, "i", 220, order) == (2,)
    assert data[224:228] == b"made"
    assert data[1024:1034] == b"x" * 10
    assert struct.unpack_from(f"{order}120H", data, 1034) == tuple(range(120))
    assert len(data) == 1034 + 240


@pytest.mark.parametrize(
    ("mode", "code", "values"),
    [
        (0, "4b", (-128, -1, 0, 127)),
        (0, "4B", (0, 1, 128, 255)),
        (1, "4h", (-32768, -1, 0, 32767)),
        (2, "4f", (-1.5, 0.0, 0.25, 2.0**90)),
        (6, "4H", (0, 1, 40000, 65535)),
        (12, "4e", (-1.5, 0.0, 0.25, 65504.0)),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_pixels(mode, code, values, order):
    frames = np.array(values).reshape(1, 2, 2)
    assert struct.unpack(f"{order}{code}", encode_frames(frames, mode, order)) == values


def test_complex_pixels_are_pairs_of_floats():
    frames = np.array([[[1 + 2j, -3.5 + 0j]]], "c8")
    assert struct.unpack(">4f", encode_frames(frames, 4, ">")) == (1, 2, -3.5, 0)


def test_four_bit_pixels_come_low_half_first_and_fill_whole_bytes_a_row():
    frames = np.array([[[1, 2, 3], [4, 5, 6]]], "u1")
    data = encode_frames(frames, 101)
    assert [byte & 15 for byte in data] == [1, 3, 4, 6]
    assert [byte >> 4 for byte in data[::2]] == [2, 5]


@pytest.mark.parametrize(("mode", "value"), [(0, 256), (0, -129), (1, 32768), (6, -1), (101, 16)])
def test_pixels_that_a_mode_cannot_hold_are_refused(mode, value):
    with pytest.raises(ValueError, match=f"expected pixels of .* for mode {mode}"):
        encode_frames(np.full((1, 2, 2), value), mode)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="expected a mode among 0, 1, 2, 4, 6, 12, 101, got 3"):
        encode_frames(np.zeros((1, 2, 2)), 3)
    with pytest.raises(ValueError, match="expected at least one frame"):
        write_mrc(tmp_path / "a.mrc", [])
    with pytest.raises(ValueError, match=r"expected frames of shape \(2, 2\)"):
        write_mrc(tmp_path / "a.mrc", [np.zeros((2, 2), "u2"), np.zeros((2, 3), "u2")])
    with pytest.raises(ValueError, match="byteorder"):
        write_mrc(tmp_path / "a.mrc", np.zeros((2, 2), "u2"), byteorder="=")
    with pytest.raises(ValueError, match="a dtype that MRC has, got int64"):
        write_mrc(tmp_path / "a.mrc", np.zeros((2, 2), "i8"))
    with pytest.raises(ValueError, match="expected fields among"):
        fei_header(colour=1.0)


def test_fei_records_have_their_fields_and_bits():
    data = fei_header("FEI1", sections=2, spare=1, ht=300e3, camera_length=0.5)
    assert len(data) == 3 * 768
    assert struct.unpack_from("<2i", data) == (768, 0)
    assert struct.unpack_from("<I", data, 8) == (1 << 5,)
    assert struct.unpack_from("<d", data, 768 + 84) == (300e3,)
    assert struct.unpack_from("<I", data, 297) == (1,)
    assert not any(data[2 * 768 :])


def test_a_movie_is_like_that_of_a_real_server(tmp_path, vendor_data):
    real = vendor_data("mrc/20241021_00405_movie.mrc")
    frames = np.frombuffer(real.read_bytes(), "<u2", offset=1024).reshape(4, 8, 4, 8)
    assert int(frames.sum()) == 15872
    path = write_direct_electron(tmp_path, frames)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        p.name for p in real.parent.glob("20241021*") if "_1_Virt" not in p.name
    )
    assert path.read_bytes()[1024:] == real.read_bytes()[1024:]
    assert path.read_bytes()[:76] == real.read_bytes()[:76]
    ours = (tmp_path / "20241021_00405_info.txt").read_bytes().decode().splitlines()
    theirs = real.with_name("20241021_00405_info.txt").read_bytes().decode().splitlines()
    line = "Scan - Size X                                                   = 8"
    assert line in ours
    assert line in theirs


def test_coordinates_are_a_line_a_frame(tmp_path):
    write_direct_electron(tmp_path, np.ones((3, 2, 2), "u2"), prefix="a", coordinates=[(0, 1), (5, 2), (0, 1)])
    assert (tmp_path / "a_scan_coordinates.csv").read_text() == "0,1\n5,2\n0,1\n"
    assert not (tmp_path / "a_final.mrc").exists()
