"""The text beside a file of frames that keeps what the file itself has no room for: ``<file name>.lazy4d.json``.

It is one JSON object. ``lazy4d`` holds axes (with the shape of the scan), metadata, original metadata, history and
class, as the root of a ``.zarr`` store does. ``file`` tells which file it belongs to: its size, modification time,
byte of the first frame, dtype and shape, the checksum of a sample of its bytes, and which frames are invalid.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.fixed_frames.placing import FileTarget
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.source import AxisSpec, Source
from lazy4d.io.zarr_store.attributes import from_json, to_json
from lazy4d.io.zarr_store.document import KEY, Fields, StoreContent, parse_content, root_document
from lazy4d.io.zarr_store.shards import write_whole

SUFFIX = ".lazy4d.json"
FILE = "file"

_LARGEST = 2**30
_SAMPLES, _SAMPLE_BYTES = 16, 4096


@dataclass(frozen=True)
class Companion:
    """What the text beside a file says.

    Parameters
    ----------
    path : str
        The text.
    content : StoreContent
        Axes, metadata, history and class of the signal.
    invalid : ndarray of int64
        Numbers of the frames that were missing or damaged when the file was written.
    """

    path: str
    content: StoreContent
    invalid: NDArray[np.int64]

    @property
    def name(self) -> str:
        """File name, for messages."""
        return os.path.basename(self.path)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Shape of the scan."""
        return tuple(axis["size"] for axis in self.content.axes if axis["navigate"])

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(axis["size"] for axis in self.content.axes if not axis["navigate"])

    def specs(self, navigate: bool) -> tuple[AxisSpec, ...]:
        """The navigation or the signal axes, numpy order."""
        axes = [axis for axis in self.content.axes if axis["navigate"] is navigate]
        return tuple(AxisSpec(a["name"], a["units"], float(a["scale"]), float(a["offset"])) for a in axes)

    def metadata(self, rearranged: bool) -> dict[str, Any]:
        """The metadata of the signal, with what only our own files know; the axes only if the scan is as saved."""
        saved: dict[str, Any] = {"signal_class": self.content.signal_class, "history": self.content.history}
        if not rearranged:
            saved["axes"] = self.content.axes
        return {**self.content.metadata, KEY: saved}

    def complete(self, source: Source, rearranged: bool) -> Source:
        """A source with what the companion says in place of what the file says.

        Parameters
        ----------
        source : Source
            As the reader made it.
        rearranged : bool
            The scan is another than the one that was saved: it has no calibration then.
        """
        general = self.content.metadata.get("General")
        title = general.get("title") if isinstance(general, dict) else None
        return replace(
            source,
            title=title if isinstance(title, str) else "",
            signal_axes=self.specs(navigate=False),
            navigation_axes=source.navigation_axes if rearranged else self.specs(navigate=True),
            metadata=self.metadata(rearranged),
            original_metadata=self.content.original_metadata,
            scan_shape_origin=source.scan_shape_origin if rearranged else f"axes in {self.name}",
            warnings=(*source.warnings, *self._of_invalid()),
        )

    def _of_invalid(self) -> tuple[str, ...]:
        if not len(self.invalid):
            return ()
        return (
            f"{self.path}: {len(self.invalid)} of {math.prod(self.nav_shape)} frames were missing or damaged when this "
            "was saved; s.valid tells which",
        )

    def mark(self, navigation: NavigationMap | PositionTable) -> NavigationMap | PositionTable:
        """The same positions, those of invalid frames blank."""
        if not len(self.invalid):
            return navigation
        shape = navigation.nav_shape
        numbers = navigation.numbers(tuple(slice(0, n) for n in shape))
        return PositionTable(np.where(np.isin(numbers, self.invalid), -1, numbers).reshape(shape))


def companion_path(path: str) -> str:
    """Path of the text beside a file.

    Examples
    --------
    >>> companion_path("/data/scan.npy")
    '/data/scan.npy.lazy4d.json'
    """
    return path + SUFFIX


def write_companion(
    path: str, written: str, target: FileTarget, content: StoreContent, invalid: NDArray[np.int64]
) -> None:
    """Write the text beside `path`, in one step.

    Parameters
    ----------
    path : str
        What the file will be called.
    written : str
        Where it is now.
    target : FileTarget
        Its layout.
    content : StoreContent
        What there is to say of the signal.
    invalid : ndarray of int64
        Numbers of invalid frames.
    """
    status = os.stat(written)
    document = {
        "about": f"axes, metadata and history of {os.path.basename(path)}, written by lazy4d; keep the two together",
        FILE: {
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "first_frame": target.start,
            "dtype": target.dtype.str,
            "sample": _sample(written, target.start, status.st_size),
            "invalid": to_json(np.asarray(invalid, np.int64)),
        },
        KEY: root_document(content)["attributes"][KEY],
    }
    write_whole(companion_path(path), json.dumps(document, indent=1, allow_nan=False).encode(), durable=True)


