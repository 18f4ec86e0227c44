"""Stored frames of Merlin detectors to native ones: byte order, and the packed words of RAW files.

A RAW frame is a row of 64-bit words, big-endian; pixel k of a word of b-bit pixels sits at bits k·b and up, least
significant first: 64, 8 or 4 pixels a word for counters of 1, 6 and 12 bits. So for 6 and 12 bits, a word with its
bytes reversed *is* its pixels in order. A 24-bit frame is two 12-bit images, the upper bits first.

Four chips in a square are stored side by side, blocks b0 b1 b2 b3 in each row of words::

    b3          b2              the lower two chips are
    rot180(b1)  rot180(b0)      mounted upside down

Turning a block around puts its words in reverse, and the pixels inside each word too: which undoes the order in which
they are stored. Words are handled as little-endian integers, the byte order of every machine that numba supports here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit

# The eight pixels of a byte, as one 64-bit integer: least significant bit first, and first last.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").view(np.uint64).ravel()
_BITS_REVERSED = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="big").view(np.uint64).ravel()
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)
_EVEN_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_PIXEL = np.uint64(0xFFFF)


def swap_bytes(raw: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy frames of any byte order and stride to native ones.

    Parameters
    ----------
    raw : ndarray [n, ky, kx]
        Frames as stored, such as ``>u2``, with gaps between them.
    out : ndarray [n, ky, kx]
        Filled; native, of the same type.

    Examples
    --------
    >>> out = np.empty((1, 1, 2), np.uint16)
    >>> swap_bytes(np.array([[[1, 258]]], ">u2"), out)
    >>> out
    array([[[  1, 258]]], dtype=uint16)
    """
    np.copyto(out, raw)


def unpack_r64_1bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Unpack RAW frames of a 1-bit counter, single chip.

    Parameters
    ----------
    raw : ndarray of uint8 [n, ky * kx / 8]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint8 [n, ky, kx]
        Filled with 0 and 1; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 64), np.uint8)
    >>> unpack_r64_1bit(np.array([[0, 0, 0, 0, 0, 0, 0, 5]], np.uint8), out)
    >>> np.flatnonzero(out)
    array([0, 2])
    """
    _unpack_bits(_payload(raw, out, 1), _flat(out).view(np.uint64), _BITS)


def unpack_r64_6bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Unpack RAW frames of a 6-bit counter, single chip.

    Parameters
    ----------
    raw : ndarray of uint8 [n, ky * kx]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint8 [n, ky, kx]
        Filled; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 8), np.uint8)
    >>> unpack_r64_6bit(np.arange(8, dtype=np.uint8)[None], out)
    >>> out
    array([[[7, 6, 5, 4, 3, 2, 1, 0]]], dtype=uint8)
    """
    _swap_words(raw, out, 8)


def unpack_r64_12bit(raw: NDArray[np.uint8], out: NDArray[np.uint16]) -> None:
    """Unpack RAW frames of a 12-bit counter, single chip.

    Parameters
    ----------
    raw : ndarray of uint8 [n, 2 * ky * kx]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint16 [n, ky, kx]
        Filled; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 4), np.uint16)
    >>> unpack_r64_12bit(np.array([[0, 4, 0, 3, 0, 2, 1, 1]], np.uint8), out)
    >>> out
    array([[[257,   2,   3,   4]]], dtype=uint16)
    """
    _swap_words(raw, out, 16)


def unpack_r64_24bit(raw: NDArray[np.uint8], out: NDArray[np.uint32]) -> None:
    """Unpack RAW frames of a 24-bit counter, single chip.

    Parameters
    ----------
    raw : ndarray of uint8 [n, 4 * ky * kx]
        One stored frame a row, without its header: a 12-bit image of the upper, then one of the lower bits.
    out : ndarray of uint32 [n, ky, kx]
        Filled; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`.

    Examples
    --------
    >>> out = np.empty((1, 1, 4), np.uint32)
    >>> unpack_r64_24bit(np.array([[0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 3, 0, 2, 0, 1]], np.uint8), out)
    >>> out
    array([[[4097,    2,    3,    4]]], dtype=uint32)
    """
    for stored, frame in zip(_payload(raw, out, 32).view(np.uint64), _flat(out), strict=True):
        _join_halves(stored, frame)


