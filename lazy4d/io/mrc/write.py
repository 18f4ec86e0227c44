"""Saving as ``.mrc``: frames as sections, and a companion with the shape of the scan and all that MRC cannot hold."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from lazy4d.io.fixed_frames.writing import FramesFile, save_frames, target_path
from lazy4d.io.mrc.header import HEADER_BYTES, STAMP
from lazy4d.io.zarr_store.document import StoreContent
from lazy4d.lazy import Frames
from lazy4d.units import convert

MODE_OF = {"uint8": 0, "int8": 0, "int16": 1, "float32": 2, "complex64": 4, "uint16": 6, "float16": 12}
"""Mode of the pixels, by their dtype."""

_CAST = {
    "bool": "uint8 (exact)",
    "uint32": "uint16 if the values allow, else float32",
    "uint64": "uint16 if the values allow, else float32",
    "int32": "int16 if the values allow, else float32",
    "int64": "int16 if the values allow, else float32",
    "float64": "float32",
    "complex128": "complex64",
}
_IMOD, _SIGNED = 1146047817, 1
_LARGEST_SIDE, _MOST_SECTIONS = 2**20, 2**31 - 1
_NOT_COMPUTED = (0.0, -1.0, -2.0, -1.0)  # DMIN, DMAX, DMEAN, RMS, as the specification marks them


def save_mrc(
    filename: str | os.PathLike[str],
    *,
    frames: Frames,
    axes: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    original_metadata: dict[str, Any],
    history: str,
    signal_class: str,
    overwrite: bool = False,
    resume: bool = False,
    progress: Any = None,
) -> None:
    """Write frames to an MRC file of 2014, one section a scan position, in one parallel pass over their source.

    MRC has no scan shape, no units but Å and no metadata: these go to ``<filename>.lazy4d.json``, from which ``load``
    gives the same axes, metadata, history and class back. Pixel sizes in a unit of length are in the header too.

    Parameters
    ----------
    filename : path
        The file; on a drive that all workers of a cluster see.
    frames : Frames
        What to save: frames with two axes, of dtype uint8, int8 (mode 0), int16 (1), float32 (2), complex64 (4),
        uint16 (6) or float16 (12).
    axes : sequence of dict
        ``name, units, scale, offset, size, navigate`` of each axis, numpy order, navigation first.
    metadata, original_metadata : dict
        Nested.
    history : str
        JSON text.
    signal_class : str
        Name of the class of the signal.
    overwrite : bool
        Replace a file that is there.
    resume : bool
        Not possible: refused.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Raises
    ------
    TypeError
        A dtype that MRC does not have: names the one to convert to.
    ValueError
        Frames without two axes; the frames are read from the file that would be overwritten; `resume`.
    FileExistsError
        Something is there.
    FileNotFoundError
        There is no such folder.
    OSError
        The disk is too small.

    Notes
    -----
    The file appears under its name only when it is whole. IMOD's stamp says whether bytes are signed. Missing and
    damaged frames stand as zeros in it, with a warning; the companion tells which they are.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scan.mrc")
    >>> d.save(path, progress=False)
    >>> l4.load(path).data.shape
    (4, 4, 16, 16)
    """
    where = target_path(filename, frames, ".mrc", overwrite, resume)
    dtype = np.dtype(frames.dtype)
    if dtype.name not in MODE_OF:
        raise TypeError(
            f"{where}: MRC has no mode for pixels of dtype {dtype}, expected one of {', '.join(MODE_OF)}: convert them "
            f"with .change_dtype(), to {_CAST.get(dtype.name, 'float32')}"
        )
    shape, count = frames.frame_shape, math.prod(frames.nav_shape)
    if len(shape) != 2 or max(shape) > _LARGEST_SIDE or count > _MOST_SECTIONS:
        raise ValueError(
            f"{where}: an MRC file holds up to {_MOST_SECTIONS} frames with two axes of up to {_LARGEST_SIDE} pixels, "
            f"found {count} of shape {shape}: save as .zarr or .npy"
        )
    content = StoreContent(
        axes=[dict(axis) for axis in axes],
        metadata=metadata,
        original_metadata=original_metadata,
        history=history,
        signal_class=signal_class,
        stream="",
        incomplete=frames.incomplete,
        complete=True,
    )
    stored = dtype.newbyteorder("<")
    save_frames(where, frames, FramesFile(".mrc", mrc_head(count, stored, content.axes), stored), content, progress)


def mrc_head(sections: int, dtype: np.dtype[Any], axes: Sequence[dict[str, Any]]) -> bytes:
    """The 1024 bytes before the first section.

    Parameters
    ----------
    sections : int
        Frames in all.
    dtype : numpy.dtype
        Of the pixels, little-endian.
    axes : sequence of dict
        Axes of the signal, numpy order; the last two are rows and columns.

    Examples
    --------
    >>> axes = [{"name": n, "units": "nm", "scale": 2.0, "offset": 0.0, "size": 8, "navigate": False} for n in "yx"]
    >>> head = mrc_head(1, np.dtype("<u2"), axes)
    >>> len(head), struct.unpack_from("<4i", head), struct.unpack_from("<3f", head, 40)
    (1024, (8, 8, 1, 6), (160.0, 160.0, 0.0))
    """
    rows, columns = axes[-2:]
    nx, ny = int(columns["size"]), int(rows["size"])
    cell = (nx * _angstrom(columns), ny * _angstrom(rows), 0.0)
    if not (cell[0] and cell[1]):
        cell = (0.0, 0.0, 0.0)
    low, high, mean, rms = _NOT_COMPUTED
    head = bytearray(HEADER_BYTES)
    struct.pack_into("<4i", head, 0, nx, ny, sections, MODE_OF[dtype.newbyteorder("=").name])
    struct.pack_into("<3i6f3i", head, 28, nx, ny, 1, *cell, 90.0, 90.0, 90.0, 1, 2, 3)
    struct.pack_into("<3f2i", head, 76, low, high, mean, 0, 0)  # ISPG 0: a stack of images
    struct.pack_into("<i", head, 108, 20141)
    struct.pack_into("<2i", head, 152, _IMOD, _SIGNED if dtype == np.int8 else 0)
    head[208:216] = STAMP + bytes([0x44, 0x44, 0, 0])
    labels = _labels(axes)
    struct.pack_into("<fi", head, 216, rms, len(labels))
    for k, label in enumerate(labels):
        head[224 + 80 * k : 304 + 80 * k] = label.encode("ascii", "replace")[:80].ljust(80)
    return bytes(head)


def _angstrom(axis: dict[str, Any]) -> float:
    """The size of a pixel in Å where the axis is a length that the header can hold, else 0: not known."""
    try:
        size = abs(float(convert(float(axis["scale"]), axis["units"], "Å")))
    except (ValueError, TypeError):
        return 0.0
    return size if 1e-30 < size < 1e30 else 0.0


def _labels(axes: Sequence[dict[str, Any]]) -> list[str]:
    """What people should see of the file in any program."""
    scan = [str(axis["size"]) for axis in axes if axis["navigate"]]
    lines = [f"lazy4d: scan shape ({', '.join(scan)}), a section a position; see <this file>.lazy4d.json"]
    for axis in axes[-6:]:
        units = str(axis["units"]).replace("Å", "A").replace("µ", "u").replace("μ", "u")
        lines.append(f"{axis['name']}: {axis['size']} px of {axis['scale']:.7g} {units}, from {axis['offset']:.7g}")
    return lines
