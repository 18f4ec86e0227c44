"""Writer of NanoMegas block files, versions 1.2 and 1.3, with 8 or 16 bits a pixel."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.frame_input import FrameInput, scan_shape_of, stacks

IMAGE_OFFSET = 0x1000


def blo_header(
    scan_shape: tuple[int, int],
    size: int,
    data_offset: int,
    *,
    version: int = 0x0102,
    image_offset: int = IMAGE_OFFSET,
    step: tuple[float, float] = (12.8, 6.4),
    pixels_per_cm: float = 62.26,
    beam_energy: int = 200_000,
    camera_length: int = 2000,
    scan_rotation: int = 2500,
    date: float = 42339.5,
    note: str = "",
) -> bytes:
    r"""Everything before the virtual image, 4096 bytes.

    Parameters
    ----------
    scan_shape : tuple of int
        Lines and scan points a line.
    size : int
        Rows and columns of a pattern.
    data_offset : int
        Byte of the first pattern.
    version, image_offset, step, pixels_per_cm, beam_energy, camera_length, scan_rotation, date, note : optional
        Other fields: `step` is (x, y) in nm, `beam_energy` in V, `camera_length` in 0.1 mm, `scan_rotation` in 0.01°,
        `date` in days since 1899-12-30.

    Examples
    --------
    >>> head = blo_header((3, 2), 144, 4112)
    >>> len(head), head[:8], struct.unpack_from("<II", head, 8), struct.unpack_from("<HHHH", head, 20)
    (4096, b'IMGBLO\x02\x01', (4096, 4112), (144, 0, 2, 3))
    """
    rows, columns = scan_shape
    head = bytearray(IMAGE_OFFSET)
    head[:6] = b"IMGBLO"
    struct.pack_into("<HIII", head, 6, version, image_offset, data_offset, 0x2003F)
    struct.pack_into("<HHHHH", head, 20, size, 0, columns, rows, scan_rotation)
    struct.pack_into("<dd", head, 30, *step)
    struct.pack_into("<IHI", head, 46, beam_energy, round(100 * pixels_per_cm), camera_length)
    struct.pack_into("<d", head, 56, date)
    struct.pack_into("<d", head, 64 + 9 * 8, 0.98)
    text = note.encode("latin-1")
    head[240 : 240 + len(text)] = text
    return bytes(head[:IMAGE_OFFSET])


def write_blo(
    path: str | os.PathLike[str],
    frames: FrameInput,
    *,
    scan_shape: tuple[int, int] | None = None,
    virtual_image: NDArray[np.uint8] | None = None,
    drop: Iterable[int] = (),
    first_number: int = 0,
    numbered: bool = True,
    note: str | None = None,
    **fields: Any,
) -> Path:
    """Write a block file, holding a few dozen frames at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    frames : array (..., size, size), lazy source, or iterable of frames or stacks
        Square patterns of uint8, or of uint16, which make a file of version 1.3.
    scan_shape : tuple of int, optional
        Lines and scan points a line; by default those of `frames`.
    virtual_image : ndarray of uint8, shape scan_shape, optional
        Image before the patterns; zeros by default.
    drop : iterable of int
        Frames to leave out; the others keep their numbers.
    first_number : int
        Number of the first frame.
    numbered : bool
        False: number 0 before every pattern.
    note : str, optional
        Text behind the header; by default that of the vendor's program.
    **fields
        Of `blo_header`.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        Patterns that are not square, of another dtype, or no scan shape.

    Examples
    --------
    >>> import tempfile
    >>> path = write_blo(Path(tempfile.mkdtemp()) / "scan.blo", np.ones((3, 2, 144, 144), "u1"))
    >>> path.stat().st_size
    128564
    """
    shape = scan_shape_of(frames) if scan_shape is None else scan_shape
    if shape is None:
        raise ValueError("expected frames with two navigation axes, or scan_shape=(rows, columns)")
    path = Path(path)
    image = np.zeros(shape, np.uint8) if virtual_image is None else np.ascontiguousarray(virtual_image, np.uint8)
    left_out = set(drop)
    number = 0
    with open(path, "wb") as file:
        for part in stacks(frames):
            size = part.shape[-1]
            if part.shape[-2] != size or part.dtype not in (np.dtype("u1"), np.dtype("u2")):
                raise ValueError(f"expected square frames of uint8 or uint16, got {part.shape[1:]} of {part.dtype}")
            if number == 0:
                bits = 8 * part.dtype.itemsize
                start = IMAGE_OFFSET + image.size + 10  # vendor files leave 6 and 10 bytes behind 6 pixels
                told = _note(bits, note)
                if bits == 16:
                    fields = {"version": 0x0103, **fields}
                file.write(blo_header(shape, size, start, note=told, **fields))
                file.write(image.tobytes().ljust(start - IMAGE_OFFSET, b"\0"))
            little: Any = "<"
            for pattern in part.astype(part.dtype.newbyteorder(little)):
                if number not in left_out:
                    file.write(struct.pack("<HI", 0x55AA, (first_number + number) if numbered else 0))
                    file.write(pattern.tobytes())
                number += 1
    return path


def _note(bits: int, note: str | None) -> str:
    if note is not None:
        return note
    lines = ["Precession angle : ", "Precession Frequency : ", "Camera gamma : on"]
    return "\r\n".join([*lines, f"Blo Bit Depth: {bits} bits"] if bits == 16 else lines)
