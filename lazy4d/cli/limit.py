"""The speed of memory: how fast all cores together add up the pixels of a mapped file. Nothing reads faster."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


class MemoryLimit:
    """A job that adds up a whole file, read as native uint16 through one mapping, on all cores.

    Call it once to warm up: the first call compiles the kernel and touches each page for the first time.

    Parameters
    ----------
    path : path
        The file; an odd last byte is left out.
    threads : int, optional
        By default one a core.

    Raises
    ------
    ValueError
        The file holds less than two bytes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "ones"
    >>> np.ones(1000, "u2").tofile(path)
    >>> limit = MemoryLimit(path)
    >>> limit(), limit.nbytes
    (1000, 2000)
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        import numpy as np

        self.nbytes = Path(path).stat().st_size // 2 * 2
        if not self.nbytes:
            raise ValueError(f"expected a file of at least 2 bytes to measure the speed of memory, found {path} empty")
        values = np.memmap(path, "=u2", mode="r", shape=(self.nbytes // 2,))
        self._parts = np.array_split(values, threads or os.cpu_count() or 1)

    def __call__(self) -> int:
        """The sum of all values."""
        with ThreadPoolExecutor(len(self._parts)) as pool:
            return sum(pool.map(_total, self._parts))

    def seconds(self) -> float:
        """How long one call takes."""
        start = time.perf_counter()
        self()
        return time.perf_counter() - start


def _total(values: Any) -> int:
    import numpy as np

    from lazy4d.kernels.virtual_image import total_intensity

    out = np.empty(1, np.uint64)
    total_intensity(np.asarray(values).reshape(1, 1, -1), out)
    return int(out[0])
