"""Changing the layout: transpose, rebin, astype, rechunk, stack, copies."""

from __future__ import annotations

import copy as copying
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.errors import Lazy4DWarning
from lazy4d.kernels import rebin as rebin_kernels
from lazy4d.lazy import Frames
from lazy4d.lazy.chunks import normalize_chunks
from lazy4d.lazy.frames import sum_dtype
from lazy4d.signals.construction import axis_of, cast, compilable, is_split, joint_frames, marked_array, may_be_damaged
from lazy4d.signals.ellipse import Ellipse, ellipse_of, write_ellipse

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@property  # type: ignore[misc]
def T(signal: BaseSignal) -> BaseSignal:
    """The signal with navigation and signal axes swapped, symbolically; methods on its frames need a `rechunk` first.

    Examples
    --------
    >>> d.T.axes_manager.signal_shape
    (4, 4)
    """
    return transpose(signal)


def transpose(
    signal: BaseSignal,
    signal_axes: int | Sequence[Any] | None = None,
    navigation_axes: int | Sequence[Any] | None = None,
) -> BaseSignal:
    """The signal with other axes as signal axes, symbolically.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    signal_axes, navigation_axes : int, or sequence of str, int or Axis, optional
        Which axes, x-first; the others go to the other side in the order they have. An int is a number of axes:
        that many of the fastest ones (signal) or of the slowest ones (navigation). Without either, both are swapped.

    Returns
    -------
    BaseSignal
        Lazy; where frames are now cut between blocks, methods that need whole ones raise a `ChunkError` that names
        the ``rechunk()`` to call.

    Raises
    ------
    ValueError
        An axis is named twice or left out.

    Examples
    --------
    >>> d.transpose(signal_axes=["x", "y"]).axes_manager.navigation_shape
    (16, 16)
    """
    rows = [*signal.nav_axes, *signal.frame_axes]
    if signal_axes is None and navigation_axes is None:
        order = [*signal.frame_axes, *signal.nav_axes]
        nav_ndim = len(signal.frame_axes)
    else:
        order, nav_ndim = _split_axes(signal, rows, signal_axes, navigation_axes)
    numbers = [next(k for k, row in enumerate(rows) if row is one) for one in order]
    axes = [axis.copy(navigate=k < nav_ndim) for k, axis in enumerate(order)]
    array = marked_array(signal).transpose(numbers)
    params = {"signal_axes": [a.name for a in reversed(axes[nav_ndim:])]}
    result = signal._derive(array, axes, "transpose", params)
    if len(signal.frame_axes) == 2 and numbers[nav_ndim:] == [len(rows) - 1, len(rows) - 2]:
        known = ellipse_of(signal)  # frames mirrored at their diagonal, and the directions of ellipses with them
        if known is not None:
            write_ellipse(result, Ellipse(known.ratio, 90 - known.angle))
    return result


def _split_axes(signal: BaseSignal, rows: list[Axis], signal_axes: Any, navigation_axes: Any) -> tuple[list[Axis], int]:
    """Axes in their new numpy order, and how many of them are navigation axes."""
    if isinstance(signal_axes, int | np.integer) or isinstance(navigation_axes, int | np.integer):
        count = signal_axes if isinstance(signal_axes, int | np.integer) else len(rows) - navigation_axes
        if not 0 <= count <= len(rows):
            raise ValueError(f"{count} signal axes asked for, but the signal has {len(rows)} axes in all")
        return rows, len(rows) - count

    def named(given: Any) -> list[Axis]:
        chosen = [given] if isinstance(given, str | Axis) else list(given)
        return [axis_of(signal.axes_manager, entry) for entry in reversed(chosen)]

    inner = named(signal_axes) if signal_axes is not None else None
    outer = named(navigation_axes) if navigation_axes is not None else None
    if inner is None:
        inner = [row for row in rows if all(row is not one for one in outer or [])]
    if outer is None:
        outer = [row for row in rows if all(row is not one for one in inner)]
    order = [*outer, *inner]
    if len(order) != len(rows) or len({id(axis) for axis in order}) != len(rows):
        raise ValueError(
            f"expected each of the axes {[row.name for row in rows]} once, found navigation "
            f"{[a.name for a in outer]} and signal {[a.name for a in inner]} (numpy order)"
        )
    return order, len(outer)


