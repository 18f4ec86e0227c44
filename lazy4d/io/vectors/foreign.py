"""Vectors of other programs as columns of lazy4d: in memory, for they are stored an object a position."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.source import AxisSpec
from lazy4d.io.vectors.content import PLACE, VectorContent
from lazy4d.io.vectors.store import LoadedVectors
from lazy4d.io.zarr_store.document import StoreContent
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames

_LARGEST_FRAME = 2**16


@dataclass
class Described:
    """What a file of another program says of its vectors.

    Parameters
    ----------
    format : str
        Name of the program's format.
    navigation : tuple of AxisSpec
        Axes of the scan, numpy order.
    frame : tuple of AxisSpec
        ky and kx: what a pixel is worth, and the value of the first one.
    frame_shape : tuple of int, or None
        Pixels of the frames, where the file says it.
    calibrated : bool
        Whether the places are in units of `frame`, rather than pixels.
    units : dict
        Units of other columns.
    title : str
        May be empty.
    metadata, original_metadata : dict
        Nested.
    warnings : tuple of str
        What a user should be told.
    """

    format: str
    navigation: tuple[AxisSpec, ...]
    frame: tuple[AxisSpec, AxisSpec]
    frame_shape: tuple[int, ...] | None = None
    calibrated: bool = False
    units: dict[str, str] = field(default_factory=dict)
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    original_metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def loaded(
    path: str,
    counts: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
    nav_shape: Sequence[int],
    described: Described,
    chunks: Any = "auto",
) -> LoadedVectors:
    """The vectors of a file of another program as lazy4d has them.

    Parameters
    ----------
    path : str
        The file.
    counts : ndarray of int64 [positions]
        Entries of each position, in scan order.
    columns : mapping of str to ndarray [entries]
        ky, kx and what else there is.
    nav_shape : sequence of int
        Positions along each navigation axis.
    described : Described
        What the file says of them.
    chunks : "auto", int or sequence
        Positions a block.
    """
    shape = tuple(int(n) for n in nav_shape)
    places = {name: columns[name].astype(np.float64) for name in PLACE}
    ragged = RaggedFrames.from_counts(counts, {**places, **{n: c for n, c in columns.items() if n not in PLACE}})
    sizes = described.frame_shape or tuple(
        _smallest(places[name], axis, described.calibrated) for name, axis in zip(PLACE, described.frame, strict=True)
    )
    rows = [*zip(described.navigation, shape, strict=True), *zip(described.frame, sizes, strict=True)]
    axes = [{**asdict(a), "size": int(n), "navigate": k < len(shape)} for k, (a, n) in enumerate(rows)]
    metadata = dict(described.metadata)
    if described.units:
        metadata["DiffractionVectors"] = {"column_units": described.units}
    signal = StoreContent(axes, metadata, described.original_metadata, "[]", "DiffractionVectors", "", "raise", True)
    status = os.stat(path)
    warnings = described.warnings
    if described.frame_shape is None:
        warnings += (
            f"{path}: the file does not say of how many pixels the frames were: {sizes[0]} × {sizes[1]} hold all "
            "vectors",
        )
    return LoadedVectors(
        RaggedBlocks.from_ragged(ragged, shape, chunks),
        VectorContent(signal, ragged.dtypes, described.units, ragged.total),
        identity={"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": described.format},
        warnings=warnings,
        title=described.title,
        calibrated=described.calibrated,
    )


def _smallest(places: NDArray[np.float64], axis: AxisSpec, calibrated: bool) -> int:
    """Pixels that hold all vectors and, where the axis has a zero, as many on either side of it."""
    pixels = (places - axis.offset) / axis.scale if calibrated else places
    known = pixels[np.isfinite(pixels)]
    furthest = math.ceil(min(known.max(), _LARGEST_FRAME)) + 1 if known.size else 1
    around = -2 * axis.offset / axis.scale if axis.offset else 1.0
    return max(1, furthest, round(around) if 1 < around < _LARGEST_FRAME else 1)


def flattened(
    where: str, rows: Sequence[Any], names: Sequence[str]
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Counts and columns of one array [number, columns] for each position, in scan order.

    Raises
    ------
    FormatError
        Arrays of other shapes, or of more or fewer columns than names.

    Examples
    --------
    >>> counts, columns = flattened("a.hspy", [np.zeros((0, 2)), np.array([[1.0, 2.0]])], ["ky", "kx"])
    >>> counts, columns["kx"]
    (array([0, 1]), array([2.]))
    """
    width = len(names)
    arrays = [np.asarray(row) for row in rows]
    wrong = next(
        (a for a in arrays if a.size and (a.ndim != 2 or a.shape[1] != width or a.dtype.kind not in "biuf")), None
    )
    if wrong is not None:
        raise FormatError(
            f"{where}: expected numbers [number, {width}] at each position ({', '.join(names)}), found shape "
            f"{wrong.shape} of {wrong.dtype}"
        )
    counts = np.array([len(a) if a.size else 0 for a in arrays], np.int64)
    table = np.concatenate([a for a in arrays if a.size] or [np.empty((0, width))])
    return counts, {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(names)}
