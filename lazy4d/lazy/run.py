"""Run lazy results: one pass per source, a progress bar, and Ctrl-C that leaves nothing running."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.array.optimization import optimize as optimize_arrays
from dask.base import get_scheduler
from dask.highlevelgraph import HighLevelGraph

from lazy4d.lazy import damage, jobs
from lazy4d.lazy.fuse import fuse_walks, walks_of
from lazy4d.lazy.lift import Walk, positions
from lazy4d.lazy.options import options
from lazy4d.lazy.progress import progress_of

BARRIER = 8


@dataclass
class Run:
    """A graph ready for a scheduler: every result once, each source read once."""

    graph: HighLevelGraph
    results: tuple[da.Array, ...]
    walks: dict[str, Walk]
    sinks: dict[str, np.ndarray] = field(default_factory=dict)
    barriers: list[Any] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Stored bytes that all walks read."""
        return sum(positions(w.chunks) * int(w.source.frame_nbytes) for w in self.walks.values())


def plan_run(results: Sequence[da.Array], in_place: bool) -> Run:
    """The merged graph of `results`; with `in_place`, results are filled where they will stay."""
    graph = HighLevelGraph.merge(*(r.dask for r in results))
    sinks: dict[str, np.ndarray] = {}
    if in_place:
        emitted = {t.name for w in walks_of(graph).values() for t in w.terminals if hasattr(t.ending, "sink")}
        needed = {d for deps in graph.dependencies.values() for d in deps}
        for result in results:
            if result.name in emitted and result.name not in needed:
                sinks[result.name] = np.empty(result.shape, result.dtype)
    fused = fuse_walks(graph, sinks)
    walks = walks_of(fused)
    run = Run(fused, tuple(results), walks, sinks)
    if sinks:
        run.graph, run.barriers = _with_barriers(fused, walks, set(sinks))
    return run


