"""Frames moved by a distance, the same or another one at each position, and how much of them stays in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels import shift_coverage
from lazy4d.kernels.shift import shift_bilinear, shift_cubic, shift_integer
from lazy4d.kernels.shift_fourier import shift_fourier
from lazy4d.lazy import Frames, PerPosition, Reduction, SharedLazy, StateArray
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import image_frames, may_be_damaged

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

KERNELS: dict[str, Callable[..., None]] = {
    "integer": shift_integer,
    "bilinear": shift_bilinear,
    "cubic": shift_cubic,
    "fourier": shift_fourier,
}
"""What moves a tile of frames, ``kernel(frames, shifts, fill, out)``, by the name of the interpolation."""


def shift_diffraction(
    signal: BaseSignal,
    shift_x: float | str = 0,
    shift_y: float | str = 0,
    *,
    shifts: Any = None,
    interpolation: str = "bilinear",
    fill: float = 0,
) -> BaseSignal:
    """The signal with every frame moved, ``out[y, x] = in[y - dy, x - dx]``, lazily; the axes stay where they are.

    Parameters
    ----------
    signal : BaseSignal
        Images, or diffraction patterns.
    shift_x, shift_y : int, float or str, optional
        How far all frames move towards the last column and row: ints are pixels, floats lengths in axis units, strings
        lengths with their unit.
    shifts : BaseSignal or ndarray, optional
        Instead, (dy, dx) in pixels: an array (2,) for all frames, or a signal (`BeamPosition.shifts`) or array
        [nav..., 2] with one for each position.
    interpolation : {"bilinear", "cubic", "fourier", "integer"}, optional
        "integer" moves by whole pixels, rounded, and changes no value. "bilinear" never leaves the range of the pixels,
        but blurs; "cubic" (Catmull and Rom) keeps more detail; "fourier" keeps all of it, rings at sharp edges, and is
        exact for band-limited frames. These two can give values slightly below 0.
    fill : float, optional
        Where pixels from outside the frame would be needed; may be NaN where the result is float.

    Returns
    -------
    BaseSignal
        The dtype is that of the data for "integer", else float32, or float64 where float32 is too narrow. Frames whose
        shift is NaN are NaN; where the result is of integers they are `fill`.

    Raises
    ------
    ValueError
        No such interpolation, shifts of another shape, or a fill value that the dtype does not hold.

    Notes
    -----
    See `lazy4d.kernels.shift` for the formulas. `get_shift_coverage` tells how many frames show data at each pixel.

    Examples
    --------
    >>> d.shift_diffraction(0.5, -1).data.dtype, d.shift_diffraction(2, interpolation="integer").data.dtype
    (dtype('float32'), dtype('uint16'))
    """
    param, given = _shifts(signal, shift_x, shift_y, shifts)
    frames, move, value = prepared(signal, interpolation, fill)
    moved = frames.map_frames(move, param, value, shape=frames.frame_shape, dtype=value.dtype)
    return signal._derive(
        moved,
        [*signal.nav_axes, *signal.frame_axes],
        "shift_diffraction",
        {**given, "interpolation": interpolation, "fill": fill},
        parents=[shifts] if is_signal(shifts) else (),
    )


def get_shift_coverage(
    signal: BaseSignal,
    shift_x: float | str = 0,
    shift_y: float | str = 0,
    *,
    shifts: Any = None,
    interpolation: str = "bilinear",
) -> BaseSignal:
    """The number of positions whose shifted frame holds data, and not the fill value, at each pixel: a Signal2D, int64.

    Parameters
    ----------
    signal : BaseSignal
        What is to be shifted, not yet shifted.
    shift_x, shift_y, shifts, interpolation
        As for `shift_diffraction`; for `center_direct_beam`, whose interpolation is "integer" unless another is given,
        ``shifts=position.shifts``.

    Returns
    -------
    Signal2D
        Lazy, without navigation axes; no pixel is read for it. Positions whose shift is NaN or whose frame is missing
        do not count, so that ``shifted.sum() / coverage``, with 0 as the fill value, is the mean of what was measured
        at each pixel. (Sums of floats are NaN where one shift is: leave such positions out with ``inav``.)

    Raises
    ------
    ValueError
        No such interpolation, or shifts of another shape.

    Examples
    --------
    >>> d.get_shift_coverage(3, interpolation="integer").as_numpy()[0, :5]
    array([ 0,  0,  0, 16, 16])
    """
    sizes = _image_shape(signal)
    reduction = Reduction(
        shift_coverage.add_covered,
        shift_coverage.merge_covered,
        shift_coverage.coverage,
        (StateArray((sizes[0] + 1, sizes[1] + 1), np.int64),),
        sizes,
        np.dtype(np.int64),
    )
    array, params, parents = _reduced(signal, reduction, shift_x, shift_y, shifts, interpolation)
    title = f"coverage of {signal.title} shifted" if signal.title else "coverage"
    return signal._derive(
        array, signal.frame_axes, "get_shift_coverage", params, kind=signal._class_of[2], title=title, parents=parents
    )


def get_shift_window(
    signal: BaseSignal,
    shift_x: float | str = 0,
    shift_y: float | str = 0,
    *,
    shifts: Any = None,
    interpolation: str = "bilinear",
) -> BaseSignal:
    """The window (x0, x1, y0, y1) in which all shifted frames hold data, pixels, as for ``isig[x0:x1, y0:y1]``.

    Parameters
    ----------
    signal : BaseSignal
        What is to be shifted, not yet shifted.
    shift_x, shift_y, shifts, interpolation
        As for `shift_diffraction` and `get_shift_coverage`.

    Returns
    -------
    Signal1D
        Lazy, int64 [4] without navigation axes; all 0 where the frames have no pixel in common. Positions whose shift
        is NaN or whose frame is missing do not count.

    Raises
    ------
    ValueError
        No such interpolation, or shifts of another shape.

    Examples
    --------
    >>> d.get_shift_window(3, -1.5).as_numpy()
    array([ 3, 16,  0, 14])
    """
    reduction = Reduction(
        shift_coverage.narrow_window,
        shift_coverage.merge_windows,
        shift_coverage.common_window,
        (StateArray((4,), np.int64, shift_coverage.NOWHERE),),
        (4,),
        np.dtype(np.int64),
    )
    array, params, parents = _reduced(signal, reduction, shift_x, shift_y, shifts, interpolation)
    axis = Axis(name="edge (x0, x1, y0, y1)", size=4, navigate=False)
    title = f"window of {signal.title} shifted" if signal.title else "window"
    return signal._derive(
        array, [axis], "get_shift_window", params, kind=signal._class_of[1], title=title, parents=parents
    )


def prepared(signal: BaseSignal, interpolation: str, fill: Any) -> tuple[Frames, Callable[..., None], Any]:
    """The frames of a signal as a shift takes them, what moves them, and the fill value in the dtype of the result.

    Parameters
    ----------
    signal : BaseSignal
        Images.
    interpolation : str
        A name in `KERNELS`.
    fill : number
        As the user gave it.

    Raises
    ------
    ValueError
        No such interpolation, frames that are no images, or a fill value that the dtype does not hold.

    Examples
    --------
    >>> prepared(d, "cubic", 0)[1:]
    (<function shift_cubic at ...>, np.float32(0.0))
    """
    check_interpolation(interpolation)
    _image_shape(signal)
    if interpolation == "integer":
        frames = signal.frames
        dtype = frames.dtype
    else:
        frames = image_frames(signal, f"a shift by {interpolation} interpolation")
        dtype = np.result_type(frames.dtype, np.float32)
    return frames, KERNELS[interpolation], _fill_value(fill, dtype)


def check_interpolation(interpolation: str) -> None:
    """Refuse names that are not in `KERNELS`."""
    if interpolation not in KERNELS:
        raise ValueError(
            f"interpolation={interpolation!r} is not known: expected one of {', '.join(map(repr, KERNELS))}"
        )


def per_position_shift(signal: BaseSignal, value: Any, what: str = "shifts") -> PerPosition | SharedLazy | NDArray[Any]:
    """Distances or places (y, x), given as a user has them, as the parameter of a kernel.

    Parameters
    ----------
    signal : BaseSignal
        Whose frames they belong to.
    value : BaseSignal or array
        A signal or array [nav..., 2], lazy or not, with (y, x) in pixels for each position; or one [2] for all. Two
        numbers in a tuple or list are refused: elsewhere these mean (x, y).
    what : str, optional
        What they are, for errors.

    Returns
    -------
    PerPosition, SharedLazy or ndarray [2]
        One a position; one for all, lazy or known.

    Raises
    ------
    ValueError
        Another shape, or numbers that are not real.

    Examples
    --------
    >>> per_position_shift(d, np.array([1, 0.5]))
    array([1. , 0.5])
    """
    nav_shape = signal.nav_shape
    if isinstance(value, tuple | list) and np.shape(value) == (2,):
        raise TypeError(f"expected {what} as an array (y, x), found {value!r}: give numpy.array([y, x]), rows first")
    own = value.nav_shape + value.frame_shape if is_signal(value) else np.shape(value)
    each, all_alike = own == (*nav_shape, 2), own == (2,)
    if is_signal(value):
        each, all_alike = each and value.nav_shape == nav_shape, all_alike and not value.nav_shape
    if not (each or all_alike):
        raise ValueError(
            f"expected {what} (y, x) as a signal or array of shape {(*nav_shape, 2)}, one for each position, or (2,), "
            f"one for all, found {'shape ' + str(own) if not is_signal(value) else repr(value)}"
        )
    if not is_signal(value) and not hasattr(value, "dask"):
        value = np.asarray(value)
    if np.dtype(value.dtype).kind not in "iuf":
        raise ValueError(f"expected {what} as real numbers, found dtype {value.dtype}")
    if is_signal(value):
        # where a frame is missing, emitted results are NaN; a stage by itself would leave 0
        lazy = value.frames.emit().data
    elif hasattr(value, "dask"):
        lazy = value
    elif all_alike:
        return value.astype(np.float64)
    else:
        lazy = Frames.from_array(value, len(nav_shape), chunks=signal.frames.chunks).data
    return SharedLazy(lazy) if all_alike else PerPosition(lazy)


def _shifts(signal: BaseSignal, shift_x: Any, shift_y: Any, shifts: Any) -> tuple[Any, dict[str, Any]]:
    """The parameter of the kernel, and what the history says, of the shifts a user gave in either way."""
    _image_shape(signal)
    if shifts is not None:
        if shift_x != 0 or shift_y != 0:
            raise ValueError(
                f"expected either shift_x and shift_y or shifts, found {shift_x=}, {shift_y=} and shifts of type "
                f"{type(shifts).__name__}"
            )
        return per_position_shift(signal, shifts), {"shifts": shifts}
    y, x = signal.frame_axes
    pixels = np.array([y.length_to_pixels(shift_y), x.length_to_pixels(shift_x)])
    return pixels, {"shift_x": shift_x, "shift_y": shift_y}


def _reduced(
    signal: BaseSignal, reduction: Reduction, shift_x: Any, shift_y: Any, shifts: Any, interpolation: str
) -> tuple[Any, dict[str, Any], list[Any]]:
    """What a reduction makes of the shifts of all positions that have a frame."""
    check_interpolation(interpolation)
    param, given = _shifts(signal, shift_x, shift_y, shifts)
    nav_shape = signal.nav_shape
    array: Any = param.array if isinstance(param, PerPosition | SharedLazy) else param
    if not isinstance(param, PerPosition):
        array = np.broadcast_to(array, (*nav_shape, 2))
    valid, incomplete = None, "raise"
    if may_be_damaged(signal):
        valid, incomplete = signal.frames.valid, signal.frames.incomplete
        if hasattr(array, "dask"):
            valid = valid.rechunk(array.chunks[: len(nav_shape)])
    stream = Frames.from_array(
        array, len(nav_shape), chunks="auto" if valid is None else valid.chunks, valid=valid, incomplete=incomplete
    )
    result = stream.reduce_frames(reduction, _image_shape(signal), interpolation)
    return result, {**given, "interpolation": interpolation}, [shifts] if is_signal(shifts) else []


def _image_shape(signal: BaseSignal) -> tuple[int, int]:
    if len(signal.frame_shape) != 2:
        raise ValueError(
            f"a shift needs frames with two signal axes, found frames of shape {signal.frame_shape} in {signal!r}"
        )
    return signal.frame_shape[0], signal.frame_shape[1]


def _fill_value(fill: Any, dtype: np.dtype[Any]) -> Any:
    """The fill value in the dtype of the result."""
    number = np.asarray(fill)
    if number.ndim != 0 or number.dtype.kind not in "biufc":
        raise ValueError(f"expected fill as one number, found {fill!r}")
    if dtype.kind in "fc":
        if number.dtype.kind == "c" and dtype.kind == "f":
            raise ValueError(f"fill={fill!r} is complex, but the result is {dtype}: give a real number")
        return number.astype(dtype)[()]
    with np.errstate(all="ignore"):
        held = number.astype(dtype)
    if not held == number:
        raise ValueError(
            f"fill={fill!r} is no value of {dtype}, which the result keeps: give one that is, or convert first with "
            "astype('float32')"
        )
    return held[()]
