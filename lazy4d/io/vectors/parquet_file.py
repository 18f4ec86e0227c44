"""Vectors as a Parquet table: one row a vector, for pandas, polars, DuckDB, Spark and all who read Arrow.

=======================  =========================================================================================
column                   what
=======================  =========================================================================================
``y``, ``x`` …           int32: the scan position of the vector, one column for each navigation axis under its name
                         (``scan_`` before it, where a column is called so; ``position_0`` …, where it has none)
``ky``, ``kx`` …         the columns of the vectors; ``ky`` and ``kx`` count pixels of a frame from the centre of its
                         first one
``ky_calibrated`` …      float64: ``ky`` and ``kx`` in the units of the axes of the frames
=======================  =========================================================================================

Each field has its units in its Arrow metadata (``units``; scan positions also ``scale``, ``offset`` and
``calibrated_units``). The metadata of the schema hold ``lazy4d``, JSON that says what the columns are: axes, metadata,
history; and ``lazy4d.rows``, JSON with the positions of each row group, and which frames were valid. Rows are in scan
order; positions without vectors have none. A row group holds whole scan rows, of about half a million vectors; pages
have checksums.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError
from lazy4d.io.mapping import check_unchanged
from lazy4d.io.vectors.content import PLACE, VectorContent, parse_text
from lazy4d.io.vectors.rows import Rows, group_edges, regrouped
from lazy4d.io.vectors.store import LoadedVectors, lazy_blocks
from lazy4d.io.zarr_store.attributes import from_json, to_json
from lazy4d.io.zarr_store.document import KEY, Fields
from lazy4d.lazy.chunks import NavChunks
from lazy4d.ragged import RaggedFrames

SUFFIXES = (".parquet",)
MAGIC = b"PAR1"
ROWS = "lazy4d.rows"
CALIBRATED = "_calibrated"
CODECS = ("snappy", "zstd", "lz4", "gzip", "none")


def check_codec(codec: Any, content: VectorContent) -> None:
    """Refuse a codec that is not known, before anything is written."""
    arrow()
    _compression(codec)


def arrow() -> Any:
    """The package pyarrow, with its Parquet part.

    Raises
    ------
    ImportError
        It is not installed: names what to install.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Parquet tables need pyarrow: pip install 'lazy4d[vectors]'") from error
    return pyarrow


def _compression(codec: Any) -> str:
    name = "none" if codec is None else "snappy" if codec == "auto" else codec
    if name not in CODECS:
        raise ValueError(f"codec={codec!r} is not known: Parquet tables are packed by one of {', '.join(CODECS)}")
    return str(name)


