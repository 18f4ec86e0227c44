"""The same virtual image from every uncompressed format, as a share of the speed of memory.

One scan, stored as each detector or program would store it. Every result is checked against numpy before a speed is
reported; the limit is taken on the file itself, in turn with the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lazy4d as l4
from benchmarks.dataset import DETECTORS, Dataset
from benchmarks.measure import interleave, table
from lazy4d.cli.limit import MemoryLimit
from lazy4d.data import write_blo, write_celeritas, write_empad, write_mib, write_mrc, write_seq, write_tvips

TARGET = 0.6
CENTRE = 128


@dataclass(frozen=True)
class Stored:
    """A file of a format: what is loaded, with which options, and what its first file is for the limit."""

    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    measured: Path | None = None


def annulus(size: int = 2 * CENTRE) -> l4.CircleROI:
    inner, outer = DETECTORS["annulus"]
    scale = size / (2 * CENTRE)
    return l4.CircleROI(size // 2, size // 2, int(outer * scale), r_inner=int(inner * scale))


def uncompressed(folder: Path, frames: np.ndarray) -> dict[str, Callable[[], Stored]]:
    """How each file is made; `frames` is uint16, (rows, columns, ky, kx)."""
    shape, stack = frames.shape[:2], frames.reshape(-1, *frames.shape[2:])
    scan = {"scan_shape": shape}
    small = stack.astype("u1")

    def once(name: str, write: Callable[[Path], Any], **options: Any) -> Stored:
        path = folder / name
        if not path.exists():
            write(path)
        return Stored(path, options)

    def celeritas(pre_buffer: int) -> Stored:
        stem = f"formats-celeritas-{pre_buffer}"
        top = folder / f"{stem}_Top_00-00-00.000.seq"
        if not top.exists():
            write_celeritas(
                folder, stack, stem=stem, pre_buffer=pre_buffer, counters=False, times=("00-00-00.000",) * 2
            )
        return Stored(top, {**scan, "pre_buffer": pre_buffer, "frame_numbers": "ignore"})

    def empad() -> Stored:
        path = folder / "formats-empad.raw"
        if not path.exists():
            write_empad(folder, stack[:, 64:192, 64:192].astype("f4"), name=path.name, xml=None)
        return Stored(path, {**scan, "reader": "empad"})

    def contiguous_hdf5(path: Path) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            file["data"] = frames

    def plain_zarr(path: Path) -> None:
        import zarr

        rows = max(1, 2**26 // stack[0].nbytes // shape[1])
        chunks = (rows, *frames.shape[1:])
        zarr.create_array(path, shape=frames.shape, chunks=chunks, dtype="u2", compressors=None)[...] = frames

    return {
        "mib": partial(once, "formats.mib", lambda p: write_mib(p, stack, scan_shape=shape)),
        "raw": partial(once, "formats.raw", stack.tofile, **scan, frame_shape=stack.shape[1:], dtype="<u2"),
        "npy": partial(once, "formats.npy", lambda p: np.save(p, frames)),
        "seq": partial(once, "formats.seq", lambda p: write_seq(p, stack), **scan),
        "seq halves, pre-buffer 4": partial(celeritas, 4),
        "seq halves, pre-buffer 64": partial(celeritas, 64),
        "mrc, mode 6": partial(once, "formats.mrc", lambda p: write_mrc(p, stack), **scan),
        "mrc, mode 0 (8 bit)": partial(once, "formats-8-bit.mrc", lambda p: write_mrc(p, small), **scan, mode0="uint8"),
        "blo, 8 bit": partial(once, "formats.blo", lambda p: write_blo(p, small, scan_shape=shape)),
        "tvips": partial(once, "formats_000.tvips", lambda p: write_tvips(p, stack), **scan),
        "empad (128 x 128, float32)": empad,
        "hdf5, contiguous": partial(once, "formats.h5", contiguous_hdf5),
        "zarr v3, no compression": partial(once, "formats-plain.zarr", plain_zarr),
    }


def ring(size: int) -> np.ndarray:
    """The detector as a mask."""
    inner, outer = (radius * size // (2 * CENTRE) for radius in DETECTORS["annulus"])
    distance = np.hypot(*(np.indices((size, size)) - size // 2))
    return (distance >= inner) & (distance < outer)


def report(data: Dataset, folder: Path, rounds: int) -> str:
    """GB/s of stored pixels for each format, and the share of the limit on the same file."""
    rows = max(1, data.scan_shape[0] // 4)
    frames = data.frames[:rows].astype("u2")
    expected = data.reference["annulus"][:rows]
    small = (frames[..., 64:192, 64:192][..., ring(128)]).sum(axis=-1, dtype=np.uint64)
    lines = []
    for name, make in uncompressed(folder, frames).items():
        stored = make()
        signal = l4.load(stored.path, **stored.options)
        size = signal.frame_shape[0]
        job = partial(lambda s, roi: s.get_virtual_image(roi).compute(), signal, annulus(size))
        np.testing.assert_array_equal(job().data, expected if size == 2 * CENTRE else small, err_msg=name)
        first = stored.path if stored.path.is_file() else max(stored.path.rglob("*"), key=lambda p: p.stat().st_size)
        limit = MemoryLimit(first)
        timings = interleave({"limit": limit, "job": job}, rounds)
        top = limit.nbytes / 1e9 / timings.median("limit")
        speed = signal.data.nbytes / 1e9 / timings.median("job")
        lines.append([name, f"{speed:.1f}", f"{speed / top:.2f}", f"{TARGET}", f"{timings.spread('job'):.0%}"])
    return table(["virtual image from", "GB/s", "x limit", "target", "spread"], lines)
