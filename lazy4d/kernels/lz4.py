"""LZ4 blocks unpacked: every length and distance is compared with both buffers before a byte is copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.kernels._bytes import copy8, copy16
from lazy4d.kernels._jit import jit

_LENGTH_MORE = 15
_SHORTEST_MATCH = 4


@jit
def unpack_block(packed, out):
    r"""Fill `out` from one block of LZ4; the bytes filled, or −1 where the block is damaged or does not fit.

    Parameters
    ----------
    packed : ndarray of uint8, shape (m,), C-contiguous
        The block, all of it.
    out : ndarray of uint8, shape (n,), C-contiguous
        Filled from the start; bytes behind those returned may be anything.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(9, "u1")
    >>> unpack_block(np.frombuffer(b"\x31abc\x03\x00\x10!", "u1"), out), bytes(out)
    (9, b'abcabcab!')
    """
    source, target = packed.ctypes.data, out.ctypes.data
    return unpack_at(packed, source, 0, packed.size, out, target, 0, out.size)


@jit
def unpack_at(packed, source, begin, end, out, target, start, stop):
    """As `unpack_block`, from bytes [begin, end) of one array to bytes [start, stop) of another.

    `source` and `target` are the addresses of the arrays' first bytes: taken once, as that costs.
    """
    i, o = np.int64(begin), np.int64(start)
    while i < end:
        token: Any = np.int64(packed[i])
        i += 1
        # ---- bytes as they are
        length = token >> 4
        if length == _LENGTH_MORE:
            while True:
                if i >= end:
                    return -1
                more = np.int64(packed[i])
                i += 1
                length += more
                if more != 255:
                    break
        if length > end - i or length > stop - o:
            return -1
        if length <= 16 and end - i >= 16 and stop - o >= 16:
            copy16(target + np.uintp(o), source + np.uintp(i))
        else:
            k: Any = np.int64(0)
            while k + 16 <= length:
                copy16(target + np.uintp(o + k), source + np.uintp(i + k))
                k += 16
            while k < length:
                out[o + k] = packed[i + k]
                k += 1
        i += length
        o += length
        if i == end:
            return o - start
        # ---- bytes that are there already
        if end - i < 2:
            return -1
        distance = np.int64(packed[i]) | np.int64(packed[i + 1]) << 8
        i += 2
        length = token & 15
        if length == _LENGTH_MORE:
            while True:
                if i >= end:
                    return -1
                more = np.int64(packed[i])
                i += 1
                length += more
                if more != 255:
                    break
        length += _SHORTEST_MATCH
        if distance == 0 or distance > o - start or length > stop - o:
            return -1
        back = distance
        k = np.int64(0)
        if distance < 16:
            # A short pattern repeats: once 16 bytes of it are there, copies of 16 from whole periods back continue it.
            back = (15 // distance + 1) * distance
            if distance >= 8 and length <= 16 and stop - o >= 16:
                copy8(target + np.uintp(o), target + np.uintp(o - distance))
                copy8(target + np.uintp(o + 8), target + np.uintp(o + 8 - distance))
                k = length
            first = min(length, 16)
            while k < first:
                out[o + k] = out[o + k - distance]
                k += 1
        last = length if stop - o >= length + 16 else length - 15  # beyond, a copy of 16 would leave the room
        if back == 16 and k < last:
            same = target + np.uintp(o + k - 16)  # not from where it was just written: that would wait for it
            while k < last:
                copy16(target + np.uintp(o + k), same)
                k += 16
        while k < last:
            copy16(target + np.uintp(o + k), target + np.uintp(o + k - back))
            k += 16
        while k < length:
            out[o + k] = out[o + k - distance]
            k += 1
        o += length
    return -1


@jit
def unpack_blocks(packed, block, out):
    """Fill `out` from blocks of LZ4, each behind its packed size; the packed bytes used, or −1 where one is damaged.

    Parameters
    ----------
    packed : ndarray of uint8, shape (m,), C-contiguous
        Sizes are four bytes, the most significant first; a block as long packed as unpacked is stored as it is.
    block : int
        Unpacked bytes of a block.
    out : ndarray of uint8, shape (n,), C-contiguous
        Filled.
    """
    source, target = packed.ctypes.data, out.ctypes.data
    i: Any = 0
    o: Any = 0
    end, stop = packed.size, out.size
    while o < stop:
        length: Any = min(block, stop - o)
        if end - i < 4:
            return -1
        stored = np.int64(0)
        for k in range(4):
            stored = stored << 8 | np.int64(packed[i + k])
        i += 4
        if stored > end - i:
            return -1
        if stored == length:
            for k in range(length):
                out[o + k] = packed[i + k]
        elif unpack_at(packed, source, i, i + stored, out, target, o, o + length) != length:
            return -1
        i += stored
        o += length
    return i
