"""Frames to frames: parts of frames, and any Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def crop(frames: NDArray[Any], y0: int, y1: int, ystep: int, x0: int, x1: int, xstep: int, out: NDArray[Any]) -> None:
    """Copy rows ``range(y0, y1, ystep)`` and columns ``range(x0, x1, xstep)`` of each frame.

    Parameters
    ----------
    frames : ndarray [n, ky, kx, ...]
        Frames of any dtype.
    y0, y1, ystep, x0, x1, xstep : int
        As in `range`, inside the frame: a negative step counts down, and then a stop of -1 takes the first row or
        column too.
    out : ndarray [n, rows, columns, ...]
        Filled; a wider dtype than the frames' will do.

    Examples
    --------
    >>> out = np.empty((1, 2, 1), np.uint8)
    >>> crop(np.arange(12, dtype=np.uint8).reshape(1, 3, 4), 2, -1, -2, 1, 2, 1, out)
    >>> out[0, :, 0]
    array([9, 1], dtype=uint8)
    """
    np.copyto(out, frames[:, _as_slice(range(y0, y1, ystep)), _as_slice(range(x0, x1, xstep))])


def _as_slice(items: range) -> slice:
    """Express a range as a slice, where -1 would mean the last pixel and not the place before the first."""
    if not items:
        return slice(0, 0)
    return slice(items.start, None if items.stop < 0 else items.stop, items.step)


def python_map(
    frames: NDArray[Any],
    *params: Any,
    function: Callable[..., Any],
    names: Sequence[str | None] = (),
    per_position: Sequence[bool] = (),
) -> None:
    """Fill ``out``, the last of `params`, with ``function(frame, ...)`` of each frame.

    Bind the keywords with `functools.partial`; a tile walk passes only positions.

    Parameters
    ----------
    frames : ndarray [n, ...]
        The frames. The function gets copies of these and of values per frame, which it may change.
    *params : object
        Further arguments of the function, then ``out[n, ...]``.
    function : callable
        Takes one frame and the arguments, gives a number or an array of the shape of ``out[0]``.
    names : sequence of str or None
        Name each argument is passed by; None, or no name: by position.
    per_position : sequence of bool
        Which arguments hold one value a frame, ``[n, ...]``; the others are passed whole to each call.

    Raises
    ------
    ValueError
        The function gives another shape than declared.
    TypeError
        It gives a dtype that does not fit into the declared one without loss of kind, such as floats for integers.

    Examples
    --------
    >>> from functools import partial
    >>> kernel = partial(python_map, function=np.percentile, names=["q"], per_position=[True])
    >>> out = np.empty(2)
    >>> kernel(np.arange(8.0).reshape(2, 2, 2), np.array([0, 100]), out)
    >>> out
    array([0., 7.])
    """
    *arguments, out = params
    by_name = [*names, *[None] * (len(arguments) - len(names))]
    sliced = [*per_position, *[False] * (len(arguments) - len(per_position))]
    # Copies, as the tile may be the user's array, or what another result is made of.
    own_frames = frames.copy()
    arguments = [a.copy() if own else a for a, own in zip(arguments, sliced, strict=True)]
    for i in range(len(frames)):
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for argument, name, own in zip(arguments, by_name, sliced, strict=True):
            value = argument[i] if own else argument
            if name is None:
                args.append(value)
            else:
                kwargs[name] = value
        result = np.asarray(function(own_frames[i], *args, **kwargs))
        _check(result, out[i, ...], function)
        out[i] = result


def _check(result: NDArray[Any], expected: NDArray[Any], function: Callable[..., Any]) -> None:
    name = getattr(function, "__name__", type(function).__name__)
    if result.shape != expected.shape:
        raise ValueError(
            f"expected {name} to give an array of shape {expected.shape} for each frame, as declared, "
            f"found shape {result.shape}: declare output_signal_shape={result.shape}"
        )
    if not np.can_cast(result.dtype, expected.dtype, "same_kind"):
        raise TypeError(
            f"expected {name} to give {expected.dtype}, as declared, found {result.dtype}, which does not fit: "
            f'declare output_dtype="{result.dtype}"'
        )
