"""A folder as one data set: the files of frames in it, told from what lies beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lazy4d.errors import FormatError
from lazy4d.io.paths import in_order
from lazy4d.io.source import Reader

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_MOST_SHOWN = 6
_MOST_OPENED = 64  # kinds of names of which a file is looked into
_HEAD_BYTES = 8192

_GUESTS = {"rosettasciio"}
"""Readers of other programs' formats, pictures and tables among them: they count only where nothing else is."""


@dataclass(frozen=True)
class FolderContent:
    """What a folder holds.

    Parameters
    ----------
    folder : str
        Absolute path.
    series : dict
        Names of the files of frames, by the glob that means those that are named alike but for a number.
    others : int
        Further files, which no reader claims by their suffix.
    folders : int
        Folders in it.
    """

    folder: str
    series: dict[str, list[str]]
    others: int
    folders: int

    def paths(self) -> list[str]:
        """All files of frames, absolute, in the order of the numbers in their names."""
        found = [os.path.join(self.folder, name) for names in self.series.values() for name in names]
        return in_order(found) if found else []

    def __str__(self) -> str:
        """One line on what is there."""
        if not self.series and not self.others and not self.folders:
            return "it is empty"
        counts = [f"{len(names)} x {glob!r}" for glob, names in list(self.series.items())[:_MOST_SHOWN]]
        if len(self.series) > _MOST_SHOWN:
            counts.append(f"{len(self.series) - _MOST_SHOWN} more kinds of names")
        counts += [f"{n} {what}" for n, what in ((self.others, "other files"), (self.folders, "folders")) if n]
        return f"it holds {', '.join(counts)}"


def look_into(folder: str, known: Iterable[Reader]) -> FolderContent:
    """The files of a folder, sorted by how they are named; of each kind of names one is looked into.

    Hidden files are left out, and so are companions: files named after another file of frames with more behind its
    suffix, such as ``scan.seq.dark.mrc``, and those in which none of the readers finds its format.

    Parameters
    ----------
    folder : str
        Absolute path.
    known : iterable of Reader
        Readers whose suffixes tell files of frames.

    Examples
    --------
    >>> import tempfile
    >>> from lazy4d.io.registry import built_in_readers
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("a1.mib", "a2.mib", "a.hdr"):
    ...     with open(os.path.join(folder, name), "w") as file:
    ...         _ = file.write("MQ1,000001,00384")
    >>> print(look_into(folder, built_in_readers().values()))
    it holds 2 x 'a*.mib', 1 other files
    """
    asked = list(known)
    suffixes = {suffix for reader in asked for suffix in reader.extensions}
    series: dict[str, list[str]] = {}
    others = folders = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            stem, suffix = os.path.splitext(entry.name)
            data = suffix.lower() in suffixes and not _names_another(stem, suffixes)
            if entry.is_dir() and not data:
                folders += 1
            elif not data:
                others += 1
            else:
                match = _NUMBERED.fullmatch(stem)
                glob = f"{match[1]}*{suffix}" if match else entry.name
                series.setdefault(glob, []).append(entry.name)
    kept = dict(sorted(series.items()))
    for glob, names in list(kept.items())[:_MOST_OPENED]:
        if not any(_accepts(reader, os.path.join(folder, names[0])) for reader in asked):
            others += len(kept.pop(glob))
    return FolderContent(folder, kept, others, folders)


def _accepts(reader: Reader, path: str) -> bool:
    """Whether a file can be of a reader's format; an empty one can be of that of its suffix."""
    own = os.path.splitext(path)[1].lower() in reader.extensions
    if os.path.isdir(path):
        return own
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:  # the reader tells what is wrong with it
        return own
    if (own and (not head or getattr(reader, "headerless", False))) or reader.sniff(head):
        return True
    return hasattr(reader, "claims") and bool(reader.claims(path))


def _names_another(stem: str, suffixes: set[str]) -> bool:
    """Whether what stands before the suffix holds the suffix of a file of frames with something behind it."""
    while True:
        stem, inner = os.path.splitext(stem)
        if not inner:
            return False
        if inner.lower() in suffixes:
            return True


def series_in(folder: str, known: Iterable[Reader]) -> list[str]:
    """The files of the one data set that a folder holds, in the order of the numbers in their names.

    Parameters
    ----------
    folder : str
        Absolute path.
    known : iterable of Reader
        Readers that may be asked.

    Raises
    ------
    FormatError
        There is none, or more than one: lists what is there.
    """
    readers = list(known)
    hosts = [reader for reader in readers if reader.name not in _GUESTS]
    found = look_into(folder, hosts)
    if not found.series:
        found = look_into(folder, readers)
    paths = found.paths()
    if not paths:
        raise FormatError(
            f"{folder}: is a directory that no reader knows, {found}; give a file, or the glob of a series"
        )
    if len(paths) == 1:
        return paths
    suffixes = {os.path.splitext(path)[1].lower() for path in paths}
    takers = [reader for reader in readers if suffixes <= set(reader.extensions)]
    for reader in readers:
        chosen = reader.principal(paths) if hasattr(reader, "principal") else []
        if chosen:
            return list(chosen)
    able = [reader for reader in takers if getattr(reader, "series", False)]
    paired = len(paths) == 2 and any(hasattr(reader, "stands_for") for reader in able)  # two halves, named by time
    if able and (len(found.series) == 1 or paired):
        return paths
    first = os.path.join(folder, next(iter(found.series)))
    if len(found.series) > 1:
        raise FormatError(
            f"{folder}: is a directory with more than one data set, {found}; load one of them by its name or its glob, "
            f"such as {first!r}"
        )
    raise FormatError(
        f"{folder}: is a directory of {len(paths)} files that no reader takes as one series, {found}; load each and "
        "combine them with stack([...])"
    )
