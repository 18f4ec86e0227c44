"""Every header of a recording looked at, and what is wrong with it counted and listed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lazy4d.io import mapping
from lazy4d.io.inspection import Inspection
from lazy4d.io.paths import PathLike
from lazy4d.io.rawblock import record_heads
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.source import Source

_HEADERS_A_CHUNK = 16384
_MOST_SHOWN = 8


@runtime_checkable
class InspectingCheck(Protocol):
    """A record check that can also tell frame numbers and what differs."""

    @property
    def nbytes(self) -> int:
        """Bytes of a record that are looked at."""
        ...

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of many headers says."""
        ...


@dataclass(frozen=True)
class Gap:
    """Frame numbers that do not follow each other.

    Parameters
    ----------
    frame : int
        Frame, counted from 0 as stored, before which the numbers jump.
    expected, found : int
        Number that its header should have, and the one it has.
    """

    frame: int
    expected: int
    found: int

    @property
    def missing(self) -> int:
        """Frames that were not stored; negative when numbers go back."""
        return self.found - self.expected


@dataclass(frozen=True)
class AuditReport:
    """What the headers of a recording say; frames are counted from 0 as they are stored, over all files.

    Parameters
    ----------
    paths : tuple of str
        Files.
    frames : int
        Complete frames stored.
    frames_expected : int or None
        Frames that the file or its companion promises.
    corrupt : tuple of int
        Frames without a readable header or, in a store, missing or failing their checksum.
    changed : tuple of int
        Frames whose header states another geometry than the first.
    gaps : tuple of Gap
        Where frame numbers jump.
    truncated : dict
        Path of each file that ends inside a frame, and the bytes of that frame that are there.
    checked : bool
        False when the format has no frame headers: only sizes were looked at.
    kind : str
        What was checked: ``"headers"``, or ``"chunks"`` of a store by their checksums.

    Examples
    --------
    >>> print(AuditReport(("/data/scan.mib",), 4, None, (), (), (Gap(2, 3, 5),), {}))
    scan.mib: 4 frames, damaged
      frame numbers: 1 jump, 2 frames missing: frame 2 (expected number 3, found 5)
    """

    paths: tuple[str, ...]
    frames: int
    frames_expected: int | None
    corrupt: tuple[int, ...]
    changed: tuple[int, ...]
    gaps: tuple[Gap, ...]
    truncated: dict[str, int] = field(default_factory=dict)
    checked: bool = True
    kind: str = "headers"

    @property
    def ok(self) -> bool:
        """True when every header is as it should be and no file is cut short."""
        return not (self.corrupt or self.changed or self.gaps or self.truncated)

    @property
    def missing(self) -> int:
        """Frames that the numbers say were never stored."""
        return sum(gap.missing for gap in self.gaps if gap.missing > 0)

    def __str__(self) -> str:
        """A line on the whole, and one for each kind of damage."""
        name = os.path.basename(self.paths[0]) if self.paths else "no file"
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        lines = [f"{name}{more}: {self.frames} frames, {'no damage found' if self.ok else 'damaged'}"]
        if not self.checked:
            lines.append("  this format has no frame headers: only sizes were checked")
        if self.frames_expected is not None and self.frames_expected != self.frames:
            lines.append(f"  {self.frames_expected} frames expected, {self.frames} found")
        if self.corrupt:
            lines.append(f"  corrupt {self.kind}: {len(self.corrupt)}: frames {_some(self.corrupt)}")
        if self.changed:
            lines.append(f"  changed geometry: {len(self.changed)}: frames {_some(self.changed)}")
        if self.gaps:
            shown = [f"frame {gap.frame} (expected number {gap.expected}, found {gap.found})" for gap in self.gaps]
            jumps = "1 jump" if len(self.gaps) == 1 else f"{len(self.gaps)} jumps"
            lines.append(f"  frame numbers: {jumps}, {self.missing} frames missing: {_some(shown)}")
        lines += [
            f"  {os.path.basename(path)} ends inside a frame: {left} bytes of it"
            for path, left in self.truncated.items()
        ]
        return "\n".join(lines)

    __repr__ = __str__


def _some(items: Sequence[Any]) -> str:
    shown = ", ".join(str(item) for item in items[:_MOST_SHOWN])
    return shown if len(items) <= _MOST_SHOWN else f"{shown} … {len(items) - _MOST_SHOWN} more"


def audit(what: PathLike | Sequence[PathLike] | Source | RawFrames, **options: Any) -> AuditReport:
    """A report on every frame header of a recording, or on every checksum of a store, damaged or not.

    Parameters
    ----------
    what : path, sequence of paths, Source or RawFrames
        The recording.
    **options
        For the reader, when `what` is a path.

    Returns
    -------
    AuditReport

    Raises
    ------
    FormatError
        The file is so damaged that not even its first frame can be understood.
    TypeError
        These frames come from no file.
    """
    expected: int | None = None
    frames: Any = what
    if isinstance(what, str | os.PathLike) or (isinstance(what, Sequence) and not isinstance(what, bytes)):
        what = _read(what, options)
    if isinstance(what, Source):
        expected, frames = what.frames_expected, what.frames
    if hasattr(frames, "damaged_frames"):  # a store that keeps checksums
        total = math.prod(frames.layout.nav_shape if hasattr(frames, "layout") else frames.nav_shape)
        return AuditReport((frames.label,), total, expected, tuple(frames.damaged_frames()), (), (), kind="chunks")
    parts = getattr(frames, "parts", (frames,))  # detectors that write each half of a frame to a file of its own
    # Where files of one recording differ in layout, a part consists of pieces, one behind the other.
    if not all(isinstance(piece, RawFrames) for part in parts for piece in getattr(part, "pieces", (part,))):
        raise TypeError(f"only files of records of fixed length can be audited, found {type(frames).__name__}")
    return _merged([_scan(getattr(part, "pieces", (part,)), expected) for part in parts])


