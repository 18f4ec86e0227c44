"""Positions of the frames of a random or custom scan, from ``_scan_coordinates.csv``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, MissingCompanionError, ScanShapeError
from lazy4d.io.mrc.direct_electron import ScanStatement

_MOST_POSITIONS = 1 << 24
_POSITIONS_A_FRAME = 64
_SAY_IGNORE = "Load with coordinates=False to keep the frames in a row"


def read_coordinates(path: str) -> NDArray[np.int64]:
    """The positions of a table of coordinates, in order of acquisition.

    Parameters
    ----------
    path : str
        Text with ``x,y`` on every line and no header.

    Returns
    -------
    ndarray of int64, shape (lines, 2)
        ``(x, y)``, 0 or more.

    Raises
    ------
    MissingCompanionError
        There is no such file.
    FormatError
        A line is no pair of whole numbers, or negative.
    """
    try:
        with open(path, "rb") as file:
            data = file.read().replace(b"\r", b"")
    except FileNotFoundError as error:
        raise MissingCompanionError(
            f"{path}: no such table of scan coordinates; give its path, or coordinates=False"
        ) from error
    regular = _regular_lines(data)
    if regular is not None:
        return regular
    lines = [line for line in data.split(b"\n") if line.strip()]
    try:
        numbers = np.array(b",".join(lines).split(b","), "S20").astype(np.int64) if lines else np.zeros(0, np.int64)
    except (ValueError, OverflowError):
        numbers = np.zeros(1, np.int64)
    if numbers.size != 2 * len(lines) or any(line.count(b",") != 1 for line in lines) or (numbers < 0).any():
        number, line = _first_bad(lines)
        raise FormatError(
            f"{path}: expected 'x,y' with two whole numbers of 0 or more on line {number}, found "
            f"{line[:40].decode('latin-1')!r}. {_SAY_IGNORE}"
        )
    return numbers.reshape(-1, 2)


def _regular_lines(data: bytes) -> NDArray[np.int64] | None:
    """The numbers of a table without blanks or empty lines, ten times as fast as line by line; None for any other."""
    if not data:
        return None
    data = data if data.endswith(b"\n") else data + b"\n"
    codes = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(codes < ord("0"))
    lengths = np.diff(places, prepend=-1) - 1
    commas, ends = codes[places[::2]], codes[places[1::2]]
    if not (
        places.size % 2 == 0
        and (codes <= ord("9")).all()
        and (commas == ord(",")).all()
        and (ends == ord("\n")).all()
        and (lengths > 0).all()
        and (lengths < 19).all()
    ):
        return None
    return np.fromstring(data.replace(b",", b"\n").decode("ascii"), np.int64, sep="\n").reshape(-1, 2)


def _first_bad(lines: list[bytes]) -> tuple[int, bytes]:
    for number, line in enumerate(lines, 1):
        parts = [part.strip() for part in line.split(b",")]
        if len(parts) != 2 or not all(part.isdigit() and len(part) < 19 for part in parts):
            return number, line
    return len(lines), lines[-1] if lines else b""


def place_frames(
    path: str,
    xy: NDArray[np.int64],
    frames: int,
    statement: ScanStatement,
    *,
    grid: tuple[int, int] | None = None,
    first: int = 0,
    incomplete: str = "raise",
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The frame number at every position, and the names of the axes.

    Frame k was recorded at the k-th coordinates. A position visited again goes to the next entry of a leading axis
    ``repeat``; several frames a point make a fast axis ``frame``.

    Parameters
    ----------
    path : str
        Of the table, for messages.
    xy : ndarray of int64, shape (lines, 2)
        ``(x, y)`` of each frame or point.
    frames : int
        Frames of the movie, after those that were skipped.
    statement : ScanStatement
        What the server says of the scan; its grid is used for scans over a raster.
    grid : tuple of int, optional
        ``(rows, columns)`` that the caller wants.
    first : int
        Number of the first frame.
    incomplete : str
        With ``"nan"`` or ``"zero"`` fewer frames than coordinates are accepted.

    Returns
    -------
    table : ndarray of int32 or int64, shape ([repeat,] rows, columns [, frame])
        −1 where no frame was recorded.
    names : tuple of str
        ``"repeat"``, ``"y"``, ``"x"``, ``"frame"``, as they apply.

    Raises
    ------
    ScanShapeError
        There are not as many coordinates as frames, or they leave the grid.
    FormatError
        The coordinates span a grid that so few frames cannot have been scanned on.

    Examples
    --------
    >>> xy = np.array([[0, 0], [2, 0], [0, 0], [2, 1]])
    >>> place_frames("a.csv", xy, 4, ScanStatement(None))[0].tolist()
    [[[0, -1, 1], [-1, -1, 3]], [[2, -1, -1], [-1, -1, -1]]]
    """
    lines, per_point = len(xy), 1
    if lines and frames != lines:
        if frames == lines * statement.per_point:
            per_point = statement.per_point
        elif frames == lines * statement.repeats:
            xy = np.tile(xy, (statement.repeats, 1))
    if frames != len(xy) * per_point and not (frames < len(xy) and incomplete in ("nan", "zero")):
        more = ""
        if frames < len(xy):
            more = " incomplete='nan' or 'zero' marks those without a frame invalid; there are no lines to crop to."
        raise ScanShapeError(
            f"{path}: {frames} frames for {lines} lines of scan coordinates, expected one frame a line.{more} "
            f"{_SAY_IGNORE}"
        )
    shape = _grid(path, xy, statement, grid)
    most = max(_MOST_POSITIONS, _POSITIONS_A_FRAME * frames)
    repeats, ranks = _visits(xy, shape) if shape[0] * shape[1] <= most else (1, xy[:0, 0])
    if repeats * shape[0] * shape[1] * per_point > most:
        raise FormatError(
            f"{path}: {frames} frames are spread over {repeats} x {shape[0]} x {shape[1]} positions, which no scan of "
            f"so few frames has: is this the table of another recording? {_SAY_IGNORE}"
        )
    # Frame numbers of a table this size fit 32 bits, and a sparse scan has few frames for its many positions.
    highest = first + len(xy) * per_point
    table = np.full((repeats, *shape, per_point), -1, np.int32 if highest < 1 << 31 else np.int64)
    numbers = first + np.arange(0, len(xy) * per_point, per_point)
    for frame in range(per_point):
        table[ranks, xy[:, 1], xy[:, 0], frame] = numbers + frame
    table.flags.writeable = False
    names = ("repeat", "y", "x", "frame")
    gone = [axis for axis in (0, 3) if table.shape[axis] == 1]
    return table.squeeze(tuple(gone)), tuple(name for axis, name in enumerate(names) if axis not in gone)


