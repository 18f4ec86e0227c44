"""py4DSTEM files: several roots and trees, calibration, older versions, and damage named instead of read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.emd import write_emd1_cube, write_py4dstem_native
from lazy4d.errors import FormatError, Lazy4DError, MissingCompanionError, UnsupportedVariantError
from lazy4d.io.registry import read

SHAPE = (3, 4, 6, 5)
AXES = [
    ("Rx", "nm", [0, 0.5]),
    ("Ry", "nm", [1, 1.25]),
    ("Qx", "A^-1", -0.3 + 0.1 * np.arange(6)),
    ("Qy", "[n_m^-1]", [-1.0, -0.8]),
]


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 60000, SHAPE, np.uint16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return folder / "a scan.h5"


def told(source: Any) -> dict[str, tuple[str, float, float]]:
    axes = (*source.navigation_axes, *source.signal_axes)
    return {axis.name: (axis.units, round(axis.scale, 6), round(axis.offset, 6)) for axis in axes}


def test_real_file(vendor_data, no_compute) -> None:
    with no_compute:
        s = l4.load(vendor_data("hdf5/py4DSTEM_size2x3x4x5.h5"))
    assert s.data.shape == (2, 3, 4, 5)
    assert s.data.dtype == np.float32
    assert float(s.data.compute().sum(dtype="f8")) == pytest.approx(28255.8762, abs=1e-4)
    axes = s.axes_manager
    assert [axes[name].units for name in ("y", "x", "ky", "kx")] == ["nm", "nm", "1/Å", "1/Å"]
    assert axes["y"].scale == pytest.approx(0.126796875)
    assert axes["kx"].scale == pytest.approx(0.044251566616087125)
    assert s.metadata.Acquisition_instrument.TEM.Calibration.QR_flip is False


@pytest.mark.parametrize("storage", [{}, {"chunks": (1, 2, 6, 5), "compression": "gzip"}])
def test_pixels_and_axes(path, frames, storage, scheduler) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, AXES, **storage)
    s = l4.load(path)
    np.testing.assert_array_equal(s.data.compute(), frames)
    np.testing.assert_array_equal(s.inav[1:3, 2].data.compute(), frames[2, 1:3])
    np.testing.assert_array_equal(l4.load(path, chunks=(1, 2)).sum().compute().data, frames.sum((0, 1)))
    assert told(read(path)) == {
        "y": ("nm", 0.5, 0.0), "x": ("nm", 0.25, 1.0), "ky": ("1/Å", 0.1, -0.3), "kx": ("1/nm", 0.2, -1.0),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [">u2", ">f4", "bool", "c8", "i8"])
def test_types_of_pixels(path, frames, dtype, read_all) -> None:
    stored = (frames % 2).astype(dtype)
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, stored)
    source = read(path)
    pixels = read_all(source.frames)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, stored)


def test_records_are_refused(path) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, np.zeros(SHAPE, [("a", "f4"), ("b", "u1")]))
    with pytest.raises(UnsupportedVariantError, match=r"do not hold numbers.*datacube_root/datacube"):
        l4.load(path)
    with pytest.raises(UnsupportedVariantError, match="expected numbers"):
        l4.load(path, dataset="datacube")


def test_several_roots(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, root="first")
        write_emd1_cube(file, frames + 1, root="second")
        write_emd1_cube(file, frames[..., 0, 0], root="second", name="datacube/image", python_class="VirtualImage")
    with pytest.raises(FormatError, match=r"2 arrays .*/first/datacube \(3, 4, 6, 5\) uint16.*dataset='/first/dat"):
        l4.load(path)
    for name in ("second", "second/datacube", "/second/datacube/data"):
        np.testing.assert_array_equal(read_all(read(path, dataset=name).frames), frames + 1)
    assert read(path, dataset="image").frames.frame_shape == (3, 4)
    with pytest.raises(FormatError, match=r"no dataset 'third'.*/first/datacube"):
        l4.load(path, dataset="third")
    with pytest.raises(FormatError, match="Choose one with"):
        l4.load(path, dataset="datacube")


def test_cube_is_preferred_to_other_arrays(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, name="tree/deep/cube")
        write_emd1_cube(file, frames[0], name="tree/stack", python_class="Array")
        write_emd1_cube(file, frames, name="tree/also", python_class="Array")
    np.testing.assert_array_equal(read_all(read(path).frames), frames)


def test_calibration_of_the_array_that_it_names(path, frames) -> None:
    names = ("R_pixel_size", "R_pixel_units", "Q_pixel_size", "Q_pixel_units", "QR_flip", "QR_rotation")
    pixels = [("Rx", "pixels", [0, 1]), ("Ry", "pixels", [0, 1]), ("Qx", "pixels", [0, 1]), ("Qy", "pixels", [0, 1])]
    with h5py.File(path, "w") as file:
        right = dict(zip(names, (2.0, "A", 0.5, "mrad", True, -12.5), strict=True))
        wrong = dict(zip(names, (9.0, "nm", 9.0, "A^-1", False, 0.0), strict=True))
        write_emd1_cube(file, frames, pixels, name="other", python_class="Array", calibration=wrong, targets=["/other"])
        write_emd1_cube(file, frames, pixels, name="cube", calibration=right, targets=["/x", "/cube"])
    source = read(path)
    assert told(source) == {
        "y": ("Å", 2.0, 0.0), "x": ("Å", 2.0, 0.0), "ky": ("mrad", 0.5, 0.0), "kx": ("mrad", 0.5, 0.0),
    }  # fmt: skip
    assert source.metadata["Acquisition_instrument"]["TEM"]["Calibration"] == {"QR_flip": True, "QR_rotation": -12.5}
    assert source.warnings == ()


def test_calibration_that_disagrees_is_told(path, frames) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, AXES, calibration={"R_pixel_size": 3.0, "R_pixel_units": "nm"})
    source = read(path)
    assert told(source)["y"] == ("nm", 0.5, 0.0)
    assert "3 nm by the calibration R_pixel_size" in " ".join(source.warnings)


def test_native_files_of_older_versions(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_py4dstem_native(file, frames, AXES)
        file["4DSTEM_experiment/metadata/metadata_0/microscope/accelerating_voltage"] = 300e3
        file["4DSTEM_experiment/metadata/metadata_0/calibration/QR_rotation"] = 4.5
    source = read(path)
    np.testing.assert_array_equal(read_all(source.frames), frames)
    assert told(source)["kx"] == ("1/nm", 0.2, -1.0)
    assert source.metadata["Acquisition_instrument"]["TEM"] == {
        "beam_energy": 300.0, "Calibration": {"QR_rotation": 4.5},
    }  # fmt: skip
    with h5py.File(path, "a") as file:
        write_py4dstem_native(file, frames)
    with pytest.raises(FormatError, match=r"datacube_0 .*datacube_1"):
        l4.load(path)
    assert read(path, dataset="datacube_1").title == "datacube_1"


def test_slices_with_names_are_stacked_along_the_last_axis(path, frames, read_all) -> None:
    stack = frames[0]
    with h5py.File(path, "w") as file:
        names = ("_labels_", "", np.array([b"a", b"b", b"c", b"d"]))
        axes = [("Qx", "A^-1", [0, 0.1]), ("Qy", "A^-1", [0, 0.2]), names]
        write_emd1_cube(file, np.moveaxis(stack, 0, -1), axes, python_class="Array")
    source = read(path)
    np.testing.assert_array_equal(read_all(source.frames), stack)
    assert told(source) == {"x": ("px", 1.0, 0.0), "ky": ("1/Å", 0.1, 0.0), "kx": ("1/Å", 0.2, 0.0)}


def test_counted_cubes_only(path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("4DSTEM_experiment/data/counted_datacubes/events")
    with pytest.raises(UnsupportedVariantError, match=r"counted electrons only \(events\)"):
        l4.load(path)


def test_nothing_to_read(path) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, np.zeros(5))
    with pytest.raises(FormatError, match=r"no array .* holds frames.*\(5,\) float64"):
        l4.load(path)


def test_pixels_in_another_file(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        where = write_emd1_cube(file, frames)
        del file[where]["data"]
        file[where]["data"] = h5py.ExternalLink("pixels.h5", "/raw")
    with pytest.raises(FormatError, match="no array"):
        l4.load(path)
    with pytest.raises(MissingCompanionError, match=r"pixels\.h5, which is missing"):
        l4.load(path, dataset=f"{where}/data")
    with h5py.File(path.parent / "pixels.h5", "w") as file:
        file["raw"] = frames
    np.testing.assert_array_equal(read_all(read(path).frames), frames)


@pytest.mark.parametrize(
    ("vector", "expected", "warning"),
    [
        ([0.0, 0.5, 1.0], ("nm", 0.5, 0.0), ""),
        ([0.0, 0.5], ("nm", 0.5, 0.0), ""),
        (np.array([1, 2, 3], ">i2"), ("nm", 1.0, 1.0), ""),
        (np.array([[0.0, 0.5, 1.0]]), ("nm", 0.5, 0.0), ""),
        ([0.0, 0.5, 9.0], ("px", 1.0, 0.0), "not evenly spaced"),
        ([0.0, 0.5, 1.0, 1.5, 2.0], ("nm", 0.5, 0.0), "5 coordinates for 3 pixels"),
        ([2.0, 2.0, 2.0], ("px", 1.0, 0.0), "do not differ"),
        ([0.0, np.nan, 1.0], ("px", 1.0, 0.0), "not all finite"),
        ([7.0], ("px", 1.0, 0.0), "one coordinate for 3 pixels"),
        (np.array([b"a", b"b", b"c"]), ("px", 1.0, 0.0), ""),
        (np.zeros((3, 3)), ("px", 1.0, 0.0), "not those of one axis"),
        ([1j, 2j, 3j], ("px", 1.0, 0.0), "expected numbers"),
        ([], ("px", 1.0, 0.0), ""),
    ],
)
def test_vectors_of_all_kinds(path, frames, vector, expected, warning) -> None:
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, [("Rx", np.bytes_("nm"), vector)])
    source = read(path)
    assert told(source)["y"] == expected
    assert warning in " ".join(source.warnings)
    assert bool(warning) == bool(source.warnings)


VALUES = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(), st.binary(max_size=8), st.text("ab_µ°/^-1Å", max_size=8),
    st.lists(st.floats(width=32), max_size=4),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attribute=st.sampled_from(["emd_group_type", "python_class", "version_major", "units", "name", "type", "length"]),
    where=st.sampled_from(["/", "/r", "/r/c", "/r/c/data", "/r/c/dim0", "/r/c/dim2", "/r/metadatabundle"]),
    value=VALUES,
    remove=st.sampled_from([None, "data", "dim0", "dim1", "dim3"]),
    link=st.sampled_from([None, "dangling", "cycle", "parent", "group", "missing file"]),
)
def test_fuzzed_trees(path, read_all, attribute, where, value, remove, link) -> None:
    frames = np.arange(2 * 3 * 4 * 4, dtype="u2").reshape(2, 3, 4, 4)
    with h5py.File(path, "w") as file:
        write_emd1_cube(file, frames, AXES, root="r", name="c", calibration={"Q_pixel_size": 2.0}, targets=["c"])
        if value is None:
            file[where].attrs.pop(attribute, None)
        else:
            data = np.array(value, "f4") if isinstance(value, list) else value
            file[where].attrs[attribute] = np.void(data) if isinstance(data, bytes) and data else data
        cube = file["r/c"]
        if remove:
            del cube[remove]
        name = remove or "extra"
        if link == "dangling":
            cube[name] = h5py.SoftLink("/nowhere")
        elif link == "cycle":
            cube[name] = h5py.SoftLink(f"/r/c/{name}")
        elif link == "parent":
            cube[name] = file["r"]
        elif link == "group":
            cube.require_group(name)
        elif link == "missing file":
            cube[name] = h5py.ExternalLink("absent.h5", "/x")
    try:
        pixels = read_all(read(path).frames)
    except Lazy4DError:
        return
    np.testing.assert_array_equal(pixels, frames)
