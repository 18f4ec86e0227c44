"""Two halves of a Celeritas recording: how many half-frames an image holds, and which of them belong together."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, MissingCompanionError
from lazy4d.io.mapping import open_read_only, read_into
from lazy4d.io.rawframes import RecordLayout
from lazy4d.io.seq.config import CameraConfig
from lazy4d.io.seq.counter import Half, align, counters, counts_frames, follow, least_modulus
from lazy4d.io.seq.counter_width import counter_modulus
from lazy4d.io.seq.header import SeqFile
from lazy4d.io.seq.images import count_frames
from lazy4d.io.seq.sidecars import CONFIG
from lazy4d.io.seq.split import HalfDecoder

_MOST_IMAGE_BYTES = 1 << 28


def half_layout(file: SeqFile, pre_buffer: int, *, flip: bool, repair: bool) -> RecordLayout:
    """Where the half-frames of a file stand that holds `pre_buffer` of them in each image."""
    header = file.header
    decoder = HalfDecoder(header.dtype, (header.height // pre_buffer, header.width), flip, repair)
    return RecordLayout(header.start, header.stride, 0, decoder, frames=pre_buffer)


def dividing(pre_buffer: int, height: int) -> int:
    """`pre_buffer` when that many frames can stand in an image of `height` rows.

    Raises
    ------
    ValueError
        They cannot.

    Examples
    --------
    >>> dividing(4, 32)
    4
    """
    whole = isinstance(pre_buffer, int | np.integer) and not isinstance(pre_buffer, bool)
    if not whole or pre_buffer < 1 or height % int(pre_buffer):
        raise ValueError(f"pre_buffer={pre_buffer!r} must be a whole number that divides the {height} rows of an image")
    return int(pre_buffer)


def find_pre_buffer(top: SeqFile, bottom: SeqFile, given: int | None, config: CameraConfig, stem: str) -> int:
    """Half-frames in each stored image: as given, as the settings say, or as the counters in the pixels tell.

    Parameters
    ----------
    top, bottom : SeqFile
        The halves.
    given : int or None
        What the user says.
    config : CameraConfig
        Settings of the camera.
    stem : str
        Path of the recording without suffix, for messages.

    Raises
    ------
    ValueError
        The number given does not divide the images.
    FormatError
        Halves of different geometry, or settings that contradict the pixels.
    MissingCompanionError
        There are no settings, and no counters either: names the file looked for.
    """
    header = top.header
    if _geometry(top) != _geometry(bottom):
        raise FormatError(
            f"{bottom.path}: expected images of {header.width} x {header.height} pixels of {header.bit_depth} bits as "
            f"in {os.path.basename(top.path)}, found {bottom.header.width} x {bottom.header.height} of "
            f"{bottom.header.bit_depth}: the halves are not of one recording"
        )
    height = header.height
    if given is not None:
        return dividing(given, height)
    stated = config.whole("SegmentPreBuffer")
    if stated is not None and height % stated == 0 and _agrees(top, stated):
        return stated
    counted = _count_pre_buffer(top)
    if counted is not None and counted != _count_pre_buffer(bottom):
        counted = None
    if stated is not None and counted is None and height % stated == 0:
        return stated  # pixels that count nothing do not speak against the settings
    if stated is not None:
        told = "that does not divide them"
        if counted:
            told = f"the frame counters in {os.path.basename(top.path)} say {counted}"
        raise FormatError(
            f"{config.path}: SegmentPreBuffer says {stated} half-frames in each image of {height} rows, but {told}; "
            "give the right number as pre_buffer="
        )
    if counted is None:
        raise MissingCompanionError(
            f"{top.path}: how many half-frames an image of {height} rows holds stands in {stem}.seq{CONFIG}, which is "
            "missing, and the pixels hold no frame counters to tell; copy that file beside this one or give pre_buffer="
        )
    return counted


def _geometry(file: SeqFile) -> tuple[int, int, int]:
    return file.header.width, file.header.height, file.header.bit_depth


def _agrees(file: SeqFile, pre_buffer: int) -> bool:
    layout = half_layout(file, pre_buffer, flip=False, repair=False)
    return counts_frames(file, layout, layout.records_in(file.size)[0])


def _count_pre_buffer(file: SeqFile) -> int | None:
    """Half-frames in each image, as the numbers in the first column of the first image tell; None where none do."""
    column = _first_column(file)
    modulus = least_modulus(file.header.dtype)
    if column is None:
        return None
    for rows in range(1, column.size // 2 + 1):
        if column.size % rows == 0 and bool((np.diff(column[::rows]) % modulus == 1).all()):
            return column.size // rows
    single = half_layout(file, 1, flip=False, repair=False)
    images = min(single.records_in(file.size)[0], 8)
    steps = np.diff(counters(file, single, np.arange(images, dtype=np.int64))) % modulus
    return 1 if steps.size and bool((steps == 1).all()) else None


def _first_column(file: SeqFile) -> NDArray[np.int64] | None:
    header = file.header
    if header.image_bytes > min(_MOST_IMAGE_BYTES, file.size - header.start):
        return None
    image = np.zeros(header.image_bytes, np.uint8)
    fd = open_read_only(file.path)
    try:
        read_into(fd, image, header.start)
    finally:
        os.close(fd)
    return image.view(header.dtype).reshape(header.height, header.width)[:, 0].astype(np.int64)


def survey_halves(
    top: SeqFile, bottom: SeqFile, pre_buffer: int, *, repair: bool, count: bool, frame_count: str, incomplete: str
) -> tuple[Half, Half, list[str]]:
    """Both halves with their frames in order, numbered alike, and what a user should be told.

    Parameters
    ----------
    top, bottom : SeqFile
        The files.
    pre_buffer : int
        Half-frames in each image.
    repair : bool
        Replace the counters in the pixels.
    count : bool
        Trust the counters; otherwise half-frames belong together as they stand.
    frame_count, incomplete : str
        See `SeqReader.read`.

    Raises
    ------
    FormatError, TruncatedFileError
        Damage that `incomplete` does not tolerate.
    """
    notes: list[str] = []
    plain = []
    for file, flip in ((top, True), (bottom, False)):
        layout = half_layout(file, pre_buffer, flip=flip, repair=repair)
        found = count_frames(file, layout, frame_count=frame_count, incomplete=incomplete, notes=notes)
        plain.append(Half(file, layout, found, None, ((0, found, 0),)))
    counting = [counts_frames(half.file, half.layout, half.found) for half in plain]
    if all(counting):
        modulus = counter_modulus(plain)
        plain = [follow(half, modulus, count=count, incomplete=incomplete, notes=notes) for half in plain]
    elif any(counting) and count:
        without = plain[counting.index(False)]
        raise FormatError(
            f"{without.file.path}: expected its first pixels to count frames as those of the other half do, found "
            f"{counters(without.file, without.layout, np.arange(min(4, without.found), dtype=np.int64)).tolist()}: it "
            "is damaged or of another recording. Load with frame_numbers='ignore' to put them together as they stand"
        )
    elif count and max(half.found for half in plain) > 1:
        notes.append(f"{top.path}: no frame counters in the pixels: that both halves belong together is not verified")
    first, second, told = align(plain[0], plain[1])
    notes += told
    total = min(first.total, second.total)
    for half in (first, second):
        if all(number >= total for number, _, _ in half.runs):
            raise FormatError(
                f"{half.file.path}: none of its frames has another half, by their counters. Load with "
                "frame_numbers='ignore' to put the halves together as they stand"
            )
    if first.total != second.total:
        short, long = (first, second) if first.total < second.total else (second, first)
        unseen = ""
        if short.check is not None and long.total - short.total >= short.check.modulus:
            unseen = (
                f". Counters that start again at {short.check.modulus} would not show so many frames lost at once: "
                "verify that both halves stay in step"
            )
        notes.append(
            f"{short.file.path}: has {short.total} frames, {os.path.basename(long.file.path)} has {long.total}: the "
            f"{long.total - short.total} without another half are left out{unseen}"
        )
    return first, second, notes
