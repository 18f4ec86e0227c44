"""Saving to ``.mrc``, read back by a decoder written from the specification alone."""

from __future__ import annotations

import os
import struct

import dask
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import Lazy4DWarning

SHAPE = (3, 5, 12, 10)


def decode(path) -> tuple[dict, np.ndarray]:
    """Header and sections of an MRC file, by the table of the specification of 2014."""
    raw = path.read_bytes()
    nx, ny, nz, mode = struct.unpack_from("<4i", raw, 0)
    (extended,) = struct.unpack_from("<i", raw, 92)
    stamp, flags = struct.unpack_from("<2i", raw, 152)
    codes = {0: "i1" if flags & 1 else "u1", 1: "<i2", 2: "<f4", 4: "<c8", 6: "<u2", 12: "<f2"}
    head = {
        "mode": mode,
        "sampling": struct.unpack_from("<3i", raw, 28),
        "cell": struct.unpack_from("<3f", raw, 40),
        "angles": struct.unpack_from("<3f", raw, 52),
        "axes": struct.unpack_from("<3i", raw, 64),
        "statistics": struct.unpack_from("<3f", raw, 76),
        "ispg": struct.unpack_from("<i", raw, 88)[0],
        "version": struct.unpack_from("<i", raw, 108)[0],
        "imod": (stamp, flags),
        "map": raw[208:212],
        "machine": raw[212:216],
        "rms": struct.unpack_from("<f", raw, 216)[0],
        "labels": [raw[at : at + 80].decode("ascii").rstrip() for at in range(224, 1024, 80)][: raw[220]],
    }
    pixels = np.frombuffer(raw, codes[mode], offset=1024 + extended)
    assert pixels.size == nx * ny * nz, "nothing before, between or behind the sections"
    return head, pixels.reshape(nz, ny, nx)


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 120, SHAPE, np.uint8)


@pytest.mark.parametrize(
    ("dtype", "mode"),
    [("uint8", 0), ("int8", 0), ("int16", 1), ("float32", 2), ("complex64", 4), ("uint16", 6), ("float16", 12)],
)
def test_every_mode(tmp_path, pixels, dtype, mode) -> None:
    array = pixels.astype(dtype)
    if dtype == "uint8":
        array[0, 0, 0] = 255
    else:
        array[0, 0, 0] = array[0, 0, 0] - array.dtype.type(5)
    if dtype == "complex64":
        array *= np.complex64(1 + 2j)
    path = tmp_path / "é scan.mrc"
    l4.Diffraction2D(array).save(path, progress=False)
    head, sections = decode(path)
    assert head["mode"] == mode
    assert sections.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(sections, array.reshape(15, 12, 10))
    back = l4.load(path)
    assert back.shape == SHAPE
    np.testing.assert_array_equal(back.as_numpy(), array)


def test_the_header_is_that_of_a_stack_of_2014(tmp_path, pixels) -> None:
    s = l4.Diffraction2D(pixels)
    s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.2, scan_units="nm")
    s.save(tmp_path / "a.mrc", progress=False)
    head, _ = decode(tmp_path / "a.mrc")
    assert head["sampling"] == (10, 12, 1)
    assert head["cell"] == (0, 0, 0)  # a reciprocal pixel size is none in Å
    assert head["angles"] == (90, 90, 90)
    assert head["axes"] == (1, 2, 3)
    low, high, mean = head["statistics"]
    assert high < low  # the mark of the specification for statistics that were not computed
    assert mean < min(low, high)
    assert head["rms"] < 0
    assert (head["ispg"], head["version"], head["map"]) == (0, 20141, b"MAP ")
    assert head["machine"][:2] == b"\x44\x44"
    assert head["imod"] == (1146047817, 0)
    assert head["labels"][0].startswith("lazy4d: scan shape (3, 5)")
    assert "kx: 10 px of 0.02 1/A" in head["labels"][-1]


def test_signed_bytes_are_stamped(tmp_path, pixels) -> None:
    l4.Diffraction2D(pixels.astype("i1")).save(tmp_path / "a.mrc", progress=False)
    assert decode(tmp_path / "a.mrc")[0]["imod"] == (1146047817, 1)


def test_lengths_are_in_the_header(tmp_path, pixels) -> None:
    s = l4.Diffraction2D(pixels)
    for name, scale in {"kx": 0.25, "ky": 0.5}.items():
        s.axes_manager[name].scale, s.axes_manager[name].units = scale, "nm"
    s.save(tmp_path / "a.mrc", progress=False)
    assert decode(tmp_path / "a.mrc")[0]["cell"] == (25, 60, 0)
    os.unlink(tmp_path / "a.mrc.lazy4d.json")
    plain = l4.load(tmp_path / "a.mrc")
    assert plain.shape == (15, 12, 10)  # without its companion, a row of sections
    assert [(a.scale, a.units) for a in plain.frame_axes] == [(5.0, "Å"), (2.5, "Å")]


