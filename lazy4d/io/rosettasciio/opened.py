"""A file opened by a plug-in inside a task, kept for the next block of the same process."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from lazy4d.errors import FormatError
from lazy4d.io import mapping
from lazy4d.io.rosettasciio.plugins import Plugin, call

_MOST_OPEN = 8
_MOST_HELD = 0.25  # of the memory, for what plug-ins read at once

_kept: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
_lock = threading.RLock()


@dataclass(frozen=True)
class Recipe:
    """How to open a file again, in any process: nothing of it is held or sent.

    Parameters
    ----------
    path : str
        The file.
    plugin : Plugin
        Who reads it.
    lazy : bool
        Whether it gives dask arrays; otherwise it reads everything at once.
    options : tuple of (str, value)
        Options of the plug-in.
    states : tuple of (str, int, int)
        Path, size and modification time in ns at load of this file and of those known to belong to it.
    """

    path: str
    plugin: Plugin
    lazy: bool
    options: tuple[tuple[str, Any], ...]
    states: tuple[tuple[str, int, int], ...]

    @property
    def token(self) -> str:
        """Equal for equal content."""
        return hashlib.blake2b(repr(self).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def check_unchanged(self) -> None:
        """Nothing, when the files still are as they were at load; see `mapping.check_unchanged`."""
        for path, size, mtime_ns in self.states:
            mapping.check_unchanged(path, size, mtime_ns)

    def datasets(self) -> list[dict[str, Any]]:
        """What the plug-in finds in the file; asked once in a process."""
        token = self.token
        with _lock:
            found = _kept.get(token)
            if found is None:
                found = call(self.plugin, self.path, lazy=self.lazy, options=dict(self.options))[0]
                found = [each for each in found if hasattr(each.get("data"), "shape")]
                keep(self, found)
            else:
                _kept.move_to_end(token)
        return found

    def array(self, dataset: int, shape: tuple[int, ...], order: tuple[int, ...]) -> Any:
        """The pixels of a data set, dask or numpy, with its axes in another order.

        Parameters
        ----------
        dataset : int
            Which.
        shape : tuple of int
            Its shape at load, in the order of the file.
        order : tuple of int
            Axes of the file, navigation first.

        Raises
        ------
        FormatError
            The plug-in now finds something else.
        """
        found = self.datasets()
        data = found[dataset]["data"] if dataset < len(found) else None
        if data is None or tuple(data.shape) != shape:
            raise FormatError(
                f"{self.path}: the plug-in {self.plugin.name!r} of RosettaSciIO finds another data set {dataset} than "
                f"when it was loaded, expected shape {shape}; is the same version of it installed on every machine?"
            )
        return data.transpose(order)


def keep(recipe: Recipe, datasets: list[dict[str, Any]]) -> None:
    """Nothing; what the plug-in found is kept for the tasks of this process."""
    with _lock:
        _kept[recipe.token] = datasets
        _kept.move_to_end(recipe.token)
        most = _MOST_HELD * mapping.memory_limit()
        while len(_kept) > _MOST_OPEN or (len(_kept) > 1 and sum(map(_held, _kept.values())) > most):
            _kept.popitem(last=False)


def _held(datasets: list[dict[str, Any]]) -> int:
    """Bytes of the arrays in memory among data sets; dask arrays hold none."""
    return sum(int(each["data"].nbytes) for each in datasets if not hasattr(each["data"], "chunks"))
