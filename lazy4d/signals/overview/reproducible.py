"""Whether the frames of a signal are the same in the next session: made by functions of this library only."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np

from lazy4d.lazy.lift import Terminal, WalkLayer
from lazy4d.lazy.stage import Kernel, PerPosition, SharedLazy, Stage

OWN = "lazy4d."

CUTS = frozenset({"getitem", "getter"})
"""Functions of dask that cut arrays."""


def reproducible(stage: Stage) -> bool:
    """Whether a stage's token says all that its result depends on.

    It does not where functions of the user's take part, which may change and keep their names, in the stage itself or
    in what is computed for it, such as a position for each frame.

    Examples
    --------
    >>> [reproducible(stage) for stage in (d.isig[2:8, 2:8]).frames.stages]
    [True]
    >>> mapped = d.map(np.sort, output_dtype="u2", output_signal_shape=(16, 16))
    >>> [reproducible(stage) for stage in mapped.frames.stages]
    [False]
    """
    return _own(stage.kernel.function) and all(map(_constant, stage.params))


def _own(function: Any) -> bool:
    if hasattr(function, "func"):  # a partial
        bound = (*function.args, *function.keywords.values())
        return _own(function.func) and all(map(_constant, bound))
    return str(getattr(function, "__module__", "")).startswith(OWN) or isinstance(function, np.ufunc)


def _constant(param: Any) -> bool:
    if isinstance(param, PerPosition | SharedLazy):
        return _of_files(param.array)
    if isinstance(param, Kernel):
        return _own(param.function)
    return _own(param) if callable(param) else True


def _of_files(array: Any) -> bool:
    """Whether an array is made of walks over files, and of nothing else."""
    layers = array.dask
    roots = (name for name, below in layers.dependencies.items() if not below)
    return all(name.startswith("plan-walk-") for name in roots) and all(map(_known_layer, layers.layers.values()))


def _known_layer(layer: Any) -> bool:
    if isinstance(layer, WalkLayer):
        return all(map(_known_result, layer.walk.terminals))
    task = getattr(layer, "task", None)
    if task is not None:
        return _known_task(task)
    return all(map(_known_task, layer.values()))


def _known_result(terminal: Terminal) -> bool:
    reduction = getattr(terminal.ending, "reduction", None)
    reduces = reduction is None or all(map(_own, (reduction.chunk, reduction.combine, reduction.finalize)))
    return reduces and all(map(reproducible, terminal.chain)) and all(map(_constant, terminal.ending.params))


def _known_task(task: Any) -> bool:
    function = getattr(task, "func", None)
    if function is None:  # data, or another name of them
        return not callable(task) or hasattr(task, "dependencies")
    cuts = isinstance(function, itemgetter) or getattr(function, "__name__", "") in CUTS
    return cuts or _own(function)
