"""Which type a sum of pixels is kept in, so that one kernel serves every dtype and integers stay exact.

======================  ==========================  ==================
pixels                  partial sums (`widen`)      sums (`sum_dtype`)
======================  ==========================  ==================
u1, u2 (and bool)       uint32, up to `RUN` pixels  uint64
i1, i2                  int32, up to `RUN` pixels   int64
u4, u8                  uint64                      uint64
i4, i8                  int64                       int64
f4, f8                  float64                     float64
======================  ==========================  ==================

Partial sums of narrow integers are kept in 32 bits for at most `RUN` pixels, because that many fit for certain and
twice as many of them fit into a vector register; then they join a 64-bit sum. Of uint32, 2³² pixels fit
into 64 bits. numba widens the sum of two 32-bit integers to 64 bits; `plus` keeps the type of the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numba.np.numpy_support import as_dtype
from numpy.typing import NDArray

RUN = 65536
"""Pixels of 16 bits whose sum is certain to fit into 32 bits."""

_PARTIAL: dict[str, Any] = {
    "b1": np.uint32,
    "u1": np.uint32,
    "u2": np.uint32,
    "u4": np.uint64,
    "u8": np.uint64,
    "i1": np.int32,
    "i2": np.int32,
    "i4": np.int64,
    "i8": np.int64,
    "f4": np.float64,
    "f8": np.float64,
}


def _partial(dtype: np.dtype[Any]) -> Any:
    return _PARTIAL[dtype.str[1:]]


def sum_dtype(dtype: Any) -> np.dtype[Any]:
    """Dtype in which sums of pixels are returned: uint64, int64 or float64.

    Parameters
    ----------
    dtype : dtype_like
        Of the pixels: bool, an integer or a float of at most 64 bits.

    Returns
    -------
    numpy.dtype
        uint64 for bool and unsigned integers, int64 for signed integers, float64 for floats.

    Raises
    ------
    TypeError
        Pixels of another kind, such as complex numbers.

    Examples
    --------
    >>> sum_dtype("uint16"), sum_dtype("int32"), sum_dtype(">f4")
    (dtype('uint64'), dtype('int64'), dtype('float64'))
    """
    pixels = np.dtype(dtype)
    if pixels.str[1:] not in _PARTIAL:
        raise TypeError(f"expected pixels of bool, integers, float32 or float64, found {pixels}: convert them")
    return np.dtype({"b": np.uint64, "u": np.uint64, "i": np.int64, "f": np.float64}[pixels.kind])


def widen(pixel: Any) -> Any:
    """`pixel` as the type of partial sums: uint32, int32, uint64, int64 or float64.

    Examples
    --------
    >>> type(widen(np.uint16(7))).__name__
    'uint32'
    """
    return _partial(pixel.dtype)(pixel)


@overload(widen, strict=False)
def _widen(pixel: Any) -> Callable[..., Any]:
    kind = _partial(as_dtype(pixel))
    return lambda pixel: kind(pixel)


def plus(total: Any, value: Any) -> Any:
    """``total + value`` in the type of `total`.

    Examples
    --------
    >>> type(plus(np.uint32(1), np.uint16(2))).__name__
    'uint32'
    """
    return type(total)(total + type(total)(value))


@overload(plus, strict=False)
def _plus(total: Any, value: Any) -> Callable[..., Any]:
    kind = as_dtype(total).type
    return lambda total, value: kind(total + kind(value))


def wide_zeros(frames: NDArray[Any], size: int) -> NDArray[Any]:
    """Zeros to keep `size` partial sums of pixels of `frames` in.

    Examples
    --------
    >>> wide_zeros(np.ones((2, 2), np.uint8), 3)
    array([0, 0, 0], dtype=uint32)
    """
    return np.zeros(size, _partial(frames.dtype))


@overload(wide_zeros, strict=False)
def _wide_zeros(frames: Any, size: Any) -> Callable[..., Any]:
    kind = _partial(as_dtype(frames.dtype))
    return lambda frames, size: np.zeros(size, kind)


def partial_limit(frames: NDArray[Any], threshold: float) -> Any:
    """`threshold` in the type of partial sums: ``widen(pixel) <= limit`` says the same as ``pixel <= threshold``.

    But for unsigned pixels and a negative threshold, where pixels of 0 count as at the limit.

    Examples
    --------
    >>> partial_limit(np.zeros(1, "u2"), 2.5), partial_limit(np.zeros(1, "f4"), 2.5)
    (np.uint32(2), np.float64(2.5))
    """
    kind = _partial(frames.dtype)
    if frames.dtype.kind == "f":
        return kind(threshold)
    smallest, largest = np.iinfo(kind).min, np.iinfo(kind).max
    if threshold <= smallest:
        return kind(smallest)
    return kind(largest) if threshold >= largest else kind(np.floor(threshold))


@overload(partial_limit, strict=False)
def _partial_limit(frames: Any, threshold: Any) -> Callable[..., Any]:
    kind = _partial(as_dtype(frames.dtype))
    if as_dtype(frames.dtype).kind == "f":
        return lambda frames, threshold: kind(threshold)
    smallest, largest = kind(np.iinfo(kind).min), kind(np.iinfo(kind).max)

    def limit(frames, threshold):
        if threshold <= np.float64(smallest):
            return smallest
        return largest if threshold >= np.float64(largest) else kind(np.floor(threshold))

    return limit


def is_unsigned(frames: NDArray[Any]) -> bool:
    """Whether pixels of `frames` cannot be negative; known when a kernel is compiled.

    Examples
    --------
    >>> is_unsigned(np.zeros(1, "u2")), is_unsigned(np.zeros(1, "f4"))
    (True, False)
    """
    return frames.dtype.kind in "bu"


@overload(is_unsigned, strict=False)
def _is_unsigned(frames: Any) -> Callable[..., Any]:
    answer = as_dtype(frames.dtype).kind in "bu"
    return lambda frames: answer


def is_integer(frames: NDArray[Any]) -> bool:
    """Whether pixels of `frames` are integers; known when a kernel is compiled.

    Examples
    --------
    >>> is_integer(np.zeros(1, "i4")), is_integer(np.zeros(1, "f4"))
    (True, False)
    """
    return frames.dtype.kind in "bui"


@overload(is_integer, strict=False)
def _is_integer(frames: Any) -> Callable[..., Any]:
    answer = as_dtype(frames.dtype).kind in "bui"
    return lambda frames: answer
