"""What `DiffractionVectors` are built from, checked: ragged frames, lists of arrays, tables, and the axes for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import AxesManager, Axis
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

PLACE = ("ky", "kx")
"""Columns that all vectors have: pixels of the frame, float64."""
USUAL_COLUMNS = ("ky", "kx", "intensity")
"""What the columns of plain arrays mean."""


def content_of(
    data: Any, nav_shape: Sequence[int] | None, names: Sequence[str] = USUAL_COLUMNS
) -> tuple[Any, tuple[int, ...]]:
    """Vectors as `RaggedFrames` or `RaggedBlocks`, and the navigation shape they have.

    Raises
    ------
    TypeError, ValueError
        Data of another kind, without the columns ky and kx, or of another number of positions.

    Examples
    --------
    >>> content_of([[[1, 2]], [[3, 4], [5, 6]]], None)
    (<RaggedFrames: 2 frames, 3 entries of ky, kx>, (2,))
    """
    given = None if nav_shape is None else shape_of(nav_shape, "nav_shape")
    if isinstance(data, RaggedBlocks):
        _check_columns(data.dtypes)
        if given is not None and given != data.nav_shape:
            raise ValueError(f"expected the navigation shape {data.nav_shape} of the blocks, found {given}")
        return data, data.nav_shape
    if not isinstance(data, RaggedFrames):
        data, found = _from_arrays(data, names)
        given = found if given is None else given
    shape = (data.n_frames,) if given is None else given
    if math.prod(shape) != data.n_frames:
        raise ValueError(f"expected vectors of {math.prod(shape)} positions {shape}, found {data.n_frames} frames")
    _check_columns(data.dtypes)
    places = {name: data[name].astype(np.float64, copy=False) for name in PLACE}
    return data.with_columns(**places), shape


def shape_of(given: Any, what: str, length: int | None = None) -> tuple[int, ...]:
    """A shape that a user gives, as whole numbers.

    Raises
    ------
    ValueError
        It is no sequence of whole numbers from 1, or not of `length`.

    Examples
    --------
    >>> shape_of([8, 9.0], "frame_shape", 2)
    (8, 9)
    """
    numbers = np.atleast_1d(np.asarray(given, object))
    fine = numbers.ndim == 1 and all(isinstance(n, int | float | np.number) and n == int(n) >= 1 for n in numbers)
    if not fine or np.ndim(given) != 1 or (length is not None and len(numbers) != length):
        wanted = "a sequence of whole numbers" if length is None else f"{length} whole numbers (rows, columns)"
        raise ValueError(f"expected {what} as {wanted} from 1, numpy order, found {given!r}")
    return tuple(int(n) for n in numbers)


def _check_columns(dtypes: Mapping[str, Any]) -> None:
    missing = [name for name in PLACE if name not in dtypes]
    if missing:
        raise ValueError(
            f"expected the columns ky and kx, the places of the vectors in the frame; found {', '.join(dtypes)}"
        )


def _from_arrays(data: Any, names: Sequence[str]) -> tuple[RaggedFrames, tuple[int, ...]]:
    if isinstance(data, np.ndarray) and data.dtype != object:
        if data.ndim != 2:
            raise TypeError(
                f"expected an array of vectors [number, columns], or an array of such arrays for each position; found "
                f"numbers of shape {data.shape}"
            )
        return RaggedFrames.from_frames([data], names), ()
    if not isinstance(data, list | tuple | np.ndarray):
        raise TypeError(
            f"expected RaggedFrames, or a list or object array of arrays [number, columns] (ky, kx, intensity), one "
            f"for each position; found {type(data).__name__}: DiffractionVectors.from_table takes tables"
        )
    shape = data.shape if isinstance(data, np.ndarray) else (len(data),)
    rows = list(data.reshape(-1)) if isinstance(data, np.ndarray) else list(data)
    return RaggedFrames.from_frames(rows, names), shape


def of_valid_frames(content: Any, valid: Any) -> Any:
    """Computed vectors without those of frames that are said to be missing; lazy ones as they are.

    Examples
    --------
    >>> of_valid_frames(RaggedFrames.from_counts([1, 2], {"ky": [1.0, 2, 3]}), np.array([True, False])).counts
    array([1, 0])
    """
    if not isinstance(content, RaggedFrames) or not isinstance(valid, np.ndarray) or valid.all():
        return content
    return content.where(np.repeat(valid.reshape(-1), content.counts))


def axes_for(
    axes: AxesManager | Sequence[Axis | dict[str, Any]] | None,
    nav_shape: tuple[int, ...],
    frame_shape: Sequence[int] | None,
    content: Any,
) -> AxesManager:
    """Navigation axes and those of the frames that the vectors came from, (ky, kx) last.

    Without `axes` and `frame_shape` the frame is the smallest one that holds all vectors.

    Raises
    ------
    ValueError
        Axes that do not fit the navigation, other than two frame axes, or no way to know the frame.
    """
    if axes is None:
        return AxesManager.from_shapes(nav_shape, _frame_shape(frame_shape, content))
    rows = list(axes.as_numpy_order() if isinstance(axes, AxesManager) else axes)
    made = [Axis(**row) if isinstance(row, dict) else row for row in rows]
    found = tuple(axis.size for axis in made[:-2])
    if len(made) < 2 or found != nav_shape:
        raise ValueError(
            f"expected an axis for each of the {len(nav_shape)} navigation axes {nav_shape} and two for the frame "
            f"(numpy order, ky and kx last), found sizes {tuple(axis.size for axis in made)}"
        )
    if frame_shape is not None and tuple(frame_shape) != tuple(axis.size for axis in made[-2:]):
        raise ValueError(f"expected frame_shape={tuple(a.size for a in made[-2:])} as in axes, found {frame_shape}")
    return AxesManager([axis.copy(navigate=k < len(made) - 2) for k, axis in enumerate(made)])


def _frame_shape(given: Sequence[int] | None, content: Any) -> tuple[int, int]:
    if given is not None:
        rows, columns = shape_of(given, "frame_shape", 2)
        return rows, columns
    if isinstance(content, RaggedBlocks):
        raise ValueError("expected axes or frame_shape: vectors that are not computed do not tell the frame's size")
    known = [content[name][np.isfinite(content[name])] for name in PLACE]
    rows, columns = (max(int(np.ceil(places.max())) + 1, 1) if places.size else 1 for places in known)
    return rows, columns


def to_pixels(ragged: RaggedFrames, calibration: Sequence[tuple[float, float]]) -> RaggedFrames:
    """The vectors in pixels of the frame from places in units of its axes, given scale and offset of ky and of kx.

    Examples
    --------
    >>> to_pixels(RaggedFrames.from_counts([1], {"ky": [0.0], "kx": [1.0]}), [(0.5, -2.0), (0.5, -2.0)])["kx"]
    array([6.])
    """
    columns = {
        name: (np.asarray(ragged[name], np.float64) - offset) / scale
        for name, (scale, offset) in zip(PLACE, calibration, strict=True)
    }
    return ragged.with_columns(**columns)


def content_in_pixels(content: Any, frame_axes: Sequence[Axis]) -> Any:
    """Vectors, computed or lazy, in pixels of the frame from places in units of its axes."""
    calibration = tuple((float(axis.scale), float(axis.offset)) for axis in frame_axes)
    return to_pixels(content, calibration) if isinstance(content, RaggedFrames) else content.map(to_pixels, calibration)


def calibrated(vectors: DiffractionVectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places (ky, kx) of all computed vectors in units of the axes: two float64 arrays.

    They count from where the axes are 0: from pixel 0 on axes that were never calibrated. (Methods that need the beam
    take pixel ``N // 2`` for it there.)

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å", center=(4, 4))
    >>> v.calibrated()
    (array([-0.5]), array([0.]))
    """
    ky, kx = (
        axis.offset + axis.scale * vectors.ragged[name] for name, axis in zip(PLACE, vectors.frame_axes, strict=True)
    )
    return ky, kx


