"""Writers of Merlin files: processed and RAW pixels, one chip and four, single files and numbered series."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.frame_input import TILE, FrameInput, LazyFrames, read_tile, scan_shape_of, stacks
from lazy4d.data.mib_header import MibHeader, hdr_text
from lazy4d.data.mib_pixels import encode_pixels

PathLike = str | os.PathLike[str]


def write_mib(
    path: PathLike,
    frames: FrameInput,
    *,
    mode: str = "U16",
    chips: str = "1x1",
    scan_shape: tuple[int, int] | None = None,
    hdr: bool | Mapping[str, str | None] = True,
    frames_per_trigger: int | None = None,
    numbers: Sequence[int] | NDArray[Any] | None = None,
    **header: Any,
) -> Path:
    """Write frames to one Merlin file, holding a few dozen at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    frames : array (..., rows, columns), lazy source, or iterable of frames or stacks
        Assembled frames, non-negative integers. Fewer rows than a chip has make a cropped acquisition.
    mode : {"U08", "U16", "U32", "R1", "R6", "R12", "R24"}
        Processed pixels of 8, 16, 32 bits, or RAW of 1, 6, 12, 24 bits.
    chips : {"1x1", "2x2", "2x2G"}
        Sensor layout.
    scan_shape : tuple of int, optional
        Scan (rows, columns) for the `.hdr` file; by default that of frames with two navigation axes.
    hdr : bool or mapping
        Write the `.hdr` file beside; a mapping replaces, adds or (None) leaves out lines by key.
    frames_per_trigger : int, optional
        As stated in the `.hdr` file; by default one scan row, or all frames.
    numbers : sequence of int, optional
        Frame numbers in the headers, by default 1, 2, 3 …; repeat, skip or reorder some to simulate damage.
    **header
        Further fields of `MibHeader`: depth, mq1a, header_bytes, padding, tcp_prefix, exposure, interval, start and
        thresholds.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        No frames, frames of different shapes, values beyond the counter, fewer numbers than frames, or a layout that
        Merlin does not write.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = write_mib(folder / "scan.mib", np.ones((2, 3, 64, 64), "u2"))
    >>> path.stat().st_size == 6 * (384 + 64 * 64 * 2)
    True
    """
    path = Path(path)
    shape = scan_shape or scan_shape_of(frames)
    parts = _first_with_header(stacks(frames), mode, chips, header)
    settings = next(parts)[1]
    written = 0
    with open(path, "wb") as file:
        for part, _ in parts:
            file.write(_records(part, settings, written, numbers).data)
            written += len(part)
    _write_hdr(path, settings, written, shape, hdr, frames_per_trigger)
    return path


def write_mib_series(
    folder: PathLike,
    frames: FrameInput,
    *,
    frames_per_file: int = 1,
    stem: str = "frame_",
    digits: int = 6,
    first: int = 1,
    mode: str = "U16",
    chips: str = "1x1",
    scan_shape: tuple[int, int] | None = None,
    hdr: bool | Mapping[str, str | None] = True,
    frames_per_trigger: int | None = None,
    numbers: Sequence[int] | NDArray[Any] | None = None,
    **header: Any,
) -> list[Path]:
    """Write frames to a numbered series of Merlin files and return their paths in order.

    Parameters
    ----------
    folder : path
        Existing folder to write into.
    frames : array (..., rows, columns), lazy source, or iterable of frames or stacks
        Assembled frames, non-negative integers.
    frames_per_file : int
        Frames in each file but perhaps the last.
    stem : str
        Names are `<stem><number>.mib`; the one `.hdr` file is `<stem>.hdr`.
    digits : int
        Width of the number, with leading zeros.
    first : int
        Number of the first file.
    mode, chips, scan_shape, hdr, frames_per_trigger, numbers, **header
        As for `write_mib`; frame numbers in the headers run on through the series.

    Returns
    -------
    list of pathlib.Path
        The frame files.

    Examples
    --------
    >>> import tempfile
    >>> paths = write_mib_series(tempfile.mkdtemp(), np.ones((5, 64, 64), "u2"), frames_per_file=2)
    >>> [path.name for path in paths]
    ['frame_000001.mib', 'frame_000002.mib', 'frame_000003.mib']
    """
    folder = Path(folder)
    if frames_per_file < 1:
        raise ValueError(f"expected frames_per_file of at least 1, got {frames_per_file}")
    shape = scan_shape or scan_shape_of(frames)
    parts = _first_with_header(stacks(frames), mode, chips, header)
    settings = next(parts)[1]
    one_by_one = (part[k : k + 1] for part, _ in parts for k in range(len(part)))
    paths: list[Path] = []
    written = 0
    for number in itertools.count(first):
        group = list(itertools.islice(one_by_one, frames_per_file))
        if not group:
            break
        paths.append(folder / f"{stem}{number:0{digits}d}.mib")
        paths[-1].write_bytes(_records(np.concatenate(group), settings, written, numbers).data)
        written += len(group)
    _write_hdr(folder / f"{stem}.mib", settings, written, shape, hdr, frames_per_trigger)
    return paths


def write_simulated_mib(
    path: PathLike,
    scan: LazyFrames,
    *,
    mode: str = "U16",
    chips: str = "1x1",
    hdr: bool | Mapping[str, str | None] = True,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    **header: Any,
) -> Path:
    """Write a simulated scan to one Merlin file with several threads, a tile each at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    scan : SimulatedScan or another lazy source of frames
        What to write.
    mode, chips, hdr, **header
        As for `write_mib`.
    threads : int, optional
        By default one a processor.
    progress : callable, optional
        Called in the calling thread with the number of frames just written, for a progress bar.

    Returns
    -------
    pathlib.Path
        The file written: byte for byte what `write_mib` writes.

    Examples
    --------
    >>> import tempfile
    >>> from lazy4d.data import simulated_scan
    >>> scan = simulated_scan((4, 8), (64, 64))
    >>> path = write_simulated_mib(Path(tempfile.mkdtemp()) / "scan.mib", scan)
    >>> path.stat().st_size == 32 * (384 + 64 * 64 * 2)
    True
    """
    path = Path(path)
    total = math.prod(scan.nav_shape)
    if total == 0:
        raise ValueError(f"expected at least one frame, got a scan of shape {scan.nav_shape}")
    settings = MibHeader(frame_shape=scan.frame_shape, mode=mode, chips=chips, **header)
    with open(path, "wb") as file:
        file.truncate(total * settings.record_bytes)

    def write(start: int) -> int:
        stop = min(start + TILE, total)
        records = _records(read_tile(scan, start, stop), settings, start, None)
        with open(path, "r+b", buffering=0) as file:  # a handle each: threads share no file position, on any system
            file.seek(start * settings.record_bytes)
            file.write(records.data)
        return stop - start

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        try:
            for count in pool.map(write, range(0, total, TILE)):
                if progress is not None:
                    progress(count)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)  # Ctrl-C: do not draw the rest of the scan first
            raise
    _write_hdr(path, settings, total, scan_shape_of(scan), hdr, None)
    return path


def _first_with_header(
    parts: Iterator[NDArray[Any]], mode: str, chips: str, fields: dict[str, Any]
) -> Iterator[tuple[NDArray[Any], MibHeader]]:
    """Yield an empty stack with the header that the first frames ask for, then every stack with it."""
    first = next(parts, None)
    if first is None or len(first) == 0:
        raise ValueError("expected at least one frame, got none")
    header = MibHeader(frame_shape=(first.shape[1], first.shape[2]), mode=mode, chips=chips, **fields)
    yield first[:0], header
    for part in itertools.chain([first], parts):
        yield part, header


def _records(
    frames: NDArray[Any], header: MibHeader, index: int, numbers: Sequence[int] | NDArray[Any] | None
) -> NDArray[np.uint8]:
    """Headers and pixels of frames that follow `index` others, as bytes (n, record_bytes)."""
    n = len(frames)
    if numbers is not None and len(numbers) < index + n:
        raise ValueError(f"expected a number for every frame, got {len(numbers)} for at least {index + n} frames")
    chosen = range(index + 1, index + n + 1) if numbers is None else numbers[index : index + n]
    records = np.empty((n, header.record_bytes), np.uint8)
    before = header.record_bytes - header.payload_bytes
    for record, k, number in zip(records, range(index, index + n), chosen, strict=True):
        record[:before] = np.frombuffer(header.encode(int(number), k), np.uint8)
    records[:, before:] = encode_pixels(frames, header)
    return records


def _write_hdr(
    path: Path,
    header: MibHeader,
    frames: int,
    scan_shape: tuple[int, int] | None,
    hdr: bool | Mapping[str, str | None],
    frames_per_trigger: int | None,
) -> None:
    if hdr is False:
        return
    lines = None if hdr is True else hdr
    text = hdr_text(header, frames, scan_shape=scan_shape, frames_per_trigger=frames_per_trigger, lines=lines)
    path.with_suffix(".hdr").write_bytes(text)
