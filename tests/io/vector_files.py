"""Vectors to be saved, steps that fail or are killed half way, and files as pyxem and py4DSTEM write them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames

LOG, STOP_AT = "LAZY4D_TEST_LOG", "LAZY4D_TEST_STOP_AT"


def ragged(n_frames: int, seed: int = 0, most: int = 4) -> RaggedFrames:
    """Entries of columns of several dtypes, none in about every fourth frame."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, most, n_frames)
    total = int(counts.sum())
    return RaggedFrames.from_counts(
        counts,
        {
            "ky": rng.uniform(-1, 17, total),
            "kx": rng.uniform(-1, 13, total),
            "intensity": rng.poisson(100, total).astype(float),
            "label": rng.integers(-3, 3, total).astype(np.int16),
        },
    )


def vectors(
    nav_shape: Sequence[int] = (4, 5), *, chunks: Any = None, seed: int = 0, valid: NDArray[np.bool_] | None = None
) -> l4.DiffractionVectors:
    """Calibrated vectors with metadata and history; lazy in blocks of `chunks`."""
    columns = ragged(int(np.prod(nav_shape, dtype=int)), seed)
    if valid is not None:
        columns = columns.where(np.repeat(valid.reshape(-1), columns.counts))
    data: Any = columns if chunks is None else RaggedBlocks.from_ragged(columns, nav_shape, chunks)
    v = l4.DiffractionVectors(data, nav_shape=nav_shape, frame_shape=(18, 14), title="disks", valid=valid)
    v.metadata.set_item("General.notes", "two grains")
    v.metadata.set_item("DiffractionVectors.column_units", {"intensity": "e"})
    v.original_metadata.set_item("Header.gain", np.arange(3))
    v.set_calibration(scale=0.02, units="1/Å", scan_scale=1.5, scan_units="nm", beam_energy="200 kV")
    return v


def same(found: RaggedFrames, expected: RaggedFrames) -> bool:
    """Whether two are equal to the bit, dtypes included."""
    return (
        found.dtypes == expected.dtypes
        and np.array_equal(found.offsets, expected.offsets)
        and all(found[name].tobytes() == expected[name].tobytes() for name in expected.names)
    )


def logged(entries: RaggedFrames) -> RaggedFrames:
    """The same entries; writes a line into a file, and stops the process, or fails, at a line that is asked for."""
    path = os.environ[LOG]
    with open(path, "a") as file:
        file.write(f"{entries.n_frames}\n")
    how, _, line = os.environ.get(STOP_AT, "").partition(" ")
    if how and len(Path(path).read_text().splitlines()) == int(line):
        if how == "kill":
            os._exit(9)
        raise RuntimeError("the power failed")
    return entries


def save_logged(path: str, **options: Any) -> None:
    """Save vectors whose blocks pass through `logged`, one block after the other."""
    import dask

    v = vectors((6, 3), chunks=(1, 3))
    with dask.config.set(scheduler="synchronous"):
        v._map(logged, op="logged", options={}).save(path, progress=False, **options)


# ---- files of other programs

PYXEM = [[np.array([[-0.1, 0.2, 7.0], [0.1, 0.0, 8.0]]), np.empty((0, 3))], [np.array([[0.0, -0.2, 9.0]])] * 2]
"""Calibrated ky, kx, intensity at 2 × 2 positions."""


def write_pyxem(path: Path, *, names: Sequence[str] = ("ky", "kx", "intensity")) -> None:
    """A ragged signal as pyxem 0.21 saves it in HDF5."""
    with h5py.File(path, "w") as file:
        file.attrs.update(file_format="HyperSpy", file_format_version="3.3")
        group = file.create_group("Experiments/__unnamed__")
        group.attrs.update(package="pyxem", package_version="0.21.0")
        flat = [[np.ravel(one) for one in row] for row in PYXEM]
        _objects(group, "data", flat, "f8")
        _objects(group, "_ragged_shapes_data", [[np.array(one.shape) for one in row] for row in PYXEM], "i8")
        group.create_group("attributes").attrs.update(_lazy=False, ragged=True)
        for k, name in enumerate("yx"):
            axis = group.create_group(f"axis-{k}")
            axis.attrs.update(_type="UniformDataAxis", is_binned=False, name=name, navigate=True, offset=0.0)
            axis.attrs.update(scale=2.0, size=2, units="nm")
        metadata = group.create_group("metadata")
        metadata.create_group("General").attrs["title"] = "peaks"
        metadata.create_group("Signal").attrs["signal_type"] = "diffraction_vectors"
        own = metadata.create_group("VectorMetadata")
        own.attrs["detector_shape"] = "_None_"
        text = h5py.string_dtype()
        own.create_dataset("_list_column_names", data=np.array(names, object), dtype=text)
        own.create_dataset("_list_units", data=np.array(["$A^{-1}$", "$A^{-1}$", "a.u."], object), dtype=text)
        own["_list_scales"], own["offsets"] = np.array([0.02, 0.02, 1.0]), np.array([-0.3, -0.32, 0.0])
        group.create_group("original_metadata")


