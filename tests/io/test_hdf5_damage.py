"""HDF5 files that are damaged, changed or cut short: an error that names the place, or frames marked invalid."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DError, Lazy4DWarning, MissingCodecError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.registry import read

BITSHUFFLE = dict(hdf5plugin.Bitshuffle(cname="lz4"))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "scan ü.h5"


def write(path, array, **settings) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=array, **settings)


def place(path, index):
    with h5py.File(path) as file:
        info = file["d"].id.get_chunk_info_by_coord(index)
        return info.byte_offset, info.size


def overwrite(path, offset, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("settings", [BITSHUFFLE, {"compression": "gzip", "fletcher32": True}, {"fletcher32": True}])
def test_a_corrupt_chunk(path, scan, read_all, settings) -> None:
    write(path, scan, chunks=(1, 2, 64, 64), **settings)
    offset, size = place(path, (2, 2, 0, 0))
    overwrite(path, offset + size // 3, b"\xff" * (size // 3))
    with pytest.raises(FormatError, match=rf"scan ü\.h5, dataset /d, byte {offset} .*positions \[2:3, 2:4\]"):
        read_all(read(path).frames)
    wrong = np.zeros((4, 5), bool)
    wrong[2, 2:4] = True
    for policy in ("nan", "zero"):
        data, valid = read_all(read(path, incomplete=policy).frames, with_valid=True)
        np.testing.assert_array_equal(valid, ~wrong)
        np.testing.assert_array_equal(data, np.where(wrong[..., None, None], 0, scan))
    assert audit(path).corrupt == (12, 13)
    s = l4.load(path, incomplete="nan")
    with pytest.warns(Lazy4DWarning, match="2 of the 20 frames"):
        image = s.get_virtual_image(np.ones((64, 64), bool)).compute().data
    np.testing.assert_array_equal(np.isnan(image), wrong)


def test_a_chunk_that_was_never_written(path, scan, read_all) -> None:
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("d", scan.shape, "u2", chunks=(1, 5, 64, 64), compression="gzip", fillvalue=3)
        stored[:3] = scan[:3]
    source = read(path)
    assert "1 of 4 chunks of d were never written and read as 3" in source.warnings[0].replace("/d", "d")
    expected = scan.copy()
    expected[3] = 3
    np.testing.assert_array_equal(read_all(source.frames), expected)
    _, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    np.testing.assert_array_equal(valid.all(axis=1), [True, True, True, False])


@pytest.mark.parametrize("settings", [{"chunks": (1, 5, 64, 64), "compression": "gzip"}, {}])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_cut_short(path, scan, read_all, settings, share) -> None:
    write(path, scan, **settings)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(Lazy4DError, match=r"scan ü\.h5"):
        read_all(read(path).frames)


@pytest.mark.parametrize("settings", [{"chunks": (1, 5, 64, 64), "compression": "gzip"}, {}])
def test_changed_after_loading(path, scan, read_all, settings) -> None:
    write(path, scan, **settings)
    frames = read(path).frames
    size = path.stat().st_size
    os.utime(path, ns=(1, 1))
    with pytest.raises(FormatError, match="written to since it was loaded"):
        read_all(frames)
    os.truncate(path, size - 100)
    with pytest.raises(TruncatedFileError, match="shrank since it was loaded"):
        read_all(frames)
    os.remove(path)
    with pytest.raises(FileNotFoundError, match="is gone now"):
        read_all(frames)


def test_shapes_that_lie(path, scan) -> None:
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("d", (2**40, 5, 64, 64), "u2", chunks=(1, 5, 64, 64))
        stored[0] = scan[0]
    with pytest.raises(FormatError, match=r"promises .* chunks and holds 1"):
        read(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("d", (2**40, 5, 64, 64), "u2")
    with pytest.raises(FormatError, match="promises more than any file holds"):
        read(path)


def test_any_damaged_header_is_an_error_or_right(path, scan, read_all) -> None:
    small = scan[:2, :2, :16, :16]
    write(path, small, chunks=(1, 2, 16, 16), **BITSHUFFLE)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(150):
        bad = bytearray(good)
        for at in rng.integers(0, min(len(good), 4000), 4):
            bad[at] = int(rng.integers(0, 256))
        path.write_bytes(bad)
        try:
            source = read(path)
            if np.prod(source.frames.nav_shape) < 10**5 and source.frames.frame_nbytes < 10**7:
                read_all(source.frames)
        except Lazy4DError:
            failed += 1
    assert failed > 10


def test_a_filter_number_that_is_damaged(path, scan) -> None:
    write(path, scan, chunks=(1, 2, 64, 64), compression="gzip", compression_opts=7)
    content = path.read_bytes()
    at = content.index(struct.pack("<HHHH", 1, 8, 1, 1) + b"deflate\0")
    overwrite(path, at, struct.pack("<H", 300))
    with pytest.raises(MissingCodecError, match=r"scan ü\.h5, dataset /d: the HDF5 filter 300 \(of unknown name\)"):
        read(path)
