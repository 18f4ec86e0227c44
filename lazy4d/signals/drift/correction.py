"""Repeated scans of one area moved onto each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.shift import covered
from lazy4d.lazy import Frames, PerPosition
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import cast, marked_array
from lazy4d.signals.drift.estimate import _scan_axes
from lazy4d.signals.drift.positions import common_box, moved_frames
from lazy4d.signals.shifting import KERNELS, check_interpolation

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.signals.base import BaseSignal


def correct_drift_of_map(
    signal: BaseSignal, shifts: Any, *, interpolation: str = "cubic", crop: bool = False
) -> BaseSignal:
    """The maps of a series moved onto each other, between positions: a `VirtualImage` [time, y, x], float64, lazily.

    Parameters
    ----------
    signal : VirtualImage
        Maps ``[time, y, x]``.
    shifts : ScanShifts or array [time, 2]
        (y, x) of each map, in positions, as `estimate_drift` gives them; lazy ones stay lazy.
    interpolation : {"cubic", "bilinear", "fourier", "integer"}
        As for `shift_diffraction`.
    crop : bool
        Keep only what all maps show; the shifts have to be computed then. Otherwise positions from outside are nan.

    Returns
    -------
    VirtualImage
        On the axes of the reference. ``.mean(2)`` of it, over time, is the registered mean; `nan` comes through, so
        that ``crop=True`` suits it best. A map whose shift is nan is nan.

    Raises
    ------
    ValueError
        Shifts of another shape, or maps that have nothing in common.
    TypeError
        Lazy shifts and ``crop=True``.

    Examples
    --------
    >>> maps = l4.stack([d.get_total_intensity(), d.get_total_intensity()])
    >>> maps.correct_drift([(0, 0), (1, -1)], crop=True).data.shape
    (2, 3, 3)
    """
    time, y, x = _scan_axes(signal)
    check_interpolation(interpolation)
    place = _checked(shifts, time.size)
    array = marked_array(signal).rechunk({1: -1, 2: -1})
    maps = Frames.from_array(array, 1)
    if array.dtype != np.float64:
        maps = maps.map_frames(cast, shape=maps.frame_shape, dtype=np.float64)
    known = place if isinstance(place, np.ndarray) else None
    lazy = Frames.from_array(place, 1, chunks=maps.chunks).data if known is not None else place
    moved = maps.map_frames(
        KERNELS[interpolation], PerPosition(lazy), np.float64(np.nan), shape=maps.frame_shape, dtype=np.float64
    )
    data, axes = moved.data, [time, y, x]
    if crop:
        box = _common(known, signal, interpolation)
        data = data[(slice(None), *box)]
        axes = [time, *(axis.sliced(item) for axis, item in zip((y, x), box, strict=True))]
    params = {"shifts": shifts, "interpolation": interpolation, "crop": bool(crop)}
    return signal._derive(data, axes, "correct_drift", params, parents=[shifts] if is_signal(shifts) else ())


def correct_drift_of_scan(signal: BaseSignal, shifts: Any, *, crop: bool = True) -> BaseSignal:
    """Repeated scans moved onto each other by whole positions: the same patterns in other places, lazily.

    Parameters
    ----------
    signal : Diffraction2D
        Patterns ``[time, y, x, ky, kx]``.
    shifts : ScanShifts or array [time, 2]
        (y, x) of each scan, in positions, as `estimate_drift` gives them; computed. Rounded to whole positions.
    crop : bool
        Keep only positions that all scans have. Otherwise the area of the reference stays, and positions that a scan
        did not visit are missing frames: nan in maps, left out of means.

    Returns
    -------
    Diffraction2D
        On the axes of the reference. No pixel is copied or changed; ``.mean(2)``, over the time axis, is
        the mean of what was measured at each place.

    Raises
    ------
    ValueError
        Shifts of another shape, not all known, or scans that have nothing in common.
    TypeError
        Lazy shifts: which frames are needed where has to be known.

    Examples
    --------
    >>> scans = l4.stack([d, d])
    >>> scans.correct_drift([(0, 0), (1, -2)])
    <Diffraction2D, title: , dimensions: (2, 3, 2|16, 16), uint16, lazy 6.1 kB, 1 block>
    """
    time, y, x = _scan_axes(signal)
    place = _checked(shifts, time.size)
    if not isinstance(place, np.ndarray):
        raise TypeError(
            f"shifts of whole scans have to be known before frames are put in order, found the lazy {shifts!r}: "
            "compute them first, correct_drift(shifts.compute())"
        )
    if not np.isfinite(place).all():
        unknown = np.flatnonzero(~np.isfinite(place).all(axis=1)).tolist()
        raise ValueError(
            f"the shifts of scans {unknown} are nan: leave these scans out, with inav, or fill their shifts in, for "
            "example by estimate_drift(..., smoothing=1)"
        )
    whole = np.floor(place + 0.5).astype(np.int64)
    box = common_box(whole, (y.size, x.size)) if crop else (slice(0, y.size), slice(0, x.size))
    if crop and any(s.stop <= s.start for s in box):
        raise _nothing_shared(signal, place)
    frames = moved_frames(signal.frames, whole, box)
    axes: list[Axis] = [time, *(axis.sliced(item) for axis, item in zip((y, x), box, strict=True))]
    params = {"shifts": whole.tolist(), "crop": bool(crop)}
    return signal._derive(
        frames,
        [*axes, *signal.frame_axes],
        "correct_drift",
        params,
        parents=[shifts] if is_signal(shifts) else (),
    )


def _checked(shifts: Any, count: int) -> Any:
    """Shifts as float64 [count, 2], or lazy."""
    shape = tuple(shifts.shape) if hasattr(shifts, "shape") else np.shape(shifts)
    if shape != (count, 2):
        raise ValueError(f"expected shifts (y, x) for each of {count} scans, shape {(count, 2)}, found shape {shape}")
    if is_signal(shifts) and shifts.lazy:
        return shifts.frames.emit().data
    if hasattr(shifts, "dask"):
        return shifts
    return np.asarray(shifts.data if is_signal(shifts) else shifts, np.float64)


def _common(shifts: NDArray[np.float64] | None, signal: BaseSignal, interpolation: str) -> tuple[slice, slice]:
    """The box of positions that all maps moved by fractions show."""
    if shifts is None:
        raise TypeError(
            "what all maps show is known only with the shifts: give computed ones for crop=True, shifts.compute()"
        )
    windows = covered(shifts[np.isfinite(shifts).all(axis=1)], signal.nav_shape[1:], interpolation)
    if not len(windows):
        raise _nothing_shared(signal, shifts)
    low, high = windows[:, :, 0].max(axis=0), windows[:, :, 1].min(axis=0)
    if (high <= low).any():
        raise _nothing_shared(signal, shifts)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _nothing_shared(signal: BaseSignal, shifts: NDArray[np.float64]) -> ValueError:
    known = shifts[np.isfinite(shifts).all(axis=1)]
    y, x = np.ptp(known, axis=0) if len(known) else (np.nan, np.nan)
    return ValueError(
        f"scans of {signal.nav_shape[1:]} positions (numpy order) moved by up to {y:.1f}, {x:.1f} positions against "
        "each other have no area in common: check the shifts and their score, or give crop=False"
    )