def unpack_r64_quad_1bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Unpack RAW frames of a 1-bit counter of four chips in a square.

    Parameters
    ----------
    raw : ndarray of uint8 [n, ky * kx / 8]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint8 [n, ky, kx]
        Filled with 0 and 1, all four chips in place; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`, or its halves do not hold whole words.

    Examples
    --------
    >>> raw = np.zeros((1, 32), np.uint8)
    >>> raw[0, [7, 31]] = 1  # the first pixels of chips b0 and b3
    >>> out = np.empty((1, 2, 128), np.uint8)
    >>> unpack_r64_quad_1bit(raw, out)
    >>> np.argwhere(out[0])
    array([[  0,   0],
           [  1, 127]])
    """
    _check_quad(out, 64)
    for stored, frame in zip(_payload(raw, out, 1), out.view(np.uint64), strict=True):
        _assemble_bits(stored, frame, _BITS, _BITS_REVERSED)


def unpack_r64_quad_6bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Unpack RAW frames of a 6-bit counter of four chips in a square.

    Parameters
    ----------
    raw : ndarray of uint8 [n, ky * kx]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint8 [n, ky, kx]
        Filled, all four chips in place; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`, or its halves do not hold whole words.

    Examples
    --------
    >>> out = np.empty((1, 2, 16), np.uint8)
    >>> unpack_r64_quad_6bit(np.arange(32, dtype=np.uint8)[None], out)
    >>> out[0, 0]
    array([31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16], dtype=uint8)
    """
    _check_quad(out, 8)
    for stored, frame in zip(_payload(raw, out, 8).view(np.uint64), out.view(np.uint64), strict=True):
        _assemble_words(stored, frame, 8)


def unpack_r64_quad_12bit(raw: NDArray[np.uint8], out: NDArray[np.uint16]) -> None:
    """Unpack RAW frames of a 12-bit counter of four chips in a square.

    Parameters
    ----------
    raw : ndarray of uint8 [n, 2 * ky * kx]
        One stored frame a row, without its header; rows may lie apart and at any address.
    out : ndarray of uint16 [n, ky, kx]
        Filled, all four chips in place; C-contiguous.

    Raises
    ------
    ValueError
        The bytes a frame do not fit the shape of `out`, or its halves do not hold whole words.

    Examples
    --------
    >>> out = np.empty((1, 2, 8), np.uint16)
    >>> unpack_r64_quad_12bit(np.arange(16, dtype=">u2").view(np.uint8)[None], out)
    >>> out[0]
    array([[15, 14, 13, 12, 11, 10,  9,  8],
           [ 4,  5,  6,  7,  0,  1,  2,  3]], dtype=uint16)
    """
    _check_quad(out, 4)
    for stored, frame in zip(_payload(raw, out, 16).view(np.uint64), out.view(np.uint64), strict=True):
        _assemble_words(stored, frame, 16)


def _payload(raw: NDArray[np.uint8], out: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Check the stored bytes: a row a frame, its bytes next to each other."""
    nbytes = out[:1].size * bits // 8 if len(out) else raw.shape[1]
    if raw.shape != (len(out), nbytes) or nbytes % 8:
        raise ValueError(
            f"expected {len(out)} stored frames of {nbytes} bytes, a multiple of 8, for frames of shape "
            f"{out.shape[1:]} with {bits} stored bits a pixel, found an array of shape {raw.shape}: "
            "check depth and shape in the header"
        )
    return raw if raw.strides[1] == 1 else np.ascontiguousarray(raw)


def _flat(out: NDArray[Any]) -> NDArray[Any]:
    return out.reshape(len(out), out.shape[1] * out.shape[2])


def _check_quad(out: NDArray[Any], pixels: int) -> None:
    if out.shape[1] % 2 or out.shape[2] % (2 * pixels):
        raise ValueError(
            f"expected frames of four chips, with an even number of rows and a multiple of {2 * pixels} columns, "
            f"found shape {out.shape[1:]}: check the chip layout in the header"
        )


