"""The files of a MIB recording put in order, and the damage that sizes and a sample of headers show."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence as SequenceOf
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError
from lazy4d.io.files import FrameFiles, split_folder
from lazy4d.io.inspection import Inspection
from lazy4d.io.mapping import open_read_only
from lazy4d.io.mib.check import HeaderCheck
from lazy4d.io.mib.geometry import Geometry, read_at
from lazy4d.io.sequence import Probe, Sequence, probe_sequence
from lazy4d.io.source import no_damage

_FILES_A_JOB = 256
_SLOW_OPEN = 5e-5  # seconds to open and read a header, beyond which threads pay
_SAMPLED_FILES = 64  # with more files than this only their first and last headers are looked at
_NUMBERED = re.compile(r"(.*?)(\d+)\.[^.]*$", re.DOTALL)
_SAY_INCOMPLETE = "Load with incomplete='nan' or 'zero' to mark them invalid, or 'crop' to keep the whole lines before"
_SAY_IGNORE = "If these numbers do not count frames, load with frame_numbers='ignore'"


@dataclass(frozen=True)
class Recording:
    """The frames of one acquisition, in order.

    Parameters
    ----------
    files : FrameFiles
        Which file and record holds a frame number.
    check : HeaderCheck
        What every header must say.
    usable : int
        Frame numbers before the first damage known.
    warnings : tuple of str
        Damage found and tolerated.
    """

    files: FrameFiles
    check: HeaderCheck
    usable: int
    warnings: tuple[str, ...]


@dataclass(eq=False)
class _Ends:
    """First and last header, size and time of each file."""

    paths: list[str]
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: NDArray[np.uint8]
    last: NDArray[np.uint8]

    def take(self, index: NDArray[Any]) -> _Ends:
        """Some of the files, in that order."""
        chosen = np.arange(len(self.paths))[index]
        paths = [self.paths[i] for i in chosen.tolist()]
        return _Ends(
            paths, *(column[chosen] for column in (self.sizes, self.mtimes, self.counts, self.first, self.last))
        )


def survey(paths: SequenceOf[str], geometry: Geometry, *, incomplete: str, count: bool) -> Recording:
    """The frames of one or many files in the order of their header numbers.

    Parameters
    ----------
    paths : sequence of str
        Absolute paths; several must share a stem before their digits.
    geometry : Geometry
        Layout of the first file, which all must have.
    incomplete : str
        What to do with damage: raise it, or note it and go on.
    count : bool
        Trust frame numbers; otherwise files follow the digits of their names, and frames their place in the file.

    Raises
    ------
    FormatError
        A file does not belong, a header is damaged or frame numbers jump: names the file, record and byte.
    TruncatedFileError
        A file ends inside a frame.
    """
    check = HeaderCheck.like(geometry.header, count=count)
    digits = _name_numbers(paths)
    ends = _read_ends(list(paths), geometry, check.nbytes)
    found = check.inspect(ends.first)
    notes: list[str] = []
    keep = _belonging(ends, found, geometry, check, incomplete, notes)
    if not keep.all():
        ends, digits = ends.take(keep), digits[keep]
        found = check.inspect(ends.first)
    if not ends.paths:
        raise TruncatedFileError(f"{paths[0]}: no file holds a whole frame; {' '.join(notes)}")
    numbers = _unwrapped(found, digits, ends.counts) if count else np.zeros(len(ends.paths), np.int64)
    order = np.argsort(numbers if count else digits, kind="stable")
    ends, numbers = ends.take(order), numbers[order]
    if not count:
        numbers = np.cumsum(ends.counts) - ends.counts
    _note_tails(ends, geometry, incomplete, notes)
    check = replace(check, first=int(numbers[0]) if count else check.first)
    numbers = numbers - numbers[0]
    runs, unreadable = _runs(ends, numbers, geometry, check, incomplete, notes)
    _check_overlap(ends, runs, check)
    gap = _note_gaps(ends, runs, geometry, check, incomplete, notes)
    files = FrameFiles.of_runs(ends.paths, ends.sizes, ends.mtimes, runs)
    usable = min(n for n in (files.total, gap, unreadable) if n is not None)
    return Recording(files, check, usable, tuple(notes))


def _name_numbers(paths: SequenceOf[str]) -> NDArray[np.int64]:
    """The trailing number of each file name.

    Raises
    ------
    FormatError
        Names of several files do not share a stem: names the first that differs.
    """
    if len(paths) == 1:
        return np.zeros(1, np.int64)
    stem: str | None = None
    digits = []
    names = split_folder(paths)[1]
    for path, name in zip(paths, names, strict=True):
        match = _NUMBERED.fullmatch(os.path.basename(name))
        if match is None:
            raise FormatError(
                f"{path}: files of a series are named by a stem and a number, such as scan_000001.mib; this one "
                f"has no number: leave it out"
            )
        if stem is None:
            stem = match[1]
        elif match[1] != stem:
            raise FormatError(
                f"{path}: does not belong to the series: expected a name beginning with {stem!r}, as "
                f"{os.path.basename(paths[0])!r} does; leave it out"
            )
        digits.append(int(match[2]))
    return np.array(digits, np.int64)


def _read_ends(paths: list[str], geometry: Geometry, nbytes: int) -> _Ends:
    """The first and last header of every file; by a pool of threads where opening is slow, as on network drives."""
    start, stride = geometry.layout.start, geometry.layout.stride

    def read(job: list[str]) -> list[tuple[int, int, int, bytes, bytes]]:
        rows = []
        for path in job:
            fd = open_read_only(path)
            try:
                status = os.fstat(fd)
                size = status.st_size
                whole = max(0, size - start) // stride
                first = read_at(fd, nbytes, start)
                last = read_at(fd, nbytes, start + (whole - 1) * stride) if whole > 1 else first
            finally:
                os.close(fd)
            rows.append((size, status.st_mtime_ns, whole, first, last))
        return rows

    rows: list[tuple[int, int, int, bytes, bytes]]
    jobs = [paths[i : i + _FILES_A_JOB] for i in range(0, len(paths), _FILES_A_JOB)]
    begin = time.perf_counter()
    rows = read(jobs[0])
    if time.perf_counter() - begin > _SLOW_OPEN * len(jobs[0]):
        with ThreadPoolExecutor(16) as pool:
            rows += [row for part in pool.map(read, jobs[1:]) for row in part]
    else:  # threads would only pass the interpreter lock back and forth
        rows += [row for job in jobs[1:] for row in read(job)]
    sizes, mtimes, counts = (np.array(column, np.int64) for column in list(zip(*rows, strict=True))[:3])
    return _Ends(
        paths, sizes, mtimes, counts, _table([row[3] for row in rows], nbytes), _table([row[4] for row in rows], nbytes)
    )


def _table(heads: list[bytes], nbytes: int) -> NDArray[np.uint8]:
    """One row a head, short ones filled up with 0."""
    return np.frombuffer(b"".join(head.ljust(nbytes, b"\0") for head in heads), np.uint8).reshape(-1, nbytes)


def _belonging(
    ends: _Ends, found: Inspection, geometry: Geometry, check: HeaderCheck, incomplete: str, notes: list[str]
) -> NDArray[np.bool_]:
    """Which files hold frames of this recording."""
    different = found.readable & ~found.same
    if different.any():
        index = int(np.flatnonzero(different)[0])
        told = check.explain(bytes(ends.first[index]), 0)
        raise FormatError(
            f"{ends.paths[index]}: does not belong to the series of {ends.paths[0]}: {told}; leave it out"
        )
    for index in np.flatnonzero(~found.readable | (ends.counts == 0)).tolist():
        path = ends.paths[index]
        if ends.counts[index] == 0:
            error: Lazy4DError = TruncatedFileError(
                f"{path}: not one whole frame in its {ends.sizes[index]} bytes. {_SAY_INCOMPLETE}"
            )
        else:
            told = check.explain(bytes(ends.first[index]), 0)
            error = FormatError(
                f"{path}: the header of its first frame at byte {geometry.layout.start} is damaged: {told}. "
                f"{_SAY_INCOMPLETE}"
            )
        notes.append(no_damage(incomplete, error))
    return found.readable & (ends.counts > 0)


def _unwrapped(found: Inspection, digits: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frame numbers that go on beyond the last six-digit one, where names tell that there are so many frames."""
    numbers = found.numbers
    if int(counts.sum()) + int(numbers.min()) <= int(found.wraps.min()):
        return numbers
    by_name = np.argsort(digits, kind="stable")
    expected = np.empty_like(numbers)
    expected[by_name] = numbers[by_name[0]] + np.cumsum(counts[by_name]) - counts[by_name]
    return numbers + np.round((expected - numbers) / found.wraps).astype(np.int64) * found.wraps


