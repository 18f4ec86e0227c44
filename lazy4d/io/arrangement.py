"""Frames that are loaded already, arranged in another scan: files by their numbers, arrays by views and slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rearranged import Rearrangeable, RearrangedFrames, label_of
from lazy4d.io.scan import ScanPlan, plan_scan
from lazy4d.io.source import INCOMPLETE, one_of
from lazy4d.lazy import Frames, PerPosition
from lazy4d.lazy.chunks import auto_chunks
from lazy4d.lazy.selection import ArraySource


def arrange(
    frames: Frames,
    *,
    scan_shape: Sequence[int] | int | str,
    sync_offset: int = 0,
    flyback: int = 0,
    serpentine: bool = False,
    incomplete: str | None = None,
) -> tuple[Frames, ScanPlan]:
    """The stream of frames in another scan, its stages kept, and what was planned for it; nothing is read.

    Frames straight from a file count from the first one recorded, also those that the present scan leaves out. Of
    positions that were selected, and of arrays, the frames held count, in the order of their positions.

    Parameters
    ----------
    frames : Frames
        The stream.
    scan_shape, sync_offset, flyback, serpentine
        See `plan_scan`.
    incomplete : str or None
        What to do with missing frames; None: as the frames were loaded.

    Raises
    ------
    ScanShapeError
        The frames do not fill the scan.
    ValueError
        Positions were selected from a scan that was not recorded in their order.

    Examples
    --------
    >>> stream = Frames.from_array(np.zeros((20, 8, 8)), 1)
    >>> arrange(stream, scan_shape=(4, 4), flyback=1)[0].nav_shape
    (4, 4)
    """
    inner = None if frames.is_array else frames.source.source
    tolerant = getattr(inner, "tolerant", frames.incomplete != "raise")
    policy = (frames.incomplete if tolerant else "raise") if incomplete is None else incomplete
    one_of("incomplete", policy, INCOMPLETE)
    shared = not any(isinstance(param, PerPosition) for stage in frames.stages for param in stage.lazy_params())
    whole = inner if shared and _is_whole(inner) else None
    if whole is None and inner is not None:
        _check_order(inner)
    count = math.prod(frames.nav_shape) if whole is None else whole.recorded
    plan = plan_scan(
        label_of(inner),
        count,
        scan_shape=scan_shape,
        sync_offset=sync_offset,
        flyback=flyback,
        incomplete=policy,
        usable=_unbroken(whole),
        serpentine=serpentine,
    )
    if inner is None:
        base = _arranged_array(frames, plan.navigation, policy)
    elif whole is not None:
        base = Frames.from_source(whole.rearranged(plan.navigation, incomplete))
    else:
        base = Frames.from_source(RearrangedFrames(inner, plan.navigation, policy))
    nav_ndim = len(frames.nav_shape)

    def moved(array: Any) -> Any:
        other = rearranged_array(array, nav_ndim, plan.navigation)
        return other.rechunk((*base.chunks, *((n,) for n in array.shape[nav_ndim:])))

    return replace(base, stages=tuple(stage.with_params(moved) for stage in frames.stages)), plan


def _is_whole(source: Any) -> bool:
    """Whether a source shows all frames of its files, in whatever arrangement, nothing selected."""
    return isinstance(source, Rearrangeable) and not source.navigation.selected


def _check_order(source: Any) -> None:
    navigation = getattr(source, "navigation", None)
    if isinstance(navigation, NavigationMap | PositionTable) and not navigation.ascending:
        raise ValueError(
            f"positions were selected from {label_of(source)} in another order than that of recording (a serpentine or "
            "random scan, or a slice that runs backwards): call with_scan_shape first, and select afterwards"
        )


def _unbroken(source: Any) -> int | None:
    """Frames before the first one that is known to be missing in files; None where nothing tells."""
    parts = getattr(source, "parts", (source,))
    ends = []
    for part in parts:
        files = getattr(part, "files", None)
        if files is None:
            return None
        stop = files.numbers + files.counts
        broken = np.flatnonzero(stop[:-1] != files.numbers[1:])
        ends.append(int(stop[broken[0] if broken.size else -1]) if files.numbers[0] == 0 else 0)
    return min(ends)


def _arranged_array(frames: Frames, navigation: NavigationMap, policy: str) -> Frames:
    """Frames of an array; one in memory stays where it is if numpy can give a view."""
    source: ArraySource = frames.source
    count, nav_ndim = math.prod(source.nav_shape), len(navigation.shape)
    lowest, highest = navigation.bounds
    blank = lowest < 0 or highest >= count
    valid = source.valid
    if valid is not None or blank:
        known = da.ones(source.nav_shape, dtype=bool) if valid is None else valid
        valid = rearranged_array(known, source.nav_ndim, navigation)
    incomplete = policy if policy in ("nan", "zero") else "nan" if valid is not None else "raise"
    plain = source.plain
    if plain is not None and plain.flags.c_contiguous and not blank and navigation.turns is None:
        flat = plain.reshape(count, *source.frame_shape)
        step = flat.strides[0]
        shape = (*navigation.shape, *source.frame_shape)
        strides = (*(step * stride for stride in navigation.strides), *flat.strides[1:])
        view = np.lib.stride_tricks.as_strided(flat[navigation.base :], shape, strides, writeable=False)
        blocks = auto_chunks(navigation.shape, source.frame_nbytes)
        aligned = None if valid is None else valid.rechunk(blocks)
        token = f"{source.token}-{tokenize(navigation.identity)}"
        return Frames(ArraySource.from_numpy(view, nav_ndim, blocks, aligned, incomplete, token), blocks)
    array = rearranged_array(source.array, source.nav_ndim, navigation)
    blocks = auto_chunks(navigation.shape, source.frame_nbytes)
    array = array.rechunk((*blocks, *((n,) for n in source.frame_shape)))
    aligned = None if valid is None else valid.rechunk(blocks)
    return Frames.from_array(array, nav_ndim, valid=aligned, incomplete=incomplete)


def rearranged_array(array: da.Array, nav_ndim: int, navigation: NavigationMap) -> da.Array:
    """A dask array ``[nav..., *rest]`` in another scan, whole lines at a time; blanks are 0.

    Parameters
    ----------
    array : dask array
        Its first `nav_ndim` axes in C order count the frames.
    nav_ndim : int
        Number of its navigation axes.
    navigation : NavigationMap
        A scan line by line, as `NavigationMap.raster` makes it, of at least one axis.

    Examples
    --------
    >>> scan = NavigationMap.raster((2, 3), first=-1, serpentine=True)
    >>> rearranged_array(da.arange(1, 6), 1, scan).compute().tolist()
    [[0, 1, 2], [5, 4, 3]]
    """
    rest, count = array.shape[nav_ndim:], math.prod(array.shape[:nav_ndim])
    flat = array.reshape((count, *rest)) if nav_ndim != 1 else array
    shape = navigation.shape
    if not shape:
        return flat[navigation.base]
    columns, lines = shape[-1], math.prod(shape[:-1])
    line = navigation.strides[-2] if len(shape) > 1 else columns
    start, stop = navigation.base, navigation.base + lines * line
    inside = flat[max(0, min(start, count)) : max(0, min(stop, count))]
    blocks = inside.chunks[0]
    parts = [
        da.zeros((n, *rest), dtype=array.dtype, chunks=(max(blocks, default=n), *((m,) for m in rest)))
        for n in (max(0, min(-start, lines * line)), max(0, stop - max(count, start)))
    ]
    joined = da.concatenate([part for part in (parts[0], inside, parts[1]) if part.shape[0]])
    nbytes = math.prod(rest) * array.dtype.itemsize
    rows = auto_chunks((lines, line), nbytes)[0]
    cut = joined.rechunk((tuple(n * line for n in rows), *((m,) for m in rest)))
    table = cut.reshape((lines, line, *rest))[:, :columns]
    if navigation.turns is not None:
        odd = np.arange(lines) % shape[-2] % 2 == 1
        flags = da.from_array(odd.reshape(lines, *(1,) * (table.ndim - 1)), chunks=(rows, *(1,) * (table.ndim - 1)))
        table = da.map_blocks(_turn, table, flags, dtype=table.dtype, meta=np.empty((0,) * table.ndim, table.dtype))
    return table if len(shape) == 2 else table.reshape((*shape, *rest))


def _turn(block: NDArray[Any], odd: NDArray[np.bool_]) -> NDArray[Any]:
    """The lines of a block, odd ones backwards."""
    turned = np.array(block)
    chosen = odd.reshape(-1)
    turned[chosen] = block[chosen, ::-1]
    return turned
