"""How many frames a SEQ file holds: what its header states against what is there."""

from __future__ import annotations

import os

import numpy as np

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io.mapping import open_read_only
from lazy4d.io.rawframes import RecordLayout
from lazy4d.io.seq.header import SeqFile
from lazy4d.io.seq.stamps import StampCheck, images_in, stamp_at, written_images
from lazy4d.io.sequence import probe_sequence, sample_records
from lazy4d.io.source import no_damage

FRAME_COUNTS = ("header", "file")
"""Which number of frames counts."""

_JUDGED_BY = 8  # images whose time stamps tell whether a file has any

_SAY_INCOMPLETE = "Load with incomplete='nan' or 'zero' to mark them invalid, or 'crop' to keep the whole lines before"


def count_frames(file: SeqFile, layout: RecordLayout, *, frame_count: str, incomplete: str, notes: list[str]) -> int:
    """Frames of a file that are used.

    The header's number, if that many are there. A header without a number (an interrupted recording) or
    ``frame_count="file"``: all that the file holds, without slots at its end that were never written.

    Parameters
    ----------
    file : SeqFile
        The file.
    layout : RecordLayout
        Where its frames stand.
    frame_count : {"header", "file"}
        Which number counts.
    incomplete : str
        What to do with a file that ends too early: raise, or add to `notes`.
    notes : list of str
        What a user should be told.

    Raises
    ------
    TruncatedFileError
        The file ends inside a frame, or before the last one that its header promises.
    """
    found, left = layout.records_in(file.size)
    stated = file.header.stated_images * layout.frames
    if found == 0:
        raise TruncatedFileError(
            f"{file.path}: the file ends inside frame 0: {layout.payload} bytes needed from byte {layout.start}, "
            f"{max(0, file.size - layout.start)} found; not one whole frame can be read"
        )
    if stated == 0 or frame_count == "file":
        if left:
            notes.append(no_damage(incomplete, _cut(file, layout, found, left, "")))
        kept = _without_empty_slots(file, layout, found)
        if stated == 0:
            notes.append(f"{file.path}: its header counts no frames (an interrupted recording?), found {kept}")
        return kept
    if stated > found:
        promised = f" of the {stated} that its header promises"
        notes.append(no_damage(incomplete, _cut(file, layout, found, left, promised)))
        return found
    slots = images_in(file)
    beyond = slots - file.header.stated_images
    if beyond > 0:
        written = written_images(file, slots) - file.header.stated_images
        if written > 0:
            notes.append(
                f"{file.path}: its header counts {stated} frames, but {written * layout.frames} more with time stamps "
                "follow; load with frame_count='file' to use them"
            )
    return stated


def _cut(file: SeqFile, layout: RecordLayout, found: int, left: int, promised: str) -> TruncatedFileError:
    place = layout.position(found)
    inside = f"inside frame {found}" if left else f"before frame {found}"
    return TruncatedFileError(
        f"{file.path}: the file ends {inside} (counted from 0, at byte {place}), its size is {file.size}: {found} "
        f"complete frames{promised}. {_SAY_INCOMPLETE}"
    )


def _without_empty_slots(file: SeqFile, layout: RecordLayout, found: int) -> int:
    """Frames before the slots at the end that have no time stamp; all when not even the first has one."""
    slots = images_in(file)
    written = written_images(file, slots)
    if written in (0, slots):
        return found
    return written * layout.frames


def check_stamps(
    file: SeqFile, layout: RecordLayout, found: int, *, count: bool, incomplete: str, notes: list[str]
) -> tuple[StampCheck | None, int | None]:
    """What to verify of every image of a single file, and the first of a sample that fails.

    Nothing is verified in a file whose images have no time stamps, by a sample of them: it was written by another
    program. With `count` False stamps are left for an audit to look at.

    Raises
    ------
    FormatError
        A sampled image was never written, or overwritten.
    """
    check = StampCheck(file.header.stamp_bytes, count)
    if not file.header.stamped:
        return None, None
    fd = open_read_only(file.path)
    try:

        def good(image: int) -> bool:
            stamp = np.frombuffer(stamp_at(fd, file, image), np.uint8)
            return bool(check.inspect(stamp[None]).readable[0])

        if not _has_stamps(fd, file, check, found, notes):
            return None, None
        if not count:
            return check, None
        damaged = probe_sequence(lambda image: 0 if good(image) else None, found).unreadable
        if damaged is not None:
            told = check.explain(stamp_at(fd, file, damaged), damaged)
            error = FormatError(
                f"{file.path}: frame {damaged} (counted from 0) at byte {layout.position(damaged)} is damaged: {told}. "
                f"{_SAY_INCOMPLETE}; or, if time stamps mean nothing here, load with frame_numbers='ignore'"
            )
            notes.append(no_damage(incomplete, error))
        return check, damaged
    finally:
        os.close(fd)


def _has_stamps(fd: int, file: SeqFile, check: StampCheck, found: int, notes: list[str]) -> bool:
    """Whether time stamps are written in this file: a first one that was overwritten does not decide."""
    sample = sample_records(found, _JUDGED_BY - 2)
    stamps = np.array([np.frombuffer(stamp_at(fd, file, image), np.uint8) for image in sample])
    good = check.inspect(stamps).readable
    # Beside time stamps only zeros, of slots that were never written: such a file has time stamps.
    if good[0] or 2 * int(good.sum()) > good.size or (good.any() and not stamps[~good].any()):
        return True
    if good.any():
        notes.append(f"{file.path}: only some of its images seem to have a time stamp: time stamps are not checked")
    return False


def note_order(file: SeqFile, notes: list[str]) -> None:
    """Tell of a file whose images may not be in the order of time, by the origin that its header states."""
    if file.header.origin:
        notes.append(
            f"{file.path}: its header states origin {file.header.origin} at byte 576 (recorded around a trigger?), "
            "expected 0: frames may not be in the order of time, compare time_stamps() of lazy4d.io.seq.stamps"
        )
