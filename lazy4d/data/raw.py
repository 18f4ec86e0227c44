"""Writer of flat binary files: frames at a fixed stride, with a header and gaps where wanted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.data.frame_input import FrameInput, stacks


def write_raw(
    path: str | os.PathLike[str],
    frames: FrameInput,
    *,
    byteorder: str = "<",
    header_bytes: int = 0,
    gap_before: int = 0,
    gap_after: int = 0,
) -> Path:
    """Write frames one after another to a flat binary file, holding a few dozen at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    frames : array (..., ky, kx), lazy source, or iterable of frames or stacks
        Pixels of any numeric dtype, written as they are.
    byteorder : {"<", ">"}
        Little- or big-endian.
    header_bytes : int
        Bytes before the first frame.
    gap_before, gap_after : int
        Bytes before and after every frame. All such bytes are 0xAA, so that a reader who takes them for pixels is seen.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        Another byte order.

    Examples
    --------
    >>> import tempfile
    >>> path = write_raw(Path(tempfile.mkdtemp()) / "scan.raw", np.ones((2, 3, 8, 8), "f4"), header_bytes=16)
    >>> path.stat().st_size == 16 + 2 * 3 * 8 * 8 * 4
    True
    """
    if byteorder not in ("<", ">"):
        raise ValueError(f"expected byteorder '<' or '>', got {byteorder!r}")
    path = Path(path)
    with open(path, "wb") as file:
        file.write(b"\xaa" * header_bytes)
        for part in stacks(frames):
            order: Any = byteorder
            stored = np.ascontiguousarray(part.astype(part.dtype.newbyteorder(order)))
            pixels = stored.reshape(len(part), -1).view(np.uint8)
            records = np.full((len(part), gap_before + pixels.shape[1] + gap_after), 0xAA, np.uint8)
            records[:, gap_before : gap_before + pixels.shape[1]] = pixels
            file.write(records.data)
    return path
