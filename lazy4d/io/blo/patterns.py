"""How many patterns a block file holds, of which depth, and where frames are missing between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.blo.check import FrameHeadCheck
from lazy4d.io.blo.header import FRAME_HEAD, FRAME_MARK, BloHeader
from lazy4d.io.files import FrameFiles
from lazy4d.io.rawframes import PlainDecoder, RecordLayout
from lazy4d.io.sequence import probe_sequence
from lazy4d.io.source import no_damage

_DEPTHS: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("<u2")}
_SAY_INCOMPLETE = "Load with incomplete='nan', 'zero' or 'crop' for those"
_SAY_IGNORE = "If these numbers do not count frames, load with frame_numbers='ignore'"


@dataclass(frozen=True)
class Patterns:
    """The frames of a file.

    Parameters
    ----------
    files : FrameFiles
        Which record holds a frame number.
    layout : RecordLayout
        Where their pixels stand.
    check : FrameHeadCheck
        What stands before every one of them.
    usable : int
        Frame numbers before the first damage known.
    warnings : tuple of str
        Damage found and tolerated.
    """

    files: FrameFiles
    layout: RecordLayout
    check: FrameHeadCheck
    usable: int
    warnings: tuple[str, ...]


def survey(file: Any, path: str, status: Any, header: BloHeader, *, incomplete: str, count: bool) -> Patterns:
    """The patterns of a file, by its size and a sample of the heads before them.

    Parameters
    ----------
    file : binary file
        The file, open for reading.
    path : str
        Its absolute path.
    status : os.stat_result
        Its size and time.
    header : BloHeader
        Its header.
    incomplete : str
        What to do with damage: raise it, or note it and go on.
    count : bool
        Trust frame numbers; otherwise frames are taken as they stand.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        No mark before the first pattern, numbers that jump, a file that ends before its frames do.
    """
    size = int(status.st_size)
    notes: list[str] = []
    layout, first = _layout(file, path, size, header, notes)
    promised = header.rows * header.columns
    whole, left = layout.records_in(size)
    if whole == 0:
        raise TruncatedFileError(
            f"{path}: the file ends inside frame 0 at byte {layout.start}: {layout.stride} bytes needed, "
            f"{size - layout.start} left; not one whole frame of {header.size} x {header.size} pixels can be read"
        )
    stored = min(whole, promised)
    check = FrameHeadCheck(first, count)
    runs, unreadable = _runs(file, path, layout, check, stored, promised, incomplete, notes)
    if whole > promised or (whole == promised and left):
        extra = size - layout.start - promised * layout.stride
        notes.append(f"{path}: {extra} bytes behind the {promised} frames that NX and NY promise are not used")
    total = int(runs[0][-1] + runs[1][-1])
    if total < promised:
        error = TruncatedFileError(
            f"{path}: the file ends inside frame {total} (counted from 0) at byte {layout.position(stored)}: "
            f"{layout.stride} bytes needed, {left} left; NX x NY = {header.columns} x {header.rows} promises "
            f"{promised} frames, {stored} are complete. {_SAY_INCOMPLETE}"
        )
        notes.append(no_damage(incomplete, error))
    one = [np.array([n], np.int64) for n in (size, status.st_mtime_ns)]
    files = FrameFiles.of_runs([path], one[0], one[1], runs)
    gap = int(runs[1][0]) if len(runs[0]) > 1 else total
    usable = min(n for n in (total, gap, unreadable) if n is not None)
    return Patterns(files, layout, check, usable, tuple(notes))


def _layout(file: Any, path: str, size: int, header: BloHeader, notes: list[str]) -> tuple[RecordLayout, int]:
    """Where the pixels stand, as the mark before the second pattern proves it, and the number of the first."""
    head = _head(file, header.data_offset)
    if not head.startswith(FRAME_MARK):
        raise FormatError(
            f"{path}: expected the mark {FRAME_MARK.hex(' ')} before the first pattern at byte {header.data_offset}, "
            f"found {head[:2].hex(' ')}; the header or the start of the data is damaged"
        )
    stated = header.stated_bits
    if stated is not None and stated not in _DEPTHS:
        raise UnsupportedVariantError(
            f"{path}: patterns of {stated} bits ('Blo Bit Depth' in the note at byte 240) are not known: expected 8 or "
            "16; export them with 16 bits"
        )
    likely = stated or 8
    bits = likely
    for tried in (likely, 8 if likely == 16 else 16):
        second = header.data_offset + FRAME_HEAD + header.size**2 * tried // 8
        if header.rows * header.columns > 1 and second + FRAME_HEAD <= size:
            if _head(file, second).startswith(FRAME_MARK):
                bits = tried
                break
        elif tried == likely:
            break  # a second pattern that could tell is not there
    if bits != likely:
        said = f"states {stated} bits" if stated else "does not state more than 8 bits"
        notes.append(f"{path}: the header {said}, but the patterns stand {bits} bits a pixel apart and were read so")
    decoder = PlainDecoder(_DEPTHS[bits], (header.size, header.size))
    stride = FRAME_HEAD + header.size**2 * bits // 8
    return RecordLayout(header.data_offset, stride, FRAME_HEAD, decoder), int.from_bytes(head[2:], "little")


def _runs(
    file: Any,
    path: str,
    layout: RecordLayout,
    check: FrameHeadCheck,
    stored: int,
    promised: int,
    incomplete: str,
    notes: list[str],
) -> tuple[list[NDArray[np.int64]], int | None]:
    """Runs of records as `FrameFiles` takes them, and the first record found whose head is damaged."""

    def dropped(record: int) -> int | None:
        head = _head(file, layout.position(record))
        if not head.startswith(FRAME_MARK):
            return None
        shift = int.from_bytes(head[2:], "little") - check.first - record if check.count else 0
        # No frame can be numbered past the scan, and numbers do not go back.
        return shift if 0 <= shift <= promised - stored else None

    found = probe_sequence(dropped, stored)
    if found.unreadable is not None:
        record = found.unreadable
        told = check.explain(_head(file, layout.position(record)), record)
        error = FormatError(
            f"{path}: frame {record} (counted from 0) at byte {layout.position(record)} is damaged: {told}. "
            f"{_SAY_INCOMPLETE}. {_SAY_IGNORE}"
        )
        notes.append(no_damage(incomplete, error))
    if len(found.breaks) > 1:
        record, missing = found.breaks[1]
        more = f", and {found.breaks[-1][1] - missing} more further on" if len(found.breaks) > 2 else ""
        error = FormatError(
            f"{path}: {missing} frames are missing before record {record} at byte {layout.position(record)}: frame "
            f"numbers jump to {record + missing + check.first}, expected {record + check.first}{more}. "
            f"{_SAY_INCOMPLETE}. {_SAY_IGNORE}"
        )
        notes.append(no_damage(incomplete, error))
    starts = np.array([record for record, _ in found.breaks], np.int64)
    shifts = np.array([shift for _, shift in found.breaks], np.int64)
    counts = np.diff(np.append(starts, stored))
    return [starts + shifts, counts, np.zeros_like(starts), starts], found.unreadable


def _head(file: Any, offset: int) -> bytes:
    file.seek(offset)
    head: bytes = file.read(FRAME_HEAD)
    return head
