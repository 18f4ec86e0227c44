"""The ASCII header before every MIB frame, and the ``.hdr`` text beside the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lazy4d.errors import FormatError

MAGIC = b"MQ1,"
PREFIX = b"MPX,"
PREFIX_BYTES = 15
"""Length of ``MPX,<10 digits>,``, which a stream captured from the network has before every header."""

HEAD_BYTES = 65536
"""Bytes read to find and parse a header; real ones are 384 to a few thousand."""

_MOST_DIGITS = 18  # of a number that fits 64 bits; Python refuses to read thousands of them
_FIRST_CHIP = 22
_ITEMS_PER_CHIP = 28
_NAMES = (
    "id", "frame_number", "header_bytes", "chips", "width", "height", "pixel_code", "layout", "chip_mask", "start_time",
    "shutter_time", "counter", "colour_mode", "gain_mode",
)  # fmt: skip
_GAINS = {0: "SLGM", 1: "LGM", 2: "HGM", 3: "SHGM"}
_EXPOSURE_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class MibHeader:
    """The header of one frame, parsed; only the first nine items must be right, the rest is read as far as it goes.

    Parameters
    ----------
    prefix_bytes : int
        15 when an ``MPX`` prefix stands before the header, else 0.
    frame_number : int
        Number of the frame in its acquisition, from 1.
    header_bytes : int
        Bytes from the start of the header (prefix not counted) to the pixels.
    chips : int
        Chips that the frame holds.
    width, height : int
        Columns and rows as stored; a RAW quad states 1024 x 256.
    pixel_code : str
        ``U08``, ``U16``, ``U32`` or ``R64`` (RAW).
    layout : str
        Chip arrangement: ``1x1``, ``2x2``, ``2x2G``, ``Nx1``, ``Nx1G``.
    chip_mask : int
        One bit per enabled chip.
    items : tuple of str
        All comma-separated items.
    """

    prefix_bytes: int
    frame_number: int
    header_bytes: int
    chips: int
    width: int
    height: int
    pixel_code: str
    layout: str
    chip_mask: int
    items: tuple[str, ...]

    @property
    def start(self) -> int:
        """Bytes from the start of a record to its pixels."""
        return self.prefix_bytes + self.header_bytes

    @property
    def raw(self) -> bool:
        """Whether the pixels are as they leave the chips, packed and not assembled."""
        return self.pixel_code.startswith("R")

    @property
    def fixed_part(self) -> bytes:
        """Items 2 to 8 with their commas: what must be the same in every frame of a file."""
        return (",".join(self.items[2:9]) + ",").encode("latin-1")

    @cached_property
    def extension(self) -> tuple[str, ...]:
        """Items after the ``MQ1A`` mark: UTC time, exposure, counter depth; empty for older files."""
        if "MQ1A" not in self.items:
            return ()
        return self.items[self.items.index("MQ1A") + 1 :]

    @property
    def counter_depth(self) -> int | None:
        """Bits per counter: 1, 6, 12 or 24; None when the header does not say."""
        return _integer(self.extension[2]) if len(self.extension) > 2 else None

    @property
    def exposure(self) -> float | None:
        """Exposure of a frame in seconds; None when the header does not say."""
        if len(self.extension) > 1:
            match = re.fullmatch(r"\s*([\d.]+)\s*([nuµm]?s)\s*", self.extension[1])
            number = _real(match[1]) if match else None
            if match and number is not None:
                return number * _EXPOSURE_UNITS[match[2]]
        return _real(self.items[10]) if len(self.items) > 10 else None

    @property
    def gain(self) -> str | None:
        """Gain mode: SLGM, LGM, HGM or SHGM."""
        code = _integer(self.items[13]) if len(self.items) > 13 else None
        return None if code is None else _GAINS.get(code, str(code))

    @property
    def thresholds(self) -> list[float]:
        """Energy thresholds 0 to 7 in keV, as far as they are given."""
        values = [_real(item) for item in self.items[14:_FIRST_CHIP]]
        return [value for value in values if value is not None]

    def as_dictionary(self) -> dict[str, Any]:
        """Every item of the header as text under its name; settings of each chip as a list."""
        tree: dict[str, Any] = dict(zip(_NAMES, self.items, strict=False))
        tree["thresholds_keV"] = self.thresholds
        for chip in range(self.chips):
            first = _FIRST_CHIP + chip * _ITEMS_PER_CHIP
            settings = list(self.items[first : first + _ITEMS_PER_CHIP])
            if settings and settings[0] != "MQ1A":
                tree[f"chip_{chip}"] = settings
        tree.update(zip(("utc_time", "exposure", "counter_depth"), self.extension, strict=False))
        tree["text"] = ",".join(self.items)
        return tree


def parse_header(head: bytes, where: str) -> MibHeader:
    """The header at the start of `head`.

    Parameters
    ----------
    head : bytes
        At least the whole header; more does no harm.
    where : str
        Path and byte offset, for messages.

    Returns
    -------
    MibHeader

    Raises
    ------
    FormatError
        The magic or one of the first nine items is not what MIB promises: names the item, what was expected and found.

    Examples
    --------
    >>> parse_header(b"MQ1,000001,00384,01,0256,0128,U16,   1x1,01,2024-07-02 13:46:44.0,0.001", "scan.mib").height
    128
    """
    prefix = PREFIX_BYTES if head.startswith(PREFIX) else 0
    body = head[prefix:]
    if not body.startswith(MAGIC):
        raise FormatError(
            f"{where}: not a MIB frame: expected {MAGIC!r} at byte {prefix}, found {body[:4]!r}; is this a MIB file?"
        )
    text = body.split(b"\0", 1)[0].decode("latin-1")
    items = text.split(",")
    if len(items) > 2 and (length := _integer(items[2])) is not None and length < len(text):
        items = text[:length].split(",")
    if len(items) < 10:
        raise FormatError(
            f"{where}: MIB header is cut short: expected at least 10 items, found {len(items)}: {text[:80]!r}"
        )
    number, length, chips, width, height = (
        _required(items, index, name, where)
        for index, name in (
            (1, "frame number"),
            (2, "header length"),
            (3, "number of chips"),
            (4, "width"),
            (5, "height"),
        )
    )
    try:
        mask = int(items[8], 16)
    except ValueError:
        raise FormatError(
            f"{where}: MIB header item 8 (chip mask): expected a hexadecimal number, found {items[8]!r}"
        ) from None
    for name, value, least in (
        ("header length", length, 32),
        ("number of chips", chips, 1),
        ("width", width, 1),
        ("height", height, 1),
    ):
        if value < least:
            raise FormatError(f"{where}: MIB header states {name} {value}, expected at least {least}")
    fields = tuple(item.strip() if i not in range(2, 9) else item for i, item in enumerate(items))
    return MibHeader(prefix, number, length, chips, width, height, items[6].strip(), items[7].strip(), mask, fields)


def _required(items: list[str], index: int, name: str, where: str) -> int:
    value = _integer(items[index])
    if value is None:
        raise FormatError(f"{where}: MIB header item {index} ({name}): expected digits, found {items[index]!r}")
    return value


def _integer(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _real(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# ---- the .hdr companion


def parse_sidecar(raw: bytes) -> dict[str, str]:
    r"""Keys and values of a ``.hdr`` text, as far as its lines can be read; it never fails.

    Lines are ``Key:<TAB>Value``; hints in brackets behind a key stay part of it. Lines without a tab are left out.

    Examples
    --------
    >>> parse_sidecar(b"HDR,\t\r\nScanX:\t4\r\nodd line\r\nEnd\t")
    {'ScanX': '4'}
    """
    found: dict[str, str] = {}
    for line in raw.decode("latin-1").replace("\r", "\n").split("\n"):
        key, tab, value = line.partition("\t")
        key = key.strip().removesuffix(":")
        if tab and key not in ("HDR,", "End", ""):
            found[key] = value.strip(" \t\0")
    return found


def sidecar_number(sidecar: dict[str, str], name: str) -> int | None:
    """The whole number under the key `name`, with or without a hint in brackets behind it; None when absent.

    Examples
    --------
    >>> sidecar_number({"Frames in Acquisition (Number)": "9"}, "Frames in Acquisition")
    9
    """
    text = sidecar_text(sidecar, name)
    return None if text is None else _integer(text)


def sidecar_text(sidecar: dict[str, str], name: str) -> str | None:
    """The text under the key `name`, with or without a hint in brackets behind it; None when absent."""
    for key, value in sidecar.items():
        if key.partition("(")[0].strip() == name:
            return value
    return None


def find_sidecar(path: str) -> tuple[str, dict[str, str]] | None:
    """Path and content of the ``.hdr`` text that belongs to a MIB file; None when there is none.

    Looked for: the same stem, then the stem without its trailing digits, for a series, then without fewer of them, as a
    name may itself end in digits; not where that is the text of another MIB file, as ``scan.hdr`` is of ``scan.mib``
    beside ``scan2.mib``.
    """
    whole = Path(path)
    stem = whole.stem.rstrip("0123456789")
    shorter = (whole.stem[:end] for end in range(len(stem) + 1, len(whole.stem) - 1))
    for name in dict.fromkeys((whole.stem, stem, stem.rstrip("-_ "), *shorter)):
        for suffix in (".hdr", ".HDR"):
            candidate = whole.with_name(name + suffix) if name else None
            if candidate is None or (name != whole.stem and whole.with_name(name + whole.suffix).exists()):
                continue
            try:
                with candidate.open("rb") as file:
                    return str(candidate), parse_sidecar(file.read(1 << 16))
            except OSError:
                continue
    return None
