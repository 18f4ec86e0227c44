"""Files for viewers: one larger than memory whose every frame is known, and how to have it leave the page cache."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lazy4d.data import simulated_scan, write_mib

FRAME = (256, 256)
POOL = 61
"""Different patterns; no divisor of a scan row, so that each row of positions looks different."""

RECORD = 384 + FRAME[0] * FRAME[1] * 2
"""Bytes of a frame with its header."""


class KnownScan:
    """A Merlin file of any size, of few patterns repeated; frame k carries its number in its first two pixels.

    Parameters
    ----------
    path : Path
        Written if it is not there; the scan is roughly square.
    nbytes : int, optional
        About how large to write it; an existing file keeps its size.
    """

    def __init__(self, path: Path, nbytes: int = 0) -> None:
        self.path = path
        self.pool = patterns()
        if not path.exists():
            if not nbytes:
                raise FileNotFoundError(f"there is no file {path}")
            self._write(nbytes)
        count = path.stat().st_size // RECORD
        columns = columns_of(count)
        self.scan_shape = (count // columns, columns)

    def _write(self, nbytes: int) -> None:
        columns = columns_of(nbytes // RECORD)
        rows = max(8, round(nbytes / RECORD / columns))
        free = shutil.disk_usage(self.path.parent).free
        if rows * columns * RECORD > 0.8 * free:
            raise OSError(f"{self.path} would take {rows * columns * RECORD / 1e9:.0f} of {free / 1e9:.0f} GB left")
        part = self.path.with_suffix(".part.mib")
        write_mib(part, self.frames(rows * columns), scan_shape=(rows, columns))
        part.with_suffix(".hdr").replace(self.path.with_suffix(".hdr"))
        part.replace(self.path)

    def frames(self, count: int) -> Iterator[np.ndarray]:
        """The frames, one after the other."""
        frames = self.pool.copy()
        for k in range(count):
            yield stamped(frames[k % POOL], k)

    def frame(self, row: int, column: int) -> np.ndarray:
        """Frame of a position."""
        k = row * self.scan_shape[1] + column
        return stamped(self.pool[k % POOL].copy(), k)

    def image(self, weights: np.ndarray) -> np.ndarray:
        """Virtual image [rows, columns] of weights [ky, kx]: float64."""
        count = self.scan_shape[0] * self.scan_shape[1]
        k = np.arange(count)
        image = np.einsum("nyx,yx->n", self.pool, weights.astype("f8"))[k % POOL]
        image += weights[0, 0] * (k & 0xFFFF) + weights[0, 1] * (k >> 16)
        return image.reshape(self.scan_shape)


def columns_of(frames: int) -> int:
    """Positions in a row of the scan: a power of 2 that makes it roughly square."""
    return int(2 ** max(3, round(np.log2(max(frames, 1)) / 2)))


def file_larger_than_memory() -> int:
    """Bytes of a file that does not fit into this machine's memory."""
    from lazy4d.lazy.memory import memory_limit

    return round(1.1 * memory_limit())


def stamped(frame: np.ndarray, number: int) -> np.ndarray:
    """The frame, with its number in its first two pixels."""
    frame[0, 0], frame[0, 1] = number & 0xFFFF, number >> 16
    return frame


def patterns() -> np.ndarray:
    """Diffraction patterns uint16 [POOL, 256, 256] whose first two pixels are 0; their beam wanders by 8 pixels."""
    scan = simulated_scan((1, POOL), FRAME, dose=40_000, descan=8.0, background=0.2, seed=3)
    pool = scan.as_array()[0].astype("u2")
    pool[:, 0, :2] = 0
    return pool


def leave_page_cache(path: Path) -> float:
    """Ask the system to drop a file from the page cache; the share of it that is still there."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return share_in_page_cache(path)


def share_in_page_cache(path: Path) -> float:
    """Share of a file's pages that are in memory, 0 to 1; NaN where the system does not tell."""
    size = path.stat().st_size
    try:
        mincore = ctypes.CDLL(None, use_errno=True).mincore
    except (AttributeError, OSError):
        return float("nan")
    step = 2**32
    resident = pages = 0
    with open(path, "rb") as file:
        for start in range(0, size, step):
            length = min(step, size - start)
            with mmap.mmap(file.fileno(), length, prot=mmap.PROT_READ, offset=start) as mapped:
                view = np.frombuffer(mapped, np.uint8)
                found = np.zeros(-(-length // mmap.PAGESIZE), np.uint8)
                wrong = mincore(
                    ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(length), found.ctypes.data_as(ctypes.c_void_p)
                )
                del view
                if wrong:
                    return float("nan")
            resident += int((found & 1).sum())
            pages += found.size
    return resident / pages


def bytes_read() -> tuple[int, int]:
    """Bytes this process asked of files by reading, and bytes that had to come from the disk (mapped files too)."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return found["rchar"], found["read_bytes"]