@classmethod  # type: ignore[misc]
def from_table(
    cls: type[DiffractionVectors],
    table: Any,
    nav_shape: Sequence[int],
    axes: AxesManager | Sequence[Axis | dict[str, Any]] | None = None,
    *,
    calibrated: bool = False,
    **options: Any,
) -> DiffractionVectors:
    """The vectors of a table: one row a vector, with the position it belongs to.

    Parameters
    ----------
    table : mapping of str to array, structured array, pandas.DataFrame or pyarrow.Table
        Columns ``ky`` and ``kx``; the scan indices, numbers of positions from 0, in a column named as each navigation
        axis (``y`` and ``x``) or, where there is one, as ``scan_`` and its name; any other columns of numbers.
    nav_shape : sequence of int
        Positions along each navigation axis, numpy order.
    axes : AxesManager or sequence of Axis, optional
        Of navigation and frame, numpy order.
    calibrated : bool
        Whether ``ky`` and ``kx`` are in units of `axes`, rather than pixels of the frame.
    **options
        As for `DiffractionVectors`: metadata, title, frame_shape, …

    Raises
    ------
    ValueError
        A column is missing, or an index lies outside of the scan.

    Notes
    -----
    Rows may come in any order; vectors of one position keep theirs.

    Examples
    --------
    >>> rows = {"y": [1, 0], "x": [0, 1], "ky": [3.0, 4.0], "kx": [5.0, 6.0], "label": [7, 8]}
    >>> v = l4.DiffractionVectors.from_table(rows, (2, 2), frame_shape=(8, 8))
    >>> v.ragged.counts, v.ragged["label"]
    (array([0, 1, 1, 0]), array([8, 7]))
    """
    shape = shape_of(nav_shape, "nav_shape") if np.size(nav_shape) else ()
    columns = {name: np.asarray(values) for name, values in _table_columns(table).items()}
    lengths = {name: values.size for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected columns of one length, a row a vector, found {lengths}")
    manager = axes_for(axes, shape, (1, 1) if axes is None else None, None)
    names = [_position_column(axis.name, columns) for axis in manager.as_numpy_order()[: len(shape)]]
    missing = [name for name in (*names, *PLACE) if name not in columns]
    if missing:
        raise ValueError(f"expected the columns {', '.join((*names, *PLACE))}, found {', '.join(columns)}")
    index = [columns.pop(name) for name in names]
    for name, numbers, size in zip(names, index, shape, strict=True):
        if numbers.dtype.kind not in "iuf":
            raise ValueError(f"expected scan indices in column {name!r}, found {numbers.dtype}")
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < size and (numbers == np.floor(numbers)).all()):
            raise ValueError(
                f"expected whole numbers from 0 to {size - 1} in column {name!r}, found {numbers.min()} to "
                f"{numbers.max()}: nav_shape={shape} is in numpy order"
            )
    rows = columns["ky"].size
    flat = np.ravel_multi_index(tuple(n.astype(np.int64) for n in index), shape) if shape else np.zeros(rows, np.int64)
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=math.prod(shape))
    ragged = RaggedFrames.from_counts(counts, {name: values[order] for name, values in columns.items()})
    return cls(ragged, axes, nav_shape=shape, calibrated=calibrated, **options)


