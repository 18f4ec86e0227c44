"""Your own functions: on every frame (`map`, `map_frames`) and over all frames (`reduce_frames`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.elementwise import python_map
from lazy4d.lazy import Frames, PerPosition, Reduction, SharedLazy, StateArray
from lazy4d.signals.arithmetic import is_signal

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

_OTHER_LIBRARIES = {
    "inplace": "a signal is a value, so map always gives a new one: s = s.map(...)",
    "lazy_output": "map is always lazy: call .compute() on the result",
    "ragged": "declare output_signal_shape; results of varying length are vectors, not arrays",
    "show_progressbar": "use lazy4d.set_options(progress=...)",
    "navigation_chunks": "use s.rechunk(...) first",
    "max_workers": "dask's scheduler decides: dask.config.set(num_workers=...)",
    "silence_warnings": "map gives no warnings to silence",
}


def map(
    signal: BaseSignal,
    function: Callable[..., Any],
    *args: Any,
    output_dtype: Any = None,
    output_signal_shape: Sequence[int] | None = None,
    **kwargs: Any,
) -> BaseSignal:
    """The signal that a Python function makes of every frame, lazily: ``function(frame, *args, **kwargs)``.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    function : callable
        Takes one frame (an ndarray of the signal shape, numpy order, its own to change, as are the values of its
        position) and the arguments; gives an array of the declared shape, or a number. It is never called before the
        result is computed.
    *args, **kwargs
        Arguments of the function. A *signal* has one value for each position and is iterated with the frames, its
        navigation has to be that of `signal`; anything else is handed to every call as it is.
    output_dtype : dtype, optional
        Dtype of what the function gives; that of the data by default.
    output_signal_shape : sequence of int, optional
        Shape, numpy order, of what the function gives; that of a frame by default, ``()`` for a number.

    Returns
    -------
    BaseSignal
        Lazy. Signal axes stay where they keep their size, new ones are in pixels.

    Raises
    ------
    ValueError
        A signal among the arguments has another navigation shape. When computed: the function gives another shape.
    TypeError
        An argument that does not exist here, with what to do instead. When computed: the function gives a dtype that
        does not fit the declared one.

    Examples
    --------
    >>> d.map(np.percentile, q=99, output_dtype="float64", output_signal_shape=()).data.shape
    (4, 4)
    """
    _check_callable(function, "function(frame, *args, **kwargs),")
    for name in _OTHER_LIBRARIES.keys() & kwargs.keys():
        raise TypeError(f"map takes no {name}={kwargs[name]!r}: {_OTHER_LIBRARIES[name]}")
    shape = signal.frame_shape if output_signal_shape is None else _shape(output_signal_shape, "output_signal_shape")
    dtype = signal.dtype if output_dtype is None else np.dtype(output_dtype)
    given = [*args, *kwargs.values()]
    kernel = partial(
        python_map,
        function=function,
        names=(*[None] * len(args), *kwargs),
        per_position=tuple(is_signal(value) for value in given),
    )
    frames = signal.frames.map_frames(kernel, *_params(signal, given), shape=shape, dtype=dtype)
    params = {
        "function": function,
        "args": args,
        "kwargs": kwargs,
        "output_dtype": str(dtype),
        "output_signal_shape": list(shape),
    }
    return _mapped(signal, frames, "map", params, given)


def map_frames(
    signal: BaseSignal,
    kernel: Callable[..., None],
    *params: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
) -> BaseSignal:
    """The signal that a kernel makes of tiles of frames; the lift that the library's own methods use.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    kernel : callable
        ``kernel(frames[n, ky, kx], *params, out[n, *shape])`` fills `out` and changes nothing else, as other results
        may see the same frames; best a function of a module compiled with ``numba.njit(nogil=True, cache=True)``.
        Frames are native and C-contiguous; bool ones come as uint8 to
        compiled kernels.
    *params
        A *signal* is per position: the kernel gets its rows for the tile, ``[n, ...]``. A dask array is shared,
        computed once; anything else is handed on as it is.
    shape : sequence of int, optional
        Shape of one frame of the result, numpy order; that of a frame by default.
    dtype : dtype, optional
        Dtype of the result; that of the data by default.

    Returns
    -------
    BaseSignal
        Lazy.

    Examples
    --------
    >>> def brightest(frames, out):
    ...     out[...] = frames.max(axis=(1, 2))
    >>> d.map_frames(brightest, shape=()).data.shape
    (4, 4)
    """
    _check_callable(kernel, "kernel(frames, *params, out),")
    declared = signal.frame_shape if shape is None else _shape(shape, "shape")
    wanted = signal.dtype if dtype is None else np.dtype(dtype)
    frames = signal.frames.map_frames(kernel, *_params(signal, params), shape=declared, dtype=wanted)
    record = {"kernel": kernel, "params": list(params), "shape": list(declared), "dtype": str(wanted)}
    return _mapped(signal, frames, "map_frames", record, params)


def reduce_frames(
    signal: BaseSignal,
    chunk: Callable[..., None] | Reduction,
    combine: Callable[..., None] | None = None,
    finalize: Callable[..., Any] | None = None,
    *,
    params: Sequence[Any] = (),
    state: Sequence[StateArray] | None = None,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
) -> BaseSignal:
    """One result from all frames, by a chunk / combine / finalize triple of functions.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    chunk : callable or Reduction
        ``chunk(frames[n, ky, kx], *params, *state)`` updates the state in place with a tile of frames; or a complete
        `lazy4d.lazy.Reduction`, and none of the following but `params`.
    combine : callable
        ``combine(*state, *other)`` merges the state of another block into `state`, in place; associative.
    finalize : callable, optional
        ``finalize(*state)`` gives the result; by default the first array of the state.
    params : sequence, optional
        For `chunk`; as in `map_frames`.
    state : sequence of StateArray, optional
        Arrays a block starts from; by default one of zeros, float64, of the shape of a frame.
    shape : sequence of int, optional
        Shape of the result, numpy order; by default that of the first array of the state.
    dtype : dtype, optional
        Dtype of the result; by default that of the first array of the state.

    Returns
    -------
    BaseSignal
        Without navigation axes, lazy, independent of how the data are cut into blocks.

    Raises
    ------
    TypeError
        No way to combine is given.

    Examples
    --------
    >>> def squares(frames, total):
    ...     total += (frames.astype("float64") ** 2).sum(axis=0)
    >>> def merge(total, other):
    ...     total += other
    >>> d.reduce_frames(squares, merge).data.shape
    (16, 16)
    """
    if isinstance(chunk, Reduction):
        reduction = chunk
    else:
        _check_callable(chunk, "chunk(frames, *params, *state),")
        _check_callable(combine, "combine(*state, *other), which merges the states of two blocks,")
        arrays = tuple(state) if state is not None else (StateArray(signal.frame_shape, np.float64),)
        if not arrays:
            raise ValueError("reduce_frames needs at least one state array to add up in, found none")
        reduction = Reduction(
            chunk,
            combine,  # type: ignore[arg-type]  # just checked
            finalize if finalize is not None else first_state,
            arrays,
            arrays[0].shape if shape is None else _shape(shape, "shape"),
            np.dtype(arrays[0].dtype if dtype is None else dtype),
        )
    result = signal.frames.reduce_frames(reduction, *_params(signal, params))
    axes = _new_axes(signal, tuple(reduction.shape))
    record = {
        "chunk": reduction.chunk,
        "combine": reduction.combine,
        "finalize": reduction.finalize,
        "params": list(params),
        "shape": list(reduction.shape),
        "dtype": str(np.dtype(reduction.dtype)),
    }
    return signal._derive(result, axes, "reduce_frames", record, parents=_signals(params))


def _check_callable(function: Any, expected: str) -> None:
    if not callable(function):
        raise TypeError(f"expected a function {expected} found {function!r} of type {type(function).__name__}")


def first_state(*state: NDArray[Any]) -> NDArray[Any]:
    """The first array of a reduction's state."""
    return state[0]


