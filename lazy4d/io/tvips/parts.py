"""Which files make up a TVIPS stream, how many frames each holds, and whether their counters count."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, MissingCompanionError, TruncatedFileError
from lazy4d.io.files import FrameFiles
from lazy4d.io.mapping import open_read_only, read_into
from lazy4d.io.rawframes import PlainDecoder, RecordLayout
from lazy4d.io.sequence import probe_sequence, sample_records
from lazy4d.io.source import no_damage
from lazy4d.io.tvips.check import CounterCheck
from lazy4d.io.tvips.header import TvipsHeader

_NUMBERED = re.compile(r"(.*)_(\d{3})(\.tvips)", re.IGNORECASE | re.DOTALL)
_SAY_INCOMPLETE = "Load with incomplete='nan', 'zero' or 'crop' for those"
_MOST_ODD = 0.25  # share of sampled counters that may fail before they are taken for no counters
_CLOCK = 1.5  # seconds by which clocks may be off
_SAY_IGNORE = "If these counters do not count frames, load with frame_numbers='ignore'"


@dataclass(frozen=True)
class Stream:
    """The frames of a recording.

    Parameters
    ----------
    groups : tuple of (FrameFiles, RecordLayout)
        The first file, and all others.
    check : CounterCheck or None
        What stands before every frame; None where counters do not count.
    total : int
        Frame numbers in use.
    found : int
        Complete frames.
    usable : int
        Frame numbers before the first damage known.
    warnings : tuple of str
        Damage found and tolerated.
    size, mtime_ns : int
        Of all files.
    """

    groups: tuple[tuple[FrameFiles, RecordLayout], ...]
    check: CounterCheck | None
    total: int
    found: int
    usable: int
    warnings: tuple[str, ...]
    size: int
    mtime_ns: int


def first_part(path: str) -> str:
    """The file with the header of the stream that a file belongs to: itself, or the one numbered ``_000``.

    Examples
    --------
    >>> first_part("/data/scan_004.tvips"), first_part("/data/scan.tvips")
    ('/data/scan_000.tvips', '/data/scan.tvips')
    """
    found = _NUMBERED.fullmatch(path)
    return f"{found[1]}_000{found[3]}" if found else path


def find_parts(paths: Sequence[str]) -> list[str]:
    """The files of a stream in order: those given, or for a single numbered one all of its stream.

    Raises
    ------
    MissingCompanionError
        The file with the header, or one in between, is not there.
    FormatError
        Files of several streams were given.
    """
    matches = [_NUMBERED.fullmatch(path) for path in paths]
    if len(paths) == 1:
        if matches[0] is None:
            return list(paths)
        stem, suffix = matches[0][1], matches[0][3]
        folder, begin = os.path.split(stem)
        pattern = re.compile(re.escape(begin) + r"_(\d{3})\.tvips", re.IGNORECASE)
        with os.scandir(folder or ".") as entries:
            there = {int(m[1]): entry.name for entry in entries if (m := pattern.fullmatch(entry.name))}
        numbered = {number: os.path.join(folder, name) for number, name in there.items()}
    else:
        numbered = {int(match[2]): path for match, path in zip(matches, paths, strict=True) if match}
        if len({match[1] for match in matches if match}) != 1 or len(numbered) != len(paths):
            raise FormatError(
                f"{paths[0]}: the {len(paths)} files given are not one TVIPS stream: expected names with the same stem "
                "and different numbers, <stem>_000.tvips, <stem>_001.tvips"
            )
        stem, suffix = next((match[1], match[3]) for match in matches if match)
    for number in range(max(numbered, default=0) + 1):
        if number not in numbered:
            what = "which begins the stream with its header" if number == 0 else "a part of the same stream"
            raise MissingCompanionError(
                f"{paths[0]}: expected {stem}_{number:03d}{suffix}, {what}, found parts "
                f"{', '.join(f'{n:03d}' for n in sorted(numbered)[:8])}; put it back"
            )
    return [numbered[number] for number in sorted(numbered)]


def survey(paths: list[str], header: TvipsHeader, *, incomplete: str, count: bool) -> Stream:
    """The frames of all parts, by sizes and a sample of counters.

    Counters that stay the same or go back do not count frames, as in streams of other programs: they are then not
    checked. Otherwise a jump is damage.

    Parameters
    ----------
    paths : list of str
        Absolute paths in order.
    header : TvipsHeader
        Of the first.
    incomplete : str
        What to do with damage: raise it, or note it and go on.
    count : bool
        Trust counters; otherwise frames are taken as they stand.

    Raises
    ------
    FormatError, TruncatedFileError
        A file ends inside a frame, or counters jump.
    """
    files = _Files.of(paths, header)
    notes = [no_damage(incomplete, error) for error in files.cut_short(header)]
    check, breaks, unreadable = _counting(files)
    if not count:  # counters are then left for an audit to look at
        check, breaks, unreadable = None if check is None else replace(check, count=False), [(0, 0)], None
    else:
        _refuse_strangers(files)
        files.refuse_unplaced(check is not None, incomplete)
    if check is not None:
        notes += [no_damage(incomplete, error) for error in _jumps(files, check, breaks, unreadable)]
    runs = _runs(files, breaks)
    groups = [group for chosen in (range(1), range(1, len(paths))) if (group := _group(files, runs, chosen))]
    total = max(group.total for group, _ in groups)
    cut = (int(files.bounds[k + 1]) for k in range(len(paths)) if files.left[k])
    usable = min(n for n in (total, breaks[1][0] if len(breaks) > 1 else total, unreadable, *cut) if n is not None)
    return Stream(
        tuple(groups), check, total, files.stored, usable, tuple(notes), int(files.sizes.sum()),
        int(files.mtimes.max()),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Files:
    """The parts and their frames, counted as stored."""

    paths: list[str]
    layouts: tuple[RecordLayout, RecordLayout]  # of the first file, of the others
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    left: list[int]  # bytes of a frame that is not complete
    bounds: NDArray[np.int64]  # first frame of each file; the last entry is the number of all

    @classmethod
    def of(cls, paths: list[str], header: TvipsHeader) -> _Files:
        decoder = PlainDecoder(header.dtype, (header.rows, header.columns))
        first, other = (RecordLayout(s, header.stride, header.frame_header, decoder) for s in (header.size, 0))
        states = [os.stat(path) for path in paths]
        found = [(other if k else first).records_in(state.st_size) for k, state in enumerate(states)]
        sizes, mtimes = (
            np.array([getattr(state, name) for state in states], np.int64) for name in ("st_size", "st_mtime_ns")
        )
        bounds = np.cumsum([0, *(whole for whole, _ in found)]).astype(np.int64)
        return cls(paths, (first, other), sizes, mtimes, [left for _, left in found], bounds)

    @property
    def stored(self) -> int:
        return int(self.bounds[-1])

    def layout(self, owner: int) -> RecordLayout:
        return self.layouts[min(owner, 1)]

    def place(self, frame: int) -> tuple[int, int]:
        """The file of a stored frame, and the byte at which it begins there."""
        owner = int(np.searchsorted(self.bounds, frame, side="right")) - 1
        return owner, int(self.layout(owner).position(frame - int(self.bounds[owner])))

    def cut_short(self, header: TvipsHeader) -> list[TruncatedFileError]:
        """One error for each file that ends inside a frame; raised at once when there is no whole frame."""
        if self.stored == 0:
            raise TruncatedFileError(
                f"{self.paths[0]}: {header.stride} bytes of a frame needed from byte {header.size} on, "
                f"{max(0, int(self.sizes[0]) - header.size)} found: not one whole frame of {header.columns} x "
                f"{header.rows} pixels can be read"
            )
        found = []
        for k, path in enumerate(self.paths):
            if self.left[k]:
                frame = int(self.bounds[k + 1])
                at = self.layout(k).position(frame - int(self.bounds[k]))
                found.append(
                    TruncatedFileError(
                        f"{path}: the file ends inside frame {frame} (counted from 0) at byte {at}: {header.stride} "
                        f"bytes needed, {self.left[k]} left. {_SAY_INCOMPLETE}"
                    )
                )
        return found


    def refuse_unplaced(self, counting: bool, incomplete: str) -> None:
        """Nothing; raises when a file cut short inside the stream leaves the places of all later frames unknown."""
        for k in range(len(self.paths) - 1):
            if self.bounds[k + 1] == self.stored:
                continue
            uncounted = self.left[k] and not counting and incomplete in ("nan", "zero")
            if self.bounds[k + 1] == 0 or uncounted:
                raise TruncatedFileError(
                    f"{self.paths[k]}: the file ends at byte {int(self.sizes[k])}, and nothing tells how many frames "
                    "are missing before the next part: copy it again, or take the frames as they stand with "
                    "frame_numbers='ignore'"
                )


def read_frame_head(path: str, offset: int, nbytes: int) -> bytes:
    """Bytes of a file from `offset` on; fewer at its end."""
    fd = open_read_only(path)
    try:
        head = np.zeros(nbytes, np.uint8)
        return head[: read_into(fd, head, offset)].tobytes()
    finally:
        os.close(fd)


def _counting(files: _Files) -> tuple[CounterCheck | None, list[tuple[int, int]], int | None]:
    """The check, breaks and first damaged frame of counters that count; no check where they do not."""

    def counter(frame: int) -> int:
        owner, at = files.place(frame)
        return int.from_bytes(read_frame_head(files.paths[owner], at, 4), "little")

    first = counter(0)

    def dropped(frame: int) -> int | None:
        shift = (counter(frame) - first - frame) % (1 << 32)
        return shift if shift <= files.stored else None  # others went back, or are no counters

    sample = [dropped(frame) for frame in sample_records(files.stored)]
    if sample.count(None) > _MOST_ODD * len(sample):
        return None, [(0, 0)], None
    found = probe_sequence(dropped, files.stored)
    if any(later < before for (_, before), (_, later) in pairwise(found.breaks)):
        return None, [(0, 0)], None  # they cycle
    return CounterCheck(first), list(found.breaks), found.unreadable


def _refuse_strangers(files: _Files) -> None:
    """Nothing; raises where a part was recorded before the one it follows: it is left over from another stream."""
    for k in range(1, len(files.paths)):
        first, last = int(files.bounds[k]), int(files.bounds[k]) - 1
        if last < 0 or first == int(files.bounds[k + 1]):
            continue
        times = []
        for frame in (last, first):
            owner, at = files.place(frame)
            head = read_frame_head(files.paths[owner], at + 4, 8)
            seconds, milliseconds = struct.unpack("<II", head.ljust(8, b"\0"))
            times.append(seconds + milliseconds / 1000)
        if all(times) and times[1] < times[0] - _CLOCK:
            raise FormatError(
                f"{files.paths[k]}: its first frame was recorded {times[0] - times[1]:.0f} s before the last one of "
                f"{os.path.basename(files.paths[k - 1])}: it is of another stream. Move it elsewhere, give the files "
                "that belong together as a list, or load with frame_numbers='ignore'"
            )


def _jumps(
    files: _Files, check: CounterCheck, breaks: list[tuple[int, int]], unreadable: int | None
) -> list[FormatError]:
    """One error for the first jump of the counters that no file cut short explains, and one for a damaged counter."""
    found = []
    for (_, before), (frame, shift) in pairwise(breaks):
        owner, at = files.place(frame)
        if frame == int(files.bounds[owner]) and owner and files.left[owner - 1]:
            continue
        found.append(
            FormatError(
                f"{files.paths[owner]}: {shift - before} frames are missing before byte {at}: frame counters jump to "
                f"{frame + shift + check.first}, expected {frame + before + check.first}. {_SAY_INCOMPLETE}. "
                f"{_SAY_IGNORE}"
            )
        )
        break
    if unreadable is not None:
        owner, at = files.place(unreadable)
        told = check.explain(read_frame_head(files.paths[owner], at, 4), unreadable)
        found.append(
            FormatError(
                f"{files.paths[owner]}: frame {unreadable} (counted from 0 as stored) at byte {at} is damaged: {told}. "
                f"{_SAY_INCOMPLETE}. {_SAY_IGNORE}"
            )
        )
    return found


def _runs(files: _Files, breaks: list[tuple[int, int]]) -> tuple[NDArray[np.int64], ...]:
    """Runs of frames as `FrameFiles` takes them, each in one file and without a gap."""
    at, shifts = np.array(breaks, np.int64).T
    starts = np.unique(np.concatenate([at, files.bounds[:-1]]))
    starts = starts[starts < files.stored]
    owners = np.searchsorted(files.bounds, starts, side="right") - 1
    numbers = starts + shifts[np.searchsorted(at, starts, side="right") - 1]
    return numbers, np.diff(np.append(starts, files.stored)), owners, starts - files.bounds[owners]


def _group(
    files: _Files, runs: tuple[NDArray[np.int64], ...], chosen: range
) -> tuple[FrameFiles, RecordLayout] | None:
    """The frames of some neighbouring files; None where they have none."""
    inside = (runs[2] >= chosen.start) & (runs[2] < chosen.stop)
    if not inside.any():
        return None
    numbers, counts, owners, records = (column[inside] for column in runs)
    part = slice(chosen.start, chosen.stop)
    frames = FrameFiles.of_runs(
        files.paths[part], files.sizes[part], files.mtimes[part], (numbers, counts, owners - chosen.start, records)
    )
    return frames, files.layout(chosen.start)
