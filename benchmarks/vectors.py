"""Diffraction vectors: milliseconds a frame with what was found, right and how exactly, beside each.

A row is one line of a user's code on a file in the page cache, from frames to computed vectors. Wall is with all cores,
CPU the time of all threads together, which other work on the machine changes least. Precision and recall are of
positions within half a radius of a true one, rms is along one axis.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lazy4d as l4
from benchmarks.measure import table
from benchmarks.memory import _watched
from benchmarks.peers import Peer
from lazy4d.data import DiskFrames, VectorScore, disk_frames, score_vectors

SIZES = {128: 2048, 256: 768, 512: 192}
"""Frames of each size."""
DISTINCT = 8
"""Different ones among them."""
DOSE, BACKGROUND = 100.0, 1.0
"""Electrons on a pixel: within the brightest disk (the faintest has a tenth), and everywhere."""

SITUATIONS = {
    128: ((0, 9), (5, 9), (25, 5), (100, 3), (25, 3), (9, 15), (3, 25)),
    256: ((0, 9), (5, 9), (25, 9), (100, 9), (25, 3), (25, 5), (25, 15), (9, 25)),
    512: ((0, 9), (5, 9), (25, 9), (100, 9), (25, 3), (25, 18), (25, 25), (40, 25)),
}
"""Disks and their radius, for each size of frame."""

SETTINGS: dict[str, dict[str, Any]] = {"defaults": {}, "accurate": {"subpixel": "dft"}}
"""Options beside the radius; the accurate ones are those of the tables of errors in the tests."""

TARGETS = {(256, 25, 9): 0.3, (512, 25, 9): 1.5}
"""Milliseconds a frame on two cores, with the defaults."""
IMAGE_TARGETS = {256: 0.2}
"""Milliseconds a frame on two cores, for the correlation image alone."""


@dataclass(frozen=True, eq=False)
class Case:
    """Frames of one size with so many disks, in a file, and the truth about the different ones among them."""

    path: Path
    made: DiskFrames
    radius: float
    count: int

    @property
    def signal(self) -> Any:
        return l4.load(self.path)

    def score(self, found: list[Any]) -> VectorScore:
        """Of what was found in the first frames, which are all different."""
        return score_vectors(found[:DISTINCT], self.made.positions(), within=self.radius / 2)


def case(folder: Path, size: int, number: int, radius: float, count: int) -> Case:
    options: dict[str, Any] = {"dose": DOSE, "faintest": 0.1, "background": BACKGROUND, "structure": "soft"}
    options |= {"number": number, "disk_radius": radius, "seed": number + int(radius)}
    try:  # so far apart that no disk is in another's surroundings, where there is room for that
        made = disk_frames((DISTINCT,), (size, size), separation=2.5 * radius, **options)
    except ValueError:
        made = disk_frames((DISTINCT,), (size, size), **options)
    repeats = max(1, count // DISTINCT)
    path = folder / f"vectors-{size}-{number}-{radius:g}.npy"
    np.save(path, np.tile(made.frames, (repeats, 1, 1)))
    return Case(path, made, radius, repeats * DISTINCT)


def positions(vectors: Any) -> list[Any]:
    """Columns (ky, kx) of each frame of computed vectors."""
    ragged = vectors.ragged
    both = np.stack([ragged["ky"], ragged["kx"]], axis=-1)
    return np.split(both, ragged.offsets[1:-1])


def timed(job: Callable[[], Any], rounds: int) -> tuple[float, float, Any]:
    """Medians of the seconds on the wall and of all threads, and what came out."""
    result = job()
    seconds = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        job()
        seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
    walls, cpus = zip(*seconds, strict=True)
    return float(np.median(walls)), float(np.median(cpus)), result


def check(folder: Path) -> None:
    """The same vectors in two sorts of blocks, and those of frames without noise where they truly are."""
    made = disk_frames((4, 6), (96, 90), number=6, disk_radius=6, separation=18, margin=12, noise=False)
    whole = l4.Diffraction2D(made.frames).get_diffraction_vectors(disk_r=6).compute()
    path = folder / "vectors-check.npy"
    np.save(path, made.frames)
    parts = l4.load(path, chunks=(1, 4)).get_diffraction_vectors(disk_r=6).compute()
    for name in whole.ragged.names:
        np.testing.assert_array_equal(whole.ragged[name], parts.ragged[name])
    score = score_vectors(positions(whole), made.positions(), within=1)
    if score.precision < 1 or score.recall < 1 or score.rms > 0.03:
        raise RuntimeError(f"frames without noise: {score.precision=}, {score.recall=}, {score.rms=}")
    path.unlink()


def described(score: VectorScore) -> list[str]:
    return [f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.rms:.4f}"]


def rows_of(folder: Path, size: int, count: int, rounds: int) -> list[list[str]]:
    """One row for each number of disks and radius: both settings, with what they found."""
    rows = []
    for number, radius in SITUATIONS[size]:
        one = case(folder, size, number, radius, count)
        signal = one.signal
        row = [f"{size} x {size}, {number} disks, radius {radius}"]
        for options in SETTINGS.values():

            def find(options: dict[str, Any] = options, signal: Any = signal, radius: float = radius) -> Any:
                return signal.get_diffraction_vectors(disk_r=f"{radius} px", **options).compute()

            wall, cpu, found = timed(find, rounds)
            score = one.score(positions(found))
            row += [f"{wall / one.count * 1e3:.3f}", f"{cpu / one.count * 1e3:.3f}", *described(score)]
        target = TARGETS.get((size, number, radius))
        rows.append([*row, f"{target:.2f}" if target else ""])
        one.path.unlink()
    return rows


def images(folder: Path, counts: dict[int, int], rounds: int) -> str:
    """The correlation image alone, summed over the scan because it is not kept; and the sum of the frames."""
    rows = []
    for size, count in counts.items():
        for radius in (3, 9, 25):
            one = case(folder, size, 4, radius, count)
            signal = one.signal
            wall, cpu, _ = timed(lambda s=signal, r=radius: s.template_match_disk(f"{r} px").sum().compute(), rounds)
            plain, _, _ = timed(lambda s=signal: s.sum().compute(), rounds)
            target = f"{IMAGE_TARGETS[size]:.2f}" if size in IMAGE_TARGETS else ""
            times = [f"{seconds / one.count * 1e3:.3f}" for seconds in (wall, cpu, plain)]
            rows.append([f"{size} x {size}, radius {radius}", *times, target])
            one.path.unlink()
    return table(["correlation image, ms a frame", "wall", "CPU", "sum of frames", "target"], rows)


def peers(folder: Path, python: str, rounds: int, count: int) -> str:
    """Other programs on the same frames, in turns with us."""
    one = case(folder, 256, 25, 9, count)
    signal = one.signal
    peer = Peer(python, "vectors_worker.py", one.path, one.radius, folder)

    def ours() -> Any:
        return signal.get_diffraction_vectors(disk_r="9 px").compute()

    ours()
    seconds: dict[str, list[float]] = {"lazy4d": [], **{name: [] for name in peer.jobs}}
    cpus = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        found = ours()
        seconds["lazy4d"].append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        for name in peer.jobs:
            seconds[name].append(peer.run(name))
    results = {"lazy4d": positions(found)}
    for number, name in enumerate(peer.jobs):
        results[name] = json.loads((folder / f"found-{number}.json").read_text())
    peer.close()
    best = np.median(seconds["lazy4d"])
    rows = []
    for name, times in seconds.items():
        median = float(np.median(times))
        ratio = f"{median / best:.0f} x"
        rows.append([name, f"{median / one.count * 1e3:.3f}", ratio, *described(one.score(results[name]))])
    rows[0][0] += f" ({np.median(cpus) / one.count * 1e3:.3f} ms CPU)"
    one.path.unlink()
    return table(["256 x 256, 25 disks, radius 9, ms a frame", "wall", "ratio", "precision", "recall", "rms px"], rows)


def memory_job(path: str) -> dict[str, float]:
    """Peaks of finding the vectors of a file; in a process of its own."""
    signal = l4.load(path)
    signal.inav[:8].get_diffraction_vectors(disk_r="9 px").compute(progress=False)
    found: list[Any] = []
    total, anonymous = _watched(
        lambda: found.append(signal.get_diffraction_vectors(disk_r="9 px").compute(progress=False))
    )
    return {"total": total, "anonymous": anonymous, "result": found[0].ragged.nbytes, "frames": len(signal.data)}


SCRIPT = """
import json

