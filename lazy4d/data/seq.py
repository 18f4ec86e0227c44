"""Writers of StreamPix SEQ files: single ones of versions 3 to 5, and the two halves that a Celeritas writes."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.frame_input import FrameInput, stacks

PathLike = str | os.PathLike[str]

FIRST_TIME = 1660245227.491923
"""Time stamp of the first image where none is given: seconds since 1970."""


def seq_header(
    frame_shape: tuple[int, int],
    bit_depth: int,
    images: int,
    stride: int,
    *,
    version: int = 5,
    real_bit_depth: int | None = None,
    image_format: int = 100,
    compression: int = 0,
    frame_rate: float = 1000.0,
    description: str = "written by lazy4d",
) -> bytes:
    """Everything before the first image: 8192 bytes, 1024 in versions below 5.

    Parameters
    ----------
    frame_shape : tuple of int
        (rows, columns) of a stored image.
    bit_depth : int
        Bits of a stored pixel.
    images : int
        Number of images to state.
    stride : int
        Bytes from one image to the next.
    version, real_bit_depth, image_format, compression, frame_rate, description : optional
        Other fields.

    Examples
    --------
    >>> head = seq_header((32, 36), 8, 6, 8192)
    >>> len(head), head[:4].hex(), struct.unpack_from("<II", head, 548)
    (8192, 'edfe0000', (36, 32))
    """
    rows, columns = frame_shape
    head = bytearray(8192 if version >= 5 else 1024)
    struct.pack_into("<I", head, 0, 0x0000FEED)
    head[4:24] = "Norpix seq".encode("utf-16-le")
    struct.pack_into("<ii", head, 28, version, 1024)
    text = description.encode("utf-16-le")[:510]
    head[36 : 36 + len(text)] = text
    struct.pack_into("<II", head, 548, columns, rows)
    struct.pack_into("<II", head, 556, bit_depth, bit_depth if real_bit_depth is None else real_bit_depth)
    struct.pack_into("<I", head, 564, rows * columns * bit_depth // 8)
    struct.pack_into("<III", head, 568, image_format, images, 0)
    struct.pack_into("<I", head, 580, stride)
    struct.pack_into("<d", head, 584, frame_rate)
    struct.pack_into("<I", head, 620, compression)
    struct.pack_into("<IiI", head, 632, 30, 5_000_000, 0x80000000)
    return bytes(head)


def time_stamp(seconds: float, version: int = 5) -> bytes:
    """The stamp behind an image: seconds, milliseconds and, from version 5 on, microseconds.

    Examples
    --------
    >>> time_stamp(1435776075.775430).hex(" ", 2), len(time_stamp(1.0, version=4))
    ('4b34 9455 0703 ae01', 6)
    """
    microseconds = round(seconds * 1e6)
    whole, rest = divmod(microseconds, 1_000_000)
    if version >= 5:
        return struct.pack("<IHH", whole, rest // 1000, rest % 1000)
    return struct.pack("<IH", whole, rest // 1000)


def write_seq(
    path: PathLike,
    frames: FrameInput,
    *,
    version: int = 5,
    stride: int | None = None,
    first_time: float | None = FIRST_TIME,
    frame_rate: float = 1000.0,
    stated_images: int | None = None,
    empty_slots: int = 0,
    **fields: Any,
) -> Path:
    """Write a single file, holding a few dozen frames at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    frames : array (..., ky, kx), lazy source, or iterable of frames or stacks
        Pixels of uint8, uint16 or uint32.
    version : int
        3, 4 or 5.
    stride : int, optional
        Bytes from one image to the next; by default the next multiple of 8192 that holds pixels and time stamp.
    first_time : float or None
        Time stamp of the first image in seconds since 1970; None leaves zeros instead of all time stamps.
    frame_rate : float
        Images a second: the header's field, and the step between time stamps.
    stated_images : int, optional
        Number of images that the header states; by default those written.
    empty_slots : int
        Images of zeros without time stamp behind the others.
    **fields
        Other fields of `seq_header`.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        Another dtype, no frame, or a stride too short for the pixels.

    Examples
    --------
    >>> import tempfile
    >>> path = write_seq(Path(tempfile.mkdtemp()) / "scan.seq", np.ones((6, 32, 36), "u1"))
    >>> path.stat().st_size
    57344
    """
    path = Path(path)
    written = 0
    with open(path, "wb") as file:
        shape: tuple[int, int] | None = None
        for part in stacks(frames):
            stored = _stored(part)
            if shape is None:
                shape, dtype = (int(part.shape[1]), int(part.shape[2])), stored.dtype
                nbytes = shape[0] * shape[1] * dtype.itemsize
                step = -(-(nbytes + 8) // 8192) * 8192 if stride is None else stride
                if step < nbytes:
                    raise ValueError(f"expected a stride of at least {nbytes} bytes, got {step}")
                file.write(seq_header(shape, 8 * dtype.itemsize, 0, step, version=version, **fields))
            records = np.zeros((len(stored), step), np.uint8)
            records[:, :nbytes] = stored.reshape(len(stored), -1).view(np.uint8)
            for record in records:
                if first_time is not None:
                    stamp = time_stamp(first_time + written / frame_rate, version)[: step - nbytes]
                    record[nbytes : nbytes + len(stamp)] = np.frombuffer(stamp, np.uint8)
                written += 1
            file.write(records.data)
        if shape is None:
            raise ValueError("expected at least one frame, got none")
        file.write(bytes(step * empty_slots))
        file.seek(0)
        stated = written if stated_images is None else stated_images
        file.write(
            seq_header(
                shape, 8 * dtype.itemsize, stated, step, version=version, frame_rate=frame_rate, **fields
            )
        )  # fmt: skip
    return path


def _stored(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames in the byte order of the file."""
    if frames.dtype.kind != "u" or frames.dtype.itemsize not in (1, 2, 4):
        raise ValueError(f"expected frames of uint8, uint16 or uint32, got {frames.dtype}")
    little: Any = "<"
    return np.ascontiguousarray(frames.astype(frames.dtype.newbyteorder(little)))


