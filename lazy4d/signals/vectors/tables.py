"""All vectors as one table, with the scan position of each, for other programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.computing import compute_together

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

ROWS_AT_ONCE = 100_000
"""Rows of text that are made at a time."""


class VectorTable(Mapping[str, NDArray[Any]]):
    """Columns of equal length, one row a vector: a mapping of names to arrays.

    Parameters
    ----------
    columns : mapping of str to ndarray
        The columns.
    units : mapping of str to str
        Units of those columns that have some.

    Examples
    --------
    >>> table = l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8)).flatten()
    >>> table
    <VectorTable: 3 rows of x (px), ky (px), kx (px)>
    >>> table["x"], table["kx"]
    (array([0, 1, 1]), array([4., 5., 1.]))
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]], units: Mapping[str, str]) -> None:
        self._columns = dict(columns)
        self.units = {name: str(unit) for name, unit in units.items() if name in self._columns}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Give one column."""
        if name not in self._columns:
            raise KeyError(f"no column {name!r}: there are {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Count the columns, as a mapping does; `n_rows` counts the vectors."""
        return len(self._columns)

    @property
    def n_rows(self) -> int:
        """Number of vectors."""
        return len(next(iter(self._columns.values())))

    def __repr__(self) -> str:
        """Say how many rows there are, and of what."""
        names = [f"{name} ({self.units[name]})" if name in self.units else name for name in self]
        return f"<VectorTable: {self.n_rows} rows of {', '.join(names)}>"

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook."""
        heads = "".join(f"<th>{escape(n)}<br><small>{escape(self.units.get(n, ''))}</small></th>" for n in self)
        rows = (zip(*(values[:8].tolist() for values in self.values()), strict=True)) if self._columns else ()
        cells = "".join("<tr>" + "".join(f"<td>{value:.6g}</td>" for value in row) + "</tr>" for row in rows)
        return f"<table><tr>{heads}</tr>{cells}</table><p>{self.n_rows} vectors</p>"

    def to_pandas(self) -> Any:
        """A pandas.DataFrame; its ``attrs["units"]`` are the units of the columns.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("a DataFrame needs pandas: pip install 'lazy4d[vectors]'") from error
        frame = pandas.DataFrame(self._columns)
        frame.attrs["units"] = dict(self.units)
        return frame

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the columns, with their units, as a Parquet file for other programs; gives its path.

        ``v.save("vectors.parquet")`` keeps everything that belongs to the vectors, and holds no table.

        Raises
        ------
        ImportError
            pyarrow is not installed.
        """
        table = self.to_arrow()
        import pyarrow.parquet

        target = Path(path)
        part = target.with_name(target.name + ".part")
        try:
            pyarrow.parquet.write_table(table, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def to_arrow(self) -> Any:
        """A pyarrow.Table; the metadata of its fields hold the units of the columns.

        Raises
        ------
        ImportError
            pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise ImportError("an Arrow table needs pyarrow: pip install 'lazy4d[vectors]'") from error
        arrays = [pyarrow.array(values) for values in self.values()]
        fields = [
            pyarrow.field(name, array.type, metadata={"units": self.units[name]} if name in self.units else None)
            for name, array in zip(self, arrays, strict=True)
        ]
        return pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields))


def flatten(vectors: DiffractionVectors, *, calibrated: bool = False) -> VectorTable:
    """All vectors in one table, in scan order: one row a vector, with the position it belongs to.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors; lazy ones are computed.
    calibrated : bool
        By default positions are scan indices (int64, a column named as each navigation axis) and ``ky``, ``kx`` pixels
        of the frame, as `DiffractionVectors.from_table` takes them. True: all of these in units of the axes.

    Returns
    -------
    VectorTable
        A mapping of names to arrays, with ``to_pandas()``, ``to_arrow()``, ``to_parquet(path)`` and ``units``. A
        navigation axis that has the name of a column is called ``scan_`` and its name (as often as needed); with
        `calibrated`, positions picked out by a mask come with the coordinates they had.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11], [6, 1, 2]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å", center=(4, 4), scan_scale=2.0, scan_units="nm")
    >>> table = v.flatten(calibrated=True)
    >>> table["x"], table["kx"], table.units["kx"]
    (array([0., 2., 2.]), array([ 0. ,  0.5, -1.5]), '1/Å')
    """
    (known,) = compute_together(vectors)
    return _table(known, known.ragged, 0, calibrated)


