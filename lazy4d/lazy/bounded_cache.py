"""Results kept while they fit: the ones used longest ago make room for new ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class BoundedCache:
    """Values by key, of at most so many bytes in all; several threads may use it at once.

    Parameters
    ----------
    nbytes : int
        Bytes of all values together.

    Examples
    --------
    >>> kept = BoundedCache(20)
    >>> kept.put("a", 1, nbytes=12), kept.put("b", 2, nbytes=8), kept.put("c", 3, nbytes=8)
    (True, True, True)
    >>> kept.get("a"), kept.get("b"), kept.nbytes
    (None, 2, 16)
    """

    def __init__(self, nbytes: int) -> None:
        if nbytes < 0:
            raise ValueError(f"expected a number of bytes from 0, found {nbytes}")
        self.limit = int(nbytes)
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of all values that are kept."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> Any:
        """The value of a key, which counts as used now; None where it is not kept."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> bool:
        """Keep a value of so many bytes; False where it alone is more than the cache holds."""
        with self._lock:
            self._drop(key)
            if nbytes > self.limit:
                return False
            while self._nbytes + nbytes > self.limit:
                self._drop(next(iter(self._values)))
            self._values[key] = value, nbytes
            self._nbytes += nbytes
            return True

    def _drop(self, key: Hashable) -> None:
        dropped = self._values.pop(key, None)
        if dropped is not None:
            self._nbytes -= dropped[1]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self._nbytes = 0
