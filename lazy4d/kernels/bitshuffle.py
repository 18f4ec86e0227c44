"""Bits sorted by their place in the element and back: the filter bitshuffle, alone or over LZ4."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._bytes import turn_bits
from lazy4d.kernels._jit import jit
from lazy4d.kernels.lz4 import unpack_at
from lazy4d.kernels.shuffle import unshuffle

_LANES = 16


@jit
def unshuffle_bits(packed, itemsize, bytewise, out):
    """Fill `out` with elements of which bit 0 is stored together, then bit 1, and so on: one block.

    Parameters
    ----------
    packed, out : ndarray of uint8, shape (n,), C-contiguous
        `n` is a multiple of 8 elements.
    itemsize : int
        Bytes of an element.
    bytewise : ndarray of uint8, shape (>= n,), C-contiguous
        Room for the bytes in between.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(8, "u1")
    >>> unshuffle_bits(np.array([255, 1, 0, 0, 0, 0, 0, 128], "u1"), 1, np.empty(8, "u1"), out)
    >>> out.tolist()
    [3, 1, 1, 1, 1, 1, 1, 129]
    """
    size = packed.size
    plane = size // (8 * itemsize)  # bytes of one bit of all elements
    target = out if itemsize == 1 else bytewise[:size]
    source, to = packed.ctypes.data, target.ctypes.data
    wide = plane // _LANES * _LANES
    for j in range(itemsize):
        rows, columns = 8 * j * plane, 8 * j * plane  # eight planes hold as many bytes as the elements' byte j
        for i in range(0, wide, _LANES):
            turn_bits(to + np.uintp(columns + 8 * i), source + np.uintp(rows + i), np.uintp(plane))
        for i in range(wide, plane):
            for e in range(8):
                value = np.int64(0)
                for k in range(8):
                    value |= (np.int64(packed[rows + k * plane + i]) >> e & 1) << k
                target[columns + 8 * i + e] = value
    if itemsize > 1:
        unshuffle(target, itemsize, out)


@jit
def unpack_bitshuffled(packed, itemsize, block, scratch, out):
    """Fill `out` from bits shuffled in blocks, without compression; behind them up to 7 elements as they are.

    Parameters
    ----------
    packed, out : ndarray of uint8, shape (n,), C-contiguous
        Whole elements, as many in the one as in the other.
    itemsize, block : int
        Bytes of an element; bytes of a block, a multiple of 8 elements.
    scratch : ndarray of uint8, shape (block,)
        Room for a block.
    """
    size, step = packed.size, 8 * itemsize
    done = 0
    while size - done >= step:
        length = min(block, (size - done) // step * step)
        unshuffle_bits(packed[done : done + length], itemsize, scratch, out[done : done + length])
        done += length
    for k in range(done, size):
        out[k] = packed[k]


@jit
def unpack_bitshuffle_lz4(packed, itemsize, block, scratch, out):
    """Fill `out` from blocks of LZ4 with bits shuffled; the packed bytes used, or −1 where they are damaged.

    Parameters
    ----------
    packed : ndarray of uint8, shape (m,), C-contiguous
        Blocks, each behind its packed size as four bytes, the most significant first; then up to 7 elements as they
        are.
    itemsize, block : int
        Bytes of an element; bytes of an unpacked block, a multiple of 8 elements.
    scratch : ndarray of uint8, shape (2 * block,)
        Room for two blocks.
    out : ndarray of uint8, shape (n,), C-contiguous
        Whole elements.
    """
    size, step, end = out.size, 8 * itemsize, packed.size
    source, room = packed.ctypes.data, scratch.ctypes.data
    bits, between = scratch[:block], scratch[block:]
    i, done = np.int64(0), np.int64(0)
    while size - done >= step:
        length = min(np.int64(block), (size - done) // step * step)
        if end - i < 4:
            return -1
        stored = np.int64(0)
        for k in range(4):
            stored = stored << 8 | np.int64(packed[i + k])
        i += 4
        if stored > end - i or unpack_at(packed, source, i, i + stored, scratch, room, 0, length) != length:
            return -1
        i += stored
        unshuffle_bits(bits[:length], itemsize, between, out[done : done + length])
        done += length
    if size - done > end - i:
        return -1
    for k in range(size - done):
        out[done + k] = packed[i + k]
    return i + size - done


@jit
def unpack_bitshuffle_lz4_chunks(memory, starts, sizes, itemsize, usual, scratch, out):
    """Fill each row of `out` from a chunk of its own; the number of rows filled before one that is damaged.

    Parameters
    ----------
    memory : ndarray of uint8, shape (m,), C-contiguous
        Holds all chunks: total length as eight bytes, length of a block as four, both with the most significant first,
        then the blocks.
    starts, sizes : ndarray of int64, shape (n,)
        Where each chunk stands; inside `memory`.
    itemsize, usual : int
        Bytes of an element; bytes of a block where a chunk states 0.
    scratch : ndarray of uint8
        Room for two blocks; a chunk with larger ones counts as damaged.
    out : ndarray of uint8, shape (n, k), C-contiguous
        Whole elements.
    """
    for row in range(out.shape[0]):
        i = starts[row]
        if sizes[row] < 12:
            return row
        total, block = np.int64(0), np.int64(0)
        for k in range(8):
            total = total << 8 | np.int64(memory[i + k])
        for k in range(8, 12):
            block = block << 8 | np.int64(memory[i + k])
        if block == 0:
            block = np.int64(usual)
        if total != out.shape[1] or block <= 0 or block % (8 * itemsize) or 2 * block > scratch.size:
            return row
        packed = memory[i + 12 : i + sizes[row]]
        if unpack_bitshuffle_lz4(packed, itemsize, block, scratch, out[row]) < 0:
            return row
    return out.shape[0]
