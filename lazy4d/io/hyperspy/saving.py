"""A save as one pass over the frames, run here, or on a cluster with a bounded number of blocks under way."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask._task_spec import Task, TaskRef
from dask.base import get_scheduler
from dask.highlevelgraph import HighLevelGraph

from lazy4d.io.hyperspy.blocks import ChunkTarget, WriteChunks
from lazy4d.io.zarr_store.array_document import DTYPES
from lazy4d.lazy import Frames, run
from lazy4d.lazy.chunks import bounds
from lazy4d.lazy.lift import Terminal, Walk
from lazy4d.lazy.options import options
from lazy4d.lazy.progress import progress_of

PARTIAL = ".partial"
"""What follows the name of a file or store that is being written."""

IN_FLIGHT_BYTES = 2**30
"""Pixels of the blocks that a cluster may hold or send before they are written."""


@dataclass(frozen=True)
class Work:
    """The blocks that are still to be walked.

    Parameters
    ----------
    walk : Walk
        Over the frames, ending in `WriteChunks`.
    name : str
        Of the layer whose keys are the blocks.
    blocks : tuple of tuple of int
        Blocks with chunks that are missing.
    nbytes : tuple of int
        Stored bytes of each of these.
    nbytes_done : int
        Stored bytes of all others.
    """

    walk: Walk
    name: str
    blocks: tuple[tuple[int, ...], ...]
    nbytes: tuple[int, ...]
    nbytes_done: int


def plan_work(frames: Frames, target: ChunkTarget) -> Work:
    """The walk that writes the chunks of `target` which are not done."""
    layout, done = target.layout, target.done
    terminal = Terminal(
        f"save-{uuid4().hex}", frames.stages, WriteChunks(0, target, keep_invalid=not frames.stages), ()
    )
    borders = [bounds(blocks) for blocks in frames.chunks]
    blocks, nbytes, total = [], [], 0
    each = int(frames.source.frame_nbytes)
    for block in np.ndindex(*(len(c) for c in frames.chunks)):
        box = tuple(slice(int(b[k]), int(b[k + 1])) for b, k in zip(borders, block, strict=True))
        size = math.prod(s.stop - s.start for s in box) * each
        total += size
        if not done[layout.shards_in(box)].all():
            blocks.append(block)
            nbytes.append(size)
    walk = Walk(frames.source, frames.chunks, (terminal,))
    return Work(walk, terminal.name, tuple(blocks), tuple(nbytes), total - sum(nbytes))


def is_local() -> bool:
    """Whether tasks run in this process: on dask's threads, or one after another."""
    get = get_scheduler() or dask.threaded.get
    return get in (dask.threaded.get, dask.local.get_sync)


def write_in_tasks(work: Work, progress: Any) -> None:
    """Run the work where tasks store their chunks themselves, on any scheduler."""
    if not work.blocks:
        return
    total = work.nbytes_done + sum(work.nbytes)
    run.compute_rest(_one_byte_each(work), done=work.nbytes_done, total=total, progress=progress)


def _one_byte_each(work: Work) -> da.Array:
    """A lazy array with one byte for each block to be written; blocks that are not asked for are not walked."""
    name = f"saved-{work.name}"
    tasks = {(name, k): Task((name, k), _one_byte, TaskRef((work.name, *block))) for k, block in enumerate(work.blocks)}
    below = work.walk.graph()
    graph = HighLevelGraph({**below.layers, name: tasks}, {**below.dependencies, name: {work.name}})  # type: ignore[dict-item]
    return da.Array(graph, name, ((1,) * len(work.blocks),), meta=np.empty((0,), np.uint8))


def _one_byte(_: Any) -> np.ndarray:
    return np.zeros(1, np.uint8)


def write_here(work: Work, store: Callable[[list[Any]], None], progress: Any) -> None:
    """Run the work on a cluster, and store here what its tasks send: only so many blocks are under way at a time.

    Parameters
    ----------
    work : Work
        Its target returns packed chunks.
    store : callable
        Takes what one block returned.
    progress : bool or callable, optional
        Overrides the option of `set_options`.
    """
    setting = options().progress if progress is None else progress
    graph = work.walk.graph()
    with progress_of(setting, sum(work.nbytes), frozenset(), True) as report:
        for index, returned in _results(graph, work):
            store(returned)
            report(work.nbytes[index])


def _results(graph: HighLevelGraph, work: Work) -> Iterator[tuple[int, list[Any]]]:
    """What each block returned, in the order of completion."""
    from dask.delayed import Delayed

    keys: list[Any] = [(work.name, *block) for block in work.blocks]
    most = max(1, IN_FLIGHT_BYTES // max(work.nbytes, default=1))
    client = _client()
    if client is None:  # another scheduler of processes: by groups
        get = get_scheduler()
        step = min(most, 2 * (os.cpu_count() or 1))
        for start in range(0, len(keys), step):
            some = keys[start : start + step]
            yield from enumerate(get(graph.cull(set(some)), some), start)
        return
    from distributed import as_completed

    width = min(most, 2 * sum(client.nthreads().values()) + 1)
    waiting = iter(enumerate(keys))
    numbers: dict[Any, int] = {}

    def submit() -> Any:
        for number, key in waiting:
            [future] = client.compute([Delayed(key, dict(graph.cull({key})))])
            numbers[future.key] = number
            return future
        return None

    started = [future for future in (submit() for _ in range(width)) if future is not None]
    finished = as_completed(started, with_results=True)
    under_way = set(started)
    try:
        for future, returned in finished:
            under_way.discard(future)
            yield numbers.pop(future.key), returned
            del returned
            future.release()
            new = submit()
            if new is not None:
                under_way.add(new)
                finished.add(new)
    except BaseException:
        client.cancel(list(under_way))
        raise


def _client() -> Any:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def storable(where: str, frames: Frames) -> None:
    """Refuse frames that no file of HyperSpy can hold.

    Raises
    ------
    TypeError
        The dtype of the pixels.
    ValueError
        A single number.
    """
    if np.dtype(frames.dtype).name not in DTYPES:
        raise TypeError(
            f"{where}: pixels of dtype {frames.dtype} cannot be stored, expected one of {', '.join(DTYPES)}: convert "
            "them with .astype()"
        )
    if not frames.nav_shape and not frames.frame_shape:
        raise ValueError(f"{where}: a single number has no axes, which files of HyperSpy need: save it as .zarr")


def free_to_write(where: str, reads: Sequence[str] | set[str], overwrite: bool, kind: str, again: str = "") -> None:
    """Refuse to replace what is there, unless asked, and the file that the frames are read from.

    Parameters
    ----------
    where : str
        Absolute path.
    reads : set of str
        Files that the frames are read from.
    overwrite : bool
        Whether it may be replaced.
    kind : str
        What stands there, for the message.
    again : str
        What else can be done.

    Raises
    ------
    FileExistsError, ValueError
    """
    if not os.path.lexists(where):
        return
    if not overwrite:
        raise FileExistsError(
            f"{where}: {kind} is there already, expected nothing. Pass overwrite=True to replace it{again}, or save "
            "under another name"
        )
    own = os.path.realpath(where)
    if any(f"{os.path.realpath(source)}{os.sep}".startswith(f"{own}{os.sep}") for source in reads):
        raise ValueError(
            f"{where}: the frames are read from this very file, so it cannot be replaced by them: save under another "
            "name, or compute() the signal first"
        )


@contextmanager
def told_when_full(where: str) -> Iterator[None]:
    """Name the file in errors of the disk."""
    try:
        yield
    except OSError as error:
        error.add_note(f"lazy4d: while {where} was written; what was there before is untouched")
        raise
