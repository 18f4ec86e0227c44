"""Where a Zarr store is: a folder, a zip file or a URL, as keys with bytes behind them."""

from __future__ import annotations

import os
from typing import Any, Protocol

from lazy4d.errors import FormatError, MissingCodecError, TruncatedFileError
from lazy4d.io.mapping import check_unchanged, open_read_only
from lazy4d.io.paths import is_url
from lazy4d.io.zarr_arrays.zip_index import Entry, ZipIndex, zip_index

MOST_DOCUMENT = 64 * 2**20
"""Bytes of a document; what is longer is none."""


class Place(Protocol):
    """The content of a store by key: small, immutable, picklable."""

    @property
    def label(self) -> str:
        """Path or URL, for messages."""
        ...

    @property
    def token(self) -> str:
        """Identity of the store as it was at load."""
        ...

    def get(self, key: str) -> bytes | None:
        """All bytes at a key; None where there are none."""
        ...

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some bytes at a key, fewer where it ends; a negative `start` counts from its end."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes at a key."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Names directly below a prefix."""
        ...

    def state(self, key: str) -> tuple[int, int] | None:
        """Size and time of modification, in ns, of what is at a key; None where the store has none for each key."""
        ...

    def verify(self, key: str, state: tuple[int, int] | None) -> None:
        """Nothing, when the store is still there and what is at a key has the state it had at load."""
        ...


def open_place(path: str | os.PathLike[str]) -> Place:
    """The store at a path or URL.

    Parameters
    ----------
    path : path or URL
        A folder, a zip file, or anything that fsspec opens.

    Raises
    ------
    FileNotFoundError
        There is nothing.
    FormatError
        A file that is no zip archive.
    MissingCodecError
        fsspec, or a package for this kind of URL, is not installed.

    Examples
    --------
    >>> import tempfile
    >>> open_place(tempfile.mkdtemp()).get("zarr.json") is None
    True
    """
    where = os.fspath(path)
    if is_url(where):
        return UrlPlace(where.rstrip("/"))
    where = os.path.abspath(where)
    if os.path.isdir(where):
        return FolderPlace(where)
    return ZipPlace.at(where)


class FolderPlace:
    """A folder."""

    def __init__(self, folder: str) -> None:
        self.label = folder
        self.token = folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Its path."""
        return FolderPlace, (self.label,)

    def path(self, key: str) -> str:
        """The file of a key."""
        return os.path.join(self.label, *(part for part in key.split("/") if part))

    def get(self, key: str) -> bytes | None:
        """All bytes of a file; None where there is none."""
        try:
            with open(self.path(key), "rb", buffering=0) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some bytes of a file."""
        try:
            fd = open_read_only(self.path(key))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        try:
            size = os.fstat(fd).st_size
            start = max(0, size + start) if start < 0 else start
            length = min(length, size - start)
            if length <= 0:
                return b""
            if hasattr(os, "pread"):
                return os.pread(fd, length, start)
            os.lseek(fd, start, os.SEEK_SET)
            return os.read(fd, length)
        finally:
            os.close(fd)

    def size(self, key: str) -> int | None:
        """Bytes of a file."""
        try:
            return os.stat(self.path(key)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str) -> list[str]:
        """Names in a folder."""
        try:
            return os.listdir(self.path(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def state(self, key: str) -> tuple[int, int] | None:
        """Size and time of modification of a file."""
        try:
            status = os.stat(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size, status.st_mtime_ns

    def verify(self, key: str, state: tuple[int, int] | None) -> None:
        """Nothing, when a file has the state it had at load."""
        if state is not None:
            check_unchanged(self.path(key), *state)


class ZipPlace:
    """A zip file; of entries with one name the last one counts."""

    def __init__(self, path: str, size: int, mtime_ns: int) -> None:
        self.label, self._state = path, (size, mtime_ns)
        self.token = f"{path}:{size}:{mtime_ns}"

    @classmethod
    def at(cls, path: str) -> ZipPlace:
        """The zip file at a path, its list of entries verified."""
        status = os.stat(path)
        place = cls(path, status.st_size, status.st_mtime_ns)
        place._index()
        return place

    def __reduce__(self) -> tuple[Any, ...]:
        """Its path and state; each process reads the list of entries once."""
        return ZipPlace, (self.label, *self._state)

    def _index(self) -> ZipIndex:
        return zip_index(self.label, *self._state)

    def _entry(self, key: str) -> Entry | None:
        return self._index().entries.get(key.strip("/"))

    def get(self, key: str) -> bytes | None:
        """All bytes of an entry."""
        entry = self._entry(key)
        return None if entry is None else self._index().read(entry, 0, entry.size)

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some bytes of an entry."""
        entry = self._entry(key)
        if entry is None:
            return None
        start = max(0, entry.size + start) if start < 0 else start
        return self._index().read(entry, start, max(0, min(length, entry.size - start)))

    def size(self, key: str) -> int | None:
        """Bytes of an entry."""
        entry = self._entry(key)
        return None if entry is None else entry.size

    def list(self, prefix: str) -> list[str]:
        """Names directly below a prefix."""
        return self._index().below(prefix.strip("/"))

    def state(self, key: str) -> tuple[int, int] | None:
        """None: the file as a whole has one, which each look at it compares."""
        return None

    def verify(self, key: str, state: tuple[int, int] | None) -> None:
        """Nothing, when the zip file has the state it had at load."""
        self._index()


