"""The reader of EMPAD acquisitions: a raw file or its XML in, a `Source` out, without reading a frame."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.errors import MissingCompanionError, TruncatedFileError
from lazy4d.io.empad.acquisition import (
    Acquisition,
    find_companion,
    looks_like_xml,
    read_acquisition,
    shape_in_name,
)
from lazy4d.io.files import FrameFiles
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, no_damage, one_of

FRAME_SHAPE = (128, 128)
STORED_ROWS = 130
RECORD = STORED_ROWS * 128 * 4
"""Bytes of a stored frame: its last two rows are no pixels but readings of the detector."""

_LAYOUT = RecordLayout(0, RECORD, 0, PlainDecoder(np.dtype("<f4"), FRAME_SHAPE), tail=RECORD - 128 * 128 * 4)


class EmpadReader:
    """Frames of the first generation of EMPAD: 128 x 128 pixels of float32 each, NaN kept as it is.

    Nothing in such a ``.raw`` file tells what it is. It is taken for one when an EMPAD ``.xml`` beside it names it,
    or when its own name tells a scan (``scan_x256_y256.raw``) and its size is a whole number of frames; other raw files
    are left to the reader of plain ones, and ``reader="empad"`` always reads them here.
    """

    name = "empad"
    extensions: tuple[str, ...] = (".xml",)
    signature = "is XML with <raw_file filename=...>, beside the raw file it names"

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins the XML of an acquisition.

        Examples
        --------
        >>> EmpadReader().sniff(b"<root><raw_file filename='scan_x4_y4.raw'/>"), EmpadReader().sniff(bytes(512))
        (True, False)
        """
        return looks_like_xml(head)

    def claims(self, path: str) -> bool:
        """True for a raw file that its name and size, or the XML beside it, tell to be of this detector.

        Examples
        --------
        >>> EmpadReader().claims("/no/such/file.raw")
        False
        """
        if not path.lower().endswith(".raw") or not os.path.isfile(path):
            return False
        size = os.path.getsize(path)
        named = shape_in_name(os.path.basename(path)) is not None and size > 0 and size % RECORD == 0
        return named or find_companion(path) is not None

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of an acquisition, float32, in file order, without the two rows of readings below each.

        The scan shape is the argument, else that in the name of the raw file (in the XML, then of the file), else
        ``pix_x`` and ``pix_y`` of the XML, else its ``scan_parameters`` for "acquire" or, where those do not fit the
        frames, for "search"; else one-dimensional. The scan step is that of the field of view, as the versions of the
        detector's program state it; ``calibrated_pixelsize`` is taken in 1/nm times 1e9, the reading of other programs.

        Parameters
        ----------
        path : path
            The raw file, or the XML that names it.
        scan_shape, sync_offset, flyback, serpentine : optional
            See `plan_scan`.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do when the file is too short.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.

        Raises
        ------
        FormatError, TruncatedFileError
            The XML cannot be understood, or the raw file does not hold a whole number of frames.
        MissingCompanionError
            The raw file that the XML names is not there.
        ScanShapeError
            The frames do not fill the scan.
        UnsupportedVariantError
            The second generation of the detector.
        ValueError
            An option has a value that is not known.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where, acquisition = _files(os.path.abspath(os.fspath(path)))
        status = os.stat(where)
        count, left = _LAYOUT.records_in(status.st_size)
        notes: list[str] = []
        if count == 0:
            raise TruncatedFileError(
                f"{where}: expected frames of {RECORD} bytes (130 rows of 128 float32), found {status.st_size} bytes: "
                "not one whole frame"
            )
        if left:
            error = TruncatedFileError(
                f"{where}: the file ends inside frame {count} (counted from 0) at byte {count * RECORD}: {RECORD} "
                f"bytes needed, {left} left; {count} complete frames. Load with incomplete='nan', 'zero' or 'crop' for "
                "those"
            )
            notes.append(no_damage(incomplete, error))
        hint = shape_hint(where, acquisition, count)
        plan = plan_scan(
            where, count, scan_shape=scan_shape, sync_offset=sync_offset, flyback=flyback, incomplete=incomplete,
            hint=hint, serpentine=serpentine,
        )  # fmt: skip
        files = FrameFiles.single(where, size=status.st_size, mtime_ns=status.st_mtime_ns, count=count)
        frames = RawFrames(files, _LAYOUT, plan.navigation, incomplete=incomplete, io=io)
        title = Path(acquisition.path if acquisition else where).stem
        scanned = hint.shape if hint is not None and scan_shape is None else _whole_scan(scan_shape, frames.nav_shape)
        return Source(
            frames=frames,
            title=title,
            signal_axes=_signal_axes(acquisition),
            navigation_axes=_scan_axes(acquisition, len(frames.nav_shape), scanned),
            metadata=_metadata(where, title, acquisition),
            original_metadata={"xml": acquisition.tree} if acquisition else {"bytes_per_frame": RECORD},
            identity={"path": where, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": self.name},
            warnings=(*notes, *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=count,
            frames_expected=math.prod(hint.shape) if hint else None,
        )


def _files(path: str) -> tuple[str, Acquisition | None]:
    """The raw file and the acquisition that describes it, from either."""
    with open(path, "rb") as file:
        described = looks_like_xml(file.read(8192))
    if not described and not path.lower().endswith(".xml"):
        return path, find_companion(path)
    acquisition = read_acquisition(path)
    folder = os.path.dirname(path)
    named = os.path.join(folder, acquisition.raw_name)
    same_stem = os.path.splitext(path)[0] + ".raw"
    for raw in (named, same_stem):
        if os.path.isfile(raw):
            return raw, acquisition
    raise MissingCompanionError(
        f"{path}: expected its frames in {named}, which is not there, nor is {same_stem}; put the raw file beside it, "
        "or load a renamed raw file with reader='empad'"
    )


def shape_hint(path: str, acquisition: Acquisition | None, frames: int) -> ShapeHint | None:
    """The scan shape that names and XML give for `frames` frames; None where they give none.

    Parameters
    ----------
    path : str
        The raw file.
    acquisition : Acquisition or None
        Its XML.
    frames : int
        Complete frames that it holds.

    Examples
    --------
    >>> shape_hint("/data/scan_x4_y2.raw", None, 8).shape
    (2, 4)
    """
    for name in filter(None, (acquisition.raw_name if acquisition else "", os.path.basename(path))):
        shape = shape_in_name(name)
        if shape:
            return ShapeHint(shape, f"the name {name}")
    if acquisition is None:
        return None
    series = acquisition.whole("scan_parameters/series_count") or (
        acquisition.whole("count") if acquisition.values.get("type") == "series" else None
    )
    if series:
        return ShapeHint((series,), f"count of {acquisition.path}")
    found = []
    for origin, rows, columns in (
        ("pix_x, pix_y", "pix_y", "pix_x"),
        *((f"scan_parameters for {mode!r}", *(f"scan_parameters[{mode}]/scan_resolution_{n}" for n in "yx"))
          for mode in ("acquire", "search")),
    ):  # fmt: skip
        sides = acquisition.whole(rows), acquisition.whole(columns)
        if sides[0] and sides[1]:
            found.append(ShapeHint((sides[0], sides[1]), f"{origin} of {acquisition.path}"))
    if found and found[0].origin.startswith("pix_x"):
        return found[0]
    fitting = [hint for hint in found if math.prod(hint.shape) == frames]
    return next(iter(fitting or found), None)


def _whole_scan(scan_shape: Any, nav_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The scan as the user gives it, also where some of its lines are cropped away."""
    given = tuple(scan_shape) if isinstance(scan_shape, Sequence) and not isinstance(scan_shape, str) else nav_shape
    return nav_shape if -1 in given else given


def _scan_axes(acquisition: Acquisition | None, ndim: int, scanned: tuple[int, ...]) -> tuple[AxisSpec, ...]:
    """Axes with the step in nm where the XML has the field of view of a scan of shape `scanned`."""
    axes = navigation_axes(ndim)
    if acquisition is None or ndim != 2 or len(scanned) != 2:
        return axes
    legacy = acquisition.field_of_view()
    if legacy is not None:
        steps = [width / n for width, n in zip(legacy, scanned, strict=True)]
    else:
        view = "iom_measurements/full_scan_field_of_view"
        width, factor = acquisition.positive(f"{view}/x"), acquisition.positive(f"{view}/scale_factor")
        if width is None or factor is None or not width < 1:
            return axes
        # Both entries are the width of the longer side, times the factor by which this scan differs from others.
        steps = [width / factor / max(scanned)] * 2
    return tuple(replace(axis, units="nm", scale=step * 1e9) for axis, step in zip(axes, steps, strict=True))


def _signal_axes(acquisition: Acquisition | None) -> tuple[AxisSpec, ...]:
    size = acquisition.positive("iom_measurements/calibrated_pixelsize") if acquisition else None
    if size is None or size > 1:
        return AxisSpec("ky"), AxisSpec("kx")
    return AxisSpec("ky", "1/nm", size * 1e9), AxisSpec("kx", "1/nm", size * 1e9)


def _metadata(path: str, title: str, acquisition: Acquisition | None) -> dict[str, Any]:
    general: dict[str, Any] = {"title": title, "original_filename": os.path.basename(path)}
    instrument: dict[str, Any] = {}
    if acquisition is not None:
        date, _, time = acquisition.values.get("timestamp@isoformat", "").partition("T")
        general |= {key: value for key, value in (("date", date), ("time", time)) if value}
        measured = "iom_measurements"
        energy = acquisition.positive(f"{measured}/high_voltage") or acquisition.positive(
            f"{measured}/source.get_voltage"
        )
        length = acquisition.positive(f"{measured}/nominal_camera_length") or acquisition.positive(
            f"{measured}/optics.get_cameralength"
        )
        detector = {
            "software_version": acquisition.values.get("software_version"),
            "background_image": acquisition.values.get("background_image@absolute_filename", "").strip() or None,
            "scan_size": acquisition.positive("scan_parameters[acquire]/scan_size"),
            "calibrated_diffraction_angle": acquisition.positive(f"{measured}/calibrated_diffraction_angle"),
        }
        tem: dict[str, Any] = {
            "beam_energy": energy / 1e3 if energy else None,
            "camera_length": length * 1e3 if length else None,  # mm
            "Detector": {"EMPAD": {key: value for key, value in detector.items() if value is not None}},
        }
        instrument["TEM"] = {key: value for key, value in tem.items() if value is not None}
        exposure = acquisition.positive("exposure_time")
        if exposure is not None:
            instrument |= {"dwell_time": exposure / 1e3, "dwell_time_units": "s"}
    tree = {"General": general, "Signal": {"signal_type": "electron_diffraction"}, "Acquisition_instrument": instrument}
    return {key: value for key, value in tree.items() if value}


READER = EmpadReader()
