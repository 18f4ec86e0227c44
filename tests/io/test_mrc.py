"""MRC stacks: every mode and byte order, extended headers, calibration, and files by old programs."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazy4d.data.mrc import fei_header, write_mrc
from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.mrc.reader import MrcReader
from lazy4d.io.registry import find_reader, read


def pixels(mode: int, shape: tuple[int, ...], seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if mode == 2:
        return rng.normal(size=shape).astype("f4")
    if mode == 4:
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8")
    if mode == 12:
        return rng.normal(size=shape).astype("f2")
    low, high, dtype = {0: (-128, 128, "i1"), 1: (-(2**15), 2**15, "i2"), 6: (0, 2**16, "u2"), 101: (0, 16, "u1")}[mode]
    return rng.integers(low, high, shape).astype(dtype)


def patch(path: Path, at: int, code: str, *values: Any) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, at, *values)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mode", [0, 1, 2, 4, 6, 12, 101])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("shape", [(5, 6, 8), (3, 4, 7)])
def test_every_mode_in_both_byte_orders(tmp_path, read_all, mode, order, shape) -> None:
    frames = pixels(mode, shape)
    source = read(write_mrc(tmp_path / "a.mrc", frames, mode=mode, byteorder=order))
    expected = {12: "f4"}.get(mode, frames.dtype)
    assert source.warnings == ()
    assert source.frames.dtype == expected
    assert source.frames.dtype.isnative
    assert source.frames.nav_shape == shape[:1]
    assert source.frames_found == source.frames_expected == shape[0]
    for io in ("mmap", "read"):
        np.testing.assert_array_equal(read_all(read(tmp_path / "a.mrc", io=io).frames), frames.astype(expected))
    part = source.frames.select((slice(shape[0] - 1, -1, -2),))
    np.testing.assert_array_equal(read_all(part), frames[::-2].astype(expected))
    window = (slice(1, 3), slice(2, 5))
    block = source.frames.open((slice(0, 2),))
    out = np.empty((2, *shape[1:]), expected)
    block.read(0, 2, out, window)
    block.close()
    np.testing.assert_array_equal(out[:, 1:3, 2:5], frames[:2, 1:3, 2:5].astype(expected))
    assert len(pickle.dumps(source.frames)) < 3000


@pytest.mark.parametrize("suffix", [".mrc", ".dat", ".raw", ""])
def test_the_content_tells_and_not_the_suffix(tmp_path, suffix) -> None:
    path = write_mrc(tmp_path / f"scan{suffix}", pixels(6, (2, 4, 4)))
    assert find_reader(path).name == "mrc"
    assert find_reader(patch(path, 208, "8s", bytes(8))).name == "mrc"


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4", bytes(4096), b"\xff" * 4096, b"text " * 500, np.arange(4096, dtype="<u2").tobytes()],
    ids=["empty", "zip", "zeros", "ones", "text", "ramp"],
)
def test_other_files_are_not_taken_for_mrc(content) -> None:
    assert not MrcReader().sniff(content)


def test_a_single_section_is_an_image(tmp_path, read_all) -> None:
    frame = pixels(2, (4, 6))
    source = read(write_mrc(tmp_path / "a.mrc", frame))
    assert source.frames.nav_shape == ()
    assert [axis.name for axis in source.signal_axes] == ["y", "x"]
    np.testing.assert_array_equal(read_all(source.frames), frame)


def test_scan_shape_is_as_given_and_never_guessed(tmp_path, read_all) -> None:
    frames = pixels(6, (15, 4, 4))
    path = write_mrc(tmp_path / "a.mrc", frames)
    assert read(path).frames.nav_shape == (15,)
    source = read(path, scan_shape=(3, 4), flyback=1)
    np.testing.assert_array_equal(read_all(source.frames), frames.reshape(3, 5, 4, 4)[:, :4])


# ---- byte order


@pytest.mark.parametrize(
    "machine", [b"\x44\x44\0\0", b"\x44\x41\0\0", b"\x11\x11\0\0", b"\x44\x20\x20\x20", bytes(4), b"\x44\x11\0\0"]
)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("shape", [(3, 256, 256), (1, 4, 5), (300, 2, 2)])
def test_the_byte_order_is_the_one_that_makes_sense(tmp_path, read_all, machine, order, shape) -> None:
    """256 reads as 65536 in the wrong order, which is a number of columns too."""
    frames = pixels(0, shape)
    source = read(write_mrc(tmp_path / "a.mrc", frames, byteorder=order, machine=machine))
    assert source.original_metadata["header"]["byte order"] == ("little" if order == "<" else "big")
    assert np.array_equal(read_all(source.frames, tile=50).reshape(shape), frames)


@pytest.mark.parametrize("order", "<>")
def test_old_files_without_stamps(tmp_path, read_all, order) -> None:
    frames = pixels(1, (3, 6, 5))
    path = write_mrc(
        tmp_path / "a.mrc", frames, byteorder=order, stamp=bytes(4), machine=bytes(4), axes=(0, 0, 0), nversion=0
    )
    source = read(path)
    assert "no 'MAP ' at byte 208" in source.warnings[0]
    np.testing.assert_array_equal(read_all(source.frames), frames)


# ---- signed or unsigned bytes


@pytest.mark.parametrize(
    ("options", "low", "flags", "statistics", "dtype", "warned"),
    [
        ({}, 0, None, True, "u1", False),  # a maximum above 127
        ({}, -128, None, True, "i1", False),  # a minimum below 0
        ({}, 0, None, False, "i1", True),  # nothing is known: as in the specification
        ({}, 0, 0, False, "u1", False),  # IMOD, without the flag for signed bytes
        ({}, -128, 1, False, "i1", False),
        ({"mode0": "uint8"}, 0, None, False, "u1", False),
        ({"mode0": "int8"}, 0, 0, True, "i1", False),
    ],
)
def test_bytes_are_signed_as_the_file_says(tmp_path, read_all, options, low, flags, statistics, dtype, warned) -> None:
    frames = np.random.default_rng(4).integers(low, low + 256, (2, 16, 16))
    path = write_mrc(tmp_path / "a.mrc", frames, mode=0, imod_flags=flags, statistics=statistics)
    source = read(path, **options)
    assert source.frames.dtype == dtype
    assert any("mode0='uint8'" in text for text in source.warnings) == warned
    np.testing.assert_array_equal(read_all(source.frames), frames.astype("i1" if low else "u1").view(dtype))


def test_small_bytes_are_the_same_either_way(tmp_path) -> None:
    source = read(write_mrc(tmp_path / "a.mrc", np.full((2, 4, 4), 100, "u1")))
    assert source.warnings == ()
    with pytest.raises(ValueError, match="mode0='float' is not known"):
        read(tmp_path / "a.mrc", mode0="float")


# ---- refused


@pytest.mark.parametrize(
    ("mode", "around"),
    [
        (3, r"frame_shape=\(6, 10\), dtype='<i2', header=1024"),
        (7, r"frame_shape=\(6, 5\), dtype='<i4', header=1024"),
        (16, r"frame_shape=\(6, 15\), dtype='<u1', header=1024"),
        (99, "header may be damaged"),
        (-1, "header may be damaged"),
    ],
)
def test_modes_that_are_not_read_name_a_way_around(tmp_path, mode, around) -> None:
    path = patch(write_mrc(tmp_path / "a.mrc", pixels(6, (2, 6, 5))), 12, "<i", mode)
    with pytest.raises(UnsupportedVariantError, match=f"MRC mode {mode} at byte 12 cannot be read.*{around}"):
        read(path)


def test_the_way_around_works(tmp_path, read_all) -> None:
    values = np.arange(60, dtype="<i4").reshape(2, 6, 5)
    path = tmp_path / "a.mrc"
    write_mrc(path, np.zeros((2, 6, 5), "u2"))
    path.write_bytes(path.read_bytes()[:1024] + values.tobytes())
    source = read(path, reader="raw", frame_shape=(6, 5), dtype="<i4", header=1024)
    np.testing.assert_array_equal(read_all(source.frames), values)


@pytest.mark.parametrize("axes", [(2, 1, 3), (1, 3, 2), (3, 2, 1)])
def test_other_orders_of_axes_are_refused(tmp_path, axes) -> None:
    path = write_mrc(tmp_path / "a.mrc", pixels(6, (2, 4, 4)), axes=axes)
    with pytest.raises(UnsupportedVariantError, match="columns, rows and sections are the axes"):
        read(path)
    with pytest.raises(FormatError, match=r"expected MAPC, MAPR, MAPS to be 1, 2, 3 .* found 1, 2, 7"):
        read(patch(path, 64, "<3i", 1, 2, 7))


# ---- calibration and extended headers


def test_cells_are_pixel_sizes_and_negative_ones_are_not(tmp_path) -> None:
    frames = pixels(6, (3, 4, 8))
    source = read(write_mrc(tmp_path / "a.mrc", frames, cell=(16.0, 12.0, 0.0)))
    assert [(axis.name, axis.units, axis.scale) for axis in source.signal_axes] == [("ky", "Å", 3.0), ("kx", "Å", 2.0)]
    for cell in ((-80.0, -40.0, 0.0), (0.0, 0.0, 0.0), (float("nan"), 1.0, 1.0), (float("inf"), 1.0, 1.0)):
        source = read(write_mrc(tmp_path / "a.mrc", frames, cell=cell))
        assert [(axis.units, axis.scale) for axis in source.signal_axes] == [("px", 1.0), ("px", 1.0)]
    source = read(write_mrc(tmp_path / "a.mrc", frames, cell=(16.0, 12.0, 1.0), sampling=(0, 4, 3)))
    assert source.signal_axes[0].units == "px"


def test_a_volume_has_three_axes_in_space_and_volumes_stack(tmp_path) -> None:
    frames = pixels(2, (6, 4, 8))
    source = read(write_mrc(tmp_path / "a.mrc", frames, cell=(16.0, 12.0, 30.0), ispg=1))
    assert [axis.name for axis in (*source.navigation_axes, *source.signal_axes)] == ["z", "y", "x"]
    assert [axis.scale for axis in (*source.navigation_axes, *source.signal_axes)] == [5.0, 3.0, 2.0]
    stack = read(write_mrc(tmp_path / "a.mrc", frames, sampling=(8, 4, 3), ispg=401))
    assert stack.frames.nav_shape == (2, 3)
    assert stack.scan_shape_origin == "NZ, MZ of a stack of volumes"


@pytest.mark.parametrize("kind", ["FEI1", "FEI2"])
@pytest.mark.parametrize("order", "<>")
def test_fei_headers(tmp_path, read_all, kind, order) -> None:
    """Room for more sections than there are says nothing of their number."""
    frames = pixels(6, (3, 4, 8))
    block = fei_header(
        kind, sections=3, spare=1021, byteorder=order, ht=200e3, pixel_size_x=2e8, pixel_size_y=1e8,
        projection_mode=1, camera_length=0.3, dwell_time=1e-3, alpha_tilt=-7.5,
    )  # fmt: skip
    path = write_mrc(tmp_path / "a.mrc", frames, byteorder=order, extended=block, exttyp=kind.encode())
    source = read(path)
    assert source.frames_found == 3
    np.testing.assert_array_equal(read_all(source.frames), frames)
    assert [(axis.units, axis.scale) for axis in source.signal_axes] == [("1/nm", 0.1), ("1/nm", 0.2)]
    assert source.original_metadata["extended_header"] == {
        "Type": kind, "Metadata size": 768 if kind == "FEI1" else 888, "Metadata version": 0 if kind == "FEI1" else 2,
        "HT": 200e3, "Alpha tilt": -7.5, "Pixel size X": 2e8, "Pixel size Y": 1e8, "Projection mode": 1,
        "Camera length": 0.3, "Dwell time": 1e-3,
    }  # fmt: skip
    instrument = source.metadata["Acquisition_instrument"]
    assert instrument["TEM"]["beam_energy"] == 200
    assert instrument["TEM"]["camera_length"] == 300
    assert instrument["dwell_time"] == 1e-3
    image = fei_header(kind, byteorder=order, pixel_size_x=2e-10, pixel_size_y=1e-10, projection_mode=2)
    path = write_mrc(path, frames, byteorder=order, extended=image, exttyp=kind.encode())
    assert [(axis.units, round(axis.scale, 9)) for axis in read(path).signal_axes] == [("nm", 0.1), ("nm", 0.2)]


def test_serial_headers(tmp_path) -> None:
    """Tilt angle × 100, stage × 25 and magnification / 100 as int16, for each section."""
    rows = np.array([[-6000, 100, -50, 250], [0, 25, 75, 250], [6000, 0, 0, 250]], ">i2")
    path = write_mrc(tmp_path / "a.mrc", pixels(6, (3, 4, 8)), byteorder=">", extended=rows.tobytes() + bytes(512))
    for exttyp in (b"SERI", bytes(4)):
        patch(path, 104, "4s", exttyp)
        patch(path, 128, ">2h", 8, 1 | 4 | 8)
        found = read(path).original_metadata["extended_header"]
        assert found["Tilt angle"].tolist() == [-60, 0, 60]
        assert found["Stage X"].tolist() == [4, 1, 0]
        assert found["Stage Y"].tolist() == [-2, 3, 0]
        assert found["Magnification"].tolist() == [25000, 25000, 25000]
    assert "extended_header" not in read(patch(path, 128, ">2h", 3, 63)).original_metadata


def test_old_fei_headers(tmp_path) -> None:
    rows = np.zeros((1024, 32), "f4")
    rows[:3, 0], rows[:3, 12] = [-10, 0, 10], 5e4
    path = write_mrc(tmp_path / "a.mrc", pixels(6, (3, 4, 8)), extended=rows.tobytes())
    found = read(path).original_metadata["extended_header"]
    assert found["Alpha tilt"].tolist() == [-10, 0, 10]
    assert found["Magnification"].tolist() == [5e4] * 3


def test_unknown_extended_headers_are_skipped(tmp_path, read_all) -> None:
    frames = pixels(6, (3, 4, 8))
    for exttyp, block in (
        (b"CCP4", b"abc"),
        (b"FEI1", b"\xff" * 99),
        (b"SERI", b"\1"),
        (b"FEI2", b""),
        (b"AGAR", b"a"),
    ):
        source = read(write_mrc(tmp_path / "a.mrc", frames, extended=block, exttyp=exttyp))
        assert "extended_header" not in source.original_metadata or exttyp in (b"SERI", b"AGAR")
        np.testing.assert_array_equal(read_all(source.frames), frames)


def test_header_fields_and_labels_are_kept(tmp_path) -> None:
    source = read(write_mrc(tmp_path / "a.mrc", pixels(6, (3, 4, 8)), labels=("first line", "second")))
    header = source.original_metadata["header"]
    assert header["LABELS"] == ["first line", "second"]
    assert (header["NX"], header["NY"], header["NZ"], header["MODE"]) == (8, 4, 3, 6)


# ---- several files, real files


def test_several_files_continue_each_other(tmp_path, read_all) -> None:
    frames = pixels(6, (10, 4, 8))
    paths = [write_mrc(tmp_path / f"part_{k}.mrc", frames[a:b]) for k, (a, b) in enumerate(((0, 4), (4, 7), (7, 10)))]
    source = read(str(tmp_path / "part_*.mrc"), scan_shape=(2, 5))
    np.testing.assert_array_equal(read_all(source.frames), frames.reshape(2, 5, 4, 8))
    assert source.frames_expected == 10
    other = write_mrc(tmp_path / "other.mrc", frames[:2, :, :4])
    with pytest.raises(FormatError, match=r"does not continue part_0.mrc: expected nx = 8 as there, found 4"):
        read([*paths, other])
    with pytest.raises(ValueError, match="the list of MRC files is empty"):
        MrcReader().read([])


def test_an_old_file_without_stamp(vendor_data, read_all) -> None:
    source = read(vendor_data("mrc/no_map_stamp.mrc"))
    frames = read_all(source.frames)
    assert (frames.shape, frames.dtype) == ((3, 128, 128), np.float32)
    assert abs(float(frames.sum(dtype="f8")) - 24435.3063) < 1e-4
    assert len(source.warnings) == 1
    assert [(axis.units, axis.scale) for axis in source.signal_axes] == [("Å", 2.0), ("Å", 2.0)]
