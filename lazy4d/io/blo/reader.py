"""The reader of NanoMegas block files: a file in, a `Source` out, without reading a pattern."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazy4d.io.blo.header import HEADER_BYTES, MAGIC, BloHeader, first_pattern, parse_header, read_virtual_image
from lazy4d.io.blo.patterns import survey
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, one_of

_FRAME_NUMBERS = ("check", "ignore")


class BloReader:
    """Block files of NanoMegas ASTAR, versions 1.2 (8 bits) and 1.3 (8 or 16 bits)."""

    name = "blo"
    extensions: tuple[str, ...] = (".blo",)
    signature = "starts with 'IMGBLO'"
    audit_options = {"frame_numbers": "ignore", "scan_shape": (-1,)}  # noqa: RUF012 -- constant by convention of Reader

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins as block files do.

        Examples
        --------
        >>> BloReader().sniff(b"IMGBLO" + bytes([2, 1])), BloReader().sniff(b"IMG")
        (True, False)
        """
        return head.startswith(MAGIC)

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        frame_numbers: str = "check",
        serpentine: bool | None = None,
    ) -> Source:
        """The patterns of a block file, uint8 or uint16, in file order.

        The scan shape is the argument, else NY x NX of the header. Sizes and a sample of frame numbers are checked
        here, the mark and the number before every pattern when it is read. The scan steps are in nm; the
        detector axes in cm on the camera, from its pixels per cm. The virtual image that the file holds stands in the
        metadata, ``General.virtual_images``.

        Parameters
        ----------
        path : path
            The file.
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
            ``"ignore"`` takes frames as they stand in the file.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError, TruncatedFileError
            The file is damaged, or no block file: names file, byte, frame, what was expected and found.
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
        where = os.path.abspath(os.fspath(path))
        with open(where, "rb") as file:
            status = os.fstat(file.fileno())
            header = parse_header(file.read(HEADER_BYTES), where)
            first_pattern(header, where, status.st_size)
            found = survey(file, where, status, header, incomplete=incomplete, count=frame_numbers == "check")
            image = read_virtual_image(file, header)
        plan = plan_scan(
            where,
            found.files.total,
            scan_shape=scan_shape,
            sync_offset=sync_offset,
            flyback=flyback,
            incomplete=incomplete,
            hint=ShapeHint((header.rows, header.columns), "NX, NY of the header"),
            usable=found.usable,
            serpentine=serpentine,
        )
        frames = RawFrames(
            found.files, found.layout, plan.navigation, incomplete=incomplete, io=io, check=found.check
        )  # fmt: skip
        general: dict[str, Any] = {}
        if image is not None:
            told = {"name": "virtual bright field", "path": where, "offset": header.image_offset}
            general["virtual_images"] = {
                "virtual_0": {**told, "shape": list(image.shape), "dtype": image.dtype.name, "data": image}
            }
        return Source(
            frames=frames,
            title=Path(where).stem,
            signal_axes=_signal_axes(header),
            navigation_axes=_scan_axes(header, len(frames.nav_shape)),
            metadata=_metadata(where, header, general),
            original_metadata={"blockfile_header": header.as_dictionary()},
            identity={
                "path": where, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": self.name,
                "token": found.files.digest,
            },
            warnings=(*found.warnings, *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=found.files.found,
            frames_expected=header.rows * header.columns,
        )  # fmt: skip


def _signal_axes(header: BloHeader) -> tuple[AxisSpec, ...]:
    if not header.pixels_per_cm:
        return AxisSpec("ky"), AxisSpec("kx")
    step = 100.0 / header.pixels_per_cm
    return AxisSpec("ky", "cm", step), AxisSpec("kx", "cm", step)


def _scan_axes(header: BloHeader, ndim: int) -> tuple[AxisSpec, ...]:
    """Axes with the scan steps where the last two are lines and columns of it; one axis is a line of it."""
    axes = list(navigation_axes(ndim))
    for k, (name, step) in enumerate((("x", header.step_x), ("y", header.step_y))):
        if k < ndim and math.isfinite(step) and 0 < step < 1e12:
            axes[-1 - k] = AxisSpec(name, "nm", step)
    return tuple(axes)


def _metadata(path: str, header: BloHeader, general: dict[str, Any]) -> dict[str, Any]:
    name = Path(path)
    tree: dict[str, Any] = {"title": name.stem, "original_filename": name.name}
    if header.when is not None:
        tree |= {"date": header.when.date().isoformat(), "time": header.when.time().isoformat()}
    if header.note:
        tree["notes"] = header.note
    microscope = {
        "beam_energy": header.beam_energy / 1e3 or None,
        "camera_length": header.camera_length / 10 or None,  # mm
        "rotation": header.scan_rotation / 100,
    }
    return {
        "General": {**tree, **general},
        "Signal": {"signal_type": "electron_diffraction", "quantity": "Counts"},
        "Acquisition_instrument": {"TEM": {key: value for key, value in microscope.items() if value is not None}},
    }


READER = BloReader()
