"""What a run will cost, said before it runs and compared with the truth afterwards."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dask.array as da
import numpy as np

from lazy4d.lazy.endings import Accumulate, BinNavigation, Emit
from lazy4d.lazy.lift import SPLIT_EVERY, Walk, WalkLayer
from lazy4d.lazy.memory import PeakMemory
from lazy4d.lazy.overlap import NeighbourLayer
from lazy4d.lazy.ragged_ending import Ragged
from lazy4d.lazy.run import compute, plan_run
from lazy4d.lazy.stage import PerPosition
from lazy4d.lazy.walk import Plan, walk_box

TASK_SECONDS = 5e-4
"""What dask's threaded scheduler costs a task, measured; a cluster costs about eight times as much."""

SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class PassEstimate:
    """One walk over a source: what is read and which kernels take each tile."""

    source: str
    nbytes: int
    blocks: int
    block_nbytes: int
    kernels: tuple[str, ...]
    results: tuple[str, ...]
    seconds: float
    memory: int
    sampled: bool
    of_results: bool = False
    """Whether the frames are results of other passes, blocks of which are in memory then: nothing is read."""


@dataclass
class Explanation:
    """Passes, bytes, fused kernels, expected seconds and memory of a run.

    `print` it before the run; `compute()` runs and adds what was measured. Memory is what the run allocates itself;
    pages of mapped files come on top, at most one block a thread and one more.
    """

    results: tuple[da.Array, ...]
    labels: tuple[str, ...]
    passes: tuple[PassEstimate, ...]
    threads: int
    output_nbytes: int
    rebuild: Callable[[tuple[np.ndarray, ...]], Any] | None = None
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Stored bytes read in all passes."""
        return sum(p.nbytes for p in self.passes if not p.of_results)

    @property
    def seconds(self) -> float:
        """Expected duration on this machine's threads, with data as warm as the sample was."""
        return sum(p.seconds for p in self.passes)

    @property
    def memory(self) -> int:
        """Expected bytes allocated at the peak, results included."""
        return self.output_nbytes + max((p.memory for p in self.passes), default=0)

    def compute(self, progress: Any = None) -> Any:
        """Run, remember what it took, and give the results: signals computed where signals were explained."""
        with PeakMemory() as peak:
            start = time.perf_counter()
            values = compute(*self.results, progress=progress)
            self.measured = {"seconds": time.perf_counter() - start}
        if peak.anonymous is not None:
            self.measured["memory"] = peak.anonymous
        return values if self.rebuild is None else self.rebuild(values)

    def __str__(self) -> str:
        count = sum(not p.of_results for p in self.passes)
        lines = [
            f"{count} {'pass' if count == 1 else 'passes'}, {human_bytes(self.nbytes)} read, {self.threads} threads"
        ]
        number = 0
        for p in self.passes:
            number += not p.of_results
            what = "on results" if p.of_results else f"pass {number}: {p.source}"
            lines.append(f"  {what}, {human_bytes(p.nbytes)} in {p.blocks} blocks of {human_bytes(p.block_nbytes)}")
            lines += [f"    {kernel}" for kernel in p.kernels]
            if p.results:
                lines.append(f"    gives {', '.join(p.results)}")
            if not p.sampled and not p.of_results:
                lines.append("    (the cost of computing these frames is not known beforehand)")
        lines.append(f"  expected: {self.seconds:.3g} s, {human_bytes(self.memory)} of memory beside mapped files")
        if self.measured:
            memory = human_bytes(int(self.measured["memory"])) if "memory" in self.measured else "unknown memory"
            lines.append(f"  measured: {self.measured['seconds']:.3g} s, {memory}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(
    results: Sequence[da.Array],
    labels: Sequence[str] = (),
    rebuild: Callable[[tuple[np.ndarray, ...]], Any] | None = None,
) -> Explanation:
    """An `Explanation` of computing `results` together.

    Reads a few frames of each source to learn how fast they come and how long the kernels take, about 50 ms a pass.

    Parameters
    ----------
    results : sequence of dask.array.Array
        Lazy results.
    labels : sequence of str, optional
        Names for them in the report.
    rebuild : callable, optional
        What `Explanation.compute` makes of the computed arrays.
    """
    run = plan_run(results, in_place=False)
    named = dict(zip((r.name for r in results), labels, strict=False))
    threads = os.cpu_count() or 1
    around = {
        name: layer for r in results for name, layer in r.dask.layers.items() if isinstance(layer, NeighbourLayer)
    }
    passes = (
        *(_estimate_neighbours(layer, threads) for layer in around.values()),
        *(_estimate(walk, named, threads) for walk in run.walks.values()),
    )
    output = sum(math.prod(r.shape) * r.dtype.itemsize for r in results)
    return Explanation(tuple(results), tuple(labels), passes, threads, output, rebuild)


def _estimate(walk: Walk, named: dict[str, str], threads: int) -> PassEstimate:
    plan = walk.plan()
    blocks = math.prod(len(c) for c in walk.chunks)
    frames = math.prod(sum(c) for c in walk.chunks)
    in_block = math.prod(max(c) for c in walk.chunks)
    frame_seconds = _sample(walk, plan)
    seconds = (frame_seconds or 0.0) * frames / min(threads, blocks) + blocks * TASK_SECONDS
    return PassEstimate(
        source=_describe(walk.source),
        nbytes=frames * plan.frame_nbytes,
        blocks=blocks,
        block_nbytes=in_block * plan.frame_nbytes,
        kernels=_kernels(plan),
        results=tuple(named[t.name] for t in walk.terminals if t.name in named),
        seconds=seconds,
        memory=threads * _block_memory(plan, in_block),
        sampled=frame_seconds is not None,
        of_results=_is_result(walk.source.array),
    )


