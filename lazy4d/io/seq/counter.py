"""Frame numbers that a Celeritas writes into its pixels: found, followed, and verified for every frame read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError
from lazy4d.io.files import FrameFiles
from lazy4d.io.inspection import Inspection
from lazy4d.io.mapping import open_read_only, read_into
from lazy4d.io.rawframes import RecordLayout
from lazy4d.io.seq.header import SeqFile
from lazy4d.io.sequence import Probe, probe_sequence
from lazy4d.io.source import no_damage

LOOKED_AT = 64
"""First half-frames of a file whose counters are looked at."""

_BACK = 64  # numbers may be damaged, but frames only ever go missing: more than so many back is a gap
_SAY_INCOMPLETE = "Load with incomplete='nan' or 'zero' to mark them invalid, or 'crop' to keep the whole lines before"
_SAY_IGNORE = "If these pixels do not count frames, load with frame_numbers='ignore'"


@dataclass(frozen=True)
class CounterCheck:
    """The first stored pixel of a half-frame counts frames.

    Numbers start again at `modulus`. A loss of exactly so many frames at once, or a multiple of it, leaves no trace in
    them: of counters of 12 bits that is 4096.

    Parameters
    ----------
    dtype : str
        Of a stored pixel.
    first : int
        Number of frame 0.
    count : bool
        Verify; otherwise numbers are only read.
    modulus : int
        Where numbers start again; see `counter_width.counter_modulus`.

    Examples
    --------
    >>> check = CounterCheck("<u2", 4095)
    >>> check.verify(np.array([[255, 15], [0, 0]], "u1"), np.array([0, 1])).tolist()
    [True, True]
    """

    dtype: str
    first: int
    count: bool = True
    modulus: int = 4096

    @property
    def nbytes(self) -> int:
        """Bytes that are looked at: one pixel."""
        return np.dtype(self.dtype).itemsize

    def numbers(self, heads: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The number in each of ``heads[n, nbytes]``, int64."""
        return np.ascontiguousarray(heads).view(self.dtype).reshape(len(heads)).astype(np.int64)

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of ``heads[n, nbytes]`` says."""
        numbers = self.numbers(heads)
        good = numbers < self.modulus
        return Inspection(good, good, np.where(good, numbers, -1), np.full(len(heads), self.modulus))

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each of ``heads[n, nbytes]`` that is the number of frame ``numbers[n]``."""
        if not self.count:
            return np.ones(len(heads), bool)
        found = self.numbers(heads)
        return (found < self.modulus) & ((found - numbers - self.first) % self.modulus == 0)

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found in one pixel that failed."""
        found = int(self.numbers(np.frombuffer(head, np.uint8)[None])[0])
        return f"its frame counter jumps, expected {(self.first + number) % self.modulus}, found {found}"


@dataclass(frozen=True, eq=False)
class Half:
    """The half-frames of one file, in the order of their counters.

    Parameters
    ----------
    file : SeqFile
        The file.
    layout : RecordLayout
        Where its half-frames stand.
    found : int
        Half-frames that are there.
    check : CounterCheck or None
        What is verified; None where pixels do not count frames.
    runs : tuple of (int, int, int)
        Number of the first frame, frames, and first half-frame of the file, of each run without a gap.
    damaged : int or None
        First frame whose counter is known to fit neither neighbour.
    """

    file: SeqFile
    layout: RecordLayout
    found: int
    check: CounterCheck | None
    runs: tuple[tuple[int, int, int], ...]
    damaged: int | None = None

    @property
    def total(self) -> int:
        """Frame numbers in use, those of missing frames included."""
        return self.runs[-1][0] + self.runs[-1][1]

    def skipping(self, frames: int) -> Half:
        """The half with its first frame numbers left out."""
        if not frames:
            return self
        kept = []
        for number, count, record in self.runs:
            cut = min(max(0, frames - number), count)
            if cut < count:
                kept.append((number + cut - frames, count - cut, record + cut))
        check = None
        if self.check is not None:
            check = replace(self.check, first=(self.check.first + frames) % self.check.modulus)
        damaged = None if self.damaged is None or self.damaged < frames else self.damaged - frames
        return replace(self, check=check, runs=tuple(kept), damaged=damaged)

    def frame_files(self, total: int) -> FrameFiles:
        """Its file and runs, cut to the first `total` frame numbers."""
        rows = [(number, min(count, total - number), 0, record) for number, count, record in self.runs]
        table = np.array([row for row in rows if row[1] > 0], np.int64).reshape(-1, 4)
        columns = [np.ascontiguousarray(table[:, k]) for k in range(4)]
        sizes, mtimes = np.array([self.file.size], np.int64), np.array([self.file.mtime_ns], np.int64)
        return FrameFiles.of_runs([self.file.path], sizes, mtimes, columns)


def least_modulus(dtype: np.dtype[Any]) -> int:
    """Where counters in pixels of this dtype start again at the earliest: 4096, in 8 bits 256."""
    return min(4096, 256**dtype.itemsize)


def counters(file: SeqFile, layout: RecordLayout, frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number in the first pixel of each of the given half-frames of a file, int64."""
    check = CounterCheck(file.header.dtype.str, 0)
    heads = np.zeros((frames.size, check.nbytes), np.uint8)
    fd = open_read_only(file.path)
    try:
        for row, frame in zip(heads, frames.tolist(), strict=True):
            read_into(fd, row, layout.position(frame))
    finally:
        os.close(fd)
    return check.numbers(heads)


