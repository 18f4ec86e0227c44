"""The reader of TVIPS streams: files in, a `Source` out, without reading a frame."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lazy4d.io.rawframes import RawFrames
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, frame_axes, navigation_axes, one_of
from lazy4d.io.tvips.header import (
    FRAME_FIELDS,
    HEADER_BYTES,
    SCAN_X,
    TvipsHeader,
    looks_like_tvips,
    parse_frame_header,
    parse_header,
)
from lazy4d.io.tvips.joined import JoinedFrames
from lazy4d.io.tvips.parts import Stream, find_parts, first_part, read_frame_head, survey
from lazy4d.io.tvips.raster import Raster, find_raster

_FRAME_NUMBERS = ("check", "ignore")
_DIFFRACTION = 2


class TvipsReader:
    """Streams of TVIPS cameras, versions 1 and 2, in one file or in several numbered ``_000``, ``_001`` and so on."""

    name = "tvips"
    extensions: tuple[str, ...] = (".tvips",)
    signature = "starts with a header of 256 bytes that states version 1 or 2, or is a later part of such a stream"
    series = True
    audit_options = {"frame_numbers": "ignore", "scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins as the first file of a stream does.

        Examples
        --------
        >>> TvipsReader().sniff(bytes(512))
        False
        """
        return looks_like_tvips(head)

    def claims(self, path: str) -> bool:
        """True for a later part of a stream, which has no header, when the first part stands beside it.

        Examples
        --------
        >>> TvipsReader().claims("/no/such/scan_001.tvips")
        False
        """
        begin = first_part(path)
        if begin == path or not os.path.isfile(begin):
            return False
        with open(begin, "rb") as file:
            return looks_like_tvips(file.read(HEADER_BYTES))

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
        """The frames of a stream, uint8 or uint16, in the order of recording.

        Any numbered file brings all files of its stream. The scan shape is the argument, else the raster that scan
        positions in the frame headers draw, when they count every frame from the first on; else one-dimensional. The
        rotator index is not used for it: it counts positions, but does not say how many make a line.

        Pixels are not calibrated: the header states their size on the camera, not in the specimen or in diffraction.

        Parameters
        ----------
        path : path or sequence of paths
            One file of the stream, or all.
        scan_shape, sync_offset, flyback, serpentine : optional
            See `plan_scan`.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do with damaged or missing frames.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.
        frame_numbers : {"check", "ignore"}
            ``"ignore"`` takes frames as they stand in the files.

        Raises
        ------
        FormatError, TruncatedFileError
            A file is damaged, or no TVIPS stream: names file, byte, frame, what was expected and found.
        MissingCompanionError
            A part of the stream is not there.
        ScanShapeError
            The frames do not fill the scan.
        UnsupportedVariantError
            A version or depth that is not known.
        ValueError
            An option has a value that is not known.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        one_of("frame_numbers", frame_numbers, _FRAME_NUMBERS)
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        if not given:
            raise ValueError("the list of TVIPS files is empty: give at least one path")
        paths = find_parts([os.path.abspath(os.fspath(item)) for item in given])
        header = parse_header(read_frame_head(paths[0], 0, HEADER_BYTES), paths[0])
        stream = survey(paths, header, incomplete=incomplete, count=frame_numbers == "check")
        raster = _raster(stream, header) if scan_shape is None else None
        notes = list(stream.warnings)
        hint = None
        if raster is not None and raster.first == 0 and raster.rows * raster.columns == stream.total:
            hint = ShapeHint((raster.rows, raster.columns), "scan positions in the frame headers")
        elif raster is not None:
            notes.append(
                f"{paths[0]}: scan positions in the frame headers draw {raster.rows} lines of {raster.columns} from "
                f"frame {raster.first} on: to take them, load with scan_shape=({raster.rows}, {raster.columns}), "
                f"sync_offset={raster.first}"
            )
        plan = plan_scan(
            paths[0], stream.total, scan_shape=scan_shape, sync_offset=sync_offset, flyback=flyback,
            incomplete=incomplete, hint=hint, usable=stream.usable, serpentine=serpentine,
        )  # fmt: skip
        pieces = [
            RawFrames(files, layout, plan.navigation, incomplete=incomplete, io=io, check=stream.check)
            for files, layout in stream.groups
        ]
        frames = pieces[0] if len(pieces) == 1 else JoinedFrames(*pieces)
        heads = [_frame_head(stream, header, number) for number in (0, stream.found - 1)]
        title = _title(paths[0])
        return Source(
            frames=frames,
            title=title,
            signal_axes=frame_axes(),
            navigation_axes=navigation_axes(len(frames.nav_shape)),
            metadata=_metadata(paths[0], title, header, *heads),
            original_metadata={
                "header": header.as_dictionary(), "first_frame": heads[0], "last_frame": heads[1],
                "frame_counters": "count frames" if stream.check is not None and stream.check.count else "not used",
            },
            identity={
                "path": paths[0], "files": len(paths), "size": stream.size, "mtime_ns": stream.mtime_ns,
                "format": self.name, "token": "".join(files.digest for files, _ in stream.groups),
            },
            warnings=(*notes, *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=stream.found,
        )  # fmt: skip


def _bytes_of(stream: Stream, frame: int, offset: int, nbytes: int) -> bytes:
    """Bytes of the header of a frame, counted as stored."""
    for files, layout in stream.groups:
        if frame < files.found:
            ends = files.counts.cumsum()
            run = int((ends <= frame).sum())
            record = int(files.records[run]) + frame - int(ends[run] - files.counts[run])
            return read_frame_head(files.path(int(files.owners[run])), layout.position(record) + offset, nbytes)
        frame -= files.found
    return b""


def _raster(stream: Stream, header: TvipsHeader) -> Raster | None:
    if header.version != 2 or header.frame_header < SCAN_X + 8:
        return None

    def position(frame: int) -> tuple[float, float]:
        found = _bytes_of(stream, frame, SCAN_X, 8)
        x, y = struct.unpack("<ff", found) if len(found) == 8 else (-1.0, -1.0)
        return x, y

    return find_raster(position, stream.found)


def _frame_head(stream: Stream, header: TvipsHeader, frame: int) -> dict[str, Any]:
    nbytes = min(header.frame_header, 4 * len(FRAME_FIELDS))
    return parse_frame_header(_bytes_of(stream, frame, 0, nbytes))


def _title(path: str) -> str:
    stem = Path(path).stem
    return stem[:-4] if stem.endswith("_000") and len(stem) > 4 else stem


def _metadata(
    path: str, title: str, header: TvipsHeader, first: dict[str, Any], last: dict[str, Any]
) -> dict[str, Any]:
    general: dict[str, Any] = {"title": title, "original_filename": os.path.basename(path)}
    seconds = first.get("seconds", 0)
    if seconds:
        when = datetime.fromtimestamp(seconds, UTC)
        general |= {"date": when.date().isoformat(), "time": when.time().isoformat(), "time_zone": "UTC"}
    diffraction = first.get("mode") == _DIFFRACTION
    stage = {
        f"{'tilt_' if name in ('alpha', 'beta') else ''}{name}": first[f"stage_{name}"]
        for name in ("x", "y", "z", "alpha", "beta")
        if first.get(f"stage_{name}")
    }
    camera = {
        "pixel_size": header.pixel_size or None,  # nm on the camera
        "binning": [header.binning_y, header.binning_x],
        "offset": [header.offset_y, header.offset_x],
        "time_stamp_first": _time(first),
        "time_stamp_last": _time(last),
    }
    tem = {
        "beam_energy": header.beam_energy,
        "camera_length" if diffraction else "magnification": header.magnification or None,
        "Stage": stage or None,
        "Detector": {"TVIPS": {key: value for key, value in camera.items() if value is not None}},
    }
    return {
        "General": general,
        "Signal": {"quantity": "Counts", **({"signal_type": "electron_diffraction"} if diffraction else {})},
        "Acquisition_instrument": {"TEM": {key: value for key, value in tem.items() if value is not None}},
    }


def _time(head: dict[str, Any]) -> float | None:
    seconds = head.get("seconds", 0)
    return seconds + head.get("milliseconds", 0) / 1000 if seconds else None


READER = TvipsReader()
