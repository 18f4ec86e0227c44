"""EMD 0.x of Berkeley Lab and Prismatic; Velox and stempy named and refused; damage named instead of read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.emd import write_emd0, write_prismatic
from lazy4d.errors import FormatError, Lazy4DError, UnsupportedVariantError
from lazy4d.io.registry import read

SHAPE = (3, 4, 6, 5)
AXES = [
    ("R_x", "[n_m]", 0.5 * np.arange(3, dtype="f4")),
    ("R_y", "[n_m]", 0.25 * np.arange(4, dtype="f4")),
    ("Q_x", "[n_m^-1]", -0.3 + 0.1 * np.arange(6, dtype="f4")),
    ("Q_y", "mrad", [-1.0, -0.8]),
]


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 60000, SHAPE, np.uint16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return folder / "a scan.emd"


def test_real_file(vendor_data, no_compute) -> None:
    name = vendor_data("hdf5/prismatic_Si100_4D.emd")
    with no_compute:
        s = l4.load(name)
    assert s.data.shape == (2, 11, 11, 8, 8)
    data = s.data.compute()
    assert float(data.sum(dtype="f8")) == pytest.approx(221.275704, abs=1e-5)
    assert float(data[0].sum(dtype="f8")) == pytest.approx(110.668392, abs=1e-5)
    axes = s.axes_manager
    assert [axes[name].units for name in ("z", "y", "x", "ky", "kx")] == ["px", "nm", "nm", "1/nm", "1/nm"]
    assert (axes["kx"].scale, axes["kx"].offset) == pytest.approx((0.18416207, -0.73664826))
    assert s.metadata.Acquisition_instrument.TEM.beam_energy == 100.0
    one = l4.load(name, dataset="CBED_array_depth0001")
    np.testing.assert_array_equal(one.data.compute(), data[1])


@pytest.mark.parametrize("storage", [{}, {"chunks": (2, 2, 6, 5), "compression": "lzf"}])
def test_pixels_and_axes(path, frames, storage, scheduler) -> None:
    with h5py.File(path, "w") as file:
        write_emd0(file, frames, AXES, **storage)
        file["data/acquisition times"] = np.arange(3)
        file.create_group("microscope").attrs["accelerating voltage"] = 80000
    s = l4.load(path)
    np.testing.assert_array_equal(s.data.compute(), frames)
    np.testing.assert_array_equal(l4.load(path, chunks=(1, 3)).sum().compute().data, frames.sum((0, 1)))
    axes = s.axes_manager
    assert [axes[name].units for name in ("y", "x", "ky", "kx")] == ["nm", "nm", "1/nm", "mrad"]
    assert [axes[name].scale for name in ("y", "x", "ky", "kx")] == pytest.approx([0.5, 0.25, 0.1, 0.2])
    assert axes["ky"].offset == pytest.approx(-0.3)
    assert s.metadata.Acquisition_instrument.TEM.beam_energy == 80.0
    assert s.metadata.General.title == "scan"


@pytest.mark.parametrize("storage", [{}, {"chunks": (1, 4, 6, 5), "compression": "gzip"}])
def test_thicknesses_are_the_first_axis(path, frames, storage, read_all) -> None:
    stack = np.stack([frames, frames + 1, frames + 2])
    with h5py.File(path, "w") as file:
        write_prismatic(file, stack, AXES, **storage)
    source = read(path)
    assert source.frames.nav_shape == (3, 3, 4)
    assert [axis.name for axis in source.navigation_axes] == ["z", "y", "x"]
    assert source.navigation_axes[1].scale == pytest.approx(0.5)
    np.testing.assert_array_equal(read_all(source.frames), stack)
    np.testing.assert_array_equal(l4.load(path).data[1:, 2, :2].compute(), stack[1:, 2, :2])


def test_thicknesses_that_differ(path, frames) -> None:
    with h5py.File(path, "w") as file:
        write_prismatic(file, [frames, frames[:2]])
    with pytest.raises(FormatError, match=r"CBED_array_depth0000 .*depth0001"):
        l4.load(path)
    assert read(path, dataset="CBED_array_depth0001").frames.nav_shape == (2, 4)


def test_thicknesses_in_chunks_that_cannot_be_joined(path, frames) -> None:
    with h5py.File(path, "w") as file:
        write_prismatic(file, [frames, frames], chunks=(2, 4, 6, 5))
    with pytest.raises(UnsupportedVariantError, match=r"cannot be joined; load one with dataset='.*depth0000'"):
        l4.load(path)
    assert read(path, dataset="CBED_array_depth0001").frames.nav_shape == (3, 4)


def test_several_arrays(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_emd0(file, frames, path="data/one")
        write_emd0(file, frames[0, 0], path="data/image")
    np.testing.assert_array_equal(read_all(read(path).frames), frames)
    with h5py.File(path, "a") as file:
        write_emd0(file, frames + 1, path="data/two")
    with pytest.raises(FormatError, match=r"2 arrays of this EMD file.*/data/one \(3, 4, 6, 5\) uint16.*/data/two"):
        l4.load(path)
    np.testing.assert_array_equal(read_all(read(path, dataset="two").frames), frames + 1)


def test_velox_is_refused(path) -> None:
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"format": "Velox"}'])
        file["Data/Image/0123/Data"] = np.zeros((8, 8, 3), "u2")
    with pytest.raises(UnsupportedVariantError, match=r"Velox.*reader='rosettasciio'"):
        l4.load(path)


def test_counted_electrons_are_refused(path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("electron_events/frames", (4,), h5py.vlen_dtype("u4"))
    with pytest.raises(UnsupportedVariantError, match="counted electrons of stempy"):
        l4.load(path)


@pytest.mark.parametrize("dtype", [">u2", ">f8", "bool", "c16"])
def test_types_of_pixels(path, frames, dtype, read_all) -> None:
    stored = (frames % 2).astype(dtype)
    with h5py.File(path, "w") as file:
        write_emd0(file, stored, chunks=(1, 1, 6, 5))
    pixels = read_all(read(path).frames)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, stored)


def test_records_are_refused(path) -> None:
    with h5py.File(path, "w") as file:
        write_emd0(file, np.zeros(SHAPE, [("a", "f4")]))
    with pytest.raises(UnsupportedVariantError, match="do not hold numbers"):
        l4.load(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    kind=st.sampled_from(["f4", ">f8", "u1", "S3", "c8", "bool"]),
    value=st.one_of(st.integers(-3, 3), st.floats(), st.text("ab^-1/[]_", max_size=6), st.just(b"\xff\xfe")),
    attribute=st.sampled_from(["emd_group_type", "units", "name", "version_major", "version_minor"]),
    where=st.sampled_from(["/", "data/scan", "data/scan/dim1", "data/scan/data"]),
    link=st.sampled_from([None, "dangling", "cycle", "parent"]),
)
def test_fuzzed_trees(path, read_all, lengths, kind, value, attribute, where, link) -> None:
    frames = np.arange(2 * 3 * 4 * 4, dtype="u2").reshape(2, 3, 4, 4)
    with h5py.File(path, "w") as file:
        write_emd0(file, frames, [("a", "nm", np.arange(n).astype(kind)) for n in lengths])
        file[where].attrs[attribute] = np.void(value) if isinstance(value, bytes) else value
        group = file["data/scan"]
        if link == "dangling":
            group["dim9"] = h5py.SoftLink("/nowhere")
        elif link == "cycle":
            del group["dim1"]
            group["dim1"] = h5py.SoftLink("/data/scan/dim1")
        elif link == "parent":
            group["up"] = file["data"]
    try:
        pixels = read_all(read(path).frames)
    except Lazy4DError:
        return
    np.testing.assert_array_equal(pixels, frames)
