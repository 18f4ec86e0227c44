"""Plain binary frames (``.raw``, ``.bin``): nothing in the file tells their geometry, so the caller must."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, ScanShapeError, TruncatedFileError
from lazy4d.io.files import FrameFiles
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout
from lazy4d.io.scan import factor_pairs, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, Source, frame_axes, navigation_axes, no_damage, one_of

# Square detectors that write plain frames, the likeliest first: side, dtype, bytes of a pixel.
_LIKELY = [
    (side, name, np.dtype(name).itemsize) for name in ("<u2", "<f4", "u1") for side in (256, 512, 192, 128, 1024)
]


class RawBinaryReader:
    """Frames one after the other, of one dtype and shape, with an optional header and gap."""

    name = "raw"
    extensions: tuple[str, ...] = (".raw", ".bin", ".dat")
    headerless = True

    def sniff(self, head: bytes) -> bool:
        """False: no content is typical of plain frames, only the suffix or ``reader="raw"`` can choose this reader.

        Examples
        --------
        >>> RawBinaryReader().sniff(b"anything")
        False
        """
        return False

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        frame_shape: Sequence[int] | None = None,
        dtype: Any = None,
        shape: Sequence[int] | None = None,
        header: int = 0,
        gap: int = 0,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a plain binary file, in file order.

        Parameters
        ----------
        path : path
            The file.
        frame_shape : sequence of int
            ``(ky, kx)`` of a frame.
        dtype : dtype
            Of a stored pixel, in any byte order, such as ``"<u2"``, ``">f4"``.
        shape : sequence of int
            Whole shape ``(..., ky, kx)`` instead of `scan_shape` and `frame_shape`.
        header : int
            Bytes before the first frame.
        gap : int
            Bytes between frames; for a header of h bytes before every frame, ``header=h, gap=h``.
        scan_shape, sync_offset, flyback : optional
            See `plan_scan`.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do when the file is too short.
        io : {"mmap", "read"}
            ``"read"`` is safe for a file that is still being written.
        serpentine : bool, optional
            Every second line, the second one first, was scanned backwards.

        Raises
        ------
        FormatError
            The geometry is not given: tells the call to type.
        TruncatedFileError
            The file does not hold a whole number of such frames.
        ScanShapeError
            The frames do not fill the scan.
        ValueError, TypeError
            An argument makes no sense.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where = os.path.abspath(os.fspath(path))
        status = os.stat(where)
        if shape is not None:
            if frame_shape is not None or scan_shape is not None:
                raise ValueError(
                    f"shape={tuple(shape)} already holds the scan and the frame: give it alone, or scan_shape and "
                    f"frame_shape"
                )
            if not isinstance(shape, Sequence) or len(shape) < 2:
                shape = shape if isinstance(shape, Sequence) else (shape,)
                raise ValueError(f"shape={tuple(shape)} must end with the two axes of a frame")
            frame_shape, scan_shape = tuple(shape)[-2:], tuple(shape)[:-2] or None
        if frame_shape is None or dtype is None:
            raise FormatError(_what_to_type(where, status.st_size, frame_shape, dtype))
        layout = _layout(where, frame_shape, dtype, header, gap)
        count, left = layout.records_in(status.st_size)
        notes: list[str] = []
        if count == 0:
            raise TruncatedFileError(
                f"{where}: expected a header of {header} bytes and frames of {layout.payload} bytes, found "
                f"{status.st_size} bytes: not one whole frame"
            )
        if left:
            notes.append(
                no_damage(incomplete, TruncatedFileError(_leftover(where, status.st_size, layout, count, left)))
            )
        single = shape is not None and scan_shape is None
        if single and count != 1:
            raise ScanShapeError(
                f"{where}: expected one frame of shape {tuple(frame_shape)}, found {count}; scan shapes that fit: "
                f"{factor_pairs(count)}"
            )
        plan = plan_scan(
            where, count, scan_shape=scan_shape, sync_offset=sync_offset, flyback=flyback, incomplete=incomplete,
            serpentine=serpentine,
        )  # fmt: skip
        files = FrameFiles.single(where, size=status.st_size, mtime_ns=status.st_mtime_ns, count=count)
        frames = RawFrames(files, layout, plan.navigation, incomplete=incomplete, io=io)
        name = Path(where)
        return Source(
            frames=frames,
            title=name.stem,
            signal_axes=frame_axes(),
            navigation_axes=navigation_axes(len(frames.nav_shape)),
            metadata={"General": {"title": name.stem, "original_filename": name.name}},
            original_metadata={"dtype": np.dtype(dtype).str, "header": header, "gap": gap},
            identity={"path": where, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "format": self.name},
            warnings=(*notes, *plan.warnings),
            scan_shape_origin="shape argument" if shape is not None else plan.origin,
            frames_found=count,
        )


def _layout(path: str, frame_shape: Sequence[int], dtype: Any, header: int, gap: int) -> RecordLayout:
    try:
        pixel: np.dtype[Any] | None = np.dtype(dtype)
    except TypeError:
        pixel = None
    if pixel is None or pixel.kind not in "biufc":
        raise TypeError(f"{path}: dtype={dtype!r} is no number: give the dtype of a pixel such as '<u2'")
    try:
        sizes = tuple(index(n) for n in frame_shape)
        header, gap = index(header), index(gap)
    except TypeError:
        raise ValueError(
            f"{path}: frame_shape={frame_shape!r}, header={header!r} and gap={gap!r} must be whole numbers, of pixels "
            "(ky, kx) and of bytes"
        ) from None
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(f"{path}: frame_shape={sizes} must be two positive integers (ky, kx)")
    if header < 0 or gap < 0:
        raise ValueError(f"{path}: header={header} and gap={gap} are numbers of bytes and must not be negative")
    payload = math.prod(sizes) * pixel.itemsize
    return RecordLayout(header, payload + gap, 0, PlainDecoder(pixel, sizes))


def _leftover(path: str, size: int, layout: RecordLayout, count: int, left: int) -> str:
    gap = layout.stride - layout.payload
    return (
        f"{path}: {size} bytes are not a header of {layout.start} bytes and a whole number of frames of "
        f"{layout.payload} bytes"
        f"{f' with {gap} between them' if gap else ''}: {count} complete frames, then {left} bytes left over. "
        "Check frame_shape, dtype, header and gap; if the file was cut short, load with incomplete='nan', 'zero' "
        "or 'crop'"
    )


def _what_to_type(path: str, size: int, frame_shape: Sequence[int] | None, dtype: Any) -> str:
    missing = [name for name, value in (("frame_shape", frame_shape), ("dtype", dtype)) if value is None]
    likely = [(side, name) for side, name, nbytes in _LIKELY if size and size % (side * side * nbytes) == 0]
    guess = ""
    if likely:
        fits = ", ".join(f"frame_shape=({side}, {side}) with dtype={name!r}" for side, name in likely[:4])
        guess = f" Among those that fit its {size} bytes are {fits}; only you can know."
    return (
        f"{path}: a plain binary file does not tell its geometry, {' and '.join(missing)} missing. "
        f"Type load({os.path.basename(path)!r}, frame_shape=(256, 256), dtype='<u2', scan_shape=(rows, columns), "
        f"header=0, gap=0) "
        f"with the numbers of your detector.{guess}"
    )


READER = RawBinaryReader()
