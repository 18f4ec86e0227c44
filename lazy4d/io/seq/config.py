"""``.Config.Metadata.xml`` of a Direct Electron camera: settings, calibration tables and maps of bad pixels."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError

_TABLES = ("PixelSize", "LowMag", "DiffPixelSize", "HT_ADU")
_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class BadPixelMap:
    """Bad pixels in coordinates of the whole sensor.

    Parameters
    ----------
    attributes : dict
        ``Rows`` and ``Columns`` of the sensor and, where given, ``Binning``.
    defects : tuple of dict
        Attributes of each defect: ``Row`` or ``Rows``, ``Column`` or ``Columns``, ``pattern``.
    """

    attributes: dict[str, str]
    defects: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class CameraConfig:
    """What the file says; parts that it lacks are empty.

    Parameters
    ----------
    path : str
        The file; empty when there is none.
    info : dict
        ``FileInfo``: settings by name, as text.
    tables : dict
        Calibration tables by name: a dict of attributes for each row.
    bad_pixels : tuple of BadPixelMap
        Maps of bad pixels.
    """

    path: str = ""
    info: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[dict[str, str], ...]] = field(default_factory=dict)
    bad_pixels: tuple[BadPixelMap, ...] = ()

    def number(self, name: str) -> float | None:
        """A setting as a number; None where it is absent, no number, or 0, which means "not set".

        Examples
        --------
        >>> CameraConfig(info={"HT": "200", "Mag": "0"}).number("HT")
        200.0
        """
        try:
            value = float(self.info.get(name, ""))
        except ValueError:
            return None
        return value if np.isfinite(value) and value != 0 else None

    def whole(self, name: str) -> int | None:
        """A setting as a positive whole number; None where it is not."""
        value = self.number(name)
        return int(value) if value is not None and value > 0 and value == int(value) else None

    def as_dictionary(self) -> dict[str, Any]:
        """All of it as plain values."""
        maps = [{**each.attributes, "defects": [dict(row) for row in each.defects]} for each in self.bad_pixels]
        tables = {name: [dict(row) for row in rows] for name, rows in self.tables.items() if rows}
        return {"FileInfo": dict(self.info), **tables, **({"BadPixels": maps} if maps else {})}


def read_config(path: str) -> CameraConfig:
    """The content of one such file.

    Raises
    ------
    FormatError
        It is not XML, or much too long for such a file: names the line.
    """
    if os.path.getsize(path) > _MOST_BYTES:
        raise FormatError(f"{path}: {os.path.getsize(path)} bytes are too many for camera settings, expected some kB")
    with open(path, "rb") as file:
        text = file.read().rstrip(b"\0 \r\n\t")
    try:
        root = ElementTree.fromstring(_decoded(text))
    except ElementTree.ParseError as error:
        raise FormatError(f"{path}: expected XML, found a mistake: {error}; its settings are not used") from None
    info = {child.tag: child.get("Value", "") for child in root.iterfind("FileInfo/*") if isinstance(child.tag, str)}
    tables = {name: tuple(dict(row.attrib) for row in root.iterfind(f"{name}/Property")) for name in _TABLES}
    maps = tuple(
        BadPixelMap(dict(each.attrib), tuple(dict(defect.attrib) for defect in each.iterfind("Defect")))
        for each in root.iterfind("BadPixels/BadPixelMap")
    )
    return CameraConfig(path, info, tables, maps)


def _decoded(text: bytes) -> str:
    """Text without its XML declaration: files say UTF-8 and hold Latin-1 (a `µ` or `°`) all the same."""
    try:
        plain = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        plain = text.decode("latin-1")
    return re.sub(r"^\s*<\?xml.*?\?>", "", plain, count=1, flags=re.DOTALL)


def bad_pixel_mask(config: CameraConfig, frame_shape: tuple[int, int]) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Bad pixels of a frame, True where bad, and notes on what could not be understood; None when no map applies.

    Coordinates count pixels of the whole sensor: the offset of the image is subtracted. A map made for the binning of
    the image is taken before one without binning, whose coordinates are divided.

    Parameters
    ----------
    config : CameraConfig
        Settings and maps.
    frame_shape : tuple of int
        ``(ky, kx)`` of a whole frame.

    Examples
    --------
    >>> rows = ({"Row": "9"}, {"Columns": "10-11", "Row": "8"})
    >>> config = CameraConfig(info={"ImageOffsetY": "8", "ImageOffsetX": "8"}, bad_pixels=(BadPixelMap({}, rows),))
    >>> np.argwhere(bad_pixel_mask(config, (2, 3))[0]).tolist()
    [[0, 2], [1, 0], [1, 1], [1, 2]]
    """
    binning = config.whole("ImageBinning") or 1
    by_binning = {(each.attributes.get("Binning") or "1").strip(): each for each in reversed(config.bad_pixels)}
    chosen = by_binning.get(str(binning), by_binning.get("1"))
    if chosen is None:
        return None, []
    divide = binning if chosen is not by_binning.get(str(binning)) else 1
    offsets = [int(config.number(f"ImageOffset{axis}") or 0) for axis in "YX"]
    mask = np.zeros(frame_shape, bool)
    notes = []
    for defect in chosen.defects:
        try:
            _mark(mask, defect, offsets, divide)
        except ValueError as error:
            notes.append(f"{config.path}: a bad pixel {defect} is left out: {error}")
    return mask, notes


def _mark(mask: NDArray[np.bool_], defect: dict[str, str], offsets: list[int], divide: int) -> None:
    """Set one defect: a pixel, a line, or a range with an optional repeated pattern of 0 and 1."""
    spans = [_span(defect, name) for name in ("Row", "Column")]
    if spans[0] is None and spans[1] is None:
        raise ValueError("neither Row nor Column is given")
    indices = []
    for span, offset, length in zip(spans, offsets, mask.shape, strict=True):
        if span is None:
            indices.append(np.arange(length))
            continue
        # Only what can lie inside the frame is enumerated: a range may claim a billion pixels.
        low = max(span[0], offset)
        high = min(span[1], offset + length * divide - 1)
        inside = np.arange(low, high + 1)
        pattern = defect.get("pattern", "")
        if pattern and span[1] > span[0]:
            if set(pattern) - {"0", "1"}:
                raise ValueError(f"pattern {pattern!r} must be made of 0 and 1")
            inside = inside[np.array([mark == "1" for mark in pattern])[(inside - span[0]) % len(pattern)]]
        indices.append(np.unique((inside - offset) // divide))
    mask[np.ix_(*indices)] = True


def _span(defect: dict[str, str], name: str) -> tuple[int, int] | None:
    """First and last of a range ``a-b`` or of a single number; None where the axis is not named."""
    text = defect.get(name, defect.get(name + "s"))
    if text is None:
        return None
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{name} {text!r} must be a number or a range such as 10-152")
    first, last = int(match[1]), int(match[2] or match[1])
    return min(first, last), max(first, last)
