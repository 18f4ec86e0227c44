"""What a case of the conformance suite is: how to write a small file, and the truth about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io import registry
from lazy4d.io.source import Source

NAV = (3, 4)


@dataclass(frozen=True)
class Region:
    """Bytes ``[start, stop)`` of a file that mean one thing; those that are `fuzzed` say how to read the others."""

    path: Path
    name: str
    start: int
    stop: int
    fuzzed: bool = False


@dataclass(frozen=True)
class Written:
    """What an encoder wrote, and what a correct reader returns."""

    path: Any  # what is loaded
    frames: NDArray[Any]  # [nav..., ky, kx]
    files: tuple[Path, ...]  # files (or folders) that hold frames; the first one tells the reader
    regions: tuple[Region, ...] = ()
    companions: tuple[Path, ...] = ()  # files beside
    axes: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)  # name: units, scale, offset


Encoder = Callable[[Path, str, NDArray[Any]], Written]


@dataclass(frozen=True)
class Case:
    """One way to store frames: an encoder of ``(folder, stem, frames)``, and the options to load what it writes."""

    reader: str
    write: Encoder
    options: Mapping[str, Any] = field(default_factory=dict)
    frame_shape: tuple[int, int] = (16, 64)
    dtype: str = "u2"
    below: int = 4096  # pixels are smaller
    headerless: bool = False  # nothing in the file tells what it is
    magic: int = 4  # bytes at the start without which it is not such a file; 0: what tells is elsewhere
    rearranged: bool = True  # frames are in a row and can be arranged anew by scan_shape, sync_offset and flyback
    counted: bool = True  # the file, or the options, say how many frames there should be
    understood_once: bool = False  # parts that say how to read the others are needed only by loading
    sparse: bool = False  # parts that are absent are blank, by definition of the format
    needs: tuple[str, ...] = ()  # packages of the encoder
    big: tuple[int, int] = (128, 256)  # frame shape where a file must be large against its headers

    def frames(self, frame_shape: Sequence[int] | None = None, seed: int = 9) -> NDArray[Any]:
        """Random pixels, every frame different."""
        shape = (*NAV, *(frame_shape or self.frame_shape))
        rng = np.random.default_rng(seed)
        if np.dtype(self.dtype).kind in "ui":
            return rng.integers(0, self.below, shape, self.dtype)
        whole = rng.integers(-self.below, self.below, shape)
        if np.dtype(self.dtype).kind == "c":
            return (whole + 1j * rng.integers(0, self.below, shape)).astype(self.dtype)
        return (whole / 4).astype(self.dtype)


@dataclass(frozen=True)
class Stored:
    """A case, written."""

    case: Case
    written: Written

    @property
    def path(self) -> Any:
        return self.written.path

    @property
    def frames(self) -> NDArray[Any]:
        return self.written.frames

    @property
    def files(self) -> tuple[Path, ...]:
        return self.written.files

    def options(self, **options: Any) -> dict[str, Any]:
        return {**self.case.options, **options}

    def read(self, **options: Any) -> Source:
        forced = {"reader": self.case.reader} if self.case.headerless else {}
        return registry.read(self.path, **{**forced, **self.options(**options)})

    def load(self, **options: Any) -> Any:
        import lazy4d as l4

        forced = {"reader": self.case.reader} if self.case.headerless else {}
        return l4.load(self.path, **{**forced, **self.options(**options)})

    def every_file(self) -> list[Path]:
        """Each regular file written, companions included."""
        return sorted({p for file in (*self.files, *self.written.companions) for p in files_in(file)})

    def data_files(self) -> list[Path]:
        """Each regular file without which frames are missing; the image of the scan in our own stores is none."""
        return sorted({p for file in self.files for p in files_in(file) if "navigator" not in p.parts})


def files_in(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]


def write(
    case: Case, folder: Path, stem: str = "scan", frame_shape: Sequence[int] | None = None, seed: int = 9
) -> Stored:
    """The case written to a folder."""
    frames = case.frames(frame_shape, seed)
    return Stored(case, case.write(folder, stem, frames))


def moved(stored: Stored, folder: Path, target: Path) -> Stored:
    """The same case where its folder was copied to."""
    there = stored.written

    def place(path: Any) -> Any:
        if isinstance(path, list):
            return [place(each) for each in path]
        return type(path)(target / Path(path).relative_to(folder))

    written = replace(
        there,
        path=place(there.path),
        files=tuple(map(place, there.files)),
        companions=tuple(map(place, there.companions)),
        regions=tuple(replace(region, path=place(region.path)) for region in there.regions),
    )
    return Stored(stored.case, written)


def records(
    path: Path, *, count: int, pixels: int, before: int = 0, behind: int = 0, start: int = 0, named: str = "frame"
) -> tuple[Region, ...]:
    """Regions of a file of records: a file header, then for the first two and the last record header, pixels, rest."""
    stride = before + pixels + behind
    found = [Region(path, "file header", 0, start, True)] if start else []
    for k in sorted({0, 1, count - 1}):
        at = start + k * stride
        parts = (("header", before, True), ("pixels", pixels, False), ("rest", behind, False))
        for name, length, fuzzed in parts:
            if length and at < path.stat().st_size:
                found.append(Region(path, f"{name} of {named} {k}", at, at + length, fuzzed))
                at += length
    return tuple(found)


def whole(path: Path, *, fuzzed: bool = True) -> Region:
    """A file as one region."""
    return Region(path, path.name, 0, path.stat().st_size, fuzzed)


def copy_to(file: Path, target: Path) -> Path:
    """A file or folder under another name."""
    return Path(shutil.copytree(file, target) if file.is_dir() else shutil.copyfile(file, target))


@contextmanager
def restored(path: Path) -> Iterator[bytes]:
    """The bytes of a file, which is as it was, time included, when the context ends."""
    before, status = path.read_bytes(), path.stat()
    try:
        yield before
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def reshaped(case: Case, **changes: Any) -> Case:
    return replace(case, **changes)
