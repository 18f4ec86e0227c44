"""The XML that describes an EMPAD acquisition: its raw file, scan, calibration and settings."""

from __future__ import annotations

import ast
import math
import os
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from xml.etree import ElementTree

from lazy4d.errors import FormatError, UnsupportedVariantError

_MOST_BYTES = 4 << 20
_MOST_COMPANIONS = 64
_MOST_LISTED = 5000
_MOST_SCAN = 1 << 20
_SCAN_NAME = re.compile(r"(?:^|_)scan_x(\d{1,7})_y(\d{1,7})\.raw$", re.IGNORECASE)
_SERIES_NAME = re.compile(r"(?:^|_)series_x(\d{1,9})\.raw$", re.IGNORECASE)
_FIRST_KIND = (b"<raw_file", b"<camserver_parameters")
_SECOND_KIND = (b"EMPAD2", b"EMPAD-G2", b"<rawfile>")


@dataclass(frozen=True)
class Acquisition:
    """What the XML says.

    Parameters
    ----------
    path : str
        The XML file.
    raw_name : str
        Name of the raw file, without folders.
    values : dict
        Text of each element, by the names of the elements above it joined with ``/``.
    tree : dict
        All of it as nested dictionaries.
    """

    path: str
    raw_name: str
    values: dict[str, str] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=dict)

    def positive(self, name: str) -> float | None:
        """A value as a number; None where it is absent, no number or not above zero.

        Examples
        --------
        >>> Acquisition("a.xml", "a.raw", {"exposure_time": "1", "count": "many"}).positive("exposure_time")
        1.0
        """
        try:
            value = float(self.values.get(name, ""))
        except ValueError:
            return None
        return value if math.isfinite(value) and value > 0 else None

    def whole(self, name: str) -> int | None:
        """A value as a positive whole number that a scan can have; None where it is not."""
        value = self.positive(name)
        return int(value) if value is not None and value == int(value) and value <= _MOST_SCAN else None

    def field_of_view(self) -> tuple[float, float] | None:
        """Width of a whole scan along rows and columns in m, as versions up to 1.1 state it; None where absent."""
        try:
            found = ast.literal_eval(self.values.get("iom_measurements/optics.get_full_scan_field_of_view", ""))
            pair = tuple(float(value) for value in found)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
        return (pair[0], pair[1]) if len(pair) == 2 and all(0 < value < 1 for value in pair) else None


def looks_like_xml(head: bytes) -> bool:
    """True when `head` begins the XML of an EMPAD acquisition.

    Examples
    --------
    >>> looks_like_xml(b'<root name="a"><raw_file filename="scan_x4_y4.raw"/>'), looks_like_xml(b"<root><spectrum/>")
    (True, False)
    """
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and any(
        mark in head for mark in (*_FIRST_KIND, *_SECOND_KIND)
    )


def read_acquisition(path: str) -> Acquisition:
    """The content of one XML file.

    Raises
    ------
    FormatError
        It is not XML, too long, or names no raw file.
    UnsupportedVariantError
        It is of the second generation of the detector, whose frames are stored in another way.
    """
    size = os.path.getsize(path)
    if size > _MOST_BYTES:
        raise FormatError(f"{path}: {size} bytes are too many for the XML of an EMPAD acquisition, expected some kB")
    with open(path, "rb") as file:
        text = file.read().rstrip(b"\0 \r\n\t")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"{path}: expected the XML of an EMPAD acquisition, found a mistake: {error}") from None
    if any(mark in text for mark in _SECOND_KIND) and root.find("raw_file") is None:
        raise UnsupportedVariantError(
            f"{path}: an acquisition of EMPAD-G2, whose frames are not stored as those of EMPAD. Read the raw file "
            "with reader='raw', frame_shape=(128, 128), dtype='<f4' if it holds frames already processed"
        )
    found = root.find("raw_file")
    name = "" if found is None else (found.get("filename") or found.text or "").strip()
    name = re.split(r"[/\\]", name)[-1]
    if not name:
        raise FormatError(
            f"{path}: expected <raw_file filename=...>, which names the frames of an EMPAD acquisition, found none"
        )
    values: dict[str, str] = {}
    _collect(root, "", values, 0)
    return Acquisition(path, name, values, _as_tree(root, 0))


def _collect(node: ElementTree.Element, prefix: str, values: dict[str, str], depth: int) -> None:
    for child in node:
        mode = child.get("mode")
        name = f"{prefix}{child.tag}[{mode}]" if mode else f"{prefix}{child.tag}"
        if child.text and child.text.strip():
            values.setdefault(name, child.text.strip())
        for key, value in child.attrib.items():
            values.setdefault(f"{name}@{key}", value)
        if depth < 8:
            _collect(child, f"{name}/", values, depth + 1)


def _as_tree(node: ElementTree.Element, depth: int) -> Any:
    """An element as a text, or as a dictionary of its attributes and children; equal names become a list."""
    if not len(node) and not node.attrib:
        return (node.text or "").strip()
    tree: dict[str, Any] = dict(node.attrib)
    if node.text and node.text.strip():
        tree["text"] = node.text.strip()
    for child in node if depth < 8 else ():
        value = _as_tree(child, depth + 1)
        if child.tag not in tree:
            tree[child.tag] = value
        elif isinstance(tree[child.tag], list):
            tree[child.tag].append(value)
        else:
            tree[child.tag] = [tree[child.tag], value]
    return tree


def shape_in_name(name: str) -> tuple[int, ...] | None:
    """The scan shape that the name of a raw file tells; None where it does not.

    Examples
    --------
    >>> shape_in_name("scan_x256_y128.raw"), shape_in_name("series_x10.raw"), shape_in_name("frames.raw")
    ((128, 256), (10,), None)
    """
    scan, series = _SCAN_NAME.search(name), _SERIES_NAME.search(name)
    shape = (int(scan[2]), int(scan[1])) if scan else (int(series[1]),) if series else None
    return shape if shape and 0 not in shape else None


def find_companion(raw_path: str) -> Acquisition | None:
    """The acquisition whose XML stands beside a raw file and names it; None where there is none.

    Parameters
    ----------
    raw_path : str
        The raw file; an XML of the same stem describes it even where it was renamed.
    """
    folder, name = os.path.split(raw_path)
    stem = os.path.splitext(name)[0]
    try:
        with os.scandir(folder or ".") as entries:
            names = [e.name for e in islice(entries, _MOST_LISTED) if e.name.lower().endswith(".xml")]
    except OSError:
        return None
    same = [each for each in names if os.path.splitext(each)[0] == stem]
    others = sorted(set(names) - set(same))
    for each in (*same, *others[:_MOST_COMPANIONS]):
        path = os.path.join(folder, each)
        try:
            with open(path, "rb") as file:
                if not looks_like_xml(file.read(8192)):
                    continue
            found = read_acquisition(path)
        except (FormatError, UnsupportedVariantError, OSError):
            continue
        if each in same or found.raw_name.lower() == name.lower():
            return found
    return None