class UrlPlace:
    """Anything that fsspec opens: http, s3, memory and so on."""

    def __init__(self, url: str) -> None:
        self.label = self.token = url
        self._opened: tuple[Any, str] | None = None
        self._files()

    def __reduce__(self) -> tuple[Any, ...]:
        """Its URL."""
        return UrlPlace, (self.label,)

    def _files(self) -> tuple[Any, str]:
        if self._opened is None:
            try:
                import fsspec
            except ImportError as error:
                raise MissingCodecError(
                    f"{self.label}: URLs are read through fsspec, which is not installed: "
                    'pip install "lazy4d[formats]", or copy the store to a local drive'
                ) from error
            try:
                system, root = fsspec.core.url_to_fs(self.label)
            except ImportError as error:
                raise MissingCodecError(f"{self.label}: a package for this kind of URL is missing: {error}") from error
            except ValueError as error:
                raise FormatError(f"{self.label}: no URL that fsspec can open: {error}") from error
            self._opened = system, root.rstrip("/")
        return self._opened

    def _call(self, key: str, what: str, *args: Any, **settings: Any) -> Any:
        system, root = self._files()
        try:
            return getattr(system, what)(f"{root}/{key.strip('/')}" if key else root, *args, **settings)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except Exception as error:  # each kind of URL has exceptions of its own
            raise FormatError(
                f"{self.label}/{key}: could not be read: {type(error).__name__}: {error}; check the connection and "
                "the rights, or copy the store to a local drive"
            ) from error

    def get(self, key: str) -> bytes | None:
        """All bytes at a key."""
        found: bytes | None = self._call(key, "cat_file")
        return found

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some bytes at a key."""
        if start < 0:
            size = self.size(key)
            if size is None:
                return None
            start = max(0, size + start)
        found: bytes | None = self._call(key, "cat_file", start=start, end=start + length)
        if found is not None and len(found) > length:  # a server that knows no ranges sends everything
            return found[start : start + length]
        return found

    def size(self, key: str) -> int | None:
        """Bytes at a key; all of them are fetched where the server does not tell."""
        found = self._call(key, "info")
        if found is None or isinstance(found.get("size"), int):
            return None if found is None else found["size"]
        data = self.get(key)
        return None if data is None else len(data)

    def list(self, prefix: str) -> list[str]:
        """Names directly below a prefix; empty where the server does not tell."""
        found = self._call(prefix, "ls", detail=False)
        return sorted({str(name).rstrip("/").rpartition("/")[2] for name in found or ()})

    def state(self, key: str) -> tuple[int, int] | None:
        """None: few servers tell, and each question takes a round trip."""
        return None

    def verify(self, key: str, state: tuple[int, int] | None) -> None:
        """Nothing: see `state`."""


def whole(place: Place, key: str, data: bytes | None, start: int, length: int) -> bytes:
    """`data` when it is as long as was asked for.

    Raises
    ------
    TruncatedFileError
        It is not.

    Examples
    --------
    >>> whole(FolderPlace("/store"), "c/0", b"abcd", 0, 4)
    b'abcd'
    """
    if data is None or len(data) < length:
        raise TruncatedFileError(
            f"{place.label}/{key}: expected {length} bytes at byte {start}, found {len(data or b'')}: the file is cut "
            "short; copy it again, or load with incomplete='nan' to mark its frames invalid"
        )
    return data