def _note_tails(ends: _Ends, geometry: Geometry, incomplete: str, notes: list[str]) -> None:
    layout = geometry.layout
    left = ends.sizes - layout.start - ends.counts * layout.stride
    cut = np.flatnonzero(left > 0)
    if not cut.size:
        return
    index = int(cut[0])
    more = f"; so do {cut.size - 1} more files" if cut.size > 1 else ""
    error = TruncatedFileError(
        f"{ends.paths[index]}: the file ends inside frame {ends.counts[index]} (counted from 0; {layout.stride} "
        f"bytes needed, "
        f"{left[index]} left): {ends.counts[index]} complete frames up to byte "
        f"{layout.start + ends.counts[index] * layout.stride}{more}. {_SAY_INCOMPLETE}"
    )
    notes.append(no_damage(incomplete, error))


def _probe(fd: int, geometry: Geometry, check: HeaderCheck, first: int) -> Probe:
    """Frames dropped before a record of an open file, whose record 0 has the frame number `first`."""
    layout = geometry.layout

    def probe(record: int) -> int | None:
        head = read_at(fd, check.nbytes, layout.start + record * layout.stride).ljust(check.nbytes, b"\0")
        found = check.inspect(np.frombuffer(head, np.uint8)[None])
        if not found.same[0]:
            return None
        if not check.count:
            return 0
        wrap, shift = int(found.wraps[0]), int(found.numbers[0]) - check.first - first - record
        return shift if shift >= 0 else (shift + wrap // 2) % wrap - wrap // 2

    return probe


def _runs(
    ends: _Ends, numbers: NDArray[np.int64], geometry: Geometry, check: HeaderCheck, incomplete: str, notes: list[str]
) -> tuple[tuple[NDArray[np.int64], ...], int | None]:
    """Runs of records with contiguous frame numbers, and the first frame number whose header is known to be damaged."""
    many = len(ends.paths) > _SAMPLED_FILES
    agree = check.verify(ends.last, numbers + ends.counts - 1)
    columns: list[tuple[int, int, int, int]] = []
    damaged: int | None = None
    if many and agree.all():
        owners = np.arange(len(ends.paths), dtype=np.int64)
        return (numbers, ends.counts, owners, np.zeros_like(owners)), None
    for owner, path in enumerate(ends.paths):
        count, first = int(ends.counts[owner]), int(numbers[owner])
        result = Sequence(((0, 0),), None)
        if count > 1 and (not many or not agree[owner]):
            fd = open_read_only(path)
            try:
                result = probe_sequence(_probe(fd, geometry, check, first), count)
            finally:
                os.close(fd)
        if result.unreadable is not None:
            _note_unreadable(path, result.unreadable, first, geometry, check, incomplete, notes)
            damaged = first + result.unreadable if damaged is None else damaged
        breaks = [*result.breaks, (count, 0)]
        for (record, shift), (end, _) in pairwise(breaks):
            if shift < 0 or (
                columns and columns[-1][2] == owner and first + record + shift < columns[-1][0] + columns[-1][1]
            ):
                raise FormatError(
                    f"{path}: frame numbers go back at record {record} (byte "
                    f"{geometry.layout.start + record * geometry.layout.stride}): "
                    f"expected number {check.first + first + record} or more, found "
                    f"{check.first + first + record + shift}; "
                    f"frames cannot be told apart by number. {_SAY_IGNORE}"
                )
            columns.append((first + record + shift, end - record, owner, record))
    table = np.array(columns, np.int64).reshape(-1, 4)
    return tuple(np.ascontiguousarray(table[:, k]) for k in range(4)), damaged


def _note_unreadable(
    path: str, record: int, first: int, geometry: Geometry, check: HeaderCheck, incomplete: str, notes: list[str]
) -> None:
    layout = geometry.layout
    offset = layout.start + record * layout.stride
    fd = open_read_only(path)
    try:
        head = read_at(fd, check.nbytes, offset)
    finally:
        os.close(fd)
    told = check.explain(head, first + record)
    error = FormatError(
        f"{path}: the header of frame {record} (counted from 0) at byte {offset} is damaged: {told}. {_SAY_INCOMPLETE}"
    )
    notes.append(no_damage(incomplete, error))


def _check_overlap(ends: _Ends, runs: tuple[NDArray[np.int64], ...], check: HeaderCheck) -> None:
    numbers, counts, owners, _ = runs
    again = np.flatnonzero(numbers[:-1] + counts[:-1] > numbers[1:])
    if again.size:
        index = int(again[0])
        before, after = ends.paths[int(owners[index])], ends.paths[int(owners[index + 1])]
        raise FormatError(
            f"{after}: frame numbers must follow those of {os.path.basename(before)}: expected a first number of "
            f"{check.first + int(numbers[index] + counts[index])} or more, found "
            f"{check.first + int(numbers[index + 1])}. {_SAY_IGNORE}"
        )


def _note_gaps(
    ends: _Ends,
    runs: tuple[NDArray[np.int64], ...],
    geometry: Geometry,
    check: HeaderCheck,
    incomplete: str,
    notes: list[str],
) -> int | None:
    """The first missing frame number; None when none is known to be missing."""
    numbers, counts, owners, records = runs
    missing = numbers[1:] - numbers[:-1] - counts[:-1]
    gaps = np.flatnonzero(missing)
    if not gaps.size:
        return None
    index = int(gaps[0])
    expected = int(numbers[index] + counts[index])
    path = ends.paths[int(owners[index + 1])]
    where = (
        f"at record {records[index + 1]}"
        if owners[index] == owners[index + 1]
        else f"after {os.path.basename(ends.paths[int(owners[index])])}"
    )
    more = f"; {int(missing.sum())} frames are missing in {gaps.size} gaps" if gaps.size > 1 else ""
    error = FormatError(
        f"{path}: frame numbers jump {where}, expected number {check.first + expected}, found "
        f"{check.first + int(numbers[index + 1])}: "
        f"{int(missing[index])} frames are missing before byte "
        f"{geometry.layout.position(int(records[index + 1]))}, frame {expected} (counted from 0) the first of them"
        f"{more}. {_SAY_INCOMPLETE}. {_SAY_IGNORE}"
    )
    notes.append(no_damage(incomplete, error))
    return expected
