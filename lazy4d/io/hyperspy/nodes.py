"""A group of metadata as both containers have it: attributes and children, in memory and without the pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_METADATA = 2**26
"""Bytes of arrays that are read as metadata; what comes beyond that is left out and told."""

MOST_NODES = 2**17
"""Groups and arrays of metadata; more than that is a damaged file."""


@dataclass(frozen=True)
class LeftOut:
    """An array of the metadata that was too large to be read: where it stands and what it is."""

    path: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.path} {self.shape} {self.dtype}"


@dataclass
class Group:
    """Attributes and children of a group.

    Parameters
    ----------
    attributes : dict
        Text, numbers, bool, bytes and small arrays by name.
    children : dict
        Groups, arrays (of objects: text), and `LeftOut`, by name.

    Examples
    --------
    >>> tree = Group({}, {"metadata": Group({"title": "scan"})})
    >>> tree.group("metadata").attributes["title"], tree.group("absent").attributes
    ('scan', {})
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Group | NDArray[Any] | LeftOut] = field(default_factory=dict)

    def group(self, *names: str) -> Group:
        """The group at a path of names; an empty one where there is none."""
        found: Any = self
        for name in names:
            found = found.children.get(name) if isinstance(found, Group) else None
        return found if isinstance(found, Group) else Group()

    def left_out(self) -> list[LeftOut]:
        """Every array below that was not read."""
        found: list[LeftOut] = []
        for child in self.children.values():
            if isinstance(child, LeftOut):
                found.append(child)
            elif isinstance(child, Group):
                found.extend(child.left_out())
        return found


class Budget:
    """How much metadata may still be read from a file.

    Examples
    --------
    >>> budget = Budget()
    >>> budget.take((1000, 1000), np.dtype("f8")), budget.take((10**9, 10**9), np.dtype("f8"))
    (True, False)
    """

    def __init__(self, nbytes: int = LARGEST_METADATA, nodes: int = MOST_NODES) -> None:
        self._nbytes = nbytes
        self._nodes = nodes

    def node(self) -> bool:
        """Whether one more group or array may be looked at."""
        self._nodes -= 1
        return self._nodes >= 0

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Whether an array of this size may be read; if so it is counted."""
        need = max(1, dtype.itemsize)
        for size in shape:
            need *= max(0, int(size))
        if need > self._nbytes:
            return False
        self._nbytes -= need
        return True
