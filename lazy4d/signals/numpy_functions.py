"""numpy functions on signals that are no ufuncs: one value at a time lazily, reductions refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

ONE_VALUE_AT_A_TIME = {np.angle, np.around, np.clip, np.imag, np.nan_to_num, np.real, np.round}
"""Functions that give one value for each value, so that they can be a stage."""
KNOWN_BEFOREHAND = {np.ndim, np.shape, np.size}
"""Functions that ask for no value."""
REDUCTIONS = {np.amax, np.amin, np.max, np.mean, np.min, np.std, np.sum, np.var}
"""Functions that signals have as methods with axes of their own."""


def apply_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a numpy function makes of arguments among which there are signals.

    Parameters
    ----------
    function : callable
        Public function of numpy.
    args : tuple
        Its positional arguments; of a function of one value at a time, numbers or arrays that broadcast to a frame.
    kwargs : dict
        Its keyword arguments.

    Returns
    -------
    BaseSignal or object
        A lazy signal where the function works on one value at a time; else what numpy gives for signals in memory.

    Raises
    ------
    TypeError
        Reductions, of which the axes could only be guessed; functions that would have to read a lazy signal whole.
    ValueError
        An array that does not broadcast to a frame.

    Examples
    --------
    >>> np.clip(d, 2, 40)
    <Diffraction2D, title: , dimensions: (4, 4|16, 16), uint16, lazy 8.2 kB, 1 block>
    """
    if function in KNOWN_BEFOREHAND and len(args) == 1 and not kwargs:
        return function(np.broadcast_to(np.zeros((), args[0].dtype), args[0].shape))
    if function in REDUCTIONS:
        name = function.__name__.removeprefix("a")
        raise TypeError(
            f"numpy.{function.__name__} of a signal could mean positions or pixels: take s.{name}() over the scan, "
            f"s.{name}(axis=...) over axes by name, or numpy.{function.__name__}(s.as_numpy())"
        )
    if function in ONE_VALUE_AT_A_TIME and args and hasattr(args[0], "nav_shape"):
        return _one_value_at_a_time(function, args[0], _in_memory(function, args[1:]), _in_memory(function, kwargs))
    return function(*_in_memory(function, args), **_in_memory(function, kwargs))


def _one_value_at_a_time(
    function: Callable[..., Any], signal: BaseSignal, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> BaseSignal:
    if "out" in kwargs:
        raise TypeError(f"{function.__name__} of a signal takes no out=: a signal is a value, so take the result")
    for value in (*args, *kwargs.values()):
        if np.ndim(value) and not _fits(np.shape(value), signal.frame_shape):
            raise ValueError(
                f"expected numbers, or arrays that broadcast to a frame of shape {signal.frame_shape}, in "
                f"{function.__name__}, found shape {np.shape(value)}: for one value a position combine ufuncs with a "
                "VirtualImage, such as numpy.minimum(s, limits)"
            )
    dtype = function(np.zeros(signal.frame_shape or 1, signal.dtype), *args, **kwargs).dtype
    frames = signal.frames.map_frames(
        partial(fill_with, function=function, args=args, options=kwargs), shape=signal.frame_shape, dtype=dtype
    )
    params = {"args": list(args), **kwargs}
    content = frames if len(signal.frame_shape) > 1 else frames.emit()
    return signal._derive(content, [*signal.nav_axes, *signal.frame_axes], function.__name__, params)


def fill_with(
    frames: NDArray[Any],
    out: NDArray[Any],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> None:
    """Fill `out` with a function of one value at a time of a tile of frames."""
    with np.errstate(all="ignore"):
        out[...] = function(frames, *args, **options)


def _fits(shape: tuple[int, ...], frame_shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, frame_shape) == frame_shape
    except ValueError:
        return False


def _in_memory(function: Callable[..., Any], value: Any) -> Any:
    """`value` with the array of every signal in it, refused where one is lazy."""
    if hasattr(value, "nav_shape") and hasattr(value, "as_numpy"):
        if value.lazy:
            raise TypeError(
                f"numpy.{function.__name__} would read all of the lazy {value!r}: say so with s.compute() or "
                "s.as_numpy(), or take s.map(function) for each frame"
            )
        return value.data
    if isinstance(value, dict):
        return {key: _in_memory(function, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_in_memory(function, item) for item in value)
    return value
