"""Changing the dtype without loss: what does not fit is an error that names the frame and the value."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.numbering import position_numbers
from lazy4d.signals.construction import cast

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def change_dtype(signal: BaseSignal, dtype: Any, *, clip: bool = False, rounding: bool = False) -> BaseSignal:
    """The signal in another dtype, each value checked as it is converted: nothing is lost unless it is allowed.

    `astype` converts without a check, as numpy does: values out of range wrap around.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    dtype : dtype
        Wanted.
    clip : bool
        Values out of range become the nearest that fits.
    rounding : bool
        Values in between become the nearest: fractions a whole number, numbers with too many digits a float.

    Returns
    -------
    BaseSignal
        Lazy; the check is part of the pass that computes or saves it, which stops at the first value that does not fit.

    Raises
    ------
    ValueError
        When computed or saved: a value that is out of range or would be rounded, or NaN to be an integer; names the
        frame, its position and the value.
    TypeError
        Complex numbers to others: take the absolute value, or the real part.

    Examples
    --------
    >>> d.change_dtype("uint8").data.dtype
    dtype('uint8')
    >>> (d * 1000).change_dtype("uint8").compute()
    Traceback (most recent call last):
    ...
    ValueError: frame 0 (position [0, 0], numpy order) holds ... at pixel ... which uint8 cannot hold: ...
    """
    wanted = np.dtype(dtype).newbyteorder("=")
    if wanted.kind not in "biufc":
        raise ValueError(f"a signal holds numbers, found dtype {wanted}: give an integer, float, complex or bool dtype")
    if signal.dtype.kind == "c" and wanted.kind != "c":
        raise TypeError(
            f"complex numbers do not become {wanted}: take np.abs(s), or the real part, and change the dtype of that"
        )
    if holds_all(signal.dtype, wanted):
        frames = signal.frames.map_frames(cast, shape=signal.frame_shape, dtype=wanted)
    else:
        kernel = partial(checked_cast, nav_shape=signal.nav_shape, clip=clip, rounding=rounding)
        numbers = position_numbers(signal.frames.chunks)
        frames = signal.frames.map_frames(kernel, numbers, shape=signal.frame_shape, dtype=wanted)
    if len(signal.frame_shape) < 2:
        frames = frames.emit()
    params = {"dtype": str(wanted), "clip": clip, "rounding": rounding}
    return signal._derive(frames, [*signal.nav_axes, *signal.frame_axes], "change_dtype", params)


def holds_all(source: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether a dtype holds every value of another exactly.

    Examples
    --------
    >>> holds_all(np.dtype("u2"), np.dtype("f4")), holds_all(np.dtype("i8"), np.dtype("f8"))
    (True, False)
    """
    if source.kind in "iu" and wanted.kind in "fc":
        return bool(np.iinfo(source).bits - (source.kind == "i") <= _exact_bits(wanted))
    return bool(np.can_cast(source, wanted, "safe"))


def checked_cast(
    frames: NDArray[Any],
    numbers: NDArray[np.int64],
    out: NDArray[Any],
    *,
    nav_shape: tuple[int, ...],
    clip: bool,
    rounding: bool,
) -> None:
    """Fill `out` with `frames` in its dtype; a `ValueError` at the first value that may not become another.

    Parameters
    ----------
    frames : ndarray [n, ...]
        Any numbers.
    numbers : ndarray of int64 [n]
        Numbers of the frames, for the message.
    out : ndarray [n, ...]
        Of the dtype wanted.
    nav_shape : tuple of int
        For the position in the message.
    clip, rounding : bool
        See `change_dtype`.
    """
    found: Any = frames
    bad = misfits(frames, out.dtype)
    if bad is not None:
        refused = np.isnan(frames) if clip and out.dtype.kind in "iub" and frames.dtype.kind == "f" else bad
        if not clip or out.dtype.kind == "c" or (refused is not bad and refused.any()):
            raise ValueError(_misfit(frames, refused, numbers, nav_shape, out.dtype))
        found = _clipped(frames, out.dtype)
    if rounding and out.dtype.kind in "iub" and frames.dtype.kind == "f":
        found = np.rint(found)
    with np.errstate(all="ignore"):
        np.copyto(out, found, casting="unsafe")
        if rounding or (out.dtype.kind in "iub" and frames.dtype.kind in "iub"):
            return
        changed = out.astype(frames.dtype) != found
    if changed.any():
        changed &= ~np.isnan(found)  # NaN stays NaN
    if changed.any():
        raise ValueError(_rounded(frames, changed, numbers, nav_shape, out.dtype))


