"""Operators and numpy functions on signals: broadcast over navigation and signal axes separately, always lazily."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.lazy import Frames, PerPosition, SharedLazy
from lazy4d.signals.construction import is_split, joint_frames, lazy_array, may_be_damaged
from lazy4d.signals.numpy_functions import apply_function

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


class SignalOperators(NDArrayOperatorsMixin):
    """The Python operators of a signal; each gives a new lazy signal, also ``s += 1``, which rebinds the name `s`.

    Examples
    --------
    >>> (d * 2 > 10).data.dtype
    dtype('bool')
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Give the signal (or tuple of signals) that `ufunc` makes of `inputs`."""
        if method != "__call__" or ufunc.signature is not None:
            called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise TypeError(
                f"{called} does not work on signals, only functions of one value at a time do: take s.sum(), s.max() "
                "and their like, s.map(function) for each frame, or s.as_numpy()"
            )
        if other := sorted(set(kwargs) - {"dtype", "casting"}):
            raise TypeError(
                f"{ufunc.__name__} of a signal takes no {other[0]}=, found {type(kwargs[other[0]]).__name__}: a signal "
                "is a value, so take the result (new = a + s, not a += s or out=), and multiply by a mask for where="
            )
        return apply_ufunc(ufunc, inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Give what a numpy function that is no ufunc makes of signals."""
        return apply_function(function, args, kwargs)

    # A signal is a value: the augmented operators make a new one too.
    __iadd__ = NDArrayOperatorsMixin.__add__
    __isub__ = NDArrayOperatorsMixin.__sub__
    __imul__ = NDArrayOperatorsMixin.__mul__
    __itruediv__ = NDArrayOperatorsMixin.__truediv__
    __ifloordiv__ = NDArrayOperatorsMixin.__floordiv__
    __imod__ = NDArrayOperatorsMixin.__mod__
    __ipow__ = NDArrayOperatorsMixin.__pow__
    __ilshift__ = NDArrayOperatorsMixin.__lshift__
    __irshift__ = NDArrayOperatorsMixin.__rshift__
    __iand__ = NDArrayOperatorsMixin.__and__
    __ixor__ = NDArrayOperatorsMixin.__xor__
    __ior__ = NDArrayOperatorsMixin.__or__


def is_signal(value: Any) -> bool:
    """Whether `value` is a signal, without knowing the classes of signals.

    Examples
    --------
    >>> is_signal(d), is_signal(3)
    (True, False)
    """
    return isinstance(value, SignalOperators)


def ufunc_kernel(
    frames: NDArray[Any],
    *params: Any,
    ufunc: np.ufunc,
    slot: int,
    output: int,
    stretched: tuple[int, ...],
    options: dict[str, Any],
) -> None:
    """Fill ``out``, the last of `params`, with a numpy function of a tile of frames.

    Parameters
    ----------
    frames : ndarray [n, ...]
        The operand number `slot`.
    *params : object
        The other operands in order, then ``out[n, ...]``.
    ufunc : numpy.ufunc
        The function.
    slot : int
        Which operand the frames are.
    output : int
        Which of the function's outputs to keep.
    stretched : tuple of int
        Which of `params` hold one value for each frame, ``[n]``; they are stretched over the frame.
    options : dict
        ``dtype`` and ``casting`` for the function.
    """
    *others, out = params
    for k in stretched:
        others[k] = np.reshape(others[k], (-1,) + (1,) * (frames.ndim - 1))
    operands = (*others[:slot], frames, *others[slot:])
    # x / 0 is inf or nan, as everywhere on arrays; a warning raised in a task would reach nobody.
    with np.errstate(all="ignore"):
        if ufunc.nout == 1:
            ufunc(*operands, out=out, **options)
        else:
            out[...] = ufunc(*operands, **options)[output]


