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
_MOST_APART = 10.0  # s; the halves of one recording are named some 40 ms apart


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
        The other half is not there, or those that are belong to another recording by their times: names the pattern
        looked for and what was found.
    FormatError
        Several files that are not two halves of one recording.
    """
    names = [parse_name(path) for path in paths]
    if len(paths) == 1:
        name = names[0]
        if name is None:
            return None
        others = _beside(name.stem, _opposite(name.half))
        if not others and name.time is None:
            return None  # "scan_Top.seq" alone may be called so for other reasons
        other, told = _partner(name, others)
        if other is None:
            folder, stem = os.path.split(name.stem)
            pattern = f"{stem}_{_opposite(name.half)}_*.seq"
            raise MissingCompanionError(
                f"{name.path}: found the {name.half} half, but no {pattern} in {folder or '.'}{told}; "
                "copy the other half beside it"
            )
        return (name, other) if name.half == "Top" else (other, name)
    halves = {name.half: name for name in names if name is not None}
    if len(paths) == 2 and len(halves) == 2 and halves["Top"].stem == halves["Bottom"].stem:
        apart = _apart(halves["Top"], halves["Bottom"])
        if apart is not None and apart > _MOST_APART:
            raise FormatError(
                f"{halves['Top'].path}: expected the times in the names of two halves to be at most {_MOST_APART:g} s "
                f"apart, found {os.path.basename(halves['Bottom'].path)}, {apart:.3f} s: they are of two recordings. "
                "If they do belong together, rename one of them"
            )
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
        other, _ = _partner(tops[0], bottoms)
        return [tops[0].path, other.path] if other else [tops[0].path]
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


def _apart(one: HalfName, other: HalfName) -> float | None:
    """Seconds between the times of two names, also across midnight; None where one has none."""
    if one.time is None or other.time is None:
        return None
    apart = abs(one.time - other.time)
    return min(apart, _DAY - apart)


def _partner(name: HalfName, others: list[HalfName]) -> tuple[HalfName | None, str]:
    """The other half that belongs to `name`, or None and why none of `others` does.

    It is the one nearest in time, but only a few seconds away and not nearer to another half like `name`. Without
    times, it is the one without a time, or the only one there is.
    """
    if not others:
        return None, ""
    rivals = [rival for rival in _beside(name.stem, name.half) if rival.path != name.path]
    timed = [(apart, other) for other in others if (apart := _apart(name, other)) is not None]
    if not timed:
        plain = [other for other in others if other.time is None]
        if name.time is None and plain:
            return plain[0], ""
        if len(others) == 1 and not rivals:
            return others[0], ""
        listed = ", ".join(os.path.basename(other.path) for other in others[:4])
        return None, f" that belongs to it: found {listed}, and times only in some of the names"
    apart, nearest = min(timed, key=lambda pair: pair[0])
    found = os.path.basename(nearest.path)
    if apart > _MOST_APART:
        return None, (
            f" of the same recording: the nearest, {found}, is {apart:.3f} s apart by the times in the names, expected "
            f"at most {_MOST_APART:g} s"
        )
    for rival in rivals:
        closer = _apart(rival, nearest)
        if closer is not None and closer < apart:
            return None, (
                f" of the same recording: {found} is {apart:.3f} s apart by the times in the names, and belongs to "
                f"{os.path.basename(rival.path)}, {closer:.3f} s apart"
            )
    return nearest, ""