def rebin(
    signal: BaseSignal,
    new_shape: Sequence[int] | None = None,
    scale: Sequence[int] | None = None,
    dtype: Any = None,
) -> BaseSignal:
    """The signal with neighbouring pixels, and neighbouring positions, summed.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    new_shape : sequence of int, optional
        Shape wanted, x-first, one entry an axis; each has to divide the present one.
    scale : sequence of int, optional
        Pixels summed along each axis, x-first: ``(x, y, kx, ky)``. One of the two is given.
    dtype : dtype, optional
        Of the result; by default 64-bit integers for integers (exact), the same dtype for floats. Sums that do not fit
        wrap around, as in ``astype``.

    Returns
    -------
    BaseSignal
        Axes have ``scale *= factor`` and ``offset += scale * (factor - 1) / 2``, so that coordinates stay true. A group
        of positions that lacks a frame (``valid``) counts as missing.

    Warns
    -----
    Lazy4DWarning
        A remainder at the end of an axis is left out.

    Raises
    ------
    ValueError
        Factors that are not whole, too large, or not one for each axis.

    Examples
    --------
    >>> d.rebin(scale=(2, 2, 4, 4)).data.shape
    (2, 2, 4, 4)
    """
    rows = [*signal.nav_axes, *signal.frame_axes]
    factors = _factors(signal, new_shape, scale)
    _warn_of_remainder(rows, factors)
    nav_ndim = len(signal.nav_shape)
    outer, inner = factors[:nav_ndim], factors[nav_ndim:]
    declared = np.dtype(dtype) if dtype is not None else _rebinned_dtype(signal.dtype)
    frames = signal.frames
    trimmed = tuple(slice(0, row.size // f * f) for row, f in zip(rows, factors, strict=True))
    if any(f > 1 for f in outer):
        if any(t.stop != row.size for t, row in zip(trimmed[:nav_ndim], rows, strict=False)):
            frames = frames.inav(trimmed[:nav_ndim])
    if any(f > 1 for f in inner):
        frames = _rebin_frames(frames, inner)
    if any(f > 1 for f in outer):
        valid = _whole_groups(frames, outer) if may_be_damaged(signal) else None
        frames = joint_frames(frames.bin_navigation(outer).data, nav_ndim, [signal], valid)
        frames = frames if isinstance(frames, Frames) else Frames.from_array(frames, nav_ndim)
    if frames.dtype != declared:
        frames = frames.map_frames(cast, shape=frames.frame_shape, dtype=declared)
    if len(frames.frame_shape) < 2:
        frames = frames.emit()
    axes = [row.rebinned(f) if f > 1 else row for row, f in zip(rows, factors, strict=True)]
    params = {"scale": [*reversed(outer), *reversed(inner)], "dtype": str(declared)}
    return signal._derive(frames, axes, "rebin", params)


def _whole_groups(frames: Frames, factors: tuple[int, ...]) -> Any:
    """Which groups of positions miss no frame, as a dask array: a sum that lacks some would be too low, unnoticed."""
    sizes = [m for n, f in zip(frames.nav_shape, factors, strict=True) for m in (n // f, f)]
    return frames.valid.rechunk(-1).reshape(sizes).all(axis=tuple(range(1, len(sizes), 2)))


def _rebinned_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind in "fc" else sum_dtype(dtype)


def _factors(signal: BaseSignal, new_shape: Any, scale: Any) -> tuple[int, ...]:
    """Whole factors in numpy order from what the user gave, x-first."""
    rows = list(signal.axes_manager)
    nav_ndim = len(signal.nav_shape)
    names = tuple(axis.name for axis in signal.axes_manager)
    given = new_shape if scale is None else scale
    if (new_shape is None) == (scale is None) or np.shape(given) != (len(rows),):
        raise ValueError(
            f"give either scale or new_shape with one entry for each axis {names} (x-first), found scale={scale}, "
            f"new_shape={new_shape}"
        )
    factors = []
    for row, value in zip(rows, given, strict=True):
        if not isinstance(value, int | float | np.integer | np.floating):
            raise TypeError(f"expected a number for axis {row.name!r}, found {value!r} of type {type(value).__name__}")
        factor = float(value) if scale is not None else (row.size / value if value > 0 else 0.0)
        if not factor.is_integer() or not 1 <= factor <= row.size:
            raise ValueError(
                f"axis {row.name!r} of size {row.size} can be summed in whole groups of 1 to {row.size} pixels, found "
                f"{'scale' if scale is not None else 'new_shape'} entry {value} (a factor of {factor:g}): choose a "
                f"whole factor such as {max(1, min(round(factor), row.size)) if math.isfinite(factor) else 1}"
            )
        factors.append(int(factor))
    return (*reversed(factors[:nav_ndim]), *reversed(factors[nav_ndim:]))


def _warn_of_remainder(rows: list[Axis], factors: tuple[int, ...]) -> None:
    left = [f"the last {row.size % f} of {row.name}" for row, f in zip(rows, factors, strict=True) if row.size % f]
    if left:
        warn(
            f"rebin leaves out {', '.join(left)}: the factors do not divide the sizes; crop first to choose which",
            Lazy4DWarning,
            stacklevel=3,
        )


def _rebin_frames(frames: Frames, factors: tuple[int, ...]) -> Frames:
    shape = tuple(n // f for n, f in zip(frames.frame_shape, factors, strict=True))
    dtype = sum_dtype(frames.dtype)
    if len(factors) == 2 and compilable(frames.dtype):
        return frames.map_frames(rebin_kernels.rebin_sum, *factors, shape=shape, dtype=dtype)
    return frames.map_frames(sum_groups, factors, shape=shape, dtype=dtype)


def sum_groups(frames: NDArray[Any], factors: tuple[int, ...], out: NDArray[Any]) -> None:
    """Fill `out` with sums of groups of pixels of frames with any number of axes."""
    trimmed = frames[(slice(None), *(slice(0, n * f) for n, f in zip(out.shape[1:], factors, strict=True)))]
    pairs = [m for n, f in zip(out.shape[1:], factors, strict=True) for m in (n, f)]
    grouped = trimmed.reshape(len(frames), *pairs)
    np.sum(grouped, axis=tuple(range(2, grouped.ndim, 2)), dtype=out.dtype, out=out)


def astype(signal: BaseSignal, dtype: Any) -> BaseSignal:
    """The signal converted to another dtype, as ``ndarray.astype`` does.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    dtype : dtype
        Wanted; out-of-range values wrap, and complex ones lose their imaginary part, as in numpy.

    Examples
    --------
    >>> d.astype("float32").data.dtype
    dtype('float32')
    """
    wanted = np.dtype(dtype).newbyteorder("=")
    if wanted.kind not in "biufc":
        raise ValueError(f"a signal holds numbers, found dtype {wanted}: give an integer, float, complex or bool dtype")
    frames = signal.frames.map_frames(cast, shape=signal.frame_shape, dtype=wanted)
    if len(signal.frame_shape) < 2:
        frames = frames.emit()
    return signal._derive(frames, [*signal.nav_axes, *signal.frame_axes], "astype", {"dtype": str(wanted)})


def rechunk(signal: BaseSignal, nav_chunks: Any = "auto", sig_chunks: Any = -1) -> BaseSignal:
    """The signal cut into other blocks: runs of whole scan rows of about 128 MiB by default.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    nav_chunks : "auto", int or sequence, optional
        Positions a block: along the first axis, or for each navigation axis in numpy order (-1: all).
    sig_chunks : -1 or sequence of int, optional
        -1 keeps frames whole, which nearly every method needs; sizes for each signal axis cut them.

    Examples
    --------
    >>> d.rechunk(1).data.chunks[0]
    (1, 1, 1, 1)
    """
    axes = [*signal.nav_axes, *signal.frame_axes]
    params = {"nav_chunks": str(nav_chunks), "sig_chunks": str(sig_chunks)}
    nav_ndim = len(signal.nav_shape)
    if sig_chunks != -1:
        array = marked_array(rechunk(signal, nav_chunks))
        inner = [sig_chunks] * len(signal.frame_shape) if isinstance(sig_chunks, int) else list(sig_chunks)
        cut = array.rechunk(dict(enumerate(inner, start=nav_ndim)))
        return signal._derive(cut, axes, "rechunk", params)
    content: Any = signal._content
    if is_split(signal):  # cut frames are put together straight into the blocks wanted
        nbytes = int(np.prod(signal.frame_shape)) * signal.dtype.itemsize
        blocks = normalize_chunks(nav_chunks, signal.nav_shape, nbytes)
        return signal._derive(content.rechunk((*blocks, *((n,) for n in signal.frame_shape))), axes, "rechunk", params)
    return signal._derive(signal.frames.rechunk(nav_chunks), axes, "rechunk", params)


def copy(signal: BaseSignal) -> BaseSignal:
    """The same data under axes and metadata of its own.

    Examples
    --------
    >>> d.copy().axes_manager is d.axes_manager
    False
    """
    result = signal._with_content(signal._content, signal._valid)
    result._frames = signal._frames
    return result


def deepcopy(signal: BaseSignal, memo: Any = None) -> BaseSignal:
    """The signal with nothing shared: data in memory are copied too (lazy data cannot change, and stay lazy).

    Examples
    --------
    >>> s = d.compute()
    >>> np.shares_memory(s.deepcopy().data, s.data)
    False
    """
    content = signal._content.copy() if not signal.lazy else signal._content
    return signal._with_content(content, copying.copy(signal._valid))
