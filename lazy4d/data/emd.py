"""Writers of the trees of EMD files, versions 0 and 1, into an open HDF5 file: py4DSTEM, Berkeley Lab, Prismatic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = tuple[str, str, ArrayLike]
"""Name, unit and coordinates of an axis."""


def write_emd1_cube(
    file: Any,
    frames: NDArray[Any],
    axes: Sequence[Vector] = (),
    *,
    root: str = "datacube_root",
    name: str = "datacube",
    python_class: str = "DataCube",
    calibration: Mapping[str, Any] | None = None,
    targets: Sequence[str] | None = None,
    **storage: Any,
) -> str:
    """The path of a new array in the tree of a root, which is made where it is not there.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    frames : ndarray
        The array, real space first.
    axes : sequence of (name, unit, coordinates)
        The first are ``dim0``, ``dim1`` and so on.
    root, name : str
        Of the tree and the array in it; ``"a/b"`` puts an array into another one.
    python_class : str
        What the array is.
    calibration : mapping, optional
        Values of a calibration in the bundle of the root; bool, number or text.
    targets : sequence of str, optional
        Objects that the calibration names, below the root.
    **storage
        Of the dataset, such as ``chunks=``.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
    ...     where = write_emd1_cube(file, np.zeros((2, 2, 4, 4)), [("Rx", "nm", [0, 0.5])])
    ...     where, str(file.attrs["emd_group_type"]), file["datacube_root/datacube/dim0"].shape
    ('/datacube_root/datacube', 'file', (2,))
    """
    if "emd_group_type" not in file.attrs:
        file.attrs.update({"emd_group_type": "file", "version_major": 1, "version_minor": 0})
        file.attrs.update({"authoring_program": "emdfile", "authoring_user": "", "UUID": "0" * 36})
    tree = file.require_group(root)
    tree.attrs.update({"emd_group_type": "root", "python_class": "Root"})
    group = tree.require_group(name)
    group.attrs.update({"emd_group_type": "array", "python_class": python_class})
    group.create_dataset("data", data=frames, **storage).attrs["units"] = "pixel intensity"
    _vectors(group, axes, 0)
    if calibration is not None:
        bundle = tree.require_group("metadatabundle")
        bundle.attrs["emd_group_type"] = "metadatabundle"
        record = bundle.create_group(f"calibration{len(bundle) or ''}")
        record.attrs.update({"emd_group_type": "metadata", "python_class": "Calibration"})
        for key, value in calibration.items():
            kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            record.create_dataset(key, data=value).attrs["type"] = kind
        if targets is not None:
            paths = record.create_group("_target_paths")
            paths.attrs.update({"type": "list_of_strings", "length": len(targets)})
            for k, target in enumerate(targets):
                paths.create_dataset(str(k), data=target)
    return str(group.name)


def write_py4dstem_native(file: Any, frames: NDArray[Any], axes: Sequence[Vector] = (), **storage: Any) -> str:
    """The path of a new data cube as py4DSTEM wrote it before it used emdfile.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    frames : ndarray
        The data cube.
    axes : sequence of (name, unit, coordinates)
        ``dim1`` to ``dim4``.
    **storage
        Of the dataset.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
    ...     write_py4dstem_native(file, np.zeros((2, 2, 4, 4)))
    '/4DSTEM_experiment/data/datacubes/datacube_0'
    """
    top = file.require_group("4DSTEM_experiment")
    top.attrs.update({"emd_group_type": 2, "version_major": 0, "version_minor": 12})
    cubes = top.require_group("data/datacubes")
    group = cubes.create_group(f"datacube_{len(cubes)}")
    group.attrs["emd_group_type"] = 1
    group.create_dataset("data", data=frames, **storage)
    _vectors(group, axes, 1)
    return str(group.name)


def write_emd0(
    file: Any, frames: NDArray[Any], axes: Sequence[Vector] = (), *, path: str = "data/scan", **storage: Any
) -> str:
    """The path of a new array of an EMD 0.2 file.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    frames : ndarray
        The array.
    axes : sequence of (name, unit, coordinates)
        ``dim1`` and so on.
    path : str
        Of its group.
    **storage
        Of the dataset.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.emd", "w", driver="core", backing_store=False) as file:
    ...     write_emd0(file, np.zeros((2, 2, 4, 4)), [("x", "[n_m]", [0, 1])])
    '/data/scan'
    """
    file.attrs.update({"version_major": 0, "version_minor": 2})
    group = file.create_group(path)
    group.attrs["emd_group_type"] = 1
    group.create_dataset("data", data=frames, **storage)
    _vectors(group, axes, 1)
    return str(group.name)


def write_prismatic(file: Any, thicknesses: Sequence[NDArray[Any]], axes: Sequence[Vector] = (), **storage: Any) -> str:
    """The path of the group of data cubes, one a thickness, as Prismatic writes them.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    thicknesses : sequence of ndarray
        Data cubes.
    axes : sequence of (name, unit, coordinates)
        ``dim1`` to ``dim4`` of each.
    **storage
        Of the datasets.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.emd", "w", driver="core", backing_store=False) as file:
    ...     where = write_prismatic(file, [np.zeros((2, 2, 4, 4))] * 2)
    ...     list(file[where])
    ['CBED_array_depth0000', 'CBED_array_depth0001']
    """
    top = file.create_group("4DSTEM_simulation")
    top.attrs.update({"emd_group_type": 2, "version_major": 0, "version_minor": 5})
    cubes = top.create_group("data/datacubes")
    for k, frames in enumerate(thicknesses):
        group = cubes.create_group(f"CBED_array_depth{k:04d}")
        group.attrs.update({"emd_group_type": 1, "metadata": 0})
        group.create_dataset("datacube", data=frames, **storage)
        _vectors(group, axes, 1)
    parameters = top.create_group("metadata/metadata_0/original/simulation_parameters")
    parameters.attrs["E"] = np.float32(80)
    return str(cubes.name)


def _vectors(group: Any, axes: Sequence[Vector], first: int) -> None:
    for k, (name, units, coordinates) in enumerate(axes):
        vector = group.create_dataset(f"dim{first + k}", data=np.asarray(coordinates))
        vector.attrs.update({"name": np.bytes_(name), "units": units})
