"""Peak memory of streaming through a file larger than memory, on threads and on a cluster with little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import lazy4d as l4
from benchmarks.graphs import sparse_file
from benchmarks.measure import table

SIDE = 1024  # positions along each axis: 256 GiB of float32 frames
WORKERS = 2
WORKER_LIMIT = "2GB"

SCRIPT = """
import json

from benchmarks.memory import job

if __name__ == "__main__":
    print(json.dumps(job({path!r}, {rows}, {cluster})))
"""


def job(path: str, rows: int, cluster: bool) -> dict[str, float]:
    """Stream the first `rows` scan rows, annulus, centre of mass and sum pattern at once; in a process of its own."""
    from lazy4d.lazy.memory import memory_use

    signal = l4.load(path, scan_shape=(SIDE, SIDE), frame_shape=(256, 256), dtype="<f4")
    part = signal.inav[:, :rows]
    results = (
        part.get_virtual_image(l4.CircleROI(128, 128, 90, r_inner=40)),
        part.get_direct_beam_position(method="center_of_mass"),
        part.sum(),
    )
    block = max(int(c) for c in part.frames.chunks[0]) * max(part.frames.chunks[1]) * 256 * 256 * 4
    start = time.perf_counter()
    if cluster:
        peaks = _on_cluster(results)
    else:
        peaks = [_watched(lambda: l4.compute(*results, progress=False))]
    seconds = time.perf_counter() - start
    last = memory_use()
    return {
        "total": max(p[0] for p in peaks),
        "anonymous": max(p[1] for p in peaks),
        "block": block,
        "seconds": seconds,
        "nbytes": rows * SIDE * 256 * 256 * 4,
        "client": last[0] if last else 0,
    }


class Watcher:
    """Highest resident memory of this process, sampled every 10 ms by a thread."""

    def __init__(self) -> None:
        import threading

        from lazy4d.lazy.memory import memory_use

        self.peak = (0, 0)
        self.stop = threading.Event()

        def look() -> None:
            while not self.stop.wait(0.01):
                now = memory_use()
                if now is not None:
                    self.peak = (max(self.peak[0], now[0]), max(self.peak[1], now[1]))

        self.thread = threading.Thread(target=look, daemon=True)
        self.thread.start()

    def end(self) -> tuple[int, int]:
        self.stop.set()
        self.thread.join()
        return self.peak


def _watched(work) -> tuple[int, int]:
    watcher = Watcher()
    work()
    return watcher.end()


_watchers: list[Watcher] = []


def begin_watching() -> None:
    _watchers.append(Watcher())


def end_watching() -> tuple[int, int]:
    return _watchers.pop().end()


def _on_cluster(results) -> list[tuple[int, int]]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, memory_limit=WORKER_LIMIT, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(begin_watching)
        l4.compute(*results, progress=False)
        return list(client.run(end_watching).values())


def report(folder: Path, gigabytes: float) -> str:
    """Peaks against the targets: anonymous 300 MB, total 300 MB + (threads + 1) blocks."""
    path = sparse_file(folder, SIDE, SIDE)
    rows_needed = max(1, min(SIDE, round(gigabytes * 1e9 / (SIDE * 256 * 256 * 4))))
    lines = []
    for label, cluster in (("threads", False), (f"{WORKERS} workers of {WORKER_LIMIT}", True)):
        target = folder / "memory_job.py"
        target.write_text(SCRIPT.format(path=str(path), rows=rows_needed, cluster=cluster))
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        done = subprocess.run([sys.executable, str(target)], capture_output=True, text=True, env=env)
        if done.returncode:
            raise RuntimeError(f"the job on {label} failed:\n{done.stderr}")
        found = json.loads(done.stdout.splitlines()[-1])
        threads = 1 if cluster else (os.cpu_count() or 1)
        allowed = 300e6 + (threads + 1) * found["block"]
        lines.append(
            [
                label,
                f"{found['nbytes'] / 1e9:.1f} GB",
                f"{found['nbytes'] / 1e9 / found['seconds']:.1f} GB/s",
                f"{found['anonymous'] / 1e6:.0f} MB",
                "<= 300 MB",
                f"{found['total'] / 1e6:.0f} MB",
                f"<= {allowed / 1e6:.0f} MB",
            ]
        )
    path.unlink()
    return table(["streaming a 256 GiB file", "read", "speed", "anonymous", "target", "total", "target"], lines)
