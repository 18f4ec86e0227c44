"""Bytes sorted by their place in the element and back, and the checksum of HDF5."""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit


@jit
def unshuffle(packed, itemsize, out):
    """Fill `out` with elements whose first bytes are stored together, then their second ones, and so on.

    Parameters
    ----------
    packed, out : ndarray of uint8, shape (n,), C-contiguous
        Bytes behind the last whole element are copied as they are.
    itemsize : int
        Bytes of an element, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(5, "u1")
    >>> unshuffle(np.array([1, 2, 3, 4, 9], "u1"), 2, out)
    >>> out.tolist()
    [1, 3, 2, 4, 9]
    """
    size = min(packed.size, out.size)
    count = size // itemsize
    if itemsize == 2:
        low, high = packed[:count], packed[count : 2 * count]
        for k in range(count):
            out[2 * k] = low[k]
            out[2 * k + 1] = high[k]
    elif itemsize == 4:
        a, b, c, d = packed[:count], packed[count : 2 * count], packed[2 * count : 3 * count], packed[3 * count :]
        for k in range(count):
            out[4 * k] = a[k]
            out[4 * k + 1] = b[k]
            out[4 * k + 2] = c[k]
            out[4 * k + 3] = d[k]
    else:
        for first in range(0, count, 256):  # so that the elements stay in cache while their bytes are put in
            last = min(first + 256, count)
            for j in range(itemsize):
                for k in range(first, last):
                    out[k * itemsize + j] = packed[j * count + k]
    for k in range(count * itemsize, size):
        out[k] = packed[k]


@jit
def fletcher32(data):
    """The Fletcher-32 of bytes as big-endian words of two, as HDF5 computes it.

    Parameters
    ----------
    data : ndarray of uint8, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> hex(fletcher32(np.frombuffer(b"abcdef", "u1")))
    '0x50562a2d'
    """
    first, second = np.uint64(0), np.uint64(0)
    words = data.size // 2
    done = 0
    while done < words:
        stop = min(done + 65536, words)  # 65536 words cannot overflow 64 bits
        for k in range(done, stop):
            first += np.uint64(data[2 * k]) << np.uint64(8) | np.uint64(data[2 * k + 1])
            second += first
        first, second = _folded(first), _folded(second)
        done = stop
    if data.size % 2:
        first += np.uint64(data[data.size - 1]) << np.uint64(8)
        second += first
    first, second = _folded(first), _folded(second)
    return np.uint32(second << np.uint64(16) | first)


@jit
def _folded(value):
    """Modulo 65535, with 65535 for multiples of it other than 0: sums with carries carried around end there."""
    if value == 0:
        return value
    return (value - np.uint64(1)) % np.uint64(65535) + np.uint64(1)
