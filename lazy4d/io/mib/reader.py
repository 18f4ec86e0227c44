"""The MIB reader: files in, a `Source` out, without reading a pixel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazy4d.errors import ScanShapeError
from lazy4d.io.mib.geometry import Geometry, find_geometry
from lazy4d.io.mib.header import MAGIC, PREFIX, PREFIX_BYTES, find_sidecar, parse_sidecar, sidecar_number
from lazy4d.io.mib.metadata import map_metadata
from lazy4d.io.mib.series import Recording, survey
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, frame_axes, navigation_axes, one_of

_FRAME_NUMBERS = ("check", "ignore")


class MibReader:
    """Merlin MIB files of Quantum Detectors.

    Processed pixels (U08, U16, U32) of any chip layout and number of rows, RAW pixels (R64) of 1, 6, 12 and 24 bits
    of one chip and of 1, 6 and 12 bits of four chips in a square; one file or a numbered series.
    """

    name = "mib"
    extensions: tuple[str, ...] = (".mib",)
    signature = "starts with 'MQ1,' (or 'MPX,' when captured from the network)"
    series = True
    audit_options = {"frame_numbers": "ignore", "scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins with a MIB frame header.

        Examples
        --------
        >>> MibReader().sniff(b"MQ1,000001,00384,"), MibReader().sniff(b"PK")
        (True, False)
        """
        if head.startswith(PREFIX):
            rest = head[PREFIX_BYTES:].lstrip(b",")
            return rest.startswith((MAGIC, b"HDR,"))
        return head.startswith(MAGIC)

    def read(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        frame_numbers: str = "check",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a MIB file, or of a series of them, in file order without flips.

        The scan shape is the argument, else ``ScanX`` and ``ScanY`` of the ``.hdr`` text, else lines of its ``Frames
        per Trigger`` (when above 1, below the number of frames and a divisor of it), else one-dimensional: it is
        never guessed.

        Sizes and a sample of headers are checked here, every header when its frame is read. Frames missing by their
        numbers are damage; with ``incomplete="nan"`` or ``"zero"`` the others keep their places in
        the scan, which the numbers give.

        Parameters
        ----------
        path : path or sequence of paths
            One file, or the files of a series: same stem, then digits; ordered by the frame numbers in their headers.
        scan_shape : sequence of int, int, "square" or None
            ``(rows, columns)``; see `plan_scan`.
        sync_offset : int
            Frames to skip at the start; negative: blank positions, which are invalid, to insert there.
        flyback : int
            Frames to leave out after each line.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with damaged or missing frames.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.
        frame_numbers : {"check", "ignore"}
            ``"ignore"`` takes frames as they stand in the file, and files by the digits of their names.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError, TruncatedFileError
            The file is damaged, or not MIB: names file, byte, frame, what was expected and found.
        ScanShapeError
            The frames do not fill the scan.
        UnsupportedVariantError
            A variant that cannot be read correctly.
        ValueError
            An option has a value that is not known.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        one_of("frame_numbers", frame_numbers, _FRAME_NUMBERS)
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        names = [os.fspath(item) for item in given]
        paths = [name if os.path.isabs(name) else os.path.abspath(name) for name in names]
        if not paths:
            raise ValueError("the list of MIB files is empty: give at least one path")
        found = find_sidecar(paths[0])
        sidecar_path, sidecar = found if found else ("", {})
        geometry = find_geometry(paths[0], sidecar_number(sidecar, "Counter Depth"))
        if not sidecar and geometry.preamble:
            sidecar_path, sidecar = f"{paths[0]} (acquisition header)", parse_sidecar(geometry.preamble)
        recording = survey(paths, geometry, incomplete=incomplete, count=frame_numbers == "check")
        stored, total = recording.files.found, recording.files.total
        expected = sidecar_number(sidecar, "Frames in Acquisition")
        notes = [*recording.warnings, *_notes(paths[0], geometry, stored, expected, sidecar_path)]
        late = _late_start(recording) if sync_offset == 0 else ""
        try:
            plan = plan_scan(
                paths[0],
                total,
                scan_shape=scan_shape,
                sync_offset=sync_offset,
                flyback=flyback,
                incomplete=incomplete,
                hint=shape_hint(sidecar, sidecar_path, total),
                usable=recording.usable,
                serpentine=serpentine,
            )
        except ScanShapeError as error:
            raise ScanShapeError(f"{error}{late}") from None
        notes += plan.warnings
        if late and (plan.warnings or stored < (expected or 0)):
            notes[-1] += late
        frames = RawFrames(
            recording.files, geometry.layout, plan.navigation, incomplete=incomplete, io=io, check=recording.check
        )
        files = recording.files
        original: dict[str, Any] = {"header": geometry.header.as_dictionary()}
        if sidecar:
            original["hdr"] = sidecar
        metadata = map_metadata(files.path(0), geometry, sidecar)
        return Source(
            frames=frames,
            title=Path(files.path(0)).stem,
            signal_axes=frame_axes(),
            navigation_axes=navigation_axes(len(frames.nav_shape)),
            metadata=metadata,
            original_metadata=original,
            identity={
                "path": files.path(0),
                "files": len(files.names),
                "size": int(files.sizes.sum()),
                "mtime_ns": int(files.mtimes.max()),
                "format": self.name,
                "token": files.digest,
            },
            warnings=tuple(notes),
            scan_shape_origin=plan.origin,
            frames_found=stored,
            frames_expected=expected or None,
        )


def shape_hint(sidecar: dict[str, str], where: str, frames: int) -> ShapeHint | None:
    """The scan shape that the ``.hdr`` text gives for `frames` frames; None where it does not.

    Parameters
    ----------
    sidecar : dict
        Its keys and values.
    where : str
        Its path, for messages.
    frames : int
        Frames of the recording, missing ones included.

    Examples
    --------
    >>> hint = shape_hint({"ScanX": "4", "ScanY": "2"}, "scan.hdr", 8)
    >>> hint.shape, hint.origin
    ((2, 4), 'ScanX, ScanY of scan.hdr')
    >>> shape_hint({"Frames per Trigger (Number)": "9"}, "scan.hdr", 9)
    """
    columns, rows = sidecar_number(sidecar, "ScanX"), sidecar_number(sidecar, "ScanY")
    if columns and rows:
        return ShapeHint((rows, columns), f"ScanX, ScanY of {where}")
    line = sidecar_number(sidecar, "Frames per Trigger")
    if not line or line < 2 or line >= frames:
        return None
    promised = sidecar_number(sidecar, "Frames in Acquisition") or 0
    # An interrupted scan ends within a line: the acquisition then tells how many lines there should be.
    total = frames if frames % line == 0 else promised
    if total < frames or total % line:
        return None
    return ShapeHint((total // line, line), f"Frames per Trigger of {where}", per_line=True)


def _late_start(recording: Recording) -> str:
    """What to try where frames are missing and the first frame number is not 1: they may be missing at the start."""
    first = recording.check.first
    if not recording.check.count or first <= 1:
        return ""
    return (
        f". The frame numbers begin at {first}: if the {first - 1} frames before are the missing ones, "
        f"sync_offset={1 - first} puts the others in their places"
    )


def _notes(path: str, geometry: Geometry, found: int, expected: int | None, sidecar_path: str) -> list[str]:
    """What a user should be told although it is no damage."""
    notes = []
    if expected and expected != found:
        notes.append(f"{path}: {found} complete frames found, {expected} expected by {sidecar_path}")
    header = geometry.header
    if header.raw and header.layout in ("2x2", "2x2G") and header.width == 1024 and header.height != 256:
        notes.append(
            f"{path}: RAW quad with {header.height} of 256 rows a chip: the rows are put together as in whole frames, "
            "which no file has confirmed; check that they meet in the middle"
        )
    return notes


READER = MibReader()
