"""Scan lines of a map that jump sideways, found and moved back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import scan_rows as kernels
from lazy4d.lazy import Frames, PerPosition
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import marked_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_row_shifts(signal: BaseSignal, reach: int = 4, *, max_shift: Any = None, high_pass: float = 4.0) -> BaseSignal:
    """By how many positions along x each scan line has to be moved onto its neighbours: a `VirtualImage` [..., y].

    Parameters
    ----------
    signal : VirtualImage
        Maps ``[..., y, x]``; nan where unknown.
    reach : int
        How many following lines each line is compared with.
    max_shift : int, float or str, optional
        Largest jump between two lines: ints are positions, floats axis units, text carries its unit. 8 positions by
        default; below half the spacing of a lattice, where there is one.
    high_pass : float
        What varies slower than over this many lines (the standard deviation of a Gaussian) is taken for the
        specimen, which leans, and not for jumps. Of independent jumps that leaves out 0.53 / √high_pass of their
        standard deviation; more keeps these, and follows the specimen. 0: only a straight line is left out.

    Returns
    -------
    VirtualImage
        float64, lazy; on average 0. nan for lines that are nan throughout.

    Raises
    ------
    ValueError
        Fewer than two navigation axes, or a reach below 1.

    Notes
    -----
    See `lazy4d.kernels.scan_rows`. Neighbouring lines show the specimen at slightly different places, which no method
    tells from jumps: edges and lattices across the lines are found well, fine random texture is not.

    Examples
    --------
    >>> d.get_total_intensity().get_row_shifts().data.shape
    (4,)
    """
    axes = _line_axes(signal)
    x = axes[-1]
    if isinstance(reach, bool) or reach != int(reach) or reach < 1:
        raise ValueError(f"expected reach as a number of lines, at least 1, found {reach!r}")
    if not high_pass >= 0:
        raise ValueError(f"expected high_pass of at least 0 lines, found {high_pass!r}")
    most = max(1, min(8, x.size // 4) if max_shift is None else int(np.ceil(x.length_to_pixels(max_shift))))
    array = marked_array(signal)
    lines = array.ndim - 2
    maps = Frames.from_array(array.rechunk({lines: -1, lines + 1: -1}), lines)
    found = maps.map_frames(
        kernels.row_shifts, int(reach), most, float(high_pass), shape=maps.frame_shape[:1], dtype=np.float64
    )
    title = f"shifts of the lines of {signal.title}" if signal.title else "shifts of lines"
    params = {"reach": int(reach), "max_shift": most, "high_pass": float(high_pass)}
    return signal._derive(found.emit().data, axes[:-1], "get_row_shifts", params, title=title)


def correct_scan_rows(signal: BaseSignal, shifts: Any = None, **options: Any) -> BaseSignal:
    """The maps with every scan line moved along x by its shift: a `VirtualImage` of the same shape, float64, lazily.

    Parameters
    ----------
    signal : VirtualImage
        Maps ``[..., y, x]``.
    shifts : VirtualImage or array [..., y], optional
        Positions by which each line is moved, ``out[x] = in[x - shift]``; by default those of `get_row_shifts`. An
        array [y] moves all maps alike, so that shifts found in one image correct another one.
    **options
        For `get_row_shifts`, where no shifts are given.

    Returns
    -------
    VirtualImage
        Interpolated by cubic splines; nan where a line does not reach.

    Raises
    ------
    ValueError
        Shifts of another shape.

    Examples
    --------
    >>> d.get_total_intensity().correct_scan_rows([0, 0.5, 0, 0]).as_numpy()[1, 0]
    np.float64(nan)
    """
    axes = _line_axes(signal)
    given = shifts
    if shifts is None:
        shifts = get_row_shifts(signal, **options)
    elif options:
        raise TypeError(f"{', '.join(options)} find shifts, but shifts are given: leave one of them out")
    shape = tuple(shifts.shape) if hasattr(shifts, "shape") else np.shape(shifts)
    own = signal.nav_shape[:-1]
    if shape not in (own, own[-1:]):
        raise ValueError(f"expected a shift for each line, of shape {own} or {own[-1:]}, found shape {shape}")
    array = marked_array(signal)
    lines = array.ndim - 2
    maps = Frames.from_array(array.rechunk({lines: -1, lines + 1: -1}), lines)
    lazy: Any
    if is_signal(shifts) and shifts.lazy:
        lazy = shifts.frames.emit().data
    else:
        values = np.asarray(shifts.data if is_signal(shifts) else shifts, np.float64)
        lazy = Frames.from_array(np.broadcast_to(values, own), lines, chunks=maps.chunks or "auto").data
    if lazy.ndim == 1 and lines:
        lazy = np.broadcast_to(lazy, own)
    moved = maps.map_frames(move_rows, PerPosition(lazy), shape=maps.frame_shape, dtype=np.float64)
    params = {"shifts": given, **options}
    return signal._derive(moved.data, axes, "correct_scan_rows", params, parents=[given] if is_signal(given) else ())


def move_rows(maps: NDArray[Any], shifts: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Fill `out` with maps [n, y, x] whose lines are moved by `shifts` [n, y]."""
    for image, each, result in zip(np.asarray(maps, np.float64), shifts, out, strict=True):
        result[...] = kernels.move_rows(image, each, np.nan)
        result[~np.isfinite(each)] = np.nan


def _line_axes(signal: BaseSignal) -> list[Any]:
    axes = signal.nav_axes
    if len(axes) < 2:
        raise ValueError(f"scan lines need two navigation axes, (y, x) in numpy order, found {len(axes)} in {signal!r}")
    return axes