def _grid(
    path: str, xy: NDArray[np.int64], statement: ScanStatement, wanted: tuple[int, int] | None
) -> tuple[int, int]:
    """Rows and columns: as wanted, as the server says where its points are those of a raster, or as far as they go."""
    columns, rows = (int(n) + 1 for n in xy.max(axis=0)) if len(xy) else (1, 1)
    if wanted is not None:
        if rows > wanted[0] or columns > wanted[1]:
            raise ScanShapeError(
                f"{path}: scan coordinates reach row {rows - 1} and column {columns - 1}, beyond scan_shape={wanted}; "
                f"expected scan_shape=({rows}, {columns}) or more"
            )
        return wanted
    stated = statement.grid
    if stated and statement.raster_points and rows <= stated[0] and columns <= stated[1]:
        return stated
    return rows, columns


def _visits(xy: NDArray[np.int64], shape: tuple[int, int]) -> tuple[int, NDArray[np.int64]]:
    """How often the most visited position was visited, and how often each position had been before each frame."""
    flat = xy[:, 1] * shape[1] + xy[:, 0]
    visited = np.zeros(shape[0] * shape[1], bool)
    visited[flat] = True
    if np.count_nonzero(visited) == len(flat):  # nearly every scan: no need to sort
        return 1, np.zeros(1, np.int64)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    fresh = np.flatnonzero(np.diff(ordered, prepend=-1))
    ranks = np.empty(len(flat), np.int64)
    ranks[order] = np.arange(len(flat)) - np.repeat(fresh, np.diff(np.append(fresh, len(flat))))
    return int(ranks.max()) + 1, ranks
