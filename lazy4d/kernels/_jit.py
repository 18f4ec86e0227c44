"""The numba options of every kernel, written once.

``nogil`` because dask runs kernels in threads, ``error_model="numpy"`` because a division by zero is inf or nan and no
branch, ``cache`` because machine code outlives the process. Never ``parallel``: dask owns the threads.

`jit` keeps floating-point sums in the order they are written. `jit_fast` lets the compiler reorder them, which
is what makes a sum over pixels run in vector registers (integers never need it), and fuse a multiplication with
an addition. Neither assumes that nan and inf do not occur: both come through.
"""

from __future__ import annotations

from typing import Any

import numba

jit: Any = numba.njit(nogil=True, error_model="numpy", cache=True)
jit_fast: Any = numba.njit(nogil=True, error_model="numpy", cache=True, fastmath={"reassoc", "contract", "nsz"})
