"""Positions of the frames of an MRC recording: by argument, table of coordinates, the server's text, or in a row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazy4d.errors import ScanShapeError
from lazy4d.io.mrc.coordinates import place_frames, read_coordinates
from lazy4d.io.mrc.direct_electron import COORDINATES, ScanStatement, find_companion, scan_statement
from lazy4d.io.mrc.recording import Recording
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.scan import ShapeHint, plan_scan, whole_numbers

ScanShape = Sequence[int] | int | str | None
Coordinates = str | os.PathLike[str] | bool | None

_VOLUME_STACK = 401


@dataclass(frozen=True)
class Placement:
    """Which frame belongs to which position.

    Parameters
    ----------
    navigation : NavigationMap or PositionTable
        Position to frame number.
    names : tuple of str
        Names of the axes, numpy order; empty for the usual ones.
    origin : str
        Where the scan shape comes from.
    warnings : tuple of str
        What a user should be told.
    """

    navigation: NavigationMap | PositionTable
    names: tuple[str, ...]
    origin: str
    warnings: tuple[str, ...] = ()


def place(
    found: Recording,
    scan_shape: ScanShape,
    coordinates: Coordinates,
    *,
    sync_offset: int,
    flyback: int,
    incomplete: str,
    serpentine: bool | None = None,
) -> Placement:
    """Positions of the frames, by whatever tells them.

    Parameters
    ----------
    found : Recording
        The frames.
    scan_shape, coordinates, sync_offset, flyback, incomplete, serpentine
        As given to `MrcReader.read`.

    Raises
    ------
    ScanShapeError, MissingCompanionError, FormatError, ValueError
        See `MrcReader.read`.
    """
    total, path, info = found.frames.total, found.first.path, found.info
    sync_offset, flyback = whole_numbers(sync_offset, flyback)
    statement = scan_statement(info, total - sync_offset) if info is not None and found.kind == "movie" else None
    table = _table_path(found, scan_shape, coordinates)
    if table is not None:
        if flyback or sync_offset < 0 or serpentine:
            raise ValueError(
                f"flyback={flyback}, sync_offset={sync_offset} and serpentine={serpentine} do not go with a table of "
                "coordinates, which has a line for every frame: leave them out, or load with coordinates=False"
            )
        return _place_by_table(found, table, statement or ScanStatement(None), scan_shape, sync_offset, incomplete)
    hint = statement.hint if statement is not None else None
    names = statement.names if statement is not None else ()
    warnings = statement.warnings if statement is not None and scan_shape is None else ()
    plan = plan_scan(
        path,
        total,
        scan_shape=scan_shape,
        sync_offset=sync_offset,
        flyback=flyback,
        incomplete=incomplete,
        hint=hint or _own_hint(found, sync_offset, flyback),
        usable=_unbroken(found),
        serpentine=serpentine,
    )
    used = hint is not None and scan_shape is None
    return Placement(plan.navigation, names if used else (), plan.origin, (*warnings, *plan.warnings))


def _unbroken(found: Recording) -> int:
    """Frames before the first one that is missing."""
    ends = found.frames.numbers + found.frames.counts
    broken = np.flatnonzero(ends[:-1] != found.frames.numbers[1:])
    return int(ends[broken[0] if broken.size else -1])


def _own_hint(found: Recording, sync_offset: int, flyback: int) -> ShapeHint | None:
    """What the header says of the arrangement: volumes of a stack, or frames that are promised but missing."""
    header, expected = found.first.header, found.expected
    if sync_offset or flyback or not expected:
        return None
    depth = header.sampling[2]
    if header.space_group >= _VOLUME_STACK and depth > 0 and expected % depth == 0:
        return ShapeHint((expected // depth, depth), "NZ, MZ of a stack of volumes")
    return ShapeHint((expected,), "NZ of the header") if expected > found.frames.total else None


def _table_path(found: Recording, scan_shape: ScanShape, coordinates: Coordinates) -> str | None:
    """The table of coordinates to use."""
    if coordinates is False or (coordinates is None and (scan_shape is not None or found.kind != "movie")):
        return None
    if coordinates is not None and coordinates is not True:
        return os.path.abspath(os.path.expanduser(os.fspath(coordinates)))
    stem = os.path.splitext(found.first.path)[0]
    own = stem.removesuffix("_movie") + COORDINATES
    # The table of a whole acquisition goes with its movie, not with every image that is named alike.
    movie = found.info is not None or stem.endswith("_movie")
    beside = find_companion(found.first.path, COORDINATES) if movie else own if os.path.isfile(own) else None
    return own if beside is None and coordinates else beside


def _place_by_table(
    found: Recording, table: str, statement: ScanStatement, scan_shape: ScanShape, skip: int, incomplete: str
) -> Placement:
    grid = _grid_of(scan_shape)
    total = found.frames.total - skip
    if total < 1:
        raise ValueError(f"{found.first.path}: sync_offset={skip} skips all of the {found.frames.total} frames found")
    xy = read_coordinates(table)
    numbers, names = place_frames(table, xy, total, statement, grid=grid, first=skip, incomplete=incomplete)
    origin = f"scan coordinates of {table}"
    if numbers.size <= total and np.array_equal(numbers.reshape(-1), np.arange(skip, skip + numbers.size)):
        return Placement(NavigationMap.raster(numbers.shape, first=skip), names, origin)
    warnings = []
    unvisited, missing = int((numbers < 0).sum()), int((numbers >= found.frames.total).sum())
    if unvisited:
        warnings.append(
            f"{found.first.path}: {unvisited} of the {' x '.join(map(str, numbers.shape))} positions were not visited "
            f"by the scan ({table}): they are invalid"
        )
    if missing:
        warnings.append(f"{found.first.path}: {missing} positions have no frame any more: they are invalid")
    return Placement(PositionTable(numbers), names, origin, tuple(warnings))


def _grid_of(scan_shape: ScanShape) -> tuple[int, int] | None:
    if scan_shape is None:
        return None
    grid = tuple(scan_shape) if isinstance(scan_shape, Sequence) and not isinstance(scan_shape, str) else ()
    if len(grid) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in grid):
        raise ScanShapeError(
            f"scan_shape={scan_shape!r} must be (rows, columns) where coordinates are used: the grid that they lie on"
        )
    return int(grid[0]), int(grid[1])
