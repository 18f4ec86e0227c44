"""``lazy4d demo``: simulate a scan, write it as a Merlin file, compute images of it in one pass, draw and save them."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lazy4d.cli.options import debug_option
from lazy4d.cli.report import duration, row

if TYPE_CHECKING:
    from lazy4d.data import SimulatedScan
    from lazy4d.signals import BaseSignal

FRAME_SHAPE = (256, 256)
HEADER_BYTES = 384
DOSE = 50_000  # electrons a frame
SPARE = 1.2
"""Free space asked for, in sizes of the scan: results take some, too."""
REPEATS = 3


@click.command()
@click.option(
    "--size", type=click.FloatRange(min=0.0, min_open=True), default=0.5, show_default=True, metavar="GB",
    help="Size of the scan.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where results go; by default a new folder among the temporary files.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the simulated scan, too.")
@click.option("--seed", type=click.IntRange(min=0), default=4, show_default=True, help="Everything random follows.")
@debug_option
def demo(size: float, out: Path | None, keep: bool, seed: int) -> None:
    """Simulate a scan of overlapping grains, write it as a Merlin file, and work on that file.

    Bright field, annular dark field, centre of mass and mean pattern are computed in one pass, checked against the
    truth of the simulation, saved as Zarr and drawn in one picture.
    """
    rows = scan_rows(size)
    folder = Path(tempfile.mkdtemp(prefix="lazy4d-demo-")) if out is None else out
    folder.mkdir(parents=True, exist_ok=True)
    scan_file = folder / "grains.mib"
    finished = False
    try:
        check_space(folder, rows * rows)
        _run(folder, scan_file, rows, seed)
        finished = True
    finally:
        if not (keep and finished):
            scan_file.unlink(missing_ok=True)
            scan_file.with_suffix(".hdr").unlink(missing_ok=True)
        if out is None and not finished:
            shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, path: Path, rows: int, seed: int) -> None:
    from lazy4d import api
    from lazy4d.plot import panel
    from lazy4d.roi import CircleROI
    from lazy4d.signals.display import human_bytes

    start = time.perf_counter()
    scan = simulate(rows, seed)
    write(path, scan)
    nbytes = rows * rows * FRAME_SHAPE[0] * FRAME_SHAPE[1] * 2
    row("simulated", f"{rows} × {rows} positions, 256 × 256 pixels, uint16, in {duration(time.perf_counter() - start)}")
    row("file", f"{path} ({human_bytes(path.stat().st_size)})")

    api.load(path)  # imports the reader
    start = time.perf_counter()
    s: Any = api.load(path)
    row("loaded in", f"{duration(time.perf_counter() - start)}, no pixel read\n{s!r}")
    s.set_calibration(**scan.signal_parameters)
    detectors = {
        "bright field": CircleROI(128, 128, 14),
        "annular dark field": CircleROI(128, 128, 116, r_inner=18),
    }
    results = {
        "mean pattern": s.mean(),
        **s.get_virtual_image(detectors),
        "beam position": s.get_direct_beam_position(method="center_of_mass"),
    }
    computed, timing = compute(results, path)
    report(timing, nbytes)
    row("checked", check(computed, scan))

    start = time.perf_counter()
    save(computed, s, folder)
    figure = panel(computed, detectors=detectors, dpi=140)
    figure.savefig(folder / "demo.png")
    row("saved in", f"{duration(time.perf_counter() - start)}, with a smaller scan (binned 4 × 4):")
    for result in sorted(item for item in folder.iterdir() if item.suffix in (".png", ".zarr")):
        row("", str(result))


def scan_rows(size: float) -> int:
    """Rows, and columns, of a square scan of about `size` GB, a multiple of 8 where it has many.

    Examples
    --------
    >>> scan_rows(0.5), scan_rows(0.002), scan_rows(8)
    (64, 4, 248)
    """
    frames = size * 1e9 / (FRAME_SHAPE[0] * FRAME_SHAPE[1] * 2 + HEADER_BYTES)
    rows = max(4, round(frames**0.5))
    return rows if rows < 32 else round(rows / 8) * 8


def check_space(folder: Path, frames: int) -> None:
    """Refuse to fill the disk.

    Raises
    ------
    OSError
        Less space is free than a scan of so many frames and its results need.

    Examples
    --------
    >>> check_space(Path("."), 1)
    """
    needed = frames * (FRAME_SHAPE[0] * FRAME_SHAPE[1] * 2 + HEADER_BYTES) * SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"the demo needs {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free: give a smaller --size, "
            "or another folder with --out"
        )


def simulate(rows: int, seed: int) -> SimulatedScan:
    """Overlapping grains whose edges deflect the beam a little, as their inner potential does, on top of a descan.

    Examples
    --------
    >>> simulate(8, 0).nav_shape
    (8, 8)
    """
    import numpy as np

    from lazy4d.data import simulated_scan

    shape = (rows, rows)
    thickness = simulated_scan(shape, FRAME_SHAPE, seed=seed).truth["thickness"]
    slope = np.stack(np.gradient(thickness, 1 / 64, 1 / 64), -1) * min(1.0, rows / 64) ** 2
    across = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"), -1)
    deflection = np.clip(0.12 * slope, -2.5, 2.5) + across
    return simulated_scan(shape, FRAME_SHAPE, seed=seed, dose=DOSE, descan=deflection, halo=0.06, background=0.002)


def write(path: Path, scan: Any) -> None:
    """Write the scan on all cores, with a progress bar."""
    from lazy4d.data import write_simulated_mib

    rows, columns = scan.nav_shape
    with _bar(rows * columns * scan.frame_nbytes, "simulating") as advance:
        write_simulated_mib(path, scan, progress=lambda frames: advance(frames * scan.frame_nbytes))


@contextmanager
def _bar(total: int, text: str) -> Iterator[Callable[[int], object]]:
    import sys

    from tqdm import tqdm

    bar = tqdm(
        total=total, desc=text, unit="B", unit_scale=True, dynamic_ncols=True, leave=False,
        disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        yield bar.update


@dataclass(frozen=True)
class Timing:
    """What one pass took: seconds of the first run and of later ones, of the memory limit, and bytes at the peak."""

    first: float
    later: float
    limit: float
    total: int | None
    anonymous: int | None


def compute(results: dict[str, BaseSignal], path: Path) -> tuple[dict[str, BaseSignal], Timing]:
    """All results in one pass, the first time with a progress bar, then timed in turns with the speed of memory."""
    from lazy4d import api
    from lazy4d.cli.limit import MemoryLimit
    from lazy4d.lazy.memory import PeakMemory

    with PeakMemory() as peak:
        start = time.perf_counter()
        computed = api.compute(results)[0]
        first = time.perf_counter() - start
    limit = MemoryLimit(path)
    limit()
    later, limits = [], []
    for _ in range(REPEATS):
        limits.append(limit.seconds())
        start = time.perf_counter()
        api.compute(results, progress=False)
        later.append(time.perf_counter() - start)
    times = Timing(first, statistics.median(later), statistics.median(limits), peak.total, peak.anonymous)
    return computed, times


def report(timing: Timing, nbytes: int) -> None:
    """Print speed, share of the speed of memory, and memory."""
    gb, threads = nbytes / 1e9, os.cpu_count()
    row("first run", f"{duration(timing.first)} = {gb / timing.first:.2g} GB/s, with loading or compiling the kernels")
    row(
        "next runs",
        f"{duration(timing.later)} = {gb / timing.later:.2g} GB/s, median of {REPEATS}, four results in one pass",
    )
    row(
        "memory limit",
        f"{gb / timing.limit:.2g} GB/s, adding up the mapped file on {threads} threads: "
        f"the pass runs at {timing.limit / timing.later:.0%} of it",
    )
    if timing.total is None or timing.anonymous is None:
        row("peak memory", "not known on this system")
    else:
        row(
            "peak memory",
            f"{timing.anonymous / 1e6:.0f} MB allocated in the first run, compiling included;\n"
            f"{timing.total / 1e6:.0f} MB with pages of the mapped file, which the system may take back",
        )


def check(computed: dict[str, BaseSignal], scan: SimulatedScan) -> str:
    """How far the measured centre of mass is from the true one, in words.

    Raises
    ------
    ValueError
        Further than noise explains.
    """
    import numpy as np

    error = computed["beam position"].as_numpy() - scan.truth["center_of_mass"]
    rms = float(np.sqrt(np.mean(error**2)))
    if not rms < 1.0:
        raise ValueError(f"the centre of mass is {rms:.2g} px from the truth, expected noise of less than 1 px")
    return f"centre of mass within {rms:.2f} px (rms, noise of {DOSE} electrons a frame) of the simulated truth"


def save(computed: dict[str, BaseSignal], scan: Any, folder: Path) -> None:
    """Write each result, and the scan binned, to a Zarr store of its own."""
    for name, signal in computed.items():
        signal.save(folder / f"{name.replace(' ', '_')}.zarr", overwrite=True)
    scan.rebin(scale=(1, 1, 4, 4)).astype("uint32").save(folder / "binned_scan.zarr", overwrite=True)