def index_names(axes: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Names of the columns with the scan position, one for each navigation axis.

    Examples
    --------
    >>> index_names([{"name": "y", "navigate": True}, {"name": "ky", "navigate": True}], ["ky", "kx"])
    ['y', 'scan_ky']
    """
    names = [str(axis["name"]) for axis in axes if axis["navigate"]]
    taken = {"", *columns, *(name + CALIBRATED for name in PLACE)}
    result: list[str] = []
    for k, name in enumerate(names):
        choices = (name, f"scan_{name}" if name else "", f"position_{k}")
        result.append(next((one for one in choices if one not in taken), choices[-1]))
        taken.add(result[-1])
    return result


def write(path: str, rows: Rows, content: VectorContent, codec: Any = "auto") -> None:
    """Write a table; see above.

    Parameters
    ----------
    path : str
        The file; replaced, if there is one.
    rows : Rows
        The entries.
    content : VectorContent
        What is said of them.
    codec : {"auto", "snappy", "zstd", "lz4", "gzip", "none"} or None
        Compression; ``"auto"`` is ``"snappy"``.

    Raises
    ------
    ValueError
        A column has the name of one that is added.
    """
    pa = arrow()
    shape = content.nav_shape
    index = index_names(content.signal.axes, list(content.dtypes))
    calibration = {
        name + CALIBRATED: (name, float(axis["scale"]), float(axis["offset"]), str(axis["units"]))
        for name, axis in zip(PLACE, content.signal.axes[len(shape) :], strict=False)
        if name in content.dtypes
    }
    clash = [name for name in (*index, *calibration) if name in content.dtypes]
    if clash:
        raise ValueError(
            f"{path}: the table gets columns {clash} of its own, as some of the vectors are called: rename"
        )
    edges = group_edges(rows.offsets, max(1, prod(shape[1:])))
    fields = [
        *(
            pa.field(name, pa.int32(), False, _texts({"units": "index", "scale": a["scale"], "offset": a["offset"],
                                                      "calibrated_units": a["units"]}))
            for name, a in zip(index, content.signal.axes, strict=False)
        ),
        *(
            pa.field(name, pa.from_numpy_dtype(dtype), False, _texts(content.attributes(name)))
            for name, dtype in content.dtypes.items()
        ),
        *(pa.field(name, pa.float64(), False, _texts({"units": c[3]})) for name, c in calibration.items()),
    ]  # fmt: skip
    counts = np.diff(rows.offsets[edges])
    groups = [[a, b] for a, b, n in zip(edges, edges[1:], counts, strict=False) if n]
    described = {"index": index, "groups": groups, "valid": None if rows.valid is None else to_json(rows.valid)}
    schema = pa.schema(fields, metadata={KEY: content.text(), ROWS: json.dumps(described)})
    with pa.parquet.ParquetWriter(
        path, schema, compression=_compression(codec), use_dictionary=index or False, write_page_checksum=True,
        write_statistics=index or False,
    ) as writer:  # fmt: skip
        for start, piece in zip(edges, regrouped(rows.pieces(), edges), strict=False):
            if piece.total:
                arrays = _arrays(start, piece, shape, calibration)
                writer.write_table(pa.Table.from_arrays([pa.array(a) for a in arrays], schema=schema), piece.total)


def _arrays(
    start: int, piece: RaggedFrames, shape: tuple[int, ...], calibration: Mapping[str, tuple[str, float, float, str]]
) -> list[NDArray[Any]]:
    """The columns of a row group: scan positions, vectors, calibrated places."""
    places = np.unravel_index(np.arange(start, start + piece.n_frames), shape) if shape else ()
    return [
        *(np.repeat(place.astype(np.int32), piece.counts) for place in places),
        *piece.columns.values(),
        *(offset + scale * piece[name].astype(np.float64) for name, scale, offset, _ in calibration.values()),
    ]


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in attributes.items()}


# ---- reading


@dataclass(frozen=True)
class ParquetVectors:
    """The entries of a table."""

    path: str
    state: tuple[int, int]
    nav_shape: tuple[int, ...]
    names: tuple[str, ...]
    index: tuple[str, ...]
    groups: tuple[tuple[int, int], ...]

    @property
    def token(self) -> str:
        """Identity of the file as it was when it was opened."""
        return f"{self.path} {self.state}"

    @property
    def preferred_chunks(self) -> NavChunks | None:
        """Blocks that are row groups, where these hold whole scan rows."""
        slab = prod(self.nav_shape[1:])
        edges = [0, *(start for start, _ in self.groups[1:]), prod(self.nav_shape)]
        if not self.nav_shape or not self.groups or any(edge % slab for edge in edges):
            return None
        return tuple(int(n) // slab for n in np.diff(edges)), *((n,) for n in self.nav_shape[1:])

    def read(self, runs: Sequence[tuple[int, int]]) -> RaggedFrames:
        """The entries of runs of frames, one after the other."""
        check_unchanged(self.path, *self.state)
        first, last = runs[0][0], runs[-1][1]
        wanted = [k for k, (start, stop) in enumerate(self.groups) if start < last and stop > first]
        with _told(self.path), arrow().parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
            table = file.read_row_groups(wanted, columns=[*self.index, *self.names], use_threads=False)
            columns = {name: table[name].to_numpy() for name in self.names}
            places = tuple(table[name].to_numpy().astype(np.int64) for name in self.index)
        n = len(next(iter(columns.values())))
        try:
            numbers = np.ravel_multi_index(places, self.nav_shape) if places else np.zeros(n, np.int64)
        except ValueError as error:
            raise FormatError(f"{self.path}: expected scan positions within {self.nav_shape}: {error}") from error
        if (np.diff(numbers) < 0).any():
            raise FormatError(
                f"{self.path}: expected rows in scan order, as lazy4d writes them; the table was changed. Read it with "
                "pandas and pass it to lazy4d.DiffractionVectors.from_table"
            )
        begin = self.groups[wanted[0]][0] if wanted else first
        end = max(last, self.groups[wanted[-1]][1]) if wanted else last
        begin = min(begin, first)
        if n and not begin <= numbers[0] <= numbers[-1] < end:
            raise FormatError(f"{self.path}: row groups hold other positions than {ROWS!r} says: the table was changed")
        found = RaggedFrames.from_counts(np.bincount(numbers - begin, minlength=end - begin), columns)
        return RaggedFrames.concatenate([found.take(slice(start - begin, stop - begin)) for start, stop in runs])


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What pyarrow raises, said in terms of the file."""
    try:
        yield
    except (Lazy4DError, FileNotFoundError, PermissionError):
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # ArrowInvalid is a ValueError
        told = " ".join(str(error).split())
        if "magic bytes not found in footer" in told or "too small" in told.lower() or "File size is" in told:
            raise TruncatedFileError(
                f"{path}: expected a Parquet table, found no footer at its end: the copy or the save was interrupted. "
                "Copy or save it again"
            ) from error
        raise FormatError(
            f"{path}: the Parquet table cannot be read, it is damaged: {told}; restore it from a copy"
        ) from error


def load(path: str, chunks: Any = "auto") -> LoadedVectors:
    """The vectors of a table that lazy4d wrote, lazily; only its footer is read.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        The file is damaged, cut short, another program's table, or of a newer version.
    """
    status = os.stat(path)
    with _told(path), arrow().parquet.ParquetFile(path) as file:
        found = {k.decode(): v.decode() for k, v in (file.schema_arrow.metadata or {}).items() if k.isascii()}
        names = list(file.schema_arrow.names)
        rows = file.metadata.num_rows
        sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    if KEY not in found or ROWS not in found:
        raise FormatError(
            f"{path}: expected a table of vectors that lazy4d wrote, found one of {', '.join(names[:12])} with no "
            f"{KEY!r} in its metadata. Read it with pandas.read_parquet and pass it to "
            "lazy4d.DiffractionVectors.from_table(table, nav_shape)"
        )
    content = parse_text(path, found[KEY])
    index, groups, valid = _described(path, found[ROWS], content)
    missing = [name for name in (*index, *content.dtypes) if name not in names]
    if missing or rows != content.total or len(groups) != len(sizes):
        raise FormatError(
            f"{path}: expected {content.total} rows in {len(groups)} row groups with the columns "
            f"{', '.join((*index, *content.dtypes))}, found {rows} in {len(sizes)} with {', '.join(names)}: the table "
            "was changed"
        )
    store = ParquetVectors(
        path, (status.st_size, status.st_mtime_ns), content.nav_shape, tuple(content.dtypes), index, groups
    )
    return LoadedVectors(
        lazy_blocks(store, content.nav_shape, content.dtypes, content.total, chunks),
        content,
        valid,
        {"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": "parquet"},
        title=content.title,
    )


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    return json.loads(text)


def _described(
    path: str, text: str, content: VectorContent
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], NDArray[np.bool_] | None]:
    """Names of the scan positions, positions of each row group, validity."""
    try:
        own = Fields(path, ROWS, _parsed(text))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: expected JSON in {ROWS!r}, found {text[:40]!r}") from error
    index, groups = own.take("index", list), own.take("groups", list)
    shape, n = content.nav_shape, content.n_frames
    flat: list[Any] = [edge for group in groups for edge in (group if isinstance(group, list) else [None])]
    rising = len(flat) == 2 * len(groups) and all(type(e) is int for e in flat) and flat == sorted(flat)
    if len(index) != len(shape) or not rising or (flat and not 0 <= flat[0] <= flat[-1] <= n):
        raise FormatError(f"{path}: expected {len(shape)} scan axes and rising positions up to {n} in {ROWS!r}")
    valid = None
    if content.signal.invalid_frames or own.content.get("valid") is not None:
        try:
            found = np.asarray(from_json(own.content.get("valid")))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: {ROWS!r} does not say which frames were valid: {error}") from error
        if found.shape != (n,) or found.dtype.kind not in "bu":
            raise FormatError(f"{path}: expected which of {n} frames were valid in {ROWS!r}, found shape {found.shape}")
        valid = found.astype(bool).reshape(shape)
    return tuple(map(str, index)), tuple((a, b) for a, b in groups), valid