def to_pandas(vectors: DiffractionVectors, *, calibrated: bool = False) -> Any:
    """All vectors as a pandas.DataFrame, one row a vector; see `flatten`. Lazy ones are computed.

    Raises
    ------
    ImportError
        pandas is not installed.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11], [6, 1, 2]]], frame_shape=(8, 8))
    >>> v.to_pandas().groupby("x")["intensity"].max().tolist()
    [10.0, 11.0]
    """
    return flatten(vectors, calibrated=calibrated).to_pandas()


def to_arrow(vectors: DiffractionVectors, *, calibrated: bool = False) -> Any:
    """All vectors as a pyarrow.Table, one row a vector; see `flatten`. Lazy ones are computed.

    Raises
    ------
    ImportError
        pyarrow is not installed.

    Examples
    --------
    >>> l4.DiffractionVectors([[[3, 4, 10]]], frame_shape=(8, 8)).to_arrow().column_names
    ['x', 'ky', 'kx', 'intensity']
    """
    return flatten(vectors, calibrated=calibrated).to_arrow()


def to_csv(
    vectors: DiffractionVectors, path: str | os.PathLike[str], *, calibrated: bool = False, units: bool = False
) -> Path:
    """Write all vectors to a text file, one line a vector, values separated by commas; gives its path.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors; lazy ones are computed and written a row of blocks at a time.
    path : path
        The file; one of that name is replaced once the new one is complete.
    calibrated : bool
        As for `flatten`.
    units : bool
        Whether the first line, which names the columns, gives their units too: ``kx (1/Å)``.

    Notes
    -----
    Numbers are written so that reading them gives the same ones; missing ones as ``nan``. Lines are in scan order
    whatever the blocks.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11]]], frame_shape=(8, 8))
    >>> print(v.to_csv(Path(mkdtemp()) / "vectors.csv").read_text())
    x,ky,kx,intensity
    0,3.0,4.0,10.0
    1,3.0,5.0,11.0
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            empty = _table(vectors, RaggedFrames.empty(0, vectors.dtypes), 0, calibrated)
            heads = [f"{n} ({empty.units[n]})" if units and n in empty.units else n for n in empty]
            file.write(",".join(f'"{head}"' if "," in head or '"' in head else head for head in heads) + "\n")
            for start, ragged in _slabs(vectors):
                file.writelines(_lines(_table(vectors, ragged, start, calibrated)))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _slabs(vectors: DiffractionVectors) -> Iterator[tuple[int, RaggedFrames]]:
    """The vectors in parts of the scan, in its order, and the number of the first position of each."""
    if not vectors.lazy:
        yield 0, vectors.ragged
        return
    if not vectors.nav_shape:
        yield 0, vectors.blocks.compute()
        return
    rest: list[Any] = [slice(None)] * (len(vectors.nav_shape) - 1)
    row = int(np.prod(vectors.nav_shape[1:]))
    start = 0
    for size in vectors.blocks.chunks[0]:
        yield start * row, vectors.blocks.inav([slice(start, start + size), *rest]).compute()
        start += size


def _table(vectors: DiffractionVectors, ragged: RaggedFrames, first: int, calibrated: bool) -> VectorTable:
    """Rows of the frames from number `first` on."""
    index = np.unravel_index(ragged.frame_numbers() + first, vectors.nav_shape) if vectors.nav_shape else ()
    columns: dict[str, NDArray[Any]] = {}
    units: dict[str, str] = {}
    for axis, places in zip(vectors.nav_axes, index, strict=True):
        for name, values, unit in _of_position(axis, places, calibrated):
            while name in ragged.names or name in columns:
                name = f"scan_{name}"
            columns[name], units[name] = values, unit
    for name in ragged.names:
        columns[name] = ragged[name]
    for name, axis in zip(("ky", "kx"), vectors.frame_axes, strict=True):
        if calibrated:
            columns[name] = axis.offset + axis.scale * columns[name]
    pixels = {} if calibrated else {"ky": "px", "kx": "px"}
    return VectorTable(columns, {**units, **vectors.column_units, **pixels})


def _of_position(axis: Axis, index: NDArray[Any], calibrated: bool) -> Iterator[tuple[str, NDArray[Any], str]]:
    """Name, values and units of what tells the position along one axis."""
    if not calibrated:
        yield axis.name, index.astype(np.int64), "px"
        return
    if not axis.coordinates:
        yield axis.name, axis.offset + axis.scale * index, axis.units
    for coordinate in axis.coordinates:
        yield coordinate.name, np.asarray(coordinate.values)[index], coordinate.units


def _lines(table: VectorTable) -> Iterator[str]:
    for start in range(0, table.n_rows, ROWS_AT_ONCE):
        texts = [map(repr, values[start : start + ROWS_AT_ONCE].tolist()) for values in table.values()]
        yield "".join(f"{line}\n" for line in map(",".join, zip(*texts, strict=True)))
