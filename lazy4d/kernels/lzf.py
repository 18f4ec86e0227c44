"""LZF unpacked: every length and distance is compared with both buffers before a byte is copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.kernels._bytes import copy16
from lazy4d.kernels._jit import jit


@jit
def unpack_lzf(packed, out):
    r"""Fill `out` from a stream of LZF; the bytes filled, or −1 where the stream is damaged or does not fit.

    Parameters
    ----------
    packed : ndarray of uint8, shape (m,), C-contiguous
        The stream, all of it.
    out : ndarray of uint8, shape (n,), C-contiguous
        Filled from the start.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(8, "u1")
    >>> unpack_lzf(np.frombuffer(b"\x02abc\x60\x02", "u1"), out), bytes(out)
    (8, b'abcabcab')
    """
    source, target = packed.ctypes.data, out.ctypes.data
    i: Any = 0
    o: Any = 0
    end, stop = packed.size, out.size
    while i < end:
        control: Any = np.int64(packed[i])
        i += 1
        if control < 32:
            length = control + 1
            if length > end - i or length > stop - o:
                return -1
            if end - i >= 32 and stop - o >= 32:
                copy16(target + np.uintp(o), source + np.uintp(i))
                copy16(target + np.uintp(o + 16), source + np.uintp(i + 16))
            else:
                for n in range(length):
                    out[o + n] = packed[i + n]
            i += length
            o += length
            continue
        length = control >> 5
        if length == 7:
            if i >= end:
                return -1
            length += np.int64(packed[i])
            i += 1
        if i >= end:
            return -1
        distance = ((control & 31) << 8 | np.int64(packed[i])) + 1
        i += 1
        length += 2
        if distance > o or length > stop - o:
            return -1
        back = distance
        k: Any = np.int64(0)
        if distance < 16:
            # A short pattern repeats: once 16 bytes of it are there, copies of 16 from whole periods back continue it.
            back = (15 // distance + 1) * distance
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
    return o