from benchmarks.vectors import memory_job

if __name__ == "__main__":
    print(json.dumps(memory_job({path!r})))
"""


def memory(folder: Path, count: int) -> str:
    """Peak memory for `count` frames and for four times as many."""
    rows = []
    for frames in (count, 4 * count):
        one = case(folder, 256, 25, 9, frames)
        target = folder / "vectors_memory_job.py"
        target.write_text(SCRIPT.format(path=str(one.path)))
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        done = subprocess.run([sys.executable, str(target)], capture_output=True, text=True, env=env)
        if done.returncode:
            raise RuntimeError(f"the job failed:\n{done.stderr}")
        peak = json.loads(done.stdout.splitlines()[-1])
        sizes = [one.path.stat().st_size, peak["anonymous"], peak["total"], peak["result"]]
        rows.append([f"{one.count} frames", *(f"{nbytes / 1e6:.0f} MB" for nbytes in sizes)])
        one.path.unlink()
    return table(["memory, 256 x 256, 25 disks", "file", "anonymous", "total", "vectors"], rows)


def report(folder: Path, rounds: int, python: str | None = None, share: float = 1.0) -> str:
    """All tables."""
    check(folder)
    counts = {size: max(DISTINCT, int(count * share)) for size, count in SIZES.items()}
    rows = [row for size, count in counts.items() for row in rows_of(folder, size, count, rounds)]
    columns = [
        f"{name}: {what}" if what == "wall" else what
        for name in SETTINGS
        for what in ("wall", "CPU", "precision", "recall", "rms px")
    ]
    parts = [
        table(["vectors, ms a frame", *columns, "target (wall)"], rows),
        images(folder, counts, rounds),
        memory(folder, max(DISTINCT, int(2048 * share))),
    ]
    if python is not None:
        parts.append(peers(folder, python, min(rounds, 3), max(DISTINCT, int(128 * share))))
    return "\n\n".join(parts)
