"""The entries of a zip file: names, places and sizes, read once a process; each entry by its bytes."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.mapping import check_unchanged, open_read_only

_KEPT = 8
_LOCAL = struct.Struct("<4s5H3I2H")
_MOST_RATIO = 1100  # Deflate cannot do better than 1032 to 1


@dataclass(frozen=True)
class Entry:
    """One entry: byte of its local header, bytes as stored and unpacked, and how it is stored (0 plain, 8 Deflate)."""

    offset: int
    stored: int
    size: int
    method: int


@dataclass
class ZipIndex:
    """All entries of a zip file by name."""

    path: str
    state: tuple[int, int]
    entries: dict[str, Entry]
    _tree: dict[str, list[str]] = field(default_factory=dict)

    def below(self, prefix: str) -> list[str]:
        """Names directly below a prefix."""
        if not self._tree:
            tree: dict[str, dict[str, None]] = {"": {}}
            for name in self.entries:
                parts = name.split("/")
                for k, part in enumerate(parts):
                    tree.setdefault("/".join(parts[:k]), {})[part] = None
            self._tree = {key: list(names) for key, names in tree.items()}
        return self._tree.get(prefix, [])

    def read(self, entry: Entry, start: int, length: int) -> bytes:
        """Bytes of an entry.

        Raises
        ------
        FormatError, TruncatedFileError, UnsupportedVariantError
            The entry is damaged, encrypted, or stored in a way that is not read.
        """
        fd = open_read_only(self.path)
        try:
            head = _pread(fd, _LOCAL.size, entry.offset)
            if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
                raise FormatError(
                    f"{self.path}: expected an entry of the zip file at byte {entry.offset}, found {head[:4]!r}; the "
                    "file is damaged, copy it again"
                )
            fields = _LOCAL.unpack(head)
            data = entry.offset + _LOCAL.size + fields[9] + fields[10]
            if entry.method == zipfile.ZIP_STORED:
                if length == 0:  # also where `start`, out of a damaged index, is no place in any file
                    return b""
                found = _pread(fd, length, data + start)
                return self._checked(found, length, data + start)
            if entry.method != zipfile.ZIP_DEFLATED:
                raise UnsupportedVariantError(
                    f"{self.path}: an entry is stored by method {entry.method}, expected 0 (plain) or 8 (Deflate); "
                    "unpack the file and load the folder"
                )
            packed = self._checked(_pread(fd, entry.stored, data), entry.stored, data)
        finally:
            os.close(fd)
        try:
            unpacked = zlib.decompressobj(-15).decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise FormatError(f"{self.path}: the entry at byte {entry.offset} cannot be unpacked: {error}") from error
        if len(unpacked) != entry.size:
            raise FormatError(
                f"{self.path}: expected {entry.size} bytes in the entry at byte {entry.offset}, found {len(unpacked)}"
            )
        return unpacked[start : start + length]

    def _checked(self, found: bytes, length: int, place: int) -> bytes:
        if len(found) < length:
            raise TruncatedFileError(
                f"{self.path}: expected {length} bytes at byte {place}, found {len(found)}: the file is cut short"
            )
        return found


def _pread(fd: int, length: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, length, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)


_indices: OrderedDict[tuple[str, int, int], ZipIndex] = OrderedDict()
_lock = Lock()


def zip_index(path: str, size: int, mtime_ns: int) -> ZipIndex:
    """The entries of a zip file, read once a process for each of the last few files.

    Raises
    ------
    FormatError
        No zip file, or names that lead out of it.
    FileNotFoundError, TruncatedFileError
        The file changed since it was loaded.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.zip")
    >>> with zipfile.ZipFile(path, "w") as file:
    ...     file.writestr("group/zarr.json", "{}")
    >>> status = os.stat(path)
    >>> zip_index(path, status.st_size, status.st_mtime_ns).below("group")
    ['zarr.json']
    """
    key = (path, size, mtime_ns)
    check_unchanged(path, size, mtime_ns)
    with _lock:
        if key not in _indices:
            _indices[key] = ZipIndex(path, (size, mtime_ns), _entries(path, size))
            while len(_indices) > _KEPT:
                _indices.popitem(last=False)
        _indices.move_to_end(key)
        return _indices[key]


def _entries(path: str, size: int) -> dict[str, Entry]:
    try:
        with zipfile.ZipFile(path) as file:
            listed = file.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, ValueError, struct.error) as error:
        raise FormatError(
            f"{path}: expected a folder or a zip file with a Zarr store, found a file that is neither ({error})"
        ) from error
    found: dict[str, Entry] = {}
    for info in listed:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/"):
            raise FormatError(f"{path}: the entry {info.filename!r} leads out of the zip file; do not use this file")
        if info.flag_bits & 1:
            raise UnsupportedVariantError(f"{path}: the entry {info.filename!r} is encrypted; unpack the file first")
        if info.header_offset + info.compress_size > size or info.file_size > _MOST_RATIO * (info.compress_size + 64):
            raise FormatError(
                f"{path}: the entry {info.filename!r} claims {info.file_size} bytes, stored in {info.compress_size} at "
                f"byte {info.header_offset} of {size}; the list of entries is damaged"
            )
        if not name.endswith("/"):
            found[name] = Entry(info.header_offset, info.compress_size, info.file_size, info.compress_type)
    return found