def misfits(frames: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.bool_] | None:
    """Which pixels are beyond the range of a dtype, NaN in integers included; None, at little cost, where none is.

    Examples
    --------
    >>> misfits(np.array([1, 300]), np.dtype("u1")).tolist()
    [False, True]
    >>> misfits(np.array([1, 30]), np.dtype("u1")) is None
    True
    """
    low, high = value_range(dtype)
    if dtype.kind in "fc":
        if frames.dtype.kind in "iub":
            if dtype != np.float16 or frames.dtype.itemsize == 1:
                return None
            high = int(high)
            return _beyond(frames, -high, high)
        if dtype.itemsize >= frames.dtype.itemsize:
            return None
        bad: NDArray[np.bool_] = np.isfinite(frames) & (np.maximum(abs(frames.real), abs(frames.imag)) > high)
        return bad if bad.any() else None
    if low <= frames.min().item() and frames.max().item() <= high:
        return None
    if frames.dtype.kind in "iu":
        return _beyond(frames, low, high)
    with np.errstate(over="ignore"):
        bottom, top = frames.dtype.type(low), frames.dtype.type(high)
    above = (frames >= bottom) if bottom.item() >= low else (frames > bottom)
    return ~(above & ((frames <= top) if top.item() <= high else (frames < top)))


def _beyond(frames: NDArray[Any], low: int, high: int) -> NDArray[np.bool_] | None:
    """Which integers are outside of limits; limits beyond the dtype itself exclude nothing."""
    own = np.iinfo(frames.dtype)
    low, high = max(low, int(own.min)), min(high, int(own.max))
    bad: NDArray[np.bool_] = (frames < low) | (frames > high)
    return bad if bad.any() else None


def value_range(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the largest value of a dtype, as Python numbers.

    Examples
    --------
    >>> value_range(np.dtype("i2"))
    (-32768, 32767)
    """
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


def _exact_bits(dtype: np.dtype[Any]) -> int:
    """Whole numbers below two to the power of this are exact in a float."""
    return int(np.finfo(dtype).nmant) + 1


def _clipped(frames: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Frames with values within the range of another dtype, in their own."""
    low, high = value_range(dtype)
    if frames.dtype.kind in "iu":
        own, low, high = np.iinfo(frames.dtype), int(low), int(high)
        return np.clip(frames, max(low, int(own.min)), min(high, int(own.max)))
    with np.errstate(over="ignore"):
        bottom, top = frames.dtype.type(low), frames.dtype.type(high)
    if top.item() > high:  # 2**63 - 1 as a float is 2**63, which does not fit
        top = np.nextafter(top, frames.dtype.type(0))
    if dtype.kind in "iub":
        return np.clip(frames, bottom, top)
    return np.where(np.isinf(frames), frames, np.clip(frames, bottom, top))


def _where(frames: NDArray[Any], bad: NDArray[np.bool_], numbers: NDArray[np.int64], nav_shape: Any) -> tuple[str, Any]:
    first = tuple(int(k) for k in np.argwhere(bad)[0])
    number = int(np.reshape(numbers, -1)[first[0]])
    place = [int(k) for k in np.unravel_index(number, nav_shape)] if nav_shape else []
    at = f"frame {number} (position {place}, numpy order)" if nav_shape else "the frame"
    return f"{at} holds {{}} at pixel {list(first[1:])}", frames[first].item()


def _misfit(
    frames: NDArray[Any], bad: NDArray[np.bool_], numbers: NDArray[np.int64], nav_shape: Any, dtype: np.dtype[Any]
) -> str:
    where, value = _where(frames, bad, numbers, nav_shape)
    low, high = value_range(dtype)
    limits = f"{low} to {high}" if dtype.kind in "iub" else f"{low:.4g} to {high:.4g}"
    if isinstance(value, float) and math.isnan(value):
        return f"{where.format(value)}, which {dtype} cannot hold: choose a float dtype, or replace NaN before"
    return (
        f"{where.format(value)}, which {dtype} cannot hold: expected {limits}. Choose a wider dtype, or allow "
        "clip=True, by which such values become the nearest limit"
    )


def _rounded(
    frames: NDArray[Any], bad: NDArray[np.bool_], numbers: NDArray[np.int64], nav_shape: Any, dtype: np.dtype[Any]
) -> str:
    where, value = _where(frames, bad, numbers, nav_shape)
    if dtype.kind in "iub":
        why = "integers have no fractions"
    elif frames.dtype.kind in "iu":
        why = f"{dtype} holds whole numbers up to {2 ** _exact_bits(dtype)} exactly, and larger ones not all"
    else:
        why = f"{dtype} has {np.finfo(dtype).precision} digits, {frames.dtype} {np.finfo(frames.dtype).precision}"
    return (
        f"{where.format(value)}, which {dtype} does not hold exactly: {why}. Choose a dtype that does, or allow "
        "rounding=True, by which values become the nearest"
    )
