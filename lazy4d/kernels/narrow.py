"""Pixels narrower than any kernel takes, to the next wider type: four bits to a byte, float16 to float32.

A float16 is widened by its bits: exponent and fraction moved to their places in a float32 are a number 2¹¹² times too
small, subnormal ones included, so that one multiplication is exact for all that are finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit

_RESCALE = np.float32(2.0**112)
_CHUNK = 4096  # pixels widened at once, which stay in the first cache between the passes over them


def unpack_4bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Unpack frames of 4-bit pixels, the first pixel of a byte in its low half.

    Every row fills whole bytes; in rows of an odd number of pixels the high half of the last byte means nothing.

    Parameters
    ----------
    raw : ndarray of uint8 [n, ky, (kx + 1) // 2]
        Rows as stored; frames may lie apart and at any address.
    out : ndarray of uint8 [n, ky, kx]
        Filled with 0 to 15; C-contiguous.

    Raises
    ------
    ValueError
        The stored rows do not fit the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 3), np.uint8)
    >>> unpack_4bit(np.array([[[0x21, 0xF3]]], np.uint8), out)
    >>> out
    array([[[1, 2, 3]]], dtype=uint8)
    """
    expected = (len(out), out.shape[1], (out.shape[2] + 1) // 2)
    if raw.shape != expected:
        raise ValueError(
            f"expected stored rows of shape {expected} for 4-bit frames of shape {out.shape[1:]}, found {raw.shape}: "
            "check the columns and rows in the header"
        )
    _unpack(np.ascontiguousarray(raw), out)


def widen_float16(raw: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Copy frames of float16 in any byte order to float32, exactly.

    Parameters
    ----------
    raw : ndarray of float16 [n, ky, kx]
        Frames as stored; they may lie apart and at any address.
    out : ndarray of float32 [n, ky, kx]
        Filled; C-contiguous.

    Raises
    ------
    ValueError
        The frames do not have the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 3), np.float32)
    >>> widen_float16(np.array([[[-1.5, 6e-8, np.inf]]], ">f2"), out)
    >>> out
    array([[[-1.5000000e+00,  5.9604645e-08,            inf]]], dtype=float32)
    """
    if raw.shape != out.shape:
        raise ValueError(f"expected float16 frames of shape {out.shape}, found {raw.shape}: check the header")
    bits = np.require(raw, requirements=["C", "A"]).view("u2").reshape(-1)
    swapped = not raw.dtype.isnative
    wide = out.reshape(-1)
    _widen(bits.view(np.uint16), wide, wide.view(np.uint32), swapped)


@jit
def _widen(bits, out, out_bits, swapped):
    """Fill `out`, of which `out_bits` is another view."""
    for start in range(0, bits.size, _CHUNK):
        source = bits[start : start + _CHUNK]
        values, patterns = out[start : start + _CHUNK], out_bits[start : start + _CHUNK]
        if swapped:
            for k in range(source.size):
                half = np.uint32(source[k])
                half = (half >> np.uint32(8)) | ((half & np.uint32(0xFF)) << np.uint32(8))
                patterns[k] = (half & np.uint32(0x7FFF)) << np.uint32(13) | (half & np.uint32(0x8000)) << np.uint32(16)
        else:
            for k in range(source.size):
                half = np.uint32(source[k])
                patterns[k] = (half & np.uint32(0x7FFF)) << np.uint32(13) | (half & np.uint32(0x8000)) << np.uint32(16)
        for k in range(source.size):
            values[k] = values[k] * _RESCALE
        for k in range(source.size):
            # What was infinite or not a number came out as 2¹⁶ or more, where no float16 reaches.
            high = (patterns[k] & np.uint32(0x7FFFFFFF)) >= np.uint32(0x47800000)
            patterns[k] |= np.uint32(0x7F800000) if high else np.uint32(0)


@jit
def _unpack(raw, out):
    """Split every byte; rows one after the other."""
    columns = out.shape[2]
    for i in range(out.shape[0]):
        for y in range(out.shape[1]):
            row, target = raw[i, y], out[i, y]
            for k in range(columns // 2):
                target[2 * k] = row[k] & 15
                target[2 * k + 1] = row[k] >> 4
            if columns % 2:
                target[columns - 1] = row[columns // 2] & 15