def _position_column(name: str, columns: Mapping[str, Any]) -> str:
    """The column of scan indices along an axis: `flatten` puts scan_ before its name where vectors have that column."""
    while f"scan_{name}" in columns:
        name = f"scan_{name}"
    return name


def as_numpy(vectors: DiffractionVectors) -> NDArray[Any]:
    """An object array [nav...] of arrays [number, columns], as other programs keep vectors; computed if need be.

    Examples
    --------
    >>> l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8)).as_numpy()[1]
    array([[3., 5.],
           [6., 1.]])
    """
    known: Any = vectors
    ragged: RaggedFrames = (known.compute() if vectors.lazy else known).ragged
    rows = np.column_stack([ragged[name] for name in ragged.names])
    result = np.empty(ragged.n_frames, object)
    for k in range(ragged.n_frames):
        result[k] = rows[ragged.offsets[k] : ragged.offsets[k + 1]]
    return result.reshape(vectors.nav_shape)


def _table_columns(table: Any) -> dict[str, Any]:
    if isinstance(table, Mapping):
        return dict(table)
    names = getattr(table, "column_names", None)  # a table of Arrow, then of pandas, then a structured array
    if names is not None:
        return {name: table[name].to_numpy() for name in names}
    if hasattr(table, "columns"):
        return {str(name): table[name].to_numpy() for name in table.columns}
    if getattr(getattr(table, "dtype", None), "names", None):
        return {name: table[name] for name in table.dtype.names}
    raise TypeError(
        f"expected a table as a mapping of columns, a structured array, a pandas.DataFrame or a pyarrow.Table; found "
        f"{type(table).__name__}"
    )
