"""What all positions of a scan need in common, computed once for the process: a plane fitted to the scan, a mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.bounded_cache import BoundedCache
from lazy4d.lazy.fuse import walks_of
from lazy4d.lazy.lift import positions
from lazy4d.lazy.stage import SharedLazy

KEPT_BYTES = 64 * 2**20
"""Bytes of shared values that are kept; they are small, a few numbers or a frame each."""

CHEAP_BYTES = 8 * 2**20
"""Stored bytes that may be read for a shared value without anybody being told to wait."""

_kept = BoundedCache(KEPT_BYTES)
_computing = threading.Lock()


class SharedValues:
    """The lazy arrays that readers need whole, and their values once they are known.

    Parameters
    ----------
    arrays : iterable of dask array
        What is needed.
    """

    def __init__(self, arrays: Iterable[da.Array]) -> None:
        self._arrays = {array.name: array for array in arrays}
        self._values: dict[str, NDArray[Any]] = {}

    @classmethod
    def of(cls, readers: Iterable[Any]) -> SharedValues:
        """What the readers need, and those below them."""
        found: dict[str, da.Array] = {}
        seen: set[int] = set()
        waiting = list(readers)
        while waiting:
            one = waiting.pop()
            if isinstance(one, SharedLazy):
                found[one.array.name] = one.array
            elif id(one) not in seen:
                seen.add(id(one))
                waiting.extend(one.below())
        return cls(found.values())

    def _missing(self) -> list[da.Array]:
        missing = []
        for name, array in self._arrays.items():
            if name in self._values:
                continue
            value = _kept.get(name)
            if value is None:
                missing.append(array)
            else:
                self._values[name] = value
        return missing

    @property
    def costly(self) -> bool:
        """Whether computing what is missing may take long."""
        return any(_costly(array) for array in self._missing())

    def prepare(self, check: Callable[[], None] | None = None) -> None:
        """Compute what is missing, all in one run."""
        if not self._missing():
            return
        from lazy4d.lazy.run import compute

        while not _computing.acquire(timeout=0.05):
            if check is not None:
                check()
        try:
            missing = self._missing()  # somebody else may have computed it meanwhile
            if not missing:
                return
            if check is not None:
                check()
            values = compute(*missing, progress=False if check is None else lambda done, total: check())
            for array, value in zip(missing, values, strict=True):
                value.flags.writeable = False
                self._values[array.name] = value
                _kept.put(array.name, value, value.nbytes)
        finally:
            _computing.release()

    def value(self, array: da.Array) -> NDArray[Any]:
        """The value of one of the arrays."""
        if array.name not in self._values:
            self._arrays.setdefault(array.name, array)
            self.prepare()
        return self._values[array.name]


def _costly(array: da.Array) -> bool:
    walks = walks_of(array.dask).values()
    read = sum(positions(walk.chunks) * int(walk.source.frame_nbytes) for walk in walks)
    blocks = int(np.prod([len(sizes) for sizes in array.chunks], dtype=np.int64))
    return read > CHEAP_BYTES or (len(array.dask.layers) > 1 and not walks and blocks * array.nbytes > CHEAP_BYTES)
