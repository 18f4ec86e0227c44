"""Which files are the two halves of one Celeritas recording, told by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lazy4d.errors import FormatError, MissingCompanionError

HALVES = ("Top", "Bottom")

_HALF = re.compile(r"(?P<stem>.+)_(?P<half>top|bottom)(?:_(?P<time>\d\d-\d\d-\d\d(?:\.\d+)?))?", re.IGNORECASE)
_DAY = 86400.0


@dataclass(frozen=True)
class HalfName:
    """The name of one half.

    Parameters
    ----------
    path : str
        The file.
    stem : str
        Path of the recording, without the suffix.
    half : str
        ``"Top"`` or ``"Bottom"``.
    time : float or None
        Time of day in s, from the name.
    """

    path: str
    stem: str
    half: str
    time: float | None


def parse_name(path: str) -> HalfName | None:
    """The parts of a name such as ``scan_Top_14-13-42.780.seq``; None for any other name.

    Examples
    --------
    >>> parse_name("scan_Top_14-13-42.780.seq").stem, parse_name("scan.seq")
    ('scan', None)
    """
    folder, name = os.path.split(path)
    match = _HALF.fullmatch(_plain_stem(name)) if name.lower().endswith(".seq") else None
    if match is None:
        return None
    time = None
    if match["time"]:
        hours, minutes, rest = match["time"].split("-")
        time = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    return HalfName(path, os.path.join(folder, match["stem"]), match["half"].capitalize(), time)


def find_pair(paths: Sequence[str]) -> tuple[HalfName, HalfName] | None:
    """Top and bottom of the recording that one or two paths mean; None for a file that is no half.

    Parameters
    ----------
    paths : sequence of str
        One half, whose other half is looked for beside it, or both.

    Raises
    ------
    MissingCompanionError
        The other half is not there: names the pattern looked for.
    FormatError
        Several files that are not two halves of one recording.
    """
    names = [parse_name(path) for path in paths]
    if len(paths) == 1:
        name = names[0]
        if name is None:
            return None
        other = _nearest(name, _beside(name.stem, _opposite(name.half)))
        if other is None and name.time is None:
            return None  # "scan_Top.seq" alone may be called so for other reasons
        if other is None:
            folder, stem = os.path.split(name.stem)
            pattern = f"{stem}_{_opposite(name.half)}_*.seq"
            raise MissingCompanionError(
                f"{name.path}: found the {name.half} half, but no {pattern} in {folder or '.'}; "
                "copy the other half beside it"
            )
        return (name, other) if name.half == "Top" else (other, name)
    halves = {name.half: name for name in names if name is not None}
    if len(paths) == 2 and len(halves) == 2 and halves["Top"].stem == halves["Bottom"].stem:
        return halves["Top"], halves["Bottom"]
    raise FormatError(
        f"{paths[0]} and {len(paths) - 1} more: expected one SEQ file, or <stem>_Top_<time>.seq and "
        "<stem>_Bottom_<time>.seq of one recording; load others each and combine them with stack([...])"
    )


def halves_of_stem(path: str) -> list[str]:
    """The two halves that ``<stem>.seq`` or ``<stem>`` stands for where there is no such file; empty without them.

    Raises
    ------
    FormatError
        Several recordings share the stem: names them.
    """
    folder, name = os.path.split(path)
    stem = os.path.join(folder, _plain_stem(name))
    tops, bottoms = (_beside(stem, half) for half in HALVES)
    if len(tops) > 1:
        listed = ", ".join(os.path.basename(top.path) for top in tops[:4])
        raise FormatError(f"{path}: {len(tops)} recordings are called so, give one of {listed}")
    if not tops and not bottoms:
        return []
    if tops and bottoms:
        nearest = _nearest(tops[0], bottoms)
        return [tops[0].path, nearest.path] if nearest else [tops[0].path]
    return [(tops or bottoms)[0].path]


def _plain_stem(name: str) -> str:
    while name.lower().endswith(".seq"):
        name = name[:-4]
    return name


def _opposite(half: str) -> str:
    return HALVES[1 - HALVES.index(half)]


def _beside(stem: str, half: str) -> list[HalfName]:
    """The files of that stem and half, in the order of their names."""
    folder = os.path.dirname(stem)
    try:
        with os.scandir(folder or ".") as entries:
            names = [parse_name(os.path.join(folder, entry.name)) for entry in entries]
    except OSError:
        return []
    found = [name for name in names if name is not None and name.stem == stem and name.half == half]
    return sorted(found, key=lambda name: name.path)


def _nearest(name: HalfName, others: list[HalfName]) -> HalfName | None:
    """The other half whose time is nearest, also across midnight."""

    def distance(other: HalfName) -> float:
        if name.time is None or other.time is None:
            return 0.0 if name.time == other.time else _DAY
        apart = abs(name.time - other.time)
        return min(apart, _DAY - apart)

    return min(others, key=distance, default=None)
