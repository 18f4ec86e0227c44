"""Compression and chunk shape of our own store: size, and the speed of writing, streaming, one frame and one pixel.

Four kinds of data: Poisson counts of a simulated scan at 1, 10 and 1000 electrons a pixel (uint16), and events counted
one by one, 0.01 a pixel (uint8). What our own writer can write, it writes; our own readers read everything. Speeds are
of unpacked pixels in the page cache, by CPU time: those of one core, whatever else the machine has to do.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

import lazy4d as l4
from benchmarks.measure import table
from lazy4d.data import simulated_scan
from lazy4d.io.zarr_store import write
from lazy4d.io.zarr_store.layout import ShardLayout

FRAME = (256, 256)
DOSES = {"1 e/px": 1.0, "10 e/px": 10.0, "1000 e/px": 1000.0, "counted": 0.01}

CODECS: dict[str, Any] = {
    "none": "none",
    "lz4 shuffle": {"cname": "lz4", "shuffle": "shuffle"},
    "lz4 bitshuffle": {"cname": "lz4", "shuffle": "bitshuffle"},
    "zstd 1": {"cname": "zstd", "clevel": 1, "shuffle": "noshuffle"},
    "zstd 1 shuffle": {"cname": "zstd", "clevel": 1, "shuffle": "shuffle"},
    "zstd 1 bitshuffle": {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle"},
    "zstd 3 bitshuffle": {"cname": "zstd", "clevel": 3, "shuffle": "bitshuffle"},
    "zstd 5 bitshuffle": {"cname": "zstd", "clevel": 5, "shuffle": "bitshuffle"},
}
USUAL = "zstd 1 bitshuffle"

CHUNKS = {"1 frame": (1, 1), "1x4 frames": (1, 4), "1x8 frames": (1, 8), "1x32 frames": (1, 32), "4x4 frames": (4, 4)}
FOREIGN = ("4x4 frames",)
"""Chunks that are no runs of frames: our writer has none, zarr-python writes them and our reader reads them."""

WHOLE = "1x8 frames"
"""1 MiB of uint16."""


def scan(dose: float, nav_shape: tuple[int, int]) -> np.ndarray:
    """Counts ``[y, x, ky, kx]`` of a dose in electrons a pixel: a few expected patterns, each drawn many times."""
    few = (4, 8)
    expected = simulated_scan(few, FRAME, dose=dose, dose_per="pixel", noise=False, background=0.05, halo=0.1)
    patterns = expected.as_array().astype("f8").reshape(-1, *FRAME)
    random = np.random.default_rng(1)
    out = np.empty((*nav_shape, *FRAME), "u1" if dose < 0.1 else "u2")
    for k, place in enumerate(np.ndindex(*nav_shape)):
        out[place] = np.minimum(random.poisson(patterns[k % len(patterns)]), np.iinfo(out.dtype).max)
    return out


@contextmanager
def chunks_of(inner: tuple[int, int]) -> Iterator[None]:
    """Let saves use inner chunks of so many frames; a shard holds four whole rows of positions."""
    usual = write._new_layout

    def layout(frames: Any) -> ShardLayout:
        shard = (4, -(-frames.nav_shape[1] // inner[1]) * inner[1], *frames.frame_shape)
        stored = np.dtype(frames.dtype).newbyteorder("<")
        return ShardLayout(frames.nav_shape, frames.frame_shape, stored, shard, (*inner, *frames.frame_shape))

    write._new_layout = layout  # type: ignore[assignment]
    try:
        yield
    finally:
        write._new_layout = usual


class Store:
    """Jobs on one store; each returns its own CPU seconds, of all threads together."""

    def __init__(self, path: Path, pixels: np.ndarray, codec: Any, inner: tuple[int, int]):
        self.path, self.codec, self.inner = path, codec, inner
        self.signal = l4.Diffraction2D(pixels)
        self.write()
        files = (os.path.join(at, name) for at, _, names in os.walk(path) for name in names)
        self.nbytes = sum(map(os.path.getsize, files))
        self.loaded = l4.load(path)

    def write(self) -> float:
        """Save it all."""
        if self.inner[0] > 1:
            return self.write_by_zarr()
        shutil.rmtree(self.path, ignore_errors=True)
        start = time.process_time()
        with chunks_of(self.inner):
            self.signal.save(self.path, codec=self.codec, progress=False)
        return time.process_time() - start

    def write_by_zarr(self) -> float:
        shutil.rmtree(self.path, ignore_errors=True)
        pixels, settings = self.signal.data, dict(self.codec)
        codec = BloscCodec(cname=settings["cname"], clevel=settings["clevel"], shuffle=settings["shuffle"])
        start = time.process_time()
        array = zarr.create_array(
            self.path, shape=pixels.shape, dtype=pixels.dtype, chunks=(*self.inner, *FRAME), compressors=codec
        )
        array[...] = pixels
        return time.process_time() - start

    def stream(self) -> float:
        start = time.process_time()
        self.loaded.get_virtual_image(l4.CircleROI(128, 128, 60, r_inner=20)).compute()
        return time.process_time() - start

    def frame(self) -> float:
        start = time.process_time()
        for k in range(8):
            self.loaded.inav[5 * k % self.loaded.shape[1], 3 * k % self.loaded.shape[0]].compute()
        return (time.process_time() - start) / 8

    def pixel(self) -> float:
        start = time.process_time()
        self.loaded.isig[100:101, 80:81].compute()
        return time.process_time() - start


def measure(path: Path, pixels: np.ndarray, codec: str, chunk: str, rounds: int) -> list[str]:
    store = Store(path, pixels, CODECS[codec], CHUNKS[chunk])
    jobs = {"write": store.write, "stream": store.stream, "frame": store.frame, "pixel": store.pixel}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            if name == "write":
                continue
            spent = job()
            if number:
                seconds[name].append(spent)
    for _ in range(max(1, rounds - 1)):
        seconds["write"].append(store.write())
    middle = {name: float(np.median(values)) for name, values in seconds.items()}
    shutil.rmtree(path)
    return [
        f"{pixels.nbytes / store.nbytes:.2f}",
        *(f"{pixels.nbytes / middle[name] / 1e9:.2f}" for name in ("write", "stream")),
        f"{middle['frame'] * 1e3:.1f}",
        f"{pixels.nbytes / middle['pixel'] / 1e9:.2f}",
    ]


def report(folder: Path, rounds: int, rows: int = 24) -> str:
    """Two tables: codecs at the usual chunk shape, chunk shapes with the usual codec."""
    nav_shape = (max(4, rows // 4 * 4), 32)
    head = ["", "ratio", "write GB/s", "stream GB/s", "one frame ms", "pixel series GB/s"]
    parts = []
    with l4.set_options(progress=False):
        for name, dose in DOSES.items():
            pixels = scan(dose, nav_shape)
            lines = [[codec, *measure(folder / "store.zarr", pixels, codec, WHOLE, rounds)] for codec in CODECS]
            lines += [
                [
                    f"{chunk}{' (zarr-python)' if chunk in FOREIGN else ''}",
                    *measure(folder / "store.zarr", pixels, USUAL, chunk, rounds),
                ]
                for chunk in CHUNKS
            ]
            title = f"{name}, {pixels.dtype}, {pixels.nbytes / 1e6:.0f} MB; chunks of {WHOLE}, then {USUAL}"
            parts.append(f"{title}\n{table(head, lines)}")
    return "\n\n".join(parts)
