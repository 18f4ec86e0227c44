"""Writer of TVIPS streams: versions 1 and 2, 8 and 16 bits, in one file or in several parts."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lazy4d.data.frame_input import FrameInput, stacks

FIRST_TIME = 1660245227.491
"""Time stamp of the first frame: seconds since 1970."""


def tvips_header(
    frame_shape: tuple[int, int],
    bits: int,
    *,
    version: int = 2,
    frame_header: int = 108,
    size: int = 256,
    pixel_size: int = 15600,
    high_tension: int = 200,
    magnification: int = 1500,
    binning: int = 1,
    offset: tuple[int, int] = (0, 0),
) -> bytes:
    """The general header, 256 bytes.

    Parameters
    ----------
    frame_shape : tuple of int
        (rows, columns) of a frame.
    bits : int
        Bits of a pixel.
    version, frame_header, size, pixel_size, high_tension, magnification, binning, offset : optional
        Other fields: `pixel_size` in nm, `offset` is (x, y).

    Examples
    --------
    >>> head = tvips_header((32, 64), 16)
    >>> len(head), struct.unpack_from("<5I", head)
    (256, (256, 2, 64, 32, 16))
    """
    rows, columns = frame_shape
    fields = (size, version, columns, rows, bits, *offset, binning, binning)
    packed = struct.pack("<13I", *fields, pixel_size, high_tension, magnification, frame_header)
    return packed + (b"TVIPS " * 40)[: 256 - len(packed)]


def _frame_header(
    number: int, counter: int, nbytes: int, rotator: int, position: tuple[float, float], mode: int, first_time: float
) -> bytes:
    when = round(first_time * 1000) + 10 * number
    head = struct.pack("<3I", counter % (1 << 32), when // 1000, when % 1000)
    head += struct.pack("<IfII", 0, 0.0, 1500, mode)  # colour table, Faraday cup, magnification, 1 image 2 diffraction
    head += struct.pack("<5f", 10.0, -20.0, 5.0, 1.5, -0.5)  # stage x, y, z in nm, alpha, beta in degrees
    head += struct.pack("<I", rotator)
    head += bytes(16)  # temperature, its set point, power, current of the objective
    head += struct.pack("<2f", *position)
    return head[:nbytes].ljust(nbytes, b"\0")


def write_tvips(
    path: str | os.PathLike[str],
    frames: FrameInput,
    *,
    version: int = 2,
    frame_header: int = 108,
    frames_per_file: int | None = None,
    first_counter: int = 0,
    counting: bool = True,
    drop: Iterable[int] = (),
    scan: tuple[int, int] | None = None,
    lead_in: int = 0,
    mode: int = 2,
    first_time: float = FIRST_TIME,
    **fields: Any,
) -> list[Path]:
    """Write a stream, holding a few dozen frames at a time, and return the paths of its files in order.

    Parameters
    ----------
    path : path
        File to write, an existing one is replaced; with `frames_per_file` its name ends in ``_000.tvips``.
    frames : array (..., ky, kx), lazy source, or iterable of frames or stacks
        Pixels of uint8 or uint16.
    version : int
        1 or 2.
    frame_header : int
        Bytes before each frame; 12 in version 1.
    frames_per_file : int, optional
        Frames after which another file begins, without a general header.
    first_counter : int
        Counter of the first frame.
    counting : bool
        False: counter 0 before every frame.
    drop : iterable of int
        Frames to leave out; the others keep their counters.
    scan : tuple of int, optional
        Write positions of a scan of so many lines and positions a line.
    lead_in : int
        Frames before that scan begins.
    mode : int
        1 images, 2 diffraction.
    first_time : float
        Time stamp of the first frame, seconds since 1970; the others follow every 10 ms.
    **fields
        Of `tvips_header`.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    ValueError
        Another dtype, or a name that cannot be numbered.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> [path] = write_tvips(Path(tempfile.mkdtemp()) / "scan_000.tvips", np.ones((3, 4, 8, 8), "u2"))
    >>> path.stat().st_size == 256 + 12 * (108 + 128)
    True
    """
    path = Path(path)
    if frames_per_file is not None and not path.stem.endswith("_000"):
        raise ValueError(f"expected a name that ends in '_000.tvips' for several files, got {path.name!r}")
    header_bytes = 12 if version == 1 else frame_header
    left_out = set(drop)
    paths: list[Path] = []
    number = written = 0
    file: Any = None
    try:
        for part in stacks(frames):
            if part.dtype.kind != "u" or part.dtype.itemsize > 2:
                raise ValueError(f"expected frames of uint8 or uint16, got {part.dtype}")
            little: Any = "<"
            for frame in part.astype(part.dtype.newbyteorder(little)):
                if number in left_out:
                    number += 1
                    continue
                if file is None or (frames_per_file is not None and written == frames_per_file):
                    if file is not None:
                        file.close()
                    paths.append(path.with_name(path.name.replace("_000", f"_{len(paths):03d}")))
                    file, written = open(paths[-1], "wb"), 0
                    if len(paths) == 1:
                        told = {"version": version, "frame_header": frame_header, **fields}
                        file.write(tvips_header(frame.shape, 8 * frame.dtype.itemsize, **told))
                k = number - lead_in
                inside = scan is not None and 0 <= k < scan[0] * scan[1]
                at = (float(k % scan[1]), float(k // scan[1])) if scan is not None and inside else (0.0, 0.0)
                counter = first_counter + number if counting else 0
                file.write(_frame_header(number, counter, header_bytes, k + 1 if inside else 0, at, mode, first_time))
                file.write(frame.tobytes())
                written += 1
                number += 1
    finally:
        if file is not None:
            file.close()
    return paths
