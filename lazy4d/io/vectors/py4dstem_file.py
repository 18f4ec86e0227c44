"""Bragg vectors of py4DSTEM: a `PointListArray` of an EMD file, a list of peaks for each scan position.

py4DSTEM calls the rows of a frame ``qx`` and its columns ``qy``; they become ``ky`` and ``kx``. The lists are those
that were found in the frames, in pixels; pixel sizes and the mean centre come from the calibration beside them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.errors import FormatError
from lazy4d.io.hdf5.attributes import number, text
from lazy4d.io.hdf5.candidates import listed
from lazy4d.io.hdf5.emd1 import arrays
from lazy4d.io.hdf5.emd_calibration import calibrated, calibration_of, records, rest_of, values
from lazy4d.io.hdf5.heaps import check_dataset
from lazy4d.io.hdf5.links import attribute, dataset_of, group_of
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.source import AxisSpec
from lazy4d.io.vectors.foreign import Described, loaded
from lazy4d.io.vectors.store import LoadedVectors

KINDS = ("pointlistarray", "custom_pointlistarray")
_MOST_OBJECTS = 20_000
NAMES = {"qx": "ky", "qy": "kx"}


def point_lists(file: Any) -> dict[str, Any]:
    """The arrays of point lists of an open file, by the path of their group."""
    found: dict[str, Any] = {}
    h5py = h5py_module()

    seen = 0

    def look(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(item, h5py.Group) and text(attribute(item, "emd_group_type")) in KINDS:
            data = dataset_of(item, "data")
            kind = None if data is None else h5py.check_vlen_dtype(data.dtype)
            if kind is not None and kind.names and set(NAMES) <= set(kind.names):
                found[f"/{name}"] = data
        return True if seen > _MOST_OBJECTS else None  # which ends the visit

    if "emd_group_type" in file.attrs:
        file.visititems(look)
    return found


def holds_frames(file: Any) -> bool:
    """Whether there is a data cube too: then a file means its frames, unless something else is asked for."""
    return any(len(one.shape) == 4 for one in arrays(file))


def load(path: str, chunks: Any = "auto", *, dataset: str | None = None) -> LoadedVectors:
    """The vectors of a file, read into memory.

    Parameters
    ----------
    path : str
        The file.
    chunks : "auto", int or sequence
        Positions a block.
    dataset : str, optional
        Path of the list in the file, or the end of it, where there are several.

    Raises
    ------
    FormatError
        There are no such lists, or several: lists them.
    """
    with open_file(path) as file:
        found = point_lists(file)
        where = _chosen(path, list(found), dataset)
        data = found[where]
        shape = tuple(int(n) for n in data.shape)
        check_dataset(data)
        lists = [np.asarray(one) for one in data[()].reshape(-1)]
        kind = h5py_module().check_vlen_dtype(data.dtype)
        described = _described(file, path, where, len(shape))
    counts = np.array([one.size for one in lists], np.int64)
    table = np.concatenate([one for one in lists if one.size] or [np.empty(0, kind)])
    names = [name for name in kind.names if kind[name].kind in "biuf" and kind[name].shape == ()]
    columns = {NAMES.get(name, name): np.ascontiguousarray(table[name]) for name in names}
    return loaded(path, counts, columns, shape, described, chunks)


def fitting(found: list[str], dataset: str | None) -> list[str]:
    """Those of the lists that a name means: a path, the end of one, or the object that the list belongs to.

    Examples
    --------
    >>> fitting(["/root/braggvectors/_v_uncal", "/root/peaks"], "braggvectors")
    ['/root/braggvectors/_v_uncal']
    """
    if dataset is None:
        return found
    wanted = f"/{dataset.strip('/')}/"
    return [one for one in found if any(f"{name}/".endswith(wanted) for name in (one, os.path.dirname(one)))]


def _chosen(path: str, found: list[str], dataset: str | None) -> str:
    fit = fitting(found, dataset)
    if len(fit) != 1:
        what = "no list of peaks" if not fit else f"{len(fit)} lists of peaks"
        raise FormatError(
            f"{path}: {what} of qx and qy{'' if dataset is None else f' called {dataset!r}'} in this file, expected "
            f"one: say which with dataset='…'. There are {listed(found) or 'none'}"
        )
    return fit[0]


def _described(file: Any, path: str, where: str, ndim: int) -> Described:
    parent = where.rstrip("/").rpartition("/")[0]
    named = where if text(attribute(group_of(file, parent), "python_class")) != "BraggVectors" else parent
    calibration = calibration_of(file, named)
    navigation = tuple(AxisSpec(name) for name in ("z", "y", "x")[-ndim:]) if 0 < ndim <= 3 else ()
    navigation = navigation if len(navigation) == ndim else tuple(AxisSpec(f"axis {k}") for k in range(ndim))
    centers = [number(calibration.get(f"{name}_mean")) or 0.0 for name in ("qx0", "qy0")]
    plain = tuple(AxisSpec(name, offset=-center) for name, center in zip(("ky", "kx"), centers, strict=True))
    frame, notes = calibrated(plain, calibration, "Q", path)
    scan, more = calibrated(navigation, calibration, "R", path)
    rest = rest_of(calibration)
    own = [values(record) for _, record in records(file, where)]
    sizes = next((record["Qshape"] for record in own if "Qshape" in record), None)
    frame_shape = tuple(int(n) for n in np.ravel(sizes)) if sizes is not None and np.size(sizes) == 2 else None
    title = named.strip("/").rpartition("/")[2]
    general = {"General": {"title": title, "original_filename": Path(path).name}}
    return Described(
        "py4DSTEM",
        scan,
        (frame[0], frame[1]),
        frame_shape if frame_shape and min(frame_shape) > 0 else None,
        title=title,
        metadata={**general, **({"Acquisition_instrument": {"TEM": {"Calibration": rest}}} if rest else {})},
        original_metadata={
            "list": where,
            "calibration": {k: v for k, v in calibration.items() if not k.startswith("_")},
        },
        warnings=(*notes, *more),
    )
