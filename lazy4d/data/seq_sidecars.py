"""Writers of what stands beside a SEQ file of a Direct Electron camera: settings, records, references."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from numpy.typing import NDArray

PathLike = str | os.PathLike[str]


def write_config(
    base: PathLike,
    info: Mapping[str, Any],
    *,
    defects: Iterable[Mapping[str, Any]] | None = None,
    binning: int | None = None,
    tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> Path:
    """Write ``<base>.Config.Metadata.xml``, comments with malformed tags included, and return its path.

    Parameters
    ----------
    base : path
        What companions are named after, such as ``scan.seq``.
    info : mapping
        Settings: ``{"SegmentPreBuffer": 256}``.
    defects : iterable of mapping, optional
        Attributes of each bad pixel; None writes no part for bad pixels at all.
    binning : int, optional
        For which the map of bad pixels holds.
    tables : mapping, optional
        Calibration tables: a list of attributes each.

    Examples
    --------
    >>> import tempfile
    >>> path = write_config(Path(tempfile.mkdtemp()) / "scan.seq", {"HT": 200}, defects=[{"Row": 3}])
    >>> '<HT Value="200" />' in path.read_text()
    True
    """
    lines = ['<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>', "<Configuration>"]
    for name, rows in (tables or {}).items():
        lines += [f"<{name}>", *(f"<Property {_attributes(row)} />" for row in rows), f"</{name}>"]
    if defects is not None:
        attributes = {"Rows": 1024, "Columns": 1024} | ({} if binning is None else {"Binning": binning})
        lines += ["<BadPixels>", '<!-- Examples: <Defect Column="10" Rows="0-1023" pattern="00110011 /> -->']
        lines += [f"<BadPixelMap {_attributes(attributes)}>"]
        lines += [*(f"<Defect {_attributes(row)} />" for row in defects), "</BadPixelMap>", "</BadPixels>"]
    lines += ["<FileInfo>", *(f"<{name} {_attributes({'Value': value})} />" for name, value in info.items())]
    lines += ["</FileInfo>", "</Configuration>"]
    path = Path(f"{os.fspath(base)}.Config.Metadata.xml")
    path.write_text("\n".join(lines), "utf-8")
    return path


def _attributes(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in values.items())


def write_reference(base: PathLike, kind: str, image: NDArray[Any], *, sections: int = 32766, padding: int = 0) -> Path:
    """Write ``<base>.<kind>.mrc``, float32 with a bogus number of sections, and return its path.

    Parameters
    ----------
    base : path
        What companions are named after.
    kind : str
        ``"dark"`` or ``"gain"``.
    image : ndarray, shape (ky, kx)
        Reference.
    sections : int
        Number of sections to state.
    padding : int
        Zeros behind the image.

    Examples
    --------
    >>> import tempfile
    >>> write_reference(Path(tempfile.mkdtemp()) / "scan.seq", "dark", np.ones((4, 8))).stat().st_size
    1152
    """
    rows, columns = image.shape
    head = bytearray(1024)
    struct.pack_into("<10i", head, 0, columns, rows, sections, 2, 0, 0, 0, columns, rows, 1)
    head[208:214] = b"MAP DA"
    path = Path(f"{os.fspath(base)}.{kind}.mrc")
    path.write_bytes(bytes(head) + image.astype("<f4").tobytes() + bytes(padding))
    return path


def write_missing_frames(base: PathLike, numbers: Iterable[int] = ()) -> Path:
    """Write ``<base>.Missing_Frame_Info.txt``, padded with zeros as cameras do, and return its path."""
    path = Path(f"{os.fspath(base)}.Missing_Frame_Info.txt")
    listed = "\r\n".join(map(str, numbers))
    path.write_bytes(f"Frame number of missing frames: \r\n{listed}".encode() + bytes(16))
    return path


def write_records(path: PathLike, count: int, *, first_image: int | None = 1, **settings: float | str) -> Path:
    """Write the ``.metadata`` beside one file of frames and return its path.

    Parameters
    ----------
    path : path
        The file of frames.
    count : int
        Records: one an image.
    first_image : int or None
        Celeritas: number of the first image, behind which every record holds bytes that mean nothing. None: records of
        a DE16 with `settings`.
    **settings
        Fields of a DE16 record: frame_rate, magnification, pixel_size, camera_length, diffraction_pixel_size,
        binning, local_time.

    Examples
    --------
    >>> import tempfile
    >>> write_records(Path(tempfile.mkdtemp()) / "scan.seq", 3).stat().st_size
    928
    """
    out = bytearray(256)
    struct.pack_into("<4I", out, 0, 1, 256, count, 224)
    for k in range(count):
        record = bytearray(b"for (int i = 0; i < n; i++) { sum += data[i]; }" * 5)[:224]
        if first_image is not None:
            struct.pack_into("<4IQ", record, 0, 24, 1, 10, 8, first_image + k)
        else:
            record = bytearray(224)
            struct.pack_into("<6I", record, 0, 224, 1, 8, 208, 208, 16)
            struct.pack_into("<6I", record, 24, 4096, 4096, 0, 0, int(settings.get("binning", 1)), 12)
            struct.pack_into("<d", record, 48, float(settings.get("frame_rate", 0)))
            struct.pack_into("<II4?", record, 56, 0, 2, False, True, False, False)
            names = ("magnification", "pixel_size", "camera_length", "diffraction_pixel_size")
            struct.pack_into("<d4d", record, 80, 1.0, *(float(settings.get(name, 0)) for name in names))
            text = str(settings.get("local_time", "")).encode("ascii")[:31]
            record[168 : 168 + len(text)] = text
            struct.pack_into("<d", record, 208, 1.12)
        out += record
    target = Path(f"{os.fspath(path)}.metadata")
    target.write_bytes(out)
    return target