def _swap_words(raw: NDArray[np.uint8], out: NDArray[Any], bits: int) -> None:
    """Reverse the bytes of every word: what single chips of 6 and 12 bits need."""
    np.copyto(_flat(out).view(np.uint64), _payload(raw, out, bits).view(">u8"))


@jit
def _unpack_bits(raw, out, bits):
    """`out` holds eight pixels an element."""
    for i in range(out.shape[0]):
        row = raw[i]
        target = out[i]
        for word in range(target.size // 8):
            for k in range(8):
                target[8 * word + k] = bits[row[8 * word + 7 - k]]


@jit
def _swap_pairs(word):
    """Exchange the two bytes of each 16-bit part of a word."""
    return ((word & _EVEN_BYTES) << np.uint64(8)) | ((word >> np.uint64(8)) & _EVEN_BYTES)


@jit
def _reverse_bytes(word):
    """Reverse the bytes of a 64-bit word; compilers make one instruction of it."""
    word = _swap_pairs(word)
    word = ((word & _EVEN_PAIRS) << np.uint64(16)) | ((word >> np.uint64(16)) & _EVEN_PAIRS)
    return (word << np.uint64(32)) | (word >> np.uint64(32))


@jit
def _join_halves(words, out):
    """Join the upper and the lower 12 bits of one frame."""
    half = words.size // 2
    upper, lower = words[:half], words[half:]
    for word in range(half):
        high, low = _reverse_bytes(upper[word]), _reverse_bytes(lower[word])
        for k in range(4):
            shift = np.uint64(16 * k)
            out[4 * word + k] = (((high >> shift) & _PIXEL) << np.uint64(12)) + ((low >> shift) & _PIXEL)


@jit
def _assemble_bits(row, out, bits, bits_reversed):
    """Turn one frame's rows of four blocks of bits into the square of chips; `out` holds eight pixels an element."""
    rows, width = out.shape
    block = width // 2
    for y in range(rows // 2):
        top, bottom = out[y], out[rows - 1 - y]
        left, right = top[:block], top[block:]
        b0 = row[4 * y * block : (4 * y + 1) * block]
        b1 = row[(4 * y + 1) * block : (4 * y + 2) * block]
        b2 = row[(4 * y + 2) * block : (4 * y + 3) * block]
        b3 = row[(4 * y + 3) * block : (4 * y + 4) * block]
        for word in range(0, block, 8):
            for k in range(8):
                left[word + k] = bits[b3[np.uintp(word + 7 - k)]]
                right[word + k] = bits[b2[np.uintp(word + 7 - k)]]
        left, right = bottom[:block], bottom[block:]
        for word in range(0, block, 8):
            for k in range(8):
                left[word + k] = bits_reversed[b1[np.uintp(block - 8 - word + k)]]
                right[word + k] = bits_reversed[b0[np.uintp(block - 8 - word + k)]]


@jit
def _assemble_words(row, out, bits):
    """Turn one frame's rows of four blocks of words into the square of chips; a pixel has 8 or 16 stored `bits`."""
    rows, width = out.shape
    block = width // 2
    for y in range(rows // 2):
        top, bottom = out[y], out[rows - 1 - y]
        b0 = row[4 * y * block : (4 * y + 1) * block]
        b1 = row[(4 * y + 1) * block : (4 * y + 2) * block]
        b2 = row[(4 * y + 2) * block : (4 * y + 3) * block]
        b3 = row[(4 * y + 3) * block : (4 * y + 4) * block]
        left, right = top[:block], top[block:]
        for k in range(block):
            left[k] = _reverse_bytes(b3[k])
            right[k] = _reverse_bytes(b2[k])
        left, right = bottom[:block], bottom[block:]
        if bits == 8:
            for k in range(block):
                left[k] = b1[np.uintp(block - 1 - k)]
                right[k] = b0[np.uintp(block - 1 - k)]
        else:
            for k in range(block):
                left[k] = _swap_pairs(b1[np.uintp(block - 1 - k)])
                right[k] = _swap_pairs(b0[np.uintp(block - 1 - k)])