def apply_ufunc(ufunc: np.ufunc, inputs: Sequence[Any], **options: Any) -> Any:
    """The lazy signal that `ufunc` makes of `inputs`, of which at least one is a signal.

    Navigation axes and signal axes broadcast separately: an operand without navigation axes is used at every position,
    one without signal axes for every pixel. Arrays broadcast against the frame, or, with more axes, against the
    whole data, as numpy does.

    Parameters
    ----------
    ufunc : numpy.ufunc
        The function, without a core signature.
    inputs : sequence
        Signals, numbers, numpy or dask arrays.
    **options
        ``dtype`` and ``casting``, as in numpy.

    Returns
    -------
    BaseSignal or tuple of BaseSignal
        One signal an output of `ufunc`, of the dtype numpy's promotion rules give.

    Raises
    ------
    ValueError
        Shapes do not broadcast.
    TypeError
        `ufunc` does not exist for these dtypes.

    Examples
    --------
    >>> apply_ufunc(np.sqrt, [d]).data.dtype, apply_ufunc(np.add, [d, 1.5]).data.dtype
    (dtype('float32'), dtype('float64'))
    """
    inputs = [_operand(value) for value in inputs]
    signals: list[Any] = [value for value in inputs if is_signal(value)]
    nav_shape = _broadcast("navigation", [s.nav_shape for s in signals])
    frame_shape = _broadcast("signal", [s.frame_shape for s in signals])
    primary = next((s for s in signals if s.nav_shape == nav_shape and s.frame_shape == frame_shape), signals[0])
    for value in inputs:
        _check_array(value, nav_shape + frame_shape)
    dtypes = _result_dtypes(ufunc, inputs, options)
    axes = _joint_axes(signals, nav_shape, frame_shape)
    params = {"operands": list(inputs), **{k: str(v) for k, v in options.items()}}
    others = tuple(s for s in signals if s is not primary)
    results = []
    for output, dtype in enumerate(dtypes):
        frames = _as_stage(ufunc, inputs, primary, nav_shape, frame_shape, output, dtype, options)
        if frames is None:
            frames = _as_arrays(ufunc, inputs, nav_shape, frame_shape, output, dtype, options)
        results.append(primary._derive(frames, axes, ufunc.__name__, params, parents=others))
    return results[0] if len(results) == 1 else tuple(results)


def _operand(value: Any) -> Any:
    """Lists become arrays; arrays without axes become numpy scalars (whose dtype counts, unlike a Python number's)."""
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    return value


def _broadcast(kind: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    present = [shape for shape in shapes if shape]
    try:
        result = np.broadcast_shapes(*present) if present else ()
    except ValueError:
        result = None
    if result is None or len({len(shape) for shape in present}) > 1:
        listed = " and ".join(str(shape) for shape in shapes)
        raise ValueError(
            f"the {kind} shapes {listed} (numpy order) do not broadcast: expected equal shapes, or a signal without "
            f"{kind} axes. Select or rebin one of them first (inav, isig, rebin)."
        )
    return tuple(result)


def _check_array(value: Any, shape: tuple[int, ...]) -> None:
    if not is_signal(value) and getattr(value, "shape", ()) != ():
        try:
            fits = np.broadcast_shapes(value.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"an array of shape {value.shape} does not broadcast to the signal's shape {shape} (numpy order): "
                "expected a frame, a broadcastable part of it, or the whole shape. For one value a position, wrap it: "
                "lazy4d.VirtualImage(array)."
            )


def _result_dtypes(ufunc: np.ufunc, inputs: Sequence[Any], options: dict[str, Any]) -> list[np.dtype[Any]]:
    """Output dtypes by numpy's own promotion: Python numbers are weak, everything else counts with its dtype."""
    kinds: list[Any] = []
    for value in inputs:
        dtype = getattr(value, "dtype", None)
        if dtype is not None:
            kinds.append(dtype)
        elif isinstance(value, bool):
            kinds.append(np.dtype(bool))
        elif isinstance(value, int | float | complex):
            kinds.append(type(value))
        else:
            raise TypeError(
                f"expected a number, an array or a signal beside a signal in {ufunc.__name__}, found {value!r} of type "
                f"{type(value).__name__}: convert it first"
            )
    if options:  # asking for a dtype goes through the ufunc itself, on nothing
        result = ufunc(*[np.empty(0, k) if isinstance(k, np.dtype) else k() for k in kinds], **options)
        return [r.dtype for r in (result if isinstance(result, tuple) else (result,))]
    resolved = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))
    for value, kind, wanted in zip(inputs, kinds, resolved, strict=False):
        if kind is int and wanted.kind in "iu" and resolved[-1].kind != "b":
            limits = np.iinfo(wanted)
            if not limits.min <= value <= limits.max:
                raise OverflowError(
                    f"{value} does not fit {wanted}, the dtype of the data (expected {limits.min} to {limits.max}): "
                    "use s.astype(...) first, or a float"
                )
    return list(resolved[ufunc.nin :])


