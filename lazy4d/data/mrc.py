"""Writers of MRC files: every pixel mode, both byte orders, extended headers, and the oddities of old programs."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.frame_input import FrameInput, stacks

PathLike = str | os.PathLike[str]

MODE_DTYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2", 101: "u1"}
"""What frames are converted to for each mode; mode 0 also takes unsigned bytes, and 101 holds 0 to 15."""

_PADDING = 0xF  # in the unused half of the last byte of a 4-bit row, so that a reader who takes it for a pixel is seen


def write_mrc(
    path: PathLike,
    frames: FrameInput,
    *,
    mode: int | None = None,
    byteorder: str = "<",
    nz: int | None = None,
    stamp: bytes = b"MAP ",
    machine: bytes | None = None,
    extended: bytes = b"",
    exttyp: bytes = b"",
    cell: Sequence[float] = (0.0, 0.0, 0.0),
    sampling: Sequence[int] | None = None,
    axes: Sequence[int] = (1, 2, 3),
    ispg: int = 0,
    statistics: bool = True,
    imod_flags: int | None = None,
    nversion: int = 20140,
    labels: Sequence[str] = (),
) -> Path:
    """Write frames as the sections of one MRC file, holding a few dozen at a time, and return its path.

    Parameters
    ----------
    path : path
        File to write; an existing one is replaced.
    frames : array (..., rows, columns), lazy source, or iterable of frames or stacks
        Pixels that the mode can hold.
    mode : int, optional
        0 bytes, 1 int16, 2 float32, 4 complex64, 6 uint16, 12 float16, 101 four bits; by default that of the frames'
        dtype.
    byteorder : {"<", ">"}
        Little- or big-endian.
    nz : int, optional
        Number of sections to state; by default the truth.
    stamp : bytes
        Four bytes at 208; old programs leave them 0.
    machine : bytes, optional
        Machine stamp; by default that of the byte order.
    extended, exttyp : bytes
        Extended header and its type.
    cell : sequence of float
        CELLA in Å, x-first.
    sampling : sequence of int, optional
        MX, MY, MZ; by default columns, rows and sections.
    axes : sequence of int
        MAPC, MAPR, MAPS.
    ispg : int
        0 images, 1 a volume, 401 a stack of volumes.
    statistics : bool
        State minimum, maximum and mean; otherwise maximum < minimum, which means that they are not known.
    imod_flags : int, optional
        Write IMOD's stamp with these flags; bit 0: bytes are signed.
    nversion : int
        Version of the format.
    labels : sequence of str
        Up to 10 lines of text.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        No frames, frames of different shapes, an unknown mode or byte order, or pixels that the mode cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> path = write_mrc(Path(tempfile.mkdtemp()) / "stack.mrc", np.ones((2, 3, 8, 8), "u2"))
    >>> path.stat().st_size == 1024 + 6 * 8 * 8 * 2
    True
    """
    if byteorder not in ("<", ">"):
        raise ValueError(f"expected byteorder '<' or '>', got {byteorder!r}")
    path = Path(path)
    shape: tuple[int, int] | None = None
    count, low, high, total = 0, np.inf, -np.inf, 0.0
    with open(path, "wb") as file:
        file.write(bytes(1024) + extended)
        for part in stacks(frames):
            mode = _mode_of(part) if mode is None else mode
            shape = shape or (part.shape[1], part.shape[2])
            if part.shape[1:] != shape:
                raise ValueError(f"expected frames of shape {shape} as the first one, got {part.shape[1:]}")
            file.write(encode_frames(part, mode, byteorder))
            real = part.real
            low, high = min(low, float(real.min())), max(high, float(real.max()))
            total += float(real.sum(dtype=np.float64))
            count += len(part)
        if shape is None or mode is None:
            raise ValueError("expected at least one frame to write, got none")
        ny, nx = shape
        known = (low, high, total / (count * ny * nx)) if statistics else (0.0, -1.0, -2.0)
        stated = count if nz is None else nz
        order = byteorder
        head = bytearray(1024)
        struct.pack_into(f"{order}4i", head, 0, nx, ny, stated, mode)
        struct.pack_into(f"{order}3i", head, 28, *(sampling or (nx, ny, max(stated, 0))))
        struct.pack_into(f"{order}3f", head, 40, *cell)
        struct.pack_into(f"{order}3f", head, 52, 90.0, 90.0, 90.0)
        struct.pack_into(f"{order}3i", head, 64, *axes)
        struct.pack_into(f"{order}3f", head, 76, *known)
        struct.pack_into(f"{order}2i", head, 88, ispg, len(extended))
        struct.pack_into("4s", head, 104, exttyp)
        struct.pack_into(f"{order}i", head, 108, nversion)
        if imod_flags is not None:
            struct.pack_into(f"{order}2i", head, 152, 1146047817, imod_flags)
        struct.pack_into("4s", head, 208, stamp)
        struct.pack_into("4s", head, 212, machine or (b"\x44\x44" if order == "<" else b"\x11\x11"))
        struct.pack_into(f"{order}f", head, 216, -1.0)
        struct.pack_into(f"{order}i", head, 220, len(labels))
        for k, label in enumerate(labels):
            struct.pack_into("80s", head, 224 + 80 * k, label.encode("ascii").ljust(80))
        file.seek(0)
        file.write(head)
    return path


def encode_frames(frames: NDArray[Any], mode: int, byteorder: str = "<") -> bytes:
    """The pixels of frames as a file of this mode holds them.

    Parameters
    ----------
    frames : ndarray (n, rows, columns)
        Pixels.
    mode : int
        Pixel mode.
    byteorder : {"<", ">"}
        Little- or big-endian.

    Raises
    ------
    ValueError
        An unknown mode, or pixels that it cannot hold exactly (but for the rounding of floats).

    Examples
    --------
    >>> encode_frames(np.array([[[1, 2, 3]]]), 101).hex()
    '21f3'
    """
    if mode not in MODE_DTYPES:
        raise ValueError(f"expected a mode among {', '.join(map(str, MODE_DTYPES))}, got {mode}")
    name = MODE_DTYPES[mode]
    if mode == 0 and frames.size and int(frames.max()) > 127:
        name = "u1"
    if name[0] in "iu":
        limits = np.iinfo(name)
        top = 15 if mode == 101 else int(limits.max)
        if frames.size and (frames.min() < limits.min or frames.max() > top):
            raise ValueError(
                f"expected pixels of {limits.min} to {top} for mode {mode}, got {frames.min()} to {frames.max()}"
            )
    if mode == 101:
        return _pack_halves(frames.astype(np.uint8))
    return frames.astype(np.dtype(f"{byteorder}{name}")).tobytes()


def _pack_halves(frames: NDArray[np.uint8]) -> bytes:
    if frames.shape[2] % 2:
        frames = np.pad(frames, ((0, 0), (0, 0), (0, 1)), constant_values=_PADDING)
    return (frames[:, :, 0::2] + frames[:, :, 1::2] * 16).astype(np.uint8).tobytes()


def _mode_of(frames: NDArray[Any]) -> int:
    modes = {"i1": 0, "u1": 0, "b1": 0, "i2": 1, "f4": 2, "f8": 2, "c8": 4, "u2": 6, "f2": 12}
    code = f"{frames.dtype.kind}{frames.dtype.itemsize}"
    if code not in modes:
        raise ValueError(f"expected frames of a dtype that MRC has, got {frames.dtype}: give mode or convert them")
    return modes[code]


def fei_header(
    kind: str = "FEI1", *, sections: int = 1, byteorder: str = "<", spare: int = 0, **fields: float
) -> bytes:
    """An extended header of Thermo Fisher's programs with some fields filled, the same for every section.

    Parameters
    ----------
    kind : {"FEI1", "FEI2"}
        Records of 768 or 888 bytes.
    sections : int
        Records to write.
    byteorder : {"<", ">"}
        Little- or big-endian.
    spare : int
        Empty records behind them, as some programs leave.
    **fields
        Any of ht (V), alpha_tilt (degrees), pixel_size_x, pixel_size_y (m), projection_mode, magnification,
        camera_length (m), dwell_time (s).

    Raises
    ------
    ValueError
        A field that is not known here.

    Examples
    --------
    >>> len(fei_header("FEI2", sections=3, ht=300e3))
    2664
    """
    # Byte of the field, its type, byte of the bitmask and the bit in it that says that it is filled.
    places = {
        "ht": (84, "d", 8, 5), "alpha_tilt": (100, "d", 8, 7), "pixel_size_x": (156, "d", 8, 14),
        "pixel_size_y": (164, "d", 8, 15), "projection_mode": (248, "i", 8, 26), "magnification": (289, "d", 8, 31),
        "camera_length": (301, "d", 297, 0), "dwell_time": (571, "d", 490, 15),
    }  # fmt: skip
    unknown = set(fields) - set(places)
    if unknown:
        raise ValueError(f"expected fields among {', '.join(places)}, got {', '.join(sorted(unknown))}")
    size = {"FEI1": 768, "FEI2": 888}[kind]
    record = bytearray(size)
    struct.pack_into(f"{byteorder}2i", record, 0, size, 0 if kind == "FEI1" else 2)
    for name, value in fields.items():
        at, code, mask_at, bit = places[name]
        struct.pack_into(f"{byteorder}{code}", record, at, int(value) if code == "i" else value)
        (mask,) = struct.unpack_from("<I", record, mask_at)
        struct.pack_into("<I", record, mask_at, mask | 1 << bit)
    return bytes(record) * sections + bytes(size) * spare


def write_direct_electron(
    folder: PathLike,
    frames: NDArray[Any],
    *,
    prefix: str = "20241021_00405",
    info: Mapping[str, str | None] | None = None,
    coordinates: NDArray[Any] | Sequence[Sequence[int]] | None = None,
    images: bool = True,
    **header: Any,
) -> Path:
    r"""Write a movie as Direct Electron's server does, with the files beside it, and return the path of the movie.

    Parameters
    ----------
    folder : path
        Existing folder to write into.
    frames : ndarray (..., rows, columns)
        Frames in order of acquisition; with two navigation axes, those of a raster scan.
    prefix : str
        What all names begin with; the movie is ``<prefix>_movie.mrc``.
    info : mapping, optional
        Lines of ``<prefix>_info.txt`` to replace, add or (None) leave out.
    coordinates : sequence of (x, y), optional
        Positions for ``<prefix>_scan_coordinates.csv``.
    images : bool
        Write a virtual, an external and the final image too (of scans with two navigation axes).
    **header
        As for `write_mrc`.

    Examples
    --------
    >>> import tempfile
    >>> path = write_direct_electron(tempfile.mkdtemp(), np.ones((2, 3, 8, 8), "u2"))
    >>> sorted(p.name for p in path.parent.iterdir())[:2]
    ['20241021_00405_0_Virt 0_sum.mrc', '20241021_00405_ext1_Ext 1.mrc']
    """
    folder = Path(folder)
    scan = frames.shape[:-2] if frames.ndim == 4 else None
    # The server's own header: a volume, and a negative cell for a pixel size that is not known.
    unknown: dict[str, Any] = {"ispg": 1, "cell": (-10.0 * frames.shape[-1], -10.0 * frames.shape[-2], 0.0)}
    path = write_mrc(folder / f"{prefix}_movie.mrc", frames, **{**unknown, **header})
    text = _info_lines(frames, scan) | dict(info or {})
    lines = [f"{key:<64}= {value}".rstrip() for key, value in text.items() if value is not None]
    (folder / f"{prefix}_info.txt").write_bytes("\r\n".join([*lines, ""]).encode("utf-8"))
    if coordinates is not None:
        table = "".join(f"{x},{y}\n" for x, y in coordinates)
        (folder / f"{prefix}_scan_coordinates.csv").write_text(table, encoding="ascii")
    if images and scan is not None:
        sums = frames.sum(axis=(2, 3), dtype=np.float64).astype("f4")
        write_mrc(folder / f"{prefix}_0_Virt 0_sum.mrc", sums, **unknown)
        write_mrc(folder / f"{prefix}_ext1_Ext 1.mrc", sums / 7, **unknown)
        write_mrc(folder / f"{prefix}_final.mrc", frames.sum(axis=(0, 1), dtype=np.float64).astype("f4"), **unknown)
    return path


def _info_lines(frames: NDArray[Any], scan: tuple[int, ...] | None) -> dict[str, str | None]:
    count = int(np.prod(frames.shape[:-2]))
    rows, columns = scan if scan is not None else (1, count)
    return {
        "Server Software Version": "2.7.4.10190",
        "Timestamp (seconds since Epoch)": "1729539410",
        "Autosave Movie Frames Written": str(count),
        "Autosave Movie Sum Count": "1",
        "Camera Model": "DESim",
        "Diffraction Pixel Size X": "0.1",
        "Diffraction Pixel Size Y": "0.1",
        "Image Size X (pixels)": str(frames.shape[-1]),
        "Image Size Y (pixels)": str(frames.shape[-2]),
        "Instrument Accelerating Voltage (V)": "300000",
        "Instrument Project Camera Length (centimeters)": "-1",
        "Preset - Formula": "gain = dark - 1 = 0",
        "Scan - Camera Frames Per Point": "1",
        "Scan - Dwell Time (microseconds)": "1464.25",
        "Scan - Enable": "Enable" if count > 1 else "Disable",
        "Scan - Points": str(rows * columns),
        "Scan - ROI Enable": "Disable",
        "Scan - Repeats": "1",
        "Scan - Size X": str(columns),
        "Scan - Size Y": str(rows),
        "Scan - Type": "Raster",
        "Scan - Virtual Detector 0 Calculation": "Sum",
        "Scan - Virtual Detector 0 Name": "Virt #0",
        "Specimen Pixel Size X (nanometers)": "0.5",
        "Specimen Pixel Size Y (nanometers)": "0.25",
    }
