"""Files beside a SEQ file: settings, record of the camera, dark and gain references, list of missing frames."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DError
from lazy4d.io.seq.config import CameraConfig, bad_pixel_mask, read_config

CONFIG = ".Config.Metadata.xml"

_MRC_HEADER = 1024
_MOST_PIXELS = 1 << 20
_MRC_DTYPES = {0: "i1", 1: "<i2", 2: "<f4", 6: "<u2"}
_RECORD_HEAD, _RECORD_BYTES = 256, 224
_DE16_VERSION = 16
_MOST_TEXT = 16 << 20
_DE16 = struct.Struct("<6I d 2I 4? 3I 5d 48x 32s 8s d")  # from byte 24 of a record
_DE16_NAMES = (
    "unbinned_width", "unbinned_height", "offset_x", "offset_y", "hardware_binning", "bit_mode", "frame_rate",
    "rotation", "flip", "okra", "global_shutter", "off_chip_cds", "akra", "sensor_sequence", "camera_type",
    "gain_mode", "sensor_gain", "magnification", "pixel_size", "camera_length", "diffraction_pixel_size",
    "local_time", "grabber", "firmware_version",
)  # fmt: skip

_Read = TypeVar("_Read")


@dataclass
class Sidecars:
    """What the companions of a recording say; each may be absent.

    Parameters
    ----------
    config : CameraConfig
        Settings; empty without the XML.
    records : dict
        The ``.metadata`` of each file of frames, by the name of that file.
    dark, gain : ndarray of float32, shape (ky, kx), dict or None
        References: a corrected frame is ``(raw - dark) * gain``. Large ones as `Place.as_dictionary`.
    bad_pixels : ndarray of bool, shape (ky, kx), or None
        True where a pixel is bad.
    missing_frames : tuple of int or None
        Frames that the camera reports as missing; None without such a list.
    notes : list of str
        Companions that could not be used, and why.
    """

    config: CameraConfig = field(default_factory=CameraConfig)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    dark: NDArray[np.float32] | dict[str, Any] | None = None
    gain: NDArray[np.float32] | dict[str, Any] | None = None
    bad_pixels: NDArray[np.bool_] | None = None
    missing_frames: tuple[int, ...] | None = None
    notes: list[str] = field(default_factory=list)


def companion(bases: Sequence[str], suffix: str) -> str | None:
    """The first of ``base + suffix`` that exists; None when none does."""
    return next((base + suffix for base in bases if os.path.isfile(base + suffix)), None)


def name_bases(path: str) -> list[str]:
    """What the companions of a file are named after: the file itself, and it without a doubled ``.seq``.

    Examples
    --------
    >>> name_bases("/data/scan.seq.seq")
    ['/data/scan.seq.seq', '/data/scan.seq']
    """
    return [path, path[:-4]] if path.lower().endswith(".seq.seq") else [path]


def read_settings(bases: Sequence[str]) -> Sidecars:
    """The companions without the ones that need the shape of a frame: settings and missing frames.

    A companion that cannot be read is left out with a note: it never keeps the frames from being loaded.
    """
    found = Sidecars()
    found.config = _try(found, bases, CONFIG, read_config) or CameraConfig()
    found.missing_frames = _try(found, bases, ".Missing_Frame_Info.txt", read_missing_frames)
    return found


def add_references(found: Sidecars, bases: Sequence[str], frame_shape: tuple[int, int]) -> None:
    """Add dark, gain and bad pixels for frames of `frame_shape` to what was found."""
    found.dark = _try(found, bases, ".dark.mrc", lambda path: read_reference(path, frame_shape))
    found.gain = _try(found, bases, ".gain.mrc", lambda path: read_reference(path, frame_shape))
    found.bad_pixels, notes = bad_pixel_mask(found.config, frame_shape)
    found.notes += notes


def add_record(found: Sidecars, path: str) -> None:
    """Add the ``.metadata`` of one file of frames to what was found."""
    record = _try(found, name_bases(path), ".metadata", read_record)
    if record:
        found.records[os.path.basename(path)] = record


def _try(found: Sidecars, bases: Sequence[str], suffix: str, read: Callable[[str], _Read]) -> _Read | None:
    path = companion(bases, suffix)
    if path is None:
        return None
    try:
        return read(path)
    except (Lazy4DError, OSError, ValueError) as error:
        told = str(error)
        found.notes.append(told if path in told else f"{path}: {told}")
        return None


@dataclass(frozen=True)
class Place:
    """Where the pixels of a reference stand.

    Parameters
    ----------
    path : str
        File.
    offset : int
        Byte of the first pixel.
    shape : tuple of int
        ``(ky, kx)``.
    dtype : str
        Of a stored pixel.
    """

    path: str
    offset: int
    shape: tuple[int, int]
    dtype: str

    def as_dictionary(self) -> dict[str, Any]:
        """Plain values, by which `apply_reference_correction` reads it when asked."""
        return {"path": self.path, "offset": self.offset, "shape": list(self.shape), "dtype": self.dtype}


def read_reference(path: str, frame_shape: tuple[int, int]) -> NDArray[np.float32] | dict[str, Any]:
    """The image of a dark or gain reference, float32 of `frame_shape`; of a large one only where it stands.

    Only the first image is read: the number of sections that such files state means nothing.

    Parameters
    ----------
    path : str
        MRC file.
    frame_shape : tuple of int
        ``(ky, kx)`` that it must have.

    Returns
    -------
    ndarray or dict
        The image, or for more than 2**20 pixels `Place.as_dictionary`: reading it would take longer than the rest.

    Raises
    ------
    ValueError
        Another shape, an unknown pixel type, or too few bytes.
    """
    place = find_reference(path, frame_shape)
    pixels = place.shape[0] * place.shape[1]
    if pixels > _MOST_PIXELS:
        return place.as_dictionary()
    image = np.fromfile(place.path, place.dtype, pixels, offset=place.offset)
    return image.astype(np.float32, copy=False).reshape(place.shape)


def find_reference(path: str, frame_shape: tuple[int, int]) -> Place:
    """Where the first image of a reference stands, verified against the size of the file; see `read_reference`."""
    with open(path, "rb") as file:
        head = file.read(_MRC_HEADER)
    if len(head) < _MRC_HEADER:
        raise ValueError(f"expected an MRC header of {_MRC_HEADER} bytes, found {len(head)}; it is not used")
    columns, rows, _, mode = struct.unpack_from("<4i", head)
    (extended,) = struct.unpack_from("<i", head, 92)
    if (rows, columns) != frame_shape:
        raise ValueError(f"expected frames of {frame_shape} pixels, found {(rows, columns)}; it is not used")
    if mode not in _MRC_DTYPES or extended < 0:
        raise ValueError(f"expected a reference of MRC mode 2 (float32), found mode {mode}; it is not used")
    place = Place(path, _MRC_HEADER + extended, frame_shape, _MRC_DTYPES[mode])
    there = max(0, os.path.getsize(path) - place.offset) // np.dtype(place.dtype).itemsize
    if there < rows * columns:
        raise ValueError(f"expected {rows} x {columns} pixels, found {there}; it is not used")
    return place


def read_missing_frames(path: str) -> tuple[int, ...]:
    """Numbers of the frames that the camera reports as missing; empty when it reports none."""
    with open(path, "rb") as file:
        text = file.read(_MOST_TEXT).replace(b"\0", b"").decode("latin-1")
    return tuple(int(number) for number in re.findall(r"\b\d{1,18}\b", text.partition(":")[2]))


def read_record(path: str) -> dict[str, Any]:
    """What a ``.metadata`` file says: number of records and, by kind of camera, image counters or settings.

    Records of a Celeritas half hold an image counter and, behind it, memory that nobody cleared: nothing else of them
    is read. Settings that are 0 mean "not set" and are left out.

    Raises
    ------
    ValueError
        Too short, or a head of another kind.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(_RECORD_HEAD)
        if len(head) < 16:
            raise ValueError(f"expected a head of {_RECORD_HEAD} bytes, found {len(head)}; it is not used")
        version, head_bytes, count, record_bytes = struct.unpack_from("<4I", head)
        if (version, head_bytes, record_bytes) != (1, _RECORD_HEAD, _RECORD_BYTES):
            raise ValueError(
                f"expected version 1 with a head of {_RECORD_HEAD} and records of {_RECORD_BYTES} bytes, found version "
                f"{version}, {head_bytes} and {record_bytes}; it is not used"
            )
        whole = min(count, max(0, size - _RECORD_HEAD) // _RECORD_BYTES)
        first = file.read(_RECORD_BYTES)
        file.seek(_RECORD_HEAD + max(0, whole - 1) * _RECORD_BYTES)
        last = file.read(_RECORD_BYTES)
    told: dict[str, Any] = {"records": count}
    if not whole:
        return told
    kind, camera = struct.unpack_from("<I16xI", first)
    if kind == 24:
        told["first_image"], told["last_image"] = (struct.unpack_from("<Q", row, 16)[0] for row in (first, last))
    elif kind == _RECORD_BYTES and camera == _DE16_VERSION:
        told |= _settings(first)
    return told


def _settings(record: bytes) -> dict[str, Any]:
    fields = dict(zip(_DE16_NAMES, _DE16.unpack_from(record, 24), strict=True))
    plain = {name: _plain(value) for name, value in fields.items()}
    return {name: value for name, value in plain.items() if value not in (None, "", 0) or isinstance(value, bool)}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.split(b"\0", 1)[0].decode("latin-1").strip()
    return None if isinstance(value, float) and not np.isfinite(value) else value
