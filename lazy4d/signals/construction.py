"""What a signal is built from, checked: data of any kind, axes that fit them, metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import AxesManager, Axis
from lazy4d.lazy import Frames
from lazy4d.metadata import Metadata


def check_data(data: Any) -> Any:
    """`data` as an ndarray in native byte order, a dask array or `Frames`.

    Raises
    ------
    TypeError
        The data are of another kind, or of a dtype that holds no numbers.

    Examples
    --------
    >>> check_data([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if isinstance(data, Frames) or (hasattr(data, "dask") and hasattr(data, "chunks")):
        return data
    array = np.asarray(data)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"expected numbers, found data of type {type(data).__name__} and dtype {array.dtype}: give an ndarray, a "
            "dask array or another signal"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def shape_of(content: Any) -> tuple[int, ...]:
    """Shape of data as `check_data` gives them, numpy order."""
    if isinstance(content, Frames):
        return content.nav_shape + content.frame_shape
    return tuple(content.shape)


def make_frames(content: Any, nav_ndim: int, valid: Any, incomplete: str) -> Frames:
    """The frames of an array ``[nav..., signal...]``, with what is known of their validity.

    Parameters
    ----------
    content : ndarray or dask array
        Pixels.
    nav_ndim : int
        Number of navigation axes.
    valid : bool ndarray or dask array [nav...] or None
        False where a frame is missing; None: all are there.
    incomplete : str
        What becomes of missing frames, "nan" or "zero".

    Examples
    --------
    >>> make_frames(np.ones((3, 2, 2)), 1, np.array([True, False, True]), "nan").incomplete
    'nan'
    """
    frames = Frames.from_array(content, nav_ndim)
    if valid is None:
        return frames
    if np.shape(valid) != frames.nav_shape:
        raise ValueError(f"expected validity of the navigation shape {frames.nav_shape}, found {np.shape(valid)}")
    if not hasattr(valid, "dask"):
        valid = Frames.from_array(np.asarray(valid, bool), nav_ndim, chunks=frames.chunks).data
    aligned = valid.rechunk(frames.chunks)
    if isinstance(content, np.ndarray):
        return Frames.from_array(content, nav_ndim, chunks=frames.chunks, valid=aligned, incomplete=incomplete)
    return Frames.from_array(content, nav_ndim, valid=aligned, incomplete=incomplete)


def make_axes(
    axes: AxesManager | Sequence[Axis | dict[str, Any]] | None,
    shape: tuple[int, ...],
    signal_ndim: int | None,
    class_name: str,
) -> AxesManager:
    """Axes for data of `shape`, navigation first; the last `signal_ndim` axes (None: all, or as given) are signal axes.

    Raises
    ------
    ValueError
        Fewer axes than the class needs, or sizes that are not those of the data.

    Examples
    --------
    >>> make_axes(None, (3, 4, 16, 16), 2, "Diffraction2D").navigation_shape
    (4, 3)
    """
    if signal_ndim is not None and len(shape) < signal_ndim:
        raise ValueError(
            f"{class_name} needs at least {signal_ndim} axes for its signal, found data of shape {shape}: use a class "
            "with fewer signal axes (VirtualImage has 0, Signal1D has 1, Signal2D has 2)"
        )
    if axes is None:
        nav_ndim = 0 if signal_ndim is None else len(shape) - signal_ndim
        return AxesManager.from_shapes(shape[:nav_ndim], shape[nav_ndim:])
    rows = axes.as_numpy_order() if isinstance(axes, AxesManager) else axes
    made = [_axis(row, size) for row, size in zip(rows, shape, strict=False)]
    found = tuple(axis.size for axis in made)
    if len(rows) != len(shape) or found != shape:
        raise ValueError(
            f"expected one axis for each axis of data of shape {shape} (numpy order, navigation first), found axes of "
            f"sizes {found if len(rows) == len(shape) else f'(…) in number {len(rows)}'}"
        )
    if signal_ndim is not None and sum(not axis.navigate for axis in made) != signal_ndim:
        made = [axis.copy(navigate=k < len(made) - signal_ndim) for k, axis in enumerate(made)]
    return AxesManager(made)


def _axis(row: Axis | dict[str, Any], size: int) -> Axis:
    return Axis(**{"size": size, **row}) if isinstance(row, dict) else row


def make_metadata(metadata: Metadata | dict[str, Any] | None) -> Metadata:
    """`metadata` as a tree."""
    if isinstance(metadata, Metadata):
        return metadata
    return Metadata(dict(metadata or {}))


def may_be_damaged(signal: Any) -> bool:
    """Whether some frames of the signal may be missing, so that `valid` has to be asked."""
    frames = signal._frames
    return signal._valid is not None or (frames is not None and frames.incomplete != "raise")


def is_split(signal: Any) -> bool:
    """Whether frames are cut between blocks, as after a transpose."""
    if signal._frames is not None or not signal.lazy:
        return False
    return any(len(sizes) > 1 for sizes in signal.data.chunks[len(signal.nav_shape) :])


def lazy_array(signal: Any) -> Any:
    """The data as a dask array, also where frames are cut between blocks."""
    return signal.data if signal.lazy else signal.frames.data


def marked_array(signal: Any) -> Any:
    """The data as a dask array that says itself what is missing: float64 with NaN where damage is marked by NaN."""
    if not may_be_damaged(signal) or signal.frames.incomplete != "nan":
        return lazy_array(signal)
    return filled_array(signal, np.nan)


def filled_array(signal: Any, value: Any) -> Any:
    """The data as a dask array with `value` in missing frames."""
    valid = signal.frames.valid.reshape(signal.nav_shape + (1,) * len(signal.frame_shape))
    return np.where(valid, lazy_array(signal), value)


def joint_frames(array: Any, nav_ndim: int, signals: Sequence[Any], valid: Any) -> Any:
    """`array` as frames, or as it is where its frames are cut, marked as damaged where `valid` says so.

    Parameters
    ----------
    array : dask array [nav..., signal...]
        Made of the data of `signals`.
    nav_ndim : int
        Number of its navigation axes.
    signals : sequence of BaseSignal
        Where it comes from; they say what becomes of damaged frames.
    valid : dask array [nav...] or None
        False where a frame is missing.
    """
    if valid is None or any(len(sizes) > 1 for sizes in array.chunks[nav_ndim:]):
        return array
    marked = any(s.frames.incomplete == "nan" for s in signals if may_be_damaged(s))
    aligned = valid.rechunk(array.chunks[:nav_ndim])
    return Frames.from_array(array, nav_ndim, valid=aligned, incomplete="nan" if marked else "zero")


def axis_of(manager: AxesManager, key: Axis | str | int) -> Axis:
    """The axis a user means by its name, its x-first number, or an axis of the same name.

    Raises
    ------
    ValueError
        There is no such axis.

    Examples
    --------
    >>> manager = AxesManager.from_shapes((3, 4), (16, 8))
    >>> axis_of(manager, 0) is axis_of(manager, "x")
    True
    """
    return manager[key.name if isinstance(key, Axis) else key]


def image_frames(signal: Any, what: str) -> Frames:
    """The frames of a signal whose frames are images of real numbers, as compiled kernels take them.

    Raises
    ------
    ValueError
        Frames with another number of axes, or of complex numbers.

    Examples
    --------
    >>> image_frames(d, "a virtual image").frame_shape
    (16, 16)
    """
    frames: Frames = signal.frames
    if len(frames.frame_shape) != 2 or frames.dtype.kind == "c":
        raise ValueError(
            f"{what} needs frames of real numbers with two signal axes, found {frames.dtype} frames of shape "
            f"{frames.frame_shape}: transpose the signal, or take abs(s) of complex data"
        )
    return frames if compilable(frames.dtype) else frames.map_frames(cast, shape=frames.frame_shape, dtype=np.float32)


def compilable(dtype: np.dtype[Any]) -> bool:
    """Whether compiled kernels take this dtype: real numbers, but no half-precision floats.

    Examples
    --------
    >>> compilable(np.dtype("uint16")), compilable(np.dtype("float16"))
    (True, False)
    """
    return dtype.kind in "biuf" and dtype != np.float16


def known_array(value: Any, what: str) -> NDArray[Any]:
    """An array, or a signal that is one computed frame, as the ndarray of a mask or detector; nothing is computed.

    Raises
    ------
    TypeError
        It is lazy, or a signal with navigation axes.
    """
    if hasattr(value, "nav_shape") and (value.lazy or value.nav_shape):
        raise TypeError(
            f"a signal as {what} has to be one computed frame, found {value!r}: compute it first, or select a "
            "position with inav"
        )
    if hasattr(value, "dask"):
        raise TypeError(
            f"{what} has to be known before anything is computed, found a dask array of shape {value.shape}: "
            "give its .compute()"
        )
    return np.asarray(value.data if hasattr(value, "nav_shape") else value)


def cast(frames: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy a tile of frames to another dtype, as ``ndarray.astype`` does."""
    with np.errstate(all="ignore"):
        np.copyto(out, frames, casting="unsafe")