def write_celeritas(
    folder: PathLike,
    frames: NDArray[Any],
    *,
    stem: str = "scan",
    pre_buffer: int = 4,
    counters: bool = True,
    first_counter: int = 0,
    counter_wrap: int = 4096,
    drop_top: Iterable[int] = (),
    drop_bottom: Iterable[int] = (),
    times: Sequence[str] = ("14-13-42.780", "14-13-42.822"),
    padding: bool = True,
    **fields: Any,
) -> tuple[Path, Path]:
    """Write the Top and Bottom halves of a recording, without companions, and return their paths.

    Frames are cut in the middle; upper halves are stored upside down. A last image that is not full is left out, as
    the camera would not have sent it.

    Parameters
    ----------
    folder : path
        Where to write.
    frames : ndarray, shape (..., ky, kx)
        Pixels, ky even.
    stem : str
        Files are called ``<stem>_Top_<time>.seq`` and ``<stem>_Bottom_<time>.seq``.
    pre_buffer : int
        Half-frames in each stored image.
    counters : bool
        Overwrite the first stored pixel of each half-frame by its number.
    first_counter, counter_wrap : int
        Number of the first frame, and where numbers start again.
    drop_top, drop_bottom : iterable of int
        Frames that a half lacks; the others keep their numbers.
    times : sequence of str
        Time in the names of Top and Bottom; an empty one is left out.
    padding : bool
        False: no bytes between the time stamp of an image and the next image.
    **fields
        Of `write_seq`.

    Returns
    -------
    tuple of pathlib.Path
        Top and bottom file.

    Examples
    --------
    >>> import tempfile
    >>> top, bottom = write_celeritas(tempfile.mkdtemp(), np.ones((8, 16, 16), "u2"))
    >>> top.name
    'scan_Top_14-13-42.780.seq'
    """
    stack = np.asarray(frames).reshape(-1, *np.shape(frames)[-2:])
    rows = stack.shape[1] // 2
    halves = {"Top": stack[:, :rows][:, ::-1], "Bottom": stack[:, rows:]}
    paths = []
    for (name, half), dropped, time in zip(halves.items(), (drop_top, drop_bottom), times, strict=True):
        kept = np.setdiff1d(np.arange(len(stack)), list(dropped))
        kept = kept[: len(kept) // pre_buffer * pre_buffer]
        stored = half[kept].copy()
        if counters:
            stored[:, 0, 0] = (kept + first_counter) % counter_wrap
        images = stored.reshape(-1, pre_buffer * rows, stack.shape[2])
        path = Path(folder) / ("_".join(filter(None, (stem, name, time))) + ".seq")
        stride = None if padding else images[0].nbytes + 8
        paths.append(write_seq(path, images, **{"real_bit_depth": 12, "stride": stride, **fields}))
    return paths[0], paths[1]