def _merged(reports: list[AuditReport]) -> AuditReport:
    """One report on parts of frames: a frame is damaged where one of its parts is."""
    if len(reports) == 1:
        return reports[0]
    return AuditReport(
        paths=tuple(path for report in reports for path in report.paths),
        frames=min(report.frames for report in reports),
        frames_expected=reports[0].frames_expected,
        corrupt=tuple(sorted({frame for report in reports for frame in report.corrupt})),
        changed=tuple(sorted({frame for report in reports for frame in report.changed})),
        gaps=tuple(dict.fromkeys(gap for report in reports for gap in report.gaps)),
        truncated={path: left for report in reports for path, left in report.truncated.items()},
        checked=all(report.checked for report in reports),
    )


def _read(path: Any, options: dict[str, Any]) -> Source:
    from lazy4d.io import registry

    first = registry.files_meant(path)[0]
    forced = options.pop("reader", None)
    reader = registry.get_reader(forced) if isinstance(forced, str) else forced or registry.find_reader(first)
    return registry.read(
        path, reader=reader, **{"incomplete": "zero", **getattr(reader, "audit_options", {}), **options}
    )


def _scan(pieces: Sequence[RawFrames], expected: int | None) -> AuditReport:
    corrupt: list[int] = []
    changed: list[int] = []
    gaps: list[Gap] = []
    truncated: dict[str, int] = {}
    paths: list[str] = []
    base = 0
    due: int | None = None
    for frames in pieces:
        files, layout = frames.files, frames.layout
        check = frames.check if isinstance(frames.check, InspectingCheck) else None
        for owner in dict.fromkeys(files.owners.tolist()):
            path, size = files.path(owner), int(files.sizes[owner])
            paths.append(path)
            mapping.check_unchanged(path, size, int(files.mtimes[owner]), may_grow=frames.io == "read")
            count, left = layout.records_in(size)
            if check is None:
                # Without headers to read, frames are those that loading counted; what is behind them may be anything.
                count = min(count, int(files.counts[files.owners == owner].sum()))
                left = 0 if base + count == expected else left
            if left:
                truncated[path] = left
            if check is not None:
                for start, heads in _heads(frames, owner, count):
                    found = check.inspect(heads)
                    corrupt += (base + start + np.flatnonzero(~found.readable)).tolist()
                    changed += (base + start + np.flatnonzero(found.readable & ~found.same)).tolist()
                    due = _number_gaps(found, base + start, due, gaps)
            base += count
    checked = all(isinstance(frames.check, InspectingCheck) for frames in pieces)
    return AuditReport(
        tuple(paths), base, expected, tuple(corrupt), tuple(changed), tuple(gaps), truncated, checked
    )  # fmt: skip


def _heads(frames: RawFrames, owner: int, count: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Headers of one file in chunks, copied from a strided view of its map, whose pages are let go behind."""
    files, layout = frames.files, frames.layout
    nbytes = frames.check.nbytes if frames.check is not None else 0
    size = int(files.sizes[owner])
    if not count:
        return
    held = mapping.mapped(files.path(owner), size, int(files.mtimes[owner]))
    for start in range(0, count, _HEADERS_A_CHUNK):
        stop = min(start + _HEADERS_A_CHUNK, count)
        yield start, record_heads(held, layout, np.arange(start, stop, dtype=np.int64), nbytes)
        if mapping.should_release(size):
            mapping.release_pages(held, layout.position(start), layout.position(stop - 1) + layout.pitch)


def _number_gaps(found: Inspection, base: int, due: int | None, gaps: list[Gap]) -> int | None:
    """Append the jumps within one chunk; returns the number due next."""
    rows = np.flatnonzero(found.readable)
    if not rows.size:
        return None if due is None else due + len(found.numbers)
    numbers, wraps = found.numbers[rows], found.wraps[rows]
    # A frame without a readable number still counts as one.
    expected = np.empty_like(numbers)
    expected[1:] = numbers[:-1] + np.diff(rows)
    expected[0] = numbers[0] if due is None else due + rows[0]
    difference = numbers - expected
    jumps = np.flatnonzero((difference != 0) & ~((difference < 0) & (difference % wraps == 0)))
    gaps += [Gap(base + int(rows[k]), int(expected[k]), int(numbers[k])) for k in jumps.tolist()]
    return int(numbers[-1]) + len(found.numbers) - int(rows[-1])