def counts_frames(file: SeqFile, layout: RecordLayout, found: int) -> bool:
    """True when first pixels of consecutive half-frames mostly go up by 1, as no image would.

    Parameters
    ----------
    file : SeqFile
        The file.
    layout : RecordLayout
        Where its half-frames would stand.
    found : int
        Half-frames that are there.
    """
    values = counters(file, layout, np.arange(min(found, LOOKED_AT), dtype=np.int64))
    steps = np.diff(values) % least_modulus(file.header.dtype)
    return bool(steps.size) and 2 * int((steps == 1).sum()) >= steps.size


def follow(half: Half, modulus: int, *, count: bool, incomplete: str, notes: list[str]) -> Half:
    """The half with its runs as the counters tell them, from a sample of frames.

    Parameters
    ----------
    half : Half
        As it stands in the file: one run.
    modulus : int
        Where its counters start again.
    count : bool
        Trust the counters; otherwise only keep them for an audit.
    incomplete : str
        What to do with gaps: raise, or add to `notes`.
    notes : list of str
        What was tolerated.

    Raises
    ------
    FormatError
        Frames are missing or damaged, or numbers go back.
    """
    first, fits = _first_number(half, modulus)
    check = CounterCheck(half.file.header.dtype.str, first, count, modulus)
    if not count:
        return replace(half, check=check)
    fd = open_read_only(half.file.path)
    try:
        result = probe_sequence(_probe(fd, half.layout, check), half.found)
    finally:
        os.close(fd)
    if not fits:
        result = replace(result, unreadable=0)
    if result.unreadable is not None:
        place = half.layout.position(result.unreadable)
        error = FormatError(
            f"{half.file.path}: the frame counter of half-frame {result.unreadable} (counted from 0) at byte {place} "
            f"does not fit the others: the file is damaged there. {_SAY_INCOMPLETE}. {_SAY_IGNORE}"
        )
        notes.append(no_damage(incomplete, error))
    runs, lost = [], 0
    for (record, shift), (end, after) in pairwise([*result.breaks, (half.found, result.breaks[-1][1])]):
        runs.append((record + lost, end - record, record))
        step = (after - shift) % modulus
        if step > modulus - _BACK:
            raise FormatError(
                f"{half.file.path}: frame counters go back at half-frame {end} (byte {half.layout.position(end)}): "
                f"expected {(first + end + shift) % modulus}, found {(first + end + after) % modulus}. {_SAY_IGNORE}"
            )
        lost += step
    _note_gaps(half, check, runs, incomplete, notes)
    damaged = None
    if result.unreadable is not None:
        damaged = next(n + result.unreadable - r for n, _, r in reversed(runs) if r <= result.unreadable)
    return replace(half, check=check, runs=tuple(runs), damaged=damaged)


