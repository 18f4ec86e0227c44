"""NumPy ``.npy`` arrays, versions 1 to 3: the last two axes are the frame, the others the scan."""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Sequence
from operator import index
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.files import FrameFiles
from lazy4d.io.fixed_frames.companion import find_companion
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, frame_axes, navigation_axes, no_damage, one_of

_MAGIC = b"\x93NUMPY"
_FIRST_BYTES = 4096  # holds the whole header of nearly every file
_LONGEST_HEADER = 1 << 20


class NpyReader:
    """NumPy arrays in C order, of any plain numeric dtype and byte order."""

    name = "npy"
    extensions: tuple[str, ...] = (".npy",)
    signature = "starts with '\\x93NUMPY'"

    def sniff(self, head: bytes) -> bool:
        """True when `head` begins as ``.npy`` files do.

        Examples
        --------
        >>> NpyReader().sniff(bytes([147]) + b"NUMPY" + bytes([1, 0]))
        True
        """
        return head.startswith(_MAGIC)

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
        """The frames of a ``.npy`` array; its shape gives the scan shape unless `scan_shape` does.

        Parameters
        ----------
        path : path
            The file.
        scan_shape, sync_offset, flyback : optional
            Another arrangement of the same frames; see `plan_scan`.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do when the file is too short for its shape.
        io : {"mmap", "read"}
            How bytes are read.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError
            The header cannot be understood.
        UnsupportedVariantError
            Objects, structured dtypes, Fortran order, or fewer than two axes: tells a way around.
        TruncatedFileError
            The file is shorter than its shape.
        ScanShapeError
            The frames do not fill `scan_shape`.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where = os.path.abspath(os.fspath(path))
        with open(where, "rb") as file:
            status = os.fstat(file.fileno())
            shape, dtype, start, fields = _parse(where, file.read(_FIRST_BYTES), file)
        state = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        saved, told = find_companion(where, **state, start=start, dtype=dtype, pixels=math.prod(shape))
        nav, frame_shape = (saved.nav_shape, saved.frame_shape) if saved else (shape[:-2], shape[-2:])
        layout = RecordLayout(start, math.prod(frame_shape) * dtype.itemsize, 0, PlainDecoder(dtype, frame_shape))
        stored, left = layout.records_in(status.st_size)
        promised = math.prod(nav)
        notes: list[str] = list(told)
        if stored < promised:
            error = TruncatedFileError(
                f"{where}: the file ends inside frame {stored} (counted from 0; {layout.stride} bytes needed, "
                f"{left} left): "
                f"shape {shape} promises {promised} frames, {stored} are complete. Load with incomplete='nan', "
                f"'zero' or 'crop' for those"
            )
            notes.append(no_damage(incomplete, error))
            if stored == 0:
                raise error
        elif status.st_size > start + promised * layout.stride:
            extra = status.st_size - start - promised * layout.stride
            notes.append(f"{where}: {extra} bytes behind the array of shape {shape} are not used")
        count = min(stored, promised)
        plan = plan_scan(
            where,
            count,
            scan_shape=scan_shape,
            sync_offset=sync_offset,
            flyback=flyback,
            incomplete=incomplete,
            serpentine=serpentine,
            hint=ShapeHint(nav, "shape in the npy header") if not sync_offset and not flyback else None,
        )
        files = FrameFiles.single(where, size=status.st_size, mtime_ns=status.st_mtime_ns, count=count)
        navigation = saved.mark(plan.navigation) if saved else plan.navigation
        frames = RawFrames(files, layout, navigation, incomplete=incomplete, io=io)
        name = Path(where)
        found = Source(
            frames=frames,
            title=name.stem,
            signal_axes=frame_axes(),
            navigation_axes=navigation_axes(len(frames.nav_shape)),
            metadata={"General": {"title": name.stem, "original_filename": name.name}},
            original_metadata={"npy_header": fields},
            identity={"path": where, **state, "format": self.name},
            warnings=(*notes, *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=count,
            frames_expected=promised,
        )
        return saved.complete(found, scan_shape is not None or bool(sync_offset or flyback)) if saved else found


def _parse(
    path: str, head: bytes, rest: BinaryIO
) -> tuple[tuple[int, ...], np.dtype[Any], int, dict[str, Any]]:
    """Shape, dtype, byte of the first pixel and header of an npy file: its first bytes, and the file behind them."""
    if not head.startswith(_MAGIC):
        raise FormatError(f"{path}: not an npy file: expected {_MAGIC!r} at byte 0, found {head[:6]!r}")
    version = head[6:7]
    wide = 4 if version in (b"\x02", b"\x03") else 2
    if version not in (b"\x01", b"\x02", b"\x03"):
        raise UnsupportedVariantError(
            f"{path}: npy version {version!r} is not known: expected 1, 2 or 3; save it again with numpy.save"
        )
    length = int.from_bytes(head[8 : 8 + wide], "little")
    start = 8 + wide + length
    if length > _LONGEST_HEADER:
        raise FormatError(
            f"{path}: expected an npy header of at most {_LONGEST_HEADER} bytes, found {length} stated at byte 8: the "
            "file is damaged"
        )
    if start > len(head):
        head += rest.read(start - len(head))
    text = head[8 + wide : start]
    if len(text) < length:
        raise TruncatedFileError(
            f"{path}: the file ends inside the npy header: {length} bytes needed, {len(text)} found"
        )
    try:
        fields = ast.literal_eval(text.decode("utf-8" if version == b"\x03" else "latin-1").strip())
        shape = tuple(index(n) for n in fields["shape"])
        fortran, descr = bool(fields["fortran_order"]), fields["descr"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise FormatError(
            f"{path}: expected an npy header with descr, fortran_order and shape at byte {8 + wide}, found "
            f"{text[:60]!r} ({error})"
        ) from error
    dtype = _dtype(path, descr)
    if len(shape) < 2 or min(shape) < 1:
        raise UnsupportedVariantError(
            f"{path}: an array of shape {shape} holds no frames: expected at least two axes, none of them empty; "
            "reshape it and save it again, or pass the array to lazy4d.Signal1D"
        )
    if fortran and sum(n > 1 for n in shape) > 1:
        raise UnsupportedVariantError(
            f"{path}: the array is in Fortran order, so no frame is in one piece. Save it again in C order: "
            "a = numpy.load(path, mmap_mode='r'); numpy.save(new_path, numpy.ascontiguousarray(a)); "
            "if its axes are only reversed, numpy.save(new_path, a.T) needs no memory"
        )
    return shape, dtype, start, {"descr": dtype.str, "fortran_order": fortran, "shape": list(shape)}


def _dtype(path: str, descr: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(descr) if isinstance(descr, str) else np.dtype([tuple(field) for field in descr])
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: expected a dtype in the npy header, found {descr!r}") from error
    if dtype.names is not None:
        raise UnsupportedVariantError(
            f"{path}: the array is structured, with fields {dtype.names}; save the field that holds the frames: "
            f"numpy.save(new_path, numpy.load(path, mmap_mode='r')[{dtype.names[0]!r}])"
        )
    if dtype.hasobject or dtype.kind not in "biufc":
        raise UnsupportedVariantError(
            f"{path}: an array of dtype {descr!r} does not hold numbers; convert it, for example with "
            f".astype('float32'), and save it again"
        )
    return dtype


READER = NpyReader()