def _is_result(array: Any) -> bool:
    """Whether an array comes out of another walk, so that its blocks are in memory when they are needed."""
    layers = array.dask.layers.values() if hasattr(array, "dask") else ()
    return any(isinstance(layer, WalkLayer | NeighbourLayer) for layer in layers)


def _estimate_neighbours(layer: NeighbourLayer, threads: int) -> PassEstimate:
    """A pass of tasks that each read their own positions and the halo around them."""
    walk, plan = layer.walk, layer.walk.plan()
    blocks = math.prod(len(c) for c in walk.chunks)
    in_block = math.prod(max(c) + 2 * d for c, d in zip(walk.chunks, layer.depth, strict=True))
    return PassEstimate(
        source=_describe(walk.source),
        nbytes=layer.frames_read * plan.frame_nbytes,
        blocks=blocks,
        block_nbytes=in_block * plan.frame_nbytes,
        kernels=tuple(f"{chain} → {layer.function} (of neighbours)" for chain in _kernels(plan)),
        results=(),
        seconds=blocks * TASK_SECONDS,
        memory=threads * _block_memory(plan, in_block),
        sampled=False,
    )


def _describe(source: Any) -> str:
    inner = getattr(source, "source", source)
    label = getattr(inner, "label", None)
    if label:
        return str(label)
    if source.array is None:
        return type(inner).__name__
    return "array in memory" if getattr(source, "plain", None) is not None else "dask array"


def _kernels(plan: Plan) -> tuple[str, ...]:
    """One line a chain of steps, from decoding to its ending."""
    lines = []
    for ending in plan.endings:
        chain = []
        at = ending.step
        while at > 0:
            step = plan.steps[at]
            chain.append(step.kernel.name if step.kernel is not None else "")
            at = step.parent
        last = ending.reduction.chunk if isinstance(ending, Accumulate) else None
        if last is not None:
            chain.insert(0, f"{getattr(last, '__name__', 'reduction')} (over positions)")
        elif isinstance(ending, BinNavigation):
            chain.insert(0, "bin navigation")
        elif isinstance(ending, Ragged):
            chain.insert(0, ending.kernel.name)
        lines.append(" → ".join(["decode", *reversed(chain)]))
    return tuple(lines)


def _block_memory(plan: Plan, frames: int) -> int:
    """Bytes one task allocates: tiles, results of the block, and states waiting to be merged."""
    tile = plan.frames_per_tile()
    total = sum(tile * step.frame_nbytes for step in plan.steps)
    for ending in plan.endings:
        if isinstance(ending, Emit):
            total += frames * math.prod(plan.steps[ending.step].shape) * ending.dtype.itemsize
        elif isinstance(ending, Accumulate):
            state = sum(math.prod(s.shape) * np.dtype(s.dtype).itemsize for s in ending.reduction.state)
            total += state * (1 + SPLIT_EVERY)
        elif isinstance(ending, Ragged):
            total += tile * ending.frame_nbytes
        elif isinstance(ending, BinNavigation):
            groups = max(1, frames // math.prod(ending.factors))
            total += groups * math.prod(plan.steps[ending.step].shape) * ending.dtype.itemsize
    return total


def _sample(walk: Walk, plan: Plan) -> float | None:
    """Seconds a frame on one thread, from a few real tiles; None where frames are not there to be sampled."""
    if walk.source.array is not None and getattr(walk.source, "plain", None) is None:
        return None
    quiet = replace(plan, token="sample")
    boxes = _sample_boxes(walk, plan.frames_per_tile() * 4)
    _walk_sample(walk, quiet, boxes[0])  # compiles
    start, frames = time.perf_counter(), 0
    for box in boxes[1:] or boxes:
        # Fresh positions each time: frames already in the processor's cache would promise too much.
        frames += _walk_sample(walk, quiet, box)
        if time.perf_counter() - start > SAMPLE_SECONDS:
            break
    return (time.perf_counter() - start) / frames


def _walk_sample(walk: Walk, plan: Plan, box: tuple[slice, ...]) -> int:
    """Walk a small box, with zeros for parameters still to be computed; the number of its frames."""
    shape = tuple(s.stop - s.start for s in box)
    arrays: list[Any] = []
    if walk.source.array is not None:
        arrays.append(np.asarray(walk.source.plain[box]))
    for param in walk.lazy:
        array = param.array
        size = (*shape, *array.shape[len(shape) :]) if isinstance(param, PerPosition) else array.shape
        arrays.append(np.zeros(size, array.dtype))
    if plan.has_valid:
        arrays.append(np.ones(shape, bool))
    walk_box(plan, box, *arrays)
    return math.prod(shape)


def _sample_boxes(walk: Walk, frames: int) -> list[tuple[slice, ...]]:
    """Boxes of about `frames` positions, one in each of up to 16 blocks spread over the scan."""
    counts = tuple(len(c) for c in walk.chunks)
    blocks = math.prod(counts)
    boxes = []
    for flat in np.unique(np.linspace(0, blocks - 1, min(blocks, 16)).astype(int)):
        block = np.unravel_index(flat, counts) if counts else ()
        sides = []
        left = frames
        for sizes, index in zip(reversed(walk.chunks), reversed(block), strict=True):
            start = sum(sizes[: int(index)])
            take = max(1, min(sizes[int(index)], left))
            sides.append(slice(start, start + take))
            left //= take
        boxes.append(tuple(reversed(sides)))
    return boxes


def human_bytes(nbytes: float) -> str:
    """Bytes as people write them.

    Examples
    --------
    >>> human_bytes(8589934592)
    '8.6 GB'
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if nbytes < 1000 or unit == "TB":
            return f"{nbytes:.0f} {unit}" if nbytes >= 100 or unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} TB"