def _first_number(half: Half, modulus: int) -> tuple[int, bool]:
    """The number of the first half-frame, and whether it is the one written: overwritten ones are told by the next."""
    values = counters(half.file, half.layout, np.arange(min(half.found, LOOKED_AT), dtype=np.int64))
    fitting = values < modulus
    starts = (values - np.arange(values.size)) % modulus
    if values.size < 3 or not fitting.any():
        return int(starts[0]), bool(fitting[0])
    if fitting[:2].all() and (starts[1] - starts[0]) % modulus <= LOOKED_AT:  # the next one, or a few were dropped
        return int(starts[0]), True
    first, times = np.unique(starts[fitting], return_counts=True)
    return int(first[times.argmax()]), False


def _note_gaps(
    half: Half, check: CounterCheck, runs: list[tuple[int, int, int]], incomplete: str, notes: list[str]
) -> None:
    missing = [after[0] - before[0] - before[1] for before, after in pairwise(runs)]
    if not missing:
        return
    (number, length, _), (after, _, record) = runs[0], runs[1]
    expected = number + length
    more = f"; {sum(missing)} frames are missing in {len(missing)} gaps" if len(missing) > 1 else ""
    error = FormatError(
        f"{half.file.path}: frame counters jump at half-frame {record} (byte {half.layout.position(record)}), expected "
        f"{(check.first + expected) % check.modulus}, found {(check.first + after) % check.modulus}: {missing[0]} "
        f"frames are missing, frame {expected} (counted from 0) the first of them{more}. {_SAY_INCOMPLETE}. "
        f"{_SAY_IGNORE}"
    )
    notes.append(no_damage(incomplete, error))


def _probe(fd: int, layout: RecordLayout, check: CounterCheck) -> Probe:
    """Frames dropped before a half-frame of an open file, modulo the counter: frames only ever go missing."""

    def probe(record: int) -> int | None:
        if record == 0:
            return 0
        head = np.zeros(check.nbytes, np.uint8)
        read_into(fd, head, layout.position(record))
        number = int(check.numbers(head[None])[0])
        return (number - check.first - record) % check.modulus if number < check.modulus else None

    return probe


def align(top: Half, bottom: Half) -> tuple[Half, Half, list[str]]:
    """Both halves numbered from the first frame that both have, and what was left out for that.

    Raises
    ------
    FormatError
        The halves have no number in common, or either may have begun first.
    """
    if top.check is None or bottom.check is None or not top.check.count:
        return top, bottom, []
    ahead = _ahead(top, bottom, (bottom.check.first - top.check.first) % top.check.modulus, top.check.modulus)
    if not ahead:
        return top, bottom, []
    early, late = (top, bottom) if ahead > 0 else (bottom, top)
    note = (
        f"{late.file.path}: begins {abs(ahead)} frames later than {os.path.basename(early.file.path)}: frames that "
        "only one half has are left out at the start"
    )
    return top.skipping(max(ahead, 0)), bottom.skipping(max(-ahead, 0)), [note]


def _ahead(top: Half, bottom: Half, later: int, modulus: int) -> int:
    """Frames by which the lower half begins later, `later` or `later - modulus`: the one that leaves frames of both."""
    near, far = sorted((later, later - modulus), key=abs)
    possible = [ahead for ahead in (near, far) if abs(ahead) < (top if ahead > 0 else bottom).total]
    if not near or (possible and (len(possible) == 1 or abs(near) <= modulus // 4)):
        return possible[0] if near else 0
    early, late = (top, bottom) if near > 0 else (bottom, top)
    name, other = late.file.path, os.path.basename(early.file.path)
    if possible:
        raise FormatError(
            f"{name}: begins {abs(near)} frames later than {other}, or {abs(far)} frames earlier: counters that start "
            f"again at {modulus} cannot tell. {_SAY_IGNORE}"
        )
    first = late.check.first if late.check else 0
    raise FormatError(
        f"{name}: its frame counters begin at {first}, behind the last one of {other}: the halves are not of one "
        f"recording. {_SAY_IGNORE}"
    )