def _objects(group: Any, name: str, rows: Sequence[Sequence[Any]], dtype: str) -> None:
    array = group.create_dataset(name, (2, 2), h5py.vlen_dtype(np.dtype(dtype)))
    for i, row in enumerate(rows):
        for j, one in enumerate(row):
            array[i, j] = one


def write_pyxem_zspy(folder: Path) -> None:
    """The same signal as pyxem saves it in Zarr version 2."""
    from numcodecs import Blosc
    from numcodecs.vlen import VLenArray

    def put(key: str, content: Any) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def group(key: str, **attributes: Any) -> None:
        put(f"{key}/.zgroup".lstrip("/"), {"zarr_format": 2})
        put(f"{key}/.zattrs".lstrip("/"), attributes)

    def array(key: str, values: NDArray[Any], dtype: str, filters: Any, packed: bytes) -> None:
        blosc = Blosc("zstd", 1, 1)
        document = {"zarr_format": 2, "shape": values.shape, "chunks": values.shape, "dtype": dtype, "order": "C"}
        document |= {"compressor": blosc.get_config(), "filters": filters, "fill_value": 0, "dimension_separator": "/"}
        put(f"{key}/.zarray", document)
        put(f"{key}/{'/'.join('0' * values.ndim)}", bytes(blosc.encode(packed)))

    root = "Experiments/__unnamed__"
    group("", file_format="ZSpy", file_format_version="3.3")
    group("Experiments")
    group(root, package="pyxem", package_version="0.21.0")
    group(f"{root}/attributes", _lazy=False, ragged=True)
    for k, name in enumerate("yx"):
        group(f"{root}/axis-{k}", name=name, navigate=True, offset=0.0, scale=2.0, size=2, units="nm", is_binned=False)
    group(f"{root}/metadata")
    group(f"{root}/metadata/Signal", signal_type="diffraction_vectors")
    group(f"{root}/metadata/VectorMetadata", detector_shape=None)
    numbers = {"scales": np.array([0.02, 0.02, 1.0]), "offsets": np.array([-0.3, -0.32, 0.0])}
    for name, values in numbers.items():
        array(f"{root}/metadata/VectorMetadata/{name}", values, "<f8", None, values.tobytes())
    group(f"{root}/original_metadata")
    flat, shapes = np.empty((2, 2), object), np.empty((2, 2), object)
    for i, j in np.ndindex(2, 2):
        flat[i, j], shapes[i, j] = np.ravel(PYXEM[i][j]), np.array(PYXEM[i][j].shape)
    for name, values, dtype in (("data", flat, "<f8"), ("_ragged_shapes_data", shapes, "<i8")):
        packing = VLenArray(dtype)
        array(f"{root}/{name}", values, "|O", [packing.get_config()], packing.encode(values))


def write_py4dstem(path: Path, *, cube: bool = False) -> NDArray[Any]:
    """Bragg vectors as py4DSTEM 0.14 saves them; gives what is in them, [2, 3] arrays of qx, qy, intensity."""
    kind = np.dtype([("qx", "f8"), ("qy", "f8"), ("intensity", "f8")])
    lists = np.empty((2, 3), object)
    for n, (i, j) in enumerate(np.ndindex(2, 3)):
        lists[i, j] = np.array([(k + n, 2.0 * k, 9.0 - k) for k in range(n % 3)], kind)
    with h5py.File(path, "w") as file:
        file.attrs.update(emd_group_type="file", version_major=1, version_minor=0, authoring_program="emdfile")
        root = file.create_group("braggvectors_root")
        root.attrs.update(emd_group_type="root", python_class="Root")
        own = root.create_group("braggvectors")
        own.attrs.update(emd_group_type="custom", python_class="BraggVectors")
        inner = own.create_group("_v_uncal")
        inner.attrs.update(emd_group_type="custom_pointlistarray", python_class="PointListArray")
        data = inner.create_dataset("data", (2, 3), h5py.vlen_dtype(kind))
        for i, j in np.ndindex(2, 3):
            data[i, j] = lists[i, j]
        shapes = own.create_group("metadatabundle/_braggvectors_shape")
        shapes.attrs.update(emd_group_type="metadata", python_class="Metadata")
        shapes["Qshape"], shapes["Rshape"] = np.array([32, 40]), np.array([2, 3])
        record = root.create_group("metadatabundle/calibration")
        record.attrs.update(emd_group_type="metadata", python_class="Calibration")
        for name, value in {"Q_pixel_size": 0.02, "R_pixel_size": 2.0, "qx0_mean": 15.5, "qy0_mean": 20.25}.items():
            record[name] = value
        record["Q_pixel_units"], record["R_pixel_units"] = b"A^-1", b"nm"
        if cube:
            array = root.create_group("datacube")
            array.attrs.update(emd_group_type="array", python_class="DataCube")
            array["data"] = np.zeros((2, 3, 32, 40), "u2")
    return lists
