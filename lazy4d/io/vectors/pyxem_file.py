"""Diffraction vectors of pyxem, and peaks of HyperSpy: ragged signals of ``.hspy`` and ``.zspy`` files.

pyxem keeps one array [number, columns] a position, calibrated, and in ``metadata.VectorMetadata`` names, units, scales
and offsets of the columns, the first two being ky (rows) and kx unless their names say otherwise. Peaks of HyperSpy are
pixels, (y, x).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.hdf5.heaps import check_dataset
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.hdf5.vectors import plain_unit
from lazy4d.io.hyperspy import hspy, zspy
from lazy4d.io.hyperspy.axes import axes_of
from lazy4d.io.hyperspy.choice import Candidate, choose
from lazy4d.io.hyperspy.h5_tree import read_group
from lazy4d.io.hyperspy.nodes import Group
from lazy4d.io.hyperspy.tree import EXPERIMENTS, metadata_from, title_of
from lazy4d.io.hyperspy.values import decode, plain
from lazy4d.io.hyperspy.zarr_tree import children, join, read_json
from lazy4d.io.hyperspy.zarr_tree import read_group as read_zarr_group
from lazy4d.io.source import AxisSpec
from lazy4d.io.vectors.foreign import Described, flattened, loaded
from lazy4d.io.vectors.store import LoadedVectors
from lazy4d.io.zarr_arrays.place import Place, open_place

_PIXELS = ("data", "_ragged_shapes_data")
_MOST_CHUNKS = 2**22


def is_ragged(experiment: Group) -> bool:
    """Whether a signal is said to be ragged."""
    return plain(experiment.group("attributes").attributes.get("ragged", False)) is True


def are_vectors(experiment: Group, forced: bool = False) -> bool:
    """Whether a ragged signal holds vectors or peaks; all do, where that is asked for."""
    metadata = experiment.group("metadata")
    kind = str(plain(metadata.group("Signal").attributes.get("signal_type", "")))
    told = bool({"VectorMetadata", "Peaks"} & set(metadata.children)) or kind == "diffraction_vectors"
    return is_ragged(experiment) and (forced or told)


def find_hspy(file: Any, dataset: str | None, forced: bool) -> bool:
    """Whether the signal of an open HDF5 file that is meant holds vectors."""
    if not hspy.is_hspy(file):
        return False
    names = list(_hdf5_experiments(file, forced))
    return _meant(names, dataset, forced or len(names) == len(file.get(EXPERIMENTS) or ()))


def find_zspy(folder: str, dataset: str | None, forced: bool) -> bool:
    """Whether the signal of a folder that is meant holds vectors."""
    if not os.path.exists(os.path.join(folder, ".zgroup")):
        return False
    place = open_place(folder)
    if not zspy.is_zspy(place):
        return False
    names = list(_zarr_experiments(place, forced))
    return _meant(names, dataset, forced or len(names) == len(children(place, EXPERIMENTS)))


def _meant(names: list[str], dataset: str | None, without_asking: bool) -> bool:
    """Whether one of these signals is named, or no other could be meant."""
    if dataset is None:
        return bool(names) and without_asking
    return dataset.strip("/").removeprefix(f"{EXPERIMENTS}/").removesuffix("/data") in names


def _hdf5_experiments(file: Any, forced: bool) -> dict[str, Group]:
    found = {}
    for name, group in (file.get(EXPERIMENTS) or {}).items():
        if "data" in group and group["data"].dtype.kind == "O":
            experiment = read_group(group, skip=_PIXELS)
            if are_vectors(experiment, forced):
                found[name] = experiment
    return found


def _zarr_experiments(place: Place, forced: bool) -> dict[str, Group]:
    found = {}
    for name in children(place, EXPERIMENTS):
        if read_json(place, join(EXPERIMENTS, name, "data", ".zarray")).get("dtype") == "|O":
            experiment = read_zarr_group(place, join(EXPERIMENTS, name), skip=_PIXELS)
            if are_vectors(experiment, forced):
                found[name] = experiment
    return found


def load(path: str, chunks: Any = "auto", *, dataset: str | None = None) -> LoadedVectors:
    """The vectors of a file, read into memory.

    Parameters
    ----------
    path : str
        An ``.hspy`` file or ``.zspy`` folder.
    chunks : "auto", int or sequence
        Positions a block.
    dataset : str, optional
        Name of the signal, where there are several.

    Raises
    ------
    FormatError
        There are no vectors, several signals of them, or they are damaged.
    """
    if os.path.isdir(path):
        place = open_place(path)
        return _loaded(
            path, _zarr_experiments(place, True), dataset, chunks,
            lambda name, key: _zarr_objects(place, join(EXPERIMENTS, name, key)),
        )  # fmt: skip
    with open_file(path) as file:
        return _loaded(
            path, _hdf5_experiments(file, True), dataset, chunks, lambda name, key: _hdf5_objects(file, name, key)
        )


def _loaded(
    path: str,
    found: dict[str, Group],
    dataset: str | None,
    chunks: Any,
    objects: Callable[[str, str], tuple[tuple[int, ...], list[NDArray[Any]]]],
) -> LoadedVectors:
    chosen, notes = choose(path, [Candidate(name, (), "ragged") for name in found], dataset)
    name, where = chosen.name, f"{path} ({chosen.name})"
    experiment = found[name]
    shape, flat = objects(name, "data")
    _, shapes = objects(name, "_ragged_shapes_data")
    if len(shapes) != len(flat):
        raise FormatError(f"{where}: expected the shape of each of {len(flat)} arrays, found {len(shapes)}")
    rows = [_shaped(where, numbers, size) for numbers, size in zip(flat, shapes, strict=True)]
    width = next((row.shape[1] for row in rows if row.ndim == 2 and row.size), 2)
    stored = axes_of(where, experiment, shape)
    described, names = _described(path, where, experiment, stored.navigation_specs or stored.signal_specs, width)
    described.warnings = (*notes, *stored.warnings, *described.warnings)
    counts, columns = flattened(where, rows, names)
    order = stored.navigation or stored.signal
    if order != tuple(range(len(shape))):
        raise FormatError(f"{where}: expected the axes of the scan in the order of the array, found {order}")
    return loaded(path, counts, columns, () if not stored.navigation else shape, described, chunks)


def _shaped(where: str, numbers: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
    shape = tuple(int(n) for n in np.ravel(size))
    if min((*shape, 0)) < 0 or math.prod(shape) != numbers.size:
        raise FormatError(f"{where}: expected {shape} numbers at a position, found {numbers.size}: the file is damaged")
    return numbers.reshape(shape)


def _described(
    path: str, where: str, experiment: Group, navigation: tuple[AxisSpec, ...], width: int
) -> tuple[Described, list[str]]:
    """What the metadata say, and the names of the columns."""
    metadata = metadata_from(experiment.group("metadata"))
    own = metadata.pop("VectorMetadata", None)
    metadata.pop("Peaks", None)
    original = decode(experiment.group("original_metadata"))
    vectors: dict[str, Any] = own if isinstance(own, dict) else {}
    told = [str(name) for name in _listed(vectors.get("column_names"))]
    swapped = told[:2] == ["kx", "ky"]
    names = ["kx", "ky"] if swapped else ["ky", "kx"]
    for k in range(2, width):
        name = told[k] if k < len(told) else "intensity" if k == 2 else f"column_{k}"
        names.append(name if name and name not in names else f"column_{k}")
    scales, offsets = _numbers(vectors.get("scales"), width, 1.0), _numbers(vectors.get("offsets"), width, 0.0)
    units = [plain_unit(unit) for unit in _listed(vectors.get("units"))] + ["px"] * width
    frame = [AxisSpec(names[k], units[k], scales[k] or 1.0, offsets[k]) for k in range(2)]
    detector = [int(n) for n in _numbers(vectors.get("detector_shape"), 0, 0.0)]
    return (
        Described(
            "HyperSpy",
            navigation,
            (frame[1], frame[0]) if swapped else (frame[0], frame[1]),
            tuple(detector) if len(detector) == 2 and min(detector) > 0 else None,
            calibrated=bool(vectors),
            units={names[k]: units[k] for k in range(2, width) if units[k] not in ("px", "a.u.", "")},
            title=title_of(metadata) or Path(path).stem,
            metadata=metadata,
            original_metadata={**original, **({"VectorMetadata": vectors} if vectors else {})},
        ),
        names,
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | np.ndarray) else []


def _numbers(value: Any, size: int, usual: float) -> list[float]:
    found = [
        float(v) if isinstance(v, int | float) and math.isfinite(v) else usual
        for v in np.ravel(_listed(value)).tolist()
    ]
    return found + [usual] * (size - len(found))


# ---- arrays of arrays


def _hdf5_objects(file: Any, name: str, key: str) -> tuple[tuple[int, ...], list[NDArray[Any]]]:
    array = file[EXPERIMENTS][name].get(key)
    if array is None or h5py_module().check_vlen_dtype(array.dtype) is None:
        raise FormatError(f"{file.filename}: expected arrays of numbers in {EXPERIMENTS}/{name}/{key}, found none")
    check_dataset(array)
    return tuple(array.shape), [np.asarray(one) for one in array[()].reshape(-1)]


def _zarr_objects(place: Place, key: str) -> tuple[tuple[int, ...], list[NDArray[Any]]]:
    """Every array of an array of arrays in Zarr version 2, packed by the filter ``vlen-array``."""
    from numcodecs import get_codec
    from numcodecs.vlen import VLenArray

    document = read_json(place, join(key, ".zarray"))
    filters = document.get("filters") or []
    try:
        shape, chunk = tuple(map(int, document["shape"])), tuple(map(int, document["chunks"]))
        kind = VLenArray(np.dtype(filters[0]["dtype"])) if filters[0]["id"] == "vlen-array" else None
        grid = [-(-n // c) for n, c in zip(shape, chunk, strict=True)]
        compressor = get_codec(dict(document["compressor"])) if document.get("compressor") else None
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise FormatError(f"{place.label}/{key}: expected an array of arrays in Zarr version 2: {error!r}") from error
    if kind is None or math.prod(grid) > _MOST_CHUNKS:
        raise FormatError(f"{place.label}/{key}: expected arrays packed by 'vlen-array', found {filters}")
    out = np.empty(shape, object)
    for block in np.ndindex(*grid):
        name = join(key, str(document.get("dimension_separator", ".")).join(map(str, block)) or "0")
        packed = place.get(name)
        if packed is None:
            raise FormatError(f"{place.label}/{name}: expected this chunk, it is not there; was the copy interrupted?")
        try:
            _check_blosc(document.get("compressor"), packed)
            data = kind.decode(packed if compressor is None else compressor.decode(packed))
            whole = np.asarray(data, object).reshape(chunk)
        except (RuntimeError, ValueError, TypeError) as error:
            raise FormatError(f"{place.label}/{name}: the chunk is damaged: {error}; restore it from a copy") from error
        box = tuple(slice(b * c, min((b + 1) * c, n)) for b, c, n in zip(block, chunk, shape, strict=True))
        out[box] = whole[tuple(slice(0, s.stop - s.start) for s in box)]
    return shape, [np.asarray(one) for one in out.reshape(-1)]


def _check_blosc(compressor: Any, packed: bytes) -> None:
    """Refuse a buffer of Blosc that is shorter than it says: Blosc would read on behind its end."""
    if isinstance(compressor, dict) and compressor.get("id") == "blosc":
        stored = int.from_bytes(packed[12:16], "little")
        if len(packed) < 16 or stored != len(packed):
            raise ValueError(f"expected {stored} bytes, found {len(packed)}")
