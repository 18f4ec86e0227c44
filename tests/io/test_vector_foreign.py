"""Vectors as pyxem, HyperSpy and py4DSTEM save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DWarning, UnsupportedVariantError
from tests.io.vector_files import PYXEM, write_py4dstem, write_pyxem, write_pyxem_zspy

UNSAID = "does not say of how many pixels the frames were"


def rows(v: Any) -> Any:
    return v.compute().ragged


@pytest.mark.parametrize("name", ["v.hspy", "v.zspy"])
def test_vectors_of_pyxem(tmp_path: Path, name: str) -> None:
    (write_pyxem if name == "v.hspy" else write_pyxem_zspy)(tmp_path / name)
    with pytest.warns(Lazy4DWarning, match=rf"{UNSAID}: 30 × 32 hold all"):
        v = l4.load(tmp_path / name)
    assert isinstance(v, l4.DiffractionVectors)
    assert (v.nav_shape, v.frame_shape) == ((2, 2), (30, 32))
    ky, kx = v.compute().calibrated()
    flat = np.concatenate([one for row in PYXEM for one in row])
    assert np.allclose(np.column_stack([ky, kx]), flat[:, :2], atol=1e-12)
    found = rows(v)
    assert found.counts.tolist() == [2, 0, 1, 1]
    assert np.allclose(found["ky"][:2], [10, 20])
    assert np.array_equal(found[found.names[2]], flat[:, 2])
    ky_axis = v.axes_manager["ky"]
    assert (ky_axis.scale, ky_axis.offset) == (0.02, -0.3)
    assert v.axes_manager["x"].scale == 2.0
    assert v.axes_manager["x"].units == "nm"
    if name == "v.hspy":
        assert v.columns == ("ky", "kx", "intensity")
        assert v.column_units == {"ky": "1/Å", "kx": "1/Å"}
        assert v.title == "peaks"


def test_columns_of_pyxem_go_by_their_names(tmp_path: Path) -> None:
    write_pyxem(tmp_path / "v.hspy", names=("kx", "ky", "score"))
    with pytest.warns(Lazy4DWarning, match=UNSAID):
        v = l4.load(tmp_path / "v.hspy")
    assert v.columns == ("ky", "kx", "score")
    assert np.allclose(rows(v)["kx"][:2], [10, 20])
    assert v.frame_shape == (32, 30)


def test_peaks_of_hyperspy_are_pixels(tmp_path: Path) -> None:
    write_pyxem(tmp_path / "p.hspy")
    with h5py.File(tmp_path / "p.hspy", "r+") as file:
        metadata = file["Experiments/__unnamed__/metadata"]
        del metadata["VectorMetadata"]
        metadata.create_group("Peaks")
        metadata["Signal"].attrs["signal_type"] = "electron_diffraction"
        data, shapes = file["Experiments/__unnamed__/data"], file["Experiments/__unnamed__/_ragged_shapes_data"]
        for i, j in np.ndindex(2, 2):
            data[i, j], shapes[i, j] = np.array([3.0, 4.0 + i]), np.array([1, 2])
    with pytest.warns(Lazy4DWarning, match=rf"{UNSAID}: 4 × 6 hold all"):
        v = l4.load(tmp_path / "p.hspy")
    assert rows(v)["kx"].tolist() == [4, 4, 5, 5]
    assert v.column_units == {"ky": "px", "kx": "px"}


def test_the_size_of_the_detector_is_taken_from_pyxem(tmp_path: Path) -> None:
    write_pyxem(tmp_path / "v.hspy")
    with h5py.File(tmp_path / "v.hspy", "r+") as file:
        own = file["Experiments/__unnamed__/metadata/VectorMetadata"]
        del own.attrs["detector_shape"]
        own["_tuple_detector_shape"] = np.array([64, 48])
    assert l4.load(tmp_path / "v.hspy").frame_shape == (64, 48)


def test_other_ragged_signals_are_refused_unless_asked_for(tmp_path: Path) -> None:
    write_pyxem(tmp_path / "v.hspy")
    with h5py.File(tmp_path / "v.hspy", "r+") as file:
        metadata = file["Experiments/__unnamed__/metadata"]
        del metadata["VectorMetadata"]
        metadata["Signal"].attrs["signal_type"] = ""
    with pytest.raises(UnsupportedVariantError, match="a ragged signal"):
        l4.load(tmp_path / "v.hspy")
    with pytest.warns(Lazy4DWarning, match=UNSAID):
        assert l4.load(tmp_path / "v.hspy", reader="vectors").columns == ("ky", "kx", "intensity")


def test_a_file_with_frames_and_vectors_is_asked_which(tmp_path: Path) -> None:
    scan = l4.Diffraction2D(np.ones((2, 2, 4, 4), "u2"), title="scan")
    scan.save(tmp_path / "v.hspy", progress=False)
    write_pyxem(tmp_path / "peaks.hspy")
    with h5py.File(tmp_path / "v.hspy", "r+") as file, h5py.File(tmp_path / "peaks.hspy") as peaks:
        peaks.copy("Experiments/__unnamed__", file["Experiments"], "peaks")
    with pytest.warns(Lazy4DWarning, match="the one with four dimensions is loaded"):
        assert isinstance(l4.load(tmp_path / "v.hspy"), l4.Diffraction2D)
    for options in ({"dataset": "peaks"}, {"dataset": "/Experiments/peaks/data"}, {"reader": "vectors"}):
        with pytest.warns(Lazy4DWarning, match=UNSAID):
            assert rows(l4.load(tmp_path / "v.hspy", **options)).total == 4
    with pytest.raises(FormatError, match="no signal 'grains'"):
        l4.load(tmp_path / "v.hspy", dataset="grains")


@pytest.mark.parametrize("damage", ["no shapes", "wrong shapes", "no chunk", "torn chunk", "text"])
def test_damaged_files_of_pyxem(tmp_path: Path, damage: str) -> None:
    where = tmp_path / ("v.zspy" if "chunk" in damage else "v.hspy")
    (write_pyxem_zspy if "chunk" in damage else write_pyxem)(where)
    if "chunk" in damage:
        chunk = where / "Experiments" / "__unnamed__" / "data" / "0" / "0"
        chunk.write_bytes(chunk.read_bytes()[:-3]) if damage == "torn chunk" else chunk.unlink()
    else:
        with h5py.File(where, "r+") as file:
            group = file["Experiments/__unnamed__"]
            if damage == "wrong shapes":
                group["_ragged_shapes_data"][0, 0] = np.array([5, 3])
            elif damage == "no shapes":
                del group["_ragged_shapes_data"]
            else:
                del group["data"]
                group.create_dataset("data", data=np.array([["a", "b"]] * 2, object), dtype=h5py.string_dtype())
    with pytest.raises(FormatError, match=r"v\.[hz]spy"):
        l4.load(where)


# ---- py4DSTEM


def test_bragg_vectors_of_py4dstem(tmp_path: Path) -> None:
    lists = write_py4dstem(tmp_path / "bragg.h5")
    v = l4.load(tmp_path / "bragg.h5")
    assert (v.nav_shape, v.frame_shape, v.title) == ((2, 3), (32, 40), "braggvectors")
    found = rows(v)
    flat = np.concatenate(lists.reshape(-1))
    for ours, theirs in {"ky": "qx", "kx": "qy", "intensity": "intensity"}.items():
        assert np.array_equal(found[ours], flat[theirs])
    assert found.counts.tolist() == [0, 1, 2, 0, 1, 2]
    ky_axis = v.axes_manager["ky"]
    assert (ky_axis.scale, ky_axis.units) == (0.02, "1/Å")
    assert np.isclose(ky_axis.offset, -15.5 * 0.02)
    assert v.axes_manager["y"].scale == 2.0


def test_a_cube_beside_bragg_vectors_comes_first(tmp_path: Path) -> None:
    write_py4dstem(tmp_path / "both.h5", cube=True)
    assert isinstance(l4.load(tmp_path / "both.h5"), l4.Diffraction2D)
    for options in (
        {"reader": "vectors"},
        {"dataset": "braggvectors_root/braggvectors/_v_uncal"},
        {"dataset": "_v_uncal"},
    ):
        v = l4.load(tmp_path / "both.h5", **options)
        assert isinstance(v, l4.DiffractionVectors)
        assert rows(v).total == 6


def test_several_lists_are_asked_which(tmp_path: Path) -> None:
    write_py4dstem(tmp_path / "bragg.h5")
    with h5py.File(tmp_path / "bragg.h5", "r+") as file:
        file.copy("braggvectors_root/braggvectors", file["braggvectors_root"], "second")
    with pytest.raises(FormatError, match="2 lists of peaks of qx and qy in this file, expected one"):
        l4.load(tmp_path / "bragg.h5")
    assert l4.load(tmp_path / "bragg.h5", dataset="second").title == "second"


def test_a_line_of_point_lists_without_calibration(tmp_path: Path) -> None:
    kind = np.dtype([("qx", "f8"), ("qy", "f8"), ("h", "i4")])
    with h5py.File(tmp_path / "line.h5", "w") as file:
        file.attrs.update(emd_group_type="file", version_major=1)
        root = file.create_group("peaks_root")
        root.attrs["emd_group_type"] = "root"
        group = root.create_group("peaks")
        group.attrs.update(emd_group_type="pointlistarray", python_class="PointListArray")
        data = group.create_dataset("data", (3,), h5py.vlen_dtype(kind))
        data[1] = np.array([(1.0, 2.0, 5)], kind)
    with pytest.warns(Lazy4DWarning, match=rf"{UNSAID}: 2 × 3 hold all"):
        v = l4.load(tmp_path / "line.h5")
    assert v.columns == ("ky", "kx", "h")
    assert rows(v)["h"].tolist() == [5]
    assert rows(v)["h"].dtype == np.int32
    assert v.nav_shape == (3,)


def test_loaded_vectors_of_others_are_saved_as_ours(tmp_path: Path) -> None:
    write_py4dstem(tmp_path / "bragg.h5")
    v = l4.load(tmp_path / "bragg.h5")
    v.save(tmp_path / "bragg.zarr")
    again = l4.load(tmp_path / "bragg.zarr")
    assert all(np.array_equal(rows(again)[name], rows(v)[name]) for name in v.columns)
    assert again.axes_manager["kx"].offset == v.axes_manager["kx"].offset
