"""The scans that are measured: made once into a folder, written by the encoders, with results known from numpy."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from lazy4d.data import simulated_scan, write_mib, write_simulated_mib


class Dataset:
    """A Merlin scan of 256 x 256 frames, uint16, and what numpy makes of it."""

    def __init__(self, folder: Path, rows: int, columns: int = 128, size: int = 256) -> None:
        self.scan_shape, self.size = (rows, columns), size
        self.path = folder / f"benchmark-{rows}x{columns}x{size}.mib"
        if not self.path.exists():
            scan = simulated_scan(self.scan_shape, (size, size), dose=40_000, descan=4.0, background=0.2, seed=1)
            write_simulated_mib(self.path, scan)
        record = np.dtype([("header", "V384"), ("frame", ">u2", (size, size))])
        self.frames = np.memmap(self.path, record, mode="r")["frame"].reshape(*self.scan_shape, size, size)

    @property
    def nbytes(self) -> int:
        return self.frames.nbytes

    @cached_property
    def reference(self) -> dict[str, np.ndarray]:
        """Slow, row by row, exact."""
        y, x = np.indices((self.size, self.size))
        r = np.hypot(y - self.size // 2, x - self.size // 2)
        rings = {name: (r >= a) & (r < b) for name, (a, b) in DETECTORS.items()}
        found: dict[str, list[np.ndarray]] = {name: [] for name in [*rings, "com"]}
        total = np.zeros((self.size, self.size), np.uint64)
        peak = np.zeros((self.size, self.size), np.uint16)
        for row in self.frames:
            native = row.astype("u2")
            for name, ring in rings.items():
                found[name].append(native[:, ring].sum(axis=1, dtype=np.uint64))
            counts = native.sum(axis=(1, 2), dtype=np.float64)
            found["com"].append(
                np.stack([np.einsum("nyx,yx->n", native, c, dtype=np.float64) / counts for c in (y, x)], axis=1)
            )
            total += native.sum(axis=0, dtype=np.uint64)
            peak = np.maximum(peak, native.max(axis=0))
        return {**{k: np.array(v) for k, v in found.items()}, "sum": total, "max": peak}


DETECTORS = {"bright field": (0, 20), "inner ring": (20, 40), "annulus": (40, 90), "outer ring": (90, 120)}


def packed_variants(folder: Path, frames: int = 2048) -> dict[str, Path]:
    """Smaller files in the packed formats, random counts that use their whole range."""
    rng = np.random.default_rng(2)
    paths = {}
    for label, depth, shape, mode, chips in (
        ("RAW 1 bit", 1, (256, 256), "R1", "1x1"),
        ("RAW 6 bit", 6, (256, 256), "R6", "1x1"),
        ("RAW 12 bit", 12, (256, 256), "R12", "1x1"),
        ("RAW 12 bit quad", 12, (512, 512), "R12", "2x2"),
        ("8 bit", 8, (256, 256), "U08", "1x1"),
        ("quad 512 x 512", 12, (512, 512), "U16", "2x2"),
    ):
        count = frames if shape == (256, 256) else frames // 2
        path = folder / f"benchmark-{label.replace(' ', '-')}.mib"
        if not path.exists():
            pool = rng.integers(0, min(2**depth, 255 if mode == "U08" else 2**depth), (16, *shape)).astype("u2")
            write_mib(path, (pool[k % 16] for k in range(count)), mode=mode, chips=chips, scan_shape=(32, count // 32))
        paths[label] = path
    return paths
