"""Writer of NXdata groups into an open HDF5 file, in the ways in which NeXus files have named axes over the years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def write_nxdata(
    file: Any,
    frames: NDArray[Any],
    axes: Sequence[tuple[str, str, ArrayLike] | None] = (),
    *,
    path: str = "entry/data",
    signal: str = "frames",
    style: str = "group",
    default: bool = True,
    **storage: Any,
) -> str:
    """The path of a new NXdata group with its signal and axes.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    frames : ndarray
        The signal.
    axes : sequence of (name, unit, coordinates) or None
        One an axis of the array; None where it has none.
    path : str
        Of the group; its first part is the entry.
    signal : str
        Name of the dataset.
    style : {"group", "string", "numbered"}
        Axes named by an attribute of the group, by ``"y:x"`` of the signal, or each by its own number; the last two
        with ``signal=1``.
    default : bool
        Whether the file marks it as its default.
    **storage
        Of the dataset.

    Examples
    --------
    >>> import h5py
    >>> with h5py.File("x.nxs", "w", driver="core", backing_store=False) as file:
    ...     where = write_nxdata(file, np.zeros((2, 4, 4)), [("x", "nm", [0, 1])])
    ...     where, list(file[where].attrs["axes"])
    ('/entry/data', ['x', '.', '.'])
    """
    entry, _, inner = path.strip("/").partition("/")
    file.require_group(entry).attrs["NX_class"] = "NXentry"
    group = file.create_group(path)
    group.attrs["NX_class"] = np.bytes_("NXdata")
    if default:
        file.attrs["default"] = entry
        file[entry].attrs["default"] = inner
    stored = group.create_dataset(signal, data=frames, **storage)
    given = [*axes, *[None] * (frames.ndim - len(axes))]
    for k, axis in enumerate(given):
        if axis is not None:
            name, units, coordinates = axis
            vector = group.create_dataset(name, data=np.asarray(coordinates))
            vector.attrs["units"] = units
            if style == "numbered":
                vector.attrs.update({"axis": k + 1, "primary": 1})
    names = ["." if axis is None else axis[0] for axis in given]
    if style == "group":
        group.attrs["signal"] = signal
        group.attrs["axes"] = names
    else:
        stored.attrs["signal"] = np.bytes_("1") if style == "string" else 1
        if style == "string":
            stored.attrs["axes"] = ":".join(names)
    return str(group.name)