def find_companion(
    path: str, *, size: int, mtime_ns: int, start: int, dtype: np.dtype[Any], pixels: int
) -> tuple[Companion | None, tuple[str, ...]]:
    """What the text beside a file says of it, and what a user should be told where it is of another file, or damaged.

    Parameters
    ----------
    path : str
        The file of frames.
    size, mtime_ns : int
        Its size and modification time.
    start : int
        Byte of its first frame.
    dtype : numpy.dtype
        Stored dtype.
    pixels : int
        Pixels that its header promises.

    Returns
    -------
    companion : Companion or None
    warnings : tuple of str

    Examples
    --------
    >>> find_companion("/no/such.npy", size=1, mtime_ns=0, start=0, dtype=np.dtype("u1"), pixels=1)
    (None, ())
    """
    text = companion_path(path)
    try:
        if os.path.getsize(text) > _LARGEST:
            return None, (f"{text}: left aside, expected at most {_LARGEST} bytes, found {os.path.getsize(text)}",)
        with open(text, "rb") as file:
            content = file.read()
    except OSError:
        return None, ()
    try:
        companion = _parse(text, content, path, size, mtime_ns, start, dtype, pixels)
    except (FormatError, UnsupportedVariantError) as error:
        return None, (f"axes, metadata and history beside the frames are left aside: {error}",)
    return companion, ()


def _parse(
    text: str, content: bytes, path: str, size: int, mtime_ns: int, start: int, dtype: np.dtype[Any], pixels: int
) -> Companion:
    try:
        document = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{text}: expected JSON, found text that is cut short or damaged: {error}") from error
    whole = Fields(text, "the companion of a file", document)
    file = Fields(text, FILE, whole.take(FILE, dict))
    facts = {"size": size, "first_frame": start, "dtype": dtype.str}
    for key, value in facts.items():
        found = file.take(key, type(value))
        if found != value:
            raise FormatError(
                f"{text}: expected {key} {value!r} of the file beside it, found {found!r}: it was written with another "
                "file of this name; remove it, or save again"
            )
    if file.take("mtime_ns", int) != mtime_ns and file.take("sample", int) != _sample(path, start, size):
        raise FormatError(
            f"{text}: the pixels of the file beside it were changed since this was written: remove it, or save again"
        )
    found = parse_content(text, whole.take(KEY, dict))
    if math.prod(axis["size"] for axis in found.axes) != pixels:
        raise FormatError(
            f"{text}: expected axes of {pixels} pixels in all, found {[axis['size'] for axis in found.axes]}; it was "
            "changed or damaged"
        )
    navigate = [axis["navigate"] for axis in found.axes]
    if navigate != sorted(navigate, reverse=True):
        raise FormatError(f"{text}: expected navigation axes before signal axes, found {found.axes}")
    frames = math.prod(axis["size"] for axis in found.axes if axis["navigate"])
    return Companion(text, found, _invalid(text, file, frames))


def _invalid(text: str, file: Fields, frames: int) -> NDArray[np.int64]:
    try:
        invalid = from_json(file.take("invalid", dict))
    except ValueError as error:
        raise FormatError(f"{text}: 'invalid' cannot be read: {error}") from error
    if not isinstance(invalid, np.ndarray) or invalid.dtype != np.int64 or invalid.ndim != 1:
        raise FormatError(f"{text}: expected 'invalid' to be frame numbers, found {str(invalid)[:60]!r}")
    if len(invalid) and not 0 <= int(invalid.min()) <= int(invalid.max()) < frames:
        raise FormatError(f"{text}: expected invalid frames between 0 and {frames - 1}, found {invalid[:8].tolist()}")
    return invalid


def _sample(path: str, start: int, size: int) -> int:
    """Checksum of a few pages of the frames, spread over the file."""
    last = max(start, size - _SAMPLE_BYTES)
    places = sorted({start + (last - start) * k // (_SAMPLES - 1) for k in range(_SAMPLES)})
    checksum = 0
    with open(path, "rb", buffering=0) as file:
        for place in places:
            file.seek(place)
            checksum = zlib.crc32(file.read(_SAMPLE_BYTES), checksum)
    return checksum
