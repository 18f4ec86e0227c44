"""Frames in a row to positions of a scan: shape, frames to skip, flyback, and what to do when they do not fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index

import numpy as np

from lazy4d.errors import ScanShapeError
from lazy4d.io.navigation import NavigationMap

_MOST_FACTORED = 10**12  # frames that no file has; an argument may say anything
_MOST_MISSING = 10**9
_MOST_MISSING_SHARE = 1000
"""A scan of more positions than both allow is not filled with invalid frames: a damaged header may promise any."""


@dataclass(frozen=True)
class ShapeHint:
    """A scan shape that the file or a companion gives.

    Parameters
    ----------
    shape : tuple of int
        Navigation shape, numpy order.
    origin : str
        Where it comes from, in words.
    per_line : bool
        The last entry counts all frames of a line, flyback included.
    serpentine : bool
        Every second line was scanned backwards.
    line_axes : (int, int)
        The axis of the lines and the one along them.

    Examples
    --------
    >>> ShapeHint((2, 4), "ScanX, ScanY of scan.hdr").shape
    (2, 4)
    """

    shape: tuple[int, ...]
    origin: str
    per_line: bool = False
    serpentine: bool = False
    line_axes: tuple[int, int] = (-2, -1)


@dataclass(frozen=True)
class ScanPlan:
    """Which frame belongs to which position.

    Parameters
    ----------
    navigation : NavigationMap
        Position to frame number.
    origin : str
        Where the scan shape comes from.
    warnings : tuple of str
        What the user should be told.
    """

    navigation: NavigationMap
    origin: str
    warnings: tuple[str, ...] = ()


def plan_scan(
    path: str,
    frames: int,
    *,
    scan_shape: Sequence[int] | int | str | None = None,
    sync_offset: int = 0,
    flyback: int = 0,
    incomplete: str = "raise",
    hint: ShapeHint | None = None,
    usable: int | None = None,
    serpentine: bool | None = None,
) -> ScanPlan:
    """The positions of a scan for `frames` frames stored in a row: explicit shape first, then the file's, then 1-D.

    Drop `sync_offset` frames, then take lines of ``columns + flyback`` frames and leave out the last `flyback` of
    each. A shape is never guessed; a single frame without a shape has no navigation axes.

    Parameters
    ----------
    path : str
        Named in messages.
    frames : int
        Frames in the file, including ones known to be missing in between.
    scan_shape : sequence of int, int, "square" or None
        Navigation shape in numpy order, ``(rows, columns)``; one entry may be −1; ``(-1,)`` is one-dimensional
        whatever the file says; ``"square"`` takes equal rows and columns, with a warning.
    sync_offset : int
        Frames to skip at the start; negative: blank positions to insert there.
    flyback : int
        Frames to leave out after each line.
    incomplete : str
        What to do when frames are missing: ``"raise"``, ``"nan"``, ``"zero"`` or ``"crop"`` to whole lines.
    hint : ShapeHint or None
        What the file says.
    usable : int or None
        With ``incomplete="crop"``: frames before the first damage; all by default.
    serpentine : bool or None
        Every second line, the second one first, was scanned backwards; None: where the file's own shape says so.

    Returns
    -------
    ScanPlan

    Raises
    ------
    ScanShapeError
        The frames do not fill the shape: gives the frames found and shapes that fit.
    ValueError
        An argument makes no sense.

    Examples
    --------
    >>> plan_scan("scan.raw", 12, scan_shape=(3, -1)).navigation.nav_shape
    (3, 4)
    >>> plan_scan("scan.raw", 12, scan_shape=(3, 3), flyback=1).navigation.numbers((slice(1, 2), slice(0, 3))).tolist()
    [4, 5, 6]
    """
    sync_offset, flyback = whole_numbers(sync_offset, flyback)
    if flyback < 0:
        raise ValueError(f"flyback={flyback} must not be negative: it counts frames to leave out after each line")
    if max(flyback, -sync_offset) > _MOST_MISSING:
        raise ValueError(
            f"{path}: sync_offset={sync_offset} and flyback={flyback} must not leave out or insert more than "
            f"{_MOST_MISSING} frames; {frames} are there"
        )
    if sync_offset >= frames:
        raise ValueError(f"{path}: sync_offset={sync_offset} skips all of the {frames} frames found")
    available = frames - sync_offset
    warnings: list[str] = []
    shape, origin = _choose_shape(path, available, scan_shape, flyback, hint, incomplete == "crop", warnings)
    if flyback and len(shape) < 2:
        raise ValueError(
            f"flyback={flyback} needs lines to cut: give scan_shape=(rows, columns) for the {frames} frames of {path}"
        )
    turning = hint is not None and hint.serpentine and len(shape) > 1
    if serpentine is not None:
        turning = _one_of_two(serpentine)
    line_axes = hint.line_axes if hint is not None and len(hint.shape) == len(shape) else (-2, -1)
    if turning and len(shape) < 2:
        raise ValueError(
            f"serpentine={serpentine} needs lines to turn: give scan_shape=(rows, columns) for the {frames} frames of "
            f"{path}"
        )
    limit = available if usable is None else max(0, min(frames, usable) - sync_offset)

    def mapped() -> NavigationMap:
        return NavigationMap.raster(
            shape, first=sync_offset, flyback=flyback, serpentine=turning, line_axes=line_axes
        )  # fmt: skip

    navigation = mapped()
    needed = navigation.bounds[1] + 1 - sync_offset
    if needed <= -sync_offset:
        raise ValueError(
            f"{path}: sync_offset={sync_offset} inserts more blanks than the {needed} positions of scan shape {shape}: "
            f"none of the {frames} frames would be used"
        )
    if needed > (limit if incomplete == "crop" else available):
        message = _mismatch(path, frames, shape, origin, sync_offset, flyback, needed)
        if incomplete == "raise":
            raise ScanShapeError(f"{message}; incomplete='nan', 'zero' or 'crop' loads what there is")
        if incomplete != "crop" and needed > max(_MOST_MISSING, _MOST_MISSING_SHARE * available):
            raise ScanShapeError(
                f"{message}. So much cannot be missing: the shape is wrong or damaged where it comes from; give "
                "scan_shape=(rows, columns), or incomplete='crop'"
            )
        if incomplete == "crop":
            shape = _whole_lines(shape, flyback, limit)
            if limit < available:
                message = f"{path}: damage begins at frame {limit + sync_offset} (counted from 0)"
            if 0 in shape:
                raise ScanShapeError(f"{message}. Not one whole line is left to keep with incomplete='crop'")
            navigation = mapped()
            warnings.append(f"{message}. Kept the first {shape[0]} along the slowest axis: scan shape {shape}")
        else:
            warnings.append(
                f"{message}. The {needed - available} frames missing at the end are invalid (incomplete={incomplete!r})"
            )
    elif available - needed > flyback:
        unused = available - needed
        message = _mismatch(path, frames, shape, origin, sync_offset, flyback, needed)
        if sync_offset == 0 and incomplete != "crop":
            raise ScanShapeError(
                f"{message}. To leave frames unused, skip them at the start with sync_offset={unused} or say "
                f"incomplete='crop'"
            )
        if unused > flyback + max(0, -sync_offset):
            warnings.append(f"{message}. The last {unused} frames are not used")
    return ScanPlan(navigation, origin, tuple(warnings))


def whole_numbers(sync_offset: int, flyback: int) -> tuple[int, int]:
    """The two as plain integers.

    Raises
    ------
    ValueError
        One is no whole number.

    Examples
    --------
    >>> whole_numbers(np.int8(3), 0)
    (3, 0)
    """
    try:
        return index(sync_offset), index(flyback)
    except TypeError:
        raise ValueError(
            f"sync_offset={sync_offset!r} and flyback={flyback!r} must be whole numbers of frames"
        ) from None


def _one_of_two(serpentine: bool) -> bool:
    if not isinstance(serpentine, bool | np.bool_):
        raise ValueError(f"serpentine={serpentine!r} must be True, False or None")
    return bool(serpentine)


def _choose_shape(
    path: str,
    available: int,
    scan_shape: Sequence[int] | int | str | None,
    flyback: int,
    hint: ShapeHint | None,
    crop: bool,
    warnings: list[str],
) -> tuple[tuple[int, ...], str]:
    if isinstance(scan_shape, str):
        if scan_shape != "square":
            raise ValueError(
                f"scan_shape={scan_shape!r} is not known: give (rows, columns), or 'square' to take equal ones"
            )
        side = _square(available, flyback)
        if side is None and crop:
            side = math.isqrt(available)
        if side is None:
            raise ScanShapeError(
                f"{path}: {available} frames do not make a square scan with flyback={flyback}; "
                f"{_fitting(available, flyback)}"
            )
        warnings.append(
            f"{path}: the scan was taken to be square, {side} x {side}, as asked; nothing in the file says so"
        )
        return (side, side), "scan_shape='square'"
    if scan_shape is not None:
        return _explicit(path, available, scan_shape, flyback, crop), "scan_shape argument"
    if hint is not None:
        if hint.per_line and flyback:
            return (*hint.shape[:-1], max(1, hint.shape[-1] - flyback)), hint.origin
        return hint.shape, hint.origin
    if available == 1:
        return (), "single frame"
    return (available,), "one-dimensional: the file does not say"


def _explicit(path: str, available: int, scan_shape: Sequence[int] | int, flyback: int, crop: bool) -> tuple[int, ...]:
    try:
        given = scan_shape if isinstance(scan_shape, Iterable) else (scan_shape,)
        shape = tuple(index(n) for n in given)
    except TypeError:
        raise ValueError(f"scan_shape={scan_shape!r} must be integers such as (rows, columns)") from None
    if not shape or shape.count(-1) > 1 or any(n < 1 and n != -1 for n in shape):
        raise ValueError(
            f"scan_shape={scan_shape!r} must be positive integers such as (rows, columns), at most one of them -1"
        )
    if -1 not in shape:
        return shape
    free = shape.index(-1)
    columns = 1 if free == len(shape) - 1 else shape[-1] + (flyback if len(shape) > 1 else 0)
    lines = math.prod(n for n in shape[:-1] if n != -1)
    each = lines * columns
    # The flyback behind the very last line need not have been stored.
    whole, left = divmod(available + (flyback if len(shape) > 1 and free < len(shape) - 1 else 0), each)
    if left > flyback and not crop:
        raise ScanShapeError(
            f"{path}: {available} frames do not fill scan_shape={shape} with flyback={flyback}; "
            f"{_fitting(available, flyback)}"
        )
    if free == len(shape) - 1 and len(shape) > 1:
        whole -= flyback
    if whole < 1:
        raise ScanShapeError(
            f"{path}: {available} frames do not fill even one line of scan_shape={shape} with flyback={flyback}"
        )
    return (*shape[:free], whole, *shape[free + 1 :])


def _whole_lines(shape: tuple[int, ...], flyback: int, limit: int) -> tuple[int, ...]:
    """`shape` with its slowest axis cut to what `limit` frames fill."""
    if len(shape) < 2:
        return (limit,) if shape else shape
    line = shape[-1] + flyback
    each = math.prod(shape[1:-1]) * line
    return (min(shape[0], (limit + flyback) // each), *shape[1:])


def _square(frames: int, flyback: int) -> int | None:
    side = math.isqrt(frames)
    for n in range(max(1, side - flyback), side + 1):
        if n * (n + flyback) in (frames, frames + flyback):
            return n
    return None


def factor_pairs(frames: int, most: int = 4) -> list[tuple[int, int]]:
    """Shapes ``(rows, columns)`` of exactly `frames` frames, both above 1, the squarest first.

    Examples
    --------
    >>> factor_pairs(12)
    [(3, 4), (4, 3), (2, 6), (6, 2)]
    """
    pairs: list[tuple[int, int]] = []
    if frames > _MOST_FACTORED:
        return pairs
    for rows in range(math.isqrt(max(frames, 0)), 1, -1):
        if frames % rows == 0:
            pairs += (
                [(rows, frames // rows)] if rows * rows == frames else [(rows, frames // rows), (frames // rows, rows)]
            )
        if len(pairs) >= most:
            break
    return pairs[:most]


def _fitting(frames: int, flyback: int = 0) -> str:
    found = []
    for total in {frames, frames + flyback}:
        found += [(rows, line - flyback) for rows, line in factor_pairs(total) if line > flyback]
    if not found:
        return f"no two factors make {frames}: give scan_shape=({frames},), or skip frames with sync_offset"
    return "scan shapes that fit: " + ", ".join(str(pair) for pair in found)


def _mismatch(
    path: str, frames: int, shape: tuple[int, ...], origin: str, sync_offset: int, flyback: int, needed: int
) -> str:
    available = frames - sync_offset
    told = f"{path}: {frames} frames do not fill scan shape {' x '.join(map(str, shape))} ({origin}"
    extra = [f"{name}={value}" for name, value in (("sync_offset", sync_offset), ("flyback", flyback)) if value]
    told += f"; {', '.join(extra)})" if extra else ")"
    told += f": {needed} needed, {available} found; {_fitting(available, flyback)}"
    if len(shape) > 1 and not flyback:
        lines = math.prod(shape[:-1])
        if available % lines == 0 and shape[-1] < available // lines <= 2 * shape[-1]:
            told += (
                f"; {available // lines - shape[-1]} frames more a line fit with "
                f"flyback={available // lines - shape[-1]}"
            )
    return told