def _params(signal: BaseSignal, values: Sequence[Any]) -> list[Any]:
    """Parameters for `Frames.map_frames`: a signal is per position, never judged by its shape."""
    return [_per_position(signal, v) if is_signal(v) else _shared(v) for v in values]


def _per_position(signal: BaseSignal, value: Any) -> PerPosition:
    if value.nav_shape != signal.nav_shape:
        raise ValueError(
            "a signal as an argument has one value for each position: expected the navigation shape "
            f"{signal.nav_shape} (numpy order), found {value.nav_shape} of {value!r}; "
            "for the same values everywhere give an array: .as_numpy() or .data"
        )
    return PerPosition(value.frames.data)


def _shared(value: Any) -> Any:
    return SharedLazy(value) if hasattr(value, "dask") and hasattr(value, "chunks") else value


def _mapped(signal: BaseSignal, frames: Frames, op: str, params: dict[str, Any], values: Sequence[Any]) -> BaseSignal:
    if len(frames.frame_shape) < 2:
        frames = frames.emit()
    axes = [*signal.nav_axes, *_new_axes(signal, frames.frame_shape)]
    return signal._derive(frames, axes, op, params, parents=_signals(values))


def _new_axes(signal: BaseSignal, shape: tuple[int, ...]) -> list[Axis]:
    """Signal axes for results of `shape`: those of the signal where all sizes stay, new ones in pixels otherwise."""
    if shape == signal.frame_shape:
        return signal.frame_axes
    old = [axis.name for axis in signal.frame_axes]
    names = old if len(old) == len(shape) else ["ky", "kx"] if len(shape) == 2 else [f"k{k}" for k in range(len(shape))]
    return [Axis(name=name, size=size, navigate=False) for name, size in zip(names, shape, strict=True)]


def _shape(shape: Sequence[int], name: str) -> tuple[int, ...]:
    sizes = tuple(int(n) for n in (shape if isinstance(shape, Sequence) else (shape,)))
    if any(n < 1 for n in sizes) or math.prod(sizes) < 1:
        raise ValueError(f"expected positive sizes in {name}, found {sizes}: () is for one number a frame")
    return sizes


def _signals(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if is_signal(value)]