def test_axes_metadata_and_history_come_back(tmp_path, pixels, scheduler) -> None:
    s = l4.Diffraction2D(pixels, title="Gold µ")
    s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
    s.rechunk((1, 3)).save(tmp_path / "a.mrc", progress=False)
    back = l4.load(tmp_path / "a.mrc")
    assert [a.as_dictionary() for a in back.axes_manager] == [a.as_dictionary() for a in s.axes_manager]
    assert back.title == "Gold µ"
    assert back.axes_manager.beam_energy == 200
    assert next(entry.op for entry in back.history) == "set_calibration"
    np.testing.assert_array_equal(back.as_numpy(), pixels)
    assert l4.load(tmp_path / "a.mrc", scan_shape=(5, 3)).shape == (5, 3, 12, 10)
    assert l4.load(tmp_path / "a.mrc", scan_shape=(5, 3)).axes_manager["kx"].units == "1/Å"
    assert l4.load(tmp_path / "a.mrc", sync_offset=1, scan_shape=(2, 7)).shape == (2, 7, 12, 10)


@pytest.mark.parametrize("nav", [(), (7,), (2, 3, 4)])
def test_any_number_of_navigation_axes(tmp_path, nav) -> None:
    array = np.random.default_rng(1).integers(0, 9, (*nav, 6, 8), np.uint16)
    signal = l4.Diffraction2D(array) if nav else l4.Signal2D(array)
    signal.save(tmp_path / "a.mrc", progress=False)
    assert decode(tmp_path / "a.mrc")[1].shape == (max(1, int(np.prod(nav))), 6, 8)
    back = l4.load(tmp_path / "a.mrc")
    assert type(back) is type(signal)
    np.testing.assert_array_equal(back.as_numpy(), array)


@pytest.mark.parametrize(
    ("dtype", "to"),
    [
        ("uint32", "uint16"),
        ("int32", "int16"),
        ("int64", "int16"),
        ("float64", "float32"),
        ("complex128", "complex64"),
        ("bool", "uint8"),
    ],
)
def test_other_dtypes_are_refused_with_the_one_to_take(tmp_path, pixels, dtype, to) -> None:
    with pytest.raises(TypeError, match=rf"no mode for pixels of dtype {dtype}.*change_dtype\(\), to {to}"):
        l4.Diffraction2D(pixels.astype(dtype)).save(tmp_path / "a.mrc")
    assert os.listdir(tmp_path) == []


def test_what_has_no_frames_is_refused(tmp_path, pixels) -> None:
    image = l4.Diffraction2D(pixels).get_virtual_image(l4.CircleROI(5, 6, 3)).astype("float32")
    with pytest.raises(ValueError, match="frames with two axes"):
        image.save(tmp_path / "a.mrc")


def test_invalid_frames_are_told_and_come_back(tmp_path, pixels) -> None:
    valid = np.ones(SHAPE[:2], bool)
    valid[2, 1] = False
    with pytest.warns(Lazy4DWarning, match="1 of 15 frames are missing or damaged"):
        l4.Diffraction2D(pixels, valid=valid).save(tmp_path / "a.mrc", progress=False)
    with pytest.warns(Lazy4DWarning, match="1 of 15 frames were missing"):
        back = l4.load(tmp_path / "a.mrc")
    np.testing.assert_array_equal(back.valid.compute(), valid)
    with pytest.warns(Lazy4DWarning, match="1 of 15 frames were missing"):
        moved = l4.load(tmp_path / "a.mrc", scan_shape=(5, 3))
    np.testing.assert_array_equal(moved.valid.compute(), valid.reshape(5, 3))


def test_an_interrupted_save_leaves_nothing(tmp_path, pixels) -> None:
    def fail(frames, out) -> None:
        raise RuntimeError("boom")

    broken = l4.Diffraction2D(pixels).map_frames(fail, shape=(12, 10), dtype="uint8")
    with dask.config.set(scheduler="synchronous"), pytest.raises(RuntimeError, match="boom"):
        broken.save(tmp_path / "a.mrc", progress=False)
    assert os.listdir(tmp_path) == []


def test_a_companion_of_another_file_is_left_aside(tmp_path, pixels) -> None:
    l4.Diffraction2D(pixels).save(tmp_path / "a.mrc", progress=False)
    l4.Diffraction2D(pixels[:2]).save(tmp_path / "b.mrc", progress=False)
    os.replace(tmp_path / "b.mrc", tmp_path / "a.mrc")
    with pytest.warns(Lazy4DWarning, match="written with another file of this name"):
        assert l4.load(tmp_path / "a.mrc").shape == (10, 12, 10)
