"""Files of HyperSpy opened by programs that are not ours: h5py and zarr-python; and described by our own tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from numpy.typing import NDArray

from lazy4d.io.hyperspy import hspy, zspy
from lazy4d.io.hyperspy.tree import Experiment
from lazy4d.io.zarr_arrays.place import FolderPlace


def pixels_of(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The pixels of the only signal, read by h5py or by zarr-python."""
    if Path(path).suffix == ".hspy":
        with h5py.File(path) as file:
            [group] = file["Experiments"].values()
            return group["data"][()]
    group = zarr.open_group(os.fspath(path), mode="r", zarr_format=2)["Experiments"]
    [name] = list(group)
    return np.asarray(group[f"{name}/data"][...])


def chunks_of(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """The chunk shape of the only signal."""
    if Path(path).suffix == ".hspy":
        with h5py.File(path) as file:
            [group] = file["Experiments"].values()
            return group["data"].chunks
    group = zarr.open_group(os.fspath(path), mode="r", zarr_format=2)["Experiments"]
    [name] = list(group)
    return group[f"{name}/data"].chunks


def described(path: str | os.PathLike[str], dataset: str | None = None) -> Experiment:
    """What our own tree makes of a file."""
    if Path(path).suffix == ".hspy":
        with h5py.File(path) as file:
            return hspy.describe(file, os.fspath(path), dataset).experiment
    return zspy.describe(FolderPlace(os.fspath(path)), dataset).experiment


def plain_tree(value: Any) -> Any:
    """Metadata with arrays as lists, to be compared."""
    if isinstance(value, dict):
        return {key: plain_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_tree(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