def _with_barriers(graph: HighLevelGraph, walks: dict[str, Walk], sinks: set[str]) -> tuple[HighLevelGraph, list[Any]]:
    """Tasks that wait for the blocks of walks that fill sinks, and let go of whatever else they return."""
    layers, dependencies = dict(graph.layers), dict(graph.dependencies)
    keys = []
    for name, walk in walks.items():
        if not any(t.name in sinks for t in walk.terminals):
            continue
        for terminal in walk.terminals:
            if terminal.name in sinks:
                del layers[terminal.name], dependencies[terminal.name]
        blocks = [(name, *block) for block in np.ndindex(*(len(c) for c in walk.chunks))]
        barrier = f"done-{name}"
        tasks = {}
        for k in range(0, len(blocks), BARRIER):
            key = (barrier, k // BARRIER)
            tasks[key] = Task(key, _discard, List(*map(TaskRef, blocks[k : k + BARRIER])))
        layers[barrier] = tasks  # type: ignore[assignment]
        dependencies[barrier] = {name}
        keys += list(tasks)
    return HighLevelGraph(layers, dependencies), keys


def _discard(_: Any) -> None:
    return None


def compute(*results: da.Array, progress: Any = None) -> tuple[np.ndarray, ...]:
    """The values of lazy arrays, with one pass over each source however many results are asked for.

    Parameters
    ----------
    *results : dask.array.Array
        Anything built on frames, arithmetic that followed included.
    progress : bool or callable, optional
        Overrides the option of the same name; a callable gets ``(bytes_done, bytes_total)``.

    Returns
    -------
    tuple of ndarray
        Owned, native-endian arrays in the order given.

    Notes
    -----
    Runs on dask's current scheduler: threads, or an active ``dask.distributed.Client``. On ``KeyboardInterrupt`` the
    blocks in flight stop at their next tile, and the call returns only when none is left. Damaged frames that the
    tasks found, where damage was asked to be tolerated, give one `Lazy4DWarning` for each source.

    Examples
    --------
    >>> import numpy as np
    >>> from lazy4d.lazy import Frames
    >>> frames = Frames.from_array(np.arange(16).reshape(4, 2, 2), nav_ndim=1)
    >>> compute(frames.data.sum(), frames.data.max(), progress=False)
    (array(120), array(15))
    """
    if not results:
        return ()
    get = get_scheduler() or dask.threaded.get
    local = get in (dask.threaded.get, dask.local.get_sync)
    checks = damage.validity_of(results)
    run = plan_run((*results, *checks.values()), in_place=local)
    rest = [r for r in run.results if r.name not in run.sinks]
    keys: list[Any] = [list(r.__dask_keys__()) for r in rest]
    with _supervised(run, local, options().progress if progress is None else progress):
        wanted = [*keys, run.barriers] if run.barriers else keys
        graph = optimize_arrays(run.graph, list(dask.core.flatten(wanted)))
        values = get(graph, wanted)
    assembled = {}
    for result, blocks in zip(rest, values, strict=False):
        finalize, extra = result.__dask_postcompute__()
        assembled[result.name] = _owned(finalize(blocks, *extra), result.dtype)
    assembled.update(run.sinks)
    for label, valid in checks.items():
        damage.tell(label, assembled[valid.name])
    names = [r.name for r in results]  # who asks for a result twice gets two arrays
    return tuple(assembled[n].copy() if n in names[:k] else assembled[n] for k, n in enumerate(names))


def compute_rest(*results: da.Array, done: int, total: int, progress: Any = None) -> None:
    """Compute lazy arrays for what they do, where part of the work was done before: progress goes on from there.

    Parameters
    ----------
    *results : dask.array.Array
        As for `compute`.
    done, total : int
        Bytes that were done before, and of all.
    progress : bool or callable, optional
        As for `compute`.
    """
    setting = options().progress if progress is None else progress
    if not done or setting is False:
        compute(*results, progress=setting)
        return
    seen = 0
    with progress_of(setting, total, frozenset(), True) as report:
        report(done)

        def advance(now: int, _: int) -> None:
            nonlocal seen
            report(now - seen)
            seen = now

        compute(*results, progress=advance)


def _owned(value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """A native array of our own; a single block could otherwise be a view of an array still in use."""
    array = np.asarray(value)
    native = dtype.newbyteorder("=")
    if array.base is not None or array.dtype != native:
        return array.astype(native)
    return array


def persist(*results: da.Array, progress: Any = None) -> tuple[da.Array, ...]:
    """The same lazy arrays with their blocks computed, in one pass, and kept: in memory, or on the cluster."""
    run = plan_run(results, in_place=False)
    ready = [da.Array(run.graph, r.name, r.chunks, meta=r._meta) for r in results]
    get = get_scheduler()
    local = get is None or get in (dask.threaded.get, dask.local.get_sync)
    with _supervised(run, local, options().progress if progress is None else progress):
        return tuple(dask.persist(*ready))


@contextmanager
def _supervised(run: Run, local: bool, progress: Any) -> Iterator[None]:
    """Progress and cancellation around one call of a scheduler."""
    names = frozenset(run.walks)
    with ExitStack() as stack:
        report = stack.enter_context(progress_of(progress, run.nbytes, names, local))
        job = stack.enter_context(jobs.listening(jobs.Job(names, report)))
        if local and any(t.multiplies_matrices for w in run.walks.values() for t in w.terminals):
            stack.enter_context(_one_blas_thread())
        client = None if local else _client()
        if client is not None:
            client.run(jobs.allow_walks, names)
        try:
            yield
        except BaseException as error:
            job.cancel()
            if client is not None and isinstance(error, KeyboardInterrupt | SystemExit):
                client.run(jobs.cancel_walks, names)
            job.wait_idle()
            raise


def _client() -> Any:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Matrix products inside tasks on one thread each: dask's threads already fill the cores."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def peak_block_nbytes(walks: Sequence[Walk]) -> int:
    """Largest stored size of a block in any of the walks."""
    return max(
        (math.prod(max(c) for c in w.chunks) * int(w.source.frame_nbytes) for w in walks),
        default=0,
    )
