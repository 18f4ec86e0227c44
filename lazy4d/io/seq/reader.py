"""The SEQ reader: one file or two halves in, a `Source` out, without reading a pixel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazy4d.io.files import FrameFiles
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout
from lazy4d.io.scan import ScanPlan, plan_scan
from lazy4d.io.seq import celeritas, counter, images, metadata, pairing, sidecars
from lazy4d.io.seq.header import MAGIC, NAME, SeqFile, open_seq
from lazy4d.io.seq.split import SplitFrames
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, frame_axes, navigation_axes, one_of

_FRAME_NUMBERS = ("check", "ignore")
_COUNTER_PIXELS = ("keep", "repair")


class SeqReader:
    """Norpix StreamPix sequences, as Direct Electron and other cameras write them.

    Uncompressed monochrome images of 8, 16 and 32 bits, versions 3 to 5 (3 and 4 by the rules of other programs: no
    such file was at hand), and the Top and Bottom halves of a Celeritas, with any pre-buffer.
    """

    name = "seq"
    extensions: tuple[str, ...] = (".seq",)
    signature = "starts with the bytes ED FE 00 00 and the name 'Norpix seq'"
    series = True
    audit_options = {"frame_numbers": "ignore", "scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins with the magic number and the name of the format.

        Examples
        --------
        >>> SeqReader().sniff(MAGIC + NAME), SeqReader().sniff(b"MQ1,")
        (True, False)
        """
        return head.startswith(MAGIC + NAME)

    def stands_for(self, path: str) -> list[str]:
        """The two halves that the name of a recording means where there is no such file; empty without them."""
        return pairing.halves_of_stem(path) if os.path.splitext(path)[1].lower() in ("", ".seq") else []

    def read(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        pre_buffer: int | None = None,
        counter_pixels: str = "keep",
        frame_numbers: str = "check",
        frame_count: str = "header",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a SEQ file, or of the two halves of one recording, as raw counts in file order.

        A half of a Celeritas recording, ``<stem>_Top_<time>.seq`` or ``<stem>_Bottom_<time>.seq``, brings the other
        half; a frame is the upper half, which is stored upside down, above the lower one. The format holds no scan
        shape. Dark and gain references and bad pixels are put into the metadata, under
        ``Acquisition_instrument.TEM.Detector.Reference``, and not applied; references of more than a million pixels
        stay in their files, which are named there.

        The first pixel of each half-frame holds a frame number instead of an intensity. A sample of them is checked
        here, each one when its frame is read: frames missing by their numbers are damage, and with
        ``incomplete="nan"`` or ``"zero"`` the others keep their places in the scan. Numbers start again at 4096, or
        at 65536 where larger ones are found: a loss of exactly so many frames, or a multiple of it, cannot be seen.
        In single files the time stamp behind each image is checked in the same way.

        Parameters
        ----------
        path : path or sequence of paths
            One file, one half, both halves, or ``<stem>.seq`` of two halves.
        scan_shape : sequence of int, int, "square" or None
            ``(rows, columns)``; see `plan_scan`.
        sync_offset : int
            Frames to skip at the start; negative: blank positions, which are invalid, to insert there.
        flyback : int
            Frames to leave out after each line.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with damaged or missing frames. Halves of different length are no damage: the frames that
            both have are used, with a warning.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.
        pre_buffer : int, optional
            Frames in each stored image, instead of ``SegmentPreBuffer`` of the settings; without either it is told by
            the frame numbers.
        counter_pixels : {"keep", "repair"}
            ``"repair"`` replaces each of the two pixels of a frame that hold its number, ``(ky // 2 - 1, 0)`` and
            ``(ky // 2, 0)``, by the mean of two neighbours in its half.
        frame_numbers : {"check", "ignore"}
            ``"ignore"`` takes frames, and halves, as they stand: neither frame numbers nor time stamps are checked.
        frame_count : {"header", "file"}
            ``"file"`` takes all frames that the file holds where its header counts fewer.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError, TruncatedFileError
            A file is damaged, or not SEQ: names file, byte, frame, what was expected and found.
        MissingCompanionError
            A half, or what tells the pre-buffer, is not there: names the file looked for. A half whose name states
            a time more than 10 s away, or nearer to another recording, is not the one looked for.
        ScanShapeError
            The frames do not fill the scan.
        UnsupportedVariantError
            Compressed, colour or packed images.
        ValueError
            An option has a value that is not known.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        one_of("counter_pixels", counter_pixels, _COUNTER_PIXELS)
        one_of("frame_numbers", frame_numbers, _FRAME_NUMBERS)
        one_of("frame_count", frame_count, images.FRAME_COUNTS)
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        if not given:
            raise ValueError("the list of SEQ files is empty: give at least one path")
        paths = [os.path.abspath(os.fspath(item)) for item in given]
        scan = {"scan_shape": scan_shape, "sync_offset": sync_offset, "flyback": flyback, "incomplete": incomplete}
        scan["serpentine"] = serpentine
        check = frame_numbers == "check"
        pair = pairing.find_pair(paths)
        if pair is None:
            file = open_seq(paths[0])
            return _read_single(file, scan, io, pre_buffer=pre_buffer, check=check, frame_count=frame_count)
        repair = counter_pixels == "repair"
        return _read_halves(
            pair, scan, io, repair=repair, pre_buffer=pre_buffer, check=check, frame_count=frame_count
        )  # fmt: skip


def _read_single(
    file: SeqFile, scan: dict[str, Any], io: str, *, pre_buffer: int | None, check: bool, frame_count: str
) -> Source:
    header = file.header
    several = 1 if pre_buffer is None else celeritas.dividing(pre_buffer, header.height)
    bases = sidecars.name_bases(file.path)
    found = sidecars.read_settings(bases)
    shape = (header.height // several, header.width)
    sidecars.add_record(found, file.path)
    sidecars.add_references(found, bases, shape)
    stamp = header.stamp_bytes if header.stamped and several == 1 else 0
    decoder = PlainDecoder(header.dtype, shape)
    layout = RecordLayout(
        header.start, header.stride, 0, decoder, frames=several, tail=stamp, checked=header.image_bytes if stamp else 0
    )
    incomplete, notes = scan["incomplete"], list(found.notes)
    images.note_order(file, notes)
    count = images.count_frames(file, layout, frame_count=frame_count, incomplete=incomplete, notes=notes)
    verified, damaged = None, None
    if stamp:
        verified, damaged = images.check_stamps(file, layout, count, count=check, incomplete=incomplete, notes=notes)
    plan = plan_scan(file.path, count, usable=damaged, **scan)
    files = FrameFiles.single(file.path, size=file.size, mtime_ns=file.mtime_ns, count=count)
    frames = RawFrames(files, layout, plan.navigation, incomplete=incomplete, io=io, check=verified)
    title = _title(file.path)
    tree = metadata.map_metadata(title, file, several, metadata.image_times(file, -(-count // several)), found)
    metadata.add_reference(tree, found, ())
    _note_missing(found, file.path, notes)
    return _source(frames, title, tree, {"header": file}, found, plan, (*notes, *plan.warnings), count)


def _read_halves(
    pair: tuple[pairing.HalfName, pairing.HalfName],
    scan: dict[str, Any],
    io: str,
    *,
    repair: bool,
    pre_buffer: int | None,
    check: bool,
    frame_count: str,
) -> Source:
    top, bottom = (open_seq(name.path) for name in pair)
    stem = pair[0].stem
    bases = [f"{stem}.seq", stem]
    found = sidecars.read_settings(bases)
    several = celeritas.find_pre_buffer(top, bottom, pre_buffer, found.config, stem)
    incomplete = scan["incomplete"]
    first, second, notes = celeritas.survey_halves(
        top, bottom, several, repair=repair, count=check, frame_count=frame_count, incomplete=incomplete
    )
    for file in (top, bottom):
        images.note_order(file, notes)
    total = min(first.total, second.total)
    damaged = [_first_trouble(half) for half in (first, second)]
    plan = plan_scan(top.path, total, usable=min((n for n in damaged if n is not None), default=None), **scan)
    frames = SplitFrames(
        *(
            RawFrames(half.frame_files(total), half.layout, plan.navigation, incomplete=incomplete, io=io,
                      check=half.check)
            for half in (first, second)
        )
    )  # fmt: skip
    rows = top.header.height // several
    sidecars.add_references(found, bases, (2 * rows, top.header.width))
    for file in (top, bottom):
        sidecars.add_record(found, file.path)
    _note_missing(found, top.path, notes)
    title = _title(f"{stem}.seq")
    tree = metadata.map_metadata(title, top, several, metadata.image_times(top, -(-total // several)), found)
    counting = first.check is not None and not repair
    metadata.add_reference(tree, found, [(rows - 1, 0), (rows, 0)] if counting else [])
    here = min(frames.top.files.found, frames.bottom.files.found)
    files = {"top_header": top, "bottom_header": bottom}
    return _source(frames, title, tree, files, found, plan, (*found.notes, *notes, *plan.warnings), here)


def _first_trouble(half: counter.Half) -> int | None:
    """The first frame of a half that is missing or damaged."""
    gap = half.runs[0][0] + half.runs[0][1] if half.runs[0][0] == 0 else 0
    known = [n for n in (half.damaged, gap if gap < half.total else None) if n is not None]
    return min(known, default=None)


def _note_missing(found: sidecars.Sidecars, path: str, notes: list[str]) -> None:
    if found.missing_frames:
        shown = ", ".join(map(str, found.missing_frames[:8])) + (" …" if len(found.missing_frames) > 8 else "")
        notes.append(f"{path}: the camera reports {len(found.missing_frames)} missing frames: {shown}")
    for name, record in found.records.items():
        if "last_image" in record and record["last_image"] - record["first_image"] + 1 != record["records"]:
            notes.append(
                f"{name}: the camera counted images {record['first_image']} to {record['last_image']}, but recorded "
                f"{record['records']}: some were dropped"
            )


def _title(path: str) -> str:
    stem = Path(path).stem
    return stem[:-4] if stem.lower().endswith(".seq") else stem


def _source(
    frames: RawFrames | SplitFrames,
    title: str,
    tree: dict[str, Any],
    files: dict[str, SeqFile],
    found: sidecars.Sidecars,
    plan: ScanPlan,
    notes: tuple[str, ...],
    count: int,
) -> Source:
    first = next(iter(files.values()))
    parts = frames.parts if isinstance(frames, SplitFrames) else (frames,)
    several = tree["Acquisition_instrument"]["TEM"]["Detector"]["StreamPix"].get("pre_buffer", 1)
    stated = [file.header.stated_images * several for file in files.values()]
    return Source(
        frames=frames,
        title=title,
        signal_axes=frame_axes(),
        navigation_axes=navigation_axes(len(frames.nav_shape)),
        metadata=tree,
        original_metadata=metadata.map_original(files, found),
        identity={
            "path": first.path,
            "files": len(files),
            "size": sum(file.size for file in files.values()),
            "mtime_ns": max(file.mtime_ns for file in files.values()),
            "format": "seq",
            "token": "".join(part.files.digest for part in parts),
        },
        warnings=notes,
        scan_shape_origin=plan.origin,
        frames_found=count,
        frames_expected=min(stated) or None,
    )


READER = SeqReader()