def _joint_axes(signals: Sequence[BaseSignal], nav_shape: tuple[int, ...], frame_shape: tuple[int, ...]) -> list[Axis]:
    """Axes of the result in numpy order: for each part those of the first signal that has its full shape."""
    axes: list[Axis] = []
    for shape, part in ((nav_shape, "nav_axes"), (frame_shape, "frame_axes")):
        if not shape:
            continue
        rows = [getattr(s, part) for s in signals if getattr(s, part)]
        for k, size in enumerate(shape):
            axes.append(next(row[k] for row in rows if row[k].size == size))
    return axes


def _as_stage(
    ufunc: np.ufunc,
    inputs: Sequence[Any],
    primary: BaseSignal,
    nav_shape: tuple[int, ...],
    frame_shape: tuple[int, ...],
    output: int,
    dtype: np.dtype[Any],
    options: dict[str, Any],
) -> Frames | None:
    """The function as a stage on the frames of `primary`; None where it is not frame-wise over one scan."""
    if len(frame_shape) < 2 or primary.shape != nav_shape + frame_shape or is_split(primary):
        return None
    slot = next(k for k, v in enumerate(inputs) if v is primary)
    params: list[Any] = []
    stretched: list[int] = []
    for k, value in enumerate(inputs):
        if k == slot:
            continue
        if not is_signal(value):
            if getattr(value, "ndim", 0) > len(frame_shape):
                return None
            params.append(SharedLazy(value) if hasattr(value, "dask") else value)
        elif not value.nav_shape:
            params.append(SharedLazy(value.data) if value.lazy else value.data)
        elif value.nav_shape == nav_shape and not value.frame_shape:
            stretched.append(len(params))
            params.append(PerPosition(value.frames.data))
        else:
            return None
    kernel = partial(ufunc_kernel, ufunc=ufunc, slot=slot, output=output, stretched=tuple(stretched), options=options)
    return primary.frames.map_frames(kernel, *params, shape=frame_shape, dtype=dtype)


def _as_arrays(
    ufunc: np.ufunc,
    inputs: Sequence[Any],
    nav_shape: tuple[int, ...],
    frame_shape: tuple[int, ...],
    output: int,
    dtype: np.dtype[Any],
    options: dict[str, Any],
) -> Any:
    """The function over whole dask arrays: between scans, and on small results."""
    operands: list[Any] = []
    signals = [value for value in inputs if is_signal(value)]
    for value in inputs:
        if is_signal(value):
            array = lazy_array(value)
            shape = value.nav_shape + (1,) * (len(frame_shape) - len(value.frame_shape)) + value.frame_shape
            operands.append(array.reshape(shape) if array.shape != shape else array)
        else:
            operands.append(value)
    result = ufunc(*operands, **options)
    chosen = result[output] if ufunc.nout > 1 else result
    damaged = [s.frames.valid for s in signals if s.nav_shape and may_be_damaged(s)]
    valid = reduce(np.logical_and, damaged) if damaged else None
    return joint_frames(chosen.astype(dtype), len(nav_shape), signals, valid)
